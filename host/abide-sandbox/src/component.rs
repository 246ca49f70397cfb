//! What a component asks for, read before anything of it runs.

use std::collections::BTreeSet;

use abide_core::id::Digest;
use wasmtime::component::Component;
use wasmtime::component::types::ComponentItem;

use crate::cache::CompiledCache;
use crate::engine::{Engine, EngineLimits};
use crate::inspect::{Admission, Parts, admission};
use crate::message::{Capability, Refusal};
use crate::run::MESSAGE_BYTES_MAX;
use crate::text::clean_line;

/// The eight bytes that a component begins with, and a core module: magic, version, layer (Component Model, `Binary.md`).
pub(crate) const COMPONENT_PREAMBLE: [u8; 8] = [0x00, b'a', b's', b'm', 0x0d, 0x00, 0x01, 0x00];
pub(crate) const MODULE_PREAMBLE: [u8; 8] = [0x00, b'a', b's', b'm', 0x01, 0x00, 0x00, 0x00];

/// Exports that are named when the right one is missing.
const EXPORTS_TOLD_MAX: usize = 20;

/// Why some bytes are not a worker.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize, thiserror::Error)]
pub enum LoadError {
    /// Not WebAssembly.
    #[error("not a component: it does not begin with the preamble of one")]
    NotWasm,
    /// A core module: nobody made a component of it.
    #[error("not a component but a core module; `ab worker pack` makes a component of it")]
    CoreModule,
    /// Too large to compile.
    #[error("the component has {bytes} bytes, and the limit is {limit}")]
    TooLarge {
        /// Its size.
        bytes: u64,
        /// `component_bytes_max`.
        limit: u64,
    },
    /// Truncated, malformed, or using a feature that is off.
    #[error("the component is malformed: {0}")]
    Malformed(String),
    /// No engine of this host has room for what it begins with.
    #[error("the component begins with {asked} {what}, and there is room for {most}")]
    BeginsTooLarge {
        /// Of what.
        what: String,
        /// How much.
        asked: u64,
        /// `memory_bytes_max` or `table_elements_max` of the engine.
        most: u64,
    },
    /// It does not export `propose`.
    #[error("the component exports no function `propose`; it exports: {}", if .exports.is_empty() { "nothing".to_owned() } else { .exports.join(", ") })]
    NoPropose {
        /// What it exports.
        exports: Vec<String>,
    },
}

impl LoadError {
    /// The code that `ab explain` knows.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotWasm => "AB0801",
            Self::CoreModule => "AB0802",
            Self::TooLarge { .. } | Self::Malformed(_) => "AB0803",
            Self::NoPropose { .. } => "AB0804",
            Self::BeginsTooLarge { .. } => "AB0808",
        }
    }

    /// The same with texts that can be shown: the compiler's words are nobody's.
    pub(crate) fn cleaned(self) -> Self {
        let line = |text: &str| clean_line(text, MESSAGE_BYTES_MAX);
        match self {
            Self::Malformed(why) => Self::Malformed(line(&why)),
            Self::NoPropose { exports } => Self::NoPropose {
                exports: exports.iter().take(EXPORTS_TOLD_MAX).map(|name| line(name)).collect(),
            },
            Self::NotWasm | Self::CoreModule | Self::TooLarge { .. } | Self::BeginsTooLarge { .. } => self,
        }
    }
}

/// A component as `ab worker inspect` shows it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct ComponentInfo {
    /// Digest of its bytes.
    pub digest: Digest,
    /// Size of its file.
    pub bytes: u64,
    /// Interfaces with functions, as it names them. Types alone ask for nothing.
    pub imports: BTreeSet<String>,
    /// What it exports.
    pub exports: BTreeSet<String>,
}

/// Makes `bytes` ready to run, from `cache` if they were compiled before, and reads what they ask for.
pub(crate) fn load(
    engine: &Engine,
    cache: Option<&CompiledCache>,
    bytes: &[u8],
) -> Result<(Component, ComponentInfo), LoadError> {
    let size = check_outside(bytes, engine.limits.component_bytes_max)?;
    let digest = Digest::of(bytes);
    let component = match cache.and_then(|cache| cache.find(&engine.inner, &digest)) {
        Some(component) => component,
        None => compile(engine, cache, &digest, bytes)?,
    };
    let info = describe(&engine.inner, &component, digest, size)?;
    Ok((component, info))
}

/// Whether the engine has room for each memory and table that it begins with.
pub(crate) fn check_room(parts: &Parts, limits: &EngineLimits) -> Result<(), LoadError> {
    let memory = parts.memories.iter().map(|memory| memory.initial_bytes).max().unwrap_or_default();
    let table = parts.tables.iter().map(|table| table.initial).max().unwrap_or_default();
    let rows = [
        ("bytes of memory", memory, limits.memory_bytes_max),
        ("elements of a table", table, limits.table_elements_max.into()),
    ];
    match rows.into_iter().find(|(_, asked, most)| asked > most) {
        Some((what, asked, most)) => Err(LoadError::BeginsTooLarge { what: what.to_owned(), asked, most }),
        None => Ok(()),
    }
}

/// What can be said of the bytes without reading into them: their number, which comes back, and what they begin with.
pub(crate) fn check_outside(bytes: &[u8], limit: u64) -> Result<u64, LoadError> {
    let size = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
    if size > limit {
        return Err(LoadError::TooLarge { bytes: size, limit });
    }
    if bytes.starts_with(&MODULE_PREAMBLE) {
        return Err(LoadError::CoreModule);
    }
    // The engine would also take WebAssembly text and its own compiled form; only the binary format is a worker.
    if !bytes.starts_with(&COMPONENT_PREAMBLE) {
        return Err(LoadError::NotWasm);
    }
    Ok(size)
}

/// What a compiled component asks for.
pub(crate) fn describe(
    engine: &wasmtime::Engine,
    component: &Component,
    digest: Digest,
    bytes: u64,
) -> Result<ComponentInfo, LoadError> {
    let ty = component.component_type();
    let imports = ty
        .imports(engine)
        .filter(|(_, item)| asks_for_something(&item.ty, engine))
        .map(|(name, _)| name.to_owned())
        .collect();
    let exports: BTreeSet<String> = ty.exports(engine).map(|(name, _)| name.to_owned()).collect();
    let proposes = ty
        .exports(engine)
        .any(|(name, item)| name == "propose" && matches!(item.ty, ComponentItem::ComponentFunc(_)));
    if !proposes {
        return Err(LoadError::NoPropose { exports: exports.into_iter().collect() });
    }
    Ok(ComponentInfo { digest, bytes, imports, exports })
}

fn compile(
    engine: &Engine,
    cache: Option<&CompiledCache>,
    digest: &Digest,
    bytes: &[u8],
) -> Result<Component, LoadError> {
    let component = compiled(&engine.inner, bytes)?;
    if let Some(cache) = cache {
        cache.keep(digest, &component);
    }
    Ok(component)
}

/// The component in `bytes`, compiled for `engine`.
pub(crate) fn compiled(engine: &wasmtime::Engine, bytes: &[u8]) -> Result<Component, LoadError> {
    Component::from_binary(engine, bytes).map_err(|error| malformed(&error))
}

/// What the compiler says against a component.
pub(crate) fn malformed(error: &wasmtime::Error) -> LoadError {
    LoadError::Malformed(format!("{error:#}").replace('\n', " "))
}

/// Whether an import is more than a name for plain data.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "an item that is new to the engine asks for something until proven otherwise"
)]
fn asks_for_something(item: &ComponentItem, engine: &wasmtime::Engine) -> bool {
    match item {
        ComponentItem::Type(_) => false,
        ComponentItem::ComponentInstance(instance) => {
            instance.exports(engine).any(|(_, export)| asks_for_something(&export.ty, engine))
        }
        _ => true,
    }
}

/// Refuses a component that imports more than `grants`, and more than `stubs` stand in for.
pub(crate) fn check_imports(
    info: &ComponentInfo,
    grants: &BTreeSet<Capability>,
    stubs: &BTreeSet<String>,
) -> Result<(), Refusal> {
    for interface in &info.imports {
        match admission(interface) {
            Admission::Stubbable if stubs.contains(interface) => {}
            Admission::OtherVersion(_) | Admission::Stubbable | Admission::Unknown => {
                return Err(Refusal::UnknownImport { import: interface.clone() });
            }
            Admission::Grantable(capability) if !grants.contains(&capability) => {
                return Err(Refusal::UngrantedImport { interface: interface.clone(), capability });
            }
            Admission::Grantable(_) => {}
        }
    }
    Ok(())
}
