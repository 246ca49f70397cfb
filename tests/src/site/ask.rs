//! One request over a connection of its own, as a test puts it: no client between that knows better.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};

/// What came back.
#[derive(Debug, Clone)]
pub struct Said {
    /// Status code.
    pub status: u16,
    /// Fields by their names in lower case.
    pub headers: BTreeMap<String, String>,
    /// The body as it was sent, without the framing of chunks.
    pub body: Vec<u8>,
}

impl Said {
    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// A field, empty where there is none.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }
}

/// Asks by a method; `headers` are whole lines.
#[track_caller]
pub fn ask(at: SocketAddr, method: &str, target: &str, headers: &[&str], body: &str) -> Said {
    let mut stream = TcpStream::connect(at).unwrap();
    let mut lines = vec![format!("{method} {target} HTTP/1.0"), format!("host: {at}")];
    lines.extend(headers.iter().map(|line| (*line).to_owned()));
    lines.push(format!("content-length: {}\r\n\r\n{body}", body.len()));
    stream.write_all(lines.join("\r\n").as_bytes()).unwrap();
    let mut all = Vec::new();
    // What is cut comes to an end as well.
    drop(stream.read_to_end(&mut all));
    let end = all.windows(4).position(|four| four == b"\r\n\r\n").unwrap();
    let head = String::from_utf8_lossy(&all[..end]).into_owned();
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap();
    let fields = head.lines().skip(1).filter_map(|line| line.split_once(": "));
    Said {
        status,
        headers: fields.map(|(name, value)| (name.to_lowercase(), value.to_owned())).collect(),
        body: all[end + 4..].to_vec(),
    }
}

/// Asks for a page.
#[track_caller]
pub fn get(at: SocketAddr, target: &str) -> Said {
    ask(at, "GET", target, &[], "")
}
