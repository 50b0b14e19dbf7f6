//! The match task: numbered fingerprints of rows in, those of the rows that have no partner out, by the scan task that reads them again.
//!
//! Shards are by fingerprint here, not by account, so that equal rows meet and no account is larger than another.

use crate::exchanged::{self, numbered_schema};
use crate::job::Job;
use crate::lots::{Lots, Pass, ShardRows, lots_of};
use crate::rows::MultisetDiff;
use crate::tolerant::{Matched, UnmatchedRow, match_tolerant};
use arrow_array::RecordBatch;
use shadowdiff_common::exchange::Writer;
use shadowdiff_common::link::{Exchanged, TaskOutput};
use shadowdiff_core::error::{Error, Result};
use shadowdiff_core::profile::{Rung, Work};
use shadowdiff_core::side::{Side, Sides};
use shadowdiff_core::tally::Tally;

/// Cancels the rows of the given shards. The objects come with the numbers of their scans; these are the shards of the output.
pub(crate) fn match_fingerprints(job: &Job, shards: &[u32], objects: &Exchanged, halvings: u32) -> Result<TaskOutput> {
    let _spent = job.meter.enter(Rung::Match, Work::Join);
    let part_bytes = job.resources.part_bytes(halvings);
    let schemas = Sides::from_fn(|_| numbered_schema());
    let mut writer = Writer::new(schemas, job.plan.scans.len() as u32, part_bytes as usize, &job.resources.scratch);
    let mut tally = Tally::default();
    for shard in shards {
        // What does not fit is cancelled in several passes, a share of the fingerprints each.
        let passes = objects
            .iter()
            .map(|(_, object)| object.shard_bytes(*shard))
            .sum::<u64>()
            .div_ceil(part_bytes)
            .max(1);
        for number in 0..passes {
            job.watch.check()?;
            let pass = Pass { number, of: passes };
            let matched = match job.compiled.row_hasher.tolerant() {
                [] => cancel(job, objects, *shard, pass)?,
                [..] => match_tolerant(job, objects, *shard, pass)?,
            };
            tally.cancelled += matched.cancelled;
            tally.within_tolerance += matched.near;
            tally.add_tolerance_use(&matched.tolerance_use);
            for side in Side::BOTH {
                push(job, &mut writer, side, &matched.left[side])?;
            }
        }
    }
    let _spent = job.meter.enter(Rung::Reread, Work::Write);
    Ok(TaskOutput {
        exchange: Some(writer.finish()?),
        tally,
        ..TaskOutput::default()
    })
}

fn cancel(job: &Job, objects: &Exchanged, shard: u32, pass: Pass) -> Result<Matched> {
    let hash = |batch: &RecordBatch, row: usize| (exchanged::fingerprint_at(batch, row) >> 32) as u64;
    let read = Sides::try_from_fn(|side| ShardRows::read(job, objects, shard, side, pass, &hash))?;
    let lots = lots_of(read.live.len().max(read.shadow.len()));
    let rows = Sides::from_fn(|side| Rows::of(&read[side], lots));
    let mut matched = Matched::default();
    let mut diff = MultisetDiff::default();
    for lot in 0..lots {
        job.watch.check()?;
        let of_lot = Sides::from_fn(|side| rows[side].lots.rows(lot));
        diff.clear();
        for (side, of_lot) in of_lot.each() {
            rows[side].fingerprints[of_lot.clone()]
                .iter()
                .for_each(|print| diff.add(side, *print));
        }
        diff.keep_excess();
        let mut pairs = Sides::new(0, 0);
        for (side, of_lot) in of_lot.each() {
            let rows = &rows[side];
            let left = &mut matched.left[side];
            let before = left.len();
            let of_lot = of_lot.clone().map(|row| (rows.places[row], rows.fingerprints[row]));
            let taken = of_lot.clone().filter(|(_, print)| diff.take(side, *print));
            left.extend(taken.map(|(place, print)| UnmatchedRow::at(&read[side], place, print)));
            pairs[side] = (of_lot.len() + before - left.len()) as u64;
        }
        if pairs.live != pairs.shadow {
            return Err(Error::internal("match: cancelled rows do not balance"));
        }
        matched.cancelled += pairs.live;
    }
    Ok(matched)
}

/// The rows of one side of a shard, in lots by their fingerprints.
struct Rows {
    lots: Lots,
    places: Vec<u32>,
    fingerprints: Vec<u128>,
}

impl Rows {
    fn of(read: &ShardRows, lots: usize) -> Rows {
        let mut prints: Vec<u128> = Vec::with_capacity(read.len());
        read.blocks().for_each(|block| prints.extend(exchanged::fingerprints(block)));
        let lots = Lots::new(lots, prints.iter().map(|print| (print >> 24) as u64));
        Rows {
            places: lots.places(),
            fingerprints: lots.put(&prints),
            lots,
        }
    }
}

fn push(job: &Job, writer: &mut Writer, side: Side, left: &[UnmatchedRow]) -> Result<()> {
    let _spent = job.meter.enter(Rung::Reread, Work::Write);
    let shards: Vec<u32> = left.iter().map(|row| row.scan).collect();
    let fingerprints: Vec<u128> = left.iter().map(|row| row.fingerprint).collect();
    let batch = exchanged::numbered(left.iter().map(|row| row.number).collect(), &fingerprints)?;
    writer.push(side, &batch, &shards)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::TaskLimits;
    use crate::testing::Setup;
    use shadowdiff_common::exchange::Object;
    use std::sync::Arc;

    /// One scan's rows: fingerprint and side, numbered in this order.
    fn scanned(job: &Job, rows: &[(u128, Side)]) -> Arc<Object> {
        let mut writer = Writer::new(Sides::from_fn(|_| numbered_schema()), 1, 1, &job.resources.scratch);
        for (number, (fingerprint, side)) in (0..).zip(rows) {
            let batch = exchanged::numbered(vec![number], &[*fingerprint]).expect("a batch");
            writer.push(*side, &batch, &[0]).expect("push");
        }
        Arc::new(writer.finish().expect("finish"))
    }

    #[test]
    fn rows_of_all_scans_cancel_however_many_passes_it_takes() {
        use Side::{Live, Shadow};
        let print = |n: u128| n << 32;
        let mut passes = Vec::new();
        for part_bytes in [1 << 20, 2_000, 300, 40] {
            let limits = TaskLimits {
                min_part_bytes: part_bytes,
                max_part_bytes: part_bytes,
                ..TaskLimits::PRODUCT
            };
            let (live, shadow) = ("id\n", "id\n");
            let small = Setup {
                live,
                shadow,
                limits,
                scans: 2,
                ..Setup::default()
            }
            .job();
            let first = [
                (print(1), Live),
                (print(2), Live),
                (print(1), Live),
                (print(3), Shadow),
                (print(4), Live),
            ];
            let second = [
                (print(2), Shadow),
                (print(3), Live),
                (print(1), Shadow),
                (print(5), Shadow),
                (print(4), Live),
            ];
            let objects = vec![(0, scanned(&small.job, &first)), (1, scanned(&small.job, &second))];
            passes.push(
                objects
                    .iter()
                    .map(|(_, object)| object.shard_bytes(0))
                    .sum::<u64>()
                    .div_ceil(part_bytes),
            );
            let matched = match_fingerprints(&small.job, &[0], &objects, 0).expect("rows cancel");
            assert_eq!(matched.tally.cancelled, 3, "parts of {part_bytes}");
            let exchange = matched.exchange.expect("rows are exchanged");
            let left = |scan: u32, side: Side| {
                let mut numbers: Vec<u64> = Vec::new();
                for block in exchange.batches(scan, side) {
                    numbers.extend(exchanged::numbers(&block.expect("a block")).map(|(number, _)| number));
                }
                numbers.sort_unstable();
                numbers
            };
            assert_eq!(left(0, Live), [0, 4], "of equal rows one finds the partner");
            assert_eq!(left(1, Live), [4]);
            assert_eq!((left(0, Shadow), left(1, Shadow)), (vec![], vec![3]));
        }
        assert!(passes[0] == 1 && passes[3] > 10, "{passes:?}");
    }
}
