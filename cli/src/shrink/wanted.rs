//! Which rows of a result show a pattern: their keys, and the columns in which they do.

use crate::laboratory::Key;
use shadowdiff_coordinator::Table;
use shadowdiff_core::error::{Error, Result};
use shadowdiff_core::patterns::RowPatternSummary;
use shadowdiff_core::render::Line;
use shadowdiff_core::report::{ResultFile, read_fields};
use shadowdiff_core::spec::{Direction, OUTPUT_COLUMNS, RowChange};
use std::path::Path;

/// So many rows are looked at: some may not show the pattern without the others around them.
const CANDIDATES: usize = 8;

/// A row of the pattern.
#[derive(Debug, Clone)]
pub(super) struct Candidate {
    pub(super) key: Key,
    /// Where its cells change; empty for whole rows.
    pub(super) columns: Vec<String>,
}

/// Kind, column, diagnosis, direction.
type Change = [String; 4];

/// The first rows of `diff.csv` that are of the pattern. Where none is listed there, the row that the summary names.
pub(super) fn candidates(directory: &Path, pattern: &RowPatternSummary) -> Result<Vec<Candidate>> {
    let mut table = Table::open(directory, ResultFile::Diff)?;
    let header = table.next_record()?.unwrap_or_default();
    let rows = Rows::of(pattern);
    let (mut found, mut key, mut changes): (Vec<Candidate>, Key, Vec<Change>) = Default::default();
    while found.len() < CANDIDATES {
        let record = table.next_record()?;
        let line = match record {
            None => None,
            Some(record) => Some(Line::from_record(record).ok_or_else(|| Error::internal("diff.csv has what is no difference"))?),
        };
        if line.as_ref().is_none_or(|(line, _)| line.key != key) {
            found.extend(rows.candidate(&key, &changes));
            changes.clear();
        }
        let Some((line, is_exception)) = line else { break };
        if is_exception {
            changes.push(line.pattern().map(str::to_owned));
        }
        key = line.key;
    }
    if found.is_empty() && pattern.more == 0 {
        let key = read_fields(&pattern.example);
        let is_whole = key.len() + OUTPUT_COLUMNS.len() == header.len();
        found.extend(is_whole.then(|| rows.row_of(&key, &[])));
    }
    if found.is_empty() {
        return Err(
            Error::input("no row of the pattern is listed: `max_differences` has cut the result").advice("compare again without it"),
        );
    }
    Ok(found)
}

/// What happens to the rows of a pattern.
struct Rows<'a> {
    pattern: &'a RowPatternSummary,
    changes: Vec<Change>,
    following: Vec<Change>,
}

impl Rows<'_> {
    fn of(pattern: &RowPatternSummary) -> Rows<'_> {
        let all = |changes: &[RowChange]| changes.iter().map(change).collect();
        Rows {
            changes: all(&pattern.changes),
            following: all(&pattern.following),
            pattern,
        }
    }

    /// A row with these exceptions, if it is of the pattern.
    fn candidate(&self, key: &Key, found: &[Change]) -> Option<Candidate> {
        let needed = self.changes.iter().all(|change| found.contains(change));
        let others = found.iter().filter(|change| !self.changes.contains(change));
        let is_it = match self.pattern.more {
            0 => others.into_iter().all(|other| self.following.contains(other)),
            more => others.count() as u64 == more,
        };
        (needed && is_it && !found.is_empty()).then(|| self.row_of(key, found))
    }

    /// Changes behind those that a summary lists are of the pattern, too.
    fn row_of(&self, key: &Key, found: &[Change]) -> Candidate {
        let of_pattern = if self.pattern.more > 0 { found } else { &self.changes };
        let columns = of_pattern.iter().map(|[_, column, ..]| column.clone());
        Candidate {
            key: key.clone(),
            columns: columns.filter(|column| !column.is_empty()).collect(),
        }
    }
}

fn change(change: &RowChange) -> Change {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let direction = change.direction.map(Direction::name).unwrap_or_default();
    [
        change.kind.name().to_owned(),
        text(&change.column),
        text(&change.diagnosis),
        direction.to_owned(),
    ]
}
