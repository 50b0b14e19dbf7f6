//! Counts distinct numbers in many sorted runs, in bounded memory.

use bytes::Bytes;
use shadowdiff_common::spool::{Scratch, Spool, SpoolWriter};
use shadowdiff_core::error::Result;
use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap};

/// Runs that are merged at a time: of each one part is in memory, of 16 KiB as scan tasks make them. More are merged into fewer first.
const MAX_RUNS: usize = 4096;
const PART_BYTES: usize = 16 << 10;

/// The numbers in sorted runs of 16 bytes each, of which there are not many. Blocking.
pub(crate) fn distinct(runs: &[Spool]) -> Result<BTreeSet<u128>> {
    let mut found = BTreeSet::new();
    for run in runs {
        merge(std::slice::from_ref(run), |number| {
            found.insert(number);
            Ok(())
        })?;
    }
    Ok(found)
}

/// Distinct numbers in sorted runs of 16 bytes each. Blocking.
pub(crate) fn count_distinct(runs: &[Spool], scratch: &Scratch) -> Result<u64> {
    count(runs, scratch, MAX_RUNS)
}

fn count(runs: &[Spool], scratch: &Scratch, max_runs: usize) -> Result<u64> {
    if runs.len() <= max_runs {
        let mut distinct = 0;
        merge(runs, |_| {
            distinct += 1;
            Ok(())
        })?;
        return Ok(distinct);
    }
    let one = |some: &[Spool]| {
        let mut merged = SpoolWriter::new(scratch, PART_BYTES);
        merge(some, |number| merged.append(&number.to_be_bytes()))?;
        merged.finish()
    };
    let fewer: Vec<Spool> = runs.chunks(max_runs).map(one).collect::<Result<_>>()?;
    count(&fewer, scratch, max_runs)
}

/// Gives every distinct number of the runs to `each`, in order.
fn merge(runs: &[Spool], mut each: impl FnMut(u128) -> Result<()>) -> Result<()> {
    let mut heads = BinaryHeap::new();
    let mut cursors: Vec<(usize, Bytes, usize)> = Vec::new();
    for run in runs {
        cursors.push((1, if run.parts() > 0 { run.part(0)? } else { Bytes::new() }, 0));
    }
    let head = |part: &[u8], at: usize| part.get(at..at + 16).map(|b| u128::from_be_bytes(b.try_into().expect("16 bytes")));
    for (at, (_, part, offset)) in cursors.iter().enumerate() {
        heads.extend(head(part, *offset).map(|n| Reverse((n, at))));
    }
    let mut last = None;
    while let Some(Reverse((number, at))) = heads.pop() {
        if last != Some(number) {
            each(number)?;
            last = Some(number);
        }
        let (next_part, part, offset) = &mut cursors[at];
        *offset += 16;
        if *offset >= part.len() && *next_part < runs[at].parts() {
            *part = runs[at].part(*next_part)?;
            *next_part += 1;
            *offset = 0;
        }
        heads.extend(head(part, *offset).map(|n| Reverse((n, at))));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_count_once_however_many_runs_are_merged_at_a_time() {
        let scratch = Scratch::new(0, None).expect("scratch");
        let run = |numbers: Vec<u128>| {
            let mut writer = SpoolWriter::new(&scratch, 32);
            numbers
                .iter()
                .for_each(|number| writer.append(&number.to_be_bytes()).expect("appends"));
            writer.finish().expect("finishes")
        };
        let runs: Vec<Spool> = (0..9).map(|at| run((at..at + 5).collect())).chain([run(vec![])]).collect();
        for max_runs in [2, 3, 100] {
            assert_eq!(count(&runs, &scratch, max_runs).expect("counts"), 13);
        }
    }
}
