//! Values out of Arrow arrays in storage form, and such arrays of plain counts.

use super::cell::{Decimal, Value};
use super::mixed;
use super::types::ValueType;
use arrow_array::cast::AsArray;
use arrow_array::types::{
    ArrowPrimitiveType, Date32Type, Decimal64Type, Decimal128Type, Decimal256Type, DurationMicrosecondType, DurationMillisecondType,
    DurationNanosecondType, DurationSecondType, Float32Type, Float64Type, Int32Type, Int64Type, IntervalMonthDayNanoType,
    Time32MillisecondType, Time32SecondType, Time64MicrosecondType, Time64NanosecondType, TimestampMicrosecondType,
    TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType, UInt64Type,
};
use arrow_array::{Array, ArrayRef, new_null_array};
use arrow_buffer::i256;
use arrow_schema::DataType;
use std::sync::Arc;

fn at<T: ArrowPrimitiveType>(array: &dyn Array, row: usize) -> T::Native {
    array.as_primitive::<T>().value(row)
}

/// The value at `row` of an array whose type is some [`ValueType::storage`], or 64 bits a decimal; any other type is a bug and gives `Null` never: it panics.
pub fn value_at(array: &dyn Array, row: usize) -> Value<'_> {
    if array.is_null(row) {
        return Value::Null;
    }
    match array.data_type() {
        DataType::Null => Value::Null,
        DataType::Boolean => Value::Bool(array.as_boolean().value(row)),
        DataType::Int64 => Value::Int(at::<Int64Type>(array, row).into()),
        DataType::UInt64 => Value::Int(at::<UInt64Type>(array, row).into()),
        DataType::Decimal64(_, scale) => Value::Decimal(Decimal {
            unscaled: i256::from_i128(at::<Decimal64Type>(array, row).into()),
            scale: *scale,
        }),
        DataType::Decimal128(_, scale) => Value::Decimal(Decimal {
            unscaled: i256::from_i128(at::<Decimal128Type>(array, row)),
            scale: *scale,
        }),
        DataType::Decimal256(_, scale) => Value::Decimal(Decimal {
            unscaled: at::<Decimal256Type>(array, row),
            scale: *scale,
        }),
        DataType::Float32 => Value::Float32(at::<Float32Type>(array, row)),
        DataType::Float64 => Value::Float64(at::<Float64Type>(array, row)),
        DataType::Utf8 => Value::Text(array.as_string::<i32>().value(row)),
        DataType::Binary => Value::Binary(array.as_binary::<i32>().value(row)),
        DataType::Date32 => Value::Date(at::<Date32Type>(array, row)),
        DataType::Timestamp(unit, zone) => Value::Timestamp {
            ticks: timestamp_ticks(array, *unit, row).into(),
            unit: (*unit).into(),
            zoned: zone.is_some(),
        },
        DataType::Time32(unit) | DataType::Time64(unit) => Value::Time {
            ticks: time_ticks(array, *unit, row),
            unit: (*unit).into(),
        },
        DataType::Duration(unit) => Value::Duration {
            ticks: duration_ticks(array, *unit, row),
            unit: (*unit).into(),
        },
        DataType::Interval(_) => {
            let v = at::<IntervalMonthDayNanoType>(array, row);
            Value::Interval {
                months: v.months,
                days: v.days,
                nanoseconds: v.nanoseconds,
            }
        }
        DataType::List(_) => Value::List(list_at(array, row)),
        DataType::Struct(fields) => {
            let columns = array.as_struct().columns();
            Value::Struct(
                fields
                    .iter()
                    .zip(columns)
                    .map(|(f, c)| (f.name().as_str(), value_at(c.as_ref(), row)))
                    .collect(),
            )
        }
        DataType::Map(_, _) => Value::Map(map_at(array, row)),
        DataType::LargeBinary => mixed::decode(array.as_binary::<i64>().value(row)),
        other => unreachable!("{other} is not a storage type"),
    }
}

fn timestamp_ticks(array: &dyn Array, unit: arrow_schema::TimeUnit, row: usize) -> i64 {
    match unit {
        arrow_schema::TimeUnit::Second => at::<TimestampSecondType>(array, row),
        arrow_schema::TimeUnit::Millisecond => at::<TimestampMillisecondType>(array, row),
        arrow_schema::TimeUnit::Microsecond => at::<TimestampMicrosecondType>(array, row),
        arrow_schema::TimeUnit::Nanosecond => at::<TimestampNanosecondType>(array, row),
    }
}

fn time_ticks(array: &dyn Array, unit: arrow_schema::TimeUnit, row: usize) -> i64 {
    match unit {
        arrow_schema::TimeUnit::Second => at::<Time32SecondType>(array, row).into(),
        arrow_schema::TimeUnit::Millisecond => at::<Time32MillisecondType>(array, row).into(),
        arrow_schema::TimeUnit::Microsecond => at::<Time64MicrosecondType>(array, row),
        arrow_schema::TimeUnit::Nanosecond => at::<Time64NanosecondType>(array, row),
    }
}

fn duration_ticks(array: &dyn Array, unit: arrow_schema::TimeUnit, row: usize) -> i64 {
    match unit {
        arrow_schema::TimeUnit::Second => at::<DurationSecondType>(array, row),
        arrow_schema::TimeUnit::Millisecond => at::<DurationMillisecondType>(array, row),
        arrow_schema::TimeUnit::Microsecond => at::<DurationMicrosecondType>(array, row),
        arrow_schema::TimeUnit::Nanosecond => at::<DurationNanosecondType>(array, row),
    }
}

fn list_at(array: &dyn Array, row: usize) -> Vec<Value<'_>> {
    let list = array.as_list::<i32>();
    let offsets = list.value_offsets();
    let (from, to) = (offsets[row] as usize, offsets[row + 1] as usize);
    (from..to).map(|i| value_at(list.values().as_ref(), i)).collect()
}

fn map_at(array: &dyn Array, row: usize) -> Vec<(Value<'_>, Value<'_>)> {
    let map = array.as_map();
    let offsets = map.value_offsets();
    let (from, to) = (offsets[row] as usize, offsets[row + 1] as usize);
    let (keys, values): (&ArrayRef, &ArrayRef) = (map.keys(), map.values());
    (from..to)
        .map(|i| (value_at(keys.as_ref(), i), value_at(values.as_ref(), i)))
        .collect()
}

/// Whether an array's type is what its meaning is stored as.
pub fn is_storage(data_type: &DataType) -> bool {
    ValueType::from_arrow(data_type).is_ok_and(|t| t.storage() == *data_type)
}

/// An array of NULLs in the storage form of a type.
pub(super) fn nulls(target: &ValueType, len: usize) -> ArrayRef {
    new_null_array(&target.storage(), len)
}

/// 64-bit counts of the target's ticks as an array of its storage type.
pub(super) fn of_ticks(counts: &ArrayRef, target: &ValueType) -> ArrayRef {
    let storage = target.storage();
    let narrow = matches!(storage, DataType::Date32 | DataType::Time32(_));
    let counts = if narrow {
        let narrowed = counts.as_primitive::<Int64Type>().try_unary::<_, Int32Type, _>(i32::try_from);
        Arc::new(narrowed.expect("days and times of day fit 32 bits")) as ArrayRef
    } else {
        Arc::clone(counts)
    };
    arrow_cast::cast(&counts, &storage).expect("a count takes on any type that counts")
}
