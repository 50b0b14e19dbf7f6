//! The rows of live that changes are planted into, and the spec that compares two copies of them.

use crate::init::spread;
use arrow_array::{ArrayRef, new_null_array};
use arrow_schema::DataType;
use shadowdiff_common::read::{DataFile, Dataset, Sources, read_column};
use shadowdiff_common::rows::{joined, stored_rows};
use shadowdiff_common::sql::{Sql, SqlColumn};
use shadowdiff_core::error::Result;
use shadowdiff_core::plan::ReadColumn;
use shadowdiff_core::side::{Side, Sides};
use shadowdiff_core::spec::{CsvOptions, DatasetSpec, OutputSpec, Spec};
use shadowdiff_core::value::{MAX_DIGITS, ValueType};
use std::path::Path;
use std::sync::Arc;

/// Of the widest decimal that fits 128 bits.
const DIGITS_OF_128_BITS: u8 = 38;
/// So many files are looked at, spread over all of them.
const MAX_FILES: usize = 16;

/// The first rows of some files, under the names of the comparison.
pub(super) struct Sample {
    pub(super) columns: Vec<ReadColumn>,
    pub(super) arrays: Vec<ArrayRef>,
    pub(super) rows: usize,
    /// By column: NULL stands for its values.
    pub(super) is_unread: Vec<bool>,
}

/// Blocks while it reads.
pub(super) fn read(dataset: &Dataset, spec: &Spec, columns: Vec<ReadColumn>, most: usize, sources: &Sources) -> Result<Sample> {
    // What the spec leaves out and no SQL names has no type that is known: its values do not matter.
    let is_unread = |column: &ReadColumn| column.value_type == ValueType::Null && spec.columns.leaves_out(&column.name);
    let mut sample = Sample {
        is_unread: columns.iter().map(is_unread).collect(),
        columns: columns.into_iter().map(wide).collect(),
        arrays: Vec::new(),
        rows: 0,
    };
    let files = spread(dataset.files.len(), MAX_FILES);
    for (at, file) in files.iter().enumerate() {
        // What a file has too few of, those behind it may have.
        let quota = (most - sample.rows).div_ceil(files.len() - at);
        sample.add(dataset, &dataset.files[*file], &spec.sides.live.csv, quota, sources)?;
    }
    Ok(sample)
}

/// A decimal takes values a hundred times as large too.
fn wide(column: ReadColumn) -> ReadColumn {
    let value_type = match column.value_type {
        ValueType::Decimal { precision, scale } => ValueType::Decimal {
            // No wider than before in memory: SQL may treat a wider one in another way.
            precision: (precision + 3).min(if precision <= DIGITS_OF_128_BITS {
                DIGITS_OF_128_BITS
            } else {
                MAX_DIGITS
            }),
            scale,
        },
        other => other,
    };
    ReadColumn { value_type, ..column }
}

impl Sample {
    fn add(&mut self, dataset: &Dataset, file: &DataFile, csv: &CsvOptions, quota: usize, sources: &Sources) -> Result<()> {
        let wanted = self.columns.iter().zip(&self.is_unread).filter(|(_, is_unread)| !**is_unread);
        let mut left = quota;
        for raw in stored_rows(dataset, file, wanted.map(|(column, _)| column), csv, sources)? {
            if left == 0 {
                break;
            }
            let mut raw = raw?;
            raw.batch = raw.batch.slice(0, raw.batch.num_rows().min(left));
            let before = (quota - left) as u64;
            let columns = self.columns.iter().zip(&self.is_unread);
            let arrays = columns.map(|(column, is_unread)| match is_unread {
                true => Ok(new_null_array(&DataType::Null, raw.batch.num_rows())),
                false => read_column(column, false, &raw, Side::Live, file, before),
            });
            let arrays: Vec<ArrayRef> = arrays.collect::<Result<_>>()?;
            self.arrays = joined(&self.arrays, &arrays)?;
            left -= raw.batch.num_rows();
            self.rows += raw.batch.num_rows();
        }
        Ok(())
    }

    pub(super) fn names(&self) -> Vec<&str> {
        self.columns.iter().map(|column| column.name.as_str()).collect()
    }

    pub(super) fn array(&self, name: &str) -> Option<&ArrayRef> {
        let at = self.columns.iter().position(|column| column.name == name)?;
        self.arrays.get(at)
    }
}

/// The spec over two copies of rows of live, and what of it the copies cannot show.
pub(super) fn spec_of_copies(spec: &Spec, columns: &[ReadColumn], copies: &Sides<Arc<Path>>) -> (Spec, Vec<String>) {
    let mut notes = Vec::new();
    let mut copied = spec.clone();
    copied.sides = Sides::from_fn(|side| DatasetSpec {
        paths: vec![copies[side].to_string_lossy().into_owned()],
        schema: Vec::new(),
        csv: CsvOptions::default(),
        ready: None,
    });
    // The copies have the names and the types of the comparison.
    copied.columns.rename = Sides::default();
    copied.columns.cast = Sides::default();
    let sql = Sql::default();
    let read: Vec<SqlColumn> = columns.iter().map(|c| SqlColumn::new(&c.name, &c.value_type)).collect();
    let mut derives = spec.columns.derive.live.clone();
    for (name, text) in &spec.columns.derive.shadow {
        if let Some(missing) = sql.missing(text, &read).first() {
            notes.push(format!(
                "columns.derive.{name} (shadow) reads `{missing}`, which live does not have: it is not tested"
            ));
            continue;
        }
        match derives.iter_mut().find(|(derived, _)| derived == name) {
            Some((_, of_live)) => of_live.clone_from(text),
            None => derives.push((name.clone(), text.clone())),
        }
    }
    let made = derives.iter().map(|(name, _)| SqlColumn::new(name, &ValueType::Null));
    let seen: Vec<SqlColumn> = read.into_iter().chain(made).collect();
    copied.columns.derive.shadow = derives;
    if let Some(text) = &spec.filter.shadow
        && let Some(missing) = sql.missing(text, &seen).first()
    {
        notes.push(format!(
            "where (shadow) reads `{missing}`, which live does not have: it is not tested, that of live is"
        ));
        copied.filter.shadow.clone_from(&spec.filter.live);
    }
    // A name of the shadow's alone would be a mistake in the copies.
    copied.columns.exclude.retain(|pattern| {
        let is_of = |name: &str| pattern.matches(name) || pattern.0.strip_prefix(name).is_some_and(|rest| rest.starts_with(['.', '[']));
        !pattern.is_exact() || columns.iter().any(|column| is_of(&column.name))
    });
    // Copies without a change break nothing, so that what is broken shows what was planted.
    copied.expected.iter_mut().for_each(|rule| rule.min = None);
    copied.verdict.unused_rules_fail = false;
    copied.output = OutputSpec::default();
    (copied, notes)
}
