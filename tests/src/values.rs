//! Nasty values of every type, and small changes to them.

use crate::cell::{Cell, Type};
use crate::exact::Exact;
use crate::random::Random;
use num_bigint::BigInt;
use num_traits::ToPrimitive;

const DAY_NS: i128 = 86_400_000_000_000;
const FIRST_DAY: i64 = -719_162;
const LAST_DAY: i64 = 2_932_896;

const DOUBLES: &[f64] = &[
    f64::NAN,
    -0.0,
    0.0,
    f64::INFINITY,
    f64::NEG_INFINITY,
    1e300,
    5e-324,
    0.1,
    0.3,
    0.29,
    1e-7,
    0.00001,
    0.0001,
    1e16,
    9_999_999_999_999_998.0,
    123_456_789.125,
    f64::MAX,
    -1.5,
    100.5,
    9_007_199_254_740_992.0,
];

const TEXTS: &[&str] = &[
    "",
    " ",
    "a",
    "A",
    "b",
    "ä",
    "a\u{308}",
    "Ä",
    "Straße",
    "STRASSE",
    "a b",
    "a  b",
    " a b ",
    "a\u{a0}b",
    "x,y",
    "q\"q",
    "line\nbreak",
    "cr\rcr",
    "007",
    "7",
    "1.0",
    "NULL",
    "\u{feff}x",
    "😀",
    "ﬁx",
    "fix",
    "\u{1}",
    "tab\tbed",
    "=1+1",
    "{\"a\":1,\"b\":[1,2.0]}",
    "{\"b\":[1.0,2],\"a\":1}",
    "[1,2]",
    "[2,1]",
    "{\"a\":",
    "\u{202e}rtl",
    "ΣΑΣ",
    "σας",
    "debug",
    "\\N",
    "a'b",
];

/// A value of the type, NULL now and then.
pub fn value(random: &mut Random, of: &Type) -> Cell {
    if random.percent(12) { Cell::Null } else { present(random, of) }
}

fn present(random: &mut Random, of: &Type) -> Cell {
    match of {
        Type::Null | Type::Own => Cell::Null,
        Type::Bool => Cell::Bool(random.percent(50)),
        Type::Int { bits, signed } => int(random, *bits, *signed),
        Type::Decimal { precision, scale } => decimal(random, *precision, *scale),
        Type::Float { bits } => float(random, *bits),
        Type::Text => Cell::Text((*random.pick(TEXTS)).to_owned()),
        Type::Binary => Cell::Binary(random.pick(&[&b""[..], b"\0", b"\xff\0", b"a", b"ab", b"\xc3\x28"]).to_vec()),
        Type::Date => Cell::Date(day(random) as i32),
        Type::Timestamp { digits, .. } => Cell::Timestamp(instant(random, *digits)),
        Type::List(item) => Cell::List((0..random.below(4)).map(|_| value(random, item)).collect()),
        Type::Struct(members) => Cell::Struct(members.iter().map(|(name, t)| (name.clone(), value(random, t))).collect()),
        Type::Map(key, item) => map(random, key, item),
    }
}

fn range(bits: u8, signed: bool) -> (i128, i128) {
    if signed {
        (-(1 << (bits - 1)), (1 << (bits - 1)) - 1)
    } else {
        (0, (1 << bits) - 1)
    }
}

fn int(random: &mut Random, bits: u8, signed: bool) -> Cell {
    let (least, most) = range(bits, signed);
    let small = i128::from(random.between(-5, 20)).clamp(least, most);
    Cell::Int(*random.pick(&[least, most, most - 1, 0, small, small, small, small, small, small, small, small]))
}

fn decimal(random: &mut Random, precision: u8, scale: u8) -> Cell {
    let most: BigInt = BigInt::from(10).pow(u32::from(precision)) - 1;
    let small = BigInt::from(random.between(-2000, 2000)) * BigInt::from(10).pow(u32::from(scale.saturating_sub(2)));
    let small = if small.magnitude() > most.magnitude() {
        BigInt::from(1)
    } else {
        small
    };
    let units = match random.below(10) {
        0 => most,
        1 => -most,
        2 => BigInt::from(1),
        _ => small,
    };
    Cell::Decimal(units, u32::from(scale))
}

fn float(random: &mut Random, bits: u8) -> Cell {
    let value = if random.percent(40) {
        *random.pick(DOUBLES)
    } else {
        random.between(-40, 400) as f64 / 8.0
    };
    Cell::Double(if bits == 32 { f64::from(value as f32) } else { value })
}

fn day(random: &mut Random) -> i64 {
    if random.percent(20) {
        *random.pick(&[FIRST_DAY, LAST_DAY, -1, 0, 11_016])
    } else {
        random.between(20_000, 20_010)
    }
}

/// In the years 0001 to 9999, or where nanoseconds have a place in 64 bits.
fn instant(random: &mut Random, digits: u8) -> i128 {
    let unit = 10_i128.pow(9 - u32::from(digits));
    let last = i128::from(LAST_DAY + 1) * DAY_NS - unit;
    let ends = if digits == 9 {
        (i128::from(i64::MIN), i128::from(i64::MAX))
    } else {
        (i128::from(FIRST_DAY) * DAY_NS, last)
    };
    if random.percent(15) {
        return *random.pick(&[ends.0, ends.1, -unit, 0, -1_000_000_000]);
    }
    let days = i128::from(random.between(20_000, 20_003)) * DAY_NS;
    let seconds = i128::from(random.between(0, 3)) * 1_000_000_000;
    let time = days + seconds + i128::from(random.between(0, 2)) * unit;
    if random.percent(15) {
        time.div_euclid(DAY_NS) * DAY_NS
    } else {
        time
    }
}

fn map(random: &mut Random, key: &Type, item: &Type) -> Cell {
    let mut entries: Vec<(Cell, Cell)> = Vec::new();
    for _ in 0..random.below(4) {
        let name = present(random, key);
        if !entries.iter().any(|(k, _)| *k == name) {
            entries.push((name, value(random, item)));
        }
    }
    Cell::Map(entries)
}

/// The same value as a column of another type holds it; `None` where it has no place there.
pub fn fit(cell: &Cell, to: &Type) -> Option<Cell> {
    Some(match (cell, to) {
        (Cell::Null, _) => Cell::Null,
        (Cell::Int(_) | Cell::Decimal(..), Type::Int { .. } | Type::Decimal { .. } | Type::Float { .. }) => {
            fit_number(&cell.number()?, to)?
        }
        (Cell::Double(value), Type::Float { bits: 32 }) => {
            let single = f64::from(*value as f32);
            (single == *value || value.is_nan()).then_some(Cell::Double(single))?
        }
        (Cell::Double(_), Type::Float { .. }) => cell.clone(),
        (Cell::Double(_), Type::Int { .. } | Type::Decimal { .. }) => fit_number(&cell.number()?, to)?,
        (Cell::Date(_) | Cell::Timestamp(_), Type::Date | Type::Timestamp { .. }) => fit_time(cell.instant()?, to)?,
        (Cell::List(items), Type::List(item)) => Cell::List(items.iter().map(|c| fit(c, item)).collect::<Option<_>>()?),
        (Cell::Struct(_), Type::Struct(members)) => Cell::Struct(
            members
                .iter()
                .map(|(name, t)| Some((name.clone(), fit(cell.member(name), t)?)))
                .collect::<Option<_>>()?,
        ),
        (Cell::Map(entries), Type::Map(key, item)) => Cell::Map(
            entries
                .iter()
                .map(|(k, v)| Some((fit(k, key)?, fit(v, item)?)))
                .collect::<Option<_>>()?,
        ),
        (Cell::Bool(_), Type::Bool) | (Cell::Text(_), Type::Text) | (Cell::Binary(_), Type::Binary) => cell.clone(),
        _ => return None,
    })
}

fn fit_number(number: &Exact, to: &Type) -> Option<Cell> {
    let whole = |scale: u32| {
        let finer = number.scale.max(scale);
        let (units, step) = (number.at_scale(finer), BigInt::from(10).pow(finer - scale));
        (&units % &step == BigInt::from(0)).then(|| units / step)
    };
    match to {
        Type::Int { bits, signed } => {
            let (least, most) = range(*bits, *signed);
            whole(0)?.to_i128().filter(|v| (least..=most).contains(v)).map(Cell::Int)
        }
        Type::Decimal { precision, scale } => {
            let units = whole(u32::from(*scale))?;
            (units.magnitude().to_string().len() <= usize::from(*precision)).then(|| Cell::Decimal(units, u32::from(*scale)))
        }
        Type::Float { bits: 32 } => fit(&Cell::Double(number.nearest_double()), to),
        _ => Some(Cell::Double(number.nearest_double())),
    }
}

fn fit_time(ns: i128, to: &Type) -> Option<Cell> {
    match to {
        Type::Date => (ns % DAY_NS == 0).then_some(Cell::Date((ns / DAY_NS) as i32)),
        Type::Timestamp { digits: 9, .. } => i64::try_from(ns).is_ok().then_some(Cell::Timestamp(ns)),
        Type::Timestamp { digits, .. } => (ns % 10_i128.pow(9 - u32::from(*digits)) == 0).then_some(Cell::Timestamp(ns)),
        _ => None,
    }
}

/// A value close to this one, as a tolerance or a text rule might let pass.
pub fn nudge(random: &mut Random, cell: &Cell, of: &Type) -> Cell {
    let changed = match (cell, of) {
        (Cell::Int(value), Type::Int { bits, signed }) => {
            let (least, most) = range(*bits, *signed);
            Cell::Int((value + i128::from(random.between(-2, 2))).clamp(least, most))
        }
        (Cell::Decimal(units, _), _) => fit_number(
            &Exact {
                units: units + random.between(-3, 3),
                scale: decimal_scale(of),
            },
            of,
        )
        .unwrap_or(Cell::Null),
        (Cell::Double(value), Type::Float { bits }) => {
            let moved = *random.pick(&[value + 0.5, value * 1.05, value + 0.01, -value, value * 1.2]);
            Cell::Double(if *bits == 32 { f64::from(moved as f32) } else { moved })
        }
        (Cell::Text(text), _) => Cell::Text(respelled(random, text)),
        (Cell::Date(days), _) => Cell::Date((days + random.between(-1, 1) as i32).clamp(FIRST_DAY as i32, LAST_DAY as i32)),
        (Cell::Timestamp(ns), _) => {
            let moved = ns + random.pick(&[1_000_000_000, -1_000_000_000, 1_000_000, 3_600_000_000_000, 1]);
            Cell::Timestamp(moved)
        }
        (Cell::List(items), Type::List(item)) => {
            let mut items: Vec<Cell> = items
                .iter()
                .map(|c| if random.percent(20) { nudge(random, c, item) } else { c.clone() })
                .collect();
            random.shuffle(&mut items);
            Cell::List(items)
        }
        (Cell::Struct(members), Type::Struct(types)) => {
            let of = |name: &str| types.iter().find(|(n, _)| n == name).map_or(Type::Null, |(_, t)| t.clone());
            Cell::Struct(
                members
                    .iter()
                    .map(|(n, c)| (n.clone(), if random.percent(50) { nudge(random, c, &of(n)) } else { c.clone() }))
                    .collect(),
            )
        }
        (Cell::Map(entries), _) => {
            let mut entries = entries.clone();
            random.shuffle(&mut entries);
            Cell::Map(entries)
        }
        _ => Cell::Null,
    };
    fit(&changed, of).filter(in_calendar).unwrap_or(Cell::Null)
}

fn decimal_scale(of: &Type) -> u32 {
    match of {
        Type::Decimal { scale, .. } => u32::from(*scale),
        _ => 0,
    }
}

fn in_calendar(cell: &Cell) -> bool {
    cell.instant()
        .is_none_or(|ns| (FIRST_DAY..=LAST_DAY).contains(&(ns.div_euclid(DAY_NS) as i64)))
}

fn respelled(random: &mut Random, text: &str) -> String {
    use unicode_normalization::UnicodeNormalization;
    match random.below(6) {
        0 => text.to_uppercase(),
        1 => text.nfd().collect(),
        2 => format!(" {text}\u{a0}"),
        3 => text.replace(' ', "  "),
        4 => text.chars().skip(1).collect(),
        _ => format!("{text}x"),
    }
}
