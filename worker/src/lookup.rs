//! The lookup task: asks a piece of a side for the keys of rows that only the other side has left. A key that is found there is one whose
//! rows have cancelled: what is left are extra copies.

use crate::exchanged::numbers;
use crate::fingerprints::ByFingerprint;
use crate::job::Job;
use crate::side::{Purpose, SideReader};
use shadowdiff_common::exchange::Object;
use shadowdiff_common::link::TaskOutput;
use shadowdiff_common::spool::SpoolWriter;
use shadowdiff_core::error::Result;
use shadowdiff_core::plan::ScanTask;
use shadowdiff_core::profile::{Rung, Work};
use shadowdiff_core::side::Side;
use std::collections::BTreeSet;
use std::sync::Arc;

/// Looks up the keys in `places` of `objects`, which are of the side that has the rows, in a piece of the other one. One place has keys of one side.
pub(crate) fn lookup(job: &Job, task: &ScanTask, places: &[u32], objects: &[Arc<Object>]) -> Result<TaskOutput> {
    let _spent = job.meter.enter(Rung::Lookup, Work::Join);
    let mut found = BTreeSet::new();
    for side in Side::BOTH {
        let mut wanted: ByFingerprint<()> = ByFingerprint::default();
        for (place, object) in places.iter().flat_map(|place| objects.iter().map(move |object| (*place, object))) {
            for block in job.meter.each(Work::Decode, object.batches(place, side.other())) {
                wanted.extend(numbers(&block?).map(|(_, fingerprint)| (fingerprint, ())));
            }
        }
        if wanted.is_empty() {
            continue;
        }
        let key = job.plan.aligned.key.clone();
        let mut reader = SideReader::new(job, side, &task.splits[side], Purpose::Columns(key));
        while let Some(key) = reader.next_columns()? {
            let rows = key.first().map_or(0, |column| column.len());
            let keys = {
                let _spent = job.meter.enter_work(Work::Hash);
                job.compiled.key_fingerprint.hash(&key.iter().collect::<Vec<_>>(), rows)
            };
            found.extend(keys.into_iter().filter(|key| wanted.remove(key).is_some()));
        }
    }
    let mut run = SpoolWriter::new(&job.resources.scratch, job.resources.limits.account_part_bytes);
    found.into_iter().try_for_each(|key| run.append(&key.to_be_bytes()))?;
    Ok(TaskOutput {
        sorted: vec![run.finish()?],
        ..TaskOutput::default()
    })
}
