//! What a scan task keeps of the accounts that it sees, for a list of all of them: each with its rows of both sides, spilled in sorted runs.

use crate::job::Job;
use arrow_array::ArrayRef;
use shadowdiff_common::spool::{Spool, SpoolWriter};
use shadowdiff_core::error::Result;
use shadowdiff_core::report::SeenAccount;
use shadowdiff_core::side::Side;
use shadowdiff_core::value::value_at;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

/// What an account is taken to need where their number is the limit.
const ACCOUNT_BYTES: usize = 80;

/// Accounts by their fingerprints: an account is printed and given its sort key once, not with every row.
#[derive(Debug, Default)]
pub(crate) struct SeenAccounts {
    held: BTreeMap<u128, SeenAccount>,
    held_bytes: usize,
    runs: Vec<Spool>,
}

impl SeenAccounts {
    /// `account`: its columns; `fingerprints`: those of the accounts of the rows.
    pub(crate) fn see(&mut self, job: &Job, side: Side, account: &[&ArrayRef], fingerprints: &[u128]) -> Result<()> {
        for (row, fingerprint) in fingerprints.iter().enumerate() {
            let seen = match self.held.entry(*fingerprint) {
                Entry::Occupied(seen) => seen.into_mut(),
                Entry::Vacant(place) => {
                    let values = account.iter().map(|column| value_at(column.as_ref(), row));
                    let seen = SeenAccount::new(values, &job.plan.spec, &job.plan.aligned);
                    self.held_bytes += seen.bytes();
                    place.insert(seen)
                }
            };
            seen.rows[side] += 1;
        }
        if self.held_bytes > job.resources.limits.held_accounts.saturating_mul(ACCOUNT_BYTES) {
            self.spill(job)?;
        }
        Ok(())
    }

    fn spill(&mut self, job: &Job) -> Result<()> {
        if self.held.is_empty() {
            return Ok(());
        }
        self.held_bytes = 0;
        let mut accounts: Vec<SeenAccount> = std::mem::take(&mut self.held).into_values().collect();
        accounts.sort_unstable_by(|a, b| a.key.cmp(&b.key));
        let (mut writer, mut record) = (
            SpoolWriter::new(&job.resources.scratch, job.resources.limits.account_part_bytes),
            Vec::new(),
        );
        for account in accounts {
            record.clear();
            account.encode(&mut record);
            writer.append(&record)?;
        }
        self.runs.push(writer.finish()?);
        Ok(())
    }

    pub(crate) fn finish(mut self, job: &Job) -> Result<Vec<Spool>> {
        self.spill(job)?;
        Ok(self.runs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::TaskLimits;
    use crate::scan::scan;
    use crate::testing::Setup;
    use shadowdiff_core::plan::Form;
    use shadowdiff_core::side::Sides;

    #[test]
    fn rows_are_counted_by_account_whatever_spills_and_cancels() {
        for form in [Form::Rows, Form::Fingerprints] {
            for (held_accounts, least_runs) in [(0, 4), (2, 2), (1 << 19, 1)] {
                let limits = TaskLimits {
                    max_batch_rows: 2,
                    held_accounts,
                    account_part_bytes: 20,
                    ..TaskLimits::PRODUCT
                };
                let small = Setup {
                    live: "id,v\nb,1\na,2\nb,3\n,4\n",
                    shadow: "id,v\nb,1\nc,2\nb,5\nb,6\n",
                    spec: "output: {accounts: all}\n",
                    limits,
                    ..Setup::default()
                }
                .job();
                let runs = scan(&small.job, &small.job.plan.scans[0], form, 0).expect("a scan").sorted;
                assert!(runs.len() >= least_runs, "{} runs", runs.len());
                let mut found: BTreeMap<(Vec<u8>, String), Sides<u64>> = BTreeMap::new();
                for run in &runs {
                    let bytes: Vec<u8> = (0..run.parts()).flat_map(|part| run.part(part).expect("a part").to_vec()).collect();
                    let mut at = 0;
                    let records: Vec<SeenAccount> = std::iter::from_fn(|| SeenAccount::decode(&bytes, &mut at)).collect();
                    assert!(at == bytes.len() && records.is_sorted_by(|a, b| a.key < b.key));
                    for record in records {
                        let rows = found.entry((record.key, record.text)).or_default();
                        Side::BOTH.iter().for_each(|side| rows[*side] += record.rows[*side]);
                    }
                }
                let found: Vec<(String, u64, u64)> = found.into_iter().map(|((_, text), rows)| (text, rows.live, rows.shadow)).collect();
                let expected = [("", 1, 0), ("a", 1, 0), ("b", 2, 3), ("c", 0, 1)];
                assert_eq!(found, expected.map(|(text, live, shadow)| (text.to_owned(), live, shadow)));
            }
        }
    }
}
