//! One attempt at a task of a stored job: read the plan, run the task, store what it made, commit.

use crate::execute::{Input, execute};
use crate::host::Host;
use crate::job::{Job, Watch};
use shadowdiff_common::fault;
use shadowdiff_common::state::{Incarnation, JobState, Maker, PlanDigest, Source, State, TaskInput, commit, open_exchange, store_output};
use shadowdiff_core::error::Result;
use shadowdiff_core::profile::{Rung, Work};
use shadowdiff_core::stage::Task;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

/// An attempt as it was assigned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Attempt {
    pub(crate) job: String,
    pub(crate) incarnation: Incarnation,
    /// The plan that the attempt must follow.
    pub(crate) plan: PlanDigest,
    pub(crate) task: Task,
    /// Unique among all attempts ever made; names what the attempt stores.
    pub(crate) name: String,
    pub(crate) halvings: u32,
}

/// The end of an attempt that is committed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Committed {
    /// False where another attempt of the task was first.
    pub(crate) won: bool,
    pub(crate) rows: u64,
}

/// Runs an attempt to its commit. Blocking.
pub(crate) fn run(host: &Host, state: &State, attempt: &Attempt, watch: Arc<Watch>) -> Result<Committed> {
    let job_state = state.job(&attempt.job, &attempt.incarnation);
    let job = host.job(&job_state, &attempt.plan)?.watched(Arc::clone(&watch));
    let runner = AttemptRunner {
        host,
        job: &job_state,
        attempt,
    };
    let won = !runner.committed()? && runner.work(&job)?;
    Ok(Committed {
        won,
        rows: watch.rows.load(Ordering::Relaxed),
    })
}

struct AttemptRunner<'a> {
    host: &'a Host,
    job: &'a JobState,
    attempt: &'a Attempt,
}

impl AttemptRunner<'_> {
    /// True if this attempt is the one that counts.
    fn work(&self, job: &Job) -> Result<bool> {
        let task = &self.attempt.task;
        let input = self.input(job)?;
        let output = execute(job, task, &input, self.attempt.halvings)?;
        fault::stage_point(task.stage, "before-store");
        let started = Instant::now();
        let mut record = store_output(self.maker(), task.stage, &output)?;
        let taker = Rung::after(task.stage, task.form);
        record.profile.add_time(taker, Work::Write, started.elapsed().as_micros() as u64);
        fault::stage_point(task.stage, "before-commit");
        let runtime = &self.host.sources.runtime;
        let won = runtime.block_on(commit(self.job, task.stage, task.number, &record))?;
        fault::stage_point(task.stage, "after-commit");
        Ok(won)
    }

    /// What the task reads in the table of its stage.
    fn input(&self, job: &Job) -> Result<Input> {
        let (task, runtime) = (&self.attempt.task, &self.host.sources.runtime);
        if task.input.count == 0 {
            return Ok(Input::default());
        }
        let input = runtime.block_on(TaskInput::read(self.job, task.stage, task.input))?;
        let blocks = input.sources.iter().flat_map(|source| &source.blocks);
        let bytes: u64 = blocks.map(|block| block.piece.length).sum();
        // What is more than a usual task reads is not kept: it is read in pieces.
        let at_once = bytes <= job.resources.memory.task_bytes as u64 / 2;
        let open = |source: &Source| {
            let object = open_exchange(self.job, &source.data, input.shards.len(), &source.blocks, at_once, runtime);
            (source.number, Arc::new(object))
        };
        Ok(Input {
            exchanged: Arc::new(input.sources.iter().map(open).collect()),
            shards: input.shards.into_iter().zip(0..).collect(),
        })
    }

    /// An attempt that comes after another's commit has nothing to do: its coordinator may not have heard of it.
    fn committed(&self) -> Result<bool> {
        let path = self.job.commit(self.attempt.task.stage, self.attempt.task.number);
        Ok(self.host.sources.runtime.block_on(self.job.read(&path))?.is_some())
    }

    fn maker(&self) -> Maker<'_> {
        Maker {
            job: self.job,
            plan: &self.attempt.plan,
            task: self.attempt.task.number,
            attempt: &self.attempt.name,
            worker: &self.host.name,
            block_bytes: self.host.limits.stored_block_bytes,
            runtime: &self.host.sources.runtime,
        }
    }
}
