//! What is said of a reproducer: what it shows, how, and which values are real.

use super::masked::Masked;
use crate::again::quoted;
use crate::render::{visible, wrapped};
use shadowdiff_core::mask::Mask;
use shadowdiff_core::patterns::RowPatternSummary;
use shadowdiff_core::render::{counted_apart, described_rows};
use std::path::Path;

/// What masks leave to be seen, the strongest first.
const LEFT: [(Option<Mask>, &str); 5] = [
    (Some(Mask::Shape), "other values of the same length and shape"),
    (
        Some(Mask::Signs),
        "letters and digits replaced one by one: what values have in common is as it was",
    ),
    (
        Some(Mask::Distance),
        "moved: numbers and times are as far apart as they were, letters beyond ASCII are real",
    ),
    (
        Some(Mask::Ratio),
        "numbers multiplied by one number, others moved: how large numbers are beside each other is as it was",
    ),
    (
        None,
        "REAL values: kept as asked, needed to show the pattern, or of a type without masks",
    ),
];

/// For the terminal.
pub(super) fn text(masked: &Masked, pattern: &RowPatternSummary, folder: &Path) -> String {
    let mut out = wrapped("Shows: ", &visible(&what(pattern)));
    out += &wrapped("  with ", &visible(&rows(masked)));
    for (left, columns) in columns(masked) {
        out += &wrapped("  ", &visible(&format!("{}: {left}", columns.join(", "))));
    }
    let spec = quoted(&folder.join("spec.yaml").to_string_lossy());
    format!("{out}{}\nTo see it: shadowdiff compare {spec}\n", folder.display())
}

/// For whoever opens the folder.
pub(super) fn readme(masked: &Masked, pattern: &RowPatternSummary) -> String {
    let mut out = format!(
        "# Pattern {}\n\n{}\n\nThe smallest pair of files that shows it, {}:\n\n    shadowdiff compare spec.yaml\n\n## Values\n\n",
        pattern.fingerprint,
        code(&what(pattern)),
        rows(masked)
    );
    for (left, columns) in columns(masked) {
        let columns: Vec<String> = columns.iter().map(|column| code(column)).collect();
        out += &format!("- {}: {left}.\n", columns.join(", "));
    }
    out + "\nNULL and empty texts are as they were. Names of columns and the SQL of the spec are real.\n"
}

fn what(pattern: &RowPatternSummary) -> String {
    let mut alone = pattern.clone();
    // Columns that follow are not in the files.
    alone.with.clear();
    described_rows(&alone)
}

fn rows(masked: &Masked) -> String {
    let [live, shadow] = masked.reproducer.pair.each().map(|(_, rows)| rows.count as u64);
    format!(
        "{} of live and {} of shadow",
        counted_apart(live, "row"),
        counted_apart(shadow, "row")
    )
}

/// The columns by what is left of their values.
fn columns(masked: &Masked) -> Vec<(&'static str, Vec<&str>)> {
    let of = |left: Option<Mask>| {
        let columns = masked.columns.iter().filter(|(_, mask)| **mask == left);
        columns.map(|(name, _)| name.as_str()).collect::<Vec<_>>()
    };
    let all = LEFT.into_iter().map(|(left, words)| (words, of(left)));
    all.filter(|(_, columns)| !columns.is_empty()).collect()
}

/// As code in Markdown, whatever is in it.
fn code(text: &str) -> String {
    let text = visible(text).replace('\n', " ");
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest + 1);
    match longest {
        0 => format!("`{text}`"),
        _ => format!("{fence} {text} {fence}"),
    }
}
