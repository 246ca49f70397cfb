//! Facts and risk of a change, as the gate is told them: measured from git trees, with what the same sponsor changed lately added in.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "picks a few events out of many; the spine matches all of them"
)]

use std::collections::BTreeMap;

use abide_core::event::{Body, Event};
use abide_core::facts::delta::TreeDelta;
use abide_core::facts::{Facts, WindowFacts};
use abide_core::id::{Digest, RunId, Seq};
use abide_core::input::RiskInput;

use crate::desk::Desk;
use crate::report::Failure;

/// A change as it was measured.
#[derive(Debug, Clone)]
pub(crate) struct Measured {
    /// The facts.
    pub(crate) facts: Facts,
    /// The risk that they amount to.
    pub(crate) risk: RiskInput,
}

/// Measures `delta` on behalf of `sponsor`.
pub(crate) fn measure(desk: &Desk, delta: &TreeDelta, sponsor: &str) -> Result<Measured, Failure> {
    let earlier = window(desk, sponsor)?;
    let facts = desk.policy.meter.measure(delta, earlier);
    let risk = desk.policy.risk.assess(&facts);
    Ok(Measured { facts, risk })
}

/// Events that tell what merged for whom, and whether a person looked.
const WINDOW_KINDS: [&str; 5] = ["RunStarted", "PatchCommitted", "ReviewRequested", "Approved", "Merged"];

/// What merged for `sponsor` in the last hours without a person looking at it. What a person approved has been judged as a whole already.
fn window(desk: &Desk, sponsor: &str) -> Result<WindowFacts, Failure> {
    let hours = desk.policy.window_hours;
    let since = desk.now().0.saturating_sub(hours.saturating_mul(3_600_000));
    let events = desk.of_kinds(&WINDOW_KINDS)?;
    let mut window = WindowFacts { hours, ..WindowFacts::default() };
    for digest in merged_alone(&events, sponsor, since) {
        let facts: Facts = desk.value(&digest)?;
        window = window.and_this(&facts.totals, &facts.by_zone());
    }
    Ok(window)
}

/// Facts of changes that merged since `since` for `sponsor` without an approval, in log order.
fn merged_alone(events: &[(Seq, Event)], sponsor: &str, since: u64) -> Vec<Digest> {
    let mut sponsors: BTreeMap<&RunId, &str> = BTreeMap::new();
    let mut facts: BTreeMap<(&RunId, &str), &Digest> = BTreeMap::new();
    let mut approved: std::collections::BTreeSet<(&RunId, &str)> = std::collections::BTreeSet::new();
    let mut waiting: BTreeMap<&str, (&RunId, &str)> = BTreeMap::new();
    let mut merged = Vec::new();
    for (_, event) in events {
        let Some(run) = &event.run else { continue };
        match &event.body {
            Body::RunStarted(started) => drop(sponsors.insert(run, &started.sponsor)),
            Body::PatchCommitted { unit, facts: digest, .. } => drop(facts.insert((run, unit), digest)),
            Body::ReviewRequested { item, unit: Some(unit), .. } => drop(waiting.insert(item, (run, unit))),
            Body::Approved { item, .. } => approved.extend(waiting.get(item.as_str())),
            Body::Merged { unit: Some(unit), .. }
                if event.at >= since
                    && sponsors.get(run) == Some(&sponsor)
                    && !approved.contains(&(run, unit.as_str())) =>
            {
                merged.extend(facts.get(&(run, unit.as_str())).map(|digest| (*digest).clone()));
            }
            _ => {}
        }
    }
    merged
}
