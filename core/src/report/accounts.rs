//! The lines of `accounts.csv`. Whether an account may flip is known once all differences are counted: a rule may break its bounds with the
//! last of them. Until then an account waits in this form:
//!
//! ```text
//! account = decision, length and bytes of its line as far as it is known         numbers in the form of `compact`
//! decision = 0 to hold it; else 1 + how many rules of these must have kept their bounds, and their numbers
//! ```

use super::csv::field;
use crate::align::Aligned;
use crate::compact::{read_number, write_number};
use crate::error::{Error, Result};
use crate::spec::Spec;
use crate::value::{read_text, write_bytes};
use std::fmt::Write;

/// The header line of `accounts.csv`, with its line feed.
pub fn accounts_header(spec: &Spec, aligned: &Aligned) -> String {
    let mut line = String::new();
    for column in aligned.account() {
        field(&aligned.columns[*column].name, spec.output.spreadsheet_safe, &mut line);
        line.push(',');
    }
    line.push_str("rows,expected,exceptions,decision\n");
    line
}

/// What is known of an account whose differences are passing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountLine {
    key: Vec<u8>,
    /// The account's fields.
    text: String,
    rows: u64,
    expected: u64,
    exceptions: u64,
    /// Those that cover its differences, each once.
    rules: Vec<usize>,
}

impl AccountLine {
    /// `key`: the bytes by which it is sorted.
    pub fn new(key: &[u8], text: &str) -> Self {
        AccountLine {
            key: key.to_vec(),
            text: text.to_owned(),
            rows: 0,
            expected: 0,
            exceptions: 0,
            rules: Vec::new(),
        }
    }

    pub fn is_of(&self, key: &[u8]) -> bool {
        self.key == key
    }

    pub fn has_exceptions(&self) -> bool {
        self.exceptions > 0
    }

    /// Counts a difference that the rule of that number covers.
    pub fn count(&mut self, is_first_of_row: bool, rule: Option<usize>) {
        self.rows += u64::from(is_first_of_row);
        match rule {
            Some(rule) => {
                self.expected += 1;
                self.note(rule);
            }
            None => self.exceptions += 1,
        }
    }

    fn note(&mut self, rule: usize) {
        if !self.rules.contains(&rule) {
            self.rules.push(rule);
        }
    }

    /// Takes over what was counted of the same account in rows that follow; gives `next` back where it is another one.
    pub fn goes_on(&mut self, next: AccountLine) -> Option<AccountLine> {
        if self.key != next.key {
            return Some(next);
        }
        self.rows += next.rows;
        self.expected += next.expected;
        self.exceptions += next.exceptions;
        next.rules.into_iter().for_each(|rule| self.note(rule));
        None
    }

    /// Appends the account as it waits for its decision.
    pub fn encode(&mut self, out: &mut Vec<u8>) {
        match self.exceptions {
            0 => {
                write_number(1 + self.rules.len() as u64, out);
                self.rules.iter().for_each(|rule| write_number(*rule as u64, out));
            }
            _ => write_number(0, out),
        }
        write!(self.text, ",{},{},{},", self.rows, self.expected, self.exceptions).expect("a string takes all");
        write_bytes(self.text.as_bytes(), out);
    }
}

/// Prints the lines of accounts that waited. `kept`: whether the rule of a number has kept its bounds.
pub fn print_accounts(waiting: &[u8], kept: &[bool], out: &mut String) -> Result<()> {
    let mut at = 0;
    while at < waiting.len() {
        let line = print_account(waiting, &mut at, kept, out);
        line.ok_or_else(|| Error::internal("an account that waited for its decision does not read back as it was written"))?;
    }
    Ok(())
}

fn print_account(waiting: &[u8], at: &mut usize, kept: &[bool], out: &mut String) -> Option<()> {
    let decision = read_number(waiting, at)?;
    let mut flips = decision > 0;
    for _ in 1..decision {
        let rule = usize::try_from(read_number(waiting, at)?).ok()?;
        flips &= *kept.get(rule)?;
    }
    out.push_str(read_text(waiting, at)?);
    out.push_str(if flips { "flip\n" } else { "hold\n" });
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_flips_if_all_is_expected_by_rules_that_kept_their_bounds() {
        let mut waiting = Vec::new();
        let mut add = |name: &str, rules: &[Option<usize>]| {
            let mut account = AccountLine::new(name.as_bytes(), name);
            rules.iter().for_each(|rule| account.count(true, *rule));
            account.encode(&mut waiting);
        };
        add("kept", &[Some(0), Some(0)]);
        add("broken", &[Some(0), Some(1)]);
        add("excepted", &[Some(0), None]);
        let mut printed = String::new();
        print_accounts(&waiting, &[true, false], &mut printed).expect("they come back");
        assert_eq!(printed, "kept,2,2,0,flip\nbroken,2,2,0,hold\nexcepted,2,1,1,hold\n");
        for end in 1..waiting.len() {
            let whole = |line: &str| line.ends_with('\n');
            let mut some = String::new();
            let cut = print_accounts(&waiting[..end], &[true, false], &mut some);
            assert!(cut.is_err() || some.split_inclusive('\n').all(whole), "cut at {end}");
        }
        assert!(
            print_accounts(&waiting, &[true], &mut String::new()).is_err(),
            "a rule that there is not"
        );
    }

    #[test]
    fn an_account_goes_on_in_the_next_batch_and_another_one_does_not() {
        let mut first = AccountLine::new(b"a", "a");
        first.count(true, Some(1));
        let mut next = AccountLine::new(b"a", "a");
        next.count(true, Some(1));
        next.count(false, Some(2));
        assert_eq!(first.goes_on(next), None);
        assert_eq!((first.rows, first.expected, first.rules.as_slice()), (2, 3, &[1, 2][..]));
        let other = AccountLine::new(b"b", "b");
        assert_eq!(first.goes_on(other.clone()), Some(other));
    }
}
