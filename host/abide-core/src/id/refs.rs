//! Full names of git references.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A full reference name such as `refs/heads/main`, by the rules of `git check-ref-format`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RefName(String);

/// Why a text is not a reference name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is not a git reference: {why}", .name.escape_default())]
pub struct RefError {
    /// What was given, cut at 200 characters.
    pub name: String,
    /// The rule that it breaks.
    pub why: &'static str,
}

impl RefName {
    /// The full name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The branch `name`, that is `refs/heads/<name>`.
    pub fn branch(name: &str) -> Result<Self, RefError> {
        format!("refs/heads/{name}").parse()
    }

    /// The name without `refs/heads/`, for people.
    pub fn short(&self) -> &str {
        self.0.strip_prefix("refs/heads/").unwrap_or(&self.0)
    }

    /// Whether this is a branch that the engine owns: `refs/heads/ab/…`.
    pub fn is_work(&self) -> bool {
        self.0.starts_with("refs/heads/ab/")
    }
}

#[expect(clippy::case_sensitive_file_extension_comparisons, reason = "git refuses exactly `.lock`")]
fn check(name: &str) -> Result<(), &'static str> {
    if !name.starts_with("refs/") {
        return Err("a full name begins with `refs/`");
    }
    if name.len() > 255 {
        return Err("it is longer than 255 bytes");
    }
    if name.contains("..") || name.contains("@{") || name.contains("//") {
        return Err("it has `..`, `@{` or `//`");
    }
    if name.chars().any(|c| c.is_control() || matches!(c, ' ' | '~' | '^' | ':' | '?' | '*' | '[' | '\\')) {
        return Err("it has a character that git refuses");
    }
    if name.ends_with('/') || name.ends_with('.') {
        return Err("it ends in `/` or `.`");
    }
    if name.split('/').any(|part| part.starts_with('.') || part.ends_with(".lock")) {
        return Err("a part begins with `.` or ends in `.lock`");
    }
    Ok(())
}

impl FromStr for RefName {
    type Err = RefError;
    fn from_str(name: &str) -> Result<Self, RefError> {
        match check(name) {
            Ok(()) => Ok(Self(name.to_owned())),
            Err(why) => Err(RefError { name: name.chars().take(200).collect(), why }),
        }
    }
}
impl TryFrom<String> for RefName {
    type Error = RefError;
    fn try_from(name: String) -> Result<Self, RefError> {
        name.parse()
    }
}
impl From<RefName> for String {
    fn from(name: RefName) -> Self {
        name.0
    }
}
impl fmt::Display for RefName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
impl fmt::Debug for RefName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RefName({})", self.0)
    }
}
