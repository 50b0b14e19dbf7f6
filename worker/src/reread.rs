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
use shadowdiff_core::profile::{Rung, Work};
use shadowdiff_core::side::Side;
use std::sync::Arc;

/// Fetches what is left of a scan task; `shard` is its place in `objects`, those of all match tasks. `is_thin`: of these rows only the key and
/// the columns with a tolerance are needed, and their fingerprints are of those.
pub(crate) fn reread(job: &Job, task: &ScanTask, is_thin: bool, shard: u32, objects: &[Arc<Object>], halvings: u32) -> Result<TaskOutput> {
    let _spent = job.meter.enter(Rung::Reread, Work::Decode);
    let columns = is_thin.then(|| [&job.plan.aligned.key[..], job.compiled.row_hasher.tolerant()].concat());
    let share = job.resources.memory.task_bytes >> halvings.min(8);
    let mut sink = Sink::new(job, Form::Rows, &job.compiled.schemas, share / 3);
    for side in Side::BOTH {
        let all: u64 = objects.iter().map(|object| object.size(shard)[side].rows).sum();
        let most = (share / 6 / size_of::<(u64, u128)>()).max(job.resources.limits.min_row_numbers);
        let wanted = RowSelection::new(objects, shard, side, most)?;
        let mut reader = SideReader::new(job, side, &task.splits[side], Purpose::Reread(wanted, columns.clone()));
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
        matched_of(spec, LIVE, SHADOW)
    }

    fn matched_of(spec: &str, live: &str, shadow: &str) -> (SmallJob, Vec<Arc<Object>>) {
        let limits = TaskLimits {
            max_batch_rows: 3,
            min_row_numbers: 2,
            fetched_batch_bytes: 1,
            runs_in_place: 0,
            ..TaskLimits::PRODUCT
        };
        let small = Setup {
            spec,
            live,
            shadow,
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
        let output = reread(&small.job, &small.job.plan.scans[0], false, 0, objects, 0)?;
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
    fn of_rows_that_differ_in_a_column_with_a_tolerance_alone_no_other_is_needed() {
        let (live, shadow) = ("id,v,w\na,1,x\nb,2,y\n", "id,v,w\nb,2,z\na,9,x\n");
        let spec = "schema: {v: int64}\ncomparators:\n- {columns: [v], absolute: 1}\n";
        let rule = "expected:\n- {name: r, columns: [v], where: \"live_row.w = 'x'\"}\n";
        for (spec, thin_rows) in [(spec.to_owned(), 1), (spec.to_owned() + rule, 0)] {
            let (small, objects) = matched_of(&spec, live, shadow);
            let columns = &small.job.plan.aligned.columns;
            let w = columns.iter().position(|column| column.name == "w").expect("a column");
            let mut values = Vec::new();
            for is_thin in [false, true] {
                let output = reread(&small.job, &small.job.plan.scans[0], is_thin, is_thin.into(), &objects, 0).expect("the same data");
                let object = output.exchange.expect("rows are exchanged");
                for side in Side::BOTH {
                    let batches = object
                        .batches(0, side)
                        .map(|block| block.and_then(|block| block.to_batch()).expect("a batch"));
                    let rows = batches.map(|batch| (batch.num_rows(), batch.column(w).null_count()));
                    values.push(rows.collect::<Vec<_>>());
                }
            }
            let thin: (usize, usize) = values[2].first().copied().unwrap_or_default();
            assert_eq!(thin, (thin_rows, thin_rows), "{spec}");
            assert_eq!(values[2], values[3]);
            let whole: usize = values[0].iter().map(|rows| rows.0).sum();
            assert_eq!(whole, 2 - thin_rows, "{spec}");
            assert!(values[0].iter().all(|rows| rows.1 == 0), "{spec}");
        }
        let (small, objects) = matched_of(spec, live, shadow);
        small.overwrite("l.csv", &live.replace("a,1", "a,2"));
        let changed = reread(&small.job, &small.job.plan.scans[0], true, 1, &objects, 0);
        assert!(changed.is_err(), "a thin row that is not what it was");
    }

    #[test]
    fn a_row_that_is_not_what_it_was_fails_the_job() {
        let (small, objects) = matched("");
        small.overwrite("l.csv", &LIVE.replace("d,4", "d,5"));
        let error = reread_rows(&small, &objects).expect_err("a row has changed");
        assert!(error.what.contains("changed"), "{error}");
    }
}
