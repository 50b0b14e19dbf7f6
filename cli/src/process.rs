//! What a command needs of its own process: threads, memory, the folder that relative paths start at, and its exit code.

use shadowdiff_core::error::{Error, Result};
use shadowdiff_core::verdict::Verdict;
use std::path::PathBuf;
use std::process::ExitCode;
use tokio::runtime::{Builder, Runtime};

/// As diff has it: 0 for pass, 1 for fail.
pub(crate) fn exit_code(verdict: Verdict) -> ExitCode {
    match verdict {
        Verdict::Pass => ExitCode::SUCCESS,
        Verdict::Fail => ExitCode::FAILURE,
    }
}

pub(crate) fn runtime() -> Result<Runtime> {
    built(&mut Builder::new_multi_thread())
}

/// For tasks that each block a thread.
pub(crate) fn runtime_of_tasks(threads: usize) -> Result<Runtime> {
    built(Builder::new_multi_thread().worker_threads(2).max_blocking_threads(threads + 32))
}

fn built(builder: &mut Builder) -> Result<Runtime> {
    let runtime = builder.enable_all().build();
    runtime.map_err(|e| Error::exhausted(format!("no threads can be started: {e}")))
}

/// Tasks that run at a time, unless somebody says: one on each core.
pub(crate) fn threads(asked: Option<u16>) -> usize {
    asked.map_or_else(|| std::thread::available_parallelism().map_or(1, usize::from), usize::from)
}

/// Memory to use, unless somebody says: half of what the container may use, or of what the machine has.
pub(crate) fn memory_bytes(asked: Option<u64>) -> u64 {
    asked.unwrap_or_else(|| (available_bytes() / 2).max(256 << 20))
}

/// Ends with work still under way: what hangs in a read is not waited for. The runtime is not shut down either, because a read that
/// sleeps between two tries would panic.
pub(crate) fn leave(runtime: Runtime) {
    std::mem::forget(runtime);
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
