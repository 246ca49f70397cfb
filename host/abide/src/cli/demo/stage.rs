//! The stage: a bare copy guarded by hooks, a developer's clone of it, and the means to run `ab` and `git` on them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use tempfile::TempDir;

use super::super::Shell;
use super::super::printer::Tone;
use crate::report::{Exit, Failure};

/// What went wrong in a scene, for a person.
pub(super) type Told<T> = Result<T, String>;

/// The stage.
pub(super) struct Stage<'a> {
    shell: &'a Shell,
    folder: TempDir,
    ab: PathBuf,
    /// The branch that changes are for.
    pub(super) branch: String,
    /// A name used in code, and what it is renamed to.
    pub(super) rename: (String, String),
}

/// What a command said.
pub(super) struct Said {
    pub(super) code: i32,
    pub(super) out: String,
    pub(super) err: String,
}

const AB_YML: &str = include_str!("ab.yml");

impl<'a> Stage<'a> {
    pub(super) fn set_up(shell: &'a Shell, source: Option<&Path>) -> Result<Self, Failure> {
        let fault = |error: std::io::Error| Failure::of("AB0004", error);
        let folder = tempfile::Builder::new().prefix("abide-demo-").tempdir().map_err(fault)?;
        let ab = std::env::current_exe().map_err(fault)?;
        let mut stage = Self {
            shell,
            folder,
            ab,
            branch: "main".to_owned(),
            rename: ("area".to_owned(), "surface".to_owned()),
        };
        stage.copy(source).map_err(|why| {
            Failure::new("AB0051", why)
                .help("the demo needs git, and a repository that is not shallow")
                .exit(Exit::Usage)
        })?;
        Ok(stage)
    }

    fn copy(&mut self, source: Option<&Path>) -> Told<()> {
        let (bare, dev) = (self.bare(), self.dev());
        match source {
            Some(source) => {
                let from = source.to_string_lossy().into_owned();
                self.must_git(&[
                    "clone",
                    "--quiet",
                    "--bare",
                    "--no-hardlinks",
                    &from,
                    &bare.to_string_lossy(),
                ])?;
                let head =
                    self.must_git(&["-C", &bare.to_string_lossy(), "symbolic-ref", "--short", "HEAD"])?;
                head.trim().clone_into(&mut self.branch);
            }
            None => drop(self.must_git(&[
                "init",
                "--quiet",
                "--bare",
                "--initial-branch=main",
                &bare.to_string_lossy(),
            ])?),
        }
        self.must_git(&["clone", "--quiet", &bare.to_string_lossy(), &dev.to_string_lossy()])?;
        let history = self
            .git(&["-C", &bare.to_string_lossy(), "rev-list", "--count", &self.branch])
            .map_or_else(|_| String::new(), |said| said.out);
        let commits = history.trim();
        self.prepare(&dev)?;
        let from = source.map_or_else(
            || "a small repository made for this".to_owned(),
            |source| format!("{} ({commits} commits)", source.display()),
        );
        self.say(&format!(
            "a guarded copy of {from}, branch {}, in {}",
            self.branch,
            self.folder.path().display()
        ));
        Ok(())
    }

    /// One commit that the story stands on: how Abide works here, a document that moved, a name in code, a status that the probe reads.
    fn prepare(&mut self, dev: &Path) -> Told<()> {
        let releases = self.folder.path().join("releases");
        self.write(
            "ab.yml",
            &AB_YML.replace("{target}", &self.branch).replace("{releases}", &releases.to_string_lossy()),
        )?;
        self.write(
            "docs/demo/index.md",
            "# Demo\n\nStart with [the set-up](setup.md).\nThen read [the notes](notes.md).\n",
        )?;
        self.write("docs/demo/guide/setup.md", "# Set-up\n\nNothing to do.\n")?;
        self.write("docs/demo/notes.md", "# Notes\n\nNone yet.\n")?;
        self.write("docs/demo/status.md", "ok\n")?;
        match name_in_code(dev) {
            Some(name) => self.rename = (name.clone(), format!("{name}_renamed")),
            None => self.write(
                "demo/shape.py",
                "def area(width, height):\n    return width * height\n\n\nprint(area(2, 3))\n",
            )?,
        }
        let at = dev.to_string_lossy().into_owned();
        self.must_git(&["-C", &at, "add", "--force", "."])?;
        self.must_git(&["-C", &at, "commit", "--quiet", "--message", "Set the stage"])?;
        self.must_git(&[
            "-C",
            &at,
            "push",
            "--quiet",
            "origin",
            &format!("HEAD:refs/heads/{}", self.branch),
        ])?;
        Ok(())
    }

    /// The bare repository.
    pub(super) fn bare(&self) -> PathBuf {
        self.folder.path().join("demo.git")
    }

    /// The developer's clone.
    pub(super) fn dev(&self) -> PathBuf {
        self.folder.path().join("dev")
    }

    /// A file of the stage that is in no repository.
    pub(super) fn beside(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file in the developer's clone.
    pub(super) fn write(&self, path: &str, text: &str) -> Told<()> {
        self.write_bytes(path, text.as_bytes())
    }

    pub(super) fn write_bytes(&self, path: &str, bytes: &[u8]) -> Told<()> {
        let file = self.dev().join(path);
        if let Some(parent) = file.parent() {
            fs::create_dir_all(parent).map_err(|error| error.to_string())?;
        }
        fs::write(&file, bytes).map_err(|error| format!("{}: {error}", file.display()))
    }

    /// A ticket for the recipe `replace-text` if there is a text to replace, else for `edit-file`.
    pub(super) fn ticket(&self, name: &str, title: &str, params: &[(&str, &str)]) -> Told<PathBuf> {
        let quoted = |text: &str| serde_json::to_string(text).map_err(|error| error.to_string());
        let recipe = if params.iter().any(|(key, _)| *key == "old") { "replace-text" } else { "edit-file" };
        let mut text = format!("---\nrecipe: {recipe}\nparams:\n");
        for (key, value) in params {
            text = format!("{text}  {key}: {}\n", quoted(value)?);
        }
        text = format!("{text}---\n{title}\n");
        let file = self.beside(&format!("{name}.md"));
        fs::write(&file, text).map_err(|error| error.to_string())?;
        Ok(file)
    }

    pub(super) fn say(&self, line: &str) {
        self.shell.printer.line(line);
    }

    /// Shows a command and those lines of what it said that `wanted` picks.
    pub(super) fn show(&self, command: &str, said: &Said, wanted: &dyn Fn(&str) -> bool) {
        self.say(&self.shell.printer.paint(Tone::Faint, &format!("  $ {command}")));
        for line in said.out.lines().chain(said.err.lines()).filter(|line| wanted(line)) {
            self.say(&format!("    {}", line.trim_end()));
        }
    }

    /// Runs `ab` on the bare repository as a developer.
    pub(super) fn ab(&self, args: &[&str]) -> Told<Said> {
        Ok(said(self.ab_command(args).output().map_err(|error| error.to_string())?))
    }

    /// Starts `ab` and does not wait.
    pub(super) fn ab_start(&self, args: &[&str]) -> Told<Child> {
        self.ab_command(args)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| error.to_string())
    }

    fn ab_command(&self, args: &[&str]) -> Command {
        let mut command = self.command(&self.ab);
        command.args(args).current_dir(self.bare()).stdin(Stdio::null());
        command
    }

    /// Runs git.
    pub(super) fn git(&self, args: &[&str]) -> Told<Said> {
        let mut command = self.command(Path::new("git"));
        Ok(said(
            command
                .args(args)
                .stdin(Stdio::null())
                .output()
                .map_err(|error| format!("git cannot be run: {error}"))?,
        ))
    }

    /// Runs git, which must succeed.
    pub(super) fn must_git(&self, args: &[&str]) -> Told<String> {
        let said = self.git(args)?;
        if said.code == 0 {
            Ok(said.out)
        } else {
            Err(format!("git {}: {}", args.join(" "), said.err.trim()))
        }
    }

    fn command(&self, program: &Path) -> Command {
        #[expect(
            clippy::disallowed_methods,
            reason = "the demo runs the real programs, on its own scratch folder"
        )]
        let mut command = Command::new(program);
        for (name, value) in [
            ("ABIDE_HOME", self.folder.path().join("state")),
            ("ABIDE_ACTOR", PathBuf::from("developer")),
            ("GIT_CONFIG_GLOBAL", PathBuf::from("/dev/null")),
            ("GIT_CONFIG_NOSYSTEM", PathBuf::from("1")),
            ("GIT_AUTHOR_NAME", PathBuf::from("developer")),
            ("GIT_AUTHOR_EMAIL", PathBuf::from("developer@example.org")),
            ("GIT_COMMITTER_NAME", PathBuf::from("developer")),
            ("GIT_COMMITTER_EMAIL", PathBuf::from("developer@example.org")),
            ("NO_COLOR", PathBuf::from("1")),
        ] {
            command.env(name, value);
        }
        command.env_remove("GIT_DIR").env_remove("GIT_WORK_TREE").env_remove("GIT_INDEX_FILE");
        command
    }

    /// Where a branch of the bare repository stands.
    pub(super) fn head(&self) -> Told<String> {
        let reference = format!("refs/heads/{}", self.branch);
        Ok(self.must_git(&["-C", &self.bare().to_string_lossy(), "rev-parse", &reference])?.trim().to_owned())
    }

    /// Says what to type next; removes the folder unless it is kept.
    pub(super) fn end(self, keep: bool) -> Option<PathBuf> {
        if !keep {
            self.say("look closer: ab demo --keep leaves the folder, then ABIDE_HOME=FOLDER/state ab show --repo FOLDER/demo.git");
            return None;
        }
        let folder = self.folder.path().to_path_buf();
        self.say(&format!(
            "kept {0}: export ABIDE_HOME={0}/state; cd {0}/demo.git; ab show; ab audit log",
            folder.display()
        ));
        Some(self.folder.keep())
    }
}

impl Said {
    /// The JSON that `--json` printed.
    pub(super) fn json(&self) -> Told<serde_json::Value> {
        serde_json::from_str(self.out.trim())
            .map_err(|error| format!("no JSON ({error}): {} {}", self.out, self.err))
    }
}

/// Collects a child that was started.
pub(super) fn finish(child: Child) -> Told<Said> {
    Ok(said(child.wait_with_output().map_err(|error| error.to_string())?))
}

fn said(output: Output) -> Said {
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Said { code: output.status.code().unwrap_or(-1), out: text(output.stdout), err: text(output.stderr) }
}

/// A function's name that occurs in few places of one to four source files, so that renaming it is a small change.
fn name_in_code(folder: &Path) -> Option<String> {
    let mut files = Vec::new();
    sources(folder, 0, &mut files);
    files.sort();
    let texts: Vec<String> = files.iter().filter_map(|file| fs::read_to_string(file).ok()).collect();
    let names = texts.iter().flat_map(|text| defined(text)).take(400);
    names.into_iter().find(|name| {
        let uses: Vec<usize> = texts
            .iter()
            .map(|text| words(text).filter(|word| word == name).count())
            .filter(|count| *count > 0)
            .collect();
        let total: usize = uses.iter().sum();
        uses.len() <= 4 && (2..=12).contains(&total)
    })
}

fn sources(folder: &Path, depth: usize, files: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let path = entry.path();
        let Ok(kind) = entry.file_type() else { continue };
        let hidden = entry.file_name().to_string_lossy().starts_with('.');
        if kind.is_dir() && !hidden && depth < 8 && files.len() < 500 {
            sources(&path, depth.saturating_add(1), files);
        }
        let name = entry.file_name().to_string_lossy().into_owned();
        let code = [".rs", ".py", ".go", ".js", ".ts", ".c"].iter().any(|end| name.ends_with(end));
        let plain = !["build.rs", "conftest.py", "setup.py"].contains(&name.as_str())
            && !path.to_string_lossy().contains("test")
            && !path.to_string_lossy().contains("polic");
        if kind.is_file() && code && plain && files.len() < 500 {
            files.push(path);
        }
    }
}

fn defined(text: &str) -> Vec<String> {
    let mut names = Vec::new();
    for line in text.lines() {
        for keyword in ["fn ", "def ", "func ", "function "] {
            let Some((_, rest)) = line.split_once(keyword) else { continue };
            let name: String = rest.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
            if name.len() >= 6 && rest.get(name.len()..).is_some_and(|rest| rest.starts_with('(')) {
                names.push(name);
            }
        }
    }
    names
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).filter(|word| !word.is_empty())
}
