//! What the host reads of the data by itself: grants, leases, limits. No rule looks at most of it, so what is wrong there would be found when a task fails.

use abide_core::id::Digest;
use abide_effects::egress::lease::{Lease, LeaseData, RuleData};
use abide_effects::egress::target::Origin;
use abide_gate::Place;
use abide_sandbox::Capability;
use serde_json::{Map, Value as Json};

use super::finding::Finding;
use crate::cli::policy::Files;
use crate::policy;

const GRANTS: &str = "data/grants.yaml";
const EGRESS: &str = "data/egress.yaml";
const HOST: &str = "data/host.yaml";

/// One fault: the file, a word of the place, and what is wrong.
struct Fault {
    file: &'static str,
    near: String,
    what: String,
    help: &'static str,
}

/// Everything that the host would refuse, or that leads nowhere.
pub(super) fn faults(data: &Json, files: &Files) -> Vec<Finding> {
    let mut found = Vec::new();
    for (pointer, why) in policy::unread(data) {
        let file = if pointer.starts_with("/grants") { GRANTS } else { HOST };
        let near = pointer.rsplit('/').next().unwrap_or_default().to_owned();
        found.push(Fault { file, near, what: format!("`{pointer}`: {why}"), help: SPELLING });
    }
    let empty = Map::new();
    let part = |pointer: &str| data.pointer(pointer).and_then(Json::as_object).unwrap_or(&empty);
    let (components, leases) = (part("/grants/components"), part("/egress/leases"));
    for (digest, entry) in components {
        component(digest, entry, (part("/grants/limit_sets"), leases), &mut found);
    }
    for (name, lease) in leases {
        let users =
            components.iter().filter(|(_, entry)| entry.get("egress").and_then(Json::as_str) == Some(name));
        let users: Vec<Digest> = users.filter_map(|(digest, _)| digest.parse().ok()).collect();
        let listed = data.pointer("/egress/origins").and_then(Json::as_array).map_or(&[][..], Vec::as_slice);
        one_lease(name, lease, (&users, listed), &mut found);
    }
    found.iter().map(|fault| fault.told(files)).collect()
}

const SPELLING: &str = "`ab explain host.yaml`, `grants.yaml` and `egress.yaml` print what the host reads";

impl Fault {
    fn told(&self, files: &Files) -> Finding {
        let text = files.text(self.file).unwrap_or_default();
        let mut lines = (1_u32..).zip(text.lines()).filter(|(_, text)| !text.trim_start().starts_with('#'));
        let at = lines.find_map(|(line, text)| Some((line, text.find(self.near.as_str())?)));
        let place = at.filter(|_| !self.near.is_empty()).map(|(line, column)| Place {
            path: self.file.to_owned(),
            line,
            column: u32::try_from(column).unwrap_or(0).saturating_add(1),
        });
        Finding::error("AB0150", self.file, place.as_ref(), &self.what, files).helped(self.help)
    }
}

/// What a component is granted.
fn component(
    digest: &str,
    entry: &Json,
    (limit_sets, leases): (&Map<String, Json>, &Map<String, Json>),
    found: &mut Vec<Fault>,
) {
    let mut fault = |what: String, help| {
        found.push(Fault {
            file: GRANTS,
            near: digest.to_owned(),
            what: format!("component `{digest}`: {what}"),
            help,
        });
    };
    if digest.parse::<Digest>().is_err() {
        fault(
            "`sha256:` and 64 lower-case hex digits are expected".to_owned(),
            "`ab worker list` shows the digests of workers",
        );
    }
    let text = |name: &str| entry.get(name).and_then(Json::as_str);
    let capabilities = entry.get("capabilities").and_then(Json::as_array);
    let Some(capabilities) = capabilities else {
        return fault("it has no `capabilities`".to_owned(), SPELLING);
    };
    let known: Vec<&str> = Capability::ALL.iter().map(|one| one.name()).collect();
    for one in capabilities {
        if !one.as_str().is_some_and(|one| known.contains(&one)) {
            fault(format!("{one} is no capability; there are {}", known.join(", ")), SPELLING);
        }
    }
    let limits = text("limits").unwrap_or_default();
    if !limit_sets.contains_key(limits) {
        fault(format!("there is no limit set `{limits}`"), "`limit_sets` in the same file has them");
    }
    let lease = text("egress");
    if let Some(lease) = lease.filter(|lease| !leases.contains_key(*lease)) {
        let known = leases.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
        fault(
            format!("there is no lease `{lease}`; there are: {known}"),
            "`leases` in `data/egress.yaml` has them",
        );
    }
    let asks = |name: &str| capabilities.iter().any(|one| one == name);
    if lease.is_none() && (asks("browser") || asks("egress")) {
        fault(
            "it may use the network, and names no lease".to_owned(),
            "add `egress: NAME`, a lease of `data/egress.yaml`",
        );
    }
    if let Some(lease) = lease
        && asks("browser")
        && leases.get(lease).is_some_and(|lease| lease.get("manners").is_none())
    {
        fault(
            format!("its lease `{lease}` has no `manners`, and pages are read with manners only"),
            "`ab explain extraction` shows them",
        );
    }
}

/// What a lease leads to. `users` are the components that name it, `listed` the origins that the rules of FETCH allow.
fn one_lease(name: &str, lease: &Json, (users, listed): (&[Digest], &[Json]), found: &mut Vec<Fault>) {
    let mut fault = |near: &str, what: String, help| {
        found.push(Fault {
            file: EGRESS,
            near: near.to_owned(),
            what: format!("lease `{name}`: {what}"),
            help,
        });
    };
    let data: LeaseData = match serde_json::from_value(lease.clone()) {
        Ok(data) => data,
        Err(error) => {
            let why = error.to_string();
            // Only what is there can be pointed at.
            let unknown = why.strip_prefix("unknown field `").and_then(|rest| rest.split('`').next());
            let near = unknown.unwrap_or(name).to_owned();
            return fault(&near, why, SPELLING);
        }
    };
    // Whoever a secret is for; a lease that nobody uses is looked at all the same.
    let named = data.rules.iter().filter_map(|rule| Some(rule.credential.as_ref()?.component.clone()));
    let own = named.chain(data.fills.iter().map(|fill| fill.component.clone())).next();
    let own = own.unwrap_or_else(|| Digest::of(b""));
    for user in if users.is_empty() { std::slice::from_ref(&own) } else { users } {
        if let Err(error) = Lease::compile(&data, user.clone()) {
            fault(name, error.to_string(), SPELLING);
        }
    }
    for rule in &data.rules {
        if let Some((what, help)) = nowhere(rule, listed) {
            fault(name, format!("rule for `{}`: {what}", rule.origin), help);
        }
    }
}

/// Why a rule leads nowhere, if it does.
fn nowhere(rule: &RuleData, listed: &[Json]) -> Option<(&'static str, &'static str)> {
    let origin = Origin::parse(&rule.origin).ok()?;
    if !listed.iter().any(|one| one.as_str() == Some(&rule.origin)) {
        return Some((
            "its origin is not in `origins`, so every use of the lease is refused or waits",
            "add it to `origins` in the same file",
        ));
    }
    let is_here = origin.literal().is_some_and(|address| address.is_loopback());
    (is_here && rule.networks.is_empty()).then_some((
        "it is this host, and without `networks` a rule leads to the public internet only",
        "add `networks: [\"127.0.0.1/32\"]` to the rule",
    ))
}
