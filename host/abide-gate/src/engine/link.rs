//! Joins the modules of a bundle into one, and leaves out what cannot apply to one kind of action.
//!
//! The engine looks through every module at the first mention of every path under `data`, and what a rule costs when it is false is mostly
//! looking. So rules get names of their own in one package, all data hangs under one rule, and a rule that begins with
//! `input.action.class == "MERGE"` is not even there when something else is asked. The answers are the same to the byte: the tests of the
//! decision matrix compare both. What cannot be joined (a reference that is only known while judging) is judged as it was written.

mod guard;
mod plan;

use std::collections::BTreeSet;

use regorus::unstable::Expr;

use crate::engine::loader::Place;

pub(crate) use guard::Asked;
pub(crate) use plan::{Joined, Lines, Plan};

/// The package of a joined module.
pub(crate) const PACKAGE: &str = "joined";
/// The rule under which all data hangs, and the key of the document it reads.
pub(crate) const DOCUMENT: &str = "document__";
/// The rule that holds the layers.
const LAYERS_RULE: &str = "layers__";
/// The rule that holds those layers that may find something, where only the findings are read.
const LOUD_RULE: &str = "loud__";

/// The name of a rule in the joined module. `path` is its package and its first name. Different paths have different names: the parts are
/// joined by `_0`, and a `_` of their own becomes `_1`.
pub(crate) fn name<S: AsRef<str>>(path: &[S]) -> String {
    path.iter().map(|part| part.as_ref().replace('_', "_1")).collect::<Vec<_>>().join("_0")
}

fn is_plain(name: &str) -> bool {
    name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        && !name.starts_with(|first: char| first.is_ascii_digit())
}

/// Whether a variable may be called so without being taken for a name made here.
pub(crate) fn is_free(variable: &str) -> bool {
    !variable.contains("__") && !variable.contains("_0")
}

/// The rule that answers, in the joined module.
pub(crate) fn entrypoint() -> String {
    format!("data.{PACKAGE}.{}", name(&["abide", "decision"]))
}

/// A piece of text to be replaced, in bytes of the module.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Edit {
    pub(crate) start: u32,
    pub(crate) end: u32,
    pub(crate) text: String,
}

impl Edit {
    /// The name, and keys in brackets behind it.
    fn split(&self) -> (&str, &str) {
        self.text.split_at(self.text.find('[').unwrap_or(self.text.len()))
    }
}

/// What the inspection of one module found for the joining.
#[derive(Debug, Clone, Default)]
pub(crate) struct Links {
    /// What to replace.
    pub(crate) edits: BTreeSet<Edit>,
    /// Where `data.abide.layers[_].findings` begins as that of which there is `some`, in bytes: what is empty counts for nothing there.
    pub(crate) loud: BTreeSet<u32>,
    /// Why the module cannot be joined. Empty if it can.
    pub(crate) obstacles: Vec<(Place, &'static str)>,
}

/// What stands for `data.abide.layers`.
pub(crate) fn layers_name(only_findings: bool) -> &'static str {
    if only_findings { LOUD_RULE } else { LAYERS_RULE }
}

/// Whether it reads, spelled out, `data.abide.layers[_].findings`. Gives where it begins, in bytes.
pub(crate) fn only_findings(collection: &Expr) -> Option<u32> {
    let Expr::RefDot { refr, field, .. } = collection else { return None };
    let Expr::RefBrack { refr, index, .. } = &**refr else { return None };
    let Expr::Var { span: index, .. } = &**index else { return None };
    let Expr::RefDot { refr, field: layers, .. } = &**refr else { return None };
    let Expr::RefDot { refr, field: abide, .. } = &**refr else { return None };
    let Expr::Var { span: data, .. } = &**refr else { return None };
    let said = [data.text(), abide.0.text(), layers.0.text(), index.text(), field.0.text()];
    (said == ["data", "abide", "layers", "_", "findings"]).then_some(data.start)
}

fn to_usize(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}
