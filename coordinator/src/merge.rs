//! The merge: the sorted differences of all runs are judged and become `diff.csv` and `accounts.csv`, in bounded memory.
//!
//! ```text
//! runs -> sorted, in batches -> judged and printed by several threads in turn -> written in the same turn
//! ```
//! Differences come in the order of key, then column; accounts stand together because the key begins with them. Batches go round the threads
//! and what becomes of them is taken in the same turn, so that it comes in order, and nobody is more than two batches ahead.

mod selection;
mod sorted;

use selection::choose;
use shadowdiff_common::fault::panicked;
use shadowdiff_common::run;
use shadowdiff_common::spool::{Scratch, Spool, SpoolWriter};
use shadowdiff_core::difference::Difference;
use shadowdiff_core::error::{Error, Result};
use shadowdiff_core::judge::Judge;
use shadowdiff_core::plan::Plan;
use shadowdiff_core::report::{AccountLine, LinePrinter, Reported, Reporter, accounts_header, header, print_accounts};
use shadowdiff_core::tally::{DifferenceTally, Tally};
use shadowdiff_core::verdict::{self, AccountCounts};
use sorted::Sorted;
use std::collections::BTreeSet;
use std::io::Write;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::ScopedJoinHandle;

/// A batch has at least so many bytes, but for the last.
const BATCH_BYTES: usize = 512 << 10;
/// What is held of the accounts that wait for their decision, before it goes to scratch or is written.
const ACCOUNT_PART_BYTES: usize = 1 << 20;
/// More threads would wait for the one that sorts.
const MAX_THREADS: usize = 8;

/// What is merged, and by what it is judged.
#[derive(Debug)]
pub(crate) struct Merge<'a> {
    pub(crate) plan: &'a Plan,
    pub(crate) judge: &'a Judge<()>,
    pub(crate) tally: &'a Tally,
    pub(crate) runs: &'a [Spool],
    /// For accounts that wait for their decision.
    pub(crate) scratch: &'a Scratch,
    pub(crate) threads: usize,
}

/// What the merge counted.
#[derive(Debug, Default)]
pub(crate) struct Merged {
    pub(crate) listed: u64,
    pub(crate) differing_accounts: u64,
    pub(crate) accounts_with_exceptions: u64,
    pub(crate) differences: DifferenceTally,
}

impl Merged {
    pub(crate) fn accounts(&self, tally: &Tally) -> AccountCounts {
        AccountCounts {
            with_exceptions: self.accounts_with_exceptions,
            all: tally.accounts,
        }
    }
}

fn failed(error: std::io::Error) -> Error {
    Error::exhausted(format!("the result cannot be written: {error}"))
}

impl Merge<'_> {
    /// Writes the two files.
    pub(crate) fn write(&self, diff: &mut dyn Write, accounts: &mut dyn Write) -> Result<Merged> {
        let chosen = choose(self.plan, self.tally, self.runs)?;
        let key = self.plan.aligned.key_columns().map(|c| c.name.as_str());
        let header = header(key, self.plan.spec.output.spreadsheet_safe);
        diff.write_all(header.as_bytes()).map_err(failed)?;
        let mut merged = Merged::default();
        let mut waiting = WaitingAccounts::new(self.scratch);
        let (count, differences) = self.report(chosen.as_ref(), &mut |reported| {
            diff.write_all(reported.lines.as_bytes()).map_err(failed)?;
            merged.listed += reported.listed;
            reported.accounts.into_iter().try_for_each(|account| waiting.add(account))
        })?;
        if count != self.tally.differences() {
            return Err(Error::internal(format!(
                "the books of the merge do not balance: {count} differences merged, {} counted",
                self.tally.differences()
            )));
        }
        let rules = verdict::rules(&self.plan.spec, &differences, self.plan.as_of);
        let kept: Vec<bool> = rules.iter().map(|rule| rule.broken.is_empty()).collect();
        accounts.write_all(accounts_header(self.plan).as_bytes()).map_err(failed)?;
        Ok(Merged {
            differences,
            ..waiting.write(&kept, accounts, merged)?
        })
    }

    /// Judges and prints all differences; `take` is given what becomes of them, in their order. Gives how many there were.
    fn report(&self, chosen: Option<&BTreeSet<u64>>, take: &mut dyn FnMut(Reported) -> Result<()>) -> Result<(u64, DifferenceTally)> {
        let printer = LinePrinter::new(self.plan);
        std::thread::scope(|scope| {
            let (mut batches, mut results, mut threads) = (Vec::new(), Vec::new(), Vec::new());
            for _ in 0..self.threads.clamp(1, MAX_THREADS) {
                let (sender, inbox) = sync_channel(1);
                let (outbox, receiver) = sync_channel(1);
                let reporter = Reporter::new(self.plan, self.judge, &printer);
                threads.push(scope.spawn(move || report_batches(reporter, chosen, inbox, &outbox)));
                batches.push(sender);
                results.push(receiver);
            }
            let sorting = scope.spawn(move || send_batches(self.runs, &batches));
            take_in_turn(results, take)?;
            let mut tally = DifferenceTally::default();
            for thread in threads {
                tally.merge(joined(thread)?);
            }
            Ok((joined(sorting)??, tally))
        })
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

/// Sorts the records of all runs and gives them to the threads in turn. Gives how many there were.
fn send_batches(runs: &[Spool], threads: &[SyncSender<Batch>]) -> Result<u64> {
    let mut sorted = Sorted::new(runs)?;
    let mut turn = threads.iter().cycle();
    let (mut batch, mut count) = (Batch::default(), 0);
    while let Some(next) = sorted.next()? {
        if batch.records.len() >= BATCH_BYTES && next.begins_row {
            let full = std::mem::replace(
                &mut batch,
                Batch {
                    records: Vec::with_capacity(BATCH_BYTES),
                    before: count,
                },
            );
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

/// Takes the results of the threads in the turn in which they were given batches; whoever has none has ended, and so have all behind it.
fn take_in_turn(results: Vec<Receiver<Result<Reported>>>, take: &mut dyn FnMut(Reported) -> Result<()>) -> Result<()> {
    results
        .iter()
        .cycle()
        .map_while(|thread| thread.recv().ok())
        .try_for_each(|reported| take(reported?))
}

fn report_batches(
    mut reporter: Reporter<'_>,
    chosen: Option<&BTreeSet<u64>>,
    inbox: Receiver<Batch>,
    outbox: &SyncSender<Result<Reported>>,
) -> DifferenceTally {
    for batch in inbox {
        if outbox.send(report_batch(&mut reporter, chosen, &batch)).is_err() {
            break;
        }
    }
    reporter.tally
}

fn report_batch(reporter: &mut Reporter<'_>, chosen: Option<&BTreeSet<u64>>, batch: &Batch) -> Result<Reported> {
    let mut reported = Reported::default();
    let (mut at, mut number) = (0, batch.before);
    while at < batch.records.len() {
        let (difference, length) = run::first(&batch.records[at..])?;
        let is_listed = chosen.is_none_or(|chosen| chosen.contains(&number));
        reporter.add(&Difference::decode(difference)?, is_listed, &mut reported)?;
        at += length;
        number += 1;
    }
    Ok(reported)
}

/// Accounts that have passed: they wait until all differences are counted.
struct WaitingAccounts {
    last: Option<AccountLine>,
    spool: SpoolWriter,
    encoded: Vec<u8>,
    differing: u64,
    with_exceptions: u64,
}

impl WaitingAccounts {
    fn new(scratch: &Scratch) -> Self {
        WaitingAccounts {
            last: None,
            spool: SpoolWriter::new(scratch, ACCOUNT_PART_BYTES),
            encoded: Vec::new(),
            differing: 0,
            with_exceptions: 0,
        }
    }

    fn add(&mut self, account: AccountLine) -> Result<()> {
        let next = match &mut self.last {
            Some(last) => last.goes_on(account),
            None => Some(account),
        };
        match next.and_then(|next| self.last.replace(next)) {
            Some(done) => self.store(done),
            None => Ok(()),
        }
    }

    fn store(&mut self, mut account: AccountLine) -> Result<()> {
        self.differing += 1;
        self.with_exceptions += u64::from(account.has_exceptions());
        self.encoded.clear();
        account.encode(&mut self.encoded);
        self.spool.append(&self.encoded)
    }

    /// Writes their lines, now that it is known which rules have kept their bounds.
    fn write(mut self, kept: &[bool], out: &mut dyn Write, merged: Merged) -> Result<Merged> {
        if let Some(last) = self.last.take() {
            self.store(last)?;
        }
        let (spool, mut lines) = (self.spool.finish()?, String::new());
        for part in 0..spool.parts() {
            lines.clear();
            print_accounts(&spool.part(part)?, kept, &mut lines)?;
            out.write_all(lines.as_bytes()).map_err(failed)?;
        }
        Ok(Merged {
            differing_accounts: self.differing,
            accounts_with_exceptions: self.with_exceptions,
            ..merged
        })
    }
}
