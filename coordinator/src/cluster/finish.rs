//! The end of a stored job: merge the runs, put the result into the state store, let it count, hand it on.
//!
//! Files go to `result/<attempt>/` first; the create-only manifest names those that count, with length and digest. Where the spec names an
//! `output` on an object store they are copied there after that, `summary.json` last, so that a coordinator that dies in between goes on
//! where it was. The job has succeeded once its journal says so (`ends`).

use super::clock::now_ms;
use crate::deliver::Delivery;
use crate::pipeline::Compared;
use crate::publish::{Staging, upload};
use crate::result::ResultWriter;
use crate::target::Objects;
use bytes::Bytes;
use futures::{FutureExt, StreamExt};
use object_store::path::Path as ObjectPath;
use object_store::{ObjectStore, ObjectStoreExt};
use serde::{Deserialize, Serialize};
use shadowdiff_common::fault;
use shadowdiff_common::spool::Scratch;
use shadowdiff_common::state::{
    Created, Incarnation, JobState, PlanDigest, RECORD_VERSION, StoredPlan, check_version, create_record, retrying, seal,
};
use shadowdiff_common::store::{Marking, Stores, store_error, uploader};
use shadowdiff_common::tasks::blocking;
use shadowdiff_core::accounts::AccountSet;
use shadowdiff_core::error::{Error, Result};
use shadowdiff_core::report::{FileMark, FileMarks, ResultFile, Summary};
use shadowdiff_core::verdict::Verdict;
use std::path::Path;
use std::sync::Arc;
use tokio::io::AsyncWriteExt;

/// The result that counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Manifest {
    pub(crate) version: u32,
    /// Whose result it is.
    pub(crate) incarnation: Incarnation,
    /// The plan that was followed.
    pub(crate) plan: PlanDigest,
    /// Whose files count.
    pub(crate) attempt: String,
    /// The summary last.
    pub(crate) files: Vec<(ResultFile, FileMark)>,
    pub(crate) verdict: Verdict,
    pub(crate) warnings: Vec<String>,
    pub(crate) ended_ms: i64,
}

impl Manifest {
    /// The manifest of a job; `None` while it has none.
    pub(crate) async fn read(job: &JobState) -> Result<Option<Manifest>> {
        let path = job.manifest();
        let Some(bytes) = job.read_record(&path).await? else {
            return Ok(None);
        };
        parse(&bytes, job, &path).map(Some)
    }

    /// What a file of the result is known by.
    pub(crate) fn mark(&self, file: ResultFile) -> Result<&FileMark> {
        let found = self.files.iter().find(|(name, _)| *name == file);
        found.map(|(_, mark)| mark).ok_or_else(|| {
            let names: Vec<&str> = self.files.iter().map(|(name, _)| name.name()).collect();
            Error::spec(format!("the result has no {file}")).advice(format!("it has {}", names.join(", ")))
        })
    }
}

fn parse(bytes: &[u8], job: &JobState, path: &ObjectPath) -> Result<Manifest> {
    let name = job.describe(path);
    let malformed = |e: serde_json::Error| Error::internal(format!("{name} is not a manifest: {e}"));
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

/// Merges and stores the result; gives the manifest that counts, which may be an earlier attempt's.
pub(crate) async fn store_result(
    job: &JobState,
    stored_plan: &Arc<StoredPlan>,
    plan: &PlanDigest,
    attempt: &str,
    scratch: &Path,
    found: Compared,
) -> Result<Manifest> {
    let scratch = scratch.join(job.incarnation().as_str());
    let accounts = retrying("lists of accounts", || stored_plan.accounts.read_of_rules(job).boxed()).await?;
    let followed = Arc::clone(stored_plan);
    let (staging, summary, marks) = blocking("the merge", move || merge(&followed, &accounts, &found, &scratch)).await?;
    fault::point("merge:before-upload");
    let mut files = Vec::new();
    for name in staging.files() {
        let path = job.result(attempt, name);
        let from = staging.path(name);
        let mark = retrying("result", || upload(Arc::clone(job.store()), &path, &from).boxed()).await?;
        if marks.get(&name) != Some(&mark) {
            return Err(Error::exhausted(format!("scratch: {name} does not read back as it was written")).advice("is the disk sound?"));
        }
        files.push((name, mark));
    }
    let manifest = Manifest {
        version: RECORD_VERSION,
        incarnation: job.incarnation().clone(),
        plan: plan.clone(),
        attempt: attempt.to_owned(),
        files,
        verdict: summary.verdict,
        warnings: summary.warnings,
        ended_ms: now_ms(),
    };
    fault::point("publish:before-manifest");
    let (path, content) = (job.manifest(), seal(&manifest)?);
    let created = retrying("manifest", || create_record(job.store().as_ref(), &path, content.clone()).boxed()).await?;
    fault::point("publish:after-manifest");
    match created {
        Created::Mine => Ok(manifest),
        Created::Another(bytes) => {
            for name in staging.files() {
                job.discard(&job.result(attempt, name)).await;
            }
            parse(&bytes, job, &path)
        }
    }
}

/// Writes the result's files, and says what each is known by. Blocking.
fn merge(
    stored_plan: &StoredPlan,
    accounts: &[Option<AccountSet>],
    found: &Compared,
    scratch: &Path,
) -> Result<(Staging, Summary, FileMarks)> {
    let staging = Staging::aside(scratch)?;
    let result = ResultWriter {
        plan: &stored_plan.plan,
        document: &stored_plan.document,
        accounts,
        compared: found,
        scratch: &Scratch::new(0, Some(scratch))?,
        threads: std::thread::available_parallelism().map_or(1, usize::from),
        tells_rows: true,
    };
    let (summary, marks) = result.write(&staging)?;
    Ok((staging, summary, marks))
}

/// Copies the counted files to the output that the spec names. What an earlier try has put there is gone on with.
pub(crate) async fn copy_to_output(job: &JobState, manifest: &Manifest, output: &str, overwrite: bool, stores: &Stores) -> Result<()> {
    let objects = Objects::open(output, stores)?;
    let summary = retrying("result", || kept_summary(job, manifest).boxed()).await?;
    // All coordinators that ever run this job are one writer: they put the same bytes.
    let writer = format!("{}-{}", job.id(), job.incarnation().as_str());
    let delivery = Delivery {
        objects: &objects,
        writer: &writer,
        summary,
        tables: ResultFile::TABLES.into_iter().filter(|file| manifest.mark(*file).is_ok()).collect(),
        overwrite,
    };
    let table = |file: ResultFile| {
        let (from, to) = (job.result(&manifest.attempt, file), objects.at(file));
        let store = Arc::clone(&objects.store);
        async move {
            copy(job, &from, store, &to, manifest.mark(file)?)
                .await
                .map_err(|e| e.field("output"))
        }
        .boxed()
    };
    let done = retrying("output", || delivery.run(&table).boxed()).await;
    if done.is_err() {
        delivery.withdraw().await;
    }
    done.map_err(|e| e.advice("the result is kept with the job: fetch it with `shadowdiff results`"))
}

/// The summary that the manifest names.
async fn kept_summary(job: &JobState, manifest: &Manifest) -> Result<Bytes> {
    let path = job.result(&manifest.attempt, ResultFile::Summary);
    let found = job.read(&path).await?;
    let summary = found.ok_or_else(|| Error::unavailable(format!("{} does not exist", job.describe(&path))))?;
    if Marking::of(&summary) == *manifest.mark(ResultFile::Summary)? {
        Ok(summary)
    } else {
        Err(damaged(&job.describe(&path)))
    }
}

/// What is read of a result is not what the manifest names.
pub(super) fn damaged(name: &str) -> Error {
    Error::unavailable("came damaged from the store").file(name)
}

/// Copies a file, and checks on the way that it is what the manifest says.
async fn copy(job: &JobState, from: &ObjectPath, store: Arc<dyn ObjectStore>, to: &ObjectPath, mark: &FileMark) -> Result<()> {
    let failed = |e: object_store::Error| store_error(e, &job.describe(from));
    let mut chunks = job.store().get(from).await.map_err(failed)?.into_stream();
    let mut writer = uploader(&store, to);
    let mut seen = Marking::default();
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(failed)?;
        seen.update(&chunk);
        writer.put(chunk).await.map_err(|e| store_error(e, to.as_ref()))?;
    }
    if *mark != seen.finish() {
        // Nothing is there yet: the last part is missing.
        let _ = writer.abort().await;
        return Err(damaged(&job.describe(from)));
    }
    let done = writer.shutdown().await;
    done.map_err(|e| Error::unavailable(e.to_string()).file(to))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manifest_is_as_in_the_golden_file() {
        let mark = FileMark {
            size_bytes: 7,
            sha256: "ab".repeat(32),
        };
        let manifest = Manifest {
            version: RECORD_VERSION,
            incarnation: Incarnation::parse(&"0123456789abcdef".repeat(2)).expect("one"),
            plan: PlanDigest::named("plan"),
            attempt: "1-2".into(),
            files: vec![(ResultFile::Summary, mark)],
            verdict: Verdict::Fail,
            warnings: vec!["beware".into()],
            ended_ms: 9,
        };
        let now = seal(&manifest).expect("seals");
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/manifest.json");
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
