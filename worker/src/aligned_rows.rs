//! Rows on their way through a scan: aligned as they are read, then with their fingerprints, then in the form in which they cancel and travel.

use crate::exchanged;
use crate::job::Job;
use arrow_array::{Array, ArrayRef, BooleanArray, RecordBatch};
use arrow_buffer::{BooleanBuffer, BooleanBufferBuilder};
use arrow_select::filter::filter;
use shadowdiff_common::compiled::RowFingerprints;
use shadowdiff_core::error::{Error, Result};
use shadowdiff_core::profile::Work;
use shadowdiff_core::side::Side;
use shadowdiff_core::value::{convert, is_compact_form};
use std::cell::OnceCell;
use std::sync::Arc;

/// Rows in the form in which they cancel and travel.
#[derive(Debug)]
pub(crate) struct Rows {
    /// The exchange schema of the side.
    pub(crate) batch: RecordBatch,
    pub(crate) fingerprints: Vec<u128>,
}

/// Rows as they are read: their columns, and which they are.
#[derive(Debug, Clone)]
pub(crate) struct AlignedRows {
    /// The aligned columns, then those that only SQL reads.
    pub(crate) columns: Vec<ArrayRef>,
    pub(crate) numbers: RowNumbers,
    /// Whether their keys have been seen, with those of rows that are done with.
    pub(crate) has_seen_keys: bool,
    /// Whether some columns were not read, and hold NULLs here that mean nothing.
    pub(crate) is_thin: bool,
}

impl AlignedRows {
    pub(crate) fn rows(&self) -> usize {
        self.columns.first().map_or(0, |column| column.len())
    }

    /// Some of the columns, by their numbers.
    pub(crate) fn some(&self, numbers: &[usize]) -> Vec<&ArrayRef> {
        numbers.iter().map(|at| &self.columns[*at]).collect()
    }

    /// Some of the rows.
    pub(crate) fn only(self, rows: &BooleanBuffer) -> Result<AlignedRows> {
        if rows.count_set_bits() == rows.len() {
            return Ok(self);
        }
        Ok(AlignedRows {
            numbers: self.numbers.only(rows),
            columns: filtered(&self.columns, rows)?,
            ..self
        })
    }

    /// The same with their fingerprints.
    pub(crate) fn hashed(self, job: &Job) -> Read {
        let _spent = job.meter.enter_work(Work::Hash);
        let rows = self.rows();
        let aligned = job.plan.aligned.columns.len();
        let RowFingerprints { whole, exact } = job.compiled.row_hasher.hash(&self.columns[..aligned], rows);
        Read {
            columns: self.columns,
            numbers: self.numbers,
            fingerprints: whole,
            exact,
            keys: OnceCell::new(),
        }
    }
}

/// Of each array, the rows that are set.
pub(crate) fn filtered<'a>(columns: impl IntoIterator<Item = &'a ArrayRef>, rows: &BooleanBuffer) -> Result<Vec<ArrayRef>> {
    let keep = BooleanArray::new(rows.clone(), None);
    let columns: Result<Vec<ArrayRef>, _> = columns.into_iter().map(|c| filter(c.as_ref(), &keep)).collect();
    columns.map_err(|e| Error::internal(format!("filter: {e}")))
}

/// Rows as they are read, with their fingerprints.
pub(crate) struct Read {
    /// The aligned columns, some of them in a compact form, then those that only SQL reads.
    pub(crate) columns: Vec<ArrayRef>,
    /// Their numbers among all rows of the task's side, counted before the filter; they do not fall.
    pub(crate) numbers: RowNumbers,
    pub(crate) fingerprints: Vec<u128>,
    /// The fingerprints of the columns without a tolerance, where some have one.
    pub(crate) exact: Option<Vec<u128>>,
    /// The fingerprints of their keys, once somebody has asked for them.
    pub(crate) keys: OnceCell<Vec<u128>>,
}

impl Read {
    pub(crate) fn rows(&self) -> usize {
        self.fingerprints.len()
    }

    /// The fingerprints of their keys.
    pub(crate) fn keys(&self, job: &Job) -> &[u128] {
        self.keys.get_or_init(|| {
            let key = job.plan.aligned.key.iter().map(|at| &self.columns[*at]).collect::<Vec<_>>();
            job.compiled.key_fingerprint.hash(&key, self.rows())
        })
    }

    /// The rows whole, as they are exchanged.
    pub(crate) fn whole(self, job: &Job, side: Side) -> Result<Rows> {
        let mut columns = self.columns;
        for (at, array) in columns.iter_mut().enumerate().take(job.plan.aligned.columns.len()) {
            *array = as_stored(job, side, at, Arc::clone(array))?;
        }
        Ok(Rows {
            batch: exchanged::rows(&job.compiled.schemas[side], columns, &self.fingerprints)?,
            fingerprints: self.fingerprints,
        })
    }
}

/// Values of an aligned column in the form in which they are exchanged.
pub(crate) fn as_stored(job: &Job, side: Side, column: usize, array: ArrayRef) -> Result<ArrayRef> {
    if !is_compact_form(array.data_type()) {
        return Ok(array);
    }
    let stored = &job.plan.aligned.columns[column].stored[side];
    convert(&array, stored).map_err(|bad| Error::internal(bad.to_string()))
}

/// Those bits of a key's fingerprint by which rows with tolerances meet.
pub(crate) fn key_bits(fingerprint: u128) -> u64 {
    fingerprint as u64
}

/// Numbers of rows that follow each other, but for those that a filter took out.
#[derive(Debug, Clone)]
pub(crate) struct RowNumbers {
    pub(crate) first: u64,
    pub(crate) kept: Option<BooleanBuffer>,
    pub(crate) rows: usize,
}

impl RowNumbers {
    pub(crate) fn to_vec(&self) -> Vec<u64> {
        match &self.kept {
            Some(kept) => kept.set_indices().map(|row| self.first + row as u64).collect(),
            None => (self.first..self.first + self.rows as u64).collect(),
        }
    }

    /// Those of some of the rows.
    fn only(self, rows: &BooleanBuffer) -> RowNumbers {
        let kept = match &self.kept {
            None => rows.clone(),
            Some(kept) => {
                let mut both = BooleanBufferBuilder::new(kept.len());
                both.append_n(kept.len(), false);
                let left = kept.set_indices().zip(rows).filter(|(_, left)| *left);
                left.for_each(|(row, _)| both.set_bit(row, true));
                both.finish()
            }
        };
        RowNumbers { kept: Some(kept), ..self }
    }
}
