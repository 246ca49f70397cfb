//! Components in compiled form on disk, so that a process does not compile what another one did.
//!
//! Loading a compiled component runs its machine code: whoever can write such a file can run code as us. So each carries a MAC (HMAC-SHA-256,
//! RFC 2104) under a key that only the operator's account reads, over the component's digest and the code. A file that does not check out is
//! not loaded but replaced; the cache being unreadable or full costs time, nothing else.

use std::io::Write as _;

use abide_core::id::Digest;
use cap_std::fs::{Dir, OpenOptions, OpenOptionsExt as _};
use hmac::{Hmac, KeyInit, Mac as _};
use sha2::Sha256;
use wasmtime::Module;
use wasmtime::component::Component;

use crate::engine::Execution;

/// Bytes of the MAC at the front of each file.
const MAC_BYTES: usize = 32;
/// What the MAC is for, so that the key's other uses, if there ever are any, cannot be mixed up with this one.
const CONTEXT: &[u8] = b"abide compiled component 1\0";

/// The key of a cache: 32 random bytes, readable by the operator's account alone.
pub struct CacheKey([u8; 32]);

impl CacheKey {
    /// The key with these bytes.
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

impl std::fmt::Debug for CacheKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("CacheKey(…)")
    }
}

/// A folder of compiled components.
#[derive(Debug)]
pub struct CompiledCache {
    dir: Dir,
    key: CacheKey,
}

impl CompiledCache {
    /// The cache in `dir`.
    pub fn new(dir: Dir, key: CacheKey) -> Self {
        Self { dir, key }
    }

    /// What was compiled from the component with `digest`, if this engine can run it.
    pub(crate) fn find(&self, engine: &wasmtime::Engine, digest: &Digest) -> Option<Component> {
        danger::load(engine, &self.checked(&for_target(digest, engine))?)
    }

    /// The same for a core module.
    pub(crate) fn find_module(&self, engine: &wasmtime::Engine, digest: &Digest) -> Option<Module> {
        danger::load_module(engine, &self.checked(&for_target(digest, engine))?)
    }

    /// Bytes that were kept for the component with `digest` and for `engine`, a description of what they depend on.
    pub(crate) fn find_bytes(&self, digest: &Digest, engine: &str) -> Option<Vec<u8>> {
        self.checked(&for_engine(digest, engine))
    }

    /// Keeps them.
    pub(crate) fn keep_bytes(&self, digest: &Digest, engine: &str, bytes: &[u8]) {
        self.keep_code(&for_engine(digest, engine), Ok(bytes.to_vec()));
    }

    /// The code of a file that checks out.
    fn checked(&self, digest: &Digest) -> Option<Vec<u8>> {
        let bytes = self.dir.read(name(digest)).ok()?;
        let (tag, code) = bytes.split_at_checked(MAC_BYTES)?;
        if self.mac(digest, code)?.verify_slice(tag).is_err() {
            tracing::warn!(
                component = digest.short(),
                "a compiled component does not check out, and is not used"
            );
            return None;
        }
        Some(code.to_vec())
    }

    /// Keeps what was compiled from the component with `digest`.
    pub(crate) fn keep(&self, digest: &Digest, component: &Component) {
        self.keep_code(&for_target(digest, component.engine()), component.serialize());
    }

    /// The same for a core module.
    pub(crate) fn keep_module(&self, digest: &Digest, module: &Module) {
        self.keep_code(&for_target(digest, module.engine()), module.serialize());
    }

    fn keep_code(&self, digest: &Digest, code: wasmtime::Result<Vec<u8>>) {
        if let Err(error) = self.try_keep(digest, code) {
            tracing::warn!(%error, component = digest.short(), "a compiled component is not kept");
        }
    }

    fn try_keep(&self, digest: &Digest, code: wasmtime::Result<Vec<u8>>) -> std::io::Result<()> {
        let code = code.map_err(|error| std::io::Error::other(format!("{error:#}")))?;
        let mac = self.mac(digest, &code).ok_or_else(|| std::io::Error::other("no MAC with this key"))?;
        // Written beside and moved, so that a reader never sees a part; another process writes the same bytes.
        let part = format!("{}.{}.part", digest.hex(), std::process::id());
        let mut file = self
            .dir
            .open_with(&part, OpenOptions::new().write(true).create(true).truncate(true).mode(0o600))?;
        file.write_all(&mac.finalize().into_bytes())?;
        file.write_all(&code)?;
        drop(file);
        self.dir.rename(&part, &self.dir, name(digest))
    }

    fn mac(&self, digest: &Digest, code: &[u8]) -> Option<Hmac<Sha256>> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.key.0).ok()?;
        mac.update(CONTEXT);
        mac.update(digest.as_str().as_bytes());
        mac.update(code);
        Some(mac)
    }
}

/// The name of what one engine made of a component.
fn for_engine(digest: &Digest, engine: &str) -> Digest {
    Digest::of(format!("{digest} {engine}").as_bytes())
}

/// The name of what an engine of this target made of it: bytecode and machine code lie side by side.
fn for_target(digest: &Digest, engine: &wasmtime::Engine) -> Digest {
    match Execution::of(engine) {
        Execution::Native => digest.clone(),
        Execution::Interpreted => for_engine(digest, Execution::Interpreted.name()),
    }
}

/// Code that came over the socket of a runner, from the process that started it and that checked it.
pub(crate) fn trusted(engine: &wasmtime::Engine, code: &[u8]) -> Option<Component> {
    danger::load(engine, code)
}

fn name(digest: &Digest) -> String {
    format!("{}.cwasm", digest.hex())
}

/// The one place that runs what a file says.
mod danger {
    use wasmtime::Module;
    use wasmtime::component::Component;

    /// The compiled component `code`, unless another version or configuration of the engine made it.
    #[expect(
        unsafe_code,
        reason = "loading a compiled component trusts its bytes; the caller has checked their MAC"
    )]
    pub(super) fn load(engine: &wasmtime::Engine, code: &[u8]) -> Option<Component> {
        // SAFETY: `Component::deserialize` asks that the bytes come from `Component::serialize` and were not changed since. The MAC says so:
        // only this crate computes it, over such bytes, with a key that is not in the hands of workers or checks. In a runner they came
        // from the process that started it, which checked the MAC and owns this one anyway. The engine itself
        // refuses bytes of another version, target or configuration.
        unsafe { Component::deserialize(engine, code) }.ok()
    }

    /// The compiled core module `code`, unless another version or configuration of the engine made it.
    #[expect(
        unsafe_code,
        reason = "loading a compiled module trusts its bytes; the caller has checked their MAC"
    )]
    pub(super) fn load_module(engine: &wasmtime::Engine, code: &[u8]) -> Option<Module> {
        // SAFETY: as above, with `Module::deserialize` and `Module::serialize`.
        unsafe { Module::deserialize(engine, code) }.ok()
    }
}
