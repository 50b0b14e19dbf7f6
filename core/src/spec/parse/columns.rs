//! Which columns take part, and under which names and types.

use super::datasets::types;
use crate::error::Error;
use crate::side::{Side, Sides};
use crate::spec::fields::COLUMNS;
use crate::spec::group::Group;
use crate::spec::item::{Fields, Item};
use crate::spec::mistakes::Mistakes;
use crate::spec::model::{Columns, Pattern};

pub(super) fn read(fields: &Fields<'_>, key: &[String], mistakes: &mut Mistakes) -> Columns {
    let group: &'static Group = &COLUMNS;
    let Some(fields) = fields.get("columns").and_then(|item| item.fields(group, mistakes)) else {
        return Columns::default();
    };
    Columns {
        include: fields
            .with("include", patterns, mistakes)
            .into_iter()
            .map(|(pattern, _)| pattern)
            .collect(),
        exclude: fields.get("exclude").map(|item| exclude(&item, key, mistakes)).unwrap_or_default(),
        rename: fields.with("rename", rename, mistakes),
        cast: types(fields.get("cast"), mistakes),
        derive: fields.with("derive", derive, mistakes),
    }
}

/// A list of column names and patterns, each with the item it stands in.
pub(super) fn patterns<'a>(item: &Item<'a>, mistakes: &mut Mistakes) -> Vec<(Pattern, Item<'a>)> {
    let items = item
        .one_or_more("the name of a column, or a list of them", mistakes)
        .unwrap_or_default();
    items
        .into_iter()
        .filter_map(|item| Some((Pattern(item.text(mistakes)?.to_owned()), item)))
        .collect()
}

fn exclude(item: &Item<'_>, key: &[String], mistakes: &mut Mistakes) -> Vec<Pattern> {
    if item.is_list() && item.list("a list", mistakes).is_some_and(|items| items.is_empty()) {
        return Vec::new();
    }
    let patterns = patterns(item, mistakes);
    for (pattern, item) in patterns.iter().filter(|(pattern, _)| key.contains(&pattern.0)) {
        item.wrong(
            mistakes,
            Error::spec(format!("`{}` is a key column, and rows cannot be matched without it", pattern.0))
                .advice("take it out here or out of the key"),
        );
    }
    patterns.into_iter().map(|(pattern, _)| pattern).collect()
}

/// Flat, it is from shadow's names to live's; per side from the name in the files to the name in the comparison.
fn rename(item: &Item<'_>, mistakes: &mut Mistakes) -> Sides<Vec<(String, String)>> {
    if item.is_per_side(Item::is_mapping) {
        return item
            .sides(mistakes)
            .map(|side| side.map(|item| new_names(&item, mistakes)).unwrap_or_default());
    }
    Sides::new(Vec::new(), new_names(item, mistakes))
}

fn new_names(item: &Item<'_>, mistakes: &mut Mistakes) -> Vec<(String, String)> {
    let mut names: Vec<(String, String)> = Vec::new();
    for (entry, item) in item.pairs("a mapping from old names to new ones", mistakes).unwrap_or_default() {
        let Some(new) = item.text(mistakes) else { continue };
        if let Some((old, _)) = names.iter().find(|(_, taken)| taken == new) {
            item.wrong(
                mistakes,
                Error::spec(format!("`{new}` is the new name of `{old}` already")).advice("give each column its own name"),
            );
        }
        names.push((entry.key.clone(), new.to_owned()));
    }
    names
}

fn derive(item: &Item<'_>, mistakes: &mut Mistakes) -> Sides<Vec<(String, String)>> {
    let mut derived: Sides<Vec<(String, String)>> = Sides::default();
    for (entry, item) in item.pairs("a mapping from columns to SQL", mistakes).unwrap_or_default() {
        let sql = if item.is_mapping() {
            let sides = item.sides(mistakes);
            if sides.live.is_none() && sides.shadow.is_none() {
                item.wrong(
                    mistakes,
                    Error::spec("has no SQL").advice("write one for both sides, or {live: …, shadow: …}"),
                );
            }
            sides.map(|side| side.and_then(|item| item.text(mistakes).map(str::to_owned)))
        } else {
            let both = item.text(mistakes).map(str::to_owned);
            Sides::new(both.clone(), both)
        };
        for side in Side::BOTH {
            derived[side].extend(sql[side].iter().map(|sql| (entry.key.clone(), sql.clone())));
        }
    }
    derived
}
