//! That a policy keeps its invariants: checked before it comes into force, over every case of its model, and written down with the activation.
//!
//! A result is kept in the state folder under the digest of everything that it depends on (policy, invariants with their model, and this very
//! program), so that a second repository does not wait for the same answer. Whoever can write there can change `signers.yaml` as well.

use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use abide_core::action::ActionClass;
use abide_core::canonical;
use abide_core::id::{Digest, Timestamp};
use abide_core::safe_text;
use abide_gate::{Invariants, source};
use serde::{Deserialize, Serialize};

use super::contents::Parts;
use super::signers;
use crate::example;
use crate::policy::Policy;
use crate::prove::model::{Model, Product};
use crate::prove::{self, Bundles};
use crate::report::{Exit, Failure};

const SCHEMA: &str = "abide.policy-proof/1";
/// Points from anywhere, as many as `ab policy prove` takes, and no more than the model has cases of its own.
const POINTS_MAX: usize = 300;
/// Bytes of a kept result at most.
const BYTES_MAX: u64 = 4 << 10;

/// That all invariants hold in every case that was judged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Proof {
    schema: String,
    /// Modules and data that were judged.
    policy: Digest,
    /// Invariants and their model.
    invariants: Digest,
    /// The program that judged.
    program: Digest,
    /// Cases.
    pub(crate) cases: u64,
    /// Invariants.
    pub(crate) held: u64,
    /// When, in milliseconds since 1970.
    pub(crate) at: Timestamp,
}

impl Proof {
    /// Whether it is about this policy and these invariants.
    pub(crate) fn is_of(&self, parts: &Parts) -> bool {
        (self.schema.as_str(), &self.policy, &self.invariants) == (SCHEMA, &parts.bundle, &parts.invariants)
    }

    /// One that says so, for tests of what reads it.
    #[cfg(test)]
    pub(crate) fn claimed(parts: &Parts) -> Self {
        Self::new(parts, Digest::of(b"program"), 1, 1, Timestamp(1))
    }

    fn new(parts: &Parts, program: Digest, cases: u64, held: u64, at: Timestamp) -> Self {
        let (policy, invariants) = (parts.bundle.clone(), parts.invariants.clone());
        Self { schema: SCHEMA.to_owned(), policy, invariants, program, cases, held, at }
    }
}

/// Whether a policy has invariants that could be asked. Leaving them out takes those who sign for invariants.
pub(crate) fn is_owed(parts: &Parts) -> bool {
    parts
        .files
        .keys()
        .any(|path| path.starts_with(source::INVARIANTS) && path.strip_suffix(".rego").is_some())
}

/// Results of this program in a folder.
#[derive(Debug)]
pub(crate) struct Proofs {
    folder: PathBuf,
    program: Digest,
}

/// What is being checked, for a progress bar.
pub(crate) struct Work {
    policy: Policy,
    invariants: Invariants,
    model: Model,
}

impl Proofs {
    /// The results in `folder`, which need not exist.
    pub(crate) fn of(folder: PathBuf) -> Result<Self, Failure> {
        let fault = |error: io::Error| Failure::of("AB0004", error).help("this program cannot read itself");
        let program = std::env::current_exe().and_then(fs::read).map_err(fault)?;
        Ok(Self { folder, program: Digest::of(&program) })
    }

    fn file(&self, parts: &Parts) -> Result<PathBuf, Failure> {
        let key = [&parts.bundle, &parts.invariants, &self.program];
        let key = canonical::jcs(&key).map_err(|error| Failure::of("AB0124", error))?;
        Ok(self.folder.join(format!("{}.json", Digest::of(&key).hex())))
    }

    /// A result that was kept. What others could have written, or what cannot be read, is none.
    pub(crate) fn kept(&self, parts: &Parts) -> Result<Option<Proof>, Failure> {
        let file = self.file(parts)?;
        let Ok(bytes) = signers::read_ours(&file, BYTES_MAX) else { return Ok(None) };
        let proof: Option<Proof> = serde_json::from_slice(&bytes).ok();
        Ok(proof.filter(|proof| proof.is_of(parts) && proof.program == self.program))
    }

    /// Keeps a result for the next one who asks.
    pub(crate) fn keep(&self, parts: &Parts, proof: &Proof) -> Result<(), Failure> {
        let file = self.file(parts)?;
        let bytes = canonical::jcs(proof).map_err(|error| Failure::of("AB0124", error))?;
        self.write(&file, &bytes).map_err(|error| {
            Failure::of("AB0004", error).help(format!("{} could not be written", file.display()))
        })
    }

    fn write(&self, file: &Path, bytes: &[u8]) -> io::Result<()> {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.folder)?;
        let mut fresh = tempfile::Builder::new().tempfile_in(&self.folder)?;
        fresh.write_all(bytes)?;
        fresh.as_file().sync_all()?;
        fresh.persist(file).map(drop).map_err(|error| error.error)
    }

    /// Judges every case. AB0267 if an invariant does not hold.
    pub(crate) fn check(
        &self,
        parts: &Parts,
        work: &Work,
        at: Timestamp,
        progress: &(dyn Fn(usize) + Sync),
    ) -> Result<Proof, Failure> {
        let bundles = Bundles::prepare(&work.policy.bundle, &work.model)?;
        let points = POINTS_MAX.min(work.cases());
        let found = prove::check(&work.model, &bundles, &work.invariants, points, progress)?;
        let broken: Vec<String> = found
            .invariants
            .iter()
            .filter(|held| held.violations > 0)
            .map(|held| format!("`{}` ({} cases)", safe_text::line(&held.name), held.violations))
            .collect();
        if !broken.is_empty() || found.cases == 0 {
            let what = if broken.is_empty() { "the model has no case".to_owned() } else { broken.join(", ") };
            return Err(Failure::new("AB0267", format!("it does not keep its invariants: {what}"))
                .exit(Exit::Evidence));
        }
        let number = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
        Ok(Proof::new(parts, self.program.clone(), number(found.cases), number(found.invariants.len()), at))
    }
}

impl Work {
    /// What a policy says of itself.
    pub(crate) fn of(parts: &Parts) -> Result<Self, Failure> {
        let policy = Policy::over(&parts.files, &source::Added::default(), None)?;
        let sources = source::sort(&parts.files)
            .map_err(|error| Failure::of(error.code(), error).exit(Exit::Evidence))?;
        let unusable = |why: &str| Failure::new("AB0195", safe_text::line(why)).exit(Exit::Evidence);
        let invariants =
            Invariants::load(&sources.invariants).map_err(|error| unusable(&error.to_string()))?;
        let text = sources.model.as_deref().ok_or_else(|| {
            unusable("the bundle has invariants and no `invariants/model.yaml` to check them over")
        })?;
        let example = example::input(ActionClass::Merge, "prod-conservative", &policy.meter, &policy.risk)?;
        let model =
            Model::read(text, policy.bundle.data(), example).map_err(|error| unusable(&error.to_string()))?;
        Ok(Self { policy, invariants, model })
    }

    /// Cases of the products of the model.
    pub(crate) fn cases(&self) -> usize {
        self.model.products.iter().map(Product::count).fold(0, usize::saturating_add)
    }
}
