//! The fetch task: reads again those rows of a scan task that have no partner, and sends them to the shards of their accounts.

use crate::job::Job;
use crate::scan::Sink;
use crate::side::{Purpose, SideReader};
use crate::sift::numbers_of;
use arrow_array::RecordBatch;
use arrow_select::concat::concat_batches;
use shadowdiff_common::exchange::Object;
use shadowdiff_core::error::{Error, Result};
use shadowdiff_core::plan::{Form, ScanTask};
use shadowdiff_core::side::Side;
use std::sync::Arc;

/// Fetches what is left of a scan task; `shard` is its place in `objects`, those of all sift tasks.
pub(crate) fn fetch(job: &Job, task: &ScanTask, shard: u32, objects: &[Arc<Object>], halvings: u32) -> Result<Object> {
    let share = job.memory.task_bytes >> halvings.min(8);
    let mut sink = Sink::new(job, Form::Rows, share / 3);
    for side in Side::BOTH {
        let wanted = numbers_of(objects, shard, side)?;
        let all = wanted.len();
        let mut reader = SideReader::new(job, side, &task.splits[side], Purpose::Fetch(wanted));
        // Of each batch that is read few rows may be wanted; together they make batches of the usual size.
        let (mut pending, mut rows, mut found) = (Vec::new(), 0, 0);
        while let Some(read) = reader.next()? {
            rows += read.rows.batch.num_rows();
            found += read.rows.batch.num_rows();
            pending.push(read.rows.batch);
            if rows >= job.batch_rows {
                flush(&mut sink, side, &mut pending)?;
                rows = 0;
            }
        }
        flush(&mut sink, side, &mut pending)?;
        if found != all {
            return Err(Error::internal(format!(
                "fetch: {all} rows of {side} are left of a scan task, but {found} were found again"
            )));
        }
    }
    sink.finish()
}

fn flush(sink: &mut Sink<'_>, side: Side, pending: &mut Vec<RecordBatch>) -> Result<()> {
    let Some(first) = pending.first() else { return Ok(()) };
    let batch = concat_batches(&first.schema(), pending.iter()).map_err(|e| Error::internal(format!("fetch: {e}")))?;
    pending.clear();
    sink.push(side, batch)
}
