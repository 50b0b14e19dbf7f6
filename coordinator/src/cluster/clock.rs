//! The time of day, for what is stored and shown. A simulation has its own, which begins at the same moment every time.

use std::time::{SystemTime, UNIX_EPOCH};

/// Milliseconds since 1970.
#[expect(clippy::disallowed_methods, reason = "this is the one place")]
pub(crate) fn now_ms() -> i64 {
    #[cfg(test)]
    if let Some(now_ms) = simulated::now_ms() {
        return now_ms;
    }
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_millis() as i64)
}

#[cfg(test)]
pub(super) mod simulated {
    use std::cell::Cell;
    use tokio::time::Instant;

    thread_local! {
        static BEGAN: Cell<Option<Instant>> = const { Cell::new(None) };
    }

    /// From now on this thread's time of day is that of its runtime.
    pub(crate) fn begin() {
        BEGAN.set(Some(Instant::now()));
    }

    pub(super) fn now_ms() -> Option<i64> {
        BEGAN.get().map(|began| 1_800_000_000_000 + began.elapsed().as_millis() as i64)
    }
}
