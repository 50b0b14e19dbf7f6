//! The exchange: what tasks write and those of a later stage read, shard by shard.
//!
//! ```text
//! object = blocks, index      one object an attempt, written once
//! block  = rows of one side and one shard: in memory a selection of the rows of a batch that was kept as it came,
//!          in a scratch file or a stored object an Arrow IPC stream of one batch, LZ4-compressed, with a CRC-32 in the index
//! index  = (shard, side, rows, place) a block
//! ```
//! Rows stay in memory, uncopied, while the budget allows; narrow ones are put in the order of their shards, so that who reads a shard reads
//! them in a row. What must always hold: rows in = rows out, a side and a shard each.

use crate::spool::{Piece, Pieces, Scratch, ScratchFile, Share};
use arrow_array::{ArrayRef, RecordBatch, UInt32Array};
use arrow_ipc::CompressionType;
use arrow_ipc::reader::StreamReader;
use arrow_ipc::writer::{IpcWriteOptions, StreamWriter};
use arrow_schema::{DataType, SchemaRef};
use arrow_select::concat::concat_batches;
use arrow_select::take::take;
use serde::{Deserialize, Serialize};
use shadowdiff_core::error::{Error, Result};
use shadowdiff_core::side::{Side, Sides};
use std::sync::Arc;

/// Rows and bytes of one side in one shard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Size {
    pub rows: u64,
    pub bytes: u64,
}

#[derive(Debug)]
struct Block {
    rows: usize,
    bytes: usize,
    place: Place,
}

#[derive(Debug)]
enum Place {
    /// Boxed, because most blocks of a large job are elsewhere.
    Memory(Box<SelectedRows>),
    /// In a scratch file or an object.
    Elsewhere(Piece),
}

/// Where one block of a stored object lies and what it holds: rows of one shard and side.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredBlock {
    pub shard: u32,
    /// 0 live, 1 shadow.
    pub side: u8,
    pub piece: Piece,
    pub rows: u64,
    /// Bytes in memory once decoded.
    pub bytes: u64,
}

/// Some rows of a batch.
#[derive(Debug, Clone)]
pub struct SelectedRows {
    batch: RecordBatch,
    /// `None`: all of them.
    rows: Option<Selection>,
}

/// A range of a list of row numbers that several selections share.
#[derive(Debug, Clone)]
struct Selection {
    order: Arc<Vec<u32>>,
    from: usize,
    to: usize,
}

impl SelectedRows {
    pub fn all(batch: RecordBatch) -> Self {
        SelectedRows { batch, rows: None }
    }

    pub fn len(&self) -> usize {
        self.rows.as_ref().map_or(self.batch.num_rows(), |rows| rows.to - rows.from)
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The batch that the selected rows are of.
    pub fn batch(&self) -> &RecordBatch {
        &self.batch
    }

    /// The selected rows, as rows of [`SelectedRows::batch`].
    pub fn rows(&self) -> impl Iterator<Item = u32> + '_ {
        let all = self.batch.num_rows() as u32;
        let (listed, counted) = match &self.rows {
            Some(rows) => (&rows.order[rows.from..rows.to], 0..0),
            None => (&[][..], 0..all),
        };
        listed.iter().copied().chain(counted)
    }

    /// The row at a place among the selected ones, as a row of [`SelectedRows::batch`].
    pub fn row(&self, place: usize) -> usize {
        self.rows.as_ref().map_or(place, |rows| rows.order[rows.from + place] as usize)
    }

    /// Those of the selected rows that are `wanted`, which is asked of rows of [`SelectedRows::batch`].
    pub fn only(&self, wanted: impl Fn(u32) -> bool) -> Result<SelectedRows> {
        let chosen: Vec<u32> = self.rows().filter(|row| wanted(*row)).collect();
        match chosen.len() == self.len() {
            true => Ok(self.clone()),
            false => Ok(SelectedRows::all(take_rows(&self.batch, &chosen)?)),
        }
    }

    /// The selected rows as a batch of their own.
    pub fn to_batch(&self) -> Result<RecordBatch> {
        match &self.rows {
            Some(rows) => take_rows(&self.batch, &rows.order[rows.from..rows.to]),
            None => Ok(self.batch.clone()),
        }
    }
}

/// A finished exchange object.
#[derive(Debug)]
pub struct Object {
    /// By shard, then side; those of one in the order they were written. A job may have a thousand in each of thousands of objects.
    blocks: Vec<Block>,
    /// Where the blocks of each shard and side begin, and behind the last one where they end.
    starts: Vec<u32>,
    elsewhere: Option<Arc<dyn Pieces>>,
    _shares: Vec<Share>,
}

impl Object {
    /// An object of `shards` shards whose blocks lie in `pieces`.
    pub fn stored(pieces: Arc<dyn Pieces>, shards: usize, stored: &[StoredBlock]) -> Object {
        let block = |block: &StoredBlock| {
            let side = if block.side == Side::Live as u8 { Side::Live } else { Side::Shadow };
            let (rows, bytes) = (block.rows as usize, block.bytes as usize);
            let place = Place::Elsewhere(block.piece);
            (slot(block.shard, side), Block { rows, bytes, place })
        };
        Object::new(shards, stored.iter().map(block).collect(), Some(pieces), Vec::new())
    }

    /// `blocks`: each with its slot.
    fn new(shards: usize, mut blocks: Vec<(u32, Block)>, elsewhere: Option<Arc<dyn Pieces>>, shares: Vec<Share>) -> Object {
        // Stable: blocks of one shard and side stay in their order.
        blocks.sort_by_key(|(slot, _)| *slot);
        let starts = |slot: u32| blocks.partition_point(|(other, _)| *other < slot) as u32;
        Object {
            starts: (0..=2 * shards as u32).map(starts).collect(),
            blocks: blocks.into_iter().map(|(_, block)| block).collect(),
            elsewhere,
            _shares: shares,
        }
    }

    /// How many shards there are.
    pub fn shards(&self) -> u32 {
        (self.starts.len() / 2) as u32
    }

    fn blocks(&self, shard: u32, side: Side) -> &[Block] {
        let slot = slot(shard, side) as usize;
        &self.blocks[self.starts[slot] as usize..self.starts[slot + 1] as usize]
    }

    /// The sizes of each shard.
    pub fn sizes(&self) -> Vec<Sides<Size>> {
        (0..self.shards()).map(|shard| self.size(shard)).collect()
    }

    /// Bytes of both sides of a shard.
    pub fn shard_bytes(&self, shard: u32) -> u64 {
        let size = self.size(shard);
        size.live.bytes + size.shadow.bytes
    }

    /// The size of one shard.
    pub fn size(&self, shard: u32) -> Sides<Size> {
        Sides::from_fn(|side| Size {
            rows: self.blocks(shard, side).iter().map(|b| b.rows as u64).sum(),
            bytes: self.blocks(shard, side).iter().map(|b| b.bytes as u64).sum(),
        })
    }

    /// The blocks of one shard and side, in the order they were written.
    pub fn batches(&self, shard: u32, side: Side) -> impl Iterator<Item = Result<SelectedRows>> {
        self.blocks(shard, side).iter().map(|block| self.read(block))
    }

    fn read(&self, block: &Block) -> Result<SelectedRows> {
        match &block.place {
            Place::Memory(selected) => Ok((**selected).clone()),
            Place::Elsewhere(piece) => {
                let pieces = self.elsewhere.as_deref().expect("a block that is elsewhere has a place");
                decode(&pieces.read(*piece)?).map(SelectedRows::all)
            }
        }
    }
}

/// The place of a shard and side among those of an object.
fn slot(shard: u32, side: Side) -> u32 {
    2 * shard + side as u32
}

fn decode(bytes: &[u8]) -> Result<RecordBatch> {
    let broken = |e: arrow_schema::ArrowError| Error::internal(format!("exchange: {e}"));
    let mut reader = StreamReader::try_new(bytes, None).map_err(broken)?;
    reader
        .next()
        .ok_or_else(|| Error::internal("exchange: a block without a batch"))?
        .map_err(broken)
}

/// The bytes of a block: an Arrow IPC stream of one batch, LZ4-compressed.
pub fn encode(batch: &RecordBatch) -> Result<Vec<u8>> {
    let broken = |e: arrow_schema::ArrowError| Error::internal(format!("exchange: {e}"));
    let options = IpcWriteOptions::default()
        .try_with_compression(Some(CompressionType::LZ4_FRAME))
        .map_err(broken)?;
    let mut writer = StreamWriter::try_new_with_options(Vec::new(), &batch.schema(), options).map_err(broken)?;
    writer.write(batch).map_err(broken)?;
    writer.into_inner().map_err(broken)
}

/// Sorts rows into shards.
#[derive(Debug)]
pub struct Writer {
    schemas: Sides<SchemaRef>,
    shards: u32,
    scratch: Scratch,
    /// By shard: what has not become a block yet.
    pending: Vec<Sides<Vec<RecordBatch>>>,
    pending_bytes: usize,
    /// How much may be pending before it is made blocks.
    buffer_bytes: usize,
    /// Each with its slot.
    blocks: Vec<(u32, Block)>,
    shares: Vec<Share>,
    file: ScratchFile,
}

impl Writer {
    pub fn new(schemas: Sides<SchemaRef>, shards: u32, buffer_bytes: usize, scratch: &Scratch) -> Self {
        let pending = (0..shards).map(|_| Sides::default()).collect();
        Writer {
            schemas,
            shards,
            scratch: scratch.clone(),
            pending,
            pending_bytes: 0,
            buffer_bytes,
            blocks: Vec::new(),
            shares: Vec::new(),
            file: ScratchFile::default(),
        }
    }

    /// Adds rows of one side; `shard_of` says where each goes.
    pub fn push(&mut self, side: Side, batch: &RecordBatch, shard_of: &[u32]) -> Result<()> {
        if batch.num_rows() == 0 {
            return Ok(());
        }
        let (order, starts) = counting_sort(shard_of, self.shards);
        if self.shards == 1 || is_narrow(batch) {
            let sorted = if self.shards == 1 {
                batch.clone()
            } else {
                take_rows(batch, &order)?
            };
            return match self.keep(side, &sorted, None, &starts) {
                true => Ok(()),
                false => self.pend(side, &sorted, &starts),
            };
        }
        let order = Arc::new(order);
        match self.keep(side, batch, Some(&order), &starts) {
            true => Ok(()),
            false => self.pend(side, &take_rows(batch, &order)?, &starts),
        }
    }

    /// Puts rows that lie in the order of their shards aside, until there are enough for blocks of a file.
    fn pend(&mut self, side: Side, sorted: &RecordBatch, starts: &[usize]) -> Result<()> {
        for shard in 0..self.shards as usize {
            let (from, to) = (starts[shard], starts[shard + 1]);
            if from < to {
                self.pending[shard][side].push(sorted.slice(from, to - from));
            }
        }
        self.pending_bytes += sorted.get_array_memory_size();
        if self.pending_bytes > self.buffer_bytes {
            self.flush()
        } else {
            Ok(())
        }
    }

    pub fn finish(mut self) -> Result<Object> {
        self.flush()?;
        Ok(Object::new(self.shards as usize, self.blocks, self.file.pieces(), self.shares))
    }

    /// Keeps rows in memory if the budget allows. `order`: their rows by shard, where they do not lie so.
    fn keep(&mut self, side: Side, batch: &RecordBatch, order: Option<&Arc<Vec<u32>>>, starts: &[usize]) -> bool {
        let bytes = batch.get_array_memory_size();
        let Some(share) = self.scratch.budget.take(bytes + order.map_or(0, |order| 4 * order.len())) else {
            return false;
        };
        self.shares.push(share);
        for shard in 0..self.shards as usize {
            let (from, to) = (starts[shard], starts[shard + 1]);
            if from < to {
                let block = Block {
                    rows: to - from,
                    bytes: bytes * (to - from) / batch.num_rows(),
                    place: Place::Memory(Box::new(selected(batch, order, from, to))),
                };
                self.blocks.push((slot(shard as u32, side), block));
            }
        }
        true
    }

    /// Writes what is pending to the scratch file, a block a shard and side.
    fn flush(&mut self) -> Result<()> {
        self.pending_bytes = 0;
        for shard in 0..self.shards {
            for side in Side::BOTH {
                let slices = std::mem::take(&mut self.pending[shard as usize][side]);
                if !slices.is_empty() {
                    let batch = concat_batches(&self.schemas[side], &slices).map_err(|e| Error::internal(format!("exchange: {e}")))?;
                    drop(slices);
                    self.write(shard, side, &batch)?;
                }
            }
        }
        Ok(())
    }

    fn write(&mut self, shard: u32, side: Side, batch: &RecordBatch) -> Result<()> {
        let block = Block {
            rows: batch.num_rows(),
            bytes: batch.get_array_memory_size(),
            place: Place::Elsewhere(self.file.append(&encode(batch)?, &self.scratch)?),
        };
        self.blocks.push((slot(shard, side), block));
        Ok(())
    }
}

/// A row of up to so many bytes is copied sooner than it is looked for.
const NARROW_BYTES: usize = 64;

/// Whether rows are of a few bytes each, and of as many.
fn is_narrow(batch: &RecordBatch) -> bool {
    let widths = batch.schema_ref().fields().iter().map(|field| match field.data_type() {
        DataType::FixedSizeBinary(width) => usize::try_from(*width).ok(),
        other => other.primitive_width(),
    });
    widths.sum::<Option<usize>>().is_some_and(|bytes| bytes <= NARROW_BYTES)
}

/// Rows `from..to` in the order given, or as they lie.
fn selected(batch: &RecordBatch, order: Option<&Arc<Vec<u32>>>, from: usize, to: usize) -> SelectedRows {
    match order {
        None => SelectedRows::all(batch.slice(from, to - from)),
        Some(order) => SelectedRows {
            batch: batch.clone(),
            rows: Some(Selection {
                order: Arc::clone(order),
                from,
                to,
            }),
        },
    }
}

/// Row numbers in the order of their shards, and where each shard begins.
fn counting_sort(shard_of: &[u32], shards: u32) -> (Vec<u32>, Vec<usize>) {
    let mut starts = vec![0usize; shards as usize + 1];
    for shard in shard_of {
        starts[*shard as usize + 1] += 1;
    }
    for shard in 0..shards as usize {
        starts[shard + 1] += starts[shard];
    }
    let mut next = starts.clone();
    let mut order = vec![0u32; shard_of.len()];
    for (row, shard) in shard_of.iter().enumerate() {
        order[next[*shard as usize]] = row as u32;
        next[*shard as usize] += 1;
    }
    (order, starts)
}

/// The rows of a batch in the given order.
pub fn take_rows(batch: &RecordBatch, rows: &[u32]) -> Result<RecordBatch> {
    let rows = UInt32Array::from(rows.to_vec());
    let columns: Result<Vec<ArrayRef>, _> = batch.columns().iter().map(|c| take(c.as_ref(), &rows, None)).collect();
    let columns = columns.map_err(|e| Error::internal(format!("take: {e}")))?;
    let options = arrow_array::RecordBatchOptions::new().with_row_count(Some(rows.len()));
    RecordBatch::try_new_with_options(batch.schema(), columns, &options).map_err(|e| Error::internal(format!("take: {e}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow_array::Int64Array;
    use arrow_array::cast::AsArray;
    use arrow_array::types::Int64Type;
    use arrow_schema::{DataType, Field, Schema};

    #[test]
    fn rows_come_back_by_shard_and_side_from_memory_and_from_scratch() {
        let schema: SchemaRef = Arc::new(Schema::new(vec![Field::new("0", DataType::Int64, true)]));
        for budget in [0, 1 << 20] {
            let scratch = Scratch::new(budget, None).expect("scratch");
            let mut writer = Writer::new(Sides::new(schema.clone(), schema.clone()), 3, 64, &scratch);
            for start in [0i64, 10, 20] {
                let batch =
                    RecordBatch::try_new(schema.clone(), vec![Arc::new(Int64Array::from_iter_values(start..start + 10))]).expect("batch");
                let shard_of: Vec<u32> = (start..start + 10).map(|v| (v % 3) as u32).collect();
                writer
                    .push(if start == 10 { Side::Shadow } else { Side::Live }, &batch, &shard_of)
                    .expect("push");
            }
            let object = writer.finish().expect("finish");
            let read = |shard, side| -> Vec<i64> {
                object
                    .batches(shard, side)
                    .flat_map(|b| {
                        b.expect("block")
                            .to_batch()
                            .expect("rows")
                            .column(0)
                            .as_primitive::<Int64Type>()
                            .values()
                            .to_vec()
                    })
                    .collect()
            };
            assert_eq!(read(0, Side::Live), [0, 3, 6, 9, 21, 24, 27], "budget {budget}");
            assert_eq!(read(1, Side::Shadow), [10, 13, 16, 19]);
            assert_eq!(object.sizes()[2].live.rows, 7);
        }
    }

    /// What a block looks like must not change unseen: workers of two versions may meet.
    #[test]
    fn a_block_is_as_in_the_golden_file() {
        let text: ArrayRef = Arc::new(arrow_array::StringArray::from(vec![Some("a1"), None, Some("Zoë")]));
        let number: ArrayRef = Arc::new(Int64Array::from(vec![1, -2, 3]));
        let batch = RecordBatch::try_from_iter_with_nullable([("0", text, true), ("1", number, true)]).expect("batch");
        let now = encode(&batch).expect("encodes");
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/exchange_block.bin");
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            std::fs::write(path, &now).expect("the golden file can be written");
        }
        let golden = std::fs::read(path).expect("the golden file");
        assert_eq!(decode(&golden).expect("decodes"), batch);
        assert!(golden == now, "run with UPDATE_GOLDEN=1 if the change is meant");
    }
}
