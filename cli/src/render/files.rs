//! Reads what is shown of a result's tables, and how the terminal shows a line and an account.

use super::layout::{shortened, shortened_pair, visible};
use shadowdiff_core::render::{Excerpt, ExcerptBuilder, ExcerptSizes, Field, Line};
use shadowdiff_core::report::{ResultFile, Summary};
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

/// The excerpt of the tables in a directory, as far as they can be read.
pub(crate) fn excerpt(directory: &Path, summary: &Summary, sizes: ExcerptSizes) -> Excerpt {
    let mut builder = ExcerptBuilder::new(summary, sizes);
    let mut accounts = records(directory, ResultFile::Accounts);
    builder.accounts_header(&accounts.next().unwrap_or_default());
    accounts.for_each(|record| builder.account(record));
    let mut lines = records(directory, ResultFile::Diff);
    builder.header(lines.next().unwrap_or_default());
    let _wants_no_more = lines.try_for_each(|record| builder.line(record));
    builder.finish()
}

/// A line for people, at most 66 columns wide.
pub(super) fn example(line: &Line) -> String {
    const KEY_COLUMNS: usize = 22;
    const CELL_COLUMNS: usize = 19;
    let name = shortened(&key(&line.key), KEY_COLUMNS);
    let (live, shadow) = shortened_pair(&shown(line.live.as_deref()), &shown(line.shadow.as_deref()), CELL_COLUMNS);
    match line.kind.as_str() {
        "changed" => format!("{name}: {live} -> {shadow}"),
        "duplicate_key" => format!("{name}: live rows {live}, shadow rows {shadow}"),
        _ => name,
    }
}

pub(super) fn key(fields: &[Field]) -> String {
    let shown: Vec<String> = fields.iter().map(|field| shown(field.as_deref())).collect();
    shown.join(", ")
}

/// NULL and the empty text both look like nothing; a text that looks like one of them is quoted.
fn shown(field: Option<&str>) -> String {
    match field {
        None => "NULL".to_owned(),
        Some(text) if matches!(text, "" | "NULL" | "\"\"") => format!("\"{text}\""),
        Some(text) => visible(text),
    }
}

/// The records of a table, as far as they can be read. `None` is NULL: an empty field without quotes.
fn records(directory: &Path, file: ResultFile) -> impl Iterator<Item = Vec<Field>> + use<> {
    let mut lines = File::open(directory.join(file.name())).ok().map(BufReader::new);
    std::iter::from_fn(move || record(lines.as_mut()?))
}

/// One record of RFC 4180; its line may break within quotes.
fn record(from: &mut impl BufRead) -> Option<Vec<Field>> {
    let mut text = String::new();
    while from.read_line(&mut text).ok()? > 0 {
        if text.matches('"').count().is_multiple_of(2) {
            break;
        }
    }
    let mut rest = text.strip_suffix('\n')?;
    let mut fields = Vec::new();
    loop {
        let end = end_of_field(rest);
        fields.push(value(&rest[..end]));
        match rest.get(end + 1..) {
            Some(more) if end < rest.len() => rest = more,
            Some(_) | None => return Some(fields),
        }
    }
}

/// The place of the comma after the first field, or the end.
fn end_of_field(text: &str) -> usize {
    let mut quoted = false;
    let comma = text.bytes().position(|byte| {
        quoted ^= byte == b'"';
        byte == b',' && !quoted
    });
    comma.unwrap_or(text.len())
}

fn value(field: &str) -> Field {
    match field.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
        Some(quoted) => Some(quoted.replace("\"\"", "\"")),
        None => (!field.is_empty()).then(|| field.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_tell_null_from_empty() {
        let mut text = "a,,\"\"\n\"say \"\"x\"\", y\",\"two\nlines\",\n".as_bytes();
        let t = |text: &str| Some(text.to_owned());
        assert_eq!(record(&mut text), Some(vec![t("a"), None, t("")]));
        assert_eq!(record(&mut text), Some(vec![t("say \"x\", y"), t("two\nlines"), None]));
        assert_eq!(record(&mut text), None);
        assert_eq!(
            [None, Some(""), Some("NULL"), Some("x")].map(shown),
            ["NULL", "\"\"", "\"NULL\"", "x"].map(str::to_owned)
        );
    }

    #[test]
    fn an_example_fits_its_line() {
        let long = Some("x".repeat(300));
        let line = Line {
            key: vec![long.clone(), long.clone()],
            kind: "changed".to_owned(),
            column: None,
            live: long.clone(),
            shadow: long,
            delta: None,
            rule: None,
            diagnosis: None,
        };
        assert!(example(&line).chars().count() <= 66);
    }
}
