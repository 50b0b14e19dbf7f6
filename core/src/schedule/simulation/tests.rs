//! Many seeds of the simulation, and the cost of a large job.

use super::*;
use std::time::{Duration, Instant};

const SEEDS: u64 = 1_000;

/// What the seeds must get to see together; else they prove nothing.
const MUST_BE_SEEN: [&str; 22] = [
    "started",
    "second attempt",
    "a failure beside another attempt",
    "done",
    "failed",
    "stopped",
    "handed back",
    "lost",
    "dropped",
    "job failed: input",
    "job failed: unavailable",
    "job failed: exhausted",
    "job failed: internal",
    "job failed: interrupted",
    "job failed: lost workers",
    "started alone",
    "emptied",
    "set aside",
    "acquitted",
    "given up",
    "not found",
    "nobody else to ask",
];

/// Tells how to run a failing seed again.
struct Seed(u64);

impl Drop for Seed {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("again: SHADOWDIFF_SEED={} cargo test -p shadowdiff-core simulation", self.0);
        }
    }
}

fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable}: {text} is not a number")))
}

fn run(seed: u64) -> World {
    let _tell = Seed(seed);
    let mut world = World::new(seed);
    world.run();
    world
}

#[test]
fn every_job_ends_and_every_rule_holds_whatever_happens() {
    if let Some(seed) = number("SHADOWDIFF_SEED") {
        run(seed);
        return;
    }
    let seeds = number("SHADOWDIFF_SEEDS").unwrap_or(SEEDS);
    let mut seen = BTreeMap::<&str, u64>::new();
    for seed in 0..seeds {
        for (what, times) in run(seed).model.seen {
            *seen.entry(what).or_default() += times;
        }
    }
    println!("{seen:#?}");
    for what in MUST_BE_SEEN {
        assert!(seeds < SEEDS || seen.contains_key(what), "never seen: {what}");
    }
}

/// Whatever a single worker says or does not say: beside good ones it fails no job, and none waits for it for long.
#[test]
fn one_bad_worker_fails_no_job() {
    for seed in 0..300 {
        let _tell = Seed(seed);
        let mut world = World::new(seed);
        let temper = BAD[seed as usize % BAD.len()];
        world.weather = FaultPlan {
            calm_at_ms: 20_000,
            failing: 0,
            kinds: Vec::new(),
            killing: 0,
            mishap_every_ms: 1,
            sizes: false,
            bad: 0,
        };
        world.agenda.retain(|(_, _, plan)| matches!(plan, Plan::OpenJob(_)));
        let slots = 1 + world.random.below(8) as usize;
        world.join_as(slots, 100, true, temper);
        for _ in 0..1 + world.random.below(3) {
            world.join_as(1, 100, true, Temper::Good);
        }
        world.calm = true;
        world.weather.bad = u64::from(temper == Temper::Pretends);
        world.run();
        let failed: Vec<_> = world.model.seen.keys().filter(|what| what.starts_with("job failed")).collect();
        assert!(failed.is_empty(), "seed {seed}, {temper:?}: {failed:?}");
    }
}

#[test]
fn a_seed_runs_the_same_twice() {
    for seed in 0..20 {
        assert_eq!(run(seed).trace, run(seed).trace, "seed {seed}");
    }
}

/// `cargo test --release -p shadowdiff-core -- --ignored --nocapture a_large_job`
#[test]
#[ignore = "a benchmark"]
fn a_large_job_costs_little_time() {
    const WORKERS: u64 = 500;
    let (mut machine, mut random) = (Machine::default(), Random(1));
    for worker in 0..WORKERS {
        machine.step(0, joined(worker));
    }
    let (job, max_running) = (JobNumber(0), None);
    let opened = Event::JobOpened {
        job,
        priority: 1,
        max_running,
    };
    machine.step(0, opened);
    let tasks = (0..100_000)
        .map(|_| NewTask::new(random.below(1_000), random.below(1_000)))
        .collect();
    let mut event = Event::StageOpened { job, tasks };
    // When attempts end. Every worker is heard of in turn, each every five seconds.
    let mut ends = BTreeSet::<(u64, AttemptId)>::new();
    let (mut now_ms, mut beats, mut times) = (0, 0, Vec::new());
    loop {
        let began = Instant::now();
        let actions = machine.step(now_ms, event);
        let deadline = machine.next_deadline();
        times.push(began.elapsed());
        for action in actions {
            match action {
                Action::Start { attempt, .. } => {
                    ends.insert((now_ms + 1_000 + random.below(60_000), attempt));
                }
                Action::StageDone { .. } => return print(&mut times),
                _ => {}
            }
        }
        let (end_ms, beat_ms) = (ends.first().map(|(at, _)| *at), beats * HEARTBEAT_MS / WORKERS);
        now_ms = [end_ms, deadline, Some(beat_ms)].into_iter().flatten().min().unwrap_or(beat_ms);
        event = if now_ms == beat_ms {
            beats += 1;
            Event::WorkerSeen {
                worker: WorkerId(beats % WORKERS),
            }
        } else if end_ms == Some(now_ms)
            && let Some((_, attempt)) = ends.pop_first()
        {
            let error = Error::unavailable("503");
            match random.below(50) {
                0 => Event::Failed { attempt, error },
                _ => Event::Done { attempt },
            }
        } else {
            Event::Tick
        };
    }
}

fn joined(worker: u64) -> Event {
    Event::WorkerJoined {
        worker: WorkerId(worker),
        name: worker.to_string(),
        slots: 4,
        memory_bytes: 0,
        heartbeats: true,
    }
}

fn print(times: &mut [Duration]) {
    let (opening, all): (Duration, Duration) = (times[0], times.iter().sum());
    times.sort_unstable();
    let (steps, at) = (times.len(), |percent: usize| times[(times.len() - 1) * percent / 100]);
    println!(
        "{steps} steps in {all:?}; opening the stage {opening:?}; median {:?}, 99% {:?}, longest {:?}",
        at(50),
        at(99),
        at(100)
    );
}
