//! What an import would let a component do, and whether any host gives it: one answer for looking and for loading.

use std::collections::BTreeSet;

use serde::Serialize;

use crate::message::Capability;
use crate::stub::is_stubbable;

/// The package of the contract with workers, and the version of it that this host has (`wit/`).
pub const PACKAGE: &str = "abide:worker";
/// See [`PACKAGE`].
pub const VERSION: &str = "0.1.0";
/// The worlds of that version, each with what it has beside what all have.
pub const WORLDS: [(&str, &[Capability]); 4] = [
    ("codegen", &[]),
    ("testgen", &[]),
    ("extract", &[Capability::Egress]),
    ("browse", &[Capability::Browser]),
];

/// What not every world has.
const LEADING_OUT: [Capability; 2] = [Capability::Egress, Capability::Browser];

/// The worlds that have all of `imports`.
pub(super) fn worlds(imports: &BTreeSet<Capability>) -> Vec<&'static str> {
    let has =
        |more: &[Capability], wanted: &Capability| !LEADING_OUT.contains(wanted) || more.contains(wanted);
    WORLDS
        .into_iter()
        .filter(|(_, more)| imports.iter().all(|wanted| has(more, wanted)))
        .map(|(world, _)| world)
        .collect()
}

/// Whether an import can be given at all. What is neither [`Admission::Grantable`] nor stubbed is refused before anything is compiled, and again when it
/// is loaded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "admission", content = "of")]
pub enum Admission {
    /// Policy decides.
    Grantable(Capability),
    /// An interface of the contract, in a version that this host does not have.
    OtherVersion(String),
    /// Of WASI: never linked to anything real. Policy may have it linked to nothing.
    Stubbable,
    /// Nobody here knows it.
    Unknown,
}

/// Decides about the interface called `name`.
pub fn admission(name: &str) -> Admission {
    if let Some(capability) = Capability::of_interface(name) {
        return Admission::Grantable(capability);
    }
    match contract_version(name) {
        Some(version) if version != VERSION => Admission::OtherVersion(version.to_owned()),
        _ if is_stubbable(name) => Admission::Stubbable,
        _ => Admission::Unknown,
    }
}

/// The package of an interface: `wasi:io` of `wasi:io/poll@0.2.0`. What has none is its own.
pub fn package(interface: &str) -> &str {
    interface.split_once('/').map_or(interface, |(package, _)| package)
}

/// The version in `abide:worker/log@0.1.0`; empty where none is written. None for any other package.
pub(super) fn contract_version(name: &str) -> Option<&str> {
    let interface = name.strip_prefix(PACKAGE)?.strip_prefix('/')?;
    Some(interface.split_once('@').map_or("", |(_, version)| version))
}

/// What it would let a component do, for people.
pub fn meaning(name: &str) -> &'static str {
    match admission(name) {
        Admission::Grantable(Capability::Workspace) => {
            "read the tracked files of your repository at the base commit"
        }
        Admission::Grantable(Capability::Log) => "leave notes in the run",
        Admission::Grantable(Capability::Progress) => "say how far the work is",
        Admission::Grantable(Capability::Egress) => "send requests that a lease of your policy allows",
        Admission::Grantable(Capability::Browser) => {
            "look at pages in a browser whose requests a lease of your policy allows"
        }
        Admission::OtherVersion(_) => "something of another version of the contract",
        Admission::Stubbable => wasi(name),
        Admission::Unknown => "nobody here knows this",
    }
}

/// The families of WASI, by how their interfaces begin (`wasi.dev/interfaces`); the first that fits counts.
const WASI: &[(&str, &str)] = &[
    ("wasi:sockets/", "open network connections and look up names"),
    ("wasi:filesystem/", "open files and folders of this machine"),
    ("wasi:http/", "send or answer HTTP requests"),
    ("wasi:tls/", "open encrypted network connections"),
    ("wasi:cli/environment@", "read arguments and environment variables"),
    ("wasi:cli/exit@", "end itself before it answers"),
    ("wasi:cli/std", "read and write the terminal"),
    ("wasi:cli/terminal", "read and write the terminal"),
    ("wasi:cli/", "be run as a command"),
    ("wasi:clocks/", "read clocks and wait"),
    ("wasi:random/", "draw random numbers"),
    ("wasi:io/", "move streams of bytes and wait for them"),
    ("wasi:config/", "read settings of this machine"),
    ("wasi:keyvalue/", "keep values in a store of this machine"),
    ("wasi:blobstore/", "keep files in a store of this machine"),
    ("wasi:messaging/", "send and receive messages"),
    ("wasi:logging/", "write to a log of this machine"),
    ("wasi:nn/", "run models on this machine"),
    ("wasi:webgpu/", "use the graphics card"),
];

/// What a component finds behind an interface of WASI that an HTTP client needs, where it has a lease, for people.
pub fn served_as(name: &str) -> &'static str {
    match package(name) {
        "wasi:http" => "each request is judged by its lease",
        "wasi:clocks" => "gets a clock that counts questions and knows no time",
        _ => "the bytes of its own requests and answers",
    }
}

/// What a component finds behind an interface of WASI that policy has linked to nothing, for people.
pub fn stubbed_as(name: &str) -> &'static str {
    match package(name) {
        "wasi:clocks" => "gets a clock that counts questions and knows no time",
        "wasi:random" => "gets bytes that the task seeds, the same each time",
        _ => "gets nothing behind it: every call fails or tells nothing",
    }
}

fn wasi(name: &str) -> &'static str {
    let known = WASI.iter().find(|(family, _)| name.starts_with(family));
    known.map_or("something of WASI that this host does not know", |(_, words)| words)
}
