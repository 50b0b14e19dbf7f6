//! Progress on a terminal: the phase, tasks, rows, bytes, time left.

use indicatif::{HumanBytes, ProgressBar, ProgressDrawTarget, ProgressStyle};
use shadowdiff_coordinator::{Phase, Progress};
use shadowdiff_worker::Watch;
use std::io::IsTerminal;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::watch;

/// What is read of both sides, and how much there is.
#[derive(Debug)]
pub(crate) struct Read {
    pub(crate) rows: Arc<Watch>,
    pub(crate) all_rows: Option<u64>,
    pub(crate) bytes: Arc<AtomicU64>,
    /// What planning had read before.
    pub(crate) bytes_before: u64,
    pub(crate) all_bytes: u64,
}

impl Read {
    fn words(&self) -> String {
        let rows = self.rows.rows.load(Ordering::Relaxed);
        let bytes = self
            .bytes
            .load(Ordering::Relaxed)
            .saturating_sub(self.bytes_before)
            .min(self.all_bytes);
        let (bytes, all_bytes) = (HumanBytes(bytes), HumanBytes(self.all_bytes));
        match self.all_rows {
            Some(all) => format!("{rows} of {all} rows, {bytes} of {all_bytes}"),
            None => format!("{rows} rows, {bytes} of {all_bytes}"),
        }
    }
}

/// Draws until the job is done; draws nothing where stderr is no terminal.
pub(crate) async fn show(mut progress: watch::Receiver<Progress>, read: Read, quiet: bool) {
    if quiet || !std::io::stderr().is_terminal() {
        return;
    }
    let bar = ProgressBar::with_draw_target(Some(1), ProgressDrawTarget::stderr());
    let style = ProgressStyle::with_template("{prefix:>8} [{bar:30}] {pos}/{len} tasks  {msg}  {elapsed} (left: {eta})");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()).progress_chars("=> "));
    loop {
        let now = *progress.borrow_and_update();
        let name = match now.phase {
            Phase::Scan => "scan",
            Phase::Sift => "sift",
            Phase::Fetch => "fetch",
            Phase::Compare => "compare",
            Phase::Merge => "merge",
            Phase::Done => break,
        };
        bar.set_prefix(name);
        bar.set_length(now.all as u64);
        bar.set_position(now.done as u64);
        bar.set_message(read.words());
        tokio::select! {
            changed = progress.changed() => if changed.is_err() { break },
            () = tokio::time::sleep(Duration::from_millis(200)) => {}
        }
    }
    bar.finish_and_clear();
}
