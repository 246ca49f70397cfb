//! The gate's ports: where decisions become durable, and where the kill switch is read.

use abide_core::id::{RunId, Seq};
use abide_gate::{DecisionLog, DecisionRecord, Halt, HaltState, PortError};
use serde_json::{Value, json};

use crate::leaf::{Blob, Draft, Leaf, LeafError};
use crate::ledger::Ledger;
use crate::store::{Guard, StoreError};

impl DecisionLog for Ledger {
    fn append(&self, record: &DecisionRecord) -> Result<Seq, PortError> {
        let draft = draft(record).map_err(|error| port("decision log", error.into()))?;
        let places =
            self.store().append(vec![draft], Guard::Free).map_err(|error| port("decision log", error))?;
        places.first().copied().ok_or_else(|| port("decision log", StoreError::Silent))
    }
}

impl Halt for Ledger {
    fn state(&self, run: &RunId) -> Result<HaltState, PortError> {
        self.store().halt(run).map_err(|error| port("kill switch", error))
    }
}

fn port(port: &'static str, error: StoreError) -> PortError {
    PortError { port, source: Box::new(error) }
}

/// The event of a decision, with the bytes that it cites.
pub(crate) fn draft(record: &DecisionRecord) -> Result<Draft, LeafError> {
    let decision = &record.decision;
    let action: Value = serde_json::from_slice(&record.action_bytes)
        .map_err(|_| LeafError::Bytes { why: "the action is not JSON" })?;
    let rules: Vec<&str> = decision.findings.iter().map(|finding| finding.rule.as_str()).collect();
    let mut data = json!({
        "run": record.run.as_str(),
        "class": record.class.as_str(),
        "kind": record.kind,
        "verdict": decision.verdict.as_str(),
        "rules": rules,
        "action": action,
        "action_digest": decision.action.as_str(),
        "digest": record.digest.as_str(),
        "input": decision.input.as_str(),
        "bundle": decision.bundle.as_str(),
        "engine": decision.engine,
        "expires": record.expires.0.to_string(),
        "epoch": record.epoch.0.to_string(),
    });
    if let Value::Object(fields) = &mut data {
        let optional = [("unit", &record.unit), ("fault", &decision.fault)];
        fields.extend(
            optional
                .into_iter()
                .filter_map(|(name, text)| Some((name.to_owned(), Value::String(text.clone()?)))),
        );
    }
    let blobs = vec![
        Blob::new("action", record.action_bytes.clone()),
        Blob::new("input", record.input_bytes.clone()),
        Blob::new("decision", record.decision_bytes.clone()),
    ];
    Ok(Draft { leaf: Leaf::new(Some(record.run.clone()), "DecisionRecorded", record.at, data)?, blobs })
}

#[cfg(test)]
mod tests;
