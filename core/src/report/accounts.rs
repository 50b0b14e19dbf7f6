//! The lines of `accounts.csv`. Whether an account may flip is known once all differences are counted: a rule may break its bounds with the
//! last of them. Until then an account waits in this form:
//!
//! ```text
//! account = decision, length and bytes of its line before that, and of what is behind it       numbers in the form of `compact`
//! decision = 0 to hold it; 1 where it does not differ; else 2 + how many rules of these must have kept their bounds, and their numbers
//! ```

use super::csv::field;
use super::record::Decision;
use super::seen::SeenAccount;
use crate::align::Aligned;
use crate::compact::{read_number, write_number};
use crate::error::{Error, Result};
use crate::side::Sides;
use crate::spec::{ListedAccounts, Spec};
use crate::tally::Judgement;
use crate::value::{Number, read_text, write_bytes};

/// The header line of `accounts.csv`, with its line feed.
pub fn accounts_header(spec: &Spec, aligned: &Aligned) -> String {
    let mut line = String::new();
    for column in aligned.account() {
        field(&aligned.columns[*column].name, spec.output.spreadsheet_safe, &mut line);
        line.push(',');
    }
    line.push_str("rows,expected,exceptions,decision");
    if shows_accepted(spec) {
        line.push_str(",accepted");
    }
    line.push_str(match spec.output.accounts {
        ListedAccounts::Differing => "\n",
        ListedAccounts::All => ",live_rows,shadow_rows\n",
    });
    line
}

/// Whether lines that are accepted, or noise, have a field of their own.
pub fn shows_accepted(spec: &Spec) -> bool {
    spec.accepted.is_some() || spec.verdict.subtracts_noise
}

/// What the counts of an account mostly take.
const COUNTS_BYTES: usize = 16;

/// What is known of an account whose differences are passing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountLine {
    key: Vec<u8>,
    /// The account's fields.
    text: String,
    rows: u64,
    expected: u64,
    accepted: u64,
    exceptions: u64,
    /// Those that cover its differences, each once.
    rules: Vec<usize>,
}

impl AccountLine {
    /// `key`: the bytes by which it is sorted.
    pub fn new(key: &[u8], text: &str) -> Self {
        // With the counts that come behind it.
        let mut line = String::with_capacity(text.len() + COUNTS_BYTES);
        line.push_str(text);
        AccountLine {
            key: key.to_vec(),
            text: line,
            rows: 0,
            expected: 0,
            accepted: 0,
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

    pub fn count(&mut self, is_first_of_row: bool, judgement: Judgement) {
        self.rows += u64::from(is_first_of_row);
        match judgement {
            Judgement::Expected(rule) => {
                self.expected += 1;
                self.note(rule);
            }
            Judgement::Accepted(_) | Judgement::Noise(_) => self.accepted += 1,
            Judgement::Exception => self.exceptions += 1,
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
        self.accepted += next.accepted;
        self.exceptions += next.exceptions;
        next.rules.into_iter().for_each(|rule| self.note(rule));
        None
    }

    /// Appends the account as it waits for its decision. `seen`: what the scans have seen of it, where all accounts are listed.
    pub fn encode(&mut self, seen: Option<&SeenAccount>, shows_accepted: bool, out: &mut Vec<u8>) {
        match self.exceptions {
            0 => {
                write_number(FLIPS + self.rules.len() as u64, out);
                self.rules.iter().for_each(|rule| write_number(*rule as u64, out));
            }
            _ => write_number(HOLDS, out),
        }
        for count in [self.rows, self.expected, self.exceptions] {
            self.text.push(',');
            Number::from_int(count.into()).print(&mut self.text);
        }
        self.text.push(',');
        write_bytes(self.text.as_bytes(), out);
        let accepted = shows_accepted.then_some(self.accepted);
        write_bytes(last_fields(accepted, seen.map(|seen| seen.rows)).as_bytes(), out);
    }

    /// Appends an account that does not differ.
    pub fn encode_equal(seen: &SeenAccount, shows_accepted: bool, out: &mut Vec<u8>) {
        write_number(EQUAL, out);
        write_bytes(format!("{},0,0,0,", seen.text).as_bytes(), out);
        let accepted = shows_accepted.then_some(0);
        write_bytes(last_fields(accepted, Some(seen.rows)).as_bytes(), out);
    }
}

const HOLDS: u64 = 0;
const EQUAL: u64 = 1;
const FLIPS: u64 = 2;

/// The fields behind the decision: accepted differences, where a spec has acceptances; the account's rows, where all accounts are listed.
fn last_fields(accepted: Option<u64>, rows: Option<Sides<u64>>) -> String {
    let accepted = accepted.map_or_else(String::new, |lines| format!(",{lines}"));
    let rows = rows.map_or_else(String::new, |rows| format!(",{},{}", rows.live, rows.shadow));
    accepted + &rows
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
    let mut all_kept = true;
    for _ in FLIPS..decision {
        let rule = usize::try_from(read_number(waiting, at)?).ok()?;
        all_kept &= *kept.get(rule)?;
    }
    out.push_str(read_text(waiting, at)?);
    out.push_str(match decision {
        EQUAL => Decision::NoDifference.name(),
        FLIPS.. if all_kept => Decision::Flip.name(),
        _ => Decision::Hold.name(),
    });
    out.push_str(read_text(waiting, at)?);
    out.push('\n');
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use Judgement::{Accepted, Exception, Expected};

    #[test]
    fn an_account_flips_if_all_is_expected_by_rules_that_kept_their_bounds() {
        let mut waiting = Vec::new();
        let mut add = |name: &str, judged: &[Judgement]| {
            let mut account = AccountLine::new(name.as_bytes(), name);
            judged.iter().for_each(|judgement| account.count(true, *judgement));
            account.encode(None, false, &mut waiting);
        };
        add("kept", &[Expected(0), Expected(0)]);
        add("broken", &[Expected(0), Expected(1)]);
        add("excepted", &[Expected(0), Exception]);
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
    fn where_all_accounts_are_listed_rows_stand_behind_the_decision() {
        let seen = |live, shadow| SeenAccount {
            key: b"k".to_vec(),
            text: "k".to_owned(),
            rows: Sides::new(live, shadow),
        };
        let (mut waiting, mut printed) = (Vec::new(), String::new());
        let mut account = AccountLine::new(b"k", "k");
        account.count(true, Exception);
        account.encode(Some(&seen(1, 0)), false, &mut waiting);
        AccountLine::encode_equal(&seen(3, 4), false, &mut waiting);
        let mut accepted = AccountLine::new(b"k", "k");
        accepted.count(true, Accepted(3));
        accepted.clone().encode(Some(&seen(1, 0)), true, &mut waiting);
        accepted.encode(None, true, &mut waiting);
        AccountLine::encode_equal(&seen(3, 4), true, &mut waiting);
        print_accounts(&waiting, &[], &mut printed).expect("they come back");
        assert_eq!(
            printed,
            "k,1,0,1,hold,1,0\nk,0,0,0,no_difference,3,4\nk,1,0,0,flip,1,1,0\nk,1,0,0,flip,1\nk,0,0,0,no_difference,0,3,4\n"
        );
    }

    #[test]
    fn an_account_goes_on_in_the_next_batch_and_another_one_does_not() {
        let mut first = AccountLine::new(b"a", "a");
        first.count(true, Expected(1));
        let mut next = AccountLine::new(b"a", "a");
        next.count(true, Expected(1));
        next.count(false, Expected(2));
        assert_eq!(first.goes_on(next), None);
        assert_eq!((first.rows, first.expected, first.rules.as_slice()), (2, 3, &[1, 2][..]));
        let other = AccountLine::new(b"b", "b");
        assert_eq!(first.goes_on(other.clone()), Some(other));
    }
}
