//! The day or moment that a text certainly says: `2026-11-01`, `20261101`, `1 Nov 2026`, `13/11/2026 5:00 PM`, `2026-11-01 10:00:00 UTC`.
//!
//! A year is written with four digits. Where it stands first, month and day follow; where it stands last, day and month are certain only if one
//! of them is beyond 12 or both are the same: `01/11/2026` says nothing. A text with a zone and one without are never the same moment for sure.

use crate::value::read_timestamp;

const MONTHS: [&str; 12] = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];

/// A day is its midnight.
#[derive(Debug, PartialEq, Eq)]
struct Moment {
    seconds: i64,
    nanoseconds: u32,
    zoned: bool,
}

pub(super) fn say_one_moment(a: &str, b: &str) -> bool {
    read(a).zip(read(b)).is_some_and(|(a, b)| a == b)
}

fn read(text: &str) -> Option<Moment> {
    // Longer texts are none, and are not worth a closer look.
    const LONGEST: usize = 40;
    if text.len() > LONGEST || !text.is_ascii() {
        return None;
    }
    let (date, clock) = match text.find(':') {
        Some(colon) => {
            let (before, minutes) = text.split_at(colon);
            let (date, hour) = before.rsplit_once(['T', ' '])?;
            (date, clock(hour, minutes)?)
        }
        None => (text, "00:00:00".to_owned()),
    };
    let (year, month, day) = day(date)?;
    let reading = read_timestamp(&format!("{year:04}-{month:02}-{day:02}T{clock}"))?;
    Some(Moment {
        seconds: reading.seconds,
        nanoseconds: reading.nanoseconds,
        zoned: reading.zoned,
    })
}

/// A time of day as ISO writes it; `minutes` begins with the colon.
fn clock(hour: &str, minutes: &str) -> Option<String> {
    let mut hour: u32 = number(hour, 2)?;
    let (mut digits, mut zone) = match minutes.find(|c: char| !c.is_ascii_digit() && !matches!(c, ':' | '.')) {
        Some(end) => (&minutes[..end], minutes[end..].trim()),
        None => (minutes, ""),
    };
    digits = digits.trim_end();
    for (half, name) in [(0, "AM"), (12, "PM")] {
        if zone.eq_ignore_ascii_case(name) {
            hour = hour.checked_sub(1).filter(|before| *before < 12).map(|_| hour % 12 + half)?;
            zone = "";
        }
    }
    if matches!(zone, "UTC" | "GMT") {
        zone = "Z";
    }
    Some(format!("{hour:02}{digits}{zone}"))
}

/// Year, month and day.
fn day(text: &str) -> Option<(u32, u32, u32)> {
    if text.len() == 8 && text.bytes().all(|b| b.is_ascii_digit()) {
        return Some((number(&text[..4], 4)?, number(&text[4..6], 2)?, number(&text[6..], 2)?));
    }
    if let [a, b, c] = text.split(['-', '/', '.']).collect::<Vec<_>>()[..]
        && let (Some(b), true) = (number(b, 2), one_sign(text))
    {
        return match (a.len(), c.len()) {
            (4, 1 | 2) => Some((number(a, 4)?, b, number(c, 2)?)),
            (1 | 2, 4) => year_last(number(a, 2)?, b, number(c, 4)?),
            (_, _) => None,
        };
    }
    with_month_name(text)
}

/// Whether all that parts the numbers is the same.
fn one_sign(text: &str) -> bool {
    let mut signs = text.chars().filter(|c| !c.is_ascii_digit());
    let first = signs.next();
    signs.all(|sign| Some(sign) == first)
}

fn year_last(a: u32, b: u32, year: u32) -> Option<(u32, u32, u32)> {
    match (a > 12, b > 12) {
        (true, false) => Some((year, b, a)),
        (false, true) => Some((year, a, b)),
        (false, false) if a == b => Some((year, a, b)),
        (true, true) | (false, false) => None,
    }
}

/// A month by name between a day and a year, in any order.
fn with_month_name(text: &str) -> Option<(u32, u32, u32)> {
    let (mut year, mut month, mut day) = (None, None, None);
    let words = text.split([' ', ',', '-', '/', '.']).filter(|word| !word.is_empty());
    for word in words {
        let place = match word.len() {
            4 if number(word, 4).is_some() => &mut year,
            1 | 2 => &mut day,
            _ => &mut month,
        };
        let known = number(word, 4).or_else(|| month_of(word))?;
        if place.replace(known).is_some() {
            return None;
        }
    }
    Some((year?, month.filter(|_| text.contains(|c: char| c.is_ascii_alphabetic()))?, day?))
}

fn month_of(word: &str) -> Option<u32> {
    let word = word.to_ascii_lowercase();
    let is_month = |name: &&str| word == **name || word == name[..3];
    (1..).zip(MONTHS).find(|(_, name)| is_month(name)).map(|(number, _)| number)
}

/// Digits only, and not more than `most`.
fn number(text: &str, most: usize) -> Option<u32> {
    let fits = (1..=most).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    fits.then(|| text.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_moment_in_two_formats() {
        for (a, b) in [
            ("2026-11-01", "2026/11/01"),
            ("2026-11-01", "20261101"),
            ("2026-11-01", "2026-11-1"),
            ("2026-11-13", "13.11.2026"),
            ("2026-11-13", "11/13/2026"),
            ("13/11/2026", "11/13/2026"),
            ("2026-11-11", "11/11/2026"),
            ("2026-11-01", "1 Nov 2026"),
            ("2026-11-01", "01-NOV-2026"),
            ("2026-05-01", "May 1, 2026"),
            ("2026-11-01", "November 1, 2026"),
            ("2026-11-01", "2026-11-01 00:00:00"),
            ("2026-11-01 10:00", "2026-11-01T10:00:00.000"),
            ("2026-11-01T17:00:00", "1 Nov 2026 5:00 PM"),
            ("2026-11-01T00:30:00", "2026-11-01 12:30:00am"),
            ("2026-11-01T10:00:00Z", "2026-11-01 10:00:00 UTC"),
            ("2026-11-01T10:00:00Z", "2026-11-01T11:00:00+01:00"),
            ("2026-11-01T10:00:00Z", "2026-11-01 10:00:00 +0000"),
        ] {
            assert!(say_one_moment(a, b) && say_one_moment(b, a), "{a} {b}");
        }
    }

    #[test]
    fn what_is_not_certain_is_not_claimed() {
        for (a, b) in [
            ("2026-11-01", "01/11/2026"),
            ("2026-11-01", "11/01/2026"),
            ("2026-11-01", "01.11.2026"),
            ("01/11/2026", "01.11.2026"),
            ("2026-11-01", "01-11-26"),
            ("2026-11-01", "2026-11-02"),
            ("2026-02-30", "2026/02/30"),
            ("2026-11-01T10:00:00", "2026-11-01T10:00:00Z"),
            ("2026-11-01", "2026-11-01T00:00:00Z"),
            ("2026-11-01T13:00:00", "2026-11-01 13:00 PM"),
            ("2026-11-01T10:00:00Z", "2026-11-01 10:00:00 CET"),
            ("2026-11-01", "2026-11/01"),
            ("2026-13-01", "2026/13/01"),
            ("2026-11-01", "1 2026 11"),
            ("2026-11-01", "1 Nov Nov 2026"),
            ("10:00", "10:00:00"),
            ("", ""),
            ("ä:", "ä:"),
        ] {
            assert!(!say_one_moment(a, b) && !say_one_moment(b, a), "{a} {b}");
        }
    }
}
