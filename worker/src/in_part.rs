//! What is read of rows that have no partner: all, or the key and some columns, where it is likely that they differ in no other.
//!
//! The fingerprint of a row is a sum over its columns. Of a pair whose fingerprints are alike without the columns that were read, all others are
//! equal, and the pair is compared as if they had been read. Whatever else a pair may come to, both rows are read again whole.

use crate::exchanged::{ExchangedRows, fingerprints_of, part_schema};
use crate::job::Job;
use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::SchemaRef;
use shadowdiff_core::error::{Error, Result};
use shadowdiff_core::side::Sides;
use shadowdiff_core::stage::Task;

/// What a task reads of its rows, or what was read of them.
#[derive(Debug, Clone)]
pub(crate) struct Part {
    /// The aligned columns, those of the key among them; `None`: all.
    columns: Option<Vec<usize>>,
    /// Of the rows as they are exchanged.
    schemas: Sides<SchemaRef>,
}

impl Part {
    pub(crate) fn of(job: &Job, task: &Task) -> Result<Part> {
        if !task.is_in_part() {
            return Ok(Part::whole(job));
        }
        let aligned = &job.plan.aligned;
        let columns: Vec<usize> = task.columns.iter().map(|at| *at as usize).collect();
        let has_key = aligned.key.iter().all(|at| columns.contains(at));
        let is_enough = has_key && columns.iter().all(|at| *at < aligned.columns.len()) && !job.compiled.reads_whole_rows(&job.plan);
        if !is_enough {
            return Err(Error::internal(format!(
                "rows are read in part, columns {columns:?}, which is not enough of them"
            )));
        }
        Ok(Part {
            columns: Some(columns),
            schemas: Sides::from_fn(|side| part_schema(&job.compiled.schemas[side])),
        })
    }

    /// All of the rows.
    pub(crate) fn whole(job: &Job) -> Part {
        Part {
            columns: None,
            schemas: job.compiled.schemas.clone(),
        }
    }

    pub(crate) fn columns(&self) -> Option<&[usize]> {
        self.columns.as_deref()
    }

    pub(crate) fn schemas(&self) -> &Sides<SchemaRef> {
        &self.schemas
    }

    /// Of rows that are read in part, what is left of their fingerprints without the columns that were read.
    pub(crate) fn rests(&self, job: &Job, rows: &RecordBatch) -> Option<Vec<u128>> {
        let columns = self.columns()?;
        let fingerprints: Vec<u128> = fingerprints_of(rows).collect();
        let readable = ExchangedRows::new(rows, &job.plan).readable();
        let arrays: Vec<&ArrayRef> = columns.iter().map(|at| &readable[*at]).collect();
        Some(job.compiled.row_hasher.without(&fingerprints, columns, &arrays))
    }
}
