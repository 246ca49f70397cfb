//! Adding facts up. Sums saturate: too much is said rather than too little.

use std::collections::{BTreeMap, BTreeSet};

use super::{Facts, FileFacts, FileStatus, TestFacts, Totals, WindowFacts};
use crate::id::Oid;

impl Totals {
    /// These totals and one more file.
    #[must_use]
    pub fn and(self, file: &FileFacts) -> Self {
        let one = |is: bool| u64::from(is);
        let bytes = if file.status == FileStatus::Deleted { 0 } else { file.bytes };
        self.plus(&Self {
            files: 1,
            added: file.added,
            removed: file.removed,
            bytes,
            binaries: one(file.binary),
            deleted: one(file.status == FileStatus::Deleted),
            symlinks: one(file.symlink),
            submodules: one(file.submodule),
            made_executable: one(file.made_executable),
        })
    }

    /// The sum of both.
    #[must_use]
    pub fn plus(&self, other: &Self) -> Self {
        Self {
            files: self.files.saturating_add(other.files),
            added: self.added.saturating_add(other.added),
            removed: self.removed.saturating_add(other.removed),
            bytes: self.bytes.saturating_add(other.bytes),
            binaries: self.binaries.saturating_add(other.binaries),
            deleted: self.deleted.saturating_add(other.deleted),
            symlinks: self.symlinks.saturating_add(other.symlinks),
            submodules: self.submodules.saturating_add(other.submodules),
            made_executable: self.made_executable.saturating_add(other.made_executable),
        }
    }
}

impl WindowFacts {
    /// This window and one more change.
    #[must_use]
    pub fn and_this(mut self, totals: &Totals, zones: &BTreeMap<String, u64>) -> Self {
        self.changes = self.changes.saturating_add(1);
        self.totals = self.totals.plus(totals);
        for (zone, files) in zones {
            let sum = self.zones.entry(zone.clone()).or_default();
            *sum = sum.saturating_add(*files);
        }
        self
    }
}

impl Facts {
    /// Facts of a change of these files from one tree to another, in which nothing was found. Names and sums follow from the files, and nothing
    /// else merged in the window of `hours`.
    pub fn of_files(base_tree: Oid, tree: Oid, files: Vec<FileFacts>, hours: u64) -> Self {
        let names = |of: fn(&FileFacts) -> &Vec<String>| {
            let names: BTreeSet<String> = files.iter().flat_map(of).cloned().collect();
            names.into_iter().collect()
        };
        let mut facts = Self {
            schema: Self::SCHEMA.to_owned(),
            base_tree,
            tree,
            totals: files.iter().fold(Totals::default(), Totals::and),
            zones: names(|file| &file.zones),
            categories: names(|file| &file.categories),
            files,
            secrets: Vec::new(),
            forbidden: Vec::new(),
            dependencies: Vec::new(),
            tests: TestFacts::default(),
            destructive: Vec::new(),
            hazards: Vec::new(),
            collisions: Vec::new(),
            unmeasured: Vec::new(),
            window: WindowFacts::default(),
        };
        let alone = WindowFacts { hours, ..WindowFacts::default() };
        facts.window = alone.and_this(&facts.totals, &facts.by_zone());
        facts
    }
}
