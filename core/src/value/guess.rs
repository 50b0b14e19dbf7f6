//! The type that a column of text is given: the narrowest that fits every value.

use super::calendar::{Reading, SECONDS_OF_A_DAY, read_date, read_timestamp};
use super::numeral::{Numeral, is_faithful_double};
use super::types::{MAX_DIGITS, TimeUnit, ValueType};
use serde::{Deserialize, Serialize};

/// What the values seen so far have in common.
///
/// Every part only ever grows by a maximum or an `or`, so the result depends neither on the order of the values nor on
/// how they were divided among guesses that are merged later.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Guess {
    kinds: Kinds,
    /// The most digits in front of the decimal point of any number.
    integer_digits: u32,
    /// The most digits after it.
    scale: u32,
    beyond_int64: bool,
    /// Some number is not what a double can stand for.
    beyond_double: bool,
    /// The most digits after a second.
    second_digits: u8,
    /// Some date or timestamp does not fit 64 bits of nanoseconds.
    beyond_nanoseconds: bool,
}

/// The kinds of value that were seen, one bit each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
struct Kinds(u8);

impl Kinds {
    const BOOL: u8 = 1;
    const NUMBER: u8 = 2;
    /// `NaN` and the infinities.
    const NOT_FINITE: u8 = 4;
    const DATE: u8 = 8;
    const NAIVE: u8 = 16;
    const ZONED: u8 = 32;
    const TEXT: u8 = 64;
}

/// Integers of up to this many digits fit both 64 bits and a double.
const PLAIN_DIGITS: usize = 15;

impl Guess {
    /// Takes a value in; NULLs are not to be shown.
    pub fn observe(&mut self, text: &str) {
        if self.kinds.0 & Kinds::TEXT != 0 {
            return;
        }
        let bytes = text.as_bytes();
        let digits = bytes.strip_prefix(b"-").unwrap_or(bytes);
        let plain = (1..=PLAIN_DIGITS).contains(&digits.len()) && digits.iter().all(u8::is_ascii_digit);
        if plain && (digits[0] != b'0' || digits.len() == 1) {
            self.kinds.0 |= Kinds::NUMBER;
            self.integer_digits = self.integer_digits.max(if digits[0] == b'0' { 0 } else { digits.len() as u32 });
        } else {
            self.observe_any(text);
        }
    }

    pub fn merge(&mut self, other: &Guess) {
        self.kinds.0 |= other.kinds.0;
        self.integer_digits = self.integer_digits.max(other.integer_digits);
        self.scale = self.scale.max(other.scale);
        self.beyond_int64 |= other.beyond_int64;
        self.beyond_double |= other.beyond_double;
        self.second_digits = self.second_digits.max(other.second_digits);
        self.beyond_nanoseconds |= other.beyond_nanoseconds;
        self.forget_if_text();
    }

    /// The narrowest type that fits every value; `Null`, which fits any type, if there was none.
    pub fn result(&self) -> ValueType {
        const NUMBER_AND_NOT_FINITE: u8 = Kinds::NUMBER | Kinds::NOT_FINITE;
        const DATE_AND_NAIVE: u8 = Kinds::DATE | Kinds::NAIVE;
        match self.kinds.0 {
            0 => ValueType::Null,
            Kinds::BOOL => ValueType::Bool,
            Kinds::NUMBER => self.number(),
            NUMBER_AND_NOT_FINITE if !self.beyond_double => ValueType::DOUBLE,
            Kinds::DATE => ValueType::Date,
            Kinds::NAIVE | DATE_AND_NAIVE => self.timestamp(false),
            Kinds::ZONED => self.timestamp(true),
            // A date among zoned timestamps has no zone: as text, nobody takes it for midnight UTC.
            _ => ValueType::Text,
        }
    }

    /// Whether more values cannot change the result any more.
    pub fn is_text(&self) -> bool {
        self.kinds.0 & Kinds::TEXT != 0
    }

    fn observe_any(&mut self, text: &str) {
        if let Some(numeral) = Numeral::scan(text).filter(Numeral::is_canonical) {
            self.observe_number(&numeral, text);
        } else if text.eq_ignore_ascii_case("true") || text.eq_ignore_ascii_case("false") {
            self.kinds.0 |= Kinds::BOOL;
        } else if let Some(days) = read_date(text) {
            self.kinds.0 |= Kinds::DATE;
            self.beyond_nanoseconds |= !fits_nanoseconds(i64::from(days) * SECONDS_OF_A_DAY, 0);
        } else if let Some(reading) = read_timestamp(text) {
            self.observe_timestamp(&reading);
        } else if is_not_finite(text) {
            self.kinds.0 |= Kinds::NOT_FINITE;
        } else {
            self.kinds.0 |= Kinds::TEXT;
            self.forget_if_text();
        }
    }

    fn observe_number(&mut self, numeral: &Numeral<'_>, text: &str) {
        self.kinds.0 |= Kinds::NUMBER;
        self.integer_digits = self.integer_digits.max(numeral.integer_digits());
        self.scale = self.scale.max(numeral.scale());
        self.beyond_int64 |= !numeral.to_i128(0, 19).is_ok_and(|value| i64::try_from(value).is_ok());
        self.beyond_double |= !self.beyond_double && !is_faithful_double(numeral, text);
    }

    fn observe_timestamp(&mut self, reading: &Reading) {
        self.kinds.0 |= if reading.zoned { Kinds::ZONED } else { Kinds::NAIVE };
        self.second_digits = self.second_digits.max(reading.digits);
        self.beyond_nanoseconds |= !fits_nanoseconds(reading.seconds, reading.nanoseconds);
    }

    /// Text decides; the rest is forgotten so that equal results are equal guesses.
    fn forget_if_text(&mut self) {
        if self.kinds.0 & Kinds::TEXT != 0 {
            *self = Guess {
                kinds: Kinds(Kinds::TEXT),
                ..Guess::default()
            };
        }
    }

    fn number(&self) -> ValueType {
        let digits = u64::from(self.integer_digits) + u64::from(self.scale);
        if self.scale == 0 && !self.beyond_int64 {
            ValueType::INT64
        } else if digits <= u64::from(MAX_DIGITS) {
            ValueType::Decimal {
                precision: digits.max(1) as u8,
                scale: self.scale as i8,
            }
        } else if self.beyond_double {
            ValueType::Text
        } else {
            ValueType::DOUBLE
        }
    }

    fn timestamp(&self, zoned: bool) -> ValueType {
        let unit = match self.second_digits {
            0 => TimeUnit::Second,
            1..=3 => TimeUnit::Millisecond,
            4..=6 => TimeUnit::Microsecond,
            _ if self.beyond_nanoseconds => return ValueType::Text,
            _ => TimeUnit::Nanosecond,
        };
        ValueType::Timestamp { unit, zoned }
    }
}

fn fits_nanoseconds(seconds: i64, nanoseconds: u32) -> bool {
    i64::try_from(i128::from(seconds) * 1_000_000_000 + i128::from(nanoseconds)).is_ok()
}

/// `NaN` and the infinities in any case.
pub(super) fn is_not_finite(text: &str) -> bool {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    text.eq_ignore_ascii_case("nan") || unsigned.eq_ignore_ascii_case("inf") || unsigned.eq_ignore_ascii_case("infinity")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guess(values: &[&str]) -> Guess {
        let mut guess = Guess::default();
        values.iter().for_each(|value| guess.observe(value));
        guess
    }

    #[test]
    fn the_narrowest_type_that_fits_every_value() {
        let check = |values: &[&str], want: &str| assert_eq!(guess(values).result().to_string(), want, "{values:?}");
        check(&[], "null");
        check(&["true", "FALSE", "True"], "bool");
        check(&["t"], "text");
        check(&["true", "1"], "text");
        check(&["0", "-1", "42"], "int64");
        check(&["1e3", "1000"], "int64");
        check(&["9223372036854775807", "-9223372036854775808"], "int64");
        check(&["9223372036854775808"], "decimal(19,0)");
        check(&["41000000000000000000000000000000017"], "decimal(35,0)");
        check(&[&"9".repeat(76)], "decimal(76,0)");
        check(&[&"9".repeat(77)], "text");
        check(&["007"], "text");
        check(&["1", "007"], "text");
        check(&["00.5"], "text");
        check(&["-01"], "text");
        check(&["+1"], "text");
        check(&["1,234"], "text");
        check(&["1 234"], "text");
        check(&[" 1"], "text");
        check(&["1 "], "text");
        check(&[""], "text");
        check(&["5."], "text");
        check(&["0.5", "0"], "decimal(1,1)");
        check(&[".5"], "decimal(1,1)");
        check(&["1.10", "1.1", "1e3"], "decimal(6,2)");
        check(&["1", "2.75"], "decimal(3,2)");
        check(&["0.0"], "decimal(1,1)");
        check(&["1e-70", "1e5"], "decimal(76,70)");
        check(&["1e-80", "0.1"], "double");
        check(&["1e-80", "9007199254740993"], "text");
        check(&["1e400"], "text");
        check(&["NaN", "1"], "double");
        check(&["inf", "-Infinity", "nan", "1.5"], "double");
        check(&["NaN", "9007199254740993"], "text");
        check(&["NaN"], "text");
        check(&["inf", "-inf"], "text");
        check(&["2026-02-28", "0001-01-01", "9999-12-31"], "date");
        check(&["2026-02-29"], "text");
        check(&["20260228"], "int64");
        check(&["2026-02-28", "1"], "text");
        check(&["2026-02-28", "2026-02-28T00:00:00"], "timestamp(s)");
        check(&["2026-02-28 12:00:00"], "timestamp(s)");
        check(&["2026-02-28 12:00:00", "2026-02-28T12:00:00.1"], "timestamp(ms)");
        check(&["2026-02-28T12:00:00.1234"], "timestamp(us)");
        check(&["2026-02-28T12:00:00.1234567"], "timestamp(ns)");
        check(&["2026-02-28T12:00:00Z", "2026-02-28T12:00:00+03:00"], "timestamp(s, UTC)");
        check(&["2026-02-28T12:00:00Z", "2026-02-28T12:00:00"], "text");
        check(&["2026-02-28T12:00:00Z", "2026-02-28"], "text");
        check(&["9999-12-31T00:00:00", "2026-02-28T12:00:00.1234567"], "text");
        check(&["9999-12-31", "2026-02-28T12:00:00.1234567"], "text");
        check(&["9999-12-31T00:00:00", "2026-02-28T12:00:00.123456"], "timestamp(us)");
    }

    /// A small generator of pseudo-random numbers, so that a failure can be had again.
    fn next(state: &mut u64) -> usize {
        *state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (*state >> 33) as usize
    }

    #[test]
    fn neither_order_nor_grouping_matters_and_every_value_fits() {
        const VALUES: [&str; 22] = [
            "0",
            "-7",
            "1.10",
            "1e3",
            "9223372036854775808",
            "9007199254740993",
            "1e-80",
            "1e400",
            "NaN",
            "-inf",
            "true",
            "False",
            "007",
            "x",
            "",
            "2026-01-01",
            "9999-12-31",
            "2026-01-01T00:00:00",
            "2026-01-01T00:00:00.123",
            "2026-01-01T00:00:00.1234567Z",
            "2026-01-01 00:00:00.1234567",
            "0001-01-01T00:00:00Z",
        ];
        for seed in 0..2000_u64 {
            let mut state = seed;
            // A few kinds of value at a time: with all of them, everything is text.
            let kinds = 1 + next(&mut state) % 4;
            let pool: Vec<&str> = (0..kinds).map(|_| VALUES[next(&mut state) % VALUES.len()]).collect();
            let mut values: Vec<&str> = (0..next(&mut state) % 9).map(|_| pool[next(&mut state) % pool.len()]).collect();
            let whole = guess(&values);
            for i in (1..values.len()).rev() {
                values.swap(i, next(&mut state) % (i + 1));
            }
            let (a, rest) = values.split_at(next(&mut state) % (values.len() + 1));
            let (b, c) = rest.split_at(next(&mut state) % (rest.len() + 1));
            let merged = |parts: [Guess; 2]| {
                let mut sum = parts[0];
                sum.merge(&parts[1]);
                sum
            };
            let left = merged([merged([guess(a), guess(b)]), guess(c)]);
            let right = merged([guess(a), merged([guess(b), guess(c)])]);
            let swapped = merged([guess(c), merged([guess(b), guess(a)])]);
            assert_eq!((left, right, swapped), (whole, whole, whole), "seed {seed}: {values:?}");
            let texts = arrow_array::StringArray::from(values.clone());
            let read = crate::value::parse_into(&texts, &whole.result());
            assert!(read.is_ok(), "seed {seed}: {values:?} as {}: {read:?}", whole.result());
        }
    }
}
