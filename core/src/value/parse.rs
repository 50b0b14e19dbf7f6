//! Text becomes a typed value, exactly or not at all.
//!
//! | type | what is read |
//! |---|---|
//! | bool | `true`, `false` in any case |
//! | int | digits with an optional sign, leading zeros too; `3.0` and `1e3`, which are integers |
//! | decimal | any number that needs no rounding at the type's scale |
//! | float | any number, as the nearest float; `NaN`, `inf`, `-inf`, `Infinity` in any case; not what is beyond the largest float |
//! | date | `YYYY-MM-DD`, years 0001 to 9999 |
//! | timestamp | a date, or a date, `T` or a blank, `HH:MM[:SS[.fraction]]` and perhaps `Z`, `+03:00`, `+0300` or `+03`. Without a zone it is UTC to a zoned type; with one, a naive type takes its reading in UTC |
//! | time | `HH:MM[:SS[.fraction]]` |
//! | binary | pairs of hexadecimal digits |
//! | text | everything, as it is |
//!
//! Blanks around a value belong to it, and only text may have them.

use super::calendar::{Reading, SECONDS_OF_A_DAY, read_date, read_time, read_timestamp};
use super::cell::{Decimal, Value};
use super::mixed::encode;
use super::number::{Misfit, Number, Numeral, PlainNumber};
use super::types::{MAX_DIGITS, TimeUnit, ValueType};
use arrow_array::types::{
    ArrowPrimitiveType, Date32Type, Decimal128Type, Decimal256Type, Float16Type, Float32Type, Float64Type, Int64Type, UInt64Type,
};
use arrow_array::{Array, ArrayRef, BinaryArray, BooleanArray, LargeBinaryArray, NullArray, PrimitiveArray, StringArray};
use arrow_schema::DataType;
use std::sync::Arc;

/// A value that a type cannot hold without loss.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadValue {
    /// Its place in the array, from 0.
    pub row: usize,
    /// The value as text, cut if long.
    pub text: String,
    /// What is wrong with it: the end of a sentence that the value begins.
    pub why: String,
}

/// Longer values are cut in messages, in characters.
const SHOWN_CHARACTERS: usize = 80;

impl BadValue {
    pub fn new(row: usize, text: &str, why: impl Into<String>) -> Self {
        let mut shown: String = text.chars().take(SHOWN_CHARACTERS).collect();
        if shown.len() < text.len() {
            shown.push('…');
        }
        BadValue {
            row,
            text: shown,
            why: why.into(),
        }
    }
}

impl std::fmt::Display for BadValue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "`{}` {}", self.text, self.why)
    }
}

/// Reads every text as a value of `target`, in the form that `target.storage()` names. NULL stays NULL.
pub fn parse_into(texts: &StringArray, target: &ValueType) -> Result<ArrayRef, BadValue> {
    let is_not = || format!("is not {}", target.with_article());
    match target {
        ValueType::Null => each(
            texts,
            |_| Err("is a value in a column that has none".into()),
            |_: Vec<Option<()>>| Arc::new(NullArray::new(texts.len())),
        ),
        ValueType::Bool => each(
            texts,
            |text| read_bool(text).ok_or_else(is_not),
            |values| Arc::new(BooleanArray::from(values)),
        ),
        ValueType::Int { bits, signed: true } => primitive::<Int64Type>(texts, |text| read_signed(text, *bits), DataType::Int64),
        ValueType::Int { bits, signed: false } => parse_unsigned(texts, *bits),
        ValueType::Decimal { precision, scale } => parse_decimals(texts, *precision, *scale, target),
        ValueType::Float { bits: 64 } => primitive::<Float64Type>(texts, read_double, DataType::Float64),
        ValueType::Float { bits } => primitive::<Float32Type>(texts, |text| read_float(text, *bits), DataType::Float32),
        ValueType::Text => Ok(Arc::new(texts.clone())),
        ValueType::Binary => each(
            texts,
            |text| read_hex(text).ok_or_else(|| "is not an even number of hexadecimal digits".into()),
            binary,
        ),
        ValueType::Date => primitive::<Date32Type>(
            texts,
            |text| read_date(text).ok_or_else(|| "is not a date such as 2026-12-31".into()),
            DataType::Date32,
        ),
        ValueType::Timestamp { unit, .. } => parse_ticks(texts, target, |text| read_instant(text, *unit)),
        ValueType::Mixed(shown) => each(texts, |text| read_mixed(text, shown, target), mixed),
        ValueType::Time { unit } => parse_ticks(texts, target, |text| {
            ticks(read_time(text).ok_or("is not a time such as 23:59:59")?, *unit)
        }),
        ValueType::Duration { .. } | ValueType::Interval | ValueType::List(_) | ValueType::Struct(_) | ValueType::Map(_, _) => each(
            texts,
            |_| Err(format!("is text, from which no {target} is read")),
            |_: Vec<Option<()>>| super::array::nulls(target, texts.len()),
        ),
    }
}

/// Reads each text and builds the array; the first bad one is the error.
fn each<T>(
    texts: &StringArray,
    read: impl Fn(&str) -> Result<T, String>,
    build: impl FnOnce(Vec<Option<T>>) -> ArrayRef,
) -> Result<ArrayRef, BadValue> {
    let read_one =
        |(row, text): (usize, Option<&str>)| text.map(|text| read(text).map_err(|why| BadValue::new(row, text, why))).transpose();
    let values = texts.iter().enumerate().map(read_one).collect::<Result<Vec<_>, _>>()?;
    Ok(build(values))
}

fn primitive<T: ArrowPrimitiveType>(
    texts: &StringArray,
    read: impl Fn(&str) -> Result<T::Native, String>,
    storage: DataType,
) -> Result<ArrayRef, BadValue> {
    let mut values = Vec::with_capacity(texts.len());
    for (row, text) in texts.iter().enumerate() {
        values.push(match text {
            None => T::Native::default(),
            Some(text) => read(text).map_err(|why| BadValue::new(row, text, why))?,
        });
    }
    Ok(Arc::new(
        PrimitiveArray::<T>::new(values.into(), texts.nulls().cloned()).with_data_type(storage),
    ))
}

fn binary(values: Vec<Option<Vec<u8>>>) -> ArrayRef {
    Arc::new(values.iter().map(Option::as_deref).collect::<BinaryArray>())
}

fn parse_unsigned(texts: &StringArray, bits: u8) -> Result<ArrayRef, BadValue> {
    match bits {
        64 => primitive::<UInt64Type>(
            texts,
            |text| read_integer(text, 0, u64::MAX.into()).map(|value| value as u64),
            DataType::UInt64,
        ),
        _ => primitive::<Int64Type>(
            texts,
            |text| read_integer(text, 0, (1 << bits) - 1).map(|value| value as i64),
            DataType::Int64,
        ),
    }
}

fn parse_decimals(texts: &StringArray, precision: u8, scale: i8, target: &ValueType) -> Result<ArrayRef, BadValue> {
    let misfit = |misfit| match misfit {
        Misfit::TooFine => format!("has more digits after the point than {target} and would be rounded"),
        Misfit::TooLarge => format!("has more digits than {target}"),
    };
    // With more digits or a negative scale nothing is read as plain.
    let plain = u32::try_from(scale).ok().filter(|_| precision <= 18);
    let read_plain = |text: &str| PlainNumber::read(text.as_bytes())?.scaled(plain?, precision.into());
    match target.storage() {
        DataType::Decimal128(_, _) => primitive::<Decimal128Type>(
            texts,
            |text| match read_plain(text) {
                Some(unscaled) => Ok(unscaled.into()),
                None => scan(text, target)?.to_i128(scale.into(), precision).map_err(misfit),
            },
            target.storage(),
        ),
        _ => primitive::<Decimal256Type>(
            texts,
            |text| scan(text, target)?.to_i256(scale.into(), precision).map_err(misfit),
            target.storage(),
        ),
    }
}

fn scan<'a>(text: &'a str, target: &ValueType) -> Result<Numeral<'a>, String> {
    Numeral::scan(text).ok_or_else(|| format!("is not {}", target.with_article()))
}

/// For types that count ticks of a unit: 64-bit counts that take on the storage type of `target`.
fn parse_ticks(texts: &StringArray, target: &ValueType, read: impl Fn(&str) -> Result<i64, String>) -> Result<ArrayRef, BadValue> {
    let counts = primitive::<Int64Type>(texts, read, DataType::Int64)?;
    Ok(super::array::of_ticks(&counts, target))
}

fn read_bool(text: &str) -> Option<bool> {
    if text.eq_ignore_ascii_case("true") {
        Some(true)
    } else if text.eq_ignore_ascii_case("false") {
        Some(false)
    } else {
        None
    }
}

fn read_signed(text: &str, bits: u8) -> Result<i64, String> {
    let largest = (1_i128 << (bits - 1)) - 1;
    read_integer(text, -largest - 1, largest).map(|value| value as i64)
}

fn read_integer(text: &str, smallest: i128, largest: i128) -> Result<i128, String> {
    let value = match text.parse::<i64>() {
        Ok(value) => value.into(),
        // Not plain digits, or more than 64 bits of them.
        Err(_) => Numeral::scan(text)
            .ok_or("is not an integer")?
            .to_i128(0, 20)
            .map_err(|misfit| match misfit {
                Misfit::TooFine => "is not an integer",
                Misfit::TooLarge => "is beyond 64 bits",
            })?,
    };
    if (smallest..=largest).contains(&value) {
        Ok(value)
    } else {
        Err(format!("is not between {smallest} and {largest}"))
    }
}

fn read_double(text: &str) -> Result<f64, String> {
    let value = text.parse::<f64>().map_err(|_| "is not a number")?;
    if is_not_finite(text) {
        return Ok(value);
    }
    if !value.is_finite() {
        return Err("is beyond the largest double".into());
    }
    faithful(text, || format!("{value:?}"), || Number::from_f64(value), 15).map(|()| value)
}

fn read_float(text: &str, bits: u8) -> Result<f32, String> {
    let value = text.parse::<f32>().map_err(|_| "is not a number")?;
    let value = if bits == 16 {
        <Float16Type as ArrowPrimitiveType>::Native::from_f32(value).to_f32()
    } else {
        value
    };
    if is_not_finite(text) {
        return Ok(value);
    }
    if !value.is_finite() {
        return Err(format!("is beyond the largest float{bits}"));
    }
    // Half floats print their shortest digits no better than single ones do; 3 digits are safe in them, 6 in single ones.
    let most_digits = if bits == 16 { 3 } else { 6 };
    faithful(text, || format!("{value:?}"), || Number::from_f64(f64::from(value)), most_digits).map(|()| value)
}

/// A text of more digits than a float holds would be rounded, and two of them made equal: that is not a reading.
fn faithful(text: &str, shortest: impl Fn() -> String, exact: impl Fn() -> Option<Number>, most_digits: usize) -> Result<(), String> {
    if text.bytes().filter(u8::is_ascii_digit).count() <= most_digits {
        return Ok(());
    }
    let Some(written) = Number::parse(text.trim_start_matches('+')) else {
        return Ok(());
    };
    let same = |other: Option<Number>| other.is_some_and(|n| n.cmp(&written).is_eq());
    if same(Number::parse(&shortest())) || same(exact()) {
        Ok(())
    } else {
        Err("has more digits than a float holds; a decimal holds it".into())
    }
}

/// The value that the text says, in whichever stored type of a mixed one holds it; as `mixed` stores it.
fn read_mixed(text: &str, shown: &ValueType, target: &ValueType) -> Result<Vec<u8>, String> {
    let value = match shown {
        ValueType::Decimal { scale, .. } => {
            let unscaled = scan(text, target)?
                .to_i256((*scale).into(), MAX_DIGITS)
                .map_err(|misfit| match misfit {
                    Misfit::TooFine => format!("has more than the {scale} digits after the point that the type keeps and would be rounded"),
                    Misfit::TooLarge => format!("has more than {MAX_DIGITS} digits"),
                })?;
            Value::Decimal(Decimal { unscaled, scale: *scale })
        }
        ValueType::Timestamp { zoned, .. } => Value::Timestamp {
            ticks: nanoseconds(instant(text)?),
            unit: TimeUnit::Nanosecond,
            zoned: *zoned,
        },
        _ if shown.is_number() => match Numeral::scan(text).map(|numeral| numeral.to_i128(0, 38)) {
            Some(Ok(integer)) => Value::Int(integer),
            Some(Err(_)) | None => Value::Float64(read_double(text)?),
        },
        _ => return Err(format!("is text, from which no {target} is read")),
    };
    encode(&value, shown).ok_or_else(|| format!("is not {target}"))
}

fn mixed(values: Vec<Option<Vec<u8>>>) -> ArrayRef {
    Arc::new(values.iter().map(Option::as_deref).collect::<LargeBinaryArray>())
}

fn read_hex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).map(|digit| digit as u8);
    let pairs = text.as_bytes().chunks(2);
    pairs
        .map(|pair| {
            if let [high, low] = pair {
                Some(digit(*high)? << 4 | digit(*low)?)
            } else {
                None
            }
        })
        .collect()
}

fn read_instant(text: &str, unit: TimeUnit) -> Result<i64, String> {
    ticks(instant(text)?, unit)
}

/// A timestamp, or a date as its midnight.
fn instant(text: &str) -> Result<Reading, String> {
    let midnight = |days: i32| Reading {
        seconds: i64::from(days) * SECONDS_OF_A_DAY,
        nanoseconds: 0,
        digits: 0,
        zoned: false,
    };
    let reading = read_timestamp(text).or_else(|| read_date(text).map(midnight));
    reading.ok_or_else(|| "is not a timestamp such as 2026-12-31T23:59:59".to_owned())
}

fn nanoseconds(reading: Reading) -> i128 {
    i128::from(reading.seconds) * 1_000_000_000 + i128::from(reading.nanoseconds)
}

fn ticks(reading: Reading, unit: TimeUnit) -> Result<i64, String> {
    let tick = unit.nanoseconds();
    if i128::from(reading.nanoseconds) % tick != 0 {
        return Err(format!(
            "has more digits of a second than the {} that the type keeps and would be rounded",
            unit.digits()
        ));
    }
    let count = nanoseconds(reading) / tick;
    i64::try_from(count).map_err(|_| "is outside the years that nanoseconds reach, 1677 to 2262: take microseconds".into())
}

/// `NaN` and the infinities in any case.
pub(super) fn is_not_finite(text: &str) -> bool {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    text.eq_ignore_ascii_case("nan") || unsigned.eq_ignore_ascii_case("inf") || unsigned.eq_ignore_ascii_case("infinity")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::{print, value_at};

    #[test]
    fn text_becomes_the_value_or_an_error() {
        let check = |target: &str, text: &str, want: Result<&str, &str>| {
            let target = ValueType::parse(target).expect(target);
            // DriverContext it: NULLs and a row offset, which must not matter.
            let texts = StringArray::from(vec![Some("not looked at"), None, Some(text), None]).slice(1, 3);
            match (parse_into(&texts, &target), want) {
                (Ok(array), Ok(want)) => {
                    assert_eq!(array.data_type(), &target.storage(), "{target} {text}");
                    assert_eq!((array.is_null(0), array.is_null(2)), (true, true), "{target} {text}");
                    let mut printed = String::new();
                    print(&value_at(array.as_ref(), 1), &mut printed);
                    assert_eq!(printed, want, "{target} {text}");
                }
                (Err(bad), Err(want)) => {
                    assert_eq!((bad.row, bad.text.as_str()), (1, text), "{target}");
                    assert!(bad.why.contains(want), "{target} {bad}");
                }
                (got, want) => panic!("{target} {text}: got {got:?}, want {want:?}"),
            }
        };
        check("bool", "TRUE", Ok("true"));
        check("bool", "1", Err("is not a bool"));
        check("int", "-7", Ok("-7"));
        check("int", "+007", Ok("7"));
        check("int", "3.0", Ok("3"));
        check("int", "1e3", Ok("1000"));
        check("int", "3.5", Err("is not an integer"));
        check("int", " 3", Err("is not an integer"));
        check("int", "", Err("is not an integer"));
        check("int", "9223372036854775808", Err("is not between"));
        check("int", "99999999999999999999999", Err("beyond 64 bits"));
        check("int8", "-128", Ok("-128"));
        check("int8", "128", Err("is not between -128 and 127"));
        check("uint8", "255", Ok("255"));
        check("uint8", "-1", Err("is not between 0 and 255"));
        check("uint64", "18446744073709551615", Ok("18446744073709551615"));
        check("uint64", "18446744073709551616", Err("is not between"));
        check("decimal(18,2)", "1.5", Ok("1.50"));
        check("decimal(18,2)", "-1e3", Ok("-1000.00"));
        check("decimal(18,2)", "1.500", Ok("1.50"));
        check("decimal(18,2)", "1.505", Err("would be rounded"));
        check("decimal(4,2)", "100", Err("has more digits than decimal(4,2)"));
        check("decimal(4,2)", "1,5", Err("is not a decimal(4,2)"));
        check(
            "decimal(48,1)",
            "41000000000000000000000000000000000000000000017",
            Ok("41000000000000000000000000000000000000000000017.0"),
        );
        check("double", "0.1", Ok("0.1"));
        check("double", "-INF", Ok("-inf"));
        check("double", "Infinity", Ok("inf"));
        check("double", "nan", Ok("NaN"));
        check("double", "1e400", Err("beyond the largest double"));
        check("double", "one", Err("is not a number"));
        check("float", "0.1", Ok("0.1"));
        check("float", "1e39", Err("beyond the largest float32"));
        check("float16", "0.1", Ok("0.099975586"));
        check("float16", "70000", Err("beyond the largest float16"));
        check("text", " as is ", Ok(" as is "));
        check("binary", "00fF", Ok("00ff"));
        check("binary", "0", Err("hexadecimal"));
        check("binary", "zz", Err("hexadecimal"));
        check("date", "2024-02-29", Ok("2024-02-29"));
        check("date", "2026-02-29", Err("is not a date"));
        check("date", "2026-02-28T00:00:00", Err("is not a date"));
        check("timestamp(us)", "2026-02-28", Ok("2026-02-28T00:00:00.000000"));
        check("timestamp(us)", "9999-12-31 23:59:59.999999", Ok("9999-12-31T23:59:59.999999"));
        check("timestamp(us)", "1969-12-31T23:59:59.5", Ok("1969-12-31T23:59:59.500000"));
        check("timestamp(us)", "2026-02-28T00:00:00.1234567", Err("would be rounded"));
        check("timestamp(us)", "2026-02-28T00:00:00.123456000", Ok("2026-02-28T00:00:00.123456"));
        check("timestamp(us)", "2026-02-28T03:00:00+03:00", Ok("2026-02-28T00:00:00.000000"));
        check("timestamp(ns)", "9999-12-31T00:00:00", Err("take microseconds"));
        check("timestamp(s, UTC)", "2026-02-28T00:00:00", Ok("2026-02-28T00:00:00Z"));
        check("timestamp(s, UTC)", "2026-02-28T00:00:00-0130", Ok("2026-02-28T01:30:00Z"));
        check("timestamp(s)", "28.02.2026", Err("is not a timestamp"));
        check("time(s)", "23:59:59", Ok("23:59:59"));
        check("time(ms)", "00:00:00.25", Ok("00:00:00.250"));
        check("time(s)", "00:00:00.25", Err("would be rounded"));
        check("null", "x", Err("is a value"));
        check("list(int)", "[1]", Err("no list(int64)"));
    }

    #[test]
    fn long_values_are_cut_in_messages() {
        let bad = BadValue::new(0, &"ä".repeat(100), "is not a date");
        assert_eq!(bad.text, format!("{}…", "ä".repeat(SHOWN_CHARACTERS)));
    }
}
