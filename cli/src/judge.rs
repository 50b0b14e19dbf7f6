//! `judge`: another spec over what a comparison has found, without reading the data again.

use crate::args::JudgeArgs;
use crate::process::{leave, runtime, working_directory};
use crate::spec::{SpecFile, from_file};
use crate::warn;
use shadowdiff_common::read::Sources;
use shadowdiff_common::spool::Scratch;
use shadowdiff_common::store::Stores;
use shadowdiff_coordinator::{Fetched, NewRules, Outcome, check_target, fetch_result};
use shadowdiff_core::error::Result;
use shadowdiff_core::report::ResultFile;
use std::process::ExitCode;
use std::sync::Arc;

/// What may stay in memory of the differences that are judged; the rest goes to scratch.
const HELD_BYTES: usize = 256 << 20;

pub(crate) fn run(args: &JudgeArgs) -> Result<ExitCode> {
    args.shown.renderings.prepare()?;
    let found = from_file(&args.spec, &args.set, args.output.as_deref())?;
    let runtime = runtime()?;
    let outcome = runtime.block_on(judge(args, &found));
    leave(runtime);
    let Outcome { summary, published } = outcome.map_err(|e| found.parsed.places.locate(e))?;
    warn(&summary.warnings);
    let place = args.output.as_deref().unwrap_or(&found.output);
    args.shown.show(&summary, published.directory(), place, false)
}

async fn judge(args: &JudgeArgs, found: &SpecFile) -> Result<Outcome> {
    let sources = Sources::new(Arc::new(Stores::new()), tokio::runtime::Handle::current());
    let place = args.result.to_string_lossy();
    let Fetched { files, .. } = fetch_result(&place, &working_directory()?, &sources.stores, &ResultFile::TABLES).await?;
    let target = check_target(&found.output, &found.base, Some(found.reads()), &sources.stores, args.overwrite).await?;
    let rules = NewRules {
        spec: &found.parsed.spec,
        document: &found.parsed.document,
        warnings: &found.parsed.warnings,
        base: &found.base,
        sources: &sources,
    };
    let scratch = Scratch::new(HELD_BYTES, args.scratch.as_deref())?;
    rules.judge(files.directory(), &target, args.overwrite, &scratch).await
}
