//! Many sorted runs as one, in bounded memory: fingerprints, each once, and accounts, the rows of each added up.

use bytes::Bytes;
use shadowdiff_common::spool::{Scratch, Spool, SpoolWriter};
use shadowdiff_core::error::{Error, Result};
use shadowdiff_core::report::SeenAccount;
use shadowdiff_core::side::Side;
use std::cmp::{Ordering, Reverse};
use std::collections::{BTreeSet, BinaryHeap};

/// Runs that are merged at a time: of each one part is in memory, of 16 KiB as scan tasks make them. More are merged into fewer first.
const MAX_RUNS: usize = 4096;
/// As scan tasks make them.
const PART_BYTES: usize = 16 << 10;

/// What a run is made of.
pub(crate) trait Record: Sized {
    /// The record at `at`, which goes on behind it; `None` where none is.
    fn decode(part: &[u8], at: &mut usize) -> Option<Self>;

    fn encode(&self, out: &mut Vec<u8>);

    /// By what they are sorted; records that are equal in it are put together.
    fn order(&self, other: &Self) -> Ordering;

    /// Takes over what another record of the same tells.
    fn absorb(&mut self, other: Self);
}

/// A fingerprint, in 16 bytes.
impl Record for u128 {
    fn decode(part: &[u8], at: &mut usize) -> Option<Self> {
        let bytes = part.get(*at..*at + 16)?;
        *at += 16;
        Some(u128::from_be_bytes(bytes.try_into().expect("16 bytes")))
    }

    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.to_be_bytes());
    }

    fn order(&self, other: &Self) -> Ordering {
        self.cmp(other)
    }

    fn absorb(&mut self, _: Self) {}
}

impl Record for SeenAccount {
    fn decode(part: &[u8], at: &mut usize) -> Option<Self> {
        SeenAccount::decode(part, at)
    }

    fn encode(&self, out: &mut Vec<u8>) {
        self.encode(out);
    }

    fn order(&self, other: &Self) -> Ordering {
        self.key.cmp(&other.key)
    }

    fn absorb(&mut self, other: Self) {
        for side in Side::BOTH {
            self.rows[side] += other.rows[side];
        }
    }
}

/// The fingerprints in sorted runs, of which there are not many. Blocking.
pub(crate) fn distinct(runs: &[Spool]) -> Result<BTreeSet<u128>> {
    let mut found = BTreeSet::new();
    for run in runs {
        let mut merged = MergedRuns::begin(vec![Run::Given(run)])?;
        while let Some(fingerprint) = merged.next()? {
            found.insert(fingerprint);
        }
    }
    Ok(found)
}

/// How many fingerprints are in sorted runs. Blocking.
pub(crate) fn count_distinct(runs: &[Spool], scratch: &Scratch) -> Result<u64> {
    let mut merged = MergedRuns::<u128>::new(runs, scratch)?;
    let mut distinct = 0;
    while merged.next()?.is_some() {
        distinct += 1;
    }
    Ok(distinct)
}

/// The records of all runs in their order, those of the same put together.
#[derive(Debug)]
pub(crate) struct MergedRuns<'a, R> {
    cursors: Vec<Cursor<'a>>,
    heads: BinaryHeap<Reverse<Head<R>>>,
}

/// A run, as it was given or merged from several.
#[derive(Debug)]
enum Run<'a> {
    Given(&'a Spool),
    Merged(Spool),
}

impl Run<'_> {
    fn spool(&self) -> &Spool {
        match self {
            Run::Given(spool) => spool,
            Run::Merged(spool) => spool,
        }
    }
}

/// Where a run is read.
#[derive(Debug)]
struct Cursor<'a> {
    run: Run<'a>,
    next_part: usize,
    part: Bytes,
    at: usize,
}

/// The first record of a run that was not given yet.
#[derive(Debug)]
struct Head<R> {
    record: R,
    run: usize,
}

impl<R: Record> Ord for Head<R> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.record.order(&other.record).then(self.run.cmp(&other.run))
    }
}

impl<R: Record> PartialOrd for Head<R> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<R: Record> PartialEq for Head<R> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl<R: Record> Eq for Head<R> {}

impl Cursor<'_> {
    fn next<R: Record>(&mut self) -> Result<Option<R>> {
        while self.at >= self.part.len() {
            if self.next_part >= self.run.spool().parts() {
                return Ok(None);
            }
            self.part = self.run.spool().part(self.next_part)?;
            self.next_part += 1;
            self.at = 0;
        }
        let record = R::decode(&self.part, &mut self.at);
        record
            .map(Some)
            .ok_or_else(|| Error::internal("a record of a sorted run is cut short"))
    }
}

impl<'a, R: Record> MergedRuns<'a, R> {
    /// More runs than can be read at a time are merged into fewer first. Blocking.
    pub(crate) fn new(runs: &'a [Spool], scratch: &Scratch) -> Result<Self> {
        Self::within(runs, scratch, MAX_RUNS)
    }

    fn within(runs: &'a [Spool], scratch: &Scratch, max_runs: usize) -> Result<Self> {
        let mut runs: Vec<Run<'a>> = runs.iter().map(Run::Given).collect();
        while runs.len() > max_runs {
            let (mut rest, mut fewer) = (runs.into_iter().peekable(), Vec::new());
            while rest.peek().is_some() {
                let some = rest.by_ref().take(max_runs).collect();
                fewer.push(Run::Merged(Self::begin(some)?.store(scratch)?));
            }
            runs = fewer;
        }
        Self::begin(runs)
    }

    fn begin(runs: Vec<Run<'a>>) -> Result<Self> {
        let (mut cursors, mut heads) = (Vec::new(), BinaryHeap::new());
        for (number, run) in runs.into_iter().enumerate() {
            let mut cursor = Cursor {
                run,
                next_part: 0,
                part: Bytes::new(),
                at: 0,
            };
            heads.extend(cursor.next()?.map(|record| Reverse(Head { record, run: number })));
            cursors.push(cursor);
        }
        Ok(MergedRuns { cursors, heads })
    }

    fn store(mut self, scratch: &Scratch) -> Result<Spool> {
        let (mut writer, mut bytes) = (SpoolWriter::new(scratch, PART_BYTES), Vec::new());
        while let Some(record) = self.next()? {
            bytes.clear();
            record.encode(&mut bytes);
            writer.append(&bytes)?;
        }
        writer.finish()
    }

    /// The next record; `None` at the end.
    pub(crate) fn next(&mut self) -> Result<Option<R>> {
        let Some(mut least) = self.pop()? else { return Ok(None) };
        while self.heads.peek().is_some_and(|Reverse(head)| head.record.order(&least).is_eq()) {
            if let Some(same) = self.pop()? {
                least.absorb(same);
            }
        }
        Ok(Some(least))
    }

    fn pop(&mut self) -> Result<Option<R>> {
        let Some(Reverse(Head { record, run })) = self.heads.pop() else {
            return Ok(None);
        };
        let next = self.cursors[run].next()?;
        self.heads.extend(next.map(|record| Reverse(Head { record, run })));
        Ok(Some(record))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use shadowdiff_core::side::Sides;

    fn runs<R: Record>(scratch: &Scratch, runs: impl Iterator<Item = Vec<R>>) -> Vec<Spool> {
        let run = |records: Vec<R>| {
            let mut writer = SpoolWriter::new(scratch, 32);
            for record in records {
                let mut bytes = Vec::new();
                record.encode(&mut bytes);
                writer.append(&bytes).expect("appends");
            }
            writer.finish().expect("finishes")
        };
        runs.chain([Vec::new()]).map(run).collect()
    }

    fn all<R: Record>(mut merged: MergedRuns<'_, R>) -> Vec<R> {
        std::iter::from_fn(|| merged.next().expect("good runs")).collect()
    }

    #[test]
    fn fingerprints_come_once_however_many_runs_are_merged_at_a_time() {
        let scratch = Scratch::new(0, None).expect("scratch");
        let runs = runs(&scratch, (0..9).map(|at| (at..at + 5).collect::<Vec<u128>>()));
        for max_runs in [2, 3, 100] {
            let found = all::<u128>(MergedRuns::within(&runs, &scratch, max_runs).expect("good runs"));
            assert_eq!(found, (0..13).collect::<Vec<u128>>());
        }
        assert_eq!(count_distinct(&runs, &scratch).expect("good runs"), 13);
        assert_eq!(distinct(&runs).expect("good runs").len(), 13);
    }

    #[test]
    fn rows_of_an_account_add_up_however_many_runs_are_merged_at_a_time() {
        let scratch = Scratch::new(0, None).expect("scratch");
        let seen = |at: u8| SeenAccount {
            key: vec![at],
            text: at.to_string(),
            rows: Sides::new(1, u64::from(at)),
        };
        let runs = runs(&scratch, (0..9).map(|from| (from..from + 3).map(seen).collect()));
        for max_runs in [2, 3, 100] {
            let found = all::<SeenAccount>(MergedRuns::within(&runs, &scratch, max_runs).expect("good runs"));
            assert_eq!(
                found.iter().map(|account| account.rows.live).collect::<Vec<_>>(),
                [1, 2, 3, 3, 3, 3, 3, 3, 3, 2, 1]
            );
            assert!(
                found
                    .iter()
                    .all(|account| account.rows.shadow == account.rows.live * u64::from(account.key[0]))
            );
        }
    }
}
