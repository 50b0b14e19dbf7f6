//! One column of the rows as a file gives them, in the type that was planned for it.

use super::csv::{in_yaml, is_null_mark};
use super::{DataFile, Raw};
use arrow_array::cast::AsArray;
use arrow_array::{ArrayRef, StringArray, UInt32Array, new_null_array};
use shadowdiff_core::error::{Error, Result};
use shadowdiff_core::plan::ReadColumn;
use shadowdiff_core::side::Side;
use shadowdiff_core::value::{BadValue, TextForm, convert, equal, is_compact, parse_into, print, value_at};
use std::sync::Arc;

/// The column of `raw`, or of the file's path, or all NULL where the file has none: in a compact form of its type where
/// it comes in one and `may_be_compact`, else in the storage form. `before`: rows of the split before these, for messages.
pub fn read_column(column: &ReadColumn, may_be_compact: bool, raw: &Raw, side: Side, file: &DataFile, before: u64) -> Result<ArrayRef> {
    if let Some(array) = raw.batch.column_by_name(&column.source)
        && may_be_compact
        && file.partitions.is_empty()
        && is_compact(array, &column.value_type)
    {
        return Ok(Arc::clone(array));
    }
    typed(column, raw, file).map_err(|bad| bad.at(side, column, file, raw, before))
}

/// A value that cannot be what its column is.
enum Bad {
    Value(BadValue),
    Partition { in_path: String, row: usize, in_file: String },
}

impl Bad {
    fn at(self, side: Side, column: &ReadColumn, file: &DataFile, raw: &Raw, before: u64) -> Error {
        let wrong = |row: usize, what: String| {
            let error = Error::input(what).file(&file.name).column(&column.source).side(side);
            match &raw.lines {
                Some(lines) => error.line(lines[row]),
                None => error.row(before + row as u64 + 1),
            }
        };
        match self {
            Bad::Value(bad) => {
                let error = wrong(bad.row, bad.to_string())
                    .advice("fix the value, or give the column another type under `schema` or `columns.cast`");
                match raw.lines.as_ref().and_then(|_| setting_for(&bad.text, column, &raw.form)) {
                    Some(setting) => error.advice(setting),
                    None => error,
                }
            }
            Bad::Partition { in_path, row, in_file } => wrong(row, format!("is `{in_file}` in the file, but `{in_path}` in its path")),
        }
    }
}

/// The setting of `csv` that would read a value of a CSV file, if one would.
fn setting_for(text: &str, column: &ReadColumn, form: &TextForm) -> Option<String> {
    let comma = TextForm {
        decimal_comma: true,
        ..form.clone()
    };
    let one = StringArray::from(vec![text]);
    if column.value_type.is_number() && comma.parse_into(&one, &column.value_type).is_ok() {
        return Some("`csv: {decimal: \",\"}` reads decimal commas".to_owned());
    }
    is_null_mark(text).then(|| format!("`csv: {{null_values: [{}]}}` makes it NULL", in_yaml(text)))
}

fn typed(column: &ReadColumn, raw: &Raw, file: &DataFile) -> Result<ArrayRef, Bad> {
    let rows = raw.batch.num_rows();
    let in_path = file
        .partitions
        .iter()
        .find(|(name, _)| *name == column.source)
        .map(|(_, value)| value.as_deref());
    let in_file = raw.batch.column_by_name(&column.source);
    let read = match in_file {
        Some(array) if raw.lines.is_some() => {
            let texts: &StringArray = array.as_string();
            Some(raw.form.parse_into(texts, &column.value_type).map_err(Bad::Value)?)
        }
        Some(array) => Some(convert(array, &column.value_type).map_err(Bad::Value)?),
        None => None,
    };
    let Some(text) = in_path else {
        return Ok(read.unwrap_or_else(|| new_null_array(&column.value_type.storage(), rows)));
    };
    let one = parse_into(&StringArray::from(vec![text]), &column.value_type).map_err(Bad::Value)?;
    if let Some(array) = &read {
        for row in 0..rows {
            if !equal(&value_at(array.as_ref(), row), &value_at(one.as_ref(), 0)) {
                let mut in_file = String::new();
                print(&value_at(array.as_ref(), row), &mut in_file);
                return Err(Bad::Partition {
                    in_path: text.unwrap_or("NULL").to_owned(),
                    row,
                    in_file,
                });
            }
        }
    }
    Ok(repeat(&one, rows))
}

/// The one value of `array`, `rows` times.
fn repeat(array: &ArrayRef, rows: usize) -> ArrayRef {
    let zeros = UInt32Array::from(vec![0; rows]);
    arrow_select::take::take(array.as_ref(), &zeros, None).expect("row 0 is there")
}
