//! Whether the keys of a side's files lie apart, as far as a look at some of them tells: a guess that saves work where it is right.
//!
//! Pairs that differ end in place only if no key comes twice, which shows at the end of a scan; else all rows are scanned again. Files, or row
//! groups of one, that each hold rows of the whole range of keys, as writers leave them that divide rows by hash, can never show it.

use crate::job::Job;
use crate::needed::place;
use shadowdiff_common::read::Format;
use shadowdiff_common::read::parquet::{Bound, StoredFile};
use shadowdiff_core::side::Side;
use std::collections::BTreeSet;

/// Files of a side that are looked at: the first, the last, and some between them.
const LOOKED_AT: usize = 4;

/// For each column of the key, the least and the greatest value in each row group of a file; `None` where the file does not tell.
type Ranges = Vec<Option<Vec<(Bound, Bound)>>>;

/// Whether the keys of the files of both sides seem to lie apart.
pub(crate) fn lie_apart(job: &Job) -> bool {
    let look = || Side::BOTH.into_iter().all(|side| files_lie_apart(job, side));
    *job.keys_lie_apart.get_or_init(look)
}

fn files_lie_apart(job: &Job, side: Side) -> bool {
    let splits = job.plan.scans.iter().flat_map(|task| &task.splits[side]);
    let files: Vec<usize> = splits.map(|split| split.file).collect::<BTreeSet<_>>().into_iter().collect();
    if job.resources.datasets[side].format != Format::Parquet {
        return files.len() < 2;
    }
    let count = files.len().min(LOOKED_AT);
    let places = (0..count).map(|at| at * (files.len() - 1) / (count - 1).max(1));
    let ranges: Option<Vec<Ranges>> = places.map(|at| ranges(job, side, files[at])).collect();
    ranges.is_some_and(|ranges| (0..job.plan.aligned.key.len()).any(|column| are_apart(&ranges, column)))
}

/// What cannot be read is told by whoever reads it.
fn ranges(job: &Job, side: Side, file: usize) -> Option<Ranges> {
    let stored = StoredFile::open(&job.resources.datasets[side].files[file], &job.sources()).ok()?;
    let columns = job.plan.aligned.key_columns();
    Some(columns.map(|column| stored.bounds(place(job, side, column, &stored)?)).collect())
}

/// Whether a column takes the row groups one after the other. Where one ends the next may begin; of other files that have one value alone, and the
/// same one, nobody knows.
fn are_apart(files: &[Ranges], column: usize) -> bool {
    let mut all: Vec<(&(Bound, Bound), usize)> = Vec::new();
    for (file, ranges) in files.iter().enumerate() {
        let Some(groups) = &ranges[column] else { return false };
        all.extend(groups.iter().map(|group| (group, file)));
    }
    all.sort();
    let goes_on = |pair: &[(&(Bound, Bound), usize)]| {
        let ((one, file), (next, next_file)) = (pair[0], pair[1]);
        one.1 <= next.0 && (file == next_file || one != next)
    };
    all.windows(2).all(goes_on)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_apart_where_a_column_takes_them_one_after_the_other() {
        let group = |(least, greatest): &(i128, i128)| (Bound::Number(*least), Bound::Number(*greatest));
        for (files, apart) in [
            (&[&[(1, 5)][..], &[(5, 9)], &[(10, 10)]][..], true),
            (&[&[(10, 12)], &[(1, 9)]], true),
            (&[&[(1, 5)], &[(4, 9)]], false),
            (&[&[(3, 3)], &[(3, 3)]], false),
            (&[&[(3, 3), (3, 3)], &[(4, 4)]], true),
            (&[&[(3, 3)], &[(3, 4)]], true),
            (&[&[(1, 9)], &[(3, 3)]], false),
            (&[&[(1, 5), (2, 6)]], false),
            (&[&[(1, 5), (6, 6)]], true),
            (&[&[]], true),
        ] {
            let ranges = files.iter().map(|groups| vec![None, Some(groups.iter().map(group).collect())]);
            let ranges: Vec<Ranges> = ranges.collect();
            assert_eq!(are_apart(&ranges, 1), apart, "{files:?}");
            assert!(!are_apart(&ranges, 0), "nobody knows");
        }
        let [a, b, bb, c] = ["a", "b", "bb", "c"].map(|text| Bound::Bytes(text.into()));
        assert!(are_apart(&[vec![Some(vec![(bb, c)])], vec![Some(vec![(a, b)])]], 0));
    }
}
