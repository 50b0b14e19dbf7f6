//! The summary as a person reads it in ten seconds: the verdict, why, the books, the worst columns and accounts, an example of each pattern.
//!
//! It fits a terminal of 80 columns; only the place of the result, which one copies, is never broken.

mod files;
mod history;
mod layout;
mod paint;
mod run_diff;
mod sensitivity;
mod suggestions;

pub(crate) use files::excerpt;
pub(crate) use history::history_text;
pub(crate) use layout::{padded, shortened, width};
pub(crate) use layout::{visible, wrapped};
pub(crate) use paint::{ColorArgs, Paint};
pub(crate) use run_diff::run_diff;
pub(crate) use sensitivity::sensitivity;
use shadowdiff_core::render::{
    Excerpt, ExcerptSizes, acceptance_bounds, acceptance_state, behind_verdict, bounds, counted_apart, delta_range, described,
    described_acceptance, described_noise, described_rows, described_told_by, grouped, moved, null_rate, rows_headline, total,
    type_difference,
};
use shadowdiff_core::report::{ColumnSummary, Rows, Schema, Summary, TotalsSummary};
use shadowdiff_core::side::Side;
use shadowdiff_core::tally::plural;
use std::fmt::Write;
use std::path::Path;
pub(crate) use suggestions::suggestions;

/// How many of a kind are shown.
const SHOWN: usize = 5;
/// Columns and patterns are what one looks for: of them some more.
const SHOWN_COLUMNS: usize = 10;
/// Names of columns up to this width stand in the table; longer ones above their line.
const NAME_COLUMNS: usize = 30;
/// What is said of a row takes some lines at most.
const SENTENCE_COLUMNS: usize = 200;

/// `directory`: where the result can be read. `place`: what the user calls it.
pub(crate) fn text(summary: &Summary, directory: &Path, place: &str, paint: Paint) -> String {
    let sizes = ExcerptSizes {
        accounts: SHOWN,
        patterns: summary.patterns.iter().take(SHOWN_COLUMNS).filter(|p| p.exceptions > 0).count(),
        lines_of_a_pattern: 1,
        changes_of_a_column: 0,
    };
    let excerpt = excerpt(directory, summary, sizes);
    let mut out = verdict(summary, paint);
    rows(&mut out, &summary.rows, paint);
    columns(&mut out, summary, paint);
    totals(&mut out, summary, paint);
    rules(&mut out, summary, paint);
    accepted(&mut out, summary, paint);
    noise(&mut out, summary, paint);
    diagnoses(&mut out, summary, paint);
    schema(&mut out, &summary.schema);
    accounts(&mut out, &excerpt, paint);
    row_patterns(&mut out, summary, paint);
    patterns(&mut out, summary, &excerpt, paint);
    let cut = summary.differences.cut;
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

pub(crate) fn heading(out: &mut String, text: &str, paint: Paint) {
    let _ = writeln!(out, "\n{}", paint.heading(text));
}

fn verdict(summary: &Summary, paint: Paint) -> String {
    let mut out = format!("{}{}\n", paint.verdict(summary.verdict), behind_verdict(summary));
    for broken in &summary.broken {
        out += &paint.complaint("broken", broken);
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
        padded(&visible(name), name_columns),
        grouped(column.differing),
        grouped(column.exceptions)
    );
    let room = layout::COLUMNS.saturating_sub(width(&line));
    let comparator = shortened(&column.comparator, room);
    let range = delta_range(column);
    let _ = match range {
        Some(range) if width(&comparator) + 2 + width(&range) <= room => writeln!(out, "{line}{comparator}, {range}"),
        Some(range) => writeln!(out, "{line}{comparator}\n{DEEPER}{range}"),
        None => writeln!(out, "{line}{comparator}"),
    };
}

/// Columns that do not hold the same on both sides, over all rows.
fn totals(out: &mut String, summary: &Summary, paint: Paint) {
    let Some(all) = &summary.totals else { return };
    let differing: Vec<&TotalsSummary> = all.iter().filter(|of| of.differs()).collect();
    let rows = all
        .first()
        .map(|of| (of.live.rows, of.shadow.rows))
        .filter(|(live, shadow)| live != shadow);
    let rows = rows.map_or_else(String::new, |(live, shadow)| {
        format!(", {} -> {}", counted_apart(live, "row"), counted_apart(shadow, "row"))
    });
    let title = format!(
        "Totals over all rows: of {}, {} differ{rows}",
        counted_apart(all.len() as u64, "column"),
        differing.len()
    );
    heading(out, &title, paint);
    for of in differing.iter().take(SHOWN) {
        let nulls = (null_rate(&of.live), null_rate(&of.shadow));
        let nulls = (of.live.nulls + of.shadow.nulls > 0).then(|| format!("NULL {} -> {}", nulls.0, nulls.1));
        let is_number = of.live.sum.is_some() || of.shadow.sum.is_some();
        let by = if of.moved.is_some() { ", " } else { "" };
        let sum = is_number.then(|| format!("sum {} -> {}{by}{}", total(&of.live), total(&of.shadow), moved(of)));
        let said: Vec<String> = sum.into_iter().chain(nulls).collect();
        *out += &wrapped("  ", &format!("{}: {}", shortened(&of.column, SENTENCE_COLUMNS), said.join("; ")));
    }
    more(out, differing.len(), SHOWN, "column");
}

/// Where not all of a list is shown.
pub(crate) fn and_more(out: &mut String, all: usize, shown: usize) {
    if all > shown {
        let _ = writeln!(out, "  … and {} more", grouped((all - shown) as u64));
    }
}

/// The same, with what they are.
fn more(out: &mut String, all: usize, shown: usize, noun: &str) {
    if all > shown {
        let rest = (all - shown) as u64;
        let _ = writeln!(out, "  … and {rest} more {}", plural(rest, noun));
    }
}

fn rules(out: &mut String, summary: &Summary, paint: Paint) {
    if summary.rules.is_empty() {
        return;
    }
    heading(out, "Expected changes (lines)", paint);
    for rule in &summary.rules {
        let lines = format!("{:>12} ", grouped(rule.lines));
        *out += &wrapped(&lines, &format!("{}{}", rule.name, bounds(rule)));
    }
}

/// Those that count again first.
fn accepted(out: &mut String, summary: &Summary, paint: Paint) {
    if summary.accepted.is_empty() {
        return;
    }
    heading(out, "Accepted for a time (lines)", paint);
    let (kept, broken): (Vec<_>, Vec<_>) = summary.accepted.iter().partition(|of| of.broken.is_empty());
    for of in broken.into_iter().chain(kept).take(SHOWN_COLUMNS) {
        let what = shortened(&described_acceptance(&of.acceptance), SENTENCE_COLUMNS);
        let (by, bounds) = (shortened(&of.acceptance.by, NAME_COLUMNS), acceptance_bounds(of));
        let text = format!("{what}; by {by}, {bounds}: {}", acceptance_state(of));
        *out += &wrapped(&format!("{:>12} ", grouped(of.lines)), &text);
    }
    more(out, summary.accepted.len(), SHOWN_COLUMNS, "acceptance");
}

/// Where live differs from itself: what is more than that first.
fn noise(out: &mut String, summary: &Summary, paint: Paint) {
    let Some(noise) = summary.noise.as_ref().filter(|noise| !noise.units.is_empty()) else {
        return;
    };
    let subtracted = if noise.is_subtracted { "subtracted" } else { "not subtracted" };
    let title = format!(
        "Noise, {subtracted}: live against itself in {}",
        counted_apart(noise.base_rows, "row")
    );
    heading(out, &title, paint);
    let (within, more_than): (Vec<_>, Vec<_>) = noise.units.iter().partition(|unit| unit.excess.is_none());
    for unit in more_than.into_iter().chain(within).take(SHOWN_COLUMNS) {
        let excess = if unit.excess.is_some() {
            ", which the noise does not explain"
        } else {
            ""
        };
        let text = format!(
            "{}: {} there, {} here{excess}",
            shortened(&described_noise(unit), SENTENCE_COLUMNS),
            counted_apart(unit.base_cells, "cell"),
            grouped(unit.cells)
        );
        *out += &wrapped("  ", &text);
    }
    more(out, noise.units.len(), SHOWN_COLUMNS, "kind of noise");
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
    let types: Vec<String> = schema.types.iter().map(type_difference).collect();
    if !types.is_empty() {
        out.push('\n');
        *out += &wrapped("Types that differ: ", &types.join(", "));
    }
}

fn accounts(out: &mut String, excerpt: &Excerpt, paint: Paint) {
    let mut worst = excerpt.accounts.iter().filter(|account| account.exceptions > 0).peekable();
    if worst.peek().is_none() {
        return;
    }
    let title = format!("Accounts to hold: {}; with the most exceptions", grouped(excerpt.held));
    heading(out, &title, paint);
    for account in worst {
        let rows = format!("{:>12} in {}  ", grouped(account.exceptions), counted_apart(account.rows, "row"));
        let room = layout::COLUMNS.saturating_sub(width(&rows));
        let _ = writeln!(out, "{rows}{}", shortened(&files::key(&account.account), room));
    }
}

/// What happens to rows: those that stand alone, then the most frequent patterns.
fn row_patterns(out: &mut String, summary: &Summary, paint: Paint) {
    let found = &summary.row_patterns;
    let Some(headline) = rows_headline(found) else { return };
    heading(out, "What happens to rows", paint);
    *out += &wrapped("  ", &headline);
    for pattern in found.listed_alone.iter().take(SHOWN) {
        let text = format!("{}: {}", shortened(&pattern.example, NAME_COLUMNS), described_rows(pattern));
        *out += &wrapped("       alone ", &shortened(&text, SENTENCE_COLUMNS));
    }
    for pattern in found.listed.iter().take(SHOWN) {
        let text = format!(
            "{}  [{}]",
            shortened(&described_rows(pattern), SENTENCE_COLUMNS),
            pattern.fingerprint
        );
        *out += &wrapped(&format!("{:>12} ", counted_apart(pattern.rows, "row")), &text);
        if let Some(told) = described_told_by(pattern) {
            *out += &wrapped(&format!("{:13}", ""), &shortened(&told, SENTENCE_COLUMNS));
        }
    }
}

/// What exceptions have in common, the most frequent first, each with an example.
fn patterns(out: &mut String, summary: &Summary, excerpt: &Excerpt, paint: Paint) {
    let all = summary.patterns.iter().filter(|p| p.exceptions > 0).count();
    if all == 0 {
        return;
    }
    heading(out, "Exceptions by pattern; of each an example, live -> shadow", paint);
    for (pattern, lines) in summary.patterns.iter().zip(&excerpt.lines) {
        *out += &wrapped(&format!("{:>12} ", grouped(pattern.exceptions)), &described(pattern));
        if let Some(line) = lines.first() {
            let _ = writeln!(out, "{:13} {}", "", files::example(line));
        }
    }
    more(out, all, SHOWN_COLUMNS, "pattern");
}
