//! Reads the datasets of a comparison: which files they are, what columns the files have, and their rows.
//!
//! Batches come with the types that the file has; aligning types is not done here. All reading functions block, except
//! where they are `async`: call them from a thread that is no runtime worker (`spawn_blocking`, or a thread of one's own).
//! Every read checks the file's pin, and every file is taken as possibly malformed: an error names it, nothing panics.

pub mod arrow_ipc;
pub mod avro;
mod checks;
mod columns;
pub mod csv;
pub mod dataset;
pub mod decompress;
mod encoding;
mod held;
pub mod json;
pub mod parquet;
pub mod pinned;
mod raw;
pub mod requests;
mod same_rows;
mod source;
#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "a test sees its own panics")]
mod testing;
mod text_pieces;

use crate::store::Stores;
use crate::tasks::blocking;
use arrow_array::RecordBatch;
use arrow_schema::Field;
pub use checks::refusal;
pub use columns::read_column;
pub use csv::{CsvFindings, csv_findings};
pub use dataset::{DataFile, Dataset, Form, Format, Overlap, held_file, list, meets, task_names};
pub use held::Held;
pub use raw::{Raw, RawBatches, json_shape, json_shapes, open_csv_file, open_raw};
pub use same_rows::{LeftRows, PartRows, TextPart, same_rows};
use shadowdiff_core::error::{Error, Result};
use shadowdiff_core::plan::TextRange;
use shadowdiff_core::value::ValueType;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
pub use text_pieces::{TEXT_PIECE_BYTES, TextPiece, text_pieces};
use tokio::runtime::Handle;

/// What a reader needs of its process: the stores, and the runtime that drives their requests.
#[derive(Debug, Clone)]
pub struct Sources {
    pub stores: Arc<Stores>,
    pub runtime: Handle,
    /// Bytes of datasets that were read so far, as stored.
    pub bytes_read: Arc<AtomicU64>,
    /// Those of one task among them.
    task_bytes: Option<Arc<AtomicU64>>,
    /// What a task holds of objects.
    held: Option<Held>,
    /// Bytes of text files that are read whole to find their types, as stored; more as planning goes on.
    pub bytes_for_types: Arc<AtomicU64>,
    pub(crate) int96_forms: Arc<parquet::Int96Forms>,
    text_piece_bytes: u64,
}

impl Sources {
    pub fn new(stores: Arc<Stores>, runtime: Handle) -> Self {
        Sources {
            stores,
            runtime,
            bytes_read: Arc::default(),
            task_bytes: None,
            held: None,
            bytes_for_types: Arc::default(),
            int96_forms: Arc::default(),
            text_piece_bytes: TEXT_PIECE_BYTES,
        }
    }

    /// The same for one task, whose bytes are counted for themselves too, and which reads what it holds from memory.
    #[must_use]
    pub fn of_task(&self, task_bytes: &Arc<AtomicU64>, held: &Held) -> Self {
        Sources {
            task_bytes: Some(Arc::clone(task_bytes)),
            held: Some(held.clone()),
            ..self.clone()
        }
    }

    pub(crate) fn counters(&self) -> Vec<Arc<AtomicU64>> {
        std::iter::once(&self.bytes_read).chain(&self.task_bytes).cloned().collect()
    }

    /// The same, with text files cut into pieces of about so many bytes.
    #[must_use]
    pub fn with_text_pieces(self, bytes: u64) -> Self {
        Sources {
            text_piece_bytes: bytes,
            ..self
        }
    }
}

/// The columns of one file, and the pieces it can be read in.
#[derive(Debug, Clone, PartialEq)]
pub struct FileSchema {
    /// In the order of the file.
    pub fields: Vec<Field>,
    /// The columns that cannot be read, and why; their types say nothing.
    pub refused: BTreeMap<String, String>,
    /// Marked by Spark as of its legacy calendar: its dates before 1582-10-15 are other days than they seem.
    pub legacy_calendar: bool,
    /// Row groups of Parquet, record batches of an Arrow IPC file; empty where a file can only be read as a whole.
    pub row_groups: Vec<RowGroup>,
    /// `None` where only reading would tell.
    pub rows: Option<u64>,
}

/// A piece of a file that can be read alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RowGroup {
    pub rows: u64,
    pub compressed_bytes: u64,
    pub uncompressed_bytes: u64,
}

/// Which rows of a file to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selection {
    All,
    /// Indexes into `FileSchema::row_groups`, read in this order.
    RowGroups(Vec<usize>),
    /// Of a Parquet file some rows of some row groups: their numbers among all rows of these, ascending.
    Rows {
        groups: Vec<usize>,
        rows: Vec<u64>,
    },
    /// A part of a text file.
    Text(TextRange),
    /// Some rows of a text file.
    LeftRows(LeftRows),
}

/// Which rows of a text file to read.
#[derive(Debug, Clone, Copy)]
pub enum TextRows<'a> {
    All,
    Part(&'a TextRange),
    Left(&'a LeftRows),
}

impl<'a> From<Option<&'a TextRange>> for TextRows<'a> {
    fn from(part: Option<&'a TextRange>) -> Self {
        part.map_or(TextRows::All, TextRows::Part)
    }
}

impl Selection {
    fn text(&self) -> TextRows<'_> {
        match self {
            Selection::Text(range) => TextRows::Part(range),
            Selection::LeftRows(left) => TextRows::Left(left),
            Selection::All | Selection::RowGroups(_) | Selection::Rows { .. } => TextRows::All,
        }
    }
}

/// Batches in the order of the file. After an error nothing follows.
pub type Batches = Box<dyn Iterator<Item = Result<RecordBatch>> + Send>;

/// The schema of one Parquet, Arrow IPC or Avro file, read on the blocking pool.
pub async fn schema(format: Format, file: &DataFile, sources: &Sources) -> Result<FileSchema> {
    let (file, sources) = (file.clone(), sources.clone());
    let read = move || match format {
        Format::Parquet => parquet::schema(&file, &sources),
        Format::ArrowIpc => arrow_ipc::schema(&file, &sources),
        Format::Avro => avro::schema(&file, &sources),
        Format::Csv | Format::Json => Err(text_has_no_schema(&file)),
    };
    blocking("reading a schema", read).await
}

/// A top-level column that is read of a file.
#[derive(Debug, Clone)]
pub struct WantedColumn {
    pub name: String,
    /// The type that it is to become; only JSON converts at once.
    pub value_type: ValueType,
    /// Whether it may come in a compact form of its type, where it is stored so.
    pub may_be_compact: bool,
}

/// Opens the `selection` of one Parquet, Arrow IPC or Avro file, top-level `columns` only. Names that the file lacks are
/// passed over; the batches have the columns in the order of the file, and no column at all if none is asked for.
pub fn open(
    format: Format,
    file: &DataFile,
    selection: &Selection,
    columns: &[String],
    batch_rows: usize,
    sources: &Sources,
) -> Result<Batches> {
    match format {
        Format::Parquet => parquet::open(file, selection, columns, &[], batch_rows, sources),
        Format::ArrowIpc => arrow_ipc::open(file, selection, columns, batch_rows, sources),
        Format::Avro => avro::open(file, selection, columns, batch_rows, sources),
        Format::Csv | Format::Json => Err(text_has_no_schema(file)),
    }
}

fn text_has_no_schema(file: &DataFile) -> Error {
    Error::internal(format!("{}: a text file was given to a reader of binary files", file.name))
}
