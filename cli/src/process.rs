//! What a command needs of its own process: threads, the folder that relative paths start at, and its exit code.

use shadowdiff_core::error::{Error, Result};
use shadowdiff_core::verdict::Verdict;
use std::path::PathBuf;
use std::process::ExitCode;

/// As diff has it: 0 for pass, 1 for fail.
pub(crate) fn exit_code(verdict: Verdict) -> ExitCode {
    match verdict {
        Verdict::Pass => ExitCode::SUCCESS,
        Verdict::Fail => ExitCode::FAILURE,
    }
}

pub(crate) fn runtime() -> Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|e| Error::exhausted(format!("no threads can be started: {e}")))
}

/// Ends with work still under way: what hangs in a read is not waited for. The runtime is not shut down either, because a read that
/// sleeps between two tries would panic.
pub(crate) fn leave(runtime: tokio::runtime::Runtime) {
    std::mem::forget(runtime);
}

pub(crate) fn working_directory() -> Result<PathBuf> {
    std::env::current_dir().map_err(|e| Error::input(format!("the working directory is gone: {e}")))
}
