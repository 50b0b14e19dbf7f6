//! How the verdict depends on tolerances, and on rules (`rules_needed`): a finished comparison is judged once for each step of a tolerance of one column, all else as it is.
//!
//! Cells within the step are left out, as a comparison with that tolerance beside the column's comparator would leave them; rows of which no cell is
//! left are within tolerance. What the comparison itself found near is not kept, but how much of its tolerance it uses: so it is known how many
//! cells more would differ by a tighter one, not which rules would cover them.

use crate::judged::{Judged, judged};
use crate::rejudge::{NewRules, Rejudged};
use crate::rules_needed::RulesNeeded;
use crate::tighter::{Tighter, tighter};
use serde::Serialize;
use shadowdiff_common::run::{RunReader, RunWriter, first};
use shadowdiff_common::spool::{Scratch, Spool};
use shadowdiff_core::difference::Difference;
use shadowdiff_core::error::Result;
use shadowdiff_core::spec::{Comparator, DifferenceKind, ValueRule};
use shadowdiff_core::tally::Tally;
use shadowdiff_core::value::{Number, Tolerance, ValueType, within};
use std::path::Path;

/// The version of what is printed as JSON.
const VERSION: u32 = 1;
/// Columns that are looked at, those with the most exceptions.
const COLUMNS: usize = 10;
/// Absolute steps of a column, down from its largest delta.
const STEPS: usize = 10;
/// What is held of a run at a time.
const PART_BYTES: usize = 128 << 10;
/// Relative steps, in tenths of a per cent.
const SHARES: [i128; 8] = [1, 5, 10, 20, 50, 100, 200, 500];

/// What the verdict would be.
#[derive(Debug, Serialize)]
pub struct Sensitivity {
    pub version: u32,
    pub as_it_is: Judged,
    pub columns: Vec<ColumnSensitivity>,
    /// Other columns of numbers with exceptions.
    pub columns_left_out: usize,
    /// What tighter tolerances would leave.
    pub tighter: Vec<Tighter>,
    pub rules: RulesNeeded,
}

#[derive(Debug, Serialize)]
pub struct ColumnSensitivity {
    pub column: String,
    pub comparator: String,
    /// Exceptions in the column as it is.
    pub exceptions: u64,
    /// Tightest first. Steps that leave as much as the one before are left out.
    pub absolute: Vec<Step>,
    pub relative: Vec<Step>,
}

/// What a tolerance of one column leaves.
#[derive(Debug, Serialize)]
pub struct Step {
    /// As a spec writes it.
    pub tolerance: String,
    /// Exceptions in the column.
    pub left: u64,
    #[serde(flatten)]
    pub judged: Judged,
}

/// A tolerance, by what it is measured.
struct Candidate {
    absolute: Option<Tolerance>,
    relative: Option<Tolerance>,
    shown: String,
}

impl NewRules<'_> {
    /// Tells what the verdict on the result in a directory would be by other tolerances; publishes nothing.
    pub async fn sensitivity(&self, result: &Path, scratch: &Scratch) -> Result<Sensitivity> {
        let mut found = self.read(result, scratch).await?;
        let told = sensitivity(&mut found, &self.parsed.document, scratch)?;
        let rules = self.rules_needed(result, &found, &told.as_it_is, scratch).await?;
        Ok(Sensitivity { rules, ..told })
    }
}

/// Judges the comparison for each step of each column of numbers that has exceptions. Blocking.
fn sensitivity(of: &mut Rejudged, document: &serde_json::Value, scratch: &Scratch) -> Result<Sensitivity> {
    let as_it_is = judged(of, document, scratch)?;
    let mut columns: Vec<_> = as_it_is.columns.iter().filter(|column| column.exceptions > 0).collect();
    columns.sort_by_key(|column| std::cmp::Reverse(column.exceptions));
    let place = |name: &str| of.plan.aligned.columns.iter().position(|column| column.name == name);
    let mut found: Vec<(usize, _)> = columns
        .into_iter()
        .filter_map(|column| Some((place(&column.column)?, column)))
        .filter(|(at, _)| takes_tolerance(of, *at))
        .collect();
    let columns_left_out = found.len().saturating_sub(COLUMNS);
    found.truncate(COLUMNS);
    let mut all = Vec::new();
    for (at, column) in found {
        let ends = column.deltas.as_ref().and_then(|deltas| Some([deltas.min?, deltas.max?]));
        let largest = ends.map_or(0.0, |[min, max]| min.abs().max(max.abs()));
        let (absolute, relative) = (absolute_steps(largest), relative_steps());
        all.push(ColumnSensitivity {
            column: column.column.clone(),
            comparator: column.comparator.clone(),
            exceptions: column.exceptions,
            absolute: steps(of, at, column.exceptions, absolute, document, scratch)?,
            relative: steps(of, at, column.exceptions, relative, document, scratch)?,
        });
    }
    Ok(Sensitivity {
        version: VERSION,
        as_it_is: Judged::of(&as_it_is),
        columns: all,
        columns_left_out,
        tighter: tighter(of, &as_it_is),
        rules: RulesNeeded::default(),
    })
}

/// Numbers that are compared by their values.
fn takes_tolerance(of: &Rejudged, column: usize) -> bool {
    let column = &of.plan.aligned.columns[column];
    let is_by_value = matches!(
        column.comparator(),
        Comparator::Values {
            rule: ValueRule::Exact | ValueRule::Number(_),
            ..
        }
    );
    is_by_value
        && matches!(
            column.shown,
            ValueType::Int { .. } | ValueType::Decimal { .. } | ValueType::Float { .. }
        )
}

/// 1, 2 and 5 times powers of ten, up to the first that is at least the largest delta.
fn absolute_steps(largest: f64) -> Vec<Candidate> {
    if !largest.is_finite() || largest <= 0.0 {
        return Vec::new();
    }
    let power = largest.log10().floor() as i32 + 1;
    let down = (0..).flat_map(|down| [10, 5, 2].map(|digit| (digit, power - 1 - down)));
    let steps = down.map(|(digit, power)| Number::new(digit, -power).normalized());
    // The one before the first that is too small: digits of a double decide nothing here.
    let mut steps: Vec<Number> = steps.take(STEPS + 3).collect();
    let too_large = steps.windows(2).take_while(|pair| pair[1].to_f64() >= largest).count();
    steps.drain(..too_large);
    steps.truncate(STEPS);
    let candidate = |step: Number| Candidate {
        shown: step.to_string(),
        absolute: Tolerance::new(step),
        relative: None,
    };
    steps.into_iter().rev().map(candidate).collect()
}

fn relative_steps() -> Vec<Candidate> {
    let candidate = |tenths: i128| Candidate {
        shown: format!("{}%", Number::new(tenths, 1).normalized()),
        absolute: None,
        relative: Tolerance::new(Number::new(tenths, 3)),
    };
    SHARES.into_iter().map(candidate).collect()
}

fn steps(
    of: &mut Rejudged,
    column: usize,
    exceptions: u64,
    candidates: Vec<Candidate>,
    document: &serde_json::Value,
    scratch: &Scratch,
) -> Result<Vec<Step>> {
    let (mut steps, mut before) = (Vec::new(), exceptions);
    let name = of.plan.aligned.columns[column].name.clone();
    for candidate in candidates {
        let (absolute, relative) = (candidate.absolute.as_ref(), candidate.relative.as_ref());
        let mut near = |found: &Difference<'_>| Ok(within(&found.live, &found.shadow, found.baseline, absolute, relative));
        let (tally, run) = without(of, column, &mut near, scratch)?;
        let tally = std::mem::replace(&mut of.compared.tally, tally);
        let runs = std::mem::replace(&mut of.compared.runs, vec![run]);
        let summary = judged(of, document, scratch)?;
        (of.compared.tally, of.compared.runs) = (tally, runs);
        let found = summary.columns.iter().find(|other| other.column == name);
        let left = found.map_or(0, |column| column.exceptions);
        if left != before {
            steps.push(Step {
                tolerance: candidate.shown,
                left,
                judged: Judged::of(&summary),
            });
        }
        before = left;
    }
    Ok(steps)
}

/// What a comparison would have found that calls these cells of a column near besides.
pub(crate) fn without(
    of: &Rejudged,
    column: usize,
    is_near: &mut dyn FnMut(&Difference<'_>) -> Result<bool>,
    scratch: &Scratch,
) -> Result<(Tally, Spool)> {
    let mut tally = of.compared.tally.clone();
    let mut run = RunWriter::new(scratch, PART_BYTES);
    let (mut row, mut row_key) = (Row::default(), Vec::new());
    for spool in &of.compared.runs {
        let mut reader = RunReader::new(spool);
        while reader.advance()? {
            let difference = Difference::decode(first(reader.record()?)?.0)?;
            if row_key != difference.row_key {
                tally.changed -= u64::from(row.is_near());
                tally.within_tolerance += u64::from(row.is_near());
                row = Row::default();
                row_key = difference.row_key.to_vec();
            }
            let is_of_column = difference.kind == DifferenceKind::Changed && difference.column == Some(column);
            if is_of_column && is_near(&difference)? {
                row.near += 1;
            } else {
                row.left += 1;
                run.append(&difference)?;
            }
            let near = u64::from(row.near > 0 && is_of_column);
            tally.cells.entry(column).and_modify(|cells| *cells -= near);
        }
    }
    tally.changed -= u64::from(row.is_near());
    tally.within_tolerance += u64::from(row.is_near());
    tally.cells.retain(|_, cells| *cells > 0);
    Ok((tally, run.finish()?))
}

/// The differing cells of a row.
#[derive(Default)]
struct Row {
    near: u64,
    left: u64,
}

impl Row {
    /// Whether all of them are within the tolerance.
    fn is_near(&self) -> bool {
        self.near > 0 && self.left == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_reach_up_to_the_largest_delta_and_no_further() {
        let of = |largest: f64| absolute_steps(largest).into_iter().map(|step| step.shown).collect::<Vec<_>>();
        assert_eq!(of(43.9).last().map(String::as_str), Some("50"));
        assert_eq!(of(50.0).last().map(String::as_str), Some("50"));
        assert_eq!(of(0.0049).last().map(String::as_str), Some("0.005"));
        assert_eq!(of(1.0).last().map(String::as_str), Some("1"));
        assert_eq!(of(600.0), ["1", "2", "5", "10", "20", "50", "100", "200", "500", "1000"]);
        assert!(of(0.0).is_empty() && of(f64::INFINITY).is_empty());
    }
}
