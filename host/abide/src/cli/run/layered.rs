//! A run with a layer of its own, and a policy in the shadow of either.

use std::path::Path;
use std::sync::Arc;

use abide_core::id::RunId;
use abide_gate::source::{Files, Layer};
use abide_ledger::Ledger;

use super::Bench;
use crate::cli::Shell;
use crate::config::Config;
use crate::config::env::Env;
use crate::desk::Desk;
use crate::drive;
use crate::layers::{self, Source, looser};
use crate::policy::Policy;
use crate::report::{Exit, Failure};
use crate::sealed;
use crate::shadow::Shadow;
use crate::shadow::candidate::{self, Around, Candidate};
use crate::wiring;

impl Bench {
    /// The desk of a run that began with a layer of its own; none where the common one serves.
    pub(super) fn desk_of(&self, shell: &Shell, run: &RunId) -> Result<Option<Desk>, Failure> {
        let state = drive::fold(run, &self.desk.history(run)?)?;
        let layer = match layers::run::of(&self.desk.ledger, &state.started) {
            Ok(layer) => layer,
            // A halted run wants nothing but the way back, which no layer closes.
            Err(_) if state.halted => return Ok(None),
            Err(failure) => return Err(failure),
        };
        if layer.is_empty() {
            return Ok(None);
        }
        let ledger = Arc::clone(&self.desk.ledger);
        match self.tightened(&layer) {
            Ok(policy) => {
                let env = super::under(policy.execution.asked(shell.env.no_exec), &shell.env);
                let shadow = shadow(&ledger, &self.own, &self.config, &layer, &env);
                wiring::desk(ledger, policy, shadow, &env).map(Some)
            }
            Err(_) if state.halted => Ok(None),
            Err(failure) => Err(failure),
        }
    }

    /// The policy in force with the layer of a run.
    fn tightened(&self, layer: &Files) -> Result<Policy, Failure> {
        Policy::in_force(&self.desk.ledger, &self.own, &self.config, layer)
    }

    /// Reads the layer of a run that is about to start, and refuses what would not tighten: the person who typed it is still there.
    pub(super) fn layer(&self, file: &Path) -> Result<(Files, Policy), Failure> {
        let layer = layers::run::read(file)?;
        let unfit = |what: String| {
            Failure::new("AB0184", what)
                .help("nothing was recorded; ab explain layers says what a run may bring")
                .exit(Exit::Usage)
        };
        let policy = self.tightened(&layer).map_err(|failure| {
            unfit(format!("the policy does not load with `{}`: {}", file.display(), failure.what))
        })?;
        let run = Source::Layer(Layer::Run);
        let idle = looser::all(policy.bundle.data(), &policy.tightened, self.config.safety_level);
        match idle.iter().find(|loose| loose.source == run) {
            Some(loose) => Err(Failure::new(loose.code, format!("`{}` {}", loose.key, loose.why))
                .help(format!("mend {}; nothing was recorded", file.display()))
                .exit(Exit::Usage)),
            None if policy.degraded.is_some() && self.desk.policy.degraded.is_none() => {
                Err(unfit(format!("the policy does not load with `{}`", file.display())))
            }
            None => Ok((layer, policy)),
        }
    }
}

/// The policy in the shadow, if there is one. What is wrong with it is told where it is asked for, and never here.
pub(super) fn shadow(
    ledger: &Arc<Ledger>,
    repository: &Files,
    config: &Config,
    run: &Files,
    env: &Env,
) -> Option<Arc<Shadow>> {
    let started = candidate::last(ledger).ok()??;
    if started.stopped.is_some() {
        return None;
    }
    let digest = started.record.candidate;
    let (log, named) = (Arc::clone(ledger), digest.clone());
    let around = Around { repository: repository.clone(), config: config.clone(), run: run.clone() };
    let env = env.clone();
    let load = move || {
        let policy = Candidate::read(&log, &named)?.policy(&log, &around)?;
        sealed::behind_the_wall(&env, policy.text)
    };
    Some(Arc::new(Shadow::new(digest, load)))
}
