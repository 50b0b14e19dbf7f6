//! `judge`: another spec over what a comparison has found, without reading the data again.

use crate::args::JudgeArgs;
use crate::process::{block_on, exit_code, sources, working_directory};
use crate::render;
use crate::spec::{SpecFile, from_file};
use crate::warn;
use shadowdiff_common::read::Sources;
use shadowdiff_common::spool::Scratch;
use shadowdiff_coordinator::{Fetched, NewRules, Outcome, Sensitivity, check_target, fetch_result};
use shadowdiff_core::error::Result;
use shadowdiff_core::report::ResultFile;
use std::process::ExitCode;

/// What may stay in memory of the differences that are judged; the rest goes to scratch.
pub(crate) const HELD_BYTES: usize = 256 << 20;

pub(crate) fn run(args: &JudgeArgs) -> Result<ExitCode> {
    let found = from_file(&args.spec, &args.set, args.output.as_deref())?;
    let in_its_place = |e| found.parsed.places.locate(e);
    if args.sensitivity {
        let told = block_on(sensitivity(args, &found)).map_err(in_its_place)?;
        args.shown.of_answer().tell(&told, render::sensitivity)?;
        return Ok(exit_code(told.as_it_is.verdict));
    }
    args.shown.renderings.prepare()?;
    let Outcome { summary, published } = block_on(judge(args, &found)).map_err(in_its_place)?;
    warn(&summary.warnings);
    let place = args.output.as_deref().unwrap_or(&found.output);
    args.shown.show(&summary, published.directory(), place, false)
}

async fn judge(args: &JudgeArgs, found: &SpecFile) -> Result<Outcome> {
    let sources = sources();
    let fetched = fetched(args, &sources).await?;
    let target = check_target(&found.output, &found.base, Some(found.reads()), &sources.stores, args.overwrite).await?;
    let scratch = Scratch::new(HELD_BYTES, args.scratch.as_deref())?;
    let rules = rules(found, &sources);
    rules.judge(fetched.files.directory(), &target, args.overwrite, &scratch).await
}

async fn sensitivity(args: &JudgeArgs, found: &SpecFile) -> Result<Sensitivity> {
    let sources = sources();
    let fetched = fetched(args, &sources).await?;
    let scratch = Scratch::new(HELD_BYTES, args.scratch.as_deref())?;
    rules(found, &sources).sensitivity(fetched.files.directory(), &scratch).await
}

async fn fetched(args: &JudgeArgs, sources: &Sources) -> Result<Fetched> {
    let place = args.result.to_string_lossy();
    fetch_result(&place, &working_directory()?, &sources.stores, &ResultFile::TABLES).await
}

fn rules<'a>(found: &'a SpecFile, sources: &'a Sources) -> NewRules<'a> {
    NewRules {
        parsed: &found.parsed,
        base: &found.base,
        sources,
    }
}
