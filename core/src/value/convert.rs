//! Any Arrow array becomes an array of a wanted type in its one storage form, without loss or not at all.
//!
//! First the form goes (dictionaries and runs are laid out), then the meaning changes, one file a family of types.
//! Arrow's own casts serve only where they cannot lose anything: several of them round, wrap or give NULL.
//! Values under a NULL parent, outside a slice or unused in a dictionary are never looked at.

mod nested;
mod numbers;
mod several;
mod texts;
mod times;

use super::array::{is_storage, nulls, value_at};
use super::parse::BadValue;
use super::print::print;
use super::types::ValueType;
use arrow_array::cast::AsArray;
use arrow_array::types::{Int16Type, Int32Type, Int64Type};
use arrow_array::{Array, ArrayRef, ArrowPrimitiveType, BooleanArray, PrimitiveArray};
use arrow_cast::CastOptions;
use arrow_cast::display::array_value_to_string;
use arrow_schema::{ArrowError, DataType};
use std::sync::Arc;

/// The same values as `target`, in the form that `target.storage()` names; the first value that would change is the error.
///
/// Text becomes any type as `parse_into` reads it, except that binary takes its UTF-8 bytes. Types become text as
/// the output prints them. -0.0 and NaN stay what they are.
pub fn convert(array: &ArrayRef, target: &ValueType) -> Result<ArrayRef, BadValue> {
    if *array.data_type() == target.storage() && holds_every_stored_value(target) {
        return Ok(Arc::clone(array));
    }
    let array = laid_out(array)?;
    if *array.data_type() == DataType::Null || array.logical_null_count() == array.len() {
        return Ok(nulls(target, array.len()));
    }
    match target {
        ValueType::Null => Err(bad(&array, first_value(&array), "is a value in a column that has none")),
        ValueType::Bool => to_bool(&array),
        ValueType::Int { .. } | ValueType::Decimal { .. } | ValueType::Float { .. } => numbers::to_number(&array, target),
        ValueType::Text => texts::to_text(&array),
        ValueType::Binary => texts::to_binary(&array),
        ValueType::Date | ValueType::Timestamp { .. } | ValueType::Time { .. } | ValueType::Duration { .. } => {
            times::to_time(&array, target)
        }
        ValueType::Interval => to_interval(&array),
        ValueType::List(item) => nested::to_list(&array, item, target),
        ValueType::Struct(members) => nested::to_struct(&array, members, target),
        ValueType::Map(key, value) => nested::to_map(&array, key, value, target),
        ValueType::Mixed(shown) => several::to_mixed(&array, shown, target),
    }
}

/// Whether no value of the storage form is outside the type: an `int32` is stored in 64 bits.
fn holds_every_stored_value(target: &ValueType) -> bool {
    match target {
        ValueType::Int { bits, .. } => *bits == 64,
        ValueType::Float { bits } => *bits != 16,
        ValueType::List(item) => holds_every_stored_value(item),
        ValueType::Struct(members) => members.iter().all(|(_, member)| holds_every_stored_value(member)),
        ValueType::Map(key, value) => holds_every_stored_value(key) && holds_every_stored_value(value),
        ValueType::Null | ValueType::Bool | ValueType::Decimal { .. } | ValueType::Text | ValueType::Binary | ValueType::Mixed(_) => true,
        ValueType::Date | ValueType::Timestamp { .. } | ValueType::Time { .. } | ValueType::Duration { .. } | ValueType::Interval => true,
    }
}

/// Dictionaries and runs as the plain array of their values.
fn laid_out(array: &ArrayRef) -> Result<ArrayRef, BadValue> {
    let plain = match array.data_type() {
        DataType::Dictionary(_, _) => {
            let dictionary = array.as_any_dictionary();
            taken(dictionary.values(), dictionary.keys())?
        }
        DataType::RunEndEncoded(ends, _) => match ends.data_type() {
            DataType::Int16 => runs::<Int16Type>(array)?,
            DataType::Int32 => runs::<Int32Type>(array)?,
            _ => runs::<Int64Type>(array)?,
        },
        _ => return Ok(Arc::clone(array)),
    };
    // The values of a dictionary may be a dictionary themselves.
    laid_out(&plain)
}

fn runs<R: arrow_array::types::RunEndIndexType>(array: &ArrayRef) -> Result<ArrayRef, BadValue> {
    let runs = array.as_run::<R>();
    let places = (0..runs.len()).map(|row| runs.get_physical_index(row) as i64);
    taken(runs.values(), &PrimitiveArray::<Int64Type>::from_iter_values(places))
}

fn taken(values: &ArrayRef, places: &dyn Array) -> Result<ArrayRef, BadValue> {
    arrow_select::take::take(values, places, None).map_err(|error| no_row(values, &error))
}

fn to_bool(array: &ArrayRef) -> Result<ArrayRef, BadValue> {
    match array.data_type() {
        DataType::Boolean => Ok(Arc::clone(array)),
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => texts::parsed(array, &ValueType::Bool),
        from if from.is_numeric() => {
            let numbers = numbers::to_number(array, &ValueType::INT64)?;
            let numbers = numbers.as_primitive::<Int64Type>();
            let zero_or_one = |row: usize| numbers.is_null(row) || matches!(numbers.value(row), 0 | 1);
            match (0..numbers.len()).find(|row| !zero_or_one(*row)) {
                Some(row) => Err(bad(array, row, "is neither 0 nor 1 and so no bool")),
                None => Ok(Arc::new(BooleanArray::new(
                    numbers.values().iter().map(|value| *value == 1).collect(),
                    numbers.nulls().cloned(),
                ))),
            }
        }
        _ => Err(unfit(array, &ValueType::Bool)),
    }
}

fn to_interval(array: &ArrayRef) -> Result<ArrayRef, BadValue> {
    match array.data_type() {
        DataType::Interval(_) => lossless(array, &ValueType::Interval.storage()),
        _ => Err(unfit(array, &ValueType::Interval)),
    }
}

/// Arrow's own cast, for pairs in which no value can change.
fn lossless(array: &ArrayRef, to: &DataType) -> Result<ArrayRef, BadValue> {
    let options = CastOptions {
        safe: false,
        ..CastOptions::default()
    };
    arrow_cast::cast_with_options(array, to, &options).map_err(|error| no_row(array, &error))
}

/// Applies `change` to every value that is not NULL; the first that has none is the error.
fn each<S: ArrowPrimitiveType, T: ArrowPrimitiveType>(
    array: &ArrayRef,
    change: impl Fn(S::Native) -> Option<T::Native>,
    why: impl Fn() -> String,
) -> Result<PrimitiveArray<T>, BadValue> {
    let values = array.as_primitive::<S>();
    values.try_unary(|value| change(value).ok_or(())).map_err(|()| {
        let row = (0..values.len()).find(|row| values.is_valid(*row) && change(values.value(*row)).is_none());
        bad(array, row.unwrap_or(0), why())
    })
}

fn first_value(array: &ArrayRef) -> usize {
    let nulls = array.logical_nulls();
    nulls.and_then(|nulls| nulls.valid_indices().next()).unwrap_or(0)
}

fn bad(array: &ArrayRef, row: usize, why: impl Into<String>) -> BadValue {
    BadValue::new(row, &shown(array, row), why)
}

/// A value as a message shows it.
fn shown(array: &ArrayRef, row: usize) -> String {
    let utc = match array.data_type() {
        // Only the instant counts, and Arrow knows no zone by name.
        DataType::Timestamp(unit, Some(_)) => lossless(array, &DataType::Timestamp(*unit, Some("UTC".into()))).ok(),
        _ => None,
    };
    let array = utc.as_ref().unwrap_or(array);
    let mut text = String::new();
    if is_storage(array.data_type()) {
        print(&value_at(array.as_ref(), row), &mut text);
    } else {
        text = array_value_to_string(array, row).unwrap_or_else(|_| "a value".into());
    }
    text
}

/// The types have nothing to do with each other: the first value says so.
fn unfit(array: &ArrayRef, target: &ValueType) -> BadValue {
    let from = ValueType::from_arrow(array.data_type()).map_or_else(|name| name, |from| from.to_string());
    bad(array, first_value(array), format!("is {from}, which does not become {target}"))
}

/// An error of Arrow that names no row: an offset beyond 32 bits, a broken array.
fn no_row(array: &ArrayRef, error: &ArrowError) -> BadValue {
    bad(array, first_value(array), format!("cannot be converted: {error}"))
}

#[cfg(test)]
mod tests;
