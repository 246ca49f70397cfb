//! What a program printed: its beginning, its end, how much there was, and the digest of all of it. Escapes are kept; who shows them strips.

use std::collections::VecDeque;

use abide_core::id::Digest;
use sha2::{Digest as _, Sha256};

/// What a program printed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    /// The beginning.
    pub head: Vec<u8>,
    /// The end, where it does not overlap the beginning.
    pub tail: Vec<u8>,
    /// Bytes between the two that were not kept.
    pub skipped: u64,
    /// Digest of everything that was read, the skipped bytes included.
    pub digest: Digest,
    /// Whether everything was read. It was not if a process that escaped kept the stream open.
    pub complete: bool,
}

impl Output {
    /// Beginning and end with a note of what is missing between; bytes that are not UTF-8 are replaced, escapes are kept.
    pub fn text(&self) -> String {
        let (head, tail) = (String::from_utf8_lossy(&self.head), String::from_utf8_lossy(&self.tail));
        if self.skipped == 0 {
            return format!("{head}{tail}");
        }
        format!("{head}\n[… {} bytes …]\n{tail}", self.skipped)
    }
}

/// Takes what is printed, in constant space.
#[derive(Debug)]
pub(super) struct Recorder {
    half: usize,
    head: Vec<u8>,
    tail: VecDeque<u8>,
    total: u64,
    hash: Sha256,
}

impl Recorder {
    pub(super) fn new(bytes_max: usize) -> Self {
        Self {
            half: bytes_max.div_ceil(2),
            head: Vec::new(),
            tail: VecDeque::new(),
            total: 0,
            hash: Sha256::new(),
        }
    }

    pub(super) fn take(&mut self, bytes: &[u8]) {
        self.hash.update(bytes);
        self.total = self.total.saturating_add(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
        let room = self.half.saturating_sub(self.head.len()).min(bytes.len());
        let (first, rest) = bytes.split_at_checked(room).unwrap_or((bytes, &[]));
        self.head.extend_from_slice(first);
        self.tail.extend(rest);
        let surplus = self.tail.len().saturating_sub(self.half);
        self.tail.drain(..surplus);
    }

    pub(super) fn total(&self) -> u64 {
        self.total
    }

    pub(super) fn output(&self, complete: bool) -> Output {
        let kept = self.head.len().saturating_add(self.tail.len());
        let nibble = |value: u8| char::from_digit(u32::from(value), 16).unwrap_or('0');
        let hash = self.hash.clone().finalize();
        let hex: String = hash.iter().flat_map(|byte| [nibble(byte >> 4), nibble(byte & 15)]).collect();
        Output {
            head: self.head.clone(),
            tail: self.tail.iter().copied().collect(),
            skipped: self.total.saturating_sub(u64::try_from(kept).unwrap_or(u64::MAX)),
            // INVARIANT: a SHA-256 hash has 64 hex digits.
            digest: format!("sha256:{hex}").parse().unwrap_or_else(|_| Digest::of(b"")),
            complete,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn head_and_tail_are_kept_and_everything_is_digested() {
        let mut recorder = Recorder::new(8);
        for chunk in [&b"abc"[..], b"defgh", b"ijklmnop"] {
            recorder.take(chunk);
        }
        let output = recorder.output(true);
        assert_eq!((&*output.head, &*output.tail, output.skipped), (&b"abcd"[..], &b"mnop"[..], 8));
        assert_eq!(output.digest, Digest::of(b"abcdefghijklmnop"));
        assert_eq!(output.text(), "abcd\n[… 8 bytes …]\nmnop");
    }

    #[test]
    fn short_output_is_kept_whole() {
        let mut recorder = Recorder::new(8);
        recorder.take(b"\x1b[31mhi");
        let output = recorder.output(true);
        assert_eq!((output.text().as_str(), output.skipped), ("\u{1b}[31mhi", 0));
    }
}
