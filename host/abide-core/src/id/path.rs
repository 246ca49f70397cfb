//! A path inside a repository that cannot point anywhere else.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A relative, `/`-separated UTF-8 path of a tracked file.
///
/// It has no empty, `.` or `..` component, no component that any file system folds to `.git`, no backslash, colon-stream, NUL or control
/// character, and at most 4,096 bytes. Source of the `.git` spellings: git's own `verify_path` (HFS+ ignorable code points, NTFS short names).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RepoPath(String);

/// Why a text is not a path inside the repository.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is not a path inside the repository: {why}", .path.escape_default())]
pub struct PathError {
    /// What was given, cut at 200 characters.
    pub path: String,
    /// The rule that it breaks.
    pub why: &'static str,
}

impl RepoPath {
    /// The path as git writes it.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether some file system takes the single component `name` for git's own folder.
    pub fn enters_git_folder(name: &str) -> bool {
        folds_to_dot_git(name)
    }

    /// The last component.
    pub fn file_name(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or(&self.0)
    }

    /// The folder, `""` at the top.
    pub fn parent(&self) -> &str {
        self.0.rsplit_once('/').map_or("", |(folder, _)| folder)
    }
}

fn check(path: &str) -> Result<(), &'static str> {
    if path.is_empty() {
        return Err("it is empty");
    }
    if path.len() > 4096 {
        return Err("it is longer than 4,096 bytes");
    }
    if path.starts_with('/') || path.as_bytes().get(1) == Some(&b':') {
        return Err("it is absolute");
    }
    if path.contains('\\') {
        return Err("it has a backslash");
    }
    if path.chars().any(char::is_control) {
        return Err("it has a control character");
    }
    path.split('/').try_for_each(check_component)
}

fn check_component(component: &str) -> Result<(), &'static str> {
    match component {
        "" => Err("it has an empty component"),
        "." => Err("it has a `.` component"),
        ".." => Err("it climbs out with `..`"),
        _ if folds_to_dot_git(component) => Err("it enters git's own folder"),
        _ => Ok(()),
    }
}

/// Whether HFS+ or NTFS would take `component` for `.git`.
fn folds_to_dot_git(component: &str) -> bool {
    let visible: String =
        component.chars().filter(|c| !is_hfs_ignorable(*c)).flat_map(char::to_lowercase).collect();
    let stem = visible.split(':').next().unwrap_or_default().trim_end_matches(['.', ' ']);
    matches!(stem, ".git" | "git~1")
}

fn is_hfs_ignorable(c: char) -> bool {
    matches!(c, '\u{200c}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{206a}'..='\u{206f}' | '\u{feff}')
}

impl FromStr for RepoPath {
    type Err = PathError;
    fn from_str(path: &str) -> Result<Self, PathError> {
        match check(path) {
            Ok(()) => Ok(Self(path.to_owned())),
            Err(why) => Err(PathError { path: path.chars().take(200).collect(), why }),
        }
    }
}
impl TryFrom<String> for RepoPath {
    type Error = PathError;
    fn try_from(path: String) -> Result<Self, PathError> {
        path.parse()
    }
}
impl From<RepoPath> for String {
    fn from(path: RepoPath) -> Self {
        path.0
    }
}
impl fmt::Display for RepoPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
impl fmt::Debug for RepoPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RepoPath({})", self.0)
    }
}
