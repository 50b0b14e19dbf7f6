//! The world as the processes see it: stores, readers, SQL, the exchange, runs, scratch, and the link between them.
//!
//! Modules stand in the order in which they may use each other.

pub mod exchange;
pub mod link;
pub mod read;
pub mod run;
pub mod spool;
pub mod sql;
pub mod store;
pub mod telemetry;
