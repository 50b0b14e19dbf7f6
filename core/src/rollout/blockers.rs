//! What holds an account: its exceptions by what they look like, and the rules that broke their bounds.

use crate::render::{Line, described_line};
use crate::report::Summary;
use std::collections::{BTreeMap, BTreeSet};

/// Of an account that are named.
const NAMED: usize = 8;
/// Different ones that are counted. There are as many as columns with diagnoses, whatever the number of rows.
const COUNTED: usize = 10_000;

/// What holds one account.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Blockers {
    /// With the lines that show it.
    lines: BTreeMap<String, u64>,
}

impl Blockers {
    /// Rules that broke a bound: what they cover lets no account flip.
    pub fn broken_rules(summary: &Summary) -> BTreeSet<&str> {
        let broken = summary.rules.iter().filter(|rule| !rule.broken.is_empty());
        broken.map(|rule| rule.name.as_str()).collect()
    }

    /// Takes a line of the account.
    pub fn add(&mut self, line: &Line, is_exception: bool, broken_rules: &BTreeSet<&str>) {
        let what = match &line.rule {
            _ if is_exception => described_line(line),
            Some(rule) if broken_rules.contains(rule.as_str()) => format!("expected `{rule}` broke its bounds"),
            Some(_) | None => return,
        };
        *self.lines.entry(what).or_default() += 1;
    }

    /// In words, each with its lines, the most lines first.
    pub fn each(&self) -> impl Iterator<Item = String> {
        self.named().into_iter().map(|(what, lines)| format!("{what} ({lines})"))
    }

    fn named(&self) -> Vec<(&str, u64)> {
        let mut all: Vec<(&str, u64)> = self.lines.iter().map(|(what, lines)| (what.as_str(), *lines)).collect();
        all.sort_by_key(|(_, lines)| std::cmp::Reverse(*lines));
        all
    }

    /// In words: `name: truncated (3); missing in shadow (1)`. `is_cut`: whether `diff.csv` may lack lines of the account.
    pub fn described(&self, is_named: bool, is_cut: bool) -> String {
        let mut parts: Vec<String> = self.each().take(NAMED).collect();
        if self.lines.len() > NAMED {
            parts.push(format!("{} more", self.lines.len() - NAMED));
        }
        if !is_named {
            parts.insert(0, "its rows name no account".to_owned());
        }
        if is_cut {
            parts.push("diff.csv was cut and may lack some".to_owned());
        }
        parts.join("; ")
    }
}

/// What holds accounts, over all of them.
#[derive(Debug, Default)]
pub struct BlockerCounts {
    /// Accounts that it holds, and those that it alone holds.
    counts: BTreeMap<String, (u64, u64)>,
}

/// How much depends on one blocker.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct BlockerCount {
    pub blocker: String,
    pub accounts: u64,
    /// Accounts that nothing else holds.
    pub frees: u64,
}

impl BlockerCounts {
    pub fn add(&mut self, of: &Blockers) {
        let alone = u64::from(of.lines.len() == 1);
        for what in of.lines.keys() {
            if self.counts.len() >= COUNTED && !self.counts.contains_key(what) {
                continue;
            }
            let (accounts, frees) = self.counts.entry(what.clone()).or_default();
            *accounts += 1;
            *frees += alone;
        }
    }

    /// What frees the most accounts first, then what holds the most.
    pub fn finish(self) -> Vec<BlockerCount> {
        let counts = self.counts.into_iter();
        let mut all: Vec<BlockerCount> = counts
            .map(|(blocker, (accounts, frees))| BlockerCount { blocker, accounts, frees })
            .collect();
        all.sort_by_key(|count| std::cmp::Reverse((count.frees, count.accounts)));
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(kind: &str, column: Option<&str>, rule: Option<&str>) -> Line {
        Line {
            key: Vec::new(),
            kind: kind.to_owned(),
            column: column.map(str::to_owned),
            live: None,
            shadow: None,
            delta: column.map(|_| "-1".to_owned()),
            rule: rule.map(str::to_owned),
            diagnosis: None,
        }
    }

    fn blockers(lines: &[(Line, bool)]) -> Blockers {
        let mut all = Blockers::default();
        lines
            .iter()
            .for_each(|(line, is_exception)| all.add(line, *is_exception, &BTreeSet::from(["broken"])));
        all
    }

    #[test]
    fn exceptions_and_broken_rules_hold_an_account() {
        let one = blockers(&[
            (line("changed", Some("v"), None), true),
            (line("changed", Some("v"), None), true),
            (line("missing_in_live", None, None), true),
            (line("changed", Some("w"), Some("kept")), false),
            (line("changed", Some("w"), Some("broken")), false),
        ]);
        assert_eq!(
            one.described(true, false),
            "v (2); expected `broken` broke its bounds (1); missing in live (1)"
        );
        let other = blockers(&[(line("changed", Some("v"), None), true)]);
        assert_eq!(
            other.described(false, true),
            "its rows name no account; v (1); diff.csv was cut and may lack some"
        );
        let mut counts = BlockerCounts::default();
        counts.add(&one);
        counts.add(&other);
        let first = counts.finish().into_iter().next();
        let expected = BlockerCount {
            blocker: "v".to_owned(),
            accounts: 2,
            frees: 1,
        };
        assert_eq!(first, Some(expected));
    }
}
