//! `poetry.lock`, `uv.lock`, `pdm.lock`, `pylock.toml` and `Pipfile.lock`.

use toml::{Table, Value};

use super::pypi::normal;
use super::{Dep, Deps, Integrity, Source, Unreadable, host_of, insert, source_of, spelled};

const PYPI: &str = "pypi.org";

pub(super) fn toml_lock(text: &str) -> Result<Deps, Unreadable> {
    let root: Table = text.parse().map_err(|_| Unreadable)?;
    // PEP 751 calls the list `packages`, the others `package`.
    let packages = match root.get("package").or_else(|| root.get("packages")) {
        None => return Ok(Deps::new()),
        Some(packages) => packages.as_array().ok_or(Unreadable)?,
    };
    let apart = root.get("metadata").and_then(|metadata| metadata.get("files"));
    let mut deps = Deps::new();
    for package in packages {
        let name = package.get("name").and_then(Value::as_str).ok_or(Unreadable)?;
        insert(&mut deps, &normal(name), locked(package, apart.and_then(|files| files.get(name))));
    }
    Ok(deps)
}

/// `apart` is the list of files that older poetry keeps away from the package.
fn locked(package: &Value, apart: Option<&Value>) -> Dep {
    let version = package.get("version").and_then(Value::as_str).map(str::to_owned);
    let lists =
        [package.get("files"), package.get("wheels"), package.get("sdist"), package.get("archive"), apart];
    let files: Vec<&Value> = lists
        .into_iter()
        .flatten()
        .flat_map(|list| list.as_array().map_or_else(|| vec![list], |items| items.iter().collect()))
        .collect();
    let mut hosts: Vec<String> =
        files.iter().filter_map(|file| file.get("url")?.as_str()).filter_map(host_of).collect();
    hosts.sort();
    hosts.dedup();
    let mut digests: Vec<String> = files.iter().filter_map(|file| digest_of(file)).collect();
    let unpinned = digests.len() < files.len() || files.is_empty();
    digests.sort();
    let integrity = if unpinned { Integrity::Missing } else { Integrity::Present(digests.join(" ")) };
    let none = Table::new();
    let source =
        package.get("source").or_else(|| package.get("vcs")).and_then(Value::as_table).unwrap_or(&none);
    let text = |key: &str| source.get(key).and_then(Value::as_str);
    let is_git = text("git").is_some() || text("type") == Some("git") || package.get("vcs").is_some();
    if is_git {
        let url = text("git").or_else(|| text("url")).unwrap_or_default();
        let commit = text("resolved_reference")
            .or_else(|| text("commit-id"))
            .or_else(|| url.rsplit_once('#').map(|(_, commit)| commit))
            .filter(|commit| commit.len() >= 40);
        return Dep { version, host: host_of(url), source: Source::Git, integrity: Integrity::of(commit) };
    }
    let path_types = ["directory", "file", "path"];
    if ["path", "editable", "virtual", "directory"].iter().any(|key| source.contains_key(*key))
        || text("type").is_some_and(|kind| path_types.contains(&kind))
        || package.get("directory").is_some()
    {
        return Dep { version, host: None, source: Source::Path, integrity: Integrity::NotApplicable };
    }
    if text("type") == Some("url") || (text("url").is_some() && text("type").is_none()) {
        let host = text("url").and_then(host_of);
        return Dep { version, host, source: Source::Url, integrity };
    }
    let index = text("registry").or_else(|| text("url")).and_then(host_of);
    // Where the files come from says more than which index was asked.
    let host = if hosts.is_empty() { index.or_else(|| Some(PYPI.to_owned())) } else { Some(hosts.join(" ")) };
    Dep { version, host, source: Source::Registry, integrity }
}

fn digest_of(file: &Value) -> Option<String> {
    if let Some(hashes) = file.get("hashes") {
        return Some(spelled(hashes));
    }
    file.get("hash")?.as_str().filter(|hash| !hash.is_empty()).map(str::to_owned)
}

pub(super) fn pipfile_lock(text: &str) -> Result<Deps, Unreadable> {
    let root: serde_json::Value = serde_json::from_str(text).map_err(|_| Unreadable)?;
    let mut deps = Deps::new();
    for (key, section) in root.as_object().ok_or(Unreadable)? {
        if key == "_meta" {
            for index in section.get("sources").and_then(|sources| sources.as_array()).into_iter().flatten() {
                let text = |key: &str| index.get(key).and_then(|value| value.as_str()).unwrap_or_default();
                let dep = Dep {
                    version: Some(text("url").to_owned()),
                    host: host_of(text("url")),
                    source: Source::Url,
                    integrity: Integrity::NotApplicable,
                };
                insert(&mut deps, &format!("(index {})", text("name")), dep);
            }
            continue;
        }
        for (name, package) in section.as_object().ok_or(Unreadable)? {
            insert(&mut deps, &normal(name), pipenv(package));
        }
    }
    Ok(deps)
}

fn pipenv(package: &serde_json::Value) -> Dep {
    let text = |key: &str| package.get(key).and_then(|value| value.as_str());
    let version = text("version").or_else(|| text("ref")).map(str::to_owned);
    if let Some(git) = text("git") {
        let commit = text("ref").filter(|commit| commit.len() >= 40);
        return Dep { version, host: host_of(git), source: Source::Git, integrity: Integrity::of(commit) };
    }
    if text("path").is_some() {
        return Dep { version, host: None, source: Source::Path, integrity: Integrity::NotApplicable };
    }
    let hashes =
        package.get("hashes").filter(|hashes| hashes.as_array().is_some_and(|list| !list.is_empty()));
    let integrity = hashes.map_or(Integrity::Missing, |hashes| Integrity::Present(hashes.to_string()));
    if let Some(url) = text("file") {
        return Dep { version, host: host_of(url), source: source_of(url), integrity };
    }
    let host = text("index").map_or_else(|| PYPI.to_owned(), |name| format!("index `{name}`"));
    Dep { version, host: Some(host), source: Source::Registry, integrity }
}
