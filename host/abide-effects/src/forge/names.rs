//! Names in git trees, as bytes: which of them no checkout may write.

use std::path::PathBuf;

use abide_core::id::RepoPath;

/// A path for people: bytes that are not UTF-8 become the replacement character.
pub(crate) fn shown(path: &[u8]) -> String {
    String::from_utf8_lossy(path).into_owned()
}

/// The path on disk of a path in a tree.
pub(crate) fn on_disk(path: &[u8]) -> PathBuf {
    use std::os::unix::ffi::OsStrExt as _;
    PathBuf::from(std::ffi::OsStr::from_bytes(path))
}

/// `folder` and `name` joined with a slash.
pub(crate) fn join(folder: &[u8], name: &[u8]) -> Vec<u8> {
    let mut path = Vec::with_capacity(folder.len().saturating_add(name.len()).saturating_add(1));
    if !folder.is_empty() {
        path.extend_from_slice(folder);
        path.push(b'/');
    }
    path.extend_from_slice(name);
    path
}

/// Why `name` must not stand in a tree that is read or written; `git fsck` calls these errors too.
pub(crate) fn hostile(name: &[u8]) -> Option<&'static str> {
    match name {
        b"" => return Some("it has an empty name"),
        b"." | b".." => return Some("it climbs with `.` or `..`"),
        _ => {}
    }
    if name.contains(&b'/') || name.contains(&0) {
        return Some("a name holds a slash or NUL");
    }
    RepoPath::enters_git_folder(&String::from_utf8_lossy(name)).then_some("it enters git's own folder")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_no_checkout_may_write_are_found() {
        for name in [
            &b""[..],
            b".",
            b"..",
            b".git",
            b".GIT",
            b"git~1",
            b".git. ",
            b"a/b",
            b"a\0",
            ".g\u{200c}it".as_bytes(),
        ] {
            assert!(hostile(name).is_some(), "{name:?}");
        }
        for name in [&b"a"[..], b".gitignore", b"...", b"\xff\xfe", b"git", b".github"] {
            assert_eq!(hostile(name), None, "{name:?}");
        }
    }
}
