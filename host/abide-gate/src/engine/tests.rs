//! The shipped policies load and decide; hostile ones are refused or denied.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::source;

fn policies() -> BTreeMap<String, Vec<u8>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../policies");
    let mut files = BTreeMap::new();
    collect(&root, &root, &mut files);
    files
}

fn collect(root: &Path, folder: &PathBuf, files: &mut BTreeMap<String, Vec<u8>>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(root, &path, files);
        } else {
            let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
            files.insert(name, fs::read(&path).unwrap());
        }
    }
}

#[test]
fn the_shipped_policies_load() {
    let bundle = source::assemble(&policies()).unwrap_or_else(|error| panic!("{} {error}", error.code()));
    assert_eq!(bundle.digest(), super::Bundle::from_bytes(bundle.to_bytes()).unwrap().digest());
}
