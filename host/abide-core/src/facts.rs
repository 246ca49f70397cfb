//! What the host measured of a change (`abide.facts/1`). Judging is the policy's; counting is done here, from bytes.
//!
//! [`delta::TreeDelta`] goes in, [`Facts`] come out of [`Meter::measure`]; [`config::MeasureConfig`] says what to look for.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::id::Oid;

mod collide;
pub mod config;
pub mod delta;
mod deps;
mod destructive;
mod file;
mod findings;
mod globs;
mod linediff;
mod meter;
mod paths;
mod pattern;
mod recorded;
mod secrets;
mod sums;
mod tests_changed;
mod text;
mod view;

pub use config::{Limits, MeasureConfig, MeasureConfigError};
pub use delta::{Content, DeltaEntry, DeltaError, Side, TreeDelta, TreePaths};
pub use globs::idle;
pub use meter::Meter;
pub use recorded::{RecordedError, RecordedFile};

/// What happened to a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FileStatus {
    /// It is new.
    Added,
    /// Its contents or its mode changed.
    Modified,
    /// It is gone.
    Deleted,
    /// It became another type (file, symlink, submodule).
    TypeChanged,
}

/// One changed path.
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own that a policy asks for by name")]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileFacts {
    /// Path, UTF-8; bytes that are not are percent-escaped and reported as a hazard `non-utf8-path`.
    pub path: String,
    /// What happened.
    pub status: FileStatus,
    /// Zones that match, sorted.
    pub zones: Vec<String>,
    /// Categories that match, sorted.
    pub categories: Vec<String>,
    /// Text lines added, as `git diff --numstat` counts them; 0 where git says binary.
    pub added: u64,
    /// Text lines removed.
    pub removed: u64,
    /// Whether either side is binary: it holds a NUL, is not UTF-8, was not read, or is an LFS pointer.
    pub binary: bool,
    /// Size after, in bytes; for an LFS pointer the size it points at.
    pub bytes: u64,
    /// Size before, in bytes.
    pub bytes_before: u64,
    /// Octal git mode before, `000000` if there was none.
    pub old_mode: String,
    /// Octal git mode after, `000000` if there is none.
    pub new_mode: String,
    /// Whether either side is a symbolic link.
    pub symlink: bool,
    /// Whether either side is a submodule.
    pub submodule: bool,
    /// Whether it declares itself generated, or is known to be.
    pub generated: bool,
    /// Whether it is an LFS pointer.
    pub lfs: bool,
    /// Whether the executable bit was gained.
    pub made_executable: bool,
}

/// Sums over all files.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Totals {
    /// Changed paths.
    pub files: u64,
    /// Text lines added.
    pub added: u64,
    /// Text lines removed.
    pub removed: u64,
    /// Bytes of all added and modified files after the change.
    pub bytes: u64,
    /// Files that are binary on either side.
    pub binaries: u64,
    /// Deleted files.
    pub deleted: u64,
    /// Symbolic links touched.
    pub symlinks: u64,
    /// Submodules touched.
    pub submodules: u64,
    /// Files that gained the executable bit.
    pub made_executable: u64,
}

/// A secret that was found. The value is never kept.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SecretFact {
    /// Which rule found it.
    pub rule: String,
    /// Where.
    pub path: String,
    /// Line, counted from 1.
    pub line: u64,
}

/// A forbidden pattern on an added line.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ForbiddenFact {
    /// The pattern, as configured.
    pub pattern: String,
    /// Where.
    pub path: String,
    /// Line, counted from 1.
    pub line: u64,
}

/// One dependency that changed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DependencyFact {
    /// `cargo`, `npm`, `pypi` or `go`.
    pub ecosystem: String,
    /// The manifest or lockfile.
    pub path: String,
    /// Whether `path` is a lockfile.
    pub locked: bool,
    /// Its name.
    pub name: String,
    /// `added`, `changed` or `removed`.
    pub change: String,
    /// Requirement or version before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// Requirement or version after.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// Host that it resolves to, where the file says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// Where it comes from: `registry`, `git`, `path`, `url` or `unknown`.
    pub source: String,
    /// `present`, `missing`, `not-applicable`, or `changed`: the same version with other bytes.
    pub integrity: String,
}

/// What happened to tests.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TestFacts {
    /// Test functions added.
    pub added: u64,
    /// Test functions removed.
    pub removed: u64,
    /// Test files deleted, sorted.
    pub files_removed: Vec<String>,
    /// Weakened tests.
    pub weakened: Vec<WeakenedTest>,
}

/// A sign that a test asserts less than before.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WeakenedTest {
    /// `skipped`, `assertion-removed`, `always-true` or `threshold`.
    pub kind: String,
    /// Where.
    pub path: String,
    /// Line after the change, counted from 1; 0 where the line is gone.
    pub line: u64,
}

/// Something in a text or a path that a reader would not see.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hazard {
    /// `bidi`, `mixed-script`, `control`, `long-line`, `invisible`, `opaque`, `non-utf8-path`, `non-utf8-text`, or `unmeasured-` and the
    /// name of a fact that could not be measured in this file.
    pub kind: String,
    /// Where.
    pub path: String,
    /// Line, counted from 1; 0 for the path itself.
    pub line: u64,
}

/// Paths that some file systems take for one; at least one of them is part of the change.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Collision {
    /// `case-fold` or `nfc`.
    pub kind: String,
    /// The paths, sorted.
    pub paths: Vec<String>,
}

/// An operation that is hard to take back.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DestructiveFact {
    /// `file-deleted`, `sql-drop`, `sql-truncate`, `sql-delete-all`, `data-drop`, `recursive-remove`, `disk-wipe`, `force-push`,
    /// `history-rewrite` or `infra-destroy`.
    pub kind: String,
    /// Where.
    pub path: String,
    /// Line, counted from 1; 0 for the file itself.
    pub line: u64,
}

/// What the same subject changed lately, so that splitting a change never improves its verdict.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WindowFacts {
    /// Length of the window in hours.
    pub hours: u64,
    /// Changes in the window, this one included.
    pub changes: u64,
    /// Sums over the window, this change included.
    pub totals: Totals,
    /// Zones touched in the window with the number of files, this change included.
    pub zones: BTreeMap<String, u64>,
}

/// Everything that was measured.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Facts {
    /// Always `abide.facts/1`.
    pub schema: String,
    /// Tree before.
    pub base_tree: Oid,
    /// Tree after.
    pub tree: Oid,
    /// Changed paths, sorted.
    pub files: Vec<FileFacts>,
    /// Sums.
    pub totals: Totals,
    /// Zones touched, sorted.
    pub zones: Vec<String>,
    /// Categories touched, sorted: `docs`, `tests`, `code`, `ci`, `infra`, `deps`, `flags`, `governance`, `other`.
    pub categories: Vec<String>,
    /// Secrets found.
    pub secrets: Vec<SecretFact>,
    /// Forbidden patterns found.
    pub forbidden: Vec<ForbiddenFact>,
    /// Dependencies changed.
    pub dependencies: Vec<DependencyFact>,
    /// Tests changed.
    pub tests: TestFacts,
    /// Destructive operations.
    pub destructive: Vec<DestructiveFact>,
    /// Text and path hazards.
    pub hazards: Vec<Hazard>,
    /// Path collisions in the tree after the change.
    pub collisions: Vec<Collision>,
    /// What could not be measured, sorted: `lines`, `secrets`, `forbidden`, `hazards`, `destructive`, `tests`, `dependencies` or
    /// `collisions`. Never silently clean; hazards say in which files.
    pub unmeasured: Vec<String>,
    /// What the same subject changed lately.
    pub window: WindowFacts,
}

impl Facts {
    /// The value of `schema`.
    pub const SCHEMA: &'static str = "abide.facts/1";

    /// Zones that are touched, with the number of files.
    pub fn by_zone(&self) -> BTreeMap<String, u64> {
        let mut zones: BTreeMap<String, u64> = BTreeMap::new();
        for zone in self.files.iter().flat_map(|file| &file.zones) {
            let files = zones.entry(zone.clone()).or_default();
            *files = files.saturating_add(1);
        }
        zones
    }
}

#[cfg(test)]
#[expect(
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::format_collect,
    clippy::string_slice,
    reason = "tests may fail loudly, and read better for it"
)]
mod tests;
