//! A bare repository with the real hooks in it, and a stand-in for `ab` that is this very test program: git calls the shell file, the shell
//! file calls the program, and the program calls [`super::update`] and [`super::transaction`] with records that lie in a file.

use std::path::PathBuf;

use super::*;
use crate::forge::Repo;
use crate::trial::{Said, Sandpit, repo_id};

/// What `main` of the program does when a hook calls it. Otherwise an empty test.
#[test]
#[expect(
    clippy::disallowed_methods,
    clippy::exit,
    reason = "this plays the shell, which reads its environment and ends with a status"
)]
fn as_ab() {
    let Ok(arguments) = std::env::var("TRIAL_AB") else { return };
    let words: Vec<&str> = arguments.split('\n').collect();
    let state = PathBuf::from(words[3]);
    let judge = |spend: bool| {
        move |claim: &RefMove| {
            let line = format!("{} {} {}", claim.name, claim.old, claim.new);
            let records = std::fs::read_to_string(state.join("records")).unwrap();
            let (spent, left): (Vec<&str>, Vec<&str>) = records.lines().partition(|record| *record == line);
            if spent.is_empty() {
                return Err(Refusal::new("AB0420", "no recorded merge decision").help("try: ab propose"));
            }
            if spend {
                std::fs::write(state.join("records"), left.join("\n")).unwrap();
            }
            Ok(())
        }
    };
    let repo = Repo::open(std::path::Path::new("."), repo_id());
    let verdict = repo.map_err(Refusal::from).and_then(|repo| match words.as_slice() {
        [_, "update", _, _, _, name, old, new] => update(&repo, name, old, new, &judge(false)),
        [_, "reference-transaction", _, _, _, phase] => {
            let mut input = Vec::new();
            std::io::Read::read_to_end(&mut std::io::stdin(), &mut input).unwrap();
            transaction(&repo, phase, &input, &judge(true))
        }
        other => panic!("{other:?}"),
    });
    if let Err(refusal) = verdict {
        std::io::Write::write_all(&mut std::io::stderr(), format!("{refusal}\n").as_bytes()).unwrap();
        std::process::exit(3);
    }
    std::process::exit(0);
}

/// `work`, a clone with a branch ahead, and `bare.git`, guarded.
pub(super) struct Guarded {
    pub(super) pit: Sandpit,
    pub(super) git: &'static str,
}

impl Guarded {
    pub(super) fn new(git: &'static str) -> Self {
        let pit = Sandpit::seeded();
        pit.write("docs/a.md", "second\n");
        pit.commit("second");
        assert!(pit.git_in(".", &["clone", "-q", "--bare", "work", "bare.git"]).ok);
        pit.write("docs/a.md", "third\n");
        pit.commit("third");
        let guarded = Self { pit, git };
        std::fs::create_dir_all(guarded.state()).unwrap();
        std::fs::write(guarded.state().join("records"), "").unwrap();
        guarded.write_ab();
        install(&guarded.bare(), &guarded.ab(), &guarded.state()).unwrap();
        guarded
    }

    fn write_ab(&self) {
        let me = std::env::current_exe().unwrap();
        let script = format!(
            "#!/bin/sh\nTRIAL_AB=$(printf '%s\\n' \"$@\")\nexport TRIAL_AB\nexec '{}' --exact hook::trial::as_ab --nocapture\n",
            me.display()
        );
        std::fs::write(self.ab(), script).unwrap();
        std::fs::set_permissions(self.ab(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    }

    pub(super) fn bare(&self) -> PathBuf {
        self.pit.root().join("bare.git")
    }
    pub(super) fn state(&self) -> PathBuf {
        self.pit.root().join("state of it's")
    }
    pub(super) fn ab(&self) -> PathBuf {
        self.pit.root().join("ab")
    }

    /// Records that `main` may go from where it is to `revision` of the clone.
    pub(super) fn allow(&self, name: &str, old: &str, new: &str) {
        std::fs::write(self.state().join("records"), format!("{name} {old} {new}\n")).unwrap();
    }

    pub(super) fn records(&self) -> String {
        std::fs::read_to_string(self.state().join("records")).unwrap()
    }

    /// Runs the git under test in `folder` through a shell, as a person would type it. `$G` is git, `$B` the bare repository.
    pub(super) fn type_in(&self, folder: &str, line: &str) -> Said {
        let line = format!("G='{}'; B='{}'; {line}", self.git, self.bare().display());
        self.pit.run(&self.pit.root().join(folder), "/bin/sh", &["-c", &line])
    }

    /// Every reference with its value, and `HEAD`.
    pub(super) fn refs(&self) -> String {
        let refs =
            self.pit.git_in("bare.git", &["for-each-ref", "--format=%(refname) %(objectname) %(symref)"]).out;
        format!("{}{refs}", std::fs::read_to_string(self.bare().join("HEAD")).unwrap())
    }
}
