//! `compare`: coordinator and workers in one process.

use crate::args::CompareArgs;
use crate::local_job::{bound, cut, job};
use crate::process::{exit_code, leave, runtime_of_tasks};
use crate::settings::Settings;
use crate::signals::watch_signals;
use crate::spec::{self, SpecFile};
use crate::{client, note, progress, render, say};
use shadowdiff_common::read::Sources;
use shadowdiff_common::store::Stores;
use shadowdiff_coordinator::{Progress, Published, Run, check_files, check_target, run as run_job};
use shadowdiff_core::error::{Error, Result};
use shadowdiff_core::report::Summary;
use shadowdiff_worker::{LocalWorkers, TaskLimits};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;
use tokio::sync::watch;

pub(crate) fn run(args: &CompareArgs, limits: TaskLimits) -> Result<ExitCode> {
    args.renderings.prepare()?;
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
        bound
            .plan
            .warnings
            .iter()
            .for_each(|warning| note(&format!("shadowdiff: warning: {warning}")));
    }
    let bytes = Arc::clone(&sources.bytes_read);
    let estimate = bound.plan.estimate;
    let slots = settings.slots(estimate.reading_bytes);
    let (job, accounts) = job(bound, settings, &args.settings, sources)?;
    let workers = LocalWorkers::new(job.clone(), slots);
    let (sender, receiver) = watch::channel(Progress::default());
    let read = progress::Read {
        rows: Arc::clone(&job.watch),
        all_rows: estimate.all_rows(),
        bytes_before: bytes.load(Ordering::Relaxed),
        bytes,
        all_bytes: estimate.stored_bytes,
    };
    let bar = tokio::spawn(progress::show(receiver, read, settings.quiet));
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
        let found = outcome.summary.warnings.iter().skip(job.plan.warnings.len());
        found.for_each(|warning| note(&format!("shadowdiff: warning: {warning}")));
    }
    args.renderings.write(&outcome.summary, outcome.published.directory())?;
    show(args, &outcome.summary, &outcome.published, &output)?;
    Ok(exit_code(outcome.summary.verdict))
}

/// Says what came out, unless that is not wanted. `output`: where the spec puts the result.
fn show(args: &CompareArgs, summary: &Summary, published: &Published, output: &str) -> Result<()> {
    if args.json {
        let text = serde_json::to_string_pretty(summary).map_err(|e| Error::internal(e.to_string()))?;
        say(&format!("{text}\n"))?;
    } else if !args.settings.quiet {
        let place = args.spec.output.as_deref().unwrap_or(output);
        say(&render::text(summary, published.directory(), place, args.color.paint()))?;
    }
    Ok(())
}

async fn until<T>(mut interrupted: watch::Receiver<bool>, work: impl Future<Output = Result<T>>) -> Result<T> {
    tokio::select! {
        done = work => done,
        Ok(_) = interrupted.wait_for(|stop| *stop) => Err(Error::new(shadowdiff_core::error::Kind::Interrupted, "interrupted")),
    }
}
