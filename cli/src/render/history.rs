//! A history of runs as a table for a terminal of 80 columns, the latest at its end.

use super::layout::{padded, shortened, wrapped};
use super::{Paint, heading};
use shadowdiff_core::render::{change_text, counted_apart, grouped};
use shadowdiff_core::run_history::RunHistory;
use shadowdiff_core::verdict::Verdict;
use std::fmt::Write;

/// Names are shortened to this.
const NAME_COLUMNS: usize = 32;
/// The latest runs that are shown; `--json` and `--html` have more.
const SHOWN_RUNS: usize = 40;

pub(crate) fn history_text(history: &RunHistory, paint: Paint) -> String {
    let mut out = String::new();
    heading(
        &mut out,
        &format!(
            "{}{:>9}{:>12}{:>12}{:>13}",
            padded("  Run", 2 + NAME_COLUMNS),
            "verdict",
            "exceptions",
            "change",
            "accounts"
        ),
        paint,
    );
    let earlier = history.runs.len().saturating_sub(SHOWN_RUNS);
    for (run, change) in history.changes().skip(earlier) {
        let verdict = paint.either(run.verdict == Verdict::Pass, &format!("{:>9}", run.verdict.name()));
        let _ = writeln!(
            out,
            "  {}{verdict}{:>12}{:>12}{:>13}",
            padded(&shortened(&run.name, NAME_COLUMNS), NAME_COLUMNS),
            grouped(run.exceptions),
            change.map_or_else(String::new, change_text),
            grouped(run.accounts_with_exceptions)
        );
    }
    let earlier = earlier + history.left_out;
    if earlier > 0 {
        let _ = writeln!(out, "  {} before these", counted_apart(earlier as u64, "run"));
    }
    for text in &history.unread {
        out += &wrapped("Not read: ", text);
    }
    let more = history.unread_count - history.unread.len();
    if more > 0 {
        let _ = writeln!(out, "… and {} more", grouped(more as u64));
    }
    out.split_off(1)
}
