//! The coordinator of a cluster: takes jobs, keeps them in the state store, runs many at once on the workers that are attached.
//!
//! ```text
//! JobService -> Cluster -> Driver (one a job) -> Board (one) -> WorkerService -> workers
//!                  |          |
//!                  +----------+--> state store: plan, journal, commits, result, manifest
//! ```
//! What is not in the state store may be lost at any moment: whoever starts next reads it and goes on.

mod alive;
mod board;
mod drive;
mod finish;
mod halt;
mod jobs_service;
mod journal;
mod metrics;
mod recover;
mod retry;
mod view;
mod wire;
mod workers_service;

use crate::bind::{Bound, bind};
use crate::cut::{Amounts, Cut};
use crate::publish::{Target, check_target};
use board::Board;
use drive::{Around, CancelRequest, Driver};
use journal::Journal;
use shadowdiff_common::drawn_bytes;
use shadowdiff_common::read::Sources;
use shadowdiff_common::state::{Blueprint, JobState, MAX_REQUEST_BYTES, State, Submission, check_job_id, groups};
use shadowdiff_common::store::Location;
use shadowdiff_core::error::{Error, Kind, Result};
use shadowdiff_core::plan::{Form, Plan};
use shadowdiff_core::requests::{Kept, ReadAgain, Requests};
use shadowdiff_core::row::Secret;
use shadowdiff_core::spec::{Day, Overrides, parse};
use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot, watch};

pub use board::Counts;
pub use halt::Refusal;
pub use jobs_service::jobs_service;
pub use metrics::metrics_page;
pub use view::{FailedAttempt, JobPhase, JobProgress, JobView};
pub use workers_service::workers_service;

/// Plans everything that workers will plan, so that a mistake shows before a job is stored; describes the plan for `check`.
pub type Prepare = dyn Fn(&Bound) -> Result<String> + Send + Sync;

/// How a coordinator behaves.
pub struct Options {
    /// Names this coordinator in journals; differs between any two.
    pub owner: String,
    /// How long ended jobs are kept.
    pub keep: Duration,
    /// Unfinished jobs beyond which no more are taken.
    pub max_jobs: usize,
    /// Where results are merged.
    pub scratch: PathBuf,
    /// Into how many shards a job is cut; `None`: by the size of its data.
    pub shards: Option<u32>,
    /// The form of the exchange; `None`: chosen for each job.
    pub form: Option<Form>,
    /// A compare task holds about this many bytes of rows.
    pub part_bytes: u64,
    pub prepare: Arc<Prepare>,
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options").field("owner", &self.owner).finish_non_exhaustive()
    }
}

/// A job has at least so many scan tasks where its files allow: workers come and go, and a lost task should not be much.
const LANES: usize = 8;

/// What a client submits.
#[derive(Debug, Clone, Default)]
pub struct Order {
    /// The text of the spec, YAML or JSON.
    pub text: String,
    pub variables: Vec<(String, String)>,
    /// Where relative local paths start, as coordinator and workers see it; without it they are refused.
    pub base: Option<String>,
    pub token: String,
    pub priority: u32,
    pub max_running: u32,
    /// Replace an older result at the spec's output.
    pub overwrite: bool,
}

struct Entry {
    view: watch::Receiver<JobView>,
    cancel: Option<mpsc::Sender<CancelRequest>>,
}

/// The coordinator.
pub struct Cluster {
    state: State,
    sources: Sources,
    options: Options,
    board: Board,
    jobs: Mutex<BTreeMap<String, Entry>>,
    /// Jobs that are being planned.
    admitting: AtomicUsize,
    /// No more jobs are taken.
    stopping: AtomicBool,
}

/// A place in the queue of a job that is being planned.
struct Place<'a>(&'a AtomicUsize);

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl fmt::Debug for Cluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cluster").field("state", &self.state.url()).finish_non_exhaustive()
    }
}

impl Cluster {
    /// Starts with nothing; [`Cluster::recover`] takes up what the state store holds.
    pub fn start(state: State, sources: Sources, options: Options) -> Arc<Cluster> {
        Arc::new(Cluster {
            state,
            sources,
            options,
            board: Board::start(),
            jobs: Mutex::default(),
            admitting: AtomicUsize::new(0),
            stopping: AtomicBool::new(false),
        })
    }

    /// What an autoscaler wants to know.
    pub async fn counts(&self) -> Counts {
        self.board.counts().await
    }

    /// Where jobs are stored, as workers open it.
    pub fn state_url(&self) -> &str {
        self.state.url()
    }

    /// Binds a spec to its data and describes the plan; warnings come apart.
    pub async fn check(&self, order: &Order) -> Result<(String, Vec<String>)> {
        let (bound, _, _) = self.bind(order).await?;
        let text = (self.options.prepare)(&bound)?;
        Ok((text, bound.plan.warnings))
    }

    /// Plans and stores a job. False where the token named it before.
    pub async fn submit(self: &Arc<Self>, order: &Order) -> Result<(JobView, bool), Refusal> {
        let token = if order.token.is_empty() {
            drawn_token()
        } else {
            order.token.clone()
        };
        check_job_id(&token).map_err(|e| e.at("token"))?;
        let job = self.state.job(&token);
        let content = content_of(order);
        if let Some(view) = self.known(&token) {
            return same(&view.submission, content, &token).map(|()| (view, false));
        }
        // Jobs of another coordinator, and those that this one has not taken up yet.
        if let Some(before) = Blueprint::read(&job).await? {
            same(&before.submission, content, &token)?;
            return recover::look(&self.state, &token)
                .await?
                .map(|view| (view, false))
                .ok_or_else(|| Refusal::Missing(token.clone()));
        }
        let _place = self.admit()?;
        let (bound, document, output) = self.bind(order).await?;
        (self.options.prepare)(&bound)?;
        if let Some(output) = &output {
            let target = check_target(output, Path::new("/"), &self.sources.stores, order.overwrite).await?;
            debug_assert!(matches!(target, Target::Objects { .. }), "only objects are handed on");
        }
        let blueprint = self.blueprint(order, bound, document, output, content);
        if let Some(first) = blueprint.store(&job).await? {
            same(&first.submission, content, &token)?;
            return recover::look(&self.state, &token)
                .await?
                .map(|view| (view, false))
                .ok_or_else(|| Refusal::Missing(token.clone()));
        }
        let mut journal = Journal::read(&job, &self.options.owner).await?;
        if let Err(halt) = journal.claim().await {
            // It is stored: whoever has taken it runs it.
            tracing::info!(job = token, "not run here: {halt}");
            return recover::look(&self.state, &token)
                .await?
                .map(|view| (view, true))
                .ok_or_else(|| Refusal::Missing(token.clone()));
        }
        tracing::info!(job = token, title = blueprint.submission.title, "submitted");
        Ok((self.drive(job, blueprint, journal), true))
    }

    /// One job as it is now.
    pub async fn get(&self, id: &str) -> Result<JobView, Refusal> {
        if let Some(view) = self.known(id) {
            return Ok(view);
        }
        check_job_id(id).map_err(|e| e.at("job_id"))?;
        recover::look(&self.state, id).await?.ok_or_else(|| Refusal::Missing(id.to_owned()))
    }

    /// All jobs that are kept, newest first.
    pub async fn list(&self) -> Result<Vec<JobView>> {
        let mut views = Vec::new();
        for id in self.state.jobs().await? {
            match self.known(&id) {
                Some(view) => views.push(view),
                // One job that cannot be read is no reason to hide the others.
                None => match recover::look(&self.state, &id).await {
                    Ok(view) => views.extend(view),
                    Err(error) if error.kind == Kind::Unavailable => return Err(error),
                    Err(error) => tracing::error!(job = id, "not listed: {error}"),
                },
            }
        }
        views.sort_by(|a, b| (b.submission.created_ms, &b.id).cmp(&(a.submission.created_ms, &a.id)));
        Ok(views)
    }

    /// The job's views as they change; `None` where another coordinator runs it.
    pub fn follow(&self, id: &str) -> Option<watch::Receiver<JobView>> {
        self.jobs().get(id).map(|entry| entry.view.clone())
    }

    /// Asks a job to end; the request is stored when this returns.
    pub async fn cancel(&self, id: &str) -> Result<JobView, Refusal> {
        let view = self.get(id).await?;
        if view.phase.has_ended() {
            return Ok(view);
        }
        let cancel = self.jobs().get(id).and_then(|entry| entry.cancel.clone());
        let Some(cancel) = cancel else {
            return Err(Error::unavailable(format!("job {id} is run by another coordinator; ask that one")).into());
        };
        let (asked, stored) = oneshot::channel();
        // A job that ends just now hears nothing any more.
        if cancel.send(asked).await.is_ok()
            && let Ok(stored) = stored.await
        {
            stored?;
        }
        self.get(id).await
    }

    /// A file of a finished job's result: its place in the state store and its size.
    pub async fn result_file(&self, id: &str, name: &str) -> Result<(JobState, object_store::path::Path, u64), Refusal> {
        check_job_id(id).map_err(|e| e.at("job_id"))?;
        let job = self.state.job(id);
        let manifest = finish::Manifest::read(&job).await?;
        let manifest = match manifest {
            Some(manifest) => manifest,
            None => {
                let view = self.get(id).await?;
                return Err(Error::input(format!("job {id} has no result: {}", wire::phase_words(&view))).into());
            }
        };
        let found = manifest.files.iter().find(|(file, _)| file == name);
        let Some((_, size)) = found else {
            let names: Vec<&str> = manifest.files.iter().map(|(name, _)| name.as_str()).collect();
            return Err(Error::spec(format!("name: job {id} has no file `{name}`; it has {}", names.join(", "))).into());
        };
        let path = job.result(&manifest.attempt, name);
        Ok((job, path, *size))
    }

    /// Jobs of this coordinator that have not ended.
    pub(crate) fn unfinished(&self) -> usize {
        self.jobs().values().filter(|entry| !entry.view.borrow().phase.has_ended()).count()
    }

    /// A place among the unfinished jobs, held until the job has taken it.
    fn admit(&self) -> Result<Place<'_>> {
        if self.stopping.load(Ordering::SeqCst) {
            return Err(Error::unavailable("this coordinator stops; submit to the next one"));
        }
        // Whoever looks at the jobs while a place is drawn waits: no two can draw the last one.
        let jobs = self.jobs();
        let unfinished = jobs.values().filter(|entry| !entry.view.borrow().phase.has_ended()).count();
        let taken = unfinished + self.admitting.load(Ordering::SeqCst);
        if taken >= self.options.max_jobs {
            return Err(Error::exhausted(format!(
                "{taken} jobs are unfinished, as many as this coordinator takes; submit again when one has ended"
            )));
        }
        self.admitting.fetch_add(1, Ordering::SeqCst);
        Ok(Place(&self.admitting))
    }

    async fn bind(&self, order: &Order) -> Result<(Bound, serde_json::Value, Option<String>)> {
        let overrides = Overrides {
            set: order.variables.clone(),
            ..Overrides::default()
        };
        let parsed = parse(&order.text, "spec", &overrides)?;
        let base = match &order.base {
            Some(base) if !base.starts_with('/') => {
                return Err(Error::spec(format!("spec.base: `{base}` is no absolute path")));
            }
            Some(base) => PathBuf::from(base),
            None => {
                refuse_relative(&parsed.spec)?;
                PathBuf::from("/")
            }
        };
        // What goes to a local place is fetched by the client.
        let output = match &parsed.spec.output.to {
            Some(to) => matches!(Location::parse(to, &base)?, Location::Object { .. }).then(|| to.clone()),
            None => None,
        };
        let cut = Cut {
            threads: LANES,
            shards: self.options.shards,
            shard_bytes: self.options.part_bytes,
            secret: Secret(drawn_bytes()),
            today: Day((journal::now_ms() / 86_400_000) as i32),
        };
        // Binding reads local files as it goes, so it has a thread of its own.
        let (spec, warnings, sources) = (parsed.spec, parsed.warnings, self.sources.clone());
        let binding = move || sources.runtime.clone().block_on(bind(spec, warnings, &base, &sources, cut));
        let bound = tokio::task::spawn_blocking(binding).await;
        let bound = bound.map_err(|e| Error::internal(format!("planning panicked: {e}")))??;
        Ok((bound, parsed.document, output))
    }

    fn blueprint(&self, order: &Order, bound: Bound, document: serde_json::Value, output: Option<String>, content: u64) -> Blueprint {
        let submission = Submission {
            content,
            nonce: u64::from_le_bytes(drawn_bytes()[..8].try_into().expect("8 of 16 bytes")),
            priority: order.priority.clamp(1, 100),
            max_running: order.max_running,
            created_ms: journal::now_ms(),
            title: title(&bound.plan),
            output,
            overwrite: order.overwrite,
        };
        let amounts = bound.amounts;
        let requests = amounts.requests + self.state_requests(&bound.plan, &amounts);
        Blueprint {
            submission,
            requests,
            document,
            datasets: bound.datasets,
            flipped: bound.flipped,
            rule_accounts: bound.rule_accounts,
            part_bytes: self.options.part_bytes,
            reading_bytes: amounts.reading_bytes,
            row_bytes: amounts.row_bytes(),
            stored_bytes: amounts.stored_bytes,
            decoded_bytes: amounts.decoded_bytes,
            form: self.options.form,
            rows: amounts.all_rows(),
            plan: bound.plan,
        }
    }

    fn state_requests(&self, plan: &Plan, amounts: &Amounts) -> Requests {
        if self.state.is_directory() {
            return Requests::default();
        }
        let shards = u64::from(plan.shards);
        let shard_bytes = amounts.decoded_bytes / shards.max(1);
        let compares = groups(&vec![shard_bytes.max(1); shards as usize], self.options.part_bytes).len();
        let kept = Kept {
            scans: plan.scans.len() as u64,
            compares: compares as u64,
            exchange_bytes: amounts.decoded_bytes,
            request_bytes: MAX_REQUEST_BYTES,
        };
        // Where a look at the data will decide, the form that takes more is counted.
        if plan.known_form(self.options.form, amounts.decoded_bytes) == Some(Form::Rows) {
            return kept.requests();
        }
        // A fingerprint and a number take 24 bytes of a row.
        let numbered = amounts.decoded_bytes * 24 / amounts.row_bytes().max(24) / shards.max(1);
        let again = ReadAgain {
            scans: kept.scans,
            sifts: groups(&vec![numbered.max(1); shards as usize], self.options.part_bytes).len() as u64,
            input_reads: amounts.requests.reads,
        };
        kept.requests() + again.requests()
    }

    /// Runs a claimed job; gives its first view.
    fn drive(self: &Arc<Self>, job: JobState, blueprint: Blueprint, journal: Journal) -> JobView {
        let id = job.id().to_owned();
        let first = recover::first_view(&id, &blueprint);
        let (view, follow) = watch::channel(first.clone());
        let (cancel, cancels) = mpsc::channel(16);
        self.jobs().insert(
            id.clone(),
            Entry {
                view: follow,
                cancel: Some(cancel),
            },
        );
        let driver = Driver {
            around: Around {
                board: self.board.clone(),
                stores: Arc::clone(&self.sources.stores),
                scratch: self.options.scratch.clone(),
                runtime: self.sources.runtime.clone(),
            },
            job,
            blueprint: Arc::new(blueprint),
            journal,
            view,
            cancels,
        };
        let cluster = Arc::downgrade(self);
        tokio::spawn(async move {
            let elsewhere = driver.run().await;
            if let Some(cluster) = cluster.upgrade()
                && elsewhere
            {
                cluster.jobs().remove(&id);
            }
        });
        first
    }

    fn known(&self, id: &str) -> Option<JobView> {
        self.jobs().get(id).map(|entry| entry.view.borrow().clone())
    }

    fn jobs(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Entry>> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A path that starts nowhere is a mistake: coordinator and workers have no common folder.
fn refuse_relative(spec: &shadowdiff_core::spec::Spec) -> Result<()> {
    use shadowdiff_core::side::Side;
    for side in Side::BOTH {
        if let Some(path) = spec.sides[side]
            .paths
            .iter()
            .find(|path| !path.contains("://") && !path.starts_with('/'))
        {
            return Err(Error::spec(format!(
                "{side}: `{path}` is a relative path; give a URL or an absolute path that coordinator and workers see"
            )));
        }
    }
    Ok(())
}

/// Of one side's part of a title.
const MAX_TITLE_CHARS: usize = 200;

fn title(plan: &Plan) -> String {
    use shadowdiff_core::side::Side;
    let names = |side: Side| match plan.spec.sides[side].paths.as_slice() {
        [first, rest @ ..] if !rest.is_empty() => wire::cut(&format!("{first} and {} more", rest.len()), MAX_TITLE_CHARS),
        paths => wire::cut(&paths.join(", "), MAX_TITLE_CHARS),
    };
    format!("{} against {}", names(Side::Live), names(Side::Shadow))
}

fn same(before: &Submission, content: u64, token: &str) -> Result<(), Refusal> {
    if before.content == content {
        Ok(())
    } else {
        Err(Refusal::Taken(token.to_owned()))
    }
}

/// The same for the same order, in every process.
fn content_of(order: &Order) -> u64 {
    use siphasher::sip::SipHasher24;
    use std::hash::{Hash, Hasher};
    let mut hasher = SipHasher24::new();
    order.text.hash(&mut hasher);
    let mut variables = order.variables.clone();
    variables.sort();
    variables.hash(&mut hasher);
    order.base.hash(&mut hasher);
    hasher.finish()
}

fn drawn_token() -> String {
    let seconds = journal::now_ms() / 1000;
    let random = u64::from_le_bytes(drawn_bytes()[..8].try_into().expect("8 of 16 bytes"));
    format!("{seconds:x}-{random:016x}")
}

#[cfg(test)]
mod simulation;
