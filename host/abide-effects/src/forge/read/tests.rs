use abide_core::facts::{Content, FileStatus};

use super::*;
use crate::trial::{Sandpit, at_most};

const CAP: u64 = 8 << 20;

#[test]
fn a_delta_holds_both_sides_of_every_changed_path() {
    let pit = Sandpit::seeded();
    let before = pit.tree("HEAD");
    pit.write("docs/a.md", "one\n2\nthree\n");
    pit.write("docs/b.md", "new\n");
    std::fs::remove_file(pit.work().join("src/lib.rs")).unwrap();
    std::fs::remove_file(pit.work().join("README.md")).unwrap();
    std::os::unix::fs::symlink("docs/a.md", pit.work().join("README.md")).unwrap();
    pit.commit("change");
    let delta = pit.open().delta(&before, &pit.tree("HEAD"), &at_most(CAP)).unwrap();
    let shown: Vec<_> = delta
        .entries()
        .iter()
        .map(|e| (String::from_utf8_lossy(e.path()).into_owned(), e.status()))
        .collect();
    let expected = [
        ("README.md", FileStatus::TypeChanged),
        ("docs/a.md", FileStatus::Modified),
        ("docs/b.md", FileStatus::Added),
        ("src/lib.rs", FileStatus::Deleted),
    ];
    assert_eq!(shown, expected.map(|(path, status)| (path.to_owned(), status)));
    assert_eq!(delta.entries()[1].old().unwrap().bytes(), Some(&b"one\ntwo\nthree\n"[..]));
    assert!(matches!(delta.tree_paths(), TreePaths::All(paths) if paths.len() == 4));
}

#[test]
fn a_file_becomes_a_folder_and_back() {
    let pit = Sandpit::seeded();
    let before = pit.tree("HEAD");
    std::fs::remove_file(pit.work().join("README.md")).unwrap();
    pit.write("README.md/inner", "x");
    pit.commit("file to folder");
    let after = pit.tree("HEAD");
    let repo = pit.open();
    let there: Vec<_> = repo
        .delta(&before, &after, &at_most(CAP))
        .unwrap()
        .entries()
        .iter()
        .map(|e| (e.path().to_vec(), e.status()))
        .collect();
    assert_eq!(
        there,
        [(b"README.md".to_vec(), FileStatus::Deleted), (b"README.md/inner".to_vec(), FileStatus::Added)]
    );
    let back: Vec<_> = repo
        .delta(&after, &before, &at_most(CAP))
        .unwrap()
        .entries()
        .iter()
        .map(|e| (e.path().to_vec(), e.status()))
        .collect();
    assert_eq!(
        back,
        [(b"README.md".to_vec(), FileStatus::Added), (b"README.md/inner".to_vec(), FileStatus::Deleted)]
    );
}

#[test]
fn a_large_blob_is_sized_and_not_loaded() {
    let pit = Sandpit::seeded();
    let before = pit.tree("HEAD");
    let file = std::fs::File::create(pit.work().join("big.bin")).unwrap();
    file.set_len(100 << 20).unwrap();
    let commit = pit.commit("100 MiB");
    let repo = pit.open();
    let delta = repo.delta(&before, &pit.tree("HEAD"), &at_most(CAP)).unwrap();
    assert_eq!(delta.entries()[0].new_side().unwrap().content, Content::TooLarge { len: 100 << 20 });
    let error = repo.read_blob_at(&commit, &"big.bin".parse().unwrap(), CAP).unwrap_err();
    assert_eq!(error.code(), "AB0324");
}

#[test]
fn paths_that_are_not_utf8_stay_bytes() {
    let pit = Sandpit::seeded();
    let before = pit.tree("HEAD");
    let name = super::super::names::on_disk(b"caf\xe9.txt");
    std::fs::write(pit.work().join(name), "x").unwrap();
    pit.commit("latin-1");
    let delta = pit.open().delta(&before, &pit.tree("HEAD"), &at_most(CAP)).unwrap();
    assert_eq!(delta.entries()[0].path(), b"caf\xe9.txt");
}

#[test]
fn submodules_and_missing_blobs_are_told_apart() {
    let pit = Sandpit::seeded();
    let before = pit.tree("HEAD");
    let head = pit.oid("HEAD");
    pit.git(&["update-index", "--add", "--cacheinfo", &format!("160000,{head},vendor")]);
    pit.git(&[
        "update-index",
        "--add",
        "--info-only",
        "--cacheinfo",
        "100644,1234567890123456789012345678901234567890,gone",
    ]);
    let tree: Oid = pit.git(&["write-tree", "--missing-ok"]).parse().unwrap();
    let delta = pit.open().delta(&before, &tree, &at_most(CAP)).unwrap();
    assert_eq!(delta.entries()[0].new_side().unwrap().content, Content::Unreadable);
    assert_eq!(delta.entries()[1].new_side().unwrap().content, Content::Elsewhere);
}

#[test]
fn hostile_trees_are_refused() {
    let pit = Sandpit::seeded();
    let blob = pit.git(&["rev-parse", "HEAD:README.md"]);
    let raw: Vec<u8> =
        (0..20).map(|i| u8::from_str_radix(blob.get(2 * i..2 * i + 2).unwrap(), 16).unwrap()).collect();
    for names in [&[".git"][..], &[".."], &["a", "a"], &["GIT~1"], &["a/b"]] {
        let mut bytes = Vec::new();
        for name in names {
            bytes.extend_from_slice(format!("100644 {name}\0").as_bytes());
            bytes.extend_from_slice(&raw);
        }
        pit.write("../tree.raw", &bytes);
        let tree: Oid =
            pit.git(&["hash-object", "-t", "tree", "-w", "--literally", "../tree.raw"]).parse().unwrap();
        let error = pit.open().delta(&pit.tree("HEAD"), &tree, &at_most(CAP)).unwrap_err();
        assert_eq!(error.code(), "AB0323", "{names:?}: {error}");
    }
}

#[test]
fn files_are_read_from_a_commit_and_links_are_not_followed() {
    let pit = Sandpit::seeded();
    std::os::unix::fs::symlink("docs", pit.work().join("link")).unwrap();
    let commit = pit.commit("link");
    let repo = pit.open();
    let read = |path: &str| repo.read_blob_at(&commit, &path.parse().unwrap(), CAP).unwrap();
    assert_eq!(read("docs/a.md").as_deref(), Some(&b"one\ntwo\nthree\n"[..]));
    for path in ["docs", "link", "link/a.md", "docs/none", "none/a.md", "README.md/x"] {
        assert_eq!(read(path), None, "{path}");
    }
    let listed = |folder: Option<&str>| {
        repo.list_tree_at(&commit, folder.map(|f| f.parse().unwrap()).as_ref()).unwrap().len()
    };
    assert_eq!(
        (listed(None), listed(Some("docs")), listed(Some("nowhere")), listed(Some("link"))),
        (5, 1, 0, 0)
    );
}

#[test]
fn history_is_walked_newest_first() {
    let pit = Sandpit::seeded();
    let first = pit.oid("HEAD");
    pit.write("a", "a");
    let second = pit.commit("second\n\nBody.\n\nAbide-Run: x");
    let repo = pit.open();
    let log = repo.log(&second, 10, Walk::Everything).unwrap();
    assert_eq!(log.iter().map(|c| c.oid.clone()).collect::<Vec<_>>(), [second.clone(), first.clone()]);
    assert_eq!(
        (log[0].title.as_str(), log[0].trailer("Abide-Run"), log[0].author.as_str()),
        ("second", Some("x"), "alice <alice@example.org>")
    );
    assert_eq!(repo.ancestry(&first, &second).unwrap(), Ancestry::Ancestor);
    assert_eq!(repo.ancestry(&second, &first).unwrap(), Ancestry::Unrelated);
    assert_eq!(repo.commit(&Oid::zero()).unwrap_err().code(), "AB0321");
    assert_eq!(repo.commit(&pit.tree("HEAD")).unwrap_err().code(), "AB0322");
}

#[test]
fn replacements_are_not_followed() {
    let pit = Sandpit::seeded();
    let commit = pit.oid("HEAD");
    pit.git(&["replace", "HEAD:README.md", "HEAD:docs/a.md"]);
    let bytes = pit.open().read_blob_at(&commit, &"README.md".parse().unwrap(), CAP).unwrap();
    assert_eq!(bytes.as_deref(), Some(&b"# Trial\n"[..]));
}

#[test]
fn many_large_files_are_not_held_at_once() {
    let pit = Sandpit::seeded();
    let before = pit.tree("HEAD");
    for name in ["a", "b", "c"] {
        pit.write(&format!("big/{name}.txt"), name.repeat(400));
    }
    pit.commit("three files");
    let limits = Limits { total_bytes_max: 1000, ..at_most(500) };
    let delta = pit.open().delta(&before, &pit.tree("HEAD"), &limits).unwrap();
    let loaded: Vec<bool> =
        delta.entries().iter().map(|entry| entry.new_side().and_then(Side::bytes).is_some()).collect();
    assert_eq!(loaded, [true, true, false], "the third no longer fits");
}
