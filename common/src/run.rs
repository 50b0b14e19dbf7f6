//! Runs: the sorted lines of a compare task, as the merge reads them.
//!
//! ```text
//! record = length u32, sort key length u32, account key length u32, account text length u32, rule i32, stratum u32, sort key, line
//! sort key = the key's values, column number u32, kind u8, all ordered by their bytes; the account is a prefix of it
//! line     = the CSV line with its line feed; the account's fields are a prefix of it
//! rule     = the rule's number, or -1 for an exception
//! stratum  = the column's number, or the number of columns plus the kind's for row-level kinds
//! ```
//! All numbers little-endian. What must always hold: sort keys ascend strictly within a run.

use crate::spool::{Scratch, Spool, SpoolWriter};
use bytes::Bytes;
use shadowdiff_core::error::{Error, Result};

const HEADER_BYTES: usize = 24;
/// Bytes of the sort key after the key's values: the column's number and the kind.
pub const SUFFIX_BYTES: usize = 5;

/// One line with what the merge needs to know of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record<'a> {
    pub sort_key: &'a [u8],
    pub account_key_bytes: usize,
    pub account_text_bytes: usize,
    /// `None`: an exception.
    pub rule: Option<u32>,
    pub stratum: u32,
    pub line: &'a str,
}

impl<'a> Record<'a> {
    /// The key without column and kind: the same for all lines of a row.
    pub fn row_key(&self) -> &'a [u8] {
        &self.sort_key[..self.sort_key.len() - SUFFIX_BYTES]
    }

    pub fn account_key(&self) -> &'a [u8] {
        &self.sort_key[..self.account_key_bytes]
    }

    pub fn account_text(&self) -> &'a str {
        &self.line[..self.account_text_bytes]
    }

    fn encode(&self, out: &mut Vec<u8>) {
        let word = |n: usize| u32::try_from(n).expect("a line is below 4 GiB").to_le_bytes();
        out.extend(word(HEADER_BYTES - 4 + self.sort_key.len() + self.line.len()));
        out.extend(word(self.sort_key.len()));
        out.extend(word(self.account_key_bytes));
        out.extend(word(self.account_text_bytes));
        out.extend(self.rule.map_or(-1, |r| i32::try_from(r).expect("rules are few")).to_le_bytes());
        out.extend(self.stratum.to_le_bytes());
        out.extend(self.sort_key);
        out.extend(self.line.as_bytes());
    }
}

/// Reads the record at the front of `bytes` and its length in all.
pub fn decode(bytes: &[u8]) -> Result<(Record<'_>, usize)> {
    let broken = || Error::internal("run: a record is cut short");
    let word = |at: usize| {
        bytes
            .get(at..at + 4)
            .map(|b| u32::from_le_bytes([b[0], b[1], b[2], b[3]]))
            .ok_or_else(broken)
    };
    let length = word(0)? as usize + 4;
    let key_end = HEADER_BYTES + word(4)? as usize;
    let sort_key = bytes.get(HEADER_BYTES..key_end).ok_or_else(broken)?;
    let line = bytes.get(key_end..length).ok_or_else(broken)?;
    let line = std::str::from_utf8(line).map_err(|_| Error::internal("run: a line is not UTF-8"))?;
    let rule = u32::try_from(word(16)? as i32).ok();
    let record = Record {
        sort_key,
        account_key_bytes: word(8)? as usize,
        account_text_bytes: word(12)? as usize,
        rule,
        stratum: word(20)?,
        line,
    };
    Ok((record, length))
}

/// Writes one run.
#[derive(Debug)]
pub struct RunWriter {
    spool: SpoolWriter,
    record: Vec<u8>,
    last_key: Vec<u8>,
}

impl RunWriter {
    /// `part_bytes`: what a merge of many runs holds of each at a time.
    pub fn new(scratch: &Scratch, part_bytes: usize) -> Self {
        RunWriter {
            spool: SpoolWriter::new(scratch, part_bytes),
            record: Vec::new(),
            last_key: Vec::new(),
        }
    }

    pub fn append(&mut self, record: &Record<'_>) -> Result<()> {
        if record.sort_key <= self.last_key.as_slice() {
            return Err(Error::internal("run: lines are out of order"));
        }
        self.last_key.clear();
        self.last_key.extend(record.sort_key);
        self.record.clear();
        record.encode(&mut self.record);
        self.spool.append(&self.record)
    }

    pub fn finish(self) -> Result<Spool> {
        self.spool.finish()
    }
}

/// Reads a run from the front.
#[derive(Debug)]
pub struct RunReader<'a> {
    run: &'a Spool,
    part: Bytes,
    at: usize,
    next_part: usize,
}

impl<'a> RunReader<'a> {
    pub fn new(run: &'a Spool) -> Self {
        RunReader {
            run,
            part: Bytes::new(),
            at: 0,
            next_part: 0,
        }
    }

    /// Makes the first record current, or the next; false at the end.
    pub fn advance(&mut self) -> Result<bool> {
        if self.at < self.part.len() {
            self.at += decode(&self.part[self.at..])?.1;
        }
        while self.at >= self.part.len() {
            if self.next_part >= self.run.parts() {
                return Ok(false);
            }
            self.part = self.run.part(self.next_part)?;
            self.next_part += 1;
            self.at = 0;
        }
        Ok(true)
    }

    /// The current record; only after `advance` said true.
    pub fn current(&self) -> Result<Record<'_>> {
        Ok(decode(&self.part[self.at..])?.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_come_back_in_order() {
        let scratch = Scratch::new(100, None).expect("scratch");
        let mut writer = RunWriter::new(&scratch, 1 << 10);
        let keys: Vec<Vec<u8>> = (0..300u16).map(|i| [&i.to_be_bytes()[..], &[0; SUFFIX_BYTES]].concat()).collect();
        let line = "account,é\n".repeat(100);
        for (i, key) in keys.iter().enumerate() {
            let rule = (i % 2 == 0).then_some(i as u32);
            writer
                .append(&Record {
                    sort_key: key,
                    account_key_bytes: 1,
                    account_text_bytes: 7,
                    rule,
                    stratum: 9,
                    line: &line,
                })
                .expect("append");
        }
        assert!(
            writer
                .append(&Record {
                    sort_key: &keys[3],
                    account_key_bytes: 1,
                    account_text_bytes: 7,
                    rule: None,
                    stratum: 0,
                    line: ""
                })
                .is_err()
        );
        let run = writer.finish().expect("finish");
        assert!(run.parts() > 1);
        let mut reader = RunReader::new(&run);
        for (i, key) in keys.iter().enumerate() {
            assert!(reader.advance().expect("advance"));
            let record = reader.current().expect("record");
            assert_eq!(
                (record.sort_key, record.rule, record.account_text()),
                (key.as_slice(), (i % 2 == 0).then_some(i as u32), "account")
            );
        }
        assert!(!reader.advance().expect("end"));
    }

    #[test]
    fn a_record_is_as_in_the_golden_file() {
        let record = Record {
            sort_key: b"key\0\0\0\0\x01\x02",
            account_key_bytes: 2,
            account_text_bytes: 3,
            rule: Some(4),
            stratum: 5,
            line: "acc,row,changed\n",
        };
        let mut now = Vec::new();
        record.encode(&mut now);
        Record { rule: None, ..record }.encode(&mut now);
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/run.bin");
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            std::fs::write(path, &now).expect("the golden file can be written");
        }
        assert!(
            std::fs::read(path).expect("the golden file") == now,
            "run with UPDATE_GOLDEN=1 if the change is meant"
        );
    }
}
