//! The world as the processes see it: stores, readers, SQL, the exchange, runs, scratch, and the link between them.
//!
//! Modules stand in the order in which they may use each other.

pub mod comparison_file;
pub mod compiled;
pub mod exchange;
pub mod fault;
pub mod link;
pub mod notify;
pub mod read;
pub mod rows;
pub mod run;
pub mod spool;
pub mod sql;
pub mod state;
pub mod store;
pub mod table;
pub mod tasks;
pub mod telemetry;

use shadowdiff_core::error::{Error, Result};

/// 16 bytes of chance, drawn by the operating system: what is named by them is named once.
///
/// # Errors
/// Where the system has none to give.
pub fn random_bytes() -> Result<[u8; 16]> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|e| Error::internal(format!("the operating system gives no random bytes: {e}")))?;
    Ok(bytes)
}
