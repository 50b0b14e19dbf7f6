//! A look at the first rows of both sides, which decides in what form a job exchanges its rows.

use crate::aligned_rows::AlignedRows;
use crate::exchanged::ScannedForm;
use crate::fingerprints::ByFingerprint;
use crate::in_place::InPlace;
use crate::in_step::InStep;
use crate::job::Job;
use crate::side::{Purpose, SideReader};
use crate::window::{CancelMode, Window};
use shadowdiff_common::link::TaskOutput;
use shadowdiff_core::error::Result;
use shadowdiff_core::plan::Sample;
use shadowdiff_core::side::{Side, Sides};

/// Looks at the heaviest piece that has rows of both sides.
pub(crate) fn sample(job: &Job) -> Result<TaskOutput> {
    let both = job
        .plan
        .scans
        .iter()
        .filter(|task| Side::BOTH.iter().all(|side| !task.splits[*side].is_empty()));
    let Some(task) = both.max_by_key(|task| task.weight()) else {
        return Ok(output(Sample::default()));
    };
    let mode = CancelMode {
        in_step: true,
        remember: true,
    };
    let mut window = Window::new(job.resources.memory.task_bytes / 3, mode, &job.resources.limits);
    let (mut in_step, mut in_place) = (InStep::new(job, true), InPlace::new(job, true));
    let mut readers =
        Sides::from_fn(|side| SideReader::new(job, side, &task.splits[side], Purpose::Sample(job.resources.limits.sampled_rows)));
    let mut keys: ByFingerprint<Sides<bool>> = ByFingerprint::default();
    let mut exact: ByFingerprint<Sides<u64>> = ByFingerprint::default();
    let mut found = Sample::default();
    let scanned_form = ScannedForm::new(job, task);
    let mut emit = |side: Side, rows: AlignedRows| window.push(side, scanned_form.rows(job, side, rows.hashed(job))?, &mut |_, _| Ok(()));
    for side in Side::BOTH {
        while let Some(rows) = readers[side].next()? {
            let read = rows.clone().hashed(job);
            for key in read.keys(job) {
                keys.entry(key).or_default()[side] = true;
            }
            found.rows[side] += read.rows() as u64;
            let fingerprints = read.exact.as_ref().unwrap_or(&read.fingerprints);
            fingerprints.iter().for_each(|f| exact.entry(*f).or_default()[side] += 1);
            in_step.push(side, rows, &mut in_place, &mut emit)?;
        }
        in_step.end(side, &mut in_place, &mut emit)?;
    }
    window.finish(&mut |_, _| Ok(()))?;
    let judged = in_place.finish();
    let near = if judged.holds() { judged.near } else { 0 };
    found.cancelled = window.cancelled + in_step.cancelled + near;
    found.alike = exact.values().map(|rows| rows.live.min(rows.shadow)).sum();
    found.common_keys = keys.values().filter(|on| on.live && on.shadow).count() as u64;
    Ok(output(found))
}

fn output(sample: Sample) -> TaskOutput {
    TaskOutput {
        sample: Some(sample),
        ..TaskOutput::default()
    }
}
