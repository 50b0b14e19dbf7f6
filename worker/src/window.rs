//! The window: cancels equal rows of both sides that come in nearly the same order, before anything is exchanged.
//!
//! ```text
//! rows of a side:   emitted | held, passed (in `unmatched` if alive) | held, ahead | not read
//!                                                                    ^ cursor
//! ```
//! In step, the rows under both cursors cancel. Out of step, a short look ahead, and now and then a search farther on, finds the place where
//! they agree again; rows skipped over
//! wait in `unmatched` for a partner that comes later. When the window is full the oldest rows leave it, and what has found no partner
//! goes to the exchange, where it will. So the window only ever saves work: with it or without, the same rows cancel.

use crate::aligned_rows::Rows;
use crate::fingerprints::ByFingerprint;
use crate::limits::TaskLimits;
use arrow_array::{BooleanArray, RecordBatch};
use arrow_buffer::BooleanBuffer;
use arrow_select::filter::filter_record_batch;
use shadowdiff_core::error::{Error, Result};
use shadowdiff_core::plan::Form;
use shadowdiff_core::side::{Side, Sides};
use std::collections::VecDeque;

/// A batch of which at least this share has cancelled is made smaller at once: the window then reaches further with the same memory.
const COMPACT_FROM: usize = 2;
/// What a held row takes besides its batch: fingerprint, flag, and its place in the map of those without a partner.
const ROW_BYTES: usize = 16 + 1 + 60;

#[derive(Debug)]
struct HeldBatch {
    rows: Rows,
    alive: Vec<bool>,
    bytes: usize,
}

#[derive(Debug, Default)]
struct Queue {
    held: VecDeque<HeldBatch>,
    /// Number of the first held batch since the start.
    first: usize,
    /// The batch (since the start) and row under the cursor.
    batch: usize,
    row: usize,
    /// Alive rows before the cursor: batch and row.
    unmatched: ByFingerprint<(usize, usize)>,
    /// Batches before this one (since the start) have been looked at for compacting.
    compacted: usize,
    bytes: usize,
}

impl Rows {
    fn held_bytes(&self) -> usize {
        self.batch.get_array_memory_size() + self.fingerprints.len() * ROW_BYTES
    }
}

impl Queue {
    fn fingerprint(&self, ahead: usize) -> Option<u128> {
        let (mut batch, mut row) = (self.batch, self.row + ahead);
        loop {
            let held = self.held.get(batch - self.first)?;
            match held.rows.fingerprints.get(row) {
                Some(fingerprint) => return Some(*fingerprint),
                None => {
                    row -= held.rows.fingerprints.len();
                    batch += 1;
                }
            }
        }
    }

    /// The fingerprints from the cursor on.
    fn ahead(&self) -> impl Iterator<Item = u128> + '_ {
        let held = self.held.iter().skip(self.batch - self.first);
        held.flat_map(|held| held.rows.fingerprints.iter().copied()).skip(self.row)
    }

    fn step(&mut self) {
        self.row += 1;
        if self.row == self.held[self.batch - self.first].alive.len() {
            self.row = 0;
            self.batch += 1;
        }
    }

    fn mark_cancelled(&mut self, batch: usize, row: usize) {
        self.held[batch - self.first].alive[row] = false;
    }

    /// Keeps only the alive rows of passed batches of which few are.
    fn compact(&mut self) -> Result<()> {
        for number in self.compacted.max(self.first)..self.batch {
            let held = &mut self.held[number - self.first];
            let alive = held.alive.iter().filter(|alive| **alive).count();
            if alive * COMPACT_FROM > held.alive.len() {
                continue;
            }
            let batch = alive_rows(held)?;
            let rows = held.alive.iter().enumerate().filter(|(_, alive)| **alive).map(|(row, _)| row);
            let mut fingerprints = Vec::with_capacity(alive);
            for (new, row) in rows.enumerate() {
                let fingerprint = held.rows.fingerprints[row];
                fingerprints.push(fingerprint);
                if let Some(place) = self.unmatched.get_mut(&fingerprint)
                    && *place == (number, row)
                {
                    *place = (number, new);
                }
            }
            self.bytes -= held.bytes;
            held.rows = Rows { batch, fingerprints };
            held.alive = vec![true; alive];
            held.bytes = held.rows.held_bytes();
            self.bytes += held.bytes;
        }
        self.compacted = self.batch;
        Ok(())
    }
}

/// Which rows find each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct CancelMode {
    /// Rows under both cursors, with a short look ahead.
    pub(crate) in_step: bool,
    /// Rows that were passed, until they leave the window.
    pub(crate) remember: bool,
}

/// Cancels rows of a pair of streams.
#[derive(Debug)]
pub(crate) struct Window {
    queues: Sides<Queue>,
    limit_bytes: usize,
    look_ahead: usize,
    search_ahead: usize,
    /// How many rows must have been passed before both sides are searched again.
    search_from: u64,
    patience_rows: u64,
    mode: CancelMode,
    on: bool,
    passed: u64,
    pub(crate) cancelled: u64,
}

impl Window {
    pub(crate) fn new(limit_bytes: usize, mode: CancelMode, form: Form, limits: &TaskLimits) -> Self {
        Window {
            queues: Sides::default(),
            limit_bytes,
            look_ahead: limits.look_ahead,
            search_ahead: limits.search_ahead,
            search_from: 0,
            patience_rows: limits.patience(form),
            on: mode.in_step || mode.remember,
            mode,
            passed: 0,
            cancelled: 0,
        }
    }

    pub(crate) fn is_on(&self) -> bool {
        self.on
    }

    /// The side that should be read next: the one with less ahead of its cursor.
    pub(crate) fn next_side(&self) -> Side {
        let ahead = |queue: &Queue| queue.first + queue.held.len() - queue.batch;
        if ahead(&self.queues.live) <= ahead(&self.queues.shadow) {
            Side::Live
        } else {
            Side::Shadow
        }
    }

    /// Adds rows of a side and cancels what can be; `emit` takes what leaves the window.
    pub(crate) fn push(&mut self, side: Side, rows: Rows, emit: &mut impl FnMut(Side, RecordBatch) -> Result<()>) -> Result<()> {
        if !self.on {
            return emit(side, rows.batch);
        }
        let bytes = rows.held_bytes();
        let queue = &mut self.queues[side];
        queue.bytes += bytes;
        queue.held.push_back(HeldBatch {
            alive: vec![true; rows.fingerprints.len()],
            rows,
            bytes,
        });
        self.cancel_in_step();
        if self.passed > self.patience_rows && self.cancelled * 20 < self.passed {
            return self.switch_off(emit);
        }
        self.queues.live.compact()?;
        self.queues.shadow.compact()?;
        self.evict(self.limit_bytes, emit)
    }

    /// One side has ended: all that the other still brings is passed over as it comes.
    pub(crate) fn pass_all(&mut self) {
        for side in Side::BOTH {
            while self.queues[side].fingerprint(0).is_some() {
                self.pass(side);
            }
        }
    }

    /// Empties the window.
    pub(crate) fn finish(&mut self, emit: &mut impl FnMut(Side, RecordBatch) -> Result<()>) -> Result<()> {
        self.pass_all();
        self.evict(0, emit)
    }

    fn cancel_in_step(&mut self) {
        while let (Some(live), Some(shadow)) = (self.queues.live.fingerprint(0), self.queues.shadow.fingerprint(0)) {
            if self.mode.in_step && live == shadow {
                self.cancel_both();
                continue;
            }
            let skipped = match self.resync(live, shadow) {
                Some((Side::Live, rows)) => Sides::new(rows, 0),
                Some((Side::Shadow, rows)) => Sides::new(0, rows),
                None => self.search().unwrap_or(Sides::new(1, 1)),
            };
            for side in Side::BOTH {
                (0..skipped[side]).for_each(|_| self.pass(side));
            }
        }
    }

    /// How many rows of which side to skip so that both agree again.
    fn resync(&self, live: u128, shadow: u128) -> Option<(Side, usize)> {
        if !self.mode.in_step {
            return None;
        }
        (1..=self.look_ahead).find_map(|ahead| {
            if self.queues.live.fingerprint(ahead) == Some(shadow) {
                Some((Side::Live, ahead))
            } else if self.queues.shadow.fingerprint(ahead) == Some(live) {
                Some((Side::Shadow, ahead))
            } else {
                None
            }
        })
    }

    /// How many rows of each side to skip so that two rows in a row agree: pieces of files that do not begin with the same row are out of
    /// step by far, and then for good.
    fn search(&mut self) -> Option<Sides<usize>> {
        if !self.mode.in_step || self.passed < self.search_from {
            return None;
        }
        let shadow: Vec<u128> = self.queues.shadow.ahead().take(self.search_ahead).collect();
        let live: Vec<u128> = self.queues.live.ahead().take(self.search_ahead).collect();
        self.search_from = self.passed + live.len().max(shadow.len()) as u64;
        let mut places: ByFingerprint<usize> = ByFingerprint::default();
        for (place, fingerprint) in shadow.iter().enumerate() {
            places.entry(*fingerprint).or_insert(place);
        }
        let agree = |(at, fingerprint): (usize, &u128)| {
            let place = *places.get(fingerprint)?;
            let next = live.get(at + 1).zip(shadow.get(place + 1));
            next.is_some_and(|(live, shadow)| live == shadow).then_some(Sides::new(at, place))
        };
        live.iter().enumerate().find_map(agree)
    }

    fn cancel_both(&mut self) {
        for side in Side::BOTH {
            let queue = &mut self.queues[side];
            queue.mark_cancelled(queue.batch, queue.row);
            queue.step();
        }
        self.cancelled += 1;
        self.passed += 1;
    }

    /// Moves a cursor over one row, which cancels with a row of the other side that was passed before, or waits for one.
    fn pass(&mut self, side: Side) {
        let fingerprint = self.queues[side].fingerprint(0).expect("there is a row under the cursor");
        let partner = self.queues[side.other()].unmatched.remove(&fingerprint);
        let queue = &mut self.queues[side];
        let (batch, row) = (queue.batch, queue.row);
        match partner {
            Some((other_batch, other_row)) => {
                queue.mark_cancelled(batch, row);
                self.queues[side.other()].mark_cancelled(other_batch, other_row);
                self.cancelled += 1;
            }
            // A second row of the same fingerprint is not remembered; it finds its partner after the exchange.
            None if !self.mode.remember => {}
            None => {
                queue.unmatched.entry(fingerprint).or_insert((batch, row));
            }
        }
        self.queues[side].step();
        self.passed += 1;
    }

    /// Lets the oldest passed batches go until the window holds at most `limit_bytes`.
    fn evict(&mut self, limit_bytes: usize, emit: &mut impl FnMut(Side, RecordBatch) -> Result<()>) -> Result<()> {
        for side in Side::BOTH {
            while self.queues[side].bytes > limit_bytes / 2 && self.queues[side].first < self.queues[side].batch {
                self.evict_oldest(side, emit)?;
            }
        }
        Ok(())
    }

    fn evict_oldest(&mut self, side: Side, emit: &mut impl FnMut(Side, RecordBatch) -> Result<()>) -> Result<()> {
        let queue = &mut self.queues[side];
        let held = queue.held.pop_front().expect("a passed batch is held");
        let number = queue.first;
        queue.first += 1;
        queue.bytes -= held.bytes;
        for (row, fingerprint) in held.rows.fingerprints.iter().enumerate().filter(|(row, _)| held.alive[*row]) {
            if queue.unmatched.get(fingerprint) == Some(&(number, row)) {
                queue.unmatched.remove(fingerprint);
            }
        }
        if held.alive.contains(&true) {
            emit(side, alive_rows(&held)?)
        } else {
            Ok(())
        }
    }

    fn switch_off(&mut self, emit: &mut impl FnMut(Side, RecordBatch) -> Result<()>) -> Result<()> {
        self.on = false;
        self.finish(emit)
    }
}

fn alive_rows(held: &HeldBatch) -> Result<RecordBatch> {
    if !held.alive.contains(&false) {
        return Ok(held.rows.batch.clone());
    }
    let alive = BooleanArray::new(BooleanBuffer::from_iter(held.alive.iter().copied()), None);
    filter_record_batch(&held.rows.batch, &alive).map_err(|e| Error::internal(format!("window: {e}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow_array::{ArrayRef, Int64Array};
    use std::sync::Arc;

    fn rows(values: &[i64]) -> Rows {
        let column: ArrayRef = Arc::new(Int64Array::from(values.to_vec()));
        let batch = RecordBatch::try_from_iter([("v", column)]).expect("batch");
        Rows {
            batch,
            fingerprints: values.iter().map(|v| *v as u128).collect(),
        }
    }

    const BOTH: CancelMode = CancelMode {
        in_step: true,
        remember: true,
    };

    fn run(live: &[&[i64]], shadow: &[&[i64]], limit: usize) -> (u64, Vec<usize>) {
        run_within(live, shadow, limit, BOTH, &TaskLimits::PRODUCT)
    }

    fn run_within(live: &[&[i64]], shadow: &[&[i64]], limit: usize, mode: CancelMode, limits: &TaskLimits) -> (u64, Vec<usize>) {
        let mut left = vec![0, 0];
        let mut emit = |side: Side, batch: RecordBatch| {
            left[side as usize] += batch.num_rows();
            Ok(())
        };
        let mut window = Window::new(limit, mode, Form::Rows, limits);
        for i in 0..live.len().max(shadow.len()) {
            for (side, list) in [(Side::Live, live), (Side::Shadow, shadow)] {
                if let Some(values) = list.get(i) {
                    window.push(side, rows(values), &mut emit).expect("push");
                }
            }
        }
        window.finish(&mut emit).expect("finish");
        (window.cancelled, left)
    }

    #[test]
    fn rows_in_and_out_of_step_cancel_one_to_one() {
        for (live, shadow, cancelled, left) in [
            (vec![&[1, 2, 3][..]], vec![&[1, 2, 3][..]], 3, [0, 0]),
            (vec![&[1, 2, 3, 4]], vec![&[1, 3, 4]], 3, [1, 0]),
            (vec![&[1, 3, 4]], vec![&[1, 2, 3, 4, 5]], 3, [0, 2]),
            (vec![&[1, 2, 3]], vec![&[3, 2, 1]], 3, [0, 0]),
            (vec![&[1, 2], &[3, 4]], vec![&[4, 3], &[2, 1]], 4, [0, 0]),
            (vec![&[7, 7, 7]], vec![&[7, 7]], 2, [1, 0]),
            (vec![&[1]], vec![], 0, [1, 0]),
            (vec![&[1, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 2]], vec![&[1, 2]], 2, [11, 0]),
        ] {
            assert_eq!(run(&live, &shadow, 1 << 20), (cancelled, left.to_vec()), "{live:?} {shadow:?}");
        }
    }

    #[test]
    fn a_full_window_lets_rows_go_and_loses_none() {
        let live: Vec<i64> = (0..1000).collect();
        let shadow: Vec<i64> = (500..1500).collect();
        let (live, shadow): (Vec<&[i64]>, Vec<&[i64]>) = (live.chunks(10).collect(), shadow.chunks(10).collect());
        for limit in [0, 1 << 10, 1 << 20] {
            let (cancelled, left) = run(&live, &shadow, limit);
            assert_eq!(
                (cancelled as usize + left[0], cancelled as usize + left[1]),
                (1000, 1000),
                "limit {limit}"
            );
        }
        assert_eq!(run(&live, &shadow, 1 << 20).0, 500);
    }

    #[test]
    fn a_passed_batch_holds_only_what_is_alive() {
        // All rows but one of a batch cancel in step; that one meets its partner a hundred batches later.
        let batch = |number: i64, odd: i64| (0..999).map(|row| (number + 1) * 1000 + row).chain([odd]).collect::<Vec<i64>>();
        let live: Vec<Vec<i64>> = (0..200).map(|number| batch(number, -1 - number)).collect();
        let shadow: Vec<Vec<i64>> = (0..200).map(|number| batch(number, 99 - number)).collect();
        let live: Vec<&[i64]> = live.iter().map(Vec::as_slice).collect();
        let shadow: Vec<&[i64]> = shadow.iter().map(Vec::as_slice).collect();
        let one_batch = rows(&[0; 1000]).held_bytes();
        // Shadow's odd rows run from 99 down; live's from -1 down: 100 of each side have a partner.
        let (cancelled, left) = run(&live, &shadow, 20 * one_batch);
        assert_eq!((cancelled, left), (200 * 999 + 100, vec![100, 100]));
    }

    #[test]
    fn a_window_of_no_use_gives_up_and_loses_no_row() {
        let limits = |patience_rows| TaskLimits {
            patience_rows,
            ..TaskLimits::PRODUCT
        };
        // Two batches without a partner, then two that have all of them.
        let (live, shadow) = (
            [&[1, 2, 3][..], &[4, 5, 6], &[7, 8], &[9]],
            [&[-1, -2, -3][..], &[-4, -5, -6], &[7, 8], &[9]],
        );
        assert_eq!(run_within(&live, &shadow, 1 << 20, BOTH, &limits(12)), (3, vec![6, 6]));
        assert_eq!(run_within(&live, &shadow, 1 << 20, BOTH, &limits(11)), (0, vec![9, 9]));
        // One pair in twenty rows is of use.
        let (live, shadow) = (
            [&[0, 1, 2, 3, 4, 5, 6, 7, 8, 9][..], &[77]],
            [&[0, -1, -2, -3, -4, -5, -6, -7, -8, -9][..], &[77]],
        );
        assert_eq!(run_within(&live, &shadow, 1 << 20, BOTH, &limits(4)), (2, vec![9, 9]));
    }

    #[test]
    fn rows_out_of_step_are_found_as_far_as_the_look_ahead_reaches() {
        let in_step = CancelMode {
            in_step: true,
            remember: false,
        };
        let look = |look_ahead| {
            let limits = TaskLimits {
                look_ahead,
                search_ahead: 0,
                ..TaskLimits::PRODUCT
            };
            run_within(&[&[1, 8, 9, 2, 3]], &[&[1, 2, 3]], 1 << 20, in_step, &limits)
        };
        assert_eq!(look(2), (3, vec![2, 0]));
        assert_eq!(look(1), (1, vec![4, 2]));
    }

    #[test]
    fn sides_that_begin_far_apart_come_into_step() {
        let in_step = CancelMode {
            in_step: true,
            remember: false,
        };
        let live: Vec<i64> = (40..140).collect();
        let shadow: Vec<i64> = (0..100).filter(|row| row % 30 != 5).collect();
        let far = |search_ahead| {
            let limits = TaskLimits {
                search_ahead,
                ..TaskLimits::PRODUCT
            };
            run_within(&[&live], &[&shadow], 1 << 20, in_step, &limits)
        };
        assert_eq!(far(100), (58, vec![42, 38]), "live's rows from 40 on, but for 65 and 95");
        assert_eq!(far(20).0, 0, "not so far");
    }

    #[test]
    fn rows_that_are_not_in_step_alone_are_remembered() {
        let remember = CancelMode {
            in_step: false,
            remember: true,
        };
        let (live, shadow) = ([&[1, 2, 3][..]], [&[3, 1, 2, 2][..]]);
        assert_eq!(run_within(&live, &shadow, 1 << 20, remember, &TaskLimits::PRODUCT), (3, vec![0, 1]));
        let neither = CancelMode {
            in_step: false,
            remember: false,
        };
        assert_eq!(run_within(&live, &shadow, 1 << 20, neither, &TaskLimits::PRODUCT), (0, vec![3, 4]));
    }
}
