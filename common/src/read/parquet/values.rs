//! Makes what the decoder gives into what the annotations of a file mean.

use arrow_array::builder::{IntervalMonthDayNanoBuilder, PrimitiveBuilder};
use arrow_array::cast::AsArray;
use arrow_array::types::{ArrowPrimitiveType, Int8Type, Int16Type, Int32Type, IntervalMonthDayNano, UInt8Type, UInt16Type};
use arrow_array::{Array, ArrayRef, ListArray, MapArray, NullArray, StructArray};
use arrow_schema::{ArrowError, DataType, Field, FieldRef, Fields, IntervalUnit};
use std::slice::Iter;
use std::sync::Arc;

const NANOS_A_MILLI: i64 = 1_000_000;

/// What the values of one leaf are made into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reading {
    AsDecoded,
    /// A column that says it has no values.
    AllNull,
    /// An integer of 8 or 16 bits, stored in 32.
    Narrow {
        bits: u8,
        signed: bool,
    },
    /// Months, days and milliseconds, 32 bits each. By the format they are unsigned; Arrow's writers hint at signed ones.
    Interval {
        signed: bool,
    },
}

fn read_type(decoded: &DataType, readings: &mut Iter<'_, Reading>) -> DataType {
    let mut inner = |field: &FieldRef| read_field(field, readings);
    match decoded {
        DataType::List(item) => DataType::List(inner(item)),
        DataType::Map(entries, sorted) => DataType::Map(inner(entries), *sorted),
        DataType::Struct(members) => DataType::Struct(members.iter().map(inner).collect()),
        leaf => match readings.next() {
            None | Some(Reading::AsDecoded) => leaf.clone(),
            Some(Reading::AllNull) => DataType::Null,
            Some(Reading::Narrow { bits: 8, signed: true }) => DataType::Int8,
            Some(Reading::Narrow { bits: 8, signed: false }) => DataType::UInt8,
            Some(Reading::Narrow { signed: true, .. }) => DataType::Int16,
            Some(Reading::Narrow { signed: false, .. }) => DataType::UInt16,
            Some(Reading::Interval { .. }) => DataType::Interval(IntervalUnit::MonthDayNano),
        },
    }
}

/// The field of what `read` gives.
pub(super) fn read_field(field: &FieldRef, readings: &mut Iter<'_, Reading>) -> FieldRef {
    with_type(field, read_type(field.data_type(), readings))
}

fn with_type(field: &FieldRef, data_type: DataType) -> FieldRef {
    let nullable = field.is_nullable() || data_type == DataType::Null;
    Arc::new(Field::clone(field).with_data_type(data_type).with_nullable(nullable))
}

/// The values of one column; the error is what a value is not.
pub(super) fn read(decoded: &ArrayRef, readings: &[Reading]) -> Result<ArrayRef, String> {
    if readings.iter().all(|reading| *reading == Reading::AsDecoded) {
        return Ok(Arc::clone(decoded));
    }
    read_next(decoded, &mut readings.iter())
}

fn read_next(decoded: &ArrayRef, readings: &mut Iter<'_, Reading>) -> Result<ArrayRef, String> {
    let nulls = decoded.nulls().cloned();
    let array: Result<ArrayRef, ArrowError> = match decoded.data_type() {
        DataType::List(item) => {
            let list = decoded.as_list::<i32>();
            let items = read_next(list.values(), readings)?;
            ListArray::try_new(like(item, &items), list.offsets().clone(), items, nulls).map(|list| Arc::new(list) as ArrayRef)
        }
        DataType::Map(entries, sorted) => {
            let map = decoded.as_map();
            let pairs = struct_of(map.entries(), readings)?;
            let entries = with_type(entries, pairs.data_type().clone());
            MapArray::try_new(entries, map.offsets().clone(), pairs, nulls, *sorted).map(|map| Arc::new(map) as ArrayRef)
        }
        DataType::Struct(_) => return struct_of(decoded.as_struct(), readings).map(|read| Arc::new(read) as ArrayRef),
        _ => return leaf(decoded, readings.next().copied().unwrap_or(Reading::AsDecoded)),
    };
    array.map_err(|e| e.to_string())
}

fn struct_of(decoded: &StructArray, readings: &mut Iter<'_, Reading>) -> Result<StructArray, String> {
    let members = decoded.columns().iter().map(|member| read_next(member, readings));
    let members: Vec<ArrayRef> = members.collect::<Result<_, _>>()?;
    let fields: Fields = decoded
        .fields()
        .iter()
        .zip(&members)
        .map(|(field, member)| like(field, member))
        .collect();
    StructArray::try_new_with_length(fields, members, decoded.nulls().cloned(), decoded.len()).map_err(|e| e.to_string())
}

fn like(field: &FieldRef, array: &ArrayRef) -> FieldRef {
    with_type(field, array.data_type().clone())
}

fn leaf(decoded: &ArrayRef, reading: Reading) -> Result<ArrayRef, String> {
    match reading {
        Reading::AsDecoded => Ok(Arc::clone(decoded)),
        Reading::AllNull if decoded.null_count() == decoded.len() => Ok(Arc::new(NullArray::new(decoded.len()))),
        Reading::AllNull => Err("has a value, but says that all of it is NULL".into()),
        Reading::Narrow { bits: 8, signed: true } => narrowed::<Int8Type>(decoded, "int8"),
        Reading::Narrow { bits: 8, signed: false } => narrowed::<UInt8Type>(decoded, "uint8"),
        Reading::Narrow { signed: true, .. } => narrowed::<Int16Type>(decoded, "int16"),
        Reading::Narrow { signed: false, .. } => narrowed::<UInt16Type>(decoded, "uint16"),
        Reading::Interval { signed } => intervals(decoded, signed),
    }
}

fn narrowed<T: ArrowPrimitiveType>(decoded: &ArrayRef, name: &str) -> Result<ArrayRef, String>
where
    T::Native: TryFrom<i32>,
{
    let mut narrow = PrimitiveBuilder::<T>::with_capacity(decoded.len());
    for value in decoded.as_primitive::<Int32Type>() {
        let fits = |value: i32| T::Native::try_from(value).map_err(|_| format!("has the value {value}, which {name} cannot hold"));
        narrow.append_option(value.map(fits).transpose()?);
    }
    Ok(Arc::new(narrow.finish()))
}

fn intervals(decoded: &ArrayRef, signed: bool) -> Result<ArrayRef, String> {
    let mut intervals = IntervalMonthDayNanoBuilder::with_capacity(decoded.len());
    for bytes in decoded.as_fixed_size_binary() {
        intervals.append_option(bytes.map(|bytes| interval(bytes, signed)).transpose()?);
    }
    Ok(Arc::new(intervals.finish()))
}

fn interval(bytes: &[u8], signed: bool) -> Result<IntervalMonthDayNano, String> {
    let part = |at: usize| bytes.get(at..at + 4).and_then(|part| <[u8; 4]>::try_from(part).ok());
    let (Some(months), Some(days), Some(millis)) = (part(0), part(4), part(8)) else {
        return Err("has an interval that is not of 12 bytes".into());
    };
    let millis = match signed {
        true => i64::from(i32::from_le_bytes(millis)),
        false => i64::from(u32::from_le_bytes(millis)),
    };
    let (months, days) = (i32::from_le_bytes(months), i32::from_le_bytes(days));
    if !signed && (months < 0 || days < 0) {
        let (months, days) = (months as u32, days as u32);
        return Err(format!(
            "has an interval of {months} months and {days} days, of which 2147483647 each can be held"
        ));
    }
    Ok(IntervalMonthDayNano::new(months, days, millis * NANOS_A_MILLI))
}
