//! What belongs to what in a policy: packages, and everything that the hard findings come from.
//!
//! Those who sign a policy sign for a part of it. Which files are part of the hard rules is told by what refers to what, never by the policy
//! itself: a policy that could name its own hard part could leave a rule out of it.

use std::collections::{BTreeMap, BTreeSet};

use crate::engine::inspect::{self, Audience};
use crate::engine::limits::SourceLimits;
use crate::engine::loader::{self, BundleError};
use crate::engine::survey;
use crate::source::Sources;

/// What stands in a policy, by file.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Anatomy {
    /// Package of each module and each test, by path, without the leading `data`.
    pub packages: BTreeMap<String, Vec<String>>,
    /// Modules that the hard findings come from.
    pub hard_modules: BTreeSet<String>,
    /// Data documents (`hard` for `data.hard`) that the hard findings come from.
    pub hard_data: BTreeSet<String>,
}

/// Where hard rules stand; `abide.hard_change` and others that begin like it belong to them.
const HARD: [&str; 2] = ["abide", "hard"];

/// Data that the host measures by before a rule sees anything: without a pattern of a secret there is no finding about one.
const MEASURED: [&str; 7] = ["categories", "generated", "host", "measure", "secrets", "text", "zones"];

/// Takes a policy apart. Every module and every test must parse; whether the policy loads is another question.
pub fn anatomy(sources: &Sources) -> Result<Anatomy, BundleError> {
    let limits = SourceLimits::SHIPPED;
    let mut all = sources.modules.clone();
    all.extend(sources.tests.clone());
    loader::check_sizes(&all, &sources.data, limits)?;
    let sources = sources.clone();
    loader::on_a_thread(limits, move || take_apart(&sources, limits))
}

fn take_apart(sources: &Sources, limits: SourceLimits) -> Result<Anatomy, BundleError> {
    let mut found = Anatomy::default();
    let mut live = loader::bare()?;
    let mut tests = loader::bare()?;
    for (path, text) in &sources.modules {
        found.packages.insert(path.clone(), package(&survey::parse(&mut live, path, text, limits)?));
    }
    for (path, text) in &sources.tests {
        found.packages.insert(path.clone(), package(&survey::parse(&mut tests, path, text, limits)?));
    }
    let modules = live.get_modules();
    let seen = inspect::survey(modules, &sources.data, limits.expression_depth_max, Audience::Live, &[]);
    for module in modules {
        let path = module.package.span.source.get_path();
        if found.packages.get(path).is_some_and(|package| is_hard(package) || package == &["abide"]) {
            found.hard_modules.insert(path.clone());
        }
    }
    // However a rule is written: `findings` in `package abide.hard` and `hard.findings` in `package abide` are one.
    let roots: Vec<Vec<String>> = seen.graph.rules().filter(|rule| is_hard(rule)).cloned().collect();
    let reached = seen.graph.reached(&roots, &[]);
    for module in modules {
        let stands = module.policy.iter().any(|rule| {
            let (root, _) = inspect::rule_root(module, rule);
            reached.iter().any(|rule| rule.starts_with(&root))
        });
        if stands {
            found.hard_modules.insert(module.package.span.source.get_path().clone());
        }
    }
    let known: BTreeSet<&str> =
        sources.data.as_object().into_iter().flat_map(|fields| fields.keys().map(String::as_str)).collect();
    let named = reached.iter().flat_map(|rule| seen.graph.named_by(rule));
    for name in named {
        // `data` as a whole, or by a name that is not constant, may be any of it.
        let first = name.first().map(String::as_str);
        found.hard_data.extend(
            known
                .iter()
                .filter(|data| first.is_none_or(|first| first == **data))
                .map(|data| (*data).to_owned()),
        );
    }
    found.hard_data.extend(MEASURED.into_iter().filter(|name| known.contains(name)).map(str::to_owned));
    Ok(found)
}

fn package(named: &str) -> Vec<String> {
    named.split('.').skip(1).map(str::to_owned).collect()
}

fn is_hard(package: &[String]) -> bool {
    let [first, second, ..] = package else { return false };
    first == HARD[0] && (second == HARD[1] || second.starts_with("hard_"))
}

#[cfg(test)]
mod tests;
