//! Judging again what a log says of policies and of the layers of an organisation: who signed for what came into force, and what a decision was
//! made by.
//!
//! For `ab verify`. Nothing is taken from this host but the program itself: not its `signers.yaml`, not its clock, not its policy in force.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use abide_core::event::{Event, LayerActivated, PolicyActivated};
use abide_core::id::Digest;
use abide_gate::source::Layer;
use abide_gate::{BundleText, Judge as _, Question};
use abide_ledger::packet::{Activated, Activation, Fault, Judges, SignedParts};
use abide_sandbox::SealedJudge;
use serde_json::Value;

use super::Contents;
use super::active::Base;
use super::audience::Here;
use super::contents::{ContentsError, Parts};
use super::judgement::{InForce, Judgement};
use super::on_record::{Cited, Record};
use super::proof;
use super::signatures::Signatures;
use super::signers::{Recorded, Signers};
use crate::config::env::Env;
use crate::layers::organisation;
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
    fn in_force<R: Record>(&self, before: Option<&Activation<'_>>) -> Result<Vec<InForce>, Fault> {
        let Some(before) = before else {
            let first =
                |parts: Parts| InForce { version: 0, archive: None, policy: Some(parts), recorded: None };
            return Ok(R::first(&self.built_in)?.into_iter().map(first).collect());
        };
        let record = recorded::<R>(before)?.ok_or("what came before it is of another kind")?;
        let Cited { version, archive, .. } = record.cited();
        let policy = self.contents(before, archive)?.policy.clone();
        Ok(vec![InForce { version, archive: Some(archive.clone()), policy: Some(policy), recorded: None }])
    }

    /// Judges one record: of a whole policy and of a layer alike.
    fn judged<R: Record>(
        &self,
        one: &Activation<'_>,
        before: Option<&Activation<'_>>,
        record: &R,
    ) -> Result<Activated, Fault> {
        if let Some(why) = record.unknown() {
            return Err(why.into());
        }
        let its = record.cited();
        let contents = self.contents(one, its.archive)?;
        if !record.is_of(&contents.manifest) {
            return Err("its archive is of another kind than its record".into());
        }
        let signatures = Signatures::parse(&cited(one, its.signatures, "signatures")?)
            .map_err(|error| format!("{error} [{}]", error.code()))?;
        let Recorded { signers, repository, proof } =
            Signers::of_record(&cited(one, its.signers, "list of signers")?)?;
        // Which release put the first one in force is not on record: one that the reader trusts must do.
        let mut why: Option<Fault> = None;
        let here = Here { now: one.at, repository };
        let proved = proof.is_some_and(|proof| proof.is_of(&contents.policy));
        for in_force in self.in_force::<R>(before)? {
            let judgement = Judgement::of(&contents, &signatures, Ok(&signers), &in_force, &here);
            match follows(record, &contents, &judgement, &in_force) {
                Ok(()) if !proof::is_owed(&contents.policy) || proved => {
                    return activated::<R>(&contents, here.repository);
                }
                Ok(()) => return Err("nobody checked whether it keeps its invariants".into()),
                Err(fault) => why = why.or(Some(fault.into())),
            }
        }
        Err(why.unwrap_or_else(|| "there is nothing to compare it with".into()))
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
        if let Some(record) = recorded::<PolicyActivated>(one)? {
            return self.judged(one, before, &record);
        }
        let record = recorded::<LayerActivated>(one)?.ok_or("it is no activation")?;
        self.judged(one, before, &record)
    }

    fn signed_parts(&self, bundle: &[u8]) -> Result<SignedParts, Fault> {
        // Bytes that name no field twice: what is looked at here is what was judged by.
        abide_gate::source::plain_json(bundle)?;
        let text = BundleText::from_bytes(bundle)?;
        let layer = organisation::modules(text.modules())?;
        let below = text.modules().iter().filter(|(path, _)| Layer::of(path).is_none());
        let below = below.map(|(path, text)| (path.clone(), text.clone())).collect();
        let base = BundleText::new(below, text.data().clone())?.digest().clone();
        Ok(SignedParts { base, layer })
    }

    fn built_in(&self, base: &Digest) -> Option<bool> {
        let found = self.built_in.iter().find(|parts| parts.bundle == *base)?;
        Some(keeps_serving(&found.bytes))
    }
}

fn activated<R: Record>(contents: &Contents, repository: Option<String>) -> Result<Activated, Fault> {
    Ok(Activated {
        version: contents.manifest.version(),
        repository,
        part: R::part(contents).map_err(|failure| failure.what.clone())?,
        keeps_serving: keeps_serving(&contents.policy.bytes),
    })
}

fn keeps_serving(bundle: &[u8]) -> bool {
    let stored: Value = serde_json::from_slice(bundle).unwrap_or_default();
    stored.pointer("/data/host/on_broken_policy").and_then(Value::as_str) == Some("previous")
}

/// The record of an event; none if it is of another kind.
fn recorded<R: Record>(one: &Activation<'_>) -> Result<Option<R>, Fault> {
    let event: Event = serde_json::from_slice(one.event)?;
    Ok(R::of(event.body))
}

fn cited(one: &Activation<'_>, digest: &Digest, what: &str) -> Result<Vec<u8>, Fault> {
    let bytes = (one.cited)(digest).ok_or_else(|| format!("its {what} {} is missing", digest.short()))?;
    if Digest::of(&bytes) == *digest { Ok(bytes) } else { Err(format!("its {what} was changed").into()) }
}

/// Whether it could be put in force, and the record says what follows from the bytes.
fn follows<R: Record>(
    record: &R,
    contents: &Contents,
    judgement: &Judgement,
    in_force: &InForce,
) -> Result<(), String> {
    if let Some(refusal) = judgement.refusals.first() {
        return Err(format!("{} [{}]", refusal.why, refusal.code));
    }
    let its = record.cited();
    if in_force.archive.as_ref() == Some(its.archive) {
        return Err("it was in force already".to_owned());
    }
    let mut says = vec![
        ("version", its.version == contents.manifest.version()),
        ("signed", its.signed == judgement.record()),
    ];
    says.extend(record.follows(&contents.policy, judgement));
    match says.iter().find(|(_, same)| !same) {
        Some((field, _)) => Err(format!("its `{field}` does not follow from the bytes that it cites")),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests;
