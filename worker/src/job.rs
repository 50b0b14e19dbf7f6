//! A job as one of its attempts sees it: the plan, what is made from it, what may be used, and whether to go on.

use crate::exchanged::ExchangedRows;
use crate::meter::Meter;
use crate::resources::Resources;
use arrow_array::RecordBatch;
use shadowdiff_common::compiled::Compiled;
use shadowdiff_common::read::{Held, Sources};
use shadowdiff_core::error::{Error, Kind, Result};
use shadowdiff_core::plan::Plan;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

/// All but watch and meter is shared by the attempts of a job.
#[derive(Debug, Clone)]
pub struct Job {
    pub plan: Arc<Plan>,
    pub compiled: Arc<Compiled>,
    pub resources: Arc<Resources>,
    pub watch: Arc<Watch>,
    pub(crate) meter: Arc<Meter>,
    /// What this attempt holds of objects.
    pub(crate) held: Held,
    /// See `key_ranges`; found out once.
    pub(crate) keys_lie_apart: Arc<OnceLock<bool>>,
}

impl Job {
    /// `compiled` is made from the plan.
    pub fn new(plan: Plan, compiled: Compiled, resources: Resources) -> Self {
        Job {
            plan: Arc::new(plan),
            compiled: Arc::new(compiled),
            resources: Arc::new(resources),
            watch: Arc::default(),
            meter: Arc::default(),
            held: Held::default(),
            keys_lie_apart: Arc::default(),
        }
    }

    /// The same job under another watch: that of one attempt.
    pub(crate) fn watched(&self, watch: Arc<Watch>) -> Job {
        Job { watch, ..self.clone() }
    }

    /// The same job with a meter of its own, and nothing held: that of one attempt.
    pub(crate) fn metered(&self) -> Job {
        Job {
            meter: Arc::default(),
            held: Held::default(),
            ..self.clone()
        }
    }

    /// Where datasets are read from; the bytes are counted, and those that are held are not read again.
    pub(crate) fn sources(&self) -> Sources {
        self.resources.sources.of_task(&self.meter.bytes, &self.held)
    }

    /// Fingerprints of the keys of exchanged rows.
    pub(crate) fn key_fingerprints(&self, batch: &RecordBatch) -> Vec<u128> {
        let key = ExchangedRows::new(batch, &self.plan).key();
        self.compiled.key_fingerprint.hash(&key, batch.num_rows())
    }
}

/// How far a job is, for whoever watches.
#[derive(Debug, Default)]
pub struct Watch {
    pub rows: AtomicU64,
    /// Grows whenever something has moved.
    pub steps: AtomicU64,
    pub cancelled: AtomicBool,
}

impl Watch {
    /// Something has moved. An error once somebody asked to stop.
    pub fn check(&self) -> Result<()> {
        self.steps.fetch_add(1, Ordering::Relaxed);
        if self.cancelled.load(Ordering::Relaxed) {
            return Err(Error::new(Kind::Interrupted, "interrupted"));
        }
        Ok(())
    }
}
