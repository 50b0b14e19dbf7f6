//! One stored job, from where its journal says it is to its result: its stages on workers, then merge and publish.

use super::clock::now_ms;
use super::ends::cancelled;
use super::executor::{ClusterExecutor, RunningJob};
use super::finish::{Manifest, copy_to_output, store_result};
use super::scheduler::Opening;
use super::stop_reason::StopReason;
use super::view::JobPhase;
use crate::pipeline::Pipeline;
use futures::FutureExt;
use shadowdiff_common::state::retrying;
use shadowdiff_common::tasks::caught;
use std::sync::Arc;

/// Runs the job to its result, or to why there is none.
pub(super) async fn drive(job: RunningJob<'_>) -> Result<Manifest, StopReason> {
    let scheduler = job.context.scheduler.clone();
    let opening = Opening {
        id: job.state.id().to_owned(),
        incarnation: job.state.incarnation().clone(),
        plan: job.plan.clone(),
        epoch: job.journal.history.epoch,
        priority: job.submission.priority,
        max_running: (job.submission.max_running > 0).then_some(job.submission.max_running as usize),
    };
    let (number, notices) = scheduler.open_job(opening).await?;
    let mut executor = ClusterExecutor { job, number, notices };
    // What it runs ends with it, whatever its own end is.
    let outcome = caught("the driver of the job", finish(&mut executor)).await;
    scheduler.close_job(number).await;
    outcome?
}

/// All stages, the merge among them.
async fn finish(executor: &mut ClusterExecutor<'_>) -> Result<Manifest, StopReason> {
    if executor.job.journal.history.cancel_asked {
        return Err(cancelled().into());
    }
    let stored_plan = Arc::clone(&executor.job.stored_plan);
    let pipeline = Pipeline { plan: &stored_plan.plan };
    let compared = pipeline.run(executor).await?;
    executor.look_for_cancel().await?;
    let RunningJob {
        context,
        state,
        submission,
        plan,
        journal,
        view,
        ..
    } = &mut executor.job;
    view.send_modify(|view| view.phase = JobPhase::Merging);
    let attempt = format!("{}-{}", journal.history.epoch, now_ms());
    let manifest = match retrying("manifest", || Manifest::read(state).boxed()).await? {
        Some(manifest) => manifest,
        None => store_result(state, &stored_plan, plan, &attempt, &context.scratch, compared).await?,
    };
    // From here on the result is kept, whatever becomes of the job.
    view.send_modify(|view| view.files = manifest.files.clone());
    if let Some(output) = &submission.output {
        if journal.is_taken().await {
            return Err(StopReason::Superseded);
        }
        copy_to_output(state, &manifest, output, submission.overwrite, &context.stores).await?;
    }
    Ok(manifest)
}
