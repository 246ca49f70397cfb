//! The browser that workers read the web with, from Debian, and what its tests need: networks of their own, and pages that nobody here wrote.

use std::path::Path;

use anyhow::{Result, ensure};

use crate::debian;

/// What has to be there, and the package that brings it.
const NEEDED: &[(&str, &str)] = &[
    ("/usr/lib/chromium/chromium", "chromium"),
    ("/usr/bin/unshare", "util-linux"),
    ("/bin/ip", "iproute2"),
];

/// Pages that nobody here wrote. An image of Debian may be set up to leave documentation out, so that it is only asked for.
const PAGES: (&str, &str) = ("/usr/share/doc/debian/FAQ", "debian-faq");

/// Installs what is missing.
pub(crate) fn run() -> Result<()> {
    let missing = missing();
    if !missing.is_empty() {
        debian::install(&missing)?;
        let still = self::missing();
        ensure!(still.is_empty(), "{} did not bring what they should", still.join(" "));
    }
    if !Path::new(PAGES.0).exists()
        && let Err(error) = debian::install(&[PAGES.1])
    {
        eprintln!("browser: no pages of {}: {error:#}", PAGES.1);
    }
    for (path, package) in NEEDED {
        eprintln!("browser: {path} ({package})");
    }
    Ok(())
}

fn missing() -> Vec<&'static str> {
    NEEDED.iter().filter(|(path, _)| !Path::new(path).exists()).map(|(_, name)| *name).collect()
}
