//! Where the components are that `cargo xtask guests` builds. The tests of the sandbox read this file too, so that it is said once.

use std::path::{Path, PathBuf};

/// `<target>`: a test is `<target>/<profile>/deps/it-…`.
pub(crate) fn target() -> PathBuf {
    let binary = std::env::current_exe().unwrap();
    binary.ancestors().nth(3).unwrap_or(Path::new(".")).to_owned()
}

/// The file, or `None` (after saying so) where it is not built and need not be.
pub(crate) fn read(file: &Path) -> Option<Vec<u8>> {
    let is_required = std::env::var_os("ABIDE_REQUIRE_GUESTS").is_some_and(|value| value == "1");
    read_or_skip(file, is_required, "cargo xtask guests")
}

fn read_or_skip(file: &Path, is_required: bool, how: &str) -> Option<Vec<u8>> {
    match std::fs::read(file) {
        Ok(bytes) => Some(bytes),
        Err(error) if is_required => panic!("{} must be there: {error}", file.display()),
        Err(_) => {
            eprintln!("skipped: {} is not built (`{how}`)", file.display());
            None
        }
    }
}

/// The worker that a stock toolchain made (`js`, `qjs`, `python` or `c`), or `None` (after saying so) where it is not built and need not be.
pub(crate) fn stock(language: &str) -> Option<Vec<u8>> {
    // Toolchains of other languages come from their own registries: they are asked for by name.
    let required = std::env::var("ABIDE_REQUIRE_LANGUAGES").unwrap_or_default();
    let is_required = required.split(',').any(|one| one == language);
    let file = target().join(format!("guests-{language}/worker.wasm"));
    read_or_skip(&file, is_required, &format!("cargo xtask guests --lang {language}"))
}
