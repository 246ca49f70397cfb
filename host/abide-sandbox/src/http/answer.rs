//! The answer to a request: it is there as a whole, and is given out in the pieces that the worker asks for.

use std::sync::Arc;

use wasmtime::component::Resource;

use super::bindings::wasi::http::types::{
    ErrorCode, HostFutureIncomingResponse, HostFutureTrailers, HostIncomingBody, HostIncomingResponse,
};
use super::exchange::{Answer, Future, lock};
use super::fields::Fields;
use super::{InputStream, Lot, Pollable};
use crate::host::State;

/// `incoming-response`.
#[derive(Debug)]
pub struct Response {
    status: u16,
    fields: Vec<(String, Vec<u8>)>,
    body: Option<(Vec<u8>, Lot)>,
}

/// `incoming-body`.
#[derive(Debug)]
pub struct IncomingBody(Option<(Vec<u8>, Lot)>);

/// `future-trailers`: there never are any.
#[derive(Debug, Default)]
pub struct Trailers {
    is_taken: bool,
}

impl HostFutureIncomingResponse for State {
    fn subscribe(&mut self, future: Resource<Future>) -> wasmtime::Result<Resource<Pollable>> {
        let exchange = Arc::clone(&self.http.table.get(&future)?.0);
        self.hold(Pollable::Answer(exchange))
    }

    fn get(
        &mut self,
        future: Resource<Future>,
    ) -> wasmtime::Result<Option<Result<Result<Resource<Response>, ErrorCode>, ()>>> {
        let answer = {
            let mut begun = lock(&self.http.table.get(&future)?.0);
            if begun.is_taken {
                return Ok(Some(Err(())));
            }
            let Some(answer) = begun.answer.take() else { return Ok(None) };
            begun.is_taken = true;
            answer
        };
        let Answer { response, outstanding } = match answer {
            Ok(answer) => answer,
            Err(error) => return Ok(Some(Ok(Err(error)))),
        };
        let fields = response.fields.into_iter().map(|(name, value)| (name, value.into_bytes())).collect();
        let body = Some((response.body.into_vec(), outstanding));
        let response = self.hold(Response { status: response.status, fields, body })?;
        Ok(Some(Ok(Ok(response))))
    }

    fn drop(&mut self, future: Resource<Future>) -> wasmtime::Result<()> {
        self.let_go(future).map(drop)
    }
}

impl HostIncomingResponse for State {
    fn status(&mut self, response: Resource<Response>) -> wasmtime::Result<u16> {
        Ok(self.http.table.get(&response)?.status)
    }

    fn headers(&mut self, response: Resource<Response>) -> wasmtime::Result<Resource<Fields>> {
        let list = self.http.table.get(&response)?.fields.clone();
        self.fixed(&list)
    }

    fn consume(
        &mut self,
        response: Resource<Response>,
    ) -> wasmtime::Result<Result<Resource<IncomingBody>, ()>> {
        match self.http.table.get_mut(&response)?.body.take() {
            Some(body) => self.hold(IncomingBody(Some(body))).map(Ok),
            None => Ok(Err(())),
        }
    }

    fn drop(&mut self, response: Resource<Response>) -> wasmtime::Result<()> {
        self.let_go(response).map(drop)
    }
}

impl HostIncomingBody for State {
    fn stream(
        &mut self,
        body: Resource<IncomingBody>,
    ) -> wasmtime::Result<Result<Resource<InputStream>, ()>> {
        match self.http.table.get_mut(&body)?.0.take() {
            Some((bytes, outstanding)) => self.hold(InputStream::of(bytes, outstanding)).map(Ok),
            None => Ok(Err(())),
        }
    }

    fn finish(&mut self, body: Resource<IncomingBody>) -> wasmtime::Result<Resource<Trailers>> {
        self.let_go(body)?;
        self.hold(Trailers::default())
    }

    fn drop(&mut self, body: Resource<IncomingBody>) -> wasmtime::Result<()> {
        self.let_go(body).map(drop)
    }
}

impl HostFutureTrailers for State {
    fn subscribe(&mut self, _: Resource<Trailers>) -> wasmtime::Result<Resource<Pollable>> {
        self.hold(Pollable::Ready)
    }

    fn get(
        &mut self,
        trailers: Resource<Trailers>,
    ) -> wasmtime::Result<Option<Result<Result<Option<Resource<Fields>>, ErrorCode>, ()>>> {
        let is_taken = std::mem::replace(&mut self.http.table.get_mut(&trailers)?.is_taken, true);
        Ok(Some(if is_taken { Err(()) } else { Ok(Ok(None)) }))
    }

    fn drop(&mut self, trailers: Resource<Trailers>) -> wasmtime::Result<()> {
        self.let_go(trailers).map(drop)
    }
}
