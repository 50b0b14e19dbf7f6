//! Single values of a spec from their text: exact decimals, limits, durations, characters, types.

use crate::error::{Error, Result};
use crate::nearest::did_you_mean;
use crate::value::{Number, Numeral, Tolerance, ValueType};

/// Enough for every double written out, and a bound for the arithmetic on it.
const MAX_DECIMAL_DIGITS: u32 = 400;

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

/// A tolerance such as `0.01`, `5%` or `1e-3`.
pub(super) fn tolerance(text: &str) -> Result<Tolerance> {
    let bound = share(text)?;
    Tolerance::new(bound).ok_or_else(|| Error::spec(format!("`{text}` is negative")).advice("write a number that is 0 or more"))
}

/// A number without superfluous zeros: `0.010` is `0.01`, `5%` is `0.05`.
fn share(text: &str) -> Result<Number> {
    let (number, unit) = match text.strip_suffix('%') {
        Some(number) => (number.trim_end(), Number::new(1, 2)),
        None => (text, Number::from_int(1)),
    };
    let numeral = Numeral::scan(number).ok_or_else(|| {
        Error::spec(format!("`{text}` is not a number")).advice("write a decimal such as 0.01, or a percentage such as 5%")
    })?;
    if numeral.is_zero() {
        return Ok(Number::from_int(0));
    }
    let found = numeral.to_number().map(|number| number.mul(&unit).normalized());
    let is_short = |number: &Number| number.digits() <= MAX_DECIMAL_DIGITS as usize && number.scale().unsigned_abs() <= MAX_DECIMAL_DIGITS;
    found
        .filter(is_short)
        .ok_or_else(|| Error::spec(format!("`{text}` has more than {MAX_DECIMAL_DIGITS} digits")).advice("write fewer"))
}

pub(super) fn count(text: &str) -> Result<u64> {
    let digits = !text.is_empty() && text.bytes().all(|c| c.is_ascii_digit());
    digits
        .then(|| text.parse().ok())
        .flatten()
        .ok_or_else(|| Error::spec(format!("`{text}` is not a count")).advice("write a whole number such as 10"))
}

/// One ASCII character that is not a line break; `\t` may be spelled out.
pub(super) fn character(text: &str) -> Result<u8> {
    match text.as_bytes() {
        [b'\n' | b'\r'] => Err(Error::spec("a line break ends a row").advice("write another character")),
        [one] if one.is_ascii() => Ok(*one),
        b"\\t" => Ok(b'\t'),
        _ => Err(Error::spec(format!("`{text}` is not one ASCII character")).advice("write one such as \";\" or \"\\t\"")),
    }
}

pub(super) fn column_type(text: &str) -> Result<ValueType> {
    if let Some(found) = ValueType::parse(text) {
        return Ok(found);
    }
    if text.contains('(') && !text.contains(')') {
        return Err(Error::spec(format!("`{text}` is cut at a comma")).advice("put the whole type into quotes, such as \"decimal(18,2)\""));
    }
    let word = text.split('(').next().unwrap_or_default().trim();
    let others = TYPE_WORDS.into_iter().filter(|known| *known != word);
    let advice = did_you_mean(word, others)
        .unwrap_or_else(|| "write one such as int, decimal(18,2), double, text, bool, date, timestamp(us, UTC), list(text)".to_owned());
    Err(Error::spec(format!("`{text}` is not a column type")).advice(advice))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::Limit;

    fn check<T: PartialEq + std::fmt::Debug>(read: impl Fn(&str) -> Result<T>, cases: &[(&str, Result<T, &str>)]) {
        for (text, wanted) in cases {
            match (read(text), wanted) {
                (Ok(found), Ok(wanted)) => assert_eq!(found, *wanted, "{text}"),
                (Err(found), Err(part)) => assert!(found.to_string().contains(part), "{text}: {found}"),
                (found, wanted) => panic!("{text}: {found:?} where {wanted:?} was wanted"),
            }
        }
    }

    #[test]
    fn tolerances_are_exact_decimals() {
        let text = |t: &str| Ok(t.to_owned());
        check(
            |text| tolerance(text).map(|found| found.to_string()),
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
                ("1e99999999999", Err("digits")),
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
            Limit::parse,
            &[
                ("0", Ok(Limit::Count(0))),
                ("10", Ok(Limit::Count(10))),
                ("0.1%", Ok(Limit::Share(Number::new(1, 3)))),
                ("100%", Ok(Limit::Share(Number::from_int(1)))),
                ("-1%", Err("is negative")),
                ("0.5", Err("write a count")),
                ("-1", Err("write a count")),
                ("18446744073709551616", Err("write a count")),
            ],
        );
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
