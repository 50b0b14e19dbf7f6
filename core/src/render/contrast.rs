//! Two values that differ, cut to what shows the difference: the part in which they differ, with some of what is the same around it.

use crate::compare::diagnose::is_invisible;
use unicode_normalization::char::is_combining_mark;

/// Two values side by side. All but `live` and `shadow` is the same on both sides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Contrast {
    pub(super) before: String,
    pub(super) live: String,
    pub(super) shadow: String,
    pub(super) after: String,
}

/// Puts two texts side by side; no part has more than `most` characters.
pub(super) fn contrast(live: &str, shadow: &str, most: usize) -> Contrast {
    let same = shared(live.chars(), shadow.chars());
    let (before, live) = live.split_at(same);
    let shadow = &shadow[same..];
    let same = shared(live.chars().rev(), shadow.chars().rev());
    let (live, after) = live.split_at(live.len() - same);
    Contrast {
        before: end(before, most / 2),
        live: middle_left_out(live, most),
        shadow: middle_left_out(&shadow[..shadow.len() - same], most),
        after: beginning(after, most / 2),
    }
}

/// How many bytes two texts have in common, from where they are read.
fn shared(a: impl Iterator<Item = char>, b: impl Iterator<Item = char>) -> usize {
    a.zip(b).take_while(|(a, b)| a == b).map(|(a, _)| a.len_utf8()).sum()
}

fn beginning(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}

fn end(text: &str, most: usize) -> String {
    match text.char_indices().rev().nth(most) {
        Some((at, c)) => format!("…{}", &text[at + c.len_utf8()..]),
        None => text.to_owned(),
    }
}

/// A text of at most so many characters; names often differ at their end, so what is left out is in the middle.
pub(super) fn middle_left_out(text: &str, most: usize) -> String {
    if text.chars().nth(most).is_none() {
        return text.to_owned();
    }
    let (head, tail) = (beginning(text, most.div_ceil(2)), end(text, most / 2));
    format!("{head}{}", tail.trim_start_matches('…'))
}

/// A stretch of a text, as a reader needs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Seen<'a> {
    Plain(&'a str),
    /// A character that would not be seen, or would move what is around it.
    Hidden(char),
}

/// The text in stretches. `marks`: a combining mark counts as hidden too, as with its letter it may look like another letter.
pub(super) fn seen(text: &str, marks: bool) -> Vec<Seen<'_>> {
    let is_hidden = |c: char| c.is_control() || is_invisible(c) || (c.is_whitespace() && c != ' ') || (marks && is_combining_mark(c));
    let mut stretches = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let at = match is_hidden(first) {
            true => first.len_utf8(),
            false => rest.find(is_hidden).unwrap_or(rest.len()),
        };
        stretches.push(match is_hidden(first) {
            true => Seen::Hidden(first),
            false => Seen::Plain(&rest[..at]),
        });
        rest = &rest[at..];
    }
    stretches
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_stands_apart() {
        for (live, shadow, most, expected) in [
            ("Santa Ana", "Santa Ana de Vuelta", 40, ["Santa Ana", "", " de Vuelta", ""]),
            ("abcXdef", "abcYdef", 40, ["abc", "X", "Y", "def"]),
            ("abcXdef", "abcYdef", 4, ["…bc", "X", "Y", "de…"]),
            ("aa", "aaa", 40, ["aa", "", "a", ""]),
            ("é", "e\u{301}", 40, ["", "é", "e\u{301}", ""]),
            ("", "x", 40, ["", "", "x", ""]),
            ("0123456789", "", 4, ["", "01…89", "", ""]),
        ] {
            let found = contrast(live, shadow, most);
            assert_eq!([found.before, found.live, found.shadow, found.after], expected, "{live} {shadow}");
        }
    }

    #[test]
    fn what_is_not_seen_stands_apart() {
        use Seen::{Hidden, Plain};
        assert_eq!(
            seen("a b\u{200b}c\n", false),
            [Plain("a b"), Hidden('\u{200b}'), Plain("c"), Hidden('\n')]
        );
        assert_eq!(seen("e\u{301}", false), [Plain("e\u{301}")]);
        assert_eq!(seen("e\u{301}", true), [Plain("e"), Hidden('\u{301}')]);
        assert_eq!(seen("", true), []);
    }
}
