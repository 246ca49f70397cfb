//! `ab worker inspect`: what a component is and asks for, before anything of it is compiled.

use std::collections::BTreeSet;
use std::path::PathBuf;

use abide_core::safe_text;
use abide_sandbox::inspect::{self, Admission, Inspection, PACKAGE, VERSION};
use clap::Args as ClapArgs;
use serde_json::json;

use super::Law;
use crate::cli::Shell;
use crate::cli::args::AtRepo;
use crate::cli::printer::{Printer, Tone};
use crate::report::{Exit, Failure};
use crate::workers::grants::Outlook;

const AFTER: &str = "\
Everything is read from the file's structure, as the engine checks it. What a toolchain wrote about itself is marked as a claim.
Exit 8: it cannot be used here, whatever policy says; the message says why.";

#[derive(Debug, ClapArgs)]
#[command(after_help = AFTER)]
pub(crate) struct InspectArgs {
    #[command(flatten)]
    at: AtRepo,
    /// A .wasm file, or the folder of an OCI image layout.
    file: PathBuf,
}

/// Reads the component at the limit that the policy's data sets.
pub(super) fn look(law: &Law, file: &std::path::Path) -> Result<(Vec<u8>, Inspection), Failure> {
    let most = law.policy.engine.component_bytes_max;
    let bytes = super::bytes_at(file, most)?;
    let shown = safe_text::line(&file.display().to_string());
    let found = inspect::inspect(&bytes, most).map_err(|error| {
        let code = error.code();
        Failure::new(code, format!("{shown}: {error}")).exit(Exit::Evidence)
    })?;
    Ok((bytes, found))
}

/// What the policy would make of it.
pub(super) fn outlook(law: &Law, found: &Inspection) -> Outlook {
    Outlook::of(&law.policy, &law.files, found)
}

pub(super) fn run(shell: &Shell, args: &InspectArgs) -> Result<Exit, Failure> {
    let law = Law::around(shell, args.at.repo.as_deref())?;
    let (_, found) = look(&law, &args.file)?;
    let outlook = outlook(&law, &found);
    let objections = found.objections(|name| outlook.gives(name));
    let printer = &shell.printer;
    told(printer, &found, &outlook);
    grants(printer, &law, &outlook, &found);
    for objection in &objections {
        let mark = printer.paint(Tone::Bad, "refused   ");
        printer.line(&format!("{mark}  {} [{}]", objection.what, objection.code));
    }
    let file = args.file.display();
    match objections.first() {
        Some(first) => printer.line(&format!("next: {} · ab explain {}", first.next, first.code)),
        None if law.of_repository => printer.line(&format!("next: ab worker add {file} --reason WHY")),
        None => {
            printer.line(&format!("next: in a repository that ab knows: ab worker add {file} --reason WHY"));
        }
    }
    printer.data(&json!({
        "file": args.file, "kind": "component", "component": found, "capabilities": found.capabilities(), "outlook": outlook,
        "of_repository": law.of_repository, "objections": objections, "host": { "contract": format!("{PACKAGE}@{VERSION}") },
    }));
    Ok(if objections.is_empty() { Exit::Done } else { Exit::Evidence })
}

/// A size for people, in decimal units.
pub(super) fn size(bytes: u64) -> String {
    let units = [(1_000_000_000, "GB"), (1_000_000, "MB"), (1_000, "kB")];
    for (unit, name) in units {
        if bytes >= unit {
            let tenths = bytes.saturating_mul(10).checked_div(unit).unwrap_or_default();
            return match tenths.checked_div(10) {
                Some(whole) if whole < 10 => {
                    format!("{whole}.{} {name}", tenths.checked_rem(10).unwrap_or_default())
                }
                whole => format!("{} {name}", whole.unwrap_or_default()),
            };
        }
    }
    format!("{bytes} B")
}

/// What the file says.
pub(super) fn told(printer: &Printer, found: &Inspection, outlook: &Outlook) {
    printer.line(&format!("component   {}", size(found.bytes)));
    printer.line(&format!("sha256      {}", found.digest.hex()));
    printer.line(&format!("claims      {}", claims(found)));
    printer.line(&format!("built for   {}", built_for(found)));
    let mut head = "asks for  ";
    for (name, meaning, tail) in asks(found, outlook) {
        printer.line(&format!("{head}  {name:<15} {meaning}{tail}"));
        head = "          ";
    }
    if found.imports.is_empty() {
        printer.line("asks for    nothing: it can only compute");
    }
    printer.line(&format!(
        "offers      {}",
        if found.exports.is_empty() { "nothing".to_owned() } else { shortened(&found.exports) }
    ));
    printer.line(&format!("inside      {}", inside(found)));
    let estimate = &found.estimate;
    let tenths = estimate.cpu_ms.div_ceil(100);
    printer.line(&format!(
        "compiling   about {} of memory and {}.{} s (an estimate from its size)",
        size(estimate.memory_bytes),
        tenths.checked_div(10).unwrap_or_default(),
        tenths.checked_rem(10).unwrap_or_default()
    ));
}

/// What it asks for, in words: name, meaning, what comes of it. Of WASI each package is named once for each thing that it would open.
fn asks<'a>(found: &'a Inspection, outlook: &Outlook) -> Vec<(&'a str, &'a str, String)> {
    let mut rows = Vec::new();
    for import in &found.imports {
        let name = import.name.as_str();
        let row = match &import.admission {
            Admission::Grantable(capability) => (capability.name(), import.meaning, String::new()),
            Admission::Stubbable if outlook.served.contains(name) => {
                (inspect::package(name), import.meaning, format!(": {}", inspect::served_as(name)))
            }
            Admission::Stubbable if outlook.stubs.contains(name) => {
                (inspect::package(name), import.meaning, format!(": {}", inspect::stubbed_as(name)))
            }
            Admission::Stubbable => (inspect::package(name), import.meaning, ": never granted".to_owned()),
            Admission::OtherVersion(_) | Admission::Unknown => (name, import.meaning, ": refused".to_owned()),
        };
        if !rows.contains(&row) {
            rows.push(row);
        }
    }
    rows
}

/// Names, as many as a person reads.
fn shortened(names: &[String]) -> String {
    let more = names.len().saturating_sub(6);
    let tail = if more == 0 { String::new() } else { format!(" and {more} more") };
    format!("{}{tail}", names.iter().take(6).map(|name| safe_text::line(name)).collect::<Vec<_>>().join(", "))
}

fn claims(found: &Inspection) -> String {
    let of = |field: &str| {
        let named = found.claims.iter().filter(|claim| claim.field == field);
        named
            .map(|claim| format!("{} {}", claim.name, claim.version).trim_end().to_owned())
            .collect::<Vec<_>>()
    };
    let (language, made) = (of("language"), [of("processed-by"), of("sdk")].concat());
    match (language.is_empty(), made.is_empty()) {
        (true, true) => "nothing about its language or toolchain".to_owned(),
        (true, false) => format!("made with {} (unverified)", shortened(&made)),
        (false, true) => format!("{} (unverified)", shortened(&language)),
        (false, false) => format!("{}, made with {} (unverified)", shortened(&language), shortened(&made)),
    }
}

fn built_for(found: &Inspection) -> String {
    let contract = &found.contract;
    if contract.versions.is_empty() {
        return format!("no version of {PACKAGE} that it names; this host has {PACKAGE}@{VERSION}");
    }
    let versions: Vec<String> =
        contract.versions.iter().map(|version| format!("{PACKAGE}@{version}")).collect();
    let versions = versions.join(", ");
    if contract.worlds.is_empty() {
        return format!("{versions}; it fits no world of this host's {PACKAGE}@{VERSION}");
    }
    format!("{versions} (fits {})", contract.worlds.join(" and "))
}

fn inside(found: &Inspection) -> String {
    let parts = &found.parts;
    let memories: Vec<String> = parts
        .memories
        .iter()
        .take(4)
        .map(|memory| {
            let most = memory
                .maximum_bytes
                .map_or_else(|| "no bound of its own".to_owned(), |most| format!("at most {}", size(most)));
            format!("{} ({most})", size(memory.initial_bytes))
        })
        .collect();
    let memory =
        if memories.is_empty() { "no memory".to_owned() } else { format!("memory {}", memories.join(", ")) };
    let unchecked = match parts.functions_unchecked {
        0 => String::new(),
        count => format!("; {count} functions are too large to check before compiling"),
    };
    format!(
        "{} modules, {} instances, {} functions ({} of code), {memory}, {} table elements, {} of data{unchecked}",
        parts.modules,
        parts.instances,
        parts.functions,
        size(parts.code_bytes),
        parts.table_elements(),
        size(parts.data_bytes)
    )
}

/// What policy would make of it.
pub(super) fn grants(printer: &Printer, law: &Law, outlook: &Outlook, found: &Inspection) {
    let whose = if law.of_repository { "" } else { " of the shipped policy" };
    let own = if outlook.own_entry { ", an entry for exactly these bytes" } else { "" };
    let get: Vec<String> = outlook
        .get
        .iter()
        .map(|(name, level)| if *level == 0 { name.clone() } else { format!("{name} (from A{level})") })
        .collect();
    let get = if get.is_empty() { "nothing".to_owned() } else { get.join(", ") };
    printer.line(&format!("would get   {get}  ({}{whose}{own})", outlook.place));
    if !outlook.stubs.is_empty() {
        let packages: BTreeSet<&str> = outlook.stubs.iter().map(|name| inspect::package(name)).collect();
        let packages: Vec<&str> = packages.into_iter().collect();
        printer.line(&format!("stubs       {}  (`stubs` of the same data)", packages.join(", ")));
    }
    let others = found.imports.iter().filter(|import| {
        !matches!(import.admission, Admission::Grantable(_)) && !outlook.gives(&import.name)
    });
    let miss: Vec<String> =
        outlook.miss.iter().cloned().chain(others.map(|import| import.name.clone())).collect();
    if !miss.is_empty() {
        printer.line(&format!("would miss  {}  → it would not be run", shortened(&miss)));
    }
    printer.line(&format!("limits      {}", outlook.limits));
    for why in &outlook.short {
        printer.line(&format!("{}  {why}", printer.paint(Tone::Wait, "too small ")));
    }
}
