//! When two values are equal, and which of two comes first.
//!
//! Kinds of values stand in the order of [`rank`]; inside a kind order is by value: numbers exactly (NaN last, `-0.0`
//! equal to `0.0`), text and binary by bytes, dates and timestamps by instant (naive ones as UTC), times and durations by
//! length, intervals by months, days, nanoseconds, lists element by element, structs member by member in the order of the
//! names, maps as their sorted entries. `order` gives `Equal` exactly where `equal` holds.

use super::calendar::DAY_NS;
use super::cell::Value;
use super::number::Number;
use std::cmp::Ordering;

/// The contract's equality, at every depth: NULL equals NULL, NaN equals NaN, numbers are equal by value across kinds.
pub fn equal(a: &Value<'_>, b: &Value<'_>) -> bool {
    match (a, b) {
        (Value::Int(a), Value::Int(b)) => a == b,
        (Value::Text(a), Value::Text(b)) => a == b,
        (Value::List(a), Value::List(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| equal(a, b)),
        (Value::Struct(a), Value::Struct(b)) if a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.0 == b.0) => {
            a.iter().zip(b).all(|(a, b)| equal(&a.1, &b.1))
        }
        (Value::Map(a), Value::Map(b)) if a.len() != b.len() => false,
        _ => order(a, b) == Ordering::Equal,
    }
}

/// A total order over all values; NULL comes first.
pub fn order(a: &Value<'_>, b: &Value<'_>) -> Ordering {
    rank(a).cmp(&rank(b)).then_with(|| match (a, b) {
        (Value::Bool(a), Value::Bool(b)) => a.cmp(b),
        (Value::Text(a), Value::Text(b)) => a.as_bytes().cmp(b.as_bytes()),
        (Value::Binary(a), Value::Binary(b)) => a.cmp(b),
        (
            Value::Interval {
                months: am,
                days: ad,
                nanoseconds: an,
            },
            Value::Interval {
                months: bm,
                days: bd,
                nanoseconds: bn,
            },
        ) => (am, ad, an).cmp(&(bm, bd, bn)),
        (Value::List(a), Value::List(b)) => order_lists(a, b),
        (Value::Struct(a), Value::Struct(b)) => order_members(&sorted_members(a), &sorted_members(b)),
        (Value::Map(a), Value::Map(b)) => order_entries(&sorted_entries(a), &sorted_entries(b)),
        _ => match (place_ns(a), place_ns(b)) {
            (Some(a), Some(b)) => a.cmp(&b),
            _ => order_numbers(a, b),
        },
    })
}

/// The place of a value's kind among all kinds. Kinds that can be equal share a place.
pub(super) fn rank(value: &Value<'_>) -> u8 {
    match value {
        Value::Null => 0,
        Value::Bool(_) => 1,
        Value::Int(_) | Value::Decimal(_) | Value::Float32(_) | Value::Float64(_) => 2,
        Value::Text(_) => 3,
        Value::Binary(_) => 4,
        Value::Date(_) | Value::Timestamp { .. } => 5,
        Value::Time { .. } => 6,
        Value::Duration { .. } => 7,
        Value::Interval { .. } => 8,
        Value::List(_) => 9,
        Value::Struct(_) => 10,
        Value::Map(_) => 11,
    }
}

/// The nanoseconds that a date, timestamp, time or duration stands for; `None` for all else.
pub fn place_ns(value: &Value<'_>) -> Option<i128> {
    match value {
        Value::Date(days) => Some(i128::from(*days) * DAY_NS),
        Value::Timestamp { ticks, unit, .. } => Some(*ticks * unit.nanoseconds()),
        Value::Time { ticks, unit } | Value::Duration { ticks, unit } => Some(i128::from(*ticks) * unit.nanoseconds()),
        Value::Null
        | Value::Bool(_)
        | Value::Int(_)
        | Value::Decimal(_)
        | Value::Float32(_)
        | Value::Float64(_)
        | Value::Text(_)
        | Value::Binary(_)
        | Value::Interval { .. }
        | Value::List(_)
        | Value::Struct(_)
        | Value::Map(_) => None,
    }
}

/// A float's value as a double.
pub(crate) fn as_double(value: &Value<'_>) -> Option<f64> {
    match value {
        Value::Float32(v) => Some(f64::from(*v)),
        Value::Float64(v) => Some(*v),
        _ => None,
    }
}

/// Two values of the number kind; anything else that comes here is a pair of NULLs.
fn order_numbers(a: &Value<'_>, b: &Value<'_>) -> Ordering {
    match (a, b) {
        (Value::Int(a), Value::Int(b)) => return a.cmp(b),
        (Value::Decimal(a), Value::Decimal(b)) if a.scale == b.scale => return a.unscaled.cmp(&b.unscaled),
        _ => {}
    }
    match (as_double(a), as_double(b)) {
        (Some(a), Some(b)) => return a.is_nan().cmp(&b.is_nan()).then(a.partial_cmp(&b).unwrap_or(Ordering::Equal)),
        (Some(a), None) if !a.is_finite() => {
            return if a == f64::NEG_INFINITY {
                Ordering::Less
            } else {
                Ordering::Greater
            };
        }
        (None, Some(b)) if !b.is_finite() => {
            return if b == f64::NEG_INFINITY {
                Ordering::Greater
            } else {
                Ordering::Less
            };
        }
        (Some(a), None) => {
            if let Value::Int(b) = b {
                return order_int_double(*b, a).reverse();
            }
        }
        (None, Some(b)) => {
            if let Value::Int(a) = a {
                return order_int_double(*a, b);
            }
        }
        (None, None) => {}
    }
    Number::from_value(a).cmp(&Number::from_value(b))
}

/// An integer against a finite double, exactly.
fn order_int_double(int: i128, double: f64) -> Ordering {
    const BOUND: f64 = (1u128 << 126) as f64;
    let floor = double.floor();
    if floor.abs() >= BOUND {
        return Some(Number::from_int(int)).cmp(&Number::from_f64(double));
    }
    // Below 2^126 the floor is an exact i128; a fraction makes the double the larger of two with the same floor.
    int.cmp(&(floor as i128))
        .then(if floor < double { Ordering::Less } else { Ordering::Equal })
}

fn order_lists(a: &[Value<'_>], b: &[Value<'_>]) -> Ordering {
    let first = a.iter().zip(b).map(|(a, b)| order(a, b)).find(|o| o.is_ne());
    first.unwrap_or_else(|| a.len().cmp(&b.len()))
}

/// A struct's members in the order of their names.
pub(super) fn sorted_members<'v, 'a>(members: &'v [(&'a str, Value<'a>)]) -> Vec<&'v (&'a str, Value<'a>)> {
    let mut sorted: Vec<_> = members.iter().collect();
    sorted.sort_by(|a, b| a.0.cmp(b.0));
    sorted
}

/// A map's entries in the order of their keys, then values.
pub(super) fn sorted_entries<'v, 'a>(entries: &'v [(Value<'a>, Value<'a>)]) -> Vec<&'v (Value<'a>, Value<'a>)> {
    let mut sorted: Vec<_> = entries.iter().collect();
    sorted.sort_by(|a, b| order(&a.0, &b.0).then_with(|| order(&a.1, &b.1)));
    sorted
}

fn order_members(a: &[&(&str, Value<'_>)], b: &[&(&str, Value<'_>)]) -> Ordering {
    let first = a
        .iter()
        .zip(b)
        .map(|(a, b)| a.0.cmp(b.0).then_with(|| order(&a.1, &b.1)))
        .find(|o| o.is_ne());
    first.unwrap_or_else(|| a.len().cmp(&b.len()))
}

fn order_entries(a: &[&(Value<'_>, Value<'_>)], b: &[&(Value<'_>, Value<'_>)]) -> Ordering {
    let first = a
        .iter()
        .zip(b)
        .map(|(a, b)| order(&a.0, &b.0).then_with(|| order(&a.1, &b.1)))
        .find(|o| o.is_ne());
    first.unwrap_or_else(|| a.len().cmp(&b.len()))
}

#[cfg(test)]
mod tests {
    use super::super::cell::Decimal;
    use super::super::samples;
    use super::super::types::TimeUnit;
    use super::*;
    use arrow_buffer::i256;

    fn decimal(unscaled: i128, scale: i8) -> Value<'static> {
        Value::Decimal(Decimal {
            unscaled: i256::from_i128(unscaled),
            scale,
        })
    }

    fn timestamp(ticks: i64, unit: TimeUnit, zoned: bool) -> Value<'static> {
        Value::Timestamp {
            ticks: ticks.into(),
            unit,
            zoned,
        }
    }

    #[test]
    fn equal_values() {
        let int = Value::Int;
        for (a, b) in [
            (Value::Null, Value::Null),
            (Value::Float64(f64::NAN), Value::Float32(f32::NAN)),
            (Value::Float64(-0.0), int(0)),
            (Value::Float64(f64::INFINITY), Value::Float32(f32::INFINITY)),
            (int(1), decimal(100, 2)),
            (decimal(15, 1), Value::Float64(1.5)),
            (Value::Float32(0.1), Value::Float64(f64::from(0.1f32))),
            (timestamp(1, TimeUnit::Second, true), timestamp(1_000, TimeUnit::Millisecond, false)),
            (Value::Date(1), timestamp(86_400, TimeUnit::Second, false)),
            (
                Value::List(vec![int(1), Value::Null]),
                Value::List(vec![Value::Float64(1.0), Value::Null]),
            ),
            (
                Value::Struct(vec![("a", int(1)), ("b", int(2))]),
                Value::Struct(vec![("b", int(2)), ("a", decimal(10, 1))]),
            ),
            (
                Value::Map(vec![(int(1), int(2)), (int(3), int(4))]),
                Value::Map(vec![(int(3), int(4)), (int(1), int(2))]),
            ),
        ] {
            assert!(equal(&a, &b) && equal(&b, &a), "{a:?} {b:?}");
            assert_eq!(order(&a, &b), Ordering::Equal);
        }
    }

    #[test]
    fn different_values() {
        let int = Value::Int;
        for (a, b) in [
            (Value::Null, int(0)),
            (Value::Null, Value::Text("")),
            (Value::Text("1"), int(1)),
            (Value::Text("é"), Value::Text("e\u{301}")),
            (int(9007199254740993), Value::Float64(9007199254740992.0)),
            (decimal(1, 1), Value::Float64(0.1)),
            (Value::Float32(0.1), Value::Float64(0.1)),
            (Value::Float64(f64::NAN), Value::Float64(f64::INFINITY)),
            (Value::List(vec![int(1), int(2)]), Value::List(vec![int(2), int(1)])),
            (Value::List(vec![int(1)]), Value::List(vec![int(1), int(1)])),
            (
                Value::Map(vec![(int(1), int(2)), (int(1), int(2))]),
                Value::Map(vec![(int(1), int(2))]),
            ),
            (Value::Struct(vec![("a", Value::Null)]), Value::Null),
            (Value::Struct(vec![("a", Value::Null)]), Value::Struct(vec![("b", Value::Null)])),
            (timestamp(1, TimeUnit::Nanosecond, true), timestamp(0, TimeUnit::Second, true)),
        ] {
            assert!(!equal(&a, &b) && !equal(&b, &a), "{a:?} {b:?}");
        }
    }

    #[test]
    fn order_is_total_and_agrees_with_equality() {
        let values = samples::values();
        for a in &values {
            assert!(equal(a, a), "{a:?}");
            for b in &values {
                assert_eq!(order(a, b), order(b, a).reverse(), "{a:?} {b:?}");
                assert_eq!(order(a, b) == Ordering::Equal, equal(a, b), "{a:?} {b:?}");
                for c in &values {
                    if order(a, b).is_le() && order(b, c).is_le() {
                        assert!(order(a, c).is_le(), "{a:?} {b:?} {c:?}");
                    }
                }
            }
        }
    }
}
