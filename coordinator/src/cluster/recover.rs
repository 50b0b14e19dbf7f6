//! Takes up what the state store holds: unfinished jobs go on.

use super::Cluster;
use super::index::{LOOKS_IN_FLIGHT, StoredJob};
use super::view::JobView;
use futures::StreamExt;
use shadowdiff_core::error::Result;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

impl Cluster {
    /// Takes every unfinished job, as the newest coordinator: an older one that still runs stands back at its next entry.
    pub async fn recover(self: &Arc<Self>) -> Result<usize> {
        let ids = self.state.jobs().await?;
        self.load_index(&ids).await;
        let taken = &AtomicUsize::new(0);
        let unsettled = ids.into_iter().filter(|id| self.word(id).is_none());
        futures::stream::iter(unsettled)
            .for_each_concurrent(LOOKS_IN_FLIGHT, |id| async move {
                match self.adopt(&id).await {
                    Ok(is_taken) => drop(taken.fetch_add(is_taken.into(), Ordering::Relaxed)),
                    // One job that cannot be read is no reason to leave the others.
                    Err(error) => tracing::error!(job = id, "not taken up: {error}"),
                }
            })
            .await;
        Ok(taken.load(Ordering::Relaxed))
    }

    pub(super) async fn adopt(self: &Arc<Self>, id: &str) -> Result<bool> {
        Ok(self.unfinished_here(id).await?.is_some_and(|found| self.drive_on(found)))
    }

    /// Takes a job that nobody has claimed: whoever stored it may have died.
    pub(super) async fn take_up_unowned(self: &Arc<Self>, id: &str) -> Result<bool> {
        match self.unfinished_here(id).await? {
            Some(found) if found.journal.history.owner.is_none() => Ok(self.drive_on(found)),
            Some(_) | None => Ok(false),
        }
    }

    /// A job that has not ended and is not run here.
    async fn unfinished_here(&self, id: &str) -> Result<Option<StoredJob>> {
        let Some(found) = self.find(id, &self.options.owner).await? else {
            return Ok(None);
        };
        if found.journal.end().is_some() {
            self.look(found).await?;
            return Ok(None);
        }
        let is_here = |view: JobView| view.submitted.incarnation == found.submission.incarnation;
        Ok((!self.known(id).is_some_and(is_here)).then_some(found))
    }

    fn drive_on(self: &Arc<Self>, found: StoredJob) -> bool {
        let view = JobView::new(found.job.id(), &found.submission);
        self.drive(found.job, Arc::new(found.submission), view, Some(found.journal))
    }
}
