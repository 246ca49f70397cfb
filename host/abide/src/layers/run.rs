//! The layer of one run: given when it starts, kept with its first event, in force for it for good, in whichever process it goes on.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read as _;
use std::path::Path;

use abide_core::canonical;
use abide_core::event::RunStarted;
use abide_gate::source::Files;
use abide_ledger::Ledger;
use serde::{Deserialize, Serialize};

use super::tighten::BYTES_MAX;
use super::{TIGHTEN, TIGHTEN_JSON};
use crate::report::{Exit, Failure};

/// What lies beside the log.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    schema: String,
    files: BTreeMap<String, String>,
}

const SCHEMA: &str = "abide.run-layer/1";
/// What the one module of a run is called.
const MODULE: &str = "run.rego";

fn unfit(what: impl Into<String>) -> Failure {
    Failure::new("AB0184", what)
        .help("a run takes one tighten.yaml, or one .rego in package abide.layers.run: ab explain layers")
        .exit(Exit::Usage)
}

/// Reads what `--tighten` names. Whether it loads is asked when the policy is put together.
pub(crate) fn read(file: &Path) -> Result<Files, Failure> {
    let shown = file.display();
    if file.is_dir() {
        return Err(unfit(format!("`{shown}` is a folder: a whole policy is no layer of a run")));
    }
    let name = match file.extension().and_then(|ending| ending.to_str()) {
        Some("yaml" | "yml") => TIGHTEN,
        Some("json") => TIGHTEN_JSON,
        Some("rego") => MODULE,
        _ => return Err(unfit(format!("`{shown}` ends in none of .yaml, .json and .rego"))),
    };
    let mut bytes = Vec::new();
    let bound = u64::try_from(BYTES_MAX).unwrap_or(u64::MAX).saturating_add(1);
    let opened = fs::File::open(file).and_then(|file| file.take(bound).read_to_end(&mut bytes));
    opened.map_err(|error| unfit(format!("`{shown}` cannot be read: {error}")))?;
    if bytes.len() > BYTES_MAX {
        return Err(unfit(format!("`{shown}` has more than {BYTES_MAX} bytes")));
    }
    if std::str::from_utf8(&bytes).is_err() {
        return Err(unfit(format!("`{shown}` is not UTF-8")));
    }
    Ok(Files::from([(name.to_owned(), bytes)]))
}

/// The bytes to keep.
pub(crate) fn stored(files: &Files) -> Result<Vec<u8>, Failure> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let files = files.iter().map(|(path, bytes)| (path.clone(), text(bytes))).collect();
    canonical::jcs(&Stored { schema: SCHEMA.to_owned(), files }).map_err(|error| Failure::of("AB0124", error))
}

/// The layer that `started` names; empty where it names none. One that is missing is an error: without it the run would be judged by less.
pub(crate) fn of(ledger: &Ledger, started: &RunStarted) -> Result<Files, Failure> {
    let Some(digest) = &started.tighten else { return Ok(Files::new()) };
    let broken = |why: String| {
        Failure::new("AB0188", format!("the layer that this run began with cannot be used: {why}"))
            .help("nothing of this run is decided any more; start the work again in a new run")
            .exit(Exit::Gate)
    };
    // The store compares the bytes with their digest.
    let blob = ledger.store().blob(digest).map_err(|error| broken(error.to_string()))?;
    let blob = blob.ok_or_else(|| broken("its bytes are missing from the state".to_owned()))?;
    let stored: Stored = serde_json::from_slice(blob.bytes()).map_err(|error| broken(error.to_string()))?;
    if stored.schema != SCHEMA || stored.files.is_empty() {
        return Err(broken(format!("it is no `{SCHEMA}`")));
    }
    Ok(stored.files.into_iter().map(|(path, text)| (path, text.into_bytes())).collect())
}

/// The text that was given, for people.
pub(crate) fn text(files: &Files) -> String {
    files.values().map(|bytes| String::from_utf8_lossy(bytes)).collect::<Vec<_>>().join("\n")
}
