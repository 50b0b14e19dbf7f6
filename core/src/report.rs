//! What the output says and how: CSV fields, deltas, the summary.

mod csv;
mod delta;
mod own;
mod summary;

pub use csv::{cell, cell_of_struct, field, header, key_cell};
pub use delta::{Delta, delta};
pub use own::{FileMark, FileMarks, ResultFile, own_summary};
pub use summary::{
    Books, ColumnSummary, DeltaUnit, Facts, PatternSummary, Rows, RuleSummary, SUMMARY_VERSION, Schema, Summary, Timings, summary,
};
