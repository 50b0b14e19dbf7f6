//! The types in which files may store a column: others that a cast turns back, narrower ones that the other files widen.

use crate::cell::{Cell, Type, equal};
use crate::print::print;
use crate::values::fit;

/// Types that hold all of these cells, and from which a cast makes the column's own type again.
pub(crate) fn castable(of: &Type, cells: &[&Cell]) -> Vec<Type> {
    let mut types = match of {
        Type::Int { .. } | Type::Decimal { .. } | Type::Float { .. } => numbers(),
        Type::Date | Type::Timestamp { .. } => times(),
        Type::Bool => Vec::new(),
        Type::Null | Type::Text | Type::Binary | Type::List(_) | Type::Struct(_) | Type::Map(..) | Type::Own => return Vec::new(),
    };
    types.push(Type::Text);
    types.retain(|t| t != of && holds_all(of, t, cells));
    types
}

/// Types that some files of a side may have for a column, while another has the column's own.
pub(crate) fn narrower(of: &Type, cells: &[&Cell]) -> Vec<Type> {
    let mut types = match of {
        Type::Int { .. } | Type::Decimal { .. } | Type::Float { .. } => numbers(),
        Type::Date | Type::Timestamp { .. } => times(),
        _ => Vec::new(),
    };
    types.push(Type::Null);
    types.retain(|t| widens(t, of) && holds_all(of, t, cells));
    types
}

fn numbers() -> Vec<Type> {
    let ints = [8, 16, 32, 64]
        .into_iter()
        .flat_map(|bits| [true, false].map(|signed| Type::Int { bits, signed }));
    let decimals = [(9, 2), (20, 0), (38, 4), (60, 5)].map(|(precision, scale)| Type::Decimal { precision, scale });
    ints.chain(decimals).chain([32, 64].map(|bits| Type::Float { bits })).collect()
}

fn times() -> Vec<Type> {
    let stamps = [0, 3, 6, 9]
        .into_iter()
        .flat_map(|digits| [true, false].map(|zoned| Type::Timestamp { digits, zoned }));
    stamps.chain([Type::Date]).collect()
}

/// Whether the common type of the two is the wider one.
fn widens(narrow: &Type, wide: &Type) -> bool {
    match (narrow, wide) {
        (Type::Null, _) => true,
        (Type::Int { bits: a, signed: x }, Type::Int { bits: b, signed: y }) => a < b && (x == y || *y),
        (Type::Decimal { precision: a, scale: x }, Type::Decimal { precision: b, scale: y }) => a < b && x == y,
        (Type::Float { bits: a }, Type::Float { bits: b }) => a < b,
        (Type::Timestamp { digits: a, zoned: x }, Type::Timestamp { digits: b, zoned: y }) => a < b && x == y,
        (Type::Date, Type::Timestamp { zoned, .. }) => !zoned,
        _ => false,
    }
}

fn holds_all(of: &Type, other: &Type, cells: &[&Cell]) -> bool {
    cells.iter().all(|cell| {
        let stored = stored(cell, of, other);
        stored.is_some_and(|stored| *other == Type::Text || equal(cell, &stored))
    })
}

/// The cell of a column as a file of another type holds it.
pub(crate) fn stored(cell: &Cell, of: &Type, to: &Type) -> Option<Cell> {
    match (cell, to) {
        (Cell::Null, _) => Some(Cell::Null),
        (cell, same) if same == of => Some(cell.clone()),
        (cell, Type::Text) => print(cell, of).map(Cell::Text),
        (cell, _) => fit(cell, to),
    }
}
