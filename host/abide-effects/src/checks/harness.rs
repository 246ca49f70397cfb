//! What a check's checkout gets from the host before it runs: the harness of the target branch, and a test that has to fail.

use std::collections::BTreeSet;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use abide_core::id::RepoPath;
use cap_std::fs::Dir;
use serde::{Deserialize, Serialize};

/// What a check reports, and what it takes for that to count.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Proof {
    /// Where the report is.
    pub report: ReportAt,
    /// Names of files, in any folder, that are taken from the target branch.
    #[serde(default)]
    pub harness: Vec<String>,
    /// The test that has to fail.
    pub canary: Option<Canary>,
}

/// Where a report is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum ReportAt {
    /// A file of `JUnit` XML in the work tree.
    Junit(RepoPath),
    /// What `cargo test` prints.
    Libtest,
}

/// A test that has to fail. `{name}` is a name that nobody knows before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Canary {
    /// The file that it is in.
    pub path: String,
    /// What stands in the file.
    pub text: String,
}

/// LIMIT: bytes of a report.
const REPORT_BYTES_MAX: u64 = 32 << 20;

/// Makes every file called like the harness in `tree` what it is in `base`. Gives back what was otherwise.
pub(super) fn pin(tree: &Dir, base: &Dir, names: &[String]) -> io::Result<Vec<String>> {
    let mut paths = BTreeSet::new();
    for top in [tree, base] {
        find(top, Path::new(""), names, &mut paths)?;
    }
    let mut changed = Vec::new();
    for path in paths {
        let (now, before) = (content(tree, &path)?, content(base, &path)?);
        if now == before {
            continue;
        }
        changed.push(path.display().to_string());
        if now.is_some() {
            tree.remove_file(&path)?;
        }
        if let Some(before) = before {
            if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
                tree.create_dir_all(folder)?;
            }
            tree.write(&path, before)?;
        }
    }
    Ok(changed)
}

/// Files called so. Links are found too, and never followed.
fn find(top: &Dir, folder: &Path, names: &[String], found: &mut BTreeSet<PathBuf>) -> io::Result<()> {
    let here = if folder.as_os_str().is_empty() { top.entries()? } else { top.read_dir(folder)? };
    for entry in here {
        let entry = entry?;
        let (path, kind) = (folder.join(entry.file_name()), entry.file_type()?);
        if kind.is_dir() {
            find(top, &path, names, found)?;
        } else if entry.file_name().to_str().is_some_and(|name| names.iter().any(|one| one == name)) {
            found.insert(path);
        }
    }
    Ok(())
}

/// What stands in a file; a link counts by where it leads.
fn content(top: &Dir, path: &Path) -> io::Result<Option<Vec<u8>>> {
    match top.symlink_metadata(path) {
        Ok(meta) if meta.is_symlink() => {
            let target = top.read_link_contents(path)?;
            Ok(Some([b"link ", target.as_os_str().as_encoded_bytes()].concat()))
        }
        Ok(_) => top.read(path).map(Some),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// Writes the test that has to fail, under `name`. Errs if something stands there.
pub(super) fn plant(tree: &Dir, canary: &Canary, name: &str) -> io::Result<()> {
    let path = PathBuf::from(canary.path.replace("{name}", name));
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        tree.create_dir_all(folder)?;
    }
    let mut options = cap_std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    let mut file = tree.open_with(&path, &options)?;
    io::Write::write_all(&mut file, canary.text.replace("{name}", name).as_bytes())
}

/// Takes away a report that the commit brings along.
pub(super) fn forget(tree: &Dir, report: &RepoPath) -> io::Result<()> {
    match tree.remove_file(report.as_str()) {
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            Ok(())
        }
        other => other,
    }
}

/// The report that the check wrote. No link leads out of the work tree.
pub(super) fn take(tree: &Dir, report: &RepoPath) -> Result<String, String> {
    let told = |error: io::Error| format!("there is no report at `{report}`: {error}");
    // Looked at first: a pipe would be waited for. Nobody is left who could put one there now.
    if !tree.metadata(report.as_str()).map_err(told)?.is_file() {
        return Err(format!("the report `{report}` is no file"));
    }
    let file = tree.open(report.as_str()).map_err(told)?;
    let mut text = Vec::new();
    file.take(REPORT_BYTES_MAX.saturating_add(1)).read_to_end(&mut text).map_err(told)?;
    if u64::try_from(text.len()).is_ok_and(|bytes| bytes > REPORT_BYTES_MAX) {
        return Err(format!("the report `{report}` has more than {REPORT_BYTES_MAX} bytes"));
    }
    String::from_utf8(text).map_err(|_| format!("the report `{report}` is not UTF-8"))
}
