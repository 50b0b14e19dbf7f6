//! Writes the files of a result into staging: the merged differences, the accounts, the summary.

use crate::merge::{BATCH_BYTES, Merge, Outputs};
use crate::pipeline::Compared;
use crate::publish::Staging;
use shadowdiff_common::spool::Scratch;
use shadowdiff_core::acceptance::Acceptances;
use shadowdiff_core::accounts::AccountSet;
use shadowdiff_core::error::{Error, Result};
use shadowdiff_core::judge::Judge;
use shadowdiff_core::plan::Plan;
use shadowdiff_core::report::{Facts, FileMark, FileMarks, Merged, ResultFile, Summary, Timings, summary};
use std::io::Write;
use std::time::Instant;

/// What a result is made of.
#[derive(Debug)]
pub(crate) struct ResultWriter<'a> {
    pub(crate) plan: &'a Plan,
    /// The spec as the summary shows it.
    pub(crate) document: &'a serde_json::Value,
    /// The accounts that a rule lists, at its place.
    pub(crate) accounts: &'a [Option<AccountSet>],
    pub(crate) compared: &'a Compared,
    pub(crate) scratch: &'a Scratch,
    pub(crate) threads: usize,
    /// Whether the summary tells what happens to rows.
    pub(crate) tells_rows: bool,
}

impl ResultWriter<'_> {
    /// Writes all files; gives what the summary says, and what each file is known by. Blocking.
    pub(crate) fn write(&self, staging: &Staging) -> Result<(Summary, FileMarks)> {
        let started = Instant::now();
        let (merged, mut files) = self.write_tables(staging)?;
        let mut timings = self.compared.timings.clone();
        timings.merge_ms = started.elapsed().as_millis() as u64;
        timings.total_ms = timings.plan_ms + timings.scan_ms + timings.compare_ms + timings.merge_ms;
        let (summary, mark) = self.write_summary(&merged, &files, timings, staging)?;
        files.insert(ResultFile::Summary, mark);
        Ok((summary, files))
    }

    /// All files but the summary.
    fn write_tables(&self, staging: &Staging) -> Result<(Merged, FileMarks)> {
        let (judge, acceptances) = self.rules()?;
        let merge = self.merge(&judge, &acceptances);
        let mut diff = staging.create(ResultFile::Diff)?;
        let mut accounts = staging.create(ResultFile::Accounts)?;
        let wants_table = self.plan.spec.output.parquet;
        let mut table = wants_table.then(|| staging.create(ResultFile::Differences)).transpose()?;
        let out = table.as_mut().map(|file| file as &mut (dyn Write + Send));
        let keeps = self.plan.spec.output.judgeable;
        let mut comparison = keeps.then(|| staging.create(ResultFile::Comparison)).transpose()?;
        let merged = merge.write(Outputs {
            diff: &mut diff,
            accounts: &mut accounts,
            table: out,
            comparison: comparison.as_mut().map(|file| file as &mut dyn Write),
        })?;
        let files = [
            (ResultFile::Diff, Some(diff)),
            (ResultFile::Accounts, Some(accounts)),
            (ResultFile::Differences, table),
            (ResultFile::Comparison, comparison),
        ];
        let made = files.into_iter().filter_map(|(name, file)| Some((name, file?)));
        let marks = made.map(|(name, file)| Ok((name, file.finish()?)));
        Ok((merged, marks.collect::<Result<_>>()?))
    }

    /// What judges, without what counts decide of it.
    pub(crate) fn rules(&self) -> Result<(Judge<()>, Acceptances)> {
        let Plan { spec, aligned, as_of, .. } = self.plan;
        let judge = Judge::without_sql(spec, aligned, self.accounts, *as_of)?;
        Ok((judge, Acceptances::new(&self.plan.accepted, aligned, *as_of)?.0))
    }

    pub(crate) fn merge<'m>(&'m self, judge: &'m Judge<()>, acceptances: &'m Acceptances) -> Merge<'m> {
        Merge {
            plan: self.plan,
            document: self.document,
            judge,
            acceptances,
            tally: &self.compared.tally,
            runs: &self.compared.runs,
            found_keys: &self.compared.found_keys,
            seen_accounts: &self.compared.seen_accounts,
            scratch: self.scratch,
            threads: self.threads,
            batch_bytes: BATCH_BYTES,
            tells_rows: self.tells_rows,
        }
    }

    /// `summary.json`; gives what it says, and what it is known by.
    fn write_summary(&self, merged: &Merged, files: &FileMarks, timings: Timings, staging: &Staging) -> Result<(Summary, FileMark)> {
        let facts = Facts {
            tally: &self.compared.tally,
            merged,
            document: self.document.clone(),
            files: files.clone(),
            timings,
        };
        let summary = summary(self.plan, facts);
        let text = serde_json::to_string_pretty(&summary).map_err(|e| Error::internal(format!("summary: {e}")))?;
        let mut file = staging.create(ResultFile::Summary)?;
        writeln!(file, "{text}").map_err(|e| Error::exhausted(e.to_string()).field("output"))?;
        Ok((summary, file.finish()?))
    }
}
