//! House rules that no compiler checks: one-call-site rules, file headers, fences, doc paths, words that must not be there.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// Files below `folder` that end in one of `endings`, build output left out.
fn files(folder: &Path, endings: &[&str]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let Ok(entries) = fs::read_dir(folder) else { return found };
    for entry in entries.flatten() {
        let (path, name) = (entry.path(), entry.file_name().to_string_lossy().into_owned());
        if path.is_dir() && name != "target" && !name.starts_with('.') {
            found.extend(files(&path, endings));
        } else if endings.iter().any(|ending| name.ends_with(ending)) {
            found.push(path);
        }
    }
    found.sort();
    found
}

fn relative(path: &Path) -> String {
    path.strip_prefix(root()).unwrap().to_string_lossy().into_owned()
}

/// Host sources that are not tests.
fn sources() -> Vec<(String, String)> {
    let own = |name: &str| {
        name.contains("/tests/")
            || name.ends_with("tests.rs")
            || name.ends_with("/trial.rs")
            || name.ends_with("/testing.rs")
            || name.contains("/benches/")
            || name.contains("/xtask/")
            || name.contains("/conformance.rs")
    };
    files(&root().join("host"), &[".rs"])
        .into_iter()
        .map(|path| (relative(&path), fs::read_to_string(path).unwrap()))
        .filter(|(name, _)| !own(name))
        .collect()
}

/// Asserts that `word` stands only in files whose path begins with one of `places`.
#[track_caller]
fn only_in(word: &str, places: &[&str]) {
    let strays: Vec<_> = sources()
        .into_iter()
        .filter(|(name, text)| text.contains(word) && !places.iter().any(|place| name.starts_with(place)))
        .map(|(name, _)| name)
        .collect();
    assert!(strays.is_empty(), "`{word}` belongs in {places:?}, and stands in {strays:?}");
}

#[test]
fn each_file_says_what_it_is() {
    let mut silent = Vec::new();
    for (name, text) in sources() {
        let first = text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
        if !first.starts_with("//!") {
            silent.push(name);
        }
    }
    assert!(silent.is_empty(), "without a header: {silent:?}");
}

#[test]
fn one_place_for_each_danger() {
    only_in("Permit::mint(", &["host/abide-gate/src/gate.rs"]);
    only_in("println!", &["host/abide/src/cli/printer.rs", "host/abide/build.rs"]);
    only_in("SystemTime::now()", &["host/abide/src/wiring.rs"]);
    only_in("std::env::var(", &["host/abide/src/config/env.rs"]);
    only_in("getrandom::", &["host/abide/src/wiring.rs"]);
    only_in("use regorus", &["host/abide-gate/"]);
    only_in("use rusqlite", &["host/abide-ledger/"]);
    only_in("use wasmtime", &["host/abide-sandbox/"]);
    only_in("git2::", &["host/abide-effects/"]);
    only_in(
        "TcpStream::connect(",
        &[
            "host/abide-effects/src/egress/dial.rs",
            "host/abide-sandbox/src/jail/attempts.rs",
            "host/abide-sandbox/src/runner/walls.rs",
        ],
    );
    only_in("use hickory_resolver", &["host/abide-effects/src/egress/resolver.rs"]);
}

#[test]
fn nothing_that_moves_a_reference_does_so_without_a_permit() {
    // Every hand of effects that changes the world takes a permit and redeems it before anything else.
    for (name, text) in sources().iter().filter(|(name, _)| name.starts_with("host/abide-effects/src/")) {
        for (place, _) in text.match_indices("Permit<") {
            let Some(start) = text[..place].rfind("pub fn ") else { continue };
            let Some(body) = text[place..].find('{').map(|brace| place + brace + 1) else { continue };
            if text[start..place].contains('}') {
                continue;
            }
            let first = text[body..].lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default();
            assert!(
                first.contains("redeem()"),
                "{name}: the first line of a hand redeems its permit, not `{first}`"
            );
        }
    }
    only_in(".set_target(", &["host/abide-effects/src/forge/sink.rs"]);
}

#[test]
fn unsafe_stands_behind_one_door_that_looks_dangerous() {
    let mut sites = Vec::new();
    for (name, text) in sources() {
        for (number, line) in text.lines().enumerate() {
            if line.contains("unsafe {") && !line.trim_start().starts_with("//") {
                let before: Vec<&str> = text.lines().take(number).collect();
                assert!(
                    before.iter().any(|line| line.trim() == "mod danger {"),
                    "{name}: `unsafe` outside of `mod danger`"
                );
                sites.push(name.clone());
            }
        }
    }
    // Components, the sealed judge, the files that a runner was not meant to have, pages that no runner may execute, and the questions of a
    // filter.
    let known = [
        "cache.rs",
        "cache.rs",
        "jail/told.rs",
        "jail/told.rs",
        "runner/no_exec.rs",
        "runner/no_exec.rs",
        "runner/no_exec.rs",
        "runner/walls.rs",
    ]
    .map(|file| format!("host/abide-sandbox/src/{file}"));
    assert_eq!(sites, known, "a new site needs a page in docs/decisions/");
}

#[test]
fn every_code_is_explained_and_every_explanation_is_of_a_code() {
    let is_code = |word: &str| {
        word.len() == 6 && word.starts_with("AB0") && word[2..].bytes().all(|b| b.is_ascii_digit())
    };
    let codes = |text: &str| -> BTreeSet<String> {
        text.split(|c: char| !c.is_ascii_alphanumeric())
            .filter(|word| is_code(word))
            .map(str::to_owned)
            .collect()
    };
    let used: BTreeSet<String> = sources().iter().flat_map(|(_, text)| codes(text)).collect();
    let pages = files(&root().join("docs/codes"), &[".md"]);
    let headings = |path: &PathBuf| {
        fs::read_to_string(path)
            .unwrap()
            .lines()
            .filter_map(|line| line.strip_prefix("## "))
            .map(|line| line.chars().take(6).collect::<String>())
            .collect::<Vec<_>>()
    };
    let explained: Vec<String> = pages.iter().flat_map(headings).collect();
    let set: BTreeSet<String> = explained.iter().cloned().collect();
    assert_eq!(set.len(), explained.len(), "a code is explained twice");
    let missing: Vec<_> = used.difference(&set).collect();
    assert!(missing.is_empty(), "codes without a section in docs/codes/: {missing:?}");
}

#[test]
fn paths_that_the_docs_name_exist() {
    let mut broken = Vec::new();
    let mut pages = files(&root().join("docs"), &[".md"]);
    pages.extend([root().join("README.md"), root().join("CONTRIBUTING.md"), root().join("SECURITY.md")]);
    for page in pages {
        let text = fs::read_to_string(&page).unwrap();
        for word in text.split('`').skip(1).step_by(2) {
            let named = ["host/", "docs/", "policies/", "tests/", "guest-workers/", "wit/"]
                .iter()
                .any(|top| word.starts_with(top));
            let plain = !word.contains([' ', '*', '<', '{', '…', '(', ':', '\n']);
            if named
                && plain
                && !root().join(word).exists()
                && word != "policies/repository.rego"
                && word != "policies/repository_test.rego"
                && word != "docs/"
            {
                broken.push(format!("{}: {word}", relative(&page)));
            }
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
}
