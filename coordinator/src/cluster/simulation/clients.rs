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

/// What clients were told of each submission.
#[derive(Debug, Clone, Default)]
pub(super) struct Told(Arc<Mutex<BTreeMap<Incarnation, Heard>>>);

#[derive(Debug, Clone, Default)]
struct Heard {
    ends: BTreeSet<JobPhase>,
    /// The job is to end, which is stored.
    cancelled: bool,
}

impl Told {
    fn note(&self, view: &JobView) {
        if view.phase.has_ended() {
            self.change(view, |heard| heard.ends.insert(view.phase));
        }
    }

    fn change<T>(&self, view: &JobView, change: impl FnOnce(&mut Heard) -> T) -> T {
        let mut told = self.0.lock().expect("nobody panics with it");
        change(told.entry(view.submitted.incarnation.clone()).or_default())
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

    /// Cancels the job after a while; asks a few times where the answer is not clear.
    pub(super) async fn cancel(self, cluster: Arc<Cluster>, after: Duration) {
        sleep(after).await;
        for _ in 0..5 {
            match cluster.cancel(JOB).await {
                Ok(view) if view.phase.has_ended() => return self.note(&view),
                Ok(view) => return self.change(&view, |heard| heard.cancelled = true),
                Err(_) => sleep(Duration::from_secs(1)).await,
            }
        }
    }

    /// Nobody was told another end than the one that is stored, and a job that somebody cancelled has no other.
    pub(super) async fn check(&self, job: &JobState) -> Result<JobPhase, String> {
        let journal = Journal::read(job, "").await.map_err(|e| e.to_string())?;
        let stored = end_of(&journal.history).ok_or("a job was told to have ended, but its journal has no end")?;
        let heard = self.0.lock().expect("nobody panics with it").get(job.incarnation()).cloned();
        let heard = heard.unwrap_or_default();
        if heard.cancelled && !journal.history.cancel_asked {
            return Err("a client was told that the job will end, which is not stored".into());
        }
        if let Some(other) = heard.ends.into_iter().find(|told| *told != stored) {
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

/// A coordinator that starts afterwards leaves the job alone, and tells the same end.
pub(super) async fn restarted(cluster: Arc<Cluster>, told: &Told) -> Result<(), String> {
    for _ in 0..100 {
        match cluster.take_up(JOB).await {
            Ok(false) => {}
            Ok(true) => return Err("a job that had ended runs again".into()),
            Err(_) => {
                sleep(Duration::from_secs(1)).await;
                continue;
            }
        }
        if let Ok(view) = cluster.get(JOB).await {
            told.note(&view);
            return Ok(());
        }
    }
    Err("the store does not answer for long".into())
}
