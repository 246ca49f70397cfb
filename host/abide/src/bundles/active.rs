//! The whole policy that is in force: the newest that people signed, or what is built in.

use abide_core::event::{Body, PolicyActivated};
use abide_core::id::Digest;
use abide_gate::source::Files;

use super::contents::{Contents, ContentsError, Parts};
use super::judgement::{InForce, Judgement};
use super::manifest::Manifest;
use super::on_record::{Cited, Held, OnRecord, Record};
use crate::embedded;
use crate::report::Failure;

/// The policy that everything else is added to. Without a record it is what ships with this binary.
pub(crate) type Base = Held<PolicyActivated>;

/// The whole policies on record.
pub(crate) type Generations<'a> = OnRecord<'a, PolicyActivated>;

impl Base {
    /// What ships with this binary.
    pub(crate) fn built_in() -> Self {
        Self::first()
    }
}

impl InForce {
    /// What is built in, where no log says otherwise.
    pub(crate) fn built_in() -> Self {
        Self::first::<PolicyActivated>()
    }
}

impl Record for PolicyActivated {
    const KIND: &'static str = "PolicyActivated";
    const TOLD: &'static str = "policy";

    fn of(body: Body) -> Option<Self> {
        if let Body::PolicyActivated(record) = body { Some(*record) } else { None }
    }

    fn cited(&self) -> Cited<'_> {
        Cited {
            version: self.version.0,
            archive: &self.archive,
            signatures: &self.signatures,
            signers: &self.signers,
            signed: &self.signed,
            by: &self.by,
            reason: &self.reason,
        }
    }

    fn is_of(&self, manifest: &Manifest) -> bool {
        manifest.layer().is_none()
    }

    fn follows(&self, policy: &Parts, judgement: &Judgement) -> Vec<(&'static str, bool)> {
        vec![
            ("bundle", self.bundle == policy.bundle),
            ("hard", self.hard == policy.hard),
            ("invariants", self.invariants == policy.invariants),
            ("hard_changed", self.hard_changed == judgement.hard_changed),
        ]
    }

    fn recorded(&self) -> Option<(Digest, Digest)> {
        Some((self.hard.clone(), self.invariants.clone()))
    }

    fn first_files() -> Files {
        embedded::POLICIES.iter().map(|(path, bytes)| ((*path).to_owned(), bytes.to_vec())).collect()
    }

    fn first(built_in: &[Parts]) -> Result<Vec<Parts>, ContentsError> {
        Ok(built_in.to_vec())
    }

    fn parts(files: &Files) -> Result<Parts, ContentsError> {
        Parts::of(files).map(|(parts, _, _)| parts)
    }

    fn part(contents: &Contents) -> Result<Option<Digest>, Failure> {
        Ok(Some(contents.policy.bundle.clone()))
    }
}
