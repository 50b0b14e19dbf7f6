//! Proof that no key comes twice: keys that ascend strictly in each stretch of rows, and stretches that have no key in common.
//!
//! ```text
//! stretch 1   (a,1) (b,1) (c,1)      strictly ascending within
//! stretch 2   (d,1) (e,1)            (c,1) < (d,1): all keys lie behind those of stretch 1
//! stretch 3   (a,2) (b,2)            2 is not in 1..1: in one column no value is in common
//! ```
//! It is a proof, and says no wherever it is not sure: a NULL, a type whose order is not told here, keys that are stored in two types, a
//! copy of a row.

use crate::align::{Aligned, Column};
use crate::side::{Side, Sides};
use crate::value::{ValueType, sort_key_in, value_at};
use arrow_array::cast::AsArray;
use arrow_array::types::{
    ArrowPrimitiveType, Date32Type, Decimal128Type, Int64Type, TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType,
    TimestampSecondType, UInt64Type,
};
use arrow_array::{Array, ArrayRef};
use arrow_buffer::BooleanBuffer;
use arrow_schema::{DataType, TimeUnit};
use serde::{Deserialize, Serialize};

/// A key that takes more bytes is not written down.
const MAX_KEY_BYTES: usize = 512;

/// More stretches than this are not told of one part of the data.
const MAX_STRETCHES: usize = 1000;
/// More than this are not held of all parts: each may have to be compared with each, and long keys take memory.
const COMPARED_STRETCHES: usize = 4 * MAX_STRETCHES;

/// The keys of a stretch of rows, in bytes that sort as they do.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct KeyStretch {
    first: Vec<u8>,
    last: Vec<u8>,
    /// The least and the greatest value of each column of the key.
    columns: Vec<(Vec<u8>, Vec<u8>)>,
}

impl KeyStretch {
    /// `None` where the keys do not ascend for sure.
    fn of(aligned: &Aligned, keys: &[&ArrayRef]) -> Option<KeyStretch> {
        let rows = keys.first().map_or(0, |array| array.len());
        if !ascend(keys) {
            return None;
        }
        let ends = keys.iter().zip(aligned.key_columns()).map(|(array, column)| {
            let (least, greatest) = ends(array)?;
            Some((value_bytes(array, column, least), value_bytes(array, column, greatest)))
        });
        let stretch = KeyStretch {
            first: key_bytes(aligned, keys, 0),
            last: key_bytes(aligned, keys, rows - 1),
            columns: ends.collect::<Option<_>>()?,
        };
        let is_short = |bytes: &Vec<u8>| bytes.len() <= MAX_KEY_BYTES;
        let columns = stretch.columns.iter().flat_map(|(least, greatest)| [least, greatest]);
        let are_short = [&stretch.first, &stretch.last].into_iter().chain(columns).all(is_short);
        are_short.then_some(stretch)
    }

    fn is_before(&self, other: &KeyStretch) -> bool {
        self.last < other.first
    }

    /// Whether no key can be in both.
    fn is_apart_from(&self, other: &KeyStretch) -> bool {
        let mut columns = self.columns.iter().zip(&other.columns);
        self.is_before(other) || other.is_before(self) || columns.any(|(a, b)| a.1 < b.0 || b.1 < a.0)
    }

    /// Takes in a stretch that begins behind this one.
    fn append(&mut self, next: KeyStretch) {
        self.last = next.last;
        for (range, more) in self.columns.iter_mut().zip(next.columns) {
            if more.0 < range.0 {
                range.0 = more.0;
            }
            if more.1 > range.1 {
                range.1 = more.1;
            }
        }
    }
}

/// The keys of rows of one side, as far as they are known to be there once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DistinctKeys {
    /// `None`: not known.
    stretches: Option<Vec<KeyStretch>>,
}

impl Default for DistinctKeys {
    fn default() -> Self {
        DistinctKeys {
            stretches: Some(Vec::new()),
        }
    }
}

impl DistinctKeys {
    /// Adds a stretch of rows; `keys` are their key columns. False where it is not sure that none comes twice in it.
    pub fn add(&mut self, aligned: &Aligned, keys: &[&ArrayRef]) -> bool {
        if self.stretches.is_none() || keys.first().is_none_or(|array| array.is_empty()) {
            return self.stretches.is_some();
        }
        match KeyStretch::of(aligned, keys) {
            Some(stretch) => self.push(stretch),
            None => self.add_unknown(),
        }
        self.stretches.is_some()
    }

    fn push(&mut self, next: KeyStretch) {
        let Some(stretches) = &mut self.stretches else { return };
        stretches.push(next);
        if stretches.len() > MAX_STRETCHES {
            self.join_neighbours();
        }
    }

    /// Puts stretches together that follow each other: fewer to tell of, at the price of what may lie in their gaps.
    pub fn join_neighbours(&mut self) {
        let Some(mut stretches) = self.stretches.take() else { return };
        stretches.sort_unstable();
        let mut joined: Vec<KeyStretch> = Vec::new();
        for next in stretches {
            match joined.last_mut() {
                Some(last) if last.is_before(&next) => last.append(next),
                Some(_) | None => joined.push(next),
            }
        }
        self.stretches = (joined.len() <= MAX_STRETCHES / 2).then_some(joined);
    }

    /// Rows whose keys nobody has seen.
    pub fn add_unknown(&mut self) {
        self.stretches = None;
    }

    /// Adds all that others know.
    pub fn merge(&mut self, other: DistinctKeys) {
        match (&mut self.stretches, other.stretches) {
            (Some(known), Some(more)) => {
                known.extend(more);
                if known.len() > COMPARED_STRETCHES {
                    self.join_neighbours();
                }
            }
            (known, _) => *known = None,
        }
    }

    /// Whether no key comes twice.
    pub fn holds(&self) -> bool {
        let Some(stretches) = &self.stretches else { return false };
        let mut sorted: Vec<&KeyStretch> = stretches.iter().collect();
        sorted.sort_unstable();
        let in_a_row = sorted.windows(2).all(|pair| pair[0].is_before(pair[1]));
        in_a_row
            || sorted
                .iter()
                .enumerate()
                .all(|(at, stretch)| sorted[at + 1..].iter().all(|other| stretch.is_apart_from(other)))
    }
}

/// What a scan has judged where rows of one key stood side by side, and what must hold for that to be right.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct JudgedInPlace {
    /// Pairs of rows that differ within their tolerances.
    pub near: u64,
    /// Pairs of rows that differ, and were compared to the end.
    pub differing: u64,
    /// Rows of which only those columns went on that may differ from their partner's.
    pub thin: u64,
    /// The keys of all rows that have not cancelled, these pairs and those that are left.
    pub keys: Sides<DistinctKeys>,
    /// The keys of all rows.
    pub all_keys: Sides<DistinctKeys>,
}

impl JudgedInPlace {
    /// Whether pairs were judged, or went on in part, that may be wrong if their keys come again.
    pub fn has_judged(&self) -> bool {
        self.near + self.differing + self.thin > 0
    }

    /// Whether no other row has a key of a pair that was judged, or that went on in part.
    pub fn holds(&self) -> bool {
        !self.has_judged() || Side::BOTH.iter().all(|side| self.keys[*side].holds())
    }

    /// The sides on which no key comes twice, whatever has become of its rows.
    pub fn distinct(&self) -> Sides<bool> {
        Sides::from_fn(|side| self.all_keys[side].holds())
    }

    /// Adds what another part of the data has come to.
    pub fn merge(&mut self, other: JudgedInPlace) {
        self.near += other.near;
        self.differing += other.differing;
        self.thin += other.thin;
        self.keys.live.merge(other.keys.live);
        self.keys.shadow.merge(other.keys.shadow);
        self.all_keys.live.merge(other.all_keys.live);
        self.all_keys.shadow.merge(other.all_keys.shadow);
    }
}

/// Whether the order of the keys is told here.
pub fn has_known_order(aligned: &Aligned) -> bool {
    aligned.key_columns().all(|column| {
        let storage = column.stored.live.storage();
        let known = matches!(
            storage,
            DataType::Int64
                | DataType::UInt64
                | DataType::Date32
                | DataType::Decimal128(_, _)
                | DataType::Timestamp(_, _)
                | DataType::Utf8
                | DataType::Binary
        );
        known && !column.is_mixed() && !matches!(column.stored.live, ValueType::Mixed(_))
    })
}

fn key_bytes(aligned: &Aligned, keys: &[&ArrayRef], row: usize) -> Vec<u8> {
    let columns = keys.iter().zip(aligned.key_columns());
    columns.flat_map(|(array, column)| value_bytes(array, column, row)).collect()
}

fn value_bytes(array: &ArrayRef, column: &Column, row: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    sort_key_in(&value_at(array.as_ref(), row), &column.shown, &mut bytes);
    bytes
}

/// The rows of the least and of the greatest value. `None` where the order is not told here.
fn ends(array: &ArrayRef) -> Option<(usize, usize)> {
    fn of<T: Ord>(rows: usize, value: impl Fn(usize) -> T) -> Option<(usize, usize)> {
        (rows > 0).then(|| {
            (1..rows).fold((0, 0), |(least, greatest), row| {
                let (is_less, is_more) = (value(row) < value(least), value(row) > value(greatest));
                (if is_less { row } else { least }, if is_more { row } else { greatest })
            })
        })
    }
    fn numbers<T: ArrowPrimitiveType<Native: Ord>>(array: &ArrayRef) -> Option<(usize, usize)> {
        let values = array.as_primitive::<T>().values();
        of(values.len(), |row| values[row])
    }
    match array.data_type() {
        DataType::Int64 => numbers::<Int64Type>(array),
        DataType::UInt64 => numbers::<UInt64Type>(array),
        DataType::Date32 => numbers::<Date32Type>(array),
        DataType::Decimal128(_, _) => numbers::<Decimal128Type>(array),
        DataType::Timestamp(TimeUnit::Second, _) => numbers::<TimestampSecondType>(array),
        DataType::Timestamp(TimeUnit::Millisecond, _) => numbers::<TimestampMillisecondType>(array),
        DataType::Timestamp(TimeUnit::Microsecond, _) => numbers::<TimestampMicrosecondType>(array),
        DataType::Timestamp(TimeUnit::Nanosecond, _) => numbers::<TimestampNanosecondType>(array),
        DataType::Utf8 => of(array.len(), |row| array.as_string::<i32>().value(row)),
        DataType::Binary => of(array.len(), |row| array.as_binary::<i32>().value(row)),
        _ => None,
    }
}

/// Whether each row's key is greater than the one before, as far as that is known; `keys` are the key columns.
pub fn ascend(keys: &[&ArrayRef]) -> bool {
    let pairs = keys.first().map_or(0, |array| array.len()).saturating_sub(1);
    // The pairs that are equal in the columns so far.
    let mut open = BooleanBuffer::new_set(pairs);
    for array in keys {
        let Some((less, equal)) = steps(array, &open).filter(|_| array.null_count() == 0) else {
            return false;
        };
        let equal = &equal & &open;
        if (&less & &open).count_set_bits() + equal.count_set_bits() < open.count_set_bits() {
            return false;
        }
        open = equal;
    }
    open.count_set_bits() == 0
}

/// Of the pairs of neighbours that are `asked`, which step up, and which are equal. `None`: not known.
fn steps(array: &ArrayRef, asked: &BooleanBuffer) -> Option<(BooleanBuffer, BooleanBuffer)> {
    fn numbers<T: ArrowPrimitiveType<Native: Ord>>(array: &ArrayRef, pairs: usize) -> (BooleanBuffer, BooleanBuffer) {
        let values = array.as_primitive::<T>().values();
        let less = BooleanBuffer::collect_bool(pairs, |row| values[row] < values[row + 1]);
        let equal = BooleanBuffer::collect_bool(pairs, |row| values[row] == values[row + 1]);
        (less, equal)
    }
    fn bytes<'a>(asked: &BooleanBuffer, value: impl Fn(usize) -> &'a [u8]) -> (BooleanBuffer, BooleanBuffer) {
        let less = BooleanBuffer::collect_bool(asked.len(), |row| asked.value(row) && value(row) < value(row + 1));
        let equal = BooleanBuffer::collect_bool(asked.len(), |row| asked.value(row) && value(row) == value(row + 1));
        (less, equal)
    }
    let pairs = asked.len();
    Some(match array.data_type() {
        DataType::Int64 => numbers::<Int64Type>(array, pairs),
        DataType::UInt64 => numbers::<UInt64Type>(array, pairs),
        DataType::Date32 => numbers::<Date32Type>(array, pairs),
        DataType::Decimal128(_, _) => numbers::<Decimal128Type>(array, pairs),
        DataType::Timestamp(TimeUnit::Second, _) => numbers::<TimestampSecondType>(array, pairs),
        DataType::Timestamp(TimeUnit::Millisecond, _) => numbers::<TimestampMillisecondType>(array, pairs),
        DataType::Timestamp(TimeUnit::Microsecond, _) => numbers::<TimestampMicrosecondType>(array, pairs),
        DataType::Timestamp(TimeUnit::Nanosecond, _) => numbers::<TimestampNanosecondType>(array, pairs),
        DataType::Utf8 => bytes(asked, |row| array.as_string::<i32>().value(row).as_bytes()),
        DataType::Binary => bytes(asked, |row| array.as_binary::<i32>().value(row)),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::align::{SideColumn, align};
    use crate::mix::next;
    use crate::spec::{Overrides, parse};
    use arrow_array::{BinaryArray, Date32Array, Decimal128Array, Int64Array, StringArray, TimestampMicrosecondArray, UInt64Array};
    use std::sync::Arc;

    const INT: ValueType = ValueType::Int { bits: 64, signed: true };

    fn aligned(types: &[ValueType]) -> Aligned {
        let names = ["a", "b"];
        let text = format!("live: l\nshadow: s\naccount: a\nkey: [{}]\n", names[..types.len()].join(", "));
        let spec = parse(&text, "spec.yaml", &Overrides::default()).expect("a good spec").spec;
        let column = |(name, value_type): (&&str, &ValueType)| SideColumn {
            name: (*name).to_owned(),
            value_type: value_type.clone(),
        };
        let columns: Vec<SideColumn> = names.iter().zip(types).map(column).collect();
        align(&spec, &Sides::new(columns.clone(), columns)).expect("schemas that meet")
    }

    fn ints(values: &[i64]) -> ArrayRef {
        Arc::new(Int64Array::from(values.to_vec()))
    }

    fn known(stretches: &[&[i64]]) -> DistinctKeys {
        let aligned = aligned(&[INT]);
        let mut keys = DistinctKeys::default();
        for values in stretches {
            keys.add(&aligned, &[&ints(values)]);
        }
        keys
    }

    #[test]
    fn keys_are_distinct_where_each_stretch_ascends_and_none_touches_another() {
        for (stretches, holds) in [
            (vec![], true),
            (vec![&[1, 2, 5][..]], true),
            (vec![&[10, 11], &[-7, 3], &[4, 4 + 5]], true),
            (vec![&[1, 1]], false),
            (vec![&[2, 1]], false),
            (vec![&[1, 5], &[5, 6]], false),
            (vec![&[1, 5], &[2, 3]], false),
            (vec![&[1], &[1]], false),
            (vec![&[]], true),
        ] {
            assert_eq!(known(&stretches).holds(), holds, "{stretches:?}");
        }
        let mut joined = known(&[&[1, 3]]);
        joined.merge(known(&[&[7, 9], &[4, 5]]));
        assert!(joined.holds());
        joined.merge(known(&[&[8]]));
        assert!(!joined.holds());
        let mut unknown = known(&[&[1]]);
        unknown.add_unknown();
        unknown.merge(known(&[&[2]]));
        assert!(!unknown.holds());
    }

    #[test]
    fn later_columns_decide_where_earlier_ones_are_equal() {
        let aligned = aligned(&[INT, INT]);
        for (a, b, holds) in [
            ([1, 1, 2], [1, 2, 0], true),
            ([1, 1, 2], [2, 1, 0], false),
            ([1, 1, 2], [2, 2, 3], false),
            ([2, 1, 3], [1, 2, 3], false),
        ] {
            let mut keys = DistinctKeys::default();
            keys.add(&aligned, &[&ints(&a), &ints(&b)]);
            assert_eq!(keys.holds(), holds, "{a:?} {b:?}");
        }
    }

    #[test]
    fn of_very_many_parts_few_stretches_are_held() {
        let parts = |gap: i64| {
            let mut all = DistinctKeys::default();
            for part in 0..2 * COMPARED_STRETCHES as i64 {
                all.merge(known(&[&[part * gap, part * gap + 1]]));
            }
            assert!(all.stretches.as_ref().is_none_or(|held| held.len() <= COMPARED_STRETCHES));
            all.holds()
        };
        assert!(parts(2));
        assert!(!parts(1), "each part begins with the last key of the one before");
    }

    #[test]
    fn stretches_that_have_no_value_of_a_column_in_common_are_apart() {
        let aligned = aligned(&[INT, INT]);
        let by_day = |days: &[[i64; 3]]| {
            let mut keys = DistinctKeys::default();
            for day in days {
                assert!(keys.add(&aligned, &[&ints(&[1, 5, 9]), &ints(day)]));
            }
            keys.holds()
        };
        assert!(by_day(&[[1, 1, 1], [2, 2, 2], [3, 3, 3]]));
        assert!(by_day(&[[3, 4, 3], [2, 1, 1]]));
        assert!(!by_day(&[[1, 1, 1], [2, 2, 2], [1, 1, 1]]));
        assert!(!by_day(&[[3, 4, 3], [2, 3, 1]]), "not sure");
    }

    #[test]
    fn what_is_not_sure_is_not_said() {
        let mut keys = DistinctKeys::default();
        let with_null: ArrayRef = Arc::new(Int64Array::from(vec![None, Some(1)]));
        keys.add(&aligned(&[INT]), &[&with_null]);
        assert!(!keys.holds());
        let mut keys = DistinctKeys::default();
        let long: ArrayRef = Arc::new(StringArray::from(vec!["x".repeat(MAX_KEY_BYTES)]));
        keys.add(&aligned(&[ValueType::Text]), &[&long]);
        assert!(!keys.holds());
        assert!(!has_known_order(&aligned(&[ValueType::Float { bits: 64 }])));
        assert!(has_known_order(&aligned(&[ValueType::Text, INT])));
    }

    /// The bytes of the ends must sort as the values within do, else what lies between the ends could lie elsewhere.
    #[test]
    fn bytes_of_keys_sort_as_the_values_do() {
        let mut state = 7;
        let mut number = |bits: u32| (next(&mut state) as i64) >> (64 - bits);
        let mut numbers: Vec<i64> = (0..60).map(|at| number(2 + at % 63)).chain([0, -1, i64::MAX, i64::MIN]).collect();
        numbers.sort_unstable();
        numbers.dedup();
        let small = || numbers.iter().filter_map(|n| i32::try_from(*n).ok());
        let mut texts: Vec<String> = numbers
            .iter()
            .map(|n| format!("{}\u{0}é{n}", n % 3))
            .chain(["".into(), "a".into(), "a\u{0}".into()])
            .collect();
        texts.sort_unstable();
        let decimal = Decimal128Array::from_iter_values(numbers.iter().map(|n| i128::from(*n) * 1000));
        let arrays: Vec<(ArrayRef, ValueType)> = vec![
            (ints(&numbers), INT),
            (
                Arc::new(UInt64Array::from_iter_values(
                    numbers.iter().filter(|n| **n >= 0).map(|n| *n as u64 * 2),
                )),
                ValueType::Int { bits: 64, signed: false },
            ),
            (Arc::new(Date32Array::from_iter_values(small())), ValueType::Date),
            (
                Arc::new(decimal.with_precision_and_scale(30, 2).expect("a decimal")),
                ValueType::Decimal { precision: 30, scale: 2 },
            ),
            (
                Arc::new(TimestampMicrosecondArray::from_iter_values(small().map(i64::from))),
                ValueType::Timestamp {
                    unit: crate::value::TimeUnit::Microsecond,
                    zoned: false,
                },
            ),
            (Arc::new(StringArray::from_iter_values(&texts)), ValueType::Text),
            (
                Arc::new(BinaryArray::from_iter_values(texts.iter().map(|text| text.as_bytes()))),
                ValueType::Binary,
            ),
        ];
        for (array, value_type) in arrays {
            let aligned = aligned(std::slice::from_ref(&value_type));
            assert!(has_known_order(&aligned) && ascend(&[&array]), "{value_type:?}");
            assert_eq!(ends(&array), Some((0, array.len() - 1)));
            let keys: Vec<Vec<u8>> = (0..array.len()).map(|row| key_bytes(&aligned, &[&array], row)).collect();
            assert!(keys.is_sorted_by(|a, b| a < b), "{value_type:?}");
        }
    }
}
