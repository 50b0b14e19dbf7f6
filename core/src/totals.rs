//! What the compared columns of a side hold over all rows that are compared: how many are NULL, and of numbers their exact sum.
//!
//! What a column is compared by plays no part: rows that are equal, within a tolerance, on one side alone or in duplicates are all in it.

use crate::sketch::Sum;
use crate::value::{Number, Value, ValueType, value_at};
use arrow_array::Array;
use arrow_array::cast::AsArray;
use arrow_array::types::{Decimal64Type, Decimal128Type, Float32Type, Float64Type, Int64Type, UInt64Type};
use arrow_schema::DataType;
use serde::{Deserialize, Serialize};

/// What a column of one side holds. Mergeable in any order to the same.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ColumnTotals {
    pub rows: u64,
    pub nulls: u64,
    /// Of doubles. Neither is in the sum.
    pub nan: u64,
    pub infinite: u64,
    /// Of the finite numbers; 0 in a column of something else.
    pub sum: Number,
}

impl ColumnTotals {
    pub fn merge(&mut self, other: &ColumnTotals) {
        self.rows += other.rows;
        self.nulls += other.nulls;
        self.nan += other.nan;
        self.infinite += other.infinite;
        // Normalized, so that it is written the same however the rows were divided.
        self.sum = self.sum.add(&other.sum).normalized();
    }
}

/// Adds up a column, an array after the other.
#[derive(Debug)]
pub struct ColumnCounter {
    totals: ColumnTotals,
    sum: Sum,
    is_number: bool,
}

impl ColumnCounter {
    /// `value_type`: what the column is on this side.
    pub fn new(value_type: &ValueType) -> Self {
        ColumnCounter {
            totals: ColumnTotals::default(),
            sum: Sum::default(),
            is_number: value_type.is_number(),
        }
    }

    /// Adds an array in the storage form of the column's type, or in a compact one.
    pub fn add(&mut self, array: &dyn Array) {
        self.totals.rows += array.len() as u64;
        self.totals.nulls += array.logical_null_count() as u64;
        if !self.is_number {
            return;
        }
        match array.data_type() {
            DataType::Int64 => self.add_whole(array.as_primitive::<Int64Type>().iter().flatten().map(i128::from), 0),
            DataType::UInt64 => self.add_whole(array.as_primitive::<UInt64Type>().iter().flatten().map(i128::from), 0),
            DataType::Decimal64(_, scale) => {
                self.add_whole(array.as_primitive::<Decimal64Type>().iter().flatten().map(i128::from), *scale);
            }
            DataType::Decimal128(_, scale) => self.add_whole(array.as_primitive::<Decimal128Type>().iter().flatten(), *scale),
            DataType::Float32 => {
                let doubles = array.as_primitive::<Float32Type>().iter().flatten().map(f64::from);
                doubles.for_each(|double| self.add_double(double));
            }
            DataType::Float64 => {
                let doubles = array.as_primitive::<Float64Type>().iter().flatten();
                doubles.for_each(|double| self.add_double(double));
            }
            // Wide decimals, and columns that files store in several ways.
            _ => (0..array.len()).for_each(|row| self.add_value(&value_at(array, row))),
        }
    }

    /// What was added.
    pub fn finish(self) -> ColumnTotals {
        ColumnTotals {
            sum: self.sum.total().normalized(),
            ..self.totals
        }
    }

    /// Adds numbers of one scale, in 128 bits as long as they hold them.
    fn add_whole(&mut self, numbers: impl Iterator<Item = i128>, scale: i8) {
        let mut small = 0_i128;
        for number in numbers {
            small = small.checked_add(number).unwrap_or_else(|| {
                self.sum.add_exact(&Number::new(small, scale.into()));
                number
            });
        }
        self.sum.add_exact(&Number::new(small, scale.into()));
    }

    fn add_double(&mut self, double: f64) {
        if double.is_finite() {
            self.sum.add_double(double);
        } else if double.is_nan() {
            self.totals.nan += 1;
        } else {
            self.totals.infinite += 1;
        }
    }

    fn add_value(&mut self, value: &Value<'_>) {
        match value {
            Value::Float32(double) => self.add_double(f64::from(*double)),
            Value::Float64(double) => self.add_double(*double),
            other => Number::from_value(other).iter().for_each(|number| self.sum.add_exact(number)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow_array::{
        ArrayRef, Decimal128Array, Decimal256Array, DictionaryArray, Float32Array, Float64Array, Int32Array, Int64Array, LargeBinaryArray,
        NullArray, StringArray, UInt64Array,
    };
    use arrow_buffer::i256;
    use std::sync::Arc;

    /// Rows, NULLs, NaN, infinite, sum.
    type Held = (u64, u64, u64, u64, &'static str);

    /// What arrays hold, whether they come together or one by one, or are merged.
    fn check(value_type: &str, arrays: &[ArrayRef], held: Held) {
        let value_type = ValueType::parse(value_type).expect("a type of the test");
        let mut together = ColumnCounter::new(&value_type);
        let mut merged = ColumnTotals::default();
        for array in arrays {
            together.add(array);
            let mut alone = ColumnCounter::new(&value_type);
            alone.add(array);
            merged.merge(&alone.finish());
        }
        let (rows, nulls, nan, infinite, sum) = held;
        let expected = ColumnTotals {
            rows,
            nulls,
            nan,
            infinite,
            sum: Number::parse(sum).expect("a number of the test"),
        };
        assert_eq!((together.finish(), merged), (expected.clone(), expected), "{value_type}");
    }

    fn decimals(values: Vec<Option<i128>>, scale: i8) -> ArrayRef {
        Arc::new(Decimal128Array::from(values).with_precision_and_scale(38, scale).expect("a type"))
    }

    #[test]
    fn sums_are_exact_and_nulls_add_nothing() {
        let longs = Int64Array::from(vec![Some(i64::MAX), Some(i64::MAX), None, Some(1)]);
        check("int64", &[Arc::new(longs)], (4, 1, 0, 0, "18446744073709551615"));
        let least = Int64Array::from(vec![i64::MIN; 3]);
        check("int64", &[Arc::new(least)], (3, 0, 0, 0, "-27670116110564327424"));
        let unsigned = UInt64Array::from(vec![Some(u64::MAX), Some(u64::MAX), None]);
        check("uint64", &[Arc::new(unsigned)], (3, 1, 0, 0, "36893488147419103230"));
        check(
            "decimal(9,2)",
            &[decimals(vec![Some(150), None, Some(-275)], 2)],
            (3, 1, 0, 0, "-1.25"),
        );
        let large = 99_999_999_999_999_999_999_999_999_999_999_999_999_i128;
        let two = decimals(vec![Some(large), Some(large), Some(1)], 0);
        check("decimal(38,0)", &[two], (3, 0, 0, 0, "199999999999999999999999999999999999999"));
        let wide = Decimal256Array::from(vec![Some(i256::from_i128(large)), None]).with_precision_and_scale(76, 1);
        check(
            "decimal(76,1)",
            &[Arc::new(wide.expect("a type"))],
            (2, 1, 0, 0, "9999999999999999999999999999999999999.9"),
        );
    }

    #[test]
    fn doubles_add_up_exactly_and_what_is_not_finite_is_counted_apart() {
        let doubles = Float64Array::from(vec![
            Some(1e308),
            Some(f64::NAN),
            Some(-1e308),
            Some(0.5),
            None,
            Some(f64::NEG_INFINITY),
        ]);
        let more = Float64Array::from(vec![f64::INFINITY, -0.0, 0.25]);
        check("double", &[Arc::new(doubles), Arc::new(more)], (9, 1, 1, 2, "0.75"));
        check("float32", &[Arc::new(Float32Array::from(vec![0.5, 1.5]))], (2, 0, 0, 0, "2"));
    }

    #[test]
    fn what_is_no_number_has_nulls_alone() {
        check("text", &[Arc::new(StringArray::from(vec![Some("12"), None]))], (2, 1, 0, 0, "0"));
        let coded: DictionaryArray<arrow_array::types::Int32Type> = vec![Some("7"), None, None].into_iter().collect();
        check("text", &[Arc::new(coded)], (3, 2, 0, 0, "0"));
        check("date", &[Arc::new(Int32Array::from(vec![Some(1), None]))], (2, 1, 0, 0, "0"));
        check("int64", &[Arc::new(NullArray::new(3))], (3, 3, 0, 0, "0"));
        check("int64", &[], (0, 0, 0, 0, "0"));
        let empty = LargeBinaryArray::from(vec![None::<&[u8]>]);
        check("text", &[Arc::new(empty)], (1, 1, 0, 0, "0"));
    }
}
