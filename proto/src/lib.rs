//! The messages and services of `shadowdiff.v1`, as the compiler of the protocol makes them from `proto/shadowdiff/v1`.

mod errors;

/// Version 1 of the protocol.
pub mod v1 {
    tonic::include_proto!("shadowdiff.v1");
}

/// The protocol's own description, for the reflection service.
pub const FILE_DESCRIPTORS: &[u8] = tonic::include_file_descriptor_set!("shadowdiff");

/// The version of what coordinator and workers store and send. Both ends must have the same.
pub const PROTOCOL: u32 = 8;
/// The most bytes of one message, either way: names and numbers only; content goes through object storage or in chunks.
pub const MAX_MESSAGE_BYTES: usize = 4 << 20;
