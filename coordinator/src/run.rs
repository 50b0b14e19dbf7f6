//! Runs a job in this process: its stages on the threads of one worker, then merge and publish. What to do next is the machine's word.

use crate::pipeline::{Executor, Pipeline, Reader, StageOutcome, Tasks};
use crate::publish::{Published, Staging};
use crate::result::ResultWriter;
use crate::target::Target;
use shadowdiff_common::exchange::Size;
use shadowdiff_common::link::{Assignment, Exchanged, Report, TaskOutput, Workers};
use shadowdiff_common::spool::Scratch;
use shadowdiff_common::state::groups;
use shadowdiff_core::accounts::AccountSets;
use shadowdiff_core::error::{Error, Kind, Result};
use shadowdiff_core::plan::Plan;
use shadowdiff_core::report::Summary;
use shadowdiff_core::schedule::{Action, AttemptId, Event, JobNumber, Machine, NewTask, WorkerId};
use shadowdiff_core::stage::{Stage, Task};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, watch};

/// How far a stage is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Progress {
    pub stage: Stage,
    pub done: usize,
    pub all: usize,
}

/// A finished job.
#[derive(Debug)]
pub struct Outcome {
    pub summary: Summary,
    pub published: Published,
}

/// What a run needs besides the plan and the workers.
#[derive(Debug)]
pub struct Run<'a> {
    pub plan: &'a Plan,
    pub accounts: &'a AccountSets,
    pub document: serde_json::Value,
    pub target: Target,
    pub overwrite: bool,
    /// For what does not fit the memory.
    pub scratch: Scratch,
    pub planned_in: Duration,
    pub progress: watch::Sender<Progress>,
    /// True once somebody asked to stop.
    pub interrupted: watch::Receiver<bool>,
}

/// Runs the job to its published result.
pub async fn run(job: Run<'_>, workers: &dyn Workers) -> Result<Outcome> {
    let mut executor = LocalExecutor::new(workers, &job);
    let mut compared = Pipeline { plan: job.plan }.run(&mut executor).await?;
    compared.timings.plan_ms = job.planned_in.as_millis() as u64;
    if *job.interrupted.borrow() {
        return Err(Error::new(Kind::Interrupted, "interrupted"));
    }
    job.progress.send_replace(Progress {
        stage: Stage::Merge,
        done: 0,
        all: 1,
    });
    let result = ResultWriter {
        plan: job.plan,
        document: &job.document,
        accounts: &job.accounts.rules,
        compared: &compared,
        scratch: &job.scratch,
        threads: workers.slots(),
        tells_rows: true,
    };
    let staging = Staging::new(&job.target)?;
    let (summary, _) = result.write(&staging)?;
    let published = staging.publish(&job.target, job.overwrite).await?;
    Ok(Outcome { summary, published })
}

/// How long a job that has failed or was interrupted waits for tasks to notice: a read that hangs does not.
const GRACE: Duration = Duration::from_secs(1);

/// One process runs one job.
const ONLY_JOB: JobNumber = JobNumber(0);

/// Runs the tasks of this process: the loop around the machine.
struct LocalExecutor<'a> {
    machine: Machine,
    workers: &'a dyn Workers,
    /// What was exchanged for stages that have not run yet.
    exchanged: BTreeMap<Stage, Arc<Exchanged>>,
    scratch: Scratch,
    started: Instant,
    interrupted: watch::Receiver<bool>,
    progress: watch::Sender<Progress>,
}

impl Executor for LocalExecutor<'_> {
    type Stop = Error;

    async fn run_stage(&mut self, stage: Stage, tasks: Tasks, reader: Option<Reader>) -> Result<StageOutcome> {
        // What was scanned before counts for nothing.
        if stage == Stage::Rescan {
            self.exchanged.clear();
        }
        let mut outcome = StageOutcome::default();
        let mut exchanged = Exchanged::new();
        let mut bytes = vec![0; reader.map_or(0, |reader| reader.shards as usize)];
        for (number, output) in (0..).zip(self.run_tasks(stage, &tasks).await?) {
            outcome.tally.merge(&output.tally);
            outcome.profile.merge(&output.profile);
            outcome.sorted.extend(output.sorted);
            outcome.runs.extend(output.runs);
            outcome.sample = output.sample.or(outcome.sample);
            outcome.judged.merge(output.judged.unwrap_or_default());
            outcome.drawn.merge(&output.drawn.unwrap_or_default());
            let Some(object) = output.exchange else { continue };
            for (size, bytes) in object.sizes().into_iter().zip(&mut bytes) {
                outcome.add_exchanged(size.map(|size: Size| size.rows));
                *bytes += size.live.bytes + size.shadow.bytes;
            }
            exchanged.push((number, Arc::new(object)));
        }
        self.exchanged.remove(&stage);
        let exchanged = Arc::new(exchanged);
        for stage in reader.map_or(&[][..], |reader| reader.stages) {
            self.exchanged.insert(*stage, Arc::clone(&exchanged));
        }
        outcome.next = reader.map_or_else(Vec::new, |reader| groups(&bytes, reader.part_bytes));
        Ok(outcome)
    }

    fn scratch(&self) -> Result<Scratch> {
        Ok(self.scratch.clone())
    }
}

impl<'a> LocalExecutor<'a> {
    fn new(workers: &'a dyn Workers, job: &Run<'_>) -> Self {
        let mut machine = Machine::default();
        machine.step(
            0,
            Event::WorkerJoined {
                worker: WorkerId(0),
                name: String::new(),
                slots: workers.slots(),
                memory_bytes: 0,
                heartbeats: false,
            },
        );
        machine.step(
            0,
            Event::JobOpened {
                job: ONLY_JOB,
                priority: 1,
                max_running: None,
            },
        );
        LocalExecutor {
            machine,
            workers,
            exchanged: BTreeMap::new(),
            scratch: job.scratch.clone(),
            started: Instant::now(),
            interrupted: job.interrupted.clone(),
            progress: job.progress.clone(),
        }
    }

    fn lap(&self) -> u64 {
        self.started.elapsed().as_millis() as u64
    }

    /// Runs the tasks of a stage; what they leave behind comes in their order.
    async fn run_tasks(&mut self, stage: Stage, tasks: &[(u64, Task)]) -> Result<Vec<TaskOutput>> {
        // An attempt whose report has no room waits; no more of them run than there are slots.
        let (reports, mut inbox) = mpsc::channel::<Report>(self.workers.slots().max(1));
        let mut outputs: Vec<Option<TaskOutput>> = tasks.iter().map(|_| None).collect();
        let mut running: BTreeMap<AttemptId, usize> = BTreeMap::new();
        let mut event = Event::StageOpened {
            job: ONLY_JOB,
            tasks: tasks.iter().map(|(weight, _)| NewTask::new(*weight, 0)).collect(),
        };
        let mut failed: Option<(Error, Instant)> = None;
        loop {
            let mut stage_done = false;
            for action in self.machine.step(self.lap(), event) {
                match action {
                    Action::Start {
                        task, attempt, halvings, ..
                    } => {
                        running.insert(attempt, task.0 as usize);
                        let assignment = Assignment {
                            attempt,
                            task: tasks[task.0 as usize].1.clone(),
                            exchanged: self.exchanged.get(&stage).cloned().unwrap_or_default(),
                            halvings,
                        };
                        self.workers.start(assignment, reports.clone());
                    }
                    // Of other processes only.
                    Action::Stop { .. } | Action::Drop { .. } | Action::GiveUp { .. } | Action::SetAside { .. } => {}
                    Action::StageDone { .. } => stage_done = true,
                    Action::JobFailed { error, .. } => {
                        self.workers.stop();
                        failed = Some((error, Instant::now()));
                    }
                }
            }
            let progress = self.machine.progress(ONLY_JOB).unwrap_or_default();
            self.progress.send_replace(Progress {
                stage,
                done: progress.done,
                all: progress.all,
            });
            if stage_done {
                let output = |output: Option<TaskOutput>| output.ok_or_else(|| Error::internal("a task of a finished stage has no output"));
                return outputs.into_iter().map(output).collect();
            }
            if let Some((error, since)) = &failed
                && (running.is_empty() || since.elapsed() >= GRACE)
            {
                return Err(error.clone());
            }
            event = self.next_event(&mut inbox, &mut running, &mut outputs, failed.is_some()).await;
        }
    }

    async fn next_event(
        &mut self,
        inbox: &mut mpsc::Receiver<Report>,
        running: &mut BTreeMap<AttemptId, usize>,
        outputs: &mut [Option<TaskOutput>],
        failing: bool,
    ) -> Event {
        let wait = if failing {
            GRACE
        } else {
            self.machine
                .next_deadline()
                .map_or(Duration::from_secs(3600), |at| Duration::from_millis(at.saturating_sub(self.lap())))
        };
        tokio::select! {
            report = inbox.recv() => {
                let report = report.expect("this loop holds a sender");
                let task = running.remove(&report.attempt);
                match (report.outcome, task) {
                    (Ok(output), Some(task)) => {
                        outputs[task].get_or_insert(output);
                        Event::Done { attempt: report.attempt }
                    }
                    (Ok(_), None) => Event::Tick,
                    (Err(error), _) => {
                        tracing::warn!(attempt = report.attempt.0, "attempt failed: {error}");
                        Event::Failed { attempt: report.attempt, error }
                    }
                }
            }
            () = tokio::time::sleep(wait) => Event::Tick,
            Ok(()) = self.interrupted.changed(), if !failing => Event::Cancel { job: ONLY_JOB },
        }
    }
}
