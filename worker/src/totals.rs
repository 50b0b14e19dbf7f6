//! The totals task: reads a piece of each side, and adds up what its compared columns hold over all rows that `where` leaves.

use crate::job::Job;
use crate::side::{Purpose, SideReader};
use shadowdiff_common::link::TaskOutput;
use shadowdiff_core::error::Result;
use shadowdiff_core::plan::ScanTask;
use shadowdiff_core::profile::{Rung, Work};
use shadowdiff_core::side::{Side, Sides};
use shadowdiff_core::tally::Tally;
use shadowdiff_core::totals::{ColumnCounter, ColumnTotals};
use std::collections::BTreeMap;

/// Adds up the columns of a piece. Its rows were counted before: the tally has nothing but the totals.
pub(crate) fn totals(job: &Job, task: &ScanTask) -> Result<TaskOutput> {
    let _spent = job.meter.enter(Rung::Totals, Work::Decode);
    let columns = job.plan.aligned.values();
    let mut totals: BTreeMap<usize, Sides<ColumnTotals>> = columns.iter().map(|column| (*column, Sides::default())).collect();
    for side in Side::BOTH {
        let of_column = |column: &usize| ColumnCounter::new(&job.plan.aligned.columns[*column].stored[side]);
        let mut counters: Vec<ColumnCounter> = columns.iter().map(of_column).collect();
        let mut reader = SideReader::new(job, side, &task.splits[side], Purpose::Columns(columns.clone()));
        while let Some(arrays) = reader.next_columns()? {
            counters.iter_mut().zip(&arrays).for_each(|(counter, array)| counter.add(array));
        }
        for (totals, counter) in totals.values_mut().zip(counters) {
            totals[side] = counter.finish();
        }
    }
    let tally = Tally {
        totals,
        ..Tally::default()
    };
    Ok(TaskOutput {
        tally,
        ..TaskOutput::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Setup;

    #[test]
    fn all_rows_that_the_filter_leaves_are_in_it() {
        let small = Setup {
            spec: "schema: {n: int64, d: \"decimal(9, 2)\"}\nwhere: {live: \"t <> 'gone'\", shadow: \"t <> 'gone'\"}\n",
            live: "id,n,d,t\na,1,0.50,x\na,1,0.50,x\nb,2,,y\nc,,3.25,\"\"\nd,70,1,gone\n",
            shadow: "id,n,d,t\na,9223372036854775806,0.50,x\n",
            ..Setup::default()
        }
        .job();
        let found = totals(&small.job, &small.job.plan.scans[0]).expect("totals").tally;
        let one = |of: &ColumnTotals| format!("{} rows, {} NULL, sum {}", of.rows, of.nulls, of.sum);
        let held: Vec<String> = found
            .totals
            .iter()
            .map(|(column, of)| {
                let name = &small.job.plan.aligned.columns[*column].name;
                format!("{name}: {}; {}", one(&of.live), one(&of.shadow))
            })
            .collect();
        assert_eq!(
            held,
            [
                "n: 4 rows, 1 NULL, sum 4; 1 rows, 0 NULL, sum 9223372036854775806",
                "d: 4 rows, 1 NULL, sum 4.25; 1 rows, 0 NULL, sum 0.5",
                "t: 4 rows, 0 NULL, sum 0; 1 rows, 0 NULL, sum 0",
            ]
        );
        assert_eq!((found.sides, found.cancelled), (Tally::default().sides, 0), "rows are counted once");
    }
}
