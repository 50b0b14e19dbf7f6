//! Which columns of a side a job needs: those that are compared, and those that SQL names.

use shadowdiff_common::sql::{Sql, SqlColumn, longest_name};
use shadowdiff_core::align::{Column, Role, SideColumn};
use shadowdiff_core::error::{Error, Result};
use shadowdiff_core::plan::{ReadColumn, SidePlan};
use shadowdiff_core::shorten::excerpt;
use shadowdiff_core::side::{Side, Sides};
use shadowdiff_core::spec::{AccountScope, Spec};
use shadowdiff_core::sql_text::identifier;
use shadowdiff_core::value::{ValueType, is_plain};
use std::collections::BTreeSet;

/// Prunes a side to what is compared or named by SQL.
pub(crate) fn side_plan(spec: &Spec, side: Side, read: &[ReadColumn], columns: &[SideColumn], aligned: &[Column]) -> SidePlan {
    let sql = Sql::default();
    let derives = &spec.columns.derive[side];
    let is_aligned = |name: &str| aligned.iter().any(|c| c.path[0] == name);
    let is_leaf = |name: &str| aligned.iter().any(|c| c.name == name && c.role != Role::Presence);
    let is_column = |name: &str| columns.iter().any(|c| c.name == name);
    // `live_row.p.x` asks for the member where that is compared, else for all of `p`.
    let of_pairs = named(&sql, side, &pair_sql(spec), |name| is_leaf(name) || is_column(name));
    let of_rows = named(&sql, side, spec.filter[side].as_slice(), is_column);
    let carried: Vec<String> = columns
        .iter()
        .filter(|c| !is_leaf(&c.name) && of_pairs.contains(&c.name))
        .map(|c| c.name.clone())
        .collect();
    let kept: Vec<SideColumn> = columns
        .iter()
        .filter(|c| is_aligned(&c.name) || of_rows.contains(&c.name) || carried.contains(&c.name))
        .cloned()
        .collect();
    let is_kept = |name: &str| kept.iter().any(|k| k.name == name);
    let derive_sql: Vec<&String> = derives.iter().filter(|(name, _)| is_kept(name)).map(|(_, text)| text).collect();
    let of_derives = named(&sql, side, &derive_sql, |name| read.iter().any(|c| c.name == name));
    let is_needed = |c: &&ReadColumn| {
        let direct = is_kept(&c.name) && !derives.iter().any(|(name, _)| *name == c.name);
        direct || of_derives.contains(&c.name)
    };
    SidePlan {
        read: read.iter().filter(is_needed).cloned().collect(),
        columns: kept,
        carried,
    }
}

/// SQL that sees rows after the exchange: of rules and comparators, and the names of columns that are kept.
pub(crate) fn pair_sql(spec: &Spec) -> Vec<String> {
    let comparators = spec
        .comparators
        .iter()
        .filter_map(|entry| entry.comparator.sql().map(str::to_owned));
    let attributes = spec.output.attributes.iter().map(|name| identifier(name));
    rule_sql(spec).map(str::to_owned).chain(comparators).chain(attributes).collect()
}

fn rule_sql(spec: &Spec) -> impl Iterator<Item = &str> {
    let filters = spec.expected.iter().filter_map(|rule| rule.filter.as_deref());
    scopes(spec).map(|(_, text)| text).chain(filters)
}

/// The columns whose values are stored with each difference.
pub(crate) fn kept_columns(spec: &Spec, columns: &Sides<Vec<SideColumn>>, aligned: &[Column]) -> Result<Vec<String>> {
    let leaf = |name: &str| aligned.iter().find(|c| c.name == name && c.role != Role::Presence);
    let types = |name: &str| -> Vec<&ValueType> {
        let of_sides = Side::BOTH
            .into_iter()
            .filter_map(|side| columns[side].iter().find(|c| c.name == name));
        match leaf(name) {
            Some(column) => column.stored.each().into_iter().map(|(_, stored)| stored).collect(),
            None => of_sides.map(|column| &column.value_type).collect(),
        }
    };
    let is_plain = |name: &str| types(name).into_iter().all(is_plain);
    let mut mistakes = Vec::new();
    for (at, name) in spec.output.attributes.iter().enumerate() {
        let wrong = |what: String| Error::spec(what).field(format!("output.attributes[{at}]"));
        if types(name).is_empty() {
            let known = aligned
                .iter()
                .map(|c| c.name.as_str())
                .chain(columns.live.iter().map(|c| c.name.as_str()));
            mistakes.push(wrong(format!("neither side has a column `{name}`")).did_you_mean(name, known));
        } else if !is_plain(name) {
            mistakes.push(wrong(format!("`{name}` has values inside")).advice("name a column of plain values, such as a member"));
        }
    }
    Error::all(mistakes)?;
    let mut kept = spec.output.attributes.clone();
    if spec.output.judgeable {
        let texts: Vec<&str> = rule_sql(spec).collect();
        let named = Side::BOTH.map(|side| named(&Sql::default(), side, &texts, |name| !types(name).is_empty()));
        let of_rules: BTreeSet<String> = named.into_iter().flatten().filter(|name| is_plain(name)).collect();
        kept.extend(of_rules.into_iter().filter(|name| !spec.output.attributes.contains(name)));
    }
    Ok(kept)
}

/// The rules whose accounts SQL names, by their number.
pub(crate) fn scopes(spec: &Spec) -> impl Iterator<Item = (usize, &str)> {
    spec.expected.iter().enumerate().filter_map(|(at, rule)| match &rule.accounts {
        Some(AccountScope::Where(text)) => Some((at, text.as_str())),
        Some(AccountScope::Source(_)) | None => None,
    })
}

/// The known columns that SQL names, on their own or as those of the side's row.
fn named(sql: &Sql, side: Side, texts: &[impl AsRef<str>], is_known: impl Fn(&str) -> bool) -> BTreeSet<String> {
    let row = format!("{side}_row");
    let mut found = BTreeSet::new();
    for parts in texts.iter().flat_map(|text| sql.names(text.as_ref())) {
        let in_row = if parts[0] == row { &parts[1..] } else { &[] };
        for name in [parts.as_slice(), in_row] {
            found.extend(longest_name(name, &is_known).map(|length| name[..length].join(".")));
        }
    }
    found
}

/// What the `accounts.where` of a rule names must be a column of a side. Where the other side lacks it, none of its rows is in scope, of
/// which a warning tells.
pub(crate) fn check_scopes<'a>(
    spec: &Spec,
    scopes: impl IntoIterator<Item = (usize, &'a str)>,
    columns: &Sides<Vec<SideColumn>>,
) -> Result<Vec<String>> {
    let sql = Sql::default();
    let of_sql = |c: &SideColumn| SqlColumn::new(&c.name, &c.value_type);
    let sql_columns = Sides::from_fn(|side| columns[side].iter().map(of_sql).collect::<Vec<_>>());
    let (mut mistakes, mut warnings) = (Vec::new(), Vec::new());
    for (rule, text) in scopes {
        let wrong = |what: String| Error::spec(format!("`{}`: {what}", excerpt(text))).field(format!("expected[{rule}].accounts.where"));
        let missing = Sides::from_fn(|side| sql.missing(text, &sql_columns[side]));
        let before = mistakes.len();
        for name in missing.live.iter().filter(|name| missing.shadow.contains(name)) {
            let known = columns.live.iter().chain(&columns.shadow).map(|c| c.name.as_str());
            mistakes.push(wrong(format!("neither side has a column `{name}`")).did_you_mean(name, known));
        }
        if mistakes.len() > before {
            continue;
        }
        match (missing.live.first(), missing.shadow.first()) {
            (Some(of_shadow), Some(of_live)) => {
                let what = format!("only live has `{of_live}` and only shadow has `{of_shadow}`, but it is judged on a row of one side");
                mistakes.push(wrong(what).advice("`where` of the rule sees both rows"));
            }
            (Some(name), None) | (None, Some(name)) => {
                let side = if missing.live.is_empty() { Side::Shadow } else { Side::Live };
                let rule = &spec.expected[rule].name;
                warnings.push(format!(
                    "expected `{rule}`: accounts.where: {side} has no column `{name}`: no account is in scope by its rows"
                ));
            }
            (None, None) => {}
        }
    }
    Error::all(mistakes)?;
    Ok(warnings)
}
