//! Where the time of a comparison goes: for each rung of its ladder the rows that end there, the bytes that it reads, and its time by the kind
//! of work.
//!
//! ```text
//! sample   same object > same chunk > same position > window > match > reread > compare   lookup   totals
//!          each takes the rows that the one before has left: match and reread where fingerprints are exchanged
//! ```
//! The rows of all rungs together are those that were read and not filtered. On which rung a row ends may be other in another run, as times are.

use crate::plan::Form;
use crate::stage::Stage;
use crate::words::words;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

words! {
    /// A rung of the ladder, in the order in which rows come to it. `--disable` has the words of those that it switches off.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
    #[serde(rename_all = "snake_case")]
    pub enum Rung {
        /// A look at the first rows, where no row ends.
        Sample = "sample",
        /// Row groups of one object on both sides.
        SameObject = "same-object",
        /// Row groups whose columns are stored the same, or differ in some alone; rows of text that are written the same.
        SameChunk = "same-chunk",
        /// Rows of both sides in step.
        SamePosition = "same-position",
        /// Equal fingerprints near each other.
        Window = "window",
        /// Equal or near fingerprints in the exchange.
        Match = "match",
        /// Rows without a partner, read again.
        Reread = "reread",
        /// Rows that meet by their key.
        Compare = "compare",
        /// Keys of rows that one side alone has left.
        Lookup = "lookup",
        /// What columns hold over all rows.
        Totals = "totals",
    }
}

/// A kind of work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Work {
    /// Reading from where it is stored, and making columns of it.
    Decode,
    Hash,
    /// Finding partners.
    Join,
    Compare,
    /// Of rows for the rung that takes them, and of differences.
    Write,
}

impl Rung {
    /// Who takes the rows that a scan exchanges in this form.
    pub fn of_exchange(form: Form) -> Rung {
        match form {
            Form::Rows => Rung::Compare,
            Form::Fingerprints => Rung::Match,
        }
    }

    /// Who takes what the tasks of a stage leave behind.
    pub fn after(stage: Stage, form: Form) -> Rung {
        match stage {
            Stage::Sample => Rung::Sample,
            Stage::Scan | Stage::Rescan => Rung::of_exchange(form),
            Stage::Match => Rung::Reread,
            Stage::Reread | Stage::Compare | Stage::RereadWhole | Stage::CompareWhole | Stage::Merge => Rung::Compare,
            Stage::Lookup => Rung::Lookup,
            Stage::Totals => Rung::Totals,
        }
    }
}

/// What a rung took, all threads and workers together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct RungCost {
    /// Rows of both sides that ended here.
    pub rows: u64,
    /// Of the datasets, as they are stored.
    pub bytes: u64,
    pub decode_us: u64,
    pub hash_us: u64,
    pub join_us: u64,
    pub compare_us: u64,
    pub write_us: u64,
}

impl RungCost {
    /// The time of one kind of work, in microseconds.
    fn time_us(&mut self, work: Work) -> &mut u64 {
        match work {
            Work::Decode => &mut self.decode_us,
            Work::Hash => &mut self.hash_us,
            Work::Join => &mut self.join_us,
            Work::Compare => &mut self.compare_us,
            Work::Write => &mut self.write_us,
        }
    }

    /// Of all kinds of work.
    pub fn all_us(&self) -> u64 {
        let times = [self.decode_us, self.hash_us, self.join_us, self.compare_us, self.write_us];
        times.into_iter().fold(0, u64::saturating_add)
    }

    fn merge(&mut self, other: &RungCost) {
        let add = |mine: &mut u64, theirs: u64| *mine = mine.saturating_add(theirs);
        add(&mut self.rows, other.rows);
        add(&mut self.bytes, other.bytes);
        add(&mut self.decode_us, other.decode_us);
        add(&mut self.hash_us, other.hash_us);
        add(&mut self.join_us, other.join_us);
        add(&mut self.compare_us, other.compare_us);
        add(&mut self.write_us, other.write_us);
    }
}

/// The rungs of a task, a stage or a job on which something was done.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Profile {
    pub rungs: BTreeMap<Rung, RungCost>,
}

impl Profile {
    pub fn is_empty(&self) -> bool {
        self.rungs.is_empty()
    }

    pub fn add_rows(&mut self, rung: Rung, rows: u64) {
        self.add(
            rung,
            RungCost {
                rows,
                ..RungCost::default()
            },
        );
    }

    pub fn add_bytes(&mut self, rung: Rung, bytes: u64) {
        self.add(
            rung,
            RungCost {
                bytes,
                ..RungCost::default()
            },
        );
    }

    pub fn add_time(&mut self, rung: Rung, work: Work, time_us: u64) {
        let mut cost = RungCost::default();
        *cost.time_us(work) = time_us;
        self.add(rung, cost);
    }

    pub fn merge(&mut self, other: &Profile) {
        other.rungs.iter().for_each(|(rung, cost)| self.add(*rung, *cost));
    }

    /// What was spent on rows that count nowhere: they are scanned again.
    #[must_use]
    pub fn without_rows(mut self) -> Profile {
        self.rungs.values_mut().for_each(|cost| cost.rows = 0);
        self
    }

    fn add(&mut self, rung: Rung, cost: RungCost) {
        if cost != RungCost::default() {
            self.rungs.entry(rung).or_default().merge(&cost);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn merging_is_adding_and_what_took_nothing_is_not_there() {
        let mut one = Profile::default();
        one.add_rows(Rung::Window, 4);
        one.add_time(Rung::Window, Work::Hash, 7);
        one.add_bytes(Rung::SameChunk, 9);
        one.add_rows(Rung::Match, 0);
        let mut both = one.clone();
        both.merge(&one);
        let window = both.rungs[&Rung::Window];
        assert_eq!((window.rows, window.hash_us, window.all_us()), (8, 14, 14));
        assert_eq!(both.rungs.keys().copied().collect::<Vec<_>>(), [Rung::SameChunk, Rung::Window]);
        assert_eq!(both.without_rows().rungs[&Rung::Window].rows, 0);
    }

    #[test]
    fn a_profile_is_stored_by_the_names_of_its_rungs() {
        let mut profile = Profile::default();
        profile.add_rows(Rung::SameObject, 2);
        let stored = serde_json::to_string(&profile).expect("json");
        assert_eq!(
            stored,
            r#"{"same_object":{"rows":2,"bytes":0,"decode_us":0,"hash_us":0,"join_us":0,"compare_us":0,"write_us":0}}"#
        );
        assert_eq!(serde_json::from_str::<Profile>(&stored).expect("a profile"), profile);
    }
}
