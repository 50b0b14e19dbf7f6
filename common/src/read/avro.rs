//! Reads Avro object container files, as a whole.
//!
//! The decoder takes a file that ends inside a block for a complete one, so the block frames are checked beside it. It is
//! given a header of our own, whose schema says the same in a form that it reads as it is meant.

mod frames;
pub(super) mod header;
mod project;
mod schema;

use super::checks::{all_held, batches, guarded, none_refused, owned, projection, refused};
use super::dataset::DataFile;
use super::pinned::PinnedFile;
use super::{Batches, FileSchema, Selection, Sources};
use arrow_array::cast::AsArray;
use arrow_array::types::IntervalMonthDayNanoType;
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_avro::reader::{Reader, ReaderBuilder, read_header_info};
use arrow_schema::{DataType, Field, SchemaRef};
use frames::FramedReader;
use project::ProjectedBlocks;
use schema::Plain;
use shadowdiff_core::error::{Error, Result};
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Cursor, Read};
use std::sync::Arc;

const MAGIC: &[u8] = b"Obj\x01";

/// The columns of a file.
pub fn schema(file: &DataFile, sources: &Sources) -> Result<FileSchema> {
    let pinned = PinnedFile::open(file, sources)?;
    let columns = guarded(&pinned, || Columns::of(&pinned))?;
    pinned.check()?;
    let taken_out = columns.taken_out.iter().map(|name| Field::new(name, DataType::Null, true));
    Ok(FileSchema {
        fields: owned(columns.schema.fields()).into_iter().chain(taken_out).collect(),
        refused: columns.refused,
        legacy_calendar: false,
        row_groups: Vec::new(),
        rows: None,
    })
}

/// Reads the rows, `columns` only.
pub fn open(file: &DataFile, selection: &Selection, columns: &[String], batch_rows: usize, sources: &Sources) -> Result<Batches> {
    if *selection != Selection::All {
        return Err(Error::internal("an Avro file can only be read as a whole").file(&file.name));
    }
    let pinned = PinnedFile::open(file, sources)?;
    let found = guarded(&pinned, || Columns::of(&pinned))?;
    none_refused(pinned.name(), &found.refused, columns)?;
    let wanted = projection(found.schema.fields(), columns);
    // The decoder needs a column to count rows by, so one is read and dropped where none is wanted.
    let decoded = if wanted.is_empty() { vec![0] } else { wanted.clone() };
    let kept: Vec<usize> = (0..wanted.len()).collect();
    let (mut rows, _) = Rows::open(
        &pinned,
        ReaderBuilder::new().with_batch_size(batch_rows.max(1)).with_projection(decoded),
    )?;
    Ok(batches(pinned.clone(), move || {
        let Some(batch) = rows.next()? else { return Ok(None) };
        let batch = batch.project(&kept).map_err(|e| pinned.blame(e))?;
        all_held(&pinned, &batch)?;
        durations_held(&pinned, &batch)?;
        Ok(Some(batch))
    }))
}

/// The columns of a file, and which of them cannot be read.
struct Columns {
    schema: SchemaRef,
    refused: BTreeMap<String, String>,
    /// Columns that are not in the schema, as the decoder does not get them.
    taken_out: Vec<String>,
}

impl Columns {
    fn of(pinned: &Arc<PinnedFile>) -> Result<Columns> {
        let (rows, plain) = Rows::open(pinned, ReaderBuilder::new())?;
        let schema = rows.reader.schema();
        if schema.fields().is_empty() {
            return Err(Error::input("the records of this file have no fields").file(pinned.name()));
        }
        let mut refused = refused(schema.fields());
        refused.extend(plain.refused);
        Ok(Columns {
            schema,
            refused,
            taken_out: plain.taken_out,
        })
    }
}

/// The decoder, and how many rows came out of it.
struct Rows {
    pinned: Arc<PinnedFile>,
    reader: Reader<Box<dyn BufRead + Send>>,
    rows: u64,
    promised_rows: frames::PromisedRows,
}

impl Rows {
    fn open(pinned: &Arc<PinnedFile>, builder: ReaderBuilder) -> Result<(Rows, Plain)> {
        let size = pinned.size_bytes();
        if pinned.read(0..size.min(MAGIC.len() as u64))?.as_ref() != MAGIC {
            return Err(Error::input("this is not an Avro file")
                .file(pinned.name())
                .advice("it does not begin with 'Obj'"));
        }
        let build = || {
            let stored = read_header_info(pinned.reader(0..size)).map_err(|e| pinned.blame(e))?;
            let schema = stored.writer_schema().map_err(|e| pinned.blame(e))?;
            let plain = schema::plain(schema.json_string.as_bytes()).map_err(|e| pinned.blame(e))?;
            let codec = stored.compression().map_err(|e| pinned.blame(e))?;
            let blocks = pinned.reader(stored.header_len()..size);
            let header = |codec| header::with_schema(stored.sync(), codec, &plain.json);
            let before = if plain.projection.is_none() { header(codec) } else { Vec::new() };
            let framed = FramedReader::new(before, blocks, stored.sync());
            let promised_rows = framed.promised_rows();
            let given: Box<dyn BufRead + Send> = match plain.projection.clone() {
                None => Box::new(framed),
                Some(projection) => {
                    let blocks = BufReader::new(ProjectedBlocks::new(framed, codec, projection));
                    Box::new(Cursor::new(header(None)).chain(blocks))
                }
            };
            let reader = builder.build(given).map_err(|e| pinned.blame(e))?;
            let rows = Rows {
                pinned: pinned.clone(),
                reader,
                rows: 0,
                promised_rows,
            };
            Ok((rows, plain))
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

/// Months and days of a duration are unsigned in a file, and signed where they are compared.
fn durations_held(pinned: &PinnedFile, batch: &RecordBatch) -> Result<()> {
    let fields = batch.schema_ref().fields().iter();
    match fields.zip(batch.columns()).find(|(_, array)| has_negative(array)) {
        None => Ok(()),
        Some((field, _)) => Err(pinned.blame(format!(
            "column `{}` has a duration of more months or days than the 2147483647 that can be held",
            field.name()
        ))),
    }
}

fn has_negative(array: &ArrayRef) -> bool {
    match array.data_type() {
        DataType::Interval(_) => {
            let mut durations = array.as_primitive::<IntervalMonthDayNanoType>().iter().flatten();
            durations.any(|duration| duration.months < 0 || duration.days < 0)
        }
        DataType::List(_) => has_negative(array.as_list::<i32>().values()),
        DataType::Map(_, _) => array.as_map().entries().columns().iter().any(has_negative),
        DataType::Struct(_) => array.as_struct().columns().iter().any(has_negative),
        _ => false,
    }
}

#[cfg(test)]
mod tests;
