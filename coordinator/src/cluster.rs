//! The coordinator of a cluster: takes jobs, keeps them in the state store, runs many at once on the workers that are attached.
//!
//! ```text
//! JobService -> Cluster -> Driver (one a job) -> SchedulerHandle (one) -> WorkerService -> workers
//!                  |          |
//!                  +----------+--> state store: plan, journal, commits, result, manifest
//! ```
//! What is not in the state store may be lost at any moment: whoever starts next reads it and goes on.

mod alive;
mod clock;
mod compared;
mod drive;
mod ended_jobs;
mod ends;
mod executor;
mod finish;
mod finished;
mod index;
mod jobs_service;
mod journal;
mod look;
mod metrics;
mod page;
mod planning;
mod pool;
mod records;
mod recover;
mod scheduler;
mod sending;
mod start;
mod stop_reason;
mod supervision;
mod sweep;
mod tables;
mod view;
mod wire;
mod worker_text;
mod workers_service;

use crate::describe::describe;
use ended_jobs::EndedJobs;
use executor::{CancelRequest, DriverContext};
use finished::FinishedResult;
use index::Done;
use journal::Journal;
use planning::{For, ParsedSpec, Planner, Pools, content_of, understand};
use scheduler::SchedulerHandle;
use shadowdiff_common::notify::Listener;
use shadowdiff_common::random_bytes;
use shadowdiff_common::read::Sources;
use shadowdiff_common::state::{Incarnation, JobState, State, Submission, check_job_id};
use shadowdiff_core::error::{Error, Kind, Result};
use shadowdiff_core::plan::Form;
use shadowdiff_core::report::{FileMark, ResultFile};
use start::Start;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use supervision::Supervisor;
use tokio::sync::{mpsc, oneshot, watch};

pub use jobs_service::jobs_service;
pub use metrics::metrics_page;
pub use scheduler::Counts;
pub use stop_reason::RequestError;
use view::shown_warnings;
pub use view::{FailedAttempt, JobPhase, JobProgress, JobView, Submitted};
pub use workers_service::workers_service;

/// How a coordinator behaves.
#[derive(Debug)]
pub struct Options {
    /// Names this coordinator in journals; differs between any two.
    pub owner: String,
    /// How long ended jobs are kept.
    pub keep: Duration,
    /// Unfinished jobs beyond which no more are taken.
    pub max_jobs: usize,
    /// Where results are merged, and held against each other.
    pub scratch: PathBuf,
    /// Into how many shards a job is cut; `None`: by the size of its data.
    pub shards: Option<u32>,
    /// The form of the exchange; `None`: chosen for each job.
    pub form: Option<Form>,
    /// A compare task holds about this many bytes of rows.
    pub part_bytes: u64,
    /// Who is told that a job has ended. The operator names it, nobody who submits does.
    pub listener: Option<Listener>,
}

/// What a client submits.
#[derive(Debug, Clone, Default)]
pub struct JobRequest {
    /// The text of the spec, YAML or JSON.
    pub text: String,
    /// The text was made of a document that a client sent: its lines mean nothing to anybody.
    pub is_document: bool,
    pub variables: Vec<(String, String)>,
    /// Where relative local paths start, as coordinator and workers see it; without it they are refused.
    pub base: Option<String>,
    pub token: String,
    pub priority: u32,
    pub max_running: u32,
    /// Replace an older result at the spec's output.
    pub overwrite: bool,
    /// Names by which the job is found again.
    pub labels: BTreeMap<String, String>,
}

/// A job that this coordinator runs, or has run.
#[derive(Debug)]
struct Entry {
    incarnation: Incarnation,
    view: watch::Receiver<JobView>,
    cancel: mpsc::Sender<CancelRequest>,
}

/// The coordinator.
#[derive(Debug)]
pub struct Cluster {
    state: State,
    sources: Sources,
    options: Options,
    supervisor: Supervisor,
    scheduler: SchedulerHandle,
    planner: Planner,
    jobs: Mutex<BTreeMap<String, Entry>>,
    ended_jobs: Mutex<EndedJobs>,
    done: Mutex<Done>,
    /// Jobs that are being stored.
    admitting: AtomicUsize,
    /// No more jobs are taken.
    stopping: AtomicBool,
}

/// A place in the queue of a job that is being stored.
struct Place<'a>(&'a AtomicUsize);

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Cluster {
    /// Starts with nothing; [`Cluster::recover`] takes up what the state store holds.
    pub fn start(state: State, sources: Sources, options: Options) -> Arc<Cluster> {
        let planner = Planner {
            sources: sources.clone(),
            shards: options.shards,
            form: options.form,
            part_bytes: options.part_bytes,
            is_directory: state.is_directory(),
            pools: Pools::default(),
        };
        let supervisor = Supervisor::default();
        Arc::new(Cluster {
            scheduler: SchedulerHandle::start(&supervisor),
            supervisor,
            state,
            sources,
            options,
            planner,
            jobs: Mutex::default(),
            ended_jobs: Mutex::default(),
            done: Mutex::default(),
            admitting: AtomicUsize::new(0),
            stopping: AtomicBool::new(false),
        })
    }

    /// Runs a task that this coordinator cannot do without.
    pub fn supervise(&self, name: &'static str, task: impl Future<Output = ()> + Send + 'static) {
        self.supervisor.spawn(name, task);
    }

    /// Waits until something has failed that this coordinator cannot do without, and says what. The process is to end then.
    pub async fn faulted(&self) -> Error {
        self.supervisor.faulted().await
    }

    /// What an autoscaler wants to know.
    pub async fn counts(&self) -> Counts {
        self.scheduler.counts().await
    }

    /// Where jobs are stored, as workers open it.
    pub fn state_url(&self) -> &str {
        self.state.url()
    }

    /// Binds a spec to its data and describes the plan, for a client at this address; warnings come apart.
    pub async fn check(&self, order: &JobRequest, peer: &str) -> Result<(String, Vec<String>)> {
        let bound = self.planner.bind(understood(order)?, For::Peer(peer)).await?;
        Ok((describe(&bound), bound.plan.warning_texts()))
    }

    /// Stores a job; it is planned and run after that. False where the token named it before.
    pub async fn submit(self: &Arc<Self>, order: &JobRequest) -> Result<(JobView, bool), RequestError> {
        let token = match order.token.as_str() {
            "" => random_token()?,
            token => token.to_owned(),
        };
        check_job_id(&token).map_err(|e| e.field("token"))?;
        let understood = understood(order)?;
        if let Some((_, before)) = self.state.living(&token).await? {
            return self.submitted_before(&token, &before, order).await;
        }
        let _place = self.admit()?;
        let submission = understood.submission(order)?;
        // Stored before anything else: from here on it survives this coordinator, and any client.
        if let Some(first) = self.state.submit(&token, &submission).await? {
            return self.submitted_before(&token, &first, order).await;
        }
        tracing::info!(job = token, title = submission.title, "submitted");
        let job = self.state.job(&token, &submission.incarnation);
        let mut view = JobView::new(&token, &submission);
        view.warnings = shown_warnings(&understood.warnings);
        self.drive(job, Arc::new(submission), view.clone(), None);
        Ok((view, true))
    }

    async fn submitted_before(&self, token: &str, before: &Submission, order: &JobRequest) -> Result<(JobView, bool), RequestError> {
        if before.content != content_of(order) {
            return Err(RequestError::Taken(token.to_owned()));
        }
        self.get(token).await.map(|view| (view, false))
    }

    /// One job as it is now.
    pub async fn get(&self, id: &str) -> Result<JobView, RequestError> {
        let known = self.known(id);
        // One that has ended may have been removed by another coordinator, and its id have come again.
        if let Some(view) = known.as_ref().filter(|view| !view.phase.has_ended()) {
            return Ok(view.clone());
        }
        check_job_id(id).map_err(|e| e.field("job_id"))?;
        let living = match (self.state.living(id).await, known.as_ref()) {
            (Err(error), Some(view)) if error.kind == Kind::Unavailable => {
                tracing::debug!(job = id, "told as it was: {error}");
                return Ok(view.clone());
            }
            (living, _) => living?,
        };
        let Some((job, submission)) = living else {
            return Err(RequestError::Missing(id.to_owned()));
        };
        match known.filter(|view| view.submitted.incarnation == submission.incarnation) {
            Some(view) => Ok(view),
            None => {
                let journal = Journal::read(&job, "").await?;
                Ok(look::look(&job, submission, &journal, None).await?)
            }
        }
    }

    /// A job of a list with all there is to say; what cannot be read is left as it is, and what has gone is left out.
    pub(crate) async fn in_full(&self, listed: Arc<JobView>) -> Option<Arc<JobView>> {
        match self.get(&listed.id).await {
            Ok(view) => Some(Arc::new(view)),
            Err(RequestError::Missing(_)) => None,
            Err(error) => {
                tracing::warn!(job = listed.id, "not listed in full: {error}");
                Some(listed)
            }
        }
    }

    /// The job's views as they change; `None` where another coordinator runs it.
    pub fn follow(&self, id: &str) -> Option<watch::Receiver<JobView>> {
        self.jobs().get(id).map(|entry| entry.view.clone())
    }

    /// Asks a job to end; the request is stored when this returns.
    pub async fn cancel(self: &Arc<Self>, id: &str) -> Result<JobView, RequestError> {
        let view = self.get(id).await?;
        if view.phase.has_ended() {
            return Ok(view);
        }
        if self.cancels(id).is_none() {
            self.take_up_unowned(id).await?;
        }
        let Some(cancel) = self.cancels(id) else {
            return Err(Error::unavailable(format!("job {id} is run by another coordinator"))
                .advice("ask that one")
                .into());
        };
        let (asked, stored) = oneshot::channel();
        if cancel.send(asked).await.is_ok()
            && let Ok(stored) = stored.await
        {
            stored?;
            return self.get(id).await;
        }
        // Nobody has heard it: the job has ended just now, or goes on elsewhere.
        let view = self.get(id).await?;
        if view.phase.has_ended() {
            return Ok(view);
        }
        Err(Error::unavailable(format!("job {id} goes to another coordinator just now"))
            .advice("ask again")
            .into())
    }

    fn cancels(&self, id: &str) -> Option<mpsc::Sender<CancelRequest>> {
        self.jobs().get(id).map(|entry| entry.cancel.clone())
    }

    /// Where what does not fit the memory may lie.
    fn scratch(&self) -> &Path {
        &self.options.scratch
    }

    /// A file of a finished job's result: its place in the state store and its size.
    pub async fn result_file(&self, id: &str, file: ResultFile) -> Result<(JobState, object_store::path::Path, FileMark), RequestError> {
        check_job_id(id).map_err(|e| e.field("job_id"))?;
        let living = self.state.living(id).await?;
        let (job, _) = living.ok_or_else(|| RequestError::Missing(id.to_owned()))?;
        // A job whose result could not be handed on has failed, and keeps it.
        let view = self.get(id).await?;
        let manifest = finish::Manifest::read(&job).await?;
        // What this coordinator saw last may be old: another one may have brought the job to its end, and told so.
        let has_ended = view.phase.has_ended() || Journal::read(&job, "").await?.history.ended.is_some();
        let Some(manifest) = manifest.filter(|_| has_ended) else {
            return Err(Error::input(format!("job {id} has no result: {}", wire::phase_words(&view))).into());
        };
        let mark = manifest.mark(file).map_err(|e| e.field("name"))?.clone();
        let path = job.result(&manifest.attempt, file);
        Ok((job, path, mark))
    }

    /// Jobs of this coordinator that have not ended.
    pub(crate) fn unfinished(&self) -> usize {
        self.jobs().values().filter(|entry| !entry.view.borrow().phase.has_ended()).count()
    }

    /// A place among the unfinished jobs, held until the job has taken it.
    fn admit(&self) -> Result<Place<'_>> {
        if self.stopping.load(Ordering::SeqCst) {
            return Err(Error::unavailable("this coordinator stops").advice("submit to the next one"));
        }
        // Whoever looks at the jobs while a place is drawn waits: no two can draw the last one.
        let jobs = self.jobs();
        let unfinished = jobs.values().filter(|entry| !entry.view.borrow().phase.has_ended()).count();
        let taken = unfinished + self.admitting.load(Ordering::SeqCst);
        if taken >= self.options.max_jobs {
            return Err(
                Error::exhausted(format!("{taken} jobs are unfinished, as many as this coordinator takes"))
                    .advice("submit again when one has ended"),
            );
        }
        self.admitting.fetch_add(1, Ordering::SeqCst);
        Ok(Place(&self.admitting))
    }

    /// Runs a job, unless that is done here already; false then.
    fn drive(self: &Arc<Self>, job: JobState, submission: Arc<Submission>, first: JobView, journal: Option<Journal>) -> bool {
        let (id, incarnation) = (job.id().to_owned(), job.incarnation().clone());
        let (view, follow) = watch::channel(first);
        let (cancel, cancels) = mpsc::channel(16);
        {
            let mut jobs = self.jobs();
            if jobs.get(&id).is_some_and(|entry| entry.incarnation == incarnation) {
                return false;
            }
            let entry = Entry {
                incarnation: incarnation.clone(),
                view: follow,
                cancel,
            };
            jobs.insert(id.clone(), entry);
        }
        self.ended_jobs().forget(&id);
        let output = submission.output.clone();
        let start = Start {
            context: DriverContext {
                scheduler: self.scheduler.clone(),
                planner: self.planner.clone(),
                stores: Arc::clone(&self.sources.stores),
                scratch: self.options.scratch.clone(),
                runtime: self.sources.runtime.clone(),
            },
            job,
            submission,
            journal,
            owner: self.options.owner.clone(),
            view,
            cancels,
        };
        let (cluster, listener) = (Arc::downgrade(self), self.options.listener.clone());
        self.supervisor.spawn("the end of a job", async move {
            let ended = start.view.subscribe();
            let elsewhere = start.run().await;
            if let (Some(listener), false) = (listener, elsewhere) {
                let view = ended.borrow().clone();
                let judged = match (cluster.upgrade(), view.verdict) {
                    (Some(cluster), Some(_)) => FinishedResult::open(&cluster, &id).await.ok().map(|result| result.ended()),
                    _ => None,
                };
                let judged = judged.map(|judged| output.iter().fold(judged, |judged, place| judged.at(place)));
                let notice = ends::notice(&view, judged);
                if let Err(error) = listener.tell(&notice).await {
                    tracing::warn!(job = id, "{error}");
                }
            }
            if let Some(cluster) = cluster.upgrade()
                && elsewhere
            {
                cluster.drop_entry(&id, &incarnation);
            }
        });
        true
    }

    fn drop_entry(&self, id: &str, incarnation: &Incarnation) {
        let mut jobs = self.jobs();
        if jobs.get(id).is_some_and(|entry| entry.incarnation == *incarnation) {
            jobs.remove(id);
        }
    }

    fn known(&self, id: &str) -> Option<JobView> {
        self.jobs().get(id).map(|entry| entry.view.borrow().clone())
    }

    fn jobs(&self) -> MutexGuard<'_, BTreeMap<String, Entry>> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Leaves the telling of a job that has ended to the store.
    fn drop_ended(&self, id: &str, incarnation: &Incarnation) {
        let mut jobs = self.jobs();
        if jobs
            .get(id)
            .is_some_and(|entry| entry.incarnation == *incarnation && entry.view.borrow().phase.has_ended())
        {
            jobs.remove(id);
        }
    }

    fn ended_jobs(&self) -> MutexGuard<'_, EndedJobs> {
        self.ended_jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn done(&self) -> MutexGuard<'_, Done> {
        self.done.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn understood(order: &JobRequest) -> Result<ParsedSpec> {
    let file = if order.is_document { wire::DOCUMENT } else { wire::TEXT };
    understand(&order.text, file, &order.variables, order.base.as_deref())
}

fn random_token() -> Result<String> {
    let seconds = clock::now_ms() / 1000;
    let random = u64::from_le_bytes(random_bytes()?[..8].try_into().expect("8 of 16 bytes"));
    Ok(format!("{seconds:x}-{random:016x}"))
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "a test sees its own panics")]
mod simulation;
