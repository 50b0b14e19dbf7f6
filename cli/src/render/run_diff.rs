//! What has changed from run to run, as a person reads it: the accounts that need work first.

use super::layout::{COLUMNS, padded, shortened, width, wrapped, wrapped_as};
use super::{Paint, SENTENCE_COLUMNS, SHOWN, SHOWN_COLUMNS, files, heading, more};
use shadowdiff_core::render::{counted_apart, grouped};
use shadowdiff_core::run_diff::{AccountChange, ChangedAccount, ChangedAccounts, CountChange, RunDiff, ThresholdState};
use std::fmt::Write;

/// Names of columns and rules are shortened to this.
const NAME_COLUMNS: usize = 36;

pub(crate) fn run_diff(diff: &RunDiff, paint: Paint) -> String {
    let mut out = head(diff, paint);
    accounts(&mut out, diff, paint);
    patterns(&mut out, diff, paint);
    thresholds(&mut out, diff, paint);
    counts(&mut out, "Rows", &diff.kinds, paint);
    counts(&mut out, "Exceptions by column", &diff.columns, paint);
    counts(&mut out, "Lines by rule", &diff.rules, paint);
    let _ = writeln!(out, "\nBefore: {}\nAfter:  {}", diff.before.place, diff.after.place);
    out
}

fn head(diff: &RunDiff, paint: Paint) -> String {
    let (before, after) = (&diff.before, &diff.after);
    let mut out = format!(
        "{} -> {}: {} -> {}\n",
        paint.verdict(before.verdict),
        paint.verdict(after.verdict),
        grouped(before.exceptions),
        counted_apart(after.exceptions, "exception")
    );
    if !diff.compared_differently.is_empty() {
        let fields = diff.compared_differently.join(", ");
        out += &wrapped(
            "Note: ",
            &format!("the specs compare the data in different ways ({fields}): counts may differ for that alone"),
        );
    }
    out
}

fn accounts(out: &mut String, diff: &RunDiff, paint: Paint) {
    let all = diff.accounts.iter().filter(|(_, of)| of.accounts > 0);
    let all: Vec<(&AccountChange, &ChangedAccounts)> = all.collect();
    if all.is_empty() {
        return heading(out, "Accounts: neither run holds any", paint);
    }
    heading(out, "Accounts that a run holds", paint);
    for (change, of) in all {
        let name = if change.is_worse() {
            paint.bad(change.name())
        } else {
            change.name().to_owned()
        };
        let line = |name: &str| format!("{:>12} {name}: ", grouped(of.accounts));
        *out += &wrapped_as(&line(change.name()), &line(&name), meaning(*change, diff));
        // What stays as it was needs no example.
        let shown = if *change == AccountChange::Persisting {
            &[][..]
        } else {
            of.worst.as_slice()
        };
        shown.iter().for_each(|account| example(out, account));
        if !shown.is_empty() && of.accounts > shown.len() as u64 {
            let _ = writeln!(out, "{:13}  … and {} more", "", grouped(of.accounts - shown.len() as u64));
        }
    }
}

fn example(out: &mut String, account: &ChangedAccount) {
    let exceptions = match (account.before, account.after) {
        (Some(before), Some(after)) => format!("{} -> {}", grouped(before), counted_apart(after, "exception")),
        (before, after) => counted_apart(after.or(before).unwrap_or(0), "exception"),
    };
    let line = format!("{:13}  {exceptions}: ", "");
    let room = COLUMNS.saturating_sub(width(&line));
    let _ = writeln!(out, "{line}{}", shortened(&files::key(&account.account), room));
}

fn meaning(change: AccountChange, diff: &RunDiff) -> &'static str {
    match change {
        AccountChange::New if diff.before.lists_all_accounts => "held now; not in the data before",
        AccountChange::New => "held now; did not differ before, or was not in the data",
        AccountChange::Regressed => "held now, clear before",
        AccountChange::Grown => "held by both, now with more exceptions",
        AccountChange::Persisting => "held by both, with no more exceptions than before",
        AccountChange::Accepted => "held before; accepted for a time now, or noise",
        AccountChange::Fixed => "held before; compared again, and clear",
        AccountChange::Gone => "held before, and not in the data any more",
        AccountChange::Unknown => {
            "held before, and not listed any more: it differs no more, or was not compared again. `output: {accounts: all}` tells which"
        }
    }
}

/// What happens to rows, each change with its first patterns.
fn patterns(out: &mut String, diff: &RunDiff, paint: Paint) {
    if diff.patterns.is_empty() {
        return;
    }
    heading(out, "Patterns (rows)", paint);
    for (change, of) in &diff.patterns {
        for pattern in of.iter().take(SHOWN) {
            let rows = match (pattern.before, pattern.after) {
                (Some(before), Some(after)) if before != after => format!("{} -> {}", grouped(before), grouped(after)),
                (before, after) => grouped(after.or(before).unwrap_or(0)),
            };
            let text = format!("{}  [{}]", shortened(&pattern.description, SENTENCE_COLUMNS), pattern.fingerprint);
            *out += &wrapped(&format!("{:>12} {rows}: ", change.name()), &text);
        }
        more(out, of.len(), SHOWN, &format!("{} pattern", change.name()));
    }
}

fn thresholds(out: &mut String, diff: &RunDiff, paint: Paint) {
    let words = |state: &Option<ThresholdState>| match state {
        None => "absent".to_owned(),
        Some(state) if state.broken.is_empty() => format!("{} kept", state.limit),
        Some(state) => format!("{} broken", state.limit),
    };
    let changed: Vec<_> = diff.thresholds.iter().filter(|t| words(&t.before) != words(&t.after)).collect();
    if changed.is_empty() {
        return;
    }
    heading(out, "Thresholds that changed", paint);
    for threshold in changed {
        let text = format!("{} -> {}", words(&threshold.before), words(&threshold.after));
        *out += &wrapped(&format!("  {}: ", shortened(&threshold.name, NAME_COLUMNS)), &text);
    }
}

/// What changed most first; what did not change is not shown.
fn counts(out: &mut String, title: &str, counts: &[CountChange], paint: Paint) {
    let mut changed: Vec<&CountChange> = counts.iter().filter(|count| count.is_change()).collect();
    if changed.is_empty() {
        return;
    }
    let difference = |count: &CountChange| count.before.unwrap_or(0).abs_diff(count.after.unwrap_or(0));
    changed.sort_by_key(|count| std::cmp::Reverse(difference(count)));
    heading(out, title, paint);
    for count in changed.iter().take(SHOWN_COLUMNS) {
        let (before, after) = (count.before.unwrap_or(0), count.after.unwrap_or(0));
        let sign = if after > before { "+" } else { "-" };
        let _ = writeln!(
            out,
            "  {}{:>12} ->{:>12}{:>13}",
            padded(&shortened(&count.name, NAME_COLUMNS), NAME_COLUMNS),
            grouped(before),
            grouped(after),
            format!("{sign}{}", grouped(difference(count)))
        );
    }
    more(out, changed.len(), SHOWN_COLUMNS, "change");
}
