//! Values at the edges of every kind, for the tests that hold orders and encodings against each other.

use super::cell::{Decimal, Value};
use super::types::TimeUnit;
use arrow_buffer::i256;

/// Numbers at which the kinds meet, repeat and round.
pub(super) fn numbers() -> Vec<Value<'static>> {
    let mut values = Vec::new();
    for int in [
        0,
        1,
        -1,
        10,
        255,
        256,
        -255,
        -256,
        65_535,
        (1 << 53) - 1,
        1 << 53,
        (1 << 53) + 1,
        -(1 << 53) - 1,
    ] {
        values.push(Value::Int(int));
    }
    values.extend(
        [
            i128::from(i64::MAX),
            i128::from(i64::MIN),
            i128::from(u64::MAX),
            i128::MAX,
            i128::MIN,
        ]
        .map(Value::Int),
    );
    for (unscaled, scale) in [
        (0, 2),
        (100, 2),
        (10, 1),
        (1, 1),
        (-15, 1),
        (-150, 2),
        (7, -2),
        (123_456_789, 4),
        ((1 << 53) * 10 + 1, 1),
    ] {
        values.push(Value::Decimal(Decimal {
            unscaled: i256::from_i128(unscaled),
            scale,
        }));
    }
    values.extend([i256::MAX, i256::MIN].map(|unscaled| Value::Decimal(Decimal { unscaled, scale: 3 })));
    values.extend(
        [
            0.0,
            -0.0,
            0.1,
            -0.1,
            1.0,
            1.5,
            -1.5,
            700.0,
            9007199254740992.0,
            1e300,
            -1e300,
            5e-324,
        ]
        .map(Value::Float64),
    );
    values.extend([f64::NAN, f64::INFINITY, f64::NEG_INFINITY, f64::MAX, i128::MAX as f64].map(Value::Float64));
    values.extend([0.1f32, -0.0, 1.5, f32::NAN, f32::INFINITY, f32::MAX].map(Value::Float32));
    values
}

/// Values of every kind.
pub(super) fn values() -> Vec<Value<'static>> {
    let mut values = numbers();
    values.extend([Value::Null, Value::Bool(false), Value::Bool(true)]);
    values.extend(["", "a", "a\0", "a\0b", "ab", "b", "é", "e\u{301}", "\u{10ffff}", "\u{ffff}"].map(Value::Text));
    values.extend([&b""[..], b"\0", b"\0\0", b"\0\xff", b"\xff", b"\xff\0"].map(Value::Binary));
    values.extend([0, 1, -1, i32::MIN, i32::MAX].map(Value::Date));
    for (ticks, unit) in [
        (0, TimeUnit::Second),
        (86_400_000, TimeUnit::Millisecond),
        (-1, TimeUnit::Nanosecond),
        (i64::MAX, TimeUnit::Second),
    ] {
        values.extend([true, false].map(|zoned| Value::Timestamp {
            ticks: ticks.into(),
            unit,
            zoned,
        }));
        values.extend([Value::Time { ticks, unit }, Value::Duration { ticks, unit }]);
    }
    for (months, days, nanoseconds) in [(0, 0, 0), (0, 0, 1), (0, -1, 0), (1, 0, -1), (-1, 5, 5)] {
        values.push(Value::Interval { months, days, nanoseconds });
    }
    let (one, two) = (|| Value::Int(1), || Value::Float64(2.0));
    values.extend([vec![], vec![Value::Null], vec![one()], vec![one(), two()], vec![two(), one()]].map(Value::List));
    values.extend(
        [
            vec![("a", one())],
            vec![("a", one()), ("b", two())],
            vec![("b", two()), ("a", one())],
            vec![("b", one())],
        ]
        .map(Value::Struct),
    );
    let maps = [
        vec![],
        vec![(one(), two())],
        vec![(one(), two()), (two(), one())],
        vec![(two(), one()), (one(), two())],
    ];
    values.extend(maps.map(Value::Map));
    values
}
