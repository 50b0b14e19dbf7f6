//! Comparisons by value that no common type of the engine holds: times of all years in all units, decimals of any width, text beside them.
//!
//! The engine casts both sides to one type before it compares, and the year 9999 has no nanoseconds, 38 digits no room for a fraction. Here
//! a time is nanoseconds in 128 bits, a number an exact decimal. A double beside a decimal is the decimal that it prints as.

use arrow_array::timezone::Tz;
use arrow_array::types::Date32Type;
use arrow_array::{Array, ArrayRef, BooleanArray};
use arrow_cast::parse::{Parser, string_to_datetime};
use arrow_schema::{DataType, Schema};
use datafusion_common::{DataFusionError, Result, exec_err};
use datafusion_expr::{ColumnarValue, Expr, Operator, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility};
use datafusion_physical_expr::expressions::Literal;
use datafusion_physical_expr::{PhysicalExpr, ScalarFunctionExpr};
use shadowdiff_core::value::{DAY_NS, Number, Value, ValueType, convert, place_ns, value_at};
use std::cmp::Ordering;
use std::sync::Arc;

/// What is compared: both sides are of one kind, or text that is read as it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Kind {
    Time,
    Number,
}

/// `left op right`, by value.
pub(super) fn comparison(kind: Kind, left: Expr, operator: Operator, right: Expr) -> Expr {
    ScalarUDF::new_from_impl(Compare {
        kind,
        operator,
        signature: Signature::any(2, Volatility::Immutable),
    })
    .call(vec![left, right])
}

pub(super) fn is_comparison(operator: Operator) -> bool {
    matches!(
        operator,
        Operator::Eq
            | Operator::NotEq
            | Operator::Lt
            | Operator::LtEq
            | Operator::Gt
            | Operator::GtEq
            | Operator::IsDistinctFrom
            | Operator::IsNotDistinctFrom
    )
}

/// Whether a function is a comparison that has an answer for every row: text was read when it was planned, or there is none.
pub(super) fn is_total_comparison(function: &ScalarFunctionExpr, schema: &Schema) -> bool {
    let is_known = |argument: &Arc<dyn PhysicalExpr>| {
        let node: &dyn PhysicalExpr = argument.as_ref();
        node.is::<Literal>() || node.data_type(schema).is_ok_and(|t| !is_text(&t))
    };
    function.fun().name() == NAME && function.args().iter().all(is_known)
}

pub(super) fn is_text(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View)
}

/// Nanoseconds since 1970 of what a text says, UTC where it names no zone.
pub(super) fn time_of(text: &str) -> Result<i128> {
    let text = text.trim();
    let utc: Tz = "+00:00".parse()?;
    if let Ok(time) = string_to_datetime(&utc, text) {
        return Ok(i128::from(time.timestamp()) * 1_000_000_000 + i128::from(time.timestamp_subsec_nanos()));
    }
    match Date32Type::parse(text) {
        Some(days) => Ok(i128::from(days) * DAY_NS),
        None => exec_err!("`{text}` is not a time such as 2026-11-01 or 2026-11-01T12:30:00Z"),
    }
}

const NAME: &str = "compare";

#[derive(Debug, PartialEq, Eq, Hash)]
struct Compare {
    kind: Kind,
    operator: Operator,
    signature: Signature,
}

impl ScalarUDFImpl for Compare {
    fn name(&self) -> &str {
        NAME
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arg_types: &[DataType]) -> Result<DataType> {
        Ok(DataType::Boolean)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [left, right] = args.args.as_slice() else {
            return exec_err!("a comparison has two sides");
        };
        let (left, right) = (Places::new(self.kind, left)?, Places::new(self.kind, right)?);
        let answer = |row: usize| self.answer(left.at(row), right.at(row));
        let answers: BooleanArray = (0..args.number_rows).map(answer).collect();
        Ok(ColumnarValue::Array(Arc::new(answers)))
    }
}

impl Compare {
    fn answer(&self, left: &Place, right: &Place) -> Option<bool> {
        let is_null = (*left == Place::Null, *right == Place::Null);
        match (self.operator, is_null) {
            (Operator::IsDistinctFrom, (a, b)) if a || b => return Some(a != b),
            (Operator::IsNotDistinctFrom, (a, b)) if a || b => return Some(a == b),
            (_, (true, _) | (_, true)) => return None,
            (_, (false, false)) => {}
        }
        let order = left.cmp(right);
        Some(match self.operator {
            Operator::Eq | Operator::IsNotDistinctFrom => order.is_eq(),
            Operator::NotEq | Operator::IsDistinctFrom => order.is_ne(),
            Operator::Lt => order.is_lt(),
            Operator::LtEq => order.is_le(),
            Operator::Gt => order.is_gt(),
            _ => order.is_ge(),
        })
    }
}

/// Where a value stands among its kind.
#[derive(Debug, Clone)]
enum Place {
    Null,
    BelowAll,
    Time(i128),
    Number(Number),
    AboveAll,
    NotANumber,
}

impl Place {
    fn rank(&self) -> u8 {
        match self {
            Place::Null => 0,
            Place::BelowAll => 1,
            Place::Time(_) | Place::Number(_) => 2,
            Place::AboveAll => 3,
            Place::NotANumber => 4,
        }
    }

    fn cmp(&self, other: &Place) -> Ordering {
        match (self, other) {
            (Place::Time(a), Place::Time(b)) => a.cmp(b),
            (Place::Number(a), Place::Number(b)) => a.cmp(b),
            (_, _) => self.rank().cmp(&other.rank()),
        }
    }

    fn of_text(kind: Kind, text: &str) -> Result<Place> {
        match kind {
            Kind::Time => time_of(text).map(Place::Time),
            Kind::Number => match Number::parse(text.trim()) {
                Some(number) => Ok(Place::Number(number)),
                None => exec_err!("`{text}` is not a number"),
            },
        }
    }

    fn of_value(kind: Kind, value: &Value<'_>) -> Result<Place> {
        match (kind, value) {
            (_, Value::Null) => Ok(Place::Null),
            (_, Value::Text(text)) => Place::of_text(kind, text),
            (Kind::Number, Value::Float64(v)) => Ok(Place::of_double(*v, &v.to_string())),
            (Kind::Number, Value::Float32(v)) => Ok(Place::of_double(f64::from(*v), &v.to_string())),
            (Kind::Number, other) => place(Number::from_value(other).map(Place::Number), other),
            (Kind::Time, other) => place(place_ns(other).map(Place::Time), other),
        }
    }

    /// `text`: the shortest that is read as this double.
    fn of_double(value: f64, text: &str) -> Place {
        match Number::parse(text) {
            Some(number) => Place::Number(number),
            None if value.is_nan() => Place::NotANumber,
            None if value < 0.0 => Place::BelowAll,
            None => Place::AboveAll,
        }
    }
}

impl PartialEq for Place {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

fn place(found: Option<Place>, value: &Value<'_>) -> Result<Place> {
    found.ok_or_else(|| DataFusionError::Execution(format!("{value:?} has no place in this comparison")))
}

/// One side: a value a row, or one for all.
enum Places {
    One(Place),
    Each(Vec<Place>),
}

impl Places {
    fn new(kind: Kind, side: &ColumnarValue) -> Result<Self> {
        Ok(match side {
            ColumnarValue::Array(array) => Places::Each(places(kind, array)?),
            ColumnarValue::Scalar(value) => Places::One(places(kind, &value.to_array()?)?.pop().unwrap_or(Place::Null)),
        })
    }

    fn at(&self, row: usize) -> &Place {
        match self {
            Places::One(place) => place,
            Places::Each(places) => &places[row],
        }
    }
}

fn places(kind: Kind, array: &ArrayRef) -> Result<Vec<Place>> {
    let plain = match array.data_type() {
        DataType::Dictionary(_, values) => arrow_cast::cast(array, values)?,
        _ => Arc::clone(array),
    };
    let known = ValueType::from_arrow(plain.data_type()).map_err(DataFusionError::Execution)?;
    let stored = convert(&plain, &known).map_err(|bad| DataFusionError::Execution(bad.to_string()))?;
    (0..stored.len())
        .map(|row| Place::of_value(kind, &value_at(stored.as_ref(), row)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_to_the_nanosecond_in_all_years() {
        for (text, ns) in [
            ("1970-01-01", 0),
            ("1970-01-01T00:00:00.000000001", 1),
            ("1970-01-01 01:00:00+01:00", 0),
            ("0001-01-01", -719_162 * DAY_NS),
            ("9999-12-31", 2_932_896 * DAY_NS),
        ] {
            assert_eq!(time_of(text).expect(text), ns, "{text}");
        }
        assert!(time_of("soon").is_err());
    }
}
