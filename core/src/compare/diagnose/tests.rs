//! A case for every diagnosis, and for what must not be one.

use super::*;
use crate::value::{Decimal, TimeUnit};
use arrow_buffer::i256;

fn check(live: Value<'_>, shadow: Value<'_>, column_type: &ValueType, expected: &str) {
    let found = diagnose(&live, &shadow, column_type, Side::Live);
    assert_eq!(found.as_deref().unwrap_or(""), expected, "{live:?} {shadow:?}");
    let mirrored = diagnose(&shadow, &live, column_type, Side::Shadow);
    assert_eq!(mirrored.as_deref(), mirror(expected).as_deref(), "{live:?} {shadow:?}");
}

/// What a diagnosis is called with the sides and the baseline swapped.
fn mirror(diagnosis: &str) -> Option<String> {
    let turned = |pair: &str| pair.split_once('/').map(|(a, b)| format!("unit({b}/{a})"));
    match diagnosis {
        "" => None,
        "null_appeared" => Some("null_vanished".into()),
        "null_vanished" => Some("null_appeared".into()),
        "scale(100)" => Some("scale(0.01)".into()),
        "scale(0.01)" => Some("scale(100)".into()),
        "scale(10)" => Some("scale(0.1)".into()),
        "scale(1000)" => Some("scale(0.001)".into()),
        _ => match diagnosis.strip_prefix("unit(").and_then(|rest| rest.strip_suffix(')')) {
            Some(units) => turned(units),
            None if diagnosis.contains('+') => Some(diagnosis.replace('+', "-")),
            None => Some(diagnosis.replace('-', "+")),
        },
    }
}

#[test]
fn texts() {
    for (live, shadow, expected) in [
        ("é", "e\u{301}", "unicode_normalization"),
        ("ﬁ", "fi", "case"),
        ("Straße", "STRASSE", "case"),
        ("a b", "a\u{a0}b", "whitespace"),
        ("abcd", "abcd ", "whitespace"),
        ("ab", "a b", "whitespace"),
        ("ab", "\u{feff}ab", "invisible_characters"),
        ("ab", "a\u{200b}b", "invisible_characters"),
        ("ab", "a\0b", "invisible_characters"),
        ("ab", "a\u{ad}b\u{200f}", "invisible_characters"),
        ("Müller", "MÃ¼ller", "mojibake"),
        ("MÃ¼ller", "Müller", "mojibake"),
        ("5 €", "5 â‚¬", "mojibake"),
        ("Müller", "M\u{fffd}ller", "mojibake"),
        ("007", "7", "leading_zeros"),
        ("0", "000", "leading_zeros"),
        ("7", "70", ""),
        ("abcd", "abc", "truncated"),
        ("abc", "abcdef", "extended"),
        ("abc\u{fffd}", "abcüd", "extended"),
        ("1.5", "1.50", "number_format"),
        ("1,234.50", "1234.5", "number_format"),
        ("1,234", "1234", ""),
        ("1234", "1234.5", "extended"),
        ("2026-11-01", "2026-11-01 00:00:00", "date_format"),
        ("13.11.2026", "2026-11-13", "date_format"),
        ("01.11.2026", "2026-11-01", ""),
        ("2026-11-01", "2026-11-01 10:00:00", "extended"),
        ("abcüd", "abc\u{fffd}", "truncated"),
        ("ab", "abc", ""),
        ("", "abcdef", ""),
        ("abcdef", "abxdef", ""),
        ("[1,2]", "[2, 1.0]", "order"),
        ("[1,2,2]", "[2,1,1]", ""),
        ("live", "shadow", ""),
    ] {
        check(Value::Text(live), Value::Text(shadow), &ValueType::Text, expected);
    }
}

#[test]
fn nulls() {
    for (live, shadow, expected) in [
        (Value::Null, Value::Text(""), "empty_vs_null"),
        (Value::Text(""), Value::Null, "empty_vs_null"),
        (Value::Text("a"), Value::Null, "null_appeared"),
        (Value::Null, Value::Text("a"), "null_vanished"),
        (Value::Null, Value::Null, ""),
    ] {
        check(live, shadow, &ValueType::Text, expected);
    }
}

#[test]
fn doubles() {
    for (live, shadow, expected) in [
        (1.5, -1.5, "sign"),
        (12.34, 1234.0, "scale(100)"),
        (1234.0, 12.34, "scale(0.01)"),
        (0.07, 0.07 * 100.0, "scale(100)"),
        (3.0, 30.0, "scale(10)"),
        (0.1, f64::from(0.1f32), "float32"),
        (f64::from(0.1f32), 0.1, "float32"),
        (16777217.0, 16777216.0, "float32"),
        (7.14159, 7.14, "rounding(2)"),
        (7.1415, 7.142, "rounding(3)"),
        (2.5, 3.0, "rounding(0)"),
        (2.5, 2.0, "rounding(0)"),
        (-5.718, -5.71, "rounding(2)"),
        (-5.718, -5.72, "rounding(2)"),
        (5.72, 5.718, "rounding(2)"),
        (0.5000000001, 0.5, "rounding(1)"),
        (2.4996, 2.5, "rounding(1)"),
        (0.001, 0.0, ""),
        (1.5, 1.7, ""),
        (1.0, 2.0, ""),
        (f64::NAN, 1.0, ""),
        (f64::INFINITY, f64::NEG_INFINITY, ""),
        (1.7e9, 1.7e12, "unit(seconds/milliseconds)"),
    ] {
        check(Value::Float64(live), Value::Float64(shadow), &ValueType::DOUBLE, expected);
    }
}

#[test]
fn exact_numbers() {
    let int = Value::Int;
    for (live, shadow, expected) in [
        (int(5), int(-5), "sign"),
        (int(1_700_000_000), int(1_700_000_000_000), "unit(seconds/milliseconds)"),
        (int(1_700_000_000_123), int(1_700_000_000), "unit(milliseconds/seconds)"),
        (int(1_700_000_000), int(1_700_000_000_123_456_789), "unit(seconds/nanoseconds)"),
        (int(1_700_000_000), int(1_700_000_001_000), ""),
        (int(17), int(17_000), "scale(1000)"),
        (int(12), int(13), ""),
        (int(0), int(100), ""),
        (int(16777217), int(16777216), ""),
    ] {
        check(live, shadow, &ValueType::INT64, expected);
    }
    let decimal = |unscaled: i128| {
        Value::Decimal(Decimal {
            unscaled: i256::from_i128(unscaled),
            scale: 3,
        })
    };
    for (live, shadow, expected) in [
        (1_234, 1_230, "rounding(2)"),
        (1_235, 1_240, "rounding(2)"),
        (1_235, 1_230, "rounding(2)"),
        (1_234, 1_240, ""),
        (1_500, 150_000, "scale(100)"),
        (1_500, -1_500, "sign"),
    ] {
        check(
            decimal(live),
            decimal(shadow),
            &ValueType::Decimal { precision: 18, scale: 3 },
            expected,
        );
    }
}

#[test]
fn times() {
    let second = |ticks: i64| Value::Timestamp {
        ticks: ticks.into(),
        unit: TimeUnit::Second,
        zoned: true,
    };
    let now = 1_793_491_200;
    let column = ValueType::Timestamp {
        unit: TimeUnit::Second,
        zoned: true,
    };
    for (live, shadow, expected) in [
        (second(now), second(now + 3 * 3600), "time_zone(+03:00)"),
        (second(now), second(now - 20_700), "time_zone(-05:45)"),
        (second(now), second(now + 14 * 3600), "time_zone(+14:00)"),
        (second(now), second(now + 15 * 3600), ""),
        (second(now), second(now + 60), ""),
        (second(now), second(now - 86_400), "date_off_by_one"),
        (Value::Date(1), Value::Date(2), "date_off_by_one"),
        (Value::Date(1), Value::Date(3), ""),
        (
            second(now),
            Value::Timestamp {
                ticks: now.into(),
                unit: TimeUnit::Millisecond,
                zoned: true,
            },
            "unit(seconds/milliseconds)",
        ),
        (
            Value::Timestamp {
                ticks: now.into(),
                unit: TimeUnit::Microsecond,
                zoned: false,
            },
            second(now),
            "unit(microseconds/seconds)",
        ),
        (second(10), second(10_000), ""),
    ] {
        check(live, shadow, &column, expected);
    }
}

#[test]
fn lists_and_bytes() {
    let list = |items: &[i128]| Value::List(items.iter().map(|i| Value::Int(*i)).collect());
    let column = ValueType::List(Box::new(ValueType::INT64));
    check(list(&[1, 2, 2]), list(&[2, 1, 2]), &column, "order");
    check(list(&[1, 2, 2]), list(&[2, 1, 1]), &column, "");
    check(list(&[1]), list(&[1, 1]), &column, "");
    check(Value::Binary(b"abcd"), Value::Binary(b"abc"), &ValueType::Binary, "truncated");
    check(Value::Binary(b"abc"), Value::Binary(b"abcd"), &ValueType::Binary, "extended");
    check(Value::Binary(b"a"), Value::Binary(b"ab"), &ValueType::Binary, "");
}

#[test]
fn swapped_columns() {
    let rows: [[Value<'static>; 4]; 2] = [
        [Value::Text("Ada"), Value::Text("King"), Value::Null, Value::Int(1)],
        [Value::Text("King"), Value::Text("Ada"), Value::Int(1), Value::Null],
    ];
    let (live, shadow) = (|c: usize| rows[0][c].clone(), |c: usize| rows[1][c].clone());
    for (column, candidates, expected) in [
        (0, &[0, 1, 2, 3][..], Some(1)),
        (1, &[0, 1], Some(0)),
        (0, &[2], None),
        (2, &[3], None),
    ] {
        assert_eq!(swapped_with(column, &live, &shadow, candidates), expected, "{column}");
    }
}
