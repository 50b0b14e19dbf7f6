//! The summary as a person reads it in ten seconds: the verdict, why, the books, the worst columns and accounts, an example of each pattern.
//!
//! It fits a terminal of 80 columns; only the place of the result, which one copies, is never broken.

mod files;
mod layout;
mod paint;

use files::Pattern;
use layout::{grouped, grouped_text, padded, shortened, width, wrapped};
pub(crate) use paint::{ColorArgs, Paint};
use serde_json::Value;
use shadowdiff_core::align::TypeDifference;
use shadowdiff_core::report::{ColumnSummary, DeltaUnit, PatternSummary, Rows, Schema, Summary};
use shadowdiff_core::side::Side;
use shadowdiff_core::sketch::whole;
use shadowdiff_core::spec::Duration;
use shadowdiff_core::tally::{Direction, counted};
use shadowdiff_core::verdict::Verdict;
use std::fmt::Write;
use std::path::Path;

/// How many of a kind are shown.
const SHOWN: usize = 5;
/// Columns and patterns are what one looks for: of them some more.
const SHOWN_COLUMNS: usize = 10;
/// Names of columns up to this width stand in the table; longer ones above their line.
const NAME_COLUMNS: usize = 30;

/// `directory`: where the result lies, if it can be read from here. `place`: what the user calls it.
pub(crate) fn text(summary: &Summary, directory: Option<&Path>, place: &str, paint: Paint) -> String {
    let mut out = verdict(summary, paint);
    rows(&mut out, &summary.rows, paint);
    columns(&mut out, summary, paint);
    rules(&mut out, summary, paint);
    diagnoses(&mut out, summary, paint);
    schema(&mut out, &summary.schema);
    if let Some(directory) = directory {
        accounts(&mut out, directory, paint);
    }
    patterns(&mut out, summary, directory, paint);
    let cut = summary.differences.cut;
    if cut > 0 {
        let are = if cut == 1 { "difference is" } else { "differences are" };
        out.push('\n');
        out += &wrapped(
            "PartitionSettings: ",
            &format!("{} {are} not listed (`output.max_differences`); all counts are exact", grouped(cut)),
        );
    }
    let _ = writeln!(out, "\nResult: {place}");
    out
}

/// A count with its thousands apart and its noun.
fn counted_apart(number: u64, noun: &str) -> String {
    counted(number, noun).replacen(&number.to_string(), &grouped(number), 1)
}

fn heading(out: &mut String, text: &str, paint: Paint) {
    let _ = writeln!(out, "\n{}", paint.heading(text));
}

fn verdict(summary: &Summary, paint: Paint) -> String {
    let word = summary.verdict.name().to_uppercase();
    let word = match summary.verdict {
        Verdict::Pass => paint.good(&word),
        Verdict::Fail => paint.bad(&word),
    };
    let mut out = format!(
        "{word}: {}, {}\n",
        counted_apart(summary.differences.exceptions, "exception"),
        counted_apart(summary.differences.expected, "expected difference")
    );
    for broken in &summary.broken {
        out += &wrapped("  broken  ", broken).replacen("broken", &paint.bad("broken"), 1);
    }
    out
}

fn rows(out: &mut String, rows: &Rows, paint: Paint) {
    heading(out, "Rows", paint);
    for (side, books) in [(Side::Live, &rows.live), (Side::Shadow, &rows.shadow)] {
        let filtered = match books.filtered {
            0 => String::new(),
            n => format!(", {} of them filtered out", grouped(n)),
        };
        let _ = writeln!(out, "{:>12} read in {side}{filtered}", grouped(books.read));
    }
    let _ = writeln!(out, "{:>12} equal", grouped(rows.cancelled));
    for (rows, words) in [
        (rows.within_tolerance, "within tolerance"),
        (rows.changed, "changed"),
        (rows.missing_in_shadow, "missing in shadow"),
        (rows.missing_in_live, "missing in live"),
        (rows.duplicate_key, "keys with duplicate rows"),
    ] {
        if rows > 0 {
            let _ = writeln!(out, "{:>12} {words}", grouped(rows));
        }
    }
}

fn columns(out: &mut String, summary: &Summary, paint: Paint) {
    let mut columns: Vec<&ColumnSummary> = summary.columns.iter().collect();
    let differ = match columns.len() {
        0 => "none differs".to_owned(),
        1 => "1 differs".to_owned(),
        n => format!("{n} differ"),
    };
    let title = format!("Columns: {} compared, {differ}", summary.schema.compared);
    if columns.is_empty() {
        return heading(out, &title, paint);
    }
    columns.sort_by_key(|c| std::cmp::Reverse((c.exceptions, c.differing)));
    let shown = &columns[..columns.len().min(SHOWN_COLUMNS)];
    let names = shown.iter().map(|c| width(&c.column));
    let name_columns = names.filter(|w| *w <= NAME_COLUMNS).max().unwrap_or(0).max(title.len() - 2);
    heading(out, &padded(&title, 2 + name_columns), paint);
    out.pop();
    let _ = writeln!(out, "{:>10}{:>12}  comparator", "cells", "exceptions");
    shown.iter().for_each(|column| one_column(out, column, name_columns));
    more(out, columns.len(), SHOWN_COLUMNS, "column");
}

/// The name stands above the line where it is too long for it; the range of deltas below, where it is.
fn one_column(out: &mut String, column: &ColumnSummary, name_columns: usize) {
    const DEEPER: &str = "      ";
    let mut name = column.column.as_str();
    if width(name) > name_columns {
        *out += &wrapped("  ", name);
        name = "";
    }
    let line = format!(
        "  {}{:>10}{:>12}  ",
        padded(&layout::visible(name), name_columns),
        grouped(column.differing),
        grouped(column.exceptions)
    );
    let room = layout::COLUMNS.saturating_sub(width(&line));
    let comparator = shortened(&column.comparator, room);
    let range = range(column);
    let _ = match range {
        Some(range) if width(&comparator) + 2 + width(&range) <= room => writeln!(out, "{line}{comparator}, {range}"),
        Some(range) => writeln!(out, "{line}{comparator}\n{DEEPER}{range}"),
        None => writeln!(out, "{line}{comparator}"),
    };
}

/// The least and the largest delta, times in the units of the spec.
fn range(column: &ColumnSummary) -> Option<String> {
    let deltas = column.deltas.as_ref()?;
    let shown = |number: f64| match column.delta_unit {
        None => grouped_text(&as_read(number)),
        Some(DeltaUnit::Days) => span(number * 86_400.0),
        Some(DeltaUnit::Seconds) => span(number),
    };
    let (least, largest) = (shown(deltas.min?), shown(deltas.max?));
    Some(if least == largest {
        format!("delta {least}")
    } else {
        format!("delta {least} to {largest}")
    })
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

fn more(out: &mut String, all: usize, shown: usize, noun: &str) {
    if all > shown {
        let rest = (all - shown) as u64;
        let _ = writeln!(out, "  … and {}", counted(rest, noun).replacen(' ', " more ", 1));
    }
}

fn rules(out: &mut String, summary: &Summary, paint: Paint) {
    if summary.rules.is_empty() {
        return;
    }
    heading(out, "Expected changes (lines)", paint);
    for rule in &summary.rules {
        let bounds: String = [("min", rule.min), ("max", rule.max)]
            .iter()
            .filter_map(|(bound, lines)| lines.map(|n| format!(", {bound} {}", grouped(n))))
            .collect();
        let lines = format!("{:>12} ", grouped(rule.lines));
        *out += &wrapped(&lines, &format!("{}{bounds}", rule.name));
    }
}

fn diagnoses(out: &mut String, summary: &Summary, paint: Paint) {
    let mut found: Vec<(u64, &String)> = summary.diagnoses.iter().map(|(name, n)| (*n, name)).collect();
    if found.is_empty() {
        return;
    }
    found.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(b.1)));
    heading(out, "Diagnosis (cells and rows)", paint);
    for (cells, name) in found.iter().take(SHOWN) {
        *out += &wrapped(&format!("{:>12} ", grouped(*cells)), name);
    }
    more(out, found.len(), SHOWN, "diagnosis");
}

fn schema(out: &mut String, schema: &Schema) {
    for (names, words) in [
        (&schema.only_live, "Columns only in live: "),
        (&schema.only_shadow, "Columns only in shadow: "),
    ] {
        if !names.is_empty() {
            out.push('\n');
            *out += &wrapped(words, &names.join(", "));
        }
    }
    let one = |t: &TypeDifference| format!("{} ({} to {})", t.column, t.live, t.shadow);
    let types: Vec<String> = schema.types.iter().map(one).collect();
    if !types.is_empty() {
        out.push('\n');
        *out += &wrapped("Types that differ: ", &types.join(", "));
    }
}

fn accounts(out: &mut String, directory: &Path, paint: Paint) {
    let (held, worst) = files::accounts(directory, SHOWN);
    if worst.is_empty() {
        return;
    }
    heading(
        out,
        &format!("Accounts to hold: {}; with the most exceptions", grouped(held)),
        paint,
    );
    for account in worst {
        let rows = format!("{:>12} in {}  ", grouped(account.exceptions), counted_apart(account.rows, "row"));
        let room = layout::COLUMNS.saturating_sub(width(&rows));
        let _ = writeln!(out, "{rows}{}", shortened(&account.name, room));
    }
}

/// What exceptions have in common, the most frequent first, each with an example.
fn patterns(out: &mut String, summary: &Summary, directory: Option<&Path>, paint: Paint) {
    let all: Vec<&PatternSummary> = summary.patterns.iter().filter(|p| p.exceptions > 0).collect();
    if all.is_empty() {
        return;
    }
    let shown = &all[..all.len().min(SHOWN_COLUMNS)];
    let patterns: Vec<Pattern<'_>> = shown
        .iter()
        .map(|p| Pattern {
            kind: p.kind.name(),
            column: p.column.as_deref().unwrap_or_default(),
            diagnosis: p.diagnosis.as_deref().unwrap_or_default(),
            direction: p.direction.map(Direction::name).unwrap_or_default(),
        })
        .collect();
    let examples = directory.map_or_else(Vec::new, |directory| files::examples(directory, &patterns));
    let of_each = if directory.is_some() {
        "; of each an example, live -> shadow"
    } else {
        ""
    };
    heading(out, &format!("Exceptions by pattern{of_each}"), paint);
    for (at, (summed, pattern)) in shown.iter().zip(&patterns).enumerate() {
        *out += &wrapped(&format!("{:>12} ", grouped(summed.exceptions)), &described(pattern));
        if let Some(example) = examples.get(at).and_then(Option::as_ref) {
            let _ = writeln!(out, "{:13} {example}", "");
        }
    }
    more(out, all.len(), SHOWN_COLUMNS, "pattern");
}

/// Such as `name: truncated` or `population: up`.
fn described(pattern: &Pattern<'_>) -> String {
    let how: Vec<&str> = [pattern.diagnosis, pattern.direction]
        .into_iter()
        .filter(|w| !w.is_empty())
        .collect();
    let what = match pattern.kind {
        "changed" => pattern.column.to_owned(),
        kind => kind.replace('_', " "),
    };
    if how.is_empty() {
        what
    } else {
        format!("{what}: {}", how.join(", "))
    }
}
