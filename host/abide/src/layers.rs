//! Layers: what an organisation, a repository, its `ab.yml` and one run add to the policy below them. Each can only tighten.
//!
//! `tighten` is the document that any of them may bring, `render` makes findings of it, `looser` says where it would not tighten; `organisation`
//! finds the layer that people signed in the log, `run` keeps that of a run with its first event. What all of it amounts to is a bundle like
//! any other: it is recorded, so each decision can be made again.

pub(crate) mod effective;
pub(crate) mod looser;
pub(crate) mod organisation;
pub(crate) mod render;
pub(crate) mod run;
pub(crate) mod tighten;

use abide_core::facts::config::{GlobsConfig, MeasureConfig};
use abide_core::risk::RiskConfig;
use abide_gate::source::{Added, Files, Layer};

use crate::config::Config;
use crate::report::{Exit, Failure};
use tighten::{Tighten, TightenError};

/// The document beside the rules of a layer.
pub(crate) const TIGHTEN: &str = "tighten.yaml";
/// The same inside a bundle, where data is JSON.
pub(crate) const TIGHTEN_JSON: &str = "tighten.json";
/// What is made of it.
pub(crate) const RENDERED: &str = "tighten.yaml.rego";
/// What is made of `ab.yml`.
pub(crate) const AB_YML: &str = "ab.yml.rego";

/// Who tightens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Source {
    /// A layer, with its `tighten.yaml`.
    Layer(Layer),
    /// `safety_settings` and `safety` in the repository's `ab.yml`.
    AbYml,
}

impl Source {
    /// How it is called.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Layer(layer) => layer.name(),
            Self::AbYml => "ab.yml",
        }
    }

    /// The zone of `what` (`never_touch` or `review`), which no other source has.
    pub(crate) fn zone(self, what: &str) -> String {
        format!("{}:{what}", self.name())
    }
}

/// What one source tightens.
#[derive(Debug, Clone)]
pub(crate) struct Tightened {
    /// Who.
    pub(crate) source: Source,
    /// What.
    pub(crate) document: Tighten,
}

/// Layers with their documents made into modules.
#[derive(Debug, Clone)]
pub(crate) struct Composed {
    /// Files that the gate reads.
    pub(crate) added: Added,
    /// The documents, lowest layer first.
    pub(crate) tightened: Vec<Tightened>,
}

impl Composed {
    /// Takes the documents out of `added` and puts what they mean in their place.
    pub(crate) fn of(added: &Added, config: Option<&Config>) -> Result<Self, TightenError> {
        let (mut added, mut tightened) = (added.clone(), Vec::new());
        for layer in Layer::ALL {
            let files = added.of_mut(layer);
            if let Some(document) = taken(layer, files)? {
                let source = Source::Layer(layer);
                if let Some(text) = render::module(source, &document) {
                    files.insert(RENDERED.to_owned(), text.into_bytes());
                }
                tightened.push(Tightened { source, document });
            }
            if let Some(config) = config.filter(|_| layer == Layer::Repository) {
                let document = Tighten::of_config(config);
                if let Some(text) = render::module(Source::AbYml, &document) {
                    files.insert(AB_YML.to_owned(), text.into_bytes());
                }
                tightened.push(Tightened { source: Source::AbYml, document });
            }
        }
        Ok(Self { added, tightened })
    }

    /// Has the host measure what the documents ask about.
    pub(crate) fn measured(&self, measure: &mut MeasureConfig) {
        for Tightened { source, document } in &self.tightened {
            measure.forbidden_patterns.extend(document.forbidden_patterns.iter().cloned());
            for (what, globs) in [("never_touch", &document.never_touch), ("review", &document.review)] {
                if !globs.is_empty() {
                    let about = format!("`{what}` of {}", source.name());
                    let none = || GlobsConfig { about, globs: Vec::new() };
                    // A zone of this name in the policy below keeps what it has.
                    measure
                        .zones
                        .entry(source.zone(what))
                        .or_insert_with(none)
                        .globs
                        .extend(globs.iter().cloned());
                }
            }
        }
    }
}

impl Composed {
    /// A place of a layer says by itself what follows from touching it: it adds nothing to the score of a change.
    pub(crate) fn weighed(&self, risk: &mut RiskConfig) {
        for Tightened { source, .. } in &self.tightened {
            for what in ["never_touch", "review"] {
                risk.weights.zones.entry(source.zone(what)).or_insert(0);
            }
        }
    }
}

/// The document among the files of a layer, taken out. What is made of it has a place of its own that no file may be at.
fn taken(layer: Layer, files: &mut Files) -> Result<Option<Tighten>, TightenError> {
    let reserved = [RENDERED, AB_YML].into_iter().find(|name| files.contains_key(*name));
    if let Some(name) = reserved {
        return Err(TightenError::Reserved { path: format!("{}{name}", layer.folder()) });
    }
    let yaml = files.remove(TIGHTEN);
    let json = files.remove(TIGHTEN_JSON);
    let path = |name: &str| format!("{}{name}", layer.folder());
    match (yaml, json) {
        (None, None) => Ok(None),
        (Some(bytes), None) => Tighten::of_yaml(&path(TIGHTEN), &bytes).map(Some),
        (None, Some(bytes)) => Tighten::of_json(&path(TIGHTEN_JSON), &bytes).map(Some),
        (Some(_), Some(_)) => Err(TightenError::Twice { path: path(TIGHTEN) }),
    }
}

impl From<TightenError> for Failure {
    fn from(error: TightenError) -> Self {
        let help = format!(
            "everything is denied until {} is mended; ab explain layers says what it may hold",
            error.path()
        );
        Self::of(error.code(), error).help(help).exit(Exit::Gate)
    }
}

#[cfg(test)]
mod tests;
