//! Changes from a file: one JSON object on each line, compressed or not. Contents are not in it.

use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;
use std::{fs, thread};

use abide_core::facts::{Meter, RecordedFile, WindowFacts};
use abide_core::id::{Digest, Oid, RepoId};
use serde::Deserialize;

use super::{Change, Fixed, Past};
use crate::report::{Exit, Failure};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    repo: String,
    commit: Oid,
    /// Empty for a first commit.
    parent: Option<String>,
    date: String,
    author: String,
    subject: String,
    files: Vec<RecordedFile>,
    reverted_by: Option<String>,
}

/// Lines that are measured side by side, and their bytes at most: all cores are busy, and memory is bounded.
const BATCH_LINES: usize = 1_024;
const BATCH_BYTES: usize = 64 << 20;
/// Bytes of one line at most; what is longer is told and skipped.
const LINE_BYTES_MAX: u64 = 16 << 20;

/// Reads and measures the changes in `path`. A line that cannot be used is told with its number, and the others count all the same.
pub(crate) fn read(path: &Path, meter: &Meter) -> Result<Past, Failure> {
    let fault = |error: std::io::Error| {
        Failure::new("AB0170", format!("`{}` cannot be read: {error}", path.display())).exit(Exit::Usage)
    };
    // Read once, so that the digest is that of what was replayed.
    let file = fs::read(path).map_err(fault)?;
    let plain: Box<dyn Read> = if file.starts_with(&[0x1f, 0x8b]) {
        Box::new(flate2::bufread::MultiGzDecoder::new(file.as_slice()))
    } else {
        Box::new(file.as_slice())
    };
    let mut lines = BufReader::new(plain);
    let name = path.file_name().map_or_else(|| "corpus".into(), |name| name.to_string_lossy().into_owned());
    let (mut repo, mut changes, mut unread) = (None, Vec::new(), Vec::new());
    let mut numbers = 1_u64..;
    loop {
        let batch = batch(&mut lines).map_err(fault)?;
        if batch.is_empty() {
            break;
        }
        for (measured, number) in side_by_side(&batch, meter)?.into_iter().zip(&mut numbers) {
            match measured {
                Ok((id, change)) => {
                    repo.get_or_insert(id);
                    changes.push(change);
                }
                Err(why) => unread.push(format!("{name}:{number}: {why}")),
            }
        }
    }
    changes.sort_by_key(|change| change.at);
    let id = repo.unwrap_or_else(|| "corpus".to_owned());
    let short = id.rsplit('/').next().unwrap_or(&id).to_owned();
    let repo: RepoId = short.parse().map_err(|error| Failure::of("AB0003", error))?;
    Ok(Past { repo, origin: name, changes, unread, fixed: Fixed::File(Digest::of(&file)) })
}

/// The next lines; none at the end.
fn batch(lines: &mut impl BufRead) -> io::Result<Vec<Vec<u8>>> {
    let (mut batch, mut bytes) = (Vec::new(), 0_usize);
    while batch.len() < BATCH_LINES && bytes < BATCH_BYTES {
        let mut text = Vec::new();
        if lines.take(LINE_BYTES_MAX).read_until(b'\n', &mut text)? == 0 {
            break;
        }
        bytes = bytes.saturating_add(text.len());
        batch.push(text);
    }
    Ok(batch)
}

type Measured = Result<(String, Change), String>;

/// Measures lines by all cores; the results in the order of the lines.
fn side_by_side(batch: &[Vec<u8>], meter: &Meter) -> Result<Vec<Measured>, Failure> {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let part = batch.len().div_ceil(cores).max(1);
    thread::scope(|scope| {
        let measure = |lines: &[Vec<u8>]| lines.iter().map(|text| change(text, meter)).collect::<Vec<_>>();
        let threads: Vec<_> = batch.chunks(part).map(|lines| scope.spawn(move || measure(lines))).collect();
        let died = |_| Failure::new("AB0171", "a thread of the replay died".to_owned());
        let parts = threads.into_iter().map(|thread| thread.join().map_err(died));
        Ok(parts.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect())
    })
}

fn change(text: &[u8], meter: &Meter) -> Result<(String, Change), String> {
    let line: Line = serde_json::from_slice(text).map_err(|error| error.to_string())?;
    let parent = line.parent.filter(|parent| !parent.is_empty());
    let before = parent
        .map_or(Ok(Oid::zero()), |parent| parent.parse())
        .map_err(|error| format!("`parent`: {error}"))?;
    let facts = meter
        .measure_recorded((before, line.commit.clone()), &line.files, WindowFacts::default())
        .map_err(|error| error.to_string())?;
    let date: jiff::Timestamp = line.date.parse().map_err(|error| format!("`date`: {error}"))?;
    let at = u64::try_from(date.as_millisecond()).unwrap_or(0);
    let change = Change {
        commit: line.commit,
        at,
        author: line.author,
        title: line.subject,
        facts,
        reverted_by: line.reverted_by,
    };
    Ok((line.repo, change))
}
