//! How much of the rules the tests come to: a table, a threshold, and a tracefile for other tools.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use abide_gate::{Coverage, FileCoverage};
use clap::Args as ClapArgs;
use serde_json::{Value as Json, json};

use super::shown;
use crate::cli::Shell;
use crate::cli::policy::Files;
use crate::report::{Exit, Failure};

/// Options about coverage; each of them asks for it.
#[derive(Debug, ClapArgs)]
pub(super) struct CoveredArgs {
    /// Show how many lines of each file the tests evaluate.
    #[arg(long)]
    coverage: bool,
    /// Fail if they evaluate less than PERCENT of all lines.
    #[arg(long, value_name = "PERCENT", value_parser = clap::value_parser!(u8).range(0..=100))]
    threshold: Option<u8>,
    /// Write which lines they evaluate to FILE, as an LCOV tracefile.
    #[arg(long, value_name = "FILE")]
    lcov: Option<PathBuf>,
}

impl CoveredArgs {
    pub(super) fn is_wanted(&self) -> bool {
        self.coverage || self.threshold.is_some() || self.lcov.is_some()
    }
}

/// Coverage of the files that somebody edits here, by the path they edit.
#[derive(Debug)]
pub(super) struct Table(BTreeMap<String, FileCoverage>);

pub(super) fn table(coverage: &Coverage, files: &Files) -> Table {
    let edited = coverage.0.iter().filter(|(path, _)| files.edited(path).is_some());
    Table(edited.map(|(path, file)| (shown(path, files), file.clone())).collect())
}

/// Lines that were evaluated, and all that could have been.
#[derive(Debug, Clone, Copy, Default)]
struct Sum {
    covered: usize,
    total: usize,
}

impl Sum {
    fn of(file: &FileCoverage) -> Self {
        Self { covered: file.covered.len(), total: file.covered.len().saturating_add(file.missed.len()) }
    }

    fn and(self, other: Self) -> Self {
        Self {
            covered: self.covered.saturating_add(other.covered),
            total: self.total.saturating_add(other.total),
        }
    }

    /// Rounded down, so that 100 means all. Nothing to evaluate is all evaluated.
    fn percent(self) -> usize {
        self.covered.saturating_mul(100).checked_div(self.total).unwrap_or(100)
    }
}

impl Table {
    fn sum(&self) -> Sum {
        self.0.values().map(Sum::of).fold(Sum::default(), Sum::and)
    }

    /// For `--json`.
    pub(super) fn object(&self) -> Json {
        let of = |sum: Sum| json!({ "covered": sum.covered, "total": sum.total, "percent": sum.percent() });
        let files: BTreeMap<&String, Json> = self
            .0
            .iter()
            .map(|(path, file)| {
                let mut about = of(Sum::of(file));
                if let Some(fields) = about.as_object_mut() {
                    fields.insert("missed".to_owned(), json!(file.missed));
                }
                (path, about)
            })
            .collect();
        json!({ "files": files, "all": of(self.sum()) })
    }

    /// As `geninfo(1)` describes it. The engine does not count, so a line was evaluated once or not at all.
    fn lcov(&self) -> String {
        let mut out = Vec::new();
        for (path, file) in &self.0 {
            let mut lines: BTreeMap<u32, u8> = file.missed.iter().map(|line| (*line, 0)).collect();
            lines.extend(file.covered.iter().map(|line| (*line, 1)));
            out.push(format!("TN:\nSF:{path}\n"));
            out.extend(lines.iter().map(|(line, count)| format!("DA:{line},{count}\n")));
            let sum = Sum::of(file);
            out.push(format!("LF:{}\nLH:{}\nend_of_record\n", sum.total, sum.covered));
        }
        out.concat()
    }
}

/// Shows and writes what was asked for. `false` means that too little is covered.
pub(super) fn tell(shell: &Shell, args: &CoveredArgs, table: &Table) -> Result<bool, Failure> {
    let printer = &shell.printer;
    if args.coverage || args.threshold.is_some() {
        for (path, file) in &table.0 {
            let sum = Sum::of(file);
            printer.line(&format!("{:>3} %  {:>9}  {path}", sum.percent(), of(sum)));
        }
        printer.line(&format!("{:>3} %  {:>9}  all", table.sum().percent(), of(table.sum())));
    }
    if let Some(file) = &args.lcov {
        fs::write(file, table.lcov()).map_err(|error| {
            Failure::new("AB0169", format!("`{}` cannot be written: {error}", file.display()))
                .exit(Exit::Usage)
        })?;
    }
    let percent = table.sum().percent();
    let short = args.threshold.filter(|wanted| percent < usize::from(*wanted));
    if let Some(wanted) = short {
        printer.line(&format!("AB0167: the tests evaluate {percent} % of the lines; {wanted} % are wanted"));
    }
    Ok(short.is_none())
}

fn of(sum: Sum) -> String {
    format!("{}/{}", sum.covered, sum.total)
}
