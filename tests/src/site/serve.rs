//! The server of a site: a thread of its own, HTTP/1.1, a task for each connection.

use std::convert::Infallible;
use std::net::TcpListener;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt as _, Channel, Full, Limited};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::sync::oneshot;

use super::{Answer, Asked, Body, Pages};

/// Bytes of a request's body that are read.
const BODY_BYTES_MAX: usize = 1 << 20;

/// What ends a body before its promised length.
type Hung = std::io::Error;

/// What the connections of a site share.
pub(super) struct Served {
    pub(super) origin: String,
    pub(super) pages: Mutex<Box<dyn Pages>>,
    pub(super) heard: Arc<Mutex<Vec<Asked>>>,
    pub(super) sent: Arc<AtomicU64>,
}

/// Serves until the other end of `stopped` is used or dropped.
pub(super) fn until(listener: TcpListener, served: Arc<Served>, stopped: oneshot::Receiver<()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        listener.set_nonblocking(true).unwrap();
        let listener = tokio::net::TcpListener::from_std(listener).unwrap();
        let accepts = async {
            loop {
                // A client that is gone before it is accepted is no reason to stop.
                let Ok((stream, _)) = listener.accept().await else { continue };
                tokio::spawn(connection(stream, served.clone()));
            }
        };
        tokio::select! {
            () = accepts => {}
            _ = stopped => {}
        }
    });
}

async fn connection(stream: tokio::net::TcpStream, served: Arc<Served>) {
    let service = service_fn(move |request| {
        let served = served.clone();
        async move { Ok::<_, Infallible>(served.answers(request).await) }
    });
    let http = hyper::server::conn::http1::Builder::new();
    drop(http.serve_connection(TokioIo::new(stream), service).await);
}

impl Served {
    async fn answers(&self, request: Request<Incoming>) -> Response<BoxBody<Bytes, Hung>> {
        let (head, body) = request.into_parts();
        let body = Limited::new(body, BODY_BYTES_MAX).collect().await;
        let text = |value: &http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
        let asked = Asked {
            method: head.method.to_string(),
            target: head.uri.to_string(),
            headers: head.headers.iter().map(|(name, value)| (name.to_string(), text(value))).collect(),
            body: body.map(|body| body.to_bytes().to_vec()).unwrap_or_default(),
        };
        self.heard.lock().unwrap().push(asked.clone());
        let answer = self.pages.lock().unwrap().answer(&self.origin, &asked);
        if !answer.after.is_zero() {
            tokio::time::sleep(answer.after).await;
        }
        response(answer, &self.sent)
    }
}

fn response(answer: Answer, sent: &Arc<AtomicU64>) -> Response<BoxBody<Bytes, Hung>> {
    let mut response = Response::builder().status(answer.status);
    for (name, value) in &answer.headers {
        // Fields may hold bytes that are no ASCII.
        response = response.header(name, http::HeaderValue::from_bytes(value.as_bytes()).unwrap());
    }
    let body = match answer.body {
        Body::Whole(bytes) => {
            count(sent, &bytes);
            Full::new(bytes).map_err(|never| match never {}).boxed()
        }
        Body::Again { head, piece, times, pause, tail } => {
            let (mut sender, body) = Channel::<Bytes, Hung>::new(1);
            let sent = sent.clone();
            tokio::spawn(async move {
                let pieces = std::iter::once(head)
                    .chain((0..times).map(|_| piece.clone()))
                    .chain(std::iter::once(tail));
                for piece in pieces.filter(|piece| !piece.is_empty()) {
                    count(&sent, &piece);
                    if sender.send_data(piece).await.is_err() {
                        break;
                    }
                    if !pause.is_zero() {
                        tokio::time::sleep(pause).await;
                    }
                }
            });
            body.boxed()
        }
        Body::Cut { sent: bytes, promised } => {
            response = response.header("content-length", promised);
            let (mut sender, body) = Channel::<Bytes, Hung>::new(1);
            count(sent, &bytes);
            tokio::spawn(async move {
                drop(sender.send_data(bytes).await);
                sender.abort(Hung::other("it is cut"));
            });
            body.boxed()
        }
    };
    response.body(body).unwrap()
}

fn count(sent: &AtomicU64, bytes: &Bytes) {
    sent.fetch_add(bytes.len() as u64, Ordering::SeqCst);
}
