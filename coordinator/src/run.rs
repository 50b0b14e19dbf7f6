//! Drives a planned job through its stages: scan, sift and fetch where fingerprints are exchanged, compare, merge, publish. What to do next
//! is the machine's word; this loop only does it.

use crate::distinct::count_distinct;
use crate::publish::{Published, Staging};
use crate::result::{check_exchange, write_summary, write_tables};
use crate::target::Target;
use shadowdiff_common::exchange::{Object, Size};
use shadowdiff_common::link::{Assignment, Output, Report, Task, Workers};
use shadowdiff_common::spool::{Scratch, Spool};
use shadowdiff_common::state::groups;
use shadowdiff_core::error::{Error, Kind, Result};
use shadowdiff_core::plan::{Form, Plan};
use shadowdiff_core::report::{Summary, Timings};
use shadowdiff_core::schedule::{Action, AttemptId, Event, JobNumber, Machine, NewTask, WorkerId};
use shadowdiff_core::side::Sides;
use shadowdiff_core::tally::Tally;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, watch};

/// Where a job is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    Scan,
    /// Fingerprints cancel, where those are exchanged.
    Sift,
    /// Rows without a partner are read again.
    Fetch,
    Compare,
    Merge,
    Done,
}

/// How far a phase is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    pub phase: Phase,
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
    pub document: serde_json::Value,
    pub target: Target,
    pub overwrite: bool,
    /// In what form rows are exchanged; `None`: as a look at the data suggests.
    pub form: Option<Form>,
    /// About how many bytes the rows of both sides are.
    pub decoded_bytes: u64,
    /// Rows of this many bytes are compared at a time: small shards are put together up to it.
    pub part_bytes: u64,
    /// For what does not fit the memory.
    pub scratch: Scratch,
    pub planned_in: Duration,
    pub progress: watch::Sender<Progress>,
    /// True once somebody asked to stop.
    pub interrupted: watch::Receiver<bool>,
}

/// Runs the job to its published result.
pub async fn run(job: Run<'_>, workers: &dyn Workers) -> Result<Outcome> {
    let mut timings = Timings {
        plan_ms: job.planned_in.as_millis() as u64,
        ..Timings::default()
    };
    let mut stages = Stages::new(workers, &job);
    let mut tally = Tally::default();
    let form = form(&mut stages, &job).await?;
    let mut objects = scan(&mut stages, &job, form, &mut tally).await?;
    if form == Form::Fingerprints {
        let left = sift(&mut stages, &job, objects, &mut tally).await?;
        objects = fetch(&mut stages, job.plan, left, &tally).await?;
    }
    timings.scan_ms = stages.lap();
    let runs = compare(&mut stages, &job, objects, &mut tally).await?;
    timings.compare_ms = stages.lap() - timings.scan_ms;
    tally.balance().map_err(Error::internal)?;
    if *job.interrupted.borrow() {
        return Err(Error::new(Kind::Interrupted, "interrupted"));
    }
    job.progress.send_replace(Progress {
        phase: Phase::Merge,
        done: 0,
        all: 1,
    });
    let before_merge = stages.lap();
    let staging = Staging::new(&job.target)?;
    let merged = write_tables(job.plan, &tally, &runs, &staging)?;
    timings.merge_ms = stages.lap() - before_merge;
    timings.total_ms = stages.lap() + timings.plan_ms;
    let (summary, _) = write_summary(job.plan, job.document, &tally, &merged, timings, &staging)?;
    let published = staging.publish(&job.target, job.overwrite).await?;
    job.progress.send_replace(Progress {
        phase: Phase::Done,
        done: 1,
        all: 1,
    });
    Ok(Outcome { summary, published })
}

/// In what form rows are exchanged.
async fn form(stages: &mut Stages<'_>, job: &Run<'_>) -> Result<Form> {
    if let Some(form) = job.plan.known_form(job.form, job.decoded_bytes) {
        return Ok(form);
    }
    match stages.run(Phase::Scan, vec![(Task::Glance, 1)]).await?.pop() {
        Some(Output::Glance(glance)) => {
            tracing::debug!(?glance, form = ?glance.form(), "looked at the first rows");
            Ok(glance.form())
        }
        Some(_) | None => Err(unexpected("glance")),
    }
}

fn unexpected(stage: &str) -> Error {
    Error::internal(format!("a {stage} task gave something else"))
}

/// The sift stage: the numbers of the rows that are left, by scan task.
async fn sift(stages: &mut Stages<'_>, job: &Run<'_>, objects: Vec<Arc<Object>>, tally: &mut Tally) -> Result<Vec<Arc<Object>>> {
    let grouped = by_shard(objects, job.plan.shards, job.part_bytes);
    let tasks = grouped
        .map(|(shards, objects, weight)| (Task::Sift { shards, objects }, weight))
        .collect();
    let mut left = Vec::new();
    for output in stages.run(Phase::Sift, tasks).await? {
        let Output::Sift(sifted) = output else {
            return Err(unexpected("sift"));
        };
        tally.cancelled += sifted.cancelled;
        left.push(Arc::new(sifted.left));
    }
    Ok(left)
}

/// The fetch stage: the rows that are left, its books checked.
async fn fetch(stages: &mut Stages<'_>, plan: &Plan, left: Vec<Arc<Object>>, tally: &Tally) -> Result<Vec<Arc<Object>>> {
    let has_rows = |scan: &usize| {
        left.iter()
            .any(|object| object.size(*scan as u32).each().into_iter().any(|(_, size)| size.rows > 0))
    };
    let scans: Vec<usize> = (0..plan.scans.len()).filter(has_rows).collect();
    let objects = Arc::new(left);
    let task = |scan: usize| {
        let objects = Arc::clone(&objects);
        (Task::Fetch { scan, objects }, plan.scans[scan].weight())
    };
    let mut fetched = Vec::new();
    for output in stages.run(Phase::Fetch, scans.into_iter().map(task).collect()).await? {
        let Output::Fetch(rows) = output else {
            return Err(unexpected("fetch"));
        };
        fetched.push(Arc::new(rows));
    }
    check_exchange(tally, exchanged(&fetched))?;
    Ok(fetched)
}

fn exchanged(objects: &[Arc<Object>]) -> Sides<u64> {
    Sides::from_fn(|side| {
        objects
            .iter()
            .flat_map(|o| o.sizes())
            .map(|sizes: Sides<Size>| sizes[side].rows)
            .sum()
    })
}

/// The scan stage: what it exchanged, its books checked.
async fn scan(stages: &mut Stages<'_>, job: &Run<'_>, form: Form, tally: &mut Tally) -> Result<Vec<Arc<Object>>> {
    let plan = job.plan;
    let tasks = (0..plan.scans.len())
        .map(|i| (Task::Scan(i, form), plan.scans[i].weight()))
        .collect();
    let (mut objects, mut seen) = (Vec::new(), Vec::new());
    for output in stages.run(Phase::Scan, tasks).await? {
        let Output::Scan(scan) = output else {
            return Err(unexpected("scan"));
        };
        tally.merge(&scan.tally);
        objects.push(Arc::new(scan.exchange));
        seen.extend(scan.accounts);
    }
    check_exchange(tally, exchanged(&objects))?;
    tally.accounts = count_distinct(&seen, &job.scratch)?;
    Ok(objects)
}

/// The compare stage: its sorted runs.
async fn compare(stages: &mut Stages<'_>, job: &Run<'_>, objects: Vec<Arc<Object>>, tally: &mut Tally) -> Result<Vec<Spool>> {
    let mut runs = Vec::new();
    let grouped = by_shard(objects, job.plan.shards, job.part_bytes);
    let tasks = grouped
        .map(|(shards, objects, weight)| (Task::Compare { shards, objects }, weight))
        .collect();
    for output in stages.run(Phase::Compare, tasks).await? {
        let Output::Compare(compare) = output else {
            return Err(unexpected("compare"));
        };
        tally.merge(&compare.tally);
        runs.extend(compare.runs);
    }
    Ok(runs)
}

/// Small shards are put together until they are worth a task; a large one is a task of its own.
fn by_shard(objects: Vec<Arc<Object>>, shards: u32, part_bytes: u64) -> impl Iterator<Item = (Vec<u32>, Arc<Vec<Arc<Object>>>, u64)> {
    let mut bytes = vec![0u64; shards as usize];
    for object in &objects {
        for (shard, sizes) in object.sizes().iter().enumerate() {
            bytes[shard] += sizes.live.bytes + sizes.shadow.bytes;
        }
    }
    let objects = Arc::new(objects);
    groups(&bytes, part_bytes).into_iter().map(move |(group, weight)| {
        let shards = group.filter(|shard| bytes[*shard as usize] > 0).collect();
        (shards, Arc::clone(&objects), weight)
    })
}

/// How long a job that has failed or was interrupted waits for tasks to notice: a read that hangs does not.
const GRACE: Duration = Duration::from_secs(1);

/// One process runs one job.
const ONLY_JOB: JobNumber = JobNumber(0);

/// The loop around the machine.
struct Stages<'a> {
    machine: Machine,
    workers: &'a dyn Workers,
    started: Instant,
    interrupted: watch::Receiver<bool>,
    progress: watch::Sender<Progress>,
}

impl<'a> Stages<'a> {
    fn new(workers: &'a dyn Workers, job: &'a Run<'_>) -> Self {
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
        Stages {
            machine,
            workers,
            started: Instant::now(),
            interrupted: job.interrupted.clone(),
            progress: job.progress.clone(),
        }
    }

    fn lap(&self) -> u64 {
        self.started.elapsed().as_millis() as u64
    }

    /// Runs one stage; its outputs come in the order of the tasks.
    async fn run(&mut self, phase: Phase, tasks: Vec<(Task, u64)>) -> Result<Vec<Output>> {
        // An attempt whose report has no room waits; no more of them run than there are slots.
        let (reports, mut inbox) = mpsc::channel::<Report>(self.workers.slots().max(1));
        let mut outputs: Vec<Option<Output>> = tasks.iter().map(|_| None).collect();
        let mut running: BTreeMap<AttemptId, usize> = BTreeMap::new();
        let mut event = Event::StageOpened {
            job: ONLY_JOB,
            tasks: tasks.iter().map(|(_, weight)| NewTask::new(*weight, 0)).collect(),
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
                            task: tasks[task.0 as usize].0.clone(),
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
                phase,
                done: progress.done,
                all: progress.all,
            });
            if stage_done {
                return Ok(outputs
                    .into_iter()
                    .map(|o| o.expect("every task of a finished stage has an output"))
                    .collect());
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
        outputs: &mut [Option<Output>],
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
