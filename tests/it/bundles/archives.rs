//! The file: made the same every time, and read strictly.

use std::fs;
use std::io::Write as _;

use abide_core::id::Digest;
use abide_tests::gate::shipped_files;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::Value as Json;

use super::house::{EXTRA, House, append, packed, put, text, unpacked};

#[test]
fn the_same_folder_makes_the_same_file_and_the_same_policy() {
    let house = House::new();
    // With the model that ships, which no other test here has.
    let model = String::from_utf8(shipped_files()["invariants/model.yaml"].clone()).unwrap();
    let one = house.bundle(1, &[("invariants/model.yaml", &model)]);
    let two = house.world.beside("again.tar.gz");
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
        ("AB0244", with("MAIN.rego", plain, b"package abide\n")),
        ("AB0244", with("main.rego/x.rego", plain, b"package abide.x\n")),
        ("AB0245", manifest(&|value| value["metadata"]["abide"]["audience"] = "No Name".into())),
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
    house.sign(&file, &["rules/alice", "invariants/dora"]);
    house.activate(&file).exits(0);
}
