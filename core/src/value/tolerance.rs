//! Whether two values lie within a tolerance of each other.

use super::cell::Value;
use super::number::Number;
use super::order::{as_double, equal};
use crate::side::Side;
use crate::tolerance_use::{HALVINGS, halvings, halvings_of_doubles};
use serde::{Deserialize, Serialize};
use std::cmp::Ordering;

/// A bound that is not negative, kept both as the exact decimal that was written and as the double nearest to it. Stored as the decimal's
/// text.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(into = "Number", try_from = "Number")]
pub struct Tolerance {
    exact: Number,
    double: f64,
}

impl Tolerance {
    /// `None` for a negative number.
    pub fn new(exact: Number) -> Option<Tolerance> {
        (exact.sign() != Ordering::Less).then(|| Tolerance {
            double: exact.to_f64(),
            exact,
        })
    }

    pub fn exact(&self) -> &Number {
        &self.exact
    }

    /// The half of it, so many times; at most 32.
    pub fn halved(&self, times: u32) -> Tolerance {
        let times = times.min(32);
        let exact = self.exact.mul(&Number::new(5_i128.pow(times), times as i32)).normalized();
        Tolerance {
            double: exact.to_f64(),
            exact,
        }
    }
}

impl From<Tolerance> for Number {
    fn from(tolerance: Tolerance) -> Number {
        tolerance.exact
    }
}

impl TryFrom<Number> for Tolerance {
    type Error = String;

    fn try_from(number: Number) -> Result<Tolerance, String> {
        Tolerance::new(number).ok_or_else(|| "a tolerance is not negative".to_owned())
    }
}

impl std::fmt::Display for Tolerance {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.exact.fmt(f)
    }
}

/// Whether `|shadow - live| <= absolute` or `|shadow - live| <= relative * |baseline|`, or the values are equal.
///
/// Two floats are computed as IEEE doubles, every other pair of numbers exactly. NULL is near nothing but NULL, NaN
/// nothing but NaN, an infinity nothing but itself. Lists of one length are held element by element. What is not a number
/// must be equal.
pub fn within(live: &Value<'_>, shadow: &Value<'_>, baseline: Side, absolute: Option<&Tolerance>, relative: Option<&Tolerance>) -> bool {
    if let (Some(live), Some(shadow)) = (as_double(live), as_double(shadow)) {
        return doubles_within(live, shadow, baseline, absolute, relative);
    }
    if let (Value::List(live), Value::List(shadow)) = (live, shadow) {
        let mut pairs = live.iter().zip(shadow);
        return live.len() == shadow.len() && pairs.all(|(l, s)| within(l, s, baseline, absolute, relative));
    }
    let (Some(l), Some(s)) = (Number::from_value(live), Number::from_value(shadow)) else {
        return equal(live, shadow);
    };
    let distance = s.sub(&l).abs();
    let old = match baseline {
        Side::Live => &l,
        Side::Shadow => &s,
    };
    distance.is_zero() || absolute.is_some_and(|a| distance <= a.exact) || relative.is_some_and(|r| distance <= r.exact.mul(&old.abs()))
}

/// The same of two doubles.
pub fn doubles_within(live: f64, shadow: f64, baseline: Side, absolute: Option<&Tolerance>, relative: Option<&Tolerance>) -> bool {
    if live == shadow {
        return true;
    }
    if !live.is_finite() || !shadow.is_finite() {
        return live.is_nan() && shadow.is_nan();
    }
    let distance = (shadow - live).abs();
    let old = match baseline {
        Side::Live => live,
        Side::Shadow => shadow,
    };
    absolute.is_some_and(|a| distance <= a.double) || relative.is_some_and(|r| distance <= r.double * old.abs())
}

/// How often both bounds can be halved while two unequal values stay within them, which they are; at most [`HALVINGS`]. Of lists of one length
/// that of the element that uses most.
pub fn halvings_within(
    live: &Value<'_>,
    shadow: &Value<'_>,
    baseline: Side,
    absolute: Option<&Tolerance>,
    relative: Option<&Tolerance>,
) -> u32 {
    if let (Some(live), Some(shadow)) = (as_double(live), as_double(shadow)) {
        return doubles_halvings(live, shadow, baseline, absolute, relative);
    }
    if let (Value::List(live), Value::List(shadow)) = (live, shadow) {
        let elements = live.iter().zip(shadow);
        let of_elements = elements.map(|(l, s)| halvings_within(l, s, baseline, absolute, relative));
        return of_elements.min().unwrap_or(HALVINGS);
    }
    let (Some(l), Some(s)) = (Number::from_value(live), Number::from_value(shadow)) else {
        return HALVINGS;
    };
    let distance = s.sub(&l).abs();
    let old = match baseline {
        Side::Live => &l,
        Side::Shadow => &s,
    };
    let bounds = [absolute.map(|a| a.exact.clone()), relative.map(|r| r.exact.mul(&old.abs()))];
    let bound = bounds.into_iter().flatten().max().unwrap_or_else(|| Number::from_int(0));
    let holds = |halvings: u32| distance.mul(&Number::from_int(1 << halvings)) <= bound;
    // Most cells use nearly nothing of a tolerance, or much.
    if holds(HALVINGS) {
        return HALVINGS;
    }
    (1..HALVINGS).take_while(|halvings| holds(*halvings)).count() as u32
}

/// The same of two doubles.
pub fn doubles_halvings(live: f64, shadow: f64, baseline: Side, absolute: Option<&Tolerance>, relative: Option<&Tolerance>) -> u32 {
    let distance = (shadow - live).abs();
    if distance.is_nan() {
        return HALVINGS;
    }
    let old = match baseline {
        Side::Live => live.abs(),
        Side::Shadow => shadow.abs(),
    };
    let bound = |scale: f64| {
        let absolute = absolute.map_or(0.0, |a| a.double * scale);
        let relative = relative.map_or(0.0, |r| r.double * (old * scale));
        if absolute > relative { absolute } else { relative }
    };
    if distance == f64::INFINITY {
        // Beyond all doubles, as the bound is for as long as it holds.
        let holds = |halvings: &u32| bound(0.5_f64.powi(*halvings as i32)) == f64::INFINITY;
        return (1..=HALVINGS).take_while(holds).count() as u32;
    }
    let whole = bound(1.0);
    if whole.is_finite() {
        return halvings_of_doubles(distance, whole);
    }
    // Both are made smaller by the same power of two, which is exact.
    const DOWN: f64 = 1.0 / 18_446_744_073_709_551_616.0;
    match bound(DOWN) {
        whole if whole.is_finite() => halvings_of_doubles(distance * DOWN, whole),
        _ => HALVINGS,
    }
}

/// The bounds of a column of integers that count `10^-scale`, in those units: all in 128 bits, and as exact as [`within`].
#[derive(Debug, Clone, Copy)]
pub struct ScaledTolerance {
    absolute: Option<i128>,
    /// Numerator and denominator.
    relative: Option<(i128, i128)>,
    /// The same in 64 bits, where it fits: most values do, and their products take a fraction of the time.
    narrow: Option<NarrowBounds>,
}

#[derive(Debug, Clone, Copy)]
struct NarrowBounds {
    absolute: Option<i64>,
    relative: Option<(i64, i64)>,
}

impl NarrowBounds {
    /// `None` where a bound does not fit.
    fn new(absolute: Option<i128>, relative: Option<(i128, i128)>) -> Option<NarrowBounds> {
        let narrow = |bound: i128| i64::try_from(bound).ok();
        let both = |(numerator, denominator)| Some((narrow(numerator)?, narrow(denominator)?));
        Some(NarrowBounds {
            absolute: match absolute {
                Some(bound) => Some(narrow(bound)?),
                None => None,
            },
            relative: match relative {
                Some(bound) => Some(both(bound)?),
                None => None,
            },
        })
    }
}

/// A distance beside the bounds of two values.
struct NarrowDistance {
    distance: i64,
    absolute: Option<i64>,
    /// The distance and its bound, both times the denominator.
    relative: Option<(i64, i64)>,
}

impl ScaledTolerance {
    /// `None` where a bound does not fit.
    pub fn new(absolute: Option<&Tolerance>, relative: Option<&Tolerance>, scale: i8) -> Option<ScaledTolerance> {
        let power = |exponent: i32| 10i128.checked_pow(u32::try_from(exponent).ok()?);
        let fraction = |tolerance: &Tolerance, scale: i32| {
            let (mantissa, digits) = tolerance.exact.parts();
            let mantissa = i128::try_from(&mantissa).ok()?;
            // mantissa * 10^-digits, in units of 10^-scale
            match digits > scale {
                true => Some((mantissa, power(digits - scale)?)),
                false => Some((mantissa.checked_mul(power(scale - digits)?)?, 1)),
            }
        };
        let absolute = absolute.map(|tolerance| fraction(tolerance, scale.into()));
        let relative = relative.map(|tolerance| fraction(tolerance, 0));
        if absolute == Some(None) || relative == Some(None) {
            return None;
        }
        // Distances are whole units: what is less than one does not count.
        let absolute = absolute.flatten().map(|(numerator, denominator)| numerator / denominator);
        let relative = relative.flatten();
        Some(ScaledTolerance {
            absolute,
            relative,
            narrow: NarrowBounds::new(absolute, relative),
        })
    }

    /// `None` where something takes more than 64 bits.
    fn narrow(&self, live: i128, shadow: i128, baseline: Side) -> Option<NarrowDistance> {
        let bounds = self.narrow?;
        let (live, shadow) = (i64::try_from(live).ok()?, i64::try_from(shadow).ok()?);
        let distance = shadow.checked_sub(live)?.checked_abs()?;
        let old = match baseline {
            Side::Live => live,
            Side::Shadow => shadow,
        };
        let relative = match bounds.relative {
            Some((numerator, denominator)) => Some((distance.checked_mul(denominator)?, numerator.checked_mul(old.checked_abs()?)?)),
            None => None,
        };
        Some(NarrowDistance {
            distance,
            absolute: bounds.absolute,
            relative,
        })
    }

    /// Whether two values are as near as [`within`] says. `None` where that takes more than 128 bits.
    pub fn holds(&self, live: i128, shadow: i128, baseline: Side) -> Option<bool> {
        if let Some(narrow) = self.narrow(live, shadow, baseline) {
            let by_absolute = narrow.absolute.is_some_and(|most| narrow.distance <= most);
            return Some(narrow.distance == 0 || by_absolute || narrow.relative.is_some_and(|(part, whole)| part <= whole));
        }
        let distance = shadow.checked_sub(live)?.checked_abs()?;
        if distance == 0 || self.absolute.is_some_and(|most| distance <= most) {
            return Some(true);
        }
        let Some((numerator, denominator)) = self.relative else {
            return Some(false);
        };
        let old = match baseline {
            Side::Live => live,
            Side::Shadow => shadow,
        };
        Some(distance.checked_mul(denominator)? <= numerator.checked_mul(old.checked_abs()?)?)
    }

    /// As [`halvings_within`]. `None` where that takes more than 128 bits.
    pub fn halvings(&self, live: i128, shadow: i128, baseline: Side) -> Option<u32> {
        if let Some(narrow) = self.narrow(live, shadow, baseline) {
            let of = |part: i64, whole: i64| (part <= whole).then(|| halvings(part.unsigned_abs().into(), whole.unsigned_abs().into()));
            let by_absolute = narrow.absolute.and_then(|most| of(narrow.distance, most));
            let by_relative = narrow.relative.and_then(|(part, whole)| of(part, whole));
            return Some(by_absolute.max(by_relative).unwrap_or(HALVINGS));
        }
        let distance = shadow.checked_sub(live)?.checked_abs()?;
        let of = |part: i128, whole: i128| {
            let holds = part <= whole;
            holds.then(|| halvings(part.unsigned_abs(), whole.unsigned_abs()))
        };
        let by_absolute = self.absolute.and_then(|most| of(distance, most));
        let Some((numerator, denominator)) = self.relative else {
            return Some(by_absolute.unwrap_or(HALVINGS));
        };
        let old = match baseline {
            Side::Live => live,
            Side::Shadow => shadow,
        };
        let by_relative = of(distance.checked_mul(denominator)?, numerator.checked_mul(old.checked_abs()?)?);
        Some(by_absolute.max(by_relative).unwrap_or(HALVINGS))
    }
}

#[cfg(test)]
mod tests {
    use super::super::cell::Decimal;
    use super::*;
    use crate::mix::next;
    use arrow_buffer::i256;

    fn decimal(text: &str) -> Value<'static> {
        let (mantissa, scale) = Number::parse(text).unwrap().parts();
        Value::Decimal(Decimal {
            unscaled: i256::from_i128(i128::try_from(&mantissa).unwrap()),
            scale: scale as i8,
        })
    }

    fn tolerance(text: &str) -> Option<Tolerance> {
        Number::parse(text).and_then(Tolerance::new)
    }

    #[test]
    fn sixty_four_bits_say_what_more_of_them_say() {
        let mut state = 7;
        let mut value = || {
            let bits = next(&mut state);
            let ends = [i64::MIN, i64::MAX, 0, 1, -1, 100];
            match bits % 4 {
                0 => i128::from(ends[(bits >> 8) as usize % ends.len()]),
                1 => i128::from(bits as i64 >> (bits % 60)) * 3,
                _ => i128::from(bits as i64 >> ((bits >> 3) % 64)),
            }
        };
        let (mut narrow, mut near) = (0, 0);
        for (absolute, relative) in [
            ("5", ""),
            ("", "0.02"),
            ("3", "0.5"),
            ("", "3"),
            ("123456789012345", "0.000001"),
            ("1e30", ""),
        ] {
            let [absolute, relative] = [absolute, relative].map(tolerance);
            let scaled = ScaledTolerance::new(absolute.as_ref(), relative.as_ref(), 2).expect("bounds that fit");
            let wide = ScaledTolerance { narrow: None, ..scaled };
            for _ in 0..2_000 {
                let live = value();
                let shadow = [value(), live + 7, live - live / 100][live as usize % 3];
                for baseline in Side::BOTH {
                    let holds = wide.holds(live, shadow, baseline);
                    assert_eq!(scaled.holds(live, shadow, baseline), holds, "{live} {shadow} {scaled:?}");
                    if holds == Some(true) && live != shadow {
                        let halvings = wide.halvings(live, shadow, baseline);
                        assert_eq!(scaled.halvings(live, shadow, baseline), halvings, "{live} {shadow} {scaled:?}");
                        near += 1;
                    }
                    narrow += usize::from(scaled.narrow(live, shadow, baseline).is_some());
                }
            }
        }
        assert!(narrow > 10_000 && near > 3_000, "{narrow} narrow, {near} near");
    }

    #[test]
    fn a_distance_beyond_all_doubles_uses_what_its_bound_lets_it() {
        for (relative, expected) in [("2", 0), ("4", 1), ("16", 3)] {
            let whole = tolerance(relative);
            let found = doubles_halvings(1e308, -1e308, Side::Live, None, whole.as_ref());
            assert_eq!(found, expected, "{relative}");
            for halvings in [expected, expected + 1] {
                let halved = Number::parse(relative).unwrap().to_f64() / f64::from(1 << halvings);
                let halved = tolerance(&halved.to_string());
                let near = doubles_within(1e308, -1e308, Side::Live, None, halved.as_ref());
                assert_eq!(near, halvings <= expected, "{relative} halved {halvings} times");
            }
        }
        assert_eq!(doubles_halvings(f64::NAN, 1.0, Side::Live, None, tolerance("1").as_ref()), HALVINGS);
    }

    fn check(live: Value<'_>, shadow: Value<'_>, baseline: Side, absolute: &str, relative: &str, expected: bool) {
        let (a, r) = (tolerance(absolute), tolerance(relative));
        let note = format!("{live:?} {shadow:?} {baseline} a={absolute} r={relative}");
        assert_eq!(within(&live, &shadow, baseline, a.as_ref(), r.as_ref()), expected, "{note}");
        // The mirror: sides and baseline swapped.
        assert_eq!(
            within(&shadow, &live, baseline.other(), a.as_ref(), r.as_ref()),
            expected,
            "mirror of {note}"
        );
    }

    #[test]
    fn absolute() {
        let (int, double) = (Value::Int, Value::Float64);
        for (live, shadow, bound, expected) in [
            (int(100), int(101), "1", true),
            (int(100), int(102), "1", false),
            (int(i128::from(i64::MIN)), int(i128::from(u64::MAX)), "27670116110564327423", true),
            (int(i128::from(i64::MIN)), int(i128::from(u64::MAX)), "27670116110564327422", false),
            (decimal("0.30"), decimal("0.29"), "0.01", true),
            (decimal("0.300"), decimal("0.289"), "0.01", false),
            (double(0.3), double(0.29), "0.01", false),
            (double(1.0), double(1.5), "0.5", true),
            (int(1), double(1.01), "0.01", false),
            (int(1), double(1.5), "5e-1", true),
            (decimal("0.1"), double(0.1), "0", false),
            (decimal("0.1"), double(0.1), "1e-17", true),
            (Value::Float32(0.1), double(0.1), "1e-9", false),
            (Value::Float32(0.1), double(0.1), "2e-9", true),
            (int(9007199254740993), double(9007199254740992.0), "0.5", false),
            (double(f64::NAN), double(f64::NAN), "0", true),
            (double(f64::NAN), double(1.0), "1e300", false),
            (double(f64::INFINITY), double(f64::INFINITY), "0", true),
            (double(f64::INFINITY), double(f64::MAX), "1e308", false),
            (double(f64::INFINITY), double(f64::NEG_INFINITY), "1e308", false),
            (double(f64::INFINITY), int(5), "1e308", false),
            (double(-0.0), double(0.0), "0", true),
            (Value::Null, Value::Null, "0", true),
            (Value::Null, int(0), "1000", false),
            (Value::Text("a"), Value::Text("a"), "1", true),
            (Value::Text("a"), Value::Text("b"), "1", false),
            (Value::List(vec![int(1), int(2)]), Value::List(vec![int(2), int(3)]), "1", true),
            (Value::List(vec![int(1), int(2)]), Value::List(vec![int(2), int(4)]), "1", false),
            (Value::List(vec![int(1)]), Value::List(vec![]), "1", false),
        ] {
            check(live.clone(), shadow.clone(), Side::Live, bound, "", expected);
            check(live, shadow, Side::Shadow, bound, "", expected);
        }
    }

    #[test]
    fn relative_to_the_baseline() {
        let (int, double) = (Value::Int, Value::Float64);
        for (live, shadow, baseline, bound, expected) in [
            (int(100), int(105), Side::Live, "0.05", true),
            (int(100), int(106), Side::Live, "0.05", false),
            (int(95), int(100), Side::Shadow, "0.05", true),
            (int(95), int(100), Side::Live, "0.05", false),
            (int(-100), int(-105), Side::Live, "0.05", true),
            (int(0), int(1), Side::Live, "0.5", false),
            (int(0), int(0), Side::Live, "0.5", true),
            (int(1), int(0), Side::Live, "1", true),
            (decimal("10.00"), decimal("10.50"), Side::Live, "0.05", true),
            (decimal("10.00"), decimal("10.51"), Side::Live, "0.05", false),
            (double(0.0), double(5e-324), Side::Live, "0.9", false),
            (double(200.0), double(190.0), Side::Live, "0.05", true),
            (Value::Null, int(1), Side::Live, "100", false),
        ] {
            check(live, shadow, baseline, "", bound, expected);
        }
    }

    #[test]
    fn either_bound_may_hold() {
        check(Value::Int(0), Value::Int(1), Side::Live, "1", "0.1", true);
        check(Value::Int(1000), Value::Int(1100), Side::Live, "1", "0.1", true);
        check(Value::Int(1000), Value::Int(1101), Side::Live, "1", "0.1", false);
        check(Value::Int(1), Value::Int(1), Side::Live, "", "", true);
        check(Value::Int(1), Value::Int(2), Side::Live, "", "", false);
    }

    #[test]
    fn tolerances_are_numbers_that_are_not_negative() {
        assert_eq!(tolerance("-1"), None);
        assert_eq!(tolerance("-0").unwrap().exact(), &Number::from_int(0));
    }
}
