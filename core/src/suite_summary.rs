//! What came out of a suite: each member with its verdict, and one verdict for all. It is a function of the members' results alone.

use crate::error::Error;
use crate::report::{Check, Summary, checks};
use crate::side::{Side, Sides};
use crate::spec::MemberKind;
use crate::tally::plural;
use crate::verdict::Verdict;
use crate::words::words;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// The version of `suite.json`.
const VERSION: u32 = 1;
/// Columns that are told of a member, those with the most exceptions.
const MAX_COLUMNS: usize = 10;

/// A suite after all its members were compared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SuiteSummary {
    pub version: u32,
    pub suite: String,
    pub verdict: Verdict,
    /// Why it does not pass, a sentence for each member that does not.
    pub broken: Vec<String>,
    /// The day that `until` is compared with where a spec does not say.
    pub as_of: String,
    /// In the order in which they were compared, then those that one side lacks.
    pub tasks: Vec<MemberSummary>,
    /// Folders that `skip` leaves out.
    pub skipped: Vec<String>,
}

words! {
    /// What became of a member.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
    #[serde(rename_all = "snake_case")]
    pub enum MemberState {
        Pass = "pass",
        Fail = "fail",
        /// It could not be compared.
        Error = "error",
        OnlyInLive = "only in live",
        OnlyInShadow = "only in shadow",
    }
}

/// A member of a suite.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemberSummary {
    /// Also the folder of its result, where it has one.
    pub name: String,
    pub kind: MemberKind,
    pub state: MemberState,
    /// Its broken thresholds in words, or why it could not be compared.
    pub broken: Vec<String>,
    pub after: Vec<String>,
    /// Of those that it follows, the ones that do not pass.
    pub behind: Vec<String>,
    /// Where it was compared.
    pub counts: Option<MemberCounts>,
    /// Columns with exceptions, the most first.
    pub columns: Vec<MemberColumn>,
    pub checks: Vec<Check>,
    pub warnings: Vec<String>,
}

/// What was counted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemberCounts {
    pub live_rows: u64,
    pub shadow_rows: u64,
    pub exceptions: u64,
    pub expected: u64,
    pub accepted: u64,
    pub accounts_with_exceptions: u64,
}

/// A column with exceptions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemberColumn {
    pub column: String,
    pub exceptions: u64,
}

impl MemberSummary {
    /// Of a member with a result.
    pub fn compared(name: &str, kind: MemberKind, after: &[String], result: &Summary) -> MemberSummary {
        let mut columns: Vec<MemberColumn> = result
            .columns
            .iter()
            .filter(|column| column.exceptions > 0)
            .map(|of| MemberColumn {
                column: of.column.clone(),
                exceptions: of.exceptions,
            })
            .collect();
        columns.sort_by_key(|of| std::cmp::Reverse(of.exceptions));
        columns.truncate(MAX_COLUMNS);
        MemberSummary {
            state: match result.verdict {
                Verdict::Pass => MemberState::Pass,
                Verdict::Fail => MemberState::Fail,
            },
            broken: result.broken.clone(),
            counts: Some(MemberCounts {
                live_rows: result.rows.live.read,
                shadow_rows: result.rows.shadow.read,
                exceptions: result.differences.exceptions,
                expected: result.differences.expected,
                accepted: result.differences.accepted,
                accounts_with_exceptions: result.accounts.with_exceptions,
            }),
            columns,
            checks: checks(result),
            warnings: result.warnings.clone(),
            ..MemberSummary::without_result(name, kind, after, MemberState::Pass)
        }
    }

    /// Of a member that could not be compared.
    pub fn failed(name: &str, kind: MemberKind, after: &[String], error: &Error) -> MemberSummary {
        MemberSummary {
            broken: error.to_string().lines().map(|line| line.trim().to_owned()).collect(),
            ..MemberSummary::without_result(name, kind, after, MemberState::Error)
        }
    }

    fn one_sided(name: &str, side: Side) -> MemberSummary {
        let state = match side {
            Side::Live => MemberState::OnlyInLive,
            Side::Shadow => MemberState::OnlyInShadow,
        };
        MemberSummary {
            broken: vec![format!(
                "{} lacks it: `folders.skip` leaves out what is not meant to be compared",
                side.other()
            )],
            ..MemberSummary::without_result(name, MemberKind::Task, &[], state)
        }
    }

    fn without_result(name: &str, kind: MemberKind, after: &[String], state: MemberState) -> MemberSummary {
        MemberSummary {
            name: name.to_owned(),
            kind,
            state,
            broken: Vec::new(),
            after: after.to_vec(),
            behind: Vec::new(),
            counts: None,
            columns: Vec::new(),
            checks: Vec::new(),
            warnings: Vec::new(),
        }
    }

    /// Why it does not pass; `None` where it does.
    pub fn why(&self) -> Option<String> {
        let broken = self.broken.join("; ");
        let name = &self.name;
        Some(match (self.state, self.kind) {
            (MemberState::Pass, _) => return None,
            (MemberState::Fail, MemberKind::Task) => format!("{name} fails: {broken}"),
            (MemberState::Fail, MemberKind::SameInputs) => format!("{name}: live and shadow did not read the same: {broken}"),
            (MemberState::Error, _) => format!("{name} could not be compared: {broken}"),
            (MemberState::OnlyInLive | MemberState::OnlyInShadow, _) => format!("{name} is {}: {broken}", self.state.name()),
        })
    }
}

impl SuiteSummary {
    /// Of the members in their order, and of those that one side lacks.
    pub fn new(
        suite: &str,
        as_of: &str,
        members: Vec<MemberSummary>,
        one_sided: &Sides<Vec<String>>,
        skipped: Vec<String>,
    ) -> SuiteSummary {
        let mut tasks = members;
        for side in Side::BOTH {
            tasks.extend(one_sided[side].iter().map(|name| MemberSummary::one_sided(name, side)));
        }
        let not_passing: BTreeSet<String> = tasks
            .iter()
            .filter(|of| of.state != MemberState::Pass)
            .map(|of| of.name.clone())
            .collect();
        for of in &mut tasks {
            of.behind = of.after.iter().filter(|name| not_passing.contains(*name)).cloned().collect();
        }
        let mut broken: Vec<String> = tasks.iter().filter_map(MemberSummary::why).collect();
        if !tasks.iter().any(|of| of.kind == MemberKind::Task) {
            broken.push("no task was compared".to_owned());
        }
        SuiteSummary {
            version: VERSION,
            suite: suite.to_owned(),
            verdict: Verdict::of(&broken),
            broken,
            as_of: as_of.to_owned(),
            tasks,
            skipped,
        }
    }

    /// Whether a member could not be compared, so that the verdict is not of all of them.
    pub fn has_error(&self) -> bool {
        self.tasks.iter().any(|of| of.state == MemberState::Error)
    }

    /// How many members came to which end: `FAIL: of 5 tasks 3 pass, 1 fails, 1 is only in live`.
    pub fn headline(&self) -> String {
        let count = |wanted: &[MemberState]| self.tasks.iter().filter(|of| wanted.contains(&of.state)).count();
        let ends = [
            (count(&[MemberState::Pass]), "pass", "passes"),
            (count(&[MemberState::Fail]), "fail", "fails"),
            (count(&[MemberState::Error]), "could not be compared", "could not be compared"),
            (count(&[MemberState::OnlyInLive]), "are only in live", "is only in live"),
            (count(&[MemberState::OnlyInShadow]), "are only in shadow", "is only in shadow"),
        ];
        let ends = ends.iter().filter(|(count, _, _)| *count > 0);
        let ends: Vec<String> = ends
            .map(|(n, many, one)| format!("{n} {}", if *n == 1 { one } else { many }))
            .collect();
        let all = self.tasks.len();
        format!(
            "{}: of {all} {} {}",
            self.verdict.name().to_uppercase(),
            plural(all as u64, "task"),
            ends.join(", ")
        )
    }

    /// The summary that somebody stored, if it is one of ours.
    pub fn parse(bytes: &[u8]) -> Option<SuiteSummary> {
        serde_json::from_slice(bytes).ok().filter(|of: &SuiteSummary| of.version == VERSION)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::own_summary;

    fn compared(name: &str, after: &[&str], verdict: Verdict) -> MemberSummary {
        let mut result = own_summary(include_bytes!("../tests/golden/summary.json")).expect("the golden summary");
        result.verdict = verdict;
        let after: Vec<String> = after.iter().map(|name| (*name).to_owned()).collect();
        MemberSummary::compared(name, MemberKind::Task, &after, &result)
    }

    fn suite(members: Vec<MemberSummary>, one_sided: Sides<Vec<String>>) -> SuiteSummary {
        SuiteSummary::new("s", "2026-11-01", members, &one_sided, Vec::new())
    }

    #[test]
    fn only_what_was_compared_and_passes_is_a_pass() {
        let pass = || compared("a", &[], Verdict::Pass);
        let error = || MemberSummary::failed("b", MemberKind::Task, &["a".to_owned()], &Error::input("no files").file("x"));
        assert_eq!(suite(vec![pass()], Sides::default()).verdict, Verdict::Pass);
        for (members, one_sided) in [
            (vec![], Sides::default()),
            (vec![pass(), error()], Sides::default()),
            (vec![pass(), compared("c", &[], Verdict::Fail)], Sides::default()),
            (vec![pass()], Sides::new(vec!["d".to_owned()], Vec::new())),
            (vec![pass()], Sides::new(Vec::new(), vec!["d".to_owned()])),
        ] {
            let found = suite(members, one_sided);
            assert_eq!(found.verdict, Verdict::Fail, "{found:?}");
        }
        let inputs = MemberSummary::compared(
            "raw",
            MemberKind::SameInputs,
            &[],
            &own_summary(include_bytes!("../tests/golden/summary.json")).expect("golden"),
        );
        assert!(
            suite(vec![inputs], Sides::default())
                .broken
                .iter()
                .any(|why| why.contains("no task"))
        );
    }

    #[test]
    fn what_follows_a_failure_says_so() {
        let members = vec![
            compared("a", &[], Verdict::Fail),
            compared("b", &["a", "d"], Verdict::Pass),
            compared("c", &["b"], Verdict::Pass),
        ];
        let found = suite(members, Sides::new(vec!["d".to_owned()], Vec::new()));
        let behind: Vec<&[String]> = found.tasks.iter().map(|of| of.behind.as_slice()).collect();
        assert_eq!(behind[1], ["a", "d"]);
        assert!(behind[2].is_empty());
        assert_eq!(found.headline(), "FAIL: of 4 tasks 2 pass, 1 fails, 1 is only in live");
        let text = serde_json::to_vec(&found).expect("JSON");
        assert_eq!(SuiteSummary::parse(&text), Some(found));
    }
}
