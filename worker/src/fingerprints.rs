//! Fingerprints of rows: in arrays that travel, and as keys of tables.

use arrow_array::FixedSizeBinaryArray;
use arrow_array::cast::AsArray;
use arrow_buffer::Buffer;
use hashbrown::HashMap;
use shadowdiff_common::exchange::Selected;
use std::hash::{BuildHasherDefault, Hasher};

/// Fingerprints as they travel: 16 bytes, big-endian.
pub(crate) fn as_binary(fingerprints: &[u128]) -> FixedSizeBinaryArray {
    let bytes: Vec<u8> = fingerprints.iter().flat_map(|f| f.to_be_bytes()).collect();
    FixedSizeBinaryArray::new(16, Buffer::from_vec(bytes), None)
}

/// Fingerprints of exchanged rows: the last column.
pub(crate) fn fingerprints(rows: &Selected) -> impl Iterator<Item = u128> + '_ {
    let batch = rows.batch();
    let bytes = batch.column(batch.num_columns() - 1).as_fixed_size_binary();
    rows.rows()
        .map(|row| u128::from_be_bytes(bytes.value(row as usize).try_into().expect("a fingerprint has 16 bytes")))
}

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
}

pub(crate) type ByFingerprint<V> = HashMap<u128, V, BuildHasherDefault<Identity>>;
