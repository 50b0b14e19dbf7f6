//! Runs a task: scans a piece of both sides, sifts fingerprints, fetches rows, or compares a shard. A worker keeps nothing between tasks.

mod attached;
mod attempt;
mod comparators;
mod compare;
mod differences;
mod exchanged;
mod execute;
mod fetch;
mod fingerprints;
mod glance;
mod host;
pub mod job;
mod limits;
mod local;
mod lookup;
mod pairs;
mod row_selection;
mod rows;
mod scan;
mod side;
mod sift;
#[cfg(test)]
mod testing;
mod window;

pub use attached::{Attachment, Drain, attach};
pub use attempt::{Attempt, Committed, run as run_attempt};
pub use host::Host;
pub use job::{Disabled, Given, Job, Memory, Watch};
pub use limits::TaskLimits;
pub use local::LocalWorkers;
pub use side::member;
