//! A history of runs as a page: how the exceptions burn down.

use super::bounded::Bounded;
use super::html::page;
use super::markup::HTML;
use super::{counted_apart, grouped};
use crate::run_history::{HistoryRow, RunHistory};
use crate::verdict::Verdict;

/// All rows together; those that do not fit are counted.
const ROWS_BYTES: usize = 1_500_000;
/// Characters of a name.
const NAME: usize = 120;

/// The runs as a table, the latest first, each with a bar.
pub fn history_html(history: &RunHistory) -> String {
    let most = history.runs.iter().map(|run| run.exceptions).max().unwrap_or(0);
    let rows: Vec<(&HistoryRow, Option<i128>)> = history.changes().collect();
    let mut table = Bounded::new(ROWS_BYTES);
    let shown = table.add_all(rows.into_iter().rev().map(|(run, change)| row(run, change, most)));
    let left_out = history.left_out + history.runs.len() - shown;
    let earlier = match left_out {
        0 => String::new(),
        left_out => format!(
            "<p class=\"soft\">{} before these are not shown.</p>\n",
            counted_apart(left_out as u64, "run")
        ),
    };
    let unread: String = history
        .unread
        .iter()
        .map(|text| format!("<li>{}</li>\n", HTML.plain(text, 4 * NAME)))
        .collect();
    let unread = match history.unread_count {
        0 => String::new(),
        count => format!("<h2>Not read: {}</h2>\n<ul>\n{unread}</ul>\n", grouped(count as u64)),
    };
    let title = format!("History of {}", HTML.plain(&history.place, NAME));
    let body = format!(
        "<header>\n<h1>{title}</h1>\n</header>\n<main>\n<section>\n<div class=\"scroll\">\n<table>\n<thead><tr><th>run</th><th>verdict</th>\
         <th class=\"n\">exceptions</th><th class=\"n\">change</th><th>burn-down</th><th class=\"n\">accounts with exceptions</th>\
         <th class=\"n\">columns</th><th class=\"n\">expected</th><th>as of</th></tr></thead>\n<tbody>\n{}</tbody>\n</table>\n</div>\n{earlier}{unread}\
         </section>\n</main>\n",
        table.into_text()
    );
    page(&title, &body, "")
}

fn row(run: &HistoryRow, change: Option<i128>, most: u64) -> String {
    let class = match run.verdict {
        Verdict::Pass => "good",
        Verdict::Fail => "bad",
    };
    // In hundredths of a percent, so that no float decides a byte.
    let width = u128::from(run.exceptions) * 10_000 / u128::from(most.max(1));
    format!(
        "<tr><td>{}</td><td class=\"{class}\">{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td>\
         <td><div class=\"track\"><i class=\"s0\" style=\"width:{}.{:02}%\"></i></div></td><td class=\"n\">{}</td><td class=\"n\">{}</td>\
         <td class=\"n\">{}</td><td>{}</td></tr>\n",
        HTML.text(&run.name, NAME),
        run.verdict.name(),
        grouped(run.exceptions),
        change.map_or_else(String::new, change_text),
        width / 100,
        width % 100,
        grouped(run.accounts_with_exceptions),
        grouped(run.columns_with_exceptions as u64),
        grouped(run.expected),
        HTML.plain(&run.as_of, NAME),
    )
}

/// `+12`, `-3`, `0`.
pub fn change_text(change: i128) -> String {
    let sign = match change {
        0 => "",
        1.. => "+",
        _ => "-",
    };
    format!("{sign}{}", grouped(u64::try_from(change.unsigned_abs()).unwrap_or(u64::MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn history(name: &str, runs: u64) -> RunHistory {
        let mut history = RunHistory::new(name.to_owned(), 0);
        let run = |at: u64| HistoryRow {
            name: format!("{name}{at}"),
            verdict: if at.is_multiple_of(2) { Verdict::Fail } else { Verdict::Pass },
            as_of: name.to_owned(),
            exceptions: at,
            expected: u64::MAX,
            accounts_with_exceptions: u64::MAX,
            columns_with_exceptions: usize::MAX,
        };
        history.runs.extend((0..runs).map(run));
        (history.unread, history.unread_count) = (vec![name.to_owned(); 20], 20);
        history
    }

    #[test]
    fn no_name_is_markup_and_the_page_stays_small() {
        let harm = "<script>alert(1)</script>\"'&".repeat(9);
        let page = history_html(&history(&harm, 3_000));
        assert!(page.len() < 2_000_000, "{}", page.len());
        assert!(!page.contains("<script>alert"), "a name became markup");
        assert!(page.contains("are not shown") && page.ends_with("</html>\n"));
        let small = history_html(&history("r", 3));
        assert!(small.contains("width:100.00%") && small.contains("width:50.00%") && small.contains(">+1<"));
    }
}
