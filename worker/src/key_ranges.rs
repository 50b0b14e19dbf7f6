//! Whether the keys of a side's files lie apart, as far as a look at some of them tells: a guess that saves work where it is right.
//!
//! Pairs that differ end in place only if no key comes twice, which shows at the end of a scan; else all rows are scanned again. Files that
//! each hold rows of the whole range of keys, as a writer leaves them that divides rows by hash, can never show it.

use crate::job::Job;
use crate::needed::place;
use shadowdiff_common::read::Format;
use shadowdiff_common::read::parquet::{Bound, StoredFile};
use shadowdiff_core::side::Side;
use std::collections::BTreeSet;

/// Files of a side that are looked at: the first, the last, and some between them.
const LOOKED_AT: usize = 4;

/// The least and the greatest value of each column of the key in a file; `None` where the file does not tell.
type Ranges = Vec<Option<(Bound, Bound)>>;

/// Whether the keys of the files of both sides seem to lie apart.
pub(crate) fn lie_apart(job: &Job) -> bool {
    let look = || Side::BOTH.into_iter().all(|side| files_lie_apart(job, side));
    *job.keys_lie_apart.get_or_init(look)
}

fn files_lie_apart(job: &Job, side: Side) -> bool {
    let splits = job.plan.scans.iter().flat_map(|task| &task.splits[side]);
    let files: Vec<usize> = splits.map(|split| split.file).collect::<BTreeSet<_>>().into_iter().collect();
    if files.len() < 2 {
        return true;
    }
    if job.resources.datasets[side].format != Format::Parquet {
        return false;
    }
    let count = files.len().min(LOOKED_AT);
    let places = (0..count).map(|at| at * (files.len() - 1) / (count - 1));
    let ranges: Option<Vec<Ranges>> = places.map(|at| ranges(job, side, files[at])).collect();
    ranges.is_some_and(|ranges| (0..job.plan.aligned.key.len()).any(|column| are_apart(&ranges, column)))
}

/// What cannot be read is told by whoever reads it.
fn ranges(job: &Job, side: Side, file: usize) -> Option<Ranges> {
    let stored = StoredFile::open(&job.resources.datasets[side].files[file], &job.sources()).ok()?;
    let columns = job.plan.aligned.key_columns();
    Some(columns.map(|column| stored.bounds(place(job, side, column, &stored)?)).collect())
}

/// Whether a column takes the files one after the other. Where one ends the next may begin, if it goes on from there.
fn are_apart(files: &[Ranges], column: usize) -> bool {
    let ranges: Option<Vec<&(Bound, Bound)>> = files.iter().map(|ranges| ranges[column].as_ref()).collect();
    ranges.is_some_and(|mut ranges| {
        ranges.sort();
        ranges.windows(2).all(|pair| pair[0].1 <= pair[1].0 && pair[0] != pair[1])
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_apart_where_a_column_takes_them_one_after_the_other() {
        let range = |(least, greatest)| Some((Bound::Number(least), Bound::Number(greatest)));
        for (ranges, apart) in [
            (&[(1, 5), (5, 9), (10, 10)][..], true),
            (&[(10, 12), (1, 9)], true),
            (&[(1, 5), (4, 9)], false),
            (&[(3, 3), (3, 3)], false),
            (&[(3, 3), (3, 4)], true),
            (&[(1, 9), (3, 3)], false),
        ] {
            let files: Vec<Ranges> = ranges.iter().map(|ends| vec![None, range(*ends)]).collect();
            assert_eq!(are_apart(&files, 1), apart, "{ranges:?}");
            assert!(!are_apart(&files, 0), "nobody knows");
        }
        let texts = ["a", "b", "bb", "c"].map(|text| Bound::Bytes(text.into()));
        let [a, b, bb, c] = texts;
        assert!(are_apart(&[vec![Some((bb, c))], vec![Some((a, b))]], 0));
    }
}
