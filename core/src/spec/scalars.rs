//! Single values of a spec from their text: exact decimals, limits, durations, characters, types.

use super::model::Limit;
use super::names::nearest;
use crate::value::ValueType;

/// Enough for every double written out, and a bound for the arithmetic on it.
const MAX_DECIMAL_DIGITS: usize = 400;

/// Words that begin a column type, for the nearest one.
const TYPE_WORDS: [&str; 25] = [
    "bool",
    "int",
    "int8",
    "int16",
    "int32",
    "int64",
    "uint8",
    "uint16",
    "uint32",
    "uint64",
    "decimal",
    "float16",
    "float32",
    "float64",
    "double",
    "text",
    "string",
    "binary",
    "date",
    "timestamp",
    "time",
    "duration",
    "null",
    "list",
    "map",
];

const UNITS_NS: [(&str, u128); 5] = [
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
    ("d", 86_400_000_000_000),
];

/// A tolerance as plain decimal text without superfluous zeros: `0.010` is `0.01`, `5%` is `0.05`, `1e-3` is `0.001`.
pub(super) fn tolerance(text: &str) -> Result<String, String> {
    let decimal =
        Decimal::read(text).ok_or_else(|| format!("`{text}` is not a number; write a decimal such as 0.01, or a percentage such as 5%"))?;
    if decimal.negative && !decimal.digits.is_empty() {
        return Err(format!("`{text}` is negative; write a number that is 0 or more"));
    }
    decimal
        .plain()
        .ok_or_else(|| format!("`{text}` has more than {MAX_DECIMAL_DIGITS} digits; write fewer"))
}

/// A count such as `10`, or a share such as `5%`.
pub(super) fn limit(text: &str) -> Result<Limit, String> {
    if text.ends_with('%') {
        return tolerance(text).map(Limit::Share);
    }
    count(text)
        .map(Limit::Count)
        .map_err(|_| format!("`{text}` is no limit; write a count such as 10, or a percentage such as 5%"))
}

/// Whether a share is more than all.
pub(super) fn is_over_one(share: &str) -> bool {
    share != "1" && !share.starts_with("0")
}

pub(super) fn count(text: &str) -> Result<u64, String> {
    let digits = !text.is_empty() && text.bytes().all(|c| c.is_ascii_digit());
    digits
        .then(|| text.parse().ok())
        .flatten()
        .ok_or_else(|| format!("`{text}` is no count; write a whole number such as 10"))
}

/// A duration such as `1s`, `1.5h` or `1h 30m`, in nanoseconds.
pub(super) fn duration_ns(text: &str) -> Result<u64, String> {
    let malformed = || format!("`{text}` is no duration; write a number and one of ms, s, m, h, d, such as 1.5s");
    let (mut total, mut rest) = (0u128, text.trim());
    if rest.is_empty() {
        return Err(malformed());
    }
    while !rest.is_empty() {
        let number_ends = rest.find(|c: char| !c.is_ascii_digit() && c != '.').ok_or_else(malformed)?;
        let (number, after) = rest.split_at(number_ends);
        let after = after.trim_start();
        let unit_ends = after.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(after.len());
        let (unit, after) = after.split_at(unit_ends);
        let (_, unit_ns) = UNITS_NS.into_iter().find(|(name, _)| *name == unit).ok_or_else(malformed)?;
        let decimal = Decimal::read(number).ok_or_else(malformed)?;
        total += decimal
            .times(unit_ns)
            .ok_or_else(|| format!("`{text}` is too long or finer than a nanosecond; write a duration of at most 584 years"))?;
        rest = after.trim_start();
    }
    u64::try_from(total).map_err(|_| format!("`{text}` is too long; write a duration of at most 584 years"))
}

/// A duration in milliseconds.
pub fn duration_ms(text: &str) -> Result<u64, String> {
    let ns = duration_ns(text)?;
    if ns % 1_000_000 == 0 {
        Ok(ns / 1_000_000)
    } else {
        Err(format!("`{text}` is finer than a millisecond; write whole milliseconds"))
    }
}

/// One ASCII character that is no line break; `\t` may be spelled out.
pub(super) fn character(text: &str) -> Result<u8, String> {
    match text.as_bytes() {
        [b'\n' | b'\r'] => Err("a line break ends a row; write another character".to_owned()),
        [one] if one.is_ascii() => Ok(*one),
        b"\\t" => Ok(b'\t'),
        _ => Err(format!("`{text}` is not one ASCII character; write one such as \";\" or \"\\t\"")),
    }
}

pub(super) fn column_type(text: &str) -> Result<ValueType, String> {
    if let Some(found) = ValueType::parse(text) {
        return Ok(found);
    }
    if text.contains('(') && !text.contains(')') {
        return Err(format!(
            "`{text}` is cut at a comma; put the whole type into quotes, such as \"decimal(18,2)\""
        ));
    }
    let word = text.split('(').next().unwrap_or_default().trim();
    let advice = match nearest(word, TYPE_WORDS).filter(|near| *near != word) {
        Some(near) => format!("did you mean `{near}`?"),
        None => "write one such as int, decimal(18,2), double, text, bool, date, timestamp(us, UTC), list(text)".to_owned(),
    };
    Err(format!("`{text}` is no column type; {advice}"))
}

/// `digits` times ten to the power of minus `scale`.
struct Decimal {
    negative: bool,
    /// Without leading zeros; empty is zero.
    digits: String,
    scale: i64,
}

impl Decimal {
    /// Reads `1`, `0.01`, `.5`, `1e-3`, `5%`; no infinity, no NaN, no separators.
    fn read(text: &str) -> Option<Decimal> {
        let (unsigned, negative) = match text.strip_prefix('-') {
            Some(unsigned) => (unsigned, true),
            None => (text.strip_prefix('+').unwrap_or(text), false),
        };
        let (number, percent) = match unsigned.strip_suffix('%') {
            Some(number) => (number.trim_end(), 2),
            None => (unsigned, 0),
        };
        let (mantissa, exponent) = match number.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, i64::from(exponent.parse::<i32>().ok()?)),
            None => (number, 0),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let digits = format!("{whole}{fraction}");
        if digits.is_empty() || !digits.bytes().all(|c| c.is_ascii_digit()) {
            return None;
        }
        let scale = i64::try_from(fraction.len()).ok()? - exponent + percent;
        Some(Decimal {
            negative,
            digits: digits.trim_start_matches('0').to_owned(),
            scale,
        })
    }

    /// The magnitude without exponent and without zeros that say nothing; `None` if that is too long.
    fn plain(&self) -> Option<String> {
        if self.digits.is_empty() {
            return Some("0".to_owned());
        }
        let digits = self.digits.trim_end_matches('0');
        let scale = self.scale - i64::try_from(self.digits.len() - digits.len()).ok()?;
        let shift = usize::try_from(scale.unsigned_abs()).ok()?;
        if digits.len().max(shift) > MAX_DECIMAL_DIGITS {
            return None;
        }
        if scale <= 0 {
            return Some(format!("{digits}{}", "0".repeat(shift)));
        }
        let padded = format!("{}{digits}", "0".repeat((shift + 1).saturating_sub(digits.len())));
        let (whole, fraction) = padded.split_at(padded.len() - shift);
        Some(format!("{whole}.{fraction}"))
    }

    /// The product, if it is whole and no more than any duration needs.
    fn times(&self, unit: u128) -> Option<u128> {
        let plain = self.plain()?;
        let (whole, fraction) = plain.split_once('.').unwrap_or((&plain, ""));
        let divisor = 10u128.checked_pow(u32::try_from(fraction.len()).ok()?)?;
        let product = format!("{whole}{fraction}").parse::<u128>().ok()?.checked_mul(unit)?;
        (product % divisor == 0 && product / divisor <= u128::from(u64::MAX)).then_some(product / divisor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check<T: PartialEq + std::fmt::Debug>(read: impl Fn(&str) -> Result<T, String>, cases: &[(&str, Result<T, &str>)]) {
        for (text, wanted) in cases {
            match (read(text), wanted) {
                (Ok(found), Ok(wanted)) => assert_eq!(found, *wanted, "{text}"),
                (Err(found), Err(part)) => assert!(found.contains(part), "{text}: {found}"),
                (found, wanted) => panic!("{text}: {found:?} where {wanted:?} was wanted"),
            }
        }
    }

    #[test]
    fn tolerances_are_exact_decimals() {
        let text = |t: &str| Ok(t.to_owned());
        check(
            tolerance,
            &[
                ("0.010", text("0.01")),
                ("5%", text("0.05")),
                ("5 %", text("0.05")),
                ("50%", text("0.5")),
                ("0.1%", text("0.001")),
                ("100%", text("1")),
                ("1e-3", text("0.001")),
                ("1.5E+2", text("150")),
                ("1e2%", text("1")),
                (".5", text("0.5")),
                ("5.", text("5")),
                ("+2", text("2")),
                ("007", text("7")),
                ("0", text("0")),
                ("-0.0", text("0")),
                ("0e999999999", text("0")),
                ("100", text("100")),
                (
                    "0.30000000000000000000000000000000004",
                    text("0.30000000000000000000000000000000004"),
                ),
                ("-0.01", Err("is negative")),
                ("-5%", Err("is negative")),
                ("1e401", Err("digits")),
                ("1e-999999999", Err("digits")),
                ("1e99999999999", Err("not a number")),
                ("", Err("not a number")),
                ("%", Err("not a number")),
                (".", Err("not a number")),
                ("1,5", Err("not a number")),
                ("1_000", Err("not a number")),
                ("inf", Err("not a number")),
                (".nan", Err("not a number")),
                ("0x1F", Err("not a number")),
                ("5%%", Err("not a number")),
                ("--1", Err("not a number")),
                ("１", Err("not a number")),
            ],
        );
    }

    #[test]
    fn limits_and_counts() {
        check(
            limit,
            &[
                ("0", Ok(Limit::Count(0))),
                ("10", Ok(Limit::Count(10))),
                ("0.1%", Ok(Limit::Share("0.001".into()))),
                ("100%", Ok(Limit::Share("1".into()))),
                ("-1%", Err("is negative")),
                ("0.5", Err("write a count")),
                ("-1", Err("write a count")),
                ("18446744073709551616", Err("write a count")),
            ],
        );
        for (share, over) in [
            ("0", false),
            ("0.99", false),
            ("1", false),
            ("1.01", true),
            ("10", true),
            ("100", true),
        ] {
            assert_eq!(is_over_one(share), over, "{share}");
        }
    }

    #[test]
    fn durations() {
        check(
            duration_ns,
            &[
                ("1s", Ok(1_000_000_000)),
                ("500ms", Ok(500_000_000)),
                ("2m", Ok(120_000_000_000)),
                ("1h", Ok(3_600_000_000_000)),
                ("3d", Ok(259_200_000_000_000)),
                ("1.5s", Ok(1_500_000_000)),
                ("0.000001ms", Ok(1)),
                ("1h30m", Ok(5_400_000_000_000)),
                ("1h 30 m", Ok(5_400_000_000_000)),
                ("0s", Ok(0)),
                ("0.0000001ms", Err("finer than a nanosecond")),
                ("999999d", Err("too long")),
                ("200000d 200000d", Err("too long")),
                ("1", Err("no duration")),
                ("s", Err("no duration")),
                ("1us", Err("no duration")),
                ("1S", Err("no duration")),
                ("-1s", Err("no duration")),
                ("1.2.3s", Err("no duration")),
                ("", Err("no duration")),
                ("1s!", Err("no duration")),
            ],
        );
        check(duration_ms, &[("1.5s", Ok(1500)), ("0.5ms", Err("finer than a millisecond"))]);
    }

    #[test]
    fn characters_and_types() {
        check(
            character,
            &[
                (";", Ok(b';')),
                ("\t", Ok(b'\t')),
                ("\\t", Ok(b'\t')),
                (";;", Err("one ASCII")),
                ("é", Err("one ASCII")),
                ("\n", Err("line break")),
            ],
        );
        check(
            column_type,
            &[
                ("decimal(18,2)", Ok(ValueType::Decimal { precision: 18, scale: 2 })),
                ("Text", Ok(ValueType::Text)),
                ("decmal(18,2)", Err("did you mean `decimal`?")),
                ("decimal(99,2)", Err("write one such as")),
                ("decimal(18", Err("into quotes")),
                ("money", Err("write one such as")),
            ],
        );
        for word in TYPE_WORDS {
            let sample = match word {
                "decimal" => "decimal(9,2)",
                "list" => "list(int)",
                "map" => "map(text,int)",
                word => word,
            };
            assert!(ValueType::parse(sample).is_some(), "{sample}");
        }
    }
}
