//! Holds two finished results against each other, in bounded memory.
//!
//! The accounts of each are sorted by their printed fields first: in `accounts.csv` they stand in the order of their types, which another run
//! may have changed.

use crate::fetched::fetch_result;
use crate::merged_runs::{MergedRuns, Record};
use crate::publish::Published;
use crate::tables::Table;
use shadowdiff_common::spool::{Scratch, Spool, SpoolWriter};
use shadowdiff_common::store::{Location, Stores};
use shadowdiff_common::tasks::blocking;
use shadowdiff_core::error::{Error, Result};
use shadowdiff_core::report::{AccountRecord, Decision, Field, ResultFile, Summary};
use shadowdiff_core::run_diff::{AccountChanges, AccountState, RunDiff, RunFacts};
use std::cmp::Ordering;
use std::path::Path;

/// Accounts that are sorted in memory at a time, by the bytes of their fields.
const SORTED_BYTES: usize = 32 << 20;
/// What the merge holds of a run at a time.
const PART_BYTES: usize = 64 << 10;
/// What an account takes in memory besides its fields, about.
const ACCOUNT_BYTES: usize = 64;

/// A result at hand: its summary, and a directory with its `accounts.csv`.
pub type ResultAtHand = (Summary, Published);

/// Tells what has changed from the result at `before` to that at `after`; of each change at most `shown` accounts are named.
pub async fn diff_runs(places: [&str; 2], base: &Path, stores: &Stores, scratch: &Scratch, shown: usize) -> Result<RunDiff> {
    let [before, after] = places.map(|place| fetch_result(place, base, stores, &[ResultFile::Accounts]));
    let (before, after) = (before.await?, after.await?);
    let at_hand = [before, after].map(|run| (run.summary, run.files));
    diff_results(places.map(Location::shown), at_hand, scratch, shown).await
}

/// The same of results that are at hand, by these names.
pub async fn diff_results(names: [String; 2], [before, after]: [ResultAtHand; 2], scratch: &Scratch, shown: usize) -> Result<RunDiff> {
    check_printing(&before.0, &after.0)?;
    let scratch = scratch.clone();
    blocking("holding two results against each other", move || {
        diff(names, &before, &after, &scratch, shown)
    })
    .await
}

/// A text that is made safe for spreadsheets is another text.
fn check_printing(before: &Summary, after: &Summary) -> Result<()> {
    let is_safe = |run: &Summary| {
        run.spec
            .pointer("/output/spreadsheet_safe")
            .is_some_and(|safe| safe == true || safe == "true")
    };
    if is_safe(before) == is_safe(after) {
        return Ok(());
    }
    Err(
        Error::input("the accounts of one result are written for spreadsheets, those of the other are not")
            .field("output.spreadsheet_safe")
            .advice("compare once more with the same setting"),
    )
}

fn diff(
    [before_name, after_name]: [String; 2],
    before: &ResultAtHand,
    after: &ResultAtHand,
    scratch: &Scratch,
    shown: usize,
) -> Result<RunDiff> {
    let read = |run: &ResultAtHand| Accounts::read(run.1.directory(), scratch, SORTED_BYTES);
    let (first, second) = (read(before)?, read(after)?);
    if first.columns != second.columns {
        return Err(Error::input(format!(
            "the results have other account columns: {} in {before_name}, {} in {after_name}",
            first.columns.join(", "),
            second.columns.join(", ")
        )));
    }
    let facts = |place: String, run: &Summary, accounts: &Accounts| RunFacts {
        place,
        verdict: run.verdict,
        as_of: run.as_of.clone(),
        exceptions: run.differences.exceptions,
        expected: run.differences.expected,
        accounts_with_exceptions: run.accounts.with_exceptions,
        lists_all_accounts: accounts.lists_all,
    };
    Ok(RunDiff::new(
        (facts(before_name, &before.0, &first), &before.0),
        (facts(after_name, &after.0, &second), &after.0),
        changes(&first, &second, scratch, shown)?,
    ))
}

/// Joins the accounts of both results.
fn changes(before: &Accounts, after: &Accounts, scratch: &Scratch, shown: usize) -> Result<AccountChanges> {
    let mut changes = AccountChanges::new(shown);
    let mut earlier = MergedRuns::<Account>::new(&before.runs, scratch)?;
    let mut later = MergedRuns::<Account>::new(&after.runs, scratch)?;
    let (mut left, mut right) = (earlier.next()?, later.next()?);
    loop {
        let order = match (&left, &right) {
            (None, None) => return Ok(changes),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(left), Some(right)) => left.key.cmp(&right.key),
        };
        let of_left = left.take_if(|_| order.is_le());
        let of_right = right.take_if(|_| order.is_ge());
        let any = of_left.as_ref().or(of_right.as_ref());
        let fields = any.map(Account::fields).transpose()?.unwrap_or_default();
        changes.add(&fields, before.state(of_left.as_ref()), after.state(of_right.as_ref()));
        if of_left.is_some() {
            left = earlier.next()?;
        }
        if of_right.is_some() {
            right = later.next()?;
        }
    }
}

/// The accounts of one result, in sorted runs.
struct Accounts {
    /// The names of the account columns.
    columns: Vec<String>,
    lists_all: bool,
    runs: Vec<Spool>,
}

impl Accounts {
    /// `sorted_bytes`: what is sorted in memory at a time.
    fn read(directory: &Path, scratch: &Scratch, sorted_bytes: usize) -> Result<Accounts> {
        let file = ResultFile::Accounts;
        let wrong = |what: &str| Error::input(what.to_owned()).file(file.name());
        let mut table = Table::open(directory, file)?;
        let mut header = table.next_record()?.unwrap_or_default();
        let width = AccountRecord::account_fields(&header).ok_or_else(|| wrong("has no header of ours"))?;
        let lists_all = header.last().is_some_and(|name| name.as_deref() == Some("shadow_rows"));
        header.truncate(width);
        let (mut runs, mut held, mut held_bytes) = (Vec::new(), Vec::new(), 0);
        while let Some(record) = table.next_record()? {
            let row = AccountRecord::read(record, width).ok_or_else(|| wrong("has a record that does not fit its header"))?;
            let account = Account::of(&row)?;
            held_bytes += account.key.len() + ACCOUNT_BYTES;
            held.push(account);
            if held_bytes >= sorted_bytes {
                runs.push(sorted(&mut held, scratch)?);
                held_bytes = 0;
            }
        }
        runs.push(sorted(&mut held, scratch)?);
        let columns = header.into_iter().map(Option::unwrap_or_default).collect();
        Ok(Accounts { columns, lists_all, runs })
    }

    /// What the result says of an account; `None`: it does not list it.
    fn state(&self, account: Option<&Account>) -> AccountState {
        match account {
            Some(Account {
                standing: HELD,
                exceptions,
                ..
            }) => AccountState::Held(*exceptions),
            Some(Account { standing: ACCEPTED, .. }) => AccountState::Accepted,
            Some(_) => AccountState::Clear,
            None if self.lists_all => AccountState::NotInData,
            None => AccountState::Unlisted,
        }
    }
}

/// Writes what is held as one sorted run.
fn sorted(held: &mut Vec<Account>, scratch: &Scratch) -> Result<Spool> {
    held.sort_unstable_by(Account::order);
    let (mut writer, mut bytes) = (SpoolWriter::new(scratch, PART_BYTES), Vec::new());
    for account in held.drain(..) {
        bytes.clear();
        account.encode(&mut bytes);
        writer.append(&bytes)?;
    }
    writer.finish()
}

/// Of accounts that print alike the one that stands worst says how they stand.
const CLEAR: u8 = 0;
const ACCEPTED: u8 = 1;
const HELD: u8 = 2;

/// An account of one result: length of its key, key, exceptions, how it stands.
#[derive(Debug)]
struct Account {
    /// Its fields as JSON, in which NULL and the empty text differ.
    key: Vec<u8>,
    exceptions: u64,
    standing: u8,
}

impl Account {
    fn of(row: &AccountRecord) -> Result<Account> {
        Ok(Account {
            key: serde_json::to_vec(&row.account).map_err(|e| Error::internal(e.to_string()))?,
            exceptions: row.exceptions,
            standing: match row.decision {
                Decision::Hold => HELD,
                Decision::Flip | Decision::NoDifference if row.accepted.unwrap_or(0) > 0 => ACCEPTED,
                Decision::Flip | Decision::NoDifference => CLEAR,
            },
        })
    }

    fn fields(&self) -> Result<Vec<Field>> {
        serde_json::from_slice(&self.key).map_err(|e| Error::internal(format!("an account does not read back: {e}")))
    }
}

impl Record for Account {
    fn decode(part: &[u8], at: &mut usize) -> Option<Self> {
        let (length, rest) = part.get(*at..)?.split_first_chunk::<4>()?;
        let (key, rest) = rest.split_at_checked(u32::from_le_bytes(*length) as usize)?;
        let (exceptions, rest) = rest.split_first_chunk::<8>()?;
        let (standing, _) = rest.split_first()?;
        *at += 4 + key.len() + 8 + 1;
        Some(Account {
            key: key.to_vec(),
            exceptions: u64::from_le_bytes(*exceptions),
            standing: *standing,
        })
    }

    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&(self.key.len() as u32).to_le_bytes());
        out.extend_from_slice(&self.key);
        out.extend_from_slice(&self.exceptions.to_le_bytes());
        out.push(self.standing);
    }

    fn order(&self, other: &Self) -> Ordering {
        self.key.cmp(&other.key)
    }

    /// Values that print alike are one account here.
    fn absorb(&mut self, other: Self) {
        self.exceptions += other.exceptions;
        self.standing = self.standing.max(other.standing);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use shadowdiff_core::mix::next;
    use shadowdiff_core::run_diff::AccountChange;
    use std::collections::BTreeMap;

    /// Fields that look alike, or break a line that is not quoted.
    const NAMES: [&str; 8] = ["", "\"\"", "a", "\"a\"\"\"", "\"a,b\"", "\"a\nb\"", "10", "9"];

    /// Accounts by their printed fields, with exceptions; `None` is clear.
    type Run = BTreeMap<String, Option<u64>>;

    fn drawn(mix: &mut u64) -> Run {
        let mut run = Run::new();
        for first in NAMES {
            for second in NAMES {
                match next(mix) % 4 {
                    0 => {}
                    1 => drop(run.insert(format!("{first},{second}"), None)),
                    _ => drop(run.insert(format!("{first},{second}"), Some(next(mix) % 3))),
                }
            }
        }
        run
    }

    fn written(run: &Run, lists_all: bool, reversed: bool) -> tempfile::TempDir {
        let (more, rows) = if lists_all { (",live_rows,shadow_rows", ",1,1") } else { ("", "") };
        let mut lines: Vec<String> = run
            .iter()
            .map(|(name, held)| match held {
                Some(exceptions) => format!("{name},1,0,{exceptions},hold{rows}\n"),
                None => format!("{name},1,1,0,flip{rows}\n"),
            })
            .collect();
        if reversed {
            lines.reverse();
        }
        let folder = tempfile::tempdir().expect("a folder");
        let text = format!("x,y,rows,expected,exceptions,decision{more}\n{}", lines.concat());
        std::fs::write(folder.path().join("accounts.csv"), text).expect("written");
        folder
    }

    /// Counted from what was drawn, in memory.
    fn expected(before: &Run, after: &Run, lists_all: bool) -> BTreeMap<AccountChange, u64> {
        let state = |run: &Run, name: &String| match run.get(name) {
            Some(Some(exceptions)) => AccountState::Held(*exceptions),
            Some(None) => AccountState::Clear,
            None if lists_all => AccountState::NotInData,
            None => AccountState::Unlisted,
        };
        let mut counts = BTreeMap::new();
        let names: std::collections::BTreeSet<&String> = before.keys().chain(after.keys()).collect();
        for name in names {
            if let Some(change) = AccountChange::of(state(before, name), state(after, name)) {
                *counts.entry(change).or_default() += 1;
            }
        }
        counts
    }

    #[test]
    fn accounts_meet_whatever_their_order_and_however_little_is_held() {
        let scratch = Scratch::new(1 << 10, None).expect("scratch");
        let mut mix = 7;
        for round in 0..20 {
            let (before, after, lists_all) = (drawn(&mut mix), drawn(&mut mix), round % 2 == 0);
            let folders = [
                written(&before, lists_all, round % 3 == 0),
                written(&after, lists_all, round % 5 == 0),
            ];
            let found = |sorted_bytes| {
                let [first, second] = [0, 1].map(|at: usize| Accounts::read(folders[at].path(), &scratch, sorted_bytes).expect("read"));
                changes(&first, &second, &scratch, 5).expect("joined").finish()
            };
            let whole = found(SORTED_BYTES);
            assert_eq!(whole, found(1), "round {round}");
            let counts = whole
                .iter()
                .filter(|(_, of)| of.accounts > 0)
                .map(|(change, of)| (*change, of.accounts));
            assert_eq!(
                counts.collect::<BTreeMap<_, _>>(),
                expected(&before, &after, lists_all),
                "round {round}"
            );
        }
    }

    #[test]
    fn what_is_no_list_of_accounts_is_refused() {
        let scratch = Scratch::new(1 << 20, None).expect("scratch");
        for text in [
            "",
            "x\n",
            "x,rows,expected,exceptions,decision\na,1,1,0,stay\n",
            "x,rows,expected,exceptions,decision\na,1,1",
        ] {
            let folder = tempfile::tempdir().expect("a folder");
            std::fs::write(folder.path().join("accounts.csv"), text).expect("written");
            assert!(Accounts::read(folder.path(), &scratch, SORTED_BYTES).is_err(), "{text:?}");
        }
    }
}
