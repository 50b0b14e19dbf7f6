//! What a text becomes before it is compared, by the `text` rules of its comparator.
//!
//! Normalised, then white space collapsed, then trimmed, then case-folded; a folded text is normalised again, because
//! folding can take a text out of its form. White space is Unicode's `White_Space`; folding is the full one, of no language.

use crate::spec::{Normalization, TextRules};
use std::borrow::Cow;
use unicase::UniCase;
use unicode_normalization::{UnicodeNormalization, is_nfc, is_nfd, is_nfkc, is_nfkd};

/// The text to compare, or `None` where it counts as NULL.
pub fn normalize<'a>(text: &'a str, rules: &TextRules) -> Option<Cow<'a, str>> {
    let mut text = Cow::Borrowed(text);
    if let Some(form) = rules.normalize {
        text = to_form(text, form);
    }
    if rules.collapse_whitespace {
        text = collapse(text);
    }
    if rules.trim {
        text = trim(text);
    }
    if rules.ignore_case {
        text = fold_in(text, rules.normalize);
    }
    (!(rules.empty_is_null && text.is_empty())).then_some(text)
}

/// Full case folding.
pub(crate) fn fold(text: Cow<'_, str>) -> Cow<'_, str> {
    if text.is_ascii() {
        if !text.bytes().any(|b| b.is_ascii_uppercase()) {
            return text;
        }
        return Cow::Owned(text.to_ascii_lowercase());
    }
    Cow::Owned(UniCase::unicode(text.as_ref()).to_folded_case())
}

/// The canonical composed form.
pub(crate) fn nfc(text: &str) -> Cow<'_, str> {
    to_form(Cow::Borrowed(text), Normalization::Nfc)
}

fn to_form(text: Cow<'_, str>, form: Normalization) -> Cow<'_, str> {
    if text.is_ascii() {
        return text;
    }
    let holds = match form {
        Normalization::Nfc => is_nfc(&text),
        Normalization::Nfd => is_nfd(&text),
        Normalization::Nfkc => is_nfkc(&text),
        Normalization::Nfkd => is_nfkd(&text),
    };
    if holds {
        return text;
    }
    Cow::Owned(match form {
        Normalization::Nfc => text.nfc().collect(),
        Normalization::Nfd => text.nfd().collect(),
        Normalization::Nfkc => text.nfkc().collect(),
        Normalization::Nfkd => text.nfkd().collect(),
    })
}

/// Folds a text so that it ends in the form asked for.
///
/// Folding goes from the decomposed form: only then do texts that are canonically the same fold to the same (Unicode
/// standard, section 3.13, D145 and D146).
fn fold_in(text: Cow<'_, str>, form: Option<Normalization>) -> Cow<'_, str> {
    let Some(form) = form else { return fold(text) };
    if text.is_ascii() {
        return fold(text);
    }
    let decomposed = match form {
        Normalization::Nfc | Normalization::Nfd => Normalization::Nfd,
        Normalization::Nfkc | Normalization::Nfkd => Normalization::Nfkd,
    };
    to_form(fold(to_form(text, decomposed)), form)
}

fn collapse(text: Cow<'_, str>) -> Cow<'_, str> {
    let mut out = String::with_capacity(text.len());
    let mut in_space = false;
    for c in text.chars() {
        if !c.is_whitespace() {
            out.push(c);
        } else if !in_space {
            out.push(' ');
        }
        in_space = c.is_whitespace();
    }
    if out == text { text } else { Cow::Owned(out) }
}

fn trim(text: Cow<'_, str>) -> Cow<'_, str> {
    match text {
        Cow::Borrowed(text) => Cow::Borrowed(text.trim()),
        Cow::Owned(text) if text.trim().len() == text.len() => Cow::Owned(text),
        Cow::Owned(text) => Cow::Owned(text.trim().to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rules from words, so that a case is one line.
    fn rules(words: &str) -> TextRules {
        let mut rules = TextRules::default();
        for word in words.split_whitespace() {
            match word {
                "nfc" => rules.normalize = Some(Normalization::Nfc),
                "nfd" => rules.normalize = Some(Normalization::Nfd),
                "nfkc" => rules.normalize = Some(Normalization::Nfkc),
                "nfkd" => rules.normalize = Some(Normalization::Nfkd),
                "trim" => rules.trim = true,
                "case" => rules.ignore_case = true,
                "collapse" => rules.collapse_whitespace = true,
                "empty" => rules.empty_is_null = true,
                other => panic!("no rule {other}"),
            }
        }
        rules
    }

    #[test]
    fn rules_one_by_one_and_together() {
        for (words, text, expected) in [
            ("", " A\u{301} ", Some(" A\u{301} ")),
            ("nfc", "e\u{301}", Some("é")),
            ("nfd", "é", Some("e\u{301}")),
            ("nfkc", "ﬁ\u{a0}１", Some("fi 1")),
            ("nfkd", "é①", Some("e\u{301}1")),
            ("nfc", "ﬁ", Some("ﬁ")),
            ("trim", "\t\u{a0}\u{3000}a b\u{2003}\r\n", Some("a b")),
            ("trim", "\u{200b}a", Some("\u{200b}a")),
            ("collapse", " a \t\u{a0} b\n", Some(" a b ")),
            ("collapse trim", " a \t b\n", Some("a b")),
            ("nfkc collapse trim", "\u{a0}a\u{a0} b", Some("a b")),
            ("case", "Straße ΣΑΣ ﬀ İ", Some("strasse σασ ff i\u{307}")),
            ("case", "MiXed", Some("mixed")),
            ("nfc case", "E\u{301}", Some("é")),
            ("nfkc case", "㎒ Ⅷ", Some("mhz viii")),
            ("trim empty", "  ", None),
            ("empty", " ", Some(" ")),
            ("empty", "", None),
            ("", "", Some("")),
        ] {
            assert_eq!(normalize(text, &rules(words)).as_deref(), expected, "{words}: {text:?}");
        }
    }

    #[test]
    fn texts_that_are_canonically_the_same_fold_to_the_same() {
        for (a, b) in [
            ("\u{1fb3}", "Α\u{345}"),
            ("\u{1f88}", "\u{1f08}\u{345}"),
            ("ǰ", "J\u{30c}"),
            ("Å", "a\u{30a}"),
            ("ᾳ\u{301}", "α\u{301}\u{345}"),
        ] {
            for words in ["nfc case", "nfd case", "nfkc case", "nfkd case"] {
                assert_eq!(normalize(a, &rules(words)), normalize(b, &rules(words)), "{words}: {a:?} {b:?}");
            }
        }
    }

    #[test]
    fn normalizing_twice_changes_nothing() {
        // No character beyond plane 1 folds.
        for words in ["nfc case", "nfkc case"] {
            let rules = rules(words);
            for c in '\0'..='\u{1ffff}' {
                let text = c.to_string();
                let once = normalize(&text, &rules).unwrap().into_owned();
                assert_eq!(normalize(&once, &rules).unwrap(), once, "{words}: {c:?}");
            }
        }
    }

    #[test]
    fn plain_text_is_not_copied() {
        let all = rules("nfc collapse trim case empty");
        for text in ["plain text 1", "a"] {
            assert!(matches!(normalize(text, &rules("nfkc trim case empty")), Some(Cow::Borrowed(_))));
            assert_eq!(normalize(text, &all).as_deref(), Some(text));
        }
    }
}
