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
use shadowdiff_core::spec::Duration;
use shadowdiff_core::tally::counted;
use std::fmt::Write;
use std::path::Path;

/// How many of a kind are shown.
const SHOWN: usize = 5;
/// Columns and patterns are what one looks for: of them some more.
const SHOWN_COLUMNS: usize = 10;
/// Names of columns up to this width stand in the table; longer ones above their line.
const NAME_COLUMNS: usize = 30;

/// `directory`: where the result lies, if it can be read from here. `place`: what the user calls it.
pub(crate) fn text(summary: &Value, directory: Option<&Path>, place: &str, paint: Paint) -> String {
    let mut out = verdict(summary, paint);
    rows(&mut out, &summary["rows"], paint);
    columns(&mut out, summary, paint);
    rules(&mut out, summary, paint);
    diagnoses(&mut out, summary, paint);
    schema(&mut out, &summary["schema"]);
    if let Some(directory) = directory {
        accounts(&mut out, directory, paint);
    }
    patterns(&mut out, summary, directory, paint);
    let cut = count(&summary["differences"]["cut"]);
    if cut > 0 {
        let are = if cut == 1 { "difference is" } else { "differences are" };
        out.push('\n');
        out += &wrapped(
            "Cut: ",
            &format!("{} {are} not listed (`output.max_differences`); all counts are exact", grouped(cut)),
        );
    }
    let _ = writeln!(out, "\nResult: {place}");
    out
}

fn count(number: &Value) -> u64 {
    number.as_u64().unwrap_or(0)
}

fn text_of(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

/// A count with its thousands apart and its noun.
fn counted_apart(number: u64, noun: &str) -> String {
    counted(number, noun).replacen(&number.to_string(), &grouped(number), 1)
}

fn heading(out: &mut String, text: &str, paint: Paint) {
    let _ = writeln!(out, "\n{}", paint.heading(text));
}

fn verdict(summary: &Value, paint: Paint) -> String {
    let word = text_of(&summary["verdict"]).to_uppercase();
    let word = if word == "PASS" { paint.good(&word) } else { paint.bad(&word) };
    let differences = &summary["differences"];
    let mut out = format!(
        "{word}: {}, {}\n",
        counted_apart(count(&differences["exceptions"]), "exception"),
        counted_apart(count(&differences["expected"]), "expected difference")
    );
    for broken in list(&summary["broken"]) {
        out += &wrapped("  broken  ", text_of(broken)).replacen("broken", &paint.bad("broken"), 1);
    }
    out
}

fn rows(out: &mut String, rows: &Value, paint: Paint) {
    heading(out, "Rows", paint);
    for side in ["live", "shadow"] {
        let filtered = match count(&rows[side]["filtered"]) {
            0 => String::new(),
            n => format!(", {} of them filtered out", grouped(n)),
        };
        let _ = writeln!(out, "{:>12} read in {side}{filtered}", grouped(count(&rows[side]["read"])));
    }
    for (field, words) in [
        ("cancelled", "equal"),
        ("within_tolerance", "within tolerance"),
        ("changed", "changed"),
        ("missing_in_shadow", "missing in shadow"),
        ("missing_in_live", "missing in live"),
        ("duplicate_key", "keys with duplicate rows"),
    ] {
        let rows = count(&rows[field]);
        if rows > 0 || field == "cancelled" {
            let _ = writeln!(out, "{:>12} {words}", grouped(rows));
        }
    }
}

fn columns(out: &mut String, summary: &Value, paint: Paint) {
    let mut columns: Vec<&Value> = list(&summary["columns"]).collect();
    let differ = match columns.len() {
        0 => "none differs".to_owned(),
        1 => "1 differs".to_owned(),
        n => format!("{n} differ"),
    };
    // Summaries of before this count have none.
    let title = match summary["schema"]["compared"].as_u64() {
        Some(compared) => format!("Columns: {compared} compared, {differ}"),
        None => format!("Columns: {differ}"),
    };
    if columns.is_empty() {
        return heading(out, &title, paint);
    }
    columns.sort_by_key(|c| std::cmp::Reverse((count(&c["exceptions"]), count(&c["differing"]))));
    let shown = &columns[..columns.len().min(SHOWN_COLUMNS)];
    let names = shown.iter().map(|c| width(text_of(&c["column"])));
    let name_columns = names.filter(|w| *w <= NAME_COLUMNS).max().unwrap_or(0).max(title.len() - 2);
    heading(out, &padded(&title, 2 + name_columns), paint);
    out.pop();
    let _ = writeln!(out, "{:>10}{:>12}  comparator", "cells", "exceptions");
    shown.iter().for_each(|column| one_column(out, column, name_columns));
    more(out, columns.len(), SHOWN_COLUMNS, "column");
}

/// The name stands above the line where it is too long for it; the range of deltas below, where it is.
fn one_column(out: &mut String, column: &Value, name_columns: usize) {
    const DEEPER: &str = "      ";
    let mut name = text_of(&column["column"]);
    if width(name) > name_columns {
        *out += &wrapped("  ", name);
        name = "";
    }
    let line = format!(
        "  {}{:>10}{:>12}  ",
        padded(&layout::visible(name), name_columns),
        grouped(count(&column["differing"])),
        grouped(count(&column["exceptions"]))
    );
    let room = layout::COLUMNS.saturating_sub(width(&line));
    let comparator = shortened(text_of(&column["comparator"]), room);
    let range = range(column);
    let _ = match range {
        Some(range) if width(&comparator) + 2 + width(&range) <= room => writeln!(out, "{line}{comparator}, {range}"),
        Some(range) => writeln!(out, "{line}{comparator}\n{DEEPER}{range}"),
        None => writeln!(out, "{line}{comparator}"),
    };
}

/// The least and the largest delta, times in the units of the spec.
fn range(column: &Value) -> Option<String> {
    let deltas = column.get("deltas").filter(|d| d["min"].is_number())?;
    let shown = |number: &Value| match column["delta_unit"].as_str() {
        None => grouped_text(&as_read(number)),
        Some("days") => span(number.as_f64().unwrap_or(0.0) * 86_400.0),
        Some(_) => span(number.as_f64().unwrap_or(0.0)),
    };
    let (least, largest) = (shown(&deltas["min"]), shown(&deltas["max"]));
    Some(if least == largest {
        format!("delta {least}")
    } else {
        format!("delta {least} to {largest}")
    })
}

/// The digits that a person reads: what the last ones of a double say, such as 0.020000000000000004, is how it is stored.
fn as_read(number: &Value) -> String {
    const READ_DIGITS: usize = 9;
    let text = number.to_string();
    let digits = text.bytes().filter(u8::is_ascii_digit).count();
    match number.as_f64() {
        Some(double) if digits > READ_DIGITS && text.contains('.') => {
            let rounded: f64 = format!("{double:.5e}").parse().unwrap_or(double);
            Value::from(rounded).to_string()
        }
        Some(_) | None => text,
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

fn rules(out: &mut String, summary: &Value, paint: Paint) {
    let rules: Vec<&Value> = list(&summary["rules"]).collect();
    if rules.is_empty() {
        return;
    }
    heading(out, "Expected changes (lines)", paint);
    for rule in rules {
        let bounds: String = ["min", "max"]
            .iter()
            .filter_map(|bound| rule[*bound].as_u64().map(|n| format!(", {bound} {}", grouped(n))))
            .collect();
        let lines = format!("{:>12} ", grouped(count(&rule["lines"])));
        *out += &wrapped(&lines, &format!("{}{bounds}", text_of(&rule["name"])));
    }
}

fn diagnoses(out: &mut String, summary: &Value, paint: Paint) {
    let all = summary["diagnoses"].as_object().into_iter().flatten();
    let mut found: Vec<(u64, &String)> = all.map(|(name, n)| (count(n), name)).collect();
    if found.is_empty() {
        return;
    }
    found.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(b.1)));
    heading(out, "Diagnosis (cells)", paint);
    for (cells, name) in found.iter().take(SHOWN) {
        *out += &wrapped(&format!("{:>12} ", grouped(*cells)), name);
    }
    more(out, found.len(), SHOWN, "diagnosis");
}

fn schema(out: &mut String, schema: &Value) {
    for (field, words) in [("only_live", "Columns only in live: "), ("only_shadow", "Columns only in shadow: ")] {
        let names: Vec<&str> = list(&schema[field]).map(text_of).collect();
        if !names.is_empty() {
            out.push('\n');
            *out += &wrapped(words, &names.join(", "));
        }
    }
    let one = |t: &Value| format!("{} ({} to {})", text_of(&t["column"]), text_of(&t["live"]), text_of(&t["shadow"]));
    let types: Vec<String> = list(&schema["type"]).map(one).collect();
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
fn patterns(out: &mut String, summary: &Value, directory: Option<&Path>, paint: Paint) {
    let all: Vec<&Value> = list(&summary["patterns"]).filter(|p| count(&p["exceptions"]) > 0).collect();
    if all.is_empty() {
        return;
    }
    let shown = &all[..all.len().min(SHOWN_COLUMNS)];
    let patterns: Vec<Pattern<'_>> = shown
        .iter()
        .map(|p| Pattern {
            kind: text_of(&p["kind"]),
            column: text_of(&p["column"]),
            diagnosis: text_of(&p["diagnosis"]),
            direction: text_of(&p["direction"]),
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
        *out += &wrapped(&format!("{:>12} ", grouped(count(&summed["exceptions"]))), &described(pattern));
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
