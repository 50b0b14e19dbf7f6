//! The spec: what to compare and which differences are expected, as a person writes it.

mod accepted;
mod comparator;
mod document;
mod duration;
mod field_places;
mod fields;
mod group;
mod item;
mod json_schema;
mod mistakes;
mod model;
mod overrides;
mod parse;
mod scalars;
mod suite;
mod suite_order;
mod variables;

pub use accepted::{Acceptance, Direction, MAX_ACCEPTED_BYTES, Range, RowChange, parse_acceptances};
pub use comparator::{Comparator, Normalization, NumberTolerance, TextRules, ValueRule};
pub use duration::Duration;
pub use field_places::FieldPlaces;
pub use json_schema::{json_schema, suite_json_schema};
pub use mistakes::{Outside, member};
pub use model::{
    AccountScope, BaselineSpec, Columns, ComparatorEntry, Compression, CsvOptions, CsvTypes, DatasetSpec, Day, DifferenceKind, EmptyField,
    Expected, Header, Limit, ListSource, ListedAccounts, NoiseSpec, OUTPUT_COLUMNS, OutputSpec, Pattern, Ready, SchemaChange, Spec,
    VerdictSpec, Within,
};
pub use overrides::{CsvOverride, Measure, Overrides, ToleranceOverride};
pub use parse::{Parsed, escaped, from_overrides, parse, parse_again};
pub use suite::{Member, MemberKind, MemberSpec, SUITE_FILE, Suite, SuiteFile, parse_suite};
