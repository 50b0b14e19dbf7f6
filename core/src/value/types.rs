//! The types of values as the spec writes them, and the common type of two.

use arrow_schema::{DataType, Field, IntervalUnit};
use serde::{Deserialize, Serialize};

/// The unit of a timestamp, time or duration, coarse to fine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum TimeUnit {
    Second,
    Millisecond,
    Microsecond,
    Nanosecond,
}

impl TimeUnit {
    /// The coarsest first.
    pub(super) const ALL: [TimeUnit; 4] = [TimeUnit::Second, TimeUnit::Millisecond, TimeUnit::Microsecond, TimeUnit::Nanosecond];

    pub fn nanoseconds(self) -> i128 {
        match self {
            TimeUnit::Second => 1_000_000_000,
            TimeUnit::Millisecond => 1_000_000,
            TimeUnit::Microsecond => 1_000,
            TimeUnit::Nanosecond => 1,
        }
    }

    /// Digits after the decimal point of a second.
    pub fn digits(self) -> usize {
        match self {
            TimeUnit::Second => 0,
            TimeUnit::Millisecond => 3,
            TimeUnit::Microsecond => 6,
            TimeUnit::Nanosecond => 9,
        }
    }

    /// The unit with that many digits after the decimal point of a second.
    pub(super) fn of_digits(digits: usize) -> Option<Self> {
        TimeUnit::ALL.into_iter().find(|unit| unit.digits() == digits)
    }

    fn name(self) -> &'static str {
        match self {
            TimeUnit::Second => "s",
            TimeUnit::Millisecond => "ms",
            TimeUnit::Microsecond => "us",
            TimeUnit::Nanosecond => "ns",
        }
    }

    fn parse(name: &str) -> Option<Self> {
        TimeUnit::ALL.into_iter().find(|unit| unit.name() == name)
    }
}

impl From<arrow_schema::TimeUnit> for TimeUnit {
    fn from(unit: arrow_schema::TimeUnit) -> Self {
        match unit {
            arrow_schema::TimeUnit::Second => TimeUnit::Second,
            arrow_schema::TimeUnit::Millisecond => TimeUnit::Millisecond,
            arrow_schema::TimeUnit::Microsecond => TimeUnit::Microsecond,
            arrow_schema::TimeUnit::Nanosecond => TimeUnit::Nanosecond,
        }
    }
}

impl From<TimeUnit> for arrow_schema::TimeUnit {
    fn from(unit: TimeUnit) -> Self {
        match unit {
            TimeUnit::Second => arrow_schema::TimeUnit::Second,
            TimeUnit::Millisecond => arrow_schema::TimeUnit::Millisecond,
            TimeUnit::Microsecond => arrow_schema::TimeUnit::Microsecond,
            TimeUnit::Nanosecond => arrow_schema::TimeUnit::Nanosecond,
        }
    }
}

/// What a value means, whatever form (dictionary, large, view, fixed-size) it is stored in.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum ValueType {
    Null,
    Bool,
    /// 8, 16, 32 or 64 bits.
    Int {
        bits: u8,
        signed: bool,
    },
    /// Up to 76 digits; a negative scale means trailing zeros.
    Decimal {
        precision: u8,
        scale: i8,
    },
    /// 16, 32 or 64 bits.
    Float {
        bits: u8,
    },
    Text,
    Binary,
    Date,
    Timestamp {
        unit: TimeUnit,
        zoned: bool,
    },
    Time {
        unit: TimeUnit,
    },
    Duration {
        unit: TimeUnit,
    },
    Interval,
    List(Box<ValueType>),
    Struct(Vec<(String, ValueType)>),
    Map(Box<ValueType>, Box<ValueType>),
    /// Values of one kind that the files of a side store as several types, and that no one stored type holds: integers and doubles,
    /// nanoseconds and the year 9999. They compare by value and print as the type inside.
    Mixed(Box<ValueType>),
}

/// The key in a field's metadata that says: its `decimal(38,9)` counts seconds since 1970-01-01T00:00:00, for moments that 64 bits do not
/// hold with all their digits.
pub const INSTANT: &str = "shadowdiff.instant";

/// The most digits a decimal can have (256 bits).
pub const MAX_DIGITS: u8 = 76;

impl ValueType {
    pub const INT64: ValueType = ValueType::Int { bits: 64, signed: true };
    pub const DOUBLE: ValueType = ValueType::Float { bits: 64 };

    /// The name in a sentence: `an int64`, `a double`.
    pub fn with_article(&self) -> String {
        let name = self.to_string();
        let article = if name.starts_with(['a', 'e', 'i', 'o']) { "an" } else { "a" };
        format!("{article} {name}")
    }

    /// The type of a field of a file: that of its Arrow type, unless a reader says by [`INSTANT`] that decimals are moments.
    pub fn from_field(field: &Field) -> Result<ValueType, String> {
        if !field.metadata().contains_key(INSTANT) {
            return ValueType::from_arrow(field.data_type());
        }
        Ok(ValueType::Mixed(Box::new(ValueType::Timestamp {
            unit: TimeUnit::Nanosecond,
            zoned: false,
        })))
    }

    /// The type of an Arrow column; `Err` names an Arrow type that no file format of ours can hold.
    pub fn from_arrow(data_type: &DataType) -> Result<ValueType, String> {
        Ok(match data_type {
            DataType::Null => ValueType::Null,
            DataType::Boolean => ValueType::Bool,
            DataType::Int8 => ValueType::Int { bits: 8, signed: true },
            DataType::Int16 => ValueType::Int { bits: 16, signed: true },
            DataType::Int32 => ValueType::Int { bits: 32, signed: true },
            DataType::Int64 => ValueType::Int { bits: 64, signed: true },
            DataType::UInt8 => ValueType::Int { bits: 8, signed: false },
            DataType::UInt16 => ValueType::Int { bits: 16, signed: false },
            DataType::UInt32 => ValueType::Int { bits: 32, signed: false },
            DataType::UInt64 => ValueType::Int { bits: 64, signed: false },
            DataType::Float16 => ValueType::Float { bits: 16 },
            DataType::Float32 => ValueType::Float { bits: 32 },
            DataType::Float64 => ValueType::Float { bits: 64 },
            DataType::Decimal32(p, s) | DataType::Decimal64(p, s) | DataType::Decimal128(p, s) | DataType::Decimal256(p, s) => {
                ValueType::Decimal { precision: *p, scale: *s }
            }
            DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => ValueType::Text,
            DataType::Binary | DataType::LargeBinary | DataType::BinaryView | DataType::FixedSizeBinary(_) => ValueType::Binary,
            DataType::Date32 | DataType::Date64 => ValueType::Date,
            DataType::Timestamp(unit, zone) => ValueType::Timestamp {
                unit: (*unit).into(),
                zoned: zone.is_some(),
            },
            DataType::Time32(unit) | DataType::Time64(unit) => ValueType::Time { unit: (*unit).into() },
            DataType::Duration(unit) => ValueType::Duration { unit: (*unit).into() },
            DataType::Interval(IntervalUnit::YearMonth | IntervalUnit::DayTime | IntervalUnit::MonthDayNano) => ValueType::Interval,
            DataType::Dictionary(_, values) => ValueType::from_arrow(values)?,
            DataType::RunEndEncoded(_, values) => ValueType::from_arrow(values.data_type())?,
            DataType::List(item)
            | DataType::LargeList(item)
            | DataType::ListView(item)
            | DataType::LargeListView(item)
            | DataType::FixedSizeList(item, _) => ValueType::List(Box::new(ValueType::from_field(item)?)),
            DataType::Struct(fields) => ValueType::Struct(
                fields
                    .iter()
                    .map(|f| Ok((f.name().clone(), ValueType::from_field(f)?)))
                    .collect::<Result<_, String>>()?,
            ),
            DataType::Map(entries, _) => {
                let DataType::Struct(pair) = entries.data_type() else {
                    return Err(data_type.to_string());
                };
                let [key, value] = pair.as_ref() else {
                    return Err(data_type.to_string());
                };
                ValueType::Map(Box::new(ValueType::from_field(key)?), Box::new(ValueType::from_field(value)?))
            }
            DataType::Union(_, _) => return Err(data_type.to_string()),
        })
    }

    /// The Arrow form that values of this type are kept in: one per meaning, plain, 64 bits wide where that loses nothing.
    pub fn storage(&self) -> DataType {
        match self {
            ValueType::Null => DataType::Null,
            ValueType::Bool => DataType::Boolean,
            ValueType::Int { bits: 64, signed: false } => DataType::UInt64,
            ValueType::Int { .. } => DataType::Int64,
            ValueType::Decimal { precision, scale } if *precision <= 38 => DataType::Decimal128(*precision, *scale),
            ValueType::Decimal { precision, scale } => DataType::Decimal256(*precision, *scale),
            ValueType::Float { bits: 64 } => DataType::Float64,
            ValueType::Float { .. } => DataType::Float32,
            ValueType::Text => DataType::Utf8,
            ValueType::Binary => DataType::Binary,
            ValueType::Date => DataType::Date32,
            ValueType::Timestamp { unit, zoned } => DataType::Timestamp((*unit).into(), zoned.then(|| "UTC".into())),
            ValueType::Time { unit: TimeUnit::Second } => DataType::Time32(arrow_schema::TimeUnit::Second),
            ValueType::Time {
                unit: TimeUnit::Millisecond,
            } => DataType::Time32(arrow_schema::TimeUnit::Millisecond),
            ValueType::Time { unit } => DataType::Time64((*unit).into()),
            ValueType::Duration { unit } => DataType::Duration((*unit).into()),
            ValueType::Interval => DataType::Interval(IntervalUnit::MonthDayNano),
            ValueType::List(item) => DataType::List(Field::new("item", item.storage(), true).into()),
            ValueType::Struct(members) => DataType::Struct(
                members
                    .iter()
                    .map(|(name, t)| Field::new(name, t.storage(), true))
                    .collect::<Vec<_>>()
                    .into(),
            ),
            ValueType::Map(key, value) => {
                let pair = vec![
                    Field::new("keys", key.storage(), false),
                    Field::new("values", value.storage(), true),
                ];
                DataType::Map(Field::new("entries", DataType::Struct(pair.into()), false).into(), false)
            }
            // No other type is stored so: `value_at` tells a mixed value by it.
            ValueType::Mixed(_) => DataType::LargeBinary,
        }
    }

    /// Integers, decimals and floats.
    pub fn is_number(&self) -> bool {
        matches!(
            self.shown(),
            ValueType::Int { .. } | ValueType::Decimal { .. } | ValueType::Float { .. }
        )
    }

    /// The type in which values print: of a mixed type the one inside.
    pub fn shown(&self) -> &ValueType {
        match self {
            ValueType::Mixed(shown) => shown,
            other => other,
        }
    }

    /// The type with every mixed one replaced by the type in which its values print.
    pub(super) fn unmixed(&self) -> ValueType {
        match self {
            ValueType::Mixed(shown) => shown.unmixed(),
            ValueType::List(item) => ValueType::List(Box::new(item.unmixed())),
            ValueType::Map(key, value) => ValueType::Map(Box::new(key.unmixed()), Box::new(value.unmixed())),
            ValueType::Struct(members) => ValueType::Struct(members.iter().map(|(name, t)| (name.clone(), t.unmixed())).collect()),
            other => other.clone(),
        }
    }

    /// Whether values of it, or of a part of it, are stored as several types.
    pub fn is_mixed(&self) -> bool {
        *self != self.unmixed()
    }

    /// Types that have a place in time: `time` tolerances fit them.
    pub fn is_time(&self) -> bool {
        matches!(
            self.shown(),
            ValueType::Date | ValueType::Timestamp { .. } | ValueType::Time { .. } | ValueType::Duration { .. }
        )
    }

    pub fn is_nested(&self) -> bool {
        matches!(self, ValueType::List(_) | ValueType::Struct(_) | ValueType::Map(_, _))
    }

    /// Reads a type as a spec writes it: `int`, `decimal(18,2)`, `timestamp(ms, UTC)`, `list(text)`, …
    pub fn parse(text: &str) -> Option<ValueType> {
        let text = text.trim().to_ascii_lowercase();
        let (name, arguments) = match text.split_once('(') {
            Some((name, rest)) => (name.trim(), Some(rest.strip_suffix(')')?.trim())),
            None => (text.as_str(), None),
        };
        match (name, arguments) {
            ("decimal" | "numeric", Some(arguments)) => parse_decimal(arguments),
            ("timestamp", Some(arguments)) => parse_timestamp(arguments),
            ("time", Some(unit)) => Some(ValueType::Time {
                unit: TimeUnit::parse(unit)?,
            }),
            ("duration", Some(unit)) => Some(ValueType::Duration {
                unit: TimeUnit::parse(unit)?,
            }),
            ("list", Some(item)) => Some(ValueType::List(Box::new(ValueType::parse(item)?))),
            ("map", Some(pair)) => {
                let (key, value) = pair.split_once(',')?;
                Some(ValueType::Map(Box::new(ValueType::parse(key)?), Box::new(ValueType::parse(value)?)))
            }
            (_, Some(_)) => None,
            (name, None) => parse_plain(name),
        }
    }
}

fn parse_plain(name: &str) -> Option<ValueType> {
    Some(match name {
        "bool" | "boolean" => ValueType::Bool,
        "int8" => ValueType::Int { bits: 8, signed: true },
        "int16" => ValueType::Int { bits: 16, signed: true },
        "int32" => ValueType::Int { bits: 32, signed: true },
        "int64" | "int" | "integer" | "bigint" => ValueType::INT64,
        "uint8" => ValueType::Int { bits: 8, signed: false },
        "uint16" => ValueType::Int { bits: 16, signed: false },
        "uint32" => ValueType::Int { bits: 32, signed: false },
        "uint64" => ValueType::Int { bits: 64, signed: false },
        "float16" => ValueType::Float { bits: 16 },
        "float32" | "float" => ValueType::Float { bits: 32 },
        "float64" | "double" => ValueType::DOUBLE,
        "text" | "string" | "varchar" => ValueType::Text,
        "binary" => ValueType::Binary,
        "date" => ValueType::Date,
        "timestamp" => ValueType::Timestamp {
            unit: TimeUnit::Microsecond,
            zoned: false,
        },
        "time" => ValueType::Time {
            unit: TimeUnit::Microsecond,
        },
        "duration" => ValueType::Duration {
            unit: TimeUnit::Microsecond,
        },
        "null" => ValueType::Null,
        _ => return None,
    })
}

fn parse_decimal(arguments: &str) -> Option<ValueType> {
    let (precision, scale) = arguments.split_once(',').unwrap_or((arguments, "0"));
    let (precision, scale) = (precision.trim().parse::<u8>().ok()?, scale.trim().parse::<i8>().ok()?);
    let fits = (1..=MAX_DIGITS).contains(&precision) && scale.unsigned_abs() <= precision;
    fits.then_some(ValueType::Decimal { precision, scale })
}

fn parse_timestamp(arguments: &str) -> Option<ValueType> {
    let (unit, zone) = match arguments.split_once(',') {
        Some((unit, zone)) => (unit.trim(), Some(zone.trim())),
        None if arguments == "utc" => ("us", Some("utc")),
        None => (arguments, None),
    };
    let zoned = match zone {
        None => false,
        Some("utc") => true,
        Some(_) => return None,
    };
    Some(ValueType::Timestamp {
        unit: TimeUnit::parse(unit)?,
        zoned,
    })
}

impl std::fmt::Display for ValueType {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            ValueType::Null => f.write_str("null"),
            ValueType::Bool => f.write_str("bool"),
            ValueType::Int { bits, signed: true } => write!(f, "int{bits}"),
            ValueType::Int { bits, signed: false } => write!(f, "uint{bits}"),
            ValueType::Decimal { precision, scale } => write!(f, "decimal({precision},{scale})"),
            ValueType::Float { bits: 64 } => f.write_str("double"),
            ValueType::Float { bits } => write!(f, "float{bits}"),
            ValueType::Text => f.write_str("text"),
            ValueType::Binary => f.write_str("binary"),
            ValueType::Date => f.write_str("date"),
            ValueType::Timestamp { unit, zoned: true } => write!(f, "timestamp({}, UTC)", unit.name()),
            ValueType::Timestamp { unit, zoned: false } => write!(f, "timestamp({})", unit.name()),
            ValueType::Time { unit } => write!(f, "time({})", unit.name()),
            ValueType::Duration { unit } => write!(f, "duration({})", unit.name()),
            ValueType::Interval => f.write_str("interval"),
            ValueType::List(item) => write!(f, "list({item})"),
            ValueType::Struct(members) => {
                f.write_str("struct(")?;
                for (i, (name, t)) in members.iter().enumerate() {
                    write!(f, "{}{name}: {t}", if i == 0 { "" } else { ", " })?;
                }
                f.write_str(")")
            }
            ValueType::Map(key, value) => write!(f, "map({key}, {value})"),
            ValueType::Mixed(shown) => write!(f, "mixed({shown})"),
        }
    }
}
