//! The loop around the scheduler's machine: takes commands in, looks at the clock, and does what the machine says.

use crate::cluster::worker_text::readable_error;
use shadowdiff_common::fault;
use shadowdiff_core::error::{Error, Result};
use shadowdiff_core::schedule::{Action, AttemptId, Event, JobNumber, Machine, TaskId, WorkerId};
use shadowdiff_proto::v1::{Assign, AttachResponse, Forget, Stop, attach_request, attach_response};
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, sleep_until};

use super::{Command, Counts, Figures, Notice, Opening, StageTask};

struct Job {
    opening: Opening,
    tasks: Vec<StageTask>,
    failures: mpsc::Sender<Notice>,
    figures: watch::Sender<Figures>,
    reply: Option<oneshot::Sender<Result<()>>>,
    rows_done: u64,
    /// Of its attempts together, kept up with them: there are thousands, and each word of a worker is followed by the figures of its job.
    rows_running: u64,
    /// Workers that have seen this job, and are told when it ends.
    shown_to: std::collections::BTreeSet<WorkerId>,
}

struct Worker {
    name: String,
    outbox: mpsc::Sender<AttachResponse>,
}

struct Running {
    job: JobNumber,
    task: TaskId,
    worker: WorkerId,
    name: String,
    rows: u64,
    /// How often something moved in it, as its worker says.
    steps: u64,
}

/// What the scheduler knows, and its machine.
pub(super) struct SchedulerLoop {
    started: Instant,
    machine: Machine,
    jobs: BTreeMap<JobNumber, Job>,
    workers: BTreeMap<WorkerId, Worker>,
    attempts: BTreeMap<AttemptId, Running>,
    /// Workers to let go.
    unresponsive: Vec<WorkerId>,
    next_job: u64,
    next_worker: u64,
    /// When the machine was last told something.
    stepped_ms: u64,
}

/// Rows that are believed of one attempt: whatever workers say, the sum of all attempts is a number.
const MAX_ROWS: u64 = 1 << 40;
/// Without anything to do the scheduler still looks at the clock this often.
const IDLE: Duration = Duration::from_secs(5);
/// A longer time without a step means that the process was paused.
const PAUSED_MS: u64 = 10_000;

impl SchedulerLoop {
    pub(super) fn new() -> Self {
        SchedulerLoop {
            started: Instant::now(),
            machine: Machine::default(),
            jobs: BTreeMap::new(),
            workers: BTreeMap::new(),
            attempts: BTreeMap::new(),
            unresponsive: Vec::new(),
            next_job: 0,
            next_worker: 0,
            stepped_ms: 0,
        }
    }

    pub(super) async fn serve(mut self, mut inbox: mpsc::Receiver<Command>) {
        loop {
            let wake = match self.machine.next_deadline() {
                Some(at) => (self.started + Duration::from_millis(at)).min(Instant::now() + IDLE),
                None => Instant::now() + IDLE,
            };
            tokio::select! {
                // Every command looks at the clock too.
                biased;
                command = inbox.recv() => match command {
                    Some(command) => self.handle(command),
                    None => return,
                },
                () = sleep_until(wake) => self.step(Event::Tick),
            }
            while let Some(worker) = self.unresponsive.pop() {
                self.lose(worker);
            }
        }
    }

    fn now(&self) -> u64 {
        self.started.elapsed().as_millis() as u64
    }

    fn handle(&mut self, command: Command) {
        match command {
            Command::OpenJob {
                opening,
                failures,
                figures,
                reply,
            } => {
                let number = JobNumber(self.next_job);
                self.next_job += 1;
                let (priority, max_running) = (opening.priority, opening.max_running);
                let job = Job {
                    opening,
                    tasks: Vec::new(),
                    failures,
                    figures,
                    reply: None,
                    rows_done: 0,
                    rows_running: 0,
                    shown_to: Default::default(),
                };
                self.jobs.insert(number, job);
                self.step(Event::JobOpened {
                    job: number,
                    priority: priority.max(1),
                    max_running,
                });
                let _ = reply.send(number);
            }
            Command::RunStage { job, tasks, reply } => self.run_stage(job, tasks, reply),
            Command::NotFound { job, tasks, reply } => {
                let Some(known) = self.jobs.get_mut(&job) else { return };
                known.reply = Some(reply);
                for task in tasks.into_iter().map(TaskId) {
                    self.step(Event::NotFound { job, task });
                }
                self.tell_progress(job);
            }
            Command::CloseJob(job) => self.close(job),
            Command::Joined {
                name,
                slots,
                memory_bytes,
                outbox,
                reply,
            } => {
                let worker = Worker { name, outbox };
                let _ = reply.send(self.join(worker, slots, memory_bytes).0);
            }
            Command::Said { worker, message } => self.hear(WorkerId(worker), message),
            Command::Gone { worker } => self.lose(WorkerId(worker)),
            Command::Count(reply) => {
                let _ = reply.send(self.count());
            }
        }
    }

    fn join(&mut self, worker: Worker, slots: usize, memory_bytes: u64) -> WorkerId {
        let id = WorkerId(self.next_worker);
        self.next_worker += 1;
        let name = worker.name.clone();
        tracing::info!(worker = %name, slots, "a worker has come");
        self.workers.insert(id, worker);
        self.step(Event::WorkerJoined {
            worker: id,
            name,
            slots,
            memory_bytes,
            heartbeats: true,
        });
        id
    }

    fn count(&self) -> Counts {
        Counts {
            workers: self.workers.len(),
            aside: self.machine.aside(),
            slots: self.machine.slots(),
            runnable: self.machine.runnable() + self.attempts.len(),
            running: self.attempts.len(),
        }
    }

    fn run_stage(&mut self, number: JobNumber, tasks: Vec<StageTask>, reply: oneshot::Sender<Result<()>>) {
        let Some(job) = self.jobs.get_mut(&number) else { return };
        let new = tasks.iter().map(|task| task.new).collect();
        job.tasks = tasks;
        job.reply = Some(reply);
        self.step(Event::StageOpened { job: number, tasks: new });
        self.tell_progress(number);
    }

    fn close(&mut self, number: JobNumber) {
        self.step(Event::JobClosed { job: number });
        self.attempts.retain(|_, attempt| attempt.job != number);
        let Some(job) = self.jobs.remove(&number) else { return };
        for worker in job.shown_to {
            let forget = Forget {
                job_id: job.opening.id.clone(),
                incarnation: job.opening.incarnation.to_string(),
            };
            self.tell(worker, attach_response::Message::Forget(forget));
        }
    }

    fn hear(&mut self, worker: WorkerId, message: attach_request::Message) {
        if !self.workers.contains_key(&worker) {
            return;
        }
        match message {
            attach_request::Message::Heartbeat(beat) => {
                self.step(Event::WorkerSeen { worker });
                let mut jobs = std::collections::BTreeSet::new();
                for running in beat.running {
                    let Some(number) = self.attempt_of(&running.attempt_id, worker) else {
                        continue;
                    };
                    let Some(attempt) = self.attempts.get_mut(&number) else { continue };
                    jobs.insert(attempt.job);
                    let rows = running.rows.min(MAX_ROWS);
                    let is_moving = (attempt.rows, attempt.steps) != (rows, running.steps);
                    if let Some(job) = self.jobs.get_mut(&attempt.job) {
                        job.rows_running = job.rows_running - attempt.rows + rows;
                    }
                    (attempt.rows, attempt.steps) = (rows, running.steps);
                    if is_moving {
                        self.step(Event::Moved { attempt: number });
                    }
                }
                jobs.into_iter().for_each(|job| self.tell_progress(job));
            }
            attach_request::Message::Done(done) => {
                let Some((attempt, running)) = self.take(&done.attempt_id, worker) else {
                    return;
                };
                if let Some(job) = self.jobs.get_mut(&running.job) {
                    job.rows_done += done.rows.min(MAX_ROWS);
                }
                self.step(Event::Done { attempt });
                self.tell_progress(running.job);
            }
            attach_request::Message::Failed(failed) => {
                let Some((attempt, running)) = self.take(&failed.attempt_id, worker) else {
                    return;
                };
                let error = readable_error(failed.error());
                let job = running.job;
                self.tell_failure(running, &error);
                self.step(Event::Failed { attempt, error });
                self.tell_progress(job);
            }
            attach_request::Message::HandedBack(back) => {
                if let Some((attempt, _)) = self.take(&back.attempt_id, worker) {
                    self.step(Event::HandedBack { attempt });
                }
            }
            attach_request::Message::Draining(_) => self.step(Event::WorkerDraining { worker }),
            // What is said once is nothing new the second time.
            attach_request::Message::Hello(_) | attach_request::Message::Ready(_) => self.step(Event::WorkerSeen { worker }),
        }
    }

    fn tell_failure(&self, running: Running, error: &Error) {
        let worker = self.name_of(running.worker);
        tracing::warn!(task = running.task.0, attempt = %running.name, %worker, "attempt failed: {error}");
        let notice = Notice::Failed {
            task: running.task.0,
            attempt: running.name,
            worker,
            error: error.clone(),
        };
        self.notice(running.job, notice);
    }

    fn take(&mut self, name: &str, worker: WorkerId) -> Option<(AttemptId, Running)> {
        let attempt = self.attempt_of(name, worker)?;
        self.end(attempt).map(|running| (attempt, running))
    }

    /// Forgets an attempt.
    fn end(&mut self, attempt: AttemptId) -> Option<Running> {
        let running = self.attempts.remove(&attempt)?;
        if let Some(job) = self.jobs.get_mut(&running.job) {
            job.rows_running -= running.rows;
        }
        Some(running)
    }

    /// The attempt of this name, if it runs on this worker. Numbers begin anew with every coordinator, names do not.
    fn attempt_of(&self, name: &str, worker: WorkerId) -> Option<AttemptId> {
        let number = name.rsplit('-').next()?.parse().ok().map(AttemptId)?;
        let running = self.attempts.get(&number)?;
        (running.name == name && running.worker == worker).then_some(number)
    }

    fn lose(&mut self, worker: WorkerId) {
        if self.forget(worker, "a worker has gone") {
            self.step(Event::WorkerLost { worker });
        }
    }

    /// Ends a worker's stream and tells the jobs that ran on it; false if it was not known any more.
    fn forget(&mut self, worker: WorkerId, what: &str) -> bool {
        let Some(gone) = self.workers.remove(&worker) else { return false };
        let lost: Vec<AttemptId> = self
            .attempts
            .iter()
            .filter(|(_, a)| a.worker == worker)
            .map(|(id, _)| *id)
            .collect();
        tracing::info!(worker = %gone.name, attempts = lost.len(), "{what}");
        for attempt in lost {
            let running = self.end(attempt).expect("listed above");
            self.notice(
                running.job,
                Notice::Lost {
                    task: running.task.0,
                    worker: gone.name.clone(),
                },
            );
        }
        true
    }

    fn step(&mut self, event: Event) {
        let now = self.now();
        // A process that was paused has heard nobody; that is not the workers' silence.
        if now.saturating_sub(self.stepped_ms) > PAUSED_MS {
            let resumed = self.machine.step(now, Event::Resumed);
            resumed.into_iter().for_each(|action| self.act(action));
        }
        self.stepped_ms = now;
        for action in self.machine.step(now, event) {
            self.act(action);
        }
    }

    fn act(&mut self, action: Action) {
        match action {
            Action::Start {
                job,
                task,
                attempt,
                worker,
                halvings,
                ..
            } => self.start(job, task, attempt, worker, halvings),
            Action::Stop { attempt, worker } => {
                if let Some(stopped) = self.end(attempt) {
                    self.tell(worker, attach_response::Message::Stop(Stop { attempt_id: stopped.name }));
                }
            }
            Action::GiveUp { attempt, worker, error } => {
                if let Some(given_up) = self.end(attempt) {
                    let attempt_id = given_up.name.clone();
                    self.tell_failure(given_up, &error);
                    self.tell(worker, attach_response::Message::Stop(Stop { attempt_id }));
                }
            }
            Action::SetAside { worker, for_ms, why } => {
                let (worker, seconds) = (self.name_of(worker), for_ms / 1_000);
                tracing::warn!(%worker, "a worker is set aside for {seconds} s, its attempts fail where others' do not: {why}");
            }
            // The machine has given its attempts back already.
            Action::Drop { worker } => {
                self.forget(worker, "a worker no longer reports; its tasks go to others");
            }
            Action::StageDone { job } => self.answer(job, Ok(())),
            Action::JobFailed { job, error } => self.answer(job, Err(error)),
        }
    }

    fn start(&mut self, number: JobNumber, task: TaskId, attempt: AttemptId, worker: WorkerId, halvings: u32) {
        let Some(job) = self.jobs.get_mut(&number) else { return };
        fault::point("scheduler:assign");
        job.shown_to.insert(worker);
        let opening = &job.opening;
        let name = format!("{}-{}-{}", opening.incarnation, opening.epoch, attempt.0);
        let assign = Assign {
            attempt_id: name.clone(),
            job_id: opening.id.clone(),
            incarnation: opening.incarnation.to_string(),
            plan: opening.plan.to_string(),
            task: Some(job.tasks[task.0 as usize].to_message()),
            halvings,
        };
        self.attempts.insert(
            attempt,
            Running {
                job: number,
                task,
                worker,
                name,
                rows: 0,
                steps: 0,
            },
        );
        self.tell(worker, attach_response::Message::Assign(assign));
    }

    fn answer(&mut self, job: JobNumber, outcome: Result<()>) {
        self.tell_progress(job);
        if let Some(reply) = self.jobs.get_mut(&job).and_then(|job| job.reply.take()) {
            let _ = reply.send(outcome);
        }
    }

    /// A worker that takes no messages any more is let go: what it was told last may not have arrived.
    fn tell(&mut self, worker: WorkerId, message: attach_response::Message) {
        if let Some(known) = self.workers.get(&worker)
            && known.outbox.try_send(AttachResponse { message: Some(message) }).is_err()
        {
            self.unresponsive.push(worker);
        }
    }

    fn notice(&self, job: JobNumber, notice: Notice) {
        if let Some(job) = self.jobs.get(&job)
            && let Err(error) = job.failures.try_send(notice)
        {
            tracing::debug!(job = job.opening.id, "a failure is not journaled: {error}");
        }
    }

    fn tell_progress(&self, number: JobNumber) {
        let (Some(job), Some(progress)) = (self.jobs.get(&number), self.machine.progress(number)) else {
            return;
        };
        let figures = Figures {
            done: progress.done,
            running: progress.running,
            all: progress.all,
            rows: job.rows_done + job.rows_running,
        };
        job.figures.send_replace(figures);
    }

    fn name_of(&self, worker: WorkerId) -> String {
        self.workers.get(&worker).map_or_else(String::new, |worker| worker.name.clone())
    }
}
