//! A JSON value with its numbers as written and its members in order; a member that is there twice is an error.

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Json {
    Null,
    Bool(bool),
    /// As written, but that an exponent becomes `e+3` or `e-3`.
    Number(String),
    Text(String),
    List(Vec<Json>),
    /// By name, each once.
    Object(Vec<(String, Json)>),
}

impl Json {
    /// A member of an object; NULL and what is missing are the same.
    pub(super) fn member(&self, name: &str) -> Option<&Json> {
        let Json::Object(members) = self else { return None };
        let place = members.binary_search_by(|(member, _)| member.as_str().cmp(name)).ok()?;
        Some(&members[place].1).filter(|value| **value != Json::Null)
    }

    /// Makes the members of these names NULL; those of objects in it go by their dotted paths.
    pub(super) fn clear_members(&mut self, of: &impl Fn(&str) -> bool) {
        self.clear_inside("", of);
    }

    fn clear_inside(&mut self, path: &str, of: &impl Fn(&str) -> bool) {
        let Json::Object(members) = self else { return };
        for (name, value) in members {
            let path = format!("{path}{name}");
            if of(&path) {
                *value = Json::Null;
            } else if let Json::Object(_) = value {
                value.clear_inside(&format!("{path}."), of);
            }
        }
    }

    pub(super) fn kind(&self) -> &'static str {
        match self {
            Json::Null => "null",
            Json::Bool(_) => "a bool",
            Json::Number(_) => "a number",
            Json::Text(_) => "text",
            Json::List(_) => "a list",
            Json::Object(_) => "an object",
        }
    }
}

/// Where a line stops being JSON, and why.
pub(super) struct Malformed {
    /// In the line, from 1.
    pub(super) character: u64,
    pub(super) what: String,
}

/// Parses one line.
pub(super) fn parse(line: &str) -> Result<Json, Malformed> {
    serde_json::from_str(line).map_err(|error: serde_json::Error| {
        let message = error.to_string();
        // The parser puts the place of an error into its words.
        let what = message.split(" at line ").next().unwrap_or(&message);
        Malformed {
            character: error.column() as u64,
            what: format!("not valid JSON: {what}"),
        }
    })
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Tree)
    }
}

struct Tree;

/// The member name under which serde_json, with `arbitrary_precision`, hands over a number's text.
const NUMBER_TOKEN: &str = "$serde_json::private::Number";

impl<'de> Visitor<'de> for Tree {
    type Value = Json;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Json, E> {
        Ok(Json::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Json, E> {
        Ok(Json::Number(value.to_string()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Json, E> {
        Ok(Json::Number(value.to_string()))
    }

    fn visit_str<E>(self, value: &str) -> Result<Json, E> {
        Ok(Json::Text(value.to_string()))
    }

    fn visit_string<E>(self, value: String) -> Result<Json, E> {
        Ok(Json::Text(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Json, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Json::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Json, A::Error> {
        let mut members: Vec<(String, Json)> = Vec::new();
        while let Some(name) = entries.next_key::<String>()? {
            let value = entries.next_value()?;
            match value {
                Json::Text(number) if name == NUMBER_TOKEN => return Ok(Json::Number(number)),
                value => members.push((name, value)),
            }
        }
        members.sort_by(|(a, _), (b, _)| a.cmp(b));
        match members.windows(2).find(|pair| pair[0].0 == pair[1].0) {
            Some(pair) => Err(A::Error::custom(format_args!("the field `{}` is there twice", pair[0].0))),
            None => Ok(Json::Object(members)),
        }
    }
}
