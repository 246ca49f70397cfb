//! What a body says once its content coding and its character encoding are undone. Both are a stranger's, and bounded.
//!
//! Not here: what markup means. A coding that is not asked for (`br`, `zstd`) is refused.

use std::io::Read;

use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252, X_USER_DEFINED};
use flate2::bufread::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};
use http::{HeaderMap, header};

mod prescan;

/// What is asked for: everything else is refused.
pub const ACCEPTED: &str = "gzip, deflate";
/// LIMIT: codings, one within the other.
const CODINGS_MAX: usize = 2;
/// LIMIT: bytes that come out for each that went in, beyond [`RATIO_FREE`]. Markup seldom reaches 50; a bomb of gzip is about 1,000.
const RATIO_MAX: u64 = 200;
/// Bytes that may come out whatever went in.
const RATIO_FREE: u64 = 1 << 20;

/// Why a body cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// It is packed in a way that was not asked for.
    #[error("the answer is packed as `{0}`, and only {ACCEPTED} is asked for")]
    Coding(String),
    /// It is not what it says.
    #[error("the answer is no {0}, as it says that it is")]
    Broken(&'static str),
    /// It is larger than it may be.
    #[error("the answer unpacks to more than {0} bytes")]
    Large(u64),
    /// It is a bomb.
    #[error("the answer unpacks to more than {RATIO_MAX} times its size")]
    Ratio,
}

impl DecodeError {
    /// The code that `ab explain` knows.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Coding(_) | Self::Broken(_) | Self::Large(_) | Self::Ratio => "AB0993",
        }
    }
}

/// Undoes the content codings of a body (RFC 9110, section 8.4), to `bytes_max` bytes at most.
pub fn unpack(headers: &HeaderMap, body: Vec<u8>, bytes_max: u64) -> Result<Vec<u8>, DecodeError> {
    let said: Vec<String> = headers
        .get_all(header::CONTENT_ENCODING)
        .iter()
        .flat_map(|value| {
            String::from_utf8_lossy(value.as_bytes()).split(',').map(str::to_owned).collect::<Vec<_>>()
        })
        .map(|coding| coding.trim().to_ascii_lowercase())
        .filter(|coding| !coding.is_empty() && coding != "identity")
        .collect();
    if said.len() > CODINGS_MAX {
        return Err(DecodeError::Coding(told(&said.join(", "))));
    }
    // An answer without a body (to HEAD, or 204) has nothing that could be unpacked.
    if body.is_empty() {
        return Ok(body);
    }
    // The last one was applied last.
    said.iter().rev().try_fold(body, |body, coding| match coding.as_str() {
        "gzip" | "x-gzip" => bounded(MultiGzDecoder::new(body.as_slice()), &body, bytes_max, "gzip"),
        // Some servers send deflate as it stands, without the frame of zlib that the standard asks for.
        "deflate" if is_zlib(&body) => {
            bounded(ZlibDecoder::new(body.as_slice()), &body, bytes_max, "deflate")
        }
        "deflate" => bounded(DeflateDecoder::new(body.as_slice()), &body, bytes_max, "deflate"),
        other => Err(DecodeError::Coding(told(other))),
    })
}

fn told(coding: &str) -> String {
    abide_core::safe_text::line(&coding.chars().take(40).collect::<String>())
}

/// The header of zlib: deflate, and a check sum over its two bytes (RFC 1950, section 2.2).
fn is_zlib(body: &[u8]) -> bool {
    match body {
        [cmf, flags, ..] => {
            cmf & 0x0f == 8 && (u16::from(*cmf).wrapping_mul(256).wrapping_add(u16::from(*flags))) % 31 == 0
        }
        _ => false,
    }
}

fn bounded(
    from: impl Read,
    packed: &[u8],
    bytes_max: u64,
    what: &'static str,
) -> Result<Vec<u8>, DecodeError> {
    let packed = u64::try_from(packed.len()).unwrap_or(u64::MAX);
    let by_ratio = packed.saturating_mul(RATIO_MAX).max(RATIO_FREE);
    let most = bytes_max.min(by_ratio);
    let mut out = Vec::new();
    // One more, to see that there is more.
    from.take(most.saturating_add(1)).read_to_end(&mut out).map_err(|_| DecodeError::Broken(what))?;
    if u64::try_from(out.len()).unwrap_or(u64::MAX) <= most {
        return Ok(out);
    }
    Err(if by_ratio < bytes_max { DecodeError::Ratio } else { DecodeError::Large(bytes_max) })
}

/// Text, and how it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text {
    /// What it says; what could not be read is U+FFFD.
    pub text: String,
    /// The encoding's name (WHATWG).
    pub encoding: &'static str,
    /// Whether something could not be read.
    pub is_damaged: bool,
}

/// Reads HTML as browsers do: by its byte order mark, else by `content_type`, else by what it says of itself (`meta`), else as UTF-8 if that is what it
/// is, else as windows-1252.
pub fn html(content_type: Option<&str>, bytes: &[u8]) -> Text {
    let by_mark = Encoding::for_bom(bytes).map(|(encoding, _)| encoding);
    let encoding = by_mark
        .or_else(|| content_type.and_then(charset))
        .or_else(|| prescan::said(bytes).map(of_meta))
        .unwrap_or_else(|| if std::str::from_utf8(bytes).is_ok() { UTF_8 } else { WINDOWS_1252 });
    let (text, used, is_damaged) = encoding.decode(bytes);
    Text { text: text.into_owned(), encoding: used.name(), is_damaged }
}

/// Markup that says in ASCII that it is UTF-16 is not.
fn of_meta(said: &'static Encoding) -> &'static Encoding {
    if said == UTF_16BE || said == UTF_16LE {
        UTF_8
    } else if said == X_USER_DEFINED {
        WINDOWS_1252
    } else {
        said
    }
}

/// The parameter `charset` of a content type.
fn charset(content_type: &str) -> Option<&'static Encoding> {
    content_type.split(';').skip(1).find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        let is_it = name.trim().eq_ignore_ascii_case("charset");
        is_it.then(|| Encoding::for_label(value.trim().trim_matches(['"', '\'']).as_bytes()))?
    })
}

#[cfg(test)]
mod tests;
