//! Answers that are too large to stand in a table.

use std::io::Write as _;
use std::time::Duration;

use flate2::write::GzEncoder;
use flate2::{Compress, Compression, FlushCompress};

use crate::site::{Answer, Body};

const MIB: usize = 1 << 20;

/// `piece`, so many times, between a head and a tail.
fn again(head: &str, piece: impl Into<bytes::Bytes>, times: u64, tail: &str) -> Answer {
    let mut answer = Answer::html("");
    answer.body = Body::Again {
        head: head.to_owned().into(),
        piece: piece.into(),
        times,
        pause: Duration::ZERO,
        tail: tail.to_owned().into(),
    };
    answer
}

/// A page of 1 GiB.
pub(super) fn gigabyte(_: usize) -> Answer {
    again(
        "<!doctype html><title>Large</title>",
        "<p>A line of a page that goes on and on\n".repeat(26_214),
        1_024,
        "",
    )
}

/// A page that comes byte by byte, for a day.
pub(super) fn trickle(_: usize) -> Answer {
    let mut answer = again("<!doctype html><p>", "x", 86_400, "");
    if let Body::Again { pause, .. } = &mut answer.body {
        *pause = Duration::from_secs(1);
    }
    answer
}

/// So many mebibytes, as gzip. One is packed so that it needs nothing before it, and stands there again and again: a site that had to pack them all would keep its other
/// visitors waiting. The sum at the end is a wrong one, and who gets there has unpacked all of it.
fn zipped(mib: usize) -> Vec<u8> {
    let mut packed = Vec::with_capacity(1 << 16);
    let piece = b"<p>".repeat(MIB / 3);
    Compress::new(Compression::best(), false).compress_vec(&piece, &mut packed, FlushCompress::Full).unwrap();
    let head = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3];
    [&head[..], &packed.repeat(mib), &[3, 0], &[0; 8]].concat()
}

/// A mebibyte or so that is 700 when it is unpacked.
pub(super) fn gzip_bomb(_: usize) -> Answer {
    Answer::html(zipped(700)).with("content-encoding", "gzip")
}

/// The same, packed twice.
pub(super) fn gzip_of_gzip(_: usize) -> Answer {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(&zipped(700)).unwrap();
    Answer::html(encoder.finish().unwrap()).with("content-encoding", "gzip, gzip")
}

/// A million elements in each other.
pub(super) fn deep(_: usize) -> Answer {
    again("<!doctype html>", "<div>".repeat(10_000), 100, "<p id=in>In there</p>")
}

/// An element of a million attributes.
pub(super) fn many_attributes(_: usize) -> Answer {
    let attributes: String = (0..1_000_000).map(|number| format!(" a{number}=1")).collect();
    Answer::html(format!("<!doctype html><p{attributes}>x"))
}

/// An attribute of 64 MiB.
pub(super) fn huge_attribute(_: usize) -> Answer {
    again("<!doctype html><p title='", "x".repeat(MIB), 64, "'>x</p>")
}

/// Formatting elements that are opened again for each paragraph: the tree is far larger than the text.
pub(super) fn formatting(_: usize) -> Answer {
    let open: String = (0..500).map(|number| format!("<b class=c{number}>")).collect();
    again(&format!("<!doctype html><p>{open}"), "<p>x", 20_000, "")
}

/// A picture of a few kilobytes that is a billion points when it is drawn.
pub(super) fn image_bomb(_: usize) -> Answer {
    Answer::html(
        "<!doctype html><svg width=30000 height=30000><filter id=f><feTurbulence baseFrequency=.01 numOctaves=99 /><feGaussianBlur stdDeviation=500 /></filter><rect width=30000 height=30000 filter=url(#f) /></svg><script>document.body.getBoundingClientRect()</script>",
    )
}

/// An answer of twenty thousand fields.
pub(super) fn many_fields(_: usize) -> Answer {
    (0..20_000).fold(Answer::html("<!doctype html><p>x"), |answer, number| {
        answer.with(&format!("x-field-{number}"), "value value value value")
    })
}

/// A redirect to an address that is not the one before, without end.
pub(super) fn redirect_on(before: usize) -> Answer {
    Answer::to(302, &format!("/hostile/redirect-on-and-on/?{before}"))
}

/// A download of 1 GiB.
pub(super) fn download(_: usize) -> Answer {
    again("", "x".repeat(MIB), 1_024, "")
        .with("content-type", "application/octet-stream")
        .with("content-disposition", "attachment; filename=large.bin")
}
