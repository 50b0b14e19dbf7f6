//! Suggestions as a person reads them: the YAML as it is pasted, never broken, and below it what it would do.

use super::layout::wrapped;
use super::{Paint, heading};
use shadowdiff_coordinator::{Suggestion, Suggestions};
use shadowdiff_core::render::{counted_apart, described, grouped};
use shadowdiff_core::report::PatternSummary;
use shadowdiff_core::suggest::{Sizes, Window};
use std::fmt::Write;

pub(crate) fn suggestions(of: &Suggestions, paint: Paint) -> String {
    let exceptions = |count| counted_apart(count, "exception");
    let mut out = format!(
        "{}: {} as it is",
        paint.verdict(of.as_it_is.verdict),
        exceptions(of.as_it_is.exceptions)
    );
    if let Some(together) = &of.together {
        let all = counted_apart(of.suggestions.len() as u64, "suggestion");
        let _ = write!(
            out,
            "; {all} would leave {}, {}",
            grouped(together.exceptions),
            paint.verdict(together.verdict).to_lowercase()
        );
    }
    out.push('\n');
    for suggestion in &of.suggestions {
        heading(
            &mut out,
            &title(&suggestion.patterns, &suggestion.sizes, suggestion.exceptions),
            paint,
        );
        one(&mut out, suggestion);
    }
    if of.suggestions.is_empty() {
        out.push_str("\nNothing to suggest.\n");
    }
    if !of.left_out.is_empty() {
        heading(&mut out, "Nothing is suggested for", paint);
        for one in &of.left_out {
            out += &wrapped("  ", &format!("{}; {}", title(&one.patterns, &one.sizes, one.exceptions), one.why));
        }
    }
    out + &notes(of)
}

fn title(patterns: &[PatternSummary], sizes: &Sizes, exceptions: u64) -> String {
    let all: Vec<String> = patterns.iter().map(described).collect();
    let size = match &sizes.within {
        Some(window) => format!(", by {}", size(window)),
        None if sizes.are_all() => String::new(),
        None => ", by other sizes".to_owned(),
    };
    format!(
        "{}{size}: {}",
        super::visible(&all.join(" or ")),
        counted_apart(exceptions, "exception")
    )
}

fn size(of: &Window) -> String {
    let shown = |size: f64| {
        let size = if of.is_relative { size * 100.0 } else { size };
        let digits: f64 = format!("{size:.3e}").parse().unwrap_or(size);
        let unit = if of.is_relative { " %" } else { "" };
        format!("{digits}{unit}")
    };
    let (least, most) = (shown(of.least), shown(of.most));
    if least == most { least } else { format!("{least} to {most}") }
}

fn one(out: &mut String, of: &Suggestion) {
    let _ = write!(out, "{}:\n{}", of.list, of.yaml);
    let (lines, accounts) = (counted_apart(of.covers.lines, "line"), counted_apart(of.covers.accounts, "account"));
    let left = format!(
        "{} left, {}",
        counted_apart(of.judged.exceptions, "exception"),
        of.judged.verdict.name()
    );
    let more = match of.covers.rows_with_more {
        0 => String::new(),
        rows => format!("; {} with other exceptions besides", counted_apart(rows, "row")),
    };
    *out += &wrapped("  covers   ", &format!("{lines} in {accounts}{more}; {left}"));
    if let Some(accounts) = &of.accounts {
        let others = accounts.of_others.map_or("no other row differs".to_owned(), |share| {
            format!("{} of the other rows that differ", percent(share))
        });
        *out += &wrapped(
            "  told by  ",
            &format!("{}: {} of its rows, {others}", accounts.sql, percent(accounts.of_rows)),
        );
    }
    let held = &of.held_out;
    let share = |share: Option<f64>| share.map_or("not known".to_owned(), percent);
    let (precision, recall) = (share(held.precision), share(held.recall));
    let of_what = counted_apart(held.exceptions, "exception");
    let accounts = counted_apart(held.accounts, "account");
    *out += &wrapped(
        "  held out ",
        &format!("{of_what} in {accounts}: precision {precision}, recall {recall}"),
    );
    for warning in &of.warnings {
        *out += &wrapped("  beware   ", warning);
    }
}

fn percent(share: f64) -> String {
    // What is not all is never said to be all.
    let percent = (share * 1000.0).floor() / 10.0;
    format!("{percent} %")
}

fn notes(of: &Suggestions) -> String {
    let attributes = match of.attributes.as_slice() {
        [] => "no columns: name some in `output: {attributes: …}`".to_owned(),
        names => names.join(", "),
    };
    let mut out = "\n".to_owned();
    out += &wrapped("Note: ", &format!("accounts are told apart by {attributes}"));
    out += &wrapped(
        "Note: ",
        "precision is measured over exceptions alone: rows that do not differ are counted in a result, not kept. Nothing was applied",
    );
    if of.like_noise > 0 {
        let like = counted_apart(of.like_noise, "exception");
        let text = format!(
            "{like} are like what live differs from itself by, and not more often: nothing is drafted for them, `verdict: {{noise: subtract}}` takes them out"
        );
        out += &wrapped("Note: ", &text);
    }
    if of.of_a_part {
        out += &wrapped(
            "Note: ",
            "there are very many: only a part of the accounts was learned from; what is covered is counted in all",
        );
    }
    out
}
