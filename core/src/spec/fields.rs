//! Every field of a spec, once: its name, the shape of its value, what it means. The parser and the JSON Schema both read this.
//! Those of a comparator stand with it.

use super::comparator::{COMPARATOR, TEXT};
use super::group::{Group, NAMES, Shape, Words, group, names};
use super::model::{Compression, CsvTypes, DifferenceKind, EmptyField, ListedAccounts, SchemaChange};
use crate::side::Side;

pub(super) const SIDES: Words<Side> = &[("live", Side::Live), ("shadow", Side::Shadow)];
pub(super) const LISTED_ACCOUNTS: Words<ListedAccounts> = &[("differing", ListedAccounts::Differing), ("all", ListedAccounts::All)];
pub(super) const NOISE_VERDICTS: Words<bool> = &[("report", false), ("subtract", true)];
pub(super) const ALLOW_OR_FAIL: Words<bool> = &[("allow", false), ("fail", true)];
pub(super) const SCHEMA_CHANGES: Words<SchemaChange> = &[("added", SchemaChange::Added), ("removed", SchemaChange::Removed)];
pub(super) const CSV_TYPES: Words<CsvTypes> = &[("infer", CsvTypes::Infer), ("text", CsvTypes::Text)];
pub(super) const EMPTY_FIELDS: Words<EmptyField> = &[("null", EmptyField::Null), ("text", EmptyField::Text)];
pub(super) const DECIMALS: Words<bool> = &[(".", false), (",", true)];

const ACCOUNT_LIST: Shape = Shape::List(&Shape::AnyOf(&[Shape::Value, Shape::Filled(&Shape::Value)]));

group! {
    /// What to compare, and which differences are expected.
    pub(super) static SPEC = "spec" {
        /// The live dataset: a directory, a glob, a file, or a list of them. Relative paths start
        /// at the spec's folder.
        "live": NAMES,
        /// The shadow dataset, as `live`.
        "shadow": NAMES,
        /// Which side holds the old values: `live` (the default), `shadow`, or one of them with the
        /// accounts for which it is the other.
        "baseline": Shape::AnyOf(&[Shape::Word(|| names(SIDES)), Shape::Group(&BASELINE)]),
        /// The column or columns that name a customer. Always part of the key, and first in it.
        "account": NAMES,
        /// The columns that name a row. Default: the account columns.
        "key": NAMES,
        /// SQL over one row; only rows for which it is true are compared.
        "where": per_side(&SQL),
        /// Types of columns by the names in the files. It saves the scan that finds types in CSV
        /// and JSON lines.
        "schema": per_side(&TYPES),
        /// How CSV files are written.
        "csv": per_side(&Shape::Group(&CSV)),
        /// A marker file, such as `_SUCCESS`, that must be in the dataset before it is read.
        "ready": per_side(&READINESS),
        /// Which columns take part, and under which names and types.
        "columns": Shape::Group(&COLUMNS),
        /// How values are compared, per column. A column that no entry names is compared exactly.
        "comparators": Shape::List(&Shape::Group(&COMPARATOR)),
        /// The rules, in order: the first that covers a difference names it. All else is an
        /// exception.
        "expected": Shape::List(&Shape::Group(&RULE)),
        /// A file of differences that are accepted for a time though no rule expects them.
        /// `shadowdiff accept` writes it.
        "accepted": Shape::Text,
        /// What the live version differs from itself by, from run to run.
        "noise": Shape::Group(&NOISE),
        /// What passes.
        "verdict": Shape::Group(&VERDICT),
        /// The day that `until` is compared with. Default: the day the job is planned.
        "as_of": Shape::Day,
        /// Where the result goes: a directory or a URL, or a mapping with more to say.
        "output": Shape::AnyOf(&[Shape::Text, Shape::Group(&OUTPUT)]),
    }
}

pub(super) const SQL: Shape = Shape::Sql;
pub(super) const TYPES: Shape = Shape::Map(&Shape::Type);
pub(super) const READINESS: Shape = Shape::AnyOf(&[Shape::Text, Shape::Group(&READY)]);

/// A value for both sides, or one a side.
pub(super) const fn per_side(shape: &'static Shape) -> Shape {
    Shape::Sides(shape)
}

group! {
    /// The side that holds the old values, and the accounts for which it is the other one.
    pub(super) static BASELINE = "baseline" {
        /// The baseline of all accounts that are not listed.
        required "default": Shape::Word(|| names(SIDES)),
        /// With `default: live`: the accounts whose baseline is shadow, because they were switched
        /// over.
        "shadow_for": Shape::Group(&ACCOUNT_SOURCE),
        /// With `default: shadow`: the accounts whose baseline is still live.
        "live_for": Shape::Group(&ACCOUNT_SOURCE),
    }
}

group! {
    /// Accounts: listed here, or in a file. Exactly one of the two.
    pub(super) static ACCOUNT_SOURCE = "account_source" {
        /// The accounts. With several account columns each is a list of values.
        "list": ACCOUNT_LIST,
        /// A CSV file with one account a line: the column named like the account column, else the
        /// first.
        "file": Shape::Text,
    }
}

group! {
    /// The accounts that a rule is about. Exactly one of the three.
    pub(super) static ACCOUNTS = "accounts" {
        /// The accounts. With several account columns each is a list of values.
        "list": ACCOUNT_LIST,
        /// A CSV file with one account a line: the column named like the account column, else the
        /// first.
        "file": Shape::Text,
        /// SQL over the baseline row, or the only one.
        "where": Shape::Sql,
    }
}

group! {
    /// A marker that says that a dataset is complete.
    pub(super) static READY = "ready" {
        /// The name of the marker file inside the dataset's directory.
        required "marker": Shape::Text,
        /// How long to wait for it. Default: 0s, refuse at once.
        "wait": Shape::Duration,
    }
}

group! {
    /// How CSV files are written.
    pub(super) static CSV = "csv" {
        /// What separates fields. Default: a comma, a tab for `.tsv`.
        "delimiter": Shape::Character,
        /// What encloses a field. Default: `"`.
        "quote": Shape::Character,
        /// What stands before a quote inside quotes. Default: none, a quote is doubled.
        "escape": Shape::Character,
        /// Whether the first row names the columns (default: true), or the names where it does not.
        "header": Shape::AnyOf(&[Shape::Flag, Shape::Filled(&Shape::Text)]),
        /// The encoding, such as `windows-1252`. Default: utf-8.
        "encoding": Shape::Text,
        /// How files are compressed. Default: by their extension.
        "compression": Shape::Word(|| names(Compression::WORDS)),
        /// Texts that mean NULL, besides the unquoted empty field.
        "null_values": Shape::List(&Shape::Value),
        /// `infer` (default): the narrowest type that fits every value. `text`: every column is
        /// text.
        "types": Shape::Word(|| names(CSV_TYPES)),
        /// What an unquoted empty field is: `"null"` (default) or `text`, where `null_values` marks
        /// NULL.
        "empty": Shape::Word(|| names(EMPTY_FIELDS)),
        /// What stands before the fraction of a number: `.` (default) or `,`.
        "decimal": Shape::Word(|| names(DECIMALS)),
        /// How dates are written, such as `%d.%m.%Y`; two patterns where times are written too.
        /// Default: as ISO 8601.
        "dates": NAMES,
    }
}

group! {
    /// Which columns take part, and under which names and types.
    pub(super) static COLUMNS = "columns" {
        /// The columns that are compared, besides the key; `*` stands for any characters. Default:
        /// all.
        "include": NAMES,
        /// Columns that are not compared; `*` stands for any characters.
        "exclude": Shape::AnyOf(&[Shape::Text, Shape::List(&Shape::Text)]),
        /// From shadow's name to live's; or, per side, from the old name to the new one.
        "rename": per_side(&Shape::Map(&Shape::Text)),
        /// Types that columns are turned into, by the names after renames.
        "cast": per_side(&TYPES),
        /// Columns made by SQL over one row; added, or put in the place of the column of that name.
        "derive": Shape::Map(&Shape::Sides(&Shape::Sql)),
    }
}

group! {
    /// An expected change. What it leaves out does not limit it.
    pub(super) static RULE = "rule" {
        /// Named in the result; unique.
        required "name": Shape::Text,
        /// The accounts that may change. Default: all.
        "accounts": Shape::Group(&ACCOUNTS),
        /// The columns whose cells may change; `*` stands for any characters. Without: the whole
        /// row, missing and duplicate rows too.
        "columns": NAMES,
        /// The kinds of differences. Default: `changed` with `columns`, all without.
        "kinds": Shape::AnyOf(&[Shape::Word(|| names(DifferenceKind::WORDS)), Shape::Filled(&Shape::Word(|| names(DifferenceKind::WORDS)))]),
        /// How far a value may move. Never covers NULL against a value.
        "within": Shape::Group(&WITHIN),
        /// SQL over live, shadow, live_row.x and shadow_row.x.
        "where": Shape::Sql,
        /// With fewer differences under the rule the change did not ship: the verdict breaks.
        "min": Shape::Count,
        /// With more differences under the rule the verdict breaks.
        "max": Shape::Count,
        /// The last day on which the rule holds.
        "until": Shape::Day,
    }
}

group! {
    /// How far a value may move; one bound that holds is enough.
    pub(super) static WITHIN = "within" {
        /// |shadow - live| is at most this.
        "absolute": Shape::Tolerance,
        /// |shadow - live| is at most this share of |baseline|.
        "relative": Shape::Tolerance,
        /// Times and dates are at most this far apart.
        "time": Shape::Duration,
    }
}

group! {
    /// What passes. Limits are inclusive; expected differences never count.
    pub(super) static VERDICT = "verdict" {
        /// Lines of the CSV, or a percentage of the matched rows. Default: 0.
        "max_exceptions": Shape::Limit,
        /// Accounts with exceptions: a count, or a percentage of the accounts. Default: no limit.
        "max_exception_accounts": Shape::Limit,
        /// Per column: excepted cells, or a percentage of the rows that both sides have.
        "max_column_mismatch": Shape::Map(&Shape::Limit),
        /// The kinds of columns of one side only that pass: added, removed. Default: none.
        "schema_changes": Shape::List(&Shape::Word(|| names(SCHEMA_CHANGES))),
        /// Whether columns may differ in type. Default: allow.
        "type_changes": Shape::Word(|| names(ALLOW_OR_FAIL)),
        /// Whether a rule may cover nothing. Default: allow.
        "unused_rules": Shape::Word(|| names(ALLOW_OR_FAIL)),
        /// Whether comparing nothing may pass. Default: false.
        "allow_empty": Shape::Flag,
        /// `report` (default): what differs counts, noise or not. `subtract`: only what the noise
        /// does not explain.
        "noise": Shape::Word(|| names(NOISE_VERDICTS)),
    }
}

group! {
    /// What the live version differs from itself by. At least one of the two.
    pub(super) static NOISE = "noise" {
        /// What a second run of the live version wrote, read as `live` is.
        "live_again": NAMES,
        /// Where the result of comparing live with it goes, or lies. Default: the output's name
        /// with `-noise` behind it.
        "result": Shape::Text,
    }
}

group! {
    /// Where the result goes, and its form.
    pub(super) static OUTPUT = "output" {
        /// A directory or a URL. Default: the command line says it.
        "to": Shape::Text,
        /// The most lines that are listed; all counts stay exact. Default: no limit.
        "max_differences": Shape::Count,
        /// The accounts that accounts.csv lists: those that differ, or all that were compared.
        /// Default: differing.
        "accounts": Shape::Word(|| names(LISTED_ACCOUNTS)),
        /// Keeps what `judge` needs to try other rules. Default: false.
        "judgeable": Shape::Flag,
        /// Columns whose values are kept with each difference: they tell patterns apart, and are
        /// for `judge`, `suggest` and differences.parquet. Default: none.
        "attributes": NAMES,
        /// Writes the listed differences as Parquet too. Default: false.
        "parquet": Shape::Flag,
        /// Tells of each compared column how many values are NULL on each side, and of numbers the
        /// sum, over all rows: reads both sides once more. Default: false.
        "totals": Shape::Flag,
        /// Defuses cells that a spreadsheet would run. Default: false.
        "spreadsheet_safe": Shape::Flag,
    }
}

/// Every group, the spec itself first.
pub(super) static GROUPS: &[&Group] = &[
    &SPEC,
    &BASELINE,
    &ACCOUNT_SOURCE,
    &ACCOUNTS,
    &READY,
    &CSV,
    &COLUMNS,
    &COMPARATOR,
    &TEXT,
    &RULE,
    &WITHIN,
    &VERDICT,
    &NOISE,
    &OUTPUT,
];
