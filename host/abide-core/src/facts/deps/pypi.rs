//! `requirements*.txt`, `pyproject.toml` and `Pipfile`.

use toml::{Table, Value};

use super::{Dep, Deps, Integrity, Source, Unreadable, host_of, insert, source_of, spelled};

const PYPI: &str = "pypi.org";

/// pip's requirements format: <https://pip.pypa.io/en/stable/reference/requirements-file-format/>.
pub(super) fn requirements(text: &str) -> Result<Deps, Unreadable> {
    let mut deps = Deps::new();
    for line in text.replace("\\\r\n", " ").replace("\\\n", " ").lines() {
        let line = match line.split_once(" #") {
            _ if line.trim_start().starts_with('#') => continue,
            Some((line, _)) => line.trim(),
            None => line.trim(),
        };
        if line.is_empty() {
            continue;
        }
        if line.starts_with('-') {
            option(line, &mut deps)?;
            continue;
        }
        let (requirement, hashes) = line.split_once(" --hash").map_or((line, None), |(a, b)| (a, Some(b)));
        let requirement = requirement.split(" --").next().unwrap_or(requirement).trim();
        let (name, mut dep) = pep508(requirement)?;
        dep.integrity = match dep.source {
            Source::Path => Integrity::NotApplicable,
            Source::Registry | Source::Git | Source::Url | Source::Unknown => {
                hashes.map_or(Integrity::Missing, |hashes| Integrity::Present(hashes.trim().to_owned()))
            }
        };
        insert(&mut deps, &name, dep);
    }
    Ok(deps)
}

/// An option line: editable installs and other files are dependencies too, and an index decides where everything comes from.
fn option(line: &str, deps: &mut Deps) -> Result<(), Unreadable> {
    let (flag, value) = line.split_once(['=', ' ']).map_or((line, ""), |(flag, value)| (flag, value.trim()));
    let (flag, value) = match flag {
        _ if line.starts_with("-e") && flag != "-e" && !flag.starts_with("--") => {
            ("-e", line.trim_start_matches("-e"))
        }
        _ if line.starts_with("-r") && flag != "-r" => ("-r", line.trim_start_matches("-r")),
        _ => (flag, value),
    };
    match flag {
        "-e" | "--editable" => {
            let source = source_of(value);
            let source = if source == Source::Unknown { Source::Path } else { source };
            let name = value.rsplit_once("egg=").map_or(value, |(_, name)| name);
            insert(deps, &normal(name), plain(Some(value), host_of(value), source));
            Ok(())
        }
        "-i" | "--index-url" | "--extra-index-url" | "-f" | "--find-links" => {
            insert(
                deps,
                &format!("({})", flag.trim_start_matches('-')),
                plain(Some(value), host_of(value), Source::Url),
            );
            Ok(())
        }
        "-r" | "--requirement" | "-c" | "--constraint" | "--trusted-host" | "--no-binary"
        | "--only-binary" | "--pre" | "--no-index" | "--prefer-binary" | "--require-hashes"
        | "--use-feature" => {
            insert(
                deps,
                &format!("({} {value})", flag.trim_start_matches('-')),
                plain(None, None, Source::Unknown),
            );
            Ok(())
        }
        _ => Err(Unreadable),
    }
}

/// A requirement as PEP 508 writes it, or a bare URL or path.
fn pep508(requirement: &str) -> Result<(String, Dep), Unreadable> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if let Some((name, url)) = requirement.split_once('@')
        && name.trim().split('[').next().unwrap_or_default().trim().chars().all(is_name)
        && (url.contains("://") || url.trim_start().starts_with("file:"))
    {
        let url = url.trim();
        return Ok((
            normal(name.split('[').next().unwrap_or(name)),
            plain(Some(url), host_of(url), source_of(url)),
        ));
    }
    let source = source_of(requirement);
    if source != Source::Unknown {
        let name = requirement.rsplit_once("egg=").map_or(requirement, |(_, name)| name);
        return Ok((normal(name), plain(Some(requirement), host_of(requirement), source)));
    }
    let end = requirement.find(|c| !is_name(c)).unwrap_or(requirement.len());
    let (name, rest) = requirement.split_at_checked(end).ok_or(Unreadable)?;
    let rest = rest.trim();
    if name.is_empty() || !(rest.is_empty() || rest.starts_with(['[', '=', '<', '>', '!', '~', ';', '('])) {
        return Err(Unreadable);
    }
    Ok((normal(name), plain((!rest.is_empty()).then_some(rest), Some(PYPI.to_owned()), Source::Registry)))
}

fn plain(version: Option<&str>, host: Option<String>, source: Source) -> Dep {
    Dep { version: version.map(|v| v.trim().to_owned()), host, source, integrity: Integrity::NotApplicable }
}

/// A name as PEP 503 compares it.
pub(super) fn normal(name: &str) -> String {
    let mut normal = String::with_capacity(name.len());
    for c in name.trim().chars() {
        let c = if matches!(c, '_' | '.') { '-' } else { c.to_ascii_lowercase() };
        if !(c == '-' && normal.ends_with('-')) {
            normal.push(c);
        }
    }
    normal
}

pub(super) fn pyproject(text: &str) -> Result<Deps, Unreadable> {
    let root: Table = text.parse().map_err(|_| Unreadable)?;
    let mut deps = Deps::new();
    let project = root.get("project");
    list(project.and_then(|project| project.get("dependencies")), "", &mut deps)?;
    for (_, group) in table(project.and_then(|project| project.get("optional-dependencies")))? {
        list(Some(group), "", &mut deps)?;
    }
    list(root.get("build-system").and_then(|build| build.get("requires")), "build:", &mut deps)?;
    for (_, group) in table(root.get("dependency-groups"))? {
        list(Some(group), "", &mut deps)?;
    }
    let Some(tool) = root.get("tool") else { return Ok(deps) };
    if let Some(poetry) = tool.get("poetry") {
        specs(poetry.get("dependencies"), &mut deps)?;
        specs(poetry.get("dev-dependencies"), &mut deps)?;
        for (_, group) in table(poetry.get("group"))? {
            specs(group.get("dependencies"), &mut deps)?;
        }
        indexes(poetry.get("source"), &mut deps);
    }
    if let Some(uv) = tool.get("uv") {
        for key in ["dev-dependencies", "constraint-dependencies", "override-dependencies"] {
            list(uv.get(key), "", &mut deps)?;
        }
        for (name, source) in table(uv.get("sources"))? {
            insert(&mut deps, &format!("source:{}", normal(name)), spec(source));
        }
        indexes(uv.get("index"), &mut deps);
    }
    if let Some(pdm) = tool.get("pdm") {
        for (_, group) in table(pdm.get("dev-dependencies"))? {
            list(Some(group), "", &mut deps)?;
        }
        indexes(pdm.get("source"), &mut deps);
    }
    Ok(deps)
}

fn table(value: Option<&Value>) -> Result<impl Iterator<Item = (&String, &Value)>, Unreadable> {
    let table = match value {
        None => None,
        Some(value) => Some(value.as_table().ok_or(Unreadable)?),
    };
    Ok(table.into_iter().flatten())
}

fn list(value: Option<&Value>, prefix: &str, deps: &mut Deps) -> Result<(), Unreadable> {
    let Some(value) = value else { return Ok(()) };
    for item in value.as_array().ok_or(Unreadable)? {
        match item {
            Value::String(text) => {
                let (name, dep) = pep508(text)?;
                insert(deps, &format!("{prefix}{name}"), dep);
            }
            // `{include-group = "x"}` names a group that is read anyway.
            Value::Table(_) => {}
            Value::Integer(_)
            | Value::Float(_)
            | Value::Boolean(_)
            | Value::Datetime(_)
            | Value::Array(_) => {
                return Err(Unreadable);
            }
        }
    }
    Ok(())
}

fn specs(value: Option<&Value>, deps: &mut Deps) -> Result<(), Unreadable> {
    for (name, value) in table(value)? {
        insert(deps, &normal(name), spec(value));
    }
    Ok(())
}

/// A requirement as poetry, uv and pipenv write it: a text, or a table that may say where it comes from.
fn spec(value: &Value) -> Dep {
    let text = |key: &str| value.get(key).and_then(Value::as_str);
    let all = value.as_str().map_or_else(|| spelled(value), str::to_owned);
    if let Some(git) = text("git") {
        return plain(Some(&all), host_of(git), Source::Git);
    }
    if let Some(url) = text("url") {
        return plain(Some(&all), host_of(url), Source::Url);
    }
    if value.get("path").is_some() || value.get("file").is_some() || value.get("workspace").is_some() {
        return plain(Some(&all), text("file").and_then(host_of), Source::Path);
    }
    let host = text("index")
        .or_else(|| text("source"))
        .map_or_else(|| PYPI.to_owned(), |name| format!("index `{name}`"));
    plain(Some(&all), Some(host), Source::Registry)
}

/// Places that packages are taken from.
fn indexes(value: Option<&Value>, deps: &mut Deps) {
    for index in value.and_then(Value::as_array).into_iter().flatten() {
        let url = index.get("url").and_then(Value::as_str).unwrap_or_default();
        let name = index.get("name").and_then(Value::as_str).unwrap_or(url);
        insert(deps, &format!("(index {name})"), plain(Some(url), host_of(url), Source::Url));
    }
}

pub(super) fn pipfile(text: &str) -> Result<Deps, Unreadable> {
    let root: Table = text.parse().map_err(|_| Unreadable)?;
    let mut deps = Deps::new();
    indexes(root.get("source"), &mut deps);
    for (key, section) in &root {
        // Every other table is a category of packages.
        if !matches!(key.as_str(), "source" | "requires" | "scripts" | "pipenv" | "pipfile") {
            specs(Some(section), &mut deps)?;
        }
    }
    Ok(deps)
}
