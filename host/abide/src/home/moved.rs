//! A repository whose folder was moved: its state is found again by what the log knows of it, never by a name alone.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use abide_core::event::Body;
use abide_core::id::{Oid, RepoId};
use abide_effects::forge::Repo;

use super::{FILE, Home, Registered, State};
use crate::report::{Exit, Failure};
use crate::wiring;

impl Home {
    /// States whose repository is not any more where it was.
    pub(crate) fn gone(&self) -> Vec<State> {
        let entries = fs::read_dir(&self.0).into_iter().flatten().flatten();
        let mut gone: Vec<State> = entries
            .filter_map(|entry| State::open(&entry.path()).ok())
            .filter(|state| !state.repository.git_dir.exists())
            .collect();
        gone.sort_by(|a, b| a.folder.cmp(&b.folder));
        gone
    }

    /// The state that was left behind by `repo`, if one of those that are gone knows a commit of it.
    pub(crate) fn left_behind(&self, repo: &Repo) -> Option<State> {
        self.gone().into_iter().find(|state| state.knows(repo).unwrap_or(false))
    }

    /// Takes the state called `name` along to `git_dir`, where the repository lies now.
    pub(crate) fn move_to(&self, name: &RepoId, repo: &Repo, git_dir: &Path) -> Result<State, Failure> {
        let state = self.named(name)?;
        let was = &state.repository.git_dir;
        let refused = |why: String| {
            Failure::new("AB0048", why)
                .help("ab init --name NAME begins a log of its own; ABIDE_HOME says where states lie")
                .exit(Exit::Usage)
        };
        if was == git_dir {
            return Ok(state);
        }
        if was.exists() {
            return Err(refused(format!("`{name}` did not move: it is still at {}", was.display())));
        }
        if !state.knows(repo)? {
            return Err(refused(format!("no commit that the log of `{name}` knows is in this repository")));
        }
        let registered = Registered { git_dir: git_dir.to_owned(), ..state.repository };
        let text = serde_json::to_vec_pretty(&registered).map_err(|error| Failure::of("AB0004", error))?;
        let fault = |error| Failure::of("AB0004", error).help(format!("{FILE} could not be written"));
        let mode = fs::Permissions::from_mode(0o600);
        let mut file =
            tempfile::Builder::new().permissions(mode).tempfile_in(&state.folder).map_err(fault)?;
        file.write_all(&text).and_then(|()| file.as_file().sync_all()).map_err(fault)?;
        file.persist(state.folder.join(FILE)).map_err(|error| fault(error.error))?;
        Ok(State { folder: state.folder, repository: registered })
    }
}

impl State {
    /// Whether the log tells of a commit that `repo` has. A log without runs knows nothing.
    fn knows(&self, repo: &Repo) -> Result<bool, Failure> {
        let log = wiring::log(wiring::ledger(self)?, None);
        let started = log.of_kinds(&["RunStarted"])?;
        let bases = started.iter().rev().filter_map(|(_, event)| {
            let Body::RunStarted(started) = &event.body else { return None };
            Some(&started.base)
        });
        let has = |base: &Oid| repo.commit(base).is_ok();
        Ok(bases.take(16).any(has))
    }
}
