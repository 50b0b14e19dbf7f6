//! What the values of a JSON field have in common, and the type that follows.

use super::build::is_not_finite;
use super::tree::{Json, Members};
use shadowdiff_core::error::{Error, Result};
use shadowdiff_core::value::{Guess, ValueType};
use std::collections::BTreeMap;

/// The shape of a field. Merging is independent of order and grouping, except for which clash is told.
#[derive(Debug, Clone, PartialEq)]
pub enum JsonShape {
    /// No value but NULL: it fits any other shape.
    Null,
    Bool,
    Number(Guess),
    Text(Guess),
    List(Box<JsonShape>),
    Object(BTreeMap<String, JsonShape>),
}

impl Default for JsonShape {
    /// The shape of no lines.
    fn default() -> Self {
        JsonShape::Object(BTreeMap::new())
    }
}

/// Two values of one field that have no shape in common.
#[derive(Debug, PartialEq)]
pub(super) struct Clash {
    /// Members are joined by dots, items are `[]`; outermost last while it is built.
    path: Vec<String>,
    before: &'static str,
    now: &'static str,
}

impl Clash {
    pub(super) fn into_error(self) -> Error {
        let mut path = String::new();
        for part in self.path.iter().rev() {
            let dot = if path.is_empty() || part == "[]" { "" } else { "." };
            path = format!("{path}{dot}{part}");
        }
        Error::input(format!("is {} here, but {} before", self.now, self.before))
            .column(path)
            .advice("write it as one of them everywhere")
    }

    fn within(mut self, outer: &str) -> Self {
        self.path.push(outer.to_string());
        self
    }
}

/// The shape of all lines so far, field by field: of the lines of each of two groups.
#[derive(Debug, Default)]
pub(super) struct LineShapes(Vec<(String, [Option<JsonShape>; 2])>);

impl LineShapes {
    /// The places of these fields.
    pub(super) fn places(&mut self, members: &Members<'_>) -> Vec<usize> {
        let mut place = |name: &str| {
            self.0.iter().position(|(known, _)| known == name).unwrap_or_else(|| {
                self.0.push((name.to_owned(), [None, None]));
                self.0.len() - 1
            })
        };
        members.iter().map(|(name, _)| place(name)).collect()
    }

    /// Takes in a value of the field at a place, in a line of this group.
    pub(super) fn observe(&mut self, place: usize, group: usize, value: &Json<'_>) -> Result<(), Clash> {
        let (name, shapes) = &mut self.0[place];
        let shape = shapes[group].get_or_insert(JsonShape::Null);
        shape.observe(value).map_err(|clash| clash.within(name))
    }

    /// Of each group.
    pub(super) fn into_shapes(self) -> [JsonShape; 2] {
        let mut groups = [BTreeMap::new(), BTreeMap::new()];
        for (name, shapes) in self.0 {
            for (group, shape) in groups.iter_mut().zip(shapes) {
                group.extend(shape.map(|shape| (name.clone(), shape)));
            }
        }
        groups.map(JsonShape::Object)
    }
}

impl JsonShape {
    /// Takes in what `file` has of `column`; the error names both.
    pub fn merge(&mut self, other: &JsonShape, file: &str, column: &str) -> Result<()> {
        self.unite(other).map_err(|clash| clash.within(column).into_error().file(file))
    }

    /// The narrowest type that fits every value. Text becomes a date or a timestamp, never a bool or a number, but for `NaN` and the
    /// infinities beside numbers; a number that neither 76 digits nor a double hold stays text, as written.
    pub fn value_type(&self) -> ValueType {
        match self {
            JsonShape::Null => ValueType::Null,
            JsonShape::Bool => ValueType::Bool,
            JsonShape::Number(guess) => guess.result(),
            JsonShape::Text(guess) => guess.of_texts().result(),
            JsonShape::List(item) => ValueType::List(Box::new(item.value_type())),
            JsonShape::Object(members) => {
                ValueType::Struct(members.iter().map(|(name, member)| (name.clone(), member.value_type())).collect())
            }
        }
    }

    /// Whether some field has times with a zone and times without one.
    pub fn mixes_zones(&self) -> bool {
        match self {
            JsonShape::Null | JsonShape::Bool | JsonShape::Number(_) => false,
            JsonShape::Text(guess) => guess.mixes_zones(),
            JsonShape::List(item) => item.mixes_zones(),
            JsonShape::Object(members) => members.values().any(JsonShape::mixes_zones),
        }
    }

    fn kind(&self) -> &'static str {
        match self {
            JsonShape::Null => "null",
            JsonShape::Bool => "a bool",
            JsonShape::Number(_) => "a number",
            JsonShape::Text(_) => "text",
            JsonShape::List(_) => "a list",
            JsonShape::Object(_) => "an object",
        }
    }

    fn observe(&mut self, value: &Json<'_>) -> Result<(), Clash> {
        match (&*self, value) {
            (JsonShape::Null, _) => *self = JsonShape::empty(value),
            // So far `NaN` alone: that it stands for a number shows now.
            (JsonShape::Text(guess), Json::Number(_)) if guess.is_not_finite() => *self = JsonShape::Number(*guess),
            _ => {}
        }
        match (&mut *self, value) {
            (_, Json::Null) | (JsonShape::Bool, Json::Bool(_)) => Ok(()),
            (JsonShape::Number(guess), Json::Number(text)) => {
                guess.observe(text);
                Ok(())
            }
            (JsonShape::Number(guess), Json::Text(text)) if is_not_finite(text) => {
                guess.observe(text);
                Ok(())
            }
            (JsonShape::Text(guess), Json::Text(text)) => {
                observe_text(guess, text);
                Ok(())
            }
            (JsonShape::List(item), Json::List(items)) => items
                .iter()
                .try_for_each(|value| item.observe(value))
                .map_err(|clash| clash.within("[]")),
            (JsonShape::Object(members), Json::Object(values)) => values
                .iter()
                .try_for_each(|(name, value)| member(members, name).observe(value).map_err(|clash| clash.within(name))),
            (shape, value) => Err(Clash {
                path: Vec::new(),
                before: shape.kind(),
                now: value.kind(),
            }),
        }
    }

    /// The shape that a first value begins with.
    fn empty(value: &Json<'_>) -> JsonShape {
        match value {
            Json::Null => JsonShape::Null,
            Json::Bool(_) => JsonShape::Bool,
            Json::Number(_) => JsonShape::Number(Guess::default()),
            Json::Text(_) => JsonShape::Text(Guess::default()),
            Json::List(_) => JsonShape::List(Box::new(JsonShape::Null)),
            Json::Object(_) => JsonShape::Object(BTreeMap::new()),
        }
    }

    fn unite(&mut self, other: &JsonShape) -> Result<(), Clash> {
        match (&mut *self, other) {
            (_, JsonShape::Null) | (JsonShape::Bool, JsonShape::Bool) => Ok(()),
            (JsonShape::Null, _) => {
                *self = other.clone();
                Ok(())
            }
            (JsonShape::Number(guess), JsonShape::Number(more)) | (JsonShape::Text(guess), JsonShape::Text(more)) => {
                guess.merge(more);
                Ok(())
            }
            (JsonShape::Number(guess), JsonShape::Text(more)) if more.is_not_finite() => {
                guess.merge(more);
                Ok(())
            }
            (JsonShape::Text(guess), JsonShape::Number(more)) if guess.is_not_finite() => {
                guess.merge(more);
                *self = JsonShape::Number(*guess);
                Ok(())
            }
            (JsonShape::List(item), JsonShape::List(more)) => item.unite(more).map_err(|clash| clash.within("[]")),
            (JsonShape::Object(members), JsonShape::Object(more)) => more
                .iter()
                .try_for_each(|(name, more)| member(members, name).unite(more).map_err(|clash| clash.within(name))),
            (shape, other) => Err(Clash {
                path: Vec::new(),
                before: shape.kind(),
                now: other.kind(),
            }),
        }
    }
}

/// Other spellings of `NaN` and the infinities are text like any other.
fn observe_text(guess: &mut Guess, text: &str) {
    if guess.is_text() || guess.observe_plain_day(text.as_bytes()) {
        return;
    }
    let mut one = Guess::default();
    one.observe(text);
    if one.is_not_finite() && !is_not_finite(text) {
        one.observe_text();
    }
    guess.merge(&one);
}

/// A member's shape; a new member is NULL so far. The name is only copied when it is new.
fn member<'a>(members: &'a mut BTreeMap<String, JsonShape>, name: &str) -> &'a mut JsonShape {
    if !members.contains_key(name) {
        members.insert(name.to_string(), JsonShape::Null);
    }
    members.get_mut(name).expect("just put in")
}
