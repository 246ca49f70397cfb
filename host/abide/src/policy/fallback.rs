//! The policy before, where the newest cannot be loaded and the operator chose in data that it keeps serving.
//!
//! The choice is `on_broken_policy` in `data/host.yaml` of the policy that would serve, so it was signed for with it. The default is `deny`.

use abide_core::event::{Body, Event};
use abide_core::id::Digest;
use abide_gate::Bundle;
use abide_gate::source::{Added, Files, Layer};
use abide_ledger::Ledger;
use serde_json::Value;

use super::Policy;
use crate::bundles::active::Generations;
use crate::config::Config;
use crate::layers::{AB_YML, RENDERED, TIGHTEN_JSON, render};
use crate::report::Failure;

/// The policy that keeps serving, if there is one and it says so.
///
/// Where the repository's rules are broken, the base in force serves with the rules of the last decision. Where the base itself is broken, the
/// version before it serves with the repository's rules as they stand.
pub(super) fn serve(
    ledger: &Ledger,
    generations: &Generations<'_>,
    added: &Added,
    config: &Config,
    fault: &Failure,
) -> Option<Policy> {
    // Whose fault it is: the base loads by itself, or it does not.
    let without = Added { repository: Files::new(), ..added.clone() };
    let sound = generations.current().ok().filter(|base| Policy::on(base, &without, config).is_ok());
    let (policy, what) = if let Some(base) = sound {
        let last = Added { repository: last_rules(ledger)?, ..without };
        let policy = Policy::on(&base, &last, config).ok()?;
        (policy, "the repository's rules of the last decision keep serving".to_owned())
    } else {
        let floor = generations.floor();
        let base = generations.before(floor).ok().filter(|_| floor > 0)?;
        let policy = Policy::on(&base, added, config).ok()?;
        let what = match base.version() {
            0 => "the built-in policy keeps serving".to_owned(),
            version => format!("version {version} keeps serving"),
        };
        (policy, what)
    };
    let why = format!("{fault}; {what}");
    keeps_serving(&policy).then(|| Policy { degraded: Some(abide_core::safe_text::line(&why)), ..policy })
}

fn keeps_serving(policy: &Policy) -> bool {
    policy.bundle.data().pointer("/host/on_broken_policy").and_then(Value::as_str) == Some("previous")
}

/// The repository's own rules as they were when the last decision was made.
fn last_rules(ledger: &Ledger) -> Option<Files> {
    let runs = ledger.store().runs().ok()?;
    let digest = runs.iter().rev().find_map(|run| {
        let events = ledger.events_of(&run.id).ok()?;
        events.iter().rev().find_map(|record| bundle_of(record.leaf.bytes()))
    })?;
    let blob = ledger.store().blob(&digest).ok()??;
    let bundle = Bundle::from_bytes(blob.bytes()).ok().filter(|bundle| *bundle.digest() == digest)?;
    let layers = bundle.modules().iter().filter_map(|(path, text)| {
        let repository = Layer::Repository;
        let own = path.strip_prefix(repository.folder()).filter(|own| *own != AB_YML)?;
        if Layer::of(path) != Some(repository) {
            return None;
        }
        if own == RENDERED {
            // The document, not what was made of it: the host measures by it.
            return Some((TIGHTEN_JSON.to_owned(), render::document_in(text)?.into_bytes()));
        }
        Some((own.to_owned(), text.clone().into_bytes()))
    });
    Some(layers.collect())
}

fn bundle_of(bytes: &[u8]) -> Option<Digest> {
    let event: Event = serde_json::from_slice(bytes).ok()?;
    if let Body::DecisionRecorded(decision) = event.body { Some(decision.bundle) } else { None }
}
