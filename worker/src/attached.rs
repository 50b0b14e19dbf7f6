//! A worker's end of the stream to its coordinator: says what it is, runs what it is given, reports, drains, comes back.
//!
//! ```text
//! connect -> Hello -> Welcome -> { Assign, Stop, Forget | Heartbeat, Done, Failed } -> ... stream ends -> connect again after a wait
//! ```
//! Attempts that still run when the stream ends go on: their commits count even if nobody hears of them. They are stopped when the worker
//! comes back, because then their slots are promised anew.

use crate::attempt::{Attempt, Committed, run};
use crate::host::Host;
use crate::job::Watch;
use shadowdiff_common::state::{Incarnation, PlanDigest, State};
use shadowdiff_common::tasks::blocking_beside;
use shadowdiff_core::error::{Error, Kind, Result};
use shadowdiff_core::plan::Form;
use shadowdiff_core::stage::{ShardRange, Stage, Task};
use shadowdiff_proto::v1::worker_service_client::WorkerServiceClient;
use shadowdiff_proto::v1::{
    Assign, AttachRequest, AttachResponse, AttemptDone, AttemptFailed, AttemptHandedBack, Draining, Heartbeat, Hello, Ready,
    RunningAttempt, attach_request, attach_response,
};
use shadowdiff_proto::{MAX_MESSAGE_BYTES, PROTOCOL};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, sleep_until};
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Endpoint;
use tonic::{Code, Status, Streaming};

/// Before another try to attach, twice as long each time up to `MAX_WAIT`.
const FIRST_WAIT: Duration = Duration::from_millis(200);
const MAX_WAIT: Duration = Duration::from_secs(10);
/// How long a coordinator may take to accept a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// A coordinator that answers no ping for this long has gone.
const KEEP_ALIVE: Duration = Duration::from_secs(10);
/// How long the state store may take to answer the first question.
const PROBE_TIMEOUT: Duration = Duration::from_secs(30);
/// How long the end of a stream may take.
const SHUTDOWN_GRACE: Duration = Duration::from_secs(2);
/// Messages that wait to be sent.
const OUTBOX: usize = 1024;

/// Where a worker belongs.
#[derive(Debug, Clone)]
pub struct Attachment {
    /// `http://host:port` of the coordinator.
    pub coordinator: String,
    /// How long attempts may take to end once the worker is asked to.
    pub drain: Duration,
}

/// Whether the worker should end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Drain {
    No,
    /// What runs goes on until its end or the drain time.
    Soon,
    /// At once.
    Now,
}

/// Attempts that have ended and are not reported yet; the next one waits.
const MAX_ENDED: usize = 256;

/// What an attempt's thread says at its end.
type Ended = (String, Result<Committed>);

/// Serves until asked to end. `connected` is true while the coordinator knows this worker. An error is one that no new try would mend.
pub async fn attach(host: Arc<Host>, attachment: Attachment, stop: watch::Receiver<Drain>, connected: watch::Sender<bool>) -> Result<()> {
    if !attachment.coordinator.starts_with("http://") {
        return Err(
            Error::spec(format!("coordinator {}: write http://HOST:PORT", attachment.coordinator))
                .advice("encrypted connections are not offered"),
        );
    }
    let endpoint = Endpoint::from_shared(attachment.coordinator.clone())
        .map_err(|e| Error::spec(format!("coordinator {}: {e}", attachment.coordinator)).advice("write http://HOST:PORT"))?
        .connect_timeout(CONNECT_TIMEOUT)
        .http2_keep_alive_interval(KEEP_ALIVE)
        .keep_alive_timeout(KEEP_ALIVE)
        .keep_alive_while_idle(true);
    let (ended, inbox) = mpsc::channel(MAX_ENDED);
    let mut worker = Worker {
        host,
        attachment,
        endpoint,
        stop,
        ended,
        inbox,
        running: BTreeMap::new(),
    };
    let mut wait = FIRST_WAIT;
    loop {
        if *worker.stop.borrow() != Drain::No {
            return Ok(());
        }
        let started = Instant::now();
        let served = worker.serve(&connected).await;
        connected.send_replace(false);
        if started.elapsed() > MAX_WAIT {
            wait = FIRST_WAIT;
        }
        match served {
            Ok(()) => return Ok(()),
            Err(lost) if lost.kind == Kind::Spec => return Err(lost),
            Err(lost) => tracing::warn!("{lost}; trying again in {} ms", wait.as_millis()),
        }
        tokio::select! {
            () = sleep(wait) => {}
            _ = worker.stop.changed() => {}
        }
        wait = (wait * 2).min(MAX_WAIT);
    }
}

struct Worker {
    host: Arc<Host>,
    attachment: Attachment,
    endpoint: Endpoint,
    stop: watch::Receiver<Drain>,
    ended: mpsc::Sender<Ended>,
    inbox: mpsc::Receiver<Ended>,
    /// By their names, which no two attempts ever share: one that was stopped may end long after that, under another coordinator.
    running: BTreeMap<String, Arc<Watch>>,
}

impl Worker {
    /// One stream, from its beginning to its end. `Ok`: the worker has drained.
    async fn serve(&mut self, connected: &watch::Sender<bool>) -> Result<()> {
        let channel = self.endpoint.connect().await.map_err(|e| self.unreachable(&e))?;
        self.abandon().await;
        let mut client = WorkerServiceClient::new(channel)
            .max_decoding_message_size(MAX_MESSAGE_BYTES)
            .max_encoding_message_size(MAX_MESSAGE_BYTES);
        let (outbox, messages) = mpsc::channel(OUTBOX);
        let hello = attach_request::Message::Hello(Hello {
            version: env!("CARGO_PKG_VERSION").into(),
            protocol: PROTOCOL,
            name: self.host.name.clone(),
            slots: self.host.slots as u32,
            memory_bytes: self.host.memory_bytes,
        });
        say(&outbox, hello).await?;
        let answer = client
            .attach(ReceiverStream::new(messages))
            .await
            .map_err(|status| self.refused(&status))?;
        let mut stream = answer.into_inner();
        let welcome = match next(&mut stream).await.map_err(|status| self.refused(&status))? {
            Some(attach_response::Message::Welcome(welcome)) => welcome,
            Some(_) | None => return Err(Error::unavailable("the coordinator did not welcome this worker")),
        };
        let state = State::open(&welcome.state_url, Path::new("/"), &self.host.sources.stores)?;
        // A worker that does not reach the store would fail every task it is given.
        let probed = tokio::time::timeout(PROBE_TIMEOUT, state.jobs()).await;
        probed.map_err(|_| Error::unavailable(format!("state {}: no answer for {} s", welcome.state_url, PROBE_TIMEOUT.as_secs())))??;
        say(&outbox, attach_request::Message::Ready(Ready {})).await?;
        tracing::info!(coordinator = %self.attachment.coordinator, state = %welcome.state_url, "attached");
        connected.send_replace(true);
        let heartbeat = Duration::from_millis(u64::from(welcome.heartbeat_ms.max(100)));
        self.converse(&state, &mut stream, outbox, heartbeat).await?;
        // What was said last has arrived once the coordinator ends the stream too.
        let _ = tokio::time::timeout(SHUTDOWN_GRACE, async { while let Ok(Some(_)) = next(&mut stream).await {} }).await;
        Ok(())
    }

    fn unreachable(&self, error: &tonic::transport::Error) -> Error {
        let mut text = error.to_string();
        let mut source = std::error::Error::source(error);
        while let Some(inner) = source {
            text = format!("{text}: {inner}");
            source = inner.source();
        }
        Error::unavailable(format!("coordinator {}: {text}", self.attachment.coordinator))
    }

    async fn converse(
        &mut self,
        state: &State,
        stream: &mut Streaming<AttachResponse>,
        outbox: mpsc::Sender<AttachRequest>,
        heartbeat: Duration,
    ) -> Result<()> {
        let outbox = &outbox;
        let mut beat = interval(heartbeat);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut drain_until: Option<Instant> = None;
        loop {
            if drain_until.is_some() && self.running.is_empty() {
                return Ok(());
            }
            let deadline = drain_until.unwrap_or_else(|| Instant::now() + Duration::from_secs(3600));
            tokio::select! {
                message = next(stream) => match message {
                    Ok(Some(message)) => self.hear(state, message),
                    Ok(None) => return Err(Error::unavailable("the coordinator ended the stream")),
                    Err(status) => return Err(self.refused(&status)),
                },
                Some((attempt, outcome)) = self.inbox.recv() => {
                    // What ends after it was stopped is of no interest any more.
                    if self.running.remove(&attempt).is_some() {
                        say(outbox, report(attempt, outcome)).await?;
                    }
                }
                _ = beat.tick() => say(outbox, self.heartbeat()).await?,
                Ok(()) = self.stop.changed(), if drain_until.is_none() => {
                    let drain = *self.stop.borrow_and_update();
                    say(outbox, attach_request::Message::Draining(Draining {})).await?;
                    drain_until = Some(Instant::now() + if drain == Drain::Now { Duration::ZERO } else { self.attachment.drain });
                }
                () = sleep_until(deadline), if drain_until.is_some() => return self.hand_back(outbox).await,
            }
        }
    }

    fn hear(&mut self, state: &State, message: attach_response::Message) {
        match message {
            attach_response::Message::Assign(assign) => self.start(state, assign),
            attach_response::Message::Stop(stop) => {
                if let Some(watch) = self.running.remove(&stop.attempt_id) {
                    watch.cancelled.store(true, Ordering::Relaxed);
                }
            }
            attach_response::Message::Forget(forget) => {
                if let Some(incarnation) = Incarnation::parse(&forget.incarnation) {
                    self.host.forget(&incarnation);
                }
            }
            attach_response::Message::Welcome(_) => {}
        }
    }

    fn start(&mut self, state: &State, assign: Assign) {
        let name = assign.attempt_id.clone();
        let watch = Arc::new(Watch::default());
        self.running.insert(name.clone(), Arc::clone(&watch));
        let (host, state, ended) = (Arc::clone(&self.host), state.clone(), self.ended.clone());
        let work = move || run(&host, &state, &attempt(assign)?, watch);
        blocking_beside(&Handle::current(), "a task", work, move |outcome| {
            // A worker that has ended does not want to know.
            let _ = ended.blocking_send((name, outcome));
        });
    }

    /// Stops what is left of an earlier stream and waits until it has ended.
    async fn abandon(&mut self) {
        self.running
            .values()
            .for_each(|watch| watch.cancelled.store(true, Ordering::Relaxed));
        while !self.running.is_empty() {
            let Some((attempt, _)) = self.inbox.recv().await else { break };
            self.running.remove(&attempt);
        }
        self.host.forget_all();
    }

    async fn hand_back(&mut self, outbox: &mpsc::Sender<AttachRequest>) -> Result<()> {
        for (attempt, watch) in std::mem::take(&mut self.running) {
            watch.cancelled.store(true, Ordering::Relaxed);
            say(
                outbox,
                attach_request::Message::HandedBack(AttemptHandedBack { attempt_id: attempt }),
            )
            .await?;
        }
        Ok(())
    }

    fn heartbeat(&self) -> attach_request::Message {
        let running = self.running.iter().map(|(attempt, watch)| RunningAttempt {
            attempt_id: attempt.clone(),
            rows: watch.rows.load(Ordering::Relaxed),
            steps: watch.steps.load(Ordering::Relaxed),
        });
        attach_request::Message::Heartbeat(Heartbeat {
            running: running.collect(),
        })
    }

    /// A coordinator that says that both do not fit says so for good.
    fn refused(&self, status: &Status) -> Error {
        let message = format!("coordinator {}: {}", self.attachment.coordinator, status.message());
        match status.code() {
            Code::FailedPrecondition | Code::Unimplemented | Code::InvalidArgument => Error::spec(message),
            _ => Error::unavailable(message),
        }
    }
}

async fn next(stream: &mut Streaming<AttachResponse>) -> Result<Option<attach_response::Message>, Status> {
    loop {
        match stream.message().await? {
            // A message of a kind that this version does not know.
            Some(AttachResponse { message: None }) => {}
            Some(AttachResponse { message }) => return Ok(message),
            None => return Ok(None),
        }
    }
}

async fn say(outbox: &mpsc::Sender<AttachRequest>, message: attach_request::Message) -> Result<()> {
    let sent = outbox.send(AttachRequest { message: Some(message) }).await;
    sent.map_err(|_| Error::unavailable("the stream to the coordinator is closed"))
}

fn report(attempt: String, outcome: Result<Committed>) -> attach_request::Message {
    match outcome {
        Ok(committed) => attach_request::Message::Done(AttemptDone {
            attempt_id: attempt,
            rows: committed.rows,
            won: committed.won,
        }),
        Err(error) => attach_request::Message::Failed(AttemptFailed::new(attempt, &error)),
    }
}

fn attempt(assign: Assign) -> Result<Attempt> {
    let unknown = || Error::internal("the coordinator gave a task that this version does not know");
    let task = assign.task.ok_or_else(unknown)?;
    let task = Task {
        stage: Stage::named(&task.stage).ok_or_else(unknown)?,
        number: task.number,
        form: if task.fingerprints { Form::Fingerprints } else { Form::Rows },
        input: ShardRange {
            first: task.first_shard,
            count: task.shards,
            parts: task.parts,
        },
        columns: task.columns,
    };
    let incarnation = Incarnation::parse(&assign.incarnation).ok_or_else(|| {
        Error::internal(format!(
            "the coordinator gave a task of `{}`, which is not the id of a job",
            assign.incarnation
        ))
    })?;
    Ok(Attempt {
        job: assign.job_id,
        incarnation,
        plan: PlanDigest::named(&assign.plan),
        task,
        name: assign.attempt_id,
        halvings: assign.halvings,
    })
}
