//! How much of their tolerance the cells use that are within it: counted by powers of two, so that a tighter tolerance can be judged.
//!
//! ```text
//! place 0      more than a half of the tolerance, up to all of it
//! place 1      more than a quarter, up to a half
//! ...
//! place 16     up to the 65 536th part
//! ```
//! With all bounds of a comparator at the half, those of place 0 would differ, and no others: that is exact, for doubles too, as the half of a
//! double is exact.

use serde::{Deserialize, Serialize};

/// Places but for the last, as many as there are halvings that are told apart.
pub const HALVINGS: u32 = 16;
const PLACES: usize = HALVINGS as usize + 1;

/// Cells of a column that differ within its tolerance. Mergeable in any order to the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ToleranceUse {
    places: [u64; PLACES],
    /// Cells that are near by something else than a distance, such as text.
    pub unmeasured: u64,
}

impl ToleranceUse {
    /// Of so many cells no distance is known.
    pub fn unmeasured(cells: u64) -> Self {
        ToleranceUse {
            unmeasured: cells,
            ..ToleranceUse::default()
        }
    }

    /// Counts a cell that stays near when its tolerance is halved so many times; more than [`HALVINGS`] are as many.
    pub fn add(&mut self, halvings: u32) {
        self.places[halvings.min(HALVINGS) as usize] += 1;
    }

    pub fn merge(&mut self, other: &ToleranceUse) {
        self.places.iter_mut().zip(&other.places).for_each(|(mine, theirs)| *mine += theirs);
        self.unmeasured += other.unmeasured;
    }

    pub fn cells(&self) -> u64 {
        self.places.iter().sum::<u64>() + self.unmeasured
    }

    /// Cells that would differ if the tolerance were halved so many times.
    pub fn beyond(&self, halvings: u32) -> u64 {
        self.places.iter().take(halvings.min(HALVINGS) as usize).sum()
    }

    /// The cells by place, without the empty places at the end.
    pub fn by_place(&self) -> &[u64] {
        let used = self.places.iter().rposition(|cells| *cells > 0).map_or(0, |last| last + 1);
        &self.places[..used]
    }
}

/// How often a whole can be halved and is still no less than the part; at most [`HALVINGS`]. The part is no more than the whole.
pub fn halvings(part: u128, whole: u128) -> u32 {
    if part == 0 {
        return HALVINGS;
    }
    let shift = part.leading_zeros().saturating_sub(whole.leading_zeros());
    // As many bits as the whole has, or one fewer.
    let fits = part << shift <= whole;
    (if fits { shift } else { shift.saturating_sub(1) }).min(HALVINGS)
}

/// The same of doubles that are finite and not negative.
pub fn halvings_of_doubles(part: f64, whole: f64) -> u32 {
    if part == 0.0 {
        return HALVINGS;
    }
    if part < f64::MIN_POSITIVE {
        // A number times 2^64 is the same number with another exponent, where it is not too large; if it is, the part is a tiny one of it.
        const UP: f64 = 18_446_744_073_709_551_616.0;
        return if whole > 1.0 {
            HALVINGS
        } else {
            halvings_of_doubles(part * UP, whole * UP)
        };
    }
    // Exponents stand above fractions: the difference of the exponents, less one where the part's fraction is the larger one.
    let places = whole.to_bits().saturating_sub(part.to_bits()) >> (f64::MANTISSA_DIGITS - 1);
    places.min(u64::from(HALVINGS)) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By division, one half after the other.
    fn by_hand(part: f64, whole: f64) -> u32 {
        (1..=HALVINGS)
            .take_while(|halvings| part <= whole / f64::from(1_u32 << halvings))
            .count() as u32
    }

    #[test]
    fn a_cell_stands_where_its_tolerance_ends_to_hold() {
        for (part, whole, expected) in [
            (1, 1, 0),
            (1, 2, 1),
            (2, 3, 0),
            (3, 6, 1),
            (3, 11, 1),
            (3, 12, 2),
            (1, 1 << 40, 16),
            (0, 0, 16),
            (7, 7, 0),
        ] {
            assert_eq!(halvings(part, whole), expected, "{part} of {whole}");
            assert_eq!(halvings_of_doubles(part as f64, whole as f64), expected, "{part} of {whole}");
        }
        assert_eq!(halvings(u128::MAX, u128::MAX), 0);
        assert_eq!(halvings(1, u128::MAX), 16);
        for part in [0.3, 0.1, 1e-9, 5e-324, 1e-310, 2.2e-308, 0.30000000000000004] {
            for whole in [0.3, 0.6, 1.2, 0.7, 1e-8, 1e-5, 1e300, f64::MAX, 4e-323, 3e-308, 9e-308] {
                if part <= whole && (part / whole > 0.0 || whole > 1.0) {
                    // A half of the least doubles is rounded; the others halve exactly.
                    let up = if whole < 1e-300 { 2_f64.powi(200) } else { 1.0 };
                    assert_eq!(
                        halvings_of_doubles(part, whole),
                        by_hand(part * up, whole * up),
                        "{part} of {whole}"
                    );
                }
            }
        }
    }

    #[test]
    fn a_half_of_the_tolerance_leaves_what_uses_more_of_it() {
        let mut found = ToleranceUse::unmeasured(2);
        [0, 0, 1, 3, 99].into_iter().for_each(|halvings| found.add(halvings));
        let mut twice = found;
        twice.merge(&found);
        assert_eq!((found.cells(), twice.cells(), twice.unmeasured), (7, 14, 4));
        assert_eq!([0, 1, 2, 4, 16, 99].map(|halvings| found.beyond(halvings)), [0, 2, 3, 4, 4, 4]);
        assert_eq!(found.by_place().len(), 17);
        let mut few = ToleranceUse::default();
        assert!(few.by_place().is_empty());
        few.add(1);
        assert_eq!(few.by_place(), [0, 1]);
    }
}
