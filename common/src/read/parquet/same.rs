//! Which columns two row groups store the same: their values are equal without being decoded.
//!
//! A chunk is the same as another where type, levels, codec, encodings, counts and every byte are. Nothing is said of a column whose values
//! may not be what the file calls them, or mean other values in the other file: those are decoded.

use super::chunks::at_once;
use super::legacy::Marks;
use super::values::Reading;
use super::{DataFile, Opened, Sources};
use crate::read::pinned::PinnedFile;
use ::parquet::data_type::{ByteArray, FixedLenByteArray};
use ::parquet::file::metadata::ColumnChunkMetaData;
use ::parquet::file::statistics::Statistics;
use arrow_schema::DataType;
use shadowdiff_core::error::Result;
use shadowdiff_core::value::ValueType;
use std::ops::Range;

/// How much of two chunks is compared at a time: chunks that differ mostly do so at once.
const WINDOW_BYTES: u64 = 1 << 20;
/// The same of local files: what is read of both stays in the processor's cache until it is compared.
const LOCAL_WINDOW_BYTES: u64 = 64 << 10;

/// A file, to ask how its columns are stored.
#[derive(Debug)]
pub struct StoredFile {
    opened: Opened,
    /// Its values mean what they say, whoever wrote it.
    is_plain: bool,
}

impl StoredFile {
    pub fn open(file: &DataFile, sources: &Sources) -> Result<StoredFile> {
        let opened = Opened::with_statistics(file, sources)?;
        let marks = Marks::of(opened.metadata.file_metadata().key_value_metadata());
        Ok(StoredFile {
            is_plain: !marks.any() && opened.int96.is_none(),
            opened,
        })
    }

    /// How many rows a row group has.
    pub fn rows(&self, group: usize) -> Option<usize> {
        let metadata = &self.opened.metadata;
        (group < metadata.num_row_groups()).then(|| self.opened.row_count(group).ok())?
    }

    /// The place of a column that is stored as this type, so that reading it converts nothing.
    pub fn place(&self, name: &str, value_type: &ValueType) -> Option<usize> {
        let columns = &self.opened.columns;
        let at = columns.fields.iter().position(|field| field.name() == name)?;
        let is_as_stored = ValueType::from_field(&columns.fields[at]).is_ok_and(|stored| stored == *value_type);
        let is_read_plainly = columns.readings(at).iter().all(|reading| *reading == Reading::AsDecoded);
        (self.is_plain && is_as_stored && is_read_plainly && !columns.refused.contains_key(name)).then_some(at)
    }

    /// Fetches columns of a row group from an object store, to be compared and decoded from memory; false where they are too large to be held.
    pub fn hold(&self, group: usize, columns: &[usize]) -> Result<bool> {
        let wanted = columns.iter().flat_map(|column| self.chunks(group, *column)).map(range);
        match at_once(wanted.collect()) {
            Some(ranges) => self.opened.pinned.hold(&ranges).map(|()| true),
            None => Ok(false),
        }
    }

    /// The place of a column that is read.
    pub fn place_of(&self, name: &str) -> Option<usize> {
        self.opened.columns.fields.iter().position(|field| field.name() == name)
    }

    /// The least and the greatest value of a column in each row group, as the footer has them; `None` where it does not.
    pub fn bounds(&self, column: usize) -> Option<Vec<(Bound, Bound)>> {
        let groups = 0..self.opened.metadata.num_row_groups();
        groups.map(|group| self.chunks(group, column).next().and_then(bounds)).collect()
    }

    fn chunks(&self, group: usize, column: usize) -> impl Iterator<Item = &ColumnChunkMetaData> {
        let leaves = self.opened.columns.leaves(column);
        self.opened.metadata.row_group(group).columns()[leaves].iter()
    }
}

/// Whether two row groups, each of a file, may store a column the same, as far as their footers tell. `columns`: its places in the files.
pub fn may_be_same(live: (&StoredFile, usize), shadow: (&StoredFile, usize), columns: (usize, usize)) -> bool {
    let types = (
        live.0.opened.columns.fields[columns.0].data_type(),
        shadow.0.opened.columns.fields[columns.1].data_type(),
    );
    let decoded = (
        live.0.opened.columns.decoded[columns.0].data_type(),
        shadow.0.opened.columns.decoded[columns.1].data_type(),
    );
    let mut chunks = live.0.chunks(live.1, columns.0).zip(shadow.0.chunks(shadow.1, columns.1));
    let holds = |chunk: &ColumnChunkMetaData| holds_its_values(types.0, chunk);
    types.0 == types.1 && decoded.0 == decoded.1 && chunks.all(|(a, b)| are_alike(a, b) && holds(a))
}

/// Whether they do. `is_one`: of files that are one object no byte is read.
pub fn is_same(live: (&StoredFile, usize), shadow: (&StoredFile, usize), columns: (usize, usize), is_one: bool) -> Result<bool> {
    if !may_be_same(live, shadow, columns) {
        return Ok(false);
    }
    for (a, b) in live.0.chunks(live.1, columns.0).zip(shadow.0.chunks(shadow.1, columns.1)) {
        let is_same = match is_one {
            true => range(a) == range(b),
            false => is_same_range(live.0, range(a), shadow.0, range(b))?,
        };
        if !is_same {
            return Ok(false);
        }
    }
    live.0.opened.pinned.check()?;
    shadow.0.opened.pinned.check()?;
    Ok(true)
}

fn range(chunk: &ColumnChunkMetaData) -> Range<u64> {
    let (start, length) = chunk.byte_range();
    start..start + length
}

/// Whether equal bytes of two chunks are equal values.
fn are_alike(a: &ColumnChunkMetaData, b: &ColumnChunkMetaData) -> bool {
    let leaf = |chunk: &ColumnChunkMetaData| {
        let leaf = chunk.column_descr();
        (leaf.physical_type(), leaf.type_length(), leaf.max_def_level(), leaf.max_rep_level())
    };
    let counts = |chunk: &ColumnChunkMetaData| (chunk.num_values(), chunk.compressed_size(), chunk.uncompressed_size());
    // Where its pages lie in a chunk, which does not depend on where the chunk lies in the file.
    let pages = |chunk: &ColumnChunkMetaData| {
        let start = range(chunk).start as i64;
        (
            chunk.data_page_offset() - start,
            chunk.dictionary_page_offset().map(|offset| offset - start),
        )
    };
    leaf(a) == leaf(b)
        && a.compression() == b.compression()
        && a.encodings().eq(b.encodings())
        && counts(a) == counts(b)
        && pages(a) == pages(b)
}

/// An end of the range of a column's values.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Bound {
    Number(i128),
    Bytes(Vec<u8>),
}

/// The least and the greatest value of a chunk, as its statistics have them.
fn bounds(chunk: &ColumnChunkMetaData) -> Option<(Bound, Bound)> {
    let numbers = |min: i128, max: i128| (Bound::Number(min), Bound::Number(max));
    match chunk.statistics() {
        Some(Statistics::Int32(s)) => s.min_opt().zip(s.max_opt()).map(|(min, max)| numbers((*min).into(), (*max).into())),
        Some(Statistics::Int64(s)) => s.min_opt().zip(s.max_opt()).map(|(min, max)| numbers((*min).into(), (*max).into())),
        // Older bounds of bytes took them for unsigned.
        Some(all @ Statistics::FixedLenByteArray(s)) if !all.is_min_max_deprecated() => {
            let bound = |bytes: Option<&FixedLenByteArray>| signed(bytes?.data());
            bound(s.min_opt()).zip(bound(s.max_opt())).map(|(min, max)| numbers(min, max))
        }
        Some(all @ Statistics::ByteArray(s)) if !all.is_min_max_deprecated() => {
            let bound = |bytes: &ByteArray| Bound::Bytes(bytes.data().to_vec());
            s.min_opt().zip(s.max_opt()).map(|(min, max)| (bound(min), bound(max)))
        }
        _ => None,
    }
}

/// Whether the values of a chunk are known to be of its type without a look at them. A reader that decodes refuses others.
fn holds_its_values(data_type: &DataType, chunk: &ColumnChunkMetaData) -> bool {
    match data_type {
        DataType::Decimal32(digits, _)
        | DataType::Decimal64(digits, _)
        | DataType::Decimal128(digits, _)
        | DataType::Decimal256(digits, _) => {
            let limit = 10i128.checked_pow(u32::from(*digits));
            match (bounds(chunk), limit) {
                (Some((Bound::Number(min), Bound::Number(max))), Some(limit)) => -limit < min && max < limit,
                _ => false,
            }
        }
        DataType::Boolean
        | DataType::Int8
        | DataType::Int16
        | DataType::Int32
        | DataType::Int64
        | DataType::UInt8
        | DataType::UInt16
        | DataType::UInt32
        | DataType::UInt64
        | DataType::Float16
        | DataType::Float32
        | DataType::Float64
        | DataType::Timestamp(_, _)
        | DataType::Date32
        | DataType::Duration(_)
        | DataType::Binary
        | DataType::FixedSizeBinary(_)
        | DataType::Utf8 => true,
        _ => false,
    }
}

/// A number of at most 16 bytes in two's complement, the highest byte first.
fn signed(bytes: &[u8]) -> Option<i128> {
    let first = *bytes.first().filter(|_| bytes.len() <= 16)?;
    let sign = if first >= 0x80 { -1 } else { 0 };
    Some(bytes.iter().fold(sign, |number, byte| number << 8 | i128::from(*byte)))
}

fn is_same_range(live: &StoredFile, mut a: Range<u64>, shadow: &StoredFile, mut b: Range<u64>) -> Result<bool> {
    let (live, shadow) = (&live.opened.pinned, &shadow.opened.pinned);
    if live.is_local() && shadow.is_local() {
        return is_same_in_files(live, a, shadow, b.start);
    }
    while a.start < a.end {
        let window = WINDOW_BYTES.min(a.end - a.start);
        let (one, other) = (a.start..a.start + window, b.start..b.start + window);
        if live.read(one)? != shadow.read(other)? {
            return Ok(false);
        }
        a.start += window;
        b.start += window;
    }
    Ok(true)
}

/// The same of local files, which are read into two small buffers over and over.
fn is_same_in_files(live: &PinnedFile, mut range: Range<u64>, shadow: &PinnedFile, mut start: u64) -> Result<bool> {
    let longest = LOCAL_WINDOW_BYTES.min(range.end - range.start) as usize;
    let (mut one, mut other) = (vec![0; longest], vec![0; longest]);
    while range.start < range.end {
        let window = LOCAL_WINDOW_BYTES.min(range.end - range.start);
        let (one, other) = (&mut one[..window as usize], &mut other[..window as usize]);
        live.fill(one, range.start)?;
        shadow.fill(other, start)?;
        if one != other {
            return Ok(false);
        }
        range.start += window;
        start += window;
    }
    Ok(true)
}
