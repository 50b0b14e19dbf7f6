//! Into a mixed type: each value of any type of its kind, one at a time, in the one form that its value has.

use super::{bad, convert, unfit};
use crate::value::array::value_at;
use crate::value::mixed::encode;
use crate::value::parse::{BadValue, parse_into};
use crate::value::types::ValueType;
use arrow_array::builder::LargeBinaryBuilder;
use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef};
use arrow_cast::cast;
use arrow_schema::DataType;
use std::sync::Arc;

pub(super) fn to_mixed(array: &ArrayRef, shown: &ValueType, target: &ValueType) -> Result<ArrayRef, BadValue> {
    let own = match array.data_type() {
        // Text says no type of its own.
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => {
            let texts = cast(array, &DataType::Utf8).map_err(|error| super::no_row(array, &error))?;
            return parse_into(texts.as_string::<i32>(), target);
        }
        of_file => ValueType::from_arrow(of_file).map_err(|_| unfit(array, target))?,
    };
    let stored = convert(array, &own)?;
    let mut mixed = LargeBinaryBuilder::with_capacity(stored.len(), stored.len() * 17);
    for row in 0..stored.len() {
        if stored.is_null(row) {
            mixed.append_null();
        } else {
            let bytes =
                encode(&value_at(stored.as_ref(), row), shown).ok_or_else(|| bad(&stored, row, format!("is {own}, not {target}")))?;
            mixed.append_value(bytes);
        }
    }
    Ok(Arc::new(mixed.finish()))
}
