//! One pass over the bytes of a component, with a bound on everything that grows faster than they do.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "a kind of section that is new to the parser is the validator's to refuse"
)]

use std::collections::{BTreeMap, BTreeSet};

use wasmparser::component_types::{ComponentAnyTypeId, ComponentEntityType};
use wasmparser::types::TypesRef;
use wasmparser::{
    BinaryReaderError, ComponentExternalKind, CompositeInnerType, CustomSectionReader, Encoding,
    FuncToValidate, FuncValidatorAllocations, FunctionBody, KnownCustom, Parser, Payload, TypeSectionReader,
    ValidPayload, Validator, ValidatorResources, WasmFeatures,
};

use super::meaning::{self, VERSION};
use super::{Claim, Contract, Import, InspectError, Memory, Parts, Table};
use crate::text::clean_line;

/// Parts within parts. Toolchains make four.
const DEPTH_MAX: usize = 32;
/// Types, imports, exports, instances, aliases and the like, all parts together. Three bytes can make one, and it takes some two hundred in memory.
const ITEMS_MAX: u64 = 200_000;
/// Bytes that declare types of components: what they declare is kept many times larger. All of WASI takes some 60 KB.
const TYPE_BYTES_MAX: u64 = 512 << 10;
/// Functions, globals, elements and data segments, which take a few bytes each.
const SMALL_ITEMS_MAX: u64 = 4_000_000;
/// Bytes of a function times the values that one of its calls may push: what checking it may take in stack and steps.
const FUNCTION_COST_MAX: u64 = 32 << 20;
/// The same for all functions together: some two seconds.
const CODE_COST_MAX: u64 = 1 << 30;
/// Claims that are kept.
const CLAIMS_MAX: usize = 32;
/// Bytes of a claim's texts.
const CLAIM_BYTES_MAX: usize = 80;
/// Bytes of a name that are kept.
const NAME_BYTES_MAX: usize = 200;
/// Names of imports and exports at most. Real components have a few dozen.
const NAMES_MAX: usize = 1_000;
/// Memories and tables that are listed.
const LISTED_MAX: usize = 64;

/// What was found.
pub(super) struct Walked {
    pub(super) claims: BTreeSet<Claim>,
    pub(super) contract: Contract,
    pub(super) imports: Vec<Import>,
    pub(super) exports: Vec<String>,
    pub(super) proposes: bool,
    pub(super) parts: Parts,
}

/// What the engine of this host takes: `engine.rs`.
fn features() -> WasmFeatures {
    let off = WasmFeatures::GC
        | WasmFeatures::GC_TYPES
        | WasmFeatures::EXCEPTIONS
        | WasmFeatures::THREADS
        | WasmFeatures::MEMORY64
        | WasmFeatures::RELAXED_SIMD
        | WasmFeatures::TAIL_CALL;
    (WasmFeatures::WASM3 | WasmFeatures::COMPONENT_MODEL).difference(off)
}

fn malformed(error: &BinaryReaderError) -> InspectError {
    InspectError::Malformed { at: error.offset(), why: clean_line(error.message(), NAME_BYTES_MAX) }
}

/// Reads all of it.
pub(super) fn walk(bytes: &[u8]) -> Result<Walked, InspectError> {
    let mut walk = Walk { validator: Some(Validator::new_with_features(features())), ..Walk::default() };
    for payload in Parser::new(0).parse_all(bytes) {
        let payload = payload.map_err(|error| malformed(&error))?;
        walk.count(&payload)?;
        walk.take(&payload);
        walk.check(&payload)?;
    }
    Ok(walk.done())
}

/// The state of a walk.
#[derive(Default)]
struct Walk {
    validator: Option<Validator>,
    allocations: FuncValidatorAllocations,
    claims: BTreeSet<Claim>,
    parts: Parts,
    /// For each part that is open: how many values one call in it may take or give.
    open: Vec<u64>,
    /// Names at the outermost level, with what they are.
    imported: BTreeSet<String>,
    exported: BTreeMap<String, ComponentExternalKind>,
    items: u64,
    small_items: u64,
    type_bytes: u64,
    code_cost: u64,
    /// What the outermost level imports beyond names for data.
    asked: Vec<String>,
}

impl Walk {
    /// Holds the bounds, before anything is made of what was read.
    fn count(&mut self, payload: &Payload<'_>) -> Result<(), InspectError> {
        let (mut items, mut small, mut type_bytes) = (0_u32, 0_u32, 0);
        let length = |range: std::ops::Range<usize>| u64::try_from(range.len()).unwrap_or(u64::MAX);
        match payload {
            Payload::TypeSection(section) => items = section.count(),
            Payload::ImportSection(section) => items = section.count(),
            Payload::ExportSection(section) => items = section.count(),
            Payload::InstanceSection(section) => items = section.count(),
            Payload::ComponentInstanceSection(section) => items = section.count(),
            Payload::ComponentAliasSection(section) => items = section.count(),
            Payload::ComponentCanonicalSection(section) => items = section.count(),
            Payload::ComponentImportSection(section) => items = section.count(),
            Payload::ComponentExportSection(section) => items = section.count(),
            Payload::TagSection(section) => items = section.count(),
            Payload::CoreTypeSection(section) => {
                (items, type_bytes) = (section.count(), length(section.range()));
            }
            Payload::ComponentTypeSection(section) => {
                (items, type_bytes) = (section.count(), length(section.range()));
            }
            Payload::FunctionSection(section) => small = section.count(),
            Payload::GlobalSection(section) => small = section.count(),
            Payload::ElementSection(section) => small = section.count(),
            Payload::DataSection(section) => small = section.count(),
            _ => {}
        }
        let bound = |sum: &mut u64, more: u64, what, most| {
            *sum = sum.saturating_add(more);
            if *sum > most { Err(InspectError::TooComplex { what, most }) } else { Ok(()) }
        };
        bound(&mut self.items, items.into(), "types, imports, exports and instances", ITEMS_MAX)?;
        bound(&mut self.small_items, small.into(), "functions, globals and segments", SMALL_ITEMS_MAX)?;
        bound(&mut self.type_bytes, type_bytes, "bytes of types", TYPE_BYTES_MAX)?;
        if self.open.len() > DEPTH_MAX {
            let most = u64::try_from(DEPTH_MAX).unwrap_or(u64::MAX);
            return Err(InspectError::TooComplex { what: "parts within parts", most });
        }
        Ok(())
    }

    /// Writes down what a person will want to know. What cannot be read is refused by [`Walk::check`], which sees the same bytes.
    fn take(&mut self, payload: &Payload<'_>) {
        let parts = &mut self.parts;
        match payload {
            Payload::Version { encoding, .. } => {
                let count =
                    if *encoding == Encoding::Module { &mut parts.modules } else { &mut parts.components };
                if !self.open.is_empty() {
                    *count = count.saturating_add(1);
                }
                self.open.push(1);
            }
            Payload::TypeSection(section) => {
                let most = arity(section);
                if let Some(open) = self.open.last_mut() {
                    *open = most.max(*open);
                }
            }
            Payload::InstanceSection(section) => {
                parts.instances = parts.instances.saturating_add(section.count());
            }
            Payload::MemorySection(section) => {
                let room = LISTED_MAX.saturating_sub(parts.memories.len());
                parts.memories.extend(section.clone().into_iter().flatten().take(room).map(|memory| {
                    let page = 1_u64.checked_shl(memory.page_size_log2.unwrap_or(16)).unwrap_or(u64::MAX);
                    Memory {
                        initial_bytes: memory.initial.saturating_mul(page),
                        maximum_bytes: memory.maximum.map(|pages| pages.saturating_mul(page)),
                    }
                }));
            }
            Payload::TableSection(section) => {
                let room = LISTED_MAX.saturating_sub(parts.tables.len());
                parts.tables.extend(
                    section
                        .clone()
                        .into_iter()
                        .flatten()
                        .take(room)
                        .map(|table| Table { initial: table.ty.initial, maximum: table.ty.maximum }),
                );
            }
            Payload::DataSection(section) => {
                let bytes =
                    section.clone().into_iter().flatten().fold(0, |sum, data| add(sum, data.data.len()));
                parts.data_bytes = parts.data_bytes.saturating_add(bytes);
            }
            Payload::CodeSectionEntry(body) => {
                parts.functions = parts.functions.saturating_add(1);
                parts.code_bytes = add(parts.code_bytes, body.range().len());
            }
            Payload::CustomSection(section) => {
                parts.custom_bytes = add(parts.custom_bytes, section.range().len());
                self.claim(section);
            }
            Payload::ComponentImportSection(section) if self.open.len() == 1 => {
                let room = NAMES_MAX.saturating_sub(self.imported.len());
                let names = section.clone().into_iter().flatten().map(|import| import.name.name.to_owned());
                self.imported.extend(names.take(room));
            }
            Payload::ComponentExportSection(section) if self.open.len() == 1 => {
                let room = NAMES_MAX.saturating_sub(self.exported.len());
                let named = section.clone().into_iter().flatten();
                self.exported
                    .extend(named.take(room).map(|export| (export.name.name.to_owned(), export.kind)));
            }
            _ => {}
        }
    }

    /// What a toolchain wrote about itself. A section that cannot be read claims nothing.
    fn claim(&mut self, section: &CustomSectionReader<'_>) {
        let KnownCustom::Producers(fields) = section.as_known() else { return };
        for field in fields.into_iter().flatten() {
            for value in field.values.into_iter().flatten() {
                if self.claims.len() >= CLAIMS_MAX {
                    return;
                }
                self.claims.insert(Claim {
                    field: field.name.to_owned(),
                    name: clean_line(value.name, CLAIM_BYTES_MAX),
                    version: clean_line(value.version, CLAIM_BYTES_MAX),
                });
            }
        }
    }

    /// Has it checked as the engine would, and keeps what it imports when the outermost part ends.
    fn check(&mut self, payload: &Payload<'_>) -> Result<(), InspectError> {
        let Some(validator) = &mut self.validator else { return Ok(()) };
        if self.imported.len() >= NAMES_MAX || self.exported.len() >= NAMES_MAX {
            let most = u64::try_from(NAMES_MAX).unwrap_or(u64::MAX);
            return Err(InspectError::TooComplex { what: "imports or exports", most });
        }
        match validator.payload(payload).map_err(|error| malformed(&error))? {
            ValidPayload::Ok | ValidPayload::Parser(_) => {}
            ValidPayload::Func(function, body) => self.check_code(function, &body)?,
            ValidPayload::End(types) => {
                self.open.pop();
                if self.open.is_empty() {
                    let types = types.as_ref();
                    let asks = |name: &&String| {
                        let item = types.component_item_for_import(name);
                        item.is_none_or(|item| asks_for_something(&types, &item.ty, 0))
                    };
                    self.asked = self.imported.iter().filter(asks).cloned().collect();
                }
            }
        }
        Ok(())
    }

    /// Checks the code of one function, unless that could cost far more than its bytes.
    fn check_code(
        &mut self,
        function: FuncToValidate<ValidatorResources>,
        body: &FunctionBody<'_>,
    ) -> Result<(), InspectError> {
        let cost = add(0, body.range().len()).saturating_mul(self.open.last().copied().unwrap_or(1));
        let total = self.code_cost.saturating_add(cost);
        if cost > FUNCTION_COST_MAX || total > CODE_COST_MAX {
            self.parts.functions_unchecked = self.parts.functions_unchecked.saturating_add(1);
            return Ok(());
        }
        self.code_cost = total;
        let mut validator = function.into_validator(std::mem::take(&mut self.allocations));
        validator.validate(body).map_err(|error| malformed(&error))?;
        self.allocations = validator.into_allocations();
        Ok(())
    }

    fn done(self) -> Walked {
        let names = self.imported.iter().chain(self.exported.keys());
        let versions: BTreeSet<String> = names
            .filter_map(|name| meaning::contract_version(name))
            .map(|version| clean_line(version, CLAIM_BYTES_MAX))
            .collect();
        let imports: Vec<Import> = self
            .asked
            .iter()
            .map(|name| Import {
                name: clean_line(name, NAME_BYTES_MAX),
                meaning: meaning::meaning(name),
                admission: meaning::admission(name),
            })
            .collect();
        let proposes = self.exported.get("propose") == Some(&ComponentExternalKind::Func);
        // What is of WASI is beside the contract: it can have nothing behind it.
        let of_contract = imports.iter().filter(|import| import.admission != meaning::Admission::Stubbable);
        let granted = |import: &Import| match import.admission {
            meaning::Admission::Grantable(capability) => Some(capability),
            meaning::Admission::OtherVersion(_)
            | meaning::Admission::Stubbable
            | meaning::Admission::Unknown => None,
        };
        let wanted: Option<BTreeSet<_>> = of_contract.map(granted).collect();
        let wanted = wanted.filter(|_| proposes && versions.iter().all(|version| version == VERSION));
        Walked {
            claims: self.claims,
            contract: Contract {
                versions: versions.into_iter().collect(),
                worlds: wanted.map(|wanted| meaning::worlds(&wanted)).unwrap_or_default(),
            },
            imports,
            exports: self.exported.keys().map(|name| clean_line(name, NAME_BYTES_MAX)).collect(),
            proposes,
            parts: self.parts,
        }
    }
}

fn add(sum: u64, bytes: usize) -> u64 {
    sum.saturating_add(u64::try_from(bytes).unwrap_or(u64::MAX))
}

/// The most values that a function of these types takes or gives. What cannot be read is the validator's to refuse.
fn arity(section: &TypeSectionReader<'_>) -> u64 {
    let groups = section.clone().into_iter().flatten();
    let counts = groups.flat_map(wasmparser::RecGroup::into_types).map(|ty| match ty.composite_type.inner {
        CompositeInnerType::Func(function) => function.params().len().max(function.results().len()),
        CompositeInnerType::Array(_) | CompositeInnerType::Struct(_) | CompositeInnerType::Cont(_) => 1,
    });
    add(0, counts.max().unwrap_or(1))
}

/// Whether an import is more than a name for plain data: as `component.rs` sees it.
fn asks_for_something(types: &TypesRef<'_>, item: &ComponentEntityType, depth: usize) -> bool {
    match item {
        ComponentEntityType::Type { referenced, .. } => matches!(referenced, ComponentAnyTypeId::Resource(_)),
        ComponentEntityType::Instance(instance) if depth < DEPTH_MAX => {
            types.get(*instance).is_none_or(|ty| {
                ty.exports.values().any(|item| asks_for_something(types, &item.ty, depth.saturating_add(1)))
            })
        }
        ComponentEntityType::Instance(_)
        | ComponentEntityType::Module(_)
        | ComponentEntityType::Func(_)
        | ComponentEntityType::Value(_)
        | ComponentEntityType::Component(_) => true,
    }
}
