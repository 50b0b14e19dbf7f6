//! Rows: the canonical form of their values, the fingerprint that cancels them, the account hash that shards them.

mod account;
mod canon;
mod fingerprint;

pub use account::{account_hash, account_hashes};
pub use canon::canon;
pub use fingerprint::{Form, Hasher, Secret};
