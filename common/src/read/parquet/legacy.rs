//! Finds the dates that mean other days to other writers: those before 1582-10-15 in files that Spark marked as of its legacy
//! calendar, which was the Julian one until then.

use super::footer::read_footer;
use crate::read::checks::guarded;
use crate::read::dataset::DataFile;
use crate::read::pinned::PinnedFile;
use crate::read::{Selection, Sources};
use ::parquet::basic::Type as PhysicalType;
use ::parquet::file::metadata::KeyValue;
use ::parquet::schema::types::SchemaDescriptor;
use arrow_array::cast::AsArray;
use arrow_array::types::{ArrowPrimitiveType, Date32Type, TimestampMicrosecondType, TimestampMillisecondType, TimestampSecondType};
use arrow_array::{Array, ArrayRef};
use arrow_schema::{DataType, TimeUnit};
use shadowdiff_core::error::Result;

/// 1582-10-15, the first day of the calendar that everybody uses.
const FIRST_DAY: i64 = -141_427;
const SECONDS_A_DAY: i64 = 86_400;
const BATCH_ROWS: usize = 8192;
const DATES_MARK: &str = "org.apache.spark.legacyDateTime";
const INT96_MARK: &str = "org.apache.spark.legacyINT96";
const VERSION: &str = "org.apache.spark.version";

/// What of a file is marked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Marks {
    dates: bool,
    int96: bool,
}

impl Marks {
    /// Spark 2 wrote its version and no mark, in the legacy calendar always.
    pub(super) fn of(pairs: Option<&Vec<KeyValue>>) -> Marks {
        let pair = |key: &str| pairs.into_iter().flatten().find(|pair| pair.key == key);
        let is_spark_2 = pair(VERSION)
            .and_then(|pair| pair.value.as_deref())
            .is_some_and(|version| version.starts_with("2."));
        Marks {
            dates: is_spark_2 || pair(DATES_MARK).is_some(),
            int96: is_spark_2 || pair(INT96_MARK).is_some(),
        }
    }

    pub(super) fn any(self) -> bool {
        self.dates || self.int96
    }

    /// Whether a mark is about a top-level column.
    fn are_about(self, column: &str, schema: &SchemaDescriptor) -> bool {
        let mut leaves = schema
            .columns()
            .iter()
            .filter(|leaf| leaf.path().parts().first().is_some_and(|root| root == column));
        leaves.any(|leaf| {
            if leaf.physical_type() == PhysicalType::INT96 {
                self.int96
            } else {
                self.dates
            }
        })
    }
}

/// Which of these columns hold such dates; none where the file has no mark. Reads those that a mark is about until one is met.
pub fn julian_dates(file: &DataFile, columns: &[String], sources: &Sources) -> Result<Vec<String>> {
    let pinned = PinnedFile::open(file, sources)?;
    let (metadata, _) = guarded(&pinned, || read_footer(&pinned))?;
    let footer = metadata.file_metadata();
    let marks = Marks::of(footer.key_value_metadata());
    let mut found = Vec::new();
    for column in columns.iter().filter(|column| marks.are_about(column, footer.schema_descr())) {
        for batch in super::open(file, &Selection::All, std::slice::from_ref(column), &[], BATCH_ROWS, sources)? {
            if batch?.columns().iter().any(is_early) {
                found.push(column.clone());
                break;
            }
        }
    }
    Ok(found)
}

/// Whether a date or timestamp in the array, at any depth, lies before the first day.
fn is_early(array: &ArrayRef) -> bool {
    let seconds = FIRST_DAY * SECONDS_A_DAY;
    match array.data_type() {
        DataType::Date32 => any_before::<Date32Type>(array, FIRST_DAY),
        DataType::Timestamp(TimeUnit::Second, _) => any_before::<TimestampSecondType>(array, seconds),
        DataType::Timestamp(TimeUnit::Millisecond, _) => any_before::<TimestampMillisecondType>(array, seconds * 1_000),
        DataType::Timestamp(TimeUnit::Microsecond, _) => any_before::<TimestampMicrosecondType>(array, seconds * 1_000_000),
        DataType::List(_) => is_early(array.as_list::<i32>().values()),
        DataType::Map(_, _) => array.as_map().entries().columns().iter().any(is_early),
        DataType::Struct(_) => array.as_struct().columns().iter().any(is_early),
        // 64 bits of nanoseconds begin in 1677.
        _ => false,
    }
}

fn any_before<T: ArrowPrimitiveType>(array: &ArrayRef, first: i64) -> bool
where
    T::Native: Into<i64>,
{
    array.as_primitive::<T>().iter().flatten().any(|value| value.into() < first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_mark_is_about_columns_of_its_own() {
        let marks = |pairs: &[(&str, &str)]| {
            let pairs = pairs
                .iter()
                .map(|(key, value)| KeyValue::new((*key).to_owned(), (*value).to_owned()));
            let Marks { dates, int96 } = Marks::of(Some(&pairs.collect()));
            (dates, int96)
        };
        assert_eq!(marks(&[(VERSION, "3.5.1")]), (false, false));
        assert_eq!(marks(&[(VERSION, "2.4.8")]), (true, true));
        assert_eq!(marks(&[(VERSION, "3.5.1"), (INT96_MARK, "")]), (false, true));
        assert_eq!(marks(&[(DATES_MARK, "")]), (true, false));
    }
}
