//! A later stage as data: what each of its tasks reads, made once from the commits of the stage before.
//!
//! `tasks/<stage>` of a job holds one sealed JSON document a task, one after the other. Who has the commits of all tasks before makes the same bytes
//! again, so it is no matter who writes it, or how often.

use super::commit::{BlockRecord, ExchangeCommit};
use super::seal::{is_sealed, read_whole, seal};
use super::{JobState, Stage, state_error};
use bytes::Bytes;
use object_store::ObjectStoreExt;
use serde::{Deserialize, Serialize};
use shadowdiff_core::error::{Error, Result};
use std::ops::Range;

/// What one task reads.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TaskInput {
    /// The shards of the job; blocks name them by their place in this list.
    pub shards: Vec<u32>,
    pub sources: Vec<Source>,
}

/// What a task reads of one task of the stage before.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Source {
    /// The number of that task.
    pub number: u32,
    /// Relative to the job.
    pub data: String,
    pub blocks: Vec<BlockRecord>,
}

/// All tasks of a stage.
#[derive(Debug, Default)]
pub struct InputTable {
    bytes: Vec<u8>,
    tasks: Vec<(Range<u64>, u64)>,
}

impl InputTable {
    /// Small shards are put together until they hold `part_bytes`; a larger one is a task of its own.
    pub fn new(commits: &[ExchangeCommit], shards: u32, part_bytes: u64) -> Result<Self> {
        let mut sizes = vec![0u64; shards as usize];
        let mut first = Vec::with_capacity(commits.len());
        for commit in commits {
            commit.blocks.iter().for_each(|block| sizes[block.shard as usize] += block.bytes);
            // Blocks stand in the order of their shards.
            let starts = |shard: u32| commit.blocks.partition_point(|block| block.shard < shard);
            first.push((0..=shards).map(starts).collect::<Vec<usize>>());
        }
        let mut table = InputTable::default();
        for (group, weight) in groups(&sizes, part_bytes) {
            let sources = commits.iter().zip(&first).zip(0..);
            let sources = sources.filter_map(|((commit, first), number)| source(commit, number, first, &group));
            let input = TaskInput {
                sources: sources.collect(),
                shards: group,
            };
            table.push(&input, weight)?;
        }
        Ok(table)
    }

    fn push(&mut self, input: &TaskInput, weight: u64) -> Result<()> {
        let from = self.bytes.len() as u64;
        self.bytes.extend_from_slice(&seal(input)?);
        self.tasks.push((from..self.bytes.len() as u64, weight));
        Ok(())
    }

    /// For each task, where its document lies and how many bytes it reads.
    pub fn tasks(&self) -> &[(Range<u64>, u64)] {
        &self.tasks
    }

    /// Writes the documents.
    pub async fn store(&self, job: &JobState, stage: Stage) -> Result<()> {
        if self.bytes.is_empty() {
            return Ok(());
        }
        let path = job.tasks(stage);
        let put = job.store().put(&path, Bytes::from(self.bytes.clone()).into()).await;
        put.map(|_| ()).map_err(|e| state_error(e, &job.describe(&path)))
    }
}

impl TaskInput {
    /// Reads one task's document.
    pub async fn read(job: &JobState, stage: Stage, range: Range<u64>) -> Result<TaskInput> {
        let path = job.tasks(stage);
        let name = job.describe(&path);
        let open = |bytes: &Bytes| is_sealed(bytes).then(|| bytes.clone());
        let read = read_whole(job.store().as_ref(), &path, Some(range), &name, open).await?;
        let bytes = read.ok_or_else(|| Error::unavailable(format!("{name} does not exist")))?;
        serde_json::from_slice(&bytes).map_err(|e| Error::unavailable(format!("{name} holds no input of a task: {e}")))
    }
}

/// Shards that one task takes, with their bytes; empty shards are left out.
pub fn groups(sizes: &[u64], part_bytes: u64) -> Vec<(Vec<u32>, u64)> {
    let mut groups: Vec<(Vec<u32>, u64)> = Vec::new();
    for (shard, size) in sizes.iter().enumerate().filter(|(_, size)| **size > 0) {
        match groups.last_mut() {
            Some((group, weight)) if *weight + size <= part_bytes => {
                group.push(shard as u32);
                *weight += size;
            }
            _ => groups.push((vec![shard as u32], *size)),
        }
    }
    groups
}

fn source(commit: &ExchangeCommit, number: u32, first: &[usize], group: &[u32]) -> Option<Source> {
    let data = commit.header.data.clone()?;
    let blocks = group.iter().enumerate().flat_map(|(place, shard)| {
        let shard = *shard as usize;
        commit.blocks[first[shard]..first[shard + 1]].iter().map(move |block| BlockRecord {
            shard: place as u32,
            ..*block
        })
    });
    let blocks: Vec<BlockRecord> = blocks.collect();
    (!blocks.is_empty()).then_some(Source { number, data, blocks })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::{Header, Incarnation, PlanDigest, RECORD_VERSION};
    use shadowdiff_core::tally::Tally;

    #[test]
    fn shards_are_put_together_up_to_a_part() {
        let grouped = groups(&[3, 0, 3, 5, 100, 1], 7);
        assert_eq!(grouped, [(vec![0, 2], 6), (vec![3], 5), (vec![4], 100), (vec![5], 1)]);
    }

    #[test]
    fn every_block_is_in_exactly_one_task() {
        let scan = |attempt: &str, shards: &[u32]| ExchangeCommit {
            header: Header {
                version: RECORD_VERSION,
                incarnation: Incarnation::parse(&"0".repeat(32)).expect("one"),
                plan: PlanDigest::named("plan"),
                attempt: attempt.into(),
                worker: "w".into(),
                data: Some(format!("data/{attempt}")),
            },
            blocks: shards
                .iter()
                .enumerate()
                .map(|(at, shard)| BlockRecord {
                    shard: *shard,
                    side: 0,
                    piece: (at as u64 * 10, 10, 1).into(),
                    rows: 1,
                    bytes: 10,
                })
                .collect(),
            tally: Tally::default(),
            accounts: vec![],
        };
        let table = InputTable::new(&[scan("a", &[0, 0, 2]), scan("b", &[2, 3])], 4, 25).expect("table");
        let inputs: Vec<TaskInput> = table
            .tasks()
            .iter()
            .map(|(range, _)| serde_json::from_slice(&table.bytes[range.start as usize..range.end as usize]).expect("JSON"))
            .collect();
        assert_eq!(
            inputs.iter().map(|i| i.shards.clone()).collect::<Vec<_>>(),
            [vec![0], vec![2], vec![3]]
        );
        assert_eq!(inputs[0].sources.len(), 1);
        assert_eq!(inputs[1].sources.len(), 2);
        assert_eq!(inputs[1].sources[1].blocks[0].shard, 0, "numbered by place");
        assert_eq!(inputs.iter().flat_map(|i| &i.sources).map(|s| s.blocks.len()).sum::<usize>(), 5);
    }
}
