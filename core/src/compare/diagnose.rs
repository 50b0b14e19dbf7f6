//! What kind of change a cell shows.
//!
//! Every diagnosis is the outcome of an exact test, and the first that holds is given, in this order:
//!
//! ```text
//! NULL        empty_vs_null, null_appeared, null_vanished
//! texts       unicode_normalization, case, whitespace, invisible_characters, mojibake, leading_zeros, number_format, date_format,
//!             truncated, extended, order
//! bytes       truncated, extended
//! times       date_off_by_one, time_zone(±HH:MM), unit(a/b)
//! numbers     sign, unit(a/b), scale(n), float32, rounding(n)
//! lists       order
//! ```
//!
//! The order goes from the test that luck passes least to the one that it passes most; `float32` and `rounding` decide
//! between themselves as [`numbers`] says. What a test needs besides, so that small values do not pass it by luck, stands
//! with the test.

mod date_texts;
mod number_texts;
mod numbers;
mod texts;
mod times;

pub use texts::is_invisible;

use crate::side::Side;
use crate::value::{Value, ValueType, equal, order};
use std::cmp::Ordering;

/// The diagnosis of a cell whose two values differ, `None` where no test holds. `baseline` holds the old value.
pub fn diagnose(live: &Value<'_>, shadow: &Value<'_>, column_type: &ValueType, baseline: Side) -> Option<String> {
    match (live, shadow) {
        (Value::Null, Value::Null) => None,
        (Value::Null, Value::Text("")) | (Value::Text(""), Value::Null) => Some("empty_vs_null".into()),
        (_, Value::Null) => Some("null_appeared".into()),
        (Value::Null, _) => Some("null_vanished".into()),
        (Value::Text(live), Value::Text(shadow)) => {
            let (old, new) = old_and_new(*live, *shadow, baseline);
            texts::diagnose(old, new).map(str::to_owned)
        }
        (Value::Binary(live), Value::Binary(shadow)) => {
            let (old, new) = old_and_new(*live, *shadow, baseline);
            let found = [("truncated", is_beginning(new, old)), ("extended", is_beginning(old, new))];
            found.into_iter().find(|(_, holds)| *holds).map(|(name, _)| name.to_owned())
        }
        (Value::Date(_) | Value::Timestamp { .. }, Value::Date(_) | Value::Timestamp { .. }) => times::diagnose(live, shadow),
        (Value::List(live), Value::List(shadow)) => reordered(live, shadow).then(|| "order".into()),
        _ => numbers::diagnose(live, shadow, column_type),
    }
}

/// The first of the candidate columns whose values were swapped with `column`'s: each holds on one side what the other holds on the other side.
pub fn swapped_with<'a>(
    column: usize,
    live: &dyn Fn(usize) -> Value<'a>,
    shadow: &dyn Fn(usize) -> Value<'a>,
    candidates: &[usize],
) -> Option<usize> {
    let (here_live, here_shadow) = (live(column), shadow(column));
    // With NULL on one side nearly every sparse column would do.
    if here_live.is_null() || here_shadow.is_null() || equal(&here_live, &here_shadow) {
        return None;
    }
    candidates
        .iter()
        .copied()
        .filter(|other| *other != column)
        .find(|other| equal(&here_live, &shadow(*other)) && equal(&here_shadow, &live(*other)))
}

fn old_and_new<T>(live: T, shadow: T, baseline: Side) -> (T, T) {
    match baseline {
        Side::Live => (live, shadow),
        Side::Shadow => (shadow, live),
    }
}

/// Whether `short` is the beginning of `long`: at least 3 bytes of at least 4.
fn is_beginning(short: &[u8], long: &[u8]) -> bool {
    short.len() >= 3 && short.len() < long.len() && long.starts_with(short)
}

/// Whether two different lists hold the same items, each as often.
fn reordered(live: &[Value<'_>], shadow: &[Value<'_>]) -> bool {
    if live.len() != shadow.len() {
        return false;
    }
    let sorted = |items: &[Value<'_>]| -> Vec<usize> {
        let mut places: Vec<usize> = (0..items.len()).collect();
        places.sort_by(|a, b| order(&items[*a], &items[*b]));
        places
    };
    let pairs = || sorted(live).into_iter().zip(sorted(shadow));
    pairs().all(|(l, s)| order(&live[l], &shadow[s]) == Ordering::Equal) && !live.iter().zip(shadow).all(|(l, s)| equal(l, s))
}

#[cfg(test)]
mod tests;
