//! The power of a spec in the terminal: what it is blind for first, then what passes, then what could not be tried.

use super::report::{ColumnOutcome, Outcome, Power};
use crate::render::{Paint, heading, wrapped};
use shadowdiff_core::render::{counted_apart, grouped};
use std::collections::BTreeMap;
use std::fmt::Write;

pub(super) fn text(power: &Power, paint: Paint) -> String {
    let mut out = head(power, paint);
    by_change(&mut out, power, paint);
    not_caught(&mut out, power, paint);
    columns(&mut out, power, paint);
    if !power.left_out.is_empty() {
        heading(&mut out, "Not planted", paint);
        for left_out in &power.left_out {
            out += &wrapped(&format!("  {}: ", left_out.change), &left_out.why);
        }
    }
    if !power.not_compared.is_empty() {
        out.push('\n');
        out += &wrapped("Columns that are not compared: ", &power.not_compared.join(", "));
    }
    for note in &power.notes {
        out.push('\n');
        out += &wrapped("Note: ", note);
    }
    out
}

fn head(power: &Power, paint: Paint) -> String {
    let counts = format!(
        ": {} of {} caught, in {} of {} looked at\n",
        grouped(power.caught()),
        counted_apart(power.count(), "planted change"),
        counted_apart(power.rows as u64, "row"),
        grouped(power.looked_at as u64)
    );
    if power.blind.is_empty() {
        return paint.good("SEES") + &counts;
    }
    let mut out = paint.bad("BLIND") + &counts;
    for name in &power.blind {
        out += &paint.complaint("blind", &format!("{name}: not one planted change is caught"));
    }
    out
}

/// Over all columns, in the order in which they were planted.
fn by_change(out: &mut String, power: &Power, paint: Paint) {
    heading(out, "Caught, by change", paint);
    let mut changes: Vec<(&str, u64, u64)> = Vec::new();
    for outcome in &power.planted {
        match changes.iter_mut().find(|(name, ..)| *name == outcome.change) {
            Some((_, caught, planted)) => {
                *caught += outcome.caught;
                *planted += outcome.planted;
            }
            None => changes.push((&outcome.change, outcome.caught, outcome.planted)),
        }
    }
    for (name, caught, planted) in changes {
        let _ = writeln!(out, "{:>12} of {:>6}  {name}", grouped(caught), grouped(planted));
    }
}

/// What let changes pass, the one with the most of them first.
fn not_caught(out: &mut String, power: &Power, paint: Paint) {
    let mut swallowers: BTreeMap<&str, (u64, Vec<&Outcome>)> = BTreeMap::new();
    for outcome in &power.planted {
        for (by, count) in &outcome.swallowed_by {
            let (all, outcomes) = swallowers.entry(by).or_default();
            *all += count;
            outcomes.push(outcome);
        }
    }
    let mut swallowers: Vec<(&str, (u64, Vec<&Outcome>))> = swallowers.into_iter().collect();
    if swallowers.is_empty() {
        return;
    }
    swallowers.sort_by(|a, b| b.1.0.cmp(&a.1.0).then(a.0.cmp(b.0)));
    heading(out, "Not caught, by what let it pass", paint);
    for (by, (count, outcomes)) in swallowers {
        *out += &wrapped(&format!("{:>12} ", grouped(count)), by);
        let mut columns: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for outcome in outcomes {
            let change = format!("{} {} of {}", outcome.change, outcome.swallowed_by[by], outcome.planted);
            columns.entry(outcome.column.as_deref().unwrap_or("rows")).or_default().push(change);
        }
        for (column, changes) in columns {
            *out += &wrapped(&format!("{:13}{column}: ", ""), &changes.join(", "));
        }
    }
}

fn columns(out: &mut String, power: &Power, paint: Paint) {
    if power.columns.is_empty() {
        return;
    }
    heading(out, "A whole column changed", paint);
    for outcome in &power.columns {
        let ColumnOutcome { column, change, cells, .. } = outcome;
        let what = format!("{change} in {}", counted_apart(*cells as u64, "cell"));
        let ends = match outcome.caught {
            true => "fail".to_owned(),
            false => format!("pass all the same: {}", outcome.swallowed_by.join(", ")),
        };
        *out += &wrapped(&format!("  {column}: "), &format!("{what}: the verdict is {ends}"));
    }
}
