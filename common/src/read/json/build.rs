//! Builds the arrays of a batch from parsed JSON, each value exactly as its type wants it.
//!
//! Scalars are read from their text by `parse_into`, numbers and texts alike, so that `schema:` may call for a number where
//! the file has text. What one field may not do is to change between text, number and bool. JSON has no NaN: in a column of
//! doubles the texts `NaN`, `Infinity` and `-Infinity`, as Spark and DuckDB write them, are doubles.

use super::tree::Json;
use arrow_array::builder::StringBuilder;
use arrow_array::{ArrayRef, ListArray, MapArray, StringArray, StructArray};
use arrow_buffer::{NullBuffer, NullBufferBuilder, OffsetBuffer, ScalarBuffer};
use arrow_schema::{ArrowError, DataType, Fields};
use shadowdiff_core::value::{ValueType, parse_into};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A value that does not fit, at a row of the batch.
#[derive(Debug)]
pub(super) struct BadField {
    pub(super) row: usize,
    pub(super) path: String,
    pub(super) what: String,
}

/// The numbers that writers of JSON put down as text.
pub(super) fn is_not_finite(text: &str) -> bool {
    matches!(text, "NaN" | "Infinity" | "-Infinity")
}

/// Where such a number may stand among others: in doubles, and in text that numbers were made to because of the other side.
fn takes_not_finite(target: &ValueType) -> bool {
    matches!(target.shown(), ValueType::Float { .. } | ValueType::Text)
}

/// The texts of a field that is not nested, a row after the other.
#[derive(Debug, Default)]
pub(super) struct Scalars {
    texts: StringBuilder,
    /// What all values have been so far; NULL is of no kind.
    kind: Option<&'static str>,
}

impl Scalars {
    /// The error says what is wrong with the value.
    pub(super) fn push(&mut self, value: Option<&Json<'_>>, target: &ValueType) -> Result<(), String> {
        let (text, kind) = match value {
            None | Some(Json::Null) => {
                self.texts.append_null();
                return Ok(());
            }
            Some(Json::Bool(true)) => ("true", "a bool"),
            Some(Json::Bool(false)) => ("false", "a bool"),
            Some(Json::Number(text)) => (text.as_ref(), "a number"),
            Some(Json::Text(text)) if takes_not_finite(target) && is_not_finite(text) => {
                self.texts.append_value(text);
                return Ok(());
            }
            Some(Json::Text(text)) => (text.as_ref(), "text"),
            Some(other @ (Json::List(_) | Json::Object(_))) => {
                return Err(format!("is {} where {target} is expected", other.kind()));
            }
        };
        match self.kind {
            Some(before) if before != kind => {
                return Err(format!("is {kind} here, but {before} before: write it as one of them everywhere"));
            }
            _ => self.kind = Some(kind),
        }
        self.texts.append_value(text);
        Ok(())
    }

    /// The values of the rows since the last time.
    pub(super) fn finish(&mut self, target: &ValueType, path: &str) -> Result<ArrayRef, BadField> {
        parse_into(&self.texts.finish(), target).map_err(|wrong| BadField::new(wrong.row, path, wrong.to_string()))
    }
}

/// The kind of scalar that each field has had so far, by path; NULL has none.
#[derive(Debug, Default)]
pub(super) struct Kinds(BTreeMap<String, &'static str>);

type Values<'a> = [Option<&'a Json<'a>>];

impl Kinds {
    /// The array of one field; `None` and JSON null are NULL.
    pub(super) fn build(&mut self, values: &Values<'_>, target: &ValueType, path: &str) -> Result<ArrayRef, BadField> {
        match target {
            ValueType::List(item) => self.build_list(values, item, target, path),
            ValueType::Struct(members) => self.build_struct(values, members, target, path),
            ValueType::Map(key, value) => self.build_map(values, key, value, target, path),
            scalar => self.build_scalar(values, scalar, path),
        }
    }

    fn build_scalar(&mut self, values: &Values<'_>, target: &ValueType, path: &str) -> Result<ArrayRef, BadField> {
        let mut scalars = Scalars {
            kind: self.0.get(path).copied(),
            ..Scalars::default()
        };
        for (row, value) in values.iter().enumerate() {
            scalars.push(*value, target).map_err(|what| BadField::new(row, path, what))?;
        }
        if let Some(kind) = scalars.kind {
            self.0.entry(path.to_string()).or_insert(kind);
        }
        scalars.finish(target, path)
    }

    fn build_list(&mut self, values: &Values<'_>, item: &ValueType, target: &ValueType, path: &str) -> Result<ArrayRef, BadField> {
        let mut spans = Spans::default();
        let mut items = Vec::new();
        for (row, value) in values.iter().enumerate() {
            match value {
                None | Some(Json::Null) => {}
                Some(Json::List(list)) => items.extend(list.iter().map(not_null)),
                Some(other) => return Err(unfit(row, path, other, target)),
            }
            spans.push(items.len(), !matches!(value, None | Some(Json::Null)));
        }
        let (offsets, nulls) = spans.finish();
        let built = self
            .build(&items, item, &format!("{path}[]"))
            .map_err(|bad| bad.in_list(&offsets))?;
        let DataType::List(field) = target.storage() else {
            unreachable!("a list is stored as a list")
        };
        Ok(Arc::new(
            ListArray::try_new(field, offsets, built, nulls).map_err(|error| broken(path, &error))?,
        ))
    }

    fn build_struct(
        &mut self,
        values: &Values<'_>,
        members: &[(String, ValueType)],
        target: &ValueType,
        path: &str,
    ) -> Result<ArrayRef, BadField> {
        let mut nulls = NullBufferBuilder::new(values.len());
        for (row, value) in values.iter().enumerate() {
            match value {
                None | Some(Json::Null) => nulls.append_null(),
                Some(Json::Object(_)) => nulls.append_non_null(),
                Some(other) => return Err(unfit(row, path, other, target)),
            }
        }
        let nulls = nulls.finish();
        let DataType::Struct(fields) = target.storage() else {
            unreachable!("a struct is stored as a struct")
        };
        if members.is_empty() {
            return Ok(Arc::new(StructArray::new_empty_fields(values.len(), nulls)));
        }
        let mut columns = Vec::with_capacity(members.len());
        for (name, member) in members {
            // A member of no type is NULL everywhere, or passed over.
            let is_passed_over = *member == ValueType::Null;
            let inside = values
                .iter()
                .map(|value| value.filter(|_| !is_passed_over).and_then(|value| value.member(name)));
            let inner: Vec<Option<&Json<'_>>> = inside.collect();
            columns.push(self.build(&inner, member, &format!("{path}.{name}"))?);
        }
        Ok(Arc::new(
            StructArray::try_new(fields, columns, nulls).map_err(|error| broken(path, &error))?,
        ))
    }

    /// An object whose member names are data.
    fn build_map(
        &mut self,
        values: &Values<'_>,
        key: &ValueType,
        value_type: &ValueType,
        target: &ValueType,
        path: &str,
    ) -> Result<ArrayRef, BadField> {
        let mut spans = Spans::default();
        let (mut names, mut items) = (Vec::new(), Vec::new());
        for (row, value) in values.iter().enumerate() {
            match value {
                None | Some(Json::Null) => {}
                Some(Json::Object(members)) => {
                    names.extend(members.iter().map(|(name, _)| name.as_ref()));
                    items.extend(members.iter().map(|(_, value)| not_null(value)));
                }
                Some(other) => return Err(unfit(row, path, other, target)),
            }
            spans.push(items.len(), !matches!(value, None | Some(Json::Null)));
        }
        let (offsets, nulls) = spans.finish();
        let keys = parse_into(&StringArray::from(names), key);
        let keys = keys.map_err(|wrong| BadField::new(wrong.row, path, format!("the key {wrong}")).in_list(&offsets))?;
        let items = self
            .build(&items, value_type, &format!("{path}.*"))
            .map_err(|bad| bad.in_list(&offsets))?;
        let DataType::Map(entries, ordered) = target.storage() else {
            unreachable!("a map is stored as a map")
        };
        let DataType::Struct(pair) = entries.data_type() else {
            unreachable!("a map's entries are structs")
        };
        let pairs = StructArray::try_new(Fields::clone(pair), vec![keys, items], None).map_err(|error| broken(path, &error))?;
        Ok(Arc::new(
            MapArray::try_new(entries, offsets, pairs, nulls, ordered).map_err(|error| broken(path, &error))?,
        ))
    }
}

fn not_null<'a>(value: &'a Json<'a>) -> Option<&'a Json<'a>> {
    Some(value).filter(|value| **value != Json::Null)
}

fn unfit(row: usize, path: &str, value: &Json<'_>, target: &ValueType) -> BadField {
    BadField::new(row, path, format!("is {} where {target} is expected", value.kind()))
}

fn broken(path: &str, error: &ArrowError) -> BadField {
    BadField::new(0, path, format!("cannot be assembled: {error}"))
}

impl BadField {
    pub(super) fn new(row: usize, path: &str, what: String) -> Self {
        BadField {
            row,
            path: path.to_string(),
            what,
        }
    }

    /// The row of the list that an item is in.
    fn in_list(self, offsets: &OffsetBuffer<i32>) -> Self {
        let row = offsets.iter().skip(1).take_while(|end| **end as usize <= self.row).count();
        BadField { row, ..self }
    }
}

/// Where the items of each row end. They fit 32 bits: a batch is a few megabytes of JSON.
struct Spans {
    ends: Vec<i32>,
    nulls: NullBufferBuilder,
}

impl Default for Spans {
    fn default() -> Self {
        Spans {
            ends: vec![0],
            nulls: NullBufferBuilder::new(0),
        }
    }
}

impl Spans {
    fn push(&mut self, end: usize, valid: bool) {
        self.ends.push(end as i32);
        self.nulls.append(valid);
    }

    fn finish(mut self) -> (OffsetBuffer<i32>, Option<NullBuffer>) {
        (OffsetBuffer::new(ScalarBuffer::from(self.ends)), self.nulls.finish())
    }
}
