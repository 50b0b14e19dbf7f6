//! All runs below one place, in the order of their names: how the exceptions burn down.

use crate::report::{Summary, own_summary};
use crate::verdict::Verdict;
use serde::Serialize;
use std::cmp::Ordering;

/// The version of what is printed as JSON.
const VERSION: u32 = 1;
/// Names of results that could not be read, at most.
const MAX_UNREAD: usize = 20;

/// One finished run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HistoryRow {
    /// Where it lies, from the place on.
    pub name: String,
    pub verdict: Verdict,
    pub as_of: String,
    pub exceptions: u64,
    pub expected: u64,
    pub accounts_with_exceptions: u64,
    pub columns_with_exceptions: usize,
}

/// The runs below one place.
#[derive(Debug, Clone, Serialize)]
pub struct RunHistory {
    pub version: u32,
    /// Without secrets.
    pub place: String,
    pub runs: Vec<HistoryRow>,
    /// Runs before these.
    pub left_out: usize,
    /// Some of the `summary.json` that are none of ours, or of another version, and why; and how many there are.
    pub unread: Vec<String>,
    pub unread_count: usize,
}

impl RunHistory {
    pub fn new(place: String, left_out: usize) -> RunHistory {
        RunHistory {
            version: VERSION,
            place,
            runs: Vec::new(),
            left_out,
            unread: Vec::new(),
            unread_count: 0,
        }
    }

    /// Takes the text of a `summary.json`; runs come in their order.
    pub fn add(&mut self, name: String, summary: &[u8]) {
        match own_summary(summary) {
            Ok(summary) => self.runs.push(row(name, &summary)),
            Err(why) => {
                self.unread_count += 1;
                if self.unread.len() < MAX_UNREAD {
                    self.unread.push(format!("{name}: summary.json {why}"));
                }
            }
        }
    }

    /// How many exceptions more or fewer each run has than the one before it.
    pub fn changes(&self) -> impl Iterator<Item = (&HistoryRow, Option<i128>)> {
        let before = std::iter::once(None).chain(self.runs.iter().map(Some));
        let change = |run: &HistoryRow, before: &HistoryRow| i128::from(run.exceptions) - i128::from(before.exceptions);
        self.runs
            .iter()
            .zip(before)
            .map(move |(run, before)| (run, before.map(|before| change(run, before))))
    }
}

fn row(name: String, summary: &Summary) -> HistoryRow {
    HistoryRow {
        name,
        verdict: summary.verdict,
        as_of: summary.as_of.clone(),
        exceptions: summary.differences.exceptions,
        expected: summary.differences.expected,
        accounts_with_exceptions: summary.accounts.with_exceptions,
        columns_with_exceptions: summary.columns.iter().filter(|column| column.exceptions > 0).count(),
    }
}

/// The order of names in which numbers count: `run-9` comes before `run-10`.
pub fn by_name(a: &str, b: &str) -> Ordering {
    let (mut left, mut right) = (a, b);
    loop {
        let number = |text: &str| text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let (digits, others) = (number(left), number(right));
        if digits > 0 && others > 0 {
            let (one, other) = (left[..digits].trim_start_matches('0'), right[..others].trim_start_matches('0'));
            let order = one.len().cmp(&other.len()).then_with(|| one.cmp(other));
            if order.is_ne() {
                return order;
            }
            (left, right) = (&left[digits..], &right[others..]);
            continue;
        }
        match (left.chars().next(), right.chars().next()) {
            (Some(one), Some(other)) if one == other => (left, right) = (&left[one.len_utf8()..], &right[other.len_utf8()..]),
            // `01` and `1` are one number and two names.
            (None, None) => return a.cmp(b),
            (one, other) => return one.cmp(&other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_in_names_count() {
        let mut names = vec![
            "run-10",
            "run-9",
            "run-010",
            "run",
            "b/2",
            "b/10",
            "2026-11-09",
            "2026-11-10",
            "ä9",
            "99999999999999999999999",
            "100000000000000000000000",
        ];
        names.sort_by(|a, b| by_name(a, b));
        let expected = [
            "2026-11-09",
            "2026-11-10",
            "99999999999999999999999",
            "100000000000000000000000",
            "b/2",
            "b/10",
            "run",
            "run-9",
            "run-010",
            "run-10",
            "ä9",
        ];
        assert_eq!(names, expected);
    }

    #[test]
    fn what_is_none_of_ours_is_told_and_counted() {
        let mut history = RunHistory::new("here".to_owned(), 0);
        let ours = include_bytes!("../tests/golden/summary.json");
        history.add("a".to_owned(), ours);
        (0..100).for_each(|at| history.add(format!("b{at}"), b"{}"));
        let fewer = String::from_utf8_lossy(ours).replacen("\"exceptions\": 7", "\"exceptions\": 5", 1);
        history.add("c".to_owned(), fewer.as_bytes());
        assert_eq!(
            (history.runs.len(), history.unread.len(), history.unread_count),
            (2, MAX_UNREAD, 100)
        );
        assert_eq!(history.changes().map(|(_, change)| change).collect::<Vec<_>>(), [None, Some(-2)]);
    }
}
