//! What the output says and how: lines of differences and of accounts, CSV fields, deltas, the summary.

mod accounts;
mod attributes;
mod checks;
mod csv;
mod delta;
mod judged;
mod line;
mod own;
mod record;
mod seen;
mod summary;
mod table;
mod tolerances;
mod totals;

pub use accounts::{AccountLine, accounts_header, print_accounts, shows_accepted};
pub use attributes::{Attribute, Place, RowValues, attributes};
pub use checks::{Check, checks};
pub use csv::{fingerprint, header, is_defused};
pub use judged::{Reported, Reporter};
pub use line::LinePrinter;
pub use own::{FileMark, FileMarks, ResultFile, own_summary};
pub use record::{AccountEnd, AccountRecord, Decision, Field, key_field, read_fields, write_fields};
pub use seen::SeenAccount;
pub use summary::{
    AcceptanceSummary, Books, ColumnSummary, DeltaUnit, Facts, Merged, MovedSum, NoiseSummary, NoiseUnitSummary, PatternSummary, Rows,
    RuleSummary, SUMMARY_VERSION, Schema, Summary, Timings, summary,
};
pub use table::table_schema;
pub use tolerances::ToleranceSummary;
pub use totals::{SideTotals, TotalsSummary};
