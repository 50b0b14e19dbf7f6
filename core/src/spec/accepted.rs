//! The file of acceptances that a spec names: differences that are put up with for a time, though no rule expects them.
//!
//! ```text
//! - pattern: 4d1747723c578df7          what happens to the rows: the fingerprint of `changes`
//!   changes:                           each of these must happen to a row,
//!     - {kind: changed, column: "score", direction: up, relative: [0.01, 0.1]}
//!   following:                         and each of these may; nothing else
//!     - {kind: changed, column: "grade"}
//!   by: "Ann"
//!   reason: "the new engine rounds"
//!   until: 2026-12-31
//!   max: 120                           in lines
//! ```
//! An entry says all that decides whether it covers a row. What else the comparison finds has no part in it.

use super::document;
use super::fields::GROUPS;
use super::group::{Shape, group, names};
use super::item::{Fields, Item, refuse_duplicates};
use super::mistakes::Mistakes;
use super::model::{Day, DifferenceKind};
use super::parse::day;
use super::scalars::count;
use crate::error::{Error, Result};
use crate::value::exact_there;
use crate::words::words;
use serde::{Deserialize, Serialize};
use std::cmp::Ordering;
use std::fmt::Write;

/// A longer file is none that a person answers for.
pub const MAX_ACCEPTED_BYTES: usize = 1 << 20;
const MAX_ACCEPTANCES: usize = 1000;

/// Differences that somebody accepts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Acceptance {
    /// The fingerprint of `changes`.
    pub pattern: String,
    /// What must happen to a row, all of it; never empty.
    pub changes: Vec<RowChange>,
    /// What may happen to it besides.
    pub following: Vec<RowChange>,
    pub by: String,
    pub reason: String,
    pub until: Day,
    /// In lines; with more of them none is accepted.
    pub max: u64,
}

/// What happens to a cell of some rows, or to the rows as a whole.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RowChange {
    pub kind: DifferenceKind,
    /// `null` for whole rows.
    pub column: Option<String>,
    pub diagnosis: Option<String>,
    pub direction: Option<Direction>,
    /// Of cells with a relative delta.
    pub relative: Option<Range>,
    /// Of cells with a delta and no relative one: from 0, and of times. Older summaries do not say.
    #[serde(default)]
    pub delta: Option<Range>,
}

words! {
    /// Whether shadow is larger than live, or smaller: the sign of the delta.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
    #[serde(rename_all = "snake_case")]
    pub enum Direction {
        Up = "up",
        Down = "down",
    }
}

impl Direction {
    /// Of a delta, by its sign.
    pub(crate) fn of(sign: Ordering) -> Option<Direction> {
        match sign {
            Ordering::Less => Some(Direction::Down),
            Ordering::Equal => None,
            Ordering::Greater => Some(Direction::Up),
        }
    }
}

/// The least and the largest delta.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Range {
    #[serde(deserialize_with = "exact_there")]
    pub min: f64,
    #[serde(deserialize_with = "exact_there")]
    pub max: f64,
}

impl Range {
    pub fn and(self, other: Range) -> Range {
        Range {
            min: self.min.min(other.min),
            max: self.max.max(other.max),
        }
    }

    pub fn holds(self, delta: f64) -> bool {
        (self.min..=self.max).contains(&delta)
    }
}

const RANGE: Shape = Shape::List(&Shape::Value);

group! {
    /// Differences that are accepted for a time.
    static ACCEPTANCE = "acceptance" {
        /// The fingerprint of the pattern, as reports show it.
        required "pattern": Shape::Text,
        /// What happens to each of the rows.
        required "changes": Shape::Filled(&Shape::Group(&CHANGE)),
        /// What may happen to them besides.
        "following": Shape::List(&Shape::Group(&CHANGE)),
        /// Who accepts it.
        required "by": Shape::Text,
        /// Why.
        required "reason": Shape::Text,
        /// The last day on which it is accepted.
        required "until": Shape::Day,
        /// How many lines are accepted at most; with more none is.
        required "max": Shape::Count,
    }
}

group! {
    /// A change of a cell, or of a row as a whole.
    static CHANGE = "change" {
        /// What became of the row.
        required "kind": Shape::Word(|| names(DifferenceKind::WORDS)),
        /// The column, of a changed cell.
        "column": Shape::Text,
        /// The kind of change; left out, one without a diagnosis.
        "diagnosis": Shape::Text,
        /// Whether shadow is larger or smaller.
        "direction": Shape::Word(|| names(Direction::WORDS)),
        /// The least and the largest relative delta.
        "relative": RANGE,
        /// The same of deltas where there is no relative one.
        "delta": RANGE,
    }
}

/// Reads a file of acceptances; `file` is only named in messages. One of comments alone has none.
///
/// # Errors
/// Every mistake at once, each with its place.
pub fn parse_acceptances(text: &str, file: &str) -> Result<Vec<Acceptance>> {
    if text.len() > MAX_ACCEPTED_BYTES {
        return Err(too_many().file(file));
    }
    let is_empty = |line: &str| line.trim().is_empty() || line.trim_start().starts_with('#');
    if text.trim_start_matches('\u{feff}').lines().all(is_empty) {
        return Ok(Vec::new());
    }
    let mut mistakes = Mistakes::new(file, GROUPS);
    let root = document::read(text).map_err(|misread| misread.file(file))?;
    refuse_duplicates(&root, "", &mut mistakes);
    let root = Item::root(&root);
    let items = root.list("a list of acceptances", &mut mistakes).unwrap_or_default();
    if items.len() > MAX_ACCEPTANCES {
        return Err(too_many().file(file));
    }
    let read: Vec<Acceptance> = items.iter().filter_map(|item| acceptance(item, &mut mistakes)).collect();
    let (_, found) = mistakes.split();
    Error::all(found)?;
    Ok(read)
}

fn too_many() -> Error {
    Error::spec(format!("has more than {MAX_ACCEPTANCES} acceptances, or 1 MiB")).advice("write a rule for what is expected")
}

/// `None` only where a mistake was noted.
fn acceptance(item: &Item<'_>, mistakes: &mut Mistakes) -> Option<Acceptance> {
    let fields = item.fields(&ACCEPTANCE, mistakes)?;
    let changes = fields.get("changes").and_then(|item| {
        let changes = read_changes(&item, mistakes);
        if changes.is_empty() {
            item.wrong(mistakes, Error::spec("names no change").advice("write what happens to the rows"));
        }
        (!changes.is_empty()).then_some(changes)
    });
    let following = fields.with("following", read_changes, mistakes);
    let [pattern, by, reason] = ["pattern", "by", "reason"].map(|name| fields.text(name, mistakes));
    let until = fields.read("until", "a day such as 2026-12-31", day, mistakes);
    let max = fields.read("max", "a count", count, mistakes);
    Some(Acceptance {
        pattern: pattern?,
        changes: changes?,
        following,
        by: by?,
        reason: reason?,
        until: until?,
        max: max?,
    })
}

fn read_changes(item: &Item<'_>, mistakes: &mut Mistakes) -> Vec<RowChange> {
    let items = item.list("a list of changes", mistakes).unwrap_or_default();
    items.iter().filter_map(|item| change(item, mistakes)).collect()
}

fn change(item: &Item<'_>, mistakes: &mut Mistakes) -> Option<RowChange> {
    let fields = item.fields(&CHANGE, mistakes)?;
    let kind = fields.word("kind", DifferenceKind::WORDS, mistakes)?;
    let column = fields
        .get("column")
        .and_then(|item| item.scalar("a column", mistakes).map(str::to_owned));
    if (kind == DifferenceKind::Changed) != column.is_some() {
        fields.wrong(
            mistakes,
            Error::spec("a changed cell has a column, a whole row has none").advice("give one, or take it out"),
        );
    }
    Some(RowChange {
        kind,
        column,
        diagnosis: fields.text("diagnosis", mistakes),
        direction: fields.word("direction", Direction::WORDS, mistakes),
        relative: range(&fields, "relative", mistakes),
        delta: range(&fields, "delta", mistakes),
    })
}

fn range(fields: &Fields<'_>, name: &str, mistakes: &mut Mistakes) -> Option<Range> {
    let item = fields.get(name)?;
    let number = |text: &str| {
        let number = text.parse::<f64>().ok().filter(|number| number.is_finite());
        number.ok_or_else(|| Error::spec(format!("`{text}` is not a number")))
    };
    let ends = item.list("the least and the largest", mistakes)?;
    let ends: Vec<f64> = ends.iter().filter_map(|end| end.read("a number", number, mistakes)).collect();
    match ends[..] {
        [min, max] if min <= max => Some(Range { min, max }),
        _ => {
            item.wrong(
                mistakes,
                Error::spec("is no range").advice("write the least and the largest, such as [0.01, 0.1]"),
            );
            None
        }
    }
}

impl Acceptance {
    /// The entry as it stands in a file, with its line feeds.
    pub fn entry(&self) -> String {
        let mut out = format!("- pattern: {}\n  changes:\n", quoted(&self.pattern));
        self.changes.iter().for_each(|change| write_change(change, &mut out));
        if !self.following.is_empty() {
            out.push_str("  following:\n");
            self.following.iter().for_each(|change| write_change(change, &mut out));
        }
        let (by, reason) = (quoted(&self.by), quoted(&self.reason));
        let _ = write!(
            out,
            "  by: {by}\n  reason: {reason}\n  until: {}\n  max: {}\n",
            self.until, self.max
        );
        out
    }
}

fn write_change(change: &RowChange, out: &mut String) {
    let _ = write!(out, "    - {{kind: {}", change.kind.name());
    for (name, text) in [("column", &change.column), ("diagnosis", &change.diagnosis)] {
        if let Some(text) = text {
            let _ = write!(out, ", {name}: {}", quoted(text));
        }
    }
    if let Some(direction) = change.direction {
        let _ = write!(out, ", direction: {}", direction.name());
    }
    for (name, range) in [("relative", change.relative), ("delta", change.delta)] {
        if let Some(Range { min, max }) = range {
            let [min, max] = [min, max].map(serde_json::Value::from);
            let _ = write!(out, ", {name}: [{min}, {max}]");
        }
    }
    out.push_str("}\n");
}

/// A text in quotes, as JSON and YAML both read it.
fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            // YAML reads some of the others as the end of a line.
            c if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}') => {
                let _ = write!(out, "\\u{:04x}", c as u32);
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cell(column: &str) -> RowChange {
        RowChange {
            kind: DifferenceKind::Changed,
            column: Some(column.to_owned()),
            diagnosis: None,
            direction: None,
            relative: None,
            delta: None,
        }
    }

    #[test]
    fn an_entry_reads_back_as_it_was_written() {
        let all = Acceptance {
            pattern: "0123456789abcdef".to_owned(),
            changes: vec![
                RowChange {
                    diagnosis: Some("unit(seconds/milliseconds)".to_owned()),
                    direction: Some(Direction::Down),
                    relative: Some(Range { min: -1.0, max: 1e-300 }),
                    delta: Some(Range { min: 0.1, max: 1e300 }),
                    ..cell("a \"b\": {c}, #d \\ \u{7f}\u{85}\u{2028}\u{1}\n\té")
                },
                RowChange {
                    kind: DifferenceKind::MissingInShadow,
                    column: None,
                    ..cell("")
                },
            ],
            following: vec![cell("null"), cell("")],
            by: "O'Neil: \"x\" # y".to_owned(),
            reason: "two\nlines".to_owned(),
            until: Day::parse("2026-12-31").expect("a day"),
            max: u64::MAX,
        };
        let text = format!("# of people\n{}\n{}", all.entry(), all.entry());
        let read = parse_acceptances(&text, "a.yaml").expect("it was written by us");
        assert_eq!(read, vec![all.clone(), all]);
        for none in ["", "# nothing yet\n\n  # still\n", "\u{feff}"] {
            assert_eq!(parse_acceptances(none, "a.yaml"), Ok(Vec::new()));
        }
    }

    #[test]
    fn every_mistake_is_told_with_its_place() {
        let text = "- pattern: ab\n  changes: [{kind: changed}, {kind: missing_in_live, column: v}, {kind: chnged}]\n  by: x\n  \
                    reason: y\n  until: 2026-02-30\n  max: -1\n- pattern: cd\n  changes: []\n  by: x\n  reason: y\n  untill: 2026-02-03\n  max: 1\n- pattern: e\n  \
                    changes: [{kind: changed, column: v, relative: [1, 0], delta: [nan, 1]}]\n  by: x\n  reason: y\n  until: 2026-02-03\n  max: 1\n";
        let error = parse_acceptances(text, "a.yaml").expect_err("many mistakes").to_string();
        for part in [
            "a.yaml:2:13: [0].changes[0]: a changed cell has a column",
            "[0].changes[1]: a changed cell has a column",
            "`chnged` is not known here",
            "[0].until: `2026-02-30`",
            "[0].max: `-1` is not a count",
            "has no `until`",
            "[1].untill: unknown field",
            "[1].changes: names no change",
            "[2].changes[0].relative: is no range",
            "[2].changes[0].delta[0]: `nan` is not a number",
        ] {
            assert!(error.contains(part), "{part}:\n{error}");
        }
        assert!(parse_acceptances("a: b", "a.yaml").is_err() && parse_acceptances("- [", "a.yaml").is_err());
    }
}
