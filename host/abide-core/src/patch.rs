//! A change as a worker proposes it: the patch document, checked on the way in and applied strictly.
//!
//! Strict means: no fuzz, no offsets, no guessing. What does not fit exactly is refused, so that what was reviewed is what is written.
//! It is not a general patch tool, and it does not touch a repository: [`PatchDoc::apply`] asks a closure for what stands there now and
//! returns the files to write. Measuring the result is the business of [`crate::facts`].

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::canonical::{self, CanonicalError};
use crate::id::{Digest, RepoPath};

mod apply;
mod error;
mod hunk;

pub use error::{PatchError, PatchFault};
pub use hunk::Hunk;

/// Bounds on a patch document and on what it may write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PatchLimits {
    /// Bytes of the document.
    pub doc_bytes_max: usize,
    /// Files in the document.
    pub files_max: usize,
    /// Hunks over all files.
    pub hunks_max: usize,
    /// Bytes of one file after the change.
    pub file_bytes_max: usize,
}

impl PatchLimits {
    /// The limits that hold where a caller has no tighter ones.
    pub const CEILING: Self =
        Self { doc_bytes_max: 8 << 20, files_max: 2000, hunks_max: 50_000, file_bytes_max: 8 << 20 };
}

/// A mode that a patch may give to a file. Links and submodules cannot be expressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum FileMode {
    /// An ordinary file.
    #[serde(rename = "100644")]
    Plain,
    /// An executable file.
    #[serde(rename = "100755")]
    Executable,
}

impl FileMode {
    /// The mode as git stores it.
    pub fn bits(self) -> u32 {
        match self {
            Self::Plain => 0o100_644,
            Self::Executable => 0o100_755,
        }
    }
}

/// What a patch says that it does to a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PatchStatus {
    /// Changes a file that is there.
    Modify,
    /// Makes a file that is not there.
    Add,
    /// Removes a file whose whole contents it states.
    Delete,
    /// Moves a file from `old_path`, perhaps changing it.
    Rename,
}

/// The part of a document that is about one file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FilePatch {
    /// Where the file stands after the change (for a deletion: stood).
    pub path: RepoPath,
    /// Where it stood, for a rename.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub old_path: Option<RepoPath>,
    /// What is done; without it, the hunks tell whether a file is added or modified.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<PatchStatus>,
    /// Mode after the change; without it, the mode stays, and a new file is not executable.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub new_mode: Option<FileMode>,
    /// The hunks, in order.
    pub hunks: Vec<Hunk>,
}

/// A patch document: `{"patch_format":"unified","files":[{"path":"src/foo.ts","hunks":["@@ -12,6 +12,7 @@ …"]}]}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PatchDoc {
    patch_format: &'static str,
    files: Vec<FilePatch>,
}

/// What stands at a path before the change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Before {
    /// Nothing.
    Absent,
    /// A folder.
    Folder,
    /// A symbolic link.
    Symlink,
    /// A submodule.
    Submodule,
    /// A file.
    File {
        /// Its mode.
        mode: FileMode,
        /// Its bytes.
        bytes: Arc<[u8]>,
    },
    /// A file that is too large to be patched.
    TooLarge,
}

/// What is to be done to the tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FileChange {
    /// Put these bytes there, whether or not a file stood there.
    Write {
        /// Where.
        path: RepoPath,
        /// Mode of the file.
        mode: FileMode,
        /// Contents of the file.
        bytes: Vec<u8>,
    },
    /// Remove the file.
    Delete {
        /// Where.
        path: RepoPath,
    },
    /// Remove the file at `from` and put these bytes at `path`.
    Rename {
        /// Where it stood.
        from: RepoPath,
        /// Where it will stand.
        path: RepoPath,
        /// Mode of the file.
        mode: FileMode,
        /// Contents of the file.
        bytes: Vec<u8>,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawDoc {
    patch_format: String,
    files: Vec<RawFile>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFile {
    path: String,
    #[serde(default)]
    old_path: Option<String>,
    #[serde(default)]
    status: Option<PatchStatus>,
    #[serde(default)]
    new_mode: Option<String>,
    hunks: Vec<String>,
}

impl PatchDoc {
    /// The only format there is.
    pub const FORMAT: &'static str = "unified";

    /// Parses and checks a document. Text that is not one is refused, however much it looks like a diff.
    pub fn parse(json: &[u8], limits: &PatchLimits) -> Result<Self, PatchError> {
        if json.len() > limits.doc_bytes_max {
            return Err(PatchError::doc(PatchFault::TooLarge {
                what: "document",
                max: limits.doc_bytes_max,
            }));
        }
        if json.trim_ascii_start().first() != Some(&b'{') {
            return Err(PatchError::doc(PatchFault::FreeText));
        }
        let raw: RawDoc = serde_json::from_slice(json)
            .map_err(|source| PatchError::doc(PatchFault::Shape(source.to_string())))?;
        if raw.patch_format != Self::FORMAT {
            let name = raw.patch_format.chars().take(40).collect();
            return Err(PatchError::doc(PatchFault::UnknownFormat(name)));
        }
        if raw.files.is_empty() {
            return Err(PatchError::doc(PatchFault::NoOp));
        }
        if raw.files.len() > limits.files_max {
            return Err(PatchError::doc(PatchFault::TooLarge {
                what: "list of files",
                max: limits.files_max,
            }));
        }
        let hunks = raw.files.iter().fold(0_usize, |sum, file| sum.saturating_add(file.hunks.len()));
        if hunks > limits.hunks_max {
            return Err(PatchError::doc(PatchFault::TooLarge {
                what: "list of hunks",
                max: limits.hunks_max,
            }));
        }
        let files = raw.files.into_iter().map(FilePatch::try_from).collect::<Result<Vec<_>, _>>()?;
        check_paths(&files)?;
        Ok(Self { patch_format: Self::FORMAT, files })
    }

    /// The files, in the order of the document.
    pub fn files(&self) -> &[FilePatch] {
        &self.files
    }

    /// Digest of the document's canonical form.
    pub fn digest(&self) -> Result<Digest, CanonicalError> {
        canonical::digest(self)
    }

    /// What this document makes of the tree that `read` shows, or the first thing that does not fit. Nothing is ever applied in part.
    ///
    /// `read` is asked for each path named here and, for new files, for the folders above them; it must answer for the base tree, with
    /// the exact spelling of the path.
    pub fn apply<E>(
        &self,
        limits: &PatchLimits,
        mut read: impl FnMut(&RepoPath) -> Result<Before, E>,
    ) -> Result<Result<Vec<FileChange>, PatchError>, E> {
        let mut changes = Vec::with_capacity(self.files.len());
        for file in &self.files {
            let before = read(file.old_path.as_ref().unwrap_or(&file.path))?;
            let change = match file.apply(&before, limits) {
                Ok(change) => change,
                Err(error) => return Ok(Err(error)),
            };
            if let Some(fault) = apply::obstacle(&change, &before, &mut read)? {
                return Ok(Err(PatchError::file(&file.path, fault)));
            }
            changes.push(change);
        }
        Ok(Ok(changes))
    }
}

impl TryFrom<RawFile> for FilePatch {
    type Error = PatchError;
    fn try_from(raw: RawFile) -> Result<Self, PatchError> {
        let path: RepoPath = raw.path.parse().map_err(|e| PatchError::doc(PatchFault::Escape(e)))?;
        let fault = |fault| PatchError::file(&path, fault);
        let old_path = match raw.old_path {
            Some(old) => Some(old.parse::<RepoPath>().map_err(|e| fault(PatchFault::Escape(e)))?),
            None => None,
        };
        let new_mode = match raw.new_mode.as_deref() {
            None => None,
            Some("100644") => Some(FileMode::Plain),
            Some("100755") => Some(FileMode::Executable),
            Some("120000") => return Err(fault(PatchFault::Link("symbolic link"))),
            Some("160000") => return Err(fault(PatchFault::Link("submodule"))),
            Some(other) => return Err(fault(PatchFault::Mode(other.chars().take(20).collect()))),
        };
        match (raw.status, &old_path) {
            (Some(PatchStatus::Rename), None) => {
                return Err(fault(PatchFault::Contradiction("a rename needs `old_path`")));
            }
            (Some(PatchStatus::Rename), Some(old)) if *old == path => return Err(fault(PatchFault::NoOp)),
            (Some(PatchStatus::Rename), Some(_)) | (_, None) => {}
            (_, Some(_)) => {
                return Err(fault(PatchFault::Contradiction("`old_path` needs the status `rename`")));
            }
        }
        if raw.status == Some(PatchStatus::Delete) && new_mode.is_some() {
            return Err(fault(PatchFault::Contradiction("a deletion has no `new_mode`")));
        }
        let hunks = raw
            .hunks
            .iter()
            .enumerate()
            .map(|(index, text)| Hunk::parse(text).map_err(|why| fault(PatchFault::Hunk { index, why })))
            .collect::<Result<Vec<_>, _>>()?;
        Ok(Self { old_path, status: raw.status, new_mode, hunks, path })
    }
}

/// Refuses a path that is named twice, and a file that stands where another file needs a folder.
fn check_paths(files: &[FilePatch]) -> Result<(), PatchError> {
    let mut seen = BTreeSet::new();
    let mut written = BTreeMap::new();
    for file in files {
        for path in [Some(&file.path), file.old_path.as_ref()].into_iter().flatten() {
            if !seen.insert(path) {
                return Err(PatchError::file(&file.path, PatchFault::Twice(path.clone())));
            }
        }
        if file.status != Some(PatchStatus::Delete) {
            written.insert(file.path.as_str(), &file.path);
        }
    }
    for file in written.values() {
        let mut folder = file.parent();
        while !folder.is_empty() {
            if let Some(other) = written.get(folder) {
                return Err(PatchError::file(file, PatchFault::FileIsFolder((*other).clone())));
            }
            folder = folder.rsplit_once('/').map_or("", |(up, _)| up);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
