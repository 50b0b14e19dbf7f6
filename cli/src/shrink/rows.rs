//! The rows of some keys, out of the data that a comparison has read.

use crate::laboratory::{Key, keys, side_columns};
use arrow_array::ArrayRef;
use futures::{StreamExt, TryStreamExt};
use shadowdiff_common::read::{Sources, read_column};
use shadowdiff_common::rows::{chosen, joined, stored_rows, write_parquet};
use shadowdiff_common::tasks::blocking;
use shadowdiff_coordinator::Bound;
use shadowdiff_core::error::{Error, Kind, Result};
use shadowdiff_core::side::{Side, Sides};
use shadowdiff_core::value::{Value, ValueType, array_of, value_at};
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use tokio::sync::watch;

/// Of a file, with the keys that are looked for.
const MAX_ROWS: usize = 20_000;

/// A column of the rows.
#[derive(Debug, Clone)]
pub(super) struct Column {
    pub(super) name: String,
    pub(super) value_type: ValueType,
    pub(super) array: ArrayRef,
}

/// Rows of a side, under the names of the comparison.
#[derive(Debug, Clone, Default)]
pub(super) struct Rows {
    pub(super) columns: Vec<Column>,
    pub(super) count: usize,
}

/// Of both sides.
pub(super) type Pair = Sides<Rows>;

impl Rows {
    pub(super) fn chosen(&self, rows: &[usize]) -> Result<Rows> {
        let arrays: Vec<ArrayRef> = self.columns.iter().map(|column| Arc::clone(&column.array)).collect();
        let columns = self.columns.iter().zip(chosen(&arrays, rows)?);
        Ok(Rows {
            columns: columns.map(|(column, array)| Column { array, ..column.clone() }).collect(),
            count: rows.len(),
        })
    }

    /// Of the columns only these.
    pub(super) fn only(&self, names: &BTreeSet<String>) -> Rows {
        let columns = self.columns.iter().filter(|column| names.contains(&column.name));
        Rows {
            columns: columns.cloned().collect(),
            count: self.count,
        }
    }

    pub(super) fn write(&self, path: &Path) -> Result<()> {
        let names: Vec<&str> = self.columns.iter().map(|column| column.name.as_str()).collect();
        let arrays: Vec<ArrayRef> = self.columns.iter().map(|column| Arc::clone(&column.array)).collect();
        write_parquet(path, &names, &arrays)
    }

    /// Columns whose files store several types get one that holds these rows.
    pub(super) fn in_one_type(mut self) -> Result<Rows> {
        for column in &mut self.columns {
            let ValueType::Mixed(inside) = &column.value_type else { continue };
            let values: Vec<Value<'_>> = (0..self.count).map(|row| value_at(column.array.as_ref(), row)).collect();
            let unsigned = ValueType::Int { bits: 64, signed: false };
            let fitting = [ValueType::INT64, unsigned, ValueType::DOUBLE, inside.as_ref().clone()];
            let made = fitting.into_iter().find_map(|of| array_of(&values, &of).map(|array| (of, array)));
            let none = || Error::input("holds values of several stored types in these rows, which one column of Parquet does not");
            let (value_type, array) = made.ok_or_else(|| none().column(&column.name))?;
            (column.value_type, column.array) = (value_type, array);
        }
        Ok(self)
    }
}

/// Rows of a side with one of the keys, each with its key.
pub(super) async fn read(
    bound: &Arc<Bound>,
    side: Side,
    wanted: &Arc<BTreeSet<Key>>,
    (sources, threads): (&Sources, usize),
    interrupted: &watch::Receiver<bool>,
) -> Result<(Rows, Vec<Key>)> {
    let one = |file: usize| {
        let reader = Reader {
            bound: Arc::clone(bound),
            side,
            file,
            wanted: Arc::clone(wanted),
            interrupted: interrupted.clone(),
        };
        let sources = sources.clone();
        blocking("the reading of rows", move || reader.read(&sources))
    };
    let files = futures::stream::iter(0..bound.datasets[side].files.len()).map(one);
    let found: Vec<(Vec<ArrayRef>, Vec<Key>)> = files.buffered(threads.max(1)).try_collect().await?;
    let (mut arrays, mut all_keys): (Vec<ArrayRef>, Vec<Key>) = Default::default();
    for (of_file, keys) in found {
        arrays = joined(&arrays, &of_file)?;
        all_keys.extend(keys);
    }
    let read = &bound.plan.sides[side].read;
    // No row of the side has one of the keys.
    if arrays.is_empty() {
        let empty = read.iter().map(|column| arrow_array::new_empty_array(&column.value_type.storage()));
        arrays = empty.collect();
    }
    let columns = read.iter().zip(arrays).map(|(column, array)| Column {
        name: column.name.clone(),
        value_type: column.value_type.clone(),
        array,
    });
    let rows = Rows {
        columns: columns.collect(),
        count: all_keys.len(),
    };
    Ok((rows, all_keys))
}

/// Of one file.
struct Reader {
    bound: Arc<Bound>,
    side: Side,
    file: usize,
    wanted: Arc<BTreeSet<Key>>,
    interrupted: watch::Receiver<bool>,
}

impl Reader {
    /// Blocks while it reads.
    fn read(&self, sources: &Sources) -> Result<(Vec<ArrayRef>, Vec<Key>)> {
        let (dataset, read) = (&self.bound.datasets[self.side], &self.bound.plan.sides[self.side].read);
        let file = &dataset.files[self.file];
        let csv = &self.bound.plan.spec.sides[self.side].csv;
        let (mut arrays, mut all_keys, mut before) = (Vec::new(), Vec::new(), 0);
        for raw in stored_rows(dataset, file, read, csv, sources)? {
            if *self.interrupted.borrow() {
                return Err(Error::new(Kind::Interrupted, "interrupted"));
            }
            let raw = raw?;
            let rows = raw.batch.num_rows();
            let arrays_of_batch: Result<Vec<ArrayRef>> = read
                .iter()
                .map(|column| read_column(column, false, &raw, self.side, file, before))
                .collect();
            before += rows as u64;
            let (found, keys) = self.of_batch(arrays_of_batch?, rows)?;
            arrays = joined(&arrays, &found)?;
            all_keys.extend(keys);
            if all_keys.len() > MAX_ROWS {
                let many = format!("has more than {MAX_ROWS} rows with the keys of the first rows of the pattern");
                return Err(Error::exhausted(many).file(&file.name).side(self.side));
            }
        }
        Ok((arrays, all_keys))
    }

    fn of_batch(&self, arrays: Vec<ArrayRef>, rows: usize) -> Result<(Vec<ArrayRef>, Vec<Key>)> {
        let read = &self.bound.plan.sides[self.side].read;
        let array = |name: &str| arrays.get(read.iter().position(|column| column.name == name)?);
        let columns = side_columns(&self.bound, self.side, array, rows)?;
        let keys = keys(&self.bound.plan, self.side, &columns, rows)?;
        let hits: Vec<usize> = (0..rows).filter(|row| self.wanted.contains(&keys[*row])).collect();
        if hits.is_empty() {
            return Ok(Default::default());
        }
        Ok((chosen(&arrays, &hits)?, hits.iter().map(|row| keys[*row].clone()).collect()))
    }
}
