//! Takes up what the state store holds: unfinished jobs go on, ended ones are shown until their time is over.

use super::Cluster;
use super::drive::end_well;
use super::finish::Manifest;
use super::journal::{Journal, now_ms};
use super::view::{JobPhase, JobProgress, JobView};
use shadowdiff_common::state::{Blueprint, Stage, State};
use shadowdiff_core::error::Result;
use shadowdiff_core::journal::End;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::sleep;

/// How often a coordinator looks for jobs whose time is over.
const SWEEP: Duration = Duration::from_secs(600);

impl Cluster {
    /// Takes every unfinished job, as the newest coordinator: an older one that still runs stands back at its next entry.
    pub async fn recover(self: &Arc<Self>) -> Result<usize> {
        let mut taken = 0;
        for id in self.state.jobs().await? {
            match self.take_up(&id).await {
                Ok(true) => taken += 1,
                Ok(false) => {}
                // One job that cannot be read is no reason to leave the others.
                Err(error) => tracing::error!(job = id, "not taken up: {error}"),
            }
        }
        Ok(taken)
    }

    pub(super) async fn take_up(self: &Arc<Self>, id: &str) -> Result<bool> {
        if self.known(id).is_some() {
            return Ok(false);
        }
        let job = self.state.job(id);
        let mut journal = Journal::read(&job, &self.options.owner).await?;
        if journal.history.ended.is_some() {
            return Ok(false);
        }
        let Some(blueprint) = Blueprint::read(&job).await? else {
            return Ok(false);
        };
        if let Err(halt) = journal.claim().await {
            tracing::info!(job = id, "not taken up: {halt}");
            return Ok(false);
        }
        tracing::info!(job = id, epoch = journal.history.epoch, "taken up");
        self.drive(job, blueprint, journal);
        Ok(true)
    }

    /// Removes ended jobs whose time is over, now and again.
    pub async fn sweep(self: Arc<Self>) {
        loop {
            if let Err(error) = self.sweep_once().await {
                tracing::warn!("jobs whose time is over are still there: {error}");
            }
            sleep(SWEEP).await;
        }
    }

    async fn sweep_once(&self) -> Result<()> {
        let before = now_ms() - self.options.keep.as_millis() as i64;
        for view in self.list().await? {
            if view.phase.has_ended() && view.ended_ms.is_some_and(|ended| ended < before) {
                tracing::info!(job = view.id, "removed");
                self.jobs().remove(&view.id);
                self.state.job(&view.id).remove().await?;
            }
        }
        Ok(())
    }
}

/// A job that this coordinator does not run, as the state store tells it.
pub(super) async fn look(state: &State, id: &str) -> Result<Option<JobView>> {
    let job = state.job(id);
    let Some(blueprint) = Blueprint::read(&job).await? else {
        return Ok(None);
    };
    let mut view = first_view(id, &blueprint);
    let kept = Journal::read(&job, "").await?;
    if let Some(manifest) = Manifest::read(&job).await? {
        end_well(&mut view, &manifest);
        return Ok(Some(view));
    }
    match &kept.history.ended {
        Some(End::Failed(error)) => {
            view.phase = JobPhase::Failed;
            view.error = Some(error.clone());
        }
        Some(End::Cancelled) => view.phase = JobPhase::Cancelled,
        // The manifest of a finished job is there, or on its way.
        Some(End::Finished(_)) | None => {
            view.phase = match kept.history.stage {
                Stage::Glance | Stage::Scan if job.committed(Stage::Scan).await?.is_empty() => JobPhase::Queued,
                Stage::Glance | Stage::Scan => JobPhase::Scanning,
                Stage::Sift | Stage::Fetch | Stage::Compare => JobPhase::Comparing,
                Stage::Merge => JobPhase::Merging,
            };
        }
    }
    view.ended_ms = kept.ended_ms();
    Ok(Some(view))
}

pub(super) fn first_view(id: &str, blueprint: &Blueprint) -> JobView {
    JobView {
        id: id.to_owned(),
        submission: blueprint.submission.clone(),
        phase: JobPhase::Queued,
        progress: JobProgress {
            tasks: blueprint.plan.scans.len(),
            ..JobProgress::default()
        },
        passed: None,
        ended_ms: None,
        error: None,
        failures: VecDeque::new(),
        warnings: blueprint.plan.warnings.clone(),
        files: Vec::new(),
        rows_all: blueprint.rows,
        stored_bytes: blueprint.stored_bytes,
        requests: blueprint.requests,
    }
}
