//! Reads Parquet files: the footer, then the wanted columns of one row group after the other.
//!
//! Every batch lies in one row group. A row group that has other than the promised number of rows is an error, and so
//! is a page whose checksum does not fit.

mod chunks;
mod int96;

use super::checks::{batches, guarded, owned, projection, unique_names};
use super::dataset::DataFile;
use super::pinned::PinnedFile;
use super::{Batches, FileSchema, RowGroup, Selection, Sources};
use ::parquet::arrow::ProjectionMask;
use ::parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};
use ::parquet::file::metadata::{
    FileMetaData, PageIndexPolicy, ParquetMetaData, ParquetMetaDataOptions, ParquetMetaDataReader, ParquetStatisticsPolicy,
};
use arrow_array::RecordBatch;
use arrow_schema::{ArrowError, SchemaRef};
use chunks::Chunks;
use shadowdiff_core::error::{Error, Result};
use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

pub(crate) use int96::Int96Forms;

/// Shortest file: magic, length of the footer, magic.
const MIN_FILE_BYTES: u64 = 12;
/// What is read of the end of a file at first; longer footers cost one read more.
const TAIL_BYTES: u64 = 256 << 10;
/// A batch of average rows is no larger than this before dictionaries are written out.
const MAX_BATCH_BYTES: u64 = 64 << 20;
/// What the decoder says where the text of one batch is longer than its offsets can hold; fewer rows then fit.
const TOO_LONG: &str = "index overflow decoding byte array";
const SHRINK: usize = 16;

/// The columns and row groups of a file.
pub fn schema(file: &DataFile, sources: &Sources) -> Result<FileSchema> {
    let opened = Opened::new(file, sources)?;
    let metadata = opened.arrow.metadata();
    let row_groups: Vec<RowGroup> = metadata.row_groups().iter().map(row_group).collect();
    Ok(FileSchema {
        fields: owned(opened.shown.fields()),
        rows: Some(row_groups.iter().map(|group| group.rows).sum()),
        row_groups,
    })
}

/// The footer alone: where column chunks lie, how they are stored.
pub fn metadata(file: &DataFile, sources: &Sources) -> Result<Arc<ParquetMetaData>> {
    let pinned = PinnedFile::open(file, sources)?;
    guarded(&pinned, || read_footer(&pinned)).map(|(metadata, _)| Arc::new(metadata))
}

/// Reads row groups, `columns` only.
pub fn open(file: &DataFile, selection: &Selection, columns: &[String], batch_rows: usize, sources: &Sources) -> Result<Batches> {
    let opened = Opened::new(file, sources)?;
    let count = opened.arrow.metadata().num_row_groups();
    let left: VecDeque<usize> = match selection {
        Selection::All => (0..count).collect(),
        Selection::RowGroups(groups) => groups.iter().copied().collect(),
    };
    if let Some(group) = left.iter().find(|group| **group >= count) {
        return Err(Error::internal(format!("{}: there is no row group {group}", file.name)));
    }
    let roots = projection(opened.shown.fields(), columns);
    let mask = ProjectionMask::roots(opened.arrow.parquet_schema(), roots);
    let pinned = opened.pinned.clone();
    let mut groups = Groups {
        opened,
        mask,
        batch_rows: batch_rows.max(1),
        left,
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
    arrow: ArrowReaderMetadata,
    int96: Option<int96::Leaves>,
    /// INT96 in the other unit, where both are needed.
    again: Option<ArrowReaderMetadata>,
    /// The schema of the batches.
    shown: SchemaRef,
}

impl Opened {
    fn new(file: &DataFile, sources: &Sources) -> Result<Opened> {
        let pinned = PinnedFile::open(file, sources)?;
        let opened = guarded(&pinned, || Opened::read(file, &pinned, sources))?;
        pinned.check()?;
        Ok(opened)
    }

    fn read(file: &DataFile, pinned: &Arc<PinnedFile>, sources: &Sources) -> Result<Opened> {
        let (metadata, tail) = read_footer(pinned)?;
        let metadata = Arc::new(metadata);
        let arrow = ArrowReaderMetadata::try_new(metadata.clone(), ArrowReaderOptions::new()).map_err(|e| pinned.blame(e))?;
        unique_names(&file.name, arrow.schema().fields())?;
        let int96 = int96::Leaves::of(file, pinned, &metadata, &sources.int96_forms)?;
        let as_schema = |schema: SchemaRef| {
            let options = ArrowReaderOptions::new().with_schema(schema);
            ArrowReaderMetadata::try_new(metadata.clone(), options).map_err(|e| pinned.blame(e))
        };
        let (shown, arrow, again) = match &int96 {
            None => (arrow.schema().clone(), arrow, None),
            Some(leaves) => (
                leaves.shown(arrow.schema()),
                as_schema(leaves.retype(arrow.schema()))?,
                leaves.retype_again(arrow.schema()).map(as_schema).transpose()?,
            ),
        };
        Ok(Opened {
            pinned: pinned.clone(),
            tail,
            arrow,
            int96,
            again,
            shown,
        })
    }
}

fn read_footer(pinned: &Arc<PinnedFile>) -> Result<(ParquetMetaData, Chunks)> {
    let size = pinned.size_bytes();
    if size < MIN_FILE_BYTES {
        return Err(Error::input(format!(
            "{}: {size} bytes are no Parquet file; it was not written to its end",
            pinned.name()
        )));
    }
    let tail = size.saturating_sub(TAIL_BYTES)..size;
    let chunks = Chunks::new(pinned.clone(), vec![tail.clone()], TAIL_BYTES);
    chunks.load(&[tail])?;
    // Nothing reads the statistics, so malformed ones do no harm.
    let options = ParquetMetaDataOptions::default()
        .with_column_stats_policy(ParquetStatisticsPolicy::SkipAll)
        .with_size_stats_policy(ParquetStatisticsPolicy::SkipAll);
    let metadata = ParquetMetaDataReader::new()
        .with_page_index_policy(PageIndexPolicy::Skip)
        .with_metadata_options(Some(options))
        .parse_and_finish(&chunks)
        .map_err(|e| pinned.blame(e))?;
    let rows = checked_rows(pinned, &metadata)?;
    Ok((with_rows(metadata, rows), chunks))
}

/// Some writers leave the file's own number of rows at 0, and the decoder then reads none.
fn with_rows(metadata: ParquetMetaData, rows: i64) -> ParquetMetaData {
    let file = metadata.file_metadata();
    if file.num_rows() == rows {
        return metadata;
    }
    let created_by = file.created_by().map(ToString::to_string);
    let (pairs, orders) = (file.key_value_metadata().cloned(), file.column_orders().cloned());
    let file = FileMetaData::new(file.version(), rows, created_by, pairs, file.schema_descr_ptr(), orders);
    ParquetMetaData::new(file, metadata.row_groups().to_vec())
}

/// The rows of all row groups. Refuses a footer whose numbers cannot be right, before anything is allocated by them.
fn checked_rows(pinned: &PinnedFile, metadata: &ParquetMetaData) -> Result<i64> {
    let malformed = |what: String| Err(Error::input(format!("{}: the footer is malformed: {what}", pinned.name())));
    let mut rows = 0i64;
    for (index, group) in metadata.row_groups().iter().enumerate() {
        rows = rows.saturating_add(group.num_rows());
        if group.num_rows() < 0 {
            return malformed(format!("row group {index} has {} rows", group.num_rows()));
        }
        for column in group.columns() {
            let start = column
                .dictionary_page_offset()
                .filter(|offset| *offset > 0)
                .unwrap_or(column.data_page_offset());
            let end = start.checked_add(column.compressed_size());
            let inside = start >= 0 && column.compressed_size() >= 0 && end.is_some_and(|end| end as u64 <= pinned.size_bytes());
            if !inside || column.num_values() < 0 {
                return malformed(format!(
                    "column '{}' of row group {index} lies outside the file",
                    column.column_path().string()
                ));
            }
        }
    }
    let promised = metadata.file_metadata().num_rows();
    // Fewer rows than promised are rows lost; more are only a number that was not kept.
    if rows < promised {
        return malformed(format!("its row groups have {rows} rows, the file {promised}"));
    }
    Ok(rows)
}

/// Reads one row group after the other.
#[derive(Debug)]
struct Groups {
    opened: Opened,
    mask: ProjectionMask,
    batch_rows: usize,
    left: VecDeque<usize>,
    current: Option<Current>,
}

/// Decodes a row group, twice in step where INT96 asks for it.
struct Reader {
    first: ParquetRecordBatchReader,
    again: Option<ParquetRecordBatchReader>,
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

struct Current {
    group: usize,
    chunks: Chunks,
    reader: Reader,
    batch_rows: usize,
    rows: u64,
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
                    Some(group) => self.start(group)?,
                    None => return Ok(None),
                },
            };
            match current.reader.next().transpose() {
                Ok(Some(batch)) => {
                    current.rows += batch.num_rows() as u64;
                    self.current = Some(current);
                    if batch.num_rows() > 0 {
                        return Ok(Some(batch));
                    }
                }
                Ok(None) => self.finish(&current)?,
                Err(error) if current.batch_rows > 1 && error.to_string().contains(TOO_LONG) => {
                    let batch_rows = (current.batch_rows / SHRINK).max(1);
                    let reader = self.reader(current.group, &current.chunks, batch_rows, current.rows)?;
                    self.current = Some(Current {
                        reader,
                        batch_rows,
                        ..current
                    });
                }
                Err(error) => return Err(self.opened.pinned.blame(error)),
            }
        }
    }

    fn start(&self, group: usize) -> Result<Current> {
        let Opened {
            pinned,
            tail,
            arrow,
            int96,
            ..
        } = &self.opened;
        let chunks = match pinned.size_bytes() <= TAIL_BYTES {
            // The whole file is there already.
            true => tail.clone(),
            false => Chunks::of_row_group(pinned.clone(), &self.ranges(group))?,
        };
        if let Some(leaves) = int96 {
            leaves.check(pinned, arrow.metadata(), group, &chunks, |leaf| self.mask.leaf_included(leaf))?;
        }
        let batch_rows = self.batch_rows.min(self.affordable_rows(group));
        let reader = self.reader(group, &chunks, batch_rows, 0)?;
        Ok(Current {
            group,
            chunks,
            reader,
            batch_rows,
            rows: 0,
        })
    }

    /// A reader of a row group without its first `skipped` rows.
    fn reader(&self, group: usize, chunks: &Chunks, batch_rows: usize, skipped: u64) -> Result<Reader> {
        let Opened {
            pinned,
            arrow,
            again,
            shown,
            ..
        } = &self.opened;
        let skipped = usize::try_from(skipped).map_err(|_| pinned.blame("a row group has too many rows"))?;
        let reader = |arrow: &ArrowReaderMetadata| {
            ParquetRecordBatchReaderBuilder::new_with_metadata(chunks.clone(), arrow.clone())
                .with_row_groups(vec![group])
                .with_projection(self.mask.clone())
                .with_batch_size(batch_rows)
                .with_offset(skipped)
                .build()
                .map_err(|e| pinned.blame(e))
        };
        Ok(Reader {
            first: reader(arrow)?,
            again: again.as_ref().map(reader).transpose()?,
            shown: shown.clone(),
        })
    }

    /// How many average rows of the wanted columns stay below the size of a batch.
    fn affordable_rows(&self, group: usize) -> usize {
        let group = self.opened.arrow.metadata().row_group(group);
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
        let columns = self.opened.arrow.metadata().row_group(group).columns().iter().enumerate();
        let wanted = columns.filter(|(leaf, _)| self.mask.leaf_included(*leaf));
        wanted
            .map(|(_, column)| column.byte_range())
            .map(|(start, length)| start..start + length)
            .collect()
    }

    fn finish(&self, current: &Current) -> Result<()> {
        let promised = self.opened.arrow.metadata().row_group(current.group).num_rows();
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
mod tests;
