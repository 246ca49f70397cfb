//! Demo, test and bench. Each builds what it needs first: the components, then `ab`, which carries them.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::guests;

/// Options of `cargo xtask demo`.
#[derive(clap::Args)]
pub struct Demo {
    /// A repository to copy, instead of this one.
    #[arg(long, value_name = "PATH")]
    repo: Option<PathBuf>,
    /// Keep the folder and say where it is.
    #[arg(long)]
    keep: bool,
}

/// Options of `cargo xtask test`.
#[derive(clap::Args)]
pub struct Test {
    /// Passed on to the test runner, for example a part of a test's name.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    rest: Vec<String>,
}

/// Options of `cargo xtask bench`.
#[derive(clap::Args)]
pub struct Bench {
    /// Passed on to the benchmarks, for example a part of a name.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    rest: Vec<String>,
}

/// Shows the story.
pub fn demo(options: &Demo) -> Result<()> {
    let root = guests::root()?;
    let ab = build(&root)?;
    let repo = options.repo.clone().unwrap_or(root);
    let mut command = Command::new(ab);
    command.arg("demo").arg("--repo").arg(repo);
    if options.keep {
        command.arg("--keep");
    }
    run(&mut command)
}

/// Runs the workers' own tests on this machine's target, then everything else. The runner's summary is the last thing printed.
pub fn test(options: &Test) -> Result<()> {
    let root = guests::root()?;
    let ab = build(&root)?;
    if options.rest.is_empty() {
        let target = guests::target_directory(&root)?.join("guest-tests");
        let mut workers = Command::new("cargo");
        workers
            .args(["test", "--quiet", "--workspace"])
            .current_dir(root.join("guest-workers"))
            .env("CARGO_TARGET_DIR", target);
        run(&mut workers)?;
    }
    let nextest = Command::new("cargo")
        .args(["nextest", "--version"])
        .output()
        .is_ok_and(|output| output.status.success());
    let mut tests = Command::new("cargo");
    if nextest {
        tests.args(["nextest", "run", "--workspace", "--no-fail-fast"]);
    } else {
        eprintln!("test: cargo-nextest is not installed, so `cargo test` runs the tests");
        tests.args(["test", "--workspace", "--no-fail-fast"]);
    }
    tests.args(&options.rest).current_dir(&root).env("ABIDE_AB", ab).env("ABIDE_REQUIRE_GUESTS", "1");
    run(&mut tests)
}

/// Runs the benchmarks, optimised.
pub fn bench(options: &Bench) -> Result<()> {
    let root = guests::root()?;
    guests::run(&guests::Options::default())?;
    let mut command = Command::new("cargo");
    command.args(["bench", "--package", "abide-benches", "--package", "abide-sandbox", "--"]);
    command.args(&options.rest).current_dir(&root);
    command.env("ABIDE_GUESTS", guests::target_directory(&root)?.join("guests"));
    // With it the interpreter collects a backtrace for each of its inner errors, which are many and no failures.
    command.env_remove("RUST_BACKTRACE").env_remove("RUST_LIB_BACKTRACE");
    run(&mut command)
}

/// Builds the components and then `ab`; returns its path.
fn build(root: &Path) -> Result<PathBuf> {
    guests::run(&guests::Options::default())?;
    let mut command = Command::new("cargo");
    command.args(["build", "--quiet", "--package", "abide"]).current_dir(root);
    run(&mut command)?;
    Ok(guests::target_directory(root)?.join("debug").join("ab"))
}

fn run(command: &mut Command) -> Result<()> {
    let status = command
        .status()
        .with_context(|| format!("{} cannot be started", command.get_program().to_string_lossy()))?;
    if !status.success() {
        bail!("{} failed: {status}", command.get_program().to_string_lossy());
    }
    Ok(())
}
