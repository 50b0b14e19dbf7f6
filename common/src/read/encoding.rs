//! Turns the bytes of a text file into UTF-8 and takes the byte order mark off; malformed bytes are an error.

use encoding_rs::{Decoder, DecoderResult, Encoding, UTF_8, UTF_16BE, UTF_16LE};
use shadowdiff_core::error::Error;
use std::io::{self, Read};

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// The text of a file in UTF-8 without byte order mark. UTF-8 itself is passed on unchecked: whoever makes text of it checks.
pub(crate) fn utf8(name: &str, label: &str, bytes: Box<dyn Read + Send>) -> Result<Box<dyn Read + Send>, Error> {
    let Some(encoding) = Encoding::for_label_no_replacement(label.as_bytes()) else {
        return Err(Error::spec(format!(
            "csv.encoding: '{label}' is no known encoding: take a name such as utf-8, utf-16le or windows-1252"
        )));
    };
    if encoding == UTF_8 {
        return without_mark(name, bytes);
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

fn without_mark(name: &str, mut bytes: Box<dyn Read + Send>) -> Result<Box<dyn Read + Send>, Error> {
    let mut start = Vec::with_capacity(BYTE_ORDER_MARK.len());
    let head = bytes.by_ref().take(BYTE_ORDER_MARK.len() as u64).read_to_end(&mut start);
    head.map_err(|error| super::decompress::read_error(name, error))?;
    if start.starts_with(b"\xff\xfe") || start.starts_with(b"\xfe\xff") {
        return Err(Error::input(format!(
            "{name}: line 1: is UTF-16, not UTF-8: write the file as UTF-8 or set csv: {{encoding: utf-16le}}"
        )));
    }
    if start == BYTE_ORDER_MARK {
        start.clear();
    }
    Ok(Box::new(io::Cursor::new(start).chain(bytes)))
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
                let (name, line, encoding) = (&self.name, self.line, self.encoding.name());
                let message = format!("{name}: line {line}: bytes that are no {encoding}: fix the file or set csv: {{encoding: …}}");
                return Err(io::Error::other(Error::input(message)));
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
            let read = utf8("data.csv", label, Box::new(io::Cursor::new(bytes.to_vec()))).and_then(|mut reader| {
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
                Err(want) => assert!(read.clone().is_err_and(|error| error.message.contains(want)), "{label}: {read:?}"),
            }
        };
        check("utf-8", b"\xef\xbb\xbfa,b\n", Ok("a,b\n"));
        check("UTF8", b"a", Ok("a"));
        check("utf-8", b"", Ok(""));
        check("utf-8", b"\xff\xfea\0", Err("line 1: is UTF-16"));
        check(
            "windows-1252",
            b"\xe9t\xe9 \x80 and more than the buffer",
            Ok("\u{e9}t\u{e9} \u{20ac} and more than the buffer"),
        );
        check("latin1", b"\xe9", Ok("\u{e9}"));
        check("utf-16le", b"a\0\xe9\0", Ok("a\u{e9}"));
        check("utf-16", b"\xff\xfea\0", Ok("a"));
        check("utf-16le", b"\xfe\xff\0a", Ok("a"));
        check(
            "utf-16le",
            b"a\0\n\0\x3d\xd8b\0",
            Err("data.csv: line 2: bytes that are no UTF-16LE"),
        );
        check("utf-16le", b"a\0b", Err("line 1"));
        check("shift_jis", b"a\n\x81", Err("line 2: bytes that are no Shift_JIS"));
        check("latin-99", b"a", Err("no known encoding"));
    }
}
