//! From a policy to the files of a bundle and back: the same policy either way, to the digest.
//!
//! Modules, tests and tables of cases keep their paths. `data/caps.yaml` becomes `caps/data.json`, which OPA reads as `data.caps` and which
//! reads the same in every program; YAML does not, so it is refused here.

use std::collections::{BTreeMap, BTreeSet};

use abide_core::canonical::{self, CanonicalError};
use abide_core::id::Digest;
use abide_gate::source::{self, LAYERS, Sources};
use abide_gate::{Anatomy, Bundle, BundleError};
use serde::Serialize;
use serde_json::{Map, Value};

use super::archive::{self, ArchiveError, Entries};
use super::layer;
use super::manifest::{self, Manifest};
use super::opa::{self, OpaError};

/// Where invariants stand, which people of another role sign for.
const INVARIANTS: &str = "invariants/";
/// Over what they are checked, which is no data of the policy.
const MODEL: &str = "invariants/model.yaml";
/// What OPA takes for data, by the last part of the name.
const DATA: &str = "data.json";

/// Why a bundle cannot be taken.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ContentsError {
    /// The bytes.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// What OPA signed.
    #[error(transparent)]
    Opa(#[from] OpaError),
    /// The policy itself.
    #[error(transparent)]
    Policy(#[from] BundleError),
    /// The manifest.
    #[error("the manifest {why}")]
    Manifest {
        /// What is wrong.
        why: String,
    },
    /// What should be a layer and is none.
    #[error("this is no layer: {why}")]
    Layer {
        /// Why not.
        why: String,
    },
    /// A file about something that the bundle does not own.
    #[error("`{path}` is about `data.{about}`, which no root of the manifest covers")]
    Outside {
        /// The file.
        path: String,
        /// What it is about, with dots.
        about: String,
    },
    /// A file that has no business in a bundle.
    #[error("`{path}` does not belong in a bundle: {why}")]
    Foreign {
        /// The file.
        path: String,
        /// Why not.
        why: &'static str,
    },
    /// The same data in two files.
    #[error("`{path}` gives `data.{about}`, which another file gives too")]
    Twice {
        /// The file.
        path: String,
        /// What it gives, with dots.
        about: String,
    },
    /// A fault of this module.
    #[error("the files of the bundle do not make the policy that they were made from")]
    Unfaithful,
    /// No canonical form.
    #[error(transparent)]
    Canonical(#[from] CanonicalError),
}

impl ContentsError {
    /// The code for `ab explain`.
    pub(crate) fn code(&self) -> &'static str {
        match self {
            Self::Archive(error) => error.code(),
            Self::Opa(error) => error.code(),
            Self::Policy(error) => error.code(),
            Self::Manifest { .. } => "AB0245",
            Self::Layer { .. } => "AB0182",
            Self::Outside { .. } => "AB0246",
            Self::Foreign { .. } | Self::Unfaithful => "AB0247",
            Self::Twice { .. } => "AB0244",
            Self::Canonical(_) => "AB0124",
        }
    }
}

/// A bundle that was read: it loads, its manifest tells the truth, and every file in it is accounted for.
#[derive(Debug, Clone)]
pub(crate) struct Contents {
    /// What it says of itself.
    pub(crate) manifest: Manifest,
    /// Digest of the archive.
    pub(crate) archive: Digest,
    /// Its policy.
    pub(crate) policy: Parts,
    /// What OPA's own signature says, if there is one.
    pub(crate) opa: Option<opa::Listed>,
}

/// A policy with the digests of its parts.
#[derive(Debug, Clone)]
pub(crate) struct Parts {
    /// Its files, as a policy folder has them.
    pub(crate) files: BTreeMap<String, Vec<u8>>,
    /// Digest of modules and data.
    pub(crate) bundle: Digest,
    /// Modules and data, as decisions record them.
    pub(crate) bytes: Vec<u8>,
    /// Digest of the hard part.
    pub(crate) hard: Digest,
    /// Its files, as a policy folder calls them.
    pub(crate) hard_files: BTreeSet<String>,
    /// Digest of the invariants.
    pub(crate) invariants: Digest,
}

/// What is digested for a part.
#[derive(Serialize)]
pub(super) struct Part<'a> {
    pub(super) files: BTreeMap<&'a str, Digest>,
}

impl Parts {
    /// Takes the files of a whole policy folder apart. It must load.
    pub(crate) fn of(files: &BTreeMap<String, Vec<u8>>) -> Result<(Self, Sources, Anatomy), ContentsError> {
        let sources = source::sort(files)?;
        let anatomy = abide_gate::anatomy(&sources)?;
        let loaded = Bundle::load(sources.modules.clone(), sources.data.clone())?;
        // Digested as the bundle has them, so that YAML and JSON of the same data are the same.
        let spelled = entries(files, &sources.data)?;
        let hard: BTreeSet<String> = anatomy
            .hard_modules
            .iter()
            .cloned()
            .chain(anatomy.hard_data.iter().map(|name| format!("{name}/{DATA}")))
            .collect();
        let digest = |wanted: &dyn Fn(&str) -> bool| {
            let chosen = spelled.iter().filter(|(path, _)| wanted(path));
            canonical::digest(&Part {
                files: chosen.map(|(path, bytes)| (path.as_str(), Digest::of(bytes))).collect(),
            })
        };
        let parts = Self {
            hard: digest(&|path| hard.contains(path))?,
            invariants: digest(&|path| path.starts_with(INVARIANTS))?,
            files: policy_files(&spelled),
            bundle: loaded.digest().clone(),
            bytes: loaded.to_bytes().to_vec(),
            hard_files: hard.iter().map(|path| folder_path(path)).collect(),
        };
        // INVARIANT: what is digested and shown is all that is loaded.
        if source::sort(&parts.files)? != sources {
            return Err(ContentsError::Unfaithful);
        }
        Ok((parts, sources, anatomy))
    }
}

/// The files of a bundle, without its manifest: what is read of a policy folder as it stands there, and data as JSON.
fn entries(files: &BTreeMap<String, Vec<u8>>, data: &Value) -> Result<Entries, ContentsError> {
    let left_out = |path: &str| {
        let ends = |ending: &str| path.strip_suffix(ending).is_some();
        let is_data = path.starts_with("data/") && (ends(".json") || ends(".yaml"));
        is_data || path.starts_with("schemas/") && ends(".json") || ends(".md")
    };
    let kept = files.iter().filter(|(path, _)| !left_out(path));
    let mut entries: Entries = kept.map(|(path, bytes)| (path.clone(), bytes.clone())).collect();
    for (name, value) in data.as_object().into_iter().flatten() {
        let mut bytes = serde_json::to_vec_pretty(&sorted(value))
            .map_err(|error| BundleError::Data { why: error.to_string() })?;
        bytes.push(b'\n');
        entries.insert(format!("{name}/{DATA}"), bytes);
    }
    Ok(entries)
}

/// The same value with its keys in order, whatever order they were written in.
fn sorted(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            let ordered: BTreeMap<&String, Value> =
                fields.iter().map(|(key, field)| (key, sorted(field))).collect();
            Value::Object(ordered.into_iter().map(|(key, field)| (key.clone(), field)).collect())
        }
        Value::Array(items) => Value::Array(items.iter().map(sorted).collect()),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.clone(),
    }
}

/// How a policy folder calls a file of a bundle.
fn folder_path(path: &str) -> String {
    match path.strip_suffix(DATA).and_then(|path| path.strip_suffix('/')) {
        Some(name) => format!("data/{name}.json"),
        None => path.to_owned(),
    }
}

/// The files as a policy folder has them.
fn policy_files(entries: &Entries) -> BTreeMap<String, Vec<u8>> {
    entries.iter().map(|(path, bytes)| (folder_path(path), bytes.clone())).collect()
}

/// Makes the archive of a whole policy folder.
pub(crate) fn bundle(
    files: &BTreeMap<String, Vec<u8>>,
    version: u64,
    audience: Option<String>,
) -> Result<Vec<u8>, ContentsError> {
    if let Some(path) = files.keys().find(|path| path.starts_with(LAYERS)) {
        return Err(ContentsError::Foreign { path: path.clone(), why: IS_LAYER });
    }
    let (parts, sources, anatomy) = Parts::of(files)?;
    let packages = anatomy.packages.values().filter_map(|package| package.first());
    let data = sources.data.as_object().into_iter().flat_map(Map::keys);
    let roots: BTreeSet<String> = packages.chain(data).cloned().collect();
    let manifest = Manifest::new(version, &parts.bundle, roots.into_iter().collect(), audience);
    let mut all = entries(files, &sources.data)?;
    let mut text = serde_json::to_vec_pretty(&manifest)
        .map_err(|error| ContentsError::Manifest { why: format!("cannot be written: {error}") })?;
    text.push(b'\n');
    all.insert(manifest::NAME.to_owned(), text);
    Ok(archive::write(&all)?)
}

const IS_LAYER: &str = "`layers/` is where a repository's own rules stand";

impl Contents {
    /// Reads an archive and everything in it.
    pub(crate) fn read(packed: &[u8]) -> Result<Self, ContentsError> {
        let Unpacked { manifest, files, opa } = Unpacked::read(packed)?;
        let policy = if manifest.layer().is_some() {
            layer::parts(&files, &manifest)?
        } else {
            whole(&files, &manifest)?
        };
        if !manifest.is_of(&policy.bundle) {
            let why = format!("says that it is about other files; these make {}", policy.bundle);
            return Err(ContentsError::Manifest { why });
        }
        Ok(Self { manifest, archive: Digest::of(packed), policy, opa })
    }
}

/// The parts of a whole policy: its packages lie below its roots.
fn whole(files: &BTreeMap<String, Vec<u8>>, manifest: &Manifest) -> Result<Parts, ContentsError> {
    let (policy, _, anatomy) = Parts::of(files)?;
    for (path, package) in &anatomy.packages {
        if !manifest.owns(&package.join("/")) {
            return Err(ContentsError::Outside { path: path.clone(), about: package.join(".") });
        }
    }
    Ok(policy)
}

/// A bundle whose files were sorted, and whose policy was not looked at yet.
pub(crate) struct Unpacked {
    /// What it says of itself.
    pub(crate) manifest: Manifest,
    /// Its files, as a policy folder has them.
    pub(crate) files: BTreeMap<String, Vec<u8>>,
    opa: Option<opa::Listed>,
}

impl Unpacked {
    /// Reads an archive.
    pub(crate) fn read(packed: &[u8]) -> Result<Self, ContentsError> {
        let mut entries = archive::read(packed)?;
        let listed = entries.remove(opa::NAME);
        let opa = listed.map(|text| opa::Listed::read(&text, &entries)).transpose()?;
        let text = entries.remove(manifest::NAME).ok_or_else(|| ContentsError::Manifest {
            why: "is missing: there is no `.manifest`".to_owned(),
        })?;
        let manifest = Manifest::parse(&text).map_err(|why| ContentsError::Manifest { why })?;
        let files = if manifest.layer().is_some() {
            layer::sort(&entries, &manifest)?
        } else {
            sort(entries, &manifest)?
        };
        Ok(Self { manifest, files, opa })
    }
}

/// Sorts what is in a bundle into the files of a policy folder.
fn sort(entries: Entries, manifest: &Manifest) -> Result<BTreeMap<String, Vec<u8>>, ContentsError> {
    let mut files = BTreeMap::new();
    let mut data = Map::new();
    for (path, bytes) in entries {
        let base = path.rsplit('/').next().unwrap_or(&path);
        let foreign = |why| Err(ContentsError::Foreign { path: path.clone(), why });
        if path.starts_with(LAYERS) {
            return foreign(IS_LAYER);
        } else if base == DATA {
            let place: Vec<&str> = path.split('/').rev().skip(1).collect();
            let place: Vec<&str> = place.into_iter().rev().collect();
            let value =
                source::plain_json(&bytes).map_err(|why| BundleError::File { path: path.clone(), why })?;
            owned(&path, &place, &value, manifest)?;
            put(&mut data, &place, value)
                .map_err(|()| ContentsError::Twice { path: path.clone(), about: place.join(".") })?;
        } else if matches!(base, "data.yaml" | "data.yml") {
            return foreign("data is JSON here: YAML is not read the same by every program");
        } else if [".rego", "_cases.yaml"].iter().any(|ending| path.ends_with(ending)) || path == MODEL {
            files.insert(path, bytes);
        } else {
            return foreign(
                "a bundle has `*.rego`, `*_cases.yaml`, `data.json` and `.manifest`, and nothing that nobody reads",
            );
        }
    }
    for (name, value) in data {
        let bytes =
            serde_json::to_vec(&value).map_err(|error| BundleError::Data { why: error.to_string() })?;
        files.insert(format!("data/{name}.json"), bytes);
    }
    Ok(files)
}

/// Refuses data outside of the roots. A file at the top gives many documents, so its keys count.
fn owned(path: &str, place: &[&str], value: &Value, manifest: &Manifest) -> Result<(), ContentsError> {
    let outside = |about: &str| {
        let about = about.replace('/', ".");
        Err(ContentsError::Outside { path: path.to_owned(), about })
    };
    let mut open: Vec<(String, &Value)> = vec![(place.join("/"), value)];
    while let Some((at, value)) = open.pop() {
        if manifest.owns(&at) {
            continue;
        }
        let below = manifest.roots.iter().any(|root| at.is_empty() || root.starts_with(&format!("{at}/")));
        let Some(fields) = value.as_object().filter(|_| below) else { return outside(&at) };
        let deeper = |key: &String| if at.is_empty() { key.clone() } else { format!("{at}/{key}") };
        open.extend(fields.iter().map(|(key, field)| (deeper(key), field)));
    }
    Ok(())
}

/// Puts `value` at `place`, over nothing that is there.
fn put(data: &mut Map<String, Value>, place: &[&str], value: Value) -> Result<(), ()> {
    let Some((first, rest)) = place.split_first() else {
        let Value::Object(fields) = value else { return Err(()) };
        return fields.into_iter().try_for_each(|(key, field)| put(data, &[&key], field));
    };
    match data.get_mut(*first) {
        None => {
            let nested = rest
                .iter()
                .rev()
                .fold(value, |inner, part| Value::Object(Map::from_iter([((*part).to_owned(), inner)])));
            data.insert((*first).to_owned(), nested);
            Ok(())
        }
        Some(Value::Object(fields)) if !rest.is_empty() => put(fields, rest, value),
        Some(_) => Err(()),
    }
}

#[cfg(test)]
pub(crate) mod tests;
