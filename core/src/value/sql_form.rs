//! The form in which SQL sees the values of a type. All but mixed ones are seen as they are stored; of a mixed number SQL sees the
//! nearest double (as it does where it compares an integer with a double), of mixed integers a decimal, of a mixed time the microsecond in which it lies.

use super::array::value_at;
use super::cell::Value;
use super::number::Number;
use super::order::place_ns;
use super::types::{TimeUnit, ValueType};
use arrow_array::builder::PrimitiveBuilder;
use arrow_array::cast::AsArray;
use arrow_array::types::{Decimal128Type, DurationMicrosecondType, Float64Type, TimestampMicrosecondType};
use arrow_array::{Array, ArrayRef, ArrowPrimitiveType, ListArray, MapArray, StructArray};
use arrow_schema::{DataType, FieldRef, Fields};
use std::sync::Arc;

const MICROSECOND_NS: i128 = 1_000;

impl ValueType {
    /// The Arrow type that SQL sees.
    pub fn sql_form(&self) -> DataType {
        sql_type(self).storage()
    }
}

fn sql_type(of: &ValueType) -> ValueType {
    let unit = TimeUnit::Microsecond;
    match of {
        ValueType::Mixed(shown) => match shown.as_ref() {
            ValueType::Timestamp { zoned, .. } => ValueType::Timestamp { unit, zoned: *zoned },
            ValueType::Duration { .. } => ValueType::Duration { unit },
            // 64 bits, with and without a sign.
            ValueType::Int { .. } => ValueType::Decimal { precision: 20, scale: 0 },
            _ => ValueType::DOUBLE,
        },
        ValueType::List(item) => ValueType::List(Box::new(sql_type(item))),
        ValueType::Map(key, value) => ValueType::Map(Box::new(sql_type(key)), Box::new(sql_type(value))),
        ValueType::Struct(members) => ValueType::Struct(members.iter().map(|(name, t)| (name.clone(), sql_type(t))).collect()),
        other => other.clone(),
    }
}

/// A stored array in the form that SQL sees, `form` being the `sql_form` of its type.
pub fn for_sql(array: &ArrayRef, form: &DataType) -> ArrayRef {
    if array.data_type() == form {
        return Arc::clone(array);
    }
    match (array.data_type(), form) {
        (DataType::List(_), DataType::List(item)) => list(array, item),
        (DataType::Struct(_), DataType::Struct(members)) => Arc::new(members_for_sql(array.as_struct(), members)),
        (DataType::Map(_, _), DataType::Map(entries, sorted)) => map(array, entries, *sorted),
        (DataType::LargeBinary, DataType::Float64) => each::<Float64Type>(array, form, double),
        (DataType::LargeBinary, DataType::Decimal128(_, _)) => each::<Decimal128Type>(array, form, integer),
        (DataType::LargeBinary, DataType::Timestamp(_, _)) => each::<TimestampMicrosecondType>(array, form, microseconds),
        (DataType::LargeBinary, DataType::Duration(_)) => each::<DurationMicrosecondType>(array, form, microseconds),
        // Another type than was planned: whoever evaluates says so.
        (_, _) => Arc::clone(array),
    }
}

fn each<T: ArrowPrimitiveType>(array: &ArrayRef, form: &DataType, value: impl Fn(&Value<'_>) -> Option<T::Native>) -> ArrayRef {
    let values = (0..array.len()).map(|row| value(&value_at(array.as_ref(), row)));
    let mut made = PrimitiveBuilder::<T>::with_capacity(array.len());
    values.for_each(|value| made.append_option(value));
    let values = made.finish();
    Arc::new(values.with_data_type(form.clone()))
}

fn double(value: &Value<'_>) -> Option<f64> {
    match value {
        Value::Int(v) => Some(*v as f64),
        Value::Float64(v) => Some(*v),
        // Reading the digits of a number gives the nearest double.
        other => Number::from_value(other)?.to_string().parse().ok(),
    }
}

fn integer(value: &Value<'_>) -> Option<i128> {
    match value {
        Value::Int(v) => Some(*v),
        _ => None,
    }
}

fn microseconds(value: &Value<'_>) -> Option<i64> {
    i64::try_from(place_ns(value)?.div_euclid(MICROSECOND_NS)).ok()
}

fn list(array: &ArrayRef, item: &FieldRef) -> ArrayRef {
    let list = array.as_list::<i32>();
    let values = for_sql(list.values(), item.data_type());
    Arc::new(ListArray::new(
        Arc::clone(item),
        list.offsets().clone(),
        values,
        list.nulls().cloned(),
    ))
}

fn members_for_sql(array: &StructArray, members: &Fields) -> StructArray {
    let columns = array
        .columns()
        .iter()
        .zip(members)
        .map(|(column, field)| for_sql(column, field.data_type()));
    StructArray::new(members.clone(), columns.collect(), array.nulls().cloned())
}

fn map(array: &ArrayRef, entries: &FieldRef, sorted: bool) -> ArrayRef {
    let map = array.as_map();
    let DataType::Struct(pair) = entries.data_type() else {
        return Arc::clone(array);
    };
    let pairs = members_for_sql(map.entries(), pair);
    Arc::new(MapArray::new(
        Arc::clone(entries),
        map.offsets().clone(),
        pairs,
        map.nulls().cloned(),
        sorted,
    ))
}

#[cfg(test)]
mod tests {
    use super::super::convert;
    use super::*;
    use arrow_array::{Float64Array, Int64Array, TimestampNanosecondArray, UInt64Array};
    use arrow_schema::Field;

    fn mixed(array: ArrayRef, of: &str) -> (ArrayRef, ValueType) {
        let t = ValueType::Mixed(Box::new(ValueType::parse(of).expect("a type of the test")));
        (convert(&array, &t).expect("of the kind"), t)
    }

    #[test]
    fn sql_sees_mixed_values_in_one_type() {
        let (ints, t) = mixed(Arc::new(Int64Array::from(vec![Some(-3), None, Some((1 << 53) + 1)])), "double");
        let want: ArrayRef = Arc::new(Float64Array::from(vec![Some(-3.0), None, Some(9_007_199_254_740_992.0)]));
        assert_eq!(&for_sql(&ints, &t.sql_form()), &want);

        let (wide, t) = mixed(Arc::new(UInt64Array::from(vec![u64::MAX])), "int64");
        let seen = for_sql(&wide, &t.sql_form());
        assert_eq!(seen.as_primitive::<Decimal128Type>().values(), &[i128::from(u64::MAX)]);

        let (times, t) = mixed(
            Arc::new(TimestampNanosecondArray::from(vec![Some(-1), Some(1_500)])),
            "timestamp(ns)",
        );
        let seen = for_sql(&times, &t.sql_form());
        assert_eq!(seen.as_primitive::<TimestampMicrosecondType>().values(), &[-1, 1]);

        let item = Arc::new(Field::new("item", DataType::LargeBinary, true));
        let offsets = arrow_buffer::OffsetBuffer::from_lengths([2, 1]);
        let lists: ArrayRef = Arc::new(ListArray::new(item, offsets, ints, None));
        let form = ValueType::List(Box::new(ValueType::Mixed(Box::new(ValueType::DOUBLE)))).sql_form();
        let seen = for_sql(&lists, &form);
        assert_eq!(seen.data_type(), &form);
    }
}
