//! A JSON value with its numbers as written and its members in order; a member that is there twice is an error.

use serde::de::{Deserialize, DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use std::borrow::Cow;

/// Texts are those of the line, unless they have escapes.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Json<'a> {
    Null,
    Bool(bool),
    /// As written, but that an exponent becomes `e+3` or `e-3`.
    Number(Cow<'a, str>),
    Text(Cow<'a, str>),
    List(Vec<Json<'a>>),
    /// By name, each once.
    Object(Members<'a>),
}

pub(super) type Members<'a> = Vec<(Cow<'a, str>, Json<'a>)>;

impl Json<'_> {
    /// A member of an object; NULL and what is missing are the same.
    pub(super) fn member(&self, name: &str) -> Option<&Self> {
        let Json::Object(members) = self else { return None };
        let place = members.binary_search_by(|(member, _)| member.as_ref().cmp(name)).ok()?;
        Some(&members[place].1).filter(|value| **value != Json::Null)
    }

    /// Makes members NULL whose dotted paths, which begin with that of this object, are among these.
    pub(super) fn clear_inside(&mut self, path: &str, of: &impl Fn(&str) -> bool) {
        let Json::Object(members) = self else { return };
        for (name, value) in members {
            let path = format!("{path}.{name}");
            if of(&path) {
                *value = Json::Null;
            } else {
                value.clear_inside(&path, of);
            }
        }
    }

    /// The same with texts of its own.
    pub(super) fn into_owned(self) -> Json<'static> {
        let own = |text: Cow<'_, str>| Cow::Owned(text.into_owned());
        match self {
            Json::Null => Json::Null,
            Json::Bool(value) => Json::Bool(value),
            Json::Number(text) => Json::Number(own(text)),
            Json::Text(text) => Json::Text(own(text)),
            Json::List(items) => Json::List(items.into_iter().map(Json::into_owned).collect()),
            Json::Object(members) => {
                let owned = members.into_iter().map(|(name, value)| (own(name), value.into_owned()));
                Json::Object(owned.collect())
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
pub(super) fn parse(line: &str) -> Result<Json<'_>, Malformed> {
    read(line, Tree { is_line: false })
}

/// The same, with the members of an object as they stand: whether one is there twice is not looked at, but in those within.
pub(super) fn parse_line(line: &str) -> Result<Json<'_>, Malformed> {
    read(line, Tree { is_line: true })
}

fn read(line: &str, tree: Tree) -> Result<Json<'_>, Malformed> {
    let mut reader = serde_json::Deserializer::from_str(line);
    let read = tree.deserialize(&mut reader).and_then(|value| reader.end().map(|()| value));
    read.map_err(|error: serde_json::Error| {
        let message = error.to_string();
        // The parser puts the place of an error into its words.
        let what = message.split(" at line ").next().unwrap_or(&message);
        Malformed {
            character: error.column() as u64,
            what: format!("not valid JSON: {what}"),
        }
    })
}

/// Makes values; `is_line`: the outermost one.
#[derive(Clone, Copy)]
struct Tree {
    is_line: bool,
}

impl Tree {
    const INSIDE: Tree = Tree { is_line: false };
}

impl<'de> DeserializeSeed<'de> for Tree {
    type Value = Json<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Json<'de>, D::Error> {
        deserializer.deserialize_any(self)
    }
}

/// The member name under which serde_json, with `arbitrary_precision`, hands over a number's text.
const NUMBER_TOKEN: &str = "$serde_json::private::Number";

impl<'de> Visitor<'de> for Tree {
    type Value = Json<'de>;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Json<'de>, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Json<'de>, E> {
        Ok(Json::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Json<'de>, E> {
        Ok(Json::Number(Cow::Owned(value.to_string())))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Json<'de>, E> {
        Ok(Json::Number(Cow::Owned(value.to_string())))
    }

    fn visit_borrowed_str<E>(self, value: &'de str) -> Result<Json<'de>, E> {
        Ok(Json::Text(Cow::Borrowed(value)))
    }

    fn visit_str<E>(self, value: &str) -> Result<Json<'de>, E> {
        Ok(Json::Text(Cow::Owned(value.to_owned())))
    }

    fn visit_string<E>(self, value: String) -> Result<Json<'de>, E> {
        Ok(Json::Text(Cow::Owned(value)))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Json<'de>, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(Tree::INSIDE)? {
            list.push(item);
        }
        Ok(Json::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Json<'de>, A::Error> {
        let mut members: Members<'de> = Vec::new();
        while let Some(Name(name)) = entries.next_key()? {
            let value = entries.next_value_seed(Tree::INSIDE)?;
            match value {
                Json::Text(number) if name == NUMBER_TOKEN => return Ok(Json::Number(number)),
                value => members.push((name, value)),
            }
        }
        if self.is_line {
            return Ok(Json::Object(members));
        }
        members.sort_by(|(a, _), (b, _)| a.cmp(b));
        match members.windows(2).find(|pair| pair[0].0 == pair[1].0) {
            Some(pair) => Err(A::Error::custom(format_args!("the field `{}` is there twice", pair[0].0))),
            None => Ok(Json::Object(members)),
        }
    }
}

/// The name of a member.
struct Name<'a>(Cow<'a, str>);

impl<'de> Deserialize<'de> for Name<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(NameVisitor)
    }
}

struct NameVisitor;

impl<'de> Visitor<'de> for NameVisitor {
    type Value = Name<'de>;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the name of a field")
    }

    fn visit_borrowed_str<E>(self, name: &'de str) -> Result<Name<'de>, E> {
        Ok(Name(Cow::Borrowed(name)))
    }

    fn visit_str<E>(self, name: &str) -> Result<Name<'de>, E> {
        Ok(Name(Cow::Owned(name.to_owned())))
    }
}
