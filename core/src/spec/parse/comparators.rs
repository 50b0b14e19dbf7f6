//! The comparators: how the values of some columns are held against each other.

use super::columns::patterns;
use crate::error::Error;
use crate::spec::comparator::{self, COMPARATOR};
use crate::spec::item::{Fields, Item};
use crate::spec::mistakes::Mistakes;
use crate::spec::model::{ComparatorEntry, Pattern};
use std::collections::BTreeMap;

pub(super) fn read(fields: &Fields<'_>, key: &[String], mistakes: &mut Mistakes) -> Vec<ComparatorEntry> {
    let Some(item) = fields.get("comparators") else { return Vec::new() };
    let items = item
        .list("a list of entries with `columns` and a comparator", mistakes)
        .unwrap_or_default();
    let mut claimed: BTreeMap<Pattern, String> = BTreeMap::new();
    items.iter().filter_map(|item| entry(item, key, &mut claimed, mistakes)).collect()
}

fn entry(item: &Item<'_>, key: &[String], claimed: &mut BTreeMap<Pattern, String>, mistakes: &mut Mistakes) -> Option<ComparatorEntry> {
    let fields = item.fields(&COMPARATOR, mistakes)?;
    let columns = fields.with("columns", patterns, mistakes);
    for (pattern, column) in &columns {
        if key.contains(&pattern.0) {
            let what = Error::spec(format!("`{}` is a key column, and keys match exactly", pattern.0))
                .advice("make a new key with `columns: {derive: …}` instead");
            column.wrong(mistakes, what);
        }
        match claimed.get(pattern) {
            Some(earlier) if *earlier != item.path => column.wrong(
                mistakes,
                Error::spec(format!("{earlier} names `{}` already", pattern.0)).advice("keep one of the two"),
            ),
            Some(_) => {}
            None => {
                claimed.insert(pattern.clone(), item.path.clone());
            }
        }
    }
    let comparator = comparator::read(&fields, mistakes);
    Some(ComparatorEntry {
        columns: columns.into_iter().map(|(pattern, _)| pattern).collect(),
        comparator,
    })
}
