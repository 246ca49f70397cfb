//! Where the policy comes from that advice is given by, and how it is exchanged: whole and at once, or not at all.

use std::path::PathBuf;

use abide_core::id::Digest;
use abide_core::safe_text;

use super::answer::Desk;
use crate::bundles::active::Generations;
use crate::cli::Shell;
use crate::cli::policy::{Files, Which};
use crate::layers::organisation::Activations;
use crate::policy::Policy;
use crate::report::Failure;
use crate::{repository, wiring};

/// Where the policy comes from.
#[derive(Debug, Clone)]
pub(crate) enum Source {
    /// The target branch of a repository: the policy in force there.
    Branch(Option<PathBuf>),
    /// A folder as it lies there.
    Folder(PathBuf),
}

impl Source {
    /// What changes whenever the policy may have.
    fn stamp(&self, shell: &Shell) -> Result<String, Failure> {
        match self {
            Self::Branch(repo) => {
                let known = repository::open(shell, repo.as_deref())?;
                let ledger = wiring::ledger(&known.state)?;
                let (version, layer) = (Generations::of(&ledger)?.floor(), Activations::of(&ledger)?.floor());
                Ok(format!("{} {version} {layer}", known.head(&known.state.repository.target)?))
            }
            Self::Folder(folder) => {
                let files = Files::open(shell, &which(folder))?;
                let mut text = Vec::new();
                for (path, bytes) in files.base.iter().chain(files.layer()) {
                    text.extend_from_slice(format!("{path} {}\n", Digest::of(bytes)).as_bytes());
                }
                Ok(Digest::of(&text).to_string())
            }
        }
    }

    /// Reads and prepares the policy.
    fn load(&self, shell: &Shell) -> Result<Policy, Failure> {
        match self {
            Self::Branch(repo) => {
                let known = repository::open(shell, repo.as_deref())?;
                let config = known.config()?;
                let ledger = wiring::ledger(&known.state)?;
                Policy::in_force(
                    &ledger,
                    &known.policies(&config)?,
                    &config,
                    &abide_gate::source::Files::new(),
                )
            }
            Self::Folder(folder) => {
                let files = Files::open(shell, &which(folder))?;
                files.policy(None)
            }
        }
    }
}

fn which(folder: &std::path::Path) -> Which {
    Which { repo: None, dir: Some(folder.to_owned()), layer: None }
}

/// Keeps a desk up to date.
pub(crate) struct Watch {
    shell: Shell,
    source: Source,
    /// Of what was read last; `None` if even that could not be told.
    stamp: Option<String>,
}

impl Watch {
    /// Reads the policy for the first time. A server does not start with one that is broken.
    pub(crate) fn start(shell: Shell, source: Source) -> Result<(Self, Policy), Failure> {
        // The stamp first: what changes in between is seen at the next look.
        let stamp = source.stamp(&shell)?;
        let policy = source.load(&shell)?;
        Ok((Self { shell, source, stamp: Some(stamp) }, policy))
    }

    /// Looks whether the policy is another, and puts it in force.
    pub(crate) fn look(&mut self, desk: &Desk) {
        let stamp = match self.source.stamp(&self.shell) {
            Ok(stamp) if self.stamp.as_ref() == Some(&stamp) => return,
            Ok(stamp) => stamp,
            Err(failure) => {
                self.stamp = None;
                return Self::broke(desk, &failure);
            }
        };
        self.stamp = Some(stamp);
        match self.source.load(&self.shell) {
            Ok(policy) => {
                let why = policy.degraded.clone();
                let digest = desk.exchange(policy.bundle, policy.degraded);
                match why {
                    None => tracing::info!(bundle = %digest, "another policy is in force"),
                    Some(why) => {
                        tracing::warn!(bundle = %digest, code = "AB0262", %why, "an older policy answers");
                    }
                }
            }
            Err(failure) => Self::broke(desk, &failure),
        }
    }

    fn broke(desk: &Desk, failure: &Failure) {
        let why = safe_text::line(&failure.what);
        tracing::warn!(code = failure.code, why = %why, "the policy cannot be read");
        desk.broke(failure.code, &why);
    }
}
