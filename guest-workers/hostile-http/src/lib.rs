//! A worker that asks the network by `wasi:http`, well or badly, one way per value of the parameter `new`. Tests run it; nothing else does.
//!
//! `old` is the address. `fetch` makes the file `path` what stands there; every other way says in the log what came of it, and the worker then fails.

use worker_kit::{
    Change, Draft, Failure, FailureKind, FileMode, Files, Notes, Proposal, Task, Worker, failure, log,
    read_text,
};

#[allow(missing_docs, clippy::pedantic, unreachable_pub)]
mod bindings {
    worker_kit::wit_bindgen::generate!({
        path: "../../wit/wasi",
        // The terminal is what toolchains drag in beside it.
        inline: "
            package probe:web@1.0.0;

            world wants {
                include abide:http/client;
                import wasi:cli/stdout@0.2.12;
            }

            package wasi:cli@0.2.12 {
                interface stdout {
                    use wasi:io/streams@0.2.12.{output-stream};
                    get-stdout: func() -> output-stream;
                }
            }
        ",
        world: "probe:web/wants",
        generate_all,
        runtime_path: "::worker_kit::wit_bindgen::rt",
    });
}

use bindings::wasi::cli::stdout::get_stdout;
use bindings::wasi::clocks::monotonic_clock;
use bindings::wasi::http::outgoing_handler::handle;
use bindings::wasi::http::types::{
    ErrorCode, Fields, FutureIncomingResponse, IncomingBody, IncomingResponse, Method, OutgoingBody,
    OutgoingRequest, Scheme,
};
use bindings::wasi::io::poll::poll;
use bindings::wasi::io::streams::StreamError;

struct Client;

impl Worker for Client {
    fn propose(task: Task, files: &dyn Files) -> Result<Proposal, Failure> {
        let parameter = |key: &str| {
            let found = task.parameters.iter().find(|parameter| parameter.key == key);
            found.map(|parameter| parameter.value.clone()).unwrap_or_default()
        };
        let (url, path) = (parameter("old"), parameter("path"));
        match parameter("new").as_str() {
            "fetch" => return refresh(&task, files, &path, &url),
            "impersonate" => {
                for field in
                    [("authorization", "Bearer stolen"), ("cookie", "a=b"), ("host", "inner.example")]
                {
                    said(&exchange(&Method::Get, &url, &[field], b""));
                }
            }
            "many-fields" => many_fields(&url),
            "wide-field" => note(&format!("{:?}", fields(&[("x-wide", &"x".repeat(1 << 20))]).map(drop))),
            "copies" => {
                let one = fields(&[("x-wide", &"x".repeat(1_000))]).expect("it is short");
                let copies: Vec<Fields> = (0..1_000).map(|_| one.clone()).collect();
                note(&format!("{} copies", copies.len()));
            }
            "long-body" => said(&exchange(&Method::Post, &url, &[], &vec![b'x'; 4 << 20])),
            "never-read" => never_read(&url),
            "unfinished" => unfinished(&url, false),
            "dropped" => unfinished(&url, true),
            "length" => said(&exchange(&Method::Post, &url, &[("content-length", "3")], b"four")),
            "clock" => {
                let (before, _waited) =
                    (monotonic_clock::now(), monotonic_clock::subscribe_duration(u64::MAX).block());
                said(&exchange(&Method::Get, &url, &[], b""));
                note(&format!("{} ns", monotonic_clock::now() - before));
            }
            "stdout" => {
                let stream = get_stdout();
                stream.subscribe().block();
                note(&format!(
                    "{:?} {:?}",
                    stream.check_write().map_err(told),
                    stream.write(b"x").map_err(told)
                ));
            }
            "post" => said(&exchange(&Method::Post, &url, &[("content-type", "text/plain")], b"a body")),
            method => said(&exchange(&Method::Other(method.to_owned()), &url, &[], b"")),
        }
        Err(failure(FailureKind::Unsupported, "tried"))
    }
}

fn refresh(task: &Task, files: &dyn Files, path: &str, url: &str) -> Result<Proposal, Failure> {
    let unsupported = |why: String| failure(FailureKind::Unsupported, why);
    let (status, body) = exchange(&Method::Get, url, &[], b"").map_err(unsupported)?;
    let text = String::from_utf8(body).map_err(|error| unsupported(error.to_string()))?;
    note(&format!("{status}, {} bytes", text.len()));
    let mut draft = Draft::default();
    match read_text(files, path).map_err(|error| unsupported(format!("{error:?}")))? {
        Some(old) => draft.edit(path, old, text),
        None => draft.set(path.to_owned(), Change::Add { text, mode: FileMode::Regular }),
    }
    let (sources, tests) = (Vec::new(), Vec::new());
    let expected = format!("`{path}` says what `{url}` says.");
    Ok(draft
        .propose(task, Notes { rationale: "The ticket asks for it.".to_owned(), sources, tests, expected })?)
}

fn note(text: &str) {
    log::write(log::Level::Info, text);
}

fn said(answer: &Result<(u16, Vec<u8>), String>) {
    match answer {
        Ok((status, body)) => note(&format!("{status} {}", String::from_utf8_lossy(body))),
        Err(why) => note(why),
    }
}

fn fields(list: &[(&str, &str)]) -> Result<Fields, String> {
    let fields = Fields::new();
    for (name, value) in list {
        fields.append(name, value.as_bytes()).map_err(|error| format!("field: {error:?}"))?;
    }
    Ok(fields)
}

fn request(method: &Method, url: &str, fields: Fields) -> OutgoingRequest {
    let (scheme, rest) = url.split_once("://").unwrap_or(("https", url));
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let request = OutgoingRequest::new(fields);
    let scheme = if scheme == "http" { Scheme::Http } else { Scheme::Https };
    let set = [
        request.set_method(method),
        request.set_scheme(Some(&scheme)),
        request.set_authority(Some(authority)),
        request.set_path_with_query(Some(path)),
    ];
    assert!(set.iter().all(Result::is_ok), "{set:?}");
    request
}

fn exchange(
    method: &Method,
    url: &str,
    list: &[(&str, &str)],
    body: &[u8],
) -> Result<(u16, Vec<u8>), String> {
    let request = request(method, url, fields(list)?);
    // As toolchains do: the body is written after the request was handed over.
    let outgoing = (!body.is_empty()).then(|| request.body().expect("it was not taken"));
    let future = handle(request, None).map_err(|error| format!("handle: {error:?}"))?;
    if let Some(outgoing) = outgoing {
        write(outgoing, body)?;
    }
    let answer = answer(&future).map_err(|error| format!("answer: {error:?}"))?;
    let status = answer.status();
    Ok((status, read(&answer)?))
}

fn write(outgoing: OutgoingBody, body: &[u8]) -> Result<(), String> {
    let stream = outgoing.write().expect("it was not taken");
    let mut left = body;
    while !left.is_empty() {
        let room = stream.check_write().map_err(told)?;
        let (piece, rest) = left.split_at(left.len().min(usize::try_from(room).unwrap_or(usize::MAX)));
        stream.write(piece).map_err(told)?;
        left = rest;
    }
    drop(stream);
    OutgoingBody::finish(outgoing, None).map_err(|error| format!("finish: {error:?}"))
}

fn told(error: StreamError) -> String {
    match error {
        StreamError::Closed => "closed".to_owned(),
        StreamError::LastOperationFailed(why) => format!("write: {}", why.to_debug_string()),
    }
}

fn answer(future: &FutureIncomingResponse) -> Result<IncomingResponse, ErrorCode> {
    loop {
        match future.get() {
            Some(answer) => return answer.expect("it is taken once"),
            None => drop(poll(&[&future.subscribe()])),
        }
    }
}

fn read(answer: &IncomingResponse) -> Result<Vec<u8>, String> {
    let incoming = answer.consume().expect("it was not taken");
    let stream = incoming.stream().expect("it was not taken");
    let mut body = Vec::new();
    loop {
        match stream.blocking_read(7) {
            Ok(piece) => body.extend_from_slice(&piece),
            Err(StreamError::Closed) => break,
            Err(error) => return Err(format!("read: {error:?}")),
        }
    }
    drop(stream);
    let trailers = IncomingBody::finish(incoming);
    assert!(matches!(trailers.get(), Some(Ok(Ok(None)))), "trailers");
    Ok(body)
}

fn many_fields(url: &str) {
    let fields = Fields::new();
    let accepted = (0..100_000).take_while(|at| fields.append(&format!("x-{at}"), b"v").is_ok()).count();
    note(&format!("{accepted} fields"));
    match handle(request(&Method::Get, url, fields), None) {
        Ok(future) => note(&format!("{:?}", answer(&future).map(|answer| answer.status()))),
        Err(error) => note(&format!("handle: {error:?}")),
    }
}

/// Asks again and again, and holds what comes without reading it.
fn never_read(url: &str) {
    let mut held = Vec::new();
    for _ in 0..100 {
        match handle(request(&Method::Get, url, Fields::new()), None) {
            Ok(future) => held.push(answer(&future)),
            Err(error) => {
                note(&format!("{} are held, then {error:?}", held.len()));
                break;
            }
        }
    }
    drop(held);
    note(&format!("after that: {:?}", handle(request(&Method::Get, url, Fields::new()), None).map(drop)));
}

/// Waits for the answer to a request whose body has no end.
fn unfinished(url: &str, is_dropped: bool) {
    let request = request(&Method::Post, url, Fields::new());
    let body = request.body().expect("it was not taken");
    let future = handle(request, None).expect("one is allowed");
    body.write().expect("it was not taken").write(b"half").expect("it is open");
    let mut body = Some(body);
    if is_dropped {
        body = None;
    }
    note(&format!("{:?}", answer(&future).map(|answer| answer.status())));
    drop(body);
}

worker_kit::export!("codegen", Client);
