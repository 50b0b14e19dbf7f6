//! `report`: a finished result again, in the terminal, from wherever it lies.

use crate::args::ReportArgs;
use crate::process::{exit_code, runtime, working_directory};
use crate::say;
use shadowdiff_common::store::Stores;
use shadowdiff_coordinator::{Fetched, fetch_result};
use shadowdiff_core::error::Result;
use shadowdiff_core::report::ResultFile;
use std::process::ExitCode;

pub(crate) fn run(args: &ReportArgs) -> Result<ExitCode> {
    args.shown.renderings.prepare()?;
    let here = working_directory()?;
    let place = args.result.to_string_lossy();
    let Fetched { text, summary, files } = runtime()?.block_on(fetch_result(&place, &here, &Stores::new(), &ResultFile::TABLES))?;
    if args.shown.json {
        // As it is stored, whatever version wrote it.
        args.shown.renderings.write(&summary, files.directory())?;
        say(&text)?;
        return Ok(exit_code(summary.verdict));
    }
    args.shown.show(&summary, files.directory(), &place, false)
}
