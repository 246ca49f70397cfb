use super::*;
use crate::trial::{Sandpit, at_most};

fn doc(json: &str) -> PatchDoc {
    PatchDoc::parse(json.as_bytes(), &PatchLimits::CEILING).unwrap()
}

fn objects(pit: &Sandpit) -> String {
    pit.git(&["count-objects", "-v"])
}

#[test]
fn a_patch_makes_a_tree_and_leaves_the_repository_alone() {
    let pit = Sandpit::seeded();
    let (base, before) = (pit.oid("HEAD"), objects(&pit));
    let scratch = Scratch::new(&pit.open(), &pit.spare()).unwrap();
    let patch = doc(r#"{"patch_format":"unified","files":[
        {"path":"docs/a.md","hunks":["@@ -1,3 +1,3 @@\n one\n-two\n+2\n three\n"]},
        {"path":"docs/new/b.md","status":"add","hunks":["@@ -0,0 +1 @@\n+hello\n"]},
        {"path":"src/lib.rs","status":"delete","hunks":["@@ -1 +0,0 @@\n-pub fn one() -> u32 { 1 }\n"]}]}"#);
    let tree = scratch.apply(&base, &patch, &PatchLimits::CEILING).unwrap();
    let delta = scratch.delta(&pit.tree("HEAD"), &tree, &at_most(1 << 20)).unwrap();
    let paths: Vec<_> =
        delta.entries().iter().map(|e| String::from_utf8_lossy(e.path()).into_owned()).collect();
    assert_eq!(paths, ["docs/a.md", "docs/new/b.md", "src/lib.rs"]);
    assert_eq!(objects(&pit), before);
    // The same change made by git gives the same tree: `src` is gone with its last file, `run.sh` is still executable.
    pit.write("docs/a.md", "one\n2\nthree\n");
    pit.write("docs/new/b.md", "hello\n");
    std::fs::remove_dir_all(pit.work().join("src")).unwrap();
    pit.commit("by hand");
    assert_eq!(pit.tree("HEAD"), tree);
}

#[test]
fn a_patch_that_writes_through_a_link_a_submodule_or_a_file_is_refused() {
    let pit = Sandpit::seeded();
    std::os::unix::fs::symlink("/etc", pit.work().join("link")).unwrap();
    pit.git(&["add", "-A"]);
    let head = pit.oid("HEAD");
    pit.git(&["update-index", "--add", "--cacheinfo", &format!("160000,{head},vendor")]);
    pit.git(&["commit", "-q", "-m", "obstacles"]);
    let scratch = Scratch::new(&pit.open(), &pit.spare()).unwrap();
    for path in ["link/passwd", "vendor/x", "README.md/x", "docs"] {
        let patch = doc(&format!(
            r#"{{"patch_format":"unified","files":[{{"path":"{path}","status":"add","hunks":["@@ -0,0 +1 @@\n+x\n"]}}]}}"#
        ));
        let error = scratch.apply(&pit.oid("HEAD"), &patch, &PatchLimits::CEILING).unwrap_err();
        assert!(error.code().starts_with("AB07"), "{path}: {error}");
        // Below the patch's own checks stands the tree writer, which says the same.
        let write =
            FileChange::Write { path: path.parse().unwrap(), mode: FileMode::Plain, bytes: b"x".to_vec() };
        if path != "docs" {
            assert_eq!(scratch.edit(&pit.tree("HEAD"), &[write]).unwrap_err().code(), "AB0326", "{path}");
        }
    }
}

#[test]
fn deleting_everything_gives_the_empty_tree() {
    let pit = Sandpit::new(&[]);
    pit.write("only", "x");
    pit.commit("one file");
    let scratch = Scratch::new(&pit.open(), &pit.spare()).unwrap();
    let tree =
        scratch.edit(&pit.tree("HEAD"), &[FileChange::Delete { path: "only".parse().unwrap() }]).unwrap();
    assert_eq!(tree.as_str(), EMPTY_TREE);
    assert_eq!(scratch.delta(&pit.tree("HEAD"), &tree, &at_most(100)).unwrap().entries().len(), 1);
}

#[test]
fn odd_modes_of_files_that_are_not_touched_are_kept() {
    let pit = Sandpit::seeded();
    let blob = pit.git(&["rev-parse", "HEAD:README.md"]);
    let raw: Vec<u8> =
        (0..20).map(|i| u8::from_str_radix(blob.get(2 * i..2 * i + 2).unwrap(), 16).unwrap()).collect();
    let mut bytes = b"100664 old\0".to_vec();
    bytes.extend_from_slice(&raw);
    pit.write("../tree.raw", &bytes);
    let tree: Oid =
        pit.git(&["hash-object", "-t", "tree", "-w", "--literally", "../tree.raw"]).parse().unwrap();
    let scratch = Scratch::new(&pit.open(), &pit.spare()).unwrap();
    let write =
        FileChange::Write { path: "new".parse().unwrap(), mode: FileMode::Plain, bytes: b"x".to_vec() };
    let after = scratch.edit(&tree, &[write]).unwrap();
    let changed: Vec<_> = scratch
        .delta(&tree, &after, &at_most(100))
        .unwrap()
        .entries()
        .iter()
        .map(|e| e.path().to_vec())
        .collect();
    assert_eq!(changed, [b"new".to_vec()], "only the new file differs");
}

#[test]
fn a_revert_is_rehearsed_clean_or_with_its_conflicts() {
    let pit = Sandpit::seeded();
    let before = pit.tree("HEAD");
    pit.write("docs/a.md", "one\n2\nthree\n");
    let second = pit.commit("second");
    let scratch = Scratch::new(&pit.open(), &pit.spare()).unwrap();
    assert_eq!(scratch.rehearse_revert(&second, &second).unwrap(), Rehearsal::Clean { tree: before });
    pit.write("docs/a.md", "one\nII\nthree\n");
    let third = pit.commit("third");
    let conflict = Rehearsal::Conflict { paths: vec!["docs/a.md".to_owned()] };
    assert_eq!(scratch.rehearse_revert(&second, &third).unwrap(), conflict);
    assert_eq!(scratch.rehearse_revert(&pit.oid("HEAD~2"), &third).unwrap_err().code(), "AB0327");
}

#[test]
fn trees_are_merged_three_ways() {
    let pit = Sandpit::seeded();
    let base = pit.tree("HEAD");
    pit.write("README.md", "# Ours\n");
    pit.commit("ours");
    let ours = pit.tree("HEAD");
    pit.git(&["reset", "-q", "--hard", "HEAD~1"]);
    pit.write("docs/a.md", "theirs\n");
    pit.commit("theirs");
    let theirs = pit.tree("HEAD");
    let scratch = Scratch::new(&pit.open(), &pit.spare()).unwrap();
    let merged = scratch.merge_trees(&base, &ours, &theirs).unwrap();
    let changed = scratch.delta(&base, merged.tree().unwrap(), &at_most(1 << 20)).unwrap();
    assert_eq!(changed.entries().len(), 2);
    pit.write("README.md", "# Both\n");
    pit.commit("conflict");
    let conflict = Rehearsal::Conflict { paths: vec!["README.md".to_owned()] };
    assert_eq!(scratch.merge_trees(&base, &ours, &pit.tree("HEAD")).unwrap(), conflict);
}

#[test]
fn folders_within_folders_have_an_end() {
    let pit = Sandpit::seeded();
    let scratch = Scratch::new(&pit.open(), &pit.spare()).unwrap();
    let deep = |levels: usize| {
        let path = format!("{}x", "d/".repeat(levels)).parse().unwrap();
        scratch.edit(
            &pit.tree("HEAD"),
            &[FileChange::Write { path, mode: FileMode::Plain, bytes: b"x".to_vec() }],
        )
    };
    assert!(deep(200).is_ok());
    assert_eq!(deep(300).unwrap_err().code(), "AB0323");
}
