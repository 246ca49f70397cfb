//! `ab policy show --effective`: every value in force, with the layer that it came from and what it took the place of. `table` is how it looks.

mod table;

use std::collections::{BTreeMap, BTreeSet};

use abide_core::action::ActionClass;
use abide_core::safe_text;
use abide_gate::source::{Files, Layer};
use serde_json::{Value, json};

use crate::bundles::active::Base;
use crate::cli::Shell;
use crate::config::Config;
use crate::drive;
use crate::layers::effective::{self, Said, Setting};
use crate::layers::tighten::Tighten;
use crate::layers::{self, RENDERED, Source};
use crate::policy::Policy;
use crate::report::{Exit, Failure};
use crate::repository::Known;
use crate::walls::Walls;
use crate::wiring;

/// Where things come from here, by name.
struct Origins {
    version: u64,
    organisation: u64,
    commit: String,
    /// The data of the policy that is built in, for what a bundle left as it was.
    built_in: Value,
}

impl Origins {
    /// The policy below all layers: built in, or a bundle where it says something else.
    fn below(&self, place: &str, data: &Value) -> String {
        if self.version == 0 || self.built_in.pointer(place) == data.pointer(place) {
            "built-in".to_owned()
        } else {
            format!("bundle v{}", self.version)
        }
    }

    fn of(&self, source: Source) -> String {
        match source {
            Source::Layer(Layer::Organisation) => format!("organisation v{}", self.organisation),
            Source::Layer(Layer::Repository) => format!("repository {}", self.commit),
            Source::Layer(Layer::Run) => "run".to_owned(),
            Source::AbYml => "ab.yml".to_owned(),
        }
    }

    fn said<T>(&self, said: &Said<T>, place: &str, data: &Value) -> String {
        said.0.map_or_else(|| self.below(place, data), |source| self.of(source))
    }
}

/// One row: a value, and where it comes from.
struct Row {
    name: String,
    value: Value,
    from: String,
    instead_of: Vec<(Value, String)>,
}

impl Row {
    fn is_changed(&self) -> bool {
        !self.instead_of.is_empty()
    }

    fn data(&self) -> Value {
        let before = self.instead_of.iter().map(|(value, from)| json!({ "value": value, "from": from }));
        json!({ "name": self.name, "value": self.value, "from": self.from, "instead_of": before.collect::<Vec<_>>() })
    }
}

/// The level of one class in one profile.
struct Cell {
    base: u8,
    best: u8,
    from: String,
    instead_of: Option<(u8, u8)>,
}

pub(super) fn run(shell: &Shell, known: &Known, all: bool, run: Option<&str>) -> Result<Exit, Failure> {
    let config = known.config()?;
    let ledger = wiring::ledger(&known.state)?;
    let layer = match run {
        None => Files::new(),
        Some(id) => {
            let log = wiring::log(wiring::ledger(&known.state)?, shell.env.drill);
            let id = crate::cli::kill::parse(id)?;
            layers::run::of(&ledger, &drive::fold(&id, &log.history(&id)?)?.started)?
        }
    };
    let policy = Policy::in_force(&ledger, &known.policies(&config)?, &config, &layer)?;
    let built_in = abide_gate::source::sort(&Base::built_in().files)
        .map_err(|error| Failure::new(error.code(), error.to_string()).exit(Exit::Gate))?;
    let origins = Origins {
        version: policy.record.as_ref().map_or(0, |record| record.version.0),
        organisation: policy.organisation.as_ref().map_or(0, |record| record.version.0),
        commit: known.head(&config.target)?.short().chars().take(8).collect(),
        built_in: built_in.data,
    };
    let host = config.level_max.number().min(Walls::of_host(&known.state).level_max());
    let by_host = if config.level_max.number() == host { "ab.yml" } else { "host" };
    let rows = rows(&policy, &config, &origins);
    let levels = levels(&policy, &origins, (host, by_host));
    let rules = rules(&policy, &origins);
    table::tell(shell, (&policy, &config, &origins), (&rows, &levels, &rules), all);
    shell.printer.line(&format!(
        "autonomy is A{host} at most here ({})",
        if by_host == "host" { "the walls of this host" } else { "autonomy_max in ab.yml" }
    ));
    shell.printer.line(if all {
        "next: ab policy check · ab explain layers"
    } else {
        "next: ab policy show --effective --all · ab explain layers"
    });
    shell.printer.data(&json!({
        "bundle": policy.bundle.digest(), "version": origins.version, "organisation": origins.organisation,
        "commit": origins.commit, "profile": config.profile, "safety_level": config.safety_level, "level_max": host,
        "values": rows.iter().map(Row::data).collect::<Vec<_>>(),
        "levels": levels.iter().map(|(profile, cells)| (profile.clone(), level_data(cells))).collect::<BTreeMap<_, _>>(),
        "rules": rules.iter().map(|(from, names)| json!({ "from": from, "rules": names })).collect::<Vec<_>>(),
        "degraded": policy.degraded,
    }));
    Ok(Exit::Done)
}

fn level_data(cells: &BTreeMap<ActionClass, Cell>) -> Value {
    let cell = |cell: &Cell| {
        let before = cell.instead_of.map(|(base, best)| json!({ "level": base, "with_overrides": best }));
        json!({ "level": cell.base, "with_overrides": cell.best, "from": cell.from, "instead_of": before })
    };
    cells
        .iter()
        .map(|(class, one)| (class.as_str().to_owned(), cell(one)))
        .collect::<serde_json::Map<_, _>>()
        .into()
}

fn rows(policy: &Policy, config: &Config, origins: &Origins) -> Vec<Row> {
    let (data, tightened, level) = (policy.bundle.data(), &policy.tightened, config.safety_level);
    let mut rows = Vec::new();
    for setting in effective::numbers(data, tightened, level) {
        let place = place(&setting.name, level.as_str());
        rows.extend(row(&setting, &place, data, origins, |value| json!(value)));
    }
    let tests = effective::require_tests(data, tightened, level);
    let place = place("thresholds.require_tests", level.as_str());
    rows.extend(row(&tests, &place, data, origins, |value| json!(value)));
    for setting in effective::choices(data, tightened) {
        let place = match setting.name.as_str() {
            "profiles" => "/profiles",
            "safety_modes" => "/safety/modes",
            _ => "/safety/levels",
        };
        rows.extend(row(&setting, place, data, origins, |value| json!(value)));
    }
    rows.extend(lists(policy, origins));
    rows
}

/// Where the policy has its own of a number.
fn place(name: &str, level: &str) -> String {
    match name.split_once('.') {
        Some(("caps", what)) => format!("/caps/{what}"),
        Some((_, what)) => format!("/safety/levels/{level}/{what}"),
        None => format!("/safety/levels/{level}/{name}"),
    }
}

fn row<T>(
    setting: &Setting<T>,
    place: &str,
    data: &Value,
    origins: &Origins,
    spell: impl Fn(&T) -> Value,
) -> Option<Row> {
    let (_, value) = setting.in_force.as_ref()?;
    let from = setting.in_force.as_ref().map(|said| origins.said(said, place, data))?;
    let before = setting.instead_of.iter().map(|said| (spell(&said.1), origins.said(said, place, data)));
    Some(Row { name: setting.name.clone(), value: spell(value), from, instead_of: before.collect() })
}

/// Reads a list of a document.
type Read = fn(&Tighten) -> Vec<String>;

/// What adds up: each source's part is a row of its own.
fn lists(policy: &Policy, origins: &Origins) -> Vec<Row> {
    let data = policy.bundle.data();
    let count = |place: &str| {
        data.pointer(place).map_or(0, |value| match value {
            Value::Array(items) => items.len(),
            Value::Object(fields) => fields.len(),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => 0,
        })
    };
    let below = |name: &str, place: &str| Row {
        name: name.to_owned(),
        value: json!(count(place)),
        from: origins.below(place, data),
        instead_of: Vec::new(),
    };
    let mut rows = vec![below("zones", "/zones"), below("forbidden_patterns", "/forbidden_patterns")];
    let parts: [(&str, Read); 4] = [
        ("+ forbidden_patterns", |document| {
            document
                .forbidden_patterns
                .iter()
                .map(|one| layers::tighten::pattern_name(one).to_owned())
                .collect()
        }),
        ("+ never_touch", |document| document.never_touch.clone()),
        ("+ review", |document| document.review.clone()),
        ("+ required_checks", |document| document.required_checks.clone()),
    ];
    for (name, read) in parts {
        for one in &policy.tightened {
            let items = read(&one.document);
            if !items.is_empty() {
                let from = origins.of(one.source);
                rows.push(Row { name: name.to_owned(), value: json!(items), from, instead_of: Vec::new() });
            }
        }
    }
    rows
}

/// The levels of each profile, with the ceilings that are set on them.
fn levels(
    policy: &Policy,
    origins: &Origins,
    (host, by_host): (u8, &str),
) -> BTreeMap<String, BTreeMap<ActionClass, Cell>> {
    let data = policy.bundle.data();
    let ceilings = effective::ceilings(&policy.tightened);
    let profiles = data.pointer("/profiles").and_then(Value::as_object);
    let all = profiles.into_iter().flatten().map(|(name, profile)| {
        let cells = ceilings.iter().filter_map(|(class, ceiling)| {
            let base = level_of(profile.pointer(&format!("/vector/{class}"))?)?;
            let overrides = profile.pointer("/overrides").and_then(Value::as_array);
            let raised = overrides
                .into_iter()
                .flatten()
                .filter(|one| one.pointer("/class").and_then(Value::as_str) == Some(class.as_str()));
            let best =
                raised.filter_map(|one| level_of(one.pointer("/level")?)).chain([base]).max().unwrap_or(base);
            let said = ceiling.in_force?;
            let (most, by) = match said.0 {
                Some(source) if said.1 <= host => (said.1, origins.of(source)),
                _ => (host, by_host.to_owned()),
            };
            let lowered = best > most;
            let from = if lowered { by } else { origins.below(&format!("/profiles/{name}"), data) };
            let cell = Cell {
                base: base.min(most),
                best: best.min(most),
                from,
                instead_of: lowered.then_some((base, best)),
            };
            Some((*class, cell))
        });
        (name.clone(), cells.collect())
    });
    all.collect()
}

fn level_of(value: &Value) -> Option<u8> {
    value.as_u64().and_then(|level| u8::try_from(level).ok())
}

/// Names of the rules that layers add, by layer, those that are made of documents left out.
fn rules(policy: &Policy, origins: &Origins) -> Vec<(String, BTreeSet<String>)> {
    let mut found: BTreeMap<Source, BTreeSet<String>> = BTreeMap::new();
    for (path, text) in policy.bundle.modules() {
        let Some(layer) = Layer::of(path) else { continue };
        if path.ends_with(RENDERED) || path.ends_with(layers::AB_YML) {
            continue;
        }
        let names = text
            .split("\"rule\":")
            .skip(1)
            .filter_map(|rest| rest.trim_start().strip_prefix('"')?.split('"').next());
        found.entry(Source::Layer(layer)).or_default().extend(names.map(safe_text::line));
    }
    found.into_iter().map(|(source, names)| (origins.of(source), names)).collect()
}
