//! Where the components are that `cargo xtask guests` builds. The tests of the sandbox read this file too, so that it is said once.

use std::path::{Path, PathBuf};

/// `<target>`: a test is `<target>/<profile>/deps/it-…`.
pub(crate) fn target() -> PathBuf {
    let binary = std::env::current_exe().unwrap();
    binary.ancestors().nth(3).unwrap_or(Path::new(".")).to_owned()
}

/// The file, or `None` (after saying so) where it is not built and need not be.
pub(crate) fn read(file: &Path) -> Option<Vec<u8>> {
    match std::fs::read(file) {
        Ok(bytes) => Some(bytes),
        Err(error) if std::env::var_os("ABIDE_REQUIRE_GUESTS").is_some_and(|value| value == "1") => {
            panic!("{} must be there: {error}", file.display());
        }
        Err(_) => {
            eprintln!("skipped: {} is not built (`cargo xtask guests`)", file.display());
            None
        }
    }
}

/// The worker that a stock toolchain made (`js`, `qjs`, `python` or `c`), or `None` (after saying so) where it is not built and need not be.
pub(crate) fn stock(language: &str) -> Option<Vec<u8>> {
    read(&target().join(format!("guests-{language}/worker.wasm")))
}
