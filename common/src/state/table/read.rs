//! Reads what one task reads from the parts of its stage's table.

use super::super::{JobState, ShardRange, Stage, state_error};
use super::{HEADER_BYTES, INDEX_BYTES, MAGIC};
use crate::exchange::StoredBlock;
use crate::spool::Piece;
use bytes::Bytes;
use futures::{StreamExt, TryStreamExt};
use object_store::path::Path;
use object_store::{GetOptions, GetRange, ObjectStore};
use shadowdiff_core::compact::read_number;
use shadowdiff_core::error::{Error, Result};
use std::collections::BTreeMap;
use std::ops::Range;

/// The first request for a part asks for so much: of a usual job it is all of it.
const FRONT_BYTES: u64 = 256 << 10;
/// Parts of one table that are read at a time.
const PARTS_IN_FLIGHT: usize = 8;

/// What one task reads.
#[derive(Debug, Clone, PartialEq)]
pub struct TaskInput {
    /// The shards of the job that have rows; blocks name them by their place in this list.
    pub shards: Vec<u32>,
    pub sources: Vec<Source>,
}

/// What a task reads of one task of the stage before.
#[derive(Debug, Clone, PartialEq)]
pub struct Source {
    /// The number of that task.
    pub number: u32,
    /// Relative to the job.
    pub data: String,
    pub blocks: Vec<StoredBlock>,
}

impl TaskInput {
    /// Reads what a task of these shards reads.
    pub async fn read(job: &JobState, stage: Stage, range: ShardRange) -> Result<TaskInput> {
        let parts = (0..range.parts).map(|number| StoredPart::new(job, stage, number).sources(range));
        let parts: Vec<Vec<Source>> = futures::stream::iter(parts).buffered(PARTS_IN_FLIGHT).try_collect().await?;
        let mut sources: Vec<Source> = parts.into_iter().flatten().collect();
        let blocks = || sources.iter().flat_map(|source| &source.blocks);
        let mut places: BTreeMap<u32, u32> = blocks().map(|block| (block.shard, 0)).collect();
        places.values_mut().zip(0..).for_each(|(place, number)| *place = number);
        for block in sources.iter_mut().flat_map(|source| &mut source.blocks) {
            block.shard = places[&block.shard];
        }
        Ok(TaskInput {
            shards: places.into_keys().collect(),
            sources,
        })
    }
}

/// A part in the store.
struct StoredPart<'a> {
    job: &'a JobState,
    path: Path,
}

/// The first bytes of a part, with what its header says.
struct PartHeader {
    bytes: Bytes,
    shards: u64,
    sources: usize,
    sources_at: Range<u64>,
}

impl<'a> StoredPart<'a> {
    fn new(job: &'a JobState, stage: Stage, number: u32) -> Self {
        StoredPart {
            job,
            path: job.tasks(stage, number),
        }
    }

    /// The sources that have rows in the shards of a task; blocks name their shards as the job does.
    async fn sources(self, range: ShardRange) -> Result<Vec<Source>> {
        let front = self.front().await?;
        let (first, end) = (u64::from(range.first), u64::from(range.first) + u64::from(range.count));
        if end > front.shards {
            return Err(self.broken());
        }
        let at = |shard: u64| HEADER_BYTES as u64 + shard * INDEX_BYTES as u64;
        let index = self.bytes(&front, at(first)..at(end + 1)).await?;
        let index: Vec<(u64, u32)> = index.chunks_exact(INDEX_BYTES).map(entry).collect();
        let (from, to) = (index[0].0, index[index.len() - 1].0);
        if index.windows(2).any(|two| two[0].0 > two[1].0) {
            return Err(self.broken());
        }
        if from == to {
            return Ok(Vec::new());
        }
        let names = self.bytes(&front, front.sources_at.clone()).await?;
        let mut sources = self.names(&front, &names)?;
        let rows = self.bytes(&front, from..to).await?;
        for (number, two) in index.windows(2).enumerate() {
            let rows = &rows[(two[0].0 - from) as usize..(two[1].0 - from) as usize];
            let is_whole = crc32fast::hash(rows) == two[0].1;
            let shard = range.first + number as u32;
            is_whole
                .then(|| read_rows(rows, shard, &mut sources))
                .flatten()
                .ok_or_else(|| self.broken())?;
        }
        sources.retain(|source| !source.blocks.is_empty());
        Ok(sources)
    }

    async fn front(&self) -> Result<PartHeader> {
        let bytes = self.fetch(0..FRONT_BYTES).await?;
        let header = bytes
            .get(..HEADER_BYTES)
            .filter(|header| header.starts_with(MAGIC))
            .ok_or_else(|| self.broken())?;
        let word = |at: usize| u32::from_le_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]);
        if crc32fast::hash(&header[..HEADER_BYTES - 4]) != word(HEADER_BYTES - 4) {
            return Err(self.broken());
        }
        let shards = u64::from(word(8));
        let sources_from = HEADER_BYTES as u64 + (shards + 1) * INDEX_BYTES as u64;
        Ok(PartHeader {
            shards,
            sources: word(12) as usize,
            sources_at: sources_from..sources_from + u64::from(word(16)),
            bytes,
        })
    }

    fn names(&self, front: &PartHeader, bytes: &[u8]) -> Result<Vec<Source>> {
        let checksum = u32::from_le_bytes([front.bytes[20], front.bytes[21], front.bytes[22], front.bytes[23]]);
        let read = || {
            let (mut at, mut sources) = (0, Vec::new());
            for _ in 0..front.sources {
                let number = u32::try_from(read_number(bytes, &mut at)?).ok()?;
                let length = usize::try_from(read_number(bytes, &mut at)?).ok()?;
                let data = std::str::from_utf8(bytes.get(at..at.checked_add(length)?)?).ok()?.to_owned();
                at += length;
                sources.push(Source {
                    number,
                    data,
                    blocks: Vec::new(),
                });
            }
            Some(sources)
        };
        (crc32fast::hash(bytes) == checksum)
            .then(read)
            .flatten()
            .ok_or_else(|| self.broken())
    }

    /// A range of the part, from its front where that has it.
    async fn bytes(&self, front: &PartHeader, range: Range<u64>) -> Result<Bytes> {
        if range.end <= front.bytes.len() as u64 {
            return Ok(front.bytes.slice(range.start as usize..range.end as usize));
        }
        let bytes = self.fetch(range.clone()).await?;
        if bytes.len() as u64 == range.end - range.start {
            Ok(bytes)
        } else {
            Err(self.broken())
        }
    }

    /// A range, or as much of it as there is.
    async fn fetch(&self, range: Range<u64>) -> Result<Bytes> {
        let options = GetOptions {
            range: Some(GetRange::Bounded(range)),
            ..GetOptions::default()
        };
        let failed = |e: object_store::Error| state_error(e, &self.job.describe(&self.path));
        let found = self.job.store().get_opts(&self.path, options).await.map_err(failed)?;
        found.bytes().await.map_err(failed)
    }

    fn broken(&self) -> Error {
        Error::unavailable(format!("{} does not read back as it was written", self.job.describe(&self.path)))
    }
}

fn entry(bytes: &[u8]) -> (u64, u32) {
    let begin = bytes[..8].iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte));
    let checksum = bytes[8..INDEX_BYTES]
        .iter()
        .rev()
        .fold(0, |number, byte| number << 8 | u32::from(*byte));
    (begin, checksum)
}

fn read_rows(bytes: &[u8], shard: u32, sources: &mut [Source]) -> Option<()> {
    let (mut at, mut source) = (0, 0usize);
    while at < bytes.len() {
        source = source.checked_add(usize::try_from(read_number(bytes, &mut at)?).ok()?)?;
        let side = u8::try_from(read_number(bytes, &mut at)?).ok()?;
        let (offset, length) = (read_number(bytes, &mut at)?, read_number(bytes, &mut at)?);
        let checksum = u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?);
        at += 4;
        let (rows, size) = (read_number(bytes, &mut at)?, read_number(bytes, &mut at)?);
        sources.get_mut(source)?.blocks.push(StoredBlock {
            shard,
            side,
            piece: Piece { offset, length, checksum },
            rows,
            bytes: size,
        });
    }
    Some(())
}
