//! Rings: which of the safe accounts flip first.
//!
//! Accounts stand in the order of the rows that they expose, equal ones in the order of `accounts.csv`. A ring takes those that come next,
//! until it and all before it are its share of the safe accounts, rounded up: a first ring has at least one account.

use crate::error::{Error, Result};
use crate::spec::Limit;
use crate::value::Number;
use std::collections::BTreeMap;

/// More rings than anybody flips.
pub const MAX_RINGS: usize = 100;

/// A ring, by the share of the safe accounts that have flipped with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ring {
    /// As it was written.
    pub share: String,
    number: Number,
}

/// Rings as they are written: `1%,10%,50%`.
pub fn rings(text: &str) -> Result<Vec<Ring>> {
    let mut rings: Vec<Ring> = Vec::new();
    for share in text.split(',').map(str::trim) {
        let wrong = |what: &str| {
            Error::spec(format!("`{share}` {what}"))
                .field("--rings")
                .advice("write rising percentages of the safe accounts, such as 1%,10%,50%")
        };
        let Ok(Limit::Share(number)) = Limit::parse(share) else {
            return Err(wrong("is not a percentage"));
        };
        if number.is_zero() || number > Number::from_int(1) {
            return Err(wrong("is not above 0% and at most 100%"));
        }
        if rings.last().is_some_and(|last| last.number >= number) {
            return Err(wrong("is not more than the ring before it"));
        }
        if rings.len() == MAX_RINGS {
            return Err(wrong("is one ring too many"));
        }
        rings.push(Ring {
            share: share.to_owned(),
            number,
        });
    }
    Ok(rings)
}

impl Ring {
    /// How many of so many accounts have flipped with this ring.
    fn end(&self, accounts: u64) -> u64 {
        let share = self.number.mul(&Number::from_int(accounts.into()));
        let (mut low, mut high) = (0, accounts);
        while low < high {
            let middle = low + (high - low) / 2;
            if Number::from_int(middle.into()) >= share {
                high = middle;
            } else {
                low = middle + 1;
            }
        }
        low
    }
}

/// The safe accounts, by the rows that they expose: no more is held of them, however many they are.
#[derive(Debug, Default)]
pub struct Exposures {
    accounts: BTreeMap<u64, u64>,
}

impl Exposures {
    pub fn add(&mut self, rows: u64) {
        *self.accounts.entry(rows).or_default() += 1;
    }

    pub fn accounts(&self) -> u64 {
        self.accounts.values().sum()
    }

    /// Divides them into rings.
    pub fn divide(self, rings: &[Ring]) -> Division {
        let accounts = self.accounts();
        let mut before = 0;
        let next = self.accounts.into_iter().map(|(rows, equal)| {
            let first = before;
            before += equal;
            (rows, first)
        });
        Division {
            next: next.collect(),
            ends: rings.iter().map(|ring| ring.end(accounts)).collect(),
        }
    }
}

/// Tells the ring of each safe account, which are given in the order of `accounts.csv`.
#[derive(Debug)]
pub struct Division {
    /// Of the accounts with so many rows, the place of the next one.
    next: BTreeMap<u64, u64>,
    ends: Vec<u64>,
}

impl Division {
    /// The number of its ring; that of rings where it comes after all of them.
    pub fn ring_of(&mut self, rows: u64) -> usize {
        let next = self.next.entry(rows).or_default();
        let place = *next;
        *next += 1;
        self.ends.partition_point(|end| *end <= place)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mix::next;

    fn divided(text: &str, accounts: &[u64]) -> Vec<usize> {
        let rings = rings(text).expect("rings");
        let mut exposures = Exposures::default();
        accounts.iter().for_each(|rows| exposures.add(*rows));
        let mut division = exposures.divide(&rings);
        accounts.iter().map(|rows| division.ring_of(*rows)).collect()
    }

    #[test]
    fn rings_take_the_fewest_rows_first() {
        for (text, accounts, expected) in [
            ("25%,50%", vec![9, 1, 5, 3], vec![2, 0, 2, 1]),
            ("1%", vec![7, 7, 7], vec![0, 1, 1]),
            ("1%,2%", vec![7, 7, 7], vec![0, 2, 2]),
            ("33.4%,100%", vec![2, 1, 3], vec![0, 0, 1]),
            ("100%", vec![1, 2], vec![0, 0]),
            ("50%", vec![], vec![]),
        ] {
            assert_eq!(divided(text, &accounts), expected, "{text} {accounts:?}");
        }
    }

    #[test]
    fn rings_are_what_sorting_gives() {
        for seed in 0..200 {
            let mut state = seed;
            let mut below = |n: u64| next(&mut state) % n;
            let accounts: Vec<u64> = (0..below(60)).map(|_| 1 + below(9)).collect();
            let mut order: Vec<usize> = (0..accounts.len()).collect();
            order.sort_by_key(|at| accounts[*at]);
            let found = divided("7%,31%,80%", &accounts);
            let n = accounts.len() as u64;
            let ends = [7, 31, 80].map(|percent: u64| (n * percent).div_ceil(100));
            for (place, at) in order.into_iter().enumerate() {
                let ring = ends.iter().filter(|end| **end <= place as u64).count();
                assert_eq!(found[at], ring, "seed {seed}, account {at}");
            }
        }
    }

    #[test]
    fn rings_rise() {
        for (wrong, why) in [
            ("1", "not a percentage"),
            ("", "not a percentage"),
            ("1%,", "not a percentage"),
            ("0%", "not above"),
            ("101%", "at most"),
            ("-1%", "not a percentage"),
            ("10%,10%", "not more"),
            ("10%,1%", "not more"),
        ] {
            let error = rings(wrong).expect_err(wrong).to_string();
            assert!(error.contains(why), "{wrong}: {error}");
        }
    }
}
