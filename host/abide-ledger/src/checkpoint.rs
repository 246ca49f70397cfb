//! Checkpoints, as in C2SP `tlog-checkpoint`: origin, size and root in a signed note.

use crate::leaf::decimal;
use crate::merkle::NodeHash;
use crate::note::{NoteError, NoteKey, Origin, Vkey};

/// What a log says of itself at one size.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// Name of the log.
    pub origin: Origin,
    /// Number of leaves.
    pub size: u64,
    /// Root of the tree.
    pub root: NodeHash,
}

impl Checkpoint {
    /// The text that is signed.
    pub fn text(&self) -> String {
        format!("{}\n{}\n{}\n", self.origin, self.size, self.root.to_base64())
    }

    /// The signed note.
    pub fn sign(&self, key: &NoteKey) -> String {
        key.sign(&self.text())
    }

    /// Reads a note that `vkey` signed. Its origin must be the name of the key, and it must be spelled in the one way.
    pub fn open(note: &str, vkey: &Vkey) -> Result<Self, NoteError> {
        let text = vkey.open(note)?;
        let mut lines = text.split('\n');
        let (Some(origin), Some(size), Some(root)) = (lines.next(), lines.next(), lines.next()) else {
            return Err(NoteError::Shape);
        };
        let checkpoint = Self {
            origin: origin.parse()?,
            size: decimal(size).ok_or(NoteError::Shape)?,
            root: NodeHash::from_base64(root).ok_or(NoteError::Shape)?,
        };
        if checkpoint.origin != *vkey.name() {
            return Err(NoteError::Signer);
        }
        if checkpoint.text() == text { Ok(checkpoint) } else { Err(NoteError::Shape) }
    }
}
