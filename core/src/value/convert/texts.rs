//! Text and binary: from their other forms, from each other, and text from everything that prints.

use super::{convert, lossless, unfit};
use crate::value::array::value_at;
use crate::value::parse::{BadValue, parse_into};
use crate::value::print::print;
use crate::value::types::ValueType;
use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, StringArray};
use arrow_schema::DataType;
use std::sync::Arc;

/// Text in any form, read as `target`.
pub(super) fn parsed(array: &ArrayRef, target: &ValueType) -> Result<ArrayRef, BadValue> {
    parse_into(lossless(array, &DataType::Utf8)?.as_string::<i32>(), target)
}

pub(super) fn to_text(array: &ArrayRef) -> Result<ArrayRef, BadValue> {
    match ValueType::from_arrow(array.data_type()) {
        Ok(ValueType::Text) => lossless(array, &DataType::Utf8),
        Ok(ValueType::Binary) => binary_to_text(array),
        Ok(source) => printed(array, &source),
        Err(_) => Err(unfit(array, &ValueType::Text)),
    }
}

pub(super) fn to_binary(array: &ArrayRef) -> Result<ArrayRef, BadValue> {
    match ValueType::from_arrow(array.data_type()) {
        Ok(ValueType::Text) => lossless(&lossless(array, &DataType::Utf8)?, &DataType::Binary),
        Ok(ValueType::Binary) => lossless(array, &DataType::Binary),
        _ => Err(unfit(array, &ValueType::Binary)),
    }
}

fn binary_to_text(array: &ArrayRef) -> Result<ArrayRef, BadValue> {
    let binary = lossless(array, &DataType::Binary)?;
    let values = binary.as_binary::<i32>();
    match values
        .iter()
        .position(|value| value.is_some_and(|bytes| std::str::from_utf8(bytes).is_err()))
    {
        Some(row) => Err(super::bad(array, row, "is binary that is not UTF-8, so not text")),
        None => lossless(&binary, &DataType::Utf8),
    }
}

/// The print form of the output, so that a cast to text shows what a reader of the result sees.
fn printed(array: &ArrayRef, source: &ValueType) -> Result<ArrayRef, BadValue> {
    let stored = convert(array, source)?;
    let text = |row: usize| {
        let mut text = String::new();
        print(&value_at(stored.as_ref(), row), &mut text);
        text
    };
    Ok(Arc::new(
        (0..stored.len())
            .map(|row| stored.is_valid(row).then(|| text(row)))
            .collect::<StringArray>(),
    ))
}
