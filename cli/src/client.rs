//! The commands that speak to a coordinator: submit, list, status, watch, cancel, results, and `compare --coordinator`.

mod fetch;
mod json;
mod remote;
mod show;

use crate::args::{CompareArgs, JobArgs, ListArgs, ResultsArgs, StatusArgs, SubmitArgs, WatchArgs};
use crate::noise::noise_specs;
use crate::process::{block_on, exit_code, working_directory};
use crate::profile::ProfileArgs;
use crate::renderings::RenderingArgs;
use crate::shown::ShownArgs;
use crate::signals::watch_signals;
use crate::spec::{self, SpecFile};
use crate::{note, say, say_json, warn};
use fetch::fetch;
use remote::Remote;
use shadowdiff_common::store::Stores;
use shadowdiff_coordinator::{Published, ResultAtHand, Target, check_target};
use shadowdiff_core::error::{Error, Kind, Result};
use shadowdiff_core::report::{ResultFile, Summary};
use shadowdiff_core::verdict::Verdict;
use shadowdiff_proto::v1::{self, Job, JobState, SubmitRequest};
use std::collections::HashMap;
use std::process::ExitCode;
use tokio::sync::watch;

/// How a job is submitted and what is said of it.
struct SubmitOptions<'a> {
    coordinator: &'a str,
    token: &'a str,
    priority: u32,
    max_running: u32,
    overwrite: bool,
    quiet: bool,
    labels: HashMap<String, String>,
}

/// `submit`.
pub(crate) fn submit(args: &SubmitArgs) -> Result<ExitCode> {
    let found = spec::find(&args.spec)?;
    let options = SubmitOptions {
        coordinator: &args.remote.coordinator,
        token: &args.token,
        priority: args.priority,
        max_running: args.max_running,
        overwrite: args.overwrite,
        quiet: args.quiet,
        labels: args.label.iter().cloned().collect(),
    };
    if args.wait {
        let shown = ShownArgs {
            renderings: RenderingArgs::default(),
            json: args.json,
            color: args.color,
        };
        let profile = ProfileArgs { profile: false };
        return block_on(wait_for_result(&options, &shown, profile, found));
    }
    if found.has_local_output()? {
        return Err(Error::spec(
            "the output is a local place, which only this command can write: add --wait, or fetch the result later with `shadowdiff results JOB --output DIR`",
        ));
    }
    block_on(async {
        let mut remote = Remote::connect(options.coordinator).await?;
        let job = remote.submit(request(&options, &found)?).await?;
        warn(&job.warnings);
        if args.json {
            return say(&format!("{}\n", serde_json::json!({"job": job.id})));
        }
        say(&format!("{}\n", job.id))
    })
}

/// `compare --coordinator`.
pub(crate) fn compare(args: &CompareArgs, coordinator: &str, found: SpecFile) -> Result<ExitCode> {
    let options = SubmitOptions {
        coordinator,
        token: "",
        priority: 1,
        max_running: 0,
        overwrite: args.overwrite,
        quiet: args.settings.quiet,
        labels: HashMap::new(),
    };
    block_on(wait_for_result(&options, &args.shown, args.profile, found))
}

/// A member of a suite, as a job with these labels.
pub(crate) async fn compare_member(
    coordinator: &str,
    overwrite: bool,
    labels: [(&str, &str); 2],
    found: &SpecFile,
    interrupted: watch::Receiver<bool>,
) -> Result<Summary> {
    let options = SubmitOptions {
        coordinator,
        token: "",
        priority: 1,
        max_running: 0,
        overwrite,
        quiet: true,
        labels: labels.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
    };
    finished(&options, found, interrupted).await.map(|(summary, _)| summary)
}

/// `list`.
pub(crate) fn list(args: &ListArgs) -> Result<ExitCode> {
    block_on(async {
        let mut remote = Remote::connect(&args.remote.coordinator).await?;
        let jobs = remote.list(if args.unfinished { &UNFINISHED } else { &[] }, &args.label).await?;
        if args.json {
            return say_json(&jobs.iter().map(json::job_of_list).collect::<Vec<_>>());
        }
        say(&show::table(&jobs))
    })
}

/// `status`.
pub(crate) fn status(args: &StatusArgs) -> Result<ExitCode> {
    block_on(async {
        let mut remote = Remote::connect(&args.job.remote.coordinator).await?;
        let job = remote.get(&args.job.job).await?;
        if args.json {
            return say_json(&json::job(&job));
        }
        say(&show::job(&job))
    })
}

/// `watch`.
pub(crate) fn watch(args: &WatchArgs) -> Result<ExitCode> {
    block_on(async {
        let mut remote = Remote::connect(&args.job.remote.coordinator).await?;
        let display = if args.json {
            show::ProgressDisplay::Json
        } else {
            show::ProgressDisplay::of(false)
        };
        let job = show::follow(&mut remote, &args.job.job, display).await?;
        if !args.json {
            say(&show::job(&job))?;
        }
        ended(&job)
    })
}

/// `cancel`.
pub(crate) fn cancel(args: &JobArgs) -> Result<ExitCode> {
    block_on(async {
        let mut remote = Remote::connect(&args.remote.coordinator).await?;
        let job = remote.cancel(&args.job).await?;
        say(&format!("{}: {}\n", job.id, show::state(&job)))
    })
}

/// `results`.
pub(crate) fn results(args: &ResultsArgs) -> Result<ExitCode> {
    args.shown.renderings.prepare()?;
    block_on(async {
        let mut remote = Remote::connect(&args.job.remote.coordinator).await?;
        let job = remote.get(&args.job.job).await?;
        match ended(&job) {
            // It failed after it had found its result, which is kept.
            Err(error) if job.state() == JobState::Failed && !job.files.is_empty() => {
                note(&format!("shadowdiff: warning: job {} failed: {error}", job.id));
            }
            ended => ended.map(|_| ())?,
        }
        let output = args.output.clone().unwrap_or_else(|| job.id.clone().into());
        let output = output.to_string_lossy().into_owned();
        let target = check_target(&output, &working_directory()?, None, &Stores::new(), args.overwrite).await?;
        let (summary, published) = fetch(&mut remote, &job, &target, args.overwrite).await?;
        let code = args.shown.show(&summary, published.directory(), &output, false)?;
        args.profile.tell(&summary);
        Ok(code)
    })
}

/// The summary and the accounts of finished jobs.
pub(crate) async fn accounts_of_jobs(coordinator: &str, jobs: [&str; 2]) -> Result<[ResultAtHand; 2]> {
    let mut remote = Remote::connect(coordinator).await?;
    let mut found = Vec::new();
    for id in jobs {
        let job = remote.get(id).await?;
        if job.files.is_empty() {
            ended(&job)?;
        }
        found.push(fetch::copy(&mut remote, &job, &[ResultFile::Accounts]).await?);
    }
    found
        .try_into()
        .map_err(|_| Error::internal("two jobs have other than two results"))
}

/// Submits, follows, fetches: what `compare` does, done elsewhere.
async fn wait_for_result(options: &SubmitOptions<'_>, shown: &ShownArgs, profile: ProfileArgs, found: SpecFile) -> Result<ExitCode> {
    let (summary, published) = finished(options, &found, watch_signals()).await?;
    let code = shown.show(&summary, published.directory(), &found.output, options.quiet)?;
    profile.tell(&summary);
    Ok(code)
}

/// The result of what is compared elsewhere. Where a spec names a second run of the live version, live is compared with that before.
async fn finished(options: &SubmitOptions<'_>, found: &SpecFile, interrupted: watch::Receiver<bool>) -> Result<(Summary, Published)> {
    let (first, then) = noise_specs(found)?;
    if let Some(first) = first {
        one_finished(options, &first, interrupted.clone()).await?;
    }
    one_finished(options, &then, interrupted).await
}

/// The result of a job that is submitted and followed to its end. An interruption cancels it.
async fn one_finished(
    options: &SubmitOptions<'_>,
    found: &SpecFile,
    mut interrupted: watch::Receiver<bool>,
) -> Result<(Summary, Published)> {
    let target = check_target(&found.output, &found.base, Some(found.reads()), &Stores::new(), options.overwrite).await?;
    let mut remote = Remote::connect(options.coordinator).await?;
    let job = remote.submit(request(options, found)?).await?;
    if !options.quiet {
        note(&format!("shadowdiff: job {}", job.id));
        warn(&job.warnings);
    }
    let mut follower = remote.clone();
    let last = tokio::select! {
        job = show::follow(&mut follower, &job.id, show::ProgressDisplay::of(options.quiet)) => job?,
        Ok(_) = interrupted.wait_for(|stop| *stop) => {
            note(&format!("shadowdiff: cancelling job {}", job.id));
            remote.cancel(&job.id).await?;
            return Err(Error::new(Kind::Interrupted, "interrupted"));
        }
    };
    ended(&last)?;
    match &target {
        Target::Directory(_) => fetch(&mut remote, &last, &target, options.overwrite).await,
        // The coordinator has put it there; what is shown comes from a copy.
        Target::Objects(_) => fetch::copy(&mut remote, &last, &ResultFile::TABLES).await,
    }
}

/// The verdict of a job that has one.
fn verdict(job: &Job) -> Option<Verdict> {
    match job.verdict() {
        v1::Verdict::Pass => Some(Verdict::Pass),
        v1::Verdict::Fail => Some(Verdict::Fail),
        v1::Verdict::Unspecified => None,
    }
}

fn request(options: &SubmitOptions<'_>, found: &SpecFile) -> Result<SubmitRequest> {
    Ok(SubmitRequest {
        spec: Some(remote::spec(found)?),
        token: options.token.to_owned(),
        priority: options.priority,
        max_running: options.max_running,
        overwrite: options.overwrite,
        labels: options.labels.clone(),
    })
}

const UNFINISHED: [JobState; 5] = [
    JobState::Planning,
    JobState::Queued,
    JobState::Scanning,
    JobState::Comparing,
    JobState::Merging,
];

fn has_ended(job: &Job) -> bool {
    matches!(job.state(), JobState::Succeeded | JobState::Failed | JobState::Cancelled)
}

/// The exit code of a job that has ended, or why there is none.
fn ended(job: &Job) -> Result<ExitCode> {
    match job.state() {
        JobState::Succeeded => Ok(exit_code(verdict(job).unwrap_or(Verdict::Fail))),
        JobState::Cancelled => Err(Error::new(Kind::Interrupted, format!("job {} was cancelled", job.id))),
        JobState::Failed => Err(Error::from(&job.error.clone().unwrap_or_default())),
        _ => Err(Error::input(format!("job {} has not ended yet", job.id)).advice(format!("follow it with `shadowdiff watch {}`", job.id))),
    }
}
