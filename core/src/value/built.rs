//! Arrow arrays in storage form out of values: the way back from `value_at`, for values without others inside.

use super::cell::Value;
use super::types::ValueType;
use arrow_array::types::{
    ArrowPrimitiveType, Date32Type, Decimal128Type, Decimal256Type, Float32Type, Float64Type, Int64Type, TimestampMicrosecondType,
    TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType, UInt64Type,
};
use arrow_array::{ArrayRef, BinaryArray, BooleanArray, PrimitiveArray, StringArray, new_null_array};
use arrow_schema::{DataType, TimeUnit};
use std::sync::Arc;

/// Whether values of a type can be made into an array again.
pub fn is_plain(value_type: &ValueType) -> bool {
    match value_type {
        ValueType::Null
        | ValueType::Bool
        | ValueType::Int { .. }
        | ValueType::Decimal { .. }
        | ValueType::Float { .. }
        | ValueType::Text
        | ValueType::Binary
        | ValueType::Date
        | ValueType::Timestamp { .. } => true,
        ValueType::Time { .. }
        | ValueType::Duration { .. }
        | ValueType::Interval
        | ValueType::List(_)
        | ValueType::Struct(_)
        | ValueType::Map(_, _)
        | ValueType::Mixed(_) => false,
    }
}

/// The values as an array of the type's storage; `None` where the type is not plain, or a value is not of it.
pub fn array_of(values: &[Value<'_>], value_type: &ValueType) -> Option<ArrayRef> {
    if !is_plain(value_type) {
        return None;
    }
    let storage = value_type.storage();
    Some(match &storage {
        DataType::Null => values.iter().all(Value::is_null).then(|| new_null_array(&storage, values.len()))?,
        DataType::Boolean => Arc::new(BooleanArray::from(each(values, |value| match value {
            Value::Bool(value) => Some(*value),
            _ => None,
        })?)),
        DataType::Utf8 => Arc::new(StringArray::from(each(values, |value| match value {
            Value::Text(value) => Some(*value),
            _ => None,
        })?)),
        DataType::Binary => Arc::new(BinaryArray::from(each(values, |value| match value {
            Value::Binary(value) => Some(*value),
            _ => None,
        })?)),
        DataType::Int64 => numbers::<Int64Type>(values, &storage, integer)?,
        DataType::UInt64 => numbers::<UInt64Type>(values, &storage, integer)?,
        DataType::Float32 => numbers::<Float32Type>(values, &storage, |value| match value {
            Value::Float32(value) => Some(*value),
            _ => None,
        })?,
        DataType::Float64 => numbers::<Float64Type>(values, &storage, |value| match value {
            Value::Float64(value) => Some(*value),
            _ => None,
        })?,
        DataType::Date32 => numbers::<Date32Type>(values, &storage, |value| match value {
            Value::Date(days) => Some(*days),
            _ => None,
        })?,
        DataType::Decimal128(_, scale) => numbers::<Decimal128Type>(values, &storage, |value| match value {
            Value::Decimal(value) if value.scale == *scale => value.unscaled.to_i128(),
            _ => None,
        })?,
        DataType::Decimal256(_, scale) => numbers::<Decimal256Type>(values, &storage, |value| match value {
            Value::Decimal(value) if value.scale == *scale => Some(value.unscaled),
            _ => None,
        })?,
        DataType::Timestamp(unit, _) => match unit {
            TimeUnit::Second => numbers::<TimestampSecondType>(values, &storage, ticks)?,
            TimeUnit::Millisecond => numbers::<TimestampMillisecondType>(values, &storage, ticks)?,
            TimeUnit::Microsecond => numbers::<TimestampMicrosecondType>(values, &storage, ticks)?,
            TimeUnit::Nanosecond => numbers::<TimestampNanosecondType>(values, &storage, ticks)?,
        },
        _ => return None,
    })
}

fn integer<T: TryFrom<i128>>(value: &Value<'_>) -> Option<T> {
    match value {
        Value::Int(value) => T::try_from(*value).ok(),
        _ => None,
    }
}

fn ticks(value: &Value<'_>) -> Option<i64> {
    match value {
        Value::Timestamp { ticks, .. } => i64::try_from(*ticks).ok(),
        _ => None,
    }
}

/// NULL stays NULL; `None` where `of` has no value for one that is not.
fn each<'v, T>(values: &[Value<'v>], of: impl Fn(&Value<'v>) -> Option<T>) -> Option<Vec<Option<T>>> {
    let one = |value: &Value<'v>| if value.is_null() { Some(None) } else { of(value).map(Some) };
    values.iter().map(one).collect()
}

fn numbers<T: ArrowPrimitiveType>(
    values: &[Value<'_>],
    storage: &DataType,
    number: impl Fn(&Value<'_>) -> Option<T::Native>,
) -> Option<ArrayRef> {
    let numbers: PrimitiveArray<T> = each(values, number)?.into_iter().collect();
    Some(Arc::new(numbers.with_data_type(storage.clone())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::{Decimal, TimeUnit, value_at};
    use arrow_buffer::i256;

    #[test]
    fn values_come_back_as_they_were() {
        let decimal = |unscaled: i128| {
            Value::Decimal(Decimal {
                unscaled: i256::from_i128(unscaled),
                scale: 2,
            })
        };
        let moment = |unit: TimeUnit| Value::Timestamp {
            ticks: -7,
            unit,
            zoned: true,
        };
        let micros = TimeUnit::Microsecond;
        for (value_type, value) in [
            (ValueType::Bool, Value::Bool(true)),
            (ValueType::INT64, Value::Int(i64::MIN.into())),
            (ValueType::Int { bits: 64, signed: false }, Value::Int(u64::MAX.into())),
            (ValueType::Decimal { precision: 9, scale: 2 }, decimal(-1234)),
            (ValueType::Decimal { precision: 60, scale: 2 }, decimal(1234)),
            (ValueType::Float { bits: 32 }, Value::Float32(0.5)),
            (ValueType::Float { bits: 64 }, Value::Float64(-0.1)),
            (ValueType::Text, Value::Text("it's")),
            (ValueType::Binary, Value::Binary(&[0, 255])),
            (ValueType::Date, Value::Date(-1)),
            (ValueType::Timestamp { unit: micros, zoned: true }, moment(micros)),
            (ValueType::Null, Value::Null),
        ] {
            let values = [value.clone(), Value::Null];
            let array = array_of(&values, &value_type).expect("it is plain");
            assert_eq!(*array.data_type(), value_type.storage());
            assert_eq!([value_at(array.as_ref(), 0), value_at(array.as_ref(), 1)], values);
            assert!(is_plain(&value_type));
        }
        assert!(array_of(&[Value::Text("x")], &ValueType::INT64).is_none());
        assert!(array_of(&[Value::Null], &ValueType::List(Box::new(ValueType::Text))).is_none());
    }
}
