//! The fingerprints of whole rows: that of the columns that must be equal, and on top of it that of all columns.
//!
//! A column with a tolerance is left out of the first where its values can travel beside it: rows that differ in nothing else meet by it,
//! and are compared there, instead of being exchanged whole.

use arrow_array::ArrayRef;
use arrow_schema::DataType;
use shadowdiff_core::accounts::AccountSets;
use shadowdiff_core::align::{Column, Role};
use shadowdiff_core::plan::Plan;
use shadowdiff_core::row::{Form, Hasher};
use shadowdiff_core::side::Side;
use shadowdiff_core::spec::{Comparator, ValueRule};
use std::ops::Range;

/// Hashes rows of the aligned columns.
#[derive(Debug)]
pub struct RowHasher {
    /// Columns by their numbers, and the hasher of them.
    exact: (Vec<usize>, Hasher),
    tolerant: (Vec<usize>, Hasher),
}

/// A fingerprint a row.
#[derive(Debug)]
pub struct RowFingerprints {
    /// Of all columns.
    pub whole: Vec<u128>,
    /// Of all but those with a tolerance; `None` where there are none.
    pub exact: Option<Vec<u128>>,
}

impl RowHasher {
    pub(super) fn new(plan: &Plan, accounts: &AccountSets) -> Self {
        let columns = &plan.aligned.columns;
        // Whose value is the old one may differ from account to account, which a fingerprint does not tell.
        let one_baseline = accounts.flipped.is_empty();
        let (tolerant, exact) = (0..columns.len()).partition(|at| one_baseline && has_tolerance(&columns[*at]));
        let hasher = |numbers: &[usize]| Hasher::of(plan.secret.0, numbers.iter().map(|at| (*at as u64, form(&columns[*at]))));
        let with_hasher = |numbers: Vec<usize>| (numbers.clone(), hasher(&numbers));
        RowHasher {
            exact: with_hasher(exact),
            tolerant: with_hasher(tolerant),
        }
    }

    /// The columns with a tolerance that are not part of the exact fingerprint.
    pub fn tolerant(&self) -> &[usize] {
        &self.tolerant.0
    }

    /// The fingerprints of rows as far as some more of the columns go, the first or those behind the ones that `before` is of; no column has a
    /// tolerance. Of all columns in their order it is what [`hash`](Self::hash) gives.
    pub fn hash_some(&self, numbers: Range<usize>, before: &[u128], columns: &[ArrayRef]) -> Vec<u128> {
        self.exact.1.part(numbers).hash_on(before, &columns.iter().collect::<Vec<_>>())
    }

    /// The fingerprints of rows, of which `columns` are the aligned columns.
    pub fn hash(&self, columns: &[ArrayRef], rows: usize) -> RowFingerprints {
        let (numbers, hasher) = &self.exact;
        let exact = hasher.hash(&numbers.iter().map(|at| &columns[*at]).collect::<Vec<_>>(), rows);
        if self.tolerant.0.is_empty() {
            return RowFingerprints { whole: exact, exact: None };
        }
        let values: Vec<&ArrayRef> = self.tolerant.0.iter().map(|at| &columns[*at]).collect();
        RowFingerprints {
            whole: self.whole(&exact, &values),
            exact: Some(exact),
        }
    }

    /// The fingerprints of rows of which only the key and the columns with a tolerance are told. `keys`: 64 bits of those of their keys.
    pub fn thin(&self, keys: &[u64], values: &[&ArrayRef]) -> Vec<u128> {
        self.whole(&keys.iter().map(|key| u128::from(*key)).collect::<Vec<_>>(), values)
    }

    /// The fingerprints of whole rows out of the exact ones and the values of the columns with a tolerance.
    pub fn whole(&self, exact: &[u128], values: &[&ArrayRef]) -> Vec<u128> {
        self.tolerant.1.hash_on(exact, values)
    }
}

/// How a column enters a fingerprint.
pub(super) fn form(column: &Column) -> Form {
    match column.role {
        Role::Presence => Form::Presence,
        Role::Key | Role::Value(_) if column.is_mixed() => Form::Canonical,
        Role::Key | Role::Value(_) => Form::Plain,
    }
}

/// Whether two cells of the column can be judged by themselves, and are small enough to travel beside a fingerprint.
fn has_tolerance(column: &Column) -> bool {
    let by_itself = match &column.role {
        Role::Value(Comparator::Values { rule, unordered: false }) => matches!(rule, ValueRule::Number(_) | ValueRule::Time(_)),
        Role::Value(_) | Role::Key | Role::Presence => false,
    };
    let is_small = |side: Side| {
        let storage = column.stored[side].storage();
        storage.is_primitive() && !matches!(storage, DataType::Decimal256(_, _))
    };
    by_itself && column.parents.is_empty() && Side::BOTH.into_iter().all(is_small)
}
