//! Writes a Parquet file: rows in groups of a fixed size, however they come, so that its bytes depend on the rows alone.

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use arrow_select::coalesce::BatchCoalescer;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use shadowdiff_core::error::{Error, Result};
use std::io::Write;

/// Rows that are written at a time.
const BATCH_ROWS: usize = 8192;
/// Rows of a group: what the writer holds, compressed, until it is full.
const GROUP_ROWS: usize = 256 << 10;

/// A Parquet file in the making.
pub struct TableWriter<W: Write + Send> {
    writer: ArrowWriter<W>,
    pending: BatchCoalescer,
}

impl<W: Write + Send> std::fmt::Debug for TableWriter<W> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TableWriter").finish_non_exhaustive()
    }
}

fn failed(error: ParquetError) -> Error {
    Error::exhausted(format!("the table of differences cannot be written: {error}")).field("output")
}

impl<W: Write + Send> TableWriter<W> {
    pub fn new(out: W, schema: SchemaRef) -> Result<Self> {
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(ZstdLevel::default()))
            .set_max_row_group_row_count(Some(GROUP_ROWS))
            .build();
        Ok(TableWriter {
            pending: BatchCoalescer::new(schema.clone(), BATCH_ROWS),
            writer: ArrowWriter::try_new(out, schema, Some(properties)).map_err(failed)?,
        })
    }

    pub fn write(&mut self, rows: RecordBatch) -> Result<()> {
        self.pending
            .push_batch(rows)
            .map_err(|e| Error::internal(format!("rows of the table of differences: {e}")))?;
        self.write_completed()
    }

    fn write_completed(&mut self) -> Result<()> {
        while let Some(batch) = self.pending.next_completed_batch() {
            self.writer.write(&batch).map_err(failed)?;
        }
        Ok(())
    }

    /// Writes what is left, and the footer.
    pub fn finish(mut self) -> Result<()> {
        self.pending
            .finish_buffered_batch()
            .map_err(|e| Error::internal(format!("rows of the table of differences: {e}")))?;
        self.write_completed()?;
        self.writer.close().map(|_| ()).map_err(failed)
    }
}
