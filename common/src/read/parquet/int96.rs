//! Decides how INT96 timestamps are read, so that none wraps and none loses digits.
//!
//! INT96 is a day and nanoseconds within it: more than 64 bits of nanoseconds can hold. Microseconds are used where no
//! value has finer digits, as is the rule for what Spark writes; nanoseconds otherwise, and a value that neither can
//! hold is an error. Every row group is checked again when it is read.
//!
//! Spark keeps 64 bits of microseconds and wraps when it adds the Julian day of 1970, writing and reading; years that no
//! contract asks for come back right only by wrapping as it does. So the range of what Spark wrote is not checked.

use super::chunks::Chunks;
use crate::read::dataset::{DataFile, Pin};
use crate::read::pinned::PinnedFile;
use ::parquet::basic::Type as PhysicalType;
use ::parquet::column::reader::{get_column_reader, get_typed_column_reader};
use ::parquet::data_type::{Int96, Int96Type};
use ::parquet::file::metadata::ParquetMetaData;
use ::parquet::file::serialized_reader::SerializedPageReader;
use arrow_schema::{DataType, Field, FieldRef, Schema, SchemaRef, TimeUnit};
use shadowdiff_core::error::{Error, Result};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

const JULIAN_DAY_OF_1970: i128 = 2_440_588;
const NANOS_A_DAY: i128 = 86_400_000_000_000;
const VALUES_AT_ONCE: usize = 8192;
/// Spark keeps microseconds only, so its files need no scan to know.
const SPARK_PREFIX: &str = "org.apache.spark.";

/// Units found by scanning a file, so that its splits do not scan it again. One short entry a file.
#[derive(Debug, Default)]
pub(crate) struct Int96Units(Mutex<BTreeMap<(String, Pin), TimeUnit>>);

/// The INT96 columns of a file, and the unit they are read in.
#[derive(Debug)]
pub(super) struct Leaves {
    /// Per leaf column of the file.
    is_int96: Vec<bool>,
    unit: TimeUnit,
    by_spark: bool,
}

impl Leaves {
    /// `None` where the file has no INT96.
    pub(super) fn of(file: &DataFile, pinned: &Arc<PinnedFile>, metadata: &ParquetMetaData, units: &Int96Units) -> Result<Option<Leaves>> {
        let columns = metadata.file_metadata().schema_descr().columns();
        let is_int96: Vec<bool> = columns.iter().map(|column| column.physical_type() == PhysicalType::INT96).collect();
        if !is_int96.contains(&true) {
            return Ok(None);
        }
        let mut leaves = Leaves {
            is_int96,
            unit: TimeUnit::Microsecond,
            by_spark: by_spark(metadata),
        };
        if !leaves.by_spark {
            leaves.unit = leaves.known_or_scanned(file, pinned, metadata, units)?;
        }
        Ok(Some(leaves))
    }

    /// The schema with INT96 columns as naive timestamps of the unit, at any depth.
    pub(super) fn retype(&self, schema: &Schema) -> SchemaRef {
        let mut leaf = 0;
        let fields: Vec<FieldRef> = schema.fields().iter().map(|field| self.retype_field(field, &mut leaf)).collect();
        Arc::new(Schema::new_with_metadata(fields, schema.metadata().clone()))
    }

    /// Refuses a row group with a value that the unit cannot hold exactly.
    pub(super) fn check(
        &self,
        pinned: &Arc<PinnedFile>,
        metadata: &ParquetMetaData,
        group: usize,
        chunks: &Chunks,
        wanted: impl Fn(usize) -> bool,
    ) -> Result<()> {
        for leaf in (0..self.is_int96.len()).filter(|leaf| self.is_int96[*leaf] && wanted(*leaf)) {
            let fits = every_value(pinned, metadata, group, leaf, chunks, |value| self.holds(value))?;
            if !fits {
                let column = metadata.row_group(group).column(leaf).column_path().string();
                return Err(Error::input(format!(
                    "{}: column '{column}' has INT96 timestamps that {} of 64 bits cannot hold exactly; write the file with 64-bit timestamps",
                    pinned.name(),
                    if self.unit == TimeUnit::Microsecond {
                        "microseconds"
                    } else {
                        "nanoseconds"
                    }
                )));
            }
        }
        Ok(())
    }

    fn holds(&self, value: &Int96) -> bool {
        if self.by_spark {
            whole_micros(value)
        } else {
            fits(value, self.unit)
        }
    }

    fn known_or_scanned(
        &self,
        file: &DataFile,
        pinned: &Arc<PinnedFile>,
        metadata: &ParquetMetaData,
        units: &Int96Units,
    ) -> Result<TimeUnit> {
        let key = (file.name.clone(), file.pin.clone());
        let lock = || units.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(unit) = lock().get(&key) {
            return Ok(*unit);
        }
        let unit = if self.all_fit_microseconds(pinned, metadata)? {
            TimeUnit::Microsecond
        } else {
            TimeUnit::Nanosecond
        };
        lock().insert(key, unit);
        Ok(unit)
    }

    fn all_fit_microseconds(&self, pinned: &Arc<PinnedFile>, metadata: &ParquetMetaData) -> Result<bool> {
        for (index, group) in metadata.row_groups().iter().enumerate() {
            for leaf in (0..self.is_int96.len()).filter(|leaf| self.is_int96[*leaf]) {
                let (start, length) = group.column(leaf).byte_range();
                let range = start..start + length;
                let chunks = Chunks::of_row_group(pinned.clone(), std::slice::from_ref(&range))?;
                if !every_value(pinned, metadata, index, leaf, &chunks, |value| fits(value, TimeUnit::Microsecond))? {
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }

    fn retype_field(&self, field: &FieldRef, leaf: &mut usize) -> FieldRef {
        let data_type = match field.data_type() {
            DataType::List(item) => DataType::List(self.retype_field(item, leaf)),
            DataType::LargeList(item) => DataType::LargeList(self.retype_field(item, leaf)),
            DataType::ListView(item) => DataType::ListView(self.retype_field(item, leaf)),
            DataType::LargeListView(item) => DataType::LargeListView(self.retype_field(item, leaf)),
            DataType::FixedSizeList(item, size) => DataType::FixedSizeList(self.retype_field(item, leaf), *size),
            DataType::Map(entries, sorted) => DataType::Map(self.retype_field(entries, leaf), *sorted),
            DataType::Struct(members) => DataType::Struct(members.iter().map(|member| self.retype_field(member, leaf)).collect()),
            plain => {
                *leaf += 1;
                let int96 = self.is_int96.get(*leaf - 1) == Some(&true);
                if int96 {
                    DataType::Timestamp(self.unit, None)
                } else {
                    plain.clone()
                }
            }
        };
        Arc::new(Field::clone(field).with_data_type(data_type))
    }
}

fn by_spark(metadata: &ParquetMetaData) -> bool {
    let pairs = metadata.file_metadata().key_value_metadata();
    pairs.is_some_and(|pairs| pairs.iter().any(|pair| pair.key.starts_with(SPARK_PREFIX)))
}

/// Whether 64 bits of `unit` hold the value exactly.
fn fits(value: &Int96, unit: TimeUnit) -> bool {
    let (day, in_day) = day_and_nanos(value);
    let nanos = (i128::from(day) - JULIAN_DAY_OF_1970) * NANOS_A_DAY + i128::from(in_day);
    match unit {
        TimeUnit::Nanosecond => i64::try_from(nanos).is_ok(),
        _ => whole_micros(value) && i64::try_from(nanos / 1000).is_ok(),
    }
}

/// Whether the value has no digits finer than microseconds.
fn whole_micros(value: &Int96) -> bool {
    day_and_nanos(value).1 % 1000 == 0
}

fn day_and_nanos(value: &Int96) -> (i32, i64) {
    let [low, high, day] = [0, 1, 2].map(|i| value.data().get(i).copied().unwrap_or(0));
    (day as i32, i64::from(high) << 32 | i64::from(low))
}

/// Whether `test` holds for every value that is not NULL; stops at the first for which it does not.
fn every_value(
    pinned: &Arc<PinnedFile>,
    metadata: &ParquetMetaData,
    group: usize,
    leaf: usize,
    chunks: &Chunks,
    test: impl Fn(&Int96) -> bool,
) -> Result<bool> {
    let group = metadata.row_group(group);
    let rows = usize::try_from(group.num_rows()).map_err(|_| pinned.blame("a row group has a negative number of rows"))?;
    let pages = SerializedPageReader::new(Arc::new(chunks.clone()), group.column(leaf), rows, None).map_err(|e| pinned.blame(e))?;
    let column = get_column_reader(metadata.file_metadata().schema_descr().column(leaf), Box::new(pages));
    let mut reader = get_typed_column_reader::<Int96Type>(column);
    let (mut definition, mut repetition, mut values) = (Vec::new(), Vec::new(), Vec::new());
    loop {
        definition.clear();
        repetition.clear();
        values.clear();
        let (records, _, _) = reader
            .read_records(VALUES_AT_ONCE, Some(&mut definition), Some(&mut repetition), &mut values)
            .map_err(|e| pinned.blame(e))?;
        if !values.iter().all(&test) {
            return Ok(false);
        }
        if records == 0 {
            return Ok(true);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn int96(day: u32, nanos: u64) -> Int96 {
        let mut value = Int96::new();
        value.set_data(nanos as u32, (nanos >> 32) as u32, day);
        value
    }

    #[test]
    fn spark_may_wrap() {
        let wrapped = int96(4_189_105_064, (-32_509_551_616_000i64) as u64);
        assert!(!fits(&wrapped, TimeUnit::Microsecond));
        let leaves = Leaves {
            is_int96: vec![true],
            unit: TimeUnit::Microsecond,
            by_spark: true,
        };
        assert!(leaves.holds(&wrapped) && !leaves.holds(&int96(2_440_588, 1)));
    }

    #[test]
    fn a_value_fits_where_nothing_wraps_and_no_digit_is_lost() {
        let cases = [
            (int96(2_440_588, 1_000), true, true),
            (int96(2_440_588, 1_001), false, true),
            (int96(1_721_426, 0), true, false),                  // 0001-01-01
            (int96(5_373_484, 86_399_999_999_000), true, false), // 9999-12-31
            (int96(5_373_484, 1), false, false),
            (int96(0x7fff_ffff, 0), false, false),
        ];
        for (value, micros, nanos) in cases {
            assert_eq!(fits(&value, TimeUnit::Microsecond), micros, "{value:?}");
            assert_eq!(fits(&value, TimeUnit::Nanosecond), nanos, "{value:?}");
        }
    }
}
