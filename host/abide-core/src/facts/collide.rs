//! Paths that some file systems take for one: by case, by normalisation, or by characters that they ignore.
//!
//! Only collisions in which a path of the change takes part are reported: a repository that holds old ones can still be worked on.

use std::collections::{BTreeMap, BTreeSet};

use super::delta::{TreeDelta, TreePaths};
use super::{Collision, FileStatus, paths};

/// The collisions that `delta` makes or touches; `None` if the tree's paths are not known.
pub(crate) fn collisions(delta: &TreeDelta) -> Option<Vec<Collision>> {
    let TreePaths::All(tree) = delta.tree_paths() else { return None };
    let mut spellings: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for entry in delta.entries() {
        let shown = paths::shown(entry.path());
        match entry.status() {
            FileStatus::Deleted => {}
            FileStatus::Added | FileStatus::TypeChanged => {
                for (folder, key) in prefixes(&shown) {
                    spellings.entry(key).or_default().insert(folder.to_owned());
                }
            }
            FileStatus::Modified => {
                spellings.entry(paths::folded(&shown)).or_default().insert(shown);
            }
        }
    }
    if spellings.is_empty() {
        return Some(Vec::new());
    }
    for raw in tree {
        let shown = paths::shown(raw);
        let folded = paths::folded(&shown);
        // Folding keeps the number of `/`, so the folders of both spellings pair up.
        for (folder, key) in ends(&shown).zip(ends(&folded)) {
            if let Some(known) = spellings.get_mut(key)
                && !known.contains(folder)
            {
                known.insert(folder.to_owned());
            }
        }
    }
    let mut found: Vec<Collision> =
        spellings.into_values().filter(|paths| paths.len() > 1).map(collision).collect();
    found.sort();
    Some(found)
}

fn collision(spellings: BTreeSet<String>) -> Collision {
    let normal: BTreeSet<String> = spellings.iter().map(|path| paths::nfc(path).into_owned()).collect();
    let kind = if normal.len() < spellings.len() { "nfc" } else { "case-fold" };
    Collision { kind: kind.to_owned(), paths: spellings.into_iter().collect() }
}

/// Every folder of `path`, and `path`, with the folded spelling of each.
fn prefixes(path: &str) -> Vec<(&str, String)> {
    ends(path).map(|prefix| (prefix, paths::folded(prefix))).collect()
}

/// `a/b/c` gives `a`, `a/b`, `a/b/c`.
fn ends(path: &str) -> impl Iterator<Item = &str> {
    let slashes = path.match_indices('/').map(|(at, _)| at);
    slashes.chain([path.len()]).filter_map(move |end| path.get(..end))
}
