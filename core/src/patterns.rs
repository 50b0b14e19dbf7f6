//! What happens to rows: rows with exceptions that change in the same columns and in the same way are of one pattern.
//!
//! Rows come in the order of the result, piece by piece, and the pieces are put together in that order. A pattern is counted from its first row
//! on, exactly; what comes once there are many different ones is counted together. So the counts depend on the rows alone, however they are cut
//! into pieces.
//!
//! A change that never comes without that of another column, and comes in most rows where that does, is taken to follow from it: patterns that
//! differ in such changes alone are one. A change that the other one does not explain, such as one the other way, stands for itself.

mod told_by;

pub use told_by::{PassingValues, ToldBy};

use crate::error::{Error, Result};
use crate::nearest::nearest;
use crate::shorten::shortened;
use crate::spec::{Direction, Range, RowChange};
use crate::tally::Pattern;
use serde::{Deserialize, Serialize};
use siphasher::sip::SipHasher24;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use told_by::{Attributes, told_by, values_of};

/// Different patterns that are counted each.
const COUNTED: usize = 4096;
/// Changes of a row that make its pattern; of those behind them their number does.
const CHANGES: usize = 32;
/// A change must have come in so many rows before it may follow from another one: fewer may be chance.
const ROWS_OF_PROOF: u64 = 10;
/// Patterns and single rows that a summary lists.
const LISTED: usize = 100;
const LISTED_ALONE: usize = 50;
/// Patterns that a message names.
const NAMED: usize = 5;
/// Of the key of an example.
const KEY_BYTES: usize = 200;
/// Part of every fingerprint: another one would give other fingerprints.
const FINGERPRINT_KEY: &[u8; 16] = b"shadowdiff.shape";

/// The exceptions of a row, as they come.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Shape {
    changes: Vec<Arc<Pattern>>,
    more: u64,
}

/// How large the deltas of some cells are.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Sizes {
    relative: Option<Range>,
    /// Where there is no relative one.
    delta: Option<Range>,
}

impl Sizes {
    fn and(self, other: Sizes) -> Sizes {
        Sizes {
            relative: joined(self.relative, other.relative),
            delta: joined(self.delta, other.delta),
        }
    }
}

fn joined(a: Option<Range>, b: Option<Range>) -> Option<Range> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.and(b)),
        (a, b) => a.or(b),
    }
}

/// The row that is passing.
#[derive(Debug, Default)]
pub struct PassingRow {
    shape: Shape,
    sizes: Vec<Sizes>,
    /// For a value of an attribute.
    text: String,
    /// What the pieces before had too many values of.
    given_up: GivenUp,
}

/// Attributes of which a piece has too many values: so have all rows together, and no piece that follows needs to count them.
#[derive(Debug, Default)]
struct GivenUp {
    of_all: Attributes,
    of_shapes: BTreeMap<Shape, Attributes>,
}

impl PassingRow {
    /// Forgets the row; its buffers are used again.
    pub fn clear(&mut self) {
        self.shape.changes.clear();
        self.shape.more = 0;
        self.sizes.clear();
    }

    /// Takes an exception of the row, with its deltas.
    pub fn add(&mut self, exception: &Arc<Pattern>, relative: Option<f64>, delta: impl FnOnce() -> Option<f64>) {
        if self.shape.changes.len() == CHANGES {
            self.shape.more += 1;
            return;
        }
        self.shape.changes.push(Arc::clone(exception));
        let relative = size(relative);
        self.sizes.push(Sizes {
            relative,
            delta: if relative.is_some() { None } else { size(delta()) },
        });
    }

    /// Ends a piece of rows that has passed: what it had too many values of is not counted in those that follow.
    pub fn end_piece(&mut self, piece: &RowPatterns) {
        self.given_up.of_all.add_to_all(piece.attributes.given_up());
        let of_shapes = &mut self.given_up.of_shapes;
        for (shape, place) in &piece.places {
            let given_up = piece.counted[*place].attributes.given_up();
            if let Some(known) = of_shapes.get_mut(shape) {
                known.add(given_up, values_of(0));
            } else if of_shapes.len() < COUNTED {
                of_shapes.insert(shape.clone(), given_up);
            }
        }
    }
}

fn size(delta: Option<f64>) -> Option<Range> {
    // Zero has one sign.
    let delta = delta.filter(|delta| delta.is_finite())? + 0.0;
    Some(Range { min: delta, max: delta })
}

/// Rows of one shape.
#[derive(Debug, Clone, PartialEq)]
struct Rows {
    rows: u64,
    exceptions: u64,
    sizes: Vec<Sizes>,
    /// The key of the first one, as it is printed.
    example: String,
}

/// Rows of one shape, and what they have of each attribute.
#[derive(Debug, Clone, PartialEq)]
struct Counted {
    rows: Rows,
    attributes: Attributes,
}

impl Rows {
    fn add(&mut self, rows: u64, exceptions: u64, sizes: &[Sizes]) {
        self.rows += rows;
        self.exceptions += exceptions;
        for (mine, theirs) in self.sizes.iter_mut().zip(sizes) {
            *mine = mine.and(*theirs);
        }
    }
}

/// Rows with exceptions, by their shapes, in the order of their first rows.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RowPatterns {
    places: BTreeMap<Shape, usize>,
    counted: Vec<Counted>,
    /// Of other shapes.
    beyond: OtherRows,
    /// What all rows that differ have, those without exceptions too.
    attributes: Attributes,
}

/// Rows that are of none of the patterns.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OtherRows {
    pub rows: u64,
    pub exceptions: u64,
}

impl RowPatterns {
    /// Ends a row that differs. `key`: as it is printed.
    pub fn end(&mut self, row: &mut PassingRow, key: &str, values: &PassingValues<'_>) {
        let PassingRow {
            shape,
            sizes,
            text,
            given_up,
        } = row;
        if self.is_empty() {
            self.attributes = given_up.of_all.clone();
        }
        if shape.changes.is_empty() {
            return self.attributes.count(None, values, text);
        }
        let exceptions = shape.changes.len() as u64 + shape.more;
        let place = match self.places.get(shape).copied() {
            Some(place) => {
                self.counted[place].rows.add(1, exceptions, sizes);
                place
            }
            None => {
                let rows = Rows {
                    rows: 1,
                    exceptions,
                    sizes: sizes.clone(),
                    example: shortened(key, KEY_BYTES),
                };
                let attributes = given_up.of_shapes.get(shape).cloned().unwrap_or_default();
                self.put(shape.clone(), Counted { rows, attributes })
            }
        };
        self.attributes.count(Some(&mut self.counted[place].attributes), values, text);
        row.clear();
    }

    /// Whether no row was counted yet.
    fn is_empty(&self) -> bool {
        self.attributes.is_empty() && self.counted.is_empty()
    }

    fn put(&mut self, shape: Shape, counted: Counted) -> usize {
        let place = self.counted.len();
        self.places.insert(shape, place);
        self.counted.push(counted);
        place
    }

    /// Takes the rows that follow. Of one piece all shapes are known: how many there are is decided here.
    pub fn append(&mut self, next: RowPatterns) {
        let mut shapes: Vec<(Shape, usize)> = next.places.into_iter().collect();
        shapes.sort_by_key(|(_, place)| *place);
        for ((shape, _), Counted { rows, attributes }) in shapes.into_iter().zip(next.counted) {
            let place = match self.places.get(&shape).copied() {
                Some(place) => {
                    self.counted[place].rows.add(rows.rows, rows.exceptions, &rows.sizes);
                    place
                }
                None if self.counted.len() < COUNTED => {
                    let attributes = Attributes::default();
                    self.put(shape, Counted { rows, attributes })
                }
                None => {
                    self.beyond.rows += rows.rows;
                    self.beyond.exceptions += rows.exceptions;
                    continue;
                }
            };
            self.counted[place].attributes.add(attributes, values_of(place));
        }
        self.attributes.add_to_all(next.attributes);
    }

    /// Which changes follow from another one. Nothing is known where some are not.
    fn followers(&self) -> BTreeSet<&Pattern> {
        if self.beyond.rows > 0 || self.places.keys().any(|shape| shape.more > 0) {
            return BTreeSet::new();
        }
        let mut rows_of: BTreeMap<&Pattern, u64> = BTreeMap::new();
        let mut together: BTreeMap<(&Pattern, &Pattern), u64> = BTreeMap::new();
        for (shape, place) in &self.places {
            let rows = self.counted[*place].rows.rows;
            for change in &shape.changes {
                let change: &Pattern = change;
                *rows_of.entry(change).or_default() += rows;
                let others = shape.changes.iter().map(|other| &**other).filter(|other| *other != change);
                others.for_each(|other| *together.entry((change, other)).or_default() += rows);
            }
        }
        let follows = |((change, other), rows): ((&Pattern, &Pattern), u64)| {
            let (of_change, of_other) = (rows_of[change], rows_of[other]);
            let never_alone = rows == of_change && of_change >= ROWS_OF_PROOF && of_change.saturating_mul(2) >= of_other;
            // Of two that always come together the first one is the cause.
            never_alone && (of_other > of_change || other < change)
        };
        let all = together.into_iter().map(|(pair, rows)| (pair, follows((pair, rows))));
        all.filter(|(_, follows)| *follows).map(|((change, _), _)| change).collect()
    }

    /// What there is to say of the rows. `name`: of a column. `attributes`: their names.
    pub fn summary(&self, name: impl Fn(usize) -> String, attributes: &[String]) -> RowSummary {
        let followers = self.followers();
        let mut merged: BTreeMap<Shape, Together<'_>> = BTreeMap::new();
        let mut in_order: Vec<(&Shape, &usize)> = self.places.iter().collect();
        in_order.sort_by_key(|(_, place)| **place);
        for (shape, place) in in_order {
            let Counted { rows, attributes } = &self.counted[*place];
            let (kept, follow): (Vec<usize>, Vec<usize>) =
                (0..shape.changes.len()).partition(|at| !followers.contains(&*shape.changes[*at]));
            let kept_shape = Shape {
                changes: kept.iter().map(|at| Arc::clone(&shape.changes[*at])).collect(),
                more: shape.more,
            };
            let kept_rows = Rows {
                sizes: kept.iter().map(|at| rows.sizes[*at]).collect(),
                ..rows.clone()
            };
            let none = || Rows {
                rows: 0,
                exceptions: 0,
                ..kept_rows.clone()
            };
            let together = merged.entry(kept_shape).or_insert_with(|| Together {
                rows: none(),
                with: BTreeMap::new(),
                attributes: Vec::new(),
            });
            together.rows.add(kept_rows.rows, kept_rows.exceptions, &kept_rows.sizes);
            together.attributes.push(attributes);
            for at in follow {
                let sizes = together.with.entry(Arc::clone(&shape.changes[at])).or_default();
                *sizes = sizes.and(rows.sizes[at]);
            }
        }
        let one = |(shape, together): (Shape, Together<'_>)| RowPatternSummary {
            told_by: told_by(&together.attributes, &self.attributes, attributes),
            ..listed(&shape, together.rows, &together.with, &name)
        };
        let mut all: Vec<RowPatternSummary> = merged.into_iter().map(one).collect();
        all.sort_by_key(|pattern| std::cmp::Reverse((pattern.exceptions, pattern.rows)));
        RowSummary::of(all, self.beyond)
    }
}

/// Shapes that are one but for what follows.
struct Together<'a> {
    rows: Rows,
    with: BTreeMap<Arc<Pattern>, Sizes>,
    /// Of each shape.
    attributes: Vec<&'a Attributes>,
}

fn listed(shape: &Shape, rows: Rows, with: &BTreeMap<Arc<Pattern>, Sizes>, name: &impl Fn(usize) -> String) -> RowPatternSummary {
    let change = |(change, sizes): (&Arc<Pattern>, &Sizes)| RowChange {
        kind: change.kind,
        column: change.column.map(name),
        diagnosis: change.diagnosis.clone(),
        direction: change.direction,
        relative: sizes.relative,
        delta: sizes.delta,
    };
    let changes: Vec<RowChange> = shape.changes.iter().zip(&rows.sizes).map(change).collect();
    let columns: BTreeSet<usize> = with.keys().filter_map(|change| change.column).collect();
    RowPatternSummary {
        fingerprint: fingerprint(&changes, shape.more),
        more: shape.more,
        changes,
        with: columns.into_iter().map(name).collect(),
        following: with.iter().map(change).collect(),
        told_by: Vec::new(),
        rows: rows.rows,
        exceptions: rows.exceptions,
        example: rows.example,
    }
}

/// What a pattern is, by names: the same in every comparison that finds it. How large its deltas are, and where, is no part of it.
pub fn fingerprint(changes: &[RowChange], more: u64) -> String {
    let parts = changes.iter().map(|change| {
        let direction = change.direction.map(Direction::name);
        (change.kind.name(), &change.column, &change.diagnosis, direction)
    });
    let parts: Vec<_> = parts.collect();
    let text = serde_json::to_string(&(parts, more)).expect("texts and numbers are JSON");
    format!("{:016x}", SipHasher24::new_with_key(FINGERPRINT_KEY).hash(text.as_bytes()))
}

/// Rows with exceptions, by what happens to them.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct RowSummary {
    pub rows: u64,
    pub exceptions: u64,
    /// How many patterns of two rows and more there are, and their exceptions.
    pub patterns: u64,
    pub explained: u64,
    /// The most exceptions first.
    pub listed: Vec<RowPatternSummary>,
    /// Rows to which something happens that happens to no other: how many there are, and the first ones.
    pub alone: u64,
    pub listed_alone: Vec<RowPatternSummary>,
    /// What was not looked at each, where rows differ in more ways than are counted.
    pub beyond: OtherRows,
}

impl RowSummary {
    fn of(all: Vec<RowPatternSummary>, beyond: OtherRows) -> RowSummary {
        let (mut alone, mut often): (Vec<_>, Vec<_>) = all.into_iter().partition(|pattern| pattern.rows == 1);
        let sum = |of: &[RowPatternSummary], count: fn(&RowPatternSummary) -> u64| of.iter().map(count).sum::<u64>();
        let summary = RowSummary {
            rows: sum(&alone, |p| p.rows) + sum(&often, |p| p.rows) + beyond.rows,
            exceptions: sum(&alone, |p| p.exceptions) + sum(&often, |p| p.exceptions) + beyond.exceptions,
            patterns: often.len() as u64,
            explained: sum(&often, |p| p.exceptions),
            alone: alone.len() as u64,
            beyond,
            ..RowSummary::default()
        };
        often.truncate(LISTED);
        alone.truncate(LISTED_ALONE);
        RowSummary {
            listed: often,
            listed_alone: alone,
            ..summary
        }
    }

    /// The pattern of that fingerprint, if it is listed.
    pub fn pattern(&self, fingerprint: &str) -> Result<&RowPatternSummary> {
        let listed = || self.listed.iter().chain(&self.listed_alone);
        listed().find(|pattern| pattern.fingerprint == fingerprint).ok_or_else(|| {
            let known: Vec<&str> = listed().map(|pattern| pattern.fingerprint.as_str()).collect();
            let unknown = Error::input(format!("the result lists no pattern `{fingerprint}`"));
            match (nearest(fingerprint, known.iter().copied()), known.as_slice()) {
                (_, []) => unknown.advice("it has no exceptions"),
                (Some(near), _) => unknown.advice(format!("did you mean `{near}`?")),
                (None, _) => {
                    let first = known.iter().take(NAMED).copied().collect::<Vec<_>>().join("`, `");
                    let more = if known.len() > NAMED { " and others" } else { "" };
                    unknown.advice(format!(
                        "`shadowdiff report` shows them: `{first}`{more}; those behind the first ones are not listed"
                    ))
                }
            }
        })
    }
}

/// What happens to some rows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RowPatternSummary {
    /// What it is, whichever rows it happens to.
    pub fingerprint: String,
    /// In the order of the columns; those that follow from others are left out.
    pub changes: Vec<RowChange>,
    /// Changes behind those that are listed.
    pub more: u64,
    /// Columns whose changes follow from these.
    pub with: Vec<String>,
    /// What happens to those. Older summaries do not say.
    #[serde(default)]
    pub following: Vec<RowChange>,
    /// What tells its rows from the others, the clearest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub told_by: Vec<ToldBy>,
    pub rows: u64,
    pub exceptions: u64,
    /// The key of the first row, as in `diff.csv`.
    pub example: String,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mix::next;
    use crate::spec::DifferenceKind;
    use crate::value::Value;

    fn change(column: usize, direction: Option<Direction>) -> Arc<Pattern> {
        Arc::new(Pattern {
            kind: DifferenceKind::Changed,
            column: Some(column),
            diagnosis: None,
            direction,
        })
    }

    /// Rows, each with its changed columns; a column's direction is up.
    fn of(rows: &[Vec<usize>], piece: usize) -> RowPatterns {
        let (mut all, mut row) = (RowPatterns::default(), PassingRow::default());
        for (at, rows) in rows.chunks(piece).enumerate() {
            let mut some = RowPatterns::default();
            for (number, columns) in rows.iter().enumerate() {
                let share = |column: usize| (column as f64 + 1.0) / 10.0;
                columns
                    .iter()
                    .for_each(|c| row.add(&change(*c, Some(Direction::Up)), Some(share(*c)), || None));
                // The second attribute has too many values to count.
                let number = (at * piece + number).to_string();
                let value = [if columns.contains(&3) { "three" } else { "others" }, &number].map(Value::Text);
                let values = PassingValues {
                    count: 2,
                    value: &|at| Some(value[at].clone()),
                    print: &|_, value, out| crate::value::print(value, out),
                };
                some.end(&mut row, &format!("row {number}"), &values);
            }
            row.end_piece(&some);
            all.append(some);
        }
        all
    }

    fn summary(rows: &[Vec<usize>]) -> RowSummary {
        of(rows, 7).summary(|column| format!("c{column}"), &["has".to_owned()])
    }

    #[test]
    fn pieces_do_not_matter_however_many_shapes_there_are() {
        let mut state = 1;
        let rows: Vec<Vec<usize>> = (0..6000)
            .map(|_| (0..13).filter(|_| next(&mut state).is_multiple_of(2)).collect())
            .collect();
        let whole = of(&rows, rows.len());
        assert!(whole.beyond.rows > 0 && whole.counted.len() == COUNTED);
        for piece in [1, 10, 999, 1500] {
            assert_eq!(of(&rows, piece), whole, "{piece}");
        }
        let found = whole.summary(|column| format!("c{column}"), &[]);
        assert_eq!(found.rows, rows.iter().filter(|columns| !columns.is_empty()).count() as u64);
        assert_eq!(found.exceptions, rows.iter().map(|columns| columns.len() as u64).sum::<u64>());
    }

    #[test]
    fn what_follows_from_a_column_is_one_with_it_and_what_stands_alone_is_apart() {
        // 1 follows from 0, but for what is rounded away; 5 changes on its own, once beside 0; 7 changes in single rows alone.
        let mut rows = vec![vec![0, 1]; 30];
        rows.extend(vec![vec![0]; 10]);
        rows.extend([vec![0, 1, 7], vec![5]]);
        rows.extend(vec![vec![5]; 3]);
        let found = summary(&rows);
        assert_eq!((found.rows, found.patterns, found.alone), (45, 2, 1));
        let first = &found.listed[0];
        let columns = |pattern: &RowPatternSummary| pattern.changes.iter().flat_map(|c| c.column.clone()).collect::<Vec<_>>();
        assert_eq!(
            (columns(first), &first.with, first.rows, first.exceptions),
            (vec!["c0".to_owned()], &vec!["c1".to_owned()], 40, 70)
        );
        assert_eq!(first.changes[0].relative, Some(Range { min: 0.1, max: 0.1 }));
        assert_eq!(first.example, "row 0");
        assert_eq!(
            (columns(&found.listed_alone[0]), found.listed_alone[0].example.as_str()),
            (vec!["c0".to_owned(), "c7".to_owned()], "row 40")
        );
        assert_eq!(found.explained, 74);
        // Whatever follows, all rows count: 30 rows with 1 beside 0, 10 without; all that differ have the same value.
        assert!(first.told_by.is_empty(), "{first:?}");
    }

    #[test]
    fn what_tells_a_pattern_is_counted_over_all_that_is_one_with_it() {
        // 4 follows from 3, which is in no row without the value.
        let mut rows = vec![vec![3, 4]; 30];
        rows.extend(vec![vec![3]; 10]);
        rows.extend(vec![vec![0]; 60]);
        rows.push(vec![0, 3]);
        // Rows without exceptions differ too.
        rows.extend(vec![vec![]; 42]);
        let found = summary(&rows);
        let told = |at: usize| {
            let of: &ToldBy = &found.listed[at].told_by[0];
            (
                of.column.as_str(),
                of.values[0].as_deref(),
                of.rows,
                of.other_rows,
                of.other_rows_with,
            )
        };
        assert_eq!(told(0), ("has", Some("three"), 40, 103, Some(1)));
        assert_eq!(found.listed[1].rows, 60);
        assert!(found.listed[1].told_by.is_empty(), "half of the others have it too: {found:?}");
    }

    #[test]
    fn little_proves_nothing_and_what_changes_everywhere_is_no_cause() {
        // A time of loading changes in each row; three columns change in some of them.
        let rows: Vec<Vec<usize>> = (0..100).map(|row| if row % 5 == 0 { vec![0, 1] } else { vec![0] }).collect();
        assert_eq!(summary(&rows).patterns, 2);
        assert_eq!(summary(&vec![vec![0, 1]; 9]).listed[0].changes.len(), 2);
        assert_eq!(summary(&vec![vec![0, 1]; 10]).listed[0].changes.len(), 1);
    }

    #[test]
    fn a_fingerprint_is_what_a_pattern_is() {
        let one = summary(&[vec![2], vec![2]]);
        let two = summary(&[vec![3], vec![2], vec![2], vec![2], vec![3]]);
        assert_eq!(one.listed[0].fingerprint, two.listed[0].fingerprint);
        assert_ne!(one.listed[0].fingerprint, two.listed[1].fingerprint);
        // It must not change: people write it down.
        assert_eq!(one.listed[0].fingerprint, "4d1747723c578df7");
    }

    #[test]
    fn a_row_of_many_changes_is_bounded() {
        let columns: Vec<usize> = (0..100).collect();
        let found = summary(&[columns.clone(), columns]);
        assert_eq!(
            (found.listed[0].changes.len(), found.listed[0].more, found.exceptions),
            (CHANGES, 68, 200)
        );
    }
}
