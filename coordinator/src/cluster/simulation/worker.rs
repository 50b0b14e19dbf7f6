//! A worker that invents its rows, commits as real ones do, and fails in every way.

use super::super::scheduler::SchedulerHandle;
use super::SHARDS;
use super::flaky_store::{Chance, FlakyStore, Line, content};
use object_store::ObjectStoreExt;
use shadowdiff_common::exchange::StoredBlock;
use shadowdiff_common::spool::Piece;
use shadowdiff_common::state::{
    Commit, Header, Incarnation, JobState, PlanDigest, RECORD_VERSION, ShardRange, Stage, State, StoredPlan, TaskInput, commit,
};
use shadowdiff_core::error::{Error, Kind, Result};
use shadowdiff_core::side::Side;
use shadowdiff_core::tally::Tally;
use shadowdiff_proto::v1::{Assign, AttemptDone, AttemptFailed, Heartbeat, attach_request, attach_response};
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, interval, sleep};

/// What workers see of the world: the store, and the coordinator of the hour.
#[derive(Debug, Clone)]
pub(super) struct World {
    pub(super) flaky_store: FlakyStore,
    pub(super) scheduler: watch::Sender<Option<SchedulerHandle>>,
}

/// Attaches again and again, for ever. What its attempts say at their end goes to whichever coordinator it is attached to then.
pub(super) async fn live(world: World, number: u64, lies: bool, mut chance: Chance) {
    let (ended, mut ends) = mpsc::channel(1024);
    let mut worker = Attached {
        world,
        number,
        lies,
        ended,
    };
    loop {
        let mut schedulers = worker.world.scheduler.subscribe();
        let scheduler = schedulers
            .wait_for(Option::is_some)
            .await
            .expect("the world lasts")
            .clone()
            .expect("waited for");
        worker.attach(&scheduler, &mut schedulers, &mut ends, &mut chance).await;
        sleep(Duration::from_millis(200 + chance.below(2000))).await;
    }
}

struct Attached {
    world: World,
    number: u64,
    /// It says done at once, and commits nothing.
    lies: bool,
    ended: mpsc::Sender<attach_request::Message>,
}

impl Attached {
    /// One stream, until something ends it.
    async fn attach(
        &mut self,
        scheduler: &SchedulerHandle,
        schedulers: &mut watch::Receiver<Option<SchedulerHandle>>,
        ends: &mut mpsc::Receiver<attach_request::Message>,
        chance: &mut Chance,
    ) {
        let (outbox, mut inbox) = mpsc::channel(64);
        let Ok(id) = scheduler.joined(format!("w{}", self.number), 2, 1 << 30, outbox).await else {
            return;
        };
        // Some streams break, some go silent and break later.
        let until = Instant::now() + Duration::from_millis(2000 + chance.below(120_000));
        let silent = if chance.one_in(3) {
            Instant::now() + Duration::from_millis(chance.below(30_000))
        } else {
            until
        };
        let mut beat = interval(Duration::from_secs(5));
        loop {
            tokio::select! {
                // In this order, so that a run is the same every time.
                biased;
                message = inbox.recv() => match message.map(|m| m.message) {
                    Some(Some(attach_response::Message::Assign(assign))) if self.lies => {
                        let _ = self.ended.try_send(attach_request::Message::Done(AttemptDone {
                            attempt_id: assign.attempt_id,
                            rows: 2,
                            won: true,
                        }));
                    }
                    Some(Some(attach_response::Message::Assign(assign))) => {
                        tokio::spawn(attempt(self.world.flaky_store.clone(), self.ended.clone(), assign, chance.fork()));
                    }
                    Some(_) => {}
                    None => return,
                },
                Some(message) = ends.recv() => scheduler.said(id, message).await,
                _ = beat.tick() => if Instant::now() < silent {
                    scheduler.said(id, attach_request::Message::Heartbeat(Heartbeat::default())).await;
                },
                () = tokio::time::sleep_until(until) => break,
                _ = schedulers.changed() => break,
            }
        }
        scheduler.gone(id).await;
    }
}

/// One attempt; it may go on long after its worker was given up, and its job has ended and was removed.
async fn attempt(flaky_store: FlakyStore, ended: mpsc::Sender<attach_request::Message>, assign: Assign, mut chance: Chance) {
    let line = Line::default();
    let state = State::new(flaky_store.through(line.clone()), "state".into(), "memory");
    sleep(Duration::from_millis(chance.below(500))).await;
    let name = assign.attempt_id.clone();
    let said = match chance.below(40) {
        0 => return,
        1 => {
            line.cut();
            None
        }
        2 => {
            line.pause(Duration::from_millis(chance.below(90_000)));
            None
        }
        3 => Some(failure(name.clone(), &Error::unavailable("a fault of the simulation"))),
        _ => None,
    };
    let said = match said {
        Some(said) => said,
        None => match work(&state, &assign).await {
            Ok(won) => attach_request::Message::Done(AttemptDone {
                attempt_id: name,
                rows: 2,
                won,
            }),
            Err(error) => failure(name, &error),
        },
    };
    // Committed or not: sometimes nobody hears of it.
    if !chance.one_in(30) {
        let _ = ended.send(said).await;
    }
}

fn failure(attempt: String, error: &Error) -> attach_request::Message {
    attach_request::Message::Failed(AttemptFailed::new(attempt, error))
}

async fn work(state: &State, assign: &Assign) -> Result<bool> {
    let incarnation = Incarnation::parse(&assign.incarnation).ok_or_else(|| Error::internal("an assignment of no job"))?;
    let job = state.job(&assign.job_id, &incarnation);
    let Some((stored_plan, plan)) = StoredPlan::read(&job).await? else {
        return Err(Error::unavailable("the plan is gone"));
    };
    if plan.to_string() != assign.plan {
        return Err(Error::internal("another plan"));
    }
    let task = Task {
        job: &job,
        plan: &plan,
        attempt: &assign.attempt_id,
        rows: stored_plan.plan.estimate.row_bytes(),
    };
    let assigned = assign.task.as_ref().expect("a task");
    let stage = Stage::named(&assigned.stage).expect("a stage");
    let range = ShardRange {
        first: assigned.first_shard,
        count: assigned.shards,
        parts: assigned.parts,
    };
    let input = TaskInput::read(&job, stage, range).await?;
    match stage {
        Stage::Scan => task.scan(assigned.number).await,
        Stage::Match => task.match_fingerprints(assigned.number, &input).await,
        Stage::Reread => task.reread(assigned.number, &input).await,
        Stage::Compare => task.compare(assigned.number, &input).await,
        Stage::Sample | Stage::Rescan | Stage::RereadWhole | Stage::CompareWhole | Stage::Lookup | Stage::Totals | Stage::Merge => {
            Err(Error::internal("these jobs know their form, and no row is on one side alone"))
        }
    }
}

pub(super) struct Task<'a> {
    pub(super) job: &'a JobState,
    pub(super) plan: &'a PlanDigest,
    pub(super) attempt: &'a str,
    /// Of either side, for each scan.
    pub(super) rows: u64,
}

impl Task<'_> {
    async fn store(&self, stage: Stage, task: u32) -> Result<Header> {
        let data = JobState::data_name(stage, task, self.attempt);
        let put = self.job.store().put(&self.job.path(&data), content(self.attempt).into()).await;
        put.map_err(|e| Error::unavailable(e.to_string()))?;
        Ok(self.header(stage, task))
    }

    pub(super) fn header(&self, stage: Stage, task: u32) -> Header {
        Header {
            version: RECORD_VERSION,
            incarnation: self.job.incarnation().clone(),
            plan: self.plan.clone(),
            attempt: self.attempt.to_owned(),
            worker: "simulated".to_owned(),
            data: Some(JobState::data_name(stage, task, self.attempt)),
        }
    }

    /// All rows go to the shard of the task's number.
    async fn scan(&self, task: u32) -> Result<bool> {
        let mut tally = Tally::default();
        (tally.sides.live.read, tally.sides.shadow.read) = (self.rows, self.rows);
        self.exchange(Stage::Scan, task, &[task % SHARDS], tally).await
    }

    /// Nothing cancels: all rows of each scan are left.
    async fn match_fingerprints(&self, task: u32, input: &TaskInput) -> Result<bool> {
        self.needs(input).await?;
        let scans: Vec<u32> = input.sources.iter().map(|source| source.number).collect();
        self.exchange(Stage::Match, task, &scans, Tally::default()).await
    }

    /// All rows of the scan are found again.
    async fn reread(&self, task: u32, input: &TaskInput) -> Result<bool> {
        self.needs(input).await?;
        self.exchange(Stage::Reread, task, &[input.shards[0] % SHARDS], Tally::default())
            .await
    }

    /// Commits the rows of either side for each of the shards.
    async fn exchange(&self, stage: Stage, task: u32, shards: &[u32], tally: Tally) -> Result<bool> {
        if self.job.read(&self.job.commit(stage, task)).await?.is_some() {
            return Ok(false);
        }
        let header = self.store(stage, task).await?;
        self.commit_blocks(header, (stage, task), shards, tally).await
    }

    pub(super) async fn commit_blocks(&self, header: Header, (stage, task): (Stage, u32), shards: &[u32], tally: Tally) -> Result<bool> {
        let block = |shard: u32, side: Side| StoredBlock {
            shard,
            side: side as u8,
            piece: Piece {
                offset: 0,
                length: 1,
                checksum: 0,
            },
            rows: self.rows,
            bytes: 1,
        };
        let record = Commit {
            blocks: shards.iter().flat_map(|shard| Side::BOTH.map(|side| block(*shard, side))).collect(),
            tally,
            ..Commit::empty(header)
        };
        commit(self.job, stage, task, &record).await
    }

    /// The data of the stage before must be there: it is what a real worker reads.
    async fn needs(&self, input: &TaskInput) -> Result<()> {
        for source in &input.sources {
            if self.job.read(&self.job.path(&source.data)).await?.is_none() {
                return Err(Error::new(Kind::Input, format!("{} is gone", source.data)));
            }
        }
        Ok(())
    }

    /// All pairs of the task's shards are within tolerance.
    async fn compare(&self, task: u32, input: &TaskInput) -> Result<bool> {
        self.needs(input).await?;
        let header = self.store(Stage::Compare, task).await?;
        let blocks = input.sources.iter().flat_map(|s| &s.blocks);
        let pairs: u64 = blocks.filter(|b| b.side == 0).map(|b| b.rows).sum();
        self.commit_pairs(header, task, pairs).await
    }

    pub(super) async fn commit_pairs(&self, header: Header, task: u32, pairs: u64) -> Result<bool> {
        let record = Commit {
            tally: Tally {
                within_tolerance: pairs,
                ..Tally::default()
            },
            ..Commit::empty(header)
        };
        commit(self.job, Stage::Compare, task, &record).await
    }
}
