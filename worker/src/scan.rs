//! The scan task: reads a piece of both sides, cancels what it can, sends the rest to its shards.

use crate::aligned_rows::{AlignedRows, Rows};
use crate::by_columns::ByColumns;
use crate::drawing::Drawing;
use crate::exchanged::{ExchangedRows, TolerantRows, fingerprints_of};
use crate::in_place::InPlace;
use crate::in_step::{Emit, InStep};
use crate::job::Job;
use crate::paired::PairedGroups;
use crate::paired_texts::PairedTexts;
use crate::scanned_form::ScannedForm;
use crate::seen_accounts::SeenAccounts;
use crate::side::{PairedPart, Purpose, SideReader};
use crate::window::{CancelMode, Window};
use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::SchemaRef;
use arrow_select::concat::concat_batches;
use shadowdiff_common::exchange::{Object, Writer};
use shadowdiff_common::link::TaskOutput;
use shadowdiff_common::spool::{Spool, SpoolWriter};
use shadowdiff_core::error::{Error, Result};
use shadowdiff_core::plan::{Form, ScanTask, Split};
use shadowdiff_core::profile::{Rung, Work};
use shadowdiff_core::row::{Hasher, account_hashes};
use shadowdiff_core::side::{Side, Sides};
use shadowdiff_core::spec::ListedAccounts;
use shadowdiff_core::tally::Tally;
use std::cmp::Ordering;
use std::collections::BTreeSet;

/// Runs one scan task, which exchanges its rows in the given form. `halvings` says how often its memory share was halved.
pub(crate) fn scan(job: &Job, task: &ScanTask, form: Form, halvings: u32) -> Result<TaskOutput> {
    Scan::new(job, task, form, halvings, in_step(job)).run()
}

/// The same with no pair judged in place but those that are equal.
pub(crate) fn rescan(job: &Job, task: &ScanTask, form: Form, halvings: u32) -> Result<TaskOutput> {
    Scan::new(job, task, form, halvings, false).run()
}

/// A scan task under way. Rows go from the readers to both sides in step, what is left of them to the window, and from there to the sink.
struct Scan<'a> {
    job: &'a Job,
    form: Form,
    scanned_form: ScannedForm,
    paired: Option<Paired<'a>>,
    by_columns: Option<ByColumns<'a>>,
    readers: Sides<SideReader<'a>>,
    in_place: InPlace<'a>,
    in_step: InStep<'a>,
    /// Rows that are left, until there are enough for a batch.
    left: Sides<Vec<Rows>>,
    window: Window,
    sink: Sink<'a>,
    drawing: Option<Drawing<'a>>,
    /// Pairs of equal rows of row groups that were not read whole.
    in_pairs: u64,
}

/// The parts of a scan task, side by side.
enum Paired<'a> {
    Groups(Box<PairedGroups<'a>>),
    Texts(PairedTexts<'a>),
}

impl<'a> Paired<'a> {
    /// `None` where rows cannot cancel by their place.
    fn new(job: &'a Job, task: &ScanTask, form: Form) -> Option<Self> {
        let groups = PairedGroups::new(job, task, form).map(Box::new).map(Paired::Groups);
        groups.or_else(|| PairedTexts::new(job, task).map(Paired::Texts))
    }

    /// The pieces of the task, cut as they are paired.
    fn splits(&self) -> &Sides<Vec<Split>> {
        match self {
            Paired::Groups(groups) => &groups.splits,
            Paired::Texts(texts) => &texts.splits,
        }
    }

    /// Whether what is fetched of objects for a look is held for its rows.
    fn holds_objects(&self) -> bool {
        match self {
            Paired::Groups(groups) => groups.holds_objects(),
            Paired::Texts(_) => false,
        }
    }

    /// Which rows of the pair of this number are done with, the first time that it is asked for. `None`: of no use.
    fn ended(&mut self, number: usize, in_place: &mut InPlace<'_>) -> Result<Option<PairedPart>> {
        match self {
            Paired::Groups(groups) => groups.ended(number, in_place),
            Paired::Texts(texts) => texts.ended(number, in_place),
        }
    }
}

impl<'a> Scan<'a> {
    fn new(job: &'a Job, task: &ScanTask, form: Form, halvings: u32, judges: bool) -> Self {
        let share = job.resources.memory.task_bytes >> halvings.min(8);
        let paired = Paired::new(job, task, form);
        let splits = paired.as_ref().map_or(&task.splits, Paired::splits).clone();
        let scanned_form = ScannedForm::new(job, task);
        let schemas = match form {
            Form::Rows => &job.compiled.schemas,
            Form::Fingerprints => scanned_form.schemas(),
        };
        Scan {
            job,
            form,
            paired,
            by_columns: ByColumns::new(job, task, form),
            readers: Sides::from_fn(|side| SideReader::new(job, side, &splits[side], Purpose::Scan)),
            in_place: InPlace::new(job, judges).with_differing(),
            in_step: InStep::new(job, form, in_step(job)),
            left: Sides::default(),
            window: Window::new(share / 3, mode(job), form, &job.resources.limits),
            sink: Sink::new(job, form, schemas, share / 3),
            drawing: Drawing::new(job, form),
            in_pairs: 0,
            scanned_form,
        }
    }

    fn run(mut self) -> Result<TaskOutput> {
        let mut ended = Sides::new(false, false);
        while !(ended.live && ended.shadow) {
            let next = self.in_step.next_side().or_else(|| self.behind());
            let next = next.unwrap_or_else(|| self.window.next_side());
            let side = if ended[next] { next.other() } else { next };
            if self.ends_in_pairs(side)? || self.hashes_split(side)? {
                continue;
            }
            match self.read(side)? {
                Some(rows) => self.push(side, rows)?,
                None if self.readers[side].next_split().is_none() => {
                    ended[side] = true;
                    self.step(|in_step, in_place, emit| in_step.end(side, in_place, emit))?;
                }
                None => {}
            }
            if self.in_place.is_void() {
                return self.give_up();
            }
            if ended.live || ended.shadow {
                release(&mut self.left, &mut self.window, &mut self.sink)?;
                self.window.pass_all();
            }
        }
        release(&mut self.left, &mut self.window, &mut self.sink)?;
        {
            let job = self.job;
            let _spent = job.meter.enter(self.rung_of_left(), Work::Compare);
            let sink = &mut self.sink;
            self.window.finish(&mut |side, batch| sink.push(side, batch))?;
        }
        self.finish()
    }

    /// All rows are scanned again: the others need not be read now.
    fn give_up(mut self) -> Result<TaskOutput> {
        self.in_place.lose_equal_keys();
        Ok(TaskOutput {
            judged: Some(self.in_place.finish()?.0),
            ..TaskOutput::default()
        })
    }

    /// The side that is a row group behind: what is held of a pair of them is let go when the next one is looked at.
    fn behind(&self) -> Option<Side> {
        self.paired.as_ref().filter(|paired| paired.holds_objects())?;
        match self.readers.live.opened().cmp(&self.readers.shadow.opened()) {
            Ordering::Less => Some(Side::Live),
            Ordering::Greater => Some(Side::Shadow),
            Ordering::Equal => None,
        }
    }

    /// The rung to which rows come that are read now.
    fn rung(&self) -> Rung {
        match self.in_step.is_on() {
            true => Rung::SamePosition,
            false => self.rung_of_left(),
        }
    }

    /// The rung after that.
    fn rung_of_left(&self) -> Rung {
        rung_of_left(&self.window, self.form)
    }

    fn read(&mut self, side: Side) -> Result<Option<AlignedRows>> {
        let job = self.job;
        let _spent = job.meter.enter(self.rung(), Work::Decode);
        self.readers[side].next()
    }

    /// Whether the pair of parts that comes next has just been looked at, with success.
    fn ends_in_pairs(&mut self, side: Side) -> Result<bool> {
        let Some((paired, split)) = self.paired.as_mut().zip(self.readers[side].next_split()) else {
            return Ok(false);
        };
        let Some(part) = paired.ended(split, &mut self.in_place)? else {
            return Ok(false);
        };
        self.in_pairs += part.equal;
        let ended = part.rows.live.rows.count_set_bits() as u64;
        self.job.meter.add_rows(part.rung, 2 * ended);
        self.readers.live.set_ended(split, part.rows.live);
        self.readers.shadow.set_ended(split, part.rows.shadow);
        Ok(true)
    }

    /// Whether the next split of a side has just been read by its columns. Its rows are of no use in step, whose keys would be needed.
    fn hashes_split(&mut self, side: Side) -> Result<bool> {
        let Some(by_columns) = &self.by_columns else { return Ok(false) };
        let reader = &mut self.readers[side];
        let Some(split) = reader.take_split() else { return Ok(false) };
        self.job.watch.check()?;
        let job = self.job;
        let _spent = job.meter.enter(Rung::of_exchange(self.form), Work::Decode);
        if self.sink.sees_accounts() {
            let sink = &mut self.sink;
            by_columns.read_accounts(side, &split, |account| sink.see_accounts(side, account))?;
        }
        let read = by_columns.read(side, &split, reader.read, self.drawing.as_mut())?;
        reader.count_taken(read.rows() as u64);
        self.in_place.stop_judging();
        self.in_place.lose_equal_keys();
        let rows = self.scanned_form.rows(self.job, side, read)?;
        for from in (0..rows.fingerprints.len()).step_by(self.job.resources.batch_rows) {
            let length = self.job.resources.batch_rows.min(rows.fingerprints.len() - from);
            self.sink.push(side, rows.batch.slice(from, length))?;
        }
        Ok(true)
    }

    fn push(&mut self, side: Side, rows: AlignedRows) -> Result<()> {
        if self.sink.sees_accounts() {
            let job = self.job;
            let _spent = job.meter.enter(self.rung(), Work::Hash);
            self.sink.see_accounts(side, &rows.some(self.job.plan.aligned.account()))?;
        }
        self.step(|in_step, in_place, emit| in_step.push(side, rows, in_place, emit))
    }

    /// Goes on in step; what is left goes on to the window.
    fn step(&mut self, go: impl FnOnce(&mut InStep<'a>, &mut InPlace<'a>, &mut Emit<'_>) -> Result<()>) -> Result<()> {
        let (rung, rung_of_left) = (self.rung(), self.rung_of_left());
        let Scan {
            job,
            form,
            scanned_form,
            left,
            window,
            sink,
            drawing,
            ..
        } = self;
        let job = *job;
        let _spent = job.meter.enter(rung, Work::Compare);
        let mut emit = |side: Side, rows: AlignedRows| {
            let _spent = job.meter.enter(rung_of_left, Work::Hash);
            let read = rows.hashed(job);
            if let Some(drawing) = drawing {
                drawing.see(side, &read)?;
            }
            left[side].push(match form {
                Form::Rows => read.whole(job, side)?,
                Form::Fingerprints => scanned_form.rows(job, side, read)?,
            });
            let rows: usize = left[side].iter().map(|rows| rows.fingerprints.len()).sum();
            let enough = match form {
                Form::Rows => job.resources.batch_rows / 2,
                Form::Fingerprints => job.resources.batch_rows * 2,
            };
            match rows < enough {
                true => Ok(()),
                false => release(left, window, sink),
            }
        };
        go(&mut self.in_step, &mut self.in_place, &mut emit)
    }

    fn finish(mut self) -> Result<TaskOutput> {
        let job = self.job;
        let meter = &job.meter;
        meter.add_rows(Rung::SamePosition, 2 * self.in_step.ended);
        meter.add_rows(Rung::Window, 2 * self.window.cancelled);
        let tolerance_use = std::mem::take(&mut self.in_place.tolerance_use);
        let (judged, differing) = {
            let _spent = job.meter.enter(Rung::SamePosition, Work::Compare);
            self.in_place.finish()?
        };
        let mut tally = Tally {
            cancelled: self.window.cancelled + self.in_step.cancelled + self.in_pairs,
            within_tolerance: judged.near,
            tolerance_use,
            ..Tally::default()
        };
        tally.merge(&differing.tally);
        for (side, reader) in self.readers.each() {
            tally.sides[side].read = reader.read;
            tally.sides[side].filtered = reader.filtered;
        }
        let mut sink = self.sink;
        let accounts = sink.take_accounts()?;
        Ok(TaskOutput {
            exchange: Some(sink.finish()?),
            tally,
            sorted: accounts,
            runs: differing.runs,
            judged: Some(judged),
            drawn: self.drawing.map(Drawing::finish),
            ..TaskOutput::default()
        })
    }
}

/// The rung to which rows come that are left in step.
fn rung_of_left(window: &Window, form: Form) -> Rung {
    match window.is_on() {
        true => Rung::Window,
        false => Rung::of_exchange(form),
    }
}

/// Lets the rows of both sides that are left go on to the window, a batch a side: of few batches many shards are made at less cost, above all of
/// narrow rows.
fn release(left: &mut Sides<Vec<Rows>>, window: &mut Window, sink: &mut Sink<'_>) -> Result<()> {
    let job = sink.job;
    let _spent = job.meter.enter(rung_of_left(window, sink.form), Work::Compare);
    for side in Side::BOTH {
        let parts = std::mem::take(&mut left[side]);
        let Some(first) = parts.first() else { continue };
        let batches = parts.iter().map(|rows| &rows.batch);
        let batch = concat_batches(&first.batch.schema(), batches).map_err(|e| Error::internal(format!("scan: {e}")))?;
        let fingerprints = parts.iter().flat_map(|rows| rows.fingerprints.iter().copied()).collect();
        window.push(side, Rows { batch, fingerprints }, &mut |side, batch| sink.push(side, batch))?;
    }
    Ok(())
}

/// Whether rows are compared in step. Rows that carry columns of their own are not: which of several equal rows is left may matter to a rule.
fn in_step(job: &Job) -> bool {
    !job.plan.carries() && !job.resources.disabled.same_position
}

/// Which rows find each other in the window.
fn mode(job: &Job) -> CancelMode {
    CancelMode {
        in_step: in_step(job),
        remember: !job.plan.carries() && !job.resources.disabled.window,
    }
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
    /// `schemas`: those of the batches that come.
    pub(crate) fn new(job: &'a Job, form: Form, schemas: &Sides<SchemaRef>, buffer_bytes: usize) -> Self {
        let writer = Writer::new(schemas.clone(), job.plan.shards, buffer_bytes, &job.resources.scratch);
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
        let job = self.job;
        let _spent = job.meter.enter(Rung::of_exchange(self.form), Work::Write);
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
        let job = self.job;
        let _spent = job.meter.enter(Rung::of_exchange(self.form), Work::Write);
        self.writer.finish()
    }

    fn lists_accounts(&self) -> bool {
        self.job.plan.spec.output.accounts == ListedAccounts::All
    }

    fn sees_accounts(&self) -> bool {
        self.lists_accounts() || self.job.plan.count_accounts
    }

    /// `account`: the columns of rows of a side.
    fn see_accounts(&mut self, side: Side, account: &[&ArrayRef]) -> Result<()> {
        let rows = account.first().map_or(0, |column| column.len());
        let fingerprints = self.account_fingerprint.hash(account, rows);
        if self.lists_accounts() {
            return self.listed_accounts.see(self.job, side, account, &fingerprints);
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
