use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;

use cap_std::fs::Dir;

use super::{DirWorkspace, DirWorkspaceLimits, OpenError};
use crate::workspace::{EntryKind, SearchOptions, Workspace, WorkspaceError};

const LIMITS: DirWorkspaceLimits =
    DirWorkspaceLimits { entries_max: 100, search_file_bytes_max: 1_000, search_bytes_max: 10_000 };

fn write(folder: &Path, path: &str, bytes: &[u8]) {
    let file = folder.join(path);
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    std::fs::write(file, bytes).unwrap();
}

fn open(folder: &Path, limits: DirWorkspaceLimits) -> Result<DirWorkspace, OpenError> {
    let dir = Dir::open_ambient_dir(folder, cap_std::ambient_authority()).unwrap();
    DirWorkspace::open(dir, limits)
}

/// Files of every sort, and git's own folder.
fn sample() -> (tempfile::TempDir, DirWorkspace) {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    write(at, "a.rs", b"let area = 1; // AREA\nlet areas = area;\n");
    write(at, "docs/b.md", b"area\r\n\xffarea \xc3\xa4area area\xc3\xa4\n");
    write(at, "docs/c/binary", b"area\0area");
    write(at, ".git/config", b"[area]");
    write(at, "sub/.git/config", b"[area]");
    write(at, "back\\slash", b"area");
    write(at, "run.sh", b"#!/bin/sh\n");
    std::fs::set_permissions(at.join("run.sh"), std::fs::Permissions::from_mode(0o755)).unwrap();
    symlink("/etc/passwd", at.join("link")).unwrap();
    symlink("docs", at.join("folder-link")).unwrap();
    let workspace = open(at, LIMITS).unwrap();
    (folder, workspace)
}

fn paths(workspace: &DirWorkspace, prefix: &str, after: Option<&str>, limit: u32) -> (Vec<String>, bool) {
    let listing = workspace.list(prefix, after, limit).unwrap();
    (listing.entries.into_iter().map(|entry| entry.path.to_string()).collect(), listing.truncated)
}

#[test]
fn a_listing_is_sorted_and_comes_in_pages() {
    let (_folder, workspace) = sample();
    let all = ["a.rs", "docs/b.md", "docs/c/binary", "folder-link", "link", "run.sh"];
    assert_eq!(paths(&workspace, "", None, 100), (all.map(str::to_owned).to_vec(), false));
    assert_eq!(paths(&workspace, "docs/", None, 1), (vec!["docs/b.md".to_owned()], true));
    assert_eq!(paths(&workspace, "docs/", Some("docs/b.md"), 1), (vec!["docs/c/binary".to_owned()], false));
    assert_eq!(paths(&workspace, "", None, 0), (vec![], true));
    assert_eq!(workspace.hidden(), 3, "two `.git` and a backslash");
    let kinds: Vec<EntryKind> =
        workspace.list("", None, 100).unwrap().entries.into_iter().map(|entry| entry.kind).collect();
    assert_eq!(kinds[3..], [EntryKind::Symlink, EntryKind::Symlink, EntryKind::Executable]);
}

#[test]
fn reading_stays_inside_and_follows_nothing() {
    let (_folder, workspace) = sample();
    let read = |path: &str, offset, limit| workspace.read(&path.parse().unwrap(), offset, limit);
    assert_eq!(read("a.rs", 4, 4).unwrap(), b"area");
    assert_eq!(read("a.rs", 1_000, 4).unwrap(), b"");
    assert_eq!(read("link", 0, 4), Err(WorkspaceError::NotAFile));
    assert_eq!(read("folder-link/b.md", 0, 4), Err(WorkspaceError::NotFound));
    assert_eq!(read("docs", 0, 4), Err(WorkspaceError::NotAFile));
    assert_eq!(read("nope", 0, 4), Err(WorkspaceError::NotFound));
}

/// `path:line:column` of each match.
fn search(workspace: &DirWorkspace, query: &str, change: impl FnOnce(&mut SearchOptions)) -> Vec<String> {
    let mut options = SearchOptions {
        prefix: String::new(),
        suffixes: vec![],
        ignore_case: false,
        whole_word: false,
        limit: 100,
    };
    change(&mut options);
    let result = workspace.search(query, &options).unwrap();
    result.matches.iter().map(|found| format!("{}:{}:{}", found.path, found.line, found.column)).collect()
}

#[test]
fn searching_is_literal_and_skips_binaries() {
    let (_folder, workspace) = sample();
    assert_eq!(
        search(&workspace, "area", |_| {}),
        [
            "a.rs:1:4",
            "a.rs:2:4",
            "a.rs:2:12",
            "docs/b.md:1:0",
            "docs/b.md:2:1",
            "docs/b.md:2:8",
            "docs/b.md:2:13"
        ]
    );
    assert_eq!(
        search(&workspace, "area", |options| options.whole_word = true),
        ["a.rs:1:4", "a.rs:2:12", "docs/b.md:1:0"]
    );
    assert_eq!(search(&workspace, "AREA", |options| options.ignore_case = true).len(), 8);
    assert_eq!(search(&workspace, "are.", |_| {}), [""; 0]);
    assert_eq!(search(&workspace, "area", |options| options.suffixes = vec![".md".to_owned()]).len(), 4);
    assert_eq!(search(&workspace, "area", |options| options.prefix = "a".to_owned()).len(), 3);
    assert_eq!(search(&workspace, "äarea", |_| {}), ["docs/b.md:2:6"]);
    assert_eq!(search(&workspace, "area", |options| options.limit = 2).len(), 2);
}

#[test]
fn the_hosts_own_work_is_bounded() {
    let folder = tempfile::tempdir().unwrap();
    for name in 0..5 {
        write(folder.path(), &format!("f{name}"), b"needle needle");
    }
    let few = DirWorkspaceLimits { entries_max: 4, ..LIMITS };
    assert!(matches!(open(folder.path(), few), Err(OpenError::TooManyEntries { limit: 4 })));
    let options = SearchOptions {
        prefix: String::new(),
        suffixes: vec![],
        ignore_case: false,
        whole_word: false,
        limit: 100,
    };
    let little = open(folder.path(), DirWorkspaceLimits { search_bytes_max: 26, ..LIMITS }).unwrap();
    let found = little.search("needle", &options).unwrap();
    assert_eq!((found.matches.len(), found.truncated), (4, true));
    let small = open(folder.path(), DirWorkspaceLimits { search_file_bytes_max: 12, ..LIMITS }).unwrap();
    assert_eq!(small.search("needle", &options).unwrap().matches, []);
}
