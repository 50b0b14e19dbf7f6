//! Reads the first rows of a side: one number a cell, so that a wide table fits the memory.
//!
//! Equal cells have equal numbers; 64 bits make two different ones of a sample alike less than once in a billion looks.

use super::schema::Shared;
use arrow_array::{Array, ArrayRef};
use shadowdiff_common::read::{DataFile, Dataset, Raw, Sources, read_column};
use shadowdiff_common::rows::stored_rows;
use shadowdiff_core::error::{Error, Result};
use shadowdiff_core::plan::ReadColumn;
use shadowdiff_core::row::{Form, Hasher, Secret};
use shadowdiff_core::side::Side;
use shadowdiff_core::spec::CsvOptions;
use shadowdiff_core::value::{Value, convert, print, value_at};
use shadowdiff_worker::member;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// So many rows a side are looked at, fewer where there are many columns.
const MAX_ROWS: usize = 200_000;
/// What bounds the memory where columns are many.
const MAX_CELLS: usize = 16_000_000;
/// So many files a side are looked at, spread over all of them, and of each of them so many rows at least.
const MAX_FILES: usize = 32;
const LEAST_ROWS_A_FILE: usize = 1_000;

/// The rows of one side that were looked at.
#[derive(Debug, Clone, Default)]
pub(super) struct Sample {
    pub(super) rows: usize,
    /// Whether these are all rows of the side.
    pub(super) is_whole: bool,
    /// In the order of the shared columns.
    pub(super) columns: Vec<SampledColumn>,
}

#[derive(Debug, Clone, Default)]
pub(super) struct SampledColumn {
    /// A row each: the ticks of an instant, the hash of any other value.
    pub(super) cells: Vec<u64>,
    pub(super) nulls: usize,
    /// The first value that is not NULL.
    pub(super) example: String,
}

/// The number of an instant that is NULL.
pub(super) const NULL_INSTANT: u64 = i64::MIN as u64;

/// Blocks while it reads.
pub(super) fn sample(side: Side, dataset: &Dataset, csv: &CsvOptions, shared: &[Shared], sources: &Sources) -> Result<Sample> {
    let limit = MAX_ROWS.min(MAX_CELLS / shared.len().max(1)).max(1);
    let files = spread(dataset.files.len(), MAX_FILES);
    let mut sampling = Sampling {
        side,
        dataset,
        csv,
        shared,
        first: first_of_column(side, shared),
        sources,
        sample: Sample::default(),
    };
    sampling.sample.columns = vec![SampledColumn::default(); shared.len()];
    sampling.sample.is_whole = files.len() == dataset.files.len();
    for (at, file) in files.iter().enumerate() {
        let after = files.len() - at - 1;
        let kept_back = after * LEAST_ROWS_A_FILE.min(limit / files.len());
        let quota = (limit - sampling.sample.rows).saturating_sub(kept_back);
        let is_whole = sampling.file(&dataset.files[*file], quota)?;
        sampling.sample.is_whole &= is_whole;
    }
    Ok(sampling.sample)
}

/// At most `wanted` of `count` places, evenly spread, the first among them.
pub(crate) fn spread(count: usize, wanted: usize) -> Vec<usize> {
    let taken = count.min(wanted);
    (0..taken).map(|i| i * count / taken).collect()
}

/// A column is read once, whatever number of its members is looked at.
fn first_of_column(side: Side, shared: &[Shared]) -> Vec<usize> {
    let mut seen = BTreeSet::new();
    (0..shared.len()).filter(|at| seen.insert(&shared[*at].read[side].source)).collect()
}

struct Sampling<'a> {
    side: Side,
    dataset: &'a Dataset,
    csv: &'a CsvOptions,
    shared: &'a [Shared],
    /// For each column that is read, the first of those that are taken from it.
    first: Vec<usize>,
    sources: &'a Sources,
    sample: Sample,
}

impl Sampling<'_> {
    /// Reads up to `quota` rows; says whether these are all rows of the file.
    fn file(&mut self, file: &DataFile, quota: usize) -> Result<bool> {
        let mut left = quota;
        for raw in stored_rows(self.dataset, file, self.columns(), self.csv, self.sources)? {
            let mut raw = raw?;
            let rows = raw.batch.num_rows();
            if rows > left {
                raw.batch = raw.batch.slice(0, left);
            }
            self.rows(file, &raw, quota - left)?;
            if rows > left {
                return Ok(false);
            }
            left -= rows;
        }
        Ok(true)
    }

    fn columns(&self) -> impl Iterator<Item = &ReadColumn> {
        self.first.iter().map(|at| &self.shared[*at].read[self.side])
    }

    fn rows(&mut self, file: &DataFile, raw: &Raw, before: usize) -> Result<()> {
        let rows = raw.batch.num_rows();
        let mut read: BTreeMap<&str, ArrayRef> = BTreeMap::new();
        for column in self.columns() {
            read.insert(&column.source, read_column(column, false, raw, self.side, file, before as u64)?);
        }
        let stored = self.shared.iter().map(|shared| {
            let top = Arc::clone(&read[shared.read[self.side].source.as_str()]);
            convert(&member(top, &shared.path, rows), &shared.common.stored[self.side])
                .map_err(|bad| Error::input(bad.to_string()).column(&shared.name).side(self.side))
        });
        let stored: Vec<ArrayRef> = stored.collect::<Result<_>>()?;
        self.sample.rows += rows;
        for ((shared, sampled), array) in self.shared.iter().zip(&mut self.sample.columns).zip(&stored) {
            sampled.take(shared, array);
        }
        Ok(())
    }
}

impl SampledColumn {
    fn take(&mut self, shared: &Shared, array: &ArrayRef) {
        self.nulls += array.logical_null_count();
        if self.example.is_empty() {
            let first = (0..array.len())
                .map(|row| value_at(array.as_ref(), row))
                .find(|value| !value.is_null());
            first.iter().for_each(|value| print(value, &mut self.example));
        }
        if shared.is_instant() {
            self.cells.extend((0..array.len()).map(|row| ticks(&value_at(array.as_ref(), row))));
            return;
        }
        let is_plain = !shared.common.is_mixed() && !shared.common.shown.is_nested();
        let hasher = Hasher::new(Secret([0; 16]), [if is_plain { Form::Plain } else { Form::Canonical }]);
        self.cells
            .extend(hasher.hash(&[array], array.len()).into_iter().map(|hash| hash as u64));
    }
}

fn ticks(value: &Value<'_>) -> u64 {
    match value {
        Value::Date(days) => i64::from(*days) as u64,
        Value::Timestamp { ticks, .. } => *ticks as u64,
        _ => NULL_INSTANT,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_spread() {
        for (count, wanted, expected) in [(3, 32, vec![0, 1, 2]), (10, 4, vec![0, 2, 5, 7]), (0, 4, vec![])] {
            assert_eq!(spread(count, wanted), expected, "{count} {wanted}");
        }
    }
}
