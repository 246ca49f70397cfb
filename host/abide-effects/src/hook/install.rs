//! Writing the hooks into a bare repository, and taking them out again.
//!
//! The hooks are small POSIX shell files that fail closed: if `ab` cannot be run or ends in any other way than with status 0, nothing moves.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use abide_core::id::IdError;

use crate::forge::{GitFault, Repo, RepoError};

/// The hooks that are installed.
const HOOKS: [&str; 2] = ["update", "reference-transaction"];
/// The line by which our hooks are known.
const MARK: &str = "# abide hook 1";
/// What the repository is told besides: refuse deletions and rewinds, check objects, keep every log for good.
const SETTINGS: [(&str, &str); 7] = [
    ("receive.denyDeletes", "true"),
    ("receive.denyNonFastForwards", "true"),
    ("receive.denyDeleteCurrent", "refuse"),
    ("receive.fsckObjects", "true"),
    ("core.logAllRefUpdates", "always"),
    ("gc.reflogExpire", "never"),
    ("gc.reflogExpireUnreachable", "never"),
];

/// Hooks that are in place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Installed {
    /// The files.
    pub hooks: Vec<PathBuf>,
    /// What a person should know.
    pub notes: Vec<String>,
}

/// Why the hooks were not installed or removed.
#[derive(Debug, thiserror::Error)]
pub enum HookError {
    /// It has a work tree.
    #[error("`{}` is not a bare repository", .0.display())]
    NotBare(PathBuf),
    /// Somebody else's hook is there.
    #[error("`{}` is there and was not installed by Abide", .0.display())]
    Foreign(PathBuf),
    /// git would look for hooks elsewhere.
    #[error("`core.hooksPath` is set to `{0}`, so git would not run hooks of the repository")]
    HooksPath(String),
    /// The program cannot be run.
    #[error("`{}` is not an absolute path of a program that can be run", .0.display())]
    Program(PathBuf),
    /// A path that cannot be written into a shell file.
    #[error("`{}` cannot be written into a hook: it is not UTF-8 or has a line break", .0.display())]
    Path(PathBuf),
    /// The repository cannot be opened.
    #[error(transparent)]
    Repo(#[from] RepoError),
    /// The configuration cannot be read or written.
    #[error(transparent)]
    Git(#[from] GitFault),
    /// The disk failed.
    #[error("`{}` could not be {doing}", .path.display())]
    Disk {
        /// Where.
        path: PathBuf,
        /// `read`, `written` or `removed`.
        doing: &'static str,
        /// Why.
        #[source]
        source: std::io::Error,
    },
}

impl HookError {
    /// The code for `ab explain`.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Foreign(_) => "AB0306",
            Self::HooksPath(_) => "AB0307",
            Self::NotBare(_) => "AB0308",
            Self::Program(_) | Self::Path(_) | Self::Disk { .. } => "AB0309",
            Self::Repo(error) => error.code(),
            Self::Git(_) => GitFault::CODE,
        }
    }
}

/// Installs the hooks in the bare repository at `git_dir`. They call `ab hook update` and `ab hook reference-transaction` with
/// `--state <state>`. Installing again brings them up to date.
pub fn install(git_dir: &Path, ab: &Path, state: &Path) -> Result<Installed, HookError> {
    let (repo, hooks) = guarded(git_dir)?;
    let program =
        std::fs::metadata(ab).is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0);
    if !ab.is_absolute() || !program {
        return Err(HookError::Program(ab.to_owned()));
    }
    let top = canonical(repo.common_dir())?;
    let state = canonical(state)?;
    for name in HOOKS {
        refuse_foreign(&hooks.join(name))?;
    }
    if let Some(path) = hooks_path(&repo)? {
        return Err(HookError::HooksPath(path));
    }
    std::fs::create_dir_all(&hooks).map_err(disk("written", &hooks))?;
    let mut written = Vec::new();
    for name in HOOKS {
        let path = hooks.join(name);
        write_program(&path, &script(name, ab, &state, &top)?)?;
        written.push(path);
    }
    settle(&repo)?;
    Ok(Installed { hooks: written, notes: notes(&repo, &hooks) })
}

/// Removes the hooks that [`install`] wrote. The settings stay: they forbid only what nobody should do.
pub fn uninstall(git_dir: &Path) -> Result<(), HookError> {
    let (_, hooks) = guarded(git_dir)?;
    for name in HOOKS {
        let path = hooks.join(name);
        if std::fs::symlink_metadata(&path).is_ok() {
            refuse_foreign(&path)?;
            std::fs::remove_file(&path).map_err(disk("removed", &path))?;
        }
    }
    Ok(())
}

fn guarded(git_dir: &Path) -> Result<(Repo, PathBuf), HookError> {
    let id = "guarded".parse().map_err(|_: IdError| HookError::NotBare(git_dir.to_owned()))?;
    let repo = Repo::open(git_dir, id)?;
    if repo.work_dir().is_some() {
        return Err(HookError::NotBare(git_dir.to_owned()));
    }
    let hooks = repo.common_dir().join("hooks");
    Ok((repo, hooks))
}

fn disk(doing: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> HookError {
    let path = path.to_owned();
    move |source| HookError::Disk { path, doing, source }
}

fn canonical(path: &Path) -> Result<PathBuf, HookError> {
    std::fs::canonicalize(path).map_err(disk("read", path))
}

/// A hook that is not ours is left alone, a link above all: what it leads to may be shared.
fn refuse_foreign(path: &Path) -> Result<(), HookError> {
    let Ok(meta) = std::fs::symlink_metadata(path) else { return Ok(()) };
    let ours =
        meta.is_file() && std::fs::read_to_string(path).is_ok_and(|text| text.lines().nth(1) == Some(MARK));
    if ours { Ok(()) } else { Err(HookError::Foreign(path.to_owned())) }
}

/// `core.hooksPath` from whichever configuration of this user sets it.
fn hooks_path(repo: &Repo) -> Result<Option<String>, HookError> {
    let config = repo.git().config().map_err(GitFault::of("read the configuration"))?;
    match config.get_string("core.hookspath") {
        Ok(path) => Ok(Some(path)),
        Err(error) if error.code() == git2::ErrorCode::NotFound => Ok(None),
        Err(source) => Err(GitFault { doing: "read the configuration", source }.into()),
    }
}

fn settle(repo: &Repo) -> Result<(), HookError> {
    let fault = || GitFault::of("write the repository's configuration");
    let mut config = git2::Config::open(&repo.common_dir().join("config")).map_err(fault())?;
    for (key, value) in SETTINGS {
        config.set_str(key, value).map_err(fault())?;
    }
    Ok(())
}

fn notes(repo: &Repo, hooks: &Path) -> Vec<String> {
    let mut notes = Vec::new();
    let mut others: Vec<String> = std::fs::read_dir(hooks)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .filter(|name| !HOOKS.contains(&&**name) && !name.ends_with(".sample") && !name.starts_with('.'))
        .collect();
    others.sort();
    if !others.is_empty() {
        notes.push(format!(
            "other hooks stay in place and run as the repository's owner: {}",
            others.join(", ")
        ));
    }
    let owner = std::fs::metadata(repo.common_dir()).map(|meta| std::os::unix::fs::MetadataExt::uid(&meta));
    if owner.is_ok_and(|uid| uid == rustix::process::geteuid().as_raw()) {
        notes.push(
            "the repository belongs to you: hooks stop clients, not you (ab explain enforcement)".to_owned(),
        );
    }
    notes
}

/// Replaces the file at once, so that a push never meets half a hook.
fn write_program(path: &Path, text: &str) -> Result<(), HookError> {
    let folder = path.parent().unwrap_or(path);
    let write = || {
        use std::io::Write as _;
        let mut file = tempfile::Builder::new().prefix(".hook-").tempfile_in(folder)?;
        file.write_all(text.as_bytes())?;
        file.as_file().set_permissions(std::fs::Permissions::from_mode(0o755))?;
        file.as_file().sync_all()?;
        file.persist(path).map_err(|error| error.error)?;
        std::fs::File::open(folder)?.sync_all()
    };
    write().map_err(disk("written", path))
}

fn script(name: &str, ab: &Path, state: &Path, top: &Path) -> Result<String, HookError> {
    let (program, state, top) = (quoted(ab)?, quoted(state)?, quoted(top)?);
    // Only what matters reaches `ab`: an update has three arguments, a transaction its phase and its standard input.
    let call = match name {
        "update" => r#""$ab" hook update --state "$state" -- "$1" "$2" "$3""#,
        _ => r#""$ab" hook reference-transaction --state "$state" -- "$1""#,
    };
    let skip = match name {
        "update" => "",
        _ => "case \"$1\" in preparing | committed | aborted) exit 0 ;; esac\n",
    };
    Ok(format!(
        r#"#!/bin/sh
{MARK}
# Written by `ab hook install`, which replaces it. Nothing moves unless `ab` ends with status 0.
{skip}ab={program}
state={state}
say() {{ printf 'abide: refused: %s   [AB0302]\n' "$1" >&2; exit 1; }}
cd -- {top} 2>/dev/null || say 'the repository is not where its hooks were installed'
[ -x "$ab" ] || say "$ab cannot be run"
unset GIT_DIR GIT_WORK_TREE GIT_INDEX_FILE GIT_CONFIG GIT_CONFIG_PARAMETERS GIT_CONFIG_COUNT
{call}
status=$?
[ "$status" -eq 0 ] && exit 0
[ "$status" -eq 3 ] || say "ab ended with status $status"
exit 1
"#
    ))
}

/// `path` as one word of a shell.
fn quoted(path: &Path) -> Result<String, HookError> {
    let text = path
        .to_str()
        .filter(|text| !text.contains(['\n', '\r', '\0']))
        .ok_or_else(|| HookError::Path(path.to_owned()))?;
    Ok(format!("'{}'", text.replace('\'', r"'\''")))
}

#[cfg(test)]
mod tests;
