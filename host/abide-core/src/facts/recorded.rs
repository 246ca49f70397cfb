//! Changes of which only the statistics were kept: paths, modes, sizes and line counts, and no contents.

use serde::{Deserialize, Serialize};

use super::delta::{DeltaEntry, Side, TreeDelta, TreePaths};
use super::{Facts, Meter, Totals, WindowFacts};
use crate::id::{Digest, Oid};

/// One file of such a change, as `git diff --raw --numstat` tells it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecordedFile {
    /// Path after the change.
    pub path: String,
    /// `A`, `M`, `D` or `T`.
    pub status: String,
    /// Octal mode before, `000000` if there was none.
    pub old_mode: String,
    /// Octal mode after, `000000` if there is none.
    pub new_mode: String,
    /// Text lines added.
    pub added: u64,
    /// Text lines removed.
    pub removed: u64,
    /// Whether git calls it binary.
    pub binary: bool,
    /// Size after, in bytes.
    pub bytes: u64,
}

/// Facts that need contents. They are reported as unmeasured, never as clean.
pub(super) const NEED_CONTENTS: [&str; 7] =
    ["collisions", "dependencies", "destructive", "forbidden", "hazards", "secrets", "tests"];

/// Why a recorded change cannot be measured.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RecordedError {
    /// A mode is not an octal number.
    #[error("`{path}`: `{mode}` is not a git mode")]
    Mode {
        /// Of which file.
        path: String,
        /// What stands there.
        mode: String,
    },
    /// The files do not make a change.
    #[error("{0}")]
    Delta(String),
}

impl Meter {
    /// Measures what can be measured without contents. `trees` are those before and after, for the record.
    pub fn measure_recorded(
        &self,
        trees: (Oid, Oid),
        files: &[RecordedFile],
        earlier: WindowFacts,
    ) -> Result<Facts, RecordedError> {
        let entries = files.iter().map(entry).collect::<Result<Vec<_>, _>>()?;
        let delta = TreeDelta::new(trees.0, trees.1, entries, TreePaths::All(Vec::new()))
            .map_err(|error| RecordedError::Delta(error.to_string()))?;
        let mut facts = self.measure(&delta, WindowFacts::default());
        for file in &mut facts.files {
            let Some(recorded) = files.iter().find(|recorded| recorded.path == file.path) else { continue };
            (file.added, file.removed, file.binary) = (recorded.added, recorded.removed, recorded.binary);
        }
        facts.totals = facts.files.iter().fold(Totals::default(), Totals::and);
        facts.hazards.clear();
        facts.unmeasured = NEED_CONTENTS.iter().map(|name| (*name).to_owned()).collect();
        facts.window = earlier.and_this(&facts.totals, &facts.by_zone());
        Ok(facts)
    }
}

fn entry(file: &RecordedFile) -> Result<DeltaEntry, RecordedError> {
    let side = |mode: &str, which: &str| {
        let number = u32::from_str_radix(mode, 8)
            .map_err(|_| RecordedError::Mode { path: file.path.clone(), mode: mode.to_owned() })?;
        // Objects are not known, only that they differ.
        let oid = stand_in(&format!("{which}\n{}", file.path));
        Ok(match number {
            0 => None,
            0o160_000 => Some(Side::submodule(oid)),
            mode => Some(Side::too_large(oid, mode, file.bytes)),
        })
    };
    let (old, new) = (side(&file.old_mode, "old")?, side(&file.new_mode, "new")?);
    DeltaEntry::of(file.path.as_bytes().to_vec(), old, new)
        .ok_or_else(|| RecordedError::Delta(format!("`{}` is there neither before nor after", file.path)))
}

/// An object id made of a text, for an object that is not at hand.
fn stand_in(text: &str) -> Oid {
    let digest = Digest::of(text.as_bytes()).to_string();
    let hex: String = digest.chars().rev().take(40).collect();
    hex.parse().unwrap_or_else(|_| Oid::zero())
}
