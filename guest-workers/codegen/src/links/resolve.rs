//! Where a destination leads, and where the file is now if it does not lead there any more.

use std::collections::{BTreeMap, BTreeSet};

/// Names that nearly every folder has: a name alone says nothing.
const COMMON_NAMES: [&str; 6] =
    ["readme.md", "index.md", "index.html", "_index.md", "changelog.md", "license"];

/// The files and folders of the repository, by path and by name.
#[derive(Debug)]
pub(super) struct Tree<'a> {
    paths: BTreeSet<&'a str>,
    by_name: BTreeMap<String, Vec<&'a str>>,
    folders: BTreeSet<&'a str>,
}

/// What became of a destination.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Answer {
    /// It leads somewhere, or is not ours to judge.
    Fine,
    /// The file is elsewhere now.
    Moved {
        /// The new destination, spelled for Markdown.
        to: String,
        /// The file or folder.
        file: String,
    },
    /// Several files could be meant.
    Ambiguous(Vec<String>),
    /// No file of that name is left.
    Lost,
}

impl<'a> Tree<'a> {
    pub(super) fn new(paths: impl Iterator<Item = &'a str>) -> Self {
        let paths: BTreeSet<&str> = paths.collect();
        let folders: BTreeSet<&str> =
            paths.iter().flat_map(|path| path.match_indices('/').map(|(at, _)| &path[..at])).collect();
        let mut by_name: BTreeMap<String, Vec<&str>> = BTreeMap::new();
        for path in paths.iter().chain(&folders) {
            by_name.entry(name(path).to_ascii_lowercase()).or_default().push(path);
        }
        Self { paths, by_name, folders }
    }

    /// Judges `destination` as written in the document `from`.
    pub(super) fn resolve(&self, from: &str, destination: &str, bracketed: bool) -> Answer {
        let cut = destination.find(['#', '?']).unwrap_or(destination.len());
        let (path, suffix) = destination.split_at(cut);
        if path.is_empty() || path.starts_with(['/', '\\']) || has_scheme(path) || is_template(destination) {
            return Answer::Fine;
        }
        let Some(decoded) = percent_decode(path) else { return Answer::Fine };
        let Some(target) = join(parent(from), &decoded) else { return Answer::Fine };
        if target.is_empty() || self.exists(&target) {
            return Answer::Fine;
        }
        let wants_folder = decoded.ends_with('/');
        match self.find(&target, wants_folder) {
            Ok(found) => {
                let mut to = relative(parent(from), found);
                if decoded.starts_with("./") && !to.starts_with("../") {
                    to.insert_str(0, "./");
                }
                if wants_folder {
                    to.push('/');
                }
                let spelled = if bracketed { to } else { percent_encode(&to) };
                Answer::Moved { to: spelled + suffix, file: found.to_owned() }
            }
            Err(candidates) if candidates.is_empty() => Answer::Lost,
            Err(candidates) => {
                Answer::Ambiguous(candidates.into_iter().take(5).map(|path| format!("`{path}`")).collect())
            }
        }
    }

    /// Whether `target` leads to something, here or after a site generator went over it.
    fn exists(&self, target: &str) -> bool {
        let has = |path: &str| self.paths.contains(path) || self.folders.contains(path);
        let stem = target.strip_suffix(".html").unwrap_or(target);
        has(target)
            || has(&format!("{stem}.md"))
            || has(&format!("{stem}.mdx"))
            || has(&format!("{stem}/index.md"))
    }

    /// The only file whose path ends most like `target`; otherwise all that are as good.
    fn find(&self, target: &str, wants_folder: bool) -> Result<&'a str, Vec<&'a str>> {
        let wanted = name(target);
        let same_sort = |path: &&&'a str| self.folders.contains(**path) || !wants_folder;
        let all = self.by_name.get(&wanted.to_ascii_lowercase()).map_or(&[][..], Vec::as_slice);
        let exact: Vec<&str> =
            all.iter().filter(same_sort).copied().filter(|path| name(path) == wanted).collect();
        let candidates =
            if exact.is_empty() { all.iter().filter(same_sort).copied().collect() } else { exact };
        let shared = |path: &str| {
            target.rsplit('/').zip(path.rsplit('/')).take_while(|(a, b)| a.eq_ignore_ascii_case(b)).count()
        };
        let most = candidates.iter().map(|path| shared(path)).max().unwrap_or(0);
        let best: Vec<&str> = candidates.into_iter().filter(|path| shared(path) == most).collect();
        let too_common = COMMON_NAMES.contains(&wanted.to_ascii_lowercase().as_str()) && most < 2;
        match best.as_slice() {
            [one] if !too_common => Ok(one),
            _ => Err(best),
        }
    }
}

fn name(path: &str) -> &str {
    path.trim_end_matches('/').rsplit('/').next().unwrap_or(path)
}

fn parent(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}

/// `scheme:` as in RFC 3986, 3.1; a drive letter counts too.
fn has_scheme(path: &str) -> bool {
    path.split_once(':').is_some_and(|(scheme, _)| {
        scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            && scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c))
    })
}

/// Something that a template engine fills in.
fn is_template(destination: &str) -> bool {
    ["{{", "{%", "<%", "${", "{"].iter().any(|mark| destination.contains(mark))
}

/// `folder/path` without `.` and `..`; `None` when it leaves the repository.
fn join(folder: &str, path: &str) -> Option<String> {
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

/// The way from `folder` to `path`.
fn relative(folder: &str, path: &str) -> String {
    let from: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    let to: Vec<&str> = path.split('/').collect();
    let shared = from.iter().zip(to.iter().take(to.len() - 1)).take_while(|(a, b)| a == b).count();
    let mut parts = vec![".."; from.len() - shared];
    parts.extend(&to[shared..]);
    parts.join("/")
}

fn percent_decode(path: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path.as_bytes();
    while let Some((&byte, tail)) = rest.split_first() {
        rest = tail;
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let (digits, tail) = rest.split_at_checked(2)?;
        bytes.push(u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?);
        rest = tail;
    }
    String::from_utf8(bytes).ok()
}

/// What cannot stand in a bare destination, or would end its path.
fn percent_encode(path: &str) -> String {
    let mut out = String::with_capacity(path.len());
    for c in path.chars() {
        if c.is_ascii_control() || " ()<>#?%\\\"*_[]`".contains(c) && !"_*".contains(c) {
            out.push_str(&format!("%{:02X}", u32::from(c)));
        } else {
            out.push(c);
        }
    }
    out
}
