//! Policy bundles: the policy of an organisation in one file, signed by people, put in force on record.
//!
//! `archive` reads bytes, `contents` makes a policy of them (`layer` the layer of an organisation), `manifest` is what the bundle says of itself;
//! `signers` and `signatures` tell who stands for it, `audience` for whom it is, `opa` looks at a signature that OPA made, `judgement` puts all of
//! it together, `proof` holds it against its invariants, `on_record` finds in the log what is in force (`active` the whole policy), and `again`
//! judges what the log says of it. A bundle never names who may sign it: that list is the operator's.

pub(crate) mod active;
pub(crate) mod again;
pub(crate) mod archive;
pub(crate) mod audience;
pub(crate) mod contents;
pub(crate) mod judgement;
pub(crate) mod layer;
pub(crate) mod manifest;
pub(crate) mod on_record;
pub(crate) mod opa;
pub(crate) mod proof;
pub(crate) mod signatures;
pub(crate) mod signers;

pub(crate) use contents::Contents;

/// A part of a policy that people of one role sign for.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize, clap::ValueEnum,
)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Role {
    /// The policy as a whole; every bundle needs it.
    Rules,
    /// The hard rules and what they come from.
    Hard,
    /// What must hold of the rules, below `invariants/`.
    Invariants,
    /// No part of a policy: components that others wrote.
    Worker,
}

impl Role {
    /// All of them.
    pub(crate) const ALL: [Self; 4] = [Self::Rules, Self::Hard, Self::Invariants, Self::Worker];

    /// How it is written.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Rules => "rules",
            Self::Hard => "hard",
            Self::Invariants => "invariants",
            Self::Worker => "worker",
        }
    }

    /// The least quorum that may be set. Hard rules are never one person's.
    pub(crate) fn quorum_min(self) -> usize {
        match self {
            Self::Hard => 2,
            Self::Rules | Self::Invariants | Self::Worker => 1,
        }
    }
}

impl std::fmt::Display for Role {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

impl std::str::FromStr for Role {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|role| role.name() == text).ok_or_else(|| {
            format!("`{text}` is no role: there are `rules`, `hard`, `invariants` and `worker`")
        })
    }
}
