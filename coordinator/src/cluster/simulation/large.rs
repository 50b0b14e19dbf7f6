//! What a coordinator takes for a hundred thousand tasks on five hundred workers, which beat, report, and sometimes die: a benchmark.
//!
//! ```text
//! thread of the coordinator   its own code, all of it, on a state store in a directory   what is measured
//! thread of the workers       2 000 slots; a task takes a second, and leaves a commit with its blocks
//! ```
//! Time is real. The processor time is that of the coordinator's thread: reading and writing the directory has threads of its own. Memory is
//! the most that the process had, simulated workers included.
//!
//! `SHADOWDIFF_JOBS=100 cargo test --release -p shadowdiff-coordinator --lib -- --ignored --nocapture a_hundred_thousand_tasks`

use super::super::scheduler::SchedulerHandle;
use super::super::{Cluster, JobPhase, JobView, Options};
use super::bind_once;
use super::flaky_store::Chance;
use super::worker::Task;
use object_store::local::LocalFileSystem;
use shadowdiff_common::read::Sources;
use shadowdiff_common::state::{Incarnation, PlanDigest, Stage, State, StoredPlan, Submission};
use shadowdiff_common::store::Stores;
use shadowdiff_core::error::Result;
use shadowdiff_core::plan::Form;
use shadowdiff_core::side::Sides;
use shadowdiff_core::tally::Tally;
use shadowdiff_proto::v1::{Assign, AttemptDone, Heartbeat, RunningAttempt, attach_request, attach_response};
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{interval, sleep};

const WORKERS: u64 = 500;
const SLOTS: usize = 4;
/// Of all jobs together.
const TASKS: usize = 100_000;
/// Compare tasks of all jobs together; all others are scans.
const COMPARES: usize = 1_000;
/// Shards to which a scan has rows.
const SHARDS_OF_A_SCAN: u32 = 16;
/// Of either side, for each shard of a scan.
const ROWS: u64 = 1;

#[test]
#[ignore = "a benchmark"]
fn a_hundred_thousand_tasks_on_five_hundred_workers() {
    let jobs = std::env::var("SHADOWDIFF_JOBS").map_or(1, |text| text.parse().expect("a number"));
    let folder = tempfile::tempdir().expect("a folder");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let measured = runtime.expect("a runtime").block_on(run(folder.path(), jobs));
    let Measured {
        elapsed,
        processor,
        before,
    } = measured;
    println!(
        "{jobs} jobs, {TASKS} tasks, {WORKERS} workers of {SLOTS} slots: {:.0} s, of which the coordinator's thread worked {:.1} s, {:.0} us a task; at most {} MB of memory, {} MB of which before",
        elapsed.as_secs_f64(),
        processor.as_secs_f64(),
        processor.as_secs_f64() * 1e6 / TASKS as f64,
        memory_mb("VmHWM"),
        before
    );
}

struct Measured {
    elapsed: Duration,
    processor: Duration,
    /// Memory of the process before there was a job, in MB.
    before: u64,
}

async fn run(folder: &Path, jobs: usize) -> Measured {
    let cluster = coordinator(folder);
    let scheduler = cluster.scheduler.clone();
    let (store, cut) = (folder.to_owned(), Cut::of(jobs));
    let (stop, stopped) = oneshot::channel();
    let workers = std::thread::Builder::new().name("workers".into());
    let workers = workers.spawn(move || work(&store, cut, &scheduler, stopped)).expect("a thread");
    let before = memory_mb("VmHWM");
    let mut all = Vec::new();
    let bound = std::thread::spawn(|| bind_once(1)).join().expect("binds");
    for number in 0..jobs {
        all.push(stored(&cluster, &bound, number, cut).await);
    }
    let (began, worked) = (Instant::now(), processor_time());
    for (id, submission) in &all {
        let (view, submission) = (JobView::new(id, submission), Arc::new(submission.clone()));
        cluster.drive(cluster.state.job(id, &submission.incarnation), submission, view, None);
    }
    let heartbeat = tokio::spawn(Arc::clone(&cluster).run_heartbeat());
    for (id, _) in &all {
        while !has_ended(&cluster, id).await {
            sleep(Duration::from_millis(50)).await;
        }
    }
    heartbeat.abort();
    let measured = Measured {
        elapsed: began.elapsed(),
        processor: processor_time().saturating_sub(worked),
        before,
    };
    // What they still write must not come after the folder has gone.
    drop(stop);
    workers.join().expect("no panic");
    measured
}

fn state(folder: &Path) -> State {
    let store = LocalFileSystem::new_with_prefix(folder).expect("a folder");
    State::new(Arc::new(store), "state".into(), "a folder")
}

fn coordinator(folder: &Path) -> Arc<Cluster> {
    let sources = Sources::new(Arc::new(Stores::new()), tokio::runtime::Handle::current());
    let options = Options {
        owner: "coordinator".into(),
        keep: Duration::from_secs(3600),
        max_jobs: 10_000,
        scratch: folder.join("scratch"),
        shards: None,
        form: None,
        part_bytes: 1,
        listener: None,
    };
    Cluster::start(state(folder), sources, options)
}

/// A job with its share of the tasks, submitted and planned.
async fn stored(cluster: &Cluster, bound: &StoredPlan, number: usize, cut: Cut) -> (String, Submission) {
    let id = format!("job-{number}");
    let submission = Submission::new(Incarnation::parse(&format!("{number:032x}")).expect("32 digits"));
    cluster.state.submit(&id, &submission).await.expect("submits");
    let mut stored_plan = StoredPlan {
        incarnation: submission.incarnation.clone(),
        ..bound.clone()
    };
    let plan = &mut stored_plan.plan;
    plan.scans = vec![plan.scans[0].clone(); cut.scans as usize];
    plan.shards = cut.shards;
    plan.form = Some(Form::Rows);
    plan.estimate.rows = Sides::new(Some(1), Some(0));
    let job = cluster.state.job(&id, &submission.incarnation);
    stored_plan.store(&job).await.expect("stores");
    (id, submission)
}

async fn has_ended(cluster: &Cluster, id: &str) -> bool {
    let view = cluster.get(id).await.expect("a job");
    if view.phase.has_ended() {
        assert_eq!(view.phase, JobPhase::Succeeded, "{id}: {:?}", view.error);
    }
    view.phase.has_ended()
}

/// All workers, until they are stopped.
fn work(folder: &Path, cut: Cut, scheduler: &SchedulerHandle, stopped: oneshot::Receiver<()>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let state = state(folder);
    runtime.block_on(async {
        let mut chance = Chance::new(1);
        for number in 0..WORKERS {
            let worker = Worker {
                state: state.clone(),
                cut,
                scheduler: scheduler.clone(),
                name: format!("w{number}"),
                chance: chance.fork(),
            };
            tokio::spawn(worker.live());
        }
        let _ = stopped.await;
    });
}

struct Worker {
    state: State,
    cut: Cut,
    scheduler: SchedulerHandle,
    name: String,
    chance: Chance,
}

impl Worker {
    /// Attaches, dies with all that it does, and comes back.
    async fn live(mut self) {
        loop {
            let (outbox, inbox) = mpsc::channel(64);
            let Ok(id) = self.scheduler.joined(self.name.clone(), SLOTS, 1 << 30, outbox).await else {
                return;
            };
            let until = Duration::from_millis(20_000 + self.chance.below(200_000));
            let _ = tokio::time::timeout(until, self.attached(id, inbox)).await;
            // Of some the coordinator learns only by their silence.
            if !self.chance.one_in(3) {
                self.scheduler.gone(id).await;
            }
            sleep(Duration::from_millis(1_000 + self.chance.below(5_000))).await;
        }
    }

    async fn attached(&mut self, id: u64, mut inbox: mpsc::Receiver<shadowdiff_proto::v1::AttachResponse>) {
        let (ended, mut ends) = mpsc::channel(64);
        let mut running = BTreeSet::new();
        // Dropped with the worker, and its attempts with it.
        let mut attempts = tokio::task::JoinSet::new();
        let mut beat = interval(Duration::from_secs(5));
        let mut steps = 0;
        loop {
            tokio::select! {
                Some(message) = inbox.recv() => if let Some(attach_response::Message::Assign(assign)) = message.message {
                    running.insert(assign.attempt_id.clone());
                    let takes = Duration::from_millis(500 + self.chance.below(1_000));
                    attempts.spawn(attempt(self.state.clone(), self.cut, assign, takes, ended.clone()));
                },
                Some(done) = ends.recv() => {
                    let done: AttemptDone = done;
                    running.remove(&done.attempt_id);
                    // What has ended is held until somebody asks for it.
                    while attempts.try_join_next().is_some() {}
                    self.scheduler.said(id, attach_request::Message::Done(done)).await;
                }
                _ = beat.tick() => {
                    steps += 1;
                    let running = running.iter().map(|name: &String| RunningAttempt { attempt_id: name.clone(), rows: steps, steps });
                    let beat = Heartbeat { running: running.collect() };
                    self.scheduler.said(id, attach_request::Message::Heartbeat(beat)).await;
                }
            }
        }
    }
}

async fn attempt(state: State, cut: Cut, assign: Assign, takes: Duration, ended: mpsc::Sender<AttemptDone>) {
    sleep(takes).await;
    let won = commit(&state, &assign, cut).await.expect("a commit");
    let done = AttemptDone {
        attempt_id: assign.attempt_id,
        rows: ROWS,
        won,
    };
    // Its worker may have died.
    let _ = ended.send(done).await;
}

/// How each job is cut.
#[derive(Debug, Clone, Copy)]
struct Cut {
    scans: u32,
    shards: u32,
}

impl Cut {
    fn of(jobs: usize) -> Cut {
        Cut {
            scans: ((TASKS - COMPARES) / jobs) as u32,
            shards: (COMPARES / jobs) as u32,
        }
    }

    /// The shards to which a scan has rows, in their order.
    fn shards_of(self, scan: u32) -> Vec<u32> {
        let next = 0..SHARDS_OF_A_SCAN.min(self.shards);
        let mut shards: Vec<u32> = next.map(|next| (scan + next) % self.shards).collect();
        shards.sort_unstable();
        shards
    }

    /// How many scans have rows for a shard.
    fn scans_of(self, shard: u32) -> u64 {
        let first = (0..SHARDS_OF_A_SCAN.min(self.shards)).map(|next| (shard + self.shards - next) % self.shards);
        first
            .map(|first| u64::from((self.scans + self.shards - 1 - first) / self.shards))
            .sum()
    }
}

/// What a task leaves behind. A compare task would read the table of its stage; that is no work of the coordinator.
async fn commit(state: &State, assign: &Assign, cut: Cut) -> Result<bool> {
    let job = state.job(&assign.job_id, &Incarnation::parse(&assign.incarnation).expect("an incarnation"));
    let plan = PlanDigest::named(&assign.plan);
    let task = Task {
        job: &job,
        plan: &plan,
        attempt: &assign.attempt_id,
        rows: ROWS,
    };
    let assigned = assign.task.as_ref().expect("a task");
    let number = assigned.number;
    if assigned.stage == Stage::Scan.name() {
        let shards = cut.shards_of(number);
        let mut tally = Tally::default();
        let rows = ROWS * shards.len() as u64;
        (tally.sides.live.read, tally.sides.shadow.read) = (rows, rows);
        let header = task.header(Stage::Scan, number);
        return task.commit_blocks(header, (Stage::Scan, number), &shards, tally).await;
    }
    let shards = assigned.first_shard..assigned.first_shard + assigned.shards;
    let pairs = ROWS * shards.map(|shard| cut.scans_of(shard)).sum::<u64>();
    task.commit_pairs(task.header(Stage::Compare, number), number, pairs).await
}

/// What this thread has worked, by the kernel's ticks of 10 ms.
fn processor_time() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/stat").expect("Linux");
    let fields: Vec<&str> = text.rsplit(')').next().expect("a name").split_whitespace().collect();
    let ticks = |at: usize| fields[at].parse::<u64>().expect("a number");
    Duration::from_millis(10 * (ticks(11) + ticks(12)))
}

fn memory_mb(name: &str) -> u64 {
    let text = std::fs::read_to_string("/proc/self/status").expect("Linux");
    let line = text.lines().find(|line| line.starts_with(name)).expect("a line");
    line.split_whitespace().nth(1).expect("a number").parse::<u64>().expect("a number") / 1000
}
