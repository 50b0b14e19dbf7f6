//! One attempt at a task of a stored job: read the plan, run the task, store what it made, commit.

use crate::compare::compare;
use crate::fetch::fetch;
use crate::glance::glance;
use crate::host::Host;
use crate::job::{Job, Watch};
use crate::scan::scan;
use crate::sift::{Made, sift};
use shadowdiff_common::exchange::Object;
use shadowdiff_common::fault;
use shadowdiff_common::state::{
    self, CompareCommit, GlanceCommit, Incarnation, JobState, Maker, Place, PlanDigest, Record, Stage, State, TaskInput,
};
use shadowdiff_core::error::{Error, Result};
use shadowdiff_core::plan::Form;
use shadowdiff_core::tally::Tally;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// What an attempt runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Work {
    Glance,
    Scan {
        task: u32,
        form: Form,
    },
    /// `input`, here and below: what the task reads in the table of its stage.
    Sift {
        task: u32,
        input: Place,
    },
    Fetch {
        task: u32,
        input: Place,
    },
    Compare {
        task: u32,
        input: Place,
    },
}

impl Work {
    fn place(&self) -> (Stage, u32) {
        match self {
            Work::Glance => (Stage::Glance, 0),
            Work::Scan { task, .. } => (Stage::Scan, *task),
            Work::Sift { task, .. } => (Stage::Sift, *task),
            Work::Fetch { task, .. } => (Stage::Fetch, *task),
            Work::Compare { task, .. } => (Stage::Compare, *task),
        }
    }
}

/// An attempt as it was assigned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    pub job: String,
    pub incarnation: Incarnation,
    /// The plan that the attempt must follow.
    pub plan: PlanDigest,
    pub work: Work,
    /// Unique among all attempts ever made; names what the attempt stores.
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
    let job_state = state.job(&attempt.job, &attempt.incarnation);
    let job = host.job(&job_state, &attempt.plan)?.watched(Arc::clone(&watch));
    let attempting = Attempting::new(host, &job_state, attempt);
    let won = !attempting.committed()? && attempting.work(&job)?;
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
    fn new(host: &'a Host, job: &'a JobState, attempt: &'a Attempt) -> Self {
        let (stage, task) = attempt.work.place();
        Attempting {
            host,
            job,
            attempt,
            stage,
            task,
        }
    }

    /// True if this attempt is the one that counts.
    fn work(&self, job: &Job) -> Result<bool> {
        match &self.attempt.work {
            Work::Glance => self.glance(job),
            Work::Scan { form, .. } => self.scan(job, *form),
            Work::Sift { input, .. } => self.sift(job, *input),
            Work::Fetch { input, .. } => self.fetch(job, *input),
            Work::Compare { input, .. } => self.compare(job, *input),
        }
    }

    fn glance(&self, job: &Job) -> Result<bool> {
        let record = GlanceCommit {
            header: self.maker().header(self.stage, false),
            glance: glance(job)?,
        };
        self.commit(&record)
    }

    fn scan(&self, job: &Job, form: Form) -> Result<bool> {
        let plan = &job.plan;
        let task = plan.scans.get(self.task as usize).ok_or_else(|| self.unknown())?;
        let output = scan(job, task, form, self.attempt.halvings)?;
        fault::point("scan:before-store");
        let record = state::store_exchange(self.maker(), self.stage, &output.exchange, &output.accounts, output.tally)?;
        self.commit_between("scan:before-commit", &record, "scan:after-commit")
    }

    fn sift(&self, job: &Job, input: Place) -> Result<bool> {
        let (input, objects) = self.input(job, input)?;
        let shards: Vec<u32> = (0..input.shards.len() as u32).collect();
        let scans = job.plan.scans.len() as u32;
        let output = sift(job, &shards, &objects, scans, self.attempt.halvings)?;
        fault::point("sift:before-store");
        let tally = Tally {
            cancelled: output.cancelled,
            ..Tally::default()
        };
        let record = state::store_exchange(self.maker(), self.stage, &output.left, &[], tally)?;
        self.commit_between("sift:before-commit", &record, "sift:after-commit")
    }

    fn fetch(&self, job: &Job, input: Place) -> Result<bool> {
        let (input, objects) = self.input(job, input)?;
        let [scan] = input.shards[..] else {
            return Err(Error::internal("a fetch task is of one scan"));
        };
        let task = job.plan.scans.get(scan as usize).ok_or_else(|| self.unknown())?;
        let objects: Vec<Arc<Object>> = objects.into_iter().map(|(_, object)| object).collect();
        let rows = fetch(job, task, 0, &objects, self.attempt.halvings)?;
        fault::point("fetch:before-store");
        let record = state::store_exchange(self.maker(), self.stage, &rows, &[], Tally::default())?;
        self.commit_between("fetch:before-commit", &record, "fetch:after-commit")
    }

    /// What the task reads, and the objects with it, each with the number of the task that made it.
    fn input(&self, job: &Job, place: Place) -> Result<(TaskInput, Vec<Made>)> {
        let runtime = &self.host.sources.runtime;
        let input = runtime.block_on(TaskInput::read(self.job, self.stage, place))?;
        let shards = input.shards.len();
        let bytes: u64 = input
            .sources
            .iter()
            .flat_map(|source| &source.blocks)
            .map(|block| block.piece.length)
            .sum();
        // What is more than a usual task reads is not kept: it is read in pieces.
        let at_once = bytes <= job.memory.task_bytes as u64 / 2;
        let open = |source: &state::Source| {
            let object = state::open_exchange(self.job, &source.data, shards, &source.blocks, at_once, runtime);
            (source.number, Arc::new(object))
        };
        let objects = input.sources.iter().map(open).collect();
        Ok((input, objects))
    }

    fn compare(&self, job: &Job, input: Place) -> Result<bool> {
        let (input, objects) = self.input(job, input)?;
        let objects: Vec<Arc<Object>> = objects.into_iter().map(|(_, object)| object).collect();
        let shards: Vec<u32> = (0..input.shards.len() as u32).collect();
        let output = compare(job, &shards, &objects, self.attempt.halvings)?;
        fault::point("compare:before-store");
        let record: CompareCommit = state::store_compare(self.maker(), &output)?;
        self.commit_between("compare:before-commit", &record, "compare:after-commit")
    }

    /// An attempt that comes after another's commit has nothing to do: its coordinator may not have heard of it.
    fn committed(&self) -> Result<bool> {
        let path = self.job.commit(self.stage, self.task);
        Ok(self.host.sources.runtime.block_on(self.job.read(&path))?.is_some())
    }

    fn commit_between<R: Record>(&self, before: &'static str, record: &R, after: &'static str) -> Result<bool> {
        fault::point(before);
        let won = self.commit(record)?;
        fault::point(after);
        Ok(won)
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
            plan: &self.attempt.plan,
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
