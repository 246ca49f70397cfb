//! What must not leave: secrets, and what a task has read.
//!
//! The wall against a task that carries the workspace away is that it asks for exact addresses only. Where policy data lifts that, what is sent
//! is searched for pieces of what was read. That finds copies, also in base64 or hex; it does not find what was encrypted or
//! said in other words.

use std::collections::BTreeSet;

use abide_core::facts::Meter;
use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use percent_encoding::percent_decode;

use super::refusal::Refusal;

/// Letters of a piece. A copy of about twice as many is always found.
const PIECE: usize = 24;
/// Different letters that a piece has at least: a ruled line is nobody's.
const DISTINCT_MIN: usize = 8;
/// LIMIT: pieces that are remembered, some 24 MB of text. Who reads more sends nothing freely.
const PIECES_MAX: usize = 1 << 20;
/// Letters of an encoded text that is looked into.
const ENCODED_MIN: usize = 32;
/// An odd number; any will do.
const BASE: u64 = 0x0100_0000_01b3;

const LENIENT: GeneralPurposeConfig = GeneralPurposeConfig::new()
    .with_decode_padding_mode(DecodePaddingMode::Indifferent)
    .with_decode_allow_trailing_bits(true);
const BASE64: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, LENIENT);

/// What a task has read, as hashes of pieces.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pieces: BTreeSet<u64>,
    is_full: bool,
}

impl Seen {
    /// Remembers `bytes`.
    pub(super) fn add(&mut self, bytes: &[u8]) {
        for piece in folded(bytes).chunks_exact(PIECE).filter(|piece| is_telling(piece)) {
            if self.pieces.len() >= PIECES_MAX {
                self.is_full = true;
                return;
            }
            self.pieces.insert(piece.iter().fold(0, |hash, byte| rolled(hash, *byte)));
        }
    }

    /// Whether some of it is in `bytes`. Of who has read more than can be remembered, everything is.
    pub(super) fn is_in(&self, bytes: &[u8]) -> bool {
        if self.is_full {
            return !bytes.is_empty();
        }
        if self.pieces.is_empty() {
            return false;
        }
        let letters = folded(bytes);
        let first = (1..PIECE).fold(1_u64, |power, _| power.wrapping_mul(BASE));
        let mut hash = 0_u64;
        for (place, byte) in letters.iter().enumerate() {
            if let Some(gone) = place.checked_sub(PIECE).and_then(|gone| letters.get(gone)) {
                hash = hash.wrapping_sub(u64::from(*gone).wrapping_add(1).wrapping_mul(first));
            }
            hash = rolled(hash, *byte);
            if place.saturating_add(1) >= PIECE && self.pieces.contains(&hash) {
                return true;
            }
        }
        false
    }
}

fn rolled(hash: u64, byte: u8) -> u64 {
    hash.wrapping_mul(BASE).wrapping_add(u64::from(byte).wrapping_add(1))
}

/// Without white space and capitals, which are changed without changing what is said.
fn folded(bytes: &[u8]) -> Vec<u8> {
    bytes.iter().filter(|byte| !byte.is_ascii_whitespace()).map(u8::to_ascii_lowercase).collect()
}

fn is_telling(piece: &[u8]) -> bool {
    piece.iter().collect::<BTreeSet<_>>().len() >= DISTINCT_MIN
}

/// Refuses `parts` (address, values of fields, body) if a secret is in one, or, for a task that has read, a piece of what it read.
pub(super) fn search(meter: &Meter, seen: Option<&Seen>, parts: &[&[u8]]) -> Result<(), Refusal> {
    for part in parts {
        for form in forms(part) {
            let text = String::from_utf8_lossy(&form);
            if let Some(rule) =
                text.lines().find_map(|line| meter.secrets_in(line).first().map(|rule| (*rule).to_owned()))
            {
                return Err(Refusal::Secret(rule));
            }
            if seen.is_some_and(|seen| seen.is_in(&form)) {
                return Err(Refusal::Tainted("sends a piece of what it read"));
            }
        }
    }
    Ok(())
}

/// The bytes as they are, with escapes undone, and what stands in them in base64 or hex.
fn forms(part: &[u8]) -> Vec<Vec<u8>> {
    let plain: Vec<u8> = percent_decode(part).collect();
    let is_code = |byte: &u8| byte.is_ascii_alphanumeric() || b"+/-_".contains(byte);
    let coded: Vec<Vec<u8>> = plain
        .split(|byte| !is_code(byte))
        .filter(|run| run.len() >= ENCODED_MIN)
        .flat_map(|run| [of_base64(run), of_hex(run)])
        .flatten()
        .collect();
    let mut forms = coded;
    if plain != part {
        forms.push(part.to_vec());
    }
    forms.push(plain);
    forms
}

fn of_base64(run: &[u8]) -> Option<Vec<u8>> {
    let standard: Vec<u8> = run
        .iter()
        .map(|byte| match byte {
            b'-' => b'+',
            b'_' => b'/',
            other => *other,
        })
        .collect();
    // One letter more than fits is the beginning of something else.
    let whole =
        if standard.len() % 4 == 1 { standard.get(..standard.len().saturating_sub(1))? } else { &standard };
    BASE64.decode(whole).ok()
}

fn of_hex(run: &[u8]) -> Option<Vec<u8>> {
    let digit = |byte: &u8| char::from(*byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let pair = |pair: &[u8]| Some(digit(pair.first()?)? << 4 | digit(pair.get(1)?)?);
    run.chunks_exact(2).map(pair).collect()
}

#[cfg(test)]
pub(crate) mod tests;
