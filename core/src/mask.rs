//! Values that stand in the place of others, for whoever must not see these: the same for the same, and in no way made of them but for what a
//! mask is asked to leave. Which one a value gets depends on the seed and on the place of the value among those of its shape.

use crate::mix::next;
use crate::value::{Day, Number, ValueType};
use std::collections::{BTreeMap, BTreeSet};

/// Draws of a mask that no other value has, until its value is left as it is.
const DRAWS: u32 = 64;
/// Of an integer of this many digits the first one is no 9: it fits 64 bits.
const DIGITS_OF_64_BITS: i32 = 19;
/// Of the number by which numbers are moved.
const MOST_DIGITS: usize = 12;
const LETTERS: &[u8; 26] = b"abcdefghijklmnopqrstuvwxyz";

/// What a mask leaves to be seen. In this order it is more of the value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mask {
    /// Its shape: how long it is, which characters are letters, digits or others. Of numbers and of times of one shape their order.
    Shape,
    /// What it has in common with others: a letter or digit becomes the same one wherever it stands; 0 stays.
    Signs,
    /// Of text the letters beyond ASCII, too; of numbers and times how far they are apart.
    Distance,
    /// The same, but of numbers how large they are beside each other.
    Ratio,
}

impl Mask {
    pub const ALL: [Mask; 4] = [Mask::Shape, Mask::Signs, Mask::Distance, Mask::Ratio];
}

/// What values are to a mask, whatever types they are stored in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Form {
    Text,
    /// In the digits of base 16.
    Hex,
    Number,
    /// A day, or a day and a time, as `print` has them.
    Time,
}

impl Form {
    /// Of a type without others inside; `None`: its values have no masks.
    pub fn of(value_type: &ValueType) -> Option<Form> {
        match value_type {
            ValueType::Text => Some(Form::Text),
            ValueType::Binary => Some(Form::Hex),
            ValueType::Int { .. } | ValueType::Decimal { .. } | ValueType::Float { .. } => Some(Form::Number),
            ValueType::Date | ValueType::Timestamp { .. } => Some(Form::Time),
            ValueType::Null
            | ValueType::Bool
            | ValueType::Time { .. }
            | ValueType::Duration { .. }
            | ValueType::Interval
            | ValueType::List(_)
            | ValueType::Struct(_)
            | ValueType::Map(_, _)
            | ValueType::Mixed(_) => None,
        }
    }
}

/// The masks of some values.
#[derive(Debug)]
pub struct Masks {
    shapes: BTreeMap<(Form, String), String>,
    /// By what they replace: letters, and the digits from 1 on.
    letters: Vec<u8>,
    digits: Vec<u8>,
    days: i32,
    /// By how many digits they have.
    distances: Vec<Number>,
    factor: Number,
}

impl Masks {
    /// Of all values that are to be masked, as they are printed.
    pub fn new(seed: u64, values: &BTreeSet<(Form, String)>) -> Masks {
        let mut state = seed;
        let mut by_shape: BTreeMap<(Form, String), Vec<&str>> = BTreeMap::new();
        let taken: BTreeSet<(Form, String)> = values.iter().map(|(form, text)| (*form, canonical(*form, text))).collect();
        for (form, text) in values {
            if let Some(shape) = shape(*form, text) {
                by_shape.entry((*form, shape)).or_default().push(text);
            }
        }
        let mut shapes = BTreeMap::new();
        for ((form, shape), mut texts) in by_shape {
            let mut masks: Vec<String> = draw_all(form, &shape, texts.len(), &taken, &mut state);
            if form == Form::Number {
                texts.sort_by_key(|text| Number::parse(text));
                masks.sort_by_key(|text| Number::parse(text));
            } else if form == Form::Time {
                masks.sort();
            }
            shapes.extend(texts.into_iter().zip(masks).map(|(text, mask)| ((form, text.to_owned()), mask)));
        }
        Masks {
            shapes,
            letters: turned(LETTERS, &mut state),
            digits: turned(b"123456789", &mut state),
            days: 400 + (next(&mut state) % 4000) as i32,
            distances: (0..MOST_DIGITS).map(|digits| distance(digits, &mut state)).collect(),
            factor: Number::from_int(2 + i128::from(next(&mut state) % 98)),
        }
    }

    /// What stands in the place of a value; `None`: it has no such mask. `digits`: before the point, of the longest number of its column.
    pub fn of(&self, form: Form, text: &str, mask: Mask, digits: usize) -> Option<String> {
        match (mask, form) {
            (Mask::Shape, _) => self.shapes.get(&(form, text.to_owned())).cloned(),
            (Mask::Signs, Form::Text) => Some(self.signs(text, true)),
            (Mask::Distance | Mask::Ratio, Form::Text) => Some(self.signs(text, false)),
            (Mask::Signs, Form::Number) => Some(self.signs(&Number::parse(text)?.normalized().to_string(), false)),
            (Mask::Distance, Form::Number) => {
                let distance = &self.distances[digits.clamp(1, self.distances.len()) - 1];
                Some(Number::parse(text)?.add(distance).to_string())
            }
            (Mask::Distance | Mask::Ratio, Form::Time) => {
                let (day, time) = text.split_at_checked(10)?;
                Some(format!("{}{time}", Day(Day::parse(day)?.0.checked_add(self.days)?)))
            }
            (Mask::Ratio, Form::Number) => Some(Number::parse(text)?.mul(&self.factor).to_string()),
            (Mask::Signs, Form::Time) | (Mask::Signs | Mask::Distance | Mask::Ratio, Form::Hex) => None,
        }
    }

    fn signs(&self, text: &str, beyond_ascii: bool) -> String {
        let sign = |c: char| match c {
            'a'..='z' => char::from(self.letters[(c as u8 - b'a') as usize]),
            'A'..='Z' => char::from(self.letters[(c as u8 - b'A') as usize].to_ascii_uppercase()),
            '1'..='9' => char::from(self.digits[(c as u8 - b'1') as usize]),
            c if beyond_ascii && c.is_numeric() && !c.is_ascii() => char::from(self.digits[(u32::from(c) % 9) as usize]),
            c if beyond_ascii && c.is_alphabetic() => {
                let lower = c.to_lowercase().next().map_or(0, u32::from);
                let letter = char::from(self.letters[(lower % 26) as usize]);
                if c.is_uppercase() { letter.to_ascii_uppercase() } else { letter }
            }
            c => c,
        };
        // A letter and its accents, which are characters of their own, are one with the letter that has them.
        let mut after = text.chars().skip(1);
        let stays = |next: Option<char>| !beyond_ascii && next.is_some_and(|next| ('\u{300}'..='\u{36f}').contains(&next));
        text.chars().map(|c| if stays(after.next()) { c } else { sign(c) }).collect()
    }
}

/// Digits before the point; none where it is no number.
pub fn digits_of(text: &str) -> usize {
    let number = Number::parse(text).map(|number| number.digits() as i32 - number.scale());
    number.map_or(0, |digits| usize::try_from(digits).unwrap_or(0))
}

/// A number with one digit more, none of them 0. The first one is small: a sum rarely has more digits than its parts.
fn distance(digits: usize, state: &mut u64) -> Number {
    let first = 1 + next(state) % 3;
    let others = (0..digits).map(|_| 1 + next(state) % 9);
    let text: String = std::iter::once(first).chain(others).map(|digit| digit.to_string()).collect();
    Number::parse(&text).unwrap_or_else(|| Number::from_int(1))
}

/// Each one becomes another one of them.
fn turned(signs: &[u8], state: &mut u64) -> Vec<u8> {
    let mut order: Vec<(u64, usize)> = (0..signs.len()).map(|at| (next(state), at)).collect();
    order.sort_unstable();
    let mut turned = signs.to_vec();
    for (at, (_, sign)) in order.iter().enumerate() {
        turned[*sign] = signs[order[(at + 1) % order.len()].1];
    }
    turned
}

/// What values of one shape have in common, in the letters of `drawn`; `None` for what has no mask.
fn shape(form: Form, text: &str) -> Option<String> {
    let any = |c: char| match c {
        c if c.is_numeric() => '9',
        c if c.is_uppercase() => 'A',
        c if c.is_alphabetic() => 'a',
        c => c,
    };
    match form {
        Form::Text => text.chars().any(char::is_alphanumeric).then(|| text.chars().map(any).collect()),
        Form::Hex => (!text.is_empty()).then(|| "9".repeat(text.len())),
        Form::Number => {
            let number = Number::parse(text)?.normalized();
            let sign = if text.starts_with('-') { "-" } else { "" };
            Some(format!("{sign}{} {}", number.digits(), number.scale()))
        }
        Form::Time => {
            let (day, time) = text.split_at_checked(10)?;
            Day::parse(day)?;
            let midnight = time.chars().all(|c| !c.is_ascii_digit() || c == '0');
            let fraction = time.find('.').unwrap_or(time.len());
            let kept = fraction + time[fraction..].trim_end_matches(['Z', '0']).len();
            let drawn = |(at, c): (usize, char)| if midnight || at >= kept || !c.is_ascii_digit() { c } else { '9' };
            let time: String = time.char_indices().map(drawn).collect();
            Some(format!("9999-99-99{time}"))
        }
    }
}

/// Equal numbers are one value, however they are written.
fn canonical(form: Form, text: &str) -> String {
    match (form, Number::parse(text)) {
        (Form::Number, Some(number)) => number.normalized().to_string(),
        _ => text.to_owned(),
    }
}

/// So many different masks of a shape, none of them one of the values; none where there are not as many.
fn draw_all(form: Form, shape: &str, count: usize, taken: &BTreeSet<(Form, String)>, state: &mut u64) -> Vec<String> {
    let (mut masks, mut seen) = (Vec::new(), BTreeSet::new());
    for _ in 0..count {
        let mut draws = (0..DRAWS).filter_map(|_| drawn(form, shape, state));
        let is_free = |mask: &String| !seen.contains(mask) && !taken.contains(&(form, canonical(form, mask)));
        let Some(mask) = draws.find(is_free) else { return Vec::new() };
        seen.insert(mask.clone());
        masks.push(mask);
    }
    masks
}

fn drawn(form: Form, shape: &str, state: &mut u64) -> Option<String> {
    let mut below = |count: u64| next(state) % count;
    match form {
        Form::Text => {
            let sign = |c: char| match c {
                'a' => char::from(LETTERS[below(26) as usize]),
                'A' => char::from(LETTERS[below(26) as usize].to_ascii_uppercase()),
                '9' => char::from(b'0' + below(10) as u8),
                c => c,
            };
            Some(shape.chars().map(sign).collect())
        }
        Form::Hex => Some(shape.chars().map(|_| char::from(b"0123456789abcdef"[below(16) as usize])).collect()),
        Form::Number => {
            let (sign, rest) = shape.strip_prefix('-').map_or(("", shape), |rest| ("-", rest));
            let (digits, scale) = rest.split_once(' ')?;
            Some(format!("{sign}{}", number_text(digits.parse().ok()?, scale.parse().ok()?, state)))
        }
        Form::Time => {
            let day = format!("{:04}-{:02}-{:02}", 1970 + below(80), 1 + below(12), 1 + below(28));
            let limits = [24, 60, 60];
            let mut parts = shape.get(10..)?.split_inclusive("99").enumerate();
            let time = parts.try_fold(String::new(), |text, (at, part)| match (part.strip_suffix("99"), limits.get(at)) {
                (Some(before), Some(limit)) => Some(format!("{text}{before}{:02}", below(*limit))),
                _ => Some(
                    text + &part
                        .chars()
                        .map(|c| if c == '9' { char::from(b'1' + below(9) as u8) } else { c })
                        .collect::<String>(),
                ),
            });
            Some(day + &time?)
        }
    }
}

/// A number of so many digits whose first and last are no zeros, `scale` of them behind the point.
fn number_text(digits: usize, scale: i32, state: &mut u64) -> String {
    let mut text = String::new();
    for at in 0..digits.max(1) {
        let most = if digits as i32 - scale >= DIGITS_OF_64_BITS { 8 } else { 9 };
        let digit = match at {
            0 => 1 + next(state) % most,
            _ if at + 1 == digits => 1 + next(state) % 9,
            _ => next(state) % 10,
        };
        text.push(char::from(b'0' + digit as u8));
    }
    match Number::parse(&text).map(|number| number.parts()) {
        Some((mantissa, _)) => Number::from_parts(mantissa, scale).to_string(),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn masks(seed: u64, form: Form, texts: &[&str]) -> Masks {
        Masks::new(seed, &texts.iter().map(|text| (form, (*text).to_owned())).collect())
    }

    #[test]
    fn a_mask_of_a_shape_is_of_that_shape_and_of_no_value() {
        for (form, texts) in [
            (Form::Text, vec!["Anna Müller ", "bob-17", "x\u{200b}y", "Ünal", "АБВ", "x٠٥٠١٢"]),
            (
                Form::Number,
                vec!["12", "-12", "12.50", "0", "1500", "9223372036854775807", "0.001", "13"],
            ),
            (
                Form::Time,
                vec!["2026-11-01", "2026-11-01T00:00:00Z", "2026-11-01T13:01:02.120Z", "2026-11-02"],
            ),
            (Form::Hex, vec!["00ff", "ab"]),
        ] {
            for seed in 0..50 {
                let all = masks(seed, form, &texts);
                let mut seen = BTreeSet::new();
                for text in &texts {
                    let mask = all.of(form, text, Mask::Shape, 1).unwrap_or_else(|| panic!("{text} has no mask"));
                    assert!(!texts.contains(&mask.as_str()), "{text} is {mask}");
                    assert_eq!(shape(form, &mask), shape(form, text), "{text} is {mask}");
                    assert!(seen.insert(mask), "{text}: two values, one mask");
                }
            }
        }
        let order = masks(3, Form::Number, &["12", "13", "98"]);
        let number = |text: &str| Number::parse(&order.of(Form::Number, text, Mask::Shape, 1).expect("a mask"));
        assert!(number("12") < number("13") && number("13") < number("98"));
    }

    #[test]
    fn what_texts_and_numbers_have_in_common_stays() {
        for seed in 0..20 {
            let all = masks(seed, Form::Text, &["Straße 12", "STRASSE"]);
            let of = |text: &str, mask: Mask| all.of(Form::Text, text, mask, 1).expect("a mask");
            for mask in [Mask::Signs, Mask::Distance] {
                assert_eq!(of("ab12 ", mask), format!("{} ", of("ab12", mask)));
                assert_eq!(of("AB", mask), of("ab", mask).to_uppercase());
                assert_eq!(of("00120", mask), format!("00{}0", of("12", mask)));
                assert!(of("abc", mask).bytes().zip(b"abc").all(|(a, b)| a != *b));
            }
            assert!(of("é", Mask::Distance) == "é" && of("é", Mask::Signs).is_ascii());
            let number = |text: &str, mask: Mask| Number::parse(&all.of(Form::Number, text, mask, 2).expect("a mask")).expect("a number");
            assert_eq!(
                number("1250", Mask::Signs),
                number("12.50", Mask::Signs).mul(&Number::from_int(100))
            );
            assert_eq!(
                number("12.5", Mask::Distance).sub(&number("10", Mask::Distance)),
                Number::parse("2.5").expect("a number")
            );
            let day = |text: &str| all.of(Form::Time, text, Mask::Distance, 1).expect("a mask");
            assert!(day("2026-11-01T10:11:12Z").ends_with("T10:11:12Z") && day("2026-11-01") != "2026-11-01");
        }
    }
}
