//! Fair shares: of the jobs that want a slot, the one with the fewest running attempts for its priority comes first.

use super::JobNumber;
use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

#[derive(Debug, Default)]
pub(super) struct Shares {
    of: BTreeMap<JobNumber, Share>,
    order: BTreeSet<Share>,
}

impl Shares {
    /// How a job stands: running attempts and priority while it wants a slot, nothing otherwise.
    pub(super) fn set(&mut self, job: JobNumber, wanting: Option<(usize, u32)>) {
        let share = wanting.map(|(running, priority)| Share {
            running: running as u64,
            priority: priority.into(),
            job,
        });
        if self.of.get(&job) == share.as_ref() {
            return;
        }
        if let Some(former) = self.of.remove(&job) {
            self.order.remove(&former);
        }
        if let Some(share) = share {
            self.of.insert(job, share);
            self.order.insert(share);
        }
    }

    /// The jobs that want a slot, the neediest first.
    pub(super) fn jobs(&self) -> impl Iterator<Item = JobNumber> {
        self.order.iter().map(|share| share.job)
    }
}

/// Ordered by running / priority, then by number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Share {
    running: u64,
    priority: u64,
    job: JobNumber,
}

impl Ord for Share {
    fn cmp(&self, other: &Self) -> Ordering {
        // Crosswise instead of divided, so that nothing is rounded.
        let (mine, theirs) = (self.running * other.priority, other.running * self.priority);
        mine.cmp(&theirs).then_with(|| self.job.cmp(&other.job))
    }
}

impl PartialOrd for Share {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
