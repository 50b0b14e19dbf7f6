//! The oracle's own values and types: what a cell means, when two are equal, which sorts first.

use crate::exact::Exact;
use num_bigint::BigInt;
use std::cmp::Ordering;

/// One value. Times are nanoseconds since 1970-01-01, dates days.
#[derive(Debug, Clone, PartialEq)]
pub enum Cell {
    Null,
    Bool(bool),
    Int(i128),
    Decimal(BigInt, u32),
    Double(f64),
    Text(String),
    Binary(Vec<u8>),
    Date(i32),
    Timestamp(i128),
    List(Vec<Cell>),
    Struct(Vec<(String, Cell)>),
    Map(Vec<(Cell, Cell)>),
}

/// The type of a column, as far as it matters for what is printed or stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Type {
    Null,
    Bool,
    Int {
        bits: u8,
        signed: bool,
    },
    Decimal {
        precision: u8,
        scale: u8,
    },
    Float {
        bits: u8,
    },
    Text,
    Binary,
    Date,
    /// `digits` after the point of a second: 0, 3, 6 or 9.
    Timestamp {
        digits: u8,
        zoned: bool,
    },
    List(Box<Type>),
    Struct(Vec<(String, Type)>),
    Map(Box<Type>, Box<Type>),
    /// A float against an exact number: each prints in its own form. No file holds it.
    Own,
}

/// A dataset: named columns, rows of as many cells.
#[derive(Debug, Clone, PartialEq)]
pub struct Table {
    pub columns: Vec<(String, Type)>,
    pub rows: Vec<Vec<Cell>>,
}

impl Table {
    /// The columns at these places, in this order.
    pub fn with_columns(&self, places: &[usize]) -> Table {
        let rows = self
            .rows
            .iter()
            .map(|row| places.iter().map(|p| row[*p].clone()).collect())
            .collect();
        Table {
            columns: places.iter().map(|p| self.columns[*p].clone()).collect(),
            rows,
        }
    }
}

impl Cell {
    pub fn is_null(&self) -> bool {
        matches!(self, Cell::Null)
    }

    /// The exact number; `None` for what is none, and for NaN and the infinities.
    pub fn number(&self) -> Option<Exact> {
        match self {
            Cell::Int(value) => Some(Exact::int(*value)),
            Cell::Decimal(units, scale) => Some(Exact {
                units: units.clone(),
                scale: *scale,
            }),
            Cell::Double(value) => Exact::double(*value),
            _ => None,
        }
    }

    /// Nanoseconds since 1970-01-01 of a date or timestamp.
    pub fn instant(&self) -> Option<i128> {
        match self {
            Cell::Date(days) => Some(i128::from(*days) * 86_400_000_000_000),
            Cell::Timestamp(ns) => Some(*ns),
            _ => None,
        }
    }

    pub fn member(&self, name: &str) -> &Cell {
        match self {
            Cell::Struct(members) => members.iter().find(|(n, _)| n == name).map_or(&Cell::Null, |(_, cell)| cell),
            _ => &Cell::Null,
        }
    }
}

/// Equality of the contract, at every depth: NULL, NaN and the two zeros equal themselves.
pub fn equal(a: &Cell, b: &Cell) -> bool {
    match (a, b) {
        (Cell::Null, Cell::Null) => true,
        (Cell::Double(a), Cell::Double(b)) => a == b || (a.is_nan() && b.is_nan()),
        (Cell::List(a), Cell::List(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| equal(a, b)),
        (Cell::Struct(a), Cell::Struct(_)) => a.iter().all(|(name, cell)| equal(cell, b.member(name))),
        (Cell::Map(a), Cell::Map(b)) => pairs_up(a, b, |(ka, va), (kb, vb)| equal(ka, kb) && equal(va, vb)),
        (Cell::Bool(a), Cell::Bool(b)) => a == b,
        (Cell::Text(a), Cell::Text(b)) => a == b,
        (Cell::Binary(a), Cell::Binary(b)) => a == b,
        (a, b) => match (a.number(), b.number(), a.instant(), b.instant()) {
            (Some(a), Some(b), _, _) => a == b,
            (_, _, Some(a), Some(b)) => a == b,
            _ => false,
        },
    }
}

/// Whether some one-to-one pairing of all elements satisfies `fits`.
pub fn pairs_up<T>(a: &[T], b: &[T], fits: impl Fn(&T, &T) -> bool) -> bool {
    fn augment(from: usize, fits: &[Vec<bool>], seen: &mut [bool], partner: &mut [Option<usize>]) -> bool {
        for to in 0..seen.len() {
            if !fits[from][to] || seen[to] {
                continue;
            }
            seen[to] = true;
            if partner[to].is_none_or(|other| augment(other, fits, seen, partner)) {
                partner[to] = Some(from);
                return true;
            }
        }
        false
    }
    let table: Vec<Vec<bool>> = a.iter().map(|x| b.iter().map(|y| fits(x, y)).collect()).collect();
    let mut partner = vec![None; b.len()];
    a.len() == b.len() && (0..a.len()).all(|from| augment(from, &table, &mut vec![false; b.len()], &mut partner))
}

/// The order of the output: NULL first, numbers by value with NaN last, times by instant, text by bytes.
pub fn order(a: &Cell, b: &Cell) -> Ordering {
    match (a, b) {
        (Cell::Bool(a), Cell::Bool(b)) => a.cmp(b),
        (Cell::Text(a), Cell::Text(b)) => a.as_bytes().cmp(b.as_bytes()),
        (Cell::Binary(a), Cell::Binary(b)) => a.cmp(b),
        (a, b) => match (a.instant(), b.instant()) {
            (Some(a), Some(b)) => a.cmp(&b),
            _ => rank(a).cmp(&rank(b)).then_with(|| a.number().cmp(&b.number())),
        },
    }
}

fn rank(cell: &Cell) -> u8 {
    match cell {
        Cell::Null => 0,
        Cell::Double(value) if value.is_nan() => 4,
        Cell::Double(value) if *value == f64::INFINITY => 3,
        Cell::Double(value) if *value == f64::NEG_INFINITY => 1,
        _ => 2,
    }
}

pub fn order_all(a: &[Cell], b: &[Cell]) -> Ordering {
    a.iter()
        .zip(b)
        .map(|(a, b)| order(a, b))
        .find(|o| *o != Ordering::Equal)
        .unwrap_or(Ordering::Equal)
}

/// The type that both sides' cells are printed in.
pub fn common(a: &Type, b: &Type) -> Type {
    match (a, b) {
        (Type::Null, other) | (other, Type::Null) => other.clone(),
        (Type::Float { bits: a }, Type::Float { bits: b }) => Type::Float { bits: *a.max(b) },
        (Type::Float { .. }, _) | (_, Type::Float { .. }) => Type::Own,
        (Type::Decimal { scale: a, .. }, Type::Decimal { scale: b, .. }) => Type::Decimal {
            precision: 76,
            scale: *a.max(b),
        },
        (decimal @ Type::Decimal { .. }, Type::Int { .. }) | (Type::Int { .. }, decimal @ Type::Decimal { .. }) => decimal.clone(),
        (Type::Timestamp { digits: a, zoned: x }, Type::Timestamp { digits: b, zoned: y }) => Type::Timestamp {
            digits: *a.max(b),
            zoned: *x || *y,
        },
        (time @ Type::Timestamp { .. }, Type::Date) | (Type::Date, time @ Type::Timestamp { .. }) => time.clone(),
        (Type::List(a), Type::List(b)) => Type::List(Box::new(common(a, b))),
        (Type::Map(ka, va), Type::Map(kb, vb)) => Type::Map(Box::new(common(ka, kb)), Box::new(common(va, vb))),
        (Type::Struct(live), Type::Struct(shadow)) => {
            let other = |name: &str| shadow.iter().find(|(n, _)| n == name).map_or(Type::Null, |(_, t)| t.clone());
            Type::Struct(live.iter().map(|(name, t)| (name.clone(), common(t, &other(name)))).collect())
        }
        (a, _) => a.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equality_is_by_value() {
        let decimal = |units: i64, scale| Cell::Decimal(units.into(), scale);
        for (a, b, same) in [
            (Cell::Null, Cell::Null, true),
            (Cell::Double(f64::NAN), Cell::Double(-f64::NAN), true),
            (Cell::Double(-0.0), Cell::Int(0), true),
            (Cell::Int(9_007_199_254_740_993), Cell::Double(9_007_199_254_740_992.0), false),
            (decimal(100, 2), Cell::Int(1), true),
            (decimal(1, 1), Cell::Double(0.1), false),
            (Cell::Date(1), Cell::Timestamp(86_400_000_000_000), true),
            (Cell::List(vec![]), Cell::Null, false),
            (Cell::Text("a".into()), Cell::Text("a ".into()), false),
        ] {
            assert_eq!(equal(&a, &b), same, "{a:?} {b:?}");
            assert_eq!(equal(&b, &a), same, "{b:?} {a:?}");
        }
    }

    #[test]
    fn a_pairing_is_found_where_greed_fails() {
        assert!(pairs_up(&[2, 1], &[1, 3], |a: &i32, b: &i32| (a - b).abs() <= 1));
        assert!(!pairs_up(&[1, 1], &[1, 2], |a, b| a == b));
    }
}
