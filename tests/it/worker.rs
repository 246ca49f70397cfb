//! A component that somebody mailed: looked at, signed, handed in, approved by somebody else, used, and taken back.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use abide_core::event::{Body, Cites, Count, WorkerApproved, WorkerOffered};
use abide_core::id::{Digest, Timestamp};
use abide_ledger::{Draft, Leaf, Ledger, Opening};
use abide_tests::world::{AB_YML, World, ab};
use serde_json::{Value as Json, json};

const FILES: &[(&str, &str)] =
    &[("ab.yml", AB_YML), ("docs/index.md", "See [it](gone.md).\n"), ("docs/deep/gone.md", "Here.\n")];
const TICKET: &str = "Repair broken links in docs/";

/// The smallest component that proposes: the same shape as a worker's, and no code that could run. It can be looked at, signed and handed in.
fn small(imports: &[&str], pages: u8) -> Vec<u8> {
    let section = |id: u8, bytes: Vec<u8>| [vec![id, u8::try_from(bytes.len()).unwrap()], bytes].concat();
    let text = |text: &str| [vec![u8::try_from(text.len()).unwrap()], text.as_bytes().to_vec()].concat();
    // A module with a memory and an empty function `f`.
    let module = [
        b"\0asm\x01\0\0\0".to_vec(),
        section(1, vec![1, 0x60, 0, 0]),
        section(3, vec![1, 0]),
        section(5, vec![1, 0, pages]),
        section(7, [vec![1], text("f"), vec![0, 0]].concat()),
        section(10, vec![1, 2, 0, 0x0b]),
    ]
    .concat();
    let named: Vec<u8> = imports.iter().flat_map(|name| [vec![0], text(name), vec![1, 0]].concat()).collect();
    let imported = [vec![u8::try_from(imports.len()).unwrap()], named].concat();
    let count = u8::try_from(imports.len()).unwrap();
    [
        b"\0asm\x0d\0\x01\0".to_vec(),
        // A function type without parameters or results, and the imports of that type.
        section(7, vec![1, 0x40, 0, 1, 0]),
        section(10, imported),
        section(1, module),
        section(2, vec![1, 0, 0, 0]),
        section(6, [vec![1, 0, 0, 1, 0], text("f")].concat()),
        section(8, vec![1, 0, 0, 0, 0, 0]),
        section(11, [vec![1, 0], text("propose"), vec![1, count, 0]].concat()),
    ]
    .concat()
}

const LOG: &str = "abide:worker/log@0.1.0";
const WORKSPACE: &str = "abide:worker/workspace@0.1.0";

struct House(World);

impl House {
    /// Somebody is trusted to sign workers.
    fn new() -> Self {
        let house = Self(World::new(FILES));
        let line = house.key("worker/wanda");
        house.trust(&[&line]);
        house
    }

    fn key(&self, name: &str) -> String {
        let made = self.0.ab(&["--json", "keys", "init", "--name", name]).exits(0).json();
        made["line"].as_str().unwrap().to_owned()
    }

    fn trust(&self, lines: &[&str]) {
        let lines: String = lines.iter().map(|line| format!("      {line}\n")).collect();
        let text = format!("roles:\n  worker:\n    quorum: 1\n    keys:\n{lines}");
        fs::write(self.0.home().join("signers.yaml"), text).unwrap();
    }

    fn file(&self, name: &str, bytes: &[u8]) -> String {
        let file = self.0.beside(name);
        fs::write(&file, bytes).unwrap();
        file.to_string_lossy().into_owned()
    }

    /// A file that wanda signed.
    fn signed(&self, name: &str, bytes: &[u8]) -> String {
        let file = self.file(name, bytes);
        self.0.ab(&["worker", "sign", &file, "--key", "worker/wanda"]).exits(0);
        file
    }

    fn add(&self, file: &str, more: &[&str]) -> abide_tests::world::Said {
        let args = [&["worker", "add", file, "--reason", "for the test"], more].concat();
        self.0.ab(&args)
    }

    fn list(&self) -> Vec<Json> {
        let listed = self.0.ab(&["--json", "worker", "list"]).exits(0).json();
        listed["workers"].as_array().unwrap().clone()
    }

    /// How each stands, oldest first.
    fn standing(&self) -> Vec<String> {
        self.list().iter().map(|row| row["standing"].as_str().unwrap().to_owned()).collect()
    }

    fn ledger(&self) -> Ledger {
        Ledger::open(&self.0.home().join("world/ledger"), &Opening::STANDARD).unwrap()
    }

    /// Writes what nobody may write through `ab`.
    fn forge(&self, body: &Body) {
        let (kind, data) = body.parts().unwrap();
        let leaf = Leaf::new(None, &kind, Timestamp(1_790_000_000_000), data).unwrap();
        self.ledger().append(vec![Draft { leaf, blobs: vec![] }]).unwrap();
    }
}

pub(crate) fn guest(name: &str) -> Option<PathBuf> {
    let file = ab().ancestors().nth(2).unwrap().join("guests").join(format!("{name}.wasm"));
    if file.exists() {
        return Some(file);
    }
    assert!(std::env::var_os("ABIDE_REQUIRE_GUESTS").is_none(), "the components were not built");
    println!("skipped: no components");
    None
}

/// Does what the shipped worker does, and has other bytes: a custom section more.
fn scraper() -> Option<Vec<u8>> {
    Some([fs::read(guest("codegen")?).unwrap(), b"\0\x05\x04note".to_vec()].concat())
}

#[test]
fn what_is_mailed_is_looked_at_before_anything_else() {
    let house = House::new();
    let world = &house.0;
    let file = house.file("scraper.wasm", &small(&[LOG, "wasi:sockets/tcp@0.2.0"], 1));
    let said = world.ab(&["worker", "inspect", &file]).exits(8);
    for text in [
        "asks for",
        "leave notes in the run",
        "network",
        "never granted",
        "would get   log",
        "would miss",
        "grants.yaml:2",
        "AB0202",
    ] {
        assert!(said.out.contains(text), "{text}: {}", said.out);
    }
    assert!(said.out.trim_end().lines().last().unwrap().starts_with("next: "), "{}", said.out);
    let seen = world.ab(&["--json", "worker", "inspect", &file]).exits(8).json();
    assert_eq!(seen["component"]["digest"], json!(Digest::of(&fs::read(&file).unwrap()).to_string()));
    assert_eq!(seen["objections"][0]["code"], "AB0202");
    // Another contract is named, and this host's.
    let other = house.file("other.wasm", &small(&["abide:worker/log@0.7.0"], 1));
    world
        .ab(&["worker", "inspect", &other])
        .exits(8)
        .says("abide:worker@0.7.0")
        .says("abide:worker@0.1.0")
        .says("AB0843");
    // Outside of any repository, the shipped policy is asked.
    let outside = world.beside("elsewhere");
    fs::create_dir(&outside).unwrap();
    let fine = house.file("fine.wasm", &small(&[LOG], 1));
    world.ab_at(&outside, &["worker", "inspect", &fine], &[]).exits(0).says("shipped policy");
    for (name, bytes, code) in [
        ("text.wat", &b"(component)"[..], "AB0840"),
        ("machine.cwasm", b"\x7fELF\x02\x01\x01", "AB0841"),
        ("core.wasm", b"\0asm\x01\0\0\0", "AB0802"),
        ("script", b"#!/bin/sh\n", "AB0801"),
        ("cut.wasm", b"\0asm\x0d\0\x01\0\x07\xff", "AB0803"),
    ] {
        let file = house.file(name, bytes);
        world.ab(&["worker", "inspect", &file]).exits(8).says(code);
        house.add(&file, &["--unsigned", "--name", "x"]).exits(8).says(code);
    }
    let large = world.beside("large.wasm");
    fs::File::create(&large).unwrap().set_len(1 << 40).unwrap();
    world.ab(&["worker", "inspect", large.to_str().unwrap()]).exits(8).says("AB0803");
    world.ab(&["worker", "inspect", "/dev/zero"]).exits(2).says("AB0832");
    assert_eq!(world.kinds(), ["LogCreated"]);
}

#[test]
fn a_ticket_names_a_worker_with_a_recipe_of_its_own() {
    let Some(guest) = guest("hostile") else { return };
    let house = House::new();
    let world = &house.0;
    world.write("a.txt", b"one\n");
    world.commit("A file");
    let file = house.signed("mine.wasm", &fs::read(guest).unwrap());
    let ticket = house.file("t.md", b"---\nworker: mine\nrecipe: good\n---\nMake one two\n");
    // Before it was handed in, while it waits, and without its name: refused before anything is written down.
    let before = world.kinds().len();
    world.ab(&["run", "--ticket", &ticket]).exits(2).says("AB0849");
    house.add(&file, &[]).exits(4);
    world.ab(&["run", "--ticket", &ticket]).exits(3).says("AB0847");
    let nameless = house.file("n.md", b"---\nrecipe: good\n---\nMake one two\n");
    world.ab(&["run", "--ticket", &nameless]).exits(2).says("AB0022").says("worker: NAME");
    assert_eq!(world.kinds().len(), before + 1, "{:?}", world.kinds());
    let item = house.list()[0]["item"].as_str().unwrap().to_owned();
    world.ab(&["approve", &item, "--as", "olga"]).exits(0).says("`worker: mine` in a ticket");
    world.ab(&["run", "--ticket", &ticket]).exits(4).says("mine @").says("a.txt (+1 −1)");
    // Another process carries it on, with the same bytes.
    world.ab(&["approve", &world.waiting()[0], "--as", "alice"]);
    assert!(world.kinds().contains(&"PatchCommitted".to_owned()), "{:?}", world.kinds());
    world.ab(&["replay"]).exits(0).says("0 differ");
    world.ab(&["worker", "revoke", "mine", "--reason", "r"]).exits(0);
    world.ab(&["run", "--ticket", &ticket]).exits(3).says("AB0848");
}

#[test]
fn from_a_file_to_a_worker_in_use_and_back() {
    let Some(scraper) = scraper() else { return };
    let house = House::new();
    let world = &house.0;
    let file = house.signed("scraper.wasm", &scraper);
    house.add(&file, &[]).exits(4).says("signed      by wanda").says("waits for somebody other than sponsor");
    // It waits; who handed it in is nobody else; and nothing is used before.
    let item = house.list()[0]["item"].as_str().unwrap().to_owned();
    world.ab(&["queue"]).exits(0).says(&item);
    let run = ["run", "--ticket", TICKET, "--worker", "scraper"];
    world.ab(&run).exits(3).says("AB0847");
    world.ab(&["approve", &item]).exits(3).says("AB0851");
    assert_eq!(world.kinds(), ["LogCreated", "WorkerOffered"]);
    world.ab(&["approve", &item, "--as", "olga", "--note", "read it"]).exits(0);
    world.ab(&["approve", &item, "--as", "olga"]).exits(2).says("AB0849");
    assert_eq!(house.standing(), ["in use"]);
    world.ab(&run).exits(0);
    let digest = Digest::of(&fs::read(&file).unwrap()).to_string();
    let proposed = world.log().into_iter().find(|event| event["event"]["type"] == "PatchProposed").unwrap();
    assert_eq!(proposed["event"]["data"]["component"], json!(digest));
    world.ab(&["verify"]).exits(0).says("1 handed in (0 of them unsigned), 1 approved by somebody else");
    // Nobody else may read what is kept.
    let kept = world.home().join("world/workers");
    assert_eq!(fs::metadata(&kept).unwrap().permissions().mode() & 0o777, 0o700);
    let files: Vec<_> = fs::read_dir(&kept).unwrap().flatten().map(|entry| entry.path()).collect();
    assert_eq!((files.len(), fs::metadata(&files[0]).unwrap().permissions().mode() & 0o777), (1, 0o600));
    // One byte of it is changed: it does not run, and the log is refused; the same file puts it back.
    let mut bytes = fs::read(&files[0]).unwrap();
    bytes[100] ^= 1;
    fs::write(&files[0], &bytes).unwrap();
    world.ab(&run).exits(8).says("AB0850");
    world.ab(&["verify"]).exits(8).says("AB0853");
    house.add(&file, &[]).exits(0).says("handed in already");
    world.ab(&["verify"]).exits(0);
    world.ab(&["worker", "revoke", "scraper", "--reason", "it phones home"]).exits(0);
    world.ab(&run).exits(3).says("AB0848").says("it phones home");
    world.ab(&["run", "--ticket", TICKET, "--worker", &format!("codegen={file}")]).exits(3).says("AB0848");
    world.ab(&["worker", "revoke", "scraper", "--reason", "again"]).exits(2).says("AB0849");
    assert_eq!(house.standing(), ["revoked"]);
    world.ab(&["verify"]).exits(0);
}

#[test]
fn whoever_carries_a_run_on_takes_the_worker_that_began_it() {
    let Some(scraper) = scraper() else { return };
    let house = House(World::new(&[
        ("ab.yml", "autonomy_profile: prod-conservative\nautonomy_max: A1\nchecks: []\n"),
        ("README.md", "one\n"),
    ]));
    let world = &house.0;
    let file = house.file("scraper.wasm", &scraper);
    house.add(&file, &["--unsigned"]).exits(4);
    world.ab(&["approve", "w1", "--as", "olga"]).exits(0);
    let ticket = world.edit("README.md", Some("one"), "two");
    world.ab(&["run", "--ticket", &ticket, "--worker", "scraper"]).exits(4).says("handed in unsigned");
    // The target moves, so that the change is made anew by the process that approves.
    world.write("NEW.md", b"new\n");
    world.commit("Say new");
    world.ab(&["approve", &world.waiting()[0], "--as", "alice"]).exits(4).says("u1 starts again");
    let proposed: Vec<String> = world
        .log()
        .iter()
        .filter(|event| event["event"]["type"] == "PatchProposed")
        .map(|event| event["event"]["data"]["component"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(proposed, [Digest::of(&scraper).to_string(), Digest::of(&scraper).to_string()]);
    // Revoked meanwhile, it makes nothing more.
    world.ab(&["worker", "revoke", &Digest::of(&scraper).to_string(), "--reason", "stolen key"]).exits(0);
    world.write("NEWER.md", b"newer\n");
    world.commit("Say newer");
    world.ab(&["approve", &world.waiting()[0], "--as", "alice"]).exits(3).says("AB0848");
    world.ab(&["verify"]).exits(0);
}

#[test]
fn nobody_stands_for_it() {
    let house = House::new();
    let world = &house.0;
    let bytes = small(&[LOG], 1);
    let file = house.file("tool.wasm", &bytes);
    house.add(&file, &[]).exits(8).says("AB0844");
    // A key that nobody trusts, and one for policies.
    house.key("worker/mallory");
    world.ab(&["worker", "sign", &file, "--key", "worker/mallory"]).exits(0);
    house.add(&file, &[]).exits(8).says("AB0844").says("not trusted");
    house.key("rules/alice");
    world.ab(&["worker", "sign", &file, "--key", "rules/alice"]).exits(2).says("AB0844");
    // Wanda's signature, on other bytes; with a byte of it changed; and something else altogether.
    let signed = house.signed("signed.wasm", &small(&[LOG], 2));
    let envelope = format!("{signed}.dsse");
    house.add(&file, &["--signature", &envelope]).exits(8).says("AB0845").says("another file");
    let text = fs::read_to_string(&envelope).unwrap();
    let at = text.find("\"sig\":\"").unwrap() + 10;
    let mut broken = text.clone().into_bytes();
    broken[at] = if broken[at] == b'A' { b'B' } else { b'A' };
    fs::write(&envelope, &broken).unwrap();
    house.add(&signed, &[]).exits(8).says("AB0845");
    fs::write(&envelope, "{}").unwrap();
    house.add(&signed, &[]).exits(8).says("AB0845");
    // A key for workers signs no policy.
    let bundle = world.beside("p.tar.gz");
    world.ab(&["policy", "bundle", "--built-in", "-o", bundle.to_str().unwrap(), "--version", "1"]).exits(0);
    world.ab(&["policy", "sign", bundle.to_str().unwrap(), "--key", "worker/wanda"]).exits(8).says("AB0250");
    assert_eq!(world.kinds(), ["LogCreated"]);
    // What is taken as it is stays marked.
    house.add(&file, &["--unsigned"]).exits(4).says("by nobody");
    world.ab(&["worker", "list"]).exits(0).says("UNSIGNED");
    assert_eq!(house.list()[0]["unsigned"], json!(true));
    world.ab(&["verify"]).exits(0).says("1 of them unsigned");
    house.add(&file, &["--unsigned", "--name", "Ünsafe/.."]).exits(2).says("AB0852");
}

#[test]
fn an_upgrade_says_what_is_different_and_waits_again() {
    let house = House::new();
    let world = &house.0;
    let one = house.signed("one.wasm", &small(&[LOG], 1));
    house.add(&one, &["--name", "tool"]).exits(4);
    world.ab(&["approve", "w1", "--as", "olga"]).exits(0);
    let two = house.signed("two.wasm", &small(&[LOG, WORKSPACE], 9));
    house
        .add(&two, &["--name", "tool"])
        .exits(4)
        .says("+ asks for more: abide:worker/workspace@0.1.0")
        .says("more memory at the start");
    // The old one stays in use until somebody agrees.
    assert_eq!(house.standing(), ["in use", "waits"]);
    world.ab(&["deny", "w3", "--reason", "why the workspace?"]).exits(0);
    assert_eq!(house.standing(), ["in use", "revoked"]);
    let three = house.signed("three.wasm", &small(&[], 1));
    house
        .add(&three, &["--name", "tool"])
        .exits(4)
        .says("asks no more for abide:worker/log@0.1.0")
        .says("needs approval all the same");
    world.ab(&["approve", "w5", "--as", "olga"]).exits(0);
    assert_eq!(house.standing(), ["replaced", "revoked", "in use"]);
    world.ab(&["verify"]).exits(0);
}

#[test]
fn forged_records_are_refused() {
    let offer = |signed: bool| {
        let digest = Digest::of(b"component");
        Body::WorkerOffered(Box::new(WorkerOffered {
            name: "tool".to_owned(),
            component: digest.clone(),
            bytes: Count(9),
            imports: vec![],
            memory_bytes: Count(0),
            replaces: None,
            signed: if signed {
                serde_json::from_value(json!([{"role": "worker", "person": "wanda", "key": "00"}])).unwrap()
            } else {
                vec![]
            },
            signatures: None,
            signers: None,
            by: "mallory".to_owned(),
            reason: "r".to_owned(),
        }))
    };
    let approved = |offer: u64, by: &str| {
        Body::WorkerApproved(Box::new(WorkerApproved {
            offer: Cites(offer),
            name: "tool".to_owned(),
            component: Digest::of(b"component"),
            by: by.to_owned(),
            role: "reviewer".to_owned(),
            note: None,
        }))
    };
    for (what, events, told) in [
        ("signed by nobody", vec![offer(true)], "does not cite"),
        ("its own approval", vec![offer(false), approved(1, "mallory")], "of the one who handed it in"),
        ("of nothing", vec![approved(7, "olga")], "no offer at place 7"),
        ("bytes that are not there", vec![offer(false), approved(1, "olga")], "cannot be used"),
    ] {
        let house = House(World::new(FILES));
        events.iter().for_each(|event| house.forge(event));
        house.0.ab(&["verify"]).exits(8).says("AB0853").says(told);
        let ran = house.0.ab(&["run", "--ticket", TICKET, "--worker", "tool"]);
        assert!([2, 3, 8].contains(&ran.code), "{what}: {ran:?}");
        assert!(!house.0.kinds().contains(&"RunStarted".to_owned()), "{what}");
    }
}

#[test]
fn a_record_that_tells_of_other_signatures_is_refused() {
    for (what, field, told) in
        [("of another person", "person", "does not follow"), ("of other bytes", "component", "another file")]
    {
        let house = House::new();
        let file = house.signed("tool.wasm", &small(&[LOG], 1));
        house.add(&file, &[]).exits(4);
        house.0.ab(&["verify"]).exits(0).says("1 handed in (0 of them unsigned)");
        let mut body = house.0.log().pop().unwrap()["event"].take();
        match field {
            "person" => body["data"]["signed"][0]["person"] = json!("olga"),
            _ => body["data"]["component"] = json!(Digest::of(b"other").to_string()),
        }
        let forged = json!({"type": body["type"], "data": body["data"]});
        house.forge(&serde_json::from_value(forged).unwrap());
        house.0.ab(&["verify"]).exits(8).says("AB0853").says(told);
        assert_eq!(house.0.kinds().len(), 3, "{what}");
    }
}

/// A layout with `bytes` as its only layer.
fn layout(folder: &Path, bytes: &[u8], media_type: &str) -> PathBuf {
    let blobs = folder.join("blobs/sha256");
    fs::create_dir_all(&blobs).unwrap();
    let put = |bytes: &[u8]| {
        let digest = Digest::of(bytes);
        fs::write(blobs.join(digest.hex()), bytes).unwrap();
        json!({"digest": digest.to_string(), "size": bytes.len()})
    };
    let mut layer = put(bytes);
    layer["mediaType"] = json!(media_type);
    let manifest = json!({"schemaVersion": 2, "layers": [layer]});
    let mut named = put(manifest.to_string().as_bytes());
    named["mediaType"] = json!("application/vnd.oci.image.manifest.v1+json");
    fs::write(folder.join("index.json"), json!({"schemaVersion": 2, "manifests": [named]}).to_string())
        .unwrap();
    fs::write(folder.join("oci-layout"), r#"{"imageLayoutVersion": "1.0.0"}"#).unwrap();
    blobs.join(Digest::of(bytes).hex())
}

#[test]
fn an_image_layout_is_followed_by_digests_alone() {
    let house = House::new();
    let world = &house.0;
    let bytes = small(&[LOG], 1);
    let look = |folder: &Path| world.ab(&["worker", "inspect", folder.to_str().unwrap()]);
    let fresh = |name: &str, media_type: &str| {
        let folder = world.beside(name);
        let blob = layout(&folder, &bytes, media_type);
        (folder, blob)
    };
    for media_type in ["application/wasm", "application/vnd.wasm.content.layer.v1+wasm"] {
        let (folder, _) = fresh(if media_type.len() < 20 { "new" } else { "old" }, media_type);
        look(&folder).exits(0).says(Digest::of(&bytes).hex());
    }
    let (folder, _) = fresh("handed-in", "application/wasm");
    house.add(folder.to_str().unwrap(), &["--unsigned"]).exits(4).says("handed-in");
    let (folder, _) = fresh("other-type", "application/vnd.oci.image.layer.v1.tar");
    look(&folder).exits(8).says("AB0846").says("0 layers");
    let (folder, blob) = fresh("changed", "application/wasm");
    let mut other = bytes.clone();
    *other.last_mut().unwrap() ^= 1;
    fs::write(blob, other).unwrap();
    look(&folder).exits(8).says("AB0846").says("others than it names");
    let (folder, blob) = fresh("linked", "application/wasm");
    fs::rename(&blob, world.beside("outside.wasm")).unwrap();
    std::os::unix::fs::symlink(world.beside("outside.wasm"), &blob).unwrap();
    look(&folder).exits(8).says("AB0846").says("is a link");
    let (folder, _) = fresh("linked-folder", "application/wasm");
    fs::rename(folder.join("blobs"), world.beside("blobs")).unwrap();
    std::os::unix::fs::symlink(world.beside("blobs"), folder.join("blobs")).unwrap();
    look(&folder).exits(8).says("AB0846").says("is a link");
    for (name, find, put) in [
        ("dots", "sha256:", "sha256:../../"),
        ("two", "\"manifests\":[", "\"manifests\":[null,"),
        ("twice", "{\"manifests\"", "{\"manifests\":[],\"manifests\""),
    ] {
        let (folder, _) = fresh(name, "application/wasm");
        let index = folder.join("index.json");
        let text = fs::read_to_string(&index).unwrap();
        assert!(text.contains(find), "{text}");
        fs::write(&index, text.replace(find, put)).unwrap();
        look(&folder).exits(8).says("AB0846");
    }
    look(world.repo()).exits(8).says("AB0846");
}
