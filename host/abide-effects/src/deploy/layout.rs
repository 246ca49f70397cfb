//! One environment on disk: `releases/<id>/`, `releases/<id>.origin`, and the links `current` and `canary`.
//!
//! A link is switched by renaming a new one over it, so readers see the old release or the new one, never neither.

use std::path::{Path, PathBuf};

use abide_core::id::{Environment, IdError, Oid, ReleaseId, RepoId};
use abide_gate::Stale;
use serde::Serialize;

use crate::forge::{ReadError, WorkspaceError};

/// Why a deployment, promotion or roll-back did not happen.
#[derive(Debug, thiserror::Error)]
pub enum DeployError {
    /// The permit no longer counts.
    #[error(transparent)]
    Stale(#[from] Stale),
    /// The permit is for another repository.
    #[error("the permit is for repository `{permitted}`, this is `{found}`")]
    WrongRepository {
        /// In the permit.
        permitted: RepoId,
        /// Here.
        found: RepoId,
    },
    /// The release is not made from the commit, or the commit does not hold the judged tree.
    #[error("release `{release}` does not follow from commit {} with the judged tree", .commit.short())]
    NotThatRelease {
        /// The release.
        release: ReleaseId,
        /// The commit.
        commit: Oid,
    },
    /// The way back does not lead where the environment is now.
    #[error("the way back leads to {planned}, but `{environment}` serves {found}")]
    WayBack {
        /// The environment.
        environment: Environment,
        /// What the plan says.
        planned: String,
        /// What is served.
        found: String,
    },
    /// The release is not the canary.
    #[error("`{release}` cannot be promoted in `{environment}`: the canary is {found}")]
    NotCanary {
        /// The environment.
        environment: Environment,
        /// The release.
        release: ReleaseId,
        /// The canary.
        found: String,
    },
    /// The release to go back to is not there.
    #[error("release `{release}` is not in `{environment}` any more")]
    NoRelease {
        /// The environment.
        environment: Environment,
        /// The release.
        release: ReleaseId,
    },
    /// A file stands where a release or a link should.
    #[error("`{}` was not made by Abide: {why}", .path.display())]
    Foreign {
        /// Where.
        path: PathBuf,
        /// What is wrong with it.
        why: &'static str,
    },
    /// Another process works on the environment.
    #[error("another process works on `{0}`")]
    Busy(Environment),
    /// The folder of the release could not be written.
    #[error(transparent)]
    Export(#[from] WorkspaceError),
    /// The commit could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The disk failed.
    #[error("`{}` could not be {doing}", .path.display())]
    Disk {
        /// Where.
        path: PathBuf,
        /// `read`, `written`, `switched` or `removed`.
        doing: &'static str,
        /// Why.
        #[source]
        source: std::io::Error,
    },
}

impl DeployError {
    /// The code for `ab explain`.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Stale(stale) => stale.code(),
            Self::WrongRepository { .. } => "AB0329",
            Self::NotThatRelease { .. } => "AB0601",
            Self::WayBack { .. } => "AB0602",
            Self::NotCanary { .. } => "AB0603",
            Self::NoRelease { .. } => "AB0604",
            Self::Foreign { .. } => "AB0605",
            Self::Busy(_) => "AB0606",
            Self::Disk { .. } => "AB0607",
            Self::Export(error) => error.code(),
            Self::Read(error) => error.code(),
        }
    }

    fn disk(doing: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Disk { path, doing, source }
    }
}

/// What an environment serves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Standing {
    /// The release for everybody.
    pub current: Option<ReleaseId>,
    /// The release on trial.
    pub canary: Option<ReleaseId>,
}

/// The two links of an environment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Link {
    Current,
    Canary,
}

impl Link {
    fn name(self) -> &'static str {
        match self {
            Self::Current => "current",
            Self::Canary => "canary",
        }
    }
}

/// The folder of one environment.
#[derive(Debug)]
pub(super) struct Layout {
    top: PathBuf,
    environment: Environment,
}

/// Holds an environment for one process; dropping it lets go.
#[derive(Debug)]
pub(super) struct Held {
    _lock: std::fs::File,
}

impl Layout {
    pub(super) fn new(root: &Path, environment: &Environment) -> Self {
        Self { top: root.join(environment.as_str()), environment: environment.clone() }
    }

    pub(super) fn releases(&self) -> PathBuf {
        self.top.join("releases")
    }

    pub(super) fn release(&self, id: &ReleaseId) -> PathBuf {
        self.releases().join(id.as_str())
    }

    /// Makes the folders and takes the environment for this process.
    pub(super) fn hold(&self) -> Result<Held, DeployError> {
        std::fs::create_dir_all(self.releases()).map_err(DeployError::disk("written", &self.releases()))?;
        let path = self.top.join(".lock");
        let lock = std::fs::File::create(&path).map_err(DeployError::disk("written", &path))?;
        lock.try_lock().map_err(|_| DeployError::Busy(self.environment.clone()))?;
        Ok(Held { _lock: lock })
    }

    pub(super) fn standing(&self) -> Result<Standing, DeployError> {
        Ok(Standing { current: self.read(Link::Current)?, canary: self.read(Link::Canary)? })
    }

    fn read(&self, link: Link) -> Result<Option<ReleaseId>, DeployError> {
        let path = self.top.join(link.name());
        let target = match std::fs::read_link(&path) {
            Ok(target) => target,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) if error.kind() == std::io::ErrorKind::InvalidInput => {
                return Err(DeployError::Foreign { path, why: "it is not a symbolic link" });
            }
            Err(error) => return Err(DeployError::disk("read", &path)(error)),
        };
        let id: Result<ReleaseId, IdError> =
            target.strip_prefix("releases").unwrap_or(&target).to_string_lossy().parse();
        id.map(Some).map_err(|_| DeployError::Foreign { path, why: "it does not lead to a release" })
    }

    /// Lets `link` lead to `release`, or nowhere. One rename, or one removal.
    pub(super) fn switch(&self, link: Link, release: Option<&ReleaseId>) -> Result<(), DeployError> {
        let path = self.top.join(link.name());
        let Some(release) = release else {
            match std::fs::remove_file(&path) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(DeployError::disk("removed", &path)(error));
                }
                Ok(()) | Err(_) => return sync_folder(&self.top),
            }
        };
        if !self.release(release).is_dir() {
            return Err(DeployError::NoRelease {
                environment: self.environment.clone(),
                release: release.clone(),
            });
        }
        let next = self.top.join(format!(".{}.next", link.name()));
        match std::fs::remove_file(&next) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(DeployError::disk("removed", &next)(error));
            }
            Ok(()) | Err(_) => {}
        }
        let target = Path::new("releases").join(release.as_str());
        std::os::unix::fs::symlink(target, &next).map_err(DeployError::disk("written", &next))?;
        std::fs::rename(&next, &path).map_err(DeployError::disk("switched", &path))?;
        sync_folder(&self.top)
    }

    /// The tree that release `id` was made from, `None` if there is no whole release.
    pub(super) fn origin(&self, id: &ReleaseId) -> Option<Oid> {
        if !self.release(id).is_dir() {
            return None;
        }
        std::fs::read_to_string(self.origin_path(id)).ok()?.trim().parse().ok()
    }

    fn origin_path(&self, id: &ReleaseId) -> PathBuf {
        self.releases().join(format!("{id}.origin"))
    }

    /// Makes the finished folder `built` release `id`, read-only and on disk for good.
    pub(super) fn seal(
        &self,
        id: &ReleaseId,
        tree: &Oid,
        built: tempfile::TempDir,
    ) -> Result<(), DeployError> {
        let to = self.release(id);
        set_writable(built.path(), false)?;
        std::fs::write(self.origin_path(id), format!("{tree}\n"))
            .map_err(DeployError::disk("written", &to))?;
        let folder = std::fs::File::open(built.path()).map_err(DeployError::disk("read", built.path()))?;
        rustix::fs::syncfs(&folder).map_err(|error| DeployError::disk("written", &to)(error.into()))?;
        std::fs::rename(built.path(), &to).map_err(DeployError::disk("written", &to))?;
        // It has another name now: nothing is left to remove.
        let _kept = built.keep();
        sync_folder(&self.releases())
    }

    /// Removes what a crash left, and old releases until `keep` are left besides `needed`. Newest by the time they were made.
    pub(super) fn prune(&self, keep: usize, needed: &[&ReleaseId]) -> Result<Vec<ReleaseId>, DeployError> {
        let mut spare = Vec::new();
        for entry in
            std::fs::read_dir(self.releases()).map_err(DeployError::disk("read", &self.releases()))?
        {
            let entry = entry.map_err(DeployError::disk("read", &self.releases()))?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if name.starts_with(".build-") {
                remove_release(&entry.path())?;
            } else if let Ok(id) = name.parse::<ReleaseId>()
                && !needed.contains(&&id)
            {
                let made = std::fs::metadata(self.origin_path(&id)).and_then(|meta| meta.modified()).ok();
                spare.push((made, id));
            }
        }
        spare.sort();
        let surplus = spare.len().saturating_sub(keep);
        let gone: Vec<ReleaseId> = spare.into_iter().take(surplus).map(|(_, id)| id).collect();
        for id in &gone {
            remove_release(&self.release(id))?;
            std::fs::remove_file(self.origin_path(id)).ok();
        }
        Ok(gone)
    }
}

fn remove_release(path: &Path) -> Result<(), DeployError> {
    set_writable(path, true)?;
    std::fs::remove_dir_all(path).map_err(DeployError::disk("removed", path))
}

/// Gives or takes the owner's right to write, for folders and files below `path`. Links are not followed.
pub(super) fn set_writable(path: &Path, writable: bool) -> Result<(), DeployError> {
    use std::os::unix::fs::PermissionsExt as _;
    let meta = std::fs::symlink_metadata(path).map_err(DeployError::disk("read", path))?;
    if meta.is_symlink() {
        return Ok(());
    }
    let mode = meta.permissions().mode() & 0o7777;
    let mode = if writable { mode | 0o200 } else { mode & !0o222 | if meta.is_dir() { 0o055 } else { 0 } };
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode))
        .map_err(DeployError::disk("written", path))?;
    if meta.is_dir() {
        for entry in std::fs::read_dir(path).map_err(DeployError::disk("read", path))? {
            set_writable(&entry.map_err(DeployError::disk("read", path))?.path(), writable)?;
        }
    }
    Ok(())
}

fn sync_folder(path: &Path) -> Result<(), DeployError> {
    std::fs::File::open(path).and_then(|folder| folder.sync_all()).map_err(DeployError::disk("written", path))
}
