//! A component in an OCI image layout: a folder with `oci-layout`, `index.json` and `blobs/sha256/…`.
//!
//! Nothing in it is followed but digests, and each is compared with the bytes. Names that are not digests, links and `..` lead nowhere: files
//! are opened below the folder only, and never through a link.

use std::io::Read as _;
use std::path::Path;

use abide_core::id::Digest;
use abide_core::safe_text;
use cap_std::ambient_authority;
use cap_std::fs::{Dir, OpenOptions, OpenOptionsExt as _};
use rustix::fs::OFlags;
use serde::Deserialize;

use crate::report::{Exit, Failure};

/// Bytes of an index or a manifest at most.
const DOCUMENT_BYTES_MAX: u64 = 1 << 20;
/// Media types of a layer that is a component: of today's tools, and of those before.
const WASM: [&str; 2] = ["application/wasm", "application/vnd.wasm.content.layer.v1+wasm"];

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Version {
    image_layout_version: String,
}

#[derive(Deserialize)]
struct Index {
    manifests: Vec<Descriptor>,
}

#[derive(Deserialize)]
struct Manifest {
    layers: Vec<Descriptor>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Descriptor {
    media_type: String,
    digest: String,
    size: u64,
}

fn refused(what: impl Into<String>) -> Failure {
    Failure::new("AB0846", format!("the folder is no OCI image layout with a component: {}", what.into()))
        .help("a layout has oci-layout, index.json with one manifest, and blobs/sha256/ with one layer of type application/wasm")
        .exit(Exit::Evidence)
}

/// Bytes of the component in the layout at `folder`, of which there may be `most`.
pub(crate) fn read(folder: &Path, most: u64) -> Result<Vec<u8>, Failure> {
    let dir = Dir::open_ambient_dir(folder, ambient_authority()).map_err(|error| {
        Failure::of("AB0832", error).help(format!("{} cannot be entered", folder.display()))
    })?;
    let version: Version = document(&file(&dir, "oci-layout", DOCUMENT_BYTES_MAX)?, "oci-layout")?;
    if version.image_layout_version != "1.0.0" {
        return Err(refused("its version is not 1.0.0"));
    }
    let index: Index = document(&file(&dir, "index.json", DOCUMENT_BYTES_MAX)?, "index.json")?;
    let [manifest] = index.manifests.as_slice() else {
        return Err(refused(format!(
            "index.json names {} manifests, and one is expected",
            index.manifests.len()
        )));
    };
    let manifest: Manifest = document(&blob(&dir, manifest, DOCUMENT_BYTES_MAX)?, "the manifest")?;
    let layers: Vec<&Descriptor> =
        manifest.layers.iter().filter(|layer| WASM.contains(&layer.media_type.as_str())).collect();
    match layers.as_slice() {
        [layer] => blob(&dir, layer, most),
        _ => Err(refused(format!(
            "its manifest has {} layers of WebAssembly, and one is expected",
            layers.len()
        ))),
    }
}

fn document<T: for<'de> Deserialize<'de>>(bytes: &[u8], what: &str) -> Result<T, Failure> {
    abide_gate::source::plain_json(bytes).map_err(|why| refused(format!("{what}: {why}")))?;
    serde_json::from_slice(bytes).map_err(|error| refused(format!("{what}: {error}")))
}

/// The bytes that a descriptor names, and no others.
fn blob(dir: &Dir, named: &Descriptor, most: u64) -> Result<Vec<u8>, Failure> {
    let shown = safe_text::line(&named.digest);
    let digest: Digest =
        named.digest.parse().map_err(|_| refused(format!("`{shown}` is no digest of the form sha256:…")))?;
    if named.size > most {
        return Err(refused(format!("`{shown}` has {} bytes, and the limit is {most}", named.size)));
    }
    let bytes = file(dir, &format!("blobs/sha256/{}", digest.hex()), named.size)?;
    let size = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
    if size != named.size || Digest::of(&bytes) != digest {
        return Err(refused(format!("the bytes of `{shown}` are others than it names")));
    }
    Ok(bytes)
}

fn file(dir: &Dir, name: &str, most: u64) -> Result<Vec<u8>, Failure> {
    let fault = |error: std::io::Error| refused(format!("`{name}` cannot be read ({error})"));
    // Each folder on the way is looked at as well: a link inside of the layout is none of it.
    let mut seen = std::path::PathBuf::new();
    for part in Path::new(name) {
        seen.push(part);
        if dir.symlink_metadata(&seen).map_err(fault)?.is_symlink() {
            return Err(refused(format!("`{}` is a link", seen.display())));
        }
    }
    let flags = i32::try_from((OFlags::NOFOLLOW | OFlags::NONBLOCK).bits()).unwrap_or_default();
    let opened = dir.open_with(name, OpenOptions::new().read(true).custom_flags(flags)).map_err(fault)?;
    let about = opened.metadata().map_err(fault)?;
    if !about.is_file() || about.len() > most {
        return Err(refused(format!("`{name}` is no plain file of at most {most} bytes")));
    }
    let mut bytes = Vec::new();
    opened.take(most.saturating_add(1)).read_to_end(&mut bytes).map_err(fault)?;
    Ok(bytes)
}
