//! Attributes: the columns by which rows that differ are told apart. Those of the key, and those that were kept with each difference.

use super::csv::print_key;
use crate::align::Aligned;
use crate::difference::{Difference, StoredValues};
use crate::side::Side;
use crate::spec::DifferenceKind;
use crate::value::{Value, print};
use std::ops::Range;

#[derive(Debug)]
pub struct Attribute {
    pub name: String,
    pub place: Place,
}

/// Where its values stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// Among those of the key.
    Key(usize),
    /// Among those that were kept of a row.
    Kept(usize),
}

/// The columns of the key, then those of `kept` that are none.
pub fn attributes(aligned: &Aligned, kept: &[String]) -> Vec<Attribute> {
    let key = aligned.key_columns().enumerate().map(|(at, column)| Attribute {
        name: column.name.clone(),
        place: Place::Key(at),
    });
    let is_key = |name: &String| aligned.key_columns().any(|column| column.name == *name);
    let kept = kept.iter().enumerate().filter(|(_, name)| !is_key(name));
    let kept = kept.map(|(at, name)| Attribute {
        name: name.clone(),
        place: Place::Kept(at),
    });
    key.chain(kept).collect()
}

/// What a row that differs has of its key, and of what was kept in the row of the baseline, or the only one.
#[derive(Debug)]
pub struct RowValues<'d> {
    key: StoredValues<'d>,
    /// Those of the key behind the account's, and how many these are.
    behind_account: (usize, StoredValues<'d>),
    /// Those of live, then those of shadow. Nothing is known of several rows of one key.
    kept: Vec<Value<'d>>,
    /// Which of them are meant.
    of_side: Range<usize>,
}

impl<'d> RowValues<'d> {
    pub fn of(difference: &Difference<'d>) -> Self {
        RowValues::of_account(difference, &[], 0)
    }

    /// The same, where it is known how the account's values are stored, and how many they are: these need not be read again to find the others.
    pub(super) fn of_account(difference: &Difference<'d>, account: &[u8], count: usize) -> Self {
        let side = match difference.kind {
            DifferenceKind::MissingInShadow => Side::Live,
            DifferenceKind::MissingInLive => Side::Shadow,
            DifferenceKind::Changed | DifferenceKind::DuplicateKey => difference.baseline,
        };
        let kept: Vec<Value<'d>> = difference.kept.values().collect();
        let of_live = kept.len() / 2;
        let of_side = match side {
            Side::Live => 0..of_live,
            Side::Shadow => of_live..kept.len(),
        };
        let behind = difference.key.behind(account);
        RowValues {
            key: difference.key,
            behind_account: behind.map_or((0, difference.key), |behind| (count, behind)),
            kept,
            of_side,
        }
    }

    /// `None` where it is not known.
    pub fn value(&self, attribute: &Attribute) -> Option<Value<'d>> {
        match attribute.place {
            // Keys are short: reading one again costs less than a list of its values.
            Place::Key(at) => match at.checked_sub(self.behind_account.0) {
                Some(behind) => self.behind_account.1.values().nth(behind),
                None => self.key.values().nth(at),
            },
            Place::Kept(at) => self.kept[self.of_side.clone()].get(at).cloned(),
        }
    }
}

/// Appends a value as it is printed elsewhere: one of the key as in `diff.csv`, another as in the table of differences.
pub(super) fn print_value(attribute: &Attribute, value: &Value<'_>, aligned: &Aligned, out: &mut String) {
    match (attribute.place, value) {
        (_, Value::Text(text)) => out.push_str(text),
        (Place::Key(at), value) => print_key(value, &aligned.columns[aligned.key[at]], out),
        (Place::Kept(_), value) => print(value, out),
    }
}
