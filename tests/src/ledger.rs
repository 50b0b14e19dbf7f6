//! What the oracle found, before it is a listing, a count or a verdict.

use crate::cell::{Cell, Type, equal};
use shadowdiff_core::side::Sides;
use shadowdiff_core::spec::{DifferenceKind, Expected, Spec};

/// The numbers of the summary.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Counts {
    pub read: Sides<u64>,
    pub filtered: Sides<u64>,
    pub cancelled: u64,
    pub within_tolerance: u64,
    pub changed: u64,
    pub missing_in_shadow: u64,
    pub missing_in_live: u64,
    pub duplicate_key: u64,
    pub expected: u64,
    pub exceptions: u64,
}

/// A line of the CSV before it is written.
#[derive(Debug)]
pub(crate) struct Difference {
    pub(crate) key: Vec<Cell>,
    pub(crate) kind: DifferenceKind,
    /// Empty for the row-level kinds.
    pub(crate) column: String,
    /// Live, shadow, delta, relative delta, comparator.
    pub(crate) fields: [Option<String>; 5],
    pub(crate) rule: Option<usize>,
    /// Of whole rows; what a cell shows is not diagnosed here.
    pub(crate) diagnosis: Option<&'static str>,
}

/// Everything the verdict is made from.
#[derive(Debug)]
pub(crate) struct Ledger {
    pub(crate) differences: Vec<Difference>,
    pub(crate) counts: Counts,
    pub(crate) accounts: Vec<Vec<Cell>>,
    /// Rows of each account, in their order.
    pub(crate) account_rows: Vec<Sides<usize>>,
    pub(crate) only: Sides<Vec<String>>,
    pub(crate) columns: Vec<Pair>,
    pub(crate) keys_on_both_sides: usize,
    /// A side has more than its key, but nothing of it is compared.
    pub(crate) compares_no_value: bool,
}

/// A column that both sides have: its name, common type, place in each side's rows.
#[derive(Debug, Clone)]
pub(crate) struct Pair {
    pub(crate) name: String,
    pub(crate) shown: Type,
    pub(crate) types_differ: bool,
    pub(crate) at: Sides<usize>,
}

pub(crate) fn is_expired(rule: &Expected, spec: &Spec) -> bool {
    matches!((rule.until, spec.as_of), (Some(until), Some(today)) if today > until)
}

/// Lines that a rule covers.
pub(crate) fn covered(ledger: &Ledger, rule: usize) -> u64 {
    ledger.differences.iter().filter(|d| d.rule == Some(rule)).count() as u64
}

pub(crate) fn keeps_bounds(rule: &Expected, lines: u64) -> bool {
    rule.min.is_none_or(|min| lines >= min) && rule.max.is_none_or(|max| lines <= max)
}

pub(crate) fn same(a: &[Cell], b: &[Cell]) -> bool {
    a.iter().zip(b).all(|(a, b)| equal(a, b))
}

pub(crate) fn distinct(keys: impl Iterator<Item = Vec<Cell>>) -> Vec<Vec<Cell>> {
    let mut found: Vec<Vec<Cell>> = Vec::new();
    for key in keys {
        if !found.iter().any(|k| same(k, &key)) {
            found.push(key);
        }
    }
    found
}
