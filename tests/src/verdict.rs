//! The verdict again: which thresholds of the spec are broken.

use crate::cell::Cell;
use crate::exact::Exact;
use crate::ledger::{Difference, Ledger, covered, distinct, is_expired, keeps_bounds};
use shadowdiff_core::spec::{Limit, SchemaChange, Spec};

/// A threshold that does not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Broken {
    Empty,
    Exceptions,
    ExceptionAccounts,
    ColumnMismatch(String),
    Added,
    Removed,
    Types,
    RuleBounds(String),
    Until(String),
    UnusedRule(String),
}

pub(crate) fn broken(spec: &Spec, ledger: &Ledger) -> Vec<Broken> {
    let (verdict, counts) = (&spec.verdict, &ledger.counts);
    let matched = counts.cancelled + counts.within_tolerance + counts.changed;
    let exceptions = || ledger.differences.iter().filter(|d| d.rule.is_none());
    let excepted_accounts = distinct(exceptions().map(|d: &Difference| -> Vec<Cell> { d.key[..spec.account.len()].to_vec() })).len() as u64;
    let mut found = Vec::new();
    let mut breaks = |is_broken: bool, what: Broken| is_broken.then(|| found.push(what));
    breaks(
        (ledger.keys_on_both_sides == 0 || ledger.compares_no_value) && !verdict.allow_empty,
        Broken::Empty,
    );
    breaks(is_over(counts.exceptions, &verdict.max_exceptions, matched), Broken::Exceptions);
    let accounts = ledger.accounts.len() as u64;
    let over_accounts = verdict
        .max_exception_accounts
        .as_ref()
        .is_some_and(|limit| is_over(excepted_accounts, limit, accounts));
    breaks(over_accounts, Broken::ExceptionAccounts);
    for (pattern, limit) in &verdict.max_column_mismatch {
        for column in ledger.columns.iter().filter(|c| pattern.matches(&c.name)) {
            let cells = exceptions().filter(|d| d.column == column.name).count() as u64;
            breaks(is_over(cells, limit, matched), Broken::ColumnMismatch(column.name.clone()));
        }
    }
    breaks(
        !ledger.only.shadow.is_empty() && !verdict.schema_changes.contains(&SchemaChange::Added),
        Broken::Added,
    );
    breaks(
        !ledger.only.live.is_empty() && !verdict.schema_changes.contains(&SchemaChange::Removed),
        Broken::Removed,
    );
    breaks(
        verdict.type_changes_fail && ledger.columns.iter().any(|c| c.types_differ),
        Broken::Types,
    );
    for (at, rule) in spec.expected.iter().enumerate() {
        let lines = covered(ledger, at);
        breaks(is_expired(rule, spec), Broken::Until(rule.name.clone()));
        breaks(!keeps_bounds(rule, lines), Broken::RuleBounds(rule.name.clone()));
        breaks(verdict.unused_rules_fail && lines == 0, Broken::UnusedRule(rule.name.clone()));
    }
    found
}

/// Inclusive: a count on the limit keeps it. A share is held exactly.
fn is_over(count: u64, limit: &Limit, whole: u64) -> bool {
    match limit {
        Limit::Count(most) => count > *most,
        Limit::Share(share) => {
            let share = Exact::parse(&share.to_string()).expect("shares are decimals");
            Exact::int(count.into()) > share.times(&Exact::int(whole.into()))
        }
    }
}
