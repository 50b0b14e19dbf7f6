//! What `timings.rungs` of a summary must hold: each row that was read, and not filtered, has ended on one rung.

use serde_json::Value;

/// Holds the rows of all rungs against the books.
pub fn check(summary: &Value) -> Result<(), String> {
    let rungs = summary["timings"]["rungs"].as_object().into_iter().flatten();
    let ended: u64 = rungs.filter_map(|(_, rung)| rung["rows"].as_u64()).sum();
    let of = |side: &str, field: &str| summary["rows"][side][field].as_u64().unwrap_or(0);
    let read: u64 = ["live", "shadow"].iter().map(|side| of(side, "read") - of(side, "filtered")).sum();
    match ended == read {
        true => Ok(()),
        false => Err(format!(
            "{ended} rows have ended on a rung, {read} were read: {}",
            summary["timings"]["rungs"]
        )),
    }
}
