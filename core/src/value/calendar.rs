//! The calendar: days and clock readings of the proleptic Gregorian calendar as ISO 8601 writes them.
//!
//! What is read lies in years 0001 to 9999; what is printed may lie in any.

use serde::{Deserialize, Serialize};
use std::fmt;

/// A day, as days since 1970-01-01.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Day(pub i32);

impl Day {
    /// Reads `YYYY-MM-DD`; `None` if the text is not of this form or names a day that no calendar has.
    pub fn parse(text: &str) -> Option<Day> {
        read_date(text).map(Day)
    }

    /// The day in UTC of a moment, by its seconds since 1970.
    pub fn of_seconds(seconds: i64) -> Day {
        Day(seconds.div_euclid(SECONDS_OF_A_DAY) as i32)
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_date(self.0.into(), f)
    }
}

pub(super) const SECONDS_OF_A_DAY: i64 = 86_400;

/// Nanoseconds of a day.
pub const DAY_NS: i128 = SECONDS_OF_A_DAY as i128 * SECOND_NS;
pub const SECOND_NS: i128 = 1_000_000_000;

/// Days from 1970-01-01 to a day; `None` if there is no such day.
pub(super) fn days_from_date(year: i32, month: u32, day: u32) -> Option<i32> {
    if !(1..=9999).contains(&year) || !(1..=12).contains(&month) || day < 1 || day > days_in_month(year, month) {
        return None;
    }
    Some(days_before_year(year) + days_before_month(year, month) + day as i32 - 1 - DAYS_BEFORE_1970)
}

/// Writes the day of a count of days since 1970-01-01: years beyond 9999 carry a `+`, years before 0 a `-`.
pub(super) fn write_date(days: i64, out: &mut impl fmt::Write) -> fmt::Result {
    let (year, month, day) = date_from_days(days);
    match year {
        0..=9999 => write!(out, "{year:04}-{month:02}-{day:02}"),
        10_000.. => write!(out, "+{year}-{month:02}-{day:02}"),
        _ => write!(out, "-{:04}-{month:02}-{day:02}", -year),
    }
}

/// Year, month and day of a count of days since 1970-01-01, any year.
fn date_from_days(days: i64) -> (i64, i64, i64) {
    // Years that begin in March put the leap day last; 400 of them have 146 097 days. 719 468 days lie between 0000-03-01 and 1970-01-01.
    let since = days + 719_468;
    let (cycle, day) = (since.div_euclid(146_097), since.rem_euclid(146_097));
    // Take out the leap days that lie behind (one in 4 years, not in 100, again in 400): what is left has 365 days a year.
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let of_year = day - (365 * year + year / 4 - year / 100);
    // From March on, five months have 153 days.
    let month = (5 * of_year + 2) / 153;
    let of_month = of_year - (153 * month + 2) / 5 + 1;
    let after_new_year = month >= 10;
    (
        cycle * 400 + year + i64::from(after_new_year),
        if after_new_year { month - 9 } else { month + 3 },
        of_month,
    )
}

/// Days from 0001-01-01 to 1970-01-01.
const DAYS_BEFORE_1970: i32 = 719_162;

fn is_leap(year: i32) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

fn days_before_year(year: i32) -> i32 {
    let past = year - 1;
    past * 365 + past / 4 - past / 100 + past / 400
}

fn days_before_month(year: i32, month: u32) -> i32 {
    const BEFORE: [i32; 12] = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334];
    BEFORE[month as usize - 1] + i32::from(month > 2 && is_leap(year))
}

fn days_in_month(year: i32, month: u32) -> u32 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 => 28 + u32::from(is_leap(year)),
        _ => 31,
    }
}

/// A clock reading: seconds since midnight or since 1970-01-01T00:00:00, and what is written of a second's fraction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reading {
    pub seconds: i64,
    /// 0 to 999 999 999.
    pub nanoseconds: u32,
    /// Digits written after the point, 0 to 9.
    pub digits: u8,
    /// With an offset from UTC; `seconds` then count in UTC.
    pub zoned: bool,
}

/// Reads `YYYY-MM-DD` as days since 1970-01-01.
pub(super) fn read_date(text: &str) -> Option<i32> {
    let b = text.as_bytes();
    if b.len() != 10 || b[4] != b'-' || b[7] != b'-' {
        return None;
    }
    days_from_date(number(&b[..4])? as i32, number(&b[5..7])?, number(&b[8..])?)
}

/// Reads `HH:MM[:SS[.fraction]]`.
pub(super) fn read_time(text: &str) -> Option<Reading> {
    let (reading, rest) = clock(text.as_bytes())?;
    rest.is_empty().then_some(reading)
}

/// Reads a date, `T` or one blank, a time and perhaps a zone (`Z`, `+03:00`, `+0300`, `+03`).
pub fn read_timestamp(text: &str) -> Option<Reading> {
    if !matches!(text.as_bytes().get(10)?, b'T' | b' ') {
        return None;
    }
    let days = read_date(text.get(..10)?)?;
    let (time, zone) = clock(&text.as_bytes()[11..])?;
    let seconds = i64::from(days) * SECONDS_OF_A_DAY + time.seconds - offset(zone)?;
    // An offset may lead out of the years that can be written.
    let can_be_written = -i64::from(DAYS_BEFORE_1970)..i64::from(days_before_year(10_000) - DAYS_BEFORE_1970);
    if !can_be_written.contains(&seconds.div_euclid(SECONDS_OF_A_DAY)) {
        return None;
    }
    Some(Reading {
        seconds,
        zoned: !zone.is_empty(),
        ..time
    })
}

fn number(digits: &[u8]) -> Option<u32> {
    digits
        .iter()
        .try_fold(0, |sum: u32, byte| byte.is_ascii_digit().then(|| sum * 10 + u32::from(byte - b'0')))
}

fn two(bytes: &[u8], limit: u32) -> Option<u32> {
    number(bytes.get(..2)?).filter(|n| *n < limit)
}

/// Reads a time of day from the front and gives what follows it.
fn clock(bytes: &[u8]) -> Option<(Reading, &[u8])> {
    let (hour, minute) = (two(bytes, 24)?, two(bytes.get(3..)?, 60)?);
    if bytes[2] != b':' {
        return None;
    }
    let (second, rest) = match bytes.get(5) {
        Some(b':') => (two(&bytes[6..], 60)?, &bytes[8..]),
        _ => (0, &bytes[5..]),
    };
    let (fraction, rest) = match (bytes.get(5), rest.first()) {
        (Some(b':'), Some(b'.')) => {
            let digits = rest[1..].iter().take_while(|b| b.is_ascii_digit()).count();
            (rest.get(1..1 + digits).filter(|f| (1..=9).contains(&f.len()))?, &rest[1 + digits..])
        }
        _ => (&rest[..0], rest),
    };
    let nanoseconds = number(fraction)? * 10_u32.pow(9 - fraction.len() as u32);
    let seconds = i64::from(hour * 3600 + minute * 60 + second);
    Some((
        Reading {
            seconds,
            nanoseconds,
            digits: fraction.len() as u8,
            zoned: false,
        },
        rest,
    ))
}

/// Seconds east of UTC; nothing written is 0.
fn offset(zone: &[u8]) -> Option<i64> {
    let (sign, rest) = match zone.split_first() {
        None | Some((b'Z', [])) => return Some(0),
        Some((b'+', rest)) => (1, rest),
        Some((b'-', rest)) => (-1, rest),
        Some(_) => return None,
    };
    let minutes = match rest.len() {
        2 => 0,
        4 => two(&rest[2..], 60)?,
        5 if rest[2] == b':' => two(&rest[3..], 60)?,
        _ => return None,
    };
    Some(sign * i64::from(two(rest, 19)? * 3600 + minutes * 60))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_day_goes_there_and_back() {
        let first = days_from_date(1, 1, 1).expect("the first day");
        let mut expected = first;
        assert_eq!(days_from_date(1970, 1, 1), Some(0));
        for year in 1..=9999 {
            for month in 1..=12 {
                for day in 1..=days_in_month(year, month) {
                    assert_eq!(days_from_date(year, month, day), Some(expected));
                    assert_eq!(date_from_days(expected.into()), (year.into(), month.into(), day.into()));
                    expected += 1;
                }
            }
        }
        assert_eq!(Day(expected).to_string(), "+10000-01-01");
        assert_eq!(Day(first - 1).to_string(), "0000-12-31");
    }

    #[test]
    fn days_as_text() {
        for (text, days) in [
            ("1970-01-01", Some(0)),
            ("1969-12-31", Some(-1)),
            ("2000-02-29", Some(11_016)),
            ("2026-12-31", Some(20_818)),
            ("0001-01-01", Some(-719_162)),
            ("9999-12-31", Some(2_932_896)),
            ("1900-02-29", None),
            ("2026-02-30", None),
            ("2026-13-01", None),
            ("2026-00-01", None),
            ("2026-01-00", None),
            ("0000-01-01", None),
        ] {
            assert_eq!(Day::parse(text).map(|d| d.0), days, "{text}");
            if let Some(days) = days {
                assert_eq!(Day(days).to_string(), text);
            }
        }
    }

    #[test]
    fn timestamps_as_written() {
        let check = |text: &str, want: Option<(i64, u32, bool)>| {
            assert_eq!(read_timestamp(text).map(|r| (r.seconds, r.nanoseconds, r.zoned)), want, "{text}");
        };
        check("1970-01-01T00:00:00", Some((0, 0, false)));
        check("1970-01-01 00:01", Some((60, 0, false)));
        check("1970-01-01T00:00:01.5Z", Some((1, 500_000_000, true)));
        check("1970-01-01T03:00:00+03:00", Some((0, 0, true)));
        check("1970-01-01T03:00:00+0300", Some((0, 0, true)));
        check("1969-12-31T23:00-01", Some((0, 0, true)));
        check("1970-01-01T00:00:00.123456789", Some((0, 123_456_789, false)));
        check("9999-12-31T23:59:59-01:00", None);
        check("0001-01-01T00:00:00+01:00", None);
        for text in [
            "1970-01-01",
            "1970-01-01T",
            "1970-02-29T00:00:00",
            "1970-01-01T24:00:00",
            "1970-01-01T00:00:60",
            "1970-01-01  00:00:00",
        ] {
            check(text, None);
        }
        for text in [
            "1970-01-01T00:00:00.",
            "1970-01-01T00:00:00.1234567890",
            "1970-01-01T00:00:00 Z",
            "1970-01-01T00:00:00+3",
            "1970-1-01T00:00:00",
        ] {
            check(text, None);
        }
        check("1970-01-0éT00:00:00", None);
    }
}
