//! The stages of a job in their order, and the tasks that they have: as they are planned, sent and stored.
//!
//! Who adds a stage adds a row here, its place in the coordinator's `pipeline`, and what its tasks do in the worker's `execute`.

use crate::plan::Form;
use serde::{Deserialize, Serialize};

/// The stages of a job in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// A look at the first rows; small jobs do without.
    #[default]
    Sample,
    /// Reads both sides, and cancels what it can.
    Scan,
    /// Scans again, where what was judged in place may have been wrong: a key was there more than once.
    Rescan,
    /// Cancels fingerprints, where those are exchanged.
    Match,
    /// Reads the rows without a partner again, where fingerprints are exchanged: whole, or in part.
    Reread,
    /// Compares the rows that have not cancelled.
    Compare,
    /// Reads those again, whole, that differ in more than the part that was read of them.
    RereadWhole,
    /// Compares them.
    CompareWhole,
    /// Asks each side for the keys of rows that only the other one has left.
    Lookup,
    /// Reads both sides once more, for what their columns hold over all rows; only where the spec asks.
    Totals,
    /// Merges what differs, and publishes it: the coordinator's own, without tasks.
    Merge,
}

/// What is to know of a stage.
struct Row {
    stage: Stage,
    /// The word of journals, paths, messages and metrics.
    name: &'static str,
    /// Its tasks read the inputs of the job; those of others read what the stage before exchanged.
    reads_inputs: bool,
    activity: Activity,
    /// A commit may say something of every task of the stage that follows, so that few of them are in memory at a time.
    has_large_commits: bool,
}

/// What a job does in a stage, as users are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activity {
    Reading,
    Comparing,
    Merging,
}

const TABLE: [Row; 11] = [
    row(Stage::Sample, "sample", true, Activity::Reading),
    row(Stage::Scan, "scan", true, Activity::Reading),
    row(Stage::Rescan, "rescan", true, Activity::Reading),
    Row {
        has_large_commits: true,
        ..row(Stage::Match, "match", false, Activity::Comparing)
    },
    row(Stage::Reread, "reread", true, Activity::Comparing),
    Row {
        has_large_commits: true,
        ..row(Stage::Compare, "compare", false, Activity::Comparing)
    },
    row(Stage::RereadWhole, "reread-whole", true, Activity::Comparing),
    row(Stage::CompareWhole, "compare-whole", false, Activity::Comparing),
    row(Stage::Lookup, "lookup", true, Activity::Comparing),
    row(Stage::Totals, "totals", true, Activity::Comparing),
    row(Stage::Merge, "merge", false, Activity::Merging),
];

const fn row(stage: Stage, name: &'static str, reads_inputs: bool, activity: Activity) -> Row {
    Row {
        stage,
        name,
        reads_inputs,
        activity,
        has_large_commits: false,
    }
}

impl Stage {
    /// The stage of this word.
    pub fn named(name: &str) -> Option<Stage> {
        TABLE.iter().find(|row| row.name == name).map(|row| row.stage)
    }

    /// The stage after this one; the last stays.
    pub fn next(self) -> Stage {
        TABLE.get(self as usize + 1).map_or(self, |row| row.stage)
    }

    /// The word of journals, paths, messages and metrics.
    pub fn name(self) -> &'static str {
        self.row().name
    }

    /// Its tasks read the inputs of the job.
    pub fn reads_inputs(self) -> bool {
        self.row().reads_inputs
    }

    /// What the job does in it.
    pub fn activity(self) -> Activity {
        self.row().activity
    }

    /// Whether few of its commits are in memory at a time.
    pub fn has_large_commits(self) -> bool {
        self.row().has_large_commits
    }

    fn row(self) -> &'static Row {
        &TABLE[self as usize]
    }
}

impl std::fmt::Display for Stage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// A unit of a stage, the same in memory, on the wire and in a process of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Task {
    pub stage: Stage,
    /// Its number in its stage.
    pub number: u32,
    /// In what form it exchanges rows.
    pub form: Form,
    pub input: ShardRange,
    /// Of rows that are read in part, or were, the aligned columns that are; of whole rows none is named.
    pub columns: Vec<u32>,
}

impl Task {
    /// Its rows are read in part.
    pub fn is_in_part(&self) -> bool {
        !self.columns.is_empty()
    }
}

/// What a task reads of what the stage before exchanged: the rows of some shards. Nothing for a task that reads inputs alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ShardRange {
    pub first: u32,
    /// The shards from the first one on; those without rows count too.
    pub count: u32,
    /// Where that is written down: the parts of the stage's table of tasks. 0 in a process that keeps what was exchanged itself.
    pub parts: u32,
}

impl ShardRange {
    /// The numbers of the shards.
    pub fn shards(self) -> std::ops::Range<u32> {
        self.first..self.first.saturating_add(self.count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_has_the_stages_in_their_order() {
        let all: Vec<Stage> = TABLE.iter().map(|row| row.stage).collect();
        assert!(all.is_sorted() && (0..).zip(&all).all(|(at, stage)| *stage as usize == at));
        for stage in all {
            assert_eq!(Stage::named(stage.name()), Some(stage));
            assert_eq!(serde_json::to_value(stage).expect("serializes"), stage.name());
        }
        assert_eq!((Stage::Sample.next(), Stage::Merge.next()), (Stage::Scan, Stage::Merge));
    }
}
