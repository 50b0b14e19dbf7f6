//! Runs a task: scans a piece of both sides, matches fingerprints, fetches rows, or compares a shard. A worker keeps nothing between tasks.

mod aligned_rows;
mod attached;
mod attempt;
mod by_columns;
mod compare;
mod differences;
mod differing_pairs;
mod exchanged;
mod execute;
mod fingerprints;
mod host;
mod in_place;
mod in_step;
mod job;
mod key_ranges;
mod limits;
mod local;
mod lookup;
mod lots;
mod matching;
mod meter;
mod needed;
mod paired;
mod paired_texts;
mod pairs;
mod reread;
mod resources;
mod row_selection;
mod rows;
mod sample;
mod scan;
mod scanned_form;
mod seen_accounts;
mod side;
#[cfg(test)]
mod testing;
mod tolerant;
mod totals;
mod window;

pub use attached::{Attachment, Drain, attach};
pub use host::Host;
pub use job::{Job, Watch};
pub use limits::TaskLimits;
pub use local::LocalWorkers;
pub use resources::{Disabled, Memory, Resources};
pub use side::member;
