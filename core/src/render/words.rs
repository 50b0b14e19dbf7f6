//! How people read what a summary counts: numbers with their thousands apart, deltas of times as spans, patterns in words.

use super::excerpt::Line;
use crate::align::TypeDifference;
use crate::patterns::{RowPatternSummary, RowSummary, ToldBy};
use crate::report::{
    AcceptanceSummary, ColumnSummary, DeltaUnit, NoiseUnitSummary, PatternSummary, RuleSummary, SideTotals, Summary, TotalsSummary,
};
use crate::shorten::shortened;
use crate::sketch::whole;
use crate::spec::{Acceptance, DifferenceKind, Direction, Duration, RowChange};
use crate::tally::plural;
use serde_json::Value;

/// Of a value in a sentence.
const VALUE_BYTES: usize = 60;

/// A whole number with its thousands apart.
pub fn grouped(number: u64) -> String {
    grouped_text(&number.to_string())
}

/// The digits before the point with the thousands apart; what is not a plain number stays as it is.
pub fn grouped_text(number: &str) -> String {
    let unsigned = number.strip_prefix('-').unwrap_or(number);
    let (whole, rest) = unsigned.split_at(unsigned.find(|c: char| !c.is_ascii_digit()).unwrap_or(unsigned.len()));
    let mut out = number[..number.len() - unsigned.len()].to_owned();
    for (at, digit) in whole.chars().enumerate() {
        if at > 0 && (whole.len() - at).is_multiple_of(3) {
            out.push(' ');
        }
        out.push(digit);
    }
    out + rest
}

/// A count with its thousands apart and its noun.
pub fn counted_apart(number: u64, noun: &str) -> String {
    format!("{} {}", grouped(number), plural(number, noun))
}

/// The verdict with what it counts.
pub fn headline(summary: &Summary) -> String {
    format!("{}{}", summary.verdict.name().to_uppercase(), behind_verdict(summary))
}

/// The headline without its first word.
pub fn behind_verdict(summary: &Summary) -> String {
    let accepted = match summary.differences.accepted {
        0 => String::new(),
        lines => format!(", {} accepted", grouped(lines)),
    };
    let noise = match summary.differences.noise {
        0 => String::new(),
        lines => format!(", {} noise", grouped(lines)),
    };
    format!(
        ": {}, {}{accepted}{noise}",
        counted_apart(summary.differences.exceptions, "exception"),
        counted_apart(summary.differences.expected, "expected difference")
    )
}

/// What became of an acceptance.
pub fn acceptance_state(of: &AcceptanceSummary) -> &'static str {
    match (of.broken.is_empty(), of.lines, of.is_over) {
        (false, ..) => "counts again",
        (true, 0, true) => "over, and not met",
        (true, 0, false) => "not met",
        (true, ..) => "accepted",
    }
}

/// To what an acceptance is held.
pub fn acceptance_bounds(of: &AcceptanceSummary) -> String {
    format!("max {}, until {}", grouped(of.acceptance.max), of.acceptance.until)
}

/// What happens to the rows of an acceptance.
pub fn described_acceptance(of: &Acceptance) -> String {
    let with: Vec<String> = of.following.iter().filter_map(|change| change.column.clone()).collect();
    described_changes(&of.changes, 0, &with)
}

/// What a rule is held to, each after a comma.
pub fn bounds(rule: &RuleSummary) -> String {
    let lines = [("min", rule.min), ("max", rule.max)];
    let lines = lines
        .iter()
        .filter_map(|(bound, lines)| lines.map(|n| format!(", {bound} {}", grouped(n))));
    lines.collect()
}

/// The share of the rows that both sides have in which a column differs.
pub(super) fn share(column: &ColumnSummary) -> String {
    match column.share.map(|share| share * 100.0) {
        None => String::new(),
        Some(share) if share > 0.0 && share < 0.01 => "under 0.01 %".to_owned(),
        Some(share) => format!("{share:.2} %"),
    }
}

/// How many values of a side are NULL, and which share of all that is.
pub fn null_rate(side: &SideTotals) -> String {
    match side.nulls {
        0 => "0".to_owned(),
        nulls => format!("{} ({})", grouped(nulls), percent(nulls, side.rows)),
    }
}

/// The sum of a side, and how many of its values are not in it though they are numbers.
pub fn total(side: &SideTotals) -> String {
    let Some(sum) = &side.sum else { return String::new() };
    let apart = [(side.nan, "NaN"), (side.infinite, "infinite")]
        .into_iter()
        .filter(|(count, _)| *count > 0);
    let apart: String = apart.map(|(count, of)| format!(", {} {of}", grouped(count))).collect();
    grouped_text(sum) + &apart
}

/// How far the sum of shadow is from that of live, and which share of it that is.
pub fn moved(totals: &TotalsSummary) -> String {
    let Some(moved) = &totals.moved else { return String::new() };
    let sign = if moved.starts_with('-') { "" } else { "+" };
    let read = |text: &str| text.parse::<f64>().ok().filter(|number| *number != 0.0);
    let share = read(moved).zip(totals.live.sum.as_deref().and_then(read));
    // What is a hundred times as large is not read as a percentage.
    let share = share.map(|(moved, of)| moved / of.abs()).filter(|share| share.abs() < 100.0);
    let share = share.map(|share| match share * 100.0 {
        percent if percent.abs() < 0.01 => " (under 0.01 %)".to_owned(),
        percent => format!(" ({percent:+.2} %)"),
    });
    format!("{sign}{}{}", grouped_text(moved), share.unwrap_or_default())
}

/// The least and the largest delta of a column, times in the units of the spec.
pub fn delta_range(column: &ColumnSummary) -> Option<String> {
    let deltas = column.deltas.as_ref()?;
    let shown = |number| delta(number, column.delta_unit);
    let (least, largest) = (shown(deltas.min?), shown(deltas.max?));
    Some(if least == largest {
        format!("delta {least}")
    } else {
        format!("delta {least} to {largest}")
    })
}

/// A delta as a person reads it.
pub(super) fn delta(number: f64, unit: Option<DeltaUnit>) -> String {
    match unit {
        None => grouped_text(&as_read(number)),
        Some(DeltaUnit::Days) => span(number * 86_400.0),
        Some(DeltaUnit::Seconds) => span(number),
    }
}

/// The digits that a person reads: what the last ones of a double say, such as 0.020000000000000004, is how it is stored.
fn as_read(number: f64) -> String {
    const READ_DIGITS: usize = 9;
    let text = whole(number).map_or_else(|| Value::from(number).to_string(), |whole| whole.to_string());
    let digits = text.bytes().filter(u8::is_ascii_digit).count();
    if digits > READ_DIGITS && text.contains('.') {
        let rounded: f64 = format!("{number:.5e}").parse().unwrap_or(number);
        Value::from(rounded).to_string()
    } else {
        text
    }
}

/// A span of time as a spec writes it: `-1d`, `3h`, `1500ms`.
fn span(seconds: f64) -> String {
    // In nanoseconds 64 bits end after 584 years.
    const MOST_SECONDS: f64 = 1e10;
    let sign = if seconds < 0.0 { "-" } else { "" };
    if seconds.abs() < MOST_SECONDS {
        format!("{sign}{}", Duration::from_nanoseconds((seconds.abs() * 1e9).round() as u64))
    } else {
        format!("{sign}{}d", grouped((seconds.abs() / 86_400.0).round() as u64))
    }
}

/// Such as `name: truncated` or `population: up`.
pub fn described(pattern: &PatternSummary) -> String {
    where_and_how(pattern.kind.name(), pattern.column.as_deref(), cause(pattern))
}

/// The same of what live differs from itself in.
pub fn described_noise(unit: &NoiseUnitSummary) -> String {
    let how = how(unit.diagnosis.as_deref(), unit.direction);
    where_and_how(DifferenceKind::Changed.name(), Some(&unit.column), how)
}

/// The same of one line, whichever way it goes.
pub fn described_line(line: &Line) -> String {
    where_and_how(&line.kind, line.column.as_deref(), how(line.diagnosis.as_deref(), None))
}

fn where_and_how(kind: &str, column: Option<&str>, how: String) -> String {
    let what = match column {
        Some(column) if kind == DifferenceKind::Changed.name() => column.to_owned(),
        Some(_) | None => kind.replace('_', " "),
    };
    if how.is_empty() { what } else { format!("{what}: {how}") }
}

/// In which way a pattern differs: its diagnosis and its direction; empty where neither is known.
pub(super) fn cause(pattern: &PatternSummary) -> String {
    how(pattern.diagnosis.as_deref(), pattern.direction)
}

fn how(diagnosis: Option<&str>, direction: Option<Direction>) -> String {
    let how = [diagnosis, direction.map(Direction::name)];
    how.into_iter().flatten().collect::<Vec<&str>>().join(", ")
}

/// How much the patterns of rows explain; `None` where no row has an exception, or an older summary does not say.
pub fn rows_headline(rows: &RowSummary) -> Option<String> {
    if rows.exceptions == 0 {
        return None;
    }
    let mut parts = Vec::new();
    if rows.patterns > 0 {
        let explain = if rows.patterns == 1 { "explains" } else { "explain" };
        let patterns = counted_apart(rows.patterns, "pattern");
        let share = percent(rows.explained, rows.exceptions);
        parts.push(format!(
            "{patterns} {explain} {share} of {}",
            counted_apart(rows.exceptions, "exception")
        ));
    }
    if rows.alone > 0 {
        let stand = if rows.alone == 1 { "stands" } else { "stand" };
        parts.push(format!("{} {stand} alone", counted_apart(rows.alone, "row")));
    }
    if rows.beyond.rows > 0 {
        parts.push(format!(
            "{} more differ in too many ways to count each",
            counted_apart(rows.beyond.rows, "row")
        ));
    }
    Some(parts.join("; "))
}

/// Such as `amount: up, +10 %; name: truncated; with amount_eur`.
pub fn described_rows(pattern: &RowPatternSummary) -> String {
    described_changes(&pattern.changes, pattern.more, &pattern.with)
}

fn described_changes(changes: &[RowChange], more: u64, with: &[String]) -> String {
    let change = |change: &RowChange| {
        let how = how(change.diagnosis.as_deref(), change.direction);
        let share = change.relative.map(|range| shares(range.min, range.max)).unwrap_or_default();
        let how = [how, share]
            .into_iter()
            .filter(|part| !part.is_empty())
            .collect::<Vec<_>>()
            .join(", ");
        where_and_how(change.kind.name(), change.column.as_deref(), how)
    };
    let mut parts: Vec<String> = changes.iter().map(change).collect();
    if more > 0 {
        parts.push(counted_apart(more, "more change"));
    }
    if !with.is_empty() {
        parts.push(format!("with {}", with.join(", ")));
    }
    parts.join("; ")
}

/// What tells the rows of a pattern from others, such as `99.1 % of its rows have plan = trial (12 % of 4 210 other rows that differ do)`.
pub fn described_told_by(pattern: &RowPatternSummary) -> Option<String> {
    let told: Vec<String> = pattern.told_by.iter().map(|told| describe_told(told, pattern.rows)).collect();
    (!told.is_empty()).then(|| told.join("; "))
}

fn describe_told(told: &ToldBy, rows: u64) -> String {
    let others = counted_apart(told.other_rows, "other row");
    let others = match (told.other_rows, told.other_rows_with) {
        (0, _) => "no other row differs".to_owned(),
        (_, None) => format!("of {others} that differ it was not counted"),
        (_, Some(0)) => format!("none of {others} that differ"),
        (all, Some(with)) => format!("{} of {others} that differ", percent(with, all)),
    };
    let value = |value: &Option<String>| match value.as_deref() {
        None => "NULL".to_owned(),
        Some("") => "\"\"".to_owned(),
        Some(text) => shortened(text, VALUE_BYTES),
    };
    let values: Vec<String> = told.values.iter().map(value).collect();
    format!(
        "{} of its rows have {} = {} ({others})",
        percent(told.rows, rows),
        told.column,
        values.join(" or ")
    )
}

/// A share with one digit, rounded down: 100 % is all of them.
fn percent(part: u64, all: u64) -> String {
    let tenths = u128::from(part) * 1000 / u128::from(all.max(1));
    match (part, tenths) {
        (1.., 0) => "under 0.1 %".to_owned(),
        _ => format!("{} %", format!("{}.{}", tenths / 10, tenths % 10).trim_end_matches(".0")),
    }
}

/// Relative deltas as a person reads them: `+10 %`, `-3.5 % to +0.2 %`.
fn shares(min: f64, max: f64) -> String {
    let [min, max] = [min, max].map(|share| {
        let percent = share * 100.0;
        let digits = if percent.abs() < 10.0 {
            format!("{percent:+.2}")
        } else {
            format!("{percent:+.1}")
        };
        let digits = digits.trim_end_matches('0').trim_end_matches('.');
        if percent.abs() < 0.005 {
            "under 0.01 %".to_owned()
        } else {
            format!("{digits} %")
        }
    });
    if min == max { min } else { format!("{min} to {max}") }
}

/// A column whose types differ.
pub fn type_difference(of: &TypeDifference) -> String {
    format!("{} ({} to {})", of.column, of.live, of.shadow)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_apart() {
        for (number, expected) in [
            ("1234567", "1 234 567"),
            ("-1234.5678", "-1 234.5678"),
            ("999", "999"),
            ("1e20", "1e20"),
            ("inf", "inf"),
        ] {
            assert_eq!(grouped_text(number), expected);
        }
    }
}
