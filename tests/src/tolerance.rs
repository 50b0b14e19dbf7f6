//! The comparators again, naively: whether two cells are equal enough.

use crate::cell::{Cell, equal, pairs_up};
use crate::exact::Exact;
use crate::sql;
use serde_json::Value;
use shadowdiff_core::spec::{Comparator, Normalization, TextRules, ValueRule, Within};
use shadowdiff_core::value::Tolerance;
use std::borrow::Cow;
use unicode_normalization::UnicodeNormalization;

/// Whether the column's comparator lets the pair pass. `live_is_baseline` names the old value.
pub fn passes(comparator: &Comparator, live: &Cell, shadow: &Cell, live_is_baseline: bool) -> bool {
    if equal(live, shadow) {
        return true;
    }
    let inner = |a: &Cell, b: &Cell| passes(comparator, a, b, live_is_baseline);
    let is_unordered = matches!(comparator, Comparator::Values { unordered: true, .. });
    match (live, shadow) {
        (Cell::List(a), Cell::List(b)) if is_unordered => return pairs_up(a, b, inner),
        (Cell::List(a), Cell::List(b)) => return a.len() == b.len() && a.iter().zip(b).all(|(a, b)| inner(a, b)),
        _ => {}
    }
    let rule = match comparator {
        Comparator::Sql(condition) => return sql::pair_holds(condition, live, shadow),
        Comparator::Json => return matches!((live, shadow), (Cell::Text(a), Cell::Text(b)) if equal_json(a, b)),
        Comparator::Values { rule, .. } => rule,
    };
    let bounds = match rule {
        ValueRule::Exact => return false,
        ValueRule::Text(rules) => return normalized(live, rules) == normalized(shadow, rules),
        ValueRule::Time(limit) => Within {
            time: Some(*limit),
            ..Within::default()
        },
        ValueRule::Number(tolerance) => Within {
            absolute: tolerance.absolute().cloned(),
            relative: tolerance.relative().cloned(),
            time: None,
        },
    };
    within(&bounds, live, shadow, live_is_baseline)
}

/// Whether any bound holds. NULL, NaN and the infinities are never near another value.
pub fn within(bounds: &Within, live: &Cell, shadow: &Cell, live_is_baseline: bool) -> bool {
    if let (Some(limit), Some(a), Some(b)) = (bounds.time, live.instant(), shadow.instant()) {
        return (a - b).unsigned_abs() <= u128::from(limit.nanoseconds());
    }
    let (Some(a), Some(b)) = (live.number(), shadow.number()) else {
        return false;
    };
    let old = if live_is_baseline { &a } else { &b };
    if let (Cell::Double(x), Cell::Double(y)) = (live, shadow) {
        let (delta, old) = ((y - x).abs(), if live_is_baseline { x } else { y });
        let number = |limit: &Tolerance| limit.to_string().parse::<f64>().expect("tolerances are decimals");
        return bounds.absolute.as_ref().is_some_and(|t| delta <= number(t))
            || bounds.relative.as_ref().is_some_and(|t| delta <= number(t) * old.abs());
    }
    let delta = b.minus(&a).abs();
    let number = |limit: &Tolerance| Exact::parse(&limit.to_string()).expect("tolerances are decimals");
    bounds.absolute.as_ref().is_some_and(|t| delta <= number(t))
        || bounds.relative.as_ref().is_some_and(|t| delta <= number(t).times(&old.abs()))
}

/// `None` is NULL.
fn normalized<'a>(cell: &'a Cell, rules: &TextRules) -> Option<Cow<'a, str>> {
    let Cell::Text(text) = cell else { return None };
    let mut text = normal_form(text, rules.normalize);
    if rules.collapse_whitespace {
        text = collapsed(&text).into();
    }
    if rules.trim {
        text = text.trim().to_owned().into();
    }
    if rules.ignore_case {
        // Up and down again: folds ß to ss and both sigmas to one, character by character and without a locale.
        let folded: String = text.chars().flat_map(char::to_uppercase).flat_map(char::to_lowercase).collect();
        text = normal_form(&folded, rules.normalize).into_owned().into();
    }
    if rules.empty_is_null && text.is_empty() { None } else { Some(text) }
}

fn normal_form(text: &str, form: Option<Normalization>) -> Cow<'_, str> {
    match form {
        None => text.into(),
        Some(Normalization::Nfc) => text.nfc().collect::<String>().into(),
        Some(Normalization::Nfd) => text.nfd().collect::<String>().into(),
        Some(Normalization::Nfkc) => text.nfkc().collect::<String>().into(),
        Some(Normalization::Nfkd) => text.nfkd().collect::<String>().into(),
    }
}

fn collapsed(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        let c = if c.is_whitespace() { ' ' } else { c };
        if c != ' ' || !out.ends_with(' ') {
            out.push(c);
        }
    }
    out
}

fn equal_json(a: &str, b: &str) -> bool {
    match (serde_json::from_str::<Value>(a), serde_json::from_str::<Value>(b)) {
        (Ok(a), Ok(b)) => same_json(&a, &b),
        _ => a == b,
    }
}

fn same_json(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => Exact::parse(&a.to_string()) == Exact::parse(&b.to_string()),
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same_json(a, b)),
        (Value::Object(a), Value::Object(b)) => a.len() == b.len() && a.iter().all(|(k, v)| b.get(k).is_some_and(|w| same_json(v, w))),
        (a, b) => a == b,
    }
}

/// The comparator as the CSV names it.
pub fn describe(comparator: &Comparator) -> String {
    let mut parts = Vec::new();
    match comparator {
        Comparator::Sql(condition) => parts.push(format!("sql: {condition}")),
        Comparator::Json => parts.push("json: true".into()),
        Comparator::Values { rule, unordered } => {
            match rule {
                ValueRule::Exact => {}
                ValueRule::Number(tolerance) => {
                    parts.extend(tolerance.absolute().map(|t| format!("absolute: {t}")));
                    parts.extend(tolerance.relative().map(|t| format!("relative: {t}")));
                }
                ValueRule::Text(rules) => parts.push(describe_text(rules)),
                ValueRule::Time(limit) => parts.push(format!("time: {}", describe_time(limit.nanoseconds()))),
            }
            parts.extend(unordered.then(|| "unordered: true".into()));
        }
    }
    if parts.is_empty() { "exact".into() } else { parts.join(", ") }
}

fn describe_text(rules: &TextRules) -> String {
    let form = rules
        .normalize
        .map(|form| format!("normalize: {}", format!("{form:?}").to_lowercase()));
    let flags = [
        ("trim", rules.trim),
        ("ignore_case", rules.ignore_case),
        ("collapse_whitespace", rules.collapse_whitespace),
        ("empty_is_null", rules.empty_is_null),
    ];
    let parts: Vec<String> = form
        .into_iter()
        .chain(flags.into_iter().filter(|f| f.1).map(|f| format!("{}: true", f.0)))
        .collect();
    format!("text: {{{}}}", parts.join(", "))
}

/// In the largest unit that divides it.
fn describe_time(ns: u64) -> String {
    let units = [
        (86_400_000_000_000, "d"),
        (3_600_000_000_000, "h"),
        (60_000_000_000, "m"),
        (1_000_000_000, "s"),
    ];
    match units.into_iter().find(|(size, _)| ns >= *size && ns.is_multiple_of(*size)) {
        Some((size, unit)) => format!("{}{unit}", ns / size),
        None => format!("{}ms", ns / 1_000_000),
    }
}
