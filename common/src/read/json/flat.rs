//! Reads a line that is one object of plain values, as most are: texts without escapes, numbers of up to 15 digits, bools, null. Any other line is
//! left to the parser, which reads it or says what is wrong with it (RFC 8259 is the grammar).

use super::tree::{Json, Members};
use shadowdiff_core::value::is_plain_number;
use std::borrow::Cow;

/// The fields of the line, as they stand; `expected`: names that they may have, in their order, all of them [plain](is_plain_text). `None`: the line is not plain, or not JSON.
pub(super) fn read<'a>(line: &'a str, expected: &[String]) -> Option<Members<'a>> {
    let mut rest = Rest { line, at: 0 };
    let mut members = Vec::with_capacity(expected.len());
    rest.skip(b'{')?;
    if rest.skip(b'}').is_some() {
        return rest.is_blank().then_some(members);
    }
    loop {
        let name = match expected.get(members.len()).and_then(|name| rest.expected(name)) {
            Some(name) => name,
            None => rest.text()?,
        };
        // The parser's own name for a number.
        if name.starts_with('$') {
            return None;
        }
        rest.skip(b':')?;
        members.push((Cow::Borrowed(name), rest.value()?));
        if rest.skip(b',').is_some() {
            continue;
        }
        rest.skip(b'}')?;
        return rest.is_blank().then_some(members);
    }
}

/// Whether JSON has the text as it is, between quotes.
pub(super) fn is_plain_text(text: &str) -> bool {
    !text.starts_with('$') && text.bytes().all(|byte| !is_special(byte))
}

/// Ends a plain text.
fn is_special(byte: u8) -> bool {
    matches!(byte, b'"' | b'\\' | 0..0x20)
}

/// What is left of a line.
struct Rest<'a> {
    line: &'a str,
    at: usize,
}

impl<'a> Rest<'a> {
    fn bytes(&self) -> &'a [u8] {
        &self.line.as_bytes()[self.at..]
    }

    fn skip_blanks(&mut self) {
        let blanks = self.bytes().iter().take_while(|byte| matches!(byte, b' ' | b'\t' | b'\r'));
        self.at += blanks.count();
    }

    fn is_blank(&mut self) -> bool {
        self.skip_blanks();
        self.at == self.line.len()
    }

    /// Goes behind this byte and the blanks before it, if it is there.
    fn skip(&mut self, byte: u8) -> Option<()> {
        if self.bytes().first() != Some(&byte) {
            self.skip_blanks();
        }
        (self.bytes().first() == Some(&byte)).then(|| self.at += 1)
    }

    /// This text, if it comes next in quotes.
    fn expected(&mut self, text: &str) -> Option<&'a str> {
        let is_here = self.bytes().strip_prefix(b"\"")?.strip_prefix(text.as_bytes())?.first() == Some(&b'"');
        is_here.then(|| {
            let from = self.at + 1;
            self.at = from + text.len() + 1;
            &self.line[from..from + text.len()]
        })
    }

    /// A text without escapes.
    fn text(&mut self) -> Option<&'a str> {
        self.skip(b'"')?;
        let length = plain_length(self.bytes())?;
        let text = &self.line[self.at..self.at + length];
        self.at += length;
        self.skip(b'"')?;
        Some(text)
    }

    fn value(&mut self) -> Option<Json<'a>> {
        self.skip_blanks();
        let bytes = self.bytes();
        if bytes.first() == Some(&b'"') {
            return self.text().map(|text| Json::Text(Cow::Borrowed(text)));
        }
        let length = bytes.iter().position(|byte| matches!(byte, b',' | b'}' | b' ' | b'\t' | b'\r'))?;
        let word = &self.line[self.at..self.at + length];
        self.at += length;
        match word {
            "null" => Some(Json::Null),
            "true" => Some(Json::Bool(true)),
            "false" => Some(Json::Bool(false)),
            _ => is_plain_number(word.as_bytes()).then_some(Json::Number(Cow::Borrowed(word))),
        }
    }
}

/// How many bytes there are before a quote; `None` where an escape or a control character comes before it, or no quote comes.
fn plain_length(bytes: &[u8]) -> Option<usize> {
    const LOW: u64 = u64::from_ne_bytes([0x01; 8]);
    const HIGH: u64 = u64::from_ne_bytes([0x80; 8]);
    let eights = bytes.chunks_exact(8);
    let mut length = eights.len() * 8;
    for (at, eight) in eights.enumerate() {
        let eight = u64::from_le_bytes(eight.try_into().ok()?);
        let zero = |word: u64| word.wrapping_sub(LOW) & !word & HIGH;
        let [quotes, escapes] = [b'"', b'\\'].map(|special| zero(eight ^ u64::from_ne_bytes([special; 8])));
        // Bytes below 0x20 have none of the three bits above.
        let controls = zero(eight & u64::from_ne_bytes([0xe0; 8]));
        if quotes | escapes | controls != 0 {
            length = 8 * at;
            break;
        }
    }
    let length = length + bytes[length..].iter().position(|byte| is_special(*byte))?;
    (bytes[length] == b'"').then_some(length)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::read::json::tree::parse_line;

    #[test]
    fn a_plain_line_is_what_the_parser_reads() {
        let values = [
            "0",
            "-1",
            "1.50",
            "123456789012345",
            "1234567890123456",
            "1e3",
            "007",
            ".5",
            "5.",
            "-",
            "+1",
            "null",
            "true",
            "false",
            "nul",
            "True",
            "\"\"",
            "\"a b\"",
            "\"long text of more than eight bytes\"",
            "\"caf\u{e9} \u{1f600}\"",
            "\"a\\n\"",
            "\"\\u0041\"",
            "\"a\tb\"",
            "\"open",
            "[1]",
            "{\"a\":1}",
            "",
            "1 2",
            "\"a\"x",
            "\"\u{7f}\"",
            "\"eight888\"",
            "\"a\u{1}b\"",
            "NaN",
            "\"NaN\"",
        ];
        let forms = [
            "{\"n\":V}",
            " { \"n\" : V , \"m\":V}  ",
            "{\"n\":V,\"n\":V}\r",
            "{\"n\":V,}",
            "{\"n\" V}",
            "{V}",
            "{\"n\":V}x",
            "{\"n\":V",
            "{\"\":V}",
            "{\"$serde_json::private::Number\":V}",
            "{n:V}",
            "V",
            "{\"\\u006e\":V}",
            "{ }",
        ];
        let mut plain = 0;
        let n = ["n".to_owned(), "m".to_owned()];
        for expected in [&n[..], &n[1..], &[]] {
            for (form, value) in forms.iter().flat_map(|form| values.iter().map(move |value| (form, value))) {
                let line = form.replace('V', value);
                let parsed = parse_line(&line).ok();
                let Some(members) = read(&line, expected) else { continue };
                plain += 1;
                assert_eq!(Some(Json::Object(members)), parsed, "{line}");
            }
        }
        assert!(plain > 180, "{plain}");
    }

    #[test]
    fn a_text_ends_at_its_quote() {
        for length in 0..40 {
            for end in [b'"', b'\\', b'\n', 0x1f, 0] {
                let mut bytes = vec![b' '; 41];
                (bytes[length / 2], bytes[40 - length / 3]) = (0x80 + end, b'!');
                bytes[length] = end;
                assert_eq!(plain_length(&bytes), (end == b'"').then_some(length), "{bytes:?}");
                assert_eq!(plain_length(&bytes[..length]), None);
            }
        }
    }
}
