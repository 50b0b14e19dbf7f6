//! How long the renderings of a result become: no longer than their limits, whatever was found.
//!
//! Ten million differences take minutes to be judged one by one. What is judged adds up: so some thousand rows are merged and judged as all
//! are, and what comes of them is added to itself until it is ten million. A page shows a bounded number of lines, patterns, columns and accounts,
//! each cut to a bounded length, so it grows with the number of *different* ones until its lists are full, which these rows reach.

use super::{merged, plan_of, write_cell};
use crate::merge::BATCH_BYTES;
use crate::tables::Table;
use shadowdiff_common::run::RunWriter;
use shadowdiff_common::spool::{Scratch, Spool};
use shadowdiff_core::align::SideColumn;
use shadowdiff_core::plan::{Plan, WarningOrigin};
use shadowdiff_core::render::{ExcerptBuilder, ExcerptSizes, HTML_BYTES, MARKDOWN_BYTES, html, markdown};
use shadowdiff_core::report::{Facts, FileMarks, Merged, ResultFile, Summary, Timings, summary};
use shadowdiff_core::side::{Side, Sides};
use shadowdiff_core::tally::Tally;
use shadowdiff_core::value::{Value, ValueType};
use std::collections::BTreeMap;

/// Columns beside the key; every third is of doubles, the others of text.
const COLUMNS: usize = 400;
const ROWS: usize = 5_000;
const RULES: usize = 60;
/// How often what was found is added to itself.
const DOUBLINGS: u32 = 10;
const DIFFERENCES: u64 = 10_000_000;
/// In all that somebody else may write.
const SCRIPT: &str = "<script>alert('\u{202e}`|&\"')</script>";
const DIAGNOSES: [Option<&str>; 6] = [
    None,
    Some("whitespace"),
    Some("truncated"),
    Some("scale(100)"),
    Some("rounding(2)"),
    Some("case"),
];
/// As much as a page and a comment take.
const SIZES: ExcerptSizes = ExcerptSizes {
    accounts: 2_000,
    patterns: 1_000,
    lines_of_a_pattern: 3,
    changes_of_a_column: 5,
};

fn column_name(at: usize) -> String {
    format!("{SCRIPT}{at:03}")
}

fn is_double(column: usize) -> bool {
    column.is_multiple_of(3)
}

fn plan() -> Plan {
    let rules = (0..RULES).map(
        |at| serde_json::json!({"name": format!("{SCRIPT} {at}"), "columns": [column_name(3 * at)], "within": {"absolute": 5}, "max": 1}),
    );
    let document = serde_json::json!({
        "live": "a/", "shadow": "b/", "account": "id", "expected": rules.collect::<Vec<_>>(), "output": {"to": "o", "totals": true},
    });
    let of_type = |name: String, value_type: ValueType| SideColumn { name, value_type };
    let columns = |side: Side| {
        let both = (0..COLUMNS).map(|at| of_type(column_name(at), if is_double(at) { ValueType::DOUBLE } else { ValueType::Text }));
        let alone = (0..COLUMNS).map(|at| of_type(format!("{side}{SCRIPT}{at}"), ValueType::Text));
        let key = std::iter::once(of_type("id".to_owned(), ValueType::Text));
        key.chain(both).chain(alone).collect::<Vec<_>>()
    };
    Plan {
        warnings: WarningOrigin::Data.of((0..1_000).map(|at| SCRIPT.repeat(at % 70))).collect(),
        ..plan_of(&document.to_string(), Sides::from_fn(columns))
    }
}

/// The columns in which a row differs: another set for nearly each row.
fn changed(row: usize) -> Vec<usize> {
    let mut columns: Vec<usize> = (0..1 + row % 4)
        .map(|at| (row * 31 + at * at * 7 + row / COLUMNS) % COLUMNS)
        .collect();
    columns.sort_unstable();
    columns.dedup();
    columns
}

/// The differences of all rows in their order, an account each, and how many cells differ by column.
fn run(scratch: &Scratch) -> (Spool, BTreeMap<usize, u64>) {
    let (mut writer, mut cells) = (RunWriter::new(scratch, 1 << 16), BTreeMap::new());
    for row in 0..ROWS {
        let account = format!("{row:06}{}", SCRIPT.repeat(row % 40));
        for column in changed(row) {
            let [live, shadow] = ["x", "y"].map(|end| format!("{}{end}{}", SCRIPT.repeat(row % 30), row % 7));
            let values = match is_double(column) {
                true => [Value::Float64(row as f64 / 3.0), Value::Float64(row as f64 * -1e7)],
                false => [Value::Text(&live), Value::Text(&shadow)],
            };
            let diagnosis = DIAGNOSES[(row + column) % DIAGNOSES.len()];
            // The key is the first of the aligned columns.
            write_cell(&mut writer, &[Value::Text(&account)], column + 1, values, diagnosis);
            *cells.entry(column + 1).or_default() += 1;
        }
    }
    (writer.finish().expect("a run"), cells)
}

/// All that was found, added to itself until it is ten million.
fn multiplied(tally: &mut Tally, merged: &mut Merged) {
    for _ in 0..DOUBLINGS {
        tally.merge(&tally.clone());
        merged.differences.merge(merged.differences.clone());
        merged.rows.append(merged.rows.clone());
        merged.differing_accounts *= 2;
        merged.accounts_with_exceptions *= 2;
    }
    merged.listed = tally.differences();
}

fn told(plan: &Plan, tally: &Tally, merged: &Merged) -> Summary {
    let facts = Facts {
        tally,
        merged,
        document: serde_json::json!({"live": vec![SCRIPT.repeat(30); 500]}),
        files: FileMarks::new(),
        timings: Timings::default(),
    };
    summary(plan, facts)
}

#[test]
fn ten_million_differences_fit_a_page_and_a_comment() {
    let (plan, scratch) = (plan(), Scratch::new(1 << 28, None).expect("scratch"));
    let (run, cells) = run(&scratch);
    let mut tally = Tally {
        cells,
        changed: ROWS as u64,
        ..Tally::default()
    };
    for column in plan.aligned.values() {
        tally.totals.entry(column).or_default().live.rows = 1;
        tally.tolerance_use.entry(column).or_default().add(3);
    }
    let (mut merged, diff, accounts) = merged(&plan, &tally, &[run], 2, BATCH_BYTES).expect("they are merged");
    multiplied(&mut tally, &mut merged);
    assert!(tally.differences() >= DIFFERENCES && merged.differences.deltas.values().all(|deltas| deltas.count() > 0));
    let summary = told(&plan, &tally, &merged);
    assert_eq!(summary.differences.exceptions + summary.differences.expected, tally.differences());
    let mut builder = ExcerptBuilder::new(&summary, SIZES);
    let mut accounts = Table::new(accounts.as_slice(), ResultFile::Accounts);
    builder.accounts_header(&accounts.next_record().expect("a table").expect("a header"));
    while let Some(account) = accounts.next_record().expect("a table") {
        builder.account(account);
    }
    let mut lines = Table::new(diff.as_slice(), ResultFile::Diff);
    builder.header(lines.next_record().expect("a table").expect("a header"));
    let mut read = 0;
    while let Some(line) = lines.next_record().expect("a table") {
        read += 1;
        if builder.line(line).is_break() {
            break;
        }
    }
    let excerpt = builder.finish();
    let (page, comment) = (html(&summary, &excerpt), markdown(&summary, &excerpt));
    assert!(page.len() <= HTML_BYTES && HTML_BYTES < 2_000_000, "{}", page.len());
    assert!(comment.len() <= MARKDOWN_BYTES && MARKDOWN_BYTES < 60_000, "{}", comment.len());
    assert_eq!((page.matches("<script").count(), comment.matches("<script").count()), (1, 0));
    // The lists are full: more of anything would be left out.
    assert!(page.matches("… and ").count() >= 6 && page.len() > HTML_BYTES / 2, "{}", page.len());
    assert!(
        read > 5_000 && summary.patterns.len() > SIZES.patterns,
        "{read} lines, {} patterns",
        summary.patterns.len()
    );
}
