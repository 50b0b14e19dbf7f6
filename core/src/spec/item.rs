//! A value of the document together with its path: what the parser asks, and what it says where the answer is wrong.

use super::document::{Content, Entry, Node, Position};
use super::group::{Group, Words, names};
use super::mistakes::{Mistakes, element, member};
use crate::error::{Error, Result};
use crate::nearest::did_you_mean;
use crate::side::{Side, Sides};

#[derive(Debug, Clone)]
pub(super) struct Item<'a> {
    pub(super) node: &'a Node,
    pub(super) path: String,
}

/// The fields of a mapping, all of them known.
#[derive(Debug)]
pub(super) struct Fields<'a> {
    group: &'static Group,
    entries: &'a [Entry],
    pub(super) at: Position,
    pub(super) path: String,
}

impl<'a> Item<'a> {
    pub(super) fn root(node: &'a Node) -> Self {
        Item { node, path: String::new() }
    }

    /// Notes that something is wrong with this value; one mistake a value, the first: the others follow from it.
    pub(super) fn wrong(&self, mistakes: &mut Mistakes, what: Error) {
        if !mistakes.has(self.node.at, &self.path) {
            mistakes.add(self.node.at, &self.path, what);
        }
    }

    /// The text of a scalar, as written; never empty.
    pub(super) fn text(&self, mistakes: &mut Mistakes) -> Option<&'a str> {
        let text = self.scalar("a text", mistakes)?;
        if text.is_empty() {
            self.wrong(mistakes, Error::spec("is an empty text").advice("write one, or take the field out"));
            return None;
        }
        Some(text)
    }

    /// The text of a scalar, as written; in quotes it may be empty.
    pub(super) fn scalar(&self, wanted: &str, mistakes: &mut Mistakes) -> Option<&'a str> {
        if self.node.is_null() {
            self.wrong(
                mistakes,
                Error::spec("has no value").advice(format!("write {wanted} (in quotes if you mean the text itself), or take it out")),
            );
            return None;
        }
        match &self.node.content {
            Content::Scalar { text, .. } => Some(text),
            Content::List(_) | Content::Mapping(_) => self.not(wanted, mistakes),
        }
    }

    /// Something else stands here.
    fn not<T>(&self, wanted: &str, mistakes: &mut Mistakes) -> Option<T> {
        let found = match &self.node.content {
            Content::Scalar { .. } if self.node.is_null() => "without a value",
            Content::Scalar { .. } => "a single value",
            Content::List(_) => "a list",
            Content::Mapping(_) => "a mapping",
        };
        self.wrong(mistakes, Error::spec(format!("is {found}")).advice(format!("write {wanted}")));
        None
    }

    /// A scalar turned into something by `read`, whose error says what is wrong and what to do.
    pub(super) fn read<T>(&self, wanted: &str, read: impl Fn(&str) -> Result<T>, mistakes: &mut Mistakes) -> Option<T> {
        let text = self.scalar(wanted, mistakes)?;
        read(text).map_err(|what| self.wrong(mistakes, what)).ok()
    }

    /// `true` or `false`, without quotes; YAML's older words for them are too easily meant as texts.
    pub(super) fn flag(&self, mistakes: &mut Mistakes) -> Option<bool> {
        let text = self.scalar("true or false", mistakes)?;
        match (&self.node.content, text) {
            (Content::Scalar { plain: true, .. }, "true") => Some(true),
            (Content::Scalar { plain: true, .. }, "false") => Some(false),
            _ => {
                self.wrong(
                    mistakes,
                    Error::spec(format!("`{text}` is neither true nor false")).advice("write one of them, without quotes"),
                );
                None
            }
        }
    }

    pub(super) fn word<T: Copy>(&self, words: Words<T>, mistakes: &mut Mistakes) -> Option<T> {
        let known = names(words).join(", ");
        let text = self.scalar(&format!("one of {known}"), mistakes)?;
        let found = words.iter().find(|(name, _)| *name == text).map(|(_, word)| *word);
        if found.is_none() {
            let advice = match did_you_mean(text, names(words)) {
                Some(near) => format!("{near} known are {known}"),
                None => format!("write one of {known}"),
            };
            self.wrong(mistakes, Error::spec(format!("`{text}` is not known here")).advice(advice));
        }
        found
    }

    pub(super) fn is_scalar(&self) -> bool {
        matches!(self.node.content, Content::Scalar { .. })
    }

    pub(super) fn is_list(&self) -> bool {
        matches!(self.node.content, Content::List(_))
    }

    pub(super) fn is_mapping(&self) -> bool {
        matches!(self.node.content, Content::Mapping(_))
    }

    pub(super) fn list(&self, wanted: &str, mistakes: &mut Mistakes) -> Option<Vec<Item<'a>>> {
        let Content::List(items) = &self.node.content else {
            return self.not(wanted, mistakes);
        };
        let element = |(i, node)| Item {
            node,
            path: element(&self.path, i),
        };
        Some(items.iter().enumerate().map(element).collect())
    }

    /// A list, or a single value that stands for a list of one.
    pub(super) fn one_or_more(&self, wanted: &str, mistakes: &mut Mistakes) -> Option<Vec<Item<'a>>> {
        if self.is_scalar() {
            return self.scalar(wanted, mistakes).map(|_| vec![self.clone()]);
        }
        let items = self.list(wanted, mistakes)?;
        if items.is_empty() {
            self.wrong(
                mistakes,
                Error::spec("is an empty list").advice(format!("write {wanted}, or take the field out")),
            );
            return None;
        }
        Some(items)
    }

    /// Texts, or one that stands for a list of one.
    pub(super) fn texts(&self, wanted: &str, mistakes: &mut Mistakes) -> Vec<String> {
        let items = self.one_or_more(wanted, mistakes).unwrap_or_default();
        items.iter().filter_map(|item| item.text(mistakes).map(str::to_owned)).collect()
    }

    /// The pairs of a mapping whose names are free.
    pub(super) fn pairs(&self, wanted: &str, mistakes: &mut Mistakes) -> Option<Vec<(&'a Entry, Item<'a>)>> {
        let Content::Mapping(entries) = &self.node.content else {
            return self.not(wanted, mistakes);
        };
        for entry in entries.iter().filter(|entry| entry.key.is_empty()) {
            mistakes.add(
                entry.key_at,
                &self.path,
                Error::spec("has an empty name").advice("write the name of a column"),
            );
        }
        Some(entries.iter().map(|entry| (entry, self.member(entry))).collect())
    }

    fn member(&self, entry: &'a Entry) -> Item<'a> {
        Item {
            node: &entry.value,
            path: member(&self.path, &entry.key),
        }
    }

    /// The mapping as one with the fields of `group`; each unknown field is noted with the nearest known one.
    pub(super) fn fields(&self, group: &'static Group, mistakes: &mut Mistakes) -> Option<Fields<'a>> {
        let wanted = format!("a mapping with some of {}", group.names().collect::<Vec<_>>().join(", "));
        self.pairs(&wanted, mistakes)?;
        let Content::Mapping(entries) = &self.node.content else {
            return None;
        };
        for entry in entries.iter().filter(|entry| !group.has(&entry.key)) {
            mistakes.add(
                entry.key_at,
                &member(&self.path, &entry.key),
                unknown(&entry.key, group, mistakes.groups),
            );
        }
        for field in group
            .fields
            .iter()
            .filter(|field| field.required && !entries.iter().any(|e| e.key == field.name))
        {
            mistakes.add(
                self.node.at,
                &self.path,
                Error::spec(format!("has no `{}`", field.name)).advice(format!("add it: {}", first_sentence(field.about))),
            );
        }
        Some(Fields {
            group,
            entries,
            at: self.node.at,
            path: self.path.clone(),
        })
    }

    /// Whether this is `{live: …, shadow: …}` with values that `fits` accepts, and not one value for both.
    pub(super) fn is_per_side(&self, fits: impl Fn(&Item<'a>) -> bool) -> bool {
        let Content::Mapping(entries) = &self.node.content else {
            return false;
        };
        let of_side = |e: &&Entry| Side::named(&e.key).is_some();
        entries.iter().filter(of_side).any(|e| fits(&Item::root(&e.value)))
    }

    /// The values of the two sides; any other name beside them is noted.
    pub(super) fn sides(&self, mistakes: &mut Mistakes) -> Sides<Option<Item<'a>>> {
        let mut sides = Sides::default();
        for (entry, item) in self.pairs("a mapping with live, shadow or both", mistakes).unwrap_or_default() {
            match Side::named(&entry.key) {
                Some(side) => sides[side] = Some(item),
                None => {
                    let what = Error::spec(format!("`{}` stands beside a side", entry.key));
                    let advice = "name only live and shadow here, and put the rest below them";
                    mistakes.add(entry.key_at, &self.path, what.advice(advice));
                }
            }
        }
        sides
    }
}

impl<'a> Fields<'a> {
    pub(super) fn get(&self, name: &str) -> Option<Item<'a>> {
        debug_assert!(self.group.has(name), "{name} is not in the table of {}", self.group.name);
        self.entries.iter().find(|e| e.key == name).map(|e| Item {
            node: &e.value,
            path: member(&self.path, name),
        })
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// What `read` makes of a field that is there.
    pub(super) fn with<T: Default>(&self, name: &str, read: impl FnOnce(&Item<'a>, &mut Mistakes) -> T, mistakes: &mut Mistakes) -> T {
        self.get(name).map(|item| read(&item, mistakes)).unwrap_or_default()
    }

    pub(super) fn text(&self, name: &str, mistakes: &mut Mistakes) -> Option<String> {
        self.get(name)?.text(mistakes).map(str::to_owned)
    }

    pub(super) fn flag(&self, name: &str, mistakes: &mut Mistakes) -> bool {
        self.get(name).and_then(|item| item.flag(mistakes)).unwrap_or(false)
    }

    pub(super) fn word<T: Copy>(&self, name: &str, words: Words<T>, mistakes: &mut Mistakes) -> Option<T> {
        self.get(name)?.word(words, mistakes)
    }

    pub(super) fn read<T>(&self, name: &str, wanted: &str, read: impl Fn(&str) -> Result<T>, mistakes: &mut Mistakes) -> Option<T> {
        self.get(name)?.read(wanted, read, mistakes)
    }

    /// Notes that something is wrong with the mapping as a whole.
    pub(super) fn wrong(&self, mistakes: &mut Mistakes, what: Error) {
        mistakes.add(self.at, &self.path, what);
    }
}

fn unknown(name: &str, group: &Group, groups: &[&Group]) -> Error {
    let error = Error::spec("unknown field");
    if let Some(near) = did_you_mean(name, group.names()) {
        return error.advice(near);
    }
    let known = group.names().collect::<Vec<_>>().join(", ");
    let homes: Vec<String> = groups
        .iter()
        .filter(|home| home.has(name))
        .map(|home| format!("`{}`", home.name))
        .collect();
    if homes.is_empty() {
        error.advice(format!("known are {known}"))
    } else {
        error.advice(format!("it belongs to {}; known here are {known}", homes.join(" or ")))
    }
}

fn first_sentence(about: &str) -> String {
    let sentence = about.split(". ").next().unwrap_or(about).trim_end_matches('.');
    let mut letters = sentence.chars();
    letters
        .next()
        .map(|first| first.to_lowercase().chain(letters).collect())
        .unwrap_or_default()
}

/// Notes every name that a mapping has twice, anywhere below `node`.
pub(super) fn refuse_duplicates(node: &Node, path: &str, mistakes: &mut Mistakes) {
    match &node.content {
        Content::Scalar { .. } => {}
        Content::List(items) => {
            for (i, item) in items.iter().enumerate() {
                refuse_duplicates(item, &element(path, i), mistakes);
            }
        }
        Content::Mapping(entries) => {
            let mut first: std::collections::BTreeMap<&str, Position> = std::collections::BTreeMap::new();
            for entry in entries {
                let path = member(path, &entry.key);
                if let Some(at) = first.get(entry.key.as_str()) {
                    mistakes.add(
                        entry.key_at,
                        &path,
                        Error::spec(format!("is given twice, first in line {}", at.line)).advice("keep one"),
                    );
                }
                first.entry(&entry.key).or_insert(entry.key_at);
                refuse_duplicates(&entry.value, &path, mistakes);
            }
        }
    }
}
