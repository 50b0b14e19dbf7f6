//! The comparators: how the values of some columns are held against each other.

use super::columns::patterns;
use crate::error::Error;
use crate::spec::comparator::{Comparator, NumberTolerance, TextRules, ValueRule};
use crate::spec::duration::Duration;
use crate::spec::fields::{COMPARATOR, NORMALIZATIONS, TEXT};
use crate::spec::item::{Fields, Item};
use crate::spec::mistakes::Mistakes;
use crate::spec::model::{ComparatorEntry, Pattern};
use crate::spec::scalars::tolerance;
use crate::value::{Number, Tolerance};
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
    let columns = fields.get("columns").map(|item| patterns(&item, mistakes)).unwrap_or_default();
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
    let comparator = comparator(&fields, mistakes);
    Some(ComparatorEntry {
        columns: columns.into_iter().map(|(pattern, _)| pattern).collect(),
        comparator,
    })
}

fn comparator(fields: &Fields<'_>, mistakes: &mut Mistakes) -> Comparator {
    let number = NumberTolerance::new(
        tolerance_of(fields, "absolute", mistakes),
        tolerance_of(fields, "relative", mistakes),
    );
    let text = fields.get("text").and_then(|item| text_rules(&item, mistakes));
    let time = fields.read("time", "a duration such as 1s", Duration::parse, mistakes);
    let unordered = fields.flag("unordered", mistakes);
    let json = fields.flag("json", mistakes);
    let sql = fields.text("sql", mistakes);
    refuse_mixtures(fields, unordered, json, mistakes);
    if let Some(sql) = sql {
        return Comparator::Sql(sql);
    }
    if json {
        return Comparator::Json;
    }
    let rule = number
        .map(ValueRule::Number)
        .or(text.map(ValueRule::Text))
        .or(time.map(ValueRule::Time));
    Comparator::Values {
        rule: rule.unwrap_or(ValueRule::Exact),
        unordered,
    }
}

/// A tolerance of a comparator or of `within`.
pub(super) fn tolerance_of(fields: &Fields<'_>, name: &str, mistakes: &mut Mistakes) -> Option<Tolerance> {
    let item = fields.get(name)?;
    let found = item.read("a decimal such as 0.01, or a percentage such as 5%", tolerance, mistakes)?;
    let is_percentage = item.scalar("", mistakes).is_some_and(|text| text.ends_with('%'));
    if name == "relative" && !is_percentage && *found.exact() >= Number::from_int(1) {
        mistakes.warn(
            item.node.at,
            &item.path,
            Error::spec(format!("{found} allows any value up to {found} times the baseline"))
                .advice(format!("write {found}% if you mean percent")),
        );
    }
    Some(found)
}

fn text_rules(item: &Item<'_>, mistakes: &mut Mistakes) -> Option<TextRules> {
    let before = mistakes.count();
    let fields = item.fields(&TEXT, mistakes)?;
    let rules = TextRules {
        normalize: fields.word("normalize", NORMALIZATIONS, mistakes),
        trim: fields.flag("trim", mistakes),
        ignore_case: fields.flag("ignore_case", mistakes),
        collapse_whitespace: fields.flag("collapse_whitespace", mistakes),
        empty_is_null: fields.flag("empty_is_null", mistakes),
    };
    if rules == TextRules::default() && mistakes.count() == before {
        item.wrong(
            mistakes,
            Error::spec("changes nothing").advice(format!("set at least one of {}", TEXT.names().collect::<Vec<_>>().join(", "))),
        );
    }
    Some(rules)
}

/// Only absolute and relative go together, and `unordered` with those, with text and with time.
fn refuse_mixtures(fields: &Fields<'_>, unordered: bool, json: bool, mistakes: &mut Mistakes) {
    let tolerance = if fields.has("absolute") { "absolute" } else { "relative" };
    let given = [
        (tolerance, fields.has("absolute") || fields.has("relative")),
        ("text", fields.has("text")),
        ("time", fields.has("time")),
        ("json", json),
        ("sql", fields.has("sql")),
    ];
    let mut given: Vec<&str> = given.into_iter().filter(|(_, is_given)| *is_given).map(|(name, _)| name).collect();
    if unordered && given.iter().any(|name| ["json", "sql"].contains(name)) {
        given.push("unordered");
    }
    let names_one = !given.is_empty() || unordered || unread(fields, "unordered", mistakes) || unread(fields, "json", mistakes);
    if !names_one {
        fields.wrong(
            mistakes,
            Error::spec("has no comparator").advice("add one of absolute, relative, text, time, unordered, json, sql"),
        );
    }
    if given.len() > 1 {
        let what = Error::spec(format!("mixes {}", given.join(" and ")))
            .advice("keep one (only absolute and relative go together, and unordered with them, with text or with time)");
        fields.wrong(mistakes, what);
    }
}

/// Whether a flag is there but is neither true nor false; that was said already.
fn unread(fields: &Fields<'_>, name: &str, mistakes: &Mistakes) -> bool {
    fields.get(name).is_some_and(|item| mistakes.has(item.node.at, &item.path))
}
