//! One request and its answer. It leaves when it was handed over and its body is whole, and the worker waits for that in the same breath.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use wasmtime::component::Resource;

use super::bindings::Options;
use super::bindings::wasi::http::outgoing_handler;
use super::bindings::wasi::http::types::{
    self, ErrorCode, HostOutgoingBody, HostOutgoingRequest, HostRequestOptions, Method, Scheme,
};
use super::fields::Fields;
use super::{IoError, Lot, OutputStream, count};
use crate::egress::{EgressFailure, EgressRequest, EgressResponse};
use crate::host::State;

/// What a request, its body and its answer have in common.
pub(super) type Shared = Arc<Mutex<Exchange>>;

/// A request on its way.
#[derive(Debug)]
pub struct Exchange {
    body: Vec<u8>,
    lot: Lot,
    stage: Stage,
    /// Handed over, and not sent so far.
    head: Option<Head>,
    pub(super) answer: Option<Result<Answer, ErrorCode>>,
    pub(super) is_taken: bool,
}

/// How far a body is.
#[derive(Debug)]
enum Stage {
    Untaken,
    Open,
    Whole,
    Failed(ErrorCode),
}

#[derive(Debug)]
struct Head {
    method: String,
    url: String,
    fields: Vec<(String, String)>,
    /// What the worker said the body's length would be.
    length: Option<u64>,
    outstanding: Lot,
}

#[derive(Debug)]
pub(super) struct Answer {
    pub(super) response: EgressResponse,
    pub(super) outstanding: Lot,
}

/// `outgoing-request`.
#[derive(Debug)]
pub struct Outgoing {
    method: Method,
    scheme: Option<Scheme>,
    authority: Option<String>,
    path: Option<String>,
    fields: Fields,
    exchange: Shared,
}

/// `outgoing-body`.
#[derive(Debug)]
pub struct Body {
    exchange: Shared,
    is_written: bool,
}

/// `future-incoming-response`.
#[derive(Debug)]
pub struct Future(pub(super) Shared);

pub(super) fn lock(exchange: &Shared) -> MutexGuard<'_, Exchange> {
    exchange.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Exchange {
    fn new(lot: Lot) -> Shared {
        let (stage, body) = (Stage::Untaken, Vec::new());
        Arc::new(Mutex::new(Self { body, lot, stage, head: None, answer: None, is_taken: false }))
    }

    /// Whether nothing has to happen before the answer can be taken.
    pub(super) fn is_ready(&self) -> bool {
        self.answer.is_some() || self.is_taken
    }

    /// Bytes that may still be written; none once the body is whole.
    pub(super) fn room(&self) -> Option<u64> {
        matches!(self.stage, Stage::Open).then(|| self.lot.left())
    }

    /// Adds to the body. One that becomes too long fails for good.
    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<(), Option<ErrorCode>> {
        if !matches!(self.stage, Stage::Open) {
            return Err(None);
        }
        if !self.lot.grow(count(bytes.len())) {
            let error = ErrorCode::HttpRequestBodySize(Some(self.lot.max));
            self.fail(error.clone());
            return Err(Some(error));
        }
        self.body.extend_from_slice(bytes);
        Ok(())
    }

    fn fail(&mut self, error: ErrorCode) {
        self.stage = Stage::Failed(error);
        self.body = Vec::new();
        self.lot.shrink_to(0);
    }

    /// What can leave now.
    fn due(&mut self) -> Option<(Head, Vec<u8>)> {
        if matches!(self.stage, Stage::Open) {
            return None;
        }
        let head = self.head.take()?;
        let body = std::mem::take(&mut self.body);
        self.lot.shrink_to(0);
        let told = head.length.filter(|length| *length != count(body.len()));
        match (&self.stage, told) {
            (Stage::Failed(error), _) => self.answer = Some(Err(error.clone())),
            (_, Some(length)) => self.answer = Some(Err(ErrorCode::HttpRequestBodySize(Some(length)))),
            (Stage::Untaken | Stage::Open | Stage::Whole, None) => return Some((head, body)),
        }
        None
    }
}

impl State {
    /// Sends the request if it was handed over and is whole, and keeps the answer.
    fn go(&mut self, exchange: &Shared) {
        let Some((head, body)) = lock(exchange).due() else { return };
        let Head { method, url, fields, outstanding, .. } = head;
        let asked = self.ask_network(EgressRequest { method, url, fields, body: body.into() });
        let answer = match asked {
            Ok(response) => self.fitting(response).map(|response| Answer { response, outstanding }),
            // Which rule was missing is for the person who reads the run.
            Err(EgressFailure::Refused(_)) => Err(ErrorCode::HttpRequestDenied),
            Err(EgressFailure::Failed(why)) => Err(ErrorCode::InternalError(Some(why))),
        };
        lock(exchange).answer = Some(answer);
    }

    /// An answer whose fields are within the limits.
    fn fitting(&self, response: EgressResponse) -> Result<EgressResponse, ErrorCode> {
        let fields = &response.fields;
        let bytes: u64 =
            fields.iter().map(|(name, value)| count(name.len().saturating_add(value.len()))).sum();
        if fields.len() > self.http.fields_max || bytes > self.http.fields.max {
            let told = u32::try_from(bytes).unwrap_or(u32::MAX);
            return Err(ErrorCode::HttpResponseHeaderSectionSize(Some(told)));
        }
        Ok(response)
    }

    /// Gives up on a body that nobody will end: whoever waits for the answer does nothing else.
    pub(super) fn give_up(&mut self, exchange: &Shared) {
        let is_open = matches!(lock(exchange).stage, Stage::Open);
        if is_open {
            lock(exchange).fail(ErrorCode::ConnectionWriteTimeout);
        }
        self.go(exchange);
    }
}

/// The name of a method.
fn name_of(method: &Method) -> String {
    let name = match method {
        Method::Get => "GET",
        Method::Head => "HEAD",
        Method::Post => "POST",
        Method::Put => "PUT",
        Method::Delete => "DELETE",
        Method::Connect => "CONNECT",
        Method::Options => "OPTIONS",
        Method::Trace => "TRACE",
        Method::Patch => "PATCH",
        Method::Other(name) => name,
    };
    name.to_owned()
}

/// What is asked for, as it will be judged. The length of the body is this host's to say.
fn head(request: &Outgoing, outstanding: Lot) -> Result<Head, ErrorCode> {
    let scheme = match &request.scheme {
        None | Some(Scheme::Https) => "https",
        Some(Scheme::Http) => "http",
        Some(Scheme::Other(_)) => return Err(ErrorCode::HttpRequestUriInvalid),
    };
    let authority = request.authority.as_deref().ok_or(ErrorCode::HttpRequestUriInvalid)?;
    let path = request.path.as_deref().unwrap_or("/");
    let no_text = || ErrorCode::InternalError(Some("the value of a header field is no text".to_owned()));
    let mut fields = request.fields.texts().ok_or_else(no_text)?;
    let mut length = None;
    for (_, value) in fields.iter().filter(|(name, _)| name == "content-length") {
        length = Some(value.parse().map_err(|_| ErrorCode::HttpProtocolError)?);
    }
    fields.retain(|(name, _)| name != "content-length");
    let url = format!("{scheme}://{authority}{path}");
    Ok(Head { method: name_of(&request.method), url, fields, length, outstanding })
}

impl outgoing_handler::Host for State {
    fn handle(
        &mut self,
        request: Resource<Outgoing>,
        options: Option<Resource<Options>>,
    ) -> wasmtime::Result<Result<Resource<Future>, ErrorCode>> {
        let request = self.let_go(request)?;
        if let Some(options) = options {
            self.let_go(options)?;
        }
        let Some(outstanding) = self.http.outstanding.take(1) else {
            return Ok(Err(ErrorCode::ConnectionLimitReached));
        };
        let head = match head(&request, outstanding) {
            Ok(head) => head,
            Err(error) => return Ok(Err(error)),
        };
        lock(&request.exchange).head = Some(head);
        self.go(&request.exchange);
        self.hold(Future(request.exchange)).map(Ok)
    }
}

impl types::Host for State {
    fn http_error_code(&mut self, error: Resource<IoError>) -> wasmtime::Result<Option<ErrorCode>> {
        Ok(self.http.table.get(&error)?.code())
    }
}

impl HostOutgoingRequest for State {
    fn new(&mut self, fields: Resource<Fields>) -> wasmtime::Result<Resource<Outgoing>> {
        let (fields, exchange) = (self.take_fields(fields)?, Exchange::new(self.http.bodies.lot()));
        let (scheme, authority, path) = (None, None, None);
        self.hold(Outgoing { method: Method::Get, scheme, authority, path, fields, exchange })
    }

    fn body(&mut self, request: Resource<Outgoing>) -> wasmtime::Result<Result<Resource<Body>, ()>> {
        let exchange = Arc::clone(&self.http.table.get(&request)?.exchange);
        {
            let mut begun = lock(&exchange);
            if !matches!(begun.stage, Stage::Untaken) {
                return Ok(Err(()));
            }
            begun.stage = Stage::Open;
        }
        self.hold(Body { exchange, is_written: false }).map(Ok)
    }

    fn method(&mut self, request: Resource<Outgoing>) -> wasmtime::Result<Method> {
        Ok(self.http.table.get(&request)?.method.clone())
    }

    fn set_method(
        &mut self,
        request: Resource<Outgoing>,
        method: Method,
    ) -> wasmtime::Result<Result<(), ()>> {
        self.http.table.get_mut(&request)?.method = method;
        Ok(Ok(()))
    }

    fn path_with_query(&mut self, request: Resource<Outgoing>) -> wasmtime::Result<Option<String>> {
        Ok(self.http.table.get(&request)?.path.clone())
    }

    fn set_path_with_query(
        &mut self,
        request: Resource<Outgoing>,
        path: Option<String>,
    ) -> wasmtime::Result<Result<(), ()>> {
        // What does not begin so would become a part of the host's name.
        if path.as_ref().is_some_and(|path| !path.starts_with('/')) {
            return Ok(Err(()));
        }
        self.http.table.get_mut(&request)?.path = path;
        Ok(Ok(()))
    }

    fn scheme(&mut self, request: Resource<Outgoing>) -> wasmtime::Result<Option<Scheme>> {
        Ok(self.http.table.get(&request)?.scheme.clone())
    }

    fn set_scheme(
        &mut self,
        request: Resource<Outgoing>,
        scheme: Option<Scheme>,
    ) -> wasmtime::Result<Result<(), ()>> {
        self.http.table.get_mut(&request)?.scheme = scheme;
        Ok(Ok(()))
    }

    fn authority(&mut self, request: Resource<Outgoing>) -> wasmtime::Result<Option<String>> {
        Ok(self.http.table.get(&request)?.authority.clone())
    }

    fn set_authority(
        &mut self,
        request: Resource<Outgoing>,
        authority: Option<String>,
    ) -> wasmtime::Result<Result<(), ()>> {
        self.http.table.get_mut(&request)?.authority = authority;
        Ok(Ok(()))
    }

    fn headers(&mut self, request: Resource<Outgoing>) -> wasmtime::Result<Resource<Fields>> {
        let list = self.http.table.get(&request)?.fields.list().to_vec();
        self.fixed(&list)
    }

    fn drop(&mut self, request: Resource<Outgoing>) -> wasmtime::Result<()> {
        self.let_go(request).map(drop)
    }
}

impl HostRequestOptions for State {
    fn new(&mut self) -> wasmtime::Result<Resource<Options>> {
        self.hold(Options::default())
    }

    fn connect_timeout(&mut self, options: Resource<Options>) -> wasmtime::Result<Option<u64>> {
        Ok(self.http.table.get(&options)?.connect)
    }

    fn set_connect_timeout(
        &mut self,
        options: Resource<Options>,
        ns: Option<u64>,
    ) -> wasmtime::Result<Result<(), ()>> {
        self.http.table.get_mut(&options)?.connect = ns;
        Ok(Ok(()))
    }

    fn first_byte_timeout(&mut self, options: Resource<Options>) -> wasmtime::Result<Option<u64>> {
        Ok(self.http.table.get(&options)?.first_byte)
    }

    fn set_first_byte_timeout(
        &mut self,
        options: Resource<Options>,
        ns: Option<u64>,
    ) -> wasmtime::Result<Result<(), ()>> {
        self.http.table.get_mut(&options)?.first_byte = ns;
        Ok(Ok(()))
    }

    fn between_bytes_timeout(&mut self, options: Resource<Options>) -> wasmtime::Result<Option<u64>> {
        Ok(self.http.table.get(&options)?.between_bytes)
    }

    fn set_between_bytes_timeout(
        &mut self,
        options: Resource<Options>,
        ns: Option<u64>,
    ) -> wasmtime::Result<Result<(), ()>> {
        self.http.table.get_mut(&options)?.between_bytes = ns;
        Ok(Ok(()))
    }

    fn drop(&mut self, options: Resource<Options>) -> wasmtime::Result<()> {
        self.let_go(options).map(drop)
    }
}

impl HostOutgoingBody for State {
    fn write(&mut self, body: Resource<Body>) -> wasmtime::Result<Result<Resource<OutputStream>, ()>> {
        let body = self.http.table.get_mut(&body)?;
        if std::mem::replace(&mut body.is_written, true) {
            return Ok(Err(()));
        }
        let exchange = Arc::clone(&body.exchange);
        self.hold(OutputStream::Body(exchange)).map(Ok)
    }

    fn finish(
        &mut self,
        body: Resource<Body>,
        trailers: Option<Resource<Fields>>,
    ) -> wasmtime::Result<Result<(), ErrorCode>> {
        let exchange = self.let_go(body)?.exchange;
        let trailers = trailers.map(|trailers| self.let_go(trailers)).transpose()?;
        let has_trailers = trailers.is_some_and(|trailers| !trailers.list().is_empty());
        let ended = {
            let mut begun = lock(&exchange);
            if has_trailers {
                begun.fail(ErrorCode::HttpRequestTrailerSectionSize(Some(0)));
            }
            match &begun.stage {
                Stage::Failed(error) => Err(error.clone()),
                Stage::Untaken | Stage::Open | Stage::Whole => {
                    begun.stage = Stage::Whole;
                    Ok(())
                }
            }
        };
        self.go(&exchange);
        Ok(ended)
    }

    /// A body that was not finished is not one that was meant.
    fn drop(&mut self, body: Resource<Body>) -> wasmtime::Result<()> {
        let exchange = self.let_go(body)?.exchange;
        lock(&exchange).fail(ErrorCode::HttpProtocolError);
        self.go(&exchange);
        Ok(())
    }
}
