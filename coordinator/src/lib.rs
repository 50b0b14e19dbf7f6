//! Runs a job: binds the spec to the data, plans, drives the tasks, merges and publishes.

mod accounts;
pub mod bind;
pub mod cluster;
mod columns;
pub mod cut;
mod merge;
mod prune;
mod publish;
mod result;
mod run;
mod types;
mod unread;

pub use bind::{Bound, Inspected, bind, inspect};
pub use cut::{Amounts, Cut};
pub use publish::{FILES, Staging, Target, check_target};
pub use run::{Outcome, Phase, Progress, Run, run};
pub use types::Note;
