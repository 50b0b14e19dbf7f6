//! One attempt at a task of a stored job: read the plan, run the task, store what it made, commit.

use crate::compare::compare;
use crate::host::Host;
use crate::job::{Job, Watch};
use crate::scan::scan;
use shadowdiff_common::exchange::Object;
use shadowdiff_common::fault;
use shadowdiff_common::state::{self, CompareCommit, CompareInput, JobState, Maker, Record, ScanCommit, Stage, State};
use shadowdiff_core::error::{Error, Result};
use shadowdiff_core::plan::Form;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// What an attempt runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Work {
    Scan {
        task: u32,
    },
    /// `input`: where the task's document lies in the job's table.
    Compare {
        task: u32,
        input: Range<u64>,
    },
}

/// An attempt as it was assigned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    pub job: String,
    pub work: Work,
    /// Unique in the job; names what the attempt stores.
    pub name: String,
    pub halvings: u32,
}

/// The end of an attempt that is committed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Committed {
    /// False where another attempt of the task was first.
    pub won: bool,
    pub rows: u64,
}

/// Runs an attempt to its commit. Blocking.
pub fn run(host: &Host, state: &State, attempt: &Attempt, watch: Arc<Watch>) -> Result<Committed> {
    let job_state = state.job(&attempt.job);
    let job = host.job(&job_state)?.watched(Arc::clone(&watch));
    let won = match &attempt.work {
        Work::Scan { task } => Attempting::new(host, &job_state, attempt, Stage::Scan, *task).scan(&job)?,
        Work::Compare { task, input } => Attempting::new(host, &job_state, attempt, Stage::Compare, *task).compare(&job, input.clone())?,
    };
    Ok(Committed {
        won,
        rows: watch.rows.load(Ordering::Relaxed),
    })
}

struct Attempting<'a> {
    host: &'a Host,
    job: &'a JobState,
    attempt: &'a Attempt,
    stage: Stage,
    task: u32,
}

impl<'a> Attempting<'a> {
    fn new(host: &'a Host, job: &'a JobState, attempt: &'a Attempt, stage: Stage, task: u32) -> Self {
        Attempting {
            host,
            job,
            attempt,
            stage,
            task,
        }
    }

    fn scan(&self, job: &Job) -> Result<bool> {
        if self.committed()? {
            return Ok(false);
        }
        let plan = &job.plan;
        let task = plan.scans.get(self.task as usize).ok_or_else(|| self.unknown())?;
        let output = scan(job, task, Form::Rows, self.attempt.halvings)?;
        fault::point("scan:before-store");
        let record: ScanCommit = state::store_scan(self.maker(), &output)?;
        fault::point("scan:before-commit");
        let won = self.commit(&record)?;
        fault::point("scan:after-commit");
        Ok(won)
    }

    fn compare(&self, job: &Job, input: Range<u64>) -> Result<bool> {
        if self.committed()? {
            return Ok(false);
        }
        let runtime = &self.host.sources.runtime;
        let input = runtime.block_on(CompareInput::read(self.job, input))?;
        let open = |source: &state::Source| {
            Arc::new(state::open_scan(
                self.job,
                &source.data,
                input.shards.len(),
                &source.blocks,
                runtime,
            ))
        };
        let objects: Vec<Arc<Object>> = input.sources.iter().map(open).collect();
        let shards: Vec<u32> = (0..input.shards.len() as u32).collect();
        let output = compare(job, &shards, &objects, self.attempt.halvings)?;
        fault::point("compare:before-store");
        let record: CompareCommit = state::store_compare(self.maker(), &output)?;
        fault::point("compare:before-commit");
        let won = self.commit(&record)?;
        fault::point("compare:after-commit");
        Ok(won)
    }

    /// An attempt that comes after another's commit has nothing to do: its coordinator may not have heard of it.
    fn committed(&self) -> Result<bool> {
        let path = self.job.commit(self.stage, self.task);
        Ok(self.host.sources.runtime.block_on(self.job.read(&path))?.is_some())
    }

    fn commit<R: Record>(&self, record: &R) -> Result<bool> {
        self.host
            .sources
            .runtime
            .block_on(state::commit(self.job, self.stage, self.task, record))
    }

    fn maker(&self) -> Maker<'_> {
        Maker {
            job: self.job,
            task: self.task,
            attempt: &self.attempt.name,
            worker: &self.host.name,
            runtime: &self.host.sources.runtime,
        }
    }

    fn unknown(&self) -> Error {
        Error::internal(format!("job {} has no {} task {}", self.job.id(), self.stage, self.task))
    }
}
