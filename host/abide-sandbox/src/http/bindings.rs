//! Generated from `wit/wasi/http.wit`.

/// `request-options`: how long the worker would wait. The lease says how long it may.
#[derive(Debug, Default)]
pub struct Options {
    pub(super) connect: Option<u64>,
    pub(super) first_byte: Option<u64>,
    pub(super) between_bytes: Option<u64>,
}

wasmtime::component::bindgen!({
    path: "../../wit/wasi",
    world: "abide:http/client",
    imports: { default: trappable },
    with: {
        "wasi:io/error.error": crate::http::io::IoError,
        "wasi:io/poll.pollable": crate::http::io::Pollable,
        "wasi:io/streams.input-stream": crate::http::io::InputStream,
        "wasi:io/streams.output-stream": crate::http::io::OutputStream,
        "wasi:http/types.fields": crate::http::fields::Fields,
        "wasi:http/types.outgoing-request": crate::http::exchange::Outgoing,
        "wasi:http/types.request-options": crate::http::bindings::Options,
        "wasi:http/types.outgoing-body": crate::http::exchange::Body,
        "wasi:http/types.future-incoming-response": crate::http::exchange::Future,
        "wasi:http/types.incoming-response": crate::http::answer::Response,
        "wasi:http/types.incoming-body": crate::http::answer::IncomingBody,
        "wasi:http/types.future-trailers": crate::http::answer::Trailers,
        "wasi:http/types.incoming-request": crate::http::refused::Never,
        "wasi:http/types.outgoing-response": crate::http::refused::Never,
        "wasi:http/types.response-outparam": crate::http::refused::Never,
    },
});
