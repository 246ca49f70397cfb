//! What a component says of itself, read before anything of it is compiled.
//!
//! The bytes are a stranger's. They are read in one pass, structure and types are checked as the engine checks them, and everything that a few
//! bytes could blow up (nesting, types, functions that push many values) has a bound, so that reading costs little more than the file itself.
//! Text is cleaned and cut. What a toolchain wrote about itself is a claim, and nothing here rests on it.
//!
//! Not here: running it ([`crate::run`]), who signed it and what policy grants it (`host/abide`).

mod meaning;
mod walk;

use std::collections::{BTreeMap, BTreeSet};

use abide_core::id::Digest;
use serde::Serialize;

use crate::http;

pub use meaning::{Admission, PACKAGE, VERSION, WORLDS, admission, meaning, package, served_as, stubbed_as};

/// Why some bytes cannot be looked at as a component.
#[derive(Debug, thiserror::Error)]
pub enum InspectError {
    /// Not WebAssembly.
    #[error("not WebAssembly: it does not begin as a component does")]
    NotWasm,
    /// WebAssembly written as text.
    #[error("WebAssembly text, not a component")]
    Text,
    /// Machine code that an engine compiled.
    #[error("compiled code, not a component: nobody can see what it would do")]
    Compiled,
    /// A core module.
    #[error("a core module, not a component")]
    CoreModule,
    /// Over `component_bytes_max`.
    #[error("the component has {bytes} bytes, and the limit is {limit}")]
    TooLarge {
        /// Its size.
        bytes: u64,
        /// The limit.
        limit: u64,
    },
    /// Truncated, changed, or using a feature that is off.
    #[error("the component is malformed at byte {at}: {why}")]
    Malformed {
        /// Where.
        at: usize,
        /// The parser's words.
        why: String,
    },
    /// Too much of something that costs more to read than to write.
    #[error("the component has more {what} than {most}")]
    TooComplex {
        /// Of what.
        what: &'static str,
        /// How much is read.
        most: u64,
    },
}

impl InspectError {
    /// The code that `ab explain` knows; the same as loading gives where both refuse.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotWasm => "AB0801",
            Self::CoreModule => "AB0802",
            Self::TooLarge { .. } | Self::Malformed { .. } => "AB0803",
            Self::Text => "AB0840",
            Self::Compiled => "AB0841",
            Self::TooComplex { .. } => "AB0842",
        }
    }
}

/// Something that a toolchain wrote into the file. Nobody checked it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Claim {
    /// `language`, `processed-by` or `sdk`.
    pub field: String,
    /// For example `Rust`. Cleaned, at most 80 bytes.
    pub name: String,
    /// Cleaned, at most 80 bytes; may be empty.
    pub version: String,
}

/// An interface, or something else, that has to be given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Import {
    /// As the component names it. Cleaned, at most 200 bytes.
    pub name: String,
    /// What it would let it do.
    pub meaning: &'static str,
    /// Whether it can be given.
    #[serde(flatten)]
    pub admission: Admission,
}

/// Which contract it was built for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Contract {
    /// Versions of [`PACKAGE`] that its imports and exports name, sorted. Empty if it names none.
    pub versions: Vec<String>,
    /// Worlds of this host's version that it fits.
    pub worlds: Vec<&'static str>,
}

/// One linear memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Memory {
    /// Bytes at the start.
    pub initial_bytes: u64,
    /// Bytes that it may grow to, if it says so.
    pub maximum_bytes: Option<u64>,
}

/// One table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Table {
    /// Elements at the start.
    pub initial: u64,
    /// Elements that it may grow to, if it says so.
    pub maximum: Option<u64>,
}

/// What it is made of, nested parts included.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Parts {
    /// Components inside, itself not counted.
    pub components: u32,
    /// Core modules.
    pub modules: u32,
    /// Core instances that are made when it starts.
    pub instances: u32,
    /// Functions with code.
    pub functions: u64,
    /// Bytes of code.
    pub code_bytes: u64,
    /// Bytes of data that memories begin with.
    pub data_bytes: u64,
    /// Bytes of custom sections: names, debug information, claims.
    pub custom_bytes: u64,
    /// Memories.
    pub memories: Vec<Memory>,
    /// Tables.
    pub tables: Vec<Table>,
    /// Functions whose code was not checked because that would cost too much here. Compiling checks them.
    pub functions_unchecked: u64,
}

impl Parts {
    /// Bytes that all memories have at the start.
    pub fn memory_bytes(&self) -> u64 {
        self.memories.iter().fold(0, |sum, memory| sum.saturating_add(memory.initial_bytes))
    }

    /// Elements that all tables have at the start.
    pub fn table_elements(&self) -> u64 {
        self.tables.iter().fold(0, |sum, table| sum.saturating_add(table.initial))
    }
}

/// What compiling it would cost, from its size alone: an estimate, good to a factor of about two.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Estimate {
    /// Memory, in bytes.
    pub memory_bytes: u64,
    /// Processor time, in milliseconds.
    pub cpu_ms: u64,
}

impl Estimate {
    /// Measured with wasmtime 48 on the shipped workers (release build, two cores): 0.9 s and 78 MB for 469 KB, 1.6 s and 70 MB for 672 KB; and
    /// 480 MB for 12 MB.
    fn of(bytes: u64) -> Self {
        let memory_bytes = bytes.saturating_mul(35).saturating_add(60 << 20);
        Self { memory_bytes, cpu_ms: bytes.saturating_mul(22).div_ceil(10_000) }
    }
}

const WITHOUT: &str = "have it built for `wit/` without this import";

/// Something that speaks against loading it here, whatever policy says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Objection {
    /// The code that `ab explain` knows.
    pub code: &'static str,
    /// What.
    pub what: String,
    /// What to do about it.
    pub next: String,
}

/// A component as a person should see it before trusting it with anything.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Inspection {
    /// Digest of the whole file.
    pub digest: Digest,
    /// Its size.
    pub bytes: u64,
    /// What toolchains wrote into it, sorted.
    pub claims: Vec<Claim>,
    /// Which contract it was built for.
    pub contract: Contract,
    /// What it asks for, sorted by name. Types alone ask for nothing.
    pub imports: Vec<Import>,
    /// What it offers, sorted; cleaned, at most 200 bytes each.
    pub exports: Vec<String>,
    /// Whether it exports the function `propose`.
    pub proposes: bool,
    /// What it is made of.
    pub parts: Parts,
    /// What compiling it would cost.
    pub estimate: Estimate,
}

/// Reads `bytes`, of which there may be `bytes_max`. Nothing is compiled, and nothing of it runs.
pub fn inspect(bytes: &[u8], bytes_max: u64) -> Result<Inspection, InspectError> {
    let size = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
    if size > bytes_max {
        return Err(InspectError::TooLarge { bytes: size, limit: bytes_max });
    }
    kind(bytes)?;
    let walked = walk::walk(bytes)?;
    Ok(Inspection {
        digest: Digest::of(bytes),
        bytes: size,
        claims: walked.claims.into_iter().collect(),
        contract: walked.contract,
        imports: walked.imports,
        exports: walked.exports,
        proposes: walked.proposes,
        parts: walked.parts,
        estimate: Estimate::of(size),
    })
}

/// Tells a component from what is often taken for one.
fn kind(bytes: &[u8]) -> Result<(), InspectError> {
    use crate::component::{COMPONENT_PREAMBLE, MODULE_PREAMBLE};
    if bytes.starts_with(&COMPONENT_PREAMBLE) {
        return Ok(());
    }
    if bytes.starts_with(&MODULE_PREAMBLE) {
        return Err(InspectError::CoreModule);
    }
    // Wasmtime's compiled form is an ELF file.
    if bytes.starts_with(b"\x7fELF") {
        return Err(InspectError::Compiled);
    }
    if bytes.starts_with(b"\0asm") {
        // Cut off in the preamble, or a version that nobody here reads.
        let why = "it is cut off, or of a version of WebAssembly that this host does not read".to_owned();
        return Err(InspectError::Malformed { at: 4, why });
    }
    let start = bytes.trim_ascii_start();
    let is_text =
        start.starts_with(b"(component") || start.starts_with(b"(module") || start.starts_with(b";;");
    Err(if is_text { InspectError::Text } else { InspectError::NotWasm })
}

impl Inspection {
    /// What speaks against it where policy has `is_stubbed` of WASI linked to nothing. Empty if the gate alone decides.
    pub fn objections(&self, is_stubbed: impl Fn(&str) -> bool) -> Vec<Objection> {
        let mut found = Vec::new();
        let others: Vec<&str> =
            self.contract.versions.iter().map(String::as_str).filter(|version| *version != VERSION).collect();
        if !others.is_empty() {
            let named =
                others.iter().map(|version| format!("{PACKAGE}@{version}")).collect::<Vec<_>>().join(", ");
            found.push(Objection {
                code: "AB0843",
                what: format!("it was built for {named}, and this host has {PACKAGE}@{VERSION}"),
                next: format!(
                    "have it built again with `wit/` of this release (`package {PACKAGE}@{VERSION}`)"
                ),
            });
        }
        let unknown = self.imports.iter().filter(|import| import.admission == Admission::Unknown);
        found.extend(unknown.map(|import| Objection {
            code: "AB0202",
            what: format!("it imports `{}`: nobody here knows this", import.name),
            next: WITHOUT.to_owned(),
        }));
        found.extend(self.not_stubbed(is_stubbed));
        if !self.proposes {
            found.push(Objection {
                code: "AB0804",
                what: "it exports no function `propose`".to_owned(),
                next: "have it built for a world of `wit/`".to_owned(),
            });
        }
        found
    }

    /// One objection for each package of WASI that is given to nobody.
    fn not_stubbed(&self, is_stubbed: impl Fn(&str) -> bool) -> impl Iterator<Item = Objection> {
        let mut packages: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for name in self.of_wasi().filter(|name| !is_stubbed(name)) {
            packages.entry(package(name)).or_default().push(name);
        }
        let objection = |(package, names): (&str, Vec<&str>)| {
            let more = match names.len().saturating_sub(1) {
                0 => String::new(),
                more => format!(" and {more} more of `{package}`"),
            };
            let what = format!(
                "it imports `{}`{more}: never given to a worker",
                names.first().copied().unwrap_or_default()
            );
            let lease = if package == "wasi:http" {
                "; with `egress` and a lease in its own entry there, requests go where the lease says"
            } else {
                ""
            };
            let next = format!(
                "{WITHOUT}, or list `{package}` in `stubs` of policies/data/grants.yaml: it then gets nothing behind it{lease}"
            );
            Objection { code: "AB0202", what, next }
        };
        packages.into_iter().map(objection).collect::<Vec<_>>().into_iter()
    }

    /// Interfaces of WASI that it imports: they can have nothing behind them.
    pub fn of_wasi(&self) -> impl Iterator<Item = &str> {
        let wasi = self.imports.iter().filter(|import| import.admission == Admission::Stubbable);
        wasi.map(|import| import.name.as_str())
    }

    /// Interfaces of WASI by which it sends requests, and what these drag in: with a lease they lead to the broker. Empty if it sends none that way.
    pub fn of_http(&self) -> BTreeSet<&str> {
        http::of_client(self.imports.iter().map(|import| import.name.as_str()))
    }

    /// Names of the capabilities that it asks for, as policies have them, sorted.
    pub fn capabilities(&self) -> Vec<&'static str> {
        let grantable = |import: &Import| match &import.admission {
            Admission::Grantable(capability) => Some(capability.name()),
            Admission::OtherVersion(_) | Admission::Stubbable | Admission::Unknown => None,
        };
        let mut names: Vec<&str> = self.imports.iter().filter_map(grantable).collect();
        names.sort_unstable();
        names
    }
}
