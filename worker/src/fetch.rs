//! The fetch task: reads again those rows of a scan task that have no partner, and sends them to the shards of their accounts. A row that is
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

/// Fetches what is left of a scan task; `shard` is its place in `objects`, those of all sift tasks.
pub(crate) fn fetch(job: &Job, task: &ScanTask, shard: u32, objects: &[Arc<Object>], halvings: u32) -> Result<TaskOutput> {
    let share = job.memory.task_bytes >> halvings.min(8);
    let mut sink = Sink::new(job, Form::Rows, share / 3);
    for side in Side::BOTH {
        let all: u64 = objects.iter().map(|object| object.size(shard)[side].rows).sum();
        let most = (share / 6 / size_of::<(u64, u128)>()).max(job.limits.min_row_numbers);
        let wanted = RowSelection::new(objects, shard, side, most)?;
        let mut reader = SideReader::new(job, side, &task.splits[side], Purpose::Fetch(wanted));
        // Of each batch that is read few rows may be wanted; together they make batches of the usual size.
        let (mut pending, mut rows, mut bytes, mut found) = (Vec::new(), 0, 0, 0);
        while let Some(read) = reader.next()? {
            rows += read.rows.batch.num_rows();
            bytes += read.rows.batch.get_array_memory_size();
            found += read.rows.batch.num_rows() as u64;
            pending.push(read.rows.batch);
            if rows >= job.batch_rows || bytes >= job.limits.fetched_batch_bytes {
                flush(&mut sink, side, &mut pending)?;
                (rows, bytes) = (0, 0);
            }
        }
        flush(&mut sink, side, &mut pending)?;
        if found != all {
            return Err(Error::input(format!(
                "{side}: {all} rows have no partner, but {found} of them were found again: the data changed while it was compared; run it again"
            )));
        }
    }
    Ok(TaskOutput {
        exchange: Some(sink.finish()?),
        ..TaskOutput::default()
    })
}

fn flush(sink: &mut Sink<'_>, side: Side, pending: &mut Vec<RecordBatch>) -> Result<()> {
    let Some(first) = pending.first() else { return Ok(()) };
    let batch = concat_batches(&first.schema(), pending.iter()).map_err(|e| Error::internal(format!("fetch: {e}")))?;
    pending.clear();
    sink.push(side, batch)
}
