//! A world with people who sign policy, and what makes bundles and archives.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use abide_tests::gate::shipped_files;
use abide_tests::world::{AB_YML, Said, World};
use flate2::Compression;
use flate2::write::GzEncoder;

pub(super) const FILES: &[(&str, &str)] =
    &[("ab.yml", AB_YML), ("docs/index.md", "See [it](gone.md).\n"), ("docs/deep/gone.md", "Here.\n")];
pub(super) const TICKET: &str = "Repair broken links in docs/";

/// A model of a few cases, so that a bundle comes into force at once. It is part of the invariants, so dora signs for it.
pub(super) const MODEL: &str = "schema: abide.model/1
axes:
  - name: profile
    values: [{called: staging-aggressive, value: {patch: {run: {profile: staging-aggressive}}}}]
  - name: class
    values:
      - {called: MERGE, value: {}}
      - {called: PLAN, value: {patch: {action: {class: PLAN, kind: adopt-plan, target: {branch: null, protected: false}}, facts: null}}}
  - name: switch
    values:
      - {called: \"on\", value: {}}
      - {called: frozen, value: {patch: {run: {frozen: true}}}}
  - name: change
    values:
      - {called: documents, value: {files: [{path: docs/guide.md, categories: [docs]}]}}
      - {called: governance, value: {files: [{path: AGENTS.md, categories: [docs], zones: [governance]}]}}
products:
  - about: a few
    over: [{axis: profile}, {axis: class}, {axis: switch}, {axis: change}]
splits: []
";

/// A world with people who sign.
pub(crate) struct House {
    pub(crate) world: World,
    dora: String,
}

impl House {
    /// Alice signs rules; bob, carol and dave sign hard rules; dora signs invariants.
    pub(crate) fn new() -> Self {
        let mut house = Self { world: World::new(FILES), dora: String::new() };
        let names = ["rules/alice", "hard/bob", "hard/carol", "hard/dave", "invariants/dora"];
        let lines: Vec<String> = names.map(|name| house.key(name)).into();
        house.dora.clone_from(&lines[4]);
        house.trust(&lines[..1], &lines[1..4]);
        house
    }

    /// Makes a key; gives the line that makes it trusted.
    pub(super) fn key(&self, name: &str) -> String {
        let made = self.world.ab(&["--json", "keys", "init", "--name", name]).exits(0).json();
        made["line"].as_str().unwrap().to_owned()
    }

    /// Says who is trusted.
    pub(super) fn trust(&self, rules: &[String], hard: &[String]) {
        let list = |lines: &[String]| lines.iter().map(|line| format!("      {line}\n")).collect::<String>();
        let text = format!(
            "roles:\n  rules:\n    quorum: 1\n    keys:\n{}  hard:\n    quorum: 2\n    keys:\n{}  invariants:\n    quorum: 1\n    keys:\n      {}\n",
            list(rules),
            list(hard),
            self.dora
        );
        fs::write(self.world.home().join("signers.yaml"), text).unwrap();
    }

    /// A bundle of the shipped policy with [`MODEL`] and `edits` over it, signed by dora.
    pub(crate) fn bundle(&self, version: u64, edits: &[(&str, &str)]) -> PathBuf {
        let folder = self.world.beside(&format!("rules-{version}"));
        for (path, bytes) in shipped_files() {
            put(&folder, &path, &bytes);
        }
        put(&folder, "invariants/model.yaml", MODEL.as_bytes());
        for (path, text) in edits {
            put(&folder, path, text.as_bytes());
        }
        let out = self.world.beside(&format!("policy-{version}.tar.gz"));
        let (dir, version) = (folder.to_string_lossy().into_owned(), version.to_string());
        let args = ["policy", "bundle", "--dir", &dir, "-o", text(&out), "--version", &version];
        self.world.ab(&args).exits(0);
        self.sign(&out, &["invariants/dora"]);
        out
    }

    /// Takes all signatures away but dora's.
    pub(super) fn unsign(&self, bundle: &Path) {
        fs::remove_file(format!("{}.sigs.json", text(bundle))).unwrap();
        self.sign(bundle, &["invariants/dora"]);
    }

    pub(crate) fn sign(&self, bundle: &Path, keys: &[&str]) {
        for key in keys {
            self.world.ab(&["policy", "sign", text(bundle), "--key", key]).exits(0);
        }
    }

    pub(super) fn verify(&self, bundle: &Path) -> Said {
        self.world.ab(&["policy", "verify", text(bundle)])
    }

    pub(crate) fn activate(&self, bundle: &Path) -> Said {
        self.world.ab(&["policy", "activate", text(bundle), "--reason", "for the test"])
    }

    /// Refused by `verify` and by `activate`, with this code, and nothing is recorded.
    #[track_caller]
    pub(super) fn refuses(&self, bundle: &Path, code: &str) {
        self.verify(bundle).exits(8).says(code);
        self.activate(bundle).exits(8).says(code);
        assert!(!self.world.kinds().contains(&"PolicyActivated".to_owned()));
    }
}

pub(super) fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

pub(super) fn put(folder: &Path, path: &str, bytes: &[u8]) {
    let file = folder.join(path);
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::write(file, bytes).unwrap();
}

/// The shipped file at `path`, with `old` replaced.
pub(crate) fn edited(path: &str, old: &str, new: &str) -> String {
    let text = String::from_utf8(shipped_files()[path].clone()).unwrap();
    assert!(text.contains(old), "{path} has no `{old}`");
    text.replace(old, new)
}

pub(super) const EXTRA: (&str, &str) = ("data/extra.yaml", "words: [one]\n");

/// A gzipped tar archive of what `fill` appends.
pub(super) fn packed(fill: impl FnOnce(&mut tar::Builder<Vec<u8>>)) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    fill(&mut builder);
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(&builder.into_inner().unwrap()).unwrap();
    encoder.finish().unwrap()
}

/// The files of a bundle.
pub(super) fn unpacked(bundle: &Path) -> Vec<(String, Vec<u8>)> {
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

pub(super) fn append(builder: &mut tar::Builder<Vec<u8>>, name: &str, kind: tar::EntryType, bytes: &[u8]) {
    let mut header = tar::Header::new_ustar();
    header.as_mut_bytes()[..name.len()].copy_from_slice(name.as_bytes());
    header.set_entry_type(kind);
    header.set_size(bytes.len() as u64);
    header.set_mode(0o644);
    header.set_cksum();
    builder.append(&header, bytes).unwrap();
}
