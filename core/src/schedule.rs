//! The scheduler: a machine without a world, for many jobs. It is told what happened and when, and answers what to do.
//!
//! ```text
//!         StageOpened              Start              Done, TaskDone
//! task:  ------------> ready --------------> running ---------------> done      all of a stage done: StageDone
//!                      ^   ^  HandedBack       |
//!                      |   +-------------------+
//!                      +---- waiting <---------+  Failed (unavailable, exhausted, internal), WorkerLost: again after a backoff,
//!                                                 until a limit; then JobFailed
//!                                                 Failed (spec, input, interrupted): JobFailed at once
//! ```
//! A running task that takes long may get one more attempt on another worker; it waits or is ready only when no attempt is left.
//!
//! What must always hold: a task counts once (the first `Done` or `TaskDone`; later ones are ignored); every `Start` ends in exactly one of
//! `Done`, `Failed`, `HandedBack`, `Stop` or the loss of its worker, and is forgotten then; a failed job starts nothing any more; no worker
//! has more attempts than slots, and one that drains or is lost gets none; a job stays within its cap.
//!
//! The modules: `messages` is what the world and the machine tell each other; `workers` knows who has a free slot, `shares` whose turn it is, `stage` which task comes next and which takes long (`ready`,
//! `pace`).

mod messages;
mod pace;
mod ready;
mod shares;
mod stage;
mod workers;

use crate::error::{Error, Kind};
pub use messages::{Action, AttemptId, Event, JobNumber, NewTask, Progress, TaskId, WorkerId};
use shares::Shares;
use stage::{Left, Stage};
use std::collections::{BTreeMap, BTreeSet};
use workers::Workers;

/// How often a worker is to say that it is there.
pub const HEARTBEAT_MS: u64 = 5_000;
/// A worker that was not heard of for so long is lost.
pub const LOST_AFTER_MS: u64 = 20_000;
/// Blamed failures of one task that fail its job; as many lost workers under one task do the same.
pub const MAX_ATTEMPTS: u32 = 4;
/// Failures of one task because something did not answer that fail its job: nobody is to blame, but a job must end.
pub const MAX_UNAVAILABLE: u32 = 3 * MAX_ATTEMPTS;
/// The wait after a task's first failure; it doubles with each further one.
pub const BACKOFF_MS: u64 = 200;
/// How often the wait doubles at most: 200 ms become 12.8 s.
pub const MAX_BACKOFF_DOUBLINGS: u32 = 6;
/// Percent of a stage's tasks that must be done before slow ones get a second attempt.
pub const SPECULATE_AFTER_DONE: usize = 75;
/// A task is slow when it runs longer than this many times the median of its stage; a fraction, for core knows no floats here.
pub const SPECULATE_FACTOR: (u64, u64) = (3, 2);
/// A task that runs for less than this is not slow: a second attempt would cost more than it saves.
pub const SPECULATE_AT_LEAST_MS: u64 = 1_000;
/// How many slow tasks of a job a step looks at to find one that another worker can take.
pub const MAX_SLOW_SEEN: usize = 64;

/// Whether a failure of this kind counts against its task. The others are nobody's fault, or end the job at once.
pub fn is_blamed(kind: Kind) -> bool {
    match kind {
        Kind::Exhausted | Kind::Internal => true,
        Kind::Unavailable | Kind::Spec | Kind::Input | Kind::Interrupted => false,
    }
}

/// The scheduler of one coordinator.
#[derive(Debug, Default)]
pub struct Machine {
    /// The latest time it was told; it never goes back.
    now_ms: u64,
    workers: Workers,
    jobs: BTreeMap<JobNumber, Job>,
    shares: Shares,
    attempts: BTreeMap<AttemptId, Attempt>,
    /// Tasks in their backoff, by when it ends.
    waiting: BTreeSet<(u64, JobNumber, TaskId)>,
    next_attempt: u64,
}

#[derive(Debug)]
struct Job {
    priority: u32,
    max_running: usize,
    failed: bool,
    running: BTreeSet<AttemptId>,
    stage: Stage,
}

#[derive(Debug, Clone, Copy)]
struct Attempt {
    job: JobNumber,
    task: TaskId,
    worker: WorkerId,
    started_ms: u64,
}

impl Machine {
    /// Takes one event and answers what to do now, in this order.
    pub fn step(&mut self, now_ms: u64, event: Event) -> Vec<Action> {
        self.now_ms = self.now_ms.max(now_ms);
        let mut actions = Vec::new();
        self.take(event, &mut actions);
        self.drop_silent(&mut actions);
        self.wake();
        self.start(&mut actions);
        self.speculate(&mut actions);
        actions
    }

    /// When `step` wants to be called at the latest, if at all; always after the time of the last step.
    pub fn next_deadline(&self) -> Option<u64> {
        let backoff = self.waiting.first().map(|(at, ..)| *at);
        let silence = self.workers.next_silent();
        let slow = self.speculating().filter_map(|(_, job)| job.stage.next_slow(self.now_ms)).min();
        let slow = slow.filter(|_| self.workers.has_free());
        [backoff, silence, slow].into_iter().flatten().min()
    }

    /// How far the job's current stage is.
    pub fn progress(&self, job: JobNumber) -> Option<Progress> {
        self.jobs.get(&job).map(|job| job.stage.progress())
    }

    /// Tasks of all jobs that could start now if they had a slot: what more workers would be good for.
    pub fn runnable(&self) -> usize {
        let of = |job: &Job| job.stage.ready().min(job.max_running.saturating_sub(job.running.len()));
        self.jobs.values().map(of).sum()
    }

    /// Attempts under way.
    pub fn running(&self) -> usize {
        self.attempts.len()
    }

    /// Slots of workers that take tasks.
    pub fn slots(&self) -> usize {
        self.workers.slots()
    }

    fn take(&mut self, event: Event, actions: &mut Vec<Action>) {
        match event {
            Event::WorkerJoined {
                worker,
                slots,
                memory_bytes,
                heartbeats,
            } => {
                self.lose(worker, actions);
                let seen_ms = heartbeats.then_some(self.now_ms);
                self.workers.join(worker, slots, memory_bytes, seen_ms);
            }
            Event::WorkerSeen { worker } => self.workers.seen(worker, self.now_ms),
            Event::WorkerDraining { worker } => self.workers.drain(worker),
            Event::WorkerLost { worker } => self.lose(worker, actions),
            Event::JobOpened {
                job,
                priority,
                max_running,
            } => self.open_job(job, priority, max_running),
            Event::StageOpened { job, tasks } => self.open_stage(job, &tasks, actions),
            Event::Done { attempt } => self.done(attempt, actions),
            Event::TaskDone { job, task } => self.task_done(job, task, actions),
            Event::Failed { attempt, error } => self.failed(attempt, error, actions),
            Event::HandedBack { attempt } => self.handed_back(attempt),
            Event::Cancel { job } => self.fail_job(job, Error::new(Kind::Interrupted, "interrupted"), actions),
            Event::JobClosed { job } => {
                self.stop_all(job, actions);
                self.jobs.remove(&job);
                self.refresh(job);
            }
            Event::Tick => {}
        }
    }

    fn open_job(&mut self, job: JobNumber, priority: u32, max_running: Option<usize>) {
        let (priority, max_running) = (priority.max(1), max_running.unwrap_or(usize::MAX).max(1));
        let entry = self.jobs.entry(job).or_insert_with(|| Job {
            priority,
            max_running,
            failed: false,
            running: BTreeSet::new(),
            stage: Stage::default(),
        });
        (entry.priority, entry.max_running) = (priority, max_running);
        self.refresh(job);
    }

    fn open_stage(&mut self, number: JobNumber, tasks: &[NewTask], actions: &mut Vec<Action>) {
        if self.jobs.get(&number).is_none_or(|job| job.failed) {
            return;
        }
        self.stop_all(number, actions);
        let Some(job) = self.jobs.get_mut(&number) else { return };
        job.stage = Stage::new(tasks);
        if job.stage.is_done() {
            actions.push(Action::StageDone { job: number });
        }
        self.refresh(number);
    }

    fn done(&mut self, attempt: AttemptId, actions: &mut Vec<Action>) {
        let Some(&Attempt { job, task, started_ms, .. }) = self.attempts.get(&attempt) else {
            return;
        };
        if let Some(entry) = self.jobs.get_mut(&job) {
            entry.stage.learn(self.now_ms - started_ms);
        }
        self.end(attempt);
        self.task_done(job, task, actions);
    }

    fn task_done(&mut self, number: JobNumber, task: TaskId, actions: &mut Vec<Action>) {
        let Some(job) = self.jobs.get_mut(&number).filter(|job| !job.failed) else {
            return;
        };
        let Some(left) = job.stage.finish(task) else { return };
        let is_done = job.stage.is_done();
        match left {
            Left::Running(attempts) => attempts.into_iter().flatten().for_each(|attempt| self.stop(attempt, actions)),
            Left::Waiting { until_ms } => {
                self.waiting.remove(&(until_ms, number, task));
            }
            Left::Nothing => {}
        }
        if is_done {
            actions.push(Action::StageDone { job: number });
        }
        self.refresh(number);
    }

    fn failed(&mut self, attempt: AttemptId, error: Error, actions: &mut Vec<Action>) {
        let Some(Attempt { job, task, .. }) = self.end(attempt) else {
            return;
        };
        let Some(entry) = self.jobs.get_mut(&job) else { return };
        let state = entry.stage.task_mut(task);
        let is_over = match error.kind {
            Kind::Spec | Kind::Input => return self.fail_job(job, error, actions),
            Kind::Interrupted => true,
            Kind::Unavailable => count(&mut state.unavailable) >= MAX_UNAVAILABLE,
            Kind::Exhausted => {
                count(&mut state.halvings);
                count(&mut state.blamed) >= MAX_ATTEMPTS
            }
            Kind::Internal => count(&mut state.blamed) >= MAX_ATTEMPTS,
        };
        self.retry(job, task, is_over.then_some(error), actions);
    }

    fn lose(&mut self, worker: WorkerId, actions: &mut Vec<Action>) {
        let attempts = self.workers.leave(worker);
        // All of them end before anything follows: a job that fails here stops what it runs elsewhere only.
        let ended: Vec<Attempt> = attempts.into_iter().filter_map(|attempt| self.end(attempt)).collect();
        for Attempt { job, task, .. } in ended {
            let Some(entry) = self.jobs.get_mut(&job) else { continue };
            let lost = count(&mut entry.stage.task_mut(task).lost);
            let error = (lost >= MAX_ATTEMPTS).then(|| {
                Error::exhausted(format!(
                    "task {} was on {lost} workers that were lost; it may need more memory than they have: see why they ended, give them more, \
                     or cut the task finer",
                    task.0
                ))
            });
            self.retry(job, task, error, actions);
        }
    }

    /// What becomes of a task that lost an attempt: while another runs, nothing.
    fn retry(&mut self, number: JobNumber, task: TaskId, error: Option<Error>, actions: &mut Vec<Action>) {
        let Some(job) = self.jobs.get_mut(&number).filter(|job| !job.failed && job.stage.is_idle(task)) else {
            return;
        };
        match error {
            Some(error) => self.fail_job(number, error, actions),
            None => {
                let until_ms = job.stage.wait(task, self.now_ms);
                self.waiting.insert((until_ms, number, task));
            }
        }
    }

    fn handed_back(&mut self, attempt: AttemptId) {
        let Some(Attempt { job, task, worker, .. }) = self.end(attempt) else {
            return;
        };
        self.workers.drain(worker);
        if let Some(entry) = self.jobs.get_mut(&job)
            && entry.stage.is_idle(task)
        {
            entry.stage.make_ready(task);
            self.refresh(job);
        }
    }

    fn fail_job(&mut self, number: JobNumber, error: Error, actions: &mut Vec<Action>) {
        if self.jobs.get(&number).is_none_or(|job| job.failed) {
            return;
        }
        self.stop_all(number, actions);
        if let Some(job) = self.jobs.get_mut(&number) {
            job.failed = true;
        }
        actions.push(Action::JobFailed { job: number, error });
        self.refresh(number);
    }

    /// Ends whatever the job runs, and lets none of its tasks become ready again.
    fn stop_all(&mut self, number: JobNumber, actions: &mut Vec<Action>) {
        let Some(job) = self.jobs.get_mut(&number) else { return };
        for attempt in job.running.clone() {
            self.stop(attempt, actions);
        }
        // Rare, so that a look at everything that waits is cheap enough.
        self.waiting.retain(|(_, job, _)| *job != number);
        if let Some(job) = self.jobs.get_mut(&number) {
            job.stage.give_up();
        }
    }

    fn stop(&mut self, attempt: AttemptId, actions: &mut Vec<Action>) {
        if let Some(Attempt { worker, .. }) = self.end(attempt) {
            actions.push(Action::Stop { attempt, worker });
        }
    }

    /// Forgets an attempt; its slot is free.
    fn end(&mut self, attempt: AttemptId) -> Option<Attempt> {
        let ended = self.attempts.remove(&attempt)?;
        self.workers.release(ended.worker, attempt);
        if let Some(job) = self.jobs.get_mut(&ended.job) {
            job.running.remove(&attempt);
            job.stage.end(ended.task, attempt, ended.started_ms);
            self.refresh(ended.job);
        }
        Some(ended)
    }

    fn drop_silent(&mut self, actions: &mut Vec<Action>) {
        while let Some(worker) = self.workers.silent(self.now_ms) {
            actions.push(Action::Drop { worker });
            self.lose(worker, actions);
        }
    }

    /// Tasks whose backoff is over are ready.
    fn wake(&mut self) {
        while let Some(&(at, number, task)) = self.waiting.first()
            && at <= self.now_ms
        {
            self.waiting.pop_first();
            if let Some(job) = self.jobs.get_mut(&number) {
                job.stage.make_ready(task);
            }
            self.refresh(number);
        }
    }

    /// Free slots go to ready tasks.
    fn start(&mut self, actions: &mut Vec<Action>) {
        while let Some(limit) = self.workers.largest_free() {
            let next = self
                .shares
                .jobs()
                .find_map(|job| Some((job, self.jobs.get(&job)?.stage.next(limit)?)));
            let Some((job, task)) = next else { return };
            let need = self.jobs[&job].stage.need(task);
            let worker = self.workers.pick(need, None).expect("a task within the limit has a worker");
            self.launch(job, task, worker, false, actions);
        }
    }

    /// Slots that no ready task can use go to second attempts of tasks that take long.
    fn speculate(&mut self, actions: &mut Vec<Action>) {
        if !self.workers.has_free() {
            return;
        }
        let slow: Vec<AttemptId> = self
            .speculating()
            .flat_map(|(_, job)| job.stage.slow(self.now_ms).take(MAX_SLOW_SEEN))
            .collect();
        for attempt in slow {
            let first = self.attempts[&attempt];
            let Some(job) = self.jobs.get_mut(&first.job).filter(|job| job.running.len() < job.max_running) else {
                continue;
            };
            if let Some(worker) = self.workers.pick(job.stage.need(first.task), Some(first.worker)) {
                job.stage.accompany(attempt, first.started_ms);
                self.launch(first.job, first.task, worker, true, actions);
            }
        }
    }

    /// Jobs that may have second attempts.
    fn speculating(&self) -> impl Iterator<Item = (&JobNumber, &Job)> {
        self.jobs
            .iter()
            .filter(|(_, job)| !job.failed && job.running.len() < job.max_running)
    }

    fn launch(&mut self, number: JobNumber, task: TaskId, worker: WorkerId, speculative: bool, actions: &mut Vec<Action>) {
        let attempt = AttemptId(self.next_attempt);
        self.next_attempt += 1;
        let Some(job) = self.jobs.get_mut(&number) else { return };
        job.running.insert(attempt);
        let (started, halvings) = job.stage.start(task, attempt, self.now_ms);
        self.workers.occupy(worker, attempt);
        self.attempts.insert(
            attempt,
            Attempt {
                job: number,
                task,
                worker,
                started_ms: self.now_ms,
            },
        );
        self.refresh(number);
        actions.push(Action::Start {
            job: number,
            task,
            attempt,
            worker,
            number: started,
            halvings,
            speculative,
        });
    }

    /// Tells `shares` how a job stands after something changed.
    fn refresh(&mut self, number: JobNumber) {
        let job = self.jobs.get(&number);
        let wanting = job.filter(|job| !job.failed && job.stage.ready() > 0 && job.running.len() < job.max_running);
        self.shares.set(number, wanting.map(|job| (job.running.len(), job.priority)));
    }
}

/// One more; the new count.
fn count(counter: &mut u32) -> u32 {
    *counter = counter.saturating_add(1);
    *counter
}

#[cfg(test)]
mod simulation;
#[cfg(test)]
mod tests;
