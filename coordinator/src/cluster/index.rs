//! Lists jobs without reading each of them every time: what the state store has said of those that have ended is kept, and asked for again
//! now and then.

use super::ended_jobs::{EndedJob, EndedState, from_bytes};
use super::journal::Journal;
use super::look::look;
use super::view::JobView;
use super::{Cluster, page};
use futures::{StreamExt, TryStreamExt};
use object_store::ObjectStoreExt;
use shadowdiff_common::state::{Incarnation, JobState, Standing, State, Submission, begins_sealed, tombstone_until};
use shadowdiff_core::error::{Error, Kind, Result};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// Jobs that are looked at, or asked for, at a time.
pub(super) const LOOKS_IN_FLIGHT: usize = 64;
/// A larger plan is not read for a list, which then lacks its figures: many of these at a time would not fit the memory.
const MAX_PLAN_BYTES: u64 = 1 << 20;
/// Jobs that are asked for again after one look at the others.
const ASKS_AT_A_TIME: usize = 256;
/// Later pages of a list are of the ids that were listed so long ago at most.
const LISTED_FOR: Duration = Duration::from_secs(30);
/// How often the index is stored where it has changed.
const STORE_PAUSE: Duration = Duration::from_secs(60);
/// A larger index is not read: it is none of ours.
const MAX_INDEX_BYTES: u64 = 1 << 30;

/// A job as the state store has it.
pub(super) struct StoredJob {
    /// Of the entry among the submissions.
    pub(super) number: u64,
    pub(super) submission: Submission,
    pub(super) job: JobState,
    pub(super) journal: Journal,
    asked: Instant,
}

/// When something was done last that lasts a while.
#[derive(Debug, Default)]
pub(super) struct Done {
    listed: Option<(Instant, Arc<Vec<String>>)>,
    stored: Option<Instant>,
}

impl Cluster {
    /// All jobs that are kept, newest first, without warnings and failed attempts.
    pub(crate) async fn list(&self, is_first_page: bool) -> Result<Vec<Arc<JobView>>> {
        let ids = self.ids(is_first_page).await?;
        let looks = ids.iter().cloned().map(|id| async move {
            match self.listed(&id).await {
                // One job that cannot be read is no reason to hide the others.
                Err(error) if error.kind != Kind::Unavailable => {
                    tracing::error!(job = id, "not listed: {error}");
                    Ok(None)
                }
                listed => listed,
            }
        });
        let found: Vec<Option<Arc<JobView>>> = futures::stream::iter(looks).buffer_unordered(LOOKS_IN_FLIGHT).try_collect().await?;
        let mut views: Vec<_> = found.into_iter().flatten().collect();
        page::sort(&mut views);
        Ok(views)
    }

    async fn listed(&self, id: &str) -> Result<Option<Arc<JobView>>> {
        if let Some(view) = self.known(id) {
            return Ok(Some(Arc::new(view)));
        }
        match self.word(id) {
            Some(EndedState::Ended { view, .. }) => Ok(Some(view)),
            Some(EndedState::Removed { .. } | EndedState::Nothing) => Ok(None),
            None => self.look_at(id).await,
        }
    }

    /// The ids of which something is stored. Later pages are of the same ids.
    async fn ids(&self, is_first_page: bool) -> Result<Arc<Vec<String>>> {
        let listed = self.done().listed.clone();
        if let Some((_, ids)) = listed.filter(|(at, _)| !is_first_page && at.elapsed() < LISTED_FOR) {
            return Ok(ids);
        }
        let ids = Arc::new(self.state.jobs().await?);
        self.done().listed = Some((Instant::now(), Arc::clone(&ids)));
        Ok(ids)
    }

    /// What is known of an id on which the last word is spoken.
    pub(super) fn word(&self, id: &str) -> Option<EndedState> {
        self.ended_jobs().get(id).map(|settled| settled.word.clone())
    }

    /// The job of this id as the state store has it; what is nobody's any more is kept as that.
    pub(super) async fn find(&self, id: &str, owner: &str) -> Result<Option<StoredJob>> {
        let asked = Instant::now();
        let (number, submission) = match self.state.standing(id).await? {
            Some((number, Standing::Submitted(submission))) => (number, submission),
            Some((submission, Standing::Removed { at_ms, incarnation })) => {
                let word = EndedState::Removed {
                    until_ms: tombstone_until(at_ms),
                    is_clean: false,
                };
                self.settle(id, &incarnation, EndedJob { submission, word, asked });
                return Ok(None);
            }
            None => {
                if self.known(id).is_none() {
                    let (submission, word) = (0, EndedState::Nothing);
                    self.ended_jobs().insert(id, EndedJob { submission, word, asked });
                }
                return Ok(None);
            }
        };
        let job = self.state.job(id, &submission.incarnation);
        let journal = Journal::read(&job, owner).await?;
        Ok(Some(StoredJob {
            number,
            submission,
            job,
            journal,
            asked,
        }))
    }

    /// What a list shows of a job; kept if the job has ended.
    pub(super) async fn look(&self, found: StoredJob) -> Result<Arc<JobView>> {
        let StoredJob {
            number,
            job,
            journal,
            asked,
            ..
        } = found;
        let view = look(&job, found.submission, &journal, Some(MAX_PLAN_BYTES)).await?;
        let view = Arc::new(JobView {
            warnings: Vec::new(),
            failures: Default::default(),
            ..view
        });
        if let Some(end) = journal.end() {
            let settled = EndedJob {
                submission: number,
                word: EndedState::Ended {
                    view: Arc::clone(&view),
                    end,
                },
                asked,
            };
            self.settle(job.id(), job.incarnation(), settled);
        }
        Ok(view)
    }

    /// Asks the state store for a job.
    pub(super) async fn look_at(&self, id: &str) -> Result<Option<Arc<JobView>>> {
        match self.find(id, "").await? {
            Some(found) => self.look(found).await.map(Some),
            None => Ok(None),
        }
    }

    /// Keeps the last word on an id. From now on the store tells it, and the job's spec and warnings take no memory here any more.
    fn settle(&self, id: &str, incarnation: &Incarnation, settled: EndedJob) {
        self.ended_jobs().insert(id, settled);
        self.drop_ended(id, incarnation);
        // Another job of this id has begun here meanwhile, or nobody here has heard of the end yet.
        if self.known(id).is_some() {
            self.ended_jobs().forget(id);
        }
    }

    /// Reads the index and keeps what the state store confirms.
    pub(super) async fn load_index(&self, ids: &[String]) {
        let path = self.state.index();
        let stored = match read(&self.state, &path).await {
            Ok(stored) => stored,
            Err(error) => return tracing::debug!("the index of jobs is not read: {error}"),
        };
        let asks = stored
            .into_iter()
            .filter(|(id, _)| ids.binary_search(id).is_ok())
            .map(|(id, settled)| async move {
                if let (Ok(true), Ok(true)) = tokio::join!(self.is_last(&id, &settled), self.has_end(&id, &settled)) {
                    self.ended_jobs().insert(&id, settled);
                }
            });
        futures::stream::iter(asks).buffer_unordered(LOOKS_IN_FLIGHT).collect::<()>().await;
        self.ended_jobs().has_changed = false;
    }

    /// Stores the index where it has changed; that it is not stored costs looks after the next start.
    pub(super) async fn store_index(&self, at_once: bool) {
        let is_due = at_once || self.done().stored.is_none_or(|at| at.elapsed() > STORE_PAUSE);
        if !is_due || !std::mem::take(&mut self.ended_jobs().has_changed) {
            return;
        }
        self.done().stored = Some(Instant::now());
        let path = self.state.index();
        match begins_sealed(self.state.store().as_ref(), &path).await {
            Ok(Some(false)) => {
                self.ended_jobs().has_changed = true;
                return tracing::warn!("state {}: {path} is not ours, so no index of jobs is kept", self.state.url());
            }
            Ok(Some(true) | None) => {}
            Err(error) => {
                self.ended_jobs().has_changed = true;
                return tracing::debug!("the index of jobs is not stored: {error}");
            }
        }
        let bytes = self.ended_jobs().to_bytes();
        let stored = match bytes {
            Ok(bytes) => self.state.store().put(&path, bytes.into()).await,
            Err(error) => return tracing::error!("the index of jobs: {error}"),
        };
        if let Err(error) = stored {
            self.ended_jobs().has_changed = true;
            tracing::debug!("the index of jobs is not stored: {error}");
        }
    }

    /// Asks again for some of the jobs that were not asked for in a while, and forgets what is no more.
    pub(super) async fn ask_again(&self, ids: &[String]) {
        self.ended_jobs().keep_only(ids);
        let stale = self.ended_jobs().stale(ASKS_AT_A_TIME);
        let asks = stale.into_iter().map(|(id, settled)| async move {
            match self.is_last(&id, &settled).await {
                Ok(true) => self.ended_jobs().insert(
                    &id,
                    EndedJob {
                        asked: Instant::now(),
                        ..settled
                    },
                ),
                Ok(false) => self.ended_jobs().forget(&id),
                Err(error) => tracing::debug!(job = id, "not asked for: {error}"),
            }
        });
        futures::stream::iter(asks).buffer_unordered(LOOKS_IN_FLIGHT).collect::<()>().await;
    }

    /// Whether an entry is still the last one among the submissions of its id.
    async fn is_last(&self, id: &str, settled: &EndedJob) -> Result<bool> {
        let standing = self.state.standing_from(id, settled.submission).await?;
        Ok(match (standing, &settled.word) {
            (Some((number, Standing::Submitted(submitted))), EndedState::Ended { view, .. }) => {
                number == settled.submission && submitted.incarnation == view.submitted.incarnation
            }
            (Some((number, Standing::Removed { at_ms, .. })), EndedState::Removed { until_ms, .. }) => {
                number == settled.submission && tombstone_until(at_ms) == *until_ms
            }
            (None, EndedState::Nothing) => true,
            (Some(_) | None, EndedState::Ended { .. } | EndedState::Removed { .. } | EndedState::Nothing) => false,
        })
    }

    async fn has_end(&self, id: &str, settled: &EndedJob) -> Result<bool> {
        match &settled.word {
            EndedState::Ended { view, end } => Journal::ends_with(&self.state.job(id, &view.submitted.incarnation), *end).await,
            EndedState::Removed { .. } | EndedState::Nothing => Ok(false),
        }
    }
}

async fn read(state: &State, path: &object_store::path::Path) -> Result<Vec<(String, EndedJob)>> {
    let unavailable = |e: object_store::Error| Error::unavailable(e.to_string());
    let found = match state.store().get(path).await {
        Err(object_store::Error::NotFound { .. }) => return Ok(Vec::new()),
        found => found.map_err(unavailable)?,
    };
    if found.meta.size > MAX_INDEX_BYTES {
        return Ok(Vec::new());
    }
    Ok(from_bytes(&found.bytes().await.map_err(unavailable)?))
}

#[cfg(test)]
mod tests {
    use super::super::{JobPhase, Options};
    use super::*;
    use futures::FutureExt;
    use futures::stream::BoxStream;
    use object_store::memory::InMemory;
    use object_store::path::Path;
    use object_store::{
        CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore, PutMultipartOptions, PutOptions,
        PutPayload, PutResult,
    };
    use shadowdiff_common::read::Sources;
    use shadowdiff_common::store::Stores;
    use shadowdiff_core::journal::JobEvent;
    use std::fmt;
    use tokio::time::sleep;

    /// A store of which every request takes 20 ms, and a listing as much for each 1000 names.
    #[derive(Debug)]
    struct Slow(Arc<InMemory>);

    const REQUEST: Duration = Duration::from_millis(20);

    impl fmt::Display for Slow {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a slow store")
        }
    }

    #[async_trait::async_trait]
    impl ObjectStore for Slow {
        async fn put_opts(&self, location: &Path, payload: PutPayload, options: PutOptions) -> object_store::Result<PutResult> {
            sleep(REQUEST).await;
            self.0.put_opts(location, payload, options).await
        }

        async fn put_multipart_opts(
            &self,
            location: &Path,
            options: PutMultipartOptions,
        ) -> object_store::Result<Box<dyn MultipartUpload>> {
            self.0.put_multipart_opts(location, options).await
        }

        async fn get_opts(&self, location: &Path, options: GetOptions) -> object_store::Result<GetResult> {
            sleep(REQUEST).await;
            self.0.get_opts(location, options).await
        }

        fn delete_stream(
            &self,
            locations: BoxStream<'static, object_store::Result<Path>>,
        ) -> BoxStream<'static, object_store::Result<Path>> {
            self.0.delete_stream(locations)
        }

        fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, object_store::Result<ObjectMeta>> {
            let listed = self.0.list(prefix);
            let after_a_while = async move {
                sleep(REQUEST).await;
                listed
            };
            after_a_while.flatten_stream().boxed()
        }

        async fn list_with_delimiter(&self, prefix: Option<&Path>) -> object_store::Result<ListResult> {
            let listed = self.0.list_with_delimiter(prefix).await?;
            sleep(REQUEST * (1 + listed.common_prefixes.len() as u32 / 1000)).await;
            Ok(listed)
        }

        async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> object_store::Result<()> {
            self.0.copy_opts(from, to, options).await
        }
    }

    fn cluster(store: &Arc<InMemory>) -> Arc<Cluster> {
        cluster_on(Arc::clone(store) as _)
    }

    fn cluster_on(store: Arc<dyn ObjectStore>) -> Arc<Cluster> {
        let state = State::new(store, "state".into(), "memory");
        let sources = Sources::new(Arc::new(Stores::new()), tokio::runtime::Handle::current());
        let options = Options {
            owner: "one".into(),
            keep: Duration::from_secs(1000),
            max_jobs: 10,
            scratch: std::env::temp_dir(),
            shards: None,
            form: None,
            part_bytes: 1,
            listener: None,
        };
        Cluster::start(state, sources, options)
    }

    fn submission(created_ms: i64) -> Submission {
        Submission {
            created_ms,
            ..Submission::new(Incarnation::draw().expect("chance"))
        }
    }

    /// Stores a job that was cancelled.
    async fn ended(state: &State, id: &str, created_ms: i64) -> Incarnation {
        let submission = submission(created_ms);
        state.submit(id, &submission).await.expect("submits");
        let mut journal = Journal::read(&state.job(id, &submission.incarnation), "one").await.expect("reads");
        journal.claim().await.expect("claims");
        journal.append(JobEvent::Cancelled).await.expect("ends");
        submission.incarnation
    }

    async fn listed(cluster: &Cluster) -> Vec<(String, JobPhase, Incarnation)> {
        let list = cluster.list(true).await.expect("lists");
        let told = |view: &Arc<JobView>| (view.id.clone(), view.phase, view.submitted.incarnation.clone());
        list.iter().map(told).collect()
    }

    #[tokio::test]
    async fn a_start_with_an_index_knows_all_jobs_that_have_ended() {
        let store = Arc::new(InMemory::new());
        let first = cluster(&store);
        for number in 0..100 {
            ended(&first.state, &format!("job-{number:03}"), number).await;
        }
        let all = listed(&first).await;
        assert_eq!(all.len(), 100);
        assert_eq!((all[0].0.as_str(), all[0].1), ("job-099", JobPhase::Cancelled));
        first.store_index(true).await;
        let next = cluster(&store);
        assert_eq!(next.recover().await, Ok(0));
        assert_eq!(next.ended_jobs().stale(0).len(), 0);
        assert!((0..100).all(|number| next.word(&format!("job-{number:03}")).is_some()));
        assert_eq!(listed(&next).await, all);
    }

    #[tokio::test]
    async fn an_index_is_never_believed_against_the_store() {
        let store = Arc::new(InMemory::new());
        let first = cluster(&store);
        for id in ["again", "removed", "stays", "unended"] {
            ended(&first.state, id, 0).await;
        }
        let stays = listed(&first).await.into_iter().find(|(id, ..)| id == "stays").expect("is listed");
        first.store_index(true).await;
        // Others remove two of them, and one id comes again; of one the journal is not what the index says.
        let state = &first.state;
        for id in ["again", "removed"] {
            let (job, _) = state.living(id).await.expect("reads").expect("is there");
            state.bury(&job, 0).await.expect("buries");
            state.clean(id, 0).await.expect("cleans");
        }
        let second = submission(5);
        state.submit("again", &second).await.expect("submits");
        let (unended, _) = state.living("unended").await.expect("reads").expect("is there");
        unended.store().delete(&unended.journal(1)).await.expect("deletes");
        let next = cluster(&store);
        assert_eq!(next.recover().await, Ok(2), "what has not ended is taken up");
        assert!(next.word("again").is_none() && next.word("unended").is_none());
        let list = listed(&next).await;
        assert_eq!(list.len(), 3, "{list:?}");
        assert_eq!((&list[0].0, &list[0].2), (&"again".to_owned(), &second.incarnation));
        assert!(list.contains(&stays));
    }

    #[tokio::test]
    async fn an_index_of_another_program_stays() {
        let store = Arc::new(InMemory::new());
        let cluster = cluster(&store);
        ended(&cluster.state, "j", 0).await;
        let path = cluster.state.index();
        cluster.state.store().put(&path, "index of the library".into()).await.expect("puts");
        assert_eq!(listed(&cluster).await.len(), 1);
        cluster.store_index(true).await;
        let kept = cluster.state.read(&path).await.expect("reads").expect("is there");
        assert_eq!(kept, "index of the library");
    }

    /// The time is that of a test, in which only requests take some.
    #[tokio::test(start_paused = true)]
    async fn ten_thousand_kept_jobs_are_started_with_and_listed_in_seconds() {
        let store = Arc::new(InMemory::new());
        let calm = State::new(Arc::clone(&store) as _, "state".into(), "memory");
        for number in 0..10_000 {
            ended(&calm, &format!("job-{number:05}"), number).await;
        }
        let slow = || cluster_on(Arc::new(Slow(Arc::clone(&store))));
        let first = slow();
        let began = Instant::now();
        assert_eq!(first.recover().await, Ok(0));
        assert!(began.elapsed() < Duration::from_secs(60), "without an index: {:?}", began.elapsed());
        first.store_index(true).await;
        let next = slow();
        let began = Instant::now();
        assert_eq!(next.recover().await, Ok(0));
        assert!(began.elapsed() < Duration::from_secs(8), "with one: {:?}", began.elapsed());
        for is_first_page in [true, false] {
            let began = Instant::now();
            assert_eq!(next.list(is_first_page).await.map(|list| list.len()), Ok(10_000));
            assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_id_that_comes_again_elsewhere_is_noticed() {
        let store = Arc::new(InMemory::new());
        let (here, state) = (cluster(&store), cluster(&store).state.clone());
        ended(&state, "j", 0).await;
        assert_eq!(listed(&here).await.len(), 1);
        let (job, _) = state.living("j").await.expect("reads").expect("is there");
        state.bury(&job, 0).await.expect("buries");
        tokio::time::advance(Duration::from_secs(3601)).await;
        here.ask_again(&["j".to_owned()]).await;
        assert_eq!(listed(&here).await, [], "removed");
        ended(&state, "j", 7).await;
        tokio::time::advance(Duration::from_secs(601)).await;
        here.ask_again(&["j".to_owned()]).await;
        assert_eq!(listed(&here).await.len(), 1, "is there again");
        here.ask_again(&[]).await;
        assert!(here.word("j").is_none(), "what is not listed any more is forgotten");
    }
}
