//! The scan task: reads a piece of both sides, cancels what it can, sends the rest to its shards.

use crate::exchanged::{self, ExchangedRows, TolerantRows, fingerprints_of, numbered_schema, tolerant_schema};
use crate::job::Job;
use crate::paired::PairedGroups;
use crate::seen_accounts::SeenAccounts;
use crate::side::{Purpose, Read, Rows, SideReader};
use crate::window::{CancelMode, Window};
use arrow_array::{ArrayRef, RecordBatch};
use shadowdiff_common::exchange::{Object, Writer};
use shadowdiff_common::link::TaskOutput;
use shadowdiff_common::spool::{Spool, SpoolWriter};
use shadowdiff_core::error::Result;
use shadowdiff_core::plan::{Form, ScanTask};
use shadowdiff_core::row::{Hasher, account_hashes};
use shadowdiff_core::side::{Side, Sides};
use shadowdiff_core::spec::ListedAccounts;
use shadowdiff_core::tally::Tally;
use std::collections::BTreeSet;

/// Runs one scan task, which exchanges its rows in the given form. `halvings` says how often its memory share was halved.
pub(crate) fn scan(job: &Job, task: &ScanTask, form: Form, halvings: u32) -> Result<TaskOutput> {
    let share = job.resources.memory.task_bytes >> halvings.min(8);
    let mut sink = Sink::new(job, form, share / 3);
    let mut window = Window::new(share / 3, mode(job), &job.resources.limits);
    let mut paired = PairedGroups::new(job, task);
    let splits = paired.as_ref().map_or(&task.splits, |paired| &paired.splits).clone();
    let mut readers = Sides::from_fn(|side| SideReader::new(job, side, &splits[side], Purpose::Scan));
    let mut in_place = 0;
    let mut ended = Sides::new(false, false);
    while !(ended.live && ended.shadow) {
        let next = window.next_side();
        let side = if ended[next] { next.other() } else { next };
        if let Some((paired, split)) = paired.as_mut().zip(readers[side].next_split())
            && let Some(equal) = paired.equal(split)?
        {
            in_place += equal.count_set_bits() as u64;
            Side::BOTH
                .iter()
                .for_each(|side| readers[*side].set_cancelled(split, equal.clone()));
            continue;
        }
        match readers[side].next()? {
            Some(read) => {
                sink.see_accounts(side, &read.rows)?;
                let rows = match form {
                    Form::Rows => read.rows,
                    Form::Fingerprints => numbered(job, side, read)?,
                };
                window.push(side, rows, &mut |side, batch| sink.push(side, batch))?;
            }
            None => ended[side] = readers[side].next_split().is_none(),
        }
        if ended.live || ended.shadow {
            window.pass_all();
        }
    }
    window.finish(&mut |side, batch| sink.push(side, batch))?;
    let mut tally = Tally {
        cancelled: window.cancelled + in_place,
        ..Tally::default()
    };
    for (side, reader) in readers.each() {
        tally.sides[side].read = reader.read;
        tally.sides[side].filtered = reader.filtered;
    }
    let accounts = sink.take_accounts()?;
    Ok(TaskOutput {
        exchange: Some(sink.finish()?),
        tally,
        sorted: accounts,
        ..TaskOutput::default()
    })
}

/// Rows that carry columns of their own do not cancel early: which of several equal rows is left may matter to a rule.
fn mode(job: &Job) -> CancelMode {
    let early = !job.plan.carries();
    CancelMode {
        in_step: early && !job.resources.disabled.same_position,
        remember: early && !job.resources.disabled.window,
    }
}

/// What rows come to where fingerprints are exchanged.
pub(crate) fn numbered(job: &Job, side: Side, read: Read) -> Result<Rows> {
    let Rows { batch, fingerprints } = read.rows;
    let numbers = read.numbers.to_vec();
    let batch = match &read.exact {
        None => exchanged::numbered(numbers, &fingerprints)?,
        Some(exact) => {
            let values = job
                .compiled
                .row_hasher
                .tolerant()
                .iter()
                .map(|at| batch.column(*at).clone())
                .collect();
            let keys = job.key_fingerprints(&batch).iter().map(|key| *key as u64).collect();
            exchanged::tolerant(
                &tolerant_schema(&job.plan, job.compiled.row_hasher.tolerant(), side),
                numbers,
                values,
                keys,
                exact,
            )?
        }
    };
    Ok(Rows { batch, fingerprints })
}

/// Where rows go that have not cancelled.
pub(crate) struct Sink<'a> {
    job: &'a Job,
    form: Form,
    writer: Writer,
    accounts: Accounts,
    listed_accounts: SeenAccounts,
    account_fingerprint: Hasher,
}

impl<'a> Sink<'a> {
    pub(crate) fn new(job: &'a Job, form: Form, buffer_bytes: usize) -> Self {
        let schemas = match form {
            Form::Rows => job.compiled.schemas.clone(),
            Form::Fingerprints if job.compiled.row_hasher.tolerant().is_empty() => Sides::from_fn(|_| numbered_schema()),
            Form::Fingerprints => Sides::from_fn(|side| tolerant_schema(&job.plan, job.compiled.row_hasher.tolerant(), side)),
        };
        let writer = Writer::new(schemas, job.plan.shards, buffer_bytes, &job.resources.scratch);
        let columns = job.plan.aligned.account().iter();
        let forms = columns.map(|_| shadowdiff_core::row::Form::Canonical);
        Sink {
            job,
            form,
            writer,
            accounts: Accounts::default(),
            listed_accounts: SeenAccounts::default(),
            account_fingerprint: Hasher::new(job.plan.secret.0, forms),
        }
    }

    pub(crate) fn push(&mut self, side: Side, batch: RecordBatch) -> Result<()> {
        let shards = u64::from(self.job.plan.shards);
        let shard_of: Vec<u32> = match (shards, self.form) {
            (1, _) => vec![0; batch.num_rows()],
            (_, Form::Rows) => {
                let account: Vec<ArrayRef> = ExchangedRows::new(&batch, &self.job.plan).account().into_iter().cloned().collect();
                let hashes = account_hashes(&account, batch.num_rows());
                hashes.into_iter().map(|hash| (hash % shards) as u32).collect()
            }
            (_, Form::Fingerprints) if !self.job.compiled.row_hasher.tolerant().is_empty() => TolerantRows(&batch)
                .keys()
                .iter()
                .map(|key| ((key >> 32) % shards) as u32)
                .collect(),
            (_, Form::Fingerprints) => fingerprints_of(&batch).map(|f| ((f >> 64) as u64 % shards) as u32).collect(),
        };
        self.writer.push(side, &batch, &shard_of)
    }

    pub(crate) fn finish(self) -> Result<Object> {
        self.writer.finish()
    }

    fn see_accounts(&mut self, side: Side, rows: &Rows) -> Result<()> {
        let lists = self.job.plan.spec.output.accounts == ListedAccounts::All;
        if !lists && !self.job.plan.count_accounts {
            return Ok(());
        }
        let account = ExchangedRows::new(&rows.batch, &self.job.plan).account();
        let fingerprints = self.account_fingerprint.hash(&account, rows.batch.num_rows());
        if lists {
            return self.listed_accounts.see(self.job, side, &rows.batch, &fingerprints);
        }
        self.accounts.see(self.job, fingerprints)
    }

    /// Sorted runs of the accounts that were seen: listed or counted, never both.
    fn take_accounts(&mut self) -> Result<Vec<Spool>> {
        let mut runs = std::mem::take(&mut self.listed_accounts).finish(self.job)?;
        runs.extend(std::mem::take(&mut self.accounts).finish(self.job)?);
        Ok(runs)
    }
}

/// Distinct accounts, spilled in sorted runs.
#[derive(Debug, Default)]
struct Accounts {
    seen: BTreeSet<u128>,
    runs: Vec<Spool>,
}

impl Accounts {
    fn see(&mut self, job: &Job, fingerprints: Vec<u128>) -> Result<()> {
        let mut last = None;
        for fingerprint in fingerprints {
            if last != Some(fingerprint) {
                self.seen.insert(fingerprint);
                last = Some(fingerprint);
            }
        }
        if self.seen.len() > job.resources.limits.held_accounts {
            self.spill(job)
        } else {
            Ok(())
        }
    }

    fn spill(&mut self, job: &Job) -> Result<()> {
        if self.seen.is_empty() {
            return Ok(());
        }
        let mut writer = SpoolWriter::new(&job.resources.scratch, job.resources.limits.account_part_bytes);
        for fingerprint in std::mem::take(&mut self.seen) {
            writer.append(&fingerprint.to_be_bytes())?;
        }
        self.runs.push(writer.finish()?);
        Ok(())
    }

    fn finish(mut self, job: &Job) -> Result<Vec<Spool>> {
        self.spill(job)?;
        Ok(self.runs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::TaskLimits;
    use crate::testing::Setup;

    const LIVE: &str = "id,v\na,1\nb,2\na,3\nc,4\nd,5\nb,6\ne,7\n";
    const SHADOW: &str = "id,v\na,1\nb,2\nf,3\nc,4\nd,0\nb,6\na,8\n";

    fn fingerprints_in(runs: &[Spool]) -> Vec<Vec<u128>> {
        let numbers = |run: &Spool| {
            let bytes: Vec<u8> = (0..run.parts()).flat_map(|part| run.part(part).expect("a part").to_vec()).collect();
            let numbers = bytes.chunks(16).map(|n| u128::from_be_bytes(n.try_into().expect("16 bytes")));
            numbers.collect::<Vec<u128>>()
        };
        runs.iter().map(numbers).collect()
    }

    #[test]
    fn accounts_spill_in_sorted_runs_and_none_is_lost() {
        let mut all_accounts = Vec::new();
        for (held_accounts, least_runs) in [(0, 5), (2, 2), (1 << 19, 1)] {
            let limits = TaskLimits {
                max_batch_rows: 1,
                held_accounts,
                account_part_bytes: 20,
                ..TaskLimits::PRODUCT
            };
            let small = Setup {
                live: LIVE,
                shadow: SHADOW,
                limits,
                ..Setup::default()
            }
            .job();
            let output = scan(&small.job, &small.job.plan.scans[0], Form::Rows, 0).expect("a scan");
            let runs = fingerprints_in(&output.sorted);
            assert!(runs.len() >= least_runs, "{} runs", runs.len());
            assert!(runs.iter().all(|run| !run.is_empty() && run.is_sorted()));
            let distinct: BTreeSet<u128> = runs.into_iter().flatten().collect();
            assert_eq!(distinct.len(), 6);
            all_accounts.push(distinct);
        }
        assert!(all_accounts.windows(2).all(|pair| pair[0] == pair[1]));
    }

    #[test]
    fn what_does_not_cancel_goes_to_the_shard_of_its_account() {
        for (budget, patience_rows) in [(0, 0), (1 << 20, 1 << 20)] {
            let limits = TaskLimits {
                max_batch_rows: 2,
                max_intermediate_bytes: budget,
                patience_rows,
                ..TaskLimits::PRODUCT
            };
            let small = Setup {
                live: LIVE,
                shadow: SHADOW,
                limits,
                shards: 3,
                ..Setup::default()
            }
            .job();
            let output = scan(&small.job, &small.job.plan.scans[0], Form::Rows, 0).expect("a scan");
            let exchange = output.exchange.expect("rows are exchanged");
            let read = [output.tally.sides.live.read, output.tally.sides.shadow.read];
            assert_eq!(read, [7, 7]);
            let mut left = [0, 0];
            for shard in 0..3 {
                for side in Side::BOTH {
                    for block in exchange.batches(shard, side) {
                        let batch = block.expect("a block").to_batch().expect("rows");
                        left[side as usize] += batch.num_rows() as u64;
                        let account: Vec<ArrayRef> = vec![batch.column(0).clone()];
                        let shards = account_hashes(&account, batch.num_rows()).into_iter().map(|hash| hash % 3);
                        assert!(shards.into_iter().all(|of| of == u64::from(shard)));
                    }
                }
            }
            assert_eq!(left.map(|rows| rows + output.tally.cancelled), read, "rows in are rows out");
        }
    }
}
