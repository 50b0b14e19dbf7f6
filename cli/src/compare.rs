//! `compare`: coordinator and workers in one process.

use crate::args::{CompareArgs, SettingArgs};
use crate::local_job::{bound, cut, job};
use crate::noise::noise_specs;
use crate::process::{block_on_tasks, sources};
use crate::settings::Settings;
use crate::signals::watch_signals;
use crate::spec::{self, SpecFile};
use crate::told::{listener, tell};
use crate::{client, progress, warn};
use shadowdiff_common::tasks::spawn;
use shadowdiff_coordinator::{Outcome, Progress, Run, check_files, check_target, run as run_job};
use shadowdiff_core::error::{Error, Kind, Result};
use shadowdiff_core::notice::{Ended, Subject};
use shadowdiff_worker::{LocalWorkers, TaskLimits};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;
use tokio::sync::watch;

pub(crate) fn run(args: &CompareArgs, limits: TaskLimits) -> Result<ExitCode> {
    args.shown.renderings.prepare()?;
    let found = spec::find(&args.spec)?;
    if let Some(coordinator) = &args.coordinator {
        return client::compare(args, coordinator, found);
    }
    let settings = Settings::new(&args.settings, limits)?;
    let listener = listener(args.notify.as_deref())?;
    let place = args.spec.output.clone().unwrap_or_else(|| found.output.clone());
    let Outcome { summary, published } = block_on_tasks(settings.threads, async {
        let outcome = outcome(&settings, &args.settings, args.overwrite, &found, watch_signals()).await;
        if let Some(listener) = listener {
            tell(&listener, Subject::Comparison, &outcome, |outcome| {
                Ended::judged(&outcome.summary).at(&place)
            })
            .await;
        }
        outcome
    })?;
    let code = args.shown.show(&summary, published.directory(), &place, settings.quiet)?;
    args.profile.tell(&summary);
    Ok(code)
}

/// Compares what a spec says, and publishes the result. Where it names a second run of the live version, live is compared with that before.
pub(crate) async fn outcome(
    settings: &Settings,
    args: &SettingArgs,
    overwrite: bool,
    found: &SpecFile,
    interrupted: watch::Receiver<bool>,
) -> Result<Outcome> {
    let (first, then) = noise_specs(found)?;
    if let Some(first) = first {
        one_outcome(settings, args, overwrite, &first, interrupted.clone()).await?;
    }
    one_outcome(settings, args, overwrite, &then, interrupted).await
}

async fn one_outcome(
    settings: &Settings,
    args: &SettingArgs,
    overwrite: bool,
    found: &SpecFile,
    interrupted: watch::Receiver<bool>,
) -> Result<Outcome> {
    let started = Instant::now();
    let sources = sources().with_text_pieces(settings.limits.text_piece_bytes);
    let target = check_target(&found.output, &found.base, Some(found.reads()), &sources.stores, overwrite).await?;
    let cut = cut(settings, args.shards)?;
    let bound = until(interrupted.clone(), bound(found, &sources, cut, settings.quiet)).await?;
    check_files(&target, &found.output, &bound.datasets)?;
    if !settings.quiet {
        warn(&bound.plan.warning_texts());
    }
    let bytes = Arc::clone(&sources.bytes_read);
    let estimate = bound.plan.estimate;
    let slots = settings.slots(estimate.reading_bytes);
    let (job, accounts) = job(bound, settings, args, sources)?;
    let workers = LocalWorkers::start(job.clone(), slots)?;
    let (sender, receiver) = watch::channel(Progress::default());
    let read = progress::Read {
        rows: Arc::clone(&job.watch),
        all_rows: estimate.all_rows(),
        bytes_before: bytes.load(Ordering::Relaxed),
        bytes,
        all_bytes: estimate.stored_bytes,
    };
    let bar = spawn("the progress", progress::show(receiver, read, settings.quiet));
    let run = Run {
        plan: &job.plan,
        accounts: &accounts,
        document: found.parsed.document.clone(),
        target,
        overwrite,
        scratch: job.resources.scratch.clone(),
        planned_in: started.elapsed(),
        progress: sender,
        interrupted,
    };
    let outcome = run_job(run, &workers).await;
    let _ = bar.await;
    let outcome = outcome?;
    if !settings.quiet {
        warn(outcome.summary.warnings.iter().skip(job.plan.warnings.len()));
    }
    Ok(outcome)
}

async fn until<T>(mut interrupted: watch::Receiver<bool>, work: impl Future<Output = Result<T>>) -> Result<T> {
    tokio::select! {
        done = work => done,
        Ok(_) = interrupted.wait_for(|stop| *stop) => Err(Error::new(Kind::Interrupted, "interrupted")),
    }
}
