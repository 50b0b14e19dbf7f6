//! The compare task: shards of exchanged rows in, a sorted run of differences and a tally out, and of rows that were read in part those that must
//! be read whole.
//!
//! A part is what fits the task's memory: several small shards, one shard, or a slice of a giant account by key. Should the rows of one key
//! alone be more than a part, they are cancelled in slices by fingerprint; what matters of them then is only how many are left.

use crate::differences::{DifferenceWriter, RowKey, row_key};
use crate::exchanged::{fingerprint_at, fingerprints_of, numbered, numbered_schema, place_at};
use crate::in_part::Part;
use crate::job::Job;
use crate::pairs::Chunk;
use crate::rows::{KeyPair, Unmatched, cancel, join, merge};
use arrow_array::RecordBatch;
use datafusion_execution::TaskContext;
use datafusion_execution::config::SessionConfig;
use datafusion_execution::memory_pool::GreedyMemoryPool;
use datafusion_execution::runtime_env::RuntimeEnvBuilder;
use shadowdiff_common::exchange::{Object, SelectedRows, Writer};
use shadowdiff_common::link::TaskOutput;
use shadowdiff_common::run::RunWriter;
use shadowdiff_common::spool::Spool;
use shadowdiff_core::error::{Error, Result};
use shadowdiff_core::plan::LeftShards;
use shadowdiff_core::profile::{Rung, Work};
use shadowdiff_core::side::{Side, Sides};
use shadowdiff_core::spec::DifferenceKind;
use shadowdiff_core::tally::Tally;
use std::sync::Arc;

/// Compares the given shards. `halvings` says how often the memory share was halved.
/// `part`: what was read of the rows.
pub(crate) fn compare(job: &Job, shards: &[u32], objects: &[Arc<Object>], part: &Part, halvings: u32) -> Result<TaskOutput> {
    let _spent = job.meter.enter(Rung::Compare, Work::Join);
    let part_bytes = job.resources.part_bytes(halvings);
    let shards_left = LeftShards::new(&job.plan, part.columns().is_some());
    let schemas = Sides::from_fn(|_| numbered_schema());
    let mut task = Task {
        job,
        part,
        part_bytes,
        runs: Vec::new(),
        left: Writer::new(schemas, shards_left.count(), part_bytes as usize, &job.resources.scratch),
        shards_left,
        tally: Tally::default(),
    };
    let (small, large): (Vec<u32>, Vec<u32>) = shards.iter().partition(|shard| all_bytes(objects, **shard) <= part_bytes);
    let mut batches = Sides::new(Vec::new(), Vec::new());
    for shard in small {
        for side in Side::BOTH {
            for object in objects {
                for batch in job.meter.each(Work::Decode, object.batches(shard, side)) {
                    batches[side].push(batch?);
                }
            }
        }
    }
    task.part(batches)?;
    for shard in large {
        task.divide(all_bytes(objects, shard), &mut |side| {
            Box::new(objects.iter().flat_map(move |object| object.batches(shard, side))) as Box<dyn Iterator<Item = Result<SelectedRows>>>
        })?;
    }
    Ok(TaskOutput {
        exchange: Some(task.left.finish()?),
        runs: task.runs,
        tally: task.tally,
        ..TaskOutput::default()
    })
}

fn all_bytes(objects: &[Arc<Object>], shard: u32) -> u64 {
    objects.iter().map(|object| object.shard_bytes(shard)).sum()
}

type Rows<'a> = dyn FnMut(Side) -> Box<dyn Iterator<Item = Result<SelectedRows>> + 'a> + 'a;

struct Task<'a> {
    job: &'a Job,
    part: &'a Part,
    part_bytes: u64,
    runs: Vec<Spool>,
    /// Rows that are to be read again whole, and keys of rows that one side alone has left.
    left: Writer,
    shards_left: LeftShards,
    tally: Tally,
}

impl Task<'_> {
    /// Cuts a shard that is too large into parts by key.
    fn divide(&mut self, bytes: u64, rows: &mut Rows<'_>) -> Result<()> {
        let parts = self.parts(bytes);
        let object = self.distribute(parts, rows, &|job, batch| {
            let keys = job.key_fingerprints(batch).into_iter();
            keys.map(|f| ((f >> 32) as u64 % u64::from(parts)) as u32).collect()
        })?;
        let objects = [Arc::new(object)];
        for part in 0..parts {
            let bytes = all_bytes(&objects, part);
            if bytes <= self.part_bytes.saturating_mul(2) {
                let batches = Sides::try_from_fn(|side| objects[0].batches(part, side).collect::<Result<Vec<_>>>())?;
                self.part(batches)?;
            } else {
                self.divide_by_row(bytes, &mut |side| Box::new(objects[0].batches(part, side)))?;
            }
        }
        Ok(())
    }

    /// How many parts of the usual size so many bytes are cut into.
    fn parts(&self, bytes: u64) -> u32 {
        (bytes / self.part_bytes + 2).min(self.job.resources.limits.max_parts) as u32
    }

    /// Cancels in slices what no key divides, and compares what is left.
    fn divide_by_row(&mut self, bytes: u64, rows: &mut Rows<'_>) -> Result<()> {
        let parts = self.parts(bytes);
        let object = self.distribute(parts, rows, &|_, batch| {
            fingerprints_of(batch).map(|f| (f >> 96) as u32 % parts).collect()
        })?;
        let mut reduced = Vec::new();
        for part in 0..parts {
            let batches = Sides::try_from_fn(|side| object.batches(part, side).collect::<Result<Vec<_>>>())?;
            let (left, cancelled) = cancel(self.job, self.part.schemas(), &batches)?;
            self.tally.cancelled += cancelled;
            reduced.push(left);
            // Many slices of one key reduce to one row each; merged early they stay small.
            if reduced.len() == self.job.resources.limits.merged_slices {
                let merged = merge(self.job, self.part.schemas(), std::mem::take(&mut reduced))?;
                reduced.push(merged);
            }
        }
        let left = merge(self.job, self.part.schemas(), reduced)?;
        self.compare_left(&left)
    }

    fn distribute(&self, parts: u32, rows: &mut Rows<'_>, part_of: &dyn Fn(&Job, &RecordBatch) -> Vec<u32>) -> Result<Object> {
        let job = self.job;
        let mut writer = Writer::new(self.part.schemas().clone(), parts, self.part_bytes as usize, &job.resources.scratch);
        for side in Side::BOTH {
            for batch in job.meter.each(Work::Decode, rows(side)) {
                let batch = batch?.to_batch()?;
                writer.push(side, &batch, &part_of(job, &batch))?;
            }
        }
        writer.finish()
    }

    fn part(&mut self, batches: Sides<Vec<SelectedRows>>) -> Result<()> {
        self.job.watch.check()?;
        if batches.live.is_empty() && batches.shadow.is_empty() {
            return Ok(());
        }
        let (left, cancelled) = cancel(self.job, self.part.schemas(), &batches)?;
        drop(batches);
        self.tally.cancelled += cancelled;
        self.compare_left(&left)
    }

    /// Joins by key, compares the pairs, and writes the differences of all rows that differ, in order.
    fn compare_left(&mut self, left: &Sides<Unmatched>) -> Result<()> {
        let joined = join(self.job, left, self.context()?)?;
        let joined = self.proven(left, joined)?;
        let mut differing: Vec<(RowKey, KeyPair)> = Vec::new();
        for rows in joined.chunks(self.job.resources.limits.chunk_rows) {
            self.job.watch.check()?;
            let _spent = self.job.meter.enter_work(Work::Compare);
            let chunk = Chunk::of_joined(self.job, left, rows)?;
            let cells = chunk.compare(&self.job.compiled.columns)?;
            let differs = cells.rows(rows.len());
            self.tally.add_tolerance_use(&cells.tolerance_use);
            for (row, joined) in rows.iter().enumerate() {
                if chunk.kinds[row] == DifferenceKind::Changed && !differs.value(row) {
                    self.tally.within_tolerance += 1;
                } else {
                    differing.push((row_key(&self.job.plan.aligned, &chunk, row), *joined));
                }
            }
        }
        drop(joined);
        differing.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        self.write(left, differing)
    }

    /// Of rows that were read in part, those that can be compared: pairs of which it is proven that they differ in nothing else, rows that are
    /// alone, and keys that are there more than once. The rows of all other pairs are left to be read whole.
    fn proven(&mut self, left: &Sides<Unmatched>, joined: Vec<KeyPair>) -> Result<Vec<KeyPair>> {
        let rests = Sides::from_fn(|side| self.part.rests(self.job, &left[side].batch));
        let (Some(live), Some(shadow)) = (rests.live, rests.shadow) else {
            return Ok(joined);
        };
        let is_proven = |pair: &KeyPair| match (pair.live, pair.shadow) {
            (Some(of_live), Some(of_shadow)) => {
                let (of_live, of_shadow) = (of_live as usize, of_shadow as usize);
                let is_pair = left.live.counts[of_live] == 1 && left.shadow.counts[of_shadow] == 1;
                !is_pair || live[of_live] == shadow[of_shadow]
            }
            (_, _) => true,
        };
        let (proven, others): (Vec<KeyPair>, Vec<KeyPair>) = joined.into_iter().partition(is_proven);
        for side in Side::BOTH {
            let batch = &left[side].batch;
            let rows: Vec<usize> = others.iter().filter_map(|pair| pair.of(side)).map(|row| row as usize).collect();
            let (scans, numbers): (Vec<u32>, Vec<u64>) = rows.iter().map(|row| place_at(batch, *row)).unzip();
            let fingerprints: Vec<u128> = rows.iter().map(|row| fingerprint_at(batch, *row)).collect();
            self.left.push(side, &numbered(numbers, &fingerprints)?, &scans)?;
        }
        Ok(proven)
    }

    fn write(&mut self, left: &Sides<Unmatched>, differing: Vec<(RowKey, KeyPair)>) -> Result<()> {
        if differing.is_empty() {
            return Ok(());
        }
        let job = self.job;
        let _spent = job.meter.enter_work(Work::Write);
        let mut run = RunWriter::new(&self.job.resources.scratch, self.job.resources.limits.run_part_bytes);
        let (keys, joined): (Vec<RowKey>, Vec<KeyPair>) = differing.into_iter().unzip();
        for (keys, joined) in keys
            .chunks(self.job.resources.limits.chunk_rows)
            .zip(joined.chunks(self.job.resources.limits.chunk_rows))
        {
            self.job.watch.check()?;
            let chunk = Chunk::of_joined(self.job, left, joined)?;
            let cells = {
                let _spent = job.meter.enter_work(Work::Compare);
                chunk.compare(&self.job.compiled.columns)?
            };
            let (left_behind, shards_left) = (&mut self.left, self.shards_left);
            let mut differences = DifferenceWriter {
                job,
                run: &mut run,
                lonely: &mut |side, keys| {
                    let rows = numbered(vec![0; keys.len()], keys)?;
                    left_behind.push(side, &rows, &vec![shards_left.keys(side); keys.len()])
                },
                tally: &mut self.tally,
            };
            differences.write(&chunk, &cells, keys)?;
        }
        self.runs.push(run.finish()?);
        Ok(())
    }

    /// The join's memory is bounded by the task's share; it holds 24 bytes a row.
    fn context(&self) -> Result<Arc<TaskContext>> {
        let pool = GreedyMemoryPool::new(self.job.resources.memory.task_bytes.max(self.job.resources.limits.min_join_bytes));
        let runtime = RuntimeEnvBuilder::new()
            .with_memory_pool(Arc::new(pool))
            .build_arc()
            .map_err(|e| Error::internal(e.to_string()))?;
        let config = SessionConfig::new().with_target_partitions(1);
        Ok(Arc::new(TaskContext::default().with_session_config(config).with_runtime(runtime)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::TaskLimits;
    use crate::scan::scan;
    use crate::testing::Setup;
    use shadowdiff_common::run::RunReader;
    use shadowdiff_core::plan::Form;

    /// Thirty accounts, one of which has a giant key: sixty rows a side, of which half are equal.
    fn csv(is_shadow: bool) -> String {
        let mut text = "id,v\n".to_owned();
        for i in 0..30 {
            let v = if is_shadow && i % 3 == 0 { i + 1 } else { i };
            text.push_str(&format!("a{i},{v}\n"));
        }
        for i in 0..60 {
            let v = if is_shadow { i + 30 } else { i };
            text.push_str(&format!("giant,{v}\n"));
        }
        if is_shadow {
            text.push_str("b,1\n");
        }
        text
    }

    /// All differences in the order of their keys, the tally, and how many runs there are.
    fn compared(part_bytes: u64, max_parts: u64, chunk_rows: usize) -> (Vec<Vec<u8>>, Tally, usize) {
        let limits = TaskLimits {
            min_part_bytes: part_bytes,
            max_part_bytes: part_bytes,
            max_parts,
            merged_slices: 2,
            chunk_rows,
            run_part_bytes: 50,
            patience_rows: 0,
            max_batch_rows: 4,
            max_intermediate_bytes: 0,
            runs_in_place: 0,
            ..TaskLimits::PRODUCT
        };
        let small = Setup {
            spec: "schema: {v: int64}\ncomparators:\n- {columns: [v], absolute: 0.5}\n",
            live: &csv(false),
            shadow: &csv(true),
            limits,
            task_bytes: 0,
            ..Setup::default()
        }
        .job();
        let scanned = scan(&small.job, &small.job.plan.scans[0], Form::Rows, 0).expect("a scan");
        let exchanged = [Arc::new(scanned.exchange.expect("rows are exchanged"))];
        let output = compare(&small.job, &[0], &exchanged, &Part::whole(&small.job), 0).expect("a comparison");
        let mut tally = output.tally;
        tally.merge(&scanned.tally);
        let mut records = Vec::new();
        for run in &output.runs {
            let mut reader = RunReader::new(run);
            let from = records.len();
            while reader.advance().expect("a record") {
                let (key, record) = (reader.sort_key().expect("a sort key"), reader.record().expect("a record"));
                records.push([key.bytes, record].concat());
            }
            assert!(records[from..].is_sorted(), "a run is sorted");
        }
        records.sort();
        (records, tally, output.runs.len())
    }

    #[test]
    fn a_divided_shard_and_a_giant_key_give_the_same_differences() {
        let (lines, tally, runs) = compared(1 << 20, 256, 4096);
        assert_eq!((lines.len(), runs), (12, 1), "ten changed, one missing, one duplicate key");
        assert_eq!((tally.changed, tally.missing_in_live, tally.duplicate_key), (10, 1, 1));
        assert_eq!(
            (tally.cancelled, tally.sides.live.in_duplicates, tally.sides.shadow.in_duplicates),
            (50, 30, 30)
        );
        for (part_bytes, max_parts, chunk_rows) in [(4 << 10, 256, 4096), (600, 3, 1), (64, 2, 2), (64, 40, 3)] {
            let divided = compared(part_bytes, max_parts, chunk_rows);
            assert!(divided.2 > 1, "parts of {part_bytes}");
            assert_eq!(
                (&divided.0, &divided.1),
                (&lines, &tally),
                "parts of {part_bytes}, at most {max_parts}"
            );
        }
    }
}
