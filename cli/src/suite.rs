//! `suite`: the outputs of many tasks, compared one after the other or as jobs of a coordinator, with one verdict.
//!
//! All that can be known before is looked at before: mistakes in any spec, places that are taken. From then on it goes on, whatever becomes
//! of a member: one that could not be compared is an error, never a pass.

mod members;
mod shown;

use crate::args::SuiteArgs;
use crate::noise::noise_specs;
use crate::process::block_on_tasks;
use crate::settings::Settings;
use crate::signals::watch_signals;
use crate::told::{listener, tell};
use crate::{client, compare, json_text, note};
use futures::StreamExt;
use members::{Found, FoundMember, find};
use shadowdiff_common::store::{Location, Stores};
use shadowdiff_coordinator::{Reads, SuitePlace, check_target};
use shadowdiff_core::error::{Error, Kind, Result};
use shadowdiff_core::notice::{Ended, Subject};
use shadowdiff_core::report::Summary;
use shadowdiff_core::suite_summary::{MemberSummary, SuiteSummary};
use shadowdiff_worker::TaskLimits;
pub(crate) use shown::show_again;
use std::collections::BTreeMap;
use std::process::ExitCode;
use tokio::sync::watch;

/// Jobs that a coordinator has at a time: others may want it too.
const JOBS_AT_A_TIME: usize = 8;

pub(crate) fn run(args: &SuiteArgs, limits: TaskLimits) -> Result<ExitCode> {
    args.shown.renderings.prepare()?;
    let settings = Settings::new(&args.settings, limits)?;
    let listener = listener(args.notify.as_deref())?;
    let (summary, place) = block_on_tasks(settings.threads, async {
        let outcome = suite(args, &settings).await;
        if let Some(listener) = listener {
            tell(&listener, Subject::Suite, &outcome, |(summary, place)| Ended::suite(summary, place)).await;
        }
        outcome
    })?;
    shown::show(&args.shown, &summary, &place, settings.quiet)
}

/// The summary, and what the user calls the place of the results.
async fn suite(args: &SuiteArgs, settings: &Settings) -> Result<(SuiteSummary, String)> {
    let stores = Stores::new();
    let found = find(args, &stores).await?;
    let place = free_places(args, &found, &stores).await?;
    place.clear().await?;
    let members = match &args.coordinator {
        Some(coordinator) => as_jobs(args, coordinator, &found).await?,
        None => here(args, settings, &found).await?,
    };
    let summary = SuiteSummary::new(&found.name, &found.today, members, &found.one_sided, found.skipped);
    place.publish(json_text(&summary)?).await?;
    Ok((summary, found.place))
}

/// Where the results go. Refuses what no member may write to before the first is compared.
async fn free_places(args: &SuiteArgs, found: &Found, stores: &Stores) -> Result<SuitePlace> {
    let reads: Vec<Reads<'_>> = found.members.iter().map(|member| member.spec.reads()).collect();
    let place = SuitePlace::check(&found.output, &found.base, &reads, stores, args.overwrite).await?;
    let (mut refused, mut taken) = (Vec::new(), BTreeMap::new());
    for FoundMember { name, spec, .. } in &found.members {
        // Where live is compared with itself, that has a result too.
        let (first, _) = noise_specs(spec)?;
        for spec in first.iter().chain([spec]) {
            if let Some(other) = taken.insert(Location::parse(&spec.output, &spec.base)?, name) {
                let what = Error::spec(format!("`{other}` and `{name}` would write into {}", spec.output));
                refused.push(what.advice("give one of them another name, or another `noise.result`"));
            }
            let target = check_target(&spec.output, &spec.base, Some(spec.reads()), stores, args.overwrite).await;
            refused.extend(target.err());
        }
    }
    Error::all(refused)?;
    Ok(place)
}

async fn here(args: &SuiteArgs, settings: &Settings, found: &Found) -> Result<Vec<MemberSummary>> {
    let interrupted = watch_signals();
    let mut members = Vec::new();
    for (at, member) in found.members.iter().enumerate() {
        if !settings.quiet {
            note(&format!("shadowdiff: {} ({} of {})", member.name, at + 1, found.members.len()));
        }
        let outcome = compare::outcome(settings, &args.settings, args.overwrite, &member.spec, interrupted.clone()).await;
        members.push(told(member, outcome.map(|outcome| outcome.summary))?);
    }
    Ok(members)
}

async fn as_jobs(args: &SuiteArgs, coordinator: &str, found: &Found) -> Result<Vec<MemberSummary>> {
    let interrupted = watch_signals();
    let job = |member| job(args, coordinator, &found.name, member, interrupted.clone());
    // All come to an end, cancelled ones too, before the first error is told.
    let ended: Vec<Result<MemberSummary>> = futures::stream::iter(&found.members)
        .map(job)
        .buffered(JOBS_AT_A_TIME)
        .collect()
        .await;
    ended.into_iter().collect()
}

async fn job(
    args: &SuiteArgs,
    coordinator: &str,
    suite: &str,
    member: &FoundMember,
    interrupted: watch::Receiver<bool>,
) -> Result<MemberSummary> {
    if *interrupted.borrow() {
        return Err(Error::new(Kind::Interrupted, "interrupted"));
    }
    let labels = [("suite", suite), ("task", &member.name)];
    let summary = client::compare_member(coordinator, args.overwrite, labels, &member.spec, interrupted).await;
    let told = told(member, summary)?;
    if !args.settings.quiet {
        note(&format!("shadowdiff: {}: {}", member.name, told.state.name()));
    }
    Ok(told)
}

/// What became of a member. Only an interruption ends the suite.
fn told(member: &FoundMember, outcome: Result<Summary>) -> Result<MemberSummary> {
    match outcome {
        Ok(summary) => Ok(MemberSummary::compared(&member.name, member.kind, &member.after, &summary)),
        Err(error) if error.kind == Kind::Interrupted => Err(error),
        Err(error) => {
            note(&format!("shadowdiff: {} could not be compared: {error}", member.name));
            Ok(MemberSummary::failed(&member.name, member.kind, &member.after, &error))
        }
    }
}
