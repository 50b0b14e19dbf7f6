//! Days as text: `YYYY-MM-DD`, years 0001 to 9999.

use super::model::Day;

/// Days from 0000-03-01 to 1970-01-01.
const EPOCH: i32 = 719_468;

impl Day {
    /// Reads `YYYY-MM-DD`; `None` if the text is not of this form or names a day that no calendar has.
    pub fn parse(text: &str) -> Option<Day> {
        let bytes = text.as_bytes();
        let separated = bytes.len() == 10 && bytes[4] == b'-' && bytes[7] == b'-';
        let digits = bytes.iter().enumerate().all(|(i, c)| i == 4 || i == 7 || c.is_ascii_digit());
        if !separated || !digits {
            return None;
        }
        let (year, month, day) = (text[..4].parse().ok()?, text[5..7].parse().ok()?, text[8..].parse().ok()?);
        (year >= 1 && (1..=12).contains(&month) && day >= 1 && day <= days_in(year, month)).then(|| Day(days_since_epoch(year, month, day)))
    }
}

impl std::fmt::Display for Day {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (year, month, day) = civil(i64::from(self.0));
        write!(f, "{year:04}-{month:02}-{day:02}")
    }
}

fn days_in(year: i32, month: i32) -> i32 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// The year is counted from March, so that the leap day is the last of its year.
fn days_since_epoch(year: i32, month: i32, day: i32) -> i32 {
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let leap_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    let days_before_month = (153 * month + 2) / 5;
    365 * year + leap_days + days_before_month + day - 1 - EPOCH
}

/// The inverse of `days_since_epoch`, for any day.
fn civil(days: i64) -> (i64, i64, i64) {
    let days = days + i64::from(EPOCH);
    let (era, day_of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 {
        month_from_march + 3
    } else {
        month_from_march - 9
    };
    (era * 400 + year_of_era + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_of_the_calendar() {
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
            ("2026-1-1", None),
            ("2026/01/01", None),
            ("+026-01-01", None),
            ("2026-01-01 ", None),
            ("２026-01-1", None),
        ] {
            assert_eq!(Day::parse(text).map(|d| d.0), days, "{text}");
        }
    }

    #[test]
    fn text_and_day_are_one_to_one() {
        for days in (-719_162..=2_932_896).step_by(13) {
            let text = Day(days).to_string();
            assert_eq!(Day::parse(&text), Some(Day(days)), "{text}");
        }
    }
}
