//! The comparator `json`: texts that are the same JSON are equal enough.

use super::comparator::{CellComparator, CellPairs, Closeness, NearCells, cell_by_cell, in_order};
use super::json::{JsonOutcome, equal_json};
use crate::error::Result;
use crate::value::{Value, equal};
use arrow_buffer::BooleanBuffer;

/// Compares texts, and those in lists, as JSON.
#[derive(Debug, Clone, Copy)]
pub(super) struct JsonTexts;

impl CellComparator for JsonTexts {
    fn near(&self, pairs: &CellPairs<'_>, asked: &BooleanBuffer) -> Result<NearCells> {
        Ok(cell_by_cell(pairs, asked, |a, b, _| closeness(a, b)))
    }
}

fn closeness(a: &Value<'_>, b: &Value<'_>) -> Closeness {
    match (a, b) {
        (Value::Text(x), Value::Text(y)) => match equal_json(x, y) {
            JsonOutcome::Equal => Closeness::Near,
            JsonOutcome::Different => Closeness::Different,
            JsonOutcome::NotJson => Closeness::NotJson,
        },
        (Value::List(x), Value::List(y)) => in_order(x, y, closeness),
        _ => Closeness::near_if(equal(a, b)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Closeness::{Different, Near, NotJson};

    #[test]
    fn json_in_lists_is_compared_as_json() {
        let texts = |items: &[&'static str]| Value::List(items.iter().map(|v| Value::Text(v)).collect());
        let live = texts(&["{\"a\": 1}", "[]"]);
        for (shadow, found) in [
            (texts(&["{\"a\":1.0}", "[ ]"]), Near),
            (texts(&["{\"a\":2}", "[]"]), Different),
            (texts(&["soon", "[]"]), NotJson),
            (texts(&["[]", "{\"a\": 1}"]), Different),
            (texts(&["{\"a\": 1}"]), Different),
            (Value::Null, Different),
        ] {
            assert_eq!(closeness(&live, &shadow), found, "{shadow:?}");
            assert_eq!(closeness(&shadow, &live), found, "{shadow:?}");
        }
        assert_eq!(closeness(&Value::Text("{}"), &Value::Null), Different);
    }
}
