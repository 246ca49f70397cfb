//! The order law: nothing was done but on an allow that came before it, of exactly this deed, once, and not after the kill switch.

use std::collections::{BTreeMap, BTreeSet};

use abide_core::id::Digest;
use serde_json::Value;

use super::verify::{Entry, Evidence};
use crate::leaf::decimal;
use crate::report::Report;

/// A kind of event that says that something was done on a decision.
struct Deed {
    kind: &'static str,
    class: &'static str,
    actions: &'static [&'static str],
    /// Field of the event, and where the action says the same.
    fields: &'static [(&'static str, &'static str)],
    when: When,
}

/// When a deed may be written down.
#[derive(Clone, Copy, PartialEq, Eq)]
enum When {
    /// While its decision stands: unexpired, in its epoch, not halted.
    Standing,
    /// In its epoch and not halted; it may take longer than its permit lives.
    Epoch,
    /// At any time after the decision: it is something seen, or it spent its record when it began.
    Any,
    /// At any time: the way back is always open.
    Back,
}

const REF: &[(&str, &str)] = &[("ref", "target"), ("old", "expected"), ("new", "commit")];

#[rustfmt::skip]
const DEEDS: [Deed; 11] = [
    Deed { kind: "PlanAdopted", class: "PLAN", actions: &["adopt-plan"], fields: &[("plan", "plan")], when: When::Any },
    Deed { kind: "PatchProposed", class: "GENERATE", actions: &["run-worker"], fields: &[("unit", "unit"), ("component", "component"), ("base", "base")], when: When::Any },
    Deed { kind: "SourcePromoted", class: "FETCH", actions: &["hold-source"], fields: &[("source", "source/name"), ("definition", "source/definition"), ("from", "source/state"), ("to", "source/to")], when: When::Any },
    Deed { kind: "PatchCommitted", class: "WRITE", actions: &["commit-patch", "adopt-commit"], fields: &[("unit", "unit"), ("branch", "branch"), ("base", "base"), ("tree", "tree")], when: When::Standing },
    Deed { kind: "ChecksFinished", class: "EXECUTE", actions: &["run-checks"], fields: &[("unit", "unit"), ("commit", "commit")], when: When::Any },
    Deed { kind: "RefMoveAllowed", class: "MERGE", actions: &["merge"], fields: &[("repo", "repo"), ("ref", "target"), ("old", "expected"), ("new", "commit")], when: When::Standing },
    Deed { kind: "Merged", class: "MERGE", actions: &["merge"], fields: REF, when: When::Any },
    Deed { kind: "Reverted", class: "MERGE", actions: &["revert"], fields: &[("ref", "target"), ("old", "expected"), ("undoes", "undoes")], when: When::Standing },
    Deed { kind: "CanaryStarted", class: "DEPLOY", actions: &["deploy"], fields: &[("environment", "environment"), ("release", "release"), ("commit", "commit")], when: When::Epoch },
    Deed { kind: "Promoted", class: "DEPLOY", actions: &["promote"], fields: &[("environment", "environment"), ("release", "release")], when: When::Epoch },
    Deed { kind: "RolledBack", class: "ROLLBACK", actions: &["rollback"], fields: &[("environment", "plan/environment"), ("from", "plan/from"), ("to", "plan/way/release")], when: When::Back },
];

pub(super) fn check(evidence: &Evidence<'_>, report: &mut Report) {
    let deeds: Vec<(&Deed, &Entry)> = evidence
        .events
        .iter()
        .filter_map(|entry| Some((DEEDS.iter().find(|deed| deed.kind == entry.leaf.kind())?, entry)))
        .collect();
    let each = |test: &dyn Fn(&Deed, &Entry) -> Result<(), String>| -> Result<(), String> {
        deeds.iter().try_for_each(|(deed, entry)| {
            test(deed, entry).map_err(|why| format!("event {} `{}`: {why}", entry.seq, deed.kind))
        })
    };
    let law = Law { evidence, switch: Switch::read(evidence) };
    report.add(
        "decided",
        "AB0438",
        each(&|deed, entry| law.decided(deed, entry))
            .map(|()| format!("{} deeds, each on an allow of exactly this deed", deeds.len())),
    );
    report.add("once", "AB0439", once(&deeds).map(|()| "no decision was used twice".to_owned()));
    report.add(
        "merges",
        "AB0440",
        law.merges().map(|count| format!("{count} protected moves, each on a spent record")),
    );
    report.add(
        "halt",
        "AB0441",
        each(&|deed, entry| law.in_time(deed, entry))
            .and_then(|()| law.epochs())
            .map(|()| law.switch.story()),
    );
    report.add(
        "freeze",
        "AB0442",
        law.freezes().map(|count| format!("nothing moved in a frozen repository ({count} freezes)")),
    );
    report.add(
        "approvals",
        "AB0443",
        law.approvals()
            .map(|count| format!("{count} approvals, each of an action that was asked about before")),
    );
}

/// The turns of the kill switch that concern this run.
struct Switch(Vec<(u64, String, bool)>);

impl Switch {
    fn read(evidence: &Evidence<'_>) -> Self {
        let turns = evidence.events.iter().filter_map(|entry| match entry.leaf.kind() {
            "Killed" => Some((entry, true)),
            "Resumed" => Some((entry, false)),
            _ => None,
        });
        Self(turns.map(|(entry, halted)| (entry.seq, scope(entry), halted)).collect())
    }

    /// Epoch and state just before `seq`.
    fn before(&self, seq: u64) -> (u64, bool) {
        let mut halted = BTreeMap::new();
        let mut epoch: u64 = 0;
        for (_, scope, state) in self.0.iter().filter(|(at, _, _)| *at < seq) {
            epoch = epoch.saturating_add(1);
            halted.insert(scope, *state);
        }
        (epoch, halted.values().any(|state| *state))
    }

    fn story(&self) -> String {
        match self.0.iter().rev().find(|(_, _, halted)| *halted) {
            Some((seq, _, _)) => format!(
                "nothing was done while the kill switch was pulled (last at event {seq}) but the way back"
            ),
            None => "the kill switch was never pulled".to_owned(),
        }
    }
}

fn scope(entry: &Entry) -> String {
    entry.leaf.run().map_or_else(|| entry.text("run").to_owned(), |run| run.as_str().to_owned())
}

struct Law<'a> {
    evidence: &'a Evidence<'a>,
    switch: Switch,
}

impl Law<'_> {
    fn recorded(&self, entry: &Entry) -> Result<&Entry, String> {
        let seq = decimal(entry.text("decision")).ok_or("it cites no decision")?;
        let events = &self.evidence.events;
        let found = events.binary_search_by_key(&seq, |event| event.seq).ok().and_then(|at| events.get(at));
        let found = found
            .filter(|event| event.leaf.kind() == "DecisionRecorded")
            .ok_or_else(|| format!("decision {seq} is not in the packet"))?;
        if found.seq < entry.seq { Ok(found) } else { Err(format!("decision {seq} was made after it")) }
    }

    fn decided(&self, deed: &Deed, entry: &Entry) -> Result<(), String> {
        let decision = self.recorded(entry)?;
        if decision.text("verdict") != "allow" {
            return Err(format!("decision {} is `{}`, not `allow`", decision.seq, decision.text("verdict")));
        }
        if decision.text("class") != deed.class || !deed.actions.contains(&decision.text("kind")) {
            return Err(format!("decision {} is about another kind of action", decision.seq));
        }
        let action =
            decision.data.get("action").and_then(|named| named.get("action")).unwrap_or(&Value::Null);
        let says = |pointer: &str| {
            action.pointer(&format!("/{pointer}")).and_then(Value::as_str).unwrap_or_default()
        };
        // A worker's commit is made after the decision; where the action names one, it is that one.
        let made = says("commit").is_empty() || entry.text("commit").is_empty();
        let commit = [("commit", "commit")].into_iter().filter(|_| !made);
        let differs = deed
            .fields
            .iter()
            .copied()
            .chain(commit)
            .find(|(field, pointer)| entry.text(field) != says(pointer));
        match differs {
            Some((field, _)) => Err(format!("its `{field}` is not what decision {} allowed", decision.seq)),
            None => Ok(()),
        }
    }

    fn in_time(&self, deed: &Deed, entry: &Entry) -> Result<(), String> {
        if matches!(deed.when, When::Any | When::Back) {
            return Ok(());
        }
        let decision = self.recorded(entry)?;
        let (epoch, halted) = self.switch.before(entry.seq);
        if halted {
            return Err("it was done after the kill switch was pulled".to_owned());
        }
        if decimal(decision.text("epoch")) != Some(epoch) {
            return Err(format!("decision {} is of another epoch than {epoch}", decision.seq));
        }
        let expired = decimal(decision.text("expires")).is_none_or(|expires| entry.leaf.at().0 >= expires);
        if deed.when == When::Standing && expired {
            Err(format!("decision {} had expired", decision.seq))
        } else {
            Ok(())
        }
    }

    /// No decision knows of more turns than the packet shows, and none that allows was made while the switch was pulled.
    fn epochs(&self) -> Result<(), String> {
        for decision in self.evidence.events.iter().filter(|entry| entry.leaf.kind() == "DecisionRecorded") {
            let (epoch, halted) = self.switch.before(decision.seq);
            let known = decimal(decision.text("epoch"))
                .ok_or_else(|| format!("decision {} names no epoch", decision.seq))?;
            if known > epoch {
                return Err(format!(
                    "decision {} knows of a turn of the kill switch that the packet leaves out",
                    decision.seq
                ));
            }
            if halted
                && known == epoch
                && decision.text("verdict") == "allow"
                && decision.text("class") != "ROLLBACK"
            {
                return Err(format!(
                    "decision {} allows something while the kill switch was pulled",
                    decision.seq
                ));
            }
        }
        Ok(())
    }

    /// A protected reference moved only after a record of exactly this move was spent. A run that was interrupted between the move and its
    /// event asks the gate again, so the merge may cite a later decision than the record that it spent.
    fn merges(&self) -> Result<usize, String> {
        let (mut open, mut count) = (Vec::new(), 0_usize);
        for entry in &self.evidence.events {
            let step = (entry.text("ref"), entry.text("old"), entry.text("new"));
            match entry.leaf.kind() {
                "RefMoveAllowed" => open.push(step),
                "Merged" => {
                    let spent = open.iter().position(|spent| *spent == step);
                    let spent = spent
                        .ok_or_else(|| format!("event {} `Merged`: its record was never spent", entry.seq))?;
                    open.swap_remove(spent);
                    count = count.saturating_add(1);
                }
                _ => {}
            }
        }
        Ok(count)
    }

    fn freezes(&self) -> Result<usize, String> {
        let (mut frozen, mut count) = (BTreeSet::new(), 0_usize);
        for entry in &self.evidence.events {
            match entry.leaf.kind() {
                "Frozen" => {
                    count = count.saturating_add(1);
                    frozen.insert(entry.text("repo"));
                }
                "Unfrozen" => drop(frozen.remove(entry.text("repo"))),
                "RefMoveAllowed" if frozen.contains(entry.text("repo")) => {
                    return Err(format!(
                        "event {} `RefMoveAllowed`: repository `{}` was frozen",
                        entry.seq,
                        entry.text("repo")
                    ));
                }
                _ => {}
            }
        }
        Ok(count)
    }

    /// Each approval answers a question about the same action; each approval that a policy was told of was given before.
    fn approvals(&self) -> Result<usize, String> {
        let mut asked: BTreeMap<&str, &str> = BTreeMap::new();
        let mut given: BTreeSet<(String, String, String, u64)> = BTreeSet::new();
        for entry in &self.evidence.events {
            match entry.leaf.kind() {
                "ReviewRequested" => drop(asked.insert(entry.text("item"), entry.text("action"))),
                "Approved" => {
                    if asked.get(entry.text("item")) != Some(&entry.text("action")) {
                        return Err(format!(
                            "event {} `Approved`: nobody had asked about this action",
                            entry.seq
                        ));
                    }
                    let text = |field| entry.text(field).to_owned();
                    given.insert((text("by"), text("role"), text("action"), entry.leaf.at().0));
                }
                "DecisionRecorded" => self.told(entry, &given)?,
                _ => {}
            }
        }
        Ok(given.len())
    }

    fn told(&self, decision: &Entry, given: &BTreeSet<(String, String, String, u64)>) -> Result<(), String> {
        let input =
            decision.text("input").parse::<Digest>().ok().and_then(|digest| self.evidence.blobs.get(&digest));
        let input: Value = input
            .and_then(|bytes| serde_json::from_slice(bytes).ok())
            .ok_or_else(|| format!("decision {}: its input is missing", decision.seq))?;
        let approvals =
            input.get("approvals").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        for approval in approvals {
            let text = |field| approval.get(field).and_then(Value::as_str).unwrap_or_default().to_owned();
            let at = approval.get("at").and_then(Value::as_u64).unwrap_or(u64::MAX);
            if !given.contains(&(text("by"), text("role"), text("action"), at)) {
                return Err(format!(
                    "decision {} was told of an approval that nobody had given",
                    decision.seq
                ));
            }
        }
        Ok(())
    }
}

/// Each kind of deed at most once on each decision.
fn once(deeds: &[(&Deed, &Entry)]) -> Result<(), String> {
    let mut seen = BTreeSet::new();
    match deeds.iter().find(|(deed, entry)| !seen.insert((deed.kind, entry.text("decision")))) {
        Some((deed, entry)) => Err(format!(
            "event {} `{}`: decision {} was used before",
            entry.seq,
            deed.kind,
            entry.text("decision")
        )),
        None => Ok(()),
    }
}
