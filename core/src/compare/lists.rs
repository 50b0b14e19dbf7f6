//! Lists under a column's comparator, which reaches their elements at every depth.

use super::kernel::{Kernel, Nearness};
use super::text::normalize;
use crate::row::canon;
use crate::side::Side;
use crate::value::{Value, order};

/// Longer lists are paired in sorted order only, where that need not find a pairing: one may be missed, never invented.
const MAX_SEARCHED: usize = 1_000;

impl Kernel {
    pub(super) fn lists(&self, a: &[Value<'_>], b: &[Value<'_>], baseline: Side) -> Nearness {
        if a.len() != b.len() {
            return Nearness::Different;
        }
        if !self.comparison.unordered {
            let found = a.iter().zip(b).map(|(x, y)| self.nearness(x, y, baseline));
            return found.fold(Nearness::Near, worse);
        }
        let is_near = match self.is_tolerant() {
            true => self.pairing_exists(a, b, baseline),
            false => self.forms(a) == self.forms(b),
        };
        if is_near { Nearness::Near } else { Nearness::Different }
    }

    fn is_tolerant(&self) -> bool {
        let c = &self.comparison;
        c.absolute.is_some() || c.relative.is_some() || c.time.is_some()
    }

    fn is_near(&self, a: &Value<'_>, b: &Value<'_>, baseline: Side) -> bool {
        self.nearness(a, b, baseline) == Nearness::Near
    }

    /// Whether some one-to-one pairing is within the tolerance. Each baseline value allows an interval; where a larger value never has a
    /// smaller end of it (a relative tolerance up to 100 %), pairing in sorted order finds a pairing if there is one. Lists within lists have
    /// no such order.
    fn pairing_exists(&self, a: &[Value<'_>], b: &[Value<'_>], baseline: Side) -> bool {
        let (mut x, mut y): (Vec<&Value<'_>>, Vec<&Value<'_>>) = (a.iter().collect(), b.iter().collect());
        x.sort_by(|p, q| order(p, q));
        y.sort_by(|p, q| order(p, q));
        if x.iter().zip(&y).all(|(p, q)| self.is_near(p, q, baseline)) {
            return true;
        }
        let is_ordered =
            self.comparison.relative.as_ref().is_none_or(|r| r.exact().to_f64() <= 1.0) && !a.iter().any(|v| matches!(v, Value::List(_)));
        !is_ordered && x.len() <= MAX_SEARCHED && self.search_pairing(&x, &y, baseline)
    }

    /// Augmenting paths (Kuhn 1955).
    fn search_pairing(&self, x: &[&Value<'_>], y: &[&Value<'_>], baseline: Side) -> bool {
        let near: Vec<Vec<usize>> = x
            .iter()
            .map(|p| (0..y.len()).filter(|j| self.is_near(p, y[*j], baseline)).collect())
            .collect();
        let mut taken: Vec<Option<usize>> = vec![None; y.len()];
        (0..x.len()).all(|i| augment(i, &near, &mut taken, &mut vec![false; y.len()]))
    }

    /// Elements as bytes that are the same where they are equal enough, in one order.
    fn forms(&self, values: &[Value<'_>]) -> Vec<Vec<u8>> {
        let mut all: Vec<Vec<u8>> = values.iter().map(|value| self.form(value)).collect();
        all.sort_unstable();
        all
    }

    fn form(&self, value: &Value<'_>) -> Vec<u8> {
        let mut bytes = Vec::new();
        match (value, &self.comparison.text) {
            (Value::List(items), _) => {
                // No other form begins with 255.
                bytes.push(u8::MAX);
                for form in self.forms(items) {
                    bytes.extend((form.len() as u64).to_be_bytes());
                    bytes.extend(form);
                }
            }
            (Value::Text(text), Some(rules)) => match normalize(text, rules) {
                Some(normal) => canon(&Value::Text(&normal), &mut bytes),
                None => canon(&Value::Null, &mut bytes),
            },
            (_, _) => canon(value, &mut bytes),
        }
        bytes
    }
}

fn worse(a: Nearness, b: Nearness) -> Nearness {
    match (a, b) {
        (Nearness::NotJson, _) | (_, Nearness::NotJson) => Nearness::NotJson,
        (Nearness::Different, _) | (_, Nearness::Different) => Nearness::Different,
        (Nearness::Near, Nearness::Near) => Nearness::Near,
    }
}

fn augment(i: usize, near: &[Vec<usize>], taken: &mut [Option<usize>], seen: &mut [bool]) -> bool {
    for &j in &near[i] {
        if std::mem::replace(&mut seen[j], true) {
            continue;
        }
        if taken[j].is_none_or(|other| augment(other, near, taken, seen)) {
            taken[j] = Some(i);
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::align::{Column, Role};
    use crate::side::Sides;
    use crate::spec::{Comparison, TextRules};
    use crate::value::{Number, Tolerance, ValueType};
    use Nearness::{Different, Near, NotJson};

    fn list<'a>(items: &[Value<'a>]) -> Value<'a> {
        Value::List(items.to_vec())
    }

    fn doubles<'a>(items: &[f64]) -> Value<'a> {
        Value::List(items.iter().map(|v| Value::Float64(*v)).collect())
    }

    fn texts<'a>(items: &[&'a str]) -> Value<'a> {
        Value::List(items.iter().map(|v| Value::Text(v)).collect())
    }

    fn compared(comparison: Comparison, a: &Value<'_>, b: &Value<'_>) -> Nearness {
        let kernel = Kernel::new(&Column {
            name: "v".into(),
            path: vec!["v".into()],
            shown: ValueType::Null,
            stored: Sides::new(ValueType::Null, ValueType::Null),
            role: Role::Value(comparison),
            parents: Vec::new(),
        });
        assert_eq!(kernel.nearness(a, b, Side::Live), kernel.nearness(b, a, Side::Live));
        kernel.nearness(a, b, Side::Live)
    }

    #[test]
    fn a_tolerance_reaches_numbers_at_every_depth() {
        let close = |unordered| Comparison {
            absolute: Tolerance::new(Number::new(25, 2)),
            unordered,
            ..Comparison::default()
        };
        let live = list(&[doubles(&[1.0, 2.0]), doubles(&[9.0])]);
        let near = list(&[doubles(&[1.25, 2.0]), doubles(&[8.75])]);
        let far = list(&[doubles(&[1.25, 2.5]), doubles(&[9.0])]);
        let turned = list(&[doubles(&[8.75]), doubles(&[2.25, 1.0])]);
        assert_eq!(compared(close(false), &live, &near), Near);
        assert_eq!(compared(close(false), &live, &far), Different);
        assert_eq!(compared(close(false), &live, &turned), Different);
        assert_eq!(compared(close(true), &live, &turned), Near);
        assert_eq!(compared(close(true), &live, &far), Different);
        assert_eq!(compared(close(true), &list(std::slice::from_ref(&live)), &list(&[turned])), Near);
        assert_eq!(
            compared(close(true), &list(&[live.clone(), Value::Null]), &list(&[live.clone(), live])),
            Different
        );
    }

    #[test]
    fn text_rules_and_multisets_reach_every_depth() {
        let trimmed = |unordered| Comparison {
            text: Some(TextRules {
                trim: true,
                ..TextRules::default()
            }),
            unordered,
            ..Comparison::default()
        };
        let any_order = Comparison {
            unordered: true,
            ..Comparison::default()
        };
        let live = list(&[texts(&["a", "b"]), texts(&["c"])]);
        let padded = list(&[texts(&["a ", "b"]), texts(&[" c"])]);
        let turned = list(&[texts(&["c"]), texts(&["b", "a"])]);
        assert_eq!(compared(trimmed(false), &live, &padded), Near);
        assert_eq!(compared(trimmed(false), &live, &turned), Different);
        assert_eq!(compared(trimmed(true), &padded, &turned), Near);
        assert_eq!(compared(any_order.clone(), &live, &turned), Near);
        let twice = list(&[texts(&["c"]), texts(&["b", "b"])]);
        assert_eq!(compared(any_order, &live, &twice), Different);
    }

    #[test]
    fn json_in_lists_is_compared_as_json() {
        let json = || Comparison {
            json: true,
            ..Comparison::default()
        };
        let live = texts(&["{\"a\": 1}", "[]"]);
        assert_eq!(compared(json(), &live, &texts(&["{\"a\":1.0}", "[ ]"])), Near);
        assert_eq!(compared(json(), &live, &texts(&["{\"a\":2}", "[]"])), Different);
        assert_eq!(compared(json(), &live, &texts(&["soon", "[]"])), NotJson);
    }
}
