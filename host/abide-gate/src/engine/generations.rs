//! The generation in force, swapped whole, and those before it, kept for recomputing.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use abide_core::id::Digest;

use crate::engine::bundle::Bundle;

/// Generations that are kept at most; older ones are rebuilt from their bytes.
const KEPT_MAX: usize = 16;

/// All generations that this process knows.
#[derive(Debug)]
pub struct Generations {
    current: RwLock<Arc<Bundle>>,
    kept: RwLock<BTreeMap<Digest, Arc<Bundle>>>,
}

impl Generations {
    /// Starts with one generation.
    pub fn new(first: Bundle) -> Self {
        let first = Arc::new(first);
        let kept = BTreeMap::from([(first.digest().clone(), Arc::clone(&first))]);
        Self { current: RwLock::new(first), kept: RwLock::new(kept) }
    }

    /// The generation that answers now. A decision that began keeps the one it began with.
    pub fn current(&self) -> Arc<Bundle> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Puts another generation in force, whole and at once.
    pub fn activate(&self, next: Bundle) -> Digest {
        let next = Arc::new(next);
        let digest = next.digest().clone();
        let mut kept = self.kept.write().unwrap_or_else(PoisonError::into_inner);
        while kept.len() >= KEPT_MAX {
            kept.pop_first();
        }
        kept.insert(digest.clone(), Arc::clone(&next));
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = next;
        digest
    }

    /// A generation that is or was in force, if it is still kept.
    pub fn by_digest(&self, digest: &Digest) -> Option<Arc<Bundle>> {
        let current = self.current();
        if current.digest() == digest {
            return Some(current);
        }
        self.kept.read().unwrap_or_else(PoisonError::into_inner).get(digest).cloned()
    }
}
