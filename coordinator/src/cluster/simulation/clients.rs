//! Clients of the coordinators of a run: some watch and remember which end they were told, some want the job to end.

use super::super::journal::Journal;
use super::super::{Cluster, JobPhase, JobView, RequestError};
use super::JOB;
use shadowdiff_common::state::{Incarnation, JobState, State};
use shadowdiff_core::journal::{End, History};
use shadowdiff_core::report::ResultFile;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::time::sleep;

/// What clients were told of each submission.
#[derive(Debug, Clone)]
pub(super) struct Told {
    heard: Arc<Mutex<BTreeMap<Incarnation, Heard>>>,
    /// As it is, without any fault.
    calm: State,
}

#[derive(Debug, Clone, Default)]
struct Heard {
    ends: BTreeSet<JobPhase>,
    /// The job is to end, which is stored.
    cancelled: bool,
    /// What was said instead of a result that there is.
    refused: Option<String>,
}

impl Told {
    pub(super) fn new(calm: State) -> Told {
        Told {
            heard: Arc::default(),
            calm,
        }
    }

    fn note(&self, view: &JobView) {
        if view.phase.has_ended() {
            self.change(&view.submitted.incarnation, |heard| heard.ends.insert(view.phase));
        }
    }

    fn change<T>(&self, incarnation: &Incarnation, change: impl FnOnce(&mut Heard) -> T) -> T {
        let mut told = self.heard.lock().expect("nobody panics with it");
        change(told.entry(incarnation.clone()).or_default())
    }

    /// Asks one coordinator again and again, and for the result once another one has told of it.
    pub(super) async fn watch(self, cluster: Arc<Cluster>) {
        loop {
            if let Ok(view) = cluster.get(JOB).await {
                self.note(&view);
            }
            self.fetch(&cluster).await;
            sleep(Duration::from_millis(700)).await;
        }
    }

    async fn fetch(&self, cluster: &Cluster) {
        let Ok(Some((job, _))) = self.calm.living(JOB).await else { return };
        if !self.change(job.incarnation(), |heard| heard.ends.contains(&JobPhase::Succeeded)) {
            return;
        }
        let answer = cluster.result_file(JOB, ResultFile::Summary).await;
        let is_there = matches!(self.calm.living(JOB).await, Ok(Some((still, _))) if still.incarnation() == job.incarnation());
        if let Err(RequestError::Failed(error)) = answer
            && is_there
            && error.what.contains("has no result")
        {
            self.change(job.incarnation(), |heard| heard.refused = Some(error.to_string()));
        }
    }

    /// Whoever is asked for a result that a client was told of gives it, or says that it cannot do so now.
    pub(super) fn check_fetched(&self) -> Result<(), String> {
        let heard = self.heard.lock().expect("nobody panics with it");
        match heard.values().find_map(|heard| heard.refused.as_ref()) {
            Some(refused) => Err(format!("a client was told of the result, and then: {refused}")),
            None => Ok(()),
        }
    }

    /// Cancels the job after a while; asks a few times where the answer is not clear.
    pub(super) async fn cancel(self, cluster: Arc<Cluster>, after: Duration) {
        sleep(after).await;
        for _ in 0..5 {
            match cluster.cancel(JOB).await {
                Ok(view) if view.phase.has_ended() => return self.note(&view),
                Ok(view) => return self.change(&view.submitted.incarnation, |heard| heard.cancelled = true),
                Err(_) => sleep(Duration::from_secs(1)).await,
            }
        }
    }

    /// Nobody was told another end than the one that is stored, and a job that somebody cancelled has no other.
    pub(super) async fn check(&self, job: &JobState) -> Result<JobPhase, String> {
        let journal = Journal::read(job, "").await.map_err(|e| e.to_string())?;
        let stored = end_of(&journal.history).ok_or("a job was told to have ended, but its journal has no end")?;
        let heard = self.heard.lock().expect("nobody panics with it").get(job.incarnation()).cloned();
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
        match cluster.adopt(JOB).await {
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
