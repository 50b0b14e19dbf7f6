//! How a job ends here: the one place that writes an end, and then tells it.
//!
//! The last entry of the journal is the end, whoever else thinks otherwise: a result that lies in the store counts only once the journal says
//! that the job has succeeded. Nobody is told of an end that is not stored. While the store is away the job has not ended; if this process
//! ends meanwhile, the next coordinator goes on with it.

use super::finish::Manifest;
use super::journal::Journal;
use super::stop_reason::StopReason;
use super::view::{JobPhase, JobView, MAX_ERROR_BYTES, shown_warnings};
use shadowdiff_core::error::{Error, Kind};
use shadowdiff_core::journal::{End, JobEvent};
use shadowdiff_core::notice::{Ended, Notice, Subject};
use tokio::sync::watch;

/// Writes down what became of a job, then lets everybody know. True if the job goes on elsewhere.
pub(super) async fn end(journal: &mut Journal, view: &watch::Sender<JobView>, outcome: Result<Manifest, StopReason>) -> bool {
    let (event, manifest) = match outcome {
        Ok(manifest) => {
            let verdict = manifest.verdict;
            (JobEvent::Finished { verdict }, Some(manifest))
        }
        Err(StopReason::Failed(error)) => (failure(error), None),
        Err(stop_reason) => return elsewhere(journal, &stop_reason),
    };
    if let Err(stop_reason) = store(journal, view, event).await {
        return elsewhere(journal, &stop_reason);
    }
    let ended_ms = journal.ended_ms();
    if let Some(end) = &journal.history.ended {
        tracing::info!(job = journal.job(), "ended: {end:?}");
        view.send_modify(|view| show(view, end, manifest.as_ref(), ended_ms));
    }
    false
}

/// Waits for the store for as long as it takes: an end that is given up would be another one after a restart.
async fn store(journal: &mut Journal, view: &watch::Sender<JobView>, event: JobEvent) -> Result<(), StopReason> {
    loop {
        match journal.append(event.clone()).await {
            Err(StopReason::Failed(error)) if error.kind == Kind::Unavailable => {
                tracing::error!(job = journal.job(), "the end of the job cannot be stored: {error}");
                let warning = "the state store does not answer; the end of the job is reported once it is stored";
                view.send_if_modified(|view| {
                    let is_new = view.warnings.iter().all(|told| told != warning);
                    if is_new {
                        view.warnings.push(warning.to_owned());
                    }
                    is_new
                });
            }
            stored => return stored,
        }
    }
}

fn failure(error: Error) -> JobEvent {
    match error.kind {
        Kind::Interrupted => JobEvent::Cancelled,
        _ => JobEvent::Failed {
            error: error.shortened(MAX_ERROR_BYTES),
        },
    }
}

fn elsewhere(journal: &Journal, stop_reason: &StopReason) -> bool {
    tracing::info!(job = journal.job(), "not ended here: {stop_reason}");
    true
}

/// An end as clients see it.
pub(super) fn show(view: &mut JobView, end: &End, manifest: Option<&Manifest>, ended_ms: Option<i64>) {
    view.ended_ms = ended_ms;
    view.progress.left_ms = None;
    match end {
        End::Failed(error) => {
            view.phase = JobPhase::Failed;
            view.error = Some(error.clone().shortened(MAX_ERROR_BYTES));
        }
        End::Cancelled => {
            view.phase = JobPhase::Cancelled;
            view.error = Some(cancelled());
        }
        End::Finished(verdict) => {
            view.phase = JobPhase::Succeeded;
            view.verdict = Some(*verdict);
        }
    }
    if let Some(manifest) = manifest {
        view.files = manifest.files.clone();
        view.warnings = shown_warnings(&manifest.warnings);
    }
}

/// What somebody outside is told of a job that has ended: the same again where it is told twice. `judged`: what its result says, where it has one
/// that can be read.
pub(super) fn notice(view: &JobView, judged: Option<Ended>) -> Notice {
    let outcome = match (view.phase, view.verdict) {
        (JobPhase::Succeeded, Some(verdict)) => verdict.name(),
        (JobPhase::Cancelled, _) => "cancelled",
        _ => "failed",
    };
    let error = view.error.as_ref().filter(|_| outcome == "failed");
    let ended = judged.filter(|judged| judged.outcome == outcome);
    let ended = Ended {
        outcome,
        job: Some(view.id.clone()),
        ..ended.unwrap_or_else(|| error.map_or_else(Ended::default, Ended::failed))
    };
    let id = format!("{}/{}", view.id, view.submitted.incarnation);
    Notice::new(Subject::Comparison, id, view.ended_ms.unwrap_or_default(), ended)
}

/// Why a job ends that somebody asked to end.
pub(super) fn cancelled() -> Error {
    Error::new(Kind::Interrupted, "cancelled")
}
