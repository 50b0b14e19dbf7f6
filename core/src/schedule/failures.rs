//! What becomes of a task whose attempt failed, and of the worker that it failed on.

use super::blame::NameId;
use super::task_failures::FailureKind;
use super::{Action, Attempt, AttemptId, JobNumber, Machine, SECOND_VOICE_MS, TaskId, WorkerId};
use crate::error::{Error, Kind};

impl Machine {
    pub(super) fn failed(&mut self, attempt: AttemptId, error: Error, actions: &mut Vec<Action>) {
        let Some(Attempt { job, task, worker, .. }) = self.end(attempt) else {
            return;
        };
        let error = match error.kind {
            Kind::Interrupted if self.workers.is_own(worker) => return self.retry(job, task, Some(error), actions),
            Kind::Interrupted => Error::internal("its worker gave it up, and nobody had asked for that"),
            _ => error,
        };
        self.task_failed(job, task, worker, error, actions);
    }

    /// A worker says that its attempt at a task failed.
    pub(super) fn task_failed(&mut self, job: JobNumber, task: TaskId, worker: WorkerId, error: Error, actions: &mut Vec<Action>) {
        let name = self.workers.name(worker).filter(|_| !self.workers.is_own(worker));
        if let Some(entry) = self.jobs.get_mut(&job)
            && error.kind == Kind::Exhausted
        {
            let halvings = &mut entry.stage.task_mut(task).halvings;
            *halvings = halvings.saturating_add(1);
        }
        let failure = FailureKind::of(error.kind);
        let is_over = self.record(job, task, failure, name, &error);
        if let Some(name) = name
            && !self.acquit(job, task, failure)
            && let Some(until_ms) = self.workers.names.strike(name, self.now_ms)
        {
            self.set_aside(worker, until_ms, &error, actions);
        }
        match failure {
            FailureKind::Bad if is_over => self.fail_job(job, error, actions),
            _ => self.retry(job, task, is_over.then_some(error), actions),
        }
    }

    /// Writes down what is said of a task. Whether it ends the job.
    fn record(&mut self, job: JobNumber, task: TaskId, failure: FailureKind, name: Option<NameId>, error: &Error) -> bool {
        let Some(entry) = self.jobs.get_mut(&job) else { return false };
        entry.stage.task_mut(task).task_failures_mut().record(failure, name, error)
    }

    /// What two workers say of a task is not their fault. Whether it is so.
    fn acquit(&mut self, job: JobNumber, task: TaskId, failure: FailureKind) -> bool {
        let failures = self.jobs.get(&job).and_then(|entry| entry.stage.task_failures(task));
        let names: Vec<NameId> = failures.map(|failures| failures.reported_by(failure).collect()).unwrap_or_default();
        if names.len() < 2 {
            return false;
        }
        for name in names {
            self.workers.names.acquit(name);
            let worker = self.workers.named(name);
            worker.into_iter().for_each(|worker| self.workers.take_back(worker));
        }
        true
    }

    fn set_aside(&mut self, worker: WorkerId, until_ms: u64, why: &Error, actions: &mut Vec<Action>) {
        if self.workers.set_aside(worker, until_ms) {
            actions.push(Action::SetAside {
                worker,
                for_ms: until_ms - self.now_ms,
                why: why.clone(),
            });
        }
    }

    /// A task that was said to be done is not.
    pub(super) fn not_found(&mut self, number: JobNumber, task: TaskId, actions: &mut Vec<Action>) {
        let Some(job) = self.jobs.get_mut(&number).filter(|job| !job.failed) else {
            return;
        };
        if !job.stage.undo(task) {
            return;
        }
        let name = job.stage.task_mut(task).done_by.take();
        let error = Error::internal("it was said to be committed, and is not");
        // Nobody said so if its commit was listed; then it is only done again.
        let is_over = name.is_some() && self.record(number, task, FailureKind::Blamed, name, &error);
        name.into_iter().for_each(|name| self.condemn(name, &error, actions));
        self.retry(number, task, is_over.then_some(error), actions);
    }

    /// A worker did what no good one does, and is set aside at once.
    pub(super) fn condemn(&mut self, name: NameId, why: &Error, actions: &mut Vec<Action>) {
        if let Some(until_ms) = self.workers.names.condemn(name, self.now_ms)
            && let Some(worker) = self.workers.named(name)
        {
            self.set_aside(worker, until_ms, why, actions);
        }
    }

    pub(super) fn lose(&mut self, worker: WorkerId, actions: &mut Vec<Action>) {
        let name = self.workers.name(worker).filter(|_| !self.workers.is_own(worker));
        let attempts = self.workers.leave(worker);
        self.forget_emptied(worker);
        if let Some(name) = name.filter(|_| !attempts.is_empty()) {
            self.workers.names.strike(name, self.now_ms);
        }
        // All of them end before anything follows: a job that fails here stops what it runs elsewhere only.
        let ended: Vec<Attempt> = attempts.into_iter().filter_map(|attempt| self.end(attempt)).collect();
        for Attempt { job, task, .. } in ended {
            let lost = self
                .jobs
                .get(&job)
                .and_then(|entry| entry.stage.task_failures(task))
                .map_or(0, |t| t.lost)
                + 1;
            let error = Error::exhausted(format!(
                "task {} was on {lost} workers that were lost; it may need more memory than they have: see why they ended, give them more, \
                 or cut the task finer",
                task.0
            ));
            let is_over = self.record(job, task, FailureKind::Lost, name, &error);
            self.acquit(job, task, FailureKind::Lost);
            self.retry(job, task, is_over.then_some(error), actions);
        }
    }

    /// What becomes of a task that lost an attempt: while another runs, nothing.
    fn retry(&mut self, number: JobNumber, task: TaskId, error: Option<Error>, actions: &mut Vec<Action>) {
        let Some(job) = self.jobs.get(&number).filter(|job| !job.failed && job.stage.is_idle(task)) else {
            return;
        };
        let is_in_doubt = job.stage.task_failures(task).is_some_and(|failures| failures.doubt().is_some());
        let backoff_ms = job.stage.backoff_ms(task);
        match error {
            Some(error) => self.fail_job(number, error, actions),
            None if is_in_doubt && !self.finds_voice(number, task) => self.wait(number, task, SECOND_VOICE_MS, true),
            None => self.wait(number, task, backoff_ms, false),
        }
    }

    /// Whether there is a worker that has not yet said what is in doubt; those who are set aside come back for it.
    fn finds_voice(&mut self, number: JobNumber, task: TaskId) -> bool {
        let avoided = self.jobs.get(&number).map(|job| job.stage.avoided(task)).unwrap_or_default();
        if !self.workers.has_other(&avoided) {
            self.workers.recall();
        }
        self.workers.has_other(&avoided)
    }

    fn wait(&mut self, number: JobNumber, task: TaskId, for_ms: u64, for_voice: bool) {
        let until_ms = self.now_ms + for_ms;
        if let Some(job) = self.jobs.get_mut(&number) {
            job.stage.wait(task);
            job.stage.task_mut(task).waits_for_voice = for_voice;
            self.waiting.insert((until_ms, number, task));
        }
    }

    /// Tasks whose wait is over are ready; or their jobs end, where there was nobody to ask.
    pub(super) fn wake(&mut self, actions: &mut Vec<Action>) {
        while let Some(&(at, number, task)) = self.waiting.first()
            && at <= self.now_ms
        {
            self.waiting.pop_first();
            let Some(job) = self.jobs.get_mut(&number) else { continue };
            let has_waited = std::mem::take(&mut job.stage.task_mut(task).waits_for_voice);
            let doubt = job.stage.task_failures(task).and_then(|failures| failures.doubt()).cloned();
            match doubt {
                Some(error) if !self.finds_voice(number, task) => match has_waited {
                    true => self.fail_job(number, error, actions),
                    false => self.wait(number, task, SECOND_VOICE_MS, true),
                },
                _ => {
                    self.jobs.get_mut(&number).into_iter().for_each(|job| job.stage.make_ready(task));
                    self.refresh(number);
                }
            }
        }
    }
}
