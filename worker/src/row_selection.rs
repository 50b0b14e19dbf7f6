//! Which rows of a scan task are read again.

use crate::exchanged::numbers;
use shadowdiff_common::exchange::Object;
use shadowdiff_core::error::Result;
use shadowdiff_core::side::Side;
use std::collections::BinaryHeap;
use std::sync::Arc;

/// The rows that are left on a side of one scan task, in order, as far as they are needed.
pub(crate) struct RowSelection<'a> {
    /// Those of all match tasks, and the place of the scan task in them.
    objects: &'a [Arc<Object>],
    shard: u32,
    side: Side,
    /// The next ones, of which those before `at` are done with. No more than `most` are held.
    next: Vec<(u64, u128)>,
    at: usize,
    most: usize,
    /// There may be more behind those that are held.
    is_full: bool,
    after: Option<u64>,
}

impl<'a> RowSelection<'a> {
    /// `most`: how many rows may be held.
    pub(crate) fn new(objects: &'a [Arc<Object>], shard: u32, side: Side, most: usize) -> Result<Self> {
        let mut selection = RowSelection {
            objects,
            shard,
            side,
            next: Vec::new(),
            at: 0,
            most: most.max(1),
            is_full: false,
            after: None,
        };
        selection.load()?;
        Ok(selection)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.at == self.next.len()
    }

    /// The numbers of all below `end`, if those that are held tell.
    pub(crate) fn all_below(&self, end: u64) -> Option<Vec<u64>> {
        let held = &self.next[self.at..];
        let is_known = !self.is_full || held.last().is_some_and(|row| row.0 >= end);
        is_known.then(|| held.iter().map(|row| row.0).take_while(|number| *number < end).collect())
    }

    /// Takes the next ones, so many.
    pub(crate) fn take(&mut self, rows: usize) -> Result<Vec<(u64, u128)>> {
        match self.next.get(self.at..self.at + rows).and_then(<[_]>::last) {
            Some((last, _)) => self.take_below(last + 1),
            None => Ok(Vec::new()),
        }
    }

    /// Takes all below `number`.
    pub(crate) fn take_below(&mut self, number: u64) -> Result<Vec<(u64, u128)>> {
        let mut taken = Vec::new();
        while !self.is_empty() && self.next[self.at].0 < number {
            let until = self.next.partition_point(|row| row.0 < number);
            taken.extend_from_slice(&self.next[self.at..until]);
            self.at = until;
            if self.is_empty() {
                self.load()?;
            }
        }
        Ok(taken)
    }

    /// The smallest numbers behind those that were held before.
    fn load(&mut self) -> Result<()> {
        let mut smallest: BinaryHeap<(u64, u128)> = BinaryHeap::new();
        for object in self.objects {
            for block in object.batches(self.shard, self.side) {
                let block = block?;
                for row in numbers(&block) {
                    if self.after.is_some_and(|after| row.0 <= after) {
                        continue;
                    }
                    smallest.push(row);
                    if smallest.len() > self.most {
                        smallest.pop();
                    }
                }
            }
        }
        self.is_full = smallest.len() >= self.most;
        self.next = smallest.into_sorted_vec();
        self.at = 0;
        self.after = self.next.last().map(|row| row.0).or(self.after);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exchanged::{numbered, numbered_schema};
    use shadowdiff_common::exchange::Writer;
    use shadowdiff_common::spool::Scratch;
    use shadowdiff_core::side::Sides;

    /// What a match task left of scans 0 and 1, of the live side.
    fn matched(scratch: &Scratch, rows: &[(u32, u64)]) -> Arc<Object> {
        let mut writer = Writer::new(Sides::from_fn(|_| numbered_schema()), 2, 1, scratch);
        for (scan, number) in rows {
            let batch = numbered(vec![*number], &[print(*number)]).expect("a batch");
            writer.push(Side::Live, &batch, &[*scan]).expect("push");
        }
        Arc::new(writer.finish().expect("finish"))
    }

    fn print(number: u64) -> u128 {
        u128::from(number) << 70
    }

    #[test]
    fn rows_come_in_their_order_in_pages_of_any_size() {
        for budget in [0, 1 << 20] {
            let scratch = Scratch::new(budget, None).expect("scratch");
            let objects = [
                matched(&scratch, &[(0, 8), (0, 2), (1, 3), (0, 11)]),
                matched(&scratch, &[(1, 9), (0, 0), (0, 9), (0, 4)]),
            ];
            for most in 1..8 {
                let mut selection = RowSelection::new(&objects, 0, Side::Live, most).expect("a selection");
                let mut pages = Vec::new();
                for below in [3, 3, 4, 9, 20] {
                    pages.push(selection.take_below(below).expect("rows"));
                }
                let rows = |numbers: &[u64]| numbers.iter().map(|n| (*n, print(*n))).collect::<Vec<_>>();
                let want = [rows(&[0, 2]), rows(&[]), rows(&[]), rows(&[4, 8]), rows(&[9, 11])];
                assert_eq!(pages, want, "{most} at a time");
                assert!(selection.is_empty());
                let other = RowSelection::new(&objects, 1, Side::Shadow, most).expect("a selection");
                assert!(other.is_empty(), "the other side has none");
            }
        }
    }
}
