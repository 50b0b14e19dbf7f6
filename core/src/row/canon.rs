//! The canonical bytes of a value: two values have the same bytes exactly when they are equal by section 3 of the contract.
//!
//! ```text
//! value   = tag, body                      every body is prefix-free
//! 0 NULL    -
//! 1 bool    1 byte
//! 2 number  exponent i16, sign-and-length i16, mantissa big-endian (value = mantissa * 10^exponent, no trailing zeros)
//! 3 double  8 bytes of bits: NaN (one for all), infinities, and doubles that no decimal of 76 digits can equal
//! 4 text    length u64, bytes              5 binary likewise
//! 6 instant nanoseconds i128 (dates are midnight)
//! 7 time    nanoseconds i128               8 duration likewise         9 interval months, days, nanoseconds
//! 10 list   length u64, values             11 struct: members by name  12 map: length, entries sorted by their bytes
//! ```
//! Integers, decimals and doubles share tag 2, so that 1, 1.00 and 1.0 agree; -0.0 is 0.

use crate::value::{DAY_NS, Value, binary_parts};
use num_bigint::BigInt;
use num_traits::Zero;

/// A double with more fractional bits than this equals no decimal of 76 digits.
const MAX_FRACTION_BITS: i32 = 80;
/// 2^255 bounds what 76 digits can hold.
const MAX_WHOLE_BITS: i32 = 255;

/// Appends the canonical bytes of `value`.
pub fn canon(value: &Value<'_>, out: &mut Vec<u8>) {
    match value {
        Value::Null => out.push(0),
        Value::Bool(b) => out.extend([1, u8::from(*b)]),
        Value::Int(i) => small_number(*i, 0, out),
        Value::Decimal(d) => match d.unscaled.to_i128() {
            Some(unscaled) => small_number(unscaled, i32::from(d.scale), out),
            None => big_number(BigInt::from_signed_bytes_be(&d.unscaled.to_be_bytes()), -i32::from(d.scale), out),
        },
        Value::Float32(f) => double(f64::from(*f), out),
        Value::Float64(f) => double(*f, out),
        Value::Text(text) => sized(4, text.as_bytes(), out),
        Value::Binary(bytes) => sized(5, bytes, out),
        Value::Date(days) => tagged(6, i128::from(*days) * DAY_NS, out),
        Value::Timestamp { ticks, unit, .. } => tagged(6, *ticks * unit.nanoseconds(), out),
        Value::Time { ticks, unit } => tagged(7, i128::from(*ticks) * unit.nanoseconds(), out),
        Value::Duration { ticks, unit } => tagged(8, i128::from(*ticks) * unit.nanoseconds(), out),
        Value::Interval { months, days, nanoseconds } => {
            out.push(9);
            out.extend(months.to_be_bytes());
            out.extend(days.to_be_bytes());
            out.extend(nanoseconds.to_be_bytes());
        }
        Value::List(items) => {
            out.push(10);
            out.extend((items.len() as u64).to_be_bytes());
            items.iter().for_each(|item| canon(item, out));
        }
        Value::Struct(members) => structure(members, out),
        Value::Map(entries) => map(entries, out),
    }
}

fn tagged(tag: u8, number: i128, out: &mut Vec<u8>) {
    out.push(tag);
    out.extend(number.to_be_bytes());
}

fn sized(tag: u8, bytes: &[u8], out: &mut Vec<u8>) {
    out.push(tag);
    out.extend((bytes.len() as u64).to_be_bytes());
    out.extend(bytes);
}

fn small_number(mut mantissa: i128, scale: i32, out: &mut Vec<u8>) {
    let mut exponent = -scale;
    if mantissa == 0 {
        exponent = 0;
    }
    // Most numbers are short, and division by words is many times faster.
    if let Ok(mut short) = i64::try_from(mantissa) {
        while short != 0 && short % 10 == 0 {
            short /= 10;
            exponent += 1;
        }
        return number(&short.to_be_bytes(), exponent, out);
    }
    while mantissa % 10 == 0 {
        mantissa /= 10;
        exponent += 1;
    }
    number(&mantissa.to_be_bytes(), exponent, out);
}

fn big_number(mut mantissa: BigInt, mut exponent: i32, out: &mut Vec<u8>) {
    let ten = BigInt::from(10);
    if mantissa.is_zero() {
        exponent = 0;
    }
    while !mantissa.is_zero() && (&mantissa % &ten).is_zero() {
        mantissa /= &ten;
        exponent += 1;
    }
    number(&mantissa.to_signed_bytes_be(), exponent, out);
}

/// `bytes`: the mantissa as big-endian two's complement of any length; leading sign bytes are dropped.
fn number(bytes: &[u8], exponent: i32, out: &mut Vec<u8>) {
    let negative = bytes.first().is_some_and(|b| b & 0x80 != 0);
    let fill = if negative { 0xff } else { 0 };
    let significant = &bytes[bytes.iter().take_while(|b| **b == fill).count()..];
    let length = i16::try_from(significant.len()).expect("a mantissa has at most a few hundred bytes");
    out.push(2);
    out.extend(i16::try_from(exponent).expect("an exponent has at most four digits").to_be_bytes());
    out.extend((if negative { -length - 1 } else { length }).to_be_bytes());
    out.extend(significant);
}

fn double(f: f64, out: &mut Vec<u8>) {
    if f == 0.0 {
        return small_number(0, 0, out);
    }
    if f.is_nan() {
        return special(f64::NAN.to_bits() & !(1 << 63), out);
    }
    if f.is_infinite() {
        return special(f.to_bits(), out);
    }
    let (mantissa, power) = binary_parts(f);
    match power {
        0..=70 => small_number(i128::from(mantissa) << power, 0, out),
        71..=MAX_WHOLE_BITS => big_number(BigInt::from(mantissa) << power, 0, out),
        _ if (-MAX_FRACTION_BITS..0).contains(&power) => {
            // m * 2^-k = m * 5^k * 10^-k
            let five = BigInt::from(5).pow(power.unsigned_abs());
            big_number(BigInt::from(mantissa) * five, power, out);
        }
        _ => special(f.to_bits(), out),
    }
}

fn special(bits: u64, out: &mut Vec<u8>) {
    out.push(3);
    out.extend(bits.to_be_bytes());
}

fn structure(members: &[(&str, Value<'_>)], out: &mut Vec<u8>) {
    let mut sorted: Vec<&(&str, Value<'_>)> = members.iter().collect();
    sorted.sort_by_key(|(name, _)| *name);
    out.push(11);
    out.extend((sorted.len() as u64).to_be_bytes());
    for (name, value) in sorted {
        sized(4, name.as_bytes(), out);
        canon(value, out);
    }
}

fn map(entries: &[(Value<'_>, Value<'_>)], out: &mut Vec<u8>) {
    let mut encoded: Vec<Vec<u8>> = entries
        .iter()
        .map(|(key, value)| {
            let mut bytes = Vec::new();
            canon(key, &mut bytes);
            canon(value, &mut bytes);
            bytes
        })
        .collect();
    encoded.sort_unstable();
    out.push(12);
    out.extend((encoded.len() as u64).to_be_bytes());
    encoded.iter().for_each(|entry| out.extend(entry));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::{Decimal, TimeUnit};
    use arrow_buffer::i256;

    fn bytes(value: &Value<'_>) -> Vec<u8> {
        let mut out = Vec::new();
        canon(value, &mut out);
        out
    }

    fn decimal(unscaled: i128, scale: i8) -> Value<'static> {
        Value::Decimal(Decimal {
            unscaled: i256::from_i128(unscaled),
            scale,
        })
    }

    #[test]
    fn equal_values_have_equal_bytes() {
        for (a, b) in [
            (Value::Int(1), decimal(100, 2)),
            (Value::Int(1), Value::Float64(1.0)),
            (Value::Int(0), Value::Float64(-0.0)),
            (Value::Int(-1200), decimal(-12, -2)),
            (Value::Int(1 << 62), Value::Float64((1u64 << 62) as f64)),
            (decimal(5, 1), Value::Float64(0.5)),
            (decimal(-375, 3), Value::Float32(-0.375)),
            (Value::Float64(f64::NAN), Value::Float32(-f32::NAN)),
            (Value::Float64(1e30), Value::Int(10i128.pow(30) + 19_884_624_838_656)),
            (
                Value::Date(1),
                Value::Timestamp {
                    ticks: 86_400_000,
                    unit: TimeUnit::Millisecond,
                    zoned: true,
                },
            ),
            (
                Value::Map(vec![(Value::Text("a"), Value::Int(1)), (Value::Text("b"), Value::Int(2))]),
                Value::Map(vec![(Value::Text("b"), Value::Int(2)), (Value::Text("a"), Value::Int(1))]),
            ),
            (
                Value::Struct(vec![("a", Value::Int(1)), ("b", Value::Null)]),
                Value::Struct(vec![("b", Value::Null), ("a", Value::Float64(1.0))]),
            ),
        ] {
            assert_eq!(bytes(&a), bytes(&b), "{a:?} {b:?}");
        }
    }

    #[test]
    fn different_values_have_different_bytes() {
        let values = [
            Value::Null,
            Value::Bool(false),
            Value::Int(0),
            Value::Int(1),
            Value::Int(-1),
            Value::Int(127),
            Value::Int(128),
            Value::Int(-128),
            Value::Int(255),
            Value::Int(i128::from(u64::MAX)),
            Value::Int(9_007_199_254_740_993),
            Value::Float64(9_007_199_254_740_992.0),
            Value::Float64(0.1),
            decimal(1, 1),
            Value::Float32(0.1),
            Value::Float64(f64::INFINITY),
            Value::Float64(f64::NEG_INFINITY),
            Value::Float64(f64::NAN),
            Value::Float64(f64::MAX),
            Value::Float64(f64::MIN_POSITIVE),
            Value::Text(""),
            Value::Text("a"),
            Value::Binary(b"a"),
            Value::List(vec![]),
            Value::List(vec![Value::Null]),
            Value::List(vec![Value::List(vec![]), Value::Null]),
            Value::Map(vec![]),
        ];
        for (i, a) in values.iter().enumerate() {
            for b in &values[i + 1..] {
                assert_ne!(bytes(a), bytes(b), "{a:?} {b:?}");
            }
        }
    }
}
