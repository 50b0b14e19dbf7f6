//! The scheduler: one task that owns the scheduler's machine, the workers' streams and the clock, and does what the machine says.
//!
//! Jobs open stages on it and wait for their end; workers' messages come in; assignments go out. It touches no store: what is durable is
//! the jobs' own business, so the scheduler never waits. Who speaks to it waits while it has too much to do.

mod scheduler_loop;

use self::scheduler_loop::SchedulerLoop;
use super::stop_reason::StopReason;
use super::supervision::Supervisor;
use shadowdiff_common::state::{Incarnation, PlanDigest};
use shadowdiff_core::error::{Error, Result};
use shadowdiff_core::plan::Form;
use shadowdiff_core::schedule::{JobNumber, NewTask};
use shadowdiff_core::stage::Task;
use shadowdiff_proto::v1::{self, AttachResponse, attach_request};
use tokio::sync::{mpsc, oneshot, watch};

/// Messages that wait for one worker; a worker that takes none for so long is let go.
pub(crate) const WORKER_OUTBOX: usize = 4096;
/// What jobs and workers say that the scheduler has not come to; whoever says more waits.
const INBOX: usize = 1024;
/// Failures that wait for one job's journal. More are not journaled: a coordinator that takes the job up then tries those tasks once more.
const NOTICES: usize = 1024;

/// A task of a stage.
#[derive(Debug, Clone)]
pub(crate) struct StageTask {
    pub(crate) new: NewTask,
    pub(crate) task: Task,
}

impl StageTask {
    /// As it is sent to workers.
    fn to_message(&self) -> v1::Task {
        let Task {
            stage,
            number,
            form,
            input,
            columns,
        } = &self.task;
        v1::Task {
            stage: stage.name().into(),
            number: *number,
            fingerprints: *form == Form::Fingerprints,
            first_shard: input.first,
            shards: input.count,
            parts: input.parts,
            columns: columns.clone(),
        }
    }
}

/// What a job hears while a stage runs.
#[derive(Debug)]
pub(crate) struct Notices {
    pub(crate) failures: mpsc::Receiver<Notice>,
    /// Only the last of them matter.
    pub(crate) figures: watch::Receiver<Figures>,
}

/// A failure under a job.
#[derive(Debug)]
pub(crate) enum Notice {
    /// An attempt failed; it will be tried again unless the stage ends with this error.
    Failed {
        task: u32,
        attempt: String,
        worker: String,
        error: Error,
    },
    /// A worker went away with an attempt.
    Lost { task: u32, worker: String },
}

/// How far a stage is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Figures {
    pub(crate) done: usize,
    pub(crate) running: usize,
    pub(crate) all: usize,
    pub(crate) rows: u64,
}

/// A job as the scheduler needs it.
#[derive(Debug, Clone)]
pub(crate) struct Opening {
    pub(crate) id: String,
    pub(crate) incarnation: Incarnation,
    pub(crate) plan: PlanDigest,
    pub(crate) epoch: u64,
    pub(crate) priority: u32,
    pub(crate) max_running: Option<usize>,
}

/// The scheduler as the cluster's other parts see it.
#[derive(Debug, Clone)]
pub(crate) struct SchedulerHandle {
    commands: mpsc::Sender<Command>,
}

#[derive(Debug)]
enum Command {
    OpenJob {
        opening: Opening,
        failures: mpsc::Sender<Notice>,
        figures: watch::Sender<Figures>,
        reply: oneshot::Sender<JobNumber>,
    },
    RunStage {
        job: JobNumber,
        tasks: Vec<StageTask>,
        reply: oneshot::Sender<Result<()>>,
    },
    NotFound {
        job: JobNumber,
        tasks: Vec<u32>,
        reply: oneshot::Sender<Result<()>>,
    },
    CloseJob(JobNumber),
    Joined {
        name: String,
        slots: usize,
        memory_bytes: u64,
        outbox: mpsc::Sender<AttachResponse>,
        reply: oneshot::Sender<u64>,
    },
    Said {
        worker: u64,
        message: attach_request::Message,
    },
    Gone {
        worker: u64,
    },
    Count(oneshot::Sender<Counts>),
}

/// What an autoscaler and a person want to know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    pub workers: usize,
    /// Workers that take no tasks for a time, because theirs fail.
    pub aside: usize,
    pub slots: usize,
    /// Tasks that run or could run now, had they a slot.
    pub runnable: usize,
    pub running: usize,
}

impl SchedulerHandle {
    /// Starts the scheduler.
    pub(crate) fn start(supervisor: &Supervisor) -> SchedulerHandle {
        let (commands, inbox) = mpsc::channel(INBOX);
        supervisor.spawn("the scheduler", SchedulerLoop::new().serve(inbox));
        SchedulerHandle { commands }
    }

    pub(crate) async fn open_job(&self, opening: Opening) -> Result<(JobNumber, Notices), StopReason> {
        let (failures, heard) = mpsc::channel(NOTICES);
        let (figures, seen) = watch::channel(Figures::default());
        let open = |reply| Command::OpenJob {
            opening,
            failures,
            figures,
            reply,
        };
        let notices = Notices {
            failures: heard,
            figures: seen,
        };
        let job = self.ask(open).await.await;
        job.map(|job| (job, notices)).map_err(|_| StopReason::Stopped)
    }

    /// Runs the tasks of a stage; the answer comes when all are committed, or with the error that ends the job.
    pub(crate) async fn run_stage(&self, job: JobNumber, tasks: Vec<StageTask>) -> oneshot::Receiver<Result<()>> {
        self.ask(|reply| Command::RunStage { job, tasks, reply }).await
    }

    /// Tasks of the stage that were said to be committed, and are not, run again; the answer is as that of `run_stage`.
    pub(crate) async fn not_found(&self, job: JobNumber, tasks: Vec<u32>) -> oneshot::Receiver<Result<()>> {
        self.ask(|reply| Command::NotFound { job, tasks, reply }).await
    }

    pub(crate) async fn close_job(&self, job: JobNumber) {
        self.send(Command::CloseJob(job)).await;
    }

    pub(crate) async fn joined(
        &self,
        name: String,
        slots: usize,
        memory_bytes: u64,
        outbox: mpsc::Sender<AttachResponse>,
    ) -> Result<u64, StopReason> {
        let joined = |reply| Command::Joined {
            name,
            slots,
            memory_bytes,
            outbox,
            reply,
        };
        self.ask(joined).await.await.map_err(|_| StopReason::Stopped)
    }

    pub(crate) async fn said(&self, worker: u64, message: attach_request::Message) {
        self.send(Command::Said { worker, message }).await;
    }

    pub(crate) async fn gone(&self, worker: u64) {
        self.send(Command::Gone { worker }).await;
    }

    pub(crate) async fn counts(&self) -> Counts {
        self.ask(Command::Count).await.await.unwrap_or_default()
    }

    /// Says what will be answered.
    async fn ask<T>(&self, command: impl FnOnce(oneshot::Sender<T>) -> Command) -> oneshot::Receiver<T> {
        let (reply, answer) = oneshot::channel();
        self.send(command(reply)).await;
        answer
    }

    async fn send(&self, command: Command) {
        // Only a process that ends has no scheduler any more.
        let _ = self.commands.send(command).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use shadowdiff_core::stage::{ShardRange, Stage};
    use v1::{Assign, AttemptDone, Heartbeat, RunningAttempt, attach_response};

    async fn assigned(outbox: &mut mpsc::Receiver<AttachResponse>) -> Assign {
        match outbox.recv().await.and_then(|said| said.message) {
            Some(attach_response::Message::Assign(assign)) => assign,
            other => panic!("no assignment: {other:?}"),
        }
    }

    fn rows(assign: &Assign, rows: u64) -> RunningAttempt {
        RunningAttempt {
            attempt_id: assign.attempt_id.clone(),
            rows,
            steps: 1,
        }
    }

    /// Their sum must be a number, and what has ended is no part of it.
    #[tokio::test]
    async fn no_number_of_rows_that_a_worker_says_stops_the_scheduler() {
        let scheduler = SchedulerHandle::start(&Supervisor::default());
        let opening = Opening {
            id: "job".into(),
            incarnation: Incarnation::parse(&"a".repeat(32)).expect("32 digits"),
            plan: PlanDigest::named("plan"),
            epoch: 1,
            priority: 1,
            max_running: None,
        };
        let (job, mut notices) = scheduler.open_job(opening).await.expect("opens");
        let (sender, mut outbox) = mpsc::channel(8);
        let worker = scheduler.joined("w".into(), 2, 0, sender).await.expect("joins");
        let task = |number| StageTask {
            new: NewTask::new(1, 0),
            task: Task {
                stage: Stage::Scan,
                number,
                form: Form::Rows,
                input: ShardRange::default(),
                columns: Vec::new(),
            },
        };
        let answer = scheduler.run_stage(job, vec![task(0), task(1)]).await;
        let both = [assigned(&mut outbox).await, assigned(&mut outbox).await];
        for said in [7, u64::MAX, u64::MAX, 5] {
            let running = both.iter().map(|assign| rows(assign, said)).collect();
            let beat = attach_request::Message::Heartbeat(Heartbeat { running });
            scheduler.said(worker, beat).await;
        }
        for (assign, said) in both.iter().zip([3, u64::MAX]) {
            let done = AttemptDone {
                attempt_id: assign.attempt_id.clone(),
                rows: said,
                won: true,
            };
            scheduler.said(worker, attach_request::Message::Done(done)).await;
            if said == 3 {
                let is_ended = |figures: &Figures| figures.done == 1;
                let figures = *notices.figures.wait_for(is_ended).await.expect("figures");
                assert_eq!(figures.rows, 3 + 5, "of one that is done, and of one that runs");
            }
        }
        assert_eq!(answer.await.expect("an answer"), Ok(()));
        assert_eq!(scheduler.counts().await.running, 0);
    }
}
