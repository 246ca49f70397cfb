//! Pages that nobody here wrote: documentation that is installed on this machine. Skipped where there is none.

use std::path::{Path, PathBuf};

use serde_json::json;

use super::*;

/// Pages of one folder at most, and bytes of one page.
const PAGES_MAX: usize = 25;
const BYTES_MAX: u64 = 1 << 18;

fn find(folder: &Path, found: &mut Vec<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    let mut entries: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
    entries.sort();
    for path in entries {
        if found.len() >= PAGES_MAX {
            return;
        }
        if path.is_dir() && !path.is_symlink() {
            find(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "html")
            && path.metadata().is_ok_and(|metadata| metadata.len() < BYTES_MAX)
        {
            found.push(path);
        }
    }
}

#[test]
fn whatever_is_found_stands_where_it_says() {
    let mut paths = Vec::new();
    let folders = ["/usr/share/doc", "/usr/share/javascript", "/usr/share/perl", "/usr/share/gtk-doc"];
    for folder in folders {
        let mut some = Vec::new();
        find(Path::new(folder), &mut some);
        paths.append(&mut some);
    }
    if paths.is_empty() {
        eprintln!("skipped: no documentation on this machine");
        return;
    }
    let schema = json!({"type": "object", "required": ["title"], "properties": {"title": {"type": "string"},
        "url": {"type": "string", "format": "uri"}, "description": {"type": "string", "x-names": ["explanation", "meaning"]}}});
    let mut taken = 0;
    for path in &paths {
        let Ok(html) = std::fs::read_to_string(path) else { continue };
        let pages = [page("https://doc.example/a/b.html", &html)];
        for hints in [
            json!({}),
            json!({"page": true, "strategies": ["open-graph"]}),
            json!({"record": "a[href]", "fields": {"title": {"selector": ":scope"}}}),
        ] {
            let ask = ask(&schema, &hints);
            match extract(&pages, &ask) {
                Ok(found) => {
                    taken += 1;
                    holds(&pages, &schema, &found);
                }
                Err(Refusal::NoRecords(_)) => {}
                Err(other) => panic!("{}: {other}", path.display()),
            }
        }
    }
    eprintln!("{} pages, {taken} times records", paths.len());
    assert!(taken > 0, "{} pages and nothing in any", paths.len());
}
