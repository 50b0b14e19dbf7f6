//! The type that a column of text is given: the narrowest that fits every value.

use super::calendar::{Reading, SECONDS_OF_A_DAY, read_date, read_timestamp};
use super::form::TextForm;
use super::number::{Numeral, PlainNumber, is_faithful_double};
use super::parse::is_not_finite;
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
    /// The most of them that count: zeros at the end do not.
    exact_scale: u32,
    /// The smallest and the largest integer of 64 bits, and 0.
    least: i64,
    most: i64,
    beyond_int64: bool,
    beyond_uint64: bool,
    /// Some number is not what a double can stand for.
    beyond_double: bool,
    /// The most digits after a second.
    second_digits: u8,
    /// The most of them that count.
    exact_second_digits: u8,
    /// Some date or timestamp does not fit 64 bits of nanoseconds.
    beyond_nanoseconds: bool,
}

/// What one value is, as far as its text shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TextKind {
    Bool,
    Number,
    Time,
    /// `007`, `+1`, `5.`: a number only beside numbers that are known.
    LooseNumber,
    Text,
}

impl TextKind {
    /// In the order of their numbers.
    pub const ALL: [TextKind; 5] = [
        TextKind::Bool,
        TextKind::Number,
        TextKind::Time,
        TextKind::LooseNumber,
        TextKind::Text,
    ];
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
    const TIMES: u8 = Kinds::DATE | Kinds::NAIVE | Kinds::ZONED;
    const TEXT: u8 = 64;
    /// `+1`, `007`, `5.`: read as numbers only where the other side says that they are.
    const LOOSE: u8 = 128;
}

impl Guess {
    /// Takes a value in; NULLs are not to be shown.
    pub fn observe(&mut self, text: &str) {
        if self.kinds.0 & Kinds::TEXT != 0 {
            return;
        }
        if !self.observe_plain_number(text.as_bytes()) {
            self.observe_any(text);
        }
    }

    /// Takes in a number that is written as most are. Says whether it was one; else nothing has changed.
    pub fn observe_plain_number(&mut self, text: &[u8]) -> bool {
        let Some(number) = PlainNumber::read(text) else { return false };
        self.kinds.0 |= Kinds::NUMBER;
        self.integer_digits = self.integer_digits.max(number.integer_digits());
        self.scale = self.scale.max(number.scale());
        if number.scale() > self.exact_scale {
            self.exact_scale = self.exact_scale.max(number.exact_scale());
        }
        match number.scaled(0, 18) {
            Some(whole) => self.observe_int64(whole),
            None => (self.beyond_int64, self.beyond_uint64) = (true, true),
        }
        true
    }

    /// Takes in a day that is written as most are, and not far from today. Says whether it was one; else nothing has changed.
    pub fn observe_plain_day(&mut self, text: &[u8]) -> bool {
        let [a, b, c, d, b'-', e, f, b'-', g, h] = text else { return false };
        let digits = [a, b, c, d, e, f, g, h].map(|byte| byte.wrapping_sub(b'0'));
        let two = |at: usize| 10 * u32::from(digits[at]) + u32::from(digits[at + 1]);
        let (year, month, day) = (100 * two(0) + two(2), two(4), two(6));
        // Every month has 28 days, and 64 bits of nanoseconds hold these years.
        let is_plain =
            digits.iter().all(|digit| *digit < 10) && (1700..2200).contains(&year) && (1..=12).contains(&month) && (1..=28).contains(&day);
        if is_plain {
            self.kinds.0 |= Kinds::DATE;
        }
        is_plain
    }

    /// Takes in a value of a file that writes numbers and dates in a form of its own.
    pub fn observe_in(&mut self, text: &str, form: &TextForm) {
        match form.usual(text) {
            Some(usual) => self.observe(&usual),
            None => self.observe_text(),
        }
    }

    /// Takes in a value that is mere text.
    pub fn observe_text(&mut self) {
        *self = Guess {
            kinds: Kinds(Kinds::TEXT),
            ..Guess::default()
        };
    }

    /// What is known of values that are bools.
    pub fn of_bools() -> Guess {
        Guess {
            kinds: Kinds(Kinds::BOOL),
            ..Guess::default()
        }
    }

    /// The same values where they are text and can never be a number or a bool, as in JSON. `NaN` and the infinities, which JSON cannot
    /// write as numbers, wait for a number beside them.
    #[must_use]
    pub fn of_texts(&self) -> Guess {
        let is_time = self.kinds.0 & !Kinds::TIMES == 0;
        if is_time || self.is_not_finite() {
            return *self;
        }
        let mut text = Guess::default();
        text.observe_text();
        text
    }

    /// The kind of the one value that was taken in.
    pub fn kind(&self) -> TextKind {
        match self.kinds.0 {
            Kinds::BOOL => TextKind::Bool,
            Kinds::NUMBER | Kinds::NOT_FINITE => TextKind::Number,
            Kinds::DATE | Kinds::NAIVE | Kinds::ZONED => TextKind::Time,
            Kinds::LOOSE => TextKind::LooseNumber,
            _ => TextKind::Text,
        }
    }

    /// Nothing but `NaN` and infinities.
    pub fn is_not_finite(&self) -> bool {
        self.kinds.0 == Kinds::NOT_FINITE
    }

    /// Times with a zone, and times or dates without one.
    pub fn mixes_zones(&self) -> bool {
        let is = |kind: u8| self.kinds.0 & kind != 0;
        is(Kinds::ZONED) && is(Kinds::NAIVE | Kinds::DATE) && !is(Kinds::TEXT)
    }

    pub fn is_empty(&self) -> bool {
        self.kinds.0 == 0
    }

    pub fn merge(&mut self, other: &Guess) {
        self.kinds.0 |= other.kinds.0;
        self.exact_scale = self.exact_scale.max(other.exact_scale);
        self.least = self.least.min(other.least);
        self.most = self.most.max(other.most);
        self.beyond_uint64 |= other.beyond_uint64;
        self.exact_second_digits = self.exact_second_digits.max(other.exact_second_digits);
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
        const NAIVE_AND_ZONED: u8 = Kinds::NAIVE | Kinds::ZONED;
        match self.kinds.0 {
            0 => ValueType::Null,
            Kinds::BOOL => ValueType::Bool,
            Kinds::NUMBER => self.number(),
            NUMBER_AND_NOT_FINITE if !self.beyond_double => ValueType::DOUBLE,
            Kinds::DATE => ValueType::Date,
            Kinds::NAIVE | DATE_AND_NAIVE => self.timestamp(false),
            // The same instants may be written either way: a time without a zone is one of UTC, with a warning.
            Kinds::ZONED | NAIVE_AND_ZONED => self.timestamp(true),
            // A date among zoned timestamps has no zone: as text, nobody takes it for midnight UTC.
            _ => ValueType::Text,
        }
    }

    /// The type beside a column of the other side whose type is known: of its kind, and as wide as the values need. Where the values are of
    /// another kind it is that type, and reading names the first that does not parse.
    pub fn beside(&self, known: &ValueType) -> ValueType {
        let kinds = self.kinds.0 & !Kinds::LOOSE | if self.kinds.0 & Kinds::LOOSE == 0 { 0 } else { Kinds::NUMBER };
        let found = match known {
            ValueType::Null => Some(self.result()),
            ValueType::Int { bits, signed } => self.beside_int(kinds, *bits, *signed),
            // 64 bits with and without a sign: 20 digits hold both.
            ValueType::Mixed(inside) if matches!(**inside, ValueType::Int { .. }) => self.beside_decimal(kinds, 20, 0),
            ValueType::Decimal { precision, scale } => self.beside_decimal(kinds, *precision, *scale),
            // Beside a double every integer compares exactly.
            ValueType::Float { bits: 64 } if kinds == Kinds::NUMBER && self.beyond_double && self.is_int64() => Some(ValueType::INT64),
            ValueType::Date if kinds & !Kinds::TIMES == 0 && kinds != 0 => Some(self.beside_time(kinds, None)),
            ValueType::Timestamp { unit, .. } if kinds & !Kinds::TIMES == 0 && kinds != 0 => Some(self.beside_time(kinds, Some(*unit))),
            ValueType::Bool
            | ValueType::Float { .. }
            | ValueType::Text
            | ValueType::Binary
            | ValueType::Date
            | ValueType::Timestamp { .. }
            | ValueType::Time { .. }
            | ValueType::Duration { .. }
            | ValueType::Interval
            | ValueType::List(_)
            | ValueType::Struct(_)
            | ValueType::Map(_, _)
            | ValueType::Mixed(_) => None,
        };
        found.filter(|t| *t != ValueType::Text).unwrap_or_else(|| known.clone())
    }

    /// Whether `beside` needs to know the values.
    pub fn is_asked_beside(known: &ValueType) -> bool {
        match known {
            ValueType::Null
            | ValueType::Int { .. }
            | ValueType::Decimal { .. }
            | ValueType::Float { bits: 64 }
            | ValueType::Date
            | ValueType::Timestamp { .. } => true,
            ValueType::Mixed(inside) => matches!(**inside, ValueType::Int { .. }),
            ValueType::Bool
            | ValueType::Float { .. }
            | ValueType::Text
            | ValueType::Binary
            | ValueType::Time { .. }
            | ValueType::Duration { .. }
            | ValueType::Interval
            | ValueType::List(_)
            | ValueType::Struct(_)
            | ValueType::Map(_, _) => false,
        }
    }

    fn is_int64(&self) -> bool {
        self.exact_scale == 0 && !self.beyond_int64
    }

    fn beside_int(&self, kinds: u8, bits: u8, signed: bool) -> Option<ValueType> {
        match kinds {
            Kinds::NUMBER if self.exact_scale > 0 => Some(self.number()),
            Kinds::NUMBER => Some(self.narrowest_int(bits, signed)),
            _ if kinds & !(Kinds::NUMBER | Kinds::NOT_FINITE) == 0 && kinds != 0 && !self.beyond_double => Some(ValueType::DOUBLE),
            _ => None,
        }
    }

    /// The integer type itself if it holds every value, else a wider one.
    fn narrowest_int(&self, bits: u8, signed: bool) -> ValueType {
        let (least, most) = match (bits, signed) {
            (64, true) => (i64::MIN, i64::MAX),
            (64, false) => (0, i64::MAX),
            (bits, true) => (-1_i64 << (bits - 1), (1_i64 << (bits - 1)) - 1),
            (bits, false) => (0, (1_i64 << bits) - 1),
        };
        let is_uint64 = !self.beyond_uint64 && self.least == 0;
        if !self.beyond_int64 && self.least >= least && self.most <= most {
            ValueType::Int { bits, signed }
        } else if !self.beyond_int64 {
            ValueType::INT64
        } else if is_uint64 {
            ValueType::Int { bits: 64, signed: false }
        } else {
            self.number()
        }
    }

    fn beside_decimal(&self, kinds: u8, precision: u8, scale: i8) -> Option<ValueType> {
        if kinds != Kinds::NUMBER || scale < 0 {
            return None;
        }
        let scale_needed = self.exact_scale.max(scale as u32);
        let digits = self.integer_digits.max(u32::from(precision) - scale as u32) + scale_needed;
        (digits <= u32::from(MAX_DIGITS)).then_some(ValueType::Decimal {
            precision: digits as u8,
            scale: scale_needed as i8,
        })
    }

    /// A date, or a time whose zone is that of the values: where it differs from the other side's, meeting them says so.
    fn beside_time(&self, kinds: u8, known: Option<TimeUnit>) -> ValueType {
        if kinds == Kinds::DATE && known.is_none() {
            return ValueType::Date;
        }
        let needed = unit_of(self.exact_second_digits);
        let finest = known.map_or(needed, |known| known.max(needed));
        let unit = if finest == TimeUnit::Nanosecond && needed < finest && self.beyond_nanoseconds {
            TimeUnit::Microsecond
        } else {
            finest
        };
        ValueType::Timestamp {
            unit,
            zoned: kinds & Kinds::ZONED != 0,
        }
    }

    /// Whether more values cannot change the result any more.
    pub fn is_text(&self) -> bool {
        self.kinds.0 & Kinds::TEXT != 0
    }

    fn observe_any(&mut self, text: &str) {
        if let Some(numeral) = Numeral::scan(text) {
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
            self.observe_text();
        }
    }

    fn observe_number(&mut self, numeral: &Numeral<'_>, text: &str) {
        self.kinds.0 |= if numeral.is_canonical() { Kinds::NUMBER } else { Kinds::LOOSE };
        self.integer_digits = self.integer_digits.max(numeral.integer_digits());
        self.scale = self.scale.max(numeral.scale());
        self.exact_scale = self.exact_scale.max(numeral.exact_scale());
        let whole = numeral.to_i128(0, 20).ok();
        match whole.map(i64::try_from) {
            Some(Ok(value)) => self.observe_int64(value),
            Some(Err(_)) | None => self.beyond_int64 = true,
        }
        self.beyond_uint64 |= !whole.is_some_and(|value| value <= i128::from(u64::MAX) && value >= i128::from(i64::MIN));
        self.beyond_double |= !self.beyond_double && !is_faithful_double(numeral, text);
    }

    fn observe_int64(&mut self, value: i64) {
        self.least = self.least.min(value);
        self.most = self.most.max(value);
    }

    fn observe_timestamp(&mut self, reading: &Reading) {
        self.kinds.0 |= if reading.zoned { Kinds::ZONED } else { Kinds::NAIVE };
        self.second_digits = self.second_digits.max(reading.digits);
        self.exact_second_digits = self.exact_second_digits.max(exact_digits(reading.nanoseconds));
        self.beyond_nanoseconds |= !fits_nanoseconds(reading.seconds, reading.nanoseconds);
    }

    /// Text decides; the rest is forgotten so that equal results are equal guesses.
    fn forget_if_text(&mut self) {
        if self.kinds.0 & Kinds::TEXT != 0 {
            self.observe_text();
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
        match unit_of(self.second_digits) {
            TimeUnit::Nanosecond if self.beyond_nanoseconds => ValueType::Text,
            unit => ValueType::Timestamp { unit, zoned },
        }
    }
}

/// The coarsest unit that keeps so many digits of a second.
fn unit_of(second_digits: u8) -> TimeUnit {
    match second_digits {
        0 => TimeUnit::Second,
        1..=3 => TimeUnit::Millisecond,
        4..=6 => TimeUnit::Microsecond,
        _ => TimeUnit::Nanosecond,
    }
}

/// Digits of a second's fraction, without zeros at the end.
fn exact_digits(nanoseconds: u32) -> u8 {
    let (mut digits, mut rest) = (9, nanoseconds);
    while digits > 0 && rest.is_multiple_of(10) {
        (digits, rest) = (digits - 1, rest / 10);
    }
    digits
}

fn fits_nanoseconds(seconds: i64, nanoseconds: u32) -> bool {
    i64::try_from(i128::from(seconds) * 1_000_000_000 + i128::from(nanoseconds)).is_ok()
}

#[cfg(test)]
mod tests;
