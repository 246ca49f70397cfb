//! Adding facts up. Sums saturate: too much is said rather than too little.

use std::collections::BTreeMap;

use super::{FileFacts, FileStatus, Totals, WindowFacts};

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
