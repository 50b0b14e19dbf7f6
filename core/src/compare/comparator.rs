//! What a comparator is: it says which unequal cells of a column are equal enough.

use crate::error::Result;
use crate::side::{Side, Sides};
use crate::tolerance_use::ToleranceUse;
use crate::value::{Value, value_at};
use arrow_array::ArrayRef;
use arrow_buffer::{BooleanBuffer, BooleanBufferBuilder};

/// The cells of a column in pairs of rows, and the rows around them.
#[derive(Debug, Clone, Copy)]
pub struct CellPairs<'a> {
    pub live: &'a ArrayRef,
    pub shadow: &'a ArrayRef,
    /// The side of the old value, a row each.
    pub baseline: &'a [Side],
    /// All columns of the rows.
    pub rows: &'a Sides<Vec<ArrayRef>>,
}

/// What a comparator has found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NearCells {
    pub near: BooleanBuffer,
    /// Cells that differ, one of them no JSON although the comparator expects it.
    pub not_json: u64,
}

/// A kind of comparator, bound to a column. Another kind is another implementation.
pub trait CellComparator: std::fmt::Debug + Send + Sync {
    /// Which of the cells `asked` about are equal enough; those are unequal, and no others are looked at.
    fn near(&self, pairs: &CellPairs<'_>, asked: &BooleanBuffer) -> Result<NearCells>;

    /// How much of its tolerance the cells `found` near use; of what is near by no distance that is not known.
    fn tolerance_use(&self, _pairs: &CellPairs<'_>, found: &BooleanBuffer) -> ToleranceUse {
        ToleranceUse::unmeasured(found.count_set_bits() as u64)
    }
}

/// Whether two values are equal enough, each in an array of its own. The comparator asks about no other column.
pub fn is_near(comparator: &dyn CellComparator, live: &ArrayRef, shadow: &ArrayRef, baseline: Side) -> Result<bool> {
    let pairs = CellPairs {
        live,
        shadow,
        baseline: &[baseline],
        rows: &Sides::default(),
    };
    Ok(comparator.near(&pairs, &BooleanBuffer::new_set(1))?.near.value(0))
}

/// How near two values are that are not equal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Closeness {
    Near,
    Different,
    /// Different as text, and one of them is not JSON although the comparator expects it.
    NotJson,
}

impl Closeness {
    pub(super) fn near_if(is_near: bool) -> Closeness {
        if is_near { Closeness::Near } else { Closeness::Different }
    }

    /// That of lists, by that of their elements.
    pub(super) fn worse(self, other: Closeness) -> Closeness {
        match (self, other) {
            (Closeness::NotJson, _) | (_, Closeness::NotJson) => Closeness::NotJson,
            (Closeness::Different, _) | (_, Closeness::Different) => Closeness::Different,
            (Closeness::Near, Closeness::Near) => Closeness::Near,
        }
    }
}

/// Asks about one cell after the other.
pub(super) fn cell_by_cell(
    pairs: &CellPairs<'_>,
    asked: &BooleanBuffer,
    closeness: impl Fn(&Value<'_>, &Value<'_>, Side) -> Closeness,
) -> NearCells {
    let mut near = BooleanBufferBuilder::new(asked.len());
    near.append_n(asked.len(), false);
    let mut not_json = 0;
    for row in asked.set_indices() {
        let (live, shadow) = (value_at(pairs.live.as_ref(), row), value_at(pairs.shadow.as_ref(), row));
        match closeness(&live, &shadow, pairs.baseline[row]) {
            Closeness::Near => near.set_bit(row, true),
            Closeness::Different => {}
            Closeness::NotJson => not_json += 1,
        }
    }
    NearCells {
        near: near.finish(),
        not_json,
    }
}

/// Lists element by element.
pub(super) fn in_order(a: &[Value<'_>], b: &[Value<'_>], closeness: impl Fn(&Value<'_>, &Value<'_>) -> Closeness) -> Closeness {
    if a.len() != b.len() {
        return Closeness::Different;
    }
    a.iter()
        .zip(b)
        .map(|(x, y)| closeness(x, y))
        .fold(Closeness::Near, Closeness::worse)
}
