//! The workers of the scheduler: who has a free slot, how large it is, who was not heard of, and who is set aside.

use super::blame::{NameId, Names};
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
    /// Those that are set aside, by when they come back.
    aside: BTreeSet<(u64, WorkerId)>,
    pub(super) names: Names,
}

#[derive(Debug)]
struct Worker {
    name: NameId,
    slots: usize,
    slot_bytes: u64,
    /// When it was heard of, if it sends heartbeats.
    seen_ms: Option<u64>,
    draining: bool,
    /// Until then it takes nothing: its attempts failed.
    aside_until_ms: Option<u64>,
    /// It is kept for a task that runs alone: its free slots are nobody's.
    closed: bool,
    running: BTreeSet<AttemptId>,
}

impl Worker {
    fn takes_tasks(&self) -> bool {
        !self.draining && self.aside_until_ms.is_none()
    }

    fn free(&self) -> usize {
        if self.closed {
            0
        } else {
            self.slots.saturating_sub(self.running.len())
        }
    }
}

/// What a worker says of itself when it comes.
pub(super) struct Joining<'a> {
    pub(super) name: &'a str,
    pub(super) slots: usize,
    pub(super) memory_bytes: u64,
    /// Now, if it sends heartbeats.
    pub(super) seen_ms: Option<u64>,
    pub(super) now_ms: u64,
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
    /// A worker that comes back under its name is set aside as long as it was; until when, if it is.
    pub(super) fn join(&mut self, worker: WorkerId, joining: Joining<'_>) -> Option<u64> {
        let Joining {
            name,
            slots,
            memory_bytes,
            seen_ms,
            now_ms,
        } = joining;
        let name = self.names.take(name);
        self.heard.extend(seen_ms.map(|at| (at, worker)));
        let joined = Worker {
            name,
            slots,
            slot_bytes: memory_bytes / slots.max(1) as u64,
            seen_ms,
            // Without a slot it takes nothing, just as one that drains.
            draining: slots == 0,
            aside_until_ms: None,
            closed: false,
            running: BTreeSet::new(),
        };
        self.all.insert(worker, joined);
        if slots > 0 {
            self.count_in(worker);
        }
        let until_ms = self.names.aside_until(name).filter(|until_ms| *until_ms > now_ms)?;
        self.set_aside(worker, until_ms).then_some(until_ms)
    }

    pub(super) fn seen(&mut self, worker: WorkerId, now_ms: u64) {
        if let Some(seen_ms) = self.all.get_mut(&worker).and_then(|w| w.seen_ms.as_mut()) {
            self.heard.remove(&(*seen_ms, worker));
            self.heard.insert((now_ms, worker));
            *seen_ms = now_ms;
        }
    }

    pub(super) fn all_seen(&mut self, now_ms: u64) {
        for worker in self.all.keys().copied().collect::<Vec<_>>() {
            self.seen(worker, now_ms);
        }
    }

    pub(super) fn drain(&mut self, worker: WorkerId) {
        let Some(entry) = self.all.get_mut(&worker).filter(|w| !w.draining) else {
            return;
        };
        match entry.aside_until_ms.take() {
            Some(until_ms) => {
                self.aside.remove(&(until_ms, worker));
            }
            None => self.count_out(worker),
        }
        if let Some(entry) = self.all.get_mut(&worker) {
            entry.draining = true;
        }
        self.recall_if_none();
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
        self.names.leave(gone.name);
        gone.running
    }

    /// It takes nothing until then, unless nobody else takes tasks. Whether it is so.
    pub(super) fn set_aside(&mut self, worker: WorkerId, until_ms: u64) -> bool {
        let is_only = self.takers() <= 1;
        let Some(entry) = self.all.get_mut(&worker).filter(|w| w.takes_tasks() && !is_only) else {
            return false;
        };
        entry.aside_until_ms = Some(until_ms);
        self.aside.insert((until_ms, worker));
        self.count_out(worker);
        true
    }

    /// Those whose time is over take tasks again.
    pub(super) fn come_back(&mut self, now_ms: u64) {
        while let Some(&(until_ms, worker)) = self.aside.first()
            && until_ms <= now_ms
        {
            self.take_back(worker);
        }
    }

    /// Everybody who is set aside takes tasks again: another voice is needed.
    pub(super) fn recall(&mut self) {
        while let Some(&(_, worker)) = self.aside.first() {
            self.take_back(worker);
        }
    }

    pub(super) fn take_back(&mut self, worker: WorkerId) {
        let Some(until_ms) = self.all.get_mut(&worker).and_then(|w| w.aside_until_ms.take()) else {
            return;
        };
        self.aside.remove(&(until_ms, worker));
        self.count_in(worker);
    }

    /// Those who are set aside are better than nobody.
    fn recall_if_none(&mut self) {
        if self.takers() == 0 {
            self.recall();
        }
    }

    fn takers(&self) -> usize {
        self.sizes.values().map(|size| size.workers).sum()
    }

    /// A worker takes tasks from now on.
    fn count_in(&mut self, worker: WorkerId) {
        let Some(entry) = self.all.get(&worker) else { return };
        let size = self.sizes.entry(entry.slot_bytes).or_default();
        size.workers += 1;
        size.slots += entry.slots;
        if entry.free() > 0 {
            size.free.insert((Reverse(entry.free()), worker));
        }
    }

    /// A worker takes no more tasks.
    fn count_out(&mut self, worker: WorkerId) {
        let Some(entry) = self.all.get(&worker) else { return };
        let size = self.sizes.entry(entry.slot_bytes).or_default();
        size.workers -= 1;
        size.slots -= entry.slots;
        size.free.remove(&(Reverse(entry.free()), worker));
        if size.workers == 0 {
            self.sizes.remove(&entry.slot_bytes);
        }
    }

    pub(super) fn occupy(&mut self, worker: WorkerId, attempt: AttemptId) {
        self.change(worker, |entry| {
            entry.running.insert(attempt);
        });
    }

    pub(super) fn release(&mut self, worker: WorkerId, attempt: AttemptId) {
        self.change(worker, |entry| {
            entry.running.remove(&attempt);
        });
    }

    /// Keeps a worker for one task, or gives it back to all.
    pub(super) fn close(&mut self, worker: WorkerId, closed: bool) {
        self.change(worker, |entry| entry.closed = closed);
    }

    /// Changes what a worker runs, and its place among the free ones.
    fn change(&mut self, worker: WorkerId, change: impl FnOnce(&mut Worker)) {
        let Some(entry) = self.all.get_mut(&worker) else { return };
        let before = entry.free();
        change(entry);
        let after = entry.free();
        if !entry.takes_tasks() {
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

    /// The worker with the most free slots among those large enough that a task does not avoid; the lowest number among equals.
    pub(super) fn pick(&self, need_bytes: u64, avoided: &BTreeSet<NameId>) -> Option<WorkerId> {
        let large_enough = self.sizes.range(self.least(need_bytes, avoided)?..);
        let is_avoided = |worker: &WorkerId| !avoided.is_empty() && self.is_avoided(*worker, avoided);
        let of_each = large_enough.filter_map(|(_, size)| size.free.iter().find(|(_, worker)| !is_avoided(worker)));
        of_each.min().map(|(_, worker)| *worker)
    }

    /// The worker that is to be emptied for a task that runs alone: the one with the least to do.
    pub(super) fn pick_for_one(&self, need_bytes: u64, avoided: &BTreeSet<NameId>) -> Option<WorkerId> {
        let least = self.least(need_bytes, avoided)?;
        let open = self
            .all
            .iter()
            .filter(|(_, w)| w.takes_tasks() && !w.closed && w.slot_bytes >= least);
        let open = open.filter(|(_, w)| !avoided.contains(&w.name));
        open.min_by_key(|(worker, w)| (w.running.len(), **worker))
            .map(|(worker, _)| *worker)
    }

    /// Whether anybody takes tasks whom a task does not avoid.
    pub(super) fn has_other(&self, avoided: &BTreeSet<NameId>) -> bool {
        self.least(0, avoided).is_some()
    }

    pub(super) fn takes_tasks(&self, worker: WorkerId) -> bool {
        self.all.get(&worker).is_some_and(Worker::takes_tasks)
    }

    pub(super) fn is_empty(&self, worker: WorkerId) -> bool {
        self.all.get(&worker).is_some_and(|w| w.running.is_empty())
    }

    pub(super) fn name(&self, worker: WorkerId) -> Option<NameId> {
        self.all.get(&worker).map(|w| w.name)
    }

    /// A worker of the same process: what it says is known.
    pub(super) fn is_own(&self, worker: WorkerId) -> bool {
        self.all.get(&worker).is_some_and(|w| w.seen_ms.is_none())
    }

    /// Who has this name now.
    pub(super) fn named(&self, name: NameId) -> Option<WorkerId> {
        self.all.iter().find(|(_, w)| w.name == name).map(|(worker, _)| *worker)
    }

    /// How large a slot must be for a task of this need: the largest there are serve any, if the task does not avoid them all.
    fn least(&self, need_bytes: u64, avoided: &BTreeSet<NameId>) -> Option<u64> {
        if avoided.is_empty() {
            return self.sizes.last_key_value().map(|(largest, _)| need_bytes.min(*largest));
        }
        let other = |w: &&Worker| w.takes_tasks() && !avoided.contains(&w.name);
        let largest = self.all.values().filter(other).map(|w| w.slot_bytes).max()?;
        Some(need_bytes.min(largest))
    }

    fn is_avoided(&self, worker: WorkerId, avoided: &BTreeSet<NameId>) -> bool {
        self.name(worker).is_some_and(|name| avoided.contains(&name))
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

    /// When the next worker that is set aside comes back.
    pub(super) fn next_back(&self) -> Option<u64> {
        self.aside.first().map(|(until_ms, _)| *until_ms)
    }

    /// How many are set aside.
    pub(super) fn aside(&self) -> usize {
        self.aside.len()
    }

    pub(super) fn slots(&self) -> usize {
        self.sizes.values().map(|size| size.slots).sum()
    }
}
