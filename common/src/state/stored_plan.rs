//! The plan object of a job: all that coordinator and workers need to run it, stored before anything runs.
//!
//! A sealed record, compressed with zstd. Lists of accounts are objects of their own, which it names.

use super::create::{Created, create_unless};
use super::seal::{read_whole, seal, seal_of};
use super::{Incarnation, JobState, PlanDigest, StoredSets};
use crate::read::Dataset;
use serde::{Deserialize, Serialize};
use shadowdiff_core::error::{Error, Result};
use shadowdiff_core::plan::{PLAN_VERSION, Plan};
use shadowdiff_core::side::Sides;

/// A job that is ready to run.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct StoredPlan {
    /// Whose plan it is.
    pub incarnation: Incarnation,
    pub plan: Plan,
    /// The spec as it is shown in the summary.
    pub document: serde_json::Value,
    pub datasets: Sides<Dataset>,
    pub accounts: StoredSets,
}

/// The library's usual level: a plan is written once.
const ZSTD_LEVEL: i32 = 3;
/// The most bytes a plan may have when decompressed.
const MAX_PLAN_BYTES: usize = 1 << 30;

impl StoredPlan {
    /// Stores the plan and gives the digest of the one that counts; that is another one where another coordinator was first.
    pub async fn store(&self, job: &JobState) -> Result<(PlanDigest, Option<StoredPlan>)> {
        let sealed = seal(self)?;
        let digest = seal_of(&sealed).ok_or_else(|| Error::internal("a plan that was just sealed is not"))?;
        let bytes = zstd::bulk::compress(&sealed, ZSTD_LEVEL).map_err(|e| Error::internal(format!("plan: {e}")))?;
        match create_unless(job.store().as_ref(), &job.plan(), bytes.into(), |bytes| open(bytes).is_some()).await? {
            Created::Mine => Ok((PlanDigest::named(&digest), None)),
            Created::Another(bytes) => {
                let opened = open(&bytes).ok_or_else(|| Error::internal("a plan that was just whole is not"))?;
                parse(&opened, job).map(|(first, digest)| (digest, Some(first)))
            }
        }
    }

    /// Reads the plan of a job, with its digest; `None` where there is none.
    pub async fn read(job: &JobState) -> Result<Option<(StoredPlan, PlanDigest)>> {
        let (path, store) = (job.plan(), job.store().as_ref());
        let opened = read_whole(store, &path, None, &job.describe(&path), |bytes| open(bytes)).await?;
        opened.map(|opened| parse(&opened, job)).transpose()
    }
}

/// The record of a plan that came whole, and its digest.
fn open(stored: &[u8]) -> Option<(Vec<u8>, String)> {
    let sealed = zstd::bulk::decompress(stored, MAX_PLAN_BYTES).ok()?;
    let digest = seal_of(&sealed)?;
    Some((sealed, digest))
}

fn parse((json, digest): &(Vec<u8>, String), job: &JobState) -> Result<(StoredPlan, PlanDigest)> {
    let name = job.describe(&job.plan());
    let version: Versioned = serde_json::from_slice(json).map_err(|e| Error::internal(format!("{name} is not a plan: {e}")))?;
    if version.plan.version != PLAN_VERSION {
        return Err(Error::internal(format!("{name} has version {}", version.plan.version))
            .advice(format!("this program reads version {PLAN_VERSION}")));
    }
    let stored_plan: StoredPlan = serde_json::from_slice(json).map_err(|e| Error::internal(format!("{name} is not a plan: {e}")))?;
    if stored_plan.incarnation != *job.incarnation() {
        return Err(Error::internal(format!(
            "{name} is the plan of another submission, {}",
            stored_plan.incarnation
        )));
    }
    Ok((stored_plan, PlanDigest::named(digest)))
}

#[derive(Deserialize)]
struct Versioned {
    plan: PlanVersion,
}

#[derive(Deserialize)]
struct PlanVersion {
    version: u32,
}
