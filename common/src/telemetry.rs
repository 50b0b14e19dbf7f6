//! Logging: to stderr, by a filter; the same for every process.

use shadowdiff_core::error::{Error, Result};
use std::io::IsTerminal;

/// Starts the log. `filter` is a level or a list of `target=level`.
pub fn start_log(filter: &str) -> Result<()> {
    let filter = tracing_subscriber::EnvFilter::try_new(filter).map_err(|e| Error::spec(format!("--log: {e}")))?;
    // A second start in one process, as in tests, keeps the first.
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr)
        .try_init();
    Ok(())
}
