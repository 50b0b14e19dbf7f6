//! The durable state of jobs: where each object of a job lies in the state store, and how it gets there.
//!
//! ```text
//! jobs/<job>/submissions/<number>            create-only: what was submitted under this id, or its removal; the last one counts
//! jobs/<job>/<incarnation>/                  all that belongs to one submission:
//!   accounts/<digest>                        lists of accounts that the plan names
//!   plan                                     create-only
//!   journal/<number>                         create-only, numbered without gaps: who loses a number stands back
//!   data/<stage>/<task>/<attempt>            what an attempt made; immutable, deleted only by the attempt that lost
//!   commit/<stage>/<task>                    create-only: the attempt that counts, and the plan that it followed
//!   tasks/<stage>/<part>                     what the tasks of a later stage read
//!   result/<attempt>/<file>                  the files of a result
//!   manifest                                 create-only: the result that counts, once the journal says that the job has succeeded
//! coordinators/<owner>                       a number that goes up while the coordinator lives
//! index                                      what is known of jobs that have ended: only a cache
//! ```
//! Safety needs no leader: tasks are deterministic and commits are create-only, so whoever commits first is right. An id may come again
//! after its job was removed; its incarnation does not, so what wakes late writes where nobody looks.

mod commit;
mod create;
mod data;
mod incarnation;
mod leftovers;
mod lists;
mod names;
mod patience;
mod seal;
mod stored_plan;
mod submissions;
mod table;

use crate::store::{Location, Stores, store_error};
use bytes::Bytes;
use futures::TryStreamExt;
use object_store::path::Path as ObjectPath;
use object_store::{ObjectStore, ObjectStoreExt};
use seal::{read_once, read_whole};
use shadowdiff_core::error::{Error, Kind, Result};
use shadowdiff_core::report::ResultFile;
pub use shadowdiff_core::stage::{ShardRange, Stage};
use std::path::Path;
use std::sync::Arc;

pub use commit::{Commit, Header, RECORD_VERSION, check_version, commit, read_commit};
pub use create::{Created, create, create_record};
pub use data::{MAX_REQUEST_BYTES, Maker, open_exchange, open_spools, store_output};
pub use incarnation::{Incarnation, PlanDigest};
pub use lists::StoredSets;
pub use patience::{PATIENCE, retrying};
pub use seal::{begins_sealed, is_sealed, seal};
pub use stored_plan::StoredPlan;
pub use submissions::{AfterCleaning, SUBMISSION_VERSION, Standing, Submission, tombstone_until};
pub use table::{InputTable, Part, Source, TaskInput, groups};

/// The most bytes of one record that are read: a larger one is not a record of ours.
const MAX_RECORD_BYTES: u64 = 256 << 20;

/// A place that holds jobs.
#[derive(Debug, Clone)]
pub struct State {
    store: Arc<dyn ObjectStore>,
    root: ObjectPath,
    url: String,
    is_directory: bool,
}

impl State {
    /// Opens the state at a URL or local path; a local directory is made where it is missing.
    pub fn open(url: &str, base: &Path, stores: &Stores) -> Result<State> {
        let location = Location::parse(url, base)?;
        if let Location::Local(directory) = &location {
            std::fs::create_dir_all(directory).map_err(|e| Error::input(format!("state {url}: {e}")))?;
        }
        if url.starts_with("http://") || url.starts_with("https://") {
            return Err(Error::spec(format!("state {url}: http is only read")).advice("name a bucket or a directory"));
        }
        let (store, root) = stores.resolve(url, base)?;
        Ok(State {
            is_directory: matches!(location, Location::Local(_)),
            ..State::new(store, root, url)
        })
    }

    /// State below `root` in an object store that is open already.
    pub fn new(store: Arc<dyn ObjectStore>, root: ObjectPath, url: &str) -> State {
        State {
            store,
            root,
            url: url.to_owned(),
            is_directory: false,
        }
    }

    /// Whether it lies in a local or shared directory, which asks nothing for a request.
    pub fn is_directory(&self) -> bool {
        self.is_directory
    }

    pub fn store(&self) -> &Arc<dyn ObjectStore> {
        &self.store
    }

    /// As the user named it.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// A whole small object; `None` where there is none.
    pub async fn read(&self, path: &ObjectPath) -> Result<Option<Bytes>> {
        let found = read_once(self.store.as_ref(), path, None).await;
        found.map_err(|e| state_error(e, &self.describe(path)))
    }

    /// A whole sealed record; `None` where there is none.
    pub async fn read_record(&self, path: &ObjectPath) -> Result<Option<Bytes>> {
        let open = |bytes: &Bytes| is_sealed(bytes).then(|| bytes.clone());
        read_whole(self.store.as_ref(), path, None, &self.describe(path), open).await
    }

    /// How messages name an object.
    fn describe(&self, path: &ObjectPath) -> String {
        format!("state {}: {path}", self.url)
    }

    /// The places of one submission of a job.
    pub fn job(&self, id: &str, incarnation: &Incarnation) -> JobState {
        JobState {
            state: self.clone(),
            id: id.to_owned(),
            incarnation: incarnation.clone(),
        }
    }

    fn folder(&self, id: &str) -> ObjectPath {
        self.root.clone().join("jobs").join(id)
    }

    /// Where a coordinator says that it is alive.
    pub fn coordinator(&self, owner: &str) -> ObjectPath {
        self.coordinators().join(owner)
    }

    fn coordinators(&self) -> ObjectPath {
        self.root.clone().join("coordinators")
    }

    /// What is known of jobs that have ended: only a cache.
    pub fn index(&self) -> ObjectPath {
        self.root.clone().join("index")
    }

    /// The ids that something is stored of, in order.
    pub async fn jobs(&self) -> Result<Vec<String>> {
        let prefix = self.root.clone().join("jobs");
        let listed = self
            .store
            .list_with_delimiter(Some(&prefix))
            .await
            .map_err(|e| store_error(e, &self.url))?;
        let mut ids: Vec<String> = listed
            .common_prefixes
            .iter()
            .filter_map(|path| path.filename().map(id_of))
            .collect();
        ids.sort();
        Ok(ids)
    }
}

/// Paths hold `~` as `%7E`, because some stores do not take it; all else that an id may have stands for itself.
fn id_of(name: &str) -> String {
    name.replace("%7E", "~")
}

/// The longest id: with what stands around it, it must be the name of a file.
const MAX_ID_BYTES: usize = 240;

/// Whether `id` can name a job: it becomes a part of object names and of local paths. Run ids of schedulers can
/// (`scheduled__2026-11-27T00:00:00+00:00`).
pub fn check_job_id(id: &str) -> Result<()> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.:+~".contains(c);
    if id.is_empty() || id.len() > MAX_ID_BYTES || !id.chars().all(plain) || id.starts_with('.') {
        let shown: String = id.chars().take(MAX_ID_BYTES).collect();
        return Err(Error::spec(format!(
            "`{shown}` cannot name a job: 1 to {MAX_ID_BYTES} letters, digits, `-`, `_`, `.`, `:`, `+` or `~`, and no `.` in front"
        )));
    }
    Ok(())
}

/// The places of one submission of a job.
#[derive(Debug, Clone)]
pub struct JobState {
    state: State,
    id: String,
    incarnation: Incarnation,
}

impl JobState {
    pub fn id(&self) -> &str {
        &self.id
    }

    pub fn incarnation(&self) -> &Incarnation {
        &self.incarnation
    }

    pub fn store(&self) -> &Arc<dyn ObjectStore> {
        &self.state.store
    }

    fn at(&self, rest: &str) -> ObjectPath {
        let folder = self.state.folder(&self.id).join(self.incarnation.as_str());
        rest.split('/').fold(folder, |path, part| path.join(part))
    }

    /// A path inside the job, as records name it.
    pub fn path(&self, relative: &str) -> ObjectPath {
        self.at(relative)
    }

    pub fn plan(&self) -> ObjectPath {
        self.at("plan")
    }

    /// A list of accounts that the plan names by its digest.
    fn accounts(&self, digest: &str) -> ObjectPath {
        self.at(&format!("accounts/{digest}"))
    }

    pub fn journal(&self, number: u64) -> ObjectPath {
        self.at(&format!("journal/{number:010}"))
    }

    pub fn commit(&self, stage: Stage, task: u32) -> ObjectPath {
        self.at(&format!("commit/{stage}/{task:08}"))
    }

    /// Where an attempt's content goes, relative to the job.
    pub fn data_name(stage: Stage, task: u32, attempt: &str) -> String {
        format!("data/{stage}/{task:08}/{attempt}")
    }

    /// A part of what the tasks of a stage read.
    pub fn tasks(&self, stage: Stage, part: u32) -> ObjectPath {
        self.at(&format!("tasks/{stage}/{part:08}"))
    }

    pub fn result(&self, attempt: &str, file: ResultFile) -> ObjectPath {
        self.at(&format!("result/{attempt}/{file}"))
    }

    pub fn manifest(&self) -> ObjectPath {
        self.at("manifest")
    }

    /// How messages name an object of the job.
    pub fn describe(&self, path: &ObjectPath) -> String {
        self.state.describe(path)
    }

    /// A whole small object; `None` where there is none.
    pub async fn read(&self, path: &ObjectPath) -> Result<Option<Bytes>> {
        self.state.read(path).await
    }

    /// The size of an object; `None` where there is none.
    pub async fn size(&self, path: &ObjectPath) -> Result<Option<u64>> {
        match self.store().head(path).await {
            Ok(meta) => Ok(Some(meta.size)),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(state_error(error, &self.describe(path))),
        }
    }

    /// A whole sealed record; `None` where there is none.
    pub async fn read_record(&self, path: &ObjectPath) -> Result<Option<Bytes>> {
        self.state.read_record(path).await
    }

    /// Whether a task has a commit, asked for by its name.
    pub async fn is_committed(&self, stage: Stage, task: u32) -> Result<bool> {
        Ok(self.read(&self.commit(stage, task)).await?.is_some())
    }

    /// The tasks of a stage that are committed, in order.
    pub async fn committed(&self, stage: Stage) -> Result<Vec<u32>> {
        let prefix = self.at(&format!("commit/{stage}"));
        let listed: Vec<_> = self
            .store()
            .list(Some(&prefix))
            .try_collect()
            .await
            .map_err(|e| state_error(e, &self.describe(&prefix)))?;
        let mut numbers: Vec<u32> = listed
            .iter()
            .filter_map(|meta| meta.location.filename().and_then(|name| name.parse().ok()))
            .collect();
        numbers.sort_unstable();
        Ok(numbers)
    }

    /// Removes an object that is of no use any more. That it stays is no failure: retention removes it with its job.
    pub async fn discard(&self, path: &ObjectPath) {
        if let Err(error) = self.store().delete(path).await {
            tracing::debug!(%path, "not removed: {error}");
        }
    }
}

/// What fails in the state store is never the fault of the user's data: it is tried again.
pub(crate) fn state_error(error: object_store::Error, name: &str) -> Error {
    Error {
        kind: Kind::Unavailable,
        ..store_error(error, name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use object_store::memory::InMemory;

    #[tokio::test]
    async fn a_job_lies_below_its_incarnation_and_its_id_comes_back_as_it_was() {
        let state = State::new(Arc::new(InMemory::new()), ObjectPath::from("state"), "memory");
        let incarnation = Incarnation::parse(&"0a".repeat(16)).expect("one");
        let ids = ["a.1", "dag~run", "scheduled__2026-11-27T00:00:00+00:00"];
        for id in ids {
            let job = state.job(id, &incarnation);
            for path in [job.plan(), job.journal(11), job.commit(Stage::Scan, 3), job.commit(Stage::Scan, 20)] {
                job.store().put(&path, Bytes::from_static(b"x").into()).await.expect("put");
            }
            assert_eq!(job.committed(Stage::Scan).await.expect("lists"), [3, 20]);
            assert_eq!(job.committed(Stage::Compare).await.expect("lists"), [] as [u32; 0]);
        }
        assert_eq!(state.jobs().await.expect("lists"), ids);
        let plan = state.job("a.1", &incarnation).plan();
        assert_eq!(plan.as_ref(), format!("state/jobs/a.1/{incarnation}/plan"));
    }

    #[test]
    fn ids_that_would_leave_their_place_are_refused() {
        for id in ["", "..", ".x", "a/b", "a b", "é", "a%7E", &"x".repeat(241)] {
            assert!(check_job_id(id).is_err(), "{id}");
        }
        for id in [
            "daily-2026-11-25_1.a",
            "scheduled__2026-11-27T00:00:00+00:00",
            "manual~1",
            &"x".repeat(240),
        ] {
            check_job_id(id).expect("a plain id");
        }
    }
}
