//! `package.json`, `package-lock.json` and `npm-shrinkwrap.json` (lockfile versions 1, 2 and 3).

use serde_json::{Map, Value};

use super::{Dep, Deps, Integrity, Source, Unreadable, host_of, insert, source_of};

const NPM: &str = "registry.npmjs.org";

pub(super) fn manifest(text: &str) -> Result<Deps, Unreadable> {
    let value: Value = serde_json::from_str(text).map_err(|_| Unreadable)?;
    let table = value.as_object().ok_or(Unreadable)?;
    let mut deps = Deps::new();
    for section in ["dependencies", "devDependencies", "peerDependencies", "optionalDependencies"] {
        if let Some(found) = table.get(section) {
            for (name, spec) in found.as_object().ok_or(Unreadable)? {
                insert(&mut deps, name, requirement(spec.as_str().ok_or(Unreadable)?));
            }
        }
    }
    for section in ["overrides", "resolutions"] {
        if let Some(found) = table.get(section) {
            overrides(found.as_object().ok_or(Unreadable)?, section, &mut deps)?;
        }
    }
    if let Some(pnpm) = table.get("pnpm").and_then(|pnpm| pnpm.get("overrides")) {
        overrides(pnpm.as_object().ok_or(Unreadable)?, "overrides", &mut deps)?;
    }
    Ok(deps)
}

/// Overrides may nest; `serde_json` has bounded the depth.
fn overrides(table: &Map<String, Value>, prefix: &str, deps: &mut Deps) -> Result<(), Unreadable> {
    for (name, spec) in table {
        let name = format!("{prefix}:{name}");
        match spec {
            Value::String(spec) => insert(deps, &name, requirement(spec)),
            Value::Object(inner) => overrides(inner, &name, deps)?,
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) => return Err(Unreadable),
        }
    }
    Ok(())
}

fn requirement(spec: &str) -> Dep {
    let dep = |host, source| Dep {
        version: Some(spec.to_owned()),
        host,
        source,
        integrity: Integrity::NotApplicable,
    };
    let lower = spec.to_lowercase();
    for (prefix, host) in [
        ("github:", "github.com"),
        ("gist:", "gist.github.com"),
        ("gitlab:", "gitlab.com"),
        ("bitbucket:", "bitbucket.org"),
    ] {
        if lower.starts_with(prefix) {
            return dep(Some(host.to_owned()), Source::Git);
        }
    }
    match source_of(spec) {
        Source::Unknown if is_short_github(spec) => dep(Some("github.com".to_owned()), Source::Git),
        Source::Unknown => dep(Some(NPM.to_owned()), Source::Registry),
        Source::Url if is_git_web(&lower) => dep(host_of(spec), Source::Git),
        source @ (Source::Registry | Source::Git | Source::Path | Source::Url) => dep(host_of(spec), source),
    }
}

/// `owner/name`, which npm takes for a repository on GitHub. `npm:@scope/name@1` and `^1 || 2` are no such thing.
fn is_short_github(spec: &str) -> bool {
    let path = spec.split('#').next().unwrap_or_default();
    let word = |text: &str| {
        !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
    };
    path.split_once('/').is_some_and(|(owner, name)| word(owner) && word(name))
}

/// `https://github.com/owner/name` without a tarball is cloned.
fn is_git_web(lower: &str) -> bool {
    let path = lower.split(['#', '?']).next().unwrap_or_default();
    ["https://github.com/", "https://gitlab.com/", "https://bitbucket.org/"]
        .iter()
        .any(|host| path.starts_with(host))
        && ![".tgz", ".tar.gz", ".zip"].iter().any(|end| path.ends_with(end))
        && !path.contains("/archive/")
        && !path.contains("/tarball/")
}

pub(super) fn lock(text: &str) -> Result<Deps, Unreadable> {
    let value: Value = serde_json::from_str(text).map_err(|_| Unreadable)?;
    let table = value.as_object().ok_or(Unreadable)?;
    let mut deps = Deps::new();
    // Version 2 has both lists: which is read depends on the npm that reads, so both count.
    if let Some(packages) = table.get("packages") {
        for (place, package) in packages.as_object().ok_or(Unreadable)? {
            let package = package.as_object().ok_or(Unreadable)?;
            if let Some(dep) = locked(package, place.contains("node_modules/"))? {
                insert(&mut deps, name_at(place, package), dep);
            }
        }
    }
    if let Some(found) = table.get("dependencies") {
        nested(found.as_object().ok_or(Unreadable)?, &mut deps)?;
    }
    Ok(deps)
}

/// The name of the package at `node_modules/a/node_modules/@b/c`.
fn name_at<'a>(place: &'a str, package: &'a Map<String, Value>) -> &'a str {
    let aliased = package.get("name").and_then(Value::as_str);
    aliased.unwrap_or_else(|| place.rsplit_once("node_modules/").map_or(place, |(_, name)| name))
}

fn nested(table: &Map<String, Value>, deps: &mut Deps) -> Result<(), Unreadable> {
    for (name, package) in table {
        let package = package.as_object().ok_or(Unreadable)?;
        if let Some(dep) = locked(package, true)? {
            insert(deps, name, dep);
        }
        if let Some(inner) = package.get("dependencies") {
            nested(inner.as_object().ok_or(Unreadable)?, deps)?;
        }
    }
    Ok(())
}

/// A locked package; `None` for the root and for members of the workspace, which are not installed and so no dependencies.
fn locked(package: &Map<String, Value>, installed: bool) -> Result<Option<Dep>, Unreadable> {
    let text = |key: &str| match package.get(key) {
        None | Some(Value::Null | Value::Bool(_)) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.as_str())),
        Some(Value::Number(_) | Value::Array(_) | Value::Object(_)) => Err(Unreadable),
    };
    let (version, resolved, integrity) = (text("version")?, text("resolved")?, text("integrity")?);
    let is = |key: &str| package.get(key).and_then(Value::as_bool) == Some(true);
    let local = |at: Option<&str>| Dep {
        version: at.map(str::to_owned),
        host: None,
        source: Source::Path,
        integrity: Integrity::NotApplicable,
    };
    if is("link") {
        return Ok(Some(local(resolved)));
    }
    // Version 1 keeps the place of what is not in a registry under `version`.
    let place = resolved.or_else(|| version.filter(|version| source_of(version) != Source::Unknown));
    Ok(match place {
        Some(place) => Some(from_url(version, place, integrity)),
        None if is("bundled") || is("inBundle") => Some(local(version)),
        None if !installed => None,
        None => Some(Dep {
            version: version.map(str::to_owned),
            host: None,
            source: Source::Unknown,
            integrity: Integrity::of(integrity),
        }),
    })
}

/// A package that was resolved to `url`.
pub(super) fn from_url(version: Option<&str>, url: &str, integrity: Option<&str>) -> Dep {
    let host = host_of(url);
    let version = version.map(str::to_owned);
    let source = source_of(url);
    let commit = url.rsplit_once('#').map(|(_, commit)| commit).filter(|commit| commit.len() >= 40);
    // The fragment that yarn 1 appends is a SHA-1 of the tarball.
    let short = commit.filter(|_| integrity.is_none());
    match source {
        Source::Git => Dep { version, host, source, integrity: Integrity::of(integrity.or(commit)) },
        Source::Path => Dep { version, host: None, source, integrity: Integrity::NotApplicable },
        // Registries serve tarballs below `/-/` (npm) or `/download/` (GitHub); the host is a fact either way.
        Source::Url if url.contains("/-/") || url.contains("/download/") => {
            Dep { version, host, source: Source::Registry, integrity: Integrity::of(integrity.or(short)) }
        }
        Source::Url | Source::Registry | Source::Unknown => {
            Dep { version, host, source, integrity: Integrity::of(integrity.or(short)) }
        }
    }
}
