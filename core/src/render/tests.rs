//! What the renderings look like, and what they make of values that mean harm.

use super::*;
use crate::mix::next;
use crate::patterns::ToldBy;
use crate::report::{AcceptanceSummary, Field, SideTotals, Summary, TotalsSummary, own_summary, read_fields};
use crate::spec::{Acceptance, Day};
use std::ops::ControlFlow;

const SUMMARY: &str = include_str!("../../tests/golden/summary.json");
const HEADER: &str = "id,kind,column,live,shadow,delta,relative_delta,comparator,rule,verdict,diagnosis";
const SIZES: ExcerptSizes = ExcerptSizes {
    accounts: 1_000,
    patterns: 100,
    lines_of_a_pattern: 5,
    changes_of_a_column: 5,
};

fn summary() -> Summary {
    own_summary(SUMMARY.as_bytes()).expect("the golden summary")
}

/// The fields of a line; `-` is NULL.
fn record(text: &str) -> Vec<Field> {
    text.split(',').map(|field| (field != "-").then(|| field.to_owned())).collect()
}

fn excerpt(summary: &Summary, lines: &[Vec<Field>], accounts: &[Vec<Field>]) -> Excerpt {
    let mut builder = ExcerptBuilder::new(summary, SIZES);
    builder.header(record(HEADER));
    builder.accounts_header(&record("id,rows,expected,exceptions,decision"));
    accounts.iter().for_each(|account| builder.account(account.clone()));
    for line in lines {
        assert_eq!(builder.line(line.clone()), ControlFlow::Continue(()));
    }
    builder.finish()
}

/// The tables that belong to the golden summary.
fn of_the_golden_summary() -> (Summary, Excerpt) {
    let summary = summary();
    let lines = [
        "1,changed,name,Ann,Ann ,-,-,exact,-,exception,whitespace",
        "1,changed,amount,10.00,11.00,1.00,0.1,absolute: 0.5,-,exception,-",
        "1,changed,score,11.0,12.1,1.1,0.1,exact,-,exception,-",
        "2,changed,day,2026-11-01,2026-11-03,2,-,exact,release 7,expected,-",
        "3,changed,seen,2026-11-01T00:00:00Z,2026-11-01T01:00:00Z,3600,-,exact,-,exception,time_zone(+01:00)",
        "3,changed,score,2.5,2.775,0.275,0.11,exact,-,exception,-",
        "4,missing_in_shadow,-,-,-,-,-,-,-,exception,-",
        "5,missing_in_live,-,-,-,-,-,-,-,exception,-",
    ];
    let accounts = ["1,1,0,3,hold", "2,1,1,0,hold", "3,1,0,2,hold", "4,1,0,1,hold", "5,1,0,1,hold"];
    let excerpt = excerpt(&summary, &lines.map(record), &accounts.map(record));
    (summary, excerpt)
}

/// A result in which all that a stranger may write is this text, many times.
fn hostile(text: &str, times: usize) -> (Summary, Excerpt) {
    let mut summary = summary();
    let name = |at: usize| format!("{text}{at}");
    let (column, pattern, rule) = (summary.columns[0].clone(), summary.patterns[1].clone(), summary.rules[0].clone());
    let row = summary.row_patterns.listed_alone[0].clone();
    for at in 0..times {
        let mut column = column.clone();
        (column.column, column.comparator) = (name(at), text.to_owned());
        summary.columns.push(column);
        let side = SideTotals {
            rows: 1,
            nulls: 1,
            nan: 1,
            infinite: 1,
            sum: Some(name(at)),
        };
        summary.totals.get_or_insert_default().push(TotalsSummary {
            column: name(at),
            column_type: name(at),
            live: side.clone(),
            shadow: side,
            moved: Some(format!("{}1", name(at))),
        });
        let mut pattern = pattern.clone();
        (pattern.column, pattern.diagnosis) = (Some(name(at)), Some(text.to_owned()));
        summary.patterns.push(pattern);
        let mut row = row.clone();
        (row.changes[0].column, row.changes[0].diagnosis) = (Some(name(at)), Some(text.to_owned()));
        (row.with, row.example) = (vec![name(at)], name(at));
        row.told_by = vec![ToldBy {
            column: name(at),
            values: vec![Some(name(at)), None],
            rows: 1,
            other_rows: 3,
            other_rows_with: Some(1),
        }];
        summary.accepted.push(AcceptanceSummary {
            acceptance: Acceptance {
                pattern: name(at),
                changes: row.changes.clone(),
                following: row.changes.clone(),
                by: name(at),
                reason: name(at),
                until: Day(20_000),
                max: 1,
            },
            rows: 1,
            lines: 1,
            is_over: false,
            broken: vec![name(at)],
        });
        summary.row_patterns.listed.push(row.clone());
        summary.row_patterns.listed_alone.push(row);
        let mut rule = rule.clone();
        (rule.name, rule.broken) = (name(at), vec![name(at)]);
        summary.rules.push(rule);
        summary.broken.push(name(at));
        summary.warnings.push(name(at));
        summary.schema.only_live.push(name(at));
        summary.schema.only_shadow.push(name(at));
    }
    summary.spec = serde_json::json!({ "live": text, "shadow": [text], (text): text });
    let field = |text: &str| Some(text.to_owned());
    let line = |at: usize, value: String| {
        let of = ["changed", &name(at), text, &value, "", "", text, "", "exception", text];
        let mut record = vec![field(text)];
        record.extend(of.map(field));
        record[6] = None;
        record
    };
    let lines: Vec<Vec<Field>> = (0..times)
        .flat_map(|at| [line(at, format!("{text}x")), line(at, format!("{text}x"))])
        .collect();
    let accounts: Vec<Vec<Field>> = (0..times)
        .map(|at| vec![Some(name(at)), field("1"), field("0"), field("1"), field("hold")])
        .collect();
    let excerpt = excerpt(&summary, &lines, &accounts);
    (summary, excerpt)
}

fn is_golden(name: &str, found: &str) {
    let path = format!("{}/tests/golden/{name}", env!("CARGO_MANIFEST_DIR"));
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, found).expect("the golden file can be written");
    }
    let golden = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(golden, found, "run with UPDATE_GOLDEN=1 if the change is meant");
}

#[test]
fn renderings_are_as_in_the_golden_files() {
    let (summary, excerpt) = of_the_golden_summary();
    is_golden("comment.txt", &markdown(&summary, &excerpt));
    is_golden("report.html", &html(&summary, &excerpt));
    is_golden("junit.xml", &junit(&summary));
}

#[test]
fn a_comment_is_under_60_kb_whatever_the_data() {
    for text in ["<script>alert(1)</script>", "\u{202e}|`\n", "日本語", "x"] {
        for (long, times) in [(1, 3), (1, 3_000), (2_000, 100)] {
            let (summary, excerpt) = hostile(&text.repeat(long), times);
            let found = markdown(&summary, &excerpt);
            assert!(found.len() <= MARKDOWN_BYTES && MARKDOWN_BYTES < 60_000, "{}", found.len());
            assert!(!found.contains("<script"), "{text}");
            // A row of a table begins and ends with a bar, and has no others but those between cells.
            let rows = found.lines().filter(|line| line.starts_with('|'));
            let bars = rows.map(|row| row.matches('|').count()).collect::<Vec<_>>();
            assert!(bars.iter().all(|bars| matches!(bars, 4 | 5 | 7)), "{bars:?}");
        }
    }
}

#[test]
fn a_page_is_under_2_mb_whatever_the_data() {
    for text in ["<script>alert(1)</script>", "\u{202e}\u{0}'\"&\n", "日本語"] {
        for (long, times) in [(1, 3), (1, 3_000), (2_000, 300)] {
            let (summary, excerpt) = hostile(&text.repeat(long), times);
            let found = html(&summary, &excerpt);
            assert!(found.len() <= HTML_BYTES && HTML_BYTES < 2_000_000, "{}", found.len());
            assert_eq!(found.matches("<script").count(), 1, "{text}");
            assert_eq!(
                found.matches('<').count(),
                found.matches('>').count() - style_and_script_have(),
                "{text}"
            );
            assert!(found.chars().all(|c| c == '\n' || !c.is_control()), "{text}");
        }
    }
}

/// Bars of the style's selectors and the script's comparison.
fn style_and_script_have() -> usize {
    let ours = concat!(include_str!("html/style.css"), include_str!("html/script.js"));
    ours.matches('>').count() - ours.matches('<').count()
}

#[test]
fn nothing_of_a_value_is_read_as_xml() {
    let (summary, _) = hostile("<script>&\"'\u{0}\u{1b}]]>\u{ffff}", 3);
    let found = junit(&summary);
    assert!(!found.contains("<script") && !found.contains("]]>"));
    assert!(found.contains("name=\"&lt;script&gt;&amp;&quot;&#39;\u{fffd}\u{fffd}]]&gt;\u{fffd}0\""));
    assert!(found.chars().all(|c| c == '\n' || !c.is_control()));
}

#[test]
fn what_is_broken_fails_a_test_case_even_where_no_threshold_tells_it() {
    let mut summary = summary();
    summary.thresholds.clear();
    let found = junit(&summary);
    assert!(found.contains("tests=\"4\" failures=\"3\""), "{found}");
    assert!(found.contains("name=\"max_exceptions\""));
}

#[test]
fn frequent_changes_are_counted_by_column_and_single_ones_left_out() {
    let summary = summary();
    let line = |id: u32, shadow: &str| record(&format!("{id},changed,name,a,{shadow},-,-,exact,-,exception,-"));
    let lines: Vec<Vec<Field>> = [(1, "b"), (2, "c"), (3, "c"), (4, "d"), (5, "c"), (6, "d")]
        .map(|(id, to)| line(id, to))
        .into();
    let found = excerpt(&summary, &lines, &[]);
    let changes: Vec<(&str, u64)> = found.changes["name"]
        .iter()
        .map(|c| (c.shadow.as_deref().unwrap_or_default(), c.lines))
        .collect();
    assert_eq!(changes, [("c", 3), ("d", 2)]);
    assert_eq!((found.read, found.key), (6, vec!["id".to_owned()]));
}

#[test]
fn where_all_accounts_are_listed_those_that_differ_are_shown() {
    let summary = summary();
    let mut builder = ExcerptBuilder::new(&summary, SIZES);
    builder.accounts_header(&record("id,rows,expected,exceptions,decision,live_rows,shadow_rows"));
    builder.account(record("a,0,0,0,no_difference,5,6"));
    builder.account(record("b,1,0,2,hold,7,8"));
    let found = builder.finish();
    let accounts: Vec<(Field, u64)> = found.accounts.into_iter().map(|a| (a.account[0].clone(), a.exceptions)).collect();
    assert_eq!((accounts, found.held), (vec![(Some("b".to_owned()), 2)], 1));
}

#[test]
fn of_accounts_the_worst_are_kept_and_all_that_hold_are_counted() {
    let summary = summary();
    let accounts: Vec<Vec<Field>> = (0..10_000).map(|at| record(&format!("a{at},1,0,{},hold", at % 7))).collect();
    let found = excerpt(&summary, &[], &accounts);
    assert_eq!((found.held, found.accounts.len()), (10_000, SIZES.accounts));
    let names: Vec<&str> = found.accounts.iter().filter_map(|a| a.account[0].as_deref()).take(3).collect();
    assert_eq!(names, ["a6", "a13", "a20"]);
    assert!(found.accounts.iter().all(|account| account.exceptions == 6));
}

#[test]
fn of_lines_the_same_accounts_are_kept_as_of_records() {
    let (summary, mut state) = (summary(), 5);
    let mut below = |limit: u64| next(&mut state) % limit;
    let lines: Vec<String> = (0..10_000)
        .map(|at| {
            let decision = ["hold", "flip", "no_difference"][below(3) as usize];
            format!("\"a,{at}\",{},0,{},{decision}", below(9), below(5 + at / 100))
        })
        .collect();
    let [mut of_lines, mut of_records] = [ExcerptBuilder::new(&summary, SIZES), ExcerptBuilder::new(&summary, SIZES)];
    for builder in [&mut of_lines, &mut of_records] {
        builder.accounts_header(&record("id,rows,expected,exceptions,decision"));
    }
    for line in &lines {
        of_lines.account_line(line);
        of_records.account(read_fields(line));
    }
    let found = of_lines.finish();
    assert!(found.held > 0 && found.accounts.len() == SIZES.accounts);
    assert_eq!(found, of_records.finish());
}
