//! Tasks that run alone: what has lost workers may end the next one too, and must not take the attempts of others with it.
//!
//! One worker at a time is emptied for such a task: it takes nothing else until the task runs there and has ended.

use super::{Action, As, Emptied, JobNumber, Machine, TaskId, WorkerId};

impl Machine {
    /// A worker that is emptied stays so while the task waits for it.
    pub(super) fn keep_emptied(&mut self) {
        if self.is_emptied_in_vain() {
            self.release_emptied();
        }
    }

    pub(super) fn is_emptied_in_vain(&self) -> bool {
        self.emptied
            .is_some_and(|Emptied { job, task, worker }| !(self.may_start_alone(job, task) && self.workers.takes_tasks(worker)))
    }

    /// A task does not wait for a worker that has something to do, once another has nothing.
    pub(super) fn look_for_idle(&mut self) {
        let Some(Emptied { job, task, worker }) = self.emptied else {
            return;
        };
        let Some(stage) = self.jobs.get(&job).map(|job| &job.stage) else {
            return;
        };
        if self.is_emptied_in_vain() || self.workers.is_empty(worker) {
            return;
        }
        let other = self.workers.pick_for_one(stage.need(task), &self.avoided(stage, task));
        if other.is_some_and(|other| self.workers.is_empty(other)) {
            self.release_emptied();
        }
    }

    fn release_emptied(&mut self) {
        if let Some(Emptied { worker, .. }) = self.emptied.take() {
            self.workers.close(worker, false);
        }
    }

    /// A worker that has gone is emptied for nobody.
    pub(super) fn forget_emptied(&mut self, worker: WorkerId) {
        self.emptied = self.emptied.filter(|emptied| emptied.worker != worker);
    }

    pub(super) fn start_alone(&mut self, actions: &mut Vec<Action>) {
        while let Some(Emptied { job, task, worker }) = self.emptied.or_else(|| self.empty_next()) {
            if !self.workers.is_empty(worker) {
                return;
            }
            self.emptied = None;
            self.launch((job, task), worker, As::Alone, actions);
        }
    }

    /// The next task that is to run alone has a worker emptied.
    fn empty_next(&mut self) -> Option<Emptied> {
        let jobs: Vec<JobNumber> = self.shares.jobs().collect();
        let next = jobs
            .into_iter()
            .find_map(|job| Some((job, self.jobs.get(&job)?.stage.next_alone()?)));
        let (job, task) = next?;
        let stage = &self.jobs.get(&job)?.stage;
        let worker = self.workers.pick_for_one(stage.need(task), &self.avoided(stage, task))?;
        self.workers.close(worker, true);
        self.emptied = Some(Emptied { job, task, worker });
        self.emptied
    }

    fn may_start_alone(&self, job: JobNumber, task: TaskId) -> bool {
        let known = self.jobs.get(&job).filter(|job| !job.failed && job.running.len() < job.max_running);
        known.is_some_and(|job| job.stage.is_ready_alone(task))
    }
}
