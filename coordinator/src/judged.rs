//! What a comparison would say by other rules, without a result of it.

use crate::publish::Staging;
use crate::rejudge::Rejudged;
use serde::Serialize;
use shadowdiff_common::spool::Scratch;
use shadowdiff_core::error::Result;
use shadowdiff_core::report::Summary;
use shadowdiff_core::verdict::Verdict;

/// What the verdict would be.
#[derive(Debug, PartialEq, Serialize)]
pub struct Judged {
    pub verdict: Verdict,
    /// In all columns, and rows.
    pub exceptions: u64,
    pub broken: Vec<String>,
}

impl Judged {
    pub(crate) fn of(summary: &Summary) -> Judged {
        Judged {
            verdict: summary.verdict,
            exceptions: summary.differences.exceptions,
            broken: summary.broken.clone(),
        }
    }
}

/// What a result of this would say.
pub(crate) fn judged(of: &Rejudged, document: &serde_json::Value, scratch: &Scratch) -> Result<Summary> {
    let staging = Staging::aside(&std::env::temp_dir())?;
    Ok(of.writer(document, scratch).write(&staging)?.0)
}
