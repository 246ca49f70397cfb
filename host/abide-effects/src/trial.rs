//! What the tests share: a real gate over a policy that allows everything, and real repositories made by git itself.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use abide_core::action::Action;
use abide_core::decision::{Decision, Grants, Verdict};
use abide_core::facts::Limits;
use abide_core::facts::{Facts, TestFacts, Totals, WindowFacts};
use abide_core::id::{Digest, Epoch, Oid, RepoId, RunId, Seq, Timestamp};
use abide_core::input::{
    BudgetInput, CanaryInput, RiskInput, RollbackInput, RunInput, RunMode, SafetyLevel, SafetyMode, Subject,
    SubjectKind,
};
use abide_gate::{
    Admission, Ask, Clock, DecisionLog, DecisionRecord, Gate, Halt, HaltState, Judge, Permit, PortError,
    Question,
};

pub(crate) const RUN: &str = "01JCZ8Q0X4T7A2B3C4D5E6F7G8";

pub(crate) fn run() -> RunId {
    RUN.parse().unwrap()
}

pub(crate) fn repo_id() -> RepoId {
    "trial".parse().unwrap()
}

/// Limits for measuring with `bytes` for one file.
pub(crate) fn at_most(bytes: u64) -> Limits {
    Limits { blob_bytes_max: bytes, ..Limits::default() }
}

pub(crate) fn digest(text: &str) -> Digest {
    Digest::of(text.as_bytes())
}

#[derive(Debug)]
struct AllowAll;

impl Judge for AllowAll {
    fn decide(&self, question: &Question) -> Decision {
        Decision {
            schema: Decision::SCHEMA.to_owned(),
            verdict: Verdict::Allow,
            fault: None,
            findings: vec![],
            obligations: vec![],
            grants: Grants::default(),
            waived: vec![],
            risk: 0,
            action: question.input().action.digest.clone(),
            input: question.digest().clone(),
            bundle: digest("allow everything"),
            engine: "trial 1".to_owned(),
        }
    }
}

/// Clock, kill switch and log of a trial; the test turns the hands.
#[derive(Debug, Default)]
pub(crate) struct World {
    now: AtomicU64,
    epoch: AtomicU64,
    halted: AtomicU64,
    records: AtomicU64,
}

impl World {
    pub(crate) fn advance_ms(&self, ms: u64) {
        self.now.fetch_add(ms, Ordering::SeqCst);
    }
    pub(crate) fn kill(&self) {
        self.halted.store(1, Ordering::SeqCst);
        self.epoch.fetch_add(1, Ordering::SeqCst);
    }
}

impl Clock for World {
    fn now(&self) -> Timestamp {
        Timestamp(self.now.load(Ordering::SeqCst))
    }
}
impl Halt for World {
    fn state(&self, _run: &RunId) -> Result<HaltState, PortError> {
        let (epoch, halted) = (self.epoch.load(Ordering::SeqCst), self.halted.load(Ordering::SeqCst));
        Ok(HaltState { epoch: Epoch(epoch), halted: halted > 0 })
    }
}
impl DecisionLog for World {
    fn append(&self, _record: &DecisionRecord) -> Result<Seq, PortError> {
        Ok(Seq(self.records.fetch_add(1, Ordering::SeqCst)))
    }
}

/// A real gate over a one-rule policy, and its world.
#[derive(Debug)]
pub(crate) struct Trial {
    pub(crate) world: Arc<World>,
    gate: Gate,
}

impl Trial {
    pub(crate) fn new() -> Self {
        let world = Arc::new(World::default());
        let gate = Gate::new(Arc::new(AllowAll), world.clone(), world.clone(), world.clone());
        Self { world, gate }
    }

    pub(crate) fn permit<A: Action>(&self, action: A) -> Permit<A> {
        let facts = action.tree().map(|tree| facts(tree.clone()));
        let ask = Ask { requests: action.requests().to_vec(), ..ask(facts) };
        match self.gate.admit(action, ask).unwrap() {
            Admission::Allow { permit, .. } => permit,
            Admission::Review { .. } | Admission::Deny { .. } => {
                panic!("the trial's policy allows everything")
            }
        }
    }
}

fn ask(facts: Option<Facts>) -> Ask {
    Ask {
        run: RunInput {
            id: run(),
            goal: digest("goal"),
            ticket: None,
            mode: RunMode::Apply,
            attempt: 1,
            profile: "exploration".to_owned(),
            halted: false,
            frozen: false,
            safety_mode: SafetyMode::DenyByDefault,
            safety_level: SafetyLevel::High,
            host_level_max: 5,
            jail_walls: Vec::new(),
        },
        unit: Some("u1".to_owned()),
        subject: Subject {
            kind: SubjectKind::Worker,
            id: "codegen".to_owned(),
            role: "worker".to_owned(),
            component: None,
            on_behalf_of: None,
            history: None,
        },
        reason: "a trial of the hands".to_owned(),
        repo: repo_id(),
        protected: false,
        requests: vec![],
        facts,
        checks: vec![],
        approvals: vec![],
        budget: BudgetInput::default(),
        risk: RiskInput::default(),
        rollback: RollbackInput { kind: "git-revert".to_owned(), rehearsed: true, trusted: true },
        canary: CanaryInput::default(),
    }
}

fn facts(tree: Oid) -> Facts {
    Facts {
        schema: Facts::SCHEMA.to_owned(),
        base_tree: Oid::zero(),
        tree,
        files: vec![],
        totals: Totals::default(),
        zones: vec![],
        categories: vec![],
        secrets: vec![],
        forbidden: vec![],
        dependencies: vec![],
        tests: TestFacts::default(),
        destructive: vec![],
        hazards: vec![],
        collisions: vec![],
        unmeasured: vec![],
        window: WindowFacts::default(),
    }
}

/// A real repository in a temporary folder, driven by git itself.
#[derive(Debug)]
pub(crate) struct Sandpit {
    folder: tempfile::TempDir,
}

/// What a git command said.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) ok: bool,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Sandpit {
    /// A folder with an empty repository `work`.
    pub(crate) fn new(init: &[&str]) -> Self {
        let pit = Self { folder: tempfile::tempdir().unwrap() };
        let mut args = vec!["init", "-q", "-b", "main"];
        args.extend(init);
        args.push("work");
        assert!(pit.git_in(".", &args).ok);
        pit
    }

    /// The same with one commit on `main`: `README.md`, `docs/a.md`, `src/lib.rs` and an executable `run.sh`.
    pub(crate) fn seeded() -> Self {
        let pit = Self::new(&[]);
        pit.write("README.md", "# Trial\n");
        pit.write("docs/a.md", "one\ntwo\nthree\n");
        pit.write("src/lib.rs", "pub fn one() -> u32 { 1 }\n");
        pit.write("run.sh", "#!/bin/sh\necho hi\n");
        pit.git(&["add", "-A"]);
        pit.git(&["update-index", "--chmod=+x", "run.sh"]);
        std::fs::set_permissions(
            pit.work().join("run.sh"),
            std::os::unix::fs::PermissionsExt::from_mode(0o755),
        )
        .unwrap();
        pit.commit("seed");
        pit
    }

    pub(crate) fn root(&self) -> &Path {
        self.folder.path()
    }
    pub(crate) fn work(&self) -> PathBuf {
        self.folder.path().join("work")
    }
    /// A folder for scratch stores and the like.
    pub(crate) fn spare(&self) -> PathBuf {
        let path = self.folder.path().join("spare");
        std::fs::create_dir_all(&path).unwrap();
        path
    }

    pub(crate) fn write(&self, path: &str, text: impl AsRef<[u8]>) {
        let to = self.work().join(path);
        std::fs::create_dir_all(to.parent().unwrap()).unwrap();
        std::fs::write(to, text).unwrap();
    }
    pub(crate) fn read(&self, path: &str) -> Option<String> {
        std::fs::read_to_string(self.work().join(path)).ok()
    }

    /// Runs git in the work tree; it must succeed.
    pub(crate) fn git(&self, args: &[&str]) -> String {
        let said = self.git_in("work", args);
        assert!(said.ok, "git {args:?}: {}{}", said.out, said.err);
        said.out.trim_end().to_owned()
    }

    /// Runs git in `folder`.
    pub(crate) fn git_in(&self, folder: &str, args: &[&str]) -> Said {
        self.run(&self.folder.path().join(folder), "git", args)
    }

    #[expect(clippy::disallowed_methods, reason = "a test drives real git")]
    pub(crate) fn run(&self, folder: &Path, program: &str, args: &[&str]) -> Said {
        let done = Command::new(program)
            .args(args)
            .current_dir(folder)
            .env("HOME", self.folder.path())
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_AUTHOR_NAME", "alice")
            .env("GIT_AUTHOR_EMAIL", "alice@example.org")
            .env("GIT_COMMITTER_NAME", "alice")
            .env("GIT_COMMITTER_EMAIL", "alice@example.org")
            .env("GIT_AUTHOR_DATE", "1700000000 +0000")
            .env("GIT_COMMITTER_DATE", "1700000000 +0000")
            .output()
            .unwrap();
        Said {
            ok: done.status.success(),
            out: String::from_utf8_lossy(&done.stdout).into_owned(),
            err: String::from_utf8_lossy(&done.stderr).into_owned(),
        }
    }

    /// Commits everything and returns the commit.
    pub(crate) fn commit(&self, message: &str) -> Oid {
        self.git(&["add", "-A"]);
        self.git(&["commit", "-q", "--allow-empty", "-m", message]);
        self.oid("HEAD")
    }

    pub(crate) fn oid(&self, revision: &str) -> Oid {
        self.git(&["rev-parse", revision]).parse().unwrap()
    }
    pub(crate) fn tree(&self, revision: &str) -> Oid {
        self.oid(&format!("{revision}^{{tree}}"))
    }
    pub(crate) fn open(&self) -> crate::forge::Repo {
        crate::forge::Repo::open(&self.work(), repo_id()).unwrap()
    }
}
