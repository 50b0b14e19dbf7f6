//! Bytes whose order is the order of values.
//!
//! ```text
//! value    rank (1 byte, see `order`), then by kind:
//!   NULL                   nothing
//!   bool                   0 or 1
//!   number                 nearest double (8 bytes, made to sort; NaN last), then what it misses: 2 for nothing,
//!                          1 or 3 and a decimal for less or more
//!   number of an exact     with a column type of integers or decimals: its integer at the column's scale (0x80 ± length, then
//!   column                 the bytes, high byte first)
//!   text, binary           bytes with 00 as 00 FF, then 00 00
//!   date, timestamp, time, duration    nanoseconds as an integer
//!   interval               months, days, nanoseconds as integers
//!   list, struct, map      1 before each item, member or entry (in sorted order), 0 at the end
//! decimal  exponent (4 bytes), digits + 1, then 0; all bits turned for a negative one
//! ```
//!
//! Always holds: keys of one form compare as `order` does, equal values give equal bytes, no key begins another.

use super::cell::Value;
use super::number::Number;
use super::order::{as_double, place_ns, rank, sorted_entries, sorted_members};
use super::types::ValueType;
use num_bigint::BigInt;
use std::cmp::Ordering;

/// Appends a key that sorts among the keys of values of any kind.
pub fn sort_key(value: &Value<'_>, out: &mut Vec<u8>) {
    encode(value, None, out);
}

/// Appends a key that sorts among the keys of one column: shorter and faster for integers and decimals.
///
/// Every value of a column of integers or decimals must fit the column's scale, as its common type promises.
pub fn sort_key_in(value: &Value<'_>, column_type: &ValueType, out: &mut Vec<u8>) {
    encode(value, Some(column_type), out);
}

fn encode(value: &Value<'_>, form: Option<&ValueType>, out: &mut Vec<u8>) {
    out.push(rank(value));
    match value {
        Value::Null => {}
        Value::Bool(v) => out.push(u8::from(*v)),
        Value::Int(_) | Value::Decimal(_) | Value::Float32(_) | Value::Float64(_) => encode_number(value, form, out),
        Value::Text(v) => encode_bytes(v.as_bytes(), out),
        Value::Binary(v) => encode_bytes(v, out),
        Value::Date(_) | Value::Timestamp { .. } | Value::Time { .. } | Value::Duration { .. } => {
            encode_int(place_ns(value).expect("times have a place in time"), out);
        }
        Value::Interval { months, days, nanoseconds } => {
            [i128::from(*months), i128::from(*days), i128::from(*nanoseconds)]
                .iter()
                .for_each(|part| encode_int(*part, out));
        }
        Value::List(items) => {
            let form = match form {
                Some(ValueType::List(item)) => Some(item.as_ref()),
                _ => None,
            };
            encode_all(items, out, |item, out| encode(item, form, out));
        }
        Value::Struct(members) => encode_struct(members, form, out),
        Value::Map(entries) => {
            let (key_form, value_form) = match form {
                Some(ValueType::Map(key, value)) => (Some(key.as_ref()), Some(value.as_ref())),
                _ => (None, None),
            };
            encode_all(&sorted_entries(entries), out, |(key, value), out| {
                encode(key, key_form, out);
                encode(value, value_form, out);
            });
        }
    }
}

fn encode_struct(members: &[(&str, Value<'_>)], form: Option<&ValueType>, out: &mut Vec<u8>) {
    let forms: &[(String, ValueType)] = match form {
        Some(ValueType::Struct(forms)) => forms,
        _ => &[],
    };
    encode_all(&sorted_members(members), out, |(name, member), out| {
        encode_bytes(name.as_bytes(), out);
        encode(member, forms.iter().find(|(n, _)| n == name).map(|(_, form)| form), out);
    });
}

fn encode_all<T>(items: &[T], out: &mut Vec<u8>, mut one: impl FnMut(&T, &mut Vec<u8>)) {
    for item in items {
        out.push(1);
        one(item, out);
    }
    out.push(0);
}

fn encode_bytes(bytes: &[u8], out: &mut Vec<u8>) {
    for byte in bytes {
        out.push(*byte);
        if *byte == 0 {
            out.push(0xff);
        }
    }
    out.extend([0, 0]);
}

fn encode_number(value: &Value<'_>, form: Option<&ValueType>, out: &mut Vec<u8>) {
    match (form, value) {
        (Some(ValueType::Int { .. }), Value::Int(v)) => return encode_int(*v, out),
        (Some(ValueType::Decimal { scale, .. }), Value::Decimal(v)) if v.scale == *scale => {
            return match v.unscaled.to_i128() {
                Some(small) => encode_int(small, out),
                None => encode_big(&Number::from_decimal(v).parts().0, out),
            };
        }
        (Some(ValueType::Decimal { scale, .. }), Value::Int(_) | Value::Decimal(_)) => {
            return encode_big(&at_scale(value, i32::from(*scale)), out);
        }
        _ => {}
    }
    if let Some(double) = as_double(value) {
        encode_double(double, out);
        return out.push(2);
    }
    let exact = Number::from_value(value).expect("integers and decimals are exact numbers");
    let nearest = exact.to_f64();
    encode_double(nearest, out);
    let missed = Number::from_f64(nearest).expect("no integer or decimal of 76 digits reaches the largest double");
    encode_decimal(&exact.sub(&missed), out);
}

/// The integer that a number of an exact column is at the column's scale.
fn at_scale(value: &Value<'_>, scale: i32) -> BigInt {
    let number = Number::from_value(value).expect("integers and decimals are exact numbers");
    let (mantissa, own) = number.normalized().at_scale(scale).parts();
    assert!(
        own == scale || mantissa == BigInt::ZERO,
        "a value has {own} digits after the point in a column of {scale}"
    );
    mantissa
}

/// IEEE bits turned so that they sort as unsigned: negative ones in full, the others in the sign alone.
fn encode_double(value: f64, out: &mut Vec<u8>) {
    let canonical = if value.is_nan() { f64::NAN.abs() } else { value + 0.0 };
    let bits = canonical.to_bits();
    let sorting = if bits >> 63 == 1 { !bits } else { bits | 1 << 63 };
    out.extend(sorting.to_be_bytes());
}

fn encode_int(value: i128, out: &mut Vec<u8>) {
    let bytes = value.unsigned_abs().to_be_bytes();
    let first = bytes.iter().position(|b| *b != 0).unwrap_or(bytes.len());
    encode_magnitude(value < 0, &bytes[first..], out);
}

fn encode_big(value: &BigInt, out: &mut Vec<u8>) {
    let (sign, bytes) = value.to_bytes_be();
    let bytes: &[u8] = if sign == num_bigint::Sign::NoSign { &[] } else { &bytes };
    encode_magnitude(sign == num_bigint::Sign::Minus, bytes, out);
}

/// A magnitude with no leading zero byte: longer ones are larger, so the length goes first.
fn encode_magnitude(negative: bool, bytes: &[u8], out: &mut Vec<u8>) {
    let length = u8::try_from(bytes.len())
        .ok()
        .filter(|l| *l < 0x80)
        .expect("integers have at most 256 bits and 128 decimal digits more");
    if negative {
        out.push(0x80 - length);
        out.extend(bytes.iter().map(|b| !b));
    } else {
        out.push(0x80 + length);
        out.extend(bytes);
    }
}

fn encode_decimal(value: &Number, out: &mut Vec<u8>) {
    let sign = value.sign();
    out.push(match sign {
        Ordering::Less => 1,
        Ordering::Equal => return out.push(2),
        Ordering::Greater => 3,
    });
    let (mantissa, scale) = value.normalized().parts();
    let digits = mantissa.magnitude().to_string();
    // The number is 0.digits * 10^exponent, so that a larger exponent is a larger magnitude.
    let exponent = i32::try_from(digits.len()).expect("numbers are short") - scale;
    let start = out.len();
    out.extend((exponent as u32 ^ 1 << 31).to_be_bytes());
    out.extend(digits.bytes().map(|d| d - b'0' + 1));
    out.push(0);
    if sign == Ordering::Less {
        out[start..].iter_mut().for_each(|b| *b = !*b);
    }
}

#[cfg(test)]
mod tests {
    use super::super::cell::Decimal;
    use super::super::order::order;
    use super::super::samples;
    use super::*;
    use arrow_buffer::i256;

    fn check(values: &[Value<'_>], form: Option<&ValueType>) {
        let keys: Vec<Vec<u8>> = values
            .iter()
            .map(|value| {
                let mut key = Vec::new();
                encode(value, form, &mut key);
                key
            })
            .collect();
        for (a, a_key) in values.iter().zip(&keys) {
            for (b, b_key) in values.iter().zip(&keys) {
                assert_eq!(a_key.cmp(b_key), order(a, b), "{a:?} {a_key:x?}\n{b:?} {b_key:x?}");
                assert!(a_key == b_key || !b_key.starts_with(a_key), "{a:?} {b:?}");
            }
        }
    }

    #[test]
    fn keys_of_all_kinds_sort_as_values() {
        check(&samples::values(), None);
    }

    #[test]
    fn keys_of_double_columns_sort_as_values() {
        check(&samples::numbers(), Some(&ValueType::DOUBLE));
        let lists: Vec<_> = samples::numbers().into_iter().map(|n| Value::List(vec![n])).collect();
        check(&lists, Some(&ValueType::List(Box::new(ValueType::DOUBLE))));
    }

    #[test]
    fn keys_of_exact_columns_sort_as_values() {
        let ints: Vec<_> = samples::numbers()
            .into_iter()
            .filter(|v| matches!(v, Value::Int(_)))
            .chain([Value::Null])
            .collect();
        check(&ints, Some(&ValueType::INT64));
        let exact: Vec<_> = samples::numbers()
            .into_iter()
            .filter(|v| matches!(v, Value::Int(_) | Value::Decimal(_)))
            .collect();
        check(&exact, Some(&ValueType::Decimal { precision: 76, scale: 4 }));
        let coarse = [(1, -2), (-1, -2), (30, -3), (0, -2)].map(|(u, scale)| {
            Value::Decimal(Decimal {
                unscaled: i256::from_i128(u),
                scale,
            })
        });
        check(&coarse, Some(&ValueType::Decimal { precision: 5, scale: -2 }));
    }

    #[test]
    fn random_numbers_sort_as_values() {
        let mut state = 88172645463325252u64;
        let mut next = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state
        };
        let values: Vec<_> = (0..300)
            .map(|i| match i % 4 {
                0 => Value::Int(i128::from(next() as i64) >> (next() % 60)),
                1 => Value::Float64(f64::from_bits(next())),
                2 => Value::Float64(((next() % 4000) as f64 - 2000.0) / 8.0),
                _ => Value::Decimal(Decimal {
                    unscaled: i256::from_i128(i128::from(next() % 400_000) - 200_000),
                    scale: (next() % 4) as i8,
                }),
            })
            .collect();
        check(&values, None);
    }
}
