//! What the terminal shows of `accounts.csv` and `diff.csv`: the accounts to hold, and an example of each pattern.

use super::layout::{shortened, shortened_pair, visible};
use shadowdiff_core::report::ResultFile;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

/// Fields of `diff.csv` after the key.
const FIXED: usize = 10;
/// Fields of `accounts.csv` after the account.
const OF_AN_ACCOUNT: usize = 4;
/// Lines of `diff.csv` that are searched for examples: a result of terabytes shows in a moment too.
const SEARCHED_LINES: usize = 1_000_000;

/// An account with exceptions.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Account {
    pub(super) exceptions: u64,
    pub(super) rows: u64,
    pub(super) name: String,
}

/// Accounts to hold: how many, and the `most` with the most exceptions.
pub(super) fn accounts(directory: &Path, most: usize) -> (u64, Vec<Account>) {
    let (mut held, mut worst) = (0, Vec::new());
    for record in records(&directory.join(ResultFile::Accounts.name())) {
        let Some(place) = record.len().checked_sub(OF_AN_ACCOUNT).filter(|place| *place > 0) else {
            continue;
        };
        let (name, of) = record.split_at(place);
        let number = |at: usize| of[at].as_deref().and_then(|n| n.parse::<u64>().ok()).unwrap_or(0);
        held += u64::from(of[3].as_deref() == Some("hold"));
        let account = Account {
            exceptions: number(2),
            rows: number(0),
            name: key(name),
        };
        if account.exceptions > 0 {
            worst.push(account);
            worst.sort_by(|a, b| (b.exceptions, b.rows, &a.name).cmp(&(a.exceptions, a.rows, &b.name)));
            worst.truncate(most);
        }
    }
    (held, worst)
}

/// What lines are alike in, as `summary.json` counts them.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Pattern<'a> {
    pub(super) kind: &'a str,
    pub(super) column: &'a str,
    pub(super) diagnosis: &'a str,
    pub(super) direction: &'a str,
}

/// For each pattern the first exception that shows it, if one is near enough.
pub(super) fn examples(directory: &Path, patterns: &[Pattern<'_>]) -> Vec<Option<String>> {
    let mut found: Vec<Option<String>> = patterns.iter().map(|_| None).collect();
    for record in records(&directory.join(ResultFile::Diff.name())).take(SEARCHED_LINES) {
        let Some(place) = record.len().checked_sub(FIXED) else { continue };
        let (name, of) = record.split_at(place);
        let field = |at: usize| of[at].as_deref().unwrap_or_default();
        if field(8) != "exception" {
            continue;
        }
        let direction = match field(4).chars().next() {
            None => "",
            Some('-') => "down",
            Some('N') => "",
            Some(_) if field(4).bytes().all(|b| matches!(b, b'0' | b'.')) => "",
            Some(_) => "up",
        };
        let pattern = Pattern {
            kind: field(0),
            column: field(1),
            diagnosis: field(9),
            direction,
        };
        if let Some(at) = patterns.iter().position(|p| *p == pattern)
            && found[at].is_none()
        {
            found[at] = Some(example(name, of));
            if found.iter().all(Option::is_some) {
                break;
            }
        }
    }
    found
}

/// A line for people, at most 66 columns wide.
fn example(name: &[Option<String>], of: &[Option<String>]) -> String {
    const KEY_COLUMNS: usize = 22;
    const CELL_COLUMNS: usize = 19;
    let name = shortened(&key(name), KEY_COLUMNS);
    let cell = |at: usize| shown(of[at].as_deref());
    let (live, shadow) = shortened_pair(&cell(2), &cell(3), CELL_COLUMNS);
    match of[0].as_deref() {
        Some("changed") => format!("{name}: {live} -> {shadow}"),
        Some("duplicate_key") => format!("{name}: live rows {live}, shadow rows {shadow}"),
        Some(_) | None => name,
    }
}

fn key(fields: &[Option<String>]) -> String {
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

/// The records below the header, as far as they can be read. `None` is NULL: an empty field without quotes.
fn records(path: &Path) -> impl Iterator<Item = Vec<Option<String>>> {
    let mut lines = File::open(path).ok().map(BufReader::new);
    let mut next = move || record(lines.as_mut()?);
    let _header = next();
    std::iter::from_fn(next)
}

/// One record of RFC 4180; its line may break within quotes.
fn record(from: &mut impl BufRead) -> Option<Vec<Option<String>>> {
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

fn value(field: &str) -> Option<String> {
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
        let of = [Some("changed".to_owned()), None, long.clone(), long.clone()];
        assert!(example(&[long.clone(), long], &of).chars().count() <= 66);
    }
}
