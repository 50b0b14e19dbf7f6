//! `${name}` in a spec: replaced from `--set name=value`, everywhere, keys too; `$${` stands for `${` itself.

use super::document::{Content, Node, Position};
use super::mistakes::{Mistakes, Outside, element, member};
use crate::error::Error;
use std::collections::{BTreeMap, BTreeSet};

/// Replaces every variable below `root`. A field of `overridden` (top level) may lack values: what it says is not used.
pub(super) fn replace(root: &mut Node, set: &[(String, String)], overridden: &BTreeSet<&str>, mistakes: &mut Mistakes) {
    let mut variables = Variables {
        outside: mistakes.outside,
        values: BTreeMap::new(),
        used: BTreeSet::new(),
    };
    for (name, value) in set {
        if variables.values.insert(name, value).is_some() {
            mistakes.add(
                Position::COMMAND_LINE,
                "",
                Error::spec(format!("--set {name} is given twice")).advice("give it once"),
            );
        }
    }
    let mut unheard = Mistakes::new("", &[]);
    if let Content::Mapping(entries) = &mut root.content {
        for entry in entries {
            variables.replace_in(&mut entry.key, entry.key_at, "", mistakes);
            let heard = if overridden.contains(entry.key.as_str()) {
                &mut unheard
            } else {
                &mut *mistakes
            };
            variables.replace_below(&mut entry.value, &entry.key, heard);
        }
    } else {
        variables.replace_below(root, "", mistakes);
    }
    for name in variables.values.keys().filter(|name| !variables.used.contains(**name)) {
        let (at, given) = match mistakes.outside {
            Outside::Flags | Outside::Variables => (Position::COMMAND_LINE, format!("--set {name}")),
            Outside::Task => (Position::START, format!("`{name}` in the task's `set`")),
        };
        let unused = Error::spec(format!("{given} is not used: the spec has no ${{{name}}}"));
        mistakes.add(at, "", unused.advice("take it out or correct the name"));
    }
}

struct Variables<'a> {
    values: BTreeMap<&'a str, &'a str>,
    used: BTreeSet<&'a str>,
    outside: Outside,
}

impl Variables<'_> {
    fn replace_below(&mut self, node: &mut Node, path: &str, mistakes: &mut Mistakes) {
        match &mut node.content {
            Content::Scalar { text, .. } => self.replace_in(text, node.at, path, mistakes),
            Content::List(items) => {
                for (i, item) in items.iter_mut().enumerate() {
                    self.replace_below(item, &element(path, i), mistakes);
                }
            }
            Content::Mapping(entries) => {
                for entry in entries {
                    self.replace_in(&mut entry.key, entry.key_at, path, mistakes);
                    self.replace_below(&mut entry.value, &member(path, &entry.key), mistakes);
                }
            }
        }
    }

    fn replace_in(&mut self, text: &mut String, at: Position, path: &str, mistakes: &mut Mistakes) {
        if !text.contains("${") {
            return;
        }
        let mut replaced = String::with_capacity(text.len());
        let mut rest = text.as_str();
        while let Some(start) = rest.find("${") {
            let (before, from) = rest.split_at(start);
            if let Some(before) = before.strip_suffix('$') {
                replaced.push_str(before);
                replaced.push_str("${");
                rest = &from[2..];
                continue;
            }
            replaced.push_str(before);
            match from[2..].split_once('}').filter(|(name, _)| is_name(name)) {
                Some((name, after)) => {
                    match self.values.get_key_value(name) {
                        Some((name, value)) => {
                            replaced.push_str(value);
                            self.used.insert(name);
                        }
                        None => {
                            mistakes.add(at, path, self.no_value(name));
                            replaced.push_str(&from[..name.len() + 3]);
                        }
                    }
                    rest = after;
                }
                None => {
                    mistakes.add(
                        at,
                        path,
                        Error::spec("`${` does not begin a variable").advice("write `${name}`, or `$${` for the characters themselves"),
                    );
                    rest = &from[2..];
                }
            }
        }
        replaced.push_str(rest);
        *text = replaced;
    }

    fn no_value(&self, name: &str) -> Error {
        let error = Error::spec(format!("${{{name}}} has no value"));
        let unused = self.values.keys().filter(|given| !self.used.contains(**given)).copied();
        let advice = match self.outside {
            Outside::Flags | Outside::Variables => format!("give --set {name}=VALUE"),
            Outside::Task => format!("give it in the task's `set`: {{{name}: VALUE}}"),
        };
        error.advice(advice).did_you_mean(name, unused)
    }
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || "_-.".contains(c))
}
