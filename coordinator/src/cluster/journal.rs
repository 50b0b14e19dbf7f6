//! A job's journal in the state store: numbered, create-only entries. The coordinator that loses a number stands back.

use super::clock::now_ms;
use super::stop_reason::StopReason;
use futures::FutureExt;
use shadowdiff_common::state::{Created, JobState, create_record, retrying, seal};
use shadowdiff_core::error::{Error, Result};
use shadowdiff_core::journal::{Entry, History, JobEvent};

/// The writer of one job's journal.
#[derive(Debug)]
pub(crate) struct Journal {
    job: JobState,
    owner: String,
    pub(crate) history: History,
    /// When the last entry was made.
    last_ms: i64,
}

impl Journal {
    /// Reads what has happened so far.
    pub(crate) async fn read(job: &JobState, owner: &str) -> Result<Journal> {
        let (mut history, mut last_ms) = (History::default(), 0);
        // Entry by entry, not by a listing: one that lacks the newest entry would make a coordinator stand back from nobody.
        loop {
            let (number, path) = (history.next_number, job.journal(history.next_number));
            let Some(bytes) = job.read_record(&path).await? else { break };
            let entry = parse(&bytes, &job.describe(&path))?;
            history.apply(number, &entry)?;
            last_ms = entry.at_ms;
        }
        Ok(Journal {
            job: job.clone(),
            owner: owner.to_owned(),
            history,
            last_ms,
        })
    }

    /// When the job ended, if it has.
    pub(crate) fn ended_ms(&self) -> Option<i64> {
        self.history.ended.as_ref().map(|_| self.last_ms)
    }

    /// The number of the entry that is the end, if there is one.
    pub(crate) fn end(&self) -> Option<u64> {
        self.history.ended.as_ref().map(|_| self.history.next_number - 1)
    }

    /// Whether the entry of this number is an end; nothing follows one.
    pub(crate) async fn ends_with(job: &JobState, number: u64) -> Result<bool> {
        let path = job.journal(number);
        let Some(bytes) = job.read_record(&path).await? else {
            return Ok(false);
        };
        Ok(match parse(&bytes, &job.describe(&path))?.event {
            JobEvent::Failed { .. } | JobEvent::Cancelled | JobEvent::Finished { .. } => true,
            JobEvent::Claimed { .. }
            | JobEvent::AttemptFailed { .. }
            | JobEvent::WorkerLost { .. }
            | JobEvent::StageDone { .. }
            | JobEvent::CancelAsked => false,
        })
    }

    /// Takes the job: from now on entries of an earlier owner are refused.
    pub(crate) async fn claim(&mut self) -> Result<(), StopReason> {
        let epoch = self.history.epoch + 1;
        self.write(epoch, JobEvent::Claimed { owner: self.owner.clone() }).await
    }

    /// Whether another coordinator has written on: a job without news here would not notice otherwise.
    pub(crate) async fn is_taken(&self) -> bool {
        let next = self.job.journal(self.history.next_number);
        // A store that does not answer says nothing.
        matches!(self.job.read(&next).await, Ok(Some(_)))
    }

    pub(crate) async fn append(&mut self, event: JobEvent) -> Result<(), StopReason> {
        self.write(self.history.epoch, event).await
    }

    /// The id of the job.
    pub(crate) fn job(&self) -> &str {
        self.job.id()
    }

    async fn write(&mut self, epoch: u64, event: JobEvent) -> Result<(), StopReason> {
        let entry = Entry::new(epoch, now_ms(), event);
        let content = seal(&entry)?;
        while self.history.ended.is_none() {
            let path = self.job.journal(self.history.next_number);
            let created = retrying("journal", || {
                create_record(self.job.store().as_ref(), &path, content.clone()).boxed()
            })
            .await;
            match created? {
                Created::Mine => return self.apply(&entry),
                // In an epoch only its owner writes: it is an earlier entry of ours whose answer never came.
                Created::Another(bytes) if epoch == self.history.epoch => match parse(&bytes, &self.job.describe(&path))? {
                    before if before.epoch == epoch => self.apply(&before)?,
                    _ => return Err(StopReason::Superseded),
                },
                Created::Another(_) => return Err(StopReason::Superseded),
            }
        }
        Ok(())
    }

    fn apply(&mut self, entry: &Entry) -> Result<(), StopReason> {
        self.history.apply(self.history.next_number, entry)?;
        self.last_ms = entry.at_ms;
        Ok(())
    }
}

fn parse(bytes: &[u8], name: &str) -> Result<Entry> {
    serde_json::from_slice(bytes).map_err(|e| Error::internal(format!("{name} is not a journal entry: {e}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use object_store::memory::InMemory;
    use shadowdiff_common::state::{Incarnation, Stage, State};
    use std::sync::Arc;

    async fn claimed() -> (JobState, Journal) {
        let state = State::new(Arc::new(InMemory::new()), "s".into(), "memory");
        let job = state.job("j", &Incarnation::parse(&"0".repeat(32)).expect("one"));
        let mut journal = Journal::read(&job, "one").await.expect("reads");
        journal.claim().await.expect("claims");
        (job, journal)
    }

    #[tokio::test]
    async fn an_entry_of_ours_whose_answer_never_came_is_gone_on_from() {
        let (job, mut journal) = claimed().await;
        // Another writer of the same epoch is the same coordinator, earlier.
        let mut earlier = Journal::read(&job, "one").await.expect("reads");
        earlier.append(JobEvent::CancelAsked).await.expect("stores");
        journal.append(JobEvent::StageDone { stage: Stage::Scan }).await.expect("stores");
        let history = Journal::read(&job, "").await.expect("reads").history;
        assert_eq!((history.next_number, history.cancel_asked), (3, true));
        assert_eq!(journal.history, history);
    }

    #[tokio::test]
    async fn whoever_meets_a_claim_of_another_stands_back() {
        let (job, mut journal) = claimed().await;
        Journal::read(&job, "two").await.expect("reads").claim().await.expect("claims");
        assert!(journal.is_taken().await);
        assert!(matches!(journal.append(JobEvent::Cancelled).await, Err(StopReason::Superseded)));
        assert_eq!(Journal::read(&job, "").await.expect("reads").history.ended, None);
    }
}
