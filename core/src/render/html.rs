//! The result as a page: what a person looks at first. One file that asks no network for anything and stays under its limit, whatever the data, as
//! each part of it has a limit of its own. It reads without its script, which searches accounts and opens what a link leads to.

mod differing;

use super::bounded::{Bounded, listed};
use super::markup::HTML;
use super::words::{
    acceptance_bounds, acceptance_state, bounds, described_acceptance, described_rows, described_told_by, headline, moved, null_rate,
    rows_headline, total,
};
use super::{Excerpt, MARK, counted_apart, grouped};
use crate::patterns::RowPatternSummary;
use crate::report::{AcceptanceSummary, AccountRecord, Decision, Field, RuleSummary, Summary, TotalsSummary};
use crate::side::Side;
use crate::verdict::{Threshold, Verdict};
use differing::{Group, figure, groups, sections};

/// No page is longer.
pub const HTML_BYTES: usize =
    HEAD_BYTES + FIGURE_BYTES + RULES_BYTES + ROWS_BYTES + DIFFERING_BYTES + TOTALS_BYTES + ACCOUNTS_BYTES + 2 * SCHEMA_BYTES + FRAME_BYTES;
const HEAD_BYTES: usize = 100_000;
const FIGURE_BYTES: usize = 100_000;
const RULES_BYTES: usize = 200_000;
const ROWS_BYTES: usize = 80_000;
const DIFFERING_BYTES: usize = 780_000;
const TOTALS_BYTES: usize = 80_000;
const ACCOUNTS_BYTES: usize = 400_000;
const SCHEMA_BYTES: usize = 100_000;
/// Style, script, headings.
const FRAME_BYTES: usize = 40_000;

/// Characters of a name, of a sentence.
const NAME: usize = 120;
const SENTENCE: usize = 1_000;

/// Around what is said of a list below it.
pub(super) const SOFT: [&str; 2] = ["<p class=\"soft\">", "</p>\n"];
/// Nothing is loaded from anywhere, even if a value were taken for markup.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";

/// The summary and an excerpt of its tables as a page.
pub fn html(summary: &Summary, excerpt: &Excerpt) -> String {
    let groups = groups(summary);
    let covered = match (summary.differences.accepted, summary.differences.noise) {
        (0, 0) => "expected",
        (_, 0) => "expected or accepted",
        (_, _) => "expected, accepted or noise",
    };
    let parts = [
        ("differing", "What differs", figure(&groups, covered, FIGURE_BYTES)),
        ("rules", "Rules and thresholds", rules(summary)),
        ("rows", "What happens to rows", row_patterns(summary)),
        ("samples", "By column", sections(&groups, excerpt, DIFFERING_BYTES)),
        ("totals", "Totals over all rows", totals(summary)),
        ("accounts", "Accounts", accounts(summary, excerpt)),
        ("schema", "Schema", schema(summary)),
        ("compared", "What was compared", compared(summary)),
    ];
    let parts: Vec<_> = parts.into_iter().filter(|(_, _, part)| !part.is_empty()).collect();
    let links: String = parts
        .iter()
        .map(|(id, title, _)| format!("<a href=\"#{id}\">{title}</a>"))
        .collect();
    let sections: String = parts
        .iter()
        .map(|(id, title, part)| format!("<section id=\"{id}\">\n<h2>{title}</h2>\n{part}</section>\n"))
        .collect();
    let body = format!(
        "{}<nav aria-label=\"Parts of the report\">{links}</nav>\n<main>\n{sections}</main>\n",
        head(summary, excerpt)
    );
    page(&headline(summary), &body, include_str!("html/script.js"))
}

/// What is around every page. `title` and `body` are markup already.
pub(super) fn page(title: &str, body: &str, script: &str) -> String {
    format!(
        "<!DOCTYPE html>\n<!-- {MARK} -->\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<meta http-equiv=\"Content-Security-Policy\" content=\"{POLICY}\">\n\
         <title>{title}</title>\n<style>\n{}</style>\n</head>\n<body>\n{body}<script>\n{script}</script>\n</body>\n</html>\n",
        include_str!("html/style.css"),
    )
}

fn head(summary: &Summary, excerpt: &Excerpt) -> String {
    let mut out = Bounded::new(HEAD_BYTES / 2);
    let class = summary.verdict.name();
    out.add(&format!(
        "<header>\n<div class=\"verdict {class}\">\n<h1>{}</h1>\n",
        headline(summary)
    ));
    out.add(&match summary.verdict {
        Verdict::Pass => "<p>No threshold is broken.</p>\n".to_owned(),
        Verdict::Fail => format!("<p>{}:</p>\n", counted_apart(summary.broken.len() as u64, "broken threshold")),
    });
    let broken = list(&summary.broken, HEAD_BYTES / 4);
    let warnings = match summary.warnings.as_slice() {
        [] => String::new(),
        warnings => format!("<h3>Warnings</h3>\n{}", list(warnings, HEAD_BYTES / 4)),
    };
    format!(
        "{}{broken}</div>\n{}{warnings}</header>\n",
        out.into_text(),
        counts(summary, excerpt)
    )
}

/// Sentences in a list, as many as fit.
fn list(sentences: &[String], most_bytes: usize) -> String {
    if sentences.is_empty() {
        return String::new();
    }
    let items = sentences.iter().map(|text| format!("<li>{}</li>\n", HTML.plain(text, SENTENCE)));
    let [shown, more] = listed(most_bytes - 200, items, sentences.len(), ["<li>", "</li>\n"]);
    format!("<ul>\n{shown}{more}</ul>\n")
}

fn counts(summary: &Summary, excerpt: &Excerpt) -> String {
    let rows = &summary.rows;
    let counts = [
        (summary.differences.exceptions, "exceptions"),
        (summary.differences.expected, "expected differences"),
        (summary.differences.accepted, "accepted for a time"),
        (excerpt.held, "accounts to hold"),
        (rows.cancelled, "pairs of rows equal"),
        (rows.within_tolerance, "within tolerance"),
        (rows.changed, "changed"),
        (rows.missing_in_shadow, "missing in shadow"),
        (rows.missing_in_live, "missing in live"),
        (rows.duplicate_key, "keys with duplicates"),
    ];
    let one = |(count, of): &(u64, &str)| format!("<li><b>{}</b>{of}</li>", grouped(*count));
    let is_shown = |(count, of): &&(u64, &str)| *count > 0 || *of != "accepted for a time";
    let counts: String = counts.iter().filter(is_shown).map(one).collect();
    format!("<ul class=\"counts\">{counts}</ul>\n")
}

fn rules(summary: &Summary) -> String {
    let state = |broken: &[String]| match broken {
        [] => "<td class=\"good\">kept</td>".to_owned(),
        broken => format!("<td class=\"bad\">broken: {}</td>", HTML.plain(&broken.join("; "), SENTENCE)),
    };
    let rule = |rule: &RuleSummary| {
        let bounds = bounds(rule);
        let until = rule
            .until
            .as_deref()
            .map_or_else(String::new, |day| format!(", until {}", HTML.plain(day, NAME)));
        let bounds = format!("{bounds}{until}");
        format!(
            "<tr><td>{}</td><td class=\"n\">{}</td><td>{}</td>{}</tr>\n",
            HTML.text(&rule.name, NAME),
            grouped(rule.lines),
            bounds.trim_start_matches(", "),
            state(&rule.broken)
        )
    };
    let threshold = |threshold: &Threshold| {
        format!(
            "<tr><td>{}</td><td>{}</td>{}</tr>\n",
            HTML.text(&threshold.name, NAME),
            HTML.text(&threshold.limit, NAME),
            state(&threshold.broken)
        )
    };
    let accepted = |of: &AcceptanceSummary| {
        let state = match of.broken.as_slice() {
            [] => format!("<td class=\"good\">{}</td>", acceptance_state(of)),
            broken => state(broken),
        };
        format!(
            "<tr><td>{}<br>{}</td><td class=\"n\">{}</td><td>{}</td><td>{}: {}</td>{state}</tr>\n",
            HTML.text(&of.acceptance.pattern, NAME),
            HTML.plain(&described_acceptance(&of.acceptance), SENTENCE),
            grouped(of.lines),
            acceptance_bounds(of),
            HTML.plain(&of.acceptance.by, NAME),
            HTML.plain(&of.acceptance.reason, SENTENCE),
        )
    };
    let rules = summary.rules.iter().map(rule);
    let thresholds = summary.thresholds.iter().map(threshold);
    let acceptances = summary.accepted.iter().map(accepted);
    let rules = table(&["Rule", "#Lines", "Bounds", ""], rules, summary.rules.len(), RULES_BYTES / 3);
    let thresholds = table(&["Threshold", "Limit", ""], thresholds, summary.thresholds.len(), RULES_BYTES / 3);
    let headings = ["Accepted for a time", "#Lines", "Bounds", "By whom, and why", ""];
    rules + &table(&headings, acceptances, summary.accepted.len(), RULES_BYTES / 3) + &thresholds
}

/// Rows that stand alone, then the patterns, the most exceptions first.
fn row_patterns(summary: &Summary) -> String {
    let found = &summary.row_patterns;
    let Some(headline) = rows_headline(found) else {
        return String::new();
    };
    let row = |pattern: &RowPatternSummary| {
        let told = described_told_by(pattern).map(|told| format!("<br><span class=\"soft\">{}</span>", HTML.plain(&told, SENTENCE)));
        format!(
            "<tr><td class=\"n\">{}</td><td class=\"n\">{}</td><td>{}{}</td><td>{}</td><td>{}</td></tr>\n",
            grouped(pattern.rows),
            grouped(pattern.exceptions),
            HTML.plain(&described_rows(pattern), SENTENCE),
            told.unwrap_or_default(),
            HTML.plain(&pattern.example, NAME),
            HTML.text(&pattern.fingerprint, NAME)
        )
    };
    let rows = found.listed_alone.iter().chain(&found.listed).map(row);
    let all = usize::try_from(found.alone.saturating_add(found.patterns)).unwrap_or(usize::MAX);
    let table = table(&["#Rows", "#Exceptions", "", "Such as", "Pattern"], rows, all, ROWS_BYTES - 1_000);
    format!("<p>{headline}</p>\n{table}")
}

pub(super) fn number_cells<const N: usize>(numbers: [String; N]) -> String {
    numbers.map(|number| format!("<td class=\"n\">{number}</td>")).concat()
}

/// A table of the rows that fit; nothing where there are none. A heading that begins with `#` stands above numbers.
fn table(headings: &[&str], rows: impl Iterator<Item = String>, all: usize, most_bytes: usize) -> String {
    if all == 0 {
        return String::new();
    }
    let heading = |heading: &&str| match heading.strip_prefix('#') {
        Some(of_numbers) => format!("<th scope=\"col\" class=\"n\">{of_numbers}</th>"),
        None => format!("<th scope=\"col\">{heading}</th>"),
    };
    let headings: String = headings.iter().map(heading).collect();
    let [body, more] = listed(most_bytes - 1_000, rows, all, SOFT);
    format!("<div class=\"scroll\"><table>\n<thead><tr>{headings}</tr></thead>\n<tbody>\n{body}</tbody>\n</table></div>\n{more}")
}

/// What the columns hold over all rows; those first in which the sides do not hold the same.
fn totals(summary: &Summary) -> String {
    let Some(totals) = &summary.totals else { return String::new() };
    let row = |of: &TotalsSummary| {
        let class = if of.differs() { "bad" } else { "good" };
        let numbers = [
            null_rate(&of.live),
            null_rate(&of.shadow),
            total(&of.live),
            total(&of.shadow),
            moved(of),
        ];
        let numbers = number_cells(numbers.map(|number| HTML.plain(&number, NAME)));
        let differs = if of.differs() { "differs" } else { "same" };
        format!(
            "<tr><td>{}</td>{numbers}<td class=\"{class}\">{differs}</td></tr>\n",
            HTML.text(&of.column, NAME)
        )
    };
    let (differing, same): (Vec<_>, Vec<_>) = totals.iter().partition(|of| of.differs());
    let headings = [
        "Column",
        "#NULL in live",
        "#NULL in shadow",
        "#Sum of live",
        "#Sum of shadow",
        "#Moved",
        "",
    ];
    let count = counted_apart(differing.len() as u64, "column");
    let rows = differing.into_iter().chain(same).map(row);
    let table = table(&headings, rows, totals.len(), TOTALS_BYTES - 1_000);
    if table.is_empty() {
        return table;
    }
    format!(
        "<p>Of all rows that were compared, {} of live and {} of shadow, whether they differ or not; {count} of {} do not hold the same on both sides.</p>\n{table}",
        grouped(totals[0].live.rows),
        grouped(totals[0].shadow.rows),
        grouped(totals.len() as u64)
    )
}

fn accounts(summary: &Summary, excerpt: &Excerpt) -> String {
    let row = |account: &AccountRecord| {
        let class = if account.decision == Decision::Hold { "bad" } else { "good" };
        format!(
            "<tr><td>{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"{class}\">{}</td></tr>\n",
            HTML.values(&account.account, NAME),
            grouped(account.exceptions),
            grouped(account.expected),
            grouped(account.rows),
            HTML.plain(account.decision.name(), NAME)
        )
    };
    let all = usize::try_from(summary.accounts.differing).unwrap_or(usize::MAX);
    let rows = excerpt.accounts.iter().map(row);
    let table = table(
        &["Account", "#Exceptions", "#Expected", "#Rows", "Decision"],
        rows,
        all,
        ACCOUNTS_BYTES - 1_000,
    );
    if table.is_empty() {
        return table;
    }
    format!(
        "<p>{} differ, {} to hold; the most exceptions first.</p>\n\
         <p class=\"search\" hidden><label>Search <input type=\"search\"></label> <output></output></p>\n{table}",
        counted_apart(summary.accounts.differing, "account"),
        grouped(excerpt.held)
    )
}

fn schema(summary: &Summary) -> String {
    let schema = &summary.schema;
    let one_sided = |names: &[String], side: Side| {
        let heading = format!("Columns only in {side}");
        let rows = names.iter().map(|name| format!("<tr><td>{}</td></tr>\n", HTML.text(name, NAME)));
        table(&[&heading], rows, names.len(), SCHEMA_BYTES / 4)
    };
    let types = schema.types.iter().map(|of| {
        let [column, live, shadow] = [&of.column, &of.live, &of.shadow].map(|text| HTML.text(text, NAME));
        format!("<tr><td>{column}</td><td>{live}</td><td>{shadow}</td></tr>\n")
    });
    let types = table(&["Type differs", "live", "shadow"], types, schema.types.len(), SCHEMA_BYTES / 4);
    format!(
        "<p>{} compared besides the key.</p>\n{}{}{types}",
        counted_apart(schema.compared as u64, "column"),
        one_sided(&schema.only_live, Side::Live),
        one_sided(&schema.only_shadow, Side::Shadow)
    )
}

/// The sides, the books and the spec.
fn compared(summary: &Summary) -> String {
    let side = |side: Side| {
        let (books, pins) = match side {
            Side::Live => (&summary.rows.live, &summary.pins.live),
            Side::Shadow => (&summary.rows.shadow, &summary.pins.shadow),
        };
        let bytes = pins.iter().map(|pin| pin.pin.size_bytes).sum();
        let first = pins.first().map(|pin| pin.name.clone());
        let numbers = [
            books.read,
            books.filtered,
            books.cancelled,
            books.within_tolerance,
            books.changed,
            books.missing_on_other_side,
            books.in_duplicate_groups,
            pins.len() as u64,
            bytes,
        ];
        let numbers = number_cells(numbers.map(grouped));
        let first: &Field = &first;
        format!("<tr><td>{side}</td>{numbers}<td>{}</td></tr>\n", HTML.value(first, NAME))
    };
    let headings = [
        "Side",
        "#Rows read",
        "#Filtered out",
        "#Equal",
        "#Within tolerance",
        "#Changed",
        "#Missing on the other side",
        "#In duplicates",
        "#Files",
        "#Bytes",
        "First file",
    ];
    let books = table(&headings, [Side::Live, Side::Shadow].map(side).into_iter(), 2, SCHEMA_BYTES / 4);
    let spec = serde_json::to_string_pretty(&summary.spec).unwrap_or_default();
    let lines = spec.lines().map(|line| HTML.plain(line, SENTENCE) + "\n");
    let [lines, more] = listed(SCHEMA_BYTES / 2, lines, spec.lines().count(), ["", " lines\n"]);
    format!(
        "{books}<p>As of {}. The spec as it was understood:</p>\n<pre>{lines}{more}</pre>\n",
        HTML.plain(&summary.as_of, NAME)
    )
}

/// Where a group of differences stands on the page.
fn place(number: usize) -> String {
    format!("d{number}")
}

/// A group's name: a column, or what became of whole rows.
fn name(group: &Group<'_>) -> String {
    match group.column_name {
        Some(column) => HTML.text(column, NAME),
        None => format!(
            "rows {}",
            group.kind.name().replace('_', " ").replace("duplicate key", "with duplicate keys")
        ),
    }
}
