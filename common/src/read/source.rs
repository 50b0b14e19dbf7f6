//! The bytes of a text file, a window at a time that grows until it holds a whole record.

use super::decompress::read_error;
use shadowdiff_core::error::{Error, Result};
use std::collections::VecDeque;
use std::io::{ErrorKind, Read};

/// A longer record, quoted line breaks and all, is an error: most likely a quote or a bracket is never closed.
const RECORD_LIMIT_BYTES: usize = 64 * 1024 * 1024;

/// The window at the start, and the least that is read at once.
const WINDOW_BYTES: usize = 256 * 1024;

/// Whole records at the start of a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct WholeRecords {
    /// With the line end of the last one; 0: the window holds no whole record.
    pub(super) bytes: usize,
    pub(super) lines: u64,
    pub(super) rows: u64,
    /// Whether the next record may be the first of a piece: not after an empty line, which is an error where rows follow it.
    pub(super) may_cut: bool,
}

/// Where the bytes go on with another line than the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Jump {
    pub(super) at: u64,
    pub(super) line: u64,
    /// Rows of the file before it.
    pub(super) rows_before: u64,
}

pub(super) struct Source {
    name: String,
    bytes: Box<dyn Read + Send>,
    window: Vec<u8>,
    from: usize,
    to: usize,
    ended: bool,
    /// The physical line, from 1, that the window begins in.
    line: u64,
    /// The byte of all that the window begins at, and the jumps behind it.
    at: u64,
    jumps: VecDeque<Jump>,
    jumped_to: Option<u64>,
}

impl Source {
    pub(super) fn new(name: &str, bytes: Box<dyn Read + Send>) -> Self {
        Source {
            name: name.to_string(),
            bytes,
            window: vec![0; WINDOW_BYTES],
            from: 0,
            to: 0,
            ended: false,
            line: 1,
            at: 0,
            jumps: VecDeque::new(),
            jumped_to: None,
        }
    }

    /// Lines of a file that need not follow each other.
    pub(super) fn with_jumps(name: &str, bytes: Box<dyn Read + Send>, jumps: &[Jump]) -> Self {
        let mut source = Source {
            jumps: jumps.iter().copied().collect(),
            ..Source::new(name, bytes)
        };
        source.take(0, 0);
        source
    }

    /// A file from a line on that need not be its first: these are its bytes from there.
    pub(super) fn from(name: &str, bytes: Box<dyn Read + Send>, lines_before: u64) -> Self {
        Source {
            line: lines_before + 1,
            ..Source::new(name, bytes)
        }
    }

    /// What is read and not yet taken.
    pub(super) fn window(&self) -> &[u8] {
        &self.window[self.from..self.to]
    }

    /// The rows of the file before the window, the first time that this is asked for after a jump.
    pub(super) fn take_jump(&mut self) -> Option<u64> {
        self.jumped_to.take()
    }

    /// Whether nothing comes after the window.
    pub(super) fn has_ended(&self) -> bool {
        self.ended
    }

    pub(super) fn line(&self) -> u64 {
        self.line
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn take(&mut self, bytes: usize, lines: u64) {
        self.from += bytes;
        self.at += bytes as u64;
        self.line += lines;
        while let Some(jump) = self.jumps.pop_front_if(|jump| jump.at <= self.at) {
            self.line = jump.line;
            self.jumped_to = Some(jump.rows_before);
        }
    }

    /// An error at the line that the window begins in.
    pub(super) fn wrong(&self, what: impl Into<String>) -> Error {
        self.wrong_at(self.line, what)
    }

    pub(super) fn wrong_at(&self, line: u64, what: impl Into<String>) -> Error {
        Error::input(what).file(&self.name).line(line)
    }

    /// Makes the window at least twice as large, unless the file ends before: so scanning it again stays cheap.
    pub(super) fn more(&mut self) -> Result<()> {
        let wanted = 2 * self.window().len().max(WINDOW_BYTES / 2);
        if self.window().len() >= RECORD_LIMIT_BYTES {
            let what = format!("a record of more than {} MiB", RECORD_LIMIT_BYTES >> 20);
            return Err(self.wrong(what).advice("is a quote not closed?"));
        }
        self.window.copy_within(self.from..self.to, 0);
        (self.from, self.to) = (0, self.to - self.from);
        if self.window.len() < wanted {
            self.window.resize(wanted, 0);
        }
        while self.to < wanted && !self.ended {
            match self.bytes.read(&mut self.window[self.to..]) {
                Ok(0) => self.ended = true,
                // The last bytes of the window may be too few for one character of a transcoder.
                Ok(read) if self.window.len() - self.to - read < 8 => {
                    self.to += read;
                    break;
                }
                Ok(read) => self.to += read,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(read_error(&self.name, error)),
            }
        }
        Ok(())
    }
}
