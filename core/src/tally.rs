//! The counts of a comparison: mergeable in any order to the same bytes, and books that must balance.

use crate::side::{Side, Sides};
use crate::sketch::Sketch;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Rows of one side by what became of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct SideRows {
    pub read: u64,
    pub filtered: u64,
    /// Rows in groups that were listed as `duplicate_key`.
    pub in_duplicates: u64,
}

/// What happened to the cells of one column.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct ColumnTally {
    pub differing: u64,
    pub exceptions: u64,
    /// Distribution of `shadow - live` over the differing cells, for numbers (in their unit) and times (in seconds; dates in days).
    pub deltas: Sketch,
}

/// All counts of a task, a stage or a job.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Tally {
    pub sides: Sides<SideRows>,
    /// Row pairs.
    pub cancelled: u64,
    pub within_tolerance: u64,
    pub changed: u64,
    pub missing_in_shadow: u64,
    pub missing_in_live: u64,
    /// Groups of rows of one key.
    pub duplicate_key: u64,
    /// Of `duplicate_key`, those with rows on both sides.
    pub duplicate_on_both: u64,
    pub expected: u64,
    pub exceptions: u64,
    /// By column number.
    pub columns: BTreeMap<usize, ColumnTally>,
    /// Lines by rule number.
    pub rules: BTreeMap<usize, u64>,
    pub diagnoses: BTreeMap<String, u64>,
    /// Distinct accounts after `where`, of either side; only counted where the verdict asks.
    pub accounts: u64,
    /// Cells that a `json` comparator met that are no JSON, by column number.
    pub not_json: BTreeMap<usize, u64>,
}

impl Tally {
    pub fn merge(&mut self, other: &Tally) {
        for side in Side::BOTH {
            let (mine, theirs) = (&mut self.sides[side], &other.sides[side]);
            mine.read += theirs.read;
            mine.filtered += theirs.filtered;
            mine.in_duplicates += theirs.in_duplicates;
        }
        self.cancelled += other.cancelled;
        self.within_tolerance += other.within_tolerance;
        self.changed += other.changed;
        self.missing_in_shadow += other.missing_in_shadow;
        self.missing_in_live += other.missing_in_live;
        self.duplicate_key += other.duplicate_key;
        self.duplicate_on_both += other.duplicate_on_both;
        self.expected += other.expected;
        self.exceptions += other.exceptions;
        self.accounts += other.accounts;
        for (column, theirs) in &other.columns {
            let mine = self.columns.entry(*column).or_default();
            mine.differing += theirs.differing;
            mine.exceptions += theirs.exceptions;
            mine.deltas.merge(&theirs.deltas);
        }
        for (rule, lines) in &other.rules {
            *self.rules.entry(*rule).or_default() += lines;
        }
        for (diagnosis, cells) in &other.diagnoses {
            *self.diagnoses.entry(diagnosis.clone()).or_default() += cells;
        }
        for (column, cells) in &other.not_json {
            *self.not_json.entry(*column).or_default() += cells;
        }
    }

    /// Rows that both sides have, one to one.
    pub fn matched(&self) -> u64 {
        self.cancelled + self.within_tolerance + self.changed
    }

    /// Lines of the CSV before any cut.
    pub fn lines(&self) -> u64 {
        self.expected + self.exceptions
    }

    /// Per side: rows read = filtered out + matched + missing on the other side + in duplicate groups. `Err` says where they do not.
    pub fn balance(&self) -> Result<(), String> {
        for (side, rows) in self.sides.each() {
            let missing = match side {
                Side::Live => self.missing_in_shadow,
                Side::Shadow => self.missing_in_live,
            };
            let explained = rows.filtered + self.matched() + missing + rows.in_duplicates;
            if rows.read != explained {
                return Err(format!(
                    "the books of {side} do not balance: {} rows read, but {explained} explained ({} filtered, {} cancelled, {} within tolerance, {} changed, {missing} missing on the other side, {} in duplicate groups)",
                    rows.read, rows.filtered, self.cancelled, self.within_tolerance, self.changed, rows.in_duplicates
                ));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn books_balance_or_say_where_not() {
        let mut tally = Tally {
            cancelled: 3,
            changed: 1,
            missing_in_shadow: 2,
            duplicate_key: 1,
            ..Tally::default()
        };
        tally.sides.live = SideRows {
            read: 9,
            filtered: 1,
            in_duplicates: 2,
        };
        tally.sides.shadow = SideRows {
            read: 4,
            filtered: 0,
            in_duplicates: 0,
        };
        assert_eq!(tally.balance(), Ok(()));
        tally.sides.shadow.read = 5;
        assert!(
            tally
                .balance()
                .expect_err("one row is lost")
                .contains("shadow do not balance: 5 rows read, but 4 explained")
        );
    }

    #[test]
    fn merging_is_adding() {
        let mut one = Tally {
            cancelled: 1,
            ..Tally::default()
        };
        one.rules.insert(0, 2);
        one.columns.insert(
            3,
            ColumnTally {
                differing: 1,
                exceptions: 1,
                deltas: Sketch::default(),
            },
        );
        let mut both = one.clone();
        both.merge(&one);
        assert_eq!((both.cancelled, both.rules[&0], both.columns[&3].differing), (2, 4, 2));
    }
}
