//! Clients of the coordinators of a run: some watch and remember which end they were told, some want the job to end.

use super::super::journal::Journal;
use super::super::{Cluster, JobPhase, JobView};
use super::JOB;
use shadowdiff_common::state::{Incarnation, JobState};
use shadowdiff_core::journal::{End, History};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::time::sleep;

/// The ends that clients were told, of each submission.
#[derive(Debug, Clone, Default)]
pub(super) struct Told(Arc<Mutex<BTreeMap<Incarnation, BTreeSet<JobPhase>>>>);

impl Told {
    fn note(&self, view: &JobView) {
        if view.phase.has_ended() {
            let mut ends = self.0.lock().expect("nobody panics with it");
            ends.entry(view.submission.incarnation.clone()).or_default().insert(view.phase);
        }
    }

    /// Asks one coordinator again and again.
    pub(super) async fn watch(self, cluster: Arc<Cluster>) {
        loop {
            if let Ok(view) = cluster.get(JOB).await {
                self.note(&view);
            }
            sleep(Duration::from_millis(700)).await;
        }
    }

    /// Nobody was told another end than the one that is stored, and a job that somebody cancelled has no other.
    pub(super) async fn check(&self, job: &JobState) -> Result<JobPhase, String> {
        let journal = Journal::read(job, "").await.map_err(|e| e.to_string())?;
        let stored = end_of(&journal.history).ok_or("a job was told to have ended, but its journal has no end")?;
        let ends = self.0.lock().expect("nobody panics with it").get(job.incarnation()).cloned();
        if let Some(other) = ends.unwrap_or_default().into_iter().find(|told| *told != stored) {
            return Err(format!("a client was told {other:?}, but stored is {:?}", journal.history.ended));
        }
        if journal.history.cancel_asked && stored == JobPhase::Succeeded {
            return Err("a job has succeeded although its cancellation was stored before".into());
        }
        Ok(stored)
    }
}

fn end_of(history: &History) -> Option<JobPhase> {
    history.ended.as_ref().map(|end| match end {
        End::Failed(_) => JobPhase::Failed,
        End::Cancelled => JobPhase::Cancelled,
        End::Finished(_) => JobPhase::Succeeded,
    })
}

/// Cancels the job after a while; asks a few times where the answer is not clear.
pub(super) async fn cancel(cluster: Arc<Cluster>, after: Duration) {
    sleep(after).await;
    for _ in 0..5 {
        if cluster.cancel(JOB).await.is_ok() {
            return;
        }
        sleep(Duration::from_secs(1)).await;
    }
}
