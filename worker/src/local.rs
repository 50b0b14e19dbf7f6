//! Workers in the coordinator's own process: each attempt runs on a blocking thread. A panic ends the attempt, not the process.

use crate::compare::compare;
use crate::fetch::fetch;
use crate::glance::glance;
use crate::job::Job;
use crate::scan::scan;
use crate::sift::sift;
use shadowdiff_common::fault::panicked;
use shadowdiff_common::link::{Assignment, Output, Report, Task, Workers};
use shadowdiff_core::error::Result;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use tokio::sync::mpsc::Sender;

/// Runs attempts of one job on threads of this process.
#[derive(Debug)]
pub struct LocalWorkers {
    job: Arc<Job>,
    threads: usize,
}

impl LocalWorkers {
    pub fn new(job: Arc<Job>, threads: usize) -> Self {
        LocalWorkers { job, threads }
    }
}

impl Workers for LocalWorkers {
    fn slots(&self) -> usize {
        self.threads
    }

    fn start(&self, assignment: Assignment, reports: Sender<Report>) {
        let job = Arc::clone(&self.job);
        self.job.sources.runtime.spawn_blocking(move || {
            let attempt = assignment.attempt;
            let outcome =
                catch_unwind(AssertUnwindSafe(|| run(&job, assignment))).unwrap_or_else(|panic| Err(panicked("a task", panic.as_ref())));
            // A coordinator that has gone does not want the report.
            let _ = reports.blocking_send(Report { attempt, outcome });
        });
    }

    fn stop(&self) {
        self.job.watch.cancelled.store(true, Ordering::Relaxed);
    }
}

fn run(job: &Job, assignment: Assignment) -> Result<Output> {
    let halvings = assignment.halvings;
    match assignment.task {
        Task::Scan(number, form) => scan(job, &job.plan.scans[number], form, halvings).map(Output::Scan),
        Task::Glance => glance(job).map(Output::Glance),
        Task::Sift { shards, objects } => {
            let numbered: Vec<_> = (0..).zip(objects.iter().cloned()).collect();
            sift(job, &shards, &numbered, objects.len() as u32, halvings).map(Output::Sift)
        }
        Task::Fetch { scan, objects } => fetch(job, &job.plan.scans[scan], scan as u32, &objects, halvings).map(Output::Fetch),
        Task::Compare { shards, objects } => compare(job, &shards, &objects, halvings).map(Output::Compare),
    }
}
