//! A roll-out by a finished result: which accounts may flip, in which ring, and what holds the others.
//!
//! No account is safe that was not compared, has an exception, or needs a rule that broke its bounds. What is broken of the release as a whole
//! lets nobody flip.

mod blockers;
mod rings;

pub use blockers::{BlockerCount, BlockerCounts, Blockers};
pub use rings::{Division, Exposures, MAX_RINGS, Ring, rings};

use crate::error::{Error, Result};
use crate::report::{AccountRecord, Decision, Summary};
use crate::side::Side;
use crate::spec::{BaselineSpec, ListedAccounts, Spec, parse_again};

/// The threshold that speaks of single accounts: whoever has an exception is held. All others speak of the release.
const OF_SINGLE_ACCOUNTS: &str = "max_exceptions";

/// The spec of a result.
pub fn spec_of(summary: &Summary) -> Result<Spec> {
    Ok(parse_again(&summary.spec, "summary.json")?.spec)
}

/// Fails where the result of a spec does not list every account: of those that it leaves out nobody knows whether they were compared.
pub fn check_lists_all(spec: &Spec) -> Result<()> {
    match spec.output.accounts {
        ListedAccounts::All => Ok(()),
        ListedAccounts::Differing => Err(Error::input(
            "the result lists the accounts that differ alone: of the others nobody knows whether they were compared",
        )
        .advice("write `output: {accounts: all}` into the spec and compare again")),
    }
}

/// Why no account may flip, in words; empty where those that are safe may.
pub fn release_blockers(summary: &Summary) -> Vec<String> {
    let single = summary.thresholds.iter().filter(|threshold| threshold.name == OF_SINGLE_ACCOUNTS);
    let single: Vec<&String> = single.flat_map(|threshold| &threshold.broken).collect();
    let mut blockers: Vec<String> = summary.broken.iter().filter(|broken| !single.contains(broken)).cloned().collect();
    let rows = &summary.rows;
    let nothing = rows.cancelled + rows.within_tolerance + rows.changed == 0;
    // The spec may allow a comparison of nothing; it is no proof that anything is safe.
    if nothing && blockers.is_empty() {
        blockers.push("nothing was compared: no row of one side has a partner on the other".to_owned());
    }
    blockers
}

/// Whether the new version is live for an account already. `is_listed`: whether the baseline's list names it.
pub fn is_flipped(baseline: &BaselineSpec, is_listed: bool) -> bool {
    (baseline.default == Side::Shadow) != is_listed
}

/// What becomes of an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It may flip; so many rows are exposed.
    Safe {
        rows: u64,
    },
    Hold,
    /// It has flipped, and nothing speaks against it.
    Flipped,
    /// It has flipped, and should not have.
    FlipBack,
    /// It has not flipped, and is none of those that were asked for.
    LeftOut,
}

/// `is_asked`: whether it is one of those that may flip at all.
pub fn standing(of: &AccountRecord, is_flipped: bool, is_asked: bool) -> Standing {
    match (is_flipped, exposed_rows(of)) {
        (true, Some(_)) => Standing::Flipped,
        (true, None) => Standing::FlipBack,
        (false, _) if !is_asked => Standing::LeftOut,
        (false, Some(rows)) => Standing::Safe { rows },
        (false, None) => Standing::Hold,
    }
}

/// Rows without an account belong to nobody whom a flag could name.
pub fn is_named(of: &AccountRecord) -> bool {
    of.account.iter().all(|field| field.as_deref().is_some_and(|text| !text.is_empty()))
}

/// Whether it was compared, and nothing of its own speaks against it.
pub fn is_safe(of: &AccountRecord) -> bool {
    let is_compared = match of.decision {
        Decision::Hold => false,
        Decision::Flip => of.exceptions == 0 && of.rows > 0,
        Decision::NoDifference => of.rows == 0 && of.seen.is_some_and(|seen| seen.live > 0 && seen.shadow > 0),
    };
    is_compared && is_named(of)
}

/// The rows of a safe account that somebody sees: of the side that has more. `None` for an account that is not safe.
fn exposed_rows(of: &AccountRecord) -> Option<u64> {
    let rows = of.seen.map(|seen| seen.live.max(seen.shadow)).filter(|rows| *rows > 0)?;
    is_safe(of).then_some(rows)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{own_summary, read_fields};
    use crate::verdict::Threshold;

    fn account(record: &str) -> AccountRecord {
        AccountRecord::read(read_fields(record), 1).expect("an account")
    }

    #[test]
    fn an_account_is_safe_only_if_all_of_it_was_compared_and_nothing_speaks_against_it() {
        for (record, safe) in [
            ("a,0,0,0,no_difference,3,4", Some(4)),
            ("a,2,2,0,flip,3,0", Some(3)),
            ("a,2,1,1,hold,3,3", None),
            ("a,2,2,0,hold,3,3", None),
            ("a,2,1,1,flip,3,3", None),
            ("a,0,0,0,no_difference,3,0", None),
            ("a,0,0,0,no_difference,0,0", None),
            ("a,1,1,0,flip", None),
            (",0,0,0,no_difference,1,1", None),
            ("\"\",0,0,0,no_difference,1,1", None),
        ] {
            let account = account(record);
            let [stays, goes] = match safe {
                Some(rows) => [Standing::Flipped, Standing::Safe { rows }],
                None => [Standing::FlipBack, Standing::Hold],
            };
            assert_eq!(standing(&account, false, true), goes, "{record}");
            assert_eq!(standing(&account, true, true), stays, "{record}");
            assert_eq!(standing(&account, true, false), stays, "{record}: whoever has flipped is looked at");
            assert_eq!(standing(&account, false, false), Standing::LeftOut, "{record}");
        }
    }

    #[test]
    fn what_is_broken_of_the_release_lets_nobody_flip() {
        let mut summary = own_summary(include_str!("../tests/golden/summary.json").as_bytes()).expect("ours");
        summary.rows.cancelled = 1;
        let threshold = |name: &str, broken: &[&str]| Threshold {
            name: name.to_owned(),
            limit: "0".to_owned(),
            broken: broken.iter().map(|text| (*text).to_owned()).collect(),
        };
        for (broken, thresholds, blockers) in [
            (vec!["e"], vec![threshold("max_exceptions", &["e"])], vec![]),
            (vec!["e", "r"], vec![threshold("max_exceptions", &["e"])], vec!["r"]),
            (vec!["a"], vec![threshold("max_exception_accounts", &["a"])], vec!["a"]),
            // Of an older summary nobody knows what each is.
            (vec!["e"], vec![], vec!["e"]),
            (vec![], vec![], vec![]),
        ] {
            summary.broken = broken.into_iter().map(str::to_owned).collect();
            summary.thresholds = thresholds;
            assert_eq!(release_blockers(&summary), blockers);
        }
        (summary.rows.cancelled, summary.rows.within_tolerance, summary.rows.changed) = (0, 0, 0);
        assert_eq!(release_blockers(&summary).len(), 1, "nothing was compared");
    }

    #[test]
    fn the_baseline_says_who_has_flipped() {
        for (default, is_listed, flipped) in [
            (Side::Live, false, false),
            (Side::Live, true, true),
            (Side::Shadow, false, true),
            (Side::Shadow, true, false),
        ] {
            let baseline = BaselineSpec { default, flipped: None };
            assert_eq!(is_flipped(&baseline, is_listed), flipped);
        }
    }
}
