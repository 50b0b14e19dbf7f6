//! From one stage to the next: reads the commits of all its tasks, and writes down what the tasks of a later stage read.
//!
//! There may be a hundred thousand commits with a thousand blocks each: few commits and one part of the table are in memory at a time.

use crate::pipeline::{Reader, StageOutcome};
use futures::{FutureExt, Stream, StreamExt};
use shadowdiff_common::state::{Commit, InputTable, JobState, Part, PlanDigest, Stage, open_spools, read_commit, retrying};
use shadowdiff_core::error::{Error, Result};
use shadowdiff_core::profile::Profile;
use shadowdiff_core::row::JudgedInPlace;
use std::pin::pin;
use tokio::runtime::Handle;

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
    pub(super) runtime: &'a Handle,
}

impl<'a> Committed<'a> {
    /// What the tasks have left behind; what the tasks of `reader` read is written down.
    pub(super) async fn outcome(self, reader: Option<Reader>) -> Result<StageOutcome> {
        let mut outcome = StageOutcome::default();
        let mut inputs = reader.map(|reader| (reader, InputTable::new(reader.shards)));
        let mut commits = pin!(self.all().zip(futures::stream::iter(0..)));
        let mut is_known_to_hold = false;
        while let Some((commit, task)) = commits.next().await {
            let commit = commit?;
            outcome.tally.merge(&commit.tally);
            outcome.profile.merge(&commit.profile);
            outcome.add_exchanged(commit.exchanged());
            outcome.sample = commit.sample.or(outcome.sample);
            outcome.judged.merge(commit.judged.clone().unwrap_or_default());
            outcome.drawn.merge(&commit.drawn.clone().unwrap_or_default());
            let open = |spools| open_spools(self.job, &commit.header, spools, self.runtime);
            outcome.sorted.extend(open(&commit.fingerprints));
            outcome.runs.extend(open(&commit.runs));
            if let Some((reader, inputs)) = &mut inputs
                && let Some(part) = inputs.push(task, &commit)?
            {
                if !is_known_to_hold {
                    let (judged, profile) = self.judged().await?;
                    if !judged.holds() {
                        return Ok(StageOutcome {
                            judged,
                            profile,
                            ..outcome
                        });
                    }
                    is_known_to_hold = true;
                }
                self.store(&part, reader.stages).await?;
            }
        }
        // What would be written down is for the tasks that read what the next scan exchanges; a coordinator that is late must not replace it.
        if !outcome.judged.holds() {
            return Ok(outcome);
        }
        if let Some((reader, inputs)) = inputs {
            let (last, next) = inputs.finish(reader.part_bytes);
            if let Some(part) = last {
                self.store(&part, reader.stages).await?;
            }
            outcome.next = next;
        }
        Ok(outcome)
    }

    /// What all tasks have judged in place, which must be known before anything is written down; and what they took.
    async fn judged(self) -> Result<(JudgedInPlace, Profile)> {
        let (mut judged, mut profile) = (JudgedInPlace::default(), Profile::default());
        let mut commits = pin!(self.all());
        while let Some(commit) = commits.next().await {
            let commit = commit?;
            profile.merge(&commit.profile);
            judged.merge(commit.judged.unwrap_or_default());
        }
        Ok((judged, profile))
    }

    /// All commits, in the order of their tasks.
    fn all(self) -> impl Stream<Item = Result<Commit>> + Send + 'a {
        let reads = match self.stage.has_large_commits() {
            true => LARGE_READS_IN_FLIGHT,
            false => READS_IN_FLIGHT,
        };
        futures::stream::iter((0..self.tasks).map(move |task| self.one(task))).buffered(reads)
    }

    /// The commit of one task.
    async fn one(self, task: u32) -> Result<Commit> {
        let Committed { job, plan, stage, .. } = self;
        let found = retrying("commit", || read_commit(job, plan, stage, task).boxed()).await?;
        found.ok_or_else(|| Error::internal(format!("{stage} task {task} was said to be committed, but is not")))
    }

    async fn store(self, part: &Part, readers: &[Stage]) -> Result<()> {
        for stage in readers {
            retrying("tasks", || part.store(self.job, *stage).boxed()).await?;
        }
        Ok(())
    }
}
