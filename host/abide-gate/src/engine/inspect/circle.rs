//! Rules that depend on themselves. The interpreter finds some of these while it decides and overflows its stack on others, so none loads.

use std::collections::{BTreeMap, BTreeSet};

use crate::engine::loader::{BundleError, Place};

/// What each rule and function may look at, by path without the leading `data`.
#[derive(Debug, Default)]
pub(super) struct Graph {
    nodes: BTreeMap<Vec<String>, Node>,
}

#[derive(Debug)]
struct Node {
    place: Place,
    /// Paths that it names: a rule, something in a rule, or something above rules.
    names: BTreeSet<Vec<String>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mark {
    Open,
    Done,
}

impl Graph {
    /// Adds what one definition of `rule` names.
    pub(super) fn add(&mut self, rule: Vec<String>, place: Place, names: BTreeSet<Vec<String>>) {
        self.nodes.entry(rule).or_insert_with(|| Node { place, names: BTreeSet::new() }).names.extend(names);
    }

    /// Refuses the first rule that comes back to itself.
    pub(super) fn refuse_circles(&self) -> Result<(), BundleError> {
        let mut marks: BTreeMap<&[String], Mark> = BTreeMap::new();
        for start in self.nodes.keys() {
            let mut path: Vec<(&[String], Vec<&[String]>)> = vec![(start, self.next(start))];
            if marks.insert(start, Mark::Open) == Some(Mark::Done) {
                marks.insert(start, Mark::Done);
                continue;
            }
            while let Some((rule, rest)) = path.last_mut() {
                let Some(next) = rest.pop() else {
                    marks.insert(rule, Mark::Done);
                    path.pop();
                    continue;
                };
                match marks.get(next) {
                    Some(Mark::Done) => {}
                    Some(Mark::Open) => return Err(self.circle(next)),
                    None => {
                        marks.insert(next, Mark::Open);
                        path.push((next, self.next(next)));
                    }
                }
            }
        }
        Ok(())
    }

    fn next(&self, rule: &[String]) -> Vec<&[String]> {
        let Some(node) = self.nodes.get(rule) else { return Vec::new() };
        let touches = |path: &Vec<String>| {
            node.names.iter().any(|name| name.starts_with(path) || path.starts_with(name))
        };
        self.nodes.keys().filter(|path| touches(path)).map(Vec::as_slice).collect()
    }

    fn circle(&self, rule: &[String]) -> BundleError {
        let place = self.nodes.get(rule).map(|node| node.place.clone());
        let unknown = || Place { path: rule.join("."), line: 1, column: 1 };
        BundleError::Construct { place: place.unwrap_or_else(unknown), what: "this rule depends on itself" }
    }
}
