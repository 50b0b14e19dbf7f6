//! What differs between two runs of the live version: how often, and by how much, so that a comparison can tell what it finds from that.
//!
//! Changed cells are taken together by column, diagnosis and direction: a *unit*. Of each is known in how many of the matched rows live differs
//! from itself, and how large the deltas are, by powers of two. A difference is like the noise of its unit if its delta is at most twice the
//! largest one of the column; without a delta, if the new value is one that live takes in such cells, where these are few. A unit's
//! differences are subtracted, all of them or none: none where, from some size on, there are more than the noise explains. With `e` of `m`
//! matched rows here and `k` of `n` there, that is where
//!
//! ```text
//! e/m > k/n   and   (e*n - k*m)^2 > 10 * m * n * (e + k)
//! ```
//! two rates that are more than 3.2 standard deviations apart: with equal rates the chance is below one in a thousand. It is computed in whole
//! numbers. Whole rows, units that live does not differ from itself in, and larger deltas are never subtracted (docs/adr/0016).
//!
//! Nor is anything of a column in which the second run leans to shadow. Where live, its second run and shadow are three draws of one version,
//! and shadow's value is not live's, the second run is as likely to be nearer to the one as to the other, whatever the cells hold; that is
//! true among deltas of each size too. More that are nearer to shadow's say that the second run is one of shadow's version or a copy of
//! shadow, rounded or not, or that the column is no noise but, say, a date. Nor is anything of a column in which live differs from its second
//! run more than four times as often as from shadow: then too few of its cells are met to tell, and they differ for other reasons.

mod facts;

pub use facts::{NoiseCells, NoiseCounter, NoiseFacts, NoiseUnit};

use crate::align::{Aligned, Column};
use crate::side::Side;
use crate::spec::DifferenceKind;
use crate::tally::{DeltaSize, NoiseTally, Pattern, SecondRunCells, counted};
use crate::value::Number;
use facts::{NoisyCell, size};
use std::collections::{BTreeMap, BTreeSet};

/// The square of how many standard deviations two rates may be apart.
const MAX_DEVIATIONS_SQUARED: i128 = 10;
/// The square of how many standard deviations the second run may lean to shadow: it is asked of every column and size.
const MAX_LEANING_SQUARED: i128 = 16;
/// Live may differ from its second run so many times as often as from shadow.
const RARER_TIMES: u64 = 4;
/// A delta may be so many times the largest one of the noise.
const LARGEST_TIMES: f64 = 2.0;

/// The noise, bound to the columns of a comparison.
#[derive(Debug, Clone, Default)]
pub struct NoiseFloor {
    units: Vec<Bound>,
    /// By the number of the column.
    cells: BTreeMap<usize, NoiseCells>,
    /// The columns of times.
    times: BTreeSet<usize>,
    by_pattern: BTreeMap<Pattern, usize>,
}

#[derive(Debug, Clone)]
struct Bound {
    /// Of all units of the column: those of few cells have seen little.
    largest: f64,
    values: Option<BTreeSet<Option<String>>>,
    /// As a line of `diff.csv` names it: `12 of 2000`.
    base: String,
    /// Whether its differences are subtracted; until that is decided, none is.
    is_open: bool,
}

impl NoiseFloor {
    /// Binds it; a column that is not compared here has no part in it.
    pub fn new(facts: Option<&NoiseFacts>, aligned: &Aligned) -> NoiseFloor {
        let mut floor = NoiseFloor::default();
        let Some(facts) = facts else { return floor };
        for (at, unit) in facts.units.iter().enumerate() {
            let of_column = facts.units.iter().filter(|other| other.column == unit.column);
            floor.units.push(Bound {
                largest: of_column.map(|unit| unit.largest).fold(0.0, f64::max),
                values: unit.values.clone(),
                base: format!("{} of {}", unit.cells(), facts.rows),
                is_open: false,
            });
            let Some(column) = aligned.columns.iter().position(|column| column.name == unit.column) else {
                continue;
            };
            let pattern = Pattern {
                kind: DifferenceKind::Changed,
                column: Some(column),
                diagnosis: unit.diagnosis.clone(),
                direction: unit.direction,
            };
            floor.by_pattern.insert(pattern, at);
        }
        for cells in &facts.cells {
            if let Some(column) = aligned.columns.iter().position(|column| column.name == cells.column) {
                floor.cells.insert(column, cells.clone());
                if Side::BOTH.iter().all(|side| aligned.columns[column].stored[*side].is_time()) {
                    floor.times.insert(column);
                }
            }
        }
        floor
    }

    /// What the second run is nearer to in a cell in which shadow differs, if that is known; with the size of the delta.
    pub fn met(
        &self,
        column: usize,
        delta: Option<f64>,
        key: impl FnOnce() -> u64,
        value: impl FnOnce() -> u64,
    ) -> Option<(DeltaSize, SecondRunCells)> {
        let known = self.cells.get(&column)?;
        let key = key();
        if key > known.up_to {
            return None;
        }
        let nearer_live = || SecondRunCells {
            nearer_live: 1,
            ..SecondRunCells::default()
        };
        let is_time = self.times.contains(&column);
        let met = known
            .cells
            .get(&key)
            .map(|cell| cell.beside(NoisyCell::new(delta, value()), is_time));
        Some((delta.and_then(size), met.unwrap_or_else(nearer_live)))
    }

    pub fn is_empty(&self) -> bool {
        self.by_pattern.is_empty()
    }

    /// The unit whose noise a difference is like, with the size of its delta. `value`: what shadow has, as it is printed.
    pub fn covering(&self, pattern: &Pattern, delta: Option<f64>, value: impl FnOnce() -> Option<String>) -> Option<(usize, DeltaSize)> {
        let unit = *self.by_pattern.get(pattern)?;
        let bound = &self.units[unit];
        let is_like = match delta {
            None => bound.values.as_ref().is_none_or(|values| values.contains(&value())),
            Some(delta) if delta.is_nan() => true,
            Some(delta) => delta.is_finite() && delta.abs() <= LARGEST_TIMES * bound.largest,
        };
        is_like.then(|| (unit, delta.and_then(size)))
    }

    pub fn subtracts(&self, unit: usize) -> bool {
        self.units[unit].is_open
    }

    pub fn base(&self, unit: usize) -> &str {
        &self.units[unit].base
    }

    /// Lets those be subtracted that have no excess.
    pub fn decide(&mut self, outcomes: &[NoiseOutcome]) {
        for (bound, outcome) in self.units.iter_mut().zip(outcomes) {
            bound.is_open = outcome.excess.is_none();
        }
    }
}

/// What became of a unit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoiseOutcome {
    /// Exceptions that are like its noise.
    pub cells: u64,
    /// Why the noise does not explain them, in words; then none of them is subtracted.
    pub excess: Option<String>,
}

/// That the second run leans to shadow in a column: more than chance, as a whole or where the deltas have one size; or a little, where it leans
/// to live in no cell of any column.
fn leaning(counts: &NoiseTally, column: usize) -> Option<SecondRunCells> {
    let sum = |cells: &mut dyn Iterator<Item = SecondRunCells>| {
        let mut sum = SecondRunCells::default();
        cells.for_each(|cells| sum.merge(cells));
        sum
    };
    let all = sum(&mut counts.second_run.values().copied());
    let of_sizes = || {
        counts
            .second_run
            .range((column, None)..=(column, Some(i16::MAX)))
            .map(|(_, cells)| *cells)
    };
    let whole = sum(&mut of_sizes());
    let mut of_column = std::iter::once(whole).chain(of_sizes());
    Some(all)
        .filter(|all| whole.nearer_shadow > 0 && all.nearer_live == 0)
        .or_else(|| of_column.find(|cells| leans(*cells)))
}

/// Whether the second run is nearer to shadow's value more often than to live's, where these differ.
fn leans(found: SecondRunCells) -> bool {
    let [shadow, live] = [found.nearer_shadow, found.nearer_live].map(i128::from);
    let above = shadow - live;
    above > 0 && above * above > MAX_LEANING_SQUARED * (shadow + live)
}

/// That live differs from its second run far more often than from shadow in a column, in words.
fn of_another_kind(facts: &NoiseFacts, column: &str, counts: &NoiseTally, matched: u64) -> Option<String> {
    let of_column = || facts.units.iter().enumerate().filter(|(_, unit)| unit.column == column);
    let there: u64 = of_column().map(|(_, unit)| unit.cells()).sum();
    let like = |at: usize| counts.like.range((at, None)..=(at, Some(i16::MAX))).map(|(_, cells)| cells);
    let here: u64 = of_column().flat_map(|(at, _)| like(at)).sum();
    let is_far_rarer = here > 0 && is_excess(there, facts.rows.saturating_mul(RARER_TIMES), here, matched);
    is_far_rarer.then(|| {
        format!(
            "live differs from its second run in {} of {}, and from shadow in only {here} of {}: these are not of one kind",
            counted(there, "cell"),
            counted(facts.rows, "matched row"),
            counted(matched, "matched row")
        )
    })
}

/// How each unit fared, in their order. `matched`: of so many rows.
pub fn outcomes(facts: &NoiseFacts, columns: &[Column], counts: &NoiseTally, matched: u64) -> Vec<NoiseOutcome> {
    let leaning = |unit: &NoiseUnit| {
        let column = columns.iter().position(|column| column.name == unit.column)?;
        let found = leaning(counts, column)?;
        Some(format!(
            "the second run is nearer to the value of shadow in {} of {} looked at, and to live's in {}: either that is no run of live, or this is no noise",
            found.nearer_shadow,
            counted(found.cells(), "cell"),
            found.nearer_live
        ))
    };
    // A rate of few rows says nothing of many.
    let says_little = (facts.rows < matched.div_ceil(2)).then(|| {
        format!(
            "the second run has only {} in common with live, and here {}: too few to tell what is noise",
            counted(facts.rows, "row"),
            counted(matched, "row")
        )
    });
    let one = |(at, unit): (usize, &NoiseUnit)| {
        let here: BTreeMap<DeltaSize, u64> = counts
            .like
            .range((at, None)..=(at, Some(i16::MAX)))
            .map(|((_, size), cells)| (*size, *cells))
            .collect();
        let from = |least: DeltaSize| {
            let there = unit.sizes.iter().filter(|(size, _)| *size >= least).map(|(_, cells)| cells);
            (here.range(least..).map(|(_, cells)| cells).sum::<u64>(), there.sum::<u64>())
        };
        let too_many = || {
            here.keys().find_map(|least| {
                let (e, k) = from(*least);
                is_excess(e, matched, k, facts.rows).then(|| {
                    format!(
                        "{}{} in {}, {} in {} of live against itself: none of them is noise",
                        counted(e, "cell"),
                        least.map_or_else(String::new, |_| " of some size and more".to_owned()),
                        counted(matched, "matched row"),
                        counted(k, "cell"),
                        counted(facts.rows, "matched row")
                    )
                })
            })
        };
        NoiseOutcome {
            cells: here.values().sum(),
            excess: says_little
                .clone()
                .or_else(|| leaning(unit))
                .or_else(|| of_another_kind(facts, &unit.column, counts, matched))
                .or_else(too_many),
        }
    };
    facts.units.iter().enumerate().map(one).collect()
}

/// Whether `e` of `m` are more than `k` of `n` explain.
fn is_excess(e: u64, m: u64, k: u64, n: u64) -> bool {
    let [e, m, k, n] = [e, m, k, n].map(|count| Number::from_int(count.into()));
    let apart = e.mul(&n).sub(&k.mul(&m));
    let variance = m.mul(&n).mul(&e.add(&k));
    apart.sign().is_gt() && apart.mul(&apart) > Number::from_int(MAX_DEVIATIONS_SQUARED).mul(&variance)
}

#[cfg(test)]
mod tests {
    use super::facts::tests::facts;
    use super::*;

    fn judged<const N: usize>(facts: &NoiseFacts, like: [((usize, DeltaSize), u64); N], matched: u64) -> Vec<NoiseOutcome> {
        let counts = NoiseTally {
            like: BTreeMap::from(like),
            second_run: BTreeMap::new(),
        };
        outcomes(facts, &[], &counts, matched)
    }

    #[test]
    fn more_than_chance_leans_to_shadow() {
        for (nearer_shadow, nearer_live, expected) in [
            (0, 0, false),
            (1, 0, false),
            (16, 0, false),
            (17, 0, true),
            (20, 20, false),
            (70, 30, false),
            (71, 29, true),
            (29, 71, false),
            (u64::MAX / 4, 0, true),
        ] {
            for neither in [0, 7] {
                let found = SecondRunCells {
                    nearer_shadow,
                    nearer_live,
                    neither,
                };
                assert_eq!(leans(found), expected, "{found:?}");
            }
        }
    }

    #[test]
    fn rates_that_are_far_apart_are_an_excess() {
        for (e, m, k, n, expected) in [
            (10, 1000, 0, 1000, false),
            (11, 1000, 0, 1000, true),
            (100, 1000, 100, 1000, false),
            (150, 1000, 100, 1000, false),
            (152, 1000, 100, 1000, true),
            (10, 1000, 100, 1000, false),
            (15, 100, 100, 1000, false),
            (30, 100, 100, 1000, true),
            (u64::MAX, u64::MAX, u64::MAX, u64::MAX, false),
            (1, 1, 0, 0, false),
        ] {
            assert_eq!(is_excess(e, m, k, n), expected, "{e} of {m}, {k} of {n}");
        }
    }

    #[test]
    fn larger_deltas_hide_nothing_behind_many_small_ones() {
        let small: Vec<Option<f64>> = (1..=1000).map(|n| Some(0.001 * f64::from(n % 3 + 1))).chain([Some(4.0)]).collect();
        let facts = facts(&small, 5000);
        assert_eq!((facts.units.len(), facts.units[0].largest), (1, 4.0));
        // As many cells as the noise has, and none is larger than its largest: but they are not of its sizes.
        let counts = [((0, size(3.0)), 500)];
        assert!(judged(&facts, counts, 5000)[0].excess.is_some());
        let counts = [((0, size(0.002)), 500), ((0, size(0.001)), 400)];
        let found = judged(&facts, counts, 5000);
        assert_eq!((found[0].cells, &found[0].excess), (900, &None));
    }

    #[test]
    fn what_is_far_rarer_here_is_of_another_kind() {
        let facts = facts(&[Some(1.0); 1_000], 1_000);
        for (cells, expected) in [(1, true), (180, true), (230, false), (1_000, false)] {
            let counts = [((0, size(1.0)), cells)];
            assert_eq!(judged(&facts, counts, 1_000)[0].excess.is_some(), expected, "{cells}");
        }
    }

    #[test]
    fn few_rows_say_nothing_of_many() {
        let facts = facts(&[Some(1.0)], 10);
        let counts = [((0, size(1.0)), 3)];
        assert!(judged(&facts, counts, 1_000)[0].excess.is_some());
        assert!(judged(&facts, counts, 20)[0].excess.is_none());
    }
}
