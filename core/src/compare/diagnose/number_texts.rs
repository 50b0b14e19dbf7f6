//! The number that a text certainly says: `1234.5`, `1,234.50`, `1.234,50`, `1 234,5`.
//!
//! A point that stands alone is the decimal point, as everywhere here. A comma that stands alone is a decimal one unless it could just as well
//! part thousands: `1,5` is a number, `1,234` is not certain and says nothing. Nor does a number with zeros in front, which may be a code.

use crate::value::Number;

/// What parts groups of three digits; a comma or a point too, where the other one is the decimal sign.
const BETWEEN_GROUPS: [char; 8] = [',', '.', '\'', '’', ' ', '\u{a0}', '\u{2009}', '\u{202f}'];

pub(super) fn say_one_number(a: &str, b: &str) -> bool {
    read(a).zip(read(b)).is_some_and(|(a, b)| a == b)
}

fn read(text: &str) -> Option<Number> {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let plain = unsigned.split(['e', 'E']).next().unwrap_or_default();
    let number = if plain.bytes().all(|b| b.is_ascii_digit() || b == b'.') && plain.matches('.').count() <= 1 {
        Number::parse(unsigned)?
    } else {
        Number::parse(&without_groups(unsigned)?)?
    };
    let padded = unsigned.len() > 1 && unsigned.starts_with('0') && unsigned.as_bytes()[1].is_ascii_digit();
    (!padded).then(|| if text.starts_with('-') { number.negated() } else { number })
}

/// The digits with a point for the decimal sign and nothing between the groups.
fn without_groups(unsigned: &str) -> Option<String> {
    let mut signs = unsigned.chars().filter(|c| !c.is_ascii_digit());
    let (first, last) = (signs.next()?, signs.next_back());
    let (between, decimal) = match last {
        None if first == ',' && groups(unsigned, ',').is_none() => (None, Some(',')),
        None if first == ',' => return None,
        Some(last) if last != first => (Some(first), Some(last)),
        Some(_) | None => (Some(first), None),
    };
    let (whole, fraction) = match decimal {
        Some(sign) => unsigned.rsplit_once(sign).filter(|_| matches!(sign, ',' | '.'))?,
        None => (unsigned, "0"),
    };
    let whole = match between {
        Some(sign) if BETWEEN_GROUPS.contains(&sign) => groups(whole, sign)?,
        Some(_) => return None,
        None => whole.to_owned(),
    };
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    (digits(&whole) && digits(fraction)).then(|| format!("{whole}.{fraction}"))
}

/// The digits of groups: one to three that do not begin with 0, then three and three.
fn groups(text: &str, between: char) -> Option<String> {
    let (first, rest) = text.split_once(between)?;
    let all_digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    let is_first = (1..=3).contains(&first.len()) && !first.starts_with('0') && all_digits(first);
    let are_rest = rest.split(between).all(|group| group.len() == 3 && all_digits(group));
    (is_first && are_rest).then(|| text.split(between).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_says_one_number_or_none() {
        for (text, number) in [
            ("1.50", "1.5"),
            ("1.500", "1.5"),
            (".5", "0.5"),
            ("+7", "7"),
            ("1.5e3", "1500"),
            ("1,234.50", "1234.5"),
            ("-1,234,567", "-1234567"),
            ("1.234,50", "1234.5"),
            ("1.234.567", "1234567"),
            ("1 234,5", "1234.5"),
            ("1\u{202f}234,5", "1234.5"),
            ("1'234.50", "1234.5"),
            ("1,5", "1.5"),
            ("0,123", "0.123"),
            ("1234,567", "1234.567"),
            ("1,2345", "1.2345"),
        ] {
            assert_eq!(read(text), Number::parse(number), "{text}");
        }
        for text in [
            "",
            "-",
            ".",
            "1,234",
            "007",
            "00.5",
            "1,23,456",
            "1,2,3",
            "1.2.3",
            "12 34",
            "1.234,5,6",
            "1,234.5.6",
            "1..2",
            "1,",
            ",5",
            "abc",
            "1a5",
            "1-5",
            "--5",
            "5%",
            "0x10",
            "1/2",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
