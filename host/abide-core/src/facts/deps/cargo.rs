//! `Cargo.toml` and `Cargo.lock`.

use toml::{Table, Value};

use super::{Dep, Deps, Integrity, Source, Unreadable, host_of, insert, spelled};

const SECTIONS: [&str; 3] = ["dependencies", "dev-dependencies", "build-dependencies"];
/// Spellings that Cargo still takes.
const OLD_SECTIONS: [&str; 2] = ["dev_dependencies", "build_dependencies"];
const CRATES_IO: &str = "crates.io";

pub(super) fn manifest(text: &str) -> Result<Deps, Unreadable> {
    let table: Table = text.parse().map_err(|_| Unreadable)?;
    let mut deps = Deps::new();
    sections(&table, &mut deps)?;
    if let Some(targets) = table.get("target") {
        for target in targets.as_table().ok_or(Unreadable)?.values() {
            sections(target.as_table().ok_or(Unreadable)?, &mut deps)?;
        }
    }
    if let Some(workspace) = table.get("workspace") {
        sections(workspace.as_table().ok_or(Unreadable)?, &mut deps)?;
    }
    for (key, registry) in table.get("patch").and_then(Value::as_table).into_iter().flatten() {
        section(registry, &format!("patch.{key}:"), &mut deps)?;
    }
    if let Some(replace) = table.get("replace") {
        section(replace, "replace:", &mut deps)?;
    }
    Ok(deps)
}

fn sections(table: &Table, deps: &mut Deps) -> Result<(), Unreadable> {
    for name in SECTIONS.iter().chain(&OLD_SECTIONS) {
        if let Some(found) = table.get(*name) {
            section(found, "", deps)?;
        }
    }
    Ok(())
}

fn section(found: &Value, prefix: &str, deps: &mut Deps) -> Result<(), Unreadable> {
    for (key, spec) in found.as_table().ok_or(Unreadable)? {
        let name = spec.get("package").and_then(Value::as_str).unwrap_or(key);
        insert(deps, &format!("{prefix}{name}"), requirement(spec)?);
    }
    Ok(())
}

fn requirement(spec: &Value) -> Result<Dep, Unreadable> {
    let table = match spec {
        Value::String(version) => return Ok(registry(Some(version.clone()), Some(CRATES_IO.to_owned()))),
        Value::Table(table) => table,
        Value::Integer(_) | Value::Float(_) | Value::Boolean(_) | Value::Datetime(_) | Value::Array(_) => {
            return Err(Unreadable);
        }
    };
    let text = |key: &str| table.get(key).and_then(Value::as_str);
    // Everything that the requirement says is compared, features included; a plain version is shown plainly.
    let all = match (table.len(), text("version")) {
        (1, Some(version)) => version.to_owned(),
        _ => spelled(spec),
    };
    let from =
        |source, host| Dep { version: Some(all.clone()), host, source, integrity: Integrity::NotApplicable };
    Ok(if let Some(git) = text("git") {
        from(Source::Git, host_of(git))
    } else if table.contains_key("path") {
        from(Source::Path, None)
    } else if table.get("workspace").and_then(Value::as_bool) == Some(true) {
        from(Source::Unknown, None)
    } else if let Some(index) = text("registry-index") {
        registry(Some(all), host_of(index))
    } else if let Some(name) = text("registry") {
        registry(Some(all.clone()), Some(format!("registry `{name}`")))
    } else {
        registry(Some(all), Some(CRATES_IO.to_owned()))
    })
}

fn registry(version: Option<String>, host: Option<String>) -> Dep {
    Dep { version, host, source: Source::Registry, integrity: Integrity::NotApplicable }
}

pub(super) fn lock(text: &str) -> Result<Deps, Unreadable> {
    let table: Table = text.parse().map_err(|_| Unreadable)?;
    let packages = match table.get("package") {
        None => return Ok(Deps::new()),
        Some(packages) => packages.as_array().ok_or(Unreadable)?,
    };
    let mut deps = Deps::new();
    for package in packages {
        let name = package.get("name").and_then(Value::as_str).ok_or(Unreadable)?;
        let version = package.get("version").and_then(Value::as_str).ok_or(Unreadable)?;
        let source = package.get("source").and_then(Value::as_str);
        // Locks of version 1 keep checksums apart, under a key that names package, version and source.
        let apart = source.and_then(|source| {
            table.get("metadata")?.get(format!("checksum {name} {version} ({source})"))?.as_str()
        });
        let checksum = package.get("checksum").and_then(Value::as_str).or(apart);
        insert(&mut deps, name, locked(version, source, checksum));
    }
    Ok(deps)
}

fn locked(version: &str, source: Option<&str>, checksum: Option<&str>) -> Dep {
    let version = Some(version.to_owned());
    let Some(source) = source else {
        return Dep { version, host: None, source: Source::Path, integrity: Integrity::NotApplicable };
    };
    let (kind, url) = source.split_once('+').unwrap_or(("", source));
    match kind {
        "registry" | "sparse" => {
            let is_crates_io = matches!(
                url.trim_end_matches('/'),
                "https://github.com/rust-lang/crates.io-index" | "https://index.crates.io"
            );
            let host = if is_crates_io { Some(CRATES_IO.to_owned()) } else { host_of(url) };
            Dep { version, host, source: Source::Registry, integrity: Integrity::of(checksum) }
        }
        "git" => {
            // The commit is the digest of what is fetched.
            let commit = url.rsplit_once('#').map(|(_, commit)| commit).filter(|commit| commit.len() >= 40);
            Dep { version, host: host_of(url), source: Source::Git, integrity: Integrity::of(commit) }
        }
        _ => Dep { version, host: host_of(url), source: Source::Unknown, integrity: Integrity::of(checksum) },
    }
}
