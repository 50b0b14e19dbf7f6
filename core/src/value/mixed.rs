//! How a value of a mixed type is stored: its kind, then the value, so that each row says what it is.
//!
//! ```text
//! 1 integer    i128 little-endian
//! 2 double     64 bits
//! 3 decimal    scale i8, unscaled 256 bits little-endian
//! 4 timestamp  zoned u8, nanoseconds since 1970-01-01T00:00:00 as i128 little-endian
//! 5 duration   unit u8 (digits of a second), ticks i64 little-endian
//! ```
//! A value has one form, whatever type its file stores it as: a double that is an integer of up to 64 bits is stored as one,
//! a date as its midnight. So neither the order nor the layout of files shows in what is printed.

use super::cell::{Decimal, Value};
use super::order::place_ns;
use super::types::{TimeUnit, ValueType};
use arrow_buffer::i256;

const INTEGER: u8 = 1;
const DOUBLE: u8 = 2;
const DECIMAL: u8 = 3;
const TIMESTAMP: u8 = 4;
const DURATION: u8 = 5;

/// The bytes of a value that is not NULL; `None` where it is not of the kind of `shown`.
pub(super) fn encode(value: &Value<'_>, shown: &ValueType) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(18);
    match (value, shown) {
        (Value::Int(v), _) if shown.is_number() => integer(*v, &mut out),
        (Value::Decimal(v), ValueType::Decimal { .. }) => {
            out.push(DECIMAL);
            out.extend(v.scale.to_le_bytes());
            out.extend(v.unscaled.to_le_bytes());
        }
        (Value::Float32(v), ValueType::Float { .. }) => double(f64::from(*v), &mut out),
        (Value::Float64(v), ValueType::Float { .. }) => double(*v, &mut out),
        (Value::Date(_) | Value::Timestamp { .. }, ValueType::Timestamp { zoned, .. }) => {
            out.extend([TIMESTAMP, u8::from(*zoned)]);
            out.extend(place_ns(value)?.to_le_bytes());
        }
        // Seconds, as a reader gives moments that no 64 bits hold.
        (Value::Decimal(seconds), ValueType::Timestamp { zoned, .. }) if seconds.scale == 9 => {
            out.extend([TIMESTAMP, u8::from(*zoned)]);
            out.extend(seconds.unscaled.to_i128()?.to_le_bytes());
        }
        (Value::Duration { ticks, unit }, ValueType::Duration { .. }) => {
            let (ticks, unit) = coarsest(*ticks, *unit);
            out.extend([DURATION, unit.digits() as u8]);
            out.extend(ticks.to_le_bytes());
        }
        (_, _) => return None,
    }
    Some(out)
}

fn integer(value: i128, out: &mut Vec<u8>) {
    out.push(INTEGER);
    out.extend(value.to_le_bytes());
}

fn double(value: f64, out: &mut Vec<u8>) {
    const BEYOND_64_BITS: f64 = (1u128 << 64) as f64;
    if value.fract() == 0.0 && value.abs() < BEYOND_64_BITS {
        return integer(value as i128, out);
    }
    out.push(DOUBLE);
    out.extend(value.to_bits().to_le_bytes());
}

/// The same length in the coarsest unit that counts it whole.
fn coarsest(ticks: i64, unit: TimeUnit) -> (i64, TimeUnit) {
    let ns = i128::from(ticks) * unit.nanoseconds();
    let whole = |unit: TimeUnit| (ns % unit.nanoseconds() == 0).then(|| (i64::try_from(ns / unit.nanoseconds()).ok(), unit));
    match TimeUnit::ALL.into_iter().find_map(whole) {
        Some((Some(ticks), unit)) => (ticks, unit),
        Some((None, _)) | None => (ticks, unit),
    }
}

/// The value that `encode` wrote.
pub(super) fn decode(bytes: &[u8]) -> Value<'static> {
    read(bytes).expect("a mixed value is what `encode` wrote")
}

fn read(bytes: &[u8]) -> Option<Value<'static>> {
    let (kind, body) = bytes.split_first()?;
    Some(match *kind {
        INTEGER => Value::Int(i128::from_le_bytes(body.try_into().ok()?)),
        DOUBLE => Value::Float64(f64::from_bits(u64::from_le_bytes(body.try_into().ok()?))),
        DECIMAL => {
            let (scale, unscaled) = body.split_first()?;
            Value::Decimal(Decimal {
                unscaled: i256::from_le_bytes(unscaled.try_into().ok()?),
                scale: i8::from_le_bytes([*scale]),
            })
        }
        TIMESTAMP => {
            let (zoned, ns) = body.split_first()?;
            Value::Timestamp {
                ticks: i128::from_le_bytes(ns.try_into().ok()?),
                unit: TimeUnit::Nanosecond,
                zoned: *zoned == 1,
            }
        }
        DURATION => {
            let (digits, ticks) = body.split_first()?;
            Value::Duration {
                ticks: i64::from_le_bytes(ticks.try_into().ok()?),
                unit: TimeUnit::of_digits((*digits).into())?,
            }
        }
        _ => return None,
    })
}
