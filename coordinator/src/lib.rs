//! Runs a job: binds the spec to the data, plans, drives the tasks, merges and publishes.

mod accounts;
pub mod bind;
mod columns;
mod merge;
mod publish;
mod run;

pub use bind::{Bound, Inspected, bind, inspect};
pub use publish::{Target, check_target};
pub use run::{Outcome, Phase, Progress, Run, run};
