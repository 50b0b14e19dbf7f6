//! What the attempts of a worker process share: its memory, its scratch, its connections, and the jobs it knows.

use crate::job::Job;
use crate::limits::TaskLimits;
use crate::resources::{Disabled, Memory, Resources};
use shadowdiff_common::compiled::Compiled;
use shadowdiff_common::read::{Dataset, Sources};
use shadowdiff_common::spool::Scratch;
use shadowdiff_common::state::{Incarnation, JobState, PlanDigest, StoredPlan};
use shadowdiff_core::error::{Error, Result};
use shadowdiff_core::plan::Plan;
use shadowdiff_core::side::Sides;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Resources of one worker process.
#[derive(Debug)]
pub struct Host {
    pub sources: Sources,
    pub scratch: Scratch,
    pub memory_bytes: u64,
    pub slots: usize,
    pub limits: TaskLimits,
    /// For people: the host's or the pod's name.
    pub name: String,
    jobs: Mutex<BTreeMap<Incarnation, Arc<LoadedJob>>>,
}

/// A job that an attempt has asked for. Whoever holds the lock loads it, and others wait: a job may have large lists of accounts, of which
/// there is one copy.
type LoadedJob = Mutex<Option<(PlanDigest, Job)>>;

impl Host {
    pub fn new(sources: Sources, scratch: Scratch, memory_bytes: u64, slots: usize, limits: TaskLimits, name: String) -> Self {
        Host {
            sources,
            scratch,
            memory_bytes,
            slots: slots.max(1),
            limits,
            name,
            jobs: Mutex::default(),
        }
    }

    /// The job of this incarnation, bound once; its plan is read from the state store, and must be the one of this digest. Blocking.
    pub(crate) fn job(&self, state: &JobState, plan: &PlanDigest) -> Result<Job> {
        let known = Arc::clone(self.jobs().entry(state.incarnation().clone()).or_default());
        let mut known = known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, job)) = known.as_ref().filter(|(digest, _)| digest == plan) {
            return Ok(job.clone());
        }
        *known = None;
        let job = self.load(state, plan)?;
        *known = Some((plan.clone(), job.clone()));
        Ok(job)
    }

    fn load(&self, state: &JobState, plan: &PlanDigest) -> Result<Job> {
        let runtime = &self.sources.runtime;
        let read = runtime.block_on(StoredPlan::read(state))?;
        let (stored_plan, digest) = read.ok_or_else(|| Error::unavailable(format!("job {} has no plan in the state store", state.id())))?;
        if digest != *plan {
            return Err(
                Error::unavailable(format!("{} has the digest {digest}", state.describe(&state.plan())))
                    .advice(format!("the coordinator follows {plan}")),
            );
        }
        let accounts = runtime.block_on(stored_plan.accounts.read(state))?;
        let StoredPlan { plan, datasets, .. } = stored_plan;
        let compiled = Compiled::new(&plan, &accounts)?;
        let resources = self.resources(&plan, datasets, accounts.memory_bytes());
        Ok(Job::new(plan, compiled, resources))
    }

    /// The job has ended.
    pub(crate) fn forget(&self, incarnation: &Incarnation) {
        self.jobs().remove(incarnation);
    }

    /// Nobody says any more which jobs have ended: those that go on are read again.
    pub(crate) fn forget_all(&self) {
        self.jobs().clear();
    }

    fn jobs(&self) -> MutexGuard<'_, BTreeMap<Incarnation, Arc<LoadedJob>>> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What one task of a job may use; `lists_bytes` are those of its lists of accounts.
    fn resources(&self, plan: &Plan, datasets: Sides<Dataset>, lists_bytes: u64) -> Resources {
        let slots = self.slots as u64;
        let slot_bytes = self.memory_bytes / slots;
        let held = plan.estimate.reading_bytes.saturating_add(lists_bytes / slots);
        let left = slot_bytes.saturating_sub(held).max(slot_bytes / 4);
        let memory = Memory::of_task(left, &self.limits);
        Resources {
            datasets,
            sources: self.sources.clone(),
            scratch: self.scratch.clone(),
            limits: self.limits,
            memory,
            batch_rows: memory.batch_rows(plan.estimate.row_bytes(), &self.limits),
            disabled: Disabled::default(),
        }
    }
}
