//! The delta of a changed cell: `shadow - live`, exact for integers, decimals and times, the IEEE difference for doubles.

use crate::side::Side;
use crate::sketch::Sketch;
use crate::spec::Direction;
use crate::value::{DAY_NS, Number, Value, ValueType, as_double, place_ns, print};

/// A delta, as it is counted and as it is printed.
#[derive(Debug, Clone)]
pub(super) struct Delta {
    /// In the column's unit; of times in seconds, of dates in days.
    amount: Amount,
    /// With the digits of the column's unit.
    printed: Amount,
    /// Delta by the size of the baseline; `None` where that is 0, or the values are times.
    relative: Option<f64>,
}

#[derive(Debug, Clone)]
enum Amount {
    Exact(Number),
    Double(f64),
}

impl Delta {
    /// Whether shadow is larger or smaller; `None` for NaN.
    pub(super) fn direction(&self) -> Option<Direction> {
        Direction::of(match &self.amount {
            Amount::Exact(number) => number.sign(),
            Amount::Double(double) => double.partial_cmp(&0.0)?,
        })
    }

    /// Adds the delta to a distribution.
    pub(super) fn observe(&self, sketch: &mut Sketch) {
        match &self.amount {
            Amount::Exact(number) => sketch.observe_exact(number),
            Amount::Double(double) => sketch.observe(*double),
        }
    }

    /// Where it is exact.
    pub(super) fn exact(&self) -> Option<&Number> {
        match &self.amount {
            Amount::Exact(number) => Some(number),
            Amount::Double(_) => None,
        }
    }

    /// As it is printed, as the nearest double.
    pub(super) fn as_double(&self) -> f64 {
        match &self.printed {
            Amount::Exact(number) => number.to_f64(),
            Amount::Double(double) => *double,
        }
    }

    pub(super) fn relative(&self) -> Option<f64> {
        self.relative
    }

    /// Appends the delta; exact, or as the shortest double.
    pub(super) fn print(&self, out: &mut String) {
        match &self.printed {
            Amount::Exact(number) => number.print(out),
            Amount::Double(double) => print(&Value::Float64(*double), out),
        }
    }

    /// Appends the relative delta as the shortest double, if there is one.
    pub(super) fn print_relative(&self, out: &mut String) {
        if let Some(relative) = self.relative {
            print(&Value::Float64(relative), out);
        }
    }
}

/// The delta of two values of a column, if both are there and it has a meaning.
pub(super) fn delta(live: &Value<'_>, shadow: &Value<'_>, shown: &ValueType, baseline: Side) -> Option<Delta> {
    if shown.is_time() {
        return time_delta(live, shadow, shown);
    }
    if let (Some(a), Some(b)) = (as_double(live), as_double(shadow)) {
        let difference = b - a + 0.0;
        let base = if baseline == Side::Live { a } else { b };
        return Some(Delta {
            amount: Amount::Double(difference),
            printed: Amount::Double(difference),
            relative: relative(difference, base),
        });
    }
    let (a, b) = (Number::from_value(live)?, Number::from_value(shadow)?);
    let difference = b.sub(&a);
    let base = if baseline == Side::Live { &a } else { &b };
    let relative = relative(difference.to_f64(), base.to_f64());
    let printed = match shown {
        ValueType::Decimal { scale, .. } if *scale > 0 => difference.at_scale(i32::from(*scale)),
        _ => difference.normalized(),
    };
    Some(Delta {
        amount: Amount::Exact(difference),
        printed: Amount::Exact(printed),
        relative,
    })
}

fn relative(difference: f64, base: f64) -> Option<f64> {
    let has_meaning = base != 0.0 && base.is_finite() && difference.is_finite();
    has_meaning.then(|| difference / base.abs() + 0.0)
}

fn time_delta(live: &Value<'_>, shadow: &Value<'_>, shown: &ValueType) -> Option<Delta> {
    let ns = place_ns(shadow)? - place_ns(live)?;
    let (amount, printed) = match shown {
        ValueType::Date => {
            let days = Number::from_int(ns / DAY_NS);
            (days.clone(), days)
        }
        ValueType::Timestamp { unit, .. } | ValueType::Time { unit } | ValueType::Duration { unit } => {
            (Number::new(ns, 9), Number::new(ns / unit.nanoseconds(), unit.digits() as i32))
        }
        _ => return None,
    };
    Some(Delta {
        amount: Amount::Exact(amount),
        printed: Amount::Exact(printed),
        relative: None,
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
            let mut printed = String::new();
            delta.print(&mut printed);
            printed.push(' ');
            delta.print_relative(&mut printed);
            assert_eq!(printed, format!("{text} {relative}"), "{live:?} {shadow:?}");
        }
        assert!(delta(&Value::Null, &Value::Int(1), &t("int64"), Side::Live).is_none());
    }
}
