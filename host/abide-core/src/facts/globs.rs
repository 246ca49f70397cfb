//! Sets of globs with names, matched against every spelling under which a file system might find a path.

use std::collections::{BTreeMap, BTreeSet};

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};

use super::config::{GlobsConfig, MeasureConfigError};
use super::paths;

/// The spellings of one path.
#[derive(Debug)]
pub(crate) struct PathForms {
    /// As shown in facts.
    pub(crate) shown: String,
    nfc: String,
    /// As a case-folding file system compares it, with a `/` at the end.
    folder: String,
}

impl PathForms {
    pub(crate) fn of(raw: &[u8]) -> Self {
        let shown = paths::shown(raw);
        let nfc = paths::nfc(&shown).into_owned();
        let mut folder = paths::folded(&paths::windows(&shown));
        folder.push('/');
        Self { shown, nfc, folder }
    }

    pub(crate) fn folded(&self) -> &str {
        self.folder.strip_suffix('/').unwrap_or(&self.folder)
    }

    /// The last component, folded.
    pub(crate) fn file_name(&self) -> &str {
        self.folded().rsplit('/').next().unwrap_or_default()
    }

    /// What follows the last dot of the last component, folded; empty if there is none.
    pub(crate) fn extension(&self) -> &str {
        self.file_name().rsplit_once('.').map_or("", |(_, extension)| extension)
    }
}

/// Globs, any of which puts a path into the set of a name.
#[derive(Debug)]
pub(crate) struct NamedGlobs {
    set: GlobSet,
    /// For each glob, its name and the folders that it begins with, folded.
    owners: Vec<(String, String)>,
}

impl NamedGlobs {
    pub(crate) fn compile(sets: &BTreeMap<String, GlobsConfig>) -> Result<Self, MeasureConfigError> {
        let mut builder = GlobSetBuilder::new();
        let mut owners = Vec::new();
        for (name, config) in sets {
            for glob in &config.globs {
                let bad =
                    |why: String| MeasureConfigError::Glob { set: name.clone(), glob: glob.clone(), why };
                if glob.is_empty() || glob.starts_with('/') || glob.contains('\\') {
                    return Err(bad("a glob is a relative path with `/`".to_owned()));
                }
                let compiled = GlobBuilder::new(&paths::nfc(glob))
                    .literal_separator(true)
                    .case_insensitive(true)
                    .backslash_escape(false)
                    .build()
                    .map_err(|error| bad(error.kind().to_string()))?;
                builder.add(compiled);
                owners.push((name.clone(), literal_folders(glob)));
            }
        }
        let set = builder.build().map_err(|error| MeasureConfigError::Glob {
            set: "(all)".to_owned(),
            glob: error.glob().unwrap_or_default().to_owned(),
            why: error.kind().to_string(),
        })?;
        Ok(Self { set, owners })
    }

    /// The names whose globs match `path`, or would match something below it: a link, submodule or file that takes the place of a folder
    /// touches everything in that folder.
    pub(crate) fn touched_by(&self, path: &PathForms) -> BTreeSet<&str> {
        let above = self.owners.iter().filter(|(_, folders)| folders.starts_with(&path.folder));
        let mut names = self.matching(path);
        names.extend(above.map(|(name, _)| name.as_str()));
        names
    }

    /// The names whose globs match, sorted.
    pub(crate) fn matching(&self, path: &PathForms) -> BTreeSet<&str> {
        let mut found: BTreeSet<usize> = self.set.matches(&path.nfc).into_iter().collect();
        if path.folded() != path.nfc {
            found.extend(self.set.matches(path.folded()));
        }
        found.into_iter().filter_map(|index| self.owners.get(index)).map(|(name, _)| name.as_str()).collect()
    }
}

/// Names that have globs of which none matches any of `paths`, which are as git has them.
pub fn idle<'a>(
    sets: &BTreeMap<String, GlobsConfig>,
    paths: impl IntoIterator<Item = &'a [u8]>,
) -> Result<BTreeSet<String>, MeasureConfigError> {
    let compiled = NamedGlobs::compile(sets)?;
    let mut left: BTreeSet<&str> =
        sets.iter().filter(|(_, set)| !set.globs.is_empty()).map(|(name, _)| name.as_str()).collect();
    for path in paths {
        if left.is_empty() {
            break;
        }
        for name in compiled.matching(&PathForms::of(path)) {
            left.remove(name);
        }
    }
    Ok(left.into_iter().map(str::to_owned).collect())
}

/// The components of `glob` before its first wildcard, folded, each with a `/`.
fn literal_folders(glob: &str) -> String {
    let mut folders = String::new();
    let mut components = glob.split('/').peekable();
    while let Some(component) = components.next() {
        if components.peek().is_none() || component.contains(['*', '?', '[', '{']) {
            break;
        }
        folders.push_str(&paths::folded(component));
        folders.push('/');
    }
    folders
}
