//! Tables of tasks: what each part holds, and what a task reads of it.

use super::*;
use crate::state::{Header, Incarnation, PlanDigest, RECORD_VERSION, State};
use futures::TryStreamExt;
use object_store::ObjectStore;
use object_store::memory::InMemory;
use object_store::path::Path;
use std::sync::Arc;

fn job() -> JobState {
    let incarnation = Incarnation::parse(&"0".repeat(32)).expect("one");
    State::new(Arc::new(InMemory::new()), Path::from("s"), "memory").job("j", &incarnation)
}

fn scan(number: u32, shards: &[u32]) -> Commit {
    let block = |(at, shard): (usize, &u32)| StoredBlock {
        shard: *shard,
        side: (at % 2) as u8,
        piece: (at as u64 * 1000, 10 + u64::from(number), 0xABCD + number).into(),
        rows: 1 + at as u64,
        bytes: 10,
    };
    let attempt = format!("attempt-{number}");
    Commit {
        blocks: shards.iter().enumerate().map(block).collect(),
        ..Commit::empty(Header {
            version: RECORD_VERSION,
            incarnation: Incarnation::parse(&"0".repeat(32)).expect("one"),
            plan: PlanDigest::named("plan"),
            data: Some(JobState::data_name(Stage::Scan, number, &attempt)),
            attempt,
            worker: "w".into(),
        })
    }
}

/// Stores the table of these commits in parts of about so many blocks; the tasks.
async fn store(job: &JobState, commits: &[Commit], shards: u32, part_blocks: usize, part_bytes: u64) -> Vec<(u64, ShardRange)> {
    let mut table = InputTable::new(shards);
    table.part_blocks = part_blocks;
    for (number, commit) in (0..).zip(commits) {
        if let Some(part) = table.push(number, commit).expect("a commit of these shards") {
            part.store(job, Stage::Compare).await.expect("stores");
        }
    }
    let (last, tasks) = table.finish(part_bytes);
    if let Some(part) = last {
        part.store(job, Stage::Compare).await.expect("stores");
    }
    tasks
}

#[test]
fn shards_are_put_together_up_to_a_part() {
    let grouped = groups(&[3, 0, 3, 5, 100, 1], 7);
    let grouped: Vec<_> = grouped.into_iter().map(|(bytes, range)| (range.shards(), bytes)).collect();
    assert_eq!(grouped, [(0..3, 6), (3..4, 5), (4..5, 100), (5..6, 1)]);
}

#[tokio::test]
async fn every_block_is_in_exactly_one_task_however_the_table_is_cut() {
    let commits = [scan(0, &[0, 0, 2, 4]), scan(1, &[]), scan(2, &[2, 3]), scan(3, &[0, 4, 4])];
    let mut whole: Option<Vec<TaskInput>> = None;
    for part_blocks in [1, 3, 5, 1000] {
        let job = job();
        let tasks = store(&job, &commits, 5, part_blocks, 50).await;
        assert_eq!(tasks.iter().map(|(weight, _)| *weight).collect::<Vec<_>>(), [50, 40]);
        let mut inputs = Vec::new();
        for (_, place) in &tasks {
            inputs.push(TaskInput::read(&job, Stage::Compare, *place).await.expect("reads"));
        }
        assert_eq!(
            inputs.iter().map(|i| i.shards.clone()).collect::<Vec<_>>(),
            [vec![0, 2], vec![3, 4]]
        );
        for (task, input) in inputs.iter().enumerate() {
            for source in &input.sources {
                let commit = &commits[source.number as usize];
                assert_eq!(Some(&source.data), commit.header.data.as_ref());
                let mine = |block: &&StoredBlock| (block.shard >= 3) == (task == 1);
                let places = |block: &StoredBlock| input.shards.iter().position(|shard| *shard == block.shard).expect("a shard") as u32;
                let expected: Vec<StoredBlock> = commit
                    .blocks
                    .iter()
                    .filter(mine)
                    .map(|block| StoredBlock {
                        shard: places(block),
                        ..*block
                    })
                    .collect();
                assert_eq!(source.blocks, expected);
            }
        }
        assert_eq!(inputs.iter().flat_map(|i| &i.sources).map(|s| s.blocks.len()).sum::<usize>(), 9);
        assert_eq!(*whole.get_or_insert(inputs.clone()), inputs, "parts of {part_blocks} blocks");
    }
}

#[tokio::test]
async fn a_part_that_does_not_fit_one_request_is_read_in_several() {
    let job = job();
    let shards: Vec<u32> = (0..40_000).collect();
    let commits: Vec<Commit> = (0..3).map(|number| scan(number, &shards)).collect();
    let tasks = store(&job, &commits, 40_000, 1 << 20, 0).await;
    for (_, place) in [tasks[0], tasks[20_000], tasks[39_999]] {
        let input = TaskInput::read(&job, Stage::Compare, place).await.expect("reads");
        assert_eq!(input.shards, [place.first]);
        let blocks = input.sources.iter().map(|source| source.blocks[0].piece.offset);
        assert_eq!(blocks.collect::<Vec<_>>(), [u64::from(place.first) * 1000; 3]);
    }
}

#[tokio::test]
async fn a_part_that_was_damaged_is_refused() {
    let job = job();
    let commits = [scan(0, &[0, 1, 2]), scan(1, &[1])];
    let tasks = store(&job, &commits, 3, 1000, 1000).await;
    let path = job.tasks(Stage::Compare, 0);
    let bytes = job.read(&path).await.expect("reads").expect("a part");
    for at in 0..bytes.len() {
        let mut broken = bytes.to_vec();
        broken[at] ^= 0x10;
        job.store().put(&path, Bytes::from(broken).into()).await.expect("puts");
        let read = TaskInput::read(&job, Stage::Compare, tasks[0].1).await;
        // The checksum of the index's last entry is of no rows.
        let unused = HEADER_BYTES + 3 * INDEX_BYTES + 8;
        assert!(read.is_err() || (unused..unused + 4).contains(&at), "byte {at}");
        job.store().put(&path, bytes.slice(..at).into()).await.expect("puts");
        TaskInput::read(&job, Stage::Compare, tasks[0].1).await.expect_err("cut short");
    }
}

/// Coordinators write parts and workers read them: the form must not change unseen, and always the same bytes are written.
#[tokio::test]
async fn a_part_is_as_in_the_golden_file() {
    let job = job();
    store(&job, &[scan(0, &[0, 0, 2, 3]), scan(1, &[2, 3]), scan(700, &[1])], 4, 1000, 25).await;
    let stored: Vec<_> = job.store().list(None).try_collect().await.expect("lists");
    assert_eq!(stored.len(), 1);
    let now = job.read(&stored[0].location).await.expect("reads").expect("a part");
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/tasks_part.bin");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(path, &now).expect("the golden file can be written");
    }
    assert_eq!(now, std::fs::read(path).expect("the golden file"));
}
