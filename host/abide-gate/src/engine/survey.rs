//! Everything that is wrong with a policy at once, for the person who mends it.
//!
//! Not the loader: what loads is decided by `loader` alone, at the first fault. The survey asks the same questions of the same parser and
//! the same inspection, and goes on: a file that does not parse hides nothing of the others.

use std::collections::{BTreeMap, BTreeSet};

use regorus::Engine;

use crate::engine::inspect::meaning::{self, Doubt};
use crate::engine::inspect::{self, Audience};
use crate::engine::limits::SourceLimits;
use crate::engine::loader::{self, BundleError, Place};
use crate::engine::testing;
use crate::source::Sources;

/// What the host reads of a policy besides `findings` of layers.
const ROOTS: [&[&str]; 2] = [&["abide", "decision"], &["abide", "level_label"]];
/// Where layers put their rules. `main.rego` takes this package as a whole and reads its `findings`.
const CORNER: [&str; 2] = ["abide", "layers"];

/// What was found in a policy.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Survey {
    /// Why it does not load. Empty if and only if it does.
    pub faults: Vec<BundleError>,
    /// Rules and functions that no decision comes to, with their names. Empty where a file could not be read.
    pub unreached: Vec<(Place, String)>,
    /// What loads and cannot be meant.
    pub doubts: Vec<Doubt>,
    /// What keeps modules from being joined, and why.
    pub unjoined: Vec<(Place, &'static str)>,
}

/// Looks at `sources` as a whole. `broken` are files that could not even be sorted, by path; they are faults already.
pub fn survey(sources: &Sources, broken: Vec<BundleError>) -> Survey {
    let limits = SourceLimits::SHIPPED;
    let mut all: BTreeMap<String, String> = sources.modules.clone();
    all.extend(sources.tests.clone());
    if let Err(error) = loader::check_sizes(&all, &sources.data, limits) {
        return Survey { faults: broken.into_iter().chain([error]).collect(), ..Survey::default() };
    }
    let moved = (sources.clone(), broken.clone());
    let looked = loader::on_a_thread(limits, move || look(&moved.0, moved.1, limits));
    let mut found = match looked {
        Ok(found) => found,
        Err(error) => Survey { faults: broken.into_iter().chain([error]).collect(), ..Survey::default() },
    };
    if found.faults.is_empty() {
        // What only preparing finds out, and what decides in the end.
        let loaded = loader::prepare(&sources.modules, &sources.data, limits).map(drop);
        let tested = loaded.and_then(|()| loader::prepare_tests(&all, &sources.data, limits).map(drop));
        found.faults.extend(tested.err());
    }
    found
}

fn look(sources: &Sources, broken: Vec<BundleError>, limits: SourceLimits) -> Result<Survey, BundleError> {
    let mut unknown: Vec<Vec<String>> = broken.iter().filter_map(missing).collect();
    let mut found = Survey { faults: broken, ..Survey::default() };
    let mut live = loader::bare()?;
    let mut tests = loader::bare()?;
    for (path, text) in sources.modules.iter().chain(&sources.tests) {
        let is_test = sources.tests.contains_key(path);
        let parsed = parse(&mut tests, path, text, limits).and_then(|package| {
            if is_test {
                return Ok(());
            }
            parse(&mut live, path, text, limits)?;
            found.faults.extend(loader::check_layer(path, &package).err());
            Ok(())
        });
        if let Err(error) = parsed {
            found.faults.push(error);
            unknown.push(package_in(text));
        }
    }
    for (path, text) in &sources.cases {
        found.faults.extend(testing::read_cases(path, text).err());
    }
    let depth_max = limits.expression_depth_max;
    let seen = inspect::survey(live.get_modules(), &sources.data, depth_max, Audience::Live, &unknown);
    found.faults.extend(seen.faults);
    found.unjoined = seen.links.into_iter().flat_map(|links| links.obstacles).collect();
    found.doubts = meaning::doubts(live.get_modules());
    if unknown.is_empty() {
        let corner = CORNER.map(str::to_owned);
        let unreached = seen.graph.unreached(&roots(live.get_modules()), &corner);
        found.unreached = unreached.into_iter().map(|(rule, place)| (place, rule)).collect();
    }
    let seen = inspect::survey(tests.get_modules(), &sources.data, depth_max, Audience::Tests, &unknown);
    let of_tests = |error: &BundleError| error.file().is_some_and(|path| sources.tests.contains_key(path));
    found.faults.extend(seen.faults.into_iter().filter(of_tests));
    Ok(found)
}

pub(crate) fn parse(
    engine: &mut Engine,
    path: &str,
    text: &str,
    limits: SourceLimits,
) -> Result<String, BundleError> {
    inspect::nesting(path, text, limits.nesting_max)?;
    let added = engine.add_policy(path.to_owned(), text.to_owned());
    added.map_err(|error| loader::syntax(path, &error.to_string()))
}

/// Rules that somebody outside of the modules reads.
fn roots(modules: &[regorus::unstable::Ref<regorus::unstable::Module>]) -> Vec<Vec<String>> {
    let owned = |path: &[&str]| path.iter().map(|part| (*part).to_owned()).collect::<Vec<_>>();
    let mut roots: BTreeSet<Vec<String>> = ROOTS.iter().map(|root| owned(root)).collect();
    for module in modules {
        for rule in &module.policy {
            let (root, _) = inspect::rule_root(module, rule);
            if root.len() == 4
                && root.starts_with(&owned(&CORNER))
                && root.ends_with(&["findings".to_owned()])
            {
                roots.insert(root);
            }
        }
    }
    roots.into_iter().collect()
}

/// The path under `data` that a file would have provided.
fn missing(error: &BundleError) -> Option<Vec<String>> {
    let path = error.file()?;
    if path.strip_suffix(".rego").is_some() {
        return Some(Vec::new());
    }
    let name = path.strip_prefix("data/")?;
    let name = name.strip_suffix(".yaml").or_else(|| name.strip_suffix(".json"))?;
    Some(vec![name.to_owned()])
}

/// The package that a text which does not parse seems to be in; an empty path, which stands for everything, if that cannot be told.
fn package_in(text: &str) -> Vec<String> {
    let named = text.lines().find_map(|line| line.trim_start().strip_prefix("package "));
    let Some(named) = named.and_then(|rest| rest.split_whitespace().next()) else { return Vec::new() };
    let simple = named.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.'));
    if simple { named.split('.').map(str::to_owned).collect() } else { Vec::new() }
}

#[cfg(test)]
mod tests;
