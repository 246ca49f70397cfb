//! Proposals that a host must not take.

use worker_kit::{
    ExpectedOutcome, Failure, FailureKind, FileMode, FilePatch, FileStatus, Patch, PatchFormat, Proposal,
    RollbackRecipe, failure,
};

const GOOD: &str = "@@ -1 +1 @@\n-one\n+two\n";

/// The proposal of a recipe; `good` is one that a host takes.
pub(crate) fn propose(recipe: &str) -> Result<Proposal, Failure> {
    let files = match recipe {
        "good" | "no-rationale" => vec![modified("a.txt", &[GOOD])],
        "no-files" => vec![],
        "no-hunks" => vec![modified("a.txt", &[])],
        "no-effect" => vec![modified("a.txt", &["@@ -1 +1 @@\n-one\n+one\n"])],
        "context-only" => vec![modified("a.txt", &["@@ -1 +1 @@\n one\n"])],
        "wrong-context" => vec![modified("a.txt", &["@@ -1 +1 @@\n-never was there\n+two\n"])],
        "wrong-count" => vec![modified("a.txt", &["@@ -1,9 +1,9 @@\n-one\n+two\n"])],
        "not-a-hunk" => vec![modified("a.txt", &["please change one to two"])],
        "overlap" => vec![modified("a.txt", &[GOOD, GOOD])],
        "twice" => vec![modified("a.txt", &[GOOD]), modified("a.txt", &[GOOD])],
        "out-of-order" => vec![modified("b.txt", &[GOOD]), modified("a.txt", &[GOOD])],
        "parent" => vec![modified("../x", &[GOOD])],
        "absolute" => vec![modified("/etc/passwd", &[GOOD])],
        "git-config" => vec![modified(".git/config", &[GOOD])],
        "git-folded" => vec![modified("sub/.GIT/hooks/post-checkout", &[GOOD])],
        "backslash" => vec![modified("..\\x", &[GOOD])],
        "newline" => vec![modified("a\nb", &[GOOD])],
        "rename-in" => vec![FilePatch {
            status: FileStatus::Rename,
            old_path: Some("../../etc/passwd".into()),
            ..modified("stolen", &[])
        }],
        "through-link" => vec![FilePatch {
            status: FileStatus::Add,
            new_mode: Some(FileMode::Regular),
            ..modified("link/x", &["@@ -0,0 +1 @@\n+x\n"])
        }],
        "added-without-mode" => {
            vec![FilePatch { status: FileStatus::Add, ..modified("new", &["@@ -0,0 +1 @@\n+x\n"]) }]
        }
        "many-files" => (0..5_000).map(|number| modified(&format!("f{number:05}"), &[GOOD])).collect(),
        "big-output" => vec![modified("a.txt", &[&format!("@@ -0,0 +1 @@\n+{}\n", "x".repeat(4 << 20))])],
        other => return Err(failure(FailureKind::UnknownRecipe, format!("there is no recipe `{other}`"))),
    };
    let rationale = if recipe == "no-rationale" { " \u{1b}[0m " } else { "because" };
    Ok(Proposal {
        expected: ExpectedOutcome {
            summary: "one becomes two".into(),
            files: u32::try_from(files.len()).unwrap_or(u32::MAX),
            lines_added: 1,
            lines_removed: 1,
        },
        patch: Patch { patch_format: PatchFormat::Unified, files },
        rationale: rationale.into(),
        sources: Vec::new(),
        tests: Vec::new(),
        rollback: RollbackRecipe::RevertCommit,
    })
}

fn modified(path: &str, hunks: &[&str]) -> FilePatch {
    FilePatch {
        path: path.into(),
        status: FileStatus::Modify,
        old_path: None,
        new_mode: None,
        hunks: hunks.iter().map(|hunk| (*hunk).to_owned()).collect(),
    }
}
