//! A job as it is seen from outside.

use shadowdiff_common::state::Submission;
use shadowdiff_core::error::Error;
use shadowdiff_core::requests::Requests;
use std::collections::VecDeque;

/// Where a job is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum JobPhase {
    Queued,
    Scanning,
    Comparing,
    Merging,
    Succeeded,
    Failed,
    Cancelled,
}

impl JobPhase {
    pub fn has_ended(self) -> bool {
        self >= JobPhase::Succeeded
    }
}

/// An attempt that failed and was tried again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailedAttempt {
    /// Stage and number of the task.
    pub task: String,
    pub worker: String,
    pub error: Error,
}

/// How far the current phase is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct JobProgress {
    pub tasks: usize,
    pub done: usize,
    pub running: usize,
    pub rows: u64,
    pub retries: u32,
    pub left_ms: Option<u64>,
}

/// All there is to say about a job.
#[derive(Debug, Clone)]
pub struct JobView {
    pub id: String,
    pub submission: Submission,
    pub phase: JobPhase,
    pub progress: JobProgress,
    /// Of a job that has succeeded.
    pub passed: Option<bool>,
    pub ended_ms: Option<i64>,
    pub error: Option<Error>,
    /// Newest last.
    pub failures: VecDeque<FailedAttempt>,
    pub warnings: Vec<String>,
    /// Names and sizes.
    pub files: Vec<(String, u64)>,
    pub rows_all: Option<u64>,
    pub stored_bytes: u64,
    /// Estimated, to object stores.
    pub requests: Requests,
}

/// Failed attempts that are kept.
const MAX_FAILURES: usize = 20;

impl JobView {
    pub(crate) fn note_failure(&mut self, failed: FailedAttempt) {
        if self.failures.len() == MAX_FAILURES {
            self.failures.pop_front();
        }
        self.failures.push_back(failed);
        self.progress.retries += 1;
    }
}
