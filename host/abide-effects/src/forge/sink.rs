//! Moving one reference: the last step of every hand that changes history. Compare-and-swap under the reference's own lock.

use abide_core::id::{Oid, RefName};

use super::fault::{GitFault, ours, theirs};

/// LIMIT: how often and how long apart a lock that is held is asked for.
const LOCK_TRIES: u32 = 10;
const LOCK_PAUSE: std::time::Duration = std::time::Duration::from_millis(10);

/// A reference that is to move.
pub(super) struct Move<'a> {
    pub(super) name: &'a RefName,
    /// Where it must stand; zero if it must not exist.
    pub(super) expected: &'a Oid,
    pub(super) new: &'a Oid,
    pub(super) by: &'a git2::Signature<'a>,
    /// For the reflog.
    pub(super) message: &'a str,
}

/// Why it did not move.
#[derive(Debug)]
pub(super) enum MoveError<E> {
    /// It stands elsewhere; zero if it does not exist.
    Moved { found: Oid },
    /// It is a symbolic reference.
    Symbolic,
    /// Somebody else holds its lock.
    Locked,
    /// The last look before the move said no.
    Refused(E),
    /// libgit2 failed.
    Git(GitFault),
}

impl<E> From<GitFault> for MoveError<E> {
    fn from(fault: GitFault) -> Self {
        Self::Git(fault)
    }
}

impl Move<'_> {
    /// Locks the reference, compares it, asks `last_look`, and only then moves it. Nothing can move it in between.
    pub(super) fn perform<E>(
        &self,
        git: &git2::Repository,
        last_look: impl FnOnce() -> Result<(), E>,
    ) -> Result<(), MoveError<E>> {
        if self.expected.is_zero() {
            return self.create(git, last_look);
        }
        let mut transaction = git.transaction().map_err(GitFault::of("begin a reference transaction"))?;
        self.lock(&mut transaction)?;
        let found = self.standing(git)?;
        if found != *self.expected {
            return Err(MoveError::Moved { found });
        }
        last_look().map_err(MoveError::Refused)?;
        self.ensure_log(git, &mut transaction)?;
        transaction
            .set_target(self.name.as_str(), theirs(self.new)?, Some(self.by), self.message)
            .map_err(GitFault::of("move a reference"))?;
        transaction.commit().map_err(GitFault::of("move a reference"))?;
        Ok(())
    }

    /// Another process may hold the lock for the blink of a move. git waits a tenth of a second too (`core.filesRefLockTimeout`).
    fn lock<E>(&self, transaction: &mut git2::Transaction<'_>) -> Result<(), MoveError<E>> {
        for _ in 0..LOCK_TRIES {
            match transaction.lock_ref(self.name.as_str()) {
                Ok(()) => return Ok(()),
                Err(error) if error.code() == git2::ErrorCode::Locked => std::thread::sleep(LOCK_PAUSE),
                Err(source) => return Err(GitFault { doing: "lock a reference", source }.into()),
            }
        }
        Err(MoveError::Locked)
    }

    fn create<E>(
        &self,
        git: &git2::Repository,
        last_look: impl FnOnce() -> Result<(), E>,
    ) -> Result<(), MoveError<E>> {
        let found = self.standing(git)?;
        if !found.is_zero() {
            return Err(MoveError::Moved { found });
        }
        last_look().map_err(MoveError::Refused)?;
        match git.reference(self.name.as_str(), theirs(self.new)?, false, self.message) {
            Ok(_) => Ok(()),
            Err(error) if error.code() == git2::ErrorCode::Exists => {
                Err(MoveError::Moved { found: self.standing(git)? })
            }
            Err(error) if error.code() == git2::ErrorCode::Locked => Err(MoveError::Locked),
            Err(error) => Err(GitFault { doing: "create a reference", source: error }.into()),
        }
    }

    /// A bare repository keeps no reflog unless told to; libgit2 follows that even where a log exists. Ours is always written.
    fn ensure_log(
        &self,
        git: &git2::Repository,
        transaction: &mut git2::Transaction<'_>,
    ) -> Result<(), GitFault> {
        let fault = || GitFault::of("write the log of a reference");
        let wanted = git.config().and_then(|config| config.get_string("core.logallrefupdates"));
        let kept = wanted.map_or(!git.is_bare(), |value| !matches!(&*value, "false" | "no" | "off" | "0"));
        if kept {
            return Ok(());
        }
        let mut log = git.reflog(self.name.as_str()).map_err(fault())?;
        if log.is_empty() {
            log.append(theirs(self.expected)?, self.by, Some("ab: the log begins here")).map_err(fault())?;
        }
        log.append(theirs(self.new)?, self.by, Some(self.message)).map_err(fault())?;
        transaction.set_reflog(self.name.as_str(), log).map_err(fault())
    }

    fn standing<E>(&self, git: &git2::Repository) -> Result<Oid, MoveError<E>> {
        match git.find_reference(self.name.as_str()) {
            Ok(reference) => reference.target().map(ours).ok_or(MoveError::Symbolic),
            Err(error) if error.code() == git2::ErrorCode::NotFound => Ok(Oid::zero()),
            Err(error) => Err(GitFault { doing: "read a reference", source: error }.into()),
        }
    }
}

/// Who moves references and commits on behalf of the engine.
pub(super) fn engine(time_s: i64) -> Result<git2::Signature<'static>, GitFault> {
    git2::Signature::new("abide", "engine@abide.invalid", &git2::Time::new(time_s, 0))
        .map_err(GitFault::of("sign as the engine"))
}

/// Milliseconds since 1970 in git's seconds.
pub(super) fn seconds(time: abide_core::id::Timestamp) -> i64 {
    i64::try_from(time.0 / 1000).unwrap_or(i64::MAX)
}
