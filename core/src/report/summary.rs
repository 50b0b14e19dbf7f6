//! `summary.json`: the verdict, why, the books, and what differs where. All but `timings` is a function of the datasets and the spec.

use super::tolerances::{ToleranceSummary, tolerances};
use super::totals::{TotalsSummary, is_zero, sum_text, totals};
use super::{FileMarks, attributes};
use crate::acceptance::AcceptanceOutcome;
use crate::align::Column;
use crate::compare::has_delta;
use crate::noise::{NoiseOutcome, NoiseUnit};
use crate::patterns::{RowPatterns, RowSummary};
use crate::plan::{Pinned, Plan};
use crate::profile::Profile;
use crate::redact::redacted_document;
use crate::side::{Side, Sides};
use crate::sketch::{Distribution, Sketch};
use crate::spec::{Acceptance, DifferenceKind, Direction, Limit, ListedAccounts};
use crate::tally::{CellTotals, DifferenceTally, Pattern, PatternTally, Tally};
use crate::value::{ValueType, exact};
use crate::verdict::{self, AccountCounts, Counts, Threshold, Verdict};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The version of the summary's form.
pub const SUMMARY_VERSION: u32 = 1;

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Summary {
    pub version: u32,
    pub verdict: Verdict,
    /// Each broken threshold in words.
    pub broken: Vec<String>,
    pub rows: Rows,
    pub differences: Differences,
    pub accounts: Accounts,
    pub schema: Schema,
    /// Columns with at least one differing cell, in the order of the live schema.
    pub columns: Vec<ColumnSummary>,
    /// Columns with cells that differ within their tolerance, in the same order. Older summaries do not say.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tolerances: Vec<ToleranceSummary>,
    /// Each compared column over all rows, in the same order; only where the spec asks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub totals: Option<Vec<TotalsSummary>>,
    /// Older summaries name none.
    #[serde(default)]
    pub thresholds: Vec<Threshold>,
    pub rules: Vec<RuleSummary>,
    /// In the order of their file.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub accepted: Vec<AcceptanceSummary>,
    /// Where the spec names a second run of the live version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub noise: Option<NoiseSummary>,
    /// Differences that look alike, the most exceptions first.
    pub patterns: Vec<PatternSummary>,
    /// What happens to rows with exceptions. Older summaries do not say.
    #[serde(default)]
    pub row_patterns: RowSummary,
    /// Cells by diagnosis.
    pub diagnoses: BTreeMap<String, u64>,
    pub warnings: Vec<String>,
    pub as_of: String,
    pub spec: serde_json::Value,
    pub pins: Sides<Vec<Pinned>>,
    /// The tables beside the summary. What does not agree with this is not of this result.
    pub files: FileMarks,
    pub timings: Timings,
}

/// The books: per side, `read` is the sum of all that became of its rows.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Rows {
    pub live: Books,
    pub shadow: Books,
    pub cancelled: u64,
    pub within_tolerance: u64,
    pub changed: u64,
    pub missing_in_shadow: u64,
    pub missing_in_live: u64,
    /// Groups of rows of one key.
    pub duplicate_key: u64,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Books {
    pub read: u64,
    pub filtered: u64,
    pub cancelled: u64,
    pub within_tolerance: u64,
    pub changed: u64,
    /// Rows whose key the other side does not have.
    pub missing_on_other_side: u64,
    pub in_duplicate_groups: u64,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Differences {
    /// Lines in `diff.csv`.
    pub listed: u64,
    pub expected: u64,
    /// That no rule covers, but an acceptance. Older summaries do not say.
    #[serde(default)]
    pub accepted: u64,
    /// That neither covers, and that the noise explains.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub noise: u64,
    pub exceptions: u64,
    /// Lines that `output.max_differences` left out.
    pub cut: u64,
}

/// What live differs from itself by, from run to run, and how many differences are like that.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NoiseSummary {
    /// Rows that both runs of the live version have.
    pub base_rows: u64,
    /// Whether the verdict leaves out what the noise explains.
    pub is_subtracted: bool,
    pub units: Vec<NoiseUnitSummary>,
}

/// Cells of a column that differ in one way.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NoiseUnitSummary {
    pub column: String,
    pub diagnosis: Option<String>,
    pub direction: Option<Direction>,
    /// Cells in which live differs from itself.
    pub base_cells: u64,
    /// The largest delta of these, without its sign.
    #[serde(deserialize_with = "exact")]
    pub largest: Option<f64>,
    /// Cells here that no rule covers and that are like these.
    pub cells: u64,
    /// Why the noise does not explain them, in words; then none of them is noise.
    pub excess: Option<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Accounts {
    pub differing: u64,
    pub with_exceptions: u64,
    /// Accounts of either side after `where`; only counted where a threshold asks for it, or all are listed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub all: Option<u64>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Schema {
    /// Columns compared besides the key.
    pub compared: usize,
    pub only_live: Vec<String>,
    pub only_shadow: Vec<String>,
    #[serde(rename = "type")]
    pub types: Vec<crate::align::TypeDifference>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ColumnSummary {
    pub column: String,
    #[serde(rename = "type")]
    pub column_type: String,
    pub comparator: String,
    pub differing: u64,
    pub exceptions: u64,
    /// Differing cells by the rows that both sides have.
    #[serde(deserialize_with = "exact")]
    pub share: Option<f64>,
    /// What `deltas` counts, for times and dates.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delta_unit: Option<DeltaUnit>,
    /// Of `shadow - live`: numbers in their unit, times in seconds, dates in days.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deltas: Option<Distribution>,
    /// Differing cells that are NULL. Older summaries do not say.
    #[serde(default)]
    pub nulls: Sides<u64>,
    /// Of numbers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub moved: Option<MovedSum>,
}

/// How far the sum of a column of numbers is moved by its differing cells. NULL adds nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MovedSum {
    /// The sum of shadow less that of live: exact, of doubles the nearest one.
    pub sum: String,
    /// Whether it is that of all rows: no cell differs within a tolerance, and no row is on one side alone or in a duplicate.
    pub is_of_all_rows: bool,
}

/// What the deltas of times and of dates count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeltaUnit {
    Seconds,
    Days,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct PatternSummary {
    pub kind: DifferenceKind,
    /// `null` for whole rows.
    pub column: Option<String>,
    pub diagnosis: Option<String>,
    pub direction: Option<Direction>,
    pub differing: u64,
    pub exceptions: u64,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RuleSummary {
    pub name: String,
    pub lines: u64,
    pub min: Option<u64>,
    pub max: Option<u64>,
    pub until: Option<String>,
    pub broken: Vec<String>,
}

/// An acceptance, and what became of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AcceptanceSummary {
    #[serde(flatten)]
    pub acceptance: Acceptance,
    /// What it covers, whether it counts or not.
    pub rows: u64,
    pub lines: u64,
    /// Whether its day is over.
    pub is_over: bool,
    /// Why it accepts nothing of what it covers, in words.
    pub broken: Vec<String>,
}

/// How long it took; the only part that another run may give differently.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Timings {
    pub plan_ms: u64,
    pub scan_ms: u64,
    pub compare_ms: u64,
    pub merge_ms: u64,
    pub total_ms: u64,
    /// What each rung took. Older summaries do not say.
    #[serde(default, skip_serializing_if = "Profile::is_empty")]
    pub rungs: Profile,
}

/// What the merge of all differences counted.
#[derive(Debug, Default)]
pub struct Merged {
    pub listed: u64,
    pub differing_accounts: u64,
    pub accounts_with_exceptions: u64,
    /// Where all are listed.
    pub all_accounts: Option<u64>,
    pub differences: DifferenceTally,
    pub rows: RowPatterns,
    /// In the order of the plan's acceptances.
    pub acceptances: Vec<AcceptanceOutcome>,
    /// In the order of the plan's units of noise.
    pub noise: Vec<NoiseOutcome>,
}

/// What the summary is made of besides the plan.
#[derive(Debug)]
pub struct Facts<'a> {
    pub tally: &'a Tally,
    pub merged: &'a Merged,
    pub document: serde_json::Value,
    pub files: FileMarks,
    pub timings: Timings,
}

/// Makes the summary, verdict included.
pub fn summary(plan: &Plan, facts: Facts<'_>) -> Summary {
    let Facts { tally, merged, .. } = facts;
    let differences = &merged.differences;
    let accounts = AccountCounts {
        with_exceptions: merged.accounts_with_exceptions,
        all: merged.all_accounts.unwrap_or(tally.accounts),
    };
    let counts = Counts {
        rows: tally,
        differences,
        accounts,
    };
    let thresholds = verdict::thresholds(&plan.spec, &plan.aligned, counts);
    let rules = rules(plan, differences);
    let accepted = accepted(plan, &merged.acceptances);
    let broken = thresholds.iter().map(|t| &t.broken).chain(rules.iter().map(|r| &r.broken));
    let broken = broken.chain(accepted.iter().map(|a| &a.broken));
    let broken: Vec<String> = broken.flatten().cloned().collect();
    let counted =
        plan.spec.output.accounts == ListedAccounts::All || matches!(plan.spec.verdict.max_exception_accounts, Some(Limit::Share(_)));
    Summary {
        version: SUMMARY_VERSION,
        verdict: Verdict::of(&broken),
        broken,
        rows: rows(tally),
        differences: Differences {
            listed: merged.listed,
            expected: differences.expected(),
            accepted: differences.accepted(),
            noise: differences.noise,
            exceptions: differences.exceptions(),
            cut: tally.differences() - merged.listed,
        },
        accounts: Accounts {
            differing: merged.differing_accounts,
            with_exceptions: accounts.with_exceptions,
            all: counted.then_some(accounts.all),
        },
        schema: Schema {
            compared: plan.aligned.compared(),
            only_live: plan.aligned.only.live.clone(),
            only_shadow: plan.aligned.only.shadow.clone(),
            types: plan.aligned.types.clone(),
        },
        columns: columns(plan, tally, differences),
        tolerances: tolerances(plan, tally),
        totals: totals(plan, tally),
        thresholds,
        patterns: patterns(plan, differences),
        row_patterns: row_patterns(plan, &merged.rows),
        rules,
        accepted,
        noise: noise(plan, &merged.noise),
        diagnoses: differences.diagnoses(),
        warnings: warnings(plan, tally),
        as_of: plan.as_of.to_string(),
        spec: redacted_document(facts.document),
        pins: plan.pins.clone(),
        files: facts.files,
        timings: facts.timings,
    }
}

fn warnings(plan: &Plan, tally: &Tally) -> Vec<String> {
    let mut warnings = plan.warning_texts();
    if tally.may_have_extra_copies() && !tally.looks_up_keys() {
        warnings.push(format!(
            "one side alone has rows of {} keys left: the other was not asked for so many, so `extra_copy` is not told",
            tally.keys_on_one_side()
        ));
    }
    for (column, cells) in &tally.not_json {
        warnings.push(format!(
            "column `{}`: {cells} cells under `json` are not valid JSON; they were compared as text",
            plan.aligned.columns[*column].name
        ));
    }
    warnings
}

fn rows(tally: &Tally) -> Rows {
    let books = |side: Side| Books {
        read: tally.sides[side].read,
        filtered: tally.sides[side].filtered,
        cancelled: tally.cancelled,
        within_tolerance: tally.within_tolerance,
        changed: tally.changed,
        missing_on_other_side: if side == Side::Live {
            tally.missing_in_shadow
        } else {
            tally.missing_in_live
        },
        in_duplicate_groups: tally.sides[side].in_duplicates,
    };
    Rows {
        live: books(Side::Live),
        shadow: books(Side::Shadow),
        cancelled: tally.cancelled,
        within_tolerance: tally.within_tolerance,
        changed: tally.changed,
        missing_in_shadow: tally.missing_in_shadow,
        missing_in_live: tally.missing_in_live,
        duplicate_key: tally.duplicate_key,
    }
}

fn columns(plan: &Plan, tally: &Tally, differences: &DifferenceTally) -> Vec<ColumnSummary> {
    let matched = tally.matched();
    let one = |(at, differing): (&usize, &u64)| {
        let column = &plan.aligned.columns[*at];
        let deltas = differences
            .deltas
            .get(at)
            .filter(|deltas| has_delta(&column.shown) && deltas.count() > 0);
        ColumnSummary {
            column: column.name.clone(),
            column_type: column.shown.to_string(),
            comparator: column.comparator().to_string(),
            differing: *differing,
            exceptions: differences.exceptions_in(*at),
            share: (matched > 0).then(|| *differing as f64 / matched as f64),
            delta_unit: deltas.and_then(|_| delta_unit(&column.shown)),
            deltas: deltas.map(|deltas| distribution(column, deltas)),
            nulls: differences.totals.get(at).map(|totals| totals.nulls).unwrap_or_default(),
            moved: differences.totals.get(at).and_then(|totals| moved(column, totals, tally)),
        }
    };
    tally.cells.iter().map(one).collect()
}

fn moved(column: &Column, totals: &CellTotals, tally: &Tally) -> Option<MovedSum> {
    let sum = sum_text(&totals.moved.total(), &column.shown).filter(|_| totals.not_finite == 0)?;
    let rows_apart = tally.missing_in_shadow + tally.missing_in_live + tally.duplicate_key;
    Some(MovedSum {
        sum,
        is_of_all_rows: rows_apart == 0 && !column.comparator().has_tolerance(),
    })
}

/// Deltas of integers and of days are whole, so the percentiles are too.
fn distribution(column: &Column, deltas: &Sketch) -> Distribution {
    let is_whole = |t: &ValueType| matches!(t, ValueType::Int { .. } | ValueType::Date);
    let found = deltas.summary();
    if is_whole(&column.stored.live) && is_whole(&column.stored.shadow) {
        found.whole()
    } else {
        found
    }
}

fn patterns(plan: &Plan, differences: &DifferenceTally) -> Vec<PatternSummary> {
    let mut all: Vec<(&Pattern, &PatternTally)> = differences.patterns.iter().collect();
    // Patterns in their own order decide between equal counts.
    all.sort_by_key(|(_, counts)| std::cmp::Reverse((counts.exceptions, counts.differing)));
    let one = |(pattern, counts): (&Pattern, &PatternTally)| PatternSummary {
        kind: pattern.kind,
        column: pattern.column.map(|at| plan.aligned.columns[at].name.clone()),
        diagnosis: pattern.diagnosis.clone(),
        direction: pattern.direction,
        differing: counts.differing,
        exceptions: counts.exceptions,
    };
    all.into_iter().map(one).collect()
}

fn row_patterns(plan: &Plan, rows: &RowPatterns) -> RowSummary {
    let attributes = attributes(&plan.aligned, &plan.spec.output.attributes);
    let names: Vec<String> = attributes.into_iter().map(|attribute| attribute.name).collect();
    rows.summary(|at| plan.aligned.columns[at].name.clone(), &names)
}

/// What deltas of a type count, where that is not the type's own unit.
fn delta_unit(shown: &ValueType) -> Option<DeltaUnit> {
    match shown {
        ValueType::Date => Some(DeltaUnit::Days),
        other => other.is_time().then_some(DeltaUnit::Seconds),
    }
}

fn rules(plan: &Plan, differences: &DifferenceTally) -> Vec<RuleSummary> {
    let outcomes = verdict::rules(&plan.spec, differences, plan.as_of);
    let one = |(rule, outcome): (&crate::spec::Expected, verdict::RuleOutcome)| RuleSummary {
        name: rule.name.clone(),
        lines: outcome.lines,
        min: rule.min,
        max: rule.max,
        until: rule.until.map(|day| day.to_string()),
        broken: outcome.broken,
    };
    plan.spec.expected.iter().zip(outcomes).map(one).collect()
}

fn noise(plan: &Plan, outcomes: &[NoiseOutcome]) -> Option<NoiseSummary> {
    let facts = plan.noise.as_ref()?;
    let one = |(unit, outcome): (&NoiseUnit, &NoiseOutcome)| NoiseUnitSummary {
        column: unit.column.clone(),
        diagnosis: unit.diagnosis.clone(),
        direction: unit.direction,
        base_cells: unit.cells(),
        largest: Some(unit.largest).filter(|largest| *largest > 0.0),
        cells: outcome.cells,
        excess: outcome.excess.clone(),
    };
    Some(NoiseSummary {
        base_rows: facts.rows,
        is_subtracted: plan.spec.verdict.subtracts_noise,
        units: facts.units.iter().zip(outcomes).map(one).collect(),
    })
}

fn accepted(plan: &Plan, outcomes: &[AcceptanceOutcome]) -> Vec<AcceptanceSummary> {
    let one = |(acceptance, outcome): (&Acceptance, &AcceptanceOutcome)| AcceptanceSummary {
        acceptance: acceptance.clone(),
        rows: outcome.rows,
        lines: outcome.lines,
        is_over: plan.as_of > acceptance.until,
        broken: outcome.broken.clone(),
    };
    plan.accepted.iter().zip(outcomes).map(one).collect()
}
