//! A layer as a bundle: findings-only packages and `tighten.json`, with every root below `abide/layers/organisation`.
//!
//! It stands beside the bundle of a whole policy, has versions of its own, and holds nothing that a whole policy has: no data, no invariants,
//! no module elsewhere.

use std::collections::{BTreeMap, BTreeSet};

use abide_core::canonical;
use abide_core::id::Digest;
use abide_gate::source::{self, Added, Files, Layer, Sources};
use serde_json::{Map, Value};

use super::archive::{self, Entries};
use super::contents::{ContentsError, Part, Parts};
use super::manifest::{self, Manifest};
use crate::layers::tighten::Tighten;
use crate::layers::{RENDERED, TIGHTEN, TIGHTEN_JSON};

/// The only layer that comes in a bundle.
const LAYER: Layer = Layer::Organisation;

/// Whether a file is of this kind, by the end of its name.
fn is(path: &str, ending: &str) -> bool {
    path.strip_suffix(ending).is_some()
}

fn refused(why: impl Into<String>) -> ContentsError {
    ContentsError::Layer { why: why.into() }
}

impl Parts {
    /// A layer that is not there.
    pub(crate) fn no_layer() -> Result<Self, ContentsError> {
        Self::of_files(Files::new())
    }

    /// Takes the files of a layer apart. Each must parse and keep to its corner; whether it loads is a question of the policy below it.
    fn of_layer(files: &Files) -> Result<(Self, BTreeMap<String, Vec<String>>), ContentsError> {
        let files = spelled(files)?;
        let packages = packages(&files)?;
        Ok((Self::of_files(files)?, packages))
    }

    fn of_files(files: Files) -> Result<Self, ContentsError> {
        let none = canonical::digest(&Part { files: BTreeMap::new() })?;
        let listed = files.iter().map(|(path, bytes)| (path.as_str(), Digest::of(bytes)));
        let part = Part { files: listed.collect() };
        Ok(Self {
            bundle: canonical::digest(&part)?,
            bytes: canonical::jcs(&part)?,
            files,
            hard: none.clone(),
            hard_files: BTreeSet::new(),
            invariants: none,
        })
    }
}

/// The files as a bundle has them: the document as JSON, tests and pages for people left behind.
fn spelled(files: &Files) -> Result<Files, ContentsError> {
    let mut spelled = Files::new();
    for (path, bytes) in files {
        let document = match path.as_str() {
            TIGHTEN => Some(Tighten::of_yaml(path, bytes)),
            TIGHTEN_JSON => Some(Tighten::of_json(path, bytes)),
            _ => None,
        };
        if let Some(document) = document {
            let document = document.map_err(|error| refused(error.to_string()))?;
            let mut text =
                serde_json::to_vec_pretty(&document).map_err(|error| refused(error.to_string()))?;
            text.push(b'\n');
            if spelled.insert(TIGHTEN_JSON.to_owned(), text).is_some() {
                return Err(refused("`tighten` is there twice, as YAML and as JSON"));
            }
        } else if path == RENDERED {
            return Err(refused(format!("`{path}` is made by the host: give the file another name")));
        } else if path == "main.rego" {
            return Err(refused("it has a `main.rego`, so it is a whole policy: leave `--layer` out"));
        } else if is(path, "_test.rego") || is(path, "_cases.yaml") || is(path, ".md") {
            // They stay where the layer is written: a test asks for whole decisions, so it cannot stand below `abide.layers`.
        } else if is(path, ".rego") && !path.starts_with(source::INVARIANTS) {
            spelled.insert(path.clone(), bytes.clone());
        } else {
            return Err(refused(format!(
                "`{path}` does not belong in it: a layer has `*.rego` and one `tighten.yaml`; data and invariants belong to a whole policy"
            )));
        }
    }
    if spelled.is_empty() {
        return Err(refused(
            "there is nothing in it; a layer that takes everything back has a `tighten.yaml` with `{}`",
        ));
    }
    Ok(spelled)
}

/// Packages by path, each in the corner of the layer.
fn packages(files: &Files) -> Result<BTreeMap<String, Vec<String>>, ContentsError> {
    let code = files.iter().filter(|(path, _)| is(path, ".rego"));
    let added = Added {
        organisation: code.map(|(path, bytes)| (path.clone(), bytes.clone())).collect(),
        ..Added::default()
    };
    let sources: Sources = source::sort_layered(&Files::new(), &added)?;
    let sources = Sources { data: Value::Object(Map::new()), ..sources };
    let packages = abide_gate::anatomy(&sources)?.packages;
    for (path, package) in &packages {
        let inside = matches!(package.as_slice(), [abide, layers, name, ..] if abide == "abide" && layers == "layers" && LAYER.owns(name));
        if !inside {
            let own = path.strip_prefix(LAYER.folder()).unwrap_or(path);
            let why = format!(
                "`{own}` is in package `{}`; those of a layer are `abide.layers.organisation` and `abide.layers.organisation_NAME`",
                package.join(".")
            );
            return Err(refused(why));
        }
    }
    Ok(packages)
}

/// Makes the archive of a layer.
pub(crate) fn bundle(
    files: &Files,
    version: u64,
    audience: Option<String>,
) -> Result<Vec<u8>, ContentsError> {
    let (parts, packages) = Parts::of_layer(files)?;
    // The document has a root of its own: the package that is made of it.
    let own = ["abide", "layers", LAYER.name()].join("/");
    let mut roots: BTreeSet<String> =
        packages.values().filter_map(|package| Some(package.get(..3)?.join("/"))).collect();
    if parts.files.contains_key(TIGHTEN_JSON) {
        roots.insert(format!("{own}_tighten"));
    }
    let manifest =
        Manifest::of_layer(LAYER.name(), version, &parts.bundle, roots.into_iter().collect(), audience);
    let mut all: Entries = parts.files;
    let mut text = serde_json::to_vec_pretty(&manifest)
        .map_err(|error| ContentsError::Manifest { why: format!("cannot be written: {error}") })?;
    text.push(b'\n');
    all.insert(manifest::NAME.to_owned(), text);
    Ok(archive::write(&all)?)
}

/// Sorts what is in the bundle of a layer.
pub(super) fn sort(entries: &Entries, manifest: &Manifest) -> Result<Files, ContentsError> {
    if let Some(root) = manifest.roots.iter().find(|root| !is_corner(root)) {
        return Err(refused(format!("its root `{root}` does not lie below `abide/layers/organisation`")));
    }
    if entries.contains_key(TIGHTEN) {
        return Err(refused(
            "`tighten.yaml` is `tighten.json` in a bundle: YAML is not read the same by every program",
        ));
    }
    let files = spelled(entries)?;
    // What people sign is what was there, to the byte.
    if files != *entries {
        return Err(refused("its files are not as `ab policy bundle --layer` writes them"));
    }
    Ok(files)
}

fn is_corner(root: &str) -> bool {
    let mut parts = root.split('/');
    let begins = parts.next() == Some("abide") && parts.next() == Some("layers");
    begins && parts.next().is_some_and(|name| LAYER.owns(name))
}

/// The parts of a layer whose files were sorted: its packages lie below its roots.
pub(super) fn parts(files: &Files, manifest: &Manifest) -> Result<Parts, ContentsError> {
    let (parts, packages) = Parts::of_layer(files)?;
    for (path, package) in &packages {
        if !manifest.owns(&package.join("/")) {
            return Err(ContentsError::Outside { path: path.clone(), about: package.join(".") });
        }
    }
    Ok(parts)
}

#[cfg(test)]
mod tests;
