//! Judging again what a log says of policies: who signed for the one that came into force, and which one a decision was made by.
//!
//! For `ab verify`. Nothing is taken from this host but the program itself: not its `signers.yaml`, not its clock, not its policy in force.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use abide_core::canonical;
use abide_core::event::{Body, Event, PolicyActivated};
use abide_core::id::Digest;
use abide_gate::source::LAYERS;
use abide_gate::{BundleText, Judge as _, Question};
use abide_ledger::packet::{Activated, Activation, Fault, Judges};
use abide_sandbox::SealedJudge;
use serde_json::Value;

use super::Contents;
use super::active::Base;
use super::audience::Here;
use super::contents::{ContentsError, Parts};
use super::judgement::{InForce, Judgement};
use super::proof;
use super::signatures::Signatures;
use super::signers::{Recorded, Signers};
use crate::config::env::Env;
use crate::sealed;

/// Judges what was judged, by the bytes that the log has.
pub(crate) struct Again {
    /// Policies that need no signature, because they are built into a program that the reader trusts.
    built_in: Vec<Parts>,
    /// Archives that were read, by digest: each packet of a log has the same ones.
    read: RefCell<BTreeMap<Digest, Rc<Contents>>>,
    /// Where the sealed judge is kept. Without it everything is judged in this process.
    wall: Option<Env>,
}

impl Again {
    /// Trusts what is built into this program, and `others` that the reader vouches for.
    pub(crate) fn trusting(others: Vec<Parts>) -> Result<Self, ContentsError> {
        let (own, _, _) = Parts::of(&Base::built_in().files)?;
        let built_in = std::iter::once(own).chain(others).collect();
        Ok(Self { built_in, read: RefCell::default(), wall: None })
    }

    /// Makes decisions of a sealed judge again behind the wall, if this program carries one.
    pub(crate) fn with_wall(self, env: Env) -> Self {
        Self { wall: sealed::carried().is_some().then_some(env), ..self }
    }

    fn contents(&self, one: &Activation<'_>, archive: &Digest) -> Result<Rc<Contents>, Fault> {
        if let Some(known) = self.read.borrow().get(archive) {
            return Ok(Rc::clone(known));
        }
        let bytes = cited(one, archive, "archive")?;
        let contents = Contents::read(&bytes).map_err(|error| format!("{error} [{}]", error.code()))?;
        let contents = Rc::new(contents);
        self.read.borrow_mut().insert(archive.clone(), Rc::clone(&contents));
        Ok(contents)
    }

    /// What the next one is compared with.
    fn in_force(&self, before: Option<&Activation<'_>>) -> Result<Vec<InForce>, Fault> {
        let Some(before) = before else {
            let built_in = |parts: &Parts| InForce {
                version: 0,
                archive: None,
                policy: Some(parts.clone()),
                recorded: None,
            };
            return Ok(self.built_in.iter().map(built_in).collect());
        };
        let record = recorded(before)?;
        let policy = self.contents(before, &record.archive)?.policy.clone();
        let (version, archive) = (record.version.0, Some(record.archive));
        Ok(vec![InForce { version, archive, policy: Some(policy), recorded: None }])
    }
}

impl Judges for Again {
    /// By the judge that made it. Where this program has no sealed one the native one stands in: it answers the same, but for what only the
    /// wall ends.
    fn decision(&self, bundle: &[u8], input: &[u8], engine: &str) -> Result<Vec<u8>, Fault> {
        let wall = self.wall.as_ref().filter(|_| abide_gate::sealed::module_of(engine).is_some());
        let Some(env) = wall else { return Ok(abide_gate::recompute(bundle, input, engine)?) };
        let module = sealed::module(env).map_err(|failure| failure.what.clone())?;
        let judge = SealedJudge::load(&module, BundleText::from_bytes(bundle)?)?;
        let question = Question::from_bytes(input.to_vec())?;
        Ok(abide_gate::sealed::signed_by(judge.decide(&question), engine)?)
    }

    fn activation(&self, one: &Activation<'_>, before: Option<&Activation<'_>>) -> Result<Activated, Fault> {
        let record = recorded(one)?;
        let contents = self.contents(one, &record.archive)?;
        let signatures = Signatures::parse(&cited(one, &record.signatures, "signatures")?)
            .map_err(|error| format!("{error} [{}]", error.code()))?;
        let Recorded { signers, repository, proof } =
            Signers::of_record(&cited(one, &record.signers, "list of signers")?)?;
        // Which release put the first one in force is not on record: one that the reader trusts must do.
        let mut why: Option<Fault> = None;
        let here = Here { now: one.at, repository };
        let proved = proof.is_some_and(|proof| proof.is_of(&contents.policy));
        for in_force in self.in_force(before)? {
            let judgement = Judgement::of(&contents, &signatures, Ok(&signers), &in_force, &here);
            match follows(&record, &contents, &judgement, &in_force) {
                Ok(()) if !proof::is_owed(&contents.policy) || proved => {
                    return Ok(activated(&contents, here.repository));
                }
                Ok(()) => return Err("nobody checked whether it keeps its invariants".into()),
                Err(fault) => why = why.or(Some(fault.into())),
            }
        }
        Err(why.unwrap_or_else(|| "there is nothing to compare it with".into()))
    }

    fn base(&self, bundle: &[u8]) -> Result<Digest, Fault> {
        let mut stored: Value = serde_json::from_slice(bytes_of(bundle)?)?;
        let modules = stored.get_mut("modules").and_then(Value::as_object_mut).ok_or("it has no modules")?;
        modules.retain(|path, _| !path.starts_with(LAYERS));
        Ok(Digest::of(&canonical::jcs(&stored)?))
    }

    fn built_in(&self, base: &Digest) -> Option<bool> {
        let found = self.built_in.iter().find(|parts| parts.bundle == *base)?;
        Some(keeps_serving(&found.bytes))
    }
}

/// Bytes that name no field twice: what is counted here is what was judged by.
fn bytes_of(bundle: &[u8]) -> Result<&[u8], Fault> {
    abide_gate::source::plain_json(bundle)?;
    Ok(bundle)
}

fn activated(contents: &Contents, repository: Option<String>) -> Activated {
    Activated {
        version: contents.manifest.version(),
        repository,
        base: contents.policy.bundle.clone(),
        keeps_serving: keeps_serving(&contents.policy.bytes),
    }
}

fn keeps_serving(bundle: &[u8]) -> bool {
    let stored: Value = serde_json::from_slice(bundle).unwrap_or_default();
    stored.pointer("/data/host/on_broken_policy").and_then(Value::as_str) == Some("previous")
}

fn recorded(one: &Activation<'_>) -> Result<PolicyActivated, Fault> {
    let event: Event = serde_json::from_slice(one.event)?;
    let Body::PolicyActivated(record) = event.body else { return Err("it is no activation".into()) };
    Ok(*record)
}

fn cited(one: &Activation<'_>, digest: &Digest, what: &str) -> Result<Vec<u8>, Fault> {
    let bytes = (one.cited)(digest).ok_or_else(|| format!("its {what} {} is missing", digest.short()))?;
    if Digest::of(&bytes) == *digest { Ok(bytes) } else { Err(format!("its {what} was changed").into()) }
}

/// Whether it could be put in force, and the record says what follows from the bytes.
fn follows(
    record: &PolicyActivated,
    contents: &Contents,
    judgement: &Judgement,
    in_force: &InForce,
) -> Result<(), String> {
    if let Some(refusal) = judgement.refusals.first() {
        return Err(format!("{} [{}]", refusal.why, refusal.code));
    }
    if in_force.archive.as_ref() == Some(&record.archive) {
        return Err("it was in force already".to_owned());
    }
    let policy = &contents.policy;
    let says = [
        ("version", record.version.0 == contents.manifest.version()),
        ("bundle", record.bundle == policy.bundle),
        ("hard", record.hard == policy.hard),
        ("invariants", record.invariants == policy.invariants),
        ("hard_changed", record.hard_changed == judgement.hard_changed),
        ("signed", record.signed == judgement.record()),
    ];
    match says.iter().find(|(_, same)| !same) {
        Some((field, _)) => Err(format!("its `{field}` does not follow from the bytes that it cites")),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests;
