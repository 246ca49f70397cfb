//! `yarn.lock` (versions 1 and berry) and `pnpm-lock.yaml`, which are written by machines in one layout each.
//!
//! This reads that layout and refuses any other, rather than guess. It is not a YAML parser.

use super::npm::from_url;
use super::{Dep, Deps, Integrity, Source, Unreadable, host_of, insert, source_of};

/// What is known of the entry that is being read.
#[derive(Default)]
struct Entry<'a> {
    name: &'a str,
    version: Option<&'a str>,
    resolved: Option<&'a str>,
    integrity: Option<&'a str>,
}

pub(super) fn lock(text: &str) -> Result<Deps, Unreadable> {
    let mut deps = Deps::new();
    let mut entry: Option<Entry<'_>> = None;
    for line in text.lines() {
        let line = line.trim_end();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if !line.starts_with(' ') {
            finish(entry.take(), &mut deps);
            let key = line.strip_suffix(':').ok_or(Unreadable)?;
            entry = Some(Entry { name: descriptor_name(key)?, ..Entry::default() });
            continue;
        }
        let entry = entry.as_mut().ok_or(Unreadable)?;
        let indent = line.len().saturating_sub(line.trim_start().len());
        if indent != 2 {
            continue;
        }
        let (key, value) = field(line.trim_start());
        match key {
            "version" => entry.version = Some(value),
            "resolved" | "resolution" => entry.resolved = Some(value),
            "integrity" | "checksum" => entry.integrity = Some(value),
            _ => {}
        }
    }
    finish(entry, &mut deps);
    Ok(deps)
}

/// `key "value"` of version 1, `key: "value"` of berry.
fn field(line: &str) -> (&str, &str) {
    let (key, value) = line.split_once(' ').unwrap_or((line, ""));
    (unquoted(key.trim_end_matches(':')), unquoted(value))
}

fn unquoted(text: &str) -> &str {
    text.trim().trim_matches(['"', '\''])
}

/// The name in `"@scope/name@npm:^1.0.0, @scope/name@^2"`.
fn descriptor_name(key: &str) -> Result<&str, Unreadable> {
    let first = unquoted(key.split(", ").next().unwrap_or(key));
    let at = first.char_indices().skip(1).find(|(_, c)| *c == '@').map(|(at, _)| at);
    match at {
        Some(at) => first.get(..at).ok_or(Unreadable),
        None if first == "__metadata" => Ok(first),
        None => Err(Unreadable),
    }
}

fn finish(entry: Option<Entry<'_>>, deps: &mut Deps) {
    let Some(entry) = entry.filter(|entry| entry.name != "__metadata") else { return };
    let dep = match entry.resolved {
        None => Dep {
            version: entry.version.map(str::to_owned),
            host: None,
            source: Source::Unknown,
            integrity: Integrity::of(entry.integrity),
        },
        Some(resolved) => match berry_reference(resolved) {
            None => from_url(entry.version, resolved, entry.integrity),
            Some(reference) => berry(&entry, reference),
        },
    };
    insert(deps, entry.name, dep);
}

/// The reference in a resolution of berry: `npm:1.0.0` in `name@npm:1.0.0`. A URL has its `://` before any `@npm:`.
fn berry_reference(resolved: &str) -> Option<&str> {
    let at = resolved.char_indices().skip(1).find(|(_, c)| *c == '@').map(|(at, _)| at)?;
    if resolved.get(..at)?.contains("://") {
        return None;
    }
    resolved.get(at.saturating_add(1)..)
}

fn berry(entry: &Entry<'_>, reference: &str) -> Dep {
    let version = entry.version.map(str::to_owned);
    let integrity = Integrity::of(entry.integrity);
    if reference.starts_with("npm:") {
        // `__archiveUrl` overrides where the package comes from.
        let host = match reference.split_once("__archiveUrl=") {
            Some((_, url)) => host_of(&url.replace("%3A", ":").replace("%2F", "/")),
            None => Some("registry.npmjs.org".to_owned()),
        };
        return Dep { version, host, source: Source::Registry, integrity };
    }
    let source = if reference.contains("#commit=") { Source::Git } else { source_of(reference) };
    if source == Source::Path {
        return Dep { version, host: None, source, integrity: Integrity::NotApplicable };
    }
    Dep { version, host: host_of(reference), source, integrity }
}

/// Packages of pnpm: keys at two spaces below `packages:`, fields below them.
pub(super) fn pnpm_lock(text: &str) -> Result<Deps, Unreadable> {
    let mut deps = Deps::new();
    let mut in_packages = false;
    let mut known_layout = false;
    let mut entry: Option<(&str, &str)> = None;
    let mut resolution = String::new();
    for line in text.lines() {
        let line = line.trim_end();
        let indent = line.len().saturating_sub(line.trim_start().len());
        match indent {
            _ if line.is_empty() || line.trim_start().starts_with('#') => {}
            0 => {
                pnpm_finish(entry.take(), &mut resolution, &mut deps);
                known_layout |= line.starts_with("lockfileVersion");
                in_packages = line == "packages:";
            }
            _ if !in_packages => {}
            2 => {
                pnpm_finish(entry.take(), &mut resolution, &mut deps);
                let key = unquoted(line.strip_suffix(':').ok_or(Unreadable)?);
                entry = Some(pnpm_key(key)?);
            }
            4 if line.trim_start().starts_with("resolution:") => resolution.push_str(line),
            6.. if resolution.ends_with("resolution:") || resolution.ends_with(';') => {
                resolution.push_str(line);
                resolution.push(';');
            }
            4 if !resolution.is_empty() => resolution.push(' '),
            _ => {}
        }
    }
    pnpm_finish(entry, &mut resolution, &mut deps);
    if known_layout { Ok(deps) } else { Err(Unreadable) }
}

/// Name and version in `/@scope/name@1.0.0(peer@2)`, `name@1.0.0` or the older `/name/1.0.0`.
fn pnpm_key(key: &str) -> Result<(&str, &str), Unreadable> {
    let key = key.strip_prefix('/').unwrap_or(key);
    let bare = key.split('(').next().unwrap_or(key);
    let at = bare.char_indices().skip(1).find(|(_, c)| *c == '@').map(|(at, _)| at);
    match at {
        Some(at) => {
            Ok((bare.get(..at).ok_or(Unreadable)?, bare.get(at.saturating_add(1)..).ok_or(Unreadable)?))
        }
        None => bare.rsplit_once('/').ok_or(Unreadable),
    }
}

fn pnpm_finish(entry: Option<(&str, &str)>, resolution: &mut String, deps: &mut Deps) {
    let fields = std::mem::take(resolution);
    let Some((name, version)) = entry else { return };
    let value = |key: &str| {
        let (_, after) = fields.split_once(key)?;
        after.split([',', '}', ';']).next().map(unquoted).filter(|value| !value.is_empty())
    };
    let url = value("tarball:").or_else(|| value("repo:"));
    let integrity = value("integrity:").or_else(|| value("commit:"));
    let dep = match url {
        Some(url) if value("repo:").is_some() => Dep {
            version: Some(version.to_owned()),
            host: host_of(url),
            source: Source::Git,
            integrity: Integrity::of(integrity),
        },
        Some(url) => from_url(Some(version), url, integrity),
        None if value("directory:").is_some() => Dep {
            version: Some(version.to_owned()),
            host: None,
            source: Source::Path,
            integrity: Integrity::NotApplicable,
        },
        None => Dep {
            version: Some(version.to_owned()),
            host: Some("registry.npmjs.org".to_owned()),
            source: Source::Registry,
            integrity: Integrity::of(integrity),
        },
    };
    insert(deps, name, dep);
}
