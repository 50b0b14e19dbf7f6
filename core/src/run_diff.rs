//! What has changed from one finished run to the next: the accounts that need work, patterns, then the verdict, thresholds and counts.
//!
//! Both runs are judged already; here nothing is judged again. What a run does not tell stays unknown: an account that is not listed any more
//! is fixed only where the later run says that it was compared.

mod patterns;

pub use patterns::{ChangedPattern, PatternChange};

use crate::rejudge::compared_differently;
use crate::report::Summary;
use crate::verdict::Verdict;
use crate::words::words;
use serde::Serialize;
use std::collections::BTreeMap;

/// The version of what is printed as JSON.
const VERSION: u32 = 1;

/// What one run says of an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AccountState {
    /// It must hold, with so many exceptions; none where a rule broke its bounds.
    Held(u64),
    /// It was compared, and nothing keeps it from its flip.
    Clear,
    /// The same, as some of its differences are accepted for a time.
    Accepted,
    /// The run lists all accounts, and not this one: it was not in the data.
    NotInData,
    /// The run lists accounts that differ, and not this one: it did not differ, or was not in the data.
    Unlisted,
}

words! {
    /// What has become of an account that one of the runs holds; what needs work first.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
    #[serde(rename_all = "snake_case")]
    pub enum AccountChange {
        /// Held now; the run before does not list it.
        New = "new",
        /// Held now, and clear before.
        Regressed = "regressed",
        /// Held by both, now with more exceptions.
        Grown = "grown",
        /// Held by both, with no more exceptions than before.
        Persisting = "persisting",
        /// Held before; some of its differences are accepted now, and the others no exceptions.
        Accepted = "accepted",
        /// Held before; compared again, and clear.
        Fixed = "fixed",
        /// Held before, and not in the data any more.
        Gone = "gone",
        /// Held before; whether it was compared again is not known.
        Unknown = "unknown",
    }
}

impl AccountChange {
    /// `None` where neither run holds the account.
    pub fn of(before: AccountState, after: AccountState) -> Option<AccountChange> {
        use AccountState::{Accepted, Clear, Held, NotInData, Unlisted};
        match (before, after) {
            (Held(before), Held(after)) if after > before => Some(AccountChange::Grown),
            (Held(_), Held(_)) => Some(AccountChange::Persisting),
            (Held(_), Accepted) => Some(AccountChange::Accepted),
            (Held(_), Clear) => Some(AccountChange::Fixed),
            (Held(_), NotInData) => Some(AccountChange::Gone),
            (Held(_), Unlisted) => Some(AccountChange::Unknown),
            (Clear | Accepted, Held(_)) => Some(AccountChange::Regressed),
            (NotInData | Unlisted, Held(_)) => Some(AccountChange::New),
            (Clear | Accepted | NotInData | Unlisted, Clear | Accepted | NotInData | Unlisted) => None,
        }
    }

    /// Whether the later run is worse for it.
    pub fn is_worse(self) -> bool {
        matches!(self, AccountChange::New | AccountChange::Regressed | AccountChange::Grown)
    }
}

/// An account whose state has changed, or has not though it should.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ChangedAccount {
    /// Its fields; NULL is null.
    pub account: Vec<Option<String>>,
    /// Exceptions; null where the run does not hold it.
    pub before: Option<u64>,
    pub after: Option<u64>,
}

impl ChangedAccount {
    /// How much there is to say about it: the exceptions that came, or went, or stay.
    fn weight(&self) -> u64 {
        match (self.before, self.after) {
            (Some(before), Some(after)) if after > before => after - before,
            (before, after) => after.or(before).unwrap_or(0),
        }
    }
}

/// The accounts of one change.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct ChangedAccounts {
    pub accounts: u64,
    /// The exceptions of these in each run.
    pub exceptions_before: u64,
    pub exceptions_after: u64,
    /// Those with the most to say, no more than asked for.
    pub worst: Vec<ChangedAccount>,
}

/// Counts the accounts of two runs, and keeps those with the most to say.
#[derive(Debug)]
pub struct AccountChanges {
    changes: BTreeMap<AccountChange, ChangedAccounts>,
    shown: usize,
}

impl AccountChanges {
    /// Of each change at most `shown` accounts are kept.
    pub fn new(shown: usize) -> AccountChanges {
        let changes = AccountChange::ALL.map(|change| (change, ChangedAccounts::default()));
        AccountChanges {
            changes: changes.into_iter().collect(),
            shown,
        }
    }

    pub fn add(&mut self, account: &[Option<String>], before: AccountState, after: AccountState) {
        let Some(change) = AccountChange::of(before, after) else { return };
        let held = |state| match state {
            AccountState::Held(exceptions) => Some(exceptions),
            AccountState::Clear | AccountState::Accepted | AccountState::NotInData | AccountState::Unlisted => None,
        };
        let (before, after) = (held(before), held(after));
        let of = self.changes.entry(change).or_default();
        of.accounts += 1;
        of.exceptions_before += before.unwrap_or(0);
        of.exceptions_after += after.unwrap_or(0);
        of.worst.push(ChangedAccount {
            account: account.to_vec(),
            before,
            after,
        });
        if of.worst.len() > 2 * self.shown + 100 {
            keep_worst(&mut of.worst, self.shown);
        }
    }

    pub fn finish(mut self) -> BTreeMap<AccountChange, ChangedAccounts> {
        let shown = self.shown;
        self.changes.values_mut().for_each(|of| keep_worst(&mut of.worst, shown));
        self.changes
    }
}

/// Of equally much to say by their fields, so that the order of what came does not matter.
fn keep_worst(accounts: &mut Vec<ChangedAccount>, most: usize) {
    accounts.sort_by(|a, b| b.weight().cmp(&a.weight()).then_with(|| a.account.cmp(&b.account)));
    accounts.truncate(most);
}

/// A run as a whole.
#[derive(Debug, Clone, Serialize)]
pub struct RunFacts {
    /// Where it lies, without secrets.
    pub place: String,
    pub verdict: Verdict,
    pub as_of: String,
    pub exceptions: u64,
    pub expected: u64,
    pub accounts_with_exceptions: u64,
    /// Whether its accounts are all that were compared, or those that differ.
    pub lists_all_accounts: bool,
}

/// Something that both runs count; null where a run does not have it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CountChange {
    pub name: String,
    pub before: Option<u64>,
    pub after: Option<u64>,
}

impl CountChange {
    pub fn is_change(&self) -> bool {
        self.before.unwrap_or(0) != self.after.unwrap_or(0)
    }
}

/// A threshold of either run; null where the run's spec does not have it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ThresholdChange {
    pub name: String,
    pub before: Option<ThresholdState>,
    pub after: Option<ThresholdState>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ThresholdState {
    pub limit: String,
    pub broken: Vec<String>,
}

/// What has changed from one run to the next.
#[derive(Debug, Clone, Serialize)]
pub struct RunDiff {
    pub version: u32,
    pub before: RunFacts,
    pub after: RunFacts,
    /// Fields of the spec by which the runs compare the data in different ways.
    pub compared_differently: Vec<String>,
    pub accounts: BTreeMap<AccountChange, ChangedAccounts>,
    /// What happens to rows, as far as the runs list it.
    pub patterns: BTreeMap<PatternChange, Vec<ChangedPattern>>,
    pub thresholds: Vec<ThresholdChange>,
    /// Rows by what became of them.
    pub kinds: Vec<CountChange>,
    /// Exceptions in each column.
    pub columns: Vec<CountChange>,
    /// Lines that each rule covers.
    pub rules: Vec<CountChange>,
}

impl RunDiff {
    pub fn new(before: (RunFacts, &Summary), after: (RunFacts, &Summary), accounts: AccountChanges) -> RunDiff {
        let both = (before.1, after.1);
        let (accounts, ways) = (accounts.finish(), ways(both.0, both.1));
        let left = [AccountChange::Gone, AccountChange::Unknown]
            .iter()
            .filter_map(|change| accounts.get(change));
        let is_all_compared_again = ways.is_empty() && left.map(|of| of.accounts).sum::<u64>() == 0;
        RunDiff {
            version: VERSION,
            before: before.0,
            after: after.0,
            compared_differently: ways,
            accounts,
            patterns: patterns::changes(both.0, both.1, is_all_compared_again),
            thresholds: thresholds(both.0, both.1),
            kinds: counts(both, kinds),
            columns: counts(both, |run| run.columns.iter().map(|c| (c.column.as_str(), c.exceptions)).collect()),
            rules: counts(both, |run| run.rules.iter().map(|rule| (rule.name.as_str(), rule.lines)).collect()),
        }
    }

    /// Whether an account is new, regressed or grown, or the verdict has fallen.
    pub fn is_worse(&self) -> bool {
        let is_worse = |(change, of): (&AccountChange, &ChangedAccounts)| change.is_worse() && of.accounts > 0;
        self.accounts.iter().any(is_worse) || (self.before.verdict, self.after.verdict) == (Verdict::Pass, Verdict::Fail)
    }
}

/// Another place of the data is no other way to compare it.
fn ways(before: &Summary, after: &Summary) -> Vec<String> {
    let mut fields = compared_differently(&before.spec, &after.spec);
    fields.retain(|field| !["live", "shadow", "ready"].contains(&field.as_str()));
    fields
}

fn kinds(run: &Summary) -> Vec<(&str, u64)> {
    let rows = &run.rows;
    vec![
        ("changed", rows.changed),
        ("missing_in_shadow", rows.missing_in_shadow),
        ("missing_in_live", rows.missing_in_live),
        ("duplicate_key", rows.duplicate_key),
        ("within_tolerance", rows.within_tolerance),
    ]
}

/// What either run counts, in the order of the later one; what only the earlier one has comes behind.
fn counts(both: (&Summary, &Summary), of: impl Fn(&Summary) -> Vec<(&str, u64)>) -> Vec<CountChange> {
    let (before, after) = (of(both.0), of(both.1));
    let known: BTreeMap<&str, u64> = before.iter().copied().collect();
    let mut counts: Vec<CountChange> = Vec::new();
    for (name, count) in &after {
        counts.push(CountChange {
            name: (*name).to_owned(),
            before: known.get(name).copied(),
            after: Some(*count),
        });
    }
    let still: BTreeMap<&str, u64> = after.iter().copied().collect();
    let gone = before.into_iter().filter(|(name, _)| !still.contains_key(name));
    counts.extend(gone.map(|(name, count)| CountChange {
        name: name.to_owned(),
        before: Some(count),
        after: None,
    }));
    counts
}

fn thresholds(before: &Summary, after: &Summary) -> Vec<ThresholdChange> {
    let state = |run: &Summary, name: &str| {
        let found = run.thresholds.iter().find(|threshold| threshold.name == name);
        found.map(|threshold| ThresholdState {
            limit: threshold.limit.clone(),
            broken: threshold.broken.clone(),
        })
    };
    let is_new = |name: &&String| !after.thresholds.iter().any(|threshold| threshold.name == **name);
    let earlier = before.thresholds.iter().map(|threshold| &threshold.name).filter(is_new);
    let names = after.thresholds.iter().map(|threshold| &threshold.name).chain(earlier);
    let one = |name: &String| ThresholdChange {
        name: name.clone(),
        before: state(before, name),
        after: state(after, name),
    };
    names.map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::AccountState::{Accepted, Clear, Held, NotInData, Unlisted};
    use super::*;

    #[test]
    fn only_what_was_compared_again_is_fixed() {
        for (before, after, expected) in [
            (Held(1), Held(2), Some(AccountChange::Grown)),
            (Held(2), Held(2), Some(AccountChange::Persisting)),
            (Held(2), Held(0), Some(AccountChange::Persisting)),
            (Held(2), Clear, Some(AccountChange::Fixed)),
            (Held(2), NotInData, Some(AccountChange::Gone)),
            (Held(2), Unlisted, Some(AccountChange::Unknown)),
            (Held(2), Accepted, Some(AccountChange::Accepted)),
            (Clear, Held(1), Some(AccountChange::Regressed)),
            (Accepted, Held(1), Some(AccountChange::Regressed)),
            (Accepted, Clear, None),
            (NotInData, Held(1), Some(AccountChange::New)),
            (Unlisted, Held(0), Some(AccountChange::New)),
            (Clear, Unlisted, None),
            (Unlisted, Clear, None),
            (NotInData, NotInData, None),
        ] {
            assert_eq!(AccountChange::of(before, after), expected, "{before:?} {after:?}");
        }
    }

    #[test]
    fn the_accounts_with_the_most_to_say_are_kept_whatever_their_order() {
        let all: Vec<(String, u64)> = (0..1000).map(|n| (format!("a{n:03}"), n * 7 % 50)).collect();
        let kept = |order: &mut dyn Iterator<Item = &(String, u64)>| {
            let mut changes = AccountChanges::new(3);
            order.for_each(|(name, exceptions)| changes.add(&[Some(name.clone())], Unlisted, Held(*exceptions)));
            changes.finish()
        };
        let (there, back) = (kept(&mut all.iter()), kept(&mut all.iter().rev()));
        assert_eq!(there, back);
        let new = &there[&AccountChange::New];
        assert_eq!((new.accounts, new.worst.len(), new.worst[0].after), (1000, 3, Some(49)));
        assert_eq!(new.exceptions_after, all.iter().map(|(_, n)| n).sum::<u64>());
    }
}
