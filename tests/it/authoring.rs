//! From nothing to a worker that runs: `ab worker new`, the build script that it writes, `verify`, `run`, and `tighten` after a while.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use abide_tests::world::{AB_YML, World, ab};

use crate::bundles::{House, edited};
use crate::worker::guest;

const STUBS: &str = "stubs: [wasi:cli, wasi:clocks, wasi:filesystem, wasi:io, wasi:random]";

fn target() -> PathBuf {
    ab().ancestors().nth(2).unwrap().to_owned()
}

/// Whether something that a build needs is here. Says so where it is not.
fn has(what: &Path, language: &str) -> bool {
    let required = std::env::var("ABIDE_REQUIRE_LANGUAGES").unwrap_or_default();
    assert!(
        what.exists() || !required.split(',').any(|one| one == language),
        "{} must be there",
        what.display()
    );
    if !what.exists() {
        println!("skipped: there is no {}", what.display());
    }
    what.exists()
}

/// Begins a worker and builds it with its own script.
fn built(world: &World, lang: &str, tools: &[(&str, &str)]) -> PathBuf {
    let beside = world.beside("");
    world.ab_at(&beside, &["worker", "new", "mine", "--lang", lang], &[]).exits(0).says("next: cd");
    let folder = world.beside("mine");
    if let Some(modules) = tools.iter().find_map(|(name, path)| (*name == "MODULES").then_some(path)) {
        std::os::unix::fs::symlink(modules, folder.join("node_modules")).unwrap();
    }
    let mut command = Command::new(folder.join("build.sh"));
    command.env("AB", ab()).env("CARGO_TARGET_DIR", target().join("guest-build")).envs(tools.iter().copied());
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stdout));
    folder
}

/// It verifies, and changes its sample.
fn works(world: &World, at: &Path, recipe: &[&str]) {
    let said = world.ab_at(at, &["worker", "verify", "worker.wasm"], &[]).exits(0);
    said.says("granted and enforced").says("9 paths that lead out").says("ways out of its process");
    let run = ["worker", "run", "worker.wasm", "--folder", "samples", "--recipe"];
    let said = world.ab_at(at, &[&run, recipe].concat(), &[]).exits(0);
    said.says("modify").says("sample.md").says("Nothing was written").says("workspace:");
    let said = world.ab_at(at, &[&run[..], &["no-such"]].concat(), &[]).exits(1);
    said.says("no change").says("AB0811");
}

#[test]
fn in_rust() {
    let sysroot = Command::new("rustc").args(["--print", "sysroot"]).output().unwrap().stdout;
    let sysroot = PathBuf::from(String::from_utf8(sysroot).unwrap().trim());
    if !has(&sysroot.join("lib/rustlib/wasm32-unknown-unknown/lib"), "rust") {
        return;
    }
    let world = World::bare_of_ab(&[]);
    let folder = built(&world, "rust", &[]);
    works(&world, &folder, &["one-newline"]);
    // The same name again is in nobody's way.
    world.ab_at(&world.beside(""), &["worker", "new", "mine", "--lang", "c"], &[]).exits(2).says("AB0860");
    world.ab_at(&world.beside(""), &["worker", "new", "../mine", "--lang", "c"], &[]).exits(2).says("AB0852");
}

#[test]
fn in_c() {
    let python = target().join("tools/c/bin/python");
    if !has(&python, "c") {
        return;
    }
    let world = World::bare_of_ab(&[]);
    let zig = format!("{} -m ziglang", python.display());
    let folder = built(&world, "c", &[("ZIG", &zig)]);
    works(&world, &folder, &["final-newline"]);
}

#[test]
fn in_javascript() {
    let modules = target().join("tools/qjs/node_modules");
    if !has(&modules, "qjs") {
        return;
    }
    // It imports WASI, and as shipped that is refused.
    let house = House::new();
    let world = &house.world;
    let folder = built(world, "js", &[("MODULES", modules.to_str().unwrap())]);
    let file = folder.join("worker.wasm");
    let file = file.to_str().unwrap();
    world.ab(&["worker", "verify", file]).exits(8).says("AB0202");
    let listed = edited("data/grants.yaml", "stubs: []", STUBS);
    let bundle = house.bundle(1, &[("data/grants.yaml", &listed)]);
    house.sign(&bundle, &["rules/alice", "hard/bob", "hard/carol"]);
    house.activate(&bundle).exits(0);
    let said = world.ab(&["worker", "verify", file]).exits(0);
    said.says("wasi:random").says("without its stub").says("granted and enforced");
    let samples = folder.join("samples");
    world
        .ab(&["worker", "run", file, "--folder", samples.to_str().unwrap(), "--recipe", "trim-whitespace"])
        .exits(0)
        .says("modify");
}

#[test]
fn a_module_without_types_is_no_component() {
    let world = World::bare_of_ab(&[]);
    let file = world.beside("module.wasm");
    fs::write(&file, b"\0asm\x01\0\0\0").unwrap();
    let file = file.to_str().unwrap();
    world.ab(&["worker", "pack", file, "--out", "/nonexistent/x"]).exits(1).says("AB0004");
    fs::write(file, "(module)").unwrap();
    world.ab(&["worker", "pack", file]).exits(8).says("AB0859");
    let wasi = wat::parse_str(
        r#"(module (import "wasi_snapshot_preview1" "fd_write" (func (param i32 i32 i32 i32) (result i32))))"#,
    );
    fs::write(file, wasi.unwrap()).unwrap();
    world.ab(&["worker", "pack", file]).exits(8).says("AB0859").says("wasi_snapshot_preview1");
}

#[test]
fn what_is_wrong_with_a_component_is_said_before_anything_is_tried() {
    let (Some(hostile), Some(import)) = (guest("hostile"), guest("hostile-import")) else { return };
    let world = World::new(&[("ab.yml", AB_YML), ("a.txt", "one\n")]);
    world.ab(&["worker", "verify", import.to_str().unwrap()]).exits(8).says("AB0202").says("evil:net");
    world.ab(&["worker", "verify", "nobody"]).exits(2).says("AB0849");
    world.ab(&["worker", "run", "nobody", "--recipe", "x"]).exits(2).says("AB0849");
    let hostile = hostile.to_str().unwrap();
    world.ab(&["worker", "run", hostile, "--recipe", "good", "--branch", "gone"]).exits(2).says("AB0315");
    world.ab(&["worker", "run", hostile, "--recipe", "good", "--param", "x"]).exits(2);
    // Of the newest commit, not of what lies around.
    world.write("a.txt", b"two\n");
    world.ab(&["worker", "run", hostile, "--recipe", "good"]).exits(0).says("-one").says("+two");
    let kinds = world.kinds();
    assert!(!kinds.contains(&"TaskRan".to_owned()), "a trial leaves nothing: {kinds:?}");
}

#[test]
fn what_was_never_used_is_named_and_left_out() {
    let Some(codegen) = guest("codegen") else { return };
    let world = World::new(&[("ab.yml", AB_YML), ("docs/index.md", "one\n")]);
    let codegen = codegen.to_str().unwrap();
    world.ab(&["worker", "tighten", codegen]).exits(2).says("AB0861").says("0 tasks");
    for (old, new) in [("one", "two"), ("two", "three")] {
        let ticket = world.edit("docs/index.md", Some(old), new);
        world.ab(&["run", "--ticket", &ticket]).exits(0);
    }
    let said = world.ab(&["worker", "tighten", codegen, "--tasks", "2"]).exits(0);
    said.says("2: 2 proposals, 0 stopped").says("workspace in 2 tasks").says("files_max 4 in place of 300");
    let told = world.ab(&["--json", "worker", "tighten", codegen, "--tasks", "2"]).exits(0).json();
    let yaml = told["yaml"].as_str().unwrap();
    assert!(yaml.contains("capabilities: [log, progress, workspace]"), "{yaml}");
    // The second decision about it knew of the first task.
    let asked: Vec<_> =
        world.log().into_iter().filter(|event| event["event"]["data"]["kind"] == "run-worker").collect();
    assert_eq!(asked.len(), 2);
}
