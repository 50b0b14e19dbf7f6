//! What the verdict would be by other tolerances, as a person reads it.

use super::layout::{padded, shortened, wrapped};
use super::{NAME_COLUMNS, Paint, heading};
use shadowdiff_coordinator::{Sensitivity, Step};
use shadowdiff_core::render::{counted_apart, grouped};
use shadowdiff_core::verdict::Verdict;
use std::fmt::Write;

/// Of a column; the others are in the JSON.
const TIGHTER_STEPS: usize = 8;

pub(crate) fn sensitivity(of: &Sensitivity, paint: Paint) -> String {
    let as_it_is = counted_apart(of.as_it_is.exceptions, "exception");
    let mut out = format!("{}: {as_it_is} as it is\n", paint.verdict(of.as_it_is.verdict));
    for column in &of.columns {
        heading(
            &mut out,
            &format!(
                "{} ({})",
                shortened(&column.column, NAME_COLUMNS),
                shortened(&column.comparator, NAME_COLUMNS)
            ),
            paint,
        );
        let _ = writeln!(
            out,
            "  {}{:>14}{:>14}  verdict",
            padded("tolerance", 20),
            "left here",
            "left in all"
        );
        for (measure, steps) in [("absolute", &column.absolute), ("relative", &column.relative)] {
            for step in steps {
                let tolerance = padded(&format!("{measure}: {}", step.tolerance), 20);
                let (left, all) = (grouped(step.left), grouped(step.judged.exceptions));
                let _ = writeln!(
                    out,
                    "  {tolerance}{left:>14}{all:>14}  {}",
                    paint.verdict(step.judged.verdict).to_lowercase()
                );
            }
            let passes = |step: &&Step| step.judged.verdict == Verdict::Pass;
            let smallest = steps
                .iter()
                .find(passes)
                .map(|step| format!("{}: {} is the tightest that passes", measure, step.tolerance));
            out += &smallest.map_or_else(String::new, |text| wrapped("  ", &text));
        }
    }
    if of.columns.is_empty() {
        out.push_str("\nNo column of numbers has exceptions.\n");
    }
    if of.columns_left_out > 0 {
        let _ = writeln!(out, "\n… and {}", counted_apart(of.columns_left_out as u64, "more column"));
    }
    tighter(&mut out, of, paint);
    rules(&mut out, of, paint);
    out += "\n";
    out + &wrapped(
        "Note: ",
        "each step stands beside the comparator of its column, alone; a tighter one in its place, all bounds of it alike",
    )
}

/// How many cells more would differ by tighter tolerances than those of the spec.
fn tighter(out: &mut String, of: &Sensitivity, paint: Paint) {
    for column in &of.tighter {
        let name = shortened(&column.column, NAME_COLUMNS);
        heading(
            out,
            &format!("{name}, tighter than {}", shortened(&column.comparator, NAME_COLUMNS)),
            paint,
        );
        let within = counted_apart(column.cells, "cell");
        *out += &match &column.tightest {
            Some(tightest) => wrapped("  ", &format!("{within} within it; nothing more differs down to {tightest}")),
            None => wrapped("  ", &format!("{within} within it, some of them by more than a half of it")),
        };
        if column.steps.is_empty() {
            continue;
        }
        let _ = writeln!(out, "  {}{:>14}  exceptions here", padded("of the tolerance", 20), "more cells");
        for step in column.steps.iter().take(TIGHTER_STEPS) {
            let exceptions = match (step.exceptions_least, step.exceptions_most) {
                (least, most) if least == most => grouped(most),
                (least, most) => format!("{} to {}", grouped(least), grouped(most)),
            };
            let share = padded(&format!("1/{}", 1_u64 << step.halvings), 20);
            let _ = writeln!(out, "  {share}{:>14}  {exceptions}", grouped(step.cells));
        }
    }
}

/// What each rule is needed for, and the fewest of them.
fn rules(out: &mut String, of: &Sensitivity, paint: Paint) {
    let found = &of.rules;
    if found.are_too_many {
        out.push_str("\nThere are too many rules to judge without each of them.\n");
    }
    if found.rules.is_empty() {
        return;
    }
    heading(out, "Rules", paint);
    let _ = writeln!(out, "  {}{:>14}  verdict", padded("without it", NAME_COLUMNS + 4), "exceptions");
    for rule in &found.rules {
        let name = padded(&shortened(&rule.name, NAME_COLUMNS), NAME_COLUMNS + 4);
        let (left, verdict) = match &rule.judged {
            Some(judged) => (grouped(judged.exceptions), paint.verdict(judged.verdict).to_lowercase()),
            None => ("?".to_owned(), "needs a new comparison".to_owned()),
        };
        let idle = if rule.is_needed { "" } else { ", nothing changes" };
        let _ = writeln!(out, "  {name}{left:>14}  {verdict}{idle}");
    }
    if let Some(smallest) = &found.smallest {
        let names: Vec<String> = smallest.rules.iter().map(|name| shortened(name, NAME_COLUMNS)).collect();
        let proof = match smallest.is_proven {
            true => "no fewer do",
            false => "none of them can be left out, though others might be fewer",
        };
        let all = counted_apart(found.rules.len() as u64, "rule");
        let text = format!(
            "{} of {all} cover the same and say the same, {proof}: {}",
            names.len(),
            names.join(", ")
        );
        *out += &wrapped("  ", &text);
    }
}
