//! Changes that are planted on purpose, to see whether a spec would catch them: what each makes of a value. Where a change is one that a
//! diagnosis tells, it has the name of the diagnosis.

use crate::value::{Decimal, TimeUnit, Value, ValueType, print};
use crate::words::words;
use arrow_buffer::i256;

words! {
    /// A change of one cell.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
    pub enum CellChange {
        NullAppeared = "null_appeared",
        NullVanished = "null_vanished",
        OtherValue = "other_value",
        Sign = "sign",
        Scale = "scale(100)",
        OnePercent = "one_percent",
        LeastStep = "least_step",
        Rounding = "rounding(0)",
        Flip = "flipped_boolean",
        DateOffByOne = "date_off_by_one",
        TimeZone = "time_zone(+01:00)",
        OneSecond = "one_second",
        Case = "case",
        Whitespace = "whitespace",
        InvisibleCharacters = "invisible_characters",
        Truncated = "truncated",
        Extended = "extended",
        LeadingZeros = "leading_zeros",
        Mojibake = "mojibake",
    }
}

/// What is planted in the place of a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Planted {
    Null,
    /// The value of another row.
    Other,
    /// As text of the column's type.
    Text(String),
}

impl CellChange {
    /// What a column must hold for it, in words; `None`: anything.
    pub fn needs(self) -> Option<&'static str> {
        match self {
            CellChange::NullAppeared | CellChange::OtherValue => None,
            CellChange::NullVanished => Some("a column with NULL"),
            CellChange::Sign | CellChange::Scale | CellChange::OnePercent | CellChange::LeastStep => Some("a column of numbers"),
            CellChange::Rounding => Some("a column of numbers with a fraction"),
            CellChange::Flip => Some("a column of booleans"),
            CellChange::DateOffByOne => Some("a column of dates"),
            CellChange::TimeZone | CellChange::OneSecond => Some("a column of timestamps"),
            CellChange::Case => Some("a column of text with letters"),
            CellChange::Whitespace | CellChange::InvisibleCharacters | CellChange::Extended => Some("a column of text"),
            CellChange::Truncated => Some("a column of text of some length"),
            CellChange::LeadingZeros => Some("a column of digits as text"),
            CellChange::Mojibake => Some("a column of text beyond ASCII"),
        }
    }

    /// What it makes of a value; `None` where it makes nothing of it.
    pub fn of(self, value: &Value<'_>) -> Option<Planted> {
        let text = match (self, value) {
            (CellChange::NullVanished, Value::Null) => return Some(Planted::Other),
            (_, Value::Null) => return None,
            (CellChange::NullAppeared, _) => return Some(Planted::Null),
            (CellChange::OtherValue, _) => return Some(Planted::Other),
            (_, Value::Text(text)) => self.of_text(text)?,
            (_, Value::Int(_) | Value::Decimal(_) | Value::Float32(_) | Value::Float64(_)) => printed(&self.of_number(value)?),
            (CellChange::Flip, Value::Bool(value)) => printed(&Value::Bool(!value)),
            (CellChange::DateOffByOne, Value::Date(day)) => printed(&Value::Date(day.checked_add(1)?)),
            (CellChange::TimeZone, Value::Timestamp { .. }) => printed(&later(value, 3600)?),
            (CellChange::OneSecond, Value::Timestamp { .. }) => printed(&later(value, 1)?),
            _ => return None,
        };
        Some(Planted::Text(text))
    }

    fn of_text(self, text: &str) -> Option<String> {
        let changed = match self {
            CellChange::Case if text.chars().any(char::is_lowercase) => text.to_uppercase(),
            CellChange::Case => text.to_lowercase(),
            CellChange::Whitespace => format!("{text} "),
            CellChange::InvisibleCharacters => format!("{text}\u{200b}"),
            CellChange::Truncated if text.chars().count() >= 6 => text.chars().take(text.chars().count() / 2).collect(),
            CellChange::Extended => format!("{text} and more"),
            CellChange::LeadingZeros if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) => format!("0{text}"),
            CellChange::Mojibake if !text.is_ascii() => text.bytes().map(char::from).collect(),
            _ => return None,
        };
        (changed != text).then_some(changed)
    }

    fn of_number(self, value: &Value<'_>) -> Option<Value<'static>> {
        match value {
            Value::Int(number) => self.of_integer(*number).map(Value::Int),
            Value::Decimal(Decimal { unscaled, scale }) => {
                let unscaled = match (self, i256::from_i128(10).checked_pow(u32::try_from(*scale).ok()?)) {
                    (CellChange::Rounding, Some(one)) => unscaled.checked_sub(unscaled.checked_rem(one)?)?,
                    _ => i256::from_i128(self.of_integer(unscaled.to_i128()?)?),
                };
                Some(Value::Decimal(Decimal { unscaled, scale: *scale }))
            }
            Value::Float32(number) => self.of_double(f64::from(*number)).map(|changed| Value::Float32(changed as f32)),
            Value::Float64(number) => self.of_double(*number).map(Value::Float64),
            _ => None,
        }
    }

    /// Nothing is made of zero by a factor.
    fn of_integer(self, number: i128) -> Option<i128> {
        match self {
            CellChange::LeastStep => number.checked_add(1),
            _ if number == 0 => None,
            CellChange::Sign => number.checked_neg(),
            CellChange::Scale => number.checked_mul(100),
            CellChange::OnePercent if number.unsigned_abs() >= 100 => number.checked_add(number / 100),
            _ => None,
        }
    }

    fn of_double(self, number: f64) -> Option<f64> {
        if !number.is_finite() || number == 0.0 {
            return None;
        }
        let changed = match self {
            CellChange::Sign => -number,
            CellChange::Scale => number * 100.0,
            CellChange::OnePercent => number * 1.01,
            // A millionth: less is what sums in another order make of it.
            CellChange::LeastStep => number * 1.000_001,
            CellChange::Rounding => number.round(),
            _ => return None,
        };
        (changed != number && changed.is_finite()).then_some(changed)
    }

    /// The change that is made of a whole column of a type, where one is.
    pub fn of_column(value_type: &ValueType) -> Option<CellChange> {
        match value_type {
            ValueType::Timestamp { .. } => Some(CellChange::TimeZone),
            ValueType::Date => Some(CellChange::DateOffByOne),
            number if number.is_number() => Some(CellChange::Scale),
            _ => None,
        }
    }
}

fn printed(value: &Value<'_>) -> String {
    let mut text = String::new();
    print(value, &mut text);
    text
}

/// A timestamp so many seconds later.
fn later(value: &Value<'_>, seconds: i128) -> Option<Value<'static>> {
    match value {
        Value::Timestamp { ticks, unit, zoned } => Some(Value::Timestamp {
            ticks: ticks.checked_add(seconds * TimeUnit::Second.nanoseconds() / unit.nanoseconds())?,
            unit: *unit,
            zoned: *zoned,
        }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::diagnose;
    use crate::side::Side;

    #[test]
    fn each_change_is_what_its_name_says() {
        let decimal = Value::Decimal(Decimal {
            unscaled: i256::from_i128(12_345),
            scale: 2,
        });
        let noon = Value::Timestamp {
            ticks: 12 * 3_600_000,
            unit: TimeUnit::Millisecond,
            zoned: true,
        };
        for (change, value, planted) in [
            (CellChange::Sign, Value::Int(7), "-7"),
            (CellChange::Scale, Value::Float64(1.5), "150.0"),
            (CellChange::OnePercent, Value::Int(200), "202"),
            (CellChange::LeastStep, decimal.clone(), "123.46"),
            (CellChange::Rounding, decimal.clone(), "123.00"),
            (CellChange::Flip, Value::Bool(true), "false"),
            (CellChange::DateOffByOne, Value::Date(0), "1970-01-02"),
            (CellChange::TimeZone, noon, "1970-01-01T13:00:00.000Z"),
            (CellChange::Case, Value::Text("aB"), "AB"),
            (CellChange::Truncated, Value::Text("abcdef"), "abc"),
            (CellChange::LeadingZeros, Value::Text("7"), "07"),
            (CellChange::Mojibake, Value::Text("é"), "Ã©"),
        ] {
            assert_eq!(
                change.of(&value),
                Some(Planted::Text(planted.to_owned())),
                "{change:?} of {value:?}"
            );
        }
        for (change, value) in [
            (CellChange::Sign, Value::Int(0)),
            (CellChange::Scale, Value::Float64(f64::NAN)),
            (CellChange::OnePercent, Value::Int(99)),
            (CellChange::Rounding, Value::Float64(2.0)),
            (CellChange::Case, Value::Text("12")),
            (CellChange::Truncated, Value::Text("abc")),
            (CellChange::Mojibake, Value::Text("abc")),
            (CellChange::NullVanished, Value::Int(1)),
            (CellChange::NullAppeared, Value::Null),
            (CellChange::DateOffByOne, Value::Date(i32::MAX)),
        ] {
            assert_eq!(change.of(&value), None, "{change:?} of {value:?}");
        }
    }

    #[test]
    fn what_has_the_name_of_a_diagnosis_is_diagnosed_so() {
        for (change, text) in [
            (CellChange::Case, "Müller & Co"),
            (CellChange::Whitespace, "Müller & Co"),
            (CellChange::InvisibleCharacters, "Müller & Co"),
            (CellChange::Truncated, "Müller & Co"),
            (CellChange::Extended, "Müller & Co"),
            (CellChange::Mojibake, "Müller & Co"),
            (CellChange::LeadingZeros, "1234"),
        ] {
            let Some(Planted::Text(planted)) = change.of(&Value::Text(text)) else {
                panic!("{change:?} of {text}");
            };
            let found = diagnose(&Value::Text(text), &Value::Text(&planted), &ValueType::Text, Side::Live);
            assert_eq!(found.as_deref(), Some(change.name()));
        }
    }
}
