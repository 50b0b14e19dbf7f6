//! How a text file writes its numbers and dates, where it does not write them as `1.5` and `2026-12-31`.
//!
//! A form takes the place of the usual one: with a decimal comma `1.5` is not a number, with `%d.%m.%Y` `2026-12-31` is not a date.
//! So no text has two readings, and nothing is guessed.

use super::calendar::{days_from_date, read_date, read_timestamp};
use super::number::Numeral;
use super::parse::{BadValue, parse_into};
use super::types::ValueType;
use crate::error::{Error, Result};
use arrow_array::{ArrayRef, StringArray};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// The form of numbers, dates and times in a text file; the default is the usual one.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct TextForm {
    /// `1,5` instead of `1.5`.
    pub decimal_comma: bool,
    /// Of days alone.
    pub date: Option<DateForm>,
    /// Of days with a time of day.
    pub time: Option<DateForm>,
}

/// A pattern of `%Y`, `%m`, `%d`, `%H`, `%M` and `%S`, with other characters as they are. A year has four digits, the others one or two.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DateForm(String);

impl DateForm {
    /// The error says what is wrong with the pattern.
    pub fn parse(pattern: &str) -> Result<DateForm> {
        let mut seen = String::new();
        let mut characters = pattern.chars();
        while let Some(character) = characters.next() {
            if character != '%' {
                continue;
            }
            match characters.next() {
                Some(part @ ('Y' | 'm' | 'd' | 'H' | 'M' | 'S')) if !seen.contains(part) => seen.push(part),
                Some(part @ ('Y' | 'm' | 'd' | 'H' | 'M' | 'S')) => {
                    return Err(Error::spec(format!("`{pattern}` has %{part} twice")).advice("write each part once"));
                }
                Some('y') => {
                    return Err(
                        Error::spec(format!("`{pattern}`: %y is a year without its century, which would be a guess")).advice("known is %Y"),
                    );
                }
                Some(part) => {
                    return Err(Error::spec(format!("`{pattern}`: %{part} is not known")).advice("known are %Y, %m, %d, %H, %M and %S"));
                }
                None => return Err(Error::spec(format!("`{pattern}` ends in %")).advice("write %Y, %m, %d, %H, %M or %S")),
            }
        }
        let has = |parts: &str| parts.chars().all(|part| seen.contains(part));
        let clock = if seen.contains('S') { "HMS" } else { "HM" };
        if !has("Ymd") {
            return Err(Error::spec(format!("`{pattern}` does not say a whole day")).advice("write %Y, %m and %d, such as %d.%m.%Y"));
        }
        if (seen.contains('H') || seen.contains('M') || seen.contains('S')) && !has(clock) {
            return Err(
                Error::spec(format!("`{pattern}` does not say a whole time")).advice("write %H and %M, and %S where there are seconds")
            );
        }
        Ok(DateForm(pattern.to_owned()))
    }

    pub fn has_time(&self) -> bool {
        self.0.contains("%H")
    }

    pub fn pattern(&self) -> &str {
        &self.0
    }

    /// The text as ISO writes it: `2026-12-31`, or `2026-12-31T23:59:59`.
    fn read(&self, text: &str) -> Option<String> {
        let (mut parts, mut rest) = ([0_u32; 6], text);
        let mut pattern = self.0.chars();
        while let Some(character) = pattern.next() {
            if character != '%' {
                rest = rest.strip_prefix(character)?;
                continue;
            }
            let (place, least, most) = match pattern.next()? {
                'Y' => (0, 4, 4),
                'm' => (1, 1, 2),
                'd' => (2, 1, 2),
                'H' => (3, 1, 2),
                'M' => (4, 1, 2),
                _ => (5, 1, 2),
            };
            let digits = rest.bytes().take(most).take_while(u8::is_ascii_digit).count();
            if digits < least {
                return None;
            }
            parts[place] = rest[..digits].parse().ok()?;
            rest = &rest[digits..];
        }
        let [year, month, day, hour, minute, second] = parts;
        days_from_date(year as i32, month, day)?;
        if !rest.is_empty() || hour > 23 || minute > 59 || second > 59 {
            return None;
        }
        let date = format!("{year:04}-{month:02}-{day:02}");
        Some(if self.has_time() {
            format!("{date}T{hour:02}:{minute:02}:{second:02}")
        } else {
            date
        })
    }
}

impl TextForm {
    pub fn is_usual(&self) -> bool {
        *self == TextForm::default()
    }

    /// A value of unknown kind in the usual form; `None` for what is a number or a date in the usual form alone, which here is mere text.
    /// Digits alone are a number: that they are a date only a declared type can say.
    pub fn usual<'a>(&self, text: &'a str) -> Option<Cow<'a, str>> {
        if self.is_usual() || text.bytes().all(|byte| byte.is_ascii_digit()) {
            return Some(Cow::Borrowed(text));
        }
        if let Some(iso) = self.forms().find_map(|form| form.read(text)) {
            return Some(Cow::Owned(iso));
        }
        if self.other_form(text).is_some() {
            None
        } else {
            self.usual_number(text)
        }
    }

    /// The forms of days and of times.
    fn forms(&self) -> impl Iterator<Item = &DateForm> {
        self.date.iter().chain(&self.time)
    }

    /// The form that a date or a time should have which is written as ISO does.
    fn other_form(&self, text: &str) -> Option<&DateForm> {
        let time = self.time.as_ref().filter(|_| read_timestamp(text).is_some());
        time.or_else(|| self.date.as_ref().filter(|_| read_date(text).is_some()))
    }

    fn usual_number<'a>(&self, text: &'a str) -> Option<Cow<'a, str>> {
        if !self.decimal_comma {
            return Some(Cow::Borrowed(text));
        }
        if text.contains('.') {
            return Numeral::scan(text).is_none().then_some(Cow::Borrowed(text));
        }
        let usual = text.replacen(',', ".", 1);
        let is_number = usual.len() == text.len() && Numeral::scan(&usual).is_some();
        Some(if is_number { Cow::Owned(usual) } else { Cow::Borrowed(text) })
    }

    /// A value of `target` in the usual form.
    fn usual_as<'a>(&self, text: &'a str, target: &ValueType) -> Result<Cow<'a, str>, String> {
        let borrowed = Ok(Cow::Borrowed(text));
        match target {
            ValueType::Int { .. } | ValueType::Decimal { .. } | ValueType::Float { .. } => self
                .usual_number(text)
                .ok_or_else(|| "has a decimal point, but `csv.decimal` is a comma".to_owned()),
            ValueType::Date => match &self.date {
                Some(form) => form.read(text).map(Cow::Owned).ok_or_else(|| form.is_not()),
                None => borrowed,
            },
            ValueType::Timestamp { .. } => match (self.forms().find_map(|form| form.read(text)), self.other_form(text), &self.time) {
                (Some(iso), _, _) => Ok(Cow::Owned(iso)),
                (None, Some(form), _) => Err(form.is_not()),
                // A date may stand among times, in the usual form if it has no other.
                (None, None, Some(form)) if read_date(text).is_none() => Err(form.is_not()),
                (None, None, _) => borrowed,
            },
            ValueType::Mixed(inside) => self.usual_as(text, inside),
            ValueType::Null
            | ValueType::Bool
            | ValueType::Text
            | ValueType::Binary
            | ValueType::Time { .. }
            | ValueType::Duration { .. }
            | ValueType::Interval
            | ValueType::List(_)
            | ValueType::Struct(_)
            | ValueType::Map(_, _) => borrowed,
        }
    }

    /// Reads every text as [`parse_into`] does, numbers and dates in this form.
    pub fn parse_into(&self, texts: &StringArray, target: &ValueType) -> Result<ArrayRef, BadValue> {
        if self.is_usual() {
            return parse_into(texts, target);
        }
        let usual = texts.iter().enumerate().map(|(row, text)| {
            let usual = text.map(|text| self.usual_as(text, target).map_err(|why| BadValue::new(row, text, why)));
            usual.transpose()
        });
        let usual: StringArray = usual.collect::<Result<Vec<_>, _>>()?.into_iter().collect();
        parse_into(&usual, target).map_err(|bad| BadValue::new(bad.row, texts.value(bad.row), bad.why))
    }
}

impl DateForm {
    fn is_not(&self) -> String {
        let what = if self.has_time() { "time" } else { "date" };
        format!("is not a {what} written as `{}`", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::{Guess, print, value_at};

    fn form(decimal_comma: bool, patterns: &[&str]) -> TextForm {
        let forms = patterns.iter().map(|pattern| DateForm::parse(pattern).expect(pattern));
        let (time, date): (Vec<DateForm>, Vec<DateForm>) = forms.partition(DateForm::has_time);
        TextForm {
            decimal_comma,
            date: date.into_iter().next(),
            time: time.into_iter().next(),
        }
    }

    #[test]
    fn patterns() {
        for (pattern, wrong) in [
            ("%d.%m.%y", "would be a guess"),
            ("%d.%m", "a whole day"),
            ("%d.%m.%Y %H", "a whole time"),
            ("%d.%m.%Y %d", "twice"),
            ("%d.%b.%Y", "%b is not known"),
            ("%d.%m.%Y%", "ends in %"),
        ] {
            let error = DateForm::parse(pattern).expect_err(pattern);
            assert!(error.to_string().contains(wrong), "{pattern}: {error}");
        }
    }

    #[test]
    fn what_a_column_is_guessed_to_be() {
        let check = |form: &TextForm, values: &[&str], want: &str| {
            let mut guess = Guess::default();
            values.iter().for_each(|value| guess.observe_in(value, form));
            assert_eq!(guess.result().to_string(), want, "{values:?}");
        };
        let comma = form(true, &[]);
        check(&comma, &["1,5", "-2", "0,25"], "decimal(3,2)");
        check(&comma, &["1,234"], "decimal(4,3)");
        check(&comma, &["1.5"], "text");
        check(&comma, &["1.234,50"], "text");
        check(&comma, &["1,2,3"], "text");
        check(&comma, &["007,5"], "text");
        check(&comma, &["2026-01-01"], "date");
        let german = form(false, &["%d.%m.%Y", "%d.%m.%Y %H:%M"]);
        check(&german, &["31.12.2026", "1.2.2026"], "date");
        check(&german, &["31.12.2026", "1.2.2026 23:59"], "timestamp(s)");
        check(&german, &["12.31.2026"], "text");
        check(&german, &["29.02.2026"], "text");
        check(&german, &["31.12.26"], "text");
        check(&german, &["2026-12-31"], "text");
        check(&german, &["2026-12-31T00:00:00"], "text");
        check(&german, &["1.5"], "decimal(2,1)");
        check(&form(false, &["%d.%m.%Y"]), &["2026-12-31T00:00:00Z"], "timestamp(s, UTC)");
        check(&form(false, &["%Y%m%d"]), &["20261231"], "int64");
    }

    #[test]
    fn what_is_guessed_is_read() {
        const VALUES: [&str; 14] = [
            "1",
            "007",
            "1,5",
            "1.5",
            "1e3",
            "NaN",
            "true",
            "x",
            "2026-12-31",
            "2026-12-31T01:02:03",
            "2026-12-31T01:02:03Z",
            "31.12.2026",
            "31.12.2026 1:02",
            "20261231",
        ];
        for (comma, patterns) in [
            (false, &[][..]),
            (true, &[]),
            (true, &["%d.%m.%Y"]),
            (false, &["%d.%m.%Y %H:%M"]),
            (false, &["%d.%m.%Y", "%d.%m.%Y %H:%M"]),
            (false, &["%Y%m%d"]),
        ] {
            let form = form(comma, patterns);
            for (first, second) in VALUES.iter().flat_map(|first| VALUES.iter().map(move |second| (*first, *second))) {
                let mut guess = Guess::default();
                [first, second].iter().for_each(|value| guess.observe_in(value, &form));
                let read = form.parse_into(&StringArray::from(vec![first, second]), &guess.result());
                assert!(read.is_ok(), "{first} and {second} with {form:?} as {}: {read:?}", guess.result());
            }
        }
    }

    #[test]
    fn what_a_declared_type_reads() {
        let check = |form: &TextForm, target: &str, text: &str, want: Result<&str, &str>| {
            let target = ValueType::parse(target).expect(target);
            match (form.parse_into(&StringArray::from(vec![None, Some(text)]), &target), want) {
                (Ok(array), Ok(want)) => {
                    let mut printed = String::new();
                    print(&value_at(array.as_ref(), 1), &mut printed);
                    assert_eq!(printed, want, "{target} {text}");
                }
                (Err(bad), Err(want)) => {
                    assert_eq!((bad.row, bad.text.as_str()), (1, text));
                    assert!(bad.why.contains(want), "{target} {bad}");
                }
                (got, want) => panic!("{target} {text}: got {got:?}, want {want:?}"),
            }
        };
        let comma = form(true, &[]);
        check(&comma, "double", "1,5", Ok("1.5"));
        check(&comma, "int", "3,0", Ok("3"));
        check(&comma, "decimal(5,1)", "1,25", Err("would be rounded"));
        check(&comma, "double", "1.5", Err("has a decimal point"));
        check(&comma, "double", "1.234,5", Err("is not a number"));
        check(&comma, "text", "1,5", Ok("1,5"));
        let german = form(false, &["%d.%m.%Y"]);
        check(&german, "date", "1.2.2026", Ok("2026-02-01"));
        check(&german, "date", "2026-02-01", Err("is not a date written as `%d.%m.%Y`"));
        check(&german, "timestamp(s)", "01.02.2026", Ok("2026-02-01T00:00:00"));
        check(&german, "timestamp(s)", "2026-02-01", Err("is not a date written as"));
        check(&german, "timestamp(s)", "2026-02-01T01:00:00", Ok("2026-02-01T01:00:00"));
        check(&form(false, &["%Y%m%d"]), "date", "20260201", Ok("2026-02-01"));
        check(
            &form(false, &["%d/%m/%Y %H:%M:%S"]),
            "timestamp(s)",
            "1/2/2026 03:04:05",
            Ok("2026-02-01T03:04:05"),
        );
        check(
            &form(false, &["%d/%m/%Y %H:%M:%S"]),
            "timestamp(s)",
            "1/2/2026 24:04:05",
            Err("is not a time written as"),
        );
    }
}
