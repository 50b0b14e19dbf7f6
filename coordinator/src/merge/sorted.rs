//! The differences of all runs in one order.

use shadowdiff_common::run::RunReader;
use shadowdiff_common::spool::Spool;
use shadowdiff_core::difference::SortKey;
use shadowdiff_core::error::{Error, Result};
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;

pub(super) struct Sorted<'a> {
    readers: Vec<RunReader<'a>>,
    /// The sort key of each reader's current record. The least is the one that was given last, once one was.
    heap: BinaryHeap<Reverse<(Vec<u8>, usize)>>,
    is_begun: bool,
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
        let mut heap = BinaryHeap::new();
        for (at, reader) in readers.iter_mut().enumerate() {
            if reader.advance()? {
                heap.push(Reverse((reader.sort_key()?.bytes.to_vec(), at)));
            }
        }
        Ok(Sorted {
            readers,
            heap,
            is_begun: false,
            last_key: Vec::new(),
        })
    }

    pub(super) fn next(&mut self) -> Result<Option<Next<'_>>> {
        if self.is_begun {
            self.pass()?;
        }
        self.is_begun = true;
        let Some(Reverse((key, at))) = self.heap.peek() else {
            return Ok(None);
        };
        if *key <= self.last_key {
            return Err(Error::internal("the merge met a difference twice"));
        }
        let reader = &self.readers[*at];
        let sort_key = reader.sort_key()?;
        let same_row = self.last_key.len() == key.len() && self.last_key.starts_with(sort_key.row());
        Ok(Some(Next {
            record: reader.record()?,
            sort_key,
            begins_row: !same_row,
        }))
    }

    /// Moves on the reader whose record was given; its key's buffers are used again.
    fn pass(&mut self) -> Result<()> {
        let Some(mut least) = self.heap.peek_mut() else { return Ok(()) };
        let Reverse((key, at)) = &mut *least;
        std::mem::swap(&mut self.last_key, key);
        let reader = &mut self.readers[*at];
        if reader.advance()? {
            key.clear();
            key.extend_from_slice(reader.sort_key()?.bytes);
        } else {
            PeekMut::pop(least);
        }
        Ok(())
    }
}
