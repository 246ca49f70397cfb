//! Which compiler makes WebAssembly on this machine.
//!
//! Where the active toolchain has the target, or rustup can add it, that one. Otherwise Debian's `rustc-web`, which ships the source of its
//! standard library: that is built along, and the linker is the rustup toolchain's own `rust-lld`.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

use super::TARGET;

/// Debian's packages, and where they put things.
const DEBIAN_PACKAGES: [&str; 3] = ["rustc-web", "cargo-web", "rust-web-src"];
const DEBIAN_RUSTC: &str = "/usr/bin/rustc";
const DEBIAN_CARGO: &str = "/usr/bin/cargo";
/// Forces a way: `rustup` or `debian`.
const FORCE: &str = "ABIDE_GUEST_TOOLCHAIN";

/// Where the standard library for the target comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// Installed in the active toolchain.
    Installed,
    /// Built from Debian's sources by Debian's compiler.
    Debian,
}

/// A compiler and what it says of itself.
pub(super) struct Toolchain {
    way: Way,
    /// `rustc -vV`.
    pub(super) version: String,
    sysroot: PathBuf,
    linker: Option<PathBuf>,
}

impl Toolchain {
    /// For people.
    pub(super) fn name(&self) -> String {
        let release = self.version.lines().next().unwrap_or_default();
        match self.way {
            Way::Installed => format!("{release}, target {TARGET} of the active toolchain"),
            Way::Debian => format!("{release} (Debian's), standard library built from source"),
        }
    }

    /// A cargo that builds for the target, with every path of this machine taken out of the result, and `more` flags for the compiler.
    pub(super) fn cargo(&self, root: &Path, more: &[&str]) -> Result<Command> {
        let mut cargo = match self.way {
            Way::Installed => command("cargo"),
            Way::Debian => {
                let mut cargo = command(DEBIAN_CARGO);
                cargo.env("RUSTC", DEBIAN_RUSTC).env("RUSTC_BOOTSTRAP", "1");
                cargo.args(["-Z", "build-std=std,panic_abort"]);
                cargo
            }
        };
        let cargo_home = match std::env::var_os("CARGO_HOME") {
            Some(home) => PathBuf::from(home),
            None => PathBuf::from(std::env::var_os("HOME").context("neither CARGO_HOME nor HOME is set")?)
                .join(".cargo"),
        };
        let mut flags = vec![
            format!("--remap-path-prefix={}=/abide", root.display()),
            format!("--remap-path-prefix={}=/cargo", cargo_home.display()),
            format!("--remap-path-prefix={}=/sysroot", self.sysroot.display()),
        ];
        if let Some(linker) = &self.linker {
            flags.push(format!("-Clinker={}", linker.display()));
        }
        flags.extend(more.iter().map(|&flag| flag.to_owned()));
        cargo.env("CARGO_ENCODED_RUSTFLAGS", flags.join("\u{1f}"));
        Ok(cargo)
    }
}

/// A command without what an outer cargo set for itself.
pub(super) fn command(program: &str) -> Command {
    let mut command = Command::new(program);
    for name in [
        "RUSTFLAGS",
        "CARGO_ENCODED_RUSTFLAGS",
        "RUSTC_WRAPPER",
        "RUSTC_WORKSPACE_WRAPPER",
        "RUSTC",
        "CARGO_BUILD_TARGET",
    ] {
        command.env_remove(name);
    }
    command
}

/// Finds a compiler, installing what may be installed.
pub(super) fn pick(root: &Path) -> Result<Toolchain> {
    match std::env::var(FORCE).as_deref() {
        Ok("rustup") => {
            installed(root)?.context("the active toolchain has no target, and rustup could not add it")
        }
        Ok("debian") => debian(root),
        Ok(other) => bail!("{FORCE} is `rustup` or `debian`, not `{other}`"),
        Err(_) => match installed(root)? {
            Some(toolchain) => Ok(toolchain),
            None => debian(root),
        },
    }
}

/// The active toolchain, if it has the target or rustup can add it.
pub(super) fn installed(root: &Path) -> Result<Option<Toolchain>> {
    let sysroot = sysroot("rustc", root)?;
    let has_target = || sysroot.join("lib/rustlib").join(TARGET).join("lib").is_dir();
    if !has_target() {
        eprintln!("guests: asking rustup for the target {TARGET}");
        let added = command("rustup").args(["target", "add", TARGET]).current_dir(root).status();
        if !added.is_ok_and(|status| status.success()) || !has_target() {
            eprintln!("guests: rustup cannot add it");
            return Ok(None);
        }
    }
    let version = read(command("rustc").arg("-vV").current_dir(root))?;
    Ok(Some(Toolchain { way: Way::Installed, version, sysroot, linker: None }))
}

fn debian(root: &Path) -> Result<Toolchain> {
    if !has_debian() {
        install_debian()?;
    }
    let sysroot = sysroot(DEBIAN_RUSTC, root)?;
    let linker = rust_lld(root)?;
    let version = read(command(DEBIAN_RUSTC).arg("-vV"))?;
    Ok(Toolchain { way: Way::Debian, version, sysroot, linker: Some(linker) })
}

fn has_debian() -> bool {
    Path::new(DEBIAN_CARGO).exists()
        && read(command(DEBIAN_RUSTC).args(["--print", "sysroot"])).is_ok_and(|sysroot| {
            Path::new(sysroot.trim()).join("lib/rustlib/src/rust/library/std/Cargo.toml").exists()
        })
}

fn install_debian() -> Result<()> {
    crate::debian::install(&DEBIAN_PACKAGES).with_context(|| {
        format!(
            "no compiler for {TARGET} here: `rustup target add {TARGET}` failed, and Debian's packages are not installed"
        )
    })?;
    ensure!(has_debian(), "Debian's packages did not bring {DEBIAN_RUSTC} and its sources");
    Ok(())
}

/// The linker that every rustup toolchain carries.
fn rust_lld(root: &Path) -> Result<PathBuf> {
    let host = read(command("rustc").arg("-vV").current_dir(root))?
        .lines()
        .find_map(|line| line.strip_prefix("host: ").map(str::to_owned))
        .context("`rustc -vV` names no host")?;
    let linker = sysroot("rustc", root)?.join("lib/rustlib").join(host).join("bin/rust-lld");
    ensure!(linker.exists(), "the linker `{}` is missing from the active toolchain", linker.display());
    Ok(linker)
}

fn sysroot(rustc: &str, root: &Path) -> Result<PathBuf> {
    Ok(PathBuf::from(read(command(rustc).args(["--print", "sysroot"]).current_dir(root))?.trim()))
}

fn read(command: &mut Command) -> Result<String> {
    let output = command.output().with_context(|| format!("starting {command:?}"))?;
    ensure!(output.status.success(), "{command:?} failed: {}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8(output.stdout)?)
}
