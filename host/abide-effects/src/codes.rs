//! Every code of this crate has its page in `docs/codes/effects.md`, and every page its code.

use std::collections::BTreeSet;
use std::path::Path;

/// Codes of this crate's areas that stand in quotes in its sources.
fn used(folder: &Path, codes: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            used(&path, codes);
        } else if path
            .file_name()
            .is_some_and(|name| name != "tests.rs" && name != "trial.rs" && name != "codes.rs")
        {
            let text = std::fs::read_to_string(&path).unwrap();
            let quoted =
                text.split(['"', '[', ']']).filter(|word| word.len() == 6 && word.starts_with("AB0"));
            codes.extend(
                quoted.filter(|code| matches!(code.as_bytes()[3], b'3' | b'5' | b'6')).map(str::to_owned),
            );
        }
    }
}

#[test]
fn codes_and_pages_agree() {
    let top = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut codes = BTreeSet::new();
    used(&top.join("src"), &mut codes);
    let pages = std::fs::read_to_string(top.join("../../docs/codes/effects.md")).unwrap();
    let mut listed = BTreeSet::new();
    for page in pages.split("\n## ").skip(1) {
        let (code, _) = page.split_once(" — ").unwrap();
        assert!(listed.insert(code.to_owned()), "{code} has two pages");
        for part in ["**What** ", "**Why** ", "**Next** "] {
            assert!(page.contains(part), "{code} lacks {part}");
        }
    }
    assert_eq!(codes, listed);
}
