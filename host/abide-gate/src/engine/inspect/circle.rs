//! Rules that depend on themselves. The interpreter finds some of these while it decides and overflows its stack on others, so none loads.

use std::collections::{BTreeMap, BTreeSet};

use crate::engine::loader::{BundleError, Place};

/// What each rule and function may look at, by path without the leading `data`.
#[derive(Debug, Default)]
pub(crate) struct Graph {
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

    /// Rules and functions that none of `roots` comes to, with the place of their first definition. Asking for a path of `loose` comes to
    /// nothing: it takes a whole package, of which the roots say what is read.
    pub(crate) fn unreached(&self, roots: &[Vec<String>], loose: &[String]) -> Vec<(String, Place)> {
        let reached = self.reached(roots, loose);
        let rest = self.nodes.iter().filter(|(rule, _)| !reached.contains(rule));
        rest.map(|(rule, node)| (rule.join("."), node.place.clone())).collect()
    }

    /// Rules and functions that one of `roots` comes to, the roots included.
    pub(crate) fn reached(&self, roots: &[Vec<String>], loose: &[String]) -> BTreeSet<&Vec<String>> {
        let mut reached: BTreeSet<&Vec<String>> =
            self.nodes.keys().filter(|rule| roots.iter().any(|root| rule.starts_with(root))).collect();
        let mut open: Vec<&Vec<String>> = reached.iter().copied().collect();
        while let Some(node) = open.pop().and_then(|rule| self.nodes.get(rule)) {
            for name in node.names.iter().filter(|name| name.as_slice() != loose) {
                let next = self.nodes.keys().filter(|rule| rule.starts_with(name) || name.starts_with(rule));
                open.extend(next.filter(|rule| reached.insert(rule)));
            }
        }
        reached
    }

    /// Every rule and function, by path.
    pub(crate) fn rules(&self) -> impl Iterator<Item = &Vec<String>> {
        self.nodes.keys()
    }

    /// Paths under `data` that the definitions of `rule` name, be they rules or data.
    pub(crate) fn named_by(&self, rule: &[String]) -> impl Iterator<Item = &Vec<String>> {
        self.nodes.get(rule).into_iter().flat_map(|node| &node.names)
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
