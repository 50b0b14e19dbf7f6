//! Writes the files of a result into staging: the merged lines, the accounts, the summary.

use crate::merge::{Merged, merge};
use crate::publish::Staging;
use crate::target::SUMMARY;
use shadowdiff_common::spool::Spool;
use shadowdiff_core::error::{Error, Result};
use shadowdiff_core::plan::Plan;
use shadowdiff_core::report::{Facts, FileMark, FileMarks, ResultFile, Summary, Timings, summary};
use shadowdiff_core::tally::Tally;
use shadowdiff_core::verdict::AccountCounts;
use std::io::Write;

/// `diff.csv` and `accounts.csv`. Blocking.
pub(crate) fn write_tables(plan: &Plan, tally: &Tally, runs: &[Spool], staging: &Staging) -> Result<(Merged, FileMarks)> {
    let (mut diff, mut accounts) = (
        staging.create(ResultFile::Diff.name())?,
        staging.create(ResultFile::Accounts.name())?,
    );
    let merged = merge(plan, tally, runs, &mut diff, &mut accounts)?;
    let files = FileMarks::from([diff.finish()?, accounts.finish()?]);
    Ok((merged, files))
}

/// `summary.json`; gives what it says, and what it is known by.
pub(crate) fn write_summary(
    plan: &Plan,
    document: serde_json::Value,
    tally: &Tally,
    merged: &(Merged, FileMarks),
    timings: Timings,
    staging: &Staging,
) -> Result<(Summary, FileMark)> {
    let (merged, files) = merged;
    let facts = Facts {
        tally,
        accounts: AccountCounts {
            with_exceptions: merged.accounts_with_exceptions,
            all: tally.accounts,
        },
        differing_accounts: merged.differing_accounts,
        listed: merged.listed,
        document,
        files: files.clone(),
        timings,
    };
    let summary = summary(plan, facts);
    let text = serde_json::to_string_pretty(&summary).map_err(|e| Error::internal(format!("summary: {e}")))?;
    let mut file = staging.create(SUMMARY)?;
    writeln!(file, "{text}").map_err(|e| Error::exhausted(format!("output: {e}")))?;
    let (_, mark) = file.finish()?;
    Ok((summary, mark))
}

/// Rows that neither cancelled nor were filtered must all be in the exchange. `exchanged`: rows of live and of shadow.
pub(crate) fn check_exchange(tally: &Tally, exchanged: shadowdiff_core::side::Sides<u64>) -> Result<()> {
    for (side, rows) in tally.sides.each() {
        let expected = rows.read - rows.filtered - tally.cancelled;
        if exchanged[side] != expected {
            return Err(Error::internal(format!(
                "the books of the exchange do not balance: {} rows of {side}, {expected} expected",
                exchanged[side]
            )));
        }
    }
    Ok(())
}
