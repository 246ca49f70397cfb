//! From the files of a policy folder to a bundle. Reads no disk: it takes paths and bytes.
//!
//! `x.rego` is a module, `x_test.rego` a test (kept out of the bundle), `data/x.yaml` becomes `data.x`, `schemas/x.schema.json` is for
//! editors and tests. Anything else is an error: a rule in a file that nobody reads is a gate that looks on but is off.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json};

use crate::engine::{Bundle, BundleError, LAYERS};

/// The parts of a policy folder.
#[derive(Debug, Clone, PartialEq)]
pub struct Sources {
    /// Modules by path, tests left out.
    pub modules: BTreeMap<String, String>,
    /// Tests by path.
    pub tests: BTreeMap<String, String>,
    /// The data document.
    pub data: Json,
}

/// Sorts the files of a policy folder into modules, tests and data. Paths are relative to the folder, with `/`.
pub fn sort(files: &BTreeMap<String, Vec<u8>>) -> Result<Sources, BundleError> {
    let mut sources = Sources { modules: BTreeMap::new(), tests: BTreeMap::new(), data: Json::Null };
    let mut data = Map::new();
    for (path, bytes) in files {
        let text = || text_of(path, bytes);
        if path.strip_suffix("_test.rego").is_some() {
            sources.tests.insert(path.clone(), text()?);
        } else if path.strip_suffix(".rego").is_some() {
            sources.modules.insert(path.clone(), text()?);
        } else if let Some(name) = path.strip_prefix("data/").and_then(|rest| rest.strip_suffix(".yaml")) {
            data.insert(data_name(path, name)?, yaml(path, &text()?)?);
        } else if !is_beside(path) {
            return Err(refused(
                path,
                "only `*.rego`, `data/*.yaml`, `schemas/*.json` and `*.md` belong here",
            ));
        }
    }
    sources.data = Json::Object(data);
    Ok(sources)
}

/// Builds the bundle of a policy folder.
pub fn assemble(files: &BTreeMap<String, Vec<u8>>) -> Result<Bundle, BundleError> {
    let sources = sort(files)?;
    Bundle::load(sources.modules, sources.data)
}

/// Builds the bundle of the shipped folder with what a repository adds on top. What it adds can only tighten: its modules are in packages
/// `abide.layers.NAME`, of which only `findings` is read, and it brings no data.
pub fn assemble_layered(
    shipped: &BTreeMap<String, Vec<u8>>,
    added: &BTreeMap<String, Vec<u8>>,
) -> Result<Bundle, BundleError> {
    let sources = sort_layered(shipped, added)?;
    Bundle::load(sources.modules, sources.data)
}

/// The same, sorted and not built: what is added stands below `layers/`, its tests too.
pub fn sort_layered(
    shipped: &BTreeMap<String, Vec<u8>>,
    added: &BTreeMap<String, Vec<u8>>,
) -> Result<Sources, BundleError> {
    let mut sources = sort(shipped)?;
    for (path, bytes) in added {
        if path.strip_suffix("_test.rego").is_some() {
            sources.tests.insert(format!("{LAYERS}{path}"), text_of(path, bytes)?);
        } else if path.strip_suffix(".rego").is_some() {
            sources.modules.insert(format!("{LAYERS}{path}"), text_of(path, bytes)?);
        } else if path.strip_suffix(".md").is_none() {
            return Err(refused(
                path,
                "a repository adds `*.rego`, `*_test.rego` and `*.md`; data and schemas are the organisation's",
            ));
        }
    }
    Ok(sources)
}

fn is_beside(path: &str) -> bool {
    path.strip_suffix(".md").is_some()
        || (path.starts_with("schemas/") && path.strip_suffix(".json").is_some())
}

fn data_name(path: &str, name: &str) -> Result<String, BundleError> {
    let simple = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    if !simple {
        return Err(refused(path, "a data file is named in lower-case letters and `_`"));
    }
    if name == "abide" {
        return Err(refused(path, "`data.abide` is where the rules live"));
    }
    Ok(name.to_owned())
}

fn text_of(path: &str, bytes: &[u8]) -> Result<String, BundleError> {
    String::from_utf8(bytes.to_vec()).map_err(|_| refused(path, "it is not UTF-8"))
}

fn yaml(path: &str, text: &str) -> Result<Json, BundleError> {
    serde_saphyr::from_str(text).map_err(|error| refused(path, &first_lines(&error.to_string())))
}

fn first_lines(text: &str) -> String {
    text.lines().take(4).collect::<Vec<_>>().join(" ").chars().take(300).collect()
}

fn refused(path: &str, why: &str) -> BundleError {
    BundleError::File { path: path.to_owned(), why: why.to_owned() }
}
