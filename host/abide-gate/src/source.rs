//! From the files of a policy folder to a bundle. Reads no disk: it takes paths and bytes.
//!
//! `x.rego` is a module, `x_test.rego` a test and `x_cases.yaml` a table of cases (both kept out of the bundle), `data/x.yaml` or `data/x.json` becomes `data.x`,
//! `invariants/x.rego` and `invariants/model.yaml` say what must never happen (kept out, too), `schemas/x.schema.json` is for editors and tests. Anything else is an error: a rule in a file that nobody reads is a gate that looks on but is off.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json};

use crate::engine::{Bundle, BundleError};
pub use crate::engine::{LAYERS, Layer};

/// The parts of a policy folder.
#[derive(Debug, Clone, PartialEq)]
pub struct Sources {
    /// Modules by path, tests left out.
    pub modules: BTreeMap<String, String>,
    /// Tests by path.
    pub tests: BTreeMap<String, String>,
    /// Tables of cases by path.
    pub cases: BTreeMap<String, String>,
    /// What must never happen, by path.
    pub invariants: BTreeMap<String, String>,
    /// The model over which invariants are checked.
    pub model: Option<String>,
    /// The data document.
    pub data: Json,
}

/// Below which invariants stand.
pub const INVARIANTS: &str = "invariants/";

/// Sorts the files of a policy folder into modules, tests and data. Paths are relative to the folder, with `/`.
pub fn sort(files: &BTreeMap<String, Vec<u8>>) -> Result<Sources, BundleError> {
    whole(gather(files))
}

/// The same, going on after a file that cannot be used: what could be sorted, and what is wrong with the others.
pub fn gather(files: &BTreeMap<String, Vec<u8>>) -> (Sources, Vec<BundleError>) {
    let empty = BTreeMap::new;
    let mut sources = Sources {
        modules: empty(),
        tests: empty(),
        cases: empty(),
        invariants: empty(),
        model: None,
        data: Json::Null,
    };
    let (mut data, mut faults) = (Map::new(), Vec::new());
    for (path, bytes) in files {
        faults.extend(place(path, bytes, &mut sources, &mut data).err());
    }
    sources.data = Json::Object(data);
    (sources, faults)
}

fn place(
    path: &str,
    bytes: &[u8],
    sources: &mut Sources,
    data: &mut Map<String, Json>,
) -> Result<(), BundleError> {
    let text = || text_of(path, bytes);
    if path == MODEL {
        sources.model = Some(text()?);
    } else if is_invariant(path) {
        sources.invariants.insert(path.to_owned(), text()?);
    } else if path.strip_suffix("_test.rego").is_some() {
        sources.tests.insert(path.to_owned(), text()?);
    } else if path.strip_suffix(".rego").is_some() {
        sources.modules.insert(path.to_owned(), text()?);
    } else if let Some((name, is_json)) = data_file(path) {
        let name = data_name(path, name)?;
        if data.contains_key(&name) {
            return Err(refused(path, &format!("`data.{name}` is given twice, as JSON and as YAML")));
        }
        let value = if is_json { json(path, &text()?)? } else { yaml(path, &text()?)? };
        data.insert(name, value);
    } else if path.strip_suffix("_cases.yaml").is_some() {
        sources.cases.insert(path.to_owned(), text()?);
    } else if !is_beside(path) {
        return Err(refused(
            path,
            "only `*.rego`, `*_cases.yaml`, `data/*.yaml`, `data/*.json`, `invariants/model.yaml`, `schemas/*.json` and `*.md` belong here",
        ));
    }
    Ok(())
}

fn whole((sources, faults): (Sources, Vec<BundleError>)) -> Result<Sources, BundleError> {
    match faults.into_iter().next() {
        Some(fault) => Err(fault),
        None => Ok(sources),
    }
}

/// Reads JSON as strictly as data is read: no key twice, nothing after the end, no fractions. The error is a sentence.
pub fn plain_json(bytes: &[u8]) -> Result<Json, String> {
    crate::engine::read_json(bytes).map_err(|error| first_lines(&error.to_string()))
}

/// Builds the bundle of a policy folder.
pub fn assemble(files: &BTreeMap<String, Vec<u8>>) -> Result<Bundle, BundleError> {
    let sources = sort(files)?;
    Bundle::load(sources.modules, sources.data)
}

/// Files by path.
pub type Files = BTreeMap<String, Vec<u8>>;

/// What the layers add to a policy: files by path below the folder of each. What they add can only tighten: modules in packages
/// `abide.layers.NAME`, of which only `findings` is read, and no data.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Added {
    /// What the organisation adds.
    pub organisation: Files,
    /// What the repository adds.
    pub repository: Files,
    /// What the run adds.
    pub run: Files,
}

impl Added {
    /// What a repository adds, where nobody else does.
    pub fn of_repository(files: Files) -> Self {
        Self { repository: files, ..Self::default() }
    }

    /// What `layer` adds.
    pub fn of(&self, layer: Layer) -> &Files {
        match layer {
            Layer::Organisation => &self.organisation,
            Layer::Repository => &self.repository,
            Layer::Run => &self.run,
        }
    }

    /// The same, to be changed.
    pub fn of_mut(&mut self, layer: Layer) -> &mut Files {
        match layer {
            Layer::Organisation => &mut self.organisation,
            Layer::Repository => &mut self.repository,
            Layer::Run => &mut self.run,
        }
    }
}

/// Builds the bundle of a policy with what layers add on top.
pub fn assemble_layered(base: &Files, added: &Added) -> Result<Bundle, BundleError> {
    let sources = sort_layered(base, added)?;
    Bundle::load(sources.modules, sources.data)
}

/// The same, sorted and not built: what is added stands below `layers/`, its tests too.
pub fn sort_layered(base: &Files, added: &Added) -> Result<Sources, BundleError> {
    whole(gather_layered(base, added))
}

/// The same, going on after a file that cannot be used.
pub fn gather_layered(base: &Files, added: &Added) -> (Sources, Vec<BundleError>) {
    let (mut sources, mut faults) = gather(base);
    for layer in Layer::ALL {
        for (path, bytes) in added.of(layer) {
            faults.extend(place_layer(layer, path, bytes, &mut sources).err());
        }
    }
    (sources, faults)
}

fn place_layer(layer: Layer, path: &str, bytes: &[u8], sources: &mut Sources) -> Result<(), BundleError> {
    let inner = format!("{}{path}", layer.folder());
    if let Some(other) = Layer::of(&inner).filter(|other| *other != layer) {
        let why = format!(
            "`{}/` is where {} stands: a repository puts its files elsewhere",
            other.name(),
            other.told()
        );
        return Err(refused(&inner, &why));
    }
    if sources.modules.contains_key(&inner) || sources.tests.contains_key(&inner) {
        return Err(refused(
            &inner,
            "the organisation has a file of this name: a repository adds and replaces nothing",
        ));
    }
    let text = || text_of(&inner, bytes);
    if is_invariant(path) && layer == Layer::Repository {
        sources.invariants.insert(inner.clone(), text()?);
    } else if path.strip_suffix("_test.rego").is_some() {
        sources.tests.insert(inner.clone(), text()?);
    } else if path.strip_suffix(".rego").is_some() {
        sources.modules.insert(inner.clone(), text()?);
    } else if path.strip_suffix("_cases.yaml").is_some() {
        sources.cases.insert(inner.clone(), text()?);
    } else if path.strip_suffix(".md").is_none() {
        return Err(refused(
            &inner,
            "a layer adds `*.rego`, `*_test.rego`, `*_cases.yaml`, `*.md` and one `tighten.yaml`; data and schemas belong to the policy below it",
        ));
    }
    Ok(())
}

/// Where the model stands.
const MODEL: &str = "invariants/model.yaml";

fn is_invariant(path: &str) -> bool {
    path.starts_with(INVARIANTS) && path.strip_suffix(".rego").is_some()
}

fn is_beside(path: &str) -> bool {
    path.strip_suffix(".md").is_some()
        || (path.starts_with("schemas/") && path.strip_suffix(".json").is_some())
}

/// The name of a data file below `data/`, and whether it is JSON.
fn data_file(path: &str) -> Option<(&str, bool)> {
    let name = path.strip_prefix("data/")?;
    let yaml = name.strip_suffix(".yaml").map(|name| (name, false));
    yaml.or_else(|| name.strip_suffix(".json").map(|name| (name, true)))
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

fn json(path: &str, text: &str) -> Result<Json, BundleError> {
    plain_json(text.as_bytes()).map_err(|why| refused(path, &why))
}

fn first_lines(text: &str) -> String {
    text.lines().take(4).collect::<Vec<_>>().join(" ").chars().take(300).collect()
}

fn refused(path: &str, why: &str) -> BundleError {
    BundleError::File { path: path.to_owned(), why: why.to_owned() }
}
