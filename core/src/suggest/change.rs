//! How the values of a group change, in the forms in which a spec says it: the tightest that fits what was learned first, looser ones behind.

use super::{Compared, Observed};
use crate::spec::{Comparator, DifferenceKind, Direction, Duration};
use crate::tally::Pattern;
use crate::value::{Number, ValueType};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Of the lines that a form must hold for.
const HELD: f64 = 0.95;
/// Deltas that spread less than this share of their middle are one factor.
const ONE_FACTOR: f64 = 0.2;
/// Deltas that spread less are one offset.
const ONE_OFFSET: f64 = 1e-6;
/// A bound this many times the middle delta is set by few of them.
const FAR: f64 = 3.0;
/// Deltas that spread more have no bound in common.
const MOST_SPREAD: f64 = 20.0;
/// Pairs of values that a condition names.
const MAX_PAIRS: usize = 5;

/// How a spec says that values change.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Form {
    pub(super) how: How,
    pub(super) warnings: Vec<String>,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum How {
    /// The fields of an entry of `comparators`.
    Comparator(Value),
    /// `within` and `where` of a rule.
    Rule { within: Option<Value>, filter: Option<String> },
    /// A rule that says nothing of the values: its accounts must tell.
    Any,
}

fn form(how: How) -> Form {
    Form { how, warnings: Vec::new() }
}

fn condition(sql: String) -> Form {
    form(How::Rule {
        within: None,
        filter: Some(sql),
    })
}

/// The forms for exceptions like the first. `is_both_ways`: some go up and some go down.
pub(super) fn forms(of: Compared<'_>, first: &Pattern, is_both_ways: bool, lines: &[&Observed]) -> Vec<Form> {
    let (DifferenceKind::Changed, Some(column)) = (first.kind, first.column) else {
        return vec![form(How::Any)];
    };
    let column = &of.aligned.columns[column];
    let is_exact = *column.comparator() == Comparator::EXACT;
    let value_type = column.shown.shown();
    let mut forms = Vec::new();
    match first.diagnosis.as_deref() {
        Some(diagnosis) if is_exact && text_comparator(diagnosis).is_some() => {
            forms.extend(text_comparator(diagnosis).map(|fields| form(How::Comparator(fields))));
        }
        Some("null_appeared") => forms.push(condition("live is not null and shadow is null".to_owned())),
        Some("null_vanished") => forms.push(condition("live is null and shadow is not null".to_owned())),
        _ if value_type.is_number() => forms.extend(of_numbers(of, first, (is_both_ways, is_exact), value_type, lines)),
        _ if value_type.is_time() => forms.extend(of_times(first.direction.filter(|_| !is_both_ways), value_type, lines)),
        _ => {}
    }
    if matches!(value_type, ValueType::Text | ValueType::Bool) {
        forms.extend(pairs(lines));
    }
    forms.push(form(How::Any));
    forms
}

/// What brings both texts of a diagnosis together.
fn text_comparator(diagnosis: &str) -> Option<Value> {
    let rules = match diagnosis {
        "unicode_normalization" => json!({"normalize": "nfc"}),
        "case" => json!({"ignore_case": true}),
        "whitespace" => json!({"trim": true, "collapse_whitespace": true}),
        "empty_vs_null" => json!({"empty_is_null": true}),
        _ => return None,
    };
    Some(json!({ "text": rules }))
}

/// A few pairs of values that most lines have.
fn pairs(lines: &[&Observed]) -> Option<Form> {
    let mut counts: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for (live, shadow) in lines.iter().filter_map(|line| line.values.as_ref()) {
        *counts.entry((live, shadow)).or_default() += 1;
    }
    let mut counts: Vec<((&str, &str), usize)> = counts.into_iter().collect();
    counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    counts.truncate(MAX_PAIRS);
    let held: usize = counts.iter().map(|(_, count)| count).sum();
    if held == 0 || (held as f64) < HELD * lines.len() as f64 {
        return None;
    }
    let equals = |name: &str, value: &str| {
        if value == super::terms::NULL {
            format!("{name} is null")
        } else {
            format!("{name} = {value}")
        }
    };
    let pair = |(live, shadow): &(&str, &str)| format!("{} and {}", equals("live", live), equals("shadow", shadow));
    let sql = match counts.as_slice() {
        [(one, _)] => pair(one),
        several => several
            .iter()
            .map(|(values, _)| format!("({})", pair(values)))
            .collect::<Vec<_>>()
            .join(" or "),
    };
    Some(condition(sql))
}

/// Sizes in order, NaN and infinities left out.
fn sizes(lines: &[&Observed], size: impl Fn(&Observed) -> Option<f64>) -> Vec<f64> {
    let mut sizes: Vec<f64> = lines.iter().filter_map(|line| size(line)).map(f64::abs).collect();
    sizes.retain(|size| size.is_finite());
    sizes.sort_by(f64::total_cmp);
    sizes
}

/// The range of all sizes, or of nearly all where the others lie far out.
fn core_of(sizes: &[f64]) -> (f64, f64) {
    let out = ((1.0 - HELD) / 2.0 * sizes.len() as f64).floor() as usize;
    (sizes[out], sizes[sizes.len() - 1 - out])
}

fn of_numbers(
    of: Compared<'_>,
    first: &Pattern,
    (is_both_ways, is_exact): (bool, bool),
    value_type: &ValueType,
    lines: &[&Observed],
) -> Vec<Form> {
    let (deltas, shares) = (sizes(lines, |line| line.delta), sizes(lines, |line| line.relative));
    if (deltas.len() as f64) < HELD * lines.len() as f64 || deltas.is_empty() {
        return Vec::new();
    }
    // A bound by the size of the old value is the better one where it is set by more of the deltas.
    let spread = |sizes: &[f64]| sizes[sizes.len() - 1] / sizes[sizes.len() / 2];
    let has_shares = shares.len() == lines.len();
    let is_relative = has_shares && spread(&shares) < spread(&deltas);
    let (name, sizes) = if is_relative {
        ("relative", &shares)
    } else {
        ("absolute", &deltas)
    };
    let bound = |is_percent| rounded_up(sizes[sizes.len() - 1], is_percent);
    let Some(text) = bound(is_relative) else { return Vec::new() };
    let mut warnings = Vec::new();
    let middle = sizes[sizes.len() / 2];
    if spread(sizes) > FAR {
        let middle = rounded_up(middle, is_relative).unwrap_or_default();
        warnings.push(format!(
            "its bound is set by few: half of the changes are within {middle}, the bound is {text}"
        ));
    }
    let within = json!({ name: text });
    if spread(sizes) > MOST_SPREAD {
        return Vec::new();
    }
    if is_both_ways || first.direction.is_none() {
        let rule = How::Rule {
            within: Some(within.clone()),
            filter: None,
        };
        let noise = is_exact.then_some(How::Comparator(within));
        let hows = noise.into_iter().chain([rule]);
        return hows
            .map(|how| Form {
                how,
                warnings: warnings.clone(),
            })
            .collect();
    }
    let up = first.direction == Some(Direction::Up);
    let mut forms = one_step(of, up, value_type, &deltas, &shares);
    let filter = if up { "shadow > live" } else { "live > shadow" };
    let how = How::Rule {
        within: Some(within),
        filter: Some(filter.to_owned()),
    };
    forms.push(Form { how, warnings });
    forms
}

/// One offset, or one factor, where nearly all have the same. `shares`: of all of them, by the size of the old value.
fn one_step(of: Compared<'_>, up: bool, value_type: &ValueType, deltas: &[f64], shares: &[f64]) -> Vec<Form> {
    let (new, old) = if up { ("shadow", "live") } else { ("live", "shadow") };
    // Integers could leave their 64 bits.
    let moved = match value_type {
        ValueType::Int { .. } => format!("{new} * 1.0 - {old}"),
        _ => format!("{new} - {old}"),
    };
    let mut forms = Vec::new();
    let (least, most) = core_of(deltas);
    if most - least <= ONE_OFFSET * most
        && let Some((least, most)) = around(least, most)
    {
        forms.push(condition(format!("{moved} between {least} and {most}")));
    }
    if shares.len() == deltas.len()
        && let Some(side) = of.baseline()
    {
        let (least, most) = core_of(shares);
        if most - least <= ONE_FACTOR * most
            && let Some((least, most)) = around(least, most)
        {
            forms.push(condition(format!("{moved} between abs({side} * {least}) and abs({side} * {most})")));
        }
    }
    forms
}

fn of_times(direction: Option<Direction>, value_type: &ValueType, lines: &[&Observed]) -> Vec<Form> {
    let unit = if *value_type == ValueType::Date { 86_400.0 } else { 1.0 };
    let deltas = sizes(lines, |line| line.delta.map(|delta| delta * unit));
    if (deltas.len() as f64) < HELD * lines.len() as f64 || deltas.is_empty() {
        return Vec::new();
    }
    let mut forms = Vec::new();
    let (least, most) = core_of(&deltas);
    let whole = |seconds: f64| (seconds.fract() == 0.0 && seconds < 1e9).then_some(seconds as u64);
    if least == most
        && let (Some(seconds), Some(direction)) = (whole(least), direction)
    {
        let sign = if direction == Direction::Up { '+' } else { '-' };
        let span = if seconds.is_multiple_of(86_400) {
            format!("{} days", seconds / 86_400)
        } else {
            format!("{seconds} seconds")
        };
        forms.push(condition(format!("shadow = live {sign} interval '{span}'")));
    }
    let bound = deltas[deltas.len() - 1];
    if bound > 1e10 {
        return forms;
    }
    let middle = deltas[deltas.len() / 2];
    let shown = |seconds: f64| Duration::from_nanoseconds((seconds * 1e9).ceil() as u64).to_string();
    let mut warnings = Vec::new();
    if bound > FAR * middle {
        warnings.push(format!(
            "its bound is set by few: half of the changes are within {}, the bound is {}",
            shown(middle),
            shown(bound)
        ));
    }
    let filter = direction.map(|direction| {
        if direction == Direction::Up {
            "shadow > live"
        } else {
            "shadow < live"
        }
    });
    let how = How::Rule {
        within: Some(json!({"time": shown(bound)})),
        filter: filter.map(str::to_owned),
    };
    forms.push(Form { how, warnings });
    forms
}

/// The size with two digits that is at least this large, as a spec writes it.
fn rounded_up(size: f64, is_percent: bool) -> Option<String> {
    if !(size.is_finite() && size > 0.0) {
        return None;
    }
    let places = 1 - size.log10().floor() as i32;
    let nearest = (size * 10_f64.powi(places)).round() as i128;
    let fits = |digits: i128| Number::new(digits, places).to_f64() >= size;
    let digits = if fits(nearest) { nearest } else { nearest + 1 };
    let number = Number::new(digits, if is_percent { places - 2 } else { places }).normalized();
    Some(format!("{number}{}", if is_percent { "%" } else { "" }))
}

/// Two numbers with few digits between which both lie, with a little room: what doubles come to is not exact.
fn around(least: f64, most: f64) -> Option<(Number, Number)> {
    let room = ((most - least) / 10.0).max(most.abs() * 1e-7);
    if !(room.is_finite() && room > 0.0) {
        return None;
    }
    let places = -(room.log10().floor() as i32);
    let scale = 10_f64.powi(places);
    let (down, up) = ((least * scale - 1.0).floor(), (most * scale + 1.0).ceil());
    (up.abs() < 1e17).then(|| {
        (
            Number::new(down as i128, places).normalized(),
            Number::new(up as i128, places).normalized(),
        )
    })
}
