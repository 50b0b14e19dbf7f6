//! A job as it is seen from outside.

use shadowdiff_common::state::{Blueprint, Submission};
use shadowdiff_core::error::Error;
use shadowdiff_core::report::FileMark;
use shadowdiff_core::requests::Requests;
use shadowdiff_core::verdict::Verdict;
use std::collections::VecDeque;
use std::sync::Arc;

/// Where a job is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum JobPhase {
    Planning,
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
    pub submission: Arc<Submission>,
    pub phase: JobPhase,
    pub progress: JobProgress,
    /// Of a job that has succeeded.
    pub verdict: Option<Verdict>,
    pub ended_ms: Option<i64>,
    pub error: Option<Error>,
    /// Newest last.
    pub failures: VecDeque<FailedAttempt>,
    pub warnings: Vec<String>,
    pub files: Vec<(String, FileMark)>,
    pub rows_all: Option<u64>,
    pub stored_bytes: u64,
    /// Estimated, to object stores.
    pub requests: Requests,
}

/// Failed attempts that are kept.
const MAX_FAILURES: usize = 20;

impl JobView {
    /// A job that was submitted.
    pub(crate) fn new(id: &str, submission: Arc<Submission>) -> JobView {
        JobView {
            id: id.to_owned(),
            submission,
            phase: JobPhase::Planning,
            progress: JobProgress::default(),
            verdict: None,
            ended_ms: None,
            error: None,
            failures: VecDeque::new(),
            warnings: Vec::new(),
            files: Vec::new(),
            rows_all: None,
            stored_bytes: 0,
            requests: Requests::default(),
        }
    }

    /// The job is planned; nothing of it has run.
    pub(crate) fn plan_is(&mut self, blueprint: &Blueprint) {
        self.phase = JobPhase::Queued;
        self.progress.tasks = blueprint.plan.scans.len();
        self.warnings = blueprint.plan.warnings.clone();
        self.rows_all = blueprint.rows;
        self.stored_bytes = blueprint.stored_bytes;
        self.requests = blueprint.requests;
    }

    pub(crate) fn note_failure(&mut self, failed: FailedAttempt) {
        if self.failures.len() == MAX_FAILURES {
            self.failures.pop_front();
        }
        self.failures.push_back(failed);
        self.progress.retries += 1;
    }
}
