//! What the tasks of a job may use of the process that runs them: inputs, scratch, memory.

use crate::limits::TaskLimits;
use shadowdiff_common::read::{Dataset, Sources};
use shadowdiff_common::spool::Scratch;
use shadowdiff_core::side::Sides;

/// What a job's tasks may use.
#[derive(Debug)]
pub struct Resources {
    pub datasets: Sides<Dataset>,
    pub sources: Sources,
    pub scratch: Scratch,
    pub limits: TaskLimits,
    pub memory: Memory,
    pub batch_rows: usize,
    pub disabled: Disabled,
}

impl Resources {
    /// How many bytes of rows a task compares at a time. `halvings` says how often its memory share was halved.
    pub(crate) fn part_bytes(&self, halvings: u32) -> u64 {
        self.memory.part_bytes(halvings, &self.limits)
    }
}

/// How much memory one task may use, and how much of it for what.
#[derive(Debug, Clone, Copy)]
pub struct Memory {
    pub task_bytes: usize,
}

/// Tenths of the memory for rows that go to tasks; as many are for intermediate results, the rest for what nobody counts: copies in flight,
/// the allocator's reserves.
const SHARE_TENTHS: u64 = 3;
/// Batches that a task's memory should hold at a time.
const BATCHES_A_TASK: u64 = 32;

impl Memory {
    /// Of one task, where it and its intermediate results have `rows_bytes`.
    pub fn of_task(rows_bytes: u64, limits: &TaskLimits) -> Self {
        Memory {
            task_bytes: share(rows_bytes).min(limits.max_task_bytes),
        }
    }

    /// How many bytes of rows are compared at a time: a part is held about three times (rows, what is left of them, indexes).
    pub fn part_bytes(self, halvings: u32, limits: &TaskLimits) -> u64 {
        ((self.task_bytes >> halvings.min(8)) as u64 / 4).clamp(limits.min_part_bytes, limits.max_part_bytes)
    }

    /// What intermediate results may take of `rows_bytes`.
    pub fn intermediate_bytes(rows_bytes: u64, limits: &TaskLimits) -> usize {
        share(rows_bytes).min(limits.max_intermediate_bytes)
    }

    /// Rows of a batch, where one takes about `row_bytes`.
    pub fn batch_rows(self, row_bytes: u64, limits: &TaskLimits) -> usize {
        let rows = self.task_bytes as u64 / BATCHES_A_TASK / row_bytes.max(1);
        (rows as usize).clamp(limits.min_batch_rows, limits.max_batch_rows)
    }
}

fn share(rows_bytes: u64) -> usize {
    (rows_bytes * SHARE_TENTHS / 10) as usize
}

/// Optimisations that a test switches off; the result does not change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Disabled {
    pub same_object: bool,
    pub same_chunk: bool,
    pub same_position: bool,
    pub window: bool,
}
