//! Reads what is shown of a result's tables, and how the terminal shows a line and an account.

use super::layout::{shortened, shortened_pair, visible};
use shadowdiff_coordinator::Table;
use shadowdiff_core::render::{Excerpt, ExcerptBuilder, ExcerptSizes, Line};
use shadowdiff_core::report::{Field, ResultFile, Summary};
use std::path::Path;

/// The excerpt of the tables in a directory, as far as they can be read.
pub(crate) fn excerpt(directory: &Path, summary: &Summary, sizes: ExcerptSizes) -> Excerpt {
    let mut builder = ExcerptBuilder::new(summary, sizes);
    if let Ok(mut accounts) = Table::open(directory, ResultFile::Accounts)
        && let Ok(Some(header)) = accounts.next_record()
    {
        builder.accounts_header(&header);
        while let Ok(Some(line)) = accounts.next_text() {
            builder.account_line(line);
        }
    }
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

/// The records of a table, as far as they can be read.
fn records(directory: &Path, file: ResultFile) -> impl Iterator<Item = Vec<Field>> + use<> {
    let mut table = Table::open(directory, file).ok();
    std::iter::from_fn(move || table.as_mut()?.next_record().ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn null_is_told_from_empty() {
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
