//! The end of a stored job: merge the runs, put the result into the state store, let it count, hand it on.
//!
//! Files go to `result/<attempt>/` first; the create-only manifest that names them is the job's success. Where the spec names an `output`
//! on an object store the counted files are copied there after that, `summary.json` last, so that a coordinator that dies in between goes
//! on where it was.

use super::journal::now_ms;
use super::retry::retrying;
use crate::publish::{FILES, Staging, Target, upload, uploader};
use crate::result::{write_summary, write_tables};
use bytes::Bytes;
use futures::{FutureExt, StreamExt};
use object_store::path::Path as ObjectPath;
use object_store::{ObjectStore, ObjectStoreExt};
use serde::{Deserialize, Serialize};
use shadowdiff_common::fault;
use shadowdiff_common::spool::Spool;
use shadowdiff_common::state::{Blueprint, Created, Incarnation, JobState, PlanDigest, RECORD_VERSION, check_version, create};
use shadowdiff_common::store::Stores;
use shadowdiff_core::error::{Error, Result};
use shadowdiff_core::report::Timings;
use shadowdiff_core::tally::Tally;
use std::path::Path;
use std::sync::Arc;
use tokio::io::AsyncWriteExt;

/// The job's success.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Manifest {
    pub(crate) version: u32,
    /// Whose success it is.
    pub(crate) incarnation: Incarnation,
    /// The plan that was followed.
    pub(crate) plan: PlanDigest,
    /// Whose files count.
    pub(crate) attempt: String,
    /// Names and sizes, the summary last.
    pub(crate) files: Vec<(String, u64)>,
    pub(crate) passed: bool,
    pub(crate) warnings: Vec<String>,
    pub(crate) ended_ms: i64,
}

impl Manifest {
    /// The manifest of a job; `None` while it has none.
    pub(crate) async fn read(job: &JobState) -> Result<Option<Manifest>> {
        let path = job.manifest();
        let Some(bytes) = job.read(&path).await? else { return Ok(None) };
        parse(&bytes, job, &path).map(Some)
    }
}

fn parse(bytes: &[u8], job: &JobState, path: &ObjectPath) -> Result<Manifest> {
    let name = job.describe(path);
    let malformed = |e: serde_json::Error| Error::internal(format!("{name} is no manifest: {e}"));
    // The version first: what else a manifest has is known only then.
    let Versioned { version } = serde_json::from_slice(bytes).map_err(malformed)?;
    check_version(version, &name)?;
    let manifest: Manifest = serde_json::from_slice(bytes).map_err(malformed)?;
    if manifest.incarnation != *job.incarnation() {
        return Err(Error::internal(format!(
            "{name} is of another submission, {}",
            manifest.incarnation
        )));
    }
    Ok(manifest)
}

#[derive(Deserialize)]
struct Versioned {
    version: u32,
}

/// What the stages found.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) tally: Tally,
    pub(crate) runs: Vec<Spool>,
    pub(crate) timings: Timings,
}

/// Merges and stores the result; gives the manifest that counts, which may be an earlier attempt's.
pub(crate) async fn store_result(
    job: &JobState,
    blueprint: &Arc<Blueprint>,
    plan: &PlanDigest,
    attempt: &str,
    scratch: &Path,
    found: Found,
) -> Result<Manifest> {
    let target = Target::Directory(scratch.join(job.incarnation().as_str()).join("result"));
    let blueprint = Arc::clone(blueprint);
    let merging = tokio::task::spawn_blocking(move || {
        let staging = Staging::new(&target)?;
        let started = std::time::Instant::now();
        let merged = write_tables(&blueprint.plan, &found.tally, &found.runs, &staging)?;
        let mut timings = found.timings;
        timings.merge_ms = started.elapsed().as_millis() as u64;
        timings.total_ms = timings.plan_ms + timings.scan_ms + timings.compare_ms + timings.merge_ms;
        let summary = write_summary(
            &blueprint.plan,
            blueprint.document.clone(),
            &found.tally,
            &merged,
            timings,
            &staging,
        )?;
        Ok::<_, Error>((staging, summary.verdict == "pass", summary.warnings))
    });
    let (staging, passed, warnings) = merging.await.map_err(|e| Error::internal(format!("the merge panicked: {e}")))??;
    fault::point("merge:before-upload");
    let mut files = Vec::new();
    for name in FILES {
        let path = job.result(attempt, name);
        let from = staging.path(name);
        let size = retrying("result", || upload(Arc::clone(job.store()), &path, &from).boxed()).await?;
        files.push((name.to_owned(), size));
    }
    let manifest = Manifest {
        version: RECORD_VERSION,
        incarnation: job.incarnation().clone(),
        plan: plan.clone(),
        attempt: attempt.to_owned(),
        files,
        passed,
        warnings,
        ended_ms: now_ms(),
    };
    fault::point("publish:before-manifest");
    let json = serde_json::to_vec(&manifest).map_err(|e| Error::internal(format!("manifest: {e}")))?;
    let (path, content) = (job.manifest(), Bytes::from(json));
    let created = retrying("manifest", || create(job.store().as_ref(), &path, content.clone()).boxed()).await?;
    fault::point("publish:after-manifest");
    match created {
        Created::Mine => Ok(manifest),
        Created::Another(bytes) => {
            for name in FILES {
                job.discard(&job.result(attempt, name)).await;
            }
            parse(&bytes, job, &path)
        }
    }
}

/// Copies the counted files to the output that the spec names. Files of the same job that are there already are left.
pub(crate) async fn hand_on(job: &JobState, manifest: &Manifest, output: &str, overwrite: bool, stores: &Stores) -> Result<()> {
    let (store, prefix) = stores.resolve(output, Path::new("/"))?;
    let (summary, tables) = FILES.split_last().expect("there are files");
    let (kept, summary_path) = (job.result(&manifest.attempt, summary), prefix.clone().join(*summary));
    let content = retrying("result", || job.read(&kept).boxed()).await?;
    let content = content.ok_or_else(|| Error::unavailable(format!("job {} has lost its summary", job.id())))?;
    match retrying("output", || read(store.as_ref(), &summary_path, output).boxed()).await? {
        // The older result stops counting before its content changes.
        Some(there) if overwrite && there != content => {
            let removed = store.delete(&summary_path).await;
            removed.map_err(|e| Error::unavailable(format!("output: {output}: {e}")))?;
        }
        Some(there) => return settled(&there, &content, output),
        None => {}
    }
    for name in tables {
        let (from, to) = (job.result(&manifest.attempt, name), prefix.clone().join(*name));
        retrying("output", || copy(job, &from, Arc::clone(&store), &to, output).boxed()).await?;
    }
    match retrying("output", || create(store.as_ref(), &summary_path, content.clone()).boxed()).await? {
        Created::Mine => Ok(()),
        Created::Another(there) => settled(&there, &content, output),
    }
}

fn settled(there: &Bytes, ours: &Bytes, output: &str) -> Result<()> {
    if there == ours {
        Ok(())
    } else {
        Err(Error::input(format!(
            "output: {output} was written by somebody else meanwhile; the result is still kept with the job: fetch it with `shadowdiff results`"
        )))
    }
}

async fn read(store: &dyn ObjectStore, path: &ObjectPath, name: &str) -> Result<Option<Bytes>> {
    let failed = |e: object_store::Error| Error::unavailable(format!("output: {name}: {e}"));
    match store.get(path).await {
        Ok(found) => found.bytes().await.map(Some).map_err(failed),
        Err(object_store::Error::NotFound { .. }) => Ok(None),
        Err(e) => Err(failed(e)),
    }
}

async fn copy(job: &JobState, from: &ObjectPath, store: Arc<dyn ObjectStore>, to: &ObjectPath, name: &str) -> Result<()> {
    let failed = |e: object_store::Error| Error::unavailable(format!("output: {name}: {e}"));
    let mut chunks = job.store().get(from).await.map_err(failed)?.into_stream();
    let mut writer = uploader(store, to);
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(failed)?;
        writer.put(chunk).await.map_err(failed)?;
    }
    let done = writer.shutdown().await;
    done.map_err(|e| Error::unavailable(format!("output: {name}: {e}")))
}
