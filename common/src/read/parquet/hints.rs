//! Reads `ARROW:schema`, in which Arrow's writers say what Parquet has no annotation for: durations, seconds, signs.
//!
//! Others copy it from file to file and drop or rename columns, so it is a hint about columns that are there, by name. A
//! hint that does not fit what is stored is passed over, and so is one that cannot be parsed. Arrow's own conversion is
//! not used: it panics at types of other writers.

use super::values::Reading;
use ::parquet::arrow::ARROW_SCHEMA_META_KEY;
use ::parquet::file::metadata::KeyValue;
use arrow_ipc::{DateUnit, Field as IpcField, TimeUnit as IpcUnit, root_as_message};
use arrow_schema::{DataType, Field, FieldRef, TimeUnit};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use std::sync::Arc;

/// A length of 32 bits stands before the message, and a marker before that in newer forms.
const CONTINUATION: [u8; 4] = [0xff; 4];
const WIDEST_INTEGER_BITS: i32 = 64;

/// What is hinted at of one column or member.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Hint {
    name: String,
    says: Says,
    members: Vec<Hint>,
}

#[derive(Debug, Clone, PartialEq)]
enum Says {
    Duration(TimeUnit),
    Timestamp(TimeUnit, Option<Arc<str>>),
    Date64,
    SecondsOfDay,
    Interval,
    /// An integer of this many bits, more than any type of Parquet has.
    WideInteger(i32),
    /// Nothing that Parquet does not say itself.
    Nothing,
}

#[derive(Debug, Default)]
pub(super) struct Hints(Vec<Hint>);

impl Hints {
    pub(super) fn get(&self, name: &str) -> Option<&Hint> {
        named(&self.0, name)
    }
}

/// The hints in the metadata of a file; none where there are none.
pub(super) fn of(pairs: Option<&Vec<KeyValue>>) -> Hints {
    let text = pairs
        .into_iter()
        .flatten()
        .find(|pair| pair.key == ARROW_SCHEMA_META_KEY)
        .and_then(|pair| pair.value.as_ref());
    let hints = || {
        let bytes = BASE64_STANDARD.decode(text?).ok()?;
        let message = if bytes.starts_with(&CONTINUATION) {
            bytes.get(8..)?
        } else {
            &bytes
        };
        let fields = root_as_message(message).ok()?.header_as_schema()?.fields()?;
        Some(fields.iter().map(|field| hint(&field)).collect())
    };
    Hints(hints().unwrap_or_default())
}

fn hint(field: &IpcField<'_>) -> Hint {
    let members = field.children().into_iter().flatten();
    Hint {
        name: field.name().unwrap_or_default().to_owned(),
        says: says(field),
        members: members.map(|member| hint(&member)).collect(),
    }
}

fn says(field: &IpcField<'_>) -> Says {
    if let Some(duration) = field.type_as_duration() {
        return unit(duration.unit()).map_or(Says::Nothing, Says::Duration);
    }
    if let Some(timestamp) = field.type_as_timestamp() {
        let zone = timestamp.timezone().map(Arc::from);
        return unit(timestamp.unit()).map_or(Says::Nothing, |unit| Says::Timestamp(unit, zone));
    }
    if let Some(integer) = field.type_as_int().filter(|int| int.bitWidth() > WIDEST_INTEGER_BITS) {
        return Says::WideInteger(integer.bitWidth());
    }
    if field.type_as_interval().is_some() {
        return Says::Interval;
    }
    if field.type_as_date().is_some_and(|date| date.unit() == DateUnit::MILLISECOND) {
        return Says::Date64;
    }
    if field.type_as_time().is_some_and(|time| time.unit() == IpcUnit::SECOND) {
        return Says::SecondsOfDay;
    }
    Says::Nothing
}

fn unit(unit: IpcUnit) -> Option<TimeUnit> {
    match unit {
        IpcUnit::SECOND => Some(TimeUnit::Second),
        IpcUnit::MILLISECOND => Some(TimeUnit::Millisecond),
        IpcUnit::MICROSECOND => Some(TimeUnit::Microsecond),
        IpcUnit::NANOSECOND => Some(TimeUnit::Nanosecond),
        _ => None,
    }
}

/// The decoder's field with what fits of the hint; `readings` are those of its leaves. The error is why it cannot be read.
pub(super) fn applied(field: &FieldRef, hint: Option<&Hint>, readings: &mut [Reading]) -> Result<FieldRef, String> {
    applied_to(field, hint, &mut readings.iter_mut())
}

fn applied_to<'a>(field: &FieldRef, hint: Option<&Hint>, readings: &mut impl Iterator<Item = &'a mut Reading>) -> Result<FieldRef, String> {
    let members = hint.map_or(&[][..], |hint| &hint.members);
    let data_type = match field.data_type() {
        DataType::List(item) => DataType::List(applied_to(item, members.first(), readings)?),
        DataType::Map(entries, sorted) => {
            let entry = members.first().map_or(&[][..], |entries| &entries.members);
            let DataType::Struct(pair) = entries.data_type() else {
                return Err("is a map without entries".into());
            };
            let pair = pair.iter().enumerate().map(|(at, part)| applied_to(part, entry.get(at), readings));
            let pair = DataType::Struct(pair.collect::<Result<_, _>>()?);
            DataType::Map(Arc::new(Field::clone(entries).with_data_type(pair)), *sorted)
        }
        DataType::Struct(parts) => {
            let parts = parts.iter().map(|part| applied_to(part, named(members, part.name()), readings));
            DataType::Struct(parts.collect::<Result<_, _>>()?)
        }
        leaf => {
            let reading = readings.next().ok_or("has more leaves than the file says")?;
            match hint {
                Some(hint) => leaf_with(leaf, &hint.says, reading)?,
                None => leaf.clone(),
            }
        }
    };
    Ok(Arc::new(Field::clone(field).with_data_type(data_type)))
}

fn leaf_with(leaf: &DataType, says: &Says, reading: &mut Reading) -> Result<DataType, String> {
    Ok(match (leaf, says) {
        (DataType::Int64, Says::Duration(unit)) => DataType::Duration(*unit),
        (DataType::Int64, Says::Timestamp(unit, zone)) => DataType::Timestamp(*unit, zone.clone()),
        (DataType::Int64, Says::Date64) => DataType::Date64,
        (DataType::Int32, Says::SecondsOfDay) if *reading == Reading::AsDecoded => DataType::Time32(TimeUnit::Second),
        (DataType::FixedSizeBinary(_), Says::Interval) if matches!(reading, Reading::Interval { .. }) => {
            *reading = Reading::Interval { signed: true };
            leaf.clone()
        }
        (DataType::FixedSizeBinary(_), Says::WideInteger(bits)) => {
            return Err(format!("is an integer of {bits} bits in a form of its writer's own"));
        }
        (leaf, _) => leaf.clone(),
    })
}

fn named<'a>(hints: &'a [Hint], name: &str) -> Option<&'a Hint> {
    hints.iter().find(|hint| hint.name == name)
}
