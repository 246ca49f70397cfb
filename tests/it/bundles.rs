//! Policy bundles through the binary: made, signed, put in force, used, replaced; and everything that must be refused.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use abide_core::id::Digest;
use abide_tests::gate::shipped_files;
use abide_tests::world::{AB_YML, Said, World};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::Value as Json;

const FILES: &[(&str, &str)] =
    &[("ab.yml", AB_YML), ("docs/index.md", "See [it](gone.md).\n"), ("docs/deep/gone.md", "Here.\n")];
const TICKET: &str = "Repair broken links in docs/";

/// A world with people who sign.
struct House {
    world: World,
}

impl House {
    /// Alice signs rules; bob, carol and dave sign hard rules.
    fn new() -> Self {
        let house = Self { world: World::new(FILES) };
        let names = ["rules/alice", "hard/bob", "hard/carol", "hard/dave"];
        let lines: Vec<String> = names.map(|name| house.key(name)).into();
        house.trust(&lines[..1], &lines[1..]);
        house
    }

    /// Makes a key; gives the line that makes it trusted.
    fn key(&self, name: &str) -> String {
        let made = self.world.ab(&["--json", "keys", "init", "--name", name]).exits(0).json();
        made["line"].as_str().unwrap().to_owned()
    }

    /// Says who is trusted.
    fn trust(&self, rules: &[String], hard: &[String]) {
        let list = |lines: &[String]| lines.iter().map(|line| format!("      {line}\n")).collect::<String>();
        let text = format!(
            "roles:\n  rules:\n    quorum: 1\n    keys:\n{}  hard:\n    quorum: 2\n    keys:\n{}",
            list(rules),
            list(hard)
        );
        fs::write(self.world.home().join("signers.yaml"), text).unwrap();
    }

    /// A bundle of the shipped policy with `edits` over it.
    fn bundle(&self, version: u64, edits: &[(&str, &str)]) -> PathBuf {
        let folder = self.world.beside(&format!("rules-{version}"));
        for (path, bytes) in shipped_files() {
            put(&folder, &path, &bytes);
        }
        for (path, text) in edits {
            put(&folder, path, text.as_bytes());
        }
        let out = self.world.beside(&format!("policy-{version}.tar.gz"));
        let (dir, version) = (folder.to_string_lossy().into_owned(), version.to_string());
        let args = ["policy", "bundle", "--dir", &dir, "-o", text(&out), "--version", &version];
        self.world.ab(&args).exits(0);
        out
    }

    fn sign(&self, bundle: &Path, keys: &[&str]) {
        for key in keys {
            self.world.ab(&["policy", "sign", text(bundle), "--key", key]).exits(0);
        }
    }

    fn verify(&self, bundle: &Path) -> Said {
        self.world.ab(&["policy", "verify", text(bundle)])
    }

    fn activate(&self, bundle: &Path) -> Said {
        self.world.ab(&["policy", "activate", text(bundle), "--reason", "for the test"])
    }

    /// Refused by `verify` and by `activate`, with this code, and nothing is recorded.
    #[track_caller]
    fn refuses(&self, bundle: &Path, code: &str) {
        self.verify(bundle).exits(8).says(code);
        self.activate(bundle).exits(8).says(code);
        assert!(!self.world.kinds().contains(&"PolicyActivated".to_owned()));
    }
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn put(folder: &Path, path: &str, bytes: &[u8]) {
    let file = folder.join(path);
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::write(file, bytes).unwrap();
}

/// The shipped file at `path`, with `old` replaced.
fn edited(path: &str, old: &str, new: &str) -> String {
    let text = String::from_utf8(shipped_files()[path].clone()).unwrap();
    assert!(text.contains(old), "{path} has no `{old}`");
    text.replace(old, new)
}

const EXTRA: (&str, &str) = ("data/extra.yaml", "words: [one]\n");

#[test]
fn from_a_folder_to_a_decision_and_back_to_what_is_built_in() {
    let house = House::new();
    let world = &house.world;
    world.ab(&["keys", "list"]).exits(0).says("alice").says("2 different people").says("key here");
    // A layer may use data that only the bundle has.
    let layer = "# METADATA\n# title: Ours\n# description: Ours.\npackage abide.layers.ours\nfindings contains {\"rule\": \"ours\", \"level\": \"warn\", \"msg\": \"ours\"} if \"one\" in data.extra.words\n";
    world.write("policies/ours.rego", layer.as_bytes());
    world.ab(&["policy", "check"]).exits(1).says("AB0118");
    let first = house.bundle(1, &[EXTRA]);
    house.sign(&first, &["rules/alice"]);
    house.verify(&first).exits(0).says("accepted").says("+ data/extra.json");
    house.activate(&first).exits(0).says("in force since log place 1").says("alice (rules)");
    world.ab(&["policy", "check"]).exits(0);
    world.commit("Our rule");
    let doctor = world.ab(&["--json", "doctor"]).exits(0).json();
    assert_eq!((&doctor["policy_version"], &doctor["policy_degraded"]), (&Json::from(1), &Json::Null));
    world.ab(&["run", "--ticket", TICKET]).exits(0).says("1 merged");
    let event = &world.log()[1]["event"];
    let data = &event["data"];
    assert_eq!((&event["type"], &data["version"]), (&Json::from("PolicyActivated"), &Json::from("1")));
    assert_eq!((&data["by"], &data["reason"]), (&Json::from("sponsor"), &Json::from("for the test")));
    assert_eq!(
        (&data["signed"][0]["person"], &data["hard_changed"]),
        (&Json::from("alice"), &Json::from(false))
    );
    // Every decision is recomputed from the bytes that lie beside the log.
    world.ab(&["verify"]).exits(0).says("accepted");
    // The way back is forward: the built-in policy under a newer version.
    let (back, world) = (world.beside("back.tar.gz"), &house.world);
    world.ab(&["policy", "bundle", "--built-in", "-o", text(&back), "--version", "2"]).exits(0);
    house.sign(&back, &["rules/alice"]);
    house.activate(&back).exits(8 - 2).says("AB0118").says("does not load");
    fs::remove_file(world.repo().join("policies/ours.rego")).unwrap();
    world.commit("No rule of ours");
    house.activate(&back).exits(0).says("version 2");
    house.activate(&back).exits(0).says("in force already");
    house.activate(&first).exits(8).says("AB0259");
    assert_eq!(world.kinds().iter().filter(|kind| *kind == "PolicyActivated").count(), 2);
    world.ab(&["run", "--ticket", "Repair links in docs/"]).exits(0);
    world.ab(&["verify"]).exits(0).says("accepted");
}

#[test]
fn the_same_folder_makes_the_same_file_and_the_same_policy() {
    let house = House::new();
    let (one, two) = (house.bundle(1, &[]), house.world.beside("again.tar.gz"));
    house.world.ab(&["policy", "bundle", "--built-in", "-o", text(&two), "--version", "1"]).exits(0);
    assert_eq!(fs::read(&one).unwrap(), fs::read(&two).unwrap());
    let said = house.world.ab(&["--json", "policy", "verify", text(&one)]).exits(8).json();
    let doctor = house.world.ab(&["--json", "doctor"]).exits(0).json();
    assert_eq!(said["changes"], Json::Array(vec![]));
    assert_eq!(said["hard_changed"], Json::from(false));
    assert_ne!(said["bundle"], doctor["bundle"], "the repository adds its own rules");
    // A repository's own rules are no bundle.
    house.world.ab(&["policy", "bundle", "-o", text(&two), "--version", "1"]).exits(2).says("AB0247");
    house.world.ab(&["policy", "bundle", "--built-in", "-o", text(&two), "--version", "0"]).exits(2);
}

#[test]
fn hard_rules_change_by_two_people_only() {
    let house = House::new();
    let weaker = edited("data/hard.yaml", "  - secrets\n", "");
    let bundle = house.bundle(1, &[("data/hard.yaml", &weaker)]);
    house.refuses(&bundle, "AB0251");
    house.sign(&bundle, &["rules/alice"]);
    house.verify(&bundle).exits(8).says("data/hard.json  (hard)").says("0 of 2");
    house.sign(&bundle, &["hard/bob"]);
    house.refuses(&bundle, "AB0251");
    // A second key of the same person is the same person.
    let lines = ["hard/bob-phone", "hard/eve"].map(|name| house.key(name));
    let own = house.key("rules/other");
    let bob = fs::read_to_string(house.world.home().join("signers.yaml")).unwrap();
    let listed = |person: &str| bob.lines().find(|line| line.contains(person)).unwrap().trim().to_owned();
    let phone = lines[0].replace("bob-phone", "bob");
    house.trust(&[listed("alice"), own], &[listed("bob"), phone, listed("carol")]);
    house.sign(&bundle, &["hard/bob-phone"]);
    house.refuses(&bundle, "AB0256");
    // Nor does somebody count who is trusted for rules alone, or not at all.
    house.world.ab(&["policy", "sign", text(&bundle), "--key", "rules/other", "--as-role", "hard"]).exits(0);
    house.sign(&bundle, &["hard/eve"]);
    house.verify(&bundle).exits(8).says("AB0253").says("AB0254").says("1 of 2");
    house.sign(&bundle, &["hard/carol"]);
    house.activate(&bundle).exits(0).says("bob (hard), carol (hard)");
    assert_eq!(house.world.log()[1]["event"]["data"]["hard_changed"], Json::from(true));
}

#[test]
fn signatures_that_do_not_count() {
    let house = House::new();
    let bundle = house.bundle(1, &[EXTRA]);
    let beside = house.world.beside("policy-1.tar.gz.sigs.json");
    house.refuses(&bundle, "AB0251");
    // Wrong role, unknown key, key that is over.
    house.world.ab(&["policy", "sign", text(&bundle), "--key", "hard/bob", "--as-role", "rules"]).exits(0);
    house.refuses(&bundle, "AB0253");
    fs::remove_file(&beside).unwrap();
    house.key("rules/stranger");
    house.sign(&bundle, &["rules/stranger"]);
    house.refuses(&bundle, "AB0254");
    fs::remove_file(&beside).unwrap();
    house.sign(&bundle, &["rules/alice"]);
    let signers = house.world.home().join("signers.yaml");
    let good = fs::read_to_string(&signers).unwrap();
    let alice = good.lines().find(|line| line.contains("alice")).unwrap();
    let (before, _) = alice.split_once("not_after").unwrap();
    fs::write(&signers, good.replace(alice, &format!("{before}not_after: 2020-01-01}}"))).unwrap();
    house.refuses(&bundle, "AB0255");
    house.world.ab(&["keys", "list"]).exits(0).says("ended 2020-01-01");
    fs::write(&signers, good.replace("quorum: 2", "quorum: 1")).unwrap();
    house.refuses(&bundle, "AB0258");
    fs::write(&signers, &good).unwrap();
    let mode = |path: &std::path::Path, mode| {
        fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(mode)).unwrap();
    };
    mode(&signers, 0o666);
    house.refuses(&bundle, "AB0258");
    mode(&signers, 0o644);
    // Whoever may write into the folder may put another list in its place.
    let home = house.world.home();
    mode(&home, 0o775);
    house.refuses(&bundle, "AB0258");
    mode(&home, 0o700);
    fs::rename(&signers, home.join("elsewhere.yaml")).unwrap();
    std::os::unix::fs::symlink(home.join("elsewhere.yaml"), &signers).unwrap();
    house.refuses(&bundle, "AB0258");
    fs::remove_file(&signers).unwrap();
    house.refuses(&bundle, "AB0257");
    fs::write(&signers, &good).unwrap();
    // Stripped, torn, and of another bundle.
    let signed = fs::read_to_string(&beside).unwrap();
    let mut value: Json = serde_json::from_str(&signed).unwrap();
    value["envelopes"]["rules"]["signatures"] = Json::Array(vec![]);
    fs::write(&beside, value.to_string()).unwrap();
    house.refuses(&bundle, "AB0251");
    fs::write(&beside, &signed[..signed.len() / 2]).unwrap();
    house.refuses(&bundle, "AB0250");
    fs::write(&beside, &signed).unwrap();
    let other = house.bundle(2, &[EXTRA]);
    fs::write(house.world.beside("policy-2.tar.gz.sigs.json"), &signed).unwrap();
    house.refuses(&other, "AB0250");
    house.activate(&bundle).exits(0);
}

/// A gzipped tar archive of what `fill` appends.
fn packed(fill: impl FnOnce(&mut tar::Builder<Vec<u8>>)) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    fill(&mut builder);
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(&builder.into_inner().unwrap()).unwrap();
    encoder.finish().unwrap()
}

/// The files of a bundle.
fn unpacked(bundle: &Path) -> Vec<(String, Vec<u8>)> {
    let bytes = fs::read(bundle).unwrap();
    let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(bytes.as_slice()));
    let read = |entry: std::io::Result<tar::Entry<'_, _>>| {
        let mut entry = entry.unwrap();
        let mut bytes = Vec::new();
        std::io::Read::read_to_end(&mut entry, &mut bytes).unwrap();
        (entry.path().unwrap().to_string_lossy().into_owned(), bytes)
    };
    archive.entries().unwrap().map(read).collect()
}

fn append(builder: &mut tar::Builder<Vec<u8>>, name: &str, kind: tar::EntryType, bytes: &[u8]) {
    let mut header = tar::Header::new_ustar();
    header.as_mut_bytes()[..name.len()].copy_from_slice(name.as_bytes());
    header.set_entry_type(kind);
    header.set_size(bytes.len() as u64);
    header.set_mode(0o644);
    header.set_cksum();
    builder.append(&header, bytes).unwrap();
}

#[test]
fn hostile_archives() {
    let house = House::new();
    let good = unpacked(&house.bundle(1, &[]));
    let (plain, link) = (tar::EntryType::Regular, tar::EntryType::Symlink);
    let with = |name: &str, kind: tar::EntryType, bytes: &[u8]| {
        packed(|builder| {
            for (path, bytes) in &good {
                append(builder, path, plain, bytes);
            }
            append(builder, name, kind, bytes);
        })
    };
    let brackets = format!("package abide.deep\nx := {}", "[".repeat(100_000));
    let manifest = |edit: &dyn Fn(&mut Json)| {
        packed(|builder| {
            for (path, bytes) in &good {
                let mut bytes = bytes.clone();
                if path == ".manifest" {
                    let mut value: Json = serde_json::from_slice(&bytes).unwrap();
                    edit(&mut value);
                    bytes = value.to_string().into_bytes();
                }
                append(builder, path, plain, &bytes);
            }
        })
    };
    let mut bomb = GzEncoder::new(Vec::new(), Compression::best());
    for _ in 0..64 {
        bomb.write_all(&vec![0; 1 << 20]).unwrap();
    }
    let cases = [
        ("AB0240", b"not gzip".to_vec()),
        ("AB0241", bomb.finish().unwrap()),
        ("AB0242", with("../../etc/passwd.rego", plain, b"x")),
        ("AB0242", with("/../x.rego", plain, b"x")),
        ("AB0243", with("x.rego", link, b"")),
        ("AB0243", with("x.rego", tar::EntryType::Link, b"")),
        ("AB0243", with("x.rego", tar::EntryType::Block, b"")),
        ("AB0244", with("main.rego", plain, b"package abide\n")),
        ("AB0244", with("./main.rego", plain, b"package abide\n")),
        ("AB0245", manifest(&|value| value["metadata"] = Json::Null)),
        (
            "AB0245",
            manifest(&|value| value["metadata"]["abide"]["bundle"] = format!("sha256:{:064}", 0).into()),
        ),
        ("AB0246", manifest(&|value| value["roots"] = serde_json::json!(["abide"]))),
        ("AB0246", with("x.rego", plain, b"package elsewhere\nx := 1\n")),
        ("AB0247", with("caps/data.yaml", plain, b"files_max: 1\n")),
        ("AB0247", with("layers/x.rego", plain, b"package abide.layers.x\nfindings := {}\n")),
        ("AB0248", with(".signatures.json", plain, b"{\"signatures\": []}")),
        ("AB0101", with("deep.rego", plain, brackets.as_bytes())),
        ("AB0102", with("torn.rego", plain, b"package abide.torn\nx if {\n")),
        ("AB0105", with("caps/more/data.json", plain, b"{\"a\": 1, \"a\": 2}")),
    ];
    for (code, bytes) in cases {
        let file = house.world.beside("hostile.tar.gz");
        fs::write(&file, bytes).unwrap();
        house.verify(&file).exits(8).says(code).says("help");
        house.activate(&file).exits(8).says(code);
        house.world.ab(&["policy", "sign", text(&file), "--key", "rules/alice"]).exits(8).says(code);
    }
    assert_eq!(house.world.kinds(), ["LogCreated"]);
    // A folder with YAML that says two things, or far too much, never becomes a bundle.
    let level = |n: usize| format!("l{n}: &l{n} [{}]\n", vec![format!("*l{}", n - 1); 9].join(", "));
    let aliases = format!("l0: &l0 [lol]\n{}", (1..10).map(level).collect::<String>());
    for text_of in ["files_max: 1\nfiles_max: 2\n", &aliases] {
        let folder = house.world.beside("rules-1");
        put(&folder, "data/caps.yaml", text_of.as_bytes());
        let out = house.world.beside("x.tar.gz");
        house
            .world
            .ab(&["policy", "bundle", "--dir", text(&folder), "-o", text(&out), "--version", "1"])
            .exits(6 + 2)
            .says("AB0105");
        assert!(!out.exists());
    }
}

/// `.signatures.json` as `opa sign` makes it: data by its contents, everything else by its bytes.
fn opa_signatures(files: &[(String, Vec<u8>)]) -> String {
    let one = |(name, bytes): &(String, Vec<u8>)| {
        let hashed = if name.ends_with("data.json") || name == ".manifest" {
            serde_json::from_slice::<Json>(bytes).unwrap().to_string().into_bytes()
        } else {
            bytes.clone()
        };
        serde_json::json!({ "name": name, "hash": Digest::of(&hashed).hex(), "algorithm": "SHA-256" })
    };
    let payload = serde_json::json!({ "files": files.iter().map(one).collect::<Vec<_>>() }).to_string();
    let coded = |text: &str| URL_SAFE_NO_PAD.encode(text);
    let token = format!("{}.{}.AAAA", coded(r#"{"alg":"RS256","kid":"theirs"}"#), coded(&payload));
    serde_json::json!({ "signatures": [token] }).to_string()
}

#[test]
fn what_opa_signed_is_told_and_never_counts() {
    let house = House::new();
    let good = unpacked(&house.bundle(1, &[EXTRA]));
    let file = house.world.beside("opa.tar.gz");
    let write = |files: &[(String, Vec<u8>)], signatures: &str| {
        let bytes = packed(|builder| {
            for (path, bytes) in files {
                append(builder, &format!("/{path}"), tar::EntryType::Regular, bytes);
            }
            append(builder, "/.signatures.json", tar::EntryType::Regular, signatures.as_bytes());
        });
        fs::write(&file, bytes).unwrap();
    };
    let signed = opa_signatures(&good);
    write(&good, &signed);
    house.refuses(&file, "AB0251");
    house
        .verify(&file)
        .says(&format!("{} files as .signatures.json lists them", good.len()))
        .says("never counts");
    // A file that is not in the list, one that is listed and gone, one that was changed.
    let mut more = good.clone();
    more.push(("more.rego".to_owned(), b"package abide.more\n".to_vec()));
    write(&more, &signed);
    house.refuses(&file, "AB0248");
    write(&good[..good.len() - 1], &signed);
    house.refuses(&file, "AB0248");
    let mut other = good.clone();
    other.last_mut().unwrap().1 = b"{}".to_vec();
    write(&other, &signed);
    house.refuses(&file, "AB0248");
    write(&good, &signed);
    house.sign(&file, &["rules/alice"]);
    house.activate(&file).exits(0);
}

#[test]
fn two_that_are_put_in_force_at_once_leave_the_newer_one() {
    let house = House::new();
    let bundles = [2, 3, 4].map(|version| {
        let bundle = house.bundle(version, &[("data/extra.yaml", &format!("words: [\"{version}\"]\n"))]);
        house.sign(&bundle, &["rules/alice"]);
        bundle
    });
    std::thread::scope(|scope| {
        for bundle in bundles.iter().rev() {
            scope.spawn(|| {
                let said = house.activate(bundle);
                assert!(said.code == 0 || said.err.contains("AB0259"), "{said:?}");
            });
        }
    });
    let shown = house.world.ab(&["--json", "policy", "show"]).exits(0).json();
    assert_eq!(shown["in_force"], Json::from(4));
    let doctor = house.world.ab(&["--json", "doctor"]).exits(0).json();
    assert_eq!(doctor["policy_version"], Json::from(4));
    house.activate(&bundles[0]).exits(8).says("AB0259");
}

/// Changes one byte of `bytes` wherever they lie below `folder`.
pub(super) fn damage(folder: &Path, bytes: &[u8]) {
    let needle = &bytes[100..140];
    let mut found = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let Ok(mut contents) = fs::read(&path) else { continue };
        let places: Vec<usize> = contents
            .windows(needle.len())
            .enumerate()
            .filter(|(_, part)| *part == needle)
            .map(|(at, _)| at)
            .collect();
        for at in &places {
            contents[*at] ^= 1;
        }
        found += places.len();
        fs::write(&path, contents).unwrap();
    }
    assert!(found > 0, "the archive lies nowhere in the state");
}

#[test]
fn a_damaged_archive_denies_everything_until_a_newer_one_is_in_force() {
    let house = House::new();
    let bundle = house.bundle(1, &[EXTRA]);
    house.sign(&bundle, &["rules/alice"]);
    house.activate(&bundle).exits(0);
    damage(&house.world.home().join("world/ledger"), &fs::read(&bundle).unwrap());
    let before = house.world.kinds();
    house.world.ab(&["run", "--ticket", TICKET]).exits(6).says("AB0260").says("damaged");
    house.world.ab(&["doctor"]).exits(6).says("AB0260");
    assert_eq!(house.world.kinds(), before);
    // The record says what the hard part was, so a weaker one still takes two people; a newer version mends it.
    let weaker = edited("data/hard.yaml", "  - secrets\n", "");
    let weak = house.bundle(3, &[EXTRA, ("data/hard.yaml", &weaker)]);
    house.sign(&weak, &["rules/alice"]);
    house.activate(&weak).exits(8).says("AB0251");
    let next = house.bundle(2, &[EXTRA]);
    house.sign(&next, &["rules/alice"]);
    house.activate(&next).exits(0);
    house.world.ab(&["run", "--ticket", TICKET]).exits(0).says("1 merged");
}

#[test]
fn a_broken_rule_denies_everything_unless_the_operator_chose_otherwise() {
    let house = House::new();
    let world = &house.world;
    let mine = |level: &str| {
        format!(
            "package abide.layers.mine\nfindings contains {{\"rule\": \"mine\", \"level\": \"{level}\", \"msg\": \"mine\"}} if input.action.class == \"MERGE\"\n"
        )
    };
    world.write("policies/mine.rego", mine("review").as_bytes());
    world.commit("Merges wait");
    let ticket = world.edit("docs/index.md", None, "Hello.\n");
    world.ab(&["run", "--ticket", &ticket]).exits(4).says("1 queued");
    world.write("policies/mine.rego", b"package abide.layers.mine\nfindings contains {");
    world.commit("Broken");
    let ticket = world.edit("docs/index.md", None, "Hello again.\n");
    world.ab(&["run", "--ticket", &ticket]).exits(6).says("AB0102");
    // The operator chooses, in data that is signed for by two.
    world.write("policies/mine.rego", mine("review").as_bytes());
    world.commit("Mended");
    let chosen = edited("data/host.yaml", "on_broken_policy: deny", "on_broken_policy: previous");
    let bundle = house.bundle(1, &[("data/host.yaml", &chosen)]);
    house.sign(&bundle, &["rules/alice"]);
    house.activate(&bundle).exits(8).says("AB0251");
    house.sign(&bundle, &["hard/bob", "hard/dave"]);
    house.activate(&bundle).exits(0);
    world.write("policies/mine.rego", b"package abide.layers.mine\nfindings contains {");
    world.commit("Broken again");
    world.ab(&["run", "--ticket", &ticket]).exits(4).says("AB0262").says("1 queued").says("keep serving");
    world.ab(&["doctor"]).exits(0).says("AB0262");
    world.ab(&["verify"]).exits(0).says("accepted");
}

#[test]
fn the_version_before_serves_where_it_says_so() {
    let house = House::new();
    let chosen = edited("data/host.yaml", "on_broken_policy: deny", "on_broken_policy: previous");
    let first = house.bundle(1, &[("data/host.yaml", &chosen)]);
    house.sign(&first, &["rules/alice", "hard/bob", "hard/dave"]);
    house.activate(&first).exits(0);
    let second = house.bundle(2, &[("data/host.yaml", &chosen), EXTRA]);
    house.sign(&second, &["rules/alice"]);
    house.activate(&second).exits(0);
    damage(&house.world.home().join("world/ledger"), &fs::read(&second).unwrap());
    house.world.ab(&["run", "--ticket", TICKET]).exits(0).says("AB0262").says("version 1 keeps serving");
    let doctor = house.world.ab(&["--json", "doctor"]).exits(0).json();
    assert_eq!(doctor["policy_version"], Json::from(1));
    // The floor stays where it was: what serves is old, and nothing that is old is put in force.
    house.activate(&first).exits(8).says("AB0259");
}

#[test]
fn a_run_that_waited_goes_on_under_the_new_policy() {
    let house = House::new();
    let world = &house.world;
    let ticket = world.edit("src/a.rs", None, "fn main() {}\n");
    world.ab(&["run", "--ticket", &ticket]).exits(4);
    let item = world.waiting().pop().unwrap();
    let bundle = house.bundle(1, &[EXTRA]);
    house.sign(&bundle, &["rules/alice"]);
    house.activate(&bundle).exits(0);
    world.ab(&["approve", &item, "--as", "reviewer-one"]);
    let bundles: Vec<Json> = world
        .log()
        .iter()
        .filter(|event| event["event"]["type"] == "DecisionRecorded")
        .map(|event| event["event"]["data"]["bundle"].clone())
        .collect();
    assert_ne!(bundles.first(), bundles.last(), "the last decision is one of the new policy");
    world.ab(&["verify"]).exits(0).says("accepted");
}

#[test]
fn the_schema_of_signers_says_what_is_taken() {
    let house = House::new();
    let file = house.world.home().join("signers.yaml");
    let schema = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/reference/signers.schema.json");
    let schema: Json = serde_json::from_str(&fs::read_to_string(schema).unwrap()).unwrap();
    let schema = jsonschema::draft202012::new(&schema).unwrap();
    let key = |person: &str| {
        let line = house.key(&format!("rules/{person}"));
        let public = line.split('"').nth(1).unwrap().to_owned();
        serde_json::json!({ "person": person, "public": public, "not_after": "2030-12-31" })
    };
    let good = serde_json::json!({
        "roles": {
            "rules": { "quorum": 1, "keys": [key("one")] },
            "hard": { "quorum": 2, "keys": [key("two"), key("three")] },
            "invariants": { "quorum": 1, "keys": [key("four")] },
        },
        "opa": { "ours": { "algorithm": "HS256", "key": "x" } },
    });
    // JSON is YAML. Both take it, or both refuse it.
    let agree = |value: &Json, taken: bool| {
        fs::write(&file, value.to_string()).unwrap();
        assert_eq!(schema.is_valid(value), taken, "the schema: {value}");
        house.world.ab(&["keys", "list"]).exits(if taken { 0 } else { 8 });
    };
    agree(&good, true);
    let edits: &[(&str, Json)] = &[
        ("/roles/hard/quorum", 1.into()),
        ("/roles/rules/quorum", 0.into()),
        ("/roles/rules/keys", Json::Array(vec![])),
        ("/roles/rules/keys/0/person", "Alice".into()),
        ("/roles/rules/keys/0/public", "AAAA".into()),
        ("/roles/rules/keys/0/not_after", "tomorrow".into()),
        ("/roles/rules/keys/0", serde_json::json!({ "person": "one" })),
        ("/roles", serde_json::json!({ "rules": good["roles"]["rules"] })),
        ("/opa/ours/algorithm", "none".into()),
        ("/opa/ours", serde_json::json!({ "algorithm": "HS256", "key": "x", "more": 1 })),
    ];
    for (place, value) in edits {
        let mut edited = good.clone();
        *edited.pointer_mut(place).unwrap() = value.clone();
        agree(&edited, false);
    }
}

#[test]
fn old_versions_are_kept_for_comparing() {
    let house = House::new();
    let world = &house.world;
    world.ab(&["policy", "show"]).exits(0).says("built-in");
    let stricter = edited("data/caps.yaml", "files_max: ", "files_max: 1 #");
    let first = house.bundle(1, &[EXTRA]);
    let second = house.bundle(2, &[("data/caps.yaml", &stricter)]);
    house.sign(&first, &["rules/alice"]);
    house.sign(&second, &["rules/alice", "hard/bob", "hard/carol"]);
    let digest = world.ab(&["--json", "policy", "verify", text(&first)]).exits(0).json()["digest"].clone();
    let other = format!("sha256:{:064}", 0);
    world
        .ab(&["policy", "activate", text(&first), "--reason", "x", "--digest", &other])
        .exits(8)
        .says("AB0265");
    let pinned = ["policy", "activate", text(&first), "--reason", "x", "--digest", digest.as_str().unwrap()];
    world.ab(&pinned).exits(0);
    house.activate(&second).exits(0);
    world.ab(&["policy", "show"]).exits(0).says("v1 ").says("for the test  in force").says("carol (hard)");
    let out = world.beside("old.tar.gz");
    world.ab(&["policy", "show", "--version", "1", "-o", text(&out)]).exits(0);
    assert_eq!(fs::read(&out).unwrap(), fs::read(&first).unwrap());
    assert_eq!(
        fs::read(world.beside("old.tar.gz.sigs.json")).unwrap(),
        fs::read(world.beside("policy-1.tar.gz.sigs.json")).unwrap()
    );
    world.ab(&["policy", "show", "--version", "3", "-o", text(&out)]).exits(2).says("AB0266");
    // The workbench takes a bundle where it takes a folder.
    let replay = ["policy", "replay", "--dir", text(&second), "--against", text(&out)];
    world.ab(&replay).exits(0).says("cap-files");
    world.ab(&["policy", "test", "--dir", text(&second), "--run", "plan_test"]).exits(0).says(" 0 failed");
    world.ab(&["policy", "check", "--dir", text(&second)]).exits(0).says("0 errors");
    fs::write(&out, "no bundle").unwrap();
    world.ab(&["policy", "check", "--dir", text(&out)]).exits(8).says("AB0240");
}

#[test]
fn keys_are_made_once_and_for_one_person() {
    let house = House::new();
    let world = &house.world;
    world.ab(&["keys", "init", "--name", "rules/alice"]).exits(1).says("AB0261").says("never written over");
    for name in ["alice", "rules/Alice", "rulers/alice", "rules/../alice", "rules/"] {
        world.ab(&["keys", "init", "--name", name]).exits(2);
    }
    let file = world.home().join("keys/rules/alice.pem");
    let mode = std::os::unix::fs::PermissionsExt::mode(&fs::metadata(&file).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
    fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
    let bundle = house.bundle(1, &[]);
    world.ab(&["policy", "sign", text(&bundle), "--key", "rules/alice"]).exits(1).says("AB0261");
    world.ab(&["policy", "sign", text(&bundle), "--key", "rules/nobody"]).exits(2).says("AB0261");
    // What ab itself uses is no name of a repository.
    for name in ["keys", "signers.yaml"] {
        world.ab(&["init", "--name", name]).exits(2).says("AB0003");
    }
}
