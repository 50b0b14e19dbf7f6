//! In what form a scan task exchanges its rows as fingerprints: numbered, or with their values of columns with a tolerance.

use crate::aligned_rows::{Read, Rows, key_bits};
use crate::exchanged::{as_binary, numbered_as, numbers_as, tolerant_schema};
use crate::job::Job;
use arrow_array::{RecordBatch, UInt64Array};
use arrow_schema::{DataType, SchemaRef};
use shadowdiff_core::error::{Error, Result};
use shadowdiff_core::plan::{ScanTask, Split};
use shadowdiff_core::side::{Side, Sides};
use shadowdiff_core::value::in_fixed_form;
use std::sync::Arc;

/// What rows come to that a scan task exchanges as fingerprints.
#[derive(Debug, Clone)]
pub(crate) struct ScannedForm {
    /// Whether they have values with a tolerance.
    is_tolerant: bool,
    schemas: Sides<SchemaRef>,
}

impl ScannedForm {
    pub(crate) fn new(job: &Job, task: &ScanTask) -> Self {
        let tolerant = job.compiled.row_hasher.tolerant();
        let numbers = Sides::from_fn(|side| number_form(&task.splits[side]));
        ScannedForm {
            is_tolerant: !tolerant.is_empty(),
            schemas: Sides::from_fn(|side| match tolerant {
                [] => numbered_as(&numbers[side]),
                columns => tolerant_schema(&job.plan, columns, side, &numbers[side]),
            }),
        }
    }

    pub(crate) fn schemas(&self) -> &Sides<SchemaRef> {
        &self.schemas
    }

    /// Rows as they are read, in this form.
    pub(crate) fn rows(&self, job: &Job, side: Side, read: Read) -> Result<Rows> {
        let schema = &self.schemas[side];
        let mut columns = vec![numbers_as(read.numbers.to_vec(), schema.field(0).data_type())];
        match &read.exact {
            Some(exact) if self.is_tolerant => {
                let value = |at: &usize| in_fixed_form(&read.columns[*at], &job.plan.aligned.columns[*at].stored[side]);
                columns.extend(job.compiled.row_hasher.tolerant().iter().map(value));
                columns.push(Arc::new(read.keys(job).iter().copied().map(key_bits).collect::<UInt64Array>()));
                columns.push(as_binary(exact));
            }
            _ => columns.push(as_binary(&read.fingerprints)),
        }
        let batch = RecordBatch::try_new(Arc::clone(schema), columns);
        Ok(Rows {
            batch: batch.map_err(|e| Error::internal(format!("fingerprints of the exchange: {e}")))?,
            fingerprints: read.fingerprints,
        })
    }
}

/// In how many bits the numbers of rows go that a scan task reads of a side. Of whole files it is not known how many there are.
fn number_form(splits: &[Split]) -> DataType {
    let rows = splits.iter().map(Split::rows).sum::<Option<u64>>();
    match rows.is_some_and(|rows| rows <= u64::from(u32::MAX)) {
        true => DataType::UInt32,
        false => DataType::UInt64,
    }
}
