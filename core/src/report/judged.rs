//! Differences that are judged, counted and printed as they pass, in their order.

use super::accounts::AccountLine;
use super::delta::{Delta, delta};
use super::line::LinePrinter;
use crate::align::Role;
use crate::compare::has_delta;
use crate::difference::{Answer, Difference};
use crate::error::{Error, Result};
use crate::judge::Judge;
use crate::plan::Plan;
use crate::row::canon;
use crate::tally::{DifferenceTally, Pattern};

/// What became of differences that follow each other.
#[derive(Debug, Default)]
pub struct Reported {
    /// The lines of `diff.csv` that are listed.
    pub lines: String,
    pub listed: u64,
    /// In order; the first may have begun before, and the last may go on.
    pub accounts: Vec<AccountLine>,
}

/// Judges, counts and prints.
#[derive(Debug)]
pub struct Reporter<'a> {
    plan: &'a Plan,
    judge: &'a Judge<()>,
    printer: &'a LinePrinter<'a>,
    /// Of all differences that have passed.
    pub tally: DifferenceTally,
    row: Row,
}

/// What the differences of a row, and of the rows of an account, have in common; its buffers are used again.
#[derive(Debug, Default)]
struct Row {
    key: Vec<u8>,
    /// The fields of the key, and how many bytes of them are the account's.
    text: String,
    account_text_bytes: usize,
    /// How many bytes of `key` are the account's.
    account_key_bytes: usize,
    /// The account's canonical bytes.
    account: Vec<u8>,
}

impl<'a> Reporter<'a> {
    pub fn new(plan: &'a Plan, judge: &'a Judge<()>, printer: &'a LinePrinter<'a>) -> Self {
        Reporter {
            plan,
            judge,
            printer,
            tally: DifferenceTally::default(),
            row: Row::default(),
        }
    }

    /// Adds a difference; all of a row come one after the other.
    pub fn add(&mut self, difference: &Difference<'_>, is_listed: bool, reported: &mut Reported) -> Result<()> {
        let is_first_of_row = self.row.key != difference.row_key;
        if is_first_of_row {
            self.begin_row(difference);
        }
        let rule = self.judge(difference)?;
        let delta = self.delta(difference);
        self.count(difference, rule, delta.as_ref());
        match reported
            .accounts
            .last_mut()
            .filter(|account| account.is_of(difference.account_key()))
        {
            Some(account) => account.count(is_first_of_row, rule),
            None => {
                let text = &self.row.text[..self.row.account_text_bytes];
                let mut account = AccountLine::new(difference.account_key(), text);
                account.count(is_first_of_row, rule);
                reported.accounts.push(account);
            }
        }
        if is_listed {
            reported.lines.push_str(&self.row.text);
            self.printer.print_rest(difference, rule, delta.as_ref(), &mut reported.lines);
            reported.listed += 1;
        }
        Ok(())
    }

    fn begin_row(&mut self, difference: &Difference<'_>) {
        let row = &mut self.row;
        if row.key.get(..row.account_key_bytes) != Some(difference.account_key()) {
            row.account.clear();
            let account = difference.key.values().take(self.plan.aligned.account_count);
            account.for_each(|value| canon(&value, &mut row.account));
            row.account_key_bytes = difference.account_key_bytes;
        }
        row.key.clear();
        row.key.extend_from_slice(difference.row_key);
        row.text.clear();
        row.account_text_bytes = self.printer.print_key(difference, &mut row.text);
    }

    /// The rule that covers the difference. What its SQL said came with it.
    fn judge(&self, difference: &Difference<'_>) -> Result<Option<usize>> {
        let mut unknown = None;
        let rule = self
            .judge
            .judge(difference, &self.row.account, |question| match difference.answers.to(question) {
                Answer::Yes => true,
                Answer::No => false,
                Answer::Unknown => {
                    unknown.get_or_insert(question);
                    false
                }
            });
        match unknown {
            None => Ok(rule),
            Some(question) => Err(Error::internal(format!(
                "a rule comes to a difference of which its SQL was not asked ({question:?}); compare again"
            ))),
        }
    }

    fn delta(&self, difference: &Difference<'_>) -> Option<Delta> {
        let column = &self.plan.aligned.columns[difference.column?];
        if column.role == Role::Presence || !has_delta(&column.shown) {
            return None;
        }
        delta(&difference.live, &difference.shadow, &column.shown, difference.baseline)
    }

    fn count(&mut self, difference: &Difference<'_>, rule: Option<usize>, delta: Option<&Delta>) {
        let pattern = Pattern {
            kind: difference.kind,
            column: difference.column,
            diagnosis: difference.diagnosis.map(str::to_owned),
            direction: delta.and_then(Delta::direction),
        };
        self.tally.count(pattern, rule);
        if let (Some(column), Some(delta)) = (difference.column, delta) {
            delta.observe(self.tally.deltas.entry(column).or_default());
        }
    }
}
