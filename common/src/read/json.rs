//! Reads JSON lines: one object a line, with every number and text as it is written.
//!
//! Twice: the first pass ([`scan_json`]) tells the shape of each field, the second ([`open_json`]) gives batches in the
//! types that were made of the shapes of both sides. Empty lines are skipped, a missing field is NULL.

mod build;
mod flat;
mod layout;
mod shape;
mod tree;

pub use shape::JsonShape;

use super::encoding::utf8;
use super::source::Source;
use arrow_array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow_schema::{Field, Schema, SchemaRef};
use build::{BadField, Kinds, Scalars};
use layout::Layouts;
use shadowdiff_core::error::{Error, Result};
use shadowdiff_core::value::ValueType;
use shape::LineShapes;
use std::io::Read;
use std::sync::Arc;
use tree::{Json, Malformed, Members};

/// A batch ends after about this many bytes of JSON, however few its rows.
const BATCH_BYTES: usize = 4 * 1024 * 1024;

/// The shape of the lines, always an `Object`; of fields that are passed over it has the names alone.
pub fn scan_json(lines: JsonLines, passed_over: impl Fn(&str) -> bool) -> Result<JsonShape> {
    let [_, shape] = scan_json_apart(lines, |_| false, passed_over)?;
    Ok(shape)
}

/// The same of the lines that are chosen, by their numbers from 0, and of the others. What clashes is told of lines of one group alone.
pub(super) fn scan_json_apart(
    mut lines: JsonLines,
    is_chosen: impl Fn(usize) -> bool,
    passed_over: impl Fn(&str) -> bool,
) -> Result<[JsonShape; 2]> {
    let mut shapes = LineShapes::default();
    let mut layouts = Layouts::default();
    let mut number = 0;
    while let Some(line) = lines.next_line()? {
        let mut fields = lines.object(line, layouts.expected())?;
        let found = layouts.of(&fields, || {
            let is_passed_over: Vec<bool> = fields.iter().map(|(name, _)| passed_over(name)).collect();
            shapes.places(&fields).into_iter().zip(is_passed_over).collect::<Vec<_>>()
        });
        let Some(places) = found else { return Err(lines.field_twice(line)) };
        let group = usize::from(!is_chosen(number));
        number += 1;
        for ((name, value), (place, is_passed_over)) in fields.iter_mut().zip(places) {
            match value {
                _ if *is_passed_over => *value = Json::Null,
                Json::Object(_) => value.clear_inside(name, &passed_over),
                _ => {}
            }
            let observed = shapes.observe(*place, group, value);
            observed.map_err(|clash| {
                let source = &lines.source;
                clash.into_error().file(source.name()).line(source.line())
            })?;
        }
    }
    Ok(shapes.into_shapes())
}

/// Reads the fields that `target` names, top-level names only, in the storage form of their types. Other fields are passed over.
pub fn open_json(lines: JsonLines, target: &[(String, ValueType)], batch_rows: usize) -> JsonReader {
    let fields = target.iter().map(|(name, kind)| Field::new(name, kind.storage(), true));
    JsonReader {
        lines,
        schema: Arc::new(Schema::new(fields.collect::<Vec<_>>())),
        columns: target.iter().map(|(name, value_type)| Column::new(name, value_type)).collect(),
        layouts: Layouts::default(),
        kinds: Kinds::default(),
        batch_rows: batch_rows.max(1),
        done: false,
    }
}

/// The batches of one file of JSON lines. After an error nothing follows.
pub struct JsonReader {
    lines: JsonLines,
    columns: Vec<Column>,
    /// Where in a line each column stands.
    layouts: Layouts<Vec<Option<usize>>>,
    schema: SchemaRef,
    kinds: Kinds,
    batch_rows: usize,
    done: bool,
}

impl std::fmt::Debug for JsonReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("JsonReader")
            .field("name", &self.lines.source.name())
            .field("schema", &self.schema)
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

/// A field that is read, and its values in the batch that is being made.
#[derive(Debug)]
struct Column {
    name: String,
    value_type: ValueType,
    values: Values,
}

#[derive(Debug)]
enum Values {
    Scalar(Scalars),
    Nested(Vec<Option<Json<'static>>>),
}

impl Column {
    fn new(name: &str, value_type: &ValueType) -> Self {
        Column {
            name: name.to_owned(),
            value_type: value_type.clone(),
            values: match value_type.is_nested() {
                true => Values::Nested(Vec::new()),
                false => Values::Scalar(Scalars::default()),
            },
        }
    }

    /// The error says what is wrong with the value.
    fn push(&mut self, value: Option<&Json<'_>>) -> std::result::Result<(), String> {
        match &mut self.values {
            Values::Scalar(scalars) => scalars.push(value, &self.value_type),
            Values::Nested(values) => {
                values.push(value.filter(|value| **value != Json::Null).map(|value| value.clone().into_owned()));
                Ok(())
            }
        }
    }

    fn finish(&mut self, kinds: &mut Kinds) -> std::result::Result<ArrayRef, BadField> {
        match &mut self.values {
            Values::Scalar(scalars) => scalars.finish(&self.value_type, &self.name),
            Values::Nested(values) => {
                let values = std::mem::take(values);
                let values: Vec<Option<&Json<'_>>> = values.iter().map(Option::as_ref).collect();
                kinds.build(&values, &self.value_type, &self.name)
            }
        }
    }
}

impl JsonReader {
    fn read_batch(&mut self) -> Result<Option<RecordBatch>> {
        let (mut numbers, mut bytes_read) = (Vec::new(), 0);
        while numbers.len() < self.batch_rows && bytes_read < BATCH_BYTES {
            let Some(line) = self.lines.next_line()? else { break };
            self.append(line)?;
            numbers.push(self.lines.source.line());
            bytes_read += line;
        }
        if numbers.is_empty() {
            return Ok(None);
        }
        let source = &self.lines.source;
        let kinds = &mut self.kinds;
        let arrays = self.columns.iter_mut().map(|column| {
            let built = column.finish(kinds);
            built.map_err(|bad| source.wrong_at(numbers[bad.row], bad.what).column(bad.path))
        });
        let arrays = arrays.collect::<Result<Vec<_>>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(numbers.len()));
        let batch = RecordBatch::try_new_with_options(Arc::clone(&self.schema), arrays, &options);
        batch
            .map(Some)
            .map_err(|error| Error::internal(error.to_string()).file(self.lines.source.name()))
    }

    fn append(&mut self, line: usize) -> Result<()> {
        let JsonReader {
            lines, columns, layouts, ..
        } = self;
        let fields = lines.object(line, layouts.expected())?;
        let found = layouts.of(&fields, || {
            let place = |column: &Column| fields.iter().position(|(name, _)| *name == column.name);
            columns.iter().map(place).collect()
        });
        let Some(places) = found else { return Err(lines.field_twice(line)) };
        for (column, place) in columns.iter_mut().zip(places) {
            let value = place.map(|place| &fields[place].1);
            column.push(value).map_err(|what| lines.source.wrong(what).column(&column.name))?;
        }
        Ok(())
    }
}

/// The objects of a file, or of a part of it, a line each.
pub struct JsonLines {
    source: Source,
    /// Of the line that was gone to last, with its end.
    given: usize,
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
            given: 0,
        })
    }

    /// Some lines of a file.
    pub(super) fn from(source: Source) -> Self {
        JsonLines { source, given: 0 }
    }

    /// Goes to the next line that is not empty; gives its bytes, without its end.
    fn next_line(&mut self) -> Result<Option<usize>> {
        loop {
            if self.given > 0 {
                self.source.take(std::mem::take(&mut self.given), 1);
            }
            let window = self.source.window();
            let length = match memchr::memchr(b'\n', window) {
                Some(length) => {
                    self.given = length + 1;
                    length
                }
                None if !self.source.has_ended() => {
                    self.source.more()?;
                    continue;
                }
                None if window.is_empty() => return Ok(None),
                None => {
                    self.given = window.len();
                    window.len()
                }
            };
            if !window[..length].iter().all(u8::is_ascii_whitespace) {
                return Ok(Some(length));
            }
        }
    }

    /// The fields of the line of so many bytes, as they stand; `expected`: plain names that they may have.
    fn object<'a>(&'a self, line: usize, expected: &[String]) -> Result<Members<'a>> {
        let text = self.text(line)?;
        if let Some(members) = flat::read(text, expected) {
            return Ok(members);
        }
        match tree::parse_line(text) {
            Ok(Json::Object(members)) => Ok(members),
            Ok(other) => Err(self
                .source
                .wrong(format!("is {}, but JSON lines are expected: one object per line", other.kind()))),
            Err(malformed) => Err(self.malformed(line, malformed)),
        }
    }

    fn text(&self, line: usize) -> Result<&str> {
        let text = std::str::from_utf8(&self.source.window()[..line]);
        text.map_err(|_| self.source.wrong("is not UTF-8").advice("write the file as UTF-8"))
    }

    /// The error for a line with a field that is there twice.
    fn field_twice(&self, line: usize) -> Error {
        match self.text(line).map(tree::parse) {
            Ok(Err(malformed)) => self.malformed(line, malformed),
            Ok(Ok(_)) => Error::internal("a field that was there twice is not").file(self.source.name()),
            Err(error) => error,
        }
    }

    fn malformed(&self, line: usize, malformed: Malformed) -> Error {
        if self.source.line() == 1 && self.source.window()[..line].trim_ascii_start().starts_with(b"[") {
            return self
                .source
                .wrong("begins one JSON array, but JSON lines are expected: one object per line");
        }
        let wrong = self.source.wrong(malformed.what).character(malformed.character);
        wrong.advice("write one whole object per line")
    }
}

#[cfg(test)]
mod tests;
