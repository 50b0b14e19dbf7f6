//! Fingerprints of wide rows, made of some columns at a time: a reader of a row group holds a page of each of its columns, which of hundreds
//! of columns is all of the row group.

use crate::aligned_rows::{Read, RowNumbers};
use crate::drawing::{Draft, Drawing};
use crate::job::Job;
use crate::side::{Purpose, SideReader};
use arrow_array::ArrayRef;
use shadowdiff_common::read::Format;
use shadowdiff_common::store::changed;
use shadowdiff_core::error::{Error, Result};
use shadowdiff_core::plan::{Form, ScanTask, Split};
use shadowdiff_core::profile::Work;
use shadowdiff_core::side::Side;
use std::cell::OnceCell;

/// The aligned columns of a scan task that are read together.
pub(crate) struct ByColumns<'a> {
    job: &'a Job,
    groups: Vec<Vec<usize>>,
}

impl<'a> ByColumns<'a> {
    /// `None` where rows are narrow, or more is asked of them than their fingerprints.
    pub(crate) fn new(job: &'a Job, task: &ScanTask, form: Form) -> Option<Self> {
        let plan = &job.plan;
        let needs_more = plan.carries() || !job.compiled.row_hasher.tolerant().is_empty();
        let is_read_alone = |side: &Side| {
            let dataset = &job.resources.datasets[*side];
            // On an object store a range of each column costs a request.
            let is_local = task.splits[*side].iter().all(|split| dataset.files[split.file].is_local());
            let is_made = job.compiled.filters[*side].is_some() || job.compiled.derives[*side].iter().any(Option::is_some);
            dataset.format == Format::Parquet && is_local && !is_made
        };
        if form == Form::Rows || needs_more || !Side::BOTH.iter().all(is_read_alone) {
            return None;
        }
        let groups = groups(job);
        (groups.len() > 1).then_some(ByColumns { job, groups })
    }

    /// All rows of a split, whose first has this number. Some of them are drawn.
    pub(crate) fn read(&self, side: Side, split: &Split, first: u64, mut drawing: Option<&mut Drawing<'_>>) -> Result<Read> {
        let mut fingerprints: Vec<u128> = Vec::new();
        let mut draft = Draft::default();
        for (number, group) in self.groups.iter().enumerate() {
            let columns = Purpose::Columns(group.clone());
            let mut reader = SideReader::new(self.job, side, std::slice::from_ref(split), columns);
            let mut at = 0;
            while let Some(arrays) = reader.next_columns()? {
                let rows = arrays.first().map_or(0, |array| array.len());
                if number == 0 {
                    fingerprints.resize(at + rows, 0);
                }
                let Some(of_rows) = fingerprints.get_mut(at..at + rows) else {
                    return Err(self.other_rows(side, split));
                };
                let _spent = self.job.meter.enter_work(Work::Hash);
                let hashed = self.job.compiled.row_hasher.hash_some(group, of_rows, &arrays);
                of_rows.copy_from_slice(&hashed);
                if let Some(drawing) = &drawing {
                    if number == 0 {
                        let key: Vec<&ArrayRef> = arrays[..self.job.plan.aligned.key.len()].iter().collect();
                        drawing.draw(side, &mut draft, at, &self.job.compiled.key_fingerprint.hash(&key, rows));
                    }
                    for (column, array) in group.iter().zip(&arrays) {
                        drawing.fill(&mut draft, at, *column, array)?;
                    }
                }
                at += rows;
            }
            if at < fingerprints.len() {
                return Err(self.other_rows(side, split));
            }
        }
        if let Some(drawing) = &mut drawing {
            drawing.push(side, draft);
        }
        Ok(Read {
            columns: Vec::new(),
            numbers: RowNumbers {
                first,
                rows: fingerprints.len(),
                kept: None,
            },
            fingerprints,
            exact: None,
            keys: OnceCell::new(),
        })
    }

    /// The account columns of all rows of a split, a batch after the other.
    pub(crate) fn read_accounts(&self, side: Side, split: &Split, mut see: impl FnMut(&[&ArrayRef]) -> Result<()>) -> Result<()> {
        let columns = Purpose::Columns(self.job.plan.aligned.account().to_vec());
        let mut reader = SideReader::new(self.job, side, std::slice::from_ref(split), columns);
        while let Some(arrays) = reader.next_columns()? {
            see(&arrays.iter().collect::<Vec<_>>())?;
        }
        Ok(())
    }

    /// Columns of a row group that do not have the same rows.
    fn other_rows(&self, side: Side, split: &Split) -> Error {
        changed(&self.job.resources.datasets[side].files[split.file].name)
    }
}

/// Columns of about so many bytes a row: those of the key first, with others; then those that follow each other. Members of one struct are read
/// together.
fn groups(job: &Job) -> Vec<Vec<usize>> {
    let aligned = &job.plan.aligned;
    let columns = &aligned.columns;
    let column_bytes = job.plan.estimate.row_bytes() / (columns.len() as u64).max(1);
    let wanted = (job.resources.limits.hashed_row_bytes / column_bytes.max(1)).max(1) as usize;
    let mut groups = vec![aligned.key.clone()];
    for at in aligned.values() {
        let is_member = |last: &usize| columns[at].path[0] == columns[*last].path[0];
        match groups.last_mut() {
            Some(group) if group.len() < wanted || group.last().is_some_and(is_member) => group.push(at),
            _ => groups.push(vec![at]),
        }
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::TaskLimits;
    use crate::testing::Setup;

    #[test]
    fn fingerprints_do_not_depend_on_which_columns_are_read_together() {
        let limits = TaskLimits {
            max_batch_rows: 3,
            ..TaskLimits::PRODUCT
        };
        let small = Setup {
            spec: "schema: {n: int64, d: \"decimal(9, 2)\"}\n",
            live: "id,n,d,t,u\na,1,0.50,x,\nb,2,,y,z\nc,,3.25,,\na,1,0.50,x,\n,0,0,\"\",u\nd,5,1,x,y\ne,6,2,x,y\n",
            shadow: "id,n,d,t,u\na,1,0.50,x,\n",
            limits,
            ..Setup::default()
        }
        .job();
        let (job, split) = (&small.job, &small.job.plan.scans[0].splits.live);
        let mut reader = SideReader::new(job, Side::Live, split, Purpose::Scan);
        let mut whole = Vec::new();
        while let Some(read) = reader.next_hashed().expect("rows") {
            whole.extend(read.fingerprints);
        }
        assert_eq!((whole.len(), whole[0] == whole[3], whole[0] == whole[5]), (7, true, false));
        for cuts in [&[0, 5][..], &[0, 1, 2, 3, 4, 5], &[0, 2, 5], &[0, 4, 5]] {
            let columns = [0, 4, 2, 1, 3];
            let groups = cuts.windows(2).map(|cut| columns[cut[0]..cut[1]].to_vec()).collect();
            let read = ByColumns { job, groups }.read(Side::Live, &split[0], 11, None).expect("rows");
            assert_eq!((read.numbers.first, read.numbers.rows, &read.fingerprints), (11, 7, &whole));
        }
    }

    #[test]
    fn columns_are_put_together_by_their_width() {
        for (hashed_row_bytes, expected) in [(1, 4), (u64::MAX, 1)] {
            let limits = TaskLimits {
                hashed_row_bytes,
                ..TaskLimits::PRODUCT
            };
            let (live, shadow) = ("id,a,b,c\n1,2,3,4\n", "id,a,b,c\n1,2,3,4\n");
            let small = Setup {
                live,
                shadow,
                limits,
                ..Setup::default()
            }
            .job();
            let found = groups(&small.job);
            assert_eq!((found.len(), found.concat()), (expected, vec![0, 1, 2, 3]));
        }
    }
}
