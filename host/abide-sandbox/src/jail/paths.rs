//! What of the host a jail shows, and what never.

use std::path::{Component, Path};

/// Folders that hold doors: devices, kernel, other processes, sockets of services.
const DOORS: [&str; 6] = ["/proc", "/sys", "/dev", "/run", "/var/run", "/var/lib/docker"];
/// Folders of many people's things, of which a part may be shown, but not all.
const WHOLE: [&str; 6] = ["/", "/home", "/root", "/var", "/tmp", "/etc"];

/// Whether `path` may be shown to a check, read-only. `secret` are folders that must not be seen: the home folder is shown in parts only, and of the
/// state folder nothing is.
///
/// Errs with the reason.
pub fn readable(path: &Path, home: Option<&Path>, secret: &[&Path]) -> Result<(), String> {
    if !path.is_absolute() || path.components().any(|part| part == Component::ParentDir) {
        return Err("is not an absolute path, or climbs".to_owned());
    }
    if WHOLE.iter().any(|whole| path == Path::new(whole)) || home.is_some_and(|home| home.starts_with(path)) {
        return Err("is a whole home or system folder; name the part that the check needs".to_owned());
    }
    if let Some(door) = DOORS.iter().find(|door| path.starts_with(door)) {
        return Err(format!("is below `{door}`, which leads to the host"));
    }
    if let Some(kept) = secret.iter().find(|kept| path.starts_with(kept) || kept.starts_with(path)) {
        return Err(format!("holds, or is part of, `{}`, where Abide keeps its key and log", kept.display()));
    }
    Ok(())
}

/// Where the jail shows what it has of its own.
pub(super) const WORK: &str = "/work";
pub(super) const HOME: &str = "/home/check";
pub(super) const TEMPORARY: &str = "/tmp";

#[cfg(test)]
mod tests {
    use super::readable;
    use std::path::Path;

    #[test]
    fn parts_of_a_home_may_be_shown_and_never_all_or_what_leads_out() {
        let (home, state) = (Path::new("/home/a"), Path::new("/home/a/.local/state/abide"));
        let told = |path: &str| readable(Path::new(path), Some(home), &[state]).map_err(|why| why.len() > 9);
        for shown in ["/home/a/.cargo", "/opt/node", "/home/a/.rustup/toolchains", "/var/cache/x"] {
            assert_eq!(told(shown), Ok(()), "{shown}");
        }
        for kept in [
            "/",
            "/home",
            "/home/a",
            "/etc",
            "/tmp",
            "/run/docker.sock",
            "/proc/1",
            "relative",
            "/home/a/../b",
            "/home/a/.local",
            "/home/a/.local/state/abide/key",
            "/home/a/.local/state/abide",
            "/dev/kvm",
        ] {
            assert_eq!(told(kept), Err(true), "{kept}");
        }
    }
}
