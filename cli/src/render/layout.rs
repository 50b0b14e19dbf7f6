//! Text for a terminal of 80 columns: how wide it is, where it breaks, and what is left out of its middle.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// What every line of the summary fits in.
pub(crate) const COLUMNS: usize = 80;

/// The text as a terminal may show it: control characters would move its cursor or change its colours.
pub(crate) fn visible(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

pub(crate) fn width(text: &str) -> usize {
    text.width()
}

/// At most so many columns wide; what is left out is in the middle, since names often differ at their end.
pub(crate) fn shortened(text: &str, columns: usize) -> String {
    let text = visible(text);
    if width(&text) <= columns {
        return text;
    }
    let room = columns.saturating_sub(1);
    let head: String = fitting(text.chars(), room.div_ceil(2)).collect();
    let tail: Vec<char> = fitting(text.chars().rev(), room / 2).collect();
    head + "…" + &tail.into_iter().rev().collect::<String>()
}

/// Two texts that differ, each at most so many columns wide: what is shown of long ones begins where they still are the same.
pub(crate) fn shortened_pair(a: &str, b: &str, columns: usize) -> (String, String) {
    const SAME_BEFORE: usize = 4;
    let (a, b) = (visible(a), visible(b));
    if width(&a).max(width(&b)) <= columns {
        return (a, b);
    }
    let same = a.chars().zip(b.chars()).take_while(|(a, b)| a == b).count();
    let from = if same + SAME_BEFORE < columns {
        0
    } else {
        same.saturating_sub(SAME_BEFORE)
    };
    let part = |text: &str| {
        let before = if from > 0 { "…" } else { "" };
        let text = format!("{before}{}", text.chars().skip(from).collect::<String>());
        if width(&text) <= columns {
            return text;
        }
        fitting(text.chars(), columns.saturating_sub(1)).chain(['…']).collect()
    };
    (part(&a), part(&b))
}

/// The first characters that fit.
fn fitting(characters: impl Iterator<Item = char>, columns: usize) -> impl Iterator<Item = char> {
    let mut left = columns;
    characters.take_while(move |c| {
        let wide = c.width().unwrap_or(0);
        let fits = wide <= left;
        left = left.saturating_sub(wide);
        fits
    })
}

/// The text after `first`, broken between words where it can be; lines after the first begin with as many blanks as `first` is wide.
pub(crate) fn wrapped(first: &str, text: &str) -> String {
    wrapped_as(first, first, text)
}

/// The same where `shown` is `first` with its colours, which have no width.
pub(crate) fn wrapped_as(first: &str, shown: &str, text: &str) -> String {
    let indent = width(first);
    let room = COLUMNS.saturating_sub(indent).max(20);
    let mut lines: Vec<String> = vec![String::new()];
    for word in visible(text).split(' ') {
        let last = lines.last_mut().expect("there is always a line");
        if !last.is_empty() && width(last) + 1 + width(word) <= room {
            last.push(' ');
            last.push_str(word);
        } else {
            let mut pieces = pieces(word, room);
            if last.is_empty() {
                *last = pieces.remove(0);
            }
            lines.extend(pieces);
        }
    }
    let mut out = String::new();
    for (at, line) in lines.iter().enumerate() {
        let before = if at == 0 { shown.to_owned() } else { " ".repeat(indent) };
        out.push_str(format!("{before}{line}").trim_end());
        out.push('\n');
    }
    out
}

/// A word in pieces that fit, at least one.
fn pieces(word: &str, columns: usize) -> Vec<String> {
    let mut pieces = Vec::new();
    let mut rest = word;
    while width(rest) > columns {
        let piece: String = fitting(rest.chars(), columns).collect();
        rest = &rest[piece.len()..];
        pieces.push(piece);
    }
    pieces.push(rest.to_owned());
    pieces
}

/// `text` with blanks behind it up to so many columns.
pub(crate) fn padded(text: &str, columns: usize) -> String {
    format!("{text}{}", " ".repeat(columns.saturating_sub(width(text))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_out_is_in_the_middle() {
        for (text, columns, expected) in [
            ("short", 5, "short"),
            ("customer_lifetime_value_eur", 13, "custom…ue_eur"),
            ("日本語の長い名前", 9, "日本…名前"),
            ("a\u{1b}[31mb", 20, "a\u{fffd}[31mb"),
            ("ab", 1, "…"),
        ] {
            let found = shortened(text, columns);
            assert_eq!(found, expected);
            assert!(width(&found) <= columns);
        }
    }

    #[test]
    fn two_texts_show_where_they_differ() {
        let same = "the same beginning of both, ";
        for (a, b, columns, expected) in [
            ("12", "13", 5, ("12", "13")),
            ("Santa Ana", "Santa Ana de Vuelta Larga", 18, ("Santa Ana", "Santa Ana de Vuel…")),
            (&format!("{same}one"), &format!("{same}two"), 12, ("…th, one", "…th, two")),
            (&format!("{same}one and more"), &format!("{same}two"), 9, ("…th, one…", "…th, two")),
        ] {
            let (a, b) = shortened_pair(a, b, columns);
            assert_eq!((a.as_str(), b.as_str()), expected);
        }
    }

    #[test]
    fn lines_break_between_words_and_words_only_where_they_must() {
        let long = "x".repeat(200);
        for text in ["a b c", &"word ".repeat(40), &long, &"日本語 ".repeat(40), ""] {
            let out = wrapped("  broken  ", text);
            assert!(out.lines().all(|line| width(line) <= COLUMNS), "{out}");
            let joined: String = out.replacen("  broken", "", 1).split_whitespace().collect();
            assert_eq!(joined, text.split_whitespace().collect::<String>());
        }
        assert_eq!(wrapped("  ", "one two"), "  one two\n");
        assert_eq!(
            wrapped_as(" a ", " <a> ", &"b".repeat(80)).lines().map(width).collect::<Vec<_>>(),
            [82, 6]
        );
    }
}
