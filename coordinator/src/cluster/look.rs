//! A job as the state store tells it, whoever runs it.

use super::ends;
use super::finish::Manifest;
use super::journal::Journal;
use super::view::{FailedAttempt, JobPhase, JobView};
use shadowdiff_common::state::{JobState, Stage, StoredPlan, Submission};
use shadowdiff_core::error::Result;

/// A job that this coordinator does not run, as the state store tells it.
/// A plan of more bytes than `most` is left out.
pub(super) async fn look(job: &JobState, submission: Submission, kept: &Journal, most: Option<u64>) -> Result<JobView> {
    let mut view = JobView::new(job.id(), &submission);
    let plan_bytes = job.size(&job.plan()).await?;
    if plan_bytes.is_some_and(|bytes| most.is_none_or(|most| bytes <= most))
        && let Some((stored_plan, _)) = StoredPlan::read(job).await?
    {
        view.plan_is(&stored_plan);
    }
    let manifest = Manifest::read(job).await?;
    if let Some(manifest) = &manifest {
        view.files = manifest.files.clone();
    }
    match &kept.history.ended {
        Some(end) => ends::show(&mut view, end, manifest.as_ref(), kept.ended_ms()),
        None if manifest.is_some() => view.phase = JobPhase::Merging,
        None if plan_bytes.is_some() => view.phase = phase(job, kept.history.stage).await?,
        None => {}
    }
    for failure in &kept.history.failures {
        view.note_failure(FailedAttempt {
            task: format!("{} {}", failure.stage, failure.task),
            worker: failure.worker.clone(),
            error: failure.error.clone(),
        });
    }
    Ok(view)
}

/// Where a planned job is whose first stage that is not done is known.
async fn phase(job: &JobState, stage: Stage) -> Result<JobPhase> {
    let has_begun = stage > Stage::Scan || !job.committed(Stage::Scan).await?.is_empty();
    Ok(if has_begun { JobPhase::of(stage) } else { JobPhase::Queued })
}

#[cfg(test)]
mod tests {
    use super::*;
    use object_store::ObjectStoreExt;
    use object_store::memory::InMemory;
    use shadowdiff_common::state::{Incarnation, PlanDigest, RECORD_VERSION, State, seal};
    use shadowdiff_common::store::Marking;
    use shadowdiff_core::error::Error;
    use shadowdiff_core::journal::JobEvent;
    use shadowdiff_core::report::ResultFile;
    use shadowdiff_core::verdict::Verdict;
    use std::sync::Arc;

    fn submission(incarnation: Incarnation) -> Submission {
        Submission {
            content: 1,
            ..Submission::new(incarnation)
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
                    error: Error::input("not handed on"),
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
                files: vec![(ResultFile::Summary, Marking::default().finish())],
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
            let view = look(&job, submission(incarnation), &journal, None).await.expect("looks");
            assert_eq!((view.phase, view.files.len()), (phase, 1));
        }
    }
}
