//! The tasks of a job's current stage: what each of them is at, and which comes next.

use super::pace::Pace;
use super::ready::Ready;
use super::{AttemptId, BACKOFF_MS, MAX_BACKOFF_DOUBLINGS, NewTask, Progress, SPECULATE_AFTER_DONE, TaskId};
use std::cmp::Reverse;

#[derive(Debug, Default)]
pub(super) struct Stage {
    tasks: Vec<Task>,
    /// The task at each place: heavier ones first, lower numbers first among equals.
    places: Vec<TaskId>,
    /// By place.
    ready: Ready,
    pace: Pace,
    done: usize,
    running: usize,
    retries: usize,
}

#[derive(Debug)]
pub(super) struct Task {
    memory_bytes: u64,
    place: usize,
    state: State,
    /// Attempts so far; the number of the next one.
    number: u32,
    /// It had its second attempt.
    speculated: bool,
    pub(super) halvings: u32,
    /// Failed attempts by whose fault it was.
    pub(super) blamed: u32,
    pub(super) unavailable: u32,
    pub(super) lost: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// No attempt, and the caller is about to say what comes next; tasks of a stage that was given up stay here.
    Idle,
    Ready,
    Waiting {
        until_ms: u64,
    },
    Running {
        first: AttemptId,
        second: Option<AttemptId>,
    },
    Done,
}

/// What a task leaves behind when it is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Left {
    Nothing,
    Waiting { until_ms: u64 },
    Running([Option<AttemptId>; 2]),
}

impl Stage {
    pub(super) fn new(tasks: &[NewTask]) -> Self {
        let mut places: Vec<TaskId> = (0..tasks.len() as u32).map(TaskId).collect();
        places.sort_by_key(|task| (Reverse(tasks[task.0 as usize].weight), *task));
        let mut stage = Stage {
            tasks: tasks.iter().map(Task::new).collect(),
            ready: Ready::new(tasks.len()),
            done: tasks.iter().filter(|task| task.done).count(),
            ..Stage::default()
        };
        for (place, task) in places.iter().enumerate() {
            stage.task_mut(*task).place = place;
            if !tasks[task.0 as usize].done {
                stage.make_ready(*task);
            }
        }
        stage.places = places;
        stage
    }

    pub(super) fn is_done(&self) -> bool {
        self.done == self.tasks.len()
    }

    pub(super) fn progress(&self) -> Progress {
        Progress {
            done: self.done,
            running: self.running,
            waiting: self.tasks.len() - self.done - self.running,
            all: self.tasks.len(),
            retries: self.retries,
        }
    }

    pub(super) fn ready(&self) -> usize {
        self.ready.count()
    }

    /// The heaviest ready task that needs no more than this.
    pub(super) fn next(&self, limit_bytes: u64) -> Option<TaskId> {
        self.ready.first(limit_bytes).map(|place| self.places[place])
    }

    /// The memory a slot must have for the task's next attempt.
    pub(super) fn need(&self, task: TaskId) -> u64 {
        self.task(task).need()
    }

    pub(super) fn task_mut(&mut self, task: TaskId) -> &mut Task {
        &mut self.tasks[task.0 as usize]
    }

    fn task(&self, task: TaskId) -> &Task {
        &self.tasks[task.0 as usize]
    }

    pub(super) fn make_ready(&mut self, task: TaskId) {
        let state = self.task_mut(task);
        state.state = State::Ready;
        let (place, need) = (state.place, state.need());
        self.ready.insert(place, need);
    }

    /// An attempt starts; its number in the task, and the halvings it gets.
    pub(super) fn start(&mut self, task: TaskId, attempt: AttemptId, now_ms: u64) -> (u32, u32) {
        let state = self.task_mut(task);
        let (number, halvings, place) = (state.number, state.halvings, state.place);
        state.number += 1;
        if let State::Running { first, .. } = state.state {
            state.speculated = true;
            state.state = State::Running {
                first,
                second: Some(attempt),
            };
        } else {
            state.state = State::Running {
                first: attempt,
                second: None,
            };
            let may_speculate = !state.speculated;
            self.ready.remove(place);
            self.running += 1;
            self.retries += usize::from(number > 0);
            if may_speculate {
                self.pace.started(attempt, now_ms);
            }
        }
        (number, halvings)
    }

    /// The attempt gets a second one beside it.
    pub(super) fn accompany(&mut self, first: AttemptId, started_ms: u64) {
        self.pace.leave(first, started_ms);
    }

    /// An attempt is over, in whatever way. The task is idle if it was the last one.
    pub(super) fn end(&mut self, task: TaskId, attempt: AttemptId, started_ms: u64) {
        self.pace.leave(attempt, started_ms);
        let state = self.task_mut(task);
        let State::Running { first, second } = state.state else { return };
        let other = if first == attempt { second } else { Some(first) };
        match other {
            Some(first) => state.state = State::Running { first, second: None },
            None => {
                state.state = State::Idle;
                self.running -= 1;
            }
        }
    }

    pub(super) fn is_idle(&self, task: TaskId) -> bool {
        self.task(task).state == State::Idle
    }

    /// An idle task waits for its backoff; until when.
    pub(super) fn wait(&mut self, task: TaskId, now_ms: u64) -> u64 {
        let state = self.task_mut(task);
        let until_ms = now_ms + state.backoff_ms();
        state.state = State::Waiting { until_ms };
        until_ms
    }

    /// The task is done; what has to be cleared away, or nothing if it was done before or is unknown. Attempts end by `end`, later.
    pub(super) fn finish(&mut self, task: TaskId) -> Option<Left> {
        let state = self.tasks.get_mut(task.0 as usize)?;
        let place = state.place;
        let left = match std::mem::replace(&mut state.state, State::Done) {
            State::Done => return None,
            State::Idle => Left::Nothing,
            State::Ready => {
                self.ready.remove(place);
                Left::Nothing
            }
            State::Waiting { until_ms } => Left::Waiting { until_ms },
            State::Running { first, second } => {
                self.running -= 1;
                Left::Running([Some(first), second])
            }
        };
        self.done += 1;
        Some(left)
    }

    /// No task of it becomes ready any more.
    pub(super) fn give_up(&mut self) {
        self.ready.clear();
    }

    /// A task took so long.
    pub(super) fn learn(&mut self, run_ms: u64) {
        self.pace.learn(run_ms);
    }

    /// Attempts that are worth a second one beside them, the oldest first.
    pub(super) fn slow(&self, now_ms: u64) -> impl Iterator<Item = AttemptId> {
        let is_late = self.is_late();
        self.pace.slow(now_ms).take_while(move |_| is_late)
    }

    pub(super) fn next_slow(&self, now_ms: u64) -> Option<u64> {
        self.pace.next_slow(now_ms).filter(|_| self.is_late())
    }

    /// Most tasks are done.
    fn is_late(&self) -> bool {
        self.done * 100 >= self.tasks.len() * SPECULATE_AFTER_DONE
    }
}

impl Task {
    fn new(task: &NewTask) -> Self {
        Task {
            memory_bytes: task.memory_bytes,
            place: 0,
            state: if task.done { State::Done } else { State::Idle },
            number: task.attempts,
            speculated: false,
            halvings: task.halvings,
            blamed: task.attempts,
            unavailable: 0,
            lost: 0,
        }
    }

    fn need(&self) -> u64 {
        self.memory_bytes >> self.halvings.min(u64::BITS - 1)
    }

    fn backoff_ms(&self) -> u64 {
        let failures = u64::from(self.blamed) + u64::from(self.unavailable) + u64::from(self.lost);
        BACKOFF_MS << failures.saturating_sub(1).min(MAX_BACKOFF_DOUBLINGS.into())
    }
}
