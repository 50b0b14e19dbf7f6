//! The delta of a changed cell: `shadow - live`, exact for integers, decimals and times, the IEEE difference for doubles.

use crate::side::Side;
use crate::sketch::Sketch;
use crate::tally::Direction;
use crate::value::{DAY_NS, Number, Value, ValueType, as_double, place_ns, print};
use std::cmp::Ordering;

/// A delta as printed and as counted.
#[derive(Debug, Clone)]
pub struct Delta {
    amount: Amount,
    /// In the column's unit; times in seconds with the digits of their unit, dates in days.
    pub text: String,
    /// Delta by the size of the baseline, as the shortest double; empty where that is 0, or the values are times.
    pub relative: String,
}

#[derive(Debug, Clone)]
enum Amount {
    Exact(Number),
    Double(f64),
}

impl Delta {
    /// Whether shadow is larger or smaller; `None` for NaN.
    pub fn direction(&self) -> Option<Direction> {
        let sign = match &self.amount {
            Amount::Exact(number) => number.sign(),
            Amount::Double(double) => double.partial_cmp(&0.0)?,
        };
        match sign {
            Ordering::Less => Some(Direction::Down),
            Ordering::Equal => None,
            Ordering::Greater => Some(Direction::Up),
        }
    }

    /// Adds the delta to a distribution.
    pub fn observe(&self, sketch: &mut Sketch) {
        match &self.amount {
            Amount::Exact(number) => sketch.observe_exact(number),
            Amount::Double(double) => sketch.observe(*double),
        }
    }
}

/// The delta of two values of a column, if both are there and it has a meaning.
pub fn delta(live: &Value<'_>, shadow: &Value<'_>, shown: &ValueType, baseline: Side) -> Option<Delta> {
    if shown.is_time() {
        return time_delta(live, shadow, shown);
    }
    if let (Some(a), Some(b)) = (as_double(live), as_double(shadow)) {
        let difference = b - a + 0.0;
        let base = if baseline == Side::Live { a } else { b };
        let relative = relative(difference, base);
        return Some(Delta {
            amount: Amount::Double(difference),
            text: printed(difference),
            relative,
        });
    }
    let (a, b) = (Number::from_value(live)?, Number::from_value(shadow)?);
    let difference = b.sub(&a);
    let base = if baseline == Side::Live { &a } else { &b };
    let relative = relative(difference.to_f64(), base.to_f64());
    let text = match shown {
        ValueType::Decimal { scale, .. } if *scale > 0 => difference.at_scale(i32::from(*scale)).to_string(),
        _ => difference.normalized().to_string(),
    };
    Some(Delta {
        amount: Amount::Exact(difference),
        text,
        relative,
    })
}

fn printed(double: f64) -> String {
    let mut text = String::new();
    print(&Value::Float64(double), &mut text);
    text
}

fn relative(difference: f64, base: f64) -> String {
    if base == 0.0 || !base.is_finite() || !difference.is_finite() {
        String::new()
    } else {
        printed(difference / base.abs() + 0.0)
    }
}

fn time_delta(live: &Value<'_>, shadow: &Value<'_>, shown: &ValueType) -> Option<Delta> {
    let ns = place_ns(shadow)? - place_ns(live)?;
    let (amount, text) = match shown {
        ValueType::Date => {
            let days = ns / DAY_NS;
            (Number::from_int(days), days.to_string())
        }
        ValueType::Timestamp { unit, .. } | ValueType::Time { unit } | ValueType::Duration { unit } => {
            let seconds = Number::new(ns, 9);
            let text = Number::new(ns / unit.nanoseconds(), unit.digits() as i32).to_string();
            (seconds, text)
        }
        _ => return None,
    };
    Some(Delta {
        amount: Amount::Exact(amount),
        text,
        relative: String::new(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::{Decimal, TimeUnit};
    use arrow_buffer::i256;

    #[test]
    fn deltas_are_exact_where_they_can_be() {
        let decimal = |unscaled: i128| {
            Value::Decimal(Decimal {
                unscaled: i256::from_i128(unscaled),
                scale: 2,
            })
        };
        let t = |text: &str| ValueType::parse(text).expect("a type");
        let ms = |ticks| Value::Timestamp {
            ticks,
            unit: TimeUnit::Millisecond,
            zoned: false,
        };
        for (live, shadow, shown, text, relative) in [
            (
                Value::Int(i64::MIN.into()),
                Value::Int(i64::MAX.into()),
                t("int64"),
                "18446744073709551615",
                "2.0",
            ),
            (decimal(29), decimal(30), t("decimal(9,2)"), "0.01", "0.03448275862068966"),
            (decimal(0), decimal(-150), t("decimal(9,2)"), "-1.50", ""),
            (
                Value::Float64(0.29),
                Value::Float64(0.3),
                t("double"),
                "0.010000000000000009",
                "0.03448275862068969",
            ),
            (Value::Int(4), Value::Float64(4.5), t("double"), "0.5", "0.125"),
            (Value::Float64(1.0), Value::Float64(f64::INFINITY), t("double"), "inf", ""),
            (Value::Date(10), Value::Date(9), t("date"), "-1", ""),
            (ms(0), ms(-1), t("timestamp(ms)"), "-0.001", ""),
            (ms(0), ms(3_600_000), t("timestamp(us)"), "3600.000000", ""),
        ] {
            let delta = delta(&live, &shadow, &shown, Side::Live).expect("a delta");
            assert_eq!(
                (delta.text.as_str(), delta.relative.as_str()),
                (text, relative),
                "{live:?} {shadow:?}"
            );
        }
        assert!(delta(&Value::Null, &Value::Int(1), &t("int64"), Side::Live).is_none());
    }
}
