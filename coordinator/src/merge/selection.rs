//! Which differences `output.max_differences` leaves: every column and kind gets the same quota, as far as it has any; within one, first one
//! of every account, then a second, by a fixed hash. The choice is a function of the differences alone.

use super::sorted::Sorted;
use shadowdiff_common::spool::Spool;
use shadowdiff_core::error::Result;
use shadowdiff_core::plan::Plan;
use shadowdiff_core::spec::DifferenceKind;
use shadowdiff_core::tally::Tally;
use siphasher::sip::SipHasher24;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};

/// The numbers of the differences that stay, in their order; `None` for all.
pub(super) fn choose(plan: &Plan, tally: &Tally, runs: &[Spool]) -> Result<Option<BTreeSet<u64>>> {
    let Some(most) = plan.spec.output.max_differences.filter(|most| tally.differences() > *most) else {
        return Ok(None);
    };
    if most == 0 {
        return Ok(Some(BTreeSet::new()));
    }
    let columns = plan.aligned.columns.len() as u32;
    let quotas = quotas(&strata(plan, tally), most);
    let mut best: BTreeMap<u32, BinaryHeap<(u64, u64, u64)>> = BTreeMap::new();
    let mut of_account: BTreeMap<u32, u64> = BTreeMap::new();
    let mut account: Vec<u8> = Vec::new();
    let hasher = SipHasher24::new_with_key(b"shadowdiff.pick.");
    let mut sorted = Sorted::new(runs)?;
    let mut number = 0;
    while let Some(next) = sorted.next()? {
        let sort_key = next.sort_key;
        if account != sort_key.account() {
            account = sort_key.account().to_vec();
            of_account.clear();
        }
        let stratum = match sort_key.column() {
            Some(column) => column as u32,
            None => columns + sort_key.kind()? as u32,
        };
        let turn = of_account.entry(stratum).or_default();
        let heap = best.entry(stratum).or_default();
        heap.push((*turn, hasher.hash(sort_key.bytes), number));
        if heap.len() as u64 > quotas.get(&stratum).copied().unwrap_or(0) {
            heap.pop();
        }
        *turn += 1;
        number += 1;
    }
    Ok(Some(best.into_values().flatten().map(|(_, _, number)| number).collect()))
}

/// Differences by column, then by row-level kind.
fn strata(plan: &Plan, tally: &Tally) -> BTreeMap<u32, u64> {
    let columns = plan.aligned.columns.len() as u32;
    let kinds = [
        (DifferenceKind::MissingInShadow, tally.missing_in_shadow),
        (DifferenceKind::MissingInLive, tally.missing_in_live),
        (DifferenceKind::DuplicateKey, tally.duplicate_key),
    ];
    let rows = kinds
        .into_iter()
        .filter(|(_, n)| *n > 0)
        .map(|(kind, n)| (columns + kind as u32, n));
    let cells = tally.cells.iter().map(|(column, n)| (*column as u32, *n));
    cells.chain(rows).collect()
}

/// Shares `most` differences out: the same number for each stratum, what one does not need going to the others.
fn quotas(strata: &BTreeMap<u32, u64>, most: u64) -> BTreeMap<u32, u64> {
    let mut quotas: BTreeMap<u32, u64> = strata.keys().map(|s| (*s, 0)).collect();
    let mut left = most;
    while left > 0 {
        let open: Vec<u32> = strata.iter().filter(|(s, n)| quotas[*s] < **n).map(|(s, _)| *s).collect();
        if open.is_empty() {
            break;
        }
        let each = (left / open.len() as u64).max(1);
        for stratum in open {
            let more = each.min(strata[&stratum] - quotas[&stratum]).min(left);
            *quotas.get_mut(&stratum).expect("every stratum has a quota") += more;
            left -= more;
        }
    }
    quotas
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotas_are_even_and_use_all() {
        for (counts, most, expected) in [
            (vec![100, 3, 100], 30, vec![14, 3, 13]),
            (vec![5, 5], 20, vec![5, 5]),
            (vec![10, 10, 10], 2, vec![1, 1, 0]),
            (vec![1000], 7, vec![7]),
        ] {
            let strata: BTreeMap<u32, u64> = counts.iter().enumerate().map(|(i, n)| (i as u32, *n)).collect();
            assert_eq!(
                quotas(&strata, most).into_values().collect::<Vec<u64>>(),
                expected,
                "{counts:?} {most}"
            );
        }
    }
}
