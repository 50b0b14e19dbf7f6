//! Naively: whose word counts, what failures lead to, and who is set aside.

use super::super::super::*;
use super::{Attempt, Model, State, Task, Worker};

/// A name, and which of those that have it.
pub(super) type Key = (String, usize);

const BAD: usize = 0;
const BLAMED: usize = 1;
const UNAVAILABLE: usize = 2;
const LOST: usize = 3;
const LIMITS: [u32; 4] = [1, 4, 12, 4];

#[derive(Debug, Default)]
pub(super) struct Record {
    strikes: u32,
    times_aside: u32,
    aside_until_ms: u64,
}

impl Model {
    /// The first number of a name that nobody has.
    pub(super) fn key(&mut self, name: &str) -> Key {
        let is_free = |number: &usize| self.workers.values().all(|w| w.key != (name.to_owned(), *number));
        let key = (name.to_owned(), (0..).find(is_free).unwrap_or(0));
        self.records.entry(key.clone()).or_default();
        key
    }

    /// Workers that take tasks.
    pub(super) fn takers(&self) -> impl Iterator<Item = (&WorkerId, &Worker)> {
        self.workers.iter().filter(|(_, w)| !w.draining && w.aside_until_ms.is_none())
    }

    pub(super) fn comes_back_aside(&mut self, worker: WorkerId) {
        let until_ms = self.records[&self.workers[&worker].key].aside_until_ms;
        if until_ms > self.now_ms {
            let why = Error::unavailable("it comes back, and its last attempts failed or were lost");
            self.set_aside(worker, until_ms, &why);
        }
    }

    pub(super) fn recall_if_none(&mut self) {
        if self.takers().next().is_none() {
            self.workers.values_mut().for_each(|w| w.aside_until_ms = None);
        }
    }

    pub(super) fn come_back(&mut self) {
        let now_ms = self.now_ms;
        for worker in self.workers.values_mut() {
            worker.aside_until_ms = worker.aside_until_ms.filter(|until_ms| *until_ms > now_ms);
        }
    }

    pub(super) fn praise(&mut self, key: &Key) {
        let record = self.records.entry(key.clone()).or_default();
        record.strikes = 0;
        record.times_aside -= record.times_aside.min(1);
    }

    fn strike(&mut self, key: &Key, is_condemned: bool) -> Option<u64> {
        let now_ms = self.now_ms;
        let record = self.records.entry(key.clone()).or_default();
        record.strikes = if is_condemned { record.strikes.max(3) } else { record.strikes + 1 };
        if record.strikes < 3 {
            return None;
        }
        let until_ms = now_ms + 60_000 * 2u64.pow(record.times_aside.min(6));
        record.times_aside += 1;
        record.aside_until_ms = until_ms;
        Some(until_ms)
    }

    fn condemn(&mut self, key: &Key, why: &Error) {
        let until_ms = self.strike(key, true);
        let worker = self.workers.iter().find(|(_, w)| w.key == *key).map(|(id, _)| *id);
        if let (Some(until_ms), Some(worker)) = (until_ms, worker) {
            self.set_aside(worker, until_ms, why);
        }
    }

    fn set_aside(&mut self, worker: WorkerId, until_ms: u64, why: &Error) {
        let takes_tasks = self.takers().any(|(id, _)| *id == worker);
        if !takes_tasks || self.takers().count() < 2 {
            return;
        }
        self.workers.entry(worker).and_modify(|w| w.aside_until_ms = Some(until_ms));
        self.saw("set aside");
        self.owed.push(Action::SetAside {
            worker,
            for_ms: until_ms - self.now_ms,
            why: why.clone(),
        });
    }

    /// Two voices say the same of the task: nobody's fault.
    fn acquit(&mut self, job: JobNumber, task: TaskId, charge: usize) -> bool {
        let keys = self.task(job, task).who(charge);
        if keys.len() < 2 {
            return false;
        }
        for key in keys {
            self.records.insert(key.clone(), Record::default());
            let workers = self.workers.values_mut().filter(|w| w.key == key);
            workers.for_each(|w| w.aside_until_ms = None);
        }
        self.saw("acquitted");
        true
    }

    pub(super) fn failed(&mut self, attempt: AttemptId, error: &Error) {
        let Some(ended) = self.end(attempt, "failed") else { return };
        let is_own = self.workers[&ended.worker].seen_ms.is_none();
        let error = match error.kind {
            Kind::Interrupted if is_own => return self.retry(&ended, Some(error.clone())),
            Kind::Interrupted => Error::internal("its worker gave it up, and nobody had asked for that"),
            _ => error.clone(),
        };
        self.charge(&ended, &error);
    }

    fn charge(&mut self, ended: &Attempt, error: &Error) {
        let key = self.workers[&ended.worker].key.clone();
        let is_own = self.workers[&ended.worker].seen_ms.is_none();
        let charge = match error.kind {
            Kind::Spec | Kind::Input => BAD,
            Kind::Unavailable => UNAVAILABLE,
            Kind::Exhausted | Kind::Internal | Kind::Interrupted => BLAMED,
        };
        let task = self.task(ended.job, ended.task);
        task.new.halvings += u32::from(error.kind == Kind::Exhausted);
        let is_over = task.hear(charge, (!is_own).then_some(&key), error);
        if !is_own
            && !self.acquit(ended.job, ended.task, charge)
            && let Some(until_ms) = self.strike(&key, false)
        {
            self.set_aside(ended.worker, until_ms, error);
        }
        match charge == BAD && is_over {
            true => self.fail(ended.job, error.clone()),
            false => self.retry(ended, is_over.then(|| error.clone())),
        }
    }

    pub(super) fn lose(&mut self, worker: WorkerId) {
        let of_worker = |(id, a): (&AttemptId, &Attempt)| (a.worker == worker).then_some(*id);
        let attempts: Vec<AttemptId> = self.running.iter().filter_map(of_worker).collect();
        let ended: Vec<Attempt> = attempts.into_iter().filter_map(|a| self.end(a, "lost")).collect();
        let Some(gone) = self.workers.remove(&worker) else { return };
        self.recall_if_none();
        self.emptied = self.emptied.filter(|(_, _, emptied)| *emptied != worker);
        let is_own = gone.seen_ms.is_none();
        if !is_own && !ended.is_empty() {
            self.strike(&gone.key, false);
        }
        for attempt in ended {
            let task = self.task(attempt.job, attempt.task);
            let error = Error::exhausted(format!(
                "task {} was on {} workers that were lost; it may need more memory than they have: see why they ended, give them more, or \
                 cut the task finer",
                attempt.task.0,
                task.failures[LOST] + 1
            ));
            let is_over = task.hear(LOST, (!is_own).then_some(&gone.key), &error);
            self.acquit(attempt.job, attempt.task, LOST);
            self.retry(&attempt, is_over.then_some(error));
        }
    }

    pub(super) fn not_found(&mut self, number: JobNumber, task: TaskId) {
        let Some(job) = self.jobs.get_mut(&number).filter(|job| !job.failed) else {
            return;
        };
        let Some(state) = job.tasks.get_mut(task.0 as usize).filter(|t| t.state == State::Done) else {
            return;
        };
        state.state = State::Ready;
        let error = Error::internal("it was said to be committed, and is not");
        let key = state.done_by.take();
        let is_over = key.is_some() && state.hear(BLAMED, key.as_ref(), &error);
        self.saw("not found");
        key.into_iter().for_each(|key| self.condemn(&key, &error));
        self.decide(number, task, is_over.then_some(error));
    }

    fn retry(&mut self, attempt: &Attempt, error: Option<Error>) {
        if self.jobs[&attempt.job].failed || !self.running_of(attempt.job, Some(attempt.task)).is_empty() {
            return self.saw("a failure beside another attempt");
        }
        self.decide(attempt.job, attempt.task, error);
    }

    fn decide(&mut self, job: JobNumber, task: TaskId, error: Option<Error>) {
        if let Some(error) = error {
            return self.fail(job, error);
        }
        let is_hopeless = self.task(job, task).doubt.is_some() && !self.finds_voice(job, task);
        let now_ms = self.now_ms;
        let task = self.task(job, task);
        let doublings = task.failures.iter().sum::<u32>().max(1) - 1;
        let backoff_ms = 200 * 2u64.pow(doublings.min(6));
        task.waits_for_voice = is_hopeless;
        task.state = State::Waiting {
            until_ms: now_ms + if is_hopeless { 10_000 } else { backoff_ms },
        };
    }

    /// Somebody who has not said it yet takes tasks; those who are set aside come back for it.
    fn finds_voice(&mut self, job: JobNumber, task: TaskId) -> bool {
        let avoided = self.task(job, task).avoided();
        let has_other = |model: &Model| model.takers().any(|(_, w)| !avoided.contains(&w.key));
        if !has_other(self) {
            self.workers.values_mut().for_each(|w| w.aside_until_ms = None);
        }
        has_other(self)
    }

    /// In the order of their ends, then of jobs and tasks.
    pub(super) fn wake(&mut self) {
        loop {
            let jobs = self.jobs.iter().filter(|(_, job)| !job.failed);
            let tasks = jobs.flat_map(|(number, job)| job.tasks.iter().enumerate().map(move |(at, t)| (*number, at, t)));
            let waiting = tasks.filter_map(|(job, at, task)| match task.state {
                State::Waiting { until_ms } if until_ms <= self.now_ms => Some((until_ms, job, TaskId(at as u32))),
                _ => None,
            });
            let Some((_, number, task)) = waiting.min() else { return };
            let state = self.task(number, task);
            let has_waited = std::mem::take(&mut state.waits_for_voice);
            match state.doubt.clone() {
                Some((_, error)) if !self.finds_voice(number, task) => match has_waited {
                    true => {
                        self.saw("nobody else to ask");
                        self.fail(number, error);
                    }
                    false => self.decide(number, task, None),
                },
                _ => self.task(number, task).state = State::Ready,
            }
        }
    }

    /// What holds a task for too long is given up, if somebody else can have it.
    pub(super) fn overdue(&mut self) {
        loop {
            let looks = self.running.iter().filter_map(|(id, a)| Some((a.look_ms?, *id)));
            let Some((_, id)) = looks.filter(|(at, _)| *at <= self.now_ms).min() else {
                return;
            };
            let attempt = self.running[&id].clone();
            let (due_ms, error) = self.due(&attempt);
            let mut avoided = self.task(attempt.job, attempt.task).avoided();
            let key = self.workers[&attempt.worker].key.clone();
            avoided.insert(key.clone());
            let now_ms = self.now_ms;
            if due_ms <= now_ms && self.takers().any(|(_, w)| !avoided.contains(&w.key)) {
                self.end(id, "given up");
                self.task(attempt.job, attempt.task).given_up += 1;
                let worker = attempt.worker;
                self.owed.push(Action::GiveUp {
                    attempt: id,
                    worker,
                    error: error.clone(),
                });
                self.charge(&attempt, &error);
                self.condemn(&key, &error);
            } else {
                let next = if due_ms <= now_ms { now_ms + 180_000 } else { due_ms };
                self.running.get_mut(&id).into_iter().for_each(|a| a.look_ms = Some(next));
            }
        }
    }

    fn due(&self, attempt: &Attempt) -> (u64, Error) {
        let job = &self.jobs[&attempt.job];
        let task = &job.tasks[attempt.task.0 as usize];
        let doubled = 2u64.pow(task.given_up.min(20));
        let mut times: Vec<u64> = job.run_times.iter().map(|(run_ms, _)| *run_ms).collect();
        times.sort_unstable();
        let (all_ms, all_weight) = job.run_times.iter().fold((0, 0), |(ms, weight), (m, w)| (ms + m, weight + w));
        let longest_ms = match times.get((times.len().max(1) - 1) / 2) {
            Some(median) => 1_800_000.max(20 * (*median).max(all_ms * task.new.weight / all_weight.max(1))),
            None => 14_400_000,
        };
        let (still, longest) = (180_000 * doubled, longest_ms * doubled);
        if attempt.moved_ms + still <= attempt.started_ms + longest {
            let error = Error::unavailable(format!("given up: nothing moved in it for {} s", still / 1_000));
            (attempt.moved_ms + still, error)
        } else {
            let error = Error::unavailable(format!("given up: it took longer than {} s", longest / 1_000));
            (attempt.started_ms + longest, error)
        }
    }
}

impl Task {
    /// Whether it ends the job.
    fn hear(&mut self, charge: usize, key: Option<&Key>, error: &Error) -> bool {
        self.failures[charge] += 1;
        self.voices.extend(key.map(|key| (charge, key.clone())));
        let is_enough = self.failures[charge] >= LIMITS[charge];
        let is_sure = key.is_none() || self.who(charge).len() > 1 || self.failures.iter().sum::<u32>() >= 36;
        if is_enough && !is_sure {
            self.doubt = Some((charge, error.clone()));
        }
        is_enough && is_sure
    }

    fn who(&self, charge: usize) -> Vec<Key> {
        let said = self.voices.iter().filter(|(said, _)| *said == charge);
        said.map(|(_, key)| key.clone()).collect()
    }

    pub(super) fn avoided(&self) -> BTreeSet<Key> {
        match &self.doubt {
            Some((charge, _)) => self.who(*charge).into_iter().collect(),
            None => self.voices.iter().map(|(_, key)| key.clone()).collect(),
        }
    }
}
