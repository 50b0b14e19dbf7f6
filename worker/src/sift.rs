//! The sift task: numbered fingerprints of rows in, those of the rows that have no partner out.
//!
//! Shards are by fingerprint here, not by account, so that equal rows meet and no account is larger than another.

use crate::exchanged::{self, fingerprints, numbered_schema};
use crate::job::Job;
use crate::rows::Balance;
use shadowdiff_common::exchange::Writer;
use shadowdiff_common::link::{Exchanged, TaskOutput};
use shadowdiff_core::error::{Error, Result};
use shadowdiff_core::side::{Side, Sides};
use shadowdiff_core::tally::Tally;

/// A row that has no partner: its scan task, its number there, its fingerprint.
type Left = (u32, u64, u128);

/// Cancels the rows of the given shards. The objects come with the numbers of their scans; these are the shards of the output.
pub(crate) fn sift(job: &Job, shards: &[u32], objects: &Exchanged, halvings: u32) -> Result<TaskOutput> {
    let scans = job.plan.scans.len() as u32;
    let part_bytes = job.part_bytes(halvings);
    let schemas = Sides::from_fn(|_| numbered_schema());
    let mut writer = Writer::new(schemas, scans, part_bytes as usize, &job.scratch);
    let mut cancelled = 0;
    for shard in shards {
        // What does not fit is cancelled in several passes, a share of the fingerprints each.
        let passes = objects
            .iter()
            .map(|(_, object)| object.shard_bytes(*shard))
            .sum::<u64>()
            .div_ceil(part_bytes)
            .max(1);
        for pass in 0..passes {
            job.watch.check()?;
            let of_pass = |fingerprint: u128| (fingerprint >> 32) as u64 % passes == pass;
            let (left, pairs) = cancel(job, objects, *shard, &of_pass)?;
            cancelled += pairs;
            for side in Side::BOTH {
                push(&mut writer, side, &left[side])?;
            }
        }
    }
    Ok(TaskOutput {
        exchange: Some(writer.finish()?),
        tally: Tally {
            cancelled,
            ..Tally::default()
        },
        ..TaskOutput::default()
    })
}

fn cancel(job: &Job, objects: &Exchanged, shard: u32, of_pass: &dyn Fn(u128) -> bool) -> Result<(Sides<Vec<Left>>, u64)> {
    let mut balance = Balance::default();
    let mut rows = Sides::new(0u64, 0u64);
    for side in Side::BOTH {
        for (_, object) in objects {
            job.watch.check()?;
            for block in object.batches(shard, side) {
                for fingerprint in fingerprints(&block?).filter(|f| of_pass(*f)) {
                    balance.add(side, fingerprint);
                    rows[side] += 1;
                }
            }
        }
    }
    let left = Sides::try_from_fn(|side| {
        let mut left = Vec::new();
        for (scan, object) in objects {
            for block in object.batches(shard, side) {
                let block = block?;
                let found = exchanged::numbers(&block).filter(|(_, f)| of_pass(*f) && balance.take(side, *f));
                left.extend(found.map(|(number, f)| (*scan, number, f)));
            }
        }
        Ok::<_, Error>(left)
    })?;
    let pairs = Sides::from_fn(|side| rows[side] - left[side].len() as u64);
    if pairs.live != pairs.shadow {
        return Err(Error::internal("sift: cancelled rows do not balance"));
    }
    Ok((left, pairs.live))
}

fn push(writer: &mut Writer, side: Side, left: &[Left]) -> Result<()> {
    let scans: Vec<u32> = left.iter().map(|row| row.0).collect();
    let fingerprints: Vec<u128> = left.iter().map(|row| row.2).collect();
    let batch = exchanged::numbered(left.iter().map(|row| row.1).collect(), &fingerprints)?;
    writer.push(side, &batch, &scans)
}
