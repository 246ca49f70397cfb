//! The policy in force: the bundle that was activated, or else the shipped folder, with what the repository's target branch adds. What it adds
//! may only tighten.

use std::collections::BTreeMap;

use abide_core::event::PolicyActivated;
use abide_core::facts::Meter;
use abide_core::facts::config::{ForbiddenPattern, MeasureConfig};
use abide_core::risk::RiskConfig;
use abide_core::safe_text;
use abide_gate::{Bundle, source};
use abide_ledger::Ledger;
use abide_sandbox::workspace::DirWorkspaceLimits;
use abide_sandbox::{EngineLimits, Limits};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::bundles::active::{Base, Generations};
use crate::config::Config;
use crate::report::{Exit, Failure};
use crate::sealed::JudgeKind;

mod fallback;

/// Where the layer stands that is made of `ab.yml`. It replaces a file of that name, which nobody can mean.
const AB_YML_LAYER: &str = "ab.yml.rego";

/// What `ab.yml` tightens, as a layer like any other: it is part of the recorded bundle, so a decision can be recomputed from it.
fn tightening(config: &Config) -> Option<String> {
    let mut rules = Vec::new();
    if let Some(lines) = config.change_lines_max {
        rules.push(format!(
            r#"findings contains {{
	"rule": "max-change-size",
	"level": "review",
	"msg": sprintf("%d lines; more than {lines} wait for a person", [lines]),
	"help": "make it smaller, or have a person look: `safety_settings.max_change_size` in ab.yml",
}} if {{
	input.action.class == "MERGE"
	lines := input.facts.totals.added + input.facts.totals.removed
	lines > {lines}
}}
"#
        ));
    }
    if config.require_tests == Some(true) {
        rules.push(
            r#"findings contains {
	"rule": "require-tests",
	"level": "review",
	"msg": "code changes and no test came with it",
	"help": "add a test, or have a person look: `safety_settings.require_tests` in ab.yml",
} if {
	input.action.class == "MERGE"
	"code" in input.facts.categories
	input.facts.tests.added == 0
}
"#
            .to_owned(),
        );
    }
    if let Some(permille) = config.rollback_threshold_permille {
        rules.push(format!(
            r#"findings contains {{
	"rule": "rollback-threshold",
	"level": "deny",
	"msg": sprintf("%d of %d answers were good; {permille} in a thousand are asked for", [input.canary.successes, input.canary.samples]),
	"help": "`safety_settings.rollback_threshold` in ab.yml",
}} if {{
	input.action.kind == "promote"
	input.canary.successes * 1000 < input.canary.samples * {permille}
}}
"#
        ));
    }
    let header = "# METADATA\n# title: Made of ab.yml\n# description: What `safety_settings` tightens.\npackage abide.layers.ab_yml\n\nimport rego.v1\n\n";
    (!rules.is_empty()).then(|| format!("{header}{}", rules.join("\n")))
}

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
    /// Who judges where decisions count.
    pub(crate) judge: JudgeKind,
    /// Under which record it came into force; none for what is built in.
    pub(crate) record: Option<PolicyActivated>,
    /// Why this is not the newest policy, where an older one keeps serving.
    pub(crate) degraded: Option<String>,
}

impl Policy {
    /// What the log says is in force, with `added` files of the repository's own rules (paths relative to their folder) and what `ab.yml`
    /// tightens. What cannot be loaded denies everything, unless the policy in force says that the one before keeps serving.
    pub(crate) fn in_force(
        ledger: &Ledger,
        added: &BTreeMap<String, Vec<u8>>,
        config: &Config,
    ) -> Result<Self, Failure> {
        let generations = Generations::of(ledger)?;
        let found = generations.current().and_then(|base| Self::on(&base, added, config));
        found.or_else(|fault| fallback::serve(ledger, &generations, added, config, &fault).ok_or(fault))
    }

    fn on(base: &Base, added: &BTreeMap<String, Vec<u8>>, config: &Config) -> Result<Self, Failure> {
        let policy = Self::over(&base.files, added, Some(config))?;
        Ok(Self { record: base.record.clone(), ..policy })
    }

    /// The same over any base, and without an `ab.yml` where there is none.
    pub(crate) fn over(
        base: &BTreeMap<String, Vec<u8>>,
        added: &BTreeMap<String, Vec<u8>>,
        config: Option<&Config>,
    ) -> Result<Self, Failure> {
        let mut added = added.clone();
        if let Some(text) = config.and_then(tightening) {
            added.insert(AB_YML_LAYER.to_owned(), text.into_bytes());
        }
        let bundle = source::assemble_layered(base, &added).map_err(|error| {
            let help = error.place().map_or_else(
                || "everything is denied until the policy on the target branch is mended".to_owned(),
                |place| format!("everything is denied until {place} is mended on the target branch"),
            );
            Failure::of(error.code(), error).help(help).exit(Exit::Gate)
        })?;
        Self::of(bundle, config)
    }

    /// Names of the profiles, sorted.
    pub(crate) fn profiles(&self) -> Vec<String> {
        let profiles = self.bundle.data().pointer("/profiles").and_then(Value::as_object);
        profiles.map(|profiles| profiles.keys().cloned().collect()).unwrap_or_default()
    }

    /// Refuses a profile that is not there.
    pub(crate) fn has_profile(&self, name: &str) -> Result<(), Failure> {
        let known = self.profiles();
        if known.iter().any(|profile| profile == name) {
            return Ok(());
        }
        Err(Failure::new("AB0172", format!("there is no profile `{}`", safe_text::line(name)))
            .help(format!("one of {}", known.join(", ")))
            .exit(Exit::Usage))
    }

    fn of(bundle: Bundle, config: Option<&Config>) -> Result<Self, Failure> {
        let data = bundle.data();
        let mut measure = MeasureConfig::from_data(data)
            .map_err(|error| Failure::of(error.code(), error).exit(Exit::Gate))?;
        if let Some(config) = config {
            let own = config.forbidden_patterns.iter().cloned().map(ForbiddenPattern::Literal);
            measure.forbidden_patterns.extend(own);
            // Wherever a repository keeps its rules, they govern.
            if let Some(governance) = measure.zones.get_mut("governance") {
                governance.globs.push(format!("{}/**", globset::escape(config.policies.as_str())));
            }
        }
        let meter =
            Meter::compile(&measure).map_err(|error| Failure::of(error.code(), error).exit(Exit::Gate))?;
        let risk =
            RiskConfig::from_data(data).map_err(|error| Failure::of(error.code(), error).exit(Exit::Gate))?;
        Ok(Self {
            meter,
            risk,
            window_hours: read(data, "/host/window_hours")?,
            limits: read(data, "/grants/limit_sets")?,
            engine: read(data, "/host/engine")?,
            workspace: read(data, "/host/workspace")?,
            // A policy from before there was a choice says nothing about it.
            judge: data
                .pointer("/host/judge")
                .map_or(Ok(JudgeKind::Native), |_| read(data, "/host/judge"))?,
            record: None,
            degraded: None,
            bundle,
        })
    }
}

fn read<T: DeserializeOwned>(data: &Value, pointer: &str) -> Result<T, Failure> {
    let value = data.pointer(pointer).cloned().unwrap_or(Value::Null);
    serde_json::from_value(value).map_err(|error| {
        Failure::new("AB0150", format!("policy data `{pointer}`: {error}"))
            .help("`ab explain host.yaml` and `ab explain grants.yaml` show what the host reads")
            .exit(Exit::Gate)
    })
}
