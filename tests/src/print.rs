//! How the oracle writes a cell into the CSV, in the common type of its column.

use crate::cell::{Cell, Type, order};
use crate::exact::Exact;

/// The cell's text; `None` for NULL.
pub fn print(cell: &Cell, column: &Type) -> Option<String> {
    Some(match cell {
        Cell::Null => return None,
        Cell::Text(text) => text.clone(),
        Cell::List(_) | Cell::Struct(_) | Cell::Map(_) => json(cell, column),
        _ => plain(cell, column),
    })
}

/// The text of a key: whichever side its row is from, a whole number prints as one where a double meets exact numbers.
pub fn print_key(cell: &Cell, column: &Type) -> Option<String> {
    match (cell, column) {
        (Cell::Double(value), Type::Own) if value.fract() == 0.0 => Exact::double(*value).map(|exact| exact.short_text()),
        _ => print(cell, column),
    }
}

/// Everything but text and nested values.
fn plain(cell: &Cell, column: &Type) -> String {
    match (cell, column) {
        (Cell::Bool(value), _) => value.to_string(),
        (Cell::Double(value), Type::Float { bits: 32 }) => single(*value as f32),
        (Cell::Double(value), _) => double(*value),
        (Cell::Int(_) | Cell::Decimal(..), Type::Decimal { scale, .. }) => {
            let exact = cell.number().expect("ints and decimals are numbers");
            Exact {
                units: exact.at_scale(u32::from(*scale)),
                scale: u32::from(*scale),
            }
            .text()
        }
        (Cell::Int(_) | Cell::Decimal(..), _) => cell.number().expect("ints and decimals are numbers").text(),
        (Cell::Binary(bytes), _) => bytes.iter().map(|b| format!("{b:02x}")).collect(),
        (Cell::Date(_) | Cell::Timestamp(_), Type::Timestamp { digits, zoned }) => {
            timestamp(cell.instant().expect("times have an instant"), *digits, *zoned)
        }
        (Cell::Date(days), _) => date(i64::from(*days)),
        (Cell::Text(text), _) => text.clone(),
        (other, _) => unreachable!("{other:?} is not plain"),
    }
}

/// The shortest text that parses back; with an exponent below 1e-4 and from 1e16 on. -0.0 is 0.0.
pub fn double(value: f64) -> String {
    let value = value + 0.0;
    shortest(value.abs(), value, &format!("{value}"), &format!("{value:e}"))
}

fn single(value: f32) -> String {
    let value = value + 0.0;
    // The bound is the one nearest to 1e-4 in 32 bits.
    let size = if value.abs() >= 1e-4 {
        f64::from(value.abs()).max(1e-4)
    } else {
        f64::from(value.abs())
    };
    shortest(size, f64::from(value), &format!("{value}"), &format!("{value:e}"))
}

fn shortest(size: f64, value: f64, plain: &str, exponent: &str) -> String {
    if !value.is_finite() {
        return plain.to_owned();
    }
    if size != 0.0 && !(1e-4..1e16).contains(&size) {
        return exponent.to_owned();
    }
    if plain.contains('.') {
        plain.to_owned()
    } else {
        format!("{plain}.0")
    }
}

/// Year, month, day of a day since 1970-01-01: counts whole years, then whole months.
fn date(days: i64) -> String {
    let leap = |year: i64| (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    let days_before = |year: i64| (year - 1) * 365 + (year - 1) / 4 - (year - 1) / 100 + (year - 1) / 400;
    let since_year_1 = days + days_before(1970);
    let mut year = since_year_1 / 366 + 1;
    while days_before(year + 1) <= since_year_1 {
        year += 1;
    }
    let mut rest = since_year_1 - days_before(year);
    let february = if leap(year) { 29 } else { 28 };
    let mut month = 1;
    for length in [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] {
        if rest < length {
            break;
        }
        rest -= length;
        month += 1;
    }
    format!("{year:04}-{month:02}-{:02}", rest + 1)
}

fn timestamp(ns: i128, digits: u8, zoned: bool) -> String {
    let seconds = ns.div_euclid(1_000_000_000);
    let (day, second) = (seconds.div_euclid(86_400) as i64, seconds.rem_euclid(86_400));
    let fraction = &format!("{:09}", ns.rem_euclid(1_000_000_000))[..usize::from(digits)];
    let point = if digits == 0 { "" } else { "." };
    let zone = if zoned { "Z" } else { "" };
    format!(
        "{}T{:02}:{:02}:{:02}{point}{fraction}{zone}",
        date(day),
        second / 3600,
        second / 60 % 60,
        second % 60
    )
}

/// Compact JSON: exact numbers and finite doubles bare, all else as text; map entries sorted by key.
pub fn json(cell: &Cell, column: &Type) -> String {
    match (cell, column) {
        (Cell::Null, _) => "null".into(),
        (Cell::List(items), Type::List(item)) => format!("[{}]", joined(items.iter().map(|i| json(i, item)))),
        (Cell::Struct(_), Type::Struct(members)) => {
            format!(
                "{{{}}}",
                joined(
                    members
                        .iter()
                        .map(|(name, t)| format!("{}:{}", quoted(name), json(cell.member(name), t)))
                )
            )
        }
        (Cell::Map(entries), Type::Map(key, value)) => {
            let mut entries: Vec<_> = entries.iter().collect();
            entries.sort_by(|a, b| order(&a.0, &b.0));
            if **key == Type::Text {
                format!(
                    "{{{}}}",
                    joined(entries.iter().map(|(k, v)| format!("{}:{}", json(k, key), json(v, value))))
                )
            } else {
                format!(
                    "[{}]",
                    joined(entries.iter().map(|(k, v)| format!("[{},{}]", json(k, key), json(v, value))))
                )
            }
        }
        (Cell::Bool(_) | Cell::Int(_) | Cell::Decimal(..), _) => plain(cell, column),
        (Cell::Double(value), _) if value.is_finite() => plain(cell, column),
        _ => quoted(&plain(cell, column)),
    }
}

fn joined(parts: impl Iterator<Item = String>) -> String {
    parts.collect::<Vec<_>>().join(",")
}

/// A JSON string.
pub fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_print_as_the_contract_says() {
        let time = |digits, zoned| Type::Timestamp { digits, zoned };
        for (cell, column, text) in [
            (Cell::Double(1.0), Type::Float { bits: 64 }, "1.0"),
            (Cell::Double(1e16), Type::Float { bits: 64 }, "1e16"),
            (Cell::Double(0.00001), Type::Float { bits: 64 }, "1e-5"),
            (Cell::Double(-0.0), Type::Float { bits: 64 }, "0.0"),
            (Cell::Double(f64::from(0.1f32)), Type::Float { bits: 32 }, "0.1"),
            (Cell::Double(f64::NEG_INFINITY), Type::Own, "-inf"),
            (Cell::Decimal((-5).into(), 2), Type::Decimal { precision: 9, scale: 3 }, "-0.050"),
            (Cell::Int(7), Type::Decimal { precision: 9, scale: 2 }, "7.00"),
            (Cell::Date(-719_162), Type::Date, "0001-01-01"),
            (Cell::Date(2_932_896), Type::Date, "9999-12-31"),
            (Cell::Date(11_016), Type::Date, "2000-02-29"),
            (Cell::Timestamp(-1), time(9, true), "1969-12-31T23:59:59.999999999Z"),
            (Cell::Timestamp(1_500_000_000), time(3, false), "1970-01-01T00:00:01.500"),
            (Cell::Binary(vec![0, 255]), Type::Binary, "00ff"),
        ] {
            assert_eq!(print(&cell, &column).as_deref(), Some(text));
        }
    }
}
