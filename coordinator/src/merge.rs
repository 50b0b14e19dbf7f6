//! The merge: all sorted runs into one `diff.csv` and `accounts.csv`, in bounded memory.
//!
//! Lines come in the order of key, then column; accounts stand together because the key begins with them. With `max_differences` a first
//! pass chooses which lines stay: every column and kind gets the same quota, as far as it has lines; within one, first one line of every
//! account, then a second, by a fixed hash. The choice is a function of the lines alone.

use shadowdiff_common::run::RunReader;
use shadowdiff_common::spool::Spool;
use shadowdiff_core::error::{Error, Result};
use shadowdiff_core::plan::Plan;
use shadowdiff_core::report;
use shadowdiff_core::spec::DifferenceKind;
use shadowdiff_core::tally::Tally;
use shadowdiff_core::verdict;
use siphasher::sip::SipHasher24;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use std::io::Write;

/// What the merge counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Merged {
    pub(crate) listed: u64,
    pub(crate) lines: u64,
    pub(crate) differing_accounts: u64,
    pub(crate) accounts_with_exceptions: u64,
}

/// Merges `runs` into the two files.
pub(crate) fn merge(plan: &Plan, tally: &Tally, runs: &[Spool], diff: &mut dyn Write, accounts: &mut dyn Write) -> Result<Merged> {
    let failed = |e: std::io::Error| Error::exhausted(format!("the result cannot be written: {e}"));
    let chosen = choose(plan, tally, runs)?;
    let safe = plan.spec.output.spreadsheet_safe;
    let key = plan.aligned.key_columns().map(|c| c.name.as_str());
    diff.write_all(report::header(key, safe).as_bytes()).map_err(failed)?;
    accounts.write_all(accounts_header(plan).as_bytes()).map_err(failed)?;
    let kept_bounds: Vec<bool> = verdict::rules(&plan.spec, tally, plan.as_of)
        .iter()
        .map(|rule| rule.broken.is_empty())
        .collect();
    let mut merged = Merged::default();
    let mut account: Option<Account> = None;
    let mut lines = Lines::new(runs)?;
    while let Some(record) = lines.next()? {
        let current = record.account_key();
        if account.as_ref().is_none_or(|a| a.key != current) {
            if let Some(done) = account.take() {
                done.write(accounts, &mut merged).map_err(failed)?;
            }
            account = Some(Account::new(current, record.account_text()));
        }
        let of = account.as_mut().expect("set above");
        of.count(record.row_key(), record.rule, &kept_bounds);
        if chosen.as_ref().is_none_or(|c| c.contains(&merged.lines)) {
            diff.write_all(record.line.as_bytes()).map_err(failed)?;
            merged.listed += 1;
        }
        merged.lines += 1;
    }
    if let Some(done) = account {
        done.write(accounts, &mut merged).map_err(failed)?;
    }
    if merged.lines != tally.lines() {
        return Err(Error::internal(format!(
            "the books of the merge do not balance: {} lines merged, {} counted",
            merged.lines,
            tally.lines()
        )));
    }
    Ok(merged)
}

fn accounts_header(plan: &Plan) -> String {
    let mut line = String::new();
    for column in plan.aligned.account() {
        report::field(&plan.aligned.columns[*column].name, plan.spec.output.spreadsheet_safe, &mut line);
        line.push(',');
    }
    line.push_str("rows,expected,exceptions,decision\n");
    line
}

/// What is known of the account whose lines are passing.
struct Account {
    key: Vec<u8>,
    text: String,
    last_row: Vec<u8>,
    rows: u64,
    expected: u64,
    exceptions: u64,
    /// All lines are expected, by rules that kept their bounds.
    flip: bool,
}

impl Account {
    fn new(key: &[u8], text: &str) -> Self {
        Account {
            key: key.to_vec(),
            text: text.to_owned(),
            last_row: Vec::new(),
            rows: 0,
            expected: 0,
            exceptions: 0,
            flip: true,
        }
    }

    fn count(&mut self, row: &[u8], rule: Option<u32>, kept_bounds: &[bool]) {
        if self.rows == 0 || self.last_row != row {
            self.last_row = row.to_vec();
            self.rows += 1;
        }
        match rule {
            Some(rule) => {
                self.expected += 1;
                self.flip &= kept_bounds[rule as usize];
            }
            None => {
                self.exceptions += 1;
                self.flip = false;
            }
        }
    }

    fn write(self, out: &mut dyn Write, merged: &mut Merged) -> std::io::Result<()> {
        merged.differing_accounts += 1;
        merged.accounts_with_exceptions += u64::from(self.exceptions > 0);
        let decision = if self.flip { "flip" } else { "hold" };
        writeln!(out, "{},{},{},{},{decision}", self.text, self.rows, self.expected, self.exceptions)
    }
}

/// All lines of all runs in order.
struct Lines<'a> {
    readers: Vec<RunReader<'a>>,
    /// The sort key of each reader's current line.
    heap: BinaryHeap<Reverse<(Vec<u8>, usize)>>,
    current: Option<usize>,
    last_key: Vec<u8>,
}

impl<'a> Lines<'a> {
    fn new(runs: &'a [Spool]) -> Result<Self> {
        let mut lines = Lines {
            readers: runs.iter().map(RunReader::new).collect(),
            heap: BinaryHeap::new(),
            current: None,
            last_key: Vec::new(),
        };
        (0..lines.readers.len()).try_for_each(|at| lines.advance(at))?;
        Ok(lines)
    }

    fn advance(&mut self, at: usize) -> Result<()> {
        if self.readers[at].advance()? {
            let key = self.readers[at].current()?.sort_key.to_vec();
            self.heap.push(Reverse((key, at)));
        }
        Ok(())
    }

    fn next(&mut self) -> Result<Option<shadowdiff_common::run::Record<'_>>> {
        if let Some(last) = self.current.take() {
            self.advance(last)?;
        }
        let Some(Reverse((key, at))) = self.heap.pop() else {
            return Ok(None);
        };
        if !self.last_key.is_empty() && key <= self.last_key {
            return Err(Error::internal("the merge met a line twice"));
        }
        self.last_key = key;
        self.current = Some(at);
        self.readers[at].current().map(Some)
    }
}

/// The numbers of the lines that stay, or `None` for all.
fn choose(plan: &Plan, tally: &Tally, runs: &[Spool]) -> Result<Option<BTreeSet<u64>>> {
    let Some(most) = plan.spec.output.max_differences.filter(|most| tally.lines() > *most) else {
        return Ok(None);
    };
    let quotas = quotas(&strata(plan, tally), most);
    let mut best: BTreeMap<u32, BinaryHeap<(u64, u64, u64)>> = BTreeMap::new();
    let mut of_account: BTreeMap<u32, u64> = BTreeMap::new();
    let mut account: Vec<u8> = Vec::new();
    let hasher = SipHasher24::new_with_key(b"shadowdiff.pick.");
    let mut lines = Lines::new(runs)?;
    let mut number = 0;
    while let Some(record) = lines.next()? {
        if account != record.account_key() {
            account = record.account_key().to_vec();
            of_account.clear();
        }
        let turn = of_account.entry(record.stratum).or_default();
        let heap = best.entry(record.stratum).or_default();
        heap.push((*turn, hasher.hash(record.sort_key), number));
        if heap.len() as u64 > quotas.get(&record.stratum).copied().unwrap_or(0) {
            heap.pop();
        }
        *turn += 1;
        number += 1;
    }
    Ok(Some(best.into_values().flatten().map(|(_, _, number)| number).collect()))
}

/// Lines by column, then by row-level kind.
fn strata(plan: &Plan, tally: &Tally) -> BTreeMap<u32, u64> {
    let columns = plan.aligned.columns.len() as u32;
    let kinds = [
        (DifferenceKind::MissingInShadow, tally.missing_in_shadow),
        (DifferenceKind::MissingInLive, tally.missing_in_live),
        (DifferenceKind::DuplicateKey, tally.duplicate_key),
    ];
    let rows = kinds
        .into_iter()
        .filter(|(_, n)| *n > 0)
        .map(|(kind, n)| (columns + kind as u32, n));
    tally
        .columns
        .iter()
        .map(|(column, counts)| (*column as u32, counts.differing))
        .chain(rows)
        .collect()
}

/// Shares `most` lines out: the same number for each stratum, what one does not need going to the others.
fn quotas(strata: &BTreeMap<u32, u64>, most: u64) -> BTreeMap<u32, u64> {
    let mut quotas: BTreeMap<u32, u64> = strata.keys().map(|s| (*s, 0)).collect();
    let mut left = most;
    while left > 0 {
        let open: Vec<u32> = strata.iter().filter(|(s, n)| quotas[*s] < **n).map(|(s, _)| *s).collect();
        if open.is_empty() {
            break;
        }
        let each = (left / open.len() as u64).max(1);
        for stratum in open {
            let more = each.min(strata[&stratum] - quotas[&stratum]).min(left);
            *quotas.get_mut(&stratum).expect("every stratum has a quota") += more;
            left -= more;
        }
    }
    quotas
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotas_are_even_and_use_all() {
        for (counts, most, expected) in [
            (vec![100, 3, 100], 30, vec![14, 3, 13]),
            (vec![5, 5], 20, vec![5, 5]),
            (vec![10, 10, 10], 2, vec![1, 1, 0]),
            (vec![1000], 7, vec![7]),
        ] {
            let strata: BTreeMap<u32, u64> = counts.iter().enumerate().map(|(i, n)| (i as u32, *n)).collect();
            assert_eq!(
                quotas(&strata, most).into_values().collect::<Vec<u64>>(),
                expected,
                "{counts:?} {most}"
            );
        }
    }
}
