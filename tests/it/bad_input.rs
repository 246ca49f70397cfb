//! Bad input: each a clear error with its code and help, the exit code as listed, nothing lost, no effect without a record.

use std::fs;
use std::path::PathBuf;

use abide_tests::world::{AB_YML, World, ab};

const PLAIN: &[(&str, &str)] =
    &[("ab.yml", AB_YML), ("docs/index.md", "See [it](gone.md).\n"), ("docs/deep/gone.md", "Here.\n")];
const TICKET: &str = "Repair broken links in docs/";

fn denied_by_config(ab_yml: &str, code: &str) {
    let world = World::new(&[("ab.yml", ab_yml), ("README.md", "x\n")]);
    world.ab(&["run", "--ticket", TICKET]).exits(2).says(code).says("help");
    assert_eq!(world.kinds(), ["LogCreated"], "nothing but the beginning is recorded");
}

#[test]
fn a_configuration_that_is_not_understood() {
    denied_by_config("autonomy_profile: [", "AB0010");
    denied_by_config("autonomy_profile: x\nautonomy_maximum: A3\n", "AB0010");
    denied_by_config("autonomy_profile: x\nautonomy_profile: y\n", "AB0010");
    denied_by_config("autonomy_profile: x\nchecks: [{name: a, run: [], timeout: 1s}]\n", "AB0011");
}

fn gate_refuses(rego: &str, code: &str) {
    let world = World::new(&[("ab.yml", AB_YML), ("README.md", "x\n"), ("policies/repository.rego", rego)]);
    world.ab(&["run", "--ticket", TICKET]).exits(6).says(code);
    assert_eq!(world.kinds(), ["LogCreated"]);
}

#[test]
fn a_policy_that_does_not_load_denies_everything() {
    gate_refuses("package abide.layers.repository\nfindings contains {", "AB0102");
    gate_refuses(
        "package abide.layers.repository\nimport rego.v1\nfindings contains x if { x := http.send({}) }",
        "AB0103",
    );
    gate_refuses("package abide\nimport rego.v1\nverdict := \"allow\" if true", "AB0105");
    gate_refuses(
        "package abide.layers.repository\nimport rego.v1\nfindings contains x if { input.actoin.class == \"MERGE\"; x := 1 }",
        "AB0117",
    );
}

#[test]
fn a_ticket_file_that_is_not_there() {
    let world = World::new(PLAIN);
    for name in ["nofile.md", "tickets/nofile", "./nofile"] {
        let said = world
            .ab(&["run", "--ticket", name])
            .exits(2)
            .says("AB0025")
            .says(&format!("there is no file `{name}`"));
        assert!(!said.err.contains(".md.md"), "{}", said.err);
    }
    world.ab(&["run", "--ticket", "ABC-1"]).exits(2).says("AB0025").says("there is no ticket `ABC-1`");
    world.ab(&["propose", "nowhere"]).exits(2).says("AB0333").says("name a branch or a commit");
    std::fs::remove_dir_all(world.repo().join("policies")).unwrap();
    world.ab(&["policy", "check"]).exits(2).says("AB0160").says("ab init");
}

#[test]
fn a_policy_that_never_ends_is_a_denial() {
    let rego = "package abide.layers.repository\nimport rego.v1\nfindings contains {\"rule\": \"slow\", \"level\": \"warn\", \"msg\": \"x\"} if {\n\tsome a in input.facts.files\n\tcount([1 | some i in numbers.range(1, 3000); some j in numbers.range(1, 3000); some k in numbers.range(1, 3000); i * j * k < 0]) > 0\n\ta.path == \"\"\n}\n";
    let world = World::new(&[
        ("ab.yml", AB_YML),
        ("docs/index.md", "See [it](gone.md).\n"),
        ("docs/deep/gone.md", "Here.\n"),
        ("policies/repository.rego", rego),
    ]);
    let said = world.ab(&["run", "--ticket", TICKET]);
    assert!([3, 6].contains(&said.code), "{said:?}");
    assert!(!world.kinds().contains(&"Merged".to_owned()));
}

#[test]
fn a_dirty_work_tree_stops_the_merge() {
    let world = World::new(PLAIN);
    world.write("docs/index.md", b"edited and not committed\n");
    let before = world.head("main");
    world.ab(&["run", "--ticket", TICKET]).exits(1).says("not clean").says("help");
    assert_eq!(world.head("main"), before);
    assert_eq!(fs::read_to_string(world.repo().join("docs/index.md")).unwrap(), "edited and not committed\n");
}

#[test]
fn repositories_that_cannot_be_used() {
    let empty = World::bare_of_ab(&[]);
    empty.ab(&["init"]).exits(2).says("no commits");
    let world = World::bare_of_ab(&[("a", "a\n")]);
    world.ab(&["init", "--target", "nowhere"]).exits(2).says("nowhere");
    let plain = world.beside("plain");
    fs::create_dir(&plain).unwrap();
    world.ab_at(&plain, &["init"], &[]).exits(2).says("AB0300");
    for (name, arguments, word) in
        [("sha256", "--object-format=sha256", "sha256"), ("reftable", "--ref-format=reftable", "reftable")]
    {
        let other = world.beside(name);
        let made = world.try_git(world.repo(), &["init", "--quiet", arguments, other.to_str().unwrap()]);
        if made.code != 0 {
            println!("skipped: this git makes no {name} repositories");
            continue;
        }
        fs::write(other.join("a"), "a\n").unwrap();
        assert_eq!(world.try_git(&other, &["add", "a"]).code, 0);
        assert_eq!(world.try_git(&other, &["commit", "--quiet", "--message", "a"]).code, 0);
        world.ab_at(&other, &["init"], &[]).exits(2).says(word);
    }
}

#[test]
fn what_is_not_known_is_said() {
    let world = World::new(PLAIN);
    world.ab(&["run", "--ticket", "NO-SUCH-TICKET"]).exits(2).says("AB0025");
    world.ab(&["run", "--ticket", "Make everything better"]).exits(2).says("AB0022");
    world.ab(&["approve", "q99"]).exits(2).says("AB0040");
    world.ab(&["show", "nothing"]).exits(2).says("AB0032");
    world.ab(&["teleport"]).exits(2);
    world.ab(&["explain", "AB9999"]).exits(2).says("AB0001");
    assert_eq!(world.kinds(), ["LogCreated"]);
}

#[test]
fn a_component_that_is_not_one() {
    let world = World::new(PLAIN);
    for (name, bytes, code) in [
        ("text", &b"hello"[..], "AB08"),
        ("module", b"\0asm\x01\0\0\0", "AB08"),
        ("cut", b"\0asm\x0d\0\x01\0\x07", "AB08"),
    ] {
        let file = world.beside(name);
        fs::write(&file, bytes).unwrap();
        let given = format!("codegen={}", file.display());
        world.ab(&["run", "--ticket", TICKET, "--worker", &given]).exits(3).says(code);
    }
    assert!(!world.kinds().contains(&"PatchProposed".to_owned()));
}

#[test]
fn the_log_is_cut_or_gone() {
    let world = World::new(PLAIN);
    world.ab(&["run", "--ticket", TICKET]).exits(0);
    let database = database(&world);
    let whole = fs::read(&database).unwrap();
    fs::write(&database, &whole[..whole.len() / 2]).unwrap();
    let cut = world.ab(&["verify"]);
    assert!([1, 6, 8].contains(&cut.code) && cut.err.contains("AB04") || cut.out.contains("AB04"), "{cut:?}");
    fs::write(&database, &whole).unwrap();
    fs::remove_file(&database).unwrap();
    world.ab(&["run", "--ticket", TICKET]).exits(6).says("AB04");
}

fn database(world: &World) -> PathBuf {
    let folder = fs::read_dir(world.home().join("world/ledger")).unwrap();
    let mut files = folder.flatten().map(|entry| entry.path());
    files.find(|path| path.extension().is_some_and(|extension| extension == "db")).unwrap()
}

#[test]
fn a_worker_that_misbehaves() {
    let guests = ab().ancestors().nth(2).unwrap().join("guests");
    if !guests.join("hostile.wasm").exists() {
        assert!(std::env::var_os("ABIDE_REQUIRE_GUESTS").is_none(), "the components were not built");
        return println!("skipped: no components");
    }
    let world = World::new(&[("ab.yml", AB_YML), ("a.txt", "one\n")]);
    std::os::unix::fs::symlink("/etc", world.repo().join("link")).unwrap();
    let before = world.commit("a link");
    let hostile = format!("codegen={}", guests.join("hostile.wasm").display());
    let ways = [
        ("trap", "AB0812"),
        ("grow", "AB0212"),
        ("recurse", "AB0213"),
        ("no-effect", "AB0730"),
        ("no-files", "AB0730"),
        ("parent", "AB0723"),
        ("absolute", "AB0723"),
        ("git-config", "AB0723"),
        ("rename-in", "AB0723"),
        ("through-link", "AB0726"),
        ("many-files", "AB0822"),
        ("spin", "AB0211"),
    ];
    for (way, code) in ways {
        let ticket = world.beside("ticket.md");
        let text = format!(
            "---\nrecipe: replace-text\nparams: {{path: a.txt, old: one, new: {way}}}\n---\n# Misbehave\n"
        );
        fs::write(&ticket, text).unwrap();
        world.ab(&["run", "--ticket", ticket.to_str().unwrap(), "--worker", &hostile]).exits(3).says(code);
    }
    let foreign = format!("codegen={}", guests.join("hostile-import.wasm").display());
    world.ab(&["run", "--ticket", TICKET, "--worker", &foreign]).exits(3).says("not-grantable");
    assert_eq!(world.head("main"), before);
    assert!(!world.kinds().contains(&"PatchCommitted".to_owned()));
    world.ab(&["verify"]).exits(0);
}

#[test]
fn what_is_too_large_or_has_an_odd_name() {
    let world = World::new(PLAIN);
    let before = world.head("main");
    world.git(&["checkout", "--quiet", "-b", "big"]);
    fs::File::create(world.repo().join("big.bin")).unwrap().set_len(100 << 20).unwrap();
    let name: &std::ffi::OsStr = std::os::unix::ffi::OsStrExt::from_bytes(b"caf\xe9.txt");
    fs::write(world.repo().join(name), "a").unwrap();
    world.commit("100 MiB, and a name in Latin-1");
    world.git(&["checkout", "--quiet", "main"]);
    let said = world.ab(&["propose", "big", "--reason", "see what it says"]).exits(3);
    said.says("cap-file-bytes").says("caf%E9.txt");
    assert_eq!(world.head("main"), before);
}

#[test]
fn state_that_others_may_enter_is_refused() {
    use std::os::unix::fs::PermissionsExt as _;
    let world = World::new(PLAIN);
    fs::set_permissions(world.home().join("world"), fs::Permissions::from_mode(0o755)).unwrap();
    let said = world.ab(&["queue"]);
    assert!(said.code != 0, "{said:?}");
}

#[test]
fn a_second_log_is_never_begun() {
    let world = World::new(&[("README.md", "x\n")]);
    world.ab(&["kill", "--reason", "for this test"]).exits(0);
    world.ab(&["init", "--name", "aaa"]).exits(2).says("AB0003").says("its log goes on there");
    // The kill switch is still pulled.
    world.ab(&["run", "--ticket", "Repair broken links"]).says("kill");
    world.ab(&["init", "--name", "world"]).exits(0);
}
