//! The pace of a stage: how long its tasks took, and which attempts under way take long.

use super::{AttemptId, SPECULATE_AT_LEAST_MS, SPECULATE_FACTOR};
use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap};

#[derive(Debug, Default)]
pub(super) struct Pace {
    /// The shorter half of the run times, and the median on top.
    short: BinaryHeap<u64>,
    /// The longer half.
    long: BinaryHeap<Reverse<u64>>,
    /// Attempts that may get a second beside them, by when they started.
    alone: BTreeSet<(u64, AttemptId)>,
}

impl Pace {
    /// A task took so long.
    pub(super) fn learn(&mut self, run_ms: u64) {
        self.short.push(run_ms);
        self.long.extend(self.short.pop().map(Reverse));
        if self.long.len() > self.short.len() {
            self.short.extend(self.long.pop().map(|Reverse(run_ms)| run_ms));
        }
    }

    pub(super) fn started(&mut self, attempt: AttemptId, now_ms: u64) {
        self.alone.insert((now_ms, attempt));
    }

    /// It ended, or is not alone any more.
    pub(super) fn leave(&mut self, attempt: AttemptId, started_ms: u64) {
        self.alone.remove(&(started_ms, attempt));
    }

    /// Attempts that take long, the oldest first.
    pub(super) fn slow(&self, now_ms: u64) -> impl Iterator<Item = AttemptId> {
        let latest = self.limit_ms().and_then(|limit| now_ms.checked_sub(limit));
        let slow = self
            .alone
            .iter()
            .take_while(move |(started, _)| latest.is_some_and(|l| *started <= l));
        slow.map(|(_, attempt)| *attempt)
    }

    /// When the next attempt counts as slow, should it go on.
    pub(super) fn next_slow(&self, now_ms: u64) -> Option<u64> {
        let limit = self.limit_ms()?;
        let earliest = (now_ms + 1).saturating_sub(limit);
        let (started, _) = self.alone.range((earliest, AttemptId(0))..).next()?;
        Some(started + limit)
    }

    /// The lower median of the run times.
    pub(super) fn median_ms(&self) -> Option<u64> {
        self.short.peek().copied()
    }

    /// The run time from which on an attempt is slow.
    fn limit_ms(&self) -> Option<u64> {
        let (times, divisor) = SPECULATE_FACTOR;
        let more_than = self.median_ms()?.saturating_mul(times) / divisor;
        Some(more_than.saturating_add(1).max(SPECULATE_AT_LEAST_MS))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_follows_the_lower_median() {
        let mut pace = Pace::default();
        assert_eq!(pace.limit_ms(), None);
        let mut limits = Vec::new();
        for run_ms in [2_000, 9_000, 1_000, 8_000, 3_001] {
            pace.learn(run_ms);
            limits.extend(pace.limit_ms());
        }
        assert_eq!(limits, [3_001, 3_001, 3_001, 3_001, 4_502]);
    }

    #[test]
    fn short_tasks_are_never_slow_before_the_least_time() {
        let mut pace = Pace::default();
        pace.learn(0);
        pace.started(AttemptId(1), 50);
        assert_eq!(pace.next_slow(60), Some(50 + SPECULATE_AT_LEAST_MS));
        assert_eq!(pace.slow(49 + SPECULATE_AT_LEAST_MS).next(), None);
        assert_eq!(pace.slow(50 + SPECULATE_AT_LEAST_MS).next(), Some(AttemptId(1)));
        assert_eq!(pace.next_slow(50 + SPECULATE_AT_LEAST_MS), None);
    }
}
