//! The scheduler: a machine without a world, for many jobs. It is told what happened and when, and answers what to do.
//!
//! ```text
//!         StageOpened              Start              Done
//! task:  ------------> ready --------------> running ---------------> done      all of a stage done: StageDone
//!                      ^   ^  HandedBack       |
//!                      |   +-------------------+
//!                      +---- waiting <---------+  Failed (unavailable, exhausted, internal), WorkerLost: again after a backoff,
//!                                                 until a limit; then JobFailed
//!                                                 Failed (spec, input, interrupted): JobFailed at once
//! ```
//! A running task that takes long may get one more attempt on another worker; it waits or is ready only when no attempt is left.
//!
//! **A worker's word never fails a job by itself.** What fails is tried elsewhere first, where there is anybody else. A failure that would end
//! the job does so when a second worker has said the same kind of thing, or when for `SECOND_VOICE_MS` there was no other worker to ask. A
//! worker whose attempts fail where others' do not is set aside for a time, as is one that says done what is not. An attempt in which nothing
//! moves, or that takes far too long, is given up where another worker can have the task. A task that has lost workers runs alone.
//! Workers of the same process are believed.
//!
//! What must always hold: a task counts once (the first `Done`; later ones are ignored), unless it is `NotFound`; every `Start`
//! ends in exactly one of `Done`, `Failed`, `HandedBack`, `Stop`, `GiveUp` or the loss of its worker, and is forgotten then; a failed job
//! starts nothing any more; no worker has more attempts than slots, and one that drains, is lost or set aside gets none; a job stays within
//! its cap; some worker takes tasks if any is there that does not drain.
//!
//! The modules: `messages` is what the world and the machine tell each other; `workers` knows who has a free slot (`blame`: and what is
//! remembered of whom), `shares` whose turn it is, `stage` which task comes next and which takes long (`ready`, `pace`), `task_failures` what was said
//! of a task; `failures` decides what a failure leads to, `alone` which worker is kept for one task, `overdue` what is given up.

mod alone;
mod blame;
mod failures;
mod messages;
mod overdue;
mod pace;
mod ready;
mod shares;
mod stage;
mod task_failures;
mod workers;

use crate::error::{Error, Kind};
use blame::NameId;
pub use messages::{Action, AttemptId, Event, JobNumber, NewTask, Progress, TaskId, WorkerId};
use shares::Shares;
use stage::Stage;
use std::collections::{BTreeMap, BTreeSet};
use workers::{Joining, Workers};

/// How often a worker is to say that it is there.
pub const HEARTBEAT_MS: u64 = 5_000;
/// A worker that was not heard of for so long is lost.
pub const LOST_AFTER_MS: u64 = 20_000;
/// Blamed failures of one task that fail its job, two workers among them; as many lost workers under one task do the same.
pub const MAX_ATTEMPTS: u32 = 4;
/// Failures of one task because something did not answer that fail its job: nobody is to blame, but a job must end.
pub const MAX_UNAVAILABLE: u32 = 3 * MAX_ATTEMPTS;
/// Failures of one task, whatever they are, that fail its job.
pub const MAX_FAILURES: u32 = 3 * MAX_UNAVAILABLE;
/// How long a failure that would end the job waits for another worker to ask: as long as a worker waits at most before it comes back.
pub const SECOND_VOICE_MS: u64 = 10_000;
/// Failures in a row that set a worker aside.
pub const ASIDE_AFTER: u32 = 3;
/// For how long it is set aside first; the time doubles until the worker is known to work.
pub const ASIDE_MS: u64 = 60_000;
/// How often that time doubles at most: a minute becomes about an hour.
pub const MAX_ASIDE_DOUBLINGS: u32 = 6;
/// Names of workers that are remembered; the oldest of those that have gone are forgotten.
pub const MAX_NAMES: usize = 1_000;
/// A task that has lost so many workers runs alone on its worker.
pub const ALONE_AFTER_LOST: u32 = 2;
/// An attempt in which nothing moved for so long is given up, if another worker can have the task. As long as the coordinator waits for its
/// store; it doubles with each attempt at the task that was given up.
pub const STILL_MS: u64 = 180_000;
/// An attempt that takes longer than this is given up even if it says that it moves; it doubles as `STILL_MS` does.
pub const LONGEST_MS: u64 = 4 * 3_600_000;
/// The same once tasks of its stage are done, unless it may be expected to take long.
pub const LONGEST_KNOWN_MS: u64 = 30 * 60_000;
/// It may take so many times what the tasks that are done let expect of one of its weight.
pub const LONGEST_FACTOR: u64 = 20;
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
    /// Attempts, by when they are to be looked at.
    watched: BTreeSet<(u64, AttemptId)>,
    /// A worker that is emptied for a task that runs alone.
    emptied: Option<Emptied>,
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
    /// When something was last known to move in it.
    moved_ms: u64,
    /// When it is looked at, if it is.
    look_ms: Option<u64>,
    /// Nothing else runs beside it.
    is_alone: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Emptied {
    job: JobNumber,
    task: TaskId,
    worker: WorkerId,
}

impl Machine {
    /// Takes one event and answers what to do now, in this order.
    pub fn step(&mut self, now_ms: u64, event: Event) -> Vec<Action> {
        self.now_ms = self.now_ms.max(now_ms);
        let mut actions = Vec::new();
        self.take(event, &mut actions);
        self.drop_silent(&mut actions);
        self.give_up_overdue(&mut actions);
        self.workers.come_back(self.now_ms);
        self.wake(&mut actions);
        self.start(&mut actions);
        self.start_alone(&mut actions);
        self.speculate(&mut actions);
        actions
    }

    /// When `step` wants to be called at the latest, if at all; always after the time of the last step.
    pub fn next_deadline(&self) -> Option<u64> {
        let backoff = self.waiting.first().map(|(at, ..)| *at);
        let silence = self.workers.next_silent();
        let slow = self.speculating().filter_map(|(_, job)| job.stage.next_slow(self.now_ms)).min();
        let slow = slow.filter(|_| self.workers.has_free());
        let look = self.watched.first().map(|(at, _)| *at);
        [backoff, silence, slow, look, self.workers.next_back()].into_iter().flatten().min()
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
    #[cfg(test)]
    fn running(&self) -> usize {
        self.attempts.len()
    }

    /// Workers that are set aside.
    pub fn aside(&self) -> usize {
        self.workers.aside()
    }

    /// Slots of workers that take tasks.
    pub fn slots(&self) -> usize {
        self.workers.slots()
    }

    fn take(&mut self, event: Event, actions: &mut Vec<Action>) {
        match event {
            Event::WorkerJoined {
                worker,
                name,
                slots,
                memory_bytes,
                heartbeats,
            } => {
                self.lose(worker, actions);
                let joining = Joining {
                    name: &name,
                    slots,
                    memory_bytes,
                    seen_ms: heartbeats.then_some(self.now_ms),
                    now_ms: self.now_ms,
                };
                if let Some(until_ms) = self.workers.join(worker, joining) {
                    actions.push(Action::SetAside {
                        worker,
                        for_ms: until_ms - self.now_ms,
                        why: Error::unavailable("it comes back, and its last attempts failed or were lost"),
                    });
                }
            }
            Event::Resumed => {
                self.workers.all_seen(self.now_ms);
                self.attempts.values_mut().for_each(|attempt| attempt.moved_ms = self.now_ms);
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
            Event::NotFound { job, task } => self.not_found(job, task, actions),
            Event::Moved { attempt } => {
                if let Some(attempt) = self.attempts.get_mut(&attempt) {
                    attempt.moved_ms = self.now_ms;
                }
            }
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
        let Some(&Attempt {
            job,
            task,
            started_ms,
            worker,
            ..
        }) = self.attempts.get(&attempt)
        else {
            return;
        };
        let name = self.workers.name(worker);
        name.into_iter().for_each(|name| self.workers.names.praise(name));
        if let Some(entry) = self.jobs.get_mut(&job) {
            entry.stage.learn(task, self.now_ms - started_ms);
            entry.stage.task_mut(task).done_by = name;
        }
        self.end(attempt);
        self.task_done(job, task, actions);
    }

    fn task_done(&mut self, number: JobNumber, task: TaskId, actions: &mut Vec<Action>) {
        let Some(job) = self.jobs.get_mut(&number).filter(|job| !job.failed) else {
            return;
        };
        let Some(beside) = job.stage.finish(task) else { return };
        let is_done = job.stage.is_done();
        beside.into_iter().for_each(|attempt| self.stop(attempt, actions));
        if is_done {
            actions.push(Action::StageDone { job: number });
        }
        self.refresh(number);
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
        ended.look_ms.into_iter().for_each(|at| {
            self.watched.remove(&(at, attempt));
        });
        self.workers.release(ended.worker, attempt);
        if ended.is_alone {
            self.workers.close(ended.worker, false);
        }
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

    /// Free slots go to ready tasks.
    fn start(&mut self, actions: &mut Vec<Action>) {
        self.look_for_idle();
        loop {
            self.keep_emptied();
            while let Some(limit) = self.workers.largest_free() {
                let Some((job, task, worker)) = self.shares.jobs().find_map(|job| self.next_of(job, limit)) else {
                    break;
                };
                self.launch((job, task), worker, As::Next, actions);
            }
            // What was started may have taken the last place under the cap of the job that a worker is emptied for.
            if !self.is_emptied_in_vain() {
                return;
            }
        }
    }

    /// The heaviest task of a job that a free slot can take, and whose.
    fn next_of(&self, job: JobNumber, limit: u64) -> Option<(JobNumber, TaskId, WorkerId)> {
        let stage = &self.jobs.get(&job)?.stage;
        let placed = |task: TaskId| Some((job, task, self.workers.pick(stage.need(task), &self.avoided(stage, task))?));
        stage.candidates(limit).find_map(placed)
    }

    /// Who should not have a task; nobody, if there is no one else.
    fn avoided(&self, stage: &Stage, task: TaskId) -> BTreeSet<NameId> {
        let avoided = stage.avoided(task);
        match avoided.is_empty() || self.workers.has_other(&avoided) {
            true => avoided,
            false => BTreeSet::new(),
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
            let mut avoided = job.stage.avoided(first.task);
            avoided.extend(self.workers.name(first.worker));
            if let Some(worker) = self.workers.pick(job.stage.need(first.task), &avoided) {
                job.stage.accompany(attempt, first.started_ms);
                self.launch((first.job, first.task), worker, As::Second, actions);
            }
        }
    }

    /// Jobs that may have second attempts.
    fn speculating(&self) -> impl Iterator<Item = (&JobNumber, &Job)> {
        self.jobs
            .iter()
            .filter(|(_, job)| !job.failed && job.running.len() < job.max_running)
    }

    fn launch(&mut self, (number, task): (JobNumber, TaskId), worker: WorkerId, how: As, actions: &mut Vec<Action>) {
        let attempt = AttemptId(self.next_attempt);
        self.next_attempt += 1;
        let Some(job) = self.jobs.get_mut(&number) else { return };
        job.running.insert(attempt);
        let (started, halvings) = job.stage.start(task, attempt, self.now_ms);
        self.workers.occupy(worker, attempt);
        let look_ms = (!self.workers.is_own(worker)).then_some(self.now_ms + STILL_MS);
        self.watched.extend(look_ms.map(|at| (at, attempt)));
        let entry = Attempt {
            job: number,
            task,
            worker,
            started_ms: self.now_ms,
            moved_ms: self.now_ms,
            look_ms,
            is_alone: how == As::Alone,
        };
        self.attempts.insert(attempt, entry);
        self.refresh(number);
        actions.push(Action::Start {
            job: number,
            task,
            attempt,
            worker,
            number: started,
            halvings,
            speculative: how == As::Second,
        });
    }

    /// Tells `shares` how a job stands after something changed.
    fn refresh(&mut self, number: JobNumber) {
        let job = self.jobs.get(&number);
        let wanting = job.filter(|job| !job.failed && job.stage.ready() > 0 && job.running.len() < job.max_running);
        self.shares.set(number, wanting.map(|job| (job.running.len(), job.priority)));
    }
}

/// What an attempt is started as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum As {
    Next,
    /// Beside the first one, which takes long.
    Second,
    /// With nothing beside it on its worker.
    Alone,
}

#[cfg(test)]
mod simulation;
#[cfg(test)]
mod tests;
