//! Which rows an acceptance covers, and whether it counts: what is put up with for a time is bounded from all sides.
//!
//! A row is covered where all that an acceptance names happens to it, and nothing that it does not name, by no more than it says. So another
//! column, another cause, another direction or a larger delta is an exception, whatever else the comparison finds; that depends on the row and
//! the acceptance alone. A row is counted for the first acceptance that covers it. One whose day is over, or whose rows have more lines than its
//! `max`, accepts nothing: all of its rows are exceptions again.

use crate::align::Aligned;
use crate::error::{Error, Result};
use crate::patterns::{RowPatternSummary, RowSummary, fingerprint};
use crate::spec::{Acceptance, Day, Range, RowChange};
use crate::tally::{AcceptedTally, Pattern, counted};
use std::collections::BTreeMap;

/// An exception of a row, with its deltas.
#[derive(Debug, Clone, Copy)]
pub struct Change<'a> {
    pub pattern: &'a Pattern,
    pub relative: Option<f64>,
    pub delta: Option<f64>,
}

/// The acceptances of a comparison, bound to its columns.
#[derive(Debug, Clone, Default)]
pub struct Acceptances {
    all: Vec<Bound>,
    /// Those that need a change, by the first one that they need.
    by_change: BTreeMap<Pattern, Vec<usize>>,
}

#[derive(Debug, Clone)]
struct Bound {
    fingerprint: String,
    changes: Vec<Allowed>,
    following: Vec<Allowed>,
    is_over: bool,
    /// Whether it counts; until that is decided, all do.
    is_open: bool,
}

#[derive(Debug, Clone)]
struct Allowed {
    pattern: Pattern,
    relative: Option<Range>,
    delta: Option<Range>,
}

impl Allowed {
    fn holds(&self, change: &Change<'_>) -> bool {
        if self.pattern != *change.pattern {
            return false;
        }
        let holds = |range: Option<Range>, delta: f64| range.is_some_and(|range| range.holds(delta));
        match (change.relative.filter(|share| share.is_finite()), change.delta) {
            (Some(relative), _) => holds(self.relative, relative),
            // What is no number has no size: another class than numbers, for it has no direction.
            (None, Some(delta)) if delta.is_nan() => true,
            (None, Some(delta)) => holds(self.delta, delta),
            (None, None) => true,
        }
    }
}

impl Bound {
    fn covers(&self, row: &[Change<'_>]) -> bool {
        let needed = |change: &Allowed| row.iter().any(|found| *found.pattern == change.pattern);
        let allowed = |found: &Change<'_>| self.changes.iter().chain(&self.following).any(|change| change.holds(found));
        row.len() <= self.changes.len() + self.following.len() && self.changes.iter().all(needed) && row.iter().all(allowed)
    }
}

impl Acceptances {
    /// Binds them; a column that is not compared is told as a warning, as such an acceptance covers nothing.
    ///
    /// # Errors
    /// One whose fingerprint is not that of its changes: somebody has altered what was accepted.
    pub fn new(acceptances: &[Acceptance], aligned: &Aligned, as_of: Day) -> Result<(Acceptances, Vec<String>)> {
        let (mut bound, mut warnings, mut mistakes) = (Acceptances::default(), Vec::new(), Vec::new());
        for (at, acceptance) in acceptances.iter().enumerate() {
            if fingerprint(&acceptance.changes, 0) != acceptance.pattern {
                let wrong = Error::spec(format!("`{}` is not the fingerprint of its changes", acceptance.pattern));
                let wrong = wrong.field(format!("accepted[{at}].pattern"));
                mistakes.push(wrong.advice("accept the pattern again: `shadowdiff accept`"));
            }
            let mut allowed = |changes: &[RowChange]| {
                let (known, unknown): (Vec<_>, Vec<_>) = changes.iter().map(|change| bind(change, aligned)).partition(Result::is_ok);
                warnings.extend(
                    unknown
                        .into_iter()
                        .filter_map(Result::err)
                        .map(|column| format!("accepted `{}`: column `{column}` is not compared", acceptance.pattern)),
                );
                known.into_iter().flatten().collect::<Vec<Allowed>>()
            };
            let (changes, following) = (allowed(&acceptance.changes), allowed(&acceptance.following));
            if let (Some(first), true) = (changes.first(), changes.len() == acceptance.changes.len()) {
                bound.by_change.entry(first.pattern.clone()).or_default().push(at);
            }
            bound.all.push(Bound {
                fingerprint: acceptance.pattern.clone(),
                changes,
                following,
                is_over: as_of > acceptance.until,
                is_open: true,
            });
        }
        Error::all(mistakes)?;
        Ok((bound, warnings))
    }

    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// The acceptance that a row with these exceptions is counted for: the first that covers it, of those whose day is not over if there is one.
    pub fn covering(&self, row: &[Change<'_>]) -> Option<usize> {
        let candidates = row
            .iter()
            .filter_map(|change| self.by_change.get(change.pattern))
            .flatten()
            .copied();
        candidates
            .filter(|at| self.all[*at].covers(row))
            .min_by_key(|at| (self.all[*at].is_over, *at))
    }

    /// The same, if it counts.
    pub fn accepting(&self, row: &[Change<'_>]) -> Option<usize> {
        self.covering(row).filter(|at| self.all[*at].is_open)
    }

    pub fn fingerprint(&self, at: usize) -> &str {
        &self.all[at].fingerprint
    }

    /// Lets those count that keep their bounds.
    pub fn decide(&mut self, outcomes: &[AcceptanceOutcome]) {
        for (bound, outcome) in self.all.iter_mut().zip(outcomes) {
            bound.is_open = outcome.broken.is_empty() && !bound.is_over;
        }
    }
}

/// The change of the columns of a comparison; `Err`: a column that it does not have.
fn bind<'a>(change: &'a RowChange, aligned: &Aligned) -> Result<Allowed, &'a str> {
    let place = |name: &'a String| {
        let mut columns = aligned.columns.iter();
        columns.position(|column| column.name == *name).ok_or(name.as_str())
    };
    Ok(Allowed {
        pattern: Pattern {
            kind: change.kind,
            column: change.column.as_ref().map(place).transpose()?,
            diagnosis: change.diagnosis.clone(),
            direction: change.direction,
        },
        relative: change.relative,
        delta: change.delta,
    })
}

/// What became of an acceptance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AcceptanceOutcome {
    /// Rows that it covers, whether it counts or not, and their lines.
    pub rows: u64,
    pub lines: u64,
    /// Why it accepts none of them, in words; empty where it does, or there are none.
    pub broken: Vec<String>,
}

/// How each acceptance fared, in the order of the file. `counts`: of the rows that each covers.
pub fn outcomes(acceptances: &[Acceptance], counts: &BTreeMap<usize, AcceptedTally>, as_of: Day) -> Vec<AcceptanceOutcome> {
    let one = |(at, acceptance): (usize, &Acceptance)| {
        let AcceptedTally { rows, lines } = counts.get(&at).copied().unwrap_or_default();
        let Acceptance { pattern, until, max, .. } = acceptance;
        let mut broken = Vec::new();
        if as_of > *until && lines > 0 {
            let lines = counted(lines, "line");
            broken.push(format!(
                "accepted `{pattern}`: its `until` {until} is over as of {as_of}; {lines} of it count again"
            ));
        }
        if lines > *max {
            let lines = counted(lines, "line");
            broken.push(format!(
                "accepted `{pattern}`: {lines}, more than its max of {max}; all of them count again"
            ));
        }
        AcceptanceOutcome { rows, lines, broken }
    };
    acceptances.iter().enumerate().map(one).collect()
}

/// A pattern among those that a summary lists, if it can be accepted.
pub fn acceptable<'a>(rows: &'a RowSummary, fingerprint: &str) -> Result<&'a RowPatternSummary> {
    let pattern = rows.pattern(fingerprint)?;
    let unbounded = |change: &&RowChange| change.direction.is_some() && change.relative.is_none() && change.delta.is_none();
    let all = || pattern.changes.iter().chain(&pattern.following);
    if pattern.more > 0 {
        let more = counted(pattern.more, "change");
        Err(Error::input(format!(
            "its rows have {more} more than are listed, so nobody knows what is accepted"
        ))
        .advice("write a rule"))
    } else if let Some(change) = all().find(unbounded) {
        let column = change.column.as_deref().unwrap_or_default();
        Err(
            Error::input("changes without a bound: its deltas are infinite, or the result is of an older program")
                .column(column)
                .advice("compare again, or write a rule"),
        )
    } else if pattern.following.len() < pattern.with.len() {
        Err(Error::input("the result is of an older program, which does not say all that happens to these rows").advice("compare again"))
    } else {
        Ok(pattern)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::align::{SideColumn, align};
    use crate::side::Sides;
    use crate::spec::{DifferenceKind, Direction, Overrides, parse};
    use crate::value::ValueType;

    fn aligned() -> Aligned {
        let text = "live: a/\nshadow: b/\naccount: id\n";
        let spec = parse(text, "s.yaml", &Overrides::default()).expect("a spec of the test").spec;
        let columns = ["id", "v", "w", "x"].map(|name| SideColumn {
            name: name.to_owned(),
            value_type: ValueType::INT64,
        });
        align(&spec, &Sides::new(columns.to_vec(), columns.to_vec())).expect("equal sides meet")
    }

    fn change(column: &str, direction: Option<Direction>, relative: Option<(f64, f64)>, delta: Option<(f64, f64)>) -> RowChange {
        let range = |ends: Option<(f64, f64)>| ends.map(|(min, max)| Range { min, max });
        RowChange {
            kind: DifferenceKind::Changed,
            column: Some(column.to_owned()),
            diagnosis: None,
            direction,
            relative: range(relative),
            delta: range(delta),
        }
    }

    fn acceptance(changes: Vec<RowChange>, following: Vec<RowChange>, until: &str) -> Acceptance {
        Acceptance {
            pattern: fingerprint(&changes, 0),
            changes,
            following,
            by: "Ann".to_owned(),
            reason: "known".to_owned(),
            until: Day::parse(until).expect("a day"),
            max: 3,
        }
    }

    const UP: Option<Direction> = Some(Direction::Up);

    /// A cell of the column of that number, up or not, with its deltas.
    type Cell = (usize, Option<Direction>, Option<f64>, Option<f64>);

    fn covering(of: &Acceptances, cells: &[Cell]) -> Option<usize> {
        let patterns = cells.iter().map(|(column, direction, ..)| Pattern {
            kind: DifferenceKind::Changed,
            column: Some(*column),
            diagnosis: None,
            direction: *direction,
        });
        let patterns: Vec<Pattern> = patterns.collect();
        let row = patterns.iter().zip(cells).map(|(pattern, (_, _, relative, delta))| Change {
            pattern,
            relative: *relative,
            delta: *delta,
        });
        of.covering(&row.collect::<Vec<_>>())
    }

    #[test]
    fn nothing_hides_under_an_acceptance() {
        let today = Day::parse("2026-06-01").expect("a day");
        let number = acceptance(
            vec![change("v", UP, Some((0.01, 0.1)), Some((5.0, 6.0)))],
            vec![change("w", None, None, None)],
            "2026-12-31",
        );
        let (all, warnings) = Acceptances::new(&[number], &aligned(), today).expect("they are whole");
        assert!(warnings.is_empty());
        let covers = |cells: &[Cell]| covering(&all, cells).is_some();
        let in_range: Cell = (1, UP, Some(0.05), Some(1000.0));
        assert!(covers(&[in_range]) && covers(&[in_range, (2, None, None, None)]));
        assert!(covers(&[(1, UP, Some(0.01), None)]) && covers(&[(1, UP, None, Some(5.5))]));
        for other in [
            // Larger, smaller, from 0, to infinity, the other way, no number.
            &[(1, UP, Some(0.11), Some(1.0))][..],
            &[(1, UP, Some(0.009), Some(5.5))],
            &[(1, UP, None, Some(1e9))],
            &[(1, UP, None, Some(f64::INFINITY))],
            &[(1, Some(Direction::Down), Some(0.05), None)],
            &[(1, None, None, Some(f64::NAN))],
            // Another column beside it, what follows alone, what follows otherwise.
            &[in_range, (3, None, None, None)],
            &[(2, None, None, None)],
            &[in_range, (2, UP, Some(0.05), None)],
            &[],
        ] {
            assert!(!covers(other), "{other:?}");
        }
    }

    #[test]
    fn the_first_that_is_not_over_takes_a_row() {
        let of = |until: &str| acceptance(vec![change("x", None, None, None)], Vec::new(), until);
        let all = [of("2026-01-01"), of("2026-12-31"), of("2027-12-31")];
        let taken = |day: &str| {
            let (bound, _) = Acceptances::new(&all, &aligned(), Day::parse(day).expect("a day")).expect("they are whole");
            covering(&bound, &[(3, None, None, None)])
        };
        assert_eq!(taken("2026-01-01"), Some(0), "its last day counts");
        assert_eq!(
            (taken("2026-01-02"), taken("2027-06-01"), taken("2028-01-01")),
            (Some(1), Some(2), Some(0))
        );
    }

    #[test]
    fn more_than_its_max_or_its_day_ends_an_acceptance_as_a_whole() {
        let one = acceptance(vec![change("x", None, None, None)], Vec::new(), "2026-12-31");
        let broken = |lines: u64, day: &str| {
            let (as_of, counts) = (
                Day::parse(day).expect("a day"),
                BTreeMap::from([(0, AcceptedTally { rows: 1, lines })]),
            );
            let (mut bound, _) = Acceptances::new(std::slice::from_ref(&one), &aligned(), as_of).expect("it is whole");
            let found = outcomes(std::slice::from_ref(&one), &counts, as_of);
            bound.decide(&found);
            (found[0].broken.concat(), bound.all[0].is_open)
        };
        assert_eq!(broken(3, "2026-12-31"), (String::new(), true));
        assert_eq!(broken(0, "2027-01-01"), (String::new(), false));
        let (words, is_open) = broken(4, "2026-12-31");
        assert!(
            words.contains("4 lines, more than its max of 3; all of them count again") && !is_open,
            "{words}"
        );
        let (words, is_open) = broken(1, "2027-01-01");
        assert!(
            words.contains("its `until` 2026-12-31 is over as of 2027-01-01; 1 line of it count again") && !is_open,
            "{words}"
        );
    }

    #[test]
    fn an_altered_entry_is_refused_and_one_of_another_schema_covers_nothing() {
        let today = Day::parse("2026-06-01").expect("a day");
        let mut altered = acceptance(vec![change("x", None, None, None)], Vec::new(), "2026-12-31");
        altered.changes.push(change("v", None, None, None));
        let error = Acceptances::new(&[altered], &aligned(), today).expect_err("it is altered");
        assert!(error.to_string().contains("accepted[0].pattern"), "{error}");
        let gone = acceptance(
            vec![change("x", None, None, None), change("gone", None, None, None)],
            Vec::new(),
            "2026-12-31",
        );
        let (bound, warnings) = Acceptances::new(&[gone], &aligned(), today).expect("it is whole");
        assert_eq!(covering(&bound, &[(3, None, None, None)]), None);
        assert!(warnings[0].contains("column `gone` is not compared"), "{warnings:?}");
    }
}
