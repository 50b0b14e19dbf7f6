//! Tables whose keys are fingerprints of rows.

use hashbrown::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

/// Fingerprints are random already.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Identity(u64);

impl Hasher for Identity {
    fn finish(&self) -> u64 {
        self.0
    }
    fn write(&mut self, bytes: &[u8]) {
        let mut word = [0; 8];
        let length = bytes.len().min(8);
        word[..length].copy_from_slice(&bytes[..length]);
        self.0 = u64::from_le_bytes(word);
    }
    fn write_u128(&mut self, n: u128) {
        self.0 = n as u64;
    }
    fn write_u64(&mut self, n: u64) {
        self.0 = n;
    }
}

pub(crate) type ByFingerprint<V> = HashMap<u128, V, BuildHasherDefault<Identity>>;
/// By 64 bits of a fingerprint.
pub(crate) type ByHash<V> = HashMap<u64, V, BuildHasherDefault<Identity>>;
