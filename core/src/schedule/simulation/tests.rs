//! Many seeds of the simulation, and the cost of a large job.

use super::*;
use std::time::Instant;

const SEEDS: u64 = 1_000;

/// What the seeds must get to see together, lest they prove nothing.
const MUST_BE_SEEN: [&str; 15] = [
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
    Some(text.parse().unwrap_or_else(|_| panic!("{variable}: {text} is no number")))
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
    let (workers, slots, tasks) = (500, 4, 100_000);
    let mut machine = Machine::default();
    for worker in 0..workers {
        machine.step(
            0,
            Event::WorkerJoined {
                worker: WorkerId(worker),
                slots,
                memory_bytes: 0,
                heartbeats: true,
            },
        );
    }
    let mut random = Random(1);
    let tasks: Vec<NewTask> = (0..tasks).map(|_| NewTask::new(random.below(1_000), random.below(1_000))).collect();
    let job = JobNumber(0);
    machine.step(
        0,
        Event::JobOpened {
            job,
            priority: 1,
            max_running: None,
        },
    );
    let began = Instant::now();
    let mut actions = machine.step(0, Event::StageOpened { job, tasks });
    let opening = began.elapsed();
    // By when attempts end; heartbeats come between.
    let mut ends = BTreeSet::<(u64, AttemptId)>::new();
    let (mut now_ms, mut steps, mut longest, mut in_steps) = (0, 0u64, opening, opening);
    loop {
        for action in &actions {
            match action {
                Action::Start { attempt, .. } => {
                    ends.insert((now_ms + 1_000 + random.below(60_000), *attempt));
                }
                Action::StageDone { .. } => {
                    println!(
                        "opening {opening:?}, {steps} steps, {:?} a step, longest {longest:?}, all {in_steps:?}",
                        in_steps / steps as u32
                    );
                    return;
                }
                _ => {}
            }
        }
        let event = match (steps % 3, ends.first().copied()) {
            (0, Some((at, attempt))) => {
                ends.pop_first();
                now_ms = now_ms.max(at);
                match random.below(50) {
                    0 => Event::Failed {
                        attempt,
                        error: Error::unavailable("503"),
                    },
                    _ => Event::Done { attempt },
                }
            }
            (0, None) => Event::Tick,
            _ => Event::WorkerSeen {
                worker: WorkerId(steps % workers),
            },
        };
        now_ms += u64::from(ends.is_empty()) * 100;
        let began = Instant::now();
        actions = machine.step(now_ms, event);
        assert!(machine.next_deadline().is_none_or(|at| at > now_ms));
        let took = began.elapsed();
        (steps, longest, in_steps) = (steps + 1, longest.max(took), in_steps + took);
    }
}
