//! Where one record of a CSV file ends and where its fields lie, after RFC 4180.
//!
//! - A field that begins with the quote ends at the next single quote; a doubled quote in it is one quote. With an escape
//!   byte, that byte before a quote or itself stands for the second byte alone, and quotes are not doubled.
//! - A quote inside a field that does not begin with one is data.
//! - A record ends in `\n`, `\r\n` or the end of the file. A lone `\r` is data inside quotes and an error outside.

use memchr::{memchr_iter, memchr2, memchr3};
use wide::u8x32;

/// Bytes that are looked at in one step.
const BLOCK_BYTES: usize = 32;

#[derive(Debug, Clone, Copy)]
pub(super) struct Dialect {
    pub(super) delimiter: u8,
    pub(super) quote: u8,
    /// Never the quote itself.
    pub(super) escape: Option<u8>,
}

/// One field's bytes, without the quotes around it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Field {
    pub(super) from: usize,
    pub(super) to: usize,
    pub(super) quoted: bool,
    /// It holds doubled or escaped quotes.
    pub(super) escaped: bool,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Scan {
    /// `bytes` with the line end, over `lines` physical lines.
    Record {
        bytes: usize,
        lines: u64,
    },
    /// A line of nothing but its end.
    Blank {
        bytes: usize,
    },
    /// The bytes end within the record, and the file goes on.
    More,
    /// Nothing is left.
    End,
    Bad(&'static str),
}

/// What comes after a field.
enum After {
    Delimiter,
    /// This many bytes of line end, none at the end of the file.
    LineEnd(usize),
}

/// Why a field has no end.
enum Stop {
    More,
    Bad(&'static str),
}

impl Dialect {
    /// Scans the record at the start of `bytes` into `fields`; `ended` says that the file has no more bytes.
    pub(super) fn scan(&self, bytes: &[u8], ended: bool, fields: &mut Vec<Field>) -> Scan {
        fields.clear();
        if bytes.is_empty() {
            return if ended { Scan::End } else { Scan::More };
        }
        let (mut at, mut lines) = (0, 1);
        loop {
            if let Some(bytes) = self.plain_fields(bytes, &mut at, fields) {
                return Scan::Record { bytes, lines };
            }
            let scanned = if bytes.get(at) == Some(&self.quote) {
                self.quoted(bytes, at + 1, ended)
            } else {
                self.plain(bytes, at, ended)
            };
            let (field, after) = match scanned {
                Ok(scanned) => scanned,
                Err(Stop::More) => return Scan::More,
                Err(Stop::Bad(why)) => return Scan::Bad(why),
            };
            fields.push(field);
            let end = field.to + usize::from(field.quoted);
            if field.quoted {
                lines += memchr_iter(b'\n', &bytes[field.from..field.to]).count() as u64;
            }
            match after {
                After::Delimiter => at = end + 1,
                After::LineEnd(length) if end == 0 => return Scan::Blank { bytes: length },
                After::LineEnd(length) => {
                    return Scan::Record {
                        bytes: end + length,
                        lines,
                    };
                }
            }
        }
    }

    /// Scans plain fields from `at`, where a field begins, and goes on to the first that is quoted, or ends the record with a carriage return, or
    /// lies in the last bytes. Gives the bytes of the record if it ends before.
    fn plain_fields(&self, bytes: &[u8], at: &mut usize, fields: &mut Vec<Field>) -> Option<usize> {
        // A line of nothing but its end is no record.
        if bytes.get(*at).is_none_or(|first| *first == self.quote || *first == b'\n') {
            return None;
        }
        let (blocks, _) = bytes[*at..].as_chunks();
        let mut base = *at;
        for block in blocks {
            let mut ends = self.ends(block);
            while ends != 0 {
                let to = base + ends.trailing_zeros() as usize;
                ends &= ends - 1;
                if bytes[to] == b'\r' {
                    return None;
                }
                fields.push(Field {
                    from: *at,
                    to,
                    quoted: false,
                    escaped: false,
                });
                *at = to + 1;
                if bytes[to] == b'\n' {
                    return Some(to + 1);
                }
                if bytes.get(*at).is_none_or(|first| *first == self.quote) {
                    return None;
                }
            }
            base += BLOCK_BYTES;
        }
        None
    }

    /// Where a plain field may end, a bit for each byte.
    fn ends(&self, block: &[u8; BLOCK_BYTES]) -> u32 {
        let block = u8x32::new(*block);
        let is = |byte: u8| block.simd_eq(u8x32::splat(byte));
        (is(self.delimiter) | is(b'\n') | is(b'\r')).to_bitmask()
    }

    fn plain(&self, bytes: &[u8], from: usize, ended: bool) -> Result<(Field, After), Stop> {
        let to = match memchr3(self.delimiter, b'\n', b'\r', &bytes[from..]) {
            Some(length) => from + length,
            None if ended => bytes.len(),
            None => return Err(Stop::More),
        };
        let after = self.after(bytes, to, ended)?.ok_or(Stop::Bad(LONE_RETURN))?;
        Ok((
            Field {
                from,
                to,
                quoted: false,
                escaped: false,
            },
            after,
        ))
    }

    fn quoted(&self, bytes: &[u8], from: usize, ended: bool) -> Result<(Field, After), Stop> {
        let unclosed = || {
            if ended {
                Stop::Bad("a quote is not closed before the end of the file")
            } else {
                Stop::More
            }
        };
        let (mut at, mut escaped) = (from, false);
        loop {
            at += memchr2(self.quote, self.escape.unwrap_or(self.quote), &bytes[at..]).ok_or_else(unclosed)?;
            if Some(bytes[at]) == self.escape {
                bytes.get(at + 1).ok_or_else(unclosed)?;
            } else if self.escape.is_some() || bytes.get(at + 1) != Some(&self.quote) {
                break;
            }
            escaped = true;
            at += 2;
        }
        if at + 1 == bytes.len() && !ended {
            return Err(Stop::More);
        }
        let after = self
            .after(bytes, at + 1, ended)?
            .ok_or(Stop::Bad("text after a closing quote: double the quotes inside a quoted field"))?;
        Ok((
            Field {
                from,
                to: at,
                quoted: true,
                escaped,
            },
            after,
        ))
    }

    /// What the bytes at a field's end say; `None` if they cannot stand there.
    fn after(&self, bytes: &[u8], at: usize, ended: bool) -> Result<Option<After>, Stop> {
        Ok(match bytes.get(at) {
            None => Some(After::LineEnd(0)),
            Some(b'\n') => Some(After::LineEnd(1)),
            Some(b'\r') => match bytes.get(at + 1) {
                Some(b'\n') => Some(After::LineEnd(2)),
                None if !ended => return Err(Stop::More),
                _ => return Err(Stop::Bad(LONE_RETURN)),
            },
            Some(byte) => (*byte == self.delimiter).then_some(After::Delimiter),
        })
    }

    /// Appends a field's text, with doubled and escaped quotes undone.
    pub(super) fn append(&self, field: &Field, bytes: &[u8], out: &mut Vec<u8>) {
        let mut rest = &bytes[field.from..field.to];
        if !field.escaped {
            return out.extend_from_slice(rest);
        }
        let mark = self.escape.unwrap_or(self.quote);
        while let Some(at) = memchr::memchr(mark, rest) {
            out.extend_from_slice(&rest[..at]);
            let second = rest[at + 1];
            // Before anything else the escape byte is data.
            if second != self.quote && second != mark {
                out.push(mark);
            }
            out.push(second);
            rest = &rest[at + 2..];
        }
        out.extend_from_slice(rest);
    }
}

const LONE_RETURN: &str = "a carriage return outside quotes that no line feed follows: end lines with \\n or \\r\\n";

#[cfg(test)]
mod tests {
    use super::*;

    const COMMA: Dialect = Dialect {
        delimiter: b',',
        quote: b'"',
        escape: None,
    };

    /// Fields as text, quoted ones in brackets.
    fn check(dialect: Dialect, text: &str, want: Result<&[&str], &str>) {
        let mut fields = Vec::new();
        // Whatever was read so far, the answer is the same or `More`.
        for cut in 0..text.len() {
            let early = dialect.scan(&text.as_bytes()[..cut], false, &mut fields);
            assert!(
                early == Scan::More || early == dialect.scan(text.as_bytes(), true, &mut fields),
                "{text:?} cut at {cut}: {early:?}"
            );
        }
        let scan = dialect.scan(text.as_bytes(), true, &mut fields);
        match (scan, want) {
            (Scan::Record { .. }, Ok(want)) => {
                let show = |field: &Field| {
                    let mut out = Vec::new();
                    dialect.append(field, text.as_bytes(), &mut out);
                    let out = String::from_utf8(out).expect("text");
                    if field.quoted { format!("[{out}]") } else { out }
                };
                assert_eq!(fields.iter().map(show).collect::<Vec<_>>(), want, "{text:?}");
            }
            (Scan::Bad(why), Err(want)) => assert!(why.contains(want), "{text:?}: {why}"),
            (scan, want) => panic!("{text:?}: {scan:?}, want {want:?}"),
        }
    }

    #[test]
    fn records() {
        check(COMMA, "a,b\nc", Ok(&["a", "b"]));
        check(COMMA, "a,b\r\nc", Ok(&["a", "b"]));
        check(COMMA, "a,b", Ok(&["a", "b"]));
        check(COMMA, "a,", Ok(&["a", ""]));
        check(COMMA, ",\n", Ok(&["", ""]));
        check(COMMA, "\"\",\n", Ok(&["[]", ""]));
        check(COMMA, "\"\"", Ok(&["[]"]));
        check(COMMA, "\"a,\r\n\rb\"\n", Ok(&["[a,\r\n\rb]"]));
        check(COMMA, "\"a\"\"b\"\"\",c", Ok(&["[a\"b\"]", "c"]));
        check(COMMA, "\"\"\"\"", Ok(&["[\"]"]));
        check(COMMA, "a\"b,\0", Ok(&["a\"b", "\0"]));
        check(COMMA, " \"a\"", Ok(&[" \"a\""]));
        check(COMMA, "\"a,b\n", Err("not closed"));
        check(COMMA, "\"", Err("not closed"));
        check(COMMA, "\"a\"\"", Err("not closed"));
        check(COMMA, "\"a\"b,c", Err("after a closing quote"));
        check(COMMA, "\"a\" ,c", Err("after a closing quote"));
        check(COMMA, "a\rb", Err("carriage return"));
        check(COMMA, "a\r", Err("carriage return"));
        check(COMMA, "\"a\"\rb", Err("carriage return"));
        let escape = Dialect {
            delimiter: b';',
            quote: b'\'',
            escape: Some(b'\\'),
        };
        check(escape, r"'a\'b\\';c\n;'\n'", Ok(&[r"[a'b\]", r"c\n", r"[\n]"]));
        check(escape, r"'a''b'", Err("after a closing quote"));
        check(escape, r"'a\'", Err("not closed"));
    }

    /// In blocks as without: bytes that are few are read field by field.
    #[test]
    fn a_field_ends_at_the_first_delimiter_or_line_end_wherever_that_is() {
        for length in 0..70 {
            for end in [",", "\n", "\r\n", ",\"q\",", ",\n", ",,\r\n", "\r"] {
                let mut text = vec![b'-'; length];
                // Bytes beside the ends in value, above and below, and some above 127.
                if length > 3 {
                    (text[length / 2], text[length - 1 - length / 3]) = (b',' + 0x80, b'\r' + 1);
                }
                text.extend(end.bytes());
                let record = text.len();
                text.extend([b'-'; 40]);
                text.extend(b",z\n");
                let mut fields = Vec::new();
                let scan = COMMA.scan(&text, true, &mut fields);
                let first = text.iter().position(|byte| b",\n\r".contains(byte));
                if end == "\r" {
                    assert_eq!(scan, Scan::Bad(LONE_RETURN), "{text:?}");
                } else if length == 0 && end.ends_with("\n") && !end.starts_with(',') {
                    assert_eq!(scan, Scan::Blank { bytes: end.len() }, "{text:?}");
                } else {
                    let bytes = if end.ends_with('\n') { record } else { text.len() };
                    assert_eq!(scan, Scan::Record { bytes, lines: 1 }, "{text:?}");
                    assert_eq!(Some(fields[0].to), first, "{text:?}");
                    let all: Vec<&[u8]> = text[..bytes].trim_ascii_end().split(|byte| *byte == b',').collect();
                    let found: Vec<&[u8]> = fields
                        .iter()
                        .map(|f| &text[f.from - usize::from(f.quoted)..f.to + usize::from(f.quoted)])
                        .collect();
                    assert_eq!(found, all, "{text:?}");
                }
            }
        }
    }

    #[test]
    fn sizes() {
        let check = |text: &str, ended: bool, want: Scan| assert_eq!(COMMA.scan(text.as_bytes(), ended, &mut Vec::new()), want, "{text:?}");
        check("a,\"b\n\n\"\r\nc", false, Scan::Record { bytes: 9, lines: 3 });
        check("\na", false, Scan::Blank { bytes: 1 });
        check("\r\na", false, Scan::Blank { bytes: 2 });
        check("", true, Scan::End);
        check("", false, Scan::More);
        check("a", false, Scan::More);
        check("a\r", false, Scan::More);
        check("\"a\"", false, Scan::More);
        check("a,", false, Scan::More);
    }
}
