//! The facts of one path: where it lies, what it is, how large it is.

use std::collections::{BTreeMap, BTreeSet};

use aho_corasick::{AhoCorasick, AhoCorasickBuilder};

use super::config::{GeneratedConfig, GlobsConfig, MeasureConfigError};
use super::delta::{MODE_SUBMODULE, Side};
use super::globs::NamedGlobs;
use super::meter::EXECUTES_ON_BUILD;
use super::view::View;
use super::{FileFacts, FileStatus, text};

/// Where a file may say that it is generated.
const MARKER_BYTES: usize = 2048;
/// A line this long in a script or style sheet was not typed.
const MINIFIED_LINE_BYTES: u64 = 2000;
/// Longest LFS pointer (the specification says that pointers are under 1,024 bytes).
const LFS_BYTES_MAX: usize = 1024;

/// Tells what one path is.
#[derive(Debug)]
pub(crate) struct FileMeter {
    zones: NamedGlobs,
    categories: NamedGlobs,
    generated: NamedGlobs,
    markers: AhoCorasick,
}

/// A file's facts, and what else the other meters want to know of it.
pub(crate) struct Opened {
    pub(crate) facts: FileFacts,
    /// It is documentation and nothing else.
    pub(crate) prose: bool,
}

impl FileMeter {
    pub(crate) fn compile(
        zones: NamedGlobs,
        categories: NamedGlobs,
        generated: &GeneratedConfig,
    ) -> Result<Self, MeasureConfigError> {
        let globs = GlobsConfig { about: String::new(), globs: generated.globs.clone() };
        let markers = generated.markers.iter().filter(|marker| !marker.is_empty());
        Ok(Self {
            zones,
            categories,
            generated: NamedGlobs::compile(&BTreeMap::from([("generated".to_owned(), globs)]))?,
            markers: AhoCorasickBuilder::new().ascii_case_insensitive(true).build(markers).map_err(
                |error| MeasureConfigError::Regex {
                    id: "generated.markers".to_owned(),
                    why: error.to_string(),
                },
            )?,
        })
    }

    pub(crate) fn open(&self, view: &View<'_>) -> Opened {
        let entry = view.entry;
        let either =
            |test: fn(&Side) -> bool| entry.old().is_some_and(test) || entry.new_side().is_some_and(test);
        let pointed = view.new.as_deref().and_then(lfs_size);
        let pointed_before = view.old.as_deref().and_then(lfs_size);
        let lfs = pointed.is_some() || pointed_before.is_some();
        let (symlink, submodule) = (either(Side::is_symlink), either(Side::is_submodule));
        let zones: BTreeSet<&str> = self.zones.touched_by(&view.path);
        let mut categories = self.categories.matching(&view.path);
        if zones.contains(EXECUTES_ON_BUILD) || either(Side::is_executable) || has_shebang(view) {
            // What runs is code, whatever folder it lies in.
            categories.insert("code");
        }
        if symlink || submodule || categories.is_empty() {
            categories.insert("other");
        }
        let prose = categories.len() == 1 && categories.contains("docs");
        let owned = |names: BTreeSet<&str>| names.into_iter().map(str::to_owned).collect();
        let gained = |side: &Side| side.is_executable() && !entry.old().is_some_and(Side::is_executable);
        let facts = FileFacts {
            path: view.path().to_owned(),
            status: entry.status(),
            zones: owned(zones),
            categories: owned(categories),
            added: view.added,
            removed: view.removed,
            binary: view.nul || view.non_utf8 || view.old_unread || view.new_unread || lfs,
            bytes: pointed.unwrap_or_else(|| entry.new_side().map_or(0, Side::len)),
            bytes_before: pointed_before.unwrap_or_else(|| entry.old().map_or(0, Side::len)),
            old_mode: mode(entry.old()),
            new_mode: mode(entry.new_side()),
            symlink,
            submodule,
            generated: self.is_generated(view),
            lfs,
            made_executable: entry.new_side().is_some_and(gained),
        };
        Opened { facts, prose }
    }

    fn is_generated(&self, view: &View<'_>) -> bool {
        if !self.generated.matching(&view.path).is_empty() || super::deps::is_lockfile(&view.path) {
            return true;
        }
        let Some(text) = view.new.as_deref().or(view.old.as_deref()) else { return false };
        let head = text.as_bytes().get(..MARKER_BYTES).unwrap_or(text.as_bytes());
        let minified =
            matches!(view.path.extension(), "js" | "mjs" | "cjs" | "css" | "html" | "svg" | "json");
        self.markers.is_match(head) || (minified && text::longest_line(text) > MINIFIED_LINE_BYTES)
    }
}

fn mode(side: Option<&Side>) -> String {
    let mode = side.map_or(0, |side| if side.is_submodule() { MODE_SUBMODULE } else { side.mode });
    format!("{mode:06o}")
}

/// Whether either side begins with `#!`, so that somebody may run it.
fn has_shebang(view: &View<'_>) -> bool {
    view.entry.status() != FileStatus::Deleted
        && view.new.as_deref().is_some_and(|text| text.starts_with("#!"))
}

/// The size that an LFS pointer points at (<https://github.com/git-lfs/git-lfs/blob/main/docs/spec.md>).
fn lfs_size(text: &str) -> Option<u64> {
    if text.len() > LFS_BYTES_MAX {
        return None;
    }
    let first = text.lines().next()?;
    let version = first.strip_prefix("version ")?;
    if !(version.starts_with("https://git-lfs.github.com/spec/")
        || version.starts_with("http://git-media.io/v/"))
    {
        return None;
    }
    let size = text.lines().find_map(|line| line.strip_prefix("size "))?;
    // A size that is no number, or none that fits, counts as the largest.
    Some(size.trim().parse().unwrap_or(u64::MAX))
}
