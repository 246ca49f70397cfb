//! A real gate over real policies, with a log, a clock and a kill switch in memory.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use abide_core::action::{Action, Merge};
use abide_core::decision::Decision;
use abide_core::facts::{Facts, FileFacts, FileStatus, WindowFacts};
use abide_core::id::{Digest, Epoch, Oid, RepoId, RunId, Seq, Timestamp};
use abide_core::input::{
    BudgetInput, CanaryInput, RiskInput, RollbackInput, RunInput, RunMode, SafetyLevel, SafetyMode, Subject,
    SubjectKind,
};
use abide_gate::{
    Admission, Ask, Bundle, Clock, DecisionLog, DecisionRecord, Gate, Halt, HaltState, Judge as _,
    NativeJudge, PortError, Question, source,
};
use abide_sandbox::SealedJudge;
use serde_json::Value as Json;

use crate::sealed;

/// The time in these tests.
pub const NOW: u64 = 1_800_000_000_000;

/// Keeps decisions in memory, or fails.
#[derive(Debug, Default)]
pub struct MemoryLog {
    /// What was appended.
    pub records: Mutex<Vec<DecisionRecord>>,
    /// Whether appending fails.
    pub broken: AtomicBool,
}

impl DecisionLog for MemoryLog {
    fn append(&self, record: &DecisionRecord) -> Result<Seq, PortError> {
        if self.broken.load(Ordering::Relaxed) {
            return Err(PortError { port: "decision log", source: "disk full".into() });
        }
        let mut records = self.records.lock().unwrap();
        records.push(record.clone());
        Ok(Seq(records.len() as u64))
    }
}

/// A clock that stands still until it is moved.
#[derive(Debug)]
pub struct StillClock(pub AtomicU64);

impl Clock for StillClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::Relaxed))
    }
}

/// A kill switch for tests.
#[derive(Debug, Default)]
pub struct Switch {
    /// Grows with every pull.
    pub epoch: AtomicU64,
    /// Whether it is pulled.
    pub halted: AtomicBool,
    /// Whether it cannot be read.
    pub unreadable: AtomicBool,
}

impl Halt for Switch {
    fn state(&self, _: &RunId) -> Result<HaltState, PortError> {
        if self.unreadable.load(Ordering::Relaxed) {
            return Err(PortError { port: "kill switch", source: "unreadable".into() });
        }
        let epoch = Epoch(self.epoch.load(Ordering::Relaxed));
        Ok(HaltState { epoch, halted: self.halted.load(Ordering::Relaxed) })
    }
}

/// A gate with handles on everything around it.
#[derive(Debug)]
pub struct Desk {
    /// The gate.
    pub gate: Gate,
    /// The same policy, judged module by module.
    pub as_written: NativeJudge,
    /// The same policy behind the wall, where it is asked for.
    pub sealed: Option<SealedJudge>,
    /// Its log.
    pub log: Arc<MemoryLog>,
    /// Its clock.
    pub clock: Arc<StillClock>,
    /// Its kill switch.
    pub switch: Arc<Switch>,
}

impl Desk {
    /// The sealed judge is asked as well, where it is built.
    pub fn and_sealed(mut self, bundle: &Bundle) -> Self {
        self.sealed = sealed::module().map(|module| SealedJudge::load(&module, bundle.text()).unwrap());
        self
    }

    /// Puts an action through the gate. The same policy as it was written must decide the same, and so must the sealed judge.
    pub fn decide<A: Action>(&self, action: A, ask: Ask) -> Decision {
        let decision = match self.gate.admit(action, ask).unwrap() {
            Admission::Allow { decision, .. }
            | Admission::Review { decision, .. }
            | Admission::Deny { decision, .. } => decision,
        };
        let bytes = self.log.records.lock().unwrap().pop().unwrap().input_bytes;
        let question = Question::from_bytes(bytes.to_vec()).unwrap();
        assert_eq!(
            decision,
            self.as_written.decide(&question),
            "the joined modules decide otherwise than the written ones"
        );
        if let Some(judge) = &self.sealed {
            sealed::assert_same(&decision, judge.decide(&question));
        }
        decision
    }
}

/// A merge into `main`.
pub fn merge() -> Merge {
    Merge {
        repo: repo(),
        target: "refs/heads/main".parse().unwrap(),
        expected: oid('c'),
        commit: oid('d'),
        tree: oid('b'),
    }
}

/// A real gate over a bundle.
pub fn desk(bundle: Bundle) -> Desk {
    let log = Arc::new(MemoryLog::default());
    let clock = Arc::new(StillClock(AtomicU64::new(NOW)));
    let switch = Arc::new(Switch::default());
    let as_written = NativeJudge::as_written(bundle.clone());
    let gate = Gate::new(Arc::new(NativeJudge::over(bundle)), log.clone(), clock.clone(), switch.clone());
    Desk { gate, as_written, sealed: None, log, clock, switch }
}

/// A real gate over a policy of one rule that allows everything: the way to a permit in a test.
pub fn allow_all() -> Desk {
    let text = r#"package abide
decision := {"verdict": "allow", "findings": []}"#;
    let modules = BTreeMap::from([("allow_all.rego".to_owned(), text.to_owned())]);
    desk(Bundle::load(modules, Json::Object(serde_json::Map::new())).unwrap())
}

/// The files of the policies that ship.
pub fn shipped_files() -> BTreeMap<String, Vec<u8>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../policies");
    let mut files = BTreeMap::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path: PathBuf = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(&root).unwrap().to_str().unwrap().to_owned();
                files.insert(name, fs::read(&path).unwrap());
            }
        }
    }
    files
}

/// The policies that ship, with `change` applied to their data.
pub fn shipped_with(change: impl FnOnce(&mut Json)) -> Bundle {
    let mut sources = source::sort(&shipped_files()).unwrap();
    change(&mut sources.data);
    Bundle::load(sources.modules, sources.data).unwrap_or_else(|error| panic!("{} {error}", error.code()))
}

/// The policies that ship.
pub fn shipped() -> Bundle {
    shipped_with(|_| ())
}

/// The run in these tests.
pub fn run_id() -> RunId {
    "01JC0000000000000000000000".parse().unwrap()
}

/// The repository in these tests.
pub fn repo() -> RepoId {
    "acme-api".parse().unwrap()
}

/// An oid of one repeated digit.
pub fn oid(digit: char) -> Oid {
    digit.to_string().repeat(40).parse().unwrap()
}

/// A digest of a text.
pub fn digest(text: &str) -> Digest {
    Digest::of(text.as_bytes())
}

/// What a run by `profile` asks when all is well: measured facts are added by the caller.
pub fn ask(profile: &str) -> Ask {
    Ask {
        run: RunInput {
            id: run_id(),
            goal: digest("goal"),
            ticket: Some("ABC-123".to_owned()),
            mode: RunMode::Apply,
            attempt: 1,
            profile: profile.to_owned(),
            halted: false,
            frozen: false,
            safety_mode: SafetyMode::DenyByDefault,
            safety_level: SafetyLevel::High,
            host_level_max: 5,
            jail_walls: ["bounds", "files", "kernel", "network", "processes", "told"]
                .map(str::to_owned)
                .to_vec(),
        },
        unit: Some("u1".to_owned()),
        subject: Subject {
            kind: SubjectKind::Worker,
            id: "codegen".to_owned(),
            role: "worker".to_owned(),
            component: Some(digest("component")),
            on_behalf_of: Some("sponsor@example.org".to_owned()),
            history: None,
        },
        reason: "repair the links in the guide".to_owned(),
        repo: repo(),
        protected: false,
        requests: Vec::new(),
        facts: None,
        checks: Vec::new(),
        approvals: Vec::new(),
        budget: BudgetInput::default(),
        risk: RiskInput { score: 5, band: "low".to_owned(), parts: BTreeMap::new() },
        rollback: RollbackInput { kind: "git-revert".to_owned(), rehearsed: true, trusted: true },
        canary: CanaryInput { state: "none".to_owned(), samples: 0, successes: 0 },
    }
}

/// One file of which `lines` were changed.
pub fn file(path: &str, zones: &[&str], categories: &[&str], lines: u64) -> FileFacts {
    let texts = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    FileFacts {
        path: path.to_owned(),
        status: FileStatus::Modified,
        zones: texts(zones),
        categories: texts(categories),
        added: lines,
        removed: lines,
        binary: false,
        bytes: 2000,
        bytes_before: 1990,
        old_mode: "100644".to_owned(),
        new_mode: "100644".to_owned(),
        symlink: false,
        submodule: false,
        generated: false,
        lfs: false,
        made_executable: false,
    }
}

/// Facts of a change of these files, for the tree `oid('b')`, with a window that holds nothing else.
pub fn facts(files: Vec<FileFacts>) -> Facts {
    let facts = Facts::of_files(oid('a'), oid('b'), files, 24);
    let window = WindowFacts { zones: BTreeMap::new(), ..facts.window };
    Facts { window, ..facts }
}
