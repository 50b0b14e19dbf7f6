//! The coordinator's own code on a store that lies, with workers that die, hang and wake, in a time that is not real: from one seed.
//!
//! ```text
//! coordinators (killed, paused, replaced) --+
//!                                           +--> Shaky: one memory, errors before and after puts, false conflicts, slow answers
//! workers (lost, silent, zombies) ----------+
//! ```
//! What must hold at the end of every run: the job succeeds; every task has one commit, whose data is there; all rows are counted once.
//! `SHADOWDIFF_SEEDS=N` runs more seeds, `SHADOWDIFF_SEED=S` one; a failure names its seed.

mod shaky;
mod worker;

use super::{Cluster, JobPhase, Options};
use crate::bind::bind;
use crate::cut::Cut;
use shadowdiff_common::read::Sources;
use shadowdiff_common::state::{Blueprint, CompareCommit, ExchangeCommit, JobState, Stage, State, Submission, read_commit};
use shadowdiff_common::store::Stores;
use shadowdiff_core::plan::Form;
use shadowdiff_core::row::Secret;
use shadowdiff_core::spec::{Day, Overrides, parse};
use shaky::{Chance, Line, Shaky};
use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::time::sleep;

/// Scan tasks of the job; each reads one row of either side.
const TASKS: usize = 6;
const SHARDS: u32 = 3;
/// Simulated time after which a job that has not ended never will.
const PATIENCE: Duration = Duration::from_secs(3600);
const JOB: &str = "job";

#[test]
fn whatever_fails_the_result_is_whole_and_counted_once() {
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse::<u64>().expect("a number"));
    let seeds = match number("SHADOWDIFF_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("SHADOWDIFF_SEEDS").unwrap_or(1000),
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
    let mut chance = Chance::new(seed);
    let shaky = Shaky::new(seed);
    let calm = State::new(shaky.calm(), "state".into(), "memory");
    let blueprint = blueprint(&chance);
    blueprint.store(&calm.job(JOB)).await.map_err(|e| e.to_string())?;
    let world = worker::World {
        shaky: shaky.clone(),
        board: tokio::sync::watch::channel(None).0,
    };
    for number in 0..2 + chance.below(3) {
        tokio::spawn(worker::live(world.clone(), number, chance.fork()));
    }
    // Coordinators come, and go in one of several ways; the last one stays.
    let lives = chance.below(3);
    for life in 0..=lives {
        let line = Line::default();
        let cluster = coordinator(&shaky, &line, life, scratch);
        world.board.send_replace(Some(cluster.board.clone()));
        if life < lives {
            let _ = tokio::time::timeout(Duration::from_millis(chance.below(8000)), recover(&cluster)).await;
            sleep(Duration::from_millis(chance.below(3000))).await;
            if chance.one_in(2) {
                line.cut();
            } else {
                // It sleeps, and wakes when another has the job.
                line.pause(Duration::from_millis(chance.below(60_000)));
            }
            std::mem::forget(cluster);
            continue;
        }
        recover(&cluster).await;
        let ended = tokio::time::timeout(PATIENCE, ended(&cluster)).await;
        let phase = ended.map_err(|_| format!("no end after {} simulated seconds", PATIENCE.as_secs()))?;
        if phase != JobPhase::Succeeded {
            let why = failure(&calm).await?;
            // A run may have such bad luck that the rules give a task up, and say so. It must be rare.
            if why.contains("workers that were lost") {
                return Ok(false);
            }
            return Err(format!("the job ended as {phase:?}: {why}"));
        }
    }
    check(&calm.job(JOB)).await.map(|()| true)
}

/// Why the job failed, as the store says.
async fn failure(calm: &State) -> Result<String, String> {
    let view = super::recover::look(calm, JOB).await.map_err(|e| e.to_string())?;
    let error = view.and_then(|view| view.error);
    Ok(error.map_or_else(String::new, |error| error.message))
}

fn coordinator(shaky: &Shaky, line: &Line, life: u64, scratch: &Path) -> Arc<Cluster> {
    let state = State::new(shaky.through(line.clone()), "state".into(), "memory");
    let sources = Sources::new(Arc::new(Stores::new()), tokio::runtime::Handle::current());
    let options = Options {
        owner: format!("coordinator-{life}"),
        keep: Duration::from_secs(3600),
        max_jobs: 10,
        scratch: scratch.to_owned(),
        shards: None,
        form: None,
        part_bytes: 1,
        prepare: Arc::new(|_| Ok(String::new())),
    };
    Cluster::start(state, sources, options)
}

/// Tries until the store answers, as the command does.
async fn recover(cluster: &Arc<Cluster>) {
    loop {
        let taken = cluster.recover().await;
        if taken.is_ok() && cluster.known(JOB).is_some() {
            return;
        }
        if let Ok(view) = cluster.get(JOB).await
            && view.phase.has_ended()
        {
            return;
        }
        sleep(Duration::from_secs(1)).await;
    }
}

async fn ended(cluster: &Arc<Cluster>) -> JobPhase {
    loop {
        if let Ok(view) = cluster.get(JOB).await
            && view.phase.has_ended()
        {
            return view.phase;
        }
        // A coordinator that another has woken against may have stood back.
        if cluster.known(JOB).is_none() {
            let _ = cluster.recover().await;
        }
        sleep(Duration::from_secs(1)).await;
    }
}

/// A job of tiny tasks: its plan is real, its rows are invented by the workers.
fn blueprint(chance: &Chance) -> Blueprint {
    static FIRST: OnceLock<Blueprint> = OnceLock::new();
    let mut blueprint = FIRST.get_or_init(|| std::thread::spawn(bind_once).join().expect("binds")).clone();
    blueprint.submission.nonce = chance.seed();
    blueprint.form = chance.seed().is_multiple_of(2).then_some(Form::Fingerprints);
    blueprint
}

fn bind_once() -> Blueprint {
    let folder = tempfile::tempdir().expect("a folder");
    for side in ["live", "shadow"] {
        std::fs::write(folder.path().join(format!("{side}.csv")), "id,v\n1,1\n").expect("a file");
    }
    let text = "live: live.csv\nshadow: shadow.csv\naccount: id\n";
    let parsed = parse(text, "spec", &Overrides::default()).expect("a spec");
    let cut = Cut {
        threads: 1,
        shards: Some(SHARDS),
        shard_bytes: 1,
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
    Blueprint {
        submission: Submission {
            content: 0,
            nonce: 0,
            priority: 1,
            max_running: 0,
            created_ms: 0,
            title: String::new(),
            output: None,
            overwrite: false,
        },
        document: parsed.document,
        datasets: bound.datasets,
        flipped: bound.flipped,
        rule_accounts: bound.rule_accounts,
        part_bytes: 1,
        reading_bytes: 0,
        row_bytes: 1,
        stored_bytes: 1,
        decoded_bytes: 1,
        form: None,
        rows: None,
        requests: bound.amounts.requests,
        plan: bound.plan,
    }
}

async fn check(job: &JobState) -> Result<(), String> {
    let text = |e: shadowdiff_core::error::Error| e.to_string();
    let manifest = super::finish::Manifest::read(job).await.map_err(text)?.ok_or("no manifest")?;
    let summary = job
        .read(&job.result(&manifest.attempt, "summary.json"))
        .await
        .map_err(text)?
        .ok_or("no summary")?;
    let summary: serde_json::Value = serde_json::from_slice(&summary).map_err(|e| e.to_string())?;
    for side in ["live", "shadow"] {
        let read = &summary["rows"][side]["read"];
        if *read != TASKS {
            return Err(format!("{read} rows of {side} were counted, not {TASKS}"));
        }
    }
    for task in 0..TASKS as u32 {
        let commit = read_commit::<ExchangeCommit>(job, Stage::Scan, task)
            .await
            .map_err(text)?
            .ok_or("a scan without a commit")?;
        let data = commit.header.data.ok_or("a commit without data")?;
        if job.read(&job.path(&data)).await.map_err(text)?.is_none() {
            return Err(format!("the data of scan {task} is gone"));
        }
    }
    for task in 0..SHARDS {
        let found = read_commit::<CompareCommit>(job, Stage::Compare, task).await.map_err(text)?;
        found.ok_or("a compare task without a commit")?;
    }
    Ok(())
}
