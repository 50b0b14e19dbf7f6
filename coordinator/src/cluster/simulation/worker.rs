//! A worker that invents its rows, commits as real ones do, and fails in every way.

use super::super::board::Board;
use super::shaky::{Chance, Line, Shaky, content};
use super::{JOB, SHARDS};
use object_store::ObjectStoreExt;
use shadowdiff_common::state::{
    BlockRecord, CompareCommit, ExchangeCommit, Header, JobState, Piece, RECORD_VERSION, Stage, State, TaskInput, commit,
};
use shadowdiff_core::error::{Error, Kind, Result};
use shadowdiff_core::side::Side;
use shadowdiff_core::tally::Tally;
use shadowdiff_proto::v1::{Assign, AttemptDone, AttemptFailed, Heartbeat, assign, attach_request, attach_response};
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, interval, sleep};

/// What workers see of the world: the store, and the coordinator of the hour.
#[derive(Debug, Clone)]
pub(super) struct World {
    pub(super) shaky: Shaky,
    pub(super) board: watch::Sender<Option<Board>>,
}

/// Attaches again and again, for ever.
pub(super) async fn live(world: World, number: u64, mut chance: Chance) {
    loop {
        let mut boards = world.board.subscribe();
        let board = boards
            .wait_for(Option::is_some)
            .await
            .expect("the world lasts")
            .clone()
            .expect("waited for");
        attach(&world, &board, &mut boards, number, &mut chance).await;
        sleep(Duration::from_millis(200 + chance.below(2000))).await;
    }
}

/// One stream, until something ends it.
async fn attach(world: &World, board: &Board, boards: &mut watch::Receiver<Option<Board>>, number: u64, chance: &mut Chance) {
    let (outbox, mut inbox) = mpsc::channel(64);
    let Ok(id) = board.joined(format!("w{number}"), 2, 1 << 30, outbox).await else {
        return;
    };
    // Some streams break, some go silent and break later.
    let ends = Instant::now() + Duration::from_millis(2000 + chance.below(120_000));
    let silent = if chance.one_in(3) {
        Instant::now() + Duration::from_millis(chance.below(30_000))
    } else {
        ends
    };
    let mut beat = interval(Duration::from_secs(5));
    loop {
        tokio::select! {
            message = inbox.recv() => match message.map(|m| m.message) {
                Some(Some(attach_response::Message::Assign(assign))) => {
                    tokio::spawn(attempt(world.shaky.clone(), board.clone(), id, assign, chance.fork()));
                }
                Some(_) => {}
                None => return,
            },
            _ = beat.tick() => if Instant::now() < silent {
                board.said(id, attach_request::Message::Heartbeat(Heartbeat::default()));
            },
            () = tokio::time::sleep_until(ends) => break,
            _ = boards.changed() => break,
        }
    }
    board.gone(id);
}

/// One attempt; it may go on long after its worker was given up.
async fn attempt(shaky: Shaky, board: Board, worker: u64, assign: Assign, mut chance: Chance) {
    let (number, line) = (assign.attempt, Line::default());
    let state = State::new(shaky.through(line.clone()), "state".into(), "memory");
    sleep(Duration::from_millis(chance.below(500))).await;
    match chance.below(40) {
        0 => return,
        1 => line.cut(),
        2 => line.pause(Duration::from_millis(chance.below(90_000))),
        3 => {
            let failed = failure(number, &Error::unavailable("a fault of the simulation"));
            return board.said(worker, failed);
        }
        _ => {}
    }
    let done = work(&state.job(JOB), &assign).await;
    if chance.one_in(30) {
        // Committed or not: nobody hears of it.
        return;
    }
    board.said(
        worker,
        match done {
            Ok(won) => attach_request::Message::Done(AttemptDone {
                attempt: number,
                rows: 2,
                won,
            }),
            Err(error) => failure(number, &error),
        },
    );
}

fn failure(attempt: u64, error: &Error) -> attach_request::Message {
    attach_request::Message::Failed(AttemptFailed {
        attempt,
        kind: error.kind.name().into(),
        message: error.message.clone(),
    })
}

async fn work(job: &JobState, assign: &Assign) -> Result<bool> {
    match assign.task.as_ref().expect("a task") {
        assign::Task::Glance(_) => Err(Error::internal("these jobs know their form")),
        assign::Task::Scan(task) => scan(job, task.number, &assign.attempt_name).await,
        assign::Task::Sift(task) => {
            let input = TaskInput::read(job, Stage::Sift, task.offset..task.offset + task.length).await?;
            sift(job, task.number, &assign.attempt_name, &input).await
        }
        assign::Task::Fetch(task) => {
            let input = TaskInput::read(job, Stage::Fetch, task.offset..task.offset + task.length).await?;
            fetch(job, task.number, &assign.attempt_name, &input).await
        }
        assign::Task::Compare(task) => {
            let input = TaskInput::read(job, Stage::Compare, task.offset..task.offset + task.length).await?;
            compare(job, task.number, &assign.attempt_name, &input).await
        }
    }
}

async fn store(job: &JobState, stage: Stage, task: u32, attempt: &str) -> Result<Header> {
    let data = JobState::data_name(stage, task, attempt);
    let put = job.store().put(&job.path(&data), content(attempt).into()).await;
    put.map_err(|e| Error::unavailable(e.to_string()))?;
    Ok(Header {
        version: RECORD_VERSION,
        attempt: attempt.to_owned(),
        worker: "simulated".to_owned(),
        data: Some(data),
    })
}

/// One row of either side is read; both go to the shard of the task's number.
async fn scan(job: &JobState, task: u32, attempt: &str) -> Result<bool> {
    let mut tally = Tally::default();
    (tally.sides.live.read, tally.sides.shadow.read) = (1, 1);
    exchange(job, Stage::Scan, task, attempt, &[task % SHARDS], tally).await
}

/// Nothing cancels: both rows of each scan are left.
async fn sift(job: &JobState, task: u32, attempt: &str, input: &TaskInput) -> Result<bool> {
    needs(job, input).await?;
    let scans: Vec<u32> = input.sources.iter().map(|source| source.number).collect();
    exchange(job, Stage::Sift, task, attempt, &scans, Tally::default()).await
}

/// Both rows of the scan are found again.
async fn fetch(job: &JobState, task: u32, attempt: &str, input: &TaskInput) -> Result<bool> {
    needs(job, input).await?;
    exchange(job, Stage::Fetch, task, attempt, &[input.shards[0] % SHARDS], Tally::default()).await
}

/// Commits a row of either side for each of the shards.
async fn exchange(job: &JobState, stage: Stage, task: u32, attempt: &str, shards: &[u32], tally: Tally) -> Result<bool> {
    if job.read(&job.commit(stage, task)).await?.is_some() {
        return Ok(false);
    }
    let header = store(job, stage, task, attempt).await?;
    let block = |shard: u32, side: Side| BlockRecord {
        shard,
        side: side as u8,
        piece: Piece {
            offset: 0,
            length: 1,
            checksum: 0,
        },
        rows: 1,
        bytes: 1,
    };
    let record = ExchangeCommit {
        header,
        blocks: shards.iter().flat_map(|shard| Side::BOTH.map(|side| block(*shard, side))).collect(),
        tally,
        accounts: Vec::new(),
    };
    commit(job, stage, task, &record).await
}

/// The data of the stage before must be there: it is what a real worker reads.
async fn needs(job: &JobState, input: &TaskInput) -> Result<()> {
    for source in &input.sources {
        if job.read(&job.path(&source.data)).await?.is_none() {
            return Err(Error::new(Kind::Input, format!("{} is gone", source.data)));
        }
    }
    Ok(())
}

/// All pairs of the task's shards are within tolerance.
async fn compare(job: &JobState, task: u32, attempt: &str, input: &TaskInput) -> Result<bool> {
    needs(job, input).await?;
    let header = store(job, Stage::Compare, task, attempt).await?;
    let pairs: u64 = input
        .sources
        .iter()
        .flat_map(|s| &s.blocks)
        .filter(|b| b.side == 0)
        .map(|b| b.rows)
        .sum();
    let record = CompareCommit {
        header,
        runs: Vec::new(),
        tally: Tally {
            within_tolerance: pairs,
            ..Tally::default()
        },
    };
    commit(job, Stage::Compare, task, &record).await
}
