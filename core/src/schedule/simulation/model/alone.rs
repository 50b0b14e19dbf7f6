//! Naively: which worker is kept for a task that runs alone.

use super::super::super::*;
use super::{Model, State, Task};
use crate::schedule::simulation::model::blame::Key;

impl Model {
    /// A worker that is emptied, or on which a task runs alone.
    pub(super) fn is_closed(&self, worker: WorkerId) -> bool {
        let started_alone = self.running.values().any(|a| a.worker == worker && a.alone);
        started_alone || self.emptied.is_some_and(|(_, _, emptied)| emptied == worker)
    }

    /// The worker that a task may start on now, with nothing beside it.
    pub(super) fn alone(&mut self, job: JobNumber, task: TaskId) -> Option<WorkerId> {
        self.empty_next();
        let (of, task_of, worker) = self.emptied?;
        assert_eq!((of, task_of), (job, task), "another task has its turn to run alone");
        self.emptied = None;
        Some(worker)
    }

    pub(super) fn keep_emptied(&mut self) {
        let Some((job, task, worker)) = self.emptied else { return };
        let takes_tasks = self.takers().any(|(id, _)| *id == worker);
        if !self.waits_alone(job, task) || !takes_tasks {
            self.emptied = None;
        }
    }

    pub(super) fn look_for_idle(&mut self) {
        self.keep_emptied();
        let Some((job, task, worker)) = self.emptied else { return };
        let task = &self.jobs[&job].tasks[task.0 as usize];
        if self.on(worker) > 0 && self.least_busy(task).is_some_and(|other| self.on(other) == 0) {
            self.emptied = None;
        }
    }

    /// Another worker is emptied, if a task waits for it.
    pub(super) fn empty_next(&mut self) {
        if !std::mem::replace(&mut self.settled, true) {
            self.keep_emptied();
        }
        if self.emptied.is_some() {
            return;
        }
        let Some((number, task)) = self.neediest(|task| task.is_alone().then_some(task.new.weight)) else {
            return;
        };
        let worker = self.least_busy(&self.jobs[&number].tasks[task.0 as usize]);
        self.emptied = worker.map(|worker| (number, task, worker));
        if worker.is_some_and(|worker| self.on(worker) > 0) {
            self.saw("emptied");
        }
    }

    fn waits_alone(&self, job: JobNumber, task: TaskId) -> bool {
        let known = self
            .jobs
            .get(&job)
            .filter(|known| !known.failed && self.running_of(job, None).len() < known.cap);
        let state = known.and_then(|known| known.tasks.get(task.0 as usize));
        state.is_some_and(|state| state.state == State::Ready && state.is_alone())
    }

    fn least_busy(&self, task: &Task) -> Option<WorkerId> {
        let avoided: BTreeSet<Key> = self.avoided(task);
        let others = || self.takers().filter(|(_, w)| !avoided.contains(&w.key));
        let largest = others().map(|(_, w)| w.slot_bytes()).max()?;
        others()
            .filter(|(id, w)| w.slot_bytes() >= task.need().min(largest) && !self.is_closed(**id))
            .min_by_key(|(id, _)| (self.on(**id), **id))
            .map(|(id, _)| *id)
    }
}
