//! What a command needs of its own process: threads, memory, the folder that relative paths start at, and its exit code.

use shadowdiff_common::read::Sources;
use shadowdiff_common::store::Stores;
use shadowdiff_core::error::{Error, Result};
use shadowdiff_core::verdict::Verdict;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use tokio::runtime::{Builder, Handle};

/// As diff has it: 0 for pass, 1 for fail.
pub(crate) fn exit_code(verdict: Verdict) -> ExitCode {
    exit_code_of(verdict == Verdict::Pass)
}

/// The same of what is well or not without a verdict.
pub(crate) fn exit_code_of(is_well: bool) -> ExitCode {
    if is_well { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Does the work of a command, in threads of its own.
pub(crate) fn block_on<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    block_in(&mut Builder::new_multi_thread(), work)
}

/// The same, with tasks that each block a thread.
pub(crate) fn block_on_tasks<T>(threads: usize, work: impl Future<Output = Result<T>>) -> Result<T> {
    let mut builder = Builder::new_multi_thread();
    block_in(builder.worker_threads(2).max_blocking_threads(threads + 32), work)
}

/// Ends with work still under way: what hangs in a read is not waited for. The runtime is not shut down either, because a read that
/// sleeps between two tries would panic.
fn block_in<T>(builder: &mut Builder, work: impl Future<Output = Result<T>>) -> Result<T> {
    let runtime = builder.enable_all().build();
    let runtime = runtime.map_err(|e| Error::exhausted(format!("no threads can be started: {e}")))?;
    let done = runtime.block_on(work);
    std::mem::forget(runtime);
    done
}

/// What a command reads from, in the threads that it runs in.
pub(crate) fn sources() -> Sources {
    Sources::new(Arc::new(Stores::new()), Handle::current())
}

/// Tasks that run at a time, unless somebody says: one on each core.
pub(crate) fn threads(asked: Option<u16>) -> usize {
    asked.map_or_else(|| std::thread::available_parallelism().map_or(1, usize::from), usize::from)
}

/// Memory to use, unless somebody says: half of what the container may use, or of what the machine has.
pub(crate) fn memory_bytes(asked: Option<u64>) -> u64 {
    asked.unwrap_or_else(|| (available_bytes() / 2).max(256 << 20))
}

pub(crate) fn working_directory() -> Result<PathBuf> {
    std::env::current_dir().map_err(|e| Error::input(format!("the working directory is gone: {e}")))
}

/// What the container may use, else what the machine has.
fn available_bytes() -> u64 {
    let number = |path: &str| std::fs::read_to_string(path).ok().and_then(|text| text.trim().parse::<u64>().ok());
    let limits = ["/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"]
        .into_iter()
        .filter_map(number);
    limits.chain([machine_bytes()]).min().unwrap_or(1 << 30)
}

fn machine_bytes() -> u64 {
    let text = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let total = text
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:")?.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    total.map_or(2 << 30, |kib| kib * 1024)
}
