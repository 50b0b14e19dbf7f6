//! What two runs of the live version have shown: how often cells differ, by how much, and some of these cells, to be met again.

use crate::spec::Direction;
use crate::tally::{DeltaSize, SecondRunCells};
use crate::value::exact_there;
use serde::{Deserialize, Serialize};
use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

/// Values of a unit beyond which any will do: they are drawn anew each time, such as ids. And the longest one that is kept.
const MAX_VALUES: usize = 200;
const MAX_VALUE_BYTES: usize = 100;
/// Cells of a column that are kept to be met again.
const MAX_KEPT_CELLS: usize = 512;

/// What two runs of the live version have shown.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NoiseFacts {
    /// Rows that both runs have, one to one.
    pub rows: u64,
    pub units: Vec<NoiseUnit>,
    pub cells: Vec<NoiseCells>,
}

/// Some of the cells of a column that differ: those whose keys have the least fingerprints, so that the same ones are chosen elsewhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NoiseCells {
    pub(super) column: String,
    pub(super) cells: BTreeMap<u64, NoisyCell>,
    /// Keys up to here are kept.
    pub(super) up_to: u64,
}

/// What the second run has in a cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct NoisyCell {
    /// The bits of the delta.
    delta: Option<u64>,
    value: u64,
}

impl NoisyCell {
    pub(super) fn new(delta: Option<f64>, value: u64) -> NoisyCell {
        NoisyCell {
            delta: delta.map(f64::to_bits),
            value,
        }
    }

    /// What it is nearer to, of shadow's value, which `shadow` is, and live's. Of values without a distance only equal ones are near; types that
    /// one comparison has and another has not must not tell. `is_time`: the times of a run move together, so that being near says nothing.
    pub(super) fn beside(self, shadow: NoisyCell, is_time: bool) -> SecondRunCells {
        let finite = |delta: Option<u64>| delta.map(f64::from_bits).filter(|delta| delta.is_finite());
        let nearer = finite(self.delta).zip(finite(shadow.delta)).and_then(|(here, there)| {
            // Halves, so that no difference of two doubles overflows.
            (here / 2.0 - there / 2.0).abs().partial_cmp(&(here / 2.0).abs())
        });
        let mut beside = SecondRunCells::default();
        match nearer.filter(|_| !is_time || self.delta == shadow.delta) {
            Some(Ordering::Less) => beside.nearer_shadow = 1,
            Some(Ordering::Greater) => beside.nearer_live = 1,
            _ if self.value == shadow.value => beside.nearer_shadow = 1,
            _ => beside.neither = 1,
        }
        beside
    }
}

impl NoiseCells {
    fn new(column: &str) -> NoiseCells {
        NoiseCells {
            column: column.to_owned(),
            cells: BTreeMap::new(),
            up_to: u64::MAX,
        }
    }

    fn add(&mut self, key: u64, cell: NoisyCell) {
        if key > self.up_to {
            return;
        }
        self.cells.insert(key, cell);
        if self.cells.len() > MAX_KEPT_CELLS {
            self.cells.pop_last();
            self.up_to = self.cells.last_key_value().map_or(0, |(key, _)| *key);
        }
    }
}

/// Cells of one column in which live differs from itself in one way.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NoiseUnit {
    pub column: String,
    pub diagnosis: Option<String>,
    pub direction: Option<Direction>,
    /// The largest delta, without its sign; 0 where they have no size.
    #[serde(deserialize_with = "exact_there")]
    pub largest: f64,
    /// How many cells, by the size of the delta.
    pub sizes: Vec<(DeltaSize, u64)>,
    /// The values that either run has in these cells, where these have no deltas and few values.
    pub values: Option<BTreeSet<Option<String>>>,
}

impl NoiseUnit {
    pub fn cells(&self) -> u64 {
        self.sizes.iter().map(|(_, cells)| cells).sum()
    }
}

/// Takes the changed cells of a comparison of live with itself.
#[derive(Debug, Default)]
pub struct NoiseCounter {
    cells: BTreeMap<String, NoiseCells>,
    units: BTreeMap<(String, Option<String>, Option<Direction>), Counted>,
}

#[derive(Debug)]
struct Counted {
    largest: f64,
    sizes: BTreeMap<DeltaSize, u64>,
    values: Option<BTreeSet<Option<String>>>,
}

impl NoiseCounter {
    /// A delta that is not finite has no bound, so that it is not noise. Gives how many units there are.
    pub fn add(&mut self, column: &str, diagnosis: Option<&str>, delta: Option<f64>, values: [&Option<String>; 2]) -> usize {
        if delta.is_some_and(f64::is_infinite) {
            return self.units.len();
        }
        let direction = delta.and_then(|delta| Direction::of(delta.partial_cmp(&0.0)?));
        let unit = (column.to_owned(), diagnosis.map(str::to_owned), direction);
        let counted = self.units.entry(unit).or_insert_with(|| Counted {
            largest: 0.0,
            sizes: BTreeMap::new(),
            values: Some(BTreeSet::new()),
        });
        *counted.sizes.entry(delta.and_then(size)).or_default() += 1;
        match delta {
            Some(delta) => {
                counted.values = None;
                counted.largest = counted.largest.max(delta.abs());
            }
            None => values.into_iter().for_each(|value| counted.note(value)),
        }
        self.units.len()
    }

    /// Notes a cell that differs, of any kind. `key`, `value`: their fingerprints.
    pub fn add_cell(&mut self, column: &str, delta: Option<f64>, [key, value]: [u64; 2]) {
        let cells = self.cells.entry(column.to_owned());
        let cells = cells.or_insert_with(|| NoiseCells::new(column));
        cells.add(key, NoisyCell::new(delta, value));
    }

    pub fn facts(self, rows: u64) -> NoiseFacts {
        let unit = |((column, diagnosis, direction), Counted { largest, sizes, values })| NoiseUnit {
            column,
            diagnosis,
            direction,
            largest,
            sizes: BTreeMap::into_iter(sizes).collect(),
            values,
        };
        NoiseFacts {
            rows,
            units: self.units.into_iter().map(unit).collect(),
            cells: self.cells.into_values().collect(),
        }
    }
}

impl Counted {
    /// Keeps a value, or no values any more where they are many.
    fn note(&mut self, value: &Option<String>) {
        let Some(values) = &mut self.values else { return };
        values.insert(value.clone());
        if values.len() > MAX_VALUES || value.as_ref().is_some_and(|text| text.len() > MAX_VALUE_BYTES) {
            self.values = None;
        }
    }
}

pub(super) fn size(delta: f64) -> DeltaSize {
    let exponent = (delta.to_bits() >> 52) & 0x7ff;
    (delta.is_finite() && delta != 0.0).then_some(exponent as i16)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in super::super) fn facts(deltas: &[Option<f64>], rows: u64) -> NoiseFacts {
        let mut counter = NoiseCounter::default();
        for delta in deltas {
            counter.add("v", None, *delta, [&None, &None]);
        }
        counter.facts(rows)
    }

    #[test]
    fn a_cell_is_beside_the_nearer_value() {
        let [shadow, live, neither] = [[1, 0, 0], [0, 1, 0], [0, 0, 1]];
        let infinite = Some(f64::INFINITY);
        for (cell, there, expected) in [
            ((Some(1.0), 1), (Some(1.0), 2), shadow),
            ((Some(0.6), 1), (Some(1.0), 2), shadow),
            ((Some(7.0), 1), (Some(1.0), 2), shadow),
            ((Some(0.4), 1), (Some(1.0), 1), live),
            ((Some(-7.0), 1), (Some(1.0), 1), live),
            ((Some(0.5), 1), (Some(1.0), 2), neither),
            ((Some(0.0), 1), (Some(0.0), 1), shadow),
            ((Some(0.0), 1), (Some(0.0), 2), neither),
            ((Some(f64::MAX), 1), (Some(f64::MIN), 2), live),
            ((None, 1), (None, 1), shadow),
            ((None, 1), (None, 2), neither),
            ((Some(f64::NAN), 1), (Some(2.0), 1), shadow),
            ((infinite, 1), (infinite, 2), neither),
        ] {
            let found = NoisyCell::new(cell.0, cell.1).beside(NoisyCell::new(there.0, there.1), false);
            assert_eq!(
                [found.nearer_shadow, found.nearer_live, found.neither],
                expected,
                "{cell:?} {there:?}"
            );
        }
    }

    #[test]
    fn a_time_is_beside_an_equal_one_alone() {
        for (cell, there, expected) in [
            ((Some(82_800.0), 1), (Some(84_600.0), 2), [0, 0, 1]),
            ((Some(10.0), 1), (Some(84_600.0), 2), [0, 0, 1]),
            ((Some(84_600.0), 1), (Some(84_600.0), 2), [1, 0, 0]),
            ((None, 3), (Some(84_600.0), 3), [1, 0, 0]),
        ] {
            let found = NoisyCell::new(cell.0, cell.1).beside(NoisyCell::new(there.0, there.1), true);
            assert_eq!([found.nearer_shadow, found.nearer_live, found.neither], expected, "{cell:?}");
        }
    }

    #[test]
    fn the_same_cells_are_kept_in_any_order() {
        let fingerprint = |n: u64| n.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let [mut up, mut down] = [NoiseCells::new("v"), NoiseCells::new("v")];
        (0..1_000).for_each(|n| up.add(fingerprint(n), NoisyCell::new(None, n)));
        (0..1_000).rev().for_each(|n| down.add(fingerprint(n), NoisyCell::new(None, n)));
        assert_eq!((up.cells.len(), &up), (MAX_KEPT_CELLS, &down));
        assert!(up.cells.keys().all(|kept| *kept <= up.up_to));
        let text = serde_json::to_string(&up).expect("JSON");
        assert_eq!(serde_json::from_str::<NoiseCells>(&text).expect("cells"), up);
    }

    #[test]
    fn what_has_no_bound_is_no_noise() {
        let facts = facts(&[Some(f64::INFINITY), Some(f64::NAN), Some(-2.0), None], 10);
        let units: Vec<(Option<Direction>, f64, u64)> = facts
            .units
            .iter()
            .map(|unit| (unit.direction, unit.largest, unit.cells()))
            .collect();
        assert_eq!(units, [(None, 0.0, 2), (Some(Direction::Down), 2.0, 1)]);
        let text = serde_json::to_string(&facts).expect("JSON");
        assert_eq!(serde_json::from_str::<NoiseFacts>(&text).expect("facts"), facts);
    }
}
