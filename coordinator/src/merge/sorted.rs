//! The differences of all runs in one order.
//!
//! A task's differences are often a stretch of the order that no other task has differences in: so the run that was read last goes on as long
//! as it stays below the heads of all others, which takes one comparison a record.

use shadowdiff_common::run::RunReader;
use shadowdiff_common::spool::Spool;
use shadowdiff_core::difference::SortKey;
use shadowdiff_core::error::{Error, Result};
use std::cmp::Reverse;
use std::collections::BinaryHeap;

pub(super) struct Sorted<'a> {
    readers: Vec<RunReader<'a>>,
    /// The one whose record was given last.
    current: Option<usize>,
    /// The sort key of the current record of each other reader.
    heads: BinaryHeap<Reverse<(Vec<u8>, usize)>>,
    last_key: Vec<u8>,
}

/// One record, as it lies in its run.
pub(super) struct Next<'a> {
    pub(super) record: &'a [u8],
    pub(super) sort_key: SortKey<'a>,
    /// The record before it, if any, is of another row.
    pub(super) begins_row: bool,
}

impl<'a> Sorted<'a> {
    pub(super) fn new(runs: &'a [Spool]) -> Result<Self> {
        let mut readers: Vec<RunReader<'a>> = runs.iter().map(RunReader::new).collect();
        let mut heads = BinaryHeap::new();
        for (at, reader) in readers.iter_mut().enumerate() {
            if reader.advance()? {
                heads.push(Reverse((reader.sort_key()?.bytes.to_vec(), at)));
            }
        }
        Ok(Sorted {
            readers,
            current: None,
            heads,
            last_key: Vec::new(),
        })
    }

    pub(super) fn next(&mut self) -> Result<Option<Next<'_>>> {
        self.pass()?;
        let Some(at) = self.current else { return Ok(None) };
        let reader = &self.readers[at];
        let sort_key = reader.sort_key()?;
        if sort_key.bytes <= self.last_key.as_slice() {
            return Err(Error::internal("the merge met a difference twice"));
        }
        let same_row = self.last_key.len() == sort_key.bytes.len() && self.last_key.starts_with(sort_key.row());
        self.last_key.clear();
        self.last_key.extend_from_slice(sort_key.bytes);
        Ok(Some(Next {
            record: reader.record()?,
            sort_key,
            begins_row: !same_row,
        }))
    }

    /// Moves on the reader whose record was given, and makes the one current that has the least.
    fn pass(&mut self) -> Result<()> {
        let at = match self.current {
            Some(at) if self.readers[at].advance()? => at,
            Some(_) | None => {
                self.current = self.heads.pop().map(|Reverse((_, at))| at);
                return Ok(());
            }
        };
        let key = self.readers[at].sort_key()?.bytes;
        // Of equal ones either may come: the second one is met twice.
        let goes_on = self.heads.peek().is_none_or(|Reverse((least, _))| key <= least.as_slice());
        if !goes_on && let Some(mut least) = self.heads.peek_mut() {
            let Reverse((least_key, least_at)) = &mut *least;
            least_key.clear();
            least_key.extend_from_slice(key);
            self.current = Some(std::mem::replace(least_at, at));
        }
        Ok(())
    }
}
