//! Patience with a store that does not answer for a while, or answers with damaged bytes: the same for every access of a job.

use futures::future::BoxFuture;
use shadowdiff_core::error::{Kind, Result};
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// How long a store may be away before a job fails for it.
pub const PATIENCE: Duration = Duration::from_secs(180);
/// Before the second try, twice as long each time up to `MAX_WAIT`, so that a store that is back is noticed soon.
const FIRST_WAIT: Duration = Duration::from_millis(250);
const MAX_WAIT: Duration = Duration::from_secs(10);

/// Does `work` until it works, fails for another reason than an absent store, or [`PATIENCE`] ends.
pub async fn retrying<'a, T>(what: &str, work: impl FnMut() -> BoxFuture<'a, Result<T>> + Send) -> Result<T> {
    retrying_for(PATIENCE, what, work).await
}

/// The same with a patience of one's own; with none, `work` is done once.
pub(super) async fn retrying_for<'a, T>(
    patience: Duration,
    what: &str,
    mut work: impl FnMut() -> BoxFuture<'a, Result<T>> + Send,
) -> Result<T> {
    let until = Instant::now() + patience;
    let mut wait = FIRST_WAIT;
    loop {
        match work().await {
            Err(error) if error.kind == Kind::Unavailable && Instant::now() + wait < until => {
                tracing::warn!("{what}: {error}; trying again in {} ms", wait.as_millis());
                sleep(wait).await;
                wait = (wait * 2).min(MAX_WAIT);
            }
            done => return done,
        }
    }
}
