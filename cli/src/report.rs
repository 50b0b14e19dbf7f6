//! `report`: a finished result again, of a comparison or of a suite, in the terminal and in other forms, from wherever it lies.

use crate::args::ReportArgs;
use crate::process::{block_on, exit_code, working_directory};
use crate::{say, suite};
use shadowdiff_common::store::Stores;
use shadowdiff_coordinator::{Fetched, fetch_result, fetch_suite};
use shadowdiff_core::error::{Error, Result};
use shadowdiff_core::report::ResultFile;
use std::process::ExitCode;

pub(crate) fn run(args: &ReportArgs) -> Result<ExitCode> {
    block_on(report(args))
}

async fn report(args: &ReportArgs) -> Result<ExitCode> {
    args.shown.renderings.prepare()?;
    let here = working_directory()?;
    let place = args.result.to_string_lossy();
    let stores = Stores::new();
    if let Some((text, suite)) = fetch_suite(&place, &here, &stores).await? {
        if args.profile.profile {
            return Err(Error::spec("`--profile` is of one comparison").advice("name the folder of a task"));
        }
        return suite::show_again(&args.shown, &suite, &text, &place);
    }
    let Fetched { text, summary, files } = fetch_result(&place, &here, &stores, &ResultFile::TABLES).await?;
    if args.shown.json {
        // As it is stored, whatever version wrote it.
        args.shown.renderings.write(&summary, files.directory())?;
        say(&text)?;
        args.profile.tell(&summary);
        return Ok(exit_code(summary.verdict));
    }
    let code = args.shown.show(&summary, files.directory(), &place, false)?;
    args.profile.tell(&summary);
    Ok(code)
}
