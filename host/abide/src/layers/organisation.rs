//! The layer of the organisation: what the log says is in force, with the archive that lies beside it.
//!
//! As with a whole policy there is no other state: the newest version on record is in force, and one that cannot be read denies everything.
//! A layer is never left out because it is broken: without it the policy would be looser.

use std::collections::BTreeMap;

use abide_core::canonical;
use abide_core::event::{Body, LayerActivated};
use abide_core::id::Digest;
use abide_gate::source::{self, Added, Files, Layer};
use abide_ledger::Ledger;

use super::Composed;
use crate::bundles::contents::{Contents, ContentsError, Parts};
use crate::bundles::judgement::{InForce, Judgement};
use crate::bundles::manifest::Manifest;
use crate::bundles::on_record::{Cited, Held, OnRecord, Record};
use crate::report::Failure;

/// The layer in force; empty where there is none.
pub(crate) type Organisation = Held<LayerActivated>;

/// The layers on record.
pub(crate) type Activations<'a> = OnRecord<'a, LayerActivated>;

impl Organisation {
    /// What the log says.
    pub(crate) fn of(ledger: &Ledger) -> Result<Self, Failure> {
        Activations::of(ledger)?.current()
    }
}

impl InForce {
    /// No layer, where no log says otherwise.
    pub(crate) fn no_layer() -> Self {
        Self::first::<LayerActivated>()
    }
}

impl Record for LayerActivated {
    const KIND: &'static str = "LayerActivated";
    const TOLD: &'static str = "organisation's layer";

    fn of(body: Body) -> Option<Self> {
        if let Body::LayerActivated(record) = body { Some(*record) } else { None }
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

    fn unknown(&self) -> Option<&'static str> {
        (self.layer != Layer::Organisation.name())
            .then_some("it is of a layer that this version of ab does not know")
    }

    fn is_of(&self, manifest: &Manifest) -> bool {
        manifest.layer() == Some(self.layer.as_str())
    }

    fn follows(&self, policy: &Parts, _: &Judgement) -> Vec<(&'static str, bool)> {
        vec![("files", self.files == policy.bundle)]
    }

    /// A layer has neither, so nothing of it is ever different.
    fn recorded(&self) -> Option<(Digest, Digest)> {
        Parts::no_layer().ok().map(|none| (none.hard, none.invariants))
    }

    fn first_files() -> Files {
        Files::new()
    }

    fn first(_: &[Parts]) -> Result<Vec<Parts>, ContentsError> {
        Ok(vec![Parts::no_layer()?])
    }

    fn parts(files: &Files) -> Result<Parts, ContentsError> {
        Ok(Parts { files: files.clone(), ..Parts::no_layer()? })
    }

    /// What it becomes among the modules of a bundle, its document made into a module by this program.
    fn part(contents: &Contents) -> Result<Option<Digest>, Failure> {
        let added = Added { organisation: contents.policy.files.clone(), ..Added::default() };
        let composed = Composed::of(&added, None)?;
        let sources = source::sort_layered(&Files::new(), &composed.added)
            .map_err(|error| Failure::of(error.code(), error))?;
        modules(&sources.modules)
    }
}

/// Digest of what the organisation has among `modules`; none if it has nothing there.
pub(crate) fn modules(modules: &BTreeMap<String, String>) -> Result<Option<Digest>, Failure> {
    let own: BTreeMap<&String, &String> =
        modules.iter().filter(|(path, _)| Layer::of(path) == Some(Layer::Organisation)).collect();
    if own.is_empty() {
        return Ok(None);
    }
    canonical::digest(&own).map(Some).map_err(|error| Failure::of("AB0124", error))
}
