//! Records of a result's tables, as they are read again.

use super::csv::{field, key_cell};
use crate::align::Column;
use crate::side::Sides;
use crate::value::Value;
use crate::words::words;

/// A field of a table; `None` is NULL.
pub type Field = Option<String>;

/// Fields of `accounts.csv` behind those of the account. Where a spec has acceptances there is one more; where all accounts are listed two.
const OF_AN_ACCOUNT: usize = 4;

/// The fields of one record of RFC 4180, without its line feed.
pub fn read_fields(record: &str) -> Vec<Field> {
    let (mut rest, mut fields) = (record, Vec::new());
    loop {
        let end = end_of_field(rest);
        fields.push(value(&rest[..end]));
        match rest.get(end + 1..) {
            Some(more) if end < rest.len() => rest = more,
            Some(_) | None => return fields,
        }
    }
}

/// The place of the comma after the first field, or the end.
fn end_of_field(text: &str) -> usize {
    let mut quoted = false;
    let comma = text.bytes().position(|byte| {
        quoted ^= byte == b'"';
        byte == b',' && !quoted
    });
    comma.unwrap_or(text.len())
}

fn value(field: &str) -> Field {
    match field.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
        Some(quoted) => Some(quoted.replace("\"\"", "\"")),
        None => (!field.is_empty()).then(|| field.to_owned()),
    }
}

/// The fields as a record, without a line feed.
pub fn write_fields<'a>(fields: impl IntoIterator<Item = Option<&'a str>>, spreadsheet_safe: bool) -> String {
    let mut record = String::new();
    for (at, text) in fields.into_iter().enumerate() {
        if at > 0 {
            record.push(',');
        }
        if let Some(text) = text {
            field(text, spreadsheet_safe, &mut record);
        }
    }
    record
}

/// A value of a key as a reader of `diff.csv` has it; `None` for NULL.
pub fn key_field(value: &Value<'_>, column: &Column, spreadsheet_safe: bool) -> Field {
    let mut cell = String::new();
    key_cell(value, column, spreadsheet_safe, &mut cell);
    read_fields(&cell).pop().flatten()
}

words! {
    /// What the new version may do for an account.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub enum Decision {
        Flip = "flip",
        Hold = "hold",
        NoDifference = "no_difference",
    }
}

impl Decision {
    fn of(name: &str) -> Option<Decision> {
        Decision::ALL.into_iter().find(|one| one.name() == name)
    }
}

/// What stands behind an account in its line, as far as it is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AccountEnd {
    pub rows: u64,
    pub exceptions: u64,
    pub decision: Decision,
}

/// An account of `accounts.csv`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountRecord {
    pub account: Vec<Field>,
    pub rows: u64,
    pub expected: u64,
    pub exceptions: u64,
    pub decision: Decision,
    /// Where the spec has acceptances.
    pub accepted: Option<u64>,
    /// Rows that each side has of it; where all accounts are listed.
    pub seen: Option<Sides<u64>>,
}

impl AccountRecord {
    /// How many fields an account itself has, by the header of `accounts.csv`.
    pub fn account_fields(header: &[Field]) -> Option<usize> {
        let ends_with = |header: &[Field], name: &str| header.last().is_some_and(|last| last.as_deref() == Some(name));
        let mut fields = header.len();
        fields = fields.checked_sub(if ends_with(header, "shadow_rows") { 2 } else { 0 })?;
        fields -= usize::from(ends_with(header.get(..fields)?, "accepted"));
        fields.checked_sub(OF_AN_ACCOUNT).filter(|fields| *fields > 0)
    }

    /// Lines of `diff.csv`, before any cut.
    pub fn lines(&self) -> u64 {
        self.expected + self.accepted.unwrap_or(0) + self.exceptions
    }

    /// Reads what a line has behind its account, from the end: so many fields, none of which has quotes. Nothing is made for it.
    pub fn read_end(line: &str, fields: usize) -> Option<AccountEnd> {
        let of = line
            .rmatch_indices(',')
            .nth(fields.checked_sub(1)?)
            .map(|(at, _)| &line[at + 1..])?;
        let mut of = of.split(',');
        let rows = of.next()?.parse().ok()?;
        let exceptions = of.nth(1)?.parse().ok()?;
        let decision = Decision::of(of.next()?)?;
        Some(AccountEnd {
            rows,
            exceptions,
            decision,
        })
    }

    /// Reads a record whose account has so many fields; `None` where it is none.
    pub fn read(mut record: Vec<Field>, account_fields: usize) -> Option<AccountRecord> {
        if record.len() < account_fields {
            return None;
        }
        let of = record.split_off(account_fields);
        let number = |at: usize| of.get(at)?.as_deref()?.parse::<u64>().ok();
        let decision = of.get(3)?.as_deref()?;
        let (accepted, seen) = match of.len() - OF_AN_ACCOUNT {
            0 => (None, None),
            1 => (Some(number(4)?), None),
            2 => (None, Some(Sides::new(number(4)?, number(5)?))),
            3 => (Some(number(4)?), Some(Sides::new(number(5)?, number(6)?))),
            _ => return None,
        };
        Some(AccountRecord {
            account: record,
            rows: number(0)?,
            expected: number(1)?,
            exceptions: number(2)?,
            decision: Decision::of(decision)?,
            accepted,
            seen,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn t(text: &str) -> Field {
        Some(text.to_owned())
    }

    #[test]
    fn fields_come_back_as_they_were() {
        for (record, fields) in [
            ("a,,\"\"", vec![t("a"), None, t("")]),
            (
                "\"say \"\"x\"\", y\",\"two\nlines\",",
                vec![t("say \"x\", y"), t("two\nlines"), None],
            ),
            ("007", vec![t("007")]),
            ("", vec![None]),
        ] {
            assert_eq!(read_fields(record), fields);
            assert_eq!(write_fields(fields.iter().map(Option::as_deref), false), record);
        }
    }

    #[test]
    fn an_account_is_read_whole_or_not_at_all() {
        let all = read_fields("a-1,,2,3,4,hold,5,6");
        let header = read_fields("id,rows,rows,expected,exceptions,decision,live_rows,shadow_rows");
        let found = AccountRecord::account_fields(&header).and_then(|fields| AccountRecord::read(all.clone(), fields));
        assert_eq!(
            found,
            Some(AccountRecord {
                account: vec![t("a-1"), None],
                rows: 2,
                expected: 3,
                exceptions: 4,
                decision: Decision::Hold,
                accepted: None,
                seen: Some(Sides::new(5, 6)),
            })
        );
        let short = AccountRecord::read(read_fields("a,1,1,0,flip"), 1);
        assert_eq!(short.map(|account| (account.decision, account.seen)), Some((Decision::Flip, None)));
        let accepted = AccountRecord::read(read_fields("a,1,1,0,flip,7,8,9"), 1).map(|account| (account.accepted, account.seen));
        assert_eq!(accepted, Some((Some(7), Some(Sides::new(8, 9)))));
        for (behind, fields) in [("accepted", 2), ("accepted,live_rows,shadow_rows", 2), ("live_rows,shadow_rows", 2)] {
            let header = read_fields(&format!("id,accepted,rows,expected,exceptions,decision,{behind}"));
            assert_eq!(AccountRecord::account_fields(&header), Some(fields), "{behind}");
        }
        for (line, fields, end) in [
            ("a-1,,2,3,4,hold,5,6", 6, Some((2, 4, Decision::Hold))),
            ("\"a,1\",1,1,0,flip", 4, Some((1, 0, Decision::Flip))),
            ("a,1,1,x,flip", 4, None),
            ("a,1,1,0,flop", 4, None),
            ("1,1,0,flip", 4, None),
            ("a", 0, None),
        ] {
            let found = AccountRecord::read_end(line, fields).map(|end| (end.rows, end.exceptions, end.decision));
            assert_eq!(found, end, "{line}");
        }
        for wrong in ["a,1,1,0", "a,1,1,0,flop", "a,1,1,x,flip", "a,1,1,0,flip,x", "a,1,1,0,hold,1,2,3,4"] {
            assert_eq!(AccountRecord::read(read_fields(wrong), 1), None, "{wrong}");
        }
        assert_eq!(
            AccountRecord::account_fields(&read_fields("rows,expected,exceptions,decision")),
            None
        );
    }
}
