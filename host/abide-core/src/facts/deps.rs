//! Dependencies that a change adds, changes or removes, read from manifests and lockfiles of Cargo, npm, `PyPI` and Go.
//!
//! Reading is the host's work and proves nothing about the packages themselves. A file that does not parse is unmeasured, never clean.

use std::collections::{BTreeMap, BTreeSet};

use super::globs::PathForms;
use super::view::View;
use super::{DependencyFact, FileStatus};

mod cargo;
mod go;
mod npm;
mod pypi;
mod pypi_lock;
mod yarn;

/// Where a dependency comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Source {
    Registry,
    Git,
    Path,
    Url,
    Unknown,
}

impl Source {
    fn as_str(self) -> &'static str {
        match self {
            Self::Registry => "registry",
            Self::Git => "git",
            Self::Path => "path",
            Self::Url => "url",
            Self::Unknown => "unknown",
        }
    }
}

/// Whether the bytes of a dependency are pinned by a digest.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Integrity {
    Present(String),
    Missing,
    NotApplicable,
}

impl Integrity {
    fn of(digest: Option<&str>) -> Self {
        digest
            .filter(|digest| !digest.is_empty())
            .map_or(Self::Missing, |digest| Self::Present(digest.to_owned()))
    }
}

/// One dependency as one file has it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Dep {
    version: Option<String>,
    host: Option<String>,
    source: Source,
    integrity: Integrity,
}

/// What a file depends on: a name may be there in several versions.
pub(crate) type Deps = BTreeMap<String, BTreeSet<Dep>>;

fn insert(deps: &mut Deps, name: &str, dep: Dep) {
    deps.entry(name.to_owned()).or_default().insert(dep);
}

/// A file that could not be read as what its name says.
#[derive(Debug)]
pub(crate) struct Unreadable;

/// A kind of manifest or lockfile.
struct Kind {
    ecosystem: &'static str,
    locked: bool,
    read: fn(&str) -> Result<Deps, Unreadable>,
}

/// The kind of the file with this folded name.
fn kind_of(name: &str) -> Option<Kind> {
    let kind = |ecosystem, locked, read| Some(Kind { ecosystem, locked, read });
    let is = |prefix: &str, suffix: &str| name.starts_with(prefix) && name.ends_with(suffix);
    match name {
        "cargo.toml" => kind("cargo", false, cargo::manifest),
        "cargo.lock" => kind("cargo", true, cargo::lock),
        "package.json" => kind("npm", false, npm::manifest),
        "package-lock.json" | "npm-shrinkwrap.json" => kind("npm", true, npm::lock),
        "yarn.lock" => kind("npm", true, yarn::lock),
        "pnpm-lock.yaml" => kind("npm", true, yarn::pnpm_lock),
        "pyproject.toml" => kind("pypi", false, pypi::pyproject),
        "pipfile" => kind("pypi", false, pypi::pipfile),
        "poetry.lock" | "uv.lock" | "pdm.lock" | "pylock.toml" => kind("pypi", true, pypi_lock::toml_lock),
        "pipfile.lock" => kind("pypi", true, pypi_lock::pipfile_lock),
        "go.mod" | "go.work" => kind("go", false, go::module),
        "go.sum" | "go.work.sum" => kind("go", true, go::sum),
        _ if is("requirements", ".txt") || is("constraints", ".txt") || is("requirements", ".in") => {
            kind("pypi", false, pypi::requirements)
        }
        _ => None,
    }
}

/// Whether the file with these names is a lockfile that is read here.
pub(crate) fn is_lockfile(path: &PathForms) -> bool {
    kind_of(path.file_name()).is_some_and(|kind| kind.locked)
}

/// Adds what `view` does to dependencies. `in_deps` says that the path is of the category `deps`. Returns whether it could be told.
pub(crate) fn find(view: &View<'_>, in_deps: bool, found: &mut Vec<DependencyFact>) -> bool {
    let folder = view.path.folded().rsplit('/').nth(1).unwrap_or_default();
    let kind = match kind_of(view.path.file_name()) {
        // `requirements/dev.txt` is as common as `requirements-dev.txt`.
        None if folder == "requirements" && view.path.extension() == "txt" => kind_of("requirements.txt"),
        kind => kind,
    };
    let Some(kind) = kind else { return !in_deps };
    if view.old_unread || view.new_unread || view.nul || view.non_utf8 {
        return false;
    }
    let after = match (&view.new, view.entry.status()) {
        (Some(text), _) => match (kind.read)(text) {
            Ok(deps) => deps,
            Err(Unreadable) => return false,
        },
        (None, FileStatus::Deleted) => Deps::new(),
        (None, _) => return false,
    };
    // If what stood there before does not parse, everything counts as new.
    let before = view.old.as_deref().and_then(|text| (kind.read)(text).ok()).unwrap_or_default();
    compare(&kind, view.path(), &before, &after, found);
    true
}

fn compare(kind: &Kind, path: &str, before: &Deps, after: &Deps, found: &mut Vec<DependencyFact>) {
    let names: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    let none = BTreeSet::new();
    for name in names {
        let old = before.get(name).unwrap_or(&none);
        let new = after.get(name).unwrap_or(&none);
        let mut gone = old.difference(new);
        let mut come = new.difference(old);
        loop {
            let (change, from, to) = match (gone.next(), come.next()) {
                (None, None) => break,
                (Some(from), None) => ("removed", Some(from), None),
                (None, Some(to)) => ("added", None, Some(to)),
                (Some(from), Some(to)) => ("changed", Some(from), Some(to)),
            };
            let Some(shown) = to.or(from) else { break };
            found.push(DependencyFact {
                ecosystem: kind.ecosystem.to_owned(),
                path: path.to_owned(),
                locked: kind.locked,
                name: name.chars().take(214).collect(),
                change: change.to_owned(),
                from: from.and_then(|dep| dep.version.clone()).map(cut),
                to: to.and_then(|dep| dep.version.clone()).map(cut),
                host: shown.host.clone().map(cut),
                source: shown.source.as_str().to_owned(),
                integrity: integrity(from, to).to_owned(),
            });
        }
    }
}

/// Everything that a requirement says, in one spelling.
fn spelled(value: &toml::Value) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

fn cut(text: String) -> String {
    if text.len() <= 200 { text } else { text.chars().take(200).collect() }
}

/// `changed` says that one version has other bytes than before.
fn integrity(from: Option<&Dep>, to: Option<&Dep>) -> &'static str {
    let same_version = matches!((from, to), (Some(from), Some(to)) if from.version == to.version);
    match (from.map(|dep| &dep.integrity), to.or(from).map(|dep| &dep.integrity)) {
        (Some(Integrity::Present(old)), Some(Integrity::Present(new))) if same_version && old != new => {
            "changed"
        }
        (_, Some(Integrity::Present(_))) => "present",
        (_, Some(Integrity::NotApplicable) | None) => "not-applicable",
        (_, Some(Integrity::Missing)) => "missing",
    }
}

/// The host of a URL in any of the spellings that package managers take, in lower case, without user and port.
fn host_of(url: &str) -> Option<String> {
    let rest = match url.split_once("://") {
        Some((_, rest)) => rest,
        // `git@host:owner/name`
        None => url.split_once('@').map(|(_, rest)| rest).filter(|rest| rest.contains(':'))?,
    };
    let authority = rest.split(['/', '?', '#', '\\']).next().unwrap_or_default();
    let host = authority.rsplit('@').next().unwrap_or_default();
    let host = if host.starts_with('[') { host.split(']').next() } else { host.split(':').next() };
    host.map(|host| host.trim_start_matches('[').to_lowercase()).filter(|host| !host.is_empty())
}

/// The kind of source that a URL or path means.
fn source_of(url: &str) -> Source {
    let lower = url.to_lowercase();
    let starts = |prefixes: &[&str]| prefixes.iter().any(|prefix| lower.starts_with(prefix));
    let place = lower.split(['#', '?']).next().unwrap_or_default();
    let git_host = place.rsplit_once('.').is_some_and(|(_, extension)| extension == "git");
    if starts(&[
        "git+",
        "git:",
        "git@",
        "ssh:",
        "hg+",
        "svn+",
        "bzr+",
        "github:",
        "gitlab:",
        "bitbucket:",
        "gist:",
    ]) || (git_host && lower.contains("://"))
    {
        Source::Git
    } else if starts(&["file:", "link:", "portal:", "workspace:", "./", "../", "/", "~/"]) || lower == "." {
        Source::Path
    } else if starts(&["http:", "https:", "ftp:", "s3:"]) {
        Source::Url
    } else {
        Source::Unknown
    }
}

#[cfg(test)]
mod tests;
