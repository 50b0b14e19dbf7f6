//! Reads JSON lines: one object a line, with every number and text as it is written.
//!
//! Twice: the first pass ([`scan_json`]) tells the shape of each field, the second ([`open_json`]) gives batches in the
//! types that were made of the shapes of both sides. Empty lines are skipped, a missing field is NULL.

mod build;
mod shape;
mod tree;

pub use shape::JsonShape;

use super::encoding::utf8;
use super::source::Source;
use arrow_array::{RecordBatch, RecordBatchOptions};
use arrow_schema::{Field, Schema, SchemaRef};
use build::Kinds;
use shadowdiff_core::error::{Error, Result};
use shadowdiff_core::value::ValueType;
use std::io::Read;
use std::sync::Arc;
use tree::Json;

/// A batch ends after about this many bytes of JSON, however few its rows.
const BATCH_BYTES: usize = 4 * 1024 * 1024;

/// The shape of the lines, always an `Object`; of fields that are passed over it has the names alone.
pub fn scan_json(mut lines: JsonLines, passed_over: impl Fn(&str) -> bool) -> Result<JsonShape> {
    let mut shape = JsonShape::default();
    while let Some((line, mut object, _)) = lines.next_object()? {
        object.clear_members(&passed_over);
        shape
            .observe(&object)
            .map_err(|clash| clash.into_error().file(lines.source.name()).line(line))?;
    }
    Ok(shape)
}

/// Reads the fields that `target` names, top-level names only, in the storage form of their types. Other fields are passed over.
pub fn open_json(lines: JsonLines, target: &[(String, ValueType)], batch_rows: usize) -> JsonReader {
    let fields = target.iter().map(|(name, kind)| Field::new(name, kind.storage(), true));
    JsonReader {
        lines,
        schema: Arc::new(Schema::new(fields.collect::<Vec<_>>())),
        target: target.to_vec(),
        kinds: Kinds::default(),
        batch_rows: batch_rows.max(1),
        done: false,
    }
}

/// The batches of one file of JSON lines. After an error nothing follows.
pub struct JsonReader {
    lines: JsonLines,
    target: Vec<(String, ValueType)>,
    schema: SchemaRef,
    kinds: Kinds,
    batch_rows: usize,
    done: bool,
}

impl std::fmt::Debug for JsonReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("JsonReader")
            .field("name", &self.lines.source.name())
            .field("target", &self.target)
            .finish_non_exhaustive()
    }
}

impl Iterator for JsonReader {
    type Item = Result<RecordBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.done {
            return None;
        }
        let batch = self.read_batch();
        self.done = !matches!(batch, Ok(Some(_)));
        batch.transpose()
    }
}

impl JsonReader {
    fn read_batch(&mut self) -> Result<Option<RecordBatch>> {
        let (mut objects, mut numbers, mut bytes_read) = (Vec::new(), Vec::new(), 0);
        while objects.len() < self.batch_rows && bytes_read < BATCH_BYTES {
            let Some((line, object, bytes)) = self.lines.next_object()? else {
                break;
            };
            objects.push(object);
            numbers.push(line);
            bytes_read += bytes;
        }
        if objects.is_empty() {
            return Ok(None);
        }
        let mut columns = Vec::with_capacity(self.target.len());
        for (name, kind) in &self.target {
            let values: Vec<Option<&Json>> = objects.iter().map(|object| object.member(name)).collect();
            let column = self.kinds.build(&values, kind, name);
            columns.push(column.map_err(|bad| self.lines.source.wrong_at(numbers[bad.row], bad.what).column(bad.path))?);
        }
        let options = RecordBatchOptions::new().with_row_count(Some(objects.len()));
        let batch = RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns, &options);
        batch
            .map(Some)
            .map_err(|error| Error::internal(error.to_string()).file(self.lines.source.name()))
    }
}

/// The objects of a file, or of a part of it, a line each.
pub struct JsonLines {
    source: Source,
}

impl std::fmt::Debug for JsonLines {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("JsonLines")
            .field("name", &self.source.name())
            .finish_non_exhaustive()
    }
}

impl JsonLines {
    /// All of a file; `bytes` are decompressed already.
    pub fn open(name: &str, bytes: Box<dyn Read + Send>) -> Result<Self> {
        Ok(JsonLines {
            source: Source::new(name, utf8(name, None, bytes)?),
        })
    }

    /// The lines of a part of a file, whose bytes these are.
    pub(super) fn from(name: &str, bytes: Box<dyn Read + Send>, lines_before: u64) -> Self {
        JsonLines {
            source: Source::from(name, bytes, lines_before),
        }
    }

    /// The next object, its line and its bytes.
    fn next_object(&mut self) -> Result<Option<(u64, Json, usize)>> {
        loop {
            let window = self.source.window();
            let (length, next) = match memchr::memchr(b'\n', window) {
                Some(length) => (length, length + 1),
                None if !self.source.has_ended() => {
                    self.source.more()?;
                    continue;
                }
                None if window.is_empty() => return Ok(None),
                None => (window.len(), window.len()),
            };
            let text = &window[..length];
            let object = if text.iter().all(u8::is_ascii_whitespace) {
                None
            } else {
                Some(self.object(text)?)
            };
            let line = self.source.line();
            self.source.take(next, 1);
            if let Some(object) = object {
                return Ok(Some((line, object, next)));
            }
        }
    }

    fn object(&self, text: &[u8]) -> Result<Json> {
        let text = std::str::from_utf8(text).map_err(|_| self.source.wrong("is not UTF-8").advice("write the file as UTF-8"))?;
        match tree::parse(text) {
            Ok(object @ Json::Object(_)) => Ok(object),
            Ok(other) => Err(self
                .source
                .wrong(format!("is {}, but JSON lines are expected: one object per line", other.kind()))),
            Err(_) if self.source.line() == 1 && text.trim_start().starts_with('[') => Err(self
                .source
                .wrong("begins one JSON array, but JSON lines are expected: one object per line")),
            Err(malformed) => {
                let wrong = self.source.wrong(malformed.what).character(malformed.character);
                Err(wrong.advice("write one whole object per line"))
            }
        }
    }
}

#[cfg(test)]
mod tests;
