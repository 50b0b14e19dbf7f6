//! What is known of ids on which the last word is spoken: jobs that have ended, and tombstones. A cache, stored as one object.
//!
//! ```text
//! index   {"digest":"…","version":3,"jobs":[{"submission":0,"end":4,"view":{"id":"…","phase":"succeeded",…}}]}
//! ```
//! The facts of a job that has ended never change, but its id may be removed and come again. So nothing here is believed before the state
//! store has said that the submission is still the last one and, of what was stored, that its journal has that end. What is missing,
//! damaged or wrong is looked at anew.

use super::view::JobView;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use shadowdiff_common::state::{is_sealed, seal};
use shadowdiff_core::error::Result;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// The version of what is stored; any other is looked at anew.
const VERSION: u32 = 3;
/// How often the state store is asked whether a job that has ended is still the last one of its id. It cannot be removed before its time.
const ASK_ENDED: Duration = Duration::from_secs(3600);
/// The same for what was removed: the id may come again at once.
const ASK_REMOVED: Duration = Duration::from_secs(600);

/// The last word on an id.
#[derive(Debug, Clone)]
pub(crate) enum EndedState {
    /// `end` is the number of the journal's last entry.
    Ended { view: Arc<JobView>, end: u64 },
    /// Only a tombstone is there, until then; `is_clean` once it was seen that nothing else is.
    Removed { until_ms: i64, is_clean: bool },
    /// Nobody has submitted it: something is left of older times.
    Nothing,
}

/// An id on which the last word is spoken.
#[derive(Debug, Clone)]
pub(crate) struct EndedJob {
    /// The number of the entry among the id's submissions.
    pub(crate) submission: u64,
    pub(crate) word: EndedState,
    /// When the state store was asked last.
    pub(crate) asked: Instant,
}

impl EndedJob {
    fn is_stale(&self) -> bool {
        let often = match self.word {
            EndedState::Ended { .. } => ASK_ENDED,
            EndedState::Removed { .. } | EndedState::Nothing => ASK_REMOVED,
        };
        self.asked.elapsed() > often
    }
}

/// The ids on which the last word is spoken.
#[derive(Debug, Default)]
pub(crate) struct EndedJobs {
    settled: BTreeMap<String, EndedJob>,
    /// There is something that the stored index does not have.
    pub(crate) has_changed: bool,
}

impl EndedJobs {
    pub(crate) fn get(&self, id: &str) -> Option<&EndedJob> {
        self.settled.get(id)
    }

    pub(crate) fn insert(&mut self, id: &str, mut settled: EndedJob) {
        let before = self.settled.get(id);
        if let (EndedState::Removed { is_clean, .. }, Some(before)) = (&mut settled.word, before)
            && before.submission == settled.submission
        {
            *is_clean |= matches!(before.word, EndedState::Removed { is_clean: true, .. });
        }
        self.has_changed |= matches!(settled.word, EndedState::Ended { .. });
        self.settled.insert(id.to_owned(), settled);
    }

    /// Something has happened to this id: it is to be looked at anew.
    pub(crate) fn forget(&mut self, id: &str) {
        self.has_changed |= self.settled.remove(id).is_some();
    }

    #[cfg(test)]
    pub(crate) fn clear(&mut self) {
        self.settled.clear();
    }

    /// Nothing but a tombstone is left of an id.
    pub(crate) fn is_clean(&mut self, id: &str) {
        if let Some(EndedJob {
            word: EndedState::Removed { is_clean, .. },
            ..
        }) = self.settled.get_mut(id)
        {
            *is_clean = true;
        }
    }

    /// Forgets what is listed no more; `ids` are in order.
    pub(crate) fn keep_only(&mut self, ids: &[String]) {
        let before = self.settled.len();
        self.settled.retain(|id, _| ids.binary_search(id).is_ok());
        self.has_changed |= self.settled.len() < before;
    }

    /// Ids of which the state store is to be asked again.
    pub(crate) fn stale(&self, most: usize) -> Vec<(String, EndedJob)> {
        let stale = self.settled.iter().filter(|(_, settled)| settled.is_stale());
        stale.take(most).map(|(id, settled)| (id.clone(), settled.clone())).collect()
    }

    /// The jobs that have ended, as they are stored.
    pub(crate) fn to_bytes(&self) -> Result<Bytes> {
        let jobs = self.settled.values().filter_map(|settled| match &settled.word {
            EndedState::Ended { view, end } => Some(StoredJob {
                submission: settled.submission,
                end: *end,
                view: JobView::clone(view),
            }),
            EndedState::Removed { .. } | EndedState::Nothing => None,
        });
        seal(&StoredIndex {
            version: VERSION,
            jobs: jobs.collect(),
        })
    }
}

/// Jobs of a stored index, to be asked for; none where it is damaged or of another version.
pub(crate) fn from_bytes(bytes: &[u8]) -> Vec<(String, EndedJob)> {
    if !is_sealed(bytes) {
        return Vec::new();
    }
    match serde_json::from_slice::<StoredIndex>(bytes) {
        Ok(index) if index.version == VERSION => {
            let ended = index.jobs.into_iter().filter(|job| job.view.phase.has_ended());
            ended.map(StoredJob::settled).collect()
        }
        Ok(_) | Err(_) => Vec::new(),
    }
}

#[derive(Serialize, Deserialize)]
struct StoredIndex {
    version: u32,
    jobs: Vec<StoredJob>,
}

/// A job that has ended, as a list shows it.
#[derive(Serialize, Deserialize)]
struct StoredJob {
    submission: u64,
    end: u64,
    view: JobView,
}

impl StoredJob {
    fn settled(self) -> (String, EndedJob) {
        let id = self.view.id.clone();
        let word = EndedState::Ended {
            view: Arc::new(self.view),
            end: self.end,
        };
        let settled = EndedJob {
            submission: self.submission,
            word,
            asked: Instant::now(),
        };
        (id, settled)
    }
}

#[cfg(test)]
mod tests {
    use super::super::view::{JobPhase, JobProgress, Submitted};
    use super::*;
    use shadowdiff_common::state::{Incarnation, Submission};
    use shadowdiff_core::error::Error;
    use shadowdiff_core::report::{FileMark, ResultFile};
    use shadowdiff_core::requests::Requests;
    use shadowdiff_core::verdict::Verdict;

    fn settled(id: &str, phase: JobPhase) -> EndedJob {
        let submitted = Submitted {
            incarnation: Incarnation::parse(&"0123456789abcdef".repeat(2)).expect("32 digits"),
            created_ms: 5,
            title: "a against b".into(),
            priority: 2,
            max_running: 3,
            // What an older version stored has none.
            labels: (phase == JobPhase::Succeeded)
                .then(|| ("suite".to_owned(), "nightly".to_owned()))
                .into_iter()
                .collect(),
        };
        let mark = FileMark {
            size_bytes: 7,
            sha256: "ab".repeat(32),
        };
        let submission = Submission::new(submitted.incarnation.clone());
        let view = JobView {
            submitted,
            phase,
            verdict: (phase == JobPhase::Succeeded).then_some(Verdict::Fail),
            ended_ms: Some(9),
            error: (phase == JobPhase::Failed).then(|| Error::input("a file is missing")),
            files: vec![(ResultFile::Diff, mark)],
            rows_all: Some(11),
            stored_bytes: 13,
            requests: Requests { reads: 17, writes: 19 },
            progress: JobProgress {
                tasks: 23,
                retries: 1,
                ..JobProgress::default()
            },
            ..JobView::new(id, &submission)
        };
        EndedJob {
            submission: 0,
            word: EndedState::Ended {
                view: Arc::new(view),
                end: 4,
            },
            asked: Instant::now(),
        }
    }

    fn removed(is_clean: bool) -> EndedJob {
        EndedJob {
            submission: 1,
            word: EndedState::Removed { until_ms: 50, is_clean },
            asked: Instant::now(),
        }
    }

    #[test]
    fn the_index_is_as_in_the_golden_file_and_comes_back() {
        let mut kept = EndedJobs::default();
        let phases = [JobPhase::Succeeded, JobPhase::Failed, JobPhase::Cancelled];
        for (id, phase) in ["a", "b", "c"].into_iter().zip(phases) {
            kept.insert(id, settled(id, phase));
        }
        kept.insert("gone", removed(true));
        let now = kept.to_bytes().expect("JSON");
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/index.json");
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            std::fs::write(path, &now).expect("the golden file can be written");
        }
        let golden = std::fs::read(path).expect("the golden file");
        assert_eq!(
            String::from_utf8_lossy(&golden),
            String::from_utf8_lossy(&now),
            "run with UPDATE_GOLDEN=1 if the change is meant"
        );
        let mut again = EndedJobs::default();
        for (id, settled) in from_bytes(&golden) {
            again.insert(&id, settled);
        }
        assert_eq!(again.to_bytes().expect("JSON"), golden);
    }

    #[test]
    fn a_damaged_index_is_none() {
        let mut kept = EndedJobs::default();
        kept.insert("a", settled("a", JobPhase::Succeeded));
        let good = kept.to_bytes().expect("JSON");
        assert_eq!(from_bytes(&good).len(), 1);
        for at in 0..good.len() {
            let mut flipped = good.to_vec();
            flipped[at] ^= 1;
            assert!(from_bytes(&flipped).is_empty(), "byte {at}");
            assert!(from_bytes(&good[..at]).is_empty(), "cut at {at}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_removed_is_asked_for_more_often() {
        let mut kept = EndedJobs::default();
        kept.insert("ended", settled("ended", JobPhase::Succeeded));
        kept.insert("removed", removed(false));
        let stale = |kept: &EndedJobs| kept.stale(9).into_iter().map(|(id, _)| id).collect::<Vec<_>>();
        assert!(stale(&kept).is_empty());
        tokio::time::advance(Duration::from_secs(601)).await;
        assert_eq!(stale(&kept), ["removed"]);
        tokio::time::advance(Duration::from_secs(3000)).await;
        assert_eq!(stale(&kept), ["ended", "removed"]);
        assert_eq!(kept.stale(1).len(), 1);
        // What was seen to be clean stays so while it is the same tombstone.
        kept.is_clean("removed");
        kept.insert("removed", removed(false));
        assert!(matches!(
            kept.get("removed").map(|s| &s.word),
            Some(EndedState::Removed { is_clean: true, .. })
        ));
        kept.keep_only(&["removed".to_owned()]);
        assert!(kept.get("ended").is_none() && kept.get("removed").is_some());
    }
}
