//! Takes up what the state store holds: unfinished jobs go on, ended ones are shown until their time is over.

use super::Cluster;
use super::clock::now_ms;
use super::ends;
use super::finish::Manifest;
use super::journal::Journal;
use super::view::{JobPhase, JobView};
use shadowdiff_common::state::{Blueprint, JobState, Left, Stage, Standing, Submission};
use shadowdiff_core::error::Result;
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
        let Some((job, journal, view)) = self.unfinished_here(id).await? else {
            return Ok(false);
        };
        Ok(self.drive(job, view, Some(journal)))
    }

    /// Takes a job that nobody has claimed: whoever stored it may have died.
    pub(super) async fn take_up_unowned(self: &Arc<Self>, id: &str) -> Result<bool> {
        match self.unfinished_here(id).await? {
            Some((job, journal, view)) if journal.history.owner.is_none() => Ok(self.drive(job, view, Some(journal))),
            Some(_) | None => Ok(false),
        }
    }

    /// A job that has not ended and is not run here.
    async fn unfinished_here(&self, id: &str) -> Result<Option<(JobState, Journal, JobView)>> {
        let Some((job, submission)) = self.state.living(id).await? else {
            return Ok(None);
        };
        if self
            .known(id)
            .is_some_and(|view| view.submission.incarnation == submission.incarnation)
        {
            return Ok(None);
        }
        let journal = Journal::read(&job, &self.options.owner).await?;
        let view = JobView::new(id, Arc::new(submission));
        Ok(journal.history.ended.is_none().then_some((job, journal, view)))
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

    pub(super) async fn sweep_once(&self) -> Result<()> {
        for id in self.state.jobs().await? {
            if let Err(error) = self.sweep_job(&id, now_ms()).await {
                tracing::warn!(job = id, "not removed: {error}");
            }
        }
        Ok(())
    }

    /// Removes a job whose time is over, and what others have left of one that was removed.
    async fn sweep_job(&self, id: &str, now_ms: i64) -> Result<()> {
        if self.buried().get(id).is_some_and(|until_ms| now_ms < *until_ms) {
            return Ok(());
        }
        match self.state.standing(id).await? {
            Some((_, Standing::Submitted(submission))) => {
                let job = self.state.job(id, &submission.incarnation);
                let view = match self.known(id).filter(|view| view.submission.incarnation == submission.incarnation) {
                    Some(view) => view,
                    None => look(&job, submission).await?,
                };
                let before = now_ms - self.options.keep.as_millis() as i64;
                if !view.phase.has_ended() || view.ended_ms.is_none_or(|ended| ended >= before) {
                    return Ok(());
                }
                // From here on the job is gone, however much of it is still there.
                self.state.bury(&job, now_ms).await?;
                tracing::info!(job = id, "removed");
                self.drop_entry(id, job.incarnation());
            }
            Some((_, Standing::Removed { .. })) => {}
            None => return Ok(()),
        }
        if let Left::Tombstone { until_ms } = self.state.clean(id, now_ms).await? {
            self.buried().insert(id.to_owned(), until_ms);
        }
        Ok(())
    }

    /// A job as the state store tells it.
    pub(super) async fn look(&self, id: &str) -> Result<Option<JobView>> {
        match self.state.living(id).await? {
            Some((job, submission)) => look(&job, submission).await.map(Some),
            None => Ok(None),
        }
    }
}

/// A job that this coordinator does not run, as the state store tells it.
pub(super) async fn look(job: &JobState, submission: Submission) -> Result<JobView> {
    let mut view = JobView::new(job.id(), Arc::new(submission));
    let planned = Blueprint::read(job).await?;
    if let Some((blueprint, _)) = &planned {
        view.plan_is(blueprint);
    }
    let kept = Journal::read(job, "").await?;
    let manifest = Manifest::read(job).await?;
    if let Some(manifest) = &manifest {
        view.files = manifest.files.clone();
    }
    match &kept.history.ended {
        Some(end) => ends::show(&mut view, end, manifest.as_ref(), kept.ended_ms()),
        None if manifest.is_some() => view.phase = JobPhase::Merging,
        None if planned.is_some() => view.phase = phase(job, kept.history.stage).await?,
        None => {}
    }
    Ok(view)
}

/// Where a planned job is whose first stage that is not done is known.
async fn phase(job: &JobState, stage: Stage) -> Result<JobPhase> {
    Ok(match stage {
        Stage::Glance | Stage::Scan if job.committed(Stage::Scan).await?.is_empty() => JobPhase::Queued,
        Stage::Glance | Stage::Scan => JobPhase::Scanning,
        Stage::Sift | Stage::Fetch | Stage::Compare => JobPhase::Comparing,
        Stage::Merge => JobPhase::Merging,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::publish::Marking;
    use object_store::ObjectStoreExt;
    use object_store::memory::InMemory;
    use shadowdiff_common::state::{Incarnation, PlanDigest, RECORD_VERSION, State, seal};
    use shadowdiff_core::error::Kind;
    use shadowdiff_core::journal::JobEvent;
    use shadowdiff_core::verdict::Verdict;

    fn submission(incarnation: Incarnation) -> Submission {
        Submission {
            incarnation,
            content: 1,
            text: String::new(),
            variables: Vec::new(),
            base: None,
            priority: 1,
            max_running: 0,
            created_ms: 0,
            title: String::new(),
            output: None,
            overwrite: false,
        }
    }

    #[tokio::test]
    async fn the_journal_says_how_a_job_ended_whatever_result_is_kept() {
        let ends = [
            (None, JobPhase::Merging),
            (Some(JobEvent::Cancelled), JobPhase::Cancelled),
            (Some(JobEvent::Finished { verdict: Verdict::Fail }), JobPhase::Succeeded),
            (
                Some(JobEvent::Failed {
                    kind: Kind::Input,
                    message: "not handed on".into(),
                }),
                JobPhase::Failed,
            ),
        ];
        for (end, phase) in ends {
            let state = State::new(Arc::new(InMemory::new()), "s".into(), "memory");
            let incarnation = Incarnation::parse(&"0".repeat(32)).expect("one");
            let job = state.job("j", &incarnation);
            let manifest = Manifest {
                version: RECORD_VERSION,
                incarnation: incarnation.clone(),
                plan: PlanDigest::named("plan"),
                attempt: "1-0".into(),
                files: vec![("summary.json".into(), Marking::default().finish())],
                verdict: Verdict::Fail,
                warnings: Vec::new(),
                ended_ms: 0,
            };
            let bytes = seal(&manifest).expect("seals");
            job.store().put(&job.manifest(), bytes.into()).await.expect("puts");
            let mut journal = Journal::read(&job, "one").await.expect("reads");
            journal.claim().await.expect("claims");
            if let Some(end) = end {
                journal.append(end).await.expect("stores");
            }
            let view = look(&job, submission(incarnation)).await.expect("looks");
            assert_eq!((view.phase, view.files.len()), (phase, 1));
        }
    }
}
