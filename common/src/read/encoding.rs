//! Turns the bytes of a text file into UTF-8 and takes the byte order mark off; malformed bytes are an error.

use encoding_rs::{Decoder, DecoderResult, Encoding, UTF_8, UTF_16BE, UTF_16LE};
use shadowdiff_core::error::Error;
use std::io::{self, Read};

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// The text of a file in UTF-8 without byte order mark. UTF-8 itself is passed on unchecked: whoever makes text of it checks.
/// `label`: the encoding that the spec names; `None` where the format is UTF-8 and no spec can say otherwise.
pub(crate) fn utf8(name: &str, label: Option<&str>, bytes: Box<dyn Read + Send>) -> Result<Box<dyn Read + Send>, Error> {
    let Some(label) = label else {
        return without_mark(name, bytes, |_| "write the file as UTF-8".to_owned());
    };
    let Some(encoding) = Encoding::for_label_no_replacement(label.as_bytes()) else {
        return Err(Error::spec(format!(
            "csv.encoding: `{label}` is not a known encoding: take a name such as utf-8, utf-16le or windows-1252"
        )));
    };
    if encoding == UTF_8 {
        return without_mark(name, bytes, |found| {
            format!("write csv: {{encoding: {found}}}, or write the file as UTF-8")
        });
    }
    // UTF-16 says its byte order itself, where it does.
    let decoder = if encoding == UTF_16LE || encoding == UTF_16BE {
        encoding.new_decoder()
    } else {
        encoding.new_decoder_with_bom_removal()
    };
    Ok(Box::new(Transcoder {
        name: name.to_string(),
        encoding,
        decoder,
        bytes,
        input: vec![0; INPUT_BYTES],
        used: 0,
        filled: 0,
        ended: false,
        finished: false,
        line: 1,
    }))
}

/// Whether a label is one of UTF-8: the file's bytes are its text.
pub(super) fn is_utf8(label: &str) -> bool {
    Encoding::for_label_no_replacement(label.as_bytes()) == Some(UTF_8)
}

/// The bytes of the byte order mark at the start of a file in UTF-8.
pub(super) fn mark_bytes(start: &[u8]) -> u64 {
    if start.starts_with(BYTE_ORDER_MARK) {
        BYTE_ORDER_MARK.len() as u64
    } else {
        0
    }
}

/// Bytes at the start of a file that tell UTF-16 from UTF-8.
const START_BYTES: u64 = 512;

fn without_mark(
    name: &str,
    mut bytes: Box<dyn Read + Send>,
    advice: impl Fn(&'static str) -> String,
) -> Result<Box<dyn Read + Send>, Error> {
    let mut start = Vec::new();
    let head = bytes.by_ref().take(START_BYTES).read_to_end(&mut start);
    head.map_err(|error| super::decompress::read_error(name, error))?;
    if let Some(found) = utf16(&start) {
        return Err(Error::input("is UTF-16, not UTF-8").file(name).line(1).advice(advice(found)));
    }
    if start.starts_with(BYTE_ORDER_MARK) {
        start.drain(..BYTE_ORDER_MARK.len());
    }
    Ok(Box::new(io::Cursor::new(start).chain(bytes)))
}

/// The kind of UTF-16 that the start of a file is in: by its mark, or because every other byte is zero, as in text that is mostly ASCII.
fn utf16(start: &[u8]) -> Option<&'static str> {
    if start.starts_with(b"\xff\xfe") {
        return Some("utf-16le");
    }
    if start.starts_with(b"\xfe\xff") {
        return Some("utf-16be");
    }
    let pairs = start.chunks_exact(2);
    let count = pairs.len();
    let zeros = |place: usize| pairs.clone().filter(|pair| pair[place] == 0 && pair[1 - place] != 0).count();
    let is_most = |zeros: usize| count > 1 && zeros * 10 > count * 8;
    match (is_most(zeros(1)), is_most(zeros(0))) {
        (true, _) => Some("utf-16le"),
        (_, true) => Some("utf-16be"),
        (false, false) => None,
    }
}

/// The encoding that the start of a file calls for, if it is not UTF-8; `is_whole`: nothing follows.
pub(super) fn foreign_encoding(start: &[u8], is_whole: bool) -> Option<&'static str> {
    if let Some(found) = utf16(start) {
        return Some(found);
    }
    match std::str::from_utf8(start) {
        Ok(_) => None,
        // The last character is cut.
        Err(error) if error.error_len().is_none() && !is_whole => None,
        Err(_) => Some("windows-1252"),
    }
}

const INPUT_BYTES: usize = 64 * 1024;

const LARGEST_CHARACTER_BYTES: usize = 4;

struct Transcoder {
    name: String,
    encoding: &'static Encoding,
    decoder: Decoder,
    bytes: Box<dyn Read + Send>,
    input: Vec<u8>,
    used: usize,
    filled: usize,
    ended: bool,
    /// The decoder has given everything: it must not be asked again.
    finished: bool,
    /// Of the bytes that come next.
    line: usize,
}

impl Read for Transcoder {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.len() < LARGEST_CHARACTER_BYTES {
            return Err(io::Error::other(Error::internal("a buffer of a few bytes holds no character")));
        }
        while !self.finished {
            if self.used == self.filled && !self.ended {
                self.filled = self.bytes.read(&mut self.input)?;
                self.used = 0;
                self.ended = self.filled == 0;
            }
            let (result, read, written) = self.decode(buffer);
            self.used += read;
            self.line += memchr::memchr_iter(b'\n', &buffer[..written]).count();
            if let Decoded::Malformed = result {
                let wrong = Error::input(format!("bytes that are not {}", self.encoding.name()));
                let wrong = wrong.file(&self.name).line(self.line as u64);
                return Err(io::Error::other(wrong.advice("fix the file or set csv: {encoding: …}")));
            }
            self.finished = self.ended && result == Decoded::All;
            if written > 0 {
                return Ok(written);
            }
        }
        Ok(0)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Decoded {
    All,
    OutputFull,
    Malformed,
}

impl Transcoder {
    fn decode(&mut self, buffer: &mut [u8]) -> (Decoded, usize, usize) {
        let input = &self.input[self.used..self.filled];
        let (result, read, written) = self.decoder.decode_to_utf8_without_replacement(input, buffer, self.ended);
        let result = match result {
            DecoderResult::InputEmpty => Decoded::All,
            DecoderResult::OutputFull => Decoded::OutputFull,
            DecoderResult::Malformed(_, _) => Decoded::Malformed,
        };
        (result, read, written)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_in_its_encoding_or_an_error() {
        let check = |label: &str, bytes: &[u8], want: Result<&str, &str>| {
            let mut text = String::new();
            let read = utf8("data.csv", Some(label), Box::new(io::Cursor::new(bytes.to_vec()))).and_then(|mut reader| {
                let mut buffer = [0; 16];
                loop {
                    match reader
                        .read(&mut buffer)
                        .map_err(|error| crate::read::decompress::read_error("data.csv", error))?
                    {
                        0 => return Ok(()),
                        n => text.push_str(std::str::from_utf8(&buffer[..n]).expect("whole characters")),
                    }
                }
            });
            match want {
                Ok(want) => assert_eq!((read, text.as_str()), (Ok(()), want), "{label}"),
                Err(want) => assert!(
                    read.clone().is_err_and(|error| error.to_string().contains(want)),
                    "{label}: {read:?}"
                ),
            }
        };
        check("utf-8", b"\xef\xbb\xbfa,b\n", Ok("a,b\n"));
        check("UTF8", b"a", Ok("a"));
        check("utf-8", b"", Ok(""));
        check(
            "utf-8",
            b"\xff\xfea\0",
            Err(":1: is UTF-16, not UTF-8; write csv: {encoding: utf-16le}"),
        );
        check("utf-8", b"\0a\0,\0b\0\n", Err("csv: {encoding: utf-16be}"));
        check("utf-8", b"a\0,\0b\0\n\0", Err("csv: {encoding: utf-16le}"));
        check("utf-8", b"a,\0\n", Ok("a,\0\n"));
        check(
            "windows-1252",
            b"\xe9t\xe9 \x80 and more than the buffer",
            Ok("\u{e9}t\u{e9} \u{20ac} and more than the buffer"),
        );
        check("latin1", b"\xe9", Ok("\u{e9}"));
        check("utf-16le", b"a\0\xe9\0", Ok("a\u{e9}"));
        check("utf-16", b"\xff\xfea\0", Ok("a"));
        check("utf-16le", b"\xfe\xff\0a", Ok("a"));
        check("utf-16le", b"a\0\n\0\x3d\xd8b\0", Err("data.csv:2: bytes that are not UTF-16LE"));
        check("utf-16le", b"a\0b", Err(":1: "));
        check("shift_jis", b"a\n\x81", Err(":2: bytes that are not Shift_JIS"));
        check("latin-99", b"a", Err("not a known encoding"));
    }
}
