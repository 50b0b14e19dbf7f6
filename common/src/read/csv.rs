//! Reads CSV and TSV as text columns: strictly, in batches, with the line of every row.
//!
//! An unquoted empty field is NULL (the empty string under `empty: text`), `""` is the empty string; a field that is one of
//! `null_values` is NULL where it is not quoted. In a file of one column every line is a row, an empty one too, the last too.
//! In a wider one empty lines at the end are nothing, and elsewhere an error. How fields and records are told apart: see `record`.

mod evidence;
mod findings;
mod record;
mod whole;

pub use evidence::{Evidence, Observer};
pub(super) use evidence::{in_yaml, is_null_mark};
pub use findings::{CsvFindings, csv_findings};
pub(super) use whole::CsvRecords;

use super::decompress::{compression_of, decompress};
use super::encoding::utf8;
use super::source::Source;
use arrow_array::{ArrayRef, RecordBatch, RecordBatchOptions, StringArray};
use arrow_buffer::{NullBufferBuilder, OffsetBuffer};
use arrow_schema::{DataType, Field as ArrowField, Schema, SchemaRef};
use findings::{other_delimiter, quoted};
use record::{Dialect, Field, Scan};
use shadowdiff_core::error::{Error, Result};
use shadowdiff_core::plan::TextRange;
use shadowdiff_core::spec::{CsvOptions, EmptyField, Header};
use std::collections::BTreeSet;
use std::io::Read;
use std::str::Utf8Error;
use std::sync::Arc;

/// A batch ends after about this many bytes of text, however few its rows.
const BATCH_BYTES: usize = 4 * 1024 * 1024;

/// Rows of text, and where they begin.
#[derive(Debug, Clone, PartialEq)]
pub struct TextBatch {
    /// Every column is `Utf8` and nullable.
    pub columns: RecordBatch,
    /// The physical line, from 1, that each row begins in.
    pub lines: Vec<u64>,
}

/// Opens a CSV file and reads its header. `name` is what messages call the file; its end tells the compression where the
/// options do not, `delimiter_default` (a tab for `.tsv`) the delimiter.
pub fn open_csv(
    name: &str,
    bytes: Box<dyn Read + Send>,
    options: &CsvOptions,
    delimiter_default: u8,
    batch_rows: usize,
) -> Result<CsvReader> {
    let dialect = dialect(options, delimiter_default)?;
    let compression = options.compression.unwrap_or_else(|| compression_of(name));
    let plain = utf8(name, Some(&options.encoding), decompress(name, compression, bytes)?)?;
    let mut reader = CsvReader {
        source: Source::new(name, plain),
        dialect,
        nulls: NullMarks::new(options),
        batch_rows: batch_rows.max(1),
        columns: Vec::new(),
        kept: Vec::new(),
        schema: Arc::new(Schema::empty()),
        room: (0, Vec::new()),
        fields: Vec::new(),
        blank_line: None,
        row: 0,
        done: false,
    };
    if options.delimiter.is_none() {
        reader.check_delimiter()?;
    }
    reader.columns = reader.read_header(&options.header)?;
    reader.check_names()?;
    reader.keep(|_| true);
    Ok(reader)
}

/// What is NULL where it is not quoted.
struct NullMarks {
    is_empty_null: bool,
    marks: BTreeSet<Vec<u8>>,
}

impl NullMarks {
    fn new(options: &CsvOptions) -> Self {
        NullMarks {
            is_empty_null: options.empty == EmptyField::Null,
            marks: options.null_values.iter().map(|value| value.clone().into_bytes()).collect(),
        }
    }

    fn has(&self, unquoted: &[u8]) -> bool {
        (unquoted.is_empty() && self.is_empty_null) || (!self.marks.is_empty() && self.marks.contains(unquoted))
    }
}

fn dialect(options: &CsvOptions, delimiter_default: u8) -> Result<Dialect> {
    let delimiter = options.delimiter.unwrap_or(delimiter_default);
    let escape = options.escape.filter(|escape| *escape != options.quote);
    let special = [Some(delimiter), Some(options.quote), escape];
    if special
        .into_iter()
        .flatten()
        .any(|byte| !byte.is_ascii() || byte == b'\n' || byte == b'\r')
    {
        return Err(Error::spec(
            "csv: delimiter, quote and escape must be ASCII characters and no line ends",
        ));
    }
    if delimiter == options.quote || Some(delimiter) == escape {
        return Err(Error::spec("csv: the delimiter must differ from quote and escape"));
    }
    Ok(Dialect {
        delimiter,
        quote: options.quote,
        escape,
    })
}

/// The batches of one CSV file. After an error nothing follows.
pub struct CsvReader {
    source: Source,
    dialect: Dialect,
    nulls: NullMarks,
    batch_rows: usize,
    columns: Vec<String>,
    /// Of the columns, those that batches have.
    kept: Vec<bool>,
    schema: SchemaRef,
    /// How many rows the last batch had, and bytes in each of its columns: the next one has about as many.
    room: (usize, Vec<usize>),
    /// Of the record at the start of the source's window.
    fields: Vec<Field>,
    /// The first of the empty lines just before the source's window; nothing but more of them may follow.
    blank_line: Option<u64>,
    /// The row that was read last, from 1.
    row: u64,
    done: bool,
}

impl std::fmt::Debug for CsvReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CsvReader")
            .field("name", &self.source.name())
            .field("columns", &self.columns)
            .finish_non_exhaustive()
    }
}

impl Iterator for CsvReader {
    type Item = Result<TextBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.done {
            return None;
        }
        let batch = self.read_batch();
        self.done = !matches!(batch, Ok(Some(_)));
        batch.transpose()
    }
}

impl CsvReader {
    /// Makes batches of these columns alone; the others are passed over, whatever is in them.
    pub(super) fn keep(&mut self, is_kept: impl Fn(&str) -> bool) {
        self.kept = self.columns.iter().map(|column| is_kept(column)).collect();
        let kept = self.columns.iter().zip(&self.kept).filter(|(_, kept)| **kept);
        let fields = kept.map(|(column, _)| ArrowField::new(column, DataType::Utf8, true));
        self.schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
    }

    /// Goes on with the records of a part of the file, whose bytes these are.
    pub(super) fn go_to(&mut self, range: &TextRange, bytes: Box<dyn Read + Send>) {
        self.go_on_with(Source::from(self.source.name(), bytes, range.lines_before));
        self.row = range.rows_before;
    }

    /// Goes on with these records of the file.
    pub(super) fn go_on_with(&mut self, source: Source) {
        self.source = source;
    }

    pub(super) fn delimiter(&self) -> u8 {
        self.dialect.delimiter
    }

    /// The names of the columns, in the order of the file.
    pub fn columns(&self) -> &[String] {
        &self.columns
    }

    /// A file whose delimiter is plainly another one would come out as one column, or as rows of differing length.
    fn check_delimiter(&mut self) -> Result<()> {
        self.source.more()?;
        let Some(other) = other_delimiter(self.source.window(), self.source.has_ended(), self.dialect) else {
            return Ok(());
        };
        let (mine, other) = (quoted(self.dialect.delimiter), quoted(other));
        let wrong = self.source.wrong(format!("the fields are separated by {other}, not by {mine}"));
        Err(wrong.advice(format!(
            "write csv: {{delimiter: {other}}}, or csv: {{delimiter: {mine}}} to read them as they are"
        )))
    }

    fn read_header(&mut self, header: &Header) -> Result<Vec<String>> {
        match header {
            Header::Names(names) => Ok(names.clone()),
            Header::Absent => match self.scan()? {
                Scan::Record { .. } => Ok((1..=self.fields.len()).map(|number| format!("column_{number}")).collect()),
                Scan::Blank { .. } => Ok(vec!["column_1".to_owned()]),
                _ => Ok(Vec::new()),
            },
            Header::Present => match self.scan()? {
                Scan::Record { bytes, lines } => {
                    let names = self.fields.iter().map(|field| self.name_in(field)).collect::<Result<_>>()?;
                    self.source.take(bytes, lines);
                    Ok(names)
                }
                Scan::Blank { .. } => Err(self.source.wrong("is empty where the header is expected")),
                _ => Err(Error::input("is empty")
                    .file(self.source.name())
                    .advice("a CSV file needs a header, or csv: {header: false}")),
            },
        }
    }

    fn name_in(&self, field: &Field) -> Result<String> {
        let mut name = Vec::new();
        self.dialect.append(field, self.source.window(), &mut name);
        String::from_utf8(name).map_err(|error| self.not_utf8(self.source.line(), error.as_bytes()))
    }

    fn check_names(&self) -> Result<()> {
        let mut seen = BTreeSet::new();
        match self.columns.iter().find(|column| !seen.insert(column.as_str())) {
            Some(twice) => {
                let wrong = self.source.wrong_at(1, format!("the header has the column `{twice}` twice"));
                Err(wrong.advice("rename one of them"))
            }
            None => Ok(()),
        }
    }

    /// Scans the record at the start of the window, which grows until it holds all of it. Only `Bad` and `More` are dealt with.
    fn scan(&mut self) -> Result<Scan> {
        loop {
            match self.dialect.scan(self.source.window(), self.source.has_ended(), &mut self.fields) {
                Scan::More => self.source.more()?,
                Scan::Bad(why) => return Err(self.source.wrong(why)),
                scan => return Ok(scan),
            }
        }
    }

    /// Goes to the next row, whose fields are told then, and gives its bytes and physical lines; `None` at the end.
    fn next_record(&mut self) -> Result<Option<(usize, u64)>> {
        loop {
            let record = match self.scan()? {
                Scan::Blank { bytes } if self.columns.len() != 1 => {
                    self.blank_line.get_or_insert(self.source.line());
                    self.source.take(bytes, 1);
                    continue;
                }
                Scan::Blank { bytes } => (bytes, 1),
                Scan::Record { bytes, lines } => {
                    self.refuse_blank_line()?;
                    (bytes, lines)
                }
                _ => return Ok(None),
            };
            self.row = self.source.take_jump().unwrap_or(self.row) + 1;
            self.check_width()?;
            return Ok(Some(record));
        }
    }

    /// Shows every value of some columns, by their places, with its line; NULLs are not shown. What is not text is an error.
    pub fn observe(mut self, columns: &[usize], mut show: impl FnMut(usize, &[u8], u64) -> Result<(), Utf8Error>) -> Result<()> {
        let mut unescaped = Vec::new();
        while let Some((bytes, lines)) = self.next_record()? {
            let (window, line) = (self.source.window(), self.source.line());
            for (number, field) in columns.iter().enumerate().map(|(number, at)| (number, &self.fields[*at])) {
                let mut value = &window[field.from..field.to];
                if !field.quoted && self.nulls.has(value) {
                    continue;
                }
                if field.escaped {
                    unescaped.clear();
                    self.dialect.append(field, window, &mut unescaped);
                    value = &unescaped;
                }
                if show(number, value, line).is_err() {
                    return Err(self.not_utf8(line, value).column(&self.columns[columns[number]]));
                }
            }
            self.source.take(bytes, lines);
        }
        Ok(())
    }

    fn read_batch(&mut self) -> Result<Option<TextBatch>> {
        let (rows, room) = (self.room.0, &self.room.1);
        let columns = (0..self.schema.fields().len()).map(|at| TextColumn::new(rows, room.get(at).copied().unwrap_or(0)));
        let mut columns: Vec<TextColumn> = columns.collect();
        let (mut lines, mut bytes_read) = (Vec::with_capacity(rows), 0);
        while lines.len() < self.batch_rows && bytes_read < BATCH_BYTES {
            let Some((bytes, over)) = self.next_record()? else { break };
            self.append_record(&mut columns);
            lines.push(self.source.line());
            self.source.take(bytes, over);
            bytes_read += bytes;
        }
        if lines.is_empty() {
            Ok(None)
        } else {
            self.room = (lines.len(), columns.iter().map(|column| column.values.len()).collect());
            self.finish(columns, lines).map(Some)
        }
    }

    /// A row follows, so the empty lines before it are not the end of the file.
    fn refuse_blank_line(&self) -> Result<()> {
        match self.blank_line {
            Some(line) => {
                let what = format!("is empty where {} fields are expected", self.columns.len());
                Err(self.source.wrong_at(line, what).advice("remove the line"))
            }
            None => Ok(()),
        }
    }

    /// A record has a field a column.
    fn check_width(&self) -> Result<()> {
        let (found, expected) = (self.fields.len(), self.columns.len());
        if found == expected {
            return Ok(());
        }
        let fields = if found == 1 { "field" } else { "fields" };
        let columns = if expected == 1 { "column" } else { "columns" };
        let wrong = self
            .source
            .wrong(format!("has {found} {fields}, but the file has {expected} {columns}"));
        Err(wrong.row(self.row).advice("is a delimiter missing or not quoted?"))
    }

    fn append_record(&self, columns: &mut [TextColumn]) {
        let window = self.source.window();
        let fields = self.fields.iter().zip(&self.kept).filter(|(_, kept)| **kept);
        for ((field, _), column) in fields.zip(columns) {
            if !field.quoted && self.nulls.has(&window[field.from..field.to]) {
                column.push_null();
            } else {
                column.push(&self.dialect, field, window);
            }
        }
    }

    /// Says how the text reads in the encoding that such bytes mostly have, so that a person sees whether it is the right one.
    fn not_utf8(&self, line: u64, bytes: &[u8]) -> Error {
        let bytes = &bytes[..bytes.len().min(40)];
        let shown = String::from_utf8_lossy(bytes);
        let western = encoding_rs::WINDOWS_1252.decode_without_bom_handling(bytes).0;
        let wrong = self.source.wrong_at(line, format!("`{shown}` is not UTF-8"));
        wrong.advice(format!(
            "in windows-1252 it reads `{western}`: if that is right, write csv: {{encoding: windows-1252}}, else name the file's encoding \
             there, or write it as UTF-8"
        ))
    }

    fn finish(&self, columns: Vec<TextColumn>, lines: Vec<u64>) -> Result<TextBatch> {
        // The first line with bytes that are no text, whatever its column.
        let bad = columns
            .iter()
            .enumerate()
            .filter_map(|(i, column)| column.first_not_utf8().map(|row| (row, i)))
            .min();
        if let Some((row, i)) = bad {
            return Err(self.not_utf8(lines[row], columns[i].value(row)).column(self.schema.field(i).name()));
        }
        let rows = lines.len();
        let arrays = columns.into_iter().map(TextColumn::finish).collect();
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        let batch = RecordBatch::try_new_with_options(Arc::clone(&self.schema), arrays, &options);
        let columns = batch.map_err(|error| Error::internal(error.to_string()).file(self.source.name()))?;
        Ok(TextBatch { columns, lines })
    }
}

/// What separates fields where the options do not say it.
pub(super) fn default_delimiter(name: &str) -> u8 {
    if name.to_ascii_lowercase().contains(".tsv") { b'\t' } else { b',' }
}

/// The texts of one column of a batch. Its offsets fit 32 bits: a batch is 4 MiB and one record of at most 64 MiB.
struct TextColumn {
    values: Vec<u8>,
    offsets: Vec<i32>,
    nulls: NullBufferBuilder,
}

impl TextColumn {
    fn new(rows: usize, bytes: usize) -> Self {
        let mut offsets = Vec::with_capacity(rows + 1);
        offsets.push(0);
        TextColumn {
            // Some more, or a little more would make it twice as large.
            values: Vec::with_capacity(bytes + bytes / 16),
            offsets,
            nulls: NullBufferBuilder::new(rows),
        }
    }

    fn push(&mut self, dialect: &Dialect, field: &Field, window: &[u8]) {
        dialect.append(field, window, &mut self.values);
        self.offsets.push(self.values.len() as i32);
        self.nulls.append_non_null();
    }

    fn push_null(&mut self) {
        self.offsets.push(self.values.len() as i32);
        self.nulls.append_null();
    }

    fn value(&self, row: usize) -> &[u8] {
        &self.values[self.offsets[row] as usize..self.offsets[row + 1] as usize]
    }

    /// Checks all bytes at once where they are ASCII, else value by value: a character may not span two of them.
    fn first_not_utf8(&self) -> Option<usize> {
        if self.values.is_ascii() {
            return None;
        }
        (0..self.offsets.len() - 1).find(|row| std::str::from_utf8(self.value(*row)).is_err())
    }

    fn finish(mut self) -> ArrayRef {
        let offsets = OffsetBuffer::new(self.offsets.into());
        Arc::new(StringArray::new(offsets, self.values.into(), self.nulls.finish()))
    }
}

#[cfg(test)]
mod tests;
