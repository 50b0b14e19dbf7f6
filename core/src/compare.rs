//! How the cells of a column are compared: whether they are equal, and where not, whether a comparator finds them equal enough.

mod by_value;
mod comparator;
pub mod diagnose;
mod equality;
pub mod json;
mod json_texts;
mod multisets;
pub mod text;

pub use by_value::ByValue;
pub use comparator::{CellComparator, CellPairs, NearCells};
pub use diagnose::{diagnose, swapped_with};
pub use equality::{has_delta, unequal};
pub use json_texts::JsonTexts;
