//! Batches that go through the exchange: which column is what, as the schemas of the compiled plan have them.
//!
//! ```text
//! rows        the aligned columns, those that only SQL reads, the fingerprint
//! in part     the aligned columns, NULL where they were not read, the number of the scan task, that of the row there, the fingerprint
//! numbered    the row's number in its scan task, the fingerprint
//! tolerant    the row's number, its values with a tolerance, 64 bits of the key's fingerprint, the fingerprint of all other columns
//! ```
//! Numbers of rows and values are as narrow as the task and their types allow: there are many of them.

use arrow_array::cast::AsArray;
use arrow_array::types::{UInt32Type, UInt64Type};
use arrow_array::{ArrayRef, FixedSizeBinaryArray, RecordBatch, UInt32Array, UInt64Array};
use arrow_buffer::Buffer;
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use shadowdiff_common::compiled::fingerprint_field;
use shadowdiff_common::exchange::SelectedRows;
use shadowdiff_core::error::{Error, Result};
use shadowdiff_core::plan::Plan;
use shadowdiff_core::side::Side;
use shadowdiff_core::value::fixed_form;
use std::sync::Arc;

/// A batch of rows, its columns by their meaning.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ExchangedRows<'a> {
    batch: &'a RecordBatch,
    plan: &'a Plan,
}

impl<'a> ExchangedRows<'a> {
    pub(crate) fn new(batch: &'a RecordBatch, plan: &'a Plan) -> Self {
        ExchangedRows { batch, plan }
    }

    /// The columns of the key.
    pub(crate) fn key(self) -> Vec<&'a ArrayRef> {
        self.plan.aligned.key.iter().map(|column| self.batch.column(*column)).collect()
    }

    /// The columns of the account.
    pub(crate) fn account(self) -> Vec<&'a ArrayRef> {
        self.plan
            .aligned
            .account()
            .iter()
            .map(|column| self.batch.column(*column))
            .collect()
    }

    /// The columns that only SQL reads.
    pub(crate) fn carried(self) -> &'a [ArrayRef] {
        &self.readable()[self.plan.aligned.columns.len()..]
    }

    /// The columns that SQL over a row sees: all but the fingerprint.
    pub(crate) fn readable(self) -> &'a [ArrayRef] {
        &self.batch.columns()[..self.batch.num_columns() - 1]
    }
}

/// Rows of a schema of the compiled plan: `columns` are the aligned ones, then the carried ones.
pub(crate) fn rows(schema: &SchemaRef, mut columns: Vec<ArrayRef>, fingerprints: &[u128]) -> Result<RecordBatch> {
    columns.push(as_binary(fingerprints));
    RecordBatch::try_new(Arc::clone(schema), columns).map_err(|e| Error::internal(format!("rows of the exchange: {e}")))
}

/// The schema of rows that are read in part; `rows`: that of whole ones.
pub(crate) fn part_schema(rows: &SchemaRef) -> SchemaRef {
    let mut fields: Vec<Arc<Field>> = rows.fields().iter().cloned().collect();
    let place = [Field::new("scan", DataType::UInt32, false), number_field(&DataType::UInt64)];
    fields.splice(fields.len() - 1..fields.len() - 1, place.map(Arc::new));
    Arc::new(Schema::new(fields))
}

/// Rows that are read in part: the aligned columns, the number of their scan task, and each one's number there with its fingerprint.
pub(crate) fn rows_in_part(schema: &SchemaRef, mut columns: Vec<ArrayRef>, scan: u32, places: &[(u64, u128)]) -> Result<RecordBatch> {
    columns.push(Arc::new(UInt32Array::from_value(scan, places.len())));
    columns.push(Arc::new(places.iter().map(|place| place.0).collect::<UInt64Array>()));
    rows(schema, columns, &places.iter().map(|place| place.1).collect::<Vec<_>>())
}

/// Of rows that are read in part, the scan task and the number there of the one at this place.
pub(crate) fn place_at(batch: &RecordBatch, row: usize) -> (u32, u64) {
    let (scans, numbers) = (batch.column(batch.num_columns() - 3), batch.column(batch.num_columns() - 2));
    (
        scans.as_primitive::<UInt32Type>().value(row),
        numbers.as_primitive::<UInt64Type>().value(row),
    )
}

/// What a row comes to where fingerprints are exchanged.
pub(crate) fn numbered_schema() -> SchemaRef {
    numbered_as(&DataType::UInt64)
}

/// The same with numbers in one of their two forms.
pub(crate) fn numbered_as(numbers: &DataType) -> SchemaRef {
    Arc::new(Schema::new(vec![number_field(numbers), fingerprint_field()]))
}

fn number_field(numbers: &DataType) -> Field {
    Field::new("row", numbers.clone(), false)
}

/// Numbers of rows in one of their two forms.
pub(crate) fn numbers_as(numbers: Vec<u64>, form: &DataType) -> ArrayRef {
    match form {
        DataType::UInt32 => Arc::new(numbers.into_iter().map(|number| number as u32).collect::<UInt32Array>()),
        _ => Arc::new(UInt64Array::from(numbers)),
    }
}

fn number(array: &ArrayRef, row: usize) -> u64 {
    match array.data_type() {
        DataType::UInt32 => array.as_primitive::<UInt32Type>().value(row).into(),
        _ => array.as_primitive::<UInt64Type>().value(row),
    }
}

/// What a row of a side comes to where columns have a tolerance.
/// `columns`: those with a tolerance.
pub(crate) fn tolerant_schema(plan: &Plan, columns: &[usize], side: Side, numbers: &DataType) -> SchemaRef {
    let form = |at: usize| fixed_form(&plan.aligned.columns[at].stored[side]);
    let values = columns.iter().map(|at| Field::new(at.to_string(), form(*at), true));
    let key = Field::new("key", DataType::UInt64, false);
    Arc::new(Schema::new(
        [number_field(numbers)]
            .into_iter()
            .chain(values)
            .chain([key, fingerprint_field()])
            .collect::<Vec<_>>(),
    ))
}

/// Rows of a [`tolerant_schema`], its columns by their meaning.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TolerantRows<'a>(pub(crate) &'a RecordBatch);

impl<'a> TolerantRows<'a> {
    pub(crate) fn values(self) -> &'a [ArrayRef] {
        &self.0.columns()[1..self.0.num_columns() - 2]
    }

    pub(crate) fn keys(self) -> &'a [u64] {
        self.0.column(self.0.num_columns() - 2).as_primitive::<UInt64Type>().values()
    }
}

/// Rows by their numbers and their fingerprints.
pub(crate) fn numbered(numbers: Vec<u64>, fingerprints: &[u128]) -> Result<RecordBatch> {
    let columns: Vec<ArrayRef> = vec![Arc::new(UInt64Array::from(numbers)), as_binary(fingerprints)];
    RecordBatch::try_new(numbered_schema(), columns).map_err(|e| Error::internal(format!("fingerprints of the exchange: {e}")))
}

/// The numbers and fingerprints of numbered rows.
pub(crate) fn numbers(rows: &SelectedRows) -> impl Iterator<Item = (u64, u128)> + '_ {
    let numbers = rows.batch().column(0);
    rows.rows().map(|row| number(numbers, row as usize)).zip(fingerprints(rows))
}

/// The number of the row at a place among the selected ones, of whatever schema that has numbers.
pub(crate) fn number_at(rows: &SelectedRows, place: usize) -> u64 {
    number(rows.batch().column(0), rows.row(place))
}

/// The fingerprints of rows, numbered or not.
pub(crate) fn fingerprints(rows: &SelectedRows) -> impl Iterator<Item = u128> + '_ {
    let bytes = fingerprint_column(rows.batch());
    rows.rows().map(|row| fingerprint(bytes, row as usize))
}

/// The fingerprint of a row of a batch.
pub(crate) fn fingerprint_at(batch: &RecordBatch, row: usize) -> u128 {
    fingerprint(fingerprint_column(batch), row)
}

/// The fingerprints of all rows of a batch.
pub(crate) fn fingerprints_of(batch: &RecordBatch) -> impl Iterator<Item = u128> + '_ {
    let bytes = fingerprint_column(batch);
    (0..batch.num_rows()).map(|row| fingerprint(bytes, row))
}

fn fingerprint_column(batch: &RecordBatch) -> &FixedSizeBinaryArray {
    batch.column(batch.num_columns() - 1).as_fixed_size_binary()
}

fn fingerprint(bytes: &FixedSizeBinaryArray, row: usize) -> u128 {
    u128::from_be_bytes(bytes.value(row).try_into().expect("a fingerprint has 16 bytes"))
}

/// Fingerprints as they travel: 16 bytes, big-endian.
pub(crate) fn as_binary(fingerprints: &[u128]) -> ArrayRef {
    let mut bytes = vec![0; 16 * fingerprints.len()];
    let (places, _) = bytes.as_chunks_mut::<16>();
    places
        .iter_mut()
        .zip(fingerprints)
        .for_each(|(place, fingerprint)| *place = fingerprint.to_be_bytes());
    Arc::new(FixedSizeBinaryArray::new(16, Buffer::from_vec(bytes), None))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbered_rows_come_back_whatever_is_selected_of_them() {
        let prints = [7, u128::MAX, 1 << 96, 0];
        let batch = numbered(vec![3, 5, 6, 9], &prints).expect("as many numbers as fingerprints");
        let all: Vec<(u64, u128)> = numbers(&SelectedRows::all(batch.clone())).collect();
        assert_eq!(all, [(3, 7), (5, u128::MAX), (6, 1 << 96), (9, 0)]);
        assert_eq!(fingerprints_of(&batch).collect::<Vec<_>>(), prints);
    }
}
