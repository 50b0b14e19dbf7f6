//! The scheduler: a machine without a world. It is told what happened and when, and answers what to do.
//!
//! ```text
//!          Open(tasks)                Start            Done
//! stage:  ------------> runnable --> running -------> done    stage done when all are: StageDone
//!                          ^            | Failed(unavailable, exhausted, internal), WorkerLost
//!                          +--waiting---+   attempts left: again after a backoff; else JobFailed
//!                                       | Failed(spec, input, interrupted): JobFailed at once
//! ```
//! What must always hold: a task counts once (the first `Done`; later ones are ignored); a failed job starts nothing any more; every
//! attempt is on one worker; no worker has more attempts than slots.

use crate::error::{Error, Kind};
use std::collections::{BTreeMap, BTreeSet};

/// Attempts of one task before the job fails.
pub const MAX_ATTEMPTS: u32 = 4;
/// The wait before a second attempt; it doubles with each further one.
pub const BACKOFF_MS: u64 = 200;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TaskId(pub u32);

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AttemptId(pub u64);

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WorkerId(pub u32);

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    WorkerJoined {
        worker: WorkerId,
        slots: usize,
    },
    WorkerLost {
        worker: WorkerId,
    },
    /// A stage's tasks become runnable; heavier ones first.
    Open {
        weights: Vec<u64>,
    },
    Done {
        attempt: AttemptId,
    },
    Failed {
        attempt: AttemptId,
        error: Error,
    },
    Cancel,
    /// Only time passed.
    Tick,
}

/// What to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// `number` counts the attempts of the task from 0: a later one gets a smaller memory share where the last was exhausted.
    Start {
        task: TaskId,
        attempt: AttemptId,
        worker: WorkerId,
        halvings: u32,
    },
    /// The attempt is of no use any more.
    Stop {
        attempt: AttemptId,
        worker: WorkerId,
    },
    StageDone,
    JobFailed {
        error: Error,
    },
}

#[derive(Debug, Clone, Default)]
struct TaskState {
    weight: u64,
    attempts: u32,
    halvings: u32,
    done: bool,
}

/// One job's scheduler.
#[derive(Debug, Default)]
pub struct Machine {
    workers: BTreeMap<WorkerId, usize>,
    tasks: Vec<TaskState>,
    /// By when they may start.
    waiting: BTreeSet<(u64, TaskId)>,
    running: BTreeMap<AttemptId, (TaskId, WorkerId)>,
    next_attempt: u64,
    open: bool,
    failed: bool,
}

/// How far a stage is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    pub done: usize,
    pub running: usize,
    pub all: usize,
}

impl Machine {
    /// Takes one event and answers what to do now.
    pub fn step(&mut self, now_ms: u64, event: Event) -> Vec<Action> {
        let mut actions = Vec::new();
        match event {
            Event::WorkerJoined { worker, slots } => {
                self.workers.insert(worker, slots);
            }
            Event::WorkerLost { worker } => self.lose(now_ms, worker, &mut actions),
            Event::Open { weights } => self.open_stage(now_ms, &weights),
            Event::Done { attempt } => self.done(attempt, &mut actions),
            Event::Failed { attempt, error } => self.attempt_failed(now_ms, attempt, error, &mut actions),
            Event::Cancel => self.fail(Error::new(Kind::Interrupted, "interrupted"), &mut actions),
            Event::Tick => {}
        }
        self.start(now_ms, &mut actions);
        if self.open && !self.failed && self.tasks.iter().all(|t| t.done) {
            self.open = false;
            actions.push(Action::StageDone);
        }
        actions
    }

    /// When `step` wants to be called with `Tick` at the latest, if at all.
    pub fn next_deadline(&self) -> Option<u64> {
        if self.failed {
            None
        } else {
            self.waiting.first().map(|(at, _)| *at)
        }
    }

    pub fn progress(&self) -> Progress {
        Progress {
            done: self.tasks.iter().filter(|t| t.done).count(),
            running: self.running.len(),
            all: self.tasks.len(),
        }
    }

    fn open_stage(&mut self, now_ms: u64, weights: &[u64]) {
        self.tasks = weights
            .iter()
            .map(|w| TaskState {
                weight: *w,
                ..TaskState::default()
            })
            .collect();
        self.waiting = (0..weights.len()).map(|i| (now_ms, TaskId(i as u32))).collect();
        self.running.clear();
        self.open = true;
    }

    fn done(&mut self, attempt: AttemptId, actions: &mut Vec<Action>) {
        let Some((task, _)) = self.running.remove(&attempt) else { return };
        let state = &mut self.tasks[task.0 as usize];
        if std::mem::replace(&mut state.done, true) {
            return;
        }
        let others: Vec<AttemptId> = self.running.iter().filter(|(_, (t, _))| *t == task).map(|(a, _)| *a).collect();
        for other in others {
            if let Some((_, worker)) = self.running.remove(&other) {
                actions.push(Action::Stop { attempt: other, worker });
            }
        }
        self.waiting.retain(|(_, t)| *t != task);
    }

    fn attempt_failed(&mut self, now_ms: u64, attempt: AttemptId, error: Error, actions: &mut Vec<Action>) {
        let Some((task, _)) = self.running.remove(&attempt) else { return };
        let state = &mut self.tasks[task.0 as usize];
        if state.done {
            return;
        }
        match error.kind {
            Kind::Spec | Kind::Input | Kind::Interrupted => return self.fail(error, actions),
            Kind::Exhausted => state.halvings += 1,
            Kind::Unavailable | Kind::Internal => {}
        }
        if state.attempts >= MAX_ATTEMPTS {
            return self.fail(error, actions);
        }
        self.waiting.insert((now_ms + backoff_ms(state.attempts), task));
    }

    fn lose(&mut self, now_ms: u64, worker: WorkerId, actions: &mut Vec<Action>) {
        self.workers.remove(&worker);
        let lost: Vec<AttemptId> = self.running.iter().filter(|(_, (_, w))| *w == worker).map(|(a, _)| *a).collect();
        for attempt in lost {
            self.attempt_failed(now_ms, attempt, Error::unavailable("its worker was lost"), actions);
        }
    }

    fn fail(&mut self, error: Error, actions: &mut Vec<Action>) {
        if std::mem::replace(&mut self.failed, true) {
            return;
        }
        self.waiting.clear();
        for (attempt, (_, worker)) in std::mem::take(&mut self.running) {
            actions.push(Action::Stop { attempt, worker });
        }
        actions.push(Action::JobFailed { error });
    }

    fn start(&mut self, now_ms: u64, actions: &mut Vec<Action>) {
        while !self.failed {
            let Some(worker) = self.free_worker() else { return };
            let ready = self.waiting.iter().filter(|(at, _)| *at <= now_ms);
            let Some(next) = ready
                .max_by_key(|(_, t)| (self.tasks[t.0 as usize].weight, std::cmp::Reverse(*t)))
                .copied()
            else {
                return;
            };
            self.waiting.remove(&next);
            let (task, attempt) = (next.1, AttemptId(self.next_attempt));
            self.next_attempt += 1;
            let state = &mut self.tasks[task.0 as usize];
            state.attempts += 1;
            self.running.insert(attempt, (task, worker));
            actions.push(Action::Start {
                task,
                attempt,
                worker,
                halvings: state.halvings,
            });
        }
    }

    /// The worker with the most free slots; the lowest number among equals.
    fn free_worker(&self) -> Option<WorkerId> {
        let free = |worker: &WorkerId, slots: usize| slots.saturating_sub(self.running.values().filter(|(_, w)| w == worker).count());
        let candidates = self.workers.iter().map(|(w, slots)| (free(w, *slots), std::cmp::Reverse(*w)));
        candidates.max().filter(|(free, _)| *free > 0).map(|(_, w)| w.0)
    }
}

fn backoff_ms(attempts: u32) -> u64 {
    BACKOFF_MS << attempts.saturating_sub(1).min(6)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machine(slots: usize, weights: &[u64]) -> (Machine, Vec<Action>) {
        let mut machine = Machine::default();
        machine.step(
            0,
            Event::WorkerJoined {
                worker: WorkerId(0),
                slots,
            },
        );
        let actions = machine.step(0, Event::Open { weights: weights.to_vec() });
        (machine, actions)
    }

    fn start(task: u32, attempt: u64, halvings: u32) -> Action {
        Action::Start {
            task: TaskId(task),
            attempt: AttemptId(attempt),
            worker: WorkerId(0),
            halvings,
        }
    }

    #[test]
    fn heavier_tasks_start_first_and_slots_are_kept() {
        let (mut machine, actions) = machine(2, &[1, 5, 3]);
        assert_eq!(actions, [start(1, 0, 0), start(2, 1, 0)]);
        assert_eq!(machine.step(1, Event::Done { attempt: AttemptId(0) }), [start(0, 2, 0)]);
        assert_eq!(machine.step(2, Event::Done { attempt: AttemptId(1) }), []);
        assert_eq!(machine.step(3, Event::Done { attempt: AttemptId(2) }), [Action::StageDone]);
    }

    #[test]
    fn an_empty_stage_is_done_at_once() {
        assert_eq!(machine(1, &[]).1, [Action::StageDone]);
    }

    #[test]
    fn exhausted_attempts_come_back_with_a_smaller_share_after_a_wait() {
        let (mut machine, _) = machine(1, &[1]);
        assert_eq!(
            machine.step(
                10,
                Event::Failed {
                    attempt: AttemptId(0),
                    error: Error::exhausted("memory")
                }
            ),
            []
        );
        assert_eq!(machine.next_deadline(), Some(10 + BACKOFF_MS));
        assert_eq!(machine.step(10 + BACKOFF_MS, Event::Tick), [start(0, 1, 1)]);
    }

    #[test]
    fn bad_input_fails_the_job_at_once_and_a_retried_error_after_four_attempts() {
        let (mut one, _) = machine(2, &[1, 1]);
        let bad = Error::input("a.csv:3: ragged");
        let stopped = Action::Stop {
            attempt: AttemptId(1),
            worker: WorkerId(0),
        };
        assert_eq!(
            one.step(
                1,
                Event::Failed {
                    attempt: AttemptId(0),
                    error: bad.clone()
                }
            ),
            [stopped, Action::JobFailed { error: bad }]
        );
        assert_eq!(one.step(2, Event::Tick), []);

        let (mut two, _) = machine(1, &[1]);
        let (mut now, mut failed) = (0, false);
        for attempt in 0..MAX_ATTEMPTS {
            now += 100_000;
            two.step(now, Event::Tick);
            let actions = two.step(
                now,
                Event::Failed {
                    attempt: AttemptId(attempt.into()),
                    error: Error::unavailable("503"),
                },
            );
            failed = actions.iter().any(|a| matches!(a, Action::JobFailed { .. }));
            assert_eq!(failed, attempt + 1 == MAX_ATTEMPTS);
        }
        assert!(failed);
    }

    #[test]
    fn the_first_done_counts_and_a_lost_worker_gives_its_tasks_back() {
        let (mut machine, _) = machine(1, &[1]);
        machine.step(
            1,
            Event::WorkerJoined {
                worker: WorkerId(1),
                slots: 1,
            },
        );
        machine.step(2, Event::WorkerLost { worker: WorkerId(0) });
        let again = Action::Start {
            task: TaskId(0),
            attempt: AttemptId(1),
            worker: WorkerId(1),
            halvings: 0,
        };
        assert_eq!(machine.step(2 + BACKOFF_MS, Event::Tick), [again]);
        assert_eq!(
            machine.step(900, Event::Done { attempt: AttemptId(0) }),
            [],
            "a zombie's result does not count"
        );
        assert_eq!(machine.step(901, Event::Done { attempt: AttemptId(1) }), [Action::StageDone]);
    }
}
