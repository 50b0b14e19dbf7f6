//! Reads the footer of a Parquet file, refuses what cannot be right, and mends what writers are known to have got wrong.

use super::chunks::Chunks;
use super::trim::trimmed;
use crate::read::pinned::PinnedFile;
use ::parquet::errors::Result as ParquetResult;
use ::parquet::file::metadata::{
    ColumnChunkMetaData, FileMetaData, PageIndexPolicy, ParquetMetaData, ParquetMetaDataOptions, ParquetMetaDataReader,
    ParquetStatisticsPolicy, RowGroupMetaData,
};
use ::parquet::file::reader::{ChunkReader, Length};
use shadowdiff_core::error::{Error, Result};
use std::sync::Arc;

/// Shortest file: magic, length of the footer, magic.
const MIN_FILE_BYTES: u64 = 12;
/// Length of the footer, magic.
const TRAILER_BYTES: u64 = 8;
/// What is read of the end of a file at first; longer footers cost one read more.
pub(super) const TAIL_BYTES: u64 = 256 << 10;

/// The footer without statistics, and the end of the file that was read for it. Malformed statistics do no harm where none are read.
pub(super) fn read_footer(pinned: &Arc<PinnedFile>) -> Result<(ParquetMetaData, Chunks)> {
    read_footer_with(pinned, ParquetStatisticsPolicy::SkipAll)
}

/// The same with some statistics of columns, or with none where they are malformed.
pub(super) fn read_footer_with(pinned: &Arc<PinnedFile>, statistics: ParquetStatisticsPolicy) -> Result<(ParquetMetaData, Chunks)> {
    let size = pinned.size_bytes();
    if size < MIN_FILE_BYTES {
        return Err(Error::input(format!("{size} bytes are no Parquet file"))
            .file(pinned.name())
            .advice("it was not written to its end"));
    }
    let tail = tail(size);
    let chunks = Chunks::new(pinned.clone(), vec![tail.clone()], TAIL_BYTES);
    chunks.load(&[tail])?;
    let options = ParquetMetaDataOptions::default()
        .with_column_stats_policy(statistics)
        .with_size_stats_policy(ParquetStatisticsPolicy::SkipAll);
    let metadata = ParquetMetaDataReader::new()
        .with_page_index_policy(PageIndexPolicy::Skip)
        .with_metadata_options(Some(options))
        .parse_and_finish(&chunks)
        .or_else(|error| without_unread(&chunks).ok_or(error))
        .map_err(|e| pinned.blame(e))?;
    let metadata = with_dictionaries_found(metadata).map_err(|e| pinned.blame(e))?;
    let rows = checked_rows(pinned, &metadata)?;
    Ok((with_rows(metadata, rows), chunks))
}

/// What is read of the end of a file of this size at first.
pub(super) fn tail(size_bytes: u64) -> std::ops::Range<u64> {
    size_bytes.saturating_sub(TAIL_BYTES)..size_bytes
}

/// The footer once more, without what is not read of it.
fn without_unread(chunks: &Chunks) -> Option<ParquetMetaData> {
    let trailer = chunks.len().checked_sub(TRAILER_BYTES)?;
    let length = chunks.get_bytes(trailer, TRAILER_BYTES as usize).ok()?;
    let length = u32::from_le_bytes(*length.first_chunk()?);
    let footer = chunks.get_bytes(trailer.checked_sub(u64::from(length))?, length as usize).ok()?;
    ParquetMetaDataReader::decode_metadata(&trimmed(&footer)?).ok()
}

/// parquet-mr left the offset of the dictionary page out, wrote 0, or wrote that of the data pages for both. The pages lie
/// at the offset of the data pages then, the dictionary first. A chunk of no values may have a dictionary and no data pages.
fn with_dictionaries_found(metadata: ParquetMetaData) -> ParquetResult<ParquetMetaData> {
    let is_wrong = |column: &ColumnChunkMetaData| {
        let offset = column.dictionary_page_offset();
        let has_data = column.data_page_offset() > 0;
        offset.is_some_and(|offset| offset <= 0 || (has_data && offset >= column.data_page_offset()))
    };
    if !metadata.row_groups().iter().flat_map(RowGroupMetaData::columns).any(is_wrong) {
        return Ok(metadata);
    }
    let groups = metadata.row_groups().iter().map(|group| {
        let columns = group.columns().iter().map(|column| match is_wrong(column) {
            true => column.clone().into_builder().set_dictionary_page_offset(None).build(),
            false => Ok(column.clone()),
        });
        let columns = columns.collect::<ParquetResult<_>>()?;
        group.clone().into_builder().set_column_metadata(columns).build()
    });
    let groups = groups.collect::<ParquetResult<_>>()?;
    Ok(ParquetMetaData::new(metadata.file_metadata().clone(), groups))
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
    let malformed = |what: String| Err(Error::input(format!("the footer is malformed: {what}")).file(pinned.name()));
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
                let outside = malformed(format!("row group {index} of it lies outside the file"));
                return outside.map_err(|error| error.column(column.column_path().string()));
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
