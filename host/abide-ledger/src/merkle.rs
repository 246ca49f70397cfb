//! The Merkle tree of RFC 6962: hashing, the growing edge, proofs and their verification, and the tiles of C2SP `tlog-tiles`.
//!
//! Pure: it reads hashes through [`Nodes`] and never stores one. `proof` makes and checks proofs; `tile` names the files that mirrors expect.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};

mod proof;
mod tile;

pub use proof::{ProofError, consistency, inclusion, root_of, verify_consistency, verify_inclusion};
pub use tile::{Tile, tiles};

/// A SHA-256 hash in the tree.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeHash(pub [u8; 32]);

impl NodeHash {
    /// Hash of a leaf: `SHA-256(0x00 || bytes)`.
    pub fn leaf(bytes: &[u8]) -> Self {
        Self(Sha256::new().chain_update([0]).chain_update(bytes).finalize().into())
    }

    /// Hash of an inner node: `SHA-256(0x01 || left || right)`.
    pub fn pair(left: &Self, right: &Self) -> Self {
        Self(Sha256::new().chain_update([1]).chain_update(left.0).chain_update(right.0).finalize().into())
    }

    /// Root of the tree that has no leaves: the hash of nothing.
    pub fn empty() -> Self {
        Self(Sha256::digest([]).into())
    }

    /// The hash in standard base 64, as checkpoints and proofs write it.
    pub fn to_base64(self) -> String {
        STANDARD.encode(self.0)
    }

    /// Reads standard base 64 with its padding; anything else is `None`.
    pub fn from_base64(text: &str) -> Option<Self> {
        Self::from_slice(&STANDARD.decode(text).ok()?)
    }

    /// Takes exactly 32 bytes.
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }
}

impl fmt::Debug for NodeHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_base64())
    }
}

/// Where the hashes of complete subtrees are read: level 0 are leaves, and the node `(level, index)` covers the leaves from
/// `index << level` up to `(index + 1) << level`.
pub trait Nodes {
    /// Why a hash could not be read.
    type Error;
    /// The hash of one complete subtree.
    fn node(&self, level: u32, index: u64) -> Result<NodeHash, Self::Error>;
}

/// The growing edge of a tree: the roots of its complete subtrees, largest first.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Frontier {
    size: u64,
    peaks: Vec<NodeHash>,
}

/// A hash that an append completed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grown {
    /// 0 for a leaf.
    pub level: u32,
    /// Index within the level.
    pub index: u64,
    /// The hash.
    pub hash: NodeHash,
}

impl Frontier {
    /// The edge of a stored tree of `size` leaves.
    pub fn load<N: Nodes>(size: u64, nodes: &N) -> Result<Self, N::Error> {
        let mut peaks = Vec::new();
        for level in (0..u64::BITS).rev() {
            let width = 1_u64.checked_shl(level).unwrap_or(0);
            if size & width != 0 {
                // The peak of this level is the last complete subtree of its width that starts on the larger ones.
                let index = size.checked_shr(level).unwrap_or(0) & !1;
                peaks.push(nodes.node(level, index)?);
            }
        }
        Ok(Self { size, peaks })
    }

    /// Number of leaves.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Adds a leaf and returns every hash that it completed, the leaf first. `None` if the tree is full (2^64 - 1 leaves).
    pub fn push(&mut self, leaf: NodeHash) -> Option<Vec<Grown>> {
        let size = self.size.checked_add(1)?;
        let (mut level, mut index, mut hash) = (0_u32, self.size, leaf);
        let mut grown = vec![Grown { level, index, hash }];
        while index & 1 == 1 {
            let Some(left) = self.peaks.pop() else { break };
            hash = NodeHash::pair(&left, &hash);
            level = level.saturating_add(1);
            index >>= 1;
            grown.push(Grown { level, index, hash });
        }
        self.peaks.push(hash);
        self.size = size;
        Some(grown)
    }

    /// Root of the tree.
    pub fn root(&self) -> NodeHash {
        let mut peaks = self.peaks.iter().rev();
        let Some(last) = peaks.next() else { return NodeHash::empty() };
        peaks.fold(*last, |right, left| NodeHash::pair(left, &right))
    }
}

#[cfg(test)]
#[expect(
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::cast_possible_truncation,
    reason = "numbers of a test are small"
)]
mod tests;
