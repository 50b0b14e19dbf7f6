//! One side of a scan: its splits, read, converted, derived, filtered, taken apart into the aligned columns.

use crate::exchanged;
use crate::job::{BoundColumn, Job};
use crate::row_hasher::RowFingerprints;
use crate::row_selection::RowSelection;
use arrow_array::{Array, ArrayRef, BooleanArray, RecordBatch, StructArray, new_null_array};
use arrow_buffer::{BooleanBuffer, NullBuffer};
use arrow_select::filter::filter;
use shadowdiff_common::exchange::take_rows;
use shadowdiff_common::read::{self, Raw, Selection, read_column};
use shadowdiff_common::store::changed;
use shadowdiff_core::align::{Column, Role, SideColumn};
use shadowdiff_core::error::{Error, Result};
use shadowdiff_core::plan::{ReadColumn, Split};
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
    pub(crate) numbers: RowNumbers,
    /// The fingerprints of the columns without a tolerance, where some have one.
    pub(crate) exact: Option<Vec<u128>>,
}

/// Numbers of rows that follow each other, but for those that a filter took out.
pub(crate) struct RowNumbers {
    first: u64,
    kept: Option<BooleanBuffer>,
    rows: usize,
}

impl RowNumbers {
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
    Sample(u64),
    /// These rows alone; they were counted before.
    Reread(RowSelection<'a>),
    /// The keys of all rows: nothing else is read but what the filter needs.
    Keys,
}

/// Which columns are needed: of those read, and of those that they become.
struct Needed {
    read: Vec<bool>,
    columns: Vec<bool>,
}

impl Needed {
    fn all(job: &Job, side: Side) -> Self {
        let plan = &job.plan.sides[side];
        Needed {
            read: vec![true; plan.read.len()],
            columns: vec![true; plan.columns.len()],
        }
    }

    /// What keys and the filter are made of.
    fn for_keys(job: &Job, side: Side) -> Self {
        let plan = &job.plan.sides[side];
        let filter = job.filters[side].as_ref();
        let is_key = |name: &str| job.plan.aligned.key_columns().any(|column| column.path[0] == name);
        let is_needed =
            |(at, column): (usize, &SideColumn)| is_key(&column.name) || filter.is_some_and(|filter| filter.reads.contains(&at));
        let columns: Vec<bool> = plan.columns.iter().enumerate().map(is_needed).collect();
        let is_read = |(at, read): (usize, &ReadColumn)| {
            let made = plan
                .columns
                .iter()
                .zip(&job.derives[side])
                .zip(&columns)
                .filter(|(_, needed)| **needed);
            made.into_iter().any(|((column, derived), _)| match derived {
                Some(expression) => expression.reads.contains(&at) || expression.copies.as_ref().is_some_and(|(copied, _)| *copied == at),
                None => column.name == read.name,
            })
        };
        Needed {
            read: plan.read.iter().enumerate().map(is_read).collect(),
            columns,
        }
    }
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
    needed: Needed,
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
            needed: match purpose {
                Purpose::Keys => Needed::for_keys(job, side),
                Purpose::Scan | Purpose::Sample(_) | Purpose::Reread(_) => Needed::all(job, side),
            },
            purpose,
            read: 0,
            filtered: 0,
        }
    }

    /// The next rows that pass the filter; never empty.
    pub(crate) fn next(&mut self) -> Result<Option<Read>> {
        self.next_of(|reader, file, raw| reader.prepare(file, raw))
    }

    /// Fingerprints of the keys of the next rows that pass the filter.
    pub(crate) fn next_keys(&mut self) -> Result<Option<Vec<u128>>> {
        self.next_of(|reader, file, raw| reader.keys(file, &raw))
    }

    /// What is made of the next batch of which something is made.
    fn next_of<T>(&mut self, make: impl Fn(&mut Self, usize, Raw) -> Result<Option<T>>) -> Result<Option<T>> {
        loop {
            self.job.watch.check()?;
            let is_enough = match &self.purpose {
                Purpose::Scan | Purpose::Keys => false,
                Purpose::Sample(rows) => self.read >= *rows,
                Purpose::Reread(wanted) => wanted.is_empty(),
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
            if let Some(made) = make(self, file, raw)? {
                return Ok(Some(made));
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
        let read = plan.sides[self.side].read.iter().zip(&self.needed.read);
        let wanted: Vec<(String, ValueType)> = read
            .filter(|(_, needed)| **needed)
            .map(|(c, _)| (c.source.clone(), c.value_type.clone()))
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

    /// Of a batch, the rows that are to be read again, and the fingerprints that they had.
    fn choose(&mut self, raw: Raw) -> Result<(Raw, Option<Vec<u128>>)> {
        let Purpose::Reread(wanted) = &mut self.purpose else {
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
        let read = self.read_columns(file, &raw, before)?;
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
        let (rows_read, exact) = self.take_apart(&columns, left)?;
        if fingerprints.is_some_and(|before| before != rows_read.fingerprints) {
            return Err(changed(&data_file.name));
        }
        Ok(Some(Read {
            rows: rows_read,
            numbers: RowNumbers { first, kept, rows },
            exact,
        }))
    }

    /// The columns as they are read; in place of those that are not needed, NULLs. `before`: rows of the split before these.
    fn read_columns(&self, file: usize, raw: &Raw, before: u64) -> Result<Vec<ArrayRef>> {
        let data_file = &self.job.datasets[self.side].files[file];
        let columns = self.job.plan.sides[self.side].read.iter().zip(&self.needed.read);
        let read = columns.map(|(column, needed)| match needed {
            true => read_column(column, raw, self.side, data_file, before),
            false => Ok(new_null_array(&arrow_schema::DataType::Null, raw.batch.num_rows())),
        });
        read.collect()
    }

    fn keys(&mut self, file: usize, raw: &Raw) -> Result<Option<Vec<u128>>> {
        let (job, rows) = (self.job, raw.batch.num_rows());
        let before = self.row;
        self.row += rows as u64;
        self.read += rows as u64;
        let columns = self.derive(&self.read_columns(file, raw, before)?, rows)?;
        let (columns, kept) = self.filter(columns, rows)?;
        let left = kept.as_ref().map_or(rows, BooleanBuffer::count_set_bits);
        let key = job.plan.aligned.key_columns();
        let key: Vec<ArrayRef> = key.map(|column| self.aligned(&columns, column, left)).collect::<Result<_>>()?;
        Ok((left > 0).then(|| job.key_fingerprint.hash(&key.iter().collect::<Vec<_>>(), left)))
    }

    /// The side's columns in order: read ones renamed, derived ones evaluated.
    fn derive(&self, read: &[ArrayRef], rows: usize) -> Result<Vec<ArrayRef>> {
        let (job, side) = (self.job, self.side);
        let plan = &job.plan.sides[side];
        let columns = plan.columns.iter().zip(&job.derives[side]).zip(&self.needed.columns);
        let made = columns.map(|((column, derived), needed)| match derived {
            _ if !needed => Ok(new_null_array(&arrow_schema::DataType::Null, rows)),
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
    fn take_apart(&self, columns: &[ArrayRef], rows: usize) -> Result<(Rows, Option<Vec<u128>>)> {
        let (job, side) = (self.job, self.side);
        let plan = &job.plan.sides[side];
        let mut arrays: Vec<ArrayRef> = Vec::with_capacity(job.schemas[side].fields().len());
        for BoundColumn { column, .. } in &job.columns {
            arrays.push(self.aligned(columns, column, rows)?);
        }
        let RowFingerprints { whole, exact } = job.row_hasher.hash(&arrays, rows);
        arrays.extend(plan.carried.iter().map(|name| self.named(columns, name)));
        let batch = exchanged::rows(&job.schemas[side], arrays, &whole)?;
        let fingerprints = whole;
        Ok((Rows { batch, fingerprints }, exact))
    }

    /// One aligned column out of the side's.
    fn aligned(&self, columns: &[ArrayRef], column: &Column, rows: usize) -> Result<ArrayRef> {
        let array = member(self.named(columns, &column.path[0]), &column.path[1..], rows);
        leaf(&array, column, self.side)
    }

    fn named(&self, columns: &[ArrayRef], name: &str) -> ArrayRef {
        let at = self.job.plan.sides[self.side].columns.iter().position(|c| c.name == name);
        Arc::clone(&columns[at.expect("aligned columns are columns of the side")])
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
