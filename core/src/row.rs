//! Rows: the canonical form of their values, the fingerprint that cancels them, the account hash that shards them, the proof that
//! no key comes twice.

mod account;
mod ascending;
mod canon;
mod fingerprint;

pub use account::{account_hash, account_hashes};
pub use ascending::{DistinctKeys, JudgedInPlace, ascend, has_known_order};
pub use canon::canon;
pub use fingerprint::{Form, Hasher, Secret};
