//! `compare`: coordinator and workers in one process.

use crate::args::CompareArgs;
use crate::local_job::{bound, cut, job};
use crate::process::{leave, runtime_of_tasks};
use crate::settings::Settings;
use crate::signals::watch_signals;
use crate::spec::{self, SpecFile};
use crate::{client, progress, warn};
use shadowdiff_common::read::Sources;
use shadowdiff_common::store::Stores;
use shadowdiff_common::tasks::spawn;
use shadowdiff_coordinator::{Progress, Run, check_files, check_target, run as run_job};
use shadowdiff_core::error::{Error, Result};
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
    let runtime = runtime_of_tasks(settings.threads)?;
    let outcome = runtime.block_on(compare(args, &settings, found));
    leave(runtime);
    outcome
}

async fn compare(args: &CompareArgs, settings: &Settings, found: SpecFile) -> Result<ExitCode> {
    let started = Instant::now();
    let interrupted = watch_signals();
    let sources = Sources::new(Arc::new(Stores::new()), tokio::runtime::Handle::current());
    let target = check_target(&found.output, &found.base, Some(found.reads()), &sources.stores, args.overwrite).await?;
    let cut = cut(settings, args.settings.shards)?;
    let bound = until(interrupted.clone(), bound(&found, &sources, cut, settings.quiet)).await?;
    check_files(&target, &found.output, &bound.datasets)?;
    let SpecFile { parsed, output, .. } = found;
    if !settings.quiet {
        warn(&bound.plan.warning_texts());
    }
    let bytes = Arc::clone(&sources.bytes_read);
    let estimate = bound.plan.estimate;
    let slots = settings.slots(estimate.reading_bytes);
    let (job, accounts) = job(bound, settings, &args.settings, sources)?;
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
        document: parsed.document,
        target,
        overwrite: args.overwrite,
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
    let place = args.spec.output.as_deref().unwrap_or(&output);
    args.shown
        .show(&outcome.summary, outcome.published.directory(), place, settings.quiet)
}

async fn until<T>(mut interrupted: watch::Receiver<bool>, work: impl Future<Output = Result<T>>) -> Result<T> {
    tokio::select! {
        done = work => done,
        Ok(_) = interrupted.wait_for(|stop| *stop) => Err(Error::new(shadowdiff_core::error::Kind::Interrupted, "interrupted")),
    }
}
