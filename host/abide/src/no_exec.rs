//! How workers and the sealed judge are run on this host: as machine code, or interpreted where no page may be executable.

use abide_sandbox::Execution;
use abide_sandbox::runner::no_exec;
use serde::{Deserialize, Serialize};

/// What `execution` in `data/host.yaml` says.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Mode {
    /// As machine code. `--no-exec` asks for the next one.
    #[default]
    Native,
    /// Interpreted, behind a wall that keeps every page from becoming executable, or not at all.
    NoExec,
    /// Interpreted; the wall is raised where this host has it.
    Interpreted,
}

impl Mode {
    /// The same when `--no-exec` was asked for. A policy that goes without the wall has said so.
    pub(crate) fn asked(self, no_exec: bool) -> Self {
        match self {
            Self::Native if no_exec => Self::NoExec,
            Self::Native | Self::NoExec | Self::Interpreted => self,
        }
    }

    /// How code is run.
    pub(crate) fn execution(self) -> Execution {
        match self {
            Self::Native => Execution::Native,
            Self::NoExec | Self::Interpreted => Execution::Interpreted,
        }
    }

    /// The walls that are required where policy requires `walls`.
    pub(crate) fn required(self, walls: &[String]) -> Vec<String> {
        let mut walls = walls.to_vec();
        if self == Self::NoExec && !walls.iter().any(|wall| wall == no_exec::WALL) {
            walls.push(no_exec::WALL.to_owned());
        }
        walls
    }

    /// Has the kernel keep this process, which judges and compiles the sealed judge, from executable pages as well. Its engine makes none
    /// either way: a kernel that has no such thing (before Linux 6.6) is told of by `ab doctor`, and is no error.
    pub(crate) fn hold(self) -> Result<(), std::io::Error> {
        match self {
            Self::Native => Ok(()),
            Self::NoExec | Self::Interpreted => no_exec::deny_executable_pages_here(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Mode;

    #[test]
    fn the_wall_is_required_with_the_mode_and_once() {
        let required = |mode: Mode, walls: &[&str]| {
            let walls: Vec<String> = walls.iter().map(|wall| (*wall).to_owned()).collect();
            mode.required(&walls)
        };
        assert_eq!(required(Mode::Native, &["seccomp"]), ["seccomp"]);
        assert_eq!(required(Mode::NoExec, &["seccomp"]), ["seccomp", "no-exec"]);
        assert_eq!(required(Mode::NoExec, &["no-exec"]), ["no-exec"]);
        assert_eq!(required(Mode::Interpreted, &[]), [""; 0]);
    }

    #[test]
    fn the_command_line_only_adds_the_wall() {
        assert_eq!(Mode::Native.asked(true), Mode::NoExec);
        assert_eq!(Mode::Native.asked(false), Mode::Native);
        assert_eq!(Mode::NoExec.asked(false), Mode::NoExec);
        assert_eq!(Mode::Interpreted.asked(true), Mode::Interpreted);
    }
}
