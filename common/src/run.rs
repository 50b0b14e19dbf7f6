//! Runs: the sorted differences of a compare task, as the merge reads them.
//!
//! ```text
//! record = length u32 little-endian, a difference of that many bytes (`core/src/difference.rs`)
//! ```
//! What must always hold: sort keys ascend strictly within a run.

use crate::spool::{Scratch, Spool, SpoolWriter};
use bytes::Bytes;
use shadowdiff_core::difference::{Difference, SortKey};
use shadowdiff_core::error::{Error, Result};

const LENGTH_BYTES: usize = 4;

/// The difference in the record at the front of `bytes`, and the record's length.
pub fn first(bytes: &[u8]) -> Result<(&[u8], usize)> {
    let broken = || Error::internal("run: a record is cut short");
    let (length, rest) = bytes.split_first_chunk::<LENGTH_BYTES>().ok_or_else(broken)?;
    let length = u32::from_le_bytes(*length) as usize;
    let difference = rest.get(..length).ok_or_else(broken)?;
    Ok((difference, LENGTH_BYTES + length))
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

    pub fn append(&mut self, difference: &Difference<'_>) -> Result<()> {
        encode(difference, &mut self.record);
        let sort_key = SortKey::of(&self.record[LENGTH_BYTES..])?.bytes;
        if sort_key <= self.last_key.as_slice() {
            return Err(Error::internal("run: differences are out of order"));
        }
        self.last_key.clear();
        self.last_key.extend_from_slice(sort_key);
        self.spool.append(&self.record)
    }

    pub fn finish(self) -> Result<Spool> {
        self.spool.finish()
    }
}

fn encode(difference: &Difference<'_>, record: &mut Vec<u8>) {
    record.clear();
    record.extend([0; LENGTH_BYTES]);
    difference.encode(record);
    let length = u32::try_from(record.len() - LENGTH_BYTES).expect("a difference is below 4 GiB");
    record[..LENGTH_BYTES].copy_from_slice(&length.to_le_bytes());
}

/// Reads a run from the front.
#[derive(Debug)]
pub struct RunReader<'a> {
    run: &'a Spool,
    part: Bytes,
    /// Where the current record begins and ends in the part.
    at: usize,
    end: usize,
    next_part: usize,
}

impl<'a> RunReader<'a> {
    pub fn new(run: &'a Spool) -> Self {
        RunReader {
            run,
            part: Bytes::new(),
            at: 0,
            end: 0,
            next_part: 0,
        }
    }

    /// Makes the first record current, or the next; false at the end.
    pub fn advance(&mut self) -> Result<bool> {
        self.at = self.end;
        while self.at >= self.part.len() {
            if self.next_part >= self.run.parts() {
                return Ok(false);
            }
            self.part = self.run.part(self.next_part)?;
            self.next_part += 1;
            (self.at, self.end) = (0, 0);
        }
        self.end += first(&self.part[self.at..])?.1;
        Ok(true)
    }

    /// The current record; only after `advance` said true.
    pub fn record(&self) -> Result<&[u8]> {
        let current = self.part.get(self.at..self.end);
        current.ok_or_else(|| Error::internal("run: no record is current"))
    }

    /// The sort key of the current record.
    pub fn sort_key(&self) -> Result<SortKey<'_>> {
        SortKey::of(first(self.record()?)?.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use shadowdiff_core::difference::{Answer, Answers, Question, StoredValues};
    use shadowdiff_core::side::Side;
    use shadowdiff_core::spec::DifferenceKind;
    use shadowdiff_core::value::{Value, write_value};

    fn of_row(row_key: &[u8]) -> Difference<'_> {
        Difference {
            row_key,
            account_key_bytes: 1,
            kind: DifferenceKind::MissingInLive,
            column: None,
            baseline: Side::Live,
            key: StoredValues::of(&[]),
            live: Value::Null,
            shadow: Value::Null,
            diagnosis: None,
            answers: Answers::default(),
            key_fingerprint: Some(0x0102_0304),
            kept: StoredValues::default(),
        }
    }

    #[test]
    fn records_come_back_in_order() {
        let scratch = Scratch::new(100, None).expect("scratch");
        let mut writer = RunWriter::new(&scratch, 1 << 10);
        let keys: Vec<[u8; 2]> = (0..300u16).map(u16::to_be_bytes).collect();
        let text = "account,é".repeat(100);
        let of = |key| Difference {
            diagnosis: Some(&text),
            ..of_row(key)
        };
        keys.iter().for_each(|key| writer.append(&of(key)).expect("append"));
        assert!(writer.append(&of_row(&keys[3])).is_err(), "out of order");
        let run = writer.finish().expect("finish");
        assert!(run.parts() > 1);
        let mut reader = RunReader::new(&run);
        for key in &keys {
            assert!(reader.advance().expect("advance"));
            assert_eq!(reader.sort_key().expect("a key").row(), key);
            let (difference, length) = first(reader.record().expect("a record")).expect("whole");
            assert_eq!(length, reader.record().expect("a record").len());
            assert_eq!(Difference::decode(difference), Ok(of(key)));
        }
        assert!(!reader.advance().expect("end"));
    }

    #[test]
    fn a_record_is_as_in_the_golden_file() {
        let (mut key, mut answers) = (Vec::new(), Vec::new());
        write_value(&Value::Text("acc"), &mut key);
        write_value(&Value::Int(-300), &mut key);
        Answers::write(Question::Accounts(0), Answer::Yes, &mut answers);
        Answers::write(Question::Filter(1), Answer::Unknown, &mut answers);
        let cell = Difference {
            kind: DifferenceKind::Changed,
            column: Some(2),
            baseline: Side::Shadow,
            key: StoredValues::of(&key),
            live: Value::Float64(1.5),
            shadow: Value::List(vec![Value::Null, Value::Bool(true)]),
            diagnosis: Some("order"),
            answers: Answers::of(&answers),
            key_fingerprint: None,
            kept: StoredValues::of(&key),
            ..of_row(b"key")
        };
        let (mut now, mut record) = (Vec::new(), Vec::new());
        for difference in [cell, of_row(b"row")] {
            encode(&difference, &mut record);
            now.extend_from_slice(&record);
        }
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
