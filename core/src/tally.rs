//! The counts of a comparison: mergeable in any order to the same bytes, and books that must balance.

use crate::side::{Side, Sides};
use crate::sketch::Sketch;
use crate::spec::DifferenceKind;
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

/// What differences that look alike have in common: where, and in which way.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Pattern {
    pub kind: DifferenceKind,
    /// A column's number; `None` for whole rows.
    pub column: Option<usize>,
    pub diagnosis: Option<String>,
    pub direction: Option<Direction>,
}

/// Whether shadow is larger than live, or smaller: the sign of the delta.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    Up,
    Down,
}

impl Direction {
    pub fn name(self) -> &'static str {
        match self {
            Direction::Up => "up",
            Direction::Down => "down",
        }
    }
}

/// Differences of one pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct PatternTally {
    pub differing: u64,
    pub exceptions: u64,
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
    #[serde(with = "as_pairs")]
    pub patterns: BTreeMap<Pattern, PatternTally>,
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
        for (pattern, theirs) in &other.patterns {
            let mine = self.patterns.entry(pattern.clone()).or_default();
            mine.differing += theirs.differing;
            mine.exceptions += theirs.exceptions;
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

/// A count with its noun: `1 row`, `2 rows`.
pub fn counted(count: u64, noun: &str) -> String {
    match (count, noun.strip_suffix("is")) {
        (1, _) => format!("1 {noun}"),
        (_, Some(stem)) => format!("{count} {stem}es"),
        (_, None) => format!("{count} {noun}s"),
    }
}

/// A map whose keys are not text, as a list of pairs: JSON has no other form for it.
mod as_pairs {
    use super::{BTreeMap, Pattern, PatternTally};
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(map: &BTreeMap<Pattern, PatternTally>, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(map)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<Pattern, PatternTally>, D::Error> {
        Ok(Vec::deserialize(deserializer)?.into_iter().collect())
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
        let pattern = Pattern {
            kind: DifferenceKind::Changed,
            column: Some(3),
            diagnosis: None,
            direction: Some(Direction::Up),
        };
        one.patterns.insert(
            pattern.clone(),
            PatternTally {
                differing: 1,
                exceptions: 0,
            },
        );
        let mut both = one.clone();
        both.merge(&one);
        assert_eq!((both.cancelled, both.rules[&0], both.columns[&3].differing), (2, 4, 2));
        assert_eq!((both.patterns[&pattern].differing, both.patterns[&pattern].exceptions), (2, 0));
        let stored = serde_json::to_string(&both).expect("a tally is JSON");
        assert_eq!(serde_json::from_str::<Tally>(&stored).expect("it reads back"), both);
    }
}
