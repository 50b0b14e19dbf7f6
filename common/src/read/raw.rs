//! Opens a file of any format for a scan: binary formats give their own types, CSV gives text with line numbers, JSON lines the wanted types.

use super::csv::{CsvReader, default_delimiter, open_csv};
use super::dataset::{DataFile, Form, Format};
use super::decompress::decompress;
use super::json::{JsonLines, JsonShape, open_json, scan_json, scan_json_apart};
use super::pinned::PinnedFile;
use super::same_rows::{TextPart, same_rows};
use super::source::Source;
use super::{Selection, Sources, TextRows, WantedColumn, open, parquet};
use arrow_array::RecordBatch;
use shadowdiff_core::error::Result;
use shadowdiff_core::side::Sides;
use shadowdiff_core::spec::CsvOptions;
use shadowdiff_core::value::{TextForm, ValueType};
use std::io::Read;
use std::sync::Arc;

/// Rows as a file gives them.
#[derive(Debug, Clone)]
pub struct Raw {
    pub batch: RecordBatch,
    /// For CSV, whose columns are all text: the line each row begins in.
    pub lines: Option<Vec<u64>>,
    /// How that text writes numbers and dates.
    pub form: TextForm,
}

impl Raw {
    /// Rows in types of their own.
    fn typed(batch: RecordBatch) -> Raw {
        Raw {
            batch,
            lines: None,
            form: TextForm::default(),
        }
    }
}

pub type RawBatches = Box<dyn Iterator<Item = Result<Raw>> + Send>;

/// Opens a file.
pub fn open_raw(
    format: Format,
    file: &DataFile,
    selection: &Selection,
    wanted: &[WantedColumn],
    csv: &CsvOptions,
    batch_rows: usize,
    sources: &Sources,
) -> Result<RawBatches> {
    match format.form() {
        Form::Typed => {
            let names: Vec<String> = wanted.iter().map(|column| column.name.clone()).collect();
            let batches = match format {
                Format::Parquet => {
                    let may_stay = wanted.iter().filter(|column| column.may_be_compact);
                    let compact: Vec<&str> = may_stay.map(|column| column.name.as_str()).collect();
                    parquet::open(file, selection, &names, &compact, batch_rows, sources)?
                }
                _ => open(format, file, selection, &names, batch_rows, sources)?,
            };
            Ok(Box::new(batches.map(|batch| batch.map(Raw::typed))))
        }
        Form::Csv => {
            let (mut reader, pinned) = open_csv_file(file, csv, selection.text(), batch_rows, sources)?;
            reader.keep(|name| wanted.iter().any(|column| column.name == name));
            let form = csv.form.clone();
            let rows = reader.map(move |batch| {
                batch.map(|b| Raw {
                    batch: b.columns,
                    lines: Some(b.lines),
                    form: form.clone(),
                })
            });
            Ok(Box::new(rows.chain(last_check(pinned))))
        }
        Form::Json => {
            let (lines, pinned) = json_lines(file, selection.text(), sources)?;
            let in_file: Vec<(String, ValueType)> = wanted
                .iter()
                .filter(|column| !file.partitions.iter().any(|(p, _)| *p == column.name))
                .map(|column| (column.name.clone(), column.value_type.clone()))
                .collect();
            let reader = open_json(lines, &in_file, batch_rows);
            Ok(Box::new(reader.map(|batch| batch.map(Raw::typed)).chain(last_check(pinned))))
        }
    }
}

/// Opens a CSV file with its own compression and default delimiter.
pub fn open_csv_file(
    file: &DataFile,
    csv: &CsvOptions,
    rows: TextRows<'_>,
    batch_rows: usize,
    sources: &Sources,
) -> Result<(CsvReader, Arc<PinnedFile>)> {
    let pinned = PinnedFile::open(file, sources)?;
    let bytes: Box<dyn Read + Send> = Box::new(pinned.reader(0..pinned.size_bytes()));
    let options = CsvOptions {
        compression: Some(file.compression),
        ..csv.clone()
    };
    let mut reader = open_csv(&file.name, bytes, &options, default_delimiter(&file.name), batch_rows)?;
    match rows {
        TextRows::All => {}
        TextRows::Part(part) => reader.go_to(part, Box::new(pinned.reader(part.from..part.to))),
        TextRows::Left(left) => reader.go_on_with(left.source(&file.name)),
    }
    Ok((reader, pinned))
}

/// The shape of these lines of a file of JSON lines; fields that are passed over may hold anything.
pub fn json_shape(file: &DataFile, rows: TextRows<'_>, passed_over: impl Fn(&str) -> bool, sources: &Sources) -> Result<JsonShape> {
    let (lines, pinned) = json_lines(file, rows, sources)?;
    let shape = scan_json(lines, passed_over)?;
    pinned.check()?;
    Ok(shape)
}

/// The shapes of a part of each of two files of JSON lines, where half of the rows are written the same: these are looked at once. `None`: they
/// are not, or their shapes have to be found one by one to say what is wrong.
pub fn json_shapes(parts: Sides<TextPart<'_>>, passed_over: impl Fn(&str) -> bool, sources: &Sources) -> Option<Sides<JsonShape>> {
    let rows = same_rows(Format::Json, &CsvOptions::default(), parts, sources).ok()??;
    let is_same = |row: usize| row < rows.live.same.len() && rows.live.same.value(row);
    let (lines, pinned) = json_lines(parts.live.file, TextRows::Part(parts.live.range), sources).ok()?;
    let [same, left] = scan_json_apart(lines, is_same, &passed_over).ok()?;
    pinned.check().ok()?;
    let left = Sides::new(
        left,
        json_shape(parts.shadow.file, TextRows::Left(&rows.shadow.left), passed_over, sources).ok()?,
    );
    let with_same = |mut shape: JsonShape| shape.merge(&same, "", "").ok().map(|()| shape);
    Some(Sides::new(with_same(left.live)?, with_same(left.shadow)?))
}

fn json_lines(file: &DataFile, rows: TextRows<'_>, sources: &Sources) -> Result<(JsonLines, Arc<PinnedFile>)> {
    let pinned = PinnedFile::open(file, sources)?;
    let lines = match rows {
        TextRows::Part(part) => JsonLines::from(Source::from(
            &file.name,
            Box::new(pinned.reader(part.from..part.to)),
            part.lines_before,
        )),
        TextRows::Left(left) => JsonLines::from(left.source(&file.name)),
        TextRows::All => {
            let bytes = decompress(&file.name, file.compression, Box::new(pinned.reader(0..pinned.size_bytes())))?;
            JsonLines::open(&file.name, bytes)?
        }
    };
    Ok((lines, pinned))
}

/// Nothing, or the error that the file changed while it was read.
fn last_check(pinned: Arc<PinnedFile>) -> impl Iterator<Item = Result<Raw>> + Send {
    std::iter::once_with(move || pinned.check()).filter_map(|checked| checked.err().map(Err))
}
