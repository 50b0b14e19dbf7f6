//! Every field of a spec, once: its name, the shape of its value, what it means. The parser and the JSON Schema both read this.
//! Those of a comparator stand with it.

use super::comparator::{COMPARATOR, TEXT};
use super::group::{Group, NAMES, Shape, Words, field, names, required};
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
pub(super) const KINDS: Words<DifferenceKind> = &[
    ("changed", DifferenceKind::Changed),
    ("missing_in_shadow", DifferenceKind::MissingInShadow),
    ("missing_in_live", DifferenceKind::MissingInLive),
    ("duplicate_key", DifferenceKind::DuplicateKey),
];
pub(super) const COMPRESSIONS: Words<Compression> = &[
    ("none", Compression::None),
    ("gzip", Compression::Gzip),
    ("zstd", Compression::Zstd),
    ("bzip2", Compression::Bzip2),
    ("xz", Compression::Xz),
];

const ACCOUNT_LIST: Shape = Shape::List(&Shape::AnyOf(&[Shape::Value, Shape::Filled(&Shape::Value)]));

pub(super) static SPEC: Group = Group {
    name: "spec",
    about: "What to compare, and which differences are expected.",
    fields: &[
        field(
            "live",
            NAMES,
            "The live dataset: a directory, a glob, a file, or a list of them. Relative paths start at the spec's folder.",
        ),
        field("shadow", NAMES, "The shadow dataset, as `live`."),
        field(
            "baseline",
            Shape::AnyOf(&[Shape::Word(|| names(SIDES)), Shape::Group(&BASELINE)]),
            "Which side holds the old values: `live` (the default), `shadow`, or one of them with the accounts for which it is the other.",
        ),
        field(
            "account",
            NAMES,
            "The column or columns that name a customer. Always part of the key, and first in it.",
        ),
        field("key", NAMES, "The columns that name a row. Default: the account columns."),
        field(
            "where",
            per_side(&SQL),
            "SQL over one row; only rows for which it is true are compared.",
        ),
        field(
            "schema",
            per_side(&TYPES),
            "Types of columns by the names in the files. It saves the scan that finds types in CSV and JSON lines.",
        ),
        field("csv", per_side(&Shape::Group(&CSV)), "How CSV files are written."),
        field(
            "ready",
            per_side(&READINESS),
            "A marker file, such as `_SUCCESS`, that must be in the dataset before it is read.",
        ),
        field(
            "columns",
            Shape::Group(&COLUMNS),
            "Which columns take part, and under which names and types.",
        ),
        field(
            "comparators",
            Shape::List(&Shape::Group(&COMPARATOR)),
            "How values are compared, per column. A column that no entry names is compared exactly.",
        ),
        field(
            "expected",
            Shape::List(&Shape::Group(&RULE)),
            "The rules, in order: the first that covers a difference names it. All else is an exception.",
        ),
        field(
            "accepted",
            Shape::Text,
            "A file of differences that are accepted for a time though no rule expects them. `shadowdiff accept` writes it.",
        ),
        field(
            "noise",
            Shape::Group(&NOISE),
            "What the live version differs from itself by, from run to run.",
        ),
        field("verdict", Shape::Group(&VERDICT), "What passes."),
        field(
            "as_of",
            Shape::Day,
            "The day that `until` is compared with. Default: the day the job is planned.",
        ),
        field(
            "output",
            Shape::AnyOf(&[Shape::Text, Shape::Group(&OUTPUT)]),
            "Where the result goes: a directory or a URL, or a mapping with more to say.",
        ),
    ],
};

pub(super) const SQL: Shape = Shape::Sql;
pub(super) const TYPES: Shape = Shape::Map(&Shape::Type);
pub(super) const READINESS: Shape = Shape::AnyOf(&[Shape::Text, Shape::Group(&READY)]);

/// A value for both sides, or one a side.
pub(super) const fn per_side(shape: &'static Shape) -> Shape {
    Shape::Sides(shape)
}

pub(super) static BASELINE: Group = Group {
    name: "baseline",
    about: "The side that holds the old values, and the accounts for which it is the other one.",
    fields: &[
        required(
            "default",
            Shape::Word(|| names(SIDES)),
            "The baseline of all accounts that are not listed.",
        ),
        field(
            "shadow_for",
            Shape::Group(&ACCOUNT_SOURCE),
            "With `default: live`: the accounts whose baseline is shadow, because they were switched over.",
        ),
        field(
            "live_for",
            Shape::Group(&ACCOUNT_SOURCE),
            "With `default: shadow`: the accounts whose baseline is still live.",
        ),
    ],
};

pub(super) static ACCOUNT_SOURCE: Group = Group {
    name: "account_source",
    about: "Accounts: listed here, or in a file. Exactly one of the two.",
    fields: &[
        field(
            "list",
            ACCOUNT_LIST,
            "The accounts. With several account columns each is a list of values.",
        ),
        field(
            "file",
            Shape::Text,
            "A CSV file with one account a line: the column named like the account column, else the first.",
        ),
    ],
};

pub(super) static ACCOUNTS: Group = Group {
    name: "accounts",
    about: "The accounts that a rule is about. Exactly one of the three.",
    fields: &[
        field(
            "list",
            ACCOUNT_LIST,
            "The accounts. With several account columns each is a list of values.",
        ),
        field(
            "file",
            Shape::Text,
            "A CSV file with one account a line: the column named like the account column, else the first.",
        ),
        field("where", Shape::Sql, "SQL over the baseline row, or the only one."),
    ],
};

pub(super) static READY: Group = Group {
    name: "ready",
    about: "A marker that says that a dataset is complete.",
    fields: &[
        required("marker", Shape::Text, "The name of the marker file inside the dataset's directory."),
        field("wait", Shape::Duration, "How long to wait for it. Default: 0s, refuse at once."),
    ],
};

pub(super) static CSV: Group = Group {
    name: "csv",
    about: "How CSV files are written.",
    fields: &[
        field(
            "delimiter",
            Shape::Character,
            "What separates fields. Default: a comma, a tab for `.tsv`.",
        ),
        field("quote", Shape::Character, "What encloses a field. Default: `\"`."),
        field(
            "escape",
            Shape::Character,
            "What stands before a quote inside quotes. Default: none, a quote is doubled.",
        ),
        field(
            "header",
            Shape::AnyOf(&[Shape::Flag, Shape::Filled(&Shape::Text)]),
            "Whether the first row names the columns (default: true), or the names where it does not.",
        ),
        field("encoding", Shape::Text, "The encoding, such as `windows-1252`. Default: utf-8."),
        field(
            "compression",
            Shape::Word(|| names(COMPRESSIONS)),
            "How files are compressed. Default: by their extension.",
        ),
        field(
            "null_values",
            Shape::List(&Shape::Value),
            "Texts that mean NULL, besides the unquoted empty field.",
        ),
        field(
            "types",
            Shape::Word(|| names(CSV_TYPES)),
            "`infer` (default): the narrowest type that fits every value. `text`: every column is text.",
        ),
        field(
            "empty",
            Shape::Word(|| names(EMPTY_FIELDS)),
            "What an unquoted empty field is: `\"null\"` (default) or `text`, where `null_values` marks NULL.",
        ),
        field(
            "decimal",
            Shape::Word(|| names(DECIMALS)),
            "What stands before the fraction of a number: `.` (default) or `,`.",
        ),
        field(
            "dates",
            NAMES,
            "How dates are written, such as `%d.%m.%Y`; two patterns where times are written too. Default: as ISO 8601.",
        ),
    ],
};

pub(super) static COLUMNS: Group = Group {
    name: "columns",
    about: "Which columns take part, and under which names and types.",
    fields: &[
        field(
            "include",
            NAMES,
            "The columns that are compared, besides the key; `*` stands for any characters. Default: all.",
        ),
        field(
            "exclude",
            Shape::AnyOf(&[Shape::Text, Shape::List(&Shape::Text)]),
            "Columns that are not compared; `*` stands for any characters.",
        ),
        field(
            "rename",
            per_side(&Shape::Map(&Shape::Text)),
            "From shadow's name to live's; or, per side, from the old name to the new one.",
        ),
        field(
            "cast",
            per_side(&TYPES),
            "Types that columns are turned into, by the names after renames.",
        ),
        field(
            "derive",
            Shape::Map(&Shape::Sides(&Shape::Sql)),
            "Columns made by SQL over one row; added, or put in the place of the column of that name.",
        ),
    ],
};

pub(super) static RULE: Group = Group {
    name: "rule",
    about: "An expected change. What it leaves out does not limit it.",
    fields: &[
        required("name", Shape::Text, "Named in the result; unique."),
        field("accounts", Shape::Group(&ACCOUNTS), "The accounts that may change. Default: all."),
        field(
            "columns",
            NAMES,
            "The columns whose cells may change; `*` stands for any characters. Without: the whole row, missing and duplicate rows too.",
        ),
        field(
            "kinds",
            Shape::AnyOf(&[Shape::Word(|| names(KINDS)), Shape::Filled(&Shape::Word(|| names(KINDS)))]),
            "The kinds of differences. Default: `changed` with `columns`, all without.",
        ),
        field(
            "within",
            Shape::Group(&WITHIN),
            "How far a value may move. Never covers NULL against a value.",
        ),
        field("where", Shape::Sql, "SQL over live, shadow, live_row.x and shadow_row.x."),
        field(
            "min",
            Shape::Count,
            "With fewer differences under the rule the change did not ship: the verdict breaks.",
        ),
        field("max", Shape::Count, "With more differences under the rule the verdict breaks."),
        field("until", Shape::Day, "The last day on which the rule holds."),
    ],
};

pub(super) static WITHIN: Group = Group {
    name: "within",
    about: "How far a value may move; one bound that holds is enough.",
    fields: &[
        field("absolute", Shape::Tolerance, "|shadow - live| is at most this."),
        field("relative", Shape::Tolerance, "|shadow - live| is at most this share of |baseline|."),
        field("time", Shape::Duration, "Times and dates are at most this far apart."),
    ],
};

pub(super) static VERDICT: Group = Group {
    name: "verdict",
    about: "What passes. Limits are inclusive; expected differences never count.",
    fields: &[
        field(
            "max_exceptions",
            Shape::Limit,
            "Lines of the CSV, or a percentage of the matched rows. Default: 0.",
        ),
        field(
            "max_exception_accounts",
            Shape::Limit,
            "Accounts with exceptions: a count, or a percentage of the accounts. Default: no limit.",
        ),
        field(
            "max_column_mismatch",
            Shape::Map(&Shape::Limit),
            "Per column: excepted cells, or a percentage of the rows that both sides have.",
        ),
        field(
            "schema_changes",
            Shape::List(&Shape::Word(|| names(SCHEMA_CHANGES))),
            "The kinds of columns of one side only that pass: added, removed. Default: none.",
        ),
        field(
            "type_changes",
            Shape::Word(|| names(ALLOW_OR_FAIL)),
            "Whether columns may differ in type. Default: allow.",
        ),
        field(
            "unused_rules",
            Shape::Word(|| names(ALLOW_OR_FAIL)),
            "Whether a rule may cover nothing. Default: allow.",
        ),
        field("allow_empty", Shape::Flag, "Whether comparing nothing may pass. Default: false."),
        field(
            "noise",
            Shape::Word(|| names(NOISE_VERDICTS)),
            "`report` (default): what differs counts, noise or not. `subtract`: only what the noise does not explain.",
        ),
    ],
};

pub(super) static NOISE: Group = Group {
    name: "noise",
    about: "What the live version differs from itself by. At least one of the two.",
    fields: &[
        field(
            "live_again",
            NAMES,
            "What a second run of the live version wrote, read as `live` is.",
        ),
        field(
            "result",
            Shape::Text,
            "Where the result of comparing live with it goes, or lies. Default: the output's name with `-noise` behind it.",
        ),
    ],
};

pub(super) static OUTPUT: Group = Group {
    name: "output",
    about: "Where the result goes, and its form.",
    fields: &[
        field("to", Shape::Text, "A directory or a URL. Default: the command line says it."),
        field(
            "max_differences",
            Shape::Count,
            "The most lines that are listed; all counts stay exact. Default: no limit.",
        ),
        field(
            "accounts",
            Shape::Word(|| names(LISTED_ACCOUNTS)),
            "The accounts that accounts.csv lists: those that differ, or all that were compared. Default: differing.",
        ),
        field(
            "judgeable",
            Shape::Flag,
            "Keeps what `judge` needs to try other rules. Default: false.",
        ),
        field(
            "attributes",
            NAMES,
            "Columns whose values are kept with each difference: they tell patterns apart, and are for `judge`, `suggest` and differences.parquet. Default: none.",
        ),
        field(
            "parquet",
            Shape::Flag,
            "Writes the listed differences as Parquet too. Default: false.",
        ),
        field(
            "totals",
            Shape::Flag,
            "Tells of each compared column how many values are NULL on each side, and of numbers the sum, over all rows: reads both sides once more. Default: false.",
        ),
        field(
            "spreadsheet_safe",
            Shape::Flag,
            "Defuses cells that a spreadsheet would run. Default: false.",
        ),
    ],
};

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
