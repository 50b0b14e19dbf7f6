//! The comparators that look at values: numbers, texts and times by a rule, which reaches the elements of lists at every depth.

use super::comparator::{CellComparator, CellPairs, Closeness, NearCells, cell_by_cell, in_order};
use super::text::normalize;
use crate::error::Result;
use crate::side::Side;
use crate::spec::{Duration, NumberTolerance, TextRules, ValueRule};
use crate::tolerance_use::{HALVINGS, ToleranceUse, halvings};
use crate::value::{Decimal, ScaledTolerance, Value, doubles_halvings, doubles_within, equal, halvings_within, place_ns, value_at, within};
use arrow_array::Array;
use arrow_array::cast::AsArray;
use arrow_array::types::{ArrowPrimitiveType, Decimal64Type, Decimal128Type, Float64Type, Int64Type};
use arrow_buffer::{BooleanBuffer, i256};
use arrow_schema::DataType;

/// Compares values by a rule.
#[derive(Debug, Clone)]
pub(super) struct ByValue {
    pub(super) rule: ValueRule,
    /// Whether lists are multisets.
    pub(super) unordered: bool,
}

impl CellComparator for ByValue {
    fn near(&self, pairs: &CellPairs<'_>, asked: &BooleanBuffer) -> Result<NearCells> {
        let doubles = |array: &dyn Array| *array.data_type() == DataType::Float64;
        Ok(match &self.rule {
            ValueRule::Exact if !self.unordered => NearCells {
                near: BooleanBuffer::new_unset(asked.len()),
                not_json: 0,
            },
            ValueRule::Number(tolerance) if doubles(pairs.live) && doubles(pairs.shadow) => near_doubles(pairs, asked, tolerance),
            ValueRule::Number(tolerance) if let Some(found) = near_integers(pairs, asked, tolerance) => found,
            ValueRule::Exact | ValueRule::Number(_) | ValueRule::Text(_) | ValueRule::Time(_) => {
                cell_by_cell(pairs, asked, |a, b, baseline| self.closeness(a, b, baseline))
            }
        })
    }

    fn tolerance_use(&self, pairs: &CellPairs<'_>, found: &BooleanBuffer) -> ToleranceUse {
        match &self.rule {
            // Another tolerance may pair the elements of multisets in another way.
            _ if self.unordered => ToleranceUse::unmeasured(found.count_set_bits() as u64),
            ValueRule::Number(tolerance) => use_of_numbers(pairs, found, tolerance),
            ValueRule::Time(limit) => {
                let mut used = ToleranceUse::default();
                for row in found.set_indices() {
                    let (live, shadow) = (value_at(pairs.live.as_ref(), row), value_at(pairs.shadow.as_ref(), row));
                    used.add(halvings_of_times(&live, &shadow, *limit));
                }
                used
            }
            ValueRule::Exact | ValueRule::Text(_) => ToleranceUse::unmeasured(found.count_set_bits() as u64),
        }
    }
}

impl ByValue {
    pub(super) fn new(rule: ValueRule, unordered: bool) -> Self {
        ByValue { rule, unordered }
    }

    /// That of two values, be they cells or elements of lists at any depth.
    pub(super) fn closeness(&self, a: &Value<'_>, b: &Value<'_>, baseline: Side) -> Closeness {
        match (a, b) {
            (Value::List(x), Value::List(y)) if self.unordered => Closeness::near_if(self.multisets_near(x, y, baseline)),
            (Value::List(x), Value::List(y)) => in_order(x, y, |x, y| self.closeness(x, y, baseline)),
            _ => Closeness::near_if(equal(a, b) || self.near_by_rule(a, b, baseline)),
        }
    }

    pub(super) fn is_near(&self, a: &Value<'_>, b: &Value<'_>, baseline: Side) -> bool {
        self.closeness(a, b, baseline) == Closeness::Near
    }

    fn near_by_rule(&self, a: &Value<'_>, b: &Value<'_>, baseline: Side) -> bool {
        match &self.rule {
            ValueRule::Exact => false,
            ValueRule::Text(rules) => texts_near(a, b, rules),
            ValueRule::Time(_) | ValueRule::Number(_) if a.is_null() || b.is_null() => false,
            ValueRule::Time(limit) => times_near(a, b, *limit),
            ValueRule::Number(tolerance) => within(a, b, baseline, tolerance.absolute(), tolerance.relative()),
        }
    }
}

/// Columns of doubles, without a value of its own for each cell.
fn near_doubles(pairs: &CellPairs<'_>, asked: &BooleanBuffer, tolerance: &NumberTolerance) -> NearCells {
    let (live, shadow) = (pairs.live.as_primitive::<Float64Type>(), pairs.shadow.as_primitive::<Float64Type>());
    let (absolute, relative) = (tolerance.absolute(), tolerance.relative());
    let is_near = |row: usize| {
        asked.value(row)
            && live.is_valid(row)
            && shadow.is_valid(row)
            && doubles_within(live.value(row), shadow.value(row), pairs.baseline[row], absolute, relative)
    };
    NearCells {
        near: BooleanBuffer::collect_bool(asked.len(), is_near),
        not_json: 0,
    }
}

/// Columns of integers, or of decimals of one scale, the same way; `None` for others.
fn near_integers(pairs: &CellPairs<'_>, asked: &BooleanBuffer, tolerance: &NumberTolerance) -> Option<NearCells> {
    fn values<T: ArrowPrimitiveType>(
        pairs: &CellPairs<'_>,
        wide: fn(T::Native) -> i128,
        judge: impl Fn(usize, i128, i128) -> bool,
    ) -> BooleanBuffer {
        let (live, shadow) = (pairs.live.as_primitive::<T>(), pairs.shadow.as_primitive::<T>());
        let is_near = |row: usize| live.is_valid(row) && shadow.is_valid(row) && judge(row, wide(live.value(row)), wide(shadow.value(row)));
        BooleanBuffer::collect_bool(live.len(), is_near)
    }
    let (absolute, relative) = (tolerance.absolute(), tolerance.relative());
    let scale = scale_of(pairs)?;
    let scaled = ScaledTolerance::new(absolute, relative, scale)?;
    let judge = |row: usize, live: i128, shadow: i128| {
        let exactly = || {
            let value = |unscaled: i128| {
                Value::Decimal(Decimal {
                    unscaled: i256::from_i128(unscaled),
                    scale,
                })
            };
            within(&value(live), &value(shadow), pairs.baseline[row], absolute, relative)
        };
        asked.value(row) && scaled.holds(live, shadow, pairs.baseline[row]).unwrap_or_else(exactly)
    };
    let near = match pairs.live.data_type() {
        DataType::Int64 => values::<Int64Type>(pairs, i128::from, judge),
        DataType::Decimal64(_, _) => values::<Decimal64Type>(pairs, i128::from, judge),
        _ => values::<Decimal128Type>(pairs, |v| v, judge),
    };
    Some(NearCells { near, not_json: 0 })
}

/// How much of a tolerance near numbers use: doubles and integers without a value of its own for each cell.
fn use_of_numbers(pairs: &CellPairs<'_>, found: &BooleanBuffer, tolerance: &NumberTolerance) -> ToleranceUse {
    fn add<T: ArrowPrimitiveType>(
        pairs: &CellPairs<'_>,
        found: &BooleanBuffer,
        halvings: impl Fn(usize, T::Native, T::Native) -> u32,
    ) -> ToleranceUse {
        let (live, shadow) = (pairs.live.as_primitive::<T>(), pairs.shadow.as_primitive::<T>());
        let mut used = ToleranceUse::default();
        found
            .set_indices()
            .for_each(|row| used.add(halvings(row, live.value(row), shadow.value(row))));
        used
    }
    let (absolute, relative) = (tolerance.absolute(), tolerance.relative());
    let of_values = |row: usize| {
        let (live, shadow) = (value_at(pairs.live.as_ref(), row), value_at(pairs.shadow.as_ref(), row));
        halvings_within(&live, &shadow, pairs.baseline[row], absolute, relative)
    };
    let of_integers = |scaled: &ScaledTolerance, row: usize, live: i128, shadow: i128| {
        let halvings = scaled.halvings(live, shadow, pairs.baseline[row]);
        halvings.unwrap_or_else(|| of_values(row))
    };
    let scaled = scale_of(pairs).and_then(|scale| ScaledTolerance::new(absolute, relative, scale));
    match (pairs.live.data_type(), pairs.shadow.data_type(), &scaled) {
        (DataType::Float64, DataType::Float64, _) => add::<Float64Type>(pairs, found, |row, live, shadow| {
            doubles_halvings(live, shadow, pairs.baseline[row], absolute, relative)
        }),
        (DataType::Int64, _, Some(scaled)) => add::<Int64Type>(pairs, found, |row, live, shadow| {
            of_integers(scaled, row, live.into(), shadow.into())
        }),
        (DataType::Decimal64(_, _), _, Some(scaled)) => add::<Decimal64Type>(pairs, found, |row, live, shadow| {
            of_integers(scaled, row, live.into(), shadow.into())
        }),
        (DataType::Decimal128(_, _), _, Some(scaled)) => {
            add::<Decimal128Type>(pairs, found, |row, live, shadow| of_integers(scaled, row, live, shadow))
        }
        _ => {
            let mut used = ToleranceUse::default();
            found.set_indices().for_each(|row| used.add(of_values(row)));
            used
        }
    }
}

/// The scale of both columns, where they are of integers or of decimals of one scale.
fn scale_of(pairs: &CellPairs<'_>) -> Option<i8> {
    match (pairs.live.data_type(), pairs.shadow.data_type()) {
        (DataType::Int64, DataType::Int64) => Some(0),
        (DataType::Decimal64(_, live), DataType::Decimal64(_, shadow)) if live == shadow => Some(*live),
        (DataType::Decimal128(_, live), DataType::Decimal128(_, shadow)) if live == shadow => Some(*live),
        _ => None,
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
    times_apart(a, b).is_some_and(|apart| apart <= u128::from(limit.nanoseconds()))
}

/// Nanoseconds from one to the other.
fn times_apart(a: &Value<'_>, b: &Value<'_>) -> Option<u128> {
    let place = |value: &Value<'_>| match value {
        Value::Time { ticks, unit } | Value::Duration { ticks, unit } => Some(i128::from(*ticks) * unit.nanoseconds()),
        other => place_ns(other),
    };
    Some((place(b)? - place(a)?).unsigned_abs())
}

/// Of lists that of the elements that are furthest apart; equal ones use nothing.
fn halvings_of_times(a: &Value<'_>, b: &Value<'_>, limit: Duration) -> u32 {
    match (a, b) {
        (Value::List(x), Value::List(y)) => {
            let elements = x.iter().zip(y).map(|(x, y)| halvings_of_times(x, y, limit));
            elements.min().unwrap_or(HALVINGS)
        }
        _ => times_apart(a, b).map_or(HALVINGS, |apart| halvings(apart, limit.nanoseconds().into())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::side::Sides;
    use crate::value::{Number, Tolerance};
    use arrow_array::builder::{ListBuilder, StringBuilder};
    use arrow_array::{ArrayRef, Decimal128Array, Float64Array, Int64Array};
    use std::sync::Arc;

    fn near(comparator: &ByValue, live: &ArrayRef, shadow: &ArrayRef, baseline: Side, asked: &BooleanBuffer) -> Vec<bool> {
        let pairs = CellPairs {
            live,
            shadow,
            baseline: &vec![baseline; live.len()],
            rows: &Sides::default(),
        };
        comparator.near(&pairs, asked).expect("values compare").near.iter().collect()
    }

    fn number(absolute: Option<&str>, relative: Option<&str>) -> ByValue {
        let tolerance = |text: &str| Number::parse(text).and_then(Tolerance::new).expect("a tolerance");
        let tolerance = NumberTolerance::new(absolute.map(tolerance), relative.map(tolerance));
        ByValue::new(ValueRule::Number(tolerance.expect("a tolerance")), false)
    }

    /// What is told of the tolerances that cells use is what comparing by the halves of the tolerance finds.
    fn check_use(comparator: &ByValue, pairs: &CellPairs<'_>, found: &BooleanBuffer) {
        let used = comparator.tolerance_use(pairs, found);
        assert_eq!((used.cells(), used.unmeasured), (found.count_set_bits() as u64, 0));
        let ValueRule::Number(tolerance) = &comparator.rule else {
            return;
        };
        for times in [0, 1, 2, 5, 16] {
            let tighter = ByValue::new(ValueRule::Number(tolerance.halved(times)), false);
            let near = tighter.near(pairs, found).expect("numbers compare").near;
            let beyond = found.count_set_bits() - (&near & found).count_set_bits();
            assert_eq!(used.beyond(times), beyond as u64, "{times} times {comparator:?}");
        }
    }

    #[test]
    fn only_what_is_asked_about_is_near() {
        let (live, shadow): (ArrayRef, ArrayRef) = (Arc::new(Int64Array::from(vec![1, 1, 1])), Arc::new(Int64Array::from(vec![2, 2, 4])));
        let asked = BooleanBuffer::from(vec![false, true, true]);
        assert_eq!(
            near(&number(Some("1"), None), &live, &shadow, Side::Live, &asked),
            [false, true, false]
        );
        let doubles = |array: &ArrayRef| -> ArrayRef { Arc::new(array.as_primitive::<Int64Type>().unary::<_, Float64Type>(|v| v as f64)) };
        let (live, shadow) = (doubles(&live), doubles(&shadow));
        assert_eq!(
            near(&number(Some("1"), None), &live, &shadow, Side::Live, &asked),
            [false, true, false]
        );
        let exact = ByValue::new(ValueRule::Exact, false);
        assert_eq!(near(&exact, &live, &shadow, Side::Live, &asked), [false, false, false]);
    }

    #[test]
    fn columns_of_integers_and_decimals_are_compared_as_one_value_after_the_other() {
        let some = [0, 1, -1, 2, 99, 100, 101, -100, 10_000, i64::MAX, i64::MIN, i64::MAX - 1].map(i128::from);
        let wide = [i128::MAX, i128::MIN, i128::MAX / 100, 10i128.pow(37)];
        let cells = |wide: &'static [i128]| some.into_iter().chain(wide.iter().copied()).map(Some).chain([None]);
        let pairs = |wide: &'static [i128]| cells(wide).flat_map(move |live| cells(wide).map(move |shadow| (live, shadow)));
        let (live, shadow): (Vec<_>, Vec<_>) = pairs(&[]).unzip();
        let ints =
            |cells: Vec<Option<i128>>| -> ArrayRef { Arc::new(cells.into_iter().map(|c| c.map(|c| c as i64)).collect::<Int64Array>()) };
        let mut columns = vec![(ints(live), ints(shadow))];
        for (precision, scale) in [(38, 0), (38, 2), (38, -3), (38, 30)] {
            let (live, shadow): (Vec<_>, Vec<_>) = pairs(Box::leak(Box::new(wide))).unzip();
            let decimals = |cells: Vec<Option<i128>>| -> ArrayRef {
                Arc::new(
                    Decimal128Array::from(cells)
                        .with_precision_and_scale(precision, scale)
                        .expect("a decimal"),
                )
            };
            columns.push((decimals(live), decimals(shadow)));
        }
        let bounds = ["0", "0.5", "1", "1.999", "1e-40", "1e40", "3e20"];
        let bounds = || bounds.into_iter().map(Some).chain([None]);
        for (live, shadow) in &columns {
            let asked = BooleanBuffer::collect_bool(live.len(), |row| row % 7 != 3);
            for (absolute, relative) in bounds()
                .flat_map(|a| bounds().map(move |r| (a, r)))
                .filter(|pair| *pair != (None, None))
            {
                let comparator = number(absolute, relative);
                for baseline in Side::BOTH {
                    let pairs = CellPairs {
                        live,
                        shadow,
                        baseline: &vec![baseline; live.len()],
                        rows: &Sides::default(),
                    };
                    let one_by_one = cell_by_cell(&pairs, &asked, |a, b, baseline| comparator.closeness(a, b, baseline));
                    let found = comparator.near(&pairs, &asked).expect("numbers compare").near;
                    let both_null = BooleanBuffer::collect_bool(live.len(), |row| live.is_null(row) && shadow.is_null(row));
                    check_use(&comparator, &pairs, &(&found & &!&both_null));
                    assert_eq!(
                        &found | &(&both_null & &asked),
                        one_by_one.near,
                        "{absolute:?} {relative:?} {:?}",
                        live.data_type()
                    );
                }
            }
        }
    }

    #[test]
    fn columns_of_doubles_are_compared_as_one_value_after_the_other() {
        let some = [
            0.0,
            -0.0,
            1.0,
            1.5,
            -1.0,
            1e308,
            5e-324,
            f64::NAN,
            f64::INFINITY,
            f64::NEG_INFINITY,
            0.3,
            0.29,
        ];
        let cells = || some.into_iter().map(Some).chain([None]);
        let pairs = cells().flat_map(|live| cells().map(move |shadow| (live, shadow)));
        let (live, shadow): (Vec<Option<f64>>, Vec<Option<f64>>) = pairs.unzip();
        let (live, shadow): (ArrayRef, ArrayRef) = (Arc::new(Float64Array::from(live)), Arc::new(Float64Array::from(shadow)));
        let asked = BooleanBuffer::collect_bool(live.len(), |row| {
            !equal(&value_at(live.as_ref(), row), &value_at(shadow.as_ref(), row))
        });
        for baseline in Side::BOTH {
            for comparator in [
                number(Some("0.01"), None),
                number(Some("0"), None),
                number(None, Some("0.5")),
                number(Some("1e308"), Some("2")),
            ] {
                let pairs = CellPairs {
                    live: &live,
                    shadow: &shadow,
                    baseline: &vec![baseline; live.len()],
                    rows: &Sides::default(),
                };
                let one_by_one = cell_by_cell(&pairs, &asked, |a, b, baseline| comparator.closeness(a, b, baseline));
                assert_eq!(
                    comparator.near(&pairs, &asked).expect("doubles compare"),
                    one_by_one,
                    "{comparator:?}"
                );
                check_use(&comparator, &pairs, &one_by_one.near);
            }
        }
    }

    #[test]
    fn a_null_list_is_near_no_list_whatever_the_text_rules() {
        let rules = TextRules {
            trim: true,
            empty_is_null: true,
            ..TextRules::default()
        };
        let comparator = ByValue::new(ValueRule::Text(rules), false);
        let list = |items: Option<&[&str]>| -> ArrayRef {
            let mut builder = ListBuilder::new(StringBuilder::new());
            items
                .iter()
                .for_each(|items| items.iter().for_each(|item| builder.values().append_value(item)));
            builder.append(items.is_some());
            Arc::new(builder.finish())
        };
        let asked = BooleanBuffer::new_set(1);
        let near = |a: Option<&[&str]>, b: Option<&[&str]>| near(&comparator, &list(a), &list(b), Side::Live, &asked)[0];
        assert!(!near(None, Some(&["a", "b"])));
        assert!(!near(Some(&[]), None));
        assert!(near(Some(&["a "]), Some(&["a"])));
    }
}
