//! The files of a result. Tells a summary of ours from any other JSON, and a finished result from a mixture: a summary names its tables
//! with length and digest.

use super::{SUMMARY_VERSION, Summary};
use crate::side::Sides;
use crate::verdict::Verdict;
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A file of a result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResultFile {
    Diff,
    Accounts,
    /// Where the spec asks for it.
    Differences,
    /// Where the spec asks for it: what another spec can judge.
    Comparison,
    /// Put last: it makes a result count.
    Summary,
}

impl ResultFile {
    /// In the order in which they are put.
    pub const ALL: [ResultFile; 5] = [
        ResultFile::Diff,
        ResultFile::Accounts,
        ResultFile::Differences,
        ResultFile::Comparison,
        ResultFile::Summary,
    ];
    /// Those that the summary names, as far as the result has them.
    pub const TABLES: [ResultFile; 4] = [
        ResultFile::Diff,
        ResultFile::Accounts,
        ResultFile::Differences,
        ResultFile::Comparison,
    ];
    /// Those that not every result has.
    pub const OPTIONAL: [ResultFile; 2] = [ResultFile::Differences, ResultFile::Comparison];

    pub const fn name(self) -> &'static str {
        match self {
            ResultFile::Diff => "diff.csv",
            ResultFile::Accounts => "accounts.csv",
            ResultFile::Differences => "differences.parquet",
            ResultFile::Comparison => "comparison.bin",
            ResultFile::Summary => "summary.json",
        }
    }
}

/// A table of a result, as its summary names it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileMark {
    pub size_bytes: u64,
    /// Lower-case hex.
    pub sha256: String,
}

/// Tables by their file names.
pub type FileMarks = BTreeMap<String, FileMark>;

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
