//! Which walls stand on this host, and how far autonomy may go with them. Honest: a wall that does not stand lowers the level.

use std::os::unix::fs::MetadataExt as _;

use crate::home::State;

/// One wall.
#[derive(Debug, Clone)]
pub(crate) struct Wall {
    /// Its name.
    pub(crate) name: &'static str,
    /// Whether it stands.
    pub(crate) stands: bool,
    /// What that means, for a person.
    pub(crate) what: String,
}

/// The walls of this host.
#[derive(Debug, Clone)]
pub(crate) struct Walls {
    /// Each wall, in the order of `ab doctor`.
    pub(crate) all: Vec<Wall>,
    single_user: bool,
}

impl Walls {
    /// Looks at the host.
    pub(crate) fn of_host(state: &State) -> Self {
        let me = rustix::process::geteuid().as_raw();
        let owner = std::fs::metadata(&state.repository.git_dir).map_or(me, |meta| meta.uid());
        let single_user = owner == me;
        let identity = if single_user {
            "the repository belongs to this user: approvals and hooks are advisory against code running as you".to_owned()
        } else {
            format!("the repository belongs to uid {owner}, ab runs as {me}")
        };
        let all = vec![
            Wall {
                name: "capabilities",
                stands: true,
                what: "workers are components; nothing that writes is linked".to_owned(),
            },
            Wall { name: "identity", stands: !single_user, what: identity },
        ];
        Self { all, single_user }
    }

    /// Highest autonomy level (0 to 5) that these walls support.
    pub(crate) fn level_max(&self) -> u8 {
        if self.single_user { 4 } else { 5 }
    }

    /// Whether one user owns everything.
    pub(crate) fn single_user(&self) -> bool {
        self.single_user
    }
}
