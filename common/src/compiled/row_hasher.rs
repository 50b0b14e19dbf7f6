//! The fingerprints of whole rows: that of the columns that must be equal, and on top of it that of all columns. What some columns make of one can
//! be taken out of it again.
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

/// Hashes rows of the aligned columns.
#[derive(Debug)]
pub struct RowHasher {
    /// Of all of them.
    columns: Hasher,
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
        let (tolerant, exact): (Vec<usize>, Vec<usize>) = (0..columns.len()).partition(|at| one_baseline && has_tolerance(&columns[*at]));
        let forms = (0..).zip(columns).map(|(at, column)| (at, form(column)));
        let hasher = Hasher::of(plan.secret.0, forms);
        let with_hasher = |numbers: Vec<usize>| (numbers.clone(), hasher.some(&numbers));
        RowHasher {
            exact: with_hasher(exact),
            tolerant: with_hasher(tolerant),
            columns: hasher,
        }
    }

    /// The columns with a tolerance that are not part of the exact fingerprint.
    pub fn tolerant(&self) -> &[usize] {
        &self.tolerant.0
    }

    /// The fingerprints of rows as far as these columns go on top of others, which `before` is of; no column has a tolerance. Once all columns
    /// are in it, in whatever order, it is what [`hash`](Self::hash) gives.
    pub fn hash_some(&self, numbers: &[usize], before: &[u128], columns: &[ArrayRef]) -> Vec<u128> {
        self.columns.some(numbers).hash_on(before, &columns.iter().collect::<Vec<_>>())
    }

    /// The hashes of the values of one column.
    pub fn hash_column(&self, number: usize, column: &ArrayRef) -> Vec<u128> {
        self.columns.some(&[number]).hash(&[column], column.len())
    }

    /// What is left of the fingerprints of rows without some of the columns.
    pub fn without(&self, fingerprints: &[u128], numbers: &[usize], columns: &[&ArrayRef]) -> Vec<u128> {
        self.columns.some(numbers).without(fingerprints, columns)
    }

    /// The fingerprints of rows, of which `columns` are the aligned columns.
    pub fn hash(&self, columns: &[ArrayRef], rows: usize) -> RowFingerprints {
        let some = |numbers: &[usize]| numbers.iter().map(|at| &columns[*at]).collect::<Vec<_>>();
        let exact = self.exact.1.hash(&some(&self.exact.0), rows);
        if self.tolerant.0.is_empty() {
            return RowFingerprints { whole: exact, exact: None };
        }
        RowFingerprints {
            whole: self.whole(&exact, &some(&self.tolerant.0)),
            exact: Some(exact),
        }
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
