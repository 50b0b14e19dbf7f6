//! The rules: which changes are expected.

use super::baseline::{list_source, one_of};
use super::columns::patterns;
use super::day;
use super::key::Key;
use crate::error::Error;
use crate::spec::comparator::tolerance_of;
use crate::spec::duration::Duration;
use crate::spec::fields::{ACCOUNTS, RULE, WITHIN};
use crate::spec::item::{Fields, Item};
use crate::spec::mistakes::Mistakes;
use crate::spec::model::{AccountScope, DifferenceKind, Expected, Within};
use crate::spec::scalars::count;

pub(super) fn read(fields: &Fields<'_>, key: &Key, mistakes: &mut Mistakes) -> Vec<Expected> {
    let Some(item) = fields.get("expected") else { return Vec::new() };
    let mut rules: Vec<Expected> = Vec::new();
    for item in item.list("a list of rules", mistakes).unwrap_or_default() {
        let Some((rule, name)) = rule(&item, key, mistakes) else { continue };
        if let Some(name) = name.filter(|_| rules.iter().any(|earlier| earlier.name == rule.name)) {
            name.wrong(
                mistakes,
                Error::spec(format!("another rule is called `{}` already", rule.name)).advice("give each its own name"),
            );
        }
        rules.push(rule);
    }
    rules
}

/// The rule, and where its name stands.
fn rule<'a>(item: &Item<'a>, key: &Key, mistakes: &mut Mistakes) -> Option<(Expected, Option<Item<'a>>)> {
    let fields = item.fields(&RULE, mistakes)?;
    let columns = fields.with("columns", patterns, mistakes);
    for (pattern, column) in columns.iter().filter(|(pattern, _)| key.key.contains(&pattern.0)) {
        column.wrong(
            mistakes,
            Error::spec(format!("`{}` is a key column, whose cells never change", pattern.0))
                .advice("take it out, or make a new key with `columns: {derive: …}`"),
        );
    }
    let has_columns = fields.has("columns");
    let kinds = fields.with("kinds", |item, mistakes| kinds(item, has_columns, mistakes), mistakes);
    let rule = Expected {
        name: fields.text("name", mistakes).unwrap_or_default(),
        accounts: fields.get("accounts").and_then(|item| accounts(&item, key.account.len(), mistakes)),
        columns: columns.into_iter().map(|(pattern, _)| pattern).collect(),
        kinds,
        within: fields.with("within", within, mistakes),
        filter: fields.text("where", mistakes),
        min: fields.read("min", "a count", count, mistakes),
        max: fields.read("max", "a count", count, mistakes),
        until: fields.read("until", "a day such as 2026-12-31", day, mistakes),
    };
    check(&fields, &rule, mistakes);
    let name = fields.get("name").filter(|_| !rule.name.is_empty());
    Some((rule, name))
}

fn check(fields: &Fields<'_>, rule: &Expected, mistakes: &mut Mistakes) {
    if let (Some(min), Some(max)) = (rule.min, rule.max)
        && min > max
    {
        fields.wrong(
            mistakes,
            Error::spec(format!("min {min} is more than max {max}")).advice("no count can be both"),
        );
    }
    let row_level_only = !rule.kinds.is_empty() && !rule.kinds.contains(&DifferenceKind::Changed);
    if let Some(item) = fields.get("within").filter(|_| row_level_only) {
        item.wrong(
            mistakes,
            Error::spec("bounds changed values, but `kinds` leaves `changed` out").advice("take one of the two out"),
        );
    }
    let limits = ["accounts", "columns", "kinds", "within", "where", "max"];
    if limits.iter().all(|name| !fields.has(name)) {
        mistakes.warn(
            fields.at,
            &fields.path,
            Error::spec("covers every difference of every account").advice("limit it by accounts, columns, kinds, within, where or max"),
        );
    }
}

fn kinds(item: &Item<'_>, has_columns: bool, mistakes: &mut Mistakes) -> Vec<DifferenceKind> {
    let mut kinds = Vec::new();
    for item in item.one_or_more("the kinds of differences", mistakes).unwrap_or_default() {
        let Some(kind) = item.word(DifferenceKind::WORDS, mistakes) else {
            continue;
        };
        if has_columns && kind != DifferenceKind::Changed {
            let what = Error::spec(format!("`{}` is about whole rows, but the rule names `columns`", kind.name()))
                .advice("take it out, or write a rule without `columns` for it");
            item.wrong(mistakes, what);
        }
        if !kinds.contains(&kind) {
            kinds.push(kind);
        }
    }
    kinds
}

fn accounts(item: &Item<'_>, width: usize, mistakes: &mut Mistakes) -> Option<AccountScope> {
    let fields = item.fields(&ACCOUNTS, mistakes)?;
    one_of(&fields, &["list", "file", "where"], mistakes)?;
    if fields.has("where") {
        return fields.text("where", mistakes).map(AccountScope::Where);
    }
    list_source(&fields, width, mistakes).map(AccountScope::Source)
}

fn within(item: &Item<'_>, mistakes: &mut Mistakes) -> Option<Within> {
    let fields = item.fields(&WITHIN, mistakes)?;
    if WITHIN.names().all(|name| !fields.has(name)) {
        item.wrong(
            mistakes,
            Error::spec("has no bound").advice("give absolute, relative or time, or take `within` out"),
        );
    }
    Some(Within {
        absolute: tolerance_of(&fields, "absolute", mistakes),
        relative: tolerance_of(&fields, "relative", mistakes),
        time: fields.read("time", "a duration such as 1s", Duration::parse, mistakes),
    })
}
