//! Dates, timestamps, times and durations become each other where the moment or length stays exactly the same.

use super::{bad, each, lossless, texts, unfit};
use crate::value::array::of_ticks;
use crate::value::calendar::DAY_NS;
use crate::value::parse::BadValue;
use crate::value::types::{TimeUnit, ValueType};
use arrow_array::types::Int64Type;
use arrow_array::{Array, ArrayRef};
use arrow_schema::DataType;
use std::sync::Arc;

pub(super) fn to_time(array: &ArrayRef, target: &ValueType) -> Result<ArrayRef, BadValue> {
    if matches!(array.data_type(), DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View) {
        return texts::parsed(array, target);
    }
    let (from, to) = (source_tick(array.data_type()), target_tick(target));
    if !same_family(array.data_type(), target) {
        return Err(unfit(array, target));
    }
    let counts = counts(array)?;
    if from == to {
        return Ok(of_ticks(&counts, target));
    }
    let change = |count: i64| {
        let finer = i128::from(count) * from;
        if finer % to == 0 {
            i64::try_from(finer / to).ok().filter(|count| holds(target, *count))
        } else {
            None
        }
    };
    let why = || format!("does not fit {target} without loss");
    let changed: Result<ArrayRef, BadValue> =
        each::<Int64Type, Int64Type>(&counts, change, why).map(|changed| Arc::new(changed) as ArrayRef);
    // The count of ticks says nothing to a reader: show the value itself.
    let changed = changed.map_err(|wrong| bad(array, wrong.row, wrong.why))?;
    Ok(of_ticks(&changed, target))
}

/// Whether the 32 bits of a date hold a count of days.
fn holds(target: &ValueType, count: i64) -> bool {
    *target != ValueType::Date || i32::try_from(count).is_ok()
}

fn counts(array: &ArrayRef) -> Result<ArrayRef, BadValue> {
    match array.data_type() {
        DataType::Date32 | DataType::Time32(_) => lossless(&lossless(array, &DataType::Int32)?, &DataType::Int64),
        _ => lossless(array, &DataType::Int64),
    }
}

/// Nanoseconds of one count.
fn source_tick(data_type: &DataType) -> i128 {
    match data_type {
        DataType::Date32 => DAY_NS,
        DataType::Timestamp(unit, _) | DataType::Time32(unit) | DataType::Time64(unit) | DataType::Duration(unit) => {
            TimeUnit::from(*unit).nanoseconds()
        }
        // Milliseconds.
        _ => 1_000_000,
    }
}

fn target_tick(target: &ValueType) -> i128 {
    match target {
        ValueType::Timestamp { unit, .. } | ValueType::Time { unit } | ValueType::Duration { unit } => unit.nanoseconds(),
        _ => DAY_NS,
    }
}

/// Dates and timestamps, zoned or not, are moments; times of day and durations are only themselves.
fn same_family(from: &DataType, target: &ValueType) -> bool {
    match target {
        ValueType::Date | ValueType::Timestamp { .. } => matches!(from, DataType::Date32 | DataType::Date64 | DataType::Timestamp(_, _)),
        ValueType::Time { .. } => matches!(from, DataType::Time32(_) | DataType::Time64(_)),
        ValueType::Duration { .. } => matches!(from, DataType::Duration(_)),
        _ => false,
    }
}
