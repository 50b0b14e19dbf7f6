//! Kinds of change between two texts.

use super::super::json::Json;
use super::super::text::{fold, nfc};
use super::date_texts::say_one_moment;
use super::number_texts::say_one_number;
use std::borrow::Cow;

/// Whether two different texts, the old one first, differ in one certain way.
type Test = fn(&str, &str) -> bool;

pub(super) fn diagnose(old: &str, new: &str) -> Option<&'static str> {
    if old == new {
        return None;
    }
    let tests: [(&'static str, Test); 11] = [
        ("unicode_normalization", |a, b| nfc(a) == nfc(b)),
        ("case", |a, b| fold(Cow::Borrowed(a)) == fold(Cow::Borrowed(b))),
        ("whitespace", |a, b| {
            visible(a, char::is_whitespace) == visible(b, char::is_whitespace)
        }),
        ("invisible_characters", |a, b| visible(a, is_invisible) == visible(b, is_invisible)),
        ("mojibake", |a, b| is_misread(a, b) || is_misread(b, a)),
        ("leading_zeros", differ_by_leading_zeros),
        // These go before `extended`: 1.5 is the beginning of 1.50.
        ("number_format", say_one_number),
        ("date_format", say_one_moment),
        ("truncated", |old, new| is_cut(new, old)),
        ("extended", |old, new| is_cut(old, new)),
        ("order", reordered),
    ];
    tests.iter().find(|(_, holds)| holds(old, new)).map(|(name, _)| *name)
}

/// A text without the characters of one class.
fn visible(text: &str, hidden: fn(char) -> bool) -> String {
    text.chars().filter(|c| !hidden(*c)).collect()
}

/// Characters that a reader does not see: controls, zero width, soft hyphen, direction marks, variation selectors.
pub fn is_invisible(c: char) -> bool {
    let control = c.is_control() && !c.is_whitespace();
    control
        || matches!(c, '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}')
        || matches!(c, '\u{2060}'..='\u{2064}' | '\u{2066}'..='\u{206f}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}')
}

/// Whether `wrong` is what a reader makes of `right`'s bytes with the wrong one of UTF-8 and Latin-1 or Windows-1252.
fn is_misread(right: &str, wrong: &str) -> bool {
    if right.is_ascii() {
        return false;
    }
    let bytes = right.as_bytes();
    let as_latin_1 = || bytes.iter().map(|b| char::from(*b)).eq(wrong.chars());
    let as_windows_1252 = || bytes.iter().map(|b| windows_1252(*b)).eq(wrong.chars());
    let as_utf_8 =
        || wrong.contains(char::REPLACEMENT_CHARACTER) && single_bytes(right).is_some_and(|b| String::from_utf8_lossy(&b) == wrong);
    as_latin_1() || as_windows_1252() || as_utf_8()
}

/// What Windows-1252 has from 0x80 to 0x9F; a byte that it leaves open stays a control, as the WHATWG Encoding Standard has it.
const WINDOWS_1252: [char; 32] = [
    '€', '\u{81}', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\u{8d}', 'Ž', '\u{8f}', //
    '\u{90}', '‘', '’', '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', '\u{9d}', 'ž', 'Ÿ',
];

fn windows_1252(byte: u8) -> char {
    match byte {
        0x80..=0x9f => WINDOWS_1252[usize::from(byte) - 0x80],
        _ => char::from(byte),
    }
}

/// A text in Windows-1252, `None` where it has a character that is not there.
fn single_bytes(text: &str) -> Option<Vec<u8>> {
    text.chars()
        .map(|c| match WINDOWS_1252.iter().position(|w| *w == c) {
            Some(place) => u8::try_from(0x80 + place).ok(),
            None => u8::try_from(u32::from(c)).ok().filter(|b| !(0x80..=0x9f).contains(b)),
        })
        .collect()
}

/// Both all digits, and the same but for zeros in front.
fn differ_by_leading_zeros(a: &str, b: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    digits(a) && digits(b) && a.trim_start_matches('0') == b.trim_start_matches('0')
}

/// Whether `short` is the beginning of `long`: at least 3 characters of at least 4. A last character that was cut in the
/// middle of its bytes may have become U+FFFD.
fn is_cut(short: &str, long: &str) -> bool {
    let kept = short.trim_end_matches(char::REPLACEMENT_CHARACTER);
    kept.len() < long.len() && long.starts_with(kept) && kept.chars().count() >= 3
}

/// Whether both are JSON arrays of the same items in another order.
fn reordered(a: &str, b: &str) -> bool {
    if !a.trim_start().starts_with('[') || !b.trim_start().starts_with('[') {
        return false;
    }
    let (Some(Json::Array(mut a)), Some(Json::Array(mut b))) = (Json::parse(a), Json::parse(b)) else {
        return false;
    };
    if a == b {
        return false;
    }
    a.sort();
    b.sort();
    a == b
}
