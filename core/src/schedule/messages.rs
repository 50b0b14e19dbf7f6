//! What the scheduler is told and what it answers, and the names both use.

use crate::error::Error;

/// A job inside this machine; who drives it knows which one that is outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct JobNumber(pub u64);

/// A task of the job's current stage, by its place in `StageOpened`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TaskId(pub u32);

/// Unique in this machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AttemptId(pub u64);

/// One connection of a worker; one that comes back is another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WorkerId(pub u64);

/// What happened. What names something unknown or forgotten is ignored: messages may come late, and twice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A known worker that joins again has lost what it ran.
    WorkerJoined {
        worker: WorkerId,
        /// What is remembered of it when it comes back.
        name: String,
        slots: usize,
        /// Of the whole worker; its slots share it evenly.
        memory_bytes: u64,
        /// Without, it is never dropped, and what it says is believed: a worker of the same process.
        heartbeats: bool,
    },
    /// Whoever drives the machine could not listen for a while: every worker counts as heard of now, every attempt as moving.
    Resumed,
    /// Any message of the worker.
    WorkerSeen { worker: WorkerId },
    /// It starts nothing more; what runs goes on.
    WorkerDraining { worker: WorkerId },
    /// Its stream ended.
    WorkerLost { worker: WorkerId },
    /// `priority` is its weight among the jobs, at least 1; at most `max_running` attempts of it run at a time, at least one. A known job
    /// takes the new values.
    JobOpened {
        job: JobNumber,
        priority: u32,
        max_running: Option<usize>,
    },
    /// The tasks of the next stage; they replace the former stage.
    StageOpened { job: JobNumber, tasks: Vec<NewTask> },
    /// The worker says that the attempt is committed.
    Done { attempt: AttemptId },
    /// A task of the stage was said to be committed, and is not.
    NotFound { job: JobNumber, task: TaskId },
    /// Something has moved in the attempt since the worker last spoke of it.
    Moved { attempt: AttemptId },
    /// The kind of the error decides what comes next.
    Failed { attempt: AttemptId, error: Error },
    /// A draining worker gives it back: no blame, and it may start again at once. The worker drains from here on, if it did not say so.
    HandedBack { attempt: AttemptId },
    /// Somebody asked to stop the job.
    Cancel { job: JobNumber },
    /// Forget it, and stop what it runs.
    JobClosed { job: JobNumber },
    /// Only time passed.
    Tick,
}

/// A task as its stage opens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct NewTask {
    /// Heavier ones start first.
    pub weight: u64,
    /// What it needs in the share of one slot; 0: any will do.
    pub memory_bytes: u64,
    /// Failed attempts that it was blamed for already.
    pub attempts: u32,
    /// Workers that were lost under it already.
    pub lost: u32,
    /// How often its memory share is halved already.
    pub halvings: u32,
    /// Its commit is known.
    pub done: bool,
}

impl NewTask {
    /// A task that nothing happened to yet.
    pub fn new(weight: u64, memory_bytes: u64) -> Self {
        NewTask {
            weight,
            memory_bytes,
            ..NewTask::default()
        }
    }
}

/// What to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    Start {
        job: JobNumber,
        task: TaskId,
        attempt: AttemptId,
        worker: WorkerId,
        /// Which attempt of the task it is, from 0.
        number: u32,
        /// How often its memory share is halved.
        halvings: u32,
        /// It is the second of a task that takes long.
        speculative: bool,
    },
    /// The attempt is of no use any more. Its slot counts as free at once.
    Stop { attempt: AttemptId, worker: WorkerId },
    /// The worker was not heard of for `LOST_AFTER_MS` and is lost: close its stream.
    Drop { worker: WorkerId },
    /// Nothing has moved in the attempt for too long: it counts as failed, and is of no use any more. Its slot counts as free at once.
    GiveUp {
        attempt: AttemptId,
        worker: WorkerId,
        error: Error,
    },
    /// The worker takes no tasks for a time, unless nobody else does.
    SetAside { worker: WorkerId, for_ms: u64, why: Error },
    /// Every task of the job's stage is done.
    StageDone { job: JobNumber },
    /// Also after `Cancel`, then of the kind interrupted. It comes once a job; what runs of it is stopped before.
    JobFailed { job: JobNumber, error: Error },
}

/// How far a stage is. `done`, `running` and `waiting` add up to `all`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Progress {
    pub done: usize,
    /// Tasks with an attempt under way, or with two.
    pub running: usize,
    /// Tasks that wait for a slot or for their backoff.
    pub waiting: usize,
    pub all: usize,
    /// Attempts that were started because another had failed, was lost or handed back.
    pub retries: usize,
}
