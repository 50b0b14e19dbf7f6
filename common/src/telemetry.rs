//! Logging: to stderr, by a filter, without secrets; the same for every process.

use shadowdiff_core::error::{Error, Result};
use shadowdiff_core::redact::redacted;
use std::io::{self, IsTerminal, Write};

/// Libraries whose traces hold headers and paths as they are sent: a signature or a password is among them.
const QUIET: &str = "h2=info,hyper=info,hyper_util=info,reqwest=info,rustls=info,tonic=info,tower=info";

/// Starts the log. `filter` is a level or a list of `target=level`.
pub fn start_log(filter: &str) -> Result<()> {
    let filter = tracing_subscriber::EnvFilter::try_new(format!("{filter},{QUIET}")).map_err(|e| Error::spec(format!("--log: {e}")))?;
    // A second start in one process, as in tests, keeps the first.
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(io::stderr().is_terminal())
        .with_writer(|| Redacting)
        .try_init();
    Ok(())
}

/// Writes whole lines to stderr, the secrets of their URLs taken out.
#[derive(Debug)]
struct Redacting;

impl Write for Redacting {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        io::stderr().lock().write_all(redacted(&String::from_utf8_lossy(line)).as_bytes())?;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}
