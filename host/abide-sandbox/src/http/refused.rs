//! The half of `wasi:http/types` that answers requests. Toolchains drag it in; nobody asks a worker anything, so none of it exists.

use wasmtime::component::Resource;

use super::answer::IncomingBody;
use super::bindings::wasi::http::types::{
    ErrorCode, HostIncomingRequest, HostOutgoingResponse, HostResponseOutparam, Method, Scheme,
};
use super::exchange::Body;
use super::fields::Fields;
use crate::host::State;

/// A resource that nobody can have.
#[derive(Debug)]
pub enum Never {}

fn none<T>() -> wasmtime::Result<T> {
    Err(wasmtime::format_err!("a worker answers no requests: there is no such resource"))
}

impl HostIncomingRequest for State {
    fn method(&mut self, _: Resource<Never>) -> wasmtime::Result<Method> {
        none()
    }

    fn path_with_query(&mut self, _: Resource<Never>) -> wasmtime::Result<Option<String>> {
        none()
    }

    fn scheme(&mut self, _: Resource<Never>) -> wasmtime::Result<Option<Scheme>> {
        none()
    }

    fn authority(&mut self, _: Resource<Never>) -> wasmtime::Result<Option<String>> {
        none()
    }

    fn headers(&mut self, _: Resource<Never>) -> wasmtime::Result<Resource<Fields>> {
        none()
    }

    fn consume(&mut self, _: Resource<Never>) -> wasmtime::Result<Result<Resource<IncomingBody>, ()>> {
        none()
    }

    fn drop(&mut self, _: Resource<Never>) -> wasmtime::Result<()> {
        none()
    }
}

impl HostOutgoingResponse for State {
    fn new(&mut self, headers: Resource<Fields>) -> wasmtime::Result<Resource<Never>> {
        self.let_go(headers)?;
        none()
    }

    fn status_code(&mut self, _: Resource<Never>) -> wasmtime::Result<u16> {
        none()
    }

    fn set_status_code(&mut self, _: Resource<Never>, _: u16) -> wasmtime::Result<Result<(), ()>> {
        none()
    }

    fn headers(&mut self, _: Resource<Never>) -> wasmtime::Result<Resource<Fields>> {
        none()
    }

    fn body(&mut self, _: Resource<Never>) -> wasmtime::Result<Result<Resource<Body>, ()>> {
        none()
    }

    fn drop(&mut self, _: Resource<Never>) -> wasmtime::Result<()> {
        none()
    }
}

impl HostResponseOutparam for State {
    fn set(&mut self, _: Resource<Never>, _: Result<Resource<Never>, ErrorCode>) -> wasmtime::Result<()> {
        none()
    }

    fn drop(&mut self, _: Resource<Never>) -> wasmtime::Result<()> {
        none()
    }
}
