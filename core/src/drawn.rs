//! Rows that are drawn by the fingerprints of their keys, so that both sides draw the same ones however far apart they are: they tell in which
//! columns rows differ that have no equal partner.
//!
//! ```text
//! row = 64 bits of the key's fingerprint, big-endian, then 8 bits of the hash of each column besides the key
//! ```
//! What they tell is a hint. Two values that share 8 bits, or a column in which no drawn row differs, are missed.

use crate::plan::Plan;
use crate::side::{Side, Sides};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::collections::{BTreeMap, BTreeSet};

/// About so many cells of a side are drawn in all; the key of a row counts as eight.
pub const DRAWN_CELLS: u64 = 1 << 18;
/// No more bytes of a side are held: where files say too little of how many rows they have, or a key that is drawn comes again and again.
const MOST_BYTES: usize = 8 * DRAWN_CELLS as usize;
/// As many rows that one side alone has say that others do so too, where no drawn row differs.
const TELLING_ROWS: usize = 20;
const KEY_BYTES: usize = size_of::<u64>();

/// Which keys are drawn: the same for all tasks of a job.
#[derive(Debug, Clone, Copy)]
pub struct Draw {
    /// Those up to this.
    last: u64,
    most_rows: usize,
}

impl Draw {
    /// About so many cells of each side.
    pub fn of(plan: &Plan, cells: u64) -> Draw {
        let estimate = &plan.estimate;
        let known = estimate.rows.live.max(estimate.rows.shadow);
        let rows = known.unwrap_or(estimate.decoded_bytes / 2 / estimate.row_bytes().max(1));
        let wanted = cells / (plan.aligned.values().len() + KEY_BYTES) as u64;
        let last = match wanted < rows {
            true => (u128::from(u64::MAX) * u128::from(wanted) / u128::from(rows)) as u64,
            false => u64::MAX,
        };
        // The files may have said little of how many rows there are.
        let most_rows = usize::try_from(wanted.saturating_mul(4)).unwrap_or(usize::MAX);
        Draw { last, most_rows }
    }

    /// Of a key's fingerprint, what is kept of it if it is drawn.
    pub fn draws(self, key: u128) -> Option<u64> {
        let key = (key >> 64) as u64;
        (key <= self.last).then_some(key)
    }

    /// A task draws no more of a side.
    pub fn most_rows(self) -> usize {
        self.most_rows
    }
}

/// Rows that were drawn.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct DrawnRows(Sides<Rows>);

/// Of one side, one behind the other.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Rows(Vec<u8>);

impl DrawnRows {
    /// Adds a row: 64 bits of its key's fingerprint, and 8 bits of the hash of each column besides the key.
    pub fn push(&mut self, side: Side, key: u64, columns: &[u8]) {
        let rows = &mut self.0[side].0;
        rows.extend_from_slice(&key.to_be_bytes());
        rows.extend_from_slice(columns);
    }

    /// How many rows of a side there are, of so many columns.
    pub fn count(&self, side: Side, columns: usize) -> usize {
        self.0[side].0.len() / (KEY_BYTES + columns)
    }

    pub fn merge(&mut self, other: &DrawnRows) {
        for (side, rows) in other.0.each() {
            if self.0[side].0.len() < MOST_BYTES {
                self.0[side].0.extend_from_slice(&rows.0);
            }
        }
    }

    /// In which of so many columns rows of one key differ; `None` where that is not known: of the drawn rows hardly one is without an equal partner.
    pub fn differing(&self, columns: usize) -> Option<BTreeSet<usize>> {
        let rows = |side: Side| self.0[side].0.chunks_exact(KEY_BYTES + columns).map(|row| row.split_at(KEY_BYTES));
        let mut by_key: BTreeMap<&[u8], Sides<Vec<&[u8]>>> = BTreeMap::new();
        for side in Side::BOTH {
            rows(side).for_each(|(key, columns)| by_key.entry(key).or_default()[side].push(columns));
        }
        let (mut differing, mut alone) = (BTreeSet::new(), 0);
        for of_key in by_key.into_values() {
            let ([live], [shadow]) = (&of_key.live[..], &of_key.shadow[..]) else {
                // Of more than one row each nothing is learnt.
                alone += usize::from(of_key.live.is_empty() || of_key.shadow.is_empty());
                continue;
            };
            differing.extend((0..columns).filter(|at| live[*at] != shadow[*at]));
        }
        (!differing.is_empty() || alone >= TELLING_ROWS).then_some(differing)
    }
}

impl Serialize for Rows {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let digit = |four: u8| char::from_digit(u32::from(four), 16).expect("four bits are a digit");
        let digits = self.0.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]);
        serializer.serialize_str(&digits.collect::<String>())
    }
}

impl<'de> Deserialize<'de> for Rows {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let bytes = text.as_bytes().chunks(2).map(|pair| {
            let digits = std::str::from_utf8(pair)
                .ok()
                .filter(|digits| digits.len() == 2 && !digits.starts_with('+'));
            digits.and_then(|digits| u8::from_str_radix(digits, 16).ok())
        });
        let bytes: Option<Vec<u8>> = bytes.collect();
        bytes
            .map(Rows)
            .ok_or_else(|| serde::de::Error::custom("drawn rows are pairs of hexadecimal digits"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(rows: &[(Side, u64, [u8; 3])]) -> DrawnRows {
        let mut drawn = DrawnRows::default();
        rows.iter().for_each(|(side, key, columns)| drawn.push(*side, *key, columns));
        drawn
    }

    #[test]
    fn columns_differ_where_each_side_has_a_key_once() {
        use Side::{Live, Shadow};
        let equal = [(Live, 1, [1, 2, 3]), (Shadow, 1, [1, 2, 3])];
        assert_eq!(drawn(&equal).differing(3), None, "nothing is left");
        assert_eq!(drawn(&[]).differing(3), None);
        let mut alone: Vec<(Side, u64, [u8; 3])> = (0..20).map(|key| (Shadow, key, [0; 3])).collect();
        assert_eq!(drawn(&alone).differing(3), Some(BTreeSet::new()), "of them no column is needed");
        alone.pop();
        assert_eq!(drawn(&alone).differing(3), None, "too few to tell");
        let mut both = drawn(&[(Live, 1, [1, 2, 3]), (Live, 2, [1, 1, 1]), (Shadow, 3, [0; 3]), (Live, 4, [0; 3])]);
        both.merge(&drawn(&[
            (Shadow, 2, [1, 1, 9]),
            (Shadow, 1, [7, 2, 3]),
            (Live, 3, [5; 3]),
            (Live, 3, [6; 3]),
        ]));
        assert_eq!(
            both.differing(3),
            Some(BTreeSet::from([0, 2])),
            "of a key that comes twice nothing is learnt"
        );
    }

    #[test]
    fn drawn_rows_come_back_from_where_they_are_stored() {
        let rows = drawn(&[(Side::Live, u64::MAX - 1, [0, 171, 255]), (Side::Shadow, 7, [1, 2, 3])]);
        let stored = serde_json::to_string(&rows).expect("json");
        assert_eq!(stored, r#"{"live":"fffffffffffffffe00abff","shadow":"0000000000000007010203"}"#);
        assert_eq!(serde_json::from_str::<DrawnRows>(&stored).expect("rows"), rows);
        for damaged in [
            r#"{"live":"0","shadow":""}"#,
            r#"{"live":"+1","shadow":""}"#,
            r#"{"live":"zz","shadow":""}"#,
        ] {
            assert!(serde_json::from_str::<DrawnRows>(damaged).is_err(), "{damaged}");
        }
    }
}
