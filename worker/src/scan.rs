//! The scan task: reads a piece of both sides, cancels what it can, sends the rest to its shards.

use crate::exchanged::{self, ExchangedRows, fingerprints_of, numbered_schema};
use crate::job::Job;
use crate::side::{Purpose, Read, Rows, SideReader};
use crate::window::{Rungs, Window};
use arrow_array::{ArrayRef, RecordBatch};
use shadowdiff_common::exchange::{Object, Writer};
use shadowdiff_common::link::TaskOutput;
use shadowdiff_common::spool::{Spool, SpoolWriter};
use shadowdiff_core::error::Result;
use shadowdiff_core::plan::{Form, ScanTask};
use shadowdiff_core::row::{Hasher, account_hashes};
use shadowdiff_core::side::{Side, Sides};
use shadowdiff_core::tally::Tally;
use std::collections::BTreeSet;

/// Runs one scan task, which exchanges its rows in the given form. `halvings` says how often its memory share was halved.
pub(crate) fn scan(job: &Job, task: &ScanTask, form: Form, halvings: u32) -> Result<TaskOutput> {
    let share = job.memory.task_bytes >> halvings.min(8);
    let mut sink = Sink::new(job, form, share / 3);
    let mut window = Window::new(share / 3, rungs(job), &job.limits);
    let mut readers = Sides::from_fn(|side| SideReader::new(job, side, &task.splits[side], Purpose::Scan));
    let mut ended = Sides::new(false, false);
    while !(ended.live && ended.shadow) {
        let hungry = window.hungry();
        let side = if ended[hungry] { hungry.other() } else { hungry };
        match readers[side].next()? {
            Some(read) => {
                sink.see_accounts(&read.rows)?;
                let rows = match form {
                    Form::Rows => read.rows,
                    Form::Fingerprints => numbered(read)?,
                };
                window.push(side, rows, &mut |side, batch| sink.push(side, batch))?;
            }
            None => ended[side] = true,
        }
        if ended.live || ended.shadow {
            window.pass_all();
        }
    }
    window.finish(&mut |side, batch| sink.push(side, batch))?;
    let mut tally = Tally {
        cancelled: window.cancelled,
        ..Tally::default()
    };
    for (side, reader) in readers.each() {
        tally.sides[side].read = reader.read;
        tally.sides[side].filtered = reader.filtered;
    }
    let accounts = std::mem::take(&mut sink.accounts).finish(job)?;
    Ok(TaskOutput {
        exchange: Some(sink.finish()?),
        tally,
        accounts,
        ..TaskOutput::default()
    })
}

/// Rows that carry columns of their own do not cancel early: which of several equal rows is left may matter to a rule.
fn rungs(job: &Job) -> Rungs {
    let early = !job.plan.carries();
    Rungs {
        in_step: early && !job.disabled.same_position,
        remember: early && !job.disabled.window,
    }
}

/// What rows come to where fingerprints are exchanged.
pub(crate) fn numbered(read: Read) -> Result<Rows> {
    Ok(Rows {
        batch: exchanged::numbered(read.numbers.to_vec(), &read.rows.fingerprints)?,
        fingerprints: read.rows.fingerprints,
    })
}

/// Where rows go that have not cancelled.
pub(crate) struct Sink<'a> {
    job: &'a Job,
    form: Form,
    writer: Writer,
    accounts: Accounts,
    account_fingerprint: Hasher,
}

impl<'a> Sink<'a> {
    pub(crate) fn new(job: &'a Job, form: Form, buffer_bytes: usize) -> Self {
        let schemas = match form {
            Form::Rows => job.schemas.clone(),
            Form::Fingerprints => Sides::from_fn(|_| numbered_schema()),
        };
        let writer = Writer::new(schemas, job.plan.shards, buffer_bytes, &job.scratch);
        let columns = job.plan.aligned.account().iter();
        let forms = columns.map(|_| shadowdiff_core::row::Form::Canonical);
        Sink {
            job,
            form,
            writer,
            accounts: Accounts::default(),
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
            (_, Form::Fingerprints) => fingerprints_of(&batch).map(|f| ((f >> 64) as u64 % shards) as u32).collect(),
        };
        self.writer.push(side, &batch, &shard_of)
    }

    pub(crate) fn finish(self) -> Result<Object> {
        self.writer.finish()
    }

    fn see_accounts(&mut self, rows: &Rows) -> Result<()> {
        if !self.job.plan.count_accounts {
            return Ok(());
        }
        let account = ExchangedRows::new(&rows.batch, &self.job.plan).account();
        let fingerprints = self.account_fingerprint.hash(&account, rows.batch.num_rows());
        self.accounts.see(self.job, fingerprints)
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
        if self.seen.len() > job.limits.held_accounts {
            self.spill(job)
        } else {
            Ok(())
        }
    }

    fn spill(&mut self, job: &Job) -> Result<()> {
        if self.seen.is_empty() {
            return Ok(());
        }
        let mut writer = SpoolWriter::new(&job.scratch, job.limits.account_part_bytes);
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
