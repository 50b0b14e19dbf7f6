//! What a comparison would say by other rules, without a result of it.

use crate::publish::Staging;
use crate::rejudge::Rejudged;
use crate::result::ResultWriter;
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
    // All is counted; nothing is listed or kept.
    let mut plan = of.plan.clone();
    let output = &mut plan.spec.output;
    (output.max_differences, output.judgeable, output.parquet) = (Some(0), false, false);
    let staging = Staging::aside(&std::env::temp_dir())?;
    let writer = ResultWriter {
        plan: &plan,
        tells_rows: false,
        ..of.writer(document, scratch)
    };
    Ok(writer.write(&staging)?.0)
}
