//! Settings of this process: threads, memory and its shares, scratch, logging.

use crate::args::{Optimisation, SettingArgs};
use crate::process::{memory_bytes, threads};
use shadowdiff_common::spool::Scratch;
use shadowdiff_common::telemetry::start_log;
use shadowdiff_core::error::Result;
use shadowdiff_core::plan::Form;
use shadowdiff_worker::{Disabled, Memory, TaskLimits};

/// Flags with their defaults filled in.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) threads: usize,
    pub(crate) memory_bytes: u64,
    pub(crate) disabled: Disabled,
    pub(crate) limits: TaskLimits,
    pub(crate) form: Option<Form>,
    pub(crate) quiet: bool,
}

impl Settings {
    pub(crate) fn new(args: &SettingArgs, limits: TaskLimits) -> Result<Self> {
        start_log(&args.log)?;
        Ok(Settings {
            threads: threads(args.threads),
            memory_bytes: memory_bytes(args.memory),
            disabled: Disabled {
                same_object: args.disable.contains(&Optimisation::SameObject),
                same_chunk: args.disable.contains(&Optimisation::SameChunk),
                same_position: args.disable.contains(&Optimisation::SamePosition),
                window: args.disable.contains(&Optimisation::Window),
            },
            limits,
            form: args.exchange.form(),
            quiet: args.quiet,
        })
    }

    /// How many tasks run at a time: as many as threads, unless what they read at a time would take over a third of the memory.
    pub(crate) fn slots(&self, reading_bytes: u64) -> usize {
        let most = self.memory_bytes / 3 / reading_bytes.max(1);
        usize::try_from(most).unwrap_or(usize::MAX).clamp(1, self.threads)
    }

    /// What is left for rows beside the readers and the lists of accounts.
    fn rows_bytes(&self, reading_bytes: u64, lists_bytes: u64) -> u64 {
        let reading = reading_bytes.saturating_mul(self.slots(reading_bytes) as u64);
        let held = reading.saturating_add(lists_bytes);
        self.memory_bytes.saturating_sub(held).max(self.memory_bytes / 4)
    }

    pub(crate) fn scratch(&self, args: &SettingArgs, reading_bytes: u64, lists_bytes: u64) -> Result<Scratch> {
        let rows_bytes = self.rows_bytes(reading_bytes, lists_bytes);
        Scratch::new(Memory::intermediate_bytes(rows_bytes, &self.limits), args.scratch.as_deref())
    }

    pub(crate) fn task_memory(&self, reading_bytes: u64, lists_bytes: u64) -> Memory {
        let rows_bytes = self.rows_bytes(reading_bytes, lists_bytes) / self.slots(reading_bytes) as u64;
        Memory::of_task(rows_bytes, &self.limits)
    }

    /// What a task compares at a time.
    pub(crate) fn part_bytes(&self) -> u64 {
        (self.task_memory(0, 0).task_bytes as u64 / 4).clamp(8 << 20, 64 << 20)
    }
}
