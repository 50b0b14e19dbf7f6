//! By which attributes the rows of a pattern are told from the other rows that differ.
//!
//! How many rows have which value is counted exactly or given up: once the rows of a pattern have too many values of an attribute, it tells nothing
//! of them. Whether they have depends on the rows alone, so it is the same in whatever pieces they come.

use super::ROWS_OF_PROOF;
use crate::value::Value;
use serde::{Deserialize, Serialize};
use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::fmt::{self, Debug, Formatter};

/// Values of an attribute that are counted: in all rows that differ, in those of each of the first patterns, and in those of the others.
const VALUES_OF_ALL: usize = 1024;
const VALUES: usize = 256;
const VALUES_OF_LATER: usize = 8;
/// By their first rows.
const FIRST_PATTERNS: usize = 256;
/// Longer values name nothing.
const VALUE_BYTES: usize = 100;
/// Of a hundred rows of a pattern so many must have the values that are said.
const TAKEN: u128 = 95;
/// Values that are said together, and attributes of a pattern.
const SAID_TOGETHER: usize = 3;
const SAID: usize = 3;

/// How many values are counted of a pattern, by its place.
pub(super) fn values_of(place: usize) -> usize {
    if place < FIRST_PATTERNS { VALUES } else { VALUES_OF_LATER }
}

/// What the row that is passing has of each attribute.
pub struct PassingValues<'a> {
    /// How many attributes there are.
    pub count: usize,
    /// Its value of the attribute of that number; `None` where it is not known.
    pub value: &'a dyn Fn(usize) -> Option<Value<'a>>,
    /// Appends a value of the attribute of that number as it is printed.
    pub print: &'a dyn Fn(usize, &Value<'_>, &mut String),
}

impl Debug for PassingValues<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_list().entries((0..self.count).map(self.value)).finish()
    }
}

/// Rows by their value of an attribute.
#[derive(Debug, Clone, Default, PartialEq)]
struct ValueCounts {
    /// Rows whose value is known.
    rows: u64,
    unknown: u64,
    nulls: u64,
    /// Empty where there are too many.
    texts: BTreeMap<String, u64>,
    has_too_many: bool,
}

impl ValueCounts {
    /// Counts a row; `text` is the value as it is printed, where it is one that has a text and is asked for.
    fn count(&mut self, value: Option<&Value<'_>>, text: Option<&str>, limit: usize) {
        match value {
            None => self.unknown += 1,
            Some(value) => {
                self.rows += 1;
                self.nulls += u64::from(value.is_null());
            }
        }
        if let Some(text) = text.filter(|text| !self.has_too_many && text.len() <= VALUE_BYTES) {
            self.count_text(text, limit);
        }
    }

    fn count_text(&mut self, text: &str, limit: usize) {
        match self.texts.get_mut(text) {
            Some(rows) => *rows += 1,
            None => {
                self.texts.insert(text.to_owned(), 1);
                self.keep_within(limit);
            }
        }
    }

    fn add(&mut self, other: ValueCounts, limit: usize) {
        self.rows += other.rows;
        self.unknown += other.unknown;
        self.nulls += other.nulls;
        self.has_too_many |= other.has_too_many;
        if !self.has_too_many {
            for (text, rows) in other.texts {
                *self.texts.entry(text).or_default() += rows;
            }
        }
        self.keep_within(limit);
    }

    fn keep_within(&mut self, limit: usize) {
        self.has_too_many |= self.texts.len() > limit;
        if self.has_too_many {
            self.texts.clear();
        }
    }

    /// Rows that have the value; `None` where that was not counted.
    fn of(&self, value: Option<&str>) -> Option<u64> {
        match value {
            None => Some(self.nulls),
            Some(_) if self.has_too_many => None,
            Some(text) => Some(self.texts.get(text).copied().unwrap_or(0)),
        }
    }
}

/// Rows by their values of each attribute.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Attributes(Vec<ValueCounts>);

impl Attributes {
    /// Counts a row among all that differ and, where it is of one, among those of its shape.
    pub(super) fn count(&mut self, mut of_shape: Option<&mut Attributes>, row: &PassingValues<'_>, text: &mut String) {
        self.hold(row.count);
        if let Some(of_shape) = &mut of_shape {
            of_shape.hold(row.count);
        }
        for at in 0..row.count {
            let value = (row.value)(at);
            let shape = of_shape.as_mut().map(|shape| &mut shape.0[at]);
            let is_asked = !self.0[at].has_too_many || shape.as_ref().is_some_and(|shape| !shape.has_too_many);
            text.clear();
            let printed = value.as_ref().filter(|value| is_asked && !value.is_null()).map(|value| {
                (row.print)(at, value, text);
                text.as_str()
            });
            self.0[at].count(value.as_ref(), printed, VALUES_OF_ALL);
            if let Some(shape) = shape {
                // A piece does not know the place of a shape among all: it counts as many values as there may be.
                shape.count(value.as_ref(), printed, VALUES);
            }
        }
    }

    /// Attributes that have too many values here are not counted in other pieces either.
    pub(super) fn given_up(&self) -> Attributes {
        let one = |counts: &ValueCounts| ValueCounts {
            has_too_many: counts.has_too_many,
            ..ValueCounts::default()
        };
        Attributes(self.0.iter().map(one).collect())
    }

    fn hold(&mut self, attributes: usize) {
        self.0.resize_with(self.0.len().max(attributes), ValueCounts::default);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn add(&mut self, other: Attributes, limit: usize) {
        self.hold(other.0.len());
        for (mine, theirs) in self.0.iter_mut().zip(other.0) {
            mine.add(theirs, limit);
        }
    }

    pub(super) fn add_to_all(&mut self, other: Attributes) {
        self.add(other, VALUES_OF_ALL);
    }
}

/// Values of an attribute that nearly all rows of a pattern have, and few others.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToldBy {
    pub column: String,
    /// The most frequent first; NULL is one.
    pub values: Vec<Option<String>>,
    /// Rows of the pattern that have one of them.
    pub rows: u64,
    /// Rows of other patterns, and rows without exceptions, that differ too and whose value is known.
    pub other_rows: u64,
    /// Of these, those that have one of the values; `None` where there are too many values to count each.
    pub other_rows_with: Option<u64>,
}

/// What tells the rows of a pattern from the others. `shapes`: their counts, part by part. `all`: of all rows that differ.
pub(super) fn told_by(shapes: &[&Attributes], all: &Attributes, names: &[String]) -> Vec<ToldBy> {
    let attributes = names.iter().zip(&all.0).enumerate();
    let mut found: Vec<ToldBy> = attributes
        .filter_map(|(at, (name, all))| {
            let parts: Option<Vec<&ValueCounts>> = shapes.iter().map(|shape| shape.0.get(at)).collect();
            telling(&parts?, all, name)
        })
        .collect();
    // Of equal ones the first attribute.
    found.sort_by(by_others);
    found.truncate(SAID);
    found
}

/// The one that fewer of the others have comes first, what is not known last.
fn by_others(a: &ToldBy, b: &ToldBy) -> Ordering {
    let key = |of: &ToldBy| of.other_rows_with.map(|with| (u128::from(with), u128::from(of.other_rows.max(1))));
    match (key(a), key(b)) {
        (Some((a, of_a)), Some((b, of_b))) => (a * of_b).cmp(&(b * of_a)),
        (a, b) => a.is_none().cmp(&b.is_none()),
    }
}

fn telling(parts: &[&ValueCounts], all: &ValueCounts, name: &str) -> Option<ToldBy> {
    let of_pattern: u64 = parts.iter().map(|part| part.rows).sum();
    if of_pattern < ROWS_OF_PROOF || parts.iter().any(|part| part.unknown > 0 || part.has_too_many) {
        return None;
    }
    let mut counts: BTreeMap<Option<&str>, u64> = BTreeMap::new();
    for part in parts {
        *counts.entry(None).or_default() += part.nulls;
        for (text, rows) in &part.texts {
            *counts.entry(Some(text)).or_default() += rows;
        }
    }
    let mut counts: Vec<(Option<&str>, u64)> = counts.into_iter().collect();
    counts.sort_by_key(|(_, rows)| std::cmp::Reverse(*rows));
    let is_enough = |rows: u64| u128::from(rows) * 100 >= u128::from(of_pattern) * TAKEN;
    let (mut values, mut rows, mut with) = (Vec::new(), 0, Some(0));
    for (value, count) in counts.into_iter().take(SAID_TOGETHER) {
        rows += count;
        with = with.zip(all.of(value)).map(|(with, of_all)| with + of_all);
        values.push(value.map(str::to_owned));
        if is_enough(rows) {
            break;
        }
    }
    let found = ToldBy {
        column: name.to_owned(),
        values,
        rows,
        other_rows: all.rows - of_pattern,
        other_rows_with: with.map(|with| with - rows),
    };
    let tells = match found.other_rows_with {
        // Of one value alone: several of them may be all that there are.
        None => found.values.len() == 1,
        Some(_) if found.other_rows == 0 => found.values.len() == 1,
        // At most half as often in the others.
        Some(with) => 2 * u128::from(with) * u128::from(of_pattern) <= u128::from(rows) * u128::from(found.other_rows),
    };
    (tells && is_enough(rows)).then_some(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mix::next;
    use crate::value::print;

    fn value<'a>(text: &&'a str) -> Option<Value<'a>> {
        match *text {
            "?" => None,
            "NULL" => Some(Value::Null),
            text => Some(Value::Text(text)),
        }
    }

    /// Of all rows, and of those of the shape, which are the first.
    fn counted(rows: &[Vec<&str>], of_shape: usize) -> [Attributes; 2] {
        let [mut all, mut shape] = [Attributes::default(), Attributes::default()];
        for (at, row) in rows.iter().enumerate() {
            let values: Vec<Option<Value<'_>>> = row.iter().map(value).collect();
            let passing = PassingValues {
                count: values.len(),
                value: &|at| values[at].clone(),
                print: &|_, value, out| print(value, out),
            };
            all.count((at < of_shape).then_some(&mut shape), &passing, &mut String::new());
        }
        [all, shape]
    }

    /// What tells the first rows from the rest.
    fn of(pattern: &[Vec<&str>], others: &[Vec<&str>]) -> Vec<ToldBy> {
        let [all, shape] = counted(&[pattern, others].concat(), pattern.len());
        told_by(&[&shape], &all, &["a0", "a1", "a2"].map(str::to_owned))
    }

    type Said<'a> = (&'a str, Vec<Option<&'a str>>, u64, Option<u64>);

    fn said(found: &[ToldBy]) -> Vec<Said<'_>> {
        fn one(of: &ToldBy) -> Said<'_> {
            let values = of.values.iter().map(Option::as_deref).collect();
            (&of.column, values, of.rows, of.other_rows_with)
        }
        found.iter().map(one).collect()
    }

    #[test]
    fn what_nearly_all_rows_of_a_pattern_have_and_few_others_tells_it() {
        // The second attribute is the same everywhere; the third is another one in each row.
        let numbers: Vec<String> = (0..1000).map(|n| n.to_string()).collect();
        let pattern: Vec<Vec<&str>> = (0..400)
            .map(|n| vec![if n < 397 { "trial" } else { "pro" }, "eu", numbers[n].as_str()])
            .collect();
        let others: Vec<Vec<&str>> = (400..500)
            .map(|n| vec![if n < 412 { "trial" } else { "pro" }, "eu", numbers[n].as_str()])
            .collect();
        let found = of(&pattern, &others);
        assert_eq!(said(&found), [("a0", vec![Some("trial")], 397, Some(12))]);
        assert_eq!(found[0].other_rows, 100);
        // Without others one value is said all the same.
        assert_eq!(
            said(&of(&pattern, &[])),
            [("a0", vec![Some("trial")], 397, Some(0)), ("a1", vec![Some("eu")], 400, Some(0))]
        );
    }

    #[test]
    fn several_values_and_none_are_said_and_little_or_unknown_is_not() {
        let some: Vec<Vec<&str>> = (0..30).map(|n| vec![["a", "b", "NULL"][n % 3], "x"]).collect();
        let others = vec![vec!["c", "x"]; 20];
        assert_eq!(said(&of(&some, &others)), [("a0", vec![None, Some("a"), Some("b")], 30, Some(0))]);
        assert!(of(&some, &[]).iter().all(|one| one.column == "a1"));
        assert!(of(&some[..9], &others).is_empty(), "few rows prove nothing");
        let mut unknown = some.clone();
        unknown[7] = vec!["?", "x"];
        assert!(of(&unknown, &others).is_empty());
        // What is not known of others counts for nothing.
        let found = of(&some, &[others, vec![vec!["?", "x"]; 5]].concat());
        assert_eq!((found[0].other_rows, found[0].other_rows_with), (20, Some(0)));
    }

    #[test]
    fn an_account_of_many_is_told_though_the_others_are_not_counted() {
        let numbers: Vec<String> = (0..2000).map(|n| n.to_string()).collect();
        let others: Vec<Vec<&str>> = numbers.iter().map(|n| vec![n.as_str()]).collect();
        let found = of(&vec![vec!["17"]; 20], &others);
        assert_eq!(said(&found), [("a0", vec![Some("17")], 20, None)]);
        assert_eq!(found[0].other_rows, 2000);
    }

    #[test]
    fn counts_are_the_same_in_whatever_pieces_rows_come() {
        let mut state = 3;
        let numbers: Vec<String> = (0..40).map(|n| n.to_string()).collect();
        let long = "l".repeat(VALUE_BYTES + 1);
        let rows: Vec<Vec<&str>> = (0..600)
            .map(|_| {
                let pick = |state: &mut u64| usize::try_from(next(state) % 40).expect("below 40");
                let (one, other) = (pick(&mut state), pick(&mut state));
                vec![["NULL", "?", &long, "a"][one % 4], &numbers[one], &numbers[other / 8]]
            })
            .collect();
        let [_, once] = counted(&rows, rows.len());
        let mut whole = Attributes::default();
        whole.add(once, 8);
        assert!(whole.0[1].has_too_many && !whole.0[2].has_too_many && whole.0[1].rows == 600);
        for piece in [1, 7, 100] {
            let mut all = Attributes::default();
            // Pieces know more than is kept of all.
            for some in rows.chunks(piece) {
                all.add(counted(some, some.len())[1].clone(), 8);
            }
            assert_eq!(all, whole, "{piece}");
        }
    }
}
