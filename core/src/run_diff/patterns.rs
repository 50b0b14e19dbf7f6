//! What has become of patterns of rows, from one run to the next. A summary lists the first ones alone, so what one does not list may be there all
//! the same; and a pattern is fixed only where all accounts that it may have been in were compared again.

use crate::patterns::{RowPatternSummary, RowSummary};
use crate::render::{described_acceptance, described_rows};
use crate::report::{AcceptanceSummary, Summary};
use crate::words::words;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

words! {
    /// What has become of a pattern that one of the runs has.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
    #[serde(rename_all = "snake_case")]
    pub enum PatternChange {
        /// Only the later run has it.
        New = "new",
        /// Accepted before, and an exception now.
        Regressed = "regressed",
        /// In more rows than before.
        Grown = "grown",
        /// In no more rows than before.
        Persisting = "persisting",
        /// An exception before, and accepted now.
        Accepted = "accepted",
        /// Only the earlier run has it, and all accounts that it held were compared again, in the same way.
        Fixed = "fixed",
        /// One run has it; the other does not list it, or may not have compared its rows.
        Unknown = "unknown",
    }
}

/// A pattern of either run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ChangedPattern {
    pub fingerprint: String,
    /// What happens to its rows, in words.
    pub description: String,
    /// Rows with it as exceptions; null where the run does not list it.
    pub before: Option<u64>,
    pub after: Option<u64>,
}

/// The patterns of two runs by what has become of them, those of the most rows first.
pub(super) fn changes(before: &Summary, after: &Summary, is_all_compared_again: bool) -> BTreeMap<PatternChange, Vec<ChangedPattern>> {
    let (earlier, later) = (listed(&before.row_patterns), listed(&after.row_patterns));
    let (once, now) = (accepted(before), accepted(after));
    let names: BTreeSet<&str> = earlier.keys().chain(later.keys()).copied().collect();
    let mut changes: BTreeMap<PatternChange, Vec<ChangedPattern>> = BTreeMap::new();
    for name in names {
        let (old, new) = (earlier.get(name), later.get(name));
        let change = match (old, new) {
            (Some(old), Some(new)) if new.rows > old.rows => PatternChange::Grown,
            (Some(_), Some(_)) => PatternChange::Persisting,
            (None, _) if once.contains_key(name) => PatternChange::Regressed,
            (None, _) if lists_all(before) => PatternChange::New,
            (Some(_), None) if now.contains_key(name) => PatternChange::Accepted,
            (Some(_), None) if lists_all(after) && is_all_compared_again => PatternChange::Fixed,
            (None, _) | (Some(_), None) => PatternChange::Unknown,
        };
        let described = new.or(old).map(|pattern| described_rows(pattern));
        let accepted = || now.get(name).map(|of| described_acceptance(&of.acceptance));
        changes.entry(change).or_default().push(ChangedPattern {
            fingerprint: name.to_owned(),
            description: described.or_else(accepted).unwrap_or_default(),
            before: old.map(|pattern| pattern.rows),
            after: new.map(|pattern| pattern.rows),
        });
    }
    for of in changes.values_mut() {
        of.sort_by_key(|pattern| std::cmp::Reverse(pattern.after.or(pattern.before)));
    }
    changes
}

fn listed(rows: &RowSummary) -> BTreeMap<&str, &RowPatternSummary> {
    let all = rows.listed.iter().chain(&rows.listed_alone);
    all.map(|pattern| (pattern.fingerprint.as_str(), pattern)).collect()
}

/// Whether each pattern that there is stands in the lists. Of what is noise none does.
fn lists_all(of: &Summary) -> bool {
    let rows = &of.row_patterns;
    of.differences.noise == 0
        && rows.beyond.rows == 0
        && rows.patterns == rows.listed.len() as u64
        && rows.alone == rows.listed_alone.len() as u64
}

/// Those that are accepted in a run, some of their rows at least.
fn accepted(of: &Summary) -> BTreeMap<&str, &AcceptanceSummary> {
    let counts = |of: &&AcceptanceSummary| of.lines > 0 && of.broken.is_empty() && !of.is_over;
    let all = of.accepted.iter().filter(counts);
    all.map(|of| (of.acceptance.pattern.as_str(), of)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::own_summary;

    /// The golden summary with patterns of these fingerprints, each in so many rows.
    fn run(patterns: &[(&str, u64)]) -> Summary {
        let text = include_str!("../../tests/golden/summary.json");
        let mut summary = own_summary(text.as_bytes()).expect("the golden summary");
        let rows = &mut summary.row_patterns;
        let one = rows.listed_alone[0].clone();
        let named = |(name, rows): &(&str, u64)| RowPatternSummary {
            fingerprint: (*name).to_owned(),
            rows: *rows,
            ..one.clone()
        };
        rows.listed = patterns.iter().map(named).collect();
        rows.listed_alone.clear();
        (rows.patterns, rows.alone) = (patterns.len() as u64, 0);
        summary
    }

    fn told(before: &Summary, after: &Summary, compared_again: bool) -> String {
        let all = changes(before, after, compared_again).into_iter();
        let one = |(change, of): (PatternChange, Vec<ChangedPattern>)| {
            let names: Vec<&str> = of.iter().map(|pattern| pattern.fingerprint.as_str()).collect();
            format!("{} {}", change.name(), names.join(" "))
        };
        all.map(one).collect::<Vec<_>>().join(", ")
    }

    #[test]
    fn a_pattern_is_new_or_fixed_only_where_that_is_known() {
        let (one, two) = (run(&[("a", 3), ("b", 3), ("c", 3)]), run(&[("b", 3), ("c", 9), ("d", 2), ("e", 5)]));
        assert_eq!(told(&one, &two, true), "new e d, grown c, persisting b, fixed a");
        assert_eq!(told(&one, &two, false), "new e d, grown c, persisting b, unknown a");
        let subtracted = |mut run: Summary| {
            run.differences.noise = 1;
            run
        };
        assert_eq!(
            told(&one, &subtracted(two.clone()), true),
            "new e d, grown c, persisting b, unknown a"
        );
        assert_eq!(
            told(&subtracted(one.clone()), &two, true),
            "grown c, persisting b, fixed a, unknown e d"
        );
        let cut = |mut run: Summary| {
            run.row_patterns.patterns += 1;
            run
        };
        assert_eq!(told(&cut(one.clone()), &cut(two), true), "grown c, persisting b, unknown e a d");
    }
}
