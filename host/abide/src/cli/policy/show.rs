//! `ab policy show`: the bundles that were in force, from the log.

mod effective;

use std::path::{Path, PathBuf};

use abide_core::id::{Digest, Timestamp};
use abide_ledger::Ledger;
use clap::Args as ClapArgs;
use serde::Serialize;
use serde_json::json;

use super::{Shell, bundle};
use crate::bundles::active::Generations;
use crate::bundles::on_record::{Activation, Cited, OnRecord, Record};
use crate::layers::organisation::Activations;
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
    /// Everything that is in force: each value with the layer that it came from, and what it took the place of.
    #[arg(long, conflicts_with = "version")]
    effective: bool,
    /// With --effective: all values and all profiles, not only what layers change.
    #[arg(long, requires = "effective")]
    all: bool,
    /// With --effective: as it is for this run, which may have a layer of its own.
    #[arg(long, value_name = "RUN", requires = "effective")]
    run: Option<String>,
    /// Of the organisation's layer, not of the whole policy.
    #[arg(long, requires = "version")]
    layer: bool,
}

pub(crate) fn run(shell: &Shell, args: &ShowArgs) -> Result<Exit, Failure> {
    let known = repository::open(shell, args.repo.as_deref())?;
    if args.effective {
        return effective::run(shell, &known, args.all, args.run.as_deref());
    }
    let ledger = wiring::ledger(&known.state)?;
    let generations = Generations::of(&ledger)?;
    let layers = Activations::of(&ledger)?;
    if let (Some(version), Some(out)) = (args.version, &args.out) {
        let found = if args.layer { find(&layers, version) } else { find(&generations, version) };
        return take_out(shell, &ledger, out, found?);
    }
    let (floor, layer_floor) = (generations.floor(), layers.floor());
    if floor == 0 {
        shell.printer.line("the built-in policy is in force; no bundle ever was");
    }
    for line in rows("", &generations).into_iter().chain(rows("organisation ", &layers)) {
        shell.printer.line(&line);
    }
    shell.printer.line("next: ab policy show --effective");
    shell.printer.data(&json!({
        "in_force": floor, "generations": data(&generations),
        "layer_in_force": layer_floor, "layers": data(&layers),
    }));
    Ok(Exit::Done)
}

/// Archive and signatures of a version.
fn find<'a, R: Record>(
    on_record: &'a OnRecord<'_, R>,
    version: u64,
) -> Result<(&'a Digest, &'a Digest), Failure> {
    let mut cited = on_record.all().map(|one| one.record.cited());
    let found = cited.find(|one| one.version == version).ok_or_else(|| {
        let what = format!("version {version} of the {} was never in force here", R::TOLD);
        Failure::new("AB0266", what).exit(Exit::Usage)
    })?;
    Ok((found.archive, found.signatures))
}

fn take_out(
    shell: &Shell,
    ledger: &Ledger,
    out: &Path,
    (archive, signed): (&Digest, &Digest),
) -> Result<Exit, Failure> {
    bundle::write(out, &stored(ledger, archive)?)?;
    let signatures = bundle::signatures_of(out);
    bundle::write(&signatures, &stored(ledger, signed)?)?;
    shell.printer.line(&format!("wrote {} and {}", out.display(), signatures.display()));
    shell.printer.data(&json!({ "file": out, "signatures": signatures, "digest": archive }));
    Ok(Exit::Done)
}

/// A line for each version, `what` before it.
fn rows<R: Record>(what: &str, on_record: &OnRecord<'_, R>) -> Vec<String> {
    on_record.all().map(|one| row(what, one, on_record.floor())).collect()
}

fn row<R: Record>(what: &str, one: &Activation<R>, floor: u64) -> String {
    let Cited { version, archive, signed, by, reason, .. } = one.record.cited();
    let people: Vec<String> =
        signed.iter().map(|signed| format!("{} ({})", signed.person, signed.role)).collect();
    let line = format!(
        "{what}v{version:<4} {} {}  {} by {}: {}  {}",
        day(one.at),
        bundle::brief(archive),
        people.join(", "),
        abide_core::safe_text::line(by),
        abide_core::safe_text::line(reason),
        if version == floor { "in force" } else { "" }
    );
    line.trim_end().to_owned()
}

/// The day on which it came into force, UTC.
pub(super) fn day(at: Timestamp) -> String {
    let at = i64::try_from(at.0).unwrap_or(i64::MAX);
    jiff::Timestamp::from_millisecond(at)
        .map_or_else(|_| "?".to_owned(), |at| at.to_zoned(jiff::tz::TimeZone::UTC).date().to_string())
}

fn data<R: Record + Serialize>(on_record: &OnRecord<'_, R>) -> Vec<serde_json::Value> {
    on_record.all().map(|one| json!({ "seq": one.seq.0, "at": one.at.0, "record": one.record })).collect()
}

fn stored(ledger: &Ledger, digest: &Digest) -> Result<Vec<u8>, Failure> {
    let blob = ledger.store().blob(digest).map_err(|error| Failure::of(error.code(), error))?;
    let bytes = blob.map(|blob| blob.bytes().to_vec()).filter(|bytes| Digest::of(bytes) == *digest);
    bytes.ok_or_else(|| {
        Failure::new("AB0404", format!("payload {} is missing from the state, or damaged", digest.short()))
            .exit(Exit::Evidence)
    })
}
