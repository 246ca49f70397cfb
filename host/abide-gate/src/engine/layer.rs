//! Layers: who adds to a policy, and which corner of it each of them has.

/// Below which modules of layers stand in a bundle.
pub const LAYERS: &str = "layers/";

/// Who adds to a policy. A layer states findings and nothing else, so each can only tighten what stands below it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Layer {
    /// The organisation, in a bundle that people signed.
    Organisation,
    /// The repository, from its target branch.
    Repository,
    /// One run.
    Run,
}

impl Layer {
    /// All of them, lowest first.
    pub const ALL: [Self; 3] = [Self::Organisation, Self::Repository, Self::Run];

    /// How it is called.
    pub fn name(self) -> &'static str {
        match self {
            Self::Organisation => "organisation",
            Self::Repository => "repository",
            Self::Run => "run",
        }
    }

    /// Where its modules stand in a bundle, with a `/` at the end. The repository's is around the other two, which it cannot enter.
    pub fn folder(self) -> &'static str {
        match self {
            Self::Organisation => "layers/organisation/",
            Self::Repository => LAYERS,
            Self::Run => "layers/run/",
        }
    }

    /// The layer that a module of a bundle belongs to; none for the policy below all of them.
    pub fn of(path: &str) -> Option<Self> {
        let own = |layer: &Self| path.starts_with(layer.folder());
        [Self::Organisation, Self::Run, Self::Repository].into_iter().find(own)
    }

    /// Whether packages `abide.layers.NAME…` are this layer's.
    pub fn owns(self, name: &str) -> bool {
        let begins =
            |own: &str| name.strip_prefix(own).is_some_and(|rest| rest.is_empty() || rest.starts_with('_'));
        match self {
            Self::Organisation | Self::Run => begins(self.name()),
            Self::Repository => !Self::Organisation.owns(name) && !Self::Run.owns(name),
        }
    }

    /// In a sentence.
    pub(crate) fn told(self) -> &'static str {
        match self {
            Self::Organisation => "the organisation",
            Self::Repository => "the repository",
            Self::Run => "a run",
        }
    }

    /// What its packages are called, as the end of a sentence.
    pub(crate) fn names(self) -> &'static str {
        match self {
            Self::Organisation => {
                "packages of the organisation are `abide.layers.organisation` and `abide.layers.organisation_NAME`"
            }
            Self::Repository => "a repository chooses another name",
            Self::Run => "the package of a run is `abide.layers.run`",
        }
    }

    pub(crate) fn hint(self) -> &'static str {
        match self {
            Self::Organisation => ", where NAME is `organisation` or `organisation_…`",
            Self::Repository => "",
            Self::Run => ", where NAME is `run`",
        }
    }
}
