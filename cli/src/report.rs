//! `report`: a finished result again, in the terminal, from wherever it lies.

use crate::args::ReportArgs;
use crate::process::{exit_code, runtime, working_directory};
use crate::{render, say};
use shadowdiff_common::store::Stores;
use shadowdiff_coordinator::{Fetched, fetch_result};
use shadowdiff_core::error::Result;
use std::process::ExitCode;

pub(crate) fn run(args: &ReportArgs) -> Result<ExitCode> {
    args.renderings.prepare()?;
    let here = working_directory()?;
    let place = args.result.to_string_lossy();
    let Fetched { text, summary, files } = runtime()?.block_on(fetch_result(&place, &here, &Stores::new()))?;
    args.renderings.write(&summary, files.directory())?;
    let shown = if args.json {
        text
    } else {
        render::text(&summary, files.directory(), &place, args.color.paint())
    };
    say(&shown)?;
    Ok(exit_code(summary.verdict))
}
