//! The little SQL that the generated specs use: `NAME OP VALUE` or `NAME IS [NOT] NULL`, where a value is a whole number,
//! a quoted text or another name.

use crate::cell::{Cell, equal, order};
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

fn literal(word: &str) -> Option<Cell> {
    match word.strip_prefix('\'') {
        Some(text) => Some(Cell::Text(text.strip_suffix('\'')?.to_owned())),
        None => word.parse().ok().map(Cell::Int),
    }
}
