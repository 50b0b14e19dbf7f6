//! Puts other values in the place of those that a pattern does not need: the strongest mask of each column under which it still shows.

use super::reduce::{Bench, Reproducer};
use super::rows::{Column, Pair};
use crate::laboratory::Trial;
use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, BinaryArray, ListArray, MapArray, StringArray, StructArray};
use shadowdiff_core::error::Result;
use shadowdiff_core::mask::{Form, Mask, Masks, digits_of};
use shadowdiff_core::patterns::RowPatternSummary;
use shadowdiff_core::side::Sides;
use shadowdiff_core::spec::{Range, RowChange};
use shadowdiff_core::value::{ValueType, parse_into, print, value_at};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Of so many draws of masks one may do: the order of two values may be the wrong one.
const DRAWS: u64 = 3;

/// A mask, and which draw of it.
type Drawn = (Mask, u64);

/// What the values of a column are replaced by.
struct Replacing<'a> {
    masks: &'a Masks,
    mask: Mask,
    /// Before the point, of its longest number.
    digits: usize,
}

type Values = BTreeSet<(Form, String)>;

impl Replacing<'_> {
    fn of(&self, form: Form, text: String) -> String {
        self.masks.of(form, &text, self.mask, self.digits).unwrap_or(text)
    }
}

/// What became of the columns.
#[derive(Debug)]
pub(super) struct Masked {
    pub(super) reproducer: Reproducer,
    /// By column; `None`: it holds its real values.
    pub(super) columns: BTreeMap<String, Option<Mask>>,
}

/// Masks all columns but those to `keep`, so that the rows are still what is said of the `pattern`. Whoever knows the `seed` can undo masks.
pub(super) async fn mask(
    bench: &Bench<'_>,
    real: &Reproducer,
    keep: &[String],
    (pattern, seed): (&RowPatternSummary, u64),
) -> Result<Masked> {
    let names = real.pair.each().into_iter().flat_map(|(_, rows)| &rows.columns);
    let names: BTreeSet<&String> = names.map(|column| &column.name).filter(|name| !keep.contains(name)).collect();
    let mut masking = Masking::of(bench, real, (pattern, seed)).await?;
    let mut best = masking.choose(&names).await?;
    if best.drawn.len() < names.len() && !std::mem::take(&mut masking.sizes).is_empty() {
        // A value that is hidden counts for more than a size that is right.
        let of_any_size = masking.choose(&names).await?;
        if of_any_size.drawn.len() > best.drawn.len() {
            best = of_any_size;
        }
    }
    let all = real.pair.each().into_iter().flat_map(|(_, rows)| &rows.columns);
    let with_values = all.filter(|column| !shown(std::iter::once(*column)).is_empty());
    let columns = with_values.map(|column| (column.name.clone(), best.drawn.get(&column.name).map(|(mask, _)| *mask)));
    Ok(Masked {
        columns: columns.collect(),
        reproducer: best.reproducer,
    })
}

/// The strongest first.
fn all_draws() -> impl Iterator<Item = Drawn> {
    Mask::ALL.into_iter().flat_map(|mask| (0..DRAWS).map(move |draw| (mask, draw)))
}

/// A reproducer with these masks.
struct Choice {
    drawn: BTreeMap<String, Drawn>,
    reproducer: Reproducer,
}

struct Masking<'a> {
    bench: &'a Bench<'a>,
    real: &'a Reproducer,
    masks: BTreeMap<u64, Masks>,
    /// How large the changes of the result are; none where those of the real rows are not, or where values are real for it.
    sizes: Vec<RowChange>,
}

impl<'a> Masking<'a> {
    async fn of(bench: &'a Bench<'a>, real: &'a Reproducer, (pattern, seed): (&RowPatternSummary, u64)) -> Result<Masking<'a>> {
        let is_one = bench
            .shows(real)
            .await?
            .is_some_and(|trial| is_of_size(bench, &trial, &pattern.changes));
        let mut values = Values::new();
        for column in real.pair.each().into_iter().flat_map(|(_, rows)| &rows.columns) {
            collect(&column.array, &column.value_type, &mut |form, text| {
                values.extend(form.map(|form| (form, text)));
            });
        }
        Ok(Masking {
            bench,
            real,
            masks: (0..DRAWS)
                .map(|draw| (draw, Masks::new(seed.wrapping_add(draw), &values)))
                .collect(),
            sizes: if is_one { pattern.changes.clone() } else { Vec::new() },
        })
    }

    /// The strongest masks of these columns.
    async fn choose(&self, names: &BTreeSet<&String>) -> Result<Choice> {
        let mut best = Choice {
            drawn: BTreeMap::new(),
            reproducer: self.real.clone(),
        };
        for drawn in all_draws() {
            if let Some(found) = self.attempt(names.iter().map(|name| ((*name).clone(), drawn)).collect()).await? {
                best = found;
                break;
            }
        }
        // Each for itself: as much as it can be.
        for name in names {
            let now = best.drawn.get(*name).map(|(mask, _)| *mask);
            for drawn in all_draws().filter(|(mask, _)| now.is_none_or(|now| *mask < now)) {
                let mut wanted = best.drawn.clone();
                wanted.insert((*name).clone(), drawn);
                if let Some(found) = self.attempt(wanted).await?.filter(|found| found.drawn.contains_key(*name)) {
                    best = found;
                    break;
                }
            }
        }
        // What is alike in several columns has to stay so.
        for drawn in all_draws() {
            let left: Vec<&String> = names.iter().copied().filter(|name| !best.drawn.contains_key(*name)).collect();
            let wanted = best
                .drawn
                .clone()
                .into_iter()
                .chain(left.iter().map(|name| ((*name).clone(), drawn)));
            if left.len() > 1
                && let Some(found) = self.attempt(wanted.collect()).await?
            {
                best = found;
            }
        }
        Ok(best)
    }

    /// The reproducer with masks in as many of these columns as take theirs; `None` where the pattern is gone, or none takes one.
    async fn attempt(&self, wanted: BTreeMap<String, Drawn>) -> Result<Option<Choice>> {
        let mut reproducer = self.real.clone();
        let mut drawn = BTreeMap::new();
        for (name, (mask, draw)) in wanted {
            if let Some(arrays) = self.masked(&name, mask, &self.masks[&draw]) {
                drawn.insert(name.clone(), (mask, draw));
                put(&mut reproducer.pair, &name, &arrays);
            }
        }
        if drawn.is_empty() {
            return Ok(None);
        }
        let found = self.bench.shows(&reproducer).await?;
        let shows = found.is_some_and(|trial| is_of_size(self.bench, &trial, &self.sizes));
        Ok(shows.then_some(Choice { drawn, reproducer }))
    }

    /// A column of both sides under a mask; `None` where a real value would be left.
    fn masked(&self, name: &str, mask: Mask, masks: &Masks) -> Option<Sides<Option<ArrayRef>>> {
        let columns = self
            .real
            .pair
            .each()
            .map(|(_, rows)| rows.columns.iter().find(|column| column.name == name));
        let [live, shadow] = columns;
        let real = shown(columns.into_iter().flatten());
        let digits = real.iter().map(|text| digits_of(text)).max().unwrap_or(0);
        let replacing = Replacing { masks, mask, digits };
        let of_side = |column: Option<&Column>| match column {
            None => Some(None),
            Some(column) => masked(&column.array, &column.value_type, &replacing).map(Some),
        };
        let arrays = Sides::new(of_side(live)?, of_side(shadow)?);
        let with = |column: Option<&Column>, array: &Option<ArrayRef>| {
            let array = array.clone()?;
            column.map(|column| Column { array, ..column.clone() })
        };
        let now = shown([with(live, &arrays.live), with(shadow, &arrays.shadow)].iter().flatten());
        real.is_disjoint(&now).then_some(arrays)
    }
}

/// Whether the changes that a reproducer shows are within these sizes, column by column.
fn is_of_size(bench: &Bench<'_>, trial: &Trial, sizes: &[RowChange]) -> bool {
    let is_within = |found: Option<Range>, size: Option<Range>| match (found, size) {
        (Some(found), Some(size)) => size.holds(found.min) && size.holds(found.max),
        (found, size) => found.is_none() && size.is_none(),
    };
    let Ok(found) = trial.summary.row_patterns.pattern(bench.fingerprint) else {
        return false;
    };
    let mut all = found.changes.iter().zip(sizes);
    all.all(|(found, size)| is_within(found.relative, size.relative) && is_within(found.delta, size.delta))
}

fn put(pair: &mut Pair, name: &str, arrays: &Sides<Option<ArrayRef>>) {
    for (side, array) in arrays.each() {
        let column = pair.get_mut(side).columns.iter_mut().find(|column| column.name == name);
        if let (Some(column), Some(array)) = (column, array) {
            column.array = Arc::clone(array);
        }
    }
}

/// The values of columns, as they are printed; not what says nothing, such as NULL. Flags, which have no mask, say nothing inside of a value that has
/// one.
fn shown<'c>(columns: impl Iterator<Item = &'c Column>) -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    for column in columns {
        let mut values = Vec::new();
        collect(&column.array, &column.value_type, &mut |form, text| values.push((form, text)));
        let hides = column.value_type.is_nested() && values.iter().any(|(form, _)| form.is_some());
        let is_flag = |text: &str| matches!(text, "true" | "false");
        let told = values.into_iter().filter(|(form, text)| form.is_some() || !hides || !is_flag(text));
        all.extend(
            told.map(|(_, text)| text)
                .filter(|text| !matches!(text.as_str(), "" | "NaN" | "inf" | "-inf")),
        );
    }
    all
}

/// Takes all values that have no others inside, as they are printed.
fn collect(array: &ArrayRef, value_type: &ValueType, take: &mut impl FnMut(Option<Form>, String)) {
    match (value_type, inside(array)) {
        (ValueType::List(item), Inside::List(list)) => collect(list.values(), item, take),
        (ValueType::Map(key, value), Inside::Map(map)) => {
            collect(map.keys(), key, take);
            collect(map.values(), value, take);
        }
        (ValueType::Struct(members), Inside::Struct(whole)) => {
            let members = members.iter().zip(whole.columns());
            members.for_each(|((_, of), child)| collect(child, of, take));
        }
        _ => {
            for row in (0..array.len()).filter(|row| array.is_valid(*row)) {
                let mut text = String::new();
                print(&value_at(array.as_ref(), row), &mut text);
                take(Form::of(value_type), text);
            }
        }
    }
}

/// An array with others inside.
enum Inside<'a> {
    List(&'a ListArray),
    Map(&'a MapArray),
    Struct(&'a StructArray),
    Nothing,
}

fn inside(array: &ArrayRef) -> Inside<'_> {
    if let Some(list) = array.as_list_opt::<i32>() {
        Inside::List(list)
    } else if let Some(map) = array.as_map_opt() {
        Inside::Map(map)
    } else if let Some(whole) = array.as_struct_opt() {
        Inside::Struct(whole)
    } else {
        Inside::Nothing
    }
}

/// The array with masks for its values; `None` where its type does not hold them.
fn masked(array: &ArrayRef, value_type: &ValueType, replacing: &Replacing<'_>) -> Option<ArrayRef> {
    let nulls = array.nulls().cloned();
    match (value_type, inside(array)) {
        (ValueType::List(item), Inside::List(list)) => {
            let values = masked(list.values(), item, replacing)?;
            let field = match list.data_type() {
                arrow_schema::DataType::List(field) => Arc::clone(field),
                _ => return None,
            };
            Some(Arc::new(ListArray::try_new(field, list.offsets().clone(), values, nulls).ok()?))
        }
        (ValueType::Map(key, value), Inside::Map(map)) => {
            let children = vec![masked(map.keys(), key, replacing)?, masked(map.values(), value, replacing)?];
            let entries = StructArray::try_new(map.entries().fields().clone(), children, None).ok()?;
            let arrow_schema::DataType::Map(field, is_sorted) = map.data_type() else {
                return None;
            };
            let made = MapArray::try_new(Arc::clone(field), map.offsets().clone(), entries, nulls, *is_sorted);
            Some(Arc::new(made.ok()?))
        }
        (ValueType::Struct(members), Inside::Struct(whole)) => {
            let children = members.iter().zip(whole.columns());
            let children: Option<Vec<ArrayRef>> = children.map(|((_, of), child)| masked(child, of, replacing)).collect();
            Some(Arc::new(StructArray::try_new(whole.fields().clone(), children?, nulls).ok()?))
        }
        _ => masked_values(array, value_type, replacing),
    }
}

fn masked_values(array: &ArrayRef, value_type: &ValueType, replacing: &Replacing<'_>) -> Option<ArrayRef> {
    let Some(form) = Form::of(value_type) else {
        return Some(Arc::clone(array));
    };
    let one = |row: usize| {
        array.is_valid(row).then(|| {
            let mut text = String::new();
            print(&value_at(array.as_ref(), row), &mut text);
            replacing.of(form, text)
        })
    };
    let texts = (0..array.len()).map(one);
    if form == Form::Hex {
        let bytes: Option<Vec<Option<Vec<u8>>>> = texts.map(|text| text.map_or(Some(None), |text| bytes(&text).map(Some))).collect();
        return Some(Arc::new(BinaryArray::from_iter(bytes?)));
    }
    let texts: StringArray = texts.collect();
    match value_type {
        ValueType::Text => Some(Arc::new(texts)),
        _ => parse_into(&texts, value_type)
            .ok()
            .filter(|made| made.data_type() == array.data_type()),
    }
}

/// Of digits of base 16.
fn bytes(text: &str) -> Option<Vec<u8>> {
    let pairs = (0..text.len()).step_by(2);
    pairs.map(|at| u8::from_str_radix(text.get(at..at + 2)?, 16).ok()).collect()
}
