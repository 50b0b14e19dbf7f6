//! Tells a summary of ours from any other JSON, and a finished result from a mixture: a summary names its tables with length and digest.

use super::SUMMARY_VERSION;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// A table of a result, as its summary names it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileMark {
    pub size_bytes: u64,
    /// Lower-case hex.
    pub sha256: String,
}

/// Tables by their file names.
pub type FileMarks = BTreeMap<String, FileMark>;

/// A place in a summary, and whether what stands there has its type.
type Mark = (&'static str, fn(&Value) -> bool);

/// What every summary of this version has.
const MARKS: [Mark; 8] = [
    ("/verdict", |v| matches!(v.as_str(), Some("pass" | "fail"))),
    ("/broken", Value::is_array),
    ("/rows/live/read", Value::is_u64),
    ("/rows/shadow/read", Value::is_u64),
    ("/differences/exceptions", Value::is_u64),
    ("/spec", Value::is_object),
    ("/pins/live", Value::is_array),
    ("/pins/shadow", Value::is_array),
];

/// Reads `text` as a summary of ours; the error says what it is instead. The name of a file proves nothing: many programs write a
/// `summary.json`.
pub fn own_summary(text: &[u8]) -> Result<Value, String> {
    let foreign = || "is not a summary of shadowdiff".to_owned();
    let summary: Value = serde_json::from_slice(text).map_err(|_| foreign())?;
    let version = summary["version"].as_u64().ok_or_else(foreign)?;
    if !MARKS.iter().all(|(place, is)| summary.pointer(place).is_some_and(is)) {
        return Err(foreign());
    }
    if version != u64::from(SUMMARY_VERSION) {
        return Err(format!("is of version {version}, this program reads version {SUMMARY_VERSION}"));
    }
    Ok(summary)
}

/// The tables that a summary names; none in results that were made before summaries named them.
pub fn files_of(summary: &Value) -> FileMarks {
    serde_json::from_value(summary["files"].clone()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const OURS: &str = r#"{"version": 1, "verdict": "pass", "broken": [], "rows": {"live": {"read": 1}, "shadow": {"read": 1}},
        "differences": {"listed": 0, "expected": 0, "exceptions": 0, "cut": 0}, "spec": {}, "pins": {"live": [], "shadow": []}}"#;

    #[test]
    fn only_our_own_summary_is_ours() {
        assert!(own_summary(OURS.as_bytes()).is_ok());
        for foreign in [
            "",
            "[]",
            "{}",
            "no JSON",
            r#"{"version": 1}"#,
            r#"{"version": 1, "verdict": "pass"}"#,
            &OURS.replace("pass", "ok"),
            &OURS.replace("pins", "pin"),
            &OURS.replace("\"version\": 1", "\"version\": \"1\""),
            &OURS.replace("\"version\": 1", "\"version\": 99"),
            &OURS[..OURS.len() - 1],
        ] {
            assert!(own_summary(foreign.as_bytes()).is_err(), "{foreign}");
        }
        let newer = own_summary(OURS.replace("\"version\": 1", "\"version\": 99").as_bytes());
        assert!(newer.expect_err("too new").contains("version 99"));
    }
}
