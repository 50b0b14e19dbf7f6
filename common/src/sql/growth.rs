//! About how many bytes a function makes of its arguments, and never much less.

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{Array, ArrayRef, GenericListArray, OffsetSizeTrait};
use arrow_cast::{CastOptions, cast_with_options};
use arrow_schema::DataType;
use datafusion_common::Result;
use datafusion_expr::ColumnarValue;

/// A function that has no rule of its own makes at most so many times what it is given.
const USUAL_GROWTH: u64 = 4;
/// What an element of a list takes besides its content.
const ELEMENT_BYTES: u64 = 16;
const MAX_CHAR_BYTES: u64 = 4;

/// What `function` makes of these values in so many rows.
pub(super) fn made(function: &str, values: &[ColumnarValue], rows: usize) -> Result<u64> {
    let given: u64 = values.iter().map(|value| all_bytes(value, rows)).sum::<Result<u64>>()?;
    let grown = match (function, values) {
        ("repeat", [text, times]) => each(rows, [&lengths(text)?, &numbers(times)?], |[text, times]| {
            text.saturating_mul(times)
        }),
        ("array_repeat", [what, times]) => each(rows, [&lengths(what)?, &numbers(times)?], |[what, times]| {
            (what + ELEMENT_BYTES).saturating_mul(times)
        }),
        ("array_resize", [_, length, with @ ..]) => {
            let with = with.first().map(lengths).transpose()?.unwrap_or(Each::One(0));
            each(rows, [&numbers(length)?, &with], |[length, with]| {
                length.saturating_mul(with + ELEMENT_BYTES)
            })
        }
        ("lpad" | "rpad", [_, length, ..]) => each(rows, [&numbers(length)?], |[length]| length.saturating_mul(MAX_CHAR_BYTES)),
        ("range" | "generate_series", bounds) => elements(bounds, rows)?.saturating_mul(ELEMENT_BYTES),
        ("replace", [text, what, with]) => each(rows, [&lengths(text)?, &lengths(what)?, &lengths(with)?], |[text, what, with]| {
            (text / what.max(1) + 1).saturating_mul(with)
        }),
        ("regexp_replace", [text, _, with, ..]) => each(rows, [&lengths(text)?, &lengths(with)?], |[text, with]| {
            (text + 1).saturating_mul(with)
        }),
        ("array_to_string", [list, between, ..]) => leaves(&array(list)?)
            .saturating_mul(copies(list, rows))
            .saturating_mul(lengths(between)?.largest()),
        ("concat_ws", [between, texts @ ..]) => each(rows, [&lengths(between)?], |[between]| between.saturating_mul(texts.len() as u64)),
        _ => 0,
    };
    Ok(grown.saturating_add(given.saturating_mul(USUAL_GROWTH)))
}

/// A number a row, or one for all.
enum Each {
    One(u64),
    All(Vec<u64>),
}

impl Each {
    fn at(&self, row: usize) -> u64 {
        match self {
            Each::One(number) => *number,
            Each::All(numbers) => numbers.get(row).copied().unwrap_or(0),
        }
    }

    fn largest(&self) -> u64 {
        match self {
            Each::One(number) => *number,
            Each::All(numbers) => numbers.iter().copied().max().unwrap_or(0),
        }
    }

    fn of(value: &ColumnarValue, number: impl Fn(&ArrayRef, usize) -> u64) -> Result<Each> {
        let array = array(value)?;
        Ok(match value {
            ColumnarValue::Scalar(_) => Each::One(number(&array, 0)),
            ColumnarValue::Array(_) => Each::All((0..array.len()).map(|row| number(&array, row)).collect()),
        })
    }
}

fn each<const N: usize>(rows: usize, of: [&Each; N], made: impl Fn([u64; N]) -> u64) -> u64 {
    (0..rows).fold(0, |sum: u64, row| sum.saturating_add(made(of.map(|each| each.at(row)))))
}

/// The value as an array; a constant has one row.
fn array(value: &ColumnarValue) -> Result<ArrayRef> {
    match value {
        ColumnarValue::Array(array) => Ok(ArrayRef::clone(array)),
        ColumnarValue::Scalar(value) => value.to_array(),
    }
}

/// How often what a value holds counts.
fn copies(value: &ColumnarValue, rows: usize) -> u64 {
    match value {
        ColumnarValue::Array(_) => 1,
        ColumnarValue::Scalar(_) => rows as u64,
    }
}

fn all_bytes(value: &ColumnarValue, rows: usize) -> Result<u64> {
    Ok(bytes(&array(value)?).saturating_mul(copies(value, rows)))
}

/// The bytes of each row's value, without what a place in an array takes.
fn lengths(value: &ColumnarValue) -> Result<Each> {
    Each::of(value, |array, row| {
        let place = match array.data_type() {
            DataType::Utf8 | DataType::Binary => 4,
            DataType::LargeUtf8 | DataType::LargeBinary => 8,
            DataType::Utf8View | DataType::BinaryView => 16,
            _ => 0,
        };
        bytes(&array.slice(row, 1)).saturating_sub(place)
    })
}

/// Whole numbers; what is NULL or below 0 makes nothing.
fn numbers(value: &ColumnarValue) -> Result<Each> {
    let whole = ColumnarValue::Array(whole(&array(value)?)?);
    let numbers = Each::of(&whole, |array, row| match array.is_null(row) {
        true => 0,
        false => u64::try_from(array.as_primitive::<Int64Type>().value(row)).unwrap_or(0),
    })?;
    Ok(match value {
        ColumnarValue::Scalar(_) => Each::One(numbers.at(0)),
        ColumnarValue::Array(_) => numbers,
    })
}

/// How many elements a series of integers has at most: from its first to its last bound by its step.
fn elements(bounds: &[ColumnarValue], rows: usize) -> Result<u64> {
    let whole: Vec<ArrayRef> = bounds.iter().map(|bound| whole(&array(bound)?)).collect::<Result<_>>()?;
    let at = |place: usize, row: usize| {
        let numbers = whole.get(place)?.as_primitive::<Int64Type>();
        let row = if numbers.len() == 1 { 0 } else { row };
        numbers.is_valid(row).then(|| i128::from(numbers.value(row)))
    };
    let count = |row: usize| {
        let (first, last, step) = match bounds.len() {
            1 => (0, at(0, row)?, 1),
            2 => (at(0, row)?, at(1, row)?, 1),
            _ => (at(0, row)?, at(1, row)?, at(2, row)?),
        };
        u64::try_from((last - first).unsigned_abs() / step.unsigned_abs().max(1) + 1).ok()
    };
    Ok((0..rows).fold(0, |sum: u64, row| sum.saturating_add(count(row).unwrap_or(0))))
}

/// Text that is not a number is for the function to refuse.
fn whole(array: &ArrayRef) -> Result<ArrayRef> {
    Ok(cast_with_options(array, &DataType::Int64, &CastOptions::default())?)
}

/// What the rows of an array hold, and not what lies beside them.
pub(super) fn bytes(array: &ArrayRef) -> u64 {
    let below = |values: ArrayRef| ELEMENT_BYTES.saturating_mul(array.len() as u64).saturating_add(bytes(&values));
    match array.data_type() {
        DataType::Null => 0,
        DataType::Boolean => array.len() as u64,
        DataType::Utf8 => span(array.as_string::<i32>().value_offsets()) + 4 * array.len() as u64,
        DataType::LargeUtf8 => span(array.as_string::<i64>().value_offsets()) + 8 * array.len() as u64,
        DataType::Binary => span(array.as_binary::<i32>().value_offsets()) + 4 * array.len() as u64,
        DataType::LargeBinary => span(array.as_binary::<i64>().value_offsets()) + 8 * array.len() as u64,
        DataType::Utf8View => array.as_string_view().lengths().map(u64::from).sum::<u64>() + 16 * array.len() as u64,
        DataType::BinaryView => array.as_binary_view().lengths().map(u64::from).sum::<u64>() + 16 * array.len() as u64,
        DataType::List(_) => below(inside(array.as_list::<i32>())),
        DataType::LargeList(_) => below(inside(array.as_list::<i64>())),
        DataType::FixedSizeList(_, _) => below(ArrayRef::clone(array.as_fixed_size_list().values())),
        DataType::Struct(_) => array.as_struct().columns().iter().map(bytes).sum(),
        DataType::Map(_, _) => {
            let map = array.as_map();
            let (from, to) = (map.value_offsets()[0] as usize, map.value_offsets()[map.len()] as usize);
            below(std::sync::Arc::new(map.entries().slice(from, to - from)))
        }
        other => match other.primitive_width() {
            Some(width) => width as u64 * array.len() as u64,
            None => array.get_array_memory_size() as u64,
        },
    }
}

/// From the first to the last of some offsets.
fn span<O: OffsetSizeTrait>(offsets: &[O]) -> u64 {
    match offsets {
        [first, .., last] => (last.as_usize() - first.as_usize()) as u64,
        _ => 0,
    }
}

/// The elements of the rows of a list.
fn inside<O: OffsetSizeTrait>(list: &GenericListArray<O>) -> ArrayRef {
    let offsets = list.value_offsets();
    let (from, to) = (offsets[0].as_usize(), offsets[list.len()].as_usize());
    list.values().slice(from, to - from)
}

/// How many elements the rows of an array hold, at the lowest level.
fn leaves(array: &ArrayRef) -> u64 {
    match array.data_type() {
        DataType::List(_) => leaves(&inside(array.as_list::<i32>())),
        DataType::LargeList(_) => leaves(&inside(array.as_list::<i64>())),
        DataType::FixedSizeList(_, _) => leaves(array.as_fixed_size_list().values()),
        _ => array.len() as u64,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow_array::{Int64Array, StringArray};
    use datafusion_common::ScalarValue;
    use std::sync::Arc;

    fn texts(of: &[&str]) -> ColumnarValue {
        ColumnarValue::Array(Arc::new(StringArray::from(of.to_vec())))
    }

    fn one(number: i64) -> ColumnarValue {
        ColumnarValue::Scalar(ScalarValue::Int64(Some(number)))
    }

    #[test]
    fn what_a_function_makes_follows_its_arguments() {
        let notes = texts(&["ab", "cde"]);
        let each = ColumnarValue::Array(Arc::new(Int64Array::from(vec![Some(1_000_000), None])));
        let cases: [(&str, Vec<ColumnarValue>, u64); 9] = [
            ("repeat", vec![notes.clone(), one(1_000)], 5_000),
            ("repeat", vec![notes.clone(), each], 2_000_000),
            ("repeat", vec![notes.clone(), one(-1)], 0),
            ("lpad", vec![notes.clone(), one(1_000_000_000)], 8_000_000_000),
            ("range", vec![one(0), one(1_000_000_000), one(10)], 3_200_000_000),
            ("array_repeat", vec![notes.clone(), one(i64::MAX)], u64::MAX),
            ("replace", vec![notes.clone(), texts(&["", ""]), texts(&["1234567890", ""])], 30),
            ("concat_ws", vec![notes.clone(), notes.clone(), notes.clone()], 10),
            ("upper", vec![notes], 0),
        ];
        for (function, values, more) in cases {
            let made = made(function, &values, 2).expect(function);
            assert!(made >= more, "{function}: {made} < {more}");
            assert!(made <= more.saturating_add(200 + more / 2), "{function}: {made} > {more}");
        }
    }

    #[test]
    fn a_slice_counts_its_own_rows() {
        let long = "x".repeat(1_000);
        let array: ArrayRef = Arc::new(StringArray::from(vec![long.as_str(), "ab", "cd"]));
        assert_eq!((bytes(&array), bytes(&array.slice(1, 2))), (1_016, 12));
    }
}
