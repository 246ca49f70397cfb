//! Embeds what the binary carries: the shipped policies, the worker components that were built, and the error codes' explanations.
//!
//! Components may be missing, so that `cargo clippy` works on a clean clone; a release build demands them.

#![expect(
    clippy::expect_used,
    clippy::disallowed_methods,
    reason = "a build script stops the build by panicking, and cargo speaks to it through the environment"
)]

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs};

fn main() {
    let manifest = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it"));
    let root = manifest.ancestors().nth(2).expect("host/abide lies two folders down").to_path_buf();
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets it"));
    let guests = env::var_os("ABIDE_GUESTS").map_or_else(|| target_dir(&out).join("guests"), PathBuf::from);
    println!("cargo::rerun-if-env-changed=ABIDE_GUESTS");

    let mut code = String::new();
    table(&mut code, "POLICIES", &root.join("policies"), &|path| {
        let name = path.to_string_lossy();
        !name.ends_with(".md") && !name.contains("/schemas/")
    });
    table(&mut code, "CODES", &root.join("docs/codes"), &|path| path.extension().is_some_and(|e| e == "md"));
    table(&mut code, "SCHEMAS", &root.join("policies/schemas"), &|path| {
        path.extension().is_some_and(|e| e == "json")
    });
    // What messages refer to, for those who have the binary and nothing else.
    table(&mut code, "GUIDES", &root.join("docs"), &|path| {
        let inner = path.strip_prefix(root.join("docs")).unwrap_or(path);
        let is_guide =
            inner.components().count() == 1 || inner.starts_with("guides") || inner.starts_with("reference");
        is_guide && path.extension().is_some_and(|e| e == "md")
    });
    let shipped = |path: &Path| {
        path.extension().is_some_and(|e| e == "wasm") && !path.to_string_lossy().contains("hostile")
    };
    let found = table(&mut code, "WORKERS", &guests, &shipped);
    // What `ab worker verify` attacks with.
    table(&mut code, "PROBES", &guests, &|path| {
        path.file_name().is_some_and(|name| name == "hostile.wasm" || name == "hostile-wasi.wasm")
    });
    assert!(
        found > 0 || env::var("PROFILE").as_deref() != Ok("release"),
        "no worker components in {}: run `cargo xtask guests` before a release build",
        guests.display()
    );
    // What `ab worker new` makes a folder of.
    let languages = ["rust", "js", "python", "c"];
    let made_of = root.join("guest-workers");
    table(&mut code, "SCAFFOLDS", &made_of, &|path| {
        let inner = path.strip_prefix(&made_of).unwrap_or(path).to_string_lossy();
        let is_made = inner.contains("/target/") || inner.contains("/__pycache__/");
        !is_made && languages.iter().any(|language| inner.starts_with(&format!("{language}/")))
    });
    table(&mut code, "WIT", &root.join("wit"), &|path| path.extension().is_some_and(|e| e == "wit"));
    judge(&mut code, &out);
    fs::write(out.join("embedded.rs"), code).expect("OUT_DIR can be written");
}

/// The module of the sealed judge, where it was built.
fn judge(code: &mut String, out: &Path) {
    let file =
        env::var_os("ABIDE_JUDGE").map_or_else(|| target_dir(out).join("judge/judge.wasm"), PathBuf::from);
    println!("cargo::rerun-if-env-changed=ABIDE_JUDGE");
    println!("cargo::rerun-if-changed={}", file.display());
    let value = if file.is_file() {
        format!("Some(include_bytes!({:?}))", file.to_string_lossy())
    } else {
        if env::var("PROFILE").as_deref() == Ok("release") {
            println!("cargo::warning=no sealed judge in {}: `cargo xtask guests` builds it", file.display());
        }
        "None".to_owned()
    };
    writeln!(
        code,
        "/// The sealed judge, if it was built.\npub(crate) static JUDGE: Option<&[u8]> = {value};"
    )
    .expect("text grows");
}

/// `<target>` of `<target>/<profile>/build/<crate>/out`.
fn target_dir(out: &Path) -> PathBuf {
    out.ancestors().nth(4).expect("OUT_DIR lies four folders down").to_path_buf()
}

/// Writes a table of (relative path, bytes) of the files below `folder` that `keep` wants, sorted; returns how many.
fn table(code: &mut String, name: &str, folder: &Path, keep: &dyn Fn(&Path) -> bool) -> usize {
    let mut files = Vec::new();
    walk(folder, &mut files);
    files.retain(|path| keep(path));
    files.sort();
    println!("cargo::rerun-if-changed={}", folder.display());
    writeln!(code, "/// (path, bytes), sorted by path.\npub(crate) static {name}: &[(&str, &[u8])] = &[")
        .expect("text grows");
    for path in &files {
        let relative = path.strip_prefix(folder).expect("it was found below");
        println!("cargo::rerun-if-changed={}", path.display());
        writeln!(
            code,
            "    ({:?}, include_bytes!({:?})),",
            relative.to_string_lossy(),
            path.to_string_lossy()
        )
        .expect("text grows");
    }
    code.push_str("];\n");
    files.len()
}

fn walk(folder: &Path, files: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let path = entry.path();
        if path.is_dir() { walk(&path, files) } else { files.push(path) }
    }
}
