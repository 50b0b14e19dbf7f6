//! `diff`: what has changed from one finished result to the next.

use crate::args::DiffArgs;
use crate::client::accounts_of_jobs;
use crate::process::{block_on, exit_code_of, working_directory};
use crate::render::run_diff;
use shadowdiff_common::spool::Scratch;
use shadowdiff_common::store::Stores;
use shadowdiff_coordinator::{diff_results, diff_runs};
use shadowdiff_core::error::Result;
use std::process::ExitCode;

/// What may stay in memory of the accounts that are sorted; the rest goes to scratch.
const HELD_BYTES: usize = 256 << 20;
/// Accounts of each change that are named to a program, and to a person.
const ACCOUNTS_OF_JSON: usize = 1_000;
const ACCOUNTS_OF_TEXT: usize = 5;

pub(crate) fn run(args: &DiffArgs) -> Result<ExitCode> {
    let here = working_directory()?;
    let places = [&args.before, &args.after].map(|place| place.to_string_lossy());
    let scratch = Scratch::new(HELD_BYTES, args.scratch.as_deref())?;
    let shown = if args.answer.json { ACCOUNTS_OF_JSON } else { ACCOUNTS_OF_TEXT };
    let found = block_on(async {
        let places = [places[0].as_ref(), places[1].as_ref()];
        match &args.coordinator {
            None => diff_runs(places, &here, &Stores::new(), &scratch, shown).await,
            Some(coordinator) => {
                let found = accounts_of_jobs(coordinator, places).await?;
                diff_results(places.map(str::to_owned), found, &scratch, shown).await
            }
        }
    })?;
    args.answer.tell(&found, run_diff)?;
    Ok(exit_code_of(!found.is_worse()))
}
