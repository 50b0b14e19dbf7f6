//! A plan as text for people.

use crate::bind::Bound;
use shadowdiff_core::align::{Column, Role};
use shadowdiff_core::plan::{Plan, Warning};
use shadowdiff_core::side::Side;
use shadowdiff_core::tally::counted;
use std::fmt::Write;

/// The files of a plan, what becomes of their columns, and the work.
pub fn describe(bound: &Bound) -> String {
    let plan = &bound.plan;
    format!("{}{}{}", data(plan), columns(plan), rest(plan))
}

/// More files than this are counted, not named.
const SHOWN_FILES: usize = 5;

fn data(plan: &Plan) -> String {
    let mut out = String::new();
    for side in Side::BOTH {
        let pins = &plan.pins[side];
        let bytes: u64 = pins.iter().map(|p| p.pin.size_bytes).sum();
        let rows = plan.estimate.rows[side].map_or("rows unknown until read".to_owned(), |n| counted(n, "row"));
        let _ = writeln!(
            out,
            "{side}: {}, {rows}, {}",
            counted(pins.len() as u64, "file"),
            counted(bytes, "byte")
        );
        for pin in pins.iter().take(SHOWN_FILES) {
            let _ = writeln!(out, "  {}", pin.name);
        }
        if pins.len() > SHOWN_FILES {
            let _ = writeln!(out, "  … and {} more", pins.len() - SHOWN_FILES);
        }
    }
    let requests = plan.estimate.requests;
    if !requests.is_none() {
        let _ = writeln!(out, "{requests} for the inputs");
    }
    out
}

fn columns(plan: &Plan) -> String {
    let mut out = format!("\nColumns: {} compared besides the key\n", plan.aligned.compared());
    if plan.aligned.compares_no_value() && !plan.spec.verdict.allow_empty {
        out.push_str("  nothing to compare: the verdict will be fail (`verdict: {allow_empty: true}` allows it)\n");
    }
    let types: Vec<String> = plan.aligned.columns.iter().map(types).collect();
    let widest = |texts: &mut dyn Iterator<Item = &String>| texts.map(|t| t.chars().count()).max().unwrap_or(0).min(40);
    let name_width = widest(&mut plan.aligned.columns.iter().map(|c| &c.name));
    let type_width = widest(&mut types.iter());
    for (column, types) in plan.aligned.columns.iter().zip(&types) {
        let comparator = column.comparator().to_string();
        let what = match column.role {
            Role::Key if plan.aligned.account().iter().any(|i| plan.aligned.columns[*i].name == column.name) => "account",
            Role::Key => "key",
            Role::Presence => "struct, there or not",
            Role::Value(_) => comparator.as_str(),
        };
        let _ = writeln!(out, "  {:<name_width$}  {types:<type_width$}  {what}", column.name);
    }
    for (side, names) in plan.aligned.only.each() {
        if !names.is_empty() {
            let _ = writeln!(out, "  only in {side}: {}", names.join(", "));
        }
    }
    for t in &plan.aligned.types {
        let _ = writeln!(out, "  types differ: {} is {} in live, {} in shadow", t.column, t.live, t.shadow);
    }
    out
}

/// What a column is compared as.
fn types(column: &Column) -> String {
    if column.is_mixed() {
        format!("{} with {}, by value", column.stored.live, column.stored.shadow)
    } else {
        column.stored.live.to_string()
    }
}

fn rest(plan: &Plan) -> String {
    let mut out = String::new();
    for (at, rule) in plan.spec.expected.iter().enumerate() {
        if at == 0 {
            out.push_str("\nExpected changes\n");
        }
        let taken: Vec<&str> = plan
            .aligned
            .columns
            .iter()
            .enumerate()
            .filter(|(at, c)| c.role != Role::Key && rule.columns.iter().any(|p| plan.aligned.takes(p, *at)))
            .map(|(_, c)| c.name.as_str())
            .collect();
        let what = if rule.columns.is_empty() {
            "whole accounts".to_owned()
        } else {
            taken.join(", ")
        };
        let _ = writeln!(out, "  {}: {what}", rule.name);
    }
    let _ = writeln!(
        out,
        "\nPlan: {}, {}, as of {}",
        counted(plan.scans.len() as u64, "scan task"),
        counted(plan.shards.into(), "shard"),
        plan.as_of
    );
    for Warning { text: warning, .. } in &plan.warnings {
        let _ = writeln!(out, "warning: {warning}");
    }
    out
}
