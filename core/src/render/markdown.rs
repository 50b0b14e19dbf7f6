//! The result as a comment for a pull request: the verdict and why, rules, columns, accounts, some samples. It stays under the limit of a
//! comment, whatever the data, as each part of it has a limit of its own.

use super::bounded::{Bounded, more};
use super::markup::MARKDOWN;
use super::words::{
    acceptance_bounds, acceptance_state, bounds, described_acceptance, described_rows, described_told_by, headline, moved, null_rate,
    rows_headline, share, total,
};
use super::{Excerpt, Line, MARK, delta_range, described, grouped, type_difference};
use crate::patterns::RowPatternSummary;
use crate::report::{AcceptanceSummary, AccountRecord, ColumnSummary, RuleSummary, Summary, TotalsSummary};

/// No comment is longer. GitHub takes 65 536 characters.
pub const MARKDOWN_BYTES: usize = HEAD_BYTES + 7 * TABLE_BYTES + FOOT_BYTES;
const HEAD_BYTES: usize = 12_000;
const TABLE_BYTES: usize = 6_400;
const FOOT_BYTES: usize = 3_000;

/// Characters of a name, of a value, of a sentence.
const NAME: usize = 80;
const VALUE: usize = 60;
const SENTENCE: usize = 400;
/// How many of each are shown.
const COLUMNS: usize = 15;
const ACCOUNTS: usize = 10;
const PATTERNS: usize = 10;
const LINES_OF_A_PATTERN: usize = 2;
const ROWS_ALONE: usize = 5;

/// The summary and an excerpt of its tables as Markdown.
pub fn markdown(summary: &Summary, excerpt: &Excerpt) -> String {
    head(summary)
        + &rules(summary)
        + &accepted(summary)
        + &columns(summary)
        + &totals(summary)
        + &accounts(excerpt)
        + &row_patterns(summary)
        + &samples(summary, excerpt)
        + &foot(summary)
}

fn head(summary: &Summary) -> String {
    let mut out = Bounded::new(HEAD_BYTES - 100);
    out.add(&format!("<!-- {MARK} -->\n## shadowdiff: {}\n\n", headline(summary)));
    let broken = summary
        .broken
        .iter()
        .map(|broken| format!("- broken: {}\n", MARKDOWN.text(broken, SENTENCE)));
    let shown = out.add_all(broken);
    out.into_text() + &more(summary.broken.len(), shown, ["- ", "\n\n"]) + "\n"
}

fn rules(summary: &Summary) -> String {
    let row = |rule: &RuleSummary| {
        let kept = if rule.broken.is_empty() { "kept" } else { "**broken**" };
        let bounds = bounds(rule);
        let bounds = bounds.trim_start_matches(", ");
        format!(
            "| {} | {} | {bounds} | {kept} |\n",
            MARKDOWN.text(&rule.name, NAME),
            grouped(rule.lines)
        )
    };
    // Those that were broken first, each group in the order of the spec.
    let (kept, broken): (Vec<&RuleSummary>, Vec<&RuleSummary>) = summary.rules.iter().partition(|rule| rule.broken.is_empty());
    let rows = broken.into_iter().chain(kept).map(row);
    let heading = "### Expected changes\n\n| rule | lines | bounds | |\n|---|--:|---|---|\n";
    table(heading, rows, summary.rules.len())
}

/// Those that count again first.
fn accepted(summary: &Summary) -> String {
    let row = |of: &AcceptanceSummary| {
        format!(
            "| {} | {} | {} | {} | {} | {} |\n",
            MARKDOWN.text(&described_acceptance(&of.acceptance), SENTENCE / 2),
            grouped(of.lines),
            acceptance_bounds(of),
            MARKDOWN.text(&of.acceptance.by, VALUE),
            MARKDOWN.text(&of.acceptance.reason, SENTENCE / 2),
            if of.broken.is_empty() {
                acceptance_state(of).to_owned()
            } else {
                format!("**{}**", acceptance_state(of))
            }
        )
    };
    let (kept, broken): (Vec<_>, Vec<_>) = summary.accepted.iter().partition(|of| of.broken.is_empty());
    let heading = "### Accepted for a time\n\n| | lines | bounds | by | reason | |\n|---|--:|---|---|---|---|\n";
    table(heading, broken.into_iter().chain(kept).map(row), summary.accepted.len())
}

fn columns(summary: &Summary) -> String {
    let row = |column: &ColumnSummary| {
        format!(
            "| {} | {} | {} | {} | {} | {} |\n",
            MARKDOWN.text(&column.column, NAME),
            grouped(column.differing),
            grouped(column.exceptions),
            share(column),
            MARKDOWN.text(&column.comparator, NAME),
            delta_range(column).unwrap_or_default().trim_start_matches("delta ")
        )
    };
    let mut all: Vec<&ColumnSummary> = summary.columns.iter().collect();
    all.sort_by_key(|column| std::cmp::Reverse((column.exceptions, column.differing)));
    let heading = format!(
        "### Columns: {} compared, {} differ\n\n| column | cells | exceptions | of the rows | comparator | delta |\n|---|--:|--:|--:|---|---|\n",
        summary.schema.compared,
        all.len()
    );
    table(&heading, all.iter().take(COLUMNS).map(|column| row(column)), all.len())
}

/// The columns that do not hold the same on both sides, over all rows.
fn totals(summary: &Summary) -> String {
    let all = summary.totals.as_deref().unwrap_or_default();
    let row = |of: &&TotalsSummary| {
        let [live, shadow, moved] = [total(&of.live), total(&of.shadow), moved(of)].map(|text| MARKDOWN.plain(&text, NAME));
        let column = MARKDOWN.text(&of.column, NAME);
        let [nulls_live, nulls_shadow] = [&of.live, &of.shadow].map(null_rate);
        format!("| {column} | {nulls_live} | {nulls_shadow} | {live} | {shadow} | {moved} |\n")
    };
    let differing: Vec<&TotalsSummary> = all.iter().filter(|of| of.differs()).collect();
    let heading = format!(
        "### Totals over all rows: {} of {} differ\n\n| column | NULL in live | in shadow | sum of live | of shadow | moved |\n|---|--:|--:|--:|--:|--:|\n",
        grouped(differing.len() as u64),
        grouped(all.len() as u64)
    );
    table(&heading, differing.iter().take(COLUMNS).map(row), differing.len())
}

fn accounts(excerpt: &Excerpt) -> String {
    let row = |account: &AccountRecord| {
        let name = MARKDOWN.values(&account.account, VALUE);
        format!("| {name} | {} | {} |\n", grouped(account.exceptions), grouped(account.rows))
    };
    let heading = format!(
        "### Accounts to hold: {}\n\n| account | exceptions | rows |\n|---|--:|--:|\n",
        grouped(excerpt.held)
    );
    let worst = excerpt.accounts.iter().filter(|account| account.exceptions > 0);
    let held = usize::try_from(excerpt.held).unwrap_or(usize::MAX);
    table(&heading, worst.take(ACCOUNTS).map(row), held)
}

fn samples(summary: &Summary, excerpt: &Excerpt) -> String {
    let row = |line: &Line| {
        let [live, shadow] = match (&line.live, &line.shadow) {
            (None, None) => [String::new(), String::new()],
            _ => MARKDOWN.pair(line, VALUE),
        };
        format!("| | {} | {live} | {shadow} |\n", MARKDOWN.values(&line.key, VALUE))
    };
    let patterns = summary
        .patterns
        .iter()
        .zip(&excerpt.lines)
        .filter(|(pattern, _)| pattern.exceptions > 0);
    let rows = patterns.take(PATTERNS).map(|(pattern, lines)| {
        let mut rows = format!(
            "| **{}** {} | | | |\n",
            grouped(pattern.exceptions),
            MARKDOWN.text(&described(pattern), NAME)
        );
        lines.iter().take(LINES_OF_A_PATTERN).for_each(|line| rows += &row(line));
        rows
    });
    let all = summary.patterns.iter().filter(|pattern| pattern.exceptions > 0).count();
    table(
        "### Exceptions by pattern\n\n| | key | live | shadow |\n|---|---|---|---|\n",
        rows,
        all,
    )
}

fn foot(summary: &Summary) -> String {
    let mut out = Bounded::new(FOOT_BYTES);
    let rows = &summary.rows;
    out.add(&format!(
        "{} rows read in live, {} in shadow; {} pairs equal, {} within tolerance.\n",
        grouped(rows.live.read),
        grouped(rows.shadow.read),
        grouped(rows.cancelled),
        grouped(rows.within_tolerance)
    ));
    if summary.differences.cut > 0 {
        out.add(&format!(
            "\n{} differences are not listed; all counts are exact.\n",
            grouped(summary.differences.cut)
        ));
    }
    let schema = &summary.schema;
    let types: Vec<String> = schema.types.iter().map(type_difference).collect();
    for (names, words) in [
        (&schema.only_live, "Columns only in live"),
        (&schema.only_shadow, "Columns only in shadow"),
        (&types, "Types that differ"),
    ] {
        if !names.is_empty() {
            out.add(&format!("\n{words}: {}\n", MARKDOWN.text(&names.join(", "), SENTENCE / 4)));
        }
    }
    out.into_text()
}

/// What happens to rows: those that stand alone, then the most frequent patterns.
fn row_patterns(summary: &Summary) -> String {
    let found = &summary.row_patterns;
    let Some(headline) = rows_headline(found) else {
        return String::new();
    };
    let row = |pattern: &RowPatternSummary| {
        let told = described_told_by(pattern).map(|told| format!("<br>{}", MARKDOWN.text(&told, SENTENCE / 2)));
        format!(
            "| {} | {} | {}{} | {} |\n",
            grouped(pattern.rows),
            grouped(pattern.exceptions),
            MARKDOWN.text(&described_rows(pattern), SENTENCE / 2),
            told.unwrap_or_default(),
            MARKDOWN.text(&pattern.example, VALUE)
        )
    };
    let shown = found.listed_alone.iter().take(ROWS_ALONE).chain(found.listed.iter().take(PATTERNS));
    let all = found.alone.saturating_add(found.patterns);
    let heading = format!("### What happens to rows\n\n{headline}\n\n| rows | exceptions | | such as |\n|--:|--:|---|---|\n");
    table(&heading, shown.map(row), usize::try_from(all).unwrap_or(usize::MAX))
}

/// A heading and the rows that fit; nothing where there are none. `all`: how many there are.
fn table(heading: &str, rows: impl Iterator<Item = String>, all: usize) -> String {
    if all == 0 {
        return String::new();
    }
    let mut out = Bounded::new(TABLE_BYTES - 100);
    out.add(heading);
    let shown = out.add_all(rows);
    format!("{}\n{}", out.into_text(), more(all, shown, ["", "\n\n"]))
}
