//! A look at the first rows of both sides, which decides in what form a job exchanges its rows.

use crate::fingerprints::ByFingerprint;
use crate::in_place::InPlace;
use crate::in_step::InStep;
use crate::job::Job;
use crate::paired::PairedGroups;
use crate::side::{Purpose, SideReader};
use shadowdiff_common::link::TaskOutput;
use shadowdiff_core::error::Result;
use shadowdiff_core::plan::{Form, Sample, ScanTask, Split};
use shadowdiff_core::profile::{Rung, Work};
use shadowdiff_core::side::{Side, Sides};

/// Looks at the heaviest piece that has rows of both sides.
pub(crate) fn sample(job: &Job) -> Result<TaskOutput> {
    let _spent = job.meter.enter(Rung::Sample, Work::Compare);
    let both = job
        .plan
        .scans
        .iter()
        .filter(|task| Side::BOTH.iter().all(|side| !task.splits[*side].is_empty()));
    let Some(task) = both.max_by_key(|task| task.weight()) else {
        return Ok(output(Sample::default()));
    };
    if has_keys_in_step(job, task)? {
        return Ok(output(Sample::default()));
    }
    let (mut in_step, mut in_place) = (InStep::new(job, Form::Rows, true), InPlace::new(job, true));
    let columns = sampled_columns(job, task);
    let purpose = || Purpose::Sample(job.resources.limits.sampled_rows, columns.clone());
    let mut readers = Sides::from_fn(|side| SideReader::new(job, side, &task.splits[side], purpose()));
    let mut keys: ByFingerprint<Sides<bool>> = ByFingerprint::default();
    let (mut whole, mut exact) = (RowCounts::default(), RowCounts::default());
    let mut found = Sample::default();
    for side in Side::BOTH {
        while let Some(rows) = readers[side].next()? {
            let read = rows.clone().hashed(job);
            for key in read.keys(job).iter().copied() {
                keys.entry(key).or_default()[side] = true;
            }
            found.rows[side] += read.rows() as u64;
            whole.add(side, &read.fingerprints);
            exact.add(side, read.exact.as_ref().unwrap_or(&read.fingerprints));
            in_step.push(side, rows, &mut in_place, &mut |_, _| Ok(()))?;
        }
        in_step.end(side, &mut in_place, &mut |_, _| Ok(()))?;
    }
    let (judged, _) = in_place.finish()?;
    let near = if judged.holds() { judged.near } else { 0 };
    found.cancelled = whole.pairs() + near;
    found.alike = exact.pairs();
    found.common_keys = keys.values().filter(|on| on.live && on.shadow).count() as u64;
    Ok(output(found))
}

/// How often rows of one fingerprint come on each side.
#[derive(Default)]
struct RowCounts(ByFingerprint<Sides<u64>>);

impl RowCounts {
    fn add(&mut self, side: Side, fingerprints: &[u128]) {
        fingerprints.iter().for_each(|f| self.0.entry(*f).or_default()[side] += 1);
    }

    fn pairs(&self) -> u64 {
        self.0.values().map(|rows| rows.live.min(rows.shadow)).sum()
    }
}

/// Whether the keys of the first row groups are stored the same: rows are in step then, and nothing needs to be decoded to know it.
fn has_keys_in_step(job: &Job, task: &ScanTask) -> Result<bool> {
    let paired = PairedGroups::new(job, task, Form::Rows);
    paired.map_or(Ok(false), |mut paired| paired.has_same_keys(0))
}

/// The columns that are looked at: the key, and of the others as many as cost about what a look may. A page is decoded whole, however few of
/// its rows are wanted.
fn sampled_columns(job: &Job, task: &ScanTask) -> Vec<usize> {
    let aligned = &job.plan.aligned;
    let rows_of = |side: Side| task.splits[side].first().and_then(Split::rows);
    let rows = Side::BOTH.into_iter().filter_map(rows_of).max().unwrap_or(0);
    let values: Vec<usize> = (0..aligned.columns.len()).filter(|at| !aligned.key.contains(at)).collect();
    let bytes = rows.saturating_mul(job.plan.estimate.row_bytes());
    let every = (bytes / job.resources.limits.sampled_bytes.max(1) + 1) as usize;
    aligned.key.iter().copied().chain(values.into_iter().step_by(every)).collect()
}

fn output(sample: Sample) -> TaskOutput {
    TaskOutput {
        sample: Some(sample),
        ..TaskOutput::default()
    }
}
