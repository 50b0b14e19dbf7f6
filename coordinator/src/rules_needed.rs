//! Which rules a judgement needs: a finished comparison is judged without each of them, and by the fewest that cover the same differences.

use crate::judged::{Judged, judged};
use crate::judged_rows::each_row;
use crate::rejudge::{NewRules, Rejudged, parsed_again};
use serde::Serialize;
use shadowdiff_common::spool::Scratch;
use shadowdiff_core::error::{Kind, Result};
use shadowdiff_core::tally::Judgement;
use std::collections::BTreeSet;
use std::path::Path;

/// Of so many rules every set is looked at; of more a set from which none can be left out.
const ALL_SETS: usize = 12;
/// Of more nothing is said: a set of rules is a number of 64 bits.
const MOST_RULES: usize = 64;
/// Sets that are judged whole though they cover the same, before the search is given up.
const MOST_JUDGED: usize = 16;
/// Ways in which rules overlap.
const MOST_OVERLAPS: usize = 1 << 16;

#[derive(Debug, Default, Serialize)]
pub struct RulesNeeded {
    /// In the order of the spec.
    pub rules: Vec<WithoutRule>,
    pub smallest: Option<SmallestRules>,
    /// Whether there are too many to say anything.
    pub are_too_many: bool,
}

/// What the verdict would be without a rule.
#[derive(Debug, Serialize)]
pub struct WithoutRule {
    pub name: String,
    /// Whether it is known that something of the verdict, the exceptions or the thresholds is another without it.
    pub is_needed: bool,
    /// `None` where the comparison cannot be judged without it.
    pub judged: Option<Judged>,
}

/// Rules that cover what all of them cover, with the same verdict, exceptions and thresholds.
#[derive(Debug, Serialize)]
pub struct SmallestRules {
    pub rules: Vec<String>,
    /// Whether no smaller set does so. Else none of them can be left out, but others might be fewer.
    pub is_proven: bool,
}

/// A set of rules, by their numbers.
type Set = u64;

impl NewRules<'_> {
    /// Judges without one rule after the other, and looks for the fewest. `found`: what the comparison found, by all rules.
    pub(crate) async fn rules_needed(&self, result: &Path, found: &Rejudged, all: &Judged, scratch: &Scratch) -> Result<RulesNeeded> {
        let count = self.parsed.spec.expected.len();
        if count > MOST_RULES {
            return Ok(RulesNeeded {
                are_too_many: true,
                ..RulesNeeded::default()
            });
        }
        let every = (0..count).fold(0, |set, at| set | 1 << at);
        let mut rules = Vec::new();
        for (at, rule) in self.parsed.spec.expected.iter().enumerate() {
            let judged = self.judged_by(every & !(1 << at), result, found, scratch).await?;
            rules.push(WithoutRule {
                name: rule.name.clone(),
                is_needed: judged.as_ref().is_some_and(|judged| judged != all),
                judged,
            });
        }
        let smallest = match overlaps(found, &self.parsed.document, scratch)? {
            Some(overlaps) if count > 0 && rules.iter().all(|rule| rule.judged.is_some()) => {
                Some(self.smallest(every, &overlaps, (result, found), all, scratch).await?)
            }
            _ => None,
        };
        let named = |(set, is_proven): (Set, bool)| SmallestRules {
            rules: (0..count)
                .filter(|at| set & (1 << at) != 0)
                .map(|at| rules[at].name.clone())
                .collect(),
            is_proven,
        };
        Ok(RulesNeeded {
            smallest: smallest.map(named),
            rules,
            are_too_many: false,
        })
    }

    /// The fewest rules that cover the same and say the same, and whether they are known to be the fewest.
    async fn smallest(
        &self,
        every: Set,
        overlaps: &BTreeSet<Set>,
        (result, found): (&Path, &Rejudged),
        all: &Judged,
        scratch: &Scratch,
    ) -> Result<(Set, bool)> {
        let covers = |set: Set| overlaps.iter().all(|rules| rules & set != 0);
        if every.count_ones() as usize <= ALL_SETS {
            let mut sets: Vec<Set> = (0..=every).filter(|set| covers(*set)).collect();
            // Of as many rules those that come first in the spec.
            sets.sort_by_key(|set| (set.count_ones(), set.reverse_bits()));
            let fewest = sets.len().min(MOST_JUDGED);
            for set in &sets[..fewest] {
                if self.judged_by(*set, result, found, scratch).await?.as_ref() == Some(all) {
                    return Ok((*set, true));
                }
            }
        }
        let mut set = every;
        for at in (0..every.count_ones()).rev() {
            let without = set & !(1 << at);
            if covers(without) && self.judged_by(without, result, found, scratch).await?.as_ref() == Some(all) {
                set = without;
            }
        }
        Ok((set, false))
    }

    /// What a spec with these rules alone says; `None` where it cannot judge.
    async fn judged_by(&self, set: Set, result: &Path, as_it_is: &Rejudged, scratch: &Scratch) -> Result<Option<Judged>> {
        let mut document = self.parsed.document.clone();
        if let Some(rules) = document.get_mut("expected").and_then(serde_json::Value::as_array_mut) {
            let mut at = 0;
            rules.retain(|_| {
                at += 1;
                set & (1 << (at - 1)) != 0
            });
        }
        let said = async {
            let parsed = parsed_again(&document)?;
            let found = self.read_draft(&parsed, result, as_it_is, scratch).await?;
            judged(&found, &parsed.document, scratch)
        };
        match said.await {
            Ok(summary) => Ok(Some(Judged::of(&summary))),
            Err(error) if error.kind == Kind::Exhausted => Err(error),
            Err(_) => Ok(None),
        }
    }
}

/// For each difference that a rule covers the rules that do, each on its own; every such set once. `None`: too many.
fn overlaps(found: &Rejudged, document: &serde_json::Value, scratch: &Scratch) -> Result<Option<BTreeSet<Set>>> {
    let mut overlaps = BTreeSet::new();
    let writer = found.writer(document, scratch);
    each_row(&writer, found, &mut |row, reporter| {
        for said in row.iter().filter(|said| matches!(said.judgement, Judgement::Expected(_))) {
            if overlaps.len() <= MOST_OVERLAPS {
                overlaps.insert(reporter.covering(said.difference).fold(0, |set, at| set | 1 << at));
            }
        }
        Ok(())
    })?;
    Ok((overlaps.len() <= MOST_OVERLAPS).then_some(overlaps))
}
