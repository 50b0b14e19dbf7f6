//! What every binary reader holds against a file: no panic gets out, no column name occurs twice.

use super::Batches;
use super::pinned::PinnedFile;
use arrow_array::RecordBatch;
use arrow_schema::{DataType, Field, Fields};
use shadowdiff_core::error::{Error, Result};
use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// Runs decoding code that may panic on malformed input. Its state is not used again after a panic.
pub(super) fn guarded<T>(file: &PinnedFile, decode: impl FnOnce() -> Result<T>) -> Result<T> {
    match catch_unwind(AssertUnwindSafe(decode)) {
        Ok(result) => result,
        Err(panic) => {
            let reason = panic
                .downcast_ref::<String>()
                .cloned()
                .or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string));
            Err(file.blame(format!(
                "the file is malformed ({})",
                reason.unwrap_or_else(|| "no reason given".into())
            )))
        }
    }
}

/// Batches of `file` out of a function that gives the next one, guarded; nothing follows an error, and the pin is checked at the end.
pub(super) fn batches(file: Arc<PinnedFile>, mut next: impl FnMut() -> Result<Option<RecordBatch>> + Send + 'static) -> Batches {
    let mut done = false;
    Box::new(std::iter::from_fn(move || {
        if done {
            return None;
        }
        let batch = guarded(&file, &mut next).and_then(|batch| match batch {
            Some(batch) => Ok(Some(batch)),
            None => file.check().map(|()| None),
        });
        done = !matches!(batch, Ok(Some(_)));
        batch.transpose()
    }))
}

/// Refuses a name that occurs twice among columns, or among the members of one struct.
pub(super) fn unique_names(name: &str, fields: &Fields) -> Result<()> {
    let Some(twice) = first_repeated("", fields) else { return Ok(()) };
    Err(Error::input(format!(
        "{name}: the column '{twice}' occurs twice, so it cannot be matched by name; rename one of the two in the file"
    )))
}

fn first_repeated(prefix: &str, fields: &Fields) -> Option<String> {
    let mut seen = BTreeSet::new();
    for field in fields {
        let path = format!("{prefix}{}", field.name());
        if !seen.insert(field.name()) {
            return Some(path);
        }
        if let Some(inner) = repeated_inside(&path, field.data_type()) {
            return Some(inner);
        }
    }
    None
}

fn repeated_inside(path: &str, data_type: &DataType) -> Option<String> {
    match data_type {
        DataType::Struct(members) => first_repeated(&format!("{path}."), members),
        DataType::List(item) | DataType::LargeList(item) | DataType::FixedSizeList(item, _) => repeated_inside(path, item.data_type()),
        DataType::Map(entries, _) => match entries.data_type() {
            DataType::Struct(pair) => pair.iter().find_map(|part| repeated_inside(path, part.data_type())),
            _ => None,
        },
        _ => None,
    }
}

/// Where the wanted columns stand among those of the file, in the order of the file.
pub(super) fn projection(fields: &Fields, columns: &[String]) -> Vec<usize> {
    let wanted: BTreeSet<&str> = columns.iter().map(String::as_str).collect();
    (0..fields.len()).filter(|i| wanted.contains(fields[*i].name().as_str())).collect()
}

/// The fields without the sharing.
pub(super) fn owned(fields: &Fields) -> Vec<Field> {
    fields.iter().map(|field| field.as_ref().clone()).collect()
}

/// A batch in pieces of at most `batch_rows` rows; an empty one gives nothing.
#[derive(Debug)]
pub(super) struct Pieces {
    batch: RecordBatch,
    from: usize,
    batch_rows: usize,
}

impl Pieces {
    pub(super) fn new(batch: RecordBatch, batch_rows: usize) -> Self {
        Pieces {
            batch,
            from: 0,
            batch_rows: batch_rows.max(1),
        }
    }

    pub(super) fn next(&mut self) -> Option<RecordBatch> {
        let rows = self.batch_rows.min(self.batch.num_rows() - self.from);
        let piece = (rows > 0).then(|| self.batch.slice(self.from, rows));
        self.from += rows;
        piece
    }
}
