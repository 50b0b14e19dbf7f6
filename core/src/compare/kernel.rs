//! The comparators: whether the cells of a column are equal, and where not, whether they are equal enough.

use super::json::{JsonOutcome, equal_json};
use super::text::normalize;
use crate::align::{Column, Role};
use crate::side::Side;
use crate::spec::{Comparison, Duration, Normalization, TextRules};
use crate::value::{Value, ValueType, equal, place_ns, value_at, within};
use arrow_array::cast::AsArray;
use arrow_array::types::{
    ArrowPrimitiveType, Date32Type, Decimal128Type, Float32Type, Float64Type, Int64Type, TimestampMicrosecondType,
    TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType, UInt64Type,
};
use arrow_array::{Array, ArrayRef};
use arrow_buffer::{BooleanBuffer, NullBuffer};
use arrow_schema::{DataType, TimeUnit};

/// A column's comparator, bound to its types.
#[derive(Debug, Clone)]
pub struct Kernel {
    presence: bool,
    mixed: bool,
    pub(super) comparison: Comparison,
}

/// What a comparison of two unequal cells found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Nearness {
    Near,
    Different,
    /// Different as text, and one of them is not JSON although the comparator expects it.
    NotJson,
}

impl Kernel {
    pub fn new(column: &Column) -> Self {
        let comparison = match &column.role {
            Role::Value(comparison) => comparison.clone(),
            Role::Key | Role::Presence => Comparison::default(),
        };
        Kernel {
            presence: column.role == Role::Presence,
            mixed: column.is_mixed(),
            comparison,
        }
    }

    /// SQL comparators are evaluated by whoever has an engine for them.
    pub fn sql(&self) -> Option<&str> {
        self.comparison.sql.as_deref()
    }

    /// A set bit where the cells of a row differ. NULL equals NULL, NaN equals NaN, -0.0 equals 0.0.
    pub fn unequal(&self, live: &ArrayRef, shadow: &ArrayRef) -> BooleanBuffer {
        if self.presence {
            return BooleanBuffer::collect_bool(live.len(), |row| live.is_null(row) != shadow.is_null(row));
        }
        if self.mixed {
            return by_value(live, shadow);
        }
        unequal_plain(live, shadow)
    }

    /// Whether two cells that are not equal are near enough. `baseline` is the side of the old value.
    pub fn near(&self, live: &dyn Array, shadow: &dyn Array, row: usize, baseline: Side) -> Nearness {
        let c = &self.comparison;
        if self.presence || *c == Comparison::default() {
            return Nearness::Different;
        }
        self.nearness(&value_at(live, row), &value_at(shadow, row), baseline)
    }

    /// The same for two values, be they cells or elements of lists at any depth.
    pub(super) fn nearness(&self, a: &Value<'_>, b: &Value<'_>, baseline: Side) -> Nearness {
        match (a, b) {
            (Value::Text(x), Value::Text(y)) if self.comparison.json => match equal_json(x, y) {
                JsonOutcome::Equal => Nearness::Near,
                JsonOutcome::Different => Nearness::Different,
                JsonOutcome::NotJson => Nearness::NotJson,
            },
            (Value::List(x), Value::List(y)) => self.lists(x, y, baseline),
            _ if self.values_near(a, b, baseline) => Nearness::Near,
            _ => Nearness::Different,
        }
    }

    fn values_near(&self, a: &Value<'_>, b: &Value<'_>, baseline: Side) -> bool {
        let c = &self.comparison;
        if equal(a, b) {
            return true;
        }
        if let Some(rules) = &c.text {
            return texts_near(a, b, rules);
        }
        if a.is_null() || b.is_null() {
            return false;
        }
        if let Some(limit) = c.time {
            return times_near(a, b, limit);
        }
        (c.absolute.is_some() || c.relative.is_some()) && within(a, b, baseline, c.absolute.as_ref(), c.relative.as_ref())
    }

    /// The comparator in the spec's own words.
    pub fn describe(&self) -> String {
        let c = &self.comparison;
        let mut parts = Vec::new();
        let mut say = |name: &str, value: String| parts.push(format!("{name}: {value}"));
        c.absolute.iter().for_each(|a| say("absolute", a.to_string()));
        c.relative.iter().for_each(|r| say("relative", r.to_string()));
        c.text.iter().for_each(|t| say("text", describe_text(t)));
        c.time.iter().for_each(|t| say("time", t.to_string()));
        if c.unordered {
            say("unordered", "true".into());
        }
        if c.json {
            say("json", "true".into());
        }
        c.sql.iter().for_each(|sql| say("sql", sql.clone()));
        if parts.is_empty() { "exact".into() } else { parts.join(", ") }
    }
}

fn texts_near(a: &Value<'_>, b: &Value<'_>, rules: &TextRules) -> bool {
    // Only a text or a NULL can be what the rules speak of; anything else was unequal and stays so.
    let normal = |value: &Value<'_>| match value {
        Value::Text(text) => Some(normalize(text, rules).map(|t| t.into_owned())),
        Value::Null => Some(None),
        _ => None,
    };
    matches!((normal(a), normal(b)), (Some(x), Some(y)) if x == y)
}

fn times_near(a: &Value<'_>, b: &Value<'_>, limit: Duration) -> bool {
    let place = |value: &Value<'_>| match value {
        Value::Time { ticks, unit } | Value::Duration { ticks, unit } => Some(i128::from(*ticks) * unit.nanoseconds()),
        other => place_ns(other),
    };
    match (place(a), place(b)) {
        (Some(x), Some(y)) => (y - x).unsigned_abs() <= u128::from(limit.nanoseconds()),
        (None, _) | (_, None) => false,
    }
}

fn by_value(live: &ArrayRef, shadow: &ArrayRef) -> BooleanBuffer {
    BooleanBuffer::collect_bool(live.len(), |row| {
        !equal(&value_at(live.as_ref(), row), &value_at(shadow.as_ref(), row))
    })
}

fn primitives<T: ArrowPrimitiveType>(live: &ArrayRef, shadow: &ArrayRef, differ: impl Fn(T::Native, T::Native) -> bool) -> BooleanBuffer {
    let (a, b) = (live.as_primitive::<T>(), shadow.as_primitive::<T>());
    let values = BooleanBuffer::collect_bool(a.len(), |row| differ(a.values()[row], b.values()[row]));
    with_nulls(values, a.nulls(), b.nulls())
}

/// Two NULLs never differ, one always does, whatever stands in the slots below them.
fn with_nulls(values: BooleanBuffer, live: Option<&NullBuffer>, shadow: Option<&NullBuffer>) -> BooleanBuffer {
    if live.is_none() && shadow.is_none() {
        return values;
    }
    let valid = |nulls: Option<&NullBuffer>, row: usize| nulls.is_none_or(|n| n.is_valid(row));
    BooleanBuffer::collect_bool(values.len(), |row| match (valid(live, row), valid(shadow, row)) {
        (true, true) => values.value(row),
        (false, false) => false,
        (true, false) | (false, true) => true,
    })
}

fn unequal_plain(live: &ArrayRef, shadow: &ArrayRef) -> BooleanBuffer {
    match live.data_type() {
        DataType::Int64 => primitives::<Int64Type>(live, shadow, |a, b| a != b),
        DataType::UInt64 => primitives::<UInt64Type>(live, shadow, |a, b| a != b),
        DataType::Decimal128(_, _) => primitives::<Decimal128Type>(live, shadow, |a, b| a != b),
        DataType::Float64 => primitives::<Float64Type>(live, shadow, |a, b| a != b && !(a.is_nan() && b.is_nan())),
        DataType::Float32 => primitives::<Float32Type>(live, shadow, |a, b| a != b && !(a.is_nan() && b.is_nan())),
        DataType::Date32 => primitives::<Date32Type>(live, shadow, |a, b| a != b),
        DataType::Timestamp(TimeUnit::Second, _) => primitives::<TimestampSecondType>(live, shadow, |a, b| a != b),
        DataType::Timestamp(TimeUnit::Millisecond, _) => primitives::<TimestampMillisecondType>(live, shadow, |a, b| a != b),
        DataType::Timestamp(TimeUnit::Microsecond, _) => primitives::<TimestampMicrosecondType>(live, shadow, |a, b| a != b),
        DataType::Timestamp(TimeUnit::Nanosecond, _) => primitives::<TimestampNanosecondType>(live, shadow, |a, b| a != b),
        DataType::Utf8 => {
            let (a, b) = (live.as_string::<i32>(), shadow.as_string::<i32>());
            let values = BooleanBuffer::collect_bool(a.len(), |row| a.value(row).as_bytes() != b.value(row).as_bytes());
            with_nulls(values, a.nulls(), b.nulls())
        }
        _ => by_value(live, shadow),
    }
}

fn describe_text(rules: &TextRules) -> String {
    let mut parts = Vec::new();
    if let Some(form) = rules.normalize {
        parts.push(match form {
            Normalization::Nfc => "normalize: nfc",
            Normalization::Nfd => "normalize: nfd",
            Normalization::Nfkc => "normalize: nfkc",
            Normalization::Nfkd => "normalize: nfkd",
        });
    }
    for (set, name) in [
        (rules.trim, "trim: true"),
        (rules.ignore_case, "ignore_case: true"),
        (rules.collapse_whitespace, "collapse_whitespace: true"),
        (rules.empty_is_null, "empty_is_null: true"),
    ] {
        if set {
            parts.push(name);
        }
    }
    format!("{{{}}}", parts.join(", "))
}

/// Whether a delta between values of this type means anything.
pub fn has_delta(shown: &ValueType) -> bool {
    shown.is_number() || shown.is_time()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::side::Sides;
    use arrow_array::builder::{ListBuilder, StringBuilder};
    use std::sync::Arc;

    #[test]
    fn a_null_list_is_near_no_list_whatever_the_text_rules() {
        let t = ValueType::List(Box::new(ValueType::Text));
        let comparison = Comparison {
            text: Some(TextRules {
                trim: true,
                empty_is_null: true,
                ..TextRules::default()
            }),
            ..Comparison::default()
        };
        let column = Column {
            name: "t".into(),
            path: vec!["t".into()],
            shown: t.clone(),
            stored: Sides::new(t.clone(), t),
            role: Role::Value(comparison),
            parents: Vec::new(),
        };
        let list = |items: Option<&[&str]>| -> ArrayRef {
            let mut builder = ListBuilder::new(StringBuilder::new());
            items
                .iter()
                .for_each(|items| items.iter().for_each(|item| builder.values().append_value(item)));
            builder.append(items.is_some());
            Arc::new(builder.finish())
        };
        let near = |a: Option<&[&str]>, b: Option<&[&str]>| Kernel::new(&column).near(list(a).as_ref(), list(b).as_ref(), 0, Side::Live);
        assert_eq!(near(None, Some(&["a", "b"])), Nearness::Different);
        assert_eq!(near(Some(&[]), None), Nearness::Different);
        assert_eq!(near(Some(&["a "]), Some(&["a"])), Nearness::Near);
    }
}
