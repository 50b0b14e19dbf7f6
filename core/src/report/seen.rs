//! The accounts of both sides with their rows, for a list of all of them. Scan tasks tell what they have seen; whoever merges adds it up.
//!
//! ```text
//! record = length and sort key, length and fields as they are printed, rows of live, rows of shadow      numbers in the form of `compact`
//! ```

use super::csv::key_cell;
use crate::align::Aligned;
use crate::compact::{read_number, write_number};
use crate::side::Sides;
use crate::spec::Spec;
use crate::value::{Value, read_bytes, read_text, sort_key_in, write_bytes};

/// An account, and how many rows each side has of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeenAccount {
    /// The bytes by which it is sorted.
    pub key: Vec<u8>,
    /// Its fields, as they are printed.
    pub text: String,
    pub rows: Sides<u64>,
}

impl SeenAccount {
    /// Of the account that has these values, without rows yet.
    pub fn new<'a>(values: impl Iterator<Item = Value<'a>>, spec: &Spec, aligned: &Aligned) -> Self {
        let (mut key, mut text) = (Vec::new(), String::new());
        for (at, (value, column)) in values.zip(aligned.key_columns()).enumerate() {
            if at > 0 {
                text.push(',');
            }
            sort_key_in(&value, &column.shown, &mut key);
            key_cell(&value, column, spec.output.spreadsheet_safe, &mut text);
        }
        let rows = Sides::default();
        SeenAccount { key, text, rows }
    }

    /// What it takes in memory, about.
    pub fn bytes(&self) -> usize {
        self.key.len() + self.text.len() + size_of::<SeenAccount>()
    }

    pub fn encode(&self, out: &mut Vec<u8>) {
        write_bytes(&self.key, out);
        write_bytes(self.text.as_bytes(), out);
        write_number(self.rows.live, out);
        write_number(self.rows.shadow, out);
    }

    /// Reads the record at `at` and goes on behind it; `None` where none is.
    pub fn decode(bytes: &[u8], at: &mut usize) -> Option<Self> {
        Some(SeenAccount {
            key: read_bytes(bytes, at)?.to_vec(),
            text: read_text(bytes, at)?.to_owned(),
            rows: Sides::new(read_number(bytes, at)?, read_number(bytes, at)?),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_come_back_and_what_is_cut_short_does_not() {
        let seen = |key: &[u8], live| SeenAccount {
            key: key.to_vec(),
            text: "a,\"\"".to_owned(),
            rows: Sides::new(live, 300),
        };
        let all = [seen(b"", 0), seen(b"key", u64::MAX)];
        let mut bytes = Vec::new();
        all.iter().for_each(|account| account.encode(&mut bytes));
        let mut at = 0;
        let found = [0, 1].map(|_| SeenAccount::decode(&bytes, &mut at));
        assert_eq!(found, all.map(Some));
        assert_eq!(at, bytes.len());
        for end in 0..bytes.len() / 2 {
            assert_eq!(SeenAccount::decode(&bytes[..end.min(7)], &mut 0), None, "cut at {end}");
        }
    }
}
