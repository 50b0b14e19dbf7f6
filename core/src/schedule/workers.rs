//! The workers of the scheduler: who has a free slot, how large it is, and who was not heard of.

use super::{AttemptId, LOST_AFTER_MS, WorkerId};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

#[derive(Debug, Default)]
pub(super) struct Workers {
    all: BTreeMap<WorkerId, Worker>,
    /// Workers that take tasks, by the memory of one slot. There are few sizes, and a worker is found in each in O(log n).
    sizes: BTreeMap<u64, Size>,
    /// Those that send heartbeats, by when they were heard of.
    heard: BTreeSet<(u64, WorkerId)>,
}

#[derive(Debug)]
struct Worker {
    slots: usize,
    slot_bytes: u64,
    /// When it was heard of, if it sends heartbeats.
    seen_ms: Option<u64>,
    draining: bool,
    running: BTreeSet<AttemptId>,
}

/// Workers with slots of one size.
#[derive(Debug, Default)]
struct Size {
    workers: usize,
    slots: usize,
    /// Those with a free slot: most free slots first, then by number.
    free: BTreeSet<(Reverse<usize>, WorkerId)>,
}

impl Workers {
    pub(super) fn join(&mut self, worker: WorkerId, slots: usize, memory_bytes: u64, seen_ms: Option<u64>) {
        let slot_bytes = memory_bytes / slots.max(1) as u64;
        if slots > 0 {
            let size = self.sizes.entry(slot_bytes).or_default();
            size.workers += 1;
            size.slots += slots;
            size.free.insert((Reverse(slots), worker));
        }
        self.heard.extend(seen_ms.map(|at| (at, worker)));
        let joined = Worker {
            slots,
            slot_bytes,
            seen_ms,
            // Without a slot it takes nothing, just as one that drains.
            draining: slots == 0,
            running: BTreeSet::new(),
        };
        self.all.insert(worker, joined);
    }

    pub(super) fn seen(&mut self, worker: WorkerId, now_ms: u64) {
        if let Some(seen_ms) = self.all.get_mut(&worker).and_then(|w| w.seen_ms.as_mut()) {
            self.heard.remove(&(*seen_ms, worker));
            self.heard.insert((now_ms, worker));
            *seen_ms = now_ms;
        }
    }

    pub(super) fn drain(&mut self, worker: WorkerId) {
        let Some(entry) = self.all.get_mut(&worker).filter(|w| !w.draining) else {
            return;
        };
        entry.draining = true;
        let size = self.sizes.entry(entry.slot_bytes).or_default();
        size.workers -= 1;
        size.slots -= entry.slots;
        size.free.remove(&(Reverse(entry.slots - entry.running.len()), worker));
        if size.workers == 0 {
            self.sizes.remove(&entry.slot_bytes);
        }
    }

    /// Forgets a worker; what it ran.
    pub(super) fn leave(&mut self, worker: WorkerId) -> BTreeSet<AttemptId> {
        self.drain(worker);
        let Some(gone) = self.all.remove(&worker) else {
            return BTreeSet::new();
        };
        if let Some(at) = gone.seen_ms {
            self.heard.remove(&(at, worker));
        }
        gone.running
    }

    pub(super) fn occupy(&mut self, worker: WorkerId, attempt: AttemptId) {
        self.change(worker, |running| running.insert(attempt));
    }

    pub(super) fn release(&mut self, worker: WorkerId, attempt: AttemptId) {
        self.change(worker, |running| running.remove(&attempt));
    }

    /// Changes what a worker runs, and its place among the free ones.
    fn change(&mut self, worker: WorkerId, change: impl FnOnce(&mut BTreeSet<AttemptId>) -> bool) {
        let Some(entry) = self.all.get_mut(&worker) else { return };
        let before = entry.slots.saturating_sub(entry.running.len());
        change(&mut entry.running);
        let after = entry.slots.saturating_sub(entry.running.len());
        if entry.draining {
            return;
        }
        let size = self.sizes.entry(entry.slot_bytes).or_default();
        size.free.remove(&(Reverse(before), worker));
        if after > 0 {
            size.free.insert((Reverse(after), worker));
        }
    }

    pub(super) fn has_free(&self) -> bool {
        self.largest_free().is_some()
    }

    /// The largest need that a free slot serves now; the largest workers there are serve any.
    pub(super) fn largest_free(&self) -> Option<u64> {
        let (bytes, _) = self.sizes.iter().rev().find(|(_, size)| !size.free.is_empty())?;
        let is_largest = self.sizes.last_key_value().is_some_and(|(largest, _)| largest == bytes);
        Some(if is_largest { u64::MAX } else { *bytes })
    }

    /// The worker with the most free slots among those large enough; the lowest number among equals.
    pub(super) fn pick(&self, need_bytes: u64, except: Option<WorkerId>) -> Option<WorkerId> {
        let (largest, _) = self.sizes.last_key_value()?;
        let large_enough = self.sizes.range(need_bytes.min(*largest)..);
        let of_each = large_enough.filter_map(|(_, size)| size.free.iter().find(|(_, worker)| Some(*worker) != except));
        of_each.min().map(|(_, worker)| *worker)
    }

    /// A worker that was not heard of for too long.
    pub(super) fn silent(&self, now_ms: u64) -> Option<WorkerId> {
        let (at, worker) = self.heard.first()?;
        (at + LOST_AFTER_MS <= now_ms).then_some(*worker)
    }

    /// When the next worker counts as silent, should it stay so.
    pub(super) fn next_silent(&self) -> Option<u64> {
        self.heard.first().map(|(at, _)| at + LOST_AFTER_MS)
    }

    pub(super) fn slots(&self) -> usize {
        self.sizes.values().map(|size| size.slots).sum()
    }
}
