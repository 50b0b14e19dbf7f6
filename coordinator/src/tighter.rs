//! What tighter tolerances would leave: a comparison keeps of each column how much of its tolerance the cells use that are within it.
//!
//! How many cells more would differ is exact. How many of them would be exceptions depends on rules that were not asked about them: as few as
//! none, and as many as all; without rules all are. What is accepted or noise goes by rows and counts, so that what differs already may change sides too.

use crate::rejudge::Rejudged;
use serde::Serialize;
use shadowdiff_core::report::Summary;
use shadowdiff_core::tolerance_use::{HALVINGS, ToleranceUse};

/// Columns that are told of, those with the most cells within tolerance.
const COLUMNS: usize = 10;

/// A column with cells that differ within its tolerance.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Tighter {
    pub column: String,
    pub comparator: String,
    /// Cells within the tolerance, and exceptions in the column, as it is.
    pub cells: u64,
    pub exceptions: u64,
    /// The tightest of the tried tolerances by which nothing more differs, as a spec writes it; `None` where some cell uses more than
    /// a half.
    pub tightest: Option<String>,
    /// The least tight first. Those that leave as much as the one before are left out.
    pub steps: Vec<TighterStep>,
}

/// What a tighter tolerance of one column would leave, all else as it is.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct TighterStep {
    /// As a spec writes it: all bounds of the comparator, halved so many times.
    pub comparator: String,
    pub halvings: u32,
    /// Cells that would differ besides.
    pub cells: u64,
    /// Exceptions in the column, at least and at most.
    pub exceptions_least: u64,
    pub exceptions_most: u64,
}

pub(crate) fn tighter(of: &Rejudged, as_it_is: &Summary) -> Vec<Tighter> {
    let spec = &of.plan.spec;
    let is_open = !of.plan.accepted.is_empty() || spec.verdict.subtracts_noise;
    let mut columns: Vec<(usize, ToleranceUse)> = of.compared.tally.tolerance_use.iter().map(|(at, used)| (*at, *used)).collect();
    // Only of what is measured whole is it known how much more would differ.
    columns.retain(|(at, used)| used.unmeasured == 0 && of.plan.aligned.columns[*at].comparator().halved(1).is_some());
    columns.sort_by_key(|(_, used)| std::cmp::Reverse(used.cells()));
    columns.truncate(COLUMNS);
    let one = |(at, used): (usize, ToleranceUse)| {
        let column = &of.plan.aligned.columns[at];
        let known = as_it_is.columns.iter().find(|known| known.column == column.name);
        let (exceptions, differing) = known.map_or((0, 0), |known| (known.exceptions, known.differing));
        let least = |cells: u64| match spec.expected.is_empty() {
            _ if is_open => 0,
            true => exceptions + cells,
            false => exceptions,
        };
        let (mut steps, mut before, mut tightest) = (Vec::new(), 0, None);
        for halvings in 1..=HALVINGS {
            let Some(comparator) = column.comparator().halved(halvings) else {
                break;
            };
            let cells = used.beyond(halvings);
            if cells == 0 {
                tightest = Some(comparator.to_string());
            }
            if cells > before {
                steps.push(TighterStep {
                    comparator: comparator.to_string(),
                    halvings,
                    cells,
                    exceptions_least: least(cells),
                    exceptions_most: cells + if is_open { differing } else { exceptions },
                });
            }
            before = cells;
        }
        Tighter {
            column: column.name.clone(),
            comparator: column.comparator().to_string(),
            cells: used.cells(),
            exceptions,
            tightest,
            steps,
        }
    };
    columns.into_iter().map(one).collect()
}
