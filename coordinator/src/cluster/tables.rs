//! From one stage to the next: reads the commits of all its tasks, and writes down what the tasks of a later stage read.
//!
//! There may be a hundred thousand commits with a thousand blocks each: few commits and one part of the table are in memory at a time.

use futures::{FutureExt, Stream, StreamExt};
use shadowdiff_common::state::{ExchangeCommit, InputTable, JobState, Part, Place, PlanDigest, Record, Stage, read_commit, retrying};
use shadowdiff_core::error::{Error, Result};
use std::pin::pin;

/// Commits that are read at a time.
const READS_IN_FLIGHT: usize = 16;
/// The same of tasks whose commits are large.
const LARGE_READS_IN_FLIGHT: usize = 4;

/// A stage whose tasks are all committed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Committed<'a> {
    pub(super) job: &'a JobState,
    pub(super) plan: &'a PlanDigest,
    pub(super) stage: Stage,
    pub(super) tasks: u32,
}

/// What the tasks of a later stage read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Table {
    pub(super) reader: Stage,
    /// Of what the commits name as shards.
    pub(super) shards: u32,
    /// Small shards are put together into one task up to this many bytes.
    pub(super) part_bytes: u64,
}

impl<'a> Committed<'a> {
    /// The commit of one task.
    pub(super) async fn one<R: Record>(self, task: u32) -> Result<R> {
        let Committed { job, plan, stage, .. } = self;
        let found = retrying("commit", || read_commit::<R>(job, plan, stage, task).boxed()).await?;
        found.ok_or_else(|| Error::internal(format!("{stage} task {task} was said to be committed, but is not")))
    }

    /// All commits, in the order of their tasks.
    pub(super) fn all<R: Record + 'a>(self) -> impl Stream<Item = Result<R>> + Send + 'a {
        let reads = match self.stage {
            // A sift task may have something left of every scan.
            Stage::Sift => LARGE_READS_IN_FLIGHT,
            Stage::Glance | Stage::Scan | Stage::Fetch | Stage::Compare | Stage::Merge => READS_IN_FLIGHT,
        };
        futures::stream::iter((0..self.tasks).map(move |task| self.one(task))).buffered(reads)
    }

    /// Writes down what the tasks of `table` read, and gives them with how much each reads. `each` sees every commit once, in order.
    pub(super) async fn table(self, table: Table, mut each: impl FnMut(&ExchangeCommit)) -> Result<Vec<(u64, Place)>> {
        let mut inputs = InputTable::new(table.shards);
        let mut commits = pin!(self.all::<ExchangeCommit>().zip(futures::stream::iter(0..)));
        while let Some((commit, task)) = commits.next().await {
            let commit = commit?;
            each(&commit);
            if let Some(part) = inputs.push(task, &commit)? {
                self.store(&part, table.reader).await?;
            }
        }
        let (last, tasks) = inputs.finish(table.part_bytes);
        if let Some(part) = last {
            self.store(&part, table.reader).await?;
        }
        Ok(tasks)
    }

    async fn store(self, part: &Part, reader: Stage) -> Result<()> {
        retrying("tasks", || part.store(self.job, reader).boxed()).await
    }
}
