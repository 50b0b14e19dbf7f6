//! A later stage as data: what each of its tasks reads, written down once from the commits of the stage before.
//!
//! ```text
//! tasks/<stage>/<part>   the blocks of some tasks before, by shard; numbers little-endian
//! part    = header, index, sources, rows
//! header  = "SDTASKS1", shards u32, sources u32, length of the sources u32, CRC-32 of the sources u32, CRC-32 of the header so far u32
//! index   = where the rows of each shard begin, and behind the last one where they end, u64 from the part's begin; CRC-32 of the rows u32
//! sources = a source: number, length of the name, name of its data; all numbers here and below in the form of `compact`
//! row     = a block: source (its place here, less that of the row before), side, offset, length, CRC-32 u32, rows, bytes
//! ```
//! Commits are taken in the order of their tasks, and a part ends with the commit that fills it: who has the commits of all tasks before makes
//! the same bytes again, so it is no matter who writes a part, or how often. Only one part is in memory at a time, however many tasks there
//! are. A task reads the rows of its shards from every part.

mod read;

use super::commit::Commit;
use super::{JobState, ShardRange, Stage, state_error};
use crate::exchange::StoredBlock;
use bytes::Bytes;
use object_store::ObjectStoreExt;
use shadowdiff_core::compact::write_number;
use shadowdiff_core::error::{Error, Result};

pub use read::{Source, TaskInput};

/// Names the form of a part and its version.
const MAGIC: &[u8; 8] = b"SDTASKS1";
const HEADER_BYTES: usize = 28;
const INDEX_BYTES: usize = 12;
/// A part ends with the commit that brings it to so many blocks: some 60 MB in memory while it is made.
const PART_BLOCKS: usize = 1 << 19;

/// The table of a stage in the making.
#[derive(Debug)]
pub struct InputTable {
    /// Bytes of each shard in all commits so far.
    sizes: Vec<u64>,
    sources: Vec<(u32, String)>,
    /// Each with its source's place.
    blocks: Vec<(u32, StoredBlock)>,
    part_blocks: usize,
    parts: u32,
}

/// A part that is to be stored.
#[derive(Debug)]
pub struct Part {
    number: u32,
    bytes: Bytes,
}

impl Part {
    pub async fn store(&self, job: &JobState, stage: Stage) -> Result<()> {
        let path = job.tasks(stage, self.number);
        let put = job.store().put(&path, self.bytes.clone().into()).await;
        put.map(|_| ()).map_err(|e| state_error(e, &job.describe(&path)))
    }
}

impl InputTable {
    pub fn new(shards: u32) -> Self {
        InputTable {
            sizes: vec![0; shards as usize],
            sources: Vec::new(),
            blocks: Vec::new(),
            part_blocks: PART_BLOCKS,
            parts: 0,
        }
    }

    /// Adds the commit of a task, after those of all tasks before it; gives the part that it fills.
    pub fn push(&mut self, number: u32, commit: &Commit) -> Result<Option<Part>> {
        let Some(data) = commit.header.data.as_ref().filter(|_| !commit.blocks.is_empty()) else {
            return Ok(None);
        };
        let source = self.sources.len() as u32;
        for block in &commit.blocks {
            let size = self.sizes.get_mut(block.shard as usize);
            *size.ok_or_else(|| Error::internal(format!("task {number} has rows for shard {}, which is none", block.shard)))? +=
                block.bytes;
            self.blocks.push((source, *block));
        }
        self.sources.push((number, data.clone()));
        Ok((self.blocks.len() >= self.part_blocks).then(|| self.part()))
    }

    /// The last part, and the tasks, each with how many bytes it reads. Small shards are put together until they hold `part_bytes`; a larger
    /// one is a task of its own.
    pub fn finish(mut self, part_bytes: u64) -> (Option<Part>, Vec<(u64, ShardRange)>) {
        let last = (!self.sources.is_empty()).then(|| self.part());
        let parts = self.parts;
        let numbered = |(weight, range)| (weight, ShardRange { parts, ..range });
        (last, groups(&self.sizes, part_bytes).into_iter().map(numbered).collect())
    }

    fn part(&mut self) -> Part {
        let (sources, blocks) = (std::mem::take(&mut self.sources), std::mem::take(&mut self.blocks));
        let part = Part {
            number: self.parts,
            bytes: encode(self.sizes.len(), &sources, &blocks).into(),
        };
        self.parts += 1;
        part
    }
}

fn encode(shards: usize, sources: &[(u32, String)], blocks: &[(u32, StoredBlock)]) -> Vec<u8> {
    let mut named = Vec::new();
    for (number, data) in sources {
        write_number(u64::from(*number), &mut named);
        write_number(data.len() as u64, &mut named);
        named.extend_from_slice(data.as_bytes());
    }
    let mut out = Vec::with_capacity(HEADER_BYTES + (shards + 1) * INDEX_BYTES + named.len() + 20 * blocks.len());
    out.extend_from_slice(MAGIC);
    for number in [shards as u32, sources.len() as u32, named.len() as u32, crc32fast::hash(&named)] {
        out.extend_from_slice(&number.to_le_bytes());
    }
    let checksum = crc32fast::hash(&out);
    out.extend_from_slice(&checksum.to_le_bytes());
    out.resize(HEADER_BYTES + (shards + 1) * INDEX_BYTES, 0);
    out.extend_from_slice(&named);
    let by_shard = sorted_by_shard(shards, blocks);
    for shard in 0..=shards {
        let from = out.len();
        let mut last = 0;
        for at in by_shard.of(shard) {
            let (source, block) = &blocks[*at as usize];
            write_row(source - last, block, &mut out);
            last = *source;
        }
        let entry = HEADER_BYTES + shard * INDEX_BYTES;
        let checksum = crc32fast::hash(&out[from..]);
        out[entry..entry + 8].copy_from_slice(&(from as u64).to_le_bytes());
        out[entry + 8..entry + INDEX_BYTES].copy_from_slice(&checksum.to_le_bytes());
    }
    out
}

fn write_row(source: u32, block: &StoredBlock, out: &mut Vec<u8>) {
    for number in [u64::from(source), u64::from(block.side), block.piece.offset, block.piece.length] {
        write_number(number, out);
    }
    out.extend_from_slice(&block.piece.checksum.to_le_bytes());
    write_number(block.rows, out);
    write_number(block.bytes, out);
}

/// The places of blocks in the order of their shards; those of one shard in the order in which they came.
struct ByShard {
    order: Vec<u32>,
    starts: Vec<u32>,
}

impl ByShard {
    fn of(&self, shard: usize) -> &[u32] {
        match self.starts.get(shard..shard + 2) {
            Some([from, to]) => &self.order[*from as usize..*to as usize],
            Some(_) | None => &[],
        }
    }
}

fn sorted_by_shard(shards: usize, blocks: &[(u32, StoredBlock)]) -> ByShard {
    let mut starts = vec![0u32; shards + 1];
    blocks.iter().for_each(|(_, block)| starts[block.shard as usize + 1] += 1);
    for shard in 0..shards {
        starts[shard + 1] += starts[shard];
    }
    let mut next = starts.clone();
    let mut order = vec![0u32; blocks.len()];
    for (at, (_, block)) in blocks.iter().enumerate() {
        let place = &mut next[block.shard as usize];
        order[*place as usize] = at as u32;
        *place += 1;
    }
    ByShard { order, starts }
}

/// Shards are put together into at least so many tasks, where these have something to do: one that takes all keeps one thread busy.
const LEAST_TASKS: u64 = 8;
/// What a task takes at least, where there is so much: less costs more to begin than to do.
const LEAST_TASK_BYTES: u64 = 4 << 20;

/// The shards that each task takes, with their bytes: small ones are put together up to `part_bytes`. No group begins or ends with a shard
/// that is empty.
pub fn groups(sizes: &[u64], part_bytes: u64) -> Vec<(u64, ShardRange)> {
    let share = sizes.iter().sum::<u64>().div_ceil(LEAST_TASKS);
    let most = part_bytes.min(share.max(LEAST_TASK_BYTES));
    let mut groups: Vec<(u64, ShardRange)> = Vec::new();
    for (shard, size) in (0..).zip(sizes).filter(|(_, size)| **size > 0) {
        match groups.last_mut() {
            Some((weight, group)) if *weight + size <= most => {
                group.count = shard + 1 - group.first;
                *weight += size;
            }
            _ => groups.push((
                *size,
                ShardRange {
                    first: shard,
                    count: 1,
                    parts: 0,
                },
            )),
        }
    }
    groups
}

#[cfg(test)]
mod tests;
