//! Who may decide about what waits, as the recorded decision asks for it.
//!
//! Not the judge: the gate counts approvals, from the log and by policy. This says beforehand whether one could count at all, so that a
//! person is told why instead of being asked the same question again.

use abide_core::decision::{Decision, Obligation};
use abide_core::input::PolicyInput;
use abide_core::safe_text;

use crate::drive::REVIEW_HOURS;

/// What one rule asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Term {
    /// How many people.
    count: u64,
    /// In one of these roles.
    roles: Vec<String>,
    /// Whether those who asked for the change do not count.
    separation: bool,
}

fn terms(decision: &Decision) -> Vec<Term> {
    let mut terms = Vec::new();
    for obligation in &decision.obligations {
        let Obligation::Approvals { count, roles, separation } = obligation else { continue };
        let term = Term { count: (*count).into(), roles: roles.clone(), separation: *separation };
        if !terms.contains(&term) {
            terms.push(term);
        }
    }
    terms
}

/// Who asked for the action, and on whose behalf.
fn askers(input: &PolicyInput) -> Vec<&str> {
    let subject = &input.subject;
    [Some(subject.id.as_str()), subject.on_behalf_of.as_deref()].into_iter().flatten().collect()
}

/// Whether an approval by `by` as `role` can count for any of the rules that ask for one; `Err` says why not, in words safe to print.
pub(crate) fn counts(
    decision: &Decision,
    input: &PolicyInput,
    (by, role): (&str, &str),
    now: u64,
) -> Result<(), String> {
    let terms = terms(decision);
    let mut reasons: Vec<String> = Vec::new();
    for term in &terms {
        let reason = reason_against(term, input, (by, role), now);
        let Some(reason) = reason else { return Ok(()) };
        if !reasons.contains(&reason) {
            reasons.push(reason);
        }
    }
    if terms.is_empty() {
        reasons.push("this policy names no approval that would change its answer".to_owned());
    }
    Err(reasons.join("; "))
}

fn reason_against(term: &Term, input: &PolicyInput, (by, role): (&str, &str), now: u64) -> Option<String> {
    let shown = safe_text::line(by);
    if !term.roles.is_empty() && !term.roles.iter().any(|known| known == role) {
        let roles = term.roles.join(", ");
        return Some(format!("role `{}` is not one of {roles}", safe_text::line(role)));
    }
    if term.separation && askers(input).contains(&by) {
        return Some(format!("`{shown}` asked for this change, and somebody else must look"));
    }
    let fresh = |at: u64| now.saturating_sub(at) < REVIEW_HOURS.saturating_mul(3_600_000);
    let again = input.approvals.iter().any(|approval| {
        approval.by == by
            && approval.role == role
            && approval.action == input.action.digest
            && fresh(approval.at)
    });
    again.then(|| format!("`{shown}` approved exactly this already, and another person must look"))
}

/// Who may decide, in one line: what each rule asks for.
pub(crate) fn told(decision: &Decision, input: &PolicyInput) -> String {
    let lines: Vec<String> = terms(decision)
        .iter()
        .map(|term| {
            let roles = if term.roles.is_empty() { "anyone".to_owned() } else { term.roles.join(", ") };
            let not = if term.separation {
                let who: Vec<String> = askers(input).into_iter().map(safe_text::line).collect();
                format!(", not {}", who.join(" or "))
            } else {
                String::new()
            };
            format!("{} of: {roles}{not}", term.count)
        })
        .collect();
    if lines.is_empty() {
        "nobody: this policy names no approval that would change its answer".to_owned()
    } else {
        lines.join("; and ")
    }
}
