//! Lists, structs and maps: their items, members and entries are converted one array each, then put together again.

use super::{convert, no_row, taken, unfit};
use crate::value::parse::BadValue;
use crate::value::types::ValueType;
use arrow_array::cast::AsArray;
use arrow_array::types::UInt64Type;
use arrow_array::{Array, ArrayRef, BooleanArray, ListArray, MapArray, PrimitiveArray, StructArray};
use arrow_buffer::{NullBuffer, OffsetBuffer};
use arrow_schema::{DataType, Fields};
use std::sync::Arc;

pub(super) fn to_list(array: &ArrayRef, item: &ValueType, target: &ValueType) -> Result<ArrayRef, BadValue> {
    let Some((items, spans)) = spans(array) else {
        return Err(unfit(array, target));
    };
    let DataType::List(field) = target.storage() else {
        return Err(unfit(array, target));
    };
    let (offsets, places) = packed(&spans).ok_or_else(|| unfit(array, target))?;
    let items = convert(&picked(&items, places)?, item).map_err(|wrong| outer(wrong, &offsets))?;
    let list = ListArray::try_new(field, offsets, items, array.nulls().cloned());
    Ok(Arc::new(list.map_err(|error| no_row(array, &error))?))
}

pub(super) fn to_struct(array: &ArrayRef, members: &[(String, ValueType)], target: &ValueType) -> Result<ArrayRef, BadValue> {
    let (Some(source), DataType::Struct(fields)) = (array.as_struct_opt(), target.storage()) else {
        return Err(unfit(array, target));
    };
    if members.is_empty() {
        return Ok(Arc::new(StructArray::new_empty_fields(source.len(), source.nulls().cloned())));
    }
    let columns = members.iter().map(|(name, member)| match source.column_by_name(name) {
        None => Ok(crate::value::array::nulls(member, source.len())),
        Some(column) => convert(&masked(column, source.nulls())?, member).map_err(|wrong| BadValue {
            why: format!("in member {name} {}", wrong.why),
            ..wrong
        }),
    });
    let columns = columns.collect::<Result<Vec<_>, _>>()?;
    let built = StructArray::try_new(fields, columns, source.nulls().cloned());
    Ok(Arc::new(built.map_err(|error| no_row(array, &error))?))
}

pub(super) fn to_map(array: &ArrayRef, key: &ValueType, value: &ValueType, target: &ValueType) -> Result<ArrayRef, BadValue> {
    let (Some(source), DataType::Map(entries_field, ordered)) = (array.as_map_opt(), target.storage()) else {
        return Err(unfit(array, target));
    };
    let spans = offset_spans(source.value_offsets(), source.nulls());
    let (offsets, places) = packed(&spans).ok_or_else(|| unfit(array, target))?;
    let keys = convert(&picked(source.keys(), places.clone())?, key).map_err(|wrong| outer(wrong, &offsets))?;
    let values = convert(&picked(source.values(), places)?, value).map_err(|wrong| outer(wrong, &offsets))?;
    let DataType::Struct(pair) = entries_field.data_type() else {
        return Err(unfit(array, target));
    };
    let entries = StructArray::try_new(Fields::clone(pair), vec![keys, values], None).map_err(|error| no_row(array, &error))?;
    let map = MapArray::try_new(entries_field, offsets, entries, source.nulls().cloned(), ordered);
    Ok(Arc::new(map.map_err(|error| no_row(array, &error))?))
}

/// Where the items of each row begin and end; a NULL row has none, whatever lies under it.
type Spans = Vec<(usize, usize)>;

fn spans(array: &ArrayRef) -> Option<(ArrayRef, Spans)> {
    let valid = |row: usize| array.is_valid(row);
    Some(match array.data_type() {
        DataType::List(_) => {
            let list = array.as_list::<i32>();
            (Arc::clone(list.values()), offset_spans(list.value_offsets(), list.nulls()))
        }
        DataType::LargeList(_) => {
            let list = array.as_list::<i64>();
            (Arc::clone(list.values()), offset_spans(list.value_offsets(), list.nulls()))
        }
        DataType::ListView(_) => {
            let list = array.as_list_view::<i32>();
            let span = |row: usize| {
                (
                    list.value_offsets()[row] as usize,
                    (list.value_offsets()[row] + list.value_sizes()[row]) as usize,
                )
            };
            (
                Arc::clone(list.values()),
                (0..list.len()).map(|row| if valid(row) { span(row) } else { (0, 0) }).collect(),
            )
        }
        DataType::LargeListView(_) => {
            let list = array.as_list_view::<i64>();
            let span = |row: usize| {
                (
                    list.value_offsets()[row] as usize,
                    (list.value_offsets()[row] + list.value_sizes()[row]) as usize,
                )
            };
            (
                Arc::clone(list.values()),
                (0..list.len()).map(|row| if valid(row) { span(row) } else { (0, 0) }).collect(),
            )
        }
        DataType::FixedSizeList(_, _) => {
            let list = array.as_fixed_size_list();
            let size = list.value_length() as usize;
            let span = |row: usize| (list.value_offset(row) as usize, list.value_offset(row) as usize + size);
            (
                Arc::clone(list.values()),
                (0..list.len()).map(|row| if valid(row) { span(row) } else { (0, 0) }).collect(),
            )
        }
        _ => return None,
    })
}

fn offset_spans<O: arrow_array::OffsetSizeTrait>(offsets: &[O], nulls: Option<&NullBuffer>) -> Spans {
    let valid = |row: usize| nulls.is_none_or(|nulls| nulls.is_valid(row));
    offsets
        .windows(2)
        .enumerate()
        .map(|(row, pair)| {
            if valid(row) {
                (pair[0].as_usize(), pair[1].as_usize())
            } else {
                (0, 0)
            }
        })
        .collect()
}

/// The items in use: one range where they lie side by side, else each place.
#[derive(Debug, Clone)]
enum Places {
    Range(usize, usize),
    Each(PrimitiveArray<UInt64Type>),
}

/// Offsets that begin at 0, and the items that they count. `None` beyond 32 bits of items.
fn packed(spans: &Spans) -> Option<(OffsetBuffer<i32>, Places)> {
    let count: usize = spans.iter().map(|(from, to)| to - from).sum();
    i32::try_from(count).ok()?;
    let offsets = OffsetBuffer::from_lengths(spans.iter().map(|(from, to)| to - from));
    let mut used = spans.iter().filter(|(from, to)| from < to);
    let Some(first) = used.next() else {
        return Some((offsets, Places::Range(0, 0)));
    };
    let mut end = first.1;
    let side_by_side = used.all(|(from, to)| from == &std::mem::replace(&mut end, *to));
    let places = if side_by_side {
        Places::Range(first.0, count)
    } else {
        Places::Each(PrimitiveArray::from_iter_values(
            spans.iter().flat_map(|(from, to)| *from as u64..*to as u64),
        ))
    };
    Some((offsets, places))
}

fn picked(items: &ArrayRef, places: Places) -> Result<ArrayRef, BadValue> {
    match places {
        Places::Range(from, count) => Ok(items.slice(from, count)),
        Places::Each(places) => taken(items, &places),
    }
}

/// The row of the list in which an item is bad.
fn outer(wrong: BadValue, offsets: &OffsetBuffer<i32>) -> BadValue {
    let row = offsets.iter().skip(1).take_while(|end| **end as usize <= wrong.row).count();
    BadValue { row, ..wrong }
}

/// A member with its struct's NULLs, so that nothing is read under them.
fn masked(member: &ArrayRef, nulls: Option<&NullBuffer>) -> Result<ArrayRef, BadValue> {
    let plain = super::laid_out(member)?;
    let Some(nulls) = nulls.filter(|nulls| nulls.null_count() > 0 && *plain.data_type() != DataType::Null) else {
        return Ok(plain);
    };
    let is_null = BooleanArray::new(!nulls.inner(), None);
    arrow_select::nullif::nullif(&plain, &is_null).map_err(|error| no_row(&plain, &error))
}
