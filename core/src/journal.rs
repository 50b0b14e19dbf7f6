//! The journal of a job: its entries as they are stored, and the history they add up to.
//!
//! ```text
//! journal/0  {"version":2,"epoch":1,"at_ms":…,"event":"claimed","owner":"…"}
//! journal/1  {"version":2,"epoch":1,"at_ms":…,"event":"attempt_failed","stage":"scan","task":3,…}
//! journal/2  …
//! ```
//! Each object is created only if it does not exist, so that there is one entry a number. What must always hold: numbers have no gap; an
//! epoch begins with `claimed`, goes up by one, and nobody writes in an older one; nothing follows the end. A reader that finds anything
//! else refuses the journal rather than guess. Any beginning of a journal is a history from which a job can go on: what it does not tell
//! (an attempt that ran, a commit) is found elsewhere, or done again.

use crate::error::{Error, Kind, Result};
use crate::schedule::{NewTask, is_blamed};
use crate::stage::Stage;
use crate::verdict::Verdict;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, VecDeque};

/// The version of the entries that this code writes, and the only one it reads.
pub const VERSION: u32 = 4;
/// How many failures a history keeps; the oldest go first.
pub const MAX_KEPT_FAILURES: usize = 20;

/// One object of a journal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
// By way of a value: an event is known only after its version is, and tagged numbers of any precision cannot be read from text directly.
#[serde(try_from = "serde_json::Value")]
pub struct Entry {
    pub version: u32,
    pub epoch: u64,
    pub at_ms: i64,
    #[serde(flatten)]
    pub event: JobEvent,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum JobEvent {
    /// A coordinator takes the job: the epoch goes up by one.
    Claimed {
        owner: String,
    },
    AttemptFailed {
        stage: Stage,
        task: u32,
        attempt: String,
        worker: String,
        #[serde(flatten)]
        error: Error,
    },
    /// A worker was lost under this task.
    WorkerLost {
        stage: Stage,
        task: u32,
        worker: String,
    },
    StageDone {
        stage: Stage,
    },
    CancelAsked,
    /// An end.
    Failed {
        #[serde(flatten)]
        error: Error,
    },
    /// An end.
    Cancelled,
    /// An end.
    Finished {
        verdict: Verdict,
    },
}

/// How a job ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    Failed(Error),
    Cancelled,
    Finished(Verdict),
}

/// What the entries so far add up to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct History {
    /// 0 before the first claim.
    pub epoch: u64,
    /// Who claimed the job last.
    pub owner: Option<String>,
    /// The number of the next entry.
    pub next_number: u64,
    /// The first stage that is not known to be done; the last one stays.
    pub stage: Stage,
    /// The tasks that failed or lost a worker.
    pub tasks: BTreeMap<(Stage, u32), TaskHistory>,
    /// The last `MAX_KEPT_FAILURES`, the oldest first.
    pub failures: VecDeque<Failure>,
    pub cancel_asked: bool,
    pub ended: Option<End>,
}

/// What happened to one task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TaskHistory {
    /// Failed attempts that the task is blamed for.
    pub attempts: u32,
    /// How often its memory share is halved.
    pub halvings: u32,
    /// Workers lost under it.
    pub lost: u32,
}

/// A failed attempt, or a lost worker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    pub at_ms: i64,
    pub stage: Stage,
    pub task: u32,
    pub worker: String,
    pub error: Error,
}

impl Entry {
    pub fn new(epoch: u64, at_ms: i64, event: JobEvent) -> Self {
        Entry {
            version: VERSION,
            epoch,
            at_ms,
            event,
        }
    }
}

impl TryFrom<serde_json::Value> for Entry {
    type Error = Error;

    fn try_from(value: serde_json::Value) -> Result<Self> {
        #[derive(Deserialize)]
        struct Versioned {
            version: u32,
        }
        #[derive(Deserialize)]
        struct Known {
            epoch: u64,
            at_ms: i64,
            #[serde(flatten)]
            event: JobEvent,
        }
        let malformed = |e: serde_json::Error| Error::internal(format!("journal entry: {e}"));
        let Versioned { version } = Versioned::deserialize(&value).map_err(malformed)?;
        check_version(version)?;
        let Known { epoch, at_ms, event } = Known::deserialize(&value).map_err(malformed)?;
        Ok(Entry {
            version,
            epoch,
            at_ms,
            event,
        })
    }
}

impl History {
    /// Takes the next entry. An entry that cannot follow is refused, and the history stays as it was.
    pub fn apply(&mut self, number: u64, entry: &Entry) -> Result<()> {
        self.check(number, entry).map_err(|e| e.file(format!("journal entry {number}")))?;
        self.next_number += 1;
        match &entry.event {
            JobEvent::Claimed { owner } => {
                self.epoch = entry.epoch;
                self.owner = Some(owner.clone());
            }
            JobEvent::AttemptFailed {
                stage,
                task,
                worker,
                error,
                ..
            } => {
                let known = self.tasks.entry((*stage, *task)).or_default();
                known.attempts += u32::from(is_blamed(error.kind));
                known.halvings += u32::from(error.kind == Kind::Exhausted);
                self.keep(entry.at_ms, *stage, *task, worker, error.clone());
            }
            JobEvent::WorkerLost { stage, task, worker } => {
                self.tasks.entry((*stage, *task)).or_default().lost += 1;
                self.keep(entry.at_ms, *stage, *task, worker, Error::unavailable("its worker was lost"));
            }
            JobEvent::StageDone { stage } => self.stage = self.stage.max(stage.next()),
            JobEvent::CancelAsked => self.cancel_asked = true,
            JobEvent::Failed { error } => self.ended = Some(End::Failed(error.clone())),
            JobEvent::Cancelled => self.ended = Some(End::Cancelled),
            JobEvent::Finished { verdict } => self.ended = Some(End::Finished(*verdict)),
        }
        Ok(())
    }

    /// The tasks of a stage with what the history knows of each; they come in the order of their numbers.
    pub fn new_tasks(&self, stage: Stage, tasks: impl IntoIterator<Item = NewTask>) -> Vec<NewTask> {
        let with_history = |(number, task): (usize, NewTask)| {
            let known = self.tasks.get(&(stage, number as u32)).copied().unwrap_or_default();
            NewTask {
                attempts: known.attempts,
                lost: known.lost,
                halvings: known.halvings,
                ..task
            }
        };
        tasks.into_iter().enumerate().map(with_history).collect()
    }

    fn check(&self, number: u64, entry: &Entry) -> Result<()> {
        check_version(entry.version)?;
        let is_claim = matches!(entry.event, JobEvent::Claimed { .. });
        let epoch = self.epoch + u64::from(is_claim);
        if number != self.next_number {
            return Err(Error::internal(format!(
                "entry {} comes next; one is missing, or read twice",
                self.next_number
            )));
        }
        if self.ended.is_some() {
            return Err(Error::internal("it comes after the end of the job"));
        }
        if entry.epoch != epoch {
            return Err(Error::internal(format!(
                "it is of epoch {}, where only epoch {epoch} can follow: two coordinators wrote at once",
                entry.epoch
            )));
        }
        Ok(())
    }

    fn keep(&mut self, at_ms: i64, stage: Stage, task: u32, worker: &str, error: Error) {
        if self.failures.len() == MAX_KEPT_FAILURES {
            self.failures.pop_front();
        }
        self.failures.push_back(Failure {
            at_ms,
            stage,
            task,
            worker: worker.to_owned(),
            error,
        });
    }
}

fn check_version(version: u32) -> Result<()> {
    if version == VERSION {
        Ok(())
    } else {
        Err(Error::internal(format!(
            "the journal is of version {version}, this shadowdiff reads version {VERSION}: use the one that began the job"
        )))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schedule::{Action, Event, JobNumber, Machine, WorkerId};

    fn attempt_failed(task: u32, kind: Kind) -> JobEvent {
        JobEvent::AttemptFailed {
            stage: Stage::Scan,
            task,
            attempt: "a7".to_owned(),
            worker: "w2".to_owned(),
            error: Error::new(kind, "\"503\"").file("live/part-3.parquet").advice("try later"),
        }
    }

    fn claimed(owner: &str) -> JobEvent {
        JobEvent::Claimed { owner: owner.to_owned() }
    }

    fn worker_lost(task: u32) -> JobEvent {
        JobEvent::WorkerLost {
            stage: Stage::Scan,
            task,
            worker: "w3".to_owned(),
        }
    }

    /// Two owners, every kind of failure, no end.
    fn story() -> Vec<Entry> {
        let of = |epoch, events: Vec<JobEvent>| events.into_iter().map(move |event| Entry::new(epoch, 1_700_000_000_000, event));
        let first = vec![
            claimed("one"),
            attempt_failed(0, Kind::Exhausted),
            attempt_failed(1, Kind::Unavailable),
            attempt_failed(0, Kind::Internal),
            worker_lost(2),
        ];
        let second = vec![
            claimed("two"),
            attempt_failed(0, Kind::Exhausted),
            attempt_failed(0, Kind::Exhausted),
            JobEvent::StageDone { stage: Stage::Scan },
            JobEvent::CancelAsked,
        ];
        of(1, first).chain(of(2, second)).collect()
    }

    fn history(entries: &[Entry]) -> History {
        let mut history = History::default();
        for (number, entry) in entries.iter().enumerate() {
            history.apply(number as u64, entry).expect("it follows");
        }
        history
    }

    /// Runs one stage of three tasks to its end, every attempt succeeding.
    fn goes_on(history: &History) -> bool {
        let mut machine = Machine::default();
        let (job, worker) = (JobNumber(0), WorkerId(0));
        let mut actions = Vec::new();
        for event in [
            Event::WorkerJoined {
                worker,
                name: "one".into(),
                slots: 1,
                memory_bytes: 0,
                heartbeats: false,
            },
            Event::JobOpened {
                job,
                priority: 1,
                max_running: None,
            },
            Event::StageOpened {
                job,
                tasks: history.new_tasks(history.stage, (0..3).map(|i| NewTask::new(i, 0))),
            },
        ] {
            actions = machine.step(0, event);
        }
        for now_ms in 1..=3 {
            let [Action::Start { attempt, .. }] = actions[..] else {
                return false;
            };
            actions = machine.step(now_ms, Event::Done { attempt });
        }
        actions == [Action::StageDone { job }]
    }

    #[test]
    fn a_job_can_go_on_after_any_beginning_of_its_journal() {
        let story = story();
        for length in 0..=story.len() {
            let history = history(&story[..length]);
            assert_eq!(history.next_number, length as u64);
            assert!(goes_on(&history), "after {length} entries");
        }
    }

    #[test]
    fn the_history_tells_blame_halvings_and_lost_workers() {
        let history = history(&story());
        let known = |attempts, halvings, lost| TaskHistory { attempts, halvings, lost };
        let tasks: Vec<_> = history.tasks.iter().map(|((_, task), known)| (*task, *known)).collect();
        assert_eq!(tasks, [(0, known(4, 3, 0)), (1, known(0, 0, 0)), (2, known(0, 0, 1))]);
        assert_eq!(
            (history.epoch, history.owner.as_deref(), history.stage),
            (2, Some("two"), Stage::Rescan)
        );
        assert!(history.cancel_asked && history.ended.is_none());
        let task = &history.new_tasks(Stage::Scan, [NewTask::new(9, 8)])[0];
        assert_eq!((task.weight, task.memory_bytes, task.attempts, task.halvings), (9, 8, 4, 3));
        assert_eq!(history.new_tasks(Stage::Compare, [NewTask::new(9, 8)]), [NewTask::new(9, 8)]);
    }

    #[test]
    fn failures_are_kept_up_to_a_limit() {
        let mut entries = vec![Entry::new(1, 0, claimed("one"))];
        entries.extend((0..30).map(|i| Entry::new(1, i, attempt_failed(i as u32, Kind::Internal))));
        let kept = history(&entries).failures;
        assert_eq!((kept.len(), kept[0].task, kept[19].task), (MAX_KEPT_FAILURES, 10, 29));
    }

    #[test]
    fn what_cannot_follow_is_refused_and_changes_nothing() {
        let cancelled = Entry::new(2, 0, JobEvent::Cancelled);
        let next = story().len() as u64;
        let newer = Entry {
            version: VERSION + 1,
            ..cancelled.clone()
        };
        let cases = [
            ("a gap", next + 1, cancelled.clone()),
            ("a number twice", next - 1, cancelled.clone()),
            ("an older epoch", next, Entry::new(1, 0, JobEvent::Cancelled)),
            ("an epoch nobody claimed", next, Entry::new(3, 0, JobEvent::Cancelled)),
            ("a claim of the same epoch", next, Entry::new(2, 0, claimed("three"))),
            ("a claim that skips an epoch", next, Entry::new(4, 0, claimed("three"))),
            ("an unknown version", next, newer),
        ];
        let before = history(&story());
        for (name, number, entry) in cases {
            let mut history = before.clone();
            assert!(history.apply(number, &entry).is_err(), "{name}");
            assert_eq!(history, before, "{name}");
        }
        let mut ended = before;
        ended.apply(next, &cancelled).expect("it follows");
        assert_eq!(ended.ended, Some(End::Cancelled));
        assert!(ended.apply(next + 1, &Entry::new(3, 0, claimed("three"))).is_err(), "after the end");
    }

    #[test]
    fn a_newer_entry_is_refused_by_its_version_and_not_by_its_words() {
        let text = r#"{"version": 5, "epoch": 1, "at_ms": 0, "event": "paused", "until": 5}"#;
        let error = serde_json::from_str::<Entry>(text).expect_err("it is of version 5");
        assert!(error.to_string().contains("version 5, this shadowdiff reads version 4"), "{error}");
    }

    #[test]
    fn entries_are_stored_like_the_golden_ones() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/journal.jsonl");
        let events = [
            claimed("coordinator-0"),
            attempt_failed(3, Kind::Exhausted),
            worker_lost(4),
            JobEvent::StageDone { stage: Stage::Scan },
            JobEvent::CancelAsked,
            JobEvent::Failed {
                error: Error::input("live/part-3.parquet changed since it was listed"),
            },
            JobEvent::Cancelled,
            JobEvent::Finished { verdict: Verdict::Pass },
        ];
        let entries: Vec<Entry> = events.into_iter().map(|event| Entry::new(1, 1_700_000_000_000, event)).collect();
        let line = |entry: &Entry| serde_json::to_string(entry).expect("JSON") + "\n";
        let now: String = entries.iter().map(line).collect();
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            std::fs::write(path, &now).expect("the golden file is written");
        }
        let golden = std::fs::read_to_string(path).expect("the golden file; UPDATE_GOLDEN=1 writes it");
        assert_eq!(now, golden, "run with UPDATE_GOLDEN=1 if the change is meant");
        let read: Vec<Entry> = golden.lines().map(|line| serde_json::from_str(line).expect("an entry")).collect();
        assert_eq!(read, entries);
    }
}
