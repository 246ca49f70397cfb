//! What the host adds to whatever a policy says. It can only make a verdict worse.

use abide_core::action::ActionClass;
use abide_core::decision::{Finding, FindingLevel, Obligation, Verdict};
use abide_core::input::PolicyInput;

use crate::engine::answer::Answer;

/// The verdict: the worst of what the policy said, of its findings, of unmet approvals and of the kill switch.
pub(crate) fn verdict(input: &PolicyInput, answer: &mut Answer) -> Verdict {
    if input.run.halted && input.action.class != ActionClass::Rollback {
        add(
            answer,
            FindingLevel::Hard,
            "kill-switch",
            "the kill switch is pulled: only the way back is open",
            "a person lifts it with `ab resume`",
        );
    }
    let unmet = answer.obligations.iter().any(|obligation| is_unmet(obligation, input));
    if unmet && answer.verdict == Verdict::Allow {
        add(
            answer,
            FindingLevel::Review,
            "approvals-missing",
            "the approvals that this answer rests on are not there yet",
            "approve it with `ab approve`",
        );
    }
    let worst = answer.findings.iter().map(|finding| finding.level.floor()).max().unwrap_or(Verdict::Allow);
    let verdict = answer.verdict.max(worst);
    let reason = match verdict {
        Verdict::Allow => return verdict,
        Verdict::Review => FindingLevel::Review,
        Verdict::Deny => FindingLevel::Deny,
    };
    if worst < verdict {
        add(
            answer,
            reason,
            "no-reason-given",
            "the policy gave this verdict without a finding that explains it",
            "add a finding to the rule that decided",
        );
    }
    verdict
}

fn add(answer: &mut Answer, level: FindingLevel, rule: &str, msg: &str, help: &str) {
    let finding = Finding {
        rule: rule.to_owned(),
        level,
        msg: msg.to_owned(),
        path: None,
        help: Some(help.to_owned()),
    };
    answer.findings.retain(|known| known.rule != finding.rule);
    answer.findings.push(finding);
    answer.findings.sort();
}

fn is_unmet(obligation: &Obligation, input: &PolicyInput) -> bool {
    let Obligation::Approvals { count, roles, separation } = obligation else { return false };
    let asked_by =
        |name: &str| name == input.subject.id || input.subject.on_behalf_of.as_deref() == Some(name);
    let mut people: Vec<&str> = input
        .approvals
        .iter()
        .filter(|approval| approval.action == input.action.digest && approval.at <= input.now)
        .filter(|approval| roles.is_empty() || roles.contains(&approval.role))
        .filter(|approval| !(*separation && asked_by(&approval.by)))
        .map(|approval| approval.by.as_str())
        .collect();
    people.sort_unstable();
    people.dedup();
    u32::try_from(people.len()).unwrap_or(u32::MAX) < *count
}
