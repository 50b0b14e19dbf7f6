//! Runs a task: scans a piece of both sides, or compares a shard. A worker keeps nothing between tasks.

mod compare;
pub mod job;
mod lines;
mod pairs;
mod rows;
mod scan;
mod side;
mod window;

mod local;

pub use job::{Disabled, Given, Job, Memory, Watch};
pub use local::LocalWorkers;
