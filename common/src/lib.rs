//! The world as the processes see it: stores, readers, SQL, the exchange, runs, scratch, and the link between them.
//!
//! Modules stand in the order in which they may use each other.

pub mod exchange;
pub mod fault;
pub mod link;
pub mod read;
pub mod run;
pub mod spool;
pub mod sql;
pub mod state;
pub mod store;
pub mod telemetry;

/// 16 bytes of chance, drawn by the operating system.
pub fn drawn_bytes() -> [u8; 16] {
    use std::hash::{BuildHasher, Hasher, RandomState};
    // The standard library seeds its hashers from there.
    let word = || RandomState::new().build_hasher().finish().to_le_bytes();
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&word());
    bytes[8..].copy_from_slice(&word());
    bytes
}
