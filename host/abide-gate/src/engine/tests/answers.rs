//! What a policy answers is a decision only in the exact shape; everything else is a denial with a code.

use std::sync::Arc;

use abide_core::action::ActionClass;
use abide_core::canonical;
use abide_core::decision::{Decision, Verdict};
use abide_core::id::Digest;
use abide_core::input::{
    ActionInput, ApprovalInput, BudgetInput, CanaryInput, PolicyInput, RiskInput, RollbackInput, RunInput,
    RunMode, SafetyLevel, SafetyMode, Subject, SubjectKind, Target,
};

use super::load;
use crate::engine::{Bundle, Generations, JudgeLimits, NativeJudge, recompute};
use crate::gate::Judge;
use crate::question::Question;

/// A small input: a plan of a person.
pub(in crate::engine) fn input() -> PolicyInput {
    PolicyInput {
        schema: PolicyInput::SCHEMA.to_owned(),
        now: 1_800_000_000_000,
        run: RunInput {
            id: "01JC0000000000000000000000".parse().unwrap(),
            goal: Digest::of(b"goal"),
            ticket: None,
            mode: RunMode::Apply,
            attempt: 1,
            profile: "assisted".to_owned(),
            halted: false,
            frozen: false,
            safety_mode: SafetyMode::DenyByDefault,
            safety_level: SafetyLevel::High,
            host_level_max: 5,
            jail_walls: Vec::new(),
        },
        subject: Subject {
            kind: SubjectKind::Worker,
            id: "codegen".to_owned(),
            role: "worker".to_owned(),
            component: None,
            on_behalf_of: Some("sponsor@example.org".to_owned()),
            history: None,
        },
        action: ActionInput {
            class: ActionClass::Plan,
            kind: "adopt-plan".to_owned(),
            digest: Digest::of(b"action"),
            reason: "because it was asked".to_owned(),
            target: Target {
                repo: "acme-api".parse().unwrap(),
                branch: None,
                protected: false,
                environment: None,
            },
            requests: Vec::new(),
            manners: None,
            source: None,
        },
        facts: None,
        checks: Vec::new(),
        approvals: Vec::new(),
        budget: BudgetInput::default(),
        risk: RiskInput { score: 7, band: "low".to_owned(), parts: std::collections::BTreeMap::new() },
        rollback: RollbackInput { kind: "nothing".to_owned(), rehearsed: true, trusted: true },
        canary: CanaryInput { state: "none".to_owned(), samples: 0, successes: 0 },
    }
}

pub(super) fn question() -> Question {
    Question::new(input()).unwrap()
}

pub(super) fn judged(bundle: Bundle) -> Decision {
    NativeJudge::over(bundle).decide(&question())
}

fn answered(answer: &str) -> Decision {
    judged(load(&format!("package abide\ndecision := {answer}\n")).unwrap_or_else(|error| panic!("{error}")))
}

fn fault(answer: &str) -> String {
    let decision = answered(answer);
    assert_eq!(decision.verdict, Verdict::Deny, "{answer}");
    decision.fault.unwrap_or_else(|| panic!("no fault for {answer}"))
}

#[test]
fn exactly_this_shape() {
    for answer in [
        "true",
        r#""allow""#,
        "{}",
        r#"{"verdict": "allow"}"#,
        r#"{"verdict": "ALLOW", "findings": []}"#,
        r#"{"verdict": "allow", "findings": [], "alow": true}"#,
        r#"{"verdict": "allow", "findings": {}}"#,
        r#"{"verdict": "allow", "findings": [{"rule": "a", "level": "fatal", "msg": "m"}]}"#,
        r#"{"verdict": "allow", "findings": [{"rule": "a", "level": "deny"}]}"#,
        r#"{"verdict": "allow", "findings": [{"rule": "A rule", "level": "deny", "msg": "m"}]}"#,
        r#"{"verdict": "allow", "findings": [{"rule": "a", "level": "deny", "msg": 3}]}"#,
        r#"{"verdict": "allow", "findings": [], "obligations": [{"kind": "pray"}]}"#,
        r#"{"verdict": "allow", "findings": [], "grants": {"capabilties": ["log"]}}"#,
        r#"{"verdict": "allow", "findings": [], "risk": 101}"#,
        r#"{"verdict": "allow", "findings": [], "risk": -1}"#,
        r#"{"verdict": "allow", "findings": [], "risk": 0.5}"#,
        r"{1: 2}",
    ] {
        assert_eq!(fault(answer), "AB0112", "{answer}");
    }
}

#[test]
fn no_answer() {
    assert_eq!(fault(r#"{"verdict": "allow", "findings": []} if input.run.halted"#), "AB0110");
}

#[test]
fn an_error_while_it_decides() {
    assert_eq!(
        fault(r#"{"verdict": "allow", "findings": []} if to_number(input.run.profile) == 1"#),
        "AB0111"
    );
    let two =
        "{\"verdict\": \"allow\", \"findings\": []}\ndecision := {\"verdict\": \"deny\", \"findings\": []}";
    assert_eq!(fault(two), "AB0111", "two answers are none");
    assert_eq!(fault(r#"{"verdict": "allow", "findings": []} if 1 / count(input.checks) > 0"#), "AB0111");
}

#[test]
fn an_input_that_is_too_large() {
    let bundle = load("package abide\ndecision := {\"verdict\": \"allow\", \"findings\": []}").unwrap();
    let limits = JudgeLimits { input_bytes_max: 100, ..JudgeLimits::SHIPPED };
    let decision = NativeJudge::new(Arc::new(Generations::new(bundle)), limits).decide(&question());
    assert_eq!(decision.fault.as_deref(), Some("AB0116"));
}

#[test]
fn the_worst_of_everything() {
    let finding = |level: &str| {
        format!(r#"{{"verdict": "allow", "findings": [{{"rule": "a", "level": "{level}", "msg": "m"}}]}}"#)
    };
    assert_eq!(answered(&finding("warn")).verdict, Verdict::Allow);
    assert_eq!(answered(&finding("review")).verdict, Verdict::Review);
    assert_eq!(answered(&finding("deny")).verdict, Verdict::Deny);
    assert_eq!(answered(&finding("hard")).verdict, Verdict::Deny);
    let bare = answered(r#"{"verdict": "deny", "findings": []}"#);
    assert_eq!((bare.verdict, bare.findings[0].rule.as_str()), (Verdict::Deny, "no-reason-given"));
}

#[test]
fn the_kill_switch_is_above_the_policy() {
    let bundle = || load("package abide\ndecision := {\"verdict\": \"allow\", \"findings\": []}").unwrap();
    let mut halted = input();
    halted.run.halted = true;
    let decision = NativeJudge::over(bundle()).decide(&Question::new(halted.clone()).unwrap());
    assert_eq!((decision.verdict, decision.findings[0].rule.as_str()), (Verdict::Deny, "kill-switch"));
    halted.action.class = ActionClass::Rollback;
    assert_eq!(NativeJudge::over(bundle()).decide(&Question::new(halted).unwrap()).verdict, Verdict::Allow);
}

#[test]
fn an_allowance_that_rests_on_approvals_waits_for_them() {
    let text = r#"package abide
decision := {"verdict": "allow", "findings": [], "obligations": [{"kind": "approvals", "count": 2, "roles": ["reviewer"], "separation": true}]}"#;
    let judge = NativeJudge::over(load(text).unwrap());
    let verdict = |people: &[(&str, &str, &[u8])]| {
        let mut input = input();
        input.approvals = people
            .iter()
            .map(|(by, role, action)| ApprovalInput {
                by: (*by).to_owned(),
                role: (*role).to_owned(),
                action: Digest::of(action),
                at: 1,
            })
            .collect();
        judge.decide(&Question::new(input).unwrap()).verdict
    };
    let alice = ("alice@example.org", "reviewer", &b"action"[..]);
    let bob = ("bob@example.org", "reviewer", &b"action"[..]);
    assert_eq!(verdict(&[alice, bob]), Verdict::Allow);
    assert_eq!(verdict(&[alice, alice]), Verdict::Review, "one person twice");
    assert_eq!(verdict(&[alice, ("bob@example.org", "visitor", b"action")]), Verdict::Review, "another role");
    assert_eq!(
        verdict(&[alice, ("bob@example.org", "reviewer", b"another")]),
        Verdict::Review,
        "another action"
    );
    assert_eq!(
        verdict(&[alice, ("sponsor@example.org", "reviewer", b"action")]),
        Verdict::Review,
        "the sponsor"
    );
}

#[test]
fn findings_are_sorted_once_each_and_safe_to_print() {
    let decision = answered(
        r#"{"verdict": "deny", "findings": [
            {"rule": "b", "level": "deny", "msg": "\u001b[31mred\u202e"},
            {"rule": "a", "level": "deny", "msg": "m"},
            {"rule": "a", "level": "deny", "msg": "m"}]}"#,
    );
    let shown: Vec<_> =
        decision.findings.iter().map(|finding| (finding.rule.as_str(), finding.msg.as_str())).collect();
    assert_eq!(shown, [("a", "m"), ("b", "\u{fffd}[31mred\u{fffd}")]);
    let long = answered(&format!(
        r#"{{"verdict": "deny", "findings": [{{"rule": "a", "level": "deny", "msg": "{}"}}]}}"#,
        "x".repeat(900)
    ));
    assert_eq!(long.findings[0].msg.chars().count(), 401);
}

#[test]
fn grants_come_only_with_an_allowance() {
    let answer = |verdict: &str| {
        format!(
            r#"{{"verdict": "{verdict}", "findings": [], "grants": {{"capabilities": ["log"], "limits": "small"}}}}"#
        )
    };
    assert_eq!(answered(&answer("allow")).grants.capabilities, ["log"]);
    assert!(answered(&answer("review")).grants.capabilities.is_empty());
    assert!(answered(&answer("deny")).grants.limits.is_empty());
}

#[test]
fn a_decision_is_recomputed_bit_for_bit() {
    let bundle = crate::source::assemble(&super::policies()).unwrap();
    let bytes = canonical::jcs(&judged(bundle.clone())).unwrap();
    let again = |input: &[u8], engine: &str| recompute(bundle.to_bytes(), input, engine).unwrap();
    let native = "regorus 0.14.1";
    assert_eq!(again(question().bytes(), native), bytes);
    let mut other = input();
    other.risk.score = 8;
    assert_ne!(again(Question::new(other).unwrap().bytes(), native), bytes);
    // What a sealed judge decided differs in its name alone, whichever build it was; any other name is told.
    let sealed = format!("{native} sealed {}", bundle.digest());
    let text = String::from_utf8(bytes.clone()).unwrap();
    assert_eq!(again(question().bytes(), &sealed), text.replace(native, &sealed).into_bytes());
    for odd in ["", "regorus 0.14.0", "regorus 0.14.0 sealed x", &format!("other sealed {}", bundle.digest())]
    {
        assert_eq!(again(question().bytes(), odd), bytes, "{odd}");
    }
}

#[test]
fn generations_are_swapped_whole_and_kept() {
    let one = load("package abide\ndecision := {\"verdict\": \"allow\", \"findings\": []}").unwrap();
    let two = load("package abide\ndecision := {\"verdict\": \"deny\", \"findings\": []}").unwrap();
    let first = one.digest().clone();
    let generations = Arc::new(Generations::new(one));
    let judge = NativeJudge::new(Arc::clone(&generations), JudgeLimits::SHIPPED);
    assert_eq!(judge.decide(&question()).verdict, Verdict::Allow);
    let second = generations.activate(two);
    let decision = judge.decide(&question());
    assert_eq!((decision.verdict, &decision.bundle), (Verdict::Deny, &second));
    assert!(generations.by_digest(&first).is_some());
}

#[test]
fn stored_inputs_are_closed() {
    let mut json: serde_json::Value = serde_json::from_slice(question().bytes()).unwrap();
    json["run"]["more"] = serde_json::json!(1);
    assert_eq!(Question::from_bytes(json.to_string().into_bytes()).unwrap_err().code(), "AB0126");
    let mut json: serde_json::Value = serde_json::from_slice(question().bytes()).unwrap();
    json["schema"] = serde_json::json!("abide.input/2");
    assert_eq!(Question::from_bytes(json.to_string().into_bytes()).unwrap_err().code(), "AB0126");
}
