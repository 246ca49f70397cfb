//! Reads the first message of a TLS client (RFC 8446, section 4.1.2), without answering it.

use rustls::server::Acceptor;
use tokio::io::{AsyncRead, AsyncReadExt as _};

use crate::egress::lease::Rule;
use crate::egress::refusal::Refusal;
use crate::egress::target::Origin;

/// Bytes of a greeting. Large ones, with keys that withstand quantum computers, have some 2,000.
const GREETING_BYTES_MAX: usize = 16 << 10;

/// Reads the greeting and checks that it fits `origin` and `rule`. What was read comes back, to be handed on.
pub(super) async fn read(
    from: &mut (impl AsyncRead + Unpin),
    origin: &Origin,
    rule: &Rule,
) -> Result<Vec<u8>, Refusal> {
    let refused = |why: &str| Refusal::Tunnel(why.to_owned());
    let (mut acceptor, mut heard) = (Acceptor::default(), Vec::new());
    loop {
        let mut piece = [0; 4_096];
        let count = from.read(&mut piece).await.map_err(|error| Refusal::Tunnel(error.to_string()))?;
        let piece = piece.get(..count).unwrap_or_default();
        if piece.is_empty() {
            return Err(refused("it ended before its greeting"));
        }
        heard.extend_from_slice(piece);
        let mut unread = piece;
        while !unread.is_empty() {
            acceptor.read_tls(&mut unread).map_err(|_| refused("its greeting is too large"))?;
            match acceptor.accept() {
                Ok(None) => {}
                Ok(Some(accepted)) => {
                    let hello = accepted.client_hello();
                    check_name(hello.server_name(), origin)?;
                    let offered: Vec<&[u8]> = hello.alpn().map(Iterator::collect).unwrap_or_default();
                    check_protocols(&offered, rule)?;
                    return Ok(heard);
                }
                Err(_) => return Err(refused("it does not begin with a TLS greeting")),
            }
        }
        if heard.len() > GREETING_BYTES_MAX {
            return Err(refused("its greeting is too large"));
        }
    }
}

fn check_name(named: Option<&str>, origin: &Origin) -> Result<(), Refusal> {
    match named {
        Some(name) if name.eq_ignore_ascii_case(&origin.host) => Ok(()),
        // A host that is an address is not named (RFC 6066, section 3).
        None if origin.literal().is_some() => Ok(()),
        Some(_) => Err(Refusal::Tunnel("its greeting names another host".to_owned())),
        None => Err(Refusal::Tunnel("its greeting names no host".to_owned())),
    }
}

fn check_protocols(offered: &[&[u8]], rule: &Rule) -> Result<(), Refusal> {
    match offered.iter().find(|offer| !rule.alpn.iter().any(|allowed| allowed == *offer)) {
        Some(odd) => {
            let odd = abide_core::safe_text::line(&String::from_utf8_lossy(odd));
            Err(Refusal::Tunnel(format!("it offers the protocol `{odd}`, which its rule does not name")))
        }
        None => Ok(()),
    }
}
