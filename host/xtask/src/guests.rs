//! Builds `guest-workers/` into components: `<target>/guests/*.wasm` and `manifest.json`; and the sealed judge (`judge.rs`).
//!
//! The result is kept under the digest of the sources, the WIT and the toolchain in `$XDG_CACHE_HOME/abide/guests/`, outside of the
//! clone, so that a fresh clone of known sources builds nothing. Two builds of the same sources give the same bytes.

mod judge;
mod languages;
mod toolchain;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, Result, anyhow, bail, ensure};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use toolchain::Toolchain;

/// The target of every guest: it has no system interface, so a guest has nothing but what the WIT gives it.
const TARGET: &str = "wasm32-unknown-unknown";
/// Changes when this file changes what it makes from the same sources.
const RECIPE: &str = "guests/1 wit-component 0.254";

/// How to build.
#[derive(Default, clap::Args)]
pub struct Options {
    /// Build even when the result is known.
    #[arg(long)]
    force: bool,
    /// Build the workers in these other languages instead, with the stock tools of each, into `<target>/guests-LANG`.
    #[arg(long = "lang", value_name = "LANG", value_delimiter = ',')]
    languages: Vec<languages::Language>,
}

/// `manifest.json`: what was built.
#[derive(Debug, Serialize, Deserialize)]
struct Manifest {
    /// Digest of sources, WIT, toolchain and recipe.
    inputs_sha256: String,
    /// How it was compiled, for people.
    toolchain: String,
    components: Vec<ComponentRecord>,
}

/// One component.
#[derive(Debug, Serialize, Deserialize)]
struct ComponentRecord {
    name: String,
    file: String,
    sha256: String,
    size_bytes: u64,
    /// Interfaces that it imports, functions or types.
    imports: Vec<String>,
}

/// Builds what is not known yet, and says what it did on standard error.
pub fn run(options: &Options) -> Result<()> {
    let root = root()?;
    let target = target_directory(&root)?;
    if !options.languages.is_empty() {
        return options
            .languages
            .iter()
            .try_for_each(|language| languages::run(options, *language, &root, &target));
    }
    workers(options, &root, &target)?;
    judge::run(options, &root, &target)
}

fn workers(options: &Options, root: &Path, target: &Path) -> Result<()> {
    let out = target.join("guests");
    let toolchain = toolchain::pick(root)?;
    let inputs = inputs_digest(root, &toolchain)?;
    let cache = cache_directory("guests").map(|folder| folder.join(&inputs));

    if let Some(place) = known(options, &out, cache.as_deref(), &inputs)? {
        eprintln!("guests: known by digest {} ({place}; {})", short(&inputs), toolchain.name());
        return Ok(());
    }
    eprintln!("guests: building with {}", toolchain.name());
    let modules = compile(root, target, &toolchain)?;
    let fresh = target.join("guests.new");
    remove(&fresh)?;
    let manifest = componentise(&modules, &fresh, inputs, toolchain.name())?;
    remove(&out)?;
    fs::rename(&fresh, &out).with_context(|| format!("moving {}", out.display()))?;
    if let Some(cache) = cache {
        // A cache that cannot be written costs time, not correctness.
        if let Err(error) = store(&out, &cache) {
            eprintln!("guests: not cached: {error:#}");
        }
    }
    for component in &manifest.components {
        eprintln!(
            "guests: {:<16} {:>7} bytes  sha256:{}",
            component.name,
            component.size_bytes,
            short(&component.sha256)
        );
    }
    eprintln!("guests: in {}", out.display());
    Ok(())
}

/// Puts what `inputs` gives into `out` where it is known. Says from where, or `None` where it has to be built.
fn known(options: &Options, out: &Path, cache: Option<&Path>, inputs: &str) -> Result<Option<&'static str>> {
    if options.force {
        return Ok(None);
    }
    for (place, known) in [("target", Some(out)), ("cache", cache)] {
        let Some(known) = known.filter(|known| is_complete(known, inputs)) else { continue };
        if known != out {
            copy_all(known, out)?;
        }
        return Ok(Some(place));
    }
    Ok(None)
}

/// The root of the repository: two folders above this package.
pub fn root() -> Result<PathBuf> {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    Ok(package
        .ancestors()
        .nth(2)
        .ok_or_else(|| anyhow!("{} has no grandparent", package.display()))?
        .to_owned())
}

pub fn target_directory(root: &Path) -> Result<PathBuf> {
    #[derive(Deserialize)]
    struct Metadata {
        target_directory: PathBuf,
    }
    let output = toolchain::command("cargo")
        .args(["metadata", "--no-deps", "--offline", "--format-version=1"])
        .current_dir(root)
        .output()
        .context("starting `cargo metadata`")?;
    ensure!(output.status.success(), "`cargo metadata` failed: {}", String::from_utf8_lossy(&output.stderr));
    Ok(serde_json::from_slice::<Metadata>(&output.stdout)?.target_directory)
}

fn cache_directory(what: &str) -> Option<PathBuf> {
    let base = std::env::var_os("XDG_CACHE_HOME")
        .filter(|value| !value.is_empty())
        .map(PathBuf::from)
        .or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cache")))?;
    base.is_absolute().then(|| base.join("abide").join(what))
}

/// Digest of everything that the bytes of the components depend on.
fn inputs_digest(root: &Path, toolchain: &Toolchain) -> Result<String> {
    let mut files = BTreeMap::new();
    for folder in ["guest-workers", "wit"] {
        collect(root, &root.join(folder), &mut files)?;
    }
    // Those are not Rust's, and are built by themselves.
    files.retain(|path, _| !languages::FOLDERS.iter().any(|folder| path.starts_with(&format!("{folder}/"))));
    Ok(digest_of(&[RECIPE, toolchain.version.as_str()], &files))
}

fn digest_of(texts: &[&str], files: &BTreeMap<String, Vec<u8>>) -> String {
    let mut hash = Sha256::new();
    for text in texts {
        hash.update(text.len().to_le_bytes());
        hash.update(text);
    }
    for (path, bytes) in files {
        hash.update(path.len().to_le_bytes());
        hash.update(path);
        hash.update(bytes.len().to_le_bytes());
        hash.update(bytes);
    }
    hex(&hash.finalize())
}

fn collect(root: &Path, folder: &Path, files: &mut BTreeMap<String, Vec<u8>>) -> Result<()> {
    for entry in fs::read_dir(folder).with_context(|| format!("reading {}", folder.display()))? {
        let path = entry?.path();
        if path.is_dir() {
            if path.file_name().is_some_and(|name| name != "target" && name != "__pycache__") {
                collect(root, &path, files)?;
            }
        } else {
            let name = path.strip_prefix(root)?.to_string_lossy().into_owned();
            files.insert(name, fs::read(&path)?);
        }
    }
    Ok(())
}

fn read_manifest(folder: &Path) -> Option<Manifest> {
    serde_json::from_slice(&fs::read(folder.join("manifest.json")).ok()?).ok()
}

/// Whether `folder` holds what `inputs` gives, byte for byte as its manifest says.
fn is_complete(folder: &Path, inputs: &str) -> bool {
    read_manifest(folder).is_some_and(|manifest| {
        manifest.inputs_sha256 == inputs
            && manifest.components.iter().all(|component| {
                fs::read(folder.join(&component.file))
                    .is_ok_and(|bytes| hex(&Sha256::digest(bytes)) == component.sha256)
            })
    })
}

fn copy_all(from: &Path, to: &Path) -> Result<()> {
    remove(to)?;
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        fs::copy(entry.path(), to.join(entry.file_name()))?;
    }
    Ok(())
}

/// Puts a copy of `out` at `cache`, which appears complete or not at all.
fn store(out: &Path, cache: &Path) -> Result<()> {
    let part = cache.with_extension(format!("part-{}", std::process::id()));
    copy_all(out, &part)?;
    remove(cache)?;
    fs::rename(&part, cache)?;
    Ok(())
}

fn remove(folder: &Path) -> Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("removing {}", folder.display()))
        }
        _ => Ok(()),
    }
}

/// Compiles every guest; returns name and core module of each.
fn compile(root: &Path, target: &Path, toolchain: &Toolchain) -> Result<Vec<(String, PathBuf)>> {
    #[derive(Deserialize)]
    struct Message {
        reason: String,
        #[serde(default)]
        filenames: Vec<PathBuf>,
        target: Option<MessageTarget>,
    }
    #[derive(Deserialize)]
    struct MessageTarget {
        name: String,
        kind: Vec<String>,
    }
    let mut cargo = toolchain.cargo(root, &[])?;
    cargo
        .args([
            "build",
            "--release",
            "--locked",
            "--message-format=json-render-diagnostics",
            "--target",
            TARGET,
        ])
        .arg("--target-dir")
        .arg(target.join("guest-build"))
        .current_dir(root.join("guest-workers"))
        .stdout(Stdio::piped());
    let mut child = cargo.spawn().context("starting cargo for the guests")?;
    let stdout = child.stdout.take().ok_or_else(|| anyhow!("cargo has no standard output"))?;
    let mut modules = Vec::new();
    for message in serde_json::Deserializer::from_reader(BufReader::new(stdout)).into_iter::<Message>() {
        let message = message.context("reading cargo's messages")?;
        let Some(library) = message.target.filter(|target| target.kind.iter().any(|kind| kind == "cdylib"))
        else {
            continue;
        };
        let module = message
            .filenames
            .into_iter()
            .find(|file| file.extension().is_some_and(|extension| extension == "wasm"));
        if let (Some(module), "compiler-artifact") = (module, message.reason.as_str()) {
            modules.push((library.name.replace('_', "-"), module));
        }
    }
    let status = child.wait()?;
    ensure!(status.success(), "building the guests failed ({status}); toolchain: {}", toolchain.name());
    ensure!(!modules.is_empty(), "cargo built no guest");
    modules.sort();
    Ok(modules)
}

/// Makes a component of every module, and writes the manifest last.
fn componentise(
    modules: &[(String, PathBuf)],
    out: &Path,
    inputs: String,
    toolchain: String,
) -> Result<Manifest> {
    fs::create_dir_all(out)?;
    let mut components = Vec::new();
    for (name, module) in modules {
        let bytes =
            component(&fs::read(module)?).with_context(|| format!("making a component of `{name}`"))?;
        let file = format!("{name}.wasm");
        fs::write(out.join(&file), &bytes)?;
        components.push(ComponentRecord {
            name: name.clone(),
            file,
            sha256: hex(&Sha256::digest(&bytes)),
            size_bytes: bytes.len() as u64,
            imports: imports(&bytes)?,
        });
    }
    let manifest = Manifest { inputs_sha256: inputs, toolchain, components };
    fs::write(out.join("manifest.json"), format!("{}\n", serde_json::to_string_pretty(&manifest)?))?;
    Ok(manifest)
}

fn component(module: &[u8]) -> Result<Vec<u8>> {
    wit_component::ComponentEncoder::default().module(module)?.validate(true).encode()
}

fn imports(component: &[u8]) -> Result<Vec<String>> {
    match wit_component::decode(component)? {
        wit_component::DecodedWasm::Component(resolve, world) => {
            Ok(resolve.worlds[world].imports.keys().map(|key| resolve.name_world_key(key)).collect())
        }
        wit_component::DecodedWasm::WitPackage(..) => bail!("a WIT package is not a component"),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn short(digest: &str) -> &str {
    digest.get(..12).unwrap_or(digest)
}
