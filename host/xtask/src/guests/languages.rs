//! Builds `guest-workers/{js,python,c}` with the stock tools of those languages into `<target>/guests-LANG/worker.wasm`.
//!
//! The tools are those of npm and `PyPI`, in versions that are pinned here and in the folder of the language; they are put into `<target>/tools`. What comes out is
//! kept by the digest of sources, WIT and versions, as the other guests are. Tools that cannot be had are said, and are no failure unless
//! `ABIDE_REQUIRE_LANGUAGES` names the language: the tests then say `skipped` too.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use sha2::{Digest, Sha256};

use super::{
    ComponentRecord, Manifest, Options, cache_directory, collect, component, digest_of, hex, imports, known,
    remove, short, store, toolchain,
};

/// Changes when this file changes what it makes from the same sources.
const RECIPE: &str = "languages/1";
/// Tools of npm; those of `PyPI` are pinned in `requirements.txt`, bindings of C in `bindgen/Cargo.lock`.
const COMPONENTIZE_JS: &str = "@bytecodealliance/componentize-js@0.23.0";
const COMPONENTIZE_QJS: &str = "componentize-qjs@0.4.5";
/// The world of all of them.
const WORLD: &str = "codegen";

/// A language, by the tool that makes components of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Language {
    /// JavaScript on `SpiderMonkey`: componentize-js.
    Js,
    /// JavaScript on `SpiderMonkey` that asks the network with `fetch`.
    JsWeb,
    /// JavaScript on `QuickJS`: componentize-qjs.
    Qjs,
    /// Python: componentize-py.
    Python,
    /// C: the compiler of Zig, and wit-bindgen.
    C,
}

impl Language {
    fn name(self) -> &'static str {
        match self {
            Self::Js => "js",
            Self::JsWeb => "js-web",
            Self::Qjs => "qjs",
            Self::Python => "python",
            Self::C => "c",
        }
    }

    /// Folder of its source, and program without which its tools cannot be had.
    fn source(self) -> (&'static str, &'static str) {
        match self {
            Self::Js | Self::JsWeb | Self::Qjs => ("guest-workers/js", "npm"),
            Self::Python => ("guest-workers/python", "python3"),
            Self::C => ("guest-workers/c", "python3"),
        }
    }
}

/// Folders below `guest-workers` that are no part of its workspace: what `ab worker new` makes a folder of.
pub(super) const FOLDERS: [&str; 4] =
    ["guest-workers/js", "guest-workers/python", "guest-workers/c", "guest-workers/rust"];

/// Builds the worker of `language`, unless it is known.
pub(super) fn run(options: &Options, language: Language, root: &Path, target: &Path) -> Result<()> {
    let name = language.name();
    let (source, program) = language.source();
    let mut files = BTreeMap::new();
    for folder in [source, "wit"] {
        collect(root, &root.join(folder), &mut files)?;
    }
    let inputs = digest_of(&[RECIPE, name, COMPONENTIZE_JS, COMPONENTIZE_QJS], &files);
    let out = target.join(format!("guests-{name}"));
    let cache = cache_directory("guests").map(|folder| folder.join(&inputs));
    let required = std::env::var("ABIDE_REQUIRE_LANGUAGES").unwrap_or_default();
    let is_required = required.split(',').any(|one| one == name);
    if let Some(place) = known(options, &out, cache.as_deref(), &inputs)? {
        eprintln!("guests: {name} known by digest {} ({place})", short(&inputs));
        // The cache has no tools, and the tests of `ab worker new` build with them.
        if is_required && is_there(program) {
            tools(language, &root.join(source), target)?;
        }
        return Ok(());
    }
    if !is_there(program) {
        ensure!(!is_required, "the worker in {name} must be built, and there is no {program}");
        eprintln!("guests: {name} skipped: no {program}");
        return Ok(());
    }
    let fresh = target.join(format!("guests-{name}.new"));
    remove(&fresh)?;
    fs::create_dir_all(&fresh)?;
    let component = fresh.join("worker.wasm");
    let (wit, source) = (root.join("wit"), root.join(source));
    let tools = tools(language, &source, target)?;
    match language {
        Language::Js | Language::JsWeb | Language::Qjs => {
            javascript(language, &source, &wit, &tools, &component)?;
        }
        Language::Python => python(&source, &wit, &tools, &component)?,
        Language::C => c(&source, &wit, target, &tools, &component)?,
    }
    record(&fresh, name, inputs)?;
    remove(&out)?;
    fs::rename(&fresh, &out)?;
    if let Some(cache) = cache
        && let Err(error) = store(&out, &cache)
    {
        eprintln!("guests: not cached: {error:#}");
    }
    Ok(())
}

/// Writes the manifest, which makes the folder complete.
fn record(folder: &Path, name: &str, inputs: String) -> Result<()> {
    let bytes = fs::read(folder.join("worker.wasm"))?;
    let component = ComponentRecord {
        name: name.to_owned(),
        file: "worker.wasm".to_owned(),
        sha256: hex(&Sha256::digest(&bytes)),
        size_bytes: bytes.len() as u64,
        imports: imports(&bytes)?,
    };
    eprintln!("guests: {name:<16} {:>7} bytes  sha256:{}", component.size_bytes, short(&component.sha256));
    let manifest =
        Manifest { inputs_sha256: inputs, toolchain: name.to_owned(), components: vec![component] };
    fs::write(folder.join("manifest.json"), format!("{}\n", serde_json::to_string_pretty(&manifest)?))?;
    Ok(())
}

fn is_there(program: &str) -> bool {
    toolchain::command(program).arg("--version").output().is_ok_and(|output| output.status.success())
}

fn done(command: &mut Command) -> Result<()> {
    let output = command.output().with_context(|| format!("starting {}", command.get_program().display()))?;
    let told = [output.stdout, output.stderr].concat();
    let told = String::from_utf8_lossy(&told);
    ensure!(output.status.success(), "{} failed:\n{told}", command.get_program().display());
    Ok(())
}

/// Puts the tools of `language` into its folder, and says which that is.
///
/// A file in it, written last, says which they are: where it says these, nothing is asked of a registry.
fn tools(language: Language, source: &Path, target: &Path) -> Result<PathBuf> {
    let tools = target.join("tools").join(language.name());
    let wanted = match language {
        Language::Js | Language::JsWeb => COMPONENTIZE_JS.to_owned(),
        Language::Qjs => COMPONENTIZE_QJS.to_owned(),
        Language::Python | Language::C => fs::read_to_string(source.join("requirements.txt"))?,
    };
    let said = tools.join("installed");
    if fs::read_to_string(&said).is_ok_and(|found| found == wanted) {
        return Ok(tools);
    }
    remove(&tools)?;
    fs::create_dir_all(&tools)?;
    match language {
        Language::Js | Language::JsWeb | Language::Qjs => of_npm(&tools, &wanted)?,
        Language::Python | Language::C => of_pypi(&tools, source)?,
    }
    fs::write(said, wanted)?;
    Ok(tools)
}

/// A tool of npm, without whatever it would run while it is put in place.
fn of_npm(tools: &Path, tool: &str) -> Result<()> {
    done(
        toolchain::command("npm")
            .args(["install", "--prefix"])
            .arg(tools)
            .args(["--no-save", "--no-package-lock", "--ignore-scripts", "--no-audit", "--no-fund", tool])
            .current_dir(tools),
    )
}

/// An environment with what `requirements.txt` pins.
fn of_pypi(tools: &Path, source: &Path) -> Result<()> {
    done(toolchain::command("python3").args(["-m", "venv"]).arg(tools))?;
    done(
        Command::new(tools.join("bin/python"))
            .args([
                "-m",
                "pip",
                "install",
                "--quiet",
                "--disable-pip-version-check",
                "--only-binary",
                ":all:",
                "--no-deps",
                "-r",
            ])
            .arg(source.join("requirements.txt")),
    )
}

fn javascript(language: Language, source: &Path, wit: &Path, tools: &Path, out: &Path) -> Result<()> {
    fs::copy(source.join("build.mjs"), tools.join("build.mjs"))?;
    let is_web = language == Language::JsWeb;
    let worker = source.join(if is_web { "web.js" } else { "worker.js" });
    if language != Language::Qjs {
        return done(
            toolchain::command("node")
                .arg("build.mjs")
                .args([&*worker, wit, out])
                .args(is_web.then_some("http"))
                .current_dir(tools),
        );
    }
    // Without `--sync` it imports what only engines with asynchronous components have.
    done(
        Command::new(tools.join("node_modules/.bin/componentize-qjs"))
            .args(["--sync", "--world", WORLD, "--wit"])
            .arg(wit)
            .arg("--js")
            .arg(worker)
            .arg("-o")
            .arg(out),
    )
}

fn python(source: &Path, wit: &Path, tools: &Path, out: &Path) -> Result<()> {
    done(
        Command::new(tools.join("bin/componentize-py"))
            .arg("-d")
            .arg(wit)
            .args(["-w", WORLD, "componentize", "app", "-o"])
            .arg(out)
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .current_dir(source),
    )
}

/// Bindings by wit-bindgen, a core module by Zig's compiler, and a component as the Rust workers are made.
fn c(source: &Path, wit: &Path, target: &Path, tools: &Path, out: &Path) -> Result<()> {
    let bindings = tools.join("bindings");
    fs::create_dir_all(&bindings)?;
    done(
        toolchain::command("cargo")
            .args(["run", "--release", "--locked", "--manifest-path"])
            .arg(source.join("bindgen/Cargo.toml"))
            .arg("--target-dir")
            .arg(target.join("guest-build"))
            .arg("--")
            .args([wit.as_os_str(), WORLD.as_ref(), bindings.as_os_str()]),
    )?;
    let module = bindings.join("worker.wasm");
    done(
        Command::new(tools.join("bin/python"))
            .args([
                "-m",
                "ziglang",
                "cc",
                "-target",
                "wasm32-wasi",
                "-mexec-model=reactor",
                "-Oz",
                "-s",
                "-I",
            ])
            .args([
                &*bindings,
                &source.join("worker.c"),
                &bindings.join("codegen.c"),
                &bindings.join("codegen_component_type.o"),
            ])
            .arg("-o")
            .arg(&module)
            .env("ZIG_GLOBAL_CACHE_DIR", tools.join("zig"))
            .env("ZIG_LOCAL_CACHE_DIR", tools.join("zig")),
    )?;
    let bytes = component(&fs::read(&module)?).context("making a component of the worker in C")?;
    fs::write(out, bytes)?;
    Ok(())
}
