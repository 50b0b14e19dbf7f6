//! The comparators of a job, bound to its columns.

use crate::sql::Expression;
use arrow_array::ArrayRef;
use arrow_buffer::BooleanBuffer;
use shadowdiff_core::align::Column;
use shadowdiff_core::compare::{CellComparator, CellPairs, NearCells, cell_comparator};
use shadowdiff_core::error::Result;

/// The comparator of a column; `plan` plans a condition over a pair of rows.
pub(super) fn comparator(column: &Column, plan: impl FnOnce(&str) -> Result<Expression>) -> Result<Box<dyn CellComparator>> {
    cell_comparator(column.comparator(), |text| Ok(Box::new(BySql { condition: plan(text)? })))
}

/// SQL over the pair of rows, true where the cells are equal enough.
#[derive(Debug)]
struct BySql {
    condition: Expression,
}

impl CellComparator for BySql {
    fn near(&self, pairs: &CellPairs<'_>, asked: &BooleanBuffer) -> Result<NearCells> {
        let near = self.condition.is_true_where(asked, &sql_arrays(pairs))?;
        Ok(NearCells { near, not_json: 0 })
    }
}

/// The columns that SQL over a pair sees: the cell's two, then all of the live row, then all of the shadow row.
pub fn sql_arrays(pairs: &CellPairs<'_>) -> Vec<ArrayRef> {
    let rows = pairs.rows.live.iter().chain(&pairs.rows.shadow);
    [pairs.live, pairs.shadow].into_iter().chain(rows).cloned().collect()
}
