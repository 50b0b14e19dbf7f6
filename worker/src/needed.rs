//! Which columns a reader of a side needs, and where in a file one stands that needs nothing but to be read.

use crate::job::Job;
use shadowdiff_common::read::parquet::StoredFile;
use shadowdiff_core::align::{Column, Role, SideColumn};
use shadowdiff_core::plan::ReadColumn;
use shadowdiff_core::side::Side;

/// Which columns are needed: of those read, and of those that they become.
pub(crate) struct Needed {
    pub(crate) read: Vec<bool>,
    pub(crate) columns: Vec<bool>,
    /// Of those read, which may come in a compact form: they are only hashed and compared.
    pub(crate) compact: Vec<bool>,
}

impl Needed {
    pub(crate) fn all(job: &Job, side: Side) -> Self {
        let plan = &job.plan.sides[side];
        Needed {
            read: vec![true; plan.read.len()],
            columns: vec![true; plan.columns.len()],
            compact: vec![false; plan.read.len()],
        }
    }

    /// The same, where rows are compared before they are laid out.
    pub(crate) fn with_compact(self, job: &Job, side: Side) -> Self {
        let plan = &job.plan.sides[side];
        let may_stay = |(at, read): (usize, &ReadColumn)| {
            // Derived columns are made of those that are read, and the filter looks at what the side then has.
            let is_derived_from = job.compiled.derives[side].iter().flatten().any(|sql| sql.reads.contains(&at));
            let place = plan.columns.iter().position(|column| column.name == read.name);
            let is_filtered_by = job.compiled.filters[side]
                .iter()
                .any(|sql| place.is_some_and(|place| sql.reads.contains(&place)));
            let mut columns = job.plan.aligned.columns.iter().enumerate();
            let is_compared = columns.any(|(number, column)| {
                let is_plain = column.stored[side] == read.value_type && !column.is_mixed();
                let is_value = matches!(column.role, Role::Value(_)) && !job.plan.aligned.key.contains(&number);
                column.path.len() == 1 && column.path[0] == read.name && is_plain && is_value
            });
            is_compared && !plan.carried.contains(&read.name) && !is_derived_from && !is_filtered_by
        };
        Needed {
            compact: plan.read.iter().enumerate().map(may_stay).collect(),
            ..self
        }
    }

    /// What some aligned columns and the filter are made of.
    pub(crate) fn of(job: &Job, side: Side, aligned: &[usize]) -> Self {
        let plan = &job.plan.sides[side];
        let filter = job.compiled.filters[side].as_ref();
        let is_one = |name: &str| aligned.iter().any(|at| job.plan.aligned.columns[*at].path[0] == name);
        let is_needed =
            |(at, column): (usize, &SideColumn)| is_one(&column.name) || filter.is_some_and(|filter| filter.reads.contains(&at));
        let columns: Vec<bool> = plan.columns.iter().enumerate().map(is_needed).collect();
        let is_read = |(at, read): (usize, &ReadColumn)| {
            let made = plan
                .columns
                .iter()
                .zip(&job.compiled.derives[side])
                .zip(&columns)
                .filter(|(_, needed)| **needed);
            made.into_iter().any(|((column, derived), _)| match derived {
                Some(expression) => expression.reads.contains(&at) || expression.copies.as_ref().is_some_and(|(copied, _)| *copied == at),
                None => column.name == read.name,
            })
        };
        Needed {
            read: plan.read.iter().enumerate().map(is_read).collect(),
            columns,
            compact: vec![false; plan.read.len()],
        }
    }
}

/// The place of a column in a file, if it comes from there as it is.
pub(crate) fn place(job: &Job, side: Side, column: &Column, file: &StoredFile) -> Option<usize> {
    let plan = &job.plan.sides[side];
    let at = plan.columns.iter().position(|known| known.name == column.path[0])?;
    let read = plan.read.iter().find(|read| read.name == column.path[0])?;
    let types = [&plan.columns[at].value_type, &column.stored[side]];
    let is_as_read = job.compiled.derives[side][at].is_none() && types.into_iter().all(|known| *known == read.value_type);
    is_as_read.then(|| file.place(&read.source, &read.value_type))?
}
