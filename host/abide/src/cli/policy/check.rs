//! `ab policy check`: everything that is wrong or doubtful in a policy, at once.
//!
//! Not the gate: what loads is decided by the loader, which stops at the first fault. See `finding` for what is told of each.

mod beside;
mod finding;
mod host_data;
mod machine;
mod text;
mod tightening;

use abide_gate::{Invariants, source, survey};
use clap::{Args as ClapArgs, ValueEnum};

use super::{Files, Which};
use crate::cli::Shell;
use crate::layers::Composed;
use crate::report::{Exit, Failure};
use crate::wiring;
use finding::{Finding, Level};

/// `ab policy check`.
#[derive(Debug, ClapArgs)]
pub(crate) struct CheckArgs {
    #[command(flatten)]
    which: Which,
    /// For whom the findings are written.
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For a person; with --json one object.
    Text,
    /// A SARIF 2.1.0 log, for code scanning.
    Sarif,
    /// Workflow commands, which become annotations of a change.
    Github,
}

pub(crate) fn run(shell: &Shell, args: &CheckArgs) -> Result<Exit, Failure> {
    let files = Files::open(shell, &args.which)?;
    let findings = look(shell, args, &files)?;
    let printer = &shell.printer;
    match args.format {
        Format::Text => {
            printer.exact(&text::all(&findings, &files, printer.colour(), printer.width()));
            printer.data(&machine::object(&findings));
        }
        Format::Sarif => printer.raw(&format!("{}\n", machine::sarif(&findings))),
        Format::Github => printer.raw(&machine::github(&findings)),
    }
    Ok(if findings.iter().any(|finding| finding.level == Level::Error) { Exit::Fault } else { Exit::Done })
}

/// Every finding, by file and line.
fn look(shell: &Shell, args: &CheckArgs, files: &Files) -> Result<Vec<Finding>, Failure> {
    let config = files.config(shell, &args.which);
    let (composed, unread) = match Composed::of(&files.added, config.as_ref()) {
        Ok(composed) => (composed, None),
        // The rest is looked at without the document.
        Err(error) => (Composed { added: files.without_documents(), tightened: Vec::new() }, Some(error)),
    };
    let (sources, broken) = source::gather_layered(&files.base, &composed.added);
    let found = survey(&sources, broken);
    let invariants = Invariants::load(&sources.invariants).err();
    let mut findings: Vec<Finding> =
        found.faults.iter().chain(&invariants).map(|fault| Finding::of(fault, files)).collect();
    findings
        .extend(found.unreached.iter().filter_map(|(place, name)| Finding::unreached(place, name, files)));
    findings.extend(found.unjoined.iter().filter_map(|(place, why)| Finding::unjoined(place, why, files)));
    findings.extend(found.doubts.iter().filter_map(|doubt| Finding::doubt(doubt, files)));
    findings.extend(unread.iter().map(|error| tightening::broken(error, files)));
    findings.extend(tightening::idle(&composed, config.as_ref(), &sources, files));
    findings.extend(beside::untitled(&sources, files));
    findings.extend(beside::misnamed(&sources, files));
    findings.extend(beside::ended_waivers(&sources, files, wiring::now()));
    findings.extend(beside::settings(shell, &args.which)?);
    if !files.is_layer {
        findings.extend(host_data::faults(&sources.data, files));
        findings.extend(beside::idle_zones(shell, &args.which, &sources, files)?);
    }
    findings.sort();
    findings.dedup_by(|one, other| {
        (&one.path, one.line(), one.code, &one.message)
            == (&other.path, other.line(), other.code, &other.message)
    });
    Ok(findings)
}
