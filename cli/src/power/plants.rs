//! Which changes are planted where: each in a row of its own, so that what becomes of it is its own. The same seed plants the same.

use super::sample::Sample;
use crate::laboratory::Key;
use arrow_array::{Array, ArrayRef};
use shadowdiff_common::rows::{NewCell, chosen, joined, replaced};
use shadowdiff_core::error::Result;
use shadowdiff_core::mix;
use shadowdiff_core::planted::{CellChange, Planted};
use shadowdiff_core::value::{Value, ValueType, equal, value_at};
use std::collections::{BTreeMap, BTreeSet};

/// Of each change in each column.
pub(super) const HANDFUL: usize = 3;
/// Comparisons at most: a wide table with few rows has some changes in fewer of its columns.
const MAX_BEDS: usize = 16;
/// Rows that are looked at for another value.
const LOOKED_AT: usize = 200;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum RowChange {
    MissingInShadow,
    MissingInLive,
    DuplicateKey,
}

impl RowChange {
    pub(super) const ALL: [RowChange; 3] = [RowChange::MissingInShadow, RowChange::MissingInLive, RowChange::DuplicateKey];

    pub(super) fn name(self) -> &'static str {
        match self {
            RowChange::MissingInShadow => "missing_in_shadow",
            RowChange::MissingInLive => "missing_in_live",
            RowChange::DuplicateKey => "duplicate_key",
        }
    }
}

/// What was planted in a row of the sample.
#[derive(Debug, Clone)]
pub(super) enum Plant {
    /// The number of the column.
    Cell(usize, CellChange, NewCell),
    Row(RowChange),
}

/// What is planted for one comparison, by row.
pub(super) type Bed = BTreeMap<usize, Plant>;

/// All that is planted.
pub(super) struct Plants {
    pub(super) beds: Vec<Bed>,
    /// What could not be planted, and why.
    pub(super) left_out: Vec<(String, String)>,
}

/// A change that is to be planted in a column.
struct Sowing {
    column: usize,
    change: CellChange,
    planted: usize,
    /// Rows in which it was planted.
    rows: Vec<usize>,
    /// Rows before this place have been looked at for a bed.
    place: usize,
}

impl Sowing {
    fn new(column: usize, change: CellChange) -> Sowing {
        Sowing {
            column,
            change,
            planted: 0,
            rows: Vec::new(),
            place: 0,
        }
    }
}

/// Where changes may be planted.
pub(super) struct Ground<'a> {
    pub(super) sample: &'a Sample,
    /// The numbers of the columns in which a change is looked for.
    pub(super) columns: &'a [usize],
    /// The column whose value makes a new key, if one does.
    pub(super) key_column: Option<usize>,
}

impl Ground<'_> {
    /// Chooses what is planted where. Where rows are few there are several comparisons.
    pub(super) fn plan(&self, seed: u64) -> Plants {
        let order = shuffled(self.sample.rows, seed);
        let mut plants = Plants {
            beds: Vec::new(),
            left_out: Vec::new(),
        };
        let mut first = self.plan_rows(&order, &mut plants);
        let mut open: Vec<Sowing> = CellChange::ALL
            .into_iter()
            .flat_map(|change| self.columns.iter().map(move |column| Sowing::new(*column, change)))
            .collect();
        while plants.beds.len() < MAX_BEDS {
            let mut bed = std::mem::take(&mut first);
            self.plan_cells(&order, &mut open, &mut bed);
            if bed.is_empty() {
                break;
            }
            plants.beds.push(bed);
        }
        for change in CellChange::ALL {
            let mut sown = open.iter().filter(|sowing| sowing.change == change);
            if sown.all(|sowing| sowing.planted == 0) {
                let why = match change.needs() {
                    Some(needed) => format!("needs {needed}, which no row that was looked at has"),
                    None => "no column is compared in which it could be".to_owned(),
                };
                plants.left_out.push((change.name().to_owned(), why));
            }
        }
        plants
    }

    /// Whole rows, few enough to leave some for cells.
    fn plan_rows(&self, order: &[usize], plants: &mut Plants) -> Bed {
        let (mut bed, mut rows) = (Bed::new(), order.iter());
        let each = (order.len() / 6).clamp(1, HANDFUL);
        for change in RowChange::ALL {
            let why = match change {
                RowChange::MissingInLive if self.key_column.is_none() => {
                    "no column of the key is a whole number or text that is read as it is"
                }
                _ => "no row is left for it",
            };
            let chosen: Vec<usize> = match change {
                RowChange::MissingInLive if self.key_column.is_none() => Vec::new(),
                _ => rows.by_ref().copied().take(each).collect(),
            };
            if chosen.is_empty() {
                plants.left_out.push((change.name().to_owned(), why.to_owned()));
            }
            bed.extend(chosen.into_iter().map(|row| (row, Plant::Row(change))));
        }
        bed
    }

    /// One of each change in each column, then another one: where rows are few, all have some.
    fn plan_cells(&self, order: &[usize], open: &mut [Sowing], bed: &mut Bed) {
        open.iter_mut().for_each(|sowing| sowing.place = 0);
        for _ in 0..HANDFUL {
            for sowing in open.iter_mut().filter(|sowing| sowing.planted < HANDFUL) {
                while let Some(row) = order.get(sowing.place) {
                    sowing.place += 1;
                    if bed.contains_key(row) || sowing.rows.contains(row) {
                        continue;
                    }
                    if let Some(cell) = self.new_cell(sowing.column, sowing.change, *row, order) {
                        bed.insert(*row, Plant::Cell(sowing.column, sowing.change, cell));
                        sowing.rows.push(*row);
                        sowing.planted += 1;
                        break;
                    }
                }
            }
        }
    }

    fn new_cell(&self, column: usize, change: CellChange, row: usize, order: &[usize]) -> Option<NewCell> {
        let array = &self.sample.arrays[column];
        let old = value_at(array.as_ref(), row);
        match change.of(&old)? {
            Planted::Null => Some(NewCell::Null),
            Planted::Text(text) => NewCell::parsed(&text, &self.sample.columns[column].value_type, array, row),
            Planted::Other => {
                let is_other = |other: &usize| {
                    let value = value_at(array.as_ref(), *other);
                    !value.is_null() && !equal(&value, &old)
                };
                let from = row % order.len();
                let others = order.iter().cycle().skip(from).take(LOOKED_AT.min(order.len()));
                others.copied().find(is_other).map(NewCell::OfRow)
            }
        }
    }

    /// The rows of the shadow, and for each plant the row of it that has its key; `None`: that of live.
    pub(super) fn grow(&self, bed: &Bed) -> Result<(Vec<ArrayRef>, BTreeMap<usize, usize>)> {
        let mut columns = Vec::new();
        for (number, array) in self.sample.arrays.iter().enumerate() {
            let cells = bed.iter().filter_map(|(row, plant)| match plant {
                Plant::Cell(column, _, cell) if *column == number => Some((*row, cell.clone())),
                Plant::Cell(..) | Plant::Row(_) => None,
            });
            columns.push(replaced(array, &cells.collect::<Vec<_>>())?);
        }
        let is = |row: &usize, change: RowChange| matches!(bed.get(row), Some(Plant::Row(planted)) if *planted == change);
        let all: Vec<usize> = (0..self.sample.rows).collect();
        let stay: Vec<usize> = all.iter().copied().filter(|row| !is(row, RowChange::MissingInShadow)).collect();
        let twice: Vec<usize> = all.iter().copied().filter(|row| is(row, RowChange::DuplicateKey)).collect();
        let extra: Vec<usize> = all.iter().copied().filter(|row| is(row, RowChange::MissingInLive)).collect();
        let mut shadow = joined(&chosen(&columns, &stay)?, &chosen(&columns, &twice)?)?;
        let mut places = BTreeMap::new();
        if let Some(key_column) = self.key_column.filter(|_| !extra.is_empty()) {
            let mut added = chosen(&self.sample.arrays, &extra)?;
            let array = &self.sample.arrays[key_column];
            let value_type = &self.sample.columns[key_column].value_type;
            let texts = new_keys(array, extra.len());
            let cells = texts.iter().enumerate();
            let cells = cells.filter_map(|(at, text)| Some((at, NewCell::parsed(text, value_type, &added[key_column], at)?)));
            added[key_column] = replaced(&added[key_column], &cells.collect::<Vec<_>>())?;
            places.extend(extra.iter().enumerate().map(|(at, row)| (*row, stay.len() + twice.len() + at)));
            shadow = joined(&shadow, &added)?;
        }
        Ok((shadow, places))
    }

    /// The shadow with a column changed in every row where that can be, and in how many.
    pub(super) fn change_column(&self, column: usize, change: CellChange) -> Result<(Vec<ArrayRef>, usize)> {
        let rows: Vec<usize> = (0..self.sample.rows).collect();
        let cells = rows
            .iter()
            .filter_map(|row| Some((*row, self.new_cell(column, change, *row, &rows)?)));
        let cells: Vec<(usize, NewCell)> = cells.collect();
        let mut shadow = self.sample.arrays.clone();
        shadow[column] = replaced(&shadow[column], &cells)?;
        Ok((shadow, cells.len()))
    }
}

/// Whether new values of a type can be made for keys.
pub(super) fn makes_keys(value_type: &ValueType) -> bool {
    matches!(value_type, ValueType::Text | ValueType::Int { .. })
}

/// Values that a column of a key does not have, as text.
fn new_keys(array: &ArrayRef, count: usize) -> Vec<String> {
    let values = (0..array.len()).map(|row| value_at(array.as_ref(), row));
    let (mut largest, mut texts) = (0, BTreeSet::new());
    for value in values {
        match value {
            Value::Int(number) => largest = number.max(largest),
            Value::Text(text) => {
                texts.insert(text.to_owned());
            }
            _ => {}
        }
    }
    if texts.is_empty() {
        return (1..).take(count).map(|at: i128| (largest + at).to_string()).collect();
    }
    let names = (1..).map(|at: u64| format!("planted-{at}"));
    names.filter(|name| !texts.contains(name)).take(count).collect()
}

/// The numbers below `count` in an order that the seed decides.
fn shuffled(count: usize, seed: u64) -> Vec<usize> {
    let mut state = seed;
    let mut order: Vec<(u64, usize)> = (0..count).map(|at| (mix::next(&mut state), at)).collect();
    order.sort_unstable();
    order.into_iter().map(|(_, at)| at).collect()
}

/// Rows whose key no other has.
pub(super) fn unique(keys: &[Key]) -> Vec<bool> {
    let mut counts: BTreeMap<&Key, usize> = BTreeMap::new();
    keys.iter().for_each(|key| *counts.entry(key).or_default() += 1);
    keys.iter().map(|key| counts[key] == 1).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow_array::{Int64Array, StringArray};
    use shadowdiff_core::plan::ReadColumn;
    use std::sync::Arc;

    fn sample(rows: i64) -> Sample {
        let column = |name: &str, value_type: ValueType| ReadColumn {
            source: name.to_owned(),
            name: name.to_owned(),
            value_type,
        };
        let texts: StringArray = (0..rows).map(|row| (row % 7 > 0).then(|| format!("Text of row {row}"))).collect();
        Sample {
            columns: vec![
                column("id", ValueType::INT64),
                column("n", ValueType::INT64),
                column("t", ValueType::Text),
            ],
            arrays: vec![
                Arc::new(Int64Array::from_iter_values(0..rows)),
                Arc::new(Int64Array::from_iter_values((0..rows).map(|row| row * 1000 + 500))),
                Arc::new(texts),
            ],
            rows: rows as usize,
            is_unread: vec![false; 3],
        }
    }

    #[test]
    fn each_plant_has_a_row_of_its_own_and_the_same_seed_plants_the_same() {
        let sample = sample(200);
        let ground = Ground {
            sample: &sample,
            columns: &[1, 2],
            key_column: Some(0),
        };
        let (plants, again, other) = (ground.plan(1), ground.plan(1), ground.plan(2));
        let shown = |plants: &Plants| format!("{:?}", plants.beds);
        assert_eq!(shown(&plants), shown(&again));
        assert_ne!(shown(&plants), shown(&other));
        let count = |is: &dyn Fn(&Plant) -> bool| plants.beds[0].values().filter(|plant| is(plant)).count();
        assert_eq!(plants.beds.len(), 1);
        for change in RowChange::ALL {
            assert_eq!(count(&|plant| matches!(plant, Plant::Row(planted) if *planted == change)), HANDFUL);
        }
        assert_eq!(count(&|plant| matches!(plant, Plant::Cell(1, CellChange::Sign, _))), HANDFUL);
        assert_eq!(
            count(&|plant| matches!(plant, Plant::Cell(2, CellChange::NullVanished, _))),
            HANDFUL
        );
        // What no column is of is said.
        let left_out: Vec<&str> = plants.left_out.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(
            left_out,
            [
                "rounding(0)",
                "flipped_boolean",
                "date_off_by_one",
                "time_zone(+01:00)",
                "one_second",
                "leading_zeros",
                "mojibake"
            ]
        );
        let (shadow, places) = ground.grow(&plants.beds[0]).expect("it grows");
        assert_eq!(shadow[0].len(), 200 - HANDFUL + HANDFUL + HANDFUL);
        let new: Vec<i128> = places
            .values()
            .map(|place| match value_at(shadow[0].as_ref(), *place) {
                Value::Int(number) => number,
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(new, [200, 201, 202]);
    }

    #[test]
    fn where_rows_are_few_there_are_more_comparisons() {
        let sample = sample(5);
        let ground = Ground {
            sample: &sample,
            columns: &[1],
            key_column: None,
        };
        let plants = ground.plan(7);
        let why = |name: &str| plants.left_out.iter().find(|(left, _)| left == name).map(|(_, why)| why.as_str());
        assert!(why("missing_in_live").is_some_and(|why| why.starts_with("no column of the key")));
        assert_eq!(why("sign"), None);
        let all = plants.beds.iter().flatten();
        let signs: BTreeSet<usize> = all
            .filter(|(_, plant)| matches!(plant, Plant::Cell(1, CellChange::Sign, _)))
            .map(|(row, _)| *row)
            .collect();
        assert_eq!(signs.len(), HANDFUL, "each in another row");
        assert!(plants.beds.len() > 1 && plants.beds.iter().all(|bed| bed.len() <= 5));
    }
}
