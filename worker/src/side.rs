//! One side of a scan: its splits, read, converted, derived, filtered, taken apart into the aligned columns.

use crate::exchanged;
use crate::job::{BoundColumn, Job};
use crate::row_selection::RowSelection;
use arrow_array::{Array, ArrayRef, BooleanArray, RecordBatch, StructArray, new_null_array};
use arrow_buffer::{BooleanBuffer, NullBuffer};
use arrow_select::filter::filter;
use shadowdiff_common::exchange::take_rows;
use shadowdiff_common::read::{self, Raw, Selection, read_column};
use shadowdiff_common::store::changed;
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

/// Rows as a reader gives them, and which they are.
pub(crate) struct Read {
    pub(crate) rows: Rows,
    /// Their numbers among all rows of the task's side, counted before the filter; they do not fall.
    pub(crate) numbers: Numbers,
}

/// Numbers of rows that follow each other, but for those that a filter took out.
pub(crate) struct Numbers {
    first: u64,
    kept: Option<BooleanBuffer>,
    rows: usize,
}

impl Numbers {
    pub(crate) fn to_vec(&self) -> Vec<u64> {
        match &self.kept {
            Some(kept) => kept.set_indices().map(|row| self.first + row as u64).collect(),
            None => (self.first..self.first + self.rows as u64).collect(),
        }
    }
}

/// What a side is read for.
pub(crate) enum Purpose<'a> {
    Scan,
    /// A look at about so many rows: they are read again, and counted then.
    Glance(u64),
    /// These rows alone; they were counted before.
    Fetch(RowSelection<'a>),
}

/// Reads one side of a scan task from the front.
pub(crate) struct SideReader<'a> {
    job: &'a Job,
    side: Side,
    splits: VecDeque<Split>,
    current: Option<(usize, read::RawBatches)>,
    /// Rows of the current split before the next batch, for messages.
    row: u64,
    purpose: Purpose<'a>,
    pub(crate) read: u64,
    pub(crate) filtered: u64,
}

impl<'a> SideReader<'a> {
    pub(crate) fn new(job: &'a Job, side: Side, splits: &[Split], purpose: Purpose<'a>) -> Self {
        SideReader {
            job,
            side,
            splits: splits.iter().cloned().collect(),
            current: None,
            row: 0,
            purpose,
            read: 0,
            filtered: 0,
        }
    }

    /// The next rows that pass the filter; never empty.
    pub(crate) fn next(&mut self) -> Result<Option<Read>> {
        loop {
            self.job.watch.check()?;
            let is_enough = match &self.purpose {
                Purpose::Scan => false,
                Purpose::Glance(rows) => self.read >= *rows,
                Purpose::Fetch(wanted) => wanted.is_empty(),
            };
            if is_enough {
                return Ok(None);
            }
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

    /// Of a batch, the rows that are to be fetched, and the fingerprints that they had.
    fn choose(&mut self, raw: Raw) -> Result<(Raw, Option<Vec<u128>>)> {
        let Purpose::Fetch(wanted) = &mut self.purpose else {
            return Ok((raw, None));
        };
        let (first, rows) = (self.read, raw.batch.num_rows());
        let here = wanted.take_below(first + rows as u64)?;
        let before = Some(here.iter().map(|row| row.1).collect());
        if here.len() == rows {
            return Ok((raw, before));
        }
        let chosen: Vec<u32> = here.iter().map(|row| (row.0 - first) as u32).collect();
        let lines = raw.lines.map(|lines| chosen.iter().map(|row| lines[*row as usize]).collect());
        let batch = take_rows(&raw.batch, &chosen)?;
        Ok((Raw { batch, lines, ..raw }, before))
    }

    fn prepare(&mut self, file: usize, raw: Raw) -> Result<Option<Read>> {
        let (first, all) = (self.read, raw.batch.num_rows());
        let (raw, fingerprints) = self.choose(raw)?;
        let rows = raw.batch.num_rows();
        let before = self.row;
        self.row += all as u64;
        self.read += all as u64;
        if rows == 0 {
            return Ok(None);
        }
        let (job, side) = (self.job, self.side);
        let data_file = &job.datasets[side].files[file];
        let read_columns = &job.plan.sides[side].read;
        let read: Vec<ArrayRef> = read_columns
            .iter()
            .map(|column| read_column(column, &raw, side, data_file, before))
            .collect::<Result<_>>()?;
        if matches!(self.purpose, Purpose::Scan) {
            job.watch.rows.fetch_add(rows as u64, std::sync::atomic::Ordering::Relaxed);
        }
        let columns = self.derive(&read, rows)?;
        let (columns, kept) = self.filter(columns, rows)?;
        let left = kept.as_ref().map_or(rows, BooleanBuffer::count_set_bits);
        self.filtered += (rows - left) as u64;
        if left == 0 && fingerprints.is_none() {
            return Ok(None);
        }
        let rows_read = self.take_apart(&columns, left)?;
        if fingerprints.is_some_and(|before| before != rows_read.fingerprints) {
            return Err(changed(&data_file.name));
        }
        Ok(Some(Read {
            rows: rows_read,
            numbers: Numbers { first, kept, rows },
        }))
    }

    /// The side's columns in order: read ones renamed, derived ones evaluated.
    fn derive(&self, read: &[ArrayRef], rows: usize) -> Result<Vec<ArrayRef>> {
        let (job, side) = (self.job, self.side);
        let plan = &job.plan.sides[side];
        let made = plan.columns.iter().zip(&job.derives[side]).map(|(column, derived)| match derived {
            Some(expression) => {
                let value = match &expression.copies {
                    // The values themselves, and not what SQL sees of them.
                    Some((at, members)) => member(Arc::clone(&read[*at]), members, rows),
                    None => expression.evaluate(read, rows)?,
                };
                convert(&value, &column.value_type).map_err(|bad| {
                    Error::input(bad.to_string())
                        .field(shadowdiff_core::spec::member("columns.derive", &column.name))
                        .side(side)
                })
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

    /// The rows that pass, and which they are; `None`: all.
    fn filter(&self, columns: Vec<ArrayRef>, rows: usize) -> Result<(Vec<ArrayRef>, Option<BooleanBuffer>)> {
        let Some(condition) = &self.job.filters[self.side] else {
            return Ok((columns, None));
        };
        let kept = condition.is_true(&columns, rows)?;
        if kept.count_set_bits() == rows {
            return Ok((columns, None));
        }
        let keep = BooleanArray::new(kept.clone(), None);
        let columns: Result<Vec<ArrayRef>, _> = columns.iter().map(|c| filter(c.as_ref(), &keep)).collect();
        Ok((columns.map_err(|e| Error::internal(format!("filter: {e}")))?, Some(kept)))
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
        for BoundColumn { column, .. } in &job.columns {
            let array = member(find(&column.path[0]), &column.path[1..], rows);
            arrays.push(leaf(&array, column, side)?);
        }
        let leaves: Vec<&ArrayRef> = arrays.iter().collect();
        let fingerprints = job.fingerprint.hash(&leaves, rows);
        arrays.extend(plan.carried.iter().map(|name| find(name)));
        let batch = exchanged::rows(&job.schemas[side], arrays, &fingerprints)?;
        Ok(Rows { batch, fingerprints })
    }
}

/// The array of a member below `array`, NULL where a struct on the way is.
pub fn member(array: ArrayRef, path: &[String], rows: usize) -> ArrayRef {
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
        Error::input(bad.to_string())
            .column(&column.name)
            .side(side)
            .advice("a wider type may hold it: `columns: {cast: …}`")
    })
}
