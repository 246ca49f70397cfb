//! Temporary folders that are gone afterwards, even if a program took away its own right to write in them.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

/// A new folder; dropping it removes it and what is in it.
#[derive(Debug)]
pub(crate) struct Temporary(tempfile::TempDir);

impl Temporary {
    /// A folder below `root`, private to this user, whose name begins with `prefix`.
    pub(crate) fn new(prefix: &str, root: &Path) -> std::io::Result<Self> {
        tempfile::Builder::new().prefix(prefix).tempdir_in(root).map(Self)
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        unlock(self.0.path());
    }
}

/// Gives the owner every right on the folders at and below `path`. Links are not followed; what cannot be changed is left to the removal,
/// which reports nothing either: a temporary folder that stays is untidy, not unsafe.
fn unlock(path: &Path) {
    let Ok(meta) = std::fs::symlink_metadata(path) else { return };
    if !meta.is_dir() {
        return;
    }
    let mode = meta.permissions().mode();
    if mode & 0o700 != 0o700 {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode | 0o700)).ok();
    }
    for entry in std::fs::read_dir(path).into_iter().flatten().flatten() {
        unlock(&entry.path());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_was_locked_is_removed_all_the_same() {
        let root = tempfile::tempdir().unwrap();
        let temporary = Temporary::new("x-", root.path()).unwrap();
        let inner = temporary.path().join("a/b");
        std::fs::create_dir_all(&inner).unwrap();
        std::fs::write(inner.join("file"), "x").unwrap();
        for path in [&inner, &temporary.path().join("a")] {
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o000)).unwrap();
        }
        drop(temporary);
        assert_eq!(std::fs::read_dir(root.path()).unwrap().count(), 0);
    }
}
