//! The guarded repository: however a push is spelled, a ref moves only on its record.

use std::fs;
use std::path::PathBuf;

use abide_tests::world::{AB_YML, World};

/// A bare, guarded repository and a clone of it.
fn guarded() -> (World, PathBuf, PathBuf) {
    let world = World::bare_of_ab(&[
        ("ab.yml", AB_YML),
        ("docs/index.md", "See [it](gone.md).\n"),
        ("docs/deep/gone.md", "Here.\n"),
    ]);
    let (bare, clone) = (world.beside("api.git"), world.beside("clone"));
    world.git(&["clone", "--quiet", "--bare", ".", bare.to_str().unwrap()]);
    world.ab_at(&bare, &["init", "--name", "api"], &[]).exits(0);
    world.ab_at(&bare, &["hook", "install", bare.to_str().unwrap()], &[]).exits(0);
    world.git(&["clone", "--quiet", bare.to_str().unwrap(), clone.to_str().unwrap()]);
    fs::write(clone.join("docs/index.md"), "pushed around\n").unwrap();
    assert_eq!(world.try_git(&clone, &["commit", "--quiet", "--all", "--message", "around"]).code, 0);
    (world, bare, clone)
}

#[test]
fn every_spelling_of_a_push_is_refused() {
    let (world, bare, clone) = guarded();
    let before = world.try_git(&bare, &["rev-parse", "main"]).out;
    let spellings: &[&[&str]] = &[
        &["push", "origin", "HEAD:main"],
        &["push", "origin", "+HEAD:main"],
        &["push", "--force", "origin", "HEAD:refs/heads/main"],
        &["push", "--atomic", "origin", "HEAD:main"],
        &["push", "--mirror", "origin"],
        &["push", "origin", ":main"],
        &["push", "origin", "HEAD:refs/heads/new"],
        &["push", "origin", "HEAD:refs/tags/v1"],
        &["push", "origin", "HEAD:refs/replace/0000000000000000000000000000000000000001"],
        &["push", "--no-verify", "origin", "HEAD:main"],
        &["-c", "core.hooksPath=/dev/null", "push", "origin", "HEAD:main"],
    ];
    for spelling in spellings {
        let said = world.try_git(&clone, spelling);
        assert_ne!(said.code, 0, "{spelling:?}: {}", said.err);
    }
    for direct in [
        &["fetch", clone.to_str().unwrap(), "+main:main"][..],
        &["fetch", clone.to_str().unwrap(), "main:other"],
        &["update-ref", "refs/heads/main", "HEAD~0", "HEAD"],
        &["symbolic-ref", "HEAD", "refs/heads/elsewhere"],
        &["tag", "v1", "main"],
        &["branch", "other", "main"],
    ] {
        let said = world.try_git(&bare, direct);
        let moved = world.try_git(&bare, &["for-each-ref", "--format=%(refname)"]).out;
        assert!(said.code != 0 || moved.trim() == "refs/heads/main", "{direct:?}: {}", said.err);
    }
    assert_eq!(world.try_git(&bare, &["rev-parse", "main"]).out, before);
    assert_eq!(world.try_git(&bare, &["symbolic-ref", "HEAD"]).out.trim(), "refs/heads/main");
}

#[test]
fn a_push_of_what_was_merged_finds_its_record_used() {
    let (world, bare, clone) = guarded();
    world.ab_at(&bare, &["run", "--ticket", "Repair broken links in docs/"], &[]).exits(0);
    let refused = world.try_git(&clone, &["push", "origin", "+HEAD:main"]);
    assert_ne!(refused.code, 0);
    assert!(refused.err.contains("rejected"), "{}", refused.err);
    world.ab_at(&bare, &["audit", "reconcile"], &[]).exits(0);
}

#[test]
fn hooks_that_cannot_ask_refuse() {
    let (world, bare, clone) = guarded();
    fs::rename(world.home(), world.beside("away")).unwrap();
    assert_ne!(world.try_git(&clone, &["push", "origin", "HEAD:main"]).code, 0);
    fs::rename(world.beside("away"), world.home()).unwrap();
    let hook = bare.join("hooks/reference-transaction");
    let text = fs::read_to_string(&hook).unwrap();
    fs::write(&hook, text.replace(abide_tests::world::ab().to_str().unwrap(), "/nowhere/ab")).unwrap();
    assert_ne!(world.try_git(&clone, &["push", "origin", "HEAD:main"]).code, 0);
}

#[test]
fn a_ref_that_moved_around_the_hooks_freezes_merges() {
    let (world, bare, clone) = guarded();
    world.ab_at(&bare, &["run", "--ticket", "Repair broken links in docs/"], &[]).exits(0);
    // The owner of the repository edits the file: no hook runs.
    let other = world.try_git(&clone, &["rev-parse", "HEAD"]).out;
    assert_eq!(world.try_git(&bare, &["fetch", "--quiet", clone.to_str().unwrap(), "HEAD"]).code, 0);
    fs::write(bare.join("refs/heads/main"), other).unwrap();
    world.ab_at(&bare, &["audit", "reconcile"], &[]).exits(8).says("no receipt");
    let said =
        world.ab_at(&bare, &["run", "--ticket", &world.edit("docs/new.md", None, "more\n")], &[]).exits(3);
    assert!(said.out.contains("frozen"), "{}", said.out);
    world.ab_at(&bare, &["audit", "reconcile", "--accept", "--reason", "looked at it"], &[]).exits(0);
    world.ab_at(&bare, &["audit", "reconcile"], &[]).exits(0);
}
