//! What the tasks of each stage do: a task and what it reads in, what it leaves behind out.

use crate::compare::compare;
use crate::in_part::Part;
use crate::job::Job;
use crate::lookup::lookup;
use crate::matching::match_fingerprints;
use crate::reread::{Wanted, reread};
use crate::sample::sample;
use crate::scan::{rescan, scan};
use crate::totals::totals;
use shadowdiff_common::exchange::Object;
use shadowdiff_common::link::{Exchanged, TaskOutput};
use shadowdiff_core::error::{Error, Result};
use shadowdiff_core::plan::ScanTask;
use shadowdiff_core::profile::Rung;
use shadowdiff_core::stage::{Stage, Task};
use std::sync::Arc;

/// What a task reads of what the stage before exchanged.
#[derive(Debug, Default)]
pub(crate) struct Input {
    /// Shards of the job, each with its place in the objects.
    pub(crate) shards: Vec<(u32, u32)>,
    pub(crate) exchanged: Arc<Exchanged>,
}

impl Input {
    /// The places of the shards in the objects.
    fn places(&self) -> Vec<u32> {
        self.shards.iter().map(|(_, place)| *place).collect()
    }

    fn objects(&self) -> Vec<Arc<Object>> {
        self.exchanged.iter().map(|(_, object)| Arc::clone(object)).collect()
    }
}

/// Runs a task, and says what it took. `halvings` says how often its share of memory is halved. Blocking.
pub(crate) fn execute(job: &Job, task: &Task, input: &Input, halvings: u32) -> Result<TaskOutput> {
    let job = &job.metered();
    let output = run(job, task, input, halvings)?;
    match task.stage {
        Stage::Match => job.meter.add_rows(Rung::Match, output.tally.ended_rows()),
        Stage::Compare | Stage::CompareWhole => job.meter.add_rows(Rung::Compare, output.tally.ended_rows()),
        // A scan counts those of each of its rungs.
        Stage::Scan | Stage::Rescan => {}
        Stage::Sample | Stage::Reread | Stage::RereadWhole | Stage::Lookup | Stage::Totals | Stage::Merge => {}
    }
    Ok(TaskOutput {
        profile: job.meter.profile(),
        ..output
    })
}

fn run(job: &Job, task: &Task, input: &Input, halvings: u32) -> Result<TaskOutput> {
    match task.stage {
        Stage::Sample => sample(job),
        Stage::Scan => scan(job, scan_task(job, task.number)?, task.form, halvings),
        Stage::Rescan => rescan(job, scan_task(job, task.number)?, task.form, halvings),
        Stage::Match => match_fingerprints(job, &input.places(), &input.exchanged, halvings),
        Stage::Reread | Stage::RereadWhole => {
            let [(scan, shard)] = input.shards[..] else {
                return Err(Error::internal("a reread task is of one scan"));
            };
            let wanted = Wanted {
                scan: (scan, scan_task(job, scan)?),
                shard,
                objects: &input.objects(),
            };
            reread(job, &wanted, &Part::of(job, task)?, halvings)
        }
        Stage::Compare | Stage::CompareWhole => compare(job, &input.places(), &input.objects(), &Part::of(job, task)?, halvings),
        Stage::Lookup => {
            // A piece of a side for the keys of either.
            let piece = task.number % job.plan.scans.len().max(1) as u32;
            lookup(job, scan_task(job, piece)?, &input.places(), &input.objects())
        }
        Stage::Totals => totals(job, scan_task(job, task.number)?),
        Stage::Merge => Err(Error::internal("the merge has no tasks")),
    }
}

fn scan_task(job: &Job, number: u32) -> Result<&ScanTask> {
    let task = job.plan.scans.get(number as usize);
    task.ok_or_else(|| Error::internal(format!("the plan has no scan {number}")))
}
