//! By which attributes the rows of a group are told from all other rows that differ: up to two, each with few values.

use super::ObservedRow;
use crate::sql_text::identifier;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// Values of an attribute that a term names.
const MAX_VALUES: usize = 5;
/// Of the group's rows that a term must take.
const TAKEN: f64 = 0.95;
/// A term that takes more of the other rows tells nothing.
const TELLING: f64 = 0.8;
/// What a second term must leave of the other rows that the first one takes, at most.
const NARROWING: f64 = 0.5;
/// Fewer other rows are no reason for a second term.
const FEWEST_OTHERS: usize = 5;

/// A condition on the row of the baseline, or the only one.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Terms {
    pub sql: String,
    /// Of the group's rows that were learned from.
    pub of_rows: f64,
    /// Of all other rows that differ, of the same accounts; `None` where there are none.
    pub of_others: Option<f64>,
}

/// The rows of a group, and those it is told from.
pub(super) struct Contrast<'a> {
    pub(super) names: &'a [String],
    pub(super) members: &'a [&'a ObservedRow],
    pub(super) others: &'a [&'a ObservedRow],
}

/// An attribute is one of these values.
#[derive(Clone)]
struct Term {
    attribute: usize,
    values: BTreeSet<String>,
}

impl Term {
    fn takes(&self, row: &ObservedRow) -> bool {
        let value = row.attributes.as_ref().and_then(|values| values.get(self.attribute)?.as_ref());
        value.is_some_and(|value| self.values.contains(value))
    }

    fn sql(&self, names: &[String]) -> String {
        let name = identifier(&names[self.attribute]);
        let given: Vec<&str> = self.values.iter().map(String::as_str).filter(|value| *value != NULL).collect();
        let listed = match given.as_slice() {
            [] => None,
            [one] => Some(format!("{name} = {one}")),
            several => Some(format!("{name} in ({})", several.join(", "))),
        };
        match (self.values.contains(NULL), listed) {
            (false, listed) => listed.unwrap_or_default(),
            (true, None) => format!("{name} is null"),
            (true, Some(listed)) => format!("({name} is null or {listed})"),
        }
    }
}

/// How SQL writes a value that is none.
pub(super) const NULL: &str = "NULL";

impl Contrast<'_> {
    pub(super) fn terms(&self) -> Option<Terms> {
        let known = |row: &&&ObservedRow| row.attributes.is_some();
        let others: Vec<&ObservedRow> = self.others.iter().filter(known).copied().collect();
        let first = self.best(&others, &[])?;
        if others.is_empty() && first.values.len() > 1 {
            return None;
        }
        if share(std::slice::from_ref(&first), &others).is_some_and(|share| share > TELLING) {
            return None;
        }
        let mut terms = vec![first];
        let left: Vec<&ObservedRow> = others.iter().filter(|row| terms[0].takes(row)).copied().collect();
        if left.len() >= FEWEST_OTHERS
            && let Some(second) = self.best(&left, &terms)
            && share(std::slice::from_ref(&second), &left).is_some_and(|share| share <= NARROWING)
        {
            terms.push(second);
        }
        let sql: Vec<String> = terms.iter().map(|term| term.sql(self.names)).collect();
        Some(Terms {
            sql: sql.join(" and "),
            of_rows: share(&terms, self.members).unwrap_or(0.0),
            of_others: share(&terms, &others),
        })
    }

    /// The term that takes nearly all rows of the group and the fewest of these others; the one with fewer values, then the first.
    fn best(&self, others: &[&ObservedRow], taken: &[Term]) -> Option<Term> {
        let attributes = (0..self.names.len()).filter(|at| taken.iter().all(|term| term.attribute != *at));
        let weighed = attributes.filter_map(|at| {
            let term = self.term(at)?;
            let of_others = others.iter().filter(|row| term.takes(row)).count();
            Some(((of_others, term.values.len()), term))
        });
        weighed.min_by_key(|(weight, _)| *weight).map(|(_, term)| term)
    }

    /// The most frequent values of an attribute that together take nearly all rows of the group.
    fn term(&self, attribute: usize) -> Option<Term> {
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for row in self.members {
            if let Some(value) = row.attributes.as_ref().and_then(|values| values.get(attribute)?.as_deref()) {
                *counts.entry(value).or_default() += 1;
            }
        }
        let mut counts: Vec<(&str, usize)> = counts.into_iter().collect();
        counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        let (mut values, mut rows) = (BTreeSet::new(), 0);
        for (value, count) in counts.into_iter().take(MAX_VALUES) {
            if rows as f64 >= TAKEN * self.members.len() as f64 {
                break;
            }
            values.insert(value.to_owned());
            rows += count;
        }
        (rows as f64 >= TAKEN * self.members.len() as f64 && rows > 0).then_some(Term { attribute, values })
    }
}

/// Of these rows, how many all terms take; `None` where there are none.
fn share(terms: &[Term], rows: &[&ObservedRow]) -> Option<f64> {
    let taken = rows.iter().filter(|row| terms.iter().all(|term| term.takes(row))).count();
    (!rows.is_empty()).then(|| taken as f64 / rows.len() as f64)
}
