//! May this bundle be put in force? Everything that speaks against it at once, each with its code.

use std::collections::{BTreeMap, BTreeSet};

use abide_core::event::PolicySignature;
use abide_core::id::Digest;

use super::audience::{self, Here};
use super::contents::Parts;
use super::signatures::{Counted, Signatures, Standing};
use super::signers::{Signers, SignersError};
use super::{Contents, Role};

/// What is in force, as far as it matters to the next one.
#[derive(Debug)]
pub(crate) struct InForce {
    /// Its version; 0 for what is built in.
    pub(crate) version: u64,
    /// Its archive; none for what is built in.
    pub(crate) archive: Option<Digest>,
    /// Its policy, if it can be read.
    pub(crate) policy: Option<Parts>,
    /// Digests of its hard part and of its invariants as they were recorded, for where it cannot be read.
    pub(crate) recorded: Option<(Digest, Digest)>,
}

impl InForce {
    /// Whether the hard part differs. Where nothing is known, it does.
    fn hard_differs(&self, next: &Parts) -> bool {
        let known = self.policy.as_ref().map(|parts| &parts.hard);
        known.or(self.recorded.as_ref().map(|(hard, _)| hard)) != Some(&next.hard)
    }

    /// The same for the invariants.
    fn invariants_differ(&self, next: &Parts) -> bool {
        let known = self.policy.as_ref().map(|parts| &parts.invariants);
        known.or(self.recorded.as_ref().map(|(_, invariants)| invariants)) != Some(&next.invariants)
    }
}

/// How a file differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Difference {
    /// It is new.
    Added,
    /// It went away.
    Removed,
    /// It has other contents.
    Changed,
}

/// What a role has to say.
#[derive(Debug, Clone)]
pub(crate) struct Need {
    /// The role.
    pub(crate) role: Role,
    /// How many different people.
    pub(crate) quorum: usize,
    /// Who signed and counts.
    pub(crate) people: BTreeSet<String>,
}

impl Need {
    /// Whether enough people signed.
    pub(crate) fn is_met(&self) -> bool {
        self.people.len() >= self.quorum
    }
}

/// One thing that speaks against it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// The code for `ab explain`.
    pub(crate) code: &'static str,
    /// What.
    pub(crate) why: String,
}

/// What was found.
#[derive(Debug)]
pub(crate) struct Judgement {
    /// Every signature.
    pub(crate) counted: Vec<Counted>,
    /// What each role that is asked has to say.
    pub(crate) needs: Vec<Need>,
    /// Files that differ from what is in force, as a policy folder calls them.
    pub(crate) differences: Vec<(String, Difference)>,
    /// Whether the hard rules, or what they come from, differ.
    pub(crate) hard_changed: bool,
    /// Whether the invariants differ.
    pub(crate) invariants_changed: bool,
    /// Whether OPA's own signature was verified.
    pub(crate) opa_verified: bool,
    /// What speaks against it; nothing if it may be put in force.
    pub(crate) refusals: Vec<Refusal>,
}

impl Judgement {
    /// Judges a bundle by those who are trusted, and by what is in force.
    pub(crate) fn of(
        contents: &Contents,
        signatures: &Signatures,
        signers: Result<&Signers, &SignersError>,
        in_force: &InForce,
        here: &Here,
    ) -> Self {
        let before = in_force.policy.as_ref();
        let mut found = Self {
            counted: Vec::new(),
            needs: Vec::new(),
            differences: differences(before, &contents.policy),
            hard_changed: in_force.hard_differs(&contents.policy),
            invariants_changed: in_force.invariants_differ(&contents.policy),
            opa_verified: false,
            refusals: version(contents, in_force).into_iter().collect(),
        };
        match signers {
            Err(error) => found.refuse(error.code(), error.to_string()),
            Ok(signers) => found.signed(contents, signatures, signers, here),
        }
        found
    }

    fn refuse(&mut self, code: &'static str, why: String) {
        self.refusals.push(Refusal { code, why });
    }

    fn signed(&mut self, contents: &Contents, signatures: &Signatures, signers: &Signers, here: &Here) {
        let (its, ours) = (contents.manifest.audience(), signers.audience.as_deref());
        if let Some(why) = audience::refuses(its, ours, here.repository.as_deref()) {
            self.refuse("AB0268", why);
        }
        match contents.opa.as_ref().map(|opa| opa.verify(&signers.opa)) {
            Some(Err(error)) => self.refuse(error.code(), error.to_string()),
            Some(Ok(verified)) => self.opa_verified = verified,
            None => {}
        }
        match signatures.count(contents, signers, here.now) {
            Ok(counted) => self.counted = counted,
            Err(error) => return self.refuse(error.code(), error.to_string()),
        }
        let asked = [
            (Role::Rules, true),
            (Role::Hard, self.hard_changed),
            (Role::Invariants, self.invariants_changed),
        ];
        for (role, _) in asked.into_iter().filter(|(_, asked)| *asked) {
            self.need(role, signers);
        }
        let unmet: Vec<Refusal> =
            self.needs.iter().filter(|need| !need.is_met()).map(|need| self.unmet(need)).collect();
        self.refusals.extend(unmet);
    }

    fn need(&mut self, role: Role, signers: &Signers) {
        let counts = |one: &&Counted| one.role == role && one.standing == Standing::Counts;
        let people = self.counted.iter().filter(counts).filter_map(|one| one.person.clone()).collect();
        match signers.roles.get(&role) {
            Some(bench) => self.needs.push(Need { role, quorum: bench.quorum, people }),
            None => self.refuse("AB0258", format!("nobody is trusted to sign for `{role}`, which changes")),
        }
    }

    /// A quorum that is not met, with the reason why the signature that is nearest to counting does not.
    fn unmet(&self, need: &Need) -> Refusal {
        let role = need.role;
        let own = |one: &&Counted| one.role == role && one.standing != Standing::Counts;
        let (have, want) = (need.people.len(), need.quorum);
        let people = if want == 1 { "person" } else { "different people" };
        let mut why = format!("role `{role}` asks for {want} {people}, and {have} signed");
        let odd = self.counted.iter().find(own);
        if let Some(odd) = odd {
            let whose = odd
                .person
                .as_ref()
                .map_or_else(|| format!("key {}", short(&odd.key)), |who| format!("`{who}`"));
            why = format!("{why}; the signature of {whose} does not count: {}", odd.standing.words());
        }
        Refusal { code: odd.and_then(|odd| odd.standing.code()).unwrap_or("AB0251"), why }
    }

    /// The signatures that counted, for the record.
    pub(crate) fn record(&self) -> Vec<PolicySignature> {
        let counts = self.counted.iter().filter(|one| one.standing == Standing::Counts);
        counts
            .filter_map(|one| {
                let person = one.person.clone()?;
                let needed =
                    self.needs.iter().any(|need| need.role == one.role && need.people.contains(&person));
                let role = one.role.name().to_owned();
                needed.then(|| PolicySignature { role, person, key: one.key.clone() })
            })
            .collect()
    }
}

/// The beginning of a fingerprint, for people.
pub(crate) fn short(key: &str) -> &str {
    key.get(..12).unwrap_or(key)
}

/// How far a version may be above the one before: far enough for versions made of dates, and no one person uses up all that there are.
const STEP_MAX: u64 = 1_000_000_000_000;

fn version(contents: &Contents, in_force: &InForce) -> Option<Refusal> {
    let (new, floor) = (contents.manifest.version(), in_force.version);
    let refused = |why: String| Some(Refusal { code: "AB0259", why });
    if in_force.archive.as_ref() == Some(&contents.archive) {
        None
    } else if new <= floor {
        refused(format!(
            "its version is {new}, and version {floor} was put in force before: a newer one is needed"
        ))
    } else if new.saturating_sub(floor) > STEP_MAX {
        refused(format!(
            "its version is {new}, too far above {floor}: there would be little room for newer ones"
        ))
    } else {
        None
    }
}

fn differences(before: Option<&Parts>, after: &Parts) -> Vec<(String, Difference)> {
    let empty = BTreeMap::new();
    let before = before.map_or(&empty, |before| &before.files);
    let after = &after.files;
    let gone = before.keys().filter(|path| !after.contains_key(*path));
    let new = after.iter().filter_map(|(path, bytes)| match before.get(path) {
        None => Some((path.clone(), Difference::Added)),
        Some(old) => (old != bytes).then(|| (path.clone(), Difference::Changed)),
    });
    let mut all: Vec<(String, Difference)> =
        gone.map(|path| (path.clone(), Difference::Removed)).chain(new).collect();
    all.sort_by(|a, b| a.0.cmp(&b.0));
    all
}

#[cfg(test)]
mod tests;
