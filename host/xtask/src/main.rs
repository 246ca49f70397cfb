//! `cargo xtask`: the chores. One file per chore; this one only dispatches.

mod browser;
mod chores;
mod debian;
mod guests;
mod mutate;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "cargo xtask", about = "The chores of this repository")]
struct Arguments {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Subcommand)]
enum Chore {
    /// Show the whole story on a scratch copy of a real repository (this one, if none is given).
    Demo(chores::Demo),
    /// Build everything and run every test.
    Test(chores::Test),
    /// Measure; prints figures, asserts nothing.
    Bench(chores::Bench),
    /// Take away one question to the gate at a time, and see that it is noticed.
    Mutate,
    /// Install the browser that workers read the web with, and what its tests need, where they are missing.
    Browser,
    /// Build the worker components into `<target>/guests`.
    Guests(guests::Options),
}

fn main() -> anyhow::Result<()> {
    match Arguments::parse().chore {
        Chore::Demo(options) => chores::demo(&options),
        Chore::Test(options) => chores::test(&options),
        Chore::Bench(options) => chores::bench(&options),
        Chore::Mutate => mutate::run(),
        Chore::Browser => browser::run(),
        Chore::Guests(options) => guests::run(&options),
    }
}
