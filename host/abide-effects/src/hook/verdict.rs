//! May these references move? Denied unless a record says so; what changes nothing (packing references) is let through.

use std::fmt;

use abide_core::id::{Oid, RefName};

use super::protocol::{self, Phase, ProtocolError, RefUpdate, Value};
use crate::forge::{Repo, RepoError};

/// A reference that would move.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct RefMove {
    /// The reference.
    pub name: RefName,
    /// Where it stands; zero if it does not exist.
    pub old: Oid,
    /// Where it would stand; zero if it would be deleted.
    pub new: Oid,
}

/// Why nothing moves. A value for the pusher to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The code for `ab explain`.
    pub code: String,
    /// One sentence.
    pub why: String,
    /// What to do next.
    pub help: Option<String>,
    /// The reference, and its sides as git gave them.
    pub about: Option<Box<RefUpdate>>,
}

impl Refusal {
    /// A refusal for `why`.
    pub fn new(code: &str, why: impl Into<String>) -> Self {
        Self { code: code.to_owned(), why: why.into(), help: None, about: None }
    }

    /// The same with advice.
    #[must_use]
    pub fn help(self, help: impl Into<String>) -> Self {
        Self { help: Some(help.into()), ..self }
    }

    fn about(self, update: &RefUpdate) -> Self {
        Self { about: Some(Box::new(update.clone())), ..self }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("abide: refused")?;
        if let Some(RefUpdate { name, old, new }) = self.about.as_deref() {
            write!(
                f,
                " {} {}→{}",
                name.escape_default(),
                old.short().escape_default(),
                new.short().escape_default()
            )?;
        }
        write!(f, ": {}   [{}]", self.why, self.code)?;
        match &self.help {
            Some(help) => write!(f, "\n  {help}"),
            None => Ok(()),
        }
    }
}

impl From<ProtocolError> for Refusal {
    fn from(error: ProtocolError) -> Self {
        Self::new("AB0305", format!("git said something that is not understood: {error}"))
    }
}

impl From<RepoError> for Refusal {
    fn from(error: RepoError) -> Self {
        Self::new(error.code(), format!("the repository cannot be read: {error}"))
    }
}

/// Asks whether a record lets a reference move. In [`transaction`] it also uses the record up.
pub type Allow<'a> = &'a dyn Fn(&RefMove) -> Result<(), Refusal>;

/// The `update` hook: one reference of a push, before anything is locked. `check` must not use anything up; [`transaction`] follows.
pub fn update(repo: &Repo, name: &str, old: &str, new: &str, check: Allow<'_>) -> Result<(), Refusal> {
    let update = RefUpdate { name: name.to_owned(), old: Value::parse(old)?, new: Value::parse(new)? };
    match net_move(repo, &update)? {
        Some(claim) => check(&claim).map_err(|refusal| refusal.about(&update)),
        None => Ok(()),
    }
}

/// The `reference-transaction` hook. In the phase `prepared` every reference is locked: `consume` uses the record up, and if the
/// transaction is then given up by somebody else, the record stays used and the change has to pass the gate again.
///
/// A transaction may move one reference, so that no record is used up for a move that another reference's refusal prevents.
pub fn transaction(repo: &Repo, phase: &str, input: &[u8], consume: Allow<'_>) -> Result<(), Refusal> {
    match Phase::parse(phase)? {
        Phase::Prepared => {}
        // Before the locks nothing is settled, and after the deed nothing can be stopped.
        Phase::Preparing | Phase::Committed | Phase::Aborted => return Ok(()),
    }
    let updates = protocol::parse(input)?;
    let mut moves = Vec::new();
    for update in &updates {
        if !mirrors(repo, update, &updates)? {
            moves.extend(net_move(repo, update)?.map(|claim| (claim, update)));
        }
    }
    match moves.as_slice() {
        [] => Ok(()),
        [(claim, update)] => consume(claim).map_err(|refusal| refusal.about(update)),
        [_, (_, second), ..] => Err(Refusal::new("AB0303", "one transaction may move one reference")
            .help("push one reference at a time, without `--atomic`")
            .about(second)),
    }
}

/// Whether `update` is the entry for the log of `HEAD` that git adds when the branch moves that `HEAD` names.
fn mirrors(repo: &Repo, update: &RefUpdate, all: &[RefUpdate]) -> Result<bool, Refusal> {
    if update.name != "HEAD" {
        return Ok(false);
    }
    let Some(branch) = repo.head_branch()? else { return Ok(false) };
    Ok(all
        .iter()
        .any(|other| other.name == branch.as_str() && other.new == update.new && other.old == update.old))
}

/// The move that `update` amounts to; `None` if the reference means the same afterwards.
fn net_move(repo: &Repo, update: &RefUpdate) -> Result<Option<RefMove>, Refusal> {
    let refuse = |code: &str, why: &str| Refusal::new(code, why).about(update);
    let (Value::Object(old), Value::Object(new)) = (&update.old, &update.new) else {
        return Err(refuse("AB0304", "a symbolic reference cannot be made or changed here"));
    };
    let Ok(name) = update.name.parse::<RefName>() else {
        // git clears pseudo-references such as `AUTO_MERGE` that were never there.
        let nothing = old.is_zero() && new.is_zero() && !repo.common_dir().join(&update.name).exists();
        return if nothing { Ok(None) } else { Err(refuse("AB0304", "only branches move here")) };
    };
    // The old side is zero both for "must not exist" and for "whatever it is": what counts is what stands there, locked.
    let standing =
        repo.find(&name).map_err(|error| Refusal::from(error).about(update))?.unwrap_or_else(Oid::zero);
    if *new == standing || (new.is_zero() && only_the_loose_copy_goes(repo, &name, &standing)) {
        return Ok(None);
    }
    if !old.is_zero() && *old != standing {
        return Err(refuse("AB0305", "the reference does not stand where git says"));
    }
    if !name.as_str().starts_with("refs/heads/") {
        return Err(refuse(
            "AB0304",
            "only branches move here, not tags, notes, replacements or other references",
        ));
    }
    if new.is_zero() {
        return Err(refuse("AB0304", "a branch cannot be deleted here"));
    }
    Ok(Some(RefMove { name, old: standing, new: new.clone() }))
}

/// Whether deleting the file of the reference leaves its value in `packed-refs`: the second half of `git pack-refs`.
///
/// A real deletion holds the lock of `packed-refs` at this point, to take the value out there too; observed with git 2.39 and 2.47.
fn only_the_loose_copy_goes(repo: &Repo, name: &RefName, standing: &Oid) -> bool {
    let packed = repo.common_dir().join("packed-refs");
    if repo.common_dir().join("packed-refs.lock").exists() {
        return false;
    }
    let Ok(text) = std::fs::read(packed) else { return false };
    let wanted = format!("{standing} {name}");
    text.split(|byte| *byte == b'\n').any(|line| line == wanted.as_bytes())
}

#[cfg(test)]
mod tests;
