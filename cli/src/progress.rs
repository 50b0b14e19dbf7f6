//! Progress on a terminal: the phase, tasks, rows a second, time left.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use shadowdiff_coordinator::{Phase, Progress};
use shadowdiff_worker::Watch;
use std::io::IsTerminal;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::sync::watch;

/// Draws until the job is done; draws nothing where stderr is no terminal.
pub(crate) async fn show(mut progress: watch::Receiver<Progress>, rows: Arc<Watch>, all_rows: Option<u64>, quiet: bool) {
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
            Phase::Compare => "compare",
            Phase::Merge => "merge",
            Phase::Done => break,
        };
        bar.set_prefix(name);
        bar.set_length(now.all as u64);
        bar.set_position(now.done as u64);
        let read = rows.rows.load(Ordering::Relaxed);
        bar.set_message(match all_rows {
            Some(all) => format!("{read} of {all} rows"),
            None => format!("{read} rows"),
        });
        tokio::select! {
            changed = progress.changed() => if changed.is_err() { break },
            () = tokio::time::sleep(Duration::from_millis(200)) => {}
        }
    }
    bar.finish_and_clear();
}
