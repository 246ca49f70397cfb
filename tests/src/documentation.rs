//! Pages that nobody here wrote: documentation that packages of this machine brought. What is there differs, so that a test says what it read.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::site::{Answer, Asked, Pages};

/// Pages of one package that are taken, spread over what there is.
const OF_ONE_MAX: usize = 20;
/// Files of one folder that are looked at.
const LOOKED_MAX: usize = 4_000;

/// A page of a package.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Page {
    /// The package, or the part of it: `rust/std`, `debian/FAQ`.
    pub package: String,
    /// The file.
    pub file: PathBuf,
}

impl Page {
    /// Its path on a site of [`Documentation`].
    pub fn path(&self) -> String {
        let text = self.file.to_string_lossy();
        percent(&text)
    }
}

/// A path as it stands in an address.
fn percent(path: &str) -> String {
    path.bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'-' | b'_' | b'.' | b'~' => {
                char::from(byte).to_string()
            }
            _ => format!("%{byte:02X}"),
        })
        .collect()
}

/// The path that an address means, or none where it is not text.
fn plain(path: &str) -> Option<String> {
    let mut bytes = Vec::new();
    let mut rest = path.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        if *first == b'%' {
            let hex = std::str::from_utf8(rest.get(..2)?).ok()?;
            bytes.push(u8::from_str_radix(hex, 16).ok()?);
            rest = &rest[2..];
        } else {
            bytes.push(*first);
        }
    }
    String::from_utf8(bytes).ok()
}

/// Folders whose folders are packages, and what those are called here.
fn roots() -> Vec<(String, PathBuf)> {
    let mut roots = vec![(String::new(), PathBuf::from("/usr/share/doc"))];
    let sysroot = Command::new("rustc").args(["--print", "sysroot"]).output();
    if let Ok(output) = sysroot {
        let sysroot = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        roots.push(("rust/".to_owned(), Path::new(&sysroot).join("share/doc/rust/html")));
    }
    for folder in ["/usr/lib/node_modules", "/usr/share/nodejs"] {
        roots.push(("node/".to_owned(), PathBuf::from(folder)));
    }
    roots
}

/// Pages of the documentation of this machine, sorted, a few of each package.
pub fn pages() -> Vec<Page> {
    let mut all = Vec::new();
    for (prefix, root) in roots() {
        for folder in folders(&root) {
            let package = format!("{prefix}{}", folder.file_name().unwrap_or_default().to_string_lossy());
            let (mut files, mut looked) = (Vec::new(), 0);
            find(&folder, &mut files, &mut looked);
            files.sort();
            let step = files.len().div_ceil(OF_ONE_MAX).max(1);
            all.extend(files.into_iter().step_by(step).map(|file| Page { package: package.clone(), file }));
        }
    }
    all.sort();
    all
}

fn folders(root: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(root).into_iter().flatten().flatten();
    let mut folders: Vec<PathBuf> = entries.map(|entry| entry.path()).filter(|path| path.is_dir()).collect();
    folders.sort();
    folders
}

/// Pages below a folder. Links are not followed: packages share their documentation by them.
fn find(folder: &Path, files: &mut Vec<PathBuf>, looked: &mut usize) {
    let mut entries: Vec<_> = std::fs::read_dir(folder).into_iter().flatten().flatten().collect();
    entries.sort_by_key(std::fs::DirEntry::file_name);
    for entry in entries {
        *looked += 1;
        let Ok(kind) = entry.file_type() else { continue };
        if *looked > LOOKED_MAX {
            return;
        }
        let path = entry.path();
        if kind.is_dir() {
            find(&path, files, looked);
        } else if kind.is_file() && path.extension().is_some_and(|ending| ending == "html" || ending == "htm")
        {
            files.push(path);
        }
    }
}

/// A site that serves the files of these roots and of nothing else, under their own paths.
#[derive(Debug)]
pub struct Documentation {
    roots: Vec<PathBuf>,
}

impl Default for Documentation {
    fn default() -> Self {
        let roots = roots().into_iter().filter_map(|(_, root)| root.canonicalize().ok());
        Self { roots: roots.collect() }
    }
}

impl Pages for Documentation {
    fn answer(&mut self, _: &str, asked: &Asked) -> Answer {
        let file = plain(asked.path()).and_then(|path| Path::new(&path).canonicalize().ok());
        let Some(file) = file.filter(|file| self.roots.iter().any(|root| file.starts_with(root))) else {
            return Answer::status(404);
        };
        let media = match file.extension().and_then(|ending| ending.to_str()).unwrap_or_default() {
            // Without a charset: old pages say in themselves how they are written, or do not.
            "html" | "htm" => "text/html",
            "css" => "text/css",
            "js" => "text/javascript",
            "svg" => "image/svg+xml",
            "png" => "image/png",
            "woff2" => "font/woff2",
            _ => "application/octet-stream",
        };
        std::fs::read(file).map_or_else(|_| Answer::status(404), |bytes| Answer::of(media, bytes))
    }
}
