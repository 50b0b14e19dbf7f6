//! What the summary says of the compared columns over all rows, where the spec asks for it.

use crate::align::Column;
use crate::plan::Plan;
use crate::side::{Side, Sides};
use crate::tally::Tally;
use crate::totals::ColumnTotals;
use crate::value::{Number, Value, ValueType, print};
use serde::{Deserialize, Serialize};

/// A compared column over all rows of each side that `where` leaves, whatever became of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TotalsSummary {
    pub column: String,
    #[serde(rename = "type")]
    pub column_type: String,
    pub live: SideTotals,
    pub shadow: SideTotals,
    /// Of numbers: the sum of shadow less that of live; exact, of doubles the nearest one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub moved: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SideTotals {
    pub rows: u64,
    pub nulls: u64,
    /// Neither is in the sum.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub nan: u64,
    #[serde(default, skip_serializing_if = "is_zero")]
    pub infinite: u64,
    /// Of numbers: exact, of doubles the nearest one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sum: Option<String>,
}

impl TotalsSummary {
    pub fn sides(&self) -> Sides<&SideTotals> {
        Sides::new(&self.live, &self.shadow)
    }

    /// Whether the sides hold something else: another sum, or more of what is not in it. How many rows they have is no matter of one column.
    pub fn differs(&self) -> bool {
        let counts = |side: &SideTotals| (side.nulls, side.nan, side.infinite);
        let has_moved = match &self.moved {
            Some(moved) => !is_nothing(moved),
            // Further than any double.
            None => ValueType::parse(&self.column_type).is_some_and(|value_type| value_type.is_number()),
        };
        counts(&self.live) != counts(&self.shadow) || has_moved
    }
}

pub(super) fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// Whether a number has no digit but 0: `0`, `0.00`.
fn is_nothing(number: &str) -> bool {
    !number.contains(|digit: char| ('1'..='9').contains(&digit))
}

/// The totals of a job whose spec asks for them, in the order of the live schema.
pub(super) fn totals(plan: &Plan, tally: &Tally) -> Option<Vec<TotalsSummary>> {
    let of_column = |(at, totals): (&usize, &Sides<ColumnTotals>)| {
        let column = &plan.aligned.columns[*at];
        let moved = totals.shadow.sum.sub(&totals.live.sum);
        TotalsSummary {
            column: column.name.clone(),
            column_type: column.shown.to_string(),
            live: of_side(column, Side::Live, totals),
            shadow: of_side(column, Side::Shadow, totals),
            moved: sum_text(&moved, &column.shown),
        }
    };
    plan.spec.output.totals.then(|| tally.totals.iter().map(of_column).collect())
}

fn of_side(column: &Column, side: Side, totals: &Sides<ColumnTotals>) -> SideTotals {
    let totals = &totals[side];
    // An integer against a double prints as what it is, a decimal as the column does.
    let value_type = match column.stored[side].shown() {
        own @ (ValueType::Int { .. } | ValueType::Float { .. }) => own,
        _ => &column.shown,
    };
    SideTotals {
        rows: totals.rows,
        nulls: totals.nulls,
        nan: totals.nan,
        infinite: totals.infinite,
        sum: sum_text(&totals.sum, value_type),
    }
}

/// The sum of a column of numbers; `None` of others, and beyond all doubles.
pub(super) fn sum_text(sum: &Number, value_type: &ValueType) -> Option<String> {
    let is_known = value_type.is_number() && sum.to_f64().is_finite();
    is_known.then(|| match value_type.shown() {
        ValueType::Float { .. } => {
            let mut shortest = String::new();
            print(&Value::Float64(sum.to_f64()), &mut shortest);
            shortest
        }
        ValueType::Decimal { scale, .. } if *scale > 0 => sum.normalized().at_scale(i32::from(*scale)).to_string(),
        _ => sum.normalized().to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_differs_by_what_it_holds() {
        let side = |rows: u64, nulls: u64, sum: Option<&str>| SideTotals {
            rows,
            nulls,
            nan: 0,
            infinite: 0,
            sum: sum.map(str::to_owned),
        };
        let differs = |column_type: &str, [live, shadow]: [SideTotals; 2], moved: Option<&str>| {
            let totals = TotalsSummary {
                column: "v".to_owned(),
                column_type: column_type.to_owned(),
                live,
                shadow,
                moved: moved.map(str::to_owned),
            };
            totals.differs()
        };
        let number = |sum| side(5, 0, Some(sum));
        assert!(differs("double", [number("1.0"), number("2.0")], Some("1.0")));
        assert!(!differs("double", [number("1.0"), number("1.0")], Some("0.0")));
        assert!(differs("double", [number("-1.5e308"), number("1.5e308")], None));
        assert!(!differs("text", [side(5, 1, None), side(4, 1, None)], None));
        assert!(differs("text", [side(5, 1, None), side(5, 2, None)], None));
    }

    #[test]
    fn sums_print_as_their_column_does() {
        let sum = |text: &str, value_type: &str| {
            let value_type = ValueType::parse(value_type).expect("a type of the test");
            sum_text(&Number::parse(text).expect("a number of the test"), &value_type)
        };
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(sum("3", "decimal(9,2)"), some("3.00"));
        assert_eq!(sum("-18446744073709551616", "int64"), some("-18446744073709551616"));
        assert_eq!(sum("0.5", "double"), some("0.5"));
        assert_eq!(sum("3", "double"), some("3.0"));
        assert_eq!(sum(&format!("1{}", "0".repeat(309)), "double"), None, "beyond all doubles");
        assert_eq!((sum("0", "text"), sum("0", "date"), sum("0", "bool")), (None, None, None));
        assert!(is_nothing("0") && is_nothing("-0.00") && !is_nothing("0.01") && !is_nothing("1e-300"));
    }
}
