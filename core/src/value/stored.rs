//! A value between two stages of a job: its kind, then the value, in few bytes. What is read borrows its texts and bytes.
//!
//! ```text
//! value = kind u8, body                              lengths and counts in the form of `compact`, all else little-endian
//! 0 NULL, 1 false, 2 true    nothing
//! 3 integer      integer                             4 decimal     scale i8, integer
//! 5 float32      32 bits                             6 float64     64 bits
//! 7 text         length, bytes                       8 binary      likewise
//! 9 date         integer                             10 timestamp  unit u8, zoned u8, integer
//! 11 time        unit u8, integer                    12 duration   likewise
//! 13 interval    months i32, days i32, nanoseconds i64
//! 14 list        count, values
//! 15 struct      count, for each member: length and bytes of its name, value
//! 16 map         count, for each entry: key, value
//!
//! integer = length u8, two's complement of that many bytes: the fewest that hold it
//! unit    = digits of a second: 0, 3, 6, 9
//! ```
//! Always holds: what is read prints, orders and compares as what was written, to the last bit of a double.

use super::cell::{Decimal, Value};
use super::types::TimeUnit;
use crate::compact::{read_number, write_number};
use arrow_buffer::i256;

const NULL: u8 = 0;
const FALSE: u8 = 1;
const TRUE: u8 = 2;
const INTEGER: u8 = 3;
const DECIMAL: u8 = 4;
const FLOAT32: u8 = 5;
const FLOAT64: u8 = 6;
const TEXT: u8 = 7;
const BINARY: u8 = 8;
const DATE: u8 = 9;
const TIMESTAMP: u8 = 10;
const TIME: u8 = 11;
const DURATION: u8 = 12;
const INTERVAL: u8 = 13;
const LIST: u8 = 14;
const STRUCT: u8 = 15;
const MAP: u8 = 16;

/// Appends a value.
pub fn write_value(value: &Value<'_>, out: &mut Vec<u8>) {
    match value {
        Value::Null => out.push(NULL),
        Value::Bool(v) => out.push(if *v { TRUE } else { FALSE }),
        Value::Int(v) => {
            out.push(INTEGER);
            write_integer(*v, out);
        }
        Value::Decimal(v) => {
            out.extend([DECIMAL, v.scale as u8]);
            match v.unscaled.to_i128() {
                Some(small) => write_integer(small, out),
                None => write_significant(&v.unscaled.to_le_bytes(), out),
            }
        }
        Value::Float32(v) => {
            out.push(FLOAT32);
            out.extend(v.to_bits().to_le_bytes());
        }
        Value::Float64(v) => {
            out.push(FLOAT64);
            out.extend(v.to_bits().to_le_bytes());
        }
        Value::Text(v) => {
            out.push(TEXT);
            write_bytes(v.as_bytes(), out);
        }
        Value::Binary(v) => {
            out.push(BINARY);
            write_bytes(v, out);
        }
        Value::Date(days) => {
            out.push(DATE);
            write_integer((*days).into(), out);
        }
        Value::Timestamp { ticks, unit, zoned } => {
            out.extend([TIMESTAMP, unit.digits() as u8, u8::from(*zoned)]);
            write_integer(*ticks, out);
        }
        Value::Time { ticks, unit } => {
            out.extend([TIME, unit.digits() as u8]);
            write_integer((*ticks).into(), out);
        }
        Value::Duration { ticks, unit } => {
            out.extend([DURATION, unit.digits() as u8]);
            write_integer((*ticks).into(), out);
        }
        Value::Interval { months, days, nanoseconds } => {
            out.push(INTERVAL);
            out.extend(months.to_le_bytes());
            out.extend(days.to_le_bytes());
            out.extend(nanoseconds.to_le_bytes());
        }
        Value::List(_) | Value::Struct(_) | Value::Map(_) => write_nested(value, out),
    }
}

fn write_nested(value: &Value<'_>, out: &mut Vec<u8>) {
    match value {
        Value::List(items) => {
            out.push(LIST);
            write_number(items.len() as u64, out);
            items.iter().for_each(|item| write_value(item, out));
        }
        Value::Struct(members) => {
            out.push(STRUCT);
            write_number(members.len() as u64, out);
            for (name, member) in members {
                write_bytes(name.as_bytes(), out);
                write_value(member, out);
            }
        }
        Value::Map(entries) => {
            out.push(MAP);
            write_number(entries.len() as u64, out);
            for (key, value) in entries {
                write_value(key, out);
                write_value(value, out);
            }
        }
        _ => unreachable!("only nested values have values inside"),
    }
}

/// Appends bytes with their length in front.
pub(crate) fn write_bytes(bytes: &[u8], out: &mut Vec<u8>) {
    write_number(bytes.len() as u64, out);
    out.extend_from_slice(bytes);
}

fn write_integer(value: i128, out: &mut Vec<u8>) {
    match i64::try_from(value) {
        Ok(short) => write_significant(&short.to_le_bytes(), out),
        Err(_) => write_significant(&value.to_le_bytes(), out),
    }
}

/// `bytes` in two's complement without those at its end that say no more than the sign.
fn write_significant(mut bytes: &[u8], out: &mut Vec<u8>) {
    while let [rest @ .., top] = bytes {
        let sign = rest.last().map_or(0, |below| if below & 0x80 == 0 { 0 } else { 0xff });
        if *top != sign {
            break;
        }
        bytes = rest;
    }
    out.push(bytes.len() as u8);
    out.extend_from_slice(bytes);
}

/// Reads the value at `at` and goes on behind it; `None` where none is.
pub fn read_value<'a>(bytes: &'a [u8], at: &mut usize) -> Option<Value<'a>> {
    Some(match read_array::<1>(bytes, at)?[0] {
        NULL => Value::Null,
        FALSE => Value::Bool(false),
        TRUE => Value::Bool(true),
        INTEGER => Value::Int(read_integer(bytes, at)?),
        DECIMAL => {
            let [scale] = read_array(bytes, at)?;
            Value::Decimal(Decimal {
                unscaled: match read_short(bytes, at) {
                    Some(short) => i256::from_i128(short.into()),
                    None => i256::from_le_bytes(read_significant(bytes, at)?),
                },
                scale: scale as i8,
            })
        }
        FLOAT32 => Value::Float32(f32::from_bits(u32::from_le_bytes(read_array(bytes, at)?))),
        FLOAT64 => Value::Float64(f64::from_bits(u64::from_le_bytes(read_array(bytes, at)?))),
        TEXT => Value::Text(read_text(bytes, at)?),
        BINARY => Value::Binary(read_bytes(bytes, at)?),
        DATE => Value::Date(read_integer(bytes, at)?.try_into().ok()?),
        TIMESTAMP => Value::Timestamp {
            unit: read_unit(bytes, at)?,
            zoned: read_array(bytes, at)? == [1],
            ticks: read_integer(bytes, at)?,
        },
        TIME => Value::Time {
            unit: read_unit(bytes, at)?,
            ticks: read_integer(bytes, at)?.try_into().ok()?,
        },
        DURATION => Value::Duration {
            unit: read_unit(bytes, at)?,
            ticks: read_integer(bytes, at)?.try_into().ok()?,
        },
        INTERVAL => Value::Interval {
            months: i32::from_le_bytes(read_array(bytes, at)?),
            days: i32::from_le_bytes(read_array(bytes, at)?),
            nanoseconds: i64::from_le_bytes(read_array(bytes, at)?),
        },
        LIST => Value::List(read_all(bytes, at, read_value)?),
        STRUCT => Value::Struct(read_all(bytes, at, |bytes, at| {
            Some((read_text(bytes, at)?, read_value(bytes, at)?))
        })?),
        MAP => Value::Map(read_all(bytes, at, |bytes, at| {
            Some((read_value(bytes, at)?, read_value(bytes, at)?))
        })?),
        _ => return None,
    })
}

/// As many as the count in front says. Nothing is set aside for them before they are there: a count may be wrong.
fn read_all<'a, T>(bytes: &'a [u8], at: &mut usize, one: impl Fn(&'a [u8], &mut usize) -> Option<T>) -> Option<Vec<T>> {
    let count = read_number(bytes, at)?;
    (0..count).map(|_| one(bytes, at)).collect()
}

/// The bytes that [`write_bytes`] wrote.
pub(crate) fn read_bytes<'a>(bytes: &'a [u8], at: &mut usize) -> Option<&'a [u8]> {
    let length = usize::try_from(read_number(bytes, at)?).ok()?;
    let found = bytes.get(*at..at.checked_add(length)?)?;
    *at += length;
    Some(found)
}

/// The same as text.
pub(crate) fn read_text<'a>(bytes: &'a [u8], at: &mut usize) -> Option<&'a str> {
    std::str::from_utf8(read_bytes(bytes, at)?).ok()
}

fn read_unit(bytes: &[u8], at: &mut usize) -> Option<TimeUnit> {
    let [digits] = read_array(bytes, at)?;
    TimeUnit::of_digits(digits.into())
}

fn read_integer(bytes: &[u8], at: &mut usize) -> Option<i128> {
    match read_short(bytes, at) {
        Some(short) => Some(short.into()),
        None => read_significant(bytes, at).map(i128::from_le_bytes),
    }
}

/// An integer of at most 8 bytes that stand within the next 9, as nearly all do; else `None`, and nothing is read.
fn read_short(bytes: &[u8], at: &mut usize) -> Option<i64> {
    let (length, rest) = bytes.get(*at..)?.split_first()?;
    let length = usize::from(*length);
    let eight = i64::from_le_bytes(*rest.first_chunk()?);
    let unused = match length {
        0 => {
            *at += 1;
            return Some(0);
        }
        1..=8 => 8 * (8 - length),
        _ => return None,
    };
    *at += 1 + length;
    Some(eight << unused >> unused)
}

/// What [`write_significant`] wrote, with the sign up to `N` bytes.
fn read_significant<const N: usize>(bytes: &[u8], at: &mut usize) -> Option<[u8; N]> {
    let [length] = read_array(bytes, at)?;
    let length = usize::from(length);
    let found = bytes.get(*at..*at + length).filter(|_| length <= N)?;
    *at += length;
    let sign = found.last().map_or(0, |top| if top & 0x80 == 0 { 0 } else { 0xff });
    let mut whole = [sign; N];
    whole[..length].copy_from_slice(found);
    Some(whole)
}

fn read_array<const N: usize>(bytes: &[u8], at: &mut usize) -> Option<[u8; N]> {
    let found = bytes.get(*at..*at + N)?.try_into().ok()?;
    *at += N;
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::super::samples;
    use super::*;

    fn written(value: &Value<'_>) -> Vec<u8> {
        let mut bytes = Vec::new();
        write_value(value, &mut bytes);
        bytes
    }

    #[test]
    fn every_value_comes_back_to_the_last_bit() {
        let deep = Value::List(vec![Value::Struct(vec![(
            "é",
            Value::Map(vec![(Value::Null, Value::List(samples::values()))]),
        )])]);
        for value in samples::values().into_iter().chain([deep]) {
            let bytes = written(&value);
            let mut at = 0;
            let read = read_value(&bytes, &mut at).unwrap_or_else(|| panic!("{value:?} does not come back"));
            assert_eq!((at, written(&read)), (bytes.len(), bytes.clone()), "{value:?}");
            // NaN is not equal to itself, but looks like itself.
            assert_eq!(format!("{read:?}"), format!("{value:?}"));
            // Among others an integer may be read eight bytes at a time.
            let (others, mut at) = ([&bytes[..], &[0xa5; 9]].concat(), 0);
            let read = read_value(&others, &mut at);
            assert_eq!((at, format!("{read:?}")), (bytes.len(), format!("Some({value:?})")));
            for end in 0..bytes.len() {
                assert_eq!(read_value(&bytes[..end], &mut 0), None, "{value:?} cut at {end}");
            }
        }
    }

    #[test]
    fn bits_of_a_nan_are_kept() {
        let nan = f64::from_bits(0x7ff8_0000_0000_1234);
        let bytes = written(&Value::Float64(nan));
        assert!(matches!(read_value(&bytes, &mut 0), Some(Value::Float64(read)) if read.to_bits() == nan.to_bits()));
    }

    #[test]
    fn integers_take_as_few_bytes_as_hold_them() {
        for (value, bytes) in [
            (0, &[][..]),
            (1, &[1]),
            (-1, &[0xff]),
            (127, &[0x7f]),
            (128, &[0x80, 0]),
            (-128, &[0x80]),
            (-129, &[0x7f, 0xff]),
            (i128::from(u64::MAX), &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0]),
        ] {
            let stored = [&[INTEGER, bytes.len() as u8], bytes].concat();
            assert_eq!(written(&Value::Int(value)), stored, "{value}");
            for behind in [&[][..], &[0xff; 8]] {
                let read = read_value(&[&stored, behind].concat(), &mut 0).map(|read| format!("{read:?}"));
                assert_eq!(read, Some(format!("Int({value})")));
            }
        }
    }

    #[test]
    fn what_is_no_value_is_refused() {
        for bytes in [
            &[][..],
            &[99],
            &[INTEGER, 17, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
            &[TEXT, 1, 0xff],
            &[TIME, 4, 0],
            &[LIST, 0xff, 0xff, 0xff, 0xff, 0x0f, NULL],
            &[TEXT, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01],
        ] {
            assert_eq!(read_value(bytes, &mut 0), None, "{bytes:?}");
        }
    }
}
