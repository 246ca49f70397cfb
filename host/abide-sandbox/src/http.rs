//! `wasi:http` for a worker that was granted egress: the client that stock toolchains build in, on top of the one question that this host answers.
//!
//! A request is gathered until it is whole and then asked through [`crate::egress`], like a call of `abide:worker/egress`; an answer is there as a whole before
//! the worker sees any of it. So there is nothing to wait for: what can be waited for is ready, or never will be, and the clock counts questions. A
//! transcript has the request and the answer, and the same answers lead to the same run.
//!
//! Resources of `wasi:io` belong to this module also where a stub hands one out (standard output, say): they then have nothing behind them.
//!
//! Not here: what may be asked (the broker's lease), sockets and files (never linked to anything), answering requests.

#[expect(
    unreachable_pub,
    reason = "what is generated gives its resources out again, so they are public by name"
)]
mod answer;
#[expect(unreachable_pub, reason = "see `answer`")]
mod bindings;
#[expect(unreachable_pub, reason = "see `answer`")]
mod exchange;
#[expect(unreachable_pub, reason = "see `answer`")]
mod fields;
#[expect(unreachable_pub, reason = "see `answer`")]
mod io;
#[expect(unreachable_pub, reason = "see `answer`")]
mod refused;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use wasmtime::component::types::ComponentItem;
use wasmtime::component::{Component, HasSelf, Linker, Resource, ResourceAny, ResourceTable, ResourceType};
use wasmtime::{Engine, StoreContextMut};

use crate::host::State;
use crate::message::{Capability, Limits};
pub(crate) use io::{InputStream, IoError, OutputStream, Pollable};

/// The interfaces that an HTTP client of WASI 0.2 imports: without the last it is no such client.
const FAMILY: [&str; 6] = [
    "wasi:io/error",
    "wasi:io/poll",
    "wasi:io/streams",
    "wasi:clocks/monotonic-clock",
    "wasi:http/types",
    "wasi:http/outgoing-handler",
];
/// The interface by which a component says that it sends requests.
const HANDLER: &str = "wasi:http/outgoing-handler";
/// The version of WASI whose interfaces stay as they are within it.
const VERSION: &str = "0.2.";

/// Whether `name` is `interface` in a version that is given here.
fn is(name: &str, interface: &str) -> bool {
    name.split_once('@').is_some_and(|(base, version)| base == interface && version.starts_with(VERSION))
}

/// Which of `imports` lead to the broker: those of an HTTP client, if it is one and was granted egress.
pub(crate) fn served<'i>(
    imports: impl IntoIterator<Item = &'i str> + Clone,
    grants: &BTreeSet<Capability>,
) -> BTreeSet<&'i str> {
    if grants.contains(&Capability::Egress) { of_client(imports) } else { BTreeSet::new() }
}

/// Which of `imports` are those of an HTTP client; none if it is no such client.
pub(crate) fn of_client<'i>(imports: impl IntoIterator<Item = &'i str> + Clone) -> BTreeSet<&'i str> {
    if !imports.clone().into_iter().any(|name| is(name, HANDLER)) {
        return BTreeSet::new();
    }
    imports.into_iter().filter(|name| FAMILY.iter().any(|family| is(name, family))).collect()
}

/// What one instance has of it.
pub(crate) struct Http {
    table: ResourceTable,
    fields_max: usize,
    /// Bytes of names and values, over all sets of fields.
    fields: Pool,
    /// Bytes of requests that are being gathered.
    bodies: Pool,
    /// Requests that were handed over and whose answers are still held.
    outstanding: Pool,
}

impl Http {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            table: ResourceTable::new(),
            fields_max: usize::try_from(limits.http_fields_max).unwrap_or(usize::MAX),
            fields: Pool::of(limits.http_field_bytes_max),
            bodies: Pool::of(limits.http_body_bytes_max),
            outstanding: Pool::of(limits.http_outstanding_max.into()),
        }
    }
}

impl State {
    /// A new resource, if the instance may have one more.
    fn hold<T: Send + 'static>(&mut self, entry: T) -> wasmtime::Result<Resource<T>> {
        self.stubs.hold_one()?;
        Ok(self.http.table.push(entry)?)
    }

    /// A resource that is given back.
    fn let_go<T: 'static>(&mut self, resource: Resource<T>) -> wasmtime::Result<T> {
        self.stubs.let_go_one();
        Ok(self.http.table.delete(resource)?)
    }
}

/// How much of something one instance holds.
#[derive(Debug)]
struct Pool {
    used: Arc<AtomicU64>,
    max: u64,
}

impl Pool {
    fn of(max: u64) -> Self {
        Self { used: Arc::default(), max }
    }

    /// A part of it, empty so far.
    fn lot(&self) -> Lot {
        Lot { pool: Arc::clone(&self.used), max: self.max, taken: 0 }
    }

    /// A part of it with `count` in it, if there is as much left.
    fn take(&self, count: u64) -> Option<Lot> {
        let mut lot = self.lot();
        lot.grow(count).then_some(lot)
    }
}

/// A part of a [`Pool`], given back when it is dropped.
#[derive(Debug)]
struct Lot {
    pool: Arc<AtomicU64>,
    max: u64,
    taken: u64,
}

impl Lot {
    /// Takes `count` more; false if that is more than there is.
    fn grow(&mut self, count: u64) -> bool {
        let total = self.pool.load(Ordering::Relaxed).saturating_add(count);
        if total > self.max {
            return false;
        }
        self.pool.store(total, Ordering::Relaxed);
        self.taken = self.taken.saturating_add(count);
        true
    }

    /// Gives back all but `count`.
    fn shrink_to(&mut self, count: u64) {
        let back = self.taken.saturating_sub(count);
        self.taken = self.taken.saturating_sub(back);
        self.pool.store(self.pool.load(Ordering::Relaxed).saturating_sub(back), Ordering::Relaxed);
    }

    /// What could still be taken.
    fn left(&self) -> u64 {
        self.max.saturating_sub(self.pool.load(Ordering::Relaxed))
    }
}

impl Drop for Lot {
    fn drop(&mut self) {
        let left = self.pool.load(Ordering::Relaxed).saturating_sub(self.taken);
        self.pool.store(left, Ordering::Relaxed);
    }
}

/// A length as a number of a limit.
fn count(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}

/// Links what was [`served`].
pub(crate) fn link(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    use bindings::wasi::{clocks, http, io};
    io::error::add_to_linker::<State, HasSelf<State>>(linker, |state| state)?;
    io::poll::add_to_linker::<State, HasSelf<State>>(linker, |state| state)?;
    io::streams::add_to_linker::<State, HasSelf<State>>(linker, |state| state)?;
    clocks::monotonic_clock::add_to_linker::<State, HasSelf<State>>(linker, |state| state)?;
    http::types::add_to_linker::<State, HasSelf<State>>(linker, |state| state)?;
    http::outgoing_handler::add_to_linker::<State, HasSelf<State>>(linker, |state| state)
}

/// Resources that `component` imports from what is [`served`]: where another import names one of them, it is this one.
pub(crate) fn resources(
    engine: &Engine,
    component: &Component,
    served: &BTreeSet<&str>,
) -> Vec<ResourceType> {
    let mut found = Vec::new();
    for (name, import) in component.component_type().imports(engine) {
        let ComponentItem::ComponentInstance(instance) = import.ty else { continue };
        if served.contains(name) {
            let of_export =
                |item: ComponentItem| if let ComponentItem::Resource(ty) = item { Some(ty) } else { None };
            found.extend(instance.exports(engine).filter_map(|(_, export)| of_export(export.ty)));
        }
    }
    found
}

/// One of this module's resources with nothing behind it, for a stub whose function gives one; `None` if `ty` is not of this module.
pub(crate) fn nothing_of(
    store: &mut StoreContextMut<'_, State>,
    ty: ResourceType,
) -> wasmtime::Result<Option<ResourceAny>> {
    fn any<T: Send + 'static>(
        store: &mut StoreContextMut<'_, State>,
        entry: T,
    ) -> wasmtime::Result<Option<ResourceAny>> {
        let held = store.data_mut().hold(entry)?;
        held.try_into_resource_any(store).map(Some)
    }
    if ty == ResourceType::host::<OutputStream>() {
        any(store, OutputStream::Nothing)
    } else if ty == ResourceType::host::<InputStream>() {
        any(store, InputStream::nothing())
    } else if ty == ResourceType::host::<Pollable>() {
        any(store, Pollable::Ready)
    } else if ty == ResourceType::host::<IoError>() {
        any(store, IoError::nothing())
    } else {
        Ok(None)
    }
}
