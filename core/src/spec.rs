//! The spec: what to compare and which differences are expected, as a person writes it.

mod comparator;
mod document;
mod duration;
mod fields;
mod item;
mod json_schema;
mod mistakes;
mod model;
mod names;
mod overrides;
mod parse;
mod scalars;
mod sql_places;
mod variables;

pub use comparator::{Comparator, Normalization, NumberTolerance, TextRules, ValueRule};
pub use duration::Duration;
pub use json_schema::json_schema;
pub use model::{
    AccountScope, BaselineSpec, Columns, ComparatorEntry, Compression, CsvOptions, CsvTypes, DatasetSpec, Day, DifferenceKind, EmptyField,
    Expected, Header, Limit, ListSource, OUTPUT_COLUMNS, OutputSpec, Pattern, Ready, SchemaChange, Spec, VerdictSpec, Within,
};
pub use names::nearest;
pub use overrides::{CsvOverride, Measure, Overrides, ToleranceOverride};
pub use parse::{Parsed, from_overrides, parse};
pub use sql_places::{SqlPlaces, excerpt};
