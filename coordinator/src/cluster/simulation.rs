//! The coordinator's own code on a store that lies, with workers that die, hang and wake, in a time that is not real: from one seed.
//!
//! ```text
//! coordinators (killed, paused, replaced) --+
//!                                           +--> FlakyStore: one memory, errors before and after puts, false conflicts, slow or damaged answers
//! workers (lost, silent, zombies, a liar) --+
//! ```
//! The store may be away for longer than anybody's patience; clients watch, fetch results, and cancel at any moment. A job runs to its end,
//! and may hand its result on to a place that holds an older one, or what is not ours; a job that nobody can read may lie beside it. It is
//! removed, by removals that break off; then its id comes again, with other rows, while attempts of the first submission still sleep. What
//! must hold at the end of every run: the job succeeds, unless somebody cancelled it or the store was away for long; every end that a
//! client was told is the one that is stored, and stays so after a restart; of one that succeeds every task has one commit, whose data is
//! there; all rows are counted once, and they are those of the last submission; the output holds them too, whole; whoever is asked for a
//! result that a client was told of gives it; what was removed never runs again; nobody takes a job from itself.
//! `SHADOWDIFF_SEEDS=N` runs more seeds, `SHADOWDIFF_SEED=S` one; a failure names its seed.

mod clients;
mod flaky_store;
mod large;
mod worker;

use super::clock::simulated;
use super::{Cluster, JobPhase, JobView, Options};
use crate::bind::bind;
use crate::partition::PartitionSettings;
use crate::target::WRITING;
use clients::{Told, restarted};
use flaky_store::{Chance, FlakyStore, Line};
use futures::TryStreamExt;
use object_store::ObjectStoreExt;
use shadowdiff_common::read::Sources;
use shadowdiff_common::state::{Incarnation, JobState, PlanDigest, Stage, State, StoredPlan, StoredSets, Submission, read_commit};
use shadowdiff_common::store::Marking;
use shadowdiff_common::store::Stores;
use shadowdiff_core::error::Kind;
use shadowdiff_core::plan::Form;
use shadowdiff_core::report::ResultFile;
use shadowdiff_core::row::Secret;
use shadowdiff_core::side::Sides;
use shadowdiff_core::spec::{Day, Overrides, parse};
use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::time::sleep;

/// Scan tasks of the job; each reads one row of either side.
const TASKS: usize = 6;
const SHARDS: u32 = 3;
/// A store that is away for less than this fails no job: a task waits longer between its attempts.
const SHORT: Duration = Duration::from_secs(30);
/// Simulated time after which a job that has not ended never will.
const PATIENCE: Duration = Duration::from_secs(3600);
const JOB: &str = "job";
/// Where results are handed on to.
const OUTPUT: &str = "s3://output/result";
/// What a place holds that is not ours.
const FOREIGN: &[u8] = b"{}";

#[test]
fn whatever_fails_the_result_is_whole_and_counted_once() {
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse::<u64>().expect("a number"));
    let seeds = match number("SHADOWDIFF_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("SHADOWDIFF_SEEDS").unwrap_or(300),
    };
    let scratch = tempfile::tempdir().expect("a folder");
    let (mut unlucky, all) = (0, seeds.end - seeds.start);
    for seed in seeds {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .start_paused(true)
            .build()
            .expect("a runtime");
        match runtime.block_on(run(seed, scratch.path())) {
            Ok(true) => {}
            Ok(false) => unlucky += 1,
            Err(why) => panic!("seed {seed}: {why}; run it again with SHADOWDIFF_SEED={seed}"),
        }
    }
    assert!(unlucky * 50 <= all + 50, "{unlucky} of {all} jobs were given up");
}

/// True if the job succeeded.
async fn run(seed: u64, scratch: &Path) -> Result<bool, String> {
    simulated::begin();
    let mut chance = Chance::new(seed);
    let flaky_store = FlakyStore::new(seed);
    let calm = State::new(flaky_store.calm(), "state".into(), "memory");
    let world = worker::World {
        flaky_store: flaky_store.clone(),
        scheduler: tokio::sync::watch::channel(None).0,
    };
    spawn_workers(&world, &mut chance);
    let (mut owners, told) = (0, Told::new(calm.clone()));
    let output = Output::draw(&mut chance);
    output.prepare(&calm).await?;
    if chance.one_in(3) {
        unreadable_job(&calm, &mut chance).await?;
    }
    let mut has_sleepers = false;
    for rows in 1..=2 {
        let submission = submission(&mut chance, rows, output);
        // Sometimes nobody learns of it but the store, as if whoever stored it had died.
        let driven = !chance.one_in(4);
        let away = Duration::from_millis(if chance.one_in(6) { chance.below(900_000) } else { 0 });
        flaky_store.goes_away(Duration::from_millis(chance.below(15_000)), away);
        calm.submit(JOB, &submission).await.map_err(|e| e.to_string())?;
        let job = calm.job(JOB, &submission.incarnation);
        let (plan, _) = stored_plan(&submission, rows).store(&job).await.map_err(|e| e.to_string())?;
        // Coordinators come, and go in one of several ways; the last one stays.
        let lives = chance.below(3);
        for life in 0..=lives {
            let line = Line::default();
            let cluster = coordinator(&flaky_store, &line, owners, scratch);
            owners += 1;
            world.scheduler.send_replace(Some(cluster.scheduler.clone()));
            start(&cluster, driven.then_some(&submission), &told, &mut chance).await?;
            if life < lives {
                sleep(Duration::from_millis(chance.below(11_000))).await;
                has_sleepers |= leave(&line, &mut chance);
                std::mem::forget(cluster);
                continue;
            }
            let ended = tokio::time::timeout(PATIENCE, ended(&cluster)).await;
            ended.map_err(|_| format!("no end after {} simulated seconds", PATIENCE.as_secs()))?;
            flaky_store.back().await;
            restarted(coordinator(&flaky_store, &Line::default(), 1000 + owners, scratch), &told).await?;
            let phase = told.check(&job).await?;
            if phase == JobPhase::Succeeded {
                check(&job, &plan, rows).await?;
                output.check(&calm, &job, has_sleepers).await?;
            } else if !may_end_so(phase, &job, rows, away, output, has_sleepers).await? {
                return Ok(false);
            }
            output.check_foreign(&calm).await?;
            told.check_fetched()?;
            check_claims(&job, lives + 1).await?;
            removed(&calm, &cluster, &submission.incarnation).await?;
            has_sleepers |= leave(&line, &mut chance);
            std::mem::forget(cluster);
        }
    }
    told.check_fetched()?;
    Ok(true)
}

/// A coordinator begins, with clients. `driven`: what it is given to run at once.
async fn start(cluster: &Arc<Cluster>, driven: Option<&Submission>, told: &Told, chance: &mut Chance) -> Result<(), String> {
    // It reads the index of jobs, which may be of before the id came again.
    if chance.one_in(2)
        && let Err(error) = cluster.recover().await
        && error.kind != Kind::Unavailable
    {
        return Err(format!("a coordinator does not start: {error}"));
    }
    tokio::spawn(Arc::clone(cluster).run_heartbeat());
    if let Some(submission) = driven {
        let (view, submission) = (JobView::new(JOB, submission), Arc::new(submission.clone()));
        cluster.drive(cluster.state.job(JOB, &submission.incarnation), submission, view, None);
    }
    tokio::spawn(told.clone().watch(Arc::clone(cluster)));
    if chance.one_in(6) {
        let after = Duration::from_millis(chance.below(15_000));
        tokio::spawn(told.clone().cancel(Arc::clone(cluster), after));
    }
    Ok(())
}

/// Honest ones, and sometimes a liar.
fn spawn_workers(world: &worker::World, chance: &mut Chance) {
    for number in 0..2 + chance.below(3) {
        tokio::spawn(worker::live(world.clone(), number, false, chance.fork()));
    }
    if chance.one_in(3) {
        tokio::spawn(worker::live(world.clone(), 9, true, chance.fork()));
    }
}

/// Whether a job without a result ended for a reason that this run gives. False where a run has such bad luck that the rules give a task up,
/// and say so: it must be rare.
async fn may_end_so(
    phase: JobPhase,
    job: &JobState,
    rows: u64,
    away: Duration,
    output: Output,
    has_sleepers: bool,
) -> Result<bool, String> {
    if phase == JobPhase::Cancelled {
        return Ok(true);
    }
    let why = failure(job).await?;
    if why.contains("workers that were lost") || why.contains("said to be committed") {
        return Ok(false);
    }
    // Who sleeps while it hands on the result of the first submission may wake when that of the second is written.
    let is_mixed = output == Output::Ours && rows == 2 && has_sleepers && why.contains("by somebody else meanwhile");
    if is_mixed || output == Output::Foreign && why.contains("holds a summary.json") {
        return Ok(true);
    }
    if away < SHORT || !why.contains("Unavailable") {
        return Err(format!("the job of {rows} rows a task ended as {phase:?}: {why}"));
    }
    Ok(true)
}

/// Where the jobs of a run hand their results on to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Output {
    Nowhere,
    /// A place that is free at first; then it holds the result of the first submission, if that came so far.
    Ours,
    Foreign,
}

impl Output {
    fn draw(chance: &mut Chance) -> Output {
        match chance.below(6) {
            0..3 => Output::Nowhere,
            3..5 => Output::Ours,
            _ => Output::Foreign,
        }
    }

    async fn prepare(self, calm: &State) -> Result<(), String> {
        match self {
            Output::Nowhere | Output::Ours => Ok(()),
            Output::Foreign => put(calm, &in_output(ResultFile::Summary.name()), FOREIGN).await,
        }
    }

    /// What is not ours stays as it is.
    async fn check_foreign(self, calm: &State) -> Result<(), String> {
        let there = calm.read(&in_output(ResultFile::Summary.name())).await.map_err(|e| e.to_string())?;
        let is_as_it_was = there.is_some_and(|bytes| bytes == FOREIGN);
        match is_as_it_was || self != Output::Foreign {
            true => Ok(()),
            false => Err("what the output held is gone".into()),
        }
    }

    /// The job has succeeded, so its result lies here, whole. Who slept while it handed on another result may have put a table late, which
    /// the summary tells.
    async fn check(self, calm: &State, job: &JobState, has_sleepers: bool) -> Result<(), String> {
        let manifest = super::finish::Manifest::read(job).await.map_err(|e| e.to_string())?;
        match self {
            Output::Nowhere => return Ok(()),
            Output::Foreign => return Err("a job has succeeded whose output is not ours".into()),
            Output::Ours => {}
        }
        for (name, mark) in manifest.ok_or("no manifest")?.files {
            let there = calm.read(&in_output(name.name())).await.map_err(|e| e.to_string())?;
            let is_the_results = there.is_some_and(|bytes| Marking::of(&bytes) == mark);
            if !is_the_results && (name == ResultFile::Summary || !has_sleepers) {
                return Err(format!("{name} of the output is not the one of the result"));
            }
        }
        match calm.read(&in_output(WRITING)).await {
            Ok(None) => Ok(()),
            _ => Err("the output says that it is being written".into()),
        }
    }
}

fn in_output(name: &str) -> object_store::path::Path {
    format!("result/{name}").into()
}

async fn put(calm: &State, path: &object_store::path::Path, bytes: &'static [u8]) -> Result<(), String> {
    let put = calm.store().put(path, bytes.into()).await;
    put.map(drop).map_err(|e| e.to_string())
}

/// Its name comes before that of the job, and its journal is none.
async fn unreadable_job(calm: &State, chance: &mut Chance) -> Result<(), String> {
    let (id, submission) = ("another", submission(chance, 1, Output::Nowhere));
    calm.submit(id, &submission).await.map_err(|e| e.to_string())?;
    put(calm, &calm.job(id, &submission.incarnation).journal(0), b"no journal").await
}

/// A coordinator dies, or sleeps and wakes for a while when another has its job; whether it sleeps.
fn leave(line: &Line, chance: &mut Chance) -> bool {
    if chance.one_in(2) {
        line.cut();
        return false;
    }
    line.pause(Duration::from_millis(chance.below(60_000)));
    let (line, end) = (line.clone(), Duration::from_millis(60_000 + chance.below(60_000)));
    tokio::spawn(async move {
        sleep(end).await;
        // It has no workers, so jobs that it takes would wait for ever.
        line.cut();
    });
    true
}

/// Removes the job, however often that breaks off. From the first moment on there is no such job, for nobody.
async fn removed(calm: &State, cluster: &Arc<Cluster>, incarnation: &Incarnation) -> Result<(), String> {
    sleep(Duration::from_millis(5)).await;
    let mut was_there = true;
    for _ in 0..200 {
        // As one that has just started: who wakes late leaves something again, which others look for only when the tombstone goes.
        cluster.ended_jobs().clear();
        let _ = cluster.sweep_once().await;
        let is_there = calm.living(JOB).await.map_err(|e| e.to_string())?.is_some();
        if is_there && !was_there {
            return Err("a removed job has risen".into());
        }
        was_there = is_there;
        let taken = cluster.recover().await.unwrap_or(0);
        if taken > 0 {
            return Err("a job that was removed, or had ended, runs again".into());
        }
        // All is removed but the tombstone.
        let left: Vec<_> = calm.store().list(None).try_collect().await.map_err(|e| e.to_string())?;
        if !is_there && left.iter().all(|meta| !meta.location.as_ref().contains(incarnation.as_str())) {
            return Ok(());
        }
        sleep(Duration::from_secs(1)).await;
    }
    Err("the job is still there".into())
}

/// A coordinator claims a job once, and once more if it has slept through another's claim.
async fn check_claims(job: &JobState, owners: u64) -> Result<(), String> {
    let journal = super::journal::Journal::read(job, "").await.map_err(|e| e.to_string())?;
    let claims = journal.history.epoch;
    // The coordinators of the first submission may still wake up while the second one runs.
    if claims > 2 * (owners + 3) {
        return Err(format!(
            "{claims} claims by {owners} coordinators: some take the job from themselves"
        ));
    }
    Ok(())
}

/// Why the job failed, as the store says.
async fn failure(job: &JobState) -> Result<String, String> {
    let journal = super::journal::Journal::read(job, "").await.map_err(|e| e.to_string())?;
    Ok(format!("{:?}", journal.history.ended))
}

fn coordinator(flaky_store: &FlakyStore, line: &Line, number: u64, scratch: &Path) -> Arc<Cluster> {
    let state = State::new(flaky_store.through(line.clone()), "state".into(), "memory");
    let stores = Stores::new();
    stores.insert("s3://output", flaky_store.distant(line.clone()));
    let sources = Sources::new(Arc::new(stores), tokio::runtime::Handle::current());
    let options = Options {
        owner: format!("coordinator-{number}"),
        keep: Duration::ZERO,
        max_jobs: 10,
        scratch: scratch.to_owned(),
        shards: None,
        form: None,
        part_bytes: 1,
        listener: None,
    };
    Cluster::start(state, sources, options)
}

/// The last coordinator stays, and sees to it that the job ends.
async fn ended(cluster: &Arc<Cluster>) -> JobPhase {
    loop {
        if let Ok(view) = cluster.get(JOB).await
            && view.phase.has_ended()
        {
            return view.phase;
        }
        sleep(Duration::from_secs(1)).await;
    }
}

/// What was submitted; the incarnation comes of the seed, so that a run is the same every time.
fn submission(chance: &mut Chance, rows: u64, output: Output) -> Submission {
    let incarnation = format!("{:016x}{:016x}", chance.fork().seed(), chance.fork().seed());
    Submission {
        content: rows,
        output: (output != Output::Nowhere).then(|| OUTPUT.into()),
        overwrite: rows > 1,
        ..Submission::new(Incarnation::parse(&incarnation).expect("32 digits"))
    }
}

/// A job of tiny tasks: its plan is real, its rows are invented by the workers, as many a task and side as the plan says a row has bytes.
fn stored_plan(submission: &Submission, rows: u64) -> StoredPlan {
    static FIRST: [OnceLock<StoredPlan>; 2] = [OnceLock::new(), OnceLock::new()];
    let first = FIRST[rows as usize - 1].get_or_init(|| std::thread::spawn(move || bind_once(rows)).join().expect("binds"));
    let mut stored_plan = first.clone();
    stored_plan.incarnation = submission.incarnation.clone();
    let is_even = submission.incarnation.as_str().ends_with(['0', '2', '4', '6', '8', 'a', 'c', 'e']);
    stored_plan.plan.form = is_even.then_some(Form::Fingerprints);
    stored_plan.plan.estimate.rows = Sides::new(Some(1), Some(0));
    stored_plan.plan.estimate.decoded_bytes = rows;
    stored_plan
}

/// The key has another name for each number of rows, so that tables differ too.
fn bind_once(rows: u64) -> StoredPlan {
    let folder = tempfile::tempdir().expect("a folder");
    for side in ["live", "shadow"] {
        std::fs::write(folder.path().join(format!("{side}.csv")), format!("id{rows},v\n1,1\n")).expect("a file");
    }
    let text = format!("live: live.csv\nshadow: shadow.csv\naccount: id{rows}\n");
    let parsed = parse(&text, "spec", &Overrides::default()).expect("a spec");
    let cut = PartitionSettings {
        threads: 1,
        shards: Some(SHARDS),
        part_bytes: 1,
        form: None,
        secret: Secret([0; 16]),
        today: Day(20_000),
    };
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let sources = Sources::new(Arc::new(Stores::new()), runtime.handle().clone());
    let mut bound = runtime
        .block_on(bind(parsed.spec, parsed.warnings, folder.path(), &sources, cut))
        .expect("binds");
    let task = bound.plan.scans[0].clone();
    bound.plan.scans = vec![task; TASKS];
    bound.plan.estimate.reading_bytes = 0;
    StoredPlan {
        incarnation: Incarnation::parse(&"0".repeat(32)).expect("32 digits"),
        document: parsed.document,
        datasets: bound.datasets,
        accounts: StoredSets::of(&bound.accounts),
        plan: bound.plan,
    }
}

async fn check(job: &JobState, plan: &PlanDigest, rows: u64) -> Result<(), String> {
    let text = |e: shadowdiff_core::error::Error| e.to_string();
    let manifest = super::finish::Manifest::read(job).await.map_err(text)?.ok_or("no manifest")?;
    let summary = job
        .read(&job.result(&manifest.attempt, ResultFile::Summary))
        .await
        .map_err(text)?
        .ok_or("no summary")?;
    let summary: serde_json::Value = serde_json::from_slice(&summary).map_err(|e| e.to_string())?;
    for side in ["live", "shadow"] {
        let (read, all) = (&summary["rows"][side]["read"], TASKS as u64 * rows);
        if *read != all {
            return Err(format!("{read} rows of {side} were counted, not {all}"));
        }
    }
    for task in 0..TASKS as u32 {
        let commit = read_commit(job, plan, Stage::Scan, task)
            .await
            .map_err(text)?
            .ok_or("a scan without a commit")?;
        let data = commit.header.data.ok_or("a commit without data")?;
        if job.read(&job.path(&data)).await.map_err(text)?.is_none() {
            return Err(format!("the data of scan {task} is gone"));
        }
    }
    for task in 0..SHARDS {
        let found = read_commit(job, plan, Stage::Compare, task).await.map_err(text)?;
        found.ok_or("a compare task without a commit")?;
    }
    Ok(())
}
