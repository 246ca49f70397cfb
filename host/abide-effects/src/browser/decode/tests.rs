use std::io::Write as _;

use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};
use http::HeaderValue;
use proptest::prelude::*;

use super::*;

fn packed(coding: &str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_ENCODING, HeaderValue::from_str(coding).unwrap());
    headers
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zlib(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn raw(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn each_coding_is_undone() {
    let text = b"the same text, ".repeat(20);
    for (coding, body) in [
        ("gzip", gzip(&text)),
        ("X-GZIP", gzip(&text)),
        ("deflate", zlib(&text)),
        ("deflate", raw(&text)),
        ("identity", text.clone()),
        ("", text.clone()),
        ("deflate, gzip", gzip(&zlib(&text))),
        ("gzip", [gzip(&text[..7]), gzip(&text[7..])].concat()),
    ] {
        assert_eq!(unpack(&packed(coding), body, 1_000).as_deref(), Ok(text.as_slice()), "{coding}");
    }
    assert_eq!(unpack(&packed("gzip"), Vec::new(), 10), Ok(Vec::new()));
}

#[test]
fn what_was_not_asked_for_or_is_not_what_it_says_is_refused() {
    for coding in ["br", "zstd", "gzip, gzip, gzip", "compress"] {
        let error = unpack(&packed(coding), b"xx".to_vec(), 1_000).unwrap_err();
        assert!(matches!(error, DecodeError::Coding(_)), "{coding}: {error}");
    }
    let whole = gzip(b"some text that is long enough to be cut");
    let cut = whole[..whole.len() - 9].to_vec();
    assert_eq!(unpack(&packed("gzip"), cut, 1_000), Err(DecodeError::Broken("gzip")));
    assert_eq!(unpack(&packed("gzip"), b"plain".to_vec(), 1_000), Err(DecodeError::Broken("gzip")));
    assert_eq!(unpack(&packed("deflate"), b"plain".to_vec(), 1_000), Err(DecodeError::Broken("deflate")));
}

#[test]
fn a_bomb_ends_where_it_may_not_go_on() {
    let large = gzip(&vec![0; 8 << 20]);
    assert_eq!(unpack(&packed("gzip"), large.clone(), 1_000), Err(DecodeError::Large(1_000)));
    assert_eq!(unpack(&packed("gzip"), large.clone(), u64::MAX), Err(DecodeError::Ratio));
    assert_eq!(unpack(&packed("gzip, gzip"), gzip(&large), u64::MAX), Err(DecodeError::Ratio));
    // What comes out just so is no bomb.
    assert_eq!(unpack(&packed("gzip"), gzip(&vec![0; 1 << 20]), 1 << 20).unwrap().len(), 1 << 20);
}

#[test]
fn the_encoding_is_that_which_browsers_take() {
    let sjis = b"\x93\xfa\x96\x7b";
    let meta = |inner: &str| [b"<html><head>".as_slice(), inner.as_bytes(), sjis].concat();
    for (said, bytes, encoding) in [
        (Some("text/html; charset=shift_jis"), meta("<meta charset=utf-8>"), "Shift_JIS"),
        (Some("text/html; charset=\"Shift_JIS\""), meta(""), "Shift_JIS"),
        (Some("text/html; charset=klingon"), meta("<meta charset=sjis>"), "Shift_JIS"),
        (None, meta("<META CharSet = 'shift-jis' >"), "Shift_JIS"),
        (None, meta("<meta http-equiv=Content-Type content='text/html; charset=Shift_JIS'>"), "Shift_JIS"),
        (None, meta("<meta content='text/html; charset=\"sjis\"' http-equiv=\"content-type\">"), "Shift_JIS"),
        (None, meta("<meta name=x content='charset=sjis'>"), "windows-1252"),
        (None, meta("<!-- <meta charset=sjis> -->"), "windows-1252"),
        (None, meta("<!--><meta charset=sjis>"), "Shift_JIS"),
        (None, meta("<a title='<meta charset=sjis>'>"), "windows-1252"),
        (None, meta("<metal charset=sjis>"), "windows-1252"),
        (None, meta("<meta charset=utf-16le>"), "UTF-8"),
        (None, meta(&format!("{}<meta charset=sjis>", " ".repeat(1_100))), "windows-1252"),
        (None, b"\xff\xfea\x00".to_vec(), "UTF-16LE"),
        (Some("text/html; charset=sjis"), b"\xef\xbb\xbfx".to_vec(), "UTF-8"),
        (None, "größe".as_bytes().to_vec(), "UTF-8"),
        (None, b"gr\xf6\xdfe".to_vec(), "windows-1252"),
    ] {
        let told = html(said, &bytes);
        assert_eq!(told.encoding, encoding, "{said:?} {}", String::from_utf8_lossy(&bytes));
    }
    assert_eq!(html(Some("text/html;charset=sjis"), sjis).text, "日本");
    let damaged = html(Some("text/html;charset=utf-8"), b"a\xffb");
    assert_eq!((damaged.text.as_str(), damaged.is_damaged), ("a\u{fffd}b", true));
}

proptest! {
    #[test]
    fn nothing_that_is_read_stops_it(bytes in prop::collection::vec(any::<u8>(), 0..2_000), said in "[ -~]{0,60}") {
        html(Some(&said), &bytes);
        let tags: Vec<u8> = bytes.iter().map(|byte| b"<meta charset=\"'/!->"[usize::from(byte % 20)]).collect();
        html(None, &tags);
        drop(unpack(&packed("gzip"), bytes.clone(), 10_000));
        drop(unpack(&packed("deflate"), bytes, 10_000));
    }
}
