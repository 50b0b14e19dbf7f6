//! Runs the stages of a stored job on workers: opens their tasks on the scheduler, waits until all are committed, keeps journal and view
//! meanwhile, and reads the commits.

use super::ends::cancelled;
use super::journal::Journal;
use super::planning::Planner;
use super::scheduler::{Figures, Notice, Notices, SchedulerHandle, StageTask};
use super::stop_reason::StopReason;
use super::tables::Committed;
use super::view::{FailedAttempt, JobPhase, JobView};
use crate::pipeline::{Executor, Reader, StageOutcome, Tasks};
use futures::FutureExt;
use shadowdiff_common::fault;
use shadowdiff_common::spool::Scratch;
use shadowdiff_common::state::{JobState, PlanDigest, StoredPlan, Submission, retrying};
use shadowdiff_common::store::Stores;
use shadowdiff_core::error::{Error, Result};
use shadowdiff_core::journal::JobEvent;
use shadowdiff_core::schedule::{JobNumber, NewTask};
use shadowdiff_core::stage::Stage;
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, interval_at};

/// How often a job looks whether another coordinator has taken it.
pub(super) const LOOK: Duration = Duration::from_secs(5);

/// What jobs need of their process.
#[derive(Debug, Clone)]
pub(crate) struct DriverContext {
    pub(crate) scheduler: SchedulerHandle,
    pub(crate) planner: Planner,
    pub(crate) stores: Arc<Stores>,
    pub(crate) scratch: PathBuf,
    pub(crate) runtime: Handle,
}

/// Somebody who wants the job to end, and to know once that is stored.
pub(crate) type CancelRequest = oneshot::Sender<Result<()>>;

/// A job under way.
pub(crate) struct RunningJob<'a> {
    pub(crate) context: &'a DriverContext,
    pub(crate) state: &'a JobState,
    pub(crate) submission: &'a Submission,
    pub(crate) stored_plan: Arc<StoredPlan>,
    pub(crate) plan: PlanDigest,
    pub(crate) journal: &'a mut Journal,
    pub(crate) view: &'a watch::Sender<JobView>,
    pub(crate) cancels: &'a mut mpsc::Receiver<CancelRequest>,
}

/// A job that is open on the scheduler.
pub(super) struct ClusterExecutor<'a> {
    pub(super) job: RunningJob<'a>,
    pub(super) number: JobNumber,
    pub(super) notices: Notices,
}

impl Executor for ClusterExecutor<'_> {
    type Stop = StopReason;

    async fn run_stage(&mut self, stage: Stage, tasks: Tasks, reader: Option<Reader>) -> Result<StageOutcome, StopReason> {
        let count = tasks.len() as u32;
        self.run_tasks(stage, tasks).await?;
        let committed = Committed {
            job: self.job.state,
            plan: &self.job.plan,
            stage,
            tasks: count,
            runtime: &self.job.context.runtime,
        };
        let outcome = committed.outcome(reader).await?;
        self.stage_done(stage).await?;
        fault::stage_point(stage, "stage-done");
        Ok(outcome)
    }

    fn scratch(&self) -> Result<Scratch> {
        Scratch::new(0, Some(&self.job.context.scratch))
    }
}

impl ClusterExecutor<'_> {
    /// Runs what is left of a stage: all its tasks are committed then.
    async fn run_tasks(&mut self, stage: Stage, tasks: Tasks) -> Result<(), StopReason> {
        let count = tasks.len() as u32;
        let committed: BTreeSet<u32> = retrying("commits", || self.job.state.committed(stage).boxed())
            .await?
            .into_iter()
            .collect();
        let memory_bytes = if stage.reads_inputs() {
            self.job.stored_plan.plan.estimate.reading_bytes
        } else {
            0
        };
        let new = tasks.iter().map(|(weight, task)| NewTask {
            done: committed.contains(&task.number),
            ..NewTask::new(*weight, memory_bytes)
        });
        let new = self.job.journal.history.new_tasks(stage, new);
        let tasks: Vec<StageTask> = new.into_iter().zip(tasks).map(|(new, (_, task))| StageTask { new, task }).collect();
        self.job.view.send_modify(|view| {
            view.phase = if stage <= Stage::Scan && committed.is_empty() {
                JobPhase::Queued
            } else {
                JobPhase::of(stage)
            };
            view.progress.tasks = tasks.len();
            view.progress.done = committed.len();
        });
        let mut answer = self.job.context.scheduler.run_stage(self.number, tasks).await;
        loop {
            self.attend(stage, answer).await?;
            let missing = self.missing(stage, count).await?;
            if missing.is_empty() {
                return Ok(());
            }
            tracing::warn!(job = self.job.state.id(), %stage, ?missing, "tasks were said to be committed, and are not; they run again");
            answer = self.job.context.scheduler.not_found(self.number, missing).await;
        }
    }

    /// The tasks of a stage without a commit; a worker's word that there is one is not enough.
    async fn missing(&self, stage: Stage, count: u32) -> Result<Vec<u32>> {
        let listed = retrying("commits", || self.job.state.committed(stage).boxed()).await?;
        let listed: BTreeSet<u32> = listed.into_iter().collect();
        let mut missing = Vec::new();
        for task in (0..count).filter(|task| !listed.contains(task)) {
            // A listing may lack what was just created.
            if !retrying("commit", || self.job.state.is_committed(stage, task).boxed()).await? {
                missing.push(task);
            }
        }
        Ok(missing)
    }

    /// Waits for the end of a stage, and keeps journal and view meanwhile.
    async fn attend(&mut self, stage: Stage, mut answer: oneshot::Receiver<Result<()>>) -> Result<(), StopReason> {
        let started = Instant::now();
        let mut look = interval_at(started + LOOK, LOOK);
        loop {
            tokio::select! {
                biased;
                Some(notice) = self.notices.failures.recv() => self.note(stage, notice).await?,
                Ok(()) = self.notices.figures.changed() => {
                    let figures = *self.notices.figures.borrow_and_update();
                    self.show(stage, started, figures);
                }
                Some(asked) = self.job.cancels.recv() => {
                    // The job ends here and now: a stage that is done meanwhile has no say in it.
                    store_cancel(self.job.journal, asked).await?;
                    return Err(cancelled().into());
                }
                _ = look.tick() => if self.job.journal.is_taken().await {
                    return Err(StopReason::Superseded);
                },
                outcome = &mut answer => {
                    return Ok(outcome.map_err(|_| StopReason::Stopped)??);
                }
            }
        }
    }

    async fn note(&mut self, stage: Stage, notice: Notice) -> Result<(), StopReason> {
        let (task, worker, error, event) = match notice {
            Notice::Failed {
                task,
                attempt,
                worker,
                error,
            } => {
                let event = JobEvent::AttemptFailed {
                    stage,
                    task,
                    attempt,
                    worker: worker.clone(),
                    error: error.clone(),
                };
                (task, worker, error, event)
            }
            Notice::Lost { task, worker } => {
                let event = JobEvent::WorkerLost {
                    stage,
                    task,
                    worker: worker.clone(),
                };
                (task, worker, Error::unavailable("its worker went away"), event)
            }
        };
        let task = format!("{stage} {task}");
        self.job
            .view
            .send_modify(|view| view.note_failure(FailedAttempt { task, worker, error }));
        self.job.journal.append(event).await
    }

    fn show(&self, stage: Stage, started: Instant, figures: Figures) {
        self.job.view.send_modify(|view| {
            if figures.running > 0 || figures.done > 0 {
                view.phase = JobPhase::of(stage);
            }
            let progress = &mut view.progress;
            (progress.tasks, progress.done, progress.running) = (figures.all, figures.done, figures.running);
            progress.rows = progress.rows.max(figures.rows);
            let elapsed = started.elapsed().as_millis() as u64;
            progress.left_ms = (figures.done > 0).then(|| elapsed * (figures.all - figures.done) as u64 / figures.done as u64);
        });
    }

    /// Says so once; a job that is taken up again has said it before.
    async fn stage_done(&mut self, stage: Stage) -> Result<(), StopReason> {
        if self.job.journal.history.stage > stage {
            return Ok(());
        }
        self.job.journal.append(JobEvent::StageDone { stage }).await
    }

    /// A cancel that nobody has attended to yet ends the job.
    pub(super) async fn look_for_cancel(&mut self) -> Result<(), StopReason> {
        let Ok(asked) = self.job.cancels.try_recv() else { return Ok(()) };
        store_cancel(self.job.journal, asked).await?;
        Err(cancelled().into())
    }
}

/// Writes down that somebody wants the job to end, and tells whoever asked.
pub(super) async fn store_cancel(journal: &mut Journal, asked: CancelRequest) -> Result<(), StopReason> {
    let stored = journal.append(JobEvent::CancelAsked).await;
    // Whoever asked may have gone.
    let _ = asked.send(stored.clone().map_err(StopReason::into_error));
    stored
}
