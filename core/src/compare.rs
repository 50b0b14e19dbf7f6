//! How the cells of a column are compared: whether they are equal, and where not, whether a comparator finds them equal enough.

mod by_value;
mod comparator;
pub mod diagnose;
mod equality;
pub mod json;
mod json_texts;
mod multisets;
pub mod text;

pub use comparator::{CellComparator, CellPairs, NearCells, is_near};
pub use diagnose::{diagnose, swapped_with};
pub use equality::{has_delta, unequal};

use crate::error::Result;
use crate::spec::Comparator;
use by_value::ByValue;
use json_texts::JsonTexts;

/// What compares the cells of a column; `by_sql` plans a condition over a pair of rows.
pub fn cell_comparator(
    comparator: &Comparator,
    by_sql: impl FnOnce(&str) -> Result<Box<dyn CellComparator>>,
) -> Result<Box<dyn CellComparator>> {
    Ok(match comparator {
        Comparator::Values { rule, unordered } => Box::new(ByValue::new(rule.clone(), *unordered)),
        Comparator::Json => Box::new(JsonTexts),
        Comparator::Sql(text) => by_sql(text)?,
    })
}
