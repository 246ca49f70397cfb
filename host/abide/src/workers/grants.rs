//! What the policy in force would grant a component, and the line of data that says so. Advice: the gate decides at each run.

use std::collections::{BTreeMap, BTreeSet};

use abide_sandbox::inspect::{Inspection, package};
use abide_sandbox::{Capability, Limits};
use serde_json::Value;

use crate::policy::Policy;

/// What would come of what a component asks for.
#[derive(Debug, Clone, serde::Serialize)]
pub(crate) struct Outlook {
    /// Capabilities that it would get, with the lowest level of autonomy at which it does.
    pub(crate) get: BTreeMap<String, u64>,
    /// Those that it asks for and no level gives.
    pub(crate) miss: Vec<String>,
    /// Interfaces of WASI that it imports and would find nothing behind.
    pub(crate) stubs: BTreeSet<String>,
    /// Interfaces of WASI by which it would send requests: they lead to the broker.
    pub(crate) served: BTreeSet<String>,
    /// Name of the set of limits.
    pub(crate) limits: String,
    /// The lease that goes with `egress`, if it is granted that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) lease: Option<String>,
    /// Capabilities that its own entry lists and it does not ask for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) unasked: Vec<String>,
    /// Why the limits do not suffice to begin with.
    pub(crate) short: Vec<String>,
    /// Where the data says so: file, and line where the file has lines.
    pub(crate) place: String,
    /// Whether the data has an entry for exactly these bytes.
    pub(crate) own_entry: bool,
}

impl Outlook {
    /// By `policy`, whose base has `files`.
    pub(crate) fn of(policy: &Policy, files: &BTreeMap<String, Vec<u8>>, found: &Inspection) -> Self {
        let grants = policy.bundle.data().pointer("/grants").unwrap_or(&Value::Null);
        let component = &found.digest;
        let needs = (found.parts.memory_bytes(), found.parts.table_elements());
        let own = grants.get("components").and_then(|all| all.get(component.to_string()));
        let level = |name: &str| match own {
            Some(own) => {
                let listed = own.get("capabilities").and_then(Value::as_array).into_iter().flatten();
                listed.filter_map(Value::as_str).any(|one| one == name).then_some(0)
            }
            None => grants.get("grantable")?.get(name)?.as_u64(),
        };
        let (mut get, mut miss) = (BTreeMap::new(), Vec::new());
        for name in found.capabilities() {
            match level(name) {
                Some(level) => {
                    get.insert(name.to_owned(), level);
                }
                None => miss.push(name.to_owned()),
            }
        }
        let listed = own.unwrap_or(grants).get("stubs").and_then(Value::as_array).into_iter().flatten();
        let packages: BTreeSet<&str> = listed.filter_map(Value::as_str).collect();
        let has_lease = own.is_some_and(|own| own.get("egress").is_some_and(Value::is_string));
        let served: BTreeSet<String> = if has_lease && level("egress").is_some() {
            found.of_http().into_iter().map(str::to_owned).collect()
        } else {
            BTreeSet::new()
        };
        if !served.is_empty() {
            get.insert("egress".to_owned(), 0);
        }
        let is_stub = |name: &&str| packages.contains(package(name)) && !served.contains(*name);
        let stubs = found.of_wasi().filter(is_stub).map(str::to_owned).collect();
        let lease = own
            .filter(|_| get.contains_key("egress") || get.contains_key("browser") || !served.is_empty())
            .and_then(|own| own.get("egress")?.as_str());
        let unasked = own
            .and_then(|own| own.get("capabilities")?.as_array())
            .into_iter()
            .flatten()
            .filter_map(|one| {
                one.as_str()
                    .filter(|name| !get.contains_key(*name) && (*name != "egress" || served.is_empty()))
                    .map(str::to_owned)
            })
            .collect();
        let limits =
            own.unwrap_or(grants).get("limits").and_then(Value::as_str).unwrap_or_default().to_owned();
        let short = policy.limits.get(&limits).map_or_else(
            || vec![format!("there are no limits called `{limits}`")],
            |set| short_of(set, needs),
        );
        let word = if own.is_some() { component.hex().to_owned() } else { "grantable".to_owned() };
        Self {
            lease: lease.map(str::to_owned),
            unasked,
            get,
            miss,
            stubs,
            served,
            limits,
            short,
            place: place(files, &word),
            own_entry: own.is_some(),
        }
    }
}

/// What it begins with (bytes of memory, elements of tables) and does not get.
fn short_of(limits: &Limits, (memory, elements): (u64, u64)) -> Vec<String> {
    let mut short = Vec::new();
    if memory > limits.memory_bytes_max {
        short.push(format!("it begins with {memory} bytes of memory, and gets {}", limits.memory_bytes_max));
    }
    if elements > u64::from(limits.table_elements_max) {
        short.push(format!(
            "its tables begin with {elements} elements, and get {}",
            limits.table_elements_max
        ));
    }
    short
}

impl Outlook {
    /// Whether an interface of WASI would be given, as a stub or as the way to the broker.
    pub(crate) fn gives(&self, name: &str) -> bool {
        self.stubs.contains(name) || self.served.contains(name)
    }

    /// What would be linked.
    pub(crate) fn grants(&self) -> BTreeSet<Capability> {
        let is_given = |one: &Capability| {
            self.get.contains_key(one.name()) || (*one == Capability::Egress && !self.served.is_empty())
        };
        Capability::ALL.into_iter().filter(is_given).collect()
    }
}

/// File and line of the grants in a policy: YAML where people write it, JSON where it came in a bundle.
fn place(files: &BTreeMap<String, Vec<u8>>, word: &str) -> String {
    let named = ["data/grants.yaml", "data/grants.json", "grants/data.json", "data.json"];
    let found = named.iter().find_map(|name| Some((*name, files.get(*name)?)));
    let Some((name, bytes)) = found else { return "policies/data".to_owned() };
    let text = String::from_utf8_lossy(bytes);
    let line = text.lines().position(|line| !line.trim_start().starts_with('#') && line.contains(word));
    match line {
        Some(line) if text.lines().count() > 1 => format!("policies/{name}:{}", line.saturating_add(1)),
        _ => format!("policies/{name}"),
    }
}
