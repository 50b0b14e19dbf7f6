//! What is wrong with a spec, gathered with places so that a person can fix all of it at once.

use super::document::Position;
use std::collections::BTreeSet;

/// More lines than this help nobody; the rest is counted.
const MAX_LISTED: usize = 500;

#[derive(Debug)]
pub(super) struct Mistakes {
    file: String,
    found: Vec<(Position, String)>,
    /// The places and fields that something was found wrong with.
    places: BTreeSet<(Position, String)>,
    warnings: Vec<(Position, String)>,
}

impl Mistakes {
    pub(super) fn new(file: &str) -> Self {
        Mistakes {
            file: file.to_owned(),
            found: Vec::new(),
            places: BTreeSet::new(),
            warnings: Vec::new(),
        }
    }

    /// Notes that `what` is wrong with the field at `path`; an empty path is the spec as a whole.
    pub(super) fn add(&mut self, at: Position, path: &str, what: impl Into<String>) {
        self.places.insert((at, path.to_owned()));
        self.found.push((at, line(&self.file, at, path, &what.into())));
    }

    /// Notes something that is allowed and yet is probably not meant.
    pub(super) fn warn(&mut self, at: Position, path: &str, what: impl Into<String>) {
        self.warnings.push((at, line(&self.file, at, path, &what.into())));
    }

    pub(super) fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    pub(super) fn count(&self) -> usize {
        self.found.len()
    }

    /// Whether something was found wrong here already.
    pub(super) fn has(&self, at: Position, path: &str) -> bool {
        self.places.contains(&(at, path.to_owned()))
    }

    pub(super) fn into_lines(self) -> Vec<String> {
        in_order(self.found)
    }

    pub(super) fn into_warnings(self) -> Vec<String> {
        in_order(self.warnings)
    }
}

pub(super) fn line(file: &str, at: Position, path: &str, what: &str) -> String {
    let place = if at == Position::COMMAND_LINE {
        "command line".to_owned()
    } else {
        format!("{file}:{}:{}", at.line, at.column)
    };
    let separator = if path.is_empty() { "" } else { ": " };
    format!("{place}: {path}{separator}{what}")
}

/// By place; of one place in the order found.
fn in_order(mut noted: Vec<(Position, String)>) -> Vec<String> {
    noted.sort_by_key(|(at, _)| *at);
    let more = noted.len().saturating_sub(MAX_LISTED);
    let mut lines: Vec<String> = noted.into_iter().take(MAX_LISTED).map(|(_, line)| line).collect();
    if more > 0 {
        lines.push(format!("and {more} more; fix these first"));
    }
    lines
}

/// `path.name`, with quotes where the name alone could be misread.
pub(super) fn member(path: &str, name: &str) -> String {
    let simple = !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || "_-*".contains(c));
    let name = if simple { name.to_owned() } else { format!("{name:?}") };
    if path.is_empty() { name } else { format!("{path}.{name}") }
}

pub(super) fn element(path: &str, index: usize) -> String {
    format!("{path}[{index}]")
}
