//! The policy in force: the shipped folder, with what the repository's target branch adds. What it adds may only tighten.

use std::collections::BTreeMap;

use abide_core::facts::config::{ForbiddenPattern, MeasureConfig};
use abide_core::facts::Meter;
use abide_core::risk::RiskConfig;
use abide_gate::{Bundle, source};
use abide_sandbox::workspace::DirWorkspaceLimits;
use abide_sandbox::{EngineLimits, Limits};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::config::Config;
use crate::embedded;
use crate::report::{Exit, Failure};

/// The policy in force, and the host's own settings that come with it.
#[derive(Debug)]
pub(crate) struct Policy {
    /// What judges.
    pub(crate) bundle: Bundle,
    /// What measures.
    pub(crate) meter: Meter,
    /// What weighs.
    pub(crate) risk: RiskConfig,
    /// Hours over which changes are added up.
    pub(crate) window_hours: u64,
    /// Limits of a worker run, by name.
    pub(crate) limits: BTreeMap<String, Limits>,
    /// Limits of the component engine.
    pub(crate) engine: EngineLimits,
    /// Limits of a worker's view of the repository.
    pub(crate) workspace: DirWorkspaceLimits,
}

impl Policy {
    /// The shipped policy with `added` files of the repository's own rules (paths relative to their folder) and what `ab.yml` tightens.
    pub(crate) fn assemble(added: &BTreeMap<String, Vec<u8>>, config: &Config) -> Result<Self, Failure> {
        let shipped: BTreeMap<String, Vec<u8>> =
            embedded::POLICIES.iter().map(|(path, bytes)| ((*path).to_owned(), bytes.to_vec())).collect();
        let bundle = source::assemble_layered(&shipped, added).map_err(|error| {
            let help = error.place().map_or_else(
                || "everything is denied until the policy on the target branch is mended".to_owned(),
                |place| format!("everything is denied until {place} is mended on the target branch"),
            );
            Failure::of(error.code(), error).help(help).exit(Exit::Gate)
        })?;
        Self::of(bundle, config)
    }

    fn of(bundle: Bundle, config: &Config) -> Result<Self, Failure> {
        let data = bundle.data();
        let mut measure = MeasureConfig::from_data(data).map_err(|error| Failure::of(error.code(), error).exit(Exit::Gate))?;
        measure.forbidden_patterns.extend(config.forbidden_patterns.iter().cloned().map(ForbiddenPattern::Literal));
        // Wherever a repository keeps its rules, they govern.
        if let Some(governance) = measure.zones.get_mut("governance") {
            governance.globs.push(format!("{}/**", globset::escape(config.policies.as_str())));
        }
        let meter = Meter::compile(&measure).map_err(|error| Failure::of(error.code(), error).exit(Exit::Gate))?;
        let risk = RiskConfig::from_data(data).map_err(|error| Failure::of(error.code(), error).exit(Exit::Gate))?;
        Ok(Self {
            meter,
            risk,
            window_hours: read(data, "/host/window_hours")?,
            limits: read(data, "/grants/limit_sets")?,
            engine: read(data, "/host/engine")?,
            workspace: read(data, "/host/workspace")?,
            bundle,
        })
    }
}

fn read<T: DeserializeOwned>(data: &Value, pointer: &str) -> Result<T, Failure> {
    let value = data.pointer(pointer).cloned().unwrap_or(Value::Null);
    serde_json::from_value(value)
        .map_err(|error| Failure::new("AB0150", format!("policy data `{pointer}`: {error}")).help("policies/data lists what the host reads").exit(Exit::Gate))
}
