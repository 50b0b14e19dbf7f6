//! One value with its meaning.

use super::types::TimeUnit;
use arrow_buffer::i256;

/// A decimal number: `unscaled * 10^-scale`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decimal {
    pub unscaled: i256,
    pub scale: i8,
}

/// A value with its meaning; the storage form (int width, decimal width) is forgotten.
#[derive(Debug, Clone, PartialEq)]
pub enum Value<'a> {
    Null,
    Bool(bool),
    Int(i128),
    Decimal(Decimal),
    Float32(f32),
    Float64(f64),
    Text(&'a str),
    Binary(&'a [u8]),
    /// Days since 1970-01-01.
    Date(i32),
    /// `ticks` of `unit` since 1970-01-01T00:00:00 (UTC where zoned).
    Timestamp {
        ticks: i128,
        unit: TimeUnit,
        zoned: bool,
    },
    /// `ticks` of `unit` since midnight.
    Time {
        ticks: i64,
        unit: TimeUnit,
    },
    Duration {
        ticks: i64,
        unit: TimeUnit,
    },
    Interval {
        months: i32,
        days: i32,
        nanoseconds: i64,
    },
    List(Vec<Value<'a>>),
    /// Members in the order of the type.
    Struct(Vec<(&'a str, Value<'a>)>),
    /// Entries in stored order; equality does not depend on it.
    Map(Vec<(Value<'a>, Value<'a>)>),
}

impl Value<'_> {
    pub fn is_null(&self) -> bool {
        matches!(self, Value::Null)
    }
}
