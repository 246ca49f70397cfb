//! Tests that a change adds, removes or weakens, for Rust, Python, JavaScript and TypeScript, Go, Java and Kotlin.
//!
//! Tests are counted by name in each file: one that moves to another file counts as removed here and added there, which says too much
//! rather than too little. Comments and multi-line strings are blanked first, so that commenting a test out removes it.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::config::MeasureConfigError;
use super::findings::Findings;
use super::pattern::{Pattern, group};
use super::view::{Hunk, View};
use super::{FileStatus, TestFacts, WeakenedTest};

mod language;
mod source;

pub(crate) use language::Language;
use language::Patterns;

/// Finds what happened to tests.
#[derive(Debug)]
pub(crate) struct Tests {
    patterns: BTreeMap<Language, Patterns>,
    threshold: Pattern,
}

/// Thresholds of coverage and mutation tools: the key, then the number.
const THRESHOLD: &str = r#"(?i)\b(?P<key>fail[_-]under|cov-fail-under|coverage[_-]?threshold|branches|functions|lines|statements|min(?:imum)?[_-]?(?:coverage|score|lines|branches)|minimum|target|threshold|break)\b["']?\s*[:=>\s]\s*["']?(?P<value>\d{1,3}(?:\.\d{1,4})?)"#;

/// Languages in which tests are written and which this does not read.
const UNREAD_LANGUAGES: &[&str] = &[
    "c", "h", "cc", "cpp", "cxx", "hpp", "hh", "m", "mm", "zig", "swift", "scala", "groovy", "clj", "cs",
    "fs", "vb", "rb", "pl", "t", "php", "lua", "r", "jl", "ex", "exs", "erl", "hs", "ml", "nim", "dart", "d",
    "sh", "bash", "bats", "ps1", "sql", "vue", "svelte", "feature",
];

impl Tests {
    pub(crate) fn compile() -> Result<Self, MeasureConfigError> {
        let patterns = Language::ALL
            .into_iter()
            .map(|language| Ok((language, Patterns::compile(language)?)))
            .collect::<Result<_, MeasureConfigError>>()?;
        Ok(Self { patterns, threshold: Pattern::compile("threshold", THRESHOLD)? })
    }

    /// Adds what `view` does to tests. `in_tests` says that the path is of the category `tests`. Returns whether it could be told.
    pub(crate) fn find(
        &self,
        view: &View<'_>,
        in_tests: bool,
        facts: &mut TestFacts,
        weakened: &mut Findings<WeakenedTest>,
    ) -> bool {
        self.thresholds(view, weakened);
        let Some(language) = Language::of(view.path.extension()) else {
            let gone = view.entry.status() == FileStatus::Deleted;
            if gone && in_tests {
                facts.files_removed.push(view.path().to_owned());
            }
            let unread = UNREAD_LANGUAGES.contains(&view.path.extension());
            return !(in_tests && unread && !gone && view.removed > 0);
        };
        let Some(patterns) = self.patterns.get(&language) else { return false };
        let telling = |text: &Option<Cow<'_, str>>| {
            text.as_deref().is_some_and(|text| language.telltales().iter().any(|tale| text.contains(tale)))
        };
        if !in_tests && !telling(&view.old) && !telling(&view.new) {
            return !view.old_unread && !view.new_unread;
        }
        let code = |text: &Option<_>| text.as_deref().map(|text| source::code_only(text, language));
        let (old, new) = (code(&view.old), code(&view.new));
        let names =
            |code: &Option<String>| code.as_deref().map(|code| patterns.tests_in(code)).unwrap_or_default();
        let (before, after) = (names(&old), names(&new));
        facts.added = facts.added.saturating_add(surplus(&after, &before));
        facts.removed = facts.removed.saturating_add(surplus(&before, &after));
        if view.entry.status() == FileStatus::Deleted {
            if in_tests || !before.is_empty() {
                facts.files_removed.push(view.path().to_owned());
            }
            return !view.old_unread;
        }
        if in_tests || !before.is_empty() || !after.is_empty() {
            let old = old.as_deref().unwrap_or_default();
            weaken(view, patterns, [old, new.as_deref().unwrap_or_default()], weakened);
        }
        !view.old_unread && !view.new_unread
    }

    fn thresholds(&self, view: &View<'_>, weakened: &mut Findings<WeakenedTest>) {
        for hunk in &view.hunks {
            for old in &hunk.removed {
                let Some((key, value)) = self.threshold_of(&old.text) else { continue };
                let next = hunk.added.iter().find_map(|line| {
                    let (other, value) = self.threshold_of(&line.text)?;
                    (other == key).then_some((line.number, value))
                });
                match next {
                    Some((line, new)) if new < value => push(weakened, view, "threshold", line),
                    None if key_is_sure(&key) => push(weakened, view, "threshold", 0),
                    Some(_) | None => {}
                }
            }
        }
    }

    /// The key in lower case, and the number in ten-thousandths.
    fn threshold_of(&self, line: &str) -> Option<(String, u64)> {
        let captures = self.threshold.captures(line).next()?;
        let value = group(&captures, "value")?;
        let (whole, part) = value.split_once('.').unwrap_or((&value, ""));
        let number = format!("{whole}{part:0<4}").parse().ok()?;
        Some((group(&captures, "key")?.to_lowercase(), number))
    }
}

/// Whether a line with this key says something about tests wherever it stands.
fn key_is_sure(key: &str) -> bool {
    key.contains("under") || key.contains("cov")
}

fn push(weakened: &mut Findings<WeakenedTest>, view: &View<'_>, kind: &str, line: u64) {
    let fact = WeakenedTest { kind: kind.to_owned(), path: view.path().to_owned(), line };
    weakened.push(kind, view.path(), fact);
}

/// How many names `of` has more than `than`, counting each as often as it is there.
fn surplus(of: &BTreeMap<String, u64>, than: &BTreeMap<String, u64>) -> u64 {
    of.iter().fold(0, |sum, (name, number)| {
        sum.saturating_add(number.saturating_sub(than.get(name).copied().unwrap_or(0)))
    })
}

/// Skips, assertions that are gone, assertions that always hold. Lines are looked up in the blanked text, where comments say nothing.
fn weaken(
    view: &View<'_>,
    patterns: &Patterns,
    [old, new]: [&str; 2],
    weakened: &mut Findings<WeakenedTest>,
) {
    let old: Vec<&str> = old.lines().collect();
    let new: Vec<&str> = new.lines().collect();
    let at = |lines: &[&str], number: u64| -> String {
        let index = usize::try_from(number).unwrap_or(usize::MAX).saturating_sub(1);
        lines.get(index).copied().unwrap_or_default().to_owned()
    };
    for Hunk { removed, added } in &view.hunks {
        let removed: Vec<String> = removed.iter().map(|line| at(&old, line.number)).collect();
        let added: Vec<(u64, String)> =
            added.iter().map(|line| (line.number, at(&new, line.number))).collect();
        for (number, code) in &added {
            if patterns.skip.is_match(code) {
                push(weakened, view, "skipped", *number);
            }
            if patterns.always_true(code) {
                push(weakened, view, "always-true", *number);
            }
        }
        let asserts = |code: &str| patterns.assertion.number(code);
        let lost = removed.iter().fold(0_u64, |sum, code| sum.saturating_add(asserts(code)));
        let won = added.iter().filter(|(_, code)| !patterns.always_true(code));
        let won = won.fold(0_u64, |sum, (_, code)| sum.saturating_add(asserts(code)));
        if lost > won {
            push(weakened, view, "assertion-removed", 0);
        }
    }
}
