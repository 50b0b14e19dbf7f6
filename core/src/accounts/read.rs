//! Reads lists of accounts, written as text, into sets.

use super::{AccountSet, Packer};
use crate::align::Column;
use crate::error::{Error, Result};
use crate::row::canon;
use crate::side::Sides;
use crate::value::{Number, Value, ValueType, parse_into, value_at};
use arrow_array::{Array, ArrayRef, StringArray};

/// Accounts of a list in the spec that are read at a time.
const LISTED_ROWS: usize = 1024;

/// An entry of a list that is not an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadAccount {
    /// Its place in what was given, from 0.
    pub row: usize,
    pub why: String,
}

/// Makes a set of accounts that are read from text, as values of the account columns.
#[derive(Debug)]
pub struct AccountReader<'a> {
    columns: Vec<&'a Column>,
    packer: Packer,
    account: Vec<u8>,
}

impl<'a> AccountReader<'a> {
    pub fn new(columns: &[&'a Column]) -> Self {
        AccountReader {
            columns: columns.to_vec(),
            packer: Packer::default(),
            account: Vec::new(),
        }
    }

    /// Adds accounts, an array an account column. A row that is NULL in one of them is not an account.
    pub fn push(&mut self, texts: &[&StringArray]) -> Result<(), BadAccount> {
        let rows = texts.first().map_or(0, |column| column.len());
        // All at a time is much faster than one by one; what is not read so is looked at for itself.
        let read = |(texts, column): (&&StringArray, &&Column)| parse_into(texts, &column.stored.live).ok();
        let read: Vec<Option<ArrayRef>> = texts.iter().zip(&self.columns).map(read).collect();
        for row in (0..rows).filter(|row| texts.iter().all(|column| column.is_valid(*row))) {
            self.account.clear();
            for ((texts, read), column) in texts.iter().zip(&read).zip(&self.columns) {
                let (text, read) = (texts.value(row), read.as_ref().map(|read| value_at(read.as_ref(), row)));
                match read.filter(|value| is_exact(text, value)) {
                    Some(value) => canon(&value, &mut self.account),
                    None => read_value(text, column, &mut self.account).map_err(|why| BadAccount { row, why })?,
                }
            }
            self.packer.push(&self.account);
        }
        Ok(())
    }

    pub fn finish(self) -> AccountSet {
        self.packer.finish()
    }
}

impl AccountSet {
    /// Reads the accounts of the spec's list at `field`, one inner list per account.
    pub fn parse(accounts: &[Vec<String>], columns: &[&Column], field: &str) -> Result<Self> {
        let wrong = |at: usize, what: String| Error::spec(what).field(format!("{field}[{at}]"));
        if let Some(at) = accounts.iter().position(|account| account.len() != columns.len()) {
            let (given, wanted) = (accounts[at].len(), columns.len());
            return Err(wrong(at, format!("has {given} values, but an account has {wanted}")));
        }
        let mut reader = AccountReader::new(columns);
        for (number, some) in accounts.chunks(LISTED_ROWS).enumerate() {
            let texts = |column: usize| StringArray::from_iter_values(some.iter().map(|account| &account[column]));
            let texts: Vec<StringArray> = (0..columns.len()).map(texts).collect();
            let read = reader.push(&texts.iter().collect::<Vec<_>>());
            read.map_err(|bad| wrong(number * LISTED_ROWS + bad.row, bad.why))?;
        }
        Ok(reader.finish())
    }
}

/// Appends the canonical bytes of one value of an account, which the types of either side may hold exactly: an integer beyond 2^53 is no
/// double, and a nanosecond has no place among all years. Only what none holds exactly, such as 0.1, is the nearest float that prints as it.
fn read_value(text: &str, column: &Column, out: &mut Vec<u8>) -> Result<(), String> {
    let texts = StringArray::from(vec![text]);
    let mut append = |value_type: &ValueType, may_round: bool| {
        let Ok(parsed) = parse_into(&texts, value_type) else { return false };
        let value = value_at(parsed.as_ref(), 0);
        let is_read = may_round || is_exact(text, &value);
        if is_read {
            canon(&value, out);
        }
        is_read
    };
    let Sides { live, shadow } = &column.stored;
    if append(live, false) || append(shadow, false) || append(&column.shown, true) {
        return Ok(());
    }
    Err(if live == shadow {
        format!("`{text}` is not {}", live.with_article())
    } else {
        let (live, shadow) = (live.with_article(), shadow.with_article());
        format!("`{text}` is neither {live} (live) nor {shadow} (shadow)")
    })
}

/// Whether a value is the very number that a text says; what is not a finite number is read exactly or not at all, and so are integers.
fn is_exact(text: &str, value: &Value<'_>) -> bool {
    if matches!(value, Value::Int(_) | Value::Text(_)) {
        return true;
    }
    match (Number::parse(text), Number::from_value(value)) {
        (Some(written), Some(read)) => written.cmp(&read).is_eq(),
        (_, _) => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::align::Role;
    use crate::value::TimeUnit;

    const DOUBLE: ValueType = ValueType::Float { bits: 64 };
    const FLOAT: ValueType = ValueType::Float { bits: 32 };

    fn read(text: &str, live: &ValueType, shadow: &ValueType) -> Result<AccountSet> {
        let column = Column {
            name: "a".into(),
            path: vec!["a".into()],
            shown: crate::value::common(live, shadow).expect("a pair that meets").shown,
            stored: Sides::new(live.clone(), shadow.clone()),
            role: Role::Key,
            parents: Vec::new(),
        };
        AccountSet::parse(&[vec![text.to_owned()]], &[&column], "accounts")
    }

    #[test]
    fn accounts_are_read_exactly_in_the_types_of_both_sides() {
        let int = || ValueType::INT64;
        let unsigned = || ValueType::Int { bits: 64, signed: false };
        let seconds = || ValueType::Timestamp {
            unit: TimeUnit::Second,
            zoned: false,
        };
        let nanoseconds = || ValueType::Timestamp {
            unit: TimeUnit::Nanosecond,
            zoned: false,
        };
        let last_second = Value::Timestamp {
            ticks: 253_402_300_799,
            unit: TimeUnit::Second,
            zoned: false,
        };
        for (text, live, shadow, is, is_not) in [
            (
                "9007199254740993",
                int(),
                DOUBLE,
                Value::Int(9_007_199_254_740_993),
                Value::Float64(9_007_199_254_740_992.0),
            ),
            (
                "9007199254740992",
                int(),
                DOUBLE,
                Value::Float64(9_007_199_254_740_992.0),
                Value::Int(9_007_199_254_740_993),
            ),
            // The double beside it prints as this.
            (
                "9223372036854776000",
                unsigned(),
                DOUBLE,
                Value::Int(9_223_372_036_854_776_000),
                Value::Float64(9_223_372_036_854_775_808.0),
            ),
            (
                "123456789012345e4",
                DOUBLE,
                unsigned(),
                Value::Int(1_234_567_890_123_450_000),
                Value::Null,
            ),
            ("1e23", DOUBLE, DOUBLE, Value::Float64(1e23), Value::Null),
            ("0.1", DOUBLE, DOUBLE, Value::Float64(0.1), Value::Float32(0.1)),
            ("0.1", FLOAT, DOUBLE, Value::Float64(0.1), Value::Float32(0.1)),
            ("0.1", FLOAT, FLOAT, Value::Float32(0.1), Value::Float64(0.1)),
            ("0.10000000149011612", FLOAT, DOUBLE, Value::Float32(0.1), Value::Float64(0.1)),
            ("NaN", int(), DOUBLE, Value::Float64(f64::NAN), Value::Null),
            ("007", int(), DOUBLE, Value::Int(7), Value::Null),
            ("007", ValueType::Text, ValueType::Text, Value::Text("007"), Value::Text("7")),
            ("9999-12-31T23:59:59", seconds(), nanoseconds(), last_second, Value::Null),
        ] {
            for (live, shadow) in [(&live, &shadow), (&shadow, &live)] {
                let set = read(text, live, shadow).expect(text);
                let has = |value: &Value<'_>| {
                    let mut bytes = Vec::new();
                    canon(value, &mut bytes);
                    set.contains(&bytes)
                };
                assert!(has(&is) && !has(&is_not), "{text} of {live} and {shadow}");
            }
        }
    }

    #[test]
    fn an_account_that_no_side_can_hold_is_an_error_that_names_it() {
        for (text, live, shadow) in [
            ("a7", ValueType::INT64, DOUBLE),
            ("9007199254740993", DOUBLE, DOUBLE),
            ("9007199254740993", FLOAT, DOUBLE),
            ("9007199254740993.5", ValueType::INT64, DOUBLE),
            ("1.5", ValueType::INT64, ValueType::INT64),
        ] {
            let error = read(text, &live, &shadow).expect_err(text).to_string();
            let kind = if live == shadow { "not" } else { "neither" };
            let named = format!("accounts[0]: `{text}` is {kind} {}", live.with_article());
            assert!(error.starts_with(&named) && error.contains(&shadow.to_string()), "{error}");
        }
    }
}
