//! The meter: configuration compiled once, then applied to one change after another. Control flow only; each noun has its own file.

use globset::GlobSet;

use super::config::{Limits, MeasureConfig, MeasureConfigError};
use super::delta::TreeDelta;
use super::{Facts, WindowFacts};

/// Measures changes. Made once for each bundle generation; cheap to share, holds no state.
#[derive(Debug)]
pub struct Meter {
    pub(crate) limits: Limits,
    pub(crate) zones: Vec<(String, GlobSet)>,
}

impl Meter {
    /// Compiles what is looked for.
    pub fn compile(config: &MeasureConfig) -> Result<Self, MeasureConfigError> {
        Ok(Self { limits: config.measure.clone(), zones: Vec::new() })
    }

    /// Where measuring stops. Whoever builds a [`TreeDelta`] need not read blobs beyond `blob_bytes_max`.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Measures one change. `earlier` is what the same subject changed lately, this change excluded; it is added here.
    pub fn measure(&self, delta: &TreeDelta, earlier: WindowFacts) -> Facts {
        Facts {
            schema: Facts::SCHEMA.to_owned(),
            base_tree: delta.base_tree().clone(),
            tree: delta.tree().clone(),
            files: Vec::new(),
            totals: super::Totals::default(),
            zones: Vec::new(),
            categories: Vec::new(),
            secrets: Vec::new(),
            forbidden: Vec::new(),
            dependencies: Vec::new(),
            tests: super::TestFacts::default(),
            destructive: Vec::new(),
            hazards: Vec::new(),
            collisions: Vec::new(),
            // Until each noun is measured, everything is said not to be.
            unmeasured: vec!["everything".to_owned()],
            window: earlier,
        }
    }
}
