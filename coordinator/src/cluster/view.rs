//! A job as it is seen from outside.

use serde::{Deserialize, Serialize};
use shadowdiff_common::state::{Incarnation, StoredPlan, Submission};
use shadowdiff_core::error::Error;
use shadowdiff_core::report::{FileMark, ResultFile};
use shadowdiff_core::requests::Requests;
use shadowdiff_core::shorten::shortened_all;
use shadowdiff_core::stage::{Activity, Stage};
use shadowdiff_core::verdict::Verdict;
use std::collections::{BTreeMap, VecDeque};

/// Where a job is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
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
    /// Of a job that runs the tasks of a stage.
    pub(super) fn of(stage: Stage) -> JobPhase {
        match stage.activity() {
            Activity::Reading => JobPhase::Scanning,
            Activity::Comparing => JobPhase::Comparing,
            Activity::Merging => JobPhase::Merging,
        }
    }

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

/// How far the current phase is. Of a job that has ended, the number of tasks and of retries is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct JobProgress {
    pub tasks: usize,
    #[serde(skip)]
    pub done: usize,
    #[serde(skip)]
    pub running: usize,
    #[serde(skip)]
    pub rows: u64,
    pub retries: u32,
    #[serde(skip)]
    pub left_ms: Option<u64>,
}

/// What a list shows of a submission.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Submitted {
    pub incarnation: Incarnation,
    pub created_ms: i64,
    pub title: String,
    pub priority: u32,
    pub max_running: u32,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
}

impl Submitted {
    fn of(submission: &Submission) -> Submitted {
        Submitted {
            incarnation: submission.incarnation.clone(),
            created_ms: submission.created_ms,
            title: submission.title.clone(),
            priority: submission.priority,
            max_running: submission.max_running,
            labels: submission.labels.clone(),
        }
    }
}

/// All there is to say about a job. Its texts are within limits, so that it fits a message whatever workers, stores and specs say.
/// What a list does not show is not stored.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct JobView {
    pub id: String,
    pub submitted: Submitted,
    pub phase: JobPhase,
    pub progress: JobProgress,
    /// Of a job that has succeeded.
    pub verdict: Option<Verdict>,
    pub ended_ms: Option<i64>,
    pub error: Option<Error>,
    /// Newest last.
    #[serde(skip)]
    pub failures: VecDeque<FailedAttempt>,
    #[serde(skip)]
    pub warnings: Vec<String>,
    pub files: Vec<(ResultFile, FileMark)>,
    pub rows_all: Option<u64>,
    pub stored_bytes: u64,
    /// Estimated, to object stores.
    pub requests: Requests,
}

/// Failed attempts that are kept.
const MAX_FAILURES: usize = 20;
/// Of the error of an attempt that was tried again.
const MAX_FAILURE_BYTES: usize = 1 << 10;
/// Of the error that ends a job, and of what a worker says of an attempt.
pub(crate) const MAX_ERROR_BYTES: usize = 8 << 10;
/// Warnings of one job, each so long at the most: together with the attempts they fit a message.
const MAX_WARNINGS: usize = 50;
const MAX_WARNING_BYTES: usize = 1 << 10;

/// Warnings as they are shown.
pub(crate) fn shown_warnings(warnings: &[String]) -> Vec<String> {
    shortened_all(warnings, MAX_WARNINGS, MAX_WARNING_BYTES)
}

impl JobView {
    /// A job that was submitted.
    pub(crate) fn new(id: &str, submission: &Submission) -> JobView {
        JobView {
            id: id.to_owned(),
            submitted: Submitted::of(submission),
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
    pub(crate) fn plan_is(&mut self, stored_plan: &StoredPlan) {
        self.phase = JobPhase::Queued;
        self.progress.tasks = stored_plan.plan.scans.len();
        self.warnings = shown_warnings(&stored_plan.plan.warning_texts());
        self.rows_all = stored_plan.plan.estimate.all_rows();
        self.stored_bytes = stored_plan.plan.estimate.stored_bytes;
        self.requests = stored_plan.plan.estimate.requests;
    }

    pub(crate) fn note_failure(&mut self, mut failed: FailedAttempt) {
        failed.error = failed.error.shortened(MAX_FAILURE_BYTES);
        if self.failures.len() == MAX_FAILURES {
            self.failures.pop_front();
        }
        self.failures.push_back(failed);
        self.progress.retries += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::super::wire::{Detail, job};
    use super::*;
    use prost::Message;

    #[test]
    fn a_job_fits_a_message_whatever_is_said_of_it() {
        let submission = Submission::new(Incarnation::parse(&"0".repeat(32)).expect("32 digits"));
        let mut view = JobView::new("j", &submission);
        for _ in 0..100 {
            view.note_failure(FailedAttempt {
                task: "scan 1".into(),
                worker: "liar".into(),
                error: Error::internal("x".repeat(1 << 20)),
            });
        }
        view.warnings = shown_warnings(&vec!["w".repeat(2000); 20_000]);
        assert_eq!(view.warnings.last().map(String::as_str), Some("… (19950 more)"));
        let sent = job(&view, 0, Detail::Full);
        assert!(sent.encoded_len() < 128 << 10, "{} bytes", sent.encoded_len());
        let message = &sent.failed_attempts[0].error.as_ref().expect("an error").message;
        assert!(message.ends_with("x … (1047552 more bytes)"), "{}", &message[message.len() - 40..]);
        assert!(job(&view, 0, Detail::Basic).encoded_len() < 200);
    }
}
