//! Whether the cells of a column are equal, a column at a time.

use crate::align::{Column, Role};
use crate::value::{ValueType, equal, value_at};
use arrow_array::cast::AsArray;
use arrow_array::types::{
    ArrowPrimitiveType, Date32Type, Decimal128Type, Float32Type, Float64Type, Int64Type, TimestampMicrosecondType,
    TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType, UInt64Type,
};
use arrow_array::{Array, ArrayRef};
use arrow_buffer::{BooleanBuffer, NullBuffer};
use arrow_schema::{DataType, TimeUnit};

/// A set bit where the cells of a row differ. NULL equals NULL, NaN equals NaN, -0.0 equals 0.0.
pub fn unequal(column: &Column, live: &ArrayRef, shadow: &ArrayRef) -> BooleanBuffer {
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
    match live.data_type() {
        DataType::Int64 => primitives::<Int64Type>(live, shadow, |a, b| a != b),
        DataType::UInt64 => primitives::<UInt64Type>(live, shadow, |a, b| a != b),
        DataType::Decimal128(_, _) => primitives::<Decimal128Type>(live, shadow, |a, b| a != b),
        DataType::Float64 => primitives::<Float64Type>(live, shadow, |a, b| a != b && !(a.is_nan() && b.is_nan())),
        DataType::Float32 => primitives::<Float32Type>(live, shadow, |a, b| a != b && !(a.is_nan() && b.is_nan())),
        DataType::Date32 => primitives::<Date32Type>(live, shadow, |a, b| a != b),
        DataType::Timestamp(TimeUnit::Second, _) => primitives::<TimestampSecondType>(live, shadow, |a, b| a != b),
        DataType::Timestamp(TimeUnit::Millisecond, _) => primitives::<TimestampMillisecondType>(live, shadow, |a, b| a != b),
        DataType::Timestamp(TimeUnit::Microsecond, _) => primitives::<TimestampMicrosecondType>(live, shadow, |a, b| a != b),
        DataType::Timestamp(TimeUnit::Nanosecond, _) => primitives::<TimestampNanosecondType>(live, shadow, |a, b| a != b),
        DataType::Utf8 => {
            let (a, b) = (live.as_string::<i32>(), shadow.as_string::<i32>());
            let values = BooleanBuffer::collect_bool(a.len(), |row| a.value(row).as_bytes() != b.value(row).as_bytes());
            with_nulls(values, a.nulls(), b.nulls())
        }
        _ => by_value(live, shadow),
    }
}

/// Whether a delta between values of this type means anything.
pub fn has_delta(shown: &ValueType) -> bool {
    shown.is_number() || shown.is_time()
}
