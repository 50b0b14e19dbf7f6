//! What a task spends on which rung: a stopwatch that runs for one kind of work at a time.
//!
//! ```text
//! enter(window, compare) ──────────┐              ┌── until it is dropped
//!                                  └ enter(match, write) ┘
//! ```
//! Whoever enters stops the watch of whoever has called, and starts it again on leaving. So times are never counted twice, and a batch costs a
//! few looks at the clock. What is read meanwhile is counted for the rung, too. A task runs on one thread.

use shadowdiff_core::profile::{Profile, Rung, Work};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// The stopwatch of one task.
#[derive(Debug, Default)]
pub(crate) struct Meter {
    /// Bytes of datasets that the task has read.
    pub(crate) bytes: Arc<AtomicU64>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// What the watch runs for, and since when.
    now: Option<(Rung, Work, Instant)>,
    /// Of the bytes, those that are counted for a rung.
    counted_bytes: u64,
    spent: BTreeMap<(Rung, Work), Duration>,
    profile: Profile,
}

impl Meter {
    /// Starts the watch for this work on a rung, until what is given is dropped.
    pub(crate) fn enter(&self, rung: Rung, work: Work) -> Metered<'_> {
        Metered {
            meter: self,
            before: self.switch(Some((rung, work))),
        }
    }

    /// The same on the rung for which the watch runs now; nothing where it stands still.
    pub(crate) fn enter_work(&self, work: Work) -> Metered<'_> {
        let now = self.state().now;
        Metered {
            meter: self,
            before: self.switch(now.map(|(rung, _, _)| (rung, work))),
        }
    }

    /// The items, each of which takes that work to come by.
    pub(crate) fn each<'a, I: Iterator + 'a>(&'a self, work: Work, mut items: I) -> impl Iterator<Item = I::Item> + 'a {
        std::iter::from_fn(move || {
            let _spent = self.enter_work(work);
            items.next()
        })
    }

    /// So many rows of both sides have ended on a rung.
    pub(crate) fn add_rows(&self, rung: Rung, rows: u64) {
        self.state().profile.add_rows(rung, rows);
    }

    /// What the task has spent so far.
    pub(crate) fn profile(&self) -> Profile {
        let state = self.state();
        let mut profile = state.profile.clone();
        for ((rung, work), time) in &state.spent {
            profile.add_time(*rung, *work, time.as_micros() as u64);
        }
        profile
    }

    /// Runs for something else from now on; gives what it ran for.
    fn switch(&self, next: Option<(Rung, Work)>) -> Option<(Rung, Work)> {
        let read = self.bytes.load(Ordering::Relaxed);
        let at = Instant::now();
        let mut state = self.state();
        let before = state.now.take();
        if let Some((rung, work, since)) = before {
            *state.spent.entry((rung, work)).or_default() += at.duration_since(since);
            let bytes = read.saturating_sub(state.counted_bytes);
            state.profile.add_bytes(rung, bytes);
        }
        state.counted_bytes = read;
        state.now = next.map(|(rung, work)| (rung, work, at));
        before.map(|(rung, work, _)| (rung, work))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The watch runs until this is dropped; then it goes on as before.
#[must_use]
pub(crate) struct Metered<'a> {
    meter: &'a Meter,
    before: Option<(Rung, Work)>,
}

impl Drop for Metered<'_> {
    fn drop(&mut self) {
        self.meter.switch(self.before);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_entered_inside_stops_the_watch_outside() {
        let meter = Meter::default();
        meter.bytes.fetch_add(1, Ordering::Relaxed);
        {
            let _outer = meter.enter(Rung::Window, Work::Compare);
            meter.bytes.fetch_add(10, Ordering::Relaxed);
            {
                let _inner = meter.enter(Rung::Match, Work::Write);
                meter.bytes.fetch_add(100, Ordering::Relaxed);
                std::thread::sleep(Duration::from_millis(20));
            }
            let _hash = meter.enter_work(Work::Hash);
            meter.bytes.fetch_add(1000, Ordering::Relaxed);
        }
        let _nothing = meter.enter_work(Work::Join);
        meter.add_rows(Rung::Window, 6);
        let profile = meter.profile();
        let (window, matched) = (profile.rungs[&Rung::Window], profile.rungs[&Rung::Match]);
        assert_eq!(profile.rungs.len(), 2);
        assert_eq!((window.rows, window.bytes, matched.bytes), (6, 1010, 100));
        assert!(matched.write_us >= 20_000 && matched.all_us() == matched.write_us, "{matched:?}");
        assert!(window.compare_us < 20_000 && window.join_us == 0, "{window:?}");
    }
}
