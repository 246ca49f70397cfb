//! `go.mod`, `go.work`, `go.sum` and `go.work.sum` (<https://go.dev/ref/mod>).

use super::{Dep, Deps, Integrity, Source, Unreadable, insert};

pub(super) fn module(text: &str) -> Result<Deps, Unreadable> {
    let mut deps = Deps::new();
    let mut block: Option<&str> = None;
    for line in text.lines() {
        let line = line.split("//").next().unwrap_or_default().trim();
        let (verb, rest) = match (line, block) {
            ("", _) => continue,
            (")", Some(_)) => {
                block = None;
                continue;
            }
            (line, Some(verb)) => (verb, line),
            (line, None) => {
                let (verb, rest) = line.split_once([' ', '\t', '(']).unwrap_or((line, ""));
                if line.ends_with('(') {
                    block = Some(verb);
                    continue;
                }
                (verb, rest.trim())
            }
        };
        directive(verb, rest, &mut deps)?;
    }
    if block.is_some() { Err(Unreadable) } else { Ok(deps) }
}

fn directive(verb: &str, rest: &str, deps: &mut Deps) -> Result<(), Unreadable> {
    match verb {
        "require" | "tool" => {
            let (path, version) = rest.split_once([' ', '\t']).unwrap_or((rest, ""));
            insert(deps, unquoted(path), from_module(path, version.trim()));
        }
        "replace" => {
            let (old, new) = rest.split_once("=>").ok_or(Unreadable)?;
            let (path, version) = new.trim().split_once([' ', '\t']).unwrap_or((new.trim(), ""));
            let mut dep = from_module(path, version.trim());
            dep.version = Some(new.trim().to_owned());
            insert(deps, &format!("replace:{}", unquoted(old.trim())), dep);
        }
        "go" | "toolchain" => {
            let host = Some("go.dev".to_owned());
            let dep = Dep {
                version: Some(rest.to_owned()),
                host,
                source: Source::Registry,
                integrity: Integrity::NotApplicable,
            };
            insert(deps, &format!("({verb})"), dep);
        }
        "use" => insert(deps, unquoted(rest), from_module(rest, "")),
        "module" | "exclude" | "retract" | "godebug" | "ignore" => {}
        _ => return Err(Unreadable),
    }
    Ok(())
}

fn unquoted(text: &str) -> &str {
    text.trim().trim_matches(['"', '`'])
}

fn from_module(path: &str, version: &str) -> Dep {
    let path = unquoted(path);
    let local = path.starts_with('.') || path.starts_with('/');
    let host = path.split('/').next().filter(|host| host.contains('.') && !local);
    Dep {
        version: (!version.is_empty()).then(|| unquoted(version).to_owned()),
        host: host.map(str::to_lowercase),
        source: if local { Source::Path } else { Source::Registry },
        integrity: Integrity::NotApplicable,
    }
}

pub(super) fn sum(text: &str) -> Result<Deps, Unreadable> {
    let mut deps = Deps::new();
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        let mut fields = line.split_whitespace();
        let (Some(path), Some(version), Some(hash), None) =
            (fields.next(), fields.next(), fields.next(), fields.next())
        else {
            return Err(Unreadable);
        };
        let mut dep = from_module(path, version);
        dep.integrity = Integrity::of(Some(hash).filter(|hash| hash.starts_with("h1:")));
        insert(&mut deps, path, dep);
    }
    Ok(deps)
}
