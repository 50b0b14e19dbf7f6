//! The scheduler in fake time, with fake workers and jobs from one seed: everything goes wrong for a while, then nothing does.
//!
//! A `Model` knows the rules naively and checks every action; this file only makes things happen. Time goes from one planned happening, or
//! deadline of the machine, to the next. While it is not calm, workers join, drain, vanish, fall silent and wake as zombies; attempts fail
//! in every way, hang, or report twice; jobs are cancelled, replaced and closed. Some workers are bad for good: they fail whatever they are
//! given, say done what is not, or pretend to be busy. In the calm everything that is asked of the others is done, and every job must end.

mod model;
mod tests;

use super::*;
use model::Model;

struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        crate::mix::next(&mut self.0)
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit.max(1)
    }

    fn percent(&mut self, chance: u64) -> bool {
        self.below(100) < chance
    }

    fn pick<T: Copy>(&mut self, of: &[T]) -> Option<T> {
        let at = self.below(of.len() as u64) as usize;
        of.get(at).copied()
    }
}

/// How bad a world is.
struct FaultPlan {
    /// When the calm begins.
    calm_at_ms: u64,
    /// Percent of attempts that fail.
    failing: u64,
    /// The kinds they fail with.
    kinds: Vec<Kind>,
    /// Percent of attempts that end with their worker.
    killing: u64,
    /// The longest time between two mishaps.
    mishap_every_ms: u64,
    /// Workers and tasks have sizes.
    sizes: bool,
    /// Percent of workers that are bad.
    bad: u64,
}

/// What a worker does with what it is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Temper {
    #[default]
    Good,
    /// It fails everything at once.
    Fails(Kind),
    /// It says done at once, and nothing is.
    Lies,
    /// It does nothing, and is there.
    Mute,
    /// It says that it moves, and nothing comes of it.
    Pretends,
}

const BAD: [Temper; 9] = [
    Temper::Fails(Kind::Spec),
    Temper::Fails(Kind::Input),
    Temper::Fails(Kind::Unavailable),
    Temper::Fails(Kind::Exhausted),
    Temper::Fails(Kind::Internal),
    Temper::Fails(Kind::Interrupted),
    Temper::Lies,
    Temper::Mute,
    Temper::Pretends,
];

impl FaultPlan {
    fn new(random: &mut Random) -> Self {
        let kinds = [Kind::Unavailable, Kind::Exhausted, Kind::Internal];
        let mut weather = FaultPlan {
            calm_at_ms: 10_000 + random.below(60_000),
            failing: random.pick(&[0, 10, 30, 90]).unwrap_or(0),
            kinds: kinds.to_vec(),
            killing: random.pick(&[0, 0, 0, 50]).unwrap_or(0),
            mishap_every_ms: random.pick(&[500, 2_000, 10_000]).unwrap_or(500),
            sizes: random.percent(50),
            bad: random.pick(&[0, 0, 20, 60]).unwrap_or(0),
        };
        match random.below(10) {
            // A store that is gone for longer than tasks are tried.
            0 => (weather.kinds, weather.failing, weather.calm_at_ms) = (vec![Kind::Unavailable], 100, 200_000),
            1 => weather.kinds = kinds.iter().copied().filter(|_| random.percent(50)).collect(),
            2..5 => weather.kinds.extend([Kind::Input, Kind::Spec, Kind::Interrupted]),
            _ => {}
        }
        weather
    }
}

/// Something that will happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Plan {
    Heartbeat(WorkerId),
    End(AttemptId),
    OpenJob(JobNumber),
    NextStage(JobNumber),
    CloseJob(JobNumber),
    Mishap,
    Calm,
}

/// A fake worker; it lives on when the scheduler has dropped it.
#[derive(Debug, Default)]
struct Process {
    temper: Temper,
    /// It does nothing until then.
    paused_until_ms: u64,
    /// Its stream is open, as far as anybody knows.
    attached: bool,
}

struct World {
    random: Random,
    weather: FaultPlan,
    now_ms: u64,
    calm: bool,
    machine: Machine,
    model: Model,
    processes: BTreeMap<WorkerId, Process>,
    /// Attempts in which nothing moves any more.
    hung: BTreeSet<AttemptId>,
    /// Tasks that were said to be done, and are not.
    lies: BTreeSet<(JobNumber, TaskId)>,
    /// Stages that are still to come.
    stages_left: BTreeMap<JobNumber, u64>,
    agenda: BTreeSet<(u64, u64, Plan)>,
    planned: u64,
    /// A fingerprint of all actions.
    trace: u64,
}

impl World {
    fn new(seed: u64) -> Self {
        let mut random = Random(seed);
        let weather = FaultPlan::new(&mut random);
        let mut world = World {
            random,
            weather,
            now_ms: 0,
            calm: false,
            machine: Machine::default(),
            model: Model::default(),
            processes: BTreeMap::new(),
            hung: BTreeSet::new(),
            lies: BTreeSet::new(),
            stages_left: BTreeMap::new(),
            agenda: BTreeSet::new(),
            planned: 0,
            trace: 0,
        };
        for job in 0..1 + world.random.below(4) {
            let at = world.random.below(world.weather.calm_at_ms / 2);
            world.plan(at, Plan::OpenJob(JobNumber(job)));
        }
        let calm_at_ms = world.weather.calm_at_ms;
        world.plan(calm_at_ms, Plan::Calm);
        world.plan(0, Plan::Mishap);
        world
    }

    /// Runs to the end of every job.
    fn run(&mut self) {
        while !self.is_over() {
            let deadline = self.machine.next_deadline();
            let (at, _, plan) = *self.agenda.first().expect("something is left to happen");
            if let Some(deadline) = deadline.filter(|deadline| *deadline <= at) {
                // Whoever drives the machine may be late.
                let late = if self.random.percent(20) { self.random.below(3_000) } else { 0 };
                self.now_ms = self.now_ms.max(deadline + late);
                self.step(Event::Tick);
            } else {
                self.agenda.pop_first();
                self.now_ms = self.now_ms.max(at);
                self.happen(plan);
            }
            assert!(self.now_ms < self.weather.calm_at_ms + self.patience(), "the jobs do not end");
        }
        assert_eq!(self.machine.running(), 0, "an attempt was lost");
        assert_eq!(self.machine.waiting.len(), 0, "a closed job waits");
    }

    /// How long jobs may take in the calm. Whoever pretends to be busy holds a task for hours.
    fn patience(&self) -> u64 {
        match self.weather.bad {
            0 => 1_800_000,
            _ => 100 * LONGEST_MS,
        }
    }

    fn is_over(&self) -> bool {
        self.calm && self.model.jobs.is_empty() && !self.agenda.iter().any(|(.., plan)| matches!(plan, Plan::OpenJob(_)))
    }

    fn plan(&mut self, after_ms: u64, plan: Plan) {
        self.planned += 1;
        self.agenda.insert((self.now_ms + after_ms, self.planned, plan));
    }

    fn happen(&mut self, plan: Plan) {
        match plan {
            Plan::Heartbeat(worker) => self.heartbeat(worker),
            Plan::End(attempt) => self.end(attempt),
            Plan::OpenJob(job) => {
                self.open_job(job);
                let stages = 1 + self.random.below(3);
                self.stages_left.insert(job, stages);
                let pause = self.random.below(500);
                self.plan(pause, Plan::NextStage(job));
            }
            Plan::NextStage(job) => self.next_stage(job),
            Plan::CloseJob(job) => self.step(Event::JobClosed { job }),
            Plan::Mishap if self.calm => {}
            Plan::Mishap => {
                self.mishap();
                let pause = self.random.below(self.weather.mishap_every_ms);
                self.plan(pause, Plan::Mishap);
            }
            Plan::Calm => self.become_calm(),
        }
    }

    /// Tells the machine, checks what it says, does it.
    fn step(&mut self, event: Event) {
        // A clock may go back a little.
        let back = if self.random.percent(2) { self.random.below(50) } else { 0 };
        let now_ms = self.now_ms.saturating_sub(back);
        let actions = self.machine.step(now_ms, event.clone());
        self.model.step(now_ms, &event, &actions);
        self.model.rest(&self.machine);
        for action in actions {
            self.act(&action);
        }
    }

    fn act(&mut self, action: &Action) {
        let mark = |kind: u64, a: u64, b: u64| kind + 7 * a + 1_000_003 * b;
        let mark = match *action {
            Action::Start { attempt, worker, job, .. } => {
                match self.run_time(worker) {
                    Some(pause) => self.plan(pause, Plan::End(attempt)),
                    None => {
                        self.hung.insert(attempt);
                    }
                }
                mark(job.0, attempt.0, worker.0)
            }
            Action::Stop { attempt, worker } => mark(1, attempt.0, worker.0),
            Action::GiveUp { attempt, worker, .. } => mark(5, attempt.0, worker.0),
            Action::SetAside { worker, .. } => mark(6, worker.0, 0),
            Action::Drop { worker } => {
                self.detach(worker);
                mark(2, worker.0, 0)
            }
            Action::StageDone { job } => {
                let pause = self.random.below(100);
                self.plan(pause, Plan::NextStage(job));
                mark(3, job.0, 0)
            }
            Action::JobFailed { job, .. } => {
                let pause = self.random.below(2_000);
                self.plan(pause, Plan::CloseJob(job));
                mark(4, job.0, 0)
            }
        };
        self.trace = self.trace.rotate_left(5) ^ mark.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    }

    /// How long an attempt takes; some never end, while it is not calm.
    fn run_time(&mut self, worker: WorkerId) -> Option<u64> {
        match self.processes[&worker].temper {
            Temper::Mute | Temper::Pretends => return None,
            Temper::Fails(_) | Temper::Lies => return Some(self.random.below(100)),
            Temper::Good => {}
        }
        match self.random.below(100) {
            0..2 if !self.calm => None,
            0..8 => Some(20_000 + self.random.below(60_000)),
            8..20 => Some(self.random.below(5)),
            _ => Some(500 + self.random.below(2_500)),
        }
    }

    fn join(&mut self, slots: usize) {
        let slot_bytes = if self.weather.sizes {
            self.random.pick(&[100, 250, 1_000]).unwrap_or(0)
        } else {
            self.random.pick(&[0, 100]).unwrap_or(0)
        };
        let bad = self.random.percent(self.weather.bad) && !self.calm;
        let temper = self.random.pick(&BAD).filter(|_| bad).unwrap_or_default();
        // One of the same process is good.
        let heartbeats = bad || self.random.percent(85);
        self.join_as(slots, slot_bytes, heartbeats, temper);
    }

    fn join_as(&mut self, slots: usize, slot_bytes: u64, heartbeats: bool, temper: Temper) {
        let worker = WorkerId(self.processes.len() as u64);
        let process = Process {
            temper,
            paused_until_ms: 0,
            attached: true,
        };
        self.processes.insert(worker, process);
        self.step(Event::WorkerJoined {
            worker,
            // Some come back, and some have the name of another.
            name: format!("worker {}", worker.0 % 5),
            slots,
            memory_bytes: slot_bytes * slots as u64,
            heartbeats,
        });
        if heartbeats {
            self.plan(HEARTBEAT_MS, Plan::Heartbeat(worker));
        }
    }

    /// A zombie's heartbeats go on for a while.
    fn heartbeat(&mut self, worker: WorkerId) {
        let process = &self.processes[&worker];
        let pause = process.paused_until_ms.saturating_sub(self.now_ms);
        if pause > 0 {
            return self.plan(pause, Plan::Heartbeat(worker));
        }
        if process.attached || self.random.percent(80) {
            self.plan(HEARTBEAT_MS, Plan::Heartbeat(worker));
        }
        self.step(Event::WorkerSeen { worker });
        let runs = self.model.running.iter().filter(|(_, a)| a.worker == worker).map(|(id, _)| *id);
        let pretends = self.processes[&worker].temper == Temper::Pretends;
        for attempt in runs.filter(|id| pretends || !self.hung.contains(id)).collect::<Vec<_>>() {
            self.step(Event::Moved { attempt });
        }
    }

    /// A worker has ended an attempt, whether somebody still waits for it or not.
    fn end(&mut self, attempt: AttemptId) {
        let known = self.model.running.get(&attempt).or_else(|| self.model.ended.get(&attempt));
        let Some((job, task, worker)) = known.map(|a| (a.job, a.task, a.worker)) else {
            return;
        };
        let pause = self.processes[&worker].paused_until_ms.saturating_sub(self.now_ms);
        if pause > 0 {
            return self.plan(pause, Plan::End(attempt));
        }
        match self.processes[&worker].temper {
            Temper::Good => {}
            Temper::Mute | Temper::Pretends => return,
            Temper::Fails(kind) => {
                let error = Error::new(kind, "a bad worker says so");
                return self.step(Event::Failed { attempt, error });
            }
            Temper::Lies => {
                if self.model.running.contains_key(&attempt) {
                    self.lies.insert((job, task));
                }
                return self.step(Event::Done { attempt });
            }
        }
        let (failing, killing) = (self.weather.failing, self.weather.killing);
        if !self.calm && self.random.percent(killing) {
            self.detach(worker);
            return self.step(Event::WorkerLost { worker });
        }
        if !self.calm && self.random.percent(failing) {
            let kind = self.random.pick(&self.weather.kinds).unwrap_or(Kind::Internal);
            let error = Error::new(kind, "it failed");
            return self.step(Event::Failed { attempt, error });
        }
        self.step(Event::Done { attempt });
    }

    fn open_job(&mut self, job: JobNumber) {
        let priority = 1 + self.random.below(4) as u32;
        let max_running = self.random.percent(30).then(|| 1 + self.random.below(4) as usize);
        self.step(Event::JobOpened {
            job,
            priority,
            max_running,
        });
    }

    fn next_stage(&mut self, job: JobNumber) {
        let left = self.stages_left.get(&job).copied().unwrap_or(0);
        if !self.model.jobs.contains_key(&job) {
            return;
        }
        // Whoever drives the job reads what was committed.
        let lies: Vec<TaskId> = self.lies.iter().filter(|(of, _)| *of == job).map(|(_, task)| *task).collect();
        if !lies.is_empty() && self.model.jobs[&job].is_done() {
            self.lies.retain(|(of, _)| *of != job);
            lies.into_iter().for_each(|task| self.step(Event::NotFound { job, task }));
            return;
        }
        self.lies.retain(|(of, _)| *of != job);
        if left == 0 {
            let pause = self.random.below(2_000);
            return self.plan(pause, Plan::CloseJob(job));
        }
        self.stages_left.insert(job, left - 1);
        let tasks = (0..self.random.below(14)).map(|_| self.new_task()).collect();
        self.step(Event::StageOpened { job, tasks });
    }

    fn new_task(&mut self) -> NewTask {
        let had_trouble = self.random.percent(10);
        NewTask {
            weight: self.random.below(5),
            memory_bytes: if self.weather.sizes { self.random.below(6) * 70 } else { 0 },
            attempts: if had_trouble { self.random.below(4) as u32 } else { 0 },
            lost: if had_trouble { self.random.below(4) as u32 } else { 0 },
            halvings: if had_trouble { self.random.below(3) as u32 } else { 0 },
            done: self.random.percent(10),
        }
    }

    fn detach(&mut self, worker: WorkerId) {
        if let Some(process) = self.processes.get_mut(&worker) {
            process.attached = false;
        }
    }

    fn mishap(&mut self) {
        let workers: Vec<WorkerId> = self.model.workers.keys().copied().collect();
        let jobs: Vec<JobNumber> = self.model.jobs.keys().copied().collect();
        let attempts: Vec<AttemptId> = self.model.running.keys().copied().collect();
        let (worker, job, attempt) = (self.random.pick(&workers), self.random.pick(&jobs), self.random.pick(&attempts));
        match (self.random.below(100), worker, job, attempt) {
            (0..30, ..) if workers.len() < 6 => {
                let slots = self.random.below(5) as usize;
                self.join(slots);
            }
            (30..40, Some(worker), ..) => self.step(Event::WorkerDraining { worker }),
            (40..50, Some(worker), ..) => {
                self.detach(worker);
                self.step(Event::WorkerLost { worker });
            }
            (50..62, Some(worker), ..) => {
                let until_ms = self.now_ms + self.random.below(60_000);
                self.processes.entry(worker).or_default().paused_until_ms = until_ms;
            }
            (62..72, .., Some(attempt)) => self.hand_back(attempt),
            (72..73, _, Some(job), _) => self.step(Event::Cancel { job }),
            (95..97, _, Some(job), _) => {
                let task = TaskId(self.random.below(14) as u32);
                self.step(Event::NotFound { job, task });
            }
            (79..83, _, Some(job), _) => self.open_job(job),
            (83..85, _, Some(job), _) => self.next_stage(job),
            (85..86, _, Some(job), _) => self.step(Event::JobClosed { job }),
            (86..94, ..) => self.late(),
            (94..95, Some(worker), ..) => self.rejoin(worker),
            (97..98, ..) => {
                // Whoever drives the machine slept.
                self.now_ms += self.random.below(60_000);
                self.step(Event::Resumed);
            }
            _ => self.step(Event::Tick),
        }
    }

    /// Mostly in order: the worker drains, and gives back all it has.
    fn hand_back(&mut self, attempt: AttemptId) {
        if self.random.percent(20) {
            return self.step(Event::HandedBack { attempt });
        }
        let Some(worker) = self.model.running.get(&attempt).map(|a| a.worker) else {
            return;
        };
        self.step(Event::WorkerDraining { worker });
        let held = self.model.running.iter().filter(|(_, a)| a.worker == worker);
        for attempt in held.map(|(id, _)| *id).collect::<Vec<_>>() {
            self.step(Event::HandedBack { attempt });
        }
    }

    /// News of what is forgotten, or never was.
    fn late(&mut self) {
        let ended: Vec<AttemptId> = self.model.ended.keys().copied().collect();
        let attempt = self.random.pick(&ended).unwrap_or(AttemptId(u64::MAX));
        let (job, worker, task) = (JobNumber(99), WorkerId(u64::MAX), TaskId(u32::MAX));
        let error = Error::input("late");
        let event = match self.random.below(10) {
            8 => Event::NotFound { job, task },
            9 => Event::Moved { attempt },
            0..2 => Event::Done { attempt },
            2..4 => Event::Failed { attempt, error },
            4 => Event::HandedBack { attempt },
            5 => Event::StageOpened {
                job,
                tasks: vec![NewTask::default()],
            },
            _ => Event::WorkerDraining { worker },
        };
        self.step(event);
    }

    fn rejoin(&mut self, worker: WorkerId) {
        // It is of this process now, and those are good.
        self.processes.entry(worker).or_default().temper = Temper::Good;
        self.step(Event::WorkerJoined {
            worker,
            name: "worker 1".into(),
            slots: 2,
            memory_bytes: 400,
            heartbeats: false,
        });
    }

    /// Two good workers come to stay, and what hung ends.
    fn become_calm(&mut self) {
        self.calm = true;
        self.join(2);
        self.join(3);
        for attempt in self.model.running.keys().copied().collect::<Vec<_>>() {
            let pause = self.random.below(5_000);
            self.plan(pause, Plan::End(attempt));
        }
        self.hung.clear();
        let lost_reports = self.model.jobs.iter().filter(|(_, job)| job.failed || job.is_done());
        for job in lost_reports.map(|(number, _)| *number).collect::<Vec<_>>() {
            self.plan(5_000, Plan::NextStage(job));
        }
    }
}
