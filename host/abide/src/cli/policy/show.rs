//! `ab policy show`: the bundles that were in force, from the log.

use std::path::PathBuf;

use abide_core::id::Digest;
use abide_ledger::Ledger;
use clap::Args as ClapArgs;
use serde_json::json;

use super::{Shell, bundle};
use crate::bundles::active::{Generation, Generations};
use crate::report::{Exit, Failure};
use crate::{repository, wiring};

const AFTER: &str = "\
What an old bundle would decide today: ab policy show --version 1 -o old.tar.gz, then
ab policy replay --dir old.tar.gz. It is never put in force again: versions only go up.";

#[derive(Debug, ClapArgs)]
#[command(after_help = AFTER)]
pub(crate) struct ShowArgs {
    /// The repository; the one around the current folder if not given.
    #[arg(long, value_name = "PATH")]
    repo: Option<PathBuf>,
    /// Take this version out.
    #[arg(long, value_name = "N", requires = "out")]
    version: Option<u64>,
    /// Where to write it; its signatures are written beside it.
    #[arg(long, short, value_name = "FILE", requires = "version")]
    out: Option<PathBuf>,
}

pub(crate) fn run(shell: &Shell, args: &ShowArgs) -> Result<Exit, Failure> {
    let known = repository::open(shell, args.repo.as_deref())?;
    let ledger = wiring::ledger(&known.state)?;
    let generations = Generations::of(&ledger)?;
    if let (Some(version), Some(out)) = (args.version, &args.out) {
        let found = generations.all().find(|one| one.record.version.0 == version).ok_or_else(|| {
            Failure::new("AB0266", format!("version {version} was never in force here")).exit(Exit::Usage)
        })?;
        bundle::write(out, &stored(&ledger, &found.record.archive)?)?;
        let signatures = bundle::signatures_of(out);
        bundle::write(&signatures, &stored(&ledger, &found.record.signatures)?)?;
        shell.printer.line(&format!("wrote {} and {}", out.display(), signatures.display()));
        shell.printer.data(&json!({ "file": out, "signatures": signatures, "digest": found.record.archive }));
        return Ok(Exit::Done);
    }
    let floor = generations.floor();
    if floor == 0 {
        shell.printer.line("the built-in policy is in force; no bundle ever was");
    }
    for one in generations.all() {
        let mark = if one.record.version.0 == floor { "in force" } else { "" };
        shell.printer.line(&row(one, mark));
    }
    shell
        .printer
        .data(&json!({ "in_force": floor, "generations": generations.all().map(data).collect::<Vec<_>>() }));
    Ok(Exit::Done)
}

fn row(one: &Generation, mark: &str) -> String {
    let record = &one.record;
    let people: Vec<String> =
        record.signed.iter().map(|signed| format!("{} ({})", signed.person, signed.role)).collect();
    let reason = abide_core::safe_text::line(&record.reason);
    let line = format!(
        "v{:<4} {} {}  {} by {}: {reason}  {mark}",
        record.version.0,
        day(one),
        bundle::brief(&record.archive),
        people.join(", "),
        abide_core::safe_text::line(&record.by)
    );
    line.trim_end().to_owned()
}

/// The day on which it came into force, UTC.
fn day(one: &Generation) -> String {
    let at = i64::try_from(one.at.0).unwrap_or(i64::MAX);
    jiff::Timestamp::from_millisecond(at)
        .map_or_else(|_| "?".to_owned(), |at| at.to_zoned(jiff::tz::TimeZone::UTC).date().to_string())
}

fn data(one: &Generation) -> serde_json::Value {
    json!({ "seq": one.seq.0, "at": one.at.0, "record": one.record })
}

fn stored(ledger: &Ledger, digest: &Digest) -> Result<Vec<u8>, Failure> {
    let blob = ledger.store().blob(digest).map_err(|error| Failure::of(error.code(), error))?;
    let bytes = blob.map(|blob| blob.bytes().to_vec()).filter(|bytes| Digest::of(bytes) == *digest);
    bytes.ok_or_else(|| {
        Failure::new("AB0404", format!("payload {} is missing from the state, or damaged", digest.short()))
            .exit(Exit::Evidence)
    })
}
