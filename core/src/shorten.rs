//! Keeps texts of others within a limit, so that what holds them fits a message whatever somebody writes.

use crate::error::Error;

/// The beginning of a text that is too long, with how much was left out.
pub fn shortened(text: &str, most_bytes: usize) -> String {
    if text.len() <= most_bytes {
        return text.to_owned();
    }
    let end = (0..=most_bytes).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    format!("{} … ({} more bytes)", &text[..end], text.len() - end)
}

/// The first of many texts, each within a limit; a last one says how many were left out.
pub fn shortened_all(texts: &[String], most: usize, most_bytes: usize) -> Vec<String> {
    let mut kept: Vec<String> = texts.iter().take(most).map(|text| shortened(text, most_bytes)).collect();
    if texts.len() > most {
        kept.push(format!("… ({} more)", texts.len() - most));
    }
    kept
}

/// As many characters of an expression are repeated in a message.
const MAX_EXCERPT: usize = 200;

/// An expression as messages repeat it: one line, not too long.
pub fn excerpt(sql: &str) -> String {
    let words: Vec<&str> = sql.split_whitespace().collect();
    let text = words.join(" ");
    match text.char_indices().nth(MAX_EXCERPT) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

impl Error {
    /// The same error with its texts within a limit. Secrets are taken out before, so none is cut in two and missed. What is too long is
    /// cut as it is printed, places and all.
    pub fn shortened(self, most_bytes: usize) -> Error {
        let text = self.to_string();
        if text.len() <= most_bytes {
            return self;
        }
        Error::new(self.kind, shortened(&text, most_bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_that_is_too_long_says_how_much_is_left_out() {
        assert_eq!(shortened("abc", 3), "abc");
        assert_eq!(shortened("abcd", 3), "abc … (1 more bytes)");
        // A character is never cut in two.
        assert_eq!(shortened("aéé", 2), "a … (4 more bytes)");
        assert_eq!(shortened("é", 0), " … (2 more bytes)");
        let error = Error::spec("x".repeat(9)).shortened(4);
        assert_eq!(error, Error::spec("xxxx … (5 more bytes)"));
        assert_eq!(error.clone().shortened(100), error);
        let placed = Error::spec("x".repeat(9)).file("f");
        assert_eq!(placed.shortened(4), Error::spec("f: x … (8 more bytes)"));
        assert_eq!(excerpt(&"n + ".repeat(100)).chars().count(), MAX_EXCERPT + 1);
    }

    #[test]
    fn many_texts_say_how_many_are_left_out() {
        let texts = ["a", "bbb", "c"].map(String::from);
        assert_eq!(shortened_all(&texts, 2, 2), ["a", "bb … (1 more bytes)", "… (1 more)"]);
        assert_eq!(shortened_all(&texts, 3, 9), texts);
    }
}
