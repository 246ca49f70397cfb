//! The policy in force: the bundle that was activated, or else the shipped folder, with what the layers add: the organisation, the repository's
//! target branch, `ab.yml` there, and the run. What they add may only tighten.

use std::collections::BTreeMap;

use abide_core::event::{LayerActivated, PolicyActivated};
use abide_core::facts::Meter;
use abide_core::facts::config::MeasureConfig;
use abide_core::risk::RiskConfig;
use abide_core::safe_text;
use abide_gate::source::{self, Added, Files};
use abide_gate::{Bundle, BundleText};
use abide_ledger::Ledger;
use abide_sandbox::workspace::DirWorkspaceLimits;
use abide_sandbox::{EngineLimits, Limits};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::browser::BrowserSettings;
use crate::bundles::active::{Base, Generations};
use crate::bundles::on_record::Held;
use crate::config::Config;
use crate::egress::{EgressHost, EgressPolicy};
use crate::jail::JailSettings;
use crate::layers::organisation::Organisation;
use crate::layers::{Composed, Tightened};
use crate::no_exec::Mode;
use crate::report::{Exit, Failure};
use crate::sealed::JudgeKind;

mod fallback;

/// The policy in force, and the host's own settings that come with it.
#[derive(Debug)]
pub(crate) struct Policy {
    /// What judges.
    pub(crate) bundle: Bundle,
    /// What measures.
    pub(crate) meter: Meter,
    /// What it measures by.
    pub(crate) measure: MeasureConfig,
    /// What weighs.
    pub(crate) risk: RiskConfig,
    /// Hours over which changes are added up.
    pub(crate) window_hours: u64,
    /// Limits of a worker run, by name.
    pub(crate) limits: BTreeMap<String, Limits>,
    /// Limits of the component engine.
    pub(crate) engine: EngineLimits,
    /// Walls without which no worker runs.
    pub(crate) walls_required: Vec<String>,
    /// How workers are run.
    pub(crate) execution: Mode,
    /// Processes for workers that are started ahead of need.
    pub(crate) runners_ahead: usize,
    /// The jail of checks.
    pub(crate) jail: JailSettings,
    /// The browser that pages are looked at with.
    pub(crate) browser: BrowserSettings,
    /// Limits of a worker's view of the repository.
    pub(crate) workspace: DirWorkspaceLimits,
    /// What may leave.
    pub(crate) egress: EgressPolicy,
    /// Who judges where decisions count.
    pub(crate) judge: JudgeKind,
    /// Under which record it came into force; none for what is built in.
    pub(crate) record: Option<PolicyActivated>,
    /// Under which record the organisation's layer came into force; none if there is none.
    pub(crate) organisation: Option<LayerActivated>,
    /// What the layers tighten, lowest first.
    pub(crate) tightened: Vec<Tightened>,
    /// Why this is not the newest policy, where an older one keeps serving.
    pub(crate) degraded: Option<String>,
}

impl Policy {
    /// What the log says is in force, the organisation's layer included, with files of the repository's own rules (paths relative to their
    /// folder), what `ab.yml` tightens, and the layer of a run where it has one. What cannot be loaded denies everything, unless the policy in force says that the one before keeps serving.
    pub(crate) fn in_force(
        ledger: &Ledger,
        repository: &Files,
        config: &Config,
        run: &Files,
    ) -> Result<Self, Failure> {
        let Held { files, record } = Organisation::of(ledger)?;
        let added = Added { organisation: files, repository: repository.clone(), run: run.clone() };
        let generations = Generations::of(ledger)?;
        let found = generations.current().and_then(|base| Self::on(&base, &added, config));
        let policy = found
            .or_else(|fault| fallback::serve(ledger, &generations, &added, config, &fault).ok_or(fault))?;
        Ok(Self { organisation: record, ..policy })
    }

    fn on(base: &Base, added: &Added, config: &Config) -> Result<Self, Failure> {
        let policy = Self::over(&base.files, added, Some(config))?;
        Ok(Self { record: base.record.clone(), ..policy })
    }

    /// The same over any base, and without an `ab.yml` where there is none.
    pub(crate) fn over(base: &Files, added: &Added, config: Option<&Config>) -> Result<Self, Failure> {
        let composed = Composed::of(added, config)?;
        let bundle = source::assemble_layered(base, &composed.added).map_err(|error| {
            let help = error.place().map_or_else(
                || "everything is denied until the policy on the target branch is mended".to_owned(),
                |place| format!("everything is denied until {place} is mended on the target branch"),
            );
            Failure::of(error.code(), error).help(help).exit(Exit::Gate)
        })?;
        Self::of(bundle, &composed, config)
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

    fn of(bundle: Bundle, composed: &Composed, config: Option<&Config>) -> Result<Self, Failure> {
        let data = bundle.data();
        let measure = measured(data, composed, config)?;
        let meter =
            Meter::compile(&measure).map_err(|error| Failure::of(error.code(), error).exit(Exit::Gate))?;
        let mut risk =
            RiskConfig::from_data(data).map_err(|error| Failure::of(error.code(), error).exit(Exit::Gate))?;
        composed.weighed(&mut risk);
        Ok(Self {
            meter,
            measure,
            risk,
            window_hours: read(data, "/host/window_hours")?,
            limits: read(data, "/grants/limit_sets")?,
            engine: read(data, "/host/engine")?,
            walls_required: data
                .pointer("/host/require_walls")
                .map_or(Ok(Vec::new()), |_| read(data, "/host/require_walls"))?,
            // A policy from before there was a choice says nothing about these two.
            execution: data
                .pointer("/host/execution")
                .map_or(Ok(Mode::Native), |_| read(data, "/host/execution"))?,
            runners_ahead: data
                .pointer("/host/runners_ahead")
                .map_or(Ok(0), |_| read(data, "/host/runners_ahead"))?,
            // A policy from before there was a jail says nothing about it: what is built in holds.
            jail: data
                .pointer("/host/jail")
                .map_or_else(|| Ok(JailSettings::built_in()), |_| read(data, "/host/jail"))?,
            browser: data
                .pointer("/host/browser")
                .map_or_else(|| Ok(BrowserSettings::built_in()), |_| read(data, "/host/browser"))?,
            workspace: read(data, "/host/workspace")?,
            egress: egress(data)?,
            // A policy from before there was a choice says nothing about it.
            judge: data
                .pointer("/host/judge")
                .map_or(Ok(JudgeKind::Native), |_| read(data, "/host/judge"))?,
            record: None,
            organisation: None,
            tightened: composed.tightened.clone(),
            degraded: None,
            bundle,
        })
    }
}

/// A policy that nobody loaded, for what is not trusted: nothing here looks into its modules.
#[derive(Debug)]
pub(crate) struct Unloaded {
    /// What judges, once it is loaded behind the wall.
    pub(crate) text: BundleText,
    /// What it would have the host measure by.
    pub(crate) measure: MeasureConfig,
}

impl Unloaded {
    /// As [`Policy::over`], without loading it.
    pub(crate) fn over(base: &Files, added: &Added, config: &Config) -> Result<Self, Failure> {
        let composed = Composed::of(added, Some(config))?;
        let failed = |error: abide_gate::BundleError| Failure::of(error.code(), error).exit(Exit::Gate);
        let sources = source::sort_layered(base, &composed.added).map_err(failed)?;
        let text = BundleText::new(sources.modules, sources.data).map_err(failed)?;
        let measure = measured(text.data(), &composed, Some(config))?;
        Ok(Self { text, measure })
    }
}

/// What the host measures by.
fn measured(data: &Value, composed: &Composed, config: Option<&Config>) -> Result<MeasureConfig, Failure> {
    let mut measure =
        MeasureConfig::from_data(data).map_err(|error| Failure::of(error.code(), error).exit(Exit::Gate))?;
    composed.measured(&mut measure);
    if let Some(config) = config {
        // Wherever a repository keeps its rules and its sources, they govern: by what licence and terms a source is read, its ticket says.
        if let Some(governance) = measure.zones.get_mut("governance") {
            governance.globs.push(format!("{}/**", globset::escape(config.policies.as_str())));
            governance.globs.push(format!("{}/**/*.md", globset::escape(config.sources.as_str())));
        }
    }
    Ok(measure)
}

/// A policy from before there was a broker says nothing of leases.
fn egress(data: &Value) -> Result<EgressPolicy, Failure> {
    let leases =
        data.pointer("/egress/leases").map_or(Ok(BTreeMap::new()), |_| read(data, "/egress/leases"))?;
    let host = data
        .pointer("/host/egress")
        .map_or_else(|| Ok(EgressHost::default()), |_| read(data, "/host/egress"))?;
    Ok(EgressPolicy { leases, host })
}

/// What of the data the host would not be able to read, leases apart: by its pointer, and why.
pub(crate) fn unread(data: &Value) -> Vec<(&'static str, String)> {
    type Read = fn(&Value, &str) -> Option<Failure>;
    fn one<T: DeserializeOwned>(data: &Value, pointer: &str) -> Option<Failure> {
        read::<T>(data, pointer).err()
    }
    let needed: [(&'static str, Read); 4] = [
        ("/host/window_hours", one::<u64>),
        ("/grants/limit_sets", one::<BTreeMap<String, Limits>>),
        ("/host/engine", one::<EngineLimits>),
        ("/host/workspace", one::<DirWorkspaceLimits>),
    ];
    let others: [(&'static str, Read); 7] = [
        ("/host/require_walls", one::<Vec<String>>),
        ("/host/execution", one::<Mode>),
        ("/host/runners_ahead", one::<usize>),
        ("/host/jail", one::<JailSettings>),
        ("/host/browser", one::<BrowserSettings>),
        ("/host/egress", one::<EgressHost>),
        ("/host/judge", one::<JudgeKind>),
    ];
    let others = others.into_iter().filter(|(pointer, _)| data.pointer(pointer).is_some());
    let why = |failure: Failure, pointer: &str| {
        let start = format!("policy data `{pointer}`: ");
        failure.what.strip_prefix(&start).unwrap_or(&failure.what).to_owned()
    };
    let all = needed.into_iter().chain(others);
    all.filter_map(|(pointer, read)| Some((pointer, why(read(data, pointer)?, pointer)))).collect()
}

fn read<T: DeserializeOwned>(data: &Value, pointer: &str) -> Result<T, Failure> {
    let value = data.pointer(pointer).cloned().unwrap_or(Value::Null);
    serde_json::from_value(value).map_err(|error| {
        Failure::new("AB0150", format!("policy data `{pointer}`: {error}"))
            .help("`ab explain host.yaml` and `ab explain grants.yaml` show what the host reads")
            .exit(Exit::Gate)
    })
}
