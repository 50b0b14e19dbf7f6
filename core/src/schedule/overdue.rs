//! Attempts that hold a task for too long: a worker may only pretend to be busy.
//!
//! An attempt has `STILL_MS` since something last moved in it. In all it has `LONGEST_MS`; once tasks of its stage are done, `LONGEST_KNOWN_MS`
//! or twenty times what those let expect of its weight. All of this doubles with each attempt at the task that was given up, so that a task
//! that honestly takes longer ends all the same. Where no other worker could have the task nothing is given up.

use super::{Action, Attempt, AttemptId, LONGEST_FACTOR, LONGEST_KNOWN_MS, LONGEST_MS, Machine, STILL_MS};
use crate::error::Error;

/// More doublings are for ever.
const MAX_DOUBLINGS: u32 = 20;

impl Machine {
    pub(super) fn give_up_overdue(&mut self, actions: &mut Vec<Action>) {
        while let Some(&(at, attempt)) = self.watched.first()
            && at <= self.now_ms
        {
            self.watched.pop_first();
            let Some((due_ms, error)) = self.due(attempt) else { continue };
            let is_over = due_ms <= self.now_ms;
            if is_over && self.can_go_elsewhere(attempt) {
                self.give_up(attempt, error, actions);
            } else if let Some(known) = self.attempts.get_mut(&attempt) {
                let look_ms = if is_over { self.now_ms + STILL_MS } else { due_ms };
                known.look_ms = Some(look_ms);
                self.watched.insert((look_ms, attempt));
            }
        }
    }

    /// When an attempt is to be given up, and why.
    fn due(&self, attempt: AttemptId) -> Option<(u64, Error)> {
        let known = self.attempts.get(&attempt)?;
        let stage = &self.jobs.get(&known.job)?.stage;
        let doublings = stage
            .task_failures(known.task)
            .map_or(0, |failures| failures.given_up)
            .min(MAX_DOUBLINGS);
        let still_ms = STILL_MS << doublings;
        let longest_ms = match stage.expected_ms(known.task) {
            Some(expected_ms) => LONGEST_KNOWN_MS.max(expected_ms.saturating_mul(LONGEST_FACTOR)),
            None => LONGEST_MS,
        };
        let longest_ms = longest_ms.saturating_mul(1 << doublings);
        let (still, longest) = (known.moved_ms + still_ms, known.started_ms.saturating_add(longest_ms));
        Some(match still <= longest {
            true => (
                still,
                Error::unavailable(format!("given up: nothing moved in it for {} s", still_ms / 1_000)),
            ),
            false => (
                longest,
                Error::unavailable(format!("given up: it took longer than {} s", longest_ms / 1_000)),
            ),
        })
    }

    fn can_go_elsewhere(&self, attempt: AttemptId) -> bool {
        let Some(Attempt { job, task, worker, .. }) = self.attempts.get(&attempt) else {
            return false;
        };
        let mut avoided = self.jobs.get(job).map(|job| job.stage.avoided(*task)).unwrap_or_default();
        avoided.extend(self.workers.name(*worker));
        self.workers.has_other(&avoided)
    }

    fn give_up(&mut self, attempt: AttemptId, error: Error, actions: &mut Vec<Action>) {
        let Some(Attempt { job, task, worker, .. }) = self.end(attempt) else {
            return;
        };
        if let Some(entry) = self.jobs.get_mut(&job) {
            let given_up = &mut entry.stage.task_mut(task).task_failures_mut().given_up;
            *given_up = given_up.saturating_add(1);
        }
        actions.push(Action::GiveUp {
            attempt,
            worker,
            error: error.clone(),
        });
        let name = self.workers.name(worker);
        self.task_failed(job, task, worker, error.clone(), actions);
        // Whoever holds a task for so long may hold the next one too.
        name.into_iter().for_each(|name| self.condemn(name, &error, actions));
    }
}
