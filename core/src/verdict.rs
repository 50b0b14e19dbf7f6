//! The verdict: pass only if no threshold of the spec is broken, with each broken one in words.

use crate::align::Aligned;
use crate::error::{Error, Result};
use crate::side::Sides;
use crate::spec::{Day, Limit, Pattern, SchemaChange, Spec, member};
use crate::tally::{DifferenceTally, Tally, counted};
use crate::value::Number;
use crate::words::words;
use serde::{Deserialize, Serialize};

words! {
    /// Whether a release may go out.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
    #[serde(rename_all = "lowercase")]
    pub enum Verdict {
        Pass = "pass",
        Fail = "fail",
    }
}

impl Verdict {
    /// Of the broken thresholds.
    pub fn of(broken: &[String]) -> Verdict {
        if broken.is_empty() { Verdict::Pass } else { Verdict::Fail }
    }
}

/// What the thresholds are held against.
#[derive(Debug, Clone, Copy)]
pub struct Counts<'a> {
    pub rows: &'a Tally,
    pub differences: &'a DifferenceTally,
    pub accounts: AccountCounts,
}

/// Accounts as the thresholds count them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AccountCounts {
    /// Accounts with at least one exception.
    pub with_exceptions: u64,
    /// Accounts of either side after `where`.
    pub all: u64,
}

/// A limit of the spec's `verdict`, and whether it was kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Threshold {
    /// As the spec names it; `max_column_mismatch` for each column.
    pub name: String,
    /// As a spec writes it.
    pub limit: String,
    /// In words how it was broken; empty if it was kept.
    pub broken: Vec<String>,
}

impl Threshold {
    fn new(name: impl Into<String>, limit: impl Into<String>, broken: impl IntoIterator<Item = String>) -> Self {
        Threshold {
            name: name.into(),
            limit: limit.into(),
            broken: broken.into_iter().collect(),
        }
    }
}

/// What became of a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleOutcome {
    pub lines: u64,
    /// Each bound it broke, in words; empty if it kept them.
    pub broken: Vec<String>,
}

/// How each threshold that the spec sets fared, those that it sets by leaving them out included.
pub fn thresholds(spec: &Spec, aligned: &Aligned, counts: Counts<'_>) -> Vec<Threshold> {
    let mut all = Vec::new();
    all.extend(empty(spec, aligned, counts.rows));
    all.push(exceptions(spec, counts));
    all.extend(exception_accounts(spec, counts.accounts));
    all.extend(column_mismatches(spec, aligned, counts));
    all.push(schema_changes(spec, aligned));
    all.extend(type_changes(spec, aligned));
    all
}

/// How each rule fared, in the order of the spec.
pub fn rules(spec: &Spec, differences: &DifferenceTally, as_of: Day) -> Vec<RuleOutcome> {
    let outcome = |(at, rule): (usize, &crate::spec::Expected)| {
        let lines = differences.rules.get(&at).copied().unwrap_or(0);
        let mut broken = Vec::new();
        let name = &rule.name;
        if let Some(until) = rule.until.filter(|until| as_of > *until) {
            broken.push(format!(
                "expected `{name}`: its `until` {until} is over as of {as_of}; it covers nothing"
            ));
        }
        if let Some(min) = rule.min.filter(|min| lines < *min) {
            broken.push(format!(
                "expected `{name}`: {}, fewer than its min of {min}",
                counted(lines, "line")
            ));
        }
        if let Some(max) = rule.max.filter(|max| lines > *max) {
            broken.push(format!("expected `{name}`: {}, more than its max of {max}", counted(lines, "line")));
        }
        if spec.verdict.unused_rules_fail && lines == 0 && rule.min.is_none() {
            broken.push(format!("expected `{name}`: covers nothing, and `unused_rules` is fail"));
        }
        RuleOutcome { lines, broken }
    };
    spec.expected.iter().enumerate().map(outcome).collect()
}

/// Mistakes of the thresholds that only the schemas show.
pub fn check(spec: &Spec, aligned: &Aligned) -> Result<Vec<String>> {
    let (mut mistakes, mut warnings) = (Vec::new(), Vec::new());
    for (pattern, _) in &spec.verdict.max_column_mismatch {
        if pattern.is_exact() && aligned.is_struct(&pattern.0) {
            mistakes.push(of_pattern(pattern, "is a struct").advice(format!("name its members, such as `{}.*`", pattern.0)));
        }
        if aligned.columns.iter().any(|c| pattern.matches(&c.name)) {
            continue;
        }
        if pattern.is_exact() {
            let known = aligned.columns.iter().map(|c| c.name.as_str());
            mistakes.push(of_pattern(pattern, "is not a compared column").did_you_mean(&pattern.0, known));
        } else {
            warnings.push(format!("verdict.max_column_mismatch: `{}` matches no column", pattern.0));
        }
    }
    Error::all(mistakes)?;
    Ok(warnings)
}

fn of_pattern(pattern: &Pattern, what: &str) -> Error {
    Error::spec(format!("`{}` {what}", pattern.0)).field(member("verdict.max_column_mismatch", &pattern.0))
}

/// Comparing nothing is never a pass: no row, no key in common, or no value of the rows that have one.
fn empty(spec: &Spec, aligned: &Aligned, tally: &Tally) -> Option<Threshold> {
    if spec.verdict.allow_empty {
        return None;
    }
    let kept = Sides::from_fn(|side| tally.sides[side].read - tally.sides[side].filtered);
    let why = if kept.live == 0 && kept.shadow == 0 {
        Some(format!("no row on either side{}", after_where(tally)))
    } else if tally.matched() + tally.duplicate_on_both == 0 {
        Some(format!(
            "no key of one side is on the other ({}, {}{})",
            counted(kept.live, "live row"),
            counted(kept.shadow, "shadow row"),
            after_where(tally)
        ))
    } else {
        let no_value = || "no column besides the key is on both sides and compared".to_owned();
        aligned.compares_no_value().then(no_value)
    };
    let broken = why.map(|why| format!("nothing was compared: {why}; `verdict: {{allow_empty: true}}` allows it"));
    Some(Threshold::new("allow_empty", "false", broken))
}

/// That rows were there, and which were left out.
fn after_where(tally: &Tally) -> String {
    let Sides { live, shadow } = Sides::from_fn(|side| tally.sides[side].filtered);
    if live + shadow == 0 {
        return String::new();
    }
    format!(
        "; `where` left out {} and {}",
        counted(live, "live row"),
        counted(shadow, "shadow row")
    )
}

/// Whether `count` is over the limit; a share is of `whole`. Exact: no float decides.
fn exceeds(count: u64, limit: &Limit, whole: u64) -> bool {
    match limit {
        Limit::Count(most) => count > *most,
        Limit::Share(share) => {
            let allowed = share.mul(&Number::from_int(whole.into()));
            Number::from_int(count.into()).cmp(&allowed) == std::cmp::Ordering::Greater
        }
    }
}

/// A limit as a person writes it.
fn shown(limit: &Limit) -> String {
    match limit {
        Limit::Count(most) => most.to_string(),
        Limit::Share(share) => {
            format!("{}%", share.mul(&Number::from_int(100)).normalized())
        }
    }
}

fn exceptions(spec: &Spec, counts: Counts<'_>) -> Threshold {
    let (exceptions, matched) = (counts.differences.exceptions(), counts.rows.matched());
    let limit = &spec.verdict.max_exceptions;
    let broken = exceeds(exceptions, limit, matched).then(|| {
        let of = match limit {
            Limit::Share(_) => format!(" of {}", counted(matched, "matched row")),
            Limit::Count(_) => String::new(),
        };
        let exceptions = counted(exceptions, "exception");
        format!("max_exceptions: {exceptions}{of}, at most {} allowed", shown(limit))
    });
    Threshold::new("max_exceptions", shown(limit), broken)
}

fn exception_accounts(spec: &Spec, accounts: AccountCounts) -> Option<Threshold> {
    let limit = spec.verdict.max_exception_accounts.as_ref()?;
    let AccountCounts { with_exceptions, all } = accounts;
    let broken = exceeds(with_exceptions, limit, all).then(|| {
        let accounts = match limit {
            Limit::Share(_) => format!("{with_exceptions} of {}", counted(all, "account")),
            Limit::Count(_) => counted(with_exceptions, "account"),
        };
        format!("max_exception_accounts: exceptions in {accounts}, at most {} allowed", shown(limit))
    });
    Some(Threshold::new("max_exception_accounts", shown(limit), broken))
}

/// Of each column that has a limit, in the order of the columns.
fn column_mismatches(spec: &Spec, aligned: &Aligned, counts: Counts<'_>) -> Vec<Threshold> {
    let matched = counts.rows.matched();
    let limits = &spec.verdict.max_column_mismatch;
    let one = |(at, column): (usize, &crate::align::Column)| {
        let exact = limits.iter().find(|(p, _)| p.is_exact() && p.0 == column.name);
        let (_, limit) = exact.or_else(|| limits.iter().find(|(p, _)| p.matches(&column.name)))?;
        let cells = counts.differences.exceptions_in(at);
        let broken = exceeds(cells, limit, matched).then(|| {
            format!(
                "max_column_mismatch: `{}` has {} in {}, at most {} allowed",
                column.name,
                counted(cells, "excepted cell"),
                counted(matched, "matched row"),
                shown(limit)
            )
        });
        Some(Threshold::new(member("max_column_mismatch", &column.name), shown(limit), broken))
    };
    aligned.columns.iter().enumerate().filter_map(one).collect()
}

fn schema_changes(spec: &Spec, aligned: &Aligned) -> Threshold {
    let allowed = &spec.verdict.schema_changes;
    let changes = [
        (&aligned.only.shadow, SchemaChange::Added, "columns only in shadow:", "added"),
        (&aligned.only.live, SchemaChange::Removed, "columns only in live:", "removed"),
    ];
    let is_allowed = |change: &SchemaChange| allowed.contains(change);
    let broken = changes
        .iter()
        .filter(|(names, change, ..)| !names.is_empty() && !is_allowed(change));
    let broken = broken.map(|(names, _, what, word)| {
        format!(
            "schema_changes: {what} {} (`schema_changes: [{word}]` allows it, `columns: {{exclude: […]}}` ignores it)",
            names.join(", ")
        )
    });
    let words: Vec<&str> = changes.iter().filter(|c| is_allowed(&c.1)).map(|c| c.3).collect();
    Threshold::new("schema_changes", format!("[{}]", words.join(", ")), broken)
}

fn type_changes(spec: &Spec, aligned: &Aligned) -> Option<Threshold> {
    if !spec.verdict.type_changes_fail {
        return None;
    }
    let all = aligned.types.iter().map(|t| format!("{} ({} to {})", t.column, t.live, t.shadow));
    let all: Vec<String> = all.collect();
    let broken = (!all.is_empty()).then(|| format!("type_changes: {}", all.join(", ")));
    Some(Threshold::new("type_changes", "fail", broken))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::align::{SideColumn, align};
    use crate::spec::{Overrides, parse};
    use crate::value::ValueType;

    /// A side with the key `id` and the members `x` and so on of a struct `p`, or columns of other names.
    fn side(columns: &[&str]) -> Vec<SideColumn> {
        let column = |name: &str, value_type: ValueType| SideColumn {
            name: name.to_owned(),
            value_type,
        };
        let of = |name: &str| match name.split_once('.') {
            Some((outer, member)) => column(outer, ValueType::Struct(vec![(member.to_owned(), ValueType::INT64)])),
            None => column(name, ValueType::INT64),
        };
        columns.iter().map(|name| of(name)).collect()
    }

    /// What is said of a comparison of nothing; both sides have a row of one key.
    fn nothing(part: &str, live: &[&str], shadow: &[&str]) -> String {
        let text = format!("live: a/\nshadow: b/\naccount: id\n{part}");
        let spec = parse(&text, "s.yaml", &Overrides::default()).expect("a spec of the test").spec;
        let aligned = align(&spec, &Sides::new(side(live), side(shadow))).expect("the sides meet");
        let mut tally = Tally {
            cancelled: 1,
            ..Tally::default()
        };
        tally.sides = tally.sides.map(|_| crate::tally::SideRows {
            read: 1,
            ..Default::default()
        });
        empty(&spec, &aligned, &tally).map_or_else(String::new, |t| t.broken.concat())
    }

    #[test]
    fn comparing_no_value_is_not_a_pass() {
        let is_nothing = |part: &str, live: &[&str], shadow: &[&str]| {
            let forwards = nothing(part, live, shadow);
            assert_eq!(forwards, nothing(part, shadow, live), "{part} {live:?} {shadow:?}");
            forwards.contains("no column besides the key")
        };
        for (part, live, shadow) in [
            ("", &["id", "v"][..], &["id", "w"][..]),
            ("", &["id", "v"], &["id"]),
            ("", &["id", "p.x"], &["id", "p.y"]),
            ("key: [p.x]\n", &["id", "p.x", "v"], &["id", "p.x"]),
            ("columns: {exclude: ['v*']}\n", &["id", "v"], &["id", "v"]),
            ("columns: {exclude: ['*']}\n", &["id", "v", "w"], &["id", "v"]),
            ("columns: {exclude: [p.x]}\n", &["id", "p.x"], &["id", "p.x"]),
        ] {
            assert!(is_nothing(part, live, shadow), "{part} {live:?} {shadow:?}");
        }
        for (part, live, shadow) in [
            ("", &["id"][..], &["id"][..]),
            ("", &["id", "v", "w"], &["id", "v"]),
            ("", &["id", "p.x"], &["id", "p.x"]),
            ("key: [p.x]\n", &["id", "p.x"], &["id", "p.x"]),
            // Who names a column wants it left out.
            ("columns: {exclude: [v]}\n", &["id", "v"], &["id", "v"]),
            ("verdict: {allow_empty: true}\n", &["id", "v"], &["id", "w"]),
        ] {
            assert!(!is_nothing(part, live, shadow), "{part} {live:?} {shadow:?}");
        }
    }
}
