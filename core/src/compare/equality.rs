//! Whether the cells of a column are equal, a column at a time.

use crate::align::{Column, Role};
use crate::value::{ValueType, equal, is_compact_form, laid_out, value_at};
use arrow_array::cast::AsArray;
use arrow_array::types::{
    ArrowPrimitiveType, Date32Type, Decimal64Type, Decimal128Type, Float32Type, Float64Type, Int32Type, Int64Type,
    TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType, UInt64Type,
};
use arrow_array::{Array, ArrayRef, DictionaryArray, StringArray};
use arrow_buffer::{BooleanBuffer, NullBuffer};
use arrow_schema::{DataType, TimeUnit};

/// A set bit where the cells of a row differ. NULL equals NULL, NaN equals NaN, -0.0 equals 0.0.
pub fn unequal(column: &Column, live: &ArrayRef, shadow: &ArrayRef) -> BooleanBuffer {
    // What was not read stands here as NULLs.
    if [live, shadow].iter().all(|array| array.null_count() == array.len()) {
        return BooleanBuffer::new_unset(live.len());
    }
    if column.role == Role::Presence {
        return BooleanBuffer::collect_bool(live.len(), |row| live.is_null(row) != shadow.is_null(row));
    }
    if column.is_mixed() {
        return by_value(live, shadow);
    }
    unequal_plain(live, shadow)
}

fn by_value(live: &ArrayRef, shadow: &ArrayRef) -> BooleanBuffer {
    BooleanBuffer::collect_bool(live.len(), |row| {
        !equal(&value_at(live.as_ref(), row), &value_at(shadow.as_ref(), row))
    })
}

fn primitives<T: ArrowPrimitiveType>(live: &ArrayRef, shadow: &ArrayRef, differ: impl Fn(T::Native, T::Native) -> bool) -> BooleanBuffer {
    let (a, b) = (live.as_primitive::<T>(), shadow.as_primitive::<T>());
    // Most stretches of two versions are the same through and through, which one comparison of memory tells.
    if a.nulls().is_none() && b.nulls().is_none() && a.values().inner().as_slice() == b.values().inner().as_slice() {
        return BooleanBuffer::new_unset(a.len());
    }
    let values = BooleanBuffer::collect_bool(a.len(), |row| differ(a.values()[row], b.values()[row]));
    with_nulls(values, a.nulls(), b.nulls())
}

/// Two NULLs never differ, one always does, whatever stands in the slots below them.
fn with_nulls(values: BooleanBuffer, live: Option<&NullBuffer>, shadow: Option<&NullBuffer>) -> BooleanBuffer {
    if live.is_none() && shadow.is_none() {
        return values;
    }
    let valid = |nulls: Option<&NullBuffer>, row: usize| nulls.is_none_or(|n| n.is_valid(row));
    BooleanBuffer::collect_bool(values.len(), |row| match (valid(live, row), valid(shadow, row)) {
        (true, true) => values.value(row),
        (false, false) => false,
        (true, false) | (false, true) => true,
    })
}

fn unequal_plain(live: &ArrayRef, shadow: &ArrayRef) -> BooleanBuffer {
    if live.data_type() != shadow.data_type() && (is_compact_form(live.data_type()) || is_compact_form(shadow.data_type())) {
        return unequal_plain(&laid_out(live), &laid_out(shadow));
    }
    match live.data_type() {
        DataType::Int64 => primitives::<Int64Type>(live, shadow, |a, b| a != b),
        DataType::UInt64 => primitives::<UInt64Type>(live, shadow, |a, b| a != b),
        DataType::Decimal64(_, _) => primitives::<Decimal64Type>(live, shadow, |a, b| a != b),
        DataType::Decimal128(_, _) => primitives::<Decimal128Type>(live, shadow, |a, b| a != b),
        DataType::Float64 => primitives::<Float64Type>(live, shadow, |a, b| a != b && !(a.is_nan() && b.is_nan())),
        DataType::Float32 => primitives::<Float32Type>(live, shadow, |a, b| a != b && !(a.is_nan() && b.is_nan())),
        DataType::Date32 => primitives::<Date32Type>(live, shadow, |a, b| a != b),
        DataType::Timestamp(TimeUnit::Second, _) => primitives::<TimestampSecondType>(live, shadow, |a, b| a != b),
        DataType::Timestamp(TimeUnit::Millisecond, _) => primitives::<TimestampMillisecondType>(live, shadow, |a, b| a != b),
        DataType::Timestamp(TimeUnit::Microsecond, _) => primitives::<TimestampMicrosecondType>(live, shadow, |a, b| a != b),
        DataType::Timestamp(TimeUnit::Nanosecond, _) => primitives::<TimestampNanosecondType>(live, shadow, |a, b| a != b),
        DataType::Utf8 if live.data_type() == shadow.data_type() => texts(live.as_string(), shadow.as_string()),
        DataType::Dictionary(_, _) => dictionaries(live.as_dictionary(), shadow.as_dictionary()),
        _ => by_value(live, shadow),
    }
}

fn texts(a: &StringArray, b: &StringArray) -> BooleanBuffer {
    if a.nulls().is_none() && b.nulls().is_none() && are_same(a, b) {
        return BooleanBuffer::new_unset(a.len());
    }
    let values = BooleanBuffer::collect_bool(a.len(), |row| a.value(row).as_bytes() != b.value(row).as_bytes());
    with_nulls(values, a.nulls(), b.nulls())
}

/// Whether all texts have the same lengths and the same bytes, those of NULLs too.
fn are_same(a: &StringArray, b: &StringArray) -> bool {
    let (from_a, from_b) = (a.value_offsets()[0], b.value_offsets()[0]);
    let lengths = a.value_offsets().iter().zip(b.value_offsets());
    lengths.fold(true, |all, (end_a, end_b)| all & (end_a - from_a == end_b - from_b)) && bytes_of(a) == bytes_of(b)
}

fn bytes_of(texts: &StringArray) -> &[u8] {
    let (first, last) = (texts.value_offsets()[0], texts.value_offsets()[texts.len()]);
    &texts.value_data()[first as usize..last as usize]
}

/// Texts or bytes that are kept as dictionaries. Of short ones it is found first which values are equal, so that numbers tell the rest.
fn dictionaries(a: &DictionaryArray<Int32Type>, b: &DictionaryArray<Int32Type>) -> BooleanBuffer {
    let (numbers_a, numbers_b) = (a.keys().values(), b.keys().values());
    // To compare long lists of values would cost more than it saves.
    let are_short = a.values().len().max(b.values().len()) <= SHORT && a.len() >= SHORT;
    let same: Vec<i32> = match are_short {
        true => (0..b.values().len())
            .map(|number| number_of(a.values(), bytes_of_value(b.values(), number)))
            .collect(),
        false => Vec::new(),
    };
    let is_same = |row: usize| same.get(numbers_b[row] as usize) == Some(&numbers_a[row]);
    let differ = |row: usize| !is_same(row) && bytes_at(a, row) != bytes_at(b, row);
    if a.nulls().is_none() && b.nulls().is_none() {
        return BooleanBuffer::collect_bool(a.len(), differ);
    }
    BooleanBuffer::collect_bool(a.len(), |row| match (a.is_null(row), b.is_null(row)) {
        (false, false) => differ(row),
        (live, shadow) => live != shadow,
    })
}

/// A dictionary of so many values is short.
const SHORT: usize = 64;

/// The first number of a value, or -1.
fn number_of(values: &ArrayRef, bytes: &[u8]) -> i32 {
    let mut numbers = 0..values.len();
    numbers
        .find(|number| bytes_of_value(values, *number) == bytes)
        .map_or(-1, |number| number as i32)
}

fn bytes_at(array: &DictionaryArray<Int32Type>, row: usize) -> &[u8] {
    bytes_of_value(array.values(), array.keys().value(row) as usize)
}

fn bytes_of_value(values: &ArrayRef, number: usize) -> &[u8] {
    match values.data_type() {
        DataType::Utf8 => values.as_string::<i32>().value(number).as_bytes(),
        _ => values.as_binary::<i32>().value(number),
    }
}

/// Whether a delta between values of this type means anything.
pub fn has_delta(shown: &ValueType) -> bool {
    shown.is_number() || shown.is_time()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::row::{Form, Hasher, Secret};
    use crate::side::Sides;
    use arrow_array::types::ArrowDictionaryKeyType;
    use arrow_array::{BinaryArray, PrimitiveArray};
    use std::sync::Arc;

    fn dictionary<K: ArrowDictionaryKeyType>(numbers: PrimitiveArray<K>, values: ArrayRef) -> ArrayRef {
        Arc::new(DictionaryArray::<K>::try_new(numbers, values).expect("a dictionary"))
    }

    fn bits(live: &ArrayRef, shadow: &ArrayRef) -> Vec<bool> {
        unequal_plain(live, shadow).iter().collect()
    }

    #[test]
    fn dictionaries_are_compared_and_hashed_as_what_they_hold() {
        let texts = [
            Some("a"),
            None,
            Some(""),
            Some("bb"),
            Some("a"),
            Some("a long text of several words"),
            None,
        ];
        let others = [
            Some("a"),
            None,
            None,
            Some("bc"),
            Some("a"),
            Some("a long text of several words"),
            Some("x"),
        ];
        let plain = |texts: &[Option<&str>]| -> ArrayRef { Arc::new(StringArray::from(texts.to_vec())) };
        let again = |list: &[Option<&'static str>]| list.iter().copied().cycle().take(140).collect::<Vec<_>>();
        let (texts, others) = (again(&texts), again(&others));
        let want: Vec<bool> = [false, false, true, true, false, false, true]
            .into_iter()
            .cycle()
            .take(140)
            .collect();
        assert_eq!(bits(&plain(&texts), &plain(&others)), want);
        // Values in the order in which they are met, the other way round, and with one that stands there twice.
        let values = ["a", "", "bb", "bc", "x", "a long text of several words"];
        let turned: Vec<&str> = values.iter().rev().copied().collect();
        let twice = [&values[..], &values[..]].concat();
        let hasher = Hasher::new(Secret([3; 16]), [Form::Plain]);
        let mut forms = Vec::new();
        for (values, from) in [(&values[..], 0), (&turned[..], 0), (&twice[..], values.len())] {
            let form = |texts: &[Option<&str>]| {
                let number = |text: &&str| (from + values[from..].iter().position(|value| value == text).expect("a value")) as i32;
                let numbers = texts
                    .iter()
                    .map(|text| text.as_ref().map(number))
                    .collect::<PrimitiveArray<Int32Type>>();
                dictionary(numbers, Arc::new(StringArray::from(values.to_vec())))
            };
            forms.push(Sides::new(form(&texts), form(&others)));
        }
        for a in &forms {
            assert_eq!(hasher.hash(&[&a.live], texts.len()), hasher.hash(&[&plain(&texts)], texts.len()));
            assert_eq!(bits(&a.live, &plain(&others)), want);
            assert_eq!(bits(&plain(&texts), &a.shadow), want);
            for b in &forms {
                assert_eq!(bits(&a.live, &b.shadow), want);
                assert_eq!(bits(&a.live.slice(2, 4), &b.shadow.slice(2, 4)), want[2..6]);
            }
        }
    }

    #[test]
    fn what_is_below_a_null_does_not_count() {
        let numbers = PrimitiveArray::<Int32Type>::new(vec![0, 77].into(), Some(vec![true, false].into()));
        let values: ArrayRef = Arc::new(BinaryArray::from_vec(vec![b"a"]));
        let a: ArrayRef = Arc::new(DictionaryArray::new(numbers, values.clone()));
        let b = dictionary(PrimitiveArray::<Int32Type>::from(vec![Some(0), None]), values);
        assert_eq!(bits(&a, &b), [false, false]);
        let hasher = Hasher::new(Secret([3; 16]), [Form::Plain]);
        assert_eq!(hasher.hash(&[&a], 2), hasher.hash(&[&b], 2));
    }
}
