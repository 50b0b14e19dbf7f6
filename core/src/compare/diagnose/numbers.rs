//! Kinds of change between two numbers.
//!
//! Doubles count as their shortest text, since that is what a person sees and what was rounded: `3.14159` to `3.14`.
//! `float32` against `rounding`: the widened float32 of `0.1` is `0.10000000149011612`, which also rounds to `0.1`. A
//! float32 in its own column needs at most 9 digits, so that one that needs more digits as a double shows its origin, and
//! `float32` goes first; with fewer, `rounding` goes first.

use crate::value::{Number, Value, ValueType, as_double, print_in};
use num_bigint::{BigInt, Sign};
use std::cmp::Ordering;

/// Digits that tell every float32 from every other.
const FLOAT32_DIGITS: usize = 9;

pub(super) fn diagnose(live: &Value<'_>, shadow: &Value<'_>, column_type: &ValueType) -> Option<String> {
    let (live_number, shadow_number) = (written(live, column_type)?, written(shadow, column_type)?);
    if live_number.is_zero() || shadow_number.is_zero() || live_number == shadow_number {
        return None;
    }
    if live_number == shadow_number.negated() {
        return Some("sign".into());
    }
    if let Some(unit) = unit(&live_number, &shadow_number) {
        return Some(unit);
    }
    if let Some(zeros) = factor(live, shadow, &live_number, &shadow_number) {
        let width = zeros.unsigned_abs() as usize;
        return Some(if zeros > 0 {
            format!("scale(1{:0<width$})", "")
        } else {
            format!("scale(0.{:0>width$})", "1")
        });
    }
    let single = single_precision(live, shadow);
    if single.is_some_and(|digits| digits > FLOAT32_DIGITS) {
        return Some("float32".into());
    }
    if let Some(digits) = rounding(&live_number, &shadow_number).or_else(|| rounding(&shadow_number, &live_number)) {
        return Some(format!("rounding({digits})"));
    }
    single.map(|_| "float32".into())
}

/// The number that the printed value shows, in normal form; `None` for NaN, the infinities and what is not a number.
fn written(value: &Value<'_>, column_type: &ValueType) -> Option<Number> {
    match value {
        Value::Int(v) => Some(Number::from_int(*v).normalized()),
        Value::Decimal(v) => Some(Number::from_decimal(v).normalized()),
        Value::Float32(_) | Value::Float64(_) => {
            let mut text = String::new();
            print_in(value, column_type, &mut text);
            Number::parse(&text).map(|n| n.normalized())
        }
        _ => None,
    }
}

/// How many zeros the factor from live to shadow has, negative where live is the larger: in decimals, or as a double's product or quotient.
fn factor(live: &Value<'_>, shadow: &Value<'_>, live_number: &Number, shadow_number: &Number) -> Option<i32> {
    if live_number.has_mantissa_of(shadow_number) {
        return Some(live_number.scale() - shadow_number.scale()).filter(|zeros| *zeros != 0);
    }
    let (l, s) = (as_double(live)?, as_double(shadow)?);
    // Most pairs are nowhere near a factor of ten.
    if (0.2..5.0).contains(&(l / s).abs()) {
        return None;
    }
    let is_factor = |small: f64, large: f64, power: f64| small * power == large || large / power == small;
    // Computed in doubles, 0.07 times 100 is 7.000000000000001.
    (1..=9i32).find_map(|zeros| {
        let power = POWERS[zeros as usize];
        if is_factor(l, s, power) {
            Some(zeros)
        } else if is_factor(s, l, power) {
            Some(-zeros)
        } else {
            None
        }
    })
}

const POWERS: [f64; 10] = [1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9];

/// Moments since 1970 in two units, told apart by size: seconds have 9 to 11 digits, milliseconds 12 to 14, and so on.
///
/// The finer moment may have more to say: the coarser one is its whole part.
fn unit(live: &Number, shadow: &Number) -> Option<String> {
    let (l, s) = (live.to_i128()?, shadow.to_i128()?);
    let (live_unit, shadow_unit) = (unit_of(l)?, unit_of(s)?);
    let (coarse, fine, steps) = match live_unit.cmp(&shadow_unit) {
        Ordering::Less => (l, s, shadow_unit - live_unit),
        Ordering::Equal => return None,
        Ordering::Greater => (s, l, live_unit - shadow_unit),
    };
    let factor = 1_000i128.pow(steps as u32);
    (fine.div_euclid(factor) == coarse).then(|| format!("unit({}/{})", UNITS[live_unit], UNITS[shadow_unit]))
}

const UNITS: [&str; 4] = ["seconds", "milliseconds", "microseconds", "nanoseconds"];

/// The place in [`UNITS`] of a number that looks like a moment since 1973.
fn unit_of(number: i128) -> Option<usize> {
    (0..UNITS.len()).find(|place| {
        let least = 100_000_000 * 1_000i128.pow(*place as u32);
        (least..least * 1_000).contains(&number)
    })
}

/// The digits of the float32 as a double, where one value is the other's nearest float32 and at least one is a float.
fn single_precision(live: &Value<'_>, shadow: &Value<'_>) -> Option<usize> {
    if as_double(live).is_none() && as_double(shadow).is_none() {
        return None;
    }
    let nearest = |value: &Value<'_>| Number::from_value(value).map(|n| n.to_f64());
    let (l, s) = (nearest(live)?, nearest(shadow)?);
    let rounded = |from: f64, to: f64| f64::from(from as f32) == to && from != to;
    let single = if rounded(l, s) {
        s
    } else if rounded(s, l) {
        l
    } else {
        return None;
    };
    Number::parse(&format!("{single:?}")).map(|number| number.normalized().digits())
}

/// The digits after the point of `short`, where it is `long` rounded to them: half away from 0, half to even, or cut.
///
/// `long` must have more digits. `short` is not 0, as the caller made sure: everything small rounds to that.
fn rounding(long: &Number, short: &Number) -> Option<i32> {
    let digits = short.scale().max(0);
    if long.scale() <= digits {
        return None;
    }
    let ((long_mantissa, long_scale), (short_mantissa, short_scale)) = (long.parts(), short.parts());
    let power = BigInt::from(10u8).pow((long_scale - digits).unsigned_abs());
    let wanted = short_mantissa * BigInt::from(10u8).pow((digits - short_scale).unsigned_abs());
    let (cut, rest) = (&long_mantissa / &power, &long_mantissa % &power);
    if cut == wanted {
        return Some(digits);
    }
    // Not cut, so it must be the next away from 0: from the half on, for half to even falls onto the cut one or onto this.
    let away = if long_mantissa.sign() == Sign::Minus { cut - 1 } else { cut + 1 };
    let from_half = rest.magnitude() * 2u8 >= *power.magnitude();
    (from_half && away == wanted).then_some(digits)
}
