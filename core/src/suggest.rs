//! Rules and comparators for what is left: drafts that are learned from exceptions, for a person to judge.
//!
//! Exceptions are grouped by where and in which way they differ, and apart where many are of one size (`sizes`). Of each group is learned how its values change (`change`), and by which
//! attributes its rows are told from all other rows that differ (`terms`). Learned is from some accounts alone; the others are held out, so that
//! whoever judges a draft can say what it does to accounts that it has not seen.
//!
//! What is observed is bounded: of too many rows those of a part of the accounts are kept, by the hash of the account. So a draft depends on the
//! differences alone, in whatever order and pieces they come.

mod change;
mod draft;
mod sizes;
mod terms;

pub use draft::{Draft, Entry, EntryKind};
pub use sizes::{Sizes, Window};
pub use terms::Terms;

use crate::align::Aligned;
use crate::side::Side;
use crate::spec::{DifferenceKind, Direction, Spec};
use crate::tally::Pattern;
use change::forms;
use draft::drafted;
use siphasher::sip::SipHasher24;
use std::collections::{BTreeMap, BTreeSet};
use terms::Contrast;

/// Groups for which something is drafted, those with the most exceptions.
pub const MAX_DRAFTS: usize = 10;
/// Fewer lines, or accounts, show no rule.
const FEWEST_LINES: u64 = 5;
const FEWEST_ACCOUNTS: usize = 3;
/// What is observed at most: rows, their attributes and exceptions, each counts.
const MAX_OBSERVED: usize = 1 << 20;
/// Of ten accounts so many are held out.
const HELD_OUT: u64 = 3;
/// Another key would hold out other accounts.
const ACCOUNT_KEY: &[u8; 16] = b"shadowdiff.sugge";
/// Of what is both ways in a column at least this share goes each way.
const BOTH_WAYS: f64 = 0.2;
/// A size that so many changes have stands out; noise has it the other way at least this share as often.
const STANDS_OUT: f64 = 0.3;
const ALIKE: f64 = 0.5;
/// Sizes of a pattern that are looked at apart.
const MAX_SIZES: usize = 3;

/// Where an account stands, by the bytes of its key.
pub fn account_number(account_key: &[u8]) -> u64 {
    SipHasher24::new_with_key(ACCOUNT_KEY).hash(account_key)
}

/// Whether nothing is learned from an account.
pub fn is_held_out(account: u64) -> bool {
    account % 10 < HELD_OUT
}

/// An exception, as far as something is learned from it.
#[derive(Debug, Clone, PartialEq)]
pub struct Observed {
    pub pattern: Pattern,
    pub relative: Option<f64>,
    /// In the column's unit; of times in seconds, of dates in days.
    pub delta: Option<f64>,
    /// Both values as SQL writes them, where it can.
    pub values: Option<(String, String)>,
}

/// A row that differs.
#[derive(Debug, Clone)]
pub struct ObservedRow {
    pub account: u64,
    /// The values of the attributes in the row of the baseline, or the only one, as SQL writes them. `None`: not known of this row.
    pub attributes: Option<Vec<Option<String>>>,
    pub exceptions: Vec<Observed>,
}

/// Rows that differ, of all accounts or of a part.
#[derive(Debug)]
pub struct Observations {
    /// Of what stands in `attributes` of rows.
    pub names: Vec<String>,
    rows: Vec<ObservedRow>,
    size: usize,
    limit: usize,
    /// Accounts are kept whose numbers end with so many zero bits, but for the decimal that tells who is held out.
    halvings: u32,
}

impl Observations {
    pub fn new(names: Vec<String>) -> Self {
        Observations {
            names,
            rows: Vec::new(),
            size: 0,
            limit: MAX_OBSERVED,
            halvings: 0,
        }
    }

    pub fn add(&mut self, row: ObservedRow) {
        if !self.keeps(row.account) {
            return;
        }
        self.size += size(&row);
        self.rows.push(row);
        while self.size > self.limit && self.halvings < 32 {
            self.halvings += 1;
            let rows = std::mem::take(&mut self.rows);
            self.rows = rows.into_iter().filter(|row| self.keeps(row.account)).collect();
            self.size = self.rows.iter().map(size).sum();
        }
    }

    fn keeps(&self, account: u64) -> bool {
        (account >> 32) & ((1 << self.halvings) - 1) == 0
    }

    /// Whether only a part of the accounts was looked at.
    pub fn is_part(&self) -> bool {
        self.halvings > 0
    }

    /// The rows that are learned from.
    fn learning(&self) -> impl Iterator<Item = &ObservedRow> {
        self.rows.iter().filter(|row| !is_held_out(row.account))
    }
}

fn size(row: &ObservedRow) -> usize {
    1 + row.attributes.as_ref().map_or(0, Vec::len) + row.exceptions.len()
}

/// What was learned.
#[derive(Debug, Clone, PartialEq)]
pub struct Learned {
    /// The most exceptions first.
    pub drafts: Vec<Draft>,
    pub left_out: Vec<LeftOut>,
}

/// Exceptions for which nothing is drafted.
#[derive(Debug, Clone, PartialEq)]
pub struct LeftOut {
    pub patterns: Vec<Pattern>,
    pub sizes: Sizes,
    pub exceptions: u64,
    pub why: &'static str,
}

/// What is compared, and how.
#[derive(Debug, Clone, Copy)]
pub struct Compared<'a> {
    pub spec: &'a Spec,
    pub aligned: &'a Aligned,
}

impl Compared<'_> {
    /// The side of the old value, where it is the same for all accounts.
    fn baseline(&self) -> Option<Side> {
        let baseline = &self.spec.baseline;
        baseline.flipped.is_none().then_some(baseline.default)
    }
}

/// Exceptions that are looked at together.
struct Group {
    patterns: BTreeSet<Pattern>,
    sizes: Sizes,
    exceptions: u64,
}

impl Group {
    fn has(&self, one: &Observed) -> bool {
        self.patterns.contains(&one.pattern) && self.sizes.hold(one.relative, one.delta)
    }

    /// The group by sizes that many of its changes have; whole where no size stands out.
    fn parts(self, observed: &Observations) -> Vec<Group> {
        let is_one = self.patterns.len() == 1;
        let first = self
            .patterns
            .first()
            .filter(|first| is_one && first.diagnosis.is_none() && first.direction.is_some());
        if first.is_none() {
            return vec![self];
        }
        let of_learning = || observed.learning().flat_map(|row| &row.exceptions);
        let (mut parts, mut rest) = (Vec::new(), self);
        while parts.len() < MAX_SIZES
            && let Some(window) = Window::of(&of_learning().filter(|one| rest.has(one)).collect::<Vec<_>>())
        {
            let mut part = Group {
                patterns: rest.patterns.clone(),
                sizes: Sizes {
                    within: Some(window),
                    ..rest.sizes.clone()
                },
                exceptions: 0,
            };
            let all = observed.rows.iter().flat_map(|row| &row.exceptions);
            part.exceptions = all.filter(|one| part.has(one)).count() as u64;
            rest.exceptions = rest.exceptions.saturating_sub(part.exceptions);
            rest.sizes.outside.push(window);
            parts.push(part);
        }
        parts.push(rest);
        parts
    }
}

/// Learns from what was observed. `exceptions`: how many there are of each pattern.
pub fn learn(of: Compared<'_>, observed: &Observations, exceptions: &BTreeMap<Pattern, u64>) -> Learned {
    let mut learned = Learned {
        drafts: Vec::new(),
        left_out: Vec::new(),
    };
    let mut names: BTreeSet<String> = of.spec.expected.iter().map(|rule| rule.name.clone()).collect();
    let mut parts: Vec<Group> = groups(exceptions, observed)
        .into_iter()
        .flat_map(|group| group.parts(observed))
        .collect();
    parts.sort_by_key(|group| std::cmp::Reverse(group.exceptions));
    for group in parts {
        let left_out = |why| LeftOut {
            patterns: group.patterns.iter().cloned().collect(),
            sizes: group.sizes.clone(),
            exceptions: group.exceptions,
            why,
        };
        if learned.drafts.len() == MAX_DRAFTS {
            learned
                .left_out
                .push(left_out("only the largest are drafted; ask again once these are settled"));
            continue;
        }
        match draft(of, observed, &group, &names) {
            Ok(draft) => {
                names.extend(draft.name().map(str::to_owned));
                learned.drafts.push(draft);
            }
            Err(why) => learned.left_out.push(left_out(why)),
        }
    }
    learned
}

/// `names`: of rules, which another one must not have.
fn draft(of: Compared<'_>, observed: &Observations, group: &Group, names: &BTreeSet<String>) -> Result<Draft, &'static str> {
    let first = group.patterns.first().ok_or("there are none")?;
    if first.kind == DifferenceKind::DuplicateKey {
        return Err("a key that several rows have is seldom meant: look at the rows");
    }
    if first.diagnosis.as_deref() == Some("extra_copy") {
        return Err("rows that are there twice are seldom meant: look at them");
    }
    if group.exceptions < FEWEST_LINES {
        return Err("too few lines to learn from");
    }
    let is_member = |row: &&ObservedRow| row.exceptions.iter().any(|one| group.has(one));
    let (members, others): (Vec<&ObservedRow>, Vec<&ObservedRow>) = observed.learning().partition(|row| is_member(row));
    let accounts: BTreeSet<u64> = members.iter().map(|row| row.account).collect();
    if accounts.len() < FEWEST_ACCOUNTS {
        return Err("in too few accounts to learn from");
    }
    let lines: Vec<&Observed> = members
        .iter()
        .flat_map(|row| &row.exceptions)
        .filter(|one| group.has(one))
        .collect();
    let contrast = Contrast {
        names: &observed.names,
        members: &members,
        others: &others,
    };
    let terms = contrast.terms();
    let forms = forms(of, first, group.patterns.len() > 1, &lines);
    drafted(of, names, group, terms, forms)
}

/// Patterns that are one: rounding goes either way, and so does noise.
fn groups(exceptions: &BTreeMap<Pattern, u64>, observed: &Observations) -> Vec<Group> {
    let mut groups: BTreeMap<Pattern, Group> = BTreeMap::new();
    for (pattern, count) in exceptions.iter().filter(|(_, count)| **count > 0) {
        let is_rounding = pattern
            .diagnosis
            .as_deref()
            .is_some_and(|text| text == "float32" || text.starts_with("rounding("));
        let mut together = pattern.clone();
        if is_rounding {
            together.diagnosis = Some("rounding".to_owned());
        }
        if is_rounding || is_noise(pattern, exceptions, observed) {
            together.direction = None;
        }
        let group = groups.entry(together).or_insert_with(|| Group {
            patterns: BTreeSet::new(),
            sizes: Sizes::default(),
            exceptions: 0,
        });
        group.patterns.insert(pattern.clone());
        group.exceptions += count;
    }
    groups.into_values().collect()
}

/// Whether changes without a cause go up and down alike: many each way, and a size that stands out one way stands out the other way too.
fn is_noise(pattern: &Pattern, exceptions: &BTreeMap<Pattern, u64>, observed: &Observations) -> bool {
    let towards = |direction| Pattern {
        direction: Some(direction),
        ..pattern.clone()
    };
    let ways = [Direction::Up, Direction::Down].map(towards);
    let counts = ways.each_ref().map(|way| exceptions.get(way).copied().unwrap_or(0));
    let least = counts[0].min(counts[1]) as f64;
    if pattern.diagnosis.is_some() || !ways.contains(pattern) || least < BOTH_WAYS * (counts[0] + counts[1]) as f64 {
        return false;
    }
    let learning = || observed.learning().flat_map(|row| &row.exceptions);
    let [up, down] = ways.map(|way| learning().filter(|one| one.pattern == way).collect::<Vec<_>>());
    [(&up, &down), (&down, &up)].into_iter().all(|(one, other)| {
        let standing_out = Window::most_frequent(one).filter(|(share, _)| *share >= STANDS_OUT);
        standing_out.is_none_or(|(share, window)| window.share(other) >= ALIKE * share)
    })
}

#[cfg(test)]
mod tests;
