//! The sift task: fingerprints of rows in, the numbers of those rows that have no partner out.
//!
//! Shards are by fingerprint here, not by account, so that equal rows meet and no account is larger than another.

use crate::compare::{part_bytes, shard_bytes};
use crate::job::Job;
use crate::rows::{Balance, fingerprints};
use arrow_array::cast::AsArray;
use arrow_array::types::UInt64Type;
use arrow_array::{ArrayRef, RecordBatch, UInt64Array};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use shadowdiff_common::exchange::{Object, Selected, Writer};
use shadowdiff_common::link::SiftOutput;
use shadowdiff_core::error::{Error, Result};
use shadowdiff_core::side::{Side, Sides};
use std::sync::Arc;

/// What a task has made, with the task's number.
pub(crate) type Made = (u32, Arc<Object>);

/// A row of a scan task that has no partner.
type Left = (u32, u64);

/// Cancels the rows of the given shards. The objects come with the numbers of their scans, of which there are `scans`; these are the shards of
/// the output.
pub(crate) fn sift(job: &Job, shards: &[u32], objects: &[Made], scans: u32, halvings: u32) -> Result<SiftOutput> {
    let part_bytes = part_bytes(job, halvings);
    let schema = numbers_schema();
    let mut writer = Writer::new(Sides::new(schema.clone(), schema.clone()), scans, part_bytes as usize, &job.scratch);
    let mut cancelled = 0;
    for shard in shards {
        // What does not fit is cancelled in several passes, a share of the fingerprints each.
        let passes = objects
            .iter()
            .map(|(_, object)| shard_bytes(object, *shard))
            .sum::<u64>()
            .div_ceil(part_bytes)
            .max(1);
        for pass in 0..passes {
            job.watch.check()?;
            let of_pass = |fingerprint: u128| (fingerprint >> 32) as u64 % passes == pass;
            let (left, pairs) = cancel(objects, *shard, &of_pass)?;
            cancelled += pairs;
            for side in Side::BOTH {
                push(&mut writer, side, &left[side], &schema)?;
            }
        }
    }
    Ok(SiftOutput {
        left: writer.finish()?,
        cancelled,
    })
}

fn numbers_schema() -> SchemaRef {
    Arc::new(Schema::new(vec![Field::new("row", DataType::UInt64, false)]))
}

fn cancel(objects: &[Made], shard: u32, of_pass: &dyn Fn(u128) -> bool) -> Result<(Sides<Vec<Left>>, u64)> {
    let mut balance = Balance::default();
    let mut rows = Sides::new(0u64, 0u64);
    for side in Side::BOTH {
        for (_, object) in objects {
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
                let numbers = block.batch().column(0).as_primitive::<UInt64Type>().values();
                let found = fingerprints(&block)
                    .zip(block.rows())
                    .filter(|(f, _)| of_pass(*f) && balance.take(side, *f));
                left.extend(found.map(|(_, row)| (*scan, numbers[row as usize])));
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

fn push(writer: &mut Writer, side: Side, left: &[Left], schema: &SchemaRef) -> Result<()> {
    let (scans, rows): (Vec<u32>, Vec<u64>) = left.iter().copied().unzip();
    let numbers: ArrayRef = Arc::new(UInt64Array::from(rows));
    let batch = RecordBatch::try_new(schema.clone(), vec![numbers]).map_err(|e| Error::internal(format!("sift: {e}")))?;
    writer.push(side, &batch, &scans)
}

/// The numbers of the rows that are left on a side of one scan task, in order; `shard` is its place in the objects of the sift tasks.
pub(crate) fn numbers_of(objects: &[Arc<Object>], shard: u32, side: Side) -> Result<Vec<u64>> {
    let mut numbers = Vec::new();
    for object in objects {
        for block in object.batches(shard, side) {
            let block: Selected = block?;
            let column = block.batch().column(0).as_primitive::<UInt64Type>().values();
            numbers.extend(block.rows().map(|row| column[row as usize]));
        }
    }
    numbers.sort_unstable();
    Ok(numbers)
}
