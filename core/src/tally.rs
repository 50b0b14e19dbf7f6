//! The counts of a comparison: mergeable in any order to the same bytes, and books that must balance. Those of rows are counted where rows
//! are read and compared; those of differences, which depend on the rules, where differences are judged.

use crate::side::{Side, Sides};
use crate::sketch::{Sketch, Sum};
use crate::spec::{DifferenceKind, Direction};
use crate::tolerance_use::ToleranceUse;
use crate::totals::ColumnTotals;
use crate::value::{Number, Value};
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

/// What differences that look alike have in common: where, and in which way.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Pattern {
    pub kind: DifferenceKind,
    /// A column's number; `None` for whole rows.
    pub column: Option<usize>,
    pub diagnosis: Option<String>,
    pub direction: Option<Direction>,
}

/// What a difference is held for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Judgement {
    /// The rule of that number covers it.
    Expected(usize),
    /// No rule does, but the acceptance of that number.
    Accepted(usize),
    /// It is like the noise of the unit of that number, which has no excess.
    Noise(usize),
    Exception,
}

impl Judgement {
    pub fn name(self) -> &'static str {
        match self {
            Judgement::Expected(_) => "expected",
            Judgement::Accepted(_) => "accepted",
            Judgement::Noise(_) => "noise",
            Judgement::Exception => "exception",
        }
    }
}

/// Rows that an acceptance covers, and their lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct AcceptedTally {
    pub rows: u64,
    pub lines: u64,
}

/// The power of two that a delta begins with; absent where it has no size.
pub type DeltaSize = Option<i16>;

/// Differences of one pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PatternTally {
    pub differing: u64,
    pub exceptions: u64,
}

/// What became of the rows of a task, a stage or a job, whatever the rules say.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
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
    /// Differing cells by column number.
    pub cells: BTreeMap<usize, u64>,
    /// Distinct accounts after `where`, of either side; only counted where the verdict asks.
    pub accounts: u64,
    /// Cells that a `json` comparator met that are no JSON, by column number.
    pub not_json: BTreeMap<usize, u64>,
    /// Cells that differ within the tolerance of their column, by its number, whatever else differs in their rows.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tolerance_use: BTreeMap<usize, ToleranceUse>,
    /// What each compared column holds over all rows after `where`, by column number; only where the spec asks.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub totals: BTreeMap<usize, Sides<ColumnTotals>>,
}

/// Where one side alone has rows of more keys than this left, the other is not asked for them: who merges holds 16 bytes of each.
pub const MAX_LOOKED_UP: u64 = 1 << 20;

impl Tally {
    /// Keys of which one side alone has rows left.
    pub fn keys_on_one_side(&self) -> u64 {
        self.missing_in_shadow + self.missing_in_live + self.duplicate_key - self.duplicate_on_both
    }

    /// Whether such a key may be one that the other side has too: its rows there have then cancelled.
    pub fn may_have_extra_copies(&self) -> bool {
        self.cancelled > 0 && self.keys_on_one_side() > 0
    }

    /// Whether the other side is asked for those keys, or it is known without that it has none of them.
    pub fn looks_up_keys(&self) -> bool {
        self.may_have_extra_copies() && self.keys_on_one_side() <= MAX_LOOKED_UP
    }

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
        self.accounts += other.accounts;
        add(&mut self.cells, &other.cells);
        add(&mut self.not_json, &other.not_json);
        self.add_tolerance_use(&other.tolerance_use);
        for (column, theirs) in &other.totals {
            let mine = self.totals.entry(*column).or_default();
            Side::BOTH.into_iter().for_each(|side| mine[side].merge(&theirs[side]));
        }
    }

    /// Adds cells within tolerance, by column number.
    pub fn add_tolerance_use(&mut self, more: &BTreeMap<usize, ToleranceUse>) {
        for (column, theirs) in more {
            self.tolerance_use.entry(*column).or_default().merge(theirs);
        }
    }

    /// Rows that both sides have, one to one.
    pub fn matched(&self) -> u64 {
        self.cancelled + self.within_tolerance + self.changed
    }

    /// Rows of a side that have not come to an end.
    pub fn open_rows(&self, side: Side) -> u64 {
        let rows = &self.sides[side];
        rows.read.saturating_sub(self.explained(side))
    }

    /// Rows of a side that were filtered out, matched, alone, or in duplicate groups.
    fn explained(&self, side: Side) -> u64 {
        let rows = &self.sides[side];
        rows.filtered + self.matched() + self.missing_on_the_other(side) + rows.in_duplicates
    }

    fn missing_on_the_other(&self, side: Side) -> u64 {
        match side {
            Side::Live => self.missing_in_shadow,
            Side::Shadow => self.missing_in_live,
        }
    }

    /// Rows of both sides that have come to an end: matched, alone, or in duplicate groups.
    pub fn ended_rows(&self) -> u64 {
        let in_duplicates = self.sides.live.in_duplicates + self.sides.shadow.in_duplicates;
        2 * self.matched() + self.missing_in_shadow + self.missing_in_live + in_duplicates
    }

    /// Lines of the CSV before any cut.
    pub fn differences(&self) -> u64 {
        self.cells.values().sum::<u64>() + self.missing_in_shadow + self.missing_in_live + self.duplicate_key
    }

    /// Per side: rows read = filtered out + matched + missing on the other side + in duplicate groups. `Err` says where they do not.
    pub fn balance(&self) -> Result<(), String> {
        for (side, rows) in self.sides.each() {
            let (missing, explained) = (self.missing_on_the_other(side), self.explained(side));
            if rows.read != explained {
                return Err(format!(
                    "the books of {side} do not balance: {} rows read, but {explained} explained ({} filtered, {} cancelled, {} within tolerance, {} changed, {missing} missing on the other side, {} in duplicate groups)",
                    rows.read, rows.filtered, self.cancelled, self.within_tolerance, self.changed, rows.in_duplicates
                ));
            }
        }
        Ok(())
    }

    /// Per side: the totals of each of these columns are of all rows that `where` left. `Err` says where they are not.
    pub fn balance_totals(&self, columns: &[usize]) -> Result<(), String> {
        for (column, (side, rows)) in columns.iter().flat_map(|column| self.sides.each().map(|side| (*column, side))) {
            let compared = rows.read - rows.filtered;
            let totaled = self.totals.get(&column).map_or(0, |totals| totals[side].rows);
            if totaled != compared {
                return Err(format!(
                    "the totals of {side} do not balance: {totaled} rows in those of column {column}, but {compared} compared"
                ));
            }
        }
        Ok(())
    }
}

/// Adds counts to those of the same number.
fn add(counts: &mut BTreeMap<usize, u64>, more: &BTreeMap<usize, u64>) {
    for (number, count) in more {
        *counts.entry(*number).or_default() += count;
    }
}

/// Cells in which shadow differs from live, by what the second run of live is nearer to there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SecondRunCells {
    pub nearer_shadow: u64,
    pub nearer_live: u64,
    /// As near to both, or equal to none where values have no distance.
    pub neither: u64,
}

impl SecondRunCells {
    pub fn cells(&self) -> u64 {
        self.nearer_shadow + self.nearer_live + self.neither
    }

    pub fn merge(&mut self, other: SecondRunCells) {
        self.nearer_shadow += other.nearer_shadow;
        self.nearer_live += other.nearer_live;
        self.neither += other.neither;
    }
}

/// What judging has counted: exceptions that are like the noise, by unit and size, and what the second run is nearer to, by column and size.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NoiseTally {
    pub like: BTreeMap<(usize, DeltaSize), u64>,
    pub second_run: BTreeMap<(usize, DeltaSize), SecondRunCells>,
}

impl NoiseTally {
    pub fn merge(&mut self, other: NoiseTally) {
        for (unit, cells) in other.like {
            *self.like.entry(unit).or_default() += cells;
        }
        for (cells, nearer) in other.second_run {
            self.second_run.entry(cells).or_default().merge(nearer);
        }
    }
}

/// The differing cells of a column, both sides of them together.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct CellTotals {
    /// Cells that are NULL.
    pub nulls: Sides<u64>,
    /// The sum of shadow's numbers less that of live's. NULL adds nothing.
    pub moved: Sum,
    /// Cells that are NaN or infinite.
    pub not_finite: u64,
}

impl CellTotals {
    /// Adds a cell of numbers. `delta`: shadow less live, where it is known exactly.
    pub fn add(&mut self, live: &Value<'_>, shadow: &Value<'_>, delta: Option<&Number>) {
        // Doubles are added each: an integer may stand beside one.
        let is_decimal = |value: &Value<'_>| matches!(value, Value::Int(_) | Value::Decimal(_));
        if let Some(delta) = delta.filter(|_| is_decimal(live) && is_decimal(shadow)) {
            return self.moved.add_exact(delta);
        }
        for (value, sign) in [(live, -1.0), (shadow, 1.0)] {
            match value {
                Value::Float32(double) if double.is_finite() => self.moved.add_double(sign * f64::from(*double)),
                Value::Float64(double) if double.is_finite() => self.moved.add_double(sign * double),
                Value::Float32(_) | Value::Float64(_) => self.not_finite += 1,
                value => {
                    let number = Number::from_value(value);
                    let number = if sign < 0.0 {
                        number.map(|number| number.negated())
                    } else {
                        number
                    };
                    number.iter().for_each(|number| self.moved.add_exact(number));
                }
            }
        }
    }

    fn merge(&mut self, other: &CellTotals) {
        for side in Side::BOTH {
            self.nulls[side] += other.nulls[side];
        }
        self.moved.merge(&other.moved);
        self.not_finite += other.not_finite;
    }
}

/// The counts of judged differences.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct DifferenceTally {
    pub patterns: BTreeMap<Pattern, PatternTally>,
    /// By rule number.
    pub rules: BTreeMap<usize, u64>,
    /// By the number of the acceptance.
    pub accepted: BTreeMap<usize, AcceptedTally>,
    /// Lines that are noise.
    pub noise: u64,
    /// Lines that no rule or acceptance covers and that are like the noise, whether it is subtracted or not.
    pub like_noise: NoiseTally,
    /// By column number: the distribution of `shadow - live`, for numbers (in their unit) and times (in seconds; dates in days).
    pub deltas: BTreeMap<usize, Sketch>,
    /// By column number.
    pub totals: BTreeMap<usize, CellTotals>,
}

impl DifferenceTally {
    /// Counts one difference.
    pub fn count(&mut self, pattern: &Pattern, judgement: Judgement) {
        let pattern = match self.patterns.get_mut(pattern) {
            Some(counted) => counted,
            None => self.patterns.entry(pattern.clone()).or_default(),
        };
        pattern.differing += 1;
        match judgement {
            Judgement::Expected(rule) => *self.rules.entry(rule).or_default() += 1,
            Judgement::Accepted(acceptance) => self.accepted.entry(acceptance).or_default().lines += 1,
            Judgement::Noise(_) => self.noise += 1,
            Judgement::Exception => pattern.exceptions += 1,
        }
    }

    /// Counts a row that an acceptance covers.
    pub fn count_accepted_row(&mut self, acceptance: usize) {
        self.accepted.entry(acceptance).or_default().rows += 1;
    }

    pub fn merge(&mut self, other: DifferenceTally) {
        for (pattern, theirs) in other.patterns {
            let mine = self.patterns.entry(pattern).or_default();
            mine.differing += theirs.differing;
            mine.exceptions += theirs.exceptions;
        }
        add(&mut self.rules, &other.rules);
        for (acceptance, theirs) in other.accepted {
            let mine = self.accepted.entry(acceptance).or_default();
            mine.rows += theirs.rows;
            mine.lines += theirs.lines;
        }
        self.noise += other.noise;
        self.like_noise.merge(other.like_noise);
        for (column, theirs) in &other.deltas {
            self.deltas.entry(*column).or_default().merge(theirs);
        }
        for (column, theirs) in &other.totals {
            self.totals.entry(*column).or_default().merge(theirs);
        }
    }

    pub fn exceptions(&self) -> u64 {
        self.patterns.values().map(|counts| counts.exceptions).sum()
    }

    pub fn expected(&self) -> u64 {
        self.rules.values().sum()
    }

    pub fn accepted(&self) -> u64 {
        self.accepted.values().map(|counts| counts.lines).sum()
    }

    /// Exceptions among the cells of a column.
    pub fn exceptions_in(&self, column: usize) -> u64 {
        let of_column = self.patterns.iter().filter(|(pattern, _)| pattern.column == Some(column));
        of_column.map(|(_, counts)| counts.exceptions).sum()
    }

    /// Differences by diagnosis.
    pub fn diagnoses(&self) -> BTreeMap<String, u64> {
        let mut diagnoses = BTreeMap::new();
        for (pattern, counts) in &self.patterns {
            if let Some(diagnosis) = &pattern.diagnosis {
                *diagnoses.entry(diagnosis.clone()).or_default() += counts.differing;
            }
        }
        diagnoses
    }
}

/// A count with its noun: `1 row`, `2 rows`.
pub fn counted(count: u64, noun: &str) -> String {
    format!("{count} {}", plural(count, noun))
}

/// The noun of so many.
pub fn plural(count: u64, noun: &str) -> String {
    match (count, noun.strip_suffix("is")) {
        (1, _) => noun.to_owned(),
        (_, Some(stem)) => format!("{stem}es"),
        (_, None) => format!("{noun}s"),
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
    fn totals_are_of_all_rows_or_say_where_not() {
        let of_rows = |live, shadow| {
            let totals = |rows| ColumnTotals {
                rows,
                ..ColumnTotals::default()
            };
            Sides::new(totals(live), totals(shadow))
        };
        let mut tally = Tally::default();
        tally.sides.live.read = 9;
        tally.sides.live.filtered = 4;
        tally.totals.insert(2, of_rows(5, 0));
        assert_eq!(tally.balance_totals(&[2]), Ok(()));
        tally.sides.shadow.read = 1;
        let lost = tally.balance_totals(&[2]).expect_err("a row is lost");
        assert!(
            lost.contains("shadow do not balance: 0 rows in those of column 2, but 1 compared"),
            "{lost}"
        );
        tally.sides.shadow.read = 0;
        assert!(tally.balance_totals(&[2, 3]).is_err(), "a column without totals");
        tally.merge(&tally.clone());
        assert_eq!((tally.totals[&2].live.rows, tally.balance_totals(&[2])), (10, Ok(())));
    }

    #[test]
    fn merging_is_adding() {
        let mut one = Tally {
            cancelled: 1,
            missing_in_live: 1,
            ..Tally::default()
        };
        one.cells.insert(3, 2);
        let mut both = one.clone();
        both.merge(&one);
        assert_eq!((both.cancelled, both.cells[&3], both.differences()), (2, 4, 6));

        let of = |column: usize, diagnosis: Option<&str>| Pattern {
            kind: DifferenceKind::Changed,
            column: Some(column),
            diagnosis: diagnosis.map(str::to_owned),
            direction: Some(Direction::Up),
        };
        let mut judged = DifferenceTally::default();
        judged.count(&of(3, Some("sign")), Judgement::Expected(0));
        judged.count(&of(3, Some("sign")), Judgement::Exception);
        judged.count(&of(3, None), Judgement::Exception);
        judged.count(&of(4, Some("sign")), Judgement::Accepted(1));
        judged.deltas.entry(3).or_default().observe(1.5);
        let mut twice = judged.clone();
        twice.merge(judged);
        assert_eq!(
            (twice.expected(), twice.accepted(), twice.exceptions(), twice.rules[&0]),
            (2, 2, 4, 2)
        );
        assert_eq!((twice.exceptions_in(3), twice.exceptions_in(4)), (4, 0));
        assert_eq!(twice.diagnoses(), BTreeMap::from([("sign".to_owned(), 6)]));
        assert_eq!(twice.deltas[&3].count(), 2);
    }
}
