//! The summary as a person reads it in ten seconds: the verdict, why, the books, the worst columns and accounts, a few lines.

use serde_json::Value;
use std::fmt::Write;
use std::io::{BufRead, BufReader};
use std::path::Path;

/// How many of a kind are shown.
const SHOWN: usize = 5;
/// Longer cells are cut in the sample.
const CELL_CHARACTERS: usize = 40;

/// `directory`: where the result lies, if it can be read from here. `place`: what the user calls it.
pub(crate) fn text(summary: &Value, directory: Option<&Path>, place: &str) -> String {
    let mut out = String::new();
    let verdict = summary["verdict"].as_str().unwrap_or("unknown").to_uppercase();
    let differences = &summary["differences"];
    line(
        &mut out,
        &format!(
            "{verdict}: {} exceptions, {} expected differences",
            grouped(&differences["exceptions"]),
            grouped(&differences["expected"])
        ),
    );
    for broken in summary["broken"].as_array().into_iter().flatten() {
        line(&mut out, &format!("  broken  {}", broken.as_str().unwrap_or_default()));
    }
    rows(&mut out, &summary["rows"]);
    columns(&mut out, summary);
    rules(&mut out, summary);
    diagnoses(&mut out, summary);
    schema(&mut out, &summary["schema"]);
    if let Some(directory) = directory {
        accounts(&mut out, directory);
        sample(&mut out, directory);
    }
    if differences["cut"].as_u64().unwrap_or(0) > 0 {
        line(
            &mut out,
            &format!(
                "\nCut: {} of the differences are not listed (`output.max_differences`); all counts are exact",
                grouped(&differences["cut"])
            ),
        );
    }
    line(&mut out, &format!("\nResult: {place}"));
    out
}

fn line(out: &mut String, text: &str) {
    out.push_str(text);
    out.push('\n');
}

/// A number with its thousands apart.
fn grouped(number: &Value) -> String {
    let digits = number.as_u64().unwrap_or(0).to_string();
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(' ');
        }
        out.push(digit);
    }
    out
}

fn rows(out: &mut String, rows: &Value) {
    line(out, "\nRows");
    let read = |side: &str| format!("{:>12} read in {side}{}", grouped(&rows[side]["read"]), filtered(&rows[side]));
    line(out, &read("live"));
    line(out, &read("shadow"));
    for (field, words) in [
        ("cancelled", "equal"),
        ("within_tolerance", "within tolerance"),
        ("changed", "changed"),
        ("missing_in_shadow", "missing in shadow"),
        ("missing_in_live", "missing in live"),
        ("duplicate_key", "keys with duplicate rows"),
    ] {
        if rows[field].as_u64().unwrap_or(0) > 0 || field == "cancelled" {
            let _ = writeln!(out, "{:>12} {words}", grouped(&rows[field]));
        }
    }
}

fn filtered(side: &Value) -> String {
    match side["filtered"].as_u64() {
        Some(n) if n > 0 => format!(", {} of them filtered out", grouped(&side["filtered"])),
        Some(_) | None => String::new(),
    }
}

fn columns(out: &mut String, summary: &Value) {
    let mut columns: Vec<&Value> = summary["columns"].as_array().into_iter().flatten().collect();
    if columns.is_empty() {
        return;
    }
    columns.sort_by_key(|c| std::cmp::Reverse((c["exceptions"].as_u64(), c["differing"].as_u64())));
    line(out, "\nColumns          cells differing   exceptions  comparator");
    for column in columns.iter().take(SHOWN * 2) {
        let name = cut(column["column"].as_str().unwrap_or_default(), 24);
        let deltas = column.get("deltas").filter(|d| d.is_object());
        let range = deltas.map(|d| format!("  delta {} to {}", d["min"], d["max"])).unwrap_or_default();
        let comparator = cut(column["comparator"].as_str().unwrap_or_default(), 40);
        let _ = writeln!(
            out,
            "  {name:<24}{:>8}{:>13}  {comparator}{range}",
            grouped(&column["differing"]),
            grouped(&column["exceptions"])
        );
    }
    more(out, columns.len(), SHOWN * 2, "columns");
}

fn more(out: &mut String, all: usize, shown: usize, what: &str) {
    if all > shown {
        let _ = writeln!(out, "  … and {} more {what}", all - shown);
    }
}

fn rules(out: &mut String, summary: &Value) {
    let rules: Vec<&Value> = summary["rules"].as_array().into_iter().flatten().collect();
    if rules.is_empty() {
        return;
    }
    line(out, "\nExpected changes (lines)");
    for rule in rules {
        let bounds: String = [("min", "min"), ("max", "max")]
            .iter()
            .filter_map(|(field, word)| rule[*field].as_u64().map(|n| format!(", {word} {n}")))
            .collect();
        let _ = writeln!(
            out,
            "{:>12} {}{bounds}",
            grouped(&rule["lines"]),
            rule["name"].as_str().unwrap_or_default()
        );
    }
}

fn diagnoses(out: &mut String, summary: &Value) {
    let mut found: Vec<(u64, &String)> = summary["diagnoses"]
        .as_object()
        .into_iter()
        .flatten()
        .map(|(name, n)| (n.as_u64().unwrap_or(0), name))
        .collect();
    if found.is_empty() {
        return;
    }
    found.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(b.1)));
    line(out, "\nDiagnosis (cells)");
    for (cells, name) in found.iter().take(SHOWN) {
        let _ = writeln!(out, "{:>12} {name}", grouped(&Value::from(*cells)));
    }
    more(out, found.len(), SHOWN, "diagnoses");
}

fn schema(out: &mut String, schema: &Value) {
    for (field, words) in [("only_live", "Columns only in live"), ("only_shadow", "Columns only in shadow")] {
        let names: Vec<&str> = schema[field].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        if !names.is_empty() {
            let _ = writeln!(out, "\n{words}: {}", names.join(", "));
        }
    }
    let types: Vec<String> = schema["type"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|t| format!("{} ({} to {})", text_of(&t["column"]), text_of(&t["live"]), text_of(&t["shadow"])))
        .collect();
    if !types.is_empty() {
        let _ = writeln!(out, "\nTypes that differ: {}", types.join(", "));
    }
}

fn text_of(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// The accounts with the most exceptions.
fn accounts(out: &mut String, directory: &Path) {
    let Ok(mut reader) = csv::Reader::from_path(directory.join("accounts.csv")) else {
        return;
    };
    let width = reader.headers().map_or(0, csv::StringRecord::len);
    if width < 5 {
        return;
    }
    let mut worst: Vec<(u64, u64, String)> = Vec::new();
    let mut held = 0;
    for record in reader.records().map_while(Result::ok) {
        let number = |at: usize| record.get(at).and_then(|n| n.parse().ok()).unwrap_or(0);
        held += usize::from(record.get(width - 1) == Some("hold"));
        let name: Vec<&str> = record.iter().take(width - 4).collect();
        worst.push((number(width - 2), number(width - 4), name.join(", ")));
        worst.sort_by(|a, b| b.0.cmp(&a.0).then(b.1.cmp(&a.1)).then(a.2.cmp(&b.2)));
        worst.truncate(SHOWN);
    }
    worst.retain(|(exceptions, _, _)| *exceptions > 0);
    if worst.is_empty() {
        return;
    }
    let _ = writeln!(out, "\nAccounts to hold: {held}; with the most exceptions");
    for (exceptions, rows, name) in worst {
        let _ = writeln!(out, "{:>12} in {rows} rows  {}", grouped(&Value::from(exceptions)), cut(&name, 60));
    }
}

/// The first exceptions of diff.csv.
fn sample(out: &mut String, directory: &Path) {
    let Ok(file) = std::fs::File::open(directory.join("diff.csv")) else {
        return;
    };
    let mut header = String::new();
    let mut reader = BufReader::new(file);
    if reader.read_line(&mut header).is_err() {
        return;
    }
    let mut records = csv::ReaderBuilder::new().has_headers(false).from_reader(reader);
    let mut shown = 0;
    for record in records.records().map_while(Result::ok) {
        let (width, key) = (record.len(), record.len().saturating_sub(10));
        if record.get(width - 2) != Some("exception") {
            continue;
        }
        if shown == 0 {
            line(out, "\nFirst exceptions");
        }
        let field = |at: usize| record.get(at).unwrap_or_default();
        let keys: Vec<&str> = record.iter().take(key).collect();
        let mut text = format!("  {}  {}", cut(&keys.join(", "), 60), field(key));
        if !field(key + 1).is_empty() {
            let _ = write!(
                text,
                " {}: {} -> {}",
                field(key + 1),
                shown_cell(field(key + 2)),
                shown_cell(field(key + 3))
            );
        }
        if !field(width - 1).is_empty() {
            let _ = write!(text, "  ({})", field(width - 1));
        }
        line(out, &text);
        shown += 1;
        if shown == SHOWN {
            break;
        }
    }
}

fn shown_cell(cell: &str) -> String {
    if cell.is_empty() {
        "(empty)".into()
    } else {
        cut(cell, CELL_CHARACTERS)
    }
}

/// At most so many characters, control characters made visible.
fn cut(text: &str, characters: usize) -> String {
    let mut out: String = text
        .chars()
        .take(characters)
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .collect();
    if text.chars().count() > characters {
        out.push('…');
    }
    out
}
