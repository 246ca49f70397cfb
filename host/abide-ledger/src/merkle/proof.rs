//! Inclusion and consistency proofs: made from stored hashes in O(log n) reads, checked from nothing but the proof.

use super::{NodeHash, Nodes};

/// Why a proof does not convince.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// The sizes or the index make no sense together.
    #[error("the sizes of this proof make no sense together")]
    Range,
    /// Too few or too many hashes.
    #[error("the proof has the wrong number of hashes")]
    Length,
    /// It leads to another root.
    #[error("the proof leads to another root")]
    Root,
}

/// Root of the first `size` leaves.
pub fn root_of<N: Nodes>(size: u64, nodes: &N) -> Result<NodeHash, N::Error> {
    if size == 0 { Ok(NodeHash::empty()) } else { range_root(0, size, nodes) }
}

/// Proof that leaf `index` is in the tree of `size` leaves (RFC 6962, section 2.1.1), lowest hash first; `None` if it is not.
pub fn inclusion<N: Nodes>(index: u64, size: u64, nodes: &N) -> Result<Option<Vec<NodeHash>>, N::Error> {
    if index >= size {
        return Ok(None);
    }
    let (mut low, mut high) = (0, size);
    let mut proof = Vec::new();
    while high.saturating_sub(low) > 1 {
        let middle = split(low, high);
        if index < middle {
            proof.push(range_root(middle, high, nodes)?);
            high = middle;
        } else {
            proof.push(range_root(low, middle, nodes)?);
            low = middle;
        }
    }
    proof.reverse();
    Ok(Some(proof))
}

/// Proof that the tree of `old` leaves is a prefix of the tree of `new` leaves (RFC 6962, section 2.1.2); `None` if it cannot be.
pub fn consistency<N: Nodes>(old: u64, new: u64, nodes: &N) -> Result<Option<Vec<NodeHash>>, N::Error> {
    if old == 0 || old > new {
        return Ok(None);
    }
    let (mut low, mut high) = (0, new);
    let mut whole = true;
    let mut proof = Vec::new();
    while high != old {
        let middle = split(low, high);
        if old <= middle {
            proof.push(range_root(middle, high, nodes)?);
            high = middle;
        } else {
            proof.push(range_root(low, middle, nodes)?);
            low = middle;
            whole = false;
        }
    }
    if !whole {
        proof.push(range_root(low, high, nodes)?);
    }
    proof.reverse();
    Ok(Some(proof))
}

/// Checks an inclusion proof (RFC 9162, section 2.1.3.2).
pub fn verify_inclusion(
    index: u64,
    size: u64,
    leaf: &NodeHash,
    proof: &[NodeHash],
    root: &NodeHash,
) -> Result<(), ProofError> {
    if index >= size {
        return Err(ProofError::Range);
    }
    let (mut first, mut last) = (index, size.saturating_sub(1));
    let mut hash = *leaf;
    for next in proof {
        if last == 0 {
            return Err(ProofError::Length);
        }
        if first & 1 == 1 || first == last {
            hash = NodeHash::pair(next, &hash);
            while first & 1 == 0 && first != 0 {
                first >>= 1;
                last >>= 1;
            }
        } else {
            hash = NodeHash::pair(&hash, next);
        }
        first >>= 1;
        last >>= 1;
    }
    settle(last, hash == *root)
}

/// Checks a consistency proof (RFC 9162, section 2.1.4.2). A proof from the empty tree says nothing and is refused.
pub fn verify_consistency(
    old: u64,
    new: u64,
    proof: &[NodeHash],
    old_root: &NodeHash,
    new_root: &NodeHash,
) -> Result<(), ProofError> {
    if old > new || old == 0 {
        return Err(ProofError::Range);
    }
    if old == new {
        return if proof.is_empty() { settle(0, old_root == new_root) } else { Err(ProofError::Length) };
    }
    let mut path = proof.iter();
    let seed = if old.is_power_of_two() { *old_root } else { *path.next().ok_or(ProofError::Length)? };
    let (mut first, mut last) = (old.saturating_sub(1), new.saturating_sub(1));
    while first & 1 == 1 {
        first >>= 1;
        last >>= 1;
    }
    let (mut small, mut large) = (seed, seed);
    for next in path {
        if last == 0 {
            return Err(ProofError::Length);
        }
        if first & 1 == 1 || first == last {
            small = NodeHash::pair(next, &small);
            large = NodeHash::pair(next, &large);
            while first & 1 == 0 && first != 0 {
                first >>= 1;
                last >>= 1;
            }
        } else {
            large = NodeHash::pair(&large, next);
        }
        first >>= 1;
        last >>= 1;
    }
    settle(last, small == *old_root && large == *new_root)
}

fn settle(left_over: u64, roots_agree: bool) -> Result<(), ProofError> {
    match (left_over, roots_agree) {
        (0, true) => Ok(()),
        (0, false) => Err(ProofError::Root),
        _ => Err(ProofError::Length),
    }
}

/// Where RFC 6962 splits `low..high`: after the largest power of two smaller than its length. The length is at least 2.
fn split(low: u64, high: u64) -> u64 {
    let most = high.saturating_sub(low).saturating_sub(1).max(1);
    low.saturating_add(1_u64.checked_shl(most.ilog2()).unwrap_or(1))
}

/// Hash of `low..high`, which is not empty and starts where a subtree of its width may start.
fn range_root<N: Nodes>(low: u64, high: u64, nodes: &N) -> Result<NodeHash, N::Error> {
    let mut left = Vec::new();
    let (mut low, high) = (low, high);
    loop {
        let length = high.saturating_sub(low);
        if length.is_power_of_two() {
            let level = length.ilog2();
            let last = nodes.node(level, low.checked_shr(level).unwrap_or(0))?;
            return Ok(left.iter().rev().fold(last, |right, left| NodeHash::pair(left, &right)));
        }
        let middle = split(low, high);
        let level = middle.saturating_sub(low).max(1).ilog2();
        left.push(nodes.node(level, low.checked_shr(level).unwrap_or(0))?);
        low = middle;
    }
}
