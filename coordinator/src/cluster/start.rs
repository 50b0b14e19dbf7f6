//! The beginning of a job at this coordinator: claims it, plans it unless that was done, and drives it.

use super::drive::drive;
use super::ends::{cancelled, end};
use super::executor::{CancelRequest, DriverContext, LOOK, RunningJob, store_cancel};
use super::finish::Manifest;
use super::journal::Journal;
use super::stop_reason::StopReason;
use super::view::JobView;
use futures::FutureExt;
use shadowdiff_common::fault;
use shadowdiff_common::state::{JobState, PlanDigest, StoredPlan, Submission, retrying};
use shadowdiff_common::tasks::caught;
use std::sync::Arc;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, interval_at};

/// A job that is to be run here.
pub(crate) struct Start {
    pub(crate) context: DriverContext,
    pub(crate) job: JobState,
    pub(crate) submission: Arc<Submission>,
    /// As far as somebody has read it.
    pub(crate) journal: Option<Journal>,
    /// Names this coordinator.
    pub(crate) owner: String,
    pub(crate) view: watch::Sender<JobView>,
    pub(crate) cancels: mpsc::Receiver<CancelRequest>,
}

impl Start {
    /// Runs the job to its end. True if it goes on elsewhere.
    pub(crate) async fn run(mut self) -> bool {
        let mut journal = match self.claim().await {
            Ok(journal) => journal,
            Err(stop_reason) => {
                // It is stored: whoever has claimed it runs it, and if nobody has, whoever looks next does.
                tracing::info!(job = self.job.id(), "not run here: {stop_reason}");
                return true;
            }
        };
        tracing::info!(job = self.job.id(), epoch = journal.history.epoch, "claimed");
        let outcome = caught("the driver of the job", self.work(&mut journal)).await;
        end(&mut journal, &self.view, outcome.unwrap_or_else(|panic| Err(panic.into()))).await
    }

    async fn work(&mut self, journal: &mut Journal) -> Result<Manifest, StopReason> {
        let (stored_plan, plan) = self.plan(journal).await?;
        self.view.send_modify(|view| view.plan_is(&stored_plan));
        let job = RunningJob {
            context: &self.context,
            state: &self.job,
            submission: &self.submission,
            stored_plan: Arc::new(stored_plan),
            plan,
            journal,
            view: &self.view,
            cancels: &mut self.cancels,
        };
        drive(job).await
    }

    async fn claim(&mut self) -> Result<Journal, StopReason> {
        let mut journal = match self.journal.take() {
            Some(journal) => journal,
            None => retrying("journal", || Journal::read(&self.job, &self.owner).boxed()).await?,
        };
        if journal.history.ended.is_some() {
            return Err(StopReason::Superseded);
        }
        journal.claim().await?;
        Ok(journal)
    }

    async fn plan(&mut self, journal: &mut Journal) -> Result<(StoredPlan, PlanDigest), StopReason> {
        if let Some(planned) = retrying("plan", || StoredPlan::read(&self.job).boxed()).await? {
            return Ok(planned);
        }
        if journal.history.cancel_asked {
            return Err(cancelled().into());
        }
        let (planner, submission) = (self.context.planner.clone(), Arc::clone(&self.submission));
        let planning = retrying("planning", || planner.plan(&submission).boxed());
        tokio::pin!(planning);
        let mut look = interval_at(Instant::now() + LOOK, LOOK);
        let (stored_plan, lists) = loop {
            tokio::select! {
                biased;
                planned = &mut planning => break planned?,
                Some(asked) = self.cancels.recv() => {
                    store_cancel(journal, asked).await?;
                    return Err(cancelled().into());
                }
                _ = look.tick() => if journal.is_taken().await {
                    return Err(StopReason::Superseded);
                },
            }
        };
        fault::point("plan:before-store");
        retrying("lists of accounts", || stored_plan.accounts.store(&lists, &self.job).boxed()).await?;
        drop(lists);
        let (digest, first) = retrying("plan", || stored_plan.store(&self.job).boxed()).await?;
        Ok((first.unwrap_or(stored_plan), digest))
    }
}
