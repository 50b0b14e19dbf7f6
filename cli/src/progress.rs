//! Progress on a terminal: what is done now, how much of it, and the time that this step takes yet.
//!
//! Nothing is drawn where stderr is not a terminal. A time is shown once enough is done to tell it; it is of the step that is named, not
//! of all that comes after.

use indicatif::{HumanBytes, HumanCount, HumanDuration, ProgressBar, ProgressDrawTarget, ProgressStyle};
use shadowdiff_common::read::Sources;
use shadowdiff_common::tasks::spawn;
use shadowdiff_coordinator::Progress;
use shadowdiff_core::stage::{Activity, Stage};
use shadowdiff_worker::Watch;
use std::io::IsTerminal;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// How often the line moves.
const PERIOD: Duration = Duration::from_millis(100);
/// No time left is told before so much time and so many hundredths of the step.
const TELLING_AFTER: Duration = Duration::from_secs(2);
const TELLING_PERCENT: u64 = 5;

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

/// How far a step is: what it is counted in, done and all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Done {
    done: u64,
    all: u64,
}

impl Read {
    /// Rows where the files tell how many there are: of such files not every byte is read.
    fn done(&self) -> Done {
        match self.all_rows {
            Some(all) => Done { done: self.rows(), all },
            None => Done {
                done: self.bytes().min(self.all_bytes),
                all: self.all_bytes,
            },
        }
    }

    fn words(&self) -> String {
        let (rows, bytes) = (count(self.rows()), HumanBytes(self.bytes()));
        match self.all_rows {
            Some(all) => format!("{rows} of {} rows, {bytes}", count(all)),
            None => format!("{} of {}, {rows} rows", HumanBytes(self.done().done), HumanBytes(self.all_bytes)),
        }
    }

    fn rows(&self) -> u64 {
        self.rows.rows.load(Ordering::Relaxed)
    }

    fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed).saturating_sub(self.bytes_before)
    }
}

/// A line that moves while both sides are looked at; it goes when this is dropped.
#[derive(Debug)]
pub(crate) struct Planning(Option<(ProgressBar, JoinHandle<()>)>);

impl Planning {
    /// Text files are read whole for their types, which can take longer than to compare them.
    pub(crate) fn show(sources: &Sources, quiet: bool) -> Planning {
        if !is_shown(quiet) {
            return Planning(None);
        }
        let (read, whole) = (Arc::clone(&sources.bytes_read), Arc::clone(&sources.bytes_for_types));
        let line = bar(LINE);
        let moving = line.clone();
        let task = spawn("the progress", async move {
            let started = Instant::now();
            loop {
                tokio::time::sleep(PERIOD).await;
                let (done, all) = (read.load(Ordering::Relaxed), whole.load(Ordering::Relaxed));
                let done = Done { done: done.min(all), all };
                let words = match all {
                    0 => "looking at the files".to_owned(),
                    _ => format!("{} of {}", HumanBytes(done.done), HumanBytes(all)),
                };
                draw(&moving, if all == 0 { "plan" } else { "types" }, done, &words, started.elapsed());
            }
        });
        Planning(Some((line, task)))
    }
}

impl Drop for Planning {
    fn drop(&mut self) {
        if let Some((line, task)) = self.0.take() {
            task.abort();
            line.finish_and_clear();
        }
    }
}

/// Draws until the job is done.
pub(crate) async fn show(mut progress: watch::Receiver<Progress>, read: Read, quiet: bool) {
    if !is_shown(quiet) {
        return;
    }
    let bar = bar(LINE);
    let (mut stage, mut started) = (Stage::Scan, Instant::now());
    loop {
        let now = *progress.borrow_and_update();
        if now.stage != stage {
            (stage, started) = (now.stage, Instant::now());
        }
        let tasks = Done {
            done: now.done as u64,
            all: now.all as u64,
        };
        let (done, words) = match stage.activity() {
            Activity::Reading => (read.done(), read.words()),
            // Of tasks that take long the time says that something happens.
            Activity::Comparing | Activity::Merging => {
                let since = HumanDuration(started.elapsed());
                (tasks, format!("{} of {} tasks, for {since}", tasks.done, tasks.all))
            }
        };
        draw(&bar, stage.name(), done, &words, started.elapsed());
        tokio::select! {
            changed = progress.changed() => if changed.is_err() { break },
            () = tokio::time::sleep(PERIOD) => {}
        }
    }
    bar.finish_and_clear();
}

fn is_shown(quiet: bool) -> bool {
    !quiet && std::io::stderr().is_terminal()
}

/// Fits 80 columns; what does not is cut on the right.
const LINE: &str = "{prefix:>7} [{bar:16}] {wide_msg}";

/// A line that moves, on stderr.
pub(crate) fn bar(template: &str) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(Some(1), ProgressDrawTarget::stderr());
    let style = ProgressStyle::with_template(template);
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()).progress_chars("=> "));
    bar
}

fn draw(bar: &ProgressBar, name: &'static str, done: Done, words: &str, elapsed: Duration) {
    let left = time_left(done, elapsed)
        .map(|left| format!("{}, ", in_words(left)))
        .unwrap_or_default();
    bar.set_prefix(name);
    bar.set_length(done.all);
    bar.set_position(done.done);
    bar.set_message(format!("{left}{words}"));
}

/// As long as what is done took for its part; `None` while that tells nothing.
fn time_left(Done { done, all }: Done, elapsed: Duration) -> Option<Duration> {
    let tells = done > 0 && done < all && elapsed >= TELLING_AFTER && done.saturating_mul(100) >= all.saturating_mul(TELLING_PERCENT);
    tells.then(|| elapsed.mul_f64((all - done) as f64 / done as f64))
}

fn in_words(left: Duration) -> String {
    match left.as_secs() {
        seconds @ 0..120 => format!("{} s left", seconds.max(1)),
        seconds @ 120..7200 => format!("{} min left", seconds.div_ceil(60)),
        seconds => format!("{} h left", seconds.div_ceil(3600)),
    }
}

/// A number with its thousands apart.
fn count(number: u64) -> String {
    HumanCount(number).to_string().replace(',', " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_told_once_it_means_something() {
        for (done, all, seconds, expected) in [
            (0, 100, 60, None),
            (4, 100, 60, None),
            (50, 100, 1, None),
            (50, 100, 10, Some("10 s left")),
            (10, 100, 20, Some("3 min left")),
            (5, 100, 3600, Some("19 h left")),
            (99, 100, 10, Some("1 s left")),
            (100, 100, 10, None),
            (0, 0, 10, None),
        ] {
            let left = time_left(Done { done, all }, Duration::from_secs(seconds)).map(in_words);
            assert_eq!(left.as_deref(), expected, "{done} of {all} after {seconds} s");
        }
    }

    #[test]
    fn rows_count_where_files_tell_them_and_bytes_where_not() {
        let mut read = Read {
            rows: Arc::new(Watch::default()),
            all_rows: Some(5000),
            bytes: Arc::new(AtomicU64::new(3072)),
            bytes_before: 1024,
            all_bytes: 1 << 20,
        };
        read.rows.rows.store(1234, Ordering::Relaxed);
        assert_eq!(read.words(), "1 234 of 5 000 rows, 2.00 KiB");
        assert_eq!(read.done(), Done { done: 1234, all: 5000 });
        read.all_rows = None;
        assert_eq!(read.words(), "2.00 KiB of 1.00 MiB, 1 234 rows");
        assert_eq!(read.done(), Done { done: 2048, all: 1 << 20 });
    }
}
