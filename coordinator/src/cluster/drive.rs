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
use super::tables::{Committed, Table};
use super::view::{FailedAttempt, JobPhase, JobView};
use crate::distinct::count_distinct;
use crate::result::check_exchange;
use futures::{FutureExt, TryStreamExt};
use shadowdiff_common::fault;
use shadowdiff_common::spool::{Scratch, Spool};
use shadowdiff_common::state::{
    Blueprint, CompareCommit, ExchangeCommit, GlanceCommit, JobState, Place, PlanDigest, Stage, Submission, open_spools, retrying,
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
use std::path::PathBuf;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, interval_at};

/// How often a job looks whether another coordinator has taken it.
pub(super) const LOOK: Duration = Duration::from_secs(5);

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
        self.stage(Stage::Scan, JobPhase::Scanning, number, notices, scans).await?;
        let mut tally = Tally::default();
        let tasks = self.scanned(form, &mut tally).await?;
        self.stage_done(Stage::Scan).await?;
        fault::point("scan:stage-done");

        let tasks = match form {
            Form::Rows => tasks,
            Form::Fingerprints => self.rows_left(number, notices, tasks, &mut tally).await?,
        };
        timings.scan_ms = started.elapsed().as_millis() as u64;
        let (count, tasks) = (tasks.len() as u32, works(tasks, Work::Compare));
        self.stage(Stage::Compare, JobPhase::Comparing, number, notices, tasks).await?;
        timings.compare_ms = started.elapsed().as_millis() as u64 - timings.scan_ms;
        fault::point("compare:stage-done");
        let runs = self.compared(count, &mut tally).await?;
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
        self.stage(Stage::Glance, JobPhase::Scanning, number, notices, task).await?;
        let glance = self.committed(Stage::Glance, 1).one::<GlanceCommit>(0).await?.glance;
        tracing::debug!(job = self.job.id(), ?glance, form = ?glance.form(), "looked at the first rows");
        Ok(glance.form())
    }

    /// Cancels fingerprints, and reads again the rows that are left; the tasks that compare them.
    async fn rows_left(
        &mut self,
        number: JobNumber,
        notices: &mut Notices,
        tasks: Vec<(u64, Place)>,
        tally: &mut Tally,
    ) -> Result<Vec<(u64, Place)>, Halt> {
        let blueprint = Arc::clone(&self.blueprint);
        let (count, sifts) = (tasks.len() as u32, works(tasks, Work::Sift));
        self.stage(Stage::Sift, JobPhase::Comparing, number, notices, sifts).await?;
        // One task for each scan that has something left.
        let table = Table {
            reader: Stage::Fetch,
            shards: blueprint.plan.scans.len() as u32,
            part_bytes: 0,
        };
        let sifted = self.committed(Stage::Sift, count);
        let tasks = sifted.table(table, |sift| tally.merge(&sift.tally)).await?;
        self.stage_done(Stage::Sift).await?;
        fault::point("sift:stage-done");
        let (count, fetches) = (tasks.len() as u32, works(tasks, Work::Fetch));
        self.stage(Stage::Fetch, JobPhase::Comparing, number, notices, fetches).await?;
        let mut rows = Sides::default();
        let fetched = self.committed(Stage::Fetch, count);
        let tasks = fetched
            .table(self.by_shard(Stage::Compare), |fetch| add_rows(&mut rows, fetch))
            .await?;
        check_exchange(tally, rows)?;
        self.stage_done(Stage::Fetch).await?;
        fault::point("fetch:stage-done");
        Ok(tasks)
    }

    fn committed(&self, stage: Stage, tasks: u32) -> Committed<'_> {
        Committed {
            job: self.job,
            plan: &self.plan,
            stage,
            tasks,
        }
    }

    /// The table of a stage whose tasks read the shards of the job.
    fn by_shard(&self, reader: Stage) -> Table {
        Table {
            reader,
            shards: self.blueprint.plan.shards,
            part_bytes: self.blueprint.part_bytes,
        }
    }

    /// The runs of all compare tasks, their books added to `tally`.
    async fn compared(&self, tasks: u32, tally: &mut Tally) -> Result<Vec<Spool>> {
        let mut runs = Vec::new();
        let compares = self.committed(Stage::Compare, tasks);
        let mut commits = pin!(compares.all::<CompareCommit>());
        while let Some(commit) = commits.try_next().await? {
            tally.merge(&commit.tally);
            runs.extend(open_spools(self.job, &commit.header, &commit.runs, &self.around.runtime));
        }
        Ok(runs)
    }

    /// Says so once; a job that is taken up again has said it before.
    async fn stage_done(&mut self, stage: Stage) -> Result<(), Halt> {
        if self.journal.history.stage > stage {
            return Ok(());
        }
        self.journal.append(JobEvent::StageDone { stage }).await
    }

    /// The books of the scan stage, and the tasks that read what it exchanged.
    async fn scanned(&self, form: Form, tally: &mut Tally) -> Result<Vec<(u64, Place)>> {
        let reader = match form {
            Form::Rows => Stage::Compare,
            Form::Fingerprints => Stage::Sift,
        };
        let (mut rows, mut seen) = (Sides::default(), Vec::new());
        let scans = self.committed(Stage::Scan, self.blueprint.plan.scans.len() as u32);
        let note = |scan: &ExchangeCommit| {
            tally.merge(&scan.tally);
            add_rows(&mut rows, scan);
            seen.extend(open_spools(self.job, &scan.header, &scan.accounts, &self.around.runtime));
        };
        let tasks = scans.table(self.by_shard(reader), note).await?;
        check_exchange(tally, rows)?;
        if !seen.is_empty() {
            let scratch = self.around.scratch.clone();
            let count = move || count_distinct(&seen, &Scratch::new(0, Some(&scratch))?);
            let counted = tokio::task::spawn_blocking(count).await;
            tally.accounts = counted.map_err(|e| Error::internal(format!("counting accounts panicked: {e}")))??;
        }
        Ok(tasks)
    }

    /// Runs what is left of a stage: all its tasks are committed then.
    async fn stage(
        &mut self,
        stage: Stage,
        phase: JobPhase,
        number: JobNumber,
        notices: &mut Notices,
        tasks: Vec<(u64, Work)>,
    ) -> Result<(), Halt> {
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
            let missing = self.missing(stage, count).await?;
            if missing.is_empty() {
                return Ok(());
            }
            tracing::warn!(job = self.job.id(), %stage, ?missing, "tasks were said to be committed, and are not; they run again");
            answer = self.around.board.not_found(number, missing).await;
        }
    }

    /// The tasks of a stage without a commit; a worker's word that there is one is not enough.
    async fn missing(&self, stage: Stage, count: u32) -> Result<Vec<u32>> {
        let listed = retrying("commits", || self.job.committed(stage).boxed()).await?;
        let listed: BTreeSet<u32> = listed.into_iter().collect();
        let mut missing = Vec::new();
        for task in (0..count).filter(|task| !listed.contains(task)) {
            // A listing may lack what was just created.
            if !retrying("commit", || self.job.is_committed(stage, task).boxed()).await? {
                missing.push(task);
            }
        }
        Ok(missing)
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

fn works(tasks: Vec<(u64, Place)>, work: impl Fn(Place) -> Work) -> Vec<(u64, Work)> {
    tasks.into_iter().map(|(weight, place)| (weight, work(place))).collect()
}

/// Adds the rows of each side that a task exchanged.
fn add_rows(rows: &mut Sides<u64>, commit: &ExchangeCommit) {
    for side in Side::BOTH {
        let of_side = commit.blocks.iter().filter(|block| block.side == side as u8);
        rows[side] += of_side.map(|block| block.rows).sum::<u64>();
    }
}
