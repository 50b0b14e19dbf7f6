//! Jobs for people: a table, one job, and a line that moves while a job runs.

use super::remote::Remote;
use super::{has_ended, json, verdict};
use crate::progress::bar;
use crate::{note, say};
use indicatif::ProgressBar;
use shadowdiff_core::error::{Error, Kind, Result};
use shadowdiff_core::requests::Requests;
use shadowdiff_core::verdict::Verdict;
use shadowdiff_proto::v1::{Job, JobState};
use std::fmt::Write;
use std::io::IsTerminal;
use std::time::{Duration, Instant};
use tokio::time::sleep;

/// Breaks of the stream before the coordinator counts as gone.
const MAX_BREAKS: u32 = 60;
/// Between two tries; with `MAX_BREAKS` a coordinator has a minute to start again.
const PAUSE: Duration = Duration::from_secs(1);

/// The state in a word, with the verdict where there is one.
pub(super) fn state(job: &Job) -> &'static str {
    match (job.state(), verdict(job)) {
        (JobState::Planning, _) => "planning",
        (JobState::Queued, _) => "queued",
        (JobState::Scanning, _) => "scanning",
        (JobState::Comparing, _) => "comparing",
        (JobState::Merging, _) => "merging",
        (JobState::Succeeded, Some(Verdict::Pass)) => "done: pass",
        (JobState::Succeeded, _) => "done: fail",
        (JobState::Failed, _) => "failed",
        (JobState::Cancelled, _) => "cancelled",
        (JobState::Unspecified, _) => "unknown",
    }
}

/// A line a job.
pub(super) fn table(jobs: &[Job]) -> String {
    let mut out = String::new();
    let width = jobs.iter().map(|job| job.id.len()).max().unwrap_or(0);
    for job in jobs {
        let tasks = match &job.progress {
            Some(p) if !has_ended(job) => format!("{}/{}", p.tasks_done, p.tasks),
            Some(_) | None => String::new(),
        };
        let _ = writeln!(
            out,
            "{:<width$}  {:<10}  {tasks:>9}  {}  {}",
            job.id,
            state(job),
            time(job),
            job.title
        );
    }
    out
}

/// All that is known of a job.
pub(super) fn job(job: &Job) -> String {
    let mut out = format!("{}: {}\n{}\nsubmitted {}\n", job.id, state(job), job.title, time(job));
    if let Some(p) = &job.progress
        && !has_ended(job)
    {
        let _ = writeln!(out, "{}", progress(job));
        if p.retries > 0 {
            let _ = writeln!(out, "{} attempts failed and were tried again", p.retries);
        }
    }
    let estimated = job.requests.unwrap_or_default();
    let requests = Requests {
        reads: estimated.reads,
        writes: estimated.writes,
    };
    if !requests.is_none() {
        let _ = writeln!(out, "{requests}");
    }
    for failed in &job.failed_attempts {
        let error = failed.error.clone().unwrap_or_default();
        let _ = writeln!(out, "  {} on {}: {} ({})", failed.task, failed.worker, error.message, error.kind);
    }
    for warning in &job.warnings {
        let _ = writeln!(out, "warning: {warning}");
    }
    if let Some(error) = &job.error {
        let _ = writeln!(out, "{}: {}", error.kind, error.message);
    }
    for file in &job.files {
        let _ = writeln!(out, "  {}  {} bytes", file.name, file.size_bytes);
    }
    out
}

fn progress(job: &Job) -> String {
    let p = job.progress.unwrap_or_default();
    let rows = match p.rows_all {
        0 => format!("{} rows", p.rows),
        all => format!("{} of {all} rows", p.rows.min(all)),
    };
    let left = p
        .time_left
        .as_ref()
        .map_or(String::new(), |left| format!(", about {} s left", left.seconds.max(1)));
    let nobody = if p.workers == 0 { "; no worker is attached" } else { "" };
    format!(
        "{} of {} tasks done, {} running, {rows}{left}{nobody}",
        p.tasks_done, p.tasks, p.tasks_running
    )
}

fn time(job: &Job) -> String {
    job.created_at.map_or_else(String::new, |at| at.to_string())
}

/// How a job is followed.
#[derive(Debug)]
pub(super) enum ProgressDisplay {
    Quiet,
    /// A line that moves, on a terminal.
    Bar(ProgressBar),
    /// Lines on stderr where that is not a terminal.
    Log(Log),
    /// Every view on stdout, an object a line.
    Json,
}

impl ProgressDisplay {
    pub(super) fn of(quiet: bool) -> ProgressDisplay {
        match (quiet, std::io::stderr().is_terminal()) {
            (true, _) => ProgressDisplay::Quiet,
            (false, true) => ProgressDisplay::Bar(bar("{prefix:>9} [{bar:14}] {wide_msg}")),
            (false, false) => ProgressDisplay::Log(Log::default()),
        }
    }

    fn update(&mut self, job: &Job) -> Result<()> {
        match self {
            ProgressDisplay::Quiet => {}
            ProgressDisplay::Bar(bar) => {
                if let Some(p) = &job.progress {
                    bar.set_prefix(state(job));
                    bar.set_length(p.tasks.into());
                    bar.set_position(p.tasks_done.into());
                    bar.set_message(progress(job));
                }
            }
            ProgressDisplay::Log(log) => log.update(job),
            ProgressDisplay::Json => {
                say(&format!("{}\n", json::job(job)))?;
            }
        }
        Ok(())
    }
}

/// Follows a job to its end. A coordinator that restarts is waited for.
pub(super) async fn follow(remote: &mut Remote, id: &str, mut display: ProgressDisplay) -> Result<Job> {
    let mut breaks = 0;
    loop {
        match listen(remote, id, &mut display, &mut breaks).await {
            Ok(Some(job)) => {
                if let ProgressDisplay::Bar(bar) = display {
                    bar.finish_and_clear();
                }
                return Ok(job);
            }
            Ok(None) => {}
            Err(error) if error.kind != Kind::Unavailable => return Err(error),
            Err(error) if breaks >= MAX_BREAKS => return Err(error),
            Err(error) if breaks == 0 && !matches!(display, ProgressDisplay::Quiet) => {
                note(&format!("shadowdiff: {error}; waiting for it"))
            }
            Err(_) => {}
        }
        breaks += 1;
        if breaks > MAX_BREAKS {
            return Err(Error::unavailable(format!("job {id}: the coordinator has stopped telling of it")));
        }
        sleep(PAUSE).await;
    }
}

/// One stream of views; the job if it has ended.
async fn listen(remote: &mut Remote, id: &str, display: &mut ProgressDisplay, breaks: &mut u32) -> Result<Option<Job>> {
    let mut views = remote.watch(id).await?;
    while let Some(view) = views.message().await.map_err(|status| remote.error(&status))? {
        let Some(job) = view.job else { continue };
        *breaks = 0;
        display.update(&job)?;
        if has_ended(&job) {
            return Ok(Some(job));
        }
    }
    Ok(None)
}

/// Progress where there is no terminal: a line a phase, and one a minute.
#[derive(Debug, Default)]
pub(super) struct Log {
    last: Option<(JobState, Instant)>,
}

impl Log {
    fn update(&mut self, job: &Job) {
        let due = self
            .last
            .is_none_or(|(state, at)| state != job.state() || at.elapsed() > Duration::from_secs(60));
        if due && !has_ended(job) {
            note(&format!("shadowdiff: job {}: {}, {}", job.id, state(job), progress(job)));
            self.last = Some((job.state(), Instant::now()));
        }
    }
}
