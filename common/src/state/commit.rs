//! Commit records: which attempt of a task counts, and where what it made lies.

use super::create::{Created, create};
use super::{JobState, Stage};
use bytes::Bytes;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use shadowdiff_core::error::{Error, Result};
use shadowdiff_core::plan::Glance;
use shadowdiff_core::tally::Tally;

/// The version of all records of a job; one of another version is refused.
pub const RECORD_VERSION: u32 = 1;

/// Who made an attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    pub version: u32,
    /// The coordinator's epoch and the attempt's number: unique in the job.
    pub attempt: String,
    pub worker: String,
    /// The object with the content, relative to the job; `None` where there is none.
    pub data: Option<String>,
}

/// A checked range of the data object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "(u64, u64, u32)", into = "(u64, u64, u32)")]
pub struct Piece {
    pub offset: u64,
    pub length: u64,
    /// CRC-32 (IEEE) of the bytes.
    pub checksum: u32,
}

impl From<(u64, u64, u32)> for Piece {
    fn from((offset, length, checksum): (u64, u64, u32)) -> Self {
        Piece { offset, length, checksum }
    }
}

impl From<Piece> for (u64, u64, u32) {
    fn from(piece: Piece) -> Self {
        (piece.offset, piece.length, piece.checksum)
    }
}

/// Rows of one shard and side in the data object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlockRecord {
    pub shard: u32,
    /// 0 live, 1 shadow.
    pub side: u8,
    pub piece: Piece,
    pub rows: u64,
    /// Bytes in memory once decoded.
    pub bytes: u64,
}

/// A committed glance.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GlanceCommit {
    pub header: Header,
    pub glance: Glance,
}

/// A committed task that exchanges rows: scan, sift or fetch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ExchangeCommit {
    pub header: Header,
    /// In the order of shards, so that a range of shards is a range of bytes.
    pub blocks: Vec<BlockRecord>,
    pub tally: Tally,
    /// Sorted runs of accounts' fingerprints, a list of parts each.
    pub accounts: Vec<Vec<Piece>>,
}

/// A committed compare task.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CompareCommit {
    pub header: Header,
    /// Sorted runs of lines, a list of parts each.
    pub runs: Vec<Vec<Piece>>,
    pub tally: Tally,
}

/// A record that can be committed.
pub trait Record: Serialize + DeserializeOwned + Send + Sync {
    fn header(&self) -> &Header;
}

impl Record for ExchangeCommit {
    fn header(&self) -> &Header {
        &self.header
    }
}

impl Record for GlanceCommit {
    fn header(&self) -> &Header {
        &self.header
    }
}

impl Record for CompareCommit {
    fn header(&self) -> &Header {
        &self.header
    }
}

/// Makes an attempt count, unless another of its task does already. True if this one won; the loser's content is removed.
pub async fn commit<R: Record>(job: &JobState, stage: Stage, task: u32, record: &R) -> Result<bool> {
    let bytes = serde_json::to_vec(record).map_err(|e| Error::internal(format!("commit: {e}")))?;
    let path = job.commit(stage, task);
    match create(job.store().as_ref(), &path, Bytes::from(bytes)).await? {
        Created::Mine => Ok(true),
        Created::Another(other) => {
            let other: R = parse(&other, &job.describe(&path))?;
            let mine = record.header();
            if other.header().attempt == mine.attempt {
                return Err(Error::internal(format!(
                    "{}: attempt {} was made twice, with different results",
                    job.describe(&path),
                    mine.attempt
                )));
            }
            if let Some(data) = &mine.data {
                job.discard(&job.path(data)).await;
            }
            Ok(false)
        }
    }
}

/// Reads the commit of a task; `None` while it has none.
pub async fn read_commit<R: Record>(job: &JobState, stage: Stage, task: u32) -> Result<Option<R>> {
    let path = job.commit(stage, task);
    let Some(bytes) = job.read(&path).await? else { return Ok(None) };
    parse(&bytes, &job.describe(&path)).map(Some)
}

fn parse<R: Record>(bytes: &[u8], name: &str) -> Result<R> {
    let record: R = serde_json::from_slice(bytes).map_err(|e| Error::internal(format!("{name} is no commit: {e}")))?;
    check_version(record.header().version, name)?;
    Ok(record)
}

/// Refuses a record of another version.
pub fn check_version(version: u32, name: &str) -> Result<()> {
    if version == RECORD_VERSION {
        return Ok(());
    }
    Err(Error::internal(format!(
        "{name} has version {version}; this program reads version {RECORD_VERSION}"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::State;
    use object_store::memory::InMemory;
    use object_store::{ObjectStoreExt, path::Path};
    use std::sync::Arc;

    fn record(attempt: &str) -> CompareCommit {
        CompareCommit {
            header: Header {
                version: RECORD_VERSION,
                attempt: attempt.into(),
                worker: "w".into(),
                data: Some(JobState::data_name(Stage::Compare, 7, attempt)),
            },
            runs: vec![vec![(0, 10, 99).into()], vec![]],
            tally: Tally::default(),
        }
    }

    #[tokio::test]
    async fn the_first_attempt_counts_and_the_second_removes_its_data() {
        let job = State::new(Arc::new(InMemory::new()), Path::from("s"), "memory").job("j");
        let (first, second) = (record("1-4"), record("1-5"));
        for attempt in [&first, &second] {
            let path = job.path(attempt.header.data.as_deref().expect("data"));
            job.store().put(&path, Bytes::from_static(b"x").into()).await.expect("put");
        }
        assert_eq!(commit(&job, Stage::Compare, 7, &first).await, Ok(true));
        assert_eq!(commit(&job, Stage::Compare, 7, &second).await, Ok(false));
        assert_eq!(commit(&job, Stage::Compare, 7, &first).await, Ok(true), "said twice");
        assert_eq!(read_commit(&job, Stage::Compare, 7).await, Ok(Some(first.clone())));
        assert_eq!(read_commit::<CompareCommit>(&job, Stage::Compare, 8).await, Ok(None));
        let there = |attempt: &CompareCommit| job.path(attempt.header.data.as_deref().expect("data"));
        assert_eq!(job.read(&there(&first)).await, Ok(Some(Bytes::from_static(b"x"))));
        assert_eq!(job.read(&there(&second)).await, Ok(None));
    }

    #[tokio::test]
    async fn a_record_of_another_version_is_refused() {
        let job = State::new(Arc::new(InMemory::new()), Path::from("s"), "memory").job("j");
        let mut other = record("1-1");
        other.header.version = 2;
        commit(&job, Stage::Scan, 0, &other).await.expect("commits");
        let error = read_commit::<CompareCommit>(&job, Stage::Scan, 0).await.expect_err("refused");
        assert!(error.message.contains("version 2"), "{error}");
    }
}
