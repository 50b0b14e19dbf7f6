//! One side of a scan: its splits, read, converted, derived, filtered, taken apart into the aligned columns.

use crate::aligned_rows::{AlignedRows, Read, RowNumbers, filtered};
use crate::job::Job;
use crate::needed::Needed;
use crate::row_selection::RowSelection;
use arrow_array::{Array, ArrayRef, BooleanArray, StructArray, new_null_array};
use arrow_buffer::{BooleanBuffer, NullBuffer};
use arrow_schema::DataType;
use shadowdiff_common::exchange::take_rows;
use shadowdiff_common::read::{self, Format, LeftRows, Raw, Selection, WantedColumn, read_column};
use shadowdiff_common::store::changed;
use shadowdiff_core::align::{Column, Role};
use shadowdiff_core::error::{Error, Result};
use shadowdiff_core::plan::{FilePart, Split};
use shadowdiff_core::profile::{Rung, Work};
use shadowdiff_core::side::{Side, Sides};
use shadowdiff_core::value::{convert, is_compact_form};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

/// What a side is read for.
pub(crate) enum Purpose<'a> {
    Scan,
    /// A look at some aligned columns of about so many rows, in place of the others NULLs: they are read again, and counted then.
    Sample(u64, Vec<usize>),
    /// These rows alone; they were counted before. In part, these aligned columns, in place of the others NULLs.
    Reread(RowSelection<'a>, Option<Vec<usize>>),
    /// Some aligned columns of all rows: nothing else is read but what the filter needs.
    Columns(Vec<usize>),
}

/// Rows of a split that are done with before it is read.
#[derive(Debug, Clone)]
pub(crate) struct EndedRows {
    pub(crate) rows: BooleanBuffer,
    /// Whether the keys of all that are not equal have been seen.
    pub(crate) has_seen_keys: bool,
    /// The aligned columns in which the others may differ, and those of the key, where no more is needed of them.
    pub(crate) columns: Option<Vec<usize>>,
    /// The others, where they can be read without these.
    pub(crate) left: Option<LeftRows>,
}

/// What a pair of parts has come to.
pub(crate) struct PairedPart {
    /// Pairs of equal rows.
    pub(crate) equal: u64,
    pub(crate) rows: Sides<EndedRows>,
    /// The rung on which they ended.
    pub(crate) rung: Rung,
}

impl PairedPart {
    /// So many pairs of equal rows, and no others.
    pub(crate) fn equal(rows: usize, rung: Rung) -> PairedPart {
        let ended = EndedRows {
            rows: BooleanBuffer::new_set(rows),
            has_seen_keys: true,
            columns: None,
            left: None,
        };
        PairedPart::of_both(rung, rows as u64, ended)
    }

    /// `rows` are those of both sides.
    pub(crate) fn of_both(rung: Rung, equal: u64, rows: EndedRows) -> PairedPart {
        PairedPart {
            rung,
            equal,
            rows: Sides::new(rows.clone(), rows),
        }
    }
}

/// The numbers and fingerprints of rows when they were read first.
pub(crate) type RowsBefore = Vec<(u64, u128)>;

/// Rows of a batch as it is read.
struct Chosen {
    raw: Raw,
    /// Which of the split's next rows they are; `None`: all.
    kept: Option<BooleanBuffer>,
    /// Their numbers and fingerprints when they were read first.
    before: Option<RowsBefore>,
    /// How many rows of the split they stand for.
    of: usize,
}

fn taken(raw: Raw, rows: &[u32]) -> Result<Raw> {
    let lines = raw.lines.map(|lines| rows.iter().map(|row| lines[*row as usize]).collect());
    let batch = take_rows(&raw.batch, rows)?;
    Ok(Raw { batch, lines, ..raw })
}

/// Where at most one row in so many is wanted, no others are decoded.
const FEW: u64 = 8;

/// Reads one side of a scan task from the front.
pub(crate) struct SideReader<'a> {
    job: &'a Job,
    side: Side,
    splits: VecDeque<Split>,
    /// How many of them were opened, or passed.
    opened: usize,
    /// Rows of a split that are done with, by its number.
    ended: BTreeMap<usize, EndedRows>,
    current: Option<(usize, read::RawBatches)>,
    /// Rows of the current split before the next batch.
    row: u64,
    /// Whether only those rows of the current split are read that are wanted, and how many it has.
    is_chosen: bool,
    split_rows: u64,
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
            opened: 0,
            ended: BTreeMap::new(),
            current: None,
            row: 0,
            is_chosen: false,
            split_rows: 0,
            needed: match &purpose {
                Purpose::Columns(aligned) | Purpose::Sample(_, aligned) => Needed::of(job, side, aligned).with_compact(job, side),
                Purpose::Scan => Needed::all(job, side).with_compact(job, side),
                Purpose::Reread(_, Some(aligned)) => Needed::of(job, side, aligned),
                Purpose::Reread(_, None) => Needed::all(job, side),
            },
            purpose,
            read: 0,
            filtered: 0,
        }
    }

    /// The next rows that pass the filter; never empty. A scan pauses at the end of each split.
    pub(crate) fn next(&mut self) -> Result<Option<AlignedRows>> {
        self.next_of(|reader, file, raw| Ok(reader.prepare(file, raw)?.map(|(rows, _)| rows)))
    }

    /// The same with their fingerprints. Rows that are read again must have those that they had.
    pub(crate) fn next_hashed(&mut self) -> Result<Option<Read>> {
        self.next_of(|reader, file, raw| {
            let Some((rows, before)) = reader.prepare(file, raw)? else {
                return Ok(None);
            };
            let read = rows.hashed(reader.job);
            if before.is_some_and(|before| !before.iter().map(|row| &row.1).eq(&read.fingerprints)) {
                return Err(reader.changed(file));
            }
            Ok(Some(read))
        })
    }

    /// The next rows that are read again in part, with their numbers and fingerprints when they were read first.
    pub(crate) fn next_in_part(&mut self) -> Result<Option<(AlignedRows, RowsBefore)>> {
        self.next_of(|reader, file, raw| {
            let Some((rows, before)) = reader.prepare(file, raw)? else {
                return Ok(None);
            };
            let before = before.ok_or_else(|| Error::internal("rows in part that were not read before"))?;
            if before.len() != rows.rows() {
                return Err(reader.changed(file));
            }
            Ok(Some((rows, before)))
        })
    }

    /// Rows are not what they were when they were read first.
    fn changed(&self, file: usize) -> Error {
        changed(&self.job.resources.datasets[self.side].files[file].name)
    }

    /// The aligned columns that were asked for, of the next rows that pass the filter.
    pub(crate) fn next_columns(&mut self) -> Result<Option<Vec<ArrayRef>>> {
        self.next_of(|reader, file, raw| reader.columns(file, &raw))
    }

    /// How many splits were opened, or passed.
    pub(crate) fn opened(&self) -> usize {
        self.opened
    }

    /// The number of the split that is opened next, if one is.
    pub(crate) fn next_split(&self) -> Option<usize> {
        (self.current.is_none() && !self.splits.is_empty()).then_some(self.opened)
    }

    /// Takes the split that is opened next as read by somebody else; `None` where rows of it are done with.
    pub(crate) fn take_split(&mut self) -> Option<Split> {
        let is_whole = self.next_split().is_some_and(|number| !self.ended.contains_key(&number));
        let split = self.splits.pop_front_if(|_| is_whole)?;
        self.opened += 1;
        Some(split)
    }

    /// So many rows of a split that was taken have been read.
    pub(crate) fn count_taken(&mut self, rows: u64) {
        self.row = 0;
        self.pass(rows);
    }

    /// Takes rows of a split that is not open yet for done with: they are counted, and not given.
    pub(crate) fn set_ended(&mut self, split: usize, rows: EndedRows) {
        self.ended.insert(split, rows);
    }

    /// The aligned columns that are wanted of the rows that are read now; `None`: all.
    fn wanted(&self) -> Option<&[usize]> {
        match &self.purpose {
            Purpose::Sample(_, wanted) | Purpose::Columns(wanted) | Purpose::Reread(_, Some(wanted)) => Some(wanted),
            Purpose::Reread(_, None) => None,
            Purpose::Scan => self.ended()?.columns.as_deref(),
        }
    }

    /// What is done with of the split that was opened last.
    fn ended(&self) -> Option<&EndedRows> {
        self.ended.get(&self.opened.checked_sub(1)?)
    }

    /// Whether all rows of the next split are done with; they are counted.
    fn passes(&mut self) -> bool {
        let Some(ended) = self.ended.get(&self.opened) else {
            return false;
        };
        let rows = ended.rows.len();
        if ended.rows.count_set_bits() < rows {
            return false;
        }
        self.pass(rows as u64);
        true
    }

    /// What is made of the next batch of which something is made.
    fn next_of<T>(&mut self, make: impl Fn(&mut Self, usize, Raw) -> Result<Option<T>>) -> Result<Option<T>> {
        let job = self.job;
        let _spent = job.meter.enter_work(Work::Decode);
        loop {
            self.job.watch.check()?;
            let is_enough = match &self.purpose {
                Purpose::Scan | Purpose::Columns(_) => false,
                Purpose::Sample(rows, _) => self.read >= *rows,
                Purpose::Reread(wanted, _) => wanted.is_empty(),
            };
            if is_enough {
                return Ok(None);
            }
            let Some((file, batches)) = &mut self.current else {
                let Some(split) = self.splits.pop_front() else { return Ok(None) };
                let is_done = self.passes();
                self.opened += 1;
                self.row = 0;
                if is_done {
                    return Ok(None);
                }
                self.current = Some((split.file, self.open(&split)?));
                continue;
            };
            let file = *file;
            let Some(raw) = batches.next().transpose()? else {
                self.end_split()?;
                if matches!(self.purpose, Purpose::Scan) {
                    return Ok(None);
                }
                continue;
            };
            if let Some(made) = make(self, file, raw)? {
                return Ok(Some(made));
            }
        }
    }

    /// Opens the split that was taken last. Where few of its rows are wanted, no others are decoded.
    fn open(&mut self, split: &Split) -> Result<read::RawBatches> {
        let dataset = &self.job.resources.datasets[self.side];
        let file = &dataset.files[split.file];
        self.split_rows = self.ended().map_or(split.weight, |ended| ended.rows.len() as u64);
        if matches!(self.purpose, Purpose::Scan) {
            let needed = match self.ended().and_then(|ended| ended.columns.as_ref()) {
                Some(columns) => Needed::of(self.job, self.side, columns),
                None => Needed::all(self.job, self.side),
            };
            self.needed = needed.with_compact(self.job, self.side);
        }
        let wanted = split.row_groups().and_then(|_| self.few_wanted(dataset.format, split));
        let left = self.ended().and_then(|ended| ended.left.clone());
        self.is_chosen = wanted.is_some() || left.is_some();
        let selection = match (split.part, wanted) {
            (FilePart::Text(_), _) if let Some(left) = left => Selection::LeftRows(left),
            (FilePart::RowGroups(from, to), Some(rows)) => Selection::Rows {
                groups: (from..to).collect(),
                rows,
            },
            (FilePart::RowGroups(from, to), None) => Selection::RowGroups((from..to).collect()),
            (FilePart::Text(range), _) => Selection::Text(range),
            (FilePart::Whole, _) => Selection::All,
        };
        let plan = &self.job.plan;
        let read = plan.sides[self.side].read.iter().zip(&self.needed.read).zip(&self.needed.compact);
        let wanted: Vec<WantedColumn> = read
            .filter(|((_, needed), _)| **needed)
            .map(|((column, _), may_be_compact)| WantedColumn {
                name: column.source.clone(),
                value_type: column.value_type.clone(),
                may_be_compact: *may_be_compact,
            })
            .collect();
        let csv = &plan.spec.sides[self.side].csv;
        read::open_raw(
            dataset.format,
            file,
            &selection,
            &wanted,
            csv,
            self.job.resources.batch_rows,
            &self.job.sources(),
        )
    }

    /// The numbers of the rows of a split that are wanted, if they are few. A split of row groups has as many rows as its weight says.
    fn few_wanted(&self, format: Format, split: &Split) -> Option<Vec<u64>> {
        if format != Format::Parquet {
            return None;
        }
        let numbers: Vec<u64> = match (&self.purpose, self.ended()) {
            (Purpose::Reread(wanted, _), _) => {
                let wanted = wanted.all_below(self.read + split.weight)?;
                wanted.into_iter().map(|number| number - self.read).collect()
            }
            (_, Some(ended)) => (!&ended.rows).set_indices().map(|row| row as u64).collect(),
            (_, None) => return None,
        };
        (numbers.len() as u64 * FEW <= self.split_rows).then_some(numbers)
    }

    /// Of a batch, the rows that are wanted and not done with.
    fn choose(&mut self, raw: Raw) -> Result<Chosen> {
        let (first, rows) = (self.read, raw.batch.num_rows());
        // The decoder's arrays have room for a whole batch; of few rows they would fill the window with nothing.
        let raw = match self.is_chosen {
            true => taken(raw, &(0..rows as u32).collect::<Vec<_>>())?,
            false => raw,
        };
        let mut chosen = Chosen {
            raw,
            kept: None,
            before: None,
            of: rows,
        };
        if let Purpose::Reread(wanted, _) = &mut self.purpose {
            let here = match self.is_chosen {
                true => wanted.take(rows)?,
                false => wanted.take_below(first + rows as u64)?,
            };
            let places: Vec<u32> = here.iter().map(|row| (row.0 - first) as u32).collect();
            match (self.is_chosen, places.last()) {
                (true, Some(last)) if here.len() == rows => chosen.of = *last as usize + 1,
                (true, _) => return Err(Error::internal("other rows were read than were asked for")),
                (false, _) if here.len() == rows => {}
                (false, _) => chosen.raw = taken(chosen.raw, &places)?,
            }
            chosen.before = Some(here);
        } else if let Some(ended) = self.ended() {
            let from = self.row as usize;
            let ahead = !&ended.rows.slice(from, ended.rows.len() - from);
            if self.is_chosen {
                let last = ahead.set_indices().nth(rows - 1);
                chosen.of = last.ok_or_else(|| Error::internal("more rows were read than were asked for"))? + 1;
            } else {
                let places: Vec<u32> = ahead.slice(0, rows).set_indices().map(|row| row as u32).collect();
                chosen.raw = taken(chosen.raw, &places)?;
            }
            chosen.kept = Some(ahead.slice(0, chosen.of));
        }
        Ok(chosen)
    }

    /// The end of a split: rows behind the last one that was chosen count too.
    fn end_split(&mut self) -> Result<()> {
        if let (Purpose::Scan, Some(ended)) = (&self.purpose, self.ended()) {
            let from = (self.row as usize).min(ended.rows.len());
            let rest = ended.rows.slice(from, ended.rows.len() - from);
            if rest.count_set_bits() < rest.len() {
                return Err(Error::internal("fewer rows were read than there are"));
            }
        }
        let rest = if self.is_chosen {
            self.split_rows.saturating_sub(self.row)
        } else {
            0
        };
        self.pass(rest);
        self.current = None;
        Ok(())
    }

    fn pass(&mut self, rows: u64) {
        self.row += rows;
        self.read += rows;
        if matches!(self.purpose, Purpose::Scan) {
            self.job.watch.rows.fetch_add(rows, std::sync::atomic::Ordering::Relaxed);
        }
    }

    /// Rows that pass the filter, and their numbers and fingerprints when they were read first.
    fn prepare(&mut self, file: usize, raw: Raw) -> Result<Option<(AlignedRows, Option<RowsBefore>)>> {
        let (first, rows_before) = (self.read, self.row);
        let chosen = self.choose(raw)?;
        self.pass(chosen.of as u64);
        let (raw, before) = (chosen.raw, chosen.before);
        let rows = raw.batch.num_rows();
        if rows == 0 {
            return Ok(None);
        }
        let read = self.read_columns(file, &raw, rows_before)?;
        let columns = self.derive(&read, rows)?;
        let (columns, kept) = self.filter(columns, rows)?;
        let left = kept.as_ref().map_or(rows, BooleanBuffer::count_set_bits);
        self.filtered += (rows - left) as u64;
        if left == 0 && before.is_none() {
            return Ok(None);
        }
        let aligned = self.job.compiled.columns.iter().enumerate();
        let aligned = aligned.map(|(at, bound)| match self.wanted().is_none_or(|wanted| wanted.contains(&at)) {
            true => self.aligned(&columns, &bound.column, left),
            // It may be there for the filter of this side, and not on the other.
            false => leaf(&new_null_array(&DataType::Null, left), &bound.column, self.side),
        });
        let carried = self.job.plan.sides[self.side]
            .carried
            .iter()
            .map(|name| Ok(self.named(&columns, name)));
        let rows = AlignedRows {
            columns: aligned.chain(carried).collect::<Result<_>>()?,
            // Rows are done with in place only where nothing is filtered.
            numbers: RowNumbers {
                first,
                rows: chosen.of,
                kept: kept.or(chosen.kept),
            },
            has_seen_keys: self.ended().is_some_and(|ended| ended.has_seen_keys),
            is_thin: self.wanted().is_some(),
        };
        Ok(Some((rows, before)))
    }

    /// The columns as they are read; in place of those that are not needed, NULLs. `before`: rows of the split before these.
    fn read_columns(&self, file: usize, raw: &Raw, before: u64) -> Result<Vec<ArrayRef>> {
        let data_file = &self.job.resources.datasets[self.side].files[file];
        let columns = self.job.plan.sides[self.side].read.iter().zip(&self.needed.read);
        let columns = columns.zip(&self.needed.compact);
        let read = columns.map(|((column, needed), may_be_compact)| match needed {
            true => read_column(column, *may_be_compact, raw, self.side, data_file, before),
            false => Ok(new_null_array(&DataType::Null, raw.batch.num_rows())),
        });
        read.collect()
    }

    fn columns(&mut self, file: usize, raw: &Raw) -> Result<Option<Vec<ArrayRef>>> {
        let rows = raw.batch.num_rows();
        let before = self.row;
        self.row += rows as u64;
        self.read += rows as u64;
        let columns = self.derive(&self.read_columns(file, raw, before)?, rows)?;
        let (columns, kept) = self.filter(columns, rows)?;
        let left = kept.as_ref().map_or(rows, BooleanBuffer::count_set_bits);
        let Purpose::Columns(wanted) = &self.purpose else {
            return Err(Error::internal("columns of a side that is read for something else"));
        };
        let aligned = wanted
            .iter()
            .map(|at| self.aligned(&columns, &self.job.plan.aligned.columns[*at], left));
        let arrays: Vec<ArrayRef> = aligned.collect::<Result<_>>()?;
        Ok((left > 0).then_some(arrays))
    }

    /// The side's columns in order: read ones renamed, derived ones evaluated.
    fn derive(&self, read: &[ArrayRef], rows: usize) -> Result<Vec<ArrayRef>> {
        let (job, side) = (self.job, self.side);
        let plan = &job.plan.sides[side];
        let columns = plan.columns.iter().zip(&job.compiled.derives[side]).zip(&self.needed.columns);
        let made = columns.map(|((column, derived), needed)| match derived {
            _ if !needed => Ok(new_null_array(&DataType::Null, rows)),
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
        let Some(condition) = &self.job.compiled.filters[self.side] else {
            return Ok((columns, None));
        };
        let kept = condition.is_true(&columns, rows)?;
        if kept.count_set_bits() == rows {
            return Ok((columns, None));
        }
        Ok((filtered(&columns, &kept)?, Some(kept)))
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
        return new_null_array(&DataType::Null, rows);
    };
    let Some(child) = parent.column_by_name(name) else {
        return new_null_array(&DataType::Null, rows);
    };
    member(under(child, parent.nulls()), rest, rows)
}

fn under(child: &ArrayRef, nulls: Option<&NullBuffer>) -> ArrayRef {
    match nulls {
        Some(nulls) if nulls.null_count() > 0 && *child.data_type() != DataType::Null => {
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
            DataType::Null => Some(NullBuffer::new_null(array.len())),
            _ => array.nulls().cloned(),
        };
        return Ok(Arc::new(BooleanArray::new(there, nulls)));
    }
    // A compact form is only there where it may stay.
    if is_compact_form(array.data_type()) {
        return Ok(Arc::clone(array));
    }
    convert(array, &column.stored[side]).map_err(|bad| {
        Error::input(bad.to_string())
            .column(&column.name)
            .side(side)
            .advice("a wider type may hold it: `columns: {cast: …}`")
    })
}
