//! Paths that some file systems take for one: by case, by normalisation, or by characters that they ignore.
//!
//! Only collisions in which a path of the change takes part are reported: a repository that holds old ones can still be worked on.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use super::delta::{TreeDelta, TreePaths};
use super::{Collision, FileStatus, paths};

/// The collisions that `delta` makes or touches; `None` if the tree's paths are not known.
pub(crate) fn collisions(delta: &TreeDelta) -> Option<Vec<Collision>> {
    let TreePaths::All(tree) = delta.tree_paths() else { return None };
    // By folded spelling: `None` for a folder that is only on the way to a path of the change.
    let mut spellings: BTreeMap<String, Option<BTreeSet<String>>> = BTreeMap::new();
    for entry in delta.entries() {
        let status = entry.status();
        if status == FileStatus::Deleted {
            continue;
        }
        let shown = paths::shown(entry.path());
        for prefix in ends(&shown) {
            let known = spellings.entry(paths::folded(prefix)).or_default();
            if status != FileStatus::Modified || prefix.len() == shown.len() {
                known.get_or_insert_default().insert(prefix.to_owned());
            }
        }
    }
    if spellings.is_empty() {
        return Some(Vec::new());
    }
    for raw in tree {
        let (shown, folded) = spelled(raw);
        // Folding keeps the number of `/`, so the folders of both spellings pair up.
        for (folder, key) in ends(&shown).zip(ends(&folded)) {
            let Some(known) = spellings.get_mut(key) else { break };
            if let Some(known) = known
                && !known.contains(folder)
            {
                known.insert(folder.to_owned());
            }
        }
    }
    let mut found: Vec<Collision> =
        spellings.into_values().flatten().filter(|paths| paths.len() > 1).map(collision).collect();
    found.sort();
    Some(found)
}

/// A path as shown and as folded. Most are ASCII and in lower case, and need no second spelling.
fn spelled(raw: &[u8]) -> (Cow<'_, str>, Cow<'_, str>) {
    let plain = std::str::from_utf8(raw).ok();
    let shown = plain.map_or_else(|| Cow::Owned(paths::shown(raw)), Cow::Borrowed);
    let folded = match plain {
        Some(text) if raw.iter().all(|byte| byte.is_ascii() && !byte.is_ascii_uppercase()) => {
            Cow::Borrowed(text)
        }
        _ => Cow::Owned(paths::folded(&shown)),
    };
    (shown, folded)
}

fn collision(spellings: BTreeSet<String>) -> Collision {
    let normal: BTreeSet<String> = spellings.iter().map(|path| paths::nfc(path).into_owned()).collect();
    let kind = if normal.len() < spellings.len() { "nfc" } else { "case-fold" };
    Collision { kind: kind.to_owned(), paths: spellings.into_iter().collect() }
}

/// `a/b/c` gives `a`, `a/b`, `a/b/c`.
fn ends(path: &str) -> impl Iterator<Item = &str> {
    let slashes = path.match_indices('/').map(|(at, _)| at);
    slashes.chain([path.len()]).filter_map(move |end| path.get(..end))
}
