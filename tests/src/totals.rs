//! What the columns of each side hold over all rows, added up cell by cell; and whether a summary says the same.

use crate::cell::{Cell, Type};
use crate::exact::Exact;
use serde_json::Value;
use shadowdiff_core::side::{Side, Sides};
use shadowdiff_core::value::Number;
use std::collections::BTreeMap;

/// By the name of a column, or of a member of a struct.
pub type Totals = BTreeMap<String, Sides<Held>>;

/// What a column of one side holds.
#[derive(Debug, Default)]
pub struct Held {
    rows: u64,
    nulls: u64,
    nan: u64,
    infinite: u64,
    /// Of the numbers, if there are any.
    sum: Option<Number>,
}

impl Held {
    fn of(cells: &[&Cell]) -> Held {
        let mut held = Held {
            rows: cells.len() as u64,
            ..Held::default()
        };
        for cell in cells {
            match cell {
                Cell::Null => held.nulls += 1,
                Cell::Double(double) if double.is_nan() => held.nan += 1,
                Cell::Double(double) if double.is_infinite() => held.infinite += 1,
                cell => {
                    let number = cell.number().map(|Exact { units, scale }| Number::from_parts(units, scale as i32));
                    held.sum = match (held.sum.take(), number) {
                        (Some(sum), Some(number)) => Some(sum.add(&number)),
                        (sum, number) => sum.or(number),
                    };
                }
            }
        }
        held
    }

    /// `None`: the summary says the same.
    fn unlike(&self, told: &Value) -> Option<String> {
        let count = |field: &str| told[field].as_u64().unwrap_or(0);
        if [count("rows"), count("nulls"), count("nan"), count("infinite")] != [self.rows, self.nulls, self.nan, self.infinite] {
            return Some(format!("{told}, want {self:?}"));
        }
        let is_same = match (told["sum"].as_str(), &self.sum) {
            (Some(text), Some(sum)) => same_number(text, sum),
            (Some(text), None) => same_number(text, &Number::from_int(0)),
            (None, Some(sum)) => !sum.to_f64().is_finite(),
            (None, None) => true,
        };
        (!is_same).then(|| format!("{told}, want {self:?}"))
    }
}

/// A text does not say whether it is that of a double, which is the nearest one, or of what is exact.
fn same_number(text: &str, number: &Number) -> bool {
    let nearest = |text: &str| text.parse::<f64>().is_ok_and(|double| double == number.to_f64());
    Number::parse(text).is_some_and(|told| told == *number) || (text.contains(['.', 'e']) && nearest(text))
}

/// Adds up a column, and the members of a struct.
pub(crate) fn add(name: &str, shown: &Type, cells: &Sides<Vec<&Cell>>, totals: &mut Totals) {
    totals.insert(name.to_owned(), Sides::from_fn(|side| Held::of(&cells[side])));
    if let Type::Struct(members) = shown {
        for (member, shown) in members {
            let inside = Sides::from_fn(|side| cells[side].iter().map(|cell| cell.member(member)).collect());
            add(&format!("{name}.{member}"), shown, &inside, totals);
        }
    }
}

/// What the summary tells is what the cells add up to; and it tells of every column, if of any. `columns`: those that are compared.
pub(crate) fn hold_against(summary: &Value, columns: &[String], want: &Totals) -> Result<(), String> {
    let Some(told) = summary["totals"].as_array() else { return Ok(()) };
    for total in told {
        let name = total["column"].as_str().unwrap_or_default();
        let held = want
            .get(name)
            .ok_or_else(|| format!("summary.json totals: {name} is not compared"))?;
        for side in Side::BOTH {
            if let Some(unlike) = held[side].unlike(&total[side.name()]) {
                return Err(format!("summary.json totals: {side} of {name}: {unlike}"));
            }
        }
        let zero = Number::from_int(0);
        let sums = Sides::from_fn(|side: Side| held[side].sum.as_ref().unwrap_or(&zero));
        let is_moved_so = |moved: &str| same_number(moved, &sums.shadow.sub(sums.live));
        if total["moved"].as_str().is_some_and(|moved| !is_moved_so(moved)) {
            return Err(format!("summary.json totals: {total}, but the sums are {sums:?}"));
        }
    }
    let is_told = |name: &&String| told.iter().any(|total| total["column"] == name.as_str());
    match columns.iter().find(|name| !is_told(name)) {
        Some(name) => Err(format!("summary.json totals: nothing of {name}")),
        None => Ok(()),
    }
}
