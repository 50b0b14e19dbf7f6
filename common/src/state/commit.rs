//! Commit records: which attempt of a task counts, and where what it made lies.

use super::create::{Created, create_record};
use super::seal::seal;
use super::{Incarnation, JobState, PlanDigest, Stage};
use crate::exchange::StoredBlock;
use crate::spool::Piece;
use object_store::path::Path;
use serde::{Deserialize, Serialize};
use shadowdiff_core::drawn::DrawnRows;
use shadowdiff_core::error::{Error, Result};
use shadowdiff_core::plan::Sample;
use shadowdiff_core::profile::Profile;
use shadowdiff_core::row::JudgedInPlace;
use shadowdiff_core::side::{Side, Sides};
use shadowdiff_core::tally::Tally;

/// The version of all records of a job; one of another version is refused.
pub const RECORD_VERSION: u32 = 9;

/// Who made an attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    pub version: u32,
    /// The submission that it was made for.
    pub incarnation: Incarnation,
    /// The plan that it followed.
    pub plan: PlanDigest,
    /// Unique among all attempts ever made.
    pub attempt: String,
    pub worker: String,
    /// The object with the content, relative to the job; `None` where there is none.
    pub data: Option<String>,
}

/// A committed task: where what it left behind lies in the data object.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Commit {
    pub header: Header,
    pub tally: Tally,
    /// Rows that were exchanged, in the order of shards, so that a range of shards is a range of bytes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub blocks: Vec<StoredBlock>,
    /// Sorted runs of accounts or of keys, mostly of their fingerprints, a list of parts each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fingerprints: Vec<Vec<Piece>>,
    /// Sorted runs of differences, a list of parts each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub runs: Vec<Vec<Piece>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sample: Option<Sample>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub judged: Option<JudgedInPlace>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drawn: Option<DrawnRows>,
    /// What the task took; nothing that counts.
    #[serde(default, skip_serializing_if = "Profile::is_empty")]
    pub profile: Profile,
}

impl Commit {
    /// The record of a task that has left nothing behind.
    pub fn empty(header: Header) -> Self {
        Commit {
            header,
            tally: Tally::default(),
            blocks: Vec::new(),
            fingerprints: Vec::new(),
            runs: Vec::new(),
            sample: None,
            judged: None,
            drawn: None,
            profile: Profile::default(),
        }
    }

    /// Rows of each side that were exchanged.
    pub fn exchanged(&self) -> Sides<u64> {
        let rows = |side: Side| {
            self.blocks
                .iter()
                .filter(move |block| block.side == side as u8)
                .map(|block| block.rows)
        };
        Sides::from_fn(|side| rows(side).sum())
    }
}

/// Makes an attempt count, unless another of its task does already. True if this one won; the loser's content is removed.
pub async fn commit(job: &JobState, stage: Stage, task: u32, record: &Commit) -> Result<bool> {
    let path = job.commit(stage, task);
    match create_record(job.store().as_ref(), &path, seal(record)?).await? {
        Created::Mine => Ok(true),
        Created::Another(other) => {
            let mine = &record.header;
            let other = parse(&other, job, &path, &mine.plan)?;
            if other.header.attempt == mine.attempt {
                return Err(
                    Error::internal(format!("attempt {} was made twice, with different results", mine.attempt)).file(job.describe(&path)),
                );
            }
            if let Some(data) = &mine.data {
                job.discard(&job.path(data)).await;
            }
            Ok(false)
        }
    }
}

/// Reads the commit of a task; `None` while it has none. One that followed another plan than `plan` is refused.
pub async fn read_commit(job: &JobState, plan: &PlanDigest, stage: Stage, task: u32) -> Result<Option<Commit>> {
    let path = job.commit(stage, task);
    let Some(bytes) = job.read_record(&path).await? else {
        return Ok(None);
    };
    parse(&bytes, job, &path, plan).map(Some)
}

fn parse(bytes: &[u8], job: &JobState, path: &Path, plan: &PlanDigest) -> Result<Commit> {
    let name = job.describe(path);
    // The version first: what else a record has is known only then.
    let versioned: Versioned = serde_json::from_slice(bytes).map_err(|e| Error::internal(format!("{name} is not a commit: {e}")))?;
    check_version(versioned.header.version, &name)?;
    let record: Commit = serde_json::from_slice(bytes).map_err(|e| Error::internal(format!("{name} is not a commit: {e}")))?;
    let header = &record.header;
    if header.incarnation != *job.incarnation() || header.plan != *plan {
        return Err(Error::internal(format!(
            "{name} was made by attempt {} of submission {} with plan {}",
            header.attempt, header.incarnation, header.plan
        ))
        .advice(format!("this is submission {} with plan {plan}", job.incarnation())));
    }
    Ok(record)
}

#[derive(Deserialize)]
struct Versioned {
    header: VersionedHeader,
}

#[derive(Deserialize)]
struct VersionedHeader {
    version: u32,
}

/// Refuses a record of another version.
pub fn check_version(version: u32, name: &str) -> Result<()> {
    if version == RECORD_VERSION {
        return Ok(());
    }
    Err(Error::internal(format!("{name} has version {version}")).advice(format!("this program reads version {RECORD_VERSION}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::State;
    use bytes::Bytes;
    use object_store::ObjectStoreExt;
    use object_store::memory::InMemory;
    use std::sync::Arc;

    fn job(incarnation: char) -> JobState {
        let incarnation = Incarnation::parse(&incarnation.to_string().repeat(32)).expect("one");
        State::new(Arc::new(InMemory::new()), Path::from("s"), "memory").job("j", &incarnation)
    }

    fn record(job: &JobState, attempt: &str) -> Commit {
        Commit {
            runs: vec![vec![(0, 10, 99).into()], vec![]],
            ..Commit::empty(Header {
                version: RECORD_VERSION,
                incarnation: job.incarnation().clone(),
                plan: PlanDigest::of(b"plan"),
                attempt: attempt.into(),
                worker: "w".into(),
                data: Some(JobState::data_name(Stage::Compare, 7, attempt)),
            })
        }
    }

    async fn read(job: &JobState, task: u32) -> Result<Option<Commit>> {
        read_commit(job, &PlanDigest::of(b"plan"), Stage::Compare, task).await
    }

    #[tokio::test]
    async fn the_first_attempt_counts_and_the_second_removes_its_data() {
        let job = job('a');
        let (first, second) = (record(&job, "1-4"), record(&job, "1-5"));
        for attempt in [&first, &second] {
            let path = job.path(attempt.header.data.as_deref().expect("data"));
            job.store().put(&path, Bytes::from_static(b"x").into()).await.expect("put");
        }
        assert_eq!(commit(&job, Stage::Compare, 7, &first).await, Ok(true));
        assert_eq!(commit(&job, Stage::Compare, 7, &second).await, Ok(false));
        assert_eq!(commit(&job, Stage::Compare, 7, &first).await, Ok(true), "said twice");
        assert_eq!(read(&job, 7).await, Ok(Some(first.clone())));
        assert_eq!(read(&job, 8).await, Ok(None));
        let there = |attempt: &Commit| job.path(attempt.header.data.as_deref().expect("data"));
        assert_eq!(job.read(&there(&first)).await, Ok(Some(Bytes::from_static(b"x"))));
        assert_eq!(job.read(&there(&second)).await, Ok(None));
    }

    #[tokio::test]
    async fn a_record_of_another_version_submission_or_plan_is_refused() {
        let job = job('a');
        let mut other = record(&job, "1-1");
        other.header.version = 1;
        let mut strange = record(&job, "1-2");
        strange.header.incarnation = Incarnation::parse(&"b".repeat(32)).expect("one");
        let mut unplanned = record(&job, "1-3");
        unplanned.header.plan = PlanDigest::of(b"another");
        for (task, record, says) in [(0, other, "version 1"), (1, strange, "bbbb"), (2, unplanned, "with plan")] {
            commit(&job, Stage::Compare, task, &record).await.expect("commits");
            let error = read(&job, task).await.expect_err("refused");
            assert!(error.to_string().contains(says), "{error}");
        }
    }

    #[tokio::test]
    async fn commits_are_as_in_the_golden_file() {
        let job = job('a');
        let compare = record(&job, "1-4");
        let mut drawn = DrawnRows::default();
        drawn.push(Side::Shadow, 7, &[1, 255]);
        let exchange = Commit {
            blocks: vec![StoredBlock {
                shard: 3,
                side: 1,
                piece: (0, 10, 99).into(),
                rows: 4,
                bytes: 512,
            }],
            fingerprints: vec![vec![(10, 16, 7).into()]],
            drawn: Some(drawn),
            ..Commit::empty(compare.header.clone())
        };
        let sample = Commit {
            sample: Some(Sample::default()),
            ..Commit::empty(Header {
                data: None,
                ..compare.header.clone()
            })
        };
        commit(&job, Stage::Sample, 0, &sample).await.expect("commits");
        commit(&job, Stage::Scan, 1, &exchange).await.expect("commits");
        commit(&job, Stage::Compare, 7, &compare).await.expect("commits");
        let mut now = Vec::new();
        for (stage, task) in [(Stage::Sample, 0), (Stage::Scan, 1), (Stage::Compare, 7)] {
            now.extend(job.read(&job.commit(stage, task)).await.expect("reads").expect("a commit"));
            now.push(b'\n');
        }
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/commits.jsonl");
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            std::fs::write(path, &now).expect("the golden file can be written");
        }
        let golden = std::fs::read(path).expect("the golden file");
        assert!(
            golden == now,
            "run with UPDATE_GOLDEN=1 if the change is meant, and raise RECORD_VERSION"
        );
    }
}
