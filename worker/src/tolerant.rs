//! Rows that may be near, matched: what is equal cancels, pairs that differ within their tolerances end here, the rest is left.
//!
//! ```text
//! rows of one key     one a side, all else equal    values equal         both cancel
//!                                                   values near          both end, as within tolerance
//!                                                   values differ        both are left
//!                     one a side, otherwise         both are left
//!                     more                          equal rows cancel one to one, the others are left
//! ```
//! All rows of a key meet in one shard, so that no other row of a key is elsewhere is known here. Keys meet by 64 bits of their
//! fingerprints: two that share them only go the longer way.

use crate::exchanged::{TolerantRows, fingerprints_of};
use crate::fingerprints::ByHash;
use crate::in_place::{Pairs, near_pairs};
use crate::job::Job;
use crate::lots::{Lots, Pass, ShardRows, lots_of};
use crate::pairs::ToleranceUses;
use crate::rows::MultisetDiff;
use arrow_array::{Array, ArrayRef, RecordBatch, UInt32Array};
use arrow_buffer::BooleanBuffer;
use arrow_select::take::take;
use shadowdiff_common::exchange::SelectedRows;
use shadowdiff_common::link::Exchanged;
use shadowdiff_core::error::{Error, Result};
use shadowdiff_core::side::{Side, Sides};
use shadowdiff_core::value::fixed_form;

/// A row that is left.
#[derive(Debug, Clone, Copy)]
pub(crate) struct UnmatchedRow {
    pub(crate) scan: u32,
    /// Its number in its scan task.
    pub(crate) number: u64,
    pub(crate) fingerprint: u128,
}

impl UnmatchedRow {
    /// The row at a place of a side of a shard.
    pub(crate) fn at(rows: &ShardRows, place: u32, fingerprint: u128) -> Self {
        let (scan, number) = rows.row(place);
        UnmatchedRow { scan, number, fingerprint }
    }
}

/// What became of the rows of a shard.
#[derive(Debug, Default)]
pub(crate) struct Matched {
    pub(crate) left: Sides<Vec<UnmatchedRow>>,
    /// Pairs of equal rows.
    pub(crate) cancelled: u64,
    /// Pairs of rows that differ within their tolerances.
    pub(crate) near: u64,
    pub(crate) tolerance_use: ToleranceUses,
}

/// What becomes of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Ended,
    Left,
}

/// Matches the rows of a shard whose keys are of a pass.
pub(crate) fn match_tolerant(job: &Job, objects: &Exchanged, shard: u32, pass: Pass) -> Result<Matched> {
    let hash = |batch: &RecordBatch, row: usize| u64::from((TolerantRows(batch).keys()[row] >> 16) as u32);
    let read = Sides::try_from_fn(|side| ShardRows::read(job, objects, shard, side, pass, &hash))?;
    let lots = lots_of(read.live.len().max(read.shadow.len()));
    let rows = Sides::try_from_fn(|side| Rows::of(job, side, &read[side], lots))?;
    let partners = Partners::of(&rows, lots);
    let mut matched = Matched::default();
    let mut fates = Sides::from_fn(|side| vec![Fate::Left; rows[side].keys.len()]);
    for pairs in partners.pairs.chunks(job.resources.limits.chunk_rows.max(1)) {
        job.watch.check()?;
        let Pairs {
            equal,
            near,
            tolerance_use,
            ..
        } = compare(job, &rows, pairs)?;
        for (at, (live, shadow)) in pairs.iter().enumerate() {
            let fate = match equal.value(at) || near.value(at) {
                true => Fate::Ended,
                false => Fate::Left,
            };
            fates.live[*live as usize] = fate;
            fates.shadow[*shadow as usize] = fate;
        }
        matched.cancelled += equal.count_set_bits() as u64;
        matched.near += near.count_set_bits() as u64;
        for (column, used) in &tolerance_use {
            matched.tolerance_use.entry(*column).or_default().merge(used);
        }
    }
    let crowded = Sides::try_from_fn(|side| rows[side].fingerprints(job, &partners.crowded[side]))?;
    let mut diff = MultisetDiff::default();
    for (side, prints) in crowded.each() {
        prints.iter().for_each(|print| diff.add(side, *print));
    }
    for side in Side::BOTH {
        for (at, print) in partners.crowded[side].iter().zip(&crowded[side]) {
            if !diff.take(side, *print) {
                fates[side][*at as usize] = Fate::Ended;
            }
        }
        let chosen = (0u32..).zip(&fates[side]).filter(|(_, fate)| **fate == Fate::Left);
        let chosen: Vec<u32> = chosen.map(|(row, _)| row).collect();
        let prints = rows[side].fingerprints(job, &chosen)?;
        let places = chosen.iter().map(|row| rows[side].places[*row as usize]);
        let left = places.zip(prints);
        matched.left[side].extend(left.map(|(place, print)| UnmatchedRow::at(&read[side], place, print)));
    }
    let crowded_pairs = Sides::from_fn(|side| {
        let left = partners.crowded[side]
            .iter()
            .filter(|at| fates[side][**at as usize] == Fate::Left)
            .count();
        (partners.crowded[side].len() - left) as u64
    });
    if crowded_pairs.live != crowded_pairs.shadow {
        return Err(Error::internal("match: cancelled rows do not balance"));
    }
    matched.cancelled += crowded_pairs.live;
    Ok(matched)
}

/// The rows of one side of a shard, in lots by their keys.
struct Rows {
    lots: Lots,
    places: Vec<u32>,
    /// The columns with a tolerance.
    values: Vec<ArrayRef>,
    keys: Vec<u64>,
    exact: Vec<u128>,
}

impl Rows {
    fn of(job: &Job, side: Side, read: &ShardRows, lots: usize) -> Result<Rows> {
        let batches: Vec<RecordBatch> = read.blocks().map(SelectedRows::to_batch).collect::<Result<_>>()?;
        let blocks: Vec<TolerantRows<'_>> = batches.iter().map(TolerantRows).collect();
        let (mut keys, mut exact) = (Vec::with_capacity(read.len()), Vec::with_capacity(read.len()));
        blocks.iter().for_each(|block| keys.extend_from_slice(block.keys()));
        batches.iter().for_each(|batch| exact.extend(fingerprints_of(batch)));
        let lots = Lots::new(lots, keys.iter().map(|key| key >> 24));
        let columns = job.compiled.row_hasher.tolerant().iter().enumerate();
        let values = columns.map(|(number, at)| {
            let parts: Vec<&dyn Array> = blocks.iter().map(|block| block.values()[number].as_ref()).collect();
            lots.put_arrays(&fixed_form(&job.plan.aligned.columns[*at].stored[side]), &parts)
        });
        Ok(Rows {
            values: values.collect::<Result<_>>()?,
            places: lots.places(),
            keys: lots.put(&keys),
            exact: lots.put(&exact),
            lots,
        })
    }

    /// The fingerprints of some of the rows.
    fn fingerprints(&self, job: &Job, chosen: &[u32]) -> Result<Vec<u128>> {
        let values = self.values(chosen.iter().copied())?;
        let exact: Vec<u128> = chosen.iter().map(|row| self.exact[*row as usize]).collect();
        Ok(job.compiled.row_hasher.whole(&exact, &values.iter().collect::<Vec<_>>()))
    }

    /// The values with a tolerance of some of the rows.
    fn values(&self, rows: impl Iterator<Item = u32>) -> Result<Vec<ArrayRef>> {
        let rows = UInt32Array::from_iter_values(rows);
        let values = self.values.iter();
        values
            .map(|array| take(array.as_ref(), &rows, None).map_err(|e| Error::internal(format!("match: {e}"))))
            .collect()
    }
}

/// Which rows meet by their keys.
#[derive(Debug, Default)]
struct Partners {
    /// Rows of live and of shadow whose keys no other row has.
    pairs: Vec<(u32, u32)>,
    /// Rows of keys that both sides have, one of them more than once; those of one key in their order.
    crowded: Sides<Vec<u32>>,
}

impl Partners {
    fn of(rows: &Sides<Rows>, lots: usize) -> Partners {
        let mut partners = Partners::default();
        partners.pairs.reserve_exact(rows.live.keys.len().min(rows.shadow.keys.len()));
        let mut known = KnownKeys::default();
        for lot in 0..lots {
            partners.add(rows, lot, &mut known);
        }
        partners
    }

    /// Adds the rows of a lot. `known` is empty again at the end.
    fn add(&mut self, rows: &Sides<Rows>, lot: usize, known: &mut KnownKeys) {
        let of_lot = |side: Side| {
            let range = rows[side].lots.rows(lot);
            (range.start as u32..).zip(&rows[side].keys[range])
        };
        for (row, key) in of_lot(Side::Live) {
            known.entry(*key).and_modify(|found| found.0 = MANY).or_insert((row, NONE));
        }
        for (row, key) in of_lot(Side::Shadow) {
            if let Some(found) = known.get_mut(key) {
                found.1 = if found.1 == NONE { row } else { MANY };
            }
        }
        let is_crowded = |found: &(u32, u32)| found.1 != NONE && (found.0 == MANY || found.1 == MANY);
        self.pairs.extend(known.values().filter(|found| found.0 < MANY && found.1 < MANY));
        known.retain(|_, found| is_crowded(found));
        if known.is_empty() {
            return;
        }
        for side in Side::BOTH {
            self.crowded[side].extend(of_lot(side).filter(|(_, key)| known.contains_key(*key)).map(|(row, _)| row));
        }
        known.clear();
    }
}

/// By key: the row of each side, if there is one alone.
type KnownKeys = ByHash<(u32, u32)>;
const NONE: u32 = u32::MAX;
const MANY: u32 = u32::MAX - 1;

/// Which pairs are equal but for columns with a tolerance.
fn alike(rows: &Sides<Rows>, pairs: &[(u32, u32)]) -> BooleanBuffer {
    let is_alike = |(live, shadow): (u32, u32)| rows.live.exact[live as usize] == rows.shadow.exact[shadow as usize];
    BooleanBuffer::collect_bool(pairs.len(), |at| is_alike(pairs[at]))
}

/// Which pairs are equal, and which of the others are near in every column with a tolerance and equal in all else.
fn compare(job: &Job, rows: &Sides<Rows>, pairs: &[(u32, u32)]) -> Result<Pairs> {
    let live = rows.live.values(pairs.iter().map(|pair| pair.0))?;
    let shadow = rows.shadow.values(pairs.iter().map(|pair| pair.1))?;
    let columns = job.compiled.row_hasher.tolerant().iter().zip(&live).zip(&shadow);
    near_pairs(
        job,
        alike(rows, pairs),
        &columns.map(|((at, live), shadow)| (*at, live, shadow)).collect::<Vec<_>>(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::TaskLimits;
    use crate::matching::match_fingerprints;
    use crate::resources::Disabled;
    use crate::scan::scan;
    use crate::testing::Setup;
    use shadowdiff_core::plan::Form;
    use std::sync::Arc;

    const SPEC: &str = "schema: {v: int64}\ncomparators:\n- {columns: [v], absolute: 1}\n";

    /// Rows of live and of shadow, as `key value other`; how many cancel, how many are near, and the numbers of those that are left.
    fn matched(spec: &str, live: &[&str], shadow: &[&str], part_bytes: u64) -> (u64, u64, [Vec<u64>; 2]) {
        let text = |rows: &[&str]| {
            rows.iter()
                .fold("id,v,w\n".to_owned(), |text, row| text + &row.replace(' ', ",") + "\n")
        };
        let small = Setup {
            spec,
            live: &text(live),
            shadow: &text(shadow),
            limits: TaskLimits {
                patience_rows: 0,
                min_part_bytes: part_bytes,
                max_part_bytes: part_bytes,
                chunk_rows: 2,
                max_batch_rows: 1,
                ..TaskLimits::PRODUCT
            },
            task_bytes: 0,
            // Here rows are to meet in the exchange.
            disabled: Disabled {
                same_position: true,
                window: true,
                ..Disabled::default()
            },
            ..Setup::default()
        }
        .job();
        let scanned = scan(&small.job, &small.job.plan.scans[0], Form::Fingerprints, 0).expect("a scan");
        let objects = vec![(0, Arc::new(scanned.exchange.expect("rows are exchanged")))];
        let output = match_fingerprints(&small.job, &[0], &objects, 0).expect("a match");
        let exchange = output.exchange.expect("rows are exchanged");
        let left = Side::BOTH.map(|side| {
            let mut numbers: Vec<u64> = Vec::new();
            for shard in 0..exchange.shards() {
                for block in exchange.batches(shard, side) {
                    numbers.extend(crate::exchanged::numbers(&block.expect("a block")).map(|row| row.0));
                }
            }
            numbers.sort_unstable();
            numbers
        });
        let cancelled = scanned.tally.cancelled + output.tally.cancelled;
        (cancelled, output.tally.within_tolerance, left)
    }

    #[test]
    fn a_pair_ends_here_only_where_its_key_is_there_once_a_side() {
        type Example<'a> = (&'a str, &'a [&'a str], &'a [&'a str], (u64, u64, [Vec<u64>; 2]));
        let examples: [Example<'_>; 8] = [
            ("near", &["a 1 x"], &["a 2 x"], (0, 1, [vec![], vec![]])),
            ("too far", &["a 1 x"], &["a 3 x"], (0, 0, [vec![0], vec![0]])),
            ("another column differs", &["a 1 x"], &["a 2 y"], (0, 0, [vec![0], vec![0]])),
            ("equal", &["a 1 x", "b 5 x"], &["b 5 x", "a 1 x"], (2, 0, [vec![], vec![]])),
            (
                "a far-away copy of live",
                &["a 1 x", "b 1 x", "c 1 x", "a 9 x"],
                &["a 2 x", "b 1 x", "c 1 x"],
                (2, 0, [vec![0, 3], vec![0]]),
            ),
            ("a copy in shadow", &["a 1 x"], &["a 2 x", "a 2 z"], (0, 0, [vec![0], vec![0, 1]])),
            (
                "copies that cancel",
                &["a 1 x", "a 5 x"],
                &["a 5 x", "a 2 x"],
                (1, 0, [vec![0], vec![1]]),
            ),
            (
                "no partner",
                &["a 1 x", "c 1 x", "c 1 x"],
                &["b 1 x"],
                (0, 0, [vec![0, 1, 2], vec![0]]),
            ),
        ];
        for (name, live, shadow, want) in examples {
            for part_bytes in [1 << 20, 100] {
                assert_eq!(matched(SPEC, live, shadow, part_bytes), want, "{name}, parts of {part_bytes}");
            }
        }
    }

    #[test]
    fn null_is_near_null_alone() {
        let (live, shadow) = (["a  x", "b 1 x", "c  x"], ["a  x", "b  x", "c 0 x"]);
        assert_eq!(matched(SPEC, &live, &shadow, 1 << 20), (1, 0, [vec![1, 2], vec![1, 2]]));
    }

    #[test]
    fn a_tolerance_is_of_the_baseline() {
        let spec =
            |baseline: &str| format!("schema: {{v: int64}}\ncomparators:\n- {{columns: [v], relative: 40%}}\nbaseline: {baseline}\n");
        let (live, shadow) = (["a 2 x", "b 3 x"], ["a 3 x", "b 2 x"]);
        assert_eq!(matched(&spec("live"), &live, &shadow, 1 << 20), (0, 1, [vec![0], vec![0]]));
        assert_eq!(matched(&spec("shadow"), &live, &shadow, 1 << 20), (0, 1, [vec![1], vec![1]]));
    }
}
