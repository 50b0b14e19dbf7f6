//! One difference as the compare stage finds it: what it is, not yet what the rules say of it. It travels in this form to where results are
//! merged, so that other rules or another output need no second comparison.
//!
//! ```text
//! difference = version u8, row key length, account key length, sort key, baseline u8, key, live, shadow, diagnosis, answers, fingerprint, kept
//! sort key   = row key, column number u32, kind u8, all ordered by their bytes; the account key begins the row key
//! key        = length, the key's values            baseline  = 0 live, 1 shadow
//! kept       = length, the values of the live row, then those of the shadow row
//! fingerprint = length 0 or 16, of the key, little-endian
//! diagnosis  = length, text; empty for none        answers   = length, one number for each that is not no:
//!                                                              rule * 4, + 2 for its `where`, + 1 where the answer is not known
//! ```
//! Numbers and lengths are in the form of `compact` unless said otherwise, values in that of `value/stored.rs`, the ordered bytes in that of
//! `value/sort_key.rs`. The column of a whole row is the largest number.

use crate::compact::{read_number, write_number};
use crate::error::{Error, Result};
use crate::side::Side;
use crate::spec::DifferenceKind;
use crate::value::{Value, read_bytes, read_text, read_value, write_bytes, write_value};

/// The version of the form; another one is refused.
pub const DIFFERENCE_VERSION: u8 = 4;

/// The sort key's bytes behind the row key: the column's number and the kind.
const SUFFIX_BYTES: usize = 5;

/// A changed cell, or a whole row.
#[derive(Debug, Clone, PartialEq)]
pub struct Difference<'a> {
    /// The key's values in the order of their bytes: the same for all differences of a row.
    pub row_key: &'a [u8],
    /// How many of them are the account's.
    pub account_key_bytes: usize,
    pub kind: DifferenceKind,
    /// Index into the aligned columns; `None` for row-level kinds.
    pub column: Option<usize>,
    /// The side of the old value.
    pub baseline: Side,
    pub key: StoredValues<'a>,
    /// Of a struct that one side lacks, the members that are compared. The counts of rows of a duplicate key.
    pub live: Value<'a>,
    pub shadow: Value<'a>,
    pub diagnosis: Option<&'a str>,
    pub answers: Answers<'a>,
    /// Of rows that one side alone has left: by it the other side is asked whether it has the key.
    pub key_fingerprint: Option<u128>,
    /// Of the columns that the plan keeps, in its order: the values of the live row, then those of the shadow row; NULL where there is none.
    /// None of a duplicate key, which has several rows.
    pub kept: StoredValues<'a>,
}

/// Where a difference stands among all, read without the rest of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SortKey<'a> {
    pub bytes: &'a [u8],
    account_key_bytes: usize,
}

impl<'a> SortKey<'a> {
    /// Of an encoded difference.
    pub fn of(bytes: &'a [u8]) -> Result<Self> {
        SortKey::read(bytes, &mut 0).ok_or_else(|| broken(bytes))
    }

    fn read(bytes: &'a [u8], at: &mut usize) -> Option<Self> {
        if *bytes.first()? != DIFFERENCE_VERSION {
            return None;
        }
        *at = 1;
        let row_key_bytes = usize::try_from(read_number(bytes, at)?).ok()?;
        let account_key_bytes = usize::try_from(read_number(bytes, at)?).ok()?;
        let end = at.checked_add(row_key_bytes)?.checked_add(SUFFIX_BYTES)?;
        let sort_key = bytes.get(*at..end).filter(|_| account_key_bytes <= row_key_bytes)?;
        *at = end;
        Some(SortKey {
            bytes: sort_key,
            account_key_bytes,
        })
    }

    /// The same for all differences of a row.
    pub fn row(&self) -> &'a [u8] {
        &self.bytes[..self.bytes.len() - SUFFIX_BYTES]
    }

    pub fn account(&self) -> &'a [u8] {
        &self.bytes[..self.account_key_bytes]
    }

    fn suffix(&self) -> [u8; SUFFIX_BYTES] {
        self.bytes[self.bytes.len() - SUFFIX_BYTES..]
            .try_into()
            .expect("a sort key ends with it")
    }

    pub fn column(&self) -> Option<usize> {
        let [a, b, c, d, _] = self.suffix();
        let number = u32::from_be_bytes([a, b, c, d]);
        (number != u32::MAX).then_some(number as usize)
    }

    pub fn kind(&self) -> Result<DifferenceKind> {
        let [.., kind] = self.suffix();
        let found = DifferenceKind::ALL.into_iter().find(|known| *known as u8 == kind);
        found.ok_or_else(|| Error::internal(format!("a stored difference is of kind {kind}, which there is not")))
    }
}

impl<'a> Difference<'a> {
    /// Appends the difference.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.push(DIFFERENCE_VERSION);
        write_number(self.row_key.len() as u64, out);
        write_number(self.account_key_bytes as u64, out);
        out.extend_from_slice(self.row_key);
        let column = self.column.map_or(u32::MAX, |column| column as u32);
        out.extend(column.to_be_bytes());
        out.extend([self.kind as u8, self.baseline as u8]);
        write_bytes(self.key.0, out);
        write_value(&self.live, out);
        write_value(&self.shadow, out);
        write_bytes(self.diagnosis.unwrap_or_default().as_bytes(), out);
        write_bytes(self.answers.0, out);
        let fingerprint = self.key_fingerprint.map(u128::to_le_bytes);
        write_bytes(fingerprint.as_ref().map_or(&[], <[u8; 16]>::as_slice), out);
        write_bytes(self.kept.0, out);
    }

    /// Reads what `encode` wrote; texts and bytes stay where they are.
    pub fn decode(bytes: &'a [u8]) -> Result<Self> {
        let mut at = 0;
        let sort_key = SortKey::read(bytes, &mut at).ok_or_else(|| broken(bytes))?;
        let kind = sort_key.kind()?;
        let read = |at: &mut usize| {
            let baseline = match read_baseline(bytes, at)? {
                0 => Side::Live,
                1 => Side::Shadow,
                _ => return None,
            };
            Some(Difference {
                row_key: sort_key.row(),
                account_key_bytes: sort_key.account_key_bytes,
                kind,
                column: sort_key.column(),
                baseline,
                key: StoredValues(read_bytes(bytes, at)?),
                live: read_value(bytes, at)?,
                shadow: read_value(bytes, at)?,
                diagnosis: Some(read_text(bytes, at)?).filter(|text| !text.is_empty()),
                answers: Answers(read_bytes(bytes, at)?),
                key_fingerprint: match read_bytes(bytes, at)? {
                    [] => None,
                    fingerprint => Some(u128::from_le_bytes(fingerprint.try_into().ok()?)),
                },
                kept: StoredValues(read_bytes(bytes, at)?),
            })
        };
        read(&mut at).filter(|_| at == bytes.len()).ok_or_else(|| broken(bytes))
    }

    pub fn account_key(&self) -> &'a [u8] {
        &self.row_key[..self.account_key_bytes]
    }
}

fn read_baseline(bytes: &[u8], at: &mut usize) -> Option<u8> {
    let found = *bytes.get(*at)?;
    *at += 1;
    Some(found)
}

fn broken(bytes: &[u8]) -> Error {
    match bytes.first() {
        Some(&version) if version != DIFFERENCE_VERSION => Error::internal(format!(
            "a stored difference has version {version}; this program reads version {DIFFERENCE_VERSION}"
        )),
        Some(_) | None => Error::internal("a stored difference does not read back as it was written"),
    }
}

/// Values behind each other, as they are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StoredValues<'a>(&'a [u8]);

impl<'a> StoredValues<'a> {
    /// What `write_value` has appended, value by value.
    pub fn of(stored: &'a [u8]) -> Self {
        StoredValues(stored)
    }

    /// The first values as they are stored, and those behind them; all, where there are not so many.
    pub fn split(self, first: usize) -> (&'a [u8], StoredValues<'a>) {
        let mut at = 0;
        let is_read = (0..first).all(|_| read_value(self.0, &mut at).is_some());
        let (first, rest) = self.0.split_at(if is_read { at } else { self.0.len() });
        (first, StoredValues(rest))
    }

    /// Those behind the first ones, where these are stored in these bytes.
    pub fn behind(self, first: &[u8]) -> Option<StoredValues<'a>> {
        self.0.strip_prefix(first).map(StoredValues)
    }

    /// Ends where the bytes do, or hold no value.
    pub fn values(self) -> impl Iterator<Item = Value<'a>> {
        let mut at = 0;
        std::iter::from_fn(move || read_value(self.0, &mut at))
    }
}

/// What SQL has to answer about a difference.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Question {
    /// `accounts.where` of the rule, on the baseline row or the only one.
    Accounts(usize),
    /// `where` of the rule, on the cell and its rows.
    Filter(usize),
}

impl Question {
    fn number(self) -> u64 {
        match self {
            Question::Accounts(rule) => (rule as u64) << 2,
            Question::Filter(rule) => (rule as u64) << 2 | 2,
        }
    }
}

/// What SQL said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    No,
    Yes,
    /// The condition failed for this row or one beside it, and no rule came to this one: nobody asked it alone.
    Unknown,
}

/// What SQL said about a difference, rule by rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Answers<'a>(&'a [u8]);

impl<'a> Answers<'a> {
    /// What [`Answers::write`] has appended.
    pub fn of(stored: &'a [u8]) -> Self {
        Answers(stored)
    }

    /// Appends an answer to a list.
    pub fn write(question: Question, answer: Answer, list: &mut Vec<u8>) {
        match answer {
            Answer::No => {}
            Answer::Yes => write_number(question.number(), list),
            Answer::Unknown => write_number(question.number() | 1, list),
        }
    }

    pub fn to(self, question: Question) -> Answer {
        let (wanted, mut at) = (question.number(), 0);
        while let Some(number) = read_number(self.0, &mut at) {
            if number == wanted {
                return Answer::Yes;
            }
            if number == wanted | 1 {
                return Answer::Unknown;
            }
        }
        Answer::No
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stored(values: &[Value<'_>]) -> Vec<u8> {
        let mut bytes = Vec::new();
        values.iter().for_each(|value| write_value(value, &mut bytes));
        bytes
    }

    fn encoded(difference: &Difference<'_>) -> Vec<u8> {
        let mut bytes = Vec::new();
        difference.encode(&mut bytes);
        bytes
    }

    const CELL: Difference<'static> = Difference {
        row_key: b"account-row",
        account_key_bytes: 7,
        kind: DifferenceKind::Changed,
        column: Some(3),
        baseline: Side::Shadow,
        key: StoredValues(&[]),
        live: Value::Text("old"),
        shadow: Value::Null,
        diagnosis: Some("null_appeared"),
        answers: Answers(&[]),
        key_fingerprint: None,
        kept: StoredValues(&[]),
    };

    #[test]
    fn differences_come_back_and_what_is_cut_short_does_not() {
        let key = stored(&[Value::Text("é"), Value::Int(7)]);
        let mut answers = Vec::new();
        Answers::write(Question::Filter(700), Answer::Yes, &mut answers);
        let cell = Difference {
            key: StoredValues::of(&key),
            answers: Answers::of(&answers),
            kept: StoredValues::of(&key),
            ..CELL
        };
        let row = Difference {
            kind: DifferenceKind::DuplicateKey,
            column: None,
            baseline: Side::Live,
            live: Value::Int(2),
            shadow: Value::Int(0),
            diagnosis: None,
            key_fingerprint: Some(u128::MAX - 7),
            ..cell.clone()
        };
        for difference in [cell, row] {
            let bytes = encoded(&difference);
            assert_eq!(Difference::decode(&bytes), Ok(difference.clone()));
            let sort_key = SortKey::of(&bytes).expect("it has one");
            assert_eq!((sort_key.row(), sort_key.account()), (&b"account-row"[..], &b"account"[..]));
            assert_eq!((sort_key.kind(), sort_key.column()), (Ok(difference.kind), difference.column));
            let values: Vec<Value<'_>> = difference.key.values().collect();
            assert_eq!(values, [Value::Text("é"), Value::Int(7)]);
            for end in 0..bytes.len() {
                assert!(Difference::decode(&bytes[..end]).is_err(), "cut at {end}");
            }
            assert!(Difference::decode(&[&bytes[..], &[0]].concat()).is_err(), "something behind it");
        }
    }

    #[test]
    fn another_version_is_refused_by_name() {
        let mut bytes = encoded(&CELL);
        bytes[0] = 9;
        for error in [
            Difference::decode(&bytes).expect_err("newer"),
            SortKey::of(&bytes).expect_err("newer"),
        ] {
            assert!(error.to_string().contains("has version 9"), "{error}");
        }
    }

    #[test]
    fn differences_stand_by_key_then_column_then_kind() {
        let of = |row_key: &'static [u8], column, kind| {
            let difference = Difference {
                row_key,
                account_key_bytes: 1,
                column,
                kind,
                ..CELL
            };
            SortKey::of(&encoded(&difference))
                .map(|key| key.bytes.to_vec())
                .expect("it has one")
        };
        let sorted = [
            of(b"a", Some(2), DifferenceKind::Changed),
            of(b"a", Some(300), DifferenceKind::Changed),
            of(b"a", None, DifferenceKind::MissingInLive),
            of(b"a", None, DifferenceKind::DuplicateKey),
            of(b"b", Some(0), DifferenceKind::Changed),
        ];
        assert!(sorted.is_sorted());
    }

    #[test]
    fn answers_are_found_by_rule_and_what_is_not_said_is_no() {
        let said = [
            (Question::Accounts(0), Answer::Yes),
            (Question::Filter(0), Answer::No),
            (Question::Accounts(1), Answer::No),
            (Question::Filter(1), Answer::Unknown),
            (Question::Filter(60), Answer::Yes),
        ];
        let mut list = Vec::new();
        said.iter()
            .for_each(|(question, answer)| Answers::write(*question, *answer, &mut list));
        for (question, answer) in said {
            assert_eq!(Answers::of(&list).to(question), answer, "{question:?}");
        }
        assert_eq!(Answers::of(&list).to(Question::Accounts(60)), Answer::No);
        assert_eq!(Answers::default().to(Question::Filter(0)), Answer::No);
    }
}
