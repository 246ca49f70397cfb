//! Which lines were evaluated, as the engine notes them.

use std::collections::{BTreeMap, BTreeSet};

use regorus::Engine;
use regorus::unstable::{Module, Ref, Rule};

/// Lines of one module that hold something to evaluate, counted from 1.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FileCoverage {
    /// Those that were evaluated, by some test.
    pub covered: BTreeSet<u32>,
    /// Those that were not.
    pub missed: BTreeSet<u32>,
}

/// The same for every module, by path.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Coverage(pub BTreeMap<String, FileCoverage>);

impl Coverage {
    /// Begins with nothing covered: the engine says nothing of a module that no test comes to.
    pub(super) fn begin(&mut self, modules: &[Ref<Module>], wanted: &BTreeMap<String, String>) {
        for module in modules {
            let source = &module.package.span.source;
            if wanted.contains_key(source.get_path()) {
                let missed =
                    module.policy.iter().flat_map(|rule| statements(source.get_contents(), rule)).collect();
                let file = FileCoverage { covered: BTreeSet::new(), missed };
                self.0.insert(source.get_path().clone(), file);
            }
        }
    }

    /// Adds what another run over some of the same modules covered.
    pub(super) fn merge(&mut self, other: Self) {
        for (path, file) in other.0 {
            let known = self.0.entry(path).or_default();
            known.covered.extend(file.covered);
            known.missed.extend(file.missed);
            known.missed.retain(|line| !known.covered.contains(line));
        }
    }

    /// Adds what `engine` evaluated.
    pub(super) fn add(&mut self, engine: &Engine) {
        let Ok(report) = engine.get_coverage_report() else { return };
        for file in report.files {
            let Some(known) = self.0.get_mut(&file.path) else { continue };
            known.covered.extend(file.covered);
            known.missed.extend(file.not_covered);
            known.missed.retain(|line| !known.covered.contains(line));
        }
    }
}

fn statements(text: &str, rule: &Rule) -> Vec<u32> {
    let Rule::Spec { bodies, .. } = rule else { return Vec::new() };
    let all = bodies.iter().flat_map(|body| &body.query.stmts);
    all.map(|statement| lines(text, statement.span.start, statement.span.start).0).collect()
}

/// The line of the statement at which evaluation ended: the one before the first that was never come to, or else the last.
pub(super) fn first_untrue(engine: &Engine, path: &str, statements: &[(u32, u32)]) -> Option<u32> {
    let report = engine.get_coverage_report().ok()?;
    let covered = report.files.into_iter().find(|file| file.path == path)?.covered;
    let reached: Vec<bool> =
        statements.iter().map(|(first, last)| covered.range(*first..=*last).next().is_some()).collect();
    let count = reached.iter().take_while(|reached| **reached).count();
    // The engine may order statements anew; then nothing can be said.
    if reached.iter().skip(count).any(|reached| *reached) {
        return None;
    }
    statements.get(count.checked_sub(1)?).map(|(first, _)| *first)
}

/// The lines, counted from 1, of the bytes from `start` to before `end`, white space at the end left out.
pub(super) fn lines(text: &str, start: u32, end: u32) -> (u32, u32) {
    let bytes = |number: u32| usize::try_from(number).unwrap_or(usize::MAX).min(text.len());
    let count = |part: &str| u32::try_from(part.matches('\n').count()).unwrap_or(u32::MAX);
    let first = count(text.get(..bytes(start)).unwrap_or_default()).saturating_add(1);
    let inside = text.get(bytes(start)..bytes(end)).unwrap_or_default();
    (first, first.saturating_add(count(inside.trim_end())))
}
