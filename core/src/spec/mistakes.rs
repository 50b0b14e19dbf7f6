//! What is wrong with a spec, gathered with places so that a person can fix all of it at once.

use super::document::Position;
use super::group::Group;
use crate::error::Error;
use std::collections::BTreeSet;

/// More lines than this help nobody; the rest is counted.
const MAX_LISTED: usize = 500;

/// How somebody can give a spec what it lacks, besides writing it there: advice names what there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Outside {
    /// Flags for datasets and account, and `--set`.
    Flags,
    /// `--set` alone.
    #[default]
    Variables,
    /// `set` of a task of a suite.
    Task,
}

#[derive(Debug)]
pub(super) struct Mistakes {
    /// All mappings, for the home of a field that stands in the wrong one.
    pub(super) groups: &'static [&'static Group],
    pub(super) outside: Outside,
    file: String,
    found: Vec<(Position, Error)>,
    /// The places and fields that something was found wrong with.
    places: BTreeSet<(Position, String)>,
    warnings: Vec<(Position, Error)>,
}

impl Mistakes {
    pub(super) fn new(file: &str, groups: &'static [&'static Group]) -> Self {
        Mistakes {
            groups,
            outside: Outside::default(),
            file: file.to_owned(),
            found: Vec::new(),
            places: BTreeSet::new(),
            warnings: Vec::new(),
        }
    }

    /// The same of what may be given from outside in this way.
    pub(super) fn given(self, outside: Outside) -> Self {
        Mistakes { outside, ..self }
    }

    /// An advice to write something, or to give it by a flag where there are flags for it.
    pub(super) fn or_flag(&self, advice: &str, flag: &str) -> String {
        match self.outside {
            Outside::Flags => format!("{advice}, or give {flag}"),
            Outside::Variables | Outside::Task => advice.to_owned(),
        }
    }

    /// Notes that `what` is wrong with the field at `path`; an empty path is the spec as a whole.
    pub(super) fn add(&mut self, at: Position, path: &str, what: Error) {
        self.places.insert((at, path.to_owned()));
        self.found.push((at, located(what, &self.file, at, path)));
    }

    /// Notes something that is allowed and yet is probably not meant.
    pub(super) fn warn(&mut self, at: Position, path: &str, what: Error) {
        self.warnings.push((at, located(what, &self.file, at, path)));
    }

    pub(super) fn count(&self) -> usize {
        self.found.len()
    }

    /// Whether something was found wrong here already.
    pub(super) fn has(&self, at: Position, path: &str) -> bool {
        self.places.contains(&(at, path.to_owned()))
    }

    /// The warnings as they are printed, and what is wrong.
    pub(super) fn split(self) -> (Vec<String>, Vec<Error>) {
        let warnings = in_order(self.warnings).iter().map(Error::to_string).collect();
        (warnings, in_order(self.found))
    }
}

/// The error with its place in the spec; an empty path is the spec as a whole.
pub(super) fn located(error: Error, file: &str, at: Position, path: &str) -> Error {
    let error = if path.is_empty() { error } else { error.field(path) };
    if at == Position::COMMAND_LINE {
        return error.file("command line");
    }
    error.file(file).line(at.line as u64).character(at.column as u64)
}

/// By place; of one place in the order found.
fn in_order(mut noted: Vec<(Position, Error)>) -> Vec<Error> {
    noted.sort_by_key(|(at, _)| *at);
    let more = noted.len().saturating_sub(MAX_LISTED);
    let mut listed: Vec<Error> = noted.into_iter().take(MAX_LISTED).map(|(_, error)| error).collect();
    if more > 0 {
        listed.push(Error::spec(format!("and {more} more")).advice("fix these first"));
    }
    listed
}

/// `path.name`, with quotes where the name alone could be misread.
pub fn member(path: &str, name: &str) -> String {
    let simple = !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || "_-*".contains(c));
    let name = if simple { name.to_owned() } else { format!("{name:?}") };
    if path.is_empty() { name } else { format!("{path}.{name}") }
}

pub(super) fn element(path: &str, index: usize) -> String {
    format!("{path}[{index}]")
}
