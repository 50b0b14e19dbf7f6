//! The merge: the sorted differences of all runs are judged and become `diff.csv` and `accounts.csv`, in bounded memory.
//!
//! ```text
//! runs -> sorted, in batches -> judged and printed by several threads in turn -> written in the same turn
//! ```
//! Differences come in the order of key, then column; accounts stand together because the key begins with them. Batches go round the threads
//! and what becomes of them is taken in the same turn, so that it comes in order, and nobody is more than two batches ahead.

mod selection;
mod sorted;
mod waiting;

use crate::merged_runs::{MergedRuns, distinct};
use selection::choose;
use shadowdiff_common::comparison_file::{ComparisonHead, end_differences, write_account};
use shadowdiff_common::run;
use shadowdiff_common::spool::{Scratch, Spool};
use shadowdiff_common::table::TableWriter;
use shadowdiff_common::tasks::panicked;
use shadowdiff_core::acceptance::{AcceptanceOutcome, Acceptances, outcomes};
use shadowdiff_core::difference::Difference;
use shadowdiff_core::error::{Error, Result};
use shadowdiff_core::judge::Judge;
use shadowdiff_core::noise::{self, NoiseFloor, NoiseOutcome};
use shadowdiff_core::plan::Plan;
use shadowdiff_core::report::{
    LinePrinter, Merged, Reported, Reporter, SeenAccount, accounts_header, header, shows_accepted, table_schema,
};
use shadowdiff_core::spec::ListedAccounts;
use shadowdiff_core::tally::{DifferenceTally, Tally};
use shadowdiff_core::verdict;
use sorted::Sorted;
use std::collections::BTreeSet;
use std::io::Write;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::ScopedJoinHandle;
use waiting::WaitingAccounts;

/// Large enough that handing a batch over costs nothing beside it.
pub(crate) const BATCH_BYTES: usize = 512 << 10;
/// More threads would wait for the one that sorts.
const MAX_THREADS: usize = 8;

/// What is merged, and by what it is judged.
#[derive(Debug)]
pub(crate) struct Merge<'a> {
    pub(crate) plan: &'a Plan,
    /// The spec as the summary shows it.
    pub(crate) document: &'a serde_json::Value,
    pub(crate) judge: &'a Judge<()>,
    pub(crate) acceptances: &'a Acceptances,
    pub(crate) tally: &'a Tally,
    pub(crate) runs: &'a [Spool],
    /// Sorted runs of the fingerprints of keys that one side alone has left, and the other has too.
    pub(crate) found_keys: &'a [Spool],
    /// Sorted runs of all accounts, where they are listed.
    pub(crate) seen_accounts: &'a [Spool],
    /// For accounts that wait for their decision.
    pub(crate) scratch: &'a Scratch,
    pub(crate) threads: usize,
    /// A batch has at least so many bytes, but for the last.
    pub(crate) batch_bytes: usize,
    /// Whether it is told what happens to rows.
    pub(crate) tells_rows: bool,
}

/// Where the merge writes.
pub(crate) struct Outputs<'a> {
    pub(crate) diff: &'a mut dyn Write,
    pub(crate) accounts: &'a mut dyn Write,
    /// The differences as Parquet, where the spec asks for it.
    pub(crate) table: Option<&'a mut (dyn Write + Send)>,
    /// What another spec can judge, where this one asks for it.
    pub(crate) comparison: Option<&'a mut dyn Write>,
}

fn failed(error: std::io::Error) -> Error {
    Error::exhausted(format!("the result cannot be written: {error}"))
}

impl Merge<'_> {
    /// Writes the files.
    pub(crate) fn write(&self, out: Outputs<'_>) -> Result<Merged> {
        let Outputs {
            diff,
            accounts,
            table,
            mut comparison,
        } = out;
        let chosen = choose(self.plan, self.tally, self.runs)?;
        let (acceptances, accepted) = self.accept()?;
        let (floor, noise) = self.noise(&acceptances)?;
        let key = self.plan.aligned.key_columns().map(|c| c.name.as_str());
        let header = header(key, self.plan.spec.output.spreadsheet_safe);
        diff.write_all(header.as_bytes()).map_err(failed)?;
        let mut merged = Merged {
            acceptances: accepted,
            noise,
            ..Merged::default()
        };
        let seen = match self.plan.spec.output.accounts {
            ListedAccounts::All => Some(self.seen_accounts),
            ListedAccounts::Differing => None,
        };
        let mut waiting = WaitingAccounts::new(seen, shows_accepted(&self.plan.spec), self.scratch)?;
        if let Some(comparison) = &mut comparison {
            ComparisonHead::of(self.plan, self.document, self.tally).write_head(comparison)?;
        }
        let mut table = table
            .map(|out| TableWriter::new(out, table_schema(&self.plan.aligned, &self.plan.spec.output.attributes)))
            .transpose()?;
        let (count, differences) = self.report((&acceptances, &floor), chosen.as_ref(), &mut |reported| {
            diff.write_all(reported.lines.as_bytes()).map_err(failed)?;
            merged.listed += reported.listed;
            merged.rows.append(std::mem::take(&mut reported.rows));
            if let (Some(table), Some(rows)) = (&mut table, reported.table.take()) {
                table.write(rows)?;
            }
            if let Some(comparison) = &mut comparison {
                comparison.write_all(&reported.comparison).map_err(failed)?;
            }
            reported.accounts.drain(..).try_for_each(|account| waiting.add(account))
        })?;
        if count != self.tally.differences() {
            return Err(Error::internal(format!(
                "the books of the merge do not balance: {count} differences merged, {} counted",
                self.tally.differences()
            )));
        }
        table.map_or(Ok(()), TableWriter::finish)?;
        if let Some(comparison) = &mut comparison {
            end_differences(comparison)?;
            let mut accounts = MergedRuns::<SeenAccount>::new(self.seen_accounts, self.scratch)?;
            while let Some(account) = accounts.next()? {
                write_account(&account, comparison)?;
            }
        }
        let rules = verdict::rules(&self.plan.spec, &differences, self.plan.as_of);
        let kept: Vec<bool> = rules.iter().map(|rule| rule.broken.is_empty()).collect();
        accounts
            .write_all(accounts_header(&self.plan.spec, &self.plan.aligned).as_bytes())
            .map_err(failed)?;
        Ok(Merged {
            differences,
            ..waiting.write(&kept, accounts, merged)?
        })
    }

    /// Decides which acceptances count: lines are printed with that, so all that they cover is counted in a pass before.
    pub(crate) fn accept(&self) -> Result<(Acceptances, Vec<AcceptanceOutcome>)> {
        let mut acceptances = self.acceptances.clone();
        if acceptances.is_empty() {
            return Ok((acceptances, Vec::new()));
        }
        let judges = (&acceptances, &NoiseFloor::default());
        let (_, covered) = self.report(judges, Some(&BTreeSet::new()), &mut |_| Ok(()))?;
        let found = outcomes(&self.plan.accepted, &covered.accepted, self.plan.as_of);
        acceptances.decide(&found);
        Ok((acceptances, found))
    }

    /// Decides which noise is subtracted, in a pass of its own too.
    pub(crate) fn noise(&self, acceptances: &Acceptances) -> Result<(NoiseFloor, Vec<NoiseOutcome>)> {
        let mut floor = NoiseFloor::new(self.plan.noise.as_ref(), &self.plan.aligned);
        let Some(facts) = &self.plan.noise else {
            return Ok((floor, Vec::new()));
        };
        let (_, counted) = self.report((acceptances, &floor), Some(&BTreeSet::new()), &mut |_| Ok(()))?;
        let found = noise::outcomes(facts, &self.plan.aligned.columns, &counted.like_noise, self.tally.matched());
        if self.plan.spec.verdict.subtracts_noise {
            floor.decide(&found);
        }
        Ok((floor, found))
    }

    /// Judges all differences and prints those that are chosen; `take` is given what becomes of them, in their order. Gives how many there were.
    fn report(
        &self,
        judges: (&Acceptances, &NoiseFloor),
        chosen: Option<&BTreeSet<u64>>,
        take: &mut dyn FnMut(&mut Reported) -> Result<()>,
    ) -> Result<(u64, DifferenceTally)> {
        let printer = LinePrinter::new(&self.plan.spec, &self.plan.aligned);
        let found_keys = distinct(self.found_keys)?;
        std::thread::scope(|scope| {
            let (mut batches, mut results, mut threads) = (Vec::new(), Vec::new(), Vec::new());
            let (sorted_before, spent_batches) = sync_channel(2 * MAX_THREADS);
            for _ in 0..self.threads.clamp(1, MAX_THREADS) {
                let (sender, inbox) = sync_channel(1);
                let (outbox, receiver) = sync_channel(1);
                let (written, spent) = sync_channel(2);
                let sorted_before = sorted_before.clone();
                let mut reporter = Reporter::new(self.judge, judges, &printer, &found_keys);
                reporter.tells_rows = self.tells_rows;
                let ends = Ends {
                    inbox,
                    outbox,
                    spent,
                    sorted_before,
                };
                threads.push(scope.spawn(move || report_batches(reporter, chosen, &ends)));
                batches.push(sender);
                results.push((receiver, written));
            }
            let sorting = scope.spawn(move || self.send_batches(&batches, &spent_batches));
            take_in_turn(results, take)?;
            let mut tally = DifferenceTally::default();
            for thread in threads {
                tally.merge(joined(thread)?);
            }
            Ok((joined(sorting)??, tally))
        })
    }

    /// Sorts the records of all runs and gives them to the threads in turn. Gives how many there were. `spent`: batches whose memory is used
    /// again.
    fn send_batches(&self, threads: &[SyncSender<Batch>], spent: &Receiver<Vec<u8>>) -> Result<u64> {
        let mut sorted = Sorted::new(self.runs)?;
        let mut turn = threads.iter().cycle();
        let (mut batch, mut count) = (Batch::default(), 0);
        while let Some(next) = sorted.next()? {
            if batch.records.len() >= self.batch_bytes && next.begins_row {
                let mut records = spent.try_recv().unwrap_or_else(|_| Vec::with_capacity(self.batch_bytes));
                records.clear();
                records.shrink_to(2 * self.batch_bytes);
                let full = std::mem::replace(&mut batch, Batch { records, before: count });
                if turn.next().is_none_or(|thread| thread.send(full).is_err()) {
                    // Somebody has failed, and says so.
                    return Ok(count);
                }
            }
            batch.records.extend_from_slice(next.record);
            count += 1;
        }
        let _ = turn.next().map(|thread| thread.send(batch));
        Ok(count)
    }
}

fn joined<T>(thread: ScopedJoinHandle<'_, T>) -> Result<T> {
    thread.join().map_err(|panic| panicked("the merge", panic.as_ref()))
}

/// Records that follow each other; all of a row are in one batch.
#[derive(Debug, Default)]
struct Batch {
    records: Vec<u8>,
    /// How many there are before them.
    before: u64,
}

/// Takes the results of the threads in the turn in which they were given batches; whoever has none has ended, and so have all behind it.
fn take_in_turn(
    results: Vec<(Receiver<Result<Reported>>, SyncSender<Reported>)>,
    take: &mut dyn FnMut(&mut Reported) -> Result<()>,
) -> Result<()> {
    let mut in_turn = results
        .iter()
        .cycle()
        .map_while(|(thread, written)| Some((thread.recv().ok()?, written)));
    in_turn.try_for_each(|(reported, written)| {
        let mut reported = reported?;
        take(&mut reported)?;
        // A thread that has ended needs no memory.
        let _ = written.try_send(reported);
        Ok(())
    })
}

/// Where a thread that reports takes batches from, and where what becomes of them goes. What was sorted or written before comes round: memory of
/// this size is expensive to give back and to get again.
struct Ends {
    inbox: Receiver<Batch>,
    outbox: SyncSender<Result<Reported>>,
    /// What was written.
    spent: Receiver<Reported>,
    /// For whoever sorts.
    sorted_before: SyncSender<Vec<u8>>,
}

fn report_batches(mut reporter: Reporter<'_>, chosen: Option<&BTreeSet<u64>>, ends: &Ends) -> DifferenceTally {
    for batch in &ends.inbox {
        let reported = ends.spent.try_recv().unwrap_or_default().emptied();
        let reported = report_batch(&mut reporter, chosen, &batch, reported);
        if ends.outbox.send(reported).is_err() {
            break;
        }
        let _ = ends.sorted_before.try_send(batch.records);
    }
    reporter.tally
}

fn report_batch(reporter: &mut Reporter<'_>, chosen: Option<&BTreeSet<u64>>, batch: &Batch, mut reported: Reported) -> Result<Reported> {
    let (mut at, mut number, mut row) = (0, batch.before, Vec::new());
    while at < batch.records.len() {
        let (difference, length) = run::first(&batch.records[at..])?;
        let difference = Difference::decode(difference)?;
        let is_listed = chosen.is_none_or(|chosen| chosen.contains(&number));
        if row
            .last()
            .is_some_and(|(last, _): &(Difference<'_>, bool)| last.row_key != difference.row_key)
        {
            reporter.add_row(&mut row, &mut reported)?;
            row.clear();
        }
        row.push((difference, is_listed));
        at += length;
        number += 1;
    }
    reporter.add_row(&mut row, &mut reported)?;
    reporter.finish(&mut reported)?;
    Ok(reported)
}

#[cfg(test)]
mod tests;
