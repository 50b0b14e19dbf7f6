//! The files of a result. Tells a summary of ours from any other JSON, and a finished result from a mixture: a summary names its tables
//! with length and digest.

use super::{SUMMARY_VERSION, Summary};
use crate::error::{Error, Result};
use crate::shorten::excerpt;
use crate::side::Sides;
use crate::verdict::Verdict;
use crate::words::words;
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::fmt;

words! {
    /// A file of a result, in the order in which they are put. It is stored and sent as its name.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
    #[serde(try_from = "String", into = "&str")]
    pub enum ResultFile {
        Diff = "diff.csv",
        Accounts = "accounts.csv",
        /// Where the spec asks for it.
        Differences = "differences.parquet",
        /// Where the spec asks for it: what another spec can judge.
        Comparison = "comparison.bin",
        /// Put last: it makes a result count.
        Summary = "summary.json",
    }
}

impl ResultFile {
    /// Those that the summary names, as far as the result has them.
    pub const TABLES: [ResultFile; 4] = [
        ResultFile::Diff,
        ResultFile::Accounts,
        ResultFile::Differences,
        ResultFile::Comparison,
    ];
    /// Those that not every result has.
    pub const OPTIONAL: [ResultFile; 2] = [ResultFile::Differences, ResultFile::Comparison];

    /// Whether a result may be without it.
    pub fn is_optional(self) -> bool {
        ResultFile::OPTIONAL.contains(&self)
    }
}

impl fmt::Display for ResultFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl AsRef<str> for ResultFile {
    fn as_ref(&self) -> &str {
        self.name()
    }
}

impl From<ResultFile> for &str {
    fn from(file: ResultFile) -> Self {
        file.name()
    }
}

impl TryFrom<String> for ResultFile {
    type Error = Error;

    fn try_from(name: String) -> Result<ResultFile> {
        let named = ResultFile::ALL.into_iter().find(|file| file.name() == name);
        named.ok_or_else(|| {
            Error::spec(format!("no result has a file `{}`", excerpt(&name))).did_you_mean(&name, ResultFile::ALL.map(ResultFile::name))
        })
    }
}

/// By name, as a summary lists them.
impl Ord for ResultFile {
    fn cmp(&self, other: &Self) -> Ordering {
        self.name().cmp(other.name())
    }
}

impl PartialOrd for ResultFile {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// A table of a result, as its summary names it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileMark {
    pub size_bytes: u64,
    /// Lower-case hex.
    pub sha256: String,
}

pub type FileMarks = BTreeMap<ResultFile, FileMark>;

/// What a summary of any version has.
#[derive(Deserialize)]
struct Outline {
    version: u32,
    #[serde(rename = "verdict")]
    _verdict: Verdict,
    #[serde(rename = "broken")]
    _broken: Vec<String>,
    #[serde(rename = "pins")]
    _pins: Sides<Vec<IgnoredAny>>,
}

/// Reads `text` as a summary of ours; the error says what it is instead. The name of a file proves nothing: many programs write a
/// `summary.json`.
pub fn own_summary(text: &[u8]) -> Result<Summary, String> {
    let foreign = |_| "is not a summary of shadowdiff".to_owned();
    let Outline { version, .. } = serde_json::from_slice(text).map_err(foreign)?;
    if version != SUMMARY_VERSION {
        return Err(format!("is of version {version}, this program reads version {SUMMARY_VERSION}"));
    }
    serde_json::from_slice(text).map_err(foreign)
}

#[cfg(test)]
mod tests {
    use super::*;

    const OURS: &str = include_str!("../../tests/golden/summary.json");

    #[test]
    fn only_our_own_summary_is_ours() {
        let ours = own_summary(OURS.as_bytes()).expect("it is ours");
        assert_eq!(serde_json::to_string_pretty(&ours).expect("it is written") + "\n", OURS);
        for foreign in [
            "",
            "[]",
            "{}",
            "no JSON",
            r#"{"version": 1}"#,
            r#"{"version": 1, "verdict": "pass"}"#,
            &OURS.replace("\"fail\"", "\"ok\""),
            &OURS.replace("pins", "pin"),
            &OURS.replace("\"version\": 1", "\"version\": \"1\""),
            &OURS.replace("\"version\": 1", "\"version\": 99"),
            &OURS[..OURS.len() / 2],
        ] {
            assert!(own_summary(foreign.as_bytes()).is_err(), "{foreign}");
        }
        let newer = own_summary(OURS.replace("\"version\": 1", "\"version\": 99").as_bytes());
        assert!(newer.expect_err("too new").contains("version 99"));
    }
}
