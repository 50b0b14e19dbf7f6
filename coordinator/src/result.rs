//! Writes the files of a result into staging: the merged differences, the accounts, the summary.

use crate::merge::{Merge, Merged};
use crate::publish::Staging;
use crate::target::SUMMARY;
use shadowdiff_core::accounts::AccountSet;
use shadowdiff_core::error::{Error, Result};
use shadowdiff_core::judge::Judge;
use shadowdiff_core::plan::Plan;
use shadowdiff_core::report::{Facts, FileMark, FileMarks, ResultFile, Summary, Timings, summary};
use shadowdiff_core::tally::Tally;
use shadowdiff_core::verdict::Counts;
use std::io::Write;

/// The rules of a plan, whose SQL has been asked. `accounts`: those that a rule lists, at its place.
pub(crate) fn rules(plan: &Plan, accounts: &[Option<AccountSet>]) -> Result<Judge<()>> {
    let (judge, _) = Judge::new(&plan.spec, &plan.aligned, accounts, plan.as_of, |_, _| Ok(()))?;
    Ok(judge)
}

/// `diff.csv` and `accounts.csv`. Blocking.
pub(crate) fn write_tables(merge: &Merge<'_>, staging: &Staging) -> Result<(Merged, FileMarks)> {
    let (mut diff, mut accounts) = (
        staging.create(ResultFile::Diff.name())?,
        staging.create(ResultFile::Accounts.name())?,
    );
    let merged = merge.write(&mut diff, &mut accounts)?;
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
        counts: Counts {
            rows: tally,
            differences: &merged.differences,
            accounts: merged.accounts(tally),
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
    writeln!(file, "{text}").map_err(|e| Error::exhausted(e.to_string()).field("output"))?;
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
