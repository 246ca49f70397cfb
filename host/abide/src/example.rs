//! An example input of each class of action: valid, and such that the shipped policy has nothing hard against it.

use abide_core::action::ActionClass;
use abide_core::facts::{Facts, Meter, RecordedFile, WindowFacts};
use abide_core::id::{Digest, IdError, Oid};
use abide_core::input::{
    ActionInput, BudgetInput, CanaryInput, CheckInput, PolicyInput, RiskInput, RollbackInput, RunInput,
    RunMode, SafetyLevel, SafetyMode, Subject, SubjectKind, Target,
};
use abide_core::risk::RiskConfig;

use crate::report::Failure;

/// An instant in January 2027, in milliseconds since 1970.
const NOW: u64 = 1_800_000_000_000;

/// An input of `class`, asked under `profile`; files are measured by `meter` and weighed by `risk`.
pub(crate) fn input(
    class: ActionClass,
    profile: &str,
    meter: &Meter,
    risk: &RiskConfig,
) -> Result<PolicyInput, Failure> {
    let fixed = |error: IdError| Failure::of("AB0003", error);
    let facts = match class {
        ActionClass::Write | ActionClass::Merge => Some(facts(meter, "docs/guide.md")?),
        ActionClass::Deploy => Some(facts(meter, "flags/new-header.yaml")?),
        ActionClass::Plan
        | ActionClass::Fetch
        | ActionClass::Generate
        | ActionClass::Execute
        | ActionClass::Rollback => None,
    };
    let lowest = RiskInput { score: 0, band: "low".to_owned(), ..RiskInput::default() };
    Ok(PolicyInput {
        schema: PolicyInput::SCHEMA.to_owned(),
        now: NOW,
        run: RunInput {
            id: "01JC0000000000000000000000".parse().map_err(fixed)?,
            goal: Digest::of(b"Repair the links in the guide"),
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
        subject: Subject {
            kind: SubjectKind::Worker,
            id: "codegen".to_owned(),
            role: "worker".to_owned(),
            component: Some(Digest::of(b"the component")),
            on_behalf_of: Some("sponsor@example.org".to_owned()),
            history: None,
        },
        action: action(class)?,
        risk: facts.as_ref().map_or(lowest, |facts| risk.assess(facts)),
        facts,
        checks: vec![CheckInput {
            name: "unit".to_owned(),
            outcome: "passed".to_owned(),
            required: true,
            walls: Vec::new(),
        }],
        approvals: Vec::new(),
        budget: BudgetInput::default(),
        rollback: RollbackInput {
            kind: if is_release(class) { "release" } else { "git-revert" }.to_owned(),
            rehearsed: true,
            trusted: true,
        },
        canary: CanaryInput { state: "none".to_owned(), ..CanaryInput::default() },
    })
}

fn is_release(class: ActionClass) -> bool {
    matches!(class, ActionClass::Deploy | ActionClass::Rollback)
}

fn action(class: ActionClass) -> Result<ActionInput, Failure> {
    let (kind, branch, requests): (&str, Option<&str>, &[&str]) = match class {
        ActionClass::Plan => ("adopt-plan", None, &[]),
        ActionClass::Fetch => ("open-egress", None, &["https://docs.example.org"]),
        ActionClass::Generate => ("run-worker", None, &["log", "workspace"]),
        ActionClass::Execute => ("run-checks", None, &[]),
        ActionClass::Write => ("commit-patch", Some("refs/heads/ab/u1"), &[]),
        ActionClass::Merge => ("merge", Some("refs/heads/main"), &[]),
        ActionClass::Deploy => ("deploy", None, &[]),
        ActionClass::Rollback => ("rollback", None, &[]),
    };
    let branch = branch.map(str::parse).transpose().map_err(|error| Failure::of("AB0003", error))?;
    Ok(ActionInput {
        class,
        kind: kind.to_owned(),
        digest: Digest::of(kind.as_bytes()),
        reason: "repair the links in the guide".to_owned(),
        target: Target {
            repo: "acme-api".parse().map_err(|error: IdError| Failure::of("AB0003", error))?,
            branch,
            protected: class == ActionClass::Merge,
            environment: is_release(class).then(|| "production".to_owned()),
        },
        requests: requests.iter().map(|request| (*request).to_owned()).collect(),
        manners: None,
        source: None,
    })
}

/// Facts of one text file of which some lines changed.
fn facts(meter: &Meter, path: &str) -> Result<Facts, Failure> {
    let file = RecordedFile {
        path: path.to_owned(),
        status: "M".to_owned(),
        old_mode: "100644".to_owned(),
        new_mode: "100644".to_owned(),
        added: 4,
        removed: 2,
        binary: false,
        bytes: 2_000,
    };
    let tree = |letter: &str| letter.repeat(40).parse::<Oid>().map_err(|error| Failure::of("AB0003", error));
    let window = WindowFacts { hours: 24, ..WindowFacts::default() };
    let facts = meter.measure_recorded((tree("b")?, tree("c")?), &[file], window);
    let facts = facts.map_err(|error| Failure::of("AB0177", error))?;
    // An example is made up: nothing in it waits to be measured.
    Ok(Facts { unmeasured: Vec::new(), ..facts })
}
