//! Lengths of time as a spec writes them: `1s`, `1.5h`, `1h 30m`.

use crate::error::{Error, Result};
use crate::value::Number;
use serde::{Deserialize, Serialize};

/// A length of time that is not negative, in nanoseconds: at most 584 years. Stored as its nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Duration(u64);

/// Nanoseconds of each unit, the largest first.
const UNITS: [(&str, u64); 5] = [
    ("d", 86_400_000_000_000),
    ("h", 3_600_000_000_000),
    ("m", 60_000_000_000),
    ("s", 1_000_000_000),
    ("ms", 1_000_000),
];

impl Duration {
    pub const fn from_nanoseconds(nanoseconds: u64) -> Self {
        Duration(nanoseconds)
    }

    pub const fn nanoseconds(self) -> u64 {
        self.0
    }

    /// Reads `1s`, `1.5h` or `1h 30m`.
    pub fn parse(text: &str) -> Result<Self> {
        let malformed =
            || Error::spec(format!("`{text}` is not a duration")).advice("write a number and one of ms, s, m, h, d, such as 1.5s");
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
            let (_, unit_ns) = UNITS.into_iter().find(|(name, _)| *name == unit).ok_or_else(malformed)?;
            let length = Number::parse(number).ok_or_else(malformed)?.mul(&Number::from_int(unit_ns.into()));
            let length = length.to_i128().and_then(|ns| u64::try_from(ns).ok());
            total += length.map(u128::from).ok_or_else(|| {
                Error::spec(format!("`{text}` is too long or finer than a nanosecond")).advice("write a duration of at most 584 years")
            })?;
            rest = after.trim_start();
        }
        let total = u64::try_from(total);
        total
            .map(Duration)
            .map_err(|_| Error::spec(format!("`{text}` is too long")).advice("write a duration of at most 584 years"))
    }

    /// As [`Duration::parse`], in whole milliseconds.
    pub fn parse_ms(text: &str) -> Result<u64> {
        let Duration(ns) = Duration::parse(text)?;
        if ns.is_multiple_of(1_000_000) {
            Ok(ns / 1_000_000)
        } else {
            Err(Error::spec(format!("`{text}` is finer than a millisecond")).advice("write whole milliseconds"))
        }
    }
}

/// In the largest unit in which it is whole.
impl std::fmt::Display for Duration {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Duration(ns) = *self;
        match UNITS.iter().find(|(_, unit)| ns.is_multiple_of(*unit)) {
            _ if ns == 0 => f.write_str("0s"),
            Some((name, unit)) => write!(f, "{}{name}", ns / unit),
            None => write!(f, "{}ms", Number::new(ns.into(), 6).normalized()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_and_printed() {
        for (text, wanted, printed) in [
            ("1s", Ok(1_000_000_000), "1s"),
            ("500ms", Ok(500_000_000), "500ms"),
            ("2m", Ok(120_000_000_000), "2m"),
            ("1h", Ok(3_600_000_000_000), "1h"),
            ("3d", Ok(259_200_000_000_000), "3d"),
            ("24h", Ok(86_400_000_000_000), "1d"),
            ("1.5s", Ok(1_500_000_000), "1500ms"),
            ("0.000001ms", Ok(1), "0.000001ms"),
            ("1.25ms", Ok(1_250_000), "1.25ms"),
            ("1h30m", Ok(5_400_000_000_000), "90m"),
            ("1h 30 m", Ok(5_400_000_000_000), "90m"),
            ("0s", Ok(0), "0s"),
            ("0.0000001ms", Err("finer than a nanosecond"), ""),
            ("999999d", Err("too long"), ""),
            ("200000d 200000d", Err("too long"), ""),
            ("1", Err("not a duration"), ""),
            ("s", Err("not a duration"), ""),
            ("1us", Err("not a duration"), ""),
            ("1S", Err("not a duration"), ""),
            ("-1s", Err("not a duration"), ""),
            ("1.2.3s", Err("not a duration"), ""),
            ("", Err("not a duration"), ""),
            ("1s!", Err("not a duration"), ""),
        ] {
            match (Duration::parse(text), wanted) {
                (Ok(found), Ok(ns)) => assert_eq!((found.nanoseconds(), found.to_string().as_str()), (ns, printed), "{text}"),
                (Err(found), Err(part)) => assert!(found.to_string().contains(part), "{text}: {found}"),
                (found, wanted) => panic!("{text}: {found:?} where {wanted:?} was wanted"),
            }
        }
        assert_eq!(Duration::parse_ms("1.5s"), Ok(1500));
        assert!(Duration::parse_ms("0.5ms").is_err_and(|why| why.what.contains("finer than a millisecond")));
    }
}
