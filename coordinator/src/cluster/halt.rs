//! Why something does not go on here: what a driver and what a client are told.

use shadowdiff_core::error::Error;
use std::fmt;

/// Why a job does not go on at this coordinator.
#[derive(Debug, Clone)]
pub(crate) enum Halt {
    /// Another coordinator has taken it.
    Superseded,
    /// This coordinator ends; the job is left as it is, for the next one.
    Stopped,
    /// It has failed, or was cancelled.
    Failed(Error),
}

impl From<Error> for Halt {
    fn from(error: Error) -> Self {
        Halt::Failed(error)
    }
}

impl fmt::Display for Halt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Halt::Superseded => f.write_str("another coordinator has taken the job"),
            Halt::Stopped => f.write_str("the coordinator stops"),
            Halt::Failed(error) => error.fmt(f),
        }
    }
}

impl Halt {
    /// For somebody who asked for something: the job goes on elsewhere, so asking again helps.
    pub(crate) fn into_error(self) -> Error {
        match self {
            Halt::Superseded | Halt::Stopped => Error::unavailable(self.to_string()),
            Halt::Failed(error) => error,
        }
    }
}

/// Why a client does not get what it asked for.
#[derive(Debug, Clone)]
pub enum Refusal {
    /// The token names a job with another content.
    Taken(String),
    /// There is no such job.
    Missing(String),
    Failed(Error),
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Refusal::Failed(error)
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refusal::Taken(token) => write!(
                f,
                "token: `{token}` names a job with another content; draw another token, or submit the same content"
            ),
            Refusal::Missing(id) => write!(
                f,
                "job_id: there is no job `{id}`; it may have been removed since, or its id is misspelled"
            ),
            Refusal::Failed(error) => error.fmt(f),
        }
    }
}

impl Refusal {
    /// Why, in a word for programs.
    pub(crate) fn reason(&self) -> &'static str {
        match self {
            Refusal::Taken(_) => "already_exists",
            Refusal::Missing(_) => "not_found",
            Refusal::Failed(error) => error.kind.name(),
        }
    }
}
