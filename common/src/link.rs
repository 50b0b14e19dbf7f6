//! The link between a coordinator and workers: assignments one way, outputs the other. In one process it is a call and a channel.

use crate::exchange::Object;
use crate::spool::Spool;
use shadowdiff_core::error::Result;
use shadowdiff_core::plan::{Form, Glance};
use shadowdiff_core::schedule::AttemptId;
use shadowdiff_core::tally::Tally;
use std::sync::Arc;
use tokio::sync::mpsc::Sender;

/// A unit of the plan.
#[derive(Debug, Clone)]
pub enum Task {
    /// The scan of this number in the plan, and what it exchanges.
    Scan(usize, Form),
    /// A look at the first rows.
    Glance,
    /// Shards of fingerprints, with the exchange objects of all scans.
    Sift { shards: Vec<u32>, objects: Arc<Vec<Arc<Object>>> },
    /// What is left of the scan of this number, with the objects of all sift tasks.
    Fetch { scan: usize, objects: Arc<Vec<Arc<Object>>> },
    /// Shards, with the exchange objects that hold their rows.
    Compare { shards: Vec<u32>, objects: Arc<Vec<Arc<Object>>> },
}

/// One attempt at a task.
#[derive(Debug, Clone)]
pub struct Assignment {
    pub attempt: AttemptId,
    pub task: Task,
    /// How often the memory share is halved.
    pub halvings: u32,
}

/// What a scan task leaves behind.
#[derive(Debug)]
pub struct ScanOutput {
    pub exchange: Object,
    /// Rows read, filtered, cancelled.
    pub tally: Tally,
    /// Fingerprints of the accounts that were seen, in sorted runs of 16 bytes each; empty unless the plan counts accounts.
    pub accounts: Vec<Spool>,
}

/// What a sift task leaves behind.
#[derive(Debug)]
pub struct SiftOutput {
    /// The numbers of the rows that are left, sharded by scan task.
    pub left: Object,
    /// Row pairs.
    pub cancelled: u64,
}

/// What a compare task leaves behind.
#[derive(Debug)]
pub struct CompareOutput {
    /// Each sorted; together they hold every line of the task's shards.
    pub runs: Vec<Spool>,
    pub tally: Tally,
}

#[derive(Debug)]
pub enum Output {
    Scan(ScanOutput),
    Glance(Glance),
    Sift(SiftOutput),
    /// Rows by the shards of their accounts.
    Fetch(Object),
    Compare(CompareOutput),
}

/// The end of one attempt.
#[derive(Debug)]
pub struct Report {
    pub attempt: AttemptId,
    pub outcome: Result<Output>,
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
