//! Rows of a shard that are to meet, put in lots by their hashes: the table of a lot stays in the processor's cache, and its rows lie together.

use crate::exchanged;
use crate::job::Job;
use arrow_array::{Array, ArrayRef, RecordBatch, UInt32Array, make_array, new_empty_array};
use arrow_buffer::{MutableBuffer, NullBuffer};
use arrow_schema::{ArrowError, DataType};
use arrow_select::concat::concat;
use arrow_select::take::take;
use shadowdiff_common::exchange::SelectedRows;
use shadowdiff_common::link::Exchanged;
use shadowdiff_core::error::{Error, Result};
use shadowdiff_core::profile::Work;
use shadowdiff_core::side::Side;

/// A lot has about so many rows of a side.
const LOT_ROWS: usize = 4096;
/// More lots than this are filled more slowly than they save.
const MOST_LOTS: usize = 256;

/// Places have 32 bits, of which those of the last two numbers mean something else.
const MOST_ROWS: usize = u32::MAX as usize - 1;

/// So many lots suit a shard with so many rows of a side: a power of two.
pub(crate) fn lots_of(rows: usize) -> usize {
    rows.div_ceil(LOT_ROWS).next_power_of_two().min(MOST_LOTS)
}

/// A share of the hashes: what does not fit the memory is matched in several passes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pass {
    pub(crate) number: u64,
    /// How many passes there are.
    pub(crate) of: u64,
}

impl Pass {
    fn has(self, hash: u64) -> bool {
        hash % self.of == self.number
    }
}

/// The rows of one side of a shard, as they came. The place of a row is its number among them.
pub(crate) struct ShardRows {
    blocks: Vec<Block>,
    rows: usize,
}

struct Block {
    scan: u32,
    /// The place of its first row.
    first: usize,
    rows: SelectedRows,
}

impl ShardRows {
    /// Those of a pass. `hash`: of a row of a batch, by its number.
    pub(crate) fn read(
        job: &Job,
        objects: &Exchanged,
        shard: u32,
        side: Side,
        pass: Pass,
        hash: &dyn Fn(&RecordBatch, usize) -> u64,
    ) -> Result<Self> {
        let mut read = ShardRows {
            blocks: Vec::new(),
            rows: 0,
        };
        for (scan, object) in objects {
            job.watch.check()?;
            for block in job.meter.each(Work::Decode, object.batches(shard, side)) {
                let mut rows = block?;
                if pass.of > 1 {
                    rows = rows.only(|row| pass.has(hash(rows.batch(), row as usize)))?;
                }
                let (scan, first) = (*scan, read.rows);
                read.rows += rows.len();
                read.blocks.push(Block { scan, first, rows });
            }
        }
        match read.rows < MOST_ROWS {
            true => Ok(read),
            false => Err(Error::exhausted("match: a shard has more rows than can be told apart").advice("ask for more `--shards`")),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.rows
    }

    /// The blocks, in the order of their rows.
    pub(crate) fn blocks(&self) -> impl Iterator<Item = &SelectedRows> {
        self.blocks.iter().map(|block| &block.rows)
    }

    /// The scan task of the row at a place, and its number there.
    pub(crate) fn row(&self, place: u32) -> (u32, u64) {
        let place = place as usize;
        let block = &self.blocks[self.blocks.partition_point(|block| block.first <= place) - 1];
        (block.scan, exchanged::number_at(&block.rows, place - block.first))
    }
}

/// Where the rows of a side of a shard lie when they are put in lots.
pub(crate) struct Lots {
    /// By place.
    to: Vec<u32>,
    /// Where each lot begins, and behind the last one where it ends.
    starts: Vec<usize>,
}

impl Lots {
    /// `lots`: how many, a power of two. `hashes`: of the rows by their places.
    pub(crate) fn new(lots: usize, hashes: impl Iterator<Item = u64>) -> Self {
        let mut to: Vec<u32> = hashes.map(|hash| (hash as usize & (lots - 1)) as u32).collect();
        let mut starts = vec![0; lots + 1];
        to.iter().for_each(|lot| starts[*lot as usize + 1] += 1);
        for lot in 0..lots {
            starts[lot + 1] += starts[lot];
        }
        let mut next = starts.clone();
        for lot in &mut to {
            let next = &mut next[*lot as usize];
            *lot = *next as u32;
            *next += 1;
        }
        Lots { to, starts }
    }

    /// The rows of a lot.
    pub(crate) fn rows(&self, lot: usize) -> std::ops::Range<usize> {
        self.starts[lot]..self.starts[lot + 1]
    }

    /// Values of the rows by their places, put in lots.
    pub(crate) fn put<T: Copy + Default>(&self, values: &[T]) -> Vec<T> {
        let mut put = vec![T::default(); self.to.len()];
        self.to.iter().zip(values).for_each(|(to, value)| put[*to as usize] = *value);
        put
    }

    /// The places of the rows in lots.
    pub(crate) fn places(&self) -> Vec<u32> {
        let mut places = vec![0; self.to.len()];
        (0..).zip(&self.to).for_each(|(place, to)| places[*to as usize] = place);
        places
    }

    /// The same of arrays of one type, that follow each other.
    pub(crate) fn put_arrays(&self, data_type: &DataType, parts: &[&dyn Array]) -> Result<ArrayRef> {
        let put = match data_type.primitive_width() {
            _ if parts.is_empty() => Ok(new_empty_array(data_type)),
            _ if parts.iter().any(|part| part.data_type() != data_type) => return Err(Error::internal("match: blocks of several types")),
            Some(4) => self.put_fixed::<4>(parts),
            Some(8) => self.put_fixed::<8>(parts),
            Some(16) => self.put_fixed::<16>(parts),
            Some(_) | None => concat(parts).and_then(|all| take(all.as_ref(), &UInt32Array::from(self.places()), None)),
        };
        put.map_err(|e| Error::internal(format!("match: {e}")))
    }

    fn put_fixed<const WIDTH: usize>(&self, parts: &[&dyn Array]) -> Result<ArrayRef, ArrowError> {
        let rows = self.to.len();
        let mut put = MutableBuffer::from_len_zeroed(rows * WIDTH);
        let (cells, _) = put.as_slice_mut().as_chunks_mut::<WIDTH>();
        let mut valid: Option<Vec<bool>> = None;
        let mut first = 0;
        for part in parts {
            let data = part.to_data();
            let (values, _) = data.buffers()[0].as_slice()[data.offset() * WIDTH..].as_chunks::<WIDTH>();
            let to = &self.to[first..first + part.len()];
            to.iter().zip(values).for_each(|(to, value)| cells[*to as usize] = *value);
            if let Some(nulls) = part.nulls().filter(|nulls| nulls.null_count() > 0) {
                let valid = valid.get_or_insert_with(|| vec![true; rows]);
                to.iter().zip(nulls).for_each(|(to, is_valid)| valid[*to as usize] = is_valid);
            }
            first += part.len();
        }
        let data = parts[0].to_data().into_builder().offset(0).len(rows).buffers(vec![put.into()]);
        Ok(make_array(data.nulls(valid.map(NullBuffer::from)).build()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow_array::cast::AsArray;
    use arrow_array::types::Int64Type;
    use arrow_array::{Decimal128Array, Float32Array, Int8Array, Int64Array, StringArray};
    use std::sync::Arc;

    const HASHES: [u64; 7] = [5, 3, 8, 5, 0, 4, 3];

    #[test]
    fn rows_of_a_lot_lie_together_in_their_order() {
        let lots = Lots::new(4, HASHES.into_iter());
        let places = lots.places();
        let of = |lot: usize| places[lots.rows(lot)].to_vec();
        assert_eq!([of(0), of(1), of(2), of(3)], [vec![2, 4, 5], vec![0, 3], vec![], vec![1, 6]]);
        assert_eq!(lots.put(&HASHES), [8, 0, 4, 5, 5, 3, 3]);
    }

    #[test]
    fn arrays_of_every_width_go_where_their_rows_go() {
        let lots = Lots::new(4, HASHES.into_iter());
        let order = UInt32Array::from(lots.places());
        let arrays: [ArrayRef; 6] = [
            Arc::new(Int64Array::from(vec![Some(1), None, Some(3), Some(4), None, Some(6), Some(7)])),
            Arc::new(Int64Array::from(vec![1, 2, 3, 4, 5, 6, 7])),
            Arc::new(Float32Array::from(vec![
                Some(1.5),
                Some(-0.0),
                None,
                Some(f32::NAN),
                None,
                Some(6.0),
                Some(7.0),
            ])),
            Arc::new(Decimal128Array::from(vec![
                Some(1),
                None,
                Some(i128::MIN),
                Some(4),
                Some(i128::MAX),
                None,
                Some(7),
            ])),
            Arc::new(Int8Array::from(vec![Some(1), None, Some(3), Some(4), Some(5), Some(6), None])),
            Arc::new(StringArray::from(vec![
                Some("a"),
                None,
                Some(""),
                Some("d"),
                Some("e"),
                Some("f"),
                Some("g"),
            ])),
        ];
        for array in arrays {
            for cut in 0..=7 {
                // A slice has an offset of its own.
                let parts = [array.slice(0, cut), array.slice(cut, 7 - cut)];
                let parts: Vec<&dyn Array> = parts.iter().map(AsRef::as_ref).collect();
                let put = lots.put_arrays(array.data_type(), &parts).expect("arrays of one type");
                let want = take(array.as_ref(), &order, None).expect("rows of the array");
                assert_eq!(put.as_ref(), want.as_ref(), "{} cut at {cut}", array.data_type());
            }
        }
        let none = Lots::new(2, std::iter::empty());
        let empty = none.put_arrays(&DataType::Int64, &[]).expect("no rows");
        assert!(empty.as_primitive::<Int64Type>().is_empty());
        assert!(none.put_arrays(&DataType::Utf8, &[]).expect("no rows").is_empty());
    }

    #[test]
    fn lots_are_as_many_as_suit_the_rows() {
        assert_eq!([0, 1, 4096, 4097, 10_000, 1 << 30].map(lots_of), [1, 1, 1, 2, 4, MOST_LOTS]);
    }
}
