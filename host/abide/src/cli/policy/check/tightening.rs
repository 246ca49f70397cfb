//! What is wrong with `tighten.yaml`, and where it would not tighten.

use abide_core::facts::{MeasureConfig, Meter};
use abide_core::input::SafetyLevel;
use abide_gate::Place;
use abide_gate::source::Sources;

use super::finding::Finding;
use crate::cli::policy::Files;
use crate::config::Config;
use crate::layers::tighten::TightenError;
use crate::layers::{Composed, Source, TIGHTEN, looser};

/// A document that cannot be used.
pub(super) fn broken(error: &TightenError, files: &Files) -> Finding {
    let path = error.path();
    let place = if let TightenError::Shape { at: Some((line, column)), .. } = error {
        Some(Place { path: path.to_owned(), line: *line, column: *column })
    } else if let TightenError::Value { key, .. } = error {
        key_in(files, path, key)
    } else {
        None
    };
    let message = error.to_string();
    let message = message.strip_prefix(&format!("`{path}`: ")).unwrap_or(&message);
    Finding::error(error.code(), path, place.as_ref(), message, files).helped(
        "once it is committed like this, everything is denied; ab explain layers says what it may hold",
    )
}

/// Values that would loosen, names that there are not, and patterns that do not compile.
pub(super) fn idle(
    composed: &Composed,
    config: Option<&Config>,
    sources: &Sources,
    files: &Files,
) -> Vec<Finding> {
    let level = config.map_or(SafetyLevel::High, |config| config.safety_level);
    let found = looser::all(&sources.data, &composed.tightened, level);
    let own = Source::Layer(files.stands_for);
    let mut findings: Vec<Finding> = found
        .iter()
        .filter(|loose| loose.source == own)
        .map(|loose| {
            let path = format!("{}{TIGHTEN}", files.stands_for.folder());
            let place = key_in(files, &path, &loose.key);
            let message = format!("`{}` {}", loose.key, loose.why);
            Finding::error(loose.code, &path, place.as_ref(), &message, files).helped(
                "take it away, or write what is tighter; ab policy show --effective says what is in force",
            )
        })
        .collect();
    findings.extend(uncompiled(composed, sources, files));
    findings
}

fn uncompiled(composed: &Composed, sources: &Sources, files: &Files) -> Option<Finding> {
    let own = Source::Layer(files.stands_for);
    composed.tightened.iter().find(|one| one.source == own)?;
    let mut measure = MeasureConfig::from_data(&sources.data).ok()?;
    Meter::compile(&measure).ok()?;
    composed.measured(&mut measure);
    let error = Meter::compile(&measure).err()?;
    let path = format!("{}{TIGHTEN}", files.stands_for.folder());
    Some(Finding::error(error.code(), &path, None, &error.to_string(), files))
}

/// Where the last part of `key` is written.
fn key_in(files: &Files, path: &str, key: &str) -> Option<Place> {
    let text = files.text(path)?;
    let mut from = 0;
    let mut found = None;
    for part in key.split('.') {
        let lines = text.lines().enumerate().skip(from);
        let place = lines.into_iter().find_map(|(number, line)| {
            let column = line.find(&format!("{part}:"))?;
            Some((number, line.get(..column)?.chars().count()))
        });
        let (line, column) = place?;
        from = line;
        found = Some((line, column));
    }
    let (line, column) = found?;
    let number = |index: usize| u32::try_from(index).unwrap_or(u32::MAX).saturating_add(1);
    Some(Place { path: path.to_owned(), line: number(line), column: number(column) })
}
