//! `comparison.bin`: what a comparison found before its rules were asked, so that another spec can judge it without reading the data again.
//!
//! ```text
//! file    = "shadowdiff comparison\n", version u32, length u32, as many bytes of JSON (`ComparisonHead`)
//!           a record for each difference in order, an empty record, a record for each account in order where all are listed
//! record  = length u32, a difference (`core/src/difference.rs`), or an account (`core/src/report/seen.rs`)
//! ```
//! Numbers are little-endian. The file is for the program of the same version. What SQL said of a row on which it fails is in it as far as
//! it is known, so its bytes may depend on how the job was cut; nothing that is judged by them does.

use crate::merged_runs::MergedRuns;
use serde::{Deserialize, Serialize};
use shadowdiff_common::run::RunWriter;
use shadowdiff_common::spool::{Scratch, Spool, SpoolWriter};
use shadowdiff_core::align::Aligned;
use shadowdiff_core::difference::{Answers, Difference};
use shadowdiff_core::error::{Error, Result};
use shadowdiff_core::plan::{Pinned, Plan, Warning, WarningOrigin};
use shadowdiff_core::rejudge::Rejudge;
use shadowdiff_core::report::SeenAccount;
use shadowdiff_core::side::Sides;
use shadowdiff_core::spec::Day;
use shadowdiff_core::tally::Tally;
use std::io::{Read, Write};

const HEAD: &[u8] = b"shadowdiff comparison\n";
/// A file of another version is refused.
const VERSION: u32 = 2;
/// A longer head or record is none of ours.
const MAX_BYTES: u32 = 1 << 30;
/// What the merge holds of a run at a time.
const PART_BYTES: usize = 128 << 10;

/// All that a result is made of besides differences, rules and lists.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct ComparisonHead {
    /// As the summary shows it.
    pub(crate) document: serde_json::Value,
    pub(crate) aligned: Aligned,
    pub(crate) as_of: Day,
    pub(crate) pins: Sides<Vec<Pinned>>,
    /// Those that are not of the spec.
    pub(crate) warnings: Vec<Warning>,
    pub(crate) tally: Tally,
    /// Whether accounts were counted, though not listed.
    pub(crate) count_accounts: bool,
    pub(crate) lists_accounts: bool,
}

impl ComparisonHead {
    pub(crate) fn of(plan: &Plan, document: &serde_json::Value, tally: &Tally) -> ComparisonHead {
        let of_data = plan.warnings.iter().filter(|warning| warning.origin == WarningOrigin::Data);
        ComparisonHead {
            document: shadowdiff_core::redact::redacted_document(document.clone()),
            aligned: plan.aligned.clone(),
            as_of: plan.as_of,
            pins: plan.pins.clone(),
            warnings: of_data.cloned().collect(),
            tally: tally.clone(),
            count_accounts: plan.count_accounts,
            lists_accounts: plan.spec.output.accounts == shadowdiff_core::spec::ListedAccounts::All,
        }
    }

    pub(crate) fn write_head(&self, out: &mut dyn Write) -> Result<()> {
        let json = serde_json::to_vec(self).map_err(|e| Error::internal(format!("a comparison is not stored: {e}")))?;
        let length = u32::try_from(json.len()).map_err(|_| Error::internal("a comparison's head has more than 4 GiB"))?;
        [HEAD, &VERSION.to_le_bytes(), &length.to_le_bytes(), &json]
            .iter()
            .try_for_each(|part| out.write_all(part))
            .map_err(failed)
    }

    /// Reads what `write_head` wrote.
    pub(crate) fn read_head(from: &mut dyn Read) -> Result<ComparisonHead> {
        let mut head = [0; HEAD.len() + 4];
        from.read_exact(&mut head).map_err(|e| broken(&e.to_string()))?;
        if head != *[HEAD, &VERSION.to_le_bytes()].concat() {
            return Err(broken("it is of another version").advice("compare again with this program"));
        }
        let json = read_record(from)?.ok_or_else(|| broken("it has no head"))?;
        serde_json::from_slice(&json).map_err(|e| broken(&e.to_string()))
    }
}

fn failed(error: std::io::Error) -> Error {
    Error::exhausted(format!("comparison.bin cannot be written: {error}"))
}

fn broken(why: &str) -> Error {
    Error::input(format!("comparison.bin cannot be read: {why}"))
}

/// Ends the differences and writes all accounts behind them.
pub(crate) fn write_accounts(seen: &[Spool], scratch: &Scratch, out: &mut dyn Write) -> Result<()> {
    out.write_all(&0_u32.to_le_bytes()).map_err(failed)?;
    let mut accounts = MergedRuns::<SeenAccount>::new(seen, scratch)?;
    let mut record = Vec::new();
    while let Some(account) = accounts.next()? {
        record.clear();
        account.encode(&mut record);
        let length = u32::try_from(record.len()).map_err(|_| Error::internal("an account of more than 4 GiB"))?;
        out.write_all(&length.to_le_bytes())
            .and_then(|()| out.write_all(&record))
            .map_err(failed)?;
    }
    Ok(())
}

/// The differences with the answers that the new rules ask for, in a run.
pub(crate) fn read_differences(from: &mut dyn Read, rejudge: &mut Rejudge<'_>, scratch: &Scratch) -> Result<Spool> {
    let (mut run, mut answers) = (RunWriter::new(scratch, PART_BYTES), Vec::new());
    while let Some(record) = read_record(from)?.filter(|record| !record.is_empty()) {
        let difference = Difference::decode(&record)?;
        answers.clear();
        rejudge.answers(&difference, &mut answers)?;
        run.append(&Difference {
            answers: Answers::of(&answers),
            ..difference
        })?;
    }
    run.finish()
}

/// All accounts in a run, and how many there are.
pub(crate) fn read_accounts(from: &mut dyn Read, scratch: &Scratch) -> Result<(Spool, u64)> {
    let (mut run, mut count) = (SpoolWriter::new(scratch, PART_BYTES), 0);
    while let Some(record) = read_record(from)? {
        run.append(&record)?;
        count += 1;
    }
    Ok((run.finish()?, count))
}

/// `None` at the end of the file.
fn read_record(from: &mut dyn Read) -> Result<Option<Vec<u8>>> {
    let mut length = [0; 4];
    match from.read_exact(&mut length) {
        Err(e) if e.kind() == std::io::ErrorKind::UnexpectedEof => return Ok(None),
        Err(e) => return Err(broken(&e.to_string())),
        Ok(()) => {}
    }
    let length = u32::from_le_bytes(length);
    if length > MAX_BYTES {
        return Err(broken("a record is too long"));
    }
    let mut record = vec![0; length as usize];
    from.read_exact(&mut record).map_err(|e| broken(&e.to_string()))?;
    Ok(Some(record))
}
