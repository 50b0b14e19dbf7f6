//! Runs a job: binds the spec to the data, plans, drives the tasks, merges and publishes.

mod accounts;
pub mod bind;
pub mod cluster;
mod columns;
mod deliver;
mod describe;
mod fetched;
mod kept;
mod merge;
mod merged_runs;
pub mod partition;
mod pipeline;
mod prune;
mod publish;
mod rejudge;
mod result;
mod run;
mod scale;
mod tables;
mod target;
mod types;
mod unread;

pub use accounts::read_account_texts;
pub use bind::{Bound, Inspected, bind, inspect};
pub use describe::describe;
pub use fetched::{Fetched, fetch_result};
pub use partition::PartitionSettings;
pub use publish::{Published, StagedFile, Staging, marks_of};
pub use rejudge::NewRules;
pub use run::{Outcome, Progress, Run, run};
pub use tables::{AccountLines, Table};
pub use target::{FILES, OPTIONAL, Reads, SUMMARY, Target, check_files, check_target, refuse_secrets};
pub use types::Note;
