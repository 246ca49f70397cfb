//! What was fetched before, by address: bodies under their digest, so that the same one lies there once and a damaged one is noticed.
//!
//! Nothing here is anybody's own: answers to requests with cookies or credentials are not remembered.

use std::fmt;
use std::io::{self, Read as _};
use std::sync::{Mutex, PoisonError};

use abide_core::id::Digest;
use cap_std::fs::Dir;
use serde::{Deserialize, Serialize};

/// An answer, as it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remembered {
    /// Its entity tag.
    pub etag: Option<String>,
    /// When it was changed last, as the server wrote it.
    pub modified: Option<String>,
    /// Fields that say what it is.
    pub fields: Vec<(String, String)>,
    /// Its body, unpacked.
    pub body: Vec<u8>,
}

/// Remembers answers. Whatever it forgets is fetched again.
pub trait Shelf: fmt::Debug + Send + Sync {
    /// What is remembered under `key`.
    fn recall(&self, key: &Digest) -> Option<Remembered>;
    /// Remembers an answer, if there is room.
    fn keep(&self, key: &Digest, answer: &Remembered);
}

/// Remembers nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoShelf;

impl Shelf for NoShelf {
    fn recall(&self, _: &Digest) -> Option<Remembered> {
        None
    }

    fn keep(&self, _: &Digest, _: &Remembered) {}
}

/// What lies beside a body.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Card {
    etag: Option<String>,
    modified: Option<String>,
    fields: Vec<(String, String)>,
    body: Digest,
}

/// A folder: `cards/` by address, `bodies/` by digest.
pub struct Folder {
    cards: Dir,
    bodies: Dir,
    bytes_max: u64,
    /// One writer at a time in this process. Another process may write too: files are put in place whole.
    writing: Mutex<()>,
}

impl fmt::Debug for Folder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Folder").field("bytes_max", &self.bytes_max).finish_non_exhaustive()
    }
}

impl Folder {
    /// LIMIT: bytes of a card.
    const CARD_BYTES_MAX: u64 = 64 << 10;

    /// Opens `folder`, which holds `bytes_max` bytes at most; what was put there first goes first.
    pub fn open(folder: &Dir, bytes_max: u64) -> io::Result<Self> {
        folder.create_dir_all("cards")?;
        folder.create_dir_all("bodies")?;
        let (cards, bodies) = (folder.open_dir("cards")?, folder.open_dir("bodies")?);
        Ok(Self { cards, bodies, bytes_max, writing: Mutex::default() })
    }

    fn read(from: &Dir, name: &str, bytes_max: u64) -> Option<Vec<u8>> {
        let mut bytes = Vec::new();
        let file = from.open(name).ok()?;
        file.take(bytes_max.saturating_add(1)).read_to_end(&mut bytes).ok()?;
        (u64::try_from(bytes.len()).unwrap_or(u64::MAX) <= bytes_max).then_some(bytes)
    }

    fn write(to: &Dir, name: &str, bytes: &[u8]) -> io::Result<()> {
        let new = format!("{name}.{}.new", std::process::id());
        to.write(&new, bytes)?;
        to.rename(&new, to, name)
    }

    /// Makes room for `bytes` more: the oldest go. Whether there is room now.
    fn make_room(&self, bytes: u64) -> io::Result<bool> {
        if bytes > self.bytes_max {
            return Ok(false);
        }
        let mut lying = Vec::new();
        for dir in [&self.cards, &self.bodies] {
            for entry in dir.entries()? {
                let entry = entry?;
                let data = entry.metadata()?;
                lying.push((data.modified()?.into_std(), data.len(), entry));
            }
        }
        let mut total = lying.iter().map(|(_, len, _)| *len).fold(bytes, u64::saturating_add);
        lying.sort_by_key(|(at, _, _)| *at);
        for (_, len, entry) in lying {
            if total <= self.bytes_max {
                break;
            }
            // A card without its body is a miss.
            entry.remove_file()?;
            total = total.saturating_sub(len);
        }
        Ok(total <= self.bytes_max)
    }

    fn put(&self, key: &Digest, answer: &Remembered) -> io::Result<()> {
        let body = Digest::of(&answer.body);
        let (etag, modified) = (answer.etag.clone(), answer.modified.clone());
        let card = Card { etag, modified, fields: answer.fields.clone(), body: body.clone() };
        let card = serde_json::to_vec(&card)?;
        let bytes = u64::try_from(answer.body.len().saturating_add(card.len())).unwrap_or(u64::MAX);
        let is_long = u64::try_from(card.len()).unwrap_or(u64::MAX) > Self::CARD_BYTES_MAX;
        if is_long || !self.make_room(bytes)? {
            return Ok(());
        }
        Self::write(&self.bodies, &name(&body), &answer.body)?;
        Self::write(&self.cards, &name(key), &card)
    }
}

impl Shelf for Folder {
    fn recall(&self, key: &Digest) -> Option<Remembered> {
        let card: Card =
            serde_json::from_slice(&Self::read(&self.cards, &name(key), Self::CARD_BYTES_MAX)?).ok()?;
        let body = Self::read(&self.bodies, &name(&card.body), self.bytes_max)?;
        let Card { etag, modified, fields, body: digest } = card;
        (Digest::of(&body) == digest).then_some(Remembered { etag, modified, fields, body })
    }

    fn keep(&self, key: &Digest, answer: &Remembered) {
        let _one = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        if let Err(error) = self.put(key, answer) {
            tracing::debug!(%error, "an answer was not remembered");
        }
    }
}

fn name(digest: &Digest) -> String {
    digest.to_string().replace(':', "-")
}

#[cfg(test)]
mod tests;
