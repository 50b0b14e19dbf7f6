//! Whether two texts are the same JSON value.
//!
//! The order of an object's members and white space do not matter; numbers are the same when their decimal values are,
//! whatever their length: `1`, `1.0` and `10e-1`. Text that breaks RFC 8259, repeats a member of one object or nests
//! deeper than [`MAX_DEPTH`] is not JSON.

use crate::value::{Numeral, Significant};
use std::collections::BTreeMap;

/// As deep as serde_json goes by default.
const MAX_DEPTH: usize = 128;

/// What comparing two texts as JSON says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JsonOutcome {
    Equal,
    Different,
    /// At least one text is not JSON: the caller compares them as text.
    NotJson,
}

/// Equal bytes are `Equal` unread.
pub fn equal_json(a: &str, b: &str) -> JsonOutcome {
    if a == b {
        return JsonOutcome::Equal;
    }
    match (Json::parse(a), Json::parse(b)) {
        (Some(a), Some(b)) if a == b => JsonOutcome::Equal,
        (Some(_), Some(_)) => JsonOutcome::Different,
        _ => JsonOutcome::NotJson,
    }
}

/// A JSON value in a form in which equal values are equal and have one order.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Json {
    Null,
    Bool(bool),
    /// By value, so that `1e999999999` costs nothing.
    Number(Significant),
    Text(String),
    Array(Vec<Json>),
    Object(BTreeMap<String, Json>),
}

impl Json {
    pub(crate) fn parse(text: &str) -> Option<Json> {
        let mut parser = Parser { text, at: 0 };
        let value = parser.value(MAX_DEPTH)?;
        parser.skip_blanks();
        (parser.at == text.len()).then_some(value)
    }
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
}

impl Parser<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn skip_blanks(&mut self) {
        self.skip_while(|b| matches!(b, b' ' | b'\t' | b'\n' | b'\r'));
    }

    /// Moves past the bytes that fit and says how many.
    fn skip_while(&mut self, fits: impl Fn(u8) -> bool) -> usize {
        let start = self.at;
        while self.peek().is_some_and(&fits) {
            self.at += 1;
        }
        self.at - start
    }

    fn take(&mut self, wanted: u8) -> bool {
        let found = self.peek() == Some(wanted);
        self.at += usize::from(found);
        found
    }

    fn value(&mut self, depth: usize) -> Option<Json> {
        let inner = depth.checked_sub(1)?;
        self.skip_blanks();
        match self.peek()? {
            b'n' => self.word("null", Json::Null),
            b't' => self.word("true", Json::Bool(true)),
            b'f' => self.word("false", Json::Bool(false)),
            b'"' => self.string().map(Json::Text),
            b'[' => self.array(inner),
            b'{' => self.object(inner),
            _ => self.number(),
        }
    }

    fn word(&mut self, word: &str, value: Json) -> Option<Json> {
        let found = self.text[self.at..].starts_with(word);
        self.at += word.len();
        found.then_some(value)
    }

    fn array(&mut self, depth: usize) -> Option<Json> {
        let mut items = Vec::new();
        self.at += 1;
        self.skip_blanks();
        if self.take(b']') {
            return Some(Json::Array(items));
        }
        loop {
            items.push(self.value(depth)?);
            self.skip_blanks();
            if self.take(b']') {
                return Some(Json::Array(items));
            }
            self.take(b',').then_some(())?;
        }
    }

    fn object(&mut self, depth: usize) -> Option<Json> {
        let mut members = BTreeMap::new();
        self.at += 1;
        self.skip_blanks();
        if self.take(b'}') {
            return Some(Json::Object(members));
        }
        loop {
            self.skip_blanks();
            let name = self.string()?;
            self.skip_blanks();
            self.take(b':').then_some(())?;
            // Which of two members of one name counts, readers do not agree on: such a text says nothing for sure.
            if members.insert(name, self.value(depth)?).is_some() {
                return None;
            }
            self.skip_blanks();
            if self.take(b'}') {
                return Some(Json::Object(members));
            }
            self.take(b',').then_some(())?;
        }
    }

    /// Finds the end of a string and leaves the escapes to serde_json.
    fn string(&mut self) -> Option<String> {
        let start = self.at;
        self.take(b'"').then_some(())?;
        loop {
            match self.peek()? {
                b'"' => break,
                b'\\' => self.at += 2,
                _ => self.at += 1,
            }
        }
        self.at += 1;
        serde_json::from_str(self.text.get(start..self.at)?).ok()
    }

    fn number(&mut self) -> Option<Json> {
        let start = self.at;
        let digit = |b: u8| b.is_ascii_digit();
        self.take(b'-');
        if !self.take(b'0') && self.skip_while(digit) == 0 {
            return None;
        }
        if self.take(b'.') && self.skip_while(digit) == 0 {
            return None;
        }
        if self.take(b'e') || self.take(b'E') {
            let _ = self.take(b'-') || self.take(b'+');
            if self.skip_while(digit) == 0 {
                return None;
            }
        }
        Numeral::scan(&self.text[start..self.at])?.significant().map(Json::Number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use JsonOutcome::{Different, Equal, NotJson};

    #[test]
    fn outcomes() {
        let deep = |n: usize| format!("{}{}", "[".repeat(n), "]".repeat(n));
        for (a, b, expected) in [
            (r#"{"a":1,"b":[true,null]}"#, r#" { "b" : [ true , null ], "a" : 1.0 } "#, Equal),
            ("1", "1.0", Equal),
            ("1", "10e-1", Equal),
            ("100", "1E+2", Equal),
            ("-0", "0.0e5", Equal),
            ("0.10", "0.1", Equal),
            ("1e999999999999", "10e999999999998", Equal),
            ("12345678901234567890123456789", "12345678901234567890123456788", Different),
            ("0.1", "0.1000000000000000055511151231257827", Different),
            ("1", "-1", Different),
            ("1", "10", Different),
            ("1", "\"1\"", Different),
            ("\"\\u00e9\"", "\"é\"", Equal),
            ("\"e\u{301}\"", "\"é\"", Different),
            ("[1,2]", "[2,1]", Different),
            ("[1]", "[1,1]", Different),
            ("{}", "[]", Different),
            (r#"{"a":null}"#, "{}", Different),
            (r#"{"$serde_json::private::Number":"1"}"#, "1", Different),
            ("not json", "not json", Equal),
            ("not json", "{}", NotJson),
            ("", "{}", NotJson),
            (r#"{"a":1,"a":1}"#, r#"{"a":1}"#, NotJson),
        ] {
            assert_eq!(equal_json(a, b), expected, "{a} {b}");
            assert_eq!(equal_json(b, a), expected, "{b} {a}");
        }
        assert_eq!(equal_json(&deep(128), &format!(" {}", deep(128))), Equal);
        assert_eq!(equal_json(&deep(129), &format!(" {}", deep(129))), NotJson);
    }

    #[test]
    fn what_is_no_json_is_what_serde_json_refuses() {
        for text in [
            "01",
            "1.",
            ".5",
            "+1",
            "1e",
            "-",
            "NaN",
            "[1,]",
            "[,]",
            "{a:1}",
            "{\"a\"}",
            "{\"a\":1,}",
            "'a'",
            "\"a",
            "\"\\x\"",
            "\"\\",
            "\"\n\"",
            "nul",
            "true1",
            "1 2",
            "[1 2]",
            "\"\\ud800\"",
            "\u{feff}1",
            "\u{a0}1",
            "ü",
        ] {
            assert!(Json::parse(text).is_none(), "{text:?}");
            assert!(serde_json::from_str::<serde_json::Value>(text).is_err(), "{text:?}");
        }
        for text in ["0", "-1.5e+10", "\"\\ud83d\\ude00\"", "[[],{}]", "\t\r\n 1 "] {
            assert!(Json::parse(text).is_some(), "{text:?}");
            assert!(serde_json::from_str::<serde_json::Value>(text).is_ok(), "{text:?}");
        }
    }
}
