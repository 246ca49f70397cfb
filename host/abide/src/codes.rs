//! The pages of the error codes, `docs/codes/*.md`, as the binary carries them.

use std::collections::BTreeMap;

use crate::embedded;

/// One code's page.
#[derive(Debug, PartialEq)]
pub(crate) struct Page {
    /// What the heading says, without the code.
    pub(crate) title: String,
    /// What, why, next: plain text.
    pub(crate) body: String,
}

/// Every page: sections `## AB0302 — title`.
pub(crate) fn pages() -> BTreeMap<String, Page> {
    let texts = embedded::CODES.iter().map(|(_, bytes)| String::from_utf8_lossy(bytes));
    let mut pages = BTreeMap::new();
    for text in texts {
        for section in text.split("\n## ").skip(1) {
            let (head, body) = section.split_once('\n').unwrap_or((section, ""));
            let (code, title) = head.split_once(" — ").unwrap_or((head, ""));
            let body = body.replace("**", "").trim().to_owned();
            pages.insert(code.trim().to_owned(), Page { title: title.trim().to_owned(), body });
        }
    }
    pages
}

/// What a person does next after `code`: the paragraph `Next` of its page.
pub(crate) fn next(code: &str) -> Option<String> {
    let page = pages().remove(code)?;
    let next =
        page.body.lines().skip_while(|line| !line.starts_with("Next ")).take_while(|line| !line.is_empty());
    let next = next.collect::<Vec<_>>().join(" ");
    next.strip_prefix("Next ").map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::{next, pages};

    #[test]
    fn every_code_says_what_to_do_next() {
        let silent: Vec<String> = pages().into_keys().filter(|code| next(code).is_none()).collect();
        assert_eq!(silent, [""; 0]);
    }

    #[test]
    fn what_to_do_next_is_one_paragraph_without_its_heading() {
        assert_eq!(next("AB0312").as_deref(), Some("Make a first commit, then `ab init`."));
        assert_eq!(next("AB9999"), None);
    }
}
