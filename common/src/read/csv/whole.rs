//! How many whole records lie at the start of some bytes of a CSV file, without a look into each where none is quoted.

use super::record::{Dialect, Field, Scan};
use super::{default_delimiter, dialect};
use crate::read::source::WholeRecords;
use shadowdiff_core::error::Result;
use shadowdiff_core::spec::{CsvOptions, Header};

/// Tells records apart that follow each other.
pub(in crate::read) struct CsvRecords {
    dialect: Dialect,
    fields: Vec<Field>,
    /// The next record is no row.
    is_header_next: bool,
}

impl CsvRecords {
    pub(in crate::read) fn new(options: &CsvOptions, name: &str) -> Result<Self> {
        Ok(CsvRecords {
            dialect: dialect(options, default_delimiter(name))?,
            fields: Vec::new(),
            is_header_next: options.header == Header::Present,
        })
    }

    /// The whole records at the start of `window`, which begins with one; of a file with a header first that alone.
    pub(in crate::read) fn whole(&mut self, window: &[u8], ended: bool) -> WholeRecords {
        if self.is_header_next {
            let header = self.one(window, ended);
            self.is_header_next = header.bytes == 0;
            return WholeRecords { rows: 0, ..header };
        }
        // Up to the first quote every line end is the end of a record.
        let quote = memchr::memchr(self.dialect.quote, window);
        let before = unquoted(&window[..quote.unwrap_or(window.len())]);
        match quote {
            Some(_) if before.bytes == 0 => self.one(window, ended),
            _ => before,
        }
    }

    /// Begins behind the header.
    pub(in crate::read) fn pass_header(&mut self) {
        self.is_header_next = false;
    }

    /// The first record of a window, if it is whole.
    pub(in crate::read) fn one(&mut self, window: &[u8], ended: bool) -> WholeRecords {
        let (bytes, lines, may_cut) = match self.dialect.scan(window, ended, &mut self.fields) {
            Scan::Record { bytes, lines } => (bytes, lines, true),
            Scan::Blank { bytes } => (bytes, 1, false),
            Scan::More | Scan::End | Scan::Bad(_) => return WholeRecords::default(),
        };
        WholeRecords {
            bytes,
            lines,
            rows: 1,
            may_cut,
        }
    }
}

fn unquoted(window: &[u8]) -> WholeRecords {
    let Some(last) = memchr::memrchr(b'\n', window) else {
        return WholeRecords::default();
    };
    let lines = memchr::memchr_iter(b'\n', &window[..=last]).count() as u64;
    let line = window[..last].strip_suffix(b"\r").unwrap_or(&window[..last]);
    WholeRecords {
        bytes: last + 1,
        lines,
        rows: lines,
        may_cut: line.last().is_some_and(|byte| *byte != b'\n'),
    }
}
