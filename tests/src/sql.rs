//! The little SQL that the generated specs use: `NAME OP VALUE` or `NAME IS [NOT] NULL`, where a value is a whole number,
//! a quoted text or another name.

use crate::cell::{Cell, Type, equal, order};
use std::cmp::Ordering;

/// Whether the condition is true; NULL is not true.
pub fn holds(condition: &str, value_of: &dyn Fn(&str) -> Cell) -> bool {
    let words: Vec<&str> = condition.splitn(3, ' ').collect();
    let [name, operator, right] = words.as_slice() else {
        unreachable!("the generator writes three words: {condition}")
    };
    let left = value_of(name);
    match (*operator, *right) {
        ("IS", "NULL") => return left.is_null(),
        ("IS", "NOT NULL") => return !left.is_null(),
        _ => {}
    }
    let right = literal(right).unwrap_or_else(|| value_of(right));
    if left.is_null() || right.is_null() {
        return false;
    }
    let ordering = if equal(&left, &right) {
        Ordering::Equal
    } else {
        order(&left, &right)
    };
    match *operator {
        "=" => ordering == Ordering::Equal,
        "<>" => ordering != Ordering::Equal,
        ">" => ordering == Ordering::Greater,
        ">=" => ordering != Ordering::Less,
        "<" => ordering == Ordering::Less,
        other => unreachable!("the generator writes no {other}"),
    }
}

/// A condition over the two values of one cell.
pub fn pair_holds(condition: &str, live: &Cell, shadow: &Cell) -> bool {
    holds(condition, &|name| match name {
        "live" => live.clone(),
        "shadow" => shadow.clone(),
        other => unreachable!("the generator writes no {other}"),
    })
}

/// What SQL makes of a row: `NAME IS NULL`, `coalesce(NAME, 7)` or `NAME` alone, which may be quoted.
pub fn derived(text: &str, columns: &[(String, Type)], row: &[Cell]) -> Cell {
    let cell = &row[place(text, columns)];
    match text {
        _ if text.ends_with(" IS NULL") => Cell::Bool(cell.is_null()),
        _ if text.starts_with("coalesce(") && cell.is_null() => Cell::Int(7),
        _ => cell.clone(),
    }
}

/// The type of what [`derived`] gives: a plain copy has its column's; SQL has no integers of less than 64 bits.
pub fn derived_type(text: &str, columns: &[(String, Type)]) -> Type {
    match &columns[place(text, columns)].1 {
        _ if text.ends_with(" IS NULL") => Type::Bool,
        Type::Int { bits, .. } if *bits < 64 && text.starts_with("coalesce(") => Type::Int { bits: 64, signed: true },
        other => other.clone(),
    }
}

/// Where the one column of such SQL is.
fn place(text: &str, columns: &[(String, Type)]) -> usize {
    let text = text
        .trim_end_matches(" IS NULL")
        .trim_start_matches("coalesce(")
        .trim_end_matches(", 7)");
    let name = match text.strip_prefix('"').and_then(|t| t.strip_suffix('"')) {
        Some(inner) => inner.replace("\"\"", "\""),
        None => text.to_owned(),
    };
    columns
        .iter()
        .position(|(n, _)| *n == name)
        .expect("the generator names columns that exist")
}

fn literal(word: &str) -> Option<Cell> {
    match word.strip_prefix('\'') {
        Some(text) => Some(Cell::Text(text.strip_suffix('\'')?.to_owned())),
        None => word.parse().ok().map(Cell::Int),
    }
}
