//! Holds printed values against the golden file, and the promises of the printed form.

use super::super::cell::{Decimal, Value};
use super::super::types::{TimeUnit, ValueType};
use super::{print, print_in};
use TimeUnit::{Microsecond, Millisecond, Nanosecond, Second};
use arrow_buffer::i256;

/// Lines of `name|printed`; the printed text may hold any character but a line break.
const GOLDEN: &str = include_str!("../../../tests/golden/print.txt");

fn decimal(unscaled: i128, scale: i8) -> Value<'static> {
    Value::Decimal(Decimal {
        unscaled: i256::from_i128(unscaled),
        scale,
    })
}

fn timestamp(ticks: i64, unit: TimeUnit, zoned: bool) -> Value<'static> {
    Value::Timestamp {
        ticks: ticks.into(),
        unit,
        zoned,
    }
}

fn cases() -> Vec<(&'static str, Value<'static>, Option<ValueType>)> {
    let mut cases = numbers();
    cases.extend(times());
    cases.extend(nested());
    cases
}

fn numbers() -> Vec<(&'static str, Value<'static>, Option<ValueType>)> {
    let money = || Some(ValueType::Decimal { precision: 18, scale: 2 });
    vec![
        ("null", Value::Null, None),
        ("bool", Value::Bool(true), None),
        ("int", Value::Int(-42), None),
        ("int largest", Value::Int(u64::MAX.into()), None),
        ("int among doubles", Value::Int(3), Some(ValueType::DOUBLE)),
        ("int among decimals", Value::Int(-3), money()),
        ("decimal", decimal(-150, 2), None),
        ("decimal below one", decimal(5, 3), None),
        ("decimal zero", decimal(0, 2), None),
        ("decimal negative scale", decimal(5, -2), None),
        ("decimal zero negative scale", decimal(0, -2), None),
        ("decimal at column scale", decimal(15, 1), money()),
        ("decimal finer than its column", decimal(12345, 3), money()),
        (
            "decimal 256 bits",
            Value::Decimal(Decimal {
                unscaled: i256::MIN,
                scale: 10,
            }),
            None,
        ),
        ("double whole", Value::Float64(1.0), None),
        ("double negative zero", Value::Float64(-0.0), None),
        ("double tenth", Value::Float64(0.1), None),
        ("double sum", Value::Float64(0.1 + 0.2), None),
        ("double large", Value::Float64(1e300), None),
        ("double 1e15", Value::Float64(1e15), None),
        ("double 1e16", Value::Float64(1e16), None),
        ("double 1e-5", Value::Float64(1e-5), None),
        ("double small", Value::Float64(1.5e-7), None),
        ("double least", Value::Float64(5e-324), None),
        ("double nan", Value::Float64(f64::NAN), None),
        ("double inf", Value::Float64(f64::INFINITY), None),
        ("double -inf", Value::Float64(f64::NEG_INFINITY), None),
        ("float32", Value::Float32(0.1), None),
        ("float32 among doubles", Value::Float32(0.1), Some(ValueType::DOUBLE)),
        (
            "float32 in its column",
            Value::Float32(16777216.0),
            Some(ValueType::Float { bits: 32 }),
        ),
        ("text", Value::Text("Zoë, \"q\""), None),
        ("text empty", Value::Text(""), None),
        ("binary", Value::Binary(b"\x00\xffA"), None),
    ]
}

fn times() -> Vec<(&'static str, Value<'static>, Option<ValueType>)> {
    let column = |unit, zoned| Some(ValueType::Timestamp { unit, zoned });
    vec![
        ("date", Value::Date(20_758), None),
        ("date epoch", Value::Date(0), None),
        ("date leap", Value::Date(11_016), None),
        ("date before", Value::Date(-1), None),
        ("date 0001", Value::Date(-719_162), None),
        ("date 0000", Value::Date(-719_163), None),
        ("date -0001", Value::Date(-719_529), None),
        ("date 9999", Value::Date(2_932_896), None),
        ("date 10000", Value::Date(2_932_897), None),
        ("date last", Value::Date(i32::MAX), None),
        ("date first", Value::Date(i32::MIN), None),
        ("date among timestamps", Value::Date(20_758), column(Millisecond, true)),
        ("timestamp zoned", timestamp(1_793_491_200, Second, true), None),
        ("timestamp naive", timestamp(1_793_491_200_000, Millisecond, false), None),
        ("timestamp us", timestamp(-1, Microsecond, true), None),
        ("timestamp ns", timestamp(1, Nanosecond, false), None),
        (
            "timestamp in its column",
            timestamp(1_793_491_200, Second, false),
            column(Microsecond, true),
        ),
        (
            "timestamp finer than its column",
            timestamp(1_500, Millisecond, false),
            column(Second, false),
        ),
        (
            "timestamp whole in a coarser column",
            timestamp(1_000, Millisecond, false),
            column(Second, false),
        ),
        ("timestamp last", timestamp(i64::MAX, Second, true), None),
        (
            "time",
            Value::Time {
                ticks: 45_000_000,
                unit: Millisecond,
            },
            None,
        ),
        (
            "time in its column",
            Value::Time {
                ticks: 86_399,
                unit: Second,
            },
            Some(ValueType::Time { unit: Microsecond }),
        ),
        (
            "time 24",
            Value::Time {
                ticks: 86_400,
                unit: Second,
            },
            None,
        ),
        (
            "duration",
            Value::Duration {
                ticks: 1_500,
                unit: Millisecond,
            },
            None,
        ),
        ("duration negative", Value::Duration { ticks: -90, unit: Second }, None),
        (
            "duration in its column",
            Value::Duration { ticks: 1, unit: Second },
            Some(ValueType::Duration { unit: Millisecond }),
        ),
        (
            "interval",
            Value::Interval {
                months: 1,
                days: 2,
                nanoseconds: 3_000_000_000,
            },
            None,
        ),
        (
            "interval signs",
            Value::Interval {
                months: -1,
                days: 0,
                nanoseconds: -500_000_000,
            },
            None,
        ),
        (
            "interval fraction",
            Value::Interval {
                months: 0,
                days: 0,
                nanoseconds: 1_000_000_010,
            },
            None,
        ),
        (
            "interval zero",
            Value::Interval {
                months: 0,
                days: 0,
                nanoseconds: 0,
            },
            None,
        ),
        (
            "interval months",
            Value::Interval {
                months: 14,
                days: 0,
                nanoseconds: 0,
            },
            None,
        ),
    ]
}

fn nested() -> Vec<(&'static str, Value<'static>, Option<ValueType>)> {
    let int = Value::Int;
    let scalars = vec![
        Value::Null,
        Value::Bool(false),
        int(1),
        decimal(150, 2),
        Value::Float64(1e300),
        Value::Float64(f64::NAN),
        Value::Float32(f32::NEG_INFINITY),
        Value::Text("ü \"\\\n"),
        Value::Binary(b"\x0a"),
        Value::Date(0),
        timestamp(0, Second, true),
    ];
    let text_map = vec![(Value::Text("b"), int(1)), (Value::Text("a"), Value::Null)];
    let int_map = vec![(int(10), Value::Text("x")), (int(9), Value::Text("y"))];
    let money = || Box::new(ValueType::Decimal { precision: 9, scale: 2 });
    let map = |key: ValueType| Some(ValueType::Map(Box::new(key), money()));
    vec![
        ("list", Value::List(scalars), None),
        ("list empty", Value::List(vec![]), None),
        (
            "list in its column",
            Value::List(vec![int(1), decimal(15, 1)]),
            Some(ValueType::List(money())),
        ),
        (
            "struct",
            Value::Struct(vec![("z", int(1)), ("a \"b\"", Value::List(vec![Value::Struct(vec![])]))]),
            None,
        ),
        (
            "struct in its column",
            Value::Struct(vec![("a", int(1))]),
            Some(ValueType::Struct(vec![("a".into(), *money())])),
        ),
        ("map text keys", Value::Map(text_map.clone()), None),
        ("map in its column", Value::Map(text_map), map(ValueType::Text)),
        ("map int keys", Value::Map(int_map), None),
        ("map empty", Value::Map(vec![]), None),
        ("map empty int keys", Value::Map(vec![]), map(ValueType::INT64)),
    ]
}

#[test]
fn golden() {
    let printed: Vec<String> = cases()
        .iter()
        .map(|(name, value, form)| {
            let mut out = String::new();
            match form {
                Some(form) => print_in(value, form, &mut out),
                None => print(value, &mut out),
            }
            format!("{name}|{out}")
        })
        .collect();
    let golden: Vec<&str> = GOLDEN.lines().collect();
    for (printed, golden) in printed.iter().zip(&golden) {
        assert_eq!(printed, golden);
    }
    assert_eq!(printed.len(), golden.len(), "a line for every case:\n{}", printed.join("\n"));
}

#[test]
fn doubles_parse_back_to_the_same_bits() {
    let mut state = 0x9e37_79b9_7f4a_7c15u64;
    for _ in 0..20_000 {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        let (double, single) = (f64::from_bits(state), f32::from_bits(state as u32));
        let (mut long, mut short) = (String::new(), String::new());
        print(&Value::Float64(double), &mut long);
        print(&Value::Float32(single), &mut short);
        assert!(
            double.is_nan() || long.parse::<f64>().unwrap().to_bits() == double.to_bits(),
            "{long}"
        );
        assert!(
            single.is_nan() || short.parse::<f32>().unwrap().to_bits() == single.to_bits(),
            "{short}"
        );
    }
}
