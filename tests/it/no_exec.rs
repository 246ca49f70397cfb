//! No-exec mode as the product shows it: the same run interpreted, by the command line and by policy, on a host that forbids executable pages.

use abide_ledger::{Ledger, Opening};
use abide_sandbox::{Execution, RunOutcome, Transcript};
use abide_tests::world::{AB_YML, World, ab};
use serde_json::Value as Json;

use crate::bundles::house::House;

const FILES: &[(&str, &str)] =
    &[("ab.yml", AB_YML), ("docs/index.md", "See [it](gone.md).\n"), ("docs/deep/gone.md", "Here.\n")];
const TICKET: &str = "Repair broken links in docs/";

/// What was recorded of each task, oldest first.
fn outcomes(world: &World) -> Vec<RunOutcome> {
    let ledger = Ledger::open(&world.home().join("world/ledger"), &Opening::STANDARD).unwrap();
    let records = ledger.store().records_of_kinds(&["TaskRan"]).unwrap();
    let transcripts = records.iter().map(|record| {
        let digest: String = record.leaf.data()["transcript"].as_str().unwrap().to_owned();
        let blob = ledger.store().blob(&digest.parse().unwrap()).unwrap().unwrap();
        Transcript::unpack(blob.bytes()).unwrap()
    });
    transcripts.map(|transcript| transcript.outcome).collect()
}

#[test]
fn a_run_is_the_same_either_way_and_its_receipt_says_which() {
    let (native, interpreted) = (World::new(FILES), World::new(FILES));
    native.ab(&["run", "--ticket", TICKET]).exits(0).says("1 merged");
    interpreted.ab(&["--no-exec", "run", "--ticket", TICKET]).exits(0).says("1 merged");
    let ([one], [other]) = (&outcomes(&native)[..], &outcomes(&interpreted)[..]) else {
        panic!("one task each")
    };
    assert_eq!((one.execution, other.execution), (Execution::Native, Execution::Interpreted));
    assert_eq!((&one.result, &one.receipt, &one.log), (&other.result, &other.receipt, &other.log));
    let tree = |world: &World| world.git(&["rev-parse", "main^{tree}"]);
    assert_eq!(tree(&native), tree(&interpreted));
    // Each way once more the other way.
    native.ab(&["--no-exec", "replay"]).exits(0).says("6 the same, 0 differ");
    interpreted.ab(&["replay"]).exits(0).says("6 the same, 0 differ");
    interpreted.ab(&["verify"]).exits(0);
}

#[test]
fn doctor_tries_the_wall_and_measures_what_it_costs() {
    let world = World::new(FILES);
    let told = world.ab(&["--json", "--no-exec", "doctor"]).exits(0).json();
    let wall = |told: &Json| {
        let walls = told["runner"]["walls"].as_array().unwrap().clone();
        walls.into_iter().find(|wall| wall["name"] == "no-exec").unwrap()["stands"].clone()
    };
    let attempts = told["runner"]["attempts"].as_array().unwrap();
    assert!(attempts.len() == 13 && attempts.iter().all(|attempt| attempt["refused"].is_string()), "{told}");
    assert_eq!((wall(&told), &told["execution"]["mode"]), (true.into(), &"no-exec".into()));
    let cost = &told["execution"]["cost"];
    assert!(cost["ratio"].as_f64().unwrap() > 1.0 && cost["runs"] == 5, "{told}");
    let native = world.ab(&["--json", "doctor"]).exits(0).json();
    assert_eq!((wall(&native), &native["execution"]["cost"]), (false.into(), &Json::Null));
    world.ab(&["doctor"]).exits(0).says("Landlock").says("no-exec: workers run as machine code");
}

#[test]
fn policy_says_how_workers_run() {
    let house = House::new();
    let host = abide_tests::gate::shipped_files().remove("data/host.yaml").unwrap();
    let host = String::from_utf8(host).unwrap();
    let put = |version, from: &str, to: &str| {
        let bundle = house.bundle(version, &[("data/host.yaml", &host.replacen(from, to, 1))]);
        house.sign(&bundle, &["rules/alice", "hard/bob", "hard/carol"]);
        house.activate(&bundle).exits(0);
    };
    put(1, "execution: native", "execution: no-exec");
    house.world.ab(&["run", "--ticket", TICKET]).exits(0).says("1 merged");
    assert_eq!(outcomes(&house.world)[0].execution, Execution::Interpreted);
    // Nobody runs machine code where policy wants the wall, and the flag is enough.
    put(2, "require_walls: []", "require_walls: [no-exec]");
    house.world.edit("docs/index.md", None, "x\n");
    house.world.write("docs/index.md", b"See [it](away.md).\n");
    house.world.write("docs/deep/away.md", b"Here.\n");
    house.world.commit("Break a link");
    house.world.ab(&["run", "--ticket", TICKET]).says("AB0216");
    house.world.ab(&["--no-exec", "run", "--ticket", TICKET]).exits(0).says("1 merged");
}

/// A host that makes no page executable for anybody, as under systemd's `MemoryDenyWriteExecute=`.
const FORBIDS: &str = "import ctypes, os, sys\nif ctypes.CDLL(None).prctl(65, 1, 0, 0, 0) != 0: sys.exit(77)\nos.execv(sys.argv[1], sys.argv[1:])\n";

#[test]
fn a_host_that_forbids_executable_pages() {
    let world = World::new(FILES);
    let forbidden = |args: &[&str]| {
        let mut command = world.command("python3".as_ref());
        command.args(["-c", FORBIDS]).arg(ab()).args(args).current_dir(world.repo()).output()
    };
    let Ok(said) = forbidden(&["run", "--ticket", TICKET]) else { return println!("skipped: no python3") };
    if said.status.code() == Some(77) {
        return println!("skipped: this kernel has no MDWE");
    }
    let text = String::from_utf8_lossy(&said.stdout).into_owned() + &String::from_utf8_lossy(&said.stderr);
    assert!(text.contains("AB0881"), "{text}");
    let said = forbidden(&["doctor"]).unwrap();
    assert!(String::from_utf8_lossy(&said.stdout).contains("AB0881"), "{said:?}");
    let said = forbidden(&["--no-exec", "run", "--ticket", TICKET]).unwrap();
    assert!(said.status.success() && String::from_utf8_lossy(&said.stdout).contains("1 merged"), "{said:?}");
}
