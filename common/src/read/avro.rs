//! Reads Avro object container files, as a whole.
//!
//! The decoder takes a file that ends inside a block for a complete one, so the block frames are checked beside it.

mod frames;

use super::checks::{batches, guarded, owned, projection, unique_names};
use super::dataset::DataFile;
use super::pinned::PinnedFile;
use super::{Batches, FileSchema, Selection, Sources};
use arrow_array::RecordBatch;
use arrow_avro::reader::{Reader, ReaderBuilder, read_header_info};
use arrow_schema::SchemaRef;
use frames::FramedReader;
use shadowdiff_core::error::{Error, Result};
use std::sync::Arc;

const MAGIC: &[u8] = b"Obj\x01";

/// The columns of a file.
pub fn schema(file: &DataFile, sources: &Sources) -> Result<FileSchema> {
    let pinned = PinnedFile::open(file, sources)?;
    let schema = guarded(&pinned, || schema_of(&pinned))?;
    pinned.check()?;
    Ok(FileSchema {
        fields: owned(schema.fields()),
        row_groups: Vec::new(),
        rows: None,
    })
}

/// Reads the rows, `columns` only.
pub fn open(file: &DataFile, selection: &Selection, columns: &[String], batch_rows: usize, sources: &Sources) -> Result<Batches> {
    if let Selection::RowGroups(_) = selection {
        return Err(Error::internal(format!("{}: an Avro file can only be read as a whole", file.name)));
    }
    let pinned = PinnedFile::open(file, sources)?;
    let schema = guarded(&pinned, || schema_of(&pinned))?;
    let wanted = projection(schema.fields(), columns);
    // The decoder needs a column to count rows by, so one is read and dropped where none is wanted.
    let decoded = if wanted.is_empty() { vec![0] } else { wanted.clone() };
    let kept: Vec<usize> = (0..wanted.len()).collect();
    let mut rows = Rows::open(
        &pinned,
        ReaderBuilder::new().with_batch_size(batch_rows.max(1)).with_projection(decoded),
    )?;
    Ok(batches(pinned.clone(), move || {
        let batch = rows.next()?;
        batch.map(|batch| batch.project(&kept).map_err(|e| pinned.blame(e))).transpose()
    }))
}

fn schema_of(pinned: &Arc<PinnedFile>) -> Result<SchemaRef> {
    let rows = Rows::open(pinned, ReaderBuilder::new())?;
    let schema = rows.reader.schema();
    unique_names(pinned.name(), schema.fields())?;
    if schema.fields().is_empty() {
        return Err(Error::input(format!("{}: the records of this file have no fields", pinned.name())));
    }
    Ok(schema)
}

/// The decoder, and how many rows came out of it.
struct Rows {
    pinned: Arc<PinnedFile>,
    reader: Reader<FramedReader>,
    rows: u64,
    promised_rows: frames::PromisedRows,
}

impl Rows {
    fn open(pinned: &Arc<PinnedFile>, builder: ReaderBuilder) -> Result<Rows> {
        let size = pinned.size_bytes();
        if pinned.read(0..size.min(MAGIC.len() as u64))?.as_ref() != MAGIC {
            return Err(Error::input(format!(
                "{}: this is no Avro file; it does not begin with 'Obj'",
                pinned.name()
            )));
        }
        let build = || {
            let header = read_header_info(pinned.reader(0..size)).map_err(|e| pinned.blame(e))?;
            let framed = FramedReader::new(pinned.reader(0..size), header.header_len(), header.sync());
            let promised_rows = framed.promised_rows();
            let reader = builder.build(framed).map_err(|e| pinned.blame(e))?;
            Ok(Rows {
                pinned: pinned.clone(),
                reader,
                rows: 0,
                promised_rows,
            })
        };
        guarded(pinned, build)
    }

    fn next(&mut self) -> Result<Option<RecordBatch>> {
        if let Some(batch) = self.reader.next().transpose().map_err(|e| self.pinned.blame(e))? {
            self.rows += batch.num_rows() as u64;
            return Ok(Some(batch));
        }
        let promised = self.promised_rows.get();
        if self.rows != promised {
            let rows = self.rows;
            return Err(self
                .pinned
                .blame(format!("the file is malformed: its blocks promise {promised} rows and hold {rows}")));
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests;
