//! Removes what is over: jobs that were kept for their time, and what others have left behind.

use super::Cluster;
use super::clock::now_ms;
use super::ended_jobs::EndedState;
use super::journal::Journal;
use futures::StreamExt;
use shadowdiff_common::state::{AfterCleaning, Standing};
use shadowdiff_core::error::Result;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::sleep;

/// How often a coordinator looks for jobs whose time is over.
const SWEEP: Duration = Duration::from_secs(600);
/// What nobody has submitted is left for so long, and for as long as jobs are kept: it may be of an older version.
const LEFT_MS: i64 = 24 * 3600 * 1000;
/// Jobs that are removed at a time.
const SWEEPS_IN_FLIGHT: usize = 8;

impl Cluster {
    /// Removes ended jobs whose time is over, now and again.
    pub async fn sweep(self: Arc<Self>) {
        loop {
            if let Err(error) = self.sweep_once().await {
                tracing::warn!("jobs whose time is over are still there: {error}");
            }
            sleep(SWEEP).await;
        }
    }

    pub(super) async fn sweep_once(&self) -> Result<()> {
        let now_ms = now_ms();
        match self.state.forget_coordinators(&self.options.owner).await {
            Ok(0) => {}
            Ok(killed) => tracing::info!(killed, "forgot coordinators that were killed"),
            Err(error) => tracing::warn!("coordinators that were killed are not forgotten: {error}"),
        }
        let ids = self.state.jobs().await?;
        let over = ids.into_iter().filter(|id| self.may_be_over(id, now_ms)).map(|id| async move {
            if let Err(error) = self.sweep_job(&id, now_ms).await {
                tracing::warn!(job = id, "not removed: {error}");
            }
        });
        futures::stream::iter(over).buffer_unordered(SWEEPS_IN_FLIGHT).collect::<()>().await;
        Ok(())
    }

    /// Whether there may be something to remove. What is known here only spares questions: what is removed is decided by what the store says.
    fn may_be_over(&self, id: &str, now_ms: i64) -> bool {
        match self.word(id) {
            Some(EndedState::Ended { view, .. }) => view.ended_ms.is_none_or(|ended| ended < self.kept_since(now_ms)),
            Some(EndedState::Removed { until_ms, is_clean }) => !is_clean || now_ms >= until_ms,
            Some(EndedState::Nothing) => true,
            None => self.known(id).is_none_or(|view| view.phase.has_ended()),
        }
    }

    /// Jobs that ended before this are over.
    fn kept_since(&self, now_ms: i64) -> i64 {
        now_ms - self.options.keep.as_millis() as i64
    }

    /// Removes a job whose time is over, and what others have left of one that was removed.
    async fn sweep_job(&self, id: &str, now_ms: i64) -> Result<()> {
        match self.state.standing(id).await? {
            Some((_, Standing::Submitted(submission))) => {
                let job = self.state.job(id, &submission.incarnation);
                let journal = Journal::read(&job, "").await?;
                if journal.ended_ms().is_none_or(|ended| ended >= self.kept_since(now_ms)) {
                    return Ok(());
                }
                // From here on the job is gone, however much of it is still there.
                self.state.bury(&job, now_ms).await?;
                tracing::info!(job = id, "removed");
                self.drop_entry(id, job.incarnation());
                self.ended_jobs().forget(id);
            }
            Some((_, Standing::Removed { .. })) => {}
            None => {
                let before_ms = self.kept_since(now_ms).min(now_ms - LEFT_MS);
                if self.state.clean_unsubmitted(id, before_ms).await? {
                    self.ended_jobs().forget(id);
                }
                return Ok(());
            }
        }
        match self.state.clean(id, now_ms).await? {
            AfterCleaning::Tombstone { .. } => {
                self.look_at(id).await?;
                self.ended_jobs().is_clean(id);
            }
            AfterCleaning::Nothing | AfterCleaning::Living => self.ended_jobs().forget(id),
        }
        Ok(())
    }
}
