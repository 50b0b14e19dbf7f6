//! One side of a scan: its splits, read, converted, derived, filtered, taken apart into the aligned columns.

use crate::job::Job;
use arrow_array::{Array, ArrayRef, BooleanArray, FixedSizeBinaryArray, RecordBatch, StructArray, new_null_array};
use arrow_buffer::{BooleanBuffer, Buffer, NullBuffer};
use arrow_select::filter::filter;
use shadowdiff_common::read::{self, Raw, Selection, read_column};
use shadowdiff_core::align::{Column, Role};
use shadowdiff_core::error::{Error, Result};
use shadowdiff_core::plan::Split;
use shadowdiff_core::side::Side;
use shadowdiff_core::value::{ValueType, convert};
use std::collections::VecDeque;
use std::sync::Arc;

/// Rows in the form in which they cancel and travel.
#[derive(Debug)]
pub(crate) struct Rows {
    /// The exchange schema of the side.
    pub(crate) batch: RecordBatch,
    pub(crate) fingerprints: Vec<u128>,
}

/// Reads one side of a scan task from the front.
pub(crate) struct SideReader<'a> {
    job: &'a Job,
    side: Side,
    splits: VecDeque<Split>,
    current: Option<(usize, read::RawBatches)>,
    /// Rows of the current split before the next batch, for messages.
    row: u64,
    pub(crate) read: u64,
    pub(crate) filtered: u64,
}

impl<'a> SideReader<'a> {
    pub(crate) fn new(job: &'a Job, side: Side, splits: &[Split]) -> Self {
        SideReader {
            job,
            side,
            splits: splits.iter().cloned().collect(),
            current: None,
            row: 0,
            read: 0,
            filtered: 0,
        }
    }

    /// The next rows that pass the filter; never empty.
    pub(crate) fn next(&mut self) -> Result<Option<Rows>> {
        loop {
            self.job.watch.check()?;
            let Some((file, batches)) = &mut self.current else {
                let Some(split) = self.splits.pop_front() else { return Ok(None) };
                self.current = Some((split.file, self.open(&split)?));
                self.row = 0;
                continue;
            };
            let file = *file;
            let Some(raw) = batches.next().transpose()? else {
                self.current = None;
                continue;
            };
            if let Some(rows) = self.prepare(file, raw)? {
                return Ok(Some(rows));
            }
        }
    }

    fn open(&self, split: &Split) -> Result<read::RawBatches> {
        let dataset = &self.job.datasets[self.side];
        let file = &dataset.files[split.file];
        let selection = match split.row_groups {
            Some((from, to)) => Selection::RowGroups((from..to).collect()),
            None => Selection::All,
        };
        let plan = &self.job.plan;
        let wanted: Vec<(String, ValueType)> = plan.sides[self.side]
            .read
            .iter()
            .map(|c| (c.source.clone(), c.value_type.clone()))
            .collect();
        let csv = &plan.spec.sides[self.side].csv;
        read::open_raw(
            dataset.format,
            file,
            &selection,
            &wanted,
            csv,
            self.job.batch_rows,
            &self.job.sources,
        )
    }

    fn prepare(&mut self, file: usize, raw: Raw) -> Result<Option<Rows>> {
        let rows = raw.batch.num_rows();
        let (job, side) = (self.job, self.side);
        let data_file = &job.datasets[side].files[file];
        let read_columns = &job.plan.sides[side].read;
        let read: Vec<ArrayRef> = read_columns
            .iter()
            .map(|column| read_column(column, &raw, side, data_file, self.row))
            .collect::<Result<_>>()?;
        self.row += rows as u64;
        self.read += rows as u64;
        job.watch.rows.fetch_add(rows as u64, std::sync::atomic::Ordering::Relaxed);
        let columns = self.derive(&read, rows)?;
        let (columns, kept) = self.filter(columns, rows)?;
        self.filtered += (rows - kept) as u64;
        if kept == 0 {
            Ok(None)
        } else {
            self.take_apart(&columns, kept).map(Some)
        }
    }

    /// The side's columns in order: read ones renamed, derived ones evaluated.
    fn derive(&self, read: &[ArrayRef], rows: usize) -> Result<Vec<ArrayRef>> {
        let (job, side) = (self.job, self.side);
        let plan = &job.plan.sides[side];
        let made = plan.columns.iter().zip(&job.derives[side]).map(|(column, derived)| match derived {
            Some(expression) => {
                let value = expression.evaluate(read, rows)?;
                convert(&value, &column.value_type)
                    .map_err(|bad| Error::input(format!("columns.derive.{} ({side}): `{}` {}", column.name, bad.text, bad.why)))
            }
            None => {
                let at = plan
                    .read
                    .iter()
                    .position(|r| r.name == column.name)
                    .expect("a column is read or derived");
                Ok(Arc::clone(&read[at]))
            }
        });
        made.collect()
    }

    fn filter(&self, columns: Vec<ArrayRef>, rows: usize) -> Result<(Vec<ArrayRef>, usize)> {
        let Some(condition) = &self.job.filters[self.side] else {
            return Ok((columns, rows));
        };
        let keep = condition.is_true(&columns, rows)?;
        let kept = keep.count_set_bits();
        if kept == rows {
            return Ok((columns, rows));
        }
        let keep = BooleanArray::new(keep, None);
        let columns: Result<Vec<ArrayRef>, _> = columns.iter().map(|c| filter(c.as_ref(), &keep)).collect();
        Ok((columns.map_err(|e| Error::internal(format!("filter: {e}")))?, kept))
    }

    /// The aligned columns out of the side's, with the carried ones and the fingerprint.
    fn take_apart(&self, columns: &[ArrayRef], rows: usize) -> Result<Rows> {
        let (job, side) = (self.job, self.side);
        let plan = &job.plan.sides[side];
        let find = |name: &str| {
            columns[plan
                .columns
                .iter()
                .position(|c| c.name == name)
                .expect("aligned columns are columns of the side")]
            .clone()
        };
        let mut arrays: Vec<ArrayRef> = Vec::with_capacity(job.schemas[side].fields().len());
        for column in job.columns() {
            let array = member(find(&column.path[0]), &column.path[1..], rows);
            arrays.push(leaf(&array, column, side)?);
        }
        let leaves: Vec<&ArrayRef> = arrays.iter().collect();
        let fingerprints = job.fingerprint.hash(&leaves, rows);
        arrays.extend(plan.carried.iter().map(|name| find(name)));
        arrays.push(Arc::new(as_binary(&fingerprints)));
        let batch = RecordBatch::try_new(job.schemas[side].clone(), arrays).map_err(|e| Error::internal(format!("rows of {side}: {e}")))?;
        Ok(Rows { batch, fingerprints })
    }
}

/// Fingerprints as they travel: 16 bytes, big-endian.
pub(crate) fn as_binary(fingerprints: &[u128]) -> FixedSizeBinaryArray {
    let bytes: Vec<u8> = fingerprints.iter().flat_map(|f| f.to_be_bytes()).collect();
    FixedSizeBinaryArray::new(16, Buffer::from_vec(bytes), None)
}

/// The array of a member below `array`, NULL where a struct on the way is.
fn member(array: ArrayRef, path: &[String], rows: usize) -> ArrayRef {
    let Some((name, rest)) = path.split_first() else { return array };
    let Some(parent) = array.as_any().downcast_ref::<StructArray>() else {
        return new_null_array(&arrow_schema::DataType::Null, rows);
    };
    let Some(child) = parent.column_by_name(name) else {
        return new_null_array(&arrow_schema::DataType::Null, rows);
    };
    member(under(child, parent.nulls()), rest, rows)
}

fn under(child: &ArrayRef, nulls: Option<&NullBuffer>) -> ArrayRef {
    match nulls {
        Some(nulls) if nulls.null_count() > 0 && *child.data_type() != arrow_schema::DataType::Null => {
            let union = NullBuffer::union(child.nulls(), Some(nulls));
            let data = child.to_data().into_builder().nulls(union);
            // The child's buffers are as they were; only more rows are NULL.
            arrow_array::make_array(data.build().expect("NULLs over valid data are valid"))
        }
        Some(_) | None => Arc::clone(child),
    }
}

fn leaf(array: &ArrayRef, column: &Column, side: Side) -> Result<ArrayRef> {
    if column.role == Role::Presence {
        let there = BooleanBuffer::new_set(array.len());
        let nulls = match array.data_type() {
            arrow_schema::DataType::Null => Some(NullBuffer::new_null(array.len())),
            _ => array.nulls().cloned(),
        };
        return Ok(Arc::new(BooleanArray::new(there, nulls)));
    }
    convert(array, &column.stored[side]).map_err(|bad| {
        Error::input(format!(
            "column `{}` of {side}: `{}` {}; a wider type may hold it: `columns: {{cast: …}}`",
            column.name, bad.text, bad.why
        ))
    })
}
