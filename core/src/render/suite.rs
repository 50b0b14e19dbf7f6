//! A suite for where people work: as a page, as a comment for a pull request, as test cases for a CI. Each is made of its summary alone.

use super::bounded::listed;
use super::html::{SOFT, number_cells, page};
use super::junit::{TestSuite, document};
use super::markup::{HTML, MARKDOWN};
use super::{MARK, counted_apart, grouped};
use crate::report::Check;
use crate::spec::MemberKind;
use crate::suite_summary::{MemberCounts, MemberState, MemberSummary, SuiteSummary};
use crate::verdict::Verdict;

/// All rows together, and all sentences about what is broken; those that do not fit are counted.
const PAGE_ROWS_BYTES: usize = 1_200_000;
const PAGE_BROKEN_BYTES: usize = 300_000;
const COMMENT_ROWS_BYTES: usize = 30_000;
const COMMENT_BROKEN_BYTES: usize = 25_000;
/// Characters of a name, of a sentence.
const NAME: usize = 120;
const SENTENCE: usize = 600;
/// Columns that are named in a row of the table.
const COLUMNS: usize = 3;

/// The suite as a page.
pub fn suite_html(suite: &SuiteSummary) -> String {
    let broken = suite.broken.iter().map(|why| format!("<li>{}</li>\n", HTML.plain(why, SENTENCE)));
    let broken = listed(PAGE_BROKEN_BYTES, broken, suite.broken.len(), ["<li>", "</li>\n"]).concat();
    let tasks = in_order(suite);
    let [table, left] = listed(PAGE_ROWS_BYTES, tasks.iter().map(|of| page_row(of)), tasks.len(), SOFT);
    let title = format!("{}: {}", HTML.plain(&suite.suite, NAME), HTML.plain(&suite.headline(), SENTENCE));
    let broken = match suite.verdict {
        Verdict::Pass => "<p>Every task passes.</p>\n".to_owned(),
        Verdict::Fail => format!("<ul>\n{broken}</ul>\n"),
    };
    let skipped = match suite.skipped.as_slice() {
        [] => String::new(),
        names => format!(
            "<p class=\"soft\">Left out by the suite: {}</p>\n",
            HTML.plain(&names.join(", "), SENTENCE)
        ),
    };
    let body = format!(
        "<header>\n<div class=\"verdict {}\">\n<h1>{title}</h1>\n{broken}</div>\n</header>\n<main>\n<section>\n<h2>Tasks</h2>\n<div class=\"scroll\">\n<table>\n\
         <thead><tr><th>task</th><th>verdict</th><th class=\"n\">exceptions</th><th class=\"n\">expected</th><th class=\"n\">accounts</th>\
         <th class=\"n\">rows of live</th><th class=\"n\">of shadow</th><th>columns with exceptions</th><th>follows</th></tr></thead>\n<tbody>\n{table}</tbody>\n\
         </table>\n</div>\n{left}{skipped}</section>\n</main>\n",
        suite.verdict.name()
    );
    page(&title, &body, "")
}

fn page_row(of: &MemberSummary) -> String {
    let class = if of.state == MemberState::Pass { "good" } else { "bad" };
    let numbers = number_cells(numbers(of));
    let columns = of.columns.iter().take(COLUMNS);
    let columns: Vec<String> = columns
        .map(|column| format!("{} {}", HTML.text(&column.column, NAME), grouped(column.exceptions)))
        .collect();
    format!(
        "<tr><td>{}{}</td><td class=\"{class}\">{}</td>{numbers}<td>{}</td><td>{}</td></tr>\n",
        HTML.text(&of.name, NAME),
        kind(of),
        of.state.name(),
        columns.join(", "),
        HTML.plain(&follows(of), SENTENCE)
    )
}

/// Exceptions, expected, accounts, rows of live and of shadow; empty where nothing was compared.
fn numbers(of: &MemberSummary) -> [String; 5] {
    let number = |number: fn(&MemberCounts) -> u64| of.counts.as_ref().map_or_else(String::new, |counts| grouped(number(counts)));
    [
        number(|counts| counts.exceptions),
        number(|counts| counts.expected),
        number(|counts| counts.accounts_with_exceptions),
        number(|counts| counts.live_rows),
        number(|counts| counts.shadow_rows),
    ]
}

/// What a member follows that does not pass.
fn follows(of: &MemberSummary) -> String {
    match of.behind.as_slice() {
        [] => String::new(),
        [one] => format!("{one}, which does not pass"),
        names => format!("{}, which do not pass", names.join(", ")),
    }
}

/// What is said behind a name where it is not that of a task.
fn kind(of: &MemberSummary) -> &'static str {
    match of.kind {
        MemberKind::Task => "",
        MemberKind::SameInputs => " (same inputs)",
    }
}

/// What does not pass first, and of that what follows nothing that does not pass: there one begins.
fn in_order(suite: &SuiteSummary) -> Vec<&MemberSummary> {
    let mut tasks: Vec<&MemberSummary> = suite.tasks.iter().collect();
    tasks.sort_by_key(|of| (of.state == MemberState::Pass, !of.behind.is_empty()));
    tasks
}

/// The suite as a comment for a pull request, in less than 60 KB.
pub fn suite_markdown(suite: &SuiteSummary) -> String {
    let broken = suite.broken.iter().map(|why| format!("- {}\n", MARKDOWN.text(why, SENTENCE)));
    let broken = listed(COMMENT_BROKEN_BYTES, broken, suite.broken.len(), ["- ", "\n"]).concat();
    let row = |of: &&MemberSummary| {
        let state = of.state.name();
        let state = if of.state == MemberState::Pass {
            state.to_owned()
        } else {
            format!("**{state}**")
        };
        let [exceptions, expected, accounts, ..] = numbers(of);
        let columns = of.columns.iter().take(COLUMNS);
        let columns: Vec<String> = columns.map(|column| MARKDOWN.text(&column.column, NAME)).collect();
        format!(
            "| {}{} | {state} | {exceptions} | {expected} | {accounts} | {} | {} |\n",
            MARKDOWN.text(&of.name, NAME),
            kind(of),
            columns.join(", "),
            MARKDOWN.plain(&follows(of), NAME)
        )
    };
    let tasks = in_order(suite);
    let table = listed(COMMENT_ROWS_BYTES, tasks.iter().map(row), tasks.len(), ["\n", "\n"]).concat();
    format!(
        "<!-- {MARK} -->\n## shadowdiff {}: {}\n\n{broken}\n| task | verdict | exceptions | expected | accounts | columns with exceptions | follows |\n\
         |---|---|--:|--:|--:|---|---|\n{table}",
        MARKDOWN.text(&suite.suite, NAME),
        suite.headline()
    )
}

/// The suite as test cases: a test suite for each member, with a case for each threshold, rule and acceptance.
pub fn suite_junit(suite: &SuiteSummary) -> String {
    let one_sided = |of: &MemberSummary| match of.state {
        MemberState::OnlyInLive | MemberState::OnlyInShadow => vec![Check {
            field: "suite".to_owned(),
            name: "is on both sides".to_owned(),
            broken: of.broken.clone(),
        }],
        MemberState::Pass | MemberState::Fail | MemberState::Error => of.checks.clone(),
    };
    let told = |of: &MemberSummary| {
        let counts = of.counts.as_ref();
        let counts = counts.map_or_else(String::new, |counts| format!(": {}", counted_apart(counts.exceptions, "exception")));
        let follows = match follows(of) {
            none if none.is_empty() => none,
            behind => format!("; follows {behind}"),
        };
        format!("{}{counts}{follows}\n", of.state.name())
    };
    let members: Vec<_> = suite
        .tasks
        .iter()
        .map(|of| (of, one_sided(of), of.broken.join("\n"), told(of)))
        .collect();
    let suites: Vec<TestSuite<'_>> = members
        .iter()
        .map(|(of, checks, broken, told)| TestSuite {
            name: &of.name,
            as_of: &suite.as_of,
            checks,
            error: (of.state == MemberState::Error).then_some(broken.as_str()),
            found: told,
        })
        .collect();
    document(&suites)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;
    use crate::report::own_summary;
    use crate::side::Sides;
    use crate::suite_summary::MemberColumn;

    fn suite(harm: &str, tasks: usize) -> SuiteSummary {
        let result = own_summary(include_bytes!("../../tests/golden/summary.json")).expect("the golden summary");
        let member = |at: usize| {
            let mut of = MemberSummary::compared(&format!("{harm}{at}"), MemberKind::Task, &[format!("{harm}0")], &result);
            of.columns = vec![
                MemberColumn {
                    column: harm.to_owned(),
                    exceptions: u64::MAX
                };
                10
            ];
            of.broken = vec![harm.to_owned()];
            of
        };
        let mut members: Vec<MemberSummary> = (0..tasks).map(member).collect();
        members.push(MemberSummary::failed(harm, MemberKind::SameInputs, &[], &Error::input(harm)));
        SuiteSummary::new(
            harm,
            harm,
            members,
            &Sides::new(vec![harm.to_owned()], Vec::new()),
            vec![harm.to_owned()],
        )
    }

    #[test]
    fn no_text_of_others_is_markup_and_all_stays_small() {
        let harm = "<script>alert(1)</script>\"'&|`@everyone\u{1b}[31m".repeat(9);
        let many = suite(&harm, 2_000);
        let (page, comment, cases) = (suite_html(&many), suite_markdown(&many), suite_junit(&many));
        assert!(page.len() < 2_000_000 && comment.len() < 60_000, "{} {}", page.len(), comment.len());
        for text in [&page, &comment, &cases] {
            assert!(!text.contains("<script>alert") && !text.contains('\u{1b}'), "a text became markup");
        }
        assert!(page.contains("more</p>") && page.ends_with("</html>\n"));
        assert_eq!(cases.matches("<testsuite ").count(), 2_002);
        assert_eq!(cases.matches("<error ").count(), 1);
    }

    #[test]
    fn where_to_begin_stands_first() {
        let few = suite("t", 3);
        let names: Vec<&str> = in_order(&few).iter().map(|of| of.name.as_str()).collect();
        assert_eq!(names[..2], ["t", "t"], "what follows nothing that fails: {names:?}");
        let page = suite_html(&few);
        assert!(page.contains("t0, which does not pass"), "{page}");
    }
}
