//! Tells the person what happens, one line a beat, as it happens.

use abide_core::action::ActionClass;
use abide_core::decision::{Decision, FindingLevel, Verdict};
use abide_core::event::PlannedUnit;
use abide_core::facts::Facts;
use abide_core::id::Oid;
use abide_core::plan::{PROMOTION, Plan};
use abide_core::safe_text;
use abide_core::spine::{ATTEMPTS_MAX, Run, Unit};

use crate::cli::printer::{Printer, Tone};
use crate::drive::lead_rule;

/// Tells a run.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Story<'a> {
    /// The terminal.
    pub(crate) printer: &'a Printer,
}

impl Story<'_> {
    /// One line: what, how it went, and the rest.
    pub(crate) fn beat(self, what: &str, tone: Tone, word: &str, rest: &str) {
        let mark = match tone {
            Tone::Good => "✓",
            Tone::Wait => "⏸",
            Tone::Bad => "✗",
            Tone::Faint => "·",
        };
        self.printer.line(
            format!("{what:<8} {} {rest}", self.printer.paint(tone, &format!("{mark} {word:<7}"))).trim_end(),
        );
    }

    /// The plan was adopted.
    pub(crate) fn planned(self, plan: &Plan, units: &[PlannedUnit]) {
        for unit in units {
            let without = if unit.recipe == PROMOTION { "asked of the gate" } else { "a commit as it is" };
            let by = unit.component.as_ref().map_or_else(
                || without.to_owned(),
                |digest| format!("{} @ {}", worker_of(plan, unit), digest.short()),
            );
            self.beat(
                "plan",
                Tone::Good,
                "allow",
                &format!("{} {} → {by}", unit.id, safe_text::line(&unit.title)),
            );
        }
    }

    /// The gate answered.
    pub(crate) fn decided(
        self,
        class: ActionClass,
        kind: &str,
        decision: &Decision,
        facts: Option<&Facts>,
        item: Option<&str>,
    ) {
        let what = verb(class, kind);
        let tone = match decision.verdict {
            Verdict::Allow => Tone::Good,
            Verdict::Review => Tone::Wait,
            Verdict::Deny => Tone::Bad,
        };
        let quiet = decision.verdict == Verdict::Allow
            && matches!(class, ActionClass::Plan | ActionClass::Generate | ActionClass::Execute);
        if quiet {
            return;
        }
        let what_changes = facts.map(summary).unwrap_or_default();
        let rest = match decision.verdict {
            Verdict::Allow | Verdict::Deny => what_changes,
            Verdict::Review => format!("{} {what_changes}", item.unwrap_or_default()),
        };
        self.beat(what, tone, decision.verdict.as_str(), &rest);
        if decision.verdict != Verdict::Allow {
            self.reasons(decision, 3);
        }
        for waived in &decision.waived {
            self.beat(
                "",
                Tone::Faint,
                "waived",
                &format!("{} by {}: {}", waived.rule, waived.by, safe_text::line(&waived.reason)),
            );
        }
    }

    /// The target went away from under a unit.
    pub(crate) fn moved(self, run: &Run, unit: &Unit, from: &Oid, to: &Oid) {
        let what = format!("{} went from {} to {}", run.started.target.short(), from.short(), to.short());
        if unit.attempt < ATTEMPTS_MAX {
            self.beat("target", Tone::Wait, "moved", &format!("{what}: {} starts again", unit.plan.id));
        } else {
            let times =
                format!("{what}: {} gives up after {ATTEMPTS_MAX} times; start the run anew", unit.plan.id);
            self.beat("target", Tone::Bad, "moved", &times);
        }
    }

    /// Why: the rules that decided, the most severe first, each with its first finding.
    pub(crate) fn reasons(self, decision: &Decision, most: usize) {
        if decision.findings.is_empty() {
            self.printer.line(&format!("         {}", lead_rule(decision)));
        }
        let mut findings: Vec<_> =
            decision.findings.iter().filter(|finding| finding.level != FindingLevel::Warn).collect();
        findings.sort_by(|a, b| b.level.cmp(&a.level).then_with(|| a.rule.cmp(&b.rule)));
        let mut told: Vec<(&str, usize)> = Vec::new();
        for finding in &findings {
            match told.iter_mut().find(|(rule, _)| *rule == finding.rule) {
                Some((_, count)) => *count = count.saturating_add(1),
                None => told.push((&finding.rule, 1)),
            }
        }
        for (rule, count) in told.iter().take(most) {
            let Some(finding) = findings.iter().find(|finding| finding.rule == *rule) else { continue };
            let again = if *count > 1 {
                format!(" — and {} more of this rule", count.saturating_sub(1))
            } else {
                String::new()
            };
            let place =
                finding.path.as_ref().map(|path| format!(" ({})", safe_text::line(path))).unwrap_or_default();
            self.printer.line(&format!(
                "         {}: {}{place}{again}",
                finding.rule,
                safe_text::line(&finding.msg)
            ));
            // Beside a denial, what a person could approve is no way on.
            let is_the_way = decision.verdict != Verdict::Deny || finding.level > FindingLevel::Review;
            if let Some(help) = finding.help.as_ref().filter(|_| is_the_way) {
                self.printer.line(
                    &self.printer.paint(Tone::Faint, &format!("         help: {}", safe_text::line(help))),
                );
            }
        }
        let hidden = told.len().saturating_sub(most);
        if hidden > 0 {
            self.printer.line(&format!("         more rules: {hidden}; ab show RUN lists them"));
        }
    }
}

fn worker_of<'p>(plan: &'p Plan, unit: &PlannedUnit) -> &'p str {
    plan.units.iter().find(|spec| spec.id == unit.id).map_or("", |spec| spec.worker.as_str())
}

fn verb(class: ActionClass, kind: &str) -> &'static str {
    match (class, kind) {
        (_, "promote") => "promote",
        (ActionClass::Plan, _) => "plan",
        (ActionClass::Fetch, _) => "fetch",
        (ActionClass::Generate, _) => "propose",
        (ActionClass::Execute, _) => "check",
        (ActionClass::Write, _) => "write",
        (ActionClass::Merge, _) => "merge",
        (ActionClass::Deploy, _) => "deploy",
        (ActionClass::Rollback, _) => "back",
    }
}

/// What changes, in few words: the first files and the sums.
pub(crate) fn summary(facts: &Facts) -> String {
    if facts.files.is_empty() {
        return "no file (+0 −0)".to_owned();
    }
    let names: Vec<_> = facts.files.iter().take(2).map(|file| safe_text::line(&file.path)).collect();
    let more = facts.files.len().saturating_sub(names.len());
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    let totals = &facts.totals;
    let binaries = if totals.binaries > 0 { format!(", {} binary", totals.binaries) } else { String::new() };
    format!("{}{more} (+{} −{}{binaries})", names.join(", "), totals.added, totals.removed)
}
