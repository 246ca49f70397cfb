//! For whom a bundle is. A signature is for an archive; without an audience it holds wherever its key is trusted, so a laxer bundle that people
//! signed for one place could be put in force in another.
//!
//! The operator says in `signers.yaml` who this is (`audience: acme`), and a bundle says for whom it was made: `acme`, or `acme/REPOSITORY` for
//! one repository by the name that it is registered under.

use abide_core::id::Timestamp;

/// How an audience is written.
pub(crate) const NAMES: &str =
    "1 to 64 lower-case letters, digits, `.`, `_` and `-`, with `/REPOSITORY` behind it for one repository";

/// Where and when a bundle is judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Here {
    /// The time: no earlier than that of any event of the log, so that a clock that was set back makes no key valid again.
    pub(crate) now: Timestamp,
    /// The name of the repository; none outside of any.
    pub(crate) repository: Option<String>,
}

/// Whether `text` is an audience.
pub(crate) fn is_name(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._-".contains(&byte);
    let part = |part: &str| {
        (1..=64).contains(&part.len()) && part.bytes().all(plain) && !part.starts_with(['.', '-'])
    };
    let (ours, repository) = text.split_once('/').unwrap_or((text, "any"));
    part(ours) && part(repository)
}

/// Why a bundle for `its` is not for `ours` in `repository`, in a sentence.
pub(crate) fn refuses(its: Option<&str>, ours: Option<&str>, repository: Option<&str>) -> Option<String> {
    match (its, ours) {
        (None, None) => None,
        (Some(its), None) => {
            Some(format!("it is for `{its}`, and `signers.yaml` does not say who this is (`audience:`)"))
        }
        (None, Some(ours)) => {
            Some(format!("it does not say for whom it is, and only what is for `{ours}` is taken here"))
        }
        (Some(its), Some(ours)) => {
            let own = repository.map(|repository| format!("{ours}/{repository}"));
            let fits = its == ours || Some(its) == own.as_deref();
            let or = own.map_or_else(String::new, |own| format!(" or `{own}`"));
            (!fits).then(|| format!("it is for `{its}`, and this is `{ours}`{or}"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bundle_is_for_whom_it_says() {
        for (its, ours, repository, taken) in [
            (None, None, Some("api"), true),
            (Some("acme"), None, Some("api"), false),
            (None, Some("acme"), Some("api"), false),
            (Some("acme"), Some("acme"), Some("api"), true),
            (Some("acme"), Some("acme"), None, true),
            (Some("acme/api"), Some("acme"), Some("api"), true),
            (Some("acme/docs"), Some("acme"), Some("api"), false),
            (Some("acme/api"), Some("acme"), None, false),
            (Some("other"), Some("acme"), Some("other"), false),
            (Some("other/api"), Some("acme"), Some("api"), false),
            (Some("acme"), Some("acme/api"), Some("api"), false),
        ] {
            let why = refuses(its, ours, repository);
            assert_eq!(why.is_none(), taken, "{its:?} {ours:?} {repository:?}: {why:?}");
        }
    }

    #[test]
    fn names_have_one_spelling() {
        assert!(["acme", "acme/api", "a.b-c_d/x1"].into_iter().all(is_name));
        let long = "a".repeat(65);
        let bad = ["", "Acme", "acme/", "/api", "a/b/c", "a b", "-a", ".a", "a/..", &long];
        assert!(bad.into_iter().all(|name| !is_name(name)));
    }
}
