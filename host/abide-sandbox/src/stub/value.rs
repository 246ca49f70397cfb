//! The poorest value of a type.

use wasmtime::StoreContextMut;
use wasmtime::component::types::{Case, Variant};
use wasmtime::component::{Resource, ResourceType, Type, Val};

use super::{CLOCK_STEP_NS, Nothing};
use crate::host::State;
use crate::http;

/// LIMIT: values that one answer is made of, nested ones included.
const VALUES_MAX: u32 = 10_000;

/// Errors that say it best, in the words of WASI; the first that a type has is taken, else its first case.
const ERRORS: [&str; 9] = [
    "access",
    "access-denied",
    "not-permitted",
    "permission-denied",
    "HTTP-request-denied",
    "closed",
    "unsupported",
    "not-supported",
    "other",
];

/// What a function is about, where the poorest value would make no sense.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Nothing is known of it.
    Plain,
    /// It gives random bytes or numbers.
    Random,
    /// It tells the time.
    Now,
    /// It tells how exact a clock is.
    Resolution,
    /// It says which of several things are ready: all are.
    Poll,
    /// It says whether something is ready.
    Ready,
    /// It ends the component.
    Exit,
}

impl Kind {
    /// By the names of WASI 0.2 and its drafts (`wasi.dev/interfaces`).
    pub(super) fn of(interface: &str, function: &str) -> Self {
        let interface = interface.split_once('@').map_or(interface, |(name, _)| name);
        match (interface, function) {
            ("wasi:cli/exit", _) => Self::Exit,
            ("wasi:io/poll", "poll") => Self::Poll,
            ("wasi:io/poll", "[method]pollable.ready") => Self::Ready,
            ("wasi:clocks/monotonic-clock" | "wasi:clocks/wall-clock" | "wasi:clocks/system-clock", name) => {
                match name {
                    "now" => Self::Now,
                    "resolution" | "get-resolution" => Self::Resolution,
                    _ => Self::Plain,
                }
            }
            (name, _) if name.starts_with("wasi:random/") => Self::Random,
            _ => Self::Plain,
        }
    }
}

/// Makes the answer to one call.
pub(super) struct Maker<'a, 's> {
    store: &'a mut StoreContextMut<'s, State>,
    kind: Kind,
    given: &'a [Val],
    left: u32,
}

impl<'a, 's> Maker<'a, 's> {
    pub(super) fn new(store: &'a mut StoreContextMut<'s, State>, kind: Kind, given: &'a [Val]) -> Self {
        Self { store, kind, given, left: VALUES_MAX }
    }

    /// A value of type `ty`.
    pub(super) fn make(&mut self, ty: &Type) -> wasmtime::Result<Val> {
        self.left = self
            .left
            .checked_sub(1)
            .ok_or_else(|| wasmtime::format_err!("an answer is made of more than {VALUES_MAX} values"))?;
        Ok(match ty {
            Type::Bool => Val::Bool(self.kind == Kind::Ready),
            Type::S8 => Val::S8(0),
            Type::U8 => Val::U8(0),
            Type::S16 => Val::S16(0),
            Type::U16 => Val::U16(0),
            Type::S32 => Val::S32(0),
            Type::U32 => Val::U32(0),
            Type::S64 => Val::S64(0),
            Type::U64 => Val::U64(self.number()?),
            Type::Float32 => Val::Float32(0.0),
            Type::Float64 => Val::Float64(0.0),
            Type::Char => Val::Char('\0'),
            Type::String => Val::String(String::new()),
            Type::List(list) => self.list(&list.ty())?,
            Type::Map(_) => Val::Map(Vec::new()),
            Type::Flags(_) => Val::Flags(Vec::new()),
            Type::Option(_) => Val::Option(None),
            Type::Record(record) => self.record(record)?,
            Type::Tuple(tuple) => {
                Val::Tuple(tuple.types().map(|ty| self.make(&ty)).collect::<Result<_, _>>()?)
            }
            Type::Enum(names) => Val::Enum(first(names.names()).unwrap_or_default().to_owned()),
            Type::Variant(variant) => self.case(variant)?,
            Type::Result(result) => {
                let error = result.err().map(|ty| self.make(&ty)).transpose()?;
                Val::Result(Err(error.map(Box::new)))
            }
            Type::Own(ty) => self.resource(*ty)?,
            Type::Borrow(_)
            | Type::Future(_)
            | Type::Stream(_)
            | Type::ErrorContext
            | Type::FixedLengthList(_) => wasmtime::bail!("an answer of this type cannot be made of nothing"),
        })
    }

    fn number(&mut self) -> wasmtime::Result<u64> {
        let stubs = &mut self.store.data_mut().stubs;
        Ok(match self.kind {
            Kind::Now => stubs.now_ns(),
            Kind::Resolution => CLOCK_STEP_NS,
            Kind::Random => stubs.random(8)?.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)),
            Kind::Plain | Kind::Poll | Kind::Ready | Kind::Exit => 0,
        })
    }

    fn list(&mut self, of: &Type) -> wasmtime::Result<Val> {
        let items = match (self.kind, of, self.given) {
            (Kind::Random, Type::U8, [Val::U64(count), ..]) => {
                let bytes = self.store.data_mut().stubs.random(*count)?;
                bytes.into_iter().map(Val::U8).collect()
            }
            (Kind::Poll, Type::U32, [Val::List(waited), ..]) => {
                (0..).zip(waited).map(|(at, _)| Val::U32(at)).collect()
            }
            _ => Vec::new(),
        };
        Ok(Val::List(items))
    }

    /// A clock with seconds and nanoseconds counts as the other one does.
    fn record(&mut self, record: &wasmtime::component::types::Record) -> wasmtime::Result<Val> {
        let is_time = record.fields().map(|field| field.name).eq(["seconds", "nanoseconds"]);
        let ns = if is_time && self.kind == Kind::Now {
            self.store.data_mut().stubs.now_ns()
        } else if is_time && self.kind == Kind::Resolution {
            CLOCK_STEP_NS
        } else {
            let field = |field: wasmtime::component::types::Field<'_>| {
                Ok((field.name.to_owned(), self.make(&field.ty)?))
            };
            return Ok(Val::Record(record.fields().map(field).collect::<wasmtime::Result<_>>()?));
        };
        let seconds = ns.checked_div(1_000_000_000).unwrap_or_default();
        let rest = u32::try_from(ns.checked_rem(1_000_000_000).unwrap_or_default()).unwrap_or_default();
        let value = |field: wasmtime::component::types::Field<'_>| {
            let value = if matches!(field.ty, Type::U64) {
                Val::U64(seconds)
            } else if matches!(field.ty, Type::S64) {
                Val::S64(i64::try_from(seconds).unwrap_or_default())
            } else {
                Val::U32(rest)
            };
            (field.name.to_owned(), value)
        };
        Ok(Val::Record(record.fields().map(value).collect()))
    }

    fn case(&mut self, variant: &Variant) -> wasmtime::Result<Val> {
        let name = first(variant.cases().map(|case| case.name)).unwrap_or_default().to_owned();
        let carries = variant.cases().find(|case: &Case<'_>| case.name == name).and_then(|case| case.ty);
        let value = carries.map(|ty| self.make(&ty)).transpose()?;
        Ok(Val::Variant(name, value.map(Box::new)))
    }

    fn resource(&mut self, ty: ResourceType) -> wasmtime::Result<Val> {
        if let Some(theirs) = http::nothing_of(self.store, ty)? {
            return Ok(Val::Resource(theirs));
        }
        self.store.data_mut().stubs.hold_one()?;
        Ok(Val::Resource(Resource::<Nothing>::new_own(0).try_into_resource_any(&mut *self.store)?))
    }
}

/// The case that says that there is nothing, if there is one; else the first.
fn first<'n>(names: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    let names: Vec<&str> = names.collect();
    ERRORS.into_iter().find_map(|error| names.iter().find(|name| **name == error)).or(names.first()).copied()
}

/// Whether an answer is an error.
pub(super) fn is_denial(value: &Val) -> bool {
    matches!(value, Val::Result(Err(_)))
}

/// Gives back every resource in a value that came with a call.
#[expect(clippy::wildcard_enum_match_arm, reason = "no other value holds a resource")]
pub(super) fn release(store: &mut StoreContextMut<'_, State>, value: &Val) -> wasmtime::Result<()> {
    match value {
        Val::Resource(resource) => resource.resource_drop(&mut *store),
        Val::List(values) | Val::Tuple(values) | Val::FixedLengthList(values) => {
            values.iter().try_for_each(|value| release(store, value))
        }
        Val::Record(fields) => fields.iter().try_for_each(|(_, value)| release(store, value)),
        Val::Map(pairs) => pairs.iter().try_for_each(|(key, value)| {
            release(store, key)?;
            release(store, value)
        }),
        Val::Variant(_, value) | Val::Option(value) | Val::Result(Ok(value) | Err(value)) => {
            value.as_deref().map_or(Ok(()), |value| release(store, value))
        }
        _ => Ok(()),
    }
}
