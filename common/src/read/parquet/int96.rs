//! Decides how INT96 timestamps are read, so that none wraps and none loses digits.
//!
//! INT96 is a day and nanoseconds within it: more than 64 bits of nanoseconds can hold. Microseconds are used where no
//! value has finer digits, as is the rule for what Spark writes; nanoseconds where all fit 64 bits of them. A file that has
//! finer digits and years that those do not reach is decoded twice, and both are put together to decimals of seconds
//! ([`INSTANT`]). Every row group is checked again when it is read.
//!
//! Spark keeps 64 bits of microseconds and wraps when it adds the Julian day of 1970, writing and reading; years that no
//! contract asks for come back right only by wrapping as it does. So the range of what Spark wrote is not checked.

use super::chunks::Chunks;
use super::pages::OneRowGroup;
use crate::read::dataset::DataFile;
use crate::read::pinned::PinnedFile;
use ::parquet::arrow::arrow_reader::RowGroups;
use ::parquet::basic::Type as PhysicalType;
use ::parquet::column::reader::{get_column_reader, get_typed_column_reader};
use ::parquet::data_type::{Int96, Int96Type};
use ::parquet::file::metadata::ParquetMetaData;
use arrow_array::cast::AsArray;
use arrow_array::types::{TimestampMicrosecondType, TimestampNanosecondType};
use arrow_array::{Array, ArrayRef, Decimal128Array, RecordBatch, RecordBatchOptions, make_array};
use arrow_schema::{ArrowError, DataType, Field, FieldRef, Schema, SchemaRef, TimeUnit};
use shadowdiff_core::error::{Error, Result};
use shadowdiff_core::plan::Pinned;
use shadowdiff_core::value::{DAY_NS, INSTANT};
use std::cell::Cell;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

const JULIAN_DAY_OF_1970: i128 = 2_440_588;
const VALUES_AT_ONCE: usize = 8192;
/// Spark keeps microseconds only, so its files need no scan to know.
const SPARK_PREFIX: &str = "org.apache.spark.";

/// Forms found by scanning a file, so that its splits do not scan it again. One short entry per file.
#[derive(Debug, Default)]
pub(crate) struct Int96Forms(Mutex<BTreeMap<Pinned, Form>>);

/// What INT96 values are decoded to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Microseconds,
    Nanoseconds,
    /// Both, of which seconds with nine digits are made.
    Seconds,
}

/// The INT96 columns of a file, and the form they are read in.
#[derive(Debug)]
pub(super) struct Leaves {
    /// Per leaf column of the file.
    is_int96: Vec<bool>,
    form: Form,
    by_spark: bool,
}

impl Leaves {
    /// `None` where the file has no INT96.
    pub(super) fn of(file: &DataFile, pinned: &Arc<PinnedFile>, metadata: &ParquetMetaData, forms: &Int96Forms) -> Result<Option<Leaves>> {
        let columns = metadata.file_metadata().schema_descr().columns();
        let is_int96: Vec<bool> = columns.iter().map(|column| column.physical_type() == PhysicalType::INT96).collect();
        if !is_int96.contains(&true) {
            return Ok(None);
        }
        let mut leaves = Leaves {
            is_int96,
            form: Form::Microseconds,
            by_spark: by_spark(metadata),
        };
        if !leaves.by_spark {
            leaves.form = leaves.known_or_scanned(file, pinned, metadata, forms)?;
        }
        Ok(Some(leaves))
    }

    /// The schema with INT96 columns as the decoder is to give them, naive timestamps at any depth.
    pub(super) fn retype(&self, schema: &Schema) -> SchemaRef {
        self.retyped(schema, |field| {
            let unit = match self.form {
                Form::Nanoseconds => TimeUnit::Nanosecond,
                Form::Microseconds | Form::Seconds => TimeUnit::Microsecond,
            };
            field.with_data_type(DataType::Timestamp(unit, None))
        })
    }

    /// The schema of a second decoding, where one is needed: nanoseconds of 64 bits, of which the last digits count.
    pub(super) fn retype_again(&self, schema: &Schema) -> Option<SchemaRef> {
        let nanoseconds = |field: Field| field.with_data_type(DataType::Timestamp(TimeUnit::Nanosecond, None));
        (self.form == Form::Seconds).then(|| self.retyped(schema, nanoseconds))
    }

    /// The schema of the batches that readers get.
    pub(super) fn shown(&self, schema: &Schema) -> SchemaRef {
        match self.form {
            Form::Microseconds | Form::Nanoseconds => self.retype(schema),
            Form::Seconds => self.retyped(schema, as_seconds),
        }
    }

    fn retyped(&self, schema: &Schema, change: impl Fn(Field) -> Field) -> SchemaRef {
        let mut leaf = 0;
        let fields: Vec<FieldRef> = schema
            .fields()
            .iter()
            .map(|field| self.retype_field(field, &mut leaf, &change))
            .collect();
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
                    "has INT96 timestamps that {} cannot hold exactly",
                    match self.form {
                        Form::Microseconds => "microseconds of 64 bits",
                        Form::Nanoseconds => "nanoseconds of 64 bits",
                        Form::Seconds => "292 000 years",
                    }
                ))
                .file(pinned.name())
                .column(column)
                .advice("write the file with 64-bit timestamps"));
            }
        }
        Ok(())
    }

    fn holds(&self, value: &Int96) -> bool {
        match self.form {
            _ if self.by_spark => whole_micros(value),
            Form::Microseconds => fits(value, TimeUnit::Microsecond),
            Form::Nanoseconds => fits(value, TimeUnit::Nanosecond),
            Form::Seconds => i64::try_from(nanos(value).div_euclid(1000)).is_ok(),
        }
    }

    fn known_or_scanned(&self, file: &DataFile, pinned: &Arc<PinnedFile>, metadata: &ParquetMetaData, forms: &Int96Forms) -> Result<Form> {
        let key = file.pinned();
        let lock = || forms.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(form) = lock().get(&key) {
            return Ok(*form);
        }
        let form = self.scan(pinned, metadata)?;
        lock().insert(key, form);
        Ok(form)
    }

    /// The coarsest form that holds every value of the file.
    fn scan(&self, pinned: &Arc<PinnedFile>, metadata: &ParquetMetaData) -> Result<Form> {
        let (micros, nanos) = (Cell::new(true), Cell::new(true));
        let narrows = |value: &Int96| {
            micros.set(micros.get() && fits(value, TimeUnit::Microsecond));
            nanos.set(nanos.get() && fits(value, TimeUnit::Nanosecond));
            micros.get() || nanos.get()
        };
        for (index, group) in metadata.row_groups().iter().enumerate() {
            for leaf in (0..self.is_int96.len()).filter(|leaf| self.is_int96[*leaf]) {
                let (start, length) = group.column(leaf).byte_range();
                let range = start..start + length;
                let chunks = Chunks::of_row_group(pinned.clone(), std::slice::from_ref(&range), false)?;
                if !every_value(pinned, metadata, index, leaf, &chunks, narrows)? {
                    return Ok(Form::Seconds);
                }
            }
        }
        Ok(if micros.get() { Form::Microseconds } else { Form::Nanoseconds })
    }

    fn retype_field(&self, field: &FieldRef, leaf: &mut usize, change: &impl Fn(Field) -> Field) -> FieldRef {
        let data_type = match field.data_type() {
            DataType::List(item) => DataType::List(self.retype_field(item, leaf, change)),
            DataType::LargeList(item) => DataType::LargeList(self.retype_field(item, leaf, change)),
            DataType::ListView(item) => DataType::ListView(self.retype_field(item, leaf, change)),
            DataType::LargeListView(item) => DataType::LargeListView(self.retype_field(item, leaf, change)),
            DataType::FixedSizeList(item, size) => DataType::FixedSizeList(self.retype_field(item, leaf, change), *size),
            DataType::Map(entries, sorted) => DataType::Map(self.retype_field(entries, leaf, change), *sorted),
            DataType::Struct(members) => DataType::Struct(members.iter().map(|member| self.retype_field(member, leaf, change)).collect()),
            plain => {
                *leaf += 1;
                if self.is_int96.get(*leaf - 1) == Some(&true) {
                    return Arc::new(change(Field::clone(field)));
                }
                plain.clone()
            }
        };
        Arc::new(Field::clone(field).with_data_type(data_type))
    }
}

/// Decimals of seconds, marked as moments.
fn as_seconds(field: Field) -> Field {
    let mut metadata = field.metadata().clone();
    metadata.insert(INSTANT.into(), String::new());
    field.with_data_type(DataType::Decimal128(38, 9)).with_metadata(metadata)
}

/// Puts together what two decodings gave: of one the microseconds, of the other the digits after them.
pub(super) fn together(micros: &RecordBatch, nanos: &RecordBatch, shown: &Schema) -> Result<RecordBatch, ArrowError> {
    let fields: Vec<&Field> = micros
        .schema_ref()
        .fields()
        .iter()
        .map(|field| shown.field_with_name(field.name()))
        .collect::<Result<_, _>>()?;
    let columns = fields
        .iter()
        .enumerate()
        .map(|(at, field)| seconds(micros.column(at), nanos.column(at), field.data_type()));
    let columns: Vec<ArrayRef> = columns.collect::<Result<_, ArrowError>>()?;
    let schema = Schema::new(fields.into_iter().cloned().collect::<Vec<Field>>());
    let rows = RecordBatchOptions::new().with_row_count(Some(micros.num_rows()));
    RecordBatch::try_new_with_options(Arc::new(schema), columns, &rows)
}

fn seconds(micros: &ArrayRef, nanos: &ArrayRef, wanted: &DataType) -> Result<ArrayRef, ArrowError> {
    if micros.data_type() == wanted {
        return Ok(Arc::clone(micros));
    }
    if let (DataType::Timestamp(_, _), DataType::Decimal128(_, _)) = (micros.data_type(), wanted) {
        let (micros, nanos) = (
            micros.as_primitive::<TimestampMicrosecondType>(),
            nanos.as_primitive::<TimestampNanosecondType>(),
        );
        // The decoder wraps at 64 bits, so the difference to the microseconds is right in the last digits, and they are all of it.
        let all = |micro: i64, nano: i64| i128::from(micro) * 1000 + i128::from(nano.wrapping_sub(micro.wrapping_mul(1000)));
        let decimals: Decimal128Array = micros.iter().zip(nanos).map(|(micro, nano)| Some(all(micro?, nano?))).collect();
        return Ok(Arc::new(decimals.with_data_type(wanted.clone())));
    }
    // Lists, structs and maps: the same nesting around other leaves.
    let (data, other) = (micros.to_data(), nanos.to_data());
    let parts = match wanted {
        DataType::Struct(members) => members.iter().map(|member| member.data_type().clone()).collect(),
        DataType::List(item) | DataType::LargeList(item) | DataType::FixedSizeList(item, _) | DataType::Map(item, _) => {
            vec![item.data_type().clone()]
        }
        other => return Err(ArrowError::SchemaError(format!("INT96 inside {other}"))),
    };
    let children = data.child_data().iter().zip(other.child_data()).zip(&parts);
    let children = children.map(|((micros, nanos), wanted)| {
        let part = seconds(&make_array(micros.clone()), &make_array(nanos.clone()), wanted)?;
        Ok(part.to_data())
    });
    let children = children.collect::<Result<Vec<_>, ArrowError>>()?;
    let built = data.into_builder().data_type(wanted.clone()).child_data(children).build()?;
    Ok(make_array(built))
}

fn by_spark(metadata: &ParquetMetaData) -> bool {
    let pairs = metadata.file_metadata().key_value_metadata();
    pairs.is_some_and(|pairs| pairs.iter().any(|pair| pair.key.starts_with(SPARK_PREFIX)))
}

/// Whether 64 bits of `unit` hold the value exactly.
fn fits(value: &Int96, unit: TimeUnit) -> bool {
    let nanos = nanos(value);
    match unit {
        TimeUnit::Nanosecond => i64::try_from(nanos).is_ok(),
        _ => whole_micros(value) && i64::try_from(nanos / 1000).is_ok(),
    }
}

/// Nanoseconds since 1970-01-01T00:00:00.
fn nanos(value: &Int96) -> i128 {
    let (day, in_day) = day_and_nanos(value);
    (i128::from(day) - JULIAN_DAY_OF_1970) * DAY_NS + i128::from(in_day)
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
    let rows = OneRowGroup { metadata, group, chunks };
    let mut of_chunk = rows.column_chunks(leaf).map_err(|e| pinned.blame(e))?;
    let Some(pages) = of_chunk.next().transpose().map_err(|e| pinned.blame(e))? else {
        return Ok(true);
    };
    let column = get_column_reader(metadata.file_metadata().schema_descr().column(leaf), pages);
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
    use arrow_array::{ListArray, StructArray, TimestampMicrosecondArray, TimestampNanosecondArray};
    use arrow_buffer::OffsetBuffer;

    fn int96(day: u32, nanos: u64) -> Int96 {
        let mut value = Int96::new();
        value.set_data(nanos as u32, (nanos >> 32) as u32, day);
        value
    }

    #[test]
    fn two_decodings_make_one_value_at_every_depth() {
        let moments = [Some(-62_135_596_800_000_000_007i128), None, Some(253_402_300_799_999_999_999)];
        let micros = moments.map(|ns| ns.map(|ns| i64::try_from(ns.div_euclid(1000)).expect("a year of a test")));
        let nanos = moments.map(|ns| ns.map(|ns| ns as i64));
        let micros: ArrayRef = Arc::new(TimestampMicrosecondArray::from(micros.to_vec()));
        let nanos: ArrayRef = Arc::new(TimestampNanosecondArray::from(nanos.to_vec()));
        let wrap = |leaf: ArrayRef| -> ArrayRef {
            let member = Arc::new(Field::new("m", leaf.data_type().clone(), true));
            let structs: ArrayRef = Arc::new(StructArray::from(vec![(member, leaf)]));
            let item = Arc::new(Field::new("item", structs.data_type().clone(), true));
            Arc::new(ListArray::new(item, OffsetBuffer::from_lengths([2, 1]), structs, None))
        };
        let decimals = Decimal128Array::from(moments.to_vec()).with_data_type(DataType::Decimal128(38, 9));
        let want = wrap(Arc::new(decimals));
        assert_eq!(&seconds(&wrap(micros), &wrap(nanos), want.data_type()).expect("one value"), &want);
    }

    #[test]
    fn spark_may_wrap() {
        let wrapped = int96(4_189_105_064, (-32_509_551_616_000i64) as u64);
        assert!(!fits(&wrapped, TimeUnit::Microsecond));
        let leaves = Leaves {
            is_int96: vec![true],
            form: Form::Microseconds,
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
