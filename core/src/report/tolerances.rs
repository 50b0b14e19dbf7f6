//! What the summary says of cells that differ within the tolerance of their column: how much of it they use.

use super::totals::is_zero;
use crate::plan::Plan;
use crate::tally::Tally;
use crate::tolerance_use::ToleranceUse;
use serde::{Deserialize, Serialize};

/// The cells of a column that differ, but not by more than its comparator allows, whatever else differs in their rows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToleranceSummary {
    pub column: String,
    pub comparator: String,
    pub cells: u64,
    /// Cells that use more than a half of the tolerance, then those that use more than a quarter, and so on; the 17th number is of all that use
    /// less. Without zeros at the end.
    pub used: Vec<u64>,
    /// Cells that are near by no distance, such as text.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub unmeasured: u64,
}

/// Of each column that has such cells, in the order of the live schema.
pub(super) fn tolerances(plan: &Plan, tally: &Tally) -> Vec<ToleranceSummary> {
    let of_column = |(at, used): (&usize, &ToleranceUse)| {
        let column = &plan.aligned.columns[*at];
        ToleranceSummary {
            column: column.name.clone(),
            comparator: column.comparator().to_string(),
            cells: used.cells(),
            used: used.by_place().to_vec(),
            unmeasured: used.unmeasured,
        }
    };
    tally.tolerance_use.iter().map(of_column).collect()
}
