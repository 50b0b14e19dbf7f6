//! Errors by what somebody does about them.

use crate::redact::redacted;
use serde::{Deserialize, Serialize};

/// What to do about an error; it decides whether an attempt is tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Fix the spec.
    Spec,
    /// Fix the data: it is malformed, missing, or it changed under the job.
    Input,
    /// Wait and try again: a store or a peer does not answer.
    Unavailable,
    /// Give more memory or disk, or cut finer.
    Exhausted,
    /// Report a bug.
    Internal,
    /// Somebody asked for it.
    Interrupted,
}

impl Kind {
    /// All kinds, with the names they have in messages and records.
    const NAMES: [(Kind, &str); 6] = [
        (Kind::Spec, "spec"),
        (Kind::Input, "input"),
        (Kind::Unavailable, "unavailable"),
        (Kind::Exhausted, "exhausted"),
        (Kind::Internal, "internal"),
        (Kind::Interrupted, "interrupted"),
    ];

    /// The kind's name.
    pub fn name(self) -> &'static str {
        Kind::NAMES
            .iter()
            .find(|(kind, _)| *kind == self)
            .map_or("internal", |(_, name)| name)
    }

    /// The kind of this name; what nobody knows is `Internal`.
    pub fn from_name(name: &str) -> Kind {
        Kind::NAMES
            .iter()
            .find(|(_, known)| *known == name)
            .map_or(Kind::Internal, |(kind, _)| *kind)
    }
}

/// One error: its kind and a text that says what happened, to which file, column, row or field, and what to do. Secrets of URLs are taken
/// out of the text when it is made, so that wherever it goes it may be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Error {
    pub kind: Kind,
    pub message: String,
}

pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Error {
            kind,
            message: redacted(&message.into()).into_owned(),
        }
    }
    pub fn spec(message: impl Into<String>) -> Self {
        Error::new(Kind::Spec, message)
    }
    pub fn input(message: impl Into<String>) -> Self {
        Error::new(Kind::Input, message)
    }
    pub fn unavailable(message: impl Into<String>) -> Self {
        Error::new(Kind::Unavailable, message)
    }
    pub fn exhausted(message: impl Into<String>) -> Self {
        Error::new(Kind::Exhausted, message)
    }
    pub fn internal(message: impl Into<String>) -> Self {
        Error::new(Kind::Internal, message)
    }

    /// The same error with the place it happened in front.
    pub fn at(self, place: impl std::fmt::Display) -> Self {
        Error::new(self.kind, format!("{place}: {}", self.message))
    }

    /// Several mistakes of one kind as one error, one a line.
    pub fn all(kind: Kind, messages: Vec<String>) -> Self {
        Error::new(kind, messages.join("\n"))
    }
}
