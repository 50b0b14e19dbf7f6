//! The fingerprint of a row: 128 bits, keyed with a secret of the job, equal for rows that are equal in every hashed column.
//!
//! It is the sum of the hashes of the row's values, a column each, so that what some columns make of it can be taken out of it again: rows whose
//! fingerprints are alike without those columns are equal in all others. Values go through two lanes of multiply-and-fold with keys of their own
//! per column: fixed-width ones as one word, bytes, and values that compare across types in their canonical form, word by word and with their
//! length. A column's keys come from the secret and its number, so that swapped columns do not collide. With 128 bits, 10^12 rows collide with
//! probability below 10^-14 (birthday bound).
//!
//! Two values of one column collide under the same keys or not, however many rows have them, so no pair of values may be likely to. Folding is
//! weak for words that are each other's complement, as 0 and -1 are, if keys are put to them by exclusive or (a lane in 2^27, by counting at small widths), and
//! for words that are a third of 2^64 apart if keys are added (about as often). So one lane adds, the other does not: no pair is weak in both.

use super::canon::canon;
use crate::value::value_at;
use arrow_array::cast::AsArray;
use arrow_array::types::{
    Date32Type, Decimal64Type, Decimal128Type, DurationMicrosecondType, DurationMillisecondType, DurationNanosecondType,
    DurationSecondType, Float32Type, Float64Type, Int32Type, Int64Type, Time32MillisecondType, Time32SecondType, Time64MicrosecondType,
    Time64NanosecondType, TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType, UInt64Type,
};
use arrow_array::{Array, ArrayRef, PrimitiveArray, types::ArrowPrimitiveType};
use arrow_schema::{DataType, TimeUnit};
use siphasher::sip::SipHasher24;

/// Drawn once a job; whoever does not know it cannot make two rows collide.
#[derive(Debug, Clone, Copy, serde::Serialize, serde::Deserialize)]
pub struct Secret(pub [u8; 16]);

#[derive(Debug, Clone, Copy)]
struct ColumnKeys {
    lane: [u64; 4],
    null: u64,
}

/// Hashes rows of one list of columns.
#[derive(Debug, Clone)]
pub struct Hasher {
    columns: Vec<(ColumnKeys, Form)>,
}

/// How a column's values enter the fingerprint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Both sides store the same type.
    Plain,
    /// The sides store different types, or the type nests: through the canonical bytes.
    Canonical,
    /// Only whether it is NULL.
    Presence,
}

impl Hasher {
    /// One form a column, in the order in which the arrays will come.
    pub fn new(secret: Secret, forms: impl IntoIterator<Item = Form>) -> Self {
        Hasher::of(secret, (0..).zip(forms))
    }

    /// Columns by the numbers that their keys are made of: no two that go into one fingerprint have the same.
    pub fn of(secret: Secret, numbered: impl IntoIterator<Item = (u64, Form)>) -> Self {
        let columns = numbered.into_iter().map(|(number, form)| (keys(secret, number), form)).collect();
        Hasher { columns }
    }

    /// That of some of the columns, by their places.
    #[must_use]
    pub fn some(&self, columns: &[usize]) -> Hasher {
        Hasher {
            columns: columns.iter().map(|at| self.columns[*at]).collect(),
        }
    }

    /// The fingerprints of all rows. The arrays are in storage form, one a column of this hasher; texts and bytes of one stored type may be
    /// dictionaries with numbers of 32 bits.
    pub fn hash(&self, arrays: &[&ArrayRef], rows: usize) -> Vec<u128> {
        self.hash_on(&vec![0; rows], arrays)
    }

    /// The same of rows that have a fingerprint of other columns already, a row each.
    pub fn hash_on(&self, others: &[u128], arrays: &[&ArrayRef]) -> Vec<u128> {
        assert_eq!(arrays.len(), self.columns.len(), "one array a column");
        let mut lanes: Vec<Lanes> = others.iter().map(|print| lanes_of(*print)).collect();
        for (array, (keys, form)) in arrays.iter().zip(&self.columns) {
            match form {
                Form::Plain => plain(array, keys, &mut lanes),
                Form::Canonical => canonical(array, keys, &mut lanes),
                Form::Presence => presence(array, keys, &mut lanes),
            }
        }
        lanes.into_iter().map(fingerprint_of).collect()
    }

    /// What is left of the fingerprints of rows, a row each, without these columns.
    pub fn without(&self, fingerprints: &[u128], arrays: &[&ArrayRef]) -> Vec<u128> {
        let of_these = self.hash(arrays, fingerprints.len());
        let pairs = fingerprints.iter().zip(of_these);
        pairs
            .map(|(all, some)| {
                let (all, some) = (lanes_of(*all), lanes_of(some));
                fingerprint_of((all.0.wrapping_sub(some.0), all.1.wrapping_sub(some.1)))
            })
            .collect()
    }
}

type Lanes = (u64, u64);

fn lanes_of(fingerprint: u128) -> Lanes {
    ((fingerprint >> 64) as u64, fingerprint as u64)
}

fn fingerprint_of(lanes: Lanes) -> u128 {
    u128::from(lanes.0) << 64 | u128::from(lanes.1)
}

fn keys(secret: Secret, column: u64) -> ColumnKeys {
    let word = |n: u64| {
        let mut bytes = [0u8; 16];
        bytes[..8].copy_from_slice(&column.to_le_bytes());
        bytes[8..].copy_from_slice(&n.to_le_bytes());
        SipHasher24::new_with_key(&secret.0).hash(&bytes)
    };
    ColumnKeys {
        lane: [word(0), word(1) | 1, word(2), word(3) | 1],
        null: word(4),
    }
}

fn fold(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    (product >> 64) as u64 ^ product as u64
}

/// Takes a word into the hash of a value.
fn mix(hash: &mut Lanes, word: u64, keys: &ColumnKeys) {
    hash.0 = fold((hash.0 ^ word).wrapping_add(keys.lane[0]), keys.lane[1]);
    hash.1 = fold(hash.1.rotate_left(29) ^ word ^ keys.lane[2], keys.lane[3]);
}

/// The hash of a value that is one word.
fn word_hash(word: u64, keys: &ColumnKeys) -> Lanes {
    let mut hash = (0, 0);
    mix(&mut hash, word, keys);
    hash
}

/// A NULL takes a different path through the keys than any value does.
fn null_hash(keys: &ColumnKeys) -> Lanes {
    (fold(keys.null, keys.lane[3]), fold(keys.null.rotate_left(17), keys.lane[1]))
}

fn add(lanes: &mut Lanes, hash: Lanes) {
    lanes.0 = lanes.0.wrapping_add(hash.0);
    lanes.1 = lanes.1.wrapping_add(hash.1);
}

fn words<T: ArrowPrimitiveType>(array: &ArrayRef, keys: &ColumnKeys, lanes: &mut [Lanes], word: impl Fn(T::Native) -> u64) {
    let values: &PrimitiveArray<T> = array.as_primitive();
    let values = values.values();
    each(array, keys, lanes, |row| word_hash(word(values[row]), keys));
}

fn plain(array: &ArrayRef, keys: &ColumnKeys, lanes: &mut [Lanes]) {
    match array.data_type() {
        DataType::Int64 => words::<Int64Type>(array, keys, lanes, |v| v as u64),
        DataType::UInt64 => words::<UInt64Type>(array, keys, lanes, |v| v),
        DataType::Float64 => words::<Float64Type>(array, keys, lanes, double_word),
        DataType::Float32 => words::<Float32Type>(array, keys, lanes, |v| double_word(f64::from(v))),
        DataType::Date32 => words::<Date32Type>(array, keys, lanes, |v| v as u64),
        // As the low word of 128 bits, which all values of 64 bits are hashed as.
        DataType::Decimal64(_, _) => words::<Decimal64Type>(array, keys, lanes, |v| v as u64),
        DataType::Decimal128(_, _) => decimals(array, keys, lanes),
        DataType::Utf8 => {
            let texts = array.as_string::<i32>();
            byte_values(array, keys, lanes, |row| texts.value(row).as_bytes());
        }
        DataType::Binary => {
            let values = array.as_binary::<i32>();
            byte_values(array, keys, lanes, |row| values.value(row));
        }
        DataType::Boolean => {
            let values = array.as_boolean();
            each(array, keys, lanes, |row| word_hash(u64::from(values.value(row)), keys));
        }
        DataType::Timestamp(TimeUnit::Second, _) => words::<TimestampSecondType>(array, keys, lanes, |v| v as u64),
        DataType::Timestamp(TimeUnit::Millisecond, _) => words::<TimestampMillisecondType>(array, keys, lanes, |v| v as u64),
        DataType::Timestamp(TimeUnit::Microsecond, _) => words::<TimestampMicrosecondType>(array, keys, lanes, |v| v as u64),
        DataType::Timestamp(TimeUnit::Nanosecond, _) => words::<TimestampNanosecondType>(array, keys, lanes, |v| v as u64),
        DataType::Time32(TimeUnit::Second) => words::<Time32SecondType>(array, keys, lanes, |v| v as u64),
        DataType::Time32(_) => words::<Time32MillisecondType>(array, keys, lanes, |v| v as u64),
        DataType::Time64(TimeUnit::Nanosecond) => words::<Time64NanosecondType>(array, keys, lanes, |v| v as u64),
        DataType::Time64(_) => words::<Time64MicrosecondType>(array, keys, lanes, |v| v as u64),
        DataType::Duration(TimeUnit::Second) => words::<DurationSecondType>(array, keys, lanes, |v| v as u64),
        DataType::Duration(TimeUnit::Millisecond) => words::<DurationMillisecondType>(array, keys, lanes, |v| v as u64),
        DataType::Duration(TimeUnit::Microsecond) => words::<DurationMicrosecondType>(array, keys, lanes, |v| v as u64),
        DataType::Duration(TimeUnit::Nanosecond) => words::<DurationNanosecondType>(array, keys, lanes, |v| v as u64),
        DataType::Dictionary(_, _) => dictionary_values(array, keys, lanes),
        _ => canonical(array, keys, lanes),
    }
}

fn double_word(v: f64) -> u64 {
    if v == 0.0 {
        0
    } else if v.is_nan() {
        u64::MAX
    } else {
        v.to_bits()
    }
}

/// Adds the hash of each row's value.
fn each(array: &ArrayRef, keys: &ColumnKeys, lanes: &mut [Lanes], hash: impl Fn(usize) -> Lanes) {
    match array.logical_nulls().filter(|nulls| nulls.null_count() > 0) {
        None => lanes.iter_mut().enumerate().for_each(|(row, lanes)| add(lanes, hash(row))),
        Some(nulls) => {
            let of_null = null_hash(keys);
            for (row, lanes) in lanes.iter_mut().enumerate() {
                add(lanes, if nulls.is_null(row) { of_null } else { hash(row) });
            }
        }
    }
}

fn decimals(array: &ArrayRef, keys: &ColumnKeys, lanes: &mut [Lanes]) {
    let values = array.as_primitive::<Decimal128Type>().values();
    each(array, keys, lanes, |row| {
        let value = values[row];
        // Most values fit 64 bits; the high word is mixed in only where it is more than the sign.
        let (low, high) = (value as u64, (value >> 64) as i64);
        let mut hash = word_hash(low, keys);
        if high != (low as i64) >> 63 {
            mix(&mut hash, high as u64 ^ keys.null, keys);
        }
        hash
    });
}

/// Whole words, then what is left of the bytes with their length on top: no value goes on where another has ended.
fn hash_bytes(bytes: &[u8], keys: &ColumnKeys) -> Lanes {
    let mut hash = (0, 0);
    let (words, rest) = bytes.as_chunks::<8>();
    for word in words {
        mix(&mut hash, u64::from_le_bytes(*word), keys);
    }
    let last = match bytes.last_chunk::<8>() {
        // The last eight bytes, less those of the word before.
        Some(end) if !rest.is_empty() => u64::from_le_bytes(*end) >> (64 - 8 * rest.len()),
        _ => rest.iter().rev().fold(0u64, |word, byte| word << 8 | u64::from(*byte)),
    };
    mix(&mut hash, last | (bytes.len() as u64) << 56, keys);
    hash
}

fn byte_values<'a>(array: &'a ArrayRef, keys: &ColumnKeys, lanes: &mut [Lanes], bytes: impl Fn(usize) -> &'a [u8]) {
    each(array, keys, lanes, |row| hash_bytes(bytes(row), keys));
}

/// Texts or bytes that are kept as a dictionary: each value is hashed once, unless there are more of them than rows.
fn dictionary_values(array: &ArrayRef, keys: &ColumnKeys, lanes: &mut [Lanes]) {
    let dictionary = array.as_dictionary::<Int32Type>();
    let values = dictionary.values();
    let bytes = |row: usize| match values.data_type() {
        DataType::Utf8 => values.as_string::<i32>().value(row).as_bytes(),
        _ => values.as_binary::<i32>().value(row),
    };
    let numbers = dictionary.keys().values();
    if values.len() > lanes.len() {
        return each(array, keys, lanes, |row| hash_bytes(bytes(numbers[row] as usize), keys));
    }
    let hashes: Vec<Lanes> = (0..values.len()).map(|row| hash_bytes(bytes(row), keys)).collect();
    each(array, keys, lanes, |row| hashes[numbers[row] as usize]);
}

fn canonical(array: &ArrayRef, keys: &ColumnKeys, lanes: &mut [Lanes]) {
    let mut bytes = Vec::new();
    for (row, lanes) in lanes.iter_mut().enumerate() {
        if array.is_null(row) {
            add(lanes, null_hash(keys));
            continue;
        }
        bytes.clear();
        canon(&value_at(array.as_ref(), row), &mut bytes);
        add(lanes, hash_bytes(&bytes, keys));
    }
}

fn presence(array: &ArrayRef, keys: &ColumnKeys, lanes: &mut [Lanes]) {
    let there = word_hash(1, keys);
    each(array, keys, lanes, |_| there);
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow_array::{Decimal128Array, Float64Array, Int64Array, StringArray};
    use std::sync::Arc;

    fn columns() -> [ArrayRef; 4] {
        [
            Arc::new(Int64Array::from(vec![Some(0), Some(-1), None, Some(i64::MAX), Some(0)])),
            Arc::new(Float64Array::from(vec![Some(0.0), Some(f64::NAN), None, Some(1.5), Some(-0.0)])),
            Arc::new(StringArray::from(vec![Some(""), Some("a"), None, Some("a longer text"), Some("")])),
            Arc::new(Decimal128Array::from(vec![Some(0), Some(-1), None, Some(1 << 90), Some(0)])),
        ]
    }

    #[test]
    fn what_columns_make_of_a_fingerprint_is_taken_out_of_it_again() {
        let columns = columns();
        let arrays: Vec<&ArrayRef> = columns.iter().collect();
        let hasher = Hasher::new(Secret([7; 16]), [Form::Plain, Form::Plain, Form::Canonical, Form::Plain]);
        let whole = hasher.hash(&arrays, 5);
        assert_eq!((whole[0], whole[0] == whole[1]), (whole[4], false), "-0.0 is 0.0");
        for taken in [&[0, 1][..], &[3], &[2, 0], &[3, 2, 1, 0], &[]] {
            let some = |numbers: &[usize]| numbers.iter().map(|at| arrays[*at]).collect::<Vec<_>>();
            let others: Vec<usize> = (0..4).filter(|at| !taken.contains(at)).collect();
            let rest = hasher.some(taken).without(&whole, &some(taken));
            assert_eq!(rest, hasher.some(&others).hash(&some(&others), 5), "without {taken:?}");
            assert_eq!(hasher.some(taken).hash_on(&rest, &some(taken)), whole);
        }
    }

    /// One lane in 2^27 is weak for 0 and -1, and for 0.0 and NaN: of so few secrets there is none, in either lane.
    #[test]
    fn no_column_takes_one_value_for_another() {
        let columns = columns();
        for secret in 0..200u8 {
            for column in &columns {
                let hasher = Hasher::new(Secret([secret; 16]), [Form::Plain]);
                let lanes = hasher.hash(&[column], 4).into_iter().map(lanes_of);
                let (first, second): (Vec<u64>, Vec<u64>) = lanes.unzip();
                for lane in [first, second] {
                    let distinct: std::collections::BTreeSet<u64> = lane.iter().copied().collect();
                    assert_eq!(distinct.len(), 4, "{lane:?}");
                }
            }
        }
    }
}
