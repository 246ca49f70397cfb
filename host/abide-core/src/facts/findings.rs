//! Findings with a bound: of one kind in one file the first few are kept, of one kind in one change the first many.

use std::collections::BTreeMap;

use super::config::Limits;

/// Collects findings of one kind of fact.
#[derive(Debug)]
pub(crate) struct Findings<T> {
    kept: Vec<T>,
    seen: BTreeMap<(String, String), u32>,
    per_file_max: u32,
    max: usize,
    cut: bool,
}

impl<T: Ord> Findings<T> {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            kept: Vec::new(),
            seen: BTreeMap::new(),
            per_file_max: limits.findings_per_file_max.max(1),
            max: usize::try_from(limits.findings_max).unwrap_or(usize::MAX),
            cut: false,
        }
    }

    /// Keeps `finding` of `kind` in `path`, unless there are many like it already.
    pub(crate) fn push(&mut self, kind: &str, path: &str, finding: T) {
        let seen = self.seen.entry((path.to_owned(), kind.to_owned())).or_default();
        *seen = seen.saturating_add(1);
        if *seen > self.per_file_max {
            return;
        }
        if self.kept.len() >= self.max {
            self.cut = true;
            return;
        }
        self.kept.push(finding);
    }

    /// Whether some file's findings were left out altogether.
    pub(crate) fn is_cut(&self) -> bool {
        self.cut
    }

    /// The findings, sorted, each once.
    pub(crate) fn into_sorted(mut self) -> Vec<T> {
        self.kept.sort();
        self.kept.dedup();
        self.kept
    }
}
