//! What every binary reader holds against a file: no panic gets out, a column without one meaning is refused by name, and no
//! value is one that its type cannot hold.

use super::Batches;
use super::pinned::PinnedFile;
use arrow_array::cast::AsArray;
use arrow_array::types::{
    ArrowPrimitiveType, Decimal32Type, Decimal64Type, Decimal128Type, Decimal256Type, DecimalType, Time32MillisecondType, Time32SecondType,
    Time64MicrosecondType, Time64NanosecondType,
};
use arrow_array::{Array, ArrayRef, ArrowNativeTypeOp, RecordBatch};
use arrow_schema::{DataType, Field, Fields, TimeUnit};
use shadowdiff_core::error::{Error, Result};
use shadowdiff_core::value::ValueType;
use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
use std::sync::{Arc, Once};

thread_local! {
    /// Whether this thread runs code whose panics become errors.
    static GUARDED: Cell<bool> = const { Cell::new(false) };
}

/// Runs decoding code that may panic on malformed input. Its state is not used again after a panic, of which nothing is printed.
pub(super) fn guarded<T>(file: &PinnedFile, decode: impl FnOnce() -> Result<T>) -> Result<T> {
    silence_guarded_panics();
    let outer = GUARDED.replace(true);
    let decoded = catch_unwind(AssertUnwindSafe(decode));
    GUARDED.set(outer);
    match decoded {
        Ok(result) => result,
        Err(panic) => {
            let reason = panic
                .downcast_ref::<String>()
                .cloned()
                .or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string));
            Err(file.blame(format!(
                "the file is malformed ({})",
                reason.unwrap_or_else(|| "no reason given".into())
            )))
        }
    }
}

fn silence_guarded_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = take_hook();
        set_hook(Box::new(move |panic| {
            if !GUARDED.get() {
                before(panic);
            }
        }));
    });
}

/// Batches of `file` out of a function that gives the next one, guarded; nothing follows an error, and the pin is checked at the end.
pub(super) fn batches(file: Arc<PinnedFile>, mut next: impl FnMut() -> Result<Option<RecordBatch>> + Send + 'static) -> Batches {
    let mut done = false;
    Box::new(std::iter::from_fn(move || {
        if done {
            return None;
        }
        let batch = guarded(&file, &mut next).and_then(|batch| match batch {
            Some(batch) => Ok(Some(batch)),
            None => file.check().map(|()| None),
        });
        done = !matches!(batch, Ok(Some(_)));
        batch.transpose()
    }))
}

/// The columns that cannot be compared, and why: of a type without one meaning, or with a name that cannot be matched.
pub(super) fn refused(fields: &Fields) -> BTreeMap<String, String> {
    let twice = repeated_names(fields.iter().map(|field| field.name().as_str()));
    let inside = fields.iter().filter_map(|field| {
        let path = repeated_inside(field.name(), field.data_type())?;
        Some((field.name().clone(), format!("has two members of the name `{path}`")))
    });
    let types = fields.iter().filter_map(|field| {
        let unknown = ValueType::from_field(field).err()?;
        Some((field.name().clone(), format!("is of type {unknown}")))
    });
    types.chain(inside).chain(twice).collect()
}

fn repeated_names<'a>(names: impl Iterator<Item = &'a str>) -> BTreeMap<String, String> {
    let mut seen = BTreeSet::new();
    let twice = names.filter(|name| !seen.insert(*name));
    twice.map(|name| (name.to_owned(), "occurs twice".into())).collect()
}

/// Refuses to read a column that cannot be read.
pub(super) fn none_refused(file: &str, refused: &BTreeMap<String, String>, wanted: &[String]) -> Result<()> {
    let mistake = |name: &String| Some(refusal(file, name, refused.get(name)?));
    Error::all(wanted.iter().filter_map(mistake).collect())
}

/// The error for a column that cannot be read.
pub fn refusal(file: &str, column: &str, why: &str) -> Error {
    Error::input(format!("{why}, so it cannot be compared"))
        .file(file)
        .column(column)
        .advice("write it as another type, or exclude it under `columns.exclude`")
}

/// Holds the values of a batch against their types.
pub(super) fn all_held(file: &PinnedFile, batch: &RecordBatch) -> Result<()> {
    let mut columns = batch.schema_ref().fields().iter().zip(batch.columns());
    columns.try_for_each(|(field, array)| held(array).map_err(|what| file.blame(format!("column `{}` {what}", field.name()))))
}

/// Holds the values of a column against their type where Arrow does not: the digits of decimals, the hours of a day.
pub(super) fn held(array: &ArrayRef) -> Result<(), String> {
    match array.data_type() {
        DataType::Decimal32(digits, _) => digits_held::<Decimal32Type>(array, *digits),
        DataType::Decimal64(digits, _) if are_small::<Decimal64Type>(array, 10i64.checked_pow((*digits).into())) => Ok(()),
        DataType::Decimal64(digits, _) => digits_held::<Decimal64Type>(array, *digits),
        DataType::Decimal128(digits, _) if are_small::<Decimal128Type>(array, 10i128.checked_pow((*digits).into())) => Ok(()),
        DataType::Decimal128(digits, _) => digits_held::<Decimal128Type>(array, *digits),
        DataType::Decimal256(digits, _) => digits_held::<Decimal256Type>(array, *digits),
        DataType::Time32(TimeUnit::Second) => in_a_day::<Time32SecondType>(array, 1),
        DataType::Time32(_) => in_a_day::<Time32MillisecondType>(array, 1_000),
        DataType::Time64(TimeUnit::Microsecond) => in_a_day::<Time64MicrosecondType>(array, 1_000_000),
        DataType::Time64(_) => in_a_day::<Time64NanosecondType>(array, 1_000_000_000),
        DataType::Struct(_) => array.as_struct().columns().iter().try_for_each(held),
        DataType::List(_) => held(array.as_list::<i32>().values()),
        DataType::LargeList(_) => held(array.as_list::<i64>().values()),
        DataType::FixedSizeList(_, _) => held(array.as_fixed_size_list().values()),
        DataType::Map(_, _) => array.as_map().entries().columns().iter().try_for_each(held),
        DataType::Dictionary(_, _) => held(array.as_any_dictionary().values()),
        _ => Ok(()),
    }
}

fn digits_held<T: DecimalType>(array: &ArrayRef, digits: u8) -> Result<(), String> {
    let values = array.as_primitive::<T>();
    let checked = values.validate_decimal_precision(digits);
    checked.map_err(|_| format!("has a decimal of more digits than the {digits} that its type holds"))
}

/// Whether all values are below the limit, those below NULLs too: one comparison a value tells most columns.
fn are_small<T: DecimalType>(array: &ArrayRef, limit: Option<T::Native>) -> bool {
    let Some(limit) = limit else { return false };
    let least = limit.neg_wrapping();
    let values = array.as_primitive::<T>().values();
    values.iter().fold(true, |all, value| all & (least < *value) & (*value < limit))
}

/// A day ends at 24:00:00, which some systems write.
fn in_a_day<T: ArrowPrimitiveType>(array: &ArrayRef, ticks_a_second: i64) -> Result<(), String>
where
    T::Native: Into<i64>,
{
    let day = 0..=86_400 * ticks_a_second;
    let outside = array
        .as_primitive::<T>()
        .iter()
        .flatten()
        .map(Into::into)
        .find(|ticks: &i64| !day.contains(ticks));
    outside.map_or(Ok(()), |ticks| Err(format!("has the value {ticks}, which is not a time of a day")))
}

fn repeated_inside(path: &str, data_type: &DataType) -> Option<String> {
    match data_type {
        DataType::Struct(members) => {
            let name = |member: &Arc<Field>| format!("{path}.{}", member.name());
            let twice = repeated_names(members.iter().map(|member| member.name().as_str()));
            let first = members.iter().find(|member| twice.contains_key(member.name())).map(name);
            first.or_else(|| members.iter().find_map(|member| repeated_inside(&name(member), member.data_type())))
        }
        DataType::List(item) | DataType::LargeList(item) | DataType::FixedSizeList(item, _) => repeated_inside(path, item.data_type()),
        DataType::Map(entries, _) => match entries.data_type() {
            DataType::Struct(pair) => pair.iter().find_map(|part| repeated_inside(path, part.data_type())),
            _ => None,
        },
        _ => None,
    }
}

/// Where the wanted columns stand among those of the file, in the order of the file.
pub(super) fn projection(fields: &Fields, columns: &[String]) -> Vec<usize> {
    let wanted: BTreeSet<&str> = columns.iter().map(String::as_str).collect();
    (0..fields.len()).filter(|i| wanted.contains(fields[*i].name().as_str())).collect()
}

/// The fields without the sharing.
pub(super) fn owned(fields: &Fields) -> Vec<Field> {
    fields.iter().map(|field| field.as_ref().clone()).collect()
}

/// A batch in pieces of at most `batch_rows` rows; an empty one gives nothing.
#[derive(Debug)]
pub(super) struct Pieces {
    batch: RecordBatch,
    from: usize,
    batch_rows: usize,
}

impl Pieces {
    pub(super) fn new(batch: RecordBatch, batch_rows: usize) -> Self {
        Pieces {
            batch,
            from: 0,
            batch_rows: batch_rows.max(1),
        }
    }

    pub(super) fn next(&mut self) -> Option<RecordBatch> {
        let rows = self.batch_rows.min(self.batch.num_rows() - self.from);
        let piece = (rows > 0).then(|| self.batch.slice(self.from, rows));
        self.from += rows;
        piece
    }
}
