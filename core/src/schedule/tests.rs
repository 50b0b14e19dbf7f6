//! The rules of the scheduler one by one.

use super::*;

const JOB: JobNumber = JobNumber(0);

/// A machine with workers of these slots, numbered from 0.
fn with_workers(slots: &[usize]) -> Machine {
    let mut machine = Machine::default();
    for (number, slots) in slots.iter().enumerate() {
        machine.step(0, joined(number as u64, *slots, 0));
    }
    machine
}

fn joined(worker: u64, slots: usize, memory_bytes: u64) -> Event {
    Event::WorkerJoined {
        worker: WorkerId(worker),
        name: worker.to_string(),
        slots,
        memory_bytes,
        heartbeats: false,
    }
}

fn opened(job: JobNumber, priority: u32, max_running: Option<usize>) -> Event {
    Event::JobOpened {
        job,
        priority,
        max_running,
    }
}

fn stage(job: JobNumber, weights: &[u64]) -> Event {
    let tasks = weights.iter().map(|weight| NewTask::new(*weight, 0)).collect();
    Event::StageOpened { job, tasks }
}

/// One worker of so many slots, one job.
fn machine(slots: usize, weights: &[u64]) -> (Machine, Vec<Action>) {
    let mut machine = with_workers(&[slots]);
    machine.step(0, opened(JOB, 1, None));
    let actions = machine.step(0, stage(JOB, weights));
    (machine, actions)
}

fn done(attempt: u64) -> Event {
    Event::Done {
        attempt: AttemptId(attempt),
    }
}

fn failed(attempt: u64, kind: Kind) -> Event {
    Event::Failed {
        attempt: AttemptId(attempt),
        error: Error::new(kind, "it failed"),
    }
}

fn lost(worker: u64) -> Event {
    Event::WorkerLost { worker: WorkerId(worker) }
}

fn stop(attempt: u64, worker: u64) -> Action {
    Action::Stop {
        attempt: AttemptId(attempt),
        worker: WorkerId(worker),
    }
}

/// What starts, as job, task, attempt and worker.
fn starts(actions: &[Action]) -> Vec<(u64, u32, u64, u64)> {
    let start = |action: &Action| match action {
        Action::Start {
            job,
            task,
            attempt,
            worker,
            ..
        } => Some((job.0, task.0, attempt.0, worker.0)),
        _ => None,
    };
    actions.iter().filter_map(start).collect()
}

#[test]
fn heavier_tasks_start_first_and_slots_are_kept() {
    let (mut machine, actions) = machine(2, &[1, 5, 3]);
    assert_eq!(starts(&actions), [(0, 1, 0, 0), (0, 2, 1, 0)]);
    assert_eq!((machine.runnable(), machine.running()), (1, 2));
    assert_eq!(starts(&machine.step(1, done(0))), [(0, 0, 2, 0)]);
    assert_eq!(machine.step(2, done(1)), []);
    assert_eq!(machine.step(3, done(2)), [Action::StageDone { job: JOB }]);
    let progress = machine.progress(JOB).expect("an open job");
    assert_eq!((progress.done, progress.running, progress.all, progress.retries), (3, 0, 3, 0));
}

#[test]
fn a_stage_without_work_is_done_at_once() {
    assert_eq!(machine(1, &[]).1, [Action::StageDone { job: JOB }]);
    let (mut machine, _) = machine(1, &[1]);
    let known = NewTask {
        done: true,
        ..NewTask::default()
    };
    let actions = machine.step(
        1,
        Event::StageOpened {
            job: JOB,
            tasks: vec![known],
        },
    );
    assert_eq!(
        actions,
        [stop(0, 0), Action::StageDone { job: JOB }],
        "it replaces the former stage"
    );
}

#[test]
fn exhausted_attempts_come_back_with_a_smaller_share_after_a_wait() {
    let (mut machine, _) = machine(1, &[1]);
    assert_eq!(machine.step(10, failed(0, Kind::Exhausted)), []);
    assert_eq!(machine.next_deadline(), Some(10 + BACKOFF_MS));
    assert_eq!(machine.step(9 + BACKOFF_MS, Event::Tick), []);
    let again = Action::Start {
        job: JOB,
        task: TaskId(0),
        attempt: AttemptId(1),
        worker: WorkerId(0),
        number: 1,
        halvings: 1,
        speculative: false,
    };
    assert_eq!(machine.step(10 + BACKOFF_MS, Event::Tick), [again]);
    assert_eq!(machine.progress(JOB).map(|p| p.retries), Some(1));
}

#[test]
fn how_often_a_task_may_fail_depends_on_the_kind() {
    let cases = [
        (Kind::Spec, 1),
        (Kind::Input, 1),
        (Kind::Interrupted, 1),
        (Kind::Internal, MAX_ATTEMPTS),
        (Kind::Exhausted, MAX_ATTEMPTS),
        (Kind::Unavailable, MAX_UNAVAILABLE),
    ];
    for (kind, limit) in cases {
        let (mut machine, _) = machine(2, &[2, 1]);
        machine.step(1, done(1));
        let mut attempt = 0;
        for failures in 1..=limit {
            let now_ms = u64::from(failures) * 100_000;
            for (_, task, started, _) in starts(&machine.step(now_ms, Event::Tick)) {
                assert_eq!(task, 0);
                attempt = started;
            }
            let error = Error::new(kind, "it failed");
            let expected = if failures == limit {
                vec![Action::JobFailed { job: JOB, error }]
            } else {
                vec![]
            };
            assert_eq!(machine.step(now_ms, failed(attempt, kind)), expected, "{kind:?} {failures}");
        }
        assert_eq!(machine.step(9_999_999, Event::Tick), [], "a failed job starts nothing");
        assert_eq!(machine.step(9_999_999, stage(JOB, &[1])), []);
    }
}

#[test]
fn a_failed_job_stops_what_it_runs_and_leaves_others_alone() {
    let (mut machine, _) = machine(3, &[1, 1]);
    machine.step(0, opened(JobNumber(1), 1, None));
    assert_eq!(starts(&machine.step(0, stage(JobNumber(1), &[1, 1]))), [(1, 0, 2, 0)]);
    let actions = machine.step(1, failed(0, Kind::Input));
    assert_eq!(actions[0], stop(1, 0));
    assert!(matches!(&actions[1], Action::JobFailed { job: JOB, error } if error.kind == Kind::Input));
    assert_eq!(starts(&actions), [(1, 1, 3, 0)]);
    assert_eq!(machine.step(2, done(1)), [], "a stopped attempt is forgotten");
    assert_eq!(machine.step(2, Event::Cancel { job: JOB }), [], "it failed already");
    assert_eq!(machine.step(3, Event::JobClosed { job: JOB }), []);
    assert_eq!(machine.progress(JOB), None);
}

#[test]
fn a_cancelled_job_is_interrupted_even_between_its_stages() {
    let mut machine = with_workers(&[1]);
    machine.step(0, opened(JOB, 1, None));
    let actions = machine.step(1, Event::Cancel { job: JOB });
    assert!(matches!(&actions[..], [Action::JobFailed { error, .. }] if error.kind == Kind::Interrupted));
}

#[test]
fn the_first_done_counts_and_a_lost_worker_gives_its_tasks_back() {
    let (mut machine, _) = machine(1, &[1]);
    machine.step(1, joined(1, 1, 0));
    machine.step(2, lost(0));
    assert_eq!(starts(&machine.step(2 + BACKOFF_MS, Event::Tick)), [(0, 0, 1, 1)]);
    assert_eq!(machine.step(900, done(0)), [], "a zombie's result does not count");
    assert_eq!(machine.step(901, done(1)), [Action::StageDone { job: JOB }]);
    assert_eq!(machine.step(902, done(1)), []);
}

#[test]
fn a_task_that_loses_worker_after_worker_fails_its_job() {
    let (mut machine, _) = machine(1, &[1]);
    for worker in 1..u64::from(MAX_ATTEMPTS) {
        assert_eq!(starts(&machine.step(worker * 100_000, lost(worker - 1))), []);
        machine.step(worker * 200_000, joined(worker, 1, 0));
        assert_eq!(machine.running(), 1);
    }
    let actions = machine.step(9_000_000, lost(3));
    let [Action::JobFailed { error, .. }] = &actions[..] else {
        panic!("{actions:?}")
    };
    assert!(error.what.starts_with("task 0 was on 4 workers that were lost; "), "{error}");
}

#[test]
fn a_silent_worker_is_dropped_and_one_of_the_same_process_never() {
    let mut machine = with_workers(&[1]);
    let heard = Event::WorkerJoined {
        worker: WorkerId(7),
        name: "seven".into(),
        slots: 1,
        memory_bytes: 0,
        heartbeats: true,
    };
    machine.step(0, heard);
    machine.step(9_000, Event::WorkerSeen { worker: WorkerId(7) });
    assert_eq!(machine.next_deadline(), Some(9_000 + LOST_AFTER_MS));
    assert_eq!(machine.step(8_999 + LOST_AFTER_MS, Event::Tick), []);
    let dropped = Action::Drop { worker: WorkerId(7) };
    assert_eq!(machine.step(9_000 + LOST_AFTER_MS, Event::Tick), [dropped]);
    assert_eq!(machine.step(9_000 + LOST_AFTER_MS, Event::WorkerSeen { worker: WorkerId(7) }), []);
    assert_eq!((machine.next_deadline(), machine.slots()), (None, 1));
}

#[test]
fn a_draining_worker_ends_what_it_runs_or_hands_it_back_without_blame() {
    let (mut machine, _) = machine(2, &[3, 2, 1]);
    assert_eq!(machine.step(1, Event::WorkerDraining { worker: WorkerId(0) }), []);
    assert_eq!(machine.step(2, done(0)), [], "its free slot is not used");
    machine.step(3, joined(1, 1, 0));
    let back = machine.step(4, Event::HandedBack { attempt: AttemptId(1) });
    assert_eq!(back, [], "the other worker is full");
    assert_eq!(starts(&machine.step(5, done(2))), [(0, 1, 3, 1)]);
    assert_eq!(machine.step(6, done(3)), [Action::StageDone { job: JOB }]);
}

#[test]
fn jobs_share_by_priority_within_their_caps() {
    let mut machine = with_workers(&[8]);
    for (job, priority, cap) in [(0, 1, None), (1, 3, None), (2, 9, Some(1))] {
        machine.step(0, opened(JobNumber(job), priority, cap));
    }
    // The slots are taken until all three have work.
    let blocker = JobNumber(9);
    machine.step(0, opened(blocker, 1, None));
    machine.step(0, stage(blocker, &[1; 8]));
    for job in 0..3 {
        machine.step(0, stage(JobNumber(job), &[1; 20]));
    }
    assert_eq!(machine.runnable(), 41, "a cap counts");
    let actions = machine.step(1, Event::JobClosed { job: blocker });
    let jobs: Vec<u64> = starts(&actions).iter().map(|(job, ..)| *job).collect();
    assert_eq!(jobs, [0, 1, 2, 1, 1, 0, 1, 1]);
}

#[test]
fn tasks_go_where_they_fit_and_the_largest_worker_takes_what_fits_nowhere() {
    let mut machine = Machine::default();
    machine.step(0, joined(0, 4, 400));
    machine.step(0, joined(1, 2, 600));
    machine.step(0, opened(JOB, 1, None));
    let needs = [(9, 1_000), (8, 250), (7, 200), (6, 100), (5, 101), (4, 0)];
    let tasks = needs.map(|(weight, memory_bytes)| NewTask::new(weight, memory_bytes)).to_vec();
    let actions = machine.step(0, Event::StageOpened { job: JOB, tasks });
    // Too large for all, and 250, go to slots of 300; 200 and 101 wait for them, the others do not wait behind.
    assert_eq!(starts(&actions), [(0, 0, 0, 1), (0, 1, 1, 1), (0, 3, 2, 0), (0, 5, 3, 0)]);
    assert_eq!(starts(&machine.step(1, failed(0, Kind::Exhausted))), [(0, 2, 4, 1)]);
    let actions = machine.step(2, lost(1));
    assert_eq!(starts(&actions), [(0, 4, 5, 0)], "the smaller worker is the largest now");
}

#[test]
fn a_slow_task_gets_one_more_attempt_on_another_worker() {
    let mut machine = with_workers(&[3, 1]);
    machine.step(0, opened(JOB, 1, None));
    assert_eq!(
        starts(&machine.step(0, stage(JOB, &[4, 3, 2, 1]))),
        [(0, 0, 0, 0), (0, 1, 1, 0), (0, 2, 2, 0), (0, 3, 3, 1)]
    );
    machine.step(1_000, done(3));
    machine.step(1_000, done(1));
    assert_eq!(machine.next_deadline(), None, "too few are done");
    machine.step(1_000, done(2));
    assert_eq!(machine.next_deadline(), Some(1_501));
    let actions = machine.step(1_501, Event::Tick);
    assert!(matches!(
        actions[..],
        [Action::Start {
            speculative: true,
            number: 1,
            ..
        }]
    ));
    assert_eq!(starts(&actions), [(0, 0, 4, 1)]);
    assert_eq!(machine.step(1_600, failed(4, Kind::Internal)), [], "the first still runs");
    assert_eq!(machine.step(99_000, Event::Tick), [], "one is enough");
    assert_eq!(machine.step(99_001, done(0)), [Action::StageDone { job: JOB }]);
}

#[test]
fn bad_input_fails_a_job_even_while_another_attempt_runs() {
    let mut machine = with_workers(&[4, 1]);
    machine.step(0, opened(JOB, 1, None));
    machine.step(0, stage(JOB, &[4, 3, 2, 1]));
    for attempt in 1..4 {
        machine.step(1_000, done(attempt));
    }
    assert_eq!(starts(&machine.step(1_501, Event::Tick)), [(0, 0, 4, 1)]);
    let actions = machine.step(1_502, failed(4, Kind::Input));
    assert!(
        matches!(&actions[..], [Action::Stop { .. }, Action::JobFailed { .. }]),
        "{actions:?}"
    );
}

#[test]
fn second_attempts_get_only_what_no_ready_task_wants() {
    let mut machine = with_workers(&[4, 1]);
    machine.step(0, opened(JOB, 1, None));
    machine.step(0, stage(JOB, &[4, 3, 2, 1]));
    for attempt in 1..4 {
        machine.step(1_000, done(attempt));
    }
    machine.step(1_000, opened(JobNumber(1), 1, None));
    machine.step(1_000, stage(JobNumber(1), &[1; 5]));
    assert_eq!(machine.step(2_000, Event::Tick), []);
    assert_eq!(machine.next_deadline(), None, "a free slot comes with an event");
    machine.step(2_001, opened(JobNumber(1), 1, Some(1)));
    assert_eq!(starts(&machine.step(2_002, done(7))), [(0, 0, 8, 1)], "the other job is at its cap");
}

/// A worker of another process, with a name.
fn foreign(worker: u64, slots: usize) -> Event {
    Event::WorkerJoined {
        worker: WorkerId(worker),
        name: format!("worker {worker}"),
        slots,
        memory_bytes: 0,
        heartbeats: true,
    }
}

/// Two workers of other processes, and a job of these weights.
fn foreign_machine(slots: [usize; 2], weights: &[u64]) -> (Machine, Vec<Action>) {
    let mut machine = Machine::default();
    for (worker, slots) in slots.into_iter().enumerate().filter(|(_, slots)| *slots > 0) {
        machine.step(0, foreign(worker as u64, slots));
    }
    machine.step(0, opened(JOB, 1, None));
    let actions = machine.step(0, stage(JOB, weights));
    (machine, actions)
}

fn fails_job(actions: &[Action], kind: Kind) -> bool {
    actions
        .iter()
        .any(|action| matches!(action, Action::JobFailed { error, .. } if error.kind == kind))
}

#[test]
fn bad_input_fails_a_job_once_a_second_worker_says_so_before_anything_else_of_it_runs() {
    let (mut machine, _) = foreign_machine([1, 1], &[9, 8, 7, 1]);
    assert_eq!(starts(&machine.step(1, failed(0, Kind::Input))), [(0, 2, 2, 0)]);
    assert_eq!(
        machine.step(1 + BACKOFF_MS, Event::Tick),
        [],
        "only the other worker may look, and it is busy"
    );
    assert_eq!(starts(&machine.step(1_000, done(1))), [(0, 0, 3, 1)]);
    assert!(fails_job(&machine.step(1_001, failed(3, Kind::Input)), Kind::Input));
}

#[test]
fn the_word_of_the_only_worker_counts_when_nobody_else_came() {
    let (mut machine, _) = foreign_machine([1, 0], &[1]);
    assert_eq!(machine.step(1, failed(0, Kind::Input)), []);
    assert_eq!(machine.step(SECOND_VOICE_MS, Event::Tick), []);
    assert!(fails_job(&machine.step(1 + SECOND_VOICE_MS, Event::Tick), Kind::Input));

    let (mut machine, _) = foreign_machine([1, 0], &[1]);
    assert_eq!(machine.step(1, failed(0, Kind::Input)), []);
    machine.step(9_000, foreign(1, 1));
    let actions = machine.step(1 + SECOND_VOICE_MS, Event::Tick);
    assert_eq!(starts(&actions), [(0, 0, 1, 1)], "somebody came");
    assert_eq!(machine.step(15_000, done(1)), [Action::StageDone { job: JOB }]);
}

#[test]
fn who_says_done_what_is_not_is_set_aside_and_the_task_runs_elsewhere() {
    let (mut machine, _) = foreign_machine([2, 1], &[2, 1]);
    machine.step(1, done(0));
    assert_eq!(machine.step(2, done(1)), [Action::StageDone { job: JOB }]);
    let missing = Event::NotFound { job: JOB, task: TaskId(0) };
    let actions = machine.step(3, missing);
    assert!(
        matches!(
            actions[..],
            [Action::SetAside {
                worker: WorkerId(0),
                for_ms: ASIDE_MS,
                ..
            }]
        ),
        "{actions:?}"
    );
    assert_eq!(machine.aside(), 1);
    assert_eq!(starts(&machine.step(3 + BACKOFF_MS, Event::Tick)), [(0, 0, 2, 1)]);
    assert_eq!(machine.step(1_000, done(2)), [Action::StageDone { job: JOB }]);
    machine.step(3 + ASIDE_MS, Event::Tick);
    assert_eq!(machine.aside(), 0);
}

#[test]
fn an_attempt_in_which_nothing_moves_goes_elsewhere_and_one_that_moves_stays() {
    let (mut machine, _) = foreign_machine([1, 1], &[2, 1]);
    // Both are heard of; only the second attempt moves.
    for now_ms in (0..STILL_MS).step_by(HEARTBEAT_MS as usize) {
        machine.step(now_ms, Event::WorkerSeen { worker: WorkerId(0) });
        machine.step(now_ms, Event::WorkerSeen { worker: WorkerId(1) });
        machine.step(now_ms, Event::Moved { attempt: AttemptId(1) });
    }
    let actions = machine.step(STILL_MS, Event::Tick);
    assert!(
        matches!(
            &actions[0],
            Action::GiveUp {
                attempt: AttemptId(0),
                worker: WorkerId(0),
                ..
            }
        ),
        "{actions:?}"
    );
    assert!(matches!(&actions[1], Action::SetAside { worker: WorkerId(0), .. }), "{actions:?}");
    assert_eq!(machine.running(), 1);
    assert_eq!(starts(&machine.step(STILL_MS + 2_000, done(1))), [(0, 0, 2, 1)]);
}

#[test]
fn a_task_that_lost_two_workers_runs_alone() {
    let mut machine = Machine::default();
    machine.step(0, foreign(0, 2));
    machine.step(0, opened(JOB, 1, None));
    machine.step(0, stage(JOB, &[2, 1]));
    machine.step(1_000, lost(0));
    machine.step(2_000, foreign(1, 2));
    machine.step(3_000, lost(1));
    machine.step(4_000, foreign(2, 2));
    assert_eq!(machine.running(), 1, "one at a time");
    machine.step(5_000, foreign(3, 2));
    assert_eq!(machine.running(), 2, "each on a worker of its own");
    machine.step(6_000, done(4));
    assert_eq!(machine.step(7_000, done(5)), [Action::StageDone { job: JOB }]);
}
