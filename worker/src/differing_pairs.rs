//! Pairs of rows of one key that differ where they stand side by side: they become differences at once, and are not exchanged.
//!
//! ```text
//! live     a b c | d e f      rows that differ wait until their batch is done with on both sides;
//! shadow   a b | c d e f      the first of live belongs to the first of shadow, and so on
//! ```
//! Keys ascend where pairs are judged in place, and so do the differences of a run; where they step back another run begins. There are only so
//! many runs of a job, as a merge holds a part of each.

use crate::aligned_rows::{AlignedRows, as_stored, filtered};
use crate::differences::{DifferenceWriter, RowKey, row_key};
use crate::job::Job;
use crate::pairs::{Cells, Chunk};
use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, UInt32Array, new_null_array};
use arrow_buffer::BooleanBuffer;
use arrow_select::concat::concat;
use arrow_select::take::take_arrays;
use shadowdiff_common::run::RunWriter;
use shadowdiff_common::spool::Spool;
use shadowdiff_core::error::{Error, Result};
use shadowdiff_core::profile::Work;
use shadowdiff_core::side::{Side, Sides};
use shadowdiff_core::tally::Tally;
use std::collections::{BTreeSet, VecDeque};

/// Of a batch with fewer rows that differ than one in so many, these are copied: a batch that waits holds all of its rows.
const FEW: usize = 4;
/// So many parts of a task's memory are for rows that wait.
const SHARES: usize = 16;
/// What may wait, however much memory there is.
const MOST_BYTES: usize = 32 << 20;

/// A batch some rows of which wait for their partners.
struct Waiting {
    columns: Vec<ArrayRef>,
    /// The rows that wait.
    differs: BooleanBuffer,
    rows: usize,
    /// About what all of its rows take when they are laid out.
    bytes: usize,
}

/// Pairs that differ, on their way into sorted runs of differences.
pub(crate) struct DifferingPairs<'a> {
    job: &'a Job,
    waiting: Sides<VecDeque<Waiting>>,
    /// The columns in which pairs have differed. The others are equal in all that wait, and nobody looks at them.
    columns: BTreeSet<usize>,
    run: Option<RunWriter>,
    last_key: Vec<u8>,
    written: Written,
    most_runs: usize,
    /// About how many bytes of a side may wait.
    most_bytes: usize,
    /// Whether a key has come twice: the rows are scanned again, and nothing that is written counts.
    is_void: bool,
}

/// What pairs that differ have come to.
#[derive(Default)]
pub(crate) struct Written {
    pub(crate) runs: Vec<Spool>,
    pub(crate) tally: Tally,
}

impl<'a> DifferingPairs<'a> {
    pub(crate) fn new(job: &'a Job) -> Self {
        let (aligned, limits) = (&job.plan.aligned, &job.resources.limits);
        DifferingPairs {
            job,
            waiting: Sides::default(),
            columns: match job.compiled.reads_whole_rows(&job.plan) {
                true => (0..aligned.columns.len()).collect(),
                false => aligned.key.iter().chain(job.compiled.row_hasher.tolerant()).copied().collect(),
            },
            run: None,
            last_key: Vec::new(),
            written: Written::default(),
            most_runs: limits.runs_in_place.min(limits.job_runs_in_place / job.plan.scans.len().max(1)),
            most_bytes: (job.resources.memory.task_bytes / SHARES).min(MOST_BYTES),
            is_void: false,
        }
    }

    /// Whether more pairs may come.
    pub(crate) fn has_room(&self) -> bool {
        self.written.runs.len() < self.most_runs
    }

    /// Columns in which pairs differ whose rows are pushed later.
    pub(crate) fn add_columns(&mut self, columns: &[usize]) {
        self.columns.extend(columns);
    }

    /// Rows of a side that differ from their partners, which come from the other side in the same order.
    pub(crate) fn push(&mut self, side: Side, batch: AlignedRows, differs: BooleanBuffer) -> Result<()> {
        let rows = differs.count_set_bits();
        let (batch, differs) = match rows * FEW < differs.len() {
            true => (batch.only(&differs)?, BooleanBuffer::new_set(rows)),
            false => (batch, differs),
        };
        self.waiting[side].push_back(Waiting {
            bytes: batch.columns.iter().map(laid_out_bytes).sum(),
            columns: batch.columns,
            differs,
            rows,
        });
        let chunk_rows = self.job.resources.limits.chunk_rows;
        while self.pairs() >= chunk_rows || (self.pairs() > 0 && self.are_too_many()) {
            self.write(chunk_rows.min(self.pairs()))?;
        }
        Ok(())
    }

    fn are_too_many(&self) -> bool {
        let bytes = |side: Side| self.waiting[side].iter().map(|waiting| waiting.bytes).sum::<usize>();
        Side::BOTH.into_iter().any(|side| bytes(side) > self.most_bytes)
    }

    /// Pairs of which both rows are here.
    fn pairs(&self) -> usize {
        let rows = |side: Side| self.waiting[side].iter().map(|waiting| waiting.rows).sum::<usize>();
        rows(Side::Live).min(rows(Side::Shadow))
    }

    pub(crate) fn finish(mut self) -> Result<Written> {
        match self.pairs() {
            0 => {}
            pairs => self.write(pairs)?,
        }
        if Side::BOTH.iter().any(|side| !self.waiting[*side].is_empty()) {
            return Err(Error::internal("a row that differs from its partner is left without it"));
        }
        self.end_run()?;
        Ok(self.written)
    }

    /// Compares the next pairs, and writes the differences of those that differ beyond what their comparators allow.
    fn write(&mut self, pairs: usize) -> Result<()> {
        self.job.watch.check()?;
        let job = self.job;
        let chunk = Chunk::of_pairs(job, Sides::try_from_fn(|side| self.take(side, pairs))?, pairs)?;
        let cells = chunk.compare(&job.compiled.columns)?;
        let differs = cells.rows(pairs);
        self.written.tally.add_tolerance_use(&cells.tolerance_use);
        self.written.tally.within_tolerance += (pairs - differs.count_set_bits()) as u64;
        let mut keys: Vec<(RowKey, u32)> = differs
            .set_indices()
            .map(|row| (row_key(&job.plan.aligned, &chunk, row), row as u32))
            .collect();
        let in_order = keys.is_sorted();
        keys.sort_unstable();
        let (keys, rows): (Vec<RowKey>, Vec<u32>) = keys.into_iter().unzip();
        self.is_void |= keys.windows(2).any(|pair| pair[0] == pair[1]);
        if keys.is_empty() || self.is_void {
            return Ok(());
        }
        if in_order && keys.len() == pairs {
            return self.append(&chunk, &cells, &keys);
        }
        let rows = UInt32Array::from(rows);
        let taken = |side: Side| take_arrays(&chunk.arrays[side], &rows, None).map_err(|e| Error::internal(format!("take: {e}")));
        let chunk = Chunk::of_pairs(job, Sides::try_from_fn(taken)?, keys.len())?;
        let cells = chunk.compare(&job.compiled.columns)?;
        self.append(&chunk, &cells, &keys)
    }

    /// Appends pairs that all differ, in the order of their keys.
    fn append(&mut self, chunk: &Chunk, cells: &Cells, keys: &[RowKey]) -> Result<()> {
        let job = self.job;
        let _spent = job.meter.enter_work(Work::Write);
        let (Some(first), Some(last)) = (keys.first(), keys.last()) else {
            return Ok(());
        };
        if first.0 <= self.last_key {
            self.end_run()?;
        }
        self.last_key.clone_from(&last.0);
        let limits = &job.resources.limits;
        let run = self
            .run
            .get_or_insert_with(|| RunWriter::new(&job.resources.scratch, limits.run_part_bytes));
        let mut differences = DifferenceWriter {
            job,
            run,
            lonely: &mut |_, _| Err(Error::internal("a pair of rows lacks one of them")),
            tally: &mut self.written.tally,
        };
        differences.write(chunk, cells, keys)
    }

    fn end_run(&mut self) -> Result<()> {
        let run = self.run.take().map(RunWriter::finish).transpose()?;
        self.written.runs.extend(run);
        Ok(())
    }

    /// So many rows of a side, in the form in which the sides are compared; of columns that are equal in all of them, NULLs.
    fn take(&mut self, side: Side, mut rows: usize) -> Result<Vec<ArrayRef>> {
        let fields = self.job.compiled.schemas[side].fields();
        let all = rows;
        let mut parts: Vec<Vec<ArrayRef>> = vec![Vec::new(); self.job.plan.aligned.columns.len()];
        while rows > 0 {
            let front = self.waiting[side].pop_front_if(|front| front.rows <= rows);
            let taken = match (front, self.waiting[side].front_mut()) {
                (Some(whole), _) => whole,
                (None, Some(front)) => front.split(rows),
                (None, None) => return Err(Error::internal("fewer rows differ than were counted")),
            };
            rows -= taken.rows;
            let wanted: Vec<&ArrayRef> = self.columns.iter().map(|at| &taken.columns[*at]).collect();
            let chosen = match taken.rows == taken.differs.len() {
                true => wanted.into_iter().cloned().collect(),
                false => filtered(wanted, &taken.differs)?,
            };
            for (at, array) in self.columns.iter().zip(chosen) {
                parts[*at].push(as_stored(self.job, side, *at, array)?);
            }
        }
        let joined = parts.into_iter().zip(fields).map(|(parts, field)| match &parts[..] {
            [] => Ok(new_null_array(field.data_type(), all)),
            [one] => Ok(one.clone()),
            _ => concat(&parts.iter().map(|part| part.as_ref()).collect::<Vec<_>>()),
        });
        joined
            .collect::<Result<_, _>>()
            .map_err(|e| Error::internal(format!("pairs that differ: {e}")))
    }
}

impl Waiting {
    /// Takes away the first rows that wait, so many of them.
    fn split(&mut self, rows: usize) -> Waiting {
        let end = self.differs.set_indices().nth(rows).unwrap_or(self.differs.len());
        let taken = Waiting {
            columns: self.columns.iter().map(|array| array.slice(0, end)).collect(),
            differs: self.differs.slice(0, end),
            rows,
            bytes: self.bytes * end / self.differs.len().max(1),
        };
        self.columns = self.columns.iter().map(|array| array.slice(end, array.len() - end)).collect();
        self.differs = self.differs.slice(end, self.differs.len() - end);
        self.rows -= rows;
        self.bytes -= taken.bytes;
        taken
    }
}

/// About what an array takes, a dictionary's values a row each.
fn laid_out_bytes(array: &ArrayRef) -> usize {
    let bytes = |array: &dyn Array| array.to_data().get_slice_memory_size().unwrap_or(0);
    match array.as_any_dictionary_opt() {
        Some(dictionary) => dictionary.len() * (bytes(dictionary.values()) / dictionary.values().len().max(1)),
        None => bytes(array),
    }
}

#[cfg(test)]
mod tests {
    use crate::compare::compare;
    use crate::in_part::Part;
    use crate::limits::TaskLimits;
    use crate::scan::scan;
    use crate::testing::Setup;
    use shadowdiff_common::run::RunReader;
    use shadowdiff_common::spool::Spool;
    use shadowdiff_core::plan::Form;
    use shadowdiff_core::tally::Tally;
    use std::sync::Arc;

    const SPEC: &str = "schema: {v: double}\ncomparators:\n- {columns: [v], absolute: 1}\n- {columns: [t], text: {trim: true}}\n";
    const WITH_SQL: &str = "expected:\n- {name: r, accounts: {where: \"t = 'x'\"}, columns: [v], where: \"live > 2\"}\n";

    fn records(runs: &[Spool]) -> Vec<Vec<u8>> {
        let mut records = Vec::new();
        for run in runs {
            let mut reader = RunReader::new(run);
            while reader.advance().expect("a record") {
                records.push(reader.record().expect("a record").to_vec());
            }
        }
        records
    }

    /// All differences, in their order within each run; the tally; how many runs end in place, and how many pairs.
    fn found(spec: &str, csv: [&str; 2], chunk_rows: usize, runs_in_place: usize) -> (Vec<Vec<u8>>, Tally, usize, u64) {
        let limits = TaskLimits {
            max_batch_rows: 3,
            step_rows: 2,
            chunk_rows,
            runs_in_place,
            ..TaskLimits::PRODUCT
        };
        let small = Setup {
            spec,
            live: csv[0],
            shadow: csv[1],
            limits,
            ..Setup::default()
        }
        .job();
        let scanned = scan(&small.job, &small.job.plan.scans[0], Form::Rows, 0).expect("a scan");
        let in_place = (scanned.runs.len(), scanned.tally.changed);
        let exchanged = [Arc::new(scanned.exchange.expect("rows are exchanged"))];
        let compared = compare(&small.job, &[0], &exchanged, &Part::whole(&small.job), 0).expect("a comparison");
        let mut tally = scanned.tally;
        tally.merge(&compared.tally);
        let records = [records(&scanned.runs), records(&compared.runs)].concat();
        (records, tally, in_place.0, in_place.1)
    }

    #[test]
    fn what_is_written_in_place_is_what_the_exchange_would_come_to() {
        let live = "id,v,t\na,1,x\nb,2,x\nc,3,y\nd,4,x\ne,5,x\ng,7,x\nh,8,x\n";
        let shadow = "id,v,t\na,1,z\nb,5,x\nc,3, y \nd,9,w\nf,5,x\ng,7.5,x\nh,,u\n";
        for spec in [SPEC.to_owned(), SPEC.to_owned() + WITH_SQL] {
            let (mut by_exchange, tally, runs, _) = found(&spec, [live, shadow], 4096, 0);
            by_exchange.sort();
            assert_eq!((runs, tally.changed, tally.within_tolerance), (0, 4, 2));
            for chunk_rows in [1, 2, 3, 4096] {
                let (mut in_place, same_tally, runs, changed) = found(&spec, [live, shadow], chunk_rows, 64);
                assert_eq!((runs, changed), (1, 4), "chunks of {chunk_rows}");
                in_place.sort();
                assert_eq!((&in_place, &same_tally), (&by_exchange, &tally), "chunks of {chunk_rows}");
            }
        }
    }

    #[test]
    fn another_run_begins_where_keys_step_back() {
        let ids = ["j", "k", "l", "g", "h", "i", "d", "e", "f", "a", "b", "c"];
        let csv = |v: i32| ids.iter().fold("id,v,t\n".to_owned(), |text, id| text + &format!("{id},{v},x\n"));
        let (live, shadow) = (csv(1), csv(9));
        for chunk_rows in [1, 2, 4, 12] {
            let (records, tally, runs, changed) = found(SPEC, [&live, &shadow], chunk_rows, 64);
            assert_eq!((records.len(), tally.changed, changed), (12, 12, 12));
            assert!(
                (1..=6).contains(&runs) && (chunk_rows < 12 || runs == 1),
                "chunks of {chunk_rows}: {runs} runs"
            );
        }
        let (records, _, runs, changed) = found(SPEC, [&live, &shadow], 1, 1);
        assert_eq!((records.len(), runs, changed), (12, 2, 6), "the rest is exchanged");
    }
}
