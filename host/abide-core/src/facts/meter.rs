//! The meter: configuration compiled once, then applied to one change after another. Control flow only; each noun has its own file.

use std::collections::{BTreeMap, BTreeSet};

use super::collide::collisions;
use super::config::{GlobsConfig, Limits, MeasureConfig, MeasureConfigError};
use super::delta::TreeDelta;
use super::destructive::Destructive;
use super::file::{FileMeter, Opened};
use super::findings::Findings;
use super::globs::NamedGlobs;
use super::linediff::Work;
use super::secrets::{Forbidden, Secrets};
use super::tests_changed::Tests;
use super::text::Text;
use super::view::View;
use super::{
    DestructiveFact, Facts, FileFacts, ForbiddenFact, Hazard, SecretFact, TestFacts, Totals, WeakenedTest,
    WindowFacts, deps,
};

/// Zone of files that run when somebody builds; the engine itself relies on it.
pub(crate) const EXECUTES_ON_BUILD: &str = "executes-on-build";

/// Measures changes. Made once for each bundle generation; cheap to share, holds no state.
#[derive(Debug)]
pub struct Meter {
    limits: Limits,
    files: FileMeter,
    secrets: Secrets,
    forbidden: Forbidden,
    text: Text,
    tests: Tests,
    destructive: Destructive,
}

/// What is gathered while files are looked at one after the other.
struct Gathered {
    files: Vec<FileFacts>,
    secrets: Findings<SecretFact>,
    forbidden: Findings<ForbiddenFact>,
    hazards: Findings<Hazard>,
    destructive: Findings<DestructiveFact>,
    weakened: Findings<WeakenedTest>,
    tests: TestFacts,
    dependencies: Vec<super::DependencyFact>,
    unmeasured: BTreeSet<&'static str>,
}

impl Meter {
    /// Compiles what is looked for.
    pub fn compile(config: &MeasureConfig) -> Result<Self, MeasureConfigError> {
        let required = |sets: &BTreeMap<String, GlobsConfig>, name: &str, what: &'static str| {
            if sets.contains_key(name) { Ok(()) } else { Err(MeasureConfigError::Missing(what)) }
        };
        required(&config.zones, EXECUTES_ON_BUILD, "zones.executes-on-build")?;
        required(&config.categories, "docs", "categories.docs")?;
        required(&config.categories, "tests", "categories.tests")?;
        required(&config.categories, "deps", "categories.deps")?;
        let zones = NamedGlobs::compile(&config.zones)?;
        let categories = NamedGlobs::compile(&config.categories)?;
        Ok(Self {
            limits: config.measure.clone(),
            files: FileMeter::compile(zones, categories, &config.generated)?,
            secrets: Secrets::compile(&config.secrets)?,
            forbidden: Forbidden::compile(&config.forbidden_patterns)?,
            text: Text::new(&config.text),
            tests: Tests::compile()?,
            destructive: Destructive::compile()?,
        })
    }

    /// Where measuring stops. Whoever builds a [`TreeDelta`] need not read blobs beyond `blob_bytes_max`.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Ids of the rules that find a secret in `line`, which is about to leave or to be kept.
    pub fn secrets_in(&self, line: &str) -> Vec<&str> {
        self.secrets.in_line(line)
    }

    /// Measures one change. `earlier` is what the same subject changed lately, this change excluded; it is added here.
    pub fn measure(&self, delta: &TreeDelta, earlier: WindowFacts) -> Facts {
        let mut gathered = Gathered::new(&self.limits);
        let mut work = Work(self.limits.diff_steps_max);
        for entry in delta.entries() {
            self.look_at(&View::open(entry, &self.limits, &mut work), &mut gathered);
        }
        let collisions = collisions(delta).unwrap_or_else(|| {
            gathered.unmeasured.insert("collisions");
            Vec::new()
        });
        gathered.into_facts(delta, collisions, earlier)
    }

    fn look_at(&self, view: &View<'_>, gathered: &mut Gathered) {
        let Opened { facts, prose } = self.files.open(view);
        let is = |category: &str| facts.categories.iter().any(|name| name == category);
        self.secrets.find(view, &mut gathered.secrets);
        self.forbidden.find(view, &mut gathered.forbidden);
        self.text.find(view, &mut gathered.hazards);
        self.destructive.find(view, prose, &mut gathered.destructive);
        let mut missed: Vec<&'static str> = Vec::new();
        if view.new_unread {
            missed.extend(["lines", "secrets", "forbidden", "hazards", "destructive", "tests"]);
        }
        if view.old_unread || view.capped {
            missed.push("lines");
        }
        if !self.tests.find(view, is("tests"), &mut gathered.tests, &mut gathered.weakened) {
            missed.push("tests");
        }
        if !deps::find(view, is("deps"), &mut gathered.dependencies) {
            missed.push("dependencies");
        }
        for name in missed {
            gathered.unmeasured.insert(name);
            let kind = format!("unmeasured-{name}");
            let hazard = Hazard { kind: kind.clone(), path: view.path().to_owned(), line: 0 };
            gathered.hazards.push(&kind, view.path(), hazard);
        }
        gathered.files.push(facts);
    }
}

impl Gathered {
    fn new(limits: &Limits) -> Self {
        Self {
            files: Vec::new(),
            secrets: Findings::new(limits),
            forbidden: Findings::new(limits),
            hazards: Findings::new(limits),
            destructive: Findings::new(limits),
            weakened: Findings::new(limits),
            tests: TestFacts::default(),
            dependencies: Vec::new(),
            unmeasured: BTreeSet::new(),
        }
    }

    fn into_facts(
        mut self,
        delta: &TreeDelta,
        collisions: Vec<super::Collision>,
        earlier: WindowFacts,
    ) -> Facts {
        for (cut, name) in [
            (self.secrets.is_cut(), "secrets"),
            (self.forbidden.is_cut(), "forbidden"),
            (self.hazards.is_cut(), "hazards"),
            (self.destructive.is_cut(), "destructive"),
            (self.weakened.is_cut(), "tests"),
        ] {
            if cut {
                self.unmeasured.insert(name);
            }
        }
        self.files.sort_by(|a, b| a.path.cmp(&b.path));
        self.dependencies.sort();
        self.tests.files_removed.sort();
        self.tests.weakened = self.weakened.into_sorted();
        let totals = self.files.iter().fold(Totals::default(), Totals::and);
        let mut zones: BTreeMap<String, u64> = BTreeMap::new();
        for zone in self.files.iter().flat_map(|file| &file.zones) {
            let files = zones.entry(zone.clone()).or_default();
            *files = files.saturating_add(1);
        }
        let categories: BTreeSet<String> =
            self.files.iter().flat_map(|file| file.categories.clone()).collect();
        Facts {
            schema: Facts::SCHEMA.to_owned(),
            base_tree: delta.base_tree().clone(),
            tree: delta.tree().clone(),
            zones: zones.keys().cloned().collect(),
            window: earlier.and_this(&totals, &zones),
            totals,
            categories: categories.into_iter().collect(),
            files: self.files,
            secrets: self.secrets.into_sorted(),
            forbidden: self.forbidden.into_sorted(),
            dependencies: self.dependencies,
            tests: self.tests,
            destructive: self.destructive.into_sorted(),
            hazards: self.hazards.into_sorted(),
            collisions,
            unmeasured: self.unmeasured.into_iter().map(str::to_owned).collect(),
        }
    }
}
