//! The tasks of a job's current stage: what each of them is at, and which comes next.

use super::blame::NameId;
use super::pace::Pace;
use super::ready::Ready;
use super::task_failures::TaskFailures;
use super::{ALONE_AFTER_LOST, AttemptId, BACKOFF_MS, MAX_BACKOFF_DOUBLINGS, NewTask, Progress, SPECULATE_AFTER_DONE, TaskId};
use std::cmp::Reverse;
use std::collections::BTreeSet;

#[derive(Debug, Default)]
pub(super) struct Stage {
    tasks: Vec<Task>,
    /// The task at each place: heavier ones first, lower numbers first among equals.
    places: Vec<TaskId>,
    /// Run time and weight of the tasks that are done.
    done_ms: u64,
    done_weight: u64,
    /// By place.
    ready: Ready,
    /// The places of ready tasks whose next attempt may end the job: nothing else of it is worth more.
    urgent: BTreeSet<usize>,
    /// The places of those that are ready to run alone.
    alone: BTreeSet<usize>,
    pace: Pace,
    done: usize,
    running: usize,
    retries: usize,
}

#[derive(Debug)]
pub(super) struct Task {
    weight: u64,
    memory_bytes: u64,
    place: usize,
    state: State,
    /// Attempts so far; the number of the next one.
    number: u32,
    /// It had its second attempt.
    speculated: bool,
    pub(super) halvings: u32,
    /// What failed, if anything did.
    task_failures: Option<Box<TaskFailures>>,
    /// Who said that it is done.
    pub(super) done_by: Option<NameId>,
    /// It waits for somebody who may say the same, and not only for its backoff.
    pub(super) waits_for_voice: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// No attempt, and the caller is about to say what comes next; tasks of a stage that was given up stay here.
    Idle,
    Ready,
    Waiting,
    Running {
        first: AttemptId,
        second: Option<AttemptId>,
    },
    Done,
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
        self.ready.count() + self.urgent.len() + self.alone.len()
    }

    /// Ready tasks that need no more than this or had task_failures: those may be for some workers only. First what is in doubt, then the heaviest.
    pub(super) fn candidates(&self, limit_bytes: u64) -> impl Iterator<Item = TaskId> {
        let first = self.ready.first_from(0, limit_bytes);
        let places = std::iter::successors(first, move |place| self.ready.first_from(place + 1, limit_bytes));
        let places = self.urgent.iter().copied().chain(places);
        places.map(|place| self.places[place])
    }

    /// The heaviest task that is ready to run alone.
    pub(super) fn next_alone(&self) -> Option<TaskId> {
        self.alone.first().map(|place| self.places[*place])
    }

    /// Whether a task waits for a worker of its own.
    pub(super) fn is_ready_alone(&self, task: TaskId) -> bool {
        let state = self.tasks.get(task.0 as usize);
        state.is_some_and(|state| state.state == State::Ready && state.is_alone())
    }

    /// Who should not have the task.
    pub(super) fn avoided(&self, task: TaskId) -> BTreeSet<NameId> {
        self.task(task)
            .task_failures
            .as_ref()
            .map(|failures| failures.avoided())
            .unwrap_or_default()
    }

    pub(super) fn task_failures(&self, task: TaskId) -> Option<&TaskFailures> {
        self.task(task).task_failures.as_deref()
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
        let (place, is_alone) = (state.place, state.is_alone());
        // Which slots are large enough for a task that has failed depends on whom it avoids.
        let need = if state.task_failures.is_some() { 0 } else { state.need() };
        let is_urgent = state.task_failures.as_ref().is_some_and(|failures| failures.doubt().is_some());
        match (is_alone, is_urgent) {
            (true, _) => {
                self.alone.insert(place);
            }
            (false, true) => {
                self.urgent.insert(place);
            }
            (false, false) => self.ready.insert(place, need),
        }
    }

    fn remove_ready(&mut self, place: usize) {
        if !self.alone.remove(&place) && !self.urgent.remove(&place) {
            self.ready.remove(place);
        }
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
            // A second attempt at what has lost workers would only lose more.
            let may_speculate = !state.speculated && !state.is_alone();
            self.remove_ready(place);
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

    /// An idle task waits.
    pub(super) fn wait(&mut self, task: TaskId) {
        self.task_mut(task).state = State::Waiting;
    }

    /// How long a task waits after its last failure.
    pub(super) fn backoff_ms(&self, task: TaskId) -> u64 {
        self.task(task).backoff_ms()
    }

    /// A task that was done is not: whoever said so has to be found in the task.
    pub(super) fn undo(&mut self, task: TaskId) -> bool {
        let Some(state) = self.tasks.get_mut(task.0 as usize).filter(|task| task.state == State::Done) else {
            return false;
        };
        state.state = State::Idle;
        self.done -= 1;
        true
    }

    /// How long a task may be expected to take by what is done: the median, or more if its weight says so.
    pub(super) fn expected_ms(&self, task: TaskId) -> Option<u64> {
        let median_ms = self.pace.median_ms()?;
        let by_weight = u128::from(self.done_ms) * u128::from(self.task(task).weight) / u128::from(self.done_weight.max(1));
        Some(median_ms.max(u64::try_from(by_weight).unwrap_or(u64::MAX)))
    }

    /// An attempt that has ended leaves its task done; which attempt still runs beside it. `None` if the task was done before.
    pub(super) fn finish(&mut self, task: TaskId) -> Option<Option<AttemptId>> {
        let beside = match std::mem::replace(&mut self.task_mut(task).state, State::Done) {
            State::Done => return None,
            State::Idle | State::Ready | State::Waiting => None,
            State::Running { first, .. } => {
                self.running -= 1;
                Some(first)
            }
        };
        self.done += 1;
        Some(beside)
    }

    /// No task of it becomes ready any more.
    pub(super) fn give_up(&mut self) {
        self.ready.clear();
        self.urgent.clear();
        self.alone.clear();
    }

    /// A task took so long.
    pub(super) fn learn(&mut self, task: TaskId, run_ms: u64) {
        self.pace.learn(run_ms);
        self.done_ms = self.done_ms.saturating_add(run_ms);
        self.done_weight = self.done_weight.saturating_add(self.task(task).weight);
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
        let known = TaskFailures::known(task.attempts, task.lost);
        Task {
            weight: task.weight,
            memory_bytes: task.memory_bytes,
            place: 0,
            state: if task.done { State::Done } else { State::Idle },
            number: task.attempts,
            speculated: false,
            halvings: task.halvings,
            task_failures: (known.count() > 0).then(|| Box::new(known)),
            done_by: None,
            waits_for_voice: false,
        }
    }

    fn need(&self) -> u64 {
        self.memory_bytes >> self.halvings.min(u64::BITS - 1)
    }

    pub(super) fn task_failures_mut(&mut self) -> &mut TaskFailures {
        self.task_failures.get_or_insert_default()
    }

    /// With nothing beside it on its worker: it has lost workers.
    fn is_alone(&self) -> bool {
        self.task_failures
            .as_ref()
            .is_some_and(|failures| failures.lost >= ALONE_AFTER_LOST)
    }

    fn backoff_ms(&self) -> u64 {
        let failures = self.task_failures.as_ref().map_or(0, |failures| failures.count());
        BACKOFF_MS << failures.saturating_sub(1).min(MAX_BACKOFF_DOUBLINGS)
    }
}
