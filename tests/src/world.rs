//! A small world: a real git repository in a temporary folder, state beside it, and the `ab` binary run on both.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use crate::sealed;

/// A repository with its state.
#[derive(Debug)]
pub struct World {
    folder: TempDir,
    repo: PathBuf,
}

/// What a command said.
#[derive(Debug)]
pub struct Said {
    /// Exit status; -1 after a signal.
    pub code: i32,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

impl Said {
    /// Asserts the exit status; shows everything where it differs.
    #[track_caller]
    pub fn exits(self, code: i32) -> Self {
        assert_eq!(
            self.code, code,
            "exit {} instead of {code}\n-- stdout\n{}\n-- stderr\n{}",
            self.code, self.out, self.err
        );
        self
    }

    /// Asserts that stdout or stderr holds `text`.
    #[track_caller]
    pub fn says(self, text: &str) -> Self {
        assert!(
            self.out.contains(text) || self.err.contains(text) || unwrapped(&self.err).contains(text),
            "`{text}` is not said\n-- stdout\n{}\n-- stderr\n{}",
            self.out,
            self.err
        );
        self
    }

    /// The one JSON object on stdout.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(self.out.trim())
            .unwrap_or_else(|error| panic!("{error}\n{}\n{}", self.out, self.err))
    }
}

/// `ab.yml` of most worlds: documentation may merge by itself.
pub const AB_YML: &str = "autonomy_profile: prod-conservative\nautonomy_max: A3\nchecks:\n  - {name: quick, run: [\"true\"], timeout: 10s}\n";

/// The `ab` binary: `ABIDE_AB`, or the one of this profile's target folder.
pub fn ab() -> PathBuf {
    std::env::var_os("ABIDE_AB").map_or_else(
        || {
            let test = std::env::current_exe().unwrap();
            test.ancestors().nth(2).unwrap().join("ab")
        },
        PathBuf::from,
    )
}

impl World {
    /// A repository with `files` in its first commit on `main`, ready for `ab`.
    pub fn new(files: &[(&str, &str)]) -> Self {
        let world = Self::bare_of_ab(files);
        world.ab(&["init", "--name", "world"]).exits(0);
        // What `ab init` wrote is committed, as it tells its user to do.
        world.commit("Use Abide");
        world
    }

    /// The same, before `ab init`.
    pub fn bare_of_ab(files: &[(&str, &str)]) -> Self {
        let folder = tempfile::Builder::new().prefix("abide-world-").tempdir().unwrap();
        let repo = folder.path().join("repo");
        fs::create_dir(&repo).unwrap();
        let world = Self { folder, repo };
        sealed::hand_over(&world.home());
        world.git(&["init", "--quiet", "--initial-branch=main"]);
        for (path, text) in files {
            world.write(path, text.as_bytes());
        }
        if !files.is_empty() {
            world.commit("Begin");
        }
        world
    }

    /// The work tree.
    pub fn repo(&self) -> &Path {
        &self.repo
    }

    /// A path beside the repository.
    pub fn beside(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Where state is kept.
    pub fn home(&self) -> PathBuf {
        self.beside("home")
    }

    /// Writes a file of the work tree.
    pub fn write(&self, path: &str, bytes: &[u8]) {
        let file = self.repo.join(path);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, bytes).unwrap();
    }

    /// Commits everything.
    pub fn commit(&self, message: &str) -> String {
        self.git(&["add", "--force", "--all"]);
        self.git(&["commit", "--quiet", "--allow-empty", "--message", message]);
        self.head("main")
    }

    /// Where a branch stands.
    pub fn head(&self, branch: &str) -> String {
        self.git(&["rev-parse", &format!("refs/heads/{branch}")]).trim().to_owned()
    }

    /// Runs git in the work tree; it must succeed.
    #[track_caller]
    pub fn git(&self, args: &[&str]) -> String {
        let said = self.try_git(&self.repo, args);
        assert_eq!(said.code, 0, "git {args:?}: {}", said.err);
        said.out
    }

    /// Runs git in a folder.
    pub fn try_git(&self, at: &Path, args: &[&str]) -> Said {
        let mut command = self.command(Path::new("git"));
        said(command.arg("-C").arg(at).args(args).output().unwrap())
    }

    /// Runs `ab` in the work tree.
    pub fn ab(&self, args: &[&str]) -> Said {
        self.ab_at(&self.repo, args, &[])
    }

    /// Runs `ab` with more environment.
    pub fn ab_at(&self, at: &Path, args: &[&str], env: &[(&str, &str)]) -> Said {
        let mut command = self.command(&ab());
        command.current_dir(at).args(args).envs(env.iter().copied());
        said(command.output().unwrap())
    }

    /// A command in this world's environment and no other.
    pub fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.env_clear().stdin(Stdio::null());
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default()).env("HOME", self.beside("user"));
        command.env("ABIDE_HOME", self.home()).env("ABIDE_ACTOR", "sponsor").env("NO_COLOR", "1");
        for role in ["AUTHOR", "COMMITTER"] {
            command
                .env(format!("GIT_{role}_NAME"), "developer")
                .env(format!("GIT_{role}_EMAIL"), "developer@example.org");
        }
        command.env("GIT_CONFIG_NOSYSTEM", "1").env("GIT_CONFIG_GLOBAL", "/dev/null");
        command
    }

    /// A ticket that edits one file.
    pub fn edit(&self, path: &str, old: Option<&str>, new: &str) -> String {
        let quoted = |text: &str| serde_json::to_string(text).unwrap();
        let how = match old {
            Some(old) => {
                format!("recipe: replace-text\nparams:\n  old: {}\n  new: {}\n", quoted(old), quoted(new))
            }
            None => format!("recipe: edit-file\nparams:\n  text: {}\n", quoted(new)),
        };
        let text = format!("---\n{how}  path: {}\n---\nEdit one file for the test\n", quoted(path));
        let file = self.beside(&format!("ticket-{}.md", path.replace('/', "-")));
        fs::write(&file, text).unwrap();
        file.to_string_lossy().into_owned()
    }

    /// Events of the log, oldest first.
    pub fn log(&self) -> Vec<Value> {
        let said = self.ab(&["--json", "audit", "log"]).exits(0);
        said.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// Kinds of the events, oldest first.
    pub fn kinds(&self) -> Vec<String> {
        self.log().iter().map(|event| event["event"]["type"].as_str().unwrap().to_owned()).collect()
    }

    /// Names of what waits for a person.
    pub fn waiting(&self) -> Vec<String> {
        let queue = self.ab(&["--json", "queue"]).exits(0).json();
        queue["waiting"]
            .as_array()
            .unwrap()
            .iter()
            .map(|item| item["item"].as_str().unwrap().to_owned())
            .collect()
    }
}

/// What stands in a frame, without the line breaks that the frame makes.
fn unwrapped(text: &str) -> String {
    text.split(|c: char| c.is_whitespace() || c == '│')
        .filter(|word| !word.is_empty())
        .collect::<Vec<_>>()
        .join(" ")
}

fn said(output: Output) -> Said {
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Said { code: output.status.code().unwrap_or(-1), out: text(output.stdout), err: text(output.stderr) }
}
