//! The debugging protocol of Chromium over one socket: JSON messages that each end with a zero byte, as `--remote-debugging-pipe` speaks it.
//!
//! What comes from the browser is as hostile as its pages: messages are bounded, answers nobody asked for are dropped, and every call has its time.

use std::collections::BTreeMap;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::{mpsc, oneshot};

/// LIMIT: bytes of one message: a document, or a picture in base64.
const MESSAGE_BYTES_MAX: usize = 96 << 20;
/// Events that wait to be looked at. What comes after them waits in the socket.
const EVENTS_MAX: usize = 1_024;
/// Bytes that are read at once.
const CHUNK_BYTES: usize = 256 << 10;

/// Why a call has no result.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum CdpError {
    /// The browser is gone.
    #[error("the browser ended")]
    Gone,
    /// It did not answer.
    #[error("the browser did not answer `{method}` within {ms} ms")]
    Late {
        /// What it was asked.
        method: &'static str,
        /// How long it had.
        ms: u64,
    },
    /// It said no.
    #[error("the browser refused `{method}`: {why}")]
    Refused {
        /// What it was asked.
        method: &'static str,
        /// Its words.
        why: String,
    },
}

/// Something that happened.
#[derive(Debug)]
pub(super) struct Event {
    /// The session that it happened in; none for the browser itself.
    pub(super) session: Option<String>,
    /// `Fetch.requestPaused`, …
    pub(super) method: String,
    /// What is told of it.
    pub(super) params: Value,
}

/// A browser that can be asked.
#[derive(Debug, Clone)]
pub(super) struct Cdp(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    writer: tokio::sync::Mutex<OwnedWriteHalf>,
    waiting: Mutex<Option<Waiting>>,
    next: AtomicU64,
}

type Waiting = BTreeMap<u64, oneshot::Sender<Result<Value, String>>>;

impl Cdp {
    /// Speaks over `socket`, within a runtime. Events come out of the second part.
    pub(super) fn over(socket: UnixStream) -> std::io::Result<(Self, mpsc::Receiver<Event>)> {
        socket.set_nonblocking(true)?;
        let (reader, writer) = tokio::net::UnixStream::from_std(socket)?.into_split();
        let shared = Arc::new(Shared {
            writer: tokio::sync::Mutex::new(writer),
            waiting: Mutex::new(Some(BTreeMap::new())),
            next: AtomicU64::new(1),
        });
        let (told, events) = mpsc::channel(EVENTS_MAX);
        let ear = Arc::clone(&shared);
        tokio::spawn(async move {
            if let Err(error) = listen(reader, &ear, &told).await {
                tracing::warn!(%error, "the browser's line broke");
            }
            // Whoever still waits is told by this.
            ear.waiting().take();
        });
        Ok((Self(shared), events))
    }

    /// Asks, and waits at most `ms` for the answer.
    pub(super) async fn call(
        &self,
        session: Option<&str>,
        method: &'static str,
        params: Value,
        ms: u64,
    ) -> Result<Value, CdpError> {
        let id = self.0.next.fetch_add(1, Ordering::Relaxed);
        let mut message = json!({"id": id, "method": method, "params": params});
        if let (Some(session), Some(message)) = (session, message.as_object_mut()) {
            message.insert("sessionId".to_owned(), session.into());
        }
        let (answered, answer) = oneshot::channel();
        self.0.waiting().as_mut().ok_or(CdpError::Gone)?.insert(id, answered);
        let talk = async {
            let mut bytes = message.to_string().into_bytes();
            bytes.push(0);
            self.0.writer.lock().await.write_all(&bytes).await.map_err(|_| CdpError::Gone)?;
            match answer.await {
                Ok(Ok(result)) => Ok(result),
                Ok(Err(why)) => Err(CdpError::Refused { method, why }),
                Err(_) => Err(CdpError::Gone),
            }
        };
        let came = tokio::time::timeout(Duration::from_millis(ms), talk).await;
        came.unwrap_or_else(|_| {
            if let Some(waiting) = self.0.waiting().as_mut() {
                waiting.remove(&id);
            }
            Err(CdpError::Late { method, ms })
        })
    }

    /// Whether it still can be asked.
    pub(super) fn is_there(&self) -> bool {
        self.0.waiting().is_some()
    }
}

impl Shared {
    fn waiting(&self) -> MutexGuard<'_, Option<Waiting>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes one message apart; an event comes back.
    fn take(&self, bytes: &[u8]) -> Option<Event> {
        let mut message = read(bytes)?;
        let text = |message: &Value, name: &str| message.get(name).and_then(Value::as_str).map(str::to_owned);
        if let Some(id) = message.get("id").and_then(Value::as_u64) {
            let waiting = self.waiting().as_mut().and_then(|waiting| waiting.remove(&id))?;
            let why = message.pointer("/error/message").and_then(Value::as_str).map(str::to_owned);
            let result = message.get_mut("result").map(Value::take).unwrap_or_default();
            // Who asked may have given up.
            drop(waiting.send(why.map_or(Ok(result), Err)));
            return None;
        }
        Some(Event {
            session: text(&message, "sessionId"),
            method: text(&message, "method")?,
            params: message.get_mut("params").map(Value::take).unwrap_or_default(),
        })
    }
}

/// A message. Texts of pages may hold halves of characters, which JSON can spell and no text can hold: each of them becomes U+FFFD.
fn read(bytes: &[u8]) -> Option<Value> {
    serde_json::from_slice(bytes).ok().or_else(|| serde_json::from_slice(&whole_characters(bytes)).ok())
}

/// JSON without escapes of surrogates that stand alone.
fn whole_characters(json: &[u8]) -> Vec<u8> {
    const REPLACEMENT: &[u8] = b"\\ufffd";
    /// Bytes of `\u0000`.
    const ESCAPE: usize = 6;
    let unit = |at: &[u8]| {
        let hex = at.get(..ESCAPE)?.strip_prefix(b"\\u")?;
        u16::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok()
    };
    let mut whole = Vec::with_capacity(json.len());
    let mut rest = json;
    while let Some(first) = rest.first() {
        let second = rest.get(ESCAPE..).and_then(unit);
        let (taken, given) = match unit(rest) {
            Some(0xD800..=0xDBFF) if second.is_some_and(|low| (0xDC00..=0xDFFF).contains(&low)) => {
                (2 * ESCAPE, None)
            }
            Some(0xD800..=0xDFFF) => (ESCAPE, Some(REPLACEMENT)),
            Some(_) => (ESCAPE, None),
            // What is escaped by a backslash is none itself.
            None => (if *first == b'\\' { 2 } else { 1 }, None),
        };
        let (piece, after) = rest.split_at(taken.min(rest.len()));
        whole.extend_from_slice(given.unwrap_or(piece));
        rest = after;
    }
    whole
}

async fn listen(
    mut reader: OwnedReadHalf,
    shared: &Shared,
    told: &mpsc::Sender<Event>,
) -> std::io::Result<()> {
    let mut message = Vec::new();
    let mut chunk = vec![0; CHUNK_BYTES];
    loop {
        let read = reader.read(&mut chunk).await?;
        if read == 0 {
            return Ok(());
        }
        let mut rest = chunk.get(..read).unwrap_or_default();
        while let Some(end) = rest.iter().position(|byte| *byte == 0) {
            let (last, after) = rest.split_at(end);
            message.extend_from_slice(last);
            rest = after.get(1..).unwrap_or_default();
            if let Some(event) = shared.take(&message)
                && told.send(event).await.is_err()
            {
                return Ok(());
            }
            message.clear();
        }
        message.extend_from_slice(rest);
        if message.len() > MESSAGE_BYTES_MAX {
            return Err(std::io::Error::other("a message has no end"));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::os::unix::net::UnixStream;

    use serde_json::json;

    use super::{Cdp, CdpError, read};

    fn other_end(mut socket: UnixStream, answers: &'static [&'static str]) {
        std::thread::spawn(move || {
            for answer in answers {
                let mut asked = [0; 1_000];
                assert!(socket.read(&mut asked).unwrap() > 0);
                socket.write_all(answer.as_bytes()).unwrap();
            }
        });
    }

    #[tokio::test]
    async fn answers_find_who_asked_and_what_is_no_answer_is_an_event() {
        let (near, far) = UnixStream::pair().unwrap();
        other_end(
            far,
            &[
                "{\"method\":\"A.b\",\"params\":{\"c\":1},\"sessionId\":\"s\"}\0nonsense\0{\"id\":9,\"result\":{}}\0{\"id\":1,\"result\":{\"d\":2}}\0",
                "{\"id\":2,\"error\":{\"message\":\"never\"}}\0",
            ],
        );
        let (cdp, mut events) = Cdp::over(near).unwrap();
        assert_eq!(cdp.call(None, "X.y", json!({}), 5_000).await, Ok(json!({"d": 2})));
        let event = events.recv().await.unwrap();
        assert_eq!((event.session.as_deref(), event.method.as_str()), (Some("s"), "A.b"));
        assert_eq!(event.params, json!({"c": 1}));
        let refused = CdpError::Refused { method: "X.y", why: "never".to_owned() };
        assert_eq!(cdp.call(Some("s"), "X.y", json!({}), 5_000).await, Err(refused));
        // The other end is gone now.
        assert_eq!(cdp.call(None, "X.y", json!({}), 5_000).await, Err(CdpError::Gone));
        assert!(!cdp.is_there());
    }

    #[test]
    fn halves_of_characters_cost_no_message() {
        for (told, wanted) in [
            (r#"{"a":"x\ud800y"}"#, json!({"a": "x\u{fffd}y"})),
            (r#"{"a":"\udc00\ud83d"}"#, json!({"a": "\u{fffd}\u{fffd}"})),
            (r#"{"a":"\ud83d\ude00 \ud83d"}"#, json!({"a": "\u{1f600} \u{fffd}"})),
            (r#"{"a":"\ud83d\ud83d\ude00"}"#, json!({"a": "\u{fffd}\u{1f600}"})),
            (r#"{"a":"\\ud800 \" \\","b":"\ud800"}"#, json!({"a": "\\ud800 \" \\", "b": "\u{fffd}"})),
            (r#"{"a":"\ud800\u0041\u00e9"}"#, json!({"a": "\u{fffd}A\u{e9}"})),
        ] {
            assert_eq!(read(told.as_bytes()), Some(wanted), "{told}");
        }
        assert_eq!(read(br#"{"a":"\ud800"#), None);
        assert_eq!(read(br#"{"a":"\"#), None);
    }

    #[tokio::test]
    async fn who_does_not_answer_is_not_waited_for() {
        let (near, _far) = UnixStream::pair().unwrap();
        let (cdp, _events) = Cdp::over(near).unwrap();
        assert_eq!(cdp.call(None, "X.y", json!({}), 30).await, Err(CdpError::Late { method: "X.y", ms: 30 }));
    }
}
