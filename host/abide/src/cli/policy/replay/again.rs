//! The command line of a replay, spelled so that somebody else can run it again.

use std::path::Path;

use super::ReplayArgs;
use crate::replay::{Fixed, Past};

/// What was asked for. The page's own file is left out: it is not a part of what was replayed.
pub(super) fn command(args: &ReplayArgs) -> String {
    let past = match (&args.corpus, &args.git) {
        (Some(file), _) => format!("--corpus {}", path(file)),
        (None, Some(range)) => format!("--git {}", quoted(range)),
        (None, None) => format!("--history {}", args.history),
    };
    with(args, &past)
}

/// The same over commits that cannot move, where a branch was named.
pub(super) fn fixed(args: &ReplayArgs, past: &Past) -> Option<String> {
    match &past.fixed {
        Fixed::Range(range) => Some(with(args, &format!("--git {range}"))),
        Fixed::File(_) => None,
    }
}

fn with(args: &ReplayArgs, past: &str) -> String {
    let mut words = vec!["ab policy replay".to_owned(), past.to_owned()];
    let mut add = |name: &str, value: String| words.push(format!("{name} {value}"));
    if let Some(folder) = &args.which.dir {
        add("--dir", path(folder));
    }
    if let Some(repo) = &args.which.repo {
        add("--repo", path(repo));
    }
    for profile in &args.profile {
        add("--profile", quoted(profile));
    }
    if let Some(folder) = &args.against {
        add("--against", path(folder));
    }
    if let Some(kind) = args.judge {
        add("--judge", kind.name().to_owned());
    }
    add("--html", "replay.html".to_owned());
    words.join(" ")
}

fn path(path: &Path) -> String {
    quoted(&path.to_string_lossy())
}

/// `text` as one word for a POSIX shell.
fn quoted(text: &str) -> String {
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "._-/+,:@%^~".contains(letter);
    if !text.is_empty() && text.chars().all(is_plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn a_shell_takes_each_as_one_word() {
        assert_eq!(quoted("../main-policies"), "../main-policies");
        assert_eq!(quoted("v1.0..main"), "v1.0..main");
        assert_eq!(quoted("a b"), "'a b'");
        assert_eq!(quoted("it's; rm"), "'it'\\''s; rm'");
        assert_eq!(quoted(""), "''");
    }
}
