//! Few rows that are read as they are stored and held in memory: cells are replaced, rows chosen, and all is written as a file of Arrow IPC or Parquet, so that values stay what they are.

use crate::read::{DataFile, Dataset, RawBatches, Selection, Sources, WantedColumn, open_raw};
use crate::table::TableWriter;
use arrow_array::{ArrayRef, RecordBatch, StringArray, UInt32Array, new_null_array};
use arrow_ipc::writer::FileWriter;
use arrow_schema::{ArrowError, Field, Schema};
use arrow_select::{concat::concat, interleave::interleave, take::take};
use shadowdiff_core::error::{Error, Result};
use shadowdiff_core::plan::ReadColumn;
use shadowdiff_core::spec::CsvOptions;
use shadowdiff_core::value::{ValueType, equal, parse_into, value_at};
use std::fs::File;
use std::path::Path;
use std::sync::Arc;

/// Rows that are read at a time.
const BATCH_ROWS: usize = 8_192;

/// A new value of a cell.
#[derive(Debug, Clone)]
pub enum NewCell {
    Null,
    /// That of another row.
    OfRow(usize),
    /// The only value of an array of the column's type.
    Value(ArrayRef),
}

impl NewCell {
    /// The value that a text is in a type; `None` where it is none, or where it equals that of `row`.
    pub fn parsed(text: &str, value_type: &ValueType, column: &ArrayRef, row: usize) -> Option<NewCell> {
        let array = parse_into(&StringArray::from(vec![text]), value_type).ok()?;
        let is_new = !equal(&value_at(array.as_ref(), 0), &value_at(column.as_ref(), row));
        (is_new && array.data_type() == column.data_type()).then_some(NewCell::Value(array))
    }
}

fn failed(error: ArrowError) -> Error {
    Error::internal(format!("rows in memory: {error}"))
}

/// The column with some of its cells replaced.
pub fn replaced(column: &ArrayRef, cells: &[(usize, NewCell)]) -> Result<ArrayRef> {
    let null = new_null_array(column.data_type(), 1);
    let mut arrays = vec![column.as_ref(), null.as_ref()];
    let mut places: Vec<(usize, usize)> = (0..column.len()).map(|row| (0, row)).collect();
    for (row, cell) in cells {
        places[*row] = match cell {
            NewCell::Null => (1, 0),
            NewCell::OfRow(other) => (0, *other),
            NewCell::Value(array) => {
                arrays.push(array.as_ref());
                (arrays.len() - 1, 0)
            }
        };
    }
    interleave(&arrays, &places).map_err(failed)
}

/// Of each column these rows, in this order.
pub fn chosen(columns: &[ArrayRef], rows: &[usize]) -> Result<Vec<ArrayRef>> {
    let rows: UInt32Array = rows.iter().map(|row| *row as u32).collect();
    columns
        .iter()
        .map(|column| take(column.as_ref(), &rows, None).map_err(failed))
        .collect()
}

/// All rows of a file as they are stored, in these columns, a batch after the other.
pub fn stored_rows<'c>(
    dataset: &Dataset,
    file: &DataFile,
    columns: impl IntoIterator<Item = &'c ReadColumn>,
    csv: &CsvOptions,
    sources: &Sources,
) -> Result<RawBatches> {
    let wanted = columns.into_iter().map(|column| WantedColumn {
        name: column.source.clone(),
        value_type: column.value_type.clone(),
        may_be_compact: false,
    });
    let wanted: Vec<WantedColumn> = wanted.collect();
    open_raw(dataset.format, file, &Selection::All, &wanted, csv, BATCH_ROWS, sources)
}

/// The rows of both, one after the other; of no columns those of the others.
pub fn joined(first: &[ArrayRef], second: &[ArrayRef]) -> Result<Vec<ArrayRef>> {
    if first.is_empty() || second.is_empty() {
        return Ok([first, second].concat());
    }
    let pairs = first.iter().zip(second);
    pairs.map(|(a, b)| concat(&[a.as_ref(), b.as_ref()]).map_err(failed)).collect()
}

fn batch(names: &[&str], columns: &[ArrayRef]) -> Result<RecordBatch> {
    let fields = names
        .iter()
        .zip(columns)
        .map(|(name, column)| Field::new(*name, column.data_type().clone(), true));
    let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
    RecordBatch::try_new(schema, columns.to_vec()).map_err(failed)
}

/// Writes the rows under these names.
pub fn write_ipc(path: &Path, names: &[&str], columns: &[ArrayRef]) -> Result<()> {
    let full = |e: &dyn std::fmt::Display| Error::exhausted(e.to_string()).file(path.display());
    let batch = batch(names, columns)?;
    let mut writer = FileWriter::try_new(File::create(path).map_err(|e| full(&e))?, &batch.schema()).map_err(|e| full(&e))?;
    writer.write(&batch).and_then(|()| writer.finish()).map_err(|e| full(&e))
}

/// The same as Parquet.
pub fn write_parquet(path: &Path, names: &[&str], columns: &[ArrayRef]) -> Result<()> {
    let file = File::create(path).map_err(|e| Error::exhausted(e.to_string()).file(path.display()))?;
    let batch = batch(names, columns)?;
    let mut writer = TableWriter::new(file, batch.schema())?;
    writer.write(batch)?;
    writer.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow_array::Int64Array;

    #[test]
    fn cells_are_replaced_and_rows_chosen() {
        let column: ArrayRef = Arc::new(Int64Array::from(vec![1, 2, 3, 4]));
        let nine = NewCell::parsed("9", &ValueType::INT64, &column, 0).expect("a number");
        let changed = replaced(&column, &[(0, nine), (1, NewCell::Null), (3, NewCell::OfRow(2))]).expect("it fits");
        assert_eq!(changed.as_ref(), &Int64Array::from(vec![Some(9), None, Some(3), Some(3)]));
        let rows = chosen(&[changed], &[3, 0]).expect("they are there");
        let both = joined(&rows, &rows).expect("of one type");
        assert_eq!(both[0].as_ref(), &Int64Array::from(vec![3, 9, 3, 9]));
        assert!(NewCell::parsed("1", &ValueType::INT64, &column, 0).is_none(), "the same value");
        assert!(NewCell::parsed("x", &ValueType::INT64, &column, 0).is_none(), "not a number");
    }
}
