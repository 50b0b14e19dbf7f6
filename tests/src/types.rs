//! The pairs of types that a column may have on the two sides: equal ones, and all that have a common type.

use crate::cell::Type;
use crate::random::Random;

pub(crate) fn key_types(random: &mut Random) -> (Type, Type) {
    let pair = match random.below(22) {
        0..=5 => both(Type::Text),
        6 => (int(64, true), Type::Float { bits: 64 }),
        7..=10 => both(int(64, true)),
        11 => (int(32, true), int(64, true)),
        12 => (int(64, false), int(64, true)),
        13 => (int(16, true), dec(20, 2)),
        14 => both(dec(30, 4)),
        15 | 16 => both(Type::Float { bits: 64 }),
        17 => both(Type::Date),
        18 => (time(3, true), time(6, false)),
        19 => both(Type::Bool),
        20 => both(Type::Binary),
        _ => (Type::Float { bits: 32 }, Type::Float { bits: 64 }),
    };
    turned(random, pair)
}

pub(crate) fn value_types(random: &mut Random) -> (Type, Type) {
    let list = |item: Type| Type::List(Box::new(item));
    let map = |key: Type, item: Type| Type::Map(Box::new(key), Box::new(item));
    let pair = match random.below(40) {
        0..=4 => both(int(64, true)),
        5 => (int(8, true), int(16, false)),
        6 => (int(64, false), int(64, true)),
        7 => (int(64, true), dec(10, 2)),
        8..=9 => both(dec(18, 2)),
        10 => (dec(38, 0), dec(38, 10)),
        11 => both(dec(60, 5)),
        12..=15 => both(Type::Float { bits: 64 }),
        16 => both(Type::Float { bits: 32 }),
        17 => (Type::Float { bits: 32 }, Type::Float { bits: 64 }),
        18 => (int(64, true), Type::Float { bits: 64 }),
        19 => (dec(18, 2), Type::Float { bits: 64 }),
        20..=24 => both(Type::Text),
        25 => both(Type::Binary),
        26 => both(Type::Date),
        27 => (Type::Date, time(3, false)),
        28 => both(time(6, true)),
        29 => (time(6, false), time(9, false)),
        30 => (time(0, true), time(3, true)),
        31 => (time(6, true), time(6, false)),
        32 => both(Type::Bool),
        33 => (Type::Null, [int(64, true), Type::Text, Type::Date][random.below(3)].clone()),
        34 => both(list(Type::Text)),
        35 => (list(int(32, true)), list(int(64, true))),
        36 => both(list(Type::Float { bits: 64 })),
        37 => struct_types(random),
        38 => both(map(Type::Text, int(64, true))),
        _ => both(map(int(64, true), Type::Text)),
    };
    turned(random, pair)
}

/// Members in any order; a struct within a struct now and then.
fn struct_types(random: &mut Random) -> (Type, Type) {
    let mut members = vec![
        ("a".to_owned(), int(64, true)),
        ("b".to_owned(), Type::Text),
        ("x y".to_owned(), Type::Float { bits: 64 }),
    ];
    if random.percent(30) {
        members.push((
            "in".to_owned(),
            Type::Struct(vec![("c".to_owned(), dec(9, 2)), ("d".to_owned(), time(3, true))]),
        ));
    }
    let live = members.clone();
    random.shuffle(&mut members);
    (Type::Struct(live), Type::Struct(members))
}

fn int(bits: u8, signed: bool) -> Type {
    Type::Int { bits, signed }
}

fn dec(precision: u8, scale: u8) -> Type {
    Type::Decimal { precision, scale }
}

fn time(digits: u8, zoned: bool) -> Type {
    Type::Timestamp { digits, zoned }
}

fn both(of: Type) -> (Type, Type) {
    (of.clone(), of)
}

/// Either order.
fn turned(random: &mut Random, pair: (Type, Type)) -> (Type, Type) {
    if random.percent(50) { pair } else { (pair.1, pair.0) }
}
