//! What the command line says beside the spec, and beats it with.

use super::document::{Content, Entry, Node, Position};
use std::collections::BTreeSet;

/// The parts of a spec that the command line may give.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Overrides {
    pub live: Option<Vec<String>>,
    pub shadow: Option<Vec<String>>,
    pub account: Option<Vec<String>>,
    pub key: Option<Vec<String>>,
    pub output: Option<String>,
    /// The values of `${name}`, as name and value.
    pub set: Vec<(String, String)>,
}

impl Overrides {
    /// The top-level fields whose value in the spec is not used at all.
    pub(super) fn replaced_fields(&self) -> BTreeSet<&'static str> {
        let given = [
            ("live", self.live.is_some()),
            ("shadow", self.shadow.is_some()),
            ("account", self.account.is_some()),
            ("key", self.key.is_some()),
        ];
        given.into_iter().filter(|(_, is_given)| *is_given).map(|(name, _)| name).collect()
    }

    /// Puts the overrides in the place of what the spec says.
    pub(super) fn apply(&self, root: &mut Node) {
        let Content::Mapping(entries) = &mut root.content else { return };
        for (name, texts) in [
            ("live", &self.live),
            ("shadow", &self.shadow),
            ("account", &self.account),
            ("key", &self.key),
        ] {
            if let Some(texts) = texts {
                put(entries, name, one_or_list(texts));
            }
        }
        if let (Some(key), false) = (&self.key, entries.iter().any(|e| e.key == "account")) {
            // A key from the command line stands alone: the rows it names are the accounts.
            put(entries, "account", one_or_list(key));
        }
        if let Some(output) = &self.output {
            let options = entries.iter_mut().find(|e| e.key == "output").map(|e| &mut e.value.content);
            match options {
                Some(Content::Mapping(options)) => put(options, "to", Node::given(output)),
                Some(Content::Scalar { .. } | Content::List(_)) | None => put(entries, "output", Node::given(output)),
            }
        }
    }
}

fn one_or_list(texts: &[String]) -> Node {
    match texts {
        [one] => Node::given(one),
        texts => Node::given_list(texts),
    }
}

fn put(entries: &mut Vec<Entry>, name: &str, value: Node) {
    match entries.iter_mut().find(|e| e.key == name) {
        Some(entry) => entry.value = value,
        None => entries.push(Entry {
            key: name.to_owned(),
            key_at: Position::COMMAND_LINE,
            value,
        }),
    }
}
