//! What the tests share: the binary as a process, the cases, the oracle and the generator of nasty pairs.
//!
//! Nothing here but `parsers` uses the engine's own code for values, comparison or printing; the oracle shares the parsed spec only.

pub mod binary;
pub mod case;
pub mod cell;
pub mod cluster;
mod column;
pub mod csv;
mod deltas;
pub mod exact;
pub mod generate;
pub mod hook;
pub mod ledger;
pub mod limits;
mod listing;
pub mod mirror;
pub mod namespace;
pub mod oracle;
pub mod pair;
pub mod parsers;
pub mod print;
pub mod random;
mod row_sql;
pub mod rungs;
pub mod spec_text;
pub mod sql;
mod stored;
pub mod tolerance;
pub mod totals;
mod types;
pub mod values;
pub mod verdict;
pub mod write;
