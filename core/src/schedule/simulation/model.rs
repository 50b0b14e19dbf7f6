//! The scheduler's rules again, naively: a model that is told the same events and checks every action, and the rest between two steps.

mod alone;
mod blame;

use super::super::*;
use blame::{Key, Record};

/// What the scheduler should know, without any index.
#[derive(Debug, Default)]
pub(super) struct Model {
    now_ms: u64,
    /// Those that are attached.
    pub(super) workers: BTreeMap<WorkerId, Worker>,
    pub(super) jobs: BTreeMap<JobNumber, Job>,
    pub(super) running: BTreeMap<AttemptId, Attempt>,
    /// Every attempt is first there, then here.
    pub(super) ended: BTreeMap<AttemptId, Attempt>,
    /// What is remembered of names.
    records: BTreeMap<Key, Record>,
    /// Task and worker that is emptied for it.
    emptied: Option<(JobNumber, TaskId, WorkerId)>,
    /// In this step no worker is released any more that is emptied in vain.
    settled: bool,
    /// Actions that must come in this step.
    owed: Vec<Action>,
    /// How often something was seen: a simulation that never gets there proves nothing.
    pub(super) seen: BTreeMap<&'static str, u64>,
}

#[derive(Debug)]
pub(super) struct Worker {
    key: Key,
    pub(super) slots: usize,
    memory_bytes: u64,
    pub(super) seen_ms: Option<u64>,
    pub(super) draining: bool,
    aside_until_ms: Option<u64>,
}

#[derive(Debug)]
pub(super) struct Job {
    priority: u32,
    cap: usize,
    pub(super) failed: bool,
    pub(super) tasks: Vec<Task>,
    /// With the weight of the task.
    run_times: Vec<(u64, u64)>,
}

#[derive(Debug)]
pub(super) struct Task {
    new: NewTask,
    state: State,
    number: u32,
    /// Bad, blamed, unavailable, lost.
    failures: [u32; 4],
    given_up: u32,
    /// Which of the four, and who.
    voices: BTreeSet<(usize, Key)>,
    doubt: Option<(usize, Error)>,
    done_by: Option<Key>,
    waits_for_voice: bool,
    speculated: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Ready,
    Waiting { until_ms: u64 },
    Running,
    Done,
}

#[derive(Debug, Clone)]
pub(super) struct Attempt {
    pub(super) job: JobNumber,
    pub(super) task: TaskId,
    pub(super) worker: WorkerId,
    started_ms: u64,
    moved_ms: u64,
    look_ms: Option<u64>,
    /// It runs with nothing beside it.
    alone: bool,
}

impl Model {
    /// One step of the scheduler: what it was told, and what it answered.
    pub(super) fn step(&mut self, now_ms: u64, event: &Event, actions: &[Action]) {
        self.now_ms = self.now_ms.max(now_ms);
        self.event(event);
        self.silence();
        self.overdue();
        self.come_back();
        self.wake();
        self.look_for_idle();
        self.keep_emptied();
        self.settled = false;
        for action in actions {
            match action {
                Action::Start { .. } => self.start(action),
                _ => {
                    let at = self.owed.iter().position(|owed| owed == action);
                    self.owed
                        .remove(at.unwrap_or_else(|| panic!("{action:?} is not due after {event:?}")));
                }
            }
        }
        self.empty_next();
        assert!(self.owed.is_empty(), "{:?} did not come after {event:?}", self.owed);
    }

    fn event(&mut self, event: &Event) {
        match event {
            Event::WorkerJoined {
                worker,
                name,
                slots,
                memory_bytes,
                heartbeats,
            } => {
                self.lose(*worker);
                let joined = Worker {
                    key: self.key(name),
                    slots: *slots,
                    memory_bytes: *memory_bytes,
                    seen_ms: heartbeats.then_some(self.now_ms),
                    draining: *slots == 0,
                    aside_until_ms: None,
                };
                self.workers.insert(*worker, joined);
                self.comes_back_aside(*worker);
            }
            Event::Resumed => {
                let now_ms = self.now_ms;
                self.workers
                    .values_mut()
                    .filter_map(|w| w.seen_ms.as_mut())
                    .for_each(|at| *at = now_ms);
                self.running.values_mut().for_each(|a| a.moved_ms = now_ms);
            }
            Event::WorkerSeen { worker } => {
                if let Some(seen_ms) = self.workers.get_mut(worker).and_then(|w| w.seen_ms.as_mut()) {
                    *seen_ms = self.now_ms;
                }
            }
            Event::WorkerDraining { worker } => self.drain(*worker),
            Event::WorkerLost { worker } => self.lose(*worker),
            Event::JobOpened {
                job,
                priority,
                max_running,
            } => {
                let entry = self.jobs.entry(*job).or_insert_with(Job::new);
                (entry.priority, entry.cap) = (*priority, max_running.unwrap_or(usize::MAX));
            }
            Event::StageOpened { job, tasks } => self.open_stage(*job, tasks),
            Event::Done { attempt } => self.done(*attempt),
            Event::NotFound { job, task } => self.not_found(*job, *task),
            Event::Moved { attempt } => {
                let now_ms = self.now_ms;
                self.running.get_mut(attempt).into_iter().for_each(|a| a.moved_ms = now_ms);
            }
            Event::Failed { attempt, error } => self.failed(*attempt, error),
            Event::HandedBack { attempt } => self.handed_back(*attempt),
            Event::Cancel { job } => self.fail(*job, Error::new(Kind::Interrupted, "interrupted")),
            Event::JobClosed { job } => {
                self.stop_all(*job);
                self.jobs.remove(job);
            }
            Event::Tick => {}
        }
    }

    fn drain(&mut self, worker: WorkerId) {
        if let Some(worker) = self.workers.get_mut(&worker) {
            worker.draining = true;
            worker.aside_until_ms = None;
        }
        self.recall_if_none();
    }

    fn open_stage(&mut self, number: JobNumber, tasks: &[NewTask]) {
        if self.jobs.get(&number).is_none_or(|job| job.failed) {
            return;
        }
        self.stop_all(number);
        let job = self.jobs.get_mut(&number).unwrap_or_else(|| panic!("{number:?} is known"));
        job.tasks = tasks.iter().map(Task::new).collect();
        job.run_times.clear();
        if tasks.iter().all(|task| task.done) {
            self.owed.push(Action::StageDone { job: number });
        }
    }

    fn done(&mut self, attempt: AttemptId) {
        if let Some(ended) = self.end(attempt, "done") {
            let run_ms = self.now_ms - ended.started_ms;
            let weight = self.task(ended.job, ended.task).new.weight;
            self.job(ended.job).run_times.push((run_ms, weight));
            let key = self.workers[&ended.worker].key.clone();
            self.praise(&key);
            self.task(ended.job, ended.task).done_by = Some(key);
            self.task_done(ended.job, ended.task);
        }
    }

    fn task_done(&mut self, number: JobNumber, task: TaskId) {
        let Some(job) = self.jobs.get_mut(&number).filter(|job| !job.failed) else {
            return;
        };
        let Some(state) = job.tasks.get_mut(task.0 as usize).filter(|t| t.state != State::Done) else {
            return;
        };
        state.state = State::Done;
        let is_stage_done = job.tasks.iter().all(|t| t.state == State::Done);
        for attempt in self.running_of(number, Some(task)) {
            self.stop(attempt);
        }
        if is_stage_done {
            self.owed.push(Action::StageDone { job: number });
        }
    }

    fn handed_back(&mut self, attempt: AttemptId) {
        let Some(ended) = self.end(attempt, "handed back") else { return };
        self.drain(ended.worker);
        if self.running_of(ended.job, Some(ended.task)).is_empty() {
            self.task(ended.job, ended.task).state = State::Ready;
        }
    }

    fn fail(&mut self, job: JobNumber, error: Error) {
        if self.jobs.get(&job).is_none_or(|job| job.failed) {
            return;
        }
        self.saw(word(&error));
        self.stop_all(job);
        self.job(job).failed = true;
        self.owed.push(Action::JobFailed { job, error });
    }

    fn stop_all(&mut self, job: JobNumber) {
        for attempt in self.running_of(job, None) {
            self.stop(attempt);
        }
    }

    fn stop(&mut self, attempt: AttemptId) {
        if let Some(Attempt { worker, .. }) = self.end(attempt, "stopped") {
            self.owed.push(Action::Stop { attempt, worker });
        }
    }

    /// An attempt ends once; what comes later about it is nothing.
    fn end(&mut self, attempt: AttemptId, how: &'static str) -> Option<Attempt> {
        let ended = self.running.remove(&attempt)?;
        self.ended.insert(attempt, ended.clone());
        self.saw(how);
        Some(ended)
    }

    fn silence(&mut self) {
        loop {
            let heard = self.workers.iter().filter_map(|(id, w)| Some((w.seen_ms?, *id)));
            let Some((seen_ms, worker)) = heard.min() else { return };
            if seen_ms + 20_000 > self.now_ms {
                return;
            }
            self.saw("dropped");
            self.owed.push(Action::Drop { worker });
            self.lose(worker);
        }
    }

    fn start(&mut self, action: &Action) {
        let &Action::Start {
            job,
            task,
            attempt,
            worker,
            number,
            halvings,
            speculative,
        } = action
        else {
            return;
        };
        let known = self.jobs.get(&job).unwrap_or_else(|| panic!("{action:?}: no such job"));
        assert!(!known.failed, "{action:?}: the job failed");
        assert!(self.running_of(job, None).len() < known.cap, "{action:?}: over the cap");
        let is_alone = known.tasks[task.0 as usize].is_alone();
        let state = &known.tasks[task.0 as usize];
        assert_eq!((number, halvings), (state.number, state.new.halvings), "{action:?}");
        let best = if is_alone {
            assert!(
                !speculative && self.on(worker) == 0,
                "{action:?}: a task runs alone, and only once at a time"
            );
            self.alone(job, task)
        } else if speculative {
            self.empty_next();
            self.second(job, task, action)
        } else {
            if self.turn().is_none() {
                self.keep_emptied();
            }
            assert_eq!(self.turn(), Some((job, task)), "{action:?}: it is not its turn");
            self.best_worker(&self.jobs[&job].tasks[task.0 as usize])
        };
        assert_eq!(best, Some(worker), "{action:?}: not the best worker");
        let now_ms = self.now_ms;
        let state = self.task(job, task);
        state.state = State::Running;
        state.number += 1;
        state.speculated |= speculative;
        let started = Attempt {
            job,
            task,
            worker,
            started_ms: now_ms,
            moved_ms: now_ms,
            look_ms: self.workers[&worker].seen_ms.map(|_| now_ms + 180_000),
            alone: is_alone,
        };
        let is_new = !self.ended.contains_key(&attempt) && self.running.insert(attempt, started).is_none();
        assert!(is_new, "{action:?}: the number was used");
        self.saw(match (is_alone, speculative) {
            (true, _) => "started alone",
            (false, true) => "second attempt",
            (false, false) => "started",
        });
    }

    /// The best worker for a second attempt that is in order.
    fn second(&self, number: JobNumber, task: TaskId, action: &Action) -> Option<WorkerId> {
        assert_eq!(self.turn(), None, "{action:?}: a ready task could have the slot");
        let firsts = self.running_of(number, Some(task));
        let [first] = firsts[..] else {
            panic!("{action:?}: {} attempts run", firsts.len())
        };
        let is_slow = self.slow_at(&self.running[&first]).is_some_and(|at| at <= self.now_ms);
        assert!(is_slow, "{action:?}: the first is not slow");
        let job = &self.jobs[&number];
        self.other_worker(&job.tasks[task.0 as usize], self.running[&first].worker)
    }

    /// From when on an attempt is worth a second one beside it, if ever.
    fn slow_at(&self, attempt: &Attempt) -> Option<u64> {
        let job = &self.jobs[&attempt.job];
        let mut times: Vec<u64> = job.run_times.iter().map(|(run_ms, _)| *run_ms).collect();
        times.sort_unstable();
        if job.tasks[attempt.task.0 as usize].is_alone() {
            return None;
        }
        let done = job.tasks.iter().filter(|t| t.state == State::Done).count();
        let median = times.get(times.len().checked_sub(1)? / 2)?;
        let may = done * 4 >= job.tasks.len() * 3 && !job.tasks[attempt.task.0 as usize].speculated;
        may.then_some(attempt.started_ms + (median * 3 / 2 + 1).max(1_000))
    }

    /// The job and the task that the next free slot belongs to.
    fn turn(&self) -> Option<(JobNumber, TaskId)> {
        self.neediest(|task| {
            let is_placeable = !task.is_alone() && self.best_worker(task).is_some();
            is_placeable.then_some((task.doubt.is_some(), task.new.weight))
        })
    }

    /// Of the job that runs the least for its priority and may run more, the ready task of the highest rank; the first of several.
    fn neediest<R: Ord>(&self, rank: impl Fn(&Task) -> Option<R>) -> Option<(JobNumber, TaskId)> {
        let mut best: Option<(usize, &Job, JobNumber, TaskId)> = None;
        for (number, job) in self.jobs.iter().filter(|(_, job)| !job.failed) {
            let running = self.running_of(*number, None).len();
            let ready = job.tasks.iter().enumerate().filter(|(_, t)| t.state == State::Ready);
            let ranked = ready.filter_map(|(at, t)| Some((rank(t)?, std::cmp::Reverse(at))));
            let Some((_, at)) = ranked.max().filter(|_| running < job.cap) else {
                continue;
            };
            let is_needier = best.is_none_or(|(of, other, ..)| running * (other.priority as usize) < of * (job.priority as usize));
            if is_needier {
                best = Some((running, job, *number, TaskId(at.0 as u32)));
            }
        }
        best.map(|(_, _, job, task)| (job, task))
    }

    /// Whom a task avoids, unless there is nobody else.
    fn avoided(&self, task: &Task) -> BTreeSet<Key> {
        let avoided = task.avoided();
        match self.takers().any(|(_, w)| !avoided.contains(&w.key)) {
            true => avoided,
            false => BTreeSet::new(),
        }
    }

    fn best_worker(&self, task: &Task) -> Option<WorkerId> {
        self.best_of(task.need(), &self.avoided(task))
    }

    /// The same for a second attempt, beside one on this worker.
    fn other_worker(&self, task: &Task, than: WorkerId) -> Option<WorkerId> {
        let mut avoided = task.avoided();
        avoided.insert(self.workers[&than].key.clone());
        self.best_of(task.need(), &avoided)
    }

    fn best_of(&self, need: u64, avoided: &BTreeSet<Key>) -> Option<WorkerId> {
        let others = || self.takers().filter(|(_, w)| !avoided.contains(&w.key));
        let largest = others().map(|(_, w)| w.slot_bytes()).max()?;
        others()
            .filter(|(id, w)| w.slot_bytes() >= need.min(largest) && self.free(**id) > 0)
            .max_by_key(|(id, _)| (self.free(**id), std::cmp::Reverse(**id)))
            .map(|(id, _)| *id)
    }

    fn free(&self, worker: WorkerId) -> usize {
        match self.is_closed(worker) {
            true => 0,
            false => self.workers[&worker].slots.saturating_sub(self.on(worker)),
        }
    }

    /// What must hold between two steps.
    pub(super) fn rest(&self, machine: &Machine) {
        assert_eq!(self.turn(), None, "a ready task has no slot, though one is free");
        for (worker, known) in &self.workers {
            assert!(self.on(*worker) <= known.slots, "{worker:?} has more attempts than slots");
        }
        assert_eq!(machine.running(), self.running.len());
        let aside = self.workers.values().filter(|w| w.aside_until_ms.is_some()).count();
        assert_eq!(machine.aside(), aside);
        let is_there = self.workers.values().any(|w| !w.draining && w.slots > 0);
        assert!(!is_there || self.takers().next().is_some(), "all are set aside");
        let mut runnable = 0;
        for (number, job) in &self.jobs {
            let progress = machine.progress(*number).unwrap_or_else(|| panic!("{number:?} is open"));
            let count = |state: fn(&State) -> bool| job.tasks.iter().filter(|t| state(&t.state)).count();
            let done = count(|s| *s == State::Done);
            assert_eq!((progress.done, progress.all), (done, job.tasks.len()));
            assert_eq!(progress.done + progress.running + progress.waiting, progress.all);
            if !job.failed {
                assert_eq!(progress.running, count(|s| *s == State::Running));
                runnable += count(|s| *s == State::Ready).min(job.cap.saturating_sub(self.running_of(*number, None).len()));
            }
        }
        assert_eq!(machine.runnable(), runnable);
        self.deadline(machine.next_deadline());
    }

    /// It is not past, and not after anything that has to happen.
    fn deadline(&self, deadline: Option<u64>) {
        assert!(deadline.is_none_or(|at| at > self.now_ms), "the deadline is past");
        let tasks = self.jobs.values().filter(|job| !job.failed).flat_map(|job| &job.tasks);
        let waiting = tasks.filter_map(|task| match task.state {
            State::Waiting { until_ms } => Some(until_ms),
            State::Ready | State::Running | State::Done => None,
        });
        let silent = self.workers.values().filter_map(|w| Some(w.seen_ms? + 20_000));
        let has_room = |a: &&Attempt| {
            let job = &self.jobs[&a.job];
            let task = &job.tasks[a.task.0 as usize];
            self.running_of(a.job, None).len() < job.cap && self.other_worker(task, a.worker).is_some()
        };
        let slow = self.running.values().filter(has_room).filter_map(|a| self.slow_at(a));
        let looks = self.running.values().filter_map(|a| a.look_ms);
        let back = self.workers.values().filter_map(|w| w.aside_until_ms);
        let Some(due) = waiting.chain(silent).chain(slow).chain(looks).chain(back).min() else {
            return;
        };
        assert!(due > self.now_ms, "something due did not happen, like a second attempt");
        assert!(deadline.is_some_and(|at| at <= due), "{deadline:?} is after {due}");
    }

    pub(super) fn running_of(&self, job: JobNumber, task: Option<TaskId>) -> Vec<AttemptId> {
        let running = self.running.iter().filter(|(_, a)| a.job == job);
        running
            .filter(|(_, a)| task.is_none_or(|t| t == a.task))
            .map(|(id, _)| *id)
            .collect()
    }

    pub(super) fn on(&self, worker: WorkerId) -> usize {
        self.running.values().filter(|a| a.worker == worker).count()
    }

    pub(super) fn saw(&mut self, what: &'static str) {
        *self.seen.entry(what).or_default() += 1;
    }

    fn job(&mut self, job: JobNumber) -> &mut Job {
        self.jobs.get_mut(&job).unwrap_or_else(|| panic!("{job:?} is known"))
    }

    fn task(&mut self, job: JobNumber, task: TaskId) -> &mut Task {
        &mut self.job(job).tasks[task.0 as usize]
    }
}

fn word(error: &Error) -> &'static str {
    match error.kind {
        Kind::Spec => "job failed: spec",
        Kind::Input => "job failed: input",
        Kind::Unavailable => "job failed: unavailable",
        Kind::Exhausted if error.what.starts_with("task ") => "job failed: lost workers",
        Kind::Exhausted => "job failed: exhausted",
        Kind::Internal => "job failed: internal",
        Kind::Interrupted => "job failed: interrupted",
    }
}

impl Job {
    fn new() -> Self {
        Job {
            priority: 1,
            cap: 1,
            failed: false,
            tasks: Vec::new(),
            run_times: Vec::new(),
        }
    }

    /// Its stage has nothing more to do.
    pub(super) fn is_done(&self) -> bool {
        self.tasks.iter().all(|t| t.state == State::Done)
    }
}

impl Worker {
    fn slot_bytes(&self) -> u64 {
        self.memory_bytes / self.slots.max(1) as u64
    }
}

impl Task {
    fn new(new: &NewTask) -> Self {
        Task {
            new: *new,
            state: if new.done { State::Done } else { State::Ready },
            number: new.attempts,
            failures: [0, new.attempts, 0, new.lost],
            given_up: 0,
            voices: BTreeSet::new(),
            doubt: None,
            done_by: None,
            waits_for_voice: false,
            speculated: false,
        }
    }

    fn is_alone(&self) -> bool {
        self.failures[3] >= 2
    }

    fn need(&self) -> u64 {
        self.new.memory_bytes / 2u64.pow(self.new.halvings)
    }
}
