//! Those who are trusted to sign policy: `signers.yaml` in the operator's state, never in a bundle.
//!
//! A role has a quorum and keys; a key belongs to a person and ends on a day. One person with several keys counts once.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Read;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

use abide_core::canonical::{self, CanonicalError};
use abide_core::id::Timestamp;
use abide_ledger::dsse::PublicKey;
use rustix::fs::OFlags;
use serde::{Deserialize, Serialize};

use super::proof::Proof;
use super::{Role, audience};

/// Name of the file.
pub(crate) const FILE: &str = "signers.yaml";
/// Bytes of it at most.
const BYTES_MAX: u64 = 256 << 10;

/// Why the list cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SignersError {
    /// There is none.
    #[error("nobody is trusted to sign policy: there is no `{0}`")]
    Missing(String),
    /// It cannot be read or does not make sense.
    #[error("`{file}` cannot be used: {why}")]
    Shape {
        /// The file.
        file: String,
        /// Why.
        why: String,
    },
}

impl SignersError {
    /// The code for `ab explain`.
    pub(crate) fn code(&self) -> &'static str {
        match self {
            Self::Missing(_) => "AB0257",
            Self::Shape { .. } => "AB0258",
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawSigners {
    #[serde(default)]
    audience: Option<String>,
    roles: BTreeMap<Role, RawRole>,
    #[serde(default)]
    opa: BTreeMap<String, RawSecret>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawRole {
    quorum: usize,
    keys: Vec<RawKey>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawKey {
    person: String,
    public: String,
    not_after: String,
}

/// The only algorithm that is verified.
#[derive(Deserialize)]
enum Algorithm {
    #[serde(rename = "HS256")]
    Hs256,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawSecret {
    #[serde(rename = "algorithm")]
    _algorithm: Algorithm,
    key: String,
}

/// A key that is trusted for a role.
#[derive(Debug, Clone)]
pub(crate) struct Trusted {
    /// Whose.
    pub(crate) person: String,
    /// The key.
    pub(crate) public: PublicKey,
    /// Its last day, as it is written.
    pub(crate) last_day: String,
    ends: Timestamp,
}

impl Trusted {
    /// Whether it ended.
    pub(crate) fn is_over(&self, now: Timestamp) -> bool {
        now >= self.ends
    }
}

/// The keys of a role, and how many people must sign.
#[derive(Debug, Clone, Default)]
pub(crate) struct Bench {
    /// Different people.
    pub(crate) quorum: usize,
    /// Their keys.
    pub(crate) keys: Vec<Trusted>,
}

/// Everyone who is trusted.
#[derive(Clone)]
pub(crate) struct Signers {
    /// Who this is, if bundles for others are to be refused.
    pub(crate) audience: Option<String>,
    /// By role.
    pub(crate) roles: BTreeMap<Role, Bench>,
    /// Secrets of OPA's own signatures, by the name of the key.
    pub(crate) opa: BTreeMap<String, String>,
}

/// What an activation rests upon, as it is kept beside the log: the list, without OPA's secrets, which are nobody's business there, and what was
/// checked.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kept {
    schema: String,
    roles: BTreeMap<Role, RawRole>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    audience: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    repository: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    proof: Option<Proof>,
}

/// The value of `schema` there.
const KEPT: &str = "abide.policy-signers/1";

impl std::fmt::Debug for Signers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Signers").field("roles", &self.roles).finish_non_exhaustive()
    }
}

/// Whether nobody else may change it: it belongs to this user or to root, and no others may write it.
fn only_ours(about: &fs::Metadata) -> Result<(), String> {
    belongs(about.permissions().mode(), about.uid(), rustix::process::geteuid().as_raw())
}

fn belongs(mode: u32, owner: u32, me: u32) -> Result<(), String> {
    if mode & 0o022 != 0 {
        return Err(format!("others may write it (mode {:o})", mode & 0o777));
    }
    if owner != 0 && owner != me {
        return Err(format!("it belongs to another user (uid {owner})"));
    }
    Ok(())
}

/// Why the bytes of a file cannot be relied upon.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum NotOurs {
    /// There is no such file.
    Missing,
    /// Others may have written it, or it cannot be read; in words.
    Unusable(String),
}

/// Bytes of a file that nobody else can have written, nor put there. It is opened once, and never through a link.
pub(crate) fn read_ours(file: &Path, bytes_max: u64) -> Result<Vec<u8>, NotOurs> {
    let unusable = |error: std::io::Error| NotOurs::Unusable(error.to_string());
    let flags = i32::try_from(OFlags::NOFOLLOW.bits()).unwrap_or_default();
    let opened = fs::OpenOptions::new().read(true).custom_flags(flags).open(file);
    let mut opened = opened.map_err(|error| {
        if error.kind() == std::io::ErrorKind::NotFound { NotOurs::Missing } else { unusable(error) }
    })?;
    let about = opened.metadata().map_err(unusable)?;
    if !about.is_file() {
        return Err(NotOurs::Unusable("it is no plain file".to_owned()));
    }
    only_ours(&about).map_err(|why| NotOurs::Unusable(format!("{why}: chmod go-w")))?;
    // Whoever may write into the folder may put another file in its place.
    let folder = file.parent().unwrap_or(Path::new("/"));
    let around = fs::metadata(folder).map_err(unusable)?;
    only_ours(&around)
        .map_err(|why| NotOurs::Unusable(format!("of its folder {}, {why}", folder.display())))?;
    let mut bytes = Vec::new();
    Read::by_ref(&mut opened).take(bytes_max.saturating_add(1)).read_to_end(&mut bytes).map_err(unusable)?;
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > bytes_max {
        return Err(NotOurs::Unusable(format!("it has more than {bytes_max} bytes")));
    }
    Ok(bytes)
}

impl Signers {
    /// Reads the file. What is checked is what is read: it is opened once, and never through a link.
    pub(crate) fn open(file: &Path) -> Result<Self, SignersError> {
        let shown = file.display().to_string();
        let shape = |why: String| SignersError::Shape { file: shown.clone(), why };
        let bytes = read_ours(file, BYTES_MAX).map_err(|error| match error {
            NotOurs::Missing => SignersError::Missing(shown.clone()),
            NotOurs::Unusable(why) => shape(why),
        })?;
        Self::parse(&bytes).map_err(shape)
    }

    /// Reads its text.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, String> {
        let text = std::str::from_utf8(bytes).map_err(|_| "it is not UTF-8".to_owned())?;
        let options = serde_saphyr::options! {
            budget: serde_saphyr::budget! { max_aliases: 0, max_anchors: 0, max_depth: 8 },
        };
        let raw: RawSigners = serde_saphyr::from_str_with_options(text, options)
            .map_err(|error| error.without_snippet().to_string().chars().take(300).collect::<String>())?;
        let roles = roles_of(raw.roles)?;
        let audience = audience_of(raw.audience)?;
        let opa = raw.opa.into_iter().map(|(name, secret)| (name, secret.key)).collect();
        Ok(Self { audience, roles, opa })
    }

    /// The list as it is kept beside the log, with what was checked.
    pub(crate) fn kept(
        &self,
        repository: Option<&str>,
        proof: Option<&Proof>,
    ) -> Result<Vec<u8>, CanonicalError> {
        let key = |key: &Trusted| RawKey {
            person: key.person.clone(),
            public: key.public.to_string(),
            not_after: key.last_day.clone(),
        };
        let bench =
            |bench: &Bench| RawRole { quorum: bench.quorum, keys: bench.keys.iter().map(key).collect() };
        let roles = self.roles.iter().map(|(role, found)| (*role, bench(found))).collect();
        canonical::jcs(&Kept {
            schema: KEPT.to_owned(),
            roles,
            audience: self.audience.clone(),
            repository: repository.map(str::to_owned),
            proof: proof.cloned(),
        })
    }

    /// Reads a list that was kept beside a log, as strictly as the file. The error is a sentence.
    pub(crate) fn of_record(bytes: &[u8]) -> Result<Recorded, String> {
        let unusable = |why: String| format!("its list of signers cannot be used: {why}");
        abide_gate::source::plain_json(bytes).map_err(unusable)?;
        let kept: Kept = serde_json::from_slice(bytes).map_err(|error| unusable(error.to_string()))?;
        if kept.schema != KEPT {
            return Err(unusable(format!("its schema is not `{KEPT}`")));
        }
        let roles = roles_of(kept.roles).map_err(unusable)?;
        let audience = audience_of(kept.audience).map_err(unusable)?;
        let signers = Self { audience, roles, opa: BTreeMap::new() };
        Ok(Recorded { signers, repository: kept.repository, proof: kept.proof })
    }
}

/// What an activation rested upon.
#[derive(Debug)]
pub(crate) struct Recorded {
    /// Who was trusted.
    pub(crate) signers: Signers,
    /// Name of the repository.
    pub(crate) repository: Option<String>,
    /// What was checked.
    pub(crate) proof: Option<Proof>,
}

fn audience_of(raw: Option<String>) -> Result<Option<String>, String> {
    match raw {
        Some(name) if !audience::is_name(&name) || name.contains('/') => Err(
            "`audience` is 1 to 64 lower-case letters, digits, `.`, `_` and `-`; a bundle may add `/REPOSITORY`".to_owned(),
        ),
        audience => Ok(audience),
    }
}

fn roles_of(raw: BTreeMap<Role, RawRole>) -> Result<BTreeMap<Role, Bench>, String> {
    let mut roles = BTreeMap::new();
    for (role, bench) in raw {
        roles.insert(role, bench_of(role, bench).map_err(|why| format!("role `{role}`: {why}"))?);
    }
    // A list that is about workers alone trusts nobody with policy; one that is about policy has both.
    let about_policy = roles.keys().any(|role| *role != Role::Worker) || roles.is_empty();
    let missing =
        [Role::Rules, Role::Hard].into_iter().find(|role| about_policy && !roles.contains_key(role));
    if let Some(role) = missing {
        return Err(format!("there is no role `{role}`"));
    }
    owners(&roles)?;
    Ok(roles)
}

fn bench_of(role: Role, raw: RawRole) -> Result<Bench, String> {
    let least = role.quorum_min();
    if raw.quorum < least {
        return Err(format!("its quorum is {}, and the least is {least}", raw.quorum));
    }
    let keys = raw.keys.into_iter().map(key_of).collect::<Result<Vec<_>, _>>()?;
    let people: BTreeSet<&str> = keys.iter().map(|key| key.person.as_str()).collect();
    if people.len() < raw.quorum {
        return Err(format!(
            "its quorum of {} cannot be met: it has keys of {} people",
            raw.quorum,
            people.len()
        ));
    }
    Ok(Bench { quorum: raw.quorum, keys })
}

fn key_of(raw: RawKey) -> Result<Trusted, String> {
    let person = raw.person;
    if !is_person(&person) {
        return Err(
            "a person is named in 1 to 100 lower-case letters, digits, `.`, `_`, `@` and `-`".to_owned()
        );
    }
    let public = raw.public.parse().map_err(|error| format!("the public key of `{person}`: {error}"))?;
    let ends = end_of(&raw.not_after).ok_or_else(|| {
        format!(
            "`not_after` of `{person}` is `{}`, and not a day such as 2027-12-31",
            abide_core::safe_text::line(&raw.not_after)
        )
    })?;
    Ok(Trusted { person, public, last_day: raw.not_after, ends })
}

/// Whether a text names a person: one spelling for each, so that nobody counts twice.
pub(crate) fn is_person(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._@-".contains(&byte);
    (1..=100).contains(&text.len()) && text.bytes().all(plain) && !text.starts_with(['.', '-'])
}

/// The end of a day, UTC.
pub(crate) fn end_of(day: &str) -> Option<Timestamp> {
    let date: jiff::civil::Date = day.parse().ok()?;
    // One spelling: `parse` takes a time behind the day, too.
    if date.to_string() != day {
        return None;
    }
    let next = date.tomorrow().ok()?.to_zoned(jiff::tz::TimeZone::UTC).ok()?;
    u64::try_from(next.timestamp().as_millisecond()).ok().map(Timestamp)
}

/// A key is one person's; and those who sign invariants sign nothing else, so that nobody alone alters a rule and what must hold of it.
fn owners(roles: &BTreeMap<Role, Bench>) -> Result<(), String> {
    let mut known: BTreeMap<String, &str> = BTreeMap::new();
    for (role, bench) in roles {
        let mut own = BTreeSet::new();
        for key in &bench.keys {
            let id = key.public.id();
            if !own.insert(id.clone()) {
                return Err(format!("role `{role}` has a key of `{}` twice", key.person));
            }
            if let Some(person) = known.insert(id, &key.person).filter(|person| *person != key.person) {
                return Err(format!("`{person}` and `{}` have the same key", key.person));
            }
        }
    }
    let people = |role: &Role| {
        roles.get(role).into_iter().flat_map(|bench| &bench.keys).map(|key| key.person.as_str())
    };
    let others: BTreeSet<&str> = people(&Role::Rules).chain(people(&Role::Hard)).collect();
    match people(&Role::Invariants).find(|person| others.contains(person)) {
        Some(person) => {
            Err(format!("`{person}` is trusted for invariants and for rules: that takes different people"))
        }
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests;
