//! Compiled components on disk: used when they check out, never when they do not.

use std::path::{Path, PathBuf};

use abide_sandbox::{CacheKey, CompiledCache, InProcess};

use crate::setup::{engine_limits, guest};

fn runner(folder: &Path, key: u8) -> InProcess {
    let dir = cap_std::fs::Dir::open_ambient_dir(folder, cap_std::ambient_authority()).unwrap();
    InProcess::start(engine_limits()).unwrap().with_cache(CompiledCache::new(dir, CacheKey::new([key; 32])))
}

fn files(folder: &Path) -> Vec<PathBuf> {
    std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect()
}

/// A file that was not replaced is the one that was used: every compilation writes a new one.
fn inode(path: &Path) -> u64 {
    std::os::unix::fs::MetadataExt::ino(&std::fs::metadata(path).unwrap())
}

#[test]
fn what_was_compiled_is_used_only_if_it_checks_out() {
    let Some(bytes) = guest("hostile-import") else { return };
    let folder = tempfile::tempdir().unwrap();
    let first = runner(folder.path(), 1).load(&bytes).unwrap();
    let [file] = files(folder.path()).try_into().unwrap();
    let kept = inode(&file);
    assert_eq!(runner(folder.path(), 1).load(&bytes).unwrap(), first);
    assert_eq!(inode(&file), kept, "it was compiled again");

    let good = std::fs::read(&file).unwrap();
    for at in [0, 32, good.len() - 1] {
        let mut bad = good.clone();
        bad[at] ^= 1;
        std::fs::write(&file, bad).unwrap();
        let before = inode(&file);
        assert_eq!(runner(folder.path(), 1).load(&bytes).unwrap(), first);
        assert_ne!(inode(&file), before, "a byte was flipped at {at}, and it was used");
        assert_eq!(std::fs::read(&file).unwrap(), good);
    }

    let before = inode(&file);
    runner(folder.path(), 2).load(&bytes).unwrap();
    assert_ne!(inode(&file), before, "another key's file was used");

    std::fs::write(&file, b"short").unwrap();
    assert_eq!(runner(folder.path(), 1).load(&bytes).unwrap(), first);
}

#[test]
fn one_components_code_is_not_taken_for_anothers() {
    let (Some(one), Some(other)) = (guest("hostile-import"), guest("hostile")) else { return };
    let folder = tempfile::tempdir().unwrap();
    let (one, other) = (runner(folder.path(), 1).load(&one).unwrap(), other);
    let [file] = files(folder.path()).try_into().unwrap();
    let digest = abide_core::id::Digest::of(&other);
    std::fs::rename(&file, folder.path().join(format!("{}.cwasm", digest.hex()))).unwrap();
    let loaded = runner(folder.path(), 1).load(&other).unwrap();
    assert_ne!(loaded.imports, one.imports);
}
