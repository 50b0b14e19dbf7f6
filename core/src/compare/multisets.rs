//! Lists as multisets: whether some pairing of their elements is equal enough.

use super::by_value::ByValue;
use super::text::normalize;
use crate::row::canon;
use crate::side::Side;
use crate::spec::ValueRule;
use crate::value::{Value, order};

/// Longer lists are paired in sorted order only, where that need not find a pairing: one may be missed, never invented.
const MAX_SEARCHED: usize = 1_000;

impl ByValue {
    pub(super) fn multisets_near(&self, a: &[Value<'_>], b: &[Value<'_>], baseline: Side) -> bool {
        a.len() == b.len()
            && match &self.rule {
                ValueRule::Number(_) | ValueRule::Time(_) => self.pairing_exists(a, b, baseline),
                ValueRule::Exact | ValueRule::Text(_) => self.forms(a) == self.forms(b),
            }
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
        let relative = match &self.rule {
            ValueRule::Number(tolerance) => tolerance.relative(),
            ValueRule::Exact | ValueRule::Text(_) | ValueRule::Time(_) => None,
        };
        let is_ordered = relative.is_none_or(|r| r.exact().to_f64() <= 1.0) && !a.iter().any(|v| matches!(v, Value::List(_)));
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
        match (value, &self.rule) {
            (Value::List(items), _) => {
                // No other form begins with 255.
                bytes.push(u8::MAX);
                for form in self.forms(items) {
                    bytes.extend((form.len() as u64).to_be_bytes());
                    bytes.extend(form);
                }
            }
            (Value::Text(text), ValueRule::Text(rules)) => match normalize(text, rules) {
                Some(normal) => canon(&Value::Text(&normal), &mut bytes),
                None => canon(&Value::Null, &mut bytes),
            },
            (_, _) => canon(value, &mut bytes),
        }
        bytes
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
    use crate::compare::comparator::Closeness::{self, Different, Near};
    use crate::spec::{NumberTolerance, TextRules};
    use crate::value::{Number, Tolerance};

    fn list<'a>(items: &[Value<'a>]) -> Value<'a> {
        Value::List(items.to_vec())
    }

    fn doubles<'a>(items: &[f64]) -> Value<'a> {
        Value::List(items.iter().map(|v| Value::Float64(*v)).collect())
    }

    fn texts<'a>(items: &[&'a str]) -> Value<'a> {
        Value::List(items.iter().map(|v| Value::Text(v)).collect())
    }

    fn compared(comparator: &ByValue, a: &Value<'_>, b: &Value<'_>) -> Closeness {
        let found = comparator.closeness(a, b, Side::Live);
        assert_eq!(comparator.closeness(b, a, Side::Live), found);
        found
    }

    #[test]
    fn a_tolerance_reaches_numbers_at_every_depth() {
        let tolerance = Tolerance::new(Number::new(25, 2)).expect("a tolerance");
        let close = |unordered| ByValue::new(ValueRule::Number(NumberTolerance::Absolute(tolerance.clone())), unordered);
        let live = list(&[doubles(&[1.0, 2.0]), doubles(&[9.0])]);
        let near = list(&[doubles(&[1.25, 2.0]), doubles(&[8.75])]);
        let far = list(&[doubles(&[1.25, 2.5]), doubles(&[9.0])]);
        let turned = list(&[doubles(&[8.75]), doubles(&[2.25, 1.0])]);
        assert_eq!(compared(&close(false), &live, &near), Near);
        assert_eq!(compared(&close(false), &live, &far), Different);
        assert_eq!(compared(&close(false), &live, &turned), Different);
        assert_eq!(compared(&close(true), &live, &turned), Near);
        assert_eq!(compared(&close(true), &live, &far), Different);
        assert_eq!(compared(&close(true), &list(std::slice::from_ref(&live)), &list(&[turned])), Near);
        assert_eq!(
            compared(&close(true), &list(&[live.clone(), Value::Null]), &list(&[live.clone(), live])),
            Different
        );
    }

    #[test]
    fn text_rules_and_multisets_reach_every_depth() {
        let rules = TextRules {
            trim: true,
            ..TextRules::default()
        };
        let trimmed = |unordered| ByValue::new(ValueRule::Text(rules.clone()), unordered);
        let any_order = ByValue::new(ValueRule::Exact, true);
        let live = list(&[texts(&["a", "b"]), texts(&["c"])]);
        let padded = list(&[texts(&["a ", "b"]), texts(&[" c"])]);
        let turned = list(&[texts(&["c"]), texts(&["b", "a"])]);
        assert_eq!(compared(&trimmed(false), &live, &padded), Near);
        assert_eq!(compared(&trimmed(false), &live, &turned), Different);
        assert_eq!(compared(&trimmed(true), &padded, &turned), Near);
        assert_eq!(compared(&any_order, &live, &turned), Near);
        let twice = list(&[texts(&["c"]), texts(&["b", "b"])]);
        assert_eq!(compared(&any_order, &live, &twice), Different);
    }
}
