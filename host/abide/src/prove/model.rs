//! The finite model: axes of values that are laid over one plain question, and products of them. See `policies/invariants/model.yaml`.

use std::collections::BTreeMap;

use abide_core::facts::{Facts, FileFacts, FileStatus};
use abide_core::id::{IdError, Oid};
use abide_core::input::{ApprovalInput, PolicyInput, RiskInput};
use serde::Deserialize;
use serde_json::{Map, Value as Json, json};

/// Why a model cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the model: {0}")]
pub(crate) struct ModelError(String);

fn wrong(why: impl Into<String>) -> ModelError {
    ModelError(why.into())
}

/// Which values of an axis are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Steps {
    /// Each with the next.
    Next,
    /// The first with every other.
    First,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Spec {
    schema: String,
    axes: Vec<AxisSpec>,
    products: Vec<ProductSpec>,
    #[serde(default)]
    splits: Vec<SplitSpec>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct AxisSpec {
    name: String,
    steps: Option<Steps>,
    each: Option<EachSpec>,
    #[serde(default)]
    values: Vec<NamedSpec>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct EachSpec {
    of: String,
    called: String,
    value: Json,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct NamedSpec {
    called: String,
    value: Json,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ValueSpec {
    patch: Option<Json>,
    files: Option<Vec<FileSpec>>,
    approvals: Option<Vec<ApprovalSpec>>,
    layer: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ApprovalSpec {
    by: String,
    role: String,
}

#[derive(Debug, Clone, Deserialize)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own, as in `FileFacts`")]
#[serde(deny_unknown_fields)]
struct FileSpec {
    path: String,
    #[serde(default)]
    zones: Vec<String>,
    #[serde(default)]
    categories: Vec<String>,
    #[serde(default = "modified")]
    status: FileStatus,
    #[serde(default = "four")]
    added: u64,
    #[serde(default)]
    removed: u64,
    #[serde(default = "two_thousand")]
    bytes: u64,
    #[serde(default)]
    binary: bool,
    #[serde(default)]
    symlink: bool,
    #[serde(default)]
    lfs: bool,
    #[serde(default)]
    made_executable: bool,
}

fn modified() -> FileStatus {
    FileStatus::Modified
}

fn four() -> u64 {
    4
}

fn two_thousand() -> u64 {
    2_000
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct OverSpec {
    axis: String,
    only: Option<Vec<String>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ProductSpec {
    about: String,
    over: Vec<OverSpec>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct SplitSpec {
    about: String,
    over: Vec<OverSpec>,
    pieces: Vec<Vec<FileSpec>>,
}

/// One value of an axis.
#[derive(Debug, Clone)]
pub(crate) struct Value {
    /// Its name.
    pub(crate) called: String,
    /// What is laid over the question.
    pub(crate) over: Json,
    /// The rules of a layer that come with it.
    pub(crate) layer: Option<String>,
}

/// One axis, with the values that a product takes.
#[derive(Debug, Clone)]
pub(crate) struct Axis {
    /// Its name.
    pub(crate) name: String,
    /// What is compared along it.
    pub(crate) steps: Option<Steps>,
    /// At least one.
    pub(crate) values: Vec<Value>,
}

/// A product of axes.
#[derive(Debug)]
pub(crate) struct Product {
    /// What it is about.
    pub(crate) about: String,
    /// The axes, those without steps first.
    pub(crate) axes: Vec<Axis>,
}

impl Product {
    /// How many cases it has.
    pub(crate) fn count(&self) -> usize {
        self.axes.iter().fold(1, |count, axis| count.saturating_mul(axis.values.len()))
    }
}

/// A change that is put as a whole and in pieces.
#[derive(Debug)]
pub(crate) struct Split {
    /// What it is about.
    pub(crate) about: String,
    /// Who asks, and how.
    pub(crate) product: Product,
    /// Facts of the whole, and of each piece alone.
    pub(crate) whole: Facts,
    /// The pieces.
    pub(crate) pieces: Vec<Facts>,
}

/// The model, ready to be walked.
#[derive(Debug)]
pub(crate) struct Model {
    /// The plain question.
    pub(crate) base: Json,
    /// All axes, in the order in which their values are laid over the question; `class` last, because it says whether there is a change.
    pub(crate) axes: Vec<Axis>,
    /// Products.
    pub(crate) products: Vec<Product>,
    /// Splits.
    pub(crate) splits: Vec<Split>,
}

/// Cases of one product at most. LIMIT: a model beyond it would not end within a person's patience.
const CASES_MAX: usize = 5_000_000;

impl Model {
    /// Reads a model in YAML over the data of a policy. `example` is a merge that would go through.
    pub(crate) fn read(text: &str, data: &Json, example: PolicyInput) -> Result<Self, ModelError> {
        let spec: Spec = serde_saphyr::from_str(text).map_err(|error| wrong(error.to_string()))?;
        if spec.schema != "abide.model/1" {
            return Err(wrong(format!("its schema is `{}`, not `abide.model/1`", spec.schema)));
        }
        let question = plain(example)?;
        let axes =
            spec.axes.iter().map(|axis| self::axis(axis, data, &question)).collect::<Result<Vec<_>, _>>()?;
        let axes: BTreeMap<&str, Axis> = spec.axes.iter().map(|axis| axis.name.as_str()).zip(axes).collect();
        if axes.len() != spec.axes.len() {
            return Err(wrong("an axis stands there twice"));
        }
        let products =
            spec.products.iter().map(|product| self::product(&product.about, &product.over, &axes));
        let products = products.collect::<Result<Vec<_>, _>>()?;
        let splits =
            spec.splits.iter().map(|split| self::split(split, &axes)).collect::<Result<Vec<_>, _>>()?;
        let base = serde_json::to_value(&question).map_err(|error| wrong(error.to_string()))?;
        axes.values().try_for_each(|axis| can_be_asked(axis, &base))?;
        let mut all: Vec<Axis> =
            spec.axes.iter().filter_map(|axis| axes.get(axis.name.as_str())).cloned().collect();
        all.sort_by_key(|axis| axis.name == "class");
        Ok(Self { base, axes: all, products, splits })
    }
}

/// Every value makes a question that can be asked, by itself.
fn can_be_asked(axis: &Axis, base: &Json) -> Result<(), ModelError> {
    for value in &axis.values {
        let mut doc = base.clone();
        lay(&value.over, &mut doc);
        if let Err(error) = serde_json::from_value::<PolicyInput>(doc) {
            return Err(wrong(format!("axis `{}`, value `{}`: {error}", axis.name, value.called)));
        }
    }
    Ok(())
}

/// Lays one document over another, field by field; null takes a field away (RFC 7396).
pub(crate) fn lay(over: &Json, doc: &mut Json) {
    let Json::Object(fields) = over else {
        over.clone_into(doc);
        return;
    };
    if !doc.is_object() {
        *doc = Json::Object(Map::new());
    }
    let Json::Object(known) = doc else { return };
    for (name, field) in fields {
        if field.is_null() {
            known.remove(name);
        } else if let Some(below) = known.get_mut(name) {
            lay(field, below);
        } else {
            let mut below = Json::Null;
            lay(field, &mut below);
            known.insert(name.clone(), below);
        }
    }
}

fn axis(spec: &AxisSpec, data: &Json, question: &PolicyInput) -> Result<Axis, ModelError> {
    let mut values = Vec::new();
    if let Some(each) = &spec.each {
        let names = data.get(&each.of).and_then(Json::as_object);
        let names =
            names.ok_or_else(|| wrong(format!("axis `{}`: there is no data `{}`", spec.name, each.of)))?;
        for name in names.keys() {
            values.push(value(&each.called.replace('$', name), &with_name(&each.value, name), question)?);
        }
    }
    for named in &spec.values {
        values.push(value(&named.called, &named.value, question)?);
    }
    if values.is_empty() {
        return Err(wrong(format!("axis `{}` has no values", spec.name)));
    }
    Ok(Axis { name: spec.name.clone(), steps: spec.steps, values })
}

/// The same with a name in place of each `$`.
fn with_name(value: &Json, name: &str) -> Json {
    match value {
        Json::String(text) => Json::String(text.replace('$', name)),
        Json::Array(items) => items.iter().map(|item| with_name(item, name)).collect(),
        Json::Object(fields) => {
            fields.iter().map(|(key, field)| (key.clone(), with_name(field, name))).collect()
        }
        Json::Null | Json::Bool(_) | Json::Number(_) => value.clone(),
    }
}

fn value(called: &str, spec: &Json, question: &PolicyInput) -> Result<Value, ModelError> {
    let told = |error: serde_json::Error| wrong(format!("value `{called}`: {error}"));
    let spec: ValueSpec = serde_json::from_value(spec.clone()).map_err(told)?;
    let mut over = Map::new();
    if let Some(files) = &spec.files {
        over.insert("facts".to_owned(), serde_json::to_value(facts(files)).map_err(told)?);
    }
    if let Some(approvals) = spec.approvals {
        let approval = |one: ApprovalSpec| ApprovalInput {
            by: one.by,
            role: one.role,
            action: question.action.digest.clone(),
            at: question.now,
        };
        let approvals: Vec<_> = approvals.into_iter().map(approval).collect();
        over.insert("approvals".to_owned(), serde_json::to_value(approvals).map_err(told)?);
    }
    let mut over = Json::Object(over);
    if let Some(patch) = &spec.patch {
        graft(patch, &mut over);
    }
    Ok(Value { called: called.to_owned(), over, layer: spec.layer })
}

/// Adds an overlay to an overlay: what it takes away stays to be taken away.
fn graft(patch: &Json, over: &mut Json) {
    match (patch, over) {
        (Json::Object(fields), Json::Object(known)) => {
            for (name, field) in fields {
                graft(field, known.entry(name.clone()).or_insert(Json::Null));
            }
        }
        (patch, over) => patch.clone_into(over),
    }
}

fn product(about: &str, over: &[OverSpec], known: &BTreeMap<&str, Axis>) -> Result<Product, ModelError> {
    let mut taken = Vec::new();
    for spec in over {
        let found = known.get(spec.axis.as_str());
        let mut axis = found.ok_or_else(|| wrong(format!("there is no axis `{}`", spec.axis)))?.clone();
        if let Some(only) = &spec.only {
            let all: Vec<&str> = axis.values.iter().map(|value| value.called.as_str()).collect();
            if let Some(odd) = only.iter().find(|name| !all.contains(&name.as_str())) {
                return Err(wrong(format!("axis `{}` has no value `{odd}`", spec.axis)));
            }
            axis.values.retain(|value| only.contains(&value.called));
        }
        if taken.iter().any(|taken: &Axis| taken.name == axis.name) {
            return Err(wrong(format!("`{about}` takes axis `{}` twice", axis.name)));
        }
        if axis.steps.is_none() && taken.last().is_some_and(|axis| axis.steps.is_some()) {
            return Err(wrong(format!("`{about}`: axis `{}` stands behind one with steps", axis.name)));
        }
        taken.push(axis);
    }
    let product = Product { about: about.to_owned(), axes: taken };
    if product.count() > CASES_MAX {
        return Err(wrong(format!("`{about}` has more than {CASES_MAX} cases")));
    }
    Ok(product)
}

fn split(spec: &SplitSpec, axes: &BTreeMap<&str, Axis>) -> Result<Split, ModelError> {
    let product = product(&spec.about, &spec.over, axes)?;
    let pieces: Vec<Facts> = spec.pieces.iter().map(|files| facts(files)).collect();
    if pieces.len() < 2 || pieces.iter().any(|piece| piece.files.is_empty()) {
        return Err(wrong(format!("`{}` has no two pieces with files", spec.about)));
    }
    Ok(Split { about: spec.about.clone(), product, whole: facts(&spec.pieces.concat()), pieces })
}

fn file(spec: &FileSpec) -> FileFacts {
    let mode = |there: bool| if there { "100644" } else { "000000" }.to_owned();
    FileFacts {
        path: spec.path.clone(),
        status: spec.status,
        zones: spec.zones.clone(),
        categories: spec.categories.clone(),
        added: if spec.binary { 0 } else { spec.added },
        removed: spec.removed,
        binary: spec.binary,
        bytes: spec.bytes,
        bytes_before: 0,
        old_mode: mode(spec.status != FileStatus::Added),
        new_mode: mode(spec.status != FileStatus::Deleted),
        symlink: spec.symlink,
        submodule: false,
        generated: false,
        lfs: spec.lfs,
        made_executable: spec.made_executable,
    }
}

/// Facts of a change of these files, alone in its window.
fn facts(files: &[FileSpec]) -> Facts {
    let mut files: Vec<FileFacts> = files.iter().map(file).collect();
    files.sort_by(|a, b| a.path.cmp(&b.path));
    Facts::of_files(Oid::zero(), Oid::zero(), files, 24)
}

/// A worker asks to merge four lines of a document into a scratch repository, where every profile may work; all is well.
fn plain(example: PolicyInput) -> Result<PolicyInput, ModelError> {
    let documents: FileSpec =
        serde_json::from_value(json!({"path": "docs/guide.md", "categories": ["docs"]}))
            .map_err(|error| wrong(error.to_string()))?;
    let mut question = example;
    question.action.target.repo = "scratch".parse().map_err(|error: IdError| wrong(error.to_string()))?;
    question.risk = RiskInput { score: 5, band: "low".to_owned(), parts: BTreeMap::new() };
    question.facts = Some(facts(&[documents]));
    Ok(question)
}
