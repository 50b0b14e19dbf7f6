//! One stored job, from where its journal says it is to its result: scan, sift and fetch where fingerprints are exchanged, compare, merge,
//! publish.

use super::board::{Board, Figures, Notice, Notices, Opening, StageTask, Work};
use super::clock::now_ms;
use super::ends::cancelled;
use super::finish::{Found, Manifest, hand_on, store_result};
use super::halt::Halt;
use super::journal::Journal;
use super::planning::Planner;
use super::supervision::caught;
use super::view::{FailedAttempt, JobPhase, JobView};
use crate::result::{check_exchange, count_distinct};
use futures::{FutureExt, StreamExt, TryStreamExt};
use shadowdiff_common::fault;
use shadowdiff_common::spool::Spool;
use shadowdiff_common::state::{
    Blueprint, CompareCommit, ExchangeCommit, GlanceCommit, InputTable, JobState, PlanDigest, Record, Stage, Submission, open_spools,
    read_commit, retrying,
};
use shadowdiff_common::store::Stores;
use shadowdiff_core::error::{Error, Result};
use shadowdiff_core::journal::JobEvent;
use shadowdiff_core::plan::Form;
use shadowdiff_core::report::Timings;
use shadowdiff_core::schedule::{JobNumber, NewTask};
use shadowdiff_core::side::{Side, Sides};
use shadowdiff_core::tally::Tally;
use std::collections::BTreeSet;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, interval_at};

/// How often a job looks whether another coordinator has taken it.
pub(super) const LOOK: Duration = Duration::from_secs(5);
/// Commits that are read at a time.
const READS_IN_FLIGHT: usize = 16;

/// What jobs need of their process.
#[derive(Debug, Clone)]
pub(crate) struct Around {
    pub(crate) board: Board,
    pub(crate) planner: Planner,
    pub(crate) stores: Arc<Stores>,
    pub(crate) scratch: PathBuf,
    pub(crate) runtime: Handle,
}

/// Somebody who wants the job to end, and to know once that is stored.
pub(crate) type CancelRequest = oneshot::Sender<Result<()>>;

/// A job under way.
pub(crate) struct Driver<'a> {
    pub(crate) around: &'a Around,
    pub(crate) job: &'a JobState,
    pub(crate) submission: &'a Submission,
    pub(crate) blueprint: Arc<Blueprint>,
    pub(crate) plan: PlanDigest,
    pub(crate) journal: &'a mut Journal,
    pub(crate) view: &'a watch::Sender<JobView>,
    pub(crate) cancels: &'a mut mpsc::Receiver<CancelRequest>,
}

impl Driver<'_> {
    /// Runs the job to its result, or to why there is none.
    pub(crate) async fn run(mut self) -> Result<Manifest, Halt> {
        let opening = Opening {
            id: self.job.id().to_owned(),
            incarnation: self.job.incarnation().clone(),
            plan: self.plan.clone(),
            epoch: self.journal.history.epoch,
            priority: self.submission.priority,
            max_running: (self.submission.max_running > 0).then_some(self.submission.max_running as usize),
        };
        let (number, mut notices) = self.around.board.open_job(opening).await?;
        // What it runs ends with it, whatever its own end is.
        let outcome = caught("the driver of the job", self.stages(number, &mut notices)).await;
        self.around.board.close_job(number).await;
        outcome?
    }

    async fn stages(&mut self, number: JobNumber, notices: &mut Notices) -> Result<Manifest, Halt> {
        if self.journal.history.cancel_asked {
            return Err(cancelled().into());
        }
        let started = Instant::now();
        let mut timings = Timings::default();
        let plan = Arc::clone(&self.blueprint);
        let form = self.form(number, notices).await?;
        let scans = plan.plan.scans.iter().map(|task| (task.weight(), Work::Scan(form))).collect();
        let scans: Vec<ExchangeCommit> = self.stage(Stage::Scan, JobPhase::Scanning, number, notices, scans).await?;
        let mut tally = self.scanned(&scans).await?;
        self.stage_done(Stage::Scan).await?;
        fault::point("scan:stage-done");

        let rows = match form {
            Form::Rows => scans,
            Form::Fingerprints => self.rows_left(number, notices, scans, &mut tally).await?,
        };
        timings.scan_ms = started.elapsed().as_millis() as u64;
        let table = InputTable::new(&rows, plan.plan.shards, plan.part_bytes)?;
        drop(rows);
        let tasks = self.tasks_of(&table, Stage::Compare, Work::Compare).await?;
        let compares: Vec<CompareCommit> = self.stage(Stage::Compare, JobPhase::Comparing, number, notices, tasks).await?;
        timings.compare_ms = started.elapsed().as_millis() as u64 - timings.scan_ms;
        fault::point("compare:stage-done");
        let mut runs: Vec<Spool> = Vec::new();
        for commit in &compares {
            tally.merge(&commit.tally);
            runs.extend(open_spools(self.job, &commit.header, &commit.runs, &self.around.runtime));
        }
        tally.balance().map_err(Error::internal)?;
        self.stage_done(Stage::Compare).await?;
        self.look_for_cancel().await?;
        self.view.send_modify(|view| view.phase = JobPhase::Merging);
        let attempt = format!("{}-{}", self.journal.history.epoch, now_ms());
        let found = Found { tally, runs, timings };
        let manifest = match retrying("manifest", || Manifest::read(self.job).boxed()).await? {
            Some(manifest) => manifest,
            None => store_result(self.job, &self.blueprint, &self.plan, &attempt, &self.around.scratch, found).await?,
        };
        // From here on the result is kept, whatever becomes of the job.
        self.view.send_modify(|view| view.files = manifest.files.clone());
        if let Some(output) = &self.submission.output {
            if self.journal.is_taken().await {
                return Err(Halt::Superseded);
            }
            hand_on(self.job, &manifest, output, self.submission.overwrite, &self.around.stores).await?;
        }
        Ok(manifest)
    }

    /// In what form the job exchanges rows.
    async fn form(&mut self, number: JobNumber, notices: &mut Notices) -> Result<Form, Halt> {
        let blueprint = Arc::clone(&self.blueprint);
        if let Some(form) = blueprint.plan.known_form(blueprint.form, blueprint.decoded_bytes) {
            return Ok(form);
        }
        let task = vec![(1, Work::Glance)];
        let glances: Vec<GlanceCommit> = self.stage(Stage::Glance, JobPhase::Scanning, number, notices, task).await?;
        let glance = glances.first().map(|commit| commit.glance).unwrap_or_default();
        tracing::debug!(job = self.job.id(), ?glance, form = ?glance.form(), "looked at the first rows");
        Ok(glance.form())
    }

    /// Cancels fingerprints, and reads again the rows that are left.
    async fn rows_left(
        &mut self,
        number: JobNumber,
        notices: &mut Notices,
        scans: Vec<ExchangeCommit>,
        tally: &mut Tally,
    ) -> Result<Vec<ExchangeCommit>, Halt> {
        let blueprint = Arc::clone(&self.blueprint);
        let table = InputTable::new(&scans, blueprint.plan.shards, blueprint.part_bytes)?;
        drop(scans);
        let tasks = self.tasks_of(&table, Stage::Sift, Work::Sift).await?;
        let sifted: Vec<ExchangeCommit> = self.stage(Stage::Sift, JobPhase::Comparing, number, notices, tasks).await?;
        sifted.iter().for_each(|sift| tally.merge(&sift.tally));
        self.stage_done(Stage::Sift).await?;
        fault::point("sift:stage-done");
        // One task for each scan that has something left.
        let table = InputTable::new(&sifted, blueprint.plan.scans.len() as u32, 0)?;
        drop(sifted);
        let tasks = self.tasks_of(&table, Stage::Fetch, Work::Fetch).await?;
        let fetched: Vec<ExchangeCommit> = self.stage(Stage::Fetch, JobPhase::Comparing, number, notices, tasks).await?;
        check_exchange(tally, exchanged(&fetched))?;
        self.stage_done(Stage::Fetch).await?;
        fault::point("fetch:stage-done");
        Ok(fetched)
    }

    /// Stores what the tasks of a stage read, and gives the tasks.
    async fn tasks_of(&self, table: &InputTable, stage: Stage, work: impl Fn(Range<u64>) -> Work) -> Result<Vec<(u64, Work)>> {
        retrying("tasks", || table.store(self.job, stage).boxed()).await?;
        Ok(table.tasks().iter().map(|(range, weight)| (*weight, work(range.clone()))).collect())
    }

    /// Says so once; a job that is taken up again has said it before.
    async fn stage_done(&mut self, stage: Stage) -> Result<(), Halt> {
        if self.journal.history.stage > stage {
            return Ok(());
        }
        self.journal.append(JobEvent::StageDone { stage }).await
    }

    /// The books of the scan stage.
    async fn scanned(&self, scans: &[ExchangeCommit]) -> Result<Tally> {
        let mut tally = Tally::default();
        scans.iter().for_each(|scan| tally.merge(&scan.tally));
        check_exchange(&tally, exchanged(scans))?;
        let seen: Vec<Spool> = scans
            .iter()
            .flat_map(|scan| open_spools(self.job, &scan.header, &scan.accounts, &self.around.runtime))
            .collect();
        if !seen.is_empty() {
            let counted = tokio::task::spawn_blocking(move || count_distinct(&seen)).await;
            tally.accounts = counted.map_err(|e| Error::internal(format!("counting accounts panicked: {e}")))??;
        }
        Ok(tally)
    }

    /// Runs what is left of a stage and reads the commits of all its tasks.
    async fn stage<R: Record>(
        &mut self,
        stage: Stage,
        phase: JobPhase,
        number: JobNumber,
        notices: &mut Notices,
        tasks: Vec<(u64, Work)>,
    ) -> Result<Vec<R>, Halt> {
        let count = tasks.len() as u32;
        let committed: BTreeSet<u32> = retrying("commits", || self.job.committed(stage).boxed())
            .await?
            .into_iter()
            .collect();
        let reads_inputs = matches!(stage, Stage::Glance | Stage::Scan | Stage::Fetch);
        let memory_bytes = if reads_inputs { self.blueprint.reading_bytes } else { 0 };
        let (weights, works): (Vec<u64>, Vec<Work>) = tasks.into_iter().unzip();
        let new = weights.into_iter().enumerate().map(|(at, weight)| NewTask {
            done: committed.contains(&(at as u32)),
            ..NewTask::new(weight, memory_bytes)
        });
        let new = self.journal.history.new_tasks(stage, new);
        let tasks: Vec<StageTask> = new.into_iter().zip(works).map(|(new, work)| StageTask { new, work }).collect();
        self.view.send_modify(|view| {
            view.phase = if stage <= Stage::Scan && committed.is_empty() {
                JobPhase::Queued
            } else {
                phase
            };
            view.progress.tasks = tasks.len();
            view.progress.done = committed.len();
        });
        let mut answer = self.around.board.run_stage(number, tasks).await;
        loop {
            self.attend(stage, phase, notices, answer).await?;
            let found: Vec<Option<R>> = self.commits(stage, count).await?;
            let missing: Vec<u32> = (0..count).filter(|task| found[*task as usize].is_none()).collect();
            if missing.is_empty() {
                return Ok(found.into_iter().flatten().collect());
            }
            tracing::warn!(job = self.job.id(), %stage, ?missing, "tasks were said to be committed, and are not; they run again");
            answer = self.around.board.not_found(number, missing).await;
        }
    }

    /// The commits of a stage, by task; a worker's word that there is one is not enough.
    async fn commits<R: Record>(&self, stage: Stage, count: u32) -> Result<Vec<Option<R>>> {
        let read = |task: u32| {
            let (job, plan) = (self.job, &self.plan);
            async move { retrying("commit", || read_commit::<R>(job, plan, stage, task).boxed()).await }
        };
        futures::stream::iter((0..count).map(read))
            .buffered(READS_IN_FLIGHT)
            .try_collect()
            .await
    }

    /// Waits for the end of a stage, and keeps journal and view meanwhile.
    async fn attend(
        &mut self,
        stage: Stage,
        phase: JobPhase,
        notices: &mut Notices,
        mut answer: oneshot::Receiver<Result<()>>,
    ) -> Result<(), Halt> {
        let started = Instant::now();
        let mut look = interval_at(started + LOOK, LOOK);
        loop {
            tokio::select! {
                biased;
                Some(notice) = notices.failures.recv() => self.note(stage, notice).await?,
                Ok(()) = notices.figures.changed() => {
                    let figures = *notices.figures.borrow_and_update();
                    self.show(phase, started, figures);
                }
                Some(asked) = self.cancels.recv() => {
                    // The job ends here and now: a stage that is done meanwhile has no say in it.
                    store_cancel(self.journal, asked).await?;
                    return Err(cancelled().into());
                }
                _ = look.tick() => if self.journal.is_taken().await {
                    return Err(Halt::Superseded);
                },
                outcome = &mut answer => {
                    return Ok(outcome.map_err(|_| Halt::Stopped)??);
                }
            }
        }
    }

    async fn note(&mut self, stage: Stage, notice: Notice) -> Result<(), Halt> {
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
                    kind: error.kind,
                    message: error.message.clone(),
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
        self.view
            .send_modify(|view| view.note_failure(FailedAttempt { task, worker, error }));
        self.journal.append(event).await
    }

    fn show(&self, phase: JobPhase, started: Instant, figures: Figures) {
        self.view.send_modify(|view| {
            if figures.running > 0 || figures.done > 0 {
                view.phase = phase;
            }
            let progress = &mut view.progress;
            (progress.tasks, progress.done, progress.running) = (figures.all, figures.done, figures.running);
            progress.rows = progress.rows.max(figures.rows);
            let elapsed = started.elapsed().as_millis() as u64;
            progress.left_ms = (figures.done > 0).then(|| elapsed * (figures.all - figures.done) as u64 / figures.done as u64);
        });
    }

    async fn look_for_cancel(&mut self) -> Result<(), Halt> {
        let Ok(asked) = self.cancels.try_recv() else { return Ok(()) };
        store_cancel(self.journal, asked).await?;
        Err(cancelled().into())
    }
}

/// Writes down that somebody wants the job to end, and tells whoever asked.
pub(super) async fn store_cancel(journal: &mut Journal, asked: CancelRequest) -> Result<(), Halt> {
    let stored = journal.append(JobEvent::CancelAsked).await;
    // Whoever asked may have gone.
    let _ = asked.send(stored.clone().map_err(Halt::into_error));
    stored
}

/// Rows of each side in what was exchanged.
fn exchanged(commits: &[ExchangeCommit]) -> Sides<u64> {
    let of = |side: Side| {
        commits
            .iter()
            .flat_map(|commit| &commit.blocks)
            .filter(move |b| b.side == side as u8)
    };
    Sides::from_fn(|side| of(side).map(|b| b.rows).sum())
}
