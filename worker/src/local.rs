//! Workers in the coordinator's own process: each attempt runs on one of their threads. A panic ends the attempt, not the process.

use crate::execute::{Input, execute};
use crate::job::Job;
use shadowdiff_common::link::{Assignment, Report, TaskOutput, Workers};
use shadowdiff_common::tasks::Threads;
use shadowdiff_core::error::Result;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use tokio::sync::mpsc::Sender;

/// Runs attempts of one job on threads of this process.
#[derive(Debug)]
pub struct LocalWorkers {
    job: Job,
    slots: usize,
    threads: Threads,
}

impl LocalWorkers {
    pub fn start(job: Job, slots: usize) -> Result<Self> {
        Ok(LocalWorkers {
            job,
            slots,
            threads: Threads::start("task", slots)?,
        })
    }
}

impl Workers for LocalWorkers {
    fn slots(&self) -> usize {
        self.slots
    }

    fn start(&self, assignment: Assignment, reports: Sender<Report>) {
        let job = self.job.clone();
        let attempt = assignment.attempt;
        let work = move || run(&job, assignment);
        self.threads.run("a task", work, move |outcome| {
            // A coordinator that has gone does not want the report.
            let _ = reports.blocking_send(Report { attempt, outcome });
        });
    }

    fn stop(&self) {
        self.job.watch.cancelled.store(true, Ordering::Relaxed);
    }
}

fn run(job: &Job, assignment: Assignment) -> Result<TaskOutput> {
    let has_rows = |shard: &u32| assignment.exchanged.iter().any(|(_, object)| object.shard_bytes(*shard) > 0);
    let shards = assignment.task.input.shards().filter(has_rows).map(|shard| (shard, shard));
    let input = Input {
        shards: shards.collect(),
        exchanged: Arc::clone(&assignment.exchanged),
    };
    execute(job, &assignment.task, &input, assignment.halvings)
}
