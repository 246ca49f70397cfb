//! Measuring whole changes. The tests of each noun are in the files below.

use super::*;

mod corners;
mod nouns;
mod properties;
mod recorded;
mod shipped;
mod tests_changed;

/// A configuration in small, of the same shape as the shipped data.
fn config() -> MeasureConfig {
    MeasureConfig::from_data(&serde_json::json!({
        "zones": {
            "ci": {"globs": [".github/workflows/**"]},
            "governance": {"globs": ["policies/**", "ab.yml"]},
            "executes-on-build": {"globs": ["**/conftest.py", "**/build.rs", "**/Makefile", "**/package.json"]},
        },
        "categories": {
            "docs": {"about": "text", "globs": ["**/*.md", "docs/**"]},
            "tests": {"globs": ["**/tests/**", "tests/**", "**/*_test.go"]},
            "code": {"globs": ["**/*.{rs,py,go,js,ts}"]},
            "deps": {"globs": ["**/Cargo.*", "**/*.lock", "**/package*.json", "**/Gemfile"]},
        },
        "secrets": [
            {"id": "aws-access-key", "regex": r"\b(?P<secret>AKIA[A-Z2-7]{16})\b", "keywords": ["akia"]},
            {"id": "private-key", "regex": "-----BEGIN [A-Z ]*PRIVATE KEY-----"},
        ],
        "forbidden_patterns": ["DROP TABLE", "exec(", {"id": "chmod-world", "regex": r"\bchmod 777\b"}],
        "text": {"line_chars_max": 200},
        "generated": {"globs": ["**/*.min.js"], "markers": ["@generated", "DO NOT EDIT"]},
        "unrelated": true,
    }))
    .unwrap()
}

/// Compiled once: that is the dear part.
fn meter() -> &'static Meter {
    static METER: std::sync::LazyLock<Meter> =
        std::sync::LazyLock::new(|| Meter::compile(&config()).unwrap());
    &METER
}

fn oid(digit: char) -> Oid {
    digit.to_string().repeat(40).parse().unwrap()
}

fn blob(bytes: impl AsRef<[u8]>) -> Side {
    Side::blob(oid('c'), delta::MODE_FILE, bytes.as_ref())
}

/// Path, text before, text after.
type File<'a> = (&'a str, Option<&'a str>, Option<&'a str>);

fn entries(files: &[File<'_>]) -> Vec<DeltaEntry> {
    files
        .iter()
        .map(|(path, old, new)| DeltaEntry::of(*path, old.map(blob), new.map(blob)).unwrap())
        .collect()
}

fn delta(entries: Vec<DeltaEntry>) -> TreeDelta {
    let paths =
        entries.iter().filter(|e| e.status() != FileStatus::Deleted).map(|e| e.path().to_vec()).collect();
    TreeDelta::new(oid('a'), oid('b'), entries, TreePaths::All(paths)).unwrap()
}

fn measure(entries: Vec<DeltaEntry>) -> Facts {
    meter().measure(&delta(entries), WindowFacts::default())
}

fn facts(files: &[File<'_>]) -> Facts {
    measure(entries(files))
}

/// Facts of one new file.
fn added(path: &str, text: &str) -> Facts {
    facts(&[(path, None, Some(text))])
}

/// Facts of one changed file.
fn changed(path: &str, old: &str, new: &str) -> Facts {
    facts(&[(path, Some(old), Some(new))])
}
