//! The sealed judge as it ships, beside the native one.

use std::fs::{self, File};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use abide_core::canonical;
use abide_core::decision::Decision;
use abide_core::id::Digest;
use abide_gate::sealed::module_of;
use abide_sandbox::sealed::SealedLimits;
use abide_sandbox::{CacheKey, CompiledCache, Execution, SealedModule};

use crate::built::{self, target};

/// The module, or `None` (after saying so) where it is not built and need not be.
pub fn module() -> Option<Arc<SealedModule>> {
    static MODULE: OnceLock<Option<Arc<SealedModule>>> = OnceLock::new();
    MODULE.get_or_init(|| compiled(Execution::Native, SealedLimits::SHIPPED)).clone()
}

/// The same, interpreted.
pub fn interpreted() -> Option<Arc<SealedModule>> {
    static MODULE: OnceLock<Option<Arc<SealedModule>>> = OnceLock::new();
    MODULE.get_or_init(|| compiled(Execution::Interpreted, SealedLimits::INTERPRETED)).clone()
}

/// Whether `ab` carries the judge; says so where not.
pub fn is_carried() -> bool {
    bytes().is_some()
}

/// The bytes of the module.
fn bytes() -> Option<Vec<u8>> {
    let file =
        std::env::var_os("ABIDE_JUDGE").map_or_else(|| target().join("judge/judge.wasm"), PathBuf::from);
    built::read(&file)
}

/// Where compiled forms are kept between tests, and under which key.
fn kept() -> PathBuf {
    target().join("judge-compiled")
}

const KEY: [u8; 32] = [7; 32];

fn compiled(execution: Execution, limits: SealedLimits) -> Option<Arc<SealedModule>> {
    let (bytes, folder) = (bytes()?, kept());
    fs::create_dir_all(&folder).unwrap();
    // Tests are processes of their own: one compiles, the others wait for it.
    let lock = File::create(folder.join("lock")).unwrap();
    lock.lock().unwrap();
    let dir = cap_std::fs::Dir::open_ambient_dir(&folder, cap_std::ambient_authority()).unwrap();
    let cache = CompiledCache::new(dir, CacheKey::new(KEY));
    let module = SealedModule::new_as(&bytes, Some(&cache), limits, execution).unwrap();
    Some(Arc::new(module))
}

/// Puts the compiled module into a state folder, where `ab` would put it after compiling it for some seconds.
pub fn hand_over(home: &Path) {
    let Some(bytes) = bytes() else { return };
    let name = format!("{}.cwasm", Digest::of(&bytes).hex());
    if !kept().join(&name).exists() {
        module();
    }
    // Somebody else's compiled form cannot be read: then `ab` makes its own.
    let Ok(form) = fs::read(kept().join(&name)) else { return };
    let folder = home.join("compiled");
    fs::DirBuilder::new().recursive(true).mode(0o700).create(&folder).unwrap();
    fs::write(folder.join("compiled.key"), KEY).unwrap();
    fs::write(folder.join(&name), form).unwrap();
}

/// Asserts that a sealed decision is the native one to the byte, but for the name of the engine.
#[track_caller]
pub fn assert_same(native: &Decision, sealed: Decision) {
    assert!(module_of(&sealed.engine).is_some(), "`{}` does not name a module", sealed.engine);
    assert!(module_of(&native.engine).is_none(), "`{}` names a module", native.engine);
    let sealed = Decision { engine: native.engine.clone(), ..sealed };
    let (native, sealed) = (canonical::jcs(native).unwrap(), canonical::jcs(&sealed).unwrap());
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert_eq!(text(&native), text(&sealed), "the sealed judge (right) decides otherwise");
}
