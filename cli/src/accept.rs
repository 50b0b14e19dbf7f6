//! `accept`: adds a pattern of a finished result to a file of acceptances, with who accepts it, why, until when and how much of it.

use crate::note;
use crate::process::{block_on, working_directory};
use crate::render::{visible, wrapped};
use crate::say;
use clap::Args;
use shadowdiff_common::store::Stores;
use shadowdiff_coordinator::fetch_result;
use shadowdiff_core::acceptance::acceptable;
use shadowdiff_core::error::{Error, Result};
use shadowdiff_core::patterns::RowPatternSummary;
use shadowdiff_core::render::{counted_apart, described_acceptance};
use shadowdiff_core::report::{AcceptanceSummary, Summary};
use shadowdiff_core::spec::{Acceptance, Day, parse_acceptances};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// What a new file begins with.
const HEAD: &str = "# Differences that are accepted for a time, though no rule expects them. A spec names this file: `accepted: FILE`.\n\
                    # `shadowdiff accept` adds to it. To end an acceptance, take its entry out.\n";

#[derive(Debug, Args)]
pub(crate) struct AcceptArgs {
    /// The directory or URL that a comparison wrote
    result: PathBuf,
    /// What is accepted: the fingerprint of a pattern, as reports show it
    #[arg(long, value_name = "FINGERPRINT")]
    pattern: String,
    /// Who accepts it
    #[arg(long, value_name = "NAME")]
    by: String,
    /// Why
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// The last day on which it is accepted, such as 2026-12-31
    #[arg(long, value_name = "DAY", value_parser = day)]
    until: Day,
    /// How many lines are accepted at most; with more of them none is
    #[arg(long, value_name = "LINES")]
    max: u64,
    /// The file of acceptances, which the spec names as `accepted`
    #[arg(long, value_name = "FILE", default_value = "accepted.yaml")]
    file: PathBuf,
    /// Take the place of an older acceptance of the same pattern
    #[arg(long)]
    replace: bool,
}

fn day(text: &str) -> Result<Day, String> {
    Day::parse(text).ok_or_else(|| format!("`{text}` is not a day of the calendar; write one such as 2026-12-31"))
}

pub(crate) fn run(args: &AcceptArgs) -> Result<ExitCode> {
    let place = args.result.to_string_lossy();
    let summary = block_on(fetch_result(&place, &working_directory()?, &Stores::new(), &[]))?.summary;
    let pattern = acceptable(&summary.row_patterns, &args.pattern).map_err(|e| e.field("--pattern"))?;
    check(args, pattern, &summary)?;
    let acceptance = Acceptance {
        pattern: pattern.fingerprint.clone(),
        changes: pattern.changes.clone(),
        following: pattern.following.clone(),
        by: args.by.clone(),
        reason: args.reason.clone(),
        until: args.until,
        max: args.max,
    };
    let in_force = |of: &AcceptanceSummary| of.acceptance.pattern == acceptance.pattern && !of.is_over && of.broken.is_empty();
    let is_in_force = summary.accepted.iter().any(in_force);
    let text = added(&read(&args.file)?, &acceptance, is_in_force, args)?;
    write(&args.file, &text)?;
    if summary.spec.get("accepted").is_none() {
        let advice = format!("add `accepted: {}` to it, as seen from its folder", args.file.display());
        note(&format!(
            "shadowdiff: the spec of this result names no file of acceptances: {advice}"
        ));
    }
    say(&shown(&acceptance, pattern, &args.file))
}

/// What would accept nothing from the start is a mistake.
fn check(args: &AcceptArgs, pattern: &RowPatternSummary, summary: &Summary) -> Result<()> {
    let mut mistakes = Vec::new();
    if args.max < pattern.exceptions {
        let lines = counted_apart(pattern.exceptions, "line");
        mistakes.push(
            Error::spec(format!(
                "the pattern has {lines}: with a max of {} none of it is accepted",
                args.max
            ))
            .field("--max"),
        );
    }
    if Day::parse(&summary.as_of).is_some_and(|as_of| args.until < as_of) {
        mistakes.push(Error::spec(format!("{} is over: the result is as of {}", args.until, summary.as_of)).field("--until"));
    }
    for (flag, text) in [("--by", &args.by), ("--reason", &args.reason)] {
        if text.trim().is_empty() {
            mistakes.push(Error::spec("is empty").field(flag));
        }
    }
    Error::all(mistakes)
}

fn read(file: &Path) -> Result<String> {
    match std::fs::read_to_string(file) {
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(HEAD.to_owned()),
        Err(e) => Err(Error::input(e.to_string()).file(file.display())),
        Ok(text) => Ok(text),
    }
}

/// The text of the file with the acceptance behind all others. All else that people have written stays.
fn added(text: &str, acceptance: &Acceptance, is_in_force: bool, args: &AcceptArgs) -> Result<String> {
    let name = args.file.display().to_string();
    let by_hand = || {
        Error::input("is not laid out as this command writes it")
            .file(&name)
            .advice("edit it by hand")
    };
    let mut all = parse_acceptances(text, &name)?;
    let is_same = |other: &Acceptance| other.pattern == acceptance.pattern;
    let mut text = text.to_owned();
    // What a result shows beside an acceptance that it was made with is out of that one's bounds: it is accepted besides.
    if all.iter().any(is_same) && !is_in_force {
        if !args.replace {
            return Err(Error::input(format!("accepts `{}` already", acceptance.pattern))
                .file(&name)
                .advice("`--replace` puts this in its place"));
        }
        text = without(&text, &all, is_same).ok_or_else(by_hand)?;
        all.retain(|other| !is_same(other));
    }
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    text += &acceptance.entry();
    all.push(acceptance.clone());
    if parse_acceptances(&text, &name)? == all {
        Ok(text)
    } else {
        Err(by_hand())
    }
}

/// The lines of the file but for the entries that are taken out; comments behind those stay. `None`: entries do not begin with `- `.
fn without(text: &str, all: &[Acceptance], is_out: impl Fn(&Acceptance) -> bool) -> Option<String> {
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let starts: Vec<usize> = (0..lines.len()).filter(|at| lines[*at].starts_with("- ")).collect();
    if starts.len() != all.len() {
        return None;
    }
    let is_entry = |line: &&str| !line.trim().is_empty() && !line.starts_with('#');
    let mut kept = lines[..*starts.first()?].concat();
    for (at, acceptance) in all.iter().enumerate() {
        let end = starts.get(at + 1).copied().unwrap_or(lines.len());
        let of_entry = &lines[starts[at]..end];
        let behind = of_entry.iter().rposition(is_entry).map_or(0, |last| last + 1);
        kept += &of_entry[if is_out(acceptance) { behind } else { 0 }..].concat();
    }
    Some(kept)
}

/// Whole or not at all: a job may read it at any time.
fn write(file: &Path, text: &str) -> Result<()> {
    let failed = |e: std::io::Error| Error::exhausted(e.to_string()).file(file.display());
    let aside = file.with_added_extension(format!("{}.tmp", std::process::id()));
    let written = std::fs::write(&aside, text).and_then(|()| std::fs::rename(&aside, file));
    written.map_err(|e| {
        let _ = std::fs::remove_file(&aside);
        failed(e)
    })
}

/// What is accepted now, and what it may cover that nobody has looked at.
fn shown(acceptance: &Acceptance, pattern: &RowPatternSummary, file: &Path) -> String {
    let [rows, lines] = [(pattern.rows, "row"), (pattern.exceptions, "line")].map(|(count, noun)| counted_apart(count, noun));
    let bounds = format!("{rows} with {lines} now, up to {} lines until {}", acceptance.max, acceptance.until);
    let mut out = wrapped("Accepted: ", &visible(&format!("{} ({bounds})", described_acceptance(acceptance))));
    for change in acceptance.changes.iter().chain(&acceptance.following) {
        let is_open = change.diagnosis.is_none() && change.direction.is_none();
        let what = match &change.column {
            Some(column) if is_open => format!("any other value of `{column}` in such rows"),
            None if change.diagnosis.is_none() => format!("any row that is {}", change.kind.name().replace('_', " ")),
            Some(_) | None => continue,
        };
        out += &wrapped(
            "  covers ",
            &visible(&format!("{what}, of whatever account, up to that many lines")),
        );
    }
    format!("{out}{}\n", file.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_taken_out_goes() {
        let entry = |pattern: &str| {
            format!(
                "- pattern: {pattern}\n  changes: [{{kind: changed, column: v}}]\n  by: a\n  reason: b\n  until: 2026-01-01\n  max: 1\n"
            )
        };
        let text = format!("# head\n{}# of b\n\n{}  # within\n# end\n{}", entry("a"), entry("b"), entry("c"));
        let all = parse_acceptances(&text, "a.yaml").expect("three entries");
        let kept = without(&text, &all, |of| of.pattern == "b").expect("it is laid out as ours");
        assert_eq!(kept, format!("# head\n{}# of b\n\n# end\n{}", entry("a"), entry("c")));
        let flow = "[{pattern: a, changes: [{kind: changed, column: v}], by: a, reason: b, until: 2026-01-01, max: 1}]\n";
        let all = parse_acceptances(flow, "a.yaml").expect("one entry");
        assert_eq!(without(flow, &all, |_| true), None);
    }
}
