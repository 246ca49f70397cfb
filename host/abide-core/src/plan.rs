//! From a ticket to the units of work of a run. Deterministic: no model is asked here.
//!
//! A ticket is Markdown. Front matter between `---` lines may name recipes; without it, the first line is matched against the few phrases
//! that a recipe answers to. What matches nothing is refused with the list of what would. A worker that others wrote has recipes of its own: a ticket
//! names the worker with the recipe.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::canonical::{self, CanonicalError};
use crate::id::Digest;
use crate::source::{SourceClaim, is_name};

/// Units of one plan at most.
pub const UNITS_MAX: usize = 50;
/// Bytes of a ticket at most.
pub const TICKET_BYTES_MAX: usize = 256 * 1024;

/// The recipe that takes a commit as it is instead of asking a worker.
pub const PROPOSAL: &str = "proposal";

/// The recipe that asks for a source to come further. It needs no worker.
pub const PROMOTION: &str = "promote-source";

/// A recipe that a shipped worker knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recipe {
    /// Its name.
    pub name: &'static str,
    /// The worker that does it; empty where none is needed.
    pub worker: &'static str,
    /// What it does, for people.
    pub what: &'static str,
    /// Parameters that must be given.
    pub required: &'static [&'static str],
    /// Parameters that may be given.
    pub optional: &'static [&'static str],
    /// Of these, those that name a file of the repository without which nobody need be asked anything.
    pub reads: &'static [&'static str],
    /// Lower-case phrases in a ticket's title that mean it.
    phrases: &'static [&'static str],
}

impl Recipe {
    /// Whether these are parameters of it, and all that it needs.
    fn takes(&self, params: &BTreeMap<String, String>) -> Result<(), PlanError> {
        let recipe = || self.name.to_owned();
        let all = || self.required.iter().chain(self.optional).copied();
        // Of recipes without a worker the tickets are written here.
        let unknown = params.keys().find(|name| !all().any(|one| one == name.as_str()));
        if let Some(parameter) = unknown.filter(|_| !self.worker.is_empty()) {
            let mut known = all().collect::<Vec<_>>().join(", ");
            if known.is_empty() {
                known.push_str("none");
            }
            return Err(PlanError::UnknownParameter {
                recipe: recipe(),
                parameter: one_line(parameter),
                known,
            });
        }
        match self.required.iter().find(|name| !params.contains_key(**name)) {
            Some(parameter) => Err(PlanError::MissingParameter { recipe: recipe(), parameter }),
            None => Ok(()),
        }
    }
}

/// Every recipe.
pub const RECIPES: &[Recipe] = &[
    Recipe {
        name: "repair-links",
        worker: "codegen",
        what: "repair broken relative links in Markdown by finding the file that moved",
        required: &[],
        optional: &[],
        reads: &[],
        phrases: &[
            "repair link",
            "repair broken link",
            "fix link",
            "fix broken link",
            "broken links",
            "dead links",
        ],
    },
    Recipe {
        name: "add-spdx",
        worker: "codegen",
        what: "add SPDX licence headers by language",
        required: &["license"],
        optional: &["copyright", "include-data"],
        reads: &[],
        phrases: &["spdx", "licence header", "license header"],
    },
    Recipe {
        name: "rename",
        worker: "codegen",
        what: "rename an identifier, whole words, across the repository",
        required: &["old", "new"],
        optional: &["in-comments", "in-strings", "merge"],
        reads: &[],
        phrases: &[],
    },
    Recipe {
        name: "replace-text",
        worker: "codegen",
        what: "replace one exact text in one file",
        required: &["path", "old", "new"],
        optional: &["expect"],
        reads: &[],
        phrases: &[],
    },
    Recipe {
        name: "edit-file",
        worker: "codegen",
        what: "write or delete one file",
        required: &["path"],
        optional: &["text", "delete", "executable"],
        reads: &[],
        phrases: &[],
    },
    Recipe {
        name: PROPOSAL,
        worker: "",
        what: "judge a commit that someone made (`ab propose` writes such tickets)",
        required: &["commit", "by"],
        optional: &[],
        reads: &[],
        phrases: &[],
    },
    Recipe {
        name: PROMOTION,
        worker: "",
        what: "let a source come further (`ab source promote` writes such tickets)",
        required: &["source", "definition"],
        optional: &[],
        reads: &[],
        phrases: &[],
    },
    Recipe {
        name: "draft-tests",
        worker: "testgen",
        what: "draft tests for public functions that have none",
        required: &[],
        optional: &["path", "max"],
        reads: &[],
        phrases: &["draft tests", "missing tests", "add tests", "write tests"],
    },
    Recipe {
        name: "refresh-file",
        worker: "extract",
        what: "make a text file say what an address on the network says",
        required: &["path", "url"],
        optional: &[],
        reads: &[],
        phrases: &[],
    },
    Recipe {
        name: "extract-records",
        worker: "browse",
        what: "make records of what pages of the web show, as a JSON Schema asks for them",
        required: &["schema", "path"],
        optional: &["urls", "source", "hints", "next", "pages_max", "login", "wait-for", "scroll"],
        reads: &["schema", "source"],
        phrases: &[],
    },
    Recipe {
        name: "scout-sources",
        worker: "browse",
        what: "look where a source leads to, and propose what has the same records (`ab source scout` writes such tickets)",
        required: &["from", "urls", "schema", "path", "folder"],
        optional: &["hints", "next", "wait-for", "pages_max", "known"],
        reads: &["schema"],
        phrases: &[],
    },
];

/// One unit of work.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UnitSpec {
    /// `u1`, `u2`, …
    pub id: String,
    /// The recipe.
    pub recipe: String,
    /// The worker that does it.
    pub worker: String,
    /// One line for people.
    pub title: String,
    /// Folders or files that it may look at and change; empty means all.
    pub scope: Vec<String>,
    /// Parameters of the recipe.
    pub params: BTreeMap<String, String>,
    /// The source that it reads, if it says that it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<SourceClaim>,
    /// Whether what comes of it is only measured: nothing is written.
    #[serde(default, skip_serializing_if = "is_false")]
    pub probe: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it")]
fn is_false(value: &bool) -> bool {
    !*value
}

impl UnitSpec {
    /// Digest of what its source is: what is read, how, and by what terms. Not what the ticket is called, or says to people.
    pub fn definition(&self) -> Result<Digest, CanonicalError> {
        #[derive(Serialize)]
        struct Definition<'a> {
            recipe: &'a str,
            worker: &'a str,
            scope: &'a [String],
            params: &'a BTreeMap<String, String>,
            source: &'a Option<SourceClaim>,
        }
        let Self { recipe, worker, scope, params, source, .. } = self;
        canonical::digest(&Definition { recipe, worker, scope, params, source })
    }
}

/// The plan of a run (`abide.plan/1`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// Always `abide.plan/1`.
    pub schema: String,
    /// One line for people.
    pub title: String,
    /// Units, in order.
    pub units: Vec<UnitSpec>,
}

/// A ticket that cannot be planned.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// Nothing in it.
    #[error("the ticket is empty")]
    Empty,
    /// Over the limit.
    #[error("the ticket has {bytes} bytes, more than {TICKET_BYTES_MAX}")]
    TooLarge {
        /// Its size.
        bytes: usize,
    },
    /// The front matter is not what is expected.
    #[error("the ticket's front matter cannot be read: {why}")]
    FrontMatter {
        /// The parser's words, with the line.
        why: String,
    },
    /// The front matter is never closed.
    #[error("the ticket's front matter is not closed by a line `---`")]
    Unclosed,
    /// A recipe that no worker knows.
    #[error("no worker knows the recipe `{recipe}`")]
    UnknownRecipe {
        /// The recipe.
        recipe: String,
    },
    /// A parameter is missing.
    #[error("recipe `{recipe}` needs the parameter `{parameter}`")]
    MissingParameter {
        /// The recipe.
        recipe: String,
        /// The parameter.
        parameter: &'static str,
    },
    /// A parameter that the recipe does not have.
    #[error("recipe `{recipe}` has no parameter `{parameter}`; it takes {known}")]
    UnknownParameter {
        /// The recipe.
        recipe: String,
        /// The parameter.
        parameter: String,
        /// Those that it has.
        known: String,
    },
    /// Too many units.
    #[error("the ticket has {units} units, more than {UNITS_MAX}")]
    TooManyUnits {
        /// How many.
        units: usize,
    },
    /// Nothing in the title says what to do.
    #[error("no recipe answers to `{title}`")]
    NoRecipe {
        /// The title.
        title: String,
    },
}

impl PlanError {
    /// The code for `ab explain`.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Empty | Self::TooLarge { .. } => "AB0020",
            Self::FrontMatter { .. } | Self::Unclosed => "AB0021",
            Self::UnknownRecipe { .. } | Self::NoRecipe { .. } => "AB0022",
            Self::MissingParameter { .. } | Self::UnknownParameter { .. } => "AB0023",
            Self::TooManyUnits { .. } => "AB0024",
        }
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct FrontMatter {
    #[serde(default)]
    title: Option<String>,
    #[serde(default)]
    id: Option<String>,
    #[serde(default)]
    recipe: Option<String>,
    #[serde(default)]
    worker: Option<String>,
    #[serde(default)]
    scope: Vec<String>,
    #[serde(default)]
    params: BTreeMap<String, String>,
    #[serde(default)]
    source: Option<SourceClaim>,
    #[serde(default)]
    probe: bool,
    #[serde(default)]
    units: Vec<RawUnit>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawUnit {
    recipe: String,
    #[serde(default)]
    worker: Option<String>,
    #[serde(default)]
    title: Option<String>,
    #[serde(default)]
    scope: Vec<String>,
    #[serde(default)]
    params: BTreeMap<String, String>,
    #[serde(default)]
    source: Option<SourceClaim>,
    #[serde(default)]
    probe: bool,
}

impl Plan {
    /// The value of `schema`.
    pub const SCHEMA: &'static str = "abide.plan/1";

    /// Plans a ticket.
    pub fn of_ticket(text: &str) -> Result<Self, PlanError> {
        if text.len() > TICKET_BYTES_MAX {
            return Err(PlanError::TooLarge { bytes: text.len() });
        }
        let (front, body) = split(text)?;
        let heading =
            body.lines().map(|line| line.trim_start_matches('#').trim()).find(|line| !line.is_empty());
        let title = front
            .title
            .clone()
            .or_else(|| heading.map(str::to_owned))
            .or_else(|| front.id.clone())
            .ok_or(PlanError::Empty)?;
        let title = one_line(&title);
        let raw = match (front.recipe, front.units.is_empty()) {
            (Some(recipe), true) => {
                let (worker, scope, params) = (front.worker, front.scope, front.params);
                let (source, probe) = (front.source, front.probe);
                vec![RawUnit { recipe, worker, title: None, scope, params, source, probe }]
            }
            (None, _) if front.source.is_some() || front.probe => {
                let why = "`source` and `probe` stand beside `recipe`: what is read is not said".to_owned();
                return Err(PlanError::FrontMatter { why });
            }
            (None, _) if front.worker.is_some() => {
                let why = "`worker` stands beside `recipe`: what it should do is not said".to_owned();
                return Err(PlanError::FrontMatter { why });
            }
            (None, false) => front.units,
            (Some(_), false) => {
                return Err(PlanError::FrontMatter { why: "give `recipe` or `units`, not both".to_owned() });
            }
            (None, true) => vec![guess(&title, front.scope, front.params)?],
        };
        if raw.len() > UNITS_MAX {
            return Err(PlanError::TooManyUnits { units: raw.len() });
        }
        let units = raw
            .into_iter()
            .zip(1..)
            .map(|(unit, number)| resolve(unit, number, &title))
            .collect::<Result<_, _>>()?;
        Ok(Self { schema: Self::SCHEMA.to_owned(), title, units })
    }

    /// Digest of the plan.
    pub fn digest(&self) -> Result<Digest, CanonicalError> {
        canonical::digest(self)
    }
}

fn split(text: &str) -> Result<(FrontMatter, &str), PlanError> {
    let text = text.trim_start_matches('\u{feff}');
    if text.trim().is_empty() {
        return Err(PlanError::Empty);
    }
    let Some(rest) = text.strip_prefix("---\n").or_else(|| text.strip_prefix("---\r\n")) else {
        return Ok((FrontMatter::default(), text));
    };
    let mut offset: usize = 0;
    for line in rest.split_inclusive('\n') {
        let end = offset.saturating_add(line.len());
        if line.trim_end() == "---" {
            let front = serde_saphyr::from_str(rest.get(..offset).unwrap_or_default())
                .map_err(|error| PlanError::FrontMatter { why: error.to_string() })?;
            return Ok((front, rest.get(end..).unwrap_or_default()));
        }
        offset = end;
    }
    Err(PlanError::Unclosed)
}

/// The recipe that a title without front matter means. `in docs/` or a word that ends in `/` names the scope.
fn guess(title: &str, scope: Vec<String>, params: BTreeMap<String, String>) -> Result<RawUnit, PlanError> {
    let lower = title.to_lowercase();
    let recipe = RECIPES.iter().find(|recipe| recipe.phrases.iter().any(|phrase| lower.contains(phrase)));
    let Some(recipe) = recipe else { return Err(PlanError::NoRecipe { title: title.to_owned() }) };
    let named = title
        .split_whitespace()
        .map(|word| word.trim_matches(['`', ',', '.', '"']))
        .filter(|word| word.ends_with('/') && word.len() > 1);
    let scope = if scope.is_empty() { named.map(str::to_owned).collect() } else { scope };
    let recipe = recipe.name.to_owned();
    Ok(RawUnit { recipe, worker: None, title: None, scope, params, source: None, probe: false })
}

fn resolve(unit: RawUnit, number: u32, plan_title: &str) -> Result<UnitSpec, PlanError> {
    let known = RECIPES.iter().find(|recipe| recipe.name == unit.recipe);
    let worker = match (unit.worker, known) {
        (None, None) => return Err(PlanError::UnknownRecipe { recipe: unit.recipe }),
        (None, Some(recipe)) => recipe.worker.to_owned(),
        (Some(worker), _) => {
            // A commit is taken as it is; no worker can stand for it.
            for name in [&worker, &unit.recipe] {
                if !is_name(name) || name == PROPOSAL || name == PROMOTION {
                    let why = format!("`{}` is the name of no worker or recipe", one_line(name));
                    return Err(PlanError::FrontMatter { why });
                }
            }
            worker
        }
    };
    // What another worker needs, it says itself.
    if let Some(recipe) = known.filter(|recipe| recipe.worker == worker) {
        recipe.takes(&unit.params)?;
    }
    if unit.probe && unit.source.is_none() {
        let why = "`probe` tries a source, and the ticket names none".to_owned();
        return Err(PlanError::FrontMatter { why });
    }
    if let Some(claim) = &unit.source {
        claim.check().map_err(|why| PlanError::FrontMatter { why: why.to_owned() })?;
        if worker.is_empty() {
            let why = format!("recipe `{}` reads no source", unit.recipe);
            return Err(PlanError::FrontMatter { why });
        }
    }
    Ok(UnitSpec {
        id: format!("u{number}"),
        recipe: unit.recipe,
        worker,
        title: one_line(unit.title.as_deref().unwrap_or(plan_title)),
        scope: unit.scope,
        params: unit.params,
        source: unit.source,
        probe: unit.probe,
    })
}

/// The first line, without control characters, at most 72 characters: it becomes a commit's title.
fn one_line(text: &str) -> String {
    let line: String = text.lines().next().unwrap_or_default().chars().filter(|c| !c.is_control()).collect();
    match line.char_indices().nth(72) {
        None => line,
        Some(_) => line.chars().take(71).chain(['…']).collect(),
    }
}

#[cfg(test)]
mod tests;
