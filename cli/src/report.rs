//! `report`: a finished result again, in the terminal, from wherever it lies.

use crate::args::ReportArgs;
use crate::serve::runtime;
use crate::{render, say};
use shadowdiff_common::store::Stores;
use shadowdiff_coordinator::{Fetched, fetch_result};
use shadowdiff_core::error::{Error, Result};
use std::process::ExitCode;

pub(crate) fn run(args: &ReportArgs) -> Result<ExitCode> {
    let here = std::env::current_dir().map_err(|e| Error::input(format!("the working directory is gone: {e}")))?;
    let place = args.result.to_string_lossy();
    let Fetched { text, summary, files } = runtime()?.block_on(fetch_result(&place, &here, &Stores::new()))?;
    let shown = if args.json {
        text
    } else {
        render::text(&summary, Some(files.directory()), &place, args.color.paint())
    };
    say(&shown)?;
    Ok(ExitCode::from(u8::from(summary["verdict"] != "pass")))
}
