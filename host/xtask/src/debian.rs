//! Debian's packages, asked of its own client.

use std::process::{Command, Stdio};

use anyhow::{Result, ensure};

/// Installs packages; asks for the lists anew where that does not do it. Needs root and `apt-get`.
pub(crate) fn install(packages: &[&str]) -> Result<()> {
    let named = packages.join(" ");
    let id = Command::new("id").arg("-u").output();
    let is_root = id.is_ok_and(|output| output.stdout.trim_ascii() == b"0");
    let has_apt = Command::new("apt-get").arg("--version").output().is_ok();
    ensure!(is_root && has_apt, "packages are missing here\n  help: as root `apt-get install {named}`");
    eprintln!("debian: installing {named}");
    let does = |args: &[&str]| {
        let mut command = Command::new("apt-get");
        command.args(args).env("DEBIAN_FRONTEND", "noninteractive").stdout(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    };
    let install = [&["install", "--yes", "--no-install-recommends"], packages].concat();
    ensure!(
        does(&install) || (does(&["update", "-q"]) && does(&install)),
        "`apt-get install {named}` failed"
    );
    Ok(())
}
