//! The change that a decision is about, line by line: from git trees, never from what somebody sent.
//!
//! A worker's change is in no repository before its `WRITE` is allowed. It is made again from the patch that was recorded, in an object store
//! that is thrown away, and shown only if that gives the tree that was judged.

use abide_core::event::DecisionRecorded;
use abide_core::facts::delta::{Content, DeltaEntry, Side};
use abide_core::id::{Digest, Oid};
use abide_core::patch::{PatchDoc, PatchLimits};
use abide_core::safe_text;
use abide_effects::forge::Scratch;

use crate::cli::Shell;
use crate::cli::printer::Tone;
use crate::cli::run::Bench;
use crate::report::{Exit, Failure};

/// Lines of a change that are shown.
const LINES_MAX: usize = 2000;

/// What an action would change.
#[derive(Debug, PartialEq, Eq)]
struct Change {
    /// The commit before it.
    base: Oid,
    /// The tree after it.
    tree: Oid,
    /// The patch that makes the tree, where no commit holds it yet.
    patch: Option<Digest>,
}

impl Change {
    /// `None` for an action that changes no tree.
    fn of(record: &DecisionRecorded) -> Option<Self> {
        let field = |name: &str| record.action.pointer(&format!("/action/{name}"))?.as_str();
        // Before a merge the target stands at `expected`; before a write that is where the work branch stands.
        let base = field("base").or_else(|| field("expected"))?.parse().ok()?;
        Some(Self {
            base,
            tree: field("tree")?.parse().ok()?,
            patch: field("patch").and_then(|patch| patch.parse().ok()),
        })
    }
}

/// Prints the change that `record` is about.
pub(super) fn show(shell: &Shell, bench: &Bench, record: &DecisionRecorded) -> Result<(), Failure> {
    let Some(change) = Change::of(record) else {
        shell.printer.line(&format!("{} changes no files", record.kind));
        return Ok(());
    };
    let scratch = store(bench, record)?;
    if let Some(patch) = &change.patch {
        make_again(bench, &scratch, &change, patch)?;
    }
    let of = |error: abide_effects::forge::ReadError| Failure::of(error.code(), error);
    let base_tree = scratch.commit(&change.base).map_err(of)?.tree;
    let limits = bench.desk.policy.meter.limits();
    let delta = scratch.delta(&base_tree, &change.tree, limits).map_err(of)?;
    let mut lines = 0_usize;
    for line in delta.entries().iter().flat_map(entry) {
        lines = lines.saturating_add(1);
        if lines > LINES_MAX {
            let more = format!("… more than {LINES_MAX} lines; ab show --trace lists every file");
            shell.printer.line(&more);
            break;
        }
        let tone = match line.chars().next() {
            Some('+') => Tone::Good,
            Some('-') => Tone::Bad,
            _ => Tone::Faint,
        };
        shell.printer.exact(&shell.printer.paint(tone, &safe_text::block(&line)));
    }
    Ok(())
}

/// The repository, and what was handed in for the run.
fn store(bench: &Bench, record: &DecisionRecorded) -> Result<Scratch, Failure> {
    let (repo, state) = (&bench.known.repo, &bench.known.state);
    let run = record.action.pointer("/action/run").and_then(|run| run.as_str()?.parse().ok());
    let incoming = run.map(|run| state.incoming(&run)).filter(|incoming| incoming.is_dir());
    let root = state.scratch()?;
    let store = match incoming {
        Some(incoming) => Scratch::with_incoming(repo, &root, &incoming),
        None => Scratch::new(repo, &root),
    };
    store.map_err(|error| Failure::of(error.code(), error))
}

/// Makes the tree of a recorded patch, which must be the judged one.
fn make_again(bench: &Bench, scratch: &Scratch, change: &Change, patch: &Digest) -> Result<(), Failure> {
    let limits = PatchLimits::CEILING;
    let bytes = bench.desk.payload(patch)?;
    let doc = PatchDoc::parse(&bytes, &limits).map_err(|error| Failure::of(error.code(), error))?;
    let tree =
        scratch.apply(&change.base, &doc, &limits).map_err(|error| Failure::of(error.code(), error))?;
    if tree == change.tree {
        return Ok(());
    }
    let (made, judged) = (tree.short(), change.tree.short());
    Err(Failure::new("AB0047", format!("the recorded patch makes tree {made}, and tree {judged} was judged"))
        .help("do not approve it; ab verify says whether the log is as it was written")
        .exit(Exit::Evidence))
}

/// The lines of one changed path.
fn entry(entry: &DeltaEntry) -> Vec<String> {
    let path = safe_text::line(&String::from_utf8_lossy(entry.path()));
    let (old, new) = (entry.old(), entry.new_side());
    let name = |side: Option<&Side>, letter: &str| {
        side.map_or_else(|| "/dev/null".to_owned(), |_| format!("{letter}/{path}"))
    };
    let header = (name(old, "a"), name(new, "b"));
    let mut lines: Vec<String> = modes(old, new).into_iter().map(|what| format!("{path}: {what}")).collect();
    if let (Some(old), Some(new)) = (text(old), text(new)) {
        let diff = similar::TextDiff::from_lines(&*old, &*new);
        let text = diff.unified_diff().header(&header.0, &header.1).to_string();
        lines.extend(text.lines().map(str::to_owned));
    } else {
        let told = format!("{} → {}", about(old), about(new));
        lines.extend([format!("--- {}", header.0), format!("+++ {}", header.1), told]);
    }
    lines
}

/// What the modes say beside the lines.
fn modes(old: Option<&Side>, new: Option<&Side>) -> Option<String> {
    match (old, new) {
        (Some(old), Some(new)) if old.mode != new.mode => {
            Some(format!("mode {:06o} → {:06o}", old.mode, new.mode))
        }
        (None, Some(new)) if new.mode != abide_core::facts::delta::MODE_FILE => {
            Some(format!("new, mode {:06o}", new.mode))
        }
        _ => None,
    }
}

/// The text of a side, if it has one; a side that is not there is empty.
fn text(side: Option<&Side>) -> Option<String> {
    let Some(side) = side else { return Some(String::new()) };
    let bytes = side.bytes().filter(|bytes| !side.is_submodule() && !bytes.contains(&0))?;
    Some(String::from_utf8_lossy(bytes).into_owned())
}

/// What a side is, where its lines cannot be shown.
fn about(side: Option<&Side>) -> String {
    let Some(side) = side else { return "nothing".to_owned() };
    match &side.content {
        Content::Bytes(bytes) if bytes.contains(&0) => format!("{} bytes, not text", bytes.len()),
        Content::Bytes(bytes) => format!("{} bytes of text", bytes.len()),
        Content::TooLarge { len } => format!("{len} bytes, too large to show"),
        Content::Unreadable => "an object that cannot be read".to_owned(),
        Content::Elsewhere => format!("submodule at {}", side.oid.short()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn side(bytes: &[u8]) -> Side {
        let oid = "a".repeat(40).parse().unwrap();
        Side::blob(oid, abide_core::facts::delta::MODE_FILE, bytes.to_vec())
    }

    #[test]
    fn lines_bytes_modes_and_submodules_are_all_shown() {
        let changed = DeltaEntry::changed(b"a.md".to_vec(), side(b"one\n"), side(b"two\n"));
        assert_eq!(entry(&changed), ["--- a/a.md", "+++ b/a.md", "@@ -1 +1 @@", "-one", "+two"]);
        let added = DeltaEntry::added(b"a\n.md".to_vec(), Side { mode: 0o100_755, ..side(b"x\n") });
        assert_eq!(
            entry(&added),
            ["a\\u{a}.md: new, mode 100755", "--- /dev/null", "+++ b/a\\u{a}.md", "@@ -0,0 +1 @@", "+x"]
        );
        let binary = DeltaEntry::changed(b"a.png".to_vec(), side(b"\0\x01"), side(b"\0\x01\x02"));
        assert_eq!(entry(&binary), ["--- a/a.png", "+++ b/a.png", "2 bytes, not text → 3 bytes, not text"]);
        let link =
            DeltaEntry::deleted(b"vendor/x".to_vec(), Side::submodule("b".repeat(40).parse().unwrap()));
        let lines = entry(&link);
        assert_eq!(
            lines.last().map(String::as_str),
            Some("submodule at bbbbbbbbbbbb → nothing"),
            "{lines:?}"
        );
    }
}
