//! What became of planted changes: what was caught, and who swallowed the rest.

use serde::Serialize;
use std::collections::BTreeMap;

/// The version of `power --json`.
pub(super) const VERSION: u32 = 1;

#[derive(Debug, Default, Serialize)]
pub(super) struct Power {
    pub(super) version: u32,
    pub(super) seed: u64,
    /// Rows of live that were looked at, and those of them that changes could be planted into.
    pub(super) looked_at: usize,
    pub(super) rows: usize,
    /// Changes of single rows and cells: caught where a line of theirs is an exception.
    pub(super) planted: Vec<Outcome>,
    /// Changes of a whole column: caught where the verdict is fail.
    pub(super) columns: Vec<ColumnOutcome>,
    pub(super) left_out: Vec<LeftOut>,
    /// Columns of live that are no part of the comparison.
    pub(super) not_compared: Vec<String>,
    /// Columns in which not one change was caught, and kinds of rows.
    pub(super) blind: Vec<String>,
    pub(super) notes: Vec<String>,
}

/// Of one change in one column, or of whole rows.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Outcome {
    pub(super) column: Option<String>,
    pub(super) change: String,
    pub(super) planted: u64,
    pub(super) caught: u64,
    /// What let the others pass, and how many of them.
    pub(super) swallowed_by: BTreeMap<String, u64>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct ColumnOutcome {
    pub(super) column: String,
    pub(super) change: String,
    /// In how many cells.
    pub(super) cells: usize,
    pub(super) caught: bool,
    pub(super) swallowed_by: Vec<String>,
}

#[derive(Debug, Serialize)]
pub(super) struct LeftOut {
    pub(super) change: String,
    pub(super) why: String,
}

impl Power {
    pub(super) fn add(&mut self, column: Option<&str>, change: &str, swallowed_by: Option<String>) {
        let known = self
            .planted
            .iter()
            .position(|outcome| outcome.column.as_deref() == column && outcome.change == change);
        let at = known.unwrap_or_else(|| {
            self.planted.push(Outcome {
                column: column.map(str::to_owned),
                change: change.to_owned(),
                planted: 0,
                caught: 0,
                swallowed_by: BTreeMap::new(),
            });
            self.planted.len() - 1
        });
        let outcome = &mut self.planted[at];
        outcome.planted += 1;
        match swallowed_by {
            None => outcome.caught += 1,
            Some(by) => *outcome.swallowed_by.entry(by).or_default() += 1,
        }
    }

    /// Puts outcomes in the order of these changes and columns, and says what is blind, once all is known.
    pub(super) fn finish(&mut self, changes: &[&str], columns: &[&str]) {
        let place = |names: &[&str], name: &str| names.iter().position(|known| *known == name);
        self.planted.sort_by_key(|outcome| {
            let column = outcome.column.as_deref().map(|name| place(columns, name));
            (place(changes, &outcome.change), column)
        });
        let mut caught: BTreeMap<(bool, String), u64> = BTreeMap::new();
        for outcome in &self.planted {
            let name = outcome.column.clone().unwrap_or_else(|| outcome.change.clone());
            *caught.entry((outcome.column.is_some(), name)).or_default() += outcome.caught;
        }
        for outcome in &self.columns {
            *caught.entry((true, outcome.column.clone())).or_default() += u64::from(outcome.caught);
        }
        let blind = caught.into_iter().filter(|(_, caught)| *caught == 0);
        self.blind = blind.map(|((_, name), _)| name).collect();
    }

    pub(super) fn count(&self) -> u64 {
        self.planted.iter().map(|outcome| outcome.planted).sum()
    }

    pub(super) fn caught(&self) -> u64 {
        self.planted.iter().map(|outcome| outcome.caught).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_is_blind_where_nothing_in_it_is_caught() {
        let mut power = Power::default();
        power.add(Some("a"), "sign", None);
        power.add(Some("a"), "sign", Some("rule `r`".to_owned()));
        power.add(Some("b"), "sign", Some("rule `r`".to_owned()));
        power.add(Some("c"), "sign", Some("rule `r`".to_owned()));
        power.add(None, "duplicate_key", Some("rule `r`".to_owned()));
        power.columns.push(ColumnOutcome {
            column: "c".to_owned(),
            change: "scale(100)".to_owned(),
            cells: 3,
            caught: true,
            swallowed_by: Vec::new(),
        });
        power.finish(&["duplicate_key", "sign", "scale(100)"], &["a", "b", "c"]);
        assert_eq!(power.blind, ["duplicate_key", "b"]);
        assert_eq!((power.count(), power.caught()), (5, 1));
        assert_eq!(power.planted[1].swallowed_by, BTreeMap::from([("rule `r`".to_owned(), 1)]));
    }
}
