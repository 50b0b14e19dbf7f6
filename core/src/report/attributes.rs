//! Attributes: the columns by which rows that differ are told apart. Those of the key, and those that were kept with each difference.

use super::csv::print_key;
use crate::align::Aligned;
use crate::difference::Difference;
use crate::side::Side;
use crate::spec::DifferenceKind;
use crate::value::{Value, print};

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
    key: Vec<Value<'d>>,
    /// Nothing is known of several rows of one key.
    kept: Vec<Value<'d>>,
}

impl<'d> RowValues<'d> {
    pub fn of(difference: &Difference<'d>) -> Self {
        let side = match difference.kind {
            DifferenceKind::MissingInShadow => Side::Live,
            DifferenceKind::MissingInLive => Side::Shadow,
            DifferenceKind::Changed | DifferenceKind::DuplicateKey => difference.baseline,
        };
        let mut kept: Vec<Value<'d>> = difference.kept.values().collect();
        let of_shadow = kept.split_off(kept.len() / 2);
        RowValues {
            key: difference.key.values().collect(),
            kept: if side == Side::Live { kept } else { of_shadow },
        }
    }

    /// `None` where it is not known.
    pub fn value(&self, attribute: &Attribute) -> Option<&Value<'d>> {
        match attribute.place {
            Place::Key(at) => self.key.get(at),
            Place::Kept(at) => self.kept.get(at),
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
