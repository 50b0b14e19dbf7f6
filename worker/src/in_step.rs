//! Both sides in step: rows of one key that stand under both cursors are compared column by column, and those that are equal need no
//! fingerprint.
//!
//! ```text
//! live     a b c d | e f g        a run of equal keys is compared at once
//! shadow   a b c d | f g h        out of step: a look ahead finds f; e is left
//! ```
//! Out of step, a short look ahead by key, and then a search farther on, finds the place where both agree again. What is left, because it
//! has no partner here, or because its key may come again and it differs, goes on to be hashed. So it only ever saves work; sides that are
//! not in the same order are let pass.

use crate::aligned_rows::AlignedRows;
use crate::fingerprints::ByFingerprint;
use crate::in_place::InPlace;
use crate::job::Job;
use arrow_array::ArrayRef;
use arrow_buffer::{BooleanBuffer, BooleanBufferBuilder};
use arrow_select::concat::concat;
use shadowdiff_core::compare::unequal;
use shadowdiff_core::error::{Error, Result};
use shadowdiff_core::plan::Form;
use shadowdiff_core::row::ascend;
use shadowdiff_core::side::{Side, Sides};
use std::collections::VecDeque;

/// A batch, and what its rows before the cursor have come to.
struct Held {
    rows: AlignedRows,
    /// Rows that are not done with.
    left: BooleanBufferBuilder,
    /// Rows that differ from a partner, and are done with.
    differs: BooleanBufferBuilder,
    /// Rows that are not equal to a partner.
    unequal: BooleanBufferBuilder,
    /// Whether the keys of all rows ascend, once somebody has asked.
    ascends: Option<bool>,
}

#[derive(Default)]
struct Queue {
    held: VecDeque<Held>,
    /// The row under the cursor, in the first batch.
    row: usize,
    /// Rows from the cursor on.
    ahead: usize,
    is_at_end: bool,
}

impl Queue {
    fn has(&self, rows: usize) -> bool {
        self.is_at_end || self.ahead >= rows
    }

    /// Rows from the cursor to the end of the first batch.
    fn in_first(&self) -> usize {
        self.held.front().map_or(0, |held| held.rows.rows() - self.row)
    }

    /// Some columns of so many rows of the first batch.
    fn slices(&self, columns: &[usize], rows: usize) -> Vec<ArrayRef> {
        let arrays = self.held.front().map_or_else(Vec::new, |held| held.rows.some(columns));
        arrays.iter().map(|array| array.slice(self.row, rows)).collect()
    }

    /// Some columns of the next rows, of whatever batches.
    fn next_columns(&self, columns: &[usize], rows: usize) -> Result<Vec<ArrayRef>> {
        let mut parts: Vec<Vec<ArrayRef>> = vec![Vec::new(); columns.len()];
        let (mut from, mut wanted) = (self.row, rows.min(self.ahead));
        for held in &self.held {
            let length = (held.rows.rows() - from).min(wanted);
            for (parts, array) in parts.iter_mut().zip(held.rows.some(columns)) {
                parts.push(array.slice(from, length));
            }
            (from, wanted) = (0, wanted - length);
            if wanted == 0 {
                break;
            }
        }
        let joined = parts.into_iter().map(|parts| match &parts[..] {
            [one] => Ok(one.clone()),
            _ => concat(&parts.iter().map(|part| part.as_ref()).collect::<Vec<_>>()),
        });
        joined
            .collect::<Result<_, _>>()
            .map_err(|e| Error::internal(format!("in step: {e}")))
    }
}

/// Where rows go that are left.
pub(crate) type Emit<'e> = dyn FnMut(Side, AlignedRows) -> Result<()> + 'e;

/// A pair of streams of rows.
pub(crate) struct InStep<'a> {
    job: &'a Job,
    queues: Sides<Queue>,
    /// The columns that are not of the key.
    values: Vec<usize>,
    /// Rows of each side that are needed to go on.
    needed: usize,
    is_on: bool,
    /// After so many rows of which hardly one ended here, no more are tried.
    patience: u64,
    passed: u64,
    /// Pairs that are done with.
    pub(crate) ended: u64,
    pub(crate) cancelled: u64,
}

impl<'a> InStep<'a> {
    pub(crate) fn new(job: &'a Job, form: Form, is_on: bool) -> Self {
        let aligned = &job.plan.aligned;
        InStep {
            job,
            queues: Sides::default(),
            values: (0..aligned.columns.len()).filter(|at| !aligned.key.contains(at)).collect(),
            needed: 1,
            is_on,
            patience: job.resources.limits.patience(form),
            passed: 0,
            ended: 0,
            cancelled: 0,
        }
    }

    pub(crate) fn is_on(&self) -> bool {
        self.is_on
    }

    /// The side that should be read next; `None` where it does not matter here.
    pub(crate) fn next_side(&self) -> Option<Side> {
        let by_ahead = match self.queues.live.ahead <= self.queues.shadow.ahead {
            true => Side::Live,
            false => Side::Shadow,
        };
        self.is_on.then_some(by_ahead)
    }

    pub(crate) fn push(&mut self, side: Side, rows: AlignedRows, in_place: &mut InPlace<'_>, emit: &mut Emit<'_>) -> Result<()> {
        if !self.is_on {
            if !rows.has_seen_keys {
                in_place.see_all_keys(side, &rows.some(&self.job.plan.aligned.key));
            }
            return emit(side, rows);
        }
        let count = rows.rows();
        let queue = &mut self.queues[side];
        queue.ahead += count;
        queue.held.push_back(Held {
            rows,
            left: BooleanBufferBuilder::new(count),
            differs: BooleanBufferBuilder::new(count),
            unequal: BooleanBufferBuilder::new(count),
            ascends: None,
        });
        self.advance(in_place, emit)
    }

    /// A side brings no more rows.
    pub(crate) fn end(&mut self, side: Side, in_place: &mut InPlace<'_>, emit: &mut Emit<'_>) -> Result<()> {
        self.queues[side].is_at_end = true;
        self.advance(in_place, emit)
    }

    fn advance(&mut self, in_place: &mut InPlace<'_>, emit: &mut Emit<'_>) -> Result<()> {
        while self.is_on && Side::BOTH.iter().all(|side| self.queues[*side].has(self.needed)) {
            let ahead = self.queues.live.ahead.min(self.queues.shadow.ahead);
            if ahead == 0 {
                return self.pass_rest(in_place, emit);
            }
            if self.run(in_place, emit)? {
                self.needed = 1;
                continue;
            }
            let limits = &self.job.resources.limits;
            let (near, far) = (limits.look_ahead + 1, limits.search_ahead.max(limits.look_ahead + 1));
            let skipped = match self.needed {
                needed if needed < near => self.need(near),
                needed if needed < far => match self.look_ahead()? {
                    Some(rows) => Some(rows),
                    None => self.need(far),
                },
                _ => Some(self.search(far)?.unwrap_or(Sides::new(ahead, ahead))),
            };
            let Some(skipped) = skipped else { continue };
            self.needed = 1;
            for side in Side::BOTH {
                self.pass(side, skipped[side], in_place, emit)?;
            }
            if self.passed > self.patience && self.ended * 20 < self.passed {
                self.give_up(in_place, emit)?;
            }
        }
        Ok(())
    }

    fn need(&mut self, rows: usize) -> Option<Sides<usize>> {
        self.needed = rows;
        None
    }

    /// Compares the run of rows of equal keys under the cursors; false if there is none.
    fn run(&mut self, in_place: &mut InPlace<'_>, emit: &mut Emit<'_>) -> Result<bool> {
        let aligned = &self.job.plan.aligned;
        let rows = Side::BOTH.map(|side| self.queues[side].in_first()).into_iter().min().unwrap_or(0);
        let rows = rows.min(self.job.resources.limits.step_rows);
        let keys = Sides::from_fn(|side| self.queues[side].slices(&aligned.key, rows));
        let mut run = rows;
        for ((column, live), shadow) in aligned.key_columns().zip(&keys.live).zip(&keys.shadow) {
            let unequal = unequal(column, &live.slice(0, run), &shadow.slice(0, run));
            run = unequal.set_indices().next().unwrap_or(run);
        }
        if run == 0 {
            return Ok(false);
        }
        let values = Sides::from_fn(|side| self.queues[side].slices(&self.values, run));
        let pairs = in_place.compare(&self.values, &values.live, &values.shadow, run)?;
        let others = !&pairs.ended();
        // A thin row is equal to its partner only if that is the row that it stood beside: that no other has its key must show.
        let unequal = match self.were_read_alike() {
            true => !&pairs.equal,
            false => BooleanBuffer::new_set(run),
        };
        let ends = others.count_set_bits() > 0 && in_place.judges && self.ascend() && in_place.ends_differing();
        let (left, differs) = match ends {
            true => (BooleanBuffer::new_unset(run), others),
            false => (others, BooleanBuffer::new_unset(run)),
        };
        self.cancelled += pairs.equal.count_set_bits() as u64;
        self.ended += (run - left.count_set_bits()) as u64;
        in_place.add_near(&pairs);
        in_place.add_differing(&pairs, differs.count_set_bits() as u64);
        for side in Side::BOTH {
            if let Some(held) = self.queues[side].held.front_mut() {
                held.left.append_buffer(&left);
                held.differs.append_buffer(&differs);
                held.unequal.append_buffer(&unequal);
            }
            self.step(side, run, in_place, emit)?;
        }
        Ok(true)
    }

    /// Whether the first batches were both read whole, or both in part.
    fn were_read_alike(&self) -> bool {
        let is_thin = Side::BOTH.map(|side| self.queues[side].held.front().map(|held| held.rows.is_thin));
        is_thin[0] == is_thin[1]
    }

    /// Whether the keys of the first batches ascend.
    fn ascend(&mut self) -> bool {
        let key = &self.job.plan.aligned.key;
        Side::BOTH.into_iter().all(|side| {
            let first = self.queues[side].held.front_mut();
            first.is_some_and(|held| *held.ascends.get_or_insert_with(|| ascend(&held.rows.some(key))))
        })
    }

    /// Leaves the next rows of a side.
    fn pass(&mut self, side: Side, mut rows: usize, in_place: &mut InPlace<'_>, emit: &mut Emit<'_>) -> Result<()> {
        while rows > 0 {
            let length = rows.min(self.queues[side].in_first());
            if let Some(held) = self.queues[side].held.front_mut() {
                held.left.append_n(length, true);
                held.differs.append_n(length, false);
                held.unequal.append_n(length, true);
            }
            self.step(side, length, in_place, emit)?;
            rows -= length;
        }
        Ok(())
    }

    /// Moves the cursor within the first batch, which goes on at its end.
    fn step(&mut self, side: Side, rows: usize, in_place: &mut InPlace<'_>, emit: &mut Emit<'_>) -> Result<()> {
        let queue = &mut self.queues[side];
        queue.row += rows;
        queue.ahead -= rows;
        self.passed += rows as u64;
        if queue.in_first() > 0 {
            return Ok(());
        }
        queue.row = 0;
        let Some(mut held) = queue.held.pop_front() else { return Ok(()) };
        let (left, differs, unequal) = (held.left.finish(), held.differs.finish(), held.unequal.finish());
        if !held.rows.has_seen_keys {
            let keys = held.rows.some(&self.job.plan.aligned.key);
            in_place.see_all_keys(side, &keys);
            in_place.see_keys(side, &keys, &unequal)?;
        }
        if differs.count_set_bits() > 0 {
            in_place.push_differing(side, held.rows.clone(), differs)?;
        }
        match left.count_set_bits() {
            0 => Ok(()),
            _ => emit(side, held.rows.only(&left)?),
        }
    }

    /// How many rows of which side to skip so that both have the same key again.
    fn look_ahead(&self) -> Result<Option<Sides<usize>>> {
        let keys = self.key_hashes(self.job.resources.limits.look_ahead + 1)?;
        let found = |ahead: usize| {
            let meets = |side: Side| keys[side].get(ahead).is_some_and(|key| keys[side.other()].first() == Some(key));
            match (meets(Side::Live), meets(Side::Shadow)) {
                (true, _) => Some(Sides::new(ahead, 0)),
                (false, true) => Some(Sides::new(0, ahead)),
                (false, false) => None,
            }
        };
        Ok((1..=self.job.resources.limits.look_ahead).find_map(found))
    }

    /// How many rows of each side to skip so that two keys in a row agree.
    fn search(&self, rows: usize) -> Result<Option<Sides<usize>>> {
        let keys = self.key_hashes(rows)?;
        let mut places: ByFingerprint<usize> = ByFingerprint::default();
        for (place, key) in keys.shadow.iter().enumerate() {
            places.entry(*key).or_insert(place);
        }
        let agree = |(at, key): (usize, &u128)| {
            let place = *places.get(key)?;
            let next = keys.live.get(at + 1).zip(keys.shadow.get(place + 1));
            next.is_some_and(|(live, shadow)| live == shadow).then_some(Sides::new(at, place))
        };
        Ok(keys.live.iter().enumerate().find_map(agree))
    }

    /// Fingerprints of the keys of the next rows of both sides: a guess at where to go on, which is compared by value.
    fn key_hashes(&self, rows: usize) -> Result<Sides<Vec<u128>>> {
        Sides::try_from_fn(|side| {
            let keys = self.queues[side].next_columns(&self.job.plan.aligned.key, rows)?;
            let rows = keys.first().map_or(0, |key| key.len());
            Ok(self.job.compiled.key_fingerprint.hash(&keys.iter().collect::<Vec<_>>(), rows))
        })
    }

    fn pass_rest(&mut self, in_place: &mut InPlace<'_>, emit: &mut Emit<'_>) -> Result<()> {
        for side in Side::BOTH {
            self.pass(side, self.queues[side].ahead, in_place, emit)?;
        }
        Ok(())
    }

    /// The sides are not in the same order: all rows are let pass.
    fn give_up(&mut self, in_place: &mut InPlace<'_>, emit: &mut Emit<'_>) -> Result<()> {
        self.pass_rest(in_place, emit)?;
        in_place.stop_judging();
        self.is_on = false;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use crate::exchanged::numbers;
    use crate::job::Job;
    use crate::limits::TaskLimits;
    use crate::matching::match_fingerprints;
    use crate::resources::Disabled;
    use crate::scan::{rescan, scan};
    use crate::testing::Setup;
    use shadowdiff_core::mix::next;
    use shadowdiff_core::plan::Form;
    use shadowdiff_core::row::JudgedInPlace;
    use shadowdiff_core::side::Side;
    use std::collections::BTreeSet;
    use std::sync::Arc;

    const SPEC: &str = "schema: {id: int64, v: int64}\ncomparators:\n- {columns: [v], absolute: 1}\n";

    /// A key and its value.
    type Row = (i64, i64);

    /// What the rows of a job come to.
    #[derive(Debug, PartialEq, Eq)]
    struct Found {
        cancelled: u64,
        near: u64,
        changed: u64,
        /// The rows of each side that are left, without a partner or of a key that comes again.
        left: [Vec<Row>; 2],
    }

    impl Found {
        /// Pairs whose key is there once a side among the rows that are left are compared, and end there.
        fn compare_left(&mut self) {
            let [live, shadow] = self.left.clone();
            let alone = |rows: &[Row], id: i64| rows.iter().filter(|row| row.0 == id).count() == 1;
            for (id, v) in &live {
                let Some(partner) = shadow.iter().find(|row| row.0 == *id) else {
                    continue;
                };
                if alone(&live, *id) && alone(&shadow, *id) {
                    match (partner.1 - v).abs() <= 1 {
                        true => self.near += 1,
                        false => self.changed += 1,
                    }
                    self.left.iter_mut().for_each(|rows| rows.retain(|row| row.0 != *id));
                }
            }
        }
    }

    /// How the rows of a job end; whether they were scanned again; how many pairs ended before any was exchanged.
    fn found(job: &Job, rows: [&[Row]; 2]) -> (Found, bool, u64) {
        let scans = |again: bool| {
            let run = if again { rescan } else { scan };
            let tasks = job
                .plan
                .scans
                .iter()
                .map(|task| run(job, task, Form::Fingerprints, 0).expect("a scan"));
            tasks.collect::<Vec<_>>()
        };
        let mut outputs = scans(false);
        let mut judged = JudgedInPlace::default();
        outputs
            .iter()
            .for_each(|output| judged.merge(output.judged.clone().unwrap_or_default()));
        for side in Side::BOTH {
            let keys: BTreeSet<i64> = rows[side as usize].iter().map(|row| row.0).collect();
            let has_copies = keys.len() < rows[side as usize].len();
            assert!(!(has_copies && judged.distinct()[side]), "{rows:?}");
        }
        if !judged.holds() {
            outputs = scans(true);
        }
        let mut found = Found {
            cancelled: outputs.iter().map(|output| output.tally.cancelled).sum(),
            near: outputs.iter().map(|output| output.tally.within_tolerance).sum(),
            changed: outputs.iter().map(|output| output.tally.changed).sum(),
            left: [Vec::new(), Vec::new()],
        };
        let in_place = found.cancelled + found.near + found.changed;
        let exchanged = (0..)
            .zip(outputs)
            .map(|(task, output)| (task, Arc::new(output.exchange.expect("rows are exchanged"))));
        let matched = match_fingerprints(job, &[0], &exchanged.collect(), 0).expect("rows cancel");
        found.cancelled += matched.tally.cancelled;
        found.near += matched.tally.within_tolerance;
        let object = matched.exchange.expect("rows are left");
        for side in Side::BOTH {
            for shard in 0..object.shards() {
                for block in object.batches(shard, side) {
                    let block = block.expect("a block");
                    let left = numbers(&block).map(|row| rows[side as usize][row.0 as usize]);
                    found.left[side as usize].extend(left);
                }
            }
            found.left[side as usize].sort_unstable();
        }
        found.compare_left();
        (found, !judged.holds(), in_place)
    }

    fn csv(rows: &[Row]) -> String {
        rows.iter().fold("id,v\n".to_owned(), |text, (id, v)| text + &format!("{id},{v}\n"))
    }

    fn run(live: &[Row], shadow: &[Row], scans: usize, disabled: Disabled) -> (Found, bool, u64) {
        let limits = TaskLimits {
            max_batch_rows: 4,
            step_rows: 3,
            look_ahead: 2,
            search_ahead: 6,
            patience_rows: 40,
            ..TaskLimits::PRODUCT
        };
        let setup = Setup {
            spec: SPEC,
            live: &csv(live),
            shadow: &csv(shadow),
            scans,
            limits,
            disabled,
            ..Setup::default()
        };
        found(&setup.job().job, [live, shadow])
    }

    const OUT_OF_STEP: Disabled = Disabled {
        same_object: true,
        same_chunk: true,
        same_position: true,
        window: true,
    };

    #[test]
    fn pairs_end_in_place_where_no_other_row_has_their_key() {
        let live: Vec<Row> = (0..30).map(|id| (id, 10 * id)).collect();
        let near: Vec<Row> = live.iter().map(|(id, v)| (*id, v + if id % 7 == 3 { 5 } else { 1 })).collect();
        let (found, again, in_place) = run(&live, &near, 1, Disabled::default());
        assert_eq!((found.cancelled, found.near, found.changed, again, in_place), (0, 26, 4, false, 30));
        assert_eq!(found.left, [vec![], vec![]]);
    }

    #[test]
    fn a_side_whose_keys_ascend_is_known_to_have_no_copies() {
        let distinct = |live: &[Row], shadow: &[Row]| {
            let (live, shadow) = (csv(live), csv(shadow));
            let setup = Setup {
                spec: SPEC,
                live: &live,
                shadow: &shadow,
                ..Setup::default()
            };
            let setup = setup.job();
            let output = scan(&setup.job, &setup.job.plan.scans[0], Form::Rows, 0).expect("a scan");
            let distinct = output.judged.expect("of a scan").distinct();
            (distinct.live, distinct.shadow)
        };
        let rows: Vec<Row> = (0..30).map(|id| (id, 10 * id)).collect();
        assert_eq!(distinct(&rows, &rows[3..20]), (true, true));
        // The copy is equal to its partner, and cancels.
        let copies: Vec<Row> = rows[..4].iter().chain(&rows[3..]).copied().collect();
        assert_eq!(distinct(&copies, &rows), (false, true));
        let far: Vec<Row> = rows.iter().chain(&rows[3..4]).copied().collect();
        assert_eq!(distinct(&rows, &far), (true, false));
    }

    #[test]
    fn a_copy_of_a_key_far_away_is_found_before_anything_is_said() {
        let live: Vec<Row> = (0..30).chain([4]).map(|id| (id, 10 * id)).collect();
        let mut shadow: Vec<Row> = live.iter().map(|(id, v)| (*id, v + 1)).collect();
        let (found, again, in_place) = run(&live, &shadow, 1, Disabled::default());
        assert_eq!((found.near, again, in_place), (29, true, 0));
        assert_eq!(found.left, [vec![(4, 40), (4, 40)], vec![(4, 41), (4, 41)]]);
        // The copy is in shadow alone.
        shadow = live[..30].iter().map(|(id, v)| (*id, v + 1)).chain([(4, 40)]).collect();
        let (found, _, _) = run(&live[..30], &shadow, 1, Disabled::default());
        assert_eq!((found.cancelled, found.near), (1, 29));
    }

    #[test]
    fn two_scans_that_have_the_same_keys_are_scanned_again() {
        let live: Vec<Row> = (0..10).map(|id| (id, 10 * id)).collect();
        let near: Vec<Row> = live.iter().map(|(id, v)| (*id, v + 1)).collect();
        let (found, again, _) = run(&live, &near, 2, Disabled::default());
        assert!(again);
        assert_eq!(found, run(&live, &near, 2, OUT_OF_STEP).0);
    }

    /// Rows in order with gaps, extra rows, copies and changes of all sizes come to the same whether they are compared in step or not.
    #[test]
    fn in_step_or_not_the_same_rows_are_left() {
        let (mut scanned_again, mut most) = (0, 0);
        for seed in 1..400u64 {
            let mut state = seed;
            let mut one_in = |n: u64| next(&mut state).is_multiple_of(n);
            let (copies, shuffled) = (one_in(2), one_in(5));
            let mut sides = [Vec::new(), Vec::new()];
            for id in 0..60 {
                for side in &mut sides {
                    for _ in 0..1 + u8::from(copies && one_in(20)) {
                        if !one_in(12) {
                            let change = if one_in(3) { 1 } else { i64::from(one_in(9)) * 5 };
                            side.push((id, 10 * id + change));
                        }
                    }
                }
            }
            if shuffled {
                sides[1].rotate_left(25);
                sides[1].swap(3, 30);
            }
            let [live, shadow] = sides;
            for scans in [1, 2] {
                let (in_step, again, in_place) = run(&live, &shadow, scans, Disabled::default());
                scanned_again += u64::from(again);
                most = most.max(in_place);
                assert_eq!(in_step, run(&live, &shadow, scans, OUT_OF_STEP).0, "seed {seed}, {scans} scans");
            }
        }
        assert!(
            scanned_again > 50 && most > 30,
            "{scanned_again} scanned again, at most {most} pairs in place"
        );
    }
}
