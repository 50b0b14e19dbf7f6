//! The reread task: reads again those rows of a scan task that have no partner, whole or in part, and sends them to the shards of their accounts.
//! A row that is not what it was fails the job: its partner may have been cancelled with what it was before. Of one that is read in part that
//! shows when it is compared.

use crate::exchanged::rows_in_part;
use crate::in_part::Part;
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

/// Which rows are read again: those of a scan task whose numbers lie in this shard of `objects`, those of all tasks before.
pub(crate) struct Wanted<'a> {
    pub(crate) scan: (u32, &'a ScanTask),
    pub(crate) shard: u32,
    pub(crate) objects: &'a [Arc<Object>],
}

/// Fetches what is left of a scan task.
pub(crate) fn reread(job: &Job, wanted: &Wanted<'_>, part: &Part, halvings: u32) -> Result<TaskOutput> {
    let _spent = job.meter.enter(Rung::Reread, Work::Decode);
    let Wanted { scan, shard, objects } = *wanted;
    let share = job.resources.memory.task_bytes >> halvings.min(8);
    let mut sink = Sink::new(job, Form::Rows, part.schemas(), share / 3);
    for side in Side::BOTH {
        let all: u64 = objects.iter().map(|object| object.size(shard)[side].rows).sum();
        let most = (share / 6 / size_of::<(u64, u128)>()).max(job.resources.limits.min_row_numbers);
        let rows = RowSelection::new(objects, shard, side, most)?;
        let purpose = Purpose::Reread(rows, part.columns().map(<[usize]>::to_vec));
        let mut reader = SideReader::new(job, side, &scan.1.splits[side], purpose);
        let mut next = || match part.columns() {
            None => {
                let read = reader.next_hashed()?;
                read.map(|read| Ok(read.whole(job, side)?.batch)).transpose()
            }
            Some(_) => {
                let read = reader.next_in_part()?;
                read.map(|(rows, before)| rows_in_part(&part.schemas()[side], rows.columns, scan.0, &before))
                    .transpose()
            }
        };
        // Of each batch that is read few rows may be wanted; together they make batches of the usual size.
        let (mut pending, mut rows, mut bytes, mut found) = (Vec::new(), 0, 0, 0);
        while let Some(batch) = next()? {
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
    use crate::compare::compare;
    use crate::limits::TaskLimits;
    use crate::matching::match_fingerprints;
    use crate::scan::scan;
    use crate::testing::{Setup, SmallJob};
    use arrow_array::Array;
    use arrow_array::cast::AsArray;
    use shadowdiff_core::side::Sides;
    use shadowdiff_core::stage::{ShardRange, Stage, Task};
    use shadowdiff_core::tally::Tally;

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

    fn reread_as(small: &SmallJob, objects: &[Arc<Object>], part: &Part) -> Result<TaskOutput> {
        let wanted = Wanted {
            scan: (0, &small.job.plan.scans[0]),
            shard: 0,
            objects,
        };
        reread(&small.job, &wanted, part, 0)
    }

    fn reread_rows(small: &SmallJob, objects: &[Arc<Object>]) -> Result<Vec<String>> {
        let output = reread_as(small, objects, &Part::whole(&small.job))?;
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

    /// A task that reads rows in part, or compares them.
    fn task_in_part(small: &SmallJob, stage: Stage, columns: &[&str]) -> Task {
        let named = small.job.plan.aligned.columns.iter();
        let columns = (0..).zip(named).filter(|(_, column)| columns.contains(&column.name.as_str()));
        Task {
            stage,
            number: 0,
            form: Form::Rows,
            input: ShardRange::default(),
            columns: columns.map(|(at, _)| at).collect(),
        }
    }

    #[test]
    fn of_rows_that_are_read_in_part_those_are_read_whole_that_differ_in_more() {
        let live = "id,v,w\na,1,x\nb,2,y\nc,3,z\nd,4,u\ne,5,t\nd,7,u\n";
        let shadow = "id,v,w\nb,9,y\na,1,q\nd,5,u\nf,6,x\nc,8,q\n";
        let (small, objects) = matched_of("schema: {v: int64}\n", live, shadow);
        let part = Part::of(&small.job, &task_in_part(&small, Stage::Reread, &["id", "v"])).expect("the key and a column");
        let read = reread_as(&small, &objects, &part).expect("the same data");
        let rows = [Arc::new(read.exchange.expect("rows are exchanged"))];
        for side in Side::BOTH {
            for batch in rows[0].batches(0, side) {
                let batch = batch.and_then(|rows| rows.to_batch()).expect("a batch");
                let w = small.job.plan.aligned.columns.iter().position(|column| column.name == "w");
                assert_eq!(batch.column(w.expect("a column")).null_count(), batch.num_rows(), "it is not read");
            }
        }
        let compared = compare(&small.job, &[0], &rows, &part, 0).expect("a comparison");
        let tally = &compared.tally;
        let duplicates = Sides::from_fn(|side| tally.sides[side].in_duplicates);
        assert_eq!(
            (tally.changed, tally.missing_in_shadow, tally.missing_in_live),
            (1, 1, 1),
            "b, e and f"
        );
        assert_eq!((tally.duplicate_key, duplicates), (1, Sides::new(2, 1)));
        // Of a and c the rest differs.
        let left = Arc::new(compared.exchange.expect("rows are left"));
        assert_eq!(left.size(0).map(|size| size.rows), Sides::new(2, 2));
        let whole = reread_as(&small, &[left], &Part::whole(&small.job)).expect("the same data");
        let whole = [Arc::new(whole.exchange.expect("rows are exchanged"))];
        let rest = compare(&small.job, &[0], &whole, &Part::whole(&small.job), 0).expect("a comparison");
        assert_eq!((rest.tally.changed, rest.tally.cells), (2, [(1, 1), (2, 2)].into()));
    }

    #[test]
    fn a_row_that_changes_before_it_is_read_in_part_fails_the_job_when_it_is_read_whole() {
        let (live, shadow) = ("id,v,w\na,1,x\n", "id,v,w\na,9,x\n");
        let (small, objects) = matched_of("schema: {v: int64}\n", live, shadow);
        small.overwrite("l.csv", &live.replace("a,1", "a,9"));
        let part = Part::of(&small.job, &task_in_part(&small, Stage::Reread, &["id", "v"])).expect("the key and a column");
        let read = reread_as(&small, &objects, &part).expect("nothing shows yet");
        let compared = compare(&small.job, &[0], &[Arc::new(read.exchange.expect("rows"))], &part, 0).expect("a comparison");
        assert_eq!(compared.tally, Tally::default(), "they look alike, and are not taken for it");
        let left = [Arc::new(compared.exchange.expect("rows are left"))];
        assert!(reread_as(&small, &left, &Part::whole(&small.job)).is_err());
    }

    #[test]
    fn rows_are_read_whole_where_more_of_them_is_looked_at() {
        let rule = "expected:\n- {name: r, columns: [v], where: \"live_row.id = 'x'\"}\n";
        let (small, _) = matched_of(&format!("schema: {{v: int64}}\n{rule}"), LIVE, SHADOW);
        assert!(Part::of(&small.job, &task_in_part(&small, Stage::Reread, &["id", "v"])).is_err());
        let (small, _) = matched("");
        assert!(
            Part::of(&small.job, &task_in_part(&small, Stage::Reread, &["v"])).is_err(),
            "the key is needed"
        );
    }

    #[test]
    fn a_row_that_is_not_what_it_was_fails_the_job() {
        let (small, objects) = matched("");
        small.overwrite("l.csv", &LIVE.replace("d,4", "d,5"));
        let error = reread_rows(&small, &objects).expect_err("a row has changed");
        assert!(error.what.contains("changed"), "{error}");
    }
}
