//! The reread task: reads again those rows of a scan task that have no partner, and sends them to the shards of their accounts. A row that is
//! not what it was fails the job: its partner may have been cancelled with what it was before.

use crate::job::Job;
use crate::row_selection::RowSelection;
use crate::scan::Sink;
use crate::side::{Purpose, SideReader};
use arrow_array::RecordBatch;
use arrow_select::concat::concat_batches;
use shadowdiff_common::exchange::Object;
use shadowdiff_common::link::TaskOutput;
use shadowdiff_core::error::{Error, Result};
use shadowdiff_core::plan::{Form, ScanTask};
use shadowdiff_core::side::Side;
use std::sync::Arc;

/// Fetches what is left of a scan task; `shard` is its place in `objects`, those of all match tasks.
pub(crate) fn reread(job: &Job, task: &ScanTask, shard: u32, objects: &[Arc<Object>], halvings: u32) -> Result<TaskOutput> {
    let share = job.resources.memory.task_bytes >> halvings.min(8);
    let mut sink = Sink::new(job, Form::Rows, &job.compiled.schemas, share / 3);
    for side in Side::BOTH {
        let all: u64 = objects.iter().map(|object| object.size(shard)[side].rows).sum();
        let most = (share / 6 / size_of::<(u64, u128)>()).max(job.resources.limits.min_row_numbers);
        let wanted = RowSelection::new(objects, shard, side, most)?;
        let mut reader = SideReader::new(job, side, &task.splits[side], Purpose::Reread(wanted));
        // Of each batch that is read few rows may be wanted; together they make batches of the usual size.
        let (mut pending, mut rows, mut bytes, mut found) = (Vec::new(), 0, 0, 0);
        while let Some(read) = reader.next_hashed()? {
            let batch = read.whole(job, side)?.batch;
            rows += batch.num_rows();
            bytes += batch.get_array_memory_size();
            found += batch.num_rows() as u64;
            pending.push(batch);
            if rows >= job.resources.batch_rows || bytes >= job.resources.limits.fetched_batch_bytes {
                flush(&mut sink, side, &mut pending)?;
                (rows, bytes) = (0, 0);
            }
        }
        flush(&mut sink, side, &mut pending)?;
        if found != all {
            return Err(Error::input(format!(
                "{side}: {all} rows have no partner, but {found} of them were found again: the data changed while it was compared"
            ))
            .advice("run it again"));
        }
    }
    Ok(TaskOutput {
        exchange: Some(sink.finish()?),
        ..TaskOutput::default()
    })
}

fn flush(sink: &mut Sink<'_>, side: Side, pending: &mut Vec<RecordBatch>) -> Result<()> {
    let Some(first) = pending.first() else { return Ok(()) };
    let batch = concat_batches(&first.schema(), pending.iter()).map_err(|e| Error::internal(format!("reread: {e}")))?;
    pending.clear();
    sink.push(side, batch)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::TaskLimits;
    use crate::matching::match_fingerprints;
    use crate::scan::scan;
    use crate::testing::{Setup, SmallJob};
    use arrow_array::cast::AsArray;

    const LIVE: &str = "id,v\na,1\nb,2\nc,3\nd,4\ne,5\nf,6\ng,7\n";
    const SHADOW: &str = "id,v\na,1\nb,0\nc,3\nd,0\ne,0\nf,6\nh,0\n";

    /// A job whose row numbers come two at a time, and what its match task has left.
    fn matched(spec: &str) -> (SmallJob, Vec<Arc<Object>>) {
        let limits = TaskLimits {
            max_batch_rows: 3,
            min_row_numbers: 2,
            fetched_batch_bytes: 1,
            ..TaskLimits::PRODUCT
        };
        let small = Setup {
            spec,
            live: LIVE,
            shadow: SHADOW,
            limits,
            task_bytes: 0,
            ..Setup::default()
        }
        .job();
        let scanned = scan(&small.job, &small.job.plan.scans[0], Form::Fingerprints, 0).expect("a scan");
        let exchanged = vec![(0, Arc::new(scanned.exchange.expect("rows are exchanged")))];
        let matched = match_fingerprints(&small.job, &[0], &exchanged, 0).expect("rows cancel");
        let left = matched.exchange.expect("rows are left");
        (small, vec![Arc::new(left)])
    }

    fn reread_rows(small: &SmallJob, objects: &[Arc<Object>]) -> Result<Vec<String>> {
        let output = reread(&small.job, &small.job.plan.scans[0], 0, objects, 0)?;
        let object = output.exchange.expect("rows are exchanged");
        let mut rows = Vec::new();
        for side in Side::BOTH {
            for block in object.batches(0, side) {
                let batch = block?.to_batch()?;
                let keys = batch.column(0).as_string::<i32>().iter().flatten();
                rows.extend(keys.map(|key| format!("{side} {key}")));
            }
        }
        Ok(rows)
    }

    #[test]
    fn rows_without_a_partner_are_read_again_page_by_page() {
        let (small, objects) = matched("");
        let rows = reread_rows(&small, &objects).expect("the data are as they were");
        let want = [
            "live b", "live d", "live e", "live g", "shadow b", "shadow d", "shadow e", "shadow h",
        ];
        assert_eq!(rows, want);
    }

    #[test]
    fn numbers_of_rows_are_those_before_the_filter() {
        let (small, objects) = matched("where: \"id <> 'a' and id <> 'd'\"\n");
        let rows = reread_rows(&small, &objects).expect("the data are as they were");
        assert_eq!(rows, ["live b", "live e", "live g", "shadow b", "shadow e", "shadow h"]);
    }

    #[test]
    fn a_row_that_is_not_what_it_was_fails_the_job() {
        let (small, objects) = matched("");
        small.overwrite("l.csv", &LIVE.replace("d,4", "d,5"));
        let error = reread_rows(&small, &objects).expect_err("a row has changed");
        assert!(error.what.contains("changed"), "{error}");
    }
}
