//! The content of a spec after parsing: complete, typed, defaults filled in, not yet held against any data.

use super::comparator::Comparator;
use super::duration::Duration;
use super::scalars::{count, tolerance};
use crate::error::{Error, Result};
use crate::side::{Side, Sides};
pub use crate::value::Day;
use crate::value::{Number, TextForm, Tolerance, ValueType};
use crate::words::words;
use serde::{Deserialize, Serialize};

/// Everything that can change a byte of the result.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Spec {
    pub sides: Sides<DatasetSpec>,
    pub baseline: BaselineSpec,
    /// Never empty.
    pub account: Vec<String>,
    /// In the order they are sorted by: the account columns first, then the others as written. Never empty.
    pub key: Vec<String>,
    /// SQL over one row, a side each.
    pub filter: Sides<Option<String>>,
    pub columns: Columns,
    pub comparators: Vec<ComparatorEntry>,
    pub expected: Vec<Expected>,
    /// A file of acceptances.
    pub accepted: Option<String>,
    /// What the live version differs from itself by.
    pub noise: Option<NoiseSpec>,
    pub verdict: VerdictSpec,
    /// Absent: the day the job is planned.
    pub as_of: Option<Day>,
    pub output: OutputSpec,
}

impl Spec {
    /// Whether it names files, besides its data, by paths that start where it lies.
    pub fn reads_beside(&self) -> bool {
        let of_rule = |rule: &Expected| match &rule.accounts {
            Some(AccountScope::Source(source)) => Some(source.clone()),
            Some(AccountScope::Where(_)) | None => None,
        };
        let lists = self
            .baseline
            .flipped
            .clone()
            .into_iter()
            .chain(self.expected.iter().filter_map(of_rule));
        let files = lists.filter_map(|source| match source {
            ListSource::File(path) => Some(path),
            ListSource::List(_) => None,
        });
        let is_beside = |path: String| !path.contains("://") && !std::path::Path::new(&path).is_absolute();
        let noise = self.noise.as_ref().and_then(|noise| noise.result.clone());
        files.chain(self.accepted.clone()).chain(noise).any(is_beside)
    }
}

/// The columns of `diff.csv` after the key's: no key column may be called like one of them.
pub const OUTPUT_COLUMNS: [&str; 10] = [
    "kind",
    "column",
    "live",
    "shadow",
    "delta",
    "relative_delta",
    "comparator",
    "rule",
    "verdict",
    "diagnosis",
];

/// One side's files and how to read them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DatasetSpec {
    /// Files, directories, globs or URLs as written; never empty.
    pub paths: Vec<String>,
    /// `schema:`, column name (as in the files) to type, in the order written.
    pub schema: Vec<(String, ValueType)>,
    pub csv: CsvOptions,
    pub ready: Option<Ready>,
}

/// A marker that must be there before the dataset is read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ready {
    /// A file name inside the dataset's directory.
    pub marker: String,
    /// How long to wait for it; 0 refuses at once.
    pub wait_ms: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CsvOptions {
    /// `None`: comma, or tab for `.tsv`.
    pub delimiter: Option<u8>,
    pub quote: u8,
    /// Byte that escapes a quote or itself inside quotes, where doubling is not used.
    pub escape: Option<u8>,
    pub header: Header,
    /// An encoding label of the WHATWG Encoding Standard, such as `utf-8` or `windows-1252`.
    pub encoding: String,
    /// `None`: by extension.
    pub compression: Option<Compression>,
    /// Texts that mean NULL where they are not quoted, besides the empty field.
    pub null_values: Vec<String>,
    pub types: CsvTypes,
    pub empty: EmptyField,
    /// How numbers and dates are written: `decimal` and `dates`.
    pub form: TextForm,
}

/// What an unquoted empty field is, unless `null_values` names the empty text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum EmptyField {
    Null,
    Text,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Header {
    /// The first row names the columns.
    Present,
    /// No header: columns are named `column_1`, `column_2`, …
    Absent,
    /// No header: these are the names.
    Names(Vec<String>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum CsvTypes {
    /// The narrowest type that fits every value.
    Infer,
    /// Every column is text unless `schema` or `cast` says otherwise.
    Text,
}

words! {
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
    pub enum Compression {
        None = "none",
        Gzip = "gzip",
        Zstd = "zstd",
        Bzip2 = "bzip2",
        Xz = "xz",
    }
}

impl Default for CsvOptions {
    fn default() -> Self {
        CsvOptions {
            delimiter: None,
            quote: b'"',
            escape: None,
            header: Header::Present,
            encoding: "utf-8".into(),
            compression: None,
            null_values: Vec::new(),
            types: CsvTypes::Infer,
            empty: EmptyField::Null,
            form: TextForm::default(),
        }
    }
}

/// Which side holds the old values.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BaselineSpec {
    pub default: Side,
    /// Accounts whose baseline is the other side of `default`.
    pub flipped: Option<ListSource>,
}

/// A list of accounts: in the spec, or in a file (CSV; a column named like the account column, else the first).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum ListSource {
    /// Account values as text; with several account columns, one inner list an account.
    List(Vec<Vec<String>>),
    File(String),
}

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Columns {
    /// Empty: all.
    pub include: Vec<Pattern>,
    /// Of those included.
    pub exclude: Vec<Pattern>,
    /// A side each: the name in the files, the name in the comparison.
    pub rename: Sides<Vec<(String, String)>>,
    /// A side each: column name (after renames), type.
    pub cast: Sides<Vec<(String, ValueType)>>,
    /// A side each: column name, SQL over one row. Applied after renames and casts.
    pub derive: Sides<Vec<(String, String)>>,
}

impl Columns {
    /// The name in the comparison of a column of a side's files.
    pub fn renamed<'a>(&'a self, side: Side, source: &'a str) -> &'a str {
        let rename = self.rename[side].iter().find(|(from, _)| from == source);
        rename.map_or(source, |(_, to)| to)
    }

    /// The name in a side's files of a column of the comparison.
    pub fn source_of<'a>(&'a self, side: Side, name: &'a str) -> &'a str {
        let rename = self.rename[side].iter().find(|(_, to)| to == name);
        rename.map_or(name, |(from, _)| from)
    }

    /// Whether a column, or a member of a struct by its path, takes no part. Keys do whatever this says.
    pub fn leaves_out(&self, name: &str) -> bool {
        self.excludes(name) || !self.includes(name)
    }

    /// Whether `include` may take something inside of a column, whatever that holds.
    pub fn may_include_inside(&self, name: &str) -> bool {
        self.include.iter().any(|pattern| {
            let literal = pattern.0.split('*').next().unwrap_or_default();
            let is_inside = literal.strip_prefix(name).is_some_and(|rest| rest.starts_with(['.', '[']));
            is_inside || (!pattern.is_exact() && name.starts_with(literal))
        })
    }

    pub fn excludes(&self, name: &str) -> bool {
        self.exclude.iter().any(|pattern| pattern.matches(name))
    }

    /// Whether `include` takes a column itself, or a struct, list or map around it.
    pub fn includes(&self, name: &str) -> bool {
        let takes = |name: &str| self.include.iter().any(|pattern| pattern.matches(name));
        self.include.is_empty() || takes(name) || name.match_indices(['.', '[']).any(|(end, _)| takes(&name[..end]))
    }
}

/// A column name in which `*` stands for any run of characters.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Pattern(pub String);

impl Pattern {
    pub fn is_exact(&self) -> bool {
        !self.0.contains('*')
    }

    pub fn matches(&self, name: &str) -> bool {
        glob(self.0.as_bytes(), name.as_bytes())
    }
}

/// Greedy matching of `*` with one step back: linear for one star, quadratic at worst.
fn glob(pattern: &[u8], text: &[u8]) -> bool {
    let (mut p, mut t) = (0, 0);
    let mut back: Option<(usize, usize)> = None;
    while t < text.len() {
        if p < pattern.len() && pattern[p] == b'*' {
            back = Some((p + 1, t));
            p += 1;
        } else if p < pattern.len() && pattern[p] == text[t] {
            p += 1;
            t += 1;
        } else if let Some((after_star, from)) = back {
            back = Some((after_star, from + 1));
            p = after_star;
            t = from + 1;
        } else {
            return false;
        }
    }
    pattern[p..].iter().all(|c| *c == b'*')
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ComparatorEntry {
    pub columns: Vec<Pattern>,
    pub comparator: Comparator,
}

words! {
    /// The kind of a difference, in the order in which ties are listed.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
    #[serde(rename_all = "snake_case")]
    pub enum DifferenceKind {
        Changed = "changed",
        MissingInShadow = "missing_in_shadow",
        MissingInLive = "missing_in_live",
        DuplicateKey = "duplicate_key",
    }
}

/// An entry of `expected:`: a rule.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Expected {
    pub name: String,
    /// `None`: every account.
    pub accounts: Option<AccountScope>,
    /// Empty: the whole row, row-level kinds too.
    pub columns: Vec<Pattern>,
    /// Empty: `[changed]` with columns, every kind without.
    pub kinds: Vec<DifferenceKind>,
    pub within: Option<Within>,
    /// SQL over `live`, `shadow`, `live_row.x`, `shadow_row.x`.
    pub filter: Option<String>,
    /// In lines of the CSV.
    pub min: Option<u64>,
    pub max: Option<u64>,
    pub until: Option<Day>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum AccountScope {
    Source(ListSource),
    /// SQL over the baseline row, or the only one.
    Where(String),
}

/// How far an expected change may go; either bound may hold.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Within {
    pub absolute: Option<Tolerance>,
    pub relative: Option<Tolerance>,
    #[serde(rename = "time_ns")]
    pub time: Option<Duration>,
}

/// A count, or a share; 1 is all. A share of exceptions may be more: a row can have many.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Limit {
    Count(u64),
    Share(Number),
}

impl Limit {
    /// A count such as `10`, or a share such as `5%`.
    pub fn parse(text: &str) -> Result<Limit> {
        if text.ends_with('%') {
            return tolerance(text).map(|share| Limit::Share(share.into()));
        }
        count(text)
            .map(Limit::Count)
            .map_err(|_| Error::spec(format!("`{text}` is not a limit")).advice("write a count such as 10, or a percentage such as 5%"))
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum SchemaChange {
    Added,
    Removed,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct VerdictSpec {
    pub max_exceptions: Limit,
    pub max_exception_accounts: Option<Limit>,
    pub max_column_mismatch: Vec<(Pattern, Limit)>,
    pub schema_changes: Vec<SchemaChange>,
    pub type_changes_fail: bool,
    pub unused_rules_fail: bool,
    pub allow_empty: bool,
    /// Whether differences that are like the noise count no more than it explains.
    pub subtracts_noise: bool,
}

/// A second run of the live version, and the result of comparing live with it; at least one is there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NoiseSpec {
    pub live_again: Vec<String>,
    pub result: Option<String>,
}

impl Default for VerdictSpec {
    fn default() -> Self {
        VerdictSpec {
            max_exceptions: Limit::Count(0),
            max_exception_accounts: None,
            max_column_mismatch: Vec::new(),
            schema_changes: Vec::new(),
            type_changes_fail: false,
            unused_rules_fail: false,
            allow_empty: false,
            subtracts_noise: false,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct OutputSpec {
    /// Where the result goes; `None` until the command line names it.
    pub to: Option<String>,
    pub max_differences: Option<u64>,
    pub accounts: ListedAccounts,
    /// Whether the differences come as Parquet too.
    pub parquet: bool,
    /// Whether what was found is kept for `judge`.
    pub judgeable: bool,
    /// Whether both sides are read once more for what each column holds over all rows.
    pub totals: bool,
    /// Columns whose values are kept with each difference.
    pub attributes: Vec<String>,
    pub spreadsheet_safe: bool,
}

/// Which accounts `accounts.csv` lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum ListedAccounts {
    #[default]
    Differing,
    All,
}
