//! The link between a coordinator and workers in one process: tasks one way, what they leave behind the other.

use crate::exchange::Object;
use crate::spool::Spool;
use shadowdiff_core::drawn::DrawnRows;
use shadowdiff_core::error::Result;
use shadowdiff_core::plan::Sample;
use shadowdiff_core::profile::Profile;
use shadowdiff_core::row::JudgedInPlace;
use shadowdiff_core::schedule::AttemptId;
use shadowdiff_core::stage::Task;
use shadowdiff_core::tally::Tally;
use std::sync::Arc;
use tokio::sync::mpsc::Sender;

/// What was exchanged by a stage: each object with the number of the task that made it.
pub type Exchanged = Vec<(u32, Arc<Object>)>;

/// One attempt at a task.
#[derive(Debug, Clone)]
pub struct Assignment {
    pub attempt: AttemptId,
    pub task: Task,
    /// What the stage before exchanged: the task reads its shards of it.
    pub exchanged: Arc<Exchanged>,
    /// How often the memory share is halved.
    pub halvings: u32,
}

/// What a task leaves behind. Each stage fills what is its own.
#[derive(Debug, Default)]
pub struct TaskOutput {
    /// Rows for the next stage, by its shards.
    pub exchange: Option<Object>,
    pub tally: Tally,
    /// Sorted runs: of a scan the fingerprints of the accounts that were seen, 16 bytes each, where the plan counts accounts, or these with
    /// their rows (`SeenAccount`), where it lists them; of a lookup the fingerprints of the keys that were found.
    pub sorted: Vec<Spool>,
    /// Differences, each run sorted; together they hold every difference of the task's shards.
    pub runs: Vec<Spool>,
    pub sample: Option<Sample>,
    /// Of a scan of columns with tolerances.
    pub judged: Option<JudgedInPlace>,
    /// Of a scan that exchanges fingerprints.
    pub drawn: Option<DrawnRows>,
    pub profile: Profile,
}

/// The end of one attempt.
#[derive(Debug)]
pub struct Report {
    pub attempt: AttemptId,
    pub outcome: Result<TaskOutput>,
}

/// A coordinator's view of its workers.
pub trait Workers: Send + Sync {
    /// How many attempts run at a time.
    fn slots(&self) -> usize;
    /// Starts an attempt; its end is sent to `reports` exactly once.
    fn start(&self, assignment: Assignment, reports: Sender<Report>);
    /// Asks all attempts to end soon.
    fn stop(&self);
}
