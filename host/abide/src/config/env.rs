//! Every environment variable that `ab` reads, read once.

use std::collections::BTreeMap;
use std::path::PathBuf;

/// Where state is kept, instead of the XDG state folder.
pub(crate) const HOME: &str = "ABIDE_HOME";
/// Who acts, instead of the login name.
pub(crate) const ACTOR: &str = "ABIDE_ACTOR";
/// What is logged to stderr, in the syntax of `tracing-subscriber`'s `EnvFilter`.
pub(crate) const LOG: &str = "ABIDE_LOG";

/// Workers and the sealed judge are interpreted, as with `--no-exec`.
pub(crate) const NO_EXEC: &str = "ABIDE_NO_EXEC";

/// Where a drill lets the process die, as `before:N` or `after:N` events in the log. Read by debug builds only.
const DRILL: &str = "ABIDE_DRILL_DIE";

/// Before an event is written (what it tells of has happened), or after.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Moment {
    /// The deed is done, its event is not written.
    Before,
    /// The event is written, nothing follows.
    After,
}

/// A crash drill.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Drill {
    /// Before or after writing.
    pub(crate) moment: Moment,
    /// Events in the log.
    pub(crate) size: u64,
}

impl Drill {
    fn parse(text: &str) -> Option<Self> {
        let (moment, size) = text.split_once(':')?;
        let moment = match moment {
            "before" => Moment::Before,
            "after" => Moment::After,
            _ => return None,
        };
        Some(Self { moment, size: size.parse().ok()? })
    }
}

/// The environment as `ab` sees it.
#[derive(Debug, Clone)]
pub(crate) struct Env {
    /// [`HOME`], or the XDG state folder.
    pub(crate) home: Option<PathBuf>,
    /// [`ACTOR`], or the login name: of the environment, else of the system's user database.
    pub(crate) actor: String,
    /// [`LOG`].
    pub(crate) log: Option<String>,
    /// Whether code is interpreted: [`NO_EXEC`], `--no-exec`, or the policy in force.
    pub(crate) no_exec: bool,
    /// `PATH` for checks and probes.
    pub(crate) path: String,
    /// Where to die, for drills.
    pub(crate) drill: Option<Drill>,
}

impl Env {
    /// Reads the environment.
    pub(crate) fn read() -> Self {
        let state = || {
            var("XDG_STATE_HOME")
                .map(PathBuf::from)
                .or_else(|| var("HOME").map(|home| PathBuf::from(home).join(".local/state")))
        };
        Self {
            home: var(HOME).map(PathBuf::from).or_else(|| state().map(|state| state.join("abide"))),
            actor: var(ACTOR)
                .or_else(|| var("USER"))
                .or_else(|| var("LOGNAME"))
                .or_else(login)
                .unwrap_or_else(|| "unknown".to_owned()),
            log: var(LOG),
            no_exec: false,
            drill: var(DRILL).filter(|_| cfg!(debug_assertions)).and_then(|text| Drill::parse(&text)),
            path: var("PATH").unwrap_or_else(|| "/usr/bin:/bin".to_owned()),
        }
    }
}

impl Env {
    /// The variables called `names` that are set.
    #[expect(clippy::unused_self, reason = "the environment is read through this type alone")]
    pub(crate) fn picked<'n>(&self, names: impl IntoIterator<Item = &'n String>) -> BTreeMap<String, String> {
        names.into_iter().filter_map(|name| Some((name.clone(), var(name)?))).collect()
    }
}

/// The name of the user that runs this process, as the system's user database has it.
fn login() -> Option<String> {
    let user = nix::unistd::User::from_uid(nix::unistd::Uid::current()).ok()??;
    Some(user.name).filter(|name| !name.is_empty())
}

fn var(name: &str) -> Option<String> {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the environment")]
    std::env::var(name).ok().filter(|value| !value.is_empty())
}
