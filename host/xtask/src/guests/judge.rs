//! Builds `host/abide-judge` into `<target>/judge/judge.wasm`: the judging code of the gate, from the same lock file as the host, as a module without
//! imports.
//!
//! It needs the toolchain of the host, since it is the host's code. Where that has no standard library for WebAssembly there is no sealed judge, and
//! `ab` says so when it is asked for.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{
    Options, TARGET, cache_directory, collect, copy_all, digest_of, hex, remove, short, store, toolchain,
};

/// Changes when this file changes what it makes from the same sources.
const RECIPE: &str = "judge/1";
/// No entropy: what asks for it fails. A stack as deep as policies nest natively; vectors, which every engine has.
const FLAGS: [&str; 5] = [
    "--cfg",
    "getrandom_backend=\"unsupported\"",
    "-Clink-arg=-zstack-size=33554432",
    "-Ctarget-feature=+simd128",
    "-Cstrip=symbols",
];
/// Everything that its bytes depend on.
const SOURCES: [&str; 3] = ["host/abide-core", "host/abide-gate", "host/abide-judge"];
const FILES: [&str; 3] = ["Cargo.toml", "Cargo.lock", "policies/schemas/input.schema.json"];

/// `manifest.json`: what was built.
#[derive(Debug, Serialize, Deserialize)]
struct Manifest {
    /// Digest of sources, lock file, toolchain and recipe.
    inputs_sha256: String,
    toolchain: String,
    sha256: String,
    size_bytes: u64,
}

pub(super) fn run(options: &Options, root: &Path, target: &Path) -> Result<()> {
    let Some(toolchain) = toolchain::installed(root)? else {
        eprintln!(
            "judge: NOT built: the active toolchain has no target {TARGET}, and another compiler does not compile the host's code\n  \
             help: `rustup target add {TARGET}` where the network allows it; until then `ab` has no sealed judge and says so"
        );
        return Ok(());
    };
    let inputs = digest_of(&[RECIPE, &toolchain.version, &FLAGS.join(" ")], &sources(root)?);
    let out = target.join("judge");
    let cache = cache_directory("judge").map(|folder| folder.join(&inputs));
    if !options.force {
        for (place, known) in [("target", Some(&out)), ("cache", cache.as_ref())] {
            let Some(known) = known.filter(|known| is_complete(known, &inputs)) else { continue };
            if known != &out {
                copy_all(known, &out)?;
            }
            eprintln!("judge: known by digest {} ({place})", short(&inputs));
            return Ok(());
        }
    }
    eprintln!("judge: building with {}", toolchain.name());
    let mut cargo = toolchain.cargo(root, &FLAGS)?;
    let build = target.join("guest-build");
    let status = cargo
        .args(["build", "--profile", "sealed", "--locked", "--package", "abide-judge", "--target", TARGET])
        .arg("--target-dir")
        .arg(&build)
        .current_dir(root)
        .status()
        .context("starting cargo for the judge")?;
    ensure!(status.success(), "building the judge failed ({status})");
    let bytes = fs::read(build.join(TARGET).join("sealed").join("abide_judge.wasm"))?;
    let manifest = Manifest {
        inputs_sha256: inputs,
        toolchain: toolchain.name(),
        sha256: hex(&Sha256::digest(&bytes)),
        size_bytes: bytes.len() as u64,
    };
    let fresh = target.join("judge.new");
    remove(&fresh)?;
    fs::create_dir_all(&fresh)?;
    fs::write(fresh.join("judge.wasm"), &bytes)?;
    fs::write(fresh.join("manifest.json"), format!("{}\n", serde_json::to_string_pretty(&manifest)?))?;
    remove(&out)?;
    fs::rename(&fresh, &out).with_context(|| format!("moving {}", out.display()))?;
    if let Some(Err(error)) = cache.map(|cache| store(&out, &cache)) {
        // A cache that cannot be written costs time, not correctness.
        eprintln!("judge: not cached: {error:#}");
    }
    eprintln!("judge: {} bytes  sha256:{}", manifest.size_bytes, short(&manifest.sha256));
    Ok(())
}

/// Sources without their tests, which do not become part of it.
fn sources(root: &Path) -> Result<BTreeMap<String, Vec<u8>>> {
    let mut files = BTreeMap::new();
    for folder in SOURCES {
        collect(root, &root.join(folder), &mut files)?;
    }
    files.retain(|path, _| !path.contains("/tests/") && !path.ends_with("/tests.rs"));
    for file in FILES {
        files.insert(file.to_owned(), fs::read(root.join(file)).with_context(|| format!("reading {file}"))?);
    }
    Ok(files)
}

/// Whether `folder` holds what `inputs` gives, byte for byte as its manifest says.
fn is_complete(folder: &Path, inputs: &str) -> bool {
    let manifest = fs::read(folder.join("manifest.json")).ok();
    let manifest: Option<Manifest> = manifest.and_then(|bytes| serde_json::from_slice(&bytes).ok());
    manifest.is_some_and(|manifest| {
        manifest.inputs_sha256 == inputs
            && fs::read(folder.join("judge.wasm"))
                .is_ok_and(|bytes| hex(&Sha256::digest(bytes)) == manifest.sha256)
    })
}
