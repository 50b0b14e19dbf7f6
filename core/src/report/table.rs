//! The listed differences as a table for programs: the lines of `diff.csv` with types, NULL apart from the empty text, and nothing quoted.

use super::csv::print_key;
use super::delta::Delta;
use super::line::{JudgedBy, LinePrinter};
use crate::align::{Aligned, Column, Role};
use crate::difference::Difference;
use crate::error::{Error, Result};
use crate::side::Side;
use crate::spec::OUTPUT_COLUMNS;
use crate::value::{Value, ValueType, print, print_in};
use arrow_array::builder::{ArrayBuilder, BooleanBuilder, Date32Builder, Float64Builder, Int64Builder, StringBuilder};
use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use std::sync::Arc;

/// A column behind the key's: all but the deltas are text.
fn column_type(name: &str) -> DataType {
    match name {
        "delta" | "relative_delta" => DataType::Float64,
        _ => DataType::Utf8,
    }
}

/// A column of the key. What has no plain type of its own is text, as in `diff.csv`.
fn key_type(column: &Column) -> DataType {
    match &column.shown {
        ValueType::Bool => DataType::Boolean,
        ValueType::Int { bits, signed } if *signed || *bits < 64 => DataType::Int64,
        ValueType::Date => DataType::Date32,
        _ => DataType::Utf8,
    }
}

/// The schema of the table. `attributes`: columns whose values are kept.
pub fn table_schema(aligned: &Aligned, attributes: &[String]) -> SchemaRef {
    let key = aligned.key_columns().map(|column| Field::new(&column.name, key_type(column), true));
    let fixed = OUTPUT_COLUMNS.iter().map(|name| Field::new(*name, column_type(name), true));
    let of_side = |side: Side| {
        attributes
            .iter()
            .map(move |name| Field::new(format!("{side}_row.{name}"), DataType::Utf8, true))
    };
    let kept = Side::BOTH.into_iter().flat_map(of_side);
    Arc::new(Schema::new(key.chain(fixed).chain(kept).collect::<Vec<_>>()))
}

/// Rows of the table that follow each other.
#[derive(Debug)]
pub(super) struct TableRows {
    schema: SchemaRef,
    key: Vec<KeyBuilder>,
    texts: [StringBuilder; 8],
    deltas: [Float64Builder; 2],
    /// Of live's rows, then of shadow's.
    attributes: Vec<StringBuilder>,
    text: String,
}

#[derive(Debug)]
enum KeyBuilder {
    Bool(BooleanBuilder),
    Int(Int64Builder),
    Date(Date32Builder),
    Text(StringBuilder),
}

impl KeyBuilder {
    fn new(column: &Column) -> Self {
        match key_type(column) {
            DataType::Boolean => KeyBuilder::Bool(BooleanBuilder::new()),
            DataType::Int64 => KeyBuilder::Int(Int64Builder::new()),
            DataType::Date32 => KeyBuilder::Date(Date32Builder::new()),
            _ => KeyBuilder::Text(StringBuilder::new()),
        }
    }

    fn push(&mut self, value: &Value<'_>, column: &Column) -> Result<()> {
        match (self, value) {
            (KeyBuilder::Bool(rows), Value::Bool(value)) => rows.append_value(*value),
            (KeyBuilder::Bool(rows), Value::Null) => rows.append_null(),
            (KeyBuilder::Int(rows), Value::Int(value)) => {
                let value = i64::try_from(*value)
                    .map_err(|_| Error::internal(format!("column `{}`: {value} has more than 64 bits", column.name)))?;
                rows.append_value(value);
            }
            (KeyBuilder::Int(rows), Value::Null) => rows.append_null(),
            (KeyBuilder::Date(rows), Value::Date(day)) => rows.append_value(*day),
            (KeyBuilder::Date(rows), Value::Null) => rows.append_null(),
            (KeyBuilder::Text(rows), Value::Null) => rows.append_null(),
            (KeyBuilder::Text(rows), Value::Text(text)) => rows.append_value(text),
            (KeyBuilder::Text(rows), value) => {
                let mut text = String::new();
                print_key(value, column, &mut text);
                rows.append_value(text);
            }
            (_, value) => return Err(Error::internal(format!("column `{}`: {value:?} is not of its type", column.name))),
        }
        Ok(())
    }

    fn finish(&mut self) -> ArrayRef {
        match self {
            KeyBuilder::Bool(rows) => Arc::new(rows.finish()),
            KeyBuilder::Int(rows) => Arc::new(rows.finish()),
            KeyBuilder::Date(rows) => Arc::new(rows.finish()),
            KeyBuilder::Text(rows) => Arc::new(rows.finish()),
        }
    }
}

impl TableRows {
    pub(super) fn new(aligned: &Aligned, attributes: &[String]) -> Self {
        TableRows {
            schema: table_schema(aligned, attributes),
            key: aligned.key_columns().map(KeyBuilder::new).collect(),
            texts: Default::default(),
            deltas: Default::default(),
            attributes: (0..2 * attributes.len()).map(|_| StringBuilder::new()).collect(),
            text: String::new(),
        }
    }

    pub(super) fn push(
        &mut self,
        difference: &Difference<'_>,
        (judgement, by, delta): JudgedBy<'_>,
        printer: &LinePrinter<'_>,
    ) -> Result<()> {
        let aligned = printer.aligned;
        for ((rows, value), column) in self.key.iter_mut().zip(difference.key.values()).zip(aligned.key_columns()) {
            rows.push(&value, column)?;
        }
        let column = difference.column.map(|at| &aligned.columns[at]);
        let shown = match column {
            // A struct that was put together from its members prints as what it is.
            Some(column) if column.role == Role::Presence => &ValueType::Null,
            Some(column) => &column.shown,
            None => &ValueType::INT64,
        };
        let [kind, column_name, live, shadow, comparator, rule_name, verdict, diagnosis] = &mut self.texts;
        kind.append_value(difference.kind.name());
        column_name.append_option(column.map(|column| column.name.as_str()));
        for (rows, value) in [(live, &difference.live), (shadow, &difference.shadow)] {
            if value.is_null() {
                rows.append_null();
                continue;
            }
            self.text.clear();
            print_in(value, shown, &mut self.text);
            rows.append_value(&self.text);
        }
        let [deltas, relative_deltas] = &mut self.deltas;
        deltas.append_option(delta.map(Delta::as_double));
        relative_deltas.append_option(delta.and_then(Delta::relative));
        comparator.append_option(difference.column.map(|column| printer.comparator(column)));
        rule_name.append_option(by);
        verdict.append_value(judgement.name());
        diagnosis.append_option(difference.diagnosis);
        self.push_attributes(difference);
        Ok(())
    }

    /// The attributes are the first of the columns that are kept.
    fn push_attributes(&mut self, difference: &Difference<'_>) {
        let kept: Vec<Value<'_>> = difference.kept.values().collect();
        let (named, all) = (self.attributes.len() / 2, kept.len() / 2);
        for (at, rows) in self.attributes.iter_mut().enumerate() {
            let place = if at < named { at } else { all + at - named };
            match kept.get(place) {
                None | Some(Value::Null) => rows.append_null(),
                Some(Value::Text(text)) => rows.append_value(text),
                Some(value) => {
                    self.text.clear();
                    print(value, &mut self.text);
                    rows.append_value(&self.text);
                }
            }
        }
    }

    /// The rows so far, which begin anew; `None` where there are none.
    pub(super) fn finish(&mut self) -> Result<Option<RecordBatch>> {
        if self.texts[0].is_empty() {
            return Ok(None);
        }
        let mut columns: Vec<ArrayRef> = self.key.iter_mut().map(KeyBuilder::finish).collect();
        let mut texts = self.texts.iter_mut().map(|rows| Arc::new(rows.finish()) as ArrayRef);
        let mut deltas = self.deltas.iter_mut().map(|rows| Arc::new(rows.finish()) as ArrayRef);
        columns.extend(OUTPUT_COLUMNS.iter().filter_map(|name| match column_type(name) {
            DataType::Float64 => deltas.next(),
            _ => texts.next(),
        }));
        columns.extend(self.attributes.iter_mut().map(|rows| Arc::new(rows.finish()) as ArrayRef));
        let batch = RecordBatch::try_new(Arc::clone(&self.schema), columns);
        batch
            .map(Some)
            .map_err(|e| Error::internal(format!("the table of differences: {e}")))
    }
}
