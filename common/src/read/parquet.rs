//! Reads Parquet files: the footer, then the wanted columns of one row group after the other.
//!
//! Every batch lies in one row group. A row group that has other than the promised number of rows is an error, and so
//! is a page whose checksum does not fit. What comes undecodable from an object store is read once more: it may have been damaged on its
//! way.

mod chunks;
mod columns;
mod footer;
mod hints;
mod int96;
mod legacy;
mod pages;
mod same;
mod trim;
mod values;

use super::checks::{all_held, batches, guarded, none_refused, owned, projection};
use super::dataset::DataFile;
use super::pinned::PinnedFile;
use super::{Batches, FileSchema, RowGroup, Selection, Sources};
use ::parquet::arrow::ProjectionMask;
use ::parquet::arrow::arrow_reader::{ParquetRecordBatchReader, RowSelection, RowSelector};
use ::parquet::basic::Type as PhysicalType;
use ::parquet::file::metadata::{ColumnChunkMetaData, ParquetMetaData, ParquetStatisticsPolicy};
use arrow_array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow_schema::{ArrowError, DataType, Field, Fields, Schema, SchemaRef};
use chunks::Chunks;
use columns::Columns;
use footer::{TAIL_BYTES, read_footer, read_footer_with, tail};
use legacy::Marks;
use pages::OneRowGroup;
use shadowdiff_core::error::{Error, Kind, Result};
use shadowdiff_core::value::decimal_in_64_bits;
use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

pub(crate) use int96::Int96Forms;
pub use legacy::julian_dates;
pub use same::{Bound, StoredFile, is_same, may_be_same};

/// A batch of average rows is no larger than this before dictionaries are written out.
const MAX_BATCH_BYTES: u64 = 64 << 20;
/// What the decoder says where the text of one batch is longer than its offsets can hold; fewer rows then fit.
const TOO_LONG: &str = "index overflow decoding byte array";
/// So many times fewer rows are read then: few tries reach a batch that fits.
const SHRINK: usize = 16;

/// The columns and row groups of a file.
pub fn schema(file: &DataFile, sources: &Sources) -> Result<FileSchema> {
    let opened = Opened::new(file, sources)?;
    let row_groups: Vec<RowGroup> = opened.metadata.row_groups().iter().map(row_group).collect();
    Ok(FileSchema {
        fields: owned(&opened.columns.fields),
        refused: opened.columns.refused.clone(),
        legacy_calendar: Marks::of(opened.metadata.file_metadata().key_value_metadata()).any(),
        rows: Some(row_groups.iter().map(|group| group.rows).sum()),
        row_groups,
    })
}

/// Reads row groups, `columns` only. `compact`: those that may come in a compact form.
pub fn open(
    file: &DataFile,
    selection: &Selection,
    columns: &[String],
    compact: &[&str],
    batch_rows: usize,
    sources: &Sources,
) -> Result<Batches> {
    let mut opened = Opened::new(file, sources)?;
    let count = opened.metadata.num_row_groups();
    let left: VecDeque<usize> = match selection {
        Selection::All => (0..count).collect(),
        Selection::RowGroups(groups) | Selection::Rows { groups, .. } => groups.iter().copied().collect(),
        Selection::Text(_) | Selection::LeftRows(_) => return Err(Error::internal("a Parquet file has no text ranges").file(&file.name)),
    };
    let chosen = match selection {
        Selection::Rows { rows, .. } => Some(ChosenRows {
            rows: rows.iter().copied().collect(),
            before: 0,
        }),
        Selection::All | Selection::RowGroups(_) | Selection::Text(_) | Selection::LeftRows(_) => None,
    };
    if let Some(group) = left.iter().find(|group| **group >= count) {
        return Err(Error::internal(format!("there is no row group {group}")).file(&file.name));
    }
    none_refused(&file.name, &opened.columns.refused, columns)?;
    let roots = projection(&opened.columns.fields, columns);
    opened.keep_compact(compact, &left);
    let pinned = opened.pinned.clone();
    let mut groups = Groups {
        mask: opened.columns.mask(&roots),
        roots,
        opened,
        batch_rows: batch_rows.max(1),
        left,
        chosen,
        current: None,
    };
    Ok(batches(pinned, move || groups.next()))
}

/// How many requests it takes to read these row groups of an object of this size: its footer and their columns.
pub(super) fn requests(size_bytes: u64, groups: &[RowGroup]) -> u64 {
    match size_bytes <= TAIL_BYTES {
        true => 1,
        false => 1 + super::pinned::requests(groups.iter().map(|group| group.compressed_bytes)),
    }
}

/// Whether a column chunk of texts or bytes takes less than their lengths would: its values are numbers of a dictionary then.
fn is_dictionary(chunk: &ColumnChunkMetaData) -> bool {
    const LENGTH_BYTES: i64 = 4;
    chunk.dictionary_page_offset().is_some() && chunk.uncompressed_size() < chunk.num_values().saturating_mul(LENGTH_BYTES - 1)
}

fn is_integer(chunk: &ColumnChunkMetaData) -> bool {
    matches!(chunk.column_type(), PhysicalType::INT32 | PhysicalType::INT64)
}

fn row_group(group: &::parquet::file::metadata::RowGroupMetaData) -> RowGroup {
    let bytes = |size: i64| u64::try_from(size).unwrap_or(0);
    RowGroup {
        rows: bytes(group.num_rows()),
        compressed_bytes: bytes(group.compressed_size()),
        uncompressed_bytes: bytes(group.total_byte_size()),
    }
}

/// A file whose footer has been read and found sound.
#[derive(Debug)]
struct Opened {
    pinned: Arc<PinnedFile>,
    /// The end of the file, read for the footer.
    tail: Chunks,
    metadata: Arc<ParquetMetaData>,
    columns: Columns,
    int96: Option<int96::Leaves>,
    /// INT96 in the other unit, where both are needed.
    again: Option<Fields>,
}

impl Opened {
    fn new(file: &DataFile, sources: &Sources) -> Result<Opened> {
        let pinned = PinnedFile::open(file, sources)?;
        pinned.hold_tail(tail(pinned.size_bytes()))?;
        let opened = guarded(&pinned, || Opened::of(read_footer(&pinned)?, file, &pinned, sources))?;
        pinned.check()?;
        Ok(opened)
    }

    /// With the statistics of its columns.
    fn with_statistics(file: &DataFile, sources: &Sources) -> Result<Opened> {
        let pinned = PinnedFile::open(file, sources)?;
        pinned.hold_tail(tail(pinned.size_bytes()))?;
        guarded(&pinned, || {
            let footer = read_footer_with(&pinned, ParquetStatisticsPolicy::KeepAll)?;
            Opened::of(footer, file, &pinned, sources)
        })
    }

    fn of(footer: (ParquetMetaData, Chunks), file: &DataFile, pinned: &Arc<PinnedFile>, sources: &Sources) -> Result<Opened> {
        let (metadata, tail) = footer;
        let mut columns = Columns::of(pinned, &metadata)?;
        let int96 = int96::Leaves::of(file, pinned, &metadata, &sources.int96_forms)?;
        let mut again = None;
        if let Some(leaves) = &int96 {
            let schema = columns.decoded_schema();
            again = leaves.retype_again(&schema).map(|schema| schema.fields().clone());
            columns.set_decoded(leaves.retype(&schema).fields(), leaves.shown(&schema).fields());
        }
        Ok(Opened {
            pinned: pinned.clone(),
            tail,
            metadata: Arc::new(metadata),
            columns,
            int96,
            again,
        })
    }
}

impl Opened {
    /// Lets columns come in compact forms: texts and bytes where they are stored as dictionaries in these row groups, decimals where they are
    /// stored as integers. INT96 is decoded twice; nothing is kept beside it.
    fn keep_compact(&mut self, columns: &[&str], groups: &VecDeque<usize>) {
        if columns.is_empty() || self.again.is_some() {
            return;
        }
        let are_all = |leaf: usize, is: fn(&ColumnChunkMetaData) -> bool| {
            let mut chunks = groups.iter().map(|group| self.metadata.row_group(*group).column(leaf));
            chunks.all(is)
        };
        let compact = |root: usize, field: &Field| {
            let leaves = self.columns.leaves(root);
            if !columns.contains(&field.name().as_str()) || leaves.len() != 1 {
                return None;
            }
            match field.data_type() {
                text @ (DataType::Utf8 | DataType::Binary) => {
                    are_all(leaves.start, is_dictionary).then(|| DataType::Dictionary(Box::new(DataType::Int32), Box::new(text.clone())))
                }
                DataType::Decimal128(digits, scale) if are_all(leaves.start, is_integer) => decimal_in_64_bits(*digits, *scale),
                _ => None,
            }
        };
        let decoded = self.columns.decoded.iter().enumerate();
        let fields = decoded.map(|(root, field)| match compact(root, field) {
            Some(form) => Arc::new(Field::clone(field).with_data_type(form)),
            None => Arc::clone(field),
        });
        self.columns.decoded = fields.collect();
    }

    fn row_count(&self, group: usize) -> Result<usize> {
        let rows = self.metadata.row_group(group).num_rows();
        usize::try_from(rows).map_err(|_| self.pinned.blame("a row group has too many rows"))
    }
}

/// Reads one row group after the other.
#[derive(Debug)]
struct Groups {
    opened: Opened,
    /// The wanted columns, and their leaves.
    roots: Vec<usize>,
    mask: ProjectionMask,
    batch_rows: usize,
    left: VecDeque<usize>,
    /// Which rows are read; `None`: all.
    chosen: Option<ChosenRows>,
    current: Option<Current>,
}

/// Numbers of rows, ascending, among those of the row groups that are read.
#[derive(Debug)]
struct ChosenRows {
    rows: VecDeque<u64>,
    /// Rows of the row groups that were read.
    before: u64,
}

impl ChosenRows {
    /// Those of the next row group, which has so many.
    fn of_next(&mut self, rows: usize) -> RowSelection {
        let end = self.before + rows as u64;
        let here = self.rows.partition_point(|row| *row < end);
        let before = std::mem::replace(&mut self.before, end);
        let ranges = self
            .rows
            .drain(..here)
            .map(|row| (row - before) as usize..(row - before) as usize + 1);
        RowSelection::from_consecutive_ranges(ranges, rows)
    }
}

/// Decodes a row group, twice in step where INT96 asks for it.
struct Reader {
    first: ParquetRecordBatchReader,
    again: Option<ParquetRecordBatchReader>,
    /// What both together give.
    shown: SchemaRef,
}

impl Reader {
    fn next(&mut self) -> Option<std::result::Result<RecordBatch, ArrowError>> {
        let batch = self.first.next()?;
        let Some(again) = &mut self.again else { return Some(batch) };
        Some(batch.and_then(|micros| {
            let short = || ArrowError::ParquetError("a second decoding gave fewer rows than the first".into());
            let nanos = again.next().ok_or_else(short)??;
            int96::together(&micros, &nanos, &self.shown)
        }))
    }
}

/// The selected rows but the first ones.
fn without_first(chosen: &RowSelection, skipped: usize) -> RowSelection {
    let mut left = skipped;
    let selectors = chosen.iter().flat_map(|selector| {
        let passed = if selector.skip { 0 } else { left.min(selector.row_count) };
        left -= passed;
        let rest = RowSelector {
            row_count: selector.row_count - passed,
            skip: selector.skip,
        };
        [RowSelector::skip(passed), rest]
    });
    selectors.filter(|selector| selector.row_count > 0).collect::<Vec<_>>().into()
}

/// Rows of a row group, to read on from.
#[derive(Debug, Clone, Copy)]
struct RowPlace<'a> {
    group: usize,
    chunks: &'a Chunks,
    chosen: Option<&'a RowSelection>,
    /// How many of them are passed over.
    skipped: u64,
}

impl Current {
    fn place(&self) -> RowPlace<'_> {
        RowPlace {
            group: self.group,
            chunks: &self.chunks,
            chosen: self.chosen.as_ref(),
            skipped: self.rows,
        }
    }
}

struct Current {
    group: usize,
    /// Its rows that are read; `None`: all.
    chosen: Option<RowSelection>,
    chunks: Chunks,
    reader: Reader,
    batch_rows: usize,
    rows: u64,
    /// It was read once more.
    is_again: bool,
}

impl std::fmt::Debug for Current {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Current")
            .field("group", &self.group)
            .field("rows", &self.rows)
            .finish_non_exhaustive()
    }
}

impl Groups {
    fn next(&mut self) -> Result<Option<RecordBatch>> {
        loop {
            let mut current = match self.current.take() {
                Some(current) => current,
                None => match self.left.pop_front() {
                    // Of an empty one not even the offsets need be right.
                    Some(group) if self.opened.metadata.row_group(group).num_rows() == 0 => continue,
                    Some(group) => {
                        let chosen = self.chosen_of(group)?;
                        if chosen.as_ref().is_some_and(|rows| rows.row_count() == 0) {
                            continue;
                        }
                        self.start(group, chosen)?
                    }
                    None => return Ok(None),
                },
            };
            let pinned = &self.opened.pinned;
            let decoded = guarded(pinned, || Ok(current.reader.next().transpose()));
            match decoded {
                Ok(Ok(Some(batch))) => {
                    current.rows += batch.num_rows() as u64;
                    self.current = Some(current);
                    if batch.num_rows() > 0 {
                        return self.finished(&batch).map(Some);
                    }
                }
                Ok(Ok(None)) => self.finish(&current)?,
                Ok(Err(error)) if current.batch_rows > 1 && error.to_string().contains(TOO_LONG) => {
                    let batch_rows = (current.batch_rows / SHRINK).max(1);
                    let reader = self.reader(&self.roots, &current.place(), batch_rows)?;
                    self.current = Some(Current {
                        reader,
                        batch_rows,
                        ..current
                    });
                }
                Ok(Err(_)) | Err(_) if !current.is_again && !pinned.is_local() => self.current = Some(self.again(current)?),
                Ok(Err(error)) => return Err(self.undecodable(&current, pinned.blame(error))),
                Err(panicked) => return Err(self.undecodable(&current, panicked)),
            }
        }
    }

    /// The batch with its values as the file means them.
    fn finished(&self, batch: &RecordBatch) -> Result<RecordBatch> {
        let columns = self.roots.iter().zip(batch.columns()).map(|(root, array)| {
            let read = values::read(array, self.opened.columns.readings(*root));
            read.map_err(|what| {
                self.opened
                    .pinned
                    .blame(format!("column `{}` {what}", self.opened.columns.fields[*root].name()))
            })
        });
        let columns: Vec<ArrayRef> = columns.collect::<Result<_>>()?;
        let fields = self.roots.iter().map(|root| self.opened.columns.fields[*root].as_ref().clone());
        let fields = fields
            .zip(&columns)
            .map(|(field, array)| field.with_data_type(array.data_type().clone()));
        let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        let finished = RecordBatch::try_new_with_options(schema, columns, &options).map_err(|e| self.opened.pinned.blame(e))?;
        all_held(&self.opened.pinned, &finished)?;
        Ok(finished)
    }

    /// The rest of a row group, fetched anew.
    fn again(&self, current: Current) -> Result<Current> {
        let pinned = &self.opened.pinned;
        tracing::warn!(
            "{}: row group {} came undecodable; it is read once more",
            pinned.name(),
            current.group
        );
        pinned.forget_held();
        let chunks = Chunks::of_row_group(pinned.clone(), &self.ranges(current.group), self.opened.int96.is_some())?;
        let place = RowPlace {
            chunks: &chunks,
            ..current.place()
        };
        let reader = self.reader(&self.roots, &place, current.batch_rows)?;
        Ok(Current {
            chunks,
            reader,
            is_again: true,
            ..current
        })
    }

    /// The error for a batch that the decoder gave up. It does not say at which column, so each is tried alone.
    fn undecodable(&self, current: &Current, error: Error) -> Error {
        let pinned = &self.opened.pinned;
        if error.kind != Kind::Input {
            return error;
        }
        let alone = |root: usize| {
            guarded(pinned, || {
                let mut reader = self.reader(&[root], &current.place(), current.batch_rows)?;
                reader.next().transpose().map_err(|e| pinned.blame(e))
            })
        };
        let culprit = self.roots.iter().find(|root| alone(**root).is_err());
        let Some(root) = culprit else { return error };
        error.column(self.opened.columns.fields[*root].name())
    }

    /// Which rows of a row group are read; `None`: all.
    fn chosen_of(&mut self, group: usize) -> Result<Option<RowSelection>> {
        let rows = self.opened.row_count(group)?;
        Ok(self.chosen.as_mut().map(|chosen| chosen.of_next(rows)))
    }

    fn start(&self, group: usize, chosen: Option<RowSelection>) -> Result<Current> {
        let Opened {
            pinned,
            tail,
            metadata,
            int96,
            ..
        } = &self.opened;
        let chunks = match pinned.size_bytes() <= TAIL_BYTES {
            // The whole file is there already.
            true => tail.clone(),
            false => Chunks::of_row_group(pinned.clone(), &self.ranges(group), int96.is_some())?,
        };
        if let Some(leaves) = int96 {
            leaves.check(pinned, metadata, group, &chunks, |leaf| self.mask.leaf_included(leaf))?;
        }
        let batch_rows = self.batch_rows.min(self.affordable_rows(group));
        let place = RowPlace {
            group,
            chunks: &chunks,
            chosen: chosen.as_ref(),
            skipped: 0,
        };
        let reader = self.reader(&self.roots, &place, batch_rows)?;
        Ok(Current {
            group,
            chosen,
            chunks,
            reader,
            batch_rows,
            rows: 0,
            is_again: false,
        })
    }

    /// A reader of some columns of the rows of a row group.
    fn reader(&self, roots: &[usize], place: &RowPlace<'_>, batch_rows: usize) -> Result<Reader> {
        let Opened {
            pinned,
            metadata,
            columns,
            again,
            ..
        } = &self.opened;
        let RowPlace { group, chunks, .. } = *place;
        let rows = OneRowGroup { metadata, group, chunks };
        let skipped = usize::try_from(place.skipped).map_err(|_| pinned.blame("a row group has too many rows"))?;
        let all = self.opened.row_count(group)?;
        let reader = |decoded: &Fields| {
            let selectors = || vec![RowSelector::skip(skipped), RowSelector::select(all.saturating_sub(skipped))];
            let rest = match place.chosen {
                Some(chosen) => Some(without_first(chosen, skipped)),
                None => (skipped > 0).then(|| RowSelection::from(selectors())),
            };
            let levels = columns.levels(roots, decoded).map_err(|e| pinned.blame(e))?;
            ParquetRecordBatchReader::try_new_with_row_groups(&levels, &rows, batch_rows, rest).map_err(|e| pinned.blame(e))
        };
        Ok(Reader {
            first: reader(&columns.decoded)?,
            again: again.as_ref().map(reader).transpose()?,
            shown: columns.shown.clone(),
        })
    }

    /// How many average rows of the wanted columns stay below the size of a batch.
    fn affordable_rows(&self, group: usize) -> usize {
        let group = self.opened.metadata.row_group(group);
        let wanted = group
            .columns()
            .iter()
            .enumerate()
            .filter(|(leaf, _)| self.mask.leaf_included(*leaf));
        let bytes: u64 = wanted
            .map(|(_, column)| u64::try_from(column.uncompressed_size()).unwrap_or(0))
            .fold(0, u64::saturating_add);
        let row_bytes = bytes / u64::try_from(group.num_rows()).unwrap_or(0).max(1);
        usize::try_from(MAX_BATCH_BYTES / row_bytes.max(1)).unwrap_or(usize::MAX).max(1)
    }

    /// Where the wanted column chunks of a row group lie.
    fn ranges(&self, group: usize) -> Vec<Range<u64>> {
        let columns = self.opened.metadata.row_group(group).columns().iter().enumerate();
        let wanted = columns.filter(|(leaf, _)| self.mask.leaf_included(*leaf));
        wanted
            .map(|(_, column)| column.byte_range())
            .map(|(start, length)| start..start + length)
            .collect()
    }

    fn finish(&self, current: &Current) -> Result<()> {
        let all = self.opened.row_count(current.group)?;
        let promised = current.chosen.as_ref().map_or(all, RowSelection::row_count);
        if current.rows == promised as u64 {
            return Ok(());
        }
        Err(self.opened.pinned.blame(format!(
            "the file is malformed: row group {} has {} rows, the footer says {promised}",
            current.group, current.rows
        )))
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "a test sees its own panics")]
mod tests;
